"""How well labelled images are recognised: accuracy and loss together, and what is confused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer]
Indices = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]

# Keras clips probabilities at the same value before it takes their logarithm.
SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Score:
    """Accuracy and loss on a stated number of images.

    Attributes:
        accuracy: share of images whose likeliest class is their label, 0 to 1.
        loss: mean cross-entropy in nats, 0 or more.
        images: number of images.
    """

    accuracy: float
    loss: float
    images: int

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: by accuracy, and by lower loss where that is the same."""
        return self.accuracy, -self.loss


@dataclass(frozen=True)
class ConfusedPair:
    """How often images of one class were taken for another.

    Attributes:
        label: class index of the images.
        taken_for: class index they were taken for.
        count: how many.
        images: all images of that class.
    """

    label: int
    taken_for: int
    count: int
    images: int


@dataclass(frozen=True, eq=False)
class Confusion:
    """What some classes were taken for, among themselves.

    Attributes:
        classes: int64 (K,), class indices, ascending.
        counts: int64 (K, K); row: the label, column: the prediction.
    """

    classes: Indices
    counts: Counts


def score(probabilities: Probabilities, labels: Labels) -> Score:
    """Score predictions.

    Args:
        probabilities: float32 (N, classes), each row sums to 1; N at least 1.
        labels: integers (N,), class indices.

    Returns:
        Accuracy, cross-entropy and N.
    """
    right = probabilities.argmax(axis=1) == labels
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    loss = -np.log(np.clip(chosen, SMALLEST_PROBABILITY, 1.0)).mean()
    return Score(float(right.mean()), float(loss), len(labels))


def confusion_matrix(predicted: Labels, labels: Labels, class_count: int) -> Counts:
    """Count what each class was taken for.

    Args:
        predicted: integers (N,), class indices.
        labels: integers (N,), class indices.
        class_count: number of classes C; of thousands, `confusion_among` shows the most confused.

    Returns:
        int64 (C, C); row: the label, column: the prediction.
    """
    cells = labels.astype(np.int64) * class_count + predicted
    return np.bincount(cells, minlength=class_count**2).reshape(class_count, class_count)


def confusion_among(predicted: Labels, labels: Labels, class_count: int, most: int) -> Confusion:
    """Count what the classes that take part in most errors were taken for.

    Args:
        predicted: integers (N,), class indices.
        labels: integers (N,), class indices.
        class_count: number of classes C.
        most: how many classes at most; of so many or fewer, all are shown.

    Returns:
        The classes, in class order, and the images that are of one of them and were taken for one.
    """
    wrong = labels != predicted
    errors = np.bincount(labels[wrong], minlength=class_count)
    errors += np.bincount(predicted[wrong], minlength=class_count)
    classes = np.sort(np.argsort(-errors, kind="stable")[:most])
    place = np.full(class_count, -1)
    place[classes] = np.arange(len(classes))
    inside = (place[labels] >= 0) & (place[predicted] >= 0)
    return Confusion(
        classes, confusion_matrix(place[predicted[inside]], place[labels[inside]], len(classes))
    )


def most_confused(
    predicted: Labels, labels: Labels, class_count: int, most: int = 10
) -> tuple[ConfusedPair, ...]:
    """List the pairs of classes that are confused most often.

    Args:
        predicted: integers (N,), class indices.
        labels: integers (N,), class indices.
        class_count: number of classes.
        most: length of the list at most.

    Returns:
        Pairs with at least one image, most frequent first; ties in class order.
    """
    wrong = predicted != labels
    images = np.bincount(labels, minlength=class_count)
    pairs, counts = np.unique(
        np.stack([labels[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")[:most]
    return tuple(
        ConfusedPair(int(label), int(taken_for), int(count), int(images[label]))
        for (label, taken_for), count in zip(pairs[order], counts[order], strict=True)
    )


@dataclass(frozen=True)
class Likely:
    """One class that an image may be of, with its probability, 0 to 1."""

    character: str
    probability: float


def ranked(probabilities: npt.NDArray[np.floating], classes: Sequence[str]) -> tuple[Likely, ...]:
    """All classes with their probabilities, likeliest first.

    Args:
        probabilities: (C,), of one image.
        classes: the C names.

    Returns:
        A `Likely` for each class; equal ones in the order of the classes.
    """
    order = np.argsort(-probabilities, kind="stable")
    return tuple(Likely(classes[index], float(probabilities[index])) for index in order)
