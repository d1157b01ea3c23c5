"""Which crew trains the tasks of a session: this process, several of them, or a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from crews.in_process_crew import InProcessCrew
from crews.training_crew import TASKS_A_PROCESS, TrainingCrew
from settings.hyperparameters import TrainingTask


def choose_crew(
    tasks: Sequence[TrainingTask],
    training_images: int,
    *,
    workers: int | None,
    cluster: str | None,
    should_stop: Callable[[], bool],
) -> TrainingCrew:
    """Choose who trains tasks.

    Args:
        tasks: one or more.
        training_images: how many each learns from.
        workers: processes at most, 1 or more; None leaves it to the program.
        cluster: HOST:PORT of the head node of a Ray cluster, or None.
        should_stop: asked by a training in this process; other crews are told to stop.

    Returns:
        The crew, not started yet.
    """
    if cluster is not None:
        from crews.ray_crew import RayCrew

        return RayCrew(cluster)
    from crews.process_crew import ProcessCrew, sensible_workers  # seldom needed by other commands

    wanted = workers or sensible_workers(tasks, training_images)
    number = min(wanted, len(tasks))
    in_processes = number > 1 or (len(tasks) > TASKS_A_PROCESS and os.name == "posix")
    return ProcessCrew(number) if in_processes else InProcessCrew(should_stop)
