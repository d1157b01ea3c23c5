"""What the menu shows, as text: pictures, tables of entries and layers, and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from collection_evaluation import Evaluation
from collection_query import Selection
from counting import counted, in_runs
from data_formats.problems import one_line, shown
from data_parser import DataSet
from errors import DataError
from evaluation.recognition import Likely, Score
from model_collection import Entry, ModelCollection
from prediction import Prediction, RestoredPrediction
from settings import network_layers
from settings.network_layers import Dense, Variant
from settings.training_words import Comparison, comparison, training_summary
from views.text_table import TextTable

if TYPE_CHECKING:
    from rich.table import Table

    from own_pictures import PictureReading

ASCII_INK = " .:-=+*#%@"
DARKEST_GREY, GREYS = 232, 24  # the grey ramp of 256-colour terminals
LIKELIEST_SHOWN = 5
TOOK_PART = "took part in the training or choosing of the network"
PROBLEMS_SHOWN = 5
MOST_NUMBERED = 8  # names whose numbers are told
BAR_LENGTH = 20
NESTED = "  "  # before layers that lie in another layer
IDENTITY_LENGTH = 8  # digits shown where so many tell the entries apart
TEST_ROWS = {"file": "its own test rows", "group": "a test split of it, of groups of its own"}
ORIGINS_SHOWN = 5
LONGEST_REASON = 200


def reason_in_short(reason: str) -> str:
    """Why something went wrong, as far as it can be shown in a line or two."""
    return "".join(letter for letter in reason if letter.isprintable())[:LONGEST_REASON]


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
    first = result.likeliest[0].character
    lines.append(f"Predicted character: {first}{_verdict(first, label)}")
    lines += _ranking(result.likeliest)
    return "\n".join(line.rstrip() for line in lines)


def _ranking(likeliest: Sequence[Likely]) -> list[str]:
    shown = likeliest[:LIKELIEST_SHOWN]
    width = max(len(likely.character) for likely in shown)
    return [
        f"  {number}. {likely.character:{width}}  {likely.probability:7.2%}  "
        + "#" * round(likely.probability * BAR_LENGTH)
        for number, likely in enumerate(shown, 1)
    ]


def picture_reading(reading: PictureReading, colours: bool) -> str:
    """What the network gets to see of a picture, and what it takes it for.

    Raises:
        DataError: the picture could not be read.
    """
    if reading.image is None:
        raise DataError(f"{shown(reading.path)}: {reading.problem}")
    lines = [
        "What the network gets to see:",
        picture(reading.image, colours),
        f"Predicted character: {reading.likeliest[0].character}",
        *_ranking(reading.likeliest),
    ]
    if reading.met:
        lines.append(f"This picture {TOOK_PART}.")
    if reading.characters > 1:
        lines.append(
            f"This picture seems to show {reading.characters} characters beside each other; one is "
            "read at a time: cut it to a single one."
        )
    return "\n".join(line.rstrip() for line in lines)


def restored_prediction(result: RestoredPrediction, colours: bool) -> str:
    """A noisy image, and what the network sees and reads in it after each denoiser."""
    title = "The noisy picture:" if result.noise is None else f"The noisy image, {result.noise}:"
    lines = [title, picture(result.noisy, colours)]
    for reading in result.readings:
        first = reading.likeliest[0].character
        lines += [
            f"Restored by {reading.denoiser}",
            "What the network gets to see:",
            picture(reading.image, colours),
            f"Predicted character: {first}{_verdict(first, result.label)}",
            *_ranking(reading.likeliest),
        ]
    return "\n".join(line.rstrip() for line in lines)


def _verdict(character: str, label: str | None) -> str:
    """Whether that is right, in brackets; nothing where nobody knows."""
    if label is None:
        return ""
    return " (right)" if character == label else f" (wrong, it is {label})"


def picture_readings(readings: Sequence[PictureReading]) -> str:
    """How many pictures were read, and how many rightly where their folders say what they are."""
    read = [reading for reading in readings if reading.image is not None]
    lines = [f"Read {len(read):,} of {counted(len(readings), 'picture')}."]
    known = [reading for reading in read if reading.expected is not None]
    if known:
        lines.append(f"Of {len(known):,} in folders that name a character, {_taken_for_it(known)}.")
    met = sum(reading.met for reading in read)
    if met:
        lines.append(f"{counted(met, 'picture')} {TOOK_PART}: on new ones it does worse.")
        new = [reading for reading in known if not reading.met]
        if new:
            lines.append(f"Of the {len(new):,} in such folders that are new, {_taken_for_it(new)}.")
    several = [reading for reading in read if reading.characters > 1]
    if several:
        first = one_line(str(several[0].path))
        more = f" and {counted(len(several) - 1, 'other')}" if len(several) > 1 else ""
        lines.append(
            f"{first}{more} {'seem' if more else 'seems'} to show several characters beside each "
            "other, of which one is read."
        )
    unread = [reading for reading in readings if reading.image is None]
    lines += [f"  {one_line(str(one.path))}: {one.problem}" for one in unread[:PROBLEMS_SHOWN]]
    if len(unread) > PROBLEMS_SHOWN:
        lines.append(f"  and {counted(len(unread) - PROBLEMS_SHOWN, 'other')}")
    return "\n".join(lines)


def _taken_for_it(readings: Sequence[PictureReading]) -> str:
    """How many are taken for what their folder names, one or more."""
    right = sum(reading.likeliest[0].character == reading.expected for reading in readings)
    return f"{right:,} {'is' if right == 1 else 'are'} taken for it ({right / len(readings):.2%})"


def _share(score: Score) -> str:
    return f"{score.accuracy:.2%} of {counted(score.images, 'image')}"


def results_table(collection: ModelCollection, listed: Sequence[int]) -> TextTable:
    """Entries in rows, the best one marked; what all of them have in common stands below.

    Args:
        collection: with one entry or more.
        listed: numbers of the entries, in the order of the rows.
    """
    best = collection.best()
    identities = [entry.identity for entry in collection.entries]
    digits = _telling_apart(identities)
    entries = [collection.entries[number] for number in listed]
    trainings = _comparison(entries)
    return TextTable(
        headings=("No.", "Identity", "Weights", "Time", *_SCORE_HEADINGS),
        rows=[
            (
                f"{'* ' if entry is best else ''}{number}",
                identities[number][:digits],
                f"{_parameters(entry, collection):,}",
                duration(entry.seconds),
                *_score_cells(entry.validation),
                *_score_cells(entry.test),
            )
            for number, entry in zip(listed, entries, strict=True)
        ],
        remarks=() if trainings.alike else trainings.own,
        remarks_heading="Training",
        emphasized=frozenset(row for row, entry in enumerate(entries) if entry is best),
    )


def _telling_apart(identities: Sequence[str]) -> int:
    """How many first digits of the identities tell all of them apart; 8 or more."""
    lengths = range(IDENTITY_LENGTH, len(identities[0]))
    different = len(set(identities))
    fitting = (n for n in lengths if len({text[:n] for text in identities}) == different)
    return next(fitting, len(identities[0]))


_SCORE_HEADINGS = ("Val.\naccuracy", "Val.\nloss", "Test\naccuracy", "Test\nloss")


def plain_table() -> Table:
    """An empty table, with a line below its headings alone."""
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
        caption_justify="left",
    )


def _comparison(entries: Sequence[Entry]) -> Comparison:
    return comparison((entry.layers, entry.training_parameters) for entry in entries)


def results_scope(selection: Selection, entries: int) -> str:
    """How many of a collection's entries are listed, in which order, and how to see others."""
    listed = len(selection.numbers)
    if listed == entries == 1:
        return "There is one entry."
    if listed == selection.fitting == entries:
        counts = f"All {entries:,} entries"
    elif selection.fitting == entries:
        counts = f"{listed:,} of {entries:,} entries"
    elif listed == selection.fitting:
        counts = f"{listed:,} of {entries:,} entries {'fits' if listed == 1 else 'fit'}"
    else:
        counts = f"{listed:,} of {selection.fitting:,} that fit, of {entries:,} entries"
    query = selection.query
    if query.column.kind.is_text:
        order = f"by {query.column.name}" + (", descending" if query.descending else "")
    else:
        order = f"{'highest' if query.descending else 'lowest'} {query.column.name} first"
    hint = " For others: Results all, Results top 50 by loss, Results where parameters < 500000."
    return f"{counts}, {order}." + (hint if listed < entries else "")


def results_notes(collection: ModelCollection, listed: Sequence[int], open_fingerprint: str) -> str:
    """What to know about the entries listed: which is used, how they were trained, and on what.

    Args:
        collection: with one entry or more.
        listed: numbers of entries, one or more.
        open_fingerprint: of the open data set.
    """
    best = max(range(len(collection.entries)), key=lambda n: collection.entries[n].validation.rank)
    if best in listed:
        lines = ["* has the highest validation accuracy: Predict uses it."]
    else:
        score = _share(collection.entries[best].validation)
        lines = [f"Predict uses entry {best}, of the highest validation accuracy: {score}."]
    trainings = _comparison([collection.entries[number] for number in listed])
    who = "All were" if len(listed) > 1 else f"Entry {listed[0]} was"
    if trainings.common:
        differs = "" if trainings.alike else "; what differs stands with each"
        lines.append(f"{who} trained with {trainings.common}{differs}.")
    lines += _origins(collection, listed, open_fingerprint)
    return "\n".join([*lines, *_taught_on_them(collection, listed)])


def _parameters(entry: Entry, collection: ModelCollection) -> int:
    return network_layers.parameter_count(entry.layers, len(collection.classes))


def _score_cells(score: Score) -> tuple[str, str]:
    return f"{score.accuracy:.2%}", f"{score.loss:.4f}"


def entries_with_layers(collection: ModelCollection, listed: Sequence[int]) -> str:
    """Entries with their layers, one below the other, the best one marked.

    Args:
        collection: where they are.
        listed: their numbers, in the order of the text.
    """
    best = collection.best()
    blocks = []
    for number in listed:
        entry = collection.entries[number]
        lines = network_layers.layer_lines(entry.layers)
        blocks.append(
            "\n".join(
                [
                    f"Entry {number}{' * best' if entry is best else ''}",
                    *(f"    {NESTED * line.depth}{line.words}" for line in lines),
                    f"  parameters  {_parameters(entry, collection):,}",
                    f"  training    {training_summary(entry.layers, entry.training_parameters)}",
                    f"  time        {duration(entry.seconds)}",
                    f"  validation  accuracy {entry.validation.accuracy:.2%}, "
                    f"loss {entry.validation.loss:.4f} on "
                    f"{counted(entry.validation.images, 'image')}",
                    f"  test        accuracy {entry.test.accuracy:.2%}, "
                    f"loss {entry.test.loss:.4f} on {counted(entry.test.images, 'image')}",
                    f"  seed        {entry.seed}",
                    f"  identity    {entry.identity}",
                ]
            )
        )
    return "\n\n".join(blocks)


def _origins(
    collection: ModelCollection, listed: Sequence[int], open_fingerprint: str
) -> list[str]:
    """Where the scores come from: a line for each data set that entries were trained on."""
    numbers_of: dict[str, list[int]] = {}
    for number in sorted(listed):
        numbers_of.setdefault(collection.entries[number].data.fingerprint, []).append(number)
    lines = []
    for fingerprint, numbers in list(numbers_of.items())[:ORIGINS_SHOWN]:
        entry = collection.entries[numbers[0]]
        test = TEST_ROWS.get(entry.data.split_by, "a test split of it")
        line = (
            f"{_entries(numbers)}: {counted(entry.data.training_images, 'training image')} of "
            f"{entry.data.name}, {counted(entry.validation.images, 'validation image')}, "
            f"{counted(entry.test.images, 'test image')} ({test})."
        )
        if fingerprint != open_fingerprint:
            line += " That is not the open data set with its splits; Evaluate scores them on it."
        lines.append(line)
    others = len(numbers_of) - ORIGINS_SHOWN
    if others > 0:
        lines.append(
            f"The other entries: {counted(others, 'further data set')}, or splits of them."
        )
    return lines


def _taught_on_them(collection: ModelCollection, listed: Sequence[int]) -> list[str]:
    """A line for each entry whose teacher had met images that the entry was scored on."""
    told = [(number, taught_on_them(collection.entries[number])) for number in sorted(listed)]
    lines = [f"Entry {number}: its teacher {said}" for number, said in told if said]
    more = len(lines) - ORIGINS_SHOWN
    if more > 0:
        others = counted(more, "further entry", "further entries")
        lines[ORIGINS_SHOWN:] = [f"So had the teachers of {others}."]
    return lines


def taught_on_them(entry: Entry) -> str:
    """What to say of a teacher that had met images that its pupil was scored on; empty for none."""
    met = {
        "validation": (entry.schooling.validation_images, entry.validation.images),
        "test": (entry.schooling.test_images, entry.test.images),
    }
    shares = [
        f"{count:,} of the {counted(images, f'{split} image')}"
        for split, (count, images) in met.items()
        if count
    ]
    if not shares:
        return ""
    return f"had met {' and '.join(shares)}: accuracy on them says nothing about new ones."


def _entries(numbers: Sequence[int]) -> str:
    """Entries in a few words, such as `Entries 0 to 4, 7`; numbers rise."""
    return f"Entr{'y' if len(numbers) == 1 else 'ies'} {in_runs(numbers)}"


def activation_without_use(numbers: Sequence[int]) -> str:
    """A sentence on variants that name all their activations; numbers rise."""
    which = f"variant{'' if len(numbers) == 1 else 's'} {in_runs(numbers)}"
    return (
        f"Every layer of {which} names its activation, or has none: 'activation' among the "
        "training parameters changes nothing there, and what differs in it alone is trained once."
    )


def copies(found: Mapping[str, int], data_set: DataSet) -> str:
    """A sentence on validation and test images that are among the training images.

    Args:
        found: how many, by split.
        data_set: whose splits they are.
    """
    shares = [
        f"{count:,} of the {counted(len(data_set.indices(split)), f'{split} image')}"
        for split, count in found.items()
        if count
    ]
    copied = sum(found.values())
    return (
        f"{' and '.join(shares)} {'is a copy' if copied == 1 else 'are copies'} of training "
        "images: accuracy on them says nothing about new ones."
    )


def written_as_numbers(numbered: Sequence[str], classes: Sequence[str]) -> str:
    """A sentence on names that stand as numbers in a picture, for want of a font.

    Args:
        numbered: the names, one or more.
        classes: all names, in their order.
    """
    pairs = [f"#{classes.index(name) + 1} for {name}" for name in numbered[:MOST_NUMBERED]]
    more = len(numbered) - len(pairs)
    if more:
        pairs.append(f"and so on for {more:,} more, in the order of the characters")
    return f"No font here can write some names; a number stands in the picture: {', '.join(pairs)}."


def layer_table(layers: Variant, class_count: int) -> Table:
    """The layers of a variant with the shape after each and its number of weights."""
    table = plain_table()
    table.add_column("Layer")
    table.add_column("Output", justify="right")
    table.add_column("Parameters", justify="right")
    for line in network_layers.layer_lines((*layers, Dense(class_count, "softmax"))):
        shape = "x".join(str(size) for size in line.shape)
        table.add_row(NESTED * line.depth + line.words, shape, f"{line.parameters:,}")
    arrays = network_layers.weight_arrays(layers, class_count)
    fixed = sum(array.size for array in arrays if not array.trainable)
    table.caption = f"{sum(array.size for array in arrays):,} parameters, {fixed:,} not trainable"
    return table


def evaluation_table(result: Evaluation) -> Table:
    """Scores of every entry on the images evaluated."""
    table = plain_table()
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


def duration(seconds: float) -> str:
    """A time as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
