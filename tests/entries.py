"""Entries without weights and without training, for tests that list them."""

import random
from typing import Any

import numpy as np

from evaluation.recognition import Score
from model_collection import DataOrigin, Entry, ModelCollection
from settings.network_layers import Conv2D, Dense, Flatten, MaxPooling, Variant
from settings.training_parameters import TrainingParameters

DENSE: Variant = (Flatten(), Dense(6))
CONVOLUTIONAL: Variant = (Conv2D(2, (3, 3)), MaxPooling((2, 2)), Flatten())


def an_entry(number: int, **changed: Any) -> Entry:
    """An entry without weights; its figures hang on its number."""
    drawn = random.Random(number)
    values: dict[str, Any] = {
        "layers": DENSE if number % 2 else CONVOLUTIONAL,
        "training_parameters": TrainingParameters(
            drawn.choice(["adam", "sgd"]), 8, 2, learning_rate=(number + 1) / 1e5
        ),
        "validation": Score(drawn.random(), 3 * drawn.random(), 100),
        "test": Score(drawn.random(), 3 * drawn.random(), 50),
        "history": (),
        "seconds": 100 * drawn.random(),
        "seed": 3,
        "data": DataOrigin("letters.mat", "0" * 64, "seed", 1, 300),
        "versions": {},
        "weights": (),
    }
    return Entry(**values | changed)


def a_collection(entries: int) -> ModelCollection:
    return ModelCollection(
        ("A", "B"),
        [an_entry(number) for number in range(entries)],
        {"0" * 64: np.zeros(1, np.uint64)},
    )
