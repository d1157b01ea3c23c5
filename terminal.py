"""Asking questions and printing answers: at a terminal with completion and history, or in a pipe.

Both ask the same questions in the same order. A pipe gives one answer a line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from errors import UserError

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer
    from rich.console import Console

PIPE_WIDTH = 160


class InputEnded(Exception):
    """There is no further answer."""


class Asker(Protocol):
    """Where answers come from."""

    def ask(self, question: str, words: Sequence[str] = (), *, paths: bool = False) -> str:
        """Ask a question.

        Args:
            question: shown before the answer.
            words: answers to offer for completion.
            paths: offer the paths of files and folders.

        Returns:
            The answer without space around it.

        Raises:
            InputEnded: no answer will come any more.
            KeyboardInterrupt: Ctrl-C.
        """


class PipeAsker:
    """Reads one answer a line from a stream, and writes the dialogue to another."""

    def __init__(self, answers: IO[str], dialogue: IO[str]) -> None:
        """Read from `answers`; print questions, with their answers, on `dialogue`."""
        self._answers = answers
        self._dialogue = dialogue

    def ask(self, question: str, words: Sequence[str] = (), *, paths: bool = False) -> str:
        """Take the next line; see `Asker.ask`."""
        print(question, end=" ", file=self._dialogue, flush=True)
        line = self._answers.readline()
        if not line:
            print(file=self._dialogue, flush=True)
            raise InputEnded
        answer = "".join(letter for letter in line.strip() if letter.isprintable())
        print(answer, file=self._dialogue, flush=True)
        return answer


class PersonAsker:
    """Asks a person at a terminal, with completion of words and paths, and a history."""

    def __init__(self, history_file: Path) -> None:
        """Ask at the process's terminal; `history_file` keeps the answers if it can."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory, History, InMemoryHistory

        history: History = InMemoryHistory()
        try:
            history_file.parent.mkdir(parents=True, exist_ok=True)
            with history_file.open("ab"):
                history = FileHistory(str(history_file))
        except OSError:
            pass  # a home that cannot be written costs the history, nothing else
        self._session: PromptSession[str] = PromptSession(history=history)

    def ask(self, question: str, words: Sequence[str] = (), *, paths: bool = False) -> str:
        """Ask at the terminal; see `Asker.ask`."""
        try:
            answer = self._session.prompt(
                question + " ",
                completer=_completer(words, paths),
                complete_while_typing=False,
            )
        except EOFError as error:
            raise InputEnded from error
        return answer.strip()


def _completer(words: Sequence[str], paths: bool) -> Completer | None:
    from prompt_toolkit.completion import PathCompleter, WordCompleter

    if paths:
        return PathCompleter(expanduser=True)
    return WordCompleter(list(words), ignore_case=True) if words else None


def make_asker(history_file: Path) -> Asker:
    """A person's asker where input and output are a terminal, else a pipe's."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return PersonAsker(history_file)
    return PipeAsker(sys.stdin, sys.stdout)


def make_console() -> Console:
    """Where tables and progress are printed; in a pipe wide enough for every table."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def shows_colours() -> bool:
    """Whether standard output is a terminal that shows colours and block characters."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return (
        sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
        and encoding == "utf8"
    )


def ask_yes_or_no(asker: Asker, question: str) -> bool:
    """Ask until the answer is `Y` or `N`, or begins like `yes` or `no`, in any case.

    Raises:
        InputEnded: no answer will come any more.
        KeyboardInterrupt: Ctrl-C.
    """
    while True:
        answer = asker.ask(f"{question} (Y/N):", ("Y", "N")).lower()
        if answer and "yes".startswith(answer):
            return True
        if answer and "no".startswith(answer):
            return False
        print(f"{answer!r} is neither Y nor N.")


def as_path(answer: str) -> Path:
    """The path that an answer names; quotes around it are dropped, `~` is the home folder.

    Raises:
        UserError: it names none.
    """
    text = answer.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if not text or "\0" in text:
        raise UserError("no path was given; type the path of a file or folder")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text!r} names no home folder: {error}") from error
