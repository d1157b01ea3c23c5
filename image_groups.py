"""Images that belong together, such as those of one hand or one font: all go to the same split.

Otherwise a network would be tested on hands that it has learnt from, and look better than it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.common import Indices
from data_formats.problems import Problem, one_line, quoted

FILE = "file"  # the pattern that stands for the file's name without folder and ending


def groups_of(names: Sequence[str], pattern: str) -> Indices:
    """Number the groups that images belong to.

    Args:
        names: The file of each image below the data set's folder, such as "A/0001.png" or
            "anna/A/0001.png".
        pattern: `FILE`, where images in different folders with the same file name belong together;
            or a regular expression that is searched in the names, whose first group in parentheses,
            or the whole where it has none, names the group of images.

    Returns:
        int64 (N,), numbers from 0 to that of groups less 1.

    Raises:
        Problem: There are no names, the expression is wrong, or it is not found in a name.
    """
    if not names:
        raise Problem(
            "--group needs file names, which only folders and archives of pictures have; leave it "
            "out for this data set"
        )
    if pattern == FILE:
        found = [PurePosixPath(name).stem for name in names]
    else:
        found = [_found(expression, name) for expression in [_compiled(pattern)] for name in names]
    return np.unique(np.array(found, dtype=str), return_inverse=True)[1].astype(np.int64)


def check_pattern(pattern: str) -> None:
    """See that a pattern can be used, before any file is read.

    Args:
        pattern: As for `groups_of`.

    Raises:
        Problem: It is no regular expression.
    """
    if pattern != FILE:
        _compiled(pattern)


def note_on_groups(groups: Indices) -> str:
    """A sentence on how many groups there are, and how large they are.

    Args:
        groups: int64 (N,), the group of each image, one image or more.

    Returns:
        The sentence, without a full stop.
    """
    sizes = np.unique(groups, return_counts=True)[1]
    least, most = int(sizes.min()), int(sizes.max())
    large = f"{least:,} to {most:,} images" if least < most else f"{counted(most, 'image')}"
    return f"--group: the images make {counted(len(sizes), 'group')} of {large}"


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise Problem(
            f"--group {quoted(pattern)} is no regular expression: {one_line(str(error))}; give one "
            f"such as '/([^/]*)_', or '{FILE}' for the file's name"
        ) from error


def _found(expression: re.Pattern[str], name: str) -> str:
    match = expression.search(name)
    if match is None:
        raise Problem(
            f"--group {quoted(expression.pattern)} is not found in the file name {quoted(name)}"
        )
    return (match[1] if expression.groups else match[0]) or ""


def deal_groups(
    groups: Indices, shares: Mapping[str, int], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Deal whole groups to splits, so that the numbers of images come close to their shares.

    Args:
        groups: int64 (N,), the group of each image.
        shares: How many parts of the images each split gets, 1 or more.
        rng: Source of the order.

    Returns:
        Integers (N,), for each image the place of its split in `shares`.

    Raises:
        Problem: There are fewer groups than splits.
    """
    numbers, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(numbers) < len(shares):
        raise Problem(
            f"its images make {counted(len(numbers), 'group')}, too few for {len(shares)} "
            "splits; see --group"
        )
    wanted = np.array(list(shares.values())) / sum(shares.values()) * len(groups)
    split_of = np.empty(len(numbers), np.intp)
    dealt: npt.NDArray[Any] = np.zeros(len(shares))
    for group in rng.permutation(len(numbers)):
        # The split that lacks the largest part of what it should have, so that none stays empty.
        split_of[group] = np.argmin(dealt / wanted)
        dealt[split_of[group]] += sizes[group]
    return split_of[group_of]
