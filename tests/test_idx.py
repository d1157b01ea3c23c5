"""Tests of reading IDX files, the format of MNIST, Fashion-MNIST and EMNIST."""

import contextlib
import gzip
import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_formats import idx
from data_formats.common import Content
from data_formats.problems import Problem

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MNIST_NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
BALANCED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIDEWAYS = "EMNIST's images lie on their side in IDX files, and were stood upright"


def images_of(count: int) -> np.ndarray:
    """Random upright images, each different from its own transpose."""
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def as_idx(array: Any, kind: int = 8) -> bytes:
    array = np.asarray(array, np.uint8)
    header = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + bytes(array.tobytes())


def mnist(folder: Path, train: Any = (0, 1, 2, 1), test: Any = (2, 0), ending: str = "") -> Path:
    """A folder with four files of MNIST's names, of images that `images_of` makes."""
    for labels, names in ((train, MNIST_NAMES[:2]), (test, MNIST_NAMES[2:])):
        put(folder / (names[0] + ending), as_idx(images_of(len(labels))))
        put(folder / (names[1] + ending), as_idx(labels))
    return folder


def emnist(folder: Path, subset: str, train: Any, test: Any = ()) -> Path:
    """A folder with files of EMNIST's names, packed and lying on their side as it publishes them.

    Without test rows there are no test files.
    """
    for labels, part in ((train, "train"), (test, "test")):
        if len(labels):
            lying = images_of(len(labels)).transpose(0, 2, 1)
            start = f"emnist-{subset}-{part}"
            put(folder / f"{start}-images-idx3-ubyte.gz", as_idx(lying))
            put(folder / f"{start}-labels-idx1-ubyte.gz", as_idx(labels))
    return folder


def put(path: Path, content: bytes) -> None:
    """Write a file, packed if its name says so."""
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def refusal(path: Path, keep_digits: bool = True) -> str:
    """The message with which files are refused: one line."""
    with pytest.raises(Problem) as caught:
        idx.read(path, keep_digits)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    return message


def as_text(content: Content) -> str:
    return "".join(content.classes[label] for label in content.labels)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("given", ["", *MNIST_NAMES])
def test_the_folder_or_any_of_its_files_gives_the_whole_set(
    tmp_path: Path, given: str, ending: str
) -> None:
    folder = mnist(tmp_path, ending=ending)
    content = idx.read(folder / (given + ending) if given else folder, keep_digits=True)
    assert np.array_equal(content.images, np.concatenate([images_of(4), images_of(2)]))
    assert content.images.dtype == np.uint8 and content.images.flags.c_contiguous
    assert content.labels.tolist() == [0, 1, 2, 1, 2, 0] and content.labels.dtype == np.int32
    assert content.in_test.tolist() == [False] * 4 + [True] * 2
    assert content.in_test.dtype == np.bool_
    assert content.classes == ("0", "1", "2")
    assert content.division is None and not (content.notes or content.names or content.skipped)


def test_packing_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    mnist(tmp_path)
    packed = tmp_path / TRAIN_IMAGES
    packed.write_bytes(gzip.compress(packed.read_bytes()))
    (tmp_path / TEST_LABELS).rename(tmp_path / (TEST_LABELS + ".gz"))
    assert len(idx.read(tmp_path, keep_digits=True).images) == 6


def test_names_with_a_dot_are_known(tmp_path: Path) -> None:
    for path in list(mnist(tmp_path, ending=".gz").iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(idx.read(tmp_path, keep_digits=True).images) == 6
    assert len(idx.read(tmp_path / "t10k-labels.idx1-ubyte.gz", keep_digits=True).images) == 6


def test_of_files_for_the_same_rows_the_one_given_and_its_like_are_taken(tmp_path: Path) -> None:
    mnist(tmp_path, train=[0, 1, 2, 1])
    mnist(tmp_path, train=[3, 4, 5], ending=".gz")
    assert as_text(idx.read(tmp_path, keep_digits=True)) == "012120"
    assert as_text(idx.read(tmp_path / (TEST_LABELS + ".gz"), keep_digits=True)) == "34520"


def test_a_set_of_training_or_test_files_alone_is_read_as_it_is(tmp_path: Path) -> None:
    mnist(tmp_path)
    for name in MNIST_NAMES[:2]:
        (tmp_path / name).rename(tmp_path / f"away-{name}")
    content = idx.read(tmp_path, keep_digits=True)
    assert as_text(content) == "20" and content.in_test.all()
    for name in MNIST_NAMES[:2]:
        (tmp_path / f"away-{name}").rename(tmp_path / name)
    for name in MNIST_NAMES[2:]:
        (tmp_path / name).unlink()
    content = idx.read(tmp_path / TRAIN_LABELS, keep_digits=True)
    assert as_text(content) == "0121" and not content.in_test.any()


@pytest.mark.parametrize(
    ("gone", "there"),
    [
        (TRAIN_IMAGES, TRAIN_LABELS),
        (TRAIN_LABELS, TRAIN_IMAGES),
        (TEST_IMAGES, TEST_LABELS),
        (TEST_LABELS, TEST_IMAGES),
    ],
)
def test_a_missing_partner_is_named(tmp_path: Path, gone: str, there: str) -> None:
    mnist(tmp_path, ending=".gz")
    (tmp_path / (gone + ".gz")).unlink()
    assert f"{there}.gz needs a file {gone} (.gz or not)" in refusal(tmp_path)


def test_a_missing_partner_of_emnist_is_named(tmp_path: Path) -> None:
    emnist(tmp_path, "letters", [1, 2], [1])
    (tmp_path / "emnist-letters-test-images-idx3-ubyte.gz").unlink()
    assert "needs a file emnist-letters-test-images-idx3-ubyte (" in refusal(tmp_path)


def test_of_several_sets_in_a_folder_a_file_of_one_must_be_given(tmp_path: Path) -> None:
    mnist(tmp_path)
    emnist(tmp_path, "letters", [1, 2])
    emnist(tmp_path, "digits", [3, 4])
    message = refusal(tmp_path)
    for name in (TRAIN_IMAGES, "emnist-letters-train-images-idx3-ubyte.gz", "emnist-digits-train"):
        assert name in message
    named = tmp_path / "emnist-letters-train-labels-idx1-ubyte.gz"
    assert as_text(idx.read(named, keep_digits=True)) == "AB"
    assert as_text(idx.read(tmp_path / TEST_LABELS, keep_digits=True)) == "012120"


def test_a_folder_without_idx_files_is_refused_with_their_names(tmp_path: Path) -> None:
    assert TRAIN_IMAGES in refusal(tmp_path)


def test_a_file_of_another_name_is_refused_with_the_usual_names(tmp_path: Path) -> None:
    path = tmp_path / "numerals"
    put(path, as_idx(images_of(2)))
    assert TRAIN_LABELS in refusal(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / TRAIN_IMAGES)


@pytest.mark.parametrize(
    ("subset", "labels", "characters"),
    [
        ("balanced", range(47), BALANCED),
        ("bymerge", range(47), BALANCED),
        ("byclass", range(62), "0123456789" + LETTERS + LETTERS.lower()),
        ("letters", range(1, 27), LETTERS),
        ("digits", range(10), "0123456789"),
        ("mnist", range(10), "0123456789"),
    ],
)
def test_emnist_classes_are_known_without_its_mapping(
    tmp_path: Path, subset: str, labels: range, characters: str
) -> None:
    content = idx.read(emnist(tmp_path, subset, labels, labels[:3]), keep_digits=True)
    assert "".join(content.classes) == characters
    assert as_text(content) == characters + characters[:3]


def test_emnist_images_are_stood_upright_with_a_note(tmp_path: Path) -> None:
    content = idx.read(emnist(tmp_path, "balanced", [3, 12, 40, 12], [3, 40]), keep_digits=True)
    assert np.array_equal(content.images, np.concatenate([images_of(4), images_of(2)]))
    assert content.images.flags.c_contiguous
    assert content.notes == (SIDEWAYS,)


def test_emnist_letters_have_a_note_that_their_labels_start_at_one(tmp_path: Path) -> None:
    content = idx.read(emnist(tmp_path, "letters", [1, 26, 1]), keep_digits=True)
    assert content.notes == (SIDEWAYS, "the labels in the files start at 1, which is 'A'")
    assert content.classes == ("A", "Z") and content.labels.tolist() == [0, 1, 0]


def test_the_mapping_beside_emnist_files_comes_first(tmp_path: Path) -> None:
    emnist(tmp_path, "letters", [1, 2, 3])
    mapping = tmp_path / "emnist-letters-mapping.txt"
    mapping.write_bytes(b"1 65 97\r\n2 66 98\r\n\r\n3 233 201\r\n")
    content = idx.read(tmp_path, keep_digits=True)
    assert content.classes == ("A", "B", "é")
    assert "start at 1" in content.notes[1]


def test_a_mapping_is_not_used_for_another_subset(tmp_path: Path) -> None:
    (emnist(tmp_path, "digits", [0, 1]) / "emnist-mnist-mapping.txt").write_text("x")
    assert idx.read(tmp_path, keep_digits=True).classes == ("0", "1")


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (b"", "is empty"),
        (b"1", "line 1 of emnist-letters-mapping.txt is '1'"),
        (b"1 65\nx 66", "line 2 of emnist-letters-mapping.txt is 'x 66'"),
        (b"1 -65", "not a label and its character code"),
        (b"1 65 \xff", "not a label and its character code"),
        ("1 \N{ARABIC-INDIC DIGIT SIX}5".encode(), "not a label and its character code"),
        (b"1 " + b"9" * 5000, "not a label and its character code"),
        (b"256 65", "the label 256"),
        (b"1 10", "character code 10"),
        (b"1 1114112", "character code 1114112"),
        (b"1 55296", "character code 55296"),
        (b"1 65\n1 66", "line 2 of emnist-letters-mapping.txt has the label 1"),
        (b"1 65\n2 65", "'A' for the second time"),
        (b"1 65\n2 66\n", "the label 3, which is not among those of emnist-letters-mapping.txt"),
        (b"\n" * 70_000, "65,536 bytes"),
    ],
)
def test_a_bad_mapping_is_refused(tmp_path: Path, mapping: bytes, said: str) -> None:
    emnist(tmp_path, "letters", [1, 2, 3])
    (tmp_path / "emnist-letters-mapping.txt").write_bytes(mapping)
    assert said in refusal(tmp_path)


def test_a_label_that_stands_for_no_character_is_refused(tmp_path: Path) -> None:
    message = refusal(emnist(tmp_path, "letters", [1, 0, 2]))
    assert "the label 0, which is not among those of EMNIST's letters set: 1, 2, 3" in message


def test_classes_without_an_image_are_left_out_and_labels_renumbered(tmp_path: Path) -> None:
    content = idx.read(mnist(tmp_path, [7, 3, 7], [250, 12]), keep_digits=True)
    assert content.classes == ("3", "7", "12", "250")
    assert content.labels.tolist() == [1, 0, 1, 3, 2]


def test_digits_are_left_out_where_two_other_classes_remain(tmp_path: Path) -> None:
    emnist(tmp_path, "balanced", [4, 10, 11, 9, 46], [4, 10, 46])
    content = idx.read(tmp_path, keep_digits=False)
    assert content.classes == ("A", "B", "t")
    assert content.labels.tolist() == [0, 1, 2, 0, 2]
    assert content.in_test.tolist() == [False] * 3 + [True] * 2
    kept = [images_of(5)[[1, 2, 4]], images_of(3)[[1, 2]]]
    assert np.array_equal(content.images, np.concatenate(kept))
    assert content.notes == (SIDEWAYS,)
    assert idx.read(tmp_path, keep_digits=True).classes == ("4", "9", "A", "B", "t")


@pytest.mark.parametrize("labels", [[0, 1, 2], [3, 3], [5, 10], [10, 5, 10]])
def test_digits_stay_where_fewer_than_two_other_classes_would_remain(
    tmp_path: Path, labels: list[int]
) -> None:
    content = idx.read(mnist(tmp_path, labels, labels), keep_digits=False)
    assert as_text(content) == 2 * "".join(map(str, labels))
    assert not content.notes


def test_labels_past_9_of_a_set_without_names_are_no_digits(tmp_path: Path) -> None:
    content = idx.read(mnist(tmp_path, [9, 10, 11], [10]), keep_digits=False)
    assert content.classes == ("9", "10", "11")
    assert not content.notes


def test_more_images_than_are_read_at_a_time_stay_in_order(tmp_path: Path) -> None:
    labels = np.arange(5000) % 13
    content = idx.read(emnist(tmp_path, "balanced", labels, labels[:2100]), keep_digits=False)
    every = np.concatenate([images_of(5000)[labels > 9], images_of(2100)[labels[:2100] > 9]])
    assert np.array_equal(content.images, every)


@pytest.mark.parametrize("shape", [(2, 0, 28), (2, 28, 0), (2, 2**32 - 1, 28), (2, 40_000, 40_000)])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_of_an_impossible_size_are_refused_with_their_shape(
    tmp_path: Path, shape: tuple[int, ...], ending: str
) -> None:
    mnist(tmp_path, train=[0, 1], ending=ending)
    header = b"\0\0\x08\x03" + struct.pack(">3I", *shape)
    put(tmp_path / (TRAIN_IMAGES + ending), header + bytes(1000))
    message = refusal(tmp_path)
    assert f"{shape[1]}x{shape[2]} pixels" in message or str(shape) in message


@pytest.mark.parametrize("size", [(16, 16), (20, 40)])
@pytest.mark.parametrize("dark", [False, True], ids=["light on black", "dark on white"])
def test_images_of_other_sizes_are_brought_to_28x28_light_on_black(
    tmp_path: Path, size: tuple[int, int], dark: bool
) -> None:
    height, width = size
    bars = np.zeros((4, *size), np.uint8)
    bars[:, 3:-3, width // 2 - 2 : width // 2 + 2] = 255  # upright
    mnist(tmp_path)
    for name, rows in ((TRAIN_IMAGES, bars), (TEST_IMAGES, bars[:2])):
        put(tmp_path / name, as_idx(255 - rows if dark else rows))
    content = idx.read(tmp_path, keep_digits=True)
    assert content.images.shape == (6, 28, 28) and content.labels.tolist() == [0, 1, 2, 1, 2, 0]
    ink = content.images[0] > 128
    assert 18 <= ink.any(axis=1).sum() <= 24 and ink.any(axis=0).sum() <= 12, "kept its shape"
    assert content.images[:, [0, -1]].max() < 10, "has a margin"
    said = f"the images were {height}x{width}, and were cropped to their ink"
    assert [note for note in content.notes if said in note]


@pytest.mark.parametrize("greatest", [1, 15])
def test_images_of_a_smaller_range_are_brought_to_all_of_it(tmp_path: Path, greatest: int) -> None:
    mnist(tmp_path, train=[0, 1], test=[0])
    drawn = np.zeros((2, 28, 28), np.uint8)
    drawn[:, 4:-4, 12:16] = greatest
    put(tmp_path / TRAIN_IMAGES, as_idx(drawn))
    put(tmp_path / TEST_IMAGES, as_idx(drawn[:1]))
    images = idx.read(tmp_path, keep_digits=True).images
    assert np.array_equal(images[:2], drawn // greatest * 255)


def test_emnist_images_of_another_size_are_stood_upright_too(tmp_path: Path) -> None:
    lying = np.zeros((3, 32, 32), np.uint8)
    lying[:, 14:18, 2:-2] = 255  # upright once it is stood up
    put(tmp_path / "emnist-digits-train-images-idx3-ubyte.gz", as_idx(lying))
    put(tmp_path / "emnist-digits-train-labels-idx1-ubyte.gz", as_idx([1, 2, 1]))
    (image, *_) = idx.read(tmp_path, keep_digits=True).images
    assert (image > 128).any(axis=1).sum() > 2 * (image > 128).any(axis=0).sum()


def test_parts_of_different_sizes_are_refused(tmp_path: Path) -> None:
    mnist(tmp_path)
    put(tmp_path / TEST_IMAGES, as_idx(np.zeros((2, 16, 16))))
    assert "images of different sizes: 16x16 and 28x28" in refusal(tmp_path)


def test_a_set_of_28x28_that_is_dark_on_white_is_turned_and_otherwise_left_as_it_was(
    tmp_path: Path,
) -> None:
    drawn = np.zeros((4, 28, 28), np.uint8)
    drawn[:, 4:-4, 12:16] = np.linspace(100, 255, 4, dtype=np.uint8)
    mnist(tmp_path)
    put(tmp_path / TRAIN_IMAGES, as_idx(drawn))
    put(tmp_path / TEST_IMAGES, as_idx(drawn[:2]))
    as_is = idx.read(tmp_path, keep_digits=True)
    assert np.array_equal(as_is.images, np.concatenate([drawn, drawn[:2]])) and not as_is.notes
    put(tmp_path / TRAIN_IMAGES, as_idx(255 - drawn))
    put(tmp_path / TEST_IMAGES, as_idx(255 - drawn[:2]))
    turned = idx.read(tmp_path, keep_digits=True)
    assert np.array_equal(turned.images, as_is.images)
    (note,) = turned.notes
    assert note == "the images were 28x28, dark on white, and were turned to light on black"


@pytest.mark.parametrize("packing", ["plain", "packed", "below the packing"])
@pytest.mark.parametrize("name", MNIST_NAMES)
@pytest.mark.parametrize("bytes_left", [0, 1, 3, 4, 7, 15, 16, 20, -1])
def test_a_cut_file_is_refused_by_its_name(
    tmp_path: Path, name: str, packing: str, bytes_left: int
) -> None:
    path = mnist(tmp_path, [0] * 30, [1] * 30) / name
    content = path.read_bytes()
    if packing == "packed":
        content = gzip.compress(content)
    content = content[:bytes_left]
    path.write_bytes(gzip.compress(content) if packing == "below the packing" else content)
    assert name in refusal(tmp_path)
    assert name in refusal(path)


def test_where_a_file_is_cut_is_said(tmp_path: Path) -> None:
    path = mnist(tmp_path) / TRAIN_IMAGES
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    assert f"{TRAIN_IMAGES} is cut off: it claims 3,152 bytes and has 3,147" in refusal(tmp_path)
    path.write_bytes(content[:15])
    assert f"{TRAIN_IMAGES} is cut off after 15 bytes, within its header" in refusal(tmp_path)
    path.write_bytes(b"")
    assert f"{TRAIN_IMAGES} begins with the bytes (none)" in refusal(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", MNIST_NAMES)
@pytest.mark.parametrize("more", [b"\0", b"more", bytes(100_000)])
def test_bytes_after_the_last_are_refused(
    tmp_path: Path, name: str, packed: bool, more: bytes
) -> None:
    path = mnist(tmp_path) / name
    content = path.read_bytes()
    path.write_bytes(gzip.compress(content + more) if packed else content + more)
    assert f"{name} is damaged: it claims {len(content):,} bytes" in refusal(tmp_path)


def test_rubbish_behind_packed_content_is_refused(tmp_path: Path) -> None:
    path = mnist(tmp_path, ending=".gz") / (TRAIN_LABELS + ".gz")
    good = path.read_bytes()
    path.write_bytes(good + b"rubbish")
    assert "gzip file is cut off or damaged" in refusal(tmp_path)
    path.write_bytes(good + bytes(1_000_000))
    assert "there are more" in refusal(tmp_path)
    path.write_bytes(good + gzip.compress(b"") + bytes(100))  # what gzip allows
    assert len(idx.read(tmp_path, keep_digits=True).images) == 6


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    for name in (TRAIN_IMAGES, TEST_LABELS):
        path = mnist(tmp_path, ending=".gz") / (name + ".gz")
        content = bytearray(path.read_bytes())
        content[-8] ^= 1
        path.write_bytes(content)
        assert f"{name}.gz: CRC check failed" in refusal(tmp_path)


def test_a_packed_file_that_cannot_be_unpacked_is_refused(tmp_path: Path) -> None:
    for content in (b"\x1f\x8b", b"\x1f\x8b\x08" + bytes(50), b"\x1f\x8b\x09" + bytes(50)):
        (mnist(tmp_path) / TRAIN_IMAGES).write_bytes(content)
        assert "gzip file is cut off or damaged" in refusal(tmp_path)


def test_packed_content_that_turns_to_nonsense_is_refused(tmp_path: Path) -> None:
    path = mnist(tmp_path) / TRAIN_LABELS
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    good = packer.compress(path.read_bytes()[:-1]) + packer.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(good + b"\x07\x07")  # a block of a kind that deflate does not have
    assert f"{TRAIN_LABELS}: Error -3" in refusal(tmp_path)


def test_a_packed_file_whose_name_never_ends_is_refused(tmp_path: Path) -> None:
    endless = b"\x1f\x8b\x08\x08" + bytes(6) + b"name" * 1_000_000
    (mnist(tmp_path) / TRAIN_IMAGES).write_bytes(endless)
    assert f"the first bytes of {TRAIN_IMAGES} cannot be unpacked" in refusal(tmp_path)


@pytest.mark.parametrize(("labels", "images"), [(3, 4), (5, 4), (0, 4), (4, 0)])
def test_counts_that_disagree_are_refused(tmp_path: Path, labels: int, images: int) -> None:
    mnist(tmp_path)
    put(tmp_path / TRAIN_IMAGES, as_idx(images_of(images)))
    put(tmp_path / TRAIN_LABELS, as_idx([0] * labels))
    assert refusal(tmp_path) == (
        f"{TRAIN_IMAGES} has {images} images, but {TRAIN_LABELS} has {labels} labels"
    )


def test_files_without_a_single_row_are_refused(tmp_path: Path) -> None:
    assert "it holds no images" in refusal(mnist(tmp_path, [], []))


def test_an_empty_part_beside_a_full_one_is_read(tmp_path: Path) -> None:
    assert as_text(idx.read(mnist(tmp_path, [0, 1], []), keep_digits=True)) == "01"
    assert as_text(idx.read(mnist(tmp_path, [], [0, 1]), keep_digits=True)) == "01"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (0x09, "type code 09 (signed bytes)"),
        (0x0B, "type code 0B (16-bit whole numbers)"),
        (0x0C, "type code 0C (32-bit whole numbers)"),
        (0x0D, "type code 0D (32-bit floating point numbers)"),
        (0x0E, "type code 0E (64-bit floating point numbers)"),
        (0x42, "type code 42 (which IDX does not know)"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_numbers_of_another_type_are_refused(
    tmp_path: Path, kind: int, said: str, ending: str
) -> None:
    mnist(tmp_path, ending=ending)
    put(tmp_path / (TRAIN_LABELS + ending), as_idx([0, 1, 2, 1], kind))
    message = refusal(tmp_path)
    assert said in message and "08 (unsigned bytes)" in message and TRAIN_LABELS in message


def test_images_in_place_of_labels_are_refused(tmp_path: Path) -> None:
    put(mnist(tmp_path) / TRAIN_LABELS, as_idx(images_of(4)))
    assert f"{TRAIN_LABELS} is 3-dimensional, and labels are 1-dim" in refusal(tmp_path)
    put(mnist(tmp_path) / TRAIN_IMAGES, as_idx([0, 1, 2, 1]))
    assert f"{TRAIN_IMAGES} is 1-dimensional, and images are 3-dim" in refusal(tmp_path)


def test_another_format_under_the_name_of_idx_is_refused(tmp_path: Path) -> None:
    (mnist(tmp_path) / TRAIN_IMAGES).write_bytes(b"\x89PNG\r\n\x1a\n")
    said = f"{TRAIN_IMAGES} begins with the bytes 89 50 4E 47, not with 00 00 08 03"
    assert said in refusal(tmp_path)


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Fails where more than 4 MiB are taken."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [2**32 - 1, 2_000_001])
@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
def test_an_absurd_claim_is_refused_before_memory_is_taken(
    tmp_path: Path, name: str, ending: str, count: int
) -> None:
    mnist(tmp_path, ending=ending)
    shape = (count, 28, 28) if name == TRAIN_IMAGES else (count,)
    header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    put(tmp_path / (name + ending), header + bytes(5000))
    with little_memory():
        assert f"{name}{ending} claims the shape ({count}," in refusal(tmp_path)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_claim_that_nothing_stands_behind_is_refused_before_memory_is_taken(
    tmp_path: Path, ending: str
) -> None:
    mnist(tmp_path, ending=ending)
    put(tmp_path / (TRAIN_LABELS + ending), as_idx(np.zeros(500_000)))
    header = b"\0\0\x08\x03" + struct.pack(">3I", 500_000, 28, 28)
    put(tmp_path / (TRAIN_IMAGES + ending), header + bytes(5000))
    with little_memory():
        assert "claims 392,000,016 bytes" in refusal(tmp_path)


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
def test_a_gzip_bomb_is_not_unpacked_beyond_its_claim(tmp_path: Path, name: str) -> None:
    path = mnist(tmp_path, ending=".gz") / (name + ".gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(2**25)))
    assert path.stat().st_size < 2**16
    with little_memory():
        assert "there are more" in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("name", [TRAIN_LABELS, TRAIN_IMAGES + ".gz"])
def test_pipes_and_devices_and_folders_are_never_opened(tmp_path: Path, name: str) -> None:
    mnist(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    for target in ("pipe", "/dev/zero", "folder", "nothing"):
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        if name == TRAIN_LABELS:
            assert f"needs a file {TRAIN_LABELS}" in refusal(tmp_path)
        else:  # there is another of that name
            assert len(idx.read(tmp_path, keep_digits=True).images) == 6
        if target != "folder":
            assert "no such file" in refusal(path)
        assert idx.is_folder_of_idx(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_place_of_a_mapping_is_never_opened(tmp_path: Path) -> None:
    emnist(tmp_path, "letters", [1, 2])
    os.mkfifo(tmp_path / "emnist-letters-mapping.txt")
    assert idx.read(tmp_path, keep_digits=True).classes == ("A", "B")


def test_links_to_files_are_followed(tmp_path: Path) -> None:
    (tmp_path / "stored").mkdir()
    (tmp_path / "linked").mkdir()
    mnist(tmp_path / "stored")
    for number, name in enumerate(MNIST_NAMES):
        stored = (tmp_path / "stored" / name).rename(tmp_path / "stored" / str(number))
        (tmp_path / "linked" / name).symlink_to(stored)
    assert len(idx.read(tmp_path / "linked" / TEST_IMAGES, keep_digits=True).images) == 6


def test_idx_heads_are_recognised() -> None:
    for content in (as_idx(images_of(3)), as_idx([1, 2, 3]), as_idx([1], kind=0x0D)):
        assert idx.recognises(content[:2056])
        assert idx.recognises(gzip.compress(content)[:2056])
        named = io.BytesIO()
        with gzip.GzipFile("x" * 200, "wb", fileobj=named) as file:
            file.write(content)
        assert idx.recognises(named.getvalue()[:2056])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x07\x03",
        b"\0\0\x08\x00",
        b"\0\0\x08\x05",
        b"\0\1\x08\x03",
        b"\x89PNG\r\n",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"\x1f\x8b\x08\0",
        b"\x1f\x8b" + bytes(2054),
    ],
)
def test_other_heads_are_not_recognised(head: bytes) -> None:
    assert not idx.recognises(head)
    assert not idx.recognises(gzip.compress(head))


def test_a_folder_is_one_of_idx_by_the_names_and_first_bytes_in_it(tmp_path: Path) -> None:
    assert not idx.is_folder_of_idx(tmp_path)
    assert not idx.is_folder_of_idx(tmp_path / "nothing")
    put(tmp_path / "other-name", as_idx([1]))
    (tmp_path / TRAIN_IMAGES).write_bytes(b"\x89PNG\r\n")
    assert not idx.is_folder_of_idx(tmp_path)
    put(tmp_path / "emnist-byclass-test-labels.idx1-ubyte.gz", as_idx([1]))
    assert idx.is_folder_of_idx(tmp_path)
    assert not idx.is_folder_of_idx(tmp_path / TRAIN_IMAGES)


def check_refused_or_valid(path: Path) -> None:
    for keep_digits in (False, True):
        try:
            content = idx.read(path, keep_digits)
        except (Problem, OSError) as error:
            assert "\n" not in str(error)
            continue
        count = len(content.labels)
        assert content.images.shape == (count, 28, 28) and content.in_test.shape == (count,)
        present = np.unique(content.labels).tolist()
        assert present == list(range(len(content.classes)))
        assert len(set(content.classes)) == len(content.classes)


MANY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MUTATIONS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.parametrize("packing", ["plain", "packed", "below the packing"])
@pytest.mark.parametrize("near", [16, 10**9])
@MANY
@given(
    names=st.sets(st.sampled_from(MNIST_NAMES), min_size=1, max_size=2),
    mutations=MUTATIONS,
    keep=st.floats(0, 1) | st.just(1),
)
def test_mutated_files_are_refused_or_valid(
    tmp_path: Path, packing: str, near: int, names: set[str], mutations: Any, keep: float
) -> None:
    mnist(tmp_path)
    for name in sorted(names):
        content = bytearray((tmp_path / name).read_bytes())
        if packing == "packed":
            content = bytearray(gzip.compress(bytes(content), 1))
        for place, value in mutations:
            content[int(place * (min(len(content), near) - 1))] = value
        content = content[: int(keep * len(content))]
        below = packing == "below the packing"
        (tmp_path / name).write_bytes(gzip.compress(bytes(content), 1) if below else content)
    check_refused_or_valid(tmp_path)


@MANY
@given(name=st.sampled_from(MNIST_NAMES), content=st.binary(max_size=60), packed=st.booleans())
@example(name=TRAIN_IMAGES, content=b"\0\0\x08\x03" + b"\xff" * 12, packed=True)
def test_any_bytes_are_refused_or_valid(
    tmp_path: Path, name: str, content: bytes, packed: bool
) -> None:
    mnist(tmp_path)
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    check_refused_or_valid(tmp_path)
    check_refused_or_valid(tmp_path / name)


LINES = st.lists(st.lists(st.integers(-1, 300) | st.integers(), max_size=3), max_size=4)


@MANY
@given(
    mapping=st.binary(max_size=40)
    | LINES.map(lambda lines: "\n".join(" ".join(map(str, line)) for line in lines).encode()),
    labels=st.lists(st.integers(0, 30), max_size=4),
)
def test_any_mapping_and_labels_are_refused_or_valid(
    tmp_path: Path, mapping: bytes, labels: list[int]
) -> None:
    emnist(tmp_path, "letters", [1])
    for part in ("images-idx3", "labels-idx1"):
        rows = images_of(len(labels)) if part == "images-idx3" else labels
        put(tmp_path / f"emnist-letters-train-{part}-ubyte.gz", as_idx(rows))
    (tmp_path / "emnist-letters-mapping.txt").write_bytes(mapping)
    check_refused_or_valid(tmp_path)


def test_mnist_is_read(real_data: Path) -> None:
    content = idx.read(real_data / "mnist", keep_digits=False)
    assert content.images.shape == (70_000, 28, 28)
    assert content.classes == tuple("0123456789")
    train, test = content.labels[:60_000], content.labels[60_000:]
    assert content.in_test[60_000:].all() and content.in_test.sum() == 10_000
    assert np.bincount(train).tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert np.bincount(test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train[:5].tolist() == [5, 0, 4, 1, 9] and not content.notes
    mean = content.images[:60_000].mean() / 255
    assert mean == pytest.approx(0.1307, abs=1e-4)


def test_fashion_mnist_is_known_by_its_labels(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "fashion-mnist"
    content = idx.read(folder / (TEST_LABELS + ".gz"), keep_digits=False)
    names = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
    assert ",".join(content.classes) == names
    assert content.images.shape == (70_000, 28, 28)
    assert np.bincount(content.labels[content.in_test]).tolist() == [1000] * 10
    assert np.bincount(content.labels[~content.in_test]).tolist() == [6000] * 10
    assert content.labels[:5].tolist() == [9, 0, 0, 3, 0]
    for name in (TEST_IMAGES, TEST_LABELS):  # also unpacked, and the test files alone
        (tmp_path / name).write_bytes(gzip.decompress((folder / (name + ".gz")).read_bytes()))
    alone = idx.read(tmp_path, keep_digits=True)
    assert alone.classes == content.classes
    assert np.array_equal(alone.images, content.images[content.in_test])
    put(tmp_path / TRAIN_IMAGES, as_idx(images_of(2)))
    put(tmp_path / TRAIN_LABELS, as_idx([0, 1]))  # not Fashion-MNIST's, so no names are known
    assert idx.read(tmp_path, keep_digits=True).classes == tuple("0123456789")
