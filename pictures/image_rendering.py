"""Ink, or greys, in the middle of a square of 28x28 with a margin, as large as EMNIST's."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from scipy import ndimage

from image_arrays import IMAGE_SIZE
from pictures.arrays import Bytes, Mask, Reals
from pictures.ink_masks import INK_SIZE, is_lone_stroke, stroke_width
from pictures.ink_strength import EVEN

# Strokes of EMNIST, as twice the area over the perimeter, are 1.9 to 4.6 pixels wide (5th and
# 95th of a hundred), 2.5 at the lower quartile, 3.0 in the middle.
THINNEST_STROKE = 2.2
# Of EMNIST's lone strokes, those so wide are mostly 1, or I where digits are not among the classes.
THINNEST_LONE_STROKE = 4.4
EDGE_BLUR = 0.4  # standard deviation in pixels of 28; EMNIST blurred by 1 pixel of about 3
_CORE = 0.75  # strength from which a pixel is the middle of ink, as a share of the greatest


def in_square(greys: Reals, rows: slice, columns: slice) -> Reals:
    """Greys of a box and of what is around it, reduced to an image.

    Args:
        greys: float32 (H, W).
        rows: of the box.
        columns: of the box.

    Returns:
        float32 (28, 28), the box in the middle; beyond the picture there are zeros.
    """
    box = [(part.start or 0, part.stop) for part in (rows, columns)]
    half = IMAGE_SIZE / INK_SIZE * max(stop - start for start, stop in box) / 2
    around = math.ceil(half)
    padded = np.pad(greys, around)
    (down, across) = ((start + stop) / 2 + around for start, stop in box)
    place = (across - half, down - half, across + half, down + half)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    small = Image.fromarray(padded).resize(size, Image.Resampling.BICUBIC, place)
    return np.asarray(small, np.float32)


def levelled(small: Reals, strength: Reals) -> Bytes:
    """Greys between the median of paper, 0, and that of the ink's middle, 255.

    Args:
        small: float32 (28, 28), greys, higher for ink.
        strength: float32 (28, 28), how much each pixel is ink.

    Returns:
        uint8 (28, 28); all 0 where ink or paper has no pixel, or they hardly differ.
    """
    share = strength / max(float(strength.max()), EVEN)
    ink, paper = small[share > _CORE], small[share < 1 - _CORE]
    if not (ink.size and paper.size):
        return np.zeros(small.shape, np.uint8)
    least, most = float(np.median(paper)), float(np.median(ink))
    if most - least < EVEN:
        return np.zeros(small.shape, np.uint8)
    return np.asarray((255 * (small - least) / (most - least)).clip(0, 255).round(), np.uint8)


def rendered(ink: Mask) -> Bytes:
    """Thicken ink where its strokes are thin, and reduce it.

    Args:
        ink: bool (h, w), without paper around it.

    Returns:
        uint8 (28, 28), ink up to 255 on paper 0.
    """
    side, width = max(ink.shape), stroke_width(ink)
    thinnest = THINNEST_LONE_STROKE if is_lone_stroke(ink, width) else THINNEST_STROKE
    # Thickening enlarges the box, too, which is then reduced by more.
    growth = (thinnest * side - INK_SIZE * width) / (2 * (INK_SIZE - thinnest))
    growth = max(growth, 0)
    pixel = (side + 2 * growth) / INK_SIZE  # of the 28, in pixels of the ink
    square = 2 * math.ceil(IMAGE_SIZE * pixel / 2 + 1)
    top, left = ((square - extent) // 2 for extent in ink.shape)
    padded = np.zeros((square, square), np.bool_)
    padded[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    if growth > 0:
        padded = ndimage.distance_transform_edt(~padded) <= growth + 0.5
    blurred = ndimage.gaussian_filter(padded.astype(np.float32), EDGE_BLUR * pixel, truncate=3)
    down, across, half = top + ink.shape[0] / 2, left + ink.shape[1] / 2, IMAGE_SIZE * pixel / 2
    box = (across - half, down - half, across + half, down + half)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    small = Image.fromarray(blurred).resize(size, Image.Resampling.BICUBIC, box)
    grey = np.clip(np.asarray(small), 0, None)
    return np.asarray((255 * grey / grey.max()).round(), np.uint8)
