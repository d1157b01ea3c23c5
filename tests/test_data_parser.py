"""Tests of reading data sets, splitting them and writing them."""

import io
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat, savemat

import data_parser
from data_formats import nist_layout
from errors import DataError
from tests.data_files import check_refused_or_valid

CLASSES = ("7", "A", "b")


def images_of(count: int) -> np.ndarray:
    """Random upright images, each different from its own transpose."""
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def as_rows(images: np.ndarray) -> np.ndarray:
    return images.transpose(0, 2, 1).reshape(len(images), 784)


def contents(**changes: Any) -> dict[str, Any]:
    """The fields of a good file: three classes, 30 training and 12 test images."""
    train = {"images": as_rows(images_of(30)), "labels": np.arange(30).reshape(-1, 1) % 3}
    test = {"images": as_rows(images_of(12)), "labels": np.arange(12).reshape(-1, 1) % 3}
    for part in (train, test):
        part["labels"] = part["labels"].astype(np.uint8)
    mapping = np.array([[number, ord(c)] for number, c in enumerate(CLASSES)], np.uint8)
    fields: dict[str, Any] = {"train": train, "test": test, "mapping": mapping}
    for key, value in changes.items():
        field, _, inner = key.partition("_")
        if inner:
            fields[field][inner] = value
        else:
            fields[field] = value
    return fields


def without(path: str) -> dict[str, Any]:
    fields: Any = contents()
    *parents, last = path.split(".")
    inner = fields
    for name in parents:
        inner = inner[name]
    del inner[last]
    return dict(fields)


def classic(path: Path, compressed: bool = True, **changes: Any) -> Path:
    savemat(path, {"dataset": contents(**changes)}, do_compression=compressed)
    return path


def v73(path: Path, fields: dict[str, Any] | None = None) -> Path:
    """A v7.3 file as MATLAB writes it: a 512-byte header, then HDF5 with dimensions reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        _fill(file.create_group("dataset"), contents() if fields is None else fields)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def _fill(group: h5py.Group, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            _fill(group.create_group(name), value)
        else:
            group.create_dataset(name, data=value.T, compression="gzip", chunks=True)


def saved(path: Path, keep_digits: bool = True) -> Path:
    source = classic(path.with_name("source.mat"))
    data_parser.write_npz(data_parser.open_data_set(source, keep_digits=keep_digits), path)
    return path


def resaved(path: Path, **changes: Any) -> Path:
    """A file of write_npz with some arrays changed."""
    with np.load(saved(path)) as archive:
        arrays = dict(archive) | changes
    np.savez_compressed(path, **{name: a for name, a in arrays.items() if a is not None})
    return path


def refusal(path: Path, **options: Any) -> str:
    """The message with which a file is refused: one line that names the file."""
    with pytest.raises(DataError) as caught:
        data_parser.open_data_set(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


@pytest.mark.parametrize("write", [classic, v73])
def test_images_stand_upright_with_their_labels(tmp_path: Path, write: Any) -> None:
    read = data_parser.read_labelled_images(write(tmp_path / "a.mat"))
    assert np.array_equal(read.images, np.concatenate([images_of(30), images_of(12)]))
    assert read.labels.tolist() == [i % 3 for i in range(30)] + [i % 3 for i in range(12)]
    assert read.classes == CLASSES
    assert read.in_test.tolist() == [False] * 30 + [True] * 12
    assert read.images.flags.c_contiguous and read.images.dtype == np.uint8


@pytest.mark.parametrize("write", [classic, v73])
def test_digits_are_dropped_and_classes_renumbered(tmp_path: Path, write: Any) -> None:
    read = data_parser.read_labelled_images(write(tmp_path / "a.mat"), keep_digits=False)
    every = np.concatenate([images_of(30), images_of(12)])
    labels = np.concatenate([np.arange(30) % 3, np.arange(12) % 3])
    assert read.classes == ("A", "b")
    assert np.array_equal(read.images, every[labels > 0])
    assert np.array_equal(read.labels, labels[labels > 0] - 1)


def test_digits_are_known_by_character_and_not_by_class_number(tmp_path: Path) -> None:
    mapping = np.array([[0, ord("Z")], [1, ord("3")], [2, ord("Y")]])
    read = data_parser.read_labelled_images(classic(tmp_path / "a.mat", mapping=mapping), False)
    assert read.classes == ("Z", "Y")


@pytest.mark.parametrize("codes", ["789", "7x9"])
def test_digits_stay_where_less_than_two_other_classes_would(tmp_path: Path, codes: str) -> None:
    mapping = np.array([[number, ord(code)] for number, code in enumerate(codes)])
    path = classic(tmp_path / "a.mat", mapping=mapping)
    assert data_parser.open_data_set(path).classes == tuple(codes)
    whole = data_parser.open_data_set(path, keep_digits=True)
    data_parser.write_npz(whole, tmp_path / "b.npz")
    assert data_parser.open_data_set(tmp_path / "b.npz").fingerprint == whole.fingerprint


def test_a_class_without_images_is_left_out(tmp_path: Path) -> None:
    mapping = np.array([[0, 65], [1, 66], [5, 67], [2, 68]])
    read = data_parser.read_labelled_images(classic(tmp_path / "a.mat", mapping=mapping))
    assert read.classes == ("A", "B", "D")


def test_class_numbers_may_start_at_one_and_aliases_are_passed_over(tmp_path: Path) -> None:
    fields = contents(mapping=np.array([[1, 65, 97], [2, 66, 98], [3, 67, 99]], np.uint8))
    for part in ("train", "test"):
        fields[part]["labels"] += 1
    savemat(tmp_path / "a.mat", {"dataset": fields})
    read = data_parser.read_labelled_images(tmp_path / "a.mat")
    assert read.classes == ("A", "B", "C")
    assert read.labels[:4].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("write", [classic, v73])
def test_writer_numbers_are_passed_over(tmp_path: Path, write: Any) -> None:
    fields = contents(train_writers=np.arange(30.0).reshape(-1, 1))
    if write is v73:
        v73(tmp_path / "a.mat", fields)
    else:
        savemat(tmp_path / "a.mat", {"other": np.arange(9), "dataset": fields})
    assert len(data_parser.read_labelled_images(tmp_path / "a.mat").images) == 42


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u4", "i8", "f2"])
def test_whole_numbers_of_any_type_are_pixels(tmp_path: Path, dtype: str) -> None:
    images = as_rows(images_of(30)).astype(dtype)
    fields = contents(train_images=images)
    read = data_parser.read_labelled_images(v73(tmp_path / "a.mat", fields))
    assert np.array_equal(read.images[:30], images_of(30))


@pytest.mark.parametrize("compressed", [True, False])
def test_the_reader_agrees_with_scipy(tmp_path: Path, compressed: bool) -> None:
    path = classic(tmp_path / "a.mat", compressed, train_images=as_rows(images_of(30)) * 1.0)
    theirs = loadmat(path)["dataset"][0, 0]["train"][0, 0]["images"]
    ours = data_parser.read_labelled_images(path).images[:30]
    assert np.array_equal(as_rows(ours), theirs)


def test_an_empty_test_part_is_no_fault(tmp_path: Path) -> None:
    path = classic(
        tmp_path / "a.mat", test_images=np.empty((0, 784), "u1"), test_labels=np.empty((0, 1), "u1")
    )
    assert len(data_parser.read_labelled_images(path).images) == 30


def test_importing_the_module_costs_only_numpy() -> None:
    code = "import sys, data_parser; print({'scipy', 'h5py', 'keras'} & set(sys.modules))"
    root = Path(data_parser.__file__).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def splits_of(counts: list[int], seed: int = 1, in_test: Any = None, by_file: bool = False) -> Any:
    labels = np.repeat(np.arange(len(counts)), counts)
    in_test = np.zeros(len(labels), bool) if in_test is None else in_test
    return labels, data_parser.split_data(
        labels, in_test, "ABCDEFGH"[: len(counts)], seed, file_split=by_file
    )


def test_every_class_is_split_in_the_same_shares() -> None:
    labels, splits = splits_of([100, 1000, 50])
    assert np.bincount(labels[splits.training]).tolist() == [64, 640, 32]
    assert np.bincount(labels[splits.validation]).tolist() == [16, 160, 8]
    assert np.bincount(labels[splits.test]).tolist() == [10, 100, 5]
    assert np.bincount(labels[splits.generator]).tolist() == [10, 100, 5]


@pytest.mark.parametrize("count", [4, 5, 6, 7, 10])
def test_shares_that_are_all_rounded_up_leave_something_to_train_on(count: int) -> None:
    labels = np.zeros(count, np.int64)
    shares = dict.fromkeys(data_parser.SPLIT_NAMES, 1)
    splits = data_parser.split_data(labels, labels > 0, "A", 1, shares=shares)
    sizes = [len(getattr(splits, name)) for name in data_parser.SPLIT_NAMES]
    assert sum(sizes) == count and min(sizes) >= 1 and max(sizes) - min(sizes) <= 2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_images_for_all_splits_are_refused_with_how_many_it_takes(count: int) -> None:
    labels = np.zeros(count, np.int64)
    shares = dict.fromkeys(data_parser.SPLIT_NAMES, 1)
    with pytest.raises(DataError, match="it needs at least 4"):
        data_parser.split_data(labels, labels > 0, "A", 1, shares=shares)


def test_every_class_that_is_too_small_is_named_at_once() -> None:
    labels = np.repeat(np.arange(9), [1, 2, 9, 3, 1, 1, 1, 1, 9])
    with pytest.raises(DataError) as caught:
        data_parser.split_data(labels, labels > 99, "ABCDEFGHI", 1)
    assert "the class 'A' has 1 image, 'B' has 2 images, 'D' has 3 images, 'E'" in str(caught.value)
    assert "and 2 others have too few to divide" in str(caught.value)
    assert "each needs at least 5" in str(caught.value)


def test_splits_may_have_other_shares() -> None:
    labels = np.zeros(200, np.int64)
    shares = {"training": 7, "validation": 1, "test": 1, "generator": 1}
    splits = data_parser.split_data(labels, labels > 0, "A", 1, shares=shares)
    sizes = [len(getattr(splits, name)) for name in data_parser.SPLIT_NAMES]
    assert sizes == [140, 20, 20, 20]


def test_other_shares_divide_what_is_not_the_files_test(tmp_path: Path) -> None:
    in_test = np.arange(110) >= 100
    shares = {"training": 8, "validation": 1, "test": 5, "generator": 1}
    splits = data_parser.split_data(
        np.zeros(110, np.int64), in_test, "A", 1, file_split=True, shares=shares
    )
    assert splits.test.tolist() == list(range(100, 110))
    assert [len(splits.training), len(splits.validation), len(splits.generator)] == [80, 10, 10]


@pytest.mark.parametrize("validation", [0, -1])
def test_a_split_without_a_share_is_refused(validation: int) -> None:
    labels = np.zeros(20, np.int64)
    shares = {"training": 8, "validation": validation, "test": 1, "generator": 1}
    with pytest.raises(DataError, match="each split needs 1 or more"):
        data_parser.split_data(labels, labels > 0, "A", 1, shares=shares)


def test_small_shares_need_more_images_of_each_class() -> None:
    labels = np.zeros(40, np.int64)
    shares = {"training": 97, "validation": 1, "test": 1, "generator": 1}
    with pytest.raises(DataError, match="needs at least 50"):
        data_parser.split_data(labels, labels > 0, "A", 1, shares=shares)


@given(counts=st.lists(st.integers(5, 60), min_size=1, max_size=8), seed=st.integers(0, 2**40))
def test_splits_are_sorted_disjoint_complete_and_hold_every_class(
    counts: list[int], seed: int
) -> None:
    labels, splits = splits_of(counts, seed)
    parts = [splits.training, splits.validation, splits.test, splits.generator]
    assert sorted(np.concatenate(parts).tolist()) == list(range(sum(counts)))
    for part in parts:
        assert (np.diff(part) > 0).all() and part.dtype == np.int64
        assert len(set(labels[part].tolist())) == len(counts)


def test_the_same_seed_gives_the_same_splits_and_another_gives_others() -> None:
    first, again, other = (splits_of([50, 50], seed)[1] for seed in (3, 3, 4))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_file_split_takes_the_files_own_test_rows() -> None:
    in_test = np.tile([False] * 9 + [True], 20)
    _, splits = splits_of([100, 100], in_test=in_test, by_file=True)
    assert np.array_equal(splits.test, np.flatnonzero(in_test))
    assert [len(splits.training), len(splits.validation), len(splits.generator)] == [128, 32, 20]


def test_file_split_without_test_rows_is_refused() -> None:
    with pytest.raises(DataError, match="no test rows of its own"):
        splits_of([100, 100], by_file=True)


def test_file_split_names_the_class_without_test_rows() -> None:
    with pytest.raises(DataError, match="'B' has no test rows"):
        splits_of([10, 10], in_test=np.arange(20) < 2, by_file=True)


def test_a_class_too_small_to_split_is_named_with_its_count() -> None:
    with pytest.raises(DataError, match="'B' has 4 images"):
        splits_of([10, 4])


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    assert "-1" in refusal(classic(tmp_path / "a.mat"), seed=-1)


def test_a_data_set_says_how_it_was_split(tmp_path: Path) -> None:
    path = classic(tmp_path / "a.mat")
    data_set = data_parser.open_data_set(path, seed=7, keep_digits=True)
    assert (data_set.split_by, data_set.seed, data_set.source) == ("seed", 7, path)
    assert data_parser.open_data_set(path, file_split=True).split_by == "file"
    assert sum(data_set.counts().values()) == 42


def test_a_subset_holds_the_images_and_labels_of_its_split(tmp_path: Path) -> None:
    data_set = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    images, labels = data_set.subset("validation")
    assert np.array_equal(images, data_set.images[data_set.splits.validation])
    assert np.array_equal(labels, data_set.labels[data_set.splits.validation])
    with pytest.raises(KeyError):
        data_set.subset("images")


def test_the_fingerprint_follows_the_data_and_the_splits(tmp_path: Path) -> None:
    path = classic(tmp_path / "a.mat")
    prints = [data_parser.open_data_set(path, seed=seed).fingerprint for seed in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]
    assert len(prints[0]) == 64


def test_a_character_is_found_by_itself_or_by_its_other_case(tmp_path: Path) -> None:
    data_set = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    assert data_set.class_of("A") == (0, None)
    assert data_set.class_of("a") == (0, "A")
    assert data_set.class_of("B") == (1, "b")


@pytest.mark.parametrize(
    ("character", "said"),
    [
        ("c", "the data set has no character 'c'; it has A b"),
        ("\0", "the data set has no character '?'; it has A b"),
        ("ß", "the data set has no character 'ß'; it has A b"),
        ("", "ask the data set for one character, not for an empty text; it has A b"),
        ("AB", "ask the data set for one character, not for 'AB'; it has A b"),
        ("e\u0301", "ask the data set for one character, not for 'e\u0301'; it has A b"),
        ("A\nb", "ask the data set for one character, not for 'A b'; it has A b"),
    ],
)
def test_what_is_no_class_is_told_which_there_are(
    tmp_path: Path, character: str, said: str
) -> None:
    data_set = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    with pytest.raises(DataError) as caught:
        data_set.class_of(character)
    assert str(caught.value) == said


NAMES = ("alaph", "Ω", "T-shirt/top", "t", "T", "été")


def with_names(tmp_path: Path) -> data_parser.DataSet:
    """A data set whose classes have names of any length and script, from a file."""
    labels = np.arange(60) % len(NAMES)
    splits = data_parser.split_data(labels, np.zeros(60, bool), NAMES, 1)
    made = data_parser.DataSet(
        images_of(60), labels.astype("i4"), NAMES, splits, tmp_path / "a", "seed", 1
    )
    data_parser.write_npz(made, tmp_path / "names.npz")
    return data_parser.open_data_set(tmp_path / "names.npz")


def test_names_of_classes_are_kept_whatever_their_length_and_script(tmp_path: Path) -> None:
    assert with_names(tmp_path).classes == NAMES


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("alaph", (0, None)),
        ("Alaph", (0, "alaph")),
        ("ω", (1, "Ω")),
        ("t-SHIRT/TOP", (2, "T-shirt/top")),
        ("t", (3, None)),
        ("ÉTÉ", (5, "été")),
    ],
)
def test_a_class_is_found_by_its_name_in_any_case(
    tmp_path: Path, asked: str, found: tuple[int, str | None]
) -> None:
    assert with_names(tmp_path).class_of(asked) == found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("alaph t", ["alaph", "t"]),
        (" alaph,  t , no such,", ["alaph", "t", "no such"]),
        (" , ", []),
        ("", []),
    ],
)
def test_text_is_taken_apart_into_names(tmp_path: Path, text: str, names: list[str]) -> None:
    data_set = with_names(tmp_path)
    assert data_set.names_in(text) == names
    assert data_set.names_in(data_set.as_text(names)) == names


def test_a_name_with_spaces_in_it_is_taken_whole(tmp_path: Path) -> None:
    images = np.repeat(images_of(30)[:1], 30, axis=0)
    np.savez(tmp_path / "a.npz", x=images, y=[0, 1] * 15, classes=["abc def", "Ä"])
    data_set = data_parser.open_data_set(tmp_path / "a.npz")
    assert data_set.names_in("abc def") == ["abc def"]
    assert data_set.names_in("abc def, Ä") == ["abc def", "Ä"]


def test_names_with_commas_in_them_are_found_in_a_list(tmp_path: Path) -> None:
    images = np.repeat(images_of(30)[:1], 40, axis=0)
    classes = ["x, y", "z", "y, z, w", "plain"]
    np.savez(tmp_path / "a.npz", x=images, y=[0, 1, 2, 3] * 10, classes=classes)
    data_set = data_parser.open_data_set(tmp_path / "a.npz")
    assert data_set.names_in(data_set.as_text(data_set.classes)) == list(data_set.classes)
    assert data_set.names_in("x,y , plain, z") == ["x, y", "plain", "z"]
    assert data_set.names_in("z, nothing") == ["z", "nothing"]


def test_a_name_is_found_as_it_is_typed_where_it_is_kept_escaped(tmp_path: Path) -> None:
    joined = "می\u200cخواهم"
    for name in (joined, "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(6):
            picture = np.zeros((28, 28), np.uint8)
            picture[4:24, 6 + number : 10 + number] = 255
            Image.fromarray(picture).save(tmp_path / "set" / name / f"{number}.png")
    data_set = data_parser.open_data_set(tmp_path / "set")
    assert data_set.class_of(joined)[0] == data_set.classes.index("می\\u200cخواهم")


def test_text_is_taken_apart_into_characters_where_classes_are_characters(tmp_path: Path) -> None:
    data_set = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    assert data_set.names_in("A, bA") == ["A", ",", "b", "A"]
    assert data_set.names_in(data_set.as_text(data_set.classes)) == ["A", "b"]


def test_what_is_no_name_of_a_class_is_told_which_there_are(tmp_path: Path) -> None:
    why = "no class 'beth'; spaces or commas stand between names; it has alaph Ω T-sh"
    with pytest.raises(DataError, match=why):
        with_names(tmp_path).class_of("beth")


def test_the_message_on_a_long_text_stays_short(tmp_path: Path) -> None:
    data_set = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    with pytest.raises(DataError) as caught:
        data_set.class_of("AB\n" * 10_000)
    assert len(str(caught.value)) < 400


def test_an_npz_file_gives_back_the_data_set(tmp_path: Path) -> None:
    first = data_parser.open_data_set(classic(tmp_path / "a.mat"), seed=5)
    data_parser.write_npz(first, tmp_path / "b.npz")
    second = data_parser.open_data_set(tmp_path / "b.npz", seed=99)
    assert second.fingerprint == first.fingerprint
    assert (second.seed, second.split_by) == (5, "seed")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"file_split": True}, "leave out --file-split"),
        ({"shares": dict.fromkeys(data_parser.SPLIT_NAMES, 1)}, "leave out --split-shares"),
        ({"group": "file", "file_split": True}, "leave out --file-split and --group"),
    ],
)
def test_the_splits_of_an_npz_file_are_not_taken_for_those_asked_for(
    tmp_path: Path, asked: dict[str, Any], told: str
) -> None:
    first = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    data_parser.write_npz(first, tmp_path / "b.npz")
    with pytest.raises(DataError, match=told):
        data_parser.open_data_set(tmp_path / "b.npz", **asked)


def test_an_npz_file_with_the_files_own_test_rows_may_be_asked_for_them(tmp_path: Path) -> None:
    first = data_parser.open_data_set(classic(tmp_path / "a.mat"), file_split=True)
    data_parser.write_npz(first, tmp_path / "b.npz")
    second = data_parser.open_data_set(tmp_path / "b.npz", file_split=True)
    assert second.fingerprint == first.fingerprint


def test_digits_are_dropped_from_an_npz_file_and_its_splits(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz")
    whole = data_parser.open_data_set(path, keep_digits=True)
    letters = data_parser.open_data_set(path)
    assert letters.classes == ("A", "b")
    for name in data_parser.SPLIT_NAMES:
        images, labels = whole.subset(name)
        assert np.array_equal(letters.subset(name)[0], images[labels > 0])
        assert np.array_equal(letters.subset(name)[1], labels[labels > 0] - 1)


def test_write_mat_writes_nists_layout(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    labels = np.array([0, 1, 1])
    data_parser.write_mat(path, images_of(3), labels, images_of(2), labels[:2], "Aé")
    dataset = loadmat(path)["dataset"][0, 0]
    train = dataset["train"][0, 0]
    assert dataset.dtype.names == ("train", "test", "mapping")
    assert np.array_equal(train["images"][1].reshape(28, 28).T, images_of(3)[1])
    assert train["labels"].tolist() == [[0], [1], [1]] and train["labels"].dtype == np.uint8
    assert dataset["mapping"].tolist() == [[0, 65], [1, 0xE9]]
    assert np.array_equal(data_parser.read_labelled_images(path).images[:3], images_of(3))


def test_names_longer_than_a_character_have_no_place_in_nists_layout(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with pytest.raises(DataError, match=r"the class 'beth' has no place .*; write an .npz file"):
        data_parser.write_mat(
            path, images_of(2), np.arange(2), images_of(0), np.zeros(0, int), ("A", "beth")
        )
    assert not path.exists()


def test_write_mat_takes_many_classes(tmp_path: Path) -> None:
    classes = [chr(0x4E00 + number) for number in range(300)]
    labels = np.arange(300)
    path = tmp_path / "a.mat"
    data_parser.write_mat(path, images_of(300), labels, images_of(0), labels[:0], classes)
    read = data_parser.read_labelled_images(path)
    assert np.array_equal(read.labels, labels) and list(read.classes) == classes


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_set = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    target = tmp_path / "b.npz"
    target.write_bytes(b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        data_parser.write_npz(data_set, target)
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mat", "b.npz"]


def test_writing_into_a_missing_folder_is_refused(tmp_path: Path) -> None:
    data_set = data_parser.open_data_set(classic(tmp_path / "a.mat"))
    with pytest.raises(DataError, match="cannot be written"):
        data_parser.write_npz(data_set, tmp_path / "no" / "b.npz")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "a.mat")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").mkdir()
    assert "folder" in refusal(tmp_path / "a.mat")


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mat")
    assert "pipe" in refusal(tmp_path / "a.mat")


def test_a_name_with_a_zero_character_is_refused() -> None:
    with pytest.raises(DataError, match="zero character"):
        data_parser.open_data_set("a\0b.mat")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello", "hello"),
        (b"\x1f\x8b\x08" + bytes(50), "gzip"),
        (b"\x93NUMPY\x01\x00", "numpy"),
        (b"\x00\x00\x08\x03" + bytes(20), "IDX"),
        (b"MATLAB 5.0 MAT-file", "cut off"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", "cut off"),
        (b"\x80\x04\x95" + bytes(30), "can run code"),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    assert said in refusal(tmp_path / "a.mat")


@pytest.mark.parametrize("name", ["a.pickle", "a.PKL"])
def test_a_pickle_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"(dp0\n.")
    assert "can run code" in refusal(tmp_path / name)


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = classic(tmp_path / "a.mat")
    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(path)


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_big(*_: Any, **__: Any) -> None:
        raise MemoryError

    path = classic(tmp_path / "a.mat")
    monkeypatch.setattr(nist_layout, "stand_upright", too_big)
    assert "not enough memory" in refusal(path)


@pytest.mark.parametrize("write", [classic, v73, saved])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_off_is_refused(tmp_path: Path, write: Any, share: float) -> None:
    path = write(tmp_path / ("a.npz" if write is saved else "a.mat"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refusal(path)


PIXELS = as_rows(images_of(30)).astype(float)
BAD_FIELDS = [
    ({"train_images": np.zeros((30, 783), "u1")}, "783"),
    ({"train_labels": np.zeros((29, 1), "u1")}, "30 images but 29 labels"),
    ({"train_labels": np.zeros((31, 1), "u1")}, "30 images but 31 labels"),
    ({"train_labels": np.full((30, 1), 9, "u1")}, "label 9"),
    ({"train_labels": np.full((30, 1), 0.5)}, "0.5"),
    ({"test_labels": np.zeros((6, 2), "u1")}, "(6, 2)"),
    ({"train_images": np.where(PIXELS > 250, 0.5, PIXELS)}, "0.5"),
    ({"train_images": np.where(PIXELS > 250, np.nan, PIXELS)}, "nan"),
    ({"train_images": np.where(PIXELS > 250, np.inf, PIXELS)}, "inf"),
    ({"train_images": PIXELS - 300}, "-"),
    ({"train_images": PIXELS.astype("i2") + 1}, "256"),
    ({"mapping": np.array([[0, 65], [0, 66], [2, 67]])}, "class number 0 twice"),
    ({"mapping": np.array([[0, 65], [1, 65], [2, 67]])}, "character A twice"),
    ({"mapping": np.array([[0, 65], [1, 0xD800], [2, 67]])}, str(0xD800)),
    ({"mapping": np.array([[0, 65], [1, 10], [2, 67]])}, "10"),
    ({"mapping": np.array([[0, 65], [1, 0x110000], [2, 67]])}, str(0x110000)),
    ({"mapping": np.array([[0, 65], [1, -4], [2, 67]])}, "-4"),
    ({"mapping": np.array([[0], [1], [2]])}, "(3, 1)"),
]


@pytest.mark.parametrize("write", ["classic", "v73"])
@pytest.mark.parametrize(("changes", "said"), BAD_FIELDS)
def test_a_bad_field_is_named(tmp_path: Path, changes: Any, said: str, write: str) -> None:
    path = tmp_path / "a.mat"
    if write == "classic":
        classic(path, **changes)
    else:
        v73(path, contents(**changes))
    assert said in refusal(path)


@pytest.mark.parametrize("write", ["classic", "v73"])
@pytest.mark.parametrize("field", ["train", "test", "mapping", "train.labels", "test.images"])
def test_a_missing_field_is_named(tmp_path: Path, field: str, write: str) -> None:
    path = tmp_path / "a.mat"
    if write == "classic":
        savemat(path, {"dataset": without(field)})
    else:
        v73(path, without(field))
    assert f"has no {field.split('.')[-1]}" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_images": PIXELS * 1j}, "complex"),
        ({"train_images": np.array(["text", 3], dtype=object)}, "cell array"),
        ({"train_images": "text"}, "text"),
        ({"train": np.arange(3)}, "not a struct"),
        ({"mapping": {"a": 1}}, "struct"),
    ],
)
def test_a_field_that_is_no_array_of_numbers_is_refused(
    tmp_path: Path, changes: Any, said: str
) -> None:
    assert said in refusal(classic(tmp_path / "a.mat", **changes))


def test_a_mat_file_without_the_variable_names_what_is_there(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"images": np.arange(3), "labels": np.arange(3)})
    assert "no variable dataset but images, labels" in refusal(tmp_path / "a.mat")


def test_no_images_at_all_is_said(tmp_path: Path) -> None:
    none, no_labels = np.empty((0, 784), "u1"), np.empty((0, 1), "u1")
    empty = {"images": none, "labels": no_labels}
    assert "no images" in refusal(classic(tmp_path / "a.mat", train=empty, test=empty))


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    train, test = np.full((30, 1), 2, "u1"), np.full((12, 1), 2, "u1")
    path = classic(tmp_path / "a.mat", train_labels=train, test_labels=test)
    assert "one class only, 'b'" in refusal(path)


def mat_element(kind: int, content: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "II", kind, len(content)) + content + bytes(-len(content) % 8)


def mat_header(kind: int, shape: tuple[int, ...], name: bytes = b"", order: str = "<") -> bytes:
    shape_bytes = struct.pack(f"{order}{len(shape)}i", *shape)
    flags = mat_element(6, struct.pack(order + "II", kind, 0), order)
    return flags + mat_element(5, shape_bytes, order) + mat_element(1, name, order)


def mat_file(path: Path, variable: bytes) -> Path:
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + variable)
    return path


def mat_variable(value: Any, order: str, name: bytes = b"") -> bytes:
    """A dict as a struct, an array as an array of numbers; bytes are taken as they are."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):  # the names' width is packed: small elements share their tag's word
        width = struct.pack(order + "Ii", 4 << 16 | 5, 8)
        names = b"".join(field.encode().ljust(8, b"\0") for field in value)
        content = mat_header(2, (1, 1), name, order) + width + mat_element(1, names, order)
        content += b"".join(mat_variable(inner, order) for inner in value.values())
        return mat_element(14, content, order)
    matlab_class, kind = {"u1": (9, 2), "u2": (11, 4), "i4": (12, 5), "f8": (6, 9)}[
        value.dtype.str[1:]
    ]
    numbers = value.astype(value.dtype.newbyteorder(order)).tobytes("F")
    header = mat_header(matlab_class, value.shape, name, order)
    return mat_element(14, header + mat_element(kind, numbers, order), order)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_big_endian_file_is_read_like_any_other(tmp_path: Path, compressed: bool) -> None:
    fields = contents(mapping=np.array([[1, 65], [258, 66], [3, 67]], "f8"))
    for part, dtype in (("train", "u2"), ("test", "f8")):
        fields[part]["images"] = fields[part]["images"].astype(dtype)
        labels = fields[part]["labels"].astype("i4")
        fields[part]["labels"] = np.array([1, 258, 3], "i4")[labels]
    variable = mat_variable(fields, ">", b"dataset")
    if compressed:
        packed = zlib.compress(variable)
        variable = struct.pack(">II", 15, len(packed)) + packed
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI" + variable)
    theirs = loadmat(path)["dataset"][0, 0]["train"][0, 0]["images"]
    read = data_parser.read_labelled_images(path)
    assert np.array_equal(as_rows(read.images[:30]), theirs)
    assert np.array_equal(read.images, np.concatenate([images_of(30), images_of(12)]))
    assert read.labels[:4].tolist() == [0, 1, 2, 0] and read.classes == ("A", "B", "C")


@pytest.mark.parametrize(
    ("shape", "said"),
    [((1,) * 100, "100 dimensions"), ((2**31 - 1,) * 16_000, "16000 dimensions")],
)
def test_an_array_of_many_dimensions_is_refused(
    tmp_path: Path, shape: tuple[int, ...], said: str
) -> None:
    variable = mat_element(14, mat_header(2, shape, b"dataset"))
    assert said in refusal(mat_file(tmp_path / "a.mat", variable))


@pytest.mark.parametrize("shape", [(0, 2**31 - 1, 2**31 - 1, 2**31 - 1), (-1, -1), (2**21, 2**10)])
def test_a_mat_array_of_an_impossible_shape_is_refused(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    images = mat_element(14, mat_header(6, shape) + mat_element(9, bytes(8)))
    variable = mat_variable(contents(train_images=images), "<", b"dataset")
    assert "claims the shape" in refusal(mat_file(tmp_path / "a.mat", variable))


@pytest.mark.parametrize(("kind", "said"), [(1, "cell"), (3, "object"), (16, "function")])
def test_objects_functions_and_cells_are_refused(tmp_path: Path, kind: int, said: str) -> None:
    variable = mat_element(14, mat_header(kind, (1, 1), b"dataset"))
    assert said in refusal(mat_file(tmp_path / "a.mat", variable))


def test_an_opaque_object_is_refused(tmp_path: Path) -> None:
    content = mat_element(6, struct.pack("<II", 17, 0)) + mat_element(1, b"dataset")
    assert "object" in refusal(mat_file(tmp_path / "a.mat", mat_element(14, content)))


def test_deeply_nested_cells_are_refused_without_recursion(tmp_path: Path) -> None:
    cell = mat_header(1, (1, 1), b"dataset")
    nested = b"".join(struct.pack("<II", 14, 2**30) + cell for _ in range(50_000))
    compressed = zlib.compress(mat_element(14, cell + nested))
    variable = struct.pack("<II", 15, len(compressed)) + compressed
    assert "cell" in refusal(mat_file(tmp_path / "a.mat", variable))


@pytest.mark.parametrize("count", [3_000_000, 2**31 - 1])
def test_a_huge_claim_is_refused_before_memory_is_taken(tmp_path: Path, count: int) -> None:
    path = v73(tmp_path / "a.mat", without("train.images"))
    with h5py.File(path, "r+") as file:
        file["dataset/train"].create_dataset("images", (784, count), "u1", chunks=(784, 64))
    assert "claims" in refusal(path)


def test_a_claim_that_nothing_stands_behind_is_refused(tmp_path: Path) -> None:
    path = v73(tmp_path / "a.mat", without("train.images"))
    with h5py.File(path, "r+") as file:
        file["dataset/train"].create_dataset("images", (784, 30), "u1", chunks=(784, 30))
    assert "claims" in refusal(path)


def give_attribute(path: Path, field: str, name: str, value: Any) -> Path:
    with h5py.File(path, "r+") as file:
        file[f"dataset/{field}"].attrs[name] = value
    return path


def test_an_empty_v73_array_is_known_by_its_attribute(tmp_path: Path) -> None:
    sizes = np.array([[0, 784]], np.uint64)  # MATLAB keeps the sizes in place of the content
    fields = contents(test_images=sizes, test_labels=np.array([[0, 1]], np.uint64))
    path = v73(tmp_path / "a.mat", fields)
    for field in ("test/images", "test/labels"):
        give_attribute(path, field, "MATLAB_empty", np.uint8(1))
    read = data_parser.read_labelled_images(path)
    assert np.array_equal(read.images, images_of(30)) and not read.in_test.any()
    give_attribute(path, "mapping", "MATLAB_empty", np.uint8(1))
    assert "dataset.mapping has the shape (0, 0)" in refusal(path)


@pytest.mark.parametrize("value", [np.array([0, 0]), "x", h5py.Empty("u1"), np.nan])
def test_odd_attributes_do_no_harm(tmp_path: Path, value: Any) -> None:
    for name in ("MATLAB_empty", "MATLAB_class"):
        path = give_attribute(v73(tmp_path / "a.dat"), "train/labels", name, value)
        check_mutated(path, path.read_bytes())


@pytest.mark.parametrize("field", ["train/images", "train/labels", "mapping"])
@pytest.mark.parametrize("name", ["char", "cell", "struct", "function_handle"])
def test_a_v73_array_of_another_class_is_refused(tmp_path: Path, field: str, name: str) -> None:
    path = v73(tmp_path / "a.mat")
    for value in (np.bytes_(name.encode()), name):  # MATLAB writes bytes, h5py text
        give_attribute(path, field, "MATLAB_class", value)
        said = f"dataset.{field.replace('/', '.')} is a {name} array"
        assert said in refusal(path)


@pytest.mark.parametrize("name", ["uint8", "double", "logical"])
def test_v73_classes_of_numbers_are_read(tmp_path: Path, name: str) -> None:
    path = give_attribute(
        v73(tmp_path / "a.mat"), "train/labels", "MATLAB_class", np.bytes_(name.encode())
    )
    assert len(data_parser.read_labelled_images(path).images) == 42


def test_v73_text_stored_as_numbers_is_refused(tmp_path: Path) -> None:
    text = np.frombuffer("ABC".encode("utf-16-le"), "<u2").reshape(1, 3)  # as MATLAB stores it
    path = v73(tmp_path / "a.mat", contents(mapping=text))
    give_attribute(path, "mapping", "MATLAB_class", np.bytes_(b"char"))
    give_attribute(path, "mapping", "MATLAB_int_decode", np.int32(2))
    assert "dataset.mapping is a char array" in refusal(path)


def test_v73_names_that_are_no_text_are_shown(tmp_path: Path) -> None:
    path = v73(tmp_path / "a.mat")
    with h5py.File(path, "r+") as file:
        file.move(b"dataset", b"d\xe9taset\n")
    assert "no dataset but d?taset;" in refusal(path)


def test_a_v73_array_deflated_twice_is_refused(tmp_path: Path) -> None:
    path = v73(tmp_path / "a.mat", without("train.images"))
    with h5py.File(path, "r+") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((784, 30))
        properties.set_deflate(9)
        properties.set_deflate(9)
        space, group = h5py.h5s.create_simple((784, 30)), file["dataset/train"].id
        images = h5py.h5d.create(group, b"images", h5py.h5t.NATIVE_UINT8, space, properties)
        images.write(h5py.h5s.ALL, h5py.h5s.ALL, np.zeros((784, 30), "u1"))
    assert "compressed in a way" in refusal(path)


def test_links_to_other_files_are_refused(tmp_path: Path) -> None:
    v73(tmp_path / "other.mat")
    for link in (h5py.ExternalLink("other.mat", "/dataset/train/images"), h5py.SoftLink("/x")):
        path = v73(tmp_path / "a.mat", without("train.images"))
        with h5py.File(path, "r+") as file:
            file["dataset/train"]["images"] = link
        assert "link" in refusal(path)


def test_external_storage_and_virtual_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(784 * 30))
    path = v73(tmp_path / "a.mat", without("train.images"))
    with h5py.File(path, "r+") as file:
        file["dataset/train"].create_dataset(
            "images", (784, 30), "u1", external=[(str(tmp_path / "raw"), 0, 784 * 30)]
        )
    assert "another file" in refusal(path)
    path = v73(tmp_path / "b.mat", without("train.images"))
    layout = h5py.VirtualLayout((784, 30), "u1")
    layout[:] = h5py.VirtualSource("other.mat", "/x", (784, 30))
    with h5py.File(path, "r+") as file:
        file["dataset/train"].create_virtual_dataset("images", layout)
    assert "another file" in refusal(path)


def changed_about(**changes: Any) -> np.ndarray:
    about = {"format": "handwriting-data-set", "version": 1, "seed": 1, "split_by": "seed"}
    return np.array(json.dumps(about | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"about": changed_about(version=2)}, "version 2"),
        ({"about": changed_about(format="x")}, "not a data set"),
        ({"about": changed_about(seed="x")}, "how it was split"),
        ({"about": np.array("{")}, "damaged"),
        ({"labels": None}, "not a data set"),
        ({"labels": np.full(42, 3, "i4")}, "labels are 3 to 3"),
        ({"labels": np.zeros(41, "i4")}, "41 labels"),
        ({"labels": np.zeros(42, "i4")}, "'A' has no images"),
        ({"images": np.zeros((42, 28, 27), "u1")}, "27"),
        ({"images": np.zeros((42, 28, 28), "f4")}, "float32"),
        ({"classes": np.array(["A", "A", "b"])}, "classes"),
        ({"classes": np.array(["A", "\n", "b"])}, "cannot name a class"),
        ({"classes": np.array(["A", " c", "b"])}, "'c' cannot name a class"),
        ({"classes": np.array(["A", "c" * 256, "b"])}, "1 to 255 printable characters"),
        ({"test": np.array([42])}, "42"),
        ({"test": np.array([-1])}, "-1"),
        ({"test": np.arange(42)}, "more than once"),
        ({"test": np.array([], "i8")}, "empty"),
        ({"test": np.array([{}], dtype=object)}, "test"),
    ],
)
def test_a_bad_npz_file_is_refused(tmp_path: Path, changes: Any, said: str) -> None:
    assert said in refusal(resaved(tmp_path / "a.npz", **changes))


def test_an_npz_array_that_claims_more_than_is_there_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1_000_000, 28, 28)}
    )
    members["images.npy"] = header.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert "claims" in refusal(path)


def rezipped(path: Path, **changed: bytes) -> Path:
    """A file of write_npz with the bytes of some arrays changed, checksums and sizes right."""
    with zipfile.ZipFile(saved(path)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= {f"{name}.npy": content for name, content in changed.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1")


def images_header(shape: str) -> str:
    return f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    ("stored", "claimed"), [(zipfile.ZIP_STORED, 10**9), (zipfile.ZIP_DEFLATED, 2**40)]
)
def test_an_npz_bomb_is_refused_by_its_compression_ratio(
    tmp_path: Path, stored: int, claimed: int
) -> None:
    """A directory that names a size which no deflated stream of that length can have."""
    header = npy_header(images_header(f"({claimed // 784}, 28, 28)"))
    path = rezipped(tmp_path / "a.npz", images=header + bytes(5000))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", stored) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.getinfo("images.npy").file_size = claimed  # goes into the directory on closing
    assert f"claims {claimed} bytes from" in refusal(path)


def test_an_npz_bomb_of_zeros_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    """Deflate's real limit, 1032 to 1, is allowed; what the array may be is not exceeded."""
    path = rezipped(
        tmp_path / "a.npz", images=npy_header(images_header("(30, 9, 9)")) + bytes(2**26)
    )
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("images.npy")
        assert info.file_size > 900 * info.compress_size
    tracemalloc.start()
    try:
        assert "claims the shape (30, 9, 9)" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore")  # numpy's, on what it takes for a file of Python 2
@pytest.mark.parametrize(
    "header",
    [
        images_header("(-1, -28, 28)"),
        images_header(f"(0, {2**62}, {2**62})"),
        images_header(f"({10**3000}, 28, 28)"),
        images_header("(True, 28, 28)"),
        images_header("(2000001, 0, 0)"),
        images_header("(1, 28, 28)").replace("'|u1'", "()"),
        images_header("(1, 28, 28)").replace("'|u1'", "[()]"),
        images_header("(1, 28, 28)").replace("'|u1'", "'O'"),
        images_header("(1, 28, 28)")[:-4],
        "(" * 5000,
        "-" * 9000 + "1",
        "'" * 3,
        "{[]: 1}",
        "1L",
        "",
    ],
)
def test_an_npz_header_of_nonsense_is_refused(tmp_path: Path, header: str) -> None:
    message = refusal(rezipped(tmp_path / "a.npz", images=npy_header(header) + bytes(784)))
    assert len(message) < 500


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("code", [0x110000, 0x1FFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("name", ["about", "classes"])
def test_npz_text_beyond_unicode_is_refused(
    tmp_path: Path, name: str, code: int, order: str
) -> None:
    codes = np.array([65, 66, code], order + "u4")
    text = codes.view(order + "U3").reshape(()) if name == "about" else codes.view(order + "U1")
    assert f"character code {code}" in refusal(resaved(tmp_path / "a.npz", **{name: text}))


def test_big_endian_npz_text_is_read(tmp_path: Path) -> None:
    path = resaved(tmp_path / "a.npz", classes=np.array(CLASSES, ">U1"))
    assert data_parser.open_data_set(path, keep_digits=True).classes == CLASSES


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    for depth in (500, 900, 8000):
        nested = "[" * depth + "]" * depth
        about = np.array(f'{{"format": "handwriting-data-set", "version": {nested}}}')
        message = refusal(resaved(tmp_path / "a.npz", about=about))
        assert "version unknown" in message or "damaged" in message


def test_images_in_fortran_order_come_out_in_c_order(tmp_path: Path) -> None:
    path = resaved(tmp_path / "a.npz", images=np.asfortranarray(images_of(42)))
    data_set = data_parser.open_data_set(path, keep_digits=True)
    assert data_set.images.flags.c_contiguous
    assert np.array_equal(data_set.images, images_of(42))


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("good")
    return {
        "compressed": classic(folder / "a.mat").read_bytes(),
        "plain": classic(folder / "b.mat", compressed=False).read_bytes(),
        "inner": classic(folder / "c.mat", compressed=False).read_bytes()[128:],
        "v73": v73(folder / "d.mat").read_bytes(),
        "npz": saved(folder / "e.npz").read_bytes(),
    }


def check_mutated(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    check_refused_or_valid(path)


MUTATIONS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8)
MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", ["compressed", "plain", "inner", "v73", "npz"])
@pytest.mark.parametrize("near", [400, 10**9])
@MANY
@given(mutations=MUTATIONS)
def test_a_mutated_file_is_refused_or_valid(
    tmp_path: Path, good_files: dict[str, bytes], kind: str, near: int, mutations: Any
) -> None:
    content = bytearray(good_files[kind])
    for place, value in mutations:
        content[int(place * (min(len(content), near) - 1))] = value
    if kind == "inner":  # the mutation lies below the compression, where checksums do not help
        packed = zlib.compress(bytes(content), 1)
        content = bytearray(good_files["plain"][:128])
        content += struct.pack("<II", 15, len(packed)) + packed
    check_mutated(tmp_path / "mutated.dat", bytes(content))


@pytest.mark.parametrize("kind", ["compressed", "plain", "v73", "npz"])
@MANY
@given(share=st.floats(0, 0.9999))
def test_a_file_cut_anywhere_is_refused_or_valid(
    tmp_path: Path, good_files: dict[str, bytes], kind: str, share: float
) -> None:
    content = good_files[kind]
    check_mutated(tmp_path / "cut.dat", content[: int(len(content) * share)])


def test_the_small_emnist_file_is_read(real_data: Path) -> None:
    path = real_data / "emnist" / "emnist-balanced-small.mat"
    data_set = data_parser.open_data_set(path, keep_digits=True)
    assert data_set.images.shape == (4000, 28, 28) and len(data_set.classes) == 47
    theirs = loadmat(path)["dataset"][0, 0]["train"][0, 0]["images"]
    assert np.array_equal(as_rows(data_set.images[:2000]), theirs)
