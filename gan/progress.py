"""Where a training stands, as its views are told. Knows no Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from image_arrays import Images


@dataclass(frozen=True, eq=False)
class GanProgress:
    """Where a training stands.

    Attributes:
        step: batches done.
        steps: batches asked for.
        discriminator_loss: mean over the latest steps.
        generator_loss: mean over the latest steps.
        seconds_left: estimate.
        preview: uint8 (16, 28, 28), drawn from the same latent vectors each time; None most times.
    """

    step: int
    steps: int
    discriminator_loss: float
    generator_loss: float
    seconds_left: float
    preview: Images | None


@dataclass(frozen=True)
class FeatureProgress:
    """Where the training of a feature network stands.

    Attributes:
        step: batches done.
        steps: batches asked for.
        loss: mean cross-entropy since the start.
        accuracy: mean since the start, on images that are learnt from, 0 to 1.
        seconds_left: estimate.
    """

    step: int
    steps: int
    loss: float
    accuracy: float
    seconds_left: float


Progress: TypeAlias = GanProgress | FeatureProgress
