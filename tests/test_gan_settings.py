"""Tests of the text file that says how generators are trained."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import gan.settings
from errors import HyperparameterError
from gan.settings import (
    CHARACTER_KINDS,
    DEFAULT_FEATURE_STEPS,
    KINDS,
    LOSSES,
    OWN_KEYS,
    PLAYERS,
    STRATEGIES,
    GanSettings,
    Strategy,
    read_gan_settings,
    same_training,
    settings_from_dictionary,
    settings_to_json,
    weight_count,
)

SHIPPED = Path(gan.settings.__file__).parents[1] / "gan_hyperparameters.txt"
GOOD: dict[str, Any] = {
    "network": "mlp",
    "generator_widths": (8,),
    "discriminator_widths": (8,),
    "latent_size": 4,
    "loss": "hinge",
    "steps": 6,
    "batch_size": 4,
    "generator_learning_rate": 0.001,
    "discriminator_learning_rate": 0.002,
}
CONVOLUTIONAL = GOOD | {"network": "convolutional", "generator_widths": (4, 3, 2)}
CONDITIONAL = CONVOLUTIONAL | {"class_size": 5, "feature_widths": (3, 2, 4), "feature_steps": 7}
same_folder = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "gan.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, **generators: Any) -> dict[str, GanSettings]:
    return read_gan_settings(written(folder, repr(generators)))


def refused(folder: Path, text: str | bytes) -> str:
    """The message, which names the file and is fit for a terminal."""
    path = written(folder, text)
    with pytest.raises(HyperparameterError) as caught:
        read_gan_settings(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < 3000
    return message


def refused_keras(folder: Path, **changes: Any) -> str:
    """The message about settings of 'keras' that begin on line 3."""
    message = refused(folder, f"# a comment\n{{\n'keras': {dict(GOOD) | changes!r}}}")
    assert "line 3, 'keras': " in message
    return message


# ------------------------------------------------------------------------- good files


def test_the_shipped_settings_are_read_for_every_generator() -> None:
    read_settings = read_gan_settings(SHIPPED)
    assert tuple(read_settings) == KINDS
    for kind, found in read_settings.items():
        assert found.network == "convolutional"
        if kind in CHARACTER_KINDS:
            assert found.generator_widths == (64, 32, 16)
        assert (found.adversarial_optimizer is not None) == (kind == "keras_adversarial")
        of_all = kind == "conditional"
        assert (found.class_size is not None) == (found.feature_steps is not None) == of_all
        assert (found.feature_widths is not None) == of_all


def test_left_out_keys_take_their_stated_values(tmp_path: Path) -> None:
    found = read(tmp_path, keras=dict(GOOD))["keras"]
    assert found == GanSettings(**GOOD)
    assert (found.gradient_penalty, found.spectral_normalization) == (0.0, False)
    assert (found.moving_average, found.latent_scale) == (0.995, 1.0)
    assert found.final_learning_rate is None
    assert (found.class_size, found.feature_widths, found.feature_steps) == (None, None, None)


def test_every_key_is_read(tmp_path: Path) -> None:
    extra = {
        "gradient_penalty": 10,
        "spectral_normalization": True,
        "moving_average": 0,
        "latent_scale": 0.7,
        "adversarial_optimizer": {
            "type": "unrolled",
            "discriminator_depth": 2,
            "generator_depth": 0,
            "step_size": 1,
        },
    }
    found = read(tmp_path, keras_adversarial=GOOD | extra)["keras_adversarial"]
    strategy = Strategy("unrolled", discriminator_depth=2, generator_depth=0, step_size=1.0)
    expected = {"gradient_penalty": 10.0, "spectral_normalization": True, "moving_average": 0.0}
    assert found == GanSettings(
        **(GOOD | expected), latent_scale=0.7, adversarial_optimizer=strategy
    )
    assert type(found.gradient_penalty) is type(found.moving_average) is float


def test_every_key_of_a_generator_of_all_characters_is_read(tmp_path: Path) -> None:
    given_settings = CONDITIONAL | {"feature_widths": [3, 2, 4], "final_learning_rate": 0}
    found = read(tmp_path, conditional=given_settings)["conditional"]
    assert found == GanSettings(**CONDITIONAL, final_learning_rate=0.0)
    assert type(found.final_learning_rate) is float


def test_what_is_learnt_about_a_class_is_as_long_as_a_style_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, conditional=dict(CONVOLUTIONAL))["conditional"]
    assert found == GanSettings(**CONVOLUTIONAL, class_size=CONVOLUTIONAL["latent_size"])
    assert (found.feature_widths, found.feature_steps) == (None, None), "nothing learns to read"


def test_a_network_that_reads_learns_as_long_as_stated_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    widths = {"feature_widths": (3, 2, 4)}
    found = read(tmp_path, conditional=CONVOLUTIONAL | widths)["conditional"]
    assert found.feature_steps == DEFAULT_FEATURE_STEPS == 3000


@pytest.mark.parametrize("kind", KINDS)
def test_learning_rates_of_every_generator_can_fall(tmp_path: Path, kind: str) -> None:
    found = read(tmp_path, **{kind: CONVOLUTIONAL | {"final_learning_rate": 0.25}})[kind]
    assert found.final_learning_rate == 0.25


def test_players_of_an_adversarial_generator_alternate_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, keras=dict(GOOD), keras_adversarial=dict(GOOD))
    assert found["keras"].adversarial_optimizer is None
    assert found["keras_adversarial"].adversarial_optimizer == Strategy("alternating")


@pytest.mark.parametrize("type_", STRATEGIES)
def test_every_adversarial_optimizer_is_known(tmp_path: Path, type_: str) -> None:
    given_settings = GOOD | {"adversarial_optimizer": {"type": type_}}
    found = read(tmp_path, keras_adversarial=given_settings)["keras_adversarial"]
    assert found.adversarial_optimizer == Strategy(type_)


def test_lists_comments_and_a_byte_order_mark_make_no_difference(tmp_path: Path) -> None:
    text = repr({"keras": GOOD | {"generator_widths": [8]}})
    found = read_gan_settings(written(tmp_path, f"\ufeff# here\r\n{text} # there\r\n"))
    assert found == {"keras": GanSettings(**GOOD)}


# ------------------------------------------------------------------------- wrong values


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("network", "dense", "'convolutional', 'mlp'"),
        ("network", ["mlp"], "'convolutional', 'mlp'"),
        ("network", None, "'convolutional', 'mlp'"),
        ("generator_widths", (), "one to eight whole numbers"),
        ("generator_widths", 8, "one to eight whole numbers"),
        ("generator_widths", (8,) * 9, "one to eight whole numbers"),
        ("generator_widths", (0,), "from 1 to 4,096"),
        ("generator_widths", (4097,), "from 1 to 4,096"),
        ("generator_widths", (8.0,), "from 1 to 4,096"),
        ("generator_widths", (True,), "from 1 to 4,096"),
        ("generator_widths", "88", "one to eight whole numbers"),
        ("generator_widths", {8}, "one to eight whole numbers"),
        ("discriminator_widths", ((8,),), "one to eight whole numbers"),
        ("latent_size", 0, "a whole number from 1 to 4,096"),
        ("latent_size", 4.0, "a whole number from 1 to 4,096"),
        ("loss", "Hinge", "'non_saturating', 'hinge', 'least_squares', 'wasserstein'"),
        ("steps", 0, "a whole number from 1 to 10,000,000"),
        ("steps", "6", "a whole number from 1 to 10,000,000"),
        ("steps", True, "a whole number from 1 to 10,000,000"),
        ("steps", 10_000_001, "a whole number from 1 to 10,000,000"),
        ("batch_size", 1, "a whole number from 2 to 4,096"),
        ("generator_learning_rate", 0, "a number above 0, at most 10"),
        ("generator_learning_rate", -0.1, "a number above 0, at most 10"),
        ("generator_learning_rate", 1e999, "a number above 0, at most 10"),
        ("discriminator_learning_rate", 1j, "a number above 0, at most 10"),
        ("discriminator_learning_rate", False, "a number above 0, at most 10"),
        ("gradient_penalty", -1, "a number from 0 up to, not including, 1000"),
        ("spectral_normalization", 1, "True or False"),
        ("spectral_normalization", "yes", "True or False"),
        ("moving_average", 1, "a number from 0 up to, not including, 1"),
        ("latent_scale", 0, "a number above 0, at most 10"),
        ("latent_scale", None, "a number above 0, at most 10"),
        ("final_learning_rate", 1, "a number from 0 up to, not including, 1"),
        ("final_learning_rate", -0.1, "a number from 0 up to, not including, 1"),
        ("final_learning_rate", None, "a number from 0 up to, not including, 1"),
        ("final_learning_rate", "0.1", "a number from 0 up to, not including, 1"),
        ("final_learning_rate", 1e999, "a number from 0 up to, not including, 1"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(
    tmp_path: Path, key: str, value: Any, expected: str
) -> None:
    text = repr({"keras": GOOD | {key: value}}).replace("inf", "1e999")
    message = refused(tmp_path, text)
    assert f"line 1, 'keras': {key!r} is " in message
    assert expected in message


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("class_size", 0, "a whole number from 1 to 4,096"),
        ("class_size", 4097, "a whole number from 1 to 4,096"),
        ("class_size", 4.0, "a whole number from 1 to 4,096"),
        ("class_size", True, "a whole number from 1 to 4,096"),
        ("class_size", None, "a whole number from 1 to 4,096"),
        ("feature_widths", (), "one to eight whole numbers"),
        ("feature_widths", 8, "one to eight whole numbers"),
        ("feature_widths", None, "one to eight whole numbers"),
        ("feature_widths", (8, 8, 0), "from 1 to 4,096"),
        ("feature_widths", (8, 8, 4097), "from 1 to 4,096"),
        ("feature_widths", (8, 8, "8"), "from 1 to 4,096"),
        ("feature_steps", 0, "a whole number from 1 to 10,000,000"),
        ("feature_steps", 10_000_001, "a whole number from 1 to 10,000,000"),
        ("feature_steps", 1.5, "a whole number from 1 to 10,000,000"),
        ("feature_steps", None, "a whole number from 1 to 10,000,000"),
        ("network", "dense", "'convolutional', 'mlp'"),
        ("final_learning_rate", 2, "a number from 0 up to, not including, 1"),
    ],
)
def test_a_wrong_value_of_a_generator_of_all_characters_is_named(
    tmp_path: Path, key: str, value: Any, expected: str
) -> None:
    message = refused(tmp_path, repr({"conditional": CONDITIONAL | {key: value}}))
    assert f"line 1, 'conditional': {key!r} is " in message
    assert expected in message


@pytest.mark.parametrize("kind", CHARACTER_KINDS)
@pytest.mark.parametrize(
    ("key", "value"), [("class_size", 4), ("feature_widths", (3, 2, 4)), ("feature_steps", 7)]
)
def test_keys_of_a_generator_of_all_characters_fit_no_other(
    tmp_path: Path, kind: str, key: str, value: Any
) -> None:
    assert key in OWN_KEYS["conditional"]
    message = refused(tmp_path, repr({kind: CONVOLUTIONAL | {key: value}}))
    assert f"line 1, {kind!r}: {key!r} belongs to 'conditional' alone" in message


def test_an_adversarial_optimizer_does_not_fit_a_generator_of_all_characters(
    tmp_path: Path,
) -> None:
    given_settings = CONDITIONAL | {"adversarial_optimizer": {"type": "alternating"}}
    message = refused(tmp_path, repr({"conditional": given_settings}))
    assert "'adversarial_optimizer' belongs to 'keras_adversarial' alone" in message


def test_a_generator_of_all_characters_has_convolutions(tmp_path: Path) -> None:
    message = refused(tmp_path, repr({"conditional": dict(GOOD)}))
    assert "line 1, 'conditional': 'network' is 'mlp', but 'conditional' has" in message
    assert "'convolutional' networks alone" in message


@pytest.mark.parametrize("widths", [(8,), (8, 8), (8, 8, 8, 8)])
def test_a_network_that_reads_has_three_widths(tmp_path: Path, widths: Any) -> None:
    message = refused(tmp_path, repr({"conditional": CONDITIONAL | {"feature_widths": widths}}))
    assert f"'feature_widths' is {widths}, but there are three: at 28x28, 14x14 and 7x7" in message


def test_steps_of_a_network_that_is_not_there_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, repr({"conditional": CONVOLUTIONAL | {"feature_steps": 7}}))
    assert "'feature_steps' says nothing without 'feature_widths'" in message


def test_what_does_not_fit_a_generator_of_all_characters_is_listed_at_once(tmp_path: Path) -> None:
    changes = {"loss": "wasserstein", "feature_widths": (8,), "generator_widths": (8,)}
    strategy = {"adversarial_optimizer": {"type": "alternating"}}
    message = refused(tmp_path, repr({"conditional": CONDITIONAL | changes | strategy}))
    assert "has 4 problems:" in message
    message = refused(tmp_path, repr({"conditional": GOOD | {"feature_steps": 7}}))
    assert "has 2 problems:" in message


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != key}
    message = refused(tmp_path, repr({"keras": rest}))
    assert f"line 1, 'keras': a generator needs the key {key!r}" in message


@pytest.mark.parametrize("key", ["Steps", "epochs", 3, None, b"steps", ("steps",)])
def test_a_key_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, key: Any) -> None:
    message = refused(tmp_path, repr({"keras": {**GOOD, key: 1}}))
    assert f"a generator has no key {key!r}; its keys are 'network', 'generator_widths'" in message


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("alternating", "a dictionary with keys of 'type', 'reverse', "),
        (None, "a dictionary with keys of 'type', 'reverse', "),
        ({}, "a dictionary with keys of 'type', 'reverse', "),
        ({"type": "adam"}, "'type' is 'adam', but must be one of 'simultaneous'"),
        ({"type": "alternating", "depth": 1}, "it has no key 'depth'; its keys are 'type'"),
        ({"type": "alternating", "reverse": 1}, "'reverse' is 1, but must be True or False"),
        ({"type": "scheduled", "schedule": ()}, "'schedule' is ()"),
        ({"type": "scheduled", "schedule": "generator"}, "'schedule' is 'generator'"),
        ({"type": "scheduled", "schedule": ["judge"]}, "one of 'discriminator', 'generator'"),
        ({"type": "scheduled", "schedule": [["generator"]]}, "'schedule' is [['generator']]"),
        ({"type": "scheduled", "schedule": ["generator"] * 101}, "'schedule' is "),
        ({"type": "unrolled", "generator_depth": -1}, "'generator_depth' is -1"),
        ({"type": "unrolled", "discriminator_depth": 21}, "'discriminator_depth' is 21"),
        ({"type": "extragradient", "step_size": 0}, "'step_size' is 0"),
        ({"type": "consensus", "weight": -0.5}, "'weight' is -0.5"),
    ],
)
def test_a_wrong_adversarial_optimizer_is_named(tmp_path: Path, strategy: Any, said: str) -> None:
    given_settings = GOOD | {"adversarial_optimizer": strategy}
    message = refused(tmp_path, repr({"keras_adversarial": given_settings}))
    assert "line 1, 'keras_adversarial': 'adversarial_optimizer'" in message
    assert said in message


def test_an_adversarial_optimizer_does_not_fit_the_plain_generator(tmp_path: Path) -> None:
    message = refused_keras(tmp_path, adversarial_optimizer={"type": "alternating"})
    assert "'adversarial_optimizer' belongs to 'keras_adversarial' alone" in message


@pytest.mark.parametrize("kind", KINDS)
def test_wasserstein_needs_a_gradient_penalty(tmp_path: Path, kind: str) -> None:
    good = CONDITIONAL if kind == "conditional" else GOOD
    without = good | {"loss": "wasserstein"}
    for changes in ({}, {"gradient_penalty": 0}, {"gradient_penalty": 0.0}):
        message = refused(tmp_path, repr({kind: without | changes}))
        assert "'wasserstein' needs a 'gradient_penalty' above 0" in message
    assert read(tmp_path, **{kind: without | {"gradient_penalty": 10}})[kind].gradient_penalty == 10


@pytest.mark.parametrize("widths", [(8,), (8, 8), (8, 8, 8, 8)])
def test_a_convolutional_generator_has_three_widths(tmp_path: Path, widths: Any) -> None:
    message = refused_keras(tmp_path, network="convolutional", generator_widths=widths)
    assert f"'generator_widths' is {widths}" in message
    assert "has three: at 7x7, 14x14 and 28x28" in message


def test_a_convolutional_discriminator_has_four_layers_at_most(tmp_path: Path) -> None:
    four = CONVOLUTIONAL | {"discriminator_widths": (2,) * 4}
    assert read(tmp_path, keras=four)["keras"].discriminator_widths == (2,) * 4
    five = CONVOLUTIONAL | {"discriminator_widths": (2,) * 5}
    message = refused(tmp_path, repr({"keras": five}))
    assert "halves the image, so there can be 4 at most" in message


def test_every_problem_of_every_generator_is_listed_with_its_line(tmp_path: Path) -> None:
    text = (
        "{\n'keras': {'network':'x', 'steps':0, 'more':1},\n\n"
        "'keras_adversarial': 5,\n'torch': {},\n'tf': open('x')}"
    )
    message = refused(tmp_path, text)
    lines = message.splitlines()
    assert lines[0].endswith("gan.txt has 13 problems:")
    assert sum(line.startswith("  line 2, 'keras': a generator needs the key") for line in lines)
    for said in (
        "  line 2, 'keras': 'network' is 'x', but must be",
        "  line 2, 'keras': 'steps' is 0, but must be",
        "  line 2, 'keras': a generator has no key 'more'",
        "  line 4, 'keras_adversarial': settings are a dictionary {...}, not 5",
        "  line 5, 'torch': there is no such generator; there are 'keras', 'keras_adversarial'",
        "line 6, 'tf': \"open('x')\" is not a plain value",
    ):
        assert said in message


def test_what_does_not_fit_together_is_listed_at_once(tmp_path: Path) -> None:
    changes = {"discriminator_widths": (2,) * 5, "adversarial_optimizer": {"type": "consensus"}}
    message = refused_keras(tmp_path, network="convolutional", loss="wasserstein", **changes)
    assert "has 4 problems:" in message


# ------------------------------------------------------------------------- wrong files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# nothing", "cannot be read as a dictionary"),
        ("{}", "line 1: this must be a dictionary of generators"),
        ("\n[]", "line 2: this must be a dictionary of generators"),
        ("3", "this must be a dictionary of generators"),
        ("'keras'", "this must be a dictionary of generators"),
        ("{'keras'}", "this must be a dictionary of generators"),
        ("dict(keras={})", "this must be a dictionary of generators"),
        ("{'keras': {}", "line 1"),
        ("{\n'keras': {\n'steps': 1,,}}", "line 3"),
        ("settings = {'keras': {}}", "cannot be read as"),
        ("{'keras': []}", "line 1, 'keras': settings are a dictionary {...}, not []"),
        ("{'keras': None}", "settings are a dictionary {...}, not None"),
        ("{3: {}}", "line 1, 3: there is no such generator"),
        ("{None: {}}", "line 1, None: there is no such generator"),
        ("{'Keras': {}}", "'Keras': there is no such generator"),
        ("{'basic': {}}", "'basic': there is no such generator"),
        ("{[]: {}}", "[]: there is no such generator"),
        ("{'keras': {'keras': {}}}", "a generator has no key 'keras'"),
        ("{'keras': {},\n'keras': {}}", "line 2: the key 'keras' is there twice"),
        ("{-1: {},\n-1: {}}", "line 2: the key -1 is there twice"),
        ("{**{}}", "line 1: '**' may not stand here"),
        ("{'keras': {\n'steps': 1, 'steps': 2}}", "'keras': the key 'steps' is there twice"),
        ("{'keras': {**{}}}", "is not a plain value"),
        ("{'keras': {'steps': x}}", "'x' is not a plain value"),
        ("{'keras': {\n'steps':\n 3 * 100}}", "line 3, 'keras': '3 * 100' is not a plain value"),
        ("{x: {}}", "'x' is not a plain value"),
        ("{'keras': {'steps': 0x" + "f" * 6000 + "}}", "a number of thousands of digits"),
        ("{0x" + "f" * 6000 + ": {}}", "a number of thousands of digits"),
        ("{'keras': {'" + "x" * 9000 + "': 1}}", "a generator has no key 'xxxx"),
        ("[" * 5000, "cannot be read as"),
        ("{'keras': " + "-" * 5000 + "1}", "cannot be read as"),
        (b"\xff\xfe{}", "not a text file in UTF-8, see its byte 0"),
        (b"#" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_dictionary_of_generators_is_refused(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    assert said in refused(tmp_path, text)


def test_a_key_that_is_twice_in_an_adversarial_optimizer_is_named(tmp_path: Path) -> None:
    inner = "{'type':'consensus',\n'weight':1,'weight':2}"
    text = repr({"keras_adversarial": dict(GOOD)})[:-2] + f",\n'adversarial_optimizer':{inner}}}}}"
    assert "line 2, 'keras_adversarial': the key 'weight' is there twice" in refused(tmp_path, text)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    paths = ["missing.txt", "", "pipe", "x" * 5000, "nul\0", "\udcff", "file/below"]
    for path in [*(tmp_path / name for name in paths), Path("/dev/zero")]:
        with pytest.raises(HyperparameterError):
            read_gan_settings(path)


@pytest.mark.parametrize(
    "place", ["{code}", "{{{code}: {{}}}}", "{{'keras': {{'steps': {code}}}}}"]
)
def test_a_file_is_never_executed(tmp_path: Path, place: str) -> None:
    mark = tmp_path / "mark"
    refused(tmp_path, place.format(code=f"open({str(mark)!r}, 'w')"))
    assert not mark.exists()


# ------------------------------------------------------------------------- weights


def with_widths(network: str, latent_size: int, widths: tuple[int, ...]) -> GanSettings:
    changes = {"network": network, "latent_size": latent_size, "generator_widths": widths}
    return GanSettings(**(GOOD | changes))


@pytest.mark.parametrize(
    ("network", "latent_size", "widths"),
    [
        ("mlp", 4, (8,)),
        ("mlp", 1, (1,)),
        ("mlp", 3, (5, 7, 2)),
        ("convolutional", 4, (4, 3, 2)),
        ("convolutional", 1, (1, 1, 1)),
        ("convolutional", 7, (2, 5, 3)),
        ("convolutional", 32, (64, 32, 16)),
    ],
)
def test_the_number_of_weights_is_that_of_the_real_network(
    network: str, latent_size: int, widths: tuple[int, ...]
) -> None:
    from gan.drawing import build_generator, flat_weights

    shape = with_widths(network, latent_size, widths)
    assert flat_weights(build_generator(shape)).shape == (weight_count(shape),)


@pytest.mark.parametrize(
    ("latent_size", "widths", "class_size", "classes"),
    [
        (1, (1, 1, 1), 1, 2),
        (4, (4, 3, 2), 5, 3),
        (7, (2, 5, 3), 1, 10),
        (3, (5, 2, 4), None, 47),
        (64, (128, 64, 32), 64, 37),
    ],
)
def test_the_number_of_weights_of_all_characters_is_that_of_the_real_network(
    latent_size: int, widths: tuple[int, ...], class_size: int | None, classes: int
) -> None:
    from gan.drawing import build_generator, flat_weights

    shape = replace(with_widths("convolutional", latent_size, widths), class_size=class_size)
    network = build_generator(shape, classes)
    assert flat_weights(network).shape == (weight_count(shape, classes),)
    assert weight_count(shape, classes + 1) - weight_count(shape, classes) == (
        class_size or latent_size
    )


# ------------------------------------------------------------------------- round trips

widths_of = st.lists(st.integers(1, 4096), min_size=1, max_size=8).map(tuple)
rate = st.floats(0, 10, exclude_min=True)
share = st.floats(0, 1, exclude_max=True)
penalty = st.floats(0, 1000, exclude_max=True)
turns = st.lists(st.sampled_from(PLAYERS), min_size=1, max_size=100).map(tuple)
strategies = st.builds(
    Strategy,
    type=st.sampled_from(STRATEGIES),
    reverse=st.booleans(),
    schedule=turns,
    discriminator_depth=st.integers(0, 20),
    generator_depth=st.integers(0, 20),
    step_size=rate,
    weight=penalty,
)


@st.composite
def all_settings(draw: st.DrawFn) -> tuple[str, GanSettings]:
    """A generator's name with settings that fit it."""
    kind = draw(st.sampled_from(KINDS))
    of_all = kind == "conditional"
    network = "convolutional" if of_all else draw(st.sampled_from(gan.settings.NETWORKS))
    three = st.tuples(*[st.integers(1, 4096)] * 3)
    reads = of_all and draw(st.booleans())
    loss = draw(st.sampled_from(LOSSES))
    needed = loss == "wasserstein"
    return kind, GanSettings(
        network=network,
        generator_widths=draw(three if network == "convolutional" else widths_of),
        discriminator_widths=draw(widths_of)[: 4 if network == "convolutional" else 8],
        latent_size=draw(st.integers(1, 4096)),
        loss=loss,
        steps=draw(st.integers(1, 10_000_000)),
        batch_size=draw(st.integers(2, 4096)),
        generator_learning_rate=draw(rate),
        discriminator_learning_rate=draw(rate),
        gradient_penalty=draw(st.floats(0.001, 999) if needed else penalty),
        spectral_normalization=draw(st.booleans()),
        moving_average=draw(share),
        latent_scale=draw(rate),
        final_learning_rate=draw(st.none() | share),
        adversarial_optimizer=draw(strategies) if kind == "keras_adversarial" else None,
        class_size=draw(st.integers(1, 4096)) if of_all else None,
        feature_widths=draw(three) if reads else None,
        feature_steps=draw(st.integers(1, 10_000_000)) if reads else None,
    )


@same_folder
@given(all_settings())
def test_settings_written_as_json_are_read_as_they_were(given_settings: Any) -> None:
    kind, found = given_settings
    read_again = settings_from_dictionary(kind, json.loads(json.dumps(settings_to_json(found))))
    assert read_again == (found, [])


@same_folder
@given(all_settings())
def test_settings_written_as_text_are_read_as_they_were(
    tmp_path: Path, given_settings: Any
) -> None:
    kind, found = given_settings
    assert read(tmp_path, **{kind: settings_to_json(found)}) == {kind: found}


def test_the_spread_of_latent_vectors_is_no_matter_of_training() -> None:
    one = GanSettings(**GOOD)
    assert same_training(one, replace(one, latent_scale=0.5))
    others: list[Any] = [{"steps": 7}, {"latent_size": 5}, {"generator_widths": (9,)}]
    others += [{"moving_average": 0.9}, {"loss": "least_squares"}, {"gradient_penalty": 1.0}]
    others += [{"final_learning_rate": 0.5}, {"class_size": 3}, {"feature_steps": 9}]
    others += [{"feature_widths": (3, 2, 4)}]
    assert not any(same_training(one, replace(one, **changes)) for changes in others)


# ------------------------------------------------------------------------- anything at all


def either_error_or_settings(path: Path) -> None:
    try:
        found = read_gan_settings(path)
    except HyperparameterError as error:
        assert str(path) in str(error)
        return
    assert found and set(found) <= set(KINDS)
    for kind, one in found.items():
        assert weight_count(one, 2 if kind == "conditional" else None) > 0


@same_folder
@given(st.one_of(st.text(), st.text(alphabet="[]{}(),:'-+.0129ejx# \n\\kerast")))
@example("{'keras': {'adversarial_optimizer': {'type': {}}}}")
@example("{-0: 1, 0: 2}")
@example("{'keras': 1, **{'keras': 2}}")
def test_any_text_is_a_good_file_or_a_problem(tmp_path: Path, text: str) -> None:
    either_error_or_settings(written(tmp_path, text.encode("utf-8", "surrogatepass")))


@same_folder
@given(st.binary(max_size=200))
def test_any_bytes_are_a_good_file_or_a_problem(tmp_path: Path, content: bytes) -> None:
    either_error_or_settings(written(tmp_path, content))


literals = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
        st.sampled_from([*GOOD, *GOOD.values(), "type", "adversarial_optimizer", *STRATEGIES]),
        st.sampled_from([*CONDITIONAL, *CONDITIONAL.values()]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from([*GOOD, "type", "schedule"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@same_folder
@given(
    st.sampled_from([*KINDS, "torch"]),
    st.dictionaries(
        st.sampled_from([*CONDITIONAL, "final_learning_rate", "adversarial_optimizer", "more"]),
        literals,
    ),
)
def test_any_values_are_good_settings_or_problems(
    tmp_path: Path, kind: str, values: dict[str, Any]
) -> None:
    good = CONDITIONAL if kind == "conditional" else GOOD
    either_error_or_settings(written(tmp_path, repr({kind: good | values})))


GOOD_TEXT = repr(
    {
        "keras": dict(GOOD),
        "keras_adversarial": dict(CONVOLUTIONAL),
        "conditional": dict(CONDITIONAL),
    }
)


@same_folder
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(GOOD_TEXT)),
            st.integers(0, 6),
            st.sampled_from(
                ["", "'", "[", "}", "-", "9" * 30, "0x" + "f" * 5000, "1e999", "None", "x()", ":",
                 "**", "1j", "\n", "#", "{'type':'x'},", "\0", "é", "()", "'type':"]
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)  # fmt: skip
def test_a_damaged_file_is_a_good_file_or_a_problem(
    tmp_path: Path, changes: list[tuple[int, int, str]]
) -> None:
    text = GOOD_TEXT
    for place, removed, put in changes:
        text = text[:place] + put + text[place + removed :]
    either_error_or_settings(written(tmp_path, text))
