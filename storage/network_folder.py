"""Folders of trained networks of one sort: `collection.json`, and a file of weights for each.

What folders of generators and of denoisers have in common: how they are read and written, and that
programs that write to the same folder wait for each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt

import process_lock
from storage.checked_folder import (
    FILE_NAME,
    SCHEMA_VERSION,
    FolderDamaged,
    Problem,
    a_mapping,
    a_number,
    a_text,
    a_whole_number,
    holds_document,
    read_document,
    read_whole,
    remove_other_weights,
    write_atomically,
    write_weights_row,
    writing,
)

Key = TypeVar("Key")
Network = TypeVar("Network")
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class FolderFormat:
    """What folders of one sort of networks are like.

    Attributes:
        name: what their document says under 'format'.
        section: the key under which the document has the networks.
        one: of the networks, for messages, such as "the generator".
    """

    name: str
    section: str
    one: str


class Training(TypedDict):
    """How a network was trained, as its document and its record have it.

    Attributes:
        steps: batches that it learnt from.
        seconds: time of the training.
        seed: of the training.
    """

    steps: int
    seconds: float
    seed: int


@dataclass(frozen=True, eq=False)
class Written:
    """A network on its way into a folder.

    Attributes:
        about: what the document says of it, without its weights.
        weights: float16 (W,).
    """

    about: Mapping[str, Any]
    weights: npt.NDArray[np.float16]


def read_networks(
    folder: Path, form: FolderFormat, read: Callable[[dict[str, Any]], dict[Key, Network]]
) -> dict[Key, Network]:
    """Read the networks of a folder.

    Args:
        folder: where; one that is not there, or has no document, holds none.
        form: of the folder.
        read: makes the networks of the document, of which only format and version were checked.

    Returns:
        What `read` makes.

    Raises:
        CollectionError: the folder is damaged, or holds something else.
    """
    if not holds_document(folder):
        return {}
    with _damage_mendable(folder):
        return read_whole(folder, lambda: read(read_document(folder, form.name)))


@contextlib.contextmanager
def _damage_mendable(folder: Path) -> Iterator[None]:
    """Say of a damaged folder of networks, which no command loads, what to do about it."""
    try:
        yield
    except FolderDamaged as error:
        remedy = f"move the folder {folder} away, or name another place with -g"
        raise FolderDamaged(error.wrong, remedy) from error


@contextlib.contextmanager
def alone_in(
    folder: Path, form: FolderFormat, while_waiting: Callable[[float], None]
) -> Iterator[None]:
    """Make a folder, and keep other programs from writing to it meanwhile.

    Args:
        folder: where.
        form: of the folder; one that is something else stays as it is.
        while_waiting: see `process_lock.alone_in`.

    Raises:
        CollectionError: that cannot be had.
    """
    if holds_document(folder):
        with _damage_mendable(folder):
            read_document(folder, form.name)
    with contextlib.ExitStack() as stack:
        with writing(folder, form.one):
            stack.enter_context(process_lock.alone_in(folder, while_waiting))
        yield


def write_networks(
    folder: Path, form: FolderFormat, heading: Mapping[str, Any], networks: Mapping[str, Written]
) -> None:
    """Write all networks of a folder, in place of those that are there.

    Args:
        folder: where nobody else writes; see `alone_in`.
        form: of the folder.
        heading: what the document says of all of them.
        networks: by key, in their order.

    Raises:
        CollectionError: the folder cannot be written; what was there is unchanged.
    """
    with writing(folder, form.one) as new:
        section = {
            key: {**one.about, "weights": write_weights_row(folder, one.weights, new)}
            for key, one in networks.items()
        }
        document = {
            "format": form.name,
            "schema_version": SCHEMA_VERSION,
            **heading,
            form.section: section,
        }
        write_atomically(folder / FILE_NAME, json.dumps(document, indent=1).encode())
    remove_other_weights(folder, {about["weights"]["file"] for about in section.values()})


def checked_settings(found: tuple[Settings | None, Sequence[str]]) -> Settings:
    """Settings that a `settings_from_dictionary` made.

    Args:
        found: the settings, or None and what is wrong with them.

    Returns:
        The settings.

    Raises:
        Problem: they are wrong.
    """
    settings, problems = found
    if settings is None:
        raise Problem(problems[0])
    return settings


def read_training(about: Mapping[str, Any]) -> Training:
    """How a network was trained.

    Args:
        about: what the document says of it.

    Returns:
        The steps, seconds and seed.

    Raises:
        Problem: something of it is missing, or wrong.
    """
    return Training(
        steps=a_whole_number(about.get("steps"), "'steps'"),
        seconds=a_number(about.get("seconds"), "'seconds'"),
        seed=a_whole_number(about.get("seed"), "'seed'"),
    )


def training_to_json(steps: int, seconds: float, seed: int) -> Training:
    """What `read_training` reads.

    Args:
        steps: batches learnt from.
        seconds: of the training.
        seed: of the training.

    Returns:
        The record.
    """
    return Training(steps=steps, seconds=round(seconds, 1), seed=seed)


def read_versions(about: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the libraries by name.

    Args:
        about: what the document says of a network.

    Returns:
        The versions.

    Raises:
        Problem: they are missing, or wrong.
    """
    return {
        a_text(name, "a library"): a_text(version, "a version")
        for name, version in a_mapping(about.get("versions"), "'versions'").items()
    }


def why_not_kept(folder: Path, kind: FolderFormat) -> str | None:
    """Find out before a training whether a folder could be written after it.

    Args:
        folder: one that may not be there yet.
        kind: what it would hold.

    Returns:
        Why it could not be, or None where it could.
    """
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    try:
        tempfile.TemporaryFile(dir=place, prefix=".try-").close()
    except OSError as error:
        return (
            f"{kind.one} could not be saved in {folder}: {error.strerror or error}; name another "
            "folder, or make room in this one"
        )
    return None
