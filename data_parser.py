"""Read files of labelled character images and divide the images into splits.

Formats are told apart by their content: NIST's MATLAB layout as EMNIST has it (classic MATLAB files
and v7.3, which is HDF5), IDX as MNIST has it, pictures in folders and archives, the `.npz` files
that `write_npz` makes, and others of images and labels. The readers are in `data_formats`, one
module each. Whatever is wrong with a file is reported as one `DataError`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats import idx, image_folder, matlab_classic, matlab_hdf5, nist_layout, npz
from data_formats.common import (
    IMAGE_SIZE,
    SPLIT_NAMES,
    Content,
    Division,
    Format,
    Images,
    Indices,
    Labels,
    SplitBy,
    Tell,
    tell_nobody,
)
from data_formats.nist_layout import stand_upright
from data_formats.picture_names import printable
from data_formats.problems import Problem, naming, one_line, quoted, shown_name
from errors import DataError
from image_groups import deal_groups, groups_of, note_on_groups

__all__ = [
    "IMAGE_SIZE",
    "SPLIT_NAMES",
    "SPLIT_SHARES",
    "DataSet",
    "Images",
    "Indices",
    "LabelledImages",
    "Labels",
    "SplitBy",
    "SplitName",
    "Splits",
    "class_standing_for",
    "open_data_set",
    "read_labelled_images",
    "split_data",
    "stand_upright",
    "write_mat",
    "write_npz",
]

SPLIT_SHARES = {"training": 64, "validation": 16, "test": 10, "generator": 10}

SplitName = Literal["training", "validation", "test", "generator"]
_Integers = npt.NDArray[np.integer[Any]]
_Flags = npt.NDArray[np.bool_]


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
    in_test: _Flags


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
        split_by: "seed" for random splits, "file" where the file's own test rows are the test set,
            "group" where images that belong together are never in two splits.
        seed: The seed that the splits were drawn with.
        notes: What the user should know about how it was read, a sentence each.
        skipped: What could not be read and was left out, "file name: why" each.
        names: The file of each image, see `Content.names`; empty where its format keeps none.
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    splits: Splits
    source: Path
    split_by: SplitBy
    seed: int
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its file or folder, fit for people."""
        return shown_name(self.source)

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

    @property
    def has_characters(self) -> bool:
        """Whether each class has one character for a name, so that text can be read as classes."""
        return all(len(name) == 1 for name in self.classes)

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
        """Look up the class that stands for a character.

        EMNIST merges letters that are written alike with their capitals, so where `character`
        itself is no class, the one class that differs from it by case alone is looked up.

        Args:
            character: The name of a class, which is one character in most data sets.

        Returns:
            The class index, and the class' own name where it differs, otherwise None.

        Raises:
            DataError: There is no such class, whatever the case.
        """
        name = class_standing_for(character, self.classes)
        if name is not None:
            return self.classes.index(name), None if name == character else name
        raise DataError(
            f"{self._why_no_class(character)}; it has {one_line(' '.join(self.classes))}"
        )

    def names_in(self, text: str) -> list[str]:
        """Take a text apart into what may be names of classes.

        Args:
            text: Characters, with or without spaces between them. Where classes have longer names,
                one of them, or several with commas between them, or with spaces if there is no
                comma.

        Returns:
            The names in the order of the text; whether there are such classes is not looked at.
        """
        if self.has_characters:
            return [character for character in text if not character.isspace()]
        if text in self.classes:
            return [text]
        if any("," in name for name in self.classes) and "," in text:
            return self._names_with_commas(text)
        parts = text.split(",") if "," in text else text.split()
        return [part.strip() for part in parts if part.strip()]

    def _names_with_commas(self, text: str) -> list[str]:
        """Take a text apart at commas, but for those of the longest names that fit."""
        parts = [part.strip() for part in text.split(",")]
        names = []
        while parts:
            count = next(
                (n for n in range(len(parts), 1, -1) if ", ".join(parts[:n]) in self._spaced),
                1,
            )
            names.append(self._spaced.get(", ".join(parts[:count]), parts[0]))
            del parts[:count]
        return [name for name in names if name]

    @cached_property
    def _spaced(self) -> dict[str, str]:
        """The classes by their names with one space after each comma."""
        return {", ".join(map(str.strip, name.split(","))): name for name in self.classes}

    def as_text(self, names: Iterable[str]) -> str:
        """Write names of classes as `names_in` takes them apart."""
        return ("" if self.has_characters else ", ").join(names)

    def _why_no_class(self, name: str) -> str:
        if self.has_characters:
            if len(name) == 1:
                return f"the data set has no character {quoted(name)}"
            given = quoted(name) if name else "an empty text"
            return f"ask the data set for one character, not for {given}"
        between = "; spaces or commas stand between names" if len(name) > 1 else ""
        return f"the data set has no class {quoted(name)}{between}"


def class_standing_for(character: str, classes: Sequence[str]) -> str | None:
    """The class of that name, or else the one that differs from it by case alone.

    Args:
        character: The name of a class, or nearly one.
        classes: The names of all of them.

    Returns:
        One of `classes`; None where there is no such class, or several.
    """
    if character not in classes:
        character = printable(character)  # as names of folders are kept
    if character in classes:
        return character
    alike = [name for name in classes if name.casefold() == character.casefold()]
    return alike[0] if len(alike) == 1 else None


def read_labelled_images(path: str | os.PathLike[str], keep_digits: bool = True) -> LabelledImages:
    """Read all images of a data set file, training and test rows pooled.

    Args:
        path: A MATLAB file in NIST's layout (classic or v7.3), IDX files (their folder or one of
            them), pictures (a folder or an archive with a folder a class), a file of `write_npz`,
            or another `.npz` of images and labels.
        keep_digits: Whether the classes '0' to '9' stay.

    Returns:
        The images, classes numbered from 0 in the order of the file's mapping. Classes without
        a single image are left out.

    Raises:
        DataError: The file cannot be read as a data set; the message says why.
    """
    path = Path(path)
    with naming(path):
        content = _reader_of(path)(path, keep_digits, tell_nobody)
    return LabelledImages(content.images, content.labels, content.classes, content.in_test)


def open_data_set(
    path: str | os.PathLike[str],
    *,
    seed: int = 42,
    keep_digits: bool = False,
    file_split: bool = False,
    shares: Mapping[str, int] = SPLIT_SHARES,
    group: str | None = None,
    tell: Tell = tell_nobody,
) -> DataSet:
    """Read a data set file and divide its images into splits.

    A file of `write_npz` brings its own splits, so `seed`, `file_split`, `shares` and `group` do
    not touch those.

    Args:
        path: A MATLAB file in NIST's layout (classic or v7.3), IDX files (their folder or one of
            them), pictures (a folder or an archive with a folder a class), a file of `write_npz`,
            or another `.npz` of images and labels.
        seed: Seed of the random choice, 0 or more.
        keep_digits: Whether the classes '0' to '9' stay.
        file_split: Whether the file's own test rows are the test split.
        shares: How many parts each of `SPLIT_NAMES` gets, 1 or more.
        group: Which images belong together and are never in two splits, as a pattern of file names
            for `image_groups.groups_of`; None where each is for itself.
        tell: Told again and again how many images were made ready, where that takes its time.

    Returns:
        The data set, its images uint8 (N, 28, 28).

    Raises:
        DataError: The file cannot be read as a data set or not be split; the message says why.
    """
    path = Path(path)
    with naming(path):
        content = _reader_of(path)(path, keep_digits, tell)
        classes = content.classes
        if len(classes) < 2:
            raise Problem(f"it has images of one class only, {quoted(classes[0])}; two are needed")
        if content.division:
            splits = Splits(**content.division.rows)
            split_by, seed = content.division.split_by, content.division.seed
        else:
            groups = None if group is None else groups_of(content.names, group)
            if groups is not None:
                content = replace(content, notes=(*content.notes, note_on_groups(groups)))
            splits = _split(
                content.labels, content.in_test, classes, seed, file_split, shares, groups
            )
            split_by = "file" if file_split else "seed" if group is None else "group"
    return DataSet(
        content.images,
        content.labels,
        classes,
        splits,
        path if path.name else path.absolute(),  # "." has no name to be told by
        split_by,
        seed,
        content.notes,
        content.skipped,
        content.names,
    )


def split_data(
    labels: _Integers,
    in_test: _Flags,
    classes: Sequence[str],
    seed: int,
    *,
    file_split: bool = False,
    shares: Mapping[str, int] = SPLIT_SHARES,
    groups: Indices | None = None,
) -> Splits:
    """Divide rows into training, validation, test and generator, each class by itself.

    By seed the usual shares are 64, 16, 10 and 10 % of each class, rounded half up, the remainder
    going to training. With `file_split` the file's own test rows are the test split, and the other
    rows are divided in the same proportion (64 : 16 : 10) among the remaining three. With groups,
    whole groups are dealt, whatever classes their images have, and shares are met roughly.

    Args:
        labels: Integers (N,), indices into `classes`.
        in_test: bool (N,), the file's own test rows.
        classes: The character of each class, for messages.
        seed: Seed of the random choice, 0 or more.
        file_split: Whether the file's own test rows are the test split.
        shares: How many parts each of `SPLIT_NAMES` gets, 1 or more.
        groups: int64 (N,), numbers of the groups that stay together, or None.

    Returns:
        The splits; the same arguments always give the same ones.

    Raises:
        DataError: A class has too few images, or groups, for every split to get one.
    """
    try:
        return _split(labels, in_test, classes, seed, file_split, shares, groups)
    except Problem as problem:
        raise DataError(f"the data cannot be split: {problem}") from problem


def write_npz(data_set: DataSet, path: str | os.PathLike[str]) -> None:
    """Write a data set with its splits, atomically.

    Args:
        data_set: What to write.
        path: The file; an existing one is replaced.

    Raises:
        DataError: The file cannot be written.
    """
    rows = {name: data_set.indices(name) for name in SPLIT_NAMES}
    division = Division(rows, data_set.split_by, data_set.seed)
    npz.write(Path(path), data_set.images, data_set.labels, data_set.classes, division)


def write_mat(
    path: str | os.PathLike[str],
    training_images: Images,
    training_labels: _Integers,
    test_images: Images,
    test_labels: _Integers,
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
        DataError: The file cannot be written, or the name of a class is not one character.
        ValueError: The arrays do not fit together or a class is there twice.
    """
    training, test = (training_images, training_labels), (test_images, test_labels)
    nist_layout.write(Path(path), training, test, classes)


WANTED = "give a MATLAB file in NIST's layout, IDX files, a folder of pictures, or an .npz file"
_FORMATS: tuple[Format, ...] = (npz, matlab_hdf5, matlab_classic, idx)
_PICKLES = {bytes([0x80, version]) for version in range(2, 6)}


def _reader_of(path: Path) -> Callable[[Path, bool, Tell], Content]:
    """What reads a file or folder, told by its first bytes; the name only helps the message."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise Problem(f"there is no such file; {WANTED}") from None
    except ValueError:
        raise Problem("this is no file name, for it holds a zero character") from None
    if stat.S_ISDIR(mode):
        return idx.read if idx.is_folder_of_idx(path) else image_folder.read
    if not stat.S_ISREG(mode):  # a pipe would block, a device never end
        raise Problem(f"this is a device or pipe; {WANTED}")
    with path.open("rb") as file:
        head = file.read(2056)  # v7.3 files may have HDF5's eight bytes at 2048
    suffix = path.suffix.lower()
    if suffix in {".pickle", ".pkl"} or head[:2] in _PICKLES:
        raise Problem(
            "this is a pickle file, refused because opening a pickle can run code that is hidden "
            f"in it; {WANTED}"
        )
    if suffix != ".npz" and image_folder.recognises_archive(path):
        return image_folder.read
    for candidate in _FORMATS:
        if candidate.recognises(head):
            return candidate.read
    raise Problem(_why_not(head, suffix))


def _why_not(head: bytes, suffix: str) -> str:
    """Say what a file seems to be that is no data set."""
    if not head:
        return f"the file is empty; {WANTED}"
    if head.startswith(b"MATLAB"):
        return f"the MATLAB file is cut off or damaged in its first {min(len(head), 520)} bytes"
    known = {
        b"\x1f\x8b": "a gzip file with something else than IDX in it",
        b"\x93NUMPY": "a single numpy array",
        b"\x89PNG": "a PNG picture, and a data set has a folder of pictures for each class",
    }
    kind = next((text for magic, text in known.items() if head.startswith(magic)), "")
    claim = f", in spite of its name ending in {suffix}" if suffix in {".mat", ".npz"} else ""
    looks = f"this is {kind}" if kind else f"its first bytes {head[:8]!r} are of no known format"
    return f"{looks}{claim}; {WANTED}"


def _split(
    labels: _Integers,
    in_test: _Flags,
    classes: Sequence[str],
    seed: int,
    file_split: bool,
    shares: Mapping[str, int],
    groups: Indices | None,
) -> Splits:
    if seed < 0:
        raise Problem(f"the seed is {seed}, not a whole number from 0 up")
    if file_split and not in_test.any():
        raise Problem("the file has no test rows of its own, so it cannot be split by file")
    if set(shares) != set(SPLIT_NAMES) or min(shares.values()) < 1:
        raise Problem(f"the shares are {dict(shares)}, but each split needs 1 or more")
    dealt = {name: shares[name] for name in SPLIT_SHARES}
    if file_split:
        del dealt["test"]
        _check_test_rows(labels, in_test, classes)
    rng = np.random.default_rng(seed)
    to_deal = np.flatnonzero(~in_test) if file_split else np.arange(len(labels))
    split_of = np.full(len(labels), SPLIT_NAMES.index("test"), np.uint8)
    if groups is None:
        split_of[to_deal] = _dealt_by_class(labels[to_deal], classes, dealt, rng)
    else:
        if file_split:
            _check_groups_apart(groups, in_test)
        numbers = np.array([SPLIT_NAMES.index(name) for name in dealt], np.uint8)
        split_of[to_deal] = numbers[deal_groups(groups[to_deal], dealt, rng)]
        _check_classes_everywhere(labels, split_of, classes)
    return Splits(*(np.flatnonzero(split_of == number) for number in range(len(SPLIT_NAMES))))


def _check_test_rows(labels: _Integers, in_test: _Flags, classes: Sequence[str]) -> None:
    tested = np.bincount(labels[in_test], minlength=len(classes))
    for name, count in zip(classes, tested, strict=True):
        if not count:
            raise Problem(f"the class {quoted(name)} has no test rows of its own")


def _check_groups_apart(groups: Indices, in_test: _Flags) -> None:
    both = np.intersect1d(groups[in_test], groups[~in_test])
    if len(both):
        have = "has" if len(both) == 1 else "have"
        raise Problem(
            f"{len(both)} of its groups {have} images among its own test rows and among the "
            "others; leave out --file-split or --group"
        )


def _check_classes_everywhere(
    labels: _Integers, split_of: npt.NDArray[np.uint8], classes: Sequence[str]
) -> None:
    for number, split in enumerate(SPLIT_NAMES):
        counts = np.bincount(labels[split_of == number], minlength=len(classes))
        if counts.min() < 1:
            raise Problem(
                f"the class {quoted(classes[int(counts.argmin())])} has no image in the groups "
                f"that the {split} split got; try another seed, other shares, or other groups"
            )


def _dealt_by_class(
    labels: _Integers,
    classes: Sequence[str],
    shares: Mapping[str, int],
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """The split of each image, as its place in `SPLIT_NAMES`, each class dealt by itself."""
    split_of = np.empty(len(labels), np.uint8)
    narrow = labels.astype(np.uint16) if len(classes) <= 2**16 else labels  # sorts by radix
    by_class = np.argsort(narrow, kind="stable")
    stops = np.cumsum(np.bincount(labels, minlength=len(classes)))
    for name, rows in zip(classes, np.split(by_class, stops[:-1]), strict=True):
        counts = _split_counts(len(rows), shares, name)
        numbers = [SPLIT_NAMES.index(split) for split in counts]
        split_of[rng.permutation(rows)] = np.repeat(numbers, list(counts.values()))
    return split_of


def _split_counts(count: int, shares: Mapping[str, int], character: str) -> dict[str, int]:
    """Deal `count` images by shares, rounded half up, the remainder to training."""
    whole = sum(shares.values())
    counts = {name: (2 * count * share + whole) // (2 * whole) for name, share in shares.items()}
    counts["training"] = count - sum(counts.values()) + counts["training"]
    while counts["training"] < 1 and max(counts.values()) > 1:  # the others were rounded up
        counts[max(counts, key=lambda name: counts[name])] -= 1
        counts["training"] += 1
    if min(counts.values()) < 1:
        least = max(-(-whole // (2 * min(shares.values()))), len(shares))
        raise Problem(
            f"the class {quoted(character)} has {counted(count, 'image')} to divide, too few for "
            f"{len(shares)} splits; it needs at least {least}"
        )
    return counts
