"""A value with large arrays that several processes hold once: in a file without a name.

The file is gone when the last process that has it ends, however it ends.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from collections.abc import Sequence
from multiprocessing import reduction
from typing import Any

ALIGNMENT = 64  # bytes; what vector instructions like best


class SharedValue:
    """A value to be handed to processes that multiprocessing spawns (not on Windows)."""

    def __init__(self, value: Any) -> None:
        """Write the arrays of a value to a file without a name.

        Args:
            value: anything that can be pickled; its arrays are C-contiguous.

        Raises:
            OSError: there is no room for it, neither in memory nor on disk.
        """
        buffers: list[pickle.PickleBuffer] = []
        self._head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        arrays = [buffer.raw() for buffer in buffers]
        self._sizes = [array.nbytes for array in arrays]
        try:
            self._descriptor = _written(_file_in_memory(), arrays)
        except (AttributeError, OSError):  # the system has no such files, or too little memory
            self._descriptor = _written(_file_on_disk(), arrays)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to a process while it is spawned: the file is handed on, not its content."""
        return self.__dict__ | {"_descriptor": reduction.DupFd(self._descriptor)}

    def open(self) -> Any:
        """The value, in a process that this was sent to.

        Its arrays are the shared ones; who writes to one gets a page of its own there.

        Returns:
            An equal value.
        """
        descriptor = self._descriptor.detach()
        content = memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))
        os.close(descriptor)
        starts = _starts(self._sizes)
        parts = [content[at : at + size] for at, size in zip(starts, self._sizes, strict=False)]
        return pickle.loads(self._head, buffers=parts)

    def close(self) -> None:
        """Let go of the file; processes that it was sent to keep it."""
        os.close(self._descriptor)


def _starts(sizes: Sequence[int]) -> list[int]:
    """Where arrays of so many bytes begin in the file; the last number is the file's size."""
    starts = [0]
    for size in sizes:
        starts.append(-(-(starts[-1] + size) // ALIGNMENT) * ALIGNMENT)
    return starts


def _file_in_memory() -> int:
    return os.memfd_create("images")


def _file_on_disk() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _written(descriptor: int, arrays: Sequence[memoryview]) -> Any:
    """Write arrays to an open file; returns its descriptor, or closes it."""
    starts = _starts([array.nbytes for array in arrays])
    try:
        os.ftruncate(descriptor, max(starts[-1], 1))
        for start, array in zip(starts, arrays, strict=False):
            written = 0
            while written < array.nbytes:
                written += os.pwrite(descriptor, array[written:], start + written)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
