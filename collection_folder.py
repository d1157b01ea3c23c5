"""A model collection as a folder: `collection.json`, and a `.weights.h5` file for each entry.

Weight files are named by their content and written before `collection.json`, which is replaced in
one step: a folder holds the old collection or the new one, whatever happens in between. Loading
runs no code from the folder: it reads JSON and plain arrays, checks both against each other, and
looks at no file outside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

import hyperparameters
import network_layers
from errors import CollectionError
from evaluation.recognition import Score
from model_collection import DataOrigin, Entry, EpochScores, ModelCollection, Weights
from network_layers import Variant, WeightArray

if TYPE_CHECKING:
    import h5py

FILE_NAME = "collection.json"
FORMAT = "handwriting model collection"
SCHEMA_VERSION = 1
MAXIMUM_JSON_BYTES = 64_000_000
MAXIMUM_ENTRIES = 100_000
WEIGHTS_NAME = re.compile(r"[0-9a-f]{16}\.weights\.h5")
IMAGES_NAME = re.compile(r"[0-9a-f]{16}\.images\.npy")
TEMPORARY_SUFFIX = ".part"
Value = TypeVar("Value")


def save_collection(collection: ModelCollection, folder: Path) -> None:
    """Write a collection to a folder, in place of the collection that is there.

    Args:
        collection: what to save.
        folder: a new folder, an empty one, or one that holds a collection.

    Raises:
        CollectionError: the folder holds something else, or cannot be written; what was there
            before is there still.
    """
    replaced = _files_to_replace(folder)
    new: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        document = _document(collection, folder, new)
        _write_atomically(folder / FILE_NAME, json.dumps(document, indent=1).encode())
    except OSError as error:
        for path in new:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise CollectionError(
            f"the collection cannot be saved in {folder}: {error.strerror or error}; "
            "what was there before is unchanged"
        ) from error
    current = {entry["weights"]["file"] for entry in document["entries"]}
    current |= {images["file"] for images in document["images_used"].values()}
    for name in replaced - current:
        with contextlib.suppress(OSError):  # a file too many does no harm
            (folder / name).unlink()


def load_collection(folder: Path) -> ModelCollection:
    """Read a collection from a folder, checking everything before anything is used.

    Args:
        folder: written by `save_collection`.

    Returns:
        The collection, with all weights in memory.

    Raises:
        CollectionError: the folder is missing, damaged, or holds something else.
    """
    document = _read_document(folder)
    with _naming(folder / FILE_NAME):
        classes = tuple(_checked_classes(document.get("classes")))
        entries = document.get("entries")
        if not isinstance(entries, list) or len(entries) > MAXIMUM_ENTRIES:
            raise _Problem("'entries' must be a list")
        used = _mapping(document.get("images_used"), "'images_used'")
        images_used = {
            _text(fingerprint, "a fingerprint"): _read_keys(folder, about)
            for fingerprint, about in used.items()
        }
        collection = ModelCollection(classes, [], images_used)
        # Entries with the same weights share them, so memory is bounded by what is on disk.
        read_weights = functools.cache(functools.partial(_read_weights, folder))
        for number, given in enumerate(entries):
            with _within(f"entry {number}"):
                collection.entries.append(_read_entry(given, collection, read_weights))
        identities = {entry.identity for entry in collection.entries}
        if len(identities) != len(collection.entries):
            raise _Problem("two entries have the same layers and training parameters")
    return collection


def holds_collection(folder: Path) -> bool:
    """Whether a folder has a collection, of which parts may be damaged."""
    try:
        _read_document(folder)
    except CollectionError:
        return False
    return True


def remove_collection(folder: Path) -> None:
    """Remove a collection's own files, and the folder where nothing else is in it."""
    with contextlib.suppress(CollectionError, OSError):
        names = _files_to_replace(folder)
        (folder / FILE_NAME).unlink(missing_ok=True)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


class _Problem(Exception):
    """What is wrong inside a folder; the folder's name is added on the way out."""


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except _Problem as problem:
        raise CollectionError(
            f"{path} is damaged or was changed: {problem}; load a folder that this program saved"
        ) from problem


@contextlib.contextmanager
def _within(place: str) -> Iterator[None]:
    try:
        yield
    except _Problem as problem:
        raise _Problem(f"{place}: {problem}") from problem


# Writing


def _document(collection: ModelCollection, folder: Path, new: list[Path]) -> dict[str, Any]:
    """The JSON document; writes the files that it names, and lists the new ones in `new`."""
    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "classes": list(collection.classes),
        "entries": [
            _entry_document(entry, collection, folder, new) for entry in collection.entries
        ],
        "images_used": {
            fingerprint: _write_content(folder, _npy_bytes(keys), ".images.npy", new)
            for fingerprint, keys in collection.images_used.items()
        },
    }


def _entry_document(
    entry: Entry, collection: ModelCollection, folder: Path, new: list[Path]
) -> dict[str, Any]:
    content = _weights_bytes(entry, len(collection.classes))
    return {
        "layers": [hyperparameters.layer_to_dictionary(layer) for layer in entry.layers],
        "training_parameters": hyperparameters.training_parameters_to_json(
            entry.training_parameters
        ),
        "scores": {
            "validation": dataclasses.asdict(entry.validation),
            "test": dataclasses.asdict(entry.test),
        },
        "history": [dataclasses.asdict(epoch) for epoch in entry.history],
        "seconds": entry.seconds,
        "seed": entry.seed,
        "data": dataclasses.asdict(entry.data),
        "versions": entry.versions,
        "weights": _write_content(folder, content, ".weights.h5", new),
    }


def _weights_bytes(entry: Entry, class_count: int) -> bytes:
    """Weights as an HDF5 file in the layout of Keras; the same bytes for the same weights."""
    import h5py

    buffer = io.BytesIO()
    # The earliest layout: groups in later ones hold the time at which they were made.
    with h5py.File(buffer, "w", libver=("earliest", "v108")) as file:
        arrays = network_layers.weight_arrays(entry.layers, class_count)
        for array, values in zip(arrays, entry.weights, strict=True):
            file.create_dataset(array.path, data=values, track_times=False)
    return buffer.getvalue()


def _npy_bytes(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _write_content(folder: Path, content: bytes, suffix: str, new: list[Path]) -> dict[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{digest[:16]}{suffix}"
    if not _holds(path, content):
        new.append(path)
        _write_atomically(path, content)
    return {"file": path.name, "sha256": digest}


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes() == content


def _write_atomically(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + TEMPORARY_SUFFIX)
    part.unlink(missing_ok=True)  # what a killed session left; never written through a link
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _files_to_replace(folder: Path) -> set[str]:
    """Names of a folder's collection files; refuses a folder that holds other things."""
    try:
        names = set(os.listdir(folder))
    except FileNotFoundError:
        names = set()
    except NotADirectoryError as error:
        raise CollectionError(f"{folder} is a file; give a folder for the collection") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL or a lone surrogate
        reason = getattr(error, "strerror", None) or error
        raise CollectionError(f"{str(folder)!r} cannot be used: {reason}") from error
    own = {
        name
        for name in names
        if WEIGHTS_NAME.fullmatch(name.removesuffix(TEMPORARY_SUFFIX))
        or IMAGES_NAME.fullmatch(name.removesuffix(TEMPORARY_SUFFIX))
        or name == FILE_NAME + TEMPORARY_SUFFIX
    }
    if names - own and FILE_NAME not in names:
        raise CollectionError(
            f"{folder} holds other things and no collection; give a new or an empty folder"
        )
    if FILE_NAME in names:
        _read_document(folder)
    return own


# Reading


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / FILE_NAME
    try:
        if not folder.exists():
            raise CollectionError(f"there is no folder {folder}")
        if not folder.is_dir():
            raise CollectionError(f"{folder} is a file; a collection is a folder")
        if not path.exists():
            raise CollectionError(f"{folder} holds no collection: it has no {FILE_NAME}")
        content = _read_file(path, MAXIMUM_JSON_BYTES)
    except OSError as error:
        raise CollectionError(f"{path} cannot be read: {error.strerror or error}") from error
    with _naming(path):
        document = _parsed(content)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise _Problem(f"it does not say 'format': {FORMAT!r}")
        version = document.get("schema_version")
        if version != SCHEMA_VERSION:
            raise _Problem(
                f"its schema version is {str(version)[:40]}, this program reads {SCHEMA_VERSION}"
            )
    return document


def _parsed(content: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise _Problem(f"it holds the number {constant}")

    try:
        return json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise _Problem(f"it is no JSON ({error})") from error


def _read_file(path: Path, most: int) -> bytes:
    """Content of an ordinary file inside the folder; never follows a link or waits on a pipe."""
    with _naming(path):
        if path.is_symlink():
            raise _Problem("it is a link to somewhere else")
        if not path.is_file():
            raise _Problem("there is no such file")
        size = path.stat().st_size
        if size > most:
            raise _Problem(f"it has {size:,} bytes, where at most {most:,} are expected")
        return path.read_bytes()


def _file_named(given: Any, pattern: re.Pattern[str]) -> tuple[str, str]:
    """Name and SHA-256 of a file, as an entry names it."""
    about = _mapping(given, "a file")
    name = about.get("file")
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise _Problem(f"{str(name)[:80]!r} is not the name of a file in this folder")
    digest = about.get("sha256")
    if not isinstance(digest, str):
        raise _Problem(f"the SHA-256 of {name} is missing")
    return name, digest


def _read_content(folder: Path, name: str, digest: str, most: int) -> bytes:
    try:
        content = _read_file(folder / name, most)
    except OSError as error:
        raise _Problem(f"{name} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise _Problem(f"{name} is not what was saved: its SHA-256 differs")
    return content


def _read_entry(
    given: Any,
    collection: ModelCollection,
    read_weights: Callable[[str, str, tuple[WeightArray, ...]], Weights],
) -> Entry:
    about = _mapping(given, "an entry")
    layers = _read_layers(about.get("layers"))
    parameters, problems = hyperparameters.training_parameters_from_dictionary(
        about.get("training_parameters")
    )
    if parameters is None:
        raise _Problem(problems[0])
    scores = _mapping(about.get("scores"), "'scores'")
    history = about.get("history")
    if not isinstance(history, list):
        raise _Problem("'history' must be a list")
    entry = Entry(
        layers=layers,
        training_parameters=parameters,
        validation=_read_score(scores.get("validation")),
        test=_read_score(scores.get("test")),
        history=tuple(_read_record(epoch, EpochScores, _EPOCH_FIELDS) for epoch in history),
        seconds=_number(about.get("seconds"), "'seconds'"),
        seed=_whole(about.get("seed"), "'seed'"),
        data=_read_record(about.get("data"), DataOrigin, _ORIGIN_FIELDS),
        versions={
            _text(name, "a library"): _text(version, "a version")
            for name, version in _mapping(about.get("versions"), "'versions'").items()
        },
        weights=read_weights(
            *_file_named(about.get("weights"), WEIGHTS_NAME),
            network_layers.weight_arrays(layers, len(collection.classes)),
        ),
    )
    if entry.data.fingerprint not in collection.images_used:
        raise _Problem("the images it was trained on are not listed")
    return entry


def _read_layers(given: Any) -> Variant:
    if not isinstance(given, list) or not given:
        raise _Problem("'layers' must be a list of layers")
    layers = []
    for number, literal in enumerate(given):
        layer, problems = hyperparameters.layer_from_dictionary(literal)
        if layer is None:
            raise _Problem(f"layer {number}: {problems[0]}")
        layers.append(layer)
    wrong = network_layers.variant_problems(layers)
    if wrong is not None:
        raise _Problem(f"layer {wrong[0]}: {wrong[1]}")
    return tuple(layers)


def _read_weights(folder: Path, name: str, digest: str, arrays: tuple[WeightArray, ...]) -> Weights:
    """Arrays of a weights file that has exactly the arrays that the layers need."""
    values = sum(array.size for array in arrays)
    content = _read_content(folder, name, digest, 4 * values + 10_000 * (len(arrays) + 1))
    if len(content) < 2 * values:
        raise _Problem(f"{name} has {len(content):,} bytes, too few for {values:,} weights")
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return tuple(_read_array(file, array.path, array.shape) for array in arrays)
    except _Problem:
        raise
    # h5py answers a damaged file with many kinds of error; what it read is thrown away.
    except Exception as error:
        raise _Problem(f"the weights file cannot be read ({type(error).__name__})") from error


def _read_array(file: h5py.File, path: str, shape: tuple[int, ...]) -> npt.NDArray[np.floating]:
    import h5py

    group = file
    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(
            group.get(part, getlink=True), h5py.HardLink
        ):
            raise _Problem(f"the weights {path!r} are missing, or lie in another file")
        group = group[part]
    array = group
    if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
        raise _Problem(f"the weights {path!r} are missing, or lie in another file")
    if array.shape != shape or array.dtype not in (np.dtype("<f2"), np.dtype("<f4")):
        raise _Problem(
            f"the weights {path!r} are {array.dtype} {array.shape}, not of shape {shape}"
        )
    # Neither packed nor left out: what is read takes no more memory than the file has bytes.
    if array.chunks is not None or array.id.get_storage_size() != array.nbytes:
        raise _Problem(f"the weights {path!r} are not stored as plain values")
    values: npt.NDArray[np.floating] = array[()]
    if not np.isfinite(values).all():
        raise _Problem(f"the weights {path!r} hold values that are not numbers")
    return values


def _read_keys(folder: Path, about: Any) -> npt.NDArray[np.uint64]:
    content = _read_content(folder, *_file_named(about, IMAGES_NAME), 8 * 10_000_000)
    try:
        keys = np.load(io.BytesIO(content), allow_pickle=False)
    # NumPy answers a damaged file with many kinds of error, such as BadZipFile and TokenError.
    except Exception as error:
        raise _Problem("the list of images used cannot be read") from error
    if not isinstance(keys, np.ndarray) or keys.ndim != 1 or keys.dtype != np.dtype("<u8"):
        raise _Problem("the list of images used is not a list of keys")
    return keys


def _read_score(given: Any) -> Score:
    return _read_record(given, Score, {"accuracy": _share, "loss": _number, "images": _whole})


def _read_record(
    given: Any, kind: Callable[..., Value], checks: dict[str, Callable[[Any, str], Any]]
) -> Value:
    about = _mapping(given, "a record")
    if set(about) != set(checks):
        raise _Problem(f"a record has the keys {sorted(about)}, not {sorted(checks)}")
    return kind(**{name: check(about[name], repr(name)) for name, check in checks.items()})


def _checked_classes(given: Any) -> list[str]:
    if not isinstance(given, list) or not 2 <= len(given) <= 65_536:
        raise _Problem("'classes' must be a list of two or more characters")
    names = [_text(name, "a class") for name in given]
    if len(set(names)) != len(names):
        raise _Problem("a class is there twice")
    return names


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Problem(f"{name} must be a dictionary")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 1000 or not value.isprintable():
        raise _Problem(f"{name} must be a short text")
    return value


def _number(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e15 or not math.isfinite(value):
        raise _Problem(f"{name} is {str(value)[:40]!r}, but must be a number from 0 up")
    return float(value)


def _share(value: Any, name: str) -> float:
    if _number(value, name) > 1:
        raise _Problem(f"{name} is {value}, but must lie between 0 and 1")
    return float(value)


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise _Problem(f"{name} is {str(value)[:40]!r}, but must be a whole number from 0 up")
    return value


_EPOCH_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "accuracy": _share,
    "loss": _number,
    "validation_accuracy": _share,
    "validation_loss": _number,
}
_ORIGIN_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "name": _text,
    "fingerprint": _text,
    "split_by": _text,
    "seed": _whole,
    "training_images": _whole,
}
