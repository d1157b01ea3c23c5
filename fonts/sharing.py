"""Which font draws what: families for training and for test, and the images of each class."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from errors import DataError
from fonts.characters import CLASSES, characters_of
from fonts.typefaces import Typeface

TEST_FAMILY_SHARE = 0.15
SPLIT_ATTEMPTS = 200


@dataclasses.dataclass(frozen=True)
class Job:
    """One image to draw: this character, from this font, under this label."""

    label: int
    character: str
    typeface: Typeface


def split_families(
    typefaces: Sequence[Typeface], rng: np.random.Generator
) -> tuple[list[Typeface], list[Typeface]]:
    """Share the fonts out between training and test, whole families at a time.

    Args:
        typefaces: the fonts to share out.
        rng: decides which family goes where.

    Returns:
        The fonts for training and those for test; either side can draw every class.

    Raises:
        DataError: a class is drawn by no font, or the families do not suffice for two sides.
    """
    able: dict[str, set[str]] = {}
    for face in typefaces:
        able.setdefault(face.family, set()).update(
            label for label in CLASSES if face.characters.intersection(characters_of(label))
        )
    _check_coverage(able)
    names = sorted(able)
    count = min(max(1, round(TEST_FAMILY_SHARE * len(names))), len(names) - 1)
    for _ in range(SPLIT_ATTEMPTS):
        order = [names[i] for i in rng.permutation(len(names))]
        test = _covering(order, count, able)
        if all(any(c in able[n] for n in names if n not in test) for c in CLASSES):
            train_side = [face for face in typefaces if face.family not in test]
            return train_side, [face for face in typefaces if face.family in test]
    raise DataError(
        "The fonts cannot be shared out so that training and test can both draw every class; "
        "add fonts that draw all letters and digits."
    )


def _check_coverage(able: Mapping[str, set[str]]) -> None:
    for label in CLASSES:
        families = [name for name, labels in able.items() if label in labels]
        if not families:
            raise DataError(
                f"No font in the folder can draw the class '{label}'; add one that can."
            )
        if len(families) == 1:
            raise DataError(
                f"Only the font family '{families[0]}' can draw the class '{label}', but training "
                "and test images must come from different families; add another that can."
            )


def _covering(order: Sequence[str], count: int, able: Mapping[str, set[str]]) -> set[str]:
    """Take the first `count` families, and more until together they draw every class."""
    chosen = set(order[:count])
    for label in CLASSES:
        if not any(label in able[name] for name in chosen):
            chosen.add(next(name for name in order if label in able[name]))
    return chosen


def plan_jobs(typefaces: Sequence[Typeface], per_class: int, rng: np.random.Generator) -> list[Job]:
    """Decide which font draws which image, spread evenly over cases and families.

    Args:
        typefaces: the fonts of one side; together they draw every class.
        per_class: images of each class.
        rng: decides the order.

    Returns:
        The jobs, 47 times `per_class`, by class.
    """
    jobs = []
    for label, name in enumerate(CLASSES):
        able = {
            c: faces
            for c in characters_of(name)
            if (faces := [face for face in typefaces if c in face.characters])
        }
        turns = {c: _take_turns(faces, rng) for c, faces in able.items()}
        order = rng.permutation(list(turns))  # who begins, since the count may be odd
        for character in itertools.islice(itertools.cycle(order), per_class):
            jobs.append(Job(label, str(character), next(turns[str(character)])))
    return jobs


def _take_turns(typefaces: Sequence[Typeface], rng: np.random.Generator) -> Iterator[Typeface]:
    """Yield fonts for ever, each family once a round whatever the number of its weights."""
    families: dict[str, list[Typeface]] = {}
    for face in typefaces:
        families.setdefault(face.family, []).append(face)
    members = [families[name] for name in sorted(families)]
    while True:
        for index in rng.permutation(len(members)):
            yield members[index][rng.integers(len(members[index]))]
