"""The entries of a collection: trained networks with their scores, ranked by validation accuracy.

An entry is plain data (layers, parameters, scores, weights as arrays), so a collection is listed,
saved and loaded without Keras; Keras comes in only to train and to read.
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import importlib.metadata
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from data_parser import DataSet
from errors import HyperparameterError
from evaluation import overlap
from evaluation.recognition import Score, score
from settings import hyperparameters
from settings.hyperparameters import TrainingTask
from settings.network_layers import Variant
from settings.training_parameters import TrainingParameters

if TYPE_CHECKING:
    import keras

    from cnn_model import Fitted, TrainingProgress
    from training.tensorboard_log import EpochLog

Weights = tuple[npt.NDArray[np.floating], ...]
PACKAGES = ("tensorflow", "keras", "numpy")


@dataclass(frozen=True)
class DataOrigin:
    """The data that an entry was trained and scored on.

    Attributes:
        name: file name of the data set.
        fingerprint: SHA-256 over images, labels, classes and splits, 64 hexadecimal digits.
        split_by: 'seed' for random splits, 'file' where the file's own test rows are the test set,
            'group' where images that belong together are never in two splits.
        seed: seed of the splits.
        training_images: number of images learnt from.
    """

    name: str
    fingerprint: str
    split_by: str
    seed: int
    training_images: int


@dataclass(frozen=True)
class EpochScores:
    """Scores after one epoch: accuracies 0 to 1, losses in nats; training ones with dropout on."""

    accuracy: float
    loss: float
    validation_accuracy: float
    validation_loss: float


@dataclass(frozen=True)
class Schooling:
    """What an entry's teachers had met of other data than that which it was trained on itself.

    Attributes:
        fingerprints: of the data that they, and their own teachers, were trained on; none twice.
        validation_images: how many images of the entry's validation split they had met.
        test_images: the same of its test split.
    """

    fingerprints: tuple[str, ...] = ()
    validation_images: int = 0
    test_images: int = 0


@dataclass(frozen=True, eq=False)
class Entry:
    """A variant trained under given parameters, with its scores and where they came from.

    Attributes:
        layers: the variant.
        training_parameters: how it was trained.
        validation: score on the validation split, the one that ranks.
        test: score on the test split, taken once, never used to choose.
        history: scores after each epoch.
        seconds: time of the training.
        seed: seed of the weights and of the order of images.
        data: what it was trained on.
        versions: names and versions of the libraries.
        weights: float16 or float32 arrays in the order of `layer_lists.weight_arrays`.
        schooling: what its teachers had met, where that is more than what it was trained on.
    """

    layers: Variant
    training_parameters: TrainingParameters
    validation: Score
    test: Score
    history: tuple[EpochScores, ...]
    seconds: float
    seed: int
    data: DataOrigin
    versions: dict[str, str]
    weights: Weights = field(repr=False)
    schooling: Schooling = Schooling()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the data that it has met: by which it was trained, and through its teachers."""
        return (self.data.fingerprint, *self.schooling.fingerprints)

    @cached_property
    def identity(self) -> str:
        """What makes two entries the same: layers, and parameters that change the result."""
        return hyperparameters.identity(self.layers, self.training_parameters)


@dataclass
class ModelCollection:
    """Entries for one list of classes.

    Attributes:
        classes: the characters that every network of the collection tells apart.
        entries: in the order they were first trained; their index is their number.
        images_used: for each data fingerprint, uint64 keys of the images that took part in
            training or in choosing (`evaluation.overlap`).
    """

    classes: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)
    images_used: dict[str, npt.NDArray[np.uint64]] = field(default_factory=dict)

    def best(self) -> Entry | None:
        """The entry of highest validation accuracy, ties by lower loss; None when there is none."""
        return max(self.entries, key=lambda entry: entry.validation.rank, default=None)

    def find(self, identity: str) -> Entry | None:
        """The entry with that identity, or None."""
        return next((entry for entry in self.entries if entry.identity == identity), None)

    def identities(self) -> Iterator[str]:
        """The identity of each entry, in their order."""
        return (entry.identity for entry in self.entries)

    def add(self, entry: Entry, images_used: npt.NDArray[np.uint64]) -> None:
        """Add an entry, in place of one with the same identity if there is one.

        Args:
            entry: trained for the classes of this collection.
            images_used: uint64 keys of the images that entries trained on the same data have
                learnt from or were chosen by.
        """
        self.images_used[entry.data.fingerprint] = images_used
        for number, old in enumerate(self.entries):
            if old.identity == entry.identity:
                self.entries[number] = entry
                break
        else:
            self.entries.append(entry)
        used = {name for kept in self.entries for name in kept.fingerprints}
        self.images_used = {name: keys for name, keys in self.images_used.items() if name in used}

    def keys_of(self, entry: Entry) -> npt.NDArray[np.uint64]:
        """Keys, uint64 (M,), of the images that took part in training or choosing an entry.

        Those of its teachers, and of theirs, are among them.
        """
        keys = [self.images_used[name] for name in entry.fingerprints]
        return keys[0] if len(keys) == 1 else np.unique(np.concatenate(keys))

    def met_by(self, images: npt.NDArray[np.uint8]) -> Callable[[Entry], npt.NDArray[np.bool_]]:
        """Find which images took part in training or choosing entries.

        Args:
            images: uint8 (N, 28, 28).

        Returns:
            What says for an entry which of them it has met, itself or through its teachers:
            bool (N,).
        """
        keys = overlap.image_keys(images)
        met = {name: np.isin(keys, used) for name, used in self.images_used.items()}
        return lambda entry: np.logical_or.reduce([met[name] for name in entry.fingerprints])


class TrainingDiverged(Exception):
    """A training ended with weights or losses that are no finite numbers."""


def teacher_identity(task: TrainingTask, known: Sequence[str]) -> str | None:
    """The one of some identities that a task learns from; None where it needs no teacher.

    Args:
        task: names its teacher's identity, or how that begins.
        known: identities of entries that there are, or will be, sorted.

    Raises:
        HyperparameterError: none of them, or several, are meant.
    """
    distillation = task.parameters.distillation
    if distillation is None:
        return None
    wanted = str(distillation.teacher)
    first = bisect.bisect_left(known, wanted)
    if first == len(known) or not known[first].startswith(wanted):
        raise HyperparameterError(_not_one(wanted, "no entry"))
    after = bisect.bisect_right(known, known[first])
    if after < len(known) and known[after].startswith(wanted):
        raise HyperparameterError(_not_one(wanted, "more than one entry"))
    return known[first]


def _not_one(wanted: str, found: str) -> str:
    return (
        f"the teacher {wanted!r} is {found} of the collection; Results shows the identity of each"
    )


def with_whole_teachers(
    tasks: Sequence[TrainingTask], collection: ModelCollection
) -> list[TrainingTask]:
    """Tasks whose teachers are named by whole identities, so that one training has one identity.

    Args:
        tasks: may name a teacher by how its identity begins.
        collection: where teachers are that are none of the tasks.

    Raises:
        HyperparameterError: a teacher is in neither, or several are meant.
    """
    whole = list(tasks)
    if all(task.parameters.distillation is None for task in tasks):
        return whole
    known = sorted([*collection.identities(), *(task.identity for task in tasks)])
    for number, task in enumerate(tasks):
        del known[bisect.bisect_left(known, task.identity)]  # nobody is their own teacher
        teacher = teacher_identity(task, known)
        if teacher is not None:
            parameters = hyperparameters.taught_by(task.parameters, teacher)
            whole[number] = dataclasses.replace(task, parameters=parameters)
        bisect.insort(known, whole[number].identity)
    return whole


def teacher_of(task: TrainingTask, collection: ModelCollection) -> Entry | None:
    """The entry that a task learns from, or None where it learns from labels alone.

    Raises:
        HyperparameterError: the collection has no such entry, or several.
    """
    if task.parameters.distillation is None:
        return None
    identity = teacher_identity(task, sorted(collection.identities()))
    return collection.find(identity) if identity is not None else None


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
    weights, validation = _smallest_weights(network, data_set, should_stop)
    reader = _reader(network, task.parameters)
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


def _smallest_weights(
    network: keras.Model, data_set: DataSet, should_stop: Callable[[], bool]
) -> tuple[Weights, Score]:
    """Weights in half precision, unless that costs range or validation accuracy.

    The ones that are returned, with the network's validation score, are left in it.
    """
    import cnn_model

    full = cnn_model.get_weights(network)
    full_score = score_split(network, data_set, "validation", should_stop)
    if max(float(np.abs(array).max()) for array in full) > float(np.finfo(np.float16).max):
        return full, full_score
    half = cnn_model.to_half_precision(full)
    cnn_model.set_weights(network, half)
    half_score = score_split(network, data_set, "validation", should_stop)
    # One image in a thousand is far below the spread between seeds.
    if half_score.accuracy >= full_score.accuracy - 0.001:
        return half, half_score
    cnn_model.set_weights(network, full)
    return full, full_score


def score_split(
    network: keras.Model,
    data_set: DataSet,
    name: str,
    should_stop: Callable[[], bool] = lambda: False,
) -> Score:
    """Score a network on one split of a data set.

    Raises:
        cnn_model.TrainingStopped: `should_stop`, asked after each few batches, said so.
    """
    import cnn_model

    images, labels = data_set.subset(name)
    return score(cnn_model.predict(network, images, should_stop), labels)


def network_of(entry: Entry, class_count: int) -> keras.Model:
    """Rebuild an entry's network from its layers, fill in its weights, and let it read as it did.

    Returns:
        A network from uint8 (N, 28, 28) to float32 (N, class_count).
    """
    import cnn_model

    network = cnn_model.build_network(entry.layers, class_count)
    cnn_model.set_weights(network, entry.weights)
    return _reader(network, entry.training_parameters)


def _reader(network: keras.Model, parameters: TrainingParameters) -> keras.Model:
    """The network as it reads: averaging over shifts where its parameters ask for it."""
    import cnn_model

    shifts = parameters.test_time_shifts
    return cnn_model.average_over_shifts(network, shifts) if shifts else network


def origin_of(data_set: DataSet) -> DataOrigin:
    """Where an entry that is trained on this data set comes from."""
    return DataOrigin(
        name=data_set.name,
        fingerprint=data_set.fingerprint,
        split_by=data_set.split_by,
        seed=data_set.seed,
        training_images=len(data_set.splits.training),
    )


def library_versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the libraries that a result hangs on."""
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **versions}
