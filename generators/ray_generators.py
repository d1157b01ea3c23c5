"""Generators trained on the machines of a Ray cluster: a task of Ray for each character."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from crews import training_crew
from crews.ending import PAUSE, defect_of, grouped_by_reason, work_within_grace
from crews.ray_tasks import RayTasks, Reference, Reported, Reporter, Returned, TaskEvent
from errors import UserError
from gan.settings import GanSettings

if TYPE_CHECKING:
    from gan.course import TrainedGan
    from gan.progress import GanProgress

TRIES = 3  # of each generator, whose node may be lost or its process dead


@dataclass(frozen=True, eq=False)
class CharacterTask:
    """What the generator of a character is trained on.

    Attributes:
        kind: one of `gan.settings.CHARACTER_KINDS`.
        character: what it will draw.
        images: uint8 (N, 28, 28), N at least 1, of that character.
        settings: how it is trained.
        seed: of the training.
    """

    kind: str
    character: str
    images: npt.NDArray[np.uint8]
    settings: GanSettings
    seed: int


class GeneratorObserver(Protocol):
    """What someone who watches generators being trained side by side is told."""

    def started(self, character: str) -> None:
        """The generator of a character is being trained; others may be under way.

        Args:
            character: what it will draw.
        """

    def progressed(self, character: str, progress: GanProgress) -> None:
        """Some steps are done.

        Args:
            character: what it will draw.
            progress: where the training stands, without drawings.
        """

    def finished(self, character: str, trained: TrainedGan, kept: bool) -> None:
        """The generator is trained to its end.

        Args:
            character: what it draws.
            trained: what the training left.
            kept: whether the folder has it.
        """

    def interrupted(self, character: str, reason: str) -> None:
        """The training is gone, and begins again.

        Args:
            character: what it will draw.
            reason: what ended it, to come after "its training".
        """

    def failed(self, character: str, reason: str) -> None:
        """There will be no generator of this character; the others go on.

        Args:
            character: what it would have drawn.
            reason: why, in words.
        """

    def stopped(self, characters: Sequence[str]) -> None:
        """`should_stop` said so, while some generators were not finished.

        Args:
            characters: what those would have drawn.
        """


def train_generator_on_node(
    reporter: Reporter,
    kind: str,
    images: npt.NDArray[np.uint8],
    settings: GanSettings,
    seed: int,
) -> TrainedGan:
    """Train a generator in a process of Ray.

    Args:
        reporter: told how far it is.
        kind: see `CharacterTask`.
        images: see `CharacterTask`; in memory that all processes of the node share.
        settings: see `CharacterTask`.
        seed: see `CharacterTask`.

    Returns:
        What the training left.

    Raises:
        UserError: the weights grew without bound.
    """
    reporter.begin()
    from gan.training import GanDiverged, train_generator

    def show(progress: GanProgress) -> None:
        reporter.show(dataclasses.replace(progress, preview=None))  # the result has them all

    try:
        return train_generator(kind, images, settings, seed, show=show)
    except GanDiverged as error:
        raise UserError(str(error)) from error


def train_on_cluster(
    address: str,
    tasks: Sequence[CharacterTask],
    *,
    observer: GeneratorObserver,
    keep: Callable[[CharacterTask, TrainedGan], bool],
    should_stop: Callable[[], bool],
) -> None:
    """Train generators, as many at a time as the cluster has processors.

    One whose node is lost, or whose process dies, is trained again, at most twice.

    Args:
        address: HOST:PORT of the cluster's head node.
        tasks: of characters that are all different.
        observer: is told how it goes.
        keep: is given each generator as soon as it is trained; says whether it could keep it.
        should_stop: asked several times a second; what is not finished then is given up.

    Raises:
        UserError: the cluster cannot be used; or, after all others were trained, some could not
            be, and each is named.
        crews.ending.TrainingDefect: after all others were trained, some raised an exception.
    """
    training = _Training(tasks, RayTasks(address, most_lost_nodes=1), observer, keep)
    training.run(should_stop)
    training.raise_problems()


class _Training:
    """The tasks of one call of `train_on_cluster`, by number, and what has become of each."""

    def __init__(
        self,
        tasks: Sequence[CharacterTask],
        ray: RayTasks,
        observer: GeneratorObserver,
        keep: Callable[[CharacterTask, TrainedGan], bool],
    ) -> None:
        self._tasks = tasks
        self._ray = ray
        self._observer = observer
        self._keep = keep
        self._waiting = list(range(len(tasks)))
        self._running: set[int] = set()
        self._stopped = False
        self._images: dict[int, Reference] = {}
        self._tries: Counter[int] = Counter()
        self._reasons: dict[str, str] = {}  # why a character's could not be trained
        self._tracebacks: dict[str, training_crew.Failed] = {}

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Train until all is done, or until it is to stop; see `train_on_cluster`."""
        try:
            self._ray.open(train_generator_on_node)
            while (self._waiting or self._running) and not self._stopped:
                if should_stop():
                    self._stopped = True
                    break
                self._send()
                self._ray.work(PAUSE, self._hear)
            if self._stopped:
                self._stop()
        finally:
            self._ray.close()

    def _send(self) -> None:
        while self._waiting and len(self._running) < self._ray.places():
            number = self._waiting.pop(0)
            task = self._tasks[number]
            self._running.add(number)
            self._tries[number] += 1
            if number not in self._images:
                self._images[number] = self._ray.put(task.images)
            images = self._images[number]
            self._ray.submit(number, task.kind, images, task.settings, task.seed)

    def _stop(self) -> None:
        """Give up what is under way, and hear for a little while what is finished just now."""
        self._ray.cancel()
        work_within_grace(
            lambda: bool(self._running), lambda seconds: self._ray.work(seconds, self._hear)
        )
        unfinished = sorted({*self._waiting, *self._running})
        if unfinished:
            self._observer.stopped([self._tasks[number].character for number in unfinished])

    def _hear(self, event: TaskEvent) -> None:
        number, character = event.number, self._tasks[event.number].character
        match event:
            case training_crew.Started():
                self._observer.started(character)
                return
            case Reported(progress=progress):
                self._observer.progressed(character, progress)
                return
        self._running.remove(number)
        match event:
            case training_crew.Stopped():
                self._stopped = True
                self._waiting.append(number)
                return
            case training_crew.Died(reason=reason):
                self._try_again(number, reason)
                return
            case Returned(value=value):
                trained = _in_memory_of_its_own(value)
                kept = self._keep(self._tasks[number], trained)
                self._observer.finished(character, trained, kept)
            case training_crew.Refused(reason=reason):
                self._fail(character, reason)
            case training_crew.Failed(error=error):
                self._tracebacks[character] = event
                self._observer.failed(character, f"a defect of the program: {error}")
        del self._images[number]

    def _try_again(self, number: int, reason: str) -> None:
        character = self._tasks[number].character
        if self._tries[number] < TRIES:
            self._waiting.append(number)
            self._observer.interrupted(character, reason)
        else:
            del self._images[number]
            self._fail(
                character,
                f"its training was begun {TRIES} times, and each was broken off; the last one "
                f"{reason}",
            )

    def _fail(self, character: str, reason: str) -> None:
        self._reasons[character] = reason
        self._observer.failed(character, reason)

    def raise_problems(self) -> None:
        """Raise what is to be said after everything else was trained; see `train_on_cluster`."""
        if self._tracebacks:
            names = [f"the generator of {character!r}" for character in self._tracebacks]
            failures = list(self._tracebacks.values())
            raise defect_of(
                f"{names[0]}: {failures[0].error}",
                zip(names, (failed.traceback for failed in failures), strict=True),
            )
        if self._reasons:
            raise UserError(
                "\n".join(
                    f"no generator of {', '.join(map(repr, characters))}, since {reason}"
                    for reason, characters in grouped_by_reason(self._reasons.items()).items()
                )
            )


def _in_memory_of_its_own(trained: TrainedGan) -> TrainedGan:
    """What a training left, without arrays in Ray's memory, which would fill up with them."""
    return dataclasses.replace(
        trained,
        weights=trained.weights.copy(),
        losses=trained.losses.copy(),
        previews=trained.previews.copy(),
    )
