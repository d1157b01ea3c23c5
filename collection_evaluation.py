"""Scores of every entry of a collection on labelled images, and what the best one confuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.common import HOW_DIGITS_STAY
from data_formats.problems import one_line, shown, shown_name
from data_parser import DataSet, LabelledImages, read_labelled_images
from entries.entry import Entry
from errors import DataError, UserError
from evaluation import recognition
from evaluation.class_labels import as_writable, class_labels, shortened, written_with
from evaluation.plots import plot_confusion_matrix
from evaluation.recognition import ConfusedPair, Confusion, Score
from image_arrays import Images
from model_collection import ModelCollection
from unused_path import new_file

MOST_DRAWN = 150  # classes of a confusion matrix: more would take gigabytes, and be read by nobody
TITLE_CELLS = 46  # of a line above a confusion matrix of few classes

Labels: TypeAlias = npt.NDArray[np.int64]
# Returns the probabilities, float32 (N, C), with which an entry reads uint8 (N, 28, 28).
Read: TypeAlias = Callable[[Entry, Images], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class EntryScore:
    """Score of one entry on a set of images.

    Attributes:
        number: the entry's number in the collection.
        score: on all images.
        new_images: on those that took no part in its training or choosing; None without any.
    """

    number: int
    score: Score
    new_images: Score | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of every entry on a set of images, and what the best one confused.

    Attributes:
        name: what was read, for people.
        scores: one an entry, in the collection's order.
        best: number of the collection's best entry.
        confusion: of the best entry, among the classes that it confuses most.
        confused: its most frequent confusions.
        classes: the characters of the collection.
        notes: what a user should know of how the images were read.
        left_out: "file: why" of each file that was left out of them.
    """

    name: str
    scores: tuple[EntryScore, ...]
    best: int
    confusion: Confusion
    confused: tuple[ConfusedPair, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def evaluate(
    data_set: DataSet,
    collection: ModelCollection,
    best: Entry,
    path: Path | None,
    read: Read,
    show: Callable[[int, int], None],
) -> Evaluation:
    """Score every entry on labelled images.

    Args:
        data_set: the open one.
        collection: with one entry or more.
        best: its best entry.
        path: a data set, all of whose images are used; None is the open one's test split.
        read: how an entry reads images.
        show: told how many entries are done, and of how many.

    Returns:
        The score of each entry, and what the best one confuses.

    Raises:
        UserError: the data set cannot be used.
    """
    name, of_data = _images_to_evaluate(data_set, collection, path)
    images, labels = of_data.images, of_data.labels.astype(np.int64)
    met_by = collection.met_by(images)
    scores = []
    taken_for = np.empty(0, np.int64)  # by the best entry
    for number, entry in enumerate(collection.entries):
        show(number, len(collection.entries))
        probabilities = read(entry, images)
        scores.append(_score_of(number, probabilities, labels, ~met_by(entry)))
        if entry is best:
            taken_for = probabilities.argmax(axis=1)
    class_count = len(collection.classes)
    return Evaluation(
        name=name,
        scores=tuple(scores),
        best=collection.entries.index(best),
        confusion=recognition.confusion_among(taken_for, labels, class_count, MOST_DRAWN),
        confused=recognition.most_confused(taken_for, labels, class_count),
        classes=collection.classes,
        notes=of_data.notes,
        left_out=of_data.skipped,
    )


def _score_of(
    number: int,
    probabilities: npt.NDArray[np.float32],
    labels: Labels,
    new: npt.NDArray[np.bool_],
) -> EntryScore:
    """The score of an entry on all images, and on those that are new to it."""
    return EntryScore(
        number,
        recognition.score(probabilities, labels),
        recognition.score(probabilities[new], labels[new]) if new.any() else None,
    )


def _images_to_evaluate(
    data_set: DataSet, collection: ModelCollection, path: Path | None
) -> tuple[str, LabelledImages]:
    """What is read, for people, with the images and their labels, indices into the data set's."""
    if path is None:
        images, labels = data_set.subset("test")
        in_test = np.ones(len(labels), np.bool_)
        test = LabelledImages(images, labels, data_set.classes, in_test)
        return f"the test split of {data_set.name}", test
    has_digits = any(name.isdigit() for name in collection.classes)
    labelled = read_labelled_images(path, keep_digits=has_digits)
    if not len(labelled.images):
        raise DataError(
            f"{shown(path)} has no images of the collection's characters", labelled.skipped
        )
    classes = np.array([_class_number(data_set, name, path) for name in labelled.classes], np.int32)
    # The option that would keep digits does so for the open data set.
    notes = tuple(note.removesuffix(HOW_DIGITS_STAY) for note in labelled.notes)
    known = dataclasses.replace(labelled, labels=classes[labelled.labels], notes=notes)
    return f"all images of {shown_name(path)}", known


def _class_number(data_set: DataSet, character: str, path: Path) -> int:
    """Class index of a character of a file, in the data set and so in the collection."""
    try:
        return data_set.class_of(character)[0]
    except DataError as error:
        raise DataError(
            f"{shown(path)} has the character {character!r}, which the collection cannot tell "
            f"apart; it knows {one_line(' '.join(data_set.classes))}"
        ) from error


def write_confusion_matrix(evaluation: Evaluation, folder: Path) -> Path:
    """Draw the confusion matrix of the best entry into a new PNG file in a folder.

    Args:
        evaluation: with the confusion matrix of its best entry.
        folder: that is there.

    Returns:
        The file's path; nothing that was there is written over.

    Raises:
        UserError: the file cannot be written.
    """
    path = folder / "confusion-matrix.png"
    score = evaluation.scores[evaluation.best].score
    labels = class_labels(evaluation.classes)
    name, families = as_writable(evaluation.name)
    title = (
        f"Entry {evaluation.best}: accuracy {score.accuracy:.2%} of "
        f"{counted(score.images, 'image')}\n{shortened(name, TITLE_CELLS)}"
    )
    drawn = evaluation.confusion.classes
    if len(drawn) < len(evaluation.classes):
        title += f"\nthe {len(drawn)} of {len(evaluation.classes):,} characters most confused"
    try:
        fonts = written_with(tuple(dict.fromkeys((*labels.families, *families))))
        with new_file(path) as path, fonts:
            plot_confusion_matrix(
                evaluation.confusion.counts,
                [labels.texts[index] for index in drawn],
                title,
                path,
            )
    except OSError as error:
        raise UserError(
            f"the confusion matrix cannot be written to {path}: {error.strerror or error}"
        ) from error
    return path
