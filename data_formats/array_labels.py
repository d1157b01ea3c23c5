"""Labels and names of classes out of arrays, as programs keep them."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.common import LONGEST_NAME, check_name
from data_formats.npz_arrays import Header
from data_formats.problems import Problem, one_line, quoted, shown_name

MOST_CLASSES = 20_000
_MOST_CLASS_MAP = 2**20  # bytes; that of Kuzushiji-49 has less than 1000
_MOST_ONE_HOT = 2**27  # numbers
_LONGEST_TEXT = 4 * LONGEST_NAME  # bytes, as UTF-8 and as numpy's characters
_WHOLE = 2.0**53  # up to which every whole number has a floating point number of its own

_Array = npt.NDArray[Any]


def check_labels(header: Header, images: int, name: str) -> None:
    """Refuse an array that cannot hold the labels of so many images, before it is read.

    Args:
        header: What the array claims to be.
        images: How many there are.
        name: What the array is called, for messages.

    Raises:
        Problem: It is none of numbers or text (N,), (N, 1) or (1, N), nor of rows (N, K).
    """
    shape, kind = header.shape, header.dtype.kind
    rows = shape[1] if _is_row(shape, images) else (*shape, 0)[0]
    if (
        kind not in "buifUS"
        or len(shape) not in (1, 2)
        or (len(shape) == 2 and rows != shape[1] and not 0 < shape[1] <= MOST_CLASSES)
        or math.prod(shape) > _MOST_ONE_HOT
    ):
        raise Problem(
            f"the array {name} has the type {one_line(str(header.dtype))} and the shape "
            f"{one_line(str(shape))}, and labels are (number,) whole numbers or text"
        )
    _check_text(header, name)
    if rows != images:
        raise Problem(f"there are {images:,} images, but {rows:,} labels in {name}")


def _is_row(shape: tuple[int, ...], images: int) -> bool:
    return len(shape) == 2 and shape[0] == 1 and shape[1] == images > 1


def _check_text(header: Header, name: str) -> None:
    if header.dtype.kind in "US" and header.dtype.itemsize > _LONGEST_TEXT:
        raise Problem(
            f"the array {name} has texts of {header.dtype.itemsize:,} bytes, and the names of "
            f"classes have {LONGEST_NAME} characters at most"
        )


def as_labels(array: _Array, images: int, name: str) -> _Array:
    """Make labels of an array that `check_labels` let pass.

    Args:
        array: Whole numbers of any type, or text; or rows of zeros and a one, which stand for the
            place of that one.
        images: How many there are.
        name: What the array is called, for messages.

    Returns:
        int64 or text (N,).

    Raises:
        Problem: It holds other numbers, or text that is not UTF-8.
    """
    if array.dtype.kind == "f" and not (array == np.rint(array)).all():
        raise Problem(f"the array {name} holds labels that are not whole numbers")
    if array.dtype.kind in "fu" and array.size and not np.abs(array).max() <= _WHOLE:
        raise Problem(f"the array {name} holds labels that are too large, such as {array.max()}")
    if array.ndim == 1 or array.shape[1] == 1 or _is_row(array.shape, images):
        labels = array.reshape(-1)
        return _text(labels, name) if labels.dtype.kind in "US" else labels.astype(np.int64)
    ones = array == 1
    if array.dtype.kind in "US" or not (ones.sum(axis=1) == 1).all() or array[~ones].any():
        raise Problem(
            f"the array {name} has the shape {one_line(str(array.shape))}, and not in each row a "
            "single one among zeros"
        )
    places: _Array = np.argmax(ones, axis=1)
    return places


def _text(array: _Array, name: str) -> _Array:
    try:
        return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    except UnicodeDecodeError as error:
        raise Problem(f"the array {name} holds text that is not UTF-8: {error.object!r}") from error


def may_name_classes(header: Header, images: int, classes: int) -> bool:
    """Tell whether an array may hold the names of classes numbered from 0.

    Args:
        header: What the array claims to be.
        images: How many images there are; as many texts name those, unless each is its own class.
        classes: How many numbers there are at least.

    Returns:
        Whether it may.
    """
    count = math.prod(header.shape)
    return (
        header.dtype.kind in "US"
        and header.dtype.itemsize <= _LONGEST_TEXT
        and 0 < len(header.shape) <= 2
        and count == max(header.shape)
        and classes <= count <= MOST_CLASSES
        and (count != images or count == classes)
    )


def as_names(array: _Array, name: str) -> tuple[str, ...]:
    """Names of classes out of an array that `may_name_classes` let pass.

    Args:
        array: of texts or bytes, any shape.
        name: of the array, for messages.

    Returns:
        A name for each value, in their order.
    """
    return tuple(map(str, _text(array.reshape(-1), name).tolist()))


def read_class_map(path: Path) -> tuple[str, ...]:
    """Read a table of index, code point and character, as Kuzushiji-MNIST has it.

    Args:
        path: a CSV file with the columns "index", "codepoint" and "char".

    Returns:
        The character of each class, in the order of the indices.

    Raises:
        Problem: It does not name the classes 0, 1 and so on.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_MOST_CLASS_MAP + 1)
    try:
        rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
        indices = [int(row["index"]) for row in rows]
        names = tuple(row["char"] or "" for row in rows)
    except (UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise Problem(
            f"{shown_name(path)} should name the classes in lines of index, codepoint and char, "
            f"and does not ({one_line(repr(error))})"
        ) from error
    if len(content) > _MOST_CLASS_MAP or indices != list(range(len(names))):
        raise Problem(f"{shown_name(path)} should name the classes 0, 1 and so on, one a line")
    return names


def named(present: _Array, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names of classes.

    Args:
        present: int64 or text (C,), each label that there is, once.
        names: Of the classes that numbers stand for; None where the numbers are the names.

    Returns:
        C names, in the order of `present`.

    Raises:
        Problem: There is none for a number, it is no name, or the name of two.
    """
    if len(present) > MOST_CLASSES:
        raise Problem(f"its labels are of {len(present):,} kinds, more than {MOST_CLASSES:,}")
    if present.dtype.kind == "U" or names is None:
        classes = tuple(map(str, present.tolist()))
    elif present.min() < 0 or present.max() >= len(names):
        raise Problem(
            f"it has the classes {present.min()} to {present.max()}, and names for "
            f"{counted(len(names), 'class', 'classes')}, numbered from 0"
        )
    else:
        classes = tuple(names[label] for label in present.tolist())
    for name in classes:
        check_name(name)
    name, times = Counter(classes).most_common(1)[0]
    if times > 1:
        raise Problem(f"it gives the name {quoted(name)} to {times} classes")
    return classes
