"""What the programs beside the menu say, and the seed that they are given."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

MOST_SEED = 2**32 - 1


def say(line: str) -> None:
    """Print a line at once. Where it cannot be, as on a full disk, work goes on without a word.

    Args:
        line: any text; what the output's encoding lacks is shown as a question mark.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(line.encode(encoding, "replace").decode(encoding), flush=True)
    except OSError:
        # What waits to be written would fail again, at the latest when the process ends.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def a_seed(text: str) -> int:
    """A seed, from its text on the command line.

    Args:
        text: a whole number from 0 to 4294967295, which every library takes.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    digits = text.lstrip("0") or text[:1]
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10 or int(digits) > MOST_SEED:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no seed; give a whole number from 0 to {MOST_SEED}"
        )
    return int(digits)
