"""What is recorded with every figure: date, command, machine and versions."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "scipy", "h5py", "tensorflow", "keras", "torch")


def describe_machine() -> dict[str, Any]:
    """Date, command, machine and versions, to go with the results."""
    installed = {found.metadata["Name"].lower() for found in importlib.metadata.distributions()}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", sys.argv[0], *map(_without_folders, sys.argv[1:])]),
        "machine": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES if name in installed},
    }


def _without_folders(argument: str) -> str:
    """An argument as it is, but of a path from the root, which is this machine's own, the name."""
    path = Path(argument)
    return path.name if path.is_absolute() else argument


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def record(path: Path, results: dict[str, Any]) -> None:
    """Write results, with what goes with them, to a JSON file.

    Args:
        path: the file; written over.
        results: the figures.

    Raises:
        SystemExit: it cannot be written; the message says why.
    """
    try:
        text = json.dumps(describe_machine() | results, indent=2)
        path.write_text(text + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}")


def recorded(path: Path) -> list[dict[str, Any]]:
    """Results that a file has already.

    Args:
        path: written by `record`; it need not be there.

    Returns:
        What it holds under 'results', or none.
    """
    if not path.exists():
        return []
    results: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return results


def holds_run(results: list[dict[str, Any]], run: dict[str, Any]) -> bool:
    """Whether a run need not be done again.

    Args:
        results: of `recorded`, each with its 'run'.
        run: of numbers, texts, lists and dictionaries; tuples count as lists.

    Returns:
        Whether one of the results is of that very run.
    """
    written = json.loads(json.dumps(run))
    return any(result["run"] == written for result in results)
