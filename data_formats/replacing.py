"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from data_formats.problems import one_line, shown
from errors import DataError


@contextlib.contextmanager
def taking_the_place_of(path: Path, beside: Path) -> Iterator[None]:
    """Have a file that is written within this context replace another one in one step.

    Args:
        path: The file to be written; an existing one stays where something goes wrong.
        beside: Where it is written, in the same folder; nothing is left there in the end.

    Raises:
        OSError: The file cannot be put in its place.
    """
    try:
        yield
        with beside.open("r+b") as file:  # on disk before its name is
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file beside `path` that takes its place only if everything went well.

    Args:
        path: The file to be written; an existing one is replaced.

    Yields:
        The file to write to, binary.

    Raises:
        DataError: The file cannot be written; nothing is left of it.
    """
    with _saying(path, OSError, ValueError):  # ValueError: what is no file name at all
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        file = beside.open("xb")
    with _saying(path, OSError), taking_the_place_of(path, beside), file:
        yield file


@contextlib.contextmanager
def _saying(path: Path, *expected: type[Exception]) -> Iterator[None]:
    """Turn expected errors in writing `path` into one that names it."""
    try:
        yield
    except expected as error:
        reason = one_line(getattr(error, "strerror", None) or str(error))
        raise DataError(f"{shown(path)}: cannot be written: {reason}") from error
