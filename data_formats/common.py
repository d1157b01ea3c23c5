"""What the formats share: the content they hand on, and the limits of size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.problems import Problem, one_line, quoted
from image_arrays import IMAGE_SIZE, Images

PIXELS = IMAGE_SIZE * IMAGE_SIZE
SPLIT_NAMES = ("training", "validation", "test", "generator")
DIGITS = frozenset("0123456789")
MOST_IMAGES = 2_000_000  # EMNIST's largest part has 814,255; more is taken for a damaged size
MOST_BYTES = 2**32  # of one array in a file
HOW_DIGITS_STAY = "; --keep-digits keeps them"  # ends the note on those that were left out
LONGEST_NAME = 255  # of a class, in characters; no folder has a longer one
MOST_DIMENSIONS = 32  # what HDF5 and every numpy allow
DEFLATE_RATIO = 1040  # deflate cannot do better than 1032 to 1; the rest is for short streams

SplitBy = Literal["seed", "file", "group"]
Labels = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]
# Told again and again how many images were made ready, where that takes its time.
Tell = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Division:
    """How the rows of a file are divided into splits.

    Attributes:
        rows: Sorted int64 indices of each of `SPLIT_NAMES`, no row in two of them.
        split_by: "seed" for random splits, "file" where the file's own test rows are the test set,
            "group" where images that belong together are never in two splits.
        seed: The seed that the splits were drawn with, 0 or more.
    """

    rows: Mapping[str, Indices]
    split_by: SplitBy
    seed: int


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds, checked.

    Attributes:
        images: uint8 (N, 28, 28), upright, ink 255 on paper 0, C-contiguous.
        labels: int32 (N,), indices into `classes`.
        classes: The character, or the name, of each class; each has an image.
        in_test: bool (N,), which rows are the file's own test rows.
        division: The splits, where the format keeps them; otherwise None.
        names: The file of each image below the data set's folder, such as "A/0001.png" or
            "anna/A/0001.png", but for folders that hold all images or tell the test rows; with "/"
            between folders; empty where the format keeps none.
        notes: What the user should know about how it was read, a sentence each.
        skipped: What could not be read and was left out, "file name: why" each.
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    in_test: npt.NDArray[np.bool_]
    division: Division | None = None
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


class Format(Protocol):
    """What a module that reads a format offers."""

    def recognises(self, head: bytes) -> bool:
        """Tell whether the first bytes of a file, 2056 or all, are those of the format.

        Args:
            head: The first 2056 bytes, or all.

        Returns:
            Whether `read` may be tried.
        """
        ...

    def read(self, path: Path, keep_digits: bool, tell: Tell) -> Content:
        """Read a file that `recognises` knew.

        Args:
            path: The file.
            keep_digits: Whether the classes '0' to '9' stay.
            tell: Told how many images are made ready.

        Returns:
            What the file holds, checked.
        """
        ...


def tell_nobody(count: int) -> None:
    """Pass over how many images were made ready.

    Args:
        count: Of images.
    """


def check_claim(
    what: str, shape: tuple[int, ...], dtype: np.dtype[Any], most: int = MOST_IMAGES * PIXELS
) -> None:
    """Refuse an array that is larger than any data set's, before it is allocated.

    Args:
        what: The array's name for the message.
        shape: The shape that the file claims, of any length and any numbers.
        dtype: The type of its numbers.
        most: How many numbers it may have; dimensions of 0 are counted as 1.

    Raises:
        Problem: It has too many numbers, bytes or dimensions, or a negative dimension.
    """
    if len(shape) <= MOST_DIMENSIONS and min(shape, default=0) >= 0:
        count = math.prod(length for length in shape if length)
        if count <= most and count * dtype.itemsize <= MOST_BYTES:
            return
    raise Problem(
        f"{what} claims the shape {one_line(str(shape))}, which does not go with the "
        f"{MOST_IMAGES:,} images of {PIXELS} pixels that a data set may have at most"
    )


def left_out_digits(classes: Iterable[str], keep_digits: bool) -> frozenset[str]:
    """Choose the classes to leave out: '0' to '9', unless that would leave no two others.

    Args:
        classes: The names of the classes that have images.
        keep_digits: Whether digits are wanted.

    Returns:
        The digits, or nothing.
    """
    if keep_digits or len(set(classes) - DIGITS) < 2:
        return frozenset()
    return DIGITS


def note_on_digits(count: int) -> str:
    """A sentence on images that were left out as `left_out_digits` said.

    Args:
        count: How many, 1 or more.

    Returns:
        The sentence, without a full stop.
    """
    were = counted(count, "image of the digits 0 to 9 was", "images of the digits 0 to 9 were")
    return f"{were} left out{HOW_DIGITS_STAY}"


def check_name(name: str) -> None:
    """Refuse what is no name of a class.

    Args:
        name: One character or more, of any script.

    Raises:
        Problem: It is empty, too long, or cannot be shown in one line.
    """
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise Problem(
            f"{quoted(name)} cannot name a class; that takes 1 to {LONGEST_NAME} printable "
            "characters without spaces at the ends"
        )
