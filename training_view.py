"""How a training is shown: a live bar at a terminal, one line an epoch in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import views
from model_collection import Entry, TrainingObserver
from network_layers import Variant
from terminal import keys_unseen
from training_parameters import TrainingParameters

SHORTEST_BAR, LONGEST_BAR = 4, 24

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID

    from cnn_model import TrainingProgress


class TrainingView(TrainingObserver, Protocol):
    """Shows a training to the user."""

    def stopped(self) -> None:
        """The user ended the training."""


class _Announcements:
    """What is said in both: which variant begins, and what came of it."""

    def __init__(self, console: Console, parameters: TrainingParameters, class_count: int) -> None:
        self._console = console
        self._parameters = parameters
        self._class_count = class_count
        self._variant = 0
        self._variants = 1

    def variant_skipped(self, number: int, entry: Entry) -> None:
        self._console.print(
            f"Variant {number} is in the collection already: "
            f"validation accuracy {entry.validation.accuracy:.2%}"
        )

    def variant_started(self, number: int, variants: int, layers: Variant) -> None:
        self._variant, self._variants = number, variants
        self._console.print(
            f"Variant {number} ({number + 1} of {variants}), "
            f"{views.training_summary(self._parameters)}"
        )
        if self._parameters.verbose:
            self._console.print(views.layer_table(layers, self._class_count))

    def variant_finished(self, number: int, entry: Entry) -> None:
        self._console.print(
            f"Variant {number} is trained in {views.duration(entry.seconds)}: "
            f"validation accuracy {entry.validation.accuracy:.2%} "
            f"({entry.validation.images:,} images), "
            f"test accuracy {entry.test.accuracy:.2%} ({entry.test.images:,} images)"
        )

    def stopped(self) -> None:
        self._console.print(
            f"Training was ended in variant {self._variant}; what was finished before is kept."
        )


class LinesView(_Announcements):
    """One line an epoch."""

    def __init__(self, console: Console, parameters: TrainingParameters, class_count: int) -> None:
        """Print on `console`."""
        super().__init__(console, parameters, class_count)
        self._shown = 0

    def variant_started(self, number: int, variants: int, layers: Variant) -> None:
        """See `TrainingObserver`."""
        self._shown = 0
        super().variant_started(number, variants, layers)

    def progressed(self, progress: TrainingProgress) -> None:
        """Print a line where an epoch has ended."""
        if len(progress.finished) > self._shown:
            self._shown = len(progress.finished)
            epoch = progress.finished[-1]
            print(
                f"  epoch {self._shown}/{progress.epochs}, {progress.batches} batches: "
                f"loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.2%}, "
                f"validation accuracy {epoch.validation_accuracy:.2%}, "
                f"{views.duration(progress.seconds_left)} left",
                flush=True,
            )


class BarView(_Announcements):
    """A bar that moves with every few batches."""

    def __init__(
        self,
        console: Console,
        parameters: TrainingParameters,
        class_count: int,
        bar: Progress,
        column: BarColumn,
    ) -> None:
        """Print on `console`, below which `bar` is live; `column` is the part of it that moves."""
        super().__init__(console, parameters, class_count)
        self._bar = bar
        self._column = column
        self._task: TaskID | None = None

    def variant_started(self, number: int, variants: int, layers: Variant) -> None:
        """See `TrainingObserver`."""
        super().variant_started(number, variants, layers)
        self._task = self._bar.add_task("starting", total=None)

    def progressed(self, progress: TrainingProgress) -> None:
        """Move the bar."""
        if self._task is None:
            return
        words = progress_line(progress)
        room = self._console.width - len(words) - 1
        self._column.bar_width = max(SHORTEST_BAR, min(LONGEST_BAR, room))
        done = (progress.epoch - 1) * progress.batches + progress.batch
        self._bar.update(
            self._task,
            total=progress.epochs * progress.batches,
            completed=done,
            description=words,
        )

    def variant_finished(self, number: int, entry: Entry) -> None:
        """See `TrainingObserver`."""
        self._remove_bar()
        super().variant_finished(number, entry)

    def stopped(self) -> None:
        """See `TrainingView`."""
        self._remove_bar()
        super().stopped()

    def _remove_bar(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


def progress_line(progress: TrainingProgress) -> str:
    """Where a training stands, in words that keep their places while the numbers change."""
    epoch, batch = (
        f"{done:>{len(str(of))}}/{of}"
        for done, of in ((progress.epoch, progress.epochs), (progress.batch, progress.batches))
    )
    validation = f"{progress.finished[-1].validation_accuracy:.1%}" if progress.finished else "-"
    return (
        f"epoch {epoch} batch {batch} loss {progress.loss:.3f} acc. {progress.accuracy:>5.1%} "
        f"val. {validation:>5} {views.duration(progress.seconds_left)} left"
    )


@contextlib.contextmanager
def make_training_view(
    console: Console, parameters: TrainingParameters, class_count: int
) -> Iterator[TrainingView]:
    """A view that fits the console: a bar at a terminal, lines in a pipe.

    Args:
        console: where it is shown.
        parameters: how is trained.
        class_count: number of classes, for the layer table.

    Yields:
        The view; when it is left, nothing moves any more.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield LinesView(console, parameters, class_count)
        return
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    column = BarColumn(bar_width=LONGEST_BAR)
    words = TextColumn("{task.description}", markup=False, table_column=Column())
    with keys_unseen(), Progress(column, words, console=console, transient=True) as bar:
        yield BarView(console, parameters, class_count, bar, column)
