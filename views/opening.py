"""How the reading of a data set is shown at a terminal, where it takes its time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from counting import counted
from data_formats.problems import shown_name
from terminal import keys_unseen, make_console

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE = 0.5  # seconds before anything is shown
BETWEEN = 0.2  # seconds from one figure to the next


@contextlib.contextmanager
def show_reading(path: Path) -> Iterator[Callable[[int], None]]:
    """Show how many images of a data set were made ready.

    Args:
        path: the data set.

    Yields:
        What is told the number; it shows nothing in a pipe, nor where all is soon over.
    """
    if not sys.stdout.isatty():
        yield lambda count: None
        return
    with contextlib.ExitStack() as stack:
        yield _Shown(path, stack).tell


class _Shown:
    """A line that moves, from when it is worth its while."""

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        self._name = shown_name(path)
        self._stack = stack
        self._next = time.monotonic() + PATIENCE
        self._status: Status | None = None

    def tell(self, count: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + BETWEEN
        line = f"Reading {self._name}: {counted(count, 'image')} ..."
        if self._status:
            self._status.update(line)
        else:
            self._stack.enter_context(keys_unseen())
            self._status = self._stack.enter_context(make_console().status(line))
