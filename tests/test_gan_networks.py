"""Tests of generators, discriminators and their layers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from gan.gradients import value_and_gradients
from gan.networks import (
    BatchDeviation,
    MovingAverage,
    SpectralConv2D,
    SpectralDense,
    build_convolutional_discriminator,
    build_convolutional_generator,
    build_mlp_discriminator,
    build_mlp_generator,
    scaled,
)

RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.uniform(-1, 1, (5, 28, 28, 1)).astype("float32")
SPECTRAL: list[tuple[Callable[[], Any], tuple[int, ...]]] = [
    (lambda: SpectralDense(4), (7,)),
    (lambda: SpectralDense(1), (7,)),
    (lambda: SpectralConv2D(3, 4, strides=2, padding="same"), (8, 8, 2)),
]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, shape).astype("float32")


def test_real_images_are_scaled_to_paper_minus_1_and_ink_1() -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, 3, 4], images[1, 3, 5] = 255, 51
    found = ops.convert_to_numpy(scaled(images))
    assert (found.shape, found.dtype) == ((2, 28, 28, 1), np.float32)
    assert (found[1, 3, 4, 0], found[0].max()) == (1, -1)
    assert found[1, 3, 5, 0] == pytest.approx(-0.6)


# ------------------------------------------------------------------------- whole networks


@pytest.mark.parametrize(
    "generator",
    [
        lambda: build_mlp_generator(6, [5, 4]),
        lambda: build_mlp_generator(6, []),
        lambda: build_convolutional_generator(6, [4, 3, 2]),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_generators_draw_images_in_range(generator: Callable[[], Any], training: bool) -> None:
    network = generator()
    assert network.input_shape == (None, 6)
    assert network.output_shape == (None, 28, 28, 1)
    drawn = ops.convert_to_numpy(network(50 * numbers(3, 6), training=training))
    assert (drawn.shape, drawn.dtype) == ((3, 28, 28, 1), np.float32)
    assert np.abs(drawn).max() <= 1
    assert not np.allclose(drawn[0], drawn[1])


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(
    ("build", "widths"),
    [
        (build_mlp_discriminator, [6, 5]),
        (build_mlp_discriminator, []),
        (build_convolutional_discriminator, [3, 4]),
    ],
)
def test_discriminators_give_one_score_an_image(
    build: Callable[..., Any], widths: list[int], spectral: bool
) -> None:
    network = build(widths, spectral_normalization=spectral)
    assert network.input_shape == (None, 28, 28, 1)
    assert network.output_shape == (None, 1)
    scores = ops.convert_to_numpy(network(IMAGES))
    assert (scores.shape, scores.dtype) == ((5, 1), np.float32)
    assert len(np.unique(scores)) == 5


def test_a_spectral_discriminator_changes_no_faster_than_its_images() -> None:
    keras.utils.set_random_seed(1)
    network = build_mlp_discriminator([8, 6], spectral_normalization=True)
    network.set_weights([30 * weight for weight in network.get_weights()])
    for _ in range(50):
        network(IMAGES, training=True)
    scores = ops.convert_to_numpy(network(IMAGES)).ravel()
    apart = np.linalg.norm((IMAGES[:, None] - IMAGES[None]).reshape(5, 5, -1), axis=2)
    assert (np.abs(scores[:, None] - scores[None]) <= 1.001 * apart).all()


# ------------------------------------------------------------------------- spectral normalization


def singular_value(kernel: Any) -> float:
    array = ops.convert_to_numpy(kernel)
    return float(np.linalg.svd(array.reshape(-1, array.shape[-1]), compute_uv=False)[0])


@pytest.mark.parametrize(("make", "shape"), SPECTRAL)
def test_training_calls_find_the_largest_singular_value(
    make: Callable[[], Any], shape: tuple[int, ...]
) -> None:
    keras.utils.set_random_seed(1)
    layer = make()
    inputs = numbers(3, *shape)
    layer(inputs)
    layer.trainable_weights[0].assign(5 * layer.trainable_weights[0])
    for _ in range(60):
        layer(inputs, training=True)
    assert singular_value(layer.kernel) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("make", "shape"), SPECTRAL)
def test_calls_never_change_the_stored_kernel(
    make: Callable[[], Any], shape: tuple[int, ...], training: bool
) -> None:
    layer = make()
    inputs = numbers(3, *shape)
    layer(inputs)
    before = layer.get_weights()
    for _ in range(3):
        layer(inputs, training=training)
    kernel, bias, vector = (
        (one == other).all() for one, other in zip(before, layer.get_weights(), strict=True)
    )
    assert kernel
    assert bias
    assert vector or training
    if inputs.ndim > 2:
        assert vector != training


@pytest.mark.parametrize(("make", "shape"), SPECTRAL)
def test_a_spectral_layer_does_what_its_kernel_says(
    make: Callable[[], Any], shape: tuple[int, ...]
) -> None:
    layer = make()
    inputs = numbers(3, *shape)
    found = ops.convert_to_numpy(layer(inputs))
    kernel = ops.convert_to_numpy(layer.kernel)
    expected = (
        inputs @ kernel
        if inputs.ndim == 2
        else ops.convert_to_numpy(ops.conv(inputs, kernel, strides=2, padding="same"))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_reading_a_kernel_changes_nothing_after_training_calls() -> None:
    layer = SpectralDense(4)
    layer(numbers(3, 7), training=True)
    before = layer.get_weights()
    assert layer.kernel is not None
    for one, other in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("make", "shape"), SPECTRAL)
def test_spectral_layers_are_saved_and_loaded(
    make: Callable[[], Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    networks = [keras.Sequential([keras.Input(shape), make()]) for _ in range(2)]
    inputs = numbers(3, *shape)
    networks[0](inputs, training=True)
    networks[0].save_weights(tmp_path / "spectral.weights.h5")
    networks[1].load_weights(tmp_path / "spectral.weights.h5")
    for one, other in zip(networks[0].get_weights(), networks[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(*(ops.convert_to_numpy(network(inputs)) for network in networks))


# ------------------------------------------------------------------------- batch deviation


def test_batch_deviation_by_hand() -> None:
    inputs = numbers(4, 2, 3, 5)
    found = ops.convert_to_numpy(BatchDeviation()(inputs))
    assert found.shape == (4, 2, 3, 6)
    assert BatchDeviation().compute_output_shape((None, 2, 3, 5)) == (None, 2, 3, 6)
    np.testing.assert_array_equal(found[..., :5], inputs)
    np.testing.assert_allclose(found[..., 5], inputs.std(0).mean(), rtol=1e-5)


def test_equal_images_have_no_deviation_and_a_finite_slope() -> None:
    inputs = ops.ones((3, 2, 2, 1))
    value, (gradient,) = value_and_gradients(
        lambda points: ops.mean(BatchDeviation()(points[0])[..., 1]), [inputs]
    )
    assert float(value) == pytest.approx(0, abs=1e-3)
    assert np.isfinite(ops.convert_to_numpy(gradient)).all()


# ------------------------------------------------------------------------- moving average


def test_a_moving_average_by_hand() -> None:
    network = keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.BatchNormalization()])
    average = MovingAverage(network, 0.2)
    expected = [weight.astype(float) for weight in network.get_weights()]
    for one, other in zip(expected, average.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    random = np.random.default_rng(3)
    for step in (1, 2, 3, 4, 5):
        network.set_weights([random.normal(0, 1, weight.shape) for weight in expected])
        average.update()
        decay = min(0.2, step / (step + 10))
        expected = [
            decay * one + (1 - decay) * other
            for one, other in zip(expected, network.get_weights(), strict=True)
        ]
        for one, other in zip(expected, average.network.get_weights(), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_a_moving_average_leaves_the_network_it_follows() -> None:
    network = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    before = network.get_weights()
    MovingAverage(network, 0.5).update()
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
