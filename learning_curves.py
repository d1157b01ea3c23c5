"""How the accuracy of entries rose from epoch to epoch, as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from entries.entry import Entry
from errors import UserError
from evaluation.report_plots import Curve, plot_learning_curves
from model_collection import ModelCollection
from settings.training_words import comparison
from unused_path import new_file

MOST_CURVES = 12  # of a picture
TITLE_WIDTH = 28  # letters of a line above a curve
TITLE_LINES = 4  # of what tells a training from the others


def curve_of(name: str, entry: Entry) -> Curve:
    """Training and validation accuracy of an entry after each epoch.

    Args:
        name: of the curve.
        entry: with its history.

    Returns:
        Accuracies 0 to 1, one an epoch.
    """
    return Curve(
        name,
        [epoch.accuracy for epoch in entry.history],
        [epoch.validation_accuracy for epoch in entry.history],
    )


def write_learning_curves(
    collection: ModelCollection, numbers: Sequence[int], folder: Path
) -> tuple[Path, int]:
    """Draw the learning curves of entries into a new PNG file in a folder.

    Args:
        collection: of the entries.
        numbers: of the entries; the first `MOST_CURVES` that have a history of epochs are drawn.
        folder: where.

    Returns:
        The file's path, and how many entries it shows; nothing that was there is written over.

    Raises:
        UserError: no entry has a history, or the file cannot be written.
    """
    drawn = [number for number in numbers if collection.entries[number].history][:MOST_CURVES]
    if not drawn:
        raise UserError("the entries have no history of epochs to draw")
    entries = [collection.entries[number] for number in drawn]
    trainings = comparison((entry.layers, entry.training_parameters) for entry in entries)
    curves = [
        curve_of(_title(number, own), entry)
        for number, own, entry in zip(drawn, trainings.own, entries, strict=True)
    ]
    path = folder / "learning-curves.png"
    try:
        with new_file(path) as path:
            plot_learning_curves(curves, path)
    except OSError as error:
        raise UserError(
            f"the learning curves cannot be written to {path}: {error.strerror or error}"
        ) from error
    return path, len(drawn)


def _title(number: int, own: str) -> str:
    """Lines that name an entry, and say what the trainings of the others do not have."""
    lines = textwrap.wrap(own, TITLE_WIDTH, max_lines=TITLE_LINES, placeholder=" …")
    return "\n".join([f"entry {number}", *lines])
