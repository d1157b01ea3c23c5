"""Tests of the lock that one process holds at a time, with real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from process_lock import holding

ROOT = Path(__file__).resolve().parent.parent
HOLD = """
import sys, time
from pathlib import Path
from process_lock import holding
with holding(Path(sys.argv[1]), time.sleep):
    print("held", flush=True)
    sys.stdin.readline()
print("let go", flush=True)
sys.stdin.readline()
"""


class Impatient(Exception):
    """Ends the waiting."""


def give_up(seconds: float) -> None:
    raise Impatient


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process, which holds the lock until it is sent a line, and ends at the next."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def send_a_line(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "let go\n"


def test_what_nobody_holds_is_held_at_once(path: Path) -> None:
    with holding(path, give_up):
        assert path.read_bytes() == b""
    with holding(path, give_up):
        pass


def test_who_waits_may_give_up(path: Path, holder: "subprocess.Popen[str]") -> None:
    for _ in range(2):
        with pytest.raises(Impatient), holding(path, give_up):
            pytest.fail("two hold the lock")


def test_who_waits_goes_on_when_the_other_lets_go(
    path: Path, holder: "subprocess.Popen[str]"
) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            send_a_line(holder)

    with holding(path, wait):
        assert holder.poll() is None, "it goes on without the lock"
    assert len(waited) == 2 and all(0 < seconds < 1 for seconds in waited)


def test_a_process_that_is_killed_leaves_no_lock(
    path: Path, holder: "subprocess.Popen[str]"
) -> None:
    holder.kill()
    holder.wait()
    with holding(path, give_up):
        pass


def test_an_error_lets_go(path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), holding(path, give_up):
        raise ValueError("mine")
    with holding(path, give_up):
        pass


def test_a_process_does_not_hold_it_twice(path: Path) -> None:
    with holding(path, give_up), pytest.raises(Impatient), holding(path, give_up):
        pytest.fail("held twice")


def test_nothing_is_left_open(path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    with holding(path, give_up), pytest.raises(Impatient), holding(path, give_up):
        pass
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("kind", ["link", "folder", "no folder"])
def test_what_cannot_be_a_lock_is_an_error_of_the_system(path: Path, kind: str) -> None:
    if kind == "link":
        path.symlink_to(path.with_name("elsewhere"))
    elif kind == "folder":
        path.mkdir()
    where = path / "lock" if kind == "no folder" else path
    with pytest.raises(OSError), holding(where, give_up):
        pytest.fail("held")
    assert not path.with_name("elsewhere").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_cannot_be_written_is_locked_all_the_same(path: Path) -> None:
    path.touch(0o444)
    with holding(path, give_up), pytest.raises(Impatient), holding(path, give_up):
        pytest.fail("held twice")


def test_what_lies_in_the_file_stays(path: Path) -> None:
    path.write_text("mine")
    with holding(path, give_up):
        pass
    assert path.read_text() == "mine"


def test_a_pipe_in_its_place_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    started = time.monotonic()
    with holding(path, give_up):
        pass
    assert time.monotonic() - started < 5
