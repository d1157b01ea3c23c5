"""Write a small, class-balanced copy of a big EMNIST file, in the same MATLAB layout.

    python shrink_emnist.py SOURCE TARGET [--per-class N | --total N] [--keep-test] [--seed N]

Every class gets the same number of images, taken at random by seed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from command_line import (
    Parser,
    a_seed,
    check_new_file,
    ctrl_c_leaves,
    run,
    say,
    whole_number_from,
)
from data_formats.problems import shown
from data_parser import LabelledImages, read_labelled_images, write_mat
from errors import DataError

Counts = npt.NDArray[np.int64]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program's name; None for those of the process.

    Returns:
        The exit code: 0, or that of `command_line.run` after an error or Ctrl-C.
    """
    return run(_parser(), argv, _shrink)


def _shrink(options: argparse.Namespace) -> None:
    with ctrl_c_leaves("nothing was written"):
        check_new_file(options.target, ".mat", force=options.force, source=options.source)
        source = read_labelled_images(options.source)
        rows = choose_rows(
            source,
            per_class=options.per_class,
            total=options.total,
            keep_test=options.keep_test,
            seed=options.seed,
        )
        _write(source, rows, options.target)
    with ctrl_c_leaves(f"{shown(options.target)} is written"):
        for line in _report(source, rows, options):
            say(line)


def choose_rows(
    source: LabelledImages,
    *,
    per_class: int | None = None,
    total: int | None = None,
    keep_test: bool = False,
    seed: int = 42,
) -> Counts:
    """Choose the rows of a class-balanced copy at random.

    Each class' images come from the source's training and test rows in the proportion of the
    whole source; where a class has too few of one kind, the other fills in.

    Args:
        source: All images of the source.
        per_class: Images a class, 1 or more; None for as many as the rarest class has.
        total: Images over all classes, at least one a class, instead of `per_class`.
        keep_test: Keep every test row, and let the numbers count training rows alone.
        seed: Seed of the random choice, 0 or more.

    Returns:
        Sorted int64 row numbers. A class that has fewer images than asked is there whole.

    Raises:
        DataError: The numbers do not suit the source.
    """
    countable = ~source.in_test if keep_test else np.ones(len(source.labels), np.bool_)
    quotas = _quotas(source, countable, per_class, total)
    if seed < 0:
        raise DataError(f"the seed is {seed}, not a whole number from 0 up")
    rng = np.random.default_rng(seed)
    share = 0.0 if keep_test else float(source.in_test.mean())
    chosen = [np.flatnonzero(source.in_test)] if keep_test else []
    for number, quota in enumerate(quotas.tolist()):
        rows = np.flatnonzero((source.labels == number) & countable)
        chosen.append(_choose_from_class(rows, source.in_test[rows], quota, share, rng))
    return np.sort(np.concatenate(chosen))


def _choose_from_class(
    rows: Counts,
    in_test: npt.NDArray[np.bool_],
    quota: int,
    test_share: float,
    rng: np.random.Generator,
) -> Counts:
    """Take `quota` of a class' rows, `test_share` of them from its test rows if it can."""
    training, test = rng.permutation(rows[~in_test]), rng.permutation(rows[in_test])
    test_count = min(int(quota * test_share + 0.5), len(test))
    training_count = min(quota - test_count, len(training))
    return np.concatenate([training[:training_count], test[: quota - training_count]])


def _quotas(
    source: LabelledImages,
    countable: npt.NDArray[np.bool_],
    per_class: int | None,
    total: int | None,
) -> Counts:
    """How many images to take of each class, int64 (C,)."""
    available = np.bincount(source.labels[countable], minlength=len(source.classes))
    if not available.all():
        missing = source.classes[int(available.argmin())]
        raise DataError(f"the class '{missing}' has no training rows, which --keep-test counts")
    if total is not None:
        return _even_quotas(available, total)
    wanted = int(available.min()) if per_class is None else per_class
    if wanted < 1:
        raise DataError(f"--per-class is {wanted}, not a whole number from 1 up")
    return np.minimum(available, min(wanted, int(available.max())))


def _even_quotas(available: Counts, total: int) -> Counts:
    """Divide `total` over the classes, the same number each as far as they have it."""
    if total < len(available):
        raise DataError(
            f"--total is {total}, less than one image for each of the {len(available)} classes"
        )
    quotas = np.zeros_like(available)
    left = min(total, int(available.sum()))
    while left:
        room = np.flatnonzero(quotas < available)
        level = max(left // len(room), 1)
        given = np.minimum(available[room] - quotas[room], level)[:left]
        quotas[room[: len(given)]] += given
        left -= int(given.sum())
    return quotas


def _write(source: LabelledImages, rows: Counts, target: Path) -> None:
    training, test = rows[~source.in_test[rows]], rows[source.in_test[rows]]
    write_mat(
        target,
        source.images[training],
        source.labels[training],
        source.images[test],
        source.labels[test],
        source.classes,
    )


def _report(source: LabelledImages, rows: Counts, options: argparse.Namespace) -> list[str]:
    """What was written, and a note where classes came short of what was asked."""
    in_test = source.in_test[rows]
    counted = rows[~in_test] if options.keep_test else rows
    counts = np.bincount(source.labels[counted], minlength=len(source.classes))
    level = int(counts.max()) if options.per_class is None else options.per_class
    if options.total is not None:  # a remainder makes even shares differ by one
        level = max(level - 1, -(-options.total // len(counts)) - 1)
    lines = [
        f"{shown(options.target)}: {len(source.classes)} classes, {(~in_test).sum()} training and "
        f"{in_test.sum()} test images"
    ]
    short = [f"{source.classes[i]} ({counts[i]})" for i in np.flatnonzero(counts < level)]
    if short:
        lines.append(f"note: kept whole, with fewer images than asked: {', '.join(short)}")
    return lines


def _parser() -> Parser:
    parser = Parser(
        prog="shrink_emnist.py",
        description="Write a small, class-balanced copy of a big EMNIST file in the same layout.",
    )
    add: Any = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="the MATLAB file to copy from")
    add("target", type=Path, metavar="TARGET", help="the MATLAB file to write")
    number = parser.add_mutually_exclusive_group()
    number.add_argument(
        "--per-class",
        type=whole_number_from(1),
        metavar="N",
        help="images a class (as many as the rarest class has, if neither number is given)",
    )
    number.add_argument(
        "--total",
        type=whole_number_from(1),
        metavar="N",
        help="images over all classes, as even as possible",
    )
    add(
        "--keep-test",
        action="store_true",
        help="keep all test rows, so that figures stay comparable; N counts training rows alone",
    )
    add("--seed", type=a_seed, default=42, metavar="N", help="seed of the choice (default: 42)")
    add("--force", action="store_true", help="replace TARGET if it exists")
    return parser


if __name__ == "__main__":
    sys.exit(main())
