"""Weights in half precision, where that costs no accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from data_set import DataSet
from entries.entry import Weights
from entries.reading import score_split
from evaluation.recognition import Score

if TYPE_CHECKING:
    import keras


def smallest_weights(
    network: keras.Model, data_set: DataSet, should_stop: Callable[[], bool]
) -> tuple[Weights, Score]:
    """Weights in half precision, unless that costs range or validation accuracy.

    Args:
        network: trained; the weights that are returned are left in it.
        data_set: on whose validation split it is scored.
        should_stop: asked after each few batches.

    Returns:
        The network's weights, in its order, all float16 or all float32; its score with them.

    Raises:
        cnn_model.TrainingStopped: `should_stop` said so.
    """
    import cnn_model

    full = cnn_model.get_weights(network)
    full_score = score_split(network, data_set, "validation", should_stop)
    if max(float(np.abs(array).max()) for array in full) > float(np.finfo(np.float16).max):
        return full, full_score
    half = cnn_model.to_half_precision(full)
    cnn_model.set_weights(network, half)
    half_score = score_split(network, data_set, "validation", should_stop)
    # One image in a thousand is far below the spread between seeds.
    if half_score.accuracy >= full_score.accuracy - 0.001:
        return half, half_score
    cnn_model.set_weights(network, full)
    return full, full_score
