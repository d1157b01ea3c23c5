"""How one training, or several, are shown: live bars at a terminal, a few lines in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from terminal import keys_unseen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

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
Told_contra = TypeVar("Told_contra", bound=Progress, contravariant=True)


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
    with keys_unseen(), _bars(console) as bar:
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


class SideBySide(Protocol[Told_contra]):
    """Shows several trainings at once, each with its name."""

    def show(self, name: str, progress: Told_contra) -> None:
        """Show where a training stands.

        Args:
            name: of the training.
            progress: where it stands.
        """

    def end(self, name: str) -> None:
        """Show a training no longer; it may never have been shown.

        Args:
            name: of the training.
        """


class _NamedLines(Generic[Told]):
    """Lines of each training, which begin with its name."""

    def __init__(self, line_of: Callable[[Told], str], parts: int) -> None:
        self._line_of = line_of
        self._parts = parts
        self._views: dict[str, _Lines[Told]] = {}

    def show(self, name: str, progress: Told) -> None:
        if name not in self._views:
            self._views[name] = _Lines(lambda told: f"{name}: {self._line_of(told)}", self._parts)
        self._views[name].show(progress)

    def end(self, name: str) -> None:
        self._views.pop(name, None)


class _NamedBars(Generic[Told]):
    """A bar of each training."""

    def __init__(self, line_of: Callable[[Told], str], bars: Bars) -> None:
        self._line_of = line_of
        self._bars = bars
        self._nothing_yet: TaskID | None = bars.add_task("starting", total=None)
        self._bar_of: dict[str, TaskID] = {}

    def show(self, name: str, progress: Told) -> None:
        if self._nothing_yet is not None:
            self._bars.remove_task(self._nothing_yet)
            self._nothing_yet = None
        if name not in self._bar_of:
            self._bar_of[name] = self._bars.add_task(name, total=None)
        self._bars.update(
            self._bar_of[name],
            total=progress.steps,
            completed=progress.step,
            description=f"{name}: {self._line_of(progress)}",
        )

    def end(self, name: str) -> None:
        if name in self._bar_of:
            self._bars.remove_task(self._bar_of.pop(name))


@contextlib.contextmanager
def make_side_by_side_view(
    console: Console, line_of: Callable[[Told], str], lines: int
) -> Iterator[SideBySide[Told]]:
    """A view of several trainings at once: a bar each at a terminal, lines with names in a pipe.

    Args:
        console: where it is shown.
        line_of: says where a training stands, in a line.
        lines: how many a pipe gets of each training, evenly over its steps.

    Yields:
        The view; when it is left, nothing moves any more.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield _NamedLines(line_of, lines)
        return
    with keys_unseen(), _bars(console) as bars:
        yield _NamedBars(line_of, bars)


def _bars(console: Console) -> Bars:
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}", markup=False), BarColumn(bar_width=BAR_LENGTH)
    return Bars(*columns, console=console, transient=True)
