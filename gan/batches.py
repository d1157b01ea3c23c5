"""Endless batches of images for a game: of one character, or of all classes alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from image_arrays import Images

Rows = npt.NDArray[np.int64]
PREFETCHED = 4


def batches(images: Images, batch_size: int, seed: int) -> Any:
    """Endless batches of images in random order.

    Args:
        images: uint8 (N, 28, 28), N at least 1.
        batch_size: images of each.
        seed: of the order.

    Returns:
        What `keras.Model.fit` takes: uint8 (batch_size, 28, 28) each.
    """
    rows = np.arange(max(len(images), batch_size)) % len(images)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Without Python in it: a small network's step takes no longer than a batch of its rows.
        held = tf.constant(images)
        return (
            tf.data.Dataset.from_tensor_slices(rows)
            .shuffle(len(rows), seed=seed)
            .repeat()
            .batch(batch_size)
            .map(lambda chosen: tf.gather(held, chosen))
            .prefetch(PREFETCHED)
        )
    return _gathered([images], lambda: _rounds(rows, np.random.default_rng(seed)), batch_size)


def batches_of_all_classes(
    images: Images, labels: npt.NDArray[np.integer], batch_size: int, seed: int
) -> Any:
    """Endless batches in which every class comes as often, however many images it has.

    Args:
        images: uint8 (N, 28, 28).
        labels: integers (N,) from 0; each class up to the highest is there.
        batch_size: images of each.
        seed: of the order.

    Returns:
        What `keras.Model.fit` takes: uint8 (batch_size, 28, 28) and int32 (batch_size,) each.
    """
    members = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    return _gathered(
        [images, labels.astype(np.int32)],
        lambda: _in_turn(members, np.random.default_rng(seed)),
        batch_size,
    )


def _rounds(rows: Rows, random: np.random.Generator) -> Iterator[int]:
    """Every row once, in random order, again and again."""
    while True:
        yield from random.permutation(rows).tolist()


def _in_turn(members: list[Rows], random: np.random.Generator) -> Iterator[int]:
    """A row of every class, in random order, again and again; no image twice before all others."""
    rounds = [_rounds(rows, random) for rows in members]
    for label in _rounds(np.arange(len(members)), random):
        yield next(rounds[label])


def _gathered(
    arrays: list[npt.NDArray[Any]], rows: Callable[[], Iterator[int]], batch_size: int
) -> Any:
    def endless() -> Iterator[Rows]:
        following = rows()
        while True:
            yield np.fromiter(following, np.int64, batch_size)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        held = [tf.constant(array) for array in arrays]
        signature = tf.TensorSpec((batch_size,), tf.int64)
        return (
            tf.data.Dataset.from_generator(endless, output_signature=signature)
            .map(lambda chosen: _alone_or_tuple([tf.gather(array, chosen) for array in held]))
            .prefetch(PREFETCHED)
        )
    return (_alone_or_tuple([array[chosen] for array in arrays]) for chosen in endless())


def _alone_or_tuple(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else tuple(parts)
