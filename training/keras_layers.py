"""The Keras layers that the layers of a variant stand for, applied to an image."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TypeAlias, TypeGuard

import keras

from settings.network_layers import (
    INCREASING_ACTIVATIONS,
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
)
from training import fused_normalization

# Of the means and variances that reading goes by. Keras's own, 0.99, still remembers the start
# after a hundred steps; small data sets have no more.
NORMALIZATION_MOMENTUM = 0.95

ActivatedImage: TypeAlias = Conv2D | SeparableConv2D | Residual


def apply_layers(layers: Sequence[Layer], values: keras.KerasTensor) -> keras.KerasTensor:
    """Apply checked layers one after the other; an activation may move behind a pooling.

    Args:
        layers: checked layers.
        values: float32 (N, rows, columns, channels), or (N, values) where no image is needed.

    Returns:
        What comes out of the last layer.
    """
    postponed = None
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if _pools_before_activation(layer, after):
            values = _apply(dataclasses.replace(layer, activation="linear"), values)
            postponed = layer.activation
            continue
        values = _apply(layer, values)
        if postponed is not None:
            values = _activated(values, postponed)
            postponed = None
    return values


def _pools_before_activation(layer: Layer, after: Layer | None) -> TypeGuard[ActivatedImage]:
    """Whether the largest value may be taken first: the same result from a quarter of the work."""
    return (
        isinstance(layer, ActivatedImage)
        and isinstance(after, MaxPooling)
        and layer.activation in INCREASING_ACTIVATIONS
    )


def _apply(layer: Layer, values: keras.KerasTensor) -> keras.KerasTensor:
    match layer:
        case Conv2D() | SeparableConv2D() | Dense():
            return _normalized_and_activated(layer, values)
        case MaxPooling():
            return keras.layers.MaxPooling2D(layer.pool_size)(values)
        case GlobalAveragePooling():
            return keras.layers.GlobalAveragePooling2D()(values)
        case Dropout():
            return keras.layers.Dropout(layer.dropout_ratio)(values)
        case BatchNormalization():
            # Keras's own, with a momentum of 0.99: old files give the result that they always gave.
            return keras.layers.BatchNormalization()(values)
        case Activation():
            return keras.layers.Activation(layer.activation)(values)
        case SqueezeExcitation():
            return _channels_weighed(layer, values)
        case Residual():
            return _residual(layer, values)
        case Flatten():
            return keras.layers.Flatten()(values)


def _normalized_and_activated(
    layer: Conv2D | SeparableConv2D | Dense, values: keras.KerasTensor
) -> keras.KerasTensor:
    """A kernel's result with bias and activation, or with normalization and activation."""
    if layer.normalization is None:
        return _with_kernel(layer, values, layer.activation, use_bias=True)
    values = _with_kernel(layer, values, "linear", use_bias=False)
    values = fused_normalization.BatchNormalization(momentum=NORMALIZATION_MOMENTUM)(values)
    return _activated(values, layer.activation)


def _with_kernel(
    layer: Conv2D | SeparableConv2D | Dense,
    values: keras.KerasTensor,
    activation: str,
    *,
    use_bias: bool,
) -> keras.KerasTensor:
    if isinstance(layer, Dense):
        dense = keras.layers.Dense
        return dense(layer.dense_layer_size, activation=activation, use_bias=use_bias)(values)
    rows, columns = layer.strides
    if isinstance(layer, SeparableConv2D) and rows != columns:
        return _with_uneven_strides(layer, values, activation, use_bias=use_bias)
    kind = keras.layers.Conv2D if isinstance(layer, Conv2D) else keras.layers.SeparableConv2D
    return kind(
        layer.filters,
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        activation=activation,
        use_bias=use_bias,
    )(values)


def _with_uneven_strides(
    layer: SeparableConv2D, values: keras.KerasTensor, activation: str, *, use_bias: bool
) -> keras.KerasTensor:
    """A separable convolution in even steps, of whose places the wanted ones are kept.

    TensorFlow takes uneven strides of these with oneDNN alone, which not all processors have.
    """
    if layer.padding == "same":
        sizes = zip(values.shape[1:3], layer.kernel_size, layer.strides, strict=True)
        values = keras.layers.ZeroPadding2D([_margins(*size) for size in sizes])(values)
    step = math.gcd(*layer.strides)
    values = keras.layers.SeparableConv2D(
        layer.filters,
        layer.kernel_size,
        strides=step,
        padding="valid",
        activation=activation,
        use_bias=use_bias,
    )(values)
    rows, columns = layer.strides
    return values[:, :: rows // step, :: columns // step]


def _margins(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and behind a row that padding 'same' adds to it, as TensorFlow does."""
    steps = -(-length // stride)
    both = max((steps - 1) * stride + kernel - length, 0)
    return both // 2, both - both // 2


def _activated(values: keras.KerasTensor, activation: str) -> keras.KerasTensor:
    return values if activation == "linear" else keras.layers.Activation(activation)(values)


def _channels_weighed(layer: SqueezeExcitation, values: keras.KerasTensor) -> keras.KerasTensor:
    channels = values.shape[-1]
    weights = keras.layers.GlobalAveragePooling2D(keepdims=True)(values)
    weights = keras.layers.Dense(layer.neurons(channels), activation="relu")(weights)
    weights = keras.layers.Dense(channels, activation="sigmoid")(weights)
    return keras.layers.Multiply()([values, weights])


def _residual(layer: Residual, values: keras.KerasTensor) -> keras.KerasTensor:
    changed = apply_layers(layer.layers, values)
    strides = layer.shortcut_strides(values.shape[1:])
    if strides != (1, 1):
        values = keras.layers.AveragePooling2D(strides, padding="same")(values)
    added = changed.shape[-1] - values.shape[-1]
    if added:
        values = keras.ops.pad(values, [(0, 0), (0, 0), (0, 0), (0, added)])
    return _activated(keras.layers.Add()([changed, values]), layer.activation)
