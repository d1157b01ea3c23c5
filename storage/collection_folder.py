"""A model collection as a folder: `collection.json`, and a `.weights.h5` file for each entry.

Weight files are named by their content and written before `collection.json`, which is replaced in
one step: a folder holds the old collection or the new one, whatever happens in between. Programs
that save to the same folder wait for each other. Loading runs no code from the folder: it reads
JSON and plain arrays, checks both against each other, and looks at no file outside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from entries.entry import DataOrigin, Entry, EpochScores, Schooling, Weights
from errors import CollectionError
from evaluation.recognition import Score
from model_collection import ModelCollection
from process_lock import LOCK_NAME, alone_in
from settings import hyperparameters, layer_lists, training_parameters
from settings.layer_weights import WeightArray
from settings.network_layers import Variant
from settings.training_parameters import TrainingParameters
from storage.checked_folder import (
    FILE_NAME,
    MAXIMUM_JSON_BYTES,
    SCHEMA_VERSION,
    TEMPORARY_SUFFIX,
    Problem,
    a_mapping,
    a_number,
    a_share,
    a_text,
    a_whole_number,
    file_named,
    naming,
    npy_bytes,
    read_content,
    read_document,
    read_record,
    read_whole,
    within,
    write_atomically,
    write_content,
    writing,
)

if TYPE_CHECKING:
    import h5py

__all__ = [
    "FILE_NAME",
    "WrittenEntries",
    "holds_collection",
    "load_collection",
    "remove_collection",
    "save_collection",
    "saving",
    "write_collection",
]

FORMAT = "handwriting model collection"
_ONE = "the collection"  # in messages
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
MAXIMUM_ENTRIES = 100_000
WEIGHTS_NAME = re.compile(r"[0-9a-f]{16}\.weights\.h5")
IMAGES_NAME = re.compile(r"[0-9a-f]{16}\.images\.npy")


# For each entry, what stands about it in `collection.json`, and the name of its weights file.
WrittenEntries = WeakKeyDictionary[Entry, tuple[str, str]]


def save_collection(
    collection: ModelCollection, folder: Path, written: WrittenEntries | None = None
) -> None:
    """Write a collection to a folder, in place of the collection that is there.

    Args:
        collection: what to save.
        folder: a new folder, an empty one, or one that holds a collection.
        written: what earlier calls wrote to this folder, where nobody else writes, and what this
            one does: their files are taken as they are where they are still there, so that saving
            again after each entry stays quick with thousands of them.

    Raises:
        CollectionError: the folder holds something else, or cannot be written; what was there
            before is there still.
    """
    with saving(folder):
        write_collection(collection, folder, WrittenEntries() if written is None else written)


@contextlib.contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Keep other programs from saving in a folder meanwhile, which is made where it is not there.

    Args:
        folder: a new folder, an empty one, or one that holds a collection.

    Raises:
        CollectionError: the folder holds something else, or cannot be written. A new one is taken
            away again, as it is where a CollectionError is raised meanwhile.
    """
    _check_replaceable(folder)
    is_new = not os.path.lexists(folder)
    try:
        with contextlib.ExitStack() as stack:
            with writing(folder, _ONE):
                stack.enter_context(_alone_where_possible(folder))
            yield
    except CollectionError:
        if is_new:
            with contextlib.suppress(OSError):  # it is not there, or others have written to it
                (folder / LOCK_NAME).unlink(missing_ok=True)
                folder.rmdir()
        raise


@contextlib.contextmanager
def _alone_where_possible(folder: Path) -> Iterator[None]:
    """Wait for other programs that save there; a file system without locks stops no saving."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alone_in(folder))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield


def write_collection(collection: ModelCollection, folder: Path, written: WrittenEntries) -> None:
    """Write a collection to a folder within `saving`.

    Args:
        collection: what to save.
        folder: that `saving` holds.
        written: as `save_collection` has it.

    Raises:
        CollectionError: the folder cannot be written; what was there before is there still.
    """
    replaced = _own_names(folder)
    with writing(folder, _ONE) as new:
        for entry in collection.entries:
            if entry not in written or written[entry][1] not in replaced:
                written[entry] = _write_entry(entry, collection, folder, new)
        images_used = {
            fingerprint: write_content(folder, npy_bytes(keys), ".images.npy", new)
            for fingerprint, keys in collection.images_used.items()
        }
        text = _document(collection, images_used, [written[one][0] for one in collection.entries])
        document = text.encode()
        if len(document) > MAXIMUM_JSON_BYTES:
            raise CollectionError(
                f"the collection cannot be saved in {folder}: its scores by epoch take "
                f"{len(document):,} bytes, more than the {MAXIMUM_JSON_BYTES:,} that are read again"
            )
        write_atomically(folder / FILE_NAME, document)
    current = {written[entry][1] for entry in collection.entries}
    current |= {images["file"] for images in images_used.values()}
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
    return read_whole(folder, lambda: _load(folder))


def _load(folder: Path) -> ModelCollection:
    document = read_document(folder, FORMAT)
    with naming(folder / FILE_NAME):
        classes = tuple(_checked_classes(document.get("classes")))
        entries = document.get("entries")
        if not isinstance(entries, list) or len(entries) > MAXIMUM_ENTRIES:
            raise Problem("'entries' must be a list")
        used = a_mapping(document.get("images_used"), "'images_used'")
        images_used = {
            a_text(fingerprint, "a fingerprint"): _read_keys(folder, about)
            for fingerprint, about in used.items()
        }
        collection = ModelCollection(classes, [], images_used)
        # Entries with the same weights share them, so memory is bounded by what is on disk.
        read_weights = functools.cache(functools.partial(_read_weights, folder))
        for number, given in enumerate(entries):
            with within(f"entry {number}"):
                collection.entries.append(_read_entry(given, collection, read_weights))
        identities = {entry.identity for entry in collection.entries}
        if len(identities) != len(collection.entries):
            raise Problem("two entries have the same layers and training parameters")
    return collection


def holds_collection(folder: Path) -> bool:
    """Whether a folder has a collection, of which parts may be damaged.

    Args:
        folder: which need not be there.

    Returns:
        Whether it has one.
    """
    try:
        read_document(folder, FORMAT)
    except CollectionError:
        return False
    return True


def remove_collection(folder: Path) -> None:
    """Remove a collection's own files, and the folder where nothing else is in it.

    Args:
        folder: of a collection; one that holds other things is left as it is.
    """
    with contextlib.suppress(CollectionError, OSError):
        _check_replaceable(folder)
        for name in (FILE_NAME, *_own_names(folder), LOCK_NAME):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


# Writing


def _document(
    collection: ModelCollection, images_used: dict[str, dict[str, str]], entries: list[str]
) -> str:
    """The JSON document, of entries that are JSON already: each is written out once."""
    others = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "classes": list(collection.classes),
        "images_used": images_used,
    }
    text = json.dumps(others, indent=1).removesuffix("\n}")
    return text + ',\n "entries": [\n  ' + ",\n  ".join(entries) + "\n ]\n}"


def _write_entry(
    entry: Entry, collection: ModelCollection, folder: Path, new: list[Path]
) -> tuple[str, str]:
    """Write the weights of an entry; `new` gets the path where no such file was there.

    Returns:
        What stands about the entry in the JSON document, and the name of its weights file.
    """
    content = _weights_bytes(entry, len(collection.classes))
    weights = write_content(folder, content, ".weights.h5", new)
    about = {
        "layers": [hyperparameters.layer_to_dictionary(layer) for layer in entry.layers],
        "training_parameters": training_parameters.training_parameters_to_json(
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
        "weights": weights,
    }
    if entry.schooling.fingerprints:
        about["schooling"] = dataclasses.asdict(entry.schooling)
    return json.dumps(about), weights["file"]


def _weights_bytes(entry: Entry, class_count: int) -> bytes:
    """Weights as an HDF5 file in the layout of Keras; the same bytes for the same weights."""
    import h5py

    buffer = io.BytesIO()
    # The earliest layout: groups in later ones hold the time at which they were made.
    with h5py.File(buffer, "w", libver=("earliest", "v108")) as file:
        arrays = layer_lists.weight_arrays(entry.layers, class_count)
        for array, values in zip(arrays, entry.weights, strict=True):
            file.create_dataset(array.path, data=values, track_times=False)
    return buffer.getvalue()


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder that holds other things than a collection."""
    try:
        names = set(os.listdir(folder))
    except FileNotFoundError:
        names = set()
    except NotADirectoryError as error:
        raise CollectionError(f"{folder} is a file; give a folder for the collection") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL or a lone surrogate
        reason = getattr(error, "strerror", None) or error
        raise CollectionError(f"{str(folder)!r} cannot be used: {reason}") from error
    if FILE_NAME in names:
        read_document(folder, FORMAT)
    elif names - _own_names(folder) - {LOCK_NAME}:
        raise CollectionError(
            f"{folder} holds other things and no collection; give a new or an empty folder"
        )


def _own_names(folder: Path) -> set[str]:
    """Names of a folder's files of weights and images, and of what a killed session left."""
    return {
        path.name
        for path in (folder.iterdir() if folder.exists() else ())
        if WEIGHTS_NAME.fullmatch(path.name.removesuffix(TEMPORARY_SUFFIX))
        or IMAGES_NAME.fullmatch(path.name.removesuffix(TEMPORARY_SUFFIX))
        or path.name == FILE_NAME + TEMPORARY_SUFFIX
    }


# Reading


def _read_entry(
    given: Any,
    collection: ModelCollection,
    read_weights: Callable[[str, str, tuple[WeightArray, ...]], Weights],
) -> Entry:
    about = a_mapping(given, "an entry")
    layers = _read_layers(about.get("layers"))
    parameters = _read_parameters(about.get("training_parameters"))
    scores = a_mapping(about.get("scores"), "'scores'")
    history = about.get("history")
    if not isinstance(history, list):
        raise Problem("'history' must be a list")
    entry = Entry(
        layers=layers,
        training_parameters=parameters,
        validation=_read_score(scores.get("validation")),
        test=_read_score(scores.get("test")),
        history=tuple(read_record(epoch, EpochScores, _EPOCH_FIELDS) for epoch in history),
        seconds=a_number(about.get("seconds"), "'seconds'"),
        seed=a_whole_number(about.get("seed"), "'seed'"),
        data=read_record(about.get("data"), DataOrigin, _ORIGIN_FIELDS),
        versions={
            a_text(name, "a library"): a_text(version, "a version")
            for name, version in a_mapping(about.get("versions"), "'versions'").items()
        },
        weights=read_weights(
            *file_named(about.get("weights"), WEIGHTS_NAME),
            layer_lists.weight_arrays(layers, len(collection.classes)),
        ),
        schooling=_read_schooling(about),
    )
    if not collection.images_used.keys() >= set(entry.fingerprints):
        raise Problem("the images it was trained on are not listed")
    return entry


def _read_parameters(given: Any) -> TrainingParameters:
    parameters, problems = training_parameters.training_parameters_from_dictionary(given)
    if parameters is None:
        raise Problem(problems[0])
    if parameters.distillation is not None and isinstance(parameters.distillation.teacher, int):
        raise Problem(
            "its teacher must be named by the digits of its identity, not by a variant's number"
        )
    return parameters


def _read_schooling(about: dict[str, Any]) -> Schooling:
    """What an entry's teachers had met; most entries, and those of earlier versions, have none."""
    if "schooling" not in about:
        return Schooling()
    return read_record(about["schooling"], Schooling, _SCHOOLING_FIELDS)


def _texts(given: Any, name: str) -> tuple[str, ...]:
    if not isinstance(given, list):
        raise Problem(f"{name} must be a list")
    return tuple(a_text(each, name) for each in given)


def _read_layers(given: Any) -> Variant:
    if not isinstance(given, list) or not given:
        raise Problem("'layers' must be a list of layers")
    layers = []
    for number, literal in enumerate(given):
        layer, problems = hyperparameters.layer_from_dictionary(literal)
        if layer is None:
            raise Problem(f"layer {number}: {problems[0]}")
        layers.append(layer)
    wrong = layer_lists.variant_problems(layers)
    if wrong is not None:
        raise Problem(f"layer {wrong[0]}: {wrong[1]}")
    return tuple(layers)


def _read_weights(folder: Path, name: str, digest: str, arrays: tuple[WeightArray, ...]) -> Weights:
    """Arrays of a weights file that has exactly the arrays that the layers need."""
    values = sum(array.size for array in arrays)
    content = read_content(folder, name, digest, 4 * values + 10_000 * (len(arrays) + 1))
    if len(content) < 2 * values:
        raise Problem(f"{name} has {len(content):,} bytes, too few for {values:,} weights")
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return tuple(_read_array(file, array.path, array.shape) for array in arrays)
    except Problem:
        raise
    # h5py answers a damaged file with many kinds of error; what it read is thrown away.
    except Exception as error:
        raise Problem(f"the weights file cannot be read ({type(error).__name__})") from error


def _read_array(file: h5py.File, path: str, shape: tuple[int, ...]) -> npt.NDArray[np.floating]:
    import h5py

    group = file
    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(
            group.get(part, getlink=True), h5py.HardLink
        ):
            raise Problem(f"the weights {path!r} are missing, or lie in another file")
        group = group[part]
    array = group
    if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
        raise Problem(f"the weights {path!r} are missing, or lie in another file")
    if array.shape != shape or array.dtype not in (np.dtype("<f2"), np.dtype("<f4")):
        raise Problem(f"the weights {path!r} are {array.dtype} {array.shape}, not of shape {shape}")
    # Neither packed nor left out: what is read takes no more memory than the file has bytes.
    if array.chunks is not None or array.id.get_storage_size() != array.nbytes:
        raise Problem(f"the weights {path!r} are not stored as plain values")
    values: npt.NDArray[np.floating] = array[()]
    if not np.isfinite(values).all():
        raise Problem(f"the weights {path!r} hold values that are not numbers")
    return values


def _read_keys(folder: Path, about: Any) -> npt.NDArray[np.uint64]:
    content = read_content(folder, *file_named(about, IMAGES_NAME), 8 * 10_000_000)
    try:
        keys = np.load(io.BytesIO(content), allow_pickle=False)
    # NumPy answers a damaged file with many kinds of error, such as BadZipFile and TokenError.
    except Exception as error:
        raise Problem("the list of images used cannot be read") from error
    if not isinstance(keys, np.ndarray) or keys.ndim != 1 or keys.dtype != np.dtype("<u8"):
        raise Problem("the list of images used is not a list of keys")
    return keys


def _read_score(given: Any) -> Score:
    return read_record(
        given, Score, {"accuracy": a_share, "loss": a_number, "images": a_whole_number}
    )


def _checked_classes(given: Any) -> list[str]:
    if not isinstance(given, list) or not 2 <= len(given) <= 65_536:
        raise Problem("'classes' must be a list of two or more characters")
    names = [a_text(name, "a class") for name in given]
    if len(set(names)) != len(names):
        raise Problem("a class is there twice")
    return names


_EPOCH_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "accuracy": a_share,
    "loss": a_number,
    "validation_accuracy": a_share,
    "validation_loss": a_number,
}
_SCHOOLING_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "fingerprints": _texts,
    "validation_images": a_whole_number,
    "test_images": a_whole_number,
}
_ORIGIN_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "name": a_text,
    "fingerprint": a_text,
    "split_by": a_text,
    "seed": a_whole_number,
    "training_images": a_whole_number,
}
