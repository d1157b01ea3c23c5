"""Tests of layers as plain data: shapes, weights, words, and what makes no network."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counting import counted
from settings.layer_lists import (
    MAXIMUM_LAYERS,
    LayerLine,
    layer_count,
    layer_lines,
    parameter_count,
    variant_problems,
    weight_arrays,
)
from settings.network_layers import (
    INPUT_SHAPE,
    LAYER_TYPES,
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
    ShapeProblem,
    SqueezeExcitation,
    shapes_after,
    summary,
)

CONV = Conv2D(4, (3, 3))


def ended(*layers: Layer) -> tuple[Layer, ...]:
    return (*layers, GlobalAveragePooling())


def problem_of(*layers: Layer) -> str:
    found = variant_problems(layers)
    assert found is not None
    return f"layer {found[0]}: {found[1]}"


# ------------------------------------------------------------------------- shapes


@pytest.mark.parametrize(
    ("layer", "shape", "after"),
    [
        (Conv2D(5, (3, 3), (2, 2), normalization="batch"), (28, 28, 3), (14, 14, 5)),
        (SeparableConv2D(5, (3, 3)), (28, 28, 3), (28, 28, 5)),
        (SeparableConv2D(5, (3, 4), (2, 1), "valid"), (28, 28, 3), (13, 25, 5)),
        (GlobalAveragePooling(), (7, 5, 3), (3,)),
        (Activation("relu"), (7, 5, 3), (7, 5, 3)),
        (Activation("relu"), (9,), (9,)),
        (SqueezeExcitation(2), (7, 5, 3), (7, 5, 3)),
        (Residual((CONV,)), (7, 5, 4), (7, 5, 4)),
        (Residual((CONV,)), (7, 5, 1), (7, 5, 4)),
        (Residual((Conv2D(4, (3, 3), (2, 2)), CONV)), (7, 5, 3), (4, 3, 4)),
        (Residual((CONV, MaxPooling((2, 2)))), (28, 14, 3), (14, 7, 4)),
        (Residual((Conv2D(4, (1, 1), (28, 28)),)), (28, 28, 1), (1, 1, 4)),
        (Residual((Residual((Conv2D(4, (3, 3), (2, 2)),)), MaxPooling((2, 1)))), (28, 28, 2),
         (7, 14, 4)),
    ],
)  # fmt: skip
def test_a_layer_says_what_it_makes_of_a_shape(
    layer: Layer, shape: tuple[int, ...], after: tuple[int, ...]
) -> None:
    assert layer.output_shape(shape) == after
    assert shapes_after([layer], shape) == (after,)


@pytest.mark.parametrize(
    ("before", "after", "strides"),
    [
        ((28, 28), (28, 28), (1, 1)),
        ((28, 28), (14, 14), (2, 2)),
        ((7, 7), (4, 4), (2, 2)),
        ((28, 7), (14, 7), (2, 1)),
        ((28, 28), (1, 1), (28, 28)),
    ],
)
def test_the_way_past_residual_layers_shrinks_by_whole_strides(
    before: tuple[int, int], after: tuple[int, int], strides: tuple[int, int]
) -> None:
    inside = Conv2D(2, (1, 1), (-(-before[0] // after[0]), -(-before[1] // after[1])))
    assert Residual((inside,)).shortcut_strides((*before, 2)) == strides


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(4, (3, 3)),
        SeparableConv2D(4, (3, 3)),
        MaxPooling((2, 2)),
        GlobalAveragePooling(),
        SqueezeExcitation(),
        Residual((CONV,)),
    ],
)
@pytest.mark.parametrize("before", [Flatten(), GlobalAveragePooling()])
def test_a_layer_that_needs_an_image_cannot_follow_a_row_of_values(
    layer: Layer, before: Layer
) -> None:
    message = problem_of(before, layer)
    values = math.prod(before.output_shape(INPUT_SHAPE))
    assert message.startswith(f"layer 1: {layer.type!r} needs an image")
    assert f"left {counted(values, 'value')} in a row" in message


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ([Conv2D(4, (3, 3), padding="valid")], "make a 26x26 image of 28x28"),
        ([Conv2D(4, (3, 3), (2, 1), "valid")], "make a 13x26 image of 28x28"),
        ([Conv2D(2, (3, 3))], "make 2 channels of 4"),
        ([CONV, Flatten()], "end in a row of 3,136 values"),
        ([GlobalAveragePooling()], "end in a row of 4 values"),
        ([Flatten(), CONV], "layer 1 in it ('conv2d'): 'conv2d' needs an image"),
        ([CONV, MaxPooling((29, 1))], "layer 1 in it ('maxpooling'): pooling of 29x1"),
        ([Dense(3)], "layer 0 in it ('dense'): 'dense' needs a row"),
        (
            [CONV, Residual((CONV, Residual((Conv2D(4, (9, 9), padding="valid"),))))],
            "layer 1 in it ('residual'): layer 1 in it ('residual'): the layers in it make a 20x20",
        ),
        (
            [Conv2D(4, (1, 1), (14, 14)), Conv2D(4, (3, 3), padding="valid")],
            "layer 1 in it ('conv2d'): a 3x3 kernel with padding 'valid' does not fit into the 2x2",
        ),
        ([Conv2D(30_000, (1, 1))], "layer 0 in it ('conv2d'): it makes 23,520,000 values"),
    ],
)
def test_residual_layers_that_do_not_fit_are_named(inside: Sequence[Layer], said: str) -> None:
    message = problem_of(CONV, Residual(tuple(inside)), Flatten())
    assert message.startswith("layer 1: ") and said in message


def test_fewer_channels_are_no_residual() -> None:
    with pytest.raises(ShapeProblem, match="make 3 channels of 4"):
        Residual((Conv2D(3, (3, 3)),)).output_shape((28, 28, 4))


# ------------------------------------------------------------------------- limits


def test_a_network_ends_in_a_row() -> None:
    assert "'flatten' or 'globalaveragepooling'" in problem_of(CONV, Residual((CONV,)))
    assert variant_problems(ended(CONV, Residual((CONV,)))) is None


def test_layers_in_layers_count_towards_the_number_of_layers() -> None:
    inside = Residual((Dropout(0.1),) * (MAXIMUM_LAYERS - 2))
    assert layer_count(ended(inside)) == MAXIMUM_LAYERS
    assert variant_problems(ended(inside)) is None
    message = problem_of(*ended(Residual((*inside.layers, Dropout(0.1)))))
    assert message.startswith("layer 1: the network has 201 layers")


def test_weights_in_layers_count_towards_the_number_of_weights() -> None:
    wide = Conv2D(2048, (3, 3), (14, 14))
    message = problem_of(*ended(Residual((wide, Residual((wide, wide))))))
    # Two kernels of 3x3x2048x2048 and the first one, with their biases, and the softmax.
    count = 2 * (9 * 2048 * 2048 + 2048) + 9 * 2048 + 2048 + 2049
    assert f"the network has {count:,} weights" in message


# ------------------------------------------------------------------------- weights


def paths(*layers: Layer) -> list[str]:
    return [array.path for array in weight_arrays(layers, 2)]


def test_a_normalization_takes_the_place_of_the_bias() -> None:
    plain = weight_arrays(ended(CONV), 2)
    normalized = weight_arrays(ended(Conv2D(4, (3, 3), normalization="batch")), 2)
    assert [array.shape for array in plain[:2]] == [(3, 3, 1, 4), (4,)]
    assert [array.shape for array in normalized[:5]] == [(3, 3, 1, 4), *[(4,)] * 4]
    assert [array.trainable for array in normalized[:5]] == [True] * 3 + [False] * 2
    assert normalized[1].path == "layers/batch_normalization/vars/0"


def test_layers_in_layers_are_numbered_with_all_others_of_their_kind() -> None:
    layers = ended(CONV, Residual((CONV, SqueezeExcitation(2))), CONV, BatchNormalization())
    folders = [path.rsplit("/vars/")[0] for path in paths(*layers)]
    assert list(dict.fromkeys(folders)) == [
        "layers/conv2d", "layers/conv2d_1", "layers/dense", "layers/dense_1", "layers/conv2d_2",
        "layers/batch_normalization", "layers/dense_2",
    ]  # fmt: skip


@pytest.mark.parametrize(("ratio", "neurons"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_squeezing_leaves_at_least_one_neuron(ratio: int, neurons: int) -> None:
    arrays = weight_arrays(ended(CONV, SqueezeExcitation(ratio)), 2)[2:6]
    assert [array.shape for array in arrays] == [(4, neurons), (neurons,), (neurons, 4), (4,)]


# ------------------------------------------------------------------------- words

BLOCK = Residual(
    (
        Conv2D(8, (3, 3), (2, 2), activation="relu", normalization="batch"),
        SqueezeExcitation(4),
        SeparableConv2D(8, (3, 3), activation="linear"),
    ),
    "elu",
)


def test_a_variant_is_told_in_a_few_words() -> None:
    assert summary(ended(CONV, BLOCK, Activation("tanh"))) == (
        "conv 4 3x3 relu, residual (conv 8 3x3 strides 2x2 batch norm relu, squeeze and excite "
        "1/4, separable conv 8 3x3 linear) elu, tanh, global average"
    )
    assert summary([Dense(3, normalization="batch")]) == "dense 3 batch norm relu"


def test_every_layer_has_a_line_below_the_layer_that_it_lies_in() -> None:
    lines = list(layer_lines((CONV, Residual((BLOCK,)), Flatten(), Dense(2, "softmax"))))
    assert lines == [
        LayerLine(0, "conv 4 3x3 relu", (28, 28, 4), 40),
        LayerLine(0, "residual relu", (14, 14, 8), 0),
        LayerLine(1, "residual elu", (14, 14, 8), 0),
        LayerLine(2, "conv 8 3x3 strides 2x2 batch norm relu", (14, 14, 8), 320),
        LayerLine(2, "squeeze and excite 1/4", (14, 14, 8), 42),
        LayerLine(2, "separable conv 8 3x3 linear", (14, 14, 8), 144),
        LayerLine(0, "flatten", (1568,), 0),
        LayerLine(0, "dense 2 softmax", (2,), 3138),
    ]
    assert sum(line.parameters for line in lines) == parameter_count(
        (CONV, Residual((BLOCK,)), Flatten()), 2
    )


def test_every_kind_of_layer_is_found_by_its_name() -> None:
    assert all(kind.type == name for name, kind in LAYER_TYPES.items())
    assert len(LAYER_TYPES) == 11


# ------------------------------------------------------------------------- anything at all

sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))
plain_layers = st.one_of(
    st.builds(Conv2D, st.integers(1, 6), sizes, sizes, st.sampled_from(["same", "valid"])),
    st.builds(SeparableConv2D, st.integers(1, 6), sizes, sizes, st.just("same")),
    st.builds(MaxPooling, sizes),
    st.builds(SqueezeExcitation, st.integers(1, 9)),
    st.builds(Dense, st.integers(1, 9)),
    st.sampled_from([Flatten(), GlobalAveragePooling(), Dropout(0.5), BatchNormalization()]),
)
layers_in_layers = st.recursive(
    plain_layers, lambda inner: st.lists(inner, min_size=1, max_size=3).map(tuple).map(Residual)
)


@settings(deadline=None)
@given(st.lists(layers_in_layers, min_size=1, max_size=5))
def test_any_layers_are_a_network_or_a_problem_said_in_a_sentence(layers: list[Layer]) -> None:
    problem = variant_problems(layers)
    if problem is None:
        assert len(shapes_after(layers)[-1]) == 1
        assert parameter_count(layers, 2) == sum(a.size for a in weight_arrays(layers, 2))
    else:
        assert 0 <= problem[0] < len(layers) and len(problem[1]) > 20
