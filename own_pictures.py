"""A user's own pictures: scans or photos of one character, made ready for a network, and read.

One picture is shown with what it was taken for; those of a folder become lines of a CSV file.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.image_folder import MOST_OTHERS, MOST_OTHERS_A_PICTURE
from data_formats.picture import (
    CHARACTERS_BESIDE,
    FIRST_OF_SEVERAL,
    LONGEST_START,
    SUFFIXES,
    FirstPicture,
    Unreadable,
    eight_bits,
    read_first,
    starts_as_picture,
)
from data_formats.problems import one_line, shown
from data_formats.replacing import replacing
from data_parser import class_standing_for
from errors import DataError
from evaluation import overlap
from evaluation.recognition import Likely, ranked
from image_arrays import IMAGE_SIZE, Image
from pictures.image_polarity import on_black
from pictures.image_preparation import (
    LEAST_WIDTH_OF_SEVERAL,
    characters_in_a_row,
    prepared,
    shrunk,
)
from pictures.prepared_images import is_like_emnist, is_prepared

MOST_BYTES = 2**28  # of one picture
MOST_PICTURES = 100_000  # of a folder
LIKELIEST_WRITTEN = 3
_INKED = 64  # greys from which a pixel of an image is ink

NO_KEYS: overlap.Keys = np.empty(0, np.uint64)


@dataclass(frozen=True, eq=False)
class PictureReading:
    """What became of one picture.

    Attributes:
        path: the file.
        expected: the class that the picture's folder names, or None where it names none, or is
            itself the folder of pictures that was asked for.
        met: whether the image took part in the network's training or choosing.
        image: uint8 (28, 28), what the network got to see; None where it could not be read.
        likeliest: all classes, likeliest first; empty where it could not be read.
        problem: why it could not be read; empty where it could.
        characters: how many seem to stand beside each other in it, which a network sees, and
            reads, as one; 1 where it could not be read.
        of_several: whether it is the first of several pages or frames in the file.
    """

    path: Path
    expected: str | None
    met: bool
    image: Image | None
    likeliest: tuple[Likely, ...]
    problem: str
    characters: int = 1
    of_several: bool = False


class PicturesOfFolder(list[Path]):
    """The pictures in a folder, and in the folders in it.

    Attributes:
        folder: the one that was asked for; its own name says nothing of the pictures in it.
    """

    def __init__(self, paths: Iterable[Path], folder: Path) -> None:
        """Take the paths.

        Args:
            paths: of the pictures.
            folder: where they lie, as their paths begin.
        """
        super().__init__(paths)
        self.folder = folder


def read_picture(path: Path) -> Image:
    """Make a 28x28 image of a picture of one character.

    Args:
        path: a picture file of any size and polarity.

    Returns:
        uint8 (28, 28), ink 255 on paper 0.

    Raises:
        DataError: it cannot be read, or shows no ink.
    """
    return _with_ink(path, _prepared(_first(path).grey))


def read_noisy_picture(path: Path) -> Image:
    """Make a 28x28 image of a noisy picture of one character, and leave its noise in it.

    Args:
        path: a picture file of any size and polarity; one of 28x28 keeps its pixels.

    Returns:
        uint8 (28, 28), ink about 255 on paper about 0.

    Raises:
        DataError: it cannot be read, or is one flat grey.
    """
    return _with_ink(path, _with_noise(_first(path).grey))


def is_of_several(path: Path) -> bool:
    """Whether a picture file holds several pages or frames, of which the first is read.

    Raises:
        DataError: it cannot be read.
    """
    return _first(path).of_several


def _first(path: Path) -> FirstPicture:
    """The picture in a file, or the first of them."""
    data = _content(path)
    try:
        return read_first(data)
    except Unreadable as error:
        raise DataError(f"{shown(path)}: is no picture that can be read: {error}") from error


def _with_ink(path: Path, image: Image) -> Image:
    """The image that a picture became, refused where nothing is on it."""
    if not image.any():
        raise DataError(f"{shown(path)}: no ink is found; it should show one character on paper")
    return image


def _content(path: Path) -> bytes:
    """The bytes of a picture file."""
    try:
        if not path.is_file():  # a pipe would block, a device never end
            raise DataError(f"{shown(path)}: {_no_file(path)}; give the path of a picture")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = one_line(getattr(error, "strerror", None) or str(error))
        raise DataError(f"{shown(path)}: cannot be read: {reason}") from error
    if len(data) > MOST_BYTES:
        raise DataError(f"{shown(path)}: has more than {MOST_BYTES:,} bytes, too many")
    return data


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "it is a folder"
    return "it is a device or a pipe, no file" if path.exists() else "there is no such file"


def _prepared(grey: npt.NDArray[Any]) -> Image:
    """A picture as an image; one that is as EMNIST's are stays as it is."""
    if is_prepared([grey]):
        image: Image = on_black(grey[np.newaxis])[0]
        if is_like_emnist(image):
            return image
    return prepared(grey)


def _with_noise(grey: npt.NDArray[Any]) -> Image:
    """A noisy picture as an image with its noise."""
    if grey.shape == (IMAGE_SIZE, IMAGE_SIZE) and np.ptp(grey):
        image: Image = on_black(eight_bits(grey)[np.newaxis])[0]
        return image
    return shrunk(grey)


def pictures_below(folder: Path) -> PicturesOfFolder:
    """Find the picture files in a folder and in the folders in it, in the order of their names.

    Pictures are files that end in one of `SUFFIXES`, or begin as such files do.

    Args:
        folder: that is there.

    Returns:
        Their paths, 1 or more, with the folder.

    Raises:
        DataError: there are none, or too many.
    """
    found = sorted(_pictures(folder), key=lambda path: str(path.relative_to(folder)))
    if not found:
        endings = ", ".join(sorted(SUFFIXES))
        raise DataError(
            f"{shown(folder)}: there are no pictures in it, files that end in {endings}, or "
            "begin as such files do"
        )
    if len(found) > MOST_PICTURES:
        raise DataError(f"{shown(folder)}: there are more than {MOST_PICTURES:,} pictures in it")
    return PicturesOfFolder(found, folder)


def _pictures(folder: Path) -> Iterator[Path]:
    def say(error: OSError) -> None:
        reason = one_line(error.strerror or str(error))
        raise DataError(f"{shown(Path(error.filename or folder))}: cannot be read: {reason}")

    pictures = others = 0
    met: set[tuple[int, int]] = set()  # no folder is gone through twice, however links lead to it
    for parent, folders, files in os.walk(folder, onerror=say, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in met:
            folders.clear()
            continue
        met.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        others += len(folders)
        for name in sorted(files):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file() and _is_picture(path):
                yield path
                pictures += 1
            else:
                others += 1
            if pictures > MOST_PICTURES:
                return
        if others > MOST_OTHERS and others > MOST_OTHERS_A_PICTURE * pictures:
            raise DataError(
                f"{shown(folder)}: most of it are other files ({others:,} before there are "
                f"{counted(pictures + 1, 'picture')}); give a folder of pictures"
            )


def _is_picture(path: Path) -> bool:
    """Whether a file is a picture, by its ending or, without a known one, by its first bytes."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return starts_as_picture(file.read(LONGEST_START))
    except OSError:
        return False


def expected_class(path: Path, classes: Sequence[str]) -> str | None:
    """The class that the name of a picture's folder names.

    Args:
        path: of the picture.
        classes: the names.

    Returns:
        The class, though its case be another; None where the folder names none.
    """
    name = unicodedata.normalize("NFC", path.absolute().parent.name)
    return class_standing_for(name, classes)


def read_all(
    paths: Sequence[Path],
    classes: Sequence[str],
    probabilities_of: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]],
    used: overlap.Keys = NO_KEYS,
    show: Callable[[int], None] = lambda done: None,
) -> list[PictureReading]:
    """Read pictures, those that cannot be read too.

    Args:
        paths: picture files; where they are those of a folder, only the names of folders in it
            say what a picture shows.
        classes: the C characters.
        probabilities_of: from uint8 (N, 28, 28) to (N, C), each row summing to 1.
        used: uint64 keys of images that took part in the network's training or choosing.
        show: told before each picture how many are done.

    Returns:
        A reading for each path, in their order.
    """
    images: list[Image] = []
    counts: dict[Path, int] = {}
    of_several: set[Path] = set()
    problems: dict[Path, str] = {}
    for number, path in enumerate(paths):
        show(number)
        try:
            grey, is_first = _first(path)
            images.append(_with_ink(path, _prepared(grey)))
            counts[path] = _characters(grey, images[-1])
            if is_first:
                of_several.add(path)
        except DataError as error:
            problems[path] = str(error).removeprefix(f"{shown(path)}: ")
    asked = paths.folder if isinstance(paths, PicturesOfFolder) else None
    rows = iter(probabilities_of(np.stack(images)) if images else ())
    readings = []
    for path, image in _with_images(paths, images, problems):
        likeliest = ranked(next(rows), classes) if image is not None else ()
        expected = expected_class(path, classes) if path.parent != asked else None
        met = image is not None and bool(overlap.were_seen(image[np.newaxis], used)[0])
        problem, count = problems.get(path, ""), counts.get(path, 1)
        readings.append(
            PictureReading(
                path, expected, met, image, likeliest, problem, count, path in of_several
            )
        )
    return readings


def _characters(grey: npt.NDArray[Any], image: Image) -> int:
    """How many characters seem to stand beside each other in a picture that became an image."""
    rows, columns = (np.flatnonzero((image >= _INKED).any(axis=axis)) for axis in (1, 0))
    if np.ptp(columns) + 1 < LEAST_WIDTH_OF_SEVERAL * (np.ptp(rows) + 1):
        return 1  # so are most, which need not be looked at once more
    return characters_in_a_row(grey)


def _with_images(
    paths: Sequence[Path], images: Sequence[Image], problems: dict[Path, str]
) -> Iterator[tuple[Path, Image | None]]:
    waiting = iter(images)
    for path in paths:
        yield path, None if path in problems else next(waiting)


def write_readings(readings: Sequence[PictureReading], folder: Path, path: Path) -> None:
    """Write readings as CSV, a line a picture.

    Args:
        readings: of pictures in `folder`.
        folder: file names are written as they lie in it, but so that each is a line that no
            spreadsheet takes for a formula, and can be read back.
        path: the file; one that is there is replaced.

    Raises:
        DataError: the file cannot be written.
    """
    places = [f"{place}{what}" for place in ("", "second_", "third_") for what in _COLUMNS]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["file", "expected", *places, "problem"])
    for reading in readings:
        likeliest = [
            cell
            for likely in reading.likeliest[:LIKELIEST_WRITTEN]
            for cell in (_class_written(likely.character), f"{likely.probability:.4f}")
        ]
        likeliest += [""] * (len(places) - len(likeliest))
        name = reading.path.relative_to(folder).as_posix()
        problem = reading.problem or "; ".join(_remarks(reading))
        expected = _class_written(reading.expected or "")
        writer.writerow([_written(name), expected, *likeliest, problem])
    with replacing(path) as file:
        # The mark at the start lets spreadsheets know that the text is UTF-8.
        file.write(text.getvalue().encode("utf-8-sig", "replace"))


def _remarks(reading: PictureReading) -> Iterator[str]:
    """What is to be known of a picture that was read, a clause each."""
    if reading.characters > 1:
        yield f"it seems to show {reading.characters} {CHARACTERS_BESIDE}"
    if reading.of_several:
        yield f"it has {FIRST_OF_SEVERAL}"


def _written(name: str) -> str:
    """A file's name as one line of text that is no formula, by which the file can be found.

    Bytes that are no UTF-8, and those of characters that end a line or control a terminal, are
    written as a backslash, x and two digits, as is a backslash that would be taken for such a one.
    """
    escaped = _UNWRITTEN.sub(lambda found: _in_digits(found[0]), name)
    text = os.fsencode(escaped).decode("utf-8", "backslashreplace")
    return f"./{text}" if text.startswith(_FORMULA_SIGNS) else text


def _class_written(name: str) -> str:
    """A class's name as text that is no formula, though it begin with the sign of one.

    A longer name than that sign has it as a backslash, x and two digits, as has one that begins
    with a backslash that would be taken for such a one.
    """
    if len(name) > 1 and (name.startswith(_FORMULA_SIGNS) or _UNWRITTEN.match(name)):
        return _in_digits(name[0]) + name[1:]
    return name


def _in_digits(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


_COLUMNS = ("read_as", "probability")
_FORMULA_SIGNS = ("=", "+", "-", "@")  # by which spreadsheets know what they are to calculate
_UNWRITTEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|\\(?=x[0-9a-f]{2})")
