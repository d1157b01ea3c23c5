"""Measure how fast a data set is read, and how much memory that takes at its peak.

    python benchmarks/parsing.py DATASET.mat [--repeat 5] [--json FILE]

Three kinds of measurement, each the best of some repetitions:

- the whole file, from its path to the splits, in a process of its own;
- on the rows in memory as `scipy.io.loadmat` returns them (Fortran order): standing all images
  upright, dropping digits and splitting, as `data_parser` does it (`parse_s`), and the standing
  alone (`stand_s`);
- the same rows through three plain loops over images, as they are commonly written: one that fills
  an array made beforehand, one that collects a list and makes an array of it, and the one of the
  earlier programs of this field, which mirrors and turns every image of the reshaped array in
  place. The loops neither drop digits nor split, so `stand_s` is what they compare with like for
  like, and `parse_s` does more work than they do. Both ratios are given for each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import data_parser  # noqa: E402
from benchmarks.recording import record  # noqa: E402
from command_line import Parser, run, say, whole_number_from  # noqa: E402
from data_formats import matlab_classic  # noqa: E402
from data_formats.problems import shown  # noqa: E402
from errors import DataError, UserError  # noqa: E402

Rows = npt.NDArray[np.uint8]

WHOLE_FILE = """
import resource, sys, time
start = time.perf_counter()
if len(sys.argv) > 1:
    import data_parser
    from errors import UserError
    imported = time.perf_counter()
    try:
        data_parser.open_data_set(sys.argv[1])
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(time.perf_counter() - imported, imported - start, end=" ")
try:  # of this process alone; ru_maxrss starts from what the parent had
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")))
except (OSError, StopIteration):
    unit = 1024 if sys.platform == "darwin" else 1  # getrusage counts bytes there
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit)
"""


def measure_whole_file(path: Path, repeat: int) -> dict[str, float]:
    """Read the file in processes of their own.

    Args:
        path: The data set.
        repeat: How often, 1 or more.

    Returns:
        The least seconds for reading and for the import, and the peak MiB above an idle
        interpreter.
    """
    idle = _run_python()[-1]
    runs = [_run_python(str(path.resolve())) for _ in range(repeat)]
    return {
        "whole_file_s": min(run[0] for run in runs),
        "import_s": min(run[1] for run in runs),
        "peak_mib_above_idle": (max(run[2] for run in runs) - idle) / 2**10,
    }


def _run_python(*arguments: str) -> list[float]:
    command = [sys.executable, "-c", WHOLE_FILE, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 2:
        raise UserError(done.stderr.strip())
    done.check_returncode()
    return [float(number) for number in done.stdout.split()]


def measure_in_memory(path: Path, repeat: int) -> dict[str, float]:
    """Measure the parsing of rows that are in memory, and the plain loops.

    Args:
        path: The data set, a classic MATLAB file.
        repeat: How often, 1 or more.

    Returns:
        The least seconds of each way, and how many times as long as `parse` and as
        `stand_upright` each loop takes; below 1 where the loop is the faster one.
    """
    from scipy.io import loadmat

    dataset = loadmat(path, variable_names=["dataset"])["dataset"][0, 0]
    parts = [dataset[name][0, 0] for name in ("train", "test")]
    rows = [part["images"] for part in parts]
    labels = [part["labels"].ravel() for part in parts]
    mapping = dataset["mapping"]
    upright = _on_parts(data_parser.stand_upright, rows)
    results = {
        "parse_s": _best(partial(parse, rows, labels, mapping), repeat),
        "stand_s": _best(partial(_on_parts, data_parser.stand_upright, rows), repeat),
    }
    for name, loop in LOOPS.items():
        for part, images in zip(rows, upright, strict=True):
            if not np.array_equal(loop(part), images):
                raise AssertionError(f"{name} gives other images than data_parser")
        results[f"{name}_s"] = _best(partial(_on_parts, loop, rows), repeat)
    for name in LOOPS:
        for ours in ("parse", "stand"):
            results[f"{name}_over_{ours}"] = results[f"{name}_s"] / results[f"{ours}_s"]
    return results


def parse(
    rows: list[Rows], labels: list[Rows], mapping: npt.NDArray[Any]
) -> tuple[Rows, data_parser.Splits]:
    """Stand rows upright, drop digits and split, by arrays.

    Args:
        rows: uint8 (N, 784) of each part.
        labels: Integers (N,) of each part, numbers in `mapping`.
        mapping: Class number and character code of each class.

    Returns:
        The letters, uint8 (K, 28, 28), and their splits.
    """
    letters = [number for number, code in mapping[:, :2] if not chr(code).isdigit()]
    new_label = np.full(int(mapping[:, 0].max()) + 1, -1, np.int32)
    new_label[letters] = np.arange(len(letters))
    renumbered = [new_label[part] for part in labels]
    kept = [np.flatnonzero(part >= 0) for part in renumbered]
    images = np.empty((sum(map(len, kept)), 28, 28), np.uint8)
    outs = np.split(images, [len(kept[0])])
    for part, chosen, out in zip(rows, kept, outs, strict=True):
        data_parser.stand_upright(part, chosen, out)
    in_test = np.repeat([False, True], [len(chosen) for chosen in kept])
    pooled = np.concatenate([part[rows] for part, rows in zip(renumbered, kept, strict=True)])
    classes = [str(number) for number in letters]
    return images, data_parser.split_data(pooled, in_test, classes, 42)


def loop_into_array(rows: Rows) -> Rows:
    """Stand rows upright one by one, into an array made beforehand."""
    images = np.empty((len(rows), 28, 28), np.uint8)
    for i in range(len(rows)):
        images[i] = rows[i].reshape(28, 28).T
    return images


def loop_into_list(rows: Rows) -> Rows:
    """Stand rows upright one by one, into a list that becomes an array."""
    images = []
    for row in rows:
        images.append(row.reshape(28, 28).T)
    return np.array(images)


def loop_in_place(rows: Rows) -> Rows:
    """Stand rows upright one by one, in place, as the earlier programs wrote it."""
    images = rows.reshape(len(rows), 28, 28)  # copies rows in Fortran order, so they stay
    for i in range(len(images)):
        images[i] = np.rot90(np.fliplr(images[i]))
    return images


LOOPS: dict[str, Callable[[Rows], Rows]] = {
    "loop_array": loop_into_array,
    "loop_list": loop_into_list,
    "loop_rot90": loop_in_place,
}


def _on_parts(work: Callable[[Rows], Rows], parts: list[Rows]) -> list[Rows]:
    return [work(part) for part in parts]


def _best(work: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _parser() -> Parser:
    parser = Parser(prog="parsing.py", description="Measure how fast a data set is read.")
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET.mat", help="a classic MATLAB file in NIST's layout"
    )
    parser.add_argument(
        "--repeat",
        type=whole_number_from(1),
        default=5,
        metavar="N",
        help="repetitions (default: 5)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here too")
    return parser


def _check_is_classic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(128)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{shown(path)}: cannot be read: {reason}") from error
    if not matlab_classic.recognises(head):
        raise DataError(f"{shown(path)}: is no classic MATLAB file, which loadmat reads")


def _measure(options: argparse.Namespace) -> None:
    _check_is_classic(options.dataset)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # before the work
    # First, because a child's peak memory may start from that of the process that made it.
    results = measure_whole_file(options.dataset, options.repeat)
    results |= measure_in_memory(options.dataset, options.repeat)
    for name, value in results.items():
        say(f"{name:30} {value:10.3f}")
    if options.json:
        record(
            options.json,
            {"load_average": load, "dataset": options.dataset.name, "results": results},
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table.

    Args:
        arguments: the command's; None for those of the process.

    Returns:
        The exit code: 0, or that of `command_line.run` after an error or Ctrl-C.
    """
    return run(_parser(), arguments, _measure)


if __name__ == "__main__":
    sys.exit(main())
