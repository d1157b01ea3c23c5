"""Asking questions and printing answers: at a terminal with completion and history, or in a pipe.

Both ask the same questions in the same order. A pipe gives one answer a line.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, Protocol

from errors import UserError

BYTES_OF_NAMES = frozenset(map(chr, range(0xDC80, 0xDD00)))  # as Python stands in for them
JOINERS = "\u200c\u200d"  # between letters; not seen

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History
    from rich.console import Console

PIPE_WIDTH = 160
LONGEST_ANSWER = 10_000  # characters; no path and no word is longer
QUOTED = 60


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
        line = self._answers.readline(LONGEST_ANSWER)
        if not line:
            print(file=self._dialogue, flush=True)
            raise InputEnded
        rest = line
        while len(rest) == LONGEST_ANSWER and not rest.endswith("\n"):
            rest = self._answers.readline(LONGEST_ANSWER)  # too long: never held as a whole
        answer = _printable(line)
        print(answer, file=self._dialogue, flush=True)
        return answer


class PersonAsker:
    """Asks a person at a terminal, with completion of words and paths, and a history."""

    def __init__(self, history_file: Path) -> None:
        """Ask at the process's terminal; `history_file` keeps the answers if it can."""
        from prompt_toolkit import PromptSession

        self._session: PromptSession[str] = PromptSession(history=_history(history_file))

    def ask(self, question: str, words: Sequence[str] = (), *, paths: bool = False) -> str:
        """Ask at the terminal; see `Asker.ask`."""
        try:
            answer = self._session.prompt(
                # Asked again when the window gets another width.
                lambda: _filled(question, shutil.get_terminal_size().columns) + " ",
                completer=_completer(words, paths),
                complete_while_typing=False,
            )
        except EOFError as error:
            raise InputEnded from error
        return _printable(answer)


def _printable(answer: str) -> str:
    """An answer without space around it and without control characters, as a paste may have.

    Spaces of any width, what joins and parts letters of Persian or emoji, and bytes that are no
    UTF-8 may be in file names.
    """
    return "".join(
        letter
        for letter in answer.strip()
        if letter.isprintable()
        or letter in JOINERS
        or letter in BYTES_OF_NAMES
        or unicodedata.category(letter) == "Zs"
    )


def _history(file: Path) -> History:
    """Earlier answers, from a file if there can be one."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class ForgivingHistory(FileHistory):
        def store_string(self, string: str) -> None:
            with contextlib.suppress(OSError):
                super().store_string(string)

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab"):
            return ForgivingHistory(str(file))
    except OSError:
        return InMemoryHistory()  # a home that cannot be written costs the history, nothing else


def _completer(words: Sequence[str], paths: bool) -> Completer:
    from prompt_toolkit.completion import PathCompleter, WordCompleter

    return PathCompleter(expanduser=True) if paths else WordCompleter(list(words), ignore_case=True)


def make_asker(history_file: Path) -> Asker:
    """A person's asker where input and output are a terminal, else a pipe's.

    Args:
        history_file: where a person's answers are kept.

    Returns:
        The asker.
    """
    if sys.stdin.isatty() and sys.stdout.isatty():
        return PersonAsker(history_file)
    return PipeAsker(sys.stdin, sys.stdout)


def make_console() -> Console:
    """Where tables and progress are printed.

    Returns:
        A console; in a pipe wide enough for every table.
    """
    from rich.console import Console

    class OutputConsole(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise BrokenPipeError  # the entry point ends quietly, as after `print`

    terminal = sys.stdout.isatty()
    width = None if terminal else PIPE_WIDTH
    return OutputConsole(
        force_terminal=terminal, width=width, highlight=False, markup=False, emoji=False
    )


def say(text: str) -> None:
    """Print text; at a terminal its lines are broken between words.

    Args:
        text: of one line or more.
    """
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(_filled(line, width) for line in text.split("\n"))
    print(text)


def _filled(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line,
        max(width, 20),
        subsequent_indent=indent,
        break_long_words=False,  # a path stays in one piece
        break_on_hyphens=False,
    )


def shown_path(path: Path) -> str:
    """A path as short as it can be typed.

    Args:
        path: absolute or not.

    Returns:
        The path from the current folder, or from the home folder, or as it is.
    """
    for find, prefix in ((Path.cwd, ""), (Path.home, "~/")):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            return prefix + str(path.relative_to(find()))
    return str(path)


@contextlib.contextmanager
def keys_unseen() -> Iterator[None]:
    """While something is shown that moves, keys do not appear in the middle of it."""
    try:
        import termios

        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
    except (ImportError, OSError, ValueError):
        yield
        return
    except termios.error:  # standard input is no terminal
        yield
        return
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    try:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, silent)
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def shows_colours() -> bool:
    """Whether standard output is a terminal that shows colours and block characters.

    Returns:
        Whether it is.
    """
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and not os.environ.get("TERM", "dumb").startswith(("dumb", "unknown", "vt"))
        and encoding == "utf8"
    )


def ask_yes_or_no(asker: Asker, question: str) -> bool:
    """Ask until the answer is `Y` or `N`, or begins like `yes` or `no`, in any case.

    Args:
        asker: of the session.
        question: without what can be answered.

    Returns:
        Whether the answer is yes.

    Raises:
        InputEnded: no answer will come any more.
        KeyboardInterrupt: Ctrl-C.
    """
    while True:
        answer = asker.ask(f"{question} (Y/N):", ("Y", "N"))
        meant = as_yes_or_no(answer)
        if meant is not None:
            return meant
        say(f"{quoted(answer)} is neither Y nor N.")


def as_yes_or_no(answer: str) -> bool | None:
    """What an answer to a question of yes or no means.

    Args:
        answer: as it was typed.

    Returns:
        True for `Y` or a beginning of `yes`, False for those of `no`, None for anything else.
    """
    for word, meaning in (("yes", True), ("no", False)):
        if answer and word.startswith(answer.lower()):
            return meaning
    return None


def quoted(answer: str) -> str:
    """An answer in quotation marks, shortened where it is long.

    Args:
        answer: as it was typed.

    Returns:
        The text.
    """
    return repr(answer if len(answer) <= QUOTED else answer[: QUOTED - 3] + "...")


def as_path(answer: str) -> Path:
    """The path that an answer names; quotes around it are dropped, `~` is the home folder.

    Args:
        answer: as it was typed.

    Returns:
        The path, not looked up.

    Raises:
        UserError: it names none.
    """
    text = answer.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    elif text.startswith("file://"):
        text = urllib.parse.unquote(text.removeprefix("file://"))
    elif "\\ " in text and os.name == "posix" and not os.path.exists(text):
        text = text.replace("\\ ", " ")  # as a terminal writes the path of a file dropped on it
    if not text or "\0" in text:
        raise UserError("no path was given; type the path of a file or folder")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)  # `~name` of somebody unknown: whoever opens it says that it is not there
