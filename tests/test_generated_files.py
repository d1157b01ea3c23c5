"""Tests of what drawn characters are written into: sheets, lines of text, data sets, pictures."""

import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from data_parser import open_data_set, read_labelled_images
from errors import UserError
from gan import monitor
from generators.generated_files import (
    LINE_ENLARGED,
    DrawnCharacters,
    check_suffix,
    write_data_set,
    write_line,
    write_sheet,
)

Images = npt.NDArray[np.uint8]
UNWRITABLE = "\U000f0001"  # of a private area: no font should have it


def drawn(characters: str = "BAC", counts: tuple[int, ...] = (10, 10, 10)) -> DrawnCharacters:
    """Drawings that are told apart by their greys: all of one character have one grey."""
    images = tuple(
        np.full((count, 28, 28), ord(character), np.uint8)
        for character, count in zip(characters, counts, strict=True)
    )
    return DrawnCharacters(tuple(characters), images, "keras")


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("L"))


def letter(first: int, last: int, ink: int = 255) -> Images:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, first : last + 1] = ink
    return image


# ------------------------------------------------------------------------- file names


@pytest.mark.parametrize("name", ["a.png", "b.mat", "c.NPZ", "folder.x/d.Png", "e.tar.mat"])
def test_the_suffix_says_what_to_write(name: str) -> None:
    check_suffix(Path(name))


@pytest.mark.parametrize("name", ["", "a", "png", ".png", "a.png/b", "a.jpg", "a.png.", "a.pngx"])
def test_a_file_that_says_nothing_of_what_to_write_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"give a file that ends in \.png"):
        check_suffix(Path(name))


# ------------------------------------------------------------------------- sheets and lines


def test_a_sheet_grows_with_its_rows(tmp_path: Path) -> None:
    assert write_sheet(drawn("A", (10,)), "A", tmp_path / "one.png") == ()
    write_sheet(drawn("A$\\", (10, 10, 7)), "\\A$", tmp_path / "three.png")
    one, three = pixels(tmp_path / "one.png"), pixels(tmp_path / "three.png")
    assert three.shape[0] > one.shape[0] + 50
    assert abs(three.shape[1] - one.shape[1]) < 20


def test_a_name_that_no_font_writes_stands_on_a_sheet_as_its_number_among_all_classes(
    tmp_path: Path,
) -> None:
    known = drawn("AC", (10, 10))
    unknown = replace(known, characters=(UNWRITABLE, "C"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # such as missing glyphs
        numbered = write_sheet(unknown, ("A", "B", UNWRITABLE, "C"), tmp_path / "number.png")
    assert numbered == (UNWRITABLE,)
    write_sheet(replace(known, characters=("#3", "C")), ("#3", "C"), tmp_path / "same.png")
    assert np.array_equal(pixels(tmp_path / "number.png"), pixels(tmp_path / "same.png"))


def test_a_line_has_its_letters_side_by_side(tmp_path: Path) -> None:
    write_line([letter(10, 13), letter(2, 21)], tmp_path / "line.png")
    line = pixels(tmp_path / "line.png")
    assert line.shape[0] == 28 * LINE_ENLARGED
    small = line[::LINE_ENLARGED, ::LINE_ENLARGED]
    assert np.array_equal(line, small.repeat(LINE_ENLARGED, 0).repeat(LINE_ENLARGED, 1))
    inked = np.flatnonzero((small == 0).any(axis=0))
    assert len(inked) == 4 + 20, "paper beside the ink is cut away"
    assert np.diff(inked).max() == 4, "three columns of paper between two letters"
    assert (small[:4] == 255).all(), "letters stay at their height"


def test_a_space_in_a_line_is_wider_than_between_letters(tmp_path: Path) -> None:
    widths = []
    for between in ([], [None], [None, None]):
        write_line([letter(10, 13), *between, letter(10, 13)], tmp_path / "line.png")
        widths.append(pixels(tmp_path / "line.png").shape[1] // LINE_ENLARGED)
    assert widths[0] < widths[1] < widths[2]
    assert widths[2] - widths[1] == widths[1] - widths[0] >= 8


@pytest.mark.parametrize("empty", [letter(0, 27, 0), letter(3, 5, 20), None])
def test_a_letter_without_ink_is_a_space(tmp_path: Path, empty: Images | None) -> None:
    write_line([empty], tmp_path / "line.png")
    assert pixels(tmp_path / "line.png").shape[1] >= 20 * LINE_ENLARGED


@pytest.mark.parametrize("place", ["missing/a.png", "file/a.png", "x" * 300 + ".png", "folder"])
def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_line([letter(1, 2)], tmp_path / place)
    with pytest.raises(UserError, match="cannot be written"):
        write_sheet(drawn(), "ABC", tmp_path / place)


# ------------------------------------------------------------------------- data sets


@pytest.mark.parametrize("name", ["letters.mat", "letters.npz", "LETTERS.MAT", "letters.NPZ"])
def test_a_data_set_is_opened_again_with_every_image_under_its_label(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    write_data_set(drawn("BAC", (10, 15, 7)), path, seed=3)
    opened = open_data_set(path)
    assert opened.classes == ("A", "B", "C")
    counts = Counter(opened.classes[label] for label in opened.labels)
    assert counts == {"A": 15, "B": 10, "C": 7}
    for image, label in zip(opened.images, opened.labels, strict=True):
        assert np.unique(image).tolist() == [ord(opened.classes[label])]
    assert min(opened.counts().values()) >= 3


def test_a_matlab_data_set_has_test_rows_of_every_class(tmp_path: Path) -> None:
    write_data_set(drawn(), tmp_path / "letters.mat", seed=3)
    rows = read_labelled_images(tmp_path / "letters.mat")
    assert Counter(rows.labels[rows.in_test].tolist()) == {0: 2, 1: 2, 2: 2}
    assert open_data_set(tmp_path / "letters.mat", file_split=True).counts()["test"] == 6
    assert sorted(rows.labels) != rows.labels.tolist(), "classes are mixed"


def test_digits_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    for name in ("digits.mat", "digits.npz"):
        write_data_set(drawn("1aA", (10, 10, 10)), tmp_path / name, seed=3)
        assert open_data_set(tmp_path / name, keep_digits=True).classes == ("1", "A", "a")
        assert open_data_set(tmp_path / name).classes == ("A", "a")


@pytest.mark.parametrize("name", ["letters.mat", "letters.npz"])
def test_the_same_seed_writes_the_same_data_set(tmp_path: Path, name: str) -> None:
    fingerprints = set()
    for folder, seed in (("one", 3), ("two", 3), ("three", 4)):
        (tmp_path / folder).mkdir()
        write_data_set(drawn(), tmp_path / folder / name, seed)
        fingerprints.add(open_data_set(tmp_path / folder / name).fingerprint)
    assert len(fingerprints) == 2


@pytest.mark.parametrize("name", ["letters.mat", "letters.npz"])
def test_a_data_set_of_too_little_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"two characters or more .*, not 'A' alone"):
        write_data_set(drawn("A", (10,)), tmp_path / name, 1)
    with pytest.raises(UserError, match="'B' has 4 images"):
        write_data_set(drawn("AB", (10, 4)), tmp_path / name, 1)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("place", ["missing/a.mat", "missing/a.npz", "x" * 300 + ".mat"])
def test_a_data_set_that_cannot_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError):
        write_data_set(drawn(), tmp_path / place, 1)


# ------------------------------------------------------------------------- pictures of a training


def test_a_grid_is_dark_on_white_row_by_row() -> None:
    images = np.stack([np.full((28, 28), grey, np.uint8) for grey in (255, 100, 50)])
    sheet = monitor.grid(images, 2)
    assert sheet.shape == (60, 60) and sheet.dtype == np.uint8
    assert [sheet[0, 0], sheet[0, 30], sheet[30, 0], sheet[30, 30]] == [0, 155, 205, 255]
    assert (sheet[28:30] == 255).all() and (sheet[:, 28:30] == 255).all()


def previews(count: int) -> Images:
    return np.random.default_rng(1).integers(0, 256, (count, 16, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_an_animation_has_a_frame_a_preview(tmp_path: Path, count: int) -> None:
    monitor.write_animation(previews(count), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.format == "GIF"
        assert getattr(picture, "n_frames", 1) == count
        assert picture.size == (4 * 30 * 2, 4 * 30 * 2)
        frames = []
        for number in range(count):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("L"))[::2, ::2])
    for frame, images in zip(frames, previews(count), strict=True):
        assert np.array_equal(frame, monitor.grid(images, 4))


def test_what_was_drawn_over_time_is_a_row_a_preview(tmp_path: Path) -> None:
    monitor.write_grid_over_time(previews(3), tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").shape == (3 * 30 * 2, 16 * 30 * 2)
    assert pixels(tmp_path / "a.png")[0, 60 * 15] == 255 - previews(3)[0, 15, 0, 0]


@pytest.mark.parametrize("rows", [0, 1, 30])
def test_losses_are_plotted_whatever_the_title(tmp_path: Path, rows: int) -> None:
    losses = np.random.default_rng(1).standard_normal((rows, 3))
    monitor.plot_losses(losses, "keras, '$\\frac{', 6 steps", tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").size > 10_000


@pytest.mark.parametrize("write", [monitor.write_animation, monitor.write_grid_over_time])
def test_pictures_that_cannot_be_written_raise_an_os_error(tmp_path: Path, write: Any) -> None:
    with pytest.raises(OSError):
        write(previews(2), tmp_path / "missing" / "a")
