"""Unpacking what was downloaded into a file that is there whole and checked, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from data_formats.problems import one_line, shown
from data_formats.replacing import taking_the_place_of
from downloads.problems import Damaged, DownloadError

PART = ".part"
GZIP = b"\x1f\x8b"
_RAW_DEFLATE, _GZIP_FORMAT = -zlib.MAX_WBITS, 16 + zlib.MAX_WBITS
_PIECE = 2**18  # bytes
_LAYERS = 2  # a server may pack a packed file once more


@dataclass(frozen=True)
class Expected:
    """What content must be; None where that is not known.

    Attributes:
        most_bytes: It must not have more.
        size: Bytes.
        crc: CRC-32.
        sha256: 64 hexadecimal digits.
    """

    most_bytes: int
    size: int | None = None
    crc: int | None = None
    sha256: str | None = None


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading or writing a file into an error that names it.

    Args:
        path: The file or folder.

    Raises:
        DownloadError: Instead of OSError.
    """
    try:
        yield
    except OSError as error:
        reason = one_line(error.strerror or str(error) or type(error).__name__)
        raise DownloadError(
            f"{shown(path)} cannot be used: {reason}; name another folder for downloads in the "
            "environment variable HANDWRITING_CACHE"
        ) from error


def check_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk has no room for.

    Args:
        folder: Where.
        needed: Bytes.

    Raises:
        DownloadError: There is too little room.
    """
    with on_disk(folder):
        free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{shown(folder)} has room for {free / 1e6:,.0f} MB, and {needed / 1e6:,.0f} MB are "
            "needed; make room, or name a folder on another disk in the environment variable "
            "HANDWRITING_CACHE"
        )


def pieces_of(path: Path, first: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Content of a file in pieces.

    Args:
        path: The file.
        first: Bytes to pass over.
        length: Bytes to read; None for all that follow.

    Returns:
        Bytes, in pieces of any length.
    """
    with on_disk(path), path.open("rb") as file:
        file.seek(first)
        while piece := file.read(_PIECE if length is None else min(_PIECE, length)):
            if length is not None:
                length -= len(piece)
            yield piece


def inflated(pieces: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    """What pieces of a raw deflate stream (RFC 1951), as in a ZIP archive, hold.

    Args:
        pieces: The stream.
        most_bytes: More are not unpacked.

    Returns:
        The content in pieces.

    Raises:
        Damaged: It is no such stream, cut off, or holds more.
    """
    return _unpacked(pieces, _RAW_DEFLATE, most_bytes)


def without_gzip(pieces: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    """Content of pieces that gzip (RFC 1952) packed, once, twice or not at all.

    Args:
        pieces: The content as it came.
        most_bytes: More are not unpacked.

    Returns:
        The content in pieces.

    Raises:
        Damaged: It is packed but damaged or cut off, or holds more.
    """
    for _ in range(_LAYERS):
        start = b""
        while len(start) < len(GZIP) and (piece := next(pieces, b"")):
            start += piece
        pieces = chain([start], pieces)
        if start.startswith(GZIP):
            pieces = _unpacked(pieces, _GZIP_FORMAT, most_bytes)
    return pieces


def _unpacked(pieces: Iterator[bytes], form: int, most_bytes: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(form)
    try:
        for piece in pieces:
            while piece:
                if unpacker.eof:
                    raise Damaged("something follows the packed content")
                content = unpacker.decompress(piece, _PIECE)
                most_bytes -= len(content)
                if most_bytes < 0:
                    raise Damaged("unpacked, it has more bytes than expected")
                yield content
                piece = unpacker.unconsumed_tail or unpacker.unused_data
        while not unpacker.eof and (content := unpacker.decompress(b"", _PIECE)):
            most_bytes -= len(content)  # what it still held when its input was at an end
            if most_bytes < 0:
                raise Damaged("unpacked, it has more bytes than expected")
            yield content
    except zlib.error as error:
        raise Damaged(f"it is damaged ({error})") from error
    if not unpacker.eof:
        raise Damaged("it is cut off")


def store(pieces: Iterator[bytes], target: Path, expected: Expected) -> str:
    """Write a file that takes its place only when it is complete and what it should be.

    Args:
        pieces: The content.
        target: The file; one that is there is replaced.
        expected: What the content must be.

    Returns:
        The content's SHA-256, 64 hexadecimal digits.

    Raises:
        Damaged: The content is not what is expected.
        DownloadError: The file cannot be written.
    """
    check_space(target.parent, expected.size or 0)
    part = target.with_name(target.name + PART)
    digest, crc, size = hashlib.sha256(), 0, 0
    with on_disk(target), taking_the_place_of(target, part):
        with on_disk(part), part.open("wb") as file:
            for piece in pieces:
                size += len(piece)
                if size > expected.most_bytes:
                    raise Damaged(f"it has more than {expected.most_bytes:,} bytes")
                digest.update(piece)
                crc = zlib.crc32(piece, crc)
                file.write(piece)
        _check(expected, size, crc, digest.hexdigest())
    return digest.hexdigest()


def _check(expected: Expected, size: int, crc: int, sha256: str) -> None:
    if expected.size not in (None, size):
        raise Damaged(f"it has {size:,} bytes, not {expected.size:,}")
    if expected.crc not in (None, crc):
        raise Damaged(f"its CRC-32 is {crc:08x}, not {expected.crc:08x}")
    if expected.sha256 not in (None, sha256):
        raise Damaged(f"its SHA-256 is {sha256}, not {expected.sha256}")
