"""The files of an IDX data set, found by their usual names, MNIST's or EMNIST's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, starmap
from pathlib import Path

from data_formats.idx_classes import EMNIST
from data_formats.problems import Problem

DIMENSIONS = {"images": 3, "labels": 1}


@dataclass(frozen=True)
class Name:
    """What the usual name of a file says.

    Attributes:
        subset: EMNIST's "balanced", "letters" and so on; empty for MNIST's own names.
        in_test: Whether it is a file of the test rows.
        what: "images" or "labels".
        packing: ".gz", or empty.
        separator: What stands before "idx", "-" or ".".
    """

    subset: str
    in_test: bool
    what: str
    packing: str = ""
    separator: str = "-"

    def __str__(self) -> str:
        """The name itself."""
        start = f"emnist-{self.subset}-" if self.subset else ""
        part = "train" if not self.in_test else "test" if self.subset else "t10k"
        ending = f"idx{DIMENSIONS[self.what]}-ubyte{self.packing}"
        return f"{start}{part}-{self.what}{self.separator}{ending}"


_USUAL = {
    str(name): name
    for name in starmap(
        Name, product(("", *EMNIST), (False, True), DIMENSIONS, ("", ".gz"), ("-", "."))
    )
}


@dataclass(frozen=True)
class Part:
    """The two files of the training or test rows."""

    images: Path
    labels: Path
    in_test: bool


def usual_files(folder: Path) -> list[Name]:
    """The usual names that regular files in a folder have; a pipe would block.

    Args:
        folder: Where to look; not in the folders below it.

    Returns:
        The names that are there.
    """
    return [name for text, name in _USUAL.items() if (folder / text).is_file()]


def find_files(path: Path) -> tuple[Path, str, list[Part]]:
    """Find the files of a data set.

    Args:
        path: The folder with the files, or one of them.

    Returns:
        Their folder; EMNIST's subset, empty for another data set; the parts, training first.

    Raises:
        Problem: A file has no usual name, lacks its other half, or is none of one data set alone.
    """
    if path.is_dir():
        there = usual_files(path)
        subsets = list(dict.fromkeys(name.subset for name in there))
        if not subsets:
            raise Problem(f"it holds no IDX files; they are called {_usual_names()}")
        if len(subsets) > 1:
            choice = (next(str(n) for n in there if n.subset == subset) for subset in subsets)
            raise Problem(f"it holds several data sets; give one file of one: {', '.join(choice)}")
        return path, subsets[0], _parts(path, there)
    if not path.is_file():
        raise Problem("there is no such file, or it is a device or a pipe")
    named = _USUAL.get(path.name)
    if named is None:
        raise Problem(
            "the other files of an IDX data set are found by their names, and this one has none of "
            f"the usual: {_usual_names()}"
        )
    folder = path.parent
    there = [name for name in usual_files(folder) if name.subset == named.subset]
    style = (named.packing, named.separator)
    there.sort(key=lambda name: (name.packing, name.separator) != style)  # it and its like first
    return folder, named.subset, _parts(folder, there)


def _usual_names() -> str:
    plain = ", ".join(str(Name("", *role)) for role in product((False, True), DIMENSIONS))
    emnist = Name("balanced", False, "images")
    return f"{plain}, or as EMNIST's, such as {emnist}; with .gz if packed"


def _parts(folder: Path, there: Sequence[Name]) -> list[Part]:
    """Pair images with labels; of several files for the same, the first is taken."""
    parts = []
    for in_test in (False, True):
        found = [name for name in there if name.in_test is in_test]
        images, labels = (
            next((name for name in found if name.what == what), None) for what in DIMENSIONS
        )
        if images and labels:
            parts.append(Part(folder / str(images), folder / str(labels), in_test))
        elif found:
            absent = Name(found[0].subset, in_test, "labels" if images else "images")
            raise Problem(
                f"{found[0]} needs a file {absent} (.gz or not) in the same folder, and there is "
                "none"
            )
    return parts
