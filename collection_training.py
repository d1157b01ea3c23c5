"""Training the entries of a collection: which variant is next, what is tried again, what is told.

Whoever trains them is a crew (`training_crew`); what is decided here is the same for every crew.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from crews import training_crew
from crews.ending import (
    PAUSE,
    TrainingDefect,
    defect_of,
    grouped_by_reason,
    work_within_grace,
)
from crews.training_crew import Assignment, CrewMaker, TrainingCrew
from data_parser import DataSet
from entries.entry import Entry, Schooling
from errors import HyperparameterError, UserError
from evaluation import overlap
from model_collection import ModelCollection, teacher_of
from settings.hyperparameters import TrainingTask
from settings.layer_lists import layer_lines
from settings.teachers import teacher_identity, with_whole_teachers

if TYPE_CHECKING:
    from cnn_model import TrainingProgress

TRIES = 2
DIVERGED = "the weights grew without bound; try a lower 'learning_rate'"


class TrainingObserver(Protocol):
    """What someone who watches a training is told."""

    def variant_skipped(self, number: int, entry: Entry) -> None:
        """A variant is in the collection already.

        Args:
            number: of the variant, counted from 0.
            entry: what it is there.
        """

    def variant_started(self, number: int, variants: int, task: TrainingTask) -> None:
        """A variant begins; others may be under way.

        Args:
            number: of the variant.
            variants: how many there are.
            task: what is trained.
        """

    def progressed(self, number: int, progress: TrainingProgress) -> None:
        """Some batches, or an epoch, of a variant are done.

        Args:
            number: of the variant.
            progress: where it stands.
        """

    def variant_finished(self, number: int, entry: Entry) -> None:
        """The entry has joined the collection.

        Args:
            number: of the variant.
            entry: what it became.
        """

    def variant_interrupted(self, number: int, reason: str) -> None:
        """The training of a variant is gone, and will be tried once more.

        Args:
            number: of the variant.
            reason: what ended it, to come after "its training".
        """

    def variant_moved(self, number: int) -> None:
        """The machine that trained a variant is lost; another one begins anew.

        Args:
            number: of the variant.
        """

    def variant_failed(self, number: int, reason: str) -> None:
        """A variant will not be in the collection; the others go on.

        Args:
            number: of the variant.
            reason: why, in words.
        """

    def not_kept(self, reason: str) -> None:
        """A finished entry is in memory alone; told once, other variants go on.

        Args:
            reason: why, in words.
        """


def train(
    collection: ModelCollection,
    tasks: Sequence[TrainingTask],
    data_set: DataSet,
    *,
    seed: int,
    retrain: bool,
    observer: TrainingObserver,
    keep: Callable[[], None],
    should_stop: Callable[[], bool],
    make_crew: CrewMaker,
) -> None:
    """Train variants; each joins the collection as soon as it is finished.

    New entries stand in the order of their tasks, whichever was finished first. Where several are
    trained at a time, the longest begin first, so that all end at about the same time. A task waits
    for the teacher that it names where that is one of the tasks. A variant whose training died is
    tried once more, when all others have begun.

    Args:
        collection: gets the entries; its classes are those of the data set.
        tasks: checked variants, and how to train each.
        data_set: trained on its training split, ranked on validation, scored once on test.
        seed: the same for every variant, so that its result does not hang on the others.
        retrain: train also what is in the collection already, and replace it when finished.
        observer: is told how it goes.
        keep: called after each entry, to write the collection to disk.
        should_stop: asked several times a second, or after each few batches.
        make_crew: makes who trains the tasks that are not in the collection.

    Raises:
        cnn_model.TrainingStopped: `should_stop` said so; finished entries stay. Its cause is the
            TrainingDefect, if there was one before.
        HyperparameterError: a teacher is unknown, or teachers wait for each other; nothing was
            trained.
        UserError: after all others were trained, variants that could not be; each is named.
        TrainingDefect: after all others were trained, some raised an exception.
    """
    tasks = with_whole_teachers(tasks, collection.identities())
    training = _Training(collection, tasks, data_set, retrain, observer, keep)
    training.skip_what_is_there()
    if not training.waiting:
        return
    crew = make_crew([tasks[number] for number in training.waiting])
    try:
        crew.start(data_set, seed)
        while training.is_unfinished() and not (training.stopped or should_stop()):
            for assignment in training.next_assignments(crew.places()):
                crew.submit(assignment)
            crew.work(PAUSE, training.hear)
        if training.is_unfinished() or training.stopped:
            _stop(crew, training)
    finally:
        crew.close()
    training.raise_problems()


def _stop(crew: TrainingCrew, training: _Training) -> None:
    """Let what is under way end, for a little while; raises TrainingStopped."""
    from cnn_model import TrainingStopped

    training.stopped = True
    crew.ask_to_stop()
    work_within_grace(
        lambda: bool(training.running), lambda seconds: crew.work(seconds, training.hear)
    )
    raise TrainingStopped from training.defect()


class _Training:
    """The tasks of one call of `train`, and what has become of each.

    Attributes:
        waiting: numbers of the tasks that have to be trained, next one first.
        running: numbers of those that the crew has.
        stopped: trainings are being ended from outside; nothing begins, or begins again.
    """

    def __init__(
        self,
        collection: ModelCollection,
        tasks: Sequence[TrainingTask],
        data_set: DataSet,
        retrain: bool,
        observer: TrainingObserver,
        keep: Callable[[], None],
    ) -> None:
        self._collection = collection
        self._tasks = tasks
        self._observer = observer
        self._keep = keep
        self._data_set = data_set
        self._keys = overlap.image_keys(_chosen_on(data_set))
        self._old_entries = len(collection.entries)
        there: set[str] = set() if retrain else set(collection.identities())
        self.waiting = [number for number, task in enumerate(tasks) if task.identity not in there]
        self._alike: dict[str, list[int]] = {}  # numbers of the tasks of one identity, ascending
        for number, task in enumerate(tasks):
            self._alike.setdefault(task.identity, []).append(number)
        self.running: set[int] = set()
        self.stopped = False
        self._teachers = self._teachers_in_this_run()
        self._efforts = [_effort(task) for task in tasks]
        self._tries: Counter[int] = Counter()
        self._deaths: dict[int, list[training_crew.Died]] = {}
        self._finished: set[int] = set()
        self._reasons: dict[int, str] = {}  # why a variant failed, where a user can mend it
        self._tracebacks: dict[int, str] = {}
        self._first_error = ""

    def _teachers_in_this_run(self) -> dict[int, int]:
        """The tasks that others of this run learn from, by the numbers of those.

        Raises:
            HyperparameterError: a teacher is neither here nor in the collection, or tasks would
                wait for each other.
        """
        known = sorted({*self._collection.identities(), *self._alike})
        to_train = set(self.waiting)
        teachers = {}
        for number in self.waiting:
            wanted = teacher_identity(self._tasks[number], known)
            first = next(
                (one for one in self._alike.get(wanted or "", ()) if one in to_train), None
            )
            if first is not None:
                teachers[number] = first
        _check_no_circle(teachers)
        return teachers

    def skip_what_is_there(self) -> None:
        """Tell of the variants that need no training."""
        entries = {entry.identity: entry for entry in self._collection.entries}
        to_train = set(self.waiting)
        for number, task in enumerate(self._tasks):
            if number not in to_train:
                self._observer.variant_skipped(number, entries[task.identity])

    def is_unfinished(self) -> bool:
        """Whether anything is still to be trained, or under way."""
        return bool(self.waiting or self.running)

    def next_assignments(self, places: int) -> list[Assignment]:
        """Assignments that can begin now, as many as there are free places for."""
        assignments: list[Assignment] = []
        if len(self.running) >= places:
            return assignments
        for number in self._in_turn(places):
            if len(self.running) >= places:
                break
            if self._is_settled(number) or not self._may_begin(number):
                continue
            self.waiting.remove(number)
            self.running.add(number)
            self._tries[number] += 1
            task = self._tasks[number]
            assignments.append(Assignment(number, task, teacher_of(task, self._collection)))
        return assignments

    def _in_turn(self, places: int) -> list[int]:
        """What is waiting, in the order in which it should begin."""
        if places == 1:
            return list(self.waiting)
        return sorted(
            self.waiting, key=lambda number: (self._tries[number], -self._efforts[number])
        )

    def _is_settled(self, number: int) -> bool:
        """Strike a waiting task off, and tell of it, where it never can or need be trained."""
        if self._finished.intersection(self._earlier_alike(number)):
            self.waiting.remove(number)
            entry = self._collection.find(self._tasks[number].identity)
            assert entry is not None
            self._observer.variant_skipped(number, entry)
            return True
        teacher = self._teachers.get(number)
        if teacher is not None and (teacher in self._reasons or teacher in self._tracebacks):
            self.waiting.remove(number)
            self._fail(number, f"its teacher, {self._name(teacher)}, could not be trained")
            return True
        return False

    def _may_begin(self, number: int) -> bool:
        """Whether all that a task waits for has been trained: its teacher, and earlier twins."""
        teacher = self._teachers.get(number)
        awaited = [*self._earlier_alike(number), *([] if teacher is None else [teacher])]
        return not any(one in self.running or one in self.waiting for one in awaited)

    def _earlier_alike(self, number: int) -> list[int]:
        alike = self._alike[self._tasks[number].identity]
        return alike[: alike.index(number)]

    def hear(self, event: training_crew.Event) -> None:
        """Take in what the crew tells."""
        number = event.number
        match event:
            case training_crew.Started():
                self._observer.variant_started(number, len(self._tasks), self._tasks[number])
                return
            case training_crew.Progressed(progress=progress):
                self._observer.progressed(number, progress)
                return
            case training_crew.Moved():
                self._observer.variant_moved(number)
                return
        self.running.remove(number)
        match event:
            case training_crew.Finished(entry=entry):
                self._add(number, entry)
            case training_crew.Diverged():
                self._fail(number, DIVERGED)
            case training_crew.Refused(reason=reason):
                self._fail(number, reason)
            case training_crew.Failed(error=error, traceback=traceback):
                self._tracebacks[number] = traceback
                self._first_error = self._first_error or f"{self._name(number)}: {error}"
                self._observer.variant_failed(number, f"a defect of the program: {error}")
            case training_crew.Died():
                self._try_again(event)
            case training_crew.Stopped():
                self.stopped = True

    def _add(self, number: int, entry: Entry) -> None:
        self._finished.add(number)
        used = self._collection.images_used.get(entry.data.fingerprint, self._keys)
        entry = dataclasses.replace(entry, schooling=self._schooling(number))
        self._collection.add(entry, np.union1d(self._keys, used))
        entries = self._collection.entries
        entries[self._old_entries :] = sorted(
            entries[self._old_entries :], key=lambda new: self._alike[new.identity][0]
        )
        self._keep()
        self._observer.variant_finished(number, entry)

    def _schooling(self, number: int) -> Schooling:
        """What the teacher of a variant had met of other data than the open one."""
        teacher = teacher_of(self._tasks[number], self._collection)
        if teacher is None or set(teacher.fingerprints) == {self._data_set.fingerprint}:
            return Schooling()
        known = self._collection.keys_of(teacher)
        validation, test = (
            int(overlap.were_seen(self._data_set.subset(name)[0], known).sum())
            for name in ("validation", "test")
        )
        others = set(teacher.fingerprints) - {self._data_set.fingerprint}
        return Schooling(tuple(sorted(others)), validation, test)

    def _try_again(self, death: training_crew.Died) -> None:
        number = death.number
        deaths = self._deaths.setdefault(number, [])
        deaths.append(death)
        if self.stopped or self._tries[number] < TRIES:
            self.waiting.append(number)  # comes last, when fewer are trained beside it
            if not self.stopped:
                self._observer.variant_interrupted(number, death.reason)
        else:
            self._fail(number, _why_given_up(deaths))

    def _fail(self, number: int, reason: str) -> None:
        self._reasons[number] = reason
        self._observer.variant_failed(number, reason)

    def defect(self) -> TrainingDefect | None:
        """The exceptions that trainings raised, as one; None where there was none."""
        if not self._tracebacks:
            return None
        return defect_of(
            self._first_error,
            ((self._name(number), text) for number, text in sorted(self._tracebacks.items())),
        )

    def raise_problems(self) -> None:
        """Raise what is to be said after everything else was trained; see `train`."""
        defect = self.defect()
        if defect is not None:
            raise defect
        if self._reasons:
            there = {number for number in self._reasons if self._is_there(number)}
            raise UserError(
                "\n".join(
                    [
                        *self._told("not in the collection", self._reasons.keys() - there),
                        *self._told("not trained again, and in the collection as before", there),
                    ]
                )
            )

    def _is_there(self, number: int) -> bool:
        """Whether the collection has an earlier entry of a task."""
        return self._collection.find(self._tasks[number].identity) is not None

    def _told(self, what_became: str, numbers: Set[int]) -> Iterator[str]:
        """A line for each reason why tasks failed."""
        by_reason = grouped_by_reason(
            (self._name(number), self._reasons[number]) for number in sorted(numbers)
        )
        for reason, names in by_reason.items():
            yield f"{what_became}: {'; '.join(names)}, since {reason}"

    def _name(self, number: int) -> str:
        return self._tasks[number].name or f"variant {number}"


def _check_no_circle(teachers: Mapping[int, int]) -> None:
    """Follow each task to its teacher, and that one's, to the end.

    Raises:
        HyperparameterError: there is no end, since teachers wait for their pupils.
    """
    with_an_end: set[int] = set()
    for number in teachers:
        line = {number: None}  # in the order in which they were met
        while (teacher := teachers.get(next(reversed(line)))) is not None:
            if teacher in with_an_end:
                break
            if teacher in line:
                circle = list(line)[list(line).index(teacher) :]
                raise HyperparameterError(
                    "'distillation' goes round in a circle: the teacher of each of the variants "
                    f"{', '.join(map(str, sorted(circle)))} waits for another one of them"
                )
            line[teacher] = None
        with_an_end.update(line)


def _why_given_up(deaths: Sequence[training_crew.Died]) -> str:
    """Why a training that died as often as it may is not tried again."""
    reasons = [death.reason for death in deaths]
    same = len(set(reasons)) == 1
    told = f"{reasons[0]} twice" if same else ", and when tried again ".join(reasons)
    advice = "; the system may be short of memory" if deaths[-1].by_memory else ""
    return f"its training {told}{advice}"


def _effort(task: TrainingTask) -> int:
    """How long a training takes next to others: its weights, as often as an image uses them."""
    uses = sum(line.parameters * math.prod(line.shape[:-1]) for line in layer_lines(task.layers))
    return uses * task.parameters.train_epochs


def _chosen_on(data_set: DataSet) -> npt.NDArray[np.uint8]:
    rows = np.concatenate([data_set.splits.training, data_set.splits.validation])
    images: npt.NDArray[np.uint8] = data_set.images[rows]
    return images
