"""Tests of confidence intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.intervals import Proportion, wilson


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_in_print(right: int, images: int, low: float, high: float) -> None:
    found = wilson(right, images)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_in_its_interval_and_that_between_0_and_1(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    assert 0 <= found.low <= found.share <= found.high <= 1
    assert found.low < found.high


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_right_and_wrong_mirror_each_other(counts: tuple[int, int]) -> None:
    right, images = counts
    found, mirrored = wilson(right, images), wilson(images - right, images)
    assert math.isclose(found.low, 1 - mirrored.high, abs_tol=1e-12)


def test_more_images_make_the_interval_shorter() -> None:
    lengths = [found.high - found.low for found in (wilson(9 * n, 10 * n) for n in (1, 10, 100))]
    assert lengths == sorted(lengths, reverse=True)


def test_the_share_is_that_of_the_counts() -> None:
    assert Proportion(3, 4, 0.0, 1.0).share == 0.75


@pytest.mark.parametrize(("right", "images"), [(0, 0), (-1, 5), (6, 5), (0, -1)])
def test_what_is_no_share_is_refused(right: int, images: int) -> None:
    with pytest.raises(ValueError, match=f"{right} of {images} images"):
        wilson(right, images)
