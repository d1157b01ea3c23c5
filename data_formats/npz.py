"""Reader and writer of this program's own `.npz` files, which keep a data set with its splits.

`.npz` files that others wrote are handed on to `array_sets`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats import array_sets
from data_formats.common import (
    SPLIT_NAMES,
    Content,
    Division,
    SplitBy,
    Tell,
    check_name,
    left_out_digits,
    tell_nobody,
)
from data_formats.npz_arrays import SUFFIX, array_of, header_of, opened, unexpected
from data_formats.problems import Problem, damaged, one_line, quoted
from data_formats.replacing import replacing
from image_arrays import IMAGE_SIZE, Images

if TYPE_CHECKING:
    import zipfile

_FORMAT = "handwriting-data-set"
_VERSION = 1
_ARRAYS = {"about": ("U", 0), "classes": ("U", 1), "images": ("u", 3), "labels": ("i", 1)}
_ITS_OWN = ("about", "generator")  # names that no other program's arrays have together
_ARRAYS |= {name: ("i", 1) for name in SPLIT_NAMES}  # kind of type and number of dimensions


def recognises(head: bytes) -> bool:
    """Tell whether the first bytes of a file are those of a zip archive.

    Args:
        head: The first 4 bytes or more.

    Returns:
        Whether they are.
    """
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read(path: Path, keep_digits: bool, tell: Tell = tell_nobody) -> Content:
    """Read a file of `write`, with the splits as they stand in it, or one that others wrote.

    Args:
        path: The file.
        keep_digits: Whether the classes '0' to '9' stay.
        tell: See `common.Tell`.

    Returns:
        The content with its splits; the test split is taken for the file's own test rows.

    Raises:
        Problem: The file is damaged, or neither one of `write` nor one of arrays of images and
            labels.
        OSError: The file cannot be opened.
    """
    with opened(path) as archive:
        if not {name + SUFFIX for name in _ITS_OWN} <= set(archive.namelist()):
            return array_sets.read(path, keep_digits, tell)
        arrays = _arrays(archive)
    about, classes = str(arrays["about"]), tuple(arrays["classes"].tolist())
    split_by, seed = _checked_about(about)
    _check_together(arrays, classes)
    rows = {name: np.sort(arrays[name]).astype(np.int64) for name in SPLIT_NAMES}
    in_test = np.zeros(len(arrays["images"]), np.bool_)
    in_test[rows["test"]] = True
    content = Content(
        np.ascontiguousarray(arrays["images"]),
        arrays["labels"].astype(np.int32),
        classes,
        in_test,
        Division(rows, split_by, seed),
    )
    return content if keep_digits else _without_digits(content, rows, split_by, seed)


def write(
    path: Path,
    images: Images,
    labels: npt.NDArray[np.integer[Any]],
    classes: Sequence[str],
    division: Division,
) -> None:
    """Write a data set with its splits, atomically.

    Args:
        path: The file; an existing one is replaced.
        images: uint8 (N, 28, 28), upright.
        labels: Integers (N,), indices into `classes`.
        classes: Characters or names, none twice.
        division: The splits.

    Raises:
        DataError: The file cannot be written.
    """
    import zipfile

    about = {"format": _FORMAT, "version": _VERSION}
    about |= {"split_by": division.split_by, "seed": division.seed}
    members: dict[str, npt.NDArray[Any]] = {
        "about": np.array(json.dumps(about)),
        "classes": np.array(classes, dtype=str),
        "images": images,
        "labels": labels.astype("<i4"),
    }
    members |= {name: division.rows[name].astype("<i8") for name in SPLIT_NAMES}
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            # A fixed date makes equal data sets equal files; level 1 is six times as fast as 6.
            info = zipfile.ZipInfo(name + SUFFIX, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info._compresslevel = 1  # type: ignore[attr-defined]
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def _arrays(archive: zipfile.ZipFile) -> dict[str, npt.NDArray[Any]]:
    names = archive.namelist()
    if sorted(names) != sorted(name + SUFFIX for name in _ARRAYS):
        raise Problem(
            f"this is not a data set that this program wrote: it holds "
            f"{one_line(', '.join(names))}, not the arrays {', '.join(_ARRAYS)}"
        )
    return {name: _array(archive, name) for name in _ARRAYS}


def _array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    header = header_of(archive, name)
    kind, dimensions = _ARRAYS[name]
    if header.dtype.kind != kind or len(header.shape) != dimensions:
        raise unexpected(name, header)
    return array_of(archive, name, header)


def _checked_about(text: str) -> tuple[SplitBy, int]:
    """Check what the file says about itself and return how its splits were made."""
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged("npz", str(error)) from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise Problem(f"this is not a data set that this program wrote: about is {quoted(text)}")
    if about.get("version") != _VERSION:
        version = about.get("version")
        shown = one_line(str(version)) if isinstance(version, int | str) else "unknown"
        raise Problem(
            f"it is of the version {shown} of the format, and this program reads version {_VERSION}"
        )
    split_by, seed = about.get("split_by"), about.get("seed")
    if split_by not in get_args(SplitBy) or type(seed) is not int or seed < 0:
        raise Problem(f"it does not say how it was split: about is {quoted(text)}")
    return cast(SplitBy, split_by), seed


def _check_together(arrays: dict[str, npt.NDArray[Any]], classes: tuple[str, ...]) -> None:
    """Check that the arrays of a file fit together."""
    images, labels = arrays["images"], arrays["labels"]
    if images.dtype != np.uint8 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise Problem(
            f"images are {images.dtype} {images.shape}, not uint8 (N, {IMAGE_SIZE}, {IMAGE_SIZE})"
        )
    if not len(images):
        raise Problem("it holds no images")
    if len(labels) != len(images):
        raise Problem(f"it has {counted(len(images), 'image')} but {counted(len(labels), 'label')}")
    for name in classes:
        check_name(name)
    if len(set(classes)) != len(classes):
        raise Problem(f"classes are {one_line(repr(classes[:99]))}, not each once")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise Problem(f"labels are {labels.min()} to {labels.max()} for {len(classes)} classes")
    empty = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    if len(empty):
        raise Problem(f"the class {quoted(classes[empty[0]])} has no images")
    _check_splits(arrays, len(images))


def _check_splits(arrays: dict[str, npt.NDArray[Any]], count: int) -> None:
    for name in SPLIT_NAMES:
        rows = arrays[name]
        if not len(rows):
            raise Problem(f"its {name} split is empty")
        if rows.min() < 0 or rows.max() >= count:
            raise Problem(
                f"its {name} split has rows {rows.min()} to {rows.max()} of "
                f"{counted(count, 'image')}"
            )
    pooled = np.concatenate([arrays[name] for name in SPLIT_NAMES])
    twice = np.flatnonzero(np.bincount(pooled, minlength=count) > 1)
    if len(twice):
        raise Problem(f"its splits have image {twice[0]} more than once")


def _without_digits(
    content: Content, rows: dict[str, npt.NDArray[np.int64]], split_by: SplitBy, seed: int
) -> Content:
    """Drop the digit classes from a data set and from its splits."""
    left_out = left_out_digits(content.classes, keep_digits=False)
    stays = np.array([name not in left_out for name in content.classes])
    if stays.all():
        return content
    kept = stays[content.labels]
    new_row, new_label = np.cumsum(kept) - 1, np.cumsum(stays) - 1
    left = {name: new_row[index[kept[index]]] for name, index in rows.items()}
    for name, index in left.items():
        if not len(index):
            raise Problem(f"its {name} split has digits only, and digits are left out")
    return Content(
        content.images[kept],
        new_label[content.labels[kept]].astype(np.int32),
        tuple(c for c, stay in zip(content.classes, stays, strict=True) if stay),
        content.in_test[kept],
        Division(left, split_by, seed),
    )
