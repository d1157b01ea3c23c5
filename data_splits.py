"""How the images of a data set are divided into splits: by class, by group, or as a file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.common import SPLIT_NAMES, Indices
from data_formats.problems import Problem, quoted
from data_set import Splits
from errors import DataError
from image_groups import deal_groups

MOST_NAMED = 5  # classes that are too small
SPLIT_SHARES = {"training": 64, "validation": 16, "test": 10, "generator": 10}

_Integers = npt.NDArray[np.integer[Any]]
_Flags = npt.NDArray[np.bool_]


def split_data(
    labels: _Integers,
    in_test: _Flags,
    classes: Sequence[str],
    seed: int,
    *,
    file_split: bool = False,
    shares: Mapping[str, int] = SPLIT_SHARES,
    groups: Indices | None = None,
) -> Splits:
    """Divide rows into training, validation, test and generator, each class by itself.

    By seed the usual shares are 64, 16, 10 and 10 % of each class, rounded half up, the remainder
    going to training. With `file_split` the file's own test rows are the test split, and the other
    rows are divided in the same proportion (64 : 16 : 10) among the remaining three. With groups,
    whole groups are dealt, whatever classes their images have, and shares are met roughly.

    Args:
        labels: Integers (N,), indices into `classes`.
        in_test: bool (N,), the file's own test rows.
        classes: The character of each class, for messages.
        seed: Seed of the random choice, 0 or more.
        file_split: Whether the file's own test rows are the test split.
        shares: How many parts each of `SPLIT_NAMES` gets, 1 or more.
        groups: int64 (N,), numbers of the groups that stay together, or None.

    Returns:
        The splits; the same arguments always give the same ones.

    Raises:
        DataError: A class has too few images, or groups, for every split to get one.
    """
    try:
        return divide(labels, in_test, classes, seed, file_split, shares, groups)
    except Problem as problem:
        raise DataError(f"the data cannot be split: {problem}") from problem


def divide(
    labels: _Integers,
    in_test: _Flags,
    classes: Sequence[str],
    seed: int,
    file_split: bool,
    shares: Mapping[str, int],
    groups: Indices | None,
) -> Splits:
    """Divide rows as `split_data` does, for readers of files, which name the file themselves.

    Arguments, shapes and result: see `split_data`.

    Raises:
        Problem: A class has too few images, or groups, for every split to get one.
    """
    if seed < 0:
        raise Problem(f"the seed is {seed}, not a whole number from 0 up")
    if file_split and not in_test.any():
        raise Problem("the file has no test rows of its own, so it cannot be split by file")
    if set(shares) != set(SPLIT_NAMES) or min(shares.values()) < 1:
        raise Problem(f"the shares are {dict(shares)}, but each split needs 1 or more")
    dealt = {name: shares[name] for name in SPLIT_SHARES}
    if file_split:
        del dealt["test"]
        _check_test_rows(labels, in_test, classes)
    rng = np.random.default_rng(seed)
    to_deal = np.flatnonzero(~in_test) if file_split else np.arange(len(labels))
    split_of = np.full(len(labels), SPLIT_NAMES.index("test"), np.uint8)
    if groups is None:
        split_of[to_deal] = _dealt_by_class(labels[to_deal], classes, dealt, rng)
    else:
        if file_split:
            _check_groups_apart(groups, in_test)
        numbers = np.array([SPLIT_NAMES.index(name) for name in dealt], np.uint8)
        split_of[to_deal] = numbers[deal_groups(groups[to_deal], dealt, rng)]
        _check_classes_everywhere(labels, split_of, classes)
    return Splits(*(np.flatnonzero(split_of == number) for number in range(len(SPLIT_NAMES))))


def _check_test_rows(labels: _Integers, in_test: _Flags, classes: Sequence[str]) -> None:
    tested = np.bincount(labels[in_test], minlength=len(classes))
    for name, count in zip(classes, tested, strict=True):
        if not count:
            raise Problem(f"the class {quoted(name)} has no test rows of its own")


def _check_groups_apart(groups: Indices, in_test: _Flags) -> None:
    both = np.intersect1d(groups[in_test], groups[~in_test])
    if len(both):
        have = "has" if len(both) == 1 else "have"
        raise Problem(
            f"{len(both)} of its groups {have} images among its own test rows and among the "
            "others; leave out --file-split or --group"
        )


def _check_classes_everywhere(
    labels: _Integers, split_of: npt.NDArray[np.uint8], classes: Sequence[str]
) -> None:
    for number, split in enumerate(SPLIT_NAMES):
        counts = np.bincount(labels[split_of == number], minlength=len(classes))
        if counts.min() < 1:
            raise Problem(
                f"the class {quoted(classes[int(counts.argmin())])} has no image in the groups "
                f"that the {split} split got; try another seed, other shares, or other groups"
            )


def _dealt_by_class(
    labels: _Integers,
    classes: Sequence[str],
    shares: Mapping[str, int],
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """The split of each image, as its place in `SPLIT_NAMES`, each class dealt by itself."""
    split_of = np.empty(len(labels), np.uint8)
    narrow = labels.astype(np.uint16) if len(classes) <= 2**16 else labels  # sorts by radix
    by_class = np.argsort(narrow, kind="stable")
    stops = np.cumsum(np.bincount(labels, minlength=len(classes)))
    _check_sizes(np.diff(stops, prepend=0), classes, shares)
    for rows in np.split(by_class, stops[:-1]):
        counts = _split_counts(len(rows), shares)
        numbers = [SPLIT_NAMES.index(split) for split in counts]
        split_of[rng.permutation(rows)] = np.repeat(numbers, list(counts.values()))
    return split_of


def _check_sizes(
    sizes: npt.NDArray[np.integer], classes: Sequence[str], shares: Mapping[str, int]
) -> None:
    small = [
        number
        for number, size in enumerate(sizes.tolist())
        if min(_split_counts(size, shares).values()) < 1
    ]
    if not small:
        return
    least = max(-(-sum(shares.values()) // (2 * min(shares.values()))), len(shares))
    named = [
        f"{quoted(classes[number])} has {counted(int(sizes[number]), 'image')}"
        for number in small[:MOST_NAMED]
    ]
    others = f", and {len(small) - MOST_NAMED:,} others have too few" if small[MOST_NAMED:] else ""
    raise Problem(
        f"the class {', '.join(named)}{others} to divide, too few for {len(shares)} splits; "
        f"{'it' if len(small) == 1 else 'each'} needs at least {least}"
    )


def _split_counts(count: int, shares: Mapping[str, int]) -> dict[str, int]:
    """Deal `count` images by shares, rounded half up, the remainder to training."""
    whole = sum(shares.values())
    counts = {name: (2 * count * share + whole) // (2 * whole) for name, share in shares.items()}
    counts["training"] = count - sum(counts.values()) + counts["training"]
    while counts["training"] < 1 and max(counts.values()) > 1:  # the others were rounded up
        counts[max(counts, key=lambda name: counts[name])] -= 1
        counts["training"] += 1
    return counts
