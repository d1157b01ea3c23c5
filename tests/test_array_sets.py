"""Tests of reading data sets that other programs keep as arrays in `.npz` files."""

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import data_parser
from data_formats import npz
from data_formats.common import Content
from data_formats.problems import Problem
from tests.data_files import check_refused_or_valid

BAR = np.zeros((28, 28), np.uint8)
BAR[4:-4, 11:17] = 200


def drawn(count: int) -> np.ndarray:
    """Images light on black, each a little different from the others."""
    images = np.repeat(BAR[np.newaxis], count, axis=0)
    images[:, 14, 11] = 100 + np.arange(count)
    return images


def saved(path: Path, **arrays: Any) -> Path:
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(path, **named)
    return path


def read(path: Path, keep_digits: bool = True) -> Content:
    return npz.read(path, keep_digits)


def refusal(path: Path) -> str:
    with pytest.raises(Problem) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600
    return message


TRAIN, TEST = [0, 1, 2, 1], [2, 0]
KERAS = ("x_train", "y_train", "x_test", "y_test")


@pytest.mark.parametrize(
    "names",
    [
        KERAS,
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("xTrain", "yTrain", "xTest", "yTest"),
        ("training-data", "training-targets", "testing-data", "testing-targets"),
        ("XTrain", "YTrain", "XTest", "YTest"),
        ("trainX", "trainy", "testX", "testy"),
        ("Xtr", "ytr", "Xte", "yte"),
        ("train_dataset", "train_labels", "test_dataset", "test_labels"),
        ("train_set_x_orig", "train_set_y", "test_set_x_orig", "test_set_y"),
        ("mnist/x_train", "mnist/y_train", "mnist/x_test", "mnist/y_test"),
        ("arr_0", "arr_1", "arr_2", "arr_3"),
    ],
)
def test_training_and_test_rows_are_found_by_the_usual_names(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    arrays = zip(names, (drawn(4), TRAIN, drawn(2), TEST), strict=True)
    content = read(saved(tmp_path / "a.npz", **dict(arrays)))
    assert np.array_equal(content.images, np.concatenate([drawn(4), drawn(2)]))
    assert content.images.dtype == np.uint8 and content.images.flags.c_contiguous
    assert content.labels.tolist() == TRAIN + TEST and content.labels.dtype == np.int32
    assert content.in_test.tolist() == [False] * 4 + [True] * 2
    assert content.classes == ("0", "1", "2")
    assert content.division is None and not (content.notes or content.names or content.skipped)


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("data", "target")])
def test_a_set_without_test_rows_is_read(tmp_path: Path, names: tuple[str, str]) -> None:
    content = read(saved(tmp_path / "a.npz", **dict(zip(names, (drawn(4), TRAIN), strict=True))))
    assert content.labels.tolist() == TRAIN and not content.in_test.any()


def test_two_arrays_that_were_given_no_names_are_images_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", drawn(4), np.array(TRAIN))
    assert read(tmp_path / "a.npz").labels.tolist() == TRAIN


def test_validation_rows_are_no_test_rows(tmp_path: Path) -> None:
    arrays = {"val_images": drawn(1), "val_labels": [2], "test_images": drawn(2)}
    arrays |= {"test_labels": TEST, "train_images": drawn(4), "train_labels": TRAIN}
    content = read(saved(tmp_path / "a.npz", **arrays))
    assert content.labels.tolist() == [*TRAIN, 2, *TEST]
    assert content.in_test.tolist() == [False] * 5 + [True] * 2


def test_of_images_and_flat_data_the_images_are_taken_and_what_is_unknown_is_passed_over(
    tmp_path: Path,
) -> None:
    arrays = {"data": drawn(4).reshape(4, -1) // 2, "images": drawn(4), "target": TRAIN}
    arrays |= {"target_names": ["x", "y", "z"], "feature_names": ["a", "b"], "DESCR": "digits"}
    content = read(saved(tmp_path / "a.npz", **arrays))
    assert np.array_equal(content.images, drawn(4)) and content.classes == ("x", "y", "z")


@pytest.mark.parametrize("name", ["classes", "class_names", "label_names", "names", "characters"])
def test_classes_have_the_names_that_the_file_gives_them(tmp_path: Path, name: str) -> None:
    names = ["alef", "ב", "3", "not there", "nor here"]
    path = saved(tmp_path / "a.npz", x=drawn(4), y=TRAIN, **{name: names})
    assert read(path).classes == ("alef", "ב", "3")
    assert read(path, keep_digits=False).classes == ("alef", "ב"), "digits can be left out"
    assert read(path, keep_digits=False).labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "names",
    [["a", "b"], 10, [["a", "b"], ["c", "d"]], [f"{number}.png" for number in range(4)], [1.5]],
    ids=["too few", "a number", "a table", "a file for each image", "a real number"],
)
def test_names_that_do_not_fit_name_nothing_and_that_is_said(tmp_path: Path, names: Any) -> None:
    content = read(saved(tmp_path / "a.npz", x=drawn(4), y=TRAIN, names=names))
    assert content.classes == ("0", "1", "2")
    said = ("the array names does not name the classes, whose numbers are 0 to 2",)
    assert content.notes == (() if names == 10 else said)


def test_of_several_arrays_of_names_the_one_that_names_is_taken(tmp_path: Path) -> None:
    names = {"classes": [0, 1, 2], "class_names": np.array([b"a", "ב".encode(), b"c"])}
    for order in (names, dict(reversed(names.items()))):
        content = read(saved(tmp_path / "a.npz", x=drawn(4), y=TRAIN, **order))
        assert content.classes == ("a", "ב", "c") and not content.notes


def test_labels_that_go_with_the_name_of_the_images_come_before_others(tmp_path: Path) -> None:
    arrays = {"x": [1.0, 2, 3, 4], "y": [9, 8, 7, 6], "images": drawn(4), "labels": TRAIN}
    for order in (arrays, dict(reversed(arrays.items()))):
        assert read(saved(tmp_path / "a.npz", **order)).labels.tolist() == TRAIN


def test_images_beside_training_and_test_rows_are_passed_over(tmp_path: Path) -> None:
    arrays = zip(KERAS, (drawn(4), TRAIN, drawn(2), TEST), strict=True)
    whole = {"X": drawn(6), "y": TRAIN + TEST}
    content = read(saved(tmp_path / "a.npz", **whole, **dict(arrays)))
    assert len(content.images) == 6, "no image is there twice"
    assert content.notes == ("of the arrays X, y nothing was taken, for there are x_train, x_test",)


def test_an_array_called_as_one_of_this_program_s_is_no_hindrance(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=drawn(4), y=TRAIN, about="my set", test="of mine")
    assert read(path).labels.tolist() == TRAIN


def test_labels_may_be_text(tmp_path: Path) -> None:
    content = read(saved(tmp_path / "a.npz", x=drawn(4), y=[b"b", b"a", b"b", "ש".encode()]))
    assert content.classes == ("a", "b", "ש") and content.labels.tolist() == [1, 0, 1, 2]
    content = read(saved(tmp_path / "a.npz", x=drawn(4), y=["b", "a", "b", "ש"]))
    assert content.classes == ("a", "b", "ש") and content.labels.tolist() == [1, 0, 1, 2]


def test_numbers_of_classes_are_no_digits_that_would_be_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=drawn(4), y=[5, 10, 11, 5])
    assert read(path, keep_digits=False).classes == ("5", "10", "11")


@pytest.mark.parametrize(
    "labels",
    [
        np.array(TRAIN, np.uint8),
        np.array(TRAIN, ">i8"),
        np.array(TRAIN, np.float32),
        np.array(TRAIN)[:, np.newaxis],
        np.array(TRAIN)[np.newaxis],
        np.eye(3)[TRAIN],
        np.eye(3, dtype=np.bool_)[TRAIN],
    ],
    ids=["bytes", "big-endian", "real", "column", "row", "one-hot", "one-hot truth values"],
)
def test_labels_of_any_usual_kind_are_read(tmp_path: Path, labels: np.ndarray) -> None:
    content = read(saved(tmp_path / "a.npz", x=drawn(4), y=labels))
    assert content.labels.tolist() == TRAIN and content.classes == ("0", "1", "2")


BRIGHT = np.where(drawn(4) > 0, 255, 0).astype(np.uint8)


@pytest.mark.parametrize(
    "images",
    [
        BRIGHT[..., np.newaxis],
        BRIGHT[:, np.newaxis],
        np.repeat(BRIGHT[..., np.newaxis], 3, axis=3),
        np.repeat(BRIGHT[:, np.newaxis], 3, axis=1),
        BRIGHT.reshape(4, 784),
        np.asfortranarray(BRIGHT),
        BRIGHT > 0,
        BRIGHT // 255,
        BRIGHT / 255,
        (BRIGHT / 255).astype(np.float16),
        BRIGHT.astype(np.float32),
        BRIGHT / 255 * 2 - 1,
        BRIGHT.astype(np.int64) * 257,
        BRIGHT / 255 * 1e308 * 1.7,
    ],
    ids=lambda images: f"{images.dtype} {images.shape} to {images.max():g}",
)
def test_images_of_any_usual_shape_and_range_are_read(tmp_path: Path, images: np.ndarray) -> None:
    content = read(saved(tmp_path / "a.npz", x=images, y=TRAIN))
    assert np.array_equal(content.images, BRIGHT) and not content.notes


def test_some_numbers_far_from_all_others_do_not_blacken_the_rest(tmp_path: Path) -> None:
    images = drawn(40) / 255
    images[3, 0, 0] = 1000
    content = read(saved(tmp_path / "a.npz", x=images, y=[0, 1] * 20))
    assert np.median(content.images.max(axis=(1, 2))) > 200
    assert content.images[3, 0, 0] == 255


@pytest.mark.parametrize("size", [28, 20])
def test_a_set_on_grey_paper_is_brought_to_light_on_black(tmp_path: Path, size: int) -> None:
    grey = (220 - drawn(40)[:, :size, :size].astype(int) * 160 // 255).astype(np.uint8)
    content = read(saved(tmp_path / "a.npz", x=grey, y=[0, 1] * 20))
    assert not content.images[:, 0, :4].any() and content.images[:, 14, 14].min() > 200


def test_bold_letters_that_fill_their_images_are_not_turned_alone(tmp_path: Path) -> None:
    images = np.concatenate([drawn(30), np.full((20, 28, 28), 255, np.uint8)])
    images[30:, 10:18, :4] = 0  # bold ones, of which most of the border is ink
    content = read(saved(tmp_path / "a.npz", x=images, y=[0] * 30 + [1] * 20))
    assert np.array_equal(content.images, images) and not content.notes


def test_images_of_absurd_sides_take_little_time_and_memory(tmp_path: Path) -> None:
    stripes = np.zeros((6, 1, 40_000), np.uint8)
    stripes[:, :, 1::3] = 255
    started = time.monotonic()
    read(saved(tmp_path / "a.npz", x=stripes, y=[0, 1] * 3))
    assert time.monotonic() - started < 20


def test_colours_are_weighed_as_the_eye_does(tmp_path: Path) -> None:
    colours = np.zeros((3, 28, 28, 3), np.uint8)
    for number in range(3):
        colours[number, ..., number] = 255
    content = read(saved(tmp_path / "a.npz", x=colours, y=[0, 1, 2]))
    assert content.images[:, 0, 0].tolist() == [76, 150, 29]


def test_dark_images_of_28x28_are_turned(tmp_path: Path) -> None:
    content = read(saved(tmp_path / "a.npz", x=1 - BRIGHT / 255, y=TRAIN))
    assert np.array_equal(content.images, BRIGHT)
    assert content.notes == (
        "the images were 28x28, dark on white, and were turned to light on black",
    )


@pytest.mark.parametrize("turned", [False, True])
def test_small_images_filled_by_their_ink_are_brought_to_size(tmp_path: Path, turned: bool) -> None:
    """Sets of 8x8 are cut tightly, so that a single image does not tell ink from paper."""
    small = np.zeros((30, 8, 8))
    small[:, :, 3:6] = 16  # a bold stroke from top to bottom
    small[:10, 0] = 16
    content = read(saved(tmp_path / "a.npz", x=16 - small if turned else small, y=[0, 1, 2] * 10))
    assert content.images.shape == (30, 28, 28)
    assert content.images[:, 14, 14].min() > 200 and not content.images[:, :, 0].any()
    assert content.notes[0].startswith("the images were 8x8, and were cropped to their ink")


def test_images_without_ink_are_told_of(tmp_path: Path) -> None:
    images = np.zeros((4, 40, 40), np.uint8)
    images[:2, 10:30, 18:22] = 255
    content = read(saved(tmp_path / "a.npz", x=images, y=TRAIN))
    assert content.notes[1] == "2 images show no ink" and not content.images[2:].any()


def test_how_many_images_were_made_ready_is_told_where_that_takes_its_time(tmp_path: Path) -> None:
    told: list[int] = []
    npz.read(saved(tmp_path / "a.npz", x=drawn(4), y=TRAIN), True, told.append)
    assert not told, "they were ready"
    npz.read(saved(tmp_path / "a.npz", x=drawn(4)[:, 4:], y=TRAIN), True, told.append)
    assert told == [0, 1, 2, 3]


# ------------------------------------------------------------------------- an array a file


def kuzushiji(folder: Path, what: str = "imgs") -> Path:
    for part, rows, labels in (("train", drawn(4), TRAIN), ("test", drawn(2), TEST)):
        np.savez_compressed(folder / f"kmnist-{part}-{what}.npz", rows)
        np.savez_compressed(folder / f"kmnist-{part}-labels.npz", np.array(labels))
    return folder


@pytest.mark.parametrize("given", ["train-{}", "train-labels", "test-{}", "test-labels"])
@pytest.mark.parametrize("what", ["imgs", "images"])
def test_any_file_of_a_set_of_an_array_each_gives_the_whole_set(
    tmp_path: Path, given: str, what: str
) -> None:
    path = kuzushiji(tmp_path, what) / f"kmnist-{given.format(what)}.npz"
    content = read(path)
    assert content.labels.tolist() == TRAIN + TEST and content.classes == ("0", "1", "2")
    assert content.in_test.tolist() == [False] * 4 + [True] * 2
    assert np.array_equal(content.images[4:], drawn(2))


def test_the_table_beside_such_files_names_the_classes(tmp_path: Path) -> None:
    lines = "index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n2,U+3059,す\n"
    (kuzushiji(tmp_path) / "kmnist_classmap.csv").write_text(lines, encoding="utf-8")
    assert read(tmp_path / "kmnist-train-imgs.npz").classes == ("お", "き", "す")


def test_the_words_train_and_test_in_a_name_are_not_taken_from_within_others(
    tmp_path: Path,
) -> None:
    for part, rows, labels in (("train", drawn(4), TRAIN), ("test", drawn(2), TEST)):
        np.savez(tmp_path / f"latest-k-{part}-imgs.npz", rows)
        np.savez(tmp_path / f"latest-k-{part}-labels.npz", np.array(labels))
    lines = "index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n2,U+3059,す\n"
    (tmp_path / "latest-k_classmap.csv").write_text(lines, encoding="utf-8")
    content = read(tmp_path / "latest-k-train-imgs.npz")
    assert content.classes == ("お", "き", "す") and len(content.labels) == 6


def test_a_set_of_two_files_without_parts_has_no_test_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "mytest-images.npz", drawn(4))
    np.savez(tmp_path / "mytest-labels.npz", np.array(TRAIN))
    content = read(tmp_path / "mytest-images.npz")
    assert content.labels.tolist() == TRAIN and not content.in_test.any()


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"index,codepoint,char\n0,U+304A,a\n1,U+304A,\n2,U+304A,c\n",
        b"index,char\n0,a\n",
        b"index,char\n0,a\n2,b\n1,c\n",
        b"index,char\nzero,a\n",
        b"\xff\xfe",
        b"index,codepoint\n0,a\n1,b\n2,c\n",
        b"index,char\n0\n1\n2\n",
        b"index,char\n0,a\n1,a\n2,b\n",
    ],
)
def test_a_table_that_names_no_classes_is_refused(tmp_path: Path, table: bytes) -> None:
    (kuzushiji(tmp_path) / "kmnist_classmap.csv").write_bytes(table)
    assert "class" in refusal(tmp_path / "kmnist-train-imgs.npz")


def test_a_set_of_training_files_alone_is_read(tmp_path: Path) -> None:
    for path in kuzushiji(tmp_path).glob("kmnist-test*"):
        path.unlink()
    assert read(tmp_path / "kmnist-train-labels.npz").labels.tolist() == TRAIN


def test_a_file_without_its_partner_says_what_that_is_called(tmp_path: Path) -> None:
    (kuzushiji(tmp_path) / "kmnist-train-labels.npz").unlink()
    message = refusal(tmp_path / "kmnist-train-imgs.npz")
    assert "holds one array, arr_0" in message and "kmnist-train-labels.npz" in message


def test_such_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    np.savez(kuzushiji(tmp_path) / "kmnist-train-labels.npz", np.array([0, 1]))
    message = refusal(tmp_path / "kmnist-test-imgs.npz")
    assert "there are 4 images, but 2 labels in kmnist-train-labels.npz" in message
    np.savez(tmp_path / "kmnist-train-labels.npz", np.array(TRAIN), np.array(TRAIN))
    message = refusal(tmp_path / "kmnist-test-imgs.npz")
    assert "kmnist-train-labels.npz holds arr_0.npy, arr_1.npy, and should hold one" in message


# ------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x_train": drawn(4)}, "it holds one array, x_train"),
        ({"x_train": drawn(4), "y_test": TRAIN}, "it lacks the partner of x_train"),
        ({"pictures": drawn(4), "meanings": TRAIN}, "it lacks images and labels: it holds pict"),
        ({"x": drawn(4), "y": TRAIN, "x_test": drawn(2)}, "it lacks the partner of x_test"),
        ({"x": drawn(4), "y": [0, 1]}, "there are 4 images, but 2 labels in y"),
        ({"x": drawn(0), "y": []}, "it holds no images"),
        ({"x": np.zeros((4, 28, 28, 2)), "y": TRAIN}, "the shape (4, 28, 28, 2), and images have"),
        ({"x": np.zeros((4, 30)), "y": TRAIN}, "the shape (4, 30), and images have"),
        ({"x": np.zeros((4, 0, 9)), "y": TRAIN}, "the shape (4, 0, 9), and images have"),
        ({"x": np.zeros(4), "y": TRAIN}, "the shape (4,), and images have"),
        ({"x": np.full((4, 9, 9), np.nan), "y": TRAIN}, "numbers that are not finite"),
        ({"x": np.zeros((4, 9, 9), complex), "y": TRAIN}, "complex128, and images are made of"),
        ({"x": np.full((4, 9, 9), "a"), "y": TRAIN}, "and images are made of real numbers"),
        ({"x": drawn(4), "y": [0, 0.5, 1, 1]}, "labels that are not whole numbers"),
        ({"x": drawn(4), "y": [0, np.nan, 1, 1]}, "labels that are not whole numbers"),
        ({"x": drawn(4), "y": [0, np.inf, 1, 1]}, "labels that are too large, such as inf"),
        ({"x": drawn(4), "y": [0, 1e20, 1, 1]}, "labels that are too large, such as 1e+20"),
        ({"x": drawn(4), "y": np.array([0, 2**63, 1, 1], np.uint64)}, "labels that are too large"),
        ({"x": drawn(4), "y": [b"a", b"\xff", b"a", b"b"]}, "text that is not UTF-8"),
        ({"x": drawn(4), "y": ["a", "b" * 256, "a", "b"]}, "texts of 1,024 bytes"),
        ({"x": drawn(4), "y": TRAIN, "Y": TRAIN[::-1]}, "the labels of x may be any of y, Y"),
        ({"x": drawn(4), "y": np.ones((4, 3))}, "not in each row a single one among zeros"),
        ({"x": drawn(4), "y": np.zeros((4, 3, 2))}, "labels are (number,) whole numbers or text"),
        ({"x": drawn(4), "y": np.zeros((4, 0))}, "labels are (number,) whole numbers or text"),
        ({"x": drawn(4), "y": [1j, 0, 0, 0]}, "labels are (number,) whole numbers or text"),
        ({"x": drawn(4), "y": ["a", "b", " c", "a"]}, "'c' cannot name a class"),
        ({"x": drawn(4), "y": TRAIN, "names": ["a", "b", "a"]}, "the name 'a' to 2 classes"),
        (
            {"x_train": drawn(1), "y_train": ["a"], "x_test": drawn(1), "y_test": [1]},
            "the labels of one part are text, and those of another numbers",
        ),
        (
            {"x_train": drawn(1), "y_train": [0], "x_test": np.zeros((1, 9, 9)), "y_test": [1]},
            "images of different sizes: 9x9 and 28x28",
        ),
    ],
)
def test_what_is_no_data_set_is_refused_with_a_reason(
    tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    assert said in refusal(saved(tmp_path / "a.npz", **arrays))


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    objects = np.empty(4, object)
    objects[:] = [Trap()] * 4
    np.savez(tmp_path / "a.npz", x=drawn(4), y=objects)
    assert "the array y has the type object" in refusal(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=objects, y=TRAIN)
    assert "the array x has the type object" in refusal(tmp_path / "b.npz")
    assert not (tmp_path / "ran").exists()


def test_names_and_claims_from_the_file_stay_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x\n\x1b[31m.npy", b"")
        archive.writestr("y\n.npy", b"")
    assert refusal(path).isprintable()


def test_a_side_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (0x" + b"f" * 5_000 + b", 28, 28)}"
    content = b"\x93NUMPY\1\0" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", content)
    assert "claims a side of more than" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("header", [b"-" * 9_000, b"(" * 9_000, b"{" * 60_000])
def test_a_header_of_nonsense_is_refused(tmp_path: Path, header: bytes) -> None:
    content = b"\x93NUMPY\1\0" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", content)
    assert "damaged" in refusal(tmp_path / "a.npz")


def test_members_packed_otherwise_than_numpy_does_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as archive:
        for name, array in (("x", drawn(4)), ("y", np.array(TRAIN))):
            with archive.open(f"{name}.npy", "w") as member:
                np.save(member, array)
    assert "the array x is packed by method 12" in refusal(tmp_path / "a.npz")


def test_an_array_that_claims_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (2000000, 900, 900)}"
    content = b"\x93NUMPY\1\0" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    labels = io.BytesIO()
    np.save(labels, np.zeros(2_000_000, np.uint8))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", labels.getvalue())
    assert "more than 1,568,000,000 numbers together" in refusal(tmp_path / "a.npz")


# ------------------------------------------------------------------------- by its interface


def test_such_a_file_is_a_data_set_like_any_other(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "mnist.npz",
        x_train=drawn(60),
        y_train=[0, 1] * 30,
        x_test=drawn(4),
        y_test=[1, 0] * 2,
    )
    data_set = data_parser.open_data_set(path, file_split=True)
    assert data_set.classes == ("0", "1") and len(data_set.indices("test")) == 4
    data_parser.write_npz(data_set, tmp_path / "kept.npz")
    assert data_parser.open_data_set(tmp_path / "kept.npz").fingerprint == data_set.fingerprint


MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MANY
@given(mutations=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_mutated_files_are_refused_or_valid(tmp_path: Path, mutations: Any) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=drawn(60)[:, ::4, ::4], y=[0, 1] * 30, names=["a", "b"])
    content = bytearray(path.read_bytes())
    for place, value in mutations:
        content[int(place * (len(content) - 1))] = value
    path.write_bytes(bytes(content))
    check_refused_or_valid(path)


SHAPES = st.lists(st.integers(0, 5), min_size=0, max_size=4).map(tuple)
KINDS = st.sampled_from(["u1", "i8", "f4", "f8", "?", "U2", "c8", "S3", "M8[s]", "f2", "u8"])


@MANY
@given(
    names=st.lists(
        st.sampled_from([*KERAS, "x", "y", "names", "arr_0", "arr_1", "about"]),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    arrays=st.lists(st.tuples(SHAPES, KINDS, st.integers(0, 255)), min_size=5, max_size=5),
)
def test_any_arrays_are_refused_or_valid(tmp_path: Path, names: list[str], arrays: Any) -> None:
    held: dict[str, Any] = {}
    for name, (shape, kind, fill) in zip(names, arrays, strict=False):
        numbers = (np.arange(np.prod(shape, dtype=int)) * fill % 7).reshape(shape)
        held[name] = numbers.astype(kind)
    np.savez(tmp_path / "a.npz", **held)
    check_refused_or_valid(tmp_path / "a.npz")
