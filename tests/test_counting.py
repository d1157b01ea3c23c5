"""Tests of numbers in sentences."""

import pytest

from counting import counted, in_runs


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1234567, "1,234,567 images")],
)
def test_a_number_agrees_with_what_it_counts(count: int, said: str) -> None:
    assert counted(count, "image") == said


def test_what_has_a_plural_of_its_own_is_counted_in_it() -> None:
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([4], "4"),
        ([0, 1, 2], "0 to 2"),
        ([0, 2, 3, 9], "0, 2 to 3, 9"),
        ([0, 2, 4, 6, 8], "0, 2, 4, 6 and 1 other"),
        ([0, 2, 4, 6, 8, 9, 12], "0, 2, 4, 6 and 3 others"),
    ],
)
def test_numbers_that_follow_each_other_are_told_by_their_ends(
    numbers: list[int], said: str
) -> None:
    assert in_runs(numbers) == said
