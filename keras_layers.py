"""The Keras layers that the layers of a variant stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TypeGuard

import keras

from network_layers import (
    INCREASING_ACTIVATIONS,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling,
)


def keras_layers(layers: Sequence[Layer]) -> Iterator[keras.layers.Layer]:
    """Keras layers of a variant; an activation may move behind the pooling that follows it.

    Args:
        layers: a checked variant.

    Yields:
        Layers to be applied one after the other to float32 (N, 28, 28, 1), values 0 to 1.
    """
    postponed = None
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if _pools_before_activation(layer, after):
            yield _keras_layer(dataclasses.replace(layer, activation="linear"))
            postponed = layer
            continue
        yield _keras_layer(layer)
        if postponed is not None:
            yield keras.layers.Activation(postponed.activation)
            postponed = None


def _pools_before_activation(layer: Layer, after: Layer | None) -> TypeGuard[Conv2D]:
    """Whether the largest value may be taken first: the same result from a quarter of the work."""
    return (
        isinstance(layer, Conv2D)
        and isinstance(after, MaxPooling)
        and layer.activation in INCREASING_ACTIVATIONS
    )


def _keras_layer(layer: Layer) -> keras.layers.Layer:
    match layer:
        case Conv2D():
            return keras.layers.Conv2D(
                layer.filters,
                layer.kernel_size,
                strides=layer.strides,
                padding=layer.padding,
                activation=layer.activation,
            )
        case MaxPooling():
            return keras.layers.MaxPooling2D(layer.pool_size)
        case Dropout():
            return keras.layers.Dropout(layer.dropout_ratio)
        case BatchNormalization():
            return keras.layers.BatchNormalization()
        case Flatten():
            return keras.layers.Flatten()
        case Dense():
            return keras.layers.Dense(layer.dense_layer_size, activation=layer.activation)
