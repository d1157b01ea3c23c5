"""Names for new files and folders where nothing lies yet."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def unused_path(path: Path) -> Path:
    """A path where nothing is yet.

    Args:
        path: that is asked for.

    Returns:
        The path, or, where something is there already, the first free one with a number added.
    """
    number = 1
    free = path
    while os.path.lexists(free):  # and a name that no file can have is free
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def new_folder(path: Path) -> Path:
    """Make a folder where nothing is yet, also where other programs do the same meanwhile.

    Args:
        path: that is asked for; folders above it are made, too.

    Returns:
        The folder: the path, or the first free one with a number added.

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        free = unused_path(path)
        with contextlib.suppress(FileExistsError):  # another program was a moment earlier
            free.mkdir()
            return free


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Take a name where nothing is yet, for a file that is written within this context.

    Args:
        path: that is asked for.

    Yields:
        The path, or the first free one with a number added; an empty file of this program's own,
        which is taken away again where anything is raised.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        free = unused_path(path)
        with contextlib.suppress(FileExistsError):  # another program was a moment earlier
            free.open("xb").close()
            break
    try:
        yield free
    except BaseException:
        free.unlink(missing_ok=True)
        raise
