"""The layout in which NIST publishes EMNIST: a variable `dataset` in a MATLAB file.

It is a struct with the fields `train` and `test`, each a struct of images (N, 784) and labels, and
`mapping`, a row for each class with its number and its character code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats import common
from data_formats.common import MOST_IMAGES, PIXELS, Content, Indices, left_out_digits
from data_formats.problems import Problem, one_line, quoted
from data_formats.replacing import replacing
from errors import DataError
from image_arrays import IMAGE_SIZE, Images

EXPECTED = "fields train and test (each with images and labels) and mapping"
LAYOUT: Mapping[str, tuple[str, ...]] = {
    "train": ("images", "labels"),
    "test": ("images", "labels"),
    "mapping": (),
}
_BLOCK = 2080  # rows; a multiple of 8 but not of 64: planes 4096 bytes apart share cache lines
_Words = npt.NDArray[np.uint64]


@dataclass
class _Part:
    """The `train` or `test` of a file as it lies there: images (N, 784), labels (N,)."""

    name: str
    images: Images
    labels: Indices


def pooled(fields: dict[str, Any], keep_digits: bool) -> Content:
    """Check the fields of a file and pool its training and test rows.

    Args:
        fields: `mapping`, an array; `train` and `test`, dicts of the arrays `images` and `labels`.
            All in MATLAB's shapes and of any type of number. They are taken out of the dict, so
            that their memory is free as soon as they are copied.
        keep_digits: Whether the classes '0' to '9' stay.

    Returns:
        The content, without splits. Classes are numbered from 0 in the order of the mapping;
        those without a single image are left out.

    Raises:
        Problem: The fields are not what the layout asks for.
    """
    numbers, characters = _checked_mapping(fields.pop("mapping"))
    parts = [_checked_part(name, fields.pop(name)) for name in ("train", "test")]
    return _pool(parts, numbers, characters, keep_digits)


def check_claim(what: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse a field that is larger than any data set's, before it is allocated.

    Args:
        what: The field's name, such as `dataset.train.images`.
        shape: The shape that the file claims.
        dtype: The type of its numbers.

    Raises:
        Problem: It is too large; labels and mapping have fewer numbers than images.
    """
    most = MOST_IMAGES * (PIXELS if what.endswith(".images") else 4)
    common.check_claim(what, shape, dtype, most)


def missing(what: str, wanted: Sequence[str], found: Sequence[str]) -> Problem:
    """Make the problem of a struct that lacks fields.

    Args:
        what: The name of the struct.
        wanted: The fields that it should have.
        found: Those that it has; they may be any text.

    Returns:
        The problem, to be raised.
    """
    absent = " and ".join(name for name in wanted if name not in found)
    there = one_line(", ".join(found)) or "nothing"
    return Problem(f"{what} has no {absent} but {there}; a data set has the {EXPECTED}")


def stand_upright(rows: Images, kept: Indices | None = None, out: Images | None = None) -> Images:
    """Turn the rows of NIST's layout into upright images.

    Args:
        rows: uint8 (N, 784), each row an image in column-major order. Fastest in Fortran order,
            the order in which MATLAB files hold them.
        kept: Ascending row numbers (K,) of the images wanted; None for all.
        out: uint8 (K, 28, 28), C-contiguous, to be filled; None for a new array.

    Returns:
        uint8 (K, 28, 28), C-contiguous: `out` or the new array.
    """
    kept = np.arange(len(rows)) if kept is None else kept
    out = np.empty((len(kept), IMAGE_SIZE, IMAGE_SIZE), np.uint8) if out is None else out
    block = _Block(min(_BLOCK, len(rows)))
    for start in range(0, len(rows), _BLOCK):
        stop = min(start + _BLOCK, len(rows))
        first, last = np.searchsorted(kept, (start, stop))
        if first < last:
            chosen, into = kept[first:last] - start, out[first:last].reshape(-1, PIXELS)
            # the numbers are right, so nothing is clipped; "raise" would copy once more
            np.take(block.stand(rows[start:stop]), chosen, axis=0, out=into, mode="clip")
    return out


def write(
    path: Path,
    training: tuple[Images, npt.NDArray[np.integer[Any]]],
    test: tuple[Images, npt.NDArray[np.integer[Any]]],
    classes: Sequence[str],
) -> None:
    """Write a compressed classic MATLAB file in NIST's layout, atomically.

    Args:
        path: The file; an existing one is replaced.
        training: Images, uint8 (N, 28, 28), upright, and labels, integers (N,), indices into
            `classes`.
        test: The same, (M, 28, 28) and (M,); M may be 0.
        classes: One character each, none twice.

    Raises:
        DataError: The file cannot be written, or the name of a class is not one character.
        ValueError: The arrays do not fit together or a class is there twice.
    """
    from scipy.io import savemat

    for images, labels in (training, test):
        _check_for_writing(images, labels, classes)
    codes = [ord(character) for character in classes]
    mapping = np.column_stack([np.arange(len(codes)), codes])
    dataset = {
        "train": _part_for_writing(*training, len(classes)),
        "test": _part_for_writing(*test, len(classes)),
        "mapping": mapping.astype(_narrowest(int(mapping.max(initial=0)))),
    }
    with replacing(path) as file:
        savemat(file, {"dataset": dataset}, do_compression=True)


def _pool(
    parts: list[_Part], numbers: Indices, characters: list[str], keep_digits: bool
) -> Content:
    """Pool the parts, drop digits, and renumber classes; the parts are consumed."""
    if not any(len(part.labels) for part in parts):
        raise Problem("it holds no images: train and test both have 0 rows")
    indices = [_class_indices(part, numbers) for part in parts]
    present = np.bincount(np.concatenate(indices), minlength=len(numbers)) > 0
    with_images = [character for character, there in zip(characters, present, strict=True) if there]
    left_out = left_out_digits(with_images, keep_digits)
    for index, character in enumerate(characters):
        present[index] &= character not in left_out
    renumbered = np.where(present, np.cumsum(present) - 1, -1).astype(np.int32)
    labels = [renumbered[index] for index in indices]
    kept = [np.flatnonzero(label >= 0) for label in labels]
    images = np.empty((sum(map(len, kept)), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    stop = len(images)
    for rows in reversed(kept):  # popping lets go of a part's memory as soon as it is copied
        stand_upright(parts.pop().images, rows, images[stop - len(rows) : stop])
        stop -= len(rows)
    return Content(
        images,
        np.concatenate([label[rows] for label, rows in zip(labels, kept, strict=True)]),
        tuple(c for c, there in zip(characters, present, strict=True) if there),
        np.repeat([False, True], [len(rows) for rows in kept]),
    )


class _Block:
    """Memory for standing up to `most` rows upright, used again for each block of rows.

    Moving bytes one by one is slow, so eight images at a time travel as one 64-bit word. Four
    pixels that end up side by side are brought together by exchanging halves of words, first two
    bytes wide, then one; what is left to transpose is four pixels wide.
    """

    def __init__(self, most: int) -> None:
        words = -(-most // 8)
        quads = PIXELS // 4
        self._planes = np.zeros((4, quads, words), "<u8")  # of pixels 0, 1, 2, 3 of each quad
        self._spare = np.empty((2, quads, words), "<u8")
        self._standing = np.empty((2 * words, 4, quads), "<u4")

    def stand(self, rows: Images) -> Images:
        """Stand rows (n, 784) upright, as the first n of (M, 784), which the next call changes."""
        side, quads_in_side, count = IMAGE_SIZE, IMAGE_SIZE // 4, len(rows)
        columns = rows.T.reshape(quads_in_side, 4, side, count)
        upright = self._planes.view(np.uint8).reshape(4, side, quads_in_side, -1)
        upright[..., :count] = columns.transpose(1, 2, 0, 3)
        _exchange(self._planes[:2], self._planes[2:], 16, 0x0000FFFF0000FFFF, self._spare)
        _exchange(self._planes[::2], self._planes[1::2], 8, 0x00FF00FF00FF00FF, self._spare)
        self._standing[:] = self._planes.view("<u4").transpose(2, 0, 1)
        return self._standing.view(np.uint8).reshape(-1, PIXELS)


def _exchange(first: _Words, second: _Words, bits: int, low: int, spare: _Words) -> None:
    """Exchange the high halves of `first` with the low ones of `second`, all of one shape.

    Args:
        first: uint64, changed in place.
        second: uint64, changed in place.
        bits: The width of a half.
        low: A word with the bits of all low halves.
        spare: uint64, overwritten.
    """
    np.right_shift(first, bits, out=spare)
    spare ^= second
    spare &= np.uint64(low)
    second ^= spare
    spare <<= np.uint64(bits)
    first ^= spare


def _checked_mapping(mapping: npt.NDArray[Any]) -> tuple[Indices, list[str]]:
    """Check a mapping and return its class numbers and their characters."""
    if mapping.ndim != 2 or mapping.shape[1] < 2 or mapping.shape[0] < 1:
        raise Problem(
            f"dataset.mapping has the shape {mapping.shape}, not one row for each class with its "
            "number and its character code"
        )
    numbers = _whole_numbers(mapping[:, 0], "a class number in dataset.mapping", 2**31 - 1)
    codes = _whole_numbers(mapping[:, 1], "a character code in dataset.mapping", 0x10FFFF)
    characters = [chr(code) for code in codes.tolist()]
    for code, character in zip(codes.tolist(), characters, strict=True):
        if not character.isprintable() or character.isspace():
            raise Problem(
                f"dataset.mapping has the character code {code}, which is no visible character"
            )
    _check_unique(numbers.tolist(), "the class number")
    _check_unique(characters, "the character")
    return numbers, characters


def _check_unique(values: Sequence[object], what: str) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise Problem(f"dataset.mapping has {what} {value} twice; each may be there once")
        seen.add(value)


def _checked_part(name: str, fields: dict[str, npt.NDArray[Any]]) -> _Part:
    """Check the images and labels of `train` or `test`."""
    images, labels = fields.pop("images"), fields.pop("labels")
    what = f"dataset.{name}"
    if images.size == 0 and 0 in images.shape[:1]:
        images = np.empty((0, PIXELS), np.uint8)
    if images.ndim != 2 or images.shape[1] != PIXELS:
        raise Problem(
            f"{what}.images has the shape {images.shape}, not one row of {PIXELS} pixels for "
            "each image"
        )
    if labels.size != max(labels.shape, default=1) and labels.size:
        raise Problem(f"{what}.labels has the shape {labels.shape}, not one label for each image")
    if labels.size != len(images):
        raise Problem(
            f"{what} has {counted(len(images), 'image')} but {counted(labels.size, 'label')}"
        )
    numbers = _whole_numbers(labels.ravel(), f"a label in {what}.labels", 2**31 - 1)
    return _Part(name, _as_pixels(images, f"a pixel in {what}.images"), numbers)


def _as_pixels(images: npt.NDArray[Any], what: str) -> Images:
    """Images (N, 784) of any number type as uint8, refusing what is no pixel."""
    if images.dtype == np.uint8:
        return images
    planes = np.empty(images.shape[::-1], np.uint8)
    for plane, column in zip(planes, images.T, strict=True):  # over pixels: needs little memory
        plane[:] = _whole_numbers(column, what, 255)
    return planes.T


def _whole_numbers(array: npt.NDArray[Any], what: str, most: int) -> Indices:
    """Numbers of any type as int64, refusing all but whole ones from 0 to `most`."""
    if array.dtype.kind not in "uif":
        raise Problem(f"{what} is of the type {array.dtype}, not a whole number")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)  # the limits would overflow a narrow type
    wrong = ~((array >= 0) & (array <= most))  # written so that NaN is wrong too
    if array.dtype.kind == "f":
        wrong |= array != np.floor(array)
    if wrong.any():
        raise Problem(f"{what} is {array[wrong][0].item()}, not a whole number from 0 to {most}")
    return array.astype(np.int64)


def _class_indices(part: _Part, numbers: Indices) -> Indices:
    """Row numbers in the mapping for the labels of `part`."""
    order = np.argsort(numbers)
    places = np.searchsorted(numbers[order], part.labels).clip(max=len(numbers) - 1)
    found: Indices = order[places]
    wrong = numbers[found] != part.labels
    if wrong.any():
        raise Problem(
            f"dataset.{part.name}.labels has the label {part.labels[wrong][0]}, which is not in "
            f"dataset.mapping (class numbers {numbers.min()} to {numbers.max()})"
        )
    return found


def _check_for_writing(
    images: Images, labels: npt.NDArray[np.integer[Any]], classes: Sequence[str]
) -> None:
    if images.dtype != np.uint8 or images.shape != (len(labels), IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"images are {images.dtype} {images.shape} for {len(labels)} labels")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(f"labels are {labels.min()} to {labels.max()}, {len(classes)} classes")
    if len(set(classes)) != len(classes):
        raise ValueError(f"classes are {classes!r}, one of them twice")
    for name in classes:
        if len(name) != 1:
            raise DataError(
                f"the class {quoted(name)} has no place in a MATLAB file of NIST's layout, which "
                "holds single characters; write an .npz file instead"
            )


def _part_for_writing(
    images: Images, labels: npt.NDArray[np.integer[Any]], class_count: int
) -> dict[str, npt.NDArray[Any]]:
    narrow = _narrowest(class_count - 1)
    return {
        "images": images.transpose(0, 2, 1).reshape(len(images), PIXELS),
        "labels": labels.astype(narrow).reshape(-1, 1),
    }


def _narrowest(most: int) -> type[np.unsignedinteger[Any]]:
    """The smallest unsigned type that holds 0 to `most`."""
    return np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.uint32
