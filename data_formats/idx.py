"""Reader of IDX files, the format of MNIST, Fashion-MNIST and EMNIST, packed by gzip or not.

A data set is up to four files in a folder: images and labels for training, and the same for
testing. `idx_names` finds them, `idx_classes` knows what their labels stand for.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.common import (
    DEFLATE_RATIO,
    MOST_IMAGES,
    PIXELS,
    Content,
    Labels,
    Tell,
    check_claim,
    left_out_digits,
    tell_nobody,
)
from data_formats.idx_classes import LABELS, Bytes, Classes, classes_of
from data_formats.idx_names import DIMENSIONS, Part, find_files, usual_files
from data_formats.image_stacks import as_greys, of_any_size
from data_formats.problems import Problem, damaged, one_line
from image_arrays import Images

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
    return any(recognises(_head(folder / str(name))) for name in usual_files(folder))


def read(path: Path, keep_digits: bool, tell: Tell = tell_nobody) -> Content:
    """Read a data set of IDX files.

    Args:
        path: The folder with the files, or one of them.
        keep_digits: Whether the classes '0' to '9' stay where there are two or more others.
        tell: See `common.Tell`.

    Returns:
        The content, training rows first. EMNIST's images (Cohen et al. 2017) stand upright; those
        of other sizes than 28x28 are brought to it. Classes without an image are left out.

    Raises:
        Problem: A file is missing, damaged or does not fit the others.
        OSError: A file cannot be read.
    """
    folder, subset, parts = find_files(path)
    labels = [_read_labels(part.labels) for part in parts]
    for part, of_part in zip(parts, labels, strict=True):
        with _opened_images(part, len(of_part)):
            pass  # its header is right, so memory can be taken
    classes = classes_of(folder, subset, [part.in_test for part in parts], labels)
    new_labels, names, notes = _numbered(parts, labels, classes, keep_digits)
    kept = [new_labels[of_part] >= 0 for of_part in labels]
    counts = [int(rows.sum()) for rows in kept]
    images, done = _images(parts, kept, bool(subset), tell)
    every = [new_labels[of_part[rows]] for of_part, rows in zip(labels, kept, strict=True)]
    in_test = np.repeat([part.in_test for part in parts], counts)
    return Content(images, np.concatenate(every), names, in_test, notes=(*notes, *done))


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
    dimensions = DIMENSIONS[what]
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
    if what == "images" and 0 in shape[1:]:
        raise Problem(f"the images in {name} are {shape[1]}x{shape[2]} pixels")
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


def _read(stream: io.BufferedIOBase, count: int, name: str) -> Bytes:
    """Read bytes (count,); there is no more memory taken than that."""
    content = stream.read(count)
    if len(content) < count:
        raise Problem(f"{name} is cut off: it holds less than it claims")
    return np.frombuffer(content, np.uint8)


def _check_end(stream: io.BufferedIOBase, name: str, claimed: int) -> None:
    """Refuse bytes after the last; looking for them has gzip's checksum compared, too."""
    if stream.read(1):
        raise _too_long(name, claimed)


def _read_labels(path: Path) -> Bytes:
    """Read labels, uint8 (N,)."""
    with _opened(path, "labels") as (stream, header, (count,)):
        labels = _read(stream, count, path.name)
        _check_end(stream, path.name, len(header) + count)
    return labels


@contextlib.contextmanager
def _opened_images(
    part: Part, labels: int
) -> Iterator[tuple[io.BufferedIOBase, int, tuple[int, int]]]:
    """Open the images that go with so many labels; give the stream, the bytes before it, a size."""
    with _opened(part.images, "images") as (stream, header, (count, height, width)):
        if count != labels:
            raise Problem(
                f"{part.images.name} has {counted(count, 'image')}, but {part.labels.name} has "
                f"{counted(labels, 'label')}"
            )
        yield stream, len(header), (height, width)


def _images(
    parts: Sequence[Part], kept: Sequence[npt.NDArray[np.bool_]], lying: bool, tell: Tell
) -> tuple[Images, tuple[str, ...]]:
    """The images (K, 28, 28) that are wanted of all parts, and notes on what was done to them."""
    sizes = set()
    for part, rows in zip(parts, kept, strict=True):
        with _opened_images(part, len(rows)) as (_, _, size):
            sizes.add(size)
    if len(sizes) > 1:
        shown = " and ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise Problem(f"its files have images of different sizes: {shown}")
    height, width = sizes.pop()
    upright = (width, height) if lying else (height, width)
    stack = np.empty((sum(int(rows.sum()) for rows in kept), *upright), np.uint8)
    start = 0
    for part, rows in zip(parts, kept, strict=True):
        stop = start + int(rows.sum())
        _read_images(part, rows, lying, stack[start:stop])
        start = stop
    return of_any_size(as_greys(stack, "images"), tell)


def _read_images(
    part: Part, kept: npt.NDArray[np.bool_], lying: bool, out: npt.NDArray[np.uint8]
) -> None:
    """Read images, block by block.

    Args:
        part: The files.
        kept: bool (N,), which of all images are wanted.
        lying: Whether they lie on their side.
        out: uint8 (K, H, W), to be filled with the wanted images, upright.
    """
    name = part.images.name
    with _opened_images(part, len(kept)) as (stream, before, (height, width)):
        done = 0
        for start in range(0, len(kept), _BLOCK):
            wanted = kept[start : start + _BLOCK]
            block = _read(stream, len(wanted) * height * width, name)
            images = block.reshape(-1, height, width)
            if not wanted.all():
                images = images[wanted]
            out[done : done + len(images)] = images.transpose(0, 2, 1) if lying else images
            done += len(images)
        _check_end(stream, name, before + len(kept) * height * width)


def _numbered(
    parts: Sequence[Part], labels: Sequence[Bytes], classes: Classes, keep_digits: bool
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
    new_labels = np.full(LABELS, -1, np.int32)
    new_labels[stay] = np.arange(len(stay))
    return new_labels, tuple(classes.names[label] for label in stay), classes.notes


def _present(parts: Sequence[Part], labels: Sequence[Bytes], classes: Classes) -> set[int]:
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
