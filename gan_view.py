"""How the training of a generator is shown: a live bar at a terminal, a few lines in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import views
from gan.progress import FeatureProgress, GanProgress, Progress
from terminal import keys_unseen, shows_colours

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


LINES = 10
PREVIEWS_SHOWN = 3
PREVIEW_WIDTH = 28  # characters a drawing
MOST_DRAWINGS = 4
BAR_LENGTH = 24


def progress_line(progress: Progress) -> str:
    """Where a training stands, in words that keep their places while the numbers change."""
    width = len(str(progress.steps))
    step = f"{progress.step:>{width}}/{progress.steps}"
    left = f"{views.duration(progress.seconds_left)} left"
    if isinstance(progress, FeatureProgress):
        return (
            f"learning to read, step {step} loss {progress.loss:7.3f} "
            f"accuracy {progress.accuracy:7.2%} {left}"
        )
    return (
        f"step {step} discriminator loss {progress.discriminator_loss:7.3f} "
        f"generator loss {progress.generator_loss:7.3f} {left}"
    )


class _Lines:
    """A line for each tenth of the steps."""

    def __init__(self) -> None:
        self._shown: dict[type[Progress], int] = {}

    def show(self, progress: Progress) -> None:
        tenth = progress.step * LINES // progress.steps
        if tenth > self._shown.get(type(progress), 0):
            self._shown[type(progress)] = tenth
            print(f"  {progress_line(progress)}", flush=True)


class _Bar:
    """A bar that moves every few steps, and a preview above it now and then."""

    def __init__(self, console: Console, bar: Bar, task: TaskID) -> None:
        self._console = console
        self._bar = bar
        self._task = task
        self._previews = 0

    def show(self, progress: Progress) -> None:
        self._bar.update(
            self._task,
            total=progress.steps,
            completed=progress.step,
            description=progress_line(progress),
        )
        if isinstance(progress, GanProgress):
            self._show_preview(progress)

    def _show_preview(self, progress: GanProgress) -> None:
        from rich.text import Text

        due = progress.step * PREVIEWS_SHOWN // progress.steps > self._previews
        if progress.preview is None or not due:
            return
        self._previews += 1
        fitting = (self._console.width - 2) // PREVIEW_WIDTH
        drawings = progress.preview[: max(1, min(MOST_DRAWINGS, fitting))]
        self._console.print(f"Step {progress.step}:")
        self._console.print(Text.from_ansi(views.pictures(drawings, shows_colours())))


@contextlib.contextmanager
def make_gan_view(console: Console) -> Iterator[Callable[[Progress], None]]:
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
