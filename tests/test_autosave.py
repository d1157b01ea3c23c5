"""Tests of keeping finished entries until the user saves them."""

import time
from pathlib import Path

import numpy as np

from model_collection import Entry, ModelCollection
from settings.layer_lists import weight_arrays
from storage.autosave import Autosave
from storage.collection_folder import load_collection
from tests.entries import DENSE, a_collection, an_entry


def with_weights(number: int) -> Entry:
    """An entry that can be saved; each has weights of its own."""
    arrays = weight_arrays(DENSE, 2)
    weights = tuple(np.full(array.shape, number, np.float32) for array in arrays)
    return an_entry(2 * number + 1, weights=weights)


def collection_of(entries: int) -> ModelCollection:
    collection = a_collection(0)
    collection.entries = [with_weights(number) for number in range(entries)]
    return collection


def kept(autosave: Autosave) -> ModelCollection:
    assert autosave.folder is not None
    return load_collection(autosave.folder)


def same(one: ModelCollection, other: ModelCollection) -> bool:
    """Whether both have the same entries with the same weights."""
    pairs = zip(one.entries, other.entries, strict=True)
    return all(
        first.identity == second.identity
        and all(map(np.array_equal, first.weights, second.weights))
        for first, second in pairs
    )


def test_every_entry_that_was_kept_can_be_loaded(tmp_path: Path) -> None:
    autosave = Autosave(tmp_path)
    collection = collection_of(0)
    for number in range(4):
        collection.entries.append(with_weights(number))
        autosave.keep(collection)
        assert same(kept(autosave), collection)


def test_an_entry_in_place_of_another_is_kept_in_its_place(tmp_path: Path) -> None:
    autosave = Autosave(tmp_path)
    collection = collection_of(3)
    autosave.keep(collection)
    collection.entries[1] = with_weights(8)
    autosave.keep(collection)
    assert same(kept(autosave), collection)
    assert len(list(kept_files(autosave))) == 3


def kept_files(autosave: Autosave) -> list[Path]:
    assert autosave.folder is not None
    return sorted(autosave.folder.glob("*.weights.h5"))


def test_weights_that_are_gone_are_written_again(tmp_path: Path) -> None:
    autosave = Autosave(tmp_path)
    collection = collection_of(3)
    autosave.keep(collection)
    kept_files(autosave)[1].unlink()
    autosave.keep(collection)
    assert same(kept(autosave), collection)


def test_another_folder_gets_all_entries(tmp_path: Path) -> None:
    autosave = Autosave(tmp_path)
    collection = collection_of(3)
    autosave.keep(collection)
    autosave.collection_saved(tmp_path / "elsewhere")
    autosave.keep(collection)
    assert same(kept(autosave), collection)


def test_keeping_one_more_of_many_takes_little_of_the_time_of_keeping_them_all(
    tmp_path: Path,
) -> None:
    autosave = Autosave(tmp_path)
    collection = collection_of(300)
    begun = time.process_time()
    autosave.keep(collection)
    all_of_them = time.process_time() - begun
    collection.entries.append(with_weights(300))
    begun = time.process_time()
    autosave.keep(collection)
    assert time.process_time() - begun < all_of_them / 5
    assert len(kept_files(autosave)) == 301
