"""A bounded reader of classic (version 5) MATLAB files.

Reading does without scipy.io.loadmat, which a crafted file of nested cells crashes, and which a
file of 200 bytes makes allocate gigabytes. Writing, where nothing is to be feared, does use scipy.

The reader follows only the fields of NIST's layout, without recursion into anything else, and
compares every size with the bytes that are there before allocating.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from data_formats import nist_layout
from data_formats.common import DEFLATE_RATIO, MOST_DIMENSIONS, Content, Tell, tell_nobody
from data_formats.problems import Problem, damaged, one_line
from image_arrays import Images

_MI_COMPRESSED, _MI_MATRIX = 15, 14
_MI_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_MI_TYPES |= {12: "i8", 13: "u8"}
_MX_STRUCT, _MX_NUMBERS, _MX_OPAQUE = 2, range(6, 16), 17
_MX_NAMES = {1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}
_MX_NAMES |= {16: "a function", 17: "an object"} | dict.fromkeys(_MX_NUMBERS, "an array of numbers")


def recognises(head: bytes) -> bool:
    """Tell whether the first bytes of a file are those of a classic MATLAB file.

    Args:
        head: The first 128 bytes or more.

    Returns:
        Whether they are.
    """
    return head[124:128] in {b"\x00\x01IM", b"\x01\x00MI"}


def read(path: Path, keep_digits: bool, tell: Tell = tell_nobody) -> Content:
    """Read the variable `dataset` of a classic MATLAB file.

    Args:
        path: The file.
        keep_digits: Whether the classes '0' to '9' stay.
        tell: Told nothing, for nothing takes long.

    Returns:
        The content, without splits.

    Raises:
        Problem: The file is damaged or not in NIST's layout.
        OSError: The file cannot be read.
    """
    return nist_layout.pooled(_fields(path), keep_digits)


def _fields(path: Path) -> dict[str, Any]:
    names = []
    with path.open("rb") as file:
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
    there = one_line(", ".join(names)) or "nothing"
    raise Problem(
        f"the MATLAB file has no variable dataset but {there}; it needs the {nist_layout.EXPECTED}"
    )


def _variable(file: IO[bytes], size: int, order: str) -> tuple[_Reader, int]:
    """A reader for the variable at the file's position, and where the next one starts."""
    start = file.tell()
    plain = _Reader(file, size - start, order)
    kind, length, packed = plain.tag()
    if packed is not None or length > plain.left:
        raise _damaged(f"a variable of {length} bytes where {plain.left} are left")
    if kind == _MI_COMPRESSED:
        stream = _Inflating(file, length)
        return _Reader(stream, length * DEFLATE_RATIO, order), start + 8 + length
    file.seek(start)
    return _Reader(file, 8 + length, order), start + 8 + length


def _dataset(reader: _Reader, header: _Header, end: int) -> dict[str, Any]:
    fields = reader.structure(header, "dataset", tuple(nist_layout.LAYOUT))
    for name in ("train", "test"):
        if not isinstance(fields[name], dict):
            raise nist_layout.missing(f"dataset.{name}", ("images", "labels"), ())
    if reader.left > end:
        reader.skip(reader.left - end)
    reader.finish()
    return fields


def _damaged(reason: str) -> Problem:
    return damaged("MATLAB", reason)


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
            try:
                inflated = self._inflater.decompress(deflated, min(len(view), 2**20))
            except zlib.error as error:
                raise _damaged(str(error)) from error
            if inflated:
                view[: len(inflated)] = inflated
                return len(inflated)
            if not deflated:
                raise _damaged("its compressed part ends too early")
        return 0

    def _more(self) -> bytes:
        piece = self._file.read(min(self._left, 2**17))
        self._left -= len(piece)
        return piece


@dataclass(frozen=True)
class _Header:
    """What stands before the content of a MATLAB array."""

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str


class _Reader:
    """Reads elements of a MATLAB file in sequence, never past the bytes that are there."""

    def __init__(self, stream: Any, size: int, order: str) -> None:
        self._stream, self.left, self._order = stream, size, order

    def take(self, size: int) -> Images:
        """The next `size` bytes, uint8 (size,)."""
        if size > self.left:
            raise _damaged(f"it names {size} bytes where {self.left} are left")
        self.left -= size
        array = np.empty(size, np.uint8)
        view = memoryview(array.data)
        while len(view):
            count = self._stream.readinto(view)
            if not count:
                raise _damaged(f"{len(view)} bytes are missing")
            view = view[count:]
        return array

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.take(min(size, 2**20)))

    def finish(self) -> None:
        """Read past the end of a compressed variable: only there is its checksum looked at."""
        if isinstance(self._stream, _Inflating):
            self._stream.readinto(bytearray(1))

    def tag(self) -> tuple[int, int, bytes | None]:
        """Type and byte count of the next element, and its content if it is a packed one."""
        raw = self.take(8).tobytes()
        kind, size = struct.unpack(self._order + "II", raw)
        if kind >> 16:  # up to four bytes are packed into the tag itself
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise _damaged(f"a packed element of {size} bytes")
            return kind, size, raw[4 : 4 + size]
        return kind, size, None

    def small(self) -> bytes:
        """Content of the next element, which describes an array and so is short."""
        _, size, packed = self.tag()
        if packed is not None:
            return packed
        if size > 2**16:
            raise _damaged(f"an array description of {size} bytes")
        return self.take(size + -size % 8).tobytes()[:size]

    def ints(self) -> tuple[int, ...]:
        raw = self.small()
        return struct.unpack(f"{self._order}{len(raw) // 4}i", raw[: len(raw) // 4 * 4])

    def header(self) -> _Header:
        flags = (*self.ints(), 0)[0]
        kind = flags & 0xFF
        shape = () if kind == _MX_OPAQUE else self.ints()  # objects have no shape of their own
        if len(shape) > MOST_DIMENSIONS:
            raise _damaged(f"an array of {len(shape)} dimensions")
        name = self.small().decode("latin-1")
        return _Header(kind, bool(flags & 0x800), shape, name)

    def matrix_end(self) -> int:
        """Read the tag of an array; return how many bytes will be left after it."""
        kind, size, _ = self.tag()
        if kind != _MI_MATRIX or size > self.left:
            raise _damaged(f"an array of type {kind} and {size} bytes")
        return self.left - size

    def numbers(self, header: _Header, what: str) -> npt.NDArray[Any]:
        """Content of an array of numbers, in MATLAB's (Fortran) order."""
        if header.kind not in _MX_NUMBERS or header.is_complex:
            kind = "complex" if header.is_complex else _MX_NAMES.get(header.kind, "unknown")
            raise Problem(f"{what} is {kind}, not an array of whole numbers")
        stored, size, packed = self.tag()
        dtype = np.dtype(self._order + _MI_TYPES.get(stored, "V1"))
        nist_layout.check_claim(what, header.shape, dtype)
        if dtype.kind == "V" or math.prod(header.shape) * dtype.itemsize != size:
            raise _damaged(f"{what} has {size} bytes of type {stored} for {header.shape}")
        if packed is not None:
            return np.frombuffer(packed, dtype).reshape(header.shape, order="F")
        return self.take(size).view(dtype).reshape(header.shape, order="F")

    def fields(self, header: _Header, what: str) -> list[str]:
        """Field names of a struct."""
        if header.kind != _MX_STRUCT:
            kind = _MX_NAMES.get(header.kind, f"of the unknown class {header.kind}")
            raise Problem(f"{what} is {kind}, not a struct with the {nist_layout.EXPECTED}")
        if math.prod(header.shape) != 1:
            raise Problem(f"{what} is {one_line(str(header.shape))} structs, not a single one")
        width = (*self.ints(), 0)[0]
        raw = self.small()
        if width < 1:
            raise _damaged(f"field names of {width} bytes in {what}")
        names = (raw[i : i + width] for i in range(0, len(raw), width))
        return [name.split(b"\0")[0].decode("latin-1") for name in names]

    def structure(self, header: _Header, what: str, wanted: Sequence[str]) -> dict[str, Any]:
        """Content of the wanted fields of a struct; others are passed over unread."""
        names = self.fields(header, what)
        if not set(wanted) <= set(names):
            raise nist_layout.missing(what, wanted, names)
        found: dict[str, Any] = {}
        for name in names:
            end = self.matrix_end()
            if name in wanted and name not in found:
                found[name] = self.content(f"{what}.{name}", self.left - end)
            if self.left < end:
                raise _damaged(f"{what}.{name} is longer than it says")
            self.skip(self.left - end)
        return found

    def content(self, what: str, size: int) -> Any:
        """A dict for `train` and `test`, an array for anything else; the layout has two levels."""
        if size == 0:
            return np.empty((0, 0), np.uint8)  # how MATLAB stores []
        header = self.header()
        below = nist_layout.LAYOUT.get(what.removeprefix("dataset."))
        return self.structure(header, what, below) if below else self.numbers(header, what)
