"""How the training of a generator is shown: a live bar at a terminal, a few lines in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import views
from terminal import keys_unseen, shows_colours

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from gan.training import GanProgress

LINES = 10
PREVIEWS_SHOWN = 3
PREVIEW_WIDTH = 28  # characters a drawing
MOST_DRAWINGS = 4
BAR_LENGTH = 24


def progress_line(progress: GanProgress) -> str:
    """Where a training stands, in words that keep their places while the numbers change."""
    width = len(str(progress.steps))
    return (
        f"step {progress.step:>{width}}/{progress.steps} "
        f"discriminator loss {progress.discriminator_loss:7.3f} "
        f"generator loss {progress.generator_loss:7.3f} "
        f"{views.duration(progress.seconds_left)} left"
    )


class _Lines:
    """A line for each tenth of the steps."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, progress: GanProgress) -> None:
        if progress.step * LINES // progress.steps > self._shown:
            self._shown = progress.step * LINES // progress.steps
            print(f"  {progress_line(progress)}", flush=True)


class _Bar:
    """A bar that moves every few steps, and a preview above it now and then."""

    def __init__(self, console: Console, bar: Progress, task: TaskID) -> None:
        self._console = console
        self._bar = bar
        self._task = task
        self._previews = 0

    def show(self, progress: GanProgress) -> None:
        self._bar.update(
            self._task,
            total=progress.steps,
            completed=progress.step,
            description=progress_line(progress),
        )
        due = progress.step * PREVIEWS_SHOWN // progress.steps > self._previews
        if progress.preview is not None and due:
            self._previews += 1
            self._show_preview(progress)

    def _show_preview(self, progress: GanProgress) -> None:
        from rich.text import Text

        assert progress.preview is not None
        fitting = (self._console.width - 2) // PREVIEW_WIDTH
        drawings = progress.preview[: max(1, min(MOST_DRAWINGS, fitting))]
        self._console.print(f"Step {progress.step}:")
        self._console.print(Text.from_ansi(views.pictures(drawings, shows_colours())))


@contextlib.contextmanager
def make_gan_view(console: Console) -> Iterator[Callable[[GanProgress], None]]:
    """A view that fits the console: a bar at a terminal, lines in a pipe.

    Args:
        console: where it is shown.

    Yields:
        What is told each progress; when it is left, nothing moves any more.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines().show
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(bar_width=BAR_LENGTH)
    with keys_unseen(), Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(console, bar, bar.add_task("starting", total=None)).show
