"""What is wrong with a file, said in one line that is safe to print."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from errors import DataError

_LONGEST_QUOTE = 160


class Problem(Exception):
    """What is wrong inside a file, without the file's name; `naming` adds that.

    Attributes:
        left_out: "file: why" of each file that was left out before, which may be the cause.
    """

    def __init__(self, message: str, left_out: Sequence[str] = ()) -> None:
        """Say what is wrong, and which files were left out."""
        super().__init__(message)
        self.left_out = tuple(left_out)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading a file into an error that names it.

    Args:
        path: The file.

    Raises:
        DataError: Instead of Problem, MemoryError and OSError.
    """
    try:
        yield
    except Problem as problem:
        raise DataError(f"{shown(path)}: {problem}", problem.left_out) from problem
    except MemoryError as error:
        raise DataError(
            f"{shown(path)}: there is not enough memory to read it; a smaller copy can be made "
            "with shrink_emnist.py"
        ) from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise DataError(f"{shown(path)}: cannot be read: {one_line(reason)}") from error


@contextlib.contextmanager
def telling_what_was_left_out(skipped: Sequence[str]) -> Iterator[None]:
    """Name the first file or folder that was left out where what is left cannot be used.

    Args:
        skipped: "file: why" of each.

    Raises:
        Problem: The one that was raised, with that, where files were left out.
    """
    try:
        yield
    except Problem as problem:
        if not skipped:
            raise
        which = "" if len(skipped) == 1 else f", the first of {len(skipped):,}"
        raise Problem(f"{problem}; left out{which}: {one_line(skipped[0])}", skipped) from problem


@contextlib.contextmanager
def library(kind: str) -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into a problem.

    zipfile, numpy's and HDF5's readers raise a dozen types on damaged bytes and document few, so
    every Exception is meant here. Only calls of such libraries belong inside.

    Args:
        kind: The kind of file for the message.

    Raises:
        Problem: Instead of any Exception but MemoryError.
    """
    try:
        yield
    except (Problem, MemoryError):
        raise
    except Exception as error:
        raise damaged(kind, str(error) or type(error).__name__) from error


def damaged(kind: str, reason: str) -> Problem:
    """Make the problem of a file that does not hold together.

    Args:
        kind: The kind of file.
        reason: What does not fit; any text.

    Returns:
        The problem, to be raised.
    """
    return Problem(f"the {kind} file is cut off or damaged ({one_line(reason)})")


def one_line(text: str) -> str:
    """Make text safe for one line of a terminal, and not too long for it.

    Args:
        text: Any text.

    Returns:
        Up to 160 printable characters.
    """
    start = text[: 8 * _LONGEST_QUOTE]  # what is cut off is not worth going through
    line = "".join(c if c.isprintable() else "?" for c in " ".join(start.split()))
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 3] + "..."


def quoted(text: str) -> str:
    """Make text fit for a message as `one_line` does, in quotation marks.

    Args:
        text: Any.

    Returns:
        One line in quotation marks.
    """
    return "'" + one_line(text) + "'"


def shown_name(path: Path) -> str:
    """The name of a file or folder, fit for a line of a terminal or a picture.

    Args:
        path: One without a name, such as ".", is looked up.

    Returns:
        The name, with a "?" for each character that cannot be printed.
    """
    name = path.name or path.absolute().name
    return "".join(c if c.isprintable() else "?" for c in name)


def shown(path: Path) -> str:
    """Make a path fit for a message.

    Args:
        path: Any.

    Returns:
        The path as it is, or escaped if it holds unprintable characters.
    """
    text = str(path)
    return text if text.isprintable() else ascii(text)
