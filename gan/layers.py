"""Layers that generators and discriminators need and Keras has not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

DEVIATION_FLOOR = 1e-8


def scaled(images: Any) -> Any:
    """Real images as networks take them.

    Args:
        images: uint8 (N, 28, 28).

    Returns:
        float32 (N, 28, 28, 1) in [-1, 1].
    """
    return ops.expand_dims(ops.cast(images, "float32") / 127.5 - 1.0, -1)


class Scaled(layers.Layer):  # type: ignore[misc]
    """`scaled` as a layer."""

    def call(self, inputs: Any) -> Any:
        """Scale images.

        Args:
            inputs: uint8 (N, 28, 28).

        Returns:
            float32 (N, 28, 28, 1) in [-1, 1].
        """
        return scaled(inputs)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """One channel is added.

        Args:
            input_shape: (N, 28, 28).

        Returns:
            (N, 28, 28, 1).
        """
        return (*input_shape, 1)


class BatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """Keras's layer with second derivatives that are exact.

    TensorFlow's `nn.moments` stops the gradient of the mean inside the variance: that changes no
    first derivative, but those that consensus, unrolling and gradient penalties take of them.
    """

    def _moments(self, inputs: Any, mask: Any) -> tuple[Any, Any]:
        mean = ops.mean(inputs, self._reduction_axes, keepdims=True)
        variance = ops.mean(ops.square(inputs - mean), self._reduction_axes)
        return ops.squeeze(mean, self._reduction_axes), variance


class BatchDeviation(layers.Layer):  # type: ignore[misc]
    """Adds a channel that says how much the images of a batch differ (Karras et al. 2018).

    A discriminator that sees it finds out a generator that always draws the same.
    """

    def call(self, inputs: Any) -> Any:
        """Add a channel that holds how much the images of the batch differ.

        Args:
            inputs: floating (N, H, W, C).

        Returns:
            floating (N, H, W, C + 1).
        """
        deviation = ops.sqrt(ops.var(inputs, axis=0) + DEVIATION_FLOOR)
        channel = ops.broadcast_to(ops.mean(deviation), (*ops.shape(inputs)[:3], 1))
        return ops.concatenate([inputs, channel], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """One channel more.

        Args:
            input_shape: (N, H, W, C).

        Returns:
            (N, H, W, C + 1).
        """
        return (*input_shape[:-1], input_shape[-1] + 1)


class _Spectral:
    """Divides a layer's kernel by its largest singular value (Miyato et al. 2018).

    The kernel itself is never changed by a call, so a player that does not move stays as it is;
    only the estimate of the singular vector is improved, by one power iteration each training call.
    """

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the estimate of its left singular vector."""
        super().build(input_shape)  # type: ignore[misc]
        self.singular_vector = self.add_weight(  # type: ignore[attr-defined]
            shape=(1, self._kernel.shape[-1]),  # type: ignore[attr-defined]
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            name="singular_vector",
        )

    @property
    def kernel(self) -> Any:
        """The kernel divided by its largest singular value."""
        kernel = ops.convert_to_tensor(self._kernel)  # type: ignore[attr-defined]
        matrix = ops.stop_gradient(ops.reshape(kernel, (-1, kernel.shape[-1])))
        right = _unit(ops.matmul(self.singular_vector, ops.transpose(matrix)))
        left = _unit(ops.matmul(right, matrix))
        if self._in_training:
            self.singular_vector.assign(left)
        flat = ops.reshape(kernel, (-1, kernel.shape[-1]))
        value = ops.matmul(ops.matmul(right, flat), ops.transpose(left))
        return kernel / ops.reshape(value, ())

    _in_training = False

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """As the layer it is made of."""
        self._in_training = bool(training)
        try:
            return super().call(inputs)  # type: ignore[misc]
        finally:
            self._in_training = False

    def save_own_variables(self, store: Any) -> None:
        """Keras would keep the divided kernel, without the singular vector."""
        for index, weight in enumerate(self.weights):  # type: ignore[attr-defined]
            store[str(index)] = weight

    def load_own_variables(self, store: Any) -> None:
        """Bring back what `save_own_variables` kept."""
        for index, weight in enumerate(self.weights):  # type: ignore[attr-defined]
            weight.assign(store[str(index)])


class SpectralConv2D(_Spectral, layers.Conv2D):  # type: ignore[misc]
    """A convolution whose slope is at most about 1."""


class SpectralDense(_Spectral, layers.Dense):  # type: ignore[misc]
    """A dense layer whose slope is at most about 1."""


def _unit(vector: Any) -> Any:
    return vector / (ops.norm(vector) + 1e-12)
