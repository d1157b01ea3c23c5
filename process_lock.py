"""A lock that one process of a machine holds at a time, by a file; it ends with its process."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOCK_NAME = ".lock"
PATIENCE = 60.0  # seconds; reading, copying and writing a collection takes some at most
_BETWEEN_TRIES = 0.1  # seconds
# What lies there in the file's place is never written through, nor waited for where it is a pipe.
_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def give_up_in_time(waited: float) -> None:
    """End the waiting for another program when it lasts too long.

    Args:
        waited: seconds until now.

    Raises:
        TimeoutError: they are more than `PATIENCE`.
    """
    if waited > PATIENCE:
        raise TimeoutError(0, f"another program has been writing to it for {PATIENCE:.0f} s")


@contextlib.contextmanager
def alone_in(
    folder: Path, while_waiting: Callable[[float], None] = give_up_in_time
) -> Iterator[None]:
    """Keep other programs that do the same from writing to a folder meanwhile.

    Args:
        folder: where; it gets an empty `LOCK_NAME`.
        while_waiting: told several times a second how many seconds another program was waited for;
            raises OSError to end the waiting.

    Raises:
        OSError: as `holding` does, or by `while_waiting`.
    """
    started = time.monotonic()

    def wait(seconds: float) -> None:
        while_waiting(time.monotonic() - started)
        time.sleep(seconds)

    with holding(folder / LOCK_NAME, wait):
        yield


@contextlib.contextmanager
def holding(path: Path, wait: Callable[[float], None]) -> Iterator[None]:
    """Wait until no other process holds the lock, and hold it.

    Args:
        path: the lock file; it is made empty, and stays.
        wait: lets seconds pass, or raises to end the waiting.

    Raises:
        OSError: the file cannot be made, or its file system does not know locks.
    """
    descriptor = _opened(path)
    try:
        while not _taken(descriptor):
            wait(_BETWEEN_TRIES)
        try:
            yield
        finally:
            _let_go(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | _CAREFULLY, 0o666)
    except PermissionError:  # in a shared folder it may be another user's, and can still be locked
        return os.open(path, os.O_RDONLY | _CAREFULLY)


if sys.platform == "win32":
    import msvcrt

    # Windows locks bytes, from where the file stands, which here is always its beginning.
    def _taken(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _let_go(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _taken(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
