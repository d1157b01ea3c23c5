"""Tests of a network while it learns: its loss, its teacher, and the averages of its weights."""

import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

import cnn_model
from settings.network_layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling,
    Variant,
)
from settings.training_parameters import Distillation
from training.learner import Learner, cross_entropy, soften

Array = npt.NDArray[Any]
SIMPLE: Variant = (Flatten(), Dense(5))
FULL: Variant = (
    Conv2D(2, (3, 3), normalization="batch"),
    MaxPooling((4, 4)),
    Dropout(0.25),
    BatchNormalization(),
    Flatten(),
)
TARGETS = np.array([[1, 0, 0], [0.2, 0.3, 0.5]], np.float32)
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.6, 0.3]], np.float32)


def images_of(count: int) -> Array:
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def network_of(layers: Variant = SIMPLE, seed: int = 4) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return cnn_model.build_network(layers, 3)


def loss_of(learner: Learner, images: Array, training: bool, weights: Any = None) -> float:
    """Of the targets and probabilities above."""
    return float(learner.compute_loss(images, TARGETS, PROBABILITIES, weights, training=training))


# ------------------------------------------------------------------------- losses


def test_cross_entropy_is_the_mean_surprise_in_nats() -> None:
    by_hand = [np.log(2), -(0.2 * np.log(0.1) + 0.3 * np.log(0.6) + 0.5 * np.log(0.3))]
    assert np.allclose(cross_entropy(TARGETS, PROBABILITIES), by_hand, atol=1e-6)


def test_a_prior_is_multiplied_in_before_the_surprise_is_measured() -> None:
    prior = np.array([0.7, 0.2, 0.1], np.float32)
    adjusted = PROBABILITIES * prior / (PROBABILITIES * prior).sum(axis=1, keepdims=True)
    expected = -(TARGETS * np.log(adjusted)).sum(axis=1)
    assert np.allclose(cross_entropy(TARGETS, PROBABILITIES, np.log(prior)), expected, atol=1e-6)


def test_an_even_prior_changes_nothing() -> None:
    even = np.log(np.full(3, 1 / 3, np.float32))
    plain = cross_entropy(TARGETS, PROBABILITIES)
    assert np.allclose(cross_entropy(TARGETS, PROBABILITIES, even), plain, atol=1e-6)


def test_a_probability_of_zero_gives_a_large_and_finite_loss() -> None:
    certain = np.array([[0, 1, 0]], np.float32)
    assert 80 < float(cross_entropy(TARGETS[:1], certain)[0]) < 90
    assert np.isfinite(soften(certain, 3.0)).all()


def test_a_temperature_softens_as_it_does_before_the_softmax() -> None:
    logits = np.array([[3.0, -1.0, 0.5], [0.0, 8.0, 2.0]], np.float32)
    softmax = keras.ops.softmax(logits)
    for temperature in (1.0, 2.0, 20.0):
        expected = keras.ops.softmax(logits / temperature)
        assert np.allclose(soften(softmax, temperature), expected, atol=1e-6)


def test_the_loss_of_a_batch_is_the_mean_and_weights_count() -> None:
    learner = Learner(network_of())
    one, two = np.asarray(cross_entropy(TARGETS, PROBABILITIES))
    assert loss_of(learner, images_of(2), True) == pytest.approx((one + two) / 2)
    weights = np.array([3.0, 0.5], np.float32)
    assert loss_of(learner, images_of(2), True, weights) == pytest.approx((3 * one + two / 2) / 2)


def test_the_prior_counts_in_training_alone() -> None:
    prior = np.array([0.7, 0.2, 0.1])
    learner = Learner(network_of(), log_prior=np.log(prior))
    images = images_of(2)
    with_prior = cross_entropy(TARGETS, PROBABILITIES, np.log(prior).astype("f4"))
    assert loss_of(learner, images, True) == pytest.approx(float(np.mean(with_prior)))
    plain = cross_entropy(TARGETS, PROBABILITIES)
    assert loss_of(learner, images, False) == pytest.approx(float(np.mean(plain)))


# ------------------------------------------------------------------------- teachers


@pytest.mark.parametrize("weight", [0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_is_shared_between_labels_and_teacher(weight: float, temperature: float) -> None:
    teacher = network_of(seed=7)
    learner = Learner(
        network_of(), teacher=teacher, distillation=Distillation("abcd", weight, temperature)
    )
    images = images_of(2)
    raised = [
        probabilities ** (1 / temperature)
        for probabilities in (cnn_model.predict(teacher, images).astype("f8"), PROBABILITIES)
    ]
    taught, learnt = (part / part.sum(axis=1, keepdims=True) for part in raised)
    from_teacher = temperature**2 * -(taught * np.log(learnt)).sum(axis=1)
    from_labels = np.asarray(cross_entropy(TARGETS, PROBABILITIES))
    expected = float(np.mean((1 - weight) * from_labels + weight * from_teacher))
    assert loss_of(learner, images, True) == pytest.approx(expected, rel=1e-5)
    assert loss_of(learner, images, False) == pytest.approx(float(np.mean(from_labels)))


def test_the_teachers_weights_are_not_the_pupils_and_do_not_change() -> None:
    teacher, network = network_of(FULL, seed=7), network_of(FULL)
    before = cnn_model.get_weights(teacher)
    learner = Learner(network, teacher=teacher, distillation=Distillation("abcd", 0.5, 2.0))
    assert {id(weight) for weight in learner.weights} == {id(weight) for weight in network.weights}
    learner.compile("sgd")
    for _ in range(2):
        learner.train_on_batch(images_of(2), TARGETS)
    after = cnn_model.get_weights(teacher)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_teacher_reads_as_it_does_when_it_is_done_learning() -> None:
    """Dropout and the statistics of the batch have no part in it."""
    teacher = network_of(FULL, seed=7)
    learner = Learner(network_of(), teacher=teacher, distillation=Distillation("abcd", 1.0))
    images = images_of(2)
    expected = -(cnn_model.predict(teacher, images) * np.log(PROBABILITIES)).sum(axis=1).mean()
    for _ in range(3):
        assert loss_of(learner, images, True) == pytest.approx(float(expected), rel=1e-5)


def test_a_pupil_that_learns_from_its_teacher_alone_comes_to_answer_like_it() -> None:
    teacher, network = network_of((Flatten(),), seed=7), network_of((Flatten(),), seed=1)
    learner = Learner(network, teacher=teacher, distillation=Distillation("abcd", 1.0, 2.0))
    learner.compile(keras.optimizers.Adam(0.003))
    images, wrong = images_of(48), np.roll(np.eye(3, dtype="f4")[np.arange(48) % 3], 1, axis=1)
    taught = cnn_model.predict(teacher, images)

    def distance() -> float:
        return float(np.abs(cnn_model.predict(network, images) - taught).max())

    before = distance()
    for _ in range(120):
        learner.train_on_batch(images, wrong)
    assert distance() < 0.05 < 0.3 < before


# ------------------------------------------------------------------------- averages


@pytest.mark.parametrize("layers", [SIMPLE, FULL])
def test_a_learner_learns_the_weights_of_its_network_and_no_others(layers: Variant) -> None:
    network = network_of(layers)
    learner = Learner(network, moving_average=0.9)
    trainable = {id(weight) for weight in network.trainable_weights}
    assert {id(weight) for weight in learner.trainable_weights} == trainable
    assert len(learner.trainable_weights) == len(trainable)
    images = images_of(3)
    assert np.array_equal(cnn_model.predict(network, images), np.asarray(learner([images])))


def steps_by_hand(decay: float, layers: Variant, steps: int) -> tuple[Learner, list[Array]]:
    """A learner after some steps, and the averages that it should have."""
    network = network_of(layers)
    learner = Learner(network, moving_average=decay)
    learner.compile(keras.optimizers.SGD(0.5))
    averages = list(cnn_model.get_weights(network))
    for step in range(1, steps + 1):
        learner.train_on_batch(images_of(2), TARGETS)
        kept = min(decay, (1 + step) / (10 + step))
        averages = [
            kept * average + (1 - kept) * weight
            for average, weight in zip(averages, cnn_model.get_weights(network), strict=True)
        ]
    return learner, averages


@pytest.mark.parametrize(
    ("decay", "layers"), [(0.999, FULL), (0.3, FULL), (0.25, SIMPLE), (0.0, SIMPLE)]
)
def test_averages_follow_the_weights_and_the_statistics_of_normalizations(
    decay: float, layers: Variant
) -> None:
    learner, expected = steps_by_hand(decay, layers, 6)
    assert len(learner.averages) == len(expected)
    for average, by_hand in zip(learner.averages, expected, strict=True):
        assert np.allclose(average, by_hand, atol=1e-5)


def test_averages_differ_from_the_weights_and_moving_means_are_among_them() -> None:
    network = network_of(FULL)
    learner = Learner(network, moving_average=0.9)
    learner.compile(keras.optimizers.SGD(0.5))
    for _ in range(3):
        learner.train_on_batch(images_of(2), TARGETS)
    weights = cnn_model.get_weights(network)
    names = [variable.name for variable in network.weights if "seed" not in variable.name]
    assert names.count("moving_mean") == 2
    for name, average, weight in zip(names, learner.averages, weights, strict=True):
        assert not np.array_equal(average, weight), name


def test_swapping_exchanges_weights_and_averages_and_swapping_twice_changes_nothing() -> None:
    learner, _ = steps_by_hand(0.9, FULL, 3)
    network = keras.Model(learner.inputs, learner.outputs)
    weights = cnn_model.get_weights(network)
    averages = [keras.ops.convert_to_numpy(average).copy() for average in learner.averages]
    learner.swap_averages()
    for shown, average in zip(cnn_model.get_weights(network), averages, strict=True):
        assert np.array_equal(shown, average)
    for kept, weight in zip(learner.averages, weights, strict=True):
        assert np.array_equal(kept, weight)
    learner.swap_averages()
    for shown, weight in zip(cnn_model.get_weights(network), weights, strict=True):
        assert np.array_equal(shown, weight)


def test_averaging_changes_no_step() -> None:
    found = []
    for decay in (None, 0.9):
        network = network_of(FULL)
        learner = Learner(network, moving_average=decay)
        learner.compile(keras.optimizers.SGD(0.5))
        for _ in range(3):
            learner.train_on_batch(images_of(2), TARGETS)
        found.append(cnn_model.get_weights(network))
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_distillations_of_other_weights_and_temperatures_differ() -> None:
    teacher, one = network_of(seed=7), Distillation("abcd", 0.5, 2.0)
    losses = [
        loss_of(Learner(network_of(), teacher=teacher, distillation=how), images_of(2), True)
        for how in (
            one,
            dataclasses.replace(one, weight=0.6),
            dataclasses.replace(one, temperature=3.0),
        )
    ]
    assert len({round(loss, 4) for loss in losses}) == 3
