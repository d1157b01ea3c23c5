"""Tests of how a training is shown, in a pipe and at a terminal."""

import io
from dataclasses import dataclass

import pytest
from rich.console import Console

from progress_view import make_progress_view


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
