"""Tests of the keys by which images are recognised again."""

import numpy as np
import pytest

from evaluation import overlap

# Keys are stored in saved collections: a change of these makes those useless.
PINNED = [689636007850194225, 14260544691332236916, 17164972336555535902]


def images_of(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def test_keys_are_the_same_on_every_machine_and_in_every_version() -> None:
    ramp = (np.arange(3 * 784) % 251).astype(np.uint8).reshape(3, 28, 28)
    assert overlap.image_keys(ramp).tolist() == PINNED
    assert overlap.image_keys(np.zeros((1, 28, 28), np.uint8)).tolist() == [0]


def test_a_change_of_any_pixel_by_any_amount_changes_the_key() -> None:
    image = images_of(1)
    changed = np.repeat(image, 784, axis=0)
    for amount in (1, 128, 255):
        rows = changed.copy().reshape(784, 784)
        rows[np.arange(784), np.arange(784)] += np.uint8(amount)
        keys = overlap.image_keys(rows.reshape(-1, 28, 28))
        assert overlap.image_keys(image)[0] not in keys
        assert len(set(keys.tolist())) == 784


def test_simple_changes_of_an_image_have_keys_of_their_own() -> None:
    image = images_of(1)[0]
    turned = [np.rot90(image, turns) for turns in range(4)]
    shifted = [
        np.roll(image, (rows, columns), (0, 1)) for rows in range(28) for columns in range(8)
    ]
    flipped = [image[::-1], image[:, ::-1], image.T, 255 - image]
    keys = overlap.image_keys(np.array([*turned, *shifted[1:], *flipped]))
    assert len(set(keys.tolist())) == len(keys)


def test_a_key_does_not_hang_on_the_images_beside_it_or_on_their_number() -> None:
    images = images_of(20)
    many = np.tile(images, (overlap.IMAGES_A_BLOCK // 20 + 5, 1, 1))
    keys = overlap.image_keys(many)
    alone = np.concatenate([overlap.image_keys(image[None]) for image in images])
    assert np.array_equal(keys, np.tile(alone, len(many) // 20))


def test_keys_are_unsigned_64_bit_numbers_one_an_image() -> None:
    keys = overlap.image_keys(images_of(7))
    assert keys.dtype == np.uint64 and keys.shape == (7,)


def test_images_need_not_lie_together_in_memory() -> None:
    images = images_of(10)
    assert np.array_equal(overlap.image_keys(images[::2]), overlap.image_keys(images[::2].copy()))
    transposed = images.transpose(0, 2, 1)
    assert np.array_equal(overlap.image_keys(transposed), overlap.image_keys(transposed.copy()))


def test_no_images_have_no_keys() -> None:
    assert overlap.image_keys(np.empty((0, 28, 28), np.uint8)).shape == (0,)


def test_the_session_seed_changes_no_key() -> None:
    before = overlap.image_keys(images_of(3))
    np.random.seed(123)
    assert np.array_equal(overlap.image_keys(images_of(3)), before)


@pytest.mark.parametrize("known", [0, 1, 4])
def test_images_that_were_seen_are_told_from_new_ones(known: int) -> None:
    images = images_of(6)
    seen = overlap.were_seen(images, overlap.image_keys(images[:known]))
    assert seen.tolist() == [True] * known + [False] * (6 - known)
