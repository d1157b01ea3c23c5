"""Arrays out of an `.npz` file, each checked before there is memory taken for it."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_formats.common import DEFLATE_RATIO, MOST_IMAGES, PIXELS, check_claim
from data_formats.problems import Problem, damaged, library, one_line

if TYPE_CHECKING:
    import zipfile

SUFFIX = ".npy"  # of the members of such a file
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_LONGEST_SIDE = 2**62  # larger ones cannot even be printed
_MOST_ITEM_BYTES = 2**16
_MOST_PIXELS = MOST_IMAGES * PIXELS


@dataclass(frozen=True)
class Header:
    """What an array claims to be.

    Attributes:
        shape: Of any length and any numbers.
        dtype: The type of its numbers.
        start: Where its numbers begin, in bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a file.

    Args:
        path: of the archive.

    Yields:
        The archive, open for reading.

    Raises:
        Problem: It is damaged.
        OSError: It cannot be opened.
    """
    import zipfile

    with path.open("rb") as file:
        with library("npz"):
            archive = zipfile.ZipFile(file)
        yield archive


def header_of(archive: zipfile.ZipFile, name: str) -> Header:
    """Read what an array claims to be.

    Args:
        archive: The file.
        name: Of the array, without `SUFFIX`.

    Returns:
        Its type and shape.

    Raises:
        Problem: It claims more than its bytes can hold, or is damaged.
    """
    info = archive.getinfo(name + SUFFIX)
    shown = one_line(name)
    if info.flag_bits & _ENCRYPTED:
        raise Problem(f"the array {shown} is encrypted")
    if info.compress_type not in (_STORED, _DEFLATED):
        raise Problem(
            f"the array {shown} is packed by method {info.compress_type}, which numpy's are not"
        )
    if info.file_size > info.compress_size * DEFLATE_RATIO:
        raise Problem(
            f"the array {shown} claims {info.file_size} bytes from {info.compress_size}, "
            "which deflate cannot do"
        )
    with library("npz"), archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise Problem(f"the array {shown} is not in version 1.0 of numpy's format")
        try:
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        except MemoryError as error:  # Python's own parser, of nonsense
            raise ValueError("its header makes no sense") from error
        if any(abs(length) > _LONGEST_SIDE for length in shape):
            raise Problem(f"the array {shown} claims a side of more than {_LONGEST_SIDE:,}")
        return Header(shape, dtype, member.tell())


def unexpected(name: str, header: Header) -> Problem:
    """Make the problem of an array that has another type or shape than is needed.

    Args:
        name: Of the array.
        header: Its type and shape.

    Returns:
        The problem, not raised.
    """
    kind, shape = one_line(str(header.dtype)), one_line(str(header.shape))
    return Problem(f"the array {one_line(name)} has the type {kind} and the shape {shape}")


def array_of(archive: zipfile.ZipFile, name: str, header: Header) -> npt.NDArray[Any]:
    """Read an array.

    Args:
        archive: The file.
        name: Of the array, without `SUFFIX`.
        header: What it claims to be.

    Returns:
        The array, of that type and shape.

    Raises:
        Problem: It is too large for a data set, holds Python objects, or is damaged.
    """
    info = archive.getinfo(name + SUFFIX)
    shown = one_line(name)
    if header.dtype.hasobject or header.dtype.itemsize > _MOST_ITEM_BYTES:
        raise unexpected(name, header)
    check_claim(f"the array {shown}", header.shape, header.dtype, _MOST_PIXELS)
    if (*header.shape, 0)[0] > MOST_IMAGES:
        raise Problem(f"the array {shown} claims {header.shape[0]} rows, more than {MOST_IMAGES:,}")
    size = header.start + math.prod(header.shape) * header.dtype.itemsize
    if size != info.file_size:
        raise Problem(
            f"the array {shown} claims the shape {one_line(str(header.shape))} in "
            f"{info.file_size} bytes"
        )
    with library("npz"), archive.open(info) as member:
        array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        member.read(1)  # the checksum is looked at only when the end is reached
    if header.dtype.kind == "U":
        _check_text(array, shown)
    return array


def _check_text(array: npt.NDArray[Any], name: str) -> None:
    """Refuse numbers that are no characters: numpy would make invalid strings of them."""
    codes = np.frombuffer(array.tobytes() or bytes(4), array.dtype.byteorder + "u4")
    if codes.max() > sys.maxunicode:
        raise damaged("npz", f"the array {name} has the character code {codes.max()}")
