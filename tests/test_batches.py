"""Tests of the endless batches that a training is fitted to."""

from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gan.batches import batches, batches_of_all_classes

COUNTS = (2, 5, 11)  # images of each class


def numbered(counts: tuple[int, ...] = COUNTS) -> tuple[npt.NDArray[np.uint8], Any]:
    """Images that each bear their row's number, and their labels, mixed."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(0).permutation(labels)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:] = np.arange(len(labels), dtype=np.uint8)[:, None, None]
    return images, labels


def rows_of(images: Any) -> list[int]:
    return [int(number) for number in np.asarray(images)[:, 0, 0]]


def taken(
    counts: tuple[int, ...], batch_size: int, number: int, seed: int = 1
) -> list[tuple[int, int]]:
    """Row and label of each image of the first batches."""
    images, labels = numbered(counts)
    found: list[tuple[int, int]] = []
    for some, own in islice(batches_of_all_classes(images, labels, batch_size, seed), number):
        found += zip(rows_of(some), np.asarray(own).tolist(), strict=True)
    return found


# ------------------------------------------------------------------------- all classes


def test_every_class_comes_as_often_however_many_images_it_has() -> None:
    """After any number of images they differ by one at most, across the ends of batches too."""
    found = taken(COUNTS, batch_size=4, number=30)
    for end in range(1, len(found) + 1):
        counts = Counter(label for _, label in found[:end])
        assert max(counts.values()) - min(counts[label] for label in range(3)) <= 1
    assert Counter(label for _, label in found) == {0: 40, 1: 40, 2: 40}


def test_no_image_comes_again_before_all_others_of_its_class() -> None:
    found = taken(COUNTS, batch_size=6, number=30)
    for label, count in enumerate(COUNTS):
        rows = [row for row, own in found if own == label]
        rounds = [rows[start : start + count] for start in range(0, len(rows), count)]
        for one in rounds[:-1]:
            assert sorted(one) == sorted(rounds[0]) and len(set(one)) == count
    long_class = [row for row, own in found if own == 2]
    assert long_class[:11] != long_class[11:22], "each round has an order of its own"


def test_each_image_comes_with_its_own_label() -> None:
    _, labels = numbered()
    assert all(labels[row] == label for row, label in taken(COUNTS, batch_size=5, number=12))


def test_classes_come_in_random_order() -> None:
    found = [label for _, label in taken(COUNTS, batch_size=3, number=20)]
    turns = {tuple(found[start : start + 3]) for start in range(0, 60, 3)}
    assert len(turns) > 2 and all(sorted(turn) == [0, 1, 2] for turn in turns)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_batches_are_bytes_with_whole_numbers(kind: Any) -> None:
    images, labels = numbered()
    some, own = next(iter(batches_of_all_classes(images, labels.astype(kind), 7, 1)))
    some, own = np.asarray(some), np.asarray(own)
    assert some.shape == (7, 28, 28) and some.dtype == np.uint8
    assert own.shape == (7,) and own.dtype == np.int32


def test_the_same_seed_repeats_and_another_does_not() -> None:
    one, same, other = (taken(COUNTS, 6, 8, seed) for seed in (1, 1, 2))
    assert one == same != other


def test_one_image_of_each_class_is_enough() -> None:
    found = taken((1, 1), batch_size=8, number=3)
    assert Counter(found).most_common() == [(found[0], 12), (found[1], 12)]


def test_one_class_alone_is_enough() -> None:
    found = taken((3,), batch_size=3, number=4)
    assert {label for _, label in found} == {0}
    assert all(sorted(row for row, _ in found[at : at + 3]) == [0, 1, 2] for at in (0, 3, 6, 9))


def test_a_class_of_few_images_is_not_shown_all_at_once() -> None:
    """More classes than a batch has images: each batch goes on where the last one ended."""
    found = taken((1,) * 9, batch_size=2, number=9)
    assert [sorted(row for row, _ in part) for part in (found[:9], found[9:])] == [
        list(range(9))
    ] * 2


# ------------------------------------------------------------------------- one character


def test_every_image_of_one_character_comes_once_in_each_round() -> None:
    images, _ = numbered()
    found = [row for one in islice(batches(images, 6, 1), 9) for row in rows_of(one)]
    for start in range(0, 54, 18):
        assert sorted(found[start : start + 18]) == list(range(18))


def test_fewer_images_than_a_batch_are_repeated_evenly() -> None:
    images, _ = numbered((3,))
    for one in islice(batches(images, 7, 1), 3):
        assert np.asarray(one).shape == (7, 28, 28)
        assert sorted(Counter(rows_of(one)).values()) == [2, 2, 3]


def test_batches_of_one_character_repeat_with_their_seed() -> None:
    images, _ = numbered()
    one, same, other = (
        [rows_of(some) for some in islice(batches(images, 5, seed), 6)] for seed in (1, 1, 2)
    )
    assert one == same != other
