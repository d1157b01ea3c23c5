"""A crew on the machines of a Ray cluster: each training is a task of Ray; see `ray_tasks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from crews.ray_tasks import RayTasks, Reference, Reported, Reporter, Returned, TaskEvent
from crews.training_crew import Assignment, Event, Finished, Outcome, Progressed, train_in_crew
from data_parser import DataSet
from entries.entry import Entry

MOST_LOST_NODES = 3  # that one training may have been on


def train_on_node(
    reporter: Reporter,
    assignment: Assignment,
    teacher: Entry | None,
    data_set: DataSet,
    seed: int,
) -> Outcome:
    """Train an assignment in a process of Ray.

    Args:
        reporter: told how far it is.
        assignment: what to train, without its teacher.
        teacher: the entry that it learns from, or None.
        data_set: in memory that all processes of the node share.
        seed: of the training.

    Returns:
        What came of it, as data that can be sent elsewhere.
    """
    reporter.begin()
    return train_in_crew(
        replace(assignment, teacher=teacher),
        data_set,
        seed,
        show=reporter.show,
        should_stop=lambda: False,  # Ray cancels tasks itself
    )


class RayCrew:
    """See `training_crew.TrainingCrew`."""

    def __init__(self, address: str) -> None:
        """Train on the cluster whose head node is at `address`, HOST:PORT."""
        self._tasks = RayTasks(address, MOST_LOST_NODES)
        self._teachers: dict[str, Reference] = {}

    def start(self, data_set: DataSet, seed: int) -> None:
        """See `TrainingCrew`.

        Raises:
            UserError: the cluster cannot be used; see `RayTasks.open`.
        """
        self._tasks.open(train_on_node)
        data_set.fingerprint  # noqa: B018 - computed here, once, and sent along
        self._data_set = self._tasks.put(data_set)
        self._seed = seed

    def places(self) -> int:
        """See `TrainingCrew`; as many as there are processors on the nodes that are alive."""
        return self._tasks.places()

    def submit(self, assignment: Assignment) -> None:
        """See `TrainingCrew`."""
        self._tasks.submit(
            assignment.number,
            replace(assignment, teacher=None),
            self._sent(assignment.teacher),
            self._data_set,
            self._seed,
        )

    def _sent(self, teacher: Entry | None) -> Reference | None:
        """A reference to a teacher, which is sent once, however many learn from it."""
        if teacher is None:
            return None
        if teacher.identity not in self._teachers:
            self._teachers[teacher.identity] = self._tasks.put(teacher)
        return self._teachers[teacher.identity]

    def work(self, seconds: float, tell: Callable[[Event], None]) -> None:
        """See `TrainingCrew`."""
        self._tasks.work(seconds, lambda event: tell(_of_training(event)))

    def ask_to_stop(self) -> None:
        """See `TrainingCrew`."""
        self._tasks.cancel()

    def close(self) -> None:
        """See `TrainingCrew`."""
        self._teachers.clear()
        self._tasks.close()


def _of_training(event: TaskEvent) -> Event:
    """What a task tells, as a crew tells it."""
    match event:
        case Reported(number=number, progress=progress):
            return Progressed(number, progress)
        case Returned(value=value):
            return _with_weights_of_its_own(value)
    return event


def _with_weights_of_its_own(outcome: Outcome) -> Outcome:
    """An outcome without arrays in Ray's memory, which would fill up with them."""
    if not isinstance(outcome, Finished):
        return outcome
    weights = tuple(array.copy() for array in outcome.entry.weights)
    return replace(outcome, entry=replace(outcome.entry, weights=weights))
