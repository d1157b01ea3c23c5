"""Saving a collection where another one may be, of which a copy is kept."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from entries.entry import Entry
from errors import CollectionError
from model_collection import ModelCollection
from process_lock import LOCK_NAME
from storage.collection_folder import (
    WrittenEntries,
    holds_collection,
    load_collection,
    saving,
    write_collection,
)
from unused_path import new_folder


def save_in_its_place(collection: ModelCollection, folder: Path) -> Path | None:
    """Save a collection, and before that a copy of what is in the folder, where that would be lost.

    No other program saves there in between, so whatever was saved is in the folder or in a copy.

    Args:
        collection: what to save.
        folder: a new folder, an empty one, or one that holds a collection.

    Returns:
        The copy, a new folder beside `folder`; None where there was nothing to keep.

    Raises:
        CollectionError: the folder holds something else or cannot be written, or there is something
            to keep, and it cannot be copied; what was there before is there still.
    """
    with saving(folder):
        copy = _copy_of_what_is_lost(collection, folder)
        try:
            write_collection(collection, folder, WrittenEntries())
        except CollectionError:  # what was copied is in the folder still
            if copy is not None:
                _remove(copy)
            raise
    return copy


def _copy_of_what_is_lost(collection: ModelCollection, folder: Path) -> Path | None:
    """Copy the collection in a folder where it has what another one lacks, or is damaged."""
    try:
        replaced = load_collection(folder)
    except CollectionError:
        if not holds_collection(folder):
            return None
    else:
        kept = {_trained_as(entry) for entry in collection.entries}
        if replaced.classes == collection.classes and kept.issuperset(
            _trained_as(entry) for entry in replaced.entries
        ):
            return None
    resolved = folder.resolve()
    copy = resolved.with_name(resolved.name + "-before")
    try:
        copy = new_folder(copy)
        _copy(resolved, copy)
    except OSError as error:
        raise CollectionError(
            f"{folder} holds other entries, and a copy of them cannot be kept in {copy}: "
            f"{_reason(error)}; nothing was changed"
        ) from error
    return copy


def _copy(folder: Path, copy: Path) -> None:
    """Copy what is in a folder to a new one, which is taken away again where that fails."""
    no_lock = shutil.ignore_patterns(LOCK_NAME)
    try:
        shutil.copytree(folder, copy, symlinks=True, ignore=no_lock, dirs_exist_ok=True)
    except BaseException:  # Ctrl-C, too: half a copy would pass for a whole one
        _remove(copy)
        raise


def _remove(copy: Path) -> None:
    with contextlib.suppress(OSError):
        copy.chmod(0o700)  # it may be read-only, as the folder that was copied
    shutil.rmtree(copy, ignore_errors=True)


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
