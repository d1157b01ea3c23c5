"""Tests of calibration: known distortions are found again, and one layer undoes them."""

import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

import cnn_model
from data_parser import DataSet
from evaluation.recognition import score
from model_collection import Entry, train_entry
from settings.hyperparameters import TrainingTask
from settings.network_layers import Dense, Flatten
from settings.training_parameters import TrainingParameters
from training import calibration
from training.calibration import Calibration

Array = npt.NDArray[Any]


def drawn_labels(probabilities: Array, random: np.random.Generator) -> Array:
    """One label a row, drawn by its probabilities."""
    places = (probabilities.cumsum(axis=1) < random.random((len(probabilities), 1))).sum(axis=1)
    labels: Array = np.minimum(places, probabilities.shape[1] - 1)
    return labels


def loss(probabilities: Array, labels: Array, found: Calibration) -> float:
    logits = np.log(probabilities) / found.temperature + found.biases
    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


# ------------------------------------------------------------------------- what is found


def test_the_temperature_and_biases_that_labels_were_drawn_with_are_found() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (40_000, 4))
    truth = np.array([0.6, -0.2, 0.0, -0.4])
    labels = drawn_labels(softmax(logits / 0.7 + truth, axis=1), random)
    found = calibration.fit(softmax(logits, axis=1), labels, classes_count_alike=False)
    assert found.temperature == pytest.approx(0.7, abs=0.02)
    assert found.biases == pytest.approx(truth, abs=0.05)
    assert found.biases.sum() == pytest.approx(0, abs=1e-9)


def test_probabilities_that_are_right_stay_nearly_as_they_are() -> None:
    random = np.random.default_rng(1)
    right = softmax(random.normal(0, 2, (40_000, 3)), axis=1)
    found = calibration.fit(right, drawn_labels(right, random), classes_count_alike=False)
    assert found.temperature == pytest.approx(1, abs=0.03)
    assert found.biases == pytest.approx(np.zeros(3), abs=0.04)


def test_classes_that_count_alike_are_not_named_by_how_many_images_they_have() -> None:
    """Nothing is known of the images, so a class's probability is its weight."""
    labels = np.repeat([0, 1], [900, 100])
    unknowing = np.full((1000, 2), 0.5)
    by_image = calibration.fit(unknowing, labels, classes_count_alike=False)
    by_class = calibration.fit(unknowing, labels, classes_count_alike=True)
    assert softmax(by_image.biases) == pytest.approx([0.9, 0.1], abs=0.01)
    assert softmax(by_class.biases) == pytest.approx([0.5, 0.5], abs=1e-6)


def test_with_a_handful_of_images_biases_stay_small() -> None:
    found = calibration.fit(np.full((3, 2), 0.5), np.array([0, 0, 0]), classes_count_alike=False)
    assert 0 < found.biases[0] < 5


def test_a_network_without_mistakes_is_not_made_endlessly_sure() -> None:
    sure = np.array([[0.9, 0.1], [0.1, 0.9]])
    found = calibration.fit(sure, np.array([0, 1]), classes_count_alike=True)
    assert calibration.TEMPERATURES[0] <= found.temperature < 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 40), st.floats(0, 200))
def test_a_calibration_is_finite_and_no_worse(
    seed: int, classes: int, count: int, spread: float
) -> None:
    random = np.random.default_rng(seed)
    given_ = softmax(random.normal(0, spread, (count, classes)), axis=1).astype("f4")
    labels = random.integers(0, classes, count)
    found = calibration.fit(given_, labels, classes_count_alike=False)
    assert np.isfinite(found.biases).all() and found.biases.shape == (classes,)
    assert calibration.TEMPERATURES[0] <= found.temperature <= calibration.TEMPERATURES[1]
    kept = np.maximum(given_.astype("f8"), calibration.LEAST_PROBABILITY)
    assert loss(kept, labels, found) <= loss(kept, labels, Calibration(1, np.zeros(classes))) + 1e-9


# ------------------------------------------------------------------------- in a network


def test_a_network_with_calibrated_weights_reads_as_computed_by_hand() -> None:
    keras.utils.set_random_seed(5)
    network = cnn_model.build_network((Flatten(), Dense(6)), 3)
    pixels = np.random.default_rng(5).integers(0, 256, (9, 28, 28), dtype=np.uint8)
    before = cnn_model.predict(network, pixels)
    weights = cnn_model.get_weights(network)
    done = Calibration(0.5, np.array([0.3, -0.3, 0.0]))
    calibrated = calibration.calibrated_softmax(weights, done)
    assert [array.shape for array in calibrated] == [array.shape for array in weights]
    assert all(np.array_equal(a, b) for a, b in zip(calibrated[:-2], weights[:-2], strict=True))
    cnn_model.set_weights(network, calibrated)
    by_hand = softmax(np.log(before) / 0.5 + done.biases, axis=1)
    assert np.allclose(cnn_model.predict(network, pixels), by_hand, atol=1e-5)


def entry_of(data_set: DataSet, parameters: TrainingParameters) -> Entry:
    return train_entry(
        TrainingTask((Flatten(), Dense(8)), parameters),
        data_set,
        3,
        None,
        show=lambda progress: None,
        should_stop=lambda: False,
    )


@pytest.mark.parametrize("class_weighting", [None, "sampling"])
def test_training_ends_with_the_calibration_of_the_validation_images(
    data_set: DataSet, class_weighting: str | None
) -> None:
    plain = TrainingParameters(
        "adam", 8, 2, label_smoothing=0.4, class_weighting=class_weighting, moving_average=0.5
    )
    without = entry_of(data_set, plain)
    entry = entry_of(data_set, dataclasses.replace(plain, calibration="classes"))
    assert entry.identity != without.identity
    network = cnn_model.build_network((Flatten(), Dense(8)), 3)
    cnn_model.set_weights(network, without.weights)
    images, labels = data_set.subset("validation")
    read = cnn_model.predict(network, images)
    fitted = calibration.fit(read, labels, classes_count_alike=class_weighting is not None)
    by_hand = softmax(np.log(read) / fitted.temperature + fitted.biases, axis=1)
    assert entry.validation.loss == pytest.approx(score(by_hand, labels).loss, abs=0.01)
    assert entry.validation.loss < without.validation.loss - 0.02
    # What each epoch showed was seen before, and is what it was.
    assert entry.history == without.history
