"""A crew of one: trains in this very process, one variant after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from crews.training_crew import Assignment, Event, Progressed, Started, train_in_crew
from data_parser import DataSet

if TYPE_CHECKING:
    from cnn_model import TrainingProgress


class InProcessCrew:
    """See `training_crew.TrainingCrew`; its `work` takes as long as a training does."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        """Ask `should_stop` after each few batches, since nobody else can while training lasts."""
        self._should_stop = should_stop
        self._waiting: list[Assignment] = []

    def start(self, data_set: DataSet, seed: int) -> None:
        """See `TrainingCrew`."""
        self._data_set = data_set
        self._seed = seed

    def places(self) -> int:
        """See `TrainingCrew`."""
        return 1

    def submit(self, assignment: Assignment) -> None:
        """See `TrainingCrew`."""
        self._waiting.append(assignment)

    def work(self, seconds: float, tell: Callable[[Event], None]) -> None:
        """Train what was submitted; see `TrainingCrew`."""
        while self._waiting:
            self._train(self._waiting.pop(), tell)

    def _train(self, assignment: Assignment, tell: Callable[[Event], None]) -> None:
        raised: list[Exception] = []  # by who is told, which is no defect of the training

        def show(progress: TrainingProgress) -> None:
            try:
                tell(Progressed(assignment.number, progress))
            except Exception as error:
                raised.append(error)
                raise

        tell(Started(assignment.number))
        outcome = train_in_crew(
            assignment, self._data_set, self._seed, show=show, should_stop=self._should_stop
        )
        if raised:
            raise raised[0]
        tell(outcome)

    def ask_to_stop(self) -> None:
        """See `TrainingCrew`; nothing is under way between calls of `work`."""

    def close(self) -> None:
        """See `TrainingCrew`."""
