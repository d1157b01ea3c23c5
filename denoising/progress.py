"""Where the training of a denoiser stands, as its views are told. Knows no Keras."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DenoiserProgress:
    """Where a training stands.

    Attributes:
        step: batches done.
        steps: batches asked for.
        loss: mean since the start.
        seconds_left: estimate.
    """

    step: int
    steps: int
    loss: float
    seconds_left: float
