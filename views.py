"""What the menu shows, as text: pictures, tables of entries and layers, and scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import network_layers
from evaluation.recognition import Score
from model_collection import Entry, ModelCollection
from network_layers import Variant
from trainer_predictor import Evaluation, Prediction
from training_parameters import TrainingParameters

if TYPE_CHECKING:
    from rich.table import Table

ASCII_INK = " .:-=+*#%@"
DARKEST_GREY, GREYS = 232, 24  # the grey ramp of 256-colour terminals
LIKELIEST_SHOWN = 5
BAR_LENGTH = 20


def picture(image: npt.NDArray[np.uint8], colours: bool) -> str:
    """Draw an image with characters, ink bright on dark.

    Args:
        image: uint8 (28, 28).
        colours: half blocks in 24 greys, two pixels a character; else plain ASCII.

    Returns:
        14 lines of 28 characters, between lines of a frame.
    """
    lines = [_half_blocks(*rows) for rows in _row_pairs(image)] if colours else _ascii(image)
    edge = "+" + "-" * image.shape[1] + "+"
    return "\n".join([edge, *(f"|{line}|" for line in lines), edge])


def _row_pairs(
    image: npt.NDArray[np.uint8],
) -> Iterable[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    return zip(image[0::2], image[1::2], strict=True)


def _half_blocks(upper: npt.NDArray[np.uint8], lower: npt.NDArray[np.uint8]) -> str:
    greys = DARKEST_GREY + np.stack([upper, lower]).astype(int) * (GREYS - 1) // 255
    cells = (f"\x1b[38;5;{top};48;5;{bottom}m▀" for top, bottom in greys.T)
    return "".join(cells) + "\x1b[0m"


def _ascii(image: npt.NDArray[np.uint8]) -> list[str]:
    means = (image[0::2].astype(int) + image[1::2]) // 2
    levels = means * (len(ASCII_INK) - 1) // 255
    return ["".join(ASCII_INK[level] for level in row) for row in levels]


def pictures(images: npt.NDArray[np.uint8], colours: bool) -> str:
    """Draw images side by side; see `picture`.

    Args:
        images: uint8 (N, 28, 28), N at least 1.
        colours: half blocks in greys; else plain ASCII.
    """
    return picture(np.concatenate(list(images), axis=1), colours)


def prediction(result: Prediction, colours: bool) -> str:
    """The drawn picture, the network's scores, and what it took the picture for."""
    entry = result.entry
    label = result.stands_for or result.asked
    lines = []
    if result.stands_for is not None:
        lines.append(
            f"{result.asked!r} shares the class {result.stands_for!r}: "
            "the two are written alike and are not told apart."
        )
    lines.append(picture(result.drawing.image, colours))
    if not result.drawing.held_out:
        lines.append("This image took part in the network's training: no other one is there.")
    lines.append(
        f"Read by entry {result.number}: validation accuracy {_share(entry.validation)}, "
        f"test accuracy {_share(entry.test)}."
    )
    first = result.likeliest[0]
    verdict = "right" if first.character == label else f"wrong, it is {label}"
    lines.append(f"Predicted character: {first.character} ({verdict})")
    lines += [
        f"  {number}. {likely.character}  {likely.probability:7.2%}  "
        + "#" * round(likely.probability * BAR_LENGTH)
        for number, likely in enumerate(result.likeliest[:LIKELIEST_SHOWN], 1)
    ]
    return "\n".join(line.rstrip() for line in lines)


def _share(score: Score) -> str:
    return f"{score.accuracy:.2%} of {score.images:,} images"


def results_table(collection: ModelCollection) -> Table:
    """Every entry in a row, the best one marked; what all have in common stands below."""
    best = collection.best()
    in_common = _training_in_common(collection)
    table = _table()
    for heading in ("No.", "Weights", "Time", *_SCORE_HEADINGS):
        table.add_column(heading, justify="right", overflow="fold")
    if in_common is None:
        table.add_column("Training", overflow="fold")
    for number, entry in enumerate(collection.entries):
        cells = [
            f"{'* ' if entry is best else ''}{number}",
            f"{_parameters(entry, collection):,}",
            duration(entry.seconds),
            *_score_cells(entry.validation),
            *_score_cells(entry.test),
        ]
        if in_common is None:
            cells.append(training_summary(entry.training_parameters))
        table.add_row(*cells, style="bold" if entry is best else None)
    return table


_SCORE_HEADINGS = ("Val.\naccuracy", "Val.\nloss", "Test\naccuracy", "Test\nloss")


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
        caption_justify="left",
    )


def _training_in_common(collection: ModelCollection) -> str | None:
    """The training parameters in a few words where all entries have the same, else None."""
    summaries = {training_summary(entry.training_parameters) for entry in collection.entries}
    return summaries.pop() if len(summaries) == 1 else None


def results_notes(collection: ModelCollection, open_fingerprint: str) -> str:
    """What to know about the entries: which is used, how they were trained, and on what."""
    lines = ["* has the highest validation accuracy: Predict uses it."]
    in_common = _training_in_common(collection)
    if in_common is not None and len(collection.entries) > 1:
        lines.append(f"All were trained with {in_common}.")
    elif in_common is not None:
        lines.append(f"It was trained with {in_common}.")
    return "\n".join([*lines, _origins(collection, open_fingerprint)])


def _parameters(entry: Entry, collection: ModelCollection) -> int:
    return network_layers.parameter_count(entry.layers, len(collection.classes))


def _score_cells(score: Score) -> tuple[str, str]:
    return f"{score.accuracy:.2%}", f"{score.loss:.4f}"


def entries_with_layers(collection: ModelCollection) -> str:
    """Every entry with its layers, one below the other, the best one marked."""
    best = collection.best()
    blocks = []
    for number, entry in enumerate(collection.entries):
        layers = network_layers.summary(entry.layers).split(", ")
        blocks.append(
            "\n".join(
                [
                    f"Entry {number}{' * best' if entry is best else ''}",
                    *(f"    {layer}" for layer in layers),
                    f"  parameters  {_parameters(entry, collection):,}",
                    f"  training    {training_summary(entry.training_parameters)}",
                    f"  time        {duration(entry.seconds)}",
                    f"  validation  accuracy {entry.validation.accuracy:.2%}, "
                    f"loss {entry.validation.loss:.4f} on {entry.validation.images:,} images",
                    f"  test        accuracy {entry.test.accuracy:.2%}, "
                    f"loss {entry.test.loss:.4f} on {entry.test.images:,} images",
                ]
            )
        )
    return "\n\n".join(blocks)


def _origins(collection: ModelCollection, open_fingerprint: str) -> str:
    """Where the scores come from: a line for each data set that entries were trained on."""
    lines = []
    for fingerprint in dict.fromkeys(entry.data.fingerprint for entry in collection.entries):
        numbers = [
            number
            for number, entry in enumerate(collection.entries)
            if entry.data.fingerprint == fingerprint
        ]
        entry = collection.entries[numbers[0]]
        test = "its own test rows" if entry.data.split_by == "file" else "a test split of it"
        line = (
            f"{_entries(numbers)}: {entry.data.training_images:,} training images of "
            f"{entry.data.name}, {entry.validation.images:,} validation images, "
            f"{entry.test.images:,} test images ({test})."
        )
        if fingerprint != open_fingerprint:
            line += " That is not the open data set with its splits; Evaluate scores them on it."
        lines.append(line)
    return "\n".join(lines)


def _entries(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"Entry {numbers[0]}"
    if list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"Entries {numbers[0]} to {numbers[-1]}"
    return "Entries " + ", ".join(str(number) for number in numbers)


def layer_table(layers: Variant, class_count: int) -> Table:
    """The layers of a variant with the shape after each and its number of weights."""
    table = _table()
    table.add_column("Layer")
    table.add_column("Output", justify="right")
    table.add_column("Parameters", justify="right")
    names = [network_layers.summary([layer]) for layer in layers]
    rows = zip(
        [*names, f"dense {class_count} softmax"],
        [*network_layers.shapes_after(layers), (class_count,)],
        network_layers.layer_parameter_counts(layers, class_count),
        strict=True,
    )
    for name, shape, count in rows:
        table.add_row(name, "x".join(str(size) for size in shape), f"{count:,}")
    arrays = network_layers.weight_arrays(layers, class_count)
    fixed = sum(array.size for array in arrays if not array.trainable)
    table.caption = f"{sum(array.size for array in arrays):,} parameters, {fixed:,} not trainable"
    return table


def evaluation_table(result: Evaluation) -> Table:
    """Scores of every entry on the images evaluated."""
    table = _table()
    for heading in ("No.", "Accuracy", "Loss", "Images"):
        table.add_column(heading, justify="right")
    with_seen = any(row.new_images != row.score for row in result.scores)
    if with_seen:
        table.add_column("On images never trained on", justify="right", overflow="fold")
    for row in result.scores:
        cells = [
            f"{'* ' if row.number == result.best else ''}{row.number}",
            *_score_cells(row.score),
            f"{row.score.images:,}",
        ]
        if with_seen:
            cells.append(_share(row.new_images) if row.new_images else "there are none")
        table.add_row(*cells)
    return table


def confused_pairs(result: Evaluation) -> str:
    """The most frequent confusions of the best entry."""
    if not result.confused:
        return f"Entry {result.best} confused nothing."
    pairs = [
        f"  {result.classes[pair.label]} taken for {result.classes[pair.taken_for]}: "
        f"{pair.count:,} of {pair.images:,} ({pair.count / pair.images:.1%})"
        for pair in result.confused
    ]
    return "\n".join([f"Most confused by entry {result.best}:", *pairs])


def training_summary(parameters: TrainingParameters) -> str:
    """Training parameters in a few words, such as `adam, batch 32, 10 epochs`."""
    words = [
        parameters.optimizer,
        f"batch {parameters.train_batch_size}",
        f"{parameters.train_epochs} epochs",
    ]
    if parameters.learning_rate is not None:
        words.append(f"rate {parameters.learning_rate:g}")
    if parameters.early_stopping_patience is not None:
        words.append(f"patience {parameters.early_stopping_patience}")
    return ", ".join(words)


def duration(seconds: float) -> str:
    """A time as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
