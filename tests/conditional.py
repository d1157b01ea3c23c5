"""What the tests of a generator of all characters share: tiny settings, and images easily told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gan.settings import GanSettings, weight_count
from storage.generator_folder import CharacterGenerator, ImagesLearnt

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
KIND = "conditional"
PLAIN = GanSettings(
    network="convolutional",
    generator_widths=(4, 3, 2),
    discriminator_widths=(2, 2),
    latent_size=4,
    loss="hinge",
    steps=6,
    batch_size=6,
    generator_learning_rate=0.01,
    discriminator_learning_rate=0.01,
    class_size=3,
)
READING = replace(PLAIN, feature_widths=(3, 2, 2), feature_steps=4)
PLACES = (slice(0, 9), slice(10, 18), slice(19, 28))  # columns that are bright


def easy_images(each: int = 20, classes: int = 3, seed: int = 1) -> tuple[Images, Labels]:
    """Classes with ink on the left, in the middle, and on the right."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each).astype(np.int32)
    images = random.integers(0, 40, (len(labels), 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2:26, PLACES[label]] = random.integers(200, 256)
    return images, labels


def drawing_weights(
    settings: GanSettings, classes: int, random: np.random.Generator
) -> npt.NDArray[np.float16]:
    """Random weights that draw greys which depend on class and style, without Keras."""
    class_size = settings.class_size or settings.latent_size
    told = settings.latent_size + class_size
    at_7, at_14, at_28 = settings.generator_widths

    def modulation(width: int) -> list[Any]:
        """Mean and variance, then scale and shift."""
        rest = 0.05 * random.standard_normal(2 * width * (told + 1))
        return [np.zeros(width), np.ones(width), rest]

    parts = [
        0.05 * random.standard_normal(classes * class_size),
        0.5 * random.standard_normal(told * 49 * at_7),
        *modulation(at_7),
        0.3 * random.standard_normal(16 * at_7 * at_14),
        *modulation(at_14),
        0.3 * random.standard_normal(16 * at_14 * at_28),
        *modulation(at_28),
        0.2 * random.standard_normal(9 * at_28 + 1),
    ]
    weights = np.concatenate(parts).astype(np.float16)
    assert weights.shape == (weight_count(settings, classes),)
    return weights


def many(characters: str, seed: int = 1, **changes: Any) -> CharacterGenerator:
    """A generator of several characters with random weights."""
    settings = changes.get("settings", PLAIN)
    random = np.random.default_rng([seed, *map(ord, characters)])
    values: dict[str, Any] = {
        "characters": tuple(characters),
        "settings": settings,
        "steps": 6,
        "seconds": 1.5,
        "seed": seed,
        "data": ImagesLearnt("letters.mat", "0" * 64, 60, "the generator split"),
        "quality": {"fid": 1.25},
        "versions": {"keras": "3.12"},
        "weights": drawing_weights(settings, len(characters), random),
    }
    return CharacterGenerator(**(values | changes))
