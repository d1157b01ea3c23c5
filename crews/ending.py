"""How trainings that a crew has under way end: after a stop, and after defects of the program."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

PAUSE = 0.1  # seconds between two looks at whether to stop
GRACE = 3.0  # seconds in which a crew may end by itself


class TrainingDefect(Exception):
    """Trainings raised exceptions that are defects of the program; holds their tracebacks."""


def defect_of(first: str, tracebacks: Iterable[tuple[str, str]]) -> TrainingDefect:
    """One exception for all that trainings raised.

    Args:
        first: the training that raised one first, and what.
        tracebacks: a training's name and its traceback, as Python prints it, one or more.

    Returns:
        The exception, with the tracebacks as notes.
    """
    defect = TrainingDefect(first)
    for name, traceback in tracebacks:
        defect.add_note(f"\n{name}:\n{traceback}")
    return defect


def grouped_by_reason(failures: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Names of what failed, under the reasons.

    Args:
        failures: the name and the reason of each.

    Returns:
        For each reason, in the order in which they first come, the names in theirs.
    """
    names: dict[str, list[str]] = {}
    for name, reason in failures:
        names.setdefault(reason, []).append(name)
    return names


def work_within_grace(is_running: Callable[[], bool], work: Callable[[float], None]) -> None:
    """Hear for a little while of trainings that were asked to stop.

    Args:
        is_running: whether any is still under way.
        work: waits for news for so many seconds, and tells them.
    """
    latest = time.monotonic() + GRACE
    while is_running() and time.monotonic() < latest:
        work(PAUSE)
