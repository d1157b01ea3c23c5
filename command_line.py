"""What the programs beside the menu share: arguments, lines that are shown, and exit codes."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from data_formats.problems import one_line, shown
from data_formats.replacing import replacing
from errors import DataError, UserError

MOST_SEED = 2**32 - 1


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the arguments.

        Args:
            message: any text.

        Raises:
            UserError: always, with the text in one line.
        """
        raise UserError(one_line(message))


def run(
    parser: Parser,
    arguments: Sequence[str] | None,
    work: Callable[[argparse.Namespace], None],
) -> int:
    """Do a program's work, and say what ended it early in one sentence on stderr.

    Args:
        parser: of the program's arguments; its `prog` stands before that sentence.
        arguments: without the program's name; None for those of the process.
        work: what the program does with its parsed arguments.

    Returns:
        The exit code: 0, 2 after an error that the user can mend, or 130 after Ctrl-C.
    """
    try:
        work(parser.parse_args(arguments))
    except UserError as error:
        return _ended(parser, str(error), 2)
    except OSError as error:
        return _ended(parser, _told(error), 2)
    except KeyboardInterrupt as stop:
        return _ended(parser, "; ".join(["stopped", *map(str, stop.args)]), 130)
    return 0


def _ended(parser: Parser, reason: str, code: int) -> int:
    _write_line(f"{parser.prog}: {reason}", sys.stderr)
    return code


def _told(error: OSError) -> str:
    reason = one_line(error.strerror or str(error) or type(error).__name__)
    name = error.filename
    return (
        f"{shown(Path(os.fsdecode(name)))}: {reason}" if isinstance(name, str | bytes) else reason
    )


@contextlib.contextmanager
def ctrl_c_leaves(what: str) -> Iterator[None]:
    """Have `run` say what there is after Ctrl-C, if that comes within this context.

    Args:
        what: such as "nothing was written".

    Raises:
        KeyboardInterrupt: instead of one that says nothing.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(*(stop.args or (what,))) from stop


def say(line: str) -> None:
    """Print a line at once. Where it cannot be, as on a full disk, work goes on without a word.

    Args:
        line: any text; what the output's encoding lacks is shown as a question mark.
    """
    _write_line(line, sys.stdout)


def _write_line(line: str, stream: TextIO | None) -> None:
    if stream is None:  # it was closed before the program began
        return
    encoding = stream.encoding or "utf-8"
    try:
        print(line.encode(encoding, "replace").decode(encoding), file=stream, flush=True)
    except OSError:
        # What waits to be written would fail again, at the latest when the process ends.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def check_new_file(path: Path, suffix: str, *, force: bool, source: Path | None = None) -> None:
    """Refuse a file that cannot or must not be written, before any work is done for it.

    Args:
        path: the file; nothing that lies there is changed.
        suffix: that its name must end in, in small letters with the dot.
        force: whether it may replace a file.
        source: a file that is read for it, which it must not replace.

    Raises:
        DataError: it is the source or a folder, has another suffix, exists, or cannot be written.
    """
    named = shown(path)
    if source is not None and _same_file(source, path):
        raise DataError(f"{named}: is the source itself; name another file to be written")
    if os.path.isdir(path):
        raise DataError(f"{named}: is a folder; name a file in it that ends in {suffix}")
    if path.suffix.lower() != suffix:
        raise DataError(f"{named}: does not end in {suffix}; name a file that does")
    if os.path.lexists(path) and not force:
        raise DataError(f"{named}: exists already; name a new file, or replace it by --force")
    if not os.path.isdir(path.parent):
        raise DataError(f"{named}: there is no folder {shown(path.parent)}; make it first")
    with contextlib.suppress(_Writable), replacing(path):
        raise _Writable


class _Writable(Exception):
    """A file could be written, but is not to be yet."""


def _same_file(one: Path, other: Path) -> bool:
    try:
        if os.path.exists(one) and os.path.exists(other):
            return os.path.samefile(one, other)
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):  # what is no path is told where it is opened
        return False


def whole_number_from(least: int) -> Callable[[str], int]:
    """What makes a whole number of its text on the command line, as the type of an argument.

    Args:
        least: the number may be this or any larger one.

    Returns:
        A function that raises argparse.ArgumentTypeError where the text is no such number.
    """

    def number(text: str) -> int:
        with contextlib.suppress(ValueError):  # also of thousands of digits
            if (value := int(text)) >= least:
                return value
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from {least} up")

    return number


def a_seed(text: str) -> int:
    """A seed, from its text on the command line.

    Args:
        text: a whole number from 0 to 4294967295, which every library takes.

    Returns:
        The seed, 0 to 4294967295.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    digits = text.lstrip("0") or text[:1]
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10 or int(digits) > MOST_SEED:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no seed; give a whole number from 0 to {MOST_SEED}"
        )
    return int(digits)
