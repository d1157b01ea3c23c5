"""How many steps of a training Keras makes at each call."""

from __future__ import annotations


def steps_in_a_call(steps: int, most: int) -> int:
    """As many as may be without one step too many at the end.

    Args:
        steps: of the whole training, at least 1.
        most: that a call may make, at least 1.

    Returns:
        The largest divisor of `steps` that is not above `most`.
    """
    return max(number for number in range(1, most + 1) if steps % number == 0)
