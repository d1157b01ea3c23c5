"""How a training is shown: live bars at a terminal, one line an epoch in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from collection_training import TrainingObserver
from counting import counted
from entries.entry import DataOrigin, Entry
from sentences import sentence
from settings.hyperparameters import TrainingTask
from settings.training_words import training_summary
from terminal import keys_unseen
from views import remarks, results_text, tables

SHORTEST_BAR, LONGEST_BAR = 4, 24

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID

    from cnn_model import TrainingProgress


class TrainingView(TrainingObserver, Protocol):
    """Shows a training to the user."""

    def stopped(self) -> None:
        """The user ended the training."""


@dataclass(frozen=True)
class ShownTraining:
    """What a view has to know of a training beforehand.

    Attributes:
        data: name and fingerprint of the open data; entries from others are said to be.
        class_count: number of classes, for the layer table.
        names: of the tasks by their numbers, as the files call them.
    """

    data: DataOrigin
    class_count: int
    names: Sequence[str]


class _Announcements:
    """What is said in both: which variant begins, and what came of it."""

    def __init__(self, console: Console, shown: ShownTraining) -> None:
        self._console = console
        self._shown_training = shown
        self._under_way: set[int] = set()
        self._is_kept = True  # on disk, what is finished
        self._side_by_side = False  # whether several variants have been under way at once

    def variant_skipped(self, number: int, entry: Entry) -> None:
        there = f"{self._named(number)} is in the collection already"
        accuracy = f"validation accuracy {entry.validation.accuracy:.2%}"
        ours, theirs = self._shown_training.data, entry.data
        if ours.fingerprint == theirs.fingerprint:
            self._say(f"{there}: {accuracy}")
            return
        # The same file divided otherwise has another fingerprint, too.
        other = "otherwise divided images" if ours.name == theirs.name else "other images"
        self._say(
            f"{there}, but trained on {other} ({theirs.name}, seed {theirs.seed}): {accuracy}. "
            "To train it on the open ones, let Train train again"
        )

    def variant_started(self, number: int, variants: int, task: TrainingTask) -> None:
        self._under_way.add(number)
        self._side_by_side = self._side_by_side or len(self._under_way) > 1
        self._say(
            f"{self._named(number)} ({number + 1} of {variants}), "
            f"{training_summary(task.layers, task.parameters)}"
        )
        if task.parameters.verbose:
            self._console.print(tables.layer_table(task.layers, self._shown_training.class_count))

    def variant_finished(self, number: int, entry: Entry) -> None:
        self._under_way.discard(number)
        self._say(
            f"{self._named(number)} is trained in {remarks.duration(entry.seconds)}: "
            f"validation accuracy {entry.validation.accuracy:.2%} "
            f"({counted(entry.validation.images, 'image')}), "
            f"test accuracy {entry.test.accuracy:.2%} ({counted(entry.test.images, 'image')})"
        )
        met = results_text.taught_on_them(entry)
        if met:
            self._say(f"Its teacher {met}")

    def variant_interrupted(self, number: int, reason: str) -> None:
        self._under_way.discard(number)
        self._say(f"The training of {self._name(number)} {reason}; it is tried once more")

    def variant_moved(self, number: int) -> None:
        self._under_way.discard(number)
        self._say(f"The machine of {self._name(number)} was lost; it is trained on another one")

    def variant_failed(self, number: int, reason: str) -> None:
        self._under_way.discard(number)
        reason = remarks.reason_in_short(reason)
        self._say(f"{self._named(number)} could not be trained: {reason}")

    def not_kept(self, reason: str) -> None:
        self._is_kept = False
        self._say(f"{sentence(reason)}; what is trained stays in memory until you Save it")

    def stopped(self) -> None:
        names = " and ".join(self._name(number) for number in sorted(self._under_way))
        where = f" in {names}" if names else ""
        kept = "kept" if self._is_kept else "in memory alone: use Save"
        self._say(f"Training was ended{where}; what was finished before is {kept}.")

    def _name(self, number: int) -> str:
        return self._shown_training.names[number]

    def _named(self, number: int) -> str:
        """The name at the beginning of a sentence."""
        name = self._name(number)
        return name[:1].upper() + name[1:]

    def _say(self, text: str) -> None:
        in_pipe = not self._console.is_terminal
        self._console.print(text, soft_wrap=in_pipe)  # there a line is a line, however long


class LinesView(_Announcements):
    """One line an epoch."""

    def __init__(self, console: Console, shown: ShownTraining) -> None:
        """Print on `console`."""
        super().__init__(console, shown)
        self._shown: dict[int, int] = {}

    def variant_started(self, number: int, variants: int, task: TrainingTask) -> None:
        """See `TrainingObserver`."""
        self._shown[number] = 0
        super().variant_started(number, variants, task)

    def progressed(self, number: int, progress: TrainingProgress) -> None:
        """Print a line where an epoch has ended.

        Args:
            number: of the variant.
            progress: where it stands.
        """
        done = len(progress.finished)
        if done <= self._shown[number]:
            return
        self._shown[number] = done
        epoch = progress.finished[-1]
        which = f"{self._name(number)}, " if self._side_by_side else ""
        print(
            f"  {which}epoch {done}/{progress.epochs}, "
            f"{progress.batches} {'batch' if progress.batches == 1 else 'batches'}: "
            f"loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.2%}, "
            f"validation accuracy {epoch.validation_accuracy:.2%}, "
            f"{_time_left(progress)}",
            flush=True,
        )


class BarView(_Announcements):
    """A bar for each variant that is under way, which moves with every few batches."""

    def __init__(
        self,
        console: Console,
        shown: ShownTraining,
        bars: Progress,
        column: BarColumn,
    ) -> None:
        """Print on `console`, below which `bars` are live; `column` is the part that moves."""
        super().__init__(console, shown)
        self._bars = bars
        self._column = column
        self._bar_of: dict[int, TaskID] = {}
        self._silent: set[int] = set()  # those that have not told of any progress
        # Workers take a while to start.
        self._nothing_yet: TaskID | None = bars.add_task("starting", total=None)

    def variant_started(self, number: int, variants: int, task: TrainingTask) -> None:
        """See `TrainingObserver`."""
        super().variant_started(number, variants, task)
        if self._nothing_yet is not None:
            self._bars.remove_task(self._nothing_yet)
            self._nothing_yet = None
        if self._side_by_side:
            for other in self._silent:  # which began when it was alone
                self._bars.update(self._bar_of[other], description=self._starting(other))
        self._bar_of[number] = self._bars.add_task(self._starting(number), total=None)
        self._silent.add(number)

    def _starting(self, number: int) -> str:
        return f"{self._in_short(number)} starting" if self._side_by_side else "starting"

    def progressed(self, number: int, progress: TrainingProgress) -> None:
        """Move the variant's bar.

        Args:
            number: of the variant.
            progress: where it stands.
        """
        self._silent.discard(number)
        words = progress_line(progress, self._in_short(number) if self._side_by_side else None)
        room = self._console.width - len(words) - 1
        self._column.bar_width = max(SHORTEST_BAR, min(LONGEST_BAR, room))
        done = (progress.epoch - 1) * progress.batches + progress.batch
        self._bars.update(
            self._bar_of[number],
            total=progress.epochs * progress.batches,
            completed=done,
            description=words,
        )

    def variant_finished(self, number: int, entry: Entry) -> None:
        """See `TrainingObserver`."""
        self._remove_bar(number)
        super().variant_finished(number, entry)

    def variant_interrupted(self, number: int, reason: str) -> None:
        """See `TrainingObserver`."""
        self._remove_bar(number)
        super().variant_interrupted(number, reason)

    def variant_moved(self, number: int) -> None:
        """See `TrainingObserver`."""
        self._remove_bar(number)
        super().variant_moved(number)

    def variant_failed(self, number: int, reason: str) -> None:
        """See `TrainingObserver`."""
        self._remove_bar(number)
        super().variant_failed(number, reason)

    def stopped(self) -> None:
        """See `TrainingView`."""
        for bar in self._bars.task_ids:
            self._bars.remove_task(bar)
        super().stopped()

    def _in_short(self, number: int) -> str:
        name = self._name(number)
        if "dictionary" not in name:
            return name
        return name.replace("variant", "var.").replace("dictionary", "dict.")

    def _remove_bar(self, number: int) -> None:
        self._silent.discard(number)
        bar = self._bar_of.pop(number, None)  # a variant may fail before it has begun
        if bar is not None:
            self._bars.remove_task(bar)


def progress_line(progress: TrainingProgress, variant: str | None = None) -> str:
    """Where a training stands, in words that keep their places while the numbers change.

    Args:
        progress: where it stands.
        variant: its name where others are shown beside it; the batch is then left out.

    Returns:
        One line.
    """
    epoch, batch = (
        f"{done:>{len(str(of))}}/{of}"
        for done, of in ((progress.epoch, progress.epochs), (progress.batch, progress.batches))
    )
    validation = f"{progress.finished[-1].validation_accuracy:.1%}" if progress.finished else "-"
    place = f"epoch {epoch} batch {batch}" if variant is None else f"{variant} epoch {epoch}"
    return (
        f"{place} loss {progress.loss:.3f} acc. {progress.accuracy:>5.1%} "
        f"val. {validation:>5} {_time_left(progress)}"
    )


def _time_left(progress: TrainingProgress) -> str:
    """How long a training lasts; what comes after it takes long with many images, too."""
    if len(progress.finished) == progress.epochs:
        return "being scored"
    return f"{remarks.duration(progress.seconds_left)} left"


@contextlib.contextmanager
def make_training_view(console: Console, shown: ShownTraining) -> Iterator[TrainingView]:
    """A view that fits the console: bars at a terminal, lines in a pipe.

    Args:
        console: where it is shown.
        shown: what is trained.

    Yields:
        The view; when it is left, nothing moves any more.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield LinesView(console, shown)
        return
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    column = BarColumn(bar_width=LONGEST_BAR)
    words = TextColumn("{task.description}", markup=False, table_column=Column())
    with keys_unseen(), Progress(column, words, console=console, transient=True) as bars:
        yield BarView(console, shown, bars, column)
