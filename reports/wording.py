"""Counts, ranges, accuracies and names as a report writes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from counting import counted
from evaluation.class_labels import ClassLabels
from evaluation.intervals import Proportion


def counted_images(count: int) -> str:
    """How many images, such as `1 image` or `2,000 images`.

    Args:
        count: 0 or more.

    Returns:
        The words.
    """
    return counted(count, "image")


def of_all(one: str, many: str, shown: int, there: int) -> str:
    """Which of several are shown, such as `all 7 entries`, or `the 40 best of 100 entries`.

    Args:
        one: what one of them is called.
        many: what several of them are called.
        shown: how many are shown, 1 or more.
        there: how many there are, at least as many.

    Returns:
        The words.
    """
    if shown < there:
        return f"the {shown:,} best of {there:,} {many}"
    return f"the {one}" if there == 1 else f"all {there:,} {many}"


def range_of(counts: npt.NDArray[np.int64]) -> str:
    """Counts from the smallest to the largest, such as `30 to 41`, or one where all are alike.

    Args:
        counts: int64 (N,), N at least 1.

    Returns:
        The words.
    """
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def texts_of(labels: ClassLabels, classes: npt.NDArray[np.integer]) -> list[str]:
    """The names of classes as pictures write them.

    Args:
        labels: texts of all classes.
        classes: indices (N,) of those that are wanted.

    Returns:
        A text for each.
    """
    return [labels.texts[index] for index in classes]


def the_others(count: int) -> str:
    """So many that are left over, such as `the other one` or `the 2,000 others`.

    Args:
        count: 1 or more.

    Returns:
        The words.
    """
    return "the other one" if count == 1 else f"the {count:,} others"


def with_interval(found: Proportion | None, otherwise: str = "no images") -> str:
    """A share in a few words, such as `89.84% (88.8 to 90.8) of 3,700`.

    Args:
        found: a share with its interval, or None.
        otherwise: what is said of None.

    Returns:
        The words.
    """
    if found is None:
        return otherwise
    return (
        f"{found.share:.2%} ({100 * found.low:.1f} to {100 * found.high:.1f}) of {found.images:,}"
    )
