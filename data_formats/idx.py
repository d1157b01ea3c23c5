"""Reader of IDX files, the format of MNIST, Fashion-MNIST and EMNIST, packed by gzip or not.

A data set is up to four files in a folder, found by their usual names: images and labels for
training, and the same for testing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import string
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, starmap
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_formats.common import (
    DEFLATE_RATIO,
    IMAGE_SIZE,
    MOST_IMAGES,
    PIXELS,
    Content,
    Images,
    Labels,
    check_claim,
    left_out_digits,
)
from data_formats.problems import Problem, damaged, one_line, quoted

_UNSIGNED_BYTES = 0x08
_TYPES = {
    _UNSIGNED_BYTES: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit whole numbers",
    0x0C: "32-bit whole numbers",
    0x0D: "32-bit floating point numbers",
    0x0E: "64-bit floating point numbers",
}
_GZIP = b"\x1f\x8b"
_GZIP_OVERHEAD = 2**16  # bytes, at most, for names and tables
_HEAD = 2056  # bytes; holds gzip's header and tables before the first unpacked byte
_BLOCK = 2048  # images read at a time
_LABELS = 256  # that a byte can tell apart
_DIMENSIONS = {"images": 3, "labels": 1}

_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"
_EMNIST: Mapping[str, tuple[int, str]] = {  # the first label, and the characters from it on
    "balanced": (0, _MERGED),
    "byclass": (0, string.digits + string.ascii_uppercase + string.ascii_lowercase),
    "bymerge": (0, _MERGED),
    "letters": (1, string.ascii_uppercase),
    "digits": (0, string.digits),
    "mnist": (0, string.digits),
}
_MOST_MAPPING = 2**16  # bytes; EMNIST's have less than 1000
_FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_FASHION_LABELS = {  # SHA-256 of the unpacked files, by whether they are the test's
    False: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    True: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Name:
    """What the usual name of a file says.

    Attributes:
        subset: EMNIST's "balanced", "letters" and so on; empty for MNIST's own names.
        in_test: Whether it is a file of the test rows.
        what: "images" or "labels".
        packing: ".gz", or empty.
        separator: What stands before "idx", "-" or ".".
    """

    subset: str
    in_test: bool
    what: str
    packing: str = ""
    separator: str = "-"

    def __str__(self) -> str:
        start = f"emnist-{self.subset}-" if self.subset else ""
        part = "train" if not self.in_test else "test" if self.subset else "t10k"
        ending = f"idx{_DIMENSIONS[self.what]}-ubyte{self.packing}"
        return f"{start}{part}-{self.what}{self.separator}{ending}"


_USUAL = {
    str(name): name
    for name in starmap(
        _Name, product(("", *_EMNIST), (False, True), _DIMENSIONS, ("", ".gz"), ("-", "."))
    )
}


@dataclass(frozen=True)
class _Part:
    """The two files of the training or test rows."""

    images: Path
    labels: Path
    in_test: bool


@dataclass(frozen=True)
class _Classes:
    """What labels stand for.

    Attributes:
        names: The name of each label, in the order that classes get.
        source: Where the names come from, for messages; empty where the labels' own numbers are
            the names.
        notes: What is to be said about them.
    """

    names: Mapping[int, str]
    source: str = ""
    notes: tuple[str, ...] = ()


def recognises(head: bytes) -> bool:
    """Tell whether the first bytes of a file, 2056 or all, are those of an IDX file.

    Args:
        head: The bytes, packed by gzip or not.

    Returns:
        Whether they are, also where `read` refuses the type of the numbers or their dimensions.
    """
    start = _unpacked_start(head)
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= 4


def is_folder_of_idx(folder: Path) -> bool:
    """Tell whether a folder holds an IDX file under one of the usual names.

    Args:
        folder: The folder.

    Returns:
        Whether a regular file in it has such a name, and first bytes that `recognises` knows.

    Raises:
        OSError: A file of such a name cannot be opened.
    """
    return any(recognises(_head(folder / str(name))) for name in _usual_files(folder))


def read(path: Path, keep_digits: bool) -> Content:
    """Read a data set of IDX files.

    Args:
        path: The folder with the files, or one of them.
        keep_digits: Whether the classes '0' to '9' stay where there are two or more others.

    Returns:
        The content, training rows first. EMNIST's images (Cohen et al. 2017) stand upright.
        Classes without an image are left out.

    Raises:
        Problem: A file is missing, damaged or does not fit the others.
        OSError: A file cannot be read.
    """
    folder, subset, parts = _data_set(path)
    labels = [_read_labels(part.labels) for part in parts]
    for part, of_part in zip(parts, labels, strict=True):
        with _opened_images(part, len(of_part)):
            pass  # its header is right, so memory can be taken
    classes = _classes(folder, subset, parts, labels)
    new_labels, names, notes = _numbered(parts, labels, classes, keep_digits)
    kept = [new_labels[of_part] >= 0 for of_part in labels]
    counts = [int(rows.sum()) for rows in kept]
    images = np.empty((sum(counts), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    start = 0
    for part, rows, count in zip(parts, kept, counts, strict=True):
        _read_images(part, rows, bool(subset), images[start : start + count])
        start += count
    every = [new_labels[of_part[rows]] for of_part, rows in zip(labels, kept, strict=True)]
    in_test = np.repeat([part.in_test for part in parts], counts)
    return Content(images, np.concatenate(every), names, in_test, notes=notes)


def _unpacked_start(head: bytes) -> bytes:
    """The first four bytes of a file, unpacked if gzip packed them; fewer if there are not."""
    if not head.startswith(_GZIP):
        return head[:4]
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 4)
    except zlib.error:
        return b""


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _usual_files(folder: Path) -> list[_Name]:
    """The usual names that regular files in a folder have; a pipe would block."""
    return [name for text, name in _USUAL.items() if (folder / text).is_file()]


def _data_set(path: Path) -> tuple[Path, str, list[_Part]]:
    """Find the files of a data set: their folder, EMNIST's subset and the parts."""
    if path.is_dir():
        there = _usual_files(path)
        subsets = list(dict.fromkeys(name.subset for name in there))
        if not subsets:
            raise Problem(f"it holds no IDX files; they are called {_usual_names()}")
        if len(subsets) > 1:
            choice = (next(str(n) for n in there if n.subset == subset) for subset in subsets)
            raise Problem(f"it holds several data sets; give one file of one: {', '.join(choice)}")
        return path, subsets[0], _parts(path, there)
    if not path.is_file():
        raise Problem("there is no such file, or it is a device or a pipe")
    named = _USUAL.get(path.name)
    if named is None:
        raise Problem(
            "the other files of an IDX data set are found by their names, and this one has none of "
            f"the usual: {_usual_names()}"
        )
    folder = path.parent
    there = [name for name in _usual_files(folder) if name.subset == named.subset]
    style = (named.packing, named.separator)
    there.sort(key=lambda name: (name.packing, name.separator) != style)  # it and its like first
    return folder, named.subset, _parts(folder, there)


def _usual_names() -> str:
    plain = ", ".join(str(_Name("", *role)) for role in product((False, True), _DIMENSIONS))
    emnist = _Name("balanced", False, "images")
    return f"{plain}, or as EMNIST's, such as {emnist}; with .gz if packed"


def _parts(folder: Path, there: Sequence[_Name]) -> list[_Part]:
    """Pair images with labels; of several files for the same, the first is taken."""
    parts = []
    for in_test in (False, True):
        found = [name for name in there if name.in_test is in_test]
        images, labels = (
            next((name for name in found if name.what == what), None) for what in _DIMENSIONS
        )
        if images and labels:
            parts.append(_Part(folder / str(images), folder / str(labels), in_test))
        elif found:
            absent = _Name(found[0].subset, in_test, "labels" if images else "images")
            raise Problem(
                f"{found[0]} needs a file {absent} (.gz or not) in the same folder, and there is "
                "none"
            )
    return parts


@contextlib.contextmanager
def _opened(path: Path, what: str) -> Iterator[tuple[io.BufferedIOBase, bytes, tuple[int, ...]]]:
    """Open a file, check its header, and give the unpacked stream after it, header and shape."""
    import gzip

    with path.open("rb") as raw:
        packed = raw.read(len(_GZIP)) == _GZIP
        # gzip reads the header of a file byte by byte, so an endless one is stopped here
        if packed and len(_unpacked_start(_GZIP + raw.read(_HEAD))) < 4:
            raise damaged("gzip", f"the first bytes of {path.name} cannot be unpacked")
        raw.seek(0)
        size = os.fstat(raw.fileno()).st_size
        try:
            with gzip.GzipFile(fileobj=raw, mode="rb") if packed else raw as stream:
                header, shape = _header(stream, path.name, what)
                _check_size(path.name, len(header) + math.prod(shape), size, packed)
                yield stream, header, shape
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise damaged("gzip", f"{path.name}: {error}") from error


def _header(stream: io.BufferedIOBase, name: str, what: str) -> tuple[bytes, tuple[int, ...]]:
    """Read the header of a file and return it with the shape that it claims."""
    dimensions = _DIMENSIONS[what]
    magic = stream.read(4)
    wanted = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise Problem(
            f"{name} begins with the bytes {_hexadecimal(magic) or '(none)'}, not with "
            f"{_hexadecimal(wanted)} as IDX {what} do"
        )
    if magic[2] != _UNSIGNED_BYTES:
        kind = _TYPES.get(magic[2], "which IDX does not know")
        raise Problem(
            f"the numbers in {name} have the type code {magic[2]:02X} ({kind}), and those of a "
            f"data set {_UNSIGNED_BYTES:02X} ({_TYPES[_UNSIGNED_BYTES]})"
        )
    if magic[3] != dimensions:
        raise Problem(f"{name} is {magic[3]}-dimensional, and {what} are {dimensions}-dimensional")
    lengths = stream.read(4 * dimensions)
    if len(lengths) < 4 * dimensions:
        raise Problem(f"{name} is cut off after {4 + len(lengths)} bytes, within its header")
    shape = struct.unpack(f">{dimensions}I", lengths)
    if what == "images" and shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise Problem(
            f"the images in {name} are {shape[1]}x{shape[2]} pixels, and {IMAGE_SIZE}x{IMAGE_SIZE} "
            "are needed"
        )
    most = MOST_IMAGES * (PIXELS if what == "images" else 1)
    check_claim(name, shape, np.dtype(np.uint8), most)
    return magic + lengths, shape


def _hexadecimal(data: bytes) -> str:
    return data.hex(" ").upper()


def _check_size(name: str, claimed: int, size: int, packed: bool) -> None:
    """Compare the bytes that a header claims with the size of the file."""
    if packed and claimed > size * DEFLATE_RATIO:
        raise Problem(f"{name} claims {claimed:,} bytes from {size:,}, which gzip cannot do")
    if not packed and size < claimed:
        raise Problem(f"{name} is cut off: it claims {claimed:,} bytes and has {size:,}")
    # gzip adds little to what it cannot pack; empty members or zeros could follow without end
    if size > (claimed * 9 // 8 + _GZIP_OVERHEAD if packed else claimed):
        raise _too_long(name, claimed)


def _too_long(name: str, claimed: int) -> Problem:
    return Problem(f"{name} is damaged: it claims {claimed:,} bytes, and there are more")


def _read(stream: io.BufferedIOBase, count: int, name: str) -> _Bytes:
    """Read bytes (count,); there is no more memory taken than that."""
    content = stream.read(count)
    if len(content) < count:
        raise Problem(f"{name} is cut off: it holds less than it claims")
    return np.frombuffer(content, np.uint8)


def _check_end(stream: io.BufferedIOBase, name: str, claimed: int) -> None:
    """Refuse bytes after the last; looking for them has gzip's checksum compared, too."""
    if stream.read(1):
        raise _too_long(name, claimed)


def _read_labels(path: Path) -> _Bytes:
    """Read labels, uint8 (N,)."""
    with _opened(path, "labels") as (stream, header, (count,)):
        labels = _read(stream, count, path.name)
        _check_end(stream, path.name, len(header) + count)
    return labels


@contextlib.contextmanager
def _opened_images(part: _Part, labels: int) -> Iterator[tuple[io.BufferedIOBase, int]]:
    """Open the images that go with so many labels; give the stream, and the bytes before it."""
    with _opened(part.images, "images") as (stream, header, (count, *_)):
        if count != labels:
            raise Problem(
                f"{part.images.name} has {count:,} images, but {part.labels.name} has "
                f"{labels:,} labels"
            )
        yield stream, len(header)


def _read_images(part: _Part, kept: npt.NDArray[np.bool_], lying: bool, out: Images) -> None:
    """Read images, block by block.

    Args:
        part: The files.
        kept: bool (N,), which of all images are wanted.
        lying: Whether they lie on their side.
        out: uint8 (K, 28, 28), to be filled with the wanted images, upright.
    """
    name = part.images.name
    with _opened_images(part, len(kept)) as (stream, before):
        done = 0
        for start in range(0, len(kept), _BLOCK):
            wanted = kept[start : start + _BLOCK]
            block = _read(stream, len(wanted) * PIXELS, name)
            images = block.reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
            if not wanted.all():
                images = images[wanted]
            out[done : done + len(images)] = images.transpose(0, 2, 1) if lying else images
            done += len(images)
        _check_end(stream, name, before + len(kept) * PIXELS)


def _classes(
    folder: Path, subset: str, parts: Sequence[_Part], labels: Sequence[_Bytes]
) -> _Classes:
    """Find out what the labels of a data set stand for."""
    if subset:
        return _emnist_classes(folder, subset)
    if all(
        _digest(of_part) == _FASHION_LABELS[part.in_test]
        for part, of_part in zip(parts, labels, strict=True)
    ):
        return _Classes(dict(enumerate(_FASHION)), "Fashion-MNIST")
    return _Classes({label: str(label) for label in range(_LABELS)})


def _digest(labels: _Bytes) -> str:
    """SHA-256 of the unpacked file that labels came from."""
    header = struct.pack(">BBBBI", 0, 0, _UNSIGNED_BYTES, 1, len(labels))
    return hashlib.sha256(header + labels.tobytes()).hexdigest()


def _emnist_classes(folder: Path, subset: str) -> _Classes:
    path = folder / f"emnist-{subset}-mapping.txt"
    if path.is_file():
        names, source = _read_mapping(path), path.name
    else:
        start, characters = _EMNIST[subset]
        names, source = dict(enumerate(characters, start)), f"EMNIST's {subset} set"
    notes = ["EMNIST's images lie on their side in IDX files, and were stood upright"]
    first = min(names)
    if first:
        notes.append(f"the labels in the files start at {first}, which is {quoted(names[first])}")
    return _Classes(names, source, tuple(notes))


def _read_mapping(path: Path) -> dict[int, str]:
    """Read one of EMNIST's mappings: lines of a label, a character code and further codes."""
    with path.open("rb") as file:
        content = file.read(_MOST_MAPPING + 1)
    if len(content) > _MOST_MAPPING:
        raise Problem(f"{path.name} has more than {_MOST_MAPPING:,} bytes, too many for a mapping")
    names: dict[int, str] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        label, character = _mapped(line, f"line {number} of {path.name}")
        if label in names or character in names.values():
            raise Problem(
                f"line {number} of {path.name} has the label {label} or the character "
                f"{quoted(character)} for the second time"
            )
        names[label] = character
    if not names:
        raise Problem(f"{path.name} is empty; it has a line for each class")
    return names


def _mapped(line: bytes, where: str) -> tuple[int, str]:
    """The label and the character in a line of a mapping."""
    fields = line.split()
    if len(fields) < 2 or not all(field.isdigit() and len(field) < 8 for field in fields):
        raise Problem(
            f"{where} is {quoted(line.decode('latin-1'))}, not a label and its character code"
        )
    label, code = int(fields[0]), int(fields[1])
    if label >= _LABELS:
        raise Problem(f"{where} has the label {label}, and labels go up to {_LABELS - 1}")
    character = chr(code) if code <= 0x10FFFF else " "
    if not character.isprintable() or character.isspace():
        raise Problem(f"{where} has the character code {code}, which is no visible character")
    return label, character


def _numbered(
    parts: Sequence[_Part], labels: Sequence[_Bytes], classes: _Classes, keep_digits: bool
) -> tuple[Labels, tuple[str, ...], tuple[str, ...]]:
    """Number the classes that stay.

    Returns:
        int32 (256,), the class of each label of the files, -1 for those left out; the classes'
        names; the notes.
    """
    present = _present(parts, labels, classes)
    stay = [label for label in classes.names if label in present]
    if classes.source:  # the labels of a set without names may number anything
        left_out = left_out_digits([classes.names[label] for label in stay], keep_digits)
        stay = [label for label in stay if classes.names[label] not in left_out]
    new_labels = np.full(_LABELS, -1, np.int32)
    new_labels[stay] = np.arange(len(stay))
    return new_labels, tuple(classes.names[label] for label in stay), classes.notes


def _present(parts: Sequence[_Part], labels: Sequence[_Bytes], classes: _Classes) -> set[int]:
    """The labels that there are, each of them checked."""
    present = set()
    for part, of_part in zip(parts, labels, strict=True):
        there = np.unique(of_part).tolist()
        unknown = [label for label in there if label not in classes.names]
        if unknown:
            raise Problem(
                f"{part.labels.name} has the label {unknown[0]}, which is not among those of "
                f"{classes.source}: {one_line(', '.join(map(str, classes.names)))}"
            )
        present.update(there)
    if not present:
        raise Problem("it holds no images: each of its files has 0 rows")
    return present
