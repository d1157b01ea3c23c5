"""Generator and discriminator of all classes at once, each told the class.

Images are float32 (N, 28, 28, 1) in [-1, 1], paper -1 and ink 1; labels are integers (N,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from gan.layers import BatchDeviation, BatchNormalization, SpectralConv2D, SpectralDense
from gan.networks import MOMENTUM, SLOPE

HEAD_WIDTH = 96  # channels of the last layer of each head
MAP_WIDTH = 64  # channels that a map of 14x14 is first taken down to


def build_generator(
    latent_size: int, classes: int, class_size: int, widths: Sequence[int]
) -> keras.Model:
    """As the convolutional generator, told the class; style and class also scale every channel.

    Style and class are added up wherever they act, so that a style does much the same to all
    classes: one hand.

    Args:
        latent_size: length of the latent vectors, the style.
        classes: how many there are.
        class_size: length of the learnt vector of each class.
        widths: channels at 7x7, 14x14 and 28x28.

    Returns:
        A network from float32 (N, latent_size) and labels to images.
    """
    style = keras.Input((latent_size,), name="style")
    label = keras.Input((), dtype="int32", name="label")
    character = layers.Embedding(classes, class_size, embeddings_initializer="random_normal")(label)
    character = layers.Rescaling(class_size**-0.5 / 0.05)(character)
    told = layers.Concatenate()([style, character])
    at_7, at_14, at_28 = widths

    def normalized(x: Any) -> Any:
        return layers.ReLU()(_Modulation()([x, told]))

    x = layers.Dense(7 * 7 * at_7, use_bias=False)(told)
    x = normalized(layers.Reshape((7, 7, at_7))(x))
    for width in (at_14, at_28):
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same", use_bias=False)(x)
        x = normalized(x)
    x = layers.Conv2D(1, 3, padding="same", activation="tanh")(x)
    return keras.Model([style, label], x, name="generator")


class _Modulation(layers.Layer):  # type: ignore[misc]
    """Batch normalization whose scale and shift depend on a vector (Dumoulin et al. 2017)."""

    def build(self, input_shape: Any) -> None:
        """Make the normalization and the layer from the vector to scale and shift."""
        channels = input_shape[0][-1]
        self.normalization = BatchNormalization(momentum=MOMENTUM, center=False, scale=False)
        self.normalization.build(input_shape[0])
        self.scale_and_shift = layers.Dense(
            2 * channels, kernel_initializer=keras.initializers.RandomNormal(stddev=0.05)
        )
        self.scale_and_shift.build(input_shape[1])
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """From float (N, H, W, C) and float (N, D) to float (N, H, W, C)."""
        x, told = inputs
        scale, shift = ops.split(self.scale_and_shift(told)[:, None, None, :], 2, axis=-1)
        return self.normalization(x, training=training) * (1.0 + scale) + shift

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As the images."""
        return input_shape[0]


def build_discriminator(
    classes: int,
    widths: Sequence[int],
    features: keras.Model | None,
    *,
    spectral_normalization: bool = True,
) -> keras.Model:
    """Several heads that score an image for its class, by projection (Miyato and Koyama 2018).

    One looks at the image itself, through strided convolutions. The others look at what a frozen
    network sees in it, at several depths (Sauer et al. 2021, "Projected GANs Converge Faster").

    Args:
        classes: how many there are.
        widths: channels of the strided convolutions.
        features: from images to a list of features, maps (N, H, W, C) of 14x14, 7x7 or 3x3 and
            vectors (N, C); None for no such head.
        spectral_normalization: bound the slope of every layer but those that give scores.

    Returns:
        A network from images and labels to scores, float32 (N, heads): higher means more real.
    """
    convolution = SpectralConv2D if spectral_normalization else layers.Conv2D
    dense = SpectralDense if spectral_normalization else layers.Dense

    def looked_at(x: Any) -> Any:
        """A map (N, H, W, C) or a vector (N, C) as a vector of what a head makes of it."""
        if len(x.shape) == 2:
            return layers.LeakyReLU(SLOPE)(dense(HEAD_WIDTH)(x))
        if x.shape[1] > 7:
            x = layers.LeakyReLU(SLOPE)(convolution(MAP_WIDTH, 4, strides=2, padding="same")(x))
        padding = "valid" if x.shape[1] == 3 else "same"
        x = layers.LeakyReLU(SLOPE)(convolution(HEAD_WIDTH, 3, strides=2, padding=padding)(x))
        return layers.Flatten()(x)

    image = keras.Input((28, 28, 1), name="image")
    label = keras.Input((), dtype="int32", name="label")
    x = image
    for width in widths:
        x = layers.LeakyReLU(SLOPE)(convolution(width, 4, strides=2, padding="same")(x))
    seen = [BatchDeviation()(x)]
    if features is not None:
        features.trainable = False
        seen += features(image, training=False)
    scores = [_projected(looked_at(one), label, classes) for one in seen]
    together = layers.Concatenate()(scores) if len(scores) > 1 else scores[0]
    return keras.Model([image, label], together, name="discriminator")


def _projected(seen: Any, label: Any, classes: int) -> Any:
    """Scores (N, 1) of vectors (N, D): real at all, and real for this class."""
    real = layers.Dense(1)(seen)
    each = layers.Dense(classes, use_bias=False)(seen)
    return layers.Add()([real, _Chosen()([each, label])])


class _Chosen(layers.Layer):  # type: ignore[misc]
    """The column that a label names."""

    def call(self, inputs: Any) -> Any:
        """From float (N, C) and integers (N,) to float (N, 1)."""
        each, label = inputs
        # Looking a column up makes a step of many small operations more, at every head.
        chosen = ops.one_hot(ops.cast(label, "int32"), each.shape[-1], dtype=each.dtype)
        return ops.sum(each * chosen, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """One column."""
        return (input_shape[0][0], 1)
