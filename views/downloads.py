"""How a download is shown: a live bar at a terminal, a few lines in a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from downloads.fetching import Progress

if TYPE_CHECKING:
    from rich.console import Console

QUARTERS = 4
MEGABYTE = 10**6


class _Lines:
    """A line when a file begins, and for each quarter of it."""

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}

    def show(self, progress: Progress) -> None:
        quarter = progress.done * QUARTERS // progress.total if progress.total else 0
        if quarter > self._shown.get(progress.name, -1):
            self._shown[progress.name] = quarter
            print(f"  {progress_line(progress)}", flush=True)


def progress_line(progress: Progress) -> str:
    """How far a download is, in words.

    Args:
        progress: of a download.

    Returns:
        One line.
    """
    total = f" of {progress.total / MEGABYTE:.1f}" if progress.total is not None else ""
    line = f"{progress.name}: {progress.done / MEGABYTE:.1f}{total} MB"
    if progress.resumed_from:
        line += f", resumed at {progress.resumed_from / MEGABYTE:.1f}"
    return line


@contextlib.contextmanager
def make_download_view(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A view that fits the console: a bar at a terminal, lines in a pipe.

    Args:
        console: where it is shown.

    Yields:
        What is told each progress.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines().show
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}", markup=False), BarColumn()
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.total,
                completed=progress.done,
                description=progress_line(progress),
            )

        yield show


def say_how_it_goes_on(name: str) -> None:
    """Say what becomes of a download that was broken off by Ctrl-C.

    Args:
        name: of the data set.
    """
    print(
        f"Stopped. What has come is kept: with {name} again, the download goes on from there.",
        file=sys.stderr,
    )
