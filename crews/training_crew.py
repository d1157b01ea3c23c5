"""Crews: whoever trains tasks, several at a time where they can, and tells how it goes.

`collection_training.train` hands the tasks of a collection to a crew and hears from it; it decides
which task is next, what is tried again and what joins the collection, the same for every crew. A
crew only trains: in this process (`in_process_crew`), in processes of this machine
(`process_crew`), or wherever else `train_in_crew` can run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from data_set import DataSet
from entries import entry_training
from entries.entry import Entry
from errors import UserError
from settings.hyperparameters import TrainingTask

if TYPE_CHECKING:
    from cnn_model import TrainingProgress


TASKS_A_PROCESS = 25  # since TensorFlow keeps about 13 MiB of every network it has trained


@dataclass(frozen=True, eq=False)
class Assignment:
    """One task for a crew.

    Attributes:
        number: of the variant; events carry it.
        task: what to train.
        teacher: the entry that the task learns from, or None.
    """

    number: int
    task: TrainingTask
    teacher: Entry | None


@dataclass(frozen=True)
class Started:
    """The training of a variant begins."""

    number: int


@dataclass(frozen=True)
class Progressed:
    """Some batches, or an epoch, of a variant are done."""

    number: int
    progress: TrainingProgress


@dataclass(frozen=True, eq=False)
class Finished:
    """A variant is trained."""

    number: int
    entry: Entry


@dataclass(frozen=True)
class Diverged:
    """The weights of a variant grew without bound; training it again would end the same."""

    number: int


@dataclass(frozen=True)
class Refused:
    """A variant cannot be trained for a reason that a user can mend.

    Attributes:
        number: of the variant.
        reason: the words of the `UserError`.
    """

    number: int
    reason: str


@dataclass(frozen=True)
class Failed:
    """Training a variant raised an exception that is a defect of the program.

    Attributes:
        number: of the variant.
        error: the exception's class and the first line of what it says.
        traceback: the whole of it, as Python prints it.
    """

    number: int
    error: str
    traceback: str


@dataclass(frozen=True)
class Died:
    """Whatever trained a variant is gone without an answer; another try may succeed.

    Attributes:
        number: of the variant.
        reason: what ended it, to come after "its training", such as "was killed by SIGKILL".
        by_memory: whether it may have been for want of memory.
    """

    number: int
    reason: str
    by_memory: bool = True


@dataclass(frozen=True)
class Stopped:
    """The training of a variant ended because the crew was asked to stop."""

    number: int


@dataclass(frozen=True)
class Moved:
    """The machine that trained a variant is lost, and another one begins its training anew."""

    number: int


# What ends a training; every assignment ends with exactly one of them.
Outcome = Finished | Diverged | Refused | Failed | Died | Stopped
Event = Started | Progressed | Moved | Outcome


class TrainingCrew(Protocol):
    """Trains assignments.

    The calls come from one thread, in this order: `start` once; then `submit` and `work` in turns;
    `ask_to_stop` at most once, with only `work` after it; and `close` always, whatever happened.
    """

    def start(self, data_set: DataSet, seed: int) -> None:
        """Get ready.

        Args:
            data_set: what every assignment is trained and scored on.
            seed: of every assignment; a result hangs on it, the task and the teacher alone.

        Raises:
            UserError: there is no crew to be had, such as a cluster that does not answer.
        """

    def places(self) -> int:
        """How many assignments can be under way at once; may change between calls.

        Returns:
            1 or more.
        """

    def submit(self, assignment: Assignment) -> None:
        """Take an assignment on.

        Args:
            assignment: never more than `places` of them are without an outcome.
        """

    def work(self, seconds: float, tell: Callable[[Event], None]) -> None:
        """Wait for news, and tell them.

        Args:
            seconds: return after about so long where nothing happened, sooner where something did.
                A crew that trains in this very process may take as long as its training takes.
            tell: called in this thread with each event. `Started` comes first and at most once for
                each submission, then any number of `Progressed`, then one `Outcome`. What it
                raises is passed on.
        """

    def ask_to_stop(self) -> None:
        """Have all trainings end after their current batches; returns at once.

        `work` goes on to tell their outcomes: `Stopped`, or `Finished` for who was just done.
        """

    def close(self) -> None:
        """End whatever is still running, without an outcome, and free what is held.

        May be called twice. Nothing is left: no process, no memory, no file.
        """


# Makes a crew for tasks, of which there is at least one; it is not started yet.
CrewMaker = Callable[[Sequence[TrainingTask]], TrainingCrew]


def train_in_crew(
    assignment: Assignment,
    data_set: DataSet,
    seed: int,
    *,
    show: Callable[[TrainingProgress], None],
    should_stop: Callable[[], bool],
) -> Outcome:
    """Train an assignment where the crew is; every crew does it with this.

    Args:
        assignment: what to train.
        data_set: its splits.
        seed: of weights, dropout, distortions and order of images.
        show: told of progress.
        should_stop: asked after each few batches.

    Returns:
        What came of it, as data that can be sent elsewhere; it is never `Died`.
    """
    from cnn_model import TrainingStopped

    number = assignment.number
    try:
        entry = entry_training.train_entry(
            assignment.task,
            data_set,
            seed,
            assignment.teacher,
            show=show,
            should_stop=should_stop,
        )
    except TrainingStopped:
        return Stopped(number)
    except entry_training.TrainingDiverged:
        return Diverged(number)
    except UserError as error:
        return Refused(number, str(error))
    except Exception as error:
        return failed(number, error)
    return Finished(number, entry)


def failed(number: int, error: Exception) -> Failed:
    """An exception as data that can be sent elsewhere; no exception can, with certainty.

    Args:
        number: of the variant.
        error: what its training raised.

    Returns:
        Its class, the first line of what it says, and its traceback as text.
    """
    first_line = (str(error).splitlines() or [""])[0]
    text = "".join(traceback.format_exception(error))
    return Failed(number, f"{type(error).__name__}: {first_line}", text)
