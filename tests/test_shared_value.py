"""Tests of values that processes hold once."""

import multiprocessing
import os
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from crews.shared_value import SharedValue

if os.name != "posix":
    pytest.skip("only POSIX systems hand files on", allow_module_level=True)

MEGABYTE = 2**20
Value = dict[str, npt.NDArray[np.uint8] | npt.NDArray[np.int64] | str]


def own_memory() -> int:
    """Bytes that this process shares with no other."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def read_and_write(connection: Connection, shared: SharedValue) -> None:
    """What a process does that gets a value: reads all of it, and spoils a little."""
    before = own_memory()
    value: Value = shared.open()
    images, odd = value["images"], value["odd"]
    assert isinstance(images, np.ndarray) and isinstance(odd, np.ndarray)
    connection.send((int(images.sum(dtype=np.int64)), odd.tolist(), value["name"]))
    connection.send(own_memory() - before)
    images[:5] = 0
    odd[:] = 0


def given_to_another_process(value: Value) -> tuple[object, int]:
    """Share a value with a process; returns what it saw, and how much memory that took there."""
    shared = SharedValue(value)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=read_and_write, args=(theirs, shared)
    )
    process.start()
    theirs.close()
    seen, taken = ours.recv(), ours.recv()
    process.join()
    shared.close()
    assert process.exitcode == 0
    return seen, taken


@pytest.mark.parametrize("in_memory", [True, False])
def test_another_process_sees_the_arrays_without_a_copy_and_nothing_is_left(
    in_memory: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*given: object) -> int:
        raise OSError(28, "No space left on device")

    if not in_memory:
        monkeypatch.setattr(os, "memfd_create", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    images = np.full(64 * MEGABYTE, 3, np.uint8)
    value: Value = {"odd": np.arange(7), "images": images, "name": "letters"}
    seen, taken = given_to_another_process(value)
    assert seen == (3 * 64 * MEGABYTE, list(range(7)), "letters")
    assert taken < 8 * MEGABYTE
    assert (images == 3).all()
    assert not list(tmp_path.iterdir())


def test_no_room_anywhere_is_an_error_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*given: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "pwrite", fail)
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError, match="No space left"):
        SharedValue(np.zeros(1000))
    assert len(os.listdir("/dev/fd")) == before and not list(tmp_path.iterdir())
