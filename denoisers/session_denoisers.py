"""The denoisers of a session: judged on test images; one image restored by them, and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from data_formats.problems import one_line
from data_parser import DataSet
from denoisers.trained_denoisers import TrainedDenoisers
from denoising.noise import Noise, add_noise
from denoising.settings import DenoiserSettings, name_of
from errors import UserError
from evaluation.recognition import ranked
from image_arrays import Image
from prediction import RestoredPrediction, RestoredReading

if TYPE_CHECKING:
    from denoisers.denoising_findings import DenoisingFindings, RestoredImage, Restorer, SeenImage

# Returns the probabilities, float32 (N, C), with which uint8 (N, 28, 28) are read.
ReadImages: TypeAlias = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class _Example:
    """An image that was restored: its noise and class, where known, and the denoisers' images."""

    noise: str | None
    label: str | None
    noisy: Image
    restored: tuple[SeenImage, ...]


class SessionDenoisers:
    """Denoisers of the open data set, at work; the last image that they restored is kept."""

    def __init__(
        self, data_set: DataSet, trained: TrainedDenoisers, random: np.random.Generator, seed: int
    ) -> None:
        """Use denoisers.

        Args:
            data_set: whose test images get noise.
            trained: those that are trained.
            random: source of the examples and of their noise.
            seed: of what denoisers are judged on, 0 or more.
        """
        self._data_set = data_set
        self._trained = trained
        self._random = random
        self._seed = seed
        self._last: _Example | None = None

    def judge(
        self,
        denoisers: Sequence[DenoiserSettings],
        noises: Sequence[Noise],
        read: ReadImages | None,
        show: Callable[[str], None],
    ) -> DenoisingFindings:
        """Restore test images with denoisers, and read them.

        Args:
            denoisers: those that are trained already; others are left out.
            noises: one or more.
            read: how images are read; None without a network.
            show: told what is being done.

        Returns:
            How near restored images are to clean ones, and how well they are read.

        Raises:
            CollectionError: the folder of denoisers is damaged.
        """
        from denoisers.denoising_findings import (
            judge,  # with what it needs, which other commands do without
        )

        def taken_for(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer]:
            assert read is not None
            classes: npt.NDArray[np.integer] = read(images).argmax(axis=1)
            return classes

        return judge(
            self._data_set,
            noises,
            self._restorers(denoisers),
            None if read is None else taken_for,
            self._seed,
            show,
        )

    def restore(
        self,
        denoisers: Sequence[DenoiserSettings],
        noise: Noise,
        example: str | Path,
        read: ReadImages | None,
    ) -> RestoredImage:
        """Restore one noisy image with denoisers, and read it before and after.

        Args:
            denoisers: those that are trained already; others are left out, and so are those that
                are told the class where nothing tells it: of a picture without a network.
            noise: what a test image is given, or what a picture is said to have.
            example: a character, of which a test image is drawn by lot; or the path of a picture
                that has noise already.
            read: how images are read; None without a network.

        Returns:
            The image before and after, and what it is read as.

        Raises:
            UserError: there is no such character, no test image of it, or no such picture.
        """
        from denoisers.denoising_findings import restore_one

        label, images = self._example(noise, example)
        told = label is not None or read is not None
        restorers = self._restorers(denoisers, told=told)
        found = restore_one(noise, images, label, self._data_set.classes, restorers, read)
        noisy, restored = found.seen[len(images) - 1], found.seen[len(images) :]
        given = None if label is None else noise.name
        self._last = _Example(given, found.label, noisy.image, restored) if restored else None
        return found

    @property
    def has_restored(self) -> bool:
        """Whether there is an image for `read_restored`."""
        return self._last is not None

    def read_restored(self, read: ReadImages) -> RestoredPrediction:
        """Read what `restore` last made of an image.

        Args:
            read: how images are read.

        Returns:
            A reading for each denoiser that restored the image.

        Raises:
            UserError: nothing was restored.
        """
        last = self._last
        if last is None:
            raise UserError(
                "there is no restored image yet: use Denoise first, and give it a character, such "
                f"as {one_line(self._data_set.classes[0])}, or a noisy picture to restore"
            )
        probabilities = read(np.stack([seen.image for seen in last.restored]))
        readings = (
            RestoredReading(seen.name, seen.image, ranked(row, self._data_set.classes))
            for seen, row in zip(last.restored, probabilities, strict=True)
        )
        return RestoredPrediction(last.noise, last.label, last.noisy, tuple(readings))

    def check_example(self, example: str | Path) -> None:
        """Refuse what `restore` could not restore.

        Args:
            example: a character, or the path of a picture.

        Raises:
            UserError: there is no such character, no test image of it, or no such picture.
        """
        if isinstance(example, Path):
            _read_picture(example)
        else:
            self._test_rows(example)

    def _test_rows(self, character: str) -> npt.NDArray[np.int64]:
        """Rows of the test images of a character, one or more."""
        label, _ = self._data_set.class_of(character)
        rows = self._data_set.indices("test")
        found: npt.NDArray[np.int64] = rows[self._data_set.labels[rows] == label]
        if not len(found):
            raise UserError(f"the test split has no image of {character!r}; give another character")
        return found

    def _example(self, noise: Noise, example: str | Path) -> tuple[int | None, dict[str, Image]]:
        """Class index and images by name, the noisy one last."""
        if isinstance(example, Path):
            return None, {"the picture": _read_picture(example)}
        label, _ = self._data_set.class_of(example)
        clean = self._data_set.images[self._random.choice(self._test_rows(example))]
        noisy = add_noise(
            clean[np.newaxis], noise.kind, np.array([noise.amount], np.float32), self._random
        )
        return label, {"clean": clean, noise.name: noisy[0]}

    def _restorers(
        self, denoisers: Sequence[DenoiserSettings], *, told: bool = True
    ) -> dict[str, Restorer]:
        """What restores, by name: number in the file, and type; `told`: with the class at hand."""
        found: dict[str, Restorer] = {}
        for number, settings in enumerate(denoisers):
            denoiser = self._trained.of(settings)
            if denoiser is not None and (told or not settings.needs_class):
                found[name_of(number, settings)] = partial(self._trained.restore, denoiser)
        return found


def _read_picture(path: Path) -> Image:
    # with what it needs, which other commands do without
    from own_pictures import read_noisy_picture

    return read_noisy_picture(path)
