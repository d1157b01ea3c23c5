"""Denoisers of the open data set: found in a folder, trained, kept, and used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_parser import DataSet
from denoising.progress import DenoiserProgress
from denoising.settings import DenoiserSettings
from entries.origin import library_versions, origin_of
from errors import CollectionError, UserError
from storage import network_folder
from storage.denoiser_folder import (
    FORMAT,
    Denoiser,
    Denoisers,
    change_denoisers,
    key_of,
    load_denoisers,
)

if TYPE_CHECKING:
    from denoising.training import TrainedDenoiser


class TrainedDenoisers:
    """Denoisers that learnt from one data set's training split, in memory and in a folder."""

    def __init__(self, data_set: DataSet, folder: Path, seed: int) -> None:
        """Use a folder.

        Args:
            data_set: whose training split is learnt from.
            folder: of denoisers; made when something is kept.
            seed: of trainings.
        """
        self.folder = folder
        self._data_set = data_set
        self._seed = seed
        self._known: dict[str, Denoiser] | None = None
        self._networks: dict[str, tuple[Denoiser, Any]] = {}

    def why_not_kept(self) -> str | None:
        """Why what is trained could not be kept in the folder.

        Returns:
            The reason in words; None where it could.
        """
        return network_folder.why_not_kept(self.folder, FORMAT)

    def of(self, settings: DenoiserSettings) -> Denoiser | None:
        """The denoiser that was trained by some settings.

        Args:
            settings: of one denoiser.

        Returns:
            The denoiser, or None where it is still to be trained.

        Raises:
            CollectionError: the folder is damaged; nothing of it is used.
        """
        return self._read().get(key_of(settings, self._data_set.fingerprint))

    def _read(self) -> dict[str, Denoiser]:
        """All denoisers of the folder, read at the first call."""
        if self._known is None:
            self._known = load_denoisers(self.folder)
        return self._known

    def train(
        self,
        settings: DenoiserSettings,
        *,
        show: Callable[[DenoiserProgress], None] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> TrainedDenoiser:
        """Train a denoiser on the training split and keep it in place of an earlier one.

        Where it is stopped after fewer steps than an earlier one learnt from, that one stays, be it
        this program's or one that another program kept meanwhile.

        Args:
            settings: how.
            show: told how it goes.
            should_stop: asked after each step; what was learnt until then is kept.

        Returns:
            What the training left.

        Raises:
            UserError: the loss grew without bound, or memory did not suffice; nothing is kept.
            CollectionError: it is trained, and in memory, but cannot be kept in the folder.
        """
        import cnn_model  # noqa: F401  its processor settings come before Keras
        from denoising.training import DenoiserDiverged, OutOfMemory, train_denoiser

        known = self._read()
        images, labels = self._data_set.subset("training")
        try:
            trained = train_denoiser(
                settings,
                images,
                labels,
                len(self._data_set.classes),
                self._seed,
                show=show,
                should_stop=should_stop,
            )
        except (DenoiserDiverged, OutOfMemory) as error:
            raise UserError(f"{error}; nothing was kept") from error
        denoiser = Denoiser(
            settings=settings,
            classes=len(self._data_set.classes),
            steps=trained.steps,
            seconds=trained.seconds,
            seed=self._seed,
            source=origin_of(self._data_set).name,
            fingerprint=self._data_set.fingerprint,
            versions=library_versions(),
            weights=trained.weights,
        )
        known[denoiser.key] = kept = _longer_trained(denoiser, known.get(denoiser.key))
        if kept is denoiser:
            known[denoiser.key] = self._keep(denoiser)
        return trained

    def _keep(self, denoiser: Denoiser) -> Denoiser:
        """Keep a denoiser in the folder; returns what is kept, which another program may have."""

        def add(kept: Denoisers) -> Denoisers:
            return kept | {denoiser.key: _longer_trained(denoiser, kept.get(denoiser.key))}

        try:
            return change_denoisers(self.folder, add)[denoiser.key]
        except CollectionError as error:
            raise CollectionError(
                f"{error}; what was trained is in memory until the program ends"
            ) from error

    def restore(
        self,
        denoiser: Denoiser,
        images: npt.NDArray[np.uint8],
        amount: float,
        labels: npt.NDArray[np.integer],
    ) -> npt.NDArray[np.uint8]:
        """Take the noise out of images.

        Args:
            denoiser: of `of`.
            images: uint8 (N, 28, 28), noisy.
            amount: of the noise; only 'residual' looks at it.
            labels: integers (N,), what each is taken for; only 'conditional' looks at them.

        Returns:
            uint8 (N, 28, 28).
        """
        import cnn_model  # noqa: F401  its processor settings come before Keras
        from denoising import networks

        kept, network = self._networks.get(denoiser.key, (None, None))
        if kept is not denoiser:
            network = networks.build_denoiser(denoiser.settings, denoiser.classes)
            networks.set_weights(network, denoiser.settings, denoiser.classes, denoiser.weights)
            self._networks[denoiser.key] = denoiser, network
        amounts = np.full(len(images), amount, np.float32)
        return networks.restore(network, denoiser.settings, images, amounts, labels)


def _longer_trained(new: Denoiser, earlier: Denoiser | None) -> Denoiser:
    """The one that learnt from more steps; the new one of equals."""
    return new if earlier is None or new.steps >= earlier.steps else earlier
