"""One variant as a Keras network: build, fit, predict, and its weights as arrays.

Images go in as uint8 (N, 28, 28), ink 255 on paper 0; the network scales them itself.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Faster convolutions on every processor with AVX2, not only where TensorFlow turns them on itself.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import numpy.typing as npt

from image_arrays import Images
from settings.network_layers import Layer
from settings.training_parameters import TrainingParameters
from training import learner, training_batches
from training.keras_layers import apply_layers
from training.optimizers import make_optimizer
from training.processor import computes_bfloat16
from training.variables import make_training_variables

Labels = npt.NDArray[np.integer]
Weights = tuple[npt.NDArray[np.floating], ...]

# Steps that run inside one call, so many that they have about as many images: fewer returns to
# Python, and still one or more a second also for networks that learn 500 images in that time.
IMAGES_A_CALL = 768
PREDICTION_BATCH = 512  # readings at once; an image that is read at 25 places makes 25 of them
# Up to this many images are read in one call: going through batches takes longer than reading them.
FEW_IMAGES = 64


class TrainingStopped(Exception):
    """Training was ended from outside before it was finished."""


@dataclass(frozen=True)
class TrainingImages:
    """All images with their labels, and the rows to learn from and to validate on.

    Attributes:
        images: uint8 (N, 28, 28).
        labels: integers (N,), class indices.
        training: integers (T,), rows.
        validation: integers (V,), rows.
    """

    images: Images
    labels: Labels
    training: npt.NDArray[np.integer]
    validation: npt.NDArray[np.integer]


@dataclass(frozen=True)
class Epoch:
    """What one epoch reached: accuracies 0 to 1, losses in nats."""

    accuracy: float
    loss: float
    validation_accuracy: float
    validation_loss: float


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands.

    Attributes:
        epoch: epoch under way, from 1.
        epochs: epochs asked for.
        batch: batches done in this epoch.
        batches: batches of an epoch.
        accuracy: mean over this epoch so far, 0 to 1.
        loss: mean over this epoch so far, in nats.
        seconds_left: estimate until the last epoch ends.
        finished: the epochs that are done.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    accuracy: float
    loss: float
    seconds_left: float
    finished: tuple[Epoch, ...]


@dataclass(frozen=True)
class Fitted:
    """Result of a training.

    Attributes:
        epochs: every epoch, first to last.
        seconds: wall-clock time of the training.
    """

    epochs: tuple[Epoch, ...]
    seconds: float


def build_network(
    layers: Sequence[Layer], class_count: int, precision: str | None = None
) -> keras.Model:
    """Build the network of a checked variant, with a softmax over the classes at its end.

    Args:
        layers: a checked variant.
        class_count: number of classes, 2 or more.
        precision: 'bfloat16' computes all but the softmax in 16 bits, where the processor has
            instructions for it; weights are float32.

    Returns:
        A network from uint8 (N, 28, 28) to float32 (N, class_count), each row summing to 1.
    """
    images = keras.Input((28, 28), dtype="uint8")
    with _computing_in(precision):
        values = keras.layers.Reshape((28, 28, 1))(keras.layers.Rescaling(1 / 255)(images))
        values = apply_layers(layers, values)
    softmax = keras.layers.Dense(class_count, activation="softmax", dtype="float32")
    return keras.Model(images, softmax(values))


@contextlib.contextmanager
def _computing_in(precision: str | None) -> Iterator[None]:
    """Layers made meanwhile compute so; Keras hands this on in no other way."""
    before = keras.config.dtype_policy()
    if precision is not None and computes_bfloat16():
        keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def get_weights(network: keras.Model) -> Weights:
    """Copy the weights of a network, in the order of `layer_lists.weight_arrays`.

    Args:
        network: made by `build_network`.

    Returns:
        float32 arrays.
    """
    return tuple(
        keras.ops.convert_to_numpy(variable).copy() for variable in _stored_variables(network)
    )


def set_weights(network: keras.Model, weights: Weights) -> None:
    """Fill a network with weights.

    Args:
        network: made by `build_network`.
        weights: float arrays in the order and shapes of `layer_lists.weight_arrays`.
    """
    for variable, array in zip(_stored_variables(network), weights, strict=True):
        variable.assign(array.astype(np.float32))


def _stored_variables(network: keras.Model) -> list[Any]:
    return [
        variable
        for layer in network.layers
        if not isinstance(layer, keras.layers.Dropout)  # its seed counter is no weight
        for variable in layer.weights
    ]


def fit_network(
    network: keras.Model,
    data: TrainingImages,
    parameters: TrainingParameters,
    seed: int,
    *,
    teacher: keras.Model | None = None,
    show: Callable[[TrainingProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Fitted:
    """Train a network; its weights are then those of the last, or the best, epoch.

    Args:
        network: made by `build_network`, right after Keras's seed was set to `seed`.
        data: images and rows; only the training rows are learnt from.
        parameters: how to train.
        seed: order and distortions of the images.
        teacher: the network that `parameters.distillation` speaks of.
        show: called after each `IMAGES_A_CALL` images, and at the end of each epoch.
        should_stop: asked as often, and as often while validation images are read.
        callbacks: further ones, which change nothing.

    Returns:
        The epochs and the time they took.

    Raises:
        TrainingStopped: `should_stop` said so.
    """
    batches = -(-len(data.training) // parameters.train_batch_size)
    optimizer = make_optimizer(parameters, batches)
    watcher = _Watcher(parameters.train_epochs, batches, show, should_stop)
    started = time.perf_counter()
    learning: keras.Model = network
    if not parameters.learns_from_labels_alone():
        learning = _learner(network, data, parameters, teacher)
    training, validation = training_batches.batches_for(
        data.images,
        data.labels,
        (data.training, data.validation),
        parameters,
        network.output_shape[-1],
        seed,
    )
    learning.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy" if learning is network else None,
        metrics=["accuracy"],
        jit_compile=False,  # on processors XLA's convolutions are slower
        steps_per_execution=_steps_a_call(parameters.train_batch_size, batches),
    )
    make_training_variables(learning, training.element_spec[1])
    learning.fit(
        training,
        validation_data=validation,
        epochs=parameters.train_epochs,
        shuffle=False,  # the batches are shuffled already
        callbacks=[watcher, *callbacks, *_callbacks_of(parameters)],
        verbose=0,
    )
    return Fitted(tuple(watcher.finished), time.perf_counter() - started)


def _steps_a_call(batch_size: int, batches: int) -> int:
    return min(max(IMAGES_A_CALL // batch_size, 1), batches)


def _learner(
    network: keras.Model,
    data: TrainingImages,
    parameters: TrainingParameters,
    teacher: keras.Model | None,
) -> learner.Learner:
    log_prior = None
    if parameters.class_weighting == "prior":
        labels = data.labels[data.training]
        log_prior = np.log(training_batches.class_shares(labels, network.output_shape[-1]))
    return learner.Learner(
        network,
        log_prior=log_prior,
        teacher=teacher,
        distillation=parameters.distillation,
        moving_average=parameters.moving_average,
    )


def _callbacks_of(parameters: TrainingParameters) -> Iterator[keras.callbacks.Callback]:
    """What parameters ask for between epochs."""
    if parameters.moving_average is not None:
        yield learner.ShowAverages()
    if parameters.early_stopping_patience is not None:
        yield _best_epoch(parameters.early_stopping_patience)


def _best_epoch(patience: int) -> keras.callbacks.Callback:
    return keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="max", patience=patience, restore_best_weights=True
    )


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes on where training stands, and ends it when asked to."""

    def __init__(
        self,
        epochs: int,
        batches: int,
        show: Callable[[TrainingProgress], None],
        should_stop: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.finished: list[Epoch] = []
        self._epochs = epochs
        self._batches = batches
        self._show = show
        self._should_stop = should_stop
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._should_stop():
            raise TrainingStopped
        self._end_if_diverged(logs or {})
        # The last call of an epoch may hold fewer batches than Keras counts for it.
        self._report(len(self.finished), min(batch + 1, self._batches), logs or {})

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._should_stop():
            raise TrainingStopped

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self.finished.append(
            Epoch(logs["accuracy"], logs["loss"], logs["val_accuracy"], logs["val_loss"])
        )
        self._end_if_diverged(logs)
        self._report(epoch, self._batches, logs)

    def _end_if_diverged(self, logs: dict[str, float]) -> None:
        """What follows a loss that is no finite number is none either."""
        losses = [logs[name] for name in ("loss", "val_loss") if name in logs]
        if not all(map(math.isfinite, losses)):
            self.model.stop_training = True

    def _report(self, epoch: int, batch: int, logs: dict[str, float]) -> None:
        done = epoch + batch / self._batches
        elapsed = time.perf_counter() - self._started
        self._show(
            TrainingProgress(
                epoch=epoch + 1,
                epochs=self._epochs,
                batch=batch,
                batches=self._batches,
                accuracy=logs.get("accuracy", float("nan")),
                loss=logs.get("loss", float("nan")),
                seconds_left=elapsed / done * (self._epochs - done),
                finished=tuple(self.finished),
            )
        )


def average_over_shifts(network: keras.Model, shifts: int) -> keras.Model:
    """A network that reads every image where it is and shifted, and averages.

    Args:
        network: made by `build_network`.
        shifts: pixels; all shifts count whose rows and columns together make at most so many.

    Returns:
        A network like `network`, that shares its weights; its `readings` says how often it reads
        each image.
    """
    places = [
        (row, column)
        for row in range(2 * shifts + 1)
        for column in range(2 * shifts + 1)
        if abs(row - shifts) + abs(column - shifts) <= shifts
    ]
    images = keras.Input((28, 28), dtype="uint8")
    framed = keras.layers.ZeroPadding2D(shifts, dtype="uint8")(keras.ops.expand_dims(images, -1))
    moved = [framed[:, row : row + 28, column : column + 28, 0] for row, column in places]
    probabilities = network(keras.ops.concatenate(moved, axis=0))
    several = keras.ops.reshape(probabilities, (len(places), -1, probabilities.shape[-1]))
    reader = keras.Model(images, keras.ops.mean(several, axis=0))
    reader.readings = len(places)
    return reader


def predict(
    network: keras.Model, images: Images, should_stop: Callable[[], bool] = lambda: False
) -> npt.NDArray[np.float32]:
    """Read images.

    Args:
        network: made by `build_network` or `average_over_shifts`.
        images: uint8 (N, 28, 28).
        should_stop: asked after each `PREDICTION_BATCH` readings or a few times as many; never of
            `FEW_IMAGES` or fewer, which take no time.

    Returns:
        float32 (N, classes), probabilities; each row sums to 1.

    Raises:
        TrainingStopped: `should_stop` said so.
    """
    if len(images) <= FEW_IMAGES:
        probabilities = _read_few(network, images)
    else:
        batch = PREDICTION_BATCH // getattr(network, "readings", 1)
        probabilities = network.predict(
            images, batch_size=batch, verbose=0, callbacks=[_Stopper(should_stop)]
        )
    return np.asarray(probabilities, np.float32)


class _Stopper(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a reading when asked to."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        super().__init__()
        self._should_stop = should_stop

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._should_stop():
            raise TrainingStopped


def _read_few(network: keras.Model, images: Images) -> Any:
    """Layer by layer the first time, for which compiling takes too long; compiled from then on."""
    if network.predict_function is None:
        network.make_predict_function()  # which compiles nothing yet
        return keras.ops.convert_to_numpy(network(images, training=False))
    return network.predict_on_batch(images)


def to_half_precision(weights: Weights) -> Weights:
    """Round weights to float16, half the size.

    Args:
        weights: floating arrays of any shape.

    Returns:
        float16 arrays of the same shapes, in the same order.
    """
    return tuple(array.astype(np.float16) for array in weights)
