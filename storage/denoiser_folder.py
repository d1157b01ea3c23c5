"""Trained denoisers as a folder: `collection.json`, and a file of weights for each denoiser.

A folder is data alone: settings that were checked, and plain numbers that networks rebuilt from
those settings are filled with. A denoiser is keyed by its settings and by what it learnt from.
Programs that write to the same folder wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from denoising.settings import (
    MOST_WEIGHTS,
    DenoiserSettings,
    settings_from_dictionary,
    settings_to_json,
    weight_count,
)
from process_lock import give_up_in_time
from storage.checked_folder import (
    Problem,
    a_mapping,
    a_text,
    a_whole_number,
    naming,
    read_weights_row,
    within,
)
from storage.network_folder import (
    FolderFormat,
    Written,
    alone_in,
    checked_settings,
    read_networks,
    read_training,
    read_versions,
    training_to_json,
    write_networks,
)

FORMAT = FolderFormat("handwriting denoiser collection", "denoisers", "the denoiser")
MOST_CLASSES = 70_000
SHORT_FINGERPRINT = 16


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A trained denoiser.

    Attributes:
        settings: how it is built and was trained.
        classes: number of classes of the data set that it learnt from.
        steps: batches that it learnt from; fewer than the settings say where it was stopped.
        seconds: time of the training.
        seed: of the training.
        source: file name of the data set.
        fingerprint: SHA-256 of the data set, 64 hexadecimal digits.
        versions: names and versions of the libraries.
        weights: float16 (W,), of `denoising.networks.build_denoiser`.
    """

    settings: DenoiserSettings
    classes: int
    steps: int
    seconds: float
    seed: int
    source: str
    fingerprint: str
    versions: Mapping[str, str]
    weights: npt.NDArray[np.float16] = field(repr=False)

    @property
    def key(self) -> str:
        """What tells it from all others in a folder."""
        return key_of(self.settings, self.fingerprint)


Denoisers: TypeAlias = dict[str, Denoiser]  # by key


def key_of(settings: DenoiserSettings, fingerprint: str) -> str:
    """The key of a denoiser in its folder's document.

    Args:
        settings: by which it was trained.
        fingerprint: of the data set that it learnt from, 64 hexadecimal digits.

    Returns:
        The settings' identity, and how the fingerprint begins.
    """
    return f"{settings.identity}-{fingerprint[:SHORT_FINGERPRINT]}"


def load_denoisers(folder: Path) -> Denoisers:
    """Read all denoisers of a folder, checking everything before anything is used.

    Args:
        folder: written by `change_denoisers`; one that is not there holds none.

    Returns:
        Denoisers by key.

    Raises:
        CollectionError: the folder is damaged, or holds something else.
    """
    return read_networks(folder, FORMAT, lambda document: _read_denoisers(folder, document))


def _read_denoisers(folder: Path, document: dict[str, Any]) -> Denoisers:
    denoisers: Denoisers = {}
    with naming(folder):
        for key, given in a_mapping(document.get("denoisers"), "'denoisers'").items():
            with within(f"denoiser {key[:80]!r}"):
                denoiser = _read_denoiser(folder, given)
                if denoiser.key != key:
                    raise Problem("its settings and data make another key")
                denoisers[key] = denoiser
    return denoisers


def _read_denoiser(folder: Path, given: Any) -> Denoiser:
    about = a_mapping(given, "a denoiser")
    settings = checked_settings(settings_from_dictionary(about.get("settings")))
    classes = a_whole_number(about.get("classes"), "'classes'")
    if not 1 <= classes <= MOST_CLASSES:
        raise Problem(f"'classes' is {classes}, but must be 1 to {MOST_CLASSES:,}")
    count = weight_count(settings, classes)
    if count > MOST_WEIGHTS:
        raise Problem(f"it has {count:,} weights, where at most {MOST_WEIGHTS:,} are expected")
    return Denoiser(
        settings=settings,
        classes=classes,
        **read_training(about),
        source=a_text(about.get("source"), "'source'"),
        fingerprint=a_text(about.get("fingerprint"), "'fingerprint'"),
        versions=read_versions(about),
        weights=read_weights_row(folder, about.get("weights"), count),
    )


def change_denoisers(folder: Path, change: Callable[[Denoisers], Denoisers]) -> Denoisers:
    """Put other denoisers in place of those of a folder, while no other program writes to it.

    Args:
        folder: a new folder, or one written by this module.
        change: is given the denoisers of the folder by key, and returns those that take their
            place.

    Returns:
        What `change` returned.

    Raises:
        CollectionError: the folder is damaged or cannot be written; what was there is unchanged.
    """
    with alone_in(folder, FORMAT, give_up_in_time):
        denoisers = change(load_denoisers(folder))
        written = {key: _written(denoiser) for key, denoiser in sorted(denoisers.items())}
        write_networks(folder, FORMAT, {}, written)
    return denoisers


def _written(denoiser: Denoiser) -> Written:
    about = {
        "settings": settings_to_json(denoiser.settings),
        "classes": denoiser.classes,
        **training_to_json(denoiser.steps, denoiser.seconds, denoiser.seed),
        "source": denoiser.source,
        "fingerprint": denoiser.fingerprint,
        "versions": dict(denoiser.versions),
    }
    return Written(about, denoiser.weights)
