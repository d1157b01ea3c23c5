"""Generators: what draws an image of a given character, behind one interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from data_parser import DataSet
from errors import CollectionError, UserError
from evaluation import overlap
from gan.settings import KINDS
from image_arrays import Image, Images
from settings.literal_files import quoted_list
from storage.generator_folder import CharacterGenerator

if TYPE_CHECKING:
    import keras

TRAINED_GENERATORS = KINDS
GENERATORS = ("basic", *TRAINED_GENERATORS)


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

    def draw_many(self, class_index: int, count: int) -> Images:
        """Draw several images of a class.

        Args:
            class_index: 0 to the number of classes less 1.
            count: 1 or more.

        Returns:
            uint8 (count, 28, 28), others at each call.

        Raises:
            UserError: there is nothing to draw them from.
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

    def draw_many(self, class_index: int, count: int) -> Images:
        """Pick images of a class; see `ImageGenerator.draw_many`."""
        return np.stack([self.draw(class_index).image for _ in range(count)])

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


class TrainedGenerator:
    """Draws with trained networks, one a character or one for all."""

    def __init__(
        self,
        classes: tuple[str, ...],
        generators: Mapping[str, CharacterGenerator],
        random: np.random.Generator,
    ) -> None:
        """Make a generator.

        Args:
            classes: the characters that class indices stand for.
            generators: what draws each character; looked up at each drawing.
            random: source of the latent vectors.
        """
        self._classes = classes
        self._generators = generators
        self._random = random
        self._networks: dict[tuple[str, ...], tuple[CharacterGenerator, Any]] = {}

    def draw(self, class_index: int) -> Drawing:
        """Draw an image of a class; see `ImageGenerator.draw`."""
        return Drawing(self.draw_many(class_index, 1)[0], held_out=True)

    def draw_many(self, class_index: int, count: int) -> Images:
        """Draw images of a class; see `ImageGenerator.draw_many`."""
        from gan.drawing import draw_latent

        latent_size = self._trained(class_index).settings.latent_size
        return self.draw_from(class_index, draw_latent(count, latent_size, self._random))

    def draw_from(self, class_index: int, latent: npt.NDArray[np.float32]) -> Images:
        """Draw images of a class from given latent vectors.

        Args:
            class_index: 0 to the number of classes less 1.
            latent: float32 (N, latent size), standard normal; one that is too short or too long is
                repeated or cut.

        Returns:
            uint8 (N, 28, 28).

        Raises:
            UserError: there is no trained generator of that class, or it is damaged.
        """
        from gan.drawing import draw

        trained = self._trained(class_index)
        fitting = np.stack([np.resize(row, trained.settings.latent_size) for row in latent])
        labels = None
        if trained.settings.class_size:
            label = trained.characters.index(self._classes[class_index])
            labels = np.full(len(latent), label, np.int32)
        scaled = fitting * np.float32(trained.settings.latent_scale)
        return draw(self._network(trained), scaled, labels)

    def _trained(self, class_index: int) -> CharacterGenerator:
        character = self._classes[class_index]
        if character not in self._generators:
            raise UserError(f"there is no trained generator of {character!r} yet")
        return self._generators[character]

    def _network(self, trained: CharacterGenerator) -> keras.Model:
        kept = self._networks.get(trained.characters)
        if kept is None or kept[0] is not trained:
            kept = trained, network_of(trained)
            self._networks[trained.characters] = kept
        return kept[1]


def network_of(trained: CharacterGenerator) -> keras.Model:
    """Build a generator's network and fill it with its weights.

    Args:
        trained: settings and weights.

    Returns:
        From latent vectors, with classes where it draws several, to float32 (N, 28, 28, 1).

    Raises:
        CollectionError: the weights do not fit the settings.
    """
    from gan.drawing import build_generator, set_flat_weights

    classes = len(trained.characters) if trained.settings.class_size else None
    network = build_generator(trained.settings, classes)
    try:
        set_flat_weights(network, trained.weights)
    except ValueError as error:
        raise CollectionError(
            f"the generator of {quoted_list(trained.characters)} is damaged or was changed: "
            f"{error}; train it again"
        ) from error
    return network


def make_generator(
    name: str,
    data_set: DataSet,
    random: np.random.Generator,
    images_used: npt.NDArray[np.uint64],
    trained: Mapping[str, Mapping[str, CharacterGenerator]],
) -> ImageGenerator:
    """Make the generator that a user named.

    Args:
        name: one of `GENERATORS`.
        data_set: what it draws from, or whose characters it draws.
        random: source of randomness.
        images_used: uint64 keys of images that the reading network has met.
        trained: for each of `TRAINED_GENERATORS`, what was trained, by character.

    Returns:
        The generator.

    Raises:
        UserError: there is no such generator.
    """
    if name == "basic":
        return BasicGenerator(data_set, random, images_used)
    if name in TRAINED_GENERATORS:
        return TrainedGenerator(data_set.classes, trained[name], random)
    raise UserError(f"there is no generator {name!r}; there are {', '.join(GENERATORS)}")
