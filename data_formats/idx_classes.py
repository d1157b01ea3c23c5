"""Which published data set an IDX one is, and so what its labels stand for.

EMNIST's sets are known by their files' names, Fashion-MNIST by the digest of its labels; labels of
other sets are their own names.
"""

from __future__ import annotations

import hashlib
import string
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import emnist_classes
from data_formats.problems import Problem, quoted

LABELS = 256  # that a byte can tell apart

# The first label of each set, and the characters from it on.
EMNIST: Mapping[str, tuple[int, Sequence[str]]] = {
    "balanced": (0, emnist_classes.MERGED),
    "byclass": (0, emnist_classes.BY_CLASS),
    "bymerge": (0, emnist_classes.MERGED),
    "letters": (1, string.ascii_uppercase),
    "digits": (0, string.digits),
    "mnist": (0, string.digits),
}
_MOST_MAPPING = 2**16  # bytes; EMNIST's have less than 1000
_FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_FASHION_LABELS = {  # SHA-256 of the unpacked files, by whether they are the test's
    False: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    True: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Classes:
    """What labels stand for.

    Attributes:
        names: The name of each label, in the order that classes get.
        source: Where the names come from, for messages; empty where the labels' own numbers are
            the names.
        notes: What is to be said about them.
    """

    names: Mapping[int, str]
    source: str = ""
    notes: tuple[str, ...] = ()


def classes_of(
    folder: Path, subset: str, in_test: Sequence[bool], labels: Sequence[Bytes]
) -> Classes:
    """Find out what the labels of a data set stand for.

    Args:
        folder: Where its files are.
        subset: EMNIST's "balanced", "letters" and so on; empty for another set.
        in_test: Of each file of labels, whether it is the test's.
        labels: Of each file, uint8 (N,).

    Returns:
        Names by label, and where they are from.

    Raises:
        Problem: EMNIST's mapping is wrong.
        OSError: It cannot be read.
    """
    if subset:
        return _emnist_classes(folder, subset)
    if all(
        _digest(of_part) == _FASHION_LABELS[of_test]
        for of_test, of_part in zip(in_test, labels, strict=True)
    ):
        return Classes(dict(enumerate(_FASHION)), "Fashion-MNIST")
    return Classes({label: str(label) for label in range(LABELS)})


def _digest(labels: Bytes) -> str:
    """SHA-256 of the unpacked file that labels came from."""
    header = struct.pack(">BBBBI", 0, 0, 0x08, 1, len(labels))  # unsigned bytes, one dimension
    return hashlib.sha256(header + labels.tobytes()).hexdigest()


def _emnist_classes(folder: Path, subset: str) -> Classes:
    path = folder / f"emnist-{subset}-mapping.txt"
    if path.is_file():
        names, source = _read_mapping(path), path.name
    else:
        start, characters = EMNIST[subset]
        names, source = dict(enumerate(characters, start)), f"EMNIST's {subset} set"
    notes = ["EMNIST's images lie on their side in IDX files, and were stood upright"]
    first = min(names)
    if first:
        notes.append(f"the labels in the files start at {first}, which is {quoted(names[first])}")
    return Classes(names, source, tuple(notes))


def _read_mapping(path: Path) -> dict[int, str]:
    """Read one of EMNIST's mappings: lines of a label, a character code and further codes."""
    with path.open("rb") as file:
        content = file.read(_MOST_MAPPING + 1)
    if len(content) > _MOST_MAPPING:
        raise Problem(f"{path.name} has more than {_MOST_MAPPING:,} bytes, too many for a mapping")
    names: dict[int, str] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        label, character = _mapped(line, f"line {number} of {path.name}")
        if label in names or character in names.values():
            raise Problem(
                f"line {number} of {path.name} has the label {label} or the character "
                f"{quoted(character)} for the second time"
            )
        names[label] = character
    if not names:
        raise Problem(f"{path.name} is empty; it has a line for each class")
    return names


def _mapped(line: bytes, where: str) -> tuple[int, str]:
    """The label and the character in a line of a mapping."""
    fields = line.split()
    if len(fields) < 2 or not all(field.isdigit() and len(field) < 8 for field in fields):
        raise Problem(
            f"{where} is {quoted(line.decode('latin-1'))}, not a label and its character code"
        )
    label, code = int(fields[0]), int(fields[1])
    if label >= LABELS:
        raise Problem(f"{where} has the label {label}, and labels go up to {LABELS - 1}")
    character = chr(code) if code <= 0x10FFFF else " "
    if not character.isprintable() or character.isspace():
        raise Problem(f"{where} has the character code {code}, which is no visible character")
    return label, character
