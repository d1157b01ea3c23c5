"""Tests of reading a user's own pictures, through files, the session and the menu."""

import contextlib
import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

import own_pictures
from data_parser import DataSet
from errors import DataError, UserError
from menu import Menu
from terminal import PipeAsker
from trainer_predictor import TrainerPredictor

CLASSES = ("A", "B", "C")


def drawn(path: Path, paper: int = 230, ink: int = 40, side: int = 1) -> Path:
    """A picture of a thick upright stroke, 300 wide and 225 high."""
    picture = Image.new("L", (300, 225), paper)
    ImageDraw.Draw(picture).line([(150, 40), (150, 180)], fill=ink, width=14 * side)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


@pytest.fixture(autouse=True)
def own_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def talk(session: TrainerPredictor, *lines: str) -> str:
    """What is shown while these lines are answered."""
    shown = io.StringIO()
    answers = io.StringIO("".join(line + "\n" for line in lines))
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(answers, shown)).loop()
    return shown.getvalue()


# ------------------------------------------------------------------------- one picture


@pytest.mark.parametrize(("paper", "ink"), [(230, 40), (20, 220), (180, 120)])
@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tiff"])
def test_a_picture_becomes_an_image_with_the_ink_in_its_middle(
    tmp_path: Path, paper: int, ink: int, ending: str
) -> None:
    image = own_pictures.read_picture(drawn(tmp_path / f"one.{ending}", paper, ink))
    assert image.shape == (28, 28) and image.dtype == np.uint8
    rows, columns = np.nonzero(image > 127)
    assert rows.max() - rows.min() >= 18 and columns.max() - columns.min() <= 6
    assert abs(columns.mean() - 13.5) < 1 and abs(rows.mean() - 13.5) < 1
    assert image[0].max() == image[:, 0].max() == 0


def bad_pictures(folder: Path) -> dict[str, Path]:
    files = {"text": b"A", "empty": b"", "cut": drawn(folder / "whole.png").read_bytes()[:200]}
    for name, content in files.items():
        (folder / f"{name}.png").write_bytes(content)
    Image.new("L", (60, 40), 200).save(folder / "blank.png")
    return {
        "is no picture that can be read": folder / "text.png",
        "is no picture": folder / "empty.png",
        "can be read": folder / "cut.png",
        "no ink is found": folder / "blank.png",
        "there is no such file": folder / "missing.png",
        "such file": folder,
    }


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    for said, path in bad_pictures(tmp_path).items():
        with pytest.raises(DataError) as caught:
            own_pictures.read_picture(path)
        assert said in str(caught.value) and str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_name_that_no_file_can_have_is_said() -> None:
    with pytest.raises(DataError):
        own_pictures.read_picture(Path("a\0b.png"))


# ------------------------------------------------------------------------- folders


def test_pictures_are_found_in_a_folder_and_those_in_it(tmp_path: Path) -> None:
    wanted = [drawn(tmp_path / "p" / name) for name in ("A/2.png", "b.PNG", "c/d/1.jpg")]
    drawn(tmp_path / "p" / ".hidden" / "1.png")
    drawn(tmp_path / "p" / ".one.png")
    (tmp_path / "p" / "notes.txt").write_text("no picture")
    (tmp_path / "p" / "folder.png").mkdir()
    assert own_pictures.pictures_below(tmp_path / "p") == wanted


def test_a_folder_without_pictures_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are no pictures in it, files that end in .*\.png"):
        own_pictures.pictures_below(tmp_path)


def test_a_folder_of_other_files_is_not_gone_through(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(600):
            (tmp_path / folder / f"{number}.txt").touch()
    drawn(tmp_path / "c" / "1.png")
    with pytest.raises(
        DataError, match=r"most of it are other files .*; give a folder of pictures"
    ):
        own_pictures.pictures_below(tmp_path)


def test_the_folder_tells_the_expected_character_where_it_names_one() -> None:
    assert own_pictures.expected_class(Path("x/A/1.png"), CLASSES) == "A"
    assert own_pictures.expected_class(Path("x/D/1.png"), CLASSES) is None
    assert own_pictures.expected_class(Path("x/e\u0301/1.png"), ("é", "B")) == "é"


def always_b(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return np.tile([0.2, 0.7, 0.1], (len(images), 1))


def test_readings_come_in_the_order_of_the_pictures_with_their_problems(tmp_path: Path) -> None:
    paths = [drawn(tmp_path / "A" / "1.png"), tmp_path / "none.png", drawn(tmp_path / "2.png")]
    readings = own_pictures.read_all(paths, CLASSES, always_b)
    assert [reading.path for reading in readings] == paths
    assert [reading.expected for reading in readings] == ["A", None, None]
    assert [reading.image is None for reading in readings] == [False, True, False]
    assert [bool(reading.problem) for reading in readings] == [False, True, False]
    assert [likely.character for likely in readings[2].likeliest] == ["B", "A", "C"]
    assert own_pictures.read_all(paths[1:2], CLASSES, always_b)[0].likeliest == ()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_readings_are_written_as_a_table(tmp_path: Path) -> None:
    names = ("A/1.png", 'with, "comma".png', "alaph-ܐ.png")
    paths = [drawn(tmp_path / "p" / name) for name in names]
    paths.append(tmp_path / "p" / "missing.png")
    readings = own_pictures.read_all(paths, CLASSES, always_b)
    own_pictures.write_readings(readings, tmp_path / "p", tmp_path / "t.csv")
    rows = rows_of(tmp_path / "t.csv")
    assert [row["file"] for row in rows] == [*names, "missing.png"]
    assert rows[0] == {
        "file": "A/1.png",
        "expected": "A",
        "read_as": "B",
        "probability": "0.7000",
        "second_read_as": "A",
        "second_probability": "0.2000",
        "third_read_as": "C",
        "third_probability": "0.1000",
        "problem": "",
    }
    assert rows[3]["read_as"] == "" and rows[3]["problem"].startswith("there is no such file")


def test_with_two_classes_there_is_no_third(tmp_path: Path) -> None:
    def even(images: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        return np.full((len(images), 2), 0.5)

    path = drawn(tmp_path / "1.png")
    readings = own_pictures.read_all([path], CLASSES[:2], even)
    own_pictures.write_readings(readings, tmp_path, tmp_path / "t.csv")
    assert rows_of(tmp_path / "t.csv")[0]["third_read_as"] == ""


# ------------------------------------------------------------------------- session and menu


def test_a_session_without_a_network_says_so(data_set: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no trained network yet"):
        TrainerPredictor(data_set).read_pictures([drawn(tmp_path / "1.png")])


def test_the_menu_shows_what_the_network_sees_and_reads(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    path = drawn(tmp_path / "1.png")
    shown = talk(session, "Predict", "file", str(path), "Exit")
    (reading,) = session.read_pictures([path])
    assert "Path of a picture, or of a folder with pictures:" in shown
    assert "Character:" not in shown
    assert f"Predicted character: {reading.likeliest[0].character}\n" in shown
    assert sum(line.startswith("|") and line.endswith("|") for line in shown.splitlines()) == 14


def test_the_menu_says_why_a_picture_cannot_be_read(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    shown = talk(session, "Predict", "FILE", str(tmp_path / "none.png"), "Exit")
    assert "none.png: there is no such file; give the path of a picture" in shown


def test_the_menu_writes_a_table_of_a_folder_and_replaces_none(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    for number, name in enumerate("ABC"):
        drawn(tmp_path / "mine" / name / "1.png", side=number + 1)
    (tmp_path / "mine" / "broken.png").write_bytes(b"x")
    ask = ("Predict", "file", str(tmp_path / "mine"))
    shown = talk(session, *ask, *ask, "Exit")
    assert "Read 3 of 4 pictures." in shown
    assert "Of 3 in folders that name a character, " in shown
    assert "broken.png: is no picture that can be read" in shown
    assert "Written: readings.csv" in shown and "Written: readings-2.csv" in shown
    assert rows_of(Path("readings.csv")) == rows_of(Path("readings-2.csv"))
