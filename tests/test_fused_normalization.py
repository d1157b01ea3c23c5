"""The fused normalization does, step by step, what Keras's layer does."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.fused_normalization import BatchNormalization

SHAPES = [(5, 3, 4, 6), (2, 1, 1, 6), (1, 1, 1, 6), (7, 6)]


def both(shape: tuple[int, ...], precision: str = "float32") -> list[Any]:
    """The fused layer and Keras's, with the same weights."""
    layers = []
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9, dtype=precision)
        layer.build(shape)
        layer.gamma.assign(np.arange(1.0, 7.0))
        layer.beta.assign(np.arange(6.0) / 10)
        layers.append(layer)
    return layers


def values_of(shape: tuple[int, ...]) -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).normal(2, 3, shape).astype(np.float32))


def step(layer: Any, values: tf.Tensor) -> list[tf.Tensor]:
    """A training step: its result, the gradients of values, scale and offset, and what moved."""
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = tf.cast(layer(values, training=True), tf.float32)
        loss = tf.reduce_sum(result * tf.reverse(values, [0]) ** 2)
    gradients = tape.gradient(loss, [values, layer.gamma.value, layer.beta.value])
    return [result, *gradients, layer.moving_mean.value, layer.moving_variance.value]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_training_step_is_that_of_keras(shape: tuple[int, ...]) -> None:
    fused, plain = both(shape)
    for _ in range(3):
        ours, theirs = step(fused, values_of(shape)), step(plain, values_of(shape))
        for one, other in zip(ours, theirs, strict=True):
            assert np.allclose(one, other, rtol=1e-4, atol=1e-3)


def test_in_bfloat16_means_and_variances_stay_in_float32() -> None:
    shape = SHAPES[0]
    fused, plain = both(shape, "mixed_bfloat16")
    values = values_of(shape)
    assert fused(values, training=True).dtype == tf.bfloat16
    plain(values, training=True)
    ours, theirs = step(fused, values), step(plain, values)
    for one, other in zip(ours, theirs, strict=True):
        assert np.allclose(one, other, rtol=0.02, atol=0.02)
    assert ours[-1].dtype == ours[-2].dtype == tf.float32


def test_training_goes_by_one_operation_and_reading_by_none() -> None:
    fused, _ = both(SHAPES[0])

    def operations(training: bool) -> list[str]:
        call = tf.function(lambda values: fused(values, training=training))
        graph = call.get_concrete_function(tf.TensorSpec(SHAPES[0])).graph
        return [operation.type for operation in graph.get_operations()]

    assert operations(True).count("FusedBatchNormV3") == 1
    assert "FusedBatchNormV3" not in operations(False)


def test_reading_is_that_of_keras_to_the_last_bit_and_moves_nothing() -> None:
    fused, plain = both(SHAPES[0])
    values = values_of(SHAPES[0])
    for layer in (fused, plain):
        layer.moving_mean.assign(np.arange(6.0))
        layer.moving_variance.assign(np.arange(1.0, 7.0))
    before = fused.moving_mean.numpy()
    assert np.array_equal(fused(values, training=False), plain(values, training=False))
    assert np.array_equal(fused.moving_mean.value, before)


def test_a_frozen_layer_reads_even_while_the_network_learns() -> None:
    fused, _ = both(SHAPES[0])
    fused.trainable = False
    values = values_of(SHAPES[0])
    assert np.array_equal(fused(values, training=True), fused(values, training=False))
    assert not np.any(fused.moving_mean.value)
