"""Variables that a training needs beside the weights, made before Keras traces its first step."""

from __future__ import annotations

from typing import Any

import keras


def make_training_variables(model: keras.Model, labels: Any) -> None:
    """Make the optimizer's variables and the metrics' ones; nothing is learnt or counted.

    Keras makes them in the middle of tracing the first step, which TensorFlow then traces a second
    time, without them: that is half of the time until a training moves.

    Args:
        model: compiled; from images to probabilities (N, C).
        labels: what is known of a batch's labels or targets, with shape and dtype.
    """
    model.optimizer.build(model.trainable_variables)
    known = keras.ops.zeros((1, *labels.shape[1:]), labels.dtype)
    model.compute_metrics(None, known, keras.ops.zeros((1, *model.output_shape[1:])))
    model.reset_metrics()
