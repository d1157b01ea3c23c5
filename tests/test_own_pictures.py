"""Tests of reading a user's own pictures, through files, the session and the menu."""

import contextlib
import csv
import io
import math
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw

import own_pictures
from data_formats.picture import read_first
from data_parser import DataSet
from errors import DataError, UserError
from evaluation import overlap
from evaluation.recognition import Likely
from menu import Menu
from terminal import PipeAsker
from trainer_predictor import TrainerPredictor
from views.reading_text import picture_readings

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
        "it is a folder; give the path of a picture": folder,
        "it is a device or a pipe, no file; give the path of a picture": Path("/dev/zero"),
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


@pytest.mark.parametrize("ending", ["png", "jpg", "tiff", "webp"])
def test_a_picture_is_stood_up_as_its_file_says(tmp_path: Path, ending: str) -> None:
    with Image.open(drawn(tmp_path / "upright.png")) as picture:
        lying = picture.transpose(Image.Transpose.ROTATE_90)
    turned = Image.Exif()
    turned[0x112] = 6  # to be turned by a quarter clockwise
    lying.save(tmp_path / f"lying.{ending}", exif=turned)
    rows, columns = np.nonzero(own_pictures.read_picture(tmp_path / f"lying.{ending}") > 127)
    assert np.ptp(rows) > 3 * np.ptp(columns)


def saved(grey: npt.NDArray[Any], path: Path) -> Path:
    Image.fromarray(grey).save(path)
    return path


def small(width: int, height: int, stroke: int = 3) -> npt.NDArray[np.uint8]:
    """An upright cross of such strokes in the middle of a picture of 28x28, light on black."""
    picture = np.zeros((28, 28), np.uint8)
    top, left = (28 - height) // 2, (28 - width) // 2
    middle = 14 - stroke // 2
    picture[middle : middle + stroke, left : left + width] = 255
    picture[top : top + height, middle : middle + stroke] = 255
    return picture


@pytest.mark.parametrize("paper", [0, 255])
@pytest.mark.parametrize(
    "image", [small(14, 20), small(28, 28)], ids=["like EMNIST's", "as large as fonts and clothes"]
)
def test_a_small_picture_as_data_sets_have_them_stays_as_it_is(
    tmp_path: Path, image: npt.NDArray[np.uint8], paper: int
) -> None:
    path = saved(np.abs(paper - image.astype(int)).astype(np.uint8), tmp_path / "one.png")
    assert np.array_equal(own_pictures.read_picture(path), image)


@pytest.mark.parametrize(
    "picture",
    [small(8, 10), small(14, 20, stroke=1), np.roll(small(14, 18), (-5, 7), (0, 1))],
    ids=["small", "thin", "off centre"],
)
def test_a_small_picture_unlike_emnists_is_made_like_them(
    tmp_path: Path, picture: npt.NDArray[np.uint8]
) -> None:
    image = own_pictures.read_picture(saved(255 - picture, tmp_path / "one.png"))
    rows, columns = (np.flatnonzero((image > 127).any(axis=axis)) for axis in (1, 0))
    assert 20 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 24
    assert abs(rows.mean() - 13.5) <= 1 and abs(columns.mean() - 13.5) <= 1


# ------------------------------------------------------------------------- noisy pictures


def grainy(path: Path, noise: float, paper: int = 255, ink: int = 0) -> Path:
    """The picture of `drawn` with grain of such a standard deviation, where ink is 1 from paper."""
    with Image.open(drawn(path, paper, ink)) as picture:
        grey = np.asarray(picture, np.float64)
    grain = np.random.default_rng(3).normal(0, noise * abs(paper - ink), grey.shape)
    return saved((grey + grain).clip(0, 255).astype(np.uint8), path)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255), (200, 90)])
@pytest.mark.parametrize("noise", [0.3, 0.6])
def test_a_noisy_picture_is_cut_out_and_keeps_its_noise(
    tmp_path: Path, noise: float, paper: int, ink: int
) -> None:
    image = own_pictures.read_noisy_picture(grainy(tmp_path / "one.png", noise, paper, ink))
    off_stroke = np.hstack([image[:, :10], image[:, 18:]])
    stroke = image[5:23, 13:15]
    assert stroke.mean() > 200 and off_stroke.mean() < 60
    assert np.count_nonzero((off_stroke > 3) & (off_stroke < 200)) > off_stroke.size / 10


def test_the_louder_the_noise_the_more_of_it_is_kept(tmp_path: Path) -> None:
    paths = [grainy(tmp_path / f"{noise}.png", noise) for noise in (0.0, 0.3, 0.6, 1.0)]
    kept = [own_pictures.read_noisy_picture(path)[:, :9].std() for path in paths]
    assert kept[0] < 1 and kept == sorted(kept) and kept[-1] > 10


@pytest.mark.parametrize("paper", [0, 255])
def test_a_small_noisy_picture_keeps_its_pixels(tmp_path: Path, paper: int) -> None:
    noise = np.random.default_rng(4).normal(0, 100, (28, 28))
    image = (small(14, 20) + noise).clip(0, 255).astype(np.uint8)
    path = saved(np.abs(paper - image.astype(int)).astype(np.uint8), tmp_path / "one.png")
    assert np.array_equal(own_pictures.read_noisy_picture(path), image)


def test_a_noisy_picture_that_is_blank_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no ink is found"):
        own_pictures.read_noisy_picture(saved(np.full((60, 40), 200, np.uint8), tmp_path / "b.png"))


# ------------------------------------------------------------------------- any picture at all

READERS = st.sampled_from([own_pictures.read_picture, own_pictures.read_noisy_picture])
Reader = Callable[[Path], npt.NDArray[np.uint8]]
each_example_has_its_file = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def image_or_reason(read: Reader, path: Path) -> None:
    """An image with ink comes of a picture, or one line that names it."""
    try:
        image = read(path)
    except DataError as error:
        assert str(error).startswith(f"{path}: ") and str(error).isprintable()
    else:
        assert image.shape == (28, 28) and image.dtype == np.uint8 and image.any()


def damaged(content: bytes, place: int, bytes_there: bytes, length: int) -> bytes:
    """A file's content with other bytes at a place, and only its start, or all of it."""
    place %= len(content)
    changed = content[:place] + bytes_there + content[place + len(bytes_there) :]
    return changed[: length or None]


@given(READERS, st.sampled_from(("", "png", "jpg", "bmp", "gif", "tiff", "webp")), st.data())
@each_example_has_its_file
def test_any_bytes_are_a_picture_or_said_to_be_none(
    tmp_path: Path, read: Reader, ending: str, data: st.DataObject
) -> None:
    path = tmp_path / f"one.{ending or 'png'}"
    content = data.draw(st.binary(max_size=300))
    if ending:
        drawn(path)
        whole = path.read_bytes()
        place, length = (data.draw(st.integers(0, len(whole) - 1)) for _ in range(2))
        content = damaged(whole, place, content[:9], length)
    path.write_bytes(content)
    image_or_reason(read, path)


SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60)
GREYS = (
    arrays.arrays(np.uint8, SHAPES | st.just((28, 28)))
    | arrays.arrays(np.uint16, SHAPES)
    | arrays.arrays(np.float32, SHAPES, elements=st.floats(width=32))
)


@given(READERS, GREYS)
@each_example_has_its_file
def test_any_greys_are_a_picture_or_said_to_show_none(
    tmp_path: Path, read: Reader, grey: npt.NDArray[Any]
) -> None:
    image_or_reason(read, saved(grey, tmp_path / "one.tiff"))


# ------------------------------------------------------------------------- folders


def test_pictures_are_found_in_a_folder_and_those_in_it(tmp_path: Path) -> None:
    wanted = [drawn(tmp_path / "p" / name) for name in ("A/2.png", "b.PNG", "c/d/1.jpg")]
    drawn(tmp_path / "p" / ".hidden" / "1.png")
    drawn(tmp_path / "p" / ".one.png")
    (tmp_path / "p" / "notes.txt").write_text("no picture")
    (tmp_path / "p" / "folder.png").mkdir()
    assert own_pictures.pictures_below(tmp_path / "p") == wanted


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "tiff", "webp"])
def test_a_picture_without_an_ending_is_found_by_its_content(tmp_path: Path, ending: str) -> None:
    drawn(tmp_path / "p" / f"one.{ending}").rename(tmp_path / "p" / "one")
    (tmp_path / "p" / "notes").write_text("no picture")
    (tmp_path / "p" / "empty").touch()
    assert own_pictures.pictures_below(tmp_path / "p") == [tmp_path / "p" / "one"]


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "A.png").touch()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "near").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "back").symlink_to(tmp_path / "p")
    assert own_pictures.pictures_below(tmp_path / "p") == [tmp_path / "p" / "near" / "A.png"]


def test_a_folder_without_pictures_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are no pictures in it, files that end in .*\.png"):
        own_pictures.pictures_below(tmp_path)


def test_one_picture_among_very_many_other_files_is_told_as_one(tmp_path: Path) -> None:
    for number in range(1200):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(DataError, match="before there are 1 picture\\)"):
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
    assert own_pictures.expected_class(Path("x/c/1.png"), CLASSES) == "C"
    assert own_pictures.expected_class(Path("x/c/1.png"), ("c", "C")) == "c"
    assert own_pictures.expected_class(Path("x/e\u0301/1.png"), ("é", "B")) == "é"


def test_the_name_of_the_folder_that_was_asked_for_says_nothing(tmp_path: Path) -> None:
    for name in ("1.png", "A/2.png", "A/of anna/3.png", "new/4.png", "new/b/5.png"):
        drawn(tmp_path / "C" / name)
    paths = own_pictures.pictures_below(tmp_path / "C")
    expected = {
        reading.path.name: reading.expected
        for reading in own_pictures.read_all(paths, CLASSES, always_b)
    }
    assert expected == {
        "1.png": None,
        "2.png": "A",
        "3.png": None,
        "4.png": None,
        "5.png": "B",
    }


@pytest.mark.parametrize("asked", [".", "../C", "../C/", "../here/../C"])
def test_however_the_folder_is_asked_for_its_name_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    drawn(tmp_path / "C" / "1.png")
    drawn(tmp_path / "C" / "A" / "2.png")
    if asked == ".":
        monkeypatch.chdir(tmp_path / "C")
    paths = own_pictures.pictures_below(Path(asked))
    readings = own_pictures.read_all(paths, CLASSES, always_b)
    assert [reading.expected for reading in readings] == [None, "A"]


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


def strokes(path: Path, count: int) -> Path:
    """A picture with so many upright strokes beside each other."""
    picture = Image.new("L", (400, 225), 230)
    for number in range(count):
        place = 60 + 80 * number
        ImageDraw.Draw(picture).line([(place, 60), (place, 140)], fill=40, width=10)
    picture.save(path)
    return path


def test_several_characters_beside_each_other_are_told(tmp_path: Path) -> None:
    paths = [strokes(tmp_path / f"{count}.png", count) for count in (1, 3, 4)]
    (tmp_path / "x.png").write_bytes(b"no picture")
    readings = own_pictures.read_all([*paths, tmp_path / "x.png"], CLASSES, always_b)
    assert [reading.characters for reading in readings] == [1, 3, 4, 1]
    own_pictures.write_readings(readings, tmp_path, tmp_path / "table.csv")
    problems = [row["problem"] for row in rows_of(tmp_path / "table.csv")]
    assert problems[:2] == [
        "",
        "it seems to show 3 characters beside each other, which are read as one",
    ]
    assert problems[3].startswith("is no picture")


def test_the_menu_tells_of_several_characters_in_a_picture(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    three = strokes(folder / "three.png", 3)
    strokes(folder / "one.png", 1)
    told = "This picture seems to show 3 characters beside each other, which are read as one"
    assert told in talk(session, "predict", "file", str(three))
    assert told not in talk(session, "predict", "file", str(folder / "one.png"))
    shown = talk(session, "predict", "file", str(folder))
    assert (
        "three.png seems to show several characters beside each other, which are read as one."
        in shown
    )
    strokes(folder / "wide.png", 4)
    assert "three.png and 1 other seem to show several" in talk(
        session, "predict", "file", str(folder)
    )


def with_pages(path: Path, count: int) -> Path:
    """A picture file with so many pages or frames, all of them with other strokes."""
    pages = [Image.new("L", (300, 225), 230) for _ in range(count)]
    for number, page in enumerate(pages):
        ImageDraw.Draw(page).line([(150, 40), (150, 180)], fill=40, width=14 + 8 * number)
    path.parent.mkdir(parents=True, exist_ok=True)
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


@pytest.mark.parametrize("ending", ["tiff", "gif", "webp"])
def test_that_only_the_first_of_several_pages_is_read_is_told(tmp_path: Path, ending: str) -> None:
    paths = [with_pages(tmp_path / f"{count}.{ending}", count) for count in (1, 2, 5)]
    readings = own_pictures.read_all(paths, CLASSES, always_b)
    assert [reading.of_several for reading in readings] == [False, True, True]
    own_pictures.write_readings(readings, tmp_path, tmp_path / "table.csv")
    assert [row["problem"] for row in rows_of(tmp_path / "table.csv")] == [
        "",
        *["it has several pages or frames, of which the first is read"] * 2,
    ]


def gif_blocks(data: bytes) -> tuple[bytes, bytes]:
    """A GIF file of one frame up to its end, and that end."""
    assert data.endswith(b"\0;")
    return data[:-1], b";"


@pytest.mark.parametrize("between", [b"", b"\0\0", b"!\xfe\x05,;!,;\x02,,\0", b"!\xfe\x01,\0\0"])
def test_what_stands_between_the_frames_of_a_gif_file_is_no_frame(
    tmp_path: Path, between: bytes
) -> None:
    start, end = gif_blocks(with_pages(tmp_path / "1.gif", 1).read_bytes())
    frame = start[start.index(b",\0\0\0\0") :]
    files = {
        False: (start + between + end, start + between, start + between + end + frame + end),
        True: (start + between + frame + end, start + between + frame + between + frame + end),
    }
    for several, contents in files.items():
        for content in contents:
            (tmp_path / "2.gif").write_bytes(content)
            assert own_pictures.is_of_several(tmp_path / "2.gif") is several


@pytest.mark.parametrize("ending", ["tiff", "gif", "webp", "png"])
def test_pages_that_are_not_read_take_next_to_no_time(tmp_path: Path, ending: str) -> None:
    paths = [with_pages(tmp_path / f"{count}.{ending}", count) for count in (2, 60)]
    data = [path.read_bytes() for path in paths]
    least = [math.inf, math.inf]
    for _ in range(30):  # side by side, so that other work on the machine slows both
        for number, content in enumerate(data):
            start = time.thread_time()
            assert read_first(content).of_several
            least[number] = min(least[number], time.thread_time() - start)
    assert least[1] < 2 * least[0]


def test_a_damaged_second_page_does_not_keep_the_first_from_being_read(tmp_path: Path) -> None:
    one, two = (with_pages(tmp_path / f"{count}.gif", count) for count in (1, 2))
    end_of_first = len(one.read_bytes())
    for more in (1, 10, 20, 40):
        cut = tmp_path / f"{more}.gif"
        cut.write_bytes(two.read_bytes()[: end_of_first + more])
        (reading,) = own_pictures.read_all([cut], CLASSES, always_b)
        assert reading.image is not None


def test_the_menu_tells_of_several_pages_of_a_picture(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    with_pages(folder / "one.tiff", 1)
    two = with_pages(folder / "two.tiff", 2)
    told = "two.tiff has several pages or frames, of which the first is read."
    alone = "This picture has several pages or frames, of which the first is read."
    assert alone in talk(session, "predict", "file", str(two))
    assert alone not in talk(session, "predict", "file", str(folder / "one.tiff"))
    assert told in talk(session, "predict", "file", str(folder))
    with_pages(folder / "wide.gif", 3)
    assert "two.tiff and 1 other have several pages" in talk(
        session, "predict", "file", str(folder)
    )


def test_it_is_said_which_entry_reads_a_picture_or_a_folder_of_them(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    one = drawn(tmp_path / "scans" / "one.png")
    best = session.collection.best()
    assert best is not None
    told = (
        f"Read by entry {session.collection.entries.index(best)}: validation accuracy "
        f"{best.validation.accuracy:.2%} of {best.validation.images} images, test accuracy "
    )
    for path in (one, one.parent):
        shown = talk(session, "predict", "file", str(path))
        assert shown.count(told) == 1


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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_written_so_that_its_file_is_found(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.png"))
    drawn(tmp_path / "good.png").rename(path)
    readings = own_pictures.read_all([path], CLASSES, always_b)
    own_pictures.write_readings(readings, tmp_path, tmp_path / "t.csv")
    (row,) = rows_of(tmp_path / "t.csv")
    assert row["file"] == r"bad\xff.png"  # which shells read, too: $'bad\xff.png'


def read_back(cell: str) -> str:
    """What was written with digits for some of its bytes."""
    parts = re.split(r"\\x([0-9a-f]{2})", cell)
    parts[::2] = [part.encode().hex() for part in parts[::2]]
    return os.fsdecode(bytes.fromhex("".join(parts)))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("=1+1.png", "./=1+1.png"),
        ("+1.png", "./+1.png"),
        ("-1.png", "./-1.png"),
        ("@sum.png", "./@sum.png"),
        ("=", "./="),
        ("=sums/1.png", "./=sums/1.png"),
        ("a/=1.png", "a/=1.png"),
        ("a=1.png", "a=1.png"),
        ("\t=1.png", r"\x09=1.png"),
        ("two\nlines\r.png", r"two\x0alines\x0d.png"),
        ("\x7f\x85\u2028.png", r"\x7f\xc2\x85\xe2\x80\xa8.png"),
        (r"no\xff.png", r"no\x5cxff.png"),
        (r"\\x5c\xi\x4.png", r"\\x5cx5c\xi\x4.png"),
        ("\\\n.png", r"\\x0a.png"),
    ],
)
def test_a_name_is_a_line_and_no_formula_and_can_be_read_back(
    tmp_path: Path, name: str, written: str
) -> None:
    (tmp_path / "p" / name).parent.mkdir(parents=True)
    drawn(tmp_path / "one.png").rename(tmp_path / "p" / name)
    readings = own_pictures.read_all([tmp_path / "p" / name], CLASSES, always_b)
    own_pictures.write_readings(readings, tmp_path / "p", tmp_path / "t.csv")
    assert len((tmp_path / "t.csv").read_text("utf-8-sig").splitlines()) == 2
    (row,) = rows_of(tmp_path / "t.csv")
    assert row["file"] == written
    assert (tmp_path / "p" / read_back(row["file"])).samefile(tmp_path / "p" / name)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *((sign, sign) for sign in "=+-@\\"),
        ("=sum", r"\x3dsum"),
        ("+1", r"\x2b1"),
        ("--", r"\x2d-"),
        ("@a", r"\x40a"),
        ("a=b", "a=b"),
        (r"\xi", r"\xi"),
        (r"\x3dsum", r"\x5cx3dsum"),
        ("é", "é"),
    ],
)
def test_names_of_classes_are_no_formulas_and_can_be_read_back(
    tmp_path: Path, name: str, written: str
) -> None:
    paths = [drawn(tmp_path / name / "1.png")]
    readings = own_pictures.read_all(paths, ("A", name, "C"), always_b)
    own_pictures.write_readings(readings, tmp_path, tmp_path / "t.csv")
    (row,) = rows_of(tmp_path / "t.csv")
    assert row["expected"] == row["read_as"] == written and read_back(written) == name


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


def test_pictures_directly_in_a_folder_named_as_a_character_are_not_counted(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    drawn(tmp_path / "A" / "1.png")
    ask = ("Predict", "file", str(tmp_path / "A"))
    shown = talk(session, *ask, "Exit")
    assert "Read 1 of 1 picture." in shown and "in folders that name a character" not in shown
    drawn(tmp_path / "A" / "B" / "1.png")
    assert "Of 1 in folders that name a character, " in talk(session, *ask, "Exit")
    assert [row["expected"] for row in rows_of(Path("readings-2.csv"))] == ["", "B"]


@pytest.mark.parametrize(
    ("read_as", "said"),
    [
        ("Aab", "2 are taken for it (66.67%), 3 where either case counts (100.00%)."),
        ("AAb", "3 are taken for it (100.00%)."),
        ("ABb", "2 are taken for it (66.67%)."),
    ],
)
def test_letters_in_the_other_case_are_counted_apart(read_as: str, said: str) -> None:
    readings = [
        own_pictures.PictureReading(
            Path(f"{number}.png"),
            expected,
            False,
            np.zeros((28, 28), np.uint8),
            (Likely(read, 1.0),),
            "",
        )
        for number, (expected, read) in enumerate(zip("AAb", read_as, strict=True))
    ]
    shown = picture_readings(readings)
    assert f"Of 3 in folders that name a character, {said}" in shown


def test_what_was_read_is_shown_where_the_table_cannot_be_written(
    session: TrainerPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(tmp_path / "mine" / "A" / "1.png", side=3)

    def refuse(*_: object) -> None:
        raise DataError("readings.csv: cannot be written: Permission denied")

    monkeypatch.setattr("own_pictures.write_readings", refuse)
    shown = talk(session, "Predict", "file", str(tmp_path / "mine"), "Exit")
    assert "Read 1 of 1 picture" in shown and "cannot be written: Permission denied" in shown


def test_a_generator_that_is_not_there_is_answered_with_all_of_them(
    session: TrainerPredictor,
) -> None:
    shown = talk(session, "Predict", "foo", "A", "Exit")
    assert "here is no generator 'foo'; there are basic, keras" in shown
    assert "conditional, file, restored" in shown


def test_pictures_that_the_network_has_met_are_told_apart(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    data_set = session.data_set
    rows = [data_set.splits.training[0], data_set.splits.training[1], data_set.splits.test[0]]
    folder = tmp_path / "mine"
    paths = []
    for number, row in enumerate(rows):
        path = folder / data_set.classes[data_set.labels[row]] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        paths.append(saved(data_set.images[row], path))
    met = own_pictures.read_picture(paths[0]), own_pictures.read_picture(paths[1])
    (used,) = session.collection.images_used
    session.collection.images_used[used] = overlap.image_keys(np.stack(met))
    done: list[int] = []
    readings = session.read_pictures(paths, show=done.append)
    assert [reading.met for reading in readings] == [True, True, False] and done == [0, 1, 2]
    shown = talk(session, "Predict", "file", str(folder), "Predict", "file", str(paths[0]))
    assert "2 pictures took part in the training or choosing of the network: on new" in shown
    assert "Of the 1 in such folders that are new, " in shown
    assert "This picture took part in the training or choosing of the network." in shown


def test_the_menu_says_how_many_more_cannot_be_read(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    for number in range(12):
        path = tmp_path / "mine" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    shown = talk(session, "Predict", "file", str(tmp_path / "mine"))
    assert shown.count("is no picture that can be read") == 5
    assert "  and 7 others\n" in shown


def test_the_menu_tells_how_far_it_is_with_a_folder(
    session: TrainerPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("dialogues.predict.with_status", lambda work: work(told.append))
    for number in (1, 2):
        drawn(tmp_path / "mine" / f"{number}.png")
    talk(session, "Predict", "file", str(tmp_path / "mine"))
    assert told == ["Reading picture 1 of 2 ...", "Reading picture 2 of 2 ..."]
