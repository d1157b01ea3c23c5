"""Batches for training and validation, made of the one copy of the images in TensorFlow."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from settings.training_parameters import TrainingParameters
from training import augmentation

Tensor: TypeAlias = Any  # TensorFlow ships no types that checkers can use
Tensors: TypeAlias = tuple[Tensor, Tensor]
VALIDATION_BATCH = 512
ALIGNMENT = 64  # bytes; what TensorFlow asks of memory that it did not allocate


def batches_for(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    rows: tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]],
    parameters: TrainingParameters,
    class_count: int,
    seed: int,
) -> tuple[Any, Any]:
    """Batches to learn from, as parameters say, and batches to validate on.

    Args:
        images: uint8 (N, 28, 28).
        labels: integers (N,).
        rows: integers (T,) to learn from and (V,) to validate on.
        parameters: how to train.
        class_count: C.
        seed: order and distortions of what is learnt from.

    Returns:
        Two data sets of uint8 (B, 28, 28) images, with int32 (B,) labels where labels alone are
        learnt from, else with float32 (B, C) targets.
    """
    training, validation = rows
    tensors = tensors_of(images, labels)
    if parameters.learns_from_labels_alone():
        return (
            label_batches(tensors, training, parameters.train_batch_size, seed),
            label_batches(tensors, validation, VALIDATION_BATCH, None),
        )
    weights = None
    if parameters.class_weighting == "balanced":
        weights = 1 / (class_count * class_shares(labels[training], class_count))
    return (
        augmented_batches(tensors, training, parameters, weights, class_count, seed),
        target_batches(tensors, validation, VALIDATION_BATCH, class_count),
    )


def tensors_of(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> Tensors:
    """Images and labels where TensorFlow finds them.

    Images that processes share stay where they are, read-only ones too; others, which are not
    contiguous or begin where TensorFlow can use no memory, are copied.

    Args:
        images: uint8 (N, 28, 28).
        labels: integers (N,).

    Returns:
        Tensors: uint8 (N, 28, 28) and int32 (N,).
    """
    usable = images.flags.c_contiguous and images.ctypes.data % ALIGNMENT == 0
    if usable and images.size:
        shared = tf.experimental.dlpack.from_dlpack(_writable(images).__dlpack__())
        return shared, tf.constant(labels.astype(np.int32))
    return tf.constant(images), tf.constant(labels.astype(np.int32))


def _writable(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The same memory as an array that says it can be written to, to be handed over alone.

    TensorFlow takes memory by a DLPack of a version that cannot say 'read-only', and NumPy then
    gives no read-only array away. It is safe all the same: tensors never change, and TensorFlow
    makes no result in the place of an input whose memory it did not allocate.
    """
    if images.flags.writeable:
        return images
    memory = (ctypes.c_uint8 * images.nbytes).from_address(images.ctypes.data)
    # An address keeps nothing alive; the view keeps `memory`, and so what it is part of.
    memory.owner = images  # type: ignore[attr-defined]
    view: npt.NDArray[np.uint8] = np.frombuffer(memoryview(memory).cast("B"), np.uint8)
    return view.reshape(images.shape)


def label_batches(
    tensors: Tensors, rows: npt.NDArray[np.integer], batch_size: int, seed: int | None
) -> Any:
    """Batches of images and labels.

    Args:
        tensors: all images and labels.
        rows: integers (M,), which of them.
        batch_size: images of a batch; the last may have fewer.
        seed: of the order, which is new each time; None keeps the order of `rows`.

    Returns:
        A `tf.data.Dataset` of uint8 (B, 28, 28) and int32 (B,).
    """
    images, labels = tensors
    batches = _batches_of_rows(rows, batch_size, seed).map(
        lambda chosen: (tf.gather(images, chosen), tf.gather(labels, chosen))
    )
    return _quietly(batches)


def target_batches(
    tensors: Tensors, rows: npt.NDArray[np.integer], batch_size: int, class_count: int
) -> Any:
    """Batches of images as they are and targets, for validation.

    Args:
        tensors: all images and labels.
        rows: integers (M,), which of them.
        batch_size: images of a batch; the last may have fewer.
        class_count: C.

    Returns:
        A `tf.data.Dataset` of uint8 (B, 28, 28) and float32 (B, C).
    """
    images, labels = tensors
    batches = _batches_of_rows(rows, batch_size, None).map(
        lambda chosen: (
            tf.gather(images, chosen),
            tf.one_hot(tf.gather(labels, chosen), class_count),
        )
    )
    return _quietly(batches)


def augmented_batches(
    tensors: Tensors,
    rows: npt.NDArray[np.integer],
    parameters: TrainingParameters,
    class_weights: npt.NDArray[np.floating] | None,
    class_count: int,
    seed: int,
) -> Any:
    """Shuffled batches of distorted uint8 images, float32 (N, C) targets, and float32 (N,) weights.

    Args:
        tensors: of `tensors_of`.
        rows: integers (T,), what is learnt from.
        parameters: batch size, augmentation, mixup, cutmix and label smoothing.
        class_weights: floats (C,), weights of the images of each class, or None for none.
        class_count: C.
        seed: order and distortions; both differ from epoch to epoch.

    Returns:
        A `tf.data.Dataset` of uint8 (B, 28, 28), float32 (B, C) and, with class weights,
        float32 (B,).
    """
    images, labels = tensors
    weights = None if class_weights is None else tf.constant(class_weights.astype(np.float32))
    smoothing = parameters.label_smoothing or 0.0

    def prepare(chosen: Tensor, seeds: Tensor) -> tuple[Tensor, ...]:
        batch, batch_labels = tf.gather(images, chosen), tf.gather(labels, chosen)
        targets = tf.one_hot(batch_labels, class_count)
        if parameters.augmentation is not None:
            batch = augmentation.distort(batch, parameters.augmentation, seeds)
        if parameters.mixup is not None:
            batch, targets = augmentation.mixup(batch, targets, parameters.mixup, seeds + 10)
        if parameters.cutmix is not None:
            batch, targets = augmentation.cutmix(batch, targets, parameters.cutmix, seeds + 10)
        smoothed = targets * (1 - smoothing) + smoothing / class_count
        if weights is None:
            return batch, smoothed
        # Blended images weigh as much as what they are made of.
        return batch, smoothed, tf.linalg.matvec(targets, weights)

    if parameters.class_weighting == "sampling":
        order = _rows_by_class(rows, labels.numpy()[rows], parameters.train_batch_size, seed)
    else:
        order = _batches_of_rows(rows, parameters.train_batch_size, seed)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return _quietly(tf.data.Dataset.zip(order, seeds).map(prepare))


def class_shares(labels: npt.NDArray[np.integer], class_count: int) -> npt.NDArray[np.floating]:
    """Share of each class among labels.

    Args:
        labels: integers (N,), 0 to C - 1.
        class_count: C.

    Returns:
        float64 (C,), summing to 1; a class without any label counts as one image.
    """
    counts = np.maximum(np.bincount(labels, minlength=class_count), 1)
    shares: npt.NDArray[np.floating] = counts / counts.sum()
    return shares


def _batches_of_rows(rows: npt.NDArray[np.integer], batch_size: int, seed: int | None) -> Any:
    order = tf.data.Dataset.from_tensor_slices(rows.astype(np.int64))
    if seed is not None:
        order = order.shuffle(len(rows), seed=seed, reshuffle_each_iteration=True)
    return order.batch(batch_size)


def _rows_by_class(
    rows: npt.NDArray[np.integer], labels: npt.NDArray[np.integer], batch_size: int, seed: int
) -> Any:
    """Batches of as many rows as there are, of every class equally often, in random order."""
    random = np.random.default_rng(seed)
    of_classes = [rows[labels == label] for label in np.unique(labels)]
    share = -(-len(rows) // len(of_classes))

    def batches() -> Iterator[npt.NDArray[np.int64]]:
        drawn = np.concatenate([_drawn(of_class, share, random) for of_class in of_classes])
        order = random.permutation(drawn)[: len(rows)].astype(np.int64)
        for start in range(0, len(order), batch_size):
            yield order[start : start + batch_size]

    dataset = tf.data.Dataset.from_generator(
        batches, output_signature=tf.TensorSpec((None,), tf.int64)
    )
    # TensorFlow cannot count what a generator will give, and Keras warns where nothing is counted.
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // batch_size)))


def _drawn(
    rows: npt.NDArray[np.integer], count: int, random: np.random.Generator
) -> npt.NDArray[np.integer]:
    """`count` of the rows, each as often as any other, or once more."""
    rounds = [random.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(rounds)[:count]


def _quietly(batches: Any) -> Any:
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 1  # the other cores are busy with the network
    return batches.with_options(options).prefetch(8)
