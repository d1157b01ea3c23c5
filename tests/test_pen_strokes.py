"""Tests of strokes that are thinned to lines and drawn anew with a thin pen."""

from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from image_preparation import THINNEST_STROKE
from pen_strokes import drawn_with_thin_pen, thinned

Array = npt.NDArray[Any]
EVERYWHERE = np.ones((3, 3), np.bool_)


def bar(width: int, rows: slice = slice(4, 24)) -> Array:
    image = np.zeros((28, 28), np.uint8)
    left = 14 - width // 2
    image[rows, left : left + width] = 255
    return image


def ring(inner: float, outer: float) -> Array:
    row, column = np.mgrid[:28, :28] - 13.5
    distance = np.hypot(row, column)
    return np.where((distance >= inner) & (distance <= outer), 255, 0).astype(np.uint8)


def parts(ink: Array) -> int:
    return int(ndimage.label(ink, EVERYWHERE)[1])


def eyes(ink: Array) -> int:
    """Pieces of paper that ink encloses."""
    return int(ndimage.label(~np.pad(ink, 1))[1]) - 1


def stroke_width(image: Array) -> float:
    """Of an upright bar: grey in its middle rows, as pixels of full ink."""
    return float(image[10:18].astype(float).sum() / 8 / 255)


# ------------------------------------------------------------------------- thinning


@pytest.mark.parametrize("width", [1, 2, 3, 6])
def test_a_bar_becomes_a_line_of_one_pixel_in_its_middle(width: int) -> None:
    lines = thinned(bar(width) > 0)
    middle = lines[10:18]
    assert (middle.sum(axis=1) == 1).all()
    assert abs(np.flatnonzero(middle[0])[0] - 13.5) <= 1


def test_a_ring_stays_a_ring_and_two_strokes_stay_two() -> None:
    lines = thinned(ring(5, 10) > 0)
    assert parts(lines) == 1 and eyes(lines) == 1
    two = bar(4, slice(2, 11)) + bar(4, slice(17, 26))
    assert parts(thinned(two > 0)) == 2


def test_many_masks_are_thinned_as_each_alone() -> None:
    masks = np.stack([ring(5, 10), bar(3), bar(7), np.zeros((28, 28), np.uint8)]) > 0
    together = thinned(masks)
    assert all(np.array_equal(thinned(m), t) for m, t in zip(masks, together, strict=True))


@settings(deadline=None)
@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_thinning_takes_ink_away_alone_and_never_parts_what_is_connected(ink: Array) -> None:
    lines = thinned(ink)
    assert lines.shape == ink.shape and not (lines & ~ink).any()
    assert parts(lines) <= parts(ink)
    assert np.array_equal(thinned(lines), lines)


# ------------------------------------------------------------------------- drawing anew


@pytest.mark.parametrize("width", [2, 3, 5, 7])
def test_strokes_of_any_width_are_drawn_equally_wide_in_the_same_place(width: int) -> None:
    drawn = drawn_with_thin_pen(bar(width)[np.newaxis])[0]
    assert stroke_width(drawn) == pytest.approx(THINNEST_STROKE, abs=0.45)
    centre = (drawn[14] @ np.arange(28)) / drawn[14].sum()
    assert centre == pytest.approx((bar(width)[14] @ np.arange(28)) / bar(width)[14].sum(), abs=0.6)
    assert drawn.max() == 255


def test_an_eye_that_was_open_stays_open() -> None:
    small = ring(1.6, 5)
    drawn = drawn_with_thin_pen(small[np.newaxis])[0]
    assert eyes(small > 110) == 1 and eyes(drawn > 110) == 1


def test_paper_and_faint_grey_stay_as_they_are() -> None:
    faint = np.stack([np.zeros((28, 28), np.uint8), np.full((28, 28), 60, np.uint8)])
    assert np.array_equal(drawn_with_thin_pen(faint), faint)
    assert drawn_with_thin_pen(faint[:0]).shape == (0, 28, 28)


def test_images_are_drawn_alike_alone_and_among_many_and_the_given_ones_are_left() -> None:
    images = np.stack([bar(2 + number % 6) for number in range(600)])
    before = images.copy()
    drawn = drawn_with_thin_pen(images)
    assert np.array_equal(images, before)
    assert np.array_equal(drawn[599], drawn_with_thin_pen(images[599:])[0])
    assert np.array_equal(drawn[:6], drawn[6:12])


@settings(deadline=None)
@given(hnp.arrays(np.uint8, st.just((2, 28, 28))))
def test_anything_is_drawn_in_greys(images: Array) -> None:
    drawn = drawn_with_thin_pen(images)
    assert drawn.shape == images.shape and drawn.dtype == np.uint8
