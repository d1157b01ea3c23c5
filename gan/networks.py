"""Generators and discriminators as Keras networks.

Images inside are float32 (N, 28, 28, 1) in [-1, 1], paper -1 and ink 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

SLOPE = 0.2  # of leaky rectifiers below zero
MOMENTUM = 0.9  # of batch normalization: a training of a thousand steps has no time for 0.99
DEVIATION_GROUP = 8
DEVIATION_FLOOR = 1e-8


def scaled(images: Any) -> Any:
    """Real images as networks take them: uint8 (N, 28, 28) to float32 (N, 28, 28, 1) in [-1, 1]."""
    return ops.expand_dims(ops.cast(images, "float32") / 127.5 - 1.0, -1)


def build_mlp_generator(latent_size: int, widths: Sequence[int]) -> keras.Model:
    """Dense layers with batch normalization, as in the GANs of 2017.

    Args:
        latent_size: length of the latent vectors.
        widths: of the hidden layers.

    Returns:
        A network from float32 (N, latent_size) to images.
    """
    stack: list[Any] = [keras.Input((latent_size,))]
    for width in widths:
        stack += [
            layers.Dense(width),
            layers.LeakyReLU(SLOPE),
            BatchNormalization(momentum=MOMENTUM),
        ]
    stack += [layers.Dense(28 * 28, activation="tanh"), layers.Reshape((28, 28, 1))]
    return keras.Sequential(stack, name="generator")


def build_mlp_discriminator(
    widths: Sequence[int], *, spectral_normalization: bool = False
) -> keras.Model:
    """Dense layers down to one score.

    Args:
        widths: of the hidden layers.
        spectral_normalization: bound the slope of every layer.

    Returns:
        A network from images to scores, float32 (N, 1): higher means more real.
    """
    dense = SpectralDense if spectral_normalization else layers.Dense
    stack: list[Any] = [keras.Input((28, 28, 1)), layers.Flatten()]
    for width in widths:
        stack += [dense(width), layers.LeakyReLU(SLOPE)]
    return keras.Sequential([*stack, dense(1)], name="discriminator")


def build_convolutional_generator(latent_size: int, widths: Sequence[int]) -> keras.Model:
    """A dense layer to 7x7, and transposed convolutions to 14x14 and 28x28 (Radford et al. 2016).

    Args:
        latent_size: length of the latent vectors.
        widths: channels at 7x7, 14x14 and 28x28.

    Returns:
        A network from float32 (N, latent_size) to images.
    """
    at_7, at_14, at_28 = widths

    def normalized() -> list[Any]:
        return [BatchNormalization(momentum=MOMENTUM), layers.ReLU()]

    return keras.Sequential(
        [
            keras.Input((latent_size,)),
            layers.Dense(7 * 7 * at_7, use_bias=False),
            *normalized(),
            layers.Reshape((7, 7, at_7)),
            layers.Conv2DTranspose(at_14, 4, strides=2, padding="same", use_bias=False),
            *normalized(),
            layers.Conv2DTranspose(at_28, 4, strides=2, padding="same", use_bias=False),
            *normalized(),
            layers.Conv2D(1, 3, padding="same", activation="tanh"),
        ],
        name="generator",
    )


def build_convolutional_discriminator(
    widths: Sequence[int], *, spectral_normalization: bool = False
) -> keras.Model:
    """Strided convolutions down to 7x7, then one score that also sees how images differ.

    Args:
        widths: channels at 14x14 and 7x7.
        spectral_normalization: bound the slope of every layer.

    Returns:
        A network from images to scores, float32 (N, 1): higher means more real.
    """
    convolution = SpectralConv2D if spectral_normalization else layers.Conv2D
    dense = SpectralDense if spectral_normalization else layers.Dense
    stack: list[Any] = [keras.Input((28, 28, 1))]
    for width in widths:
        stack += [convolution(width, 4, strides=2, padding="same"), layers.LeakyReLU(SLOPE)]
    stack += [BatchDeviation(), layers.Flatten(), dense(1)]
    return keras.Sequential(stack, name="discriminator")


class Scaled(layers.Layer):  # type: ignore[misc]
    """`scaled` as a layer."""

    def call(self, inputs: Any) -> Any:
        """From uint8 (N, 28, 28) to float32 (N, 28, 28, 1) in [-1, 1]."""
        return scaled(inputs)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """One channel."""
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
        """From float (N, H, W, C) to float (N, H, W, C + 1)."""
        deviation = ops.sqrt(ops.var(inputs, axis=0) + DEVIATION_FLOOR)
        channel = ops.broadcast_to(ops.mean(deviation), (*ops.shape(inputs)[:3], 1))
        return ops.concatenate([inputs, channel], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """One channel more."""
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


class MovingAverage:
    """A second generator that follows the first slowly; it draws better than any single step.

    Early on it follows faster, so that the first weights are soon forgotten.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        """Follow `network`, which is built; `decay` is kept of the average each step."""
        self.network = keras.models.clone_model(network)
        self.network.set_weights(network.get_weights())
        self._source = network
        self._decay = decay
        self.steps = keras.Variable(0.0, trainable=False, name="averaged_steps")

    def update(self) -> None:
        """Move a little towards the network."""
        self.steps.assign(self.steps + 1.0)
        decay = ops.minimum(self._decay, self.steps / (self.steps + 10.0))
        for average, current in zip(self.network.weights, self._source.weights, strict=True):
            if "seed" not in average.path:
                average.assign(decay * average + (1.0 - decay) * current)
