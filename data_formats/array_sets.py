"""Reader of data sets that other programs keep as arrays in `.npz` files.

`array_names` knows what names mean, `array_labels` what labels are, `image_stacks` brings images to
28x28.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_formats.array_labels import (
    as_labels,
    as_names,
    check_labels,
    may_name_classes,
    named,
    read_class_map,
)
from data_formats.array_names import WANTED, Found, Pair, class_map_of, found_in, sibling_files
from data_formats.common import (
    MOST_IMAGES,
    PIXELS,
    Content,
    Tell,
    left_out_digits,
    note_on_digits,
    tell_nobody,
)
from data_formats.image_stacks import as_greys, of_any_size
from data_formats.npz_arrays import SUFFIX, array_of, header_of, opened
from data_formats.problems import Problem, one_line, shown_name

if TYPE_CHECKING:
    import zipfile

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Place:
    """An array of an archive, and what it is called in messages."""

    archive: zipfile.ZipFile
    name: str
    shown: str


@dataclass(frozen=True, eq=False)
class _Part:
    """Some rows of a set: images uint8 (N, H, W), and labels (N,), int64 or text."""

    images: npt.NDArray[np.uint8]
    labels: _Array
    in_test: bool


@dataclass(frozen=True, eq=False)
class _Arrays:
    """What was read: parts, names of the classes that numbers stand for or None, and notes."""

    parts: Sequence[_Part]
    names: Sequence[str] | None
    notes: tuple[str, ...] = ()


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
    return _content(_of_one_file(path) or _of_siblings(path), keep_digits, tell)


def _of_one_file(path: Path) -> _Arrays | None:
    """What one file holds; None where it is one of several that hold an array each."""
    with opened(path) as archive:
        names = [n.removesuffix(SUFFIX) for n in archive.namelist() if n.endswith(SUFFIX)]
        found = found_in(names)
        if len(names) == 1 and sibling_files(path):
            return None
        if not found.pairs or found.alone:
            raise Problem(_why_none(names, found))
        pairs = [_chosen(archive, pair) for pair in found.pairs]
        _check_together([images for images, _, _ in pairs])
        parts = [_part(*pair) for pair in pairs]
        class_names, notes = _class_names(archive, found.class_names, parts)
    if found.passed_over:
        there = ", ".join(images.shown for images, _, _ in pairs)
        over = one_line(", ".join(found.passed_over))
        notes = (*notes, f"of the arrays {over} nothing was taken, for there are {there}")
    return _Arrays(parts, class_names, notes)


def _why_none(names: Sequence[str], found: Found) -> str:
    holds = one_line(", ".join(names)) or "nothing"
    if len(names) == 1:
        return (
            f"it holds one array, {holds}, and a data set has {WANTED}; sets of an array a file "
            "are found by names such as kmnist-train-imgs.npz and kmnist-train-labels.npz"
        )
    without = f"the partner of {one_line(found.alone[0])}" if found.alone else "images and labels"
    return (
        f"it lacks {without}: it holds {holds}, and this program reads {WANTED}, besides data sets "
        "that it wrote"
    )


def _chosen(archive: zipfile.ZipFile, pair: Pair) -> tuple[_Place, _Place, bool]:
    """Of the arrays that may be the images those with the most dimensions, and their labels."""
    dimensions = {name: len(header_of(archive, name).shape) for name in pair.labels_of}
    images = max(dimensions, key=lambda name: dimensions[name])
    labels = pair.labels_of[images]
    if len(labels) > 1:
        raise Problem(
            f"the labels of {one_line(images)} may be any of {one_line(', '.join(labels))}; leave "
            "only one in the file"
        )
    places = [_Place(archive, name, one_line(name)) for name in (images, labels[0])]
    return places[0], places[1], pair.in_test


def _check_together(images: Sequence[_Place]) -> None:
    """Refuse parts that are too large together, before memory is taken."""
    shapes = [header_of(place.archive, place.name).shape for place in images]
    if sum(math.prod(shape) for shape in shapes) > MOST_IMAGES * PIXELS:
        raise Problem(
            f"its images have more than {MOST_IMAGES * PIXELS:,} numbers together, those of "
            f"{MOST_IMAGES:,} images of {PIXELS} pixels"
        )


def _part(images: _Place, labels: _Place, in_test: bool) -> _Part:
    """Read images and their labels."""
    header, label_header = (header_of(place.archive, place.name) for place in (images, labels))
    count = (*header.shape, 0)[0]
    check_labels(label_header, count, labels.shown)
    array = array_of(images.archive, images.name, header)
    stack = as_greys(array, images.shown)
    of_labels = array_of(labels.archive, labels.name, label_header)
    return _Part(stack, as_labels(of_labels, count, labels.shown), in_test)


def _class_names(
    archive: zipfile.ZipFile, names: Sequence[str], parts: Sequence[_Part]
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The names of the classes that labels number, None where there are none; and notes."""
    if any(part.labels.dtype.kind == "U" for part in parts):
        return None, ()
    numbers = np.concatenate([part.labels for part in parts])
    if not len(numbers):
        return None, ()
    least, greatest = int(numbers.min()), int(numbers.max())
    notes = []
    for name in names:
        header = header_of(archive, name)
        if least >= 0 and may_name_classes(header, len(numbers), greatest + 1):
            return as_names(array_of(archive, name, header), one_line(name)), ()
        if header.dtype.kind not in "iu":  # those are the numbers themselves, perhaps
            notes.append(
                f"the array {one_line(name)} does not name the classes, whose numbers are {least} "
                f"to {greatest}"
            )
    return None, tuple(notes)


def _of_siblings(path: Path) -> _Arrays:
    """What files of an array each hold, and the classes' names from a file beside."""
    parts = []
    for images, labels, in_test in sibling_files(path):
        with opened(images) as of_images, opened(labels) as of_labels:
            places = [
                _Place(archive, _only(archive, file), shown_name(file))
                for archive, file in ((of_images, images), (of_labels, labels))
            ]
            _check_together(places[:1])
            parts.append(_part(places[0], places[1], in_test))
    class_map = class_map_of(path)
    return _Arrays(parts, read_class_map(class_map) if class_map.is_file() else None)


def _only(archive: zipfile.ZipFile, file: Path) -> str:
    names = archive.namelist()
    if len(names) != 1 or not names[0].endswith(SUFFIX):
        raise Problem(
            f"{shown_name(file)} holds {one_line(', '.join(names)) or 'nothing'}, and should hold "
            "one array, as the files beside it do"
        )
    return names[0].removesuffix(SUFFIX)


def _content(arrays: _Arrays, keep_digits: bool, tell: Tell) -> Content:
    parts = arrays.parts
    sizes = sorted({part.images.shape[1:] for part in parts})
    if len(sizes) > 1:
        shown = " and ".join(f"{height}x{width}" for height, width in sizes)
        raise Problem(f"its parts have images of different sizes: {shown}")
    if len({part.labels.dtype.kind for part in parts}) > 1:
        raise Problem("the labels of one part are text, and those of another numbers")
    found = np.concatenate([part.labels for part in parts])
    if not len(found):
        raise Problem("it holds no images")
    present, labels = np.unique(found, return_inverse=True)
    classes = named(present, arrays.names)
    has_names = arrays.names is not None or present.dtype.kind == "U"  # and not mere numbers
    gone = left_out_digits(classes, keep_digits) if has_names else frozenset()
    stays = np.array([name not in gone for name in classes])
    kept = stays[labels]
    images, notes = of_any_size(np.concatenate([part.images for part in parts])[kept], tell)
    in_test = np.repeat([part.in_test for part in parts], [len(part.labels) for part in parts])
    return Content(
        images,
        (np.cumsum(stays) - 1)[labels[kept]].astype(np.int32),
        tuple(name for name in classes if name not in gone),
        in_test[kept],
        notes=(
            *arrays.notes,
            *notes,
            *((note_on_digits(int((~kept).sum())),) if not kept.all() else ()),
        ),
    )
