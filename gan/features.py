"""A network that learns to tell classes apart, for a discriminator to look through.

Sauer et al. 2021, "Projected GANs Converge Faster", look through a network that was trained on
photographs; here it learns from the very images that are to be drawn.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from gan.batches import batches_of_all_classes
from gan.calls import steps_in_a_call
from gan.layers import Scaled
from gan.networks import SLOPE
from gan.progress import FeatureProgress
from image_arrays import Images
from training.variables import make_training_variables

BATCH_SIZE = 128
STEPS_A_CALL = 20
LEARNING_RATE = 0.002
WARM_UP = 0.05  # of the steps
DROPOUT = 0.3
VECTOR = 128


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A classifier, and the same network as what it sees on the way.

    Attributes:
        classifier: from float32 (N, 28, 28, 1) in [-1, 1] to class probabilities (N, C).
        layers_seen: from the same to a list of maps (N, 14, 14, ...), (N, 7, 7, ...), (N, 3, 3,
            ...) and a vector (N, 128).
    """

    classifier: keras.Model
    layers_seen: keras.Model


def build_feature_network(classes: int, widths: Sequence[int]) -> FeatureNetwork:
    """Three convolutions and a dense layer.

    Args:
        classes: how many there are.
        widths: channels at 28x28, 14x14 and 7x7.

    Returns:
        A network with new weights.
    """
    image = keras.Input((28, 28, 1))
    x = image
    seen = []
    for width in widths:
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.LeakyReLU(SLOPE)(layers.BatchNormalization()(x))
        seen.append(x)
    x = layers.Dense(VECTOR, use_bias=False)(layers.Dropout(DROPOUT)(layers.Flatten()(x)))
    x = layers.LeakyReLU(SLOPE)(layers.BatchNormalization()(x))
    probabilities = layers.Dense(classes, activation="softmax")(layers.Dropout(DROPOUT)(x))
    return FeatureNetwork(
        keras.Model(image, probabilities), keras.Model(image, [*seen, x], name="features")
    )


def train_feature_network(
    network: FeatureNetwork,
    images: Images,
    labels: npt.NDArray[np.integer],
    steps: int,
    seed: int,
    *,
    show: Callable[[FeatureProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Teach a feature network to tell classes apart, each as often as the others.

    Args:
        network: from `build_feature_network`; it is changed.
        images: uint8 (N, 28, 28).
        labels: integers (N,) from 0.
        steps: batches of 128 to learn from.
        seed: of the order.
        show: told every few steps.
        should_stop: asked every few steps.

    Returns:
        Whether it came to its end.
    """
    network.layers_seen.trainable = True  # a discriminator that looks through it freezes it
    model = _classifier_of_bytes(network, steps)
    watcher = _Watcher(steps, show, should_stop)
    taught = batches_of_all_classes(images, labels, BATCH_SIZE, seed)
    make_training_variables(model, taught.element_spec[1])
    with contextlib.suppress(_Stopped):
        model.fit(
            taught,
            steps_per_epoch=steps,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[watcher],
        )
    return watcher.step == steps


def _classifier_of_bytes(network: FeatureNetwork, steps: int) -> keras.Model:
    """The classifier, compiled for so many steps; it takes uint8 images, which travel faster."""
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE / 10,
        steps,
        warmup_target=LEARNING_RATE,
        warmup_steps=max(1, int(WARM_UP * steps)),
    )
    model = keras.Sequential([keras.Input((28, 28), dtype="uint8"), Scaled(), network.classifier])
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_in_a_call(steps, STEPS_A_CALL),
        jit_compile=False,
    )
    return model


class _Stopped(Exception):
    """The user ended the training."""


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes on where training stands, and ends it when asked to."""

    def __init__(
        self,
        steps: int,
        show: Callable[[FeatureProgress], None],
        should_stop: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.step = 0
        self._steps = steps
        self._show = show
        self._should_stop = should_stop
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        self.step = batch + 1
        seconds = time.perf_counter() - self._started
        self._show(
            FeatureProgress(
                self.step,
                self._steps,
                float(logs["loss"]),
                float(logs["accuracy"]),
                seconds / self.step * (self._steps - self.step),
            )
        )
        if self._should_stop():
            raise _Stopped
