"""Drawing with a generator: its network, its latent vectors, its weights as a row of numbers."""

from __future__ import annotations

# Faster convolutions on every processor with AVX2; must be said before Keras is imported.
import cnn_model  # noqa: F401  isort: skip
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from gan import conditional_networks, networks
from gan.settings import GanSettings
from image_arrays import Images

DRAWING_BATCH = 250


def build_generator(settings: GanSettings, classes: int | None = None) -> keras.Model:
    """The generator that settings describe, with new weights.

    Args:
        settings: checked.
        classes: of 'conditional', how many it draws; None for the other kinds.

    Returns:
        From latent vectors, with classes where it draws several, to float32 (N, 28, 28, 1) in [-1,
        1].
    """
    latent_size, widths = settings.latent_size, settings.generator_widths
    if classes is not None:
        class_size = settings.class_size or latent_size
        return conditional_networks.build_generator(latent_size, classes, class_size, widths)
    if settings.network == "mlp":
        return networks.build_mlp_generator(latent_size, widths)
    return networks.build_convolutional_generator(latent_size, widths)


def draw_latent(
    count: int, latent_size: int, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw latent vectors.

    Args:
        count: how many.
        latent_size: numbers in each.
        random: source of randomness.

    Returns:
        float32 (count, latent_size), standard normal.
    """
    return random.standard_normal((count, latent_size), dtype=np.float32)


def draw(
    generator: keras.Model,
    latent: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32] | None = None,
) -> Images:
    """Draw images.

    Args:
        generator: from latent vectors, or from those and labels, to images in [-1, 1].
        latent: float32 (N, latent size).
        labels: int32 (N,) for a generator of all classes, None for that of one character.

    Returns:
        uint8 (N, 28, 28), ink 255 on paper 0.
    """

    def part(rows: slice) -> Any:
        told = latent[rows] if labels is None else [latent[rows], labels[rows]]
        return keras.ops.convert_to_numpy(generator(told, training=False))[..., 0]

    starts = range(0, len(latent), DRAWING_BATCH)
    parts = [part(slice(start, start + DRAWING_BATCH)) for start in starts]
    return np.clip(np.round((np.concatenate(parts) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def flat_weights(network: keras.Model) -> npt.NDArray[np.float16]:
    """All weights of a network one after the other, in half precision.

    Args:
        network: any Keras model.

    Returns:
        float16 (W,), in the order of `network.weights`.
    """
    return np.concatenate(
        [keras.ops.convert_to_numpy(weight).ravel() for weight in network.weights]
    ).astype(np.float16)


def set_flat_weights(network: keras.Model, weights: npt.NDArray[np.floating]) -> None:
    """Fill a network with weights that `flat_weights` took from one like it.

    Args:
        network: is changed.
        weights: (W,).

    Raises:
        ValueError: there are more or fewer than it has.
    """
    needed = sum(int(np.prod(weight.shape)) for weight in network.weights)
    if weights.shape != (needed,):
        raise ValueError(f"the network has {needed:,} weights, not {weights.size:,}")
    start = 0
    for weight in network.weights:
        size = int(np.prod(weight.shape))
        weight.assign(weights[start : start + size].reshape(weight.shape).astype(np.float32))
        start += size
