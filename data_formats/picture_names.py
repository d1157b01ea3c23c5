"""What names of folders and files say: what is a picture, of which part, in which order.

The names come from disks and archives, and may hold anything.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from data_formats.picture import SUFFIXES

_TRAINING_FOLDERS = frozenset({"train", "training", "val", "validation"})
_TEST_FOLDERS = frozenset({"test", "testing"})
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def is_picture(path: PurePosixPath) -> bool:
    """Whether a file is a picture by its ending, and nothing that a system has put there.

    Args:
        path: Of the file below the data set's folder.

    Returns:
        Whether it is.
    """
    return path.suffix.lower() in SUFFIXES and not any(map(is_litter, path.parts))


def is_litter(name: str) -> bool:
    """Whether a file or folder of that name is hidden, or has been put there by a system.

    Args:
        name: Of the file or folder, without its parents.

    Returns:
        Whether it is.
    """
    return name.startswith(".") or name.lower() in _LITTER


def printable(name: str) -> str:
    """A name in the one form that Unicode has for it, what cannot be printed escaped.

    Args:
        name: Of a file, folder or class.

    Returns:
        The name in Unicode's composed form (NFC), without spaces at the ends.
    """
    normal = unicodedata.normalize("NFC", name).strip()
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in normal) or ascii(name)


def part_of(folders: tuple[str, ...]) -> str:
    """What the folders above a class say of training and test.

    Args:
        folders: Their names, outermost first.

    Returns:
        "test", "train" or, if they say nothing, "".
    """
    for folder in reversed(folders):
        if folder.lower() in _TEST_FOLDERS:
            return "test"
        if folder.lower() in _TRAINING_FOLDERS:
            return "train"
    return ""


def without_parts(folders: tuple[str, ...]) -> tuple[str, ...]:
    """The folders above a class but for those that `part_of` knows.

    Args:
        folders: Their names, outermost first.

    Returns:
        The others, in their order.
    """
    return tuple(f for f in folders if f.lower() not in _TEST_FOLDERS | _TRAINING_FOLDERS)


def natural_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """What sorts names as people do: 'a2' before 'a10'.

    Args:
        name: Any text.

    Returns:
        A key for `sorted`.
    """
    pieces = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return tuple((0, int(p)) if p[0] in "0123456789" else (1, p.casefold()) for p in pieces)
