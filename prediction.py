"""What the best network of a collection took an image for, and where the image is from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from entries.entry import Entry
from evaluation.recognition import Likely
from image_generator import Drawing


@dataclass(frozen=True, eq=False)
class Prediction:
    """A drawn character and what the best network took it for.

    Attributes:
        asked: the character that was asked for.
        stands_for: the class it is part of, where that is another character, else None.
        drawing: what was drawn.
        entry: the entry that read it.
        number: that entry's number in the collection.
        likeliest: all classes, likeliest first.
    """

    asked: str
    stands_for: str | None
    drawing: Drawing
    entry: Entry
    number: int
    likeliest: tuple[Likely, ...]


@dataclass(frozen=True, eq=False)
class RestoredReading:
    """What a denoiser made of a noisy image, and what the best network took that for.

    Attributes:
        denoiser: its name.
        image: uint8 (28, 28), restored: what the network got to see.
        likeliest: all classes, likeliest first.
    """

    denoiser: str
    image: npt.NDArray[np.uint8]
    likeliest: tuple[Likely, ...]


@dataclass(frozen=True, eq=False)
class RestoredPrediction:
    """A noisy image, and what the best network reads in it once it is restored.

    Attributes:
        noise: that it was given, such as `gaussian 0.6`; None where it is a user's picture.
        label: its class; None where nobody knows.
        noisy: uint8 (28, 28).
        readings: one a denoiser, one or more.
    """

    noise: str | None
    label: str | None
    noisy: npt.NDArray[np.uint8]
    readings: tuple[RestoredReading, ...]
