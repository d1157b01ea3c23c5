"""Keeping a second process away while one writes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from downloads.unpacking import on_disk

_BETWEEN_TRIES = 0.1  # seconds


@contextlib.contextmanager
def only_process(path: Path, wait: Callable[[float], None]) -> Iterator[None]:
    """Wait until no other process holds the lock, and hold it; it ends with the process.

    Args:
        path: The lock file; it stays.
        wait: Lets seconds pass, or raises to end the waiting.

    Raises:
        DownloadError: The folder cannot be written to, or does not know locks.
    """
    with contextlib.ExitStack() as stack:
        with on_disk(path):
            file = stack.enter_context(path.open("ab"))
            while not _taken(file):
                wait(_BETWEEN_TRIES)
        yield


if sys.platform == "win32":
    import msvcrt

    def _taken(file: IO[bytes]) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _taken(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
