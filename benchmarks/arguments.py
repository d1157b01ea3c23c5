"""The command line that benchmarks have in common."""

from __future__ import annotations

import argparse
from pathlib import Path


def parser_of(documentation: str | None) -> argparse.ArgumentParser:
    """A parser of a benchmark's arguments, to which its own are added.

    Args:
        documentation: of its module, the first line of which is shown as help.

    Returns:
        A parser of `dataset`, a path, and `--json`, the file that results are recorded in, or None.
    """
    parser = argparse.ArgumentParser(description=first_line(documentation))
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--json", type=Path)
    return parser


def first_line(documentation: str | None) -> str | None:
    """What a program is for, in a line.

    Args:
        documentation: of its module; None where Python left it out.

    Returns:
        The line, or None.
    """
    return documentation.splitlines()[0] if documentation else None
