"""Finding a name for a new file or folder where nothing lies yet."""

from __future__ import annotations

import os
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
