"""A copy of a collection in a folder that another collection is about to be saved in."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from entries.entry import Entry
from errors import CollectionError
from model_collection import ModelCollection
from storage.collection_folder import holds_collection, load_collection
from unused_path import unused_path


def keep_copy(collection: ModelCollection, folder: Path) -> Path | None:
    """Copy the collection in a folder, where something of it would be lost.

    Args:
        collection: what is to be saved in the folder.
        folder: may hold a collection, may hold anything else, or need not be there.

    Returns:
        The copy, a new folder beside `folder`; None where there is nothing to keep.

    Raises:
        CollectionError: there is something to keep, and it cannot be copied.
    """
    try:
        replaced = load_collection(folder)
    except CollectionError:
        if not holds_collection(folder):
            return None  # whatever may not be written over, `save_collection` refuses
    else:
        kept = {_trained_as(entry) for entry in collection.entries}
        if replaced.classes == collection.classes and kept.issuperset(
            _trained_as(entry) for entry in replaced.entries
        ):
            return None
    resolved = folder.resolve()
    copy = unused_path(resolved.with_name(resolved.name + "-before"))
    try:
        shutil.copytree(resolved, copy, symlinks=True)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        raise CollectionError(
            f"{folder} holds other entries, and a copy of them cannot be kept in {copy}: "
            f"{_reason(error)}; nothing was changed"
        ) from error
    return copy


def _reason(error: OSError) -> str:
    """Why a folder could not be copied; shutil.Error has a list of files, and why not each."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        _, _, why = error.args[0][0]
        told = re.search(r"\[Errno \d+\] ([^:]+)", str(why))
        return told[1] if told else str(why)
    return error.strerror or str(error)


def _trained_as(entry: Entry) -> tuple[str, str, int]:
    """What two entries share that only differ by when they were trained."""
    return entry.identity, entry.data.fingerprint, entry.seed
