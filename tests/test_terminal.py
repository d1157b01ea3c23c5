"""Tests of asking and showing: the pieces, and the program in a pseudo-terminal."""

import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import menu
import terminal
from data_parser import DataSet, write_npz
from errors import UserError
from terminal import InputEnded, PipeAsker, as_path, ask_yes_or_no, shown_path

ROOT = Path(__file__).resolve().parent.parent
PROMPT = "Help, Exit:"  # its end, which is never broken at these widths
UP = "\x1b[A"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
Spawn = Callable[..., Any]


def pipe(answers: str) -> tuple[PipeAsker, io.StringIO]:
    dialogue = io.StringIO()
    return PipeAsker(io.StringIO(answers), dialogue), dialogue


# ------------------------------------------------------------------------- the pieces


def test_a_pipe_gives_one_answer_a_line_and_the_dialogue_shows_both() -> None:
    asker, dialogue = pipe(" one \ntwo")
    assert [asker.ask("A?"), asker.ask("B?")] == ["one", "two"]
    with pytest.raises(InputEnded):
        asker.ask("C?")
    assert dialogue.getvalue() == "A? one\nB? two\nC? \n"


def test_control_characters_never_reach_the_answer() -> None:
    asker, dialogue = pipe("a\x1b[2J\0\x07\x7fb\u202e\n")
    assert asker.ask("?") == "a[2Jb"
    assert "\x1b" not in dialogue.getvalue()


def test_bytes_of_a_file_name_that_are_no_utf_8_stay_in_an_answer() -> None:
    asker, _ = pipe("bad\udcff.png\nlone\ud800\n")
    assert os.fsencode(asker.ask("?")) == b"bad\xff.png"
    assert asker.ask("?") == "lone"


def test_a_line_that_is_too_long_is_one_answer_cut_off() -> None:
    longest = terminal.LONGEST_ANSWER
    for length in (longest - 1, longest, longest + 1, 5 * longest):
        asker, _ = pipe("x" * length + "\nnext\n")
        assert asker.ask("?") == "x" * min(length, longest)
        assert asker.ask("?") == "next"


def test_yes_or_no_ends_with_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputEnded):
        ask_yes_or_no(pipe("perhaps\nyess\n")[0], "Really?")
    assert capsys.readouterr().out.count("is neither Y nor N.") == 2


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ("a b.txt", Path("a b.txt")),
        ("'a b.txt'", Path("a b.txt")),
        ('"a b.txt"', Path("a b.txt")),
        ("it's", Path("it's")),
        ("'", Path("'")),
        ("~/x", Path.home() / "x"),
        ("~nouser/x", Path("~nouser/x")),
        ("my\\ first\\ letter.jpg", Path("my first letter.jpg")),
        ("file:///tmp/my%20letter.jpg", Path("/tmp/my letter.jpg")),
    ],
)
def test_a_path_is_taken_as_it_is_pasted(answer: str, path: Path) -> None:
    assert as_path(answer) == path


@pytest.mark.parametrize("name", ["at\u202fPM.jpg", "a\u00a0b", "می\u200cخواهم.png", "👩\u200d🎨"])
def test_what_is_not_seen_in_a_file_name_stays_in_an_answer(name: str) -> None:
    assert PipeAsker(io.StringIO(f"{name}\x07\u202e\n"), io.StringIO()).ask("Path:") == name


@pytest.mark.parametrize("answer", ["", "  ", "''", '""', "a\0b"])
def test_no_path_is_said(answer: str) -> None:
    with pytest.raises(UserError, match="no path was given"):
        as_path(answer)


def test_a_path_is_shown_as_short_as_it_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert shown_path(tmp_path / "here" / "a" / "b") == "a/b"
    assert shown_path(tmp_path / "there") == "~/there"
    assert shown_path(Path("/elsewhere")) == "/elsewhere"
    assert shown_path(Path("relative")) == "relative"
    (tmp_path / "here").rmdir()
    assert shown_path(Path("/elsewhere")) == "/elsewhere"


@pytest.mark.parametrize(
    ("changes", "colours"),
    [
        ({}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "vt100"}, False),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
    ],
)
def test_colours_are_shown_where_the_terminal_has_them(
    changes: dict[str, str], colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(io.StringIO):
        encoding = "UTF-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Screen())
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ({"TERM": "xterm-256color"} | changes).items():
        monkeypatch.setenv(name, value)
    assert terminal.shows_colours() is colours


def test_a_pipe_shows_no_colours() -> None:
    assert not terminal.shows_colours()


def test_a_name_is_printed_as_it_is_spelt(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.make_console().print(":smile: [b]A[/b] 'x' 0x1f")
    assert capsys.readouterr().out == ":smile: [b]A[/b] 'x' 0x1f\n"


# ------------------------------------------------------------------------- in a terminal


@pytest.fixture
def spawn(data_set: DataSet, saved_collection: Path, tmp_path: Path) -> Iterator[Spawn]:
    """Starts the program in a pseudo-terminal of 80 columns, in a folder with files to train."""
    pexpect = pytest.importorskip("pexpect", reason="pexpect is not installed")
    write_npz(data_set, tmp_path / "letters.npz")
    (tmp_path / "networks.txt").write_text(
        "[[{'type':'flatten'}, {'type':'dense','dense_layer_size':5}]]"
    )
    how = "{'optimizer':'sgd','verbose':1,'train_batch_size':%d,'train_epochs':%d}"
    (tmp_path / "short.txt").write_text(how % (64, 1))
    (tmp_path / "long.txt").write_text(how % (1, 2000))
    started = []

    def spawn_one(columns: int = 80, **environment: str) -> Any:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            kept.pop(name, None)
        process = pexpect.spawn(
            sys.executable,
            [str(ROOT / "__init__.py"), "letters.npz", "-m", str(saved_collection)],
            cwd=str(tmp_path),
            env=kept | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | environment,
            dimensions=(40, columns),
            encoding="utf-8",
            timeout=60,
        )
        started.append(process)
        process.expect_exact(PROMPT)
        return process

    yield spawn_one
    for process in started:
        process.close(force=True)


def leave(process: Any) -> None:
    pexpect = pytest.importorskip("pexpect")
    process.sendcontrol("d")
    process.expect(pexpect.EOF)
    process.wait()
    assert process.exitstatus == 0


def test_reading_that_takes_its_time_is_shown_and_can_be_stopped(tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect", reason="pexpect is not installed")
    grey = np.random.default_rng(0).integers(90, 160, (20_000, 40, 40), np.uint8)
    grey[:, 8:30, 18:24] = 10
    np.savez(tmp_path / "scans.npz", images=grey, labels=np.arange(20_000) % 2)
    process = pexpect.spawn(
        sys.executable,
        [str(ROOT / "__init__.py"), "scans.npz"],
        cwd=str(tmp_path),
        dimensions=(40, 80),
        encoding="utf-8",
        timeout=60,
    )
    process.expect(r"Reading scans\.npz: [0-9,]+ images")
    process.expect(r"Reading scans\.npz: [0-9,]+ images")
    process.sendintr()
    process.expect(pexpect.EOF)
    assert "Traceback" not in process.before
    process.wait()
    assert process.exitstatus == 130


def test_words_and_paths_are_completed_and_earlier_answers_come_back(spawn: Spawn) -> None:
    process = spawn(columns=300)
    process.send("tra\t")
    process.expect_exact("Train")
    process.send("\r")
    process.expect(r"Path of the hyperparameter file \[.*\]:")
    process.send("netw\t")
    process.expect_exact("orks.txt")
    process.send("\r")
    process.expect_exact("Path of the training-parameter file")
    process.sendintr()
    process.expect_exact("Stopped.")
    process.expect_exact(PROMPT)
    process.send("results\r")
    process.expect_exact("Show layers? (Y/N):")
    process.send("n\r")
    process.expect_exact("Predict uses it.")
    process.expect_exact(PROMPT)
    process.send(UP + UP + "\r")  # first "n", then "results"
    process.expect_exact("Show layers? (Y/N):")
    process.send("n\r")
    process.expect_exact("Predict uses it.")
    process.expect_exact(PROMPT)
    leave(process)

    again = spawn()
    again.send(UP + UP + "\r")  # from the session before
    again.expect_exact("Show layers? (Y/N):")
    leave(again)


def test_a_question_that_is_longer_than_a_line_is_broken_between_words(spawn: Spawn) -> None:
    process = spawn(columns=60)
    words = [word for word in re.split(r"[\s,:]+|\x1b\[[0-9;?]*[a-zA-Z]", process.before) if word]
    assert {*menu.HELP} - {"Help", "Exit"} <= {*words}
    leave(process)


def test_ctrl_c_at_the_prompt_asks_and_a_no_stays(spawn: Spawn) -> None:
    process = spawn()
    process.sendintr()
    process.expect_exact("Leave? (Y/N):")
    process.send("n\r")
    process.expect_exact(PROMPT)
    process.sendintr()
    process.expect_exact("Leave? (Y/N):")
    process.send("y\r")
    pexpect = pytest.importorskip("pexpect")
    process.expect(pexpect.EOF)
    process.wait()
    assert process.exitstatus == 0


def test_a_training_that_is_told_to_end_leaves_the_terminal_as_it_was(spawn: Spawn) -> None:
    pexpect = pytest.importorskip("pexpect", reason="pexpect is not installed")
    process = spawn()
    process.send("train\rnetworks.txt\rlong.txt\rn\r")
    process.expect(r"epoch +\d+/2000")
    process.kill(signal.SIGTERM)
    process.expect(pexpect.EOF)
    assert process.before.rindex(SHOW_CURSOR) > process.before.rfind(HIDE_CURSOR)
    process.wait()
    assert process.exitstatus == 128 + signal.SIGTERM


def test_a_training_is_shown_as_it_goes_and_ctrl_c_ends_it(spawn: Spawn) -> None:
    process = spawn()
    process.send("train\rnetworks.txt\rlong.txt\rn\r")
    process.expect_exact("dense 5 relu")  # 'verbose': 1
    process.expect(
        r"epoch +\d+/2000 batch +\d+/\d+ loss \d+\.\d{3} acc\. +\d+\.\d% "
        r"val\. +[\d.]+% [\d:]+ left"
    )
    process.send("typed meanwhile")
    process.expect(r"epoch +\d+/2000")
    assert "typed" not in process.before
    process.sendintr()
    process.expect_exact("Training was ended in variant 0; what was finished before is kept.")
    process.expect_exact("The collection has 2 entries.")
    process.expect_exact(PROMPT)

    process.send("predict\rbasic\rA\r")
    process.expect_exact("▀")
    process.expect_exact("Predicted character:")
    process.expect_exact(PROMPT)

    process.send("evaluate\r\r")
    process.expect_exact("On the test split of letters.npz:")
    process.expect_exact(PROMPT)
    process.send("train\ry\rn\rshort.txt\rn\r")
    process.expect_exact("Variant 0 is trained in")
    process.expect_exact("Until you Save it, it is kept in")
    process.expect_exact(PROMPT)
    assert process.isalive()
    leave(process)
    assert "Entries that were not saved are kept in" in process.before
    assert "E0000" not in process.before and "tensorflow" not in process.before


def test_a_terminal_without_abilities_gets_lines_and_ascii(spawn: Spawn) -> None:
    process = spawn(TERM="dumb", NO_COLOR="1")
    shown = ""
    for answers, end in (
        (("train", "networks.txt", "short.txt", "n"), "is kept in"),
        (("predict", "basic", "A"), "Predicted character:"),
        (("results", "n"), "Predict uses it."),
    ):
        for answer in answers:
            process.send(answer + "\r")
        process.expect_exact(end)
        shown += process.before + process.after
        process.expect_exact(PROMPT)
        shown += process.before
    process.send("exit\r")  # Ctrl-D is lost where it comes before the terminal is made ready
    process.expect_exact("exit")
    assert re.search(r"  epoch 1/1, \d+ batches: loss", shown)
    assert len(re.findall(r"^\|.{28}\|\r?$", shown, re.MULTILINE)) == 14
    assert "▀" not in shown
    printed = re.sub(r"\x1b\[\?2004[hl]|\x1b\[6n", "", shown)
    assert "\x1b" not in printed
