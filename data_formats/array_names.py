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

WANTED = (
    "arrays of images and of labels called x_train, y_train, x_test and y_test, train_images, "
    "train_labels and so on, or images and labels"
)
# Words for images, each with words for labels that go with it, and so come before others.
_FAMILIES = (
    (("image", "images", "img", "imgs"), ("label", "labels")),
    (("x", "feature", "features", "input", "inputs"), ("y",)),
    (("data", "dataset"), ("target", "targets", "label", "labels")),
)
_LABELS_OF = {image: labels for images, labels in _FAMILIES for image in images}
_LABELS = {label for _, labels in _FAMILIES for label in labels}
_IN_TEST: Mapping[str, tuple[str, bool]] = {
    **dict.fromkeys(("train", "training", "tr"), ("train", False)),
    **dict.fromkeys(("val", "valid", "validation", "dev"), ("validation", False)),
    **dict.fromkeys(("test", "testing", "te"), ("test", True)),
}
_SAYS_NOTHING = {"set", "all", "orig"}
_JOINED = re.compile(rf"([xy])({'|'.join(_IN_TEST)})|({'|'.join(_IN_TEST)})([xy])")
_NAMES = {"classes", "names", "characters"}
_ABOUT_CLASSES = {"class", "label", "target"}
_UNNAMED = re.compile(r"arr_\d+")  # what numpy calls arrays that are given no name


@dataclass(frozen=True)
class Pair:
    """The arrays of images and labels of one part of a data set.

    Attributes:
        labels_of: For each array that may be the images, those that may be its labels.
        in_test: Whether they are the test rows.
    """

    labels_of: Mapping[str, tuple[str, ...]]
    in_test: bool


@dataclass(frozen=True)
class Found:
    """What the names of a file's arrays say.

    Attributes:
        pairs: Images with their labels, training rows first, then validation rows.
        alone: Names of images or labels of a part that lacks the others.
        class_names: Names of arrays that may name the classes.
        passed_over: Names of images and labels beside those of parts.
    """

    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]
    class_names: tuple[str, ...]
    passed_over: tuple[str, ...]


def found_in(names: Sequence[str]) -> Found:
    """Pair images with labels.

    Args:
        names: Of the arrays of a file.

    Returns:
        The pairs, and what is left over.
    """
    if len(names) in (2, 4) and all(map(_UNNAMED.fullmatch, names)):
        pairs = [
            Pair({names[at]: (names[at + 1],)}, in_test=at > 0) for at in range(0, len(names), 2)
        ]
        return Found(tuple(pairs), (), (), ())
    parts: dict[tuple[bool, str], dict[str, str]] = {}  # the word of each name
    class_names = []
    for name in names:
        words = _words(name)
        if _names_classes(words):
            class_names.append(name)
        elif meaning := _meaning(words):
            word, part = meaning
            kind, is_test = _IN_TEST.get(part, ("", False))
            parts.setdefault((is_test, kind), {})[name] = word
    whole = parts.pop((False, ""), {}) if len(parts) > 1 else {}
    complete, alone = [], []
    for (in_test, _), of_part in sorted(parts.items()):
        images = [name for name, word in of_part.items() if word in _LABELS_OF]
        labels = [name for name in of_part if name not in images]
        if images and labels:
            complete.append(Pair({n: _labels_for(n, of_part) for n in images}, in_test))
        else:
            alone += list(of_part)
    return Found(tuple(complete), tuple(alone), tuple(class_names), tuple(whole))


def _labels_for(image: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """The arrays that may be the labels of one of images, those that go with its name first."""
    labels = [name for name, word in words.items() if word in _LABELS]
    near = [name for name in labels if words[name] in _LABELS_OF[words[image]]]
    return tuple(near or labels)


def _words(name: str) -> list[str]:
    """The words of a name, in small letters: 'X_train', 'XTrain' and 'trainX' have the same two."""
    last = name.rsplit("/", 1)[-1]
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", last)
    words = []
    for word in re.split(r"[^a-z0-9]+", parted.lower()):
        joined = _JOINED.fullmatch(word)
        words += [half for half in joined.groups() if half] if joined else [word]
    return [word for word in words if word and word not in _SAYS_NOTHING]


def _names_classes(words: Sequence[str]) -> bool:
    if not words or words[-1] not in _NAMES:
        return False
    return len(words) == 1 or (len(words) == 2 and words[0] in _ABOUT_CLASSES)


def _meaning(words: Sequence[str]) -> tuple[str, str] | None:
    """The word for images or labels, and the part; None where there is more, or less."""
    kinds = [word for word in words if word in _LABELS_OF or word in _LABELS]
    parts = [word for word in words if word in _IN_TEST]
    if len(kinds) != 1 or len(parts) > 1 or len(kinds) + len(parts) < len(words):
        return None
    return kinds[0], (*parts, "")[0]


_SIBLING = re.compile(
    r"(?:(?P<start>.*)(?<![A-Za-z]))?(?P<part>train|test)(?![A-Za-z])(?P<between>.*)"
    r"(?P<what>imgs|images|labels)\.npz"
)
_WHOLE = re.compile(r"(?P<start>.*)(?P<what>imgs|images|labels)\.npz")


def sibling_files(path: Path) -> list[tuple[Path, Path, bool]]:
    """The files of a set that has an array a file, found by their names.

    Args:
        path: One of them, such as `kmnist-train-imgs.npz`, or `signs-images.npz`.

    Returns:
        Files of images and of labels, and whether they are the test rows, training rows first;
        none where the name says nothing, or its partner is not there.
    """
    if named := _SIBLING.fullmatch(path.name):
        start, between = named["start"] or "", named["between"]
        stems = {f"{start}{part}{between}": part == "test" for part in ("train", "test")}
    elif named := _WHOLE.fullmatch(path.name):
        stems = {named["start"]: False}
    else:
        return []
    for what in ("imgs", "images"):
        pairs = [
            (path.with_name(f"{stem}{what}.npz"), path.with_name(f"{stem}labels.npz"), in_test)
            for stem, in_test in stems.items()
        ]
        there = [pair for pair in pairs if pair[0].is_file() and pair[1].is_file()]
        if any(path in pair for pair in there):
            return there
    return []


def class_map_of(path: Path) -> Path:
    """The file that names the classes of such a set, as Kuzushiji-MNIST has it.

    Args:
        path: One of the set's files, such as `kmnist-train-imgs.npz`.

    Returns:
        Where it would be, such as `kmnist_classmap.csv`.
    """
    named = _SIBLING.fullmatch(path.name) or _WHOLE.fullmatch(path.name)
    start = (named["start"] or "").rstrip("-_.") if named else ""
    return path.with_name(f"{start}_classmap.csv" if start else "classmap.csv")
