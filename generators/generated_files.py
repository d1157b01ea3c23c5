"""What `Generate` writes: a labelled sheet, a line of text, or a data set of drawn characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import data_parser
from counting import counted
from errors import UserError
from evaluation.class_labels import class_labels, written_with
from evaluation.grey_pictures import enlarged, write_grey
from evaluation.plots import plot_image_sheet
from image_arrays import Images

TEST_SHARE = 5  # every fifth image of a data set is one of its test rows
LETTER_GAP, WORD_GAP, MARGIN = 3, 12, 6  # pixels
LINE_ENLARGED = 4
INK_SEEN = 48  # greys below it are taken for paper where letters are set beside each other
MOST_ON_A_SHEET = 100  # of each character
MOST_DRAWINGS = 200_000
SUFFIXES = (".png", ".mat", ".npz")


@dataclass(frozen=True, eq=False)
class DrawnCharacters:
    """Drawings of several characters.

    Attributes:
        characters: none twice.
        images: one uint8 (N, 28, 28) a character, ink 255 on paper 0.
        generator: what drew them.
    """

    characters: tuple[str, ...]
    images: tuple[Images, ...]
    generator: str


def check_suffix(path: Path) -> None:
    """Refuse a file name that says nothing of what to write.

    Args:
        path: of a file that need not be there.

    Raises:
        UserError: it ends in none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{str(path)!r} does not say what to write; give a file that ends in .png for a "
            "picture, or in .mat or .npz for a data set"
        )


def check_number(path: Path, characters: int, count: int) -> None:
    """Refuse more drawings than a file of that kind is good for.

    Args:
        path: the file, with one of `SUFFIXES`.
        characters: how many there are.
        count: drawings of each.

    Raises:
        UserError: there would be too many.
    """
    if path.suffix.lower() == ".png" and count > MOST_ON_A_SHEET:
        raise UserError(
            f"a sheet has room for {MOST_ON_A_SHEET} drawings of each character, not {count:,}; "
            "write a data set (.mat or .npz) for more"
        )
    if characters * count > MOST_DRAWINGS:
        raise UserError(
            f"{count:,} drawings of {counted(characters, 'character')} are more than "
            f"{MOST_DRAWINGS:,}, the "
            "most that are drawn at once"
        )


def write_sheet(drawn: DrawnCharacters, classes: Sequence[str], path: Path) -> tuple[str, ...]:
    """Write a labelled sheet as PNG, a row a character.

    Args:
        drawn: what is on the sheet.
        classes: of the data set, those that are drawn among them.
        path: the file.

    Returns:
        The characters that stand as their number among the classes, from 1 on as `#12`, since
        no font here can write them.

    Raises:
        UserError: the file cannot be written.
    """
    labels = class_labels(classes)
    rows = [classes.index(character) for character in drawn.characters]
    title = f"drawn by the generator {drawn.generator}"
    try:
        with written_with(labels.families):
            plot_image_sheet(drawn.images, [labels.texts[row] for row in rows], title, path)
    except OSError as error:
        raise _not_written(path, error) from error
    return tuple(classes[row] for row in rows if row in labels.numbered)


def write_line(letters: Sequence[Images | None], path: Path) -> None:
    """Write one line of text as PNG, ink dark on white.

    Args:
        letters: uint8 (28, 28) each, in the order of the text; None is a space.
        path: the file.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        write_grey(255 - enlarged(line_of_text(letters), LINE_ENLARGED), path)
    except OSError as error:
        raise _not_written(path, error) from error


def line_of_text(letters: Sequence[Images | None]) -> Images:
    """Set letters beside each other.

    Args:
        letters: uint8 (28, 28) each, in the order of the text; None is a space.

    Returns:
        uint8 (28, W), ink 255 on paper 0.
    """
    parts: list[Images] = [_paper(MARGIN)]
    for letter in letters:
        parts += [_paper(WORD_GAP)] if letter is None else [_cropped(letter), _paper(LETTER_GAP)]
    return np.concatenate([*parts, _paper(MARGIN)], axis=1)


def _paper(width: int) -> Images:
    return np.zeros((28, width), np.uint8)


def _cropped(letter: Images) -> Images:
    """The columns from the first ink to the last."""
    inked = np.flatnonzero((letter >= INK_SEEN).any(axis=0))
    return letter[:, inked[0] : inked[-1] + 1] if len(inked) else _paper(WORD_GAP)


def write_data_set(drawn: DrawnCharacters, path: Path, seed: int) -> None:
    """Write a labelled data set that this program opens: NIST's layout, or `.npz` with splits.

    Args:
        drawn: two characters or more, with 5 images each or more.
        path: ends in .mat or .npz.
        seed: of the order of images, and of the splits.

    Raises:
        UserError: there are too few characters or images, or the file cannot be written.
    """
    if len(drawn.characters) < 2:
        raise UserError(
            f"a data set needs two characters or more to tell apart, not {drawn.characters[0]!r} "
            "alone"
        )
    order = sorted(range(len(drawn.characters)), key=lambda index: drawn.characters[index])
    classes = tuple(drawn.characters[index] for index in order)
    counts = [len(drawn.images[index]) for index in order]
    images = np.concatenate([drawn.images[index] for index in order])
    labels = np.repeat(np.arange(len(classes)), counts).astype(np.int32)
    in_test = np.concatenate([np.arange(count) % TEST_SHARE == 0 for count in counts])
    splits = data_parser.split_data(labels, in_test, classes, seed)
    mixed = np.random.default_rng(seed).permutation(len(labels))
    if path.suffix.lower() == ".npz":
        data_set = data_parser.DataSet(images, labels, classes, splits, path, "seed", seed)
        data_parser.write_npz(data_set, path)
        return
    training, test = mixed[~in_test[mixed]], mixed[in_test[mixed]]
    data_parser.write_mat(
        path, images[training], labels[training], images[test], labels[test], classes
    )


def _not_written(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be written: {error.strerror or error}")
