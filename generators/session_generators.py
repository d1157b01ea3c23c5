"""The generators of a session: trained where they are missing, and drawing what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from data_parser import DataSet
from entries.entry import Entry
from errors import UserError
from gan.settings import GanSettings, read_gan_settings
from generators.generated_files import DrawnCharacters
from generators.trained_generators import TrainedGenerators, TrainingPlan
from image_generator import (
    GENERATORS,
    TRAINED_GENERATORS,
    Drawing,
    ImageGenerator,
    TrainedGenerator,
    make_generator,
)
from model_collection import ModelCollection

if TYPE_CHECKING:
    from gan.course import TrainedGan
    from gan.progress import Progress
    from generators.ray_generators import GeneratorObserver

LONGEST_LATENT = 4096


class SessionGenerators:
    """Generators of the open data set's characters, each kept as long as the session.

    What draws is asked for with a collection, whose best entry is to read the drawings: `basic`
    leaves out the images that this entry has met.
    """

    def __init__(
        self, data_set: DataSet, trained: TrainedGenerators, random: np.random.Generator
    ) -> None:
        """Begin without a generator.

        Args:
            data_set: whose characters are drawn.
            trained: those that are trained.
            random: source of all drawings.
        """
        self._data_set = data_set
        self._trained = trained
        self._random = random
        self._drawers: dict[tuple[str, tuple[str, ...]], ImageGenerator] = {}

    def forget(self) -> None:
        """Begin anew, as for another collection."""
        self._drawers.clear()

    def lacks(self, generator: str, character: str) -> bool:
        """Whether a generator has to be trained before it can draw a character.

        Args:
            generator: its name.
            character: one of the data set's.

        Returns:
            Whether it has.

        Raises:
            UserError: there is no such generator or character, or its folder is damaged.
        """
        class_index, _ = self._data_set.class_of(character)
        if generator not in GENERATORS:
            raise UserError(
                f"there is no generator {generator!r}; there are {', '.join(GENERATORS)}"
            )
        if generator not in TRAINED_GENERATORS:
            return False
        return self._data_set.classes[class_index] not in self._trained.of(generator)

    def plan(self, generator: str, character: str, settings_file: Path) -> TrainingPlan:
        """Say what training a generator would be, without starting it.

        Args:
            generator: its name.
            character: one of the data set's.
            settings_file: text file with GAN settings.

        Returns:
            Characters, images, steps and time.

        Raises:
            UserError: the file is wrong, the generator is none that is trained, or there are too
                few images of the character.
        """
        class_index, _ = self._data_set.class_of(character)
        return self._trained.plan(generator, class_index, _settings(generator, settings_file))

    def train(
        self,
        generator: str,
        character: str,
        settings_file: Path,
        show: Callable[[Progress], None],
        should_stop: Callable[[], bool],
    ) -> TrainedGan:
        """Train a generator of a character on the generator split, and keep it.

        Args:
            generator: its name.
            character: one of the data set's.
            settings_file: text file with GAN settings.
            show: told how it goes.
            should_stop: asked every few steps; what was learnt until then is kept.

        Returns:
            Weights, losses, and what was drawn over time.

        Raises:
            UserError: as `plan`; or it could not be trained or kept.
        """
        class_index, _ = self._data_set.class_of(character)
        settings = _settings(generator, settings_file)
        try:
            return self._trained.train(
                generator, class_index, settings, show=show, should_stop=should_stop
            )
        finally:
            self._forget_drawers(generator)

    def train_on_cluster(
        self,
        address: str,
        generator: str,
        characters: Sequence[str],
        settings_file: Path,
        observer: GeneratorObserver,
        should_stop: Callable[[], bool],
    ) -> None:
        """Train generators of a character each on a Ray cluster, and keep them.

        Args:
            address: HOST:PORT of the cluster's head node.
            generator: its name, one of `gan.settings.CHARACTER_KINDS`.
            characters: of the data set's.
            settings_file: text file with GAN settings.
            observer: is told how it goes.
            should_stop: asked several times a second; what is finished then is kept.

        Raises:
            UserError: see `TrainedGenerators.train_on_cluster`; or the file is wrong.
        """
        indices = dict.fromkeys(self._data_set.class_of(one)[0] for one in characters)
        settings = _settings(generator, settings_file)
        try:
            self._trained.train_on_cluster(
                address,
                generator,
                list(indices),
                settings,
                observer=observer,
                should_stop=should_stop,
            )
        finally:
            self._forget_drawers(generator)

    def _forget_drawers(self, generator: str) -> None:
        """Those that drew until now do not know a new one, even where it could not be kept."""
        self._drawers = {
            key: drawer for key, drawer in self._drawers.items() if key[0] != generator
        }

    def draw(self, generator: str, class_index: int, collection: ModelCollection) -> Drawing:
        """Draw a new image of a class.

        Args:
            generator: its name.
            class_index: of the data set.
            collection: whose best entry reads it.

        Returns:
            The image, and whether the entry may have met it.

        Raises:
            UserError: there is no such generator, or nothing to draw it from.
        """
        return self._drawer(generator, collection).draw(class_index)

    def draw_each(
        self, generator: str, text: str, count: int, collection: ModelCollection
    ) -> DrawnCharacters:
        """Draw every character of a text several times.

        Args:
            generator: its name.
            text: for `DataSet.names_in`; a character that is there twice is drawn once.
            count: drawings of each, 1 or more.
            collection: whose best entry reads them.

        Returns:
            The drawings of each character, with its class.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        classes = self._classes_of(text)
        drawer = self._drawer(generator, collection)
        return DrawnCharacters(
            tuple(self._data_set.classes[index] for index in classes),
            tuple(drawer.draw_many(index, count) for index in classes),
            generator,
        )

    def draw_hands(
        self, generator: str, text: str, count: int, collection: ModelCollection
    ) -> DrawnCharacters:
        """Draw every character of a text in several hands, as far as the generator can.

        Args:
            generator: its name.
            text: for `DataSet.names_in`; a character that is there twice is drawn once.
            count: hands, 1 or more: latent vectors that all characters are drawn from.
            collection: whose best entry reads them.

        Returns:
            The drawings of each character, with its class.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        drawer = self._drawer(generator, collection)
        if not isinstance(drawer, TrainedGenerator):
            return self.draw_each(generator, text, count, collection)
        classes = self._classes_of(text)
        hands = self._random.standard_normal((count, LONGEST_LATENT), dtype=np.float32)
        return DrawnCharacters(
            tuple(self._data_set.classes[index] for index in classes),
            tuple(drawer.draw_from(index, hands) for index in classes),
            generator,
        )

    def draw_line(
        self, generator: str, text: str, collection: ModelCollection
    ) -> list[npt.NDArray[np.uint8] | None]:
        """Draw a line of text, as far as the generator can in one hand.

        Args:
            generator: its name.
            text: characters and spaces; for `DataSet.names_in` where classes have longer names.
            collection: whose best entry reads it.

        Returns:
            uint8 (28, 28) for each character, None for each space.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        self._classes_of(text)
        drawer = self._drawer(generator, collection)
        hand = self._random.standard_normal((1, LONGEST_LATENT), dtype=np.float32)
        letters: list[npt.NDArray[np.uint8] | None] = []
        for name in text if self._data_set.has_characters else self._data_set.names_in(text):
            if name.isspace():
                letters.append(None)
                continue
            class_index, _ = self._data_set.class_of(name)
            letters.append(
                drawer.draw_from(class_index, hand)[0]
                if isinstance(drawer, TrainedGenerator)
                else drawer.draw(class_index).image
            )
        return letters

    def _classes_of(self, text: str) -> list[int]:
        """Class indices of the characters in a text, each once, in the order they first come."""
        names = self._data_set.names_in(text)
        if not names:
            raise UserError("there is nothing to draw: type characters of the open data set")
        return list(dict.fromkeys(self._data_set.class_of(name)[0] for name in names))

    def _drawer(self, name: str, collection: ModelCollection) -> ImageGenerator:
        """The generator of that name; the best entry has not met its images where that can be."""
        reader: Entry | None = collection.best()
        key = (name, reader.fingerprints if reader else ())
        if key not in self._drawers:
            trained = {name: self._trained.of(name)} if name != "basic" else {}
            self._drawers[key] = make_generator(
                name,
                self._data_set,
                self._random,
                collection.keys_of(reader) if reader else np.empty(0, np.uint64),
                trained,
            )
        return self._drawers[key]


def _settings(generator: str, settings_file: Path) -> GanSettings:
    """What a file says about a generator that is trained."""
    if generator not in TRAINED_GENERATORS:
        raise UserError(
            f"there is no generator {generator!r} to train; "
            f"there are {', '.join(TRAINED_GENERATORS)}"
        )
    settings = read_gan_settings(settings_file).get(generator)
    if settings is None:
        raise UserError(f"{settings_file} has no settings for {generator!r}")
    return settings
