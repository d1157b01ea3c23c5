"""Tests of accuracy, loss and confusion against hand computation and against Keras."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.recognition import (
    ConfusedPair,
    Score,
    confusion_among,
    confusion_matrix,
    most_confused,
    score,
)

PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.25, 0.25, 0.5]], np.float32
)


def test_accuracy_and_loss_are_those_computed_by_hand() -> None:
    found = score(PROBABILITIES, np.array([0, 1, 2, 2]))
    assert found.accuracy == 0.75
    expected = -(math.log(0.7) + math.log(0.8) + math.log(0.2) + math.log(0.5)) / 4
    assert found.loss == pytest.approx(expected, rel=1e-6)
    assert found.images == 4


def test_accuracy_is_no_loss_and_loss_no_accuracy() -> None:
    perfect = score(np.eye(3, dtype=np.float32), np.arange(3))
    assert (perfect.accuracy, perfect.loss) == (1.0, 0.0)
    wrong = score(np.eye(3, dtype=np.float32), np.array([1, 2, 0]))
    assert wrong.accuracy == 0.0
    assert wrong.loss == pytest.approx(-math.log(1e-7))


def test_equal_probabilities_go_to_the_first_class() -> None:
    even = np.full((2, 2), 0.5, np.float32)
    assert score(even, np.array([0, 1])).accuracy == 0.5


def test_scores_are_plain_numbers() -> None:
    found = score(PROBABILITIES, np.array([0, 1, 2, 2], np.int32))
    assert [type(value) for value in (found.accuracy, found.loss, found.images)] == [
        float,
        float,
        int,
    ]


def test_loss_is_that_of_keras() -> None:
    import keras

    random = np.random.default_rng(0)
    logits = random.normal(0, 6, (200, 47)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = random.integers(0, 47, 200)
    theirs = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    ours = score(probabilities, labels)
    assert ours.loss == pytest.approx(float(np.mean(theirs)), rel=1e-5)
    accuracy = keras.metrics.sparse_categorical_accuracy(labels, probabilities)
    assert ours.accuracy == pytest.approx(float(np.mean(accuracy)))


def test_a_probability_of_zero_costs_what_it_costs_in_keras() -> None:
    import keras

    probabilities, labels = np.array([[1.0, 0.0]], np.float32), np.array([1])
    theirs = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    assert score(probabilities, labels).loss == pytest.approx(float(theirs[0]), rel=1e-4)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Score(0.9, 2.0, 10), Score(0.8, 0.1, 10)),
        (Score(0.9, 0.1, 10), Score(0.9, 0.2, 10)),
        (Score(0.9, 0.2, 5), Score(0.9, 0.3, 5000)),
    ],
)
def test_rank_goes_by_accuracy_and_only_on_a_tie_by_loss(better: Score, worse: Score) -> None:
    assert better.rank > worse.rank


def test_confusion_counts_labels_in_rows_and_predictions_in_columns() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 2])
    expected = [[1, 2, 0], [0, 1, 0], [1, 0, 1]]
    assert confusion_matrix(predicted, labels, 3).tolist() == expected


@given(
    st.integers(1, 8).flatmap(
        lambda classes: st.tuples(
            st.just(classes),
            st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), max_size=40),
        )
    )
)
def test_confusion_equals_counting_one_by_one(case: tuple[int, list[tuple[int, int]]]) -> None:
    classes, pairs = case
    expected = np.zeros((classes, classes), int)
    for label, predicted in pairs:
        expected[label, predicted] += 1
    both: npt.NDArray[np.uint8] = np.array(pairs, np.uint8).reshape(-1, 2)
    found = confusion_matrix(both[:, 1], both[:, 0], classes)
    assert found.dtype == np.int64 and np.array_equal(found, expected)


def test_small_label_types_do_not_overflow() -> None:
    labels = np.array([46, 46, 0], np.uint8)
    matrix = confusion_matrix(np.array([45, 46, 1], np.uint8), labels, 47)
    assert matrix.sum() == 3 and matrix[46, 45] == matrix[46, 46] == matrix[0, 1] == 1


def images_counted(counts: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Predictions and labels with those numbers of images: a row a label, a column a prediction."""
    matrix = np.asarray(counts)
    label, predicted = np.indices(matrix.shape)
    return np.repeat(predicted, matrix.ravel()), np.repeat(label, matrix.ravel())


def test_most_confused_lists_errors_only_most_frequent_first() -> None:
    predicted, labels = images_counted([[90, 5, 0], [7, 3, 5], [0, 0, 4]])
    assert most_confused(predicted, labels, 3) == (
        ConfusedPair(1, 0, 7, 15),
        ConfusedPair(0, 1, 5, 95),
        ConfusedPair(1, 2, 5, 15),
    )
    assert most_confused(predicted, labels, 3, most=1) == (ConfusedPair(1, 0, 7, 15),)


def test_nothing_confused_makes_an_empty_list() -> None:
    assert most_confused(*images_counted(np.diag([3, 4])), 2) == ()


def test_among_few_classes_all_confusions_are_counted() -> None:
    counts = [[90, 5, 0], [7, 3, 5], [0, 0, 4]]
    found = confusion_among(*images_counted(counts), 3, most=3)
    assert found.classes.tolist() == [0, 1, 2] and found.counts.tolist() == counts


def test_of_many_classes_those_with_most_errors_are_counted_among_themselves() -> None:
    predicted, labels = images_counted([[90, 5, 0], [7, 3, 5], [0, 0, 4]])
    found = confusion_among(predicted, labels, 3, most=2)
    assert found.classes.tolist() == [0, 1] and found.counts.tolist() == [[90, 5], [7, 3]]


def test_a_million_classes_need_no_matrix_of_all_of_them() -> None:
    labels, predicted = np.array([999_999, 7, 7]), np.array([7, 999_999, 7])
    found = confusion_among(predicted, labels, 1_000_000, most=2)
    assert found.classes.tolist() == [7, 999_999] and found.counts.tolist() == [[1, 1], [1, 0]]
    assert most_confused(predicted, labels, 1_000_000)[0] == ConfusedPair(7, 999_999, 1, 2)
