"""How far each pixel of a picture is from its paper towards ink, and from where on it is ink.

Paper is one grey, or light that changes smoothly; what the border and most of a picture are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from pictures.arrays import Reals
from pictures.image_polarity import border_of

_MOST_SIDE = 640  # larger pictures are reduced before anything else
_GRID = 24  # cells across, in which the light on the paper is fitted
FIT_ROUNDS = 15  # in which a fit settles, be it of light or of two greys
_BETTER = 0.6  # by what light that changes must at least lower the differences from even paper
EVEN = 1e-3  # paper differing by less, from 0 to 1, is lit evenly
_LOUD = 0.02  # from so much noise, from 0 to 1, a picture is smoothed
_SMOOTHING = 1 / 300  # standard deviation as a share of the longer side
LEAST_SMOOTHING = 0.5  # in pixels
_NOISE = 4.5  # deviations of paper from which a pixel may be ink
_INK = 5.5  # deviations of paper that ink has on average, or it is none
_DARKEST_PAPER = 0.2  # as a share of the lightest, where contrast is evened out


def bounded(picture: npt.NDArray[Any]) -> Reals:
    """A picture as real numbers, large ones reduced.

    Args:
        picture: (H, W), of any real type and range; no side is empty.

    Returns:
        float32 (h, w), from 0 to 1, all 0 where the picture is one flat grey.

    Raises:
        ValueError: The picture is not two-dimensional, is empty, or holds infinity or NaN.
    """
    if picture.ndim != 2 or not picture.size:
        raise ValueError(f"a picture has the shape {picture.shape}, not (height, width)")
    if picture.dtype != np.uint8:
        if not np.isfinite(picture).all():
            raise ValueError("a picture holds values that are no finite numbers")
        # before the reduction, where large numbers would lose their differences
        picture = from_0_to_1(picture.astype(np.float64))
    factor = -(-max(picture.shape) // _MOST_SIDE)
    if factor > 1:
        height, width = picture.shape
        factors = (min(factor, width), min(factor, height))
        picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).reduce(factors))
    return from_0_to_1(picture.astype(np.float32))


def from_0_to_1(picture: npt.NDArray[Any]) -> Reals:
    """Values of any range stretched to 0 to 1.

    Args:
        picture: (H, W), of any numeric type.

    Returns:
        float32 (H, W); all 0 where the values are all the same.
    """
    scale = picture.max() / 2 - picture.min() / 2  # halves, which cannot overflow
    if not scale > 0:
        return np.zeros(picture.shape, np.float32)
    return np.asarray((picture / 2 - picture.min() / 2) / scale, np.float32)


def ink_strength(picture: Reals) -> tuple[Reals, float]:
    """Tell how far each pixel is from the paper towards ink.

    Args:
        picture: float32 (H, W), from 0 to 1.

    Returns:
        The distances, float32 (H, W), 0 or more; and the deviation of paper's own.
    """
    unlike = unlike_paper(picture)
    noise = _noise(unlike)
    if noise > _LOUD:
        spread = max(_SMOOTHING * max(picture.shape), LEAST_SMOOTHING)
        unlike = ndimage.gaussian_filter(unlike, spread)
        noise = _noise(unlike)
    return np.maximum(unlike, 0), noise


def unlike_paper(picture: Reals, smooth: Reals | None = None) -> Reals:
    """The difference of each pixel from paper, above 0 for ink.

    What is paper, and which side of it is ink, a smoothed picture tells better, where it is given.

    Args:
        picture: float32 (H, W).
        smooth: the same picture smoothed, float32 (H, W).

    Returns:
        float32 (H, W).
    """
    paper = _paper(picture if smooth is None else smooth)
    unlike = (picture if smooth is None else smooth) - paper
    is_light = np.sum(unlike * unlike * unlike, dtype=np.float64) > 0
    unlike = picture - paper
    if is_light:
        return unlike
    # Where there is less light, ink and paper are nearer to each other in the same proportion.
    lightest = max(float(paper.max()), EVEN)
    light = np.maximum(paper, _DARKEST_PAPER * lightest)
    return np.asarray(-unlike * (lightest / light))


def _noise(unlike: Reals) -> float:
    """The standard deviation of paper, told from what is even less like ink than paper is."""
    place = int(0.16 * unlike.size)  # normal values are one deviation below the mean there
    return max(-float(np.partition(unlike, place, axis=None)[place]), 0)


def _paper(picture: Reals) -> Reals:
    """What the picture would be without ink, (H, W): one grey, or light that changes smoothly.

    Either has the least sum of absolute differences, which ink on less than half of the picture
    hardly moves. The border counts as much as all the rest.
    """
    rows, columns = (min(extent, _GRID) for extent in picture.shape)
    box = Image.Resampling.BOX
    cells = np.asarray(Image.fromarray(picture).resize((columns, rows), box), np.float64)
    border = border_of((rows, columns))
    share = np.where(border, max(rows * columns / border.sum() - 1, 1), 1)
    order = np.argsort(cells, axis=None)
    middle = np.searchsorted(np.cumsum(share.ravel()[order]), share.sum() / 2)
    even = float(cells.ravel()[order[middle]])
    unlike = np.abs(cells - even)
    if share[unlike < EVEN].sum() < share.sum() / 2:
        surface = _surface(cells, share)
        fitted = _powers(rows) @ surface @ _powers(columns).T
        # A letter that fills the picture can be bent to, too, but not so closely as light.
        if np.sum(share * np.abs(cells - fitted)) < _BETTER * np.sum(share * unlike):
            height, width = picture.shape
            return (_powers(height) @ surface @ _powers(width).T).astype(np.float32)
    return np.full(picture.shape, even, np.float32)


def _surface(
    cells: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Coefficients (3, 3) of the surface of the second degree that is nearest to cells (h, w)."""
    down, across = (_powers(extent) for extent in cells.shape)
    kinds = [(i, j) for i in range(3) for j in range(3 - i)]
    terms = np.stack([np.outer(down[:, i], across[:, j]).ravel() for i, j in kinds], axis=1)
    values, weights = cells.ravel(), share.ravel()
    ridge = 1e-6 * share.sum() * np.eye(len(kinds))  # for pictures of one or two rows or columns
    for _ in range(FIT_ROUNDS):  # least squares, weighed until they are least absolutes
        weighted = terms.T * weights
        fitted = np.linalg.solve(weighted @ terms + ridge * weights.mean(), weighted @ values)
        weights = share.ravel() / (np.abs(terms @ fitted - values) + EVEN)
    surface = np.zeros((3, 3))
    surface[tuple(np.transpose(kinds))] = fitted
    return surface


def _powers(count: int) -> npt.NDArray[np.float64]:
    """1, x and x squared (count, 3) in the middles of cells from -1 to 1."""
    middles = (2 * np.arange(count) + 1) / count - 1
    return middles[:, None] ** np.arange(3)


def ink_threshold(strength: Reals, noise: float) -> float:
    """Where ink begins (Ridler and Calvard 1978).

    Args:
        strength: float32 (H, W), 0 or more, as of `ink_strength`.
        noise: the deviation of paper's own.

    Returns:
        The strength halfway between paper, at 0, and the mean of ink; 0 where there is no ink.
    """
    ordered = np.sort(strength, axis=None)
    least, threshold = _NOISE * noise, math.inf
    lower = float(ordered[-1]) / 2
    while lower < threshold:  # it falls, or ends
        threshold = lower
        ink = ordered[np.searchsorted(ordered, threshold, side="right") :]
        strongest = float(ink.mean()) if len(ink) else 0.0
        lower = max(strongest / 2, least)
    return threshold if strongest > _INK * noise and strongest > EVEN else 0.0
