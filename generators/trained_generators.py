"""Trained generators, one a character or one for all: found, trained on the open data set, kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from counting import counted
from data_parser import DataSet
from entries.origin import library_versions
from errors import CollectionError, UserError
from gan.settings import CHARACTER_KINDS, GanSettings, same_training
from storage import network_folder
from storage.generator_folder import (
    FORMAT,
    CharacterGenerator,
    Generators,
    ImagesLearnt,
    change_generators,
    drawers_of,
    key_of,
    load_generators,
)
from unused_path import new_folder

if TYPE_CHECKING:
    from gan.course import TrainedGan
    from gan.progress import Progress
    from generators.ray_generators import GeneratorObserver

MINIMUM_IMAGES = 50
MINIMUM_IMAGES_OF_MANY = 5  # of each: they share a network, and what hands have in common


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would be.

    Attributes:
        characters: what it would draw.
        images: to learn from.
        steps: batches.
        seconds: estimate, from another training by the same settings; None without any.
    """

    characters: tuple[str, ...]
    images: int
    steps: int
    seconds: float | None


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
        self._kinds: dict[str, dict[tuple[str, ...], CharacterGenerator]] = {}

    def folder(self, kind: str) -> Path:
        """Where generators of a kind are kept.

        Args:
            kind: one of `gan.settings.KINDS`.

        Returns:
            The folder, which need not be there.
        """
        return self._root / kind

    def why_not_kept(self, kind: str) -> str | None:
        """Why what is trained could not be kept in its folder.

        Args:
            kind: one of `gan.settings.KINDS`.

        Returns:
            The reason in words; None where it could.
        """
        return network_folder.why_not_kept(self.folder(kind), FORMAT)

    def of(self, kind: str) -> dict[str, CharacterGenerator]:
        """What draws each character of the data set that something of a kind can draw.

        Args:
            kind: one of `gan.settings.KINDS`.

        Returns:
            Generators by character; see `generator_folder.drawers_of`.

        Raises:
            CollectionError: the folder is damaged; nothing of it is used.
        """
        return drawers_of(self._read(kind), self._data_set.classes)

    def _read(self, kind: str) -> dict[tuple[str, ...], CharacterGenerator]:
        """All generators of a kind, read at the first call."""
        if kind not in self._kinds:
            self._kinds[kind] = load_generators(self.folder(kind), kind)
        return self._kinds[kind]

    def plan(self, kind: str, class_index: int, settings: GanSettings) -> TrainingPlan:
        """Say what a training would be, without starting it.

        Args:
            kind: one of `gan.settings.KINDS`.
            class_index: what must be drawn; for a kind that draws all characters it says nothing.
            settings: how.

        Returns:
            Characters, images, steps and time.

        Raises:
            UserError: there are too few images to learn from.
        """
        characters = self._characters(kind, class_index)
        steps = settings.steps
        known = [
            generator.seconds / generator.steps * steps
            for generator in self._read(kind).values()
            if generator.steps and same_training(replace(generator.settings, steps=steps), settings)
        ]
        seconds = known[-1] if known else None
        return TrainingPlan(characters, len(self._rows(characters)), steps, seconds)

    def _characters(self, kind: str, class_index: int) -> tuple[str, ...]:
        """What one generator learns together."""
        classes = self._data_set.classes
        return (classes[class_index],) if kind in CHARACTER_KINDS else classes

    def _rows(self, characters: tuple[str, ...]) -> npt.NDArray[np.intp]:
        """The generator split's images of some characters."""
        rows = self._data_set.indices("generator")
        labels = self._data_set.labels[rows]
        chosen = np.zeros(len(rows), np.bool_)
        needed = MINIMUM_IMAGES if len(characters) == 1 else MINIMUM_IMAGES_OF_MANY
        for character in characters:
            own = labels == self._data_set.classes.index(character)
            if own.sum() < needed:
                raise UserError(
                    f"there {'is' if own.sum() == 1 else 'are'} {counted(own.sum(), 'image')} of "
                    f"{character!r} to learn from in the generator "
                    f"split, and {needed} are needed; a tenth of a data set's images are in that "
                    "split, or the last share of --split-shares, so start with more images of "
                    f"{character!r} or with a larger share"
                )
            chosen |= own
        return rows[chosen]

    def train(
        self,
        kind: str,
        class_index: int,
        settings: GanSettings,
        *,
        show: Callable[[Progress], None],
        should_stop: Callable[[], bool],
    ) -> TrainedGan:
        """Train a generator on the generator split and keep it in place of an earlier one.

        One that was stopped does not take the place of one that learnt longer.

        Args:
            kind: one of `gan.settings.KINDS`.
            class_index: of the character; for a kind that draws all characters it says nothing.
            settings: how.
            show: told how it goes.
            should_stop: asked every few steps; what was learnt until then is kept.

        Returns:
            How the training went.

        Raises:
            UserError: too few images, or the losses grew without bound, or it was stopped before
                the generator learnt anything; nothing is kept.
            CollectionError: it is trained, and in memory, but cannot be kept in the folder.
        """
        from gan.training import GanDiverged, train_conditional_generator, train_generator

        characters = self._characters(kind, class_index)
        rows = self._rows(characters)
        images: npt.NDArray[np.uint8] = self._data_set.images[rows]
        self._read(kind)  # a damaged folder is told of before the training
        try:
            if kind in CHARACTER_KINDS:
                trained = train_generator(
                    kind, images, settings, self._seed, show=show, should_stop=should_stop
                )
            else:
                labels = self._data_set.labels[rows]
                trained = train_conditional_generator(
                    images, labels, settings, self._seed, show=show, should_stop=should_stop
                )
        except GanDiverged as error:
            raise UserError(f"{error}; nothing was kept") from error
        if not trained.steps:
            raise UserError("stopped before the generator learnt anything; nothing was kept")
        self._keep_trained(kind, characters, images, settings, trained)
        return trained

    def train_on_cluster(
        self,
        address: str,
        kind: str,
        class_indices: Sequence[int],
        settings: GanSettings,
        *,
        observer: GeneratorObserver,
        should_stop: Callable[[], bool],
    ) -> None:
        """Train generators of a character each on a Ray cluster, and keep each as it is finished.

        Args:
            address: HOST:PORT of the cluster's head node.
            kind: one of `gan.settings.CHARACTER_KINDS`.
            class_indices: of the characters, each once.
            settings: how.
            observer: is told how it goes.
            should_stop: asked several times a second; what is finished then is kept.

        Raises:
            UserError: too few images of one of them, or the cluster cannot be used, and none was
                trained; or some could not be, while all others were.
            CollectionError: generators are trained, and in memory, but cannot be kept in the
                folder.
            crews.ending.TrainingDefect: some met a defect of the program.
        """
        from generators.ray_generators import CharacterTask, train_on_cluster  # seldom needed

        self._read(kind)  # a damaged folder is told of before the training
        tasks = []
        for class_index in class_indices:
            characters = self._characters(kind, class_index)
            images = self._data_set.images[self._rows(characters)]
            tasks.append(CharacterTask(kind, characters[0], images, settings, self._seed))
        not_kept: list[CollectionError] = []

        def keep(task: CharacterTask, trained: TrainedGan) -> bool:
            try:
                self._keep_trained(kind, (task.character,), task.images, settings, trained)
            except CollectionError as error:  # no reason to give up those that follow
                not_kept.append(error)
                return False
            return True

        train_on_cluster(address, tasks, observer=observer, keep=keep, should_stop=should_stop)
        if not_kept:
            raise not_kept[-1]

    def _keep_trained(
        self,
        kind: str,
        characters: tuple[str, ...],
        images: npt.NDArray[np.uint8],
        settings: GanSettings,
        trained: TrainedGan,
    ) -> None:
        """Keep what a training on some images left."""
        generator = CharacterGenerator(
            characters=characters,
            settings=settings,
            steps=trained.steps,
            seconds=trained.seconds,
            seed=self._seed,
            data=images_learnt(images, self._data_set.name, "the generator split"),
            quality={},
            versions=library_versions(),
            weights=trained.weights,
        )
        self._keep(kind, generator)

    def _keep(self, kind: str, generator: CharacterGenerator) -> None:
        """Keep a generator in memory and in the folder, to which others may have written."""

        def add(kept: Generators) -> Generators:
            earlier = kept.get(generator.characters)
            return kept | {generator.characters: _lasting(generator, earlier)}

        self._kinds[kind] = add(self._kinds[kind])
        try:
            self._kinds[kind] |= change_generators(self.folder(kind), kind, add)
        except CollectionError as error:
            raise CollectionError(
                f"{error}; what was trained is in memory until the program ends"
            ) from error


def _lasting(new: CharacterGenerator, earlier: CharacterGenerator | None) -> CharacterGenerator:
    """The new one, unless it was stopped before it learnt as long as the earlier one."""
    stopped = new.steps < new.settings.steps
    return earlier if earlier is not None and stopped and earlier.steps > new.steps else new


def named(characters: tuple[str, ...]) -> str:
    """Characters in a few words.

    Args:
        characters: one or more.

    Returns:
        Words such as `'A'`, or `37 characters`.
    """
    return repr(characters[0]) if len(characters) == 1 else counted(len(characters), "character")


def images_learnt(images: npt.NDArray[np.uint8], source: str, selection: str) -> ImagesLearnt:
    """What a generator keeps about the images that it learnt from.

    Args:
        images: uint8 (N, 28, 28).
        source: file name of the data set.
        selection: which of its images they are, in words.

    Returns:
        Their number and SHA-256, and where they are from.
    """
    digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    # A file's name may hold what no terminal should be sent, and no folder is read back with.
    name = "".join(letter if letter.isprintable() else "?" for letter in source)
    return ImagesLearnt(name, digest, len(images), selection)


def write_training_pictures(
    trained: TrainedGan, kind: str, characters: tuple[str, ...], folder: Path
) -> Path:
    """Write what was drawn over time (PNG and GIF) and the losses into a new folder.

    Args:
        trained: the training.
        kind: of the generator.
        characters: what it draws.
        folder: in which the new folder is made; nothing that was there is written over.

    Returns:
        The new folder.

    Raises:
        UserError: it cannot be written.
    """
    from gan import monitor

    path = folder / f"{kind}-{key_of(characters)}"
    try:
        path = new_folder(path)
        if len(trained.previews):
            monitor.write_grid_over_time(trained.previews, path / "over-time.png")
            monitor.write_animation(trained.previews, path / "over-time.gif")
        title = f"{kind}, {named(characters)}, {counted(trained.steps, 'step')}"
        monitor.plot_losses(trained.losses, title, path / "losses.png")
    except OSError as error:
        raise UserError(
            f"the pictures of the training cannot be written to {path}: {error.strerror or error}"
        ) from error
    return path
