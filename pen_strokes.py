"""Handwriting as if it had been written with a thin pen: strokes thinned to lines, and drawn anew.

Pictures of one's own come so (`image_preparation`), while most of EMNIST was written with thicker
pens; a network that learns from both reads both. Where a fat stroke was, thinning leaves what a
thin pen would have left: no serifs of blots, no closed eyes.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from image_preparation import EDGE_BLUR, IMAGE_SIZE, THINNEST_STROKE

Images: TypeAlias = npt.NDArray[np.uint8]
Masks: TypeAlias = npt.NDArray[np.bool_]

_FINER = 2  # strokes are thinned in so many times as many pixels along each side
_SIDE = _FINER * IMAGE_SIZE
_SMOOTHING = 0.6  # standard deviation in pixels of the 28, against whiskers of the thinned lines
_AROUND = 2.0  # standard deviation in pixels of the 28, of what a pixel is compared with
_SHARPENING = 1.5  # times the difference from what is around is added, which opens closing eyes
_INK = 110  # of 255, from where a sharpened pixel is ink
_BLOCK = 256  # images at once


def drawn_with_thin_pen(images: Images) -> Images:
    """Thin the strokes of images to lines, and draw these as wide as `image_preparation` does.

    Args:
        images: uint8 (N, 28, 28), ink 255 on paper 0.

    Returns:
        uint8 (N, 28, 28); an image without ink that lasts stays as it is.
    """
    blocks = [_drawn(images[start : start + _BLOCK]) for start in range(0, len(images), _BLOCK)]
    return np.concatenate(blocks) if blocks else images.copy()


def _drawn(images: Images) -> Images:
    near, around = _enlarged(images, _SMOOTHING), _enlarged(images, _AROUND)
    lines = thinned(np.greater(near + _SHARPENING * (near - around), _INK))
    small = _reducing() @ _widened(lines) @ _reducing().T
    strongest = small.max(axis=(1, 2), keepdims=True)
    drawn = np.clip(255 * small / np.maximum(strongest, 1e-6), 0, 255).round().astype(np.uint8)
    has_lines = np.any(lines, axis=(1, 2), keepdims=True)
    return np.where(has_lines, drawn, images)


def _enlarged(images: Images, spread: float) -> npt.NDArray[np.float32]:
    """Images (N, 56, 56) in finer pixels, smoothed by a normal distribution."""
    weights = _enlarging(spread)
    enlarged: npt.NDArray[np.float32] = weights @ images.astype(np.float32) @ weights.T
    return enlarged


def _widened(lines: Masks) -> npt.NDArray[np.float32]:
    """Lines (N, H, W) drawn with a round pen; at its edge, pixels are as grey as they are cut."""
    radius = THINNEST_STROKE * _FINER / 2
    reach = math.ceil(radius)
    height, width = lines.shape[1:]
    framed = np.pad(lines.view(np.uint8), ((0, 0), (reach, reach), (reach, reach)))
    drawn = np.zeros(lines.shape, np.uint8)
    for down, right in itertools.product(range(-reach, reach + 1), repeat=2):
        covered = min(max(radius + 0.5 - math.hypot(down, right), 0), 1)
        if covered:
            top, left = reach + down, reach + right
            moved = framed[:, top : top + height, left : left + width]
            np.maximum(drawn, moved * np.uint8(round(255 * covered)), out=drawn)
    return drawn.astype(np.float32)


@functools.cache
def _enlarging(spread: float) -> npt.NDArray[np.float32]:
    """Weights (2 * 28, 28) that enlarge a row and smooth it by a normal distribution."""
    places = (np.arange(_SIDE) + 0.5) / _FINER - 0.5
    return _smoothing(places[:, None] - np.arange(IMAGE_SIZE), spread)


@functools.cache
def _reducing() -> npt.NDArray[np.float32]:
    """Weights (28, 2 * 28) that reduce a row, its edges as smooth as in `image_preparation`."""
    places = (np.arange(_SIDE) + 0.5) / _FINER - 0.5
    return _smoothing(np.arange(IMAGE_SIZE)[:, None] - places, EDGE_BLUR)


def _smoothing(distances: npt.NDArray[np.floating], spread: float) -> npt.NDArray[np.float32]:
    weights = np.exp(-((distances / spread) ** 2) / 2)
    shares: npt.NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def thinned(ink: Masks) -> Masks:
    """Lines of one pixel in the middle of strokes (Zhang and Suen 1984).

    Args:
        ink: bool (..., H, W), one mask or many.

    Returns:
        bool of the same shape. Nothing connected is parted; squares of four pixels go as a whole.
    """
    frame = [(0, 0)] * (ink.ndim - 2) + [(1, 1), (1, 1)]
    padded = np.pad(ink, frame)
    stack = padded.reshape(-1, *padded.shape[-2:])
    unfinished = np.arange(len(stack))
    while unfinished.size:
        block = stack[unfinished]
        before = block.sum(axis=(1, 2))
        for removable in _removable():
            block &= ~removable[_neighbours(block)]
        stack[unfinished] = block
        unfinished = unfinished[block.sum(axis=(1, 2)) < before]
    return stack.reshape(padded.shape)[..., 1:-1, 1:-1]


# The eight neighbours in the order in which Zhang and Suen go round: north first, then clockwise.
_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _neighbours(ink: Masks) -> Images:
    """Which of a pixel's neighbours are ink, a bit for each of `_RING`: uint8 (N, H, W)."""
    bits = ink.view(np.uint8)
    around = np.zeros(ink.shape, np.uint8)
    inside = around[:, 1:-1, 1:-1]
    height, width = ink.shape[1:]
    for bit, (down, right) in enumerate(_RING):
        inside |= bits[:, 1 + down : height - 1 + down, 1 + right : width - 1 + right] << bit
    return around


@functools.cache
def _removable() -> tuple[Masks, Masks]:
    """For each of the two passes, whether ink with such neighbours goes: bool (256,)."""
    ring = (np.arange(256)[:, None] >> np.arange(8)) & 1 == 1
    north, east, south, west = (ring[:, place] for place in (0, 2, 4, 6))
    count = ring.sum(axis=1)
    crossings = (~ring & np.roll(ring, -1, axis=1)).sum(axis=1)
    on_edge = (count >= 2) & (count <= 6) & (crossings == 1)
    return (
        on_edge & ~(north & east & south) & ~(east & south & west),
        on_edge & ~(north & east & west) & ~(north & south & west),
    )
