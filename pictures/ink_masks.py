"""Ink as a mask: the box around it, without specks, cut out, and how thick its strokes are."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from scipy import ndimage

from pictures.arrays import Mask, Reals

INK_SIZE = 22  # longer side of the ink at half its height: the median of EMNIST's images
_LEAST_INK_SIZE = 3 * INK_SIZE  # smaller ink is enlarged before it is cut out
_PEN_DOT = 0.3  # area of the smallest dot, as a share of the square of the stroke's width
_SPECK = 4e-5  # area of the largest speck, as a share of the picture
_CRUMB = 0.02  # area of the largest speck, as a share of the largest piece of ink
_MOST_DOTS = 3  # of a letter
_DOT_DISTANCE = 0.5  # from the rest of the letter, as a share of its longer side
_STRAIGHT = 0.12  # how far a lone stroke may stray, as a share of its length


def without_specks(strength: Reals, threshold: float) -> Reals:
    """The strength (H, W), 0 where ink is too small to be a dot of the pen, or no dot of a letter.

    Thin pens make dots as small as specks are; but specks are many, or lie far from the letter.

    Args:
        strength: float32 (H, W), higher for ink.
        threshold: strength above which a pixel is ink.

    Returns:
        float32 (H, W), 0 where ink was too small.
    """
    labels, count = ndimage.label(strength > threshold, np.ones((3, 3)))
    if count < 2:
        return strength
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    largest = int(areas.argmax())
    width = stroke_width(labels == largest)
    speck = areas < max(_PEN_DOT * width**2, _SPECK * strength.size)
    crumbs = np.flatnonzero(~speck & (areas > 0) & (areas < _CRUMB * areas[largest]))
    boxes = ndimage.find_objects(labels)
    many = len(crumbs) > _MOST_DOTS
    speck[[c for c in crumbs if many or _is_far(boxes[c - 1], boxes[largest - 1])]] = True
    speck[largest] = False
    speck[0] = False
    return np.where(speck[labels], 0, strength)


def _is_far(box: tuple[slice, ...], letter: tuple[slice, ...]) -> bool:
    """Whether a box lies farther from that of a letter than its dots do."""
    farthest = _DOT_DISTANCE * max(part.stop - part.start for part in letter)
    return any(
        max(own.start - part.stop, part.start - own.stop) > farthest
        for own, part in zip(box, letter, strict=True)
    )


def stroke_width(ink: Mask) -> float:
    """Twice the area of the ink over its perimeter, in pixels.

    Args:
        ink: bool (H, W), with one pixel of ink or more.

    Returns:
        Pixels.
    """
    count = np.count_nonzero
    sides = count(ink[1:] != ink[:-1]) + count(ink[:, 1:] != ink[:, :-1])
    sides += count(ink[0]) + count(ink[-1]) + count(ink[:, 0]) + count(ink[:, -1])
    # The sides of pixels along a line of any direction are longer than it by 4/pi on average.
    return 2 * count(ink) / (sides * math.pi / 4)


def is_lone_stroke(ink: Mask, width: float) -> bool:
    """Whether ink is one nearly straight line in any direction.

    Args:
        ink: bool (h, w), cut to its ink.
        width: of its strokes, in pixels.

    Returns:
        Whether it is.
    """
    places = np.argwhere(ink).astype(np.float32)
    places -= places.mean(axis=0)
    _, axes = np.linalg.eigh(places.T @ places)
    across, along = np.ptp(places @ axes, axis=0) + 1
    straight = along > 2 * width and across - width < _STRAIGHT * along
    return bool(straight) and ndimage.label(ink, np.ones((3, 3)))[1] == 1  # no dot above


def cut_out(strength: Reals, threshold: float) -> Mask:
    """The ink without the paper around it, enlarged where it is small.

    Args:
        strength: float32 (H, W), higher for ink.
        threshold: strength above which a pixel is ink, as one or more are.

    Returns:
        bool (h, w).
    """
    ink = strength > threshold
    rows, columns = box_of(ink)
    side = max(rows.stop - rows.start, columns.stop - columns.start)
    if side >= _LEAST_INK_SIZE:
        return ink[rows, columns]
    # Greys tell where between two pixels an edge runs; those of paper around the box, too.
    around = np.zeros((rows.stop - rows.start + 2, columns.stop - columns.start + 2), np.float32)
    top, left = max(rows.start - 1, 0), max(columns.start - 1, 0)
    greys = strength[top : rows.stop + 1, left : columns.stop + 1]
    row, column = top - rows.start + 1, left - columns.start + 1
    around[row : row + greys.shape[0], column : column + greys.shape[1]] = greys
    np.minimum(around, 2 * threshold, out=around)
    scale = _LEAST_INK_SIZE / side
    size = (math.ceil(around.shape[1] * scale), math.ceil(around.shape[0] * scale))
    large = np.asarray(Image.fromarray(around).resize(size, Image.Resampling.BICUBIC))
    ink = large > min(threshold, float(large.max()) / 2)
    return ink[box_of(ink)]


def box_of(ink: Mask) -> tuple[slice, slice]:
    """The rows and columns from the first ink to the last.

    Args:
        ink: bool (H, W), with one pixel of ink or more.

    Returns:
        Rows and columns.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
