"""Trained denoisers as a folder: `collection.json`, and a file of weights for each denoiser.

A folder is data alone: settings that were checked, and plain numbers that networks rebuilt from
those settings are filled with. A denoiser is keyed by its settings and by what it learnt from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from checked_folder import (
    FILE_NAME,
    SCHEMA_VERSION,
    Problem,
    a_mapping,
    a_number,
    a_text,
    a_whole_number,
    holds_document,
    naming,
    read_document,
    read_weights_row,
    remove_other_weights,
    within,
    write_atomically,
    write_weights_row,
    writing,
)
from denoising.settings import (
    DenoiserSettings,
    settings_from_dictionary,
    settings_to_json,
    weight_shapes,
)

FORMAT = "handwriting denoiser collection"
MOST_CLASSES = 70_000
MOST_WEIGHTS = 50_000_000
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


def key_of(settings: DenoiserSettings, fingerprint: str) -> str:
    """The key of the denoiser of those settings that learnt from that data set."""
    return f"{settings.identity}-{fingerprint[:SHORT_FINGERPRINT]}"


def load_denoisers(folder: Path) -> dict[str, Denoiser]:
    """Read all denoisers of a folder, checking everything before anything is used.

    Args:
        folder: written by `save_denoiser`; one that is not there holds none.

    Returns:
        Denoisers by key.

    Raises:
        CollectionError: the folder is damaged, or holds something else.
    """
    if not holds_document(folder):
        return {}
    document = read_document(folder, FORMAT)
    denoisers: dict[str, Denoiser] = {}
    with naming(folder):
        for key, given in a_mapping(document.get("denoisers"), "'denoisers'").items():
            with within(f"denoiser {str(key)[:80]!r}"):
                denoiser = _read_denoiser(folder, given)
                if denoiser.key != key:
                    raise Problem("its settings and data make another key")
                denoisers[key] = denoiser
    return denoisers


def _read_denoiser(folder: Path, given: Any) -> Denoiser:
    about = a_mapping(given, "a denoiser")
    settings, problems = settings_from_dictionary(about.get("settings"))
    if settings is None:
        raise Problem(problems[0])
    classes = a_whole_number(about.get("classes"), "'classes'")
    if not 1 <= classes <= MOST_CLASSES:
        raise Problem(f"'classes' is {classes}, but must be 1 to {MOST_CLASSES:,}")
    count = sum(int(np.prod(shape)) for shape in weight_shapes(settings, classes))
    if count > MOST_WEIGHTS:
        raise Problem(f"it has {count:,} weights, where at most {MOST_WEIGHTS:,} are expected")
    return Denoiser(
        settings=settings,
        classes=classes,
        steps=a_whole_number(about.get("steps"), "'steps'"),
        seconds=a_number(about.get("seconds"), "'seconds'"),
        seed=a_whole_number(about.get("seed"), "'seed'"),
        source=a_text(about.get("source"), "'source'"),
        fingerprint=a_text(about.get("fingerprint"), "'fingerprint'"),
        versions={
            a_text(name, "a library"): a_text(version, "a version")
            for name, version in a_mapping(about.get("versions"), "'versions'").items()
        },
        weights=read_weights_row(folder, about.get("weights"), count),
    )


def save_denoiser(folder: Path, denoiser: Denoiser) -> None:
    """Add a denoiser to a folder, in place of one of the same key.

    Args:
        folder: a new folder, or one written by this function.
        denoiser: what to keep.

    Raises:
        CollectionError: the folder is damaged or cannot be written; what was there is unchanged.
    """
    denoisers = load_denoisers(folder) | {denoiser.key: denoiser}
    with writing(folder, "the denoiser") as new:
        document: dict[str, Any] = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "denoisers": {
                key: _document(folder, kept, new) for key, kept in sorted(denoisers.items())
            },
        }
        write_atomically(folder / FILE_NAME, json.dumps(document, indent=1).encode())
    remove_other_weights(
        folder, {about["weights"]["file"] for about in document["denoisers"].values()}
    )


def _document(folder: Path, denoiser: Denoiser, new: list[Path]) -> dict[str, Any]:
    return {
        "settings": settings_to_json(denoiser.settings),
        "classes": denoiser.classes,
        "steps": denoiser.steps,
        "seconds": round(denoiser.seconds, 1),
        "seed": denoiser.seed,
        "source": denoiser.source,
        "fingerprint": denoiser.fingerprint,
        "versions": dict(denoiser.versions),
        "weights": write_weights_row(folder, denoiser.weights, new),
    }
