"""Reader of pictures in folders, one folder a class, as they are or in a tar or zip archive.

Archives are read from beginning to end without unpacking anything to disk. Pictures may be of any
size; `image_preparation` makes 28x28 images of them, unless all of them already are.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from data_formats.common import DIGITS, IMAGE_SIZE, Content, Images
from data_formats.picture import SUFFIXES, Unreadable, eight_bits, read_grey
from data_formats.problems import Problem, library, one_line

if TYPE_CHECKING:
    import lzma
    import zipfile


MOST_MEMBERS = 2_000_000
MOST_OTHERS = 1_000  # files that are no pictures, before they are weighed against pictures
MOST_OTHERS_A_PICTURE = 10
MOST_PICTURE_BYTES = 2**28
MOST_UNPACKED_BYTES = 2**35  # of all pictures of an archive

_TRAINING_FOLDERS = frozenset({"train", "training", "val", "validation"})
_TEST_FOLDERS = frozenset({"test", "testing"})
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_TAR_NAMES = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ZIP_METHODS = (0, 8, 12)  # stored, deflated, bzip2
_TAR_BLOCK = 512
_CHUNK = 2**18
_LONGEST_NAME = 4096
_LONGEST_HEADER = 2**20  # of a tar archive, where long names are kept
_LZMA_MEMORY = 2**28  # what `xz` needs at its highest level is a quarter of it


@dataclass(frozen=True)
class _Member:
    """One file of a folder or an archive.

    Attributes:
        path: Its parts below the data set's folder; those of an archive lead nowhere else.
        size: How many bytes it says that it has.
        read: Returns its bytes; to be called before the next member is asked for.
    """

    path: PurePosixPath
    size: int
    read: Callable[[], bytes]


@dataclass
class _Gathered:
    """What the members of a folder or an archive have come to so far.

    Attributes:
        pixels: 784 bytes for each picture: as it was if `whole` says so, prepared otherwise.
        whole: Whether each picture was 28x28 and is kept as it was.
        classes: The class of each picture, as named in the folder.
        files: The file name of each picture.
        parts: "train", "test" or "" for each picture, by a folder above its class.
        skipped: What could not be read, "file name: why" each.
        counts: How many members were left out for each reason; see `_notes`.
    """

    pixels: bytearray = field(default_factory=bytearray)
    whole: list[bool] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def leave_out(self, kind: str, name: str, why: str) -> None:
        """Count a picture that is left out, and note its name."""
        self.counts[kind] += 1
        self.skipped.append(f"{one_line(_printable(name))}: {why}")


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
                return not all(name.endswith(".npy") for name in archive.namelist())
        with _unpacked(path) as unpacked:
            tarfile.TarInfo.frombuf(unpacked.read(_TAR_BLOCK), "utf-8", "surrogateescape")
        return True
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return path.name.lower().endswith(".zip" if zipped else _TAR_NAMES)


def read(path: Path, keep_digits: bool) -> Content:
    """Read a folder of pictures, or an archive that `recognises_archive` knew.

    A picture's class is the name of the folder that it lies in. That may lie in others, of which
    those named train, training, val, validation, test or testing tell the test rows.

    Args:
        path: The folder or the archive.
        keep_digits: Whether the classes '0' to '9' stay; if two others are not left, they do.

    Returns:
        The content without splits, classes and images in natural order of their names. Pictures
        that cannot be read, or show nothing, are left out and told of.

    Raises:
        Problem: There are no pictures in folders, or the archive is damaged or too large.
        OSError: The folder or the archive cannot be opened.
    """
    found = _Gathered()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters is found out here
        for member in _members(path, found.counts):
            _gather(member, found)
            _check_others(found.counts)
    if not found.files:
        raise Problem(_why_none(found))
    return _content(found, keep_digits)


def _check_others(counts: Counter[str]) -> None:
    """Refuse what is no data set before all of a disk is gone through."""
    others = counts["others"]
    if others > MOST_OTHERS and others > MOST_OTHERS_A_PICTURE * counts["pictures"]:
        raise Problem(
            f"among its first {others + counts['pictures']:,} files {counts['pictures']:,} are "
            "pictures; give a folder with a sub-folder of pictures for each class"
        )


# --- the members of folders and archives -----------------------------------------------------


def _members(path: Path, counts: Counter[str]) -> Iterator[_Member]:
    """All regular files, those that do not matter counted."""
    if path.is_dir():
        members = _in_folder(path)
    else:
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
        members = _in_zip(path, counts) if zipped else _in_tar(path, counts)
    for number, member in enumerate(members):
        if number >= MOST_MEMBERS:
            raise Problem(f"it holds more than {MOST_MEMBERS:,} files")
        yield member


def _in_folder(folder: Path) -> Iterator[_Member]:
    """Files below a folder; no folder is gone through twice, however links lead to it."""
    seen: set[tuple[int, int]] = set()
    folders, links = [PurePosixPath()], list[PurePosixPath]()
    while folders or links:  # links last, so that a folder has its own name where it can
        inner = (folders or links).pop()
        status = os.stat(folder / inner)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder / inner) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if os.path.isfile(entry.path):
                    size = os.path.getsize(entry.path)
                    yield _Member(inner / entry.name, size, Path(entry.path).read_bytes)
                elif os.path.isdir(entry.path) and not _is_litter(entry.name):
                    (links if entry.is_symlink() else folders).append(inner / entry.name)


def _in_zip(path: Path, counts: Counter[str]) -> Iterator[_Member]:
    import zipfile

    with path.open("rb") as file:
        with library("zip"):
            archive = zipfile.ZipFile(file)
        if len(archive.infolist()) > MOST_MEMBERS:
            raise Problem(f"it holds more than {MOST_MEMBERS:,} files")
        read = 0
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            if info.filename.endswith("/"):  # a folder; `is_dir` fails where there is no name
                continue
            inner = _inside(info.filename.replace("\\", "/"))
            kind = stat.S_IFMT(info.external_attr >> 16)
            if inner is None or kind not in (0, stat.S_IFREG):
                counts["unsafe"] += 1
                continue
            yield _Member(inner, info.file_size, partial(_unzipped, archive, info))
            read += min(info.file_size, MOST_PICTURE_BYTES) if _is_picture(inner) else 0
            _check_sum(read)


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


def _in_tar(path: Path, counts: Counter[str]) -> Iterator[_Member]:
    import tarfile

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
                return
            archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
            archive.pax_headers = {}
            inner = _inside(info.name)
            if info.isreg() and not info.issparse() and inner is not None:
                start, size = info.offset_data, info.size
                yield _Member(inner, size, partial(forward.taken, start, size))
            elif not info.isdir():
                counts["unsafe"] += 1
            counts["headers"] += 1
            if counts["headers"] > MOST_MEMBERS:
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


# --- one picture -----------------------------------------------------------------------------


def _gather(member: _Member, found: _Gathered) -> None:
    """Add the picture of a member, or why there is none."""
    from image_preparation import prepared

    path = member.path
    if not _is_picture(path):
        found.counts["others"] += 1
        return
    if len(path.parts) < 2:
        found.counts["classless"] += 1
        return
    found.counts["pictures"] += 1
    try:
        if member.size > MOST_PICTURE_BYTES:
            raise Unreadable(f"it has {member.size:,} bytes, more than {MOST_PICTURE_BYTES:,}")
        grey = read_grey(_read_whole(member))
    except Unreadable as error:
        found.leave_out("unreadable", str(path), str(error))
        return
    if grey.min() == grey.max():
        found.leave_out("flat", str(path), "it is one flat grey")
        return
    whole = grey.shape == (IMAGE_SIZE, IMAGE_SIZE)
    found.pixels += (eight_bits(grey) if whole else prepared(grey)).tobytes()
    found.whole.append(whole)
    found.classes.append(_printable(path.parent.name))
    found.files.append(_printable(path.name))
    found.parts.append(_part(path.parts[:-2]))


def _read_whole(member: _Member) -> bytes:
    try:
        data = member.read()
    except OSError as error:
        raise Unreadable(f"it cannot be read: {one_line(error.strerror or str(error))}") from error
    if len(data) < member.size:
        raise Unreadable(f"it ends after {len(data):,} of {member.size:,} bytes")
    return data


# --- names -----------------------------------------------------------------------------------


def _is_picture(path: PurePosixPath) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(map(_is_litter, path.parts))


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _printable(name: str) -> str:
    """A name in the one form that Unicode has for it, what cannot be printed escaped."""
    normal = unicodedata.normalize("NFC", name).strip()
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in normal) or ascii(name)


def _part(folders: tuple[str, ...]) -> str:
    """What the folders above a class say: "test", "train" or, if nothing, ""."""
    for folder in reversed(folders):
        if folder.lower() in _TEST_FOLDERS:
            return "test"
        if folder.lower() in _TRAINING_FOLDERS:
            return "train"
    return ""


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """What sorts names as people do: 'a2' before 'a10'."""
    pieces = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return tuple((0, int(p)) if p[0] in "0123456789" else (1, p.casefold()) for p in pieces)


# --- the content -----------------------------------------------------------------------------


def _content(found: _Gathered, keep_digits: bool) -> Content:
    images, how = _images(found)
    shown = images.any(axis=(1, 2))
    for row in np.flatnonzero(~shown).tolist():
        name = f"{found.classes[row]}/{found.files[row]}"
        found.leave_out("inkless", name, "no ink was found on it")
    notes = (*_notes(found), how)
    rows = np.flatnonzero(shown).tolist()
    classes = sorted({found.classes[row] for row in rows}, key=lambda c: (_natural(c), c))
    if not classes:
        raise Problem(_why_none(found))
    if not keep_digits and sum(name not in DIGITS for name in classes) >= 2:
        classes = [name for name in classes if name not in DIGITS]
    label = {name: number for number, name in enumerate(classes)}
    rows = [row for row in rows if found.classes[row] in label]
    rows.sort(
        key=lambda row: (label[found.classes[row]], _natural(found.files[row]), found.files[row])
    )
    in_test = np.array([found.parts[row] == "test" for row in rows], np.bool_)
    return Content(
        np.ascontiguousarray(images[rows]),
        np.array([label[found.classes[row]] for row in rows], np.int32),
        tuple(classes),
        in_test if not in_test.all() else np.zeros_like(in_test),
        names=tuple(f"{found.classes[row]}/{found.files[row]}" for row in rows),
        notes=notes,
        skipped=tuple(found.skipped),
    )


def _images(found: _Gathered) -> tuple[Images, str]:
    """The images (N, 28, 28), and a note on what was done to them."""
    from image_preparation import is_prepared, on_black, prepared

    images = np.frombuffer(found.pixels, np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
    if all(found.whole) and is_prepared(images):
        turned = on_black(images)
        if turned is images:
            return images, "the pictures were 28x28, light on black, and are as they were"
        return turned, "the pictures were 28x28, dark on white, and were turned to light on black"
    for row in np.flatnonzero(found.whole).tolist():
        images[row] = prepared(images[row])
    return images, "the pictures were cropped to their ink and brought to 28x28, light on black"


def _notes(found: _Gathered) -> tuple[str, ...]:
    counts = found.counts
    tried = f"{counts['pictures']:,}"
    told = {
        "flat": f"of {tried} pictures are one flat grey and were left out",
        "inkless": f"of {tried} pictures show no ink and were left out",
        "unreadable": f"of {tried} pictures could not be read and were left out",
        "classless": "pictures lie in no folder that would name their class and were left out",
        "others": "other files were passed over",
        "unsafe": "links, devices or names that lead out of the archive were passed over",
    }
    return tuple(f"{counts[kind]:,} {text}" for kind, text in told.items() if counts[kind])


def _why_none(found: _Gathered) -> str:
    notes = _notes(found)
    because = f" ({one_line('; '.join(notes))})" if notes else ""
    return (
        "it holds no pictures that can be used; give a folder with one folder of PNG, JPEG, TIFF, "
        f"BMP, GIF or WebP pictures for each class, or an archive of such folders{because}"
    )
