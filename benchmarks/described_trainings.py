"""Trainings of classifiers that plain lists and dictionaries describe, as text files have them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks import champions

if TYPE_CHECKING:
    from data_set import DataSet
    from entries.entry import Entry
    from settings.hyperparameters import TrainingTask


def network_named(name: str) -> tuple[champions.Layers, dict[str, Any]]:
    """Layers of a network, and how it is trained by labels alone, as its files say.

    Args:
        name: "small" or "best", of the recommended ones; or "variant N" of 2017.

    Returns:
        The layers and the training parameters.
    """
    if name.startswith("variant"):
        return champions.original_layers(int(name.split()[1])), champions.original_parameters()
    variant = champions.BEST if name == "best" else champions.SMALL
    parameters = champions.without_teacher(champions.champion_parameters(variant))
    return champions.champion_layers(variant), parameters


def task_of(layers: Iterable[dict[str, Any]], parameters: dict[str, Any]) -> TrainingTask:
    """Make a task of what describes it.

    Args:
        layers: as in a hyperparameter file.
        parameters: as in a training-parameter file.

    Returns:
        The checked task.

    Raises:
        SystemExit: something is wrong; the message says what.
    """
    from settings.hyperparameters import TrainingTask, layer_from_dictionary
    from settings.training_parameters import training_parameters_from_dictionary

    return TrainingTask(
        tuple(_checked(layer_from_dictionary(layer)) for layer in layers),
        _checked(training_parameters_from_dictionary(parameters)),
    )


def _checked(read: tuple[Any, Sequence[str]]) -> Any:
    value, problems = read
    if value is None:
        sys.exit("; ".join(problems))
    return value


def trained(
    task: TrainingTask, data_set: DataSet, seed: int, teacher: Entry | None = None
) -> Entry:
    """Train a task to its end without a word.

    Args:
        task: what to train.
        data_set: its splits.
        seed: of weights, distortions and order of images.
        teacher: that the task learns from, or None.

    Returns:
        The entry.
    """
    from entries.entry_training import train_entry

    return train_entry(
        task, data_set, seed, teacher, show=lambda progress: None, should_stop=lambda: False
    )
