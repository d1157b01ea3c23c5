"""Tests of how many steps a call makes."""

import pytest

from gan.calls import steps_in_a_call


@pytest.mark.parametrize(
    ("steps", "most", "expected"),
    [(100, 25, 25), (60, 25, 20), (26, 25, 13), (6, 25, 6), (29, 25, 1), (7, 1, 1), (1, 25, 1)],
)
def test_a_call_makes_as_many_steps_as_come_out_even(steps: int, most: int, expected: int) -> None:
    assert steps_in_a_call(steps, most) == expected
