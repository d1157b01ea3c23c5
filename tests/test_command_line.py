"""Tests of what the programs beside the menu share: their sentences, exit codes and new files."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Parser, check_new_file, ctrl_c_leaves, run, say, whole_number_from
from errors import DataError, UserError

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import sys
from command_line import Parser, run, say
from errors import UserError

def work(options):
    say("a line")
    if options.fail:
        raise UserError("the file is empty")

parser = Parser(prog="program.py")
parser.add_argument("--fail", action="store_true")
sys.exit(run(parser, None, work))
"""


def ended(work: Callable[[argparse.Namespace], None], *arguments: str) -> int:
    """The exit code of a program that takes a number."""
    parser = Parser(prog="program.py")
    parser.add_argument("--number", type=int)
    return run(parser, arguments, work)


def raising(error: BaseException) -> Callable[[argparse.Namespace], None]:
    def work(options: argparse.Namespace) -> None:
        raise error

    return work


def test_work_gets_the_arguments_and_its_end_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda options: say(f"got {options.number}"), "--number", "7") == 0
    assert capsys.readouterr() == ("got 7\n", "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("the file is empty"), "the file is empty"),
        (OSError(28, "No space left on device", "a.npz"), "a.npz: No space left on device"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(13, "Permission denied", "a\nb"), "'a\\nb': Permission denied"),
        (OSError("two\nlines"), "two lines"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_is_one_sentence_with_the_programs_name(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(raising(error)) == 2
    assert capsys.readouterr() == ("", f"program.py: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--number", "x"], "'x'"), (["--what"], "--what"), (["--wh\nat"], "--wh at")],
)
def test_wrong_arguments_are_one_sentence_and_nothing_is_done(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(raising(AssertionError("work was done")), *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("program.py: ") and said in err and err.count("\n") == 1


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("007", 7), (str(2**70), 2**70)])
def test_a_whole_number_may_be_the_least_or_any_larger_one(text: str, number: int) -> None:
    assert whole_number_from(2)(text) == number


@pytest.mark.parametrize("text", ["1", "-5", "2.5", "", "two", "9" * 5000])
def test_what_is_no_whole_number_or_too_small_is_quoted(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        whole_number_from(2)(text)
    assert str(caught.value) == f"{text[:40]!r} is no whole number from 2 up"


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ended(raising(ZeroDivisionError()))


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "program.py: stopped\n")


def test_ctrl_c_says_what_is_left_as_the_innermost_work_tells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(options: argparse.Namespace) -> None:
        with ctrl_c_leaves("nothing was written"), ctrl_c_leaves("a.mat is written"):
            raise KeyboardInterrupt

    assert ended(work) == 130
    assert capsys.readouterr().err == "program.py: stopped; a.mat is written\n"


@pytest.mark.parametrize("output", ["> /dev/full", ">&-", "| true"])
def test_output_that_cannot_be_written_changes_no_exit_code(output: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    for option, code, said in (("", 0, ""), ("--fail", 2, "program.py: the file is empty\n")):
        line = f'"$0" -c "$1" {option} {output}; exit ${{PIPESTATUS[0]}}'
        done = subprocess.run(
            ["bash", "-c", line, sys.executable, PROGRAM],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.parametrize("closed", ["2> /dev/full", "2>&-"])
def test_an_error_that_cannot_be_said_keeps_its_exit_code(closed: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    line = f'"$0" -c "$1" --fail {closed}'
    command = ["bash", "-c", line, sys.executable, PROGRAM]
    assert subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60).returncode == 2


def test_a_new_file_in_a_folder_may_be_written_and_is_not_yet(tmp_path: Path) -> None:
    check_new_file(tmp_path / "new.npz", ".npz", force=False)
    check_new_file(tmp_path / "NEW.NPZ", ".npz", force=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    old = tmp_path / "old.npz"
    old.write_bytes(b"old")
    with pytest.raises(DataError, match=r"old\.npz: exists already; .* --force"):
        check_new_file(old, ".npz", force=False)
    check_new_file(old, ".npz", force=True)
    assert old.read_bytes() == b"old" and list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("new.mat", r"new\.mat: does not end in \.npz"),
        ("new", r"new: does not end in \.npz"),
        ("no/new.npz", "there is no folder .*/no; make it first"),
        (".", r"is a folder; name a file in it that ends in \.npz"),
        ("source.npz", "is the source itself"),
        ("link.npz", "is the source itself"),
        ("x" * 250 + ".npz", "cannot be written: File name too long"),
        ("new\0.npz", r"new\\x00\.npz.*: cannot be written"),
        ("no\nsuch/new.npz", r"no\\nsuch"),
    ],
)
def test_a_file_that_cannot_or_must_not_be_written_is_refused(
    tmp_path: Path, name: str, said: str
) -> None:
    source = tmp_path / "source.npz"
    source.write_bytes(b"data")
    (tmp_path / "link.npz").symlink_to(source)
    with pytest.raises(DataError, match=said):
        check_new_file(tmp_path / name, ".npz", force=True, source=source)
    assert source.read_bytes() == b"data"


@pytest.mark.skipif(sys.platform == "win32", reason="folders have other permissions there")
def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    folder = tmp_path if os.geteuid() else Path("/proc")  # root may write into any other
    if not folder.exists():
        pytest.skip("this user may write anywhere")
    with pytest.raises(DataError, match=r"new\.npz: cannot be written"):
        check_new_file(folder / "new.npz", ".npz", force=False)
