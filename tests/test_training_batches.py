"""Tests of the batches that a network learns from, and of those it is validated on."""

import dataclasses
import gc
import itertools
import weakref
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from settings.training_parameters import Augmentation, Distillation, TrainingParameters
from training import training_batches

Array = npt.NDArray[Any]
COUNTS = (3, 30, 12)  # images of each class in the training rows
CLASSES = len(COUNTS)
PLAIN = TrainingParameters("sgd", 7, 1)
BEND = Augmentation(10, 2, 0.1, 6, 0.1, 0.6)


def numbered(counts: tuple[int, ...] = COUNTS, others: int = 20) -> tuple[Array, Array, Any]:
    """Images whose middle is as dark as their row's number, labels, and rows that are learnt from.

    The other rows are validated on.
    """
    random = np.random.default_rng(0)
    labels = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.arange(others) % 2])
    labels = random.permutation(labels)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 4:24, 4:24] = np.arange(1, len(labels) + 1, dtype=np.uint8)[:, None, None]
    rows = random.permutation(
        np.concatenate([np.flatnonzero(labels == c)[:count] for c, count in enumerate(counts)])
    )
    return images, labels, (rows, np.setdiff1d(np.arange(len(labels)), rows))


def batches(
    parameters: TrainingParameters, seed: int = 1, counts: tuple[int, ...] = COUNTS
) -> tuple[Any, Any]:
    images, labels, rows = numbered(counts)
    return training_batches.batches_for(images, labels, rows, parameters, len(counts), seed)


def epoch(data: Any) -> list[tuple[Array, ...]]:
    return [tuple(np.asarray(part) for part in batch) for batch in data]


def joined(batches: list[tuple[Array, ...]]) -> list[Array]:
    """Images, targets, and weights if there are any, of an epoch."""
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def rows_of(images: Array) -> list[int]:
    return [int(grey) - 1 for grey in images[:, 13, 13]]


def targets_of(rows: list[int], smoothing: float = 0.0) -> Array:
    labels = numbered()[1][rows]
    return np.where(np.eye(CLASSES, dtype=bool)[labels], 1 - smoothing, 0) + smoothing / CLASSES


LEARNING_FROM_TARGETS = [
    {"label_smoothing": 0.1},
    {"moving_average": 0.9},
    {"augmentation": BEND},
    {"class_weighting": "prior"},
    {"class_weighting": "balanced"},
    {"distillation": Distillation("abcd")},
]


# ------------------------------------------------------------------------- what an epoch holds


@pytest.mark.parametrize("keys", [{}, *LEARNING_FROM_TARGETS, {"mixup": 0.001}])
def test_an_epoch_has_each_training_image_once_in_an_order_of_its_own(keys: dict[str, Any]) -> None:
    training, _ = batches(dataclasses.replace(PLAIN, **keys))
    first, second = epoch(training), epoch(training)
    assert [len(images) for images, *_ in first] == [7] * 6 + [3]
    orders = [rows_of(joined(batches)[0]) for batches in (first, second)]
    if "mixup" not in keys:  # which may blend two images
        assert sorted(orders[0]) == sorted(orders[1]) == sorted(numbered()[2][0])
    assert orders[0] != orders[1] and orders[0] != sorted(orders[0])


@pytest.mark.parametrize("keys", LEARNING_FROM_TARGETS)
def test_images_keep_their_labels_and_types(keys: dict[str, Any]) -> None:
    images, targets, *_ = joined(epoch(batches(dataclasses.replace(PLAIN, **keys))[0]))
    assert images.dtype == np.uint8 and images.shape == (45, 28, 28)
    assert targets.dtype == np.float32 and targets.shape == (45, CLASSES)
    assert np.array_equal(targets.argmax(axis=1), targets_of(rows_of(images)).argmax(axis=1))
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_without_new_keys_batches_are_images_and_labels() -> None:
    training, validation = batches(PLAIN)
    images, labels = joined(epoch(training))
    assert labels.dtype == np.int32
    assert np.array_equal(labels, numbered()[1][rows_of(images)])
    assert np.array_equal(images, numbered()[0][rows_of(images)])
    assert [len(batch) for batch, _ in epoch(validation)] == [20]


ALL_KEYS = dataclasses.replace(
    PLAIN, label_smoothing=0.1, augmentation=BEND, cutmix=1.0, class_weighting="balanced"
)


@pytest.mark.parametrize(
    "parameters",
    [
        PLAIN,
        dataclasses.replace(PLAIN, class_weighting="sampling"),
        ALL_KEYS,
        dataclasses.replace(ALL_KEYS, cutmix=None, mixup=0.4, class_weighting="sampling"),
    ],
)
def test_the_seed_makes_all_epochs_and_another_seed_makes_others(
    parameters: TrainingParameters,
) -> None:
    def three_epochs(seed: int) -> list[Array]:
        training = batches(parameters, seed)[0]
        return [part for _ in range(3) for part in joined(epoch(training))]

    once, again, other = three_epochs(5), three_epochs(5), three_epochs(2**32 - 1)
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(once[::3], other[::3], strict=True))


def test_distortions_differ_from_epoch_to_epoch_and_from_batch_to_batch() -> None:
    images, labels, (_, others) = numbered()
    images[:] = images[0]  # so that only the distortion can differ
    rows = (np.arange(40), others)
    parameters = dataclasses.replace(PLAIN, augmentation=BEND)
    training, _ = training_batches.batches_for(images, labels, rows, parameters, CLASSES, 1)
    seen = np.concatenate([joined(epoch(training))[0] for _ in range(3)])
    assert len(np.unique(seen.reshape(120, -1), axis=0)) == 120


@pytest.mark.parametrize(("size", "last"), [(44, 1), (45, 45), (1000, 45), (1, 1)])
@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_batches_of_one_image_and_of_all_are_made(size: int, last: int, mixing: str) -> None:
    changes: dict[str, Any] = {"train_batch_size": size, "cutmix": None} | {mixing: 1.0}
    made = epoch(batches(dataclasses.replace(ALL_KEYS, **changes))[0])
    assert len(made[-1][0]) == last and sum(len(images) for images, *_ in made) == 45
    images, targets, weights = joined(made)
    assert images.max() <= 70 and np.allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert weights.shape == (45,) and np.isfinite(weights).all()


# ------------------------------------------------------------------------- validation


@pytest.mark.parametrize(
    "keys",
    [*LEARNING_FROM_TARGETS, {"mixup": 0.4}, {"cutmix": 1.0}, {"class_weighting": "sampling"}],
)
def test_validation_has_its_images_and_labels_as_they_are(keys: dict[str, Any]) -> None:
    _, validation = batches(dataclasses.replace(PLAIN, **keys))
    images, labels, (_, rows) = numbered()
    for _ in range(2):
        (found,) = epoch(validation)
        assert len(found) == 2, "no weights"
        assert np.array_equal(found[0], images[rows])
        assert np.array_equal(found[1], np.eye(CLASSES)[labels[rows]])


def test_many_images_are_validated_in_parts() -> None:
    labels = np.zeros(1100, np.int64)
    rows = (np.arange(5), np.arange(5, 1100))
    images = np.zeros((1100, 28, 28), np.uint8)
    for smoothing in (None, 0.1):
        parameters = dataclasses.replace(PLAIN, label_smoothing=smoothing)
        _, validation = training_batches.batches_for(images, labels, rows, parameters, 2, 1)
        assert [len(batch[0]) for batch in epoch(validation)] == [512, 512, 71]


# ------------------------------------------------------------------------- targets


def test_label_smoothing_spreads_its_share_of_each_label_over_all_classes() -> None:
    parameters = dataclasses.replace(PLAIN, label_smoothing=0.3)
    images, targets = joined(epoch(batches(parameters)[0]))
    # 0.7 of the label, and 0.1 for each of the three classes.
    assert sorted(set(targets.round(6).ravel().tolist())) == pytest.approx([0.1, 0.8])
    assert np.allclose(targets, targets_of(rows_of(images), 0.3))


@pytest.mark.parametrize("smoothing", [None, 0.3])
@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_blended_images_have_blended_targets_that_sum_to_1(
    mixing: str, smoothing: float | None
) -> None:
    keys: dict[str, Any] = {mixing: 1.0, "label_smoothing": smoothing}
    _, targets = joined(epoch(batches(dataclasses.replace(PLAIN, **keys))[0]))
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6)
    least = (smoothing or 0) / CLASSES
    assert targets.min() >= least - 1e-6
    blended = (targets > least + 0.01).sum(axis=1) == 2
    assert blended.mean() > 0.2 and (targets > least + 0.01).sum(axis=1).max() == 2


# ------------------------------------------------------------------------- classes


def test_shares_of_classes_are_counted_and_a_class_without_images_counts_as_one() -> None:
    assert np.allclose(training_batches.class_shares(np.array([0, 2, 2, 2]), 3), [0.2, 0.2, 0.6])
    assert np.allclose(training_batches.class_shares(np.array([1, 0, 1, 1]), 2), [0.25, 0.75])


def test_balanced_weighs_each_image_by_one_over_the_share_of_its_class() -> None:
    parameters = dataclasses.replace(PLAIN, class_weighting="balanced")
    _, targets, weights = joined(epoch(batches(parameters)[0]))
    by_hand = 45 / (3 * np.array(COUNTS))  # 5, 0.5 and 1.25
    assert np.allclose(weights, by_hand[targets.argmax(axis=1)])
    assert weights.mean() == pytest.approx(1)
    assert (weights @ targets).tolist() == pytest.approx([15, 15, 15])


@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
@pytest.mark.parametrize("smoothing", [None, 0.3])
def test_balanced_weighs_blended_images_as_what_they_are_made_of(
    mixing: str, smoothing: float | None
) -> None:
    keys: dict[str, Any] = {mixing: 1.0, "label_smoothing": smoothing}
    parameters = dataclasses.replace(PLAIN, class_weighting="balanced", **keys)
    _, targets, weights = joined(epoch(batches(parameters)[0]))
    shares = (targets - (smoothing or 0) / CLASSES) / (1 - (smoothing or 0))
    assert np.allclose(weights, shares @ (45 / (3 * np.array(COUNTS))), atol=1e-5)


def classes_in(images: Array) -> Counter[int]:
    return Counter(numbered()[1][rows_of(images)].tolist())


def test_sampling_takes_images_of_every_class_equally_often() -> None:
    parameters = dataclasses.replace(PLAIN, class_weighting="sampling")
    training, _ = batches(parameters)
    for _ in range(3):
        made = epoch(training)
        assert [len(images) for images, _ in made] == [7] * 6 + [3], "an epoch is as long as ever"
        images, targets = joined(made)
        assert classes_in(images) == {0: 15, 1: 15, 2: 15}
        assert np.array_equal(targets, targets_of(rows_of(images)))


def test_sampling_uses_all_images_of_a_class_before_it_uses_one_again() -> None:
    training, _ = batches(dataclasses.replace(PLAIN, class_weighting="sampling"))
    images, _ = joined(epoch(training))
    labels = numbered()[1]
    times: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for row, count in Counter(rows_of(images)).items():
        times[labels[row]].append(count)
    assert sorted(times[0]) == [5, 5, 5]  # 15 of 3 images
    assert times[1] == [1] * 15  # of 30
    assert sorted(times[2]) == [1] * 9 + [2] * 3  # of 12


def test_sampling_takes_other_images_of_a_large_class_in_each_epoch_and_mixes_classes() -> None:
    training, _ = batches(dataclasses.replace(PLAIN, class_weighting="sampling"))
    epochs = [rows_of(joined(epoch(training))[0]) for _ in range(8)]
    assert all(one != other for one, other in itertools.pairwise(epochs))
    labels = numbered()[1]
    used = {row for rows in epochs for row in rows if labels[row] == 1}
    assert len(used) >= 28
    changes = sum(labels[a] != labels[b] for a, b in itertools.pairwise(epochs[0]))
    assert changes > 20, "classes do not come one after the other"


def test_sampling_is_even_to_an_image_or_two_where_classes_do_not_divide_the_epoch() -> None:
    counts = (3, 30, 11)  # 44 images: 14 or 15 of each
    parameters = dataclasses.replace(PLAIN, class_weighting="sampling")
    images, targets = joined(epoch(batches(parameters, counts=counts)[0]))
    assert len(images) == 44 and sorted(targets.sum(axis=0)) == [14, 15, 15]


def test_sampling_does_without_a_class_that_has_no_training_images() -> None:
    counts = (3, 0, 12)
    for weighting in ("sampling", "balanced", "prior"):
        parameters = dataclasses.replace(PLAIN, class_weighting=weighting)
        _, targets, *weights = joined(epoch(batches(parameters, counts=counts)[0]))
        assert targets.sum(axis=0)[1] == 0 and len(targets) == 15
        if weighting == "sampling":
            assert sorted(targets.sum(axis=0)) == [0, 7, 8]
        assert all(np.isfinite(part).all() for part in weights)


# ------------------------------------------------------------------------- memory


def aligned(count: int, offset: int = 0) -> npt.NDArray[np.uint8]:
    """Images of zeros that begin `offset` bytes after a place that TensorFlow can use."""
    memory = np.zeros(count * 784 + 2 * training_batches.ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % training_batches.ALIGNMENT + offset
    return memory[start : start + count * 784].reshape(count, 28, 28)


def address_of(tensor: Any) -> int:
    """Where a tensor's content is in memory."""
    return np.asarray(memoryview(tensor)).ctypes.data


@pytest.mark.parametrize("writeable", [True, False])
def test_images_that_processes_share_are_not_copied(writeable: bool) -> None:
    images = aligned(5)
    images[3, 2, 1] = 77
    images.flags.writeable = writeable
    tensor, labels = training_batches.tensors_of(images, np.arange(5))
    assert address_of(tensor) == images.ctypes.data
    assert tensor.shape == (5, 28, 28) and tensor.dtype.name == "uint8"
    assert tensor[3, 2, 1] == 77
    assert labels.dtype.name == "int32"


@pytest.mark.parametrize("kind", ["unaligned", "strided", "none"])
@pytest.mark.parametrize("writeable", [True, False])
def test_images_that_cannot_be_shared_are_copied(kind: str, writeable: bool) -> None:
    images = aligned(0 if kind == "none" else 6, 1 if kind == "unaligned" else 0)
    images[...] = np.arange(len(images), dtype=np.uint8)[:, None, None]
    images.flags.writeable = writeable
    if kind == "strided":
        images = images[::2]
    tensor, _ = training_batches.tensors_of(images, np.zeros(len(images), int))
    assert np.array_equal(tensor.numpy(), images)
    assert not len(images) or address_of(tensor) != images.ctypes.data


@pytest.mark.parametrize("writeable", [True, False])
def test_shared_images_outlive_the_array_and_no_longer_than_the_tensor(writeable: bool) -> None:
    images = aligned(4)
    images[2] = 9
    images.flags.writeable = writeable
    ended = weakref.ref(images)
    tensor, _ = training_batches.tensors_of(images, np.zeros(4, int))
    del images
    gc.collect()
    assert ended() is not None
    assert tensor.numpy()[2].min() == 9
    del tensor
    gc.collect()
    assert ended() is None


def test_what_is_computed_from_shared_images_never_takes_their_place() -> None:
    images = aligned(4)
    images[...] = 9
    images.flags.writeable = False
    # The operation alone holds the tensor, so memory of TensorFlow's own would be used again.
    inverted = tf.bitwise.invert(training_batches.tensors_of(images, np.zeros(4, int))[0])
    compiled = tf.function(tf.bitwise.invert)(
        training_batches.tensors_of(images, np.zeros(4, int))[0]
    )
    assert inverted.numpy().min() == compiled.numpy().min() == 246
    assert images.min() == images.max() == 9
