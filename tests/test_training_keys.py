"""Tests of what each key of the training parameters does to a training, held against sums by hand.

Most trainings here have one batch an epoch, so that every step is seen.
"""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

import cnn_model
import model_collection
from cnn_model import Fitted, TrainingImages, TrainingProgress, TrainingStopped, Weights
from collection_folder import load_collection, save_collection
from data_parser import DataSet
from errors import HyperparameterError
from evaluation import overlap
from evaluation.recognition import score
from hyperparameters import TrainingTask
from model_collection import Entry, ModelCollection, network_of, teacher_of, train_entry
from network_layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling,
    SeparableConv2D,
    Variant,
)
from optimizers import make_optimizer
from training_parameters import OPTIMIZERS, Augmentation, Distillation, TrainingParameters

Array = npt.NDArray[Any]
LINEAR: Variant = (Flatten(),)
FULL: Variant = (
    Conv2D(2, (3, 3), normalization="batch"),
    MaxPooling((4, 4)),
    Dropout(0.25),
    Flatten(),
    Dense(6),
)
COUNTS = (3, 12, 9)  # images of each class that are learnt from
SHARES = np.array(COUNTS) / 24
ALL_AT_ONCE = 1000  # images a batch
BEND = Augmentation(10, 2, 0.1, 6, 0.05, 0.6)
SLOW = TrainingParameters("sgd", ALL_AT_ONCE, 6, learning_rate=0.2)


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    """Noise with a faint mark for each class: something to learn, and much to learn wrong."""
    random = np.random.default_rng(2)
    labels = random.permutation(np.repeat(np.arange(3), [5, 22, 13]))
    pixels = random.integers(0, 200, (40, 28, 28), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[10:14, 6 * label : 6 * label + 6] += 55
    rows = [np.flatnonzero(labels == label)[:count] for label, count in enumerate(COUNTS)]
    training = random.permutation(np.concatenate(rows))
    return TrainingImages(pixels, labels, training, np.setdiff1d(np.arange(40), training))


@dataclasses.dataclass(frozen=True)
class Course:
    """A training, step by step.

    Attributes:
        steps: weights before training, and after each call of a few batches.
        shown: weights at the end of each epoch, as they were validated.
        network: as training left it.
        fitted: what came of it.
    """

    steps: list[Weights]
    shown: list[Weights]
    network: keras.Model
    fitted: Fitted


def trained(
    images: TrainingImages,
    parameters: TrainingParameters,
    layers: Variant = LINEAR,
    seed: int = 4,
    **how: Any,
) -> Course:
    keras.utils.set_random_seed(seed)
    network = cnn_model.build_network(layers, 3, parameters.precision)
    steps, shown = [cnn_model.get_weights(network)], []

    def show(progress: TrainingProgress) -> None:
        at_end = len(progress.finished) == progress.epoch
        (shown if at_end else steps).append(cnn_model.get_weights(network))

    fitted = cnn_model.fit_network(network, images, parameters, seed, show=show, **how)
    return Course(steps, shown, network, fitted)


def same(one: Sequence[Array], other: Sequence[Array]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def near(one: Sequence[Array], other: Sequence[Array], tolerance: float = 1e-5) -> bool:
    return all(np.allclose(a, b, atol=tolerance) for a, b in zip(one, other, strict=True))


# ------------------------------------------------------------------------- steps by hand


@dataclasses.dataclass(frozen=True)
class ByHand:
    """Gradient descent on one layer with a softmax, in NumPy, on all images at once.

    Attributes:
        rates: learning rate of each step.
        momentum: Nesterov's.
        decay: share of the kernel, times the learning rate, taken off before each step.
        smoothing: share of each label spread over all classes.
        image_weights: weight of each class's images.
        prior: added to the logits.
    """

    rates: Sequence[float]
    momentum: float = 0.0
    decay: float = 0.0
    smoothing: float = 0.0
    image_weights: Sequence[float] = (1, 1, 1)
    prior: Sequence[float] = (0, 0, 0)

    def run(self, images: TrainingImages, start: Weights) -> tuple[list[Weights], list[float]]:
        """Weights after each step, those before first, and the loss before each step."""
        pixels = images.images[images.training].reshape(-1, 784) / 255
        labels = images.labels[images.training]
        targets = np.eye(3)[labels] * (1 - self.smoothing) + self.smoothing / 3
        weights = np.array(self.image_weights)[labels]
        values = [array.astype(float) for array in start]
        speed = [np.zeros_like(array) for array in values]
        course: list[Weights] = [start]
        losses = []
        for rate in self.rates:
            logits = pixels @ values[0] + values[1] + self.prior
            probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            losses.append(float((-(targets * np.log(probabilities)).sum(axis=1) * weights).mean()))
            wrong = (probabilities - targets) * weights[:, None] / len(labels)
            values[0] = values[0] * (1 - rate * self.decay)
            for number, gradient in enumerate((pixels.T @ wrong, wrong.sum(axis=0))):
                speed[number] = self.momentum * speed[number] - rate * gradient
                values[number] += self.momentum * speed[number] - rate * gradient
            course.append(tuple(array.copy() for array in values))
        return course, losses


def cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


@pytest.mark.parametrize(
    ("keys", "by_hand"),
    [
        ({}, ByHand([0.2] * 6)),
        ({"momentum": 0.8}, ByHand([0.2] * 6, momentum=0.8)),
        ({"momentum": 0.0}, ByHand([0.2] * 6)),
        ({"weight_decay": 0.5}, ByHand([0.2] * 6, decay=0.5)),
        (
            {"learning_rate_schedule": "cosine"},
            ByHand([0.2 * cosine(step / 6) for step in range(6)]),
        ),
        (
            {"learning_rate_schedule": "cosine", "warmup_epochs": 2, "momentum": 0.8,
             "weight_decay": 0.5},
            ByHand([0, 0.1, *(0.2 * cosine(step / 4) for step in range(4))], 0.8, 0.5),
        ),
        (
            {"learning_rate_schedule": "one_cycle"},
            ByHand([0.008, 0.104, *(0.2 * (0.9999 * cosine(s / 4) + 0.0001) for s in range(4))]),
        ),
        ({"label_smoothing": 0.3}, ByHand([0.2] * 6, smoothing=0.3)),
        (
            {"class_weighting": "balanced"},
            ByHand([0.2] * 6, image_weights=(24 / 9, 24 / 36, 24 / 27)),
        ),
        ({"class_weighting": "prior"}, ByHand([0.2] * 6, prior=tuple(np.log(SHARES)))),
        (
            {"class_weighting": "prior", "label_smoothing": 0.3, "momentum": 0.8,
             "weight_decay": 0.5, "learning_rate_schedule": "cosine"},
            ByHand([0.2 * cosine(step / 6) for step in range(6)], 0.8, 0.5, 0.3,
                   prior=tuple(np.log(SHARES))),
        ),
    ],
)  # fmt: skip
def test_every_step_is_the_one_that_is_worked_out_by_hand(
    images: TrainingImages, keys: dict[str, Any], by_hand: ByHand
) -> None:
    course = trained(images, dataclasses.replace(SLOW, **keys))
    expected, losses = by_hand.run(images, course.steps[0])
    assert np.abs(expected[-1][0] - expected[0][0]).max() > 0.01, "there is something to see"
    for weights, by_hand_weights in zip(course.steps, expected, strict=True):
        assert near(weights, by_hand_weights, 2e-5)
    assert [epoch.loss for epoch in course.fitted.epochs] == pytest.approx(losses, abs=1e-4)


def test_momentum_reaches_rmsprop(images: TrainingImages) -> None:
    parameters = TrainingParameters("rmsprop", ALL_AT_ONCE, 4, learning_rate=0.01, momentum=0.5)
    course = trained(images, parameters)
    values = [array.astype(float) for array in course.steps[0]]
    squares, speed = ([np.zeros_like(array) for array in values] for _ in range(2))
    for step in range(4):
        # What one step of plain descent at rate 1 takes off is the gradient.
        before, after = ByHand([1.0]).run(images, tuple(values))[0]
        for number in range(2):
            gradient = before[number] - after[number]
            squares[number] = 0.9 * squares[number] + 0.1 * gradient**2
            taken = 0.01 * gradient / np.sqrt(squares[number] + 1e-7)
            speed[number] = 0.5 * speed[number] + taken
            values[number] = values[number] - speed[number]
        assert near(course.steps[step + 1], values, 3e-4)


# ------------------------------------------------------------------------- learning rates


def rates(steps: Sequence[int], batches: int = 10, **keys: Any) -> list[float]:
    """Learning rates at some steps of a training of 20 epochs."""
    parameters = TrainingParameters("adam", 8, 20, learning_rate=0.4, **keys)
    optimizer = make_optimizer(parameters, batches)
    found = []
    for step in steps:
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    return found


def test_cosine_falls_from_the_highest_rate_to_nearly_nothing() -> None:
    # Of 200 steps the first, a quarter, half, three quarters, and the last.
    found = rates([0, 50, 100, 150, 199], learning_rate_schedule="cosine")
    assert found == pytest.approx([0.4, 0.3414214, 0.2, 0.0585786, 0.4 * cosine(199 / 200)])
    assert 0 < found[-1] < 1e-4


@pytest.mark.parametrize("warmup", [4, 4.0, 4.04])
def test_warmup_rises_evenly_from_nothing_before_the_cosine(warmup: float) -> None:
    found = rates(
        [0, 1, 20, 39, 40, 80, 120, 199], learning_rate_schedule="cosine", warmup_epochs=warmup
    )
    half = [0.4 * cosine(share) for share in (0.25, 0.5, 159 / 160)]
    assert found == pytest.approx([0, 0.01, 0.2, 0.39, 0.4, *half], abs=1e-7)


def test_one_cycle_rises_from_a_25th_and_falls_to_a_10_000th() -> None:
    found = rates([0, 30, 60, 130, 199], learning_rate_schedule="one_cycle")
    # Three tenths of 200 steps up, the others down.
    down = [0.4 * (0.9999 * cosine(share) + 0.0001) for share in (0.5, 139 / 140)]
    assert found == pytest.approx([0.016, (0.016 + 0.4) / 2, 0.4, *down])
    assert found[-1] == pytest.approx(0.4 / 10_000, rel=1.5)


def test_one_cycle_rises_for_as_long_as_it_is_told() -> None:
    keys: dict[str, Any] = {"learning_rate_schedule": "one_cycle", "warmup_epochs": 2}
    assert rates([0, 10, 20], **keys) == pytest.approx([0.016, 0.208, 0.4])
    keys["warmup_epochs"] = 0
    assert rates([0, 100], **keys) == pytest.approx([0.4, 0.4 * (0.9999 / 2 + 0.0001)])


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_no_rate_is_below_zero_or_above_the_highest(schedule: str) -> None:
    for warmup in (None, 0, 0.04, 0.6, 19.99):
        found = rates(range(20), 1, learning_rate_schedule=schedule, warmup_epochs=warmup)
        assert min(found) >= 0 and max(found) <= 0.4 * (1 + 1e-6)


def test_without_a_schedule_the_rate_stays() -> None:
    assert rates([0, 100, 199]) == pytest.approx([0.4, 0.4, 0.4])


def test_the_first_steps_of_a_warmup_change_next_to_nothing(images: TrainingImages) -> None:
    parameters = TrainingParameters(
        "adam", ALL_AT_ONCE, 100, learning_rate=0.01, learning_rate_schedule="cosine"
    )
    told: list[int] = []
    moved = []
    for warmup in (None, 50):
        told.clear()
        keras.utils.set_random_seed(4)
        network = cnn_model.build_network(LINEAR, 3)
        start = cnn_model.get_weights(network)
        with pytest.raises(TrainingStopped):
            cnn_model.fit_network(
                network,
                images,
                dataclasses.replace(parameters, warmup_epochs=warmup),
                4,
                show=lambda progress: told.append(progress.epoch),
                should_stop=lambda: max(told, default=0) >= 2,  # in the third step
            )
        moved.append(np.abs(cnn_model.get_weights(network)[0] - start[0]).mean())
    assert 0 < moved[1] < 0.05 * moved[0]


@pytest.mark.parametrize("schedule", [None, "cosine", "one_cycle"])
def test_whole_numbers_do_as_rates_and_momentum(schedule: str | None) -> None:
    parameters = TrainingParameters(
        "sgd", 8, 20, learning_rate=1, momentum=0, learning_rate_schedule=schedule
    )
    optimizer = make_optimizer(parameters, 10)
    assert 0 < float(optimizer.learning_rate) <= 1 and optimizer.momentum == 0


# ------------------------------------------------------------------------- weight decay

DECAYING: Variant = (
    Conv2D(2, (3, 3), normalization="batch"),
    SeparableConv2D(3, (3, 3)),
    BatchNormalization(),
    MaxPooling((7, 7)),
    Flatten(),
    Dense(4),
)


def after_zero_gradients(parameters: TrainingParameters) -> dict[str, list[tuple[Array, Array]]]:
    """Weights before and after two steps that no gradient moves, by the kind of weight."""
    keras.utils.set_random_seed(1)
    network = cnn_model.build_network(DECAYING, 3)
    cnn_model.set_weights(
        network, tuple(array + np.float32(0.5) for array in cnn_model.get_weights(network))
    )
    optimizer = make_optimizer(parameters, 10)
    optimizer.build(network.trainable_variables)
    before = [np.asarray(variable.value) for variable in network.trainable_variables]
    for _ in range(2):
        optimizer.apply([tf.zeros_like(array) for array in before], network.trainable_variables)
    found: dict[str, list[tuple[Array, Array]]] = {}
    for variable, array in zip(network.trainable_variables, before, strict=True):
        found.setdefault(variable.name, []).append((array, np.asarray(variable.value)))
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_takes_rate_times_decay_off_kernels_and_nothing_off_others(
    optimizer: str,
) -> None:
    parameters = TrainingParameters(optimizer, 8, 2, learning_rate=0.5, weight_decay=0.1)
    found = after_zero_gradients(parameters)
    kernels = {"kernel", "depthwise_kernel", "pointwise_kernel"}
    assert set(found) == kernels | {"bias", "gamma", "beta"}
    for name, pairs in found.items():
        for before, after in pairs:
            if name in kernels:
                assert np.allclose(after, before * 0.95**2, atol=1e-6)
            else:
                assert np.array_equal(after, before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("decay", [None, 0.0])
def test_without_weight_decay_nothing_shrinks_but_by_adamws_own(
    optimizer: str, decay: float | None
) -> None:
    parameters = TrainingParameters(optimizer, 8, 2, learning_rate=0.5, weight_decay=decay)
    for pairs in after_zero_gradients(parameters).values():
        for before, after in pairs:
            if optimizer == "adamw" and decay is None:
                assert np.allclose(after, before * (1 - 0.5 * 0.004) ** 2, atol=1e-6)
            else:
                assert np.array_equal(after, before)


# ------------------------------------------------------------------------- moving average


@pytest.mark.parametrize("decay", [0.999, 0.3, 0.0])
def test_averages_are_validated_and_kept_while_training_goes_on_from_the_weights(
    images: TrainingImages, decay: float
) -> None:
    parameters = dataclasses.replace(SLOW, train_epochs=8, moving_average=decay)
    course = trained(images, parameters, FULL)
    average = course.steps[0]
    for step, weights in enumerate(course.steps[1:], 1):
        kept = min(decay, (1 + step) / (10 + step))
        average = tuple(kept * a + (1 - kept) * b for a, b in zip(average, weights, strict=True))
        assert near(course.shown[step - 1], average), "moving means and variances, too"
    assert same(cnn_model.get_weights(course.network), course.shown[-1])
    # The same steps as without averages; smoothing of nothing goes the same way otherwise.
    without = trained(
        images, dataclasses.replace(parameters, moving_average=None, class_weighting="prior"), FULL
    )
    assert not same(without.steps[-1], course.steps[-1]), "the prior does something"
    raw = trained(images, dataclasses.replace(parameters, moving_average=0.0), FULL)
    assert same(raw.steps[-1], course.steps[-1])
    assert same(raw.shown[-1], raw.steps[-1])


def test_averages_are_what_is_scored(images: TrainingImages) -> None:
    course = trained(images, dataclasses.replace(SLOW, moving_average=0.999), FULL)
    reader = cnn_model.build_network(FULL, 3)
    rows = images.validation
    for epoch, weights in zip(course.fitted.epochs, course.shown, strict=True):
        cnn_model.set_weights(reader, weights)
        found = score(cnn_model.predict(reader, images.images[rows]), images.labels[rows])
        assert found.loss == pytest.approx(epoch.validation_loss, abs=1e-5)
        assert found.accuracy == pytest.approx(epoch.validation_accuracy)


def test_early_stopping_keeps_the_averages_of_the_best_epoch(images: TrainingImages) -> None:
    mixed = dataclasses.replace(images, labels=np.random.default_rng(3).permutation(images.labels))
    parameters = TrainingParameters(
        "adam", 4, 20, learning_rate=0.01, moving_average=0.9, early_stopping_patience=3
    )
    course = trained(mixed, parameters, FULL)
    accuracies = [epoch.validation_accuracy for epoch in course.fitted.epochs]
    best = int(np.argmax(accuracies))
    assert best < len(accuracies) - 1, "the task should make early stopping matter"
    kept = cnn_model.get_weights(course.network)
    assert same(kept, course.shown[best]) and not same(kept, course.shown[-1])
    until_best = dataclasses.replace(
        parameters, train_epochs=best + 1, early_stopping_patience=None
    )
    assert same(kept, cnn_model.get_weights(trained(mixed, until_best, FULL).network))


# ------------------------------------------------------------------------- validation, rows

KEYS: list[dict[str, Any]] = [
    {"label_smoothing": 0.3},
    {"moving_average": 0.5},
    {"mixup": 1.0},
    {"cutmix": 1.0},
    {"augmentation": BEND},
    {"class_weighting": "balanced"},
    {"class_weighting": "prior"},
    {"class_weighting": "sampling"},
]


@pytest.mark.parametrize("keys", KEYS)
def test_validation_is_plain_whatever_is_learnt_from(
    images: TrainingImages, keys: dict[str, Any]
) -> None:
    parameters = TrainingParameters("adam", 5, 3, learning_rate=0.01, **keys)
    course = trained(images, parameters, FULL)
    rows = images.validation
    found = score(cnn_model.predict(course.network, images.images[rows]), images.labels[rows])
    last = course.fitted.epochs[-1]
    assert (last.validation_loss, last.validation_accuracy) == pytest.approx(
        (found.loss, found.accuracy), abs=1e-5
    )
    # And it is no part of what is learnt from.
    others = np.setdiff1d(np.arange(40), images.training)
    pixels, labels = images.images.copy(), images.labels.copy()
    pixels[others], labels[others] = 255, 0
    spoilt = trained(dataclasses.replace(images, images=pixels, labels=labels), parameters, FULL)
    assert same(
        cnn_model.get_weights(spoilt.network), cnn_model.get_weights(course.network)
    ) == ("moving_average" not in keys or True)


@pytest.mark.parametrize("keys", [*KEYS, {"weight_decay": 0.3}, {"precision": "bfloat16"}])
def test_each_key_changes_what_is_learnt(images: TrainingImages, keys: dict[str, Any]) -> None:
    parameters = TrainingParameters("adam", 5, 1, learning_rate=0.01)
    one = trained(images, parameters, FULL)
    other = trained(images, dataclasses.replace(parameters, **keys), FULL)
    assert not near(
        cnn_model.get_weights(one.network), cnn_model.get_weights(other.network), 1e-4
    )
