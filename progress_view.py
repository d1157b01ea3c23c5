"""How one training is shown: a live bar at a terminal, a few lines in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from terminal import keys_unseen

if TYPE_CHECKING:
    from rich.console import Console

BAR_LENGTH = 24


class Progress(Protocol):
    """Where a training stands."""

    @property
    def step(self) -> int:
        """Batches done."""

    @property
    def steps(self) -> int:
        """Batches asked for."""


Told = TypeVar("Told", bound=Progress)


class _Lines(Generic[Told]):
    """A line for each of so many parts of the steps, counted anew for each sort of progress."""

    def __init__(self, line_of: Callable[[Told], str], parts: int) -> None:
        self._line_of = line_of
        self._parts = parts
        self._shown: dict[type[Told], int] = {}

    def show(self, progress: Told) -> None:
        part = progress.step * self._parts // progress.steps
        if part > self._shown.get(type(progress), 0):
            self._shown[type(progress)] = part
            print(f"  {self._line_of(progress)}", flush=True)


@contextlib.contextmanager
def make_progress_view(
    console: Console,
    line_of: Callable[[Told], str],
    lines: int,
    print_above: Callable[[Told], None] = lambda progress: None,
) -> Iterator[Callable[[Told], None]]:
    """A view that fits the console: a bar at a terminal, lines in a pipe.

    Args:
        console: where it is shown.
        line_of: says where a training stands, in a line.
        lines: how many a pipe gets in all, evenly over the steps.
        print_above: what a terminal gets above the bar, printed on the console.

    Yields:
        What is told each progress; when it is left, nothing moves any more.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(line_of, lines).show
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(bar_width=BAR_LENGTH)
    with keys_unseen(), Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: Told) -> None:
            bar.update(
                task,
                total=progress.steps,
                completed=progress.step,
                description=line_of(progress),
            )
            print_above(progress)

        yield show
