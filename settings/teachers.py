"""Teachers, as training parameters name them: by identities, or by how those begin."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable, Sequence

from errors import HyperparameterError
from settings import hyperparameters
from settings.hyperparameters import TrainingTask


def teacher_identity(task: TrainingTask, known: Sequence[str]) -> str | None:
    """The one of some identities that a task learns from.

    Args:
        task: names its teacher's identity, or how that begins.
        known: identities of entries that there are, or will be, sorted.

    Returns:
        A whole identity; None where the task needs no teacher.

    Raises:
        HyperparameterError: none of them, or several, are meant.
    """
    distillation = task.parameters.distillation
    if distillation is None:
        return None
    wanted = str(distillation.teacher)
    first = bisect.bisect_left(known, wanted)
    if first == len(known) or not known[first].startswith(wanted):
        raise HyperparameterError(_not_one(task, "no entry"))
    after = bisect.bisect_right(known, known[first])
    if after < len(known) and known[after].startswith(wanted):
        raise HyperparameterError(_not_one(task, "more than one entry"))
    return known[first]


def _not_one(task: TrainingTask, found: str) -> str:
    distillation = task.parameters.distillation
    assert distillation is not None
    return (
        f"{task.name or 'a variant'}: the teacher {distillation.teacher!r} is {found} of the "
        "collection; Results shows the identity of each"
    )


def with_whole_teachers(
    tasks: Sequence[TrainingTask], identities: Iterable[str]
) -> list[TrainingTask]:
    """Tasks whose teachers are named by whole identities, so that one training has one identity.

    Args:
        tasks: may name a teacher by how its identity begins.
        identities: of the entries that there are; teachers need not be among the tasks.

    Returns:
        The tasks, in their order.

    Raises:
        HyperparameterError: a teacher is in neither, or several are meant.
    """
    whole = list(tasks)
    if all(task.parameters.distillation is None for task in tasks):
        return whole
    known = sorted([*identities, *(task.identity for task in tasks)])
    for number, task in enumerate(tasks):
        del known[bisect.bisect_left(known, task.identity)]  # nobody is their own teacher
        teacher = teacher_identity(task, known)
        if teacher is not None:
            parameters = hyperparameters.taught_by(task.parameters, teacher)
            whole[number] = dataclasses.replace(task, parameters=parameters)
        bisect.insort(known, whole[number].identity)
    return whole
