"""Entries of a collection as text: their table, their layers, and where their scores come from."""

from __future__ import annotations

from collections.abc import Sequence

from counting import counted, in_runs
from entries.entry import Entry
from model_collection import ModelCollection
from queries.selection import Selection
from settings import layer_lists
from settings.training_words import Comparison, comparison, digits_telling_apart
from views.remarks import duration, score_cells, share
from views.tables import NESTED
from views.text_table import TextTable

TEST_ROWS = {"file": "its own test rows", "group": "a test split of it, of groups of its own"}
ORIGINS_SHOWN = 5


def results_table(collection: ModelCollection, listed: Sequence[int]) -> TextTable:
    """Entries in rows, the best one marked; what all of them have in common stands below.

    Args:
        collection: with one entry or more.
        listed: numbers of the entries, in the order of the rows.

    Returns:
        The table.
    """
    best = collection.best()
    identities = [entry.identity for entry in collection.entries]
    digits = digits_telling_apart(identities)
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
                *score_cells(entry.validation),
                *score_cells(entry.test),
            )
            for number, entry in zip(listed, entries, strict=True)
        ],
        remarks=() if trainings.alike else trainings.own,
        remarks_heading="Training",
        emphasized=frozenset(row for row, entry in enumerate(entries) if entry is best),
    )


_SCORE_HEADINGS = ("Val.\naccuracy", "Val.\nloss", "Test\naccuracy", "Test\nloss")


def _comparison(entries: Sequence[Entry]) -> Comparison:
    return comparison((entry.layers, entry.training_parameters) for entry in entries)


OTHERS = "For others: Results all, Results top 50 by loss, Results where parameters < 500000."


def results_scope(selection: Selection, entries: int) -> str:
    """How many of a collection's entries are listed, and in which order.

    Args:
        selection: what is listed.
        entries: how many the collection has.

    Returns:
        A sentence.
    """
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
    return f"{counts}, {order}."


def results_notes(collection: ModelCollection, listed: Sequence[int], open_fingerprint: str) -> str:
    """What to know about the entries listed: which is used, how they were trained, and on what.

    Args:
        collection: with one entry or more.
        listed: numbers of entries, one or more.
        open_fingerprint: of the open data set.

    Returns:
        Lines of text.
    """
    best = max(range(len(collection.entries)), key=lambda n: collection.entries[n].validation.rank)
    if best in listed:
        lines = ["* has the highest validation accuracy: Predict uses it."]
    else:
        score = share(collection.entries[best].validation)
        lines = [f"Predict uses entry {best}, of the highest validation accuracy: {score}."]
    trainings = _comparison([collection.entries[number] for number in listed])
    who = "All were" if len(listed) > 1 else f"Entry {listed[0]} was"
    if trainings.common:
        differs = "" if trainings.alike else "; what differs stands with each"
        lines.append(f"{who} trained with {trainings.common}{differs}.")
    lines += _origins(collection, listed, open_fingerprint)
    return "\n".join([*lines, *_taught_on_them(collection, listed)])


def _parameters(entry: Entry, collection: ModelCollection) -> int:
    return layer_lists.parameter_count(entry.layers, len(collection.classes))


def entries_with_layers(collection: ModelCollection, listed: Sequence[int]) -> str:
    """Entries with their layers, one below the other, the best one marked.

    Args:
        collection: where they are.
        listed: their numbers, in the order of the text.

    Returns:
        Lines of text.
    """
    best = collection.best()
    blocks = []
    own = _comparison([collection.entries[number] for number in listed]).own
    for number, training in zip(listed, own, strict=True):
        entry = collection.entries[number]
        lines = layer_lists.layer_lines(entry.layers)
        blocks.append(
            "\n".join(
                [
                    f"Entry {number}{' * best' if entry is best else ''}",
                    *(f"    {NESTED * line.depth}{line.words}" for line in lines),
                    f"  parameters  {_parameters(entry, collection):,}",
                    *([f"  training    {training}"] if training else []),
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
    """What to say of a teacher that had met images that its pupil was scored on.

    Args:
        entry: of a collection.

    Returns:
        A sentence, or nothing.
    """
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
