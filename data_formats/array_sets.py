"""Reader of data sets that other programs keep as arrays in `.npz` files.

`array_names` knows what names mean, `image_stacks` brings images to 28x28.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.array_names import (
    WANTED,
    Pair,
    class_map_of,
    class_names_in,
    pairs_in,
    sibling_files,
)
from data_formats.common import Content, Tell, check_name, left_out_digits, tell_nobody
from data_formats.image_stacks import as_greys, of_any_size
from data_formats.npz_arrays import SUFFIX, Header, array_of, header_of, opened
from data_formats.problems import Problem, one_line, quoted, shown_name

if TYPE_CHECKING:
    import zipfile

_MOST_CLASSES = 20_000
_MOST_CLASS_MAP = 2**20  # bytes; that of Kuzushiji-49 has less than 1000
_MOST_ONE_HOT = 2**27  # numbers

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Place:
    """An array of an archive, and what it is called in messages."""

    archive: zipfile.ZipFile
    name: str
    shown: str


@dataclass(frozen=True, eq=False)
class _Part:
    """Some rows of a set: images uint8 (N, H, W), and labels (N,) as they came."""

    images: npt.NDArray[np.uint8]
    labels: _Array
    in_test: bool


def read(path: Path, keep_digits: bool, tell: Tell = tell_nobody) -> Content:
    """Read a data set of arrays of images and labels.

    Args:
        path: A file with all of them, or one of several that have an array each.
        keep_digits: Whether the classes '0' to '9' stay where there are two or more others and the
            file names its classes.
        tell: See `common.Tell`.

    Returns:
        The content without splits, training rows first, validation rows among them. Images of
        another size than 28x28 are brought to it. Classes without an image are left out.

    Raises:
        Problem: Images or labels are not found by their names, do not fit together, or are damaged.
        OSError: A file cannot be opened.
    """
    parts, names = _of_one_file(path)
    if not parts:
        parts, names = _of_siblings(path)
    return _content(parts, names, keep_digits, tell)


def _of_one_file(path: Path) -> tuple[list[_Part], _Array | None]:
    """The parts that one file holds, none where it is one of several; its names of classes."""
    with opened(path) as archive:
        names = [n.removesuffix(SUFFIX) for n in archive.namelist() if n.endswith(SUFFIX)]
        pairs, alone = pairs_in(names)
        if not pairs:
            if len(names) == 1 and sibling_files(path):
                return [], None
            raise Problem(_why_none(names, alone))
        if alone:
            raise Problem(
                f"the array {one_line(alone[0])} has no partner among {one_line(', '.join(names))}"
                f"; this program reads {WANTED}"
            )
        parts = [_part(archive, pair) for pair in pairs]
        naming = class_names_in(names)
        classes = array_of(archive, naming, header_of(archive, naming)) if naming else None
    return parts, classes


def _why_none(names: Sequence[str], alone: Sequence[str]) -> str:
    holds = one_line(", ".join(names)) or "nothing"
    if len(names) == 1:
        return (
            f"it holds one array, {holds}, and a data set has {WANTED}; sets of an array a file "
            "are found by names such as kmnist-train-imgs.npz and kmnist-train-labels.npz"
        )
    without = "images and labels" if not alone else f"the partner of {one_line(alone[0])}"
    return (
        f"it lacks {without}: it holds {holds}, and this program reads {WANTED}, besides data sets "
        "that it wrote"
    )


def _part(archive: zipfile.ZipFile, pair: Pair) -> _Part:
    dimensions = {name: len(header_of(archive, name).shape) for name in pair.images}
    images = max(dimensions, key=lambda name: dimensions[name])
    places = [_Place(archive, name, one_line(name)) for name in (images, pair.labels[0])]
    return _read_part((places[0], places[1]), pair.in_test)


def _read_part(places: tuple[_Place, _Place], in_test: bool) -> _Part:
    """Read images and their labels."""
    images, labels = places
    headers = [header_of(place.archive, place.name) for place in (images, labels)]
    rows = [(*header.shape, 0)[0] for header in headers]
    if rows[0] != rows[1]:
        raise Problem(
            f"{images.shown} has {counted(rows[0], 'row')}, but {labels.shown} has "
            f"{counted(rows[1], 'row')}"
        )
    array = array_of(images.archive, images.name, headers[0])
    return _Part(as_greys(array, images.shown), _labels(labels, headers[1]), in_test)


def _labels(place: _Place, header: Header) -> _Array:
    """Labels (N,), text or whole numbers; of rows of zeros and a one, the place of that one."""
    shown, shape = place.shown, header.shape
    columns = shape[1] if len(shape) == 2 else 1
    if (
        header.dtype.kind not in "buifU"
        or len(shape) not in (1, 2)
        or not 0 < columns <= _MOST_CLASSES
        or math.prod(shape) > _MOST_ONE_HOT
    ):
        raise Problem(
            f"the array {shown} has the type {one_line(str(header.dtype))} and the shape "
            f"{one_line(str(shape))}, and labels are (number,) whole numbers or text"
        )
    array = array_of(place.archive, place.name, header)
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.rint(array))).all():
        raise Problem(f"the array {shown} holds labels that are not whole numbers")
    if columns == 1:
        labels = array.reshape(-1)
        return labels if labels.dtype.kind in "uiU" else labels.astype(np.int64)
    ones = array == 1
    if array.dtype.kind == "U" or not (ones.sum(axis=1) == 1).all() or array[~ones].any():
        raise Problem(
            f"the array {shown} has the shape {one_line(str(shape))}, and not in each row a single "
            "one among zeros"
        )
    places: _Array = np.argmax(ones, axis=1)
    return places


def _of_siblings(path: Path) -> tuple[list[_Part], _Array | None]:
    """The parts that files of an array each hold, and the classes' names from a file beside."""
    parts = []
    for images, labels, in_test in sibling_files(path):
        with opened(images) as of_images, opened(labels) as of_labels:
            places = [
                _Place(archive, _only(archive, file), shown_name(file))
                for archive, file in ((of_images, images), (of_labels, labels))
            ]
            parts.append(_read_part((places[0], places[1]), in_test))
    class_map = class_map_of(path)
    return parts, _mapped(class_map) if class_map.is_file() else None


def _only(archive: zipfile.ZipFile, file: Path) -> str:
    names = archive.namelist()
    if len(names) != 1 or not names[0].endswith(SUFFIX):
        raise Problem(
            f"{shown_name(file)} holds {one_line(', '.join(names)) or 'nothing'}, and should hold "
            "one array, as the files beside it do"
        )
    return names[0].removesuffix(SUFFIX)


def _mapped(path: Path) -> _Array:
    """The characters of a table of index, code point and character."""
    with path.open("rb") as file:
        content = file.read(_MOST_CLASS_MAP + 1)
    try:
        rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
        indices = [int(row["index"]) for row in rows]
        names = [str(row["char"]) for row in rows]
    except (UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise Problem(
            f"{shown_name(path)} should name the classes in lines of index, codepoint and char, "
            f"and does not ({one_line(repr(error))})"
        ) from error
    if len(content) > _MOST_CLASS_MAP or indices != list(range(len(names))):
        raise Problem(f"{shown_name(path)} should name the classes 0, 1 and so on, one a line")
    return np.array(names, dtype=str)


def _content(
    parts: Sequence[_Part], names: _Array | None, keep_digits: bool, tell: Tell
) -> Content:
    sizes = sorted({part.images.shape[1:] for part in parts})
    if len(sizes) > 1:
        shown = " and ".join(f"{height}x{width}" for height, width in sizes)
        raise Problem(f"its parts have images of different sizes: {shown}")
    if len({part.labels.dtype.kind == "U" for part in parts}) > 1:
        raise Problem("the labels of one part are text, and those of another numbers")
    found = np.concatenate([part.labels for part in parts])
    if not len(found):
        raise Problem("it holds no images")
    present, labels = np.unique(found, return_inverse=True)
    if len(present) > _MOST_CLASSES:
        raise Problem(f"its labels are of {len(present):,} kinds, more than {_MOST_CLASSES:,}")
    classes = _classes(present, names)
    gone = left_out_digits(classes, keep_digits) if _are_names(present, names) else frozenset()
    stays = np.array([name not in gone for name in classes])
    kept = stays[labels]
    images, notes = of_any_size(np.concatenate([part.images for part in parts])[kept], tell)
    in_test = np.repeat([part.in_test for part in parts], [len(part.labels) for part in parts])
    return Content(
        images,
        (np.cumsum(stays) - 1)[labels[kept]].astype(np.int32),
        tuple(name for name in classes if name not in gone),
        in_test[kept],
        notes=notes,
    )


def _are_names(present: _Array, names: _Array | None) -> bool:
    """Whether classes have names, and not the numbers that a file has for them."""
    return names is not None or present.dtype.kind == "U"


def _classes(present: _Array, names: _Array | None) -> tuple[str, ...]:
    """The name of each label that there is."""
    if names is None or present.dtype.kind == "U":
        classes = tuple(str(label) for label in present.tolist())
    else:
        if names.ndim != 1 or present.min() < 0 or present.max() >= len(names):
            raise Problem(
                f"its labels are {present.min()} to {present.max()}, and it names "
                f"{counted(names.size, 'class', 'classes')}, numbered from 0"
            )
        classes = tuple(str(names[label]) for label in present.tolist())
    for name in classes:
        check_name(name)
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise Problem(
            f"it gives the name {quoted(twice[0])} to {Counter(classes)[twice[0]]} classes"
        )
    return classes
