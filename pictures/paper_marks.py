"""What paper has beside its letter: shadows with an edge, a dark table in a corner, ruled lines.

A letter that is cut out to its edges reaches them with thick strokes and with straight ones, too.
So whoever takes such marks away has to see that a letter is left, and that it reaches no edge.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pictures.arrays import Mask, Reals
from pictures.image_polarity import border_of

_WIDEST_STROKE = 0.2  # of a pen, as a share of the picture's longer side
_LEAST_LIGHT = 0.05  # where the picture goes from 0 to 1
_DARKER = 0.1  # by which ink differs from paper in a shadow, where the picture goes from 0 to 1
_NEAR = 0.05  # how far parts of one letter may lie apart, as a share of the picture's longer side
_MOST_EDGES = 2  # that marks touch; a letter that was cut out touches more
_RIM = 0.1  # of a picture, as a share of its longer side
_LEAST_LETTER = 1 / 8  # height and width, as a share of the picture's longer side
_LEAST_SHEET_SIDE = 48  # of a picture in which a sheet lies, in pixels
_LEAST_SHEET = 0.15  # area of a sheet, as a share of the picture
_MOST_WRITTEN = 0.3  # area of what is written on it, as a share of the sheet
_RECTANGULAR = 0.93  # share of the rectangle around it that a sheet fills
_SHEET_RIM = 0.01  # what of a sheet is left out, as a share of the picture's longer side
_RUN = 1 / 8  # of a ruled line that stays in its row of pixels, as a share of the picture's width
_LARGEST_GAP = 0.01  # in a line, where another one crosses it, as a share of the picture's width
_THICKEST_LINE = 0.03  # as a share of the picture's longer side
_MOST_SLANT = 0.1  # how far a line may rise, as a share of its length


def reaches_edge_broadly(ink: Mask) -> bool:
    """Whether ink, going on beyond the edges, has there what is wider than strokes are.

    Args:
        ink: bool (H, W).

    Returns:
        Whether it has.
    """
    window = _stroke(ink.shape)
    wide = _opened(np.pad(ink, window, mode="edge"), (window, window))
    return bool(wide[window:-window, window:-window][border_of(ink.shape)].any())


def light_on_paper(picture: Reals) -> Reals:
    """The light that falls on paper with dark ink, also where a shadow has an edge.

    At a place it is the picture's closing (the least of the greatest around it), which strokes
    narrower than its window do not reach.

    Args:
        picture: Values (H, W) from 0 to 1.

    Returns:
        Values (H, W) from a little above 0 to 1.
    """
    window = _stroke(picture.shape)
    # Beyond the edges all goes on, or the window would not fit into corners of a shadow there.
    light = ndimage.grey_closing(np.pad(picture, window, mode="edge"), size=(window, window))
    inside = light[window:-window, window:-window]
    return np.asarray(np.maximum(inside, _LEAST_LIGHT), np.float32)


def is_darker_than_shadow(ink: Mask, picture: Reals, light: Reals) -> bool:
    """Whether ink is darker than the darker half of the paper; else both may be one letter.

    Args:
        ink: Which pixels (H, W) are taken for ink.
        picture: Values (H, W) from 0 to 1.
        light: Of `light_on_paper`.

    Returns:
        Whether it is.
    """
    shadow = light < (light.max() + light.min()) / 2
    return bool(shadow.any() and np.median(picture[ink]) < np.median(light[shadow]) - _DARKER)


def is_inside(ink: Mask) -> bool:
    """Whether there is ink, and none of it at an edge of the picture.

    Args:
        ink: bool (H, W).

    Returns:
        Whether that is so.
    """
    return bool(ink.any() and not ink[border_of(ink.shape)].any())


def sheet_on_table(ink: Mask, picture: Reals) -> Mask | None:
    """The sheet (H, W) of a picture whose table all around was taken for paper, its rim left out.

    It is a light rectangle, be it askew, with little that is no ink, which then is what is written
    on it. None where the ink (H, W) is no such thing.

    Args:
        ink: bool (H, W).
        picture: float32 (H, W), from 0 to 1.

    Returns:
        bool (H, W), True on the sheet; None where there is none.
    """
    if min(ink.shape) < _LEAST_SHEET_SIDE or np.count_nonzero(ink) < _LEAST_SHEET * ink.size:
        return None
    labels, _ = ndimage.label(ink)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    piece = labels == areas.argmax()
    filled = ndimage.binary_fill_holes(piece)
    area, written = np.count_nonzero(filled), np.count_nonzero(filled & ~piece)
    if not _LEAST_SHEET * ink.size <= area < ink.size or not 0 < written <= _MOST_WRITTEN * area:
        return None
    is_light = picture[piece].mean() > picture[~filled].mean()
    if not is_light or area < _RECTANGULAR * _least_rectangle(filled):
        return None
    rim = max(2, int(_SHEET_RIM * max(ink.shape)))
    return np.asarray(ndimage.distance_transform_edt(filled) > rim)


def _least_rectangle(piece: Mask) -> float:
    """The area of the smallest rectangle around a piece (H, W), at any angle."""
    edge = piece & ~ndimage.binary_erosion(piece)
    rows, columns = np.nonzero(edge)
    angles = np.radians(np.arange(-45, 45))[:, None]
    across = np.ptp(np.cos(angles) * columns + np.sin(angles) * rows, axis=1) + 1
    down = np.ptp(np.cos(angles) * rows - np.sin(angles) * columns, axis=1) + 1
    return float((across * down).min())


def at_edges(ink: Mask) -> Mask:
    """The pieces of ink at the edges, where the rest is none of them.

    All False where the rest is so near that it may be a part of them. Letters that were cut out
    reach most edges, so pieces at more than two are marks only if they are like a table around a
    sheet, and the rest, which might be a bar of Ξ, is wide and high.

    Args:
        ink: bool (H, W).

    Returns:
        bool (H, W), True on the pieces.
    """
    labels, _ = ndimage.label(ink, np.ones((3, 3)))
    found = np.unique(labels[border_of(ink.shape)])
    pieces = np.isin(labels, found[found > 0])
    rest = ink & ~pieces
    touched = sum(bool(line.any()) for line in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))
    is_letter = touched <= _MOST_EDGES or (_is_around(pieces) and _is_wide_and_high(rest))
    near = ndimage.maximum_filter(rest, _square(_NEAR, ink.shape), mode="constant")
    return pieces if is_letter and not (near & pieces).any() else np.zeros_like(ink)


def _is_around(pieces: Mask) -> bool:
    """Whether pieces (H, W) are broad, or keep to the edges."""
    rim = max(1, int(_RIM * max(pieces.shape)))
    return bool(_opened(pieces, (rim, rim)).any() or not pieces[rim:-rim, rim:-rim].any())


def _is_wide_and_high(ink: Mask) -> bool:
    least = _LEAST_LETTER * max(ink.shape)
    return all(np.ptp(np.flatnonzero(ink.any(axis))) >= least for axis in (0, 1) if ink.any())


def ruling(ink: Mask) -> Mask:
    """The pixels of lines that run straight from one edge of the picture to the other.

    Where a stroke crosses a line, what they share is the stroke's.

    Args:
        ink: bool (H, W).

    Returns:
        bool (H, W), True on the lines.
    """
    return _lines(ink) | _lines(ink.T).T


def _lines(ink: Mask) -> Mask:
    """The pixels (H, W) of lines from the left edge to the right."""
    width = ink.shape[1]
    gap = max(3, int(_LARGEST_GAP * width))
    bridged = ndimage.grey_closing(np.pad(ink, ((0, 0), (gap, gap)), mode="edge"), (1, gap))
    straight = _opened(bridged[:, gap:-gap], (1, max(3, int(_RUN * width))))
    labels, _ = ndimage.label(straight, np.ones((3, 3)))
    whole = np.intersect1d(labels[:, 0], labels[:, -1])
    thickest = max(2, int(_THICKEST_LINE * max(ink.shape)))
    lines = np.zeros_like(ink)
    for label in whole[whole > 0]:
        line = labels == label
        rows = np.flatnonzero(line.any(axis=1))
        thickness = line.sum(axis=0)
        usual = np.quantile(thickness, 0.1)
        is_thin = usual <= thickest and np.ptp(rows) <= _MOST_SLANT * width + thickest
        if is_thin and rows[0] > 0 and rows[-1] < len(ink) - 1:
            lines |= line & (thickness <= 2 * usual)  # where it is thicker, a stroke lies on it
    if not lines.any():
        return lines
    lines = ndimage.maximum_filter(lines, (3, 1)) & ink  # soft edges
    crossing = ndimage.binary_closing(ink & ~lines, np.ones((2 * thickest + 3, 1)))
    return np.asarray(lines & ~crossing)


def _opened(ink: Mask, size: tuple[int, int]) -> Mask:
    """What is left of ink (H, W): wherever a rectangle of that size fits into it."""
    eroded = ndimage.minimum_filter(ink, size, mode="constant")
    # The mirror image of a rectangle of even sides has its middle elsewhere.
    origin = [-1 if extent % 2 == 0 else 0 for extent in size]
    return np.asarray(ndimage.maximum_filter(eroded, size, mode="constant", origin=origin))


def _stroke(shape: tuple[int, ...]) -> int:
    return max(3, int(_WIDEST_STROKE * max(shape)))


def _square(share: float, shape: tuple[int, ...]) -> tuple[int, int]:
    """A window that reaches so far, as a share of a picture's longer side, in all directions."""
    side = 2 * max(1, int(share * max(shape))) + 1
    return side, side
