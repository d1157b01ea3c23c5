"""How a hand writes: outlines of a font slanted, bent and thickened, scanned and reduced."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline

from fonts.arrays import Mask, Pixels, Reals
from image_arrays import IMAGE_SIZE

BORDER = 2  # EMNIST's, in pixels of the scan
SCAN_BLUR = 1.0  # EMNIST's sigma, in pixels of the scan
CAPITAL = 100  # height of a capital in the outlines that are varied, in pixels
OVERSAMPLING = 2  # pixels of the warped outline for one of the scan


@dataclasses.dataclass(frozen=True)
class Hand:
    """How one character is written; lengths in pixels of the scan.

    Attributes:
        capital: height of a capital letter.
        pen: width of a stroke.
        slant: sideways shift for each unit of height; positive leans to the right.
        turn: rotation in radians, counter-clockwise.
        stretch: width in relation to the font's.
        bend: size of slow distortions, as a share of the character's length.
        tremor: size of quick distortions, likewise.
    """

    capital: float
    pen: float
    slant: float
    turn: float
    stretch: float
    bend: float
    tremor: float


def random_hand(rng: np.random.Generator) -> Hand:
    """Choose how a character is written; spread and means were fitted to EMNIST.

    Args:
        rng: where the choice comes from.

    Returns:
        The choice.
    """
    return Hand(
        capital=float(np.clip(41 * np.exp(rng.normal(0, 0.2)), 24, 72)),
        pen=float(np.clip(rng.normal(6.0, 1.3), 3.0, 8.5)),
        slant=float(np.clip(rng.normal(0.19, 0.19), -0.35, 0.7)),
        turn=float(np.clip(rng.normal(0, 0.07), -0.2, 0.2)),
        stretch=float(np.clip(np.exp(rng.normal(0.14, 0.13)), 0.75, 1.6)),
        bend=0.04,
        tremor=0.012,
    )


def draw_character(outline: Pixels, hand: Hand, rng: np.random.Generator) -> Pixels:
    """Turn a clean outline into what EMNIST would have made of it in handwriting.

    Args:
        outline: uint8 (any, any), cropped to the ink, at `CAPITAL` pixels to a capital.
        hand: how it is written.
        rng: where the distortions come from.

    Returns:
        uint8 (28, 28), upright, ink 255 on paper 0.
    """
    shape = _warp(outline, hand, rng)
    thick = _with_pen(shape, hand.pen * OVERSAMPLING)
    return emnist_image(_scan(thick))


def _warp(outline: Pixels, hand: Hand, rng: np.random.Generator) -> Mask:
    """Slant, turn, stretch, scale and bend an outline; `OVERSAMPLING` pixels to one of a scan."""
    scale = hand.capital * OVERSAMPLING / CAPITAL
    cos, sin = np.cos(hand.turn), np.sin(hand.turn)
    # Rows (y) grow downwards: a lean to the right shifts the upper, smaller rows to larger x.
    shape = np.array([[1.0, 0.0], [-hand.slant, hand.stretch]])
    forward = scale * np.array([[cos, -sin], [sin, cos]]) @ shape
    height, width = outline.shape
    reach = np.abs(forward) @ np.array([height, width])
    side = int(np.ceil(1.3 * reach.max() + 4 * hand.pen * OVERSAMPLING))
    grid = np.stack(np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2, indexing="ij"))
    length = scale * max(height, width)
    grid = grid + length * (hand.bend * _waves(side, 3, rng) + hand.tremor * _waves(side, 7, rng))
    source = np.tensordot(np.linalg.inv(forward), grid, axes=1)
    source += (np.array([height, width]).reshape(2, 1, 1) - 1) / 2
    warped = ndimage.map_coordinates(outline.astype(np.float32), source, order=1)
    return np.asarray(warped > 127)


def _waves(side: int, knots: int, rng: np.random.Generator) -> Reals:
    """Return a smooth random displacement field, (2, side, side), about one in size."""
    coarse = rng.normal(size=(2, knots, knots))
    weights = CubicSpline(np.arange(knots), np.eye(knots))(np.linspace(0, knots - 1, side))
    return np.asarray(weights @ coarse @ weights.T)


def _with_pen(shape: Mask, pen: float) -> Mask:
    """Give the strokes about the width of a pen, without breaking them or filling their holes."""
    inside = ndimage.distance_transform_edt(shape)
    outside = ndimage.distance_transform_edt(~shape)
    depth = inside - outside
    # Over a long stroke the depth runs evenly from 0 to half its width.
    stroke = 4 * float(inside[shape].mean()) if shape.any() else pen
    growth = (pen - stroke) / 2
    form = _parts(shape), holes(shape)
    for attempt in (growth, 0.6 * growth, 0.3 * growth):
        changed = np.asarray(depth > -attempt)
        if (_parts(changed), holes(changed)) == form:
            return changed
    return shape


def _parts(mask: Mask) -> int:
    return int(ndimage.label(mask, np.ones((3, 3)))[1])


def holes(mask: Mask) -> int:
    """How many holes ink has, such as the two of B.

    Args:
        mask: bool (H, W), True where there is ink.

    Returns:
        0 or more.
    """
    return int(ndimage.label(np.pad(~mask, 1, constant_values=True))[1]) - 1


def _scan(shape: Mask) -> Mask:
    """Reduce to the resolution of NIST's scans, which are black and white."""
    side = -(-shape.shape[0] // OVERSAMPLING)
    padded = np.pad(shape, (0, side * OVERSAMPLING - shape.shape[0])).astype(float)
    blocks = padded.reshape(side, OVERSAMPLING, side, OVERSAMPLING)
    return np.asarray(blocks.mean(axis=(1, 3)) >= 0.5)


def emnist_image(scan: Mask) -> Pixels:
    """Take a black and white scan of one character through the steps that made EMNIST.

    Args:
        scan: bool (any, any), True for ink, with some ink in it.

    Returns:
        uint8 (28, 28), the character centred by its box, its darkest ink 255 on paper 0.
    """
    from PIL import Image

    blurred = ndimage.gaussian_filter(np.pad(scan, 6).astype(float) * 255, SCAN_BLUR).round()
    rows, columns = (np.flatnonzero(blurred.any(axis=axis)) for axis in (1, 0))
    ink = blurred[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = max(ink.shape) + 2 * BORDER
    before = [(side - extent) // 2 for extent in ink.shape]
    square = np.pad(
        ink, [(b, side - b - extent) for b, extent in zip(before, ink.shape, strict=True)]
    )
    size = (IMAGE_SIZE, IMAGE_SIZE)
    step = side / IMAGE_SIZE
    # Sampled rather than averaged: resize() would smooth more than EMNIST's edges show.
    small = Image.fromarray(square.astype(np.float32)).transform(
        size, Image.Transform.AFFINE, (step, 0, 0, 0, step, 0), Image.Resampling.BICUBIC
    )
    grey = np.clip(np.asarray(small, dtype=float), 0, None)
    return np.asarray((255 * grey / grey.max()).round(), dtype=np.uint8)
