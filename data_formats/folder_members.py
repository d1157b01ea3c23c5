"""The files of a folder or of a tar or zip archive, one after the other.

Archives are read from beginning to end without unpacking anything to disk, and within limits.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from data_formats.picture import Unreadable
from data_formats.picture_names import is_litter, is_picture
from data_formats.problems import Problem, library, one_line

if TYPE_CHECKING:
    import lzma
    import zipfile

MOST_MEMBERS = 2_000_000
MOST_PICTURE_BYTES = 2**28
MOST_UNPACKED_BYTES = 2**35  # of all pictures of an archive

# Told the kind of what is left out, its name, and why.
LeaveOut = Callable[[str, str, str], None]

_UNSAFE = "it is a link or device, or leads out of the archive"
_NO_FILE = "it is a link to nowhere, a device or a pipe"
_NOTHING_IN_IT = "the folder is empty"
_TAR_NAMES = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ZIP_METHODS = (0, 8, 12)  # stored, deflated, bzip2
_SAYS_UTF_8 = 0x800  # the flag of a zip file's member
_TAR_BLOCK = 512
_CHUNK = 2**18
_LONGEST_NAME = 4096
_LONGEST_HEADER = 2**20  # of a tar archive, where long names are kept
_LZMA_MEMORY = 2**28  # what `xz` needs at its highest level is a quarter of it


@dataclass(frozen=True)
class Member:
    """One file of a folder or an archive.

    Attributes:
        path: Its parts below the data set's folder; those of an archive lead nowhere else.
        size: How many bytes it says that it has.
        read: Returns its bytes; to be called before the next member is asked for.
    """

    path: PurePosixPath
    size: int
    read: Callable[[], bytes]

    def whole(self) -> bytes:
        """All its bytes; to be called before the next member is asked for.

        Returns:
            As many bytes as it says.

        Raises:
            Unreadable: there are too many, or fewer than it says, or they cannot be read.
        """
        if self.size > MOST_PICTURE_BYTES:
            raise Unreadable(f"it has {self.size:,} bytes, more than {MOST_PICTURE_BYTES:,}")
        try:
            data = self.read()
        except OSError as error:
            raise Unreadable(
                f"it cannot be read: {one_line(error.strerror or str(error))}"
            ) from error
        if len(data) < self.size:
            raise Unreadable(f"it ends after {len(data):,} of {self.size:,} bytes")
        return data


def recognises_archive(path: Path) -> bool:
    """Tell whether a file is an archive that may hold pictures.

    A zip file of `.npy` members alone, such as numpy's, is none.

    Args:
        path: A regular file.

    Returns:
        Whether it is a tar archive, be it compressed, or such a zip file. One that is damaged goes
        by its name.

    Raises:
        OSError: The file cannot be read.
    """
    import tarfile
    import zipfile

    with path.open("rb") as file:
        zipped = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    # zipfile, tarfile and what they unpack with raise a dozen types, and document few.
    try:
        if zipped:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                return not names or not all(name.endswith(".npy") for name in names)
        with _unpacked(path) as unpacked:
            tarfile.TarInfo.frombuf(unpacked.read(_TAR_BLOCK), "utf-8", "surrogateescape")
        return True
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return path.name.lower().endswith(".zip" if zipped else _TAR_NAMES)


def members_of(path: Path, leave_out: LeaveOut) -> Iterator[Member]:
    """All regular files of a folder or an archive.

    Args:
        path: The folder or the archive.
        leave_out: Is told what is passed over: "unsafe" are links, devices and names that lead out
            of an archive; "special" in a folder what is called a picture, but is a link to nowhere,
            a device or a pipe; "empty" are folders with nothing in them.

    Returns:
        Members, one at a time.

    Raises:
        Problem: The archive is damaged or too large.
        OSError: The folder or the archive cannot be opened.
    """
    if path.is_dir():
        members = _in_folder(path, leave_out)
    else:
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
        members = _in_zip(path, leave_out) if zipped else _in_tar(path, leave_out)
    for number, member in enumerate(members):
        if number >= MOST_MEMBERS:
            raise Problem(f"it holds more than {MOST_MEMBERS:,} files")
        yield member


class _Folders:
    """The folders of an archive, to tell those that hold nothing."""

    def __init__(self) -> None:
        self._named: dict[PurePosixPath, None] = {}
        self._filled: set[PurePosixPath] = set()

    def add(self, folder: PurePosixPath | None) -> None:
        if folder is not None and not any(map(is_litter, folder.parts)):
            self._named[folder] = None
            self.fill(folder)

    def fill(self, path: PurePosixPath) -> None:
        """Something lies there."""
        if path.parent not in self._filled:
            self._filled.update(path.parents)

    def tell_empty(self, leave_out: LeaveOut) -> None:
        for folder in self._named:
            if folder not in self._filled:
                leave_out("empty", str(folder), _NOTHING_IN_IT)


def _in_folder(folder: Path, leave_out: LeaveOut) -> Iterator[Member]:
    """Files below a folder; no folder is gone through twice, however links lead to it."""
    seen: set[tuple[int, int]] = set()
    folders, links = [PurePosixPath()], list[PurePosixPath]()
    while folders or links:  # links last, so that a folder has its own name where it can
        inner = (folders or links).pop()
        status = os.stat(folder / inner)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        entries = _entries_of(folder, inner)
        if not entries and inner.parts:
            leave_out("empty", str(inner), _NOTHING_IN_IT)
        for entry in entries:
            if os.path.isfile(entry.path):
                size = os.path.getsize(entry.path)
                yield Member(inner / entry.name, size, Path(entry.path).read_bytes)
            elif not os.path.isdir(entry.path):
                if is_picture(inner / entry.name):
                    leave_out("special", str(inner / entry.name), _NO_FILE)
            elif not is_litter(entry.name):
                (links if entry.is_symlink() else folders).append(inner / entry.name)


def _entries_of(folder: Path, inner: PurePosixPath) -> list[os.DirEntry[str]]:
    """What lies in a folder within the data set's folder, by name."""
    try:
        with os.scandir(folder / inner) as scanned:
            return sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        if not inner.parts:  # it is named anyway
            raise
        reason = one_line(error.strerror or str(error))
        raise Problem(f"its folder {one_line(str(inner))} cannot be read: {reason}") from error


def _in_zip(path: Path, leave_out: LeaveOut) -> Iterator[Member]:
    import zipfile

    with path.open("rb") as file:
        with library("zip"):
            archive = zipfile.ZipFile(file)
        if len(archive.infolist()) > MOST_MEMBERS:
            raise Problem(f"it holds more than {MOST_MEMBERS:,} files")
        read = 0
        folders = _Folders()
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            inner = _inside(_zip_name(info).replace("\\", "/"))
            if info.filename.endswith("/"):  # a folder; `is_dir` fails where there is no name
                folders.add(inner)
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            if inner is None or kind not in (0, stat.S_IFREG):
                leave_out("unsafe", info.filename, _UNSAFE)
                continue
            folders.fill(inner)
            yield Member(inner, info.file_size, partial(_unzipped, archive, info))
            read += min(info.file_size, MOST_PICTURE_BYTES) if is_picture(inner) else 0
            _check_sum(read)
        folders.tell_empty(leave_out)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """A member's name; some systems write UTF-8 without saying so, which zipfile takes for DOS's.

    PKWARE's APPNOTE, section 4.4.4, bit 11.
    """
    if not info.flag_bits & _SAYS_UTF_8:
        with contextlib.suppress(UnicodeError):
            return info.filename.encode("cp437").decode("utf-8")
    return info.filename


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & 1:
        raise Unreadable("it is encrypted")
    if info.compress_type not in _ZIP_METHODS:
        raise Unreadable(f"it is packed by method {info.compress_type}, which is not read")
    try:
        with archive.open(info) as member:
            return member.read(MOST_PICTURE_BYTES)
    except MemoryError:
        raise
    except Exception as error:  # see `problems.library`
        raise Unreadable(f"it is damaged ({one_line(str(error))})") from error


def _in_tar(path: Path, leave_out: LeaveOut) -> Iterator[Member]:
    import tarfile

    headers = 0
    folders = _Folders()

    with _unpacked(path) as file:
        forward = _Forward(file)
        with library("tar"):
            archive = tarfile.TarFile(fileobj=forward, errors="surrogateescape")  # type: ignore[arg-type]
        while True:
            with library("tar"):
                info = archive.next()
            if info is None:
                if forward.last.strip(b"\0"):  # tarfile would take it for the end
                    raise Problem("the tar file is cut off or damaged (a header makes no sense)")
                folders.tell_empty(leave_out)
                return
            archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
            archive.pax_headers = {}
            inner = _inside(info.name)
            if info.isreg() and not info.issparse() and inner is not None:
                folders.fill(inner)
                start, size = info.offset_data, info.size
                yield Member(inner, size, partial(forward.taken, start, size))
            elif info.isdir():
                folders.add(inner)
            else:
                leave_out("unsafe", info.name, _UNSAFE)
            headers += 1
            if headers > MOST_MEMBERS:
                raise Problem(f"it holds more than {MOST_MEMBERS:,} files and folders")


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """A file to be read from its beginning, unpacked if it is compressed."""
    import bz2
    import gzip

    with path.open("rb") as file:
        head = file.peek(6)
        if head.startswith(b"\x1f\x8b"):
            yield gzip.GzipFile(fileobj=file)  # type: ignore[misc]
        elif head.startswith(b"BZh"):
            yield bz2.BZ2File(file)
        elif head.startswith(b"\xfd7zXZ\x00"):
            yield io.BufferedReader(_Xz(file), _CHUNK)
        else:
            yield file


class _Xz(io.RawIOBase):
    """An .xz file unpacked with bounded memory; Python's own lets a file ask for any amount."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._stream = self._begun()

    @staticmethod
    def _begun() -> lzma.LZMADecompressor:
        import lzma

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, _LZMA_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        rest = b""
        while True:
            if self._stream.eof:  # another stream may follow, after zeros
                rest = (self._stream.unused_data or self._file.read(_CHUNK)).lstrip(b"\0")
                if not rest:
                    return 0
                self._stream = self._begun()
            elif self._stream.needs_input:
                rest = self._file.read(_CHUNK)
                if not rest:
                    raise EOFError("the compressed data end too early")
            chunk = self._stream.decompress(rest, len(buffer))
            rest = b""
            if chunk:
                buffer[: len(chunk)] = chunk
                return len(chunk)


class _Forward:
    """A file that is read forwards only, and not without end; what tarfile reads headers from.

    Attributes:
        last: What was read last.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0  # of what was read from the file
        self._back = b""  # the last byte, while tarfile looks whether it is there
        self.last = b""

    def tell(self) -> int:
        return self._end - len(self._back)

    def seek(self, position: int) -> None:
        """Go to a position, at most to the last byte that was read."""
        if position == self.tell() - 1 and self.last:
            self._back = self.last[-1:]
        elif position < self.tell():
            raise Problem("the tar file is damaged (a member begins before the last one's end)")
        while self.tell() < position and self._read(min(position - self.tell(), _CHUNK)):
            pass  # whether the file ends too early, reading tells

    def read(self, count: int) -> bytes:
        """Up to `count` bytes, no more than a header may have."""
        if not 0 <= count <= _LONGEST_HEADER:
            raise Problem(f"the tar file is damaged (a header claims {count} bytes)")
        return self._read(count)

    def taken(self, start: int, count: int) -> bytes:
        """The bytes of a member, fewer than `count` where the file ends early."""
        self.seek(start)
        return self._read(count)

    def _read(self, count: int) -> bytes:
        back, self._back = self._back[:count], self._back[count:]
        with library("tar"):
            data = self._file.read(count - len(back))
        self._end += len(data)
        _check_sum(self._end)
        self.last = back + data
        return self.last


def _check_sum(count: int) -> None:
    if count > MOST_UNPACKED_BYTES:
        raise Problem(f"it unpacks to more than {MOST_UNPACKED_BYTES:,} bytes")


def _inside(name: str) -> PurePosixPath | None:
    """A member's path, or None if it leads out of the archive."""
    path = PurePosixPath(name)
    if len(name) > _LONGEST_NAME:
        return None
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name) or not path.parts:
        return None
    return path
