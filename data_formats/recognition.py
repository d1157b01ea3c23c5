"""Which reader a file or folder is for, told by its first bytes."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from data_formats import idx, image_folder, matlab_classic, matlab_hdf5, npz
from data_formats.common import Content, Format, Tell
from data_formats.problems import Problem

WANTED = (
    "give a MATLAB file in NIST's layout, IDX files, a folder (or .zip, .tar.gz) of pictures, or "
    "an .npz file"
)
_FORMATS: tuple[Format, ...] = (npz, matlab_hdf5, matlab_classic, idx)
_PICKLES = {bytes([0x80, version]) for version in range(2, 6)}


def reader_of(path: Path) -> Callable[[Path, bool, Tell], Content]:
    """What reads a file or folder, told by its first bytes; the name only helps the message.

    Args:
        path: The file or folder.

    Returns:
        The `read` of its format, see `data_formats.common.Format`.

    Raises:
        Problem: It is of no known format, or it is not there.
        OSError: It cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise Problem(f"there is no such file; {WANTED}") from None
    except ValueError:
        raise Problem("this is no file name, for it holds a zero character") from None
    if stat.S_ISDIR(mode):
        return idx.read if idx.is_folder_of_idx(path) else image_folder.read
    if not stat.S_ISREG(mode):  # a pipe would block, a device never end
        raise Problem(f"this is a device or pipe; {WANTED}")
    with path.open("rb") as file:
        head = file.read(2056)  # v7.3 files may have HDF5's eight bytes at 2048
    if not head:  # whatever its name ends in
        raise Problem(f"the file is empty; {WANTED}")
    suffix = path.suffix.lower()
    if suffix in {".pickle", ".pkl"} or head[:2] in _PICKLES:
        raise Problem(
            "this is a pickle file, refused because opening a pickle can run code that is hidden "
            f"in it; {WANTED}"
        )
    if suffix != ".npz" and image_folder.recognises_archive(path):
        return image_folder.read
    for candidate in _FORMATS:
        if candidate.recognises(head):
            return candidate.read
    raise Problem(_why_not(head, suffix))


def _why_not(head: bytes, suffix: str) -> str:
    """Say what a file seems to be that is no data set."""
    if head.startswith(b"MATLAB"):
        return f"the MATLAB file is cut off or damaged in its first {min(len(head), 520)} bytes"
    known = {
        b"\x1f\x8b": "a gzip file with something else than IDX in it",
        b"\x93NUMPY": "a single numpy array",
        b"\x89PNG": "a PNG picture, and a data set has a folder of pictures for each class",
    }
    kind = next((text for magic, text in known.items() if head.startswith(magic)), "")
    claim = f", in spite of its name ending in {suffix}" if suffix in {".mat", ".npz"} else ""
    looks = f"this is {kind}" if kind else f"its first bytes {head[:8]!r} are of no known format"
    return f"{looks}{claim}; {WANTED}"
