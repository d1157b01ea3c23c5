"""An entry of a collection, as plain data: layers, parameters, scores, and weights as arrays.

It is listed, saved and loaded without Keras.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from evaluation.recognition import Score
from settings import hyperparameters
from settings.network_layers import Variant
from settings.training_parameters import TrainingParameters

Weights = tuple[npt.NDArray[np.floating], ...]


@dataclass(frozen=True)
class DataOrigin:
    """The data that an entry was trained and scored on.

    Attributes:
        name: file name of the data set.
        fingerprint: SHA-256 over images, labels, classes and splits, 64 hexadecimal digits.
        split_by: 'seed' for random splits, 'file' where the file's own test rows are the test set,
            'group' where images that belong together are never in two splits.
        seed: seed of the splits.
        training_images: number of images learnt from.
    """

    name: str
    fingerprint: str
    split_by: str
    seed: int
    training_images: int


@dataclass(frozen=True)
class EpochScores:
    """Scores after one epoch: accuracies 0 to 1, losses in nats; training ones with dropout on."""

    accuracy: float
    loss: float
    validation_accuracy: float
    validation_loss: float


@dataclass(frozen=True)
class Schooling:
    """What an entry's teachers had met of other data than that which it was trained on itself.

    Attributes:
        fingerprints: of the data that they, and their own teachers, were trained on; none twice.
        validation_images: how many images of the entry's validation split they had met.
        test_images: the same of its test split.
    """

    fingerprints: tuple[str, ...] = ()
    validation_images: int = 0
    test_images: int = 0


@dataclass(frozen=True, eq=False)
class Entry:
    """A variant trained under given parameters, with its scores and where they came from.

    Attributes:
        layers: the variant.
        training_parameters: how it was trained.
        validation: score on the validation split, the one that ranks.
        test: score on the test split, taken once, never used to choose.
        history: scores after each epoch.
        seconds: time of the training.
        seed: seed of the weights and of the order of images.
        data: what it was trained on.
        versions: names and versions of the libraries.
        weights: float16 or float32 arrays in the order of `layer_lists.weight_arrays`.
        schooling: what its teachers had met, where that is more than what it was trained on.
    """

    layers: Variant
    training_parameters: TrainingParameters
    validation: Score
    test: Score
    history: tuple[EpochScores, ...]
    seconds: float
    seed: int
    data: DataOrigin
    versions: dict[str, str]
    weights: Weights = field(repr=False)
    schooling: Schooling = Schooling()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the data that it has met: by which it was trained, and through its teachers."""
        return (self.data.fingerprint, *self.schooling.fingerprints)

    @cached_property
    def identity(self) -> str:
        """What makes two entries the same: layers, and parameters that change the result."""
        return hyperparameters.identity(self.layers, self.training_parameters)
