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
from cnn_model import Fitted, TrainingImages, TrainingProgress, TrainingStopped, Weights
from data_parser import DataSet
from errors import HyperparameterError
from evaluation import overlap
from evaluation.recognition import score
from model_collection import Entry, ModelCollection, network_of, teacher_of, train_entry
from settings.hyperparameters import TrainingTask
from settings.network_layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling,
    SeparableConv2D,
    Variant,
)
from settings.training_parameters import OPTIMIZERS, Augmentation, Distillation, TrainingParameters
from storage.collection_folder import load_collection, save_collection
from tests.entries import a_collection, an_entry
from training import fused_normalization
from training.optimizers import make_optimizer

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
    steps, shown = [cnn_model.get_weights(network)], list[Weights]()

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
    assert found == pytest.approx(
        [0.4, 0.3414214, 0.2, 0.0585786, 0.4 * cosine(199 / 200)], abs=1e-7
    )
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
    assert found == pytest.approx([0.016, (0.016 + 0.4) / 2, 0.4, *down], abs=1e-7)
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


def test_averages_are_validated_and_kept_while_training_goes_on_from_the_weights(
    images: TrainingImages,
) -> None:
    decay = 0.3  # above what the first three steps keep
    parameters = dataclasses.replace(SLOW, train_epochs=8, moving_average=decay)
    course = trained(images, parameters, FULL)
    average = course.steps[0]
    for step, weights in enumerate(course.steps[1:], 1):
        kept = min(decay, (1 + step) / (10 + step))
        average = tuple(kept * a + (1 - kept) * b for a, b in zip(average, weights, strict=True))
        assert near(course.shown[step - 1], average), "moving means and variances, too"
    assert same(cnn_model.get_weights(course.network), course.shown[-1])
    none = trained(images, dataclasses.replace(parameters, moving_average=0.0), FULL)
    assert same(none.steps[-1], course.steps[-1]), "the same steps, whatever is averaged"
    assert same(none.shown[-1], none.steps[-1])


def test_early_stopping_keeps_the_averages_of_the_best_epoch(images: TrainingImages) -> None:
    mixed = dataclasses.replace(images, labels=np.random.default_rng(3).permutation(images.labels))
    parameters = TrainingParameters(
        "adam", 8, 20, learning_rate=0.01, moving_average=0.9, early_stopping_patience=3
    )
    course = trained(mixed, parameters, FULL)
    accuracies = [epoch.validation_accuracy for epoch in course.fitted.epochs]
    best = int(np.argmax(accuracies))
    assert best < len(accuracies) - 1, "the task should make early stopping matter"
    kept = cnn_model.get_weights(course.network)
    assert same(kept, course.shown[best]) and not same(kept, course.shown[-1])


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


QUICK = TrainingParameters("adam", 5, 2, learning_rate=0.01)


@pytest.fixture(scope="module", params=KEYS, ids=lambda keys: "-".join(keys))
def with_a_key(request: pytest.FixtureRequest, images: TrainingImages) -> Course:
    return trained(images, dataclasses.replace(QUICK, **request.param), FULL)


@pytest.fixture(scope="module")
def without_keys(images: TrainingImages) -> Course:
    return trained(images, QUICK, FULL)


def test_validation_is_plain_whatever_is_learnt_from(
    images: TrainingImages, with_a_key: Course
) -> None:
    rows = images.validation
    read = cnn_model.predict(with_a_key.network, images.images[rows])
    found = score(read, images.labels[rows])
    last = with_a_key.fitted.epochs[-1]
    assert (last.validation_loss, last.validation_accuracy) == pytest.approx(
        (found.loss, found.accuracy), abs=1e-5
    )
    assert np.array_equal(cnn_model.predict(with_a_key.network, images.images[rows]), read)


def test_each_key_changes_what_is_learnt(with_a_key: Course, without_keys: Course) -> None:
    one, other = (cnn_model.get_weights(c.network) for c in (with_a_key, without_keys))
    assert not near(one, other, 1e-4)
    assert same(with_a_key.steps[0], without_keys.steps[0])


def reading_of_nothing(images: TrainingImages, weighting: str | None) -> Array:
    """What a network answers that had nothing to learn but how frequent the classes are."""
    blank = dataclasses.replace(images, images=np.zeros_like(images.images))
    parameters = TrainingParameters(
        "sgd", ALL_AT_ONCE, 25, learning_rate=3.0, class_weighting=weighting
    )
    network = trained(blank, parameters).network
    read: Array = cnn_model.predict(network, blank.images[:1])[0]
    return read


def test_without_weighting_frequent_classes_are_likelier(images: TrainingImages) -> None:
    assert reading_of_nothing(images, None) == pytest.approx(SHARES, abs=0.01)


@pytest.mark.parametrize("weighting", ["balanced", "prior", "sampling"])
def test_with_weighting_no_class_is_likelier_than_another(
    images: TrainingImages, weighting: str
) -> None:
    assert reading_of_nothing(images, weighting) == pytest.approx([1 / 3] * 3, abs=0.01)


@pytest.mark.parametrize("weighting", ["balanced", "prior", "sampling"])
def test_a_class_without_training_images_spoils_nothing(
    images: TrainingImages, weighting: str
) -> None:
    present = images.training[images.labels[images.training] != 1]
    some = dataclasses.replace(images, training=present)
    parameters = TrainingParameters("adam", 5, 2, class_weighting=weighting)
    course = trained(some, parameters)
    assert all(np.isfinite(array).all() for array in cnn_model.get_weights(course.network))
    assert all(math.isfinite(epoch.loss) for epoch in course.fitted.epochs)


# ------------------------------------------------------------------------- as before

OLD_KEYS = [
    TrainingParameters("adam", 5, 3),
    TrainingParameters("rmsprop", 7, 8, learning_rate=0.005, early_stopping_patience=2),
]


@pytest.mark.parametrize("parameters", OLD_KEYS)
def test_without_new_keys_a_training_is_keras_own_to_the_last_bit(
    images: TrainingImages, parameters: TrainingParameters
) -> None:
    ours = trained(images, parameters, FULL)
    keras.utils.set_random_seed(4)
    network = keras.Sequential(
        [
            keras.Input((28, 28), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(2, 3, padding="same", use_bias=False),
            fused_normalization.BatchNormalization(momentum=0.95),  # that of the key
            keras.layers.MaxPooling2D(4),
            keras.layers.Activation("relu"),
            keras.layers.Dropout(0.25),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.get(parameters.optimizer)
    if parameters.learning_rate is not None:
        optimizer.learning_rate = parameters.learning_rate
    loss = "sparse_categorical_crossentropy"
    network.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    patience = parameters.early_stopping_patience
    stopping = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=patience or 99, restore_best_weights=bool(patience)
    )
    training, validation = (
        tf.data.Dataset.from_tensor_slices((images.images[rows], images.labels[rows]))
        for rows in (images.training, images.validation)
    )
    shuffled = training.shuffle(24, seed=4).batch(parameters.train_batch_size)
    history = network.fit(
        shuffled,
        validation_data=validation.batch(512),
        epochs=parameters.train_epochs,
        shuffle=False,
        callbacks=[stopping],
        verbose=0,
    ).history
    assert same(cnn_model.get_weights(ours.network), cnn_model.get_weights(network))
    assert [epoch.loss for epoch in ours.fitted.epochs] == history["loss"]
    assert [epoch.validation_loss for epoch in ours.fitted.epochs] == history["val_loss"]


# ------------------------------------------------------------------------- all together

EVERYTHING = TrainingParameters(
    "sgd", 7, 3, learning_rate=0.1, momentum=0.9, weight_decay=0.005, label_smoothing=0.1,
    learning_rate_schedule="cosine", warmup_epochs=0.5, moving_average=0.9, mixup=0.4,
    augmentation=BEND, class_weighting="sampling", precision="bfloat16",
)  # fmt: skip
OTHERS = dataclasses.replace(
    EVERYTHING,
    optimizer="rmsprop",
    learning_rate=0.003,
    learning_rate_schedule="one_cycle",
    mixup=None,
    cutmix=1.0,
    class_weighting="prior",
    distillation=Distillation("abcd", 0.5, 2.0),
)


@pytest.mark.parametrize("parameters", [EVERYTHING, OTHERS])
@pytest.mark.thorough
def test_seed_and_training_rows_alone_make_the_weights_with_all_keys_on(
    images: TrainingImages, parameters: TrainingParameters
) -> None:
    keras.utils.set_random_seed(9)
    teacher = cnn_model.build_network(LINEAR, 3)
    others = np.setdiff1d(np.arange(40), images.training)
    pixels, labels = images.images.copy(), images.labels.copy()
    pixels[others], labels[others] = 255, 0
    spoilt = dataclasses.replace(images, images=pixels, labels=labels)
    courses = [
        trained(data, parameters, FULL, seed, teacher=teacher)
        for data, seed in ((images, 4), (spoilt, 4), (images, 2**32 - 1))
    ]
    once, again, other = (cnn_model.get_weights(course.network) for course in courses)
    assert same(once, again) and all(np.isfinite(array).all() for array in once)
    first, second = (course.fitted.epochs[0] for course in courses[:2])
    assert first.loss == second.loss and first.validation_loss != second.validation_loss
    assert not np.array_equal(once[0], other[0])


@pytest.mark.parametrize("batch_size", [1, 23])  # 23 leaves one image for the last batch
def test_all_keys_work_with_batches_of_any_size(images: TrainingImages, batch_size: int) -> None:
    told: list[TrainingProgress] = []
    parameters = dataclasses.replace(EVERYTHING, train_batch_size=batch_size, learning_rate=0.01)
    keras.utils.set_random_seed(4)
    network = cnn_model.build_network(FULL, 3)
    fitted = cnn_model.fit_network(network, images, parameters, 4, show=told.append)
    assert len(fitted.epochs) == 3 and all(math.isfinite(epoch.loss) for epoch in fitted.epochs)
    batches = -(-24 // batch_size)
    assert {progress.batches for progress in told} == {batches}
    assert (told[-1].epoch, told[-1].batch, told[-1].seconds_left) == (3, batches, 0)
    assert max(progress.batch for progress in told) == batches


def test_a_training_with_all_keys_ends_when_asked(images: TrainingImages) -> None:
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(TrainingStopped):
        trained(images, dataclasses.replace(EVERYTHING, train_epochs=9), should_stop=should_stop)
    assert len(asked) == 3


# ------------------------------------------------------------------------- 16 bits


@pytest.fixture
def a_processor_with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others compute the same, only slowly."""
    monkeypatch.setattr(cnn_model, "computes_bfloat16", lambda: True)


@pytest.mark.usefixtures("a_processor_with_bfloat16")
def test_sixteen_bits_are_for_training_alone_and_weights_have_32(images: TrainingImages) -> None:
    layers = (Conv2D(2, (3, 3), normalization="batch"), MaxPooling((4, 4)), Flatten(), Dense(6))
    full, half = (
        trained(images, dataclasses.replace(SLOW, precision=precision), layers)
        for precision in (None, "bfloat16")
    )
    weights = cnn_model.get_weights(half.network)
    assert {array.dtype for array in weights} == {np.dtype(np.float32)}
    kernel = weights[0]
    assert not np.array_equal(kernel, tf.cast(tf.cast(kernel, tf.bfloat16), tf.float32)), "in full"
    assert same(half.steps[0], full.steps[0]) and not same(half.steps[1], full.steps[1])
    losses = [[epoch.loss for epoch in course.fitted.epochs] for course in (full, half)]
    assert losses[0] != losses[1] and losses[0][0] == pytest.approx(losses[1][0], rel=0.02)
    assert keras.config.dtype_policy().name == "float32"
    computing = [layer.compute_dtype for layer in half.network.layers[1:]]
    assert computing == ["bfloat16"] * (len(computing) - 1) + ["float32"]


def test_sixteen_bits_are_over_when_a_network_cannot_be_built() -> None:
    with pytest.raises(ValueError):
        cnn_model.build_network((Conv2D(2, (40, 40), padding="valid"),), 3, "bfloat16")
    assert keras.config.dtype_policy().name == "float32"


# ------------------------------------------------------------------------- shifts at reading


@pytest.fixture(scope="module")
def reader() -> keras.Model:
    keras.utils.set_random_seed(3)
    return cnn_model.build_network((Conv2D(2, (5, 5), (2, 2)), Flatten(), Dense(4)), 3)


def mean_over_shifts(network: keras.Model, images: Array, places: list[tuple[int, int]]) -> Array:
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3)))
    read = [
        cnn_model.predict(network, padded[:, 3 + down : 31 + down, 3 + right : 31 + right])
        for down, right in places
    ]
    mean: Array = np.mean(read, axis=0)
    return mean


CROSS = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
DIAMOND = [*CROSS, (0, 2), (0, -2), (2, 0), (-2, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]


@pytest.mark.parametrize(("shifts", "places"), [(1, CROSS), (2, DIAMOND)])
@pytest.mark.parametrize("count", [1, 2, 600])
def test_probabilities_are_the_mean_over_the_image_where_it_is_and_shifted(
    reader: keras.Model, shifts: int, places: list[tuple[int, int]], count: int
) -> None:
    pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    found = cnn_model.predict(cnn_model.average_over_shifts(reader, shifts), pixels)
    assert found.shape == (count, 3) and found.dtype == np.float32
    assert np.allclose(found, mean_over_shifts(reader, pixels, places), atol=1e-6)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert not np.allclose(found, cnn_model.predict(reader, pixels), atol=1e-4)


def test_three_pixels_are_25_places(reader: keras.Model) -> None:
    places = [(r, c) for r in range(-3, 4) for c in range(-3, 4) if abs(r) + abs(c) <= 3]
    assert len(places) == 25
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    found = cnn_model.predict(cnn_model.average_over_shifts(reader, 3), pixels)
    assert np.allclose(found, mean_over_shifts(reader, pixels, places), atol=1e-6)


@pytest.mark.parametrize(("shifts", "calls"), [(0, 2), (1, 6), (3, 30)])
def test_no_more_readings_are_held_at_once_for_reading_shifts(
    reader: keras.Model, shifts: int, calls: int
) -> None:
    """600 images, and up to 512 readings at once: of 1, 5 and 25 places each."""
    asked: list[None] = []

    def note() -> bool:
        asked.append(None)
        return False

    network = cnn_model.average_over_shifts(reader, shifts) if shifts else reader
    cnn_model.predict(network, np.zeros((600, 28, 28), np.uint8), note)
    assert len(asked) == calls


def test_a_network_that_reads_shifts_follows_the_weights_of_the_plain_one() -> None:
    network = cnn_model.build_network(LINEAR, 3)
    shifted = cnn_model.average_over_shifts(network, 1)
    cnn_model.set_weights(network, (np.zeros((784, 3), "f4"), np.log([0.5, 0.3, 0.2])))
    read = cnn_model.predict(shifted, np.zeros((2, 28, 28), np.uint8))
    assert np.allclose(read, [0.5, 0.3, 0.2], atol=1e-6)


# ------------------------------------------------------------------------- entries


def entry_of(
    data_set: DataSet, parameters: TrainingParameters, layers: Variant, teacher: Entry | None = None
) -> Entry:
    return train_entry(
        TrainingTask(layers, parameters),
        data_set,
        3,
        teacher,
        show=lambda progress: None,
        should_stop=lambda: False,
    )


def test_an_entry_reads_by_shifts_after_it_was_saved_and_loaded(
    data_set: DataSet, tmp_path: Path
) -> None:
    parameters = TrainingParameters(
        "adam", 16, 2, test_time_shifts=1, precision="bfloat16", augmentation=BEND
    )
    collection = ModelCollection(data_set.classes)
    entry = entry_of(data_set, parameters, FULL)
    collection.add(entry, overlap.image_keys(data_set.images))
    save_collection(collection, tmp_path / "saved")
    (loaded,) = load_collection(tmp_path / "saved").entries
    assert loaded.training_parameters == parameters
    plain = cnn_model.build_network(FULL, 3)
    cnn_model.set_weights(plain, loaded.weights)
    for name, scored in (("validation", entry.validation), ("test", entry.test)):
        pixels, labels = data_set.subset(name)
        by_hand = mean_over_shifts(plain, pixels, CROSS)
        assert np.allclose(cnn_model.predict(network_of(loaded, 3), pixels), by_hand, atol=1e-6)
        # Computed in 32 bits: in 16 it would be off by a hundredth.
        assert score(by_hand.astype("f4"), labels).loss == pytest.approx(scored.loss, abs=1e-5)
        assert score(by_hand.astype("f4"), labels).accuracy == scored.accuracy


@pytest.mark.usefixtures("a_processor_with_bfloat16")
def test_an_entry_that_was_trained_in_sixteen_bits_is_scored_and_read_in_32(
    data_set: DataSet,
) -> None:
    entry = entry_of(data_set, TrainingParameters("adam", 16, 2, precision="bfloat16"), FULL)
    pixels, labels = data_set.subset("validation")
    found = {}
    for precision in (None, "bfloat16"):
        network = cnn_model.build_network(FULL, 3, precision)
        cnn_model.set_weights(network, entry.weights)
        found[precision] = score(cnn_model.predict(network, pixels), labels).loss
    assert entry.validation.loss == pytest.approx(found[None], abs=1e-6)
    assert abs(found[None] - found["bfloat16"]) > 1e-5
    assert all(layer.compute_dtype == "float32" for layer in network_of(entry, 3).layers[1:])


def test_a_pupil_learns_its_teachers_mistakes_and_the_teacher_stays_what_it_is(
    data_set: DataSet,
) -> None:
    """The teacher takes each class for the next one, so a pupil of it alone does, too."""
    wrong = dataclasses.replace(data_set, labels=(data_set.labels + 1) % 3)
    teacher = entry_of(wrong, TrainingParameters("adam", 8, 4, test_time_shifts=1), LINEAR)
    before = [array.copy() for array in teacher.weights]
    taught = {}
    for weight in (1.0, 0.01):
        distillation = Distillation(teacher.identity, weight)
        pupil = entry_of(
            data_set,
            TrainingParameters("adam", 8, 6, learning_rate=0.002, distillation=distillation),
            LINEAR,
            teacher,
        )
        taught[weight] = pupil
    assert same(before, teacher.weights)
    assert teacher.validation.accuracy > 0.9
    assert taught[1.0].validation.accuracy < 0.1 < 0.9 < taught[0.01].validation.accuracy
    pixels, _ = data_set.subset("test")
    read = [cnn_model.predict(network_of(one, 3), pixels) for one in (taught[1.0], teacher)]
    assert np.abs(read[0] - read[1]).mean() < 0.1


def the_teacher(collection: ModelCollection, teacher: str) -> Entry | None:
    """What `teacher_of` finds for a pupil that names its teacher so."""
    parameters = TrainingParameters("adam", 8, 1, distillation=Distillation(teacher))
    return teacher_of(TrainingTask(LINEAR, parameters), collection)


def test_a_teacher_is_found_by_how_its_identity_begins() -> None:
    collection = a_collection(20)
    first, last = collection.entries[0], collection.entries[-1]
    assert the_teacher(collection, first.identity) is first
    assert the_teacher(collection, last.identity[:6]) is last
    assert teacher_of(TrainingTask(LINEAR, TrainingParameters("adam", 8, 1)), collection) is None


def test_a_teacher_that_is_not_there_or_may_be_several_is_named() -> None:
    with pytest.raises(HyperparameterError, match=r"the teacher '0badbeef' is no entry of the col"):
        the_teacher(a_collection(20), "0badbeef")
    entries: dict[str, Entry] = {}
    for entry in map(an_entry, range(10_000)):  # until two begin alike
        begins = entry.identity[:4]
        if begins in entries:
            break
        entries[begins] = entry
    both = ModelCollection(("A", "B"), [entries[begins], entry])
    with pytest.raises(HyperparameterError, match=f"'{begins}' is more than one entry .* Results"):
        the_teacher(both, begins)
    assert the_teacher(both, entry.identity) is entry
