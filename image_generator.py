"""Generators: what draws an image of a given character, behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from data_parser import DataSet
from errors import UserError
from evaluation import overlap

GENERATORS = ("basic", "keras", "keras_adversarial")
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Drawing:
    """One image of a character.

    Attributes:
        image: uint8 (28, 28), upright, ink 255 on paper 0.
        held_out: whether the reading network can never have met this image.
    """

    image: Image
    held_out: bool


class ImageGenerator(Protocol):
    """Draws characters of a data set's classes."""

    def draw(self, class_index: int) -> Drawing:
        """Draw a new image of a class.

        Args:
            class_index: 0 to the number of classes less 1.

        Returns:
            Another image at each call.

        Raises:
            UserError: there is nothing to draw it from.
        """


class BasicGenerator:
    """Picks real images out of the data set's generator split, each once before any comes again."""

    def __init__(
        self,
        data_set: DataSet,
        random: np.random.Generator,
        images_used: npt.NDArray[np.uint64],
    ) -> None:
        """Make a generator.

        Args:
            data_set: its generator split is picked from.
            random: source of the order.
            images_used: uint64 keys (`evaluation.overlap`) of the images that the reading network
                was trained or chosen on. Those are left out where others are there, since the
                network may come from another division of the same images.
        """
        self._data_set = data_set
        self._random = random
        self._images_used = images_used
        self._waiting: dict[int, list[tuple[int, bool]]] = {}
        self._last: dict[int, int] = {}

    def draw(self, class_index: int) -> Drawing:
        """Pick an image of a class; see `ImageGenerator.draw`."""
        if not self._waiting.get(class_index):
            self._waiting[class_index] = self._shuffled_rows(class_index)
        row, held_out = self._waiting[class_index].pop()
        self._last[class_index] = row
        return Drawing(self._data_set.images[row], held_out)

    def _shuffled_rows(self, class_index: int) -> list[tuple[int, bool]]:
        rows = self._data_set.splits.generator
        rows = rows[self._data_set.labels[rows] == class_index]
        if not len(rows):
            raise UserError(
                f"the generator split has no image of {self._data_set.classes[class_index]!r}"
            )
        seen = overlap.were_seen(self._data_set.images[rows], self._images_used)
        held_out = not seen.all()
        chosen = rows[~seen] if held_out else rows
        order = [int(row) for row in self._random.permutation(chosen)]
        if order[-1] == self._last.get(class_index):  # never the same picture twice running
            order.reverse()
        return [(row, held_out) for row in order]


def make_generator(
    name: str,
    data_set: DataSet,
    random: np.random.Generator,
    images_used: npt.NDArray[np.uint64],
) -> ImageGenerator:
    """Make the generator that a user named.

    Args:
        name: one of `GENERATORS`.
        data_set: what it draws from.
        random: source of randomness.
        images_used: uint64 keys of images that the reading network has met.

    Raises:
        UserError: there is no such generator, or it is not in this version.
    """
    if name == "basic":
        return BasicGenerator(data_set, random, images_used)
    if name in GENERATORS:
        raise UserError(
            f"the generator {name!r} is not in this version yet; 'basic' draws real characters "
            "that no network was trained on"
        )
    raise UserError(f"there is no generator {name!r}; there are {', '.join(GENERATORS)}")
