"""How long epochs take, without the first, in which networks are compiled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnn_model import TrainingProgress


class EpochClock:
    """Notes when epochs end.

    Attributes:
        ends: when each epoch ended, in seconds of `time.perf_counter`.
    """

    def __init__(self) -> None:
        """Begin before the first epoch."""
        self.ends: list[float] = []

    def show(self, progress: TrainingProgress) -> None:
        """Hear of progress, as `cnn_model.fit_network` tells it.

        Args:
            progress: with the epochs that have ended.
        """
        if len(progress.finished) > len(self.ends):
            self.ends.append(time.perf_counter())

    @property
    def seconds_an_epoch(self) -> float:
        """Mean over all epochs but the first; there are two or more."""
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)
