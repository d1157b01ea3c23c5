"""How a denoiser is trained: noise is added anew to every image of every batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from denoising import networks
from denoising.noise import add_noise
from denoising.progress import DenoiserProgress
from denoising.settings import DenoiserSettings

PROGRESS_EVERY = 10  # steps


class DenoiserDiverged(Exception):
    """The loss, or a weight, is no finite number any more."""


class OutOfMemory(Exception):
    """There is less memory than a batch needs."""


@dataclass(frozen=True, eq=False)
class TrainedDenoiser:
    """Result of a training.

    Attributes:
        steps: batches that were learnt from; fewer than asked for where it was stopped.
        seconds: time it took.
        losses: float64 (S,), mean since the start, every few steps.
        weights: float16 (W,), of `denoising.networks.build_denoiser`.
    """

    steps: int
    seconds: float
    losses: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float16]


class NoisyBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of noisy images with the clean ones as targets; each depends on seed and place alone.

    Each gives what `networks.inputs` says, and float32 (B, 28, 28) targets, 0 to 1.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.integer],
        settings: DenoiserSettings,
        seed: int,
    ) -> None:
        """Draw from uint8 (N, 28, 28) images with (N,) labels."""
        super().__init__()
        self._images = images
        self._labels = labels
        self._settings = settings
        self._seed = seed

    def __len__(self) -> int:
        """Number of batches."""
        return self._settings.steps

    def __getitem__(self, index: int) -> tuple[Any, npt.NDArray[np.float32]]:
        """One batch."""
        settings = self._settings
        random = np.random.default_rng([self._seed, index])
        rows = random.integers(0, len(self._images), settings.batch_size)
        noise = settings.noise[random.integers(len(settings.noise))]
        amounts = random.uniform(noise.low, noise.high, len(rows)).astype(np.float32)
        clean = self._images[rows]
        noisy = add_noise(clean, noise.kind, amounts, random)
        given = networks.inputs(settings, noisy, amounts, self._labels[rows])
        return given, clean.astype(np.float32) / np.float32(255)


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells where training stands, and ends it when asked to or when the loss is no number."""

    def __init__(
        self,
        steps: int,
        show: Callable[[DenoiserProgress], None],
        should_stop: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.steps = 0
        self.losses: list[float] = []
        self._asked = steps
        self._show = show
        self._should_stop = should_stop
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.steps = batch + 1
        stopped = self._should_stop()  # at every step: one of a large network can take a minute
        if self.steps % PROGRESS_EVERY and self.steps != self._asked and not stopped:
            return
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise DenoiserDiverged(
                f"the loss is no finite number after {self.steps:,} steps; "
                "a smaller 'learning_rate' may help"
            )
        self.losses.append(loss)
        elapsed = time.perf_counter() - self._started
        left = elapsed / self.steps * (self._asked - self.steps)
        self._show(DenoiserProgress(self.steps, self._asked, loss, left))
        if stopped:
            self.model.stop_training = True


def train_denoiser(
    settings: DenoiserSettings,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    class_count: int,
    seed: int,
    *,
    show: Callable[[DenoiserProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainedDenoiser:
    """Train a denoiser on clean images.

    Args:
        settings: how.
        images: uint8 (N, 28, 28), N at least 1.
        labels: integers (N,), class indices.
        class_count: number of classes.
        seed: of weights, order and noise, 0 or more.
        show: told every few steps.
        should_stop: asked after each step; what was learnt until then is returned.

    Returns:
        Weights, and how the training went.

    Raises:
        DenoiserDiverged: the loss, or a weight, became no finite number.
        OutOfMemory: there is less memory than a batch needs.
    """
    keras.utils.set_random_seed(seed % 2**32)
    network = networks.build_denoiser(settings, class_count)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.steps)
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        # An estimate of noise can leave the range of which cross-entropy is a measure.
        loss="mse" if settings.type == "residual" else "binary_crossentropy",
        jit_compile=False,
    )
    # Else Keras makes these in the middle of tracing a step, which is then traced twice.
    network.optimizer.build(network.trainable_variables)
    watcher = _Watcher(settings.steps, show, should_stop)
    started = time.perf_counter()
    batches = NoisyBatches(images, labels, settings, seed)
    try:
        network.fit(batches, epochs=1, shuffle=False, callbacks=[watcher], verbose=0)
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise OutOfMemory(
            f"there is not enough memory for batches of {settings.batch_size:,} images; "
            "a smaller 'batch_size' or a smaller network may help"
        ) from error
    weights = networks.get_weights(network).astype(np.float16)
    if not np.isfinite(weights).all():
        raise DenoiserDiverged("a weight is no finite number; a smaller 'learning_rate' may help")
    seconds = time.perf_counter() - started
    return TrainedDenoiser(watcher.steps, seconds, np.array(watcher.losses), weights)
