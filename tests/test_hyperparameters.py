"""Tests of the two text files that describe networks and how they are trained."""

import hashlib
import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from errors import HyperparameterError
from settings import hyperparameters, layer_lists, network_layers
from settings.hyperparameters import (
    SETTING_CHECKS,
    TrainingPlan,
    TrainingSetting,
    TrainingTask,
    identity,
    layer_from_dictionary,
    layer_to_dictionary,
    read_model_hyperparameters,
    read_training_parameters,
    read_training_plan,
    read_training_tasks,
)
from settings.layer_lists import parameter_count, weight_arrays
from settings.network_layers import (
    ACTIVATIONS,
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling,
    Layer,
    MaxPooling,
    Residual,
    SeparableConv2D,
    SqueezeExcitation,
    Variant,
)
from settings.training_parameters import Distillation, TrainingParameters

ROOT = Path(hyperparameters.__file__).parents[1]
GOOD_TRAINING = {"optimizer": "adam", "train_batch_size": 32, "train_epochs": 10}
same_folder = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "file.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def variants_in(folder: Path, text: str | bytes) -> tuple[Variant, ...]:
    return read_model_hyperparameters(written(folder, text))


def refused_variants(folder: Path, text: str | bytes) -> str:
    with pytest.raises(HyperparameterError) as caught:
        variants_in(folder, text)
    assert "file.txt" in str(caught.value)
    return str(caught.value)


def refused_training(folder: Path, text: str | bytes) -> str:
    with pytest.raises(HyperparameterError) as caught:
        read_training_parameters(written(folder, text))
    assert "file.txt" in str(caught.value)
    return str(caught.value)


def test_a_number_that_python_does_not_read_is_told_in_our_words(tmp_path: Path) -> None:
    message = refused_training(tmp_path, "{'train_epochs':" + "9" * 6000 + "}")
    assert message.endswith(": it has a number of thousands of digits")


def test_a_problem_in_a_dictionary_of_several_lines_is_named_with_its_own_line(
    tmp_path: Path,
) -> None:
    text = (
        "[\n {'optimizer':'sgd',\n  'learning_rate':0.1, 'weight_decy':0.1,\n"
        "  'train_batch_size':8,\n  'train_epochs':'two'},\n"
        " {'optimizer':'sgd',\n  'train_batch_size':8},\n]"
    )
    lines = refused_training(tmp_path, text).splitlines()[1:]
    places = [(line.split(":")[0].strip(), line.split("'")[1]) for line in lines]
    assert places == [
        ("line 3, dictionary 0", "weight_decy"),
        ("line 5, dictionary 0", "train_epochs"),
        ("line 6, dictionary 1", "train_epochs"),
    ]


# ------------------------------------------------------------------------- the shipped files

SHIPPED: list[tuple[list[tuple[int, float]], list[tuple[int, float]]]] = [
    ([(32, 0.25)], [(64, 0.25)]),
    ([(64, 0.25)], [(64, 0.25)]),
    ([(64, 0.25), (32, 0.25)], [(64, 0.25)]),
    ([(64, 0.25), (64, 0.25)], [(64, 0.25)]),
    ([(32, 0.25), (32, 0.25)], [(64, 0.25)]),
    ([(32, 0.75), (32, 0.5)], [(64, 0.25)]),
    ([(32, 0.75), (32, 0.75)], [(64, 0.5)]),
    ([(32, 0.75), (32, 0.75)], [(128, 0.5), (64, 0.5)]),
    ([(64, 0.75), (32, 0.75)], [(128, 0.5), (64, 0.5)]),
    ([(64, 0.75), (64, 0.75)], [(128, 0.5), (64, 0.5)]),
    ([(64, 0.75), (64, 0.75)], [(256, 0.5), (128, 0.5)]),
]


@pytest.mark.parametrize("number", range(11))
def test_the_shipped_variants_are_the_published_ones(number: int) -> None:
    blocks, dense = SHIPPED[number]
    expected: list[network_layers.Layer] = []
    for filters, ratio in blocks:
        expected += [
            Conv2D(filters, (3, 3), (1, 1), "same", "relu"),
            MaxPooling((2, 2)),
            Dropout(ratio),
            BatchNormalization(),
        ]
    expected.append(Flatten())
    for size, ratio in dense:
        expected += [Dense(size, "relu"), Dropout(ratio)]
        expected += [BatchNormalization()] if number >= 7 else []
    variants = read_model_hyperparameters(ROOT / "model_hyperparameters.txt")
    assert len(variants) == 11
    assert variants[number] == tuple(expected)


def test_variant_0_has_the_published_number_of_parameters() -> None:
    layers = read_model_hyperparameters(ROOT / "model_hyperparameters.txt")[0]
    assert parameter_count(layers, 47) == 404_975
    assert sum(array.size for array in weight_arrays(layers, 47) if not array.trainable) == 64


def test_the_shipped_training_parameters_are_the_published_ones() -> None:
    read = read_training_parameters(ROOT / "model_training_parameters.txt")
    assert read == (TrainingSetting(TrainingParameters("adam", 32, 10, 1, None, None)),)


# ------------------------------------------------------------------------- reading good files


def test_left_out_keys_take_their_stated_values(tmp_path: Path) -> None:
    text = (
        "[[{'type':'conv2d','filters':4,'kernel_size':(3,5)},"
        "{'type':'flatten'},{'type':'dense','dense_layer_size':5}]]"
    )
    conv, _, dense = variants_in(tmp_path, text)[0]
    assert conv == Conv2D(4, (3, 5), (1, 1), "same", "relu")
    assert dense == Dense(5, "relu")


@pytest.mark.parametrize(
    "text",
    [
        "# before\n[ # here\n [{'type' : 'flatten'} # there\n,],\n]\n# after\n",
        "([{'type':'flatten'}],)",
        "[({'type':'flatten'},)]",
        '\ufeff  [[{"type":"flatten"}]]',
        "[[{'type':'flatten'}]]".replace("[[", "[\r\n["),
        "[[{'type':'flat' 'ten'}]]",
    ],
)
def test_comments_spaces_and_tuples_make_no_difference(tmp_path: Path, text: str) -> None:
    assert variants_in(tmp_path, text) == ((Flatten(),),)


def test_all_keys_of_training_parameters_are_read(tmp_path: Path) -> None:
    given_all = GOOD_TRAINING | {
        "verbose": 0,
        "learning_rate": 1,
        "early_stopping_patience": 3,
    }
    (read,) = read_training_parameters(written(tmp_path, f"# how\n{given_all} # so"))
    assert read == TrainingSetting(TrainingParameters("adam", 32, 10, 0, 1.0, 3))
    assert type(read.parameters.learning_rate) is float


def test_a_list_of_dictionaries_is_read_with_the_variants_that_each_is_for(tmp_path: Path) -> None:
    dictionaries = [
        GOOD_TRAINING | {"train_epochs": 3},
        {"variants": [4, 0]} | GOOD_TRAINING | {"train_epochs": 4},
    ]
    read = read_training_parameters(written(tmp_path, f"# how\n{dictionaries}"))
    assert read == (
        TrainingSetting(TrainingParameters("adam", 32, 3)),
        TrainingSetting(TrainingParameters("adam", 32, 4), (4, 0)),
    )


NEW_LAYERS = """[
    [
        {'type':'conv2d','filters':4,'kernel_size':3,'normalization':'batch'},
        {'type':'residual','layers':[
            {'type':'separableconv2d','filters':6,'kernel_size':(3,5),'strides':2},
            {'type':'residual','layers':({'type':'squeezeexcitation','ratio':2},),
             'activation':'linear'},
        ]},
        {'type':'squeezeexcitation'},
        {'type':'activation','activation':'silu'},
        {'type':'globalaveragepooling'},
        {'type':'dense','dense_layer_size':5,'normalization':None},
    ],
]"""


def test_layers_are_read_with_the_layers_in_them(tmp_path: Path) -> None:
    inner = Residual((SqueezeExcitation(2),), "linear")
    assert variants_in(tmp_path, NEW_LAYERS) == (
        (
            Conv2D(4, (3, 3), (1, 1), "same", "relu", "batch"),
            Residual((SeparableConv2D(6, (3, 5), (2, 2), "same", "relu", None), inner), "relu"),
            SqueezeExcitation(8),
            Activation("silu"),
            GlobalAveragePooling(),
            Dense(5, "relu", None),
        ),
    )


def test_keys_that_were_left_out_for_none_are_not_written() -> None:
    dense = {"type": "dense", "dense_layer_size": 4, "activation": "relu"}
    assert layer_to_dictionary(Dense(4)) == dense
    assert layer_to_dictionary(Residual((Dense(4, normalization="batch"),))) == {
        "type": "residual",
        "layers": [dense | {"normalization": "batch"}],
        "activation": "relu",
    }


# ------------------------------------------------------------------------- problems


def layer_problem(folder: Path, layer: str, before: str = "", after: str = "") -> str:
    return refused_variants(folder, f"[\n[{{'type':'flatten'}}],\n[{before}\n{layer},\n{after}]\n]")


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("{'type':'conv'}", "unknown type 'conv'"),
        ("{'type':['flatten']}", "unknown type ['flatten']"),
        ("{'filters':3}", "'type' is missing"),
        ("{}", "'type' is missing"),
        ("3", "a layer is a dictionary"),
        ("'flatten'", "a layer is a dictionary"),
        ("None", "a layer is a dictionary"),
        ("{'type':'flatten','x':1}", "no key 'x'"),
        ("{'type':'flatten',3:1}", "no key 3"),
        ("{'type':'dropout','dropout_ratio':.1,'dropout_ratio':.2}", "'dropout_ratio' is there tw"),
        ("{'type':'dropout'}", "needs the key 'dropout_ratio'"),
        ("{'type':'dropout','dropout_ratio':1}", "'dropout_ratio' is 1,"),
        ("{'type':'dropout','dropout_ratio':-0.1}", "'dropout_ratio' is -0.1,"),
        ("{'type':'dropout','dropout_ratio':'0.5'}", "'dropout_ratio' is '0.5',"),
        ("{'type':'dropout','dropout_ratio':True}", "'dropout_ratio' is True,"),
        ("{'type':'dropout','dropout_ratio':1e999}", "'dropout_ratio' is inf,"),
        ("{'type':'dropout','dropout_ratio':1e999-1e999}", "not a plain value"),
        ("{'type':'dense','dense_layer_size':0}", "'dense_layer_size' is 0,"),
        ("{'type':'dense','dense_layer_size':1.0}", "'dense_layer_size' is 1.0,"),
        ("{'type':'dense','dense_layer_size':True}", "'dense_layer_size' is True,"),
        ("{'type':'dense','dense_layer_size':65537}", "'dense_layer_size' is 65537,"),
        ("{'type':'dense','dense_layer_size':4,'activation':'softmax'}", "'softmax', but must be"),
        ("{'type':'dense','dense_layer_size':4,'activation':None}", "'activation' is None,"),
        ("{'type':'conv2d','filters':0,'kernel_size':3}", "'filters' is 0,"),
        ("{'type':'conv2d','filters':4097,'kernel_size':3}", "'filters' is 4097,"),
        ("{'type':'conv2d','filters':1,'kernel_size':(3,3,3)}", "'kernel_size' is (3, 3, 3),"),
        ("{'type':'conv2d','filters':1,'kernel_size':(3,)}", "'kernel_size' is (3,),"),
        ("{'type':'conv2d','filters':1,'kernel_size':(3,'3')}", "'kernel_size' is (3, '3'),"),
        ("{'type':'conv2d','filters':1,'kernel_size':29}", "'kernel_size' is 29,"),
        ("{'type':'conv2d','filters':1,'kernel_size':{3,4}}", "'kernel_size' is {3, 4},"),
        ("{'type':'conv2d','filters':1,'kernel_size':3,'strides':0}", "'strides' is 0,"),
        ("{'type':'conv2d','filters':1,'kernel_size':3,'padding':'full'}", "'padding' is 'full',"),
        ("{'type':'maxpooling','pool_size':(2,0)}", "'pool_size' is (2, 0),"),
        (
            "{'type':'conv2d','filters':1,'kernel_size':3,'normalization':'layer'}",
            "'normalization' is 'layer', but must be 'batch', or None",
        ),
        ("{'type':'dense','dense_layer_size':1,'normalization':[]}", "'normalization' is [],"),
        ("{'type':'separableconv2d','filters':0,'kernel_size':3}", "'filters' is 0,"),
        ("{'type':'separableconv2d','filters':3}", "needs the key 'kernel_size'"),
        ("{'type':'globalaveragepooling','pool_size':2}", "no key 'pool_size'"),
        ("{'type':'activation'}", "needs the key 'activation'"),
        ("{'type':'activation','activation':'swish'}", "'activation' is 'swish',"),
        ("{'type':'squeezeexcitation','ratio':0}", "'ratio' is 0,"),
        ("{'type':'squeezeexcitation','ratio':0.5}", "'ratio' is 0.5,"),
        ("{'type':'residual'}", "needs the key 'layers'"),
        ("{'type':'residual','layers':[]}", "'layers' is [], but must be a list of one or more"),
        ("{'type':'residual','layers':{'type':'flatten'}}", "must be a list of one or more layers"),
        ("{'type':'residual','layers':'flatten'}", "'layers' is 'flatten',"),
        ("{'type':'residual','layers':[[{'type':'dropout'}]]}", "layer 0 in it: a layer is a dict"),
        (
            "{'type':'residual','layers':[{'type':'dropout','dropout_ratio':0.1},"
            "{'type':'residual','layers':[{'type':'activation','activation':3}]}]}",
            "layer 1 in it: layer 0 in it: 'activation' is 3,",
        ),
        (
            "{'type':'residual','layers':[{'type':'dropout','dropout_ratio':1,'dropout_ratio':1}]}",
            "'dropout_ratio' is there twice",
        ),
        ("{'type':'residual','layers':[open('x')]}", "not a plain value"),
        ("{'type':open('x')}", "not a plain value"),
        ("{'type':'flatten', **{}}", "not a plain value"),
        ("[1 for x in y]", "not a plain value"),
        ("{[]:1}", "not a plain value"),
        ("1" + "0" * 400 + "+1j", "not a plain value"),
        ("{'type':'dense','dense_layer_size':0x" + "f" * 6000 + "}", "thousands of digits"),
        ("-0x" + "f" * 6000, "thousands of digits"),
    ],
)
def test_a_wrong_layer_is_named_with_line_variant_and_layer(
    tmp_path: Path, layer: str, said: str
) -> None:
    message = layer_problem(tmp_path, layer, before="{'type':'batchnormalization'},")
    assert said in message
    assert "line 4, variant 1, layer 1" in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("before", "layer", "after", "said"),
    [
        ("{'type':'flatten'},", "{'type':'conv2d','filters':1,'kernel_size':3}", "", "before"),
        ("{'type':'flatten'},", "{'type':'maxpooling','pool_size':2}", "", "before"),
        (
            "{'type':'dropout','dropout_ratio':0},",
            "{'type':'dense','dense_layer_size':3}",
            "{'type':'flatten'}",
            "put 'flatten' or 'globalaveragepooling' before it",
        ),
        (
            "{'type':'maxpooling','pool_size':4},",
            "{'type':'maxpooling','pool_size':8}",
            "{'type':'flatten'}",
            "7x7 image",
        ),
        (
            "{'type':'maxpooling','pool_size':14},",
            "{'type':'conv2d','filters':2,'kernel_size':3,'padding':'valid'}",
            "{'type':'flatten'}",
            "2x2 image",
        ),
        ("{'type':'batchnormalization'},", "{'type':'dropout','dropout_ratio':0}", "", "'flatten'"),
        (
            "{'type':'dropout','dropout_ratio':0},",
            "{'type':'residual','layers':[{'type':'conv2d','filters':2,'kernel_size':3},"
            "{'type':'conv2d','filters':2,'kernel_size':9,'padding':'valid'}]}",
            "{'type':'flatten'}",
            "layer 1 ('residual'): the layers in it make a 20x20 image of 28x28",
        ),
        (
            "{'type':'dropout','dropout_ratio':0},",
            "{'type':'residual','layers':[{'type':'maxpooling','pool_size':2},"
            "{'type':'dense','dense_layer_size':9}]}",
            "{'type':'flatten'}",
            "layer 1 ('residual'): layer 1 in it ('dense'): 'dense' needs a row",
        ),
        (
            "{'type':'flatten'},",
            "{'type':'dense','dense_layer_size':65536}",
            "{'type':'dense','dense_layer_size':65536}",
            "weights; at most",
        ),
    ],
)
def test_layers_that_make_no_network_are_named(
    tmp_path: Path, before: str, layer: str, after: str, said: str
) -> None:
    message = layer_problem(tmp_path, layer, before, after)
    assert said in message and "variant 1, layer " in message and ", line " in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# nothing but a comment", "cannot be read as"),
        ("[]", "line 1: there is no variant"),
        ("\n[[]]", "line 2, variant 0: the variant has no layers"),
        ("[3]", "line 1, variant 0: a variant is a list of layers"),
        ("[{'type':'flatten'}]", "variant 0: a variant is a list"),
        ("{'type':'flatten'}", "line 1: this must be a list of variants"),
        ("x", "this must be a list of variants"),
        ("[[{'type':'flatten'}],\n[{'type':'flatten'}", "line 2: "),
        ("[[{'type':'flatten'}]]\n[[{'type':'flatten'}]]", "line 2"),
        ("variants = [[{'type':'flatten'}]]", "line 1"),
        (b"\xff\xfe[[", "not a text file in UTF-8, see its byte 0"),
        (b"\x00[[", "cannot be read as"),
        ("[" * 5000, "cannot be read as"),
        ("[[" + "-" * 5000 + "1]]", "cannot be read as"),
        ("[[" + "a." * 20000 + "b]]", "cannot be read as"),
        (b"#" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_list_of_variants_is_refused(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    assert said in refused_variants(tmp_path, text)


def residual_text(depth: int) -> str:
    text = "{'type':'dropout','dropout_ratio':0.1}"
    for _ in range(depth):
        text = f"{{'type':'residual','layers':[{text}]}}"
    return text


def test_layers_lie_in_each_other_4_deep_and_no_deeper(tmp_path: Path) -> None:
    variants_in(tmp_path, f"[[{residual_text(4)}, {{'type':'flatten'}}]]")
    for depth in (5, 6, 50):
        message = layer_problem(tmp_path, residual_text(depth))
        assert "layer 0 in it: layers with layers in them nest at most 4 deep" in message
    assert "cannot be read as" in refused_variants(tmp_path, f"[[{residual_text(500)}]]")


@pytest.mark.parametrize("depth", range(900, 1000, 10))
def test_a_layer_that_is_nested_too_deeply_to_be_shown_is_refused(depth: int) -> None:
    deep: Any = 3
    for _ in range(depth):
        deep = [deep]
    for given_layer in (
        deep,
        {"type": deep},
        {"type": "dense", "dense_layer_size": deep},
        {"type": "residual", "layers": {"layers": deep}},
    ):
        layer, problems = layer_from_dictionary(given_layer)
        assert layer is None and len(problems[0]) < 300


def test_many_wrong_layers_in_a_layer_are_not_all_listed() -> None:
    wrong: Any = {"type": "residual", "layers": [3] * 5_000}
    for _ in range(2):
        wrong = {"type": "residual", "layers": [wrong] * 10}
    layer, problems = layer_from_dictionary(wrong)
    assert layer is None and len(problems) == 20


def test_every_problem_in_a_layer_in_a_layer_is_listed(tmp_path: Path) -> None:
    message = layer_problem(
        tmp_path,
        "{'type':'residual','activation':'x','layers':[{'type':'conv2d'},"
        "{'type':'dropout','dropout_ratio':2}]}",
    )
    lines = [line.split(": ", 1)[1] for line in message.splitlines()[1:]]
    assert [line[:45] for line in lines] == [
        "'activation' is 'x', but must be one of 'relu",
        "layer 0 in it: 'conv2d' needs the key 'filter",
        "layer 0 in it: 'conv2d' needs the key 'kernel",
        "layer 1 in it: 'dropout_ratio' is 2, but must",
    ]


RESIDUALS = """[
[
{'type':'residual','layers':[
  {'type':'conv2d','filters':2,'kernel_size':3},
  {'type':'residual','layers':[
    {'type':'dropout',
     'dropout_ratio':0.5},
    WRONG,
  ]},
]},
{'type':'flatten'},
]]"""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("3", "a layer is a dictionary such as {'type':'flatten'}, not 3"),
        ("{'type':'what'}", "unknown type 'what'"),
        ("{'type':'dropout'}", "'dropout' needs the key 'dropout_ratio'"),
        ("{'type':'dropout','dropout_ratio':2}", "'dropout_ratio' is 2, but must be"),
        ("{'type':'residual','layers':[]}", "'layers' is [], but must be a list"),
        ("{'type':'dropout','dropout_ratio':x}", "'x' is not a plain value"),
        ("{'type':'flatten','type':'flatten'}", "the key 'type' is there twice"),
    ],
)
def test_a_wrong_layer_in_a_layer_is_named_with_its_own_line(
    tmp_path: Path, wrong: str, said: str
) -> None:
    message = refused_variants(tmp_path, RESIDUALS.replace("WRONG", wrong))
    place = "line 8, variant 0, layer 0: layer 1 in it: layer 1 in it: "
    assert said in message.partition(place)[2]
    assert "\n" not in message


def lines_of(message: str) -> list[str]:
    """The problems in a message that names several."""
    return lines_of_file(message, len(message.splitlines()) - 1)


def lines_of_file(message: str, problems: int) -> list[str]:
    """The lines after the first, which says how many problems there are."""
    assert f"has {problems:,} problems:" in message
    return [line.strip() for line in message.splitlines()[1:]]


def test_all_that_is_wrong_with_the_layers_of_a_variant_is_named_at_once(tmp_path: Path) -> None:
    text = """[[{'type':'conv2d','filters':2,'kernel_size':3},
{'type':'dense','dense_layer_size':4},
{'type':'maxpooling','pool_size':2},
{'type':'dropout','dropout_ratio':2},
{'type':'what'},
{'type':'dense','dense_layer_size':four,'activation':'rely','activation':'relu'},
]]"""
    problems = lines_of(refused_variants(tmp_path, text))
    assert [problem.split(": ")[0] for problem in problems] == [
        "line 2, variant 0, layer 1 ('dense')",
        "line 3, variant 0, layer 2 ('maxpooling')",
        "line 4, variant 0, layer 3",
        "line 5, variant 0, layer 4",
        "line 6, variant 0, layer 5",
        "line 6, variant 0, layer 5",
    ]
    assert "'four' is not a plain value" in problems[4]
    assert "the key 'activation' is there twice" in problems[5]


def test_every_layer_that_cannot_follow_is_named_but_of_those_that_need_an_image_the_first(
    tmp_path: Path,
) -> None:
    text = """[[{'type':'maxpooling','pool_size':(14, 14)},
{'type':'conv2d','filters':2,'kernel_size':3,'padding':'valid'},
{'type':'maxpooling','pool_size':3},
{'type':'flatten'},
{'type':'conv2d','filters':2,'kernel_size':3},
{'type':'globalaveragepooling'},
]]"""
    problems = lines_of(refused_variants(tmp_path, text))
    assert [problem.split(",")[0] for problem in problems] == ["line 2", "line 3", "line 5"]
    assert all(said in problem for said, problem in zip(
        ("does not fit into the 2x2 image", "less than 1x1 of the 2x2 image", "needs an image"),
        problems, strict=True))  # fmt: skip


def test_a_layer_that_cannot_follow_and_an_image_at_the_end_are_named_together(
    tmp_path: Path,
) -> None:
    text = "[[{'type':'maxpooling','pool_size':(28, 28)},\n{'type':'maxpooling','pool_size':2}]]"
    one, other = lines_of(refused_variants(tmp_path, text))
    assert "less than 1x1 of the 1x1 image" in one and "the network ends with an image" in other


def test_what_is_no_literal_in_a_dictionary_hides_nothing_else_that_is_wrong_in_it(
    tmp_path: Path,
) -> None:
    text = """{'optimizer':adam,
'train_batch_size':0,
'train_epochs':5,
'train_epochs':6,
'augmentation':{'rotatoin':5, 'shift':99},
'variants':all,
**more}"""
    problems = lines_of(refused_training(tmp_path, text))
    assert [problem.partition(": ")[0] for problem in problems] == [
        "line 1", "line 4", "line 6", "line 7", "line 2", "line 5", "line 5",
    ]  # fmt: skip
    assert "'adam' is not a plain value" in problems[0]
    assert problems[-2:] == [
        "line 5: 'augmentation': it has no key 'rotatoin'; its keys are 'rotation', 'shift', "
        "'scale', 'shear', 'perspective', 'elastic'",
        "line 5: 'augmentation': 'shift' is 99, but must be a number from 0 up to, not including, "
        "14",
    ]


def test_of_a_layer_without_keys_it_is_said_that_it_needs_none(tmp_path: Path) -> None:
    message = refused_variants(tmp_path, "[[{'type':'flatten','size':3}]]")
    assert message.endswith("'flatten' has no key 'size', and needs none")


@pytest.mark.parametrize(
    ("wrong", "line", "said"),
    [
        ("{'type':'maxpooling','pool_size':29 - 1}", 8, "is not a plain value"),
        ("{'type':'dense','dense_layer_size':9}", 8, "'dense' needs a row of values"),
        ("{'type':'globalaveragepooling'}", 5, "the layers in it end in a row of 2 values"),
        ("{'type':'conv2d','filters':1,'kernel_size':3}", 5, "the layers in it make 1 channels"),
        (
            "{'type':'conv2d','filters':2,'kernel_size':(1,9),'padding':'valid'}",
            5,
            "the layers in it make a 28x20 image",
        ),
    ],
)
def test_a_layer_in_a_layer_that_cannot_follow_is_named_with_its_own_line(
    tmp_path: Path, wrong: str, line: int, said: str
) -> None:
    message = refused_variants(tmp_path, RESIDUALS.replace("WRONG", wrong))
    assert f"file.txt, line {line}, variant 0, layer 0" in message and said in message


def test_every_problem_in_layers_in_layers_has_its_own_line(tmp_path: Path) -> None:
    wrong = "{'type':'dropout'},\n{'type':'what'}"
    text = RESIDUALS.replace("WRONG", wrong).replace("'filters':2", "'filters':0")
    lines = refused_variants(tmp_path, text).splitlines()[1:]
    assert [line.split(",")[0].strip() for line in lines] == ["line 4", "line 8", "line 9"]


def test_a_network_that_is_too_large_is_told_of_its_last_layer(tmp_path: Path) -> None:
    flat = "{'type':'flatten'},\n"
    dense = "{'type':'dense','dense_layer_size':65536},\n"
    assert "line 3, variant 0, layer 2" in refused_variants(tmp_path, f"[[{flat}{dense}{dense}]]")
    many = "{'type':'dropout','dropout_ratio':0},\n" * 150
    residual = f"{{'type':'residual','layers':[{many}]}},\n"
    message = refused_variants(tmp_path, f"[[{residual * 2}{flat}]]")
    assert "line 303, variant 0, layer 2" in message and "has 303 layers" in message


def test_of_very_many_problems_the_first_are_listed_and_the_others_counted(
    tmp_path: Path,
) -> None:
    message = refused_variants(tmp_path, f"[{'5,' * 2040}]")
    lines = lines_of_file(message, 2040)
    assert lines[0].startswith("line 1, variant 0") and lines[39].startswith("line 1, variant 39")
    assert lines[40:] == ["and 2,000 more"]


def test_every_problem_is_listed(tmp_path: Path) -> None:
    message = refused_variants(
        tmp_path,
        "[\n[{'type':'conv2d','filters':0,'padding':'x','colour':1},\n{'type':'what'}],\n"
        "[],\n[{'type':'dense','dense_layer_size':3}],\n[{'type':'flatten'}],\n5]",
    )
    lines = message.splitlines()
    assert lines[0].endswith("has 8 problems:")
    places = [line.split(":")[0].strip() for line in lines[1:]]
    assert places == [
        *["line 2, variant 0, layer 0"] * 4,
        "line 3, variant 0, layer 1",
        "line 4, variant 1",
        "line 5, variant 2, layer 0 ('dense')",
        "line 7, variant 4",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": "Adam"}, "'optimizer' is 'Adam', but must be one of"),
        ({"optimizer": None}, "'optimizer' is None"),
        ({"train_batch_size": 0}, "'train_batch_size' is 0"),
        ({"train_batch_size": 1.5}, "'train_batch_size' is 1.5"),
        ({"train_epochs": -1}, "'train_epochs' is -1"),
        ({"train_epochs": 100_001}, "from 1 to 100,000"),
        ({"train_epochs": True}, "'train_epochs' is True"),
        ({"verbose": 2}, "'verbose' is 2"),
        ({"learning_rate": 0}, "'learning_rate' is 0, but must be a number above 0, at most 10"),
        ({"learning_rate": 10.5}, "'learning_rate' is 10.5"),
        ({"learning_rate": None}, "'learning_rate' is None"),
        ({"early_stopping_patience": 0}, "'early_stopping_patience' is 0"),
        ({"epochs": 3}, "no key 'epochs'; its keys are 'optimizer', 'train_batch_size'"),
        ({"momentum": 0.9}, "'momentum' is there, but 'adam' has none"),
        ({"augmentation": {"rotation": -1}}, "'rotation' is -1, but must be"),
    ],
)
def test_wrong_training_parameters_are_named(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    message = refused_training(tmp_path, "# one comment\n" + repr(GOOD_TRAINING | changes))
    assert said in message and "line 2" in message


@pytest.mark.parametrize("key", GOOD_TRAINING)
def test_a_missing_training_parameter_is_named(tmp_path: Path, key: str) -> None:
    rest = {name: value for name, value in GOOD_TRAINING.items() if name != key}
    assert f"need the key {key!r}" in refused_training(tmp_path, repr(rest)).replace(
        "needs", "need"
    )


@pytest.mark.parametrize(
    "text", ["[]", "[[]]", "[3]", "({},)", "3", "{1,2}", "dict(a=1)", "{'optimizer':adam}", "'a'"]
)
def test_training_parameters_that_are_no_dictionary_are_refused(tmp_path: Path, text: str) -> None:
    assert "line 1" in refused_training(tmp_path, text)


def test_every_wrong_training_parameter_is_listed(tmp_path: Path) -> None:
    message = refused_training(tmp_path, "{'optimizer':1,'train_epochs':0,'more':2}")
    assert "4 problems" in message
    for said in ("'optimizer' is 1", "'train_epochs' is 0", "'more'", "'train_batch_size'"):
        assert said in message


def test_wrong_parameters_in_a_list_are_named_with_their_place(tmp_path: Path) -> None:
    good, wrong = repr(GOOD_TRAINING), repr(GOOD_TRAINING | {"train_epochs": 0})
    message = refused_training(tmp_path, f"[\n{good},\n{wrong},\n3,\n{{'a':b}}]")
    places = [line.split(":")[0].strip() for line in message.splitlines()[1:]]
    wanted = ["line 3, dictionary 1", "line 4, dictionary 2", "line 5, dictionary 3"]
    assert list(dict.fromkeys(places)) == wanted


# ------------------------------------------------------------------------- both files together

TWO_VARIANTS = "[[{'type':'flatten'}],[{'type':'flatten'},{'type':'dense','dense_layer_size':3}]]"


def tasks_of(folder: Path, parameters: Any, variants: str = TWO_VARIANTS) -> Any:
    (folder / "variants.txt").write_text(variants)
    (folder / "training.txt").write_text(
        parameters if isinstance(parameters, str) else repr(parameters)
    )
    return read_training_tasks(folder / "variants.txt", folder / "training.txt")


def refused_tasks(folder: Path, parameters: Any, variants: str = TWO_VARIANTS) -> str:
    with pytest.raises(HyperparameterError) as caught:
        tasks_of(folder, parameters, variants)
    return str(caught.value)


def test_one_dictionary_is_for_all_variants(tmp_path: Path) -> None:
    parameters = TrainingParameters("adam", 32, 10)
    for given_parameters in (GOOD_TRAINING, [GOOD_TRAINING]):
        tasks = tasks_of(tmp_path, given_parameters)
        assert tasks == (
            TrainingTask((Flatten(),), parameters),
            TrainingTask((Flatten(), Dense(3)), parameters),
        )
        assert [task.identity for task in tasks] == [
            identity(task.layers, parameters) for task in tasks
        ]


def test_each_variant_goes_with_each_dictionary_of_a_list(tmp_path: Path) -> None:
    settings = [GOOD_TRAINING, GOOD_TRAINING | {"optimizer": "sgd"}]
    tasks = tasks_of(tmp_path, settings)
    assert [(len(task.layers), task.parameters.optimizer) for task in tasks] == [
        (1, "adam"),
        (1, "sgd"),
        (2, "adam"),
        (2, "sgd"),
    ]


def test_a_dictionary_can_be_for_some_variants(tmp_path: Path) -> None:
    settings = [
        GOOD_TRAINING | {"variants": [1]},
        GOOD_TRAINING | {"optimizer": "sgd", "variants": [0]},
        GOOD_TRAINING | {"optimizer": "nadam", "variants": (1, 0)},
    ]
    tasks = tasks_of(tmp_path, settings)
    assert [(len(task.layers), task.parameters.optimizer) for task in tasks] == [
        (1, "sgd"),
        (1, "nadam"),
        (2, "adam"),
        (2, "nadam"),
    ]
    # Which others are trained so makes no entry another one.
    assert tasks[2].identity == tasks_of(tmp_path, GOOD_TRAINING)[1].identity


# Every place where an activation may be left out, and every place where it is there.
ACTIVATION_TEXT = """[[
    {{'type':'conv2d','filters':2,'kernel_size':3{0}}},
    {{'type':'residual','layers':[
        {{'type':'separableconv2d','filters':2,'kernel_size':3{0}}},
        {{'type':'residual','layers':[{{'type':'conv2d','filters':2,'kernel_size':1{0}}}]{0}}},
        {{'type':'residual','layers':[{{'type':'conv2d','filters':2,'kernel_size':1,
            'activation':'linear'}}],'activation':'linear'}},
    ]{0}}},
    {{'type':'conv2d','filters':2,'kernel_size':3,'activation':'linear'}},
    {{'type':'activation','activation':'tanh'}},
    {{'type':'flatten'}},
    {{'type':'dense','dense_layer_size':3,'normalization':'batch'{0}}},
    {{'type':'dense','dense_layer_size':3,'activation':'relu'}},
]]"""


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_layers_without_an_activation_have_that_of_the_training_parameters(
    tmp_path: Path, activation: str
) -> None:
    left_out = ACTIVATION_TEXT.format("")
    (task,) = tasks_of(tmp_path, GOOD_TRAINING | {"activation": activation}, left_out)
    named = ACTIVATION_TEXT.format(f",'activation':{activation!r}")
    assert tasks_of(tmp_path, GOOD_TRAINING, named) == (task,)
    other = "elu" if activation != "elu" else "relu"
    assert tasks_of(tmp_path, GOOD_TRAINING | {"activation": other}, named) == (task,)
    assert (tasks_of(tmp_path, GOOD_TRAINING, left_out) == (task,)) == (activation == "relu")


def test_every_variant_is_made_with_each_activation_of_a_list(tmp_path: Path) -> None:
    settings = [
        GOOD_TRAINING | {"activation": "gelu"},
        GOOD_TRAINING,
        GOOD_TRAINING | {"activation": "silu", "variants": [1]},
    ]
    tasks = tasks_of(tmp_path, settings)
    assert [task.layers for task in tasks] == [
        (Flatten(),),
        (Flatten(),),
        (Flatten(), Dense(3, "gelu")),
        (Flatten(), Dense(3, "relu")),
        (Flatten(), Dense(3, "silu")),
    ]
    # A network that has no place for it is the same with each.
    assert tasks[0].identity == tasks[1].identity
    assert len({task.identity for task in tasks}) == 4


def test_an_activation_makes_the_entry_of_who_wrote_it_to_each_layer(tmp_path: Path) -> None:
    known = tasks_of(tmp_path, GOOD_TRAINING)[1].identity
    assert tasks_of(tmp_path, GOOD_TRAINING | {"activation": "relu"})[1].identity == known
    task = tasks_of(tmp_path, GOOD_TRAINING | {"activation": "elu"})[1]
    assert task.identity == identity(
        (Flatten(), Dense(3, "elu")), TrainingParameters("adam", 32, 10)
    )


@pytest.mark.parametrize("wrong", ["swish", "Relu", "softmax", "", None, 3, ["relu"], True])
def test_what_is_no_activation_is_quoted_as_that_of_a_layer_is(tmp_path: Path, wrong: Any) -> None:
    message = refused_tasks(tmp_path, GOOD_TRAINING | {"activation": wrong})
    said = f"'activation' is {wrong!r}, but must be one of 'relu', 'elu',"
    assert said in message and "line 1" in message
    layer = {"type": "dense", "dense_layer_size": 3, "activation": wrong}
    assert said in layer_from_dictionary(layer)[1][0]


def test_an_activation_is_no_wrong_layer_s_problem(tmp_path: Path) -> None:
    variants = "[[{'type':'dense','dense_layer_size':0}]]"
    message = refused_tasks(tmp_path, GOOD_TRAINING | {"activation": "gelu"}, variants)
    assert "'dense_layer_size' is 0" in message and "'activation' is" not in message


def test_a_misspelt_key_is_named_with_all_keys_that_there_are(tmp_path: Path) -> None:
    message = refused_training(tmp_path, repr(GOOD_TRAINING | {"activations": "gelu"}))
    keys = message.split("has no key 'activations'; its keys are ")[1].split(", ")
    assert {"'optimizer'", "'precision'", "'variants'", "'activation'"} <= set(keys)


def test_every_key_of_a_setting_is_documented() -> None:
    formats = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = formats.split("## Training")[1].split("## Generators")[0]
    assert all(f"| `'{key}'`" in rows for key in SETTING_CHECKS)


def test_a_teacher_has_the_activation_that_it_was_trained_with(tmp_path: Path) -> None:
    taught = GOOD_TRAINING | {"distillation": {"teacher": 0}, "variants": [1]}
    teacher = GOOD_TRAINING | {"variants": [0], "activation": "elu"}
    variants = ACTIVATION_TEXT.format("")[:-1] + ", [{'type':'flatten'}]]"
    first, second = tasks_of(tmp_path, [teacher, taught], variants)
    assert second.parameters.distillation == Distillation(first.identity)
    usual = tasks_of(tmp_path, [GOOD_TRAINING | {"variants": [0]}, taught], variants)[0]
    assert first.identity != usual.identity


def test_a_teacher_without_a_place_for_an_activation_is_trained_in_one_way(tmp_path: Path) -> None:
    settings = [GOOD_TRAINING | {"activation": name, "variants": [0]} for name in ("elu", "relu")]
    taught = GOOD_TRAINING | {"distillation": {"teacher": 0}, "variants": [1]}
    first, again, second = tasks_of(tmp_path, [*settings, taught])
    assert first == again
    assert second.parameters.distillation == Distillation(first.identity)


@pytest.mark.parametrize("variants", [[], [0, 0], [-1], [True], ["0"], 0, None, [0.0], [[0]]])
def test_what_are_no_numbers_of_variants_is_quoted(tmp_path: Path, variants: Any) -> None:
    message = refused_tasks(tmp_path, [GOOD_TRAINING, GOOD_TRAINING | {"variants": variants}])
    assert f"dictionary 1: 'variants' is {variants!r}, but must be a list of different" in message


def test_a_variant_that_is_not_there_is_named(tmp_path: Path) -> None:
    message = refused_tasks(tmp_path, GOOD_TRAINING | {"variants": [0, 2]})
    said = r"training.txt, line 1: 'variants' has 2, but the last variant of .*variants.txt is 1$"
    assert re.search(said, message)


def test_variants_and_teachers_that_are_not_there_are_named_beside_wrong_keys(
    tmp_path: Path,
) -> None:
    lines = [
        GOOD_TRAINING | {"mixdown": 1},
        GOOD_TRAINING | {"variants": [9, 0, 7]},
        GOOD_TRAINING | {"momentum": 0.9, "mixup": -1, "variants": [8]},
        GOOD_TRAINING | {"distillation": {"teacher": 1}, "train_epochs": 0, "variants": [1]},
        GOOD_TRAINING | {"distillation": {"teacher": 4}, "variants": "x"},
    ]
    wrong_too = TWO_VARIANTS.replace("'dense_layer_size':3", "'dense_layer_size':0")
    message = refused_tasks(tmp_path, "[" + ",\n".join(map(repr, lines)) + "]", wrong_too)
    for said in (
        "'dense_layer_size' is 0",
        "line 1, dictionary 0: a dictionary of training parameters has no key 'mixdown'",
        "line 2, dictionary 1: 'variants' has 7, 9, but the last variant of",
        "line 3, dictionary 2: 'variants' has 8, but",
        "line 3, dictionary 2: 'mixup' is -1",
        "line 3, dictionary 2: 'momentum' is there, but 'adam' has none",
        "line 4, dictionary 3: 'train_epochs' is 0",
        "line 4, dictionary 3: the teacher of variant 1 is variant 1, but must come before",
        "line 5, dictionary 4: 'variants' is 'x'",
    ):
        assert said in message
    assert "variant 4" not in message and "training.txt has 8 problems" in message


def test_problems_of_both_files_are_named_at_once(tmp_path: Path) -> None:
    message = refused_tasks(tmp_path, {}, "[[{'type':'x'}]]")
    assert "unknown type 'x'" in message and "needs the key 'optimizer'" in message


def test_a_teacher_that_is_a_variant_is_known_by_its_identity(tmp_path: Path) -> None:
    taught = GOOD_TRAINING | {"distillation": {"teacher": 0, "weight": 0.25}, "variants": [1]}
    first, second = tasks_of(tmp_path, [GOOD_TRAINING | {"variants": [0]}, taught])
    assert second.parameters.distillation == Distillation(first.identity, 0.25)


def test_a_teacher_that_is_an_identity_stays_as_it_is(tmp_path: Path) -> None:
    taught = GOOD_TRAINING | {"distillation": {"teacher": "3f9a"}}
    assert all(
        task.parameters.distillation == Distillation("3f9a") for task in tasks_of(tmp_path, taught)
    )


@pytest.mark.parametrize(("number", "teacher"), [(0, 0), (0, 1), (1, 1)])
def test_a_teacher_must_come_before_its_variant(tmp_path: Path, number: int, teacher: int) -> None:
    settings = [GOOD_TRAINING | {"variants": [0]}, GOOD_TRAINING | {"variants": [1]}]
    settings[number] |= {"distillation": {"teacher": teacher}}
    message = refused_tasks(tmp_path, settings)
    assert f"the teacher of variant {number} is variant {teacher}, but must come" in message
    assert "training.txt" in message


def test_a_teacher_beyond_the_last_variant_may_be_meant_as_an_identity(tmp_path: Path) -> None:
    message = refused_tasks(tmp_path, GOOD_TRAINING | {"distillation": {"teacher": 1234}})
    assert "is variant 1234, but the last variant is 1" in message
    assert "stands in quotes, such as '1234'" in message


def test_a_teacher_that_is_trained_in_several_ways_is_to_be_named_by_its_identity(
    tmp_path: Path,
) -> None:
    taught = GOOD_TRAINING | {"distillation": {"teacher": 0}, "variants": [1]}
    other = GOOD_TRAINING | {"optimizer": "sgd"}
    message = refused_tasks(tmp_path, [GOOD_TRAINING, other, taught])
    assert "variant 0, which is trained in 2 ways; name one of them by its identity" in message


def test_a_teacher_that_no_dictionary_is_for_is_named_with_what_would_be_right(
    tmp_path: Path,
) -> None:
    taught = GOOD_TRAINING | {"distillation": {"teacher": 0}, "variants": [1]}
    message = refused_tasks(tmp_path, [taught])
    assert (
        "training.txt, line 1, dictionary 0: the teacher of variant 1 is variant 0, which no "
        "dictionary is for; add one with 'variants':[0], or name an entry of the collection"
    ) in message
    assert len(tasks_of(tmp_path, [taught, GOOD_TRAINING | {"variants": [0]}])) == 2


def test_where_it_is_not_known_which_variants_a_dictionary_is_for_no_teacher_is_missed(
    tmp_path: Path,
) -> None:
    taught = GOOD_TRAINING | {"distillation": {"teacher": 0}, "variants": [1]}
    message = refused_tasks(tmp_path, [taught, GOOD_TRAINING | {"variants": "0"}])
    assert "'variants' is '0'" in message and "teacher" not in message


def test_every_teacher_that_is_trained_in_several_ways_is_named(tmp_path: Path) -> None:
    taught = GOOD_TRAINING | {"distillation": {"teacher": 0}, "variants": [1]}
    twice = [GOOD_TRAINING, GOOD_TRAINING | {"optimizer": "sgd"}, taught, taught | {"mixup": 1}]
    message = refused_tasks(tmp_path, twice)
    assert "training.txt has 2 problems" in message and message.count("in 2 ways") == 2


ACTIVATED = (
    "[[{'type':'flatten'},{'type':'dense','dense_layer_size':3,'activation':'elu'}],"
    "[{'type':'flatten'},{'type':'dense','dense_layer_size':3}], [{'type':'flatten'}]]"
)


@pytest.mark.parametrize(
    ("settings", "numbers"),
    [
        ([{}], ()),
        ([{"activation": "relu"}], ()),
        ([{"activation": "tanh"}], (0, 2)),
        ([{"activation": "relu"}, {"activation": "elu"}], (0, 2)),
        ([{"activation": "tanh", "variants": [1, 2]}, {"variants": [0]}], (2,)),
        ([{"activation": "tanh", "variants": [1]}], ()),
    ],
)
def test_variants_that_an_activation_of_the_training_parameters_changes_nothing_in(
    tmp_path: Path, settings: list[dict[str, Any]], numbers: tuple[int, ...]
) -> None:
    tasks = tasks_of(tmp_path, [GOOD_TRAINING | one for one in settings], ACTIVATED)
    plan = read_training_plan(tmp_path / "variants.txt", tmp_path / "training.txt")
    assert plan == TrainingPlan(tasks, numbers)


@pytest.mark.parametrize("read", [read_model_hyperparameters, read_training_parameters])
def test_what_is_no_file_is_refused(tmp_path: Path, read: Any) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    paths = ["missing.txt", "", "pipe", "x" * 5000, "nul\0", "\udcff", "file/below"]
    for path in [*(tmp_path / name for name in paths), Path("/dev/zero")]:
        with pytest.raises(HyperparameterError):
            read(path)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('touch {mark}')",
        "open('{mark}', 'w')",
        "[x for x in [open('{mark}', 'w')]]",
        "(lambda: open('{mark}', 'w'))()",
        'f\'{{open("{mark}", "w")}}\'',
    ],
)
def test_a_file_is_never_executed(tmp_path: Path, expression: str) -> None:
    mark = tmp_path / "mark"
    code = expression.format(mark=mark)
    for text in (code, f"[{code}]", f"[[{code}]]", f"[[{{'type':{code}}}]]", f"[[{{{code}:1}}]]"):
        refused_variants(tmp_path, text)
        refused_training(tmp_path, text)
    refused_training(tmp_path, f"{{'optimizer':{code},'train_batch_size':1,'train_epochs':1}}")
    assert not mark.exists()


# ------------------------------------------------------------------------- identity


def test_identity_ignores_verbose_and_only_that() -> None:
    layers: Variant = (Conv2D(2, (3, 3)), MaxPooling((2, 2)), Dropout(0.5), Flatten(), Dense(3))
    base = TrainingParameters("adam", 32, 10)
    assert identity(layers, base) == identity(layers, TrainingParameters("adam", 32, 10, 1))
    others = [
        TrainingParameters("sgd", 32, 10),
        TrainingParameters("adam", 33, 10),
        TrainingParameters("adam", 32, 11),
        TrainingParameters("adam", 32, 10, learning_rate=0.001),
        TrainingParameters("adam", 32, 10, early_stopping_patience=1),
        TrainingParameters("adam", 32, 10, moving_average=0.9),
        TrainingParameters("adam", 32, 10, distillation=Distillation("3f9a")),
        TrainingParameters("adam", 32, 10, distillation=Distillation("3f9b")),
    ]
    variants: list[Variant] = [
        (Conv2D(3, (3, 3)), *layers[1:]),
        (Conv2D(2, (3, 4)), *layers[1:]),
        (Conv2D(2, (3, 3), (1, 2)), *layers[1:]),
        (Conv2D(2, (3, 3), (1, 1), "valid"), *layers[1:]),
        (Conv2D(2, (3, 3), activation="elu"), *layers[1:]),
        (layers[0], MaxPooling((2, 3)), *layers[2:]),
        (*layers[:2], Dropout(0.4), *layers[3:]),
        (*layers[:4], Dense(4)),
        (*layers[:4], Dense(3, "tanh")),
        layers[:4],
        (*layers, BatchNormalization()),
        (layers[0], layers[2], layers[1], *layers[3:]),
        (Conv2D(2, (3, 3), normalization="batch"), *layers[1:]),
        (SeparableConv2D(2, (3, 3)), *layers[1:]),
        (Residual(layers[:1]), *layers[1:]),
        (Residual(layers[:1], "elu"), *layers[1:]),
        (Residual(layers[:2]), *layers[2:]),
        (*layers[:3], SqueezeExcitation(2), *layers[3:]),
        (*layers[:3], SqueezeExcitation(3), *layers[3:]),
        (*layers[:3], GlobalAveragePooling(), layers[4]),
        (*layers[:3], Activation("relu"), *layers[3:]),
    ]
    identities = {identity(layers, base)}
    identities |= {identity(layers, other) for other in others}
    identities |= {identity(variant, base) for variant in variants}
    assert len(identities) == 1 + len(others) + len(variants)


def test_identity_does_not_hang_on_how_the_file_was_written(tmp_path: Path) -> None:
    short = "[[{'type':'conv2d','filters':2,'kernel_size':3},{'type':'flatten'}]]"
    long = (
        "[[{'activation':'relu','padding':'same','strides':[1,1],'kernel_size':(3,3),"
        "'filters':2,'type':'conv2d'},{'type':'flatten'}]]"
    )
    parameters = TrainingParameters("adam", 1, 1)
    one, other = variants_in(tmp_path, short)[0], variants_in(tmp_path, long)[0]
    assert identity(one, parameters) == identity(other, parameters)


def test_identities_of_saved_collections_stay_the_same() -> None:
    layers = (Conv2D(32, (3, 3)), Flatten(), Dense(64))
    assert identity(layers, TrainingParameters("adam", 32, 10)) == "de1e062e1b91aa08"
    document = json.loads((ROOT / "model" / "collection.json").read_text())
    for entry in document["entries"]:
        # As it was when a layer's dictionary had every key that there was, from the file itself.
        training = {key: v for key, v in entry["training_parameters"].items() if key != "verbose"}
        text = json.dumps([entry["layers"], training], sort_keys=True)
        read = tuple(layer_from_dictionary(given_layer)[0] for given_layer in entry["layers"])
        assert [layer_to_dictionary(layer) for layer in read if layer] == entry["layers"]
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == identity(
            [layer for layer in read if layer],
            TrainingParameters(**entry["training_parameters"]),
        )


# ------------------------------------------------------------------------- anything at all

pair = st.integers(1, 4)
normalizations = st.sampled_from([None, "batch"])
plain_image_layers: st.SearchStrategy[Layer] = st.one_of(
    st.builds(
        Conv2D,
        st.integers(1, 6),
        st.tuples(pair, pair),
        st.tuples(st.integers(1, 2), st.integers(1, 2)),
        st.sampled_from(["same", "valid"]),
        st.sampled_from(ACTIVATIONS),
        normalizations,
    ),
    st.builds(SeparableConv2D, st.integers(1, 6), st.tuples(pair, pair)),
    st.builds(SqueezeExcitation, st.integers(1, 6)),
    st.builds(Activation, st.sampled_from(ACTIVATIONS)),
    st.builds(MaxPooling, st.tuples(st.integers(1, 2), st.integers(1, 2))),
    st.builds(Dropout, st.floats(0, 1, exclude_max=True)),
    st.just(BatchNormalization()),
)
image_layers = st.recursive(
    plain_image_layers,
    lambda inner: st.builds(
        lambda inside, activation: Residual(tuple(inside), activation),
        st.lists(inner, min_size=1, max_size=2),
        st.sampled_from(ACTIVATIONS),
    ),
    max_leaves=4,
)
row_layers: st.SearchStrategy[Layer] = st.one_of(
    st.builds(Dense, st.integers(1, 12), st.sampled_from(ACTIVATIONS), normalizations),
    st.builds(Dropout, st.floats(0, 1, exclude_max=True)),
    st.just(BatchNormalization()),
    st.just(Flatten()),
)
variants_strategy = st.builds(
    lambda first, flat, last: (*first, flat, *last),
    st.lists(image_layers, max_size=4),
    st.sampled_from([Flatten(), GlobalAveragePooling()]),
    st.lists(row_layers, max_size=4),
).filter(lambda layers: layer_lists.variant_problems(layers) is None)


def either_error_or_result(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        for read in (read_model_hyperparameters, read_training_parameters):
            try:
                result: Any = read(path)
            except HyperparameterError as error:
                assert str(path) in str(error)
                continue
            if read is read_training_parameters:
                assert all(setting.parameters.train_epochs >= 1 for setting in result)
            else:
                assert all(layer_lists.variant_problems(layers) is None for layers in result)


@same_folder
@given(st.one_of(st.text(), st.text(alphabet="[]{}(),:'-+.0129ejx# \n\\typeflan")))
@example("[[{'type':'dropout','dropout_ratio':.5}],[{'type':'flatten'}]]")
@example("\\\n")
@example("[[1_0\\")
def test_any_text_is_a_good_file_or_a_problem(tmp_path: Path, text: str) -> None:
    either_error_or_result(written(tmp_path, text.encode("utf-8", "surrogatepass")))


@same_folder
@given(st.binary(max_size=200))
def test_any_bytes_are_a_good_file_or_a_problem(tmp_path: Path, content: bytes) -> None:
    either_error_or_result(written(tmp_path, content))


GOOD_TEXTS = (
    NEW_LAYERS,
    repr([GOOD_TRAINING, GOOD_TRAINING | {"distillation": {"teacher": 0}, "variants": [1]}]),
    "# c\n[[{'type':'conv2d','filters':3,'kernel_size':(3,3),'activation':'relu'},"
    "{'type':'dropout','dropout_ratio':0.5},{'type':'flatten'}],\n[{'type':'flatten'},"
    "{'type':'dense','dense_layer_size':3}]]",
    repr(GOOD_TRAINING | {"verbose": 1, "learning_rate": 0.01, "early_stopping_patience": 2}),
)


@same_folder
@given(
    st.sampled_from(GOOD_TEXTS),
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.integers(0, 6),
            st.sampled_from(
                ["", "'", "[", "}", "-", "9" * 30, "0x" + "f" * 5000, "1e999", "None", "x()", ":",
                 "**", "1j", "\n", "#", "{'type':'flatten'},", "\0", "é", "()", "'type':"]
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)  # fmt: skip
def test_a_damaged_file_is_a_good_file_or_a_problem(
    tmp_path: Path, text: str, changes: list[tuple[int, int, str]]
) -> None:
    for place, removed, put in changes:
        text = text[:place] + put + text[place + removed :]
    either_error_or_result(written(tmp_path, text))


@same_folder
@given(st.lists(variants_strategy, min_size=1, max_size=3), st.booleans())
def test_variants_written_as_text_are_read_as_they_were(
    tmp_path: Path, variants: list[Variant], as_json: bool
) -> None:
    dictionaries = [[layer_to_dictionary(layer) for layer in layers] for layers in variants]
    text = json.dumps(dictionaries, indent=1) if as_json else repr(dictionaries)
    assert variants_in(tmp_path, text) == tuple(variants)


@pytest.mark.parametrize(
    ("sizes", "ways", "pairs"),
    [
        ((2, 3), (GOOD_TRAINING,), ()),
        ((2, 3, 2), (GOOD_TRAINING,), (("variant 0", "variant 2"),)),
        (
            (2, 3),
            (GOOD_TRAINING, GOOD_TRAINING | {"verbose": 0}),
            (
                ("variant 0, dictionary 0", "variant 0, dictionary 1"),
                ("variant 1, dictionary 0", "variant 1, dictionary 1"),
            ),
        ),
        ((2,), (GOOD_TRAINING, GOOD_TRAINING | {"train_epochs": 11}), ()),
    ],
)
def test_trainings_that_two_files_ask_for_twice_are_known(
    tmp_path: Path,
    sizes: tuple[int, ...],
    ways: tuple[dict[str, Any], ...],
    pairs: tuple[tuple[str, str], ...],
) -> None:
    variants = [
        [{"type": "flatten"}, {"type": "dense", "dense_layer_size": size}] for size in sizes
    ]
    (tmp_path / "v.txt").write_text(repr(variants))
    (tmp_path / "t.txt").write_text(repr(list(ways)))
    plan = read_training_plan(tmp_path / "v.txt", tmp_path / "t.txt")
    assert tuple((earlier.name, task.name) for earlier, task in plan.repeated()) == pairs


@pytest.mark.parametrize(
    ("idle", "others", "is_idle"),
    [
        ({"label_smoothing": 0}, {}, True),
        ({"label_smoothing": 0.0}, {}, True),
        ({"augmentation": {"rotation": 0}}, {}, True),
        ({"augmentation": {"rotation": 0, "elastic": 0.0}, "label_smoothing": 0}, {}, True),
        ({"moving_average": 0}, {}, True),
        ({"momentum": 0.0}, {"optimizer": "sgd"}, True),
        ({"weight_decay": 0}, {}, True),
        ({"warmup_epochs": 0}, {"learning_rate_schedule": "cosine", "learning_rate": 1}, True),
        ({"label_smoothing": 0.1}, {}, False),
        ({"augmentation": {"rotation": 0, "shift": 1}}, {}, False),
        ({"moving_average": 0.9}, {}, False),
        ({"weight_decay": 0}, {"optimizer": "adamw"}, False),  # it decays without the key
        ({"warmup_epochs": 0}, {"learning_rate_schedule": "one_cycle", "learning_rate": 1}, False),
    ],
)
def test_a_key_that_does_nothing_is_the_same_training_as_without_it(
    tmp_path: Path, idle: dict[str, Any], others: dict[str, Any], is_idle: bool
) -> None:
    (plain, *_), (other, *_) = (
        tasks_of(tmp_path, GOOD_TRAINING | others | given) for given in ({}, idle)
    )
    assert (plain.identity == other.identity) is is_idle
    assert (plain.parameters == other.parameters) is is_idle
