"""Tests of the layers of generators and discriminators."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from gan.gradients import value_and_gradients
from gan.layers import BatchDeviation, SpectralConv2D, SpectralDense, scaled

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
