"""Trained generators, one a character: found, trained on the open data set, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from data_parser import DataSet
from errors import UserError
from gan.settings import GanSettings
from generator_folder import (
    CharacterGenerator,
    ImagesLearnt,
    code_point,
    load_generators,
    save_generator,
)
from model_collection import library_versions
from unused_path import unused_path

if TYPE_CHECKING:
    from gan.training import GanProgress, TrainedGan

MINIMUM_IMAGES = 50
# Two cores, default settings; `benchmarks/gans.py`. Said where nothing was measured here.
SECONDS_A_STEP = 0.05


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would be.

    Attributes:
        character: the class's character.
        images: to learn from.
        steps: batches.
        seconds: estimate, from the latest training by the same settings where there is one.
    """

    character: str
    images: int
    steps: int
    seconds: float


class TrainedGenerators:
    """Generators of one data set's characters, by kind, in memory and in a folder a kind."""

    def __init__(self, data_set: DataSet, root: Path, seed: int) -> None:
        """Use the folders in `root`.

        Args:
            data_set: whose generator split is learnt from.
            root: holds a folder for each kind of generator; made when something is kept.
            seed: of trainings.
        """
        self._data_set = data_set
        self._root = root
        self._seed = seed
        self._kinds: dict[str, dict[str, CharacterGenerator]] = {}

    def folder(self, kind: str) -> Path:
        """Where generators of a kind are kept."""
        return self._root / kind

    def of(self, kind: str) -> dict[str, CharacterGenerator]:
        """Generators of a kind by character, read at the first call.

        Args:
            kind: one of `gan.settings.KINDS`.

        Raises:
            CollectionError: the folder is damaged; nothing of it is used.
        """
        if kind not in self._kinds:
            self._kinds[kind] = load_generators(self.folder(kind), kind)
        return self._kinds[kind]

    def plan(self, kind: str, class_index: int, settings: GanSettings) -> TrainingPlan:
        """Say what a training would be, without starting it.

        Raises:
            UserError: there are too few images to learn from.
        """
        images = self._images(class_index)
        known = [
            generator.seconds / generator.steps
            for generator in self.of(kind).values()
            if generator.settings.network == settings.network and generator.steps
        ]
        pace = known[-1] if known else SECONDS_A_STEP
        return TrainingPlan(
            self._data_set.classes[class_index], len(images), settings.steps, pace * settings.steps
        )

    def _images(self, class_index: int) -> npt.NDArray[np.uint8]:
        rows = self._data_set.indices("generator")
        rows = rows[self._data_set.labels[rows] == class_index]
        if len(rows) < MINIMUM_IMAGES:
            character = self._data_set.classes[class_index]
            raise UserError(
                f"there are {len(rows)} images of {character!r} to learn from in the generator "
                f"split, and {MINIMUM_IMAGES} are needed; about a tenth of a data set's images are "
                f"in that split, so open one with {10 * MINIMUM_IMAGES} images of {character!r}"
            )
        images: npt.NDArray[np.uint8] = self._data_set.images[rows]
        return images

    def train(
        self,
        kind: str,
        class_index: int,
        settings: GanSettings,
        *,
        show: Callable[[GanProgress], None],
        should_stop: Callable[[], bool],
    ) -> TrainedGan:
        """Train a generator on the generator split and keep it in place of an earlier one.

        Args:
            kind: one of `gan.settings.KINDS`.
            class_index: of the character.
            settings: how.
            show: told how it goes.
            should_stop: asked every few steps; what was learnt until then is kept.

        Returns:
            How the training went.

        Raises:
            UserError: too few images, or the losses grew without bound; nothing is kept.
            CollectionError: it is trained, and in memory, but cannot be kept in the folder.
        """
        from gan.training import GanDiverged, train_generator

        images = self._images(class_index)
        generators = self.of(kind)
        try:
            trained = train_generator(
                kind, images, settings, self._seed, show=show, should_stop=should_stop
            )
        except GanDiverged as error:
            raise UserError(f"{error}; nothing was kept") from error
        generator = CharacterGenerator(
            character=self._data_set.classes[class_index],
            settings=settings,
            steps=trained.steps,
            seconds=trained.seconds,
            seed=self._seed,
            data=images_learnt(images, self._data_set.source.name, "the generator split"),
            quality={},
            versions=library_versions(),
            weights=trained.weights,
        )
        generators[generator.character] = generator
        save_generator(self.folder(kind), kind, generator)
        return trained


def images_learnt(images: npt.NDArray[np.uint8], source: str, selection: str) -> ImagesLearnt:
    """What a generator keeps about the images that it learnt from.

    Args:
        images: uint8 (N, 28, 28).
        source: file name of the data set.
        selection: which of its images they are, in words.
    """
    digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    # A file's name may hold what no terminal should be sent, and no folder is read back with.
    name = "".join(letter if letter.isprintable() else "?" for letter in source)
    return ImagesLearnt(name, digest, len(images), selection)


def write_training_pictures(trained: TrainedGan, kind: str, character: str, folder: Path) -> Path:
    """Write what was drawn over time (PNG and GIF) and the losses into a new folder.

    Args:
        trained: the training.
        kind: of the generator.
        character: what it draws.
        folder: in which the new folder is made; nothing that was there is written over.

    Returns:
        The new folder.

    Raises:
        UserError: it cannot be written.
    """
    from gan import monitor

    path = unused_path(folder / f"{kind}-{code_point(character)}")
    try:
        path.mkdir(parents=True)
        if len(trained.previews):
            monitor.write_grid_over_time(trained.previews, path / "over-time.png")
            monitor.write_animation(trained.previews, path / "over-time.gif")
        title = f"{kind}, {character!r}, {trained.steps:,} steps"
        monitor.plot_losses(trained.losses, title, path / "losses.png")
    except OSError as error:
        raise UserError(
            f"the pictures of the training cannot be written to {path}: {error.strerror or error}"
        ) from error
    return path
