"""Finding a member of a ZIP archive by a few short reads, wherever the archive lies.

The layout is that of PKWARE's APPNOTE.TXT, 6.3.10, with ZIP64. Only the end of the archive, its
directory and the member's own header are read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from data_formats.problems import quoted
from downloads.problems import Damaged

STORED, DEFLATED = 0, 8
MOST_DIRECTORY_BYTES = 1_000_000
_END = struct.Struct("<4s4H2LH")
_END_64_PLACE = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_HEADER = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 2**16 - 1
_ENCRYPTED = 0x1
_SEE_64 = 0xFFFFFFFF

Read: TypeAlias = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Member:
    """Where the content of a member lies in the archive.

    Attributes:
        first: Place of its first packed byte.
        packed_size: Packed bytes, 1 or more.
        size: Bytes of the content.
        crc: CRC-32 of the content.
        method: `STORED` or `DEFLATED`.
    """

    first: int
    packed_size: int
    size: int
    crc: int
    method: int


@dataclass(frozen=True)
class _Entry:
    """What the directory says of a member; `header` is the place of the member's own header."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    header: int


def find_member(read: Read, archive_size: int, name: str) -> Member:
    """Find a member of a ZIP archive.

    Args:
        read: Gives the bytes of the archive from a place on, as many as asked, 1 or more; all of
            them lie inside.
        archive_size: Bytes of the archive.
        name: The member's path in the archive.

    Returns:
        Where its content lies.

    Raises:
        Damaged: It is no ZIP archive, damaged, or has no such member that can be read.
    """
    wanted = name.encode()
    first, length = _directory(read, archive_size)
    directory = read(first, length) if length else b""
    entries = [entry for entry in _entries(directory) if entry.name == wanted]
    if len(entries) != 1:
        count = len(entries) or "no"
        raise Damaged(f"the ZIP archive has {count} members {quoted(name)}, not one")
    entry = entries[0]
    if entry.flags & _ENCRYPTED or entry.method not in (STORED, DEFLATED):
        raise Damaged(f"{quoted(name)} is encrypted or packed in a way that is not known here")
    if entry.method == STORED and entry.packed_size != entry.size:
        raise _damaged(f"{quoted(name)} is said to have two sizes")
    content = _content(read, entry, first)
    if not entry.packed_size or content + entry.packed_size > first:
        raise _damaged(f"{quoted(name)} is said to lie outside")
    return Member(content, entry.packed_size, entry.size, entry.crc, entry.method)


def _damaged(reason: str) -> Damaged:
    return Damaged(f"the ZIP archive is cut off or damaged ({reason})")


def _directory(read: Read, size: int) -> tuple[int, int]:
    """Place and length of the directory."""
    if size < _END.size:
        raise Damaged("it is no ZIP archive")
    start = max(size - _END.size - _LONGEST_COMMENT, 0)
    tail = read(start, size - start)
    end = _end_in(tail)
    _, disk, first_disk, here, count, length, first, _ = _END.unpack_from(tail, end)
    place = start + end
    before = place - _END_64_PLACE.size
    if before >= 0 and read(before, 4) == b"PK\6\7":
        place, disk, first_disk, here, count, length, first = _end_64(read, before)
    if disk or first_disk or here != count:
        raise _damaged("it is one part of several")
    if length > MOST_DIRECTORY_BYTES or first + length > place or length < count * _ENTRY.size:
        raise _damaged("its directory is said to lie outside")
    return first, length


def _end_in(tail: bytes) -> int:
    """Place of the last record in the last bytes of an archive."""
    end = len(tail) - _END.size + 1
    while (end := tail.rfind(b"PK\5\6", 0, max(end, 0) + 3)) >= 0:
        comment = int.from_bytes(tail[end + 20 : end + 22], "little")
        if end + _END.size + comment == len(tail):
            return end
    raise Damaged("it is no ZIP archive, or cut off")


def _end_64(read: Read, before: int) -> tuple[int, ...]:
    """Place, and what else it says, of the last record of an archive in the format ZIP64."""
    _, _, place, _ = _END_64_PLACE.unpack(read(before, _END_64_PLACE.size))
    if place + _END_64.size > before:
        raise _damaged("the last record is said to lie outside")
    mark, _, _, _, *said = _END_64.unpack(read(place, _END_64.size))
    if mark != b"PK\6\6":
        raise _damaged("the last record is not where it should be")
    return place, *said


def _entries(directory: bytes) -> Iterator[_Entry]:
    """What the directory says of each member."""
    place = 0
    while place < len(directory):
        if place + _ENTRY.size > len(directory) or directory[place : place + 4] != b"PK\1\2":
            raise _damaged("its directory does not hold together")
        fields = _ENTRY.unpack_from(directory, place)
        _, _, _, flags, method, _, _, crc, packed, size, *lengths, _, _, _, header = fields
        after_name = place + _ENTRY.size + lengths[0]
        after_extra = after_name + lengths[1]
        place = after_extra + lengths[2]
        if place > len(directory):
            raise _damaged("its directory does not hold together")
        name = directory[after_name - lengths[0] : after_name]
        extra = directory[after_name:after_extra]
        size, packed, header = _with_64(extra, size, packed, header)
        yield _Entry(name, flags, method, crc, packed, size, header)


def _with_64(extra: bytes, *sizes: int) -> tuple[int, ...]:
    """Replace sizes that are too large for 32 bits by those in ZIP64's extra field."""
    values = iter(()) if _SEE_64 not in sizes else _values_64(extra)
    return tuple(next(values, _SEE_64) if size == _SEE_64 else size for size in sizes)


def _values_64(extra: bytes) -> Iterator[int]:
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        place += 4
        if kind == 1 and place + length <= len(extra):
            for at in range(place, place + length - 7, 8):
                yield int.from_bytes(extra[at : at + 8], "little")
            return
        place += length


def _content(read: Read, entry: _Entry, directory: int) -> int:
    """Place of a member's first packed byte, which its own header says."""
    length = _HEADER.size + len(entry.name)
    if entry.header + length > directory:
        raise _damaged("a member is said to lie outside")
    content = read(entry.header, length)
    mark, *_, name_length, extra_length = _HEADER.unpack_from(content)
    name = content[_HEADER.size :]
    if mark != b"PK\3\4" or name != entry.name or name_length != len(name):
        raise _damaged("a member is not where it should be")
    return int(entry.header + length + extra_length)
