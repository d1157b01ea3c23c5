"""How the training of a generator is shown: its line, and drawings above the bar at a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from gan.progress import FeatureProgress, GanProgress, Progress
from terminal import shows_colours
from views import picture_text, remarks
from views.progress import SideBySide, make_progress_view, make_side_by_side_view

if TYPE_CHECKING:
    from rich.console import Console

LINES = 10
PREVIEWS_SHOWN = 3
PREVIEW_WIDTH = 28  # characters a drawing
MOST_DRAWINGS = 4


def progress_line(progress: Progress) -> str:
    """Where a training stands, in words that keep their places while the numbers change.

    Args:
        progress: of a training.

    Returns:
        One line.
    """
    width = len(str(progress.steps))
    step = f"{progress.step:>{width}}/{progress.steps}"
    left = f"{remarks.duration(progress.seconds_left)} left"
    if isinstance(progress, FeatureProgress):
        return (
            f"learning to read, step {step} loss {progress.loss:7.3f} "
            f"accuracy {progress.accuracy:7.2%} {left}"
        )
    return (
        f"step {step} discriminator loss {progress.discriminator_loss:7.3f} "
        f"generator loss {progress.generator_loss:7.3f} {left}"
    )


class _Previews:
    """Drawings now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0

    def show(self, progress: Progress) -> None:
        from rich.text import Text

        if not isinstance(progress, GanProgress) or progress.preview is None:
            return
        if progress.step * PREVIEWS_SHOWN // progress.steps <= self._shown:
            return
        self._shown += 1
        fitting = (self._console.width - 2) // PREVIEW_WIDTH
        drawings = progress.preview[: max(1, min(MOST_DRAWINGS, fitting))]
        self._console.print(f"Step {progress.step}:")
        self._console.print(Text.from_ansi(picture_text.pictures(drawings, shows_colours())))


@contextlib.contextmanager
def make_gan_view(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A view that fits the console: a bar with drawings above it at a terminal, lines in a pipe.

    Args:
        console: where it is shown.

    Yields:
        What is told each progress; when it is left, nothing moves any more.
    """
    previews = _Previews(console)
    with make_progress_view(console, progress_line, LINES, previews.show) as show:
        yield show


def make_gans_view(console: Console) -> AbstractContextManager[SideBySide[Progress]]:
    """A view of several trainings at once; see `make_side_by_side_view`."""
    return make_side_by_side_view(console, progress_line, LINES)
