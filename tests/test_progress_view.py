"""Tests of how a training is shown, in a pipe and at a terminal."""

import io
import time
from dataclasses import dataclass

import pytest
from rich.console import Console

from views.progress import make_progress_view, make_side_by_side_view


@dataclass(frozen=True)
class Stage:
    """A training that has nothing but its steps."""

    step: int
    steps: int = 100


@dataclass(frozen=True)
class LaterStage:
    """What the same training does afterwards."""

    step: int
    steps: int = 10


Progress = Stage | LaterStage


def words(progress: Progress) -> str:
    return f"{type(progress).__name__} [{progress.step}]"


def in_a_pipe(lines: int, *told: Progress) -> None:
    with make_progress_view(Console(file=io.StringIO()), words, lines) as show:
        for progress in told:
            show(progress)


def test_a_pipe_gets_as_many_lines_as_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    in_a_pipe(4, *(Stage(step) for step in range(1, 101)))
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"  Stage [{step}]" for step in (25, 50, 75, 100)]


def test_steps_that_are_told_seldom_make_fewer_lines(capsys: pytest.CaptureFixture[str]) -> None:
    in_a_pipe(4, Stage(10), Stage(60), Stage(70), Stage(100))
    assert capsys.readouterr().out.splitlines() == ["  Stage [60]", "  Stage [100]"]


def test_each_sort_of_progress_has_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    in_a_pipe(2, Stage(50), Stage(100), LaterStage(4), LaterStage(5), LaterStage(10))
    assert capsys.readouterr().out.splitlines() == [
        "  Stage [50]",
        "  Stage [100]",
        "  LaterStage [5]",
        "  LaterStage [10]",
    ]


def test_a_terminal_gets_a_bar_and_what_is_printed_above_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, color_system=None)

    def print_above(progress: Stage) -> None:
        if progress.step == 50:
            console.print("half of it")

    with make_progress_view(console, words, 4, print_above) as show:
        for step in (25, 50, 100):
            show(Stage(step))
    assert "Stage [100] ━" in written.getvalue(), "the words as they are, and the bar"
    assert written.getvalue().count("half of it") == 1
    assert capsys.readouterr().out == ""


def test_a_terminal_that_cannot_move_gets_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with make_progress_view(Console(file=io.StringIO(), force_terminal=True), words, 1) as show:
        show(Stage(100))
    assert capsys.readouterr().out == "  Stage [100]\n"


# ------------------------------------------------------------------------- several at once


def test_a_pipe_gets_lines_of_each_training_with_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with make_side_by_side_view(Console(file=io.StringIO()), words, 2) as view:
        for name, step in (("A", 30), ("B", 50), ("A", 60), ("B", 60), ("A", 100)):
            view.show(name, Stage(step))
        view.end("A")
        view.show("A", Stage(50))  # it began again
        view.end("never shown")
    assert capsys.readouterr().out.splitlines() == [
        "  B: Stage [50]",
        "  A: Stage [60]",
        "  A: Stage [100]",
        "  A: Stage [50]",
    ]


def test_a_terminal_has_a_bar_of_each_training_until_it_ends() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=60, height=20)

    def shown_last() -> str:
        console.file.seek(0)  # what was shown before is forgotten
        console.file.truncate()
        for _ in range(50):
            time.sleep(0.3)  # bars are drawn ten times a second, on a busy machine less often
            if console.file.getvalue():  # type: ignore[attr-defined]
                break
        return str(console.file.getvalue())  # type: ignore[attr-defined]

    with make_side_by_side_view(console, words, 2) as view:
        assert "starting" in shown_last()
        view.show("A", Stage(30))
        view.show("B", Stage(50))
        both = shown_last()
        assert "A: Stage [30]" in both and "B: Stage [50]" in both and "starting" not in both
        view.end("A")
        view.end("never shown")
        one = shown_last()
        assert "A: Stage" not in one and "B: Stage [50]" in one
