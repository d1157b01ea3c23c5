"""Random distortions of training images: turned, moved, stretched, leaning, tilted, bent, mixed.

All work on batches inside TensorFlow's input pipeline, on uint8 images with ink on paper 0, and
draw their random numbers from a seed that is handed in, so that a training can be repeated.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from scipy.interpolate import CubicSpline

from image_arrays import IMAGE_SIZE
from settings.training_parameters import Augmentation

Tensor: TypeAlias = Any  # TensorFlow ships no types that checkers can use

CENTRE = (IMAGE_SIZE - 1) / 2
# Points of the grid on which smooth displacements are drawn.
ELASTIC_GRID = 5


def distort(images: Tensor, augmentation: Augmentation, seed: Tensor) -> Tensor:
    """Distort each image of a batch by its own random amounts, reading between the pixels.

    Args:
        images: uint8 (N, 28, 28).
        augmentation: bounds of the amounts.
        seed: integers (2,); the same seed gives the same distortions.

    Returns:
        uint8 (N, 28, 28); what comes from beyond the image is paper, 0.
    """
    count = tf.shape(images)[0]
    rows, columns = _source_positions(count, augmentation, seed)
    if augmentation.elastic:
        moved = _smooth_field(count, seed + 1) * augmentation.elastic
        rows, columns = rows + moved[0], columns + moved[1]
    return _values_at(images, rows, columns)


def _source_positions(
    count: Tensor, augmentation: Augmentation, seed: Tensor
) -> tuple[Tensor, Tensor]:
    """Where each pixel of the distorted images comes from: rows and columns (N, 28, 28)."""
    drawn = tf.random.stateless_uniform((8, count, 1, 1), seed, -1.0, 1.0)
    angle = drawn[0] * math.radians(augmentation.rotation)
    lean = tf.tan(drawn[1] * math.radians(augmentation.shear))
    height = tf.exp(drawn[2] * math.log1p(augmentation.scale))
    width = tf.exp(drawn[3] * math.log1p(augmentation.scale))
    from_centre = tf.range(IMAGE_SIZE, dtype=tf.float32) - CENTRE
    row, column = from_centre[None, :, None], from_centre[None, None, :]
    nearness = 1 + augmentation.perspective * (drawn[4] * row + drawn[5] * column) / CENTRE
    row, column = row / nearness, column / nearness
    rows = (tf.sin(angle) * column + tf.cos(angle) * row) * height
    columns = (tf.cos(angle) * column - tf.sin(angle) * row) * width + lean * row
    return (
        rows + drawn[6] * augmentation.shift + CENTRE,
        columns + drawn[7] * augmentation.shift + CENTRE,
    )


def _smooth_field(count: Tensor, seed: Tensor) -> Tensor:
    """Random displacements (2, N, 28, 28): cubic splines through a grid of normal numbers."""
    knots = np.linspace(-CENTRE, CENTRE, ELASTIC_GRID)
    places = np.arange(IMAGE_SIZE) - CENTRE
    through = CubicSpline(knots, np.eye(ELASTIC_GRID), bc_type="natural")(places)
    grid = tf.random.stateless_normal((2, count, ELASTIC_GRID, ELASTIC_GRID), seed)
    spread = tf.constant(through, tf.float32)
    # Not with four axes: for one image oneDNN then reads and writes beyond the arrays (TensorFlow
    # 2.21, issue 117700).
    down = tf.matmul(spread, tf.reshape(grid, (-1, ELASTIC_GRID, ELASTIC_GRID)))
    both = tf.matmul(tf.reshape(down, (-1, ELASTIC_GRID)), spread, transpose_b=True)
    return tf.reshape(both, (2, count, IMAGE_SIZE, IMAGE_SIZE))


def _values_at(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values between pixels, from the four around: uint8 (N, 28, 28)."""
    # A frame of paper stands for all that is outside.
    framed = tf.pad(tf.cast(images, tf.float32), [[0, 0], [1, 1], [1, 1]])
    values = tf.reshape(framed, [-1])
    rows = tf.clip_by_value(rows + 1, 0.0, IMAGE_SIZE + 1.0)
    columns = tf.clip_by_value(columns + 1, 0.0, IMAGE_SIZE + 1.0)
    top = tf.minimum(tf.floor(rows), float(IMAGE_SIZE))
    left = tf.minimum(tf.floor(columns), float(IMAGE_SIZE))
    down, right = rows - top, columns - left
    width = IMAGE_SIZE + 2
    first = tf.range(tf.shape(images)[0])[:, None, None] * width * width
    corner = first + tf.cast(top, tf.int32) * width + tf.cast(left, tf.int32)
    upper = tf.gather(values, corner) * (1 - right) + tf.gather(values, corner + 1) * right
    lower = (
        tf.gather(values, corner + width) * (1 - right)
        + tf.gather(values, corner + width + 1) * right
    )
    return tf.cast(tf.round(upper * (1 - down) + lower * down), tf.uint8)


def mixup(images: Tensor, targets: Tensor, alpha: float, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Blend each image, and its target, with another of the batch (Zhang 2018).

    Args:
        images: uint8 (N, 28, 28).
        targets: float32 (N, C), shares of the classes.
        alpha: shares come from Beta(alpha, alpha).
        seed: integers (2,).

    Returns:
        Images and targets of the same shapes and types.
    """
    share = _beta(tf.shape(images)[0], alpha, seed)
    # Batches are in random order, so the one from the other end is as good as any.
    pixels = tf.cast(images, tf.float32)
    weight = share[:, None, None]
    blended = weight * pixels + (1 - weight) * tf.reverse(pixels, [0])
    return tf.cast(tf.round(blended), tf.uint8), _blend_targets(targets, share)


def cutmix(images: Tensor, targets: Tensor, alpha: float, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Put a rectangle of another image of the batch into each, targets by area (Yun 2019).

    Args:
        images: uint8 (N, 28, 28).
        targets: float32 (N, C), shares of the classes.
        alpha: the share that stays comes from Beta(alpha, alpha).
        seed: integers (2,).

    Returns:
        Images and targets of the same shapes and types.
    """
    count = tf.shape(images)[0]
    size = tf.sqrt(1 - _beta(count, alpha, seed)) * IMAGE_SIZE
    centre = tf.random.stateless_uniform((2, count), seed + 3, 0.0, float(IMAGE_SIZE))
    places = tf.range(IMAGE_SIZE, dtype=tf.float32) + 0.5
    rows = tf.abs(places[None, :] - centre[0][:, None]) < size[:, None] / 2
    columns = tf.abs(places[None, :] - centre[1][:, None]) < size[:, None] / 2
    cut = rows[:, :, None] & columns[:, None, :]
    stays = 1 - tf.reduce_mean(tf.cast(cut, tf.float32), [1, 2])
    return tf.where(cut, tf.reverse(images, [0]), images), _blend_targets(targets, stays)


def _beta(count: Tensor, alpha: float, seed: Tensor) -> Tensor:
    """Numbers (N,) from Beta(alpha, alpha): a share of two from the gamma distribution."""
    one, other = (_log_gamma(count, alpha, seed + extra) for extra in (1, 2))
    return tf.sigmoid(one - other)


def _log_gamma(count: Tensor, alpha: float, seed: Tensor) -> Tensor:
    """Logarithms (N,) of numbers from Gamma(alpha), which may themselves be too small for floats.

    Marsaglia and Tsang 2000, section 6: a number from Gamma(alpha + 1) times U ** (1 / alpha).
    """
    boosted = tf.random.stateless_gamma((count,), seed, alpha + 1)
    uniform = tf.random.stateless_uniform((count,), seed + 10, 1e-30, 1.0)
    return tf.math.log(boosted) + tf.math.log(uniform) / alpha


def _blend_targets(targets: Tensor, share: Tensor) -> Tensor:
    return share[:, None] * targets + (1 - share[:, None]) * tf.reverse(targets, [0])
