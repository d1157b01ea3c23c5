"""How many of something there are, in words."""

from __future__ import annotations

from collections.abc import Sequence

RUNS_SHOWN = 4


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with what it counts, such as `1 image` or `2,000 images`.

    Args:
        count: how many.
        one: what one of them is called.
        many: what several of them are called; None adds an s.

    Returns:
        The words, with commas between thousands.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def in_runs(numbers: Sequence[int]) -> str:
    """Numbers in a few words, such as `0 to 4, 7 and 12 others`.

    Args:
        numbers: one or more, which rise.

    Returns:
        The words; runs beyond the first few are only counted.
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs[:RUNS_SHOWN]]
    others = sum(len(run) for run in runs[RUNS_SHOWN:])
    return ", ".join(shown) + (f" and {counted(others, 'other')}" if others else "")
