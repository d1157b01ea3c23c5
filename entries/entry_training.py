"""Training an entry: a network is fitted, calibrated, made small, and only then scored."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from data_set import DataSet
from entries.entry import Entry, EpochScores
from entries.half_precision import smallest_weights
from entries.origin import library_versions, origin_of
from entries.reading import as_it_reads, score_split
from settings.hyperparameters import TrainingTask
from settings.training_parameters import TrainingParameters

if TYPE_CHECKING:
    import keras

    from cnn_model import Fitted, TrainingProgress
    from training.tensorboard_log import EpochLog


class TrainingDiverged(Exception):
    """A training ended with weights or losses that are no finite numbers."""


def train_entry(
    task: TrainingTask,
    data_set: DataSet,
    seed: int,
    teacher: Entry | None,
    *,
    show: Callable[[TrainingProgress], None],
    should_stop: Callable[[], bool],
) -> Entry:
    """Train one variant and score it.

    Args:
        task: a checked variant, and how to train it.
        data_set: its splits.
        seed: of weights, dropout, distortions and order of images.
        teacher: the entry that `task.parameters.distillation` names, or None without it.
        show: told of progress.
        should_stop: asked after each few batches, of scoring too, which takes as long as an epoch
            where there are many images or they are read shifted.

    Returns:
        The entry; its weights are rounded to half precision where validation accuracy allows.

    Raises:
        cnn_model.TrainingStopped: `should_stop` said so.
        TrainingDiverged: the weights or the losses are no longer finite.
        UserError: the folder that `task.tensorboard` names cannot be written.
    """
    import keras

    import cnn_model

    keras.utils.set_random_seed(seed % 2**32)
    network = cnn_model.build_network(task.layers, len(data_set.classes), task.parameters.precision)
    images = cnn_model.TrainingImages(
        data_set.images, data_set.labels, data_set.splits.training, data_set.splits.validation
    )
    with _log(task, seed) as log:
        fitted = cnn_model.fit_network(
            network,
            images,
            task.parameters,
            seed,
            teacher=_teaching(teacher, len(data_set.classes), task.parameters.precision),
            show=show,
            should_stop=should_stop,
            callbacks=[log] if log is not None else [],
        )
    _check_finite(fitted, network)
    if task.parameters.precision is not None:  # which is for training alone
        trained = cnn_model.get_weights(network)
        network = cnn_model.build_network(task.layers, len(data_set.classes))
        cnn_model.set_weights(network, trained)
    if task.parameters.calibration is not None:
        _calibrate(network, data_set, task.parameters, should_stop)
    return _scored(task, data_set, seed, fitted, network, should_stop)


def _scored(
    task: TrainingTask,
    data_set: DataSet,
    seed: int,
    fitted: Fitted,
    network: keras.Model,
    should_stop: Callable[[], bool],
) -> Entry:
    """The entry that a fitted network makes, with its weights as small as they may be."""
    weights, validation = smallest_weights(network, data_set, should_stop)
    reader = as_it_reads(network, task.parameters)
    if reader is not network:
        validation = score_split(reader, data_set, "validation", should_stop)
    return Entry(
        layers=task.layers,
        training_parameters=task.parameters,
        validation=validation,
        test=score_split(reader, data_set, "test", should_stop),
        history=tuple(
            EpochScores(
                epoch.accuracy, epoch.loss, epoch.validation_accuracy, epoch.validation_loss
            )
            for epoch in fitted.epochs
        ),
        seconds=fitted.seconds,
        seed=seed,
        data=origin_of(data_set),
        versions=library_versions(),
        weights=weights,
    )


def _log(task: TrainingTask, seed: int) -> contextlib.AbstractContextManager[EpochLog | None]:
    """The log that a task asks for, in a folder named by the entry's identity and the seed."""
    if task.tensorboard is None:
        return contextlib.nullcontext()
    from training import tensorboard_log

    return tensorboard_log.new_run(task.tensorboard, f"{task.identity}-seed-{seed}")


def _teaching(entry: Entry | None, class_count: int, precision: str | None) -> keras.Model | None:
    """An entry's network as it teaches: as quick as its pupil, and reading each image once."""
    import cnn_model

    if entry is None:
        return None
    network = cnn_model.build_network(entry.layers, class_count, precision)
    cnn_model.set_weights(network, entry.weights)
    return network


def _check_finite(fitted: Fitted, network: keras.Model) -> None:
    """Raise TrainingDiverged where losses or weights are no finite numbers."""
    import cnn_model

    losses = [loss for epoch in fitted.epochs for loss in (epoch.loss, epoch.validation_loss)]
    arrays = [np.array(losses), *cnn_model.get_weights(network)]
    if not all(np.isfinite(array).all() for array in arrays):
        raise TrainingDiverged


def _calibrate(
    network: keras.Model,
    data_set: DataSet,
    parameters: TrainingParameters,
    should_stop: Callable[[], bool],
) -> None:
    """Fit the network's probabilities to the validation images."""
    import cnn_model
    from training import calibration

    images, labels = data_set.subset("validation")
    fitted = calibration.fit(
        cnn_model.predict(network, images, should_stop),
        labels,
        classes_count_alike=parameters.class_weighting is not None,
    )
    weights = cnn_model.get_weights(network)
    cnn_model.set_weights(network, calibration.calibrated_softmax(weights, fitted))
