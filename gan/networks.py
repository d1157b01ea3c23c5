"""Generators and discriminators as Keras networks.

Images inside are float32 (N, 28, 28, 1) in [-1, 1], paper -1 and ink 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from gan.layers import BatchDeviation, BatchNormalization, SpectralConv2D, SpectralDense

SLOPE = 0.2  # of leaky rectifiers below zero
MOMENTUM = 0.9  # of batch normalization: a training of a thousand steps has no time for 0.99


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
