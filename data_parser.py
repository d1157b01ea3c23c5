"""Read files of labelled character images and divide the images into splits.

Three formats are read, told apart by their content: NIST's MATLAB layout as EMNIST has it (classic
MAT files and v7.3, which is HDF5), and the `.npz` files that `write_npz` makes. Whatever is wrong
with a file is reported as one `DataError`.

Classic MAT files are read by the small reader below instead of `scipy.io.loadmat`: a file is not
to be trusted, and loadmat allocates whatever size a damaged header names and overflows the C stack
on deeply nested cells. This reader follows only the fields of the layout, without recursion into
anything else, and compares every size with the bytes that are there before allocating.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import math
import os
import secrets
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from errors import DataError

if TYPE_CHECKING:
    import zipfile

IMAGE_SIZE = 28
SPLIT_NAMES = ("training", "validation", "test", "generator")
SPLIT_SHARES = {"training": 64, "validation": 16, "test": 10, "generator": 10}

SplitName = Literal["training", "validation", "test", "generator"]
SplitBy = Literal["seed", "file"]
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]

_PIXELS = IMAGE_SIZE * IMAGE_SIZE
_DIGITS = frozenset("0123456789")
_MOST_IMAGES = 2_000_000  # EMNIST's largest part has 814,255; more is taken for a damaged size
_MOST_BYTES = 2**32  # of one array in a file
_DEFLATE_RATIO = 1040  # deflate cannot do better than 1032 to 1; the rest is for short streams
_NPZ_FORMAT = "handwriting-data-set"
_NPZ_VERSION = 1
_EXPECTED = "fields train and test (each with images and labels) and mapping"


# --------------------------------------------------------------------------- what is handed out


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """All images of a file with their labels.

    Attributes:
        images: uint8 (N, 28, 28), upright, ink 255 on paper 0, C-contiguous.
        labels: int32 (N,), indices into `classes`.
        classes: The character of each class.
        in_test: bool (N,), which rows were the file's own test rows.
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    in_test: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Splits:
    """Which rows belong to which split: sorted int64 indices, no row in two of them."""

    training: Indices
    validation: Indices
    test: Indices
    generator: Indices


@dataclass(frozen=True, eq=False)
class DataSet:
    """Labelled images divided into splits.

    Attributes:
        images: uint8 (N, 28, 28), upright, ink 255 on paper 0, C-contiguous.
        labels: int32 (N,), indices into `classes`.
        classes: The character of each class.
        splits: The rows of each split.
        source: The file it came from.
        split_by: "seed" for random splits, "file" where the file's own test rows are the test set.
        seed: The seed that the splits were drawn with.
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    splits: Splits
    source: Path
    split_by: SplitBy
    seed: int

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (64 hex digits) over images, labels, classes and splits."""
        digest = hashlib.sha256(json.dumps([self.images.shape, self.classes]).encode())
        arrays = [self.images, self.labels.astype("<i4")]
        arrays += [self.indices(name).astype("<i8") for name in SPLIT_NAMES]
        for array in arrays:
            digest.update(len(array).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def indices(self, name: str) -> Indices:
        """Rows of the split called `name`.

        Args:
            name: One of `SPLIT_NAMES`.

        Returns:
            Sorted int64 (M,) indices into `images` and `labels`.

        Raises:
            KeyError: There is no such split.
        """
        if name not in SPLIT_NAMES:
            raise KeyError(name)
        rows: Indices = getattr(self.splits, name)
        return rows

    def subset(self, name: str) -> tuple[Images, Labels]:
        """Copy the images and labels of the split called `name`.

        Args:
            name: One of `SPLIT_NAMES`.

        Returns:
            Images, uint8 (M, 28, 28), and labels, int32 (M,).

        Raises:
            KeyError: There is no such split.
        """
        rows = self.indices(name)
        return self.images[rows], self.labels[rows]

    def counts(self) -> dict[str, int]:
        """Count the images of each split, by the split's name."""
        return {name: len(self.indices(name)) for name in SPLIT_NAMES}

    def class_of(self, character: str) -> tuple[int, str | None]:
        """Look up the class that stands for `character`.

        EMNIST merges letters that are written alike with their capitals, so where `character`
        itself is no class, the other case of it is looked up.

        Args:
            character: One character.

        Returns:
            The class index, and the class' own character where it differs, otherwise None.

        Raises:
            DataError: Neither case of `character` is a class.
        """
        if character in self.classes:
            return self.classes.index(character), None
        other = character.swapcase()
        if other in self.classes:
            return self.classes.index(other), other
        raise DataError(
            f"the data set has no character {_quoted(character)}; it has {' '.join(self.classes)}"
        )


# --------------------------------------------------------------------------- the public functions


def read_labelled_images(path: str | os.PathLike[str], keep_digits: bool = True) -> LabelledImages:
    """Read all images of a data set file, training and test rows pooled.

    Args:
        path: A MATLAB file in NIST's layout (classic or v7.3) or a file of `write_npz`.
        keep_digits: Whether the classes '0' to '9' stay.

    Returns:
        The images, classes numbered from 0 in the order of the file's mapping. Classes without
        a single image are left out.

    Raises:
        DataError: The file cannot be read as a data set; the message says why.
    """
    path = Path(path)
    with _naming(path):
        if _recognise(path) == "npz":
            saved = _read_npz(path, keep_digits)
            in_test = np.zeros(len(saved.labels), np.bool_)
            in_test[saved.splits.test] = True
            return LabelledImages(saved.images, saved.labels, saved.classes, in_test)
        return _read_mat(path, keep_digits)


def split_data(
    labels: npt.NDArray[np.integer[Any]],
    in_test: npt.NDArray[np.bool_],
    classes: Sequence[str],
    seed: int,
    file_split: bool,
) -> Splits:
    """Divide rows into training, validation, test and generator, each class by itself.

    By seed the shares are 64, 16, 10 and 10 % of each class, rounded half up, the remainder going
    to training. With `file_split` the file's own test rows are the test split, and the other rows
    are divided in the same proportion (64 : 16 : 10) among the remaining three.

    Args:
        labels: Integers (N,), indices into `classes`.
        in_test: bool (N,), the file's own test rows.
        classes: The character of each class, for messages.
        seed: Seed of the random choice, 0 or more.
        file_split: Whether the file's own test rows are the test split.

    Returns:
        The splits; the same arguments always give the same ones.

    Raises:
        DataError: A class has too few images for every split to get one.
    """
    try:
        return _split(labels, in_test, classes, seed, file_split)
    except _Problem as problem:
        raise DataError(f"the data cannot be split: {problem}") from problem


def open_data_set(
    path: str | os.PathLike[str],
    *,
    seed: int = 42,
    keep_digits: bool = False,
    file_split: bool = False,
) -> DataSet:
    """Read a data set file and divide its images into splits.

    A file of `write_npz` brings its own splits, so `seed` and `file_split` do not touch those.

    Args:
        path: A MATLAB file in NIST's layout (classic or v7.3) or a file of `write_npz`.
        seed: Seed of the random choice, 0 or more.
        keep_digits: Whether the classes '0' to '9' stay.
        file_split: Whether the file's own test rows are the test split.

    Returns:
        The data set, its images uint8 (N, 28, 28).

    Raises:
        DataError: The file cannot be read as a data set or not be split; the message says why.
    """
    path = Path(path)
    with _naming(path):
        if _recognise(path) == "npz":
            data_set = _read_npz(path, keep_digits)
            _check_class_count(data_set.classes)
            return data_set
        read = _read_mat(path, keep_digits)
        _check_class_count(read.classes)
        splits = _split(read.labels, read.in_test, read.classes, seed, file_split)
        split_by: SplitBy = "file" if file_split else "seed"
        return DataSet(read.images, read.labels, read.classes, splits, path, split_by, seed)


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
    standing = np.empty((_BLOCK, _PIXELS), np.uint8)
    for start in range(0, len(rows), _BLOCK):
        stop = min(start + _BLOCK, len(rows))
        first, last = np.searchsorted(kept, (start, stop))
        if first < last:
            _stand_block(rows[start:stop], standing)
            out[first:last].reshape(-1, _PIXELS)[:] = standing[kept[first:last] - start]
    return out


def write_npz(data_set: DataSet, path: str | os.PathLike[str]) -> None:
    """Write a data set with its splits, atomically.

    Args:
        data_set: What to write.
        path: The file; an existing one is replaced.

    Raises:
        DataError: The file cannot be written.
    """
    import zipfile

    about = {"format": _NPZ_FORMAT, "version": _NPZ_VERSION}
    about |= {"split_by": data_set.split_by, "seed": data_set.seed}
    members: dict[str, npt.NDArray[Any]] = {
        "about": np.array(json.dumps(about)),
        "classes": np.array(data_set.classes, dtype="<U1"),
        "images": data_set.images,
        "labels": data_set.labels.astype("<i4"),
    }
    members |= {name: data_set.indices(name).astype("<i8") for name in SPLIT_NAMES}
    with _replacing(Path(path)) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            # A fixed date makes equal data sets equal files; level 1 is six times as fast as 6.
            info = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info._compresslevel = 1  # type: ignore[attr-defined]
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def write_mat(
    path: str | os.PathLike[str],
    training_images: Images,
    training_labels: npt.NDArray[np.integer[Any]],
    test_images: Images,
    test_labels: npt.NDArray[np.integer[Any]],
    classes: Sequence[str],
) -> None:
    """Write a compressed classic MAT file in NIST's layout, atomically.

    Args:
        path: The file; an existing one is replaced.
        training_images: uint8 (N, 28, 28), upright.
        training_labels: Integers (N,), indices into `classes`.
        test_images: uint8 (M, 28, 28), upright; M may be 0.
        test_labels: Integers (M,), indices into `classes`.
        classes: One character each, none twice.

    Raises:
        DataError: The file cannot be written.
        ValueError: The arrays do not fit together or `classes` are not single characters.
    """
    from scipy.io import savemat  # type: ignore[import-untyped]

    _check_for_writing(training_images, training_labels, classes)
    _check_for_writing(test_images, test_labels, classes)
    codes = [ord(character) for character in classes]
    mapping = np.column_stack([np.arange(len(codes)), codes])
    dataset = {
        "train": _part_for_writing(training_images, training_labels, len(classes)),
        "test": _part_for_writing(test_images, test_labels, len(classes)),
        "mapping": mapping.astype(_narrowest(int(mapping.max(initial=0)))),
    }
    with _replacing(Path(path)) as file:
        savemat(file, {"dataset": dataset}, do_compression=True)


# --------------------------------------------------------------------------- messages


class _Problem(Exception):
    """What is wrong inside a file; `_naming` adds which file."""


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading `path` into a DataError that names it."""
    try:
        yield
    except _Problem as problem:
        raise DataError(f"{_shown(path)}: {problem}") from problem
    except MemoryError as error:
        raise DataError(
            f"{_shown(path)}: there is not enough memory to read it; a smaller copy can be made "
            "with shrink_emnist.py"
        ) from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise DataError(f"{_shown(path)}: cannot be read: {_one_line(reason)}") from error


@contextlib.contextmanager
def _library(kind: str) -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into a problem."""
    try:
        yield
    except (_Problem, MemoryError):
        raise
    except Exception as error:
        reason = _one_line(str(error)) or type(error).__name__
        raise _Problem(f"the {kind} file is cut off or damaged ({reason})") from error


def _one_line(text: str) -> str:
    """Text made safe for one line of a terminal, and not too long for it."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= 160 else line[:157] + "..."


def _quoted(text: str) -> str:
    return "'" + _one_line(text) + "'"


def _shown(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() else ascii(text)


# --------------------------------------------------------------------------- which kind of file


def _recognise(path: Path) -> Literal["classic", "hdf5", "npz"]:
    """Tell the format of a file by its first bytes; the name only helps the message."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise _Problem("there is no such file; give the path of a .mat or .npz file") from None
    except ValueError:
        raise _Problem("this is no file name, for it holds a zero character") from None
    if stat.S_ISDIR(mode):
        raise _Problem("this is a folder; give the path of a .mat or .npz file in it")
    if not stat.S_ISREG(mode):  # a pipe would block, a device never end
        raise _Problem("this is a device or pipe; give the path of a .mat or .npz file")
    with path.open("rb") as file:
        head = file.read(2056)
    if path.suffix.lower() in {".pickle", ".pkl"} or _is_pickle(head):
        raise _Problem(
            "this is a pickle file, refused because opening a pickle can run code that is hidden "
            "in it; give a .mat or .npz file"
        )
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "npz"
    if any(head.startswith(b"\x89HDF\r\n\x1a\n", offset) for offset in (0, 512, 1024, 2048)):
        return "hdf5"
    if head[124:128] in {b"\x00\x01IM", b"\x01\x00MI"}:
        return "classic"
    raise _Problem(_why_not(head, path.suffix.lower()))


def _is_pickle(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5


def _why_not(head: bytes, suffix: str) -> str:
    """Say what a file seems to be that is no data set."""
    wanted = "give a MATLAB file in NIST's layout or an .npz file that this program wrote"
    if not head:
        return f"the file is empty; {wanted}"
    if head.startswith(b"MATLAB"):
        return f"the MATLAB file is cut off or damaged in its first {min(len(head), 520)} bytes"
    known = {
        b"\x1f\x8b": "a gzip file, to be unpacked first",
        b"\x93NUMPY": "a single numpy array",
        b"\x89PNG": "a PNG picture",
        b"\x00\x00\x08": "an IDX file, as MNIST has them",
    }
    kind = next((text for magic, text in known.items() if head.startswith(magic)), "")
    claim = f", in spite of its name ending in {suffix}" if suffix in {".mat", ".npz"} else ""
    looks = f"this is {kind}" if kind else f"its first bytes {head[:8]!r} are of no known format"
    return f"{looks}{claim}; {wanted}"


# --------------------------------------------------------------------------- MATLAB files


@dataclass
class _Part:
    """The `train` or `test` of a MATLAB file as it lies there: images (N, 784), labels."""

    name: str
    images: npt.NDArray[Any]
    labels: npt.NDArray[Any]


def _read_mat(path: Path, keep_digits: bool) -> LabelledImages:
    """Read a classic or v7.3 MATLAB file."""
    fields = _read_hdf5(path) if _recognise(path) == "hdf5" else _read_classic(path)
    numbers, characters = _checked_mapping(fields.pop("mapping"))
    parts = [_checked_part(name, fields.pop(name)) for name in ("train", "test")]
    return _pool(parts, numbers, characters, keep_digits)


def _pool(
    parts: list[_Part], numbers: Indices, characters: list[str], keep_digits: bool
) -> LabelledImages:
    """Pool the parts, drop digits, and renumber classes; the parts are consumed."""
    if not any(len(part.labels) for part in parts):
        raise _Problem("it holds no images: train and test both have 0 rows")
    indices = [_class_indices(part, numbers) for part in parts]
    present = np.bincount(np.concatenate(indices), minlength=len(numbers)) > 0
    for index, character in enumerate(characters):
        present[index] &= keep_digits or character not in _DIGITS
    if not present.any():
        raise _Problem("it holds digits only, and digits are left out; keep them or give letters")
    renumbered = np.where(present, np.cumsum(present) - 1, -1).astype(np.int32)
    labels = [renumbered[index] for index in indices]
    kept = [np.flatnonzero(label >= 0) for label in labels]
    images = np.empty((sum(map(len, kept)), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    stop = len(images)
    for rows in reversed(kept):  # popping lets go of a part's memory as soon as it is copied
        stand_upright(parts.pop().images, rows, images[stop - len(rows) : stop])
        stop -= len(rows)
    return LabelledImages(
        images,
        np.concatenate([label[rows] for label, rows in zip(labels, kept, strict=True)]),
        tuple(c for c, there in zip(characters, present, strict=True) if there),
        np.repeat([False, True], [len(rows) for rows in kept]),
    )


_BLOCK = 512  # rows; 784 of their bytes and two copies fit a core's cache; a multiple of 4


def _stand_block(rows: Images, standing: Images) -> None:
    """Stand up to `_BLOCK` rows (n, 784) upright in the first n of `standing` (_BLOCK, 784)."""
    # Transposing bytes one by one is slow: four images at a time travel as one 32-bit word and
    # are parted again by casts, which numpy does with vector instructions.
    square = (IMAGE_SIZE, IMAGE_SIZE)
    planes = np.zeros((*square, _BLOCK), np.uint8)
    planes[:, :, : len(rows)] = rows.T.reshape(*square, len(rows)).transpose(1, 0, 2)
    words = np.ascontiguousarray(planes.reshape(_PIXELS, _BLOCK).view("<u4").T)
    by_four = standing.reshape(-1, 4, _PIXELS)
    for image in range(4):
        by_four[:, image] = words
        words >>= 8


def _checked_mapping(mapping: npt.NDArray[Any]) -> tuple[Indices, list[str]]:
    """Check a mapping and return its class numbers and their characters."""
    if mapping.ndim != 2 or mapping.shape[1] < 2 or mapping.shape[0] < 1:
        raise _Problem(
            f"dataset.mapping has the shape {mapping.shape}, not one row for each class with its "
            "number and its character code"
        )
    numbers = _whole_numbers(mapping[:, 0], "a class number in dataset.mapping", 2**31 - 1)
    codes = _whole_numbers(mapping[:, 1], "a character code in dataset.mapping", 0x10FFFF)
    characters = [chr(code) for code in codes.tolist()]
    for code, character in zip(codes.tolist(), characters, strict=True):
        if not character.isprintable() or character.isspace():
            raise _Problem(
                f"dataset.mapping has the character code {code}, which is no visible character"
            )
    _check_unique(numbers.tolist(), "the class number")
    _check_unique(characters, "the character")
    return numbers, characters


def _check_unique(values: Sequence[object], what: str) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise _Problem(f"dataset.mapping has {what} {value} twice; each may be there once")
        seen.add(value)


def _checked_part(name: str, fields: dict[str, npt.NDArray[Any]]) -> _Part:
    """Check the images and labels of `train` or `test`."""
    images, labels = fields.pop("images"), fields.pop("labels")
    what = f"dataset.{name}"
    if images.size == 0 and 0 in images.shape[:1]:
        images = np.empty((0, _PIXELS), np.uint8)
    if images.ndim != 2 or images.shape[1] != _PIXELS:
        raise _Problem(
            f"{what}.images has the shape {images.shape}, not one row of {_PIXELS} pixels for "
            "each image"
        )
    if labels.size != max(labels.shape, default=1) and labels.size:
        raise _Problem(f"{what}.labels has the shape {labels.shape}, not one label for each image")
    if labels.size != len(images):
        raise _Problem(f"{what} has {len(images)} images but {labels.size} labels")
    labels = _whole_numbers(labels.ravel(), f"a label in {what}.labels", 2**31 - 1)
    return _Part(name, _as_pixels(images, f"a pixel in {what}.images"), labels)


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
        raise _Problem(f"{what} is of the type {array.dtype}, not a whole number")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)  # the limits would overflow a narrow type
    wrong = ~((array >= 0) & (array <= most))  # written so that NaN is wrong too
    if array.dtype.kind == "f":
        wrong |= array != np.floor(array)
    if wrong.any():
        raise _Problem(f"{what} is {array[wrong][0].item()}, not a whole number from 0 to {most}")
    return array.astype(np.int64)


def _class_indices(part: _Part, numbers: Indices) -> Indices:
    """Row numbers in the mapping for the labels of `part`."""
    order = np.argsort(numbers)
    places = np.searchsorted(numbers[order], part.labels).clip(max=len(numbers) - 1)
    found: Indices = order[places]
    wrong = numbers[found] != part.labels
    if wrong.any():
        raise _Problem(
            f"dataset.{part.name}.labels has the label {part.labels[wrong][0]}, which is not in "
            f"dataset.mapping (class numbers {numbers.min()} to {numbers.max()})"
        )
    return found


_Schema = Mapping[str, "tuple[str, ...]"]
_LAYOUT: _Schema = {"train": ("images", "labels"), "test": ("images", "labels"), "mapping": ()}


def _missing(what: str, wanted: Sequence[str], found: Sequence[str]) -> _Problem:
    absent = " and ".join(name for name in wanted if name not in found)
    there = _one_line(", ".join(found)) or "nothing"
    return _Problem(f"{what} has no {absent} but {there}; a data set has the {_EXPECTED}")


# --------------------------------------------------------------------------- classic MAT files

_MI_COMPRESSED, _MI_MATRIX = 15, 14
_MI_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_MI_TYPES |= {12: "i8", 13: "u8"}
_MX_STRUCT, _MX_NUMBERS, _MX_OPAQUE = 2, range(6, 16), 17
_MX_NAMES = {1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}
_MX_NAMES |= {16: "a function", 17: "an object"} | dict.fromkeys(_MX_NUMBERS, "an array of numbers")
_CUT_OFF = "the MATLAB file is cut off or damaged ({})"


class _Inflating(io.RawIOBase):
    """The inflated content of `size` deflated bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self._inflater = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` or a part of it; 0 at the end."""
        view = memoryview(buffer)
        while not self._inflater.eof:
            deflated = self._inflater.unconsumed_tail or self._more()
            inflated = self._inflater.decompress(deflated, min(len(view), 2**20))
            if inflated:
                view[: len(inflated)] = inflated
                return len(inflated)
            if not deflated:
                raise _Problem(_CUT_OFF.format("its compressed part ends too early"))
        return 0

    def _more(self) -> bytes:
        piece = self._file.read(min(self._left, 2**17))
        self._left -= len(piece)
        return piece


@dataclass(frozen=True)
class _Header:
    """What stands before the content of a MAT array."""

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str


class _MatReader:
    """Reads elements of a MAT file in sequence, never past the bytes that are there."""

    def __init__(self, stream: Any, size: int, order: str) -> None:
        self._stream, self.left, self._order = stream, size, order

    def fill(self, array: Images) -> None:
        """Fill `array`, uint8 (N,), from the stream."""
        self._spend(len(array))
        view = memoryview(array.data)
        while len(view):
            count = self._stream.readinto(view)
            if not count:
                raise _Problem(_CUT_OFF.format(f"{len(view)} bytes are missing"))
            view = view[count:]

    def read(self, size: int) -> bytes:
        array = np.empty(size, np.uint8)
        self.fill(array)
        return array.tobytes()

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.read(min(size, 2**20)))

    def finish(self) -> None:
        """Read past the end of a compressed variable: only there is its checksum looked at."""
        if isinstance(self._stream, _Inflating):
            self._stream.readinto(bytearray(1))

    def _spend(self, size: int) -> None:
        if size > self.left:
            raise _Problem(_CUT_OFF.format(f"it names {size} bytes where {self.left} are left"))
        self.left -= size

    def tag(self) -> tuple[int, int, bytes | None]:
        """Type and byte count of the next element, and its content if it is a packed one."""
        raw = self.read(8)
        kind, size = struct.unpack(self._order + "II", raw)
        if kind >> 16:  # up to four bytes are packed into the tag itself
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise _Problem(_CUT_OFF.format(f"a packed element of {size} bytes"))
            return kind, size, raw[4 : 4 + size]
        return kind, size, None

    def small(self) -> bytes:
        """Content of the next element, which describes an array and so is short."""
        _, size, packed = self.tag()
        if packed is not None:
            return packed
        if size > 2**16:
            raise _Problem(_CUT_OFF.format(f"an array description of {size} bytes"))
        return self.read(size + -size % 8)[:size]

    def ints(self) -> tuple[int, ...]:
        raw = self.small()
        return struct.unpack(f"{self._order}{len(raw) // 4}i", raw[: len(raw) // 4 * 4])

    def header(self) -> _Header:
        flags = (*self.ints(), 0)[0]
        kind = flags & 0xFF
        shape = () if kind == _MX_OPAQUE else self.ints()  # objects have no shape of their own
        name = self.small().decode("latin-1")
        return _Header(kind, bool(flags & 0x800), shape, name)

    def matrix_end(self) -> int:
        """Read the tag of an array; return how many bytes will be left after it."""
        kind, size, _ = self.tag()
        if kind != _MI_MATRIX or size > self.left:
            raise _Problem(_CUT_OFF.format(f"an array of type {kind} and {size} bytes"))
        return self.left - size

    def numbers(self, header: _Header, what: str) -> npt.NDArray[Any]:
        """Content of an array of numbers, in MATLAB's (Fortran) order."""
        if header.kind not in _MX_NUMBERS or header.is_complex:
            kind = "complex" if header.is_complex else _MX_NAMES.get(header.kind, "unknown")
            raise _Problem(f"{what} is {kind}, not an array of whole numbers")
        stored, size, packed = self.tag()
        dtype = np.dtype(self._order + _MI_TYPES.get(stored, "V1"))
        count = math.prod(header.shape)
        if dtype.kind == "V" or min(header.shape, default=-1) < 0 or count * dtype.itemsize != size:
            raise _Problem(
                _CUT_OFF.format(f"{what} has {size} bytes of type {stored} for {header.shape}")
            )
        _check_size(what, header.shape, dtype)
        if packed is not None:
            return np.frombuffer(packed, dtype).reshape(header.shape, order="F")
        raw = np.empty(size, np.uint8)
        self.fill(raw)
        return raw.view(dtype).reshape(header.shape, order="F")

    def fields(self, header: _Header, what: str) -> list[str]:
        """Field names of a struct."""
        if header.kind != _MX_STRUCT:
            kind = _MX_NAMES.get(header.kind, f"of the unknown class {header.kind}")
            raise _Problem(f"{what} is {kind}, not a struct with the {_EXPECTED}")
        if math.prod(header.shape) != 1:
            raise _Problem(f"{what} is {header.shape} structs, not a single one")
        width = (*self.ints(), 0)[0]
        raw = self.small()
        if width < 1:
            raise _Problem(_CUT_OFF.format(f"field names of {width} bytes in {what}"))
        names = (raw[i : i + width] for i in range(0, len(raw), width))
        return [name.split(b"\0")[0].decode("latin-1") for name in names]

    def structure(self, header: _Header, what: str, wanted: Sequence[str]) -> dict[str, Any]:
        """Content of the wanted fields of a struct; others are passed over unread."""
        names = self.fields(header, what)
        if not set(wanted) <= set(names):
            raise _missing(what, wanted, names)
        found: dict[str, Any] = {}
        for name in names:
            end = self.matrix_end()
            if name in wanted and name not in found:
                found[name] = self.content(f"{what}.{name}", self.left - end)
            if self.left < end:
                raise _Problem(_CUT_OFF.format(f"{what}.{name} is longer than it says"))
            self.skip(self.left - end)
        return found

    def content(self, what: str, size: int) -> Any:
        """A dict for `train` and `test`, an array for anything else; the layout has two levels."""
        if size == 0:
            return np.empty((0, 0), np.uint8)  # how MATLAB stores []
        header = self.header()
        below = _LAYOUT.get(what.removeprefix("dataset."))
        return self.structure(header, what, below) if below else self.numbers(header, what)


def _read_classic(path: Path) -> dict[str, Any]:
    """Fields of the variable `dataset` in a classic MAT file."""
    names = []
    with path.open("rb") as file, _library("MATLAB"):
        size = os.fstat(file.fileno()).st_size
        order = "<" if file.read(128)[126:] == b"IM" else ">"
        while file.tell() < size:
            reader, after = _variable(file, size, order)
            end = reader.matrix_end()
            header = reader.header()
            if header.name == "dataset":
                return _dataset(reader, header, end)
            names.append(header.name)
            file.seek(after)
    there = _one_line(", ".join(names)) or "nothing"
    raise _Problem(f"the MATLAB file has no variable dataset but {there}; it needs the {_EXPECTED}")


def _variable(file: IO[bytes], size: int, order: str) -> tuple[_MatReader, int]:
    """A reader for the variable at the file's position, and where the next one starts."""
    start = file.tell()
    plain = _MatReader(file, size - start, order)
    kind, length, packed = plain.tag()
    if packed is not None or length > plain.left:
        raise _Problem(_CUT_OFF.format(f"a variable of {length} bytes where {plain.left} are left"))
    if kind == _MI_COMPRESSED:
        stream = _Inflating(file, length)
        return _MatReader(stream, length * _DEFLATE_RATIO, order), start + 8 + length
    file.seek(start)
    return _MatReader(file, 8 + length, order), start + 8 + length


def _dataset(reader: _MatReader, header: _Header, end: int) -> dict[str, Any]:
    fields = reader.structure(header, "dataset", tuple(_LAYOUT))
    for name in ("train", "test"):
        if not isinstance(fields[name], dict):
            raise _missing(f"dataset.{name}", ("images", "labels"), ())
    if reader.left > end:
        reader.skip(reader.left - end)
    reader.finish()
    return fields


def _check_size(what: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an array that is larger than any data set's, before it is allocated."""
    count = math.prod(shape)
    if count > _MOST_IMAGES * _PIXELS or count * dtype.itemsize > _MOST_BYTES:
        raise _Problem(
            f"{what} claims the shape {shape}, more than the {_MOST_IMAGES:,} images of "
            f"{_PIXELS} pixels that a data set may have"
        )


# --------------------------------------------------------------------------- MATLAB v7.3 (HDF5)


def _read_hdf5(path: Path) -> dict[str, Any]:
    """Fields of the variable `dataset` in a MATLAB v7.3 file."""
    with _library("MATLAB v7.3"):
        import h5py  # type: ignore[import-untyped]

        with h5py.File(path, "r", locking=False) as file:
            top = _hdf5_member(file, "dataset", "the MATLAB v7.3 file")
            fields: dict[str, Any] = {}
            for name, below in _LAYOUT.items():
                member = _hdf5_member(top, name, "dataset", tuple(_LAYOUT))
                fields[name] = (
                    {sub: _hdf5_array(member, sub, f"dataset.{name}", below) for sub in below}
                    if below
                    else _hdf5_array(top, name, "dataset", tuple(_LAYOUT))
                )
            return fields


def _hdf5_member(group: Any, name: str, what: str, wanted: Sequence[str] = ("dataset",)) -> Any:
    """A member of an HDF5 group, refusing links, which can lead to other files."""
    import h5py

    if not isinstance(group, h5py.Group):
        raise _Problem(f"{what} is not a struct with the {_EXPECTED}")
    link = group.get(name, getlink=True)
    if link is None:
        raise _missing(what, wanted, list(group)[:20])
    if not isinstance(link, h5py.HardLink):
        raise _Problem(f"{what}: {name} is a link to elsewhere, refused; it must be in the file")
    return group[name]


def _hdf5_array(group: Any, name: str, what: str, wanted: Sequence[str]) -> npt.NDArray[Any]:
    """An array of numbers in MATLAB's shape, which HDF5 has the other way round."""
    import h5py

    array = _hdf5_member(group, name, what, wanted)
    what = f"{what}.{name}"
    if not isinstance(array, h5py.Dataset) or array.dtype.kind not in "uif":
        kind = f"of the type {array.dtype}" if isinstance(array, h5py.Dataset) else "a struct"
        raise _Problem(f"{what} is {kind}, not an array of whole numbers")
    matlab_class = array.attrs.get("MATLAB_class", b"uint8")
    if matlab_class in (b"char", b"cell", b"struct", b"function_handle"):
        raise _Problem(f"{what} is a {matlab_class.decode()} array, not one of whole numbers")
    _check_hdf5_storage(array, what)
    if array.attrs.get("MATLAB_empty", 0):  # then the sizes stand where the content should
        return np.empty((0, 0), np.uint8)
    content: npt.NDArray[Any] = array[()]
    return content.T


def _check_hdf5_storage(array: Any, what: str) -> None:
    """Refuse what points out of the file or claims more than is stored."""
    if array.external or array.is_virtual:
        raise _Problem(f"{what} is stored in another file, refused; it must be in the file itself")
    if array.shape is None or len(array.shape) == 0:
        raise _Problem(f"{what} has the shape {array.shape}, not rows and columns")
    _check_size(what, array.shape, array.dtype)
    filters = array.id.get_create_plist()
    for index in range(filters.get_nfilters()):
        if filters.get_filter(index)[0] not in (1, 2, 3):  # deflate, shuffle, checksum
            raise _Problem(f"{what} is compressed in a way other than gzip, which MATLAB uses")
    stored = array.id.get_storage_size()
    if array.nbytes > stored * _DEFLATE_RATIO:
        raise _Problem(f"{what} claims {array.nbytes} bytes, of which {stored} are in the file")
    chunk = math.prod(array.chunks or (0,)) * array.dtype.itemsize
    if chunk > 2 * max(array.nbytes, 2**20):
        raise _Problem(f"{what} is stored in chunks of {chunk} bytes but has {array.nbytes}")


# --------------------------------------------------------------------------- .npz files

_NPZ_ARRAYS = {"about": ("U", 0), "classes": ("U", 1), "images": ("u", 3), "labels": ("i", 1)}
_NPZ_ARRAYS |= {name: ("i", 1) for name in SPLIT_NAMES}


def _read_npz(path: Path, keep_digits: bool) -> DataSet:
    """Read a file of `write_npz`, with the splits as they stand in it."""
    with _library("npz"):
        import zipfile

        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if sorted(names) != sorted(name + ".npy" for name in _NPZ_ARRAYS):
                raise _Problem(
                    f"this is not a data set that this program wrote: it holds "
                    f"{_one_line(', '.join(names)) or 'nothing'}, not the arrays "
                    f"{', '.join(_NPZ_ARRAYS)}"
                )
            arrays = {name: _npz_array(archive, name) for name in _NPZ_ARRAYS}
    split_by, seed = _checked_about(str(arrays["about"]))
    classes = tuple(arrays["classes"].tolist())
    _check_npz(arrays, classes)
    splits = Splits(**{name: np.sort(arrays[name]).astype(np.int64) for name in SPLIT_NAMES})
    labels = arrays["labels"].astype(np.int32)
    data_set = DataSet(arrays["images"], labels, classes, splits, path, split_by, seed)
    return data_set if keep_digits else _without_digits(data_set)


def _npz_array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """One array, its declared shape compared with the bytes there before it is allocated."""
    info = archive.getinfo(name + ".npy")
    if info.compress_type not in (0, 8) or info.file_size > info.compress_size * _DEFLATE_RATIO:
        raise _Problem(
            f"the array {name} claims {info.file_size} bytes from {info.compress_size}, "
            "which deflate cannot do"
        )
    with archive.open(info) as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise _Problem(f"the array {name} is not in version 1.0 of numpy's format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        kind, dimensions = _NPZ_ARRAYS[name]
        if dtype.kind != kind or len(shape) != dimensions or dtype.itemsize > 2**16:
            raise _Problem(f"the array {name} has the type {dtype} and the shape {shape}")
        _check_size(f"the array {name}", shape, dtype)
        if member.tell() + math.prod(shape) * dtype.itemsize != info.file_size:
            raise _Problem(f"the array {name} claims the shape {shape} in {info.file_size} bytes")
    with archive.open(info) as member:
        array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        member.read(1)  # the checksum is looked at only when the end is reached
        return array


def _checked_about(text: str) -> tuple[SplitBy, int]:
    """Check what the file says about itself and return how its splits were made."""
    with _library("npz"):
        about = json.loads(text)
    if not isinstance(about, dict) or about.get("format") != _NPZ_FORMAT:
        raise _Problem(f"this is not a data set that this program wrote: about is {_quoted(text)}")
    if about.get("version") != _NPZ_VERSION:
        raise _Problem(
            f"it is of the version {_one_line(repr(about.get('version')))} of the format, and "
            f"this program reads version {_NPZ_VERSION}"
        )
    split_by, seed = about.get("split_by"), about.get("seed")
    if split_by not in ("seed", "file") or type(seed) is not int or seed < 0:
        raise _Problem(f"it does not say how it was split: about is {_quoted(text)}")
    return ("file" if split_by == "file" else "seed"), seed


def _check_npz(arrays: dict[str, npt.NDArray[Any]], classes: tuple[str, ...]) -> None:
    """Check that the arrays of an npz file fit together."""
    images, labels = arrays["images"], arrays["labels"]
    if images.dtype != np.uint8 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise _Problem(
            f"images are {images.dtype} {images.shape}, not uint8 (N, {IMAGE_SIZE}, {IMAGE_SIZE})"
        )
    if not len(images):
        raise _Problem("it holds no images")
    if len(labels) != len(images):
        raise _Problem(f"it has {len(images)} images but {len(labels)} labels")
    if len(set(classes)) != len(classes) or not all(
        len(c) == 1 and c.isprintable() and not c.isspace() for c in classes
    ):
        raise _Problem(f"classes are {_one_line(repr(classes))}, not visible characters once each")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise _Problem(f"labels are {labels.min()} to {labels.max()} for {len(classes)} classes")
    empty = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    if len(empty):
        raise _Problem(f"the class {_quoted(classes[empty[0]])} has no images")
    _check_npz_splits(arrays, len(images))


def _check_npz_splits(arrays: dict[str, npt.NDArray[Any]], count: int) -> None:
    for name in SPLIT_NAMES:
        rows = arrays[name]
        if not len(rows):
            raise _Problem(f"its {name} split is empty")
        if rows.min() < 0 or rows.max() >= count:
            raise _Problem(
                f"its {name} split has rows {rows.min()} to {rows.max()} of {count} images"
            )
    pooled = np.concatenate([arrays[name] for name in SPLIT_NAMES])
    twice = np.flatnonzero(np.bincount(pooled, minlength=count) > 1)
    if len(twice):
        raise _Problem(f"its splits have image {twice[0]} more than once")


def _without_digits(data_set: DataSet) -> DataSet:
    """Drop the digit classes from a data set and from its splits."""
    stays = np.array([character not in _DIGITS for character in data_set.classes])
    if stays.all():
        return data_set
    if not stays.any():
        raise _Problem("it holds digits only, and digits are left out; keep them or give letters")
    kept = stays[data_set.labels]
    new_row, new_label = np.cumsum(kept) - 1, np.cumsum(stays) - 1
    rows = {name: data_set.indices(name) for name in SPLIT_NAMES}
    splits = {name: new_row[index[kept[index]]] for name, index in rows.items()}
    for name, index in splits.items():
        if not len(index):
            raise _Problem(f"its {name} split has digits only, and digits are left out")
    return dataclasses.replace(
        data_set,
        images=data_set.images[kept],
        labels=new_label[data_set.labels[kept]].astype(np.int32),
        classes=tuple(c for c, stay in zip(data_set.classes, stays, strict=True) if stay),
        splits=Splits(**splits),
    )


# --------------------------------------------------------------------------- splits


def _check_class_count(classes: Sequence[str]) -> None:
    if len(classes) < 2:
        raise _Problem(
            f"it has images of one class only, {_quoted(classes[0])}; at least two are needed"
        )


def _split(
    labels: npt.NDArray[np.integer[Any]],
    in_test: npt.NDArray[np.bool_],
    classes: Sequence[str],
    seed: int,
    file_split: bool,
) -> Splits:
    if seed < 0:
        raise _Problem(f"the seed is {seed}, not a whole number from 0 up")
    if file_split and not in_test.any():
        raise _Problem("the file has no test rows of its own, so it cannot be split by file")
    rng = np.random.default_rng(seed)
    dealt = dict(SPLIT_SHARES)
    if file_split:
        del dealt["test"]
    split_of = np.full(len(labels), SPLIT_NAMES.index("test"), np.uint8)
    narrow = labels.astype(np.uint16) if len(classes) <= 2**16 else labels  # sorts by radix
    by_class = np.argsort(narrow, kind="stable")
    stops = np.cumsum(np.bincount(labels, minlength=len(classes)))
    for character, rows in zip(classes, np.split(by_class, stops[:-1]), strict=True):
        if file_split:
            if not in_test[rows].any():
                raise _Problem(f"the class {_quoted(character)} has no test rows of its own")
            rows = rows[~in_test[rows]]
        counts = _split_counts(len(rows), dealt, character)
        numbers = [SPLIT_NAMES.index(name) for name in counts]
        split_of[rng.permutation(rows)] = np.repeat(numbers, list(counts.values()))
    return Splits(*(np.flatnonzero(split_of == number) for number in range(len(SPLIT_NAMES))))


def _split_counts(count: int, shares: Mapping[str, int], character: str) -> dict[str, int]:
    """Deal `count` images by shares, rounded half up, the remainder to training."""
    whole = sum(shares.values())
    counts = {name: (2 * count * share + whole) // (2 * whole) for name, share in shares.items()}
    counts["training"] = count - sum(counts.values()) + counts["training"]
    if min(counts.values()) < 1:
        raise _Problem(
            f"the class {_quoted(character)} has {count} images to divide, too few for "
            f"{len(shares)} splits; it needs at least 5"
        )
    return counts


# --------------------------------------------------------------------------- writing


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file beside `path` that takes its place only if everything went well."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
            raise
        reason = _one_line(getattr(error, "strerror", None) or str(error))
        raise DataError(f"{_shown(path)}: cannot be written: {reason}") from error
    finally:
        with contextlib.suppress(OSError, ValueError):
            beside.unlink(missing_ok=True)


def _check_for_writing(
    images: Images, labels: npt.NDArray[np.integer[Any]], classes: Sequence[str]
) -> None:
    if images.dtype != np.uint8 or images.shape != (len(labels), IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"images are {images.dtype} {images.shape} for {len(labels)} labels")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(f"labels are {labels.min()} to {labels.max()}, {len(classes)} classes")
    if len(set(classes)) != len(classes) or any(len(character) != 1 for character in classes):
        raise ValueError(f"classes are {classes!r}, not single characters, none twice")


def _part_for_writing(
    images: Images, labels: npt.NDArray[np.integer[Any]], class_count: int
) -> dict[str, npt.NDArray[Any]]:
    narrow = _narrowest(class_count - 1)
    return {
        "images": images.transpose(0, 2, 1).reshape(len(images), _PIXELS),
        "labels": labels.astype(narrow).reshape(-1, 1),
    }


def _narrowest(most: int) -> type[np.unsignedinteger[Any]]:
    """The smallest unsigned type that holds 0 to `most`."""
    return np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.uint32
