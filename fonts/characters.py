"""The characters of a data set from fonts, and the classes of EMNIST Balanced they belong to."""

from __future__ import annotations

import string

import emnist_classes

CLASSES = emnist_classes.MERGED
MERGED_LETTERS = frozenset("CIJKLMOPSUVWXYZ")
CHARACTERS = string.digits + string.ascii_letters


def characters_of(label: str) -> str:
    """Return the characters that a class stands for.

    Args:
        label: one of `CLASSES`.

    Returns:
        The label itself, followed by its lower case where EMNIST merges the two.
    """
    return label + label.lower() if label in MERGED_LETTERS else label
