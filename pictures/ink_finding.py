"""Where the ink of a picture is: not in frames, shadows or ruled lines, nor on the table around."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pictures import paper_marks
from pictures.arrays import Mask, Reals
from pictures.ink_masks import box_of, cut_out, without_specks
from pictures.ink_strength import from_0_to_1, ink_strength, ink_threshold
from pictures.picture_frame import without_frame
from pictures.two_greys import ink_of_two_greys, ink_that_fills

_LEAST_MARKED = 48  # shorter side of pictures in which strokes and marks can be told apart
_LEAST_LETTER = 1 / 8  # longer side of a letter within a frame, as a share of the picture's


def ink_within_frame(whole: Reals) -> Mask | None:
    """Find the ink of a picture, which may have a frame around it.

    Args:
        whole: float32 (H, W), from 0 to 1.

    Returns:
        bool (h, w), without the paper around the ink, or None where there is no ink.
    """
    ink = ink_that_fills(whole)
    if ink is not None:
        return ink
    inside = without_frame(whole)
    if inside is not whole:
        # What is left of a letter whose strokes were taken for a frame is next to nothing.
        ink = _ink(from_0_to_1(inside), _LEAST_LETTER * max(whole.shape))
    if ink is None:
        ink = _ink(whole)
    return ink_of_two_greys(whole) if ink is None else ink


def _ink(picture: Reals, least_side: float = 0) -> Mask | None:
    """The ink (h, w) of a picture without the paper around it, or None where there is none."""
    strength, threshold = _without_marks(picture)
    if threshold <= 0:
        return None
    sheet = paper_marks.sheet_on_table(strength > threshold, picture)
    on_sheet = None if sheet is None else _ink(from_0_to_1(_cut_to(sheet, picture)), least_side)
    if on_sheet is not None:
        return on_sheet
    rows, columns = box_of(strength > threshold)
    if max(rows.stop - rows.start, columns.stop - columns.start) < least_side:
        return None
    return cut_out(strength, threshold)


def _cut_to(sheet: Mask, picture: Reals) -> Reals:
    """The part (h, w) of a picture around a sheet, which goes on where the table is."""
    box = box_of(sheet)
    nearest = ndimage.distance_transform_edt(
        ~sheet[box], return_distances=False, return_indices=True
    )
    return np.asarray(picture[box][tuple(nearest)])


def _without_marks(picture: Reals) -> tuple[Reals, float]:
    """How much each pixel is ink (H, W), and the threshold; 0 where there is none.

    Marks beside the letter are no ink where a letter is left without them.
    """
    strength, noise = ink_strength(picture)
    threshold = ink_threshold(strength, noise)
    if min(picture.shape) < _LEAST_MARKED:
        return (without_specks(strength, threshold) if threshold > 0 else strength), threshold
    if threshold <= 0 or paper_marks.reaches_edge_broadly(strength > threshold):
        light = paper_marks.light_on_paper(picture)
        even, noise = ink_strength(np.minimum(picture / light, 1))
        least = ink_threshold(even, noise)
        if least > 0:
            even = _cleared(even, least)
            ink = even > least
            if _is_letter(ink) and paper_marks.is_darker_than_shadow(ink, picture, light):
                return even, least
    return (_cleared(strength, threshold) if threshold > 0 else strength), threshold


def _cleared(strength: Reals, threshold: float) -> Reals:
    """The strength (H, W), 0 at specks, and at marks where a letter is left without them."""
    for marks_in in (paper_marks.ruling, paper_marks.at_edges):
        marks = marks_in(strength > threshold)
        left = np.where(marks, np.float32(0), strength)
        if marks.any() and (left > threshold).any():
            is_letter = _is_letter(without_specks(left, threshold) > threshold)
            strength = left if is_letter else strength
    return without_specks(strength, threshold)


def _is_letter(ink: Mask) -> bool:
    """Whether ink (H, W) is large enough, and not at an edge."""
    if not paper_marks.is_inside(ink):
        return False
    sides = (part.stop - part.start for part in box_of(ink))
    return bool(max(sides) >= _LEAST_LETTER * max(ink.shape))
