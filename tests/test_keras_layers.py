"""Tests of the Keras layers that a variant stands for: what they compute, and their weights."""

import math
from collections.abc import Sequence
from pathlib import Path

import h5py
import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnn_model
from settings import layer_lists, network_layers
from settings.layer_lists import MAXIMUM_LAYERS
from settings.layer_weights import Shape
from settings.network_layers import (
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
    SqueezeExcitation,
    Variant,
)
from training.keras_layers import apply_layers

Values = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]

NORMALIZED = Conv2D(3, (3, 3), normalization="batch")
EVERY_KIND: Variant = (
    Conv2D(4, (5, 5), (2, 2), normalization="batch"),
    MaxPooling((2, 2)),
    Residual(
        (
            Conv2D(4, (3, 3), activation="elu"),
            Dropout(0.4),
            SqueezeExcitation(2),
            SeparableConv2D(6, (3, 2), (2, 2), activation="linear", normalization="batch"),
            Residual((SeparableConv2D(6, (3, 3)), BatchNormalization(), Dropout(0.1)), "linear"),
        )
    ),
    BatchNormalization(),
    Activation("silu"),
    GlobalAveragePooling(),
    Flatten(),
    Dense(5, "tanh", normalization="batch"),
    Dense(6),
)
BLOCK = Residual((NORMALIZED, Conv2D(3, (3, 3), activation="linear", normalization="batch")))


def network_from(shape: Shape, layers: Sequence[Layer]) -> keras.Model:
    """A network of these layers alone, with weights and moving variances of many sizes."""
    keras.utils.set_random_seed(3)
    images = keras.Input(shape)
    network = keras.Model(images, apply_layers(layers, images))
    random = np.random.default_rng(5)
    for variable in network.weights:
        if variable.dtype == "float32":
            values = random.normal(0, 0.5, variable.shape)
            positive = "variance" in variable.path
            variable.assign(0.1 + np.abs(values) if positive else values)
    return network


def computed(network: keras.Model, images: Values | Images, *, training: bool = False) -> Values:
    return np.asarray(network(images, training=training))


def values_of(*shape: int) -> Values:
    return np.random.default_rng(math.prod(shape)).normal(size=shape).astype(np.float32)


def sigmoid(values: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)


# ------------------------------------------------------------------------- weights


def test_one_variant_has_every_kind_of_layer() -> None:
    nested = EVERY_KIND[2].layers if isinstance(EVERY_KIND[2], Residual) else ()
    assert {layer.type for layer in (*EVERY_KIND, *nested)} == set(LAYER_TYPES)


def test_every_kind_of_layer_has_weights_where_keras_saves_them(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    network = cnn_model.build_network(EVERY_KIND, 7)
    arrays = layer_lists.weight_arrays(EVERY_KIND, 7)
    random = np.random.default_rng(0)
    ours = tuple(random.normal(size=array.shape).astype("f4") for array in arrays)
    cnn_model.set_weights(network, ours)
    network.save_weights(tmp_path / "theirs.weights.h5")
    saved: dict[str, Values] = {}
    with h5py.File(tmp_path / "theirs.weights.h5") as file:
        file.visititems(
            lambda path, item: saved.update({path: item[()]} if hasattr(item, "shape") else {})
        )
    weights = {path: values for path, values in saved.items() if "seed_generator" not in path}
    assert set(weights) == {array.path for array in arrays}
    for array, values in zip(arrays, ours, strict=True):
        assert np.array_equal(weights[array.path], values), array.path
    trained = sum(array.size for array in arrays if array.trainable)
    assert trained == sum(math.prod(weight.shape) for weight in network.trainable_weights)
    assert layer_lists.parameter_count(EVERY_KIND, 7) == network.count_params()


def test_weights_begin_as_keras_begins_them() -> None:
    network = cnn_model.build_network((NORMALIZED, BLOCK, SqueezeExcitation(2), Flatten()), 3)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            assert isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform)
        if isinstance(layer, keras.layers.BatchNormalization):
            assert layer.momentum == 0.95


# ------------------------------------------------------------------------- old variants


def test_variants_of_the_first_kind_are_the_same_networks_to_the_last_bit() -> None:
    variant = (
        Conv2D(4, (3, 3)),
        MaxPooling((2, 2)),
        Dropout(0.25),
        BatchNormalization(),
        Conv2D(5, (3, 2), (2, 1), "valid", "gelu"),
        MaxPooling((2, 2)),
        Flatten(),
        Dense(8, "tanh"),
        Dropout(0.5),
        BatchNormalization(),
    )
    keras.utils.set_random_seed(11)
    ours = cnn_model.build_network(variant, 5)
    keras.utils.set_random_seed(11)
    theirs = keras.Sequential(
        [
            keras.Input((28, 28), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(4, 3, padding="same"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Activation("relu"),
            keras.layers.Dropout(0.25),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(5, (3, 2), strides=(2, 1), activation="gelu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dropout(0.5),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    images = np.random.default_rng(1).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    for training in (False, True):  # with dropout's own seeds
        assert np.array_equal(
            computed(ours, images, training=training), computed(theirs, images, training=training)
        )
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        assert np.array_equal(one, other)


# ------------------------------------------------------------------------- what layers compute


def test_a_normalized_convolution_is_normalized_before_its_activation() -> None:
    images = values_of(6, 9, 8, 2)
    network = network_from((9, 8, 2), [NORMALIZED])
    kernel, scale, offset, mean, variance = (np.asarray(weight) for weight in network.weights)
    plain = np.asarray(keras.ops.conv(images, kernel, padding="same"))
    expected = np.maximum((plain - mean) / np.sqrt(variance + 1e-3) * scale + offset, 0)
    assert np.allclose(computed(network, images), expected, atol=1e-5)


def test_a_normalized_dense_layer_is_normalized_before_its_activation() -> None:
    rows = values_of(6, 9)
    network = network_from((9,), [Dense(4, "sigmoid", "batch")])
    kernel, scale, offset, mean, variance = (np.asarray(weight) for weight in network.weights)
    expected = sigmoid((rows @ kernel - mean) / np.sqrt(variance + 1e-3) * scale + offset)
    assert np.allclose(computed(network, rows), expected, atol=1e-5)


def test_a_separable_convolution_looks_at_each_channel_and_then_mixes_them() -> None:
    images = values_of(4, 11, 10, 3)
    network = network_from((11, 10, 3), [SeparableConv2D(5, (3, 3), (1, 1), "valid", "linear")])
    depthwise, pointwise, bias = (np.asarray(weight) for weight in network.weights)
    channels = [
        keras.ops.conv(images[..., c : c + 1], depthwise[:, :, c : c + 1], padding="valid")
        for c in range(3)
    ]
    expected = np.concatenate(channels, axis=-1) @ pointwise[0, 0] + bias
    assert np.allclose(computed(network, images), expected, atol=1e-5)


@pytest.mark.parametrize("strides", [(2, 2), (2, 1), (1, 3), (2, 4)])
def test_a_separable_convolution_takes_any_strides(strides: tuple[int, int]) -> None:
    images = values_of(4, 11, 10, 3)
    all_of_it = network_from((11, 10, 3), [SeparableConv2D(5, (3, 2), (1, 1), "valid")])
    strided = network_from((11, 10, 3), [SeparableConv2D(5, (3, 2), strides, "valid")])
    expected = computed(all_of_it, images)[:, :: strides[0], :: strides[1]]
    assert np.allclose(computed(strided, images), expected, atol=1e-5)


@pytest.mark.parametrize("kernel", [(3, 2), (1, 5)])
@pytest.mark.parametrize("strides", [(2, 2), (2, 1), (1, 3), (2, 4)])
def test_a_padded_separable_convolution_looks_where_a_plain_one_does(
    kernel: tuple[int, int], strides: tuple[int, int]
) -> None:
    images = values_of(4, 11, 10, 3)
    separable = network_from((11, 10, 3), [SeparableConv2D(5, kernel, strides, "same")])
    depthwise, pointwise, bias = (np.asarray(weight) for weight in separable.weights)
    plain = network_from((11, 10, 3), [Conv2D(5, kernel, strides, "same")])
    plain.set_weights([depthwise * pointwise[0, 0], bias])
    assert np.allclose(computed(separable, images), computed(plain, images), atol=1e-5)


def test_a_global_average_is_the_mean_of_each_channel() -> None:
    images = values_of(4, 5, 6, 3)
    network = network_from((5, 6, 3), [GlobalAveragePooling()])
    assert np.allclose(computed(network, images), images.mean(axis=(1, 2)), atol=1e-6)


def test_an_activation_acts_on_images_and_rows() -> None:
    for shape in ((5, 6, 3), (7,)):
        values = values_of(4, *shape)
        network = network_from(shape, [Activation("sigmoid")])
        assert np.allclose(computed(network, values), sigmoid(values), atol=1e-6)


def test_squeeze_and_excitation_weighs_channels_by_their_means() -> None:
    images = values_of(4, 5, 6, 8)
    network = network_from((5, 6, 8), [SqueezeExcitation(2)])
    first, first_bias, second, second_bias = (np.asarray(weight) for weight in network.weights)
    assert first.shape == (8, 4)
    squeezed = np.maximum(images.mean(axis=(1, 2)) @ first + first_bias, 0)
    channels = sigmoid(squeezed @ second + second_bias)
    expected = images * channels[:, None, None, :]
    assert np.allclose(computed(network, images), expected, atol=1e-5)


def test_residual_layers_are_those_that_one_would_write_by_hand() -> None:
    network = network_from((8, 8, 3), [BLOCK])
    images = keras.Input((8, 8, 3))
    values = keras.layers.Conv2D(3, 3, padding="same", use_bias=False)(images)
    values = keras.layers.BatchNormalization()(values)
    values = keras.layers.ReLU()(values)
    values = keras.layers.Conv2D(3, 3, padding="same", use_bias=False)(values)
    values = keras.layers.BatchNormalization()(values)
    by_hand = keras.Model(images, keras.layers.ReLU()(keras.layers.Add()([values, images])))
    by_hand.set_weights(network.get_weights())
    shown = values_of(6, 8, 8, 3)
    assert np.array_equal(computed(network, shown), computed(by_hand, shown))
    learning = computed(network, shown, training=True)
    assert np.allclose(learning, computed(by_hand, shown, training=True), atol=1e-5)


def test_the_way_past_residual_layers_is_averaged_and_filled_with_zeros() -> None:
    inside = (Conv2D(5, (3, 3), (2, 2)), Conv2D(5, (3, 3), activation="linear"))
    images = values_of(4, 8, 6, 3)
    changed = computed(network_from((8, 6, 3), inside), images)
    past = images.reshape(4, 4, 2, 3, 2, 3).mean(axis=(2, 4))
    expected = np.maximum(changed + np.pad(past, [(0, 0)] * 3 + [(0, 2)]), 0)
    network = network_from((8, 6, 3), [Residual(inside)])
    assert np.allclose(computed(network, images), expected, atol=1e-5)


def test_pixels_beyond_the_edge_do_not_count_in_the_averages() -> None:
    images = np.ones((1, 7, 7, 2), np.float32)
    network = network_from((7, 7, 2), [Residual((Conv2D(2, (1, 1), (2, 2)),), "linear")])
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    assert np.array_equal(computed(network, images), np.ones((1, 4, 4, 2)))


def test_the_activation_of_residual_layers_is_applied_to_the_sum() -> None:
    images = values_of(4, 6, 6, 2)
    linear = network_from((6, 6, 2), [Residual((Conv2D(2, (3, 3)),), "linear")])
    bent = network_from((6, 6, 2), [Residual((Conv2D(2, (3, 3)),), "tanh")])
    assert np.allclose(computed(bent, images), np.tanh(computed(linear, images)), atol=1e-5)


def test_dropout_among_residual_layers_acts_in_training_alone() -> None:
    with_dropout = network_from((6, 6, 3), [Residual((NORMALIZED, Dropout(0.5)), "linear")])
    without = network_from((6, 6, 3), [Residual((NORMALIZED,), "linear")])
    images = values_of(4, 6, 6, 3)
    assert np.array_equal(computed(with_dropout, images), computed(without, images))
    changed = computed(with_dropout, images, training=True) - images
    # What is dropped leaves the image as it was; relu alone leaves about half as well.
    assert 0.6 < np.mean(np.abs(changed) < 1e-6) < 0.95


# ------------------------------------------------------------------------- pooling first


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "gelu"])
@pytest.mark.parametrize(
    "kind", ["conv", "normalized conv", "normalized separable conv", "residual"]
)
def test_pooling_before_an_increasing_activation_computes_the_same(
    activation: str, kind: str
) -> None:
    layers: dict[str, Layer] = {
        "conv": Conv2D(3, (3, 3), activation=activation),
        "normalized conv": Conv2D(3, (3, 3), activation=activation, normalization="batch"),
        "normalized separable conv": SeparableConv2D(
            3, (3, 3), activation=activation, normalization="batch"
        ),
        "residual": Residual(BLOCK.layers, activation),
    }
    images = values_of(5, 9, 8, 3)
    network = network_from((9, 8, 3), [layers[kind], MaxPooling((2, 2))])
    unpooled = computed(network_from((9, 8, 3), [layers[kind]]), images)
    expected = unpooled[:, :8].reshape(5, 4, 2, 4, 2, 3).max(axis=(2, 4))
    assert np.allclose(computed(network, images), expected, atol=1e-5)
    is_last = isinstance(network.layers[-1], keras.layers.Activation)
    assert is_last == (activation != "gelu"), "the activation should see a quarter of the values"


# ------------------------------------------------------------------------- anything at all

images_to_images: st.SearchStrategy[Layer] = st.one_of(
    st.builds(
        Conv2D,
        st.integers(3, 4),
        st.tuples(st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.integers(1, 2), st.integers(1, 2)),
        normalization=st.sampled_from([None, "batch"]),
    ),
    st.builds(SeparableConv2D, st.just(4), st.just((3, 3)), st.sampled_from([(1, 1), (2, 1)])),
    st.sampled_from([MaxPooling((2, 1)), SqueezeExcitation(2), Dropout(0.5)]),
)


def residual_of(layers: st.SearchStrategy[Layer]) -> st.SearchStrategy[Layer]:
    return st.lists(layers, min_size=1, max_size=2).map(lambda inside: Residual(tuple(inside)))


nested_blocks = residual_of(images_to_images | residual_of(images_to_images))


@settings(max_examples=15, deadline=None)
@given(st.lists(images_to_images | nested_blocks, min_size=1, max_size=3))
def test_any_network_has_the_shapes_and_weights_that_the_plain_layers_say(
    layers: list[Layer],
) -> None:
    variant: list[Layer] = [*layers, GlobalAveragePooling()]
    assume(layer_lists.variant_problems(variant) is None)
    network = cnn_model.build_network(variant, 2)
    values = network_from((28, 28, 1), layers).output
    assert values.shape[1:] == network_layers.shapes_after(layers)[-1]
    arrays = layer_lists.weight_arrays(variant, 2)
    assert [w.shape for w in cnn_model.get_weights(network)] == [a.shape for a in arrays]


def test_as_many_layers_as_are_allowed_can_be_built_and_used() -> None:
    normalized = Dense(2, normalization="batch")
    many: list[Layer] = [Flatten(), *[normalized] * (MAXIMUM_LAYERS - 1)]
    assert layer_lists.variant_problems(many) is None
    network = cnn_model.build_network(many, 2)
    assert len(network.layers) > 3 * (MAXIMUM_LAYERS - 1)
    assert cnn_model.predict(network, np.zeros((2, 28, 28), np.uint8)).shape == (2, 2)
