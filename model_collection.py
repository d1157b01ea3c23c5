"""A collection: entries for one list of classes, ranked by validation accuracy.

What an entry is, how it is trained and how it reads is in `entries/`; what is used with a
collection can be imported from here too. Nothing here needs Keras until it trains or reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from entries.entry import DataOrigin, Entry, EpochScores, Schooling, Weights
from entries.entry_training import TrainingDiverged, train_entry
from entries.origin import library_versions, origin_of
from entries.reading import network_of, score_split
from evaluation import overlap
from settings.hyperparameters import TrainingTask
from settings.teachers import teacher_identity

__all__ = [
    "DataOrigin",
    "Entry",
    "EpochScores",
    "ModelCollection",
    "Schooling",
    "TrainingDiverged",
    "Weights",
    "library_versions",
    "network_of",
    "origin_of",
    "score_split",
    "teacher_of",
    "train_entry",
]


@dataclass
class ModelCollection:
    """Entries for one list of classes.

    Attributes:
        classes: the characters that every network of the collection tells apart.
        entries: in the order they were first trained; their index is their number.
        images_used: for each data fingerprint, uint64 keys of the images that took part in
            training or in choosing (`evaluation.overlap`).
    """

    classes: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)
    images_used: dict[str, npt.NDArray[np.uint64]] = field(default_factory=dict)

    def best(self) -> Entry | None:
        """The entry that is used for reading.

        Returns:
            The one of highest validation accuracy, ties by lower loss; None when there is none.
        """
        return max(self.entries, key=lambda entry: entry.validation.rank, default=None)

    def find(self, identity: str) -> Entry | None:
        """Find an entry.

        Args:
            identity: the whole of it, as of `Entry.identity`.

        Returns:
            The entry, or None.
        """
        return next((entry for entry in self.entries if entry.identity == identity), None)

    def identities(self) -> Iterator[str]:
        """What tells the entries apart.

        Returns:
            The identity of each, in their order.
        """
        return (entry.identity for entry in self.entries)

    def add(self, entry: Entry, images_used: npt.NDArray[np.uint64]) -> None:
        """Add an entry, in place of one with the same identity if there is one.

        Args:
            entry: trained for the classes of this collection.
            images_used: uint64 keys of the images that entries trained on the same data have
                learnt from or were chosen by.
        """
        self.images_used[entry.data.fingerprint] = images_used
        for number, old in enumerate(self.entries):
            if old.identity == entry.identity:
                self.entries[number] = entry
                break
        else:
            self.entries.append(entry)
        used = {name for kept in self.entries for name in kept.fingerprints}
        self.images_used = {name: keys for name, keys in self.images_used.items() if name in used}

    def keys_of(self, entry: Entry) -> npt.NDArray[np.uint64]:
        """Find what took part in training or choosing an entry.

        Args:
            entry: of this collection.

        Returns:
            uint64 (M,), keys of images, those that its teachers, and theirs, met among them.
        """
        keys = [self.images_used[name] for name in entry.fingerprints]
        return keys[0] if len(keys) == 1 else np.unique(np.concatenate(keys))

    def met_by(self, images: npt.NDArray[np.uint8]) -> Callable[[Entry], npt.NDArray[np.bool_]]:
        """Find which images took part in training or choosing entries.

        Args:
            images: uint8 (N, 28, 28).

        Returns:
            What says for an entry which of them it has met, itself or through its teachers:
            bool (N,).
        """
        keys = overlap.image_keys(images)
        met = {name: np.isin(keys, used) for name, used in self.images_used.items()}
        return lambda entry: np.logical_or.reduce([met[name] for name in entry.fingerprints])


def teacher_of(task: TrainingTask, collection: ModelCollection) -> Entry | None:
    """The entry that a task learns from.

    Args:
        task: may name a teacher's identity, or how that begins.
        collection: where the teacher is.

    Returns:
        The teacher; None where the task learns from labels alone.

    Raises:
        HyperparameterError: the collection has no such entry, or several.
    """
    if task.parameters.distillation is None:
        return None
    identity = teacher_identity(task, sorted(collection.identities()))
    return collection.find(identity) if identity is not None else None
