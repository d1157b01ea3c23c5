"""Frames and strips along the sides of a picture: edges of a scan, a dark table, a drawn border.

A letter that is cut out to its edges has straight strokes along them, too. So a frame is cut off
only where paper lies between it and all else, along the whole of its length.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pictures.arrays import Reals

_WIDEST = 0.1  # of a frame, as a share of the picture's shorter side
_ASKEW = 0.02  # how far its inner edge may be soft or slant, as a share of the shorter side
_LEAST_PAPER = 2  # lines of paper that must follow
_CONTRAST = 0.15  # least difference from paper, where the picture goes from 0 to 1
_ALL = 0.98  # share of the pixels that are as good as all
_HALF = 0.5
_SIDES = range(4)  # top, bottom, left, right


def without_frame(picture: Reals) -> Reals:
    """Cut off strips along the sides that are unlike the paper behind them.

    Args:
        picture: Values (H, W) from 0 to 1.

    Returns:
        The part that is left, or the picture itself where nothing is to be cut off.
    """
    paper = float(np.median(picture))
    widths = [_width(lines, paper) for lines in _sides(picture)]
    while any(widths):
        cuts = [_cut(picture, side, widths, paper, _ALL) for side in _SIDES]
        touched = [side for side in _SIDES if widths[side] and not cuts[side]]
        if all(widths) and len(touched) == 1:
            # Strokes that close around a letter are those of a frame, which it may touch.
            cuts[touched[0]] = _cut(picture, touched[0], widths, paper, _HALF)
        left = [width if cut else 0 for width, cut in zip(widths, cuts, strict=True)]
        if left == widths:
            top, bottom, before, after = cuts
            height, width = picture.shape
            return picture[top : height - bottom, before : width - after]
        widths = left
    return picture


def _sides(picture: Reals) -> tuple[Reals, ...]:
    """The picture seen from the top, bottom, left and right: the first line is at the edge."""
    return picture, picture[::-1], picture.T, picture.T[::-1]


def _width(lines: Reals, paper: float) -> int:
    """How many lines at the edge are unlike paper all along; 0 where they are too many."""
    widest = int(_WIDEST * min(lines.shape))
    level = float(np.median(lines[0]))
    if abs(level - paper) < _CONTRAST:
        return 0
    unlike = ~_is_paper(lines[: widest + 1], level, paper)
    whole = unlike.mean(axis=1) >= _ALL
    return 0 if whole.all() else int(whole.argmin())


def _cut(picture: Reals, side: int, widths: list[int], paper: float, share: float) -> int:
    """How many lines are to be cut off at a side, where frames are so wide; 0 for none.

    Behind them, such a share of each line is paper.
    """
    if not widths[side]:
        return 0
    lines = _sides(picture)[side]
    soft = max(1, int(_ASKEW * min(picture.shape)))
    across = widths[2:] if side < 2 else widths[:2]  # of the frames at the ends of its lines
    first, last = (width + soft if width else 0 for width in across)
    inner = lines[: widths[side] + soft + _LEAST_PAPER, first : lines.shape[1] - last]
    level = float(np.median(lines[0]))
    clear = _is_paper(inner, level, paper).mean(axis=1) >= share
    for depth in range(widths[side], widths[side] + soft + 1):
        if len(clear) >= depth + _LEAST_PAPER and clear[depth : depth + _LEAST_PAPER].all():
            return depth
    return 0


def _is_paper(lines: Reals, level: float, paper: float) -> npt.NDArray[np.bool_]:
    """Which pixels are nearer to paper than to a frame of that level."""
    return np.asarray(np.abs(lines - paper) < np.abs(lines - level))
