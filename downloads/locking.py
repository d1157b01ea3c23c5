"""Keeping a second process away from the cache folder while one writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from downloads.unpacking import on_disk
from process_lock import holding


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
            stack.enter_context(holding(path, wait))
        yield
