"""What a network took pictures for, as text: drawn ones, a user's own, restored ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from counting import counted
from data_formats.picture import CHARACTERS_BESIDE, FIRST_OF_SEVERAL
from data_formats.problems import one_line, shown
from errors import DataError
from evaluation.recognition import Likely
from prediction import Prediction, RestoredPrediction
from views.picture_text import picture
from views.remarks import share

if TYPE_CHECKING:
    from model_collection import Entry
    from own_pictures import PictureReading

LIKELIEST_SHOWN = 5
TOOK_PART = "took part in the training or choosing of the network"
PROBLEMS_SHOWN = 5
BAR_LENGTH = 20


def prediction(result: Prediction, colours: bool) -> str:
    """The drawn picture, the network's scores, and what it took the picture for.

    Args:
        result: of `Predict`.
        colours: whether the terminal shows colours.

    Returns:
        Lines of text.
    """
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
    lines.append(read_by(result.number, result.entry))
    first = result.likeliest[0].character
    lines.append(f"Predicted character: {first}{_verdict(first, label)}")
    lines += _ranking(result.likeliest)
    return "\n".join(line.rstrip() for line in lines)


def read_by(number: int, entry: Entry) -> str:
    """A sentence on the entry that reads, and how well it does.

    Args:
        number: of the entry in its collection.
        entry: the entry.
    """
    return (
        f"Read by entry {number}: validation accuracy {share(entry.validation)}, test accuracy "
        f"{share(entry.test)}."
    )


def _ranking(likeliest: Sequence[Likely]) -> list[str]:
    shown = likeliest[:LIKELIEST_SHOWN]
    width = max(len(likely.character) for likely in shown)
    return [
        f"  {number}. {likely.character:{width}}  {likely.probability:7.2%}  "
        + "#" * round(likely.probability * BAR_LENGTH)
        for number, likely in enumerate(shown, 1)
    ]


def picture_reading(reading: PictureReading, reader: str, colours: bool) -> str:
    """What the network gets to see of a picture, and what it takes it for.

    Args:
        reading: of a user's picture.
        reader: the sentence of `read_by` on the network.
        colours: whether the terminal shows colours.

    Returns:
        Lines of text.

    Raises:
        DataError: the picture could not be read.
    """
    if reading.image is None:
        raise DataError(f"{shown(reading.path)}: {reading.problem}")
    lines = [
        "What the network gets to see:",
        picture(reading.image, colours),
        reader,
        f"Predicted character: {reading.likeliest[0].character}",
        *_ranking(reading.likeliest),
    ]
    if reading.met:
        lines.append(f"This picture {TOOK_PART}.")
    if reading.characters > 1:
        lines.append(
            f"This picture seems to show {reading.characters} {CHARACTERS_BESIDE}: cut it to a "
            "single one."
        )
    if reading.of_several:
        lines.append(f"This picture has {FIRST_OF_SEVERAL}.")
    return "\n".join(line.rstrip() for line in lines)


def restored_prediction(result: RestoredPrediction, reader: str, colours: bool) -> str:
    """A noisy image, and what the network sees and reads in it after each denoiser.

    Args:
        result: of `Predict` with `restored`.
        reader: the sentence of `read_by` on the network.
        colours: whether the terminal shows colours.

    Returns:
        Lines of text.
    """
    title = "The noisy picture:" if result.noise is None else f"The noisy image, {result.noise}:"
    lines = [title, picture(result.noisy, colours), reader]
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
    """How many pictures were read, and how many rightly where their folders say what they are.

    Args:
        readings: of a user's pictures.

    Returns:
        Lines of text.
    """
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
        seem = "seems" if len(several) == 1 else "seem"
        lines.append(f"{_first_of(several)} {seem} to show several {CHARACTERS_BESIDE}.")
    with_pages = [reading for reading in read if reading.of_several]
    if with_pages:
        have = "has" if len(with_pages) == 1 else "have"
        lines.append(f"{_first_of(with_pages)} {have} {FIRST_OF_SEVERAL}.")
    unread = [reading for reading in readings if reading.image is None]
    lines += [f"  {one_line(str(one.path))}: {one.problem}" for one in unread[:PROBLEMS_SHOWN]]
    if len(unread) > PROBLEMS_SHOWN:
        lines.append(f"  and {counted(len(unread) - PROBLEMS_SHOWN, 'other')}")
    return "\n".join(lines)


def _first_of(readings: Sequence[PictureReading]) -> str:
    """The path of the first of one or more pictures, and how many others there are."""
    others = f" and {counted(len(readings) - 1, 'other')}" if len(readings) > 1 else ""
    return one_line(str(readings[0].path)) + others


def _taken_for_it(readings: Sequence[PictureReading]) -> str:
    """How many are taken for what their folder names, one or more."""
    pairs = [(reading.likeliest[0].character, str(reading.expected)) for reading in readings]
    right = sum(read == expected for read, expected in pairs)
    either_case = sum(read.casefold() == expected.casefold() for read, expected in pairs)
    told = f"{right:,} {'is' if right == 1 else 'are'} taken for it ({right / len(pairs):.2%})"
    if either_case == right:
        return told
    return f"{told}, {either_case:,} where either case counts ({either_case / len(pairs):.2%})"
