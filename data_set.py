"""A data set: labelled images, divided into splits, with the names of its classes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from data_formats.common import SPLIT_NAMES, Indices, Labels, SplitBy
from data_formats.picture_names import printable
from data_formats.problems import one_line, quoted, shown_name
from errors import DataError
from image_arrays import Images

SplitName = Literal["training", "validation", "test", "generator"]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """All images of a file with their labels.

    Attributes:
        images: uint8 (N, 28, 28), upright, ink 255 on paper 0, C-contiguous.
        labels: int32 (N,), indices into `classes`.
        classes: The character of each class.
        in_test: bool (N,), which rows were the file's own test rows.
        notes: What a user should know of how they were read.
        skipped: "file: why" of each file that was left out.
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    in_test: npt.NDArray[np.bool_]
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Splits:
    """Which rows belong to which split: sorted int64 indices, no row in two of them."""

    training: Indices
    validation: Indices
    test: Indices
    generator: Indices


@dataclass(frozen=True, eq=False)
class DataSet:
    """Labelled images divided into splits.

    Attributes:
        images: uint8 (N, 28, 28), upright, ink 255 on paper 0, C-contiguous.
        labels: int32 (N,), indices into `classes`.
        classes: The character of each class.
        splits: The rows of each split.
        source: The file it came from.
        split_by: "seed" for random splits, "file" where the file's own test rows are the test set,
            "group" where images that belong together are never in two splits.
        seed: The seed that the splits were drawn with.
        notes: What the user should know about how it was read, a sentence each.
        skipped: What could not be read and was left out, "file name: why" each.
        names: The file of each image, see `Content.names`; empty where its format keeps none.
    """

    images: Images
    labels: Labels
    classes: tuple[str, ...]
    splits: Splits
    source: Path
    split_by: SplitBy
    seed: int
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its file or folder, fit for people."""
        return shown_name(self.source)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (64 hex digits) over images, labels, classes and splits."""
        digest = hashlib.sha256(json.dumps([self.images.shape, self.classes]).encode())
        arrays = [self.images, self.labels.astype("<i4")]
        arrays += [self.indices(name).astype("<i8") for name in SPLIT_NAMES]
        for array in arrays:
            digest.update(len(array).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def has_characters(self) -> bool:
        """Whether each class has one character for a name, so that text can be read as classes."""
        return all(len(name) == 1 for name in self.classes)

    def indices(self, name: str) -> Indices:
        """Rows of the split called `name`.

        Args:
            name: One of `SPLIT_NAMES`.

        Returns:
            Sorted int64 (M,) indices into `images` and `labels`.

        Raises:
            KeyError: There is no such split.
        """
        if name not in SPLIT_NAMES:
            raise KeyError(name)
        rows: Indices = getattr(self.splits, name)
        return rows

    def subset(self, name: str) -> tuple[Images, Labels]:
        """Copy the images and labels of the split called `name`.

        Args:
            name: One of `SPLIT_NAMES`.

        Returns:
            Images, uint8 (M, 28, 28), and labels, int32 (M,).

        Raises:
            KeyError: There is no such split.
        """
        rows = self.indices(name)
        return self.images[rows], self.labels[rows]

    def counts(self) -> dict[str, int]:
        """Count the images of each split.

        Returns:
            The counts by the splits' names.
        """
        return {name: len(self.indices(name)) for name in SPLIT_NAMES}

    def class_of(self, character: str) -> tuple[int, str | None]:
        """Look up the class that stands for a character.

        EMNIST merges letters that are written alike with their capitals, so where `character`
        itself is no class, the one class that differs from it by case alone is looked up.

        Args:
            character: The name of a class, which is one character in most data sets.

        Returns:
            The class index, and the class' own name where it differs, otherwise None.

        Raises:
            DataError: There is no such class, whatever the case.
        """
        name = class_standing_for(character, self.classes)
        if name is not None:
            return self.classes.index(name), None if name == character else name
        raise DataError(
            f"{self._why_no_class(character)}; it has {one_line(' '.join(self.classes))}"
        )

    def names_in(self, text: str) -> list[str]:
        """Take a text apart into what may be names of classes.

        Args:
            text: Characters, with or without spaces between them. Where classes have longer names,
                one of them, or several with commas between them, or with spaces if there is no
                comma.

        Returns:
            The names in the order of the text; whether there are such classes is not looked at.
        """
        if self.has_characters:
            return [character for character in text if not character.isspace()]
        if text in self.classes:
            return [text]
        if any("," in name for name in self.classes) and "," in text:
            return self._names_with_commas(text)
        parts = text.split(",") if "," in text else text.split()
        return [part.strip() for part in parts if part.strip()]

    def _names_with_commas(self, text: str) -> list[str]:
        """Take a text apart at commas, but for those of the longest names that fit."""
        parts = [part.strip() for part in text.split(",")]
        names = []
        while parts:
            count = next(
                (n for n in range(len(parts), 1, -1) if ", ".join(parts[:n]) in self._spaced),
                1,
            )
            names.append(self._spaced.get(", ".join(parts[:count]), parts[0]))
            del parts[:count]
        return [name for name in names if name]

    @cached_property
    def _spaced(self) -> dict[str, str]:
        """The classes by their names with one space after each comma."""
        return {", ".join(map(str.strip, name.split(","))): name for name in self.classes}

    def as_text(self, names: Iterable[str]) -> str:
        """Write names of classes as `names_in` takes them apart.

        Args:
            names: Of classes of this data set.

        Returns:
            The names without spaces between where each is a character, else with commas.
        """
        return ("" if self.has_characters else ", ").join(names)

    def _why_no_class(self, name: str) -> str:
        if self.has_characters:
            if len(name) == 1:
                return f"the data set has no character {quoted(name)}"
            given = quoted(name) if name else "an empty text"
            return f"ask the data set for one character, not for {given}"
        between = "; spaces or commas stand between names" if len(name) > 1 else ""
        return f"the data set has no class {quoted(name)}{between}"


def class_standing_for(character: str, classes: Sequence[str]) -> str | None:
    """The class of that name, or else the one that differs from it by case alone.

    Args:
        character: The name of a class, or nearly one.
        classes: The names of all of them.

    Returns:
        One of `classes`; None where there is no such class, or several.
    """
    if character not in classes:
        character = printable(character)  # as names of folders are kept
    if character in classes:
        return character
    alike = [name for name in classes if name.casefold() == character.casefold()]
    return alike[0] if len(alike) == 1 else None
