"""What the names of arrays in `.npz` files say: which are images, which their labels.

Keras's `mnist.npz` has x_train, y_train, x_test and y_test; MedMNIST's files train_images,
train_labels, val_images and so on; others images and labels, or data and target. Kuzushiji-MNIST
has an array a file, and the files' names say it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["images", "labels", "names"]
_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("x", "image", "images", "img", "imgs", "data"), "images"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), "labels"),
    **dict.fromkeys(("classes", "names", "characters"), "names"),
}
_IN_TEST = {
    **dict.fromkeys(("train", "training", "val", "valid", "validation"), False),
    **dict.fromkeys(("test", "testing"), True),
}
_ABOUT_CLASSES = ("class", "label", "target")
_UNNAMED = ("arr_0", "arr_1")  # what numpy calls arrays that are given no name
WANTED = (
    "arrays of images and of labels called x_train, y_train, x_test and y_test, train_images, "
    "train_labels and so on, or images and labels"
)


@dataclass(frozen=True)
class Pair:
    """The arrays of images and labels of one part of a data set.

    Attributes:
        images: The names that the images may have; it is the array with the most dimensions.
        labels: The same of the labels.
        in_test: Whether they are the test rows.
    """

    images: tuple[str, ...]
    labels: tuple[str, ...]
    in_test: bool


@dataclass(frozen=True)
class _Meaning:
    role: Role
    part: str
    in_test: bool


def pairs_in(names: Sequence[str]) -> tuple[list[Pair], list[str]]:
    """Pair images with labels.

    Args:
        names: Of the arrays of a file.

    Returns:
        The pairs, training rows first, then validation rows; and the names that have no partner.
    """
    if tuple(names) == _UNNAMED:
        return [Pair(_UNNAMED[:1], _UNNAMED[1:], in_test=False)], []
    found: dict[tuple[bool, str], dict[Role, tuple[str, ...]]] = {}
    for name in names:
        meaning = _meaning(name)
        if meaning and meaning.role != "names":
            part = found.setdefault((meaning.in_test, meaning.part), {})
            part[meaning.role] = (*part.get(meaning.role, ()), name)
    pairs, alone = [], []
    for (in_test, _), part in sorted(found.items()):
        if len(part) == 2:
            pairs.append(Pair(part["images"], part["labels"], in_test))
        else:
            alone += [name for of_role in part.values() for name in of_role]
    return pairs, alone


def class_names_in(names: Sequence[str]) -> str:
    """The name of the array that names the classes; empty without any.

    Args:
        names: Of the arrays of a file.
    """
    return next((n for n in names if (meaning := _meaning(n)) and meaning.role == "names"), "")


def _meaning(name: str) -> _Meaning | None:
    """What a name says; None where a part of it says nothing that is known."""
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    if len(words) > 1 and _ROLES.get(words[-1]) == "names" and words[-2] in _ABOUT_CLASSES:
        del words[-2]
    roles = [_ROLES[word] for word in words if word in _ROLES]
    parts = [word for word in words if word in _IN_TEST]
    if len(roles) != 1 or len(parts) > 1 or len(roles) + len(parts) < len(words):
        return None
    part = (*parts, "")[0]
    return _Meaning(roles[0], part, _IN_TEST.get(part, False))


def sibling_files(path: Path) -> list[tuple[Path, Path, bool]]:
    """The files of a set that has an array a file, found by their names.

    Args:
        path: One of them, such as `kmnist-train-imgs.npz`.

    Returns:
        Files of images and of labels, and whether they are the test rows, training rows first;
        none where the name says nothing, or its partner is not there.
    """
    named = re.fullmatch(r"(.*)(?:train|test)(.*)(?:imgs|images|labels)\.npz", path.name)
    if not named:
        return []
    start, between = named.groups()
    for what in ("imgs", "images"):
        pairs = []
        for part in ("train", "test"):
            files = [path.with_name(f"{start}{part}{between}{w}.npz") for w in (what, "labels")]
            if all(file.is_file() for file in files):
                pairs.append((files[0], files[1], part == "test"))
        if any(path in pair for pair in pairs):
            return pairs
    return []


def class_map_of(path: Path) -> Path:
    """The file that names the classes of such a set, as Kuzushiji-MNIST has it.

    Args:
        path: One of the set's files, such as `kmnist-train-imgs.npz`.

    Returns:
        Where it would be, such as `kmnist_classmap.csv`.
    """
    return path.with_name(re.sub(r"[-_.]?(train|test).*", "", path.name) + "_classmap.csv")
