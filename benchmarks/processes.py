"""Measurements in processes of their own that print a JSON document last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def threads_of(count: int) -> dict[str, str]:
    """Environment in which TensorFlow computes on so many threads.

    Those between operations count, too: the gradients of a convolution by its inputs and by its
    weights would be computed side by side.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return dict.fromkeys(names, str(count))


def measured(program: str, arguments: Sequence[str | Path], threads: int | None = None) -> Any:
    """What a program prints last, read as JSON.

    Args:
        program: path of a Python file.
        arguments: its arguments.
        threads: see `threads_of`; None for as many as TensorFlow chooses.

    Returns:
        What the JSON document holds.

    Raises:
        SystemExit: it fails; the message is the last line that it wrote to its standard error.
    """
    done = subprocess.run(
        [sys.executable, program, *map(str, arguments)],
        env=os.environ | (threads_of(threads) if threads else {}),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit((done.stderr.strip() or f"{program} failed").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])
