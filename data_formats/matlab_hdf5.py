"""Reader of MATLAB v7.3 files, which are HDF5 files with dimensions the other way round."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_formats import nist_layout
from data_formats.common import DEFLATE_RATIO, Content, Tell, tell_nobody
from data_formats.problems import Problem, damaged, library

_KIND = "MATLAB v7.3"
_OTHER_CLASSES = {b"char", b"cell", b"struct", b"function_handle"}
_FILTERS = {1, 2, 3}  # deflate, shuffle, checksum


def recognises(head: bytes) -> bool:
    """Tell whether the first bytes of a file are those of HDF5, perhaps below a header.

    Args:
        head: The first 2056 bytes, or all.

    Returns:
        Whether they are.
    """
    return any(head.startswith(b"\x89HDF\r\n\x1a\n", offset) for offset in (0, 512, 1024, 2048))


def read(path: Path, keep_digits: bool, tell: Tell = tell_nobody) -> Content:
    """Read the variable `dataset` of a MATLAB v7.3 file.

    Args:
        path: The file.
        keep_digits: Whether the classes '0' to '9' stay.
        tell: Told nothing, for nothing takes long.

    Returns:
        The content, without splits.

    Raises:
        Problem: The file is damaged or not in NIST's layout.
    """
    return nist_layout.pooled(_fields(path), keep_digits)


def _fields(path: Path) -> dict[str, Any]:
    import h5py

    with library(_KIND):
        file = h5py.File(path, "r", locking=False)
    try:
        top = _member(file, "dataset", "the MATLAB v7.3 file", ("dataset",))
        fields: dict[str, Any] = {}
        for name, below in nist_layout.LAYOUT.items():
            if below:
                part = _member(top, name, "dataset", tuple(nist_layout.LAYOUT))
                fields[name] = {sub: _array(part, sub, f"dataset.{name}", below) for sub in below}
            else:
                fields[name] = _array(top, name, "dataset", tuple(nist_layout.LAYOUT))
        return fields
    finally:
        with library(_KIND):
            file.close()


def _member(group: Any, name: str, what: str, wanted: Sequence[str]) -> Any:
    """A member of an HDF5 group, refusing links, which can lead to other files."""
    import h5py

    if not isinstance(group, h5py.Group):
        raise Problem(f"{what} is not a struct with the {nist_layout.EXPECTED}")
    with library(_KIND):
        link = group.get(name, getlink=True)
        listed = list(itertools.islice(group, 20)) if link is None else []
    if name in listed:  # a damaged index can list what it does not find
        raise damaged(_KIND, f"{name} is listed in {what} but not to be found")
    if link is None:  # names that are no text come as bytes
        raise nist_layout.missing(what, wanted, [os.fsdecode(found) for found in listed])
    if not isinstance(link, h5py.HardLink):
        raise Problem(f"{what}: {name} is a link to elsewhere, refused; it must be in the file")
    with library(_KIND):
        return group[name]


def _array(group: Any, name: str, what: str, wanted: Sequence[str]) -> npt.NDArray[Any]:
    """An array of numbers in MATLAB's shape."""
    import h5py

    array = _member(group, name, what, wanted)
    what = f"{what}.{name}"
    if not isinstance(array, h5py.Dataset):
        raise Problem(f"{what} is a struct, not an array of whole numbers")
    stored = _storage(array)
    _check_storage(stored, what)
    if stored.is_empty:  # then the sizes stand where the content should
        return np.empty((0, 0), np.uint8)
    with library(_KIND):
        content: npt.NDArray[Any] = array[()]
    return content.T


@dataclass(frozen=True)
class _Storage:
    """What an HDF5 file says of an array before its content is read."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...] | None
    matlab_class: bytes
    is_empty: bool
    is_elsewhere: bool
    filters: tuple[int, ...]
    chunk: tuple[int, ...]
    size: int


def _storage(array: Any) -> _Storage:
    with library(_KIND):
        named = array.attrs.get("MATLAB_class", b"")
        matlab_class = named.encode() if isinstance(named, str) else named
        properties = array.id.get_create_plist()
        return _Storage(
            dtype=array.dtype,
            shape=array.shape,
            matlab_class=matlab_class if isinstance(matlab_class, bytes) else b"",
            is_empty=bool(np.any(array.attrs.get("MATLAB_empty", 0))),
            is_elsewhere=bool(array.external or array.is_virtual),
            filters=tuple(
                properties.get_filter(index)[0] for index in range(properties.get_nfilters())
            ),
            chunk=array.chunks or (),
            size=array.id.get_storage_size(),
        )


def _check_storage(stored: _Storage, what: str) -> None:
    """Refuse what is no numbers, points out of the file or claims more than is stored."""
    if stored.dtype.kind not in "uif":
        raise Problem(f"{what} is of the type {stored.dtype}, not an array of whole numbers")
    if stored.matlab_class in _OTHER_CLASSES:
        raise Problem(f"{what} is a {stored.matlab_class.decode()} array, not one of whole numbers")
    if stored.is_elsewhere:
        raise Problem(f"{what} is stored in another file, refused; it must be in the file itself")
    if not stored.shape:
        raise Problem(f"{what} has the shape {stored.shape}, not rows and columns")
    nist_layout.check_claim(what, stored.shape, stored.dtype)
    # Deflate applied twice would square what a small file can blow up to.
    if not set(stored.filters) <= _FILTERS or len(set(stored.filters)) < len(stored.filters):
        raise Problem(f"{what} is compressed in a way other than gzip, which MATLAB uses")
    size = math.prod(stored.shape) * stored.dtype.itemsize
    if size > stored.size * DEFLATE_RATIO:
        raise Problem(f"{what} claims {size} bytes, of which {stored.size} are in the file")
    chunk = math.prod(stored.chunk) * stored.dtype.itemsize if stored.chunk else 0
    if chunk > 2 * max(size, 2**20):
        raise Problem(f"{what} is stored in chunks of {chunk} bytes but has {size}")
