"""The user's state folder: where it is, and the logs that are kept in it."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from storage.checked_folder import write_atomically
from terminal import shown_path


def state_folder() -> Path:
    """Folder for the history of answers and the log of defects.

    Returns:
        The folder, which need not be there.
    """
    import platformdirs

    return platformdirs.user_state_path("handwriting")


def log_left_out(source: str, left_out: Sequence[str]) -> str:
    """Write down what a data set lacks.

    Args:
        source: the data set, or what is wrong with it, in a line.
        left_out: "file: why" of each file that was left out of it.

    Returns:
        A sentence that says where it is written, or why it is not.
    """
    log = state_folder() / "left-out.log"
    heading = f"{datetime.now().isoformat(timespec='seconds')} {source}"
    lines = [heading, *left_out]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(log, "\n".join([*lines, ""]).encode("utf-8", "replace"))
    except OSError as error:
        return f"What was left out cannot be named in a log: {error.strerror or error}."
    return f"What was left out, and why, is named in {shown_path(log)}"


def log_defect(error: Exception) -> str:
    """Write a traceback to the log file.

    Args:
        error: the defect.

    Returns:
        The sentence that tells the user.
    """
    log = state_folder() / "defects.log"
    said = f"This is a defect of the program: {_first_line(error)}"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(
                f"{datetime.now().isoformat()}\n{''.join(traceback.format_exception(error))}\n"
            )
    except OSError as problem:
        return f"{said} (no log: {problem.strerror})"
    return f"{said}; more about it is in {shown_path(log)}"


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [""])[0][:200]
    return "".join(letter for letter in line if letter.isprintable()) or type(error).__name__
