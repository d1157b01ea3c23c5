"""Tests of the class-balanced small copy."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import data_parser
import shrink_emnist
from errors import DataError

TRAINING, TEST = (40, 60, 8), (10, 15, 2)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of classes A, B and C with 50, 75 and 10 images, a fifth of each test rows."""
    path = tmp_path / "source.mat"
    labels = [np.repeat(np.arange(3), counts) for counts in (TRAINING, TEST)]
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (len(part), 28, 28), dtype=np.uint8) for part in labels]
    data_parser.write_mat(path, images[0], labels[0], images[1], labels[1], "ABC")
    return path


def counts_of(path: Path) -> tuple[list[int], list[int]]:
    """Training and test images of each class."""
    read = data_parser.read_labelled_images(path)
    parts = [read.labels[~read.in_test], read.labels[read.in_test]]
    training, test = (np.bincount(part, minlength=len(read.classes)).tolist() for part in parts)
    return training, test


def shrink(source: Path, *options: str) -> Path:
    target = source.with_name("small.mat")
    assert shrink_emnist.main([str(source), str(target), *options]) == 0
    return target


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence with which a command is refused."""
    assert shrink_emnist.main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def test_every_class_gets_as_many_as_the_rarest_has(source: Path) -> None:
    assert counts_of(shrink(source)) == ([8, 8, 8], [2, 2, 2])


def test_per_class_takes_train_and_test_in_the_sources_proportion(source: Path) -> None:
    assert counts_of(shrink(source, "--per-class", "5")) == ([4, 4, 4], [1, 1, 1])


def test_a_class_with_fewer_is_kept_whole_and_named(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert counts_of(shrink(source, "--per-class", "20")) == ([16, 16, 8], [4, 4, 2])
    assert "C (10)" in capsys.readouterr().out


def test_no_class_is_named_where_all_have_enough(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shrink(source, "--total", "29")
    assert "note" not in capsys.readouterr().out


@pytest.mark.parametrize("total", [3, 10, 29, 30, 31, 70, 135])
def test_total_is_spread_evenly_over_the_classes(source: Path, total: int) -> None:
    training, test = counts_of(shrink(source, "--total", str(total)))
    counts = [a + b for a, b in zip(training, test, strict=True)]
    assert sum(counts) == total
    level = max(counts)
    for count, available in zip(counts, (50, 75, 10), strict=True):
        assert count == available or level - count <= 1


def test_a_total_above_the_source_keeps_everything_and_says_so(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert counts_of(shrink(source, "--total", "9999")) == (list(TRAINING), list(TEST))
    assert "note" in capsys.readouterr().out


def test_keep_test_keeps_every_test_row_and_counts_training_rows(source: Path) -> None:
    assert counts_of(shrink(source, "--keep-test")) == ([8, 8, 8], list(TEST))
    target = shrink(source, "--keep-test", "--per-class", "3", "--force")
    assert counts_of(target) == ([3, 3, 3], list(TEST))


def test_the_copy_holds_images_of_the_source_with_their_labels(source: Path) -> None:
    whole = data_parser.read_labelled_images(source)
    small = data_parser.read_labelled_images(shrink(source))
    known = {
        image.tobytes(): label for image, label in zip(whole.images, whole.labels, strict=True)
    }
    for image, label in zip(small.images, small.labels, strict=True):
        assert known.pop(image.tobytes()) == label


def test_the_seed_decides_which_images_are_taken(source: Path) -> None:
    def images(seed: str) -> bytes:
        target = shrink(source, "--force", "--seed", seed)
        return data_parser.read_labelled_images(target).images.tobytes()

    assert images("1") == images("1")
    assert images("1") != images("2")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9)), min_size=1, max_size=6),
    wanted=st.integers(1, 50),
)
def test_each_class_gives_what_is_asked_or_all_it_has(
    counts: list[tuple[int, int]], wanted: int
) -> None:
    numbers = np.repeat(np.arange(len(counts)), [sum(pair) for pair in counts])
    in_test = np.concatenate([np.repeat([False, True], pair) for pair in counts])
    images = np.zeros((len(numbers), 28, 28), np.uint8)
    classes = tuple("ABCDEF"[: len(counts)])
    source = data_parser.LabelledImages(images, numbers.astype("i4"), classes, in_test)
    rows = shrink_emnist.choose_rows(source, per_class=wanted)
    assert len(set(rows.tolist())) == len(rows)
    taken = np.bincount(numbers[rows], minlength=len(counts)).tolist()
    assert taken == [min(sum(pair), wanted) for pair in counts]


def test_an_existing_target_is_replaced_only_by_force(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = source.with_name("small.mat")
    target.write_bytes(b"old")
    assert "--force" in refusal(capsys, source, target)
    assert target.read_bytes() == b"old"
    shrink(source, "--force")
    assert counts_of(target)[0] == [8, 8, 8]


def test_the_source_is_never_overwritten(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = source.read_bytes()
    link = source.with_name("link.mat")
    link.symlink_to(source)
    for target in (source, link, source.parent / "." / "source.mat"):
        assert "source itself" in refusal(capsys, source, target, "--force")
    assert source.read_bytes() == content


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--per-class", "0"], "--per-class: '0' is no whole number from 1 up"),
        (["--per-class", "x"], "'x'"),
        (["--per-class", "9" * 5000], "--per-class"),
        (["--total", "2"], "--total is 2"),
        (["--total", "3", "--per-class", "3"], "not allowed"),
        (["--seed=-1"], "'-1' is no seed"),
        (["--what"], "--what"),
        (["--wh\nat"], "--wh at"),
    ],
)
def test_a_bad_option_is_refused(
    source: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert said in refusal(capsys, source, source.with_name("small.mat"), *options)
    assert not source.with_name("small.mat").exists()


def test_no_rows_are_chosen_by_numbers_that_mean_nothing(source: Path) -> None:
    images = data_parser.read_labelled_images(source)
    with pytest.raises(DataError, match="--per-class is 0"):
        shrink_emnist.choose_rows(images, per_class=0)
    with pytest.raises(DataError, match="the seed is -1"):
        shrink_emnist.choose_rows(images, seed=-1)


def test_a_missing_source_or_folder_is_refused(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such file" in refusal(capsys, source.with_name("x.mat"), source.with_name("y.mat"))
    assert "no folder" in refusal(capsys, source, source.parent / "no" / "y.mat")
    assert "is a folder" in refusal(capsys, source, source.parent, "--force")


def test_an_unprintable_target_is_shown_escaped(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no\\nsuch" in refusal(capsys, source, source.parent / "no\nsuch" / "y.mat")
    assert "y\\x00.mat" in refusal(capsys, source, source.with_name("y\0.mat"))
    target = source.with_name("new\n\udcff.mat")
    assert shrink_emnist.main([str(source), str(target)]) == 0
    assert "new\\n\\udcff.mat" in capsys.readouterr().out


def test_a_ring_of_links_is_refused(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring = source.with_name("ring.mat")
    ring.symlink_to(ring)
    assert "ring.mat" in refusal(capsys, ring, source.with_name("y.mat"))
    assert "exists already" in refusal(capsys, source, ring)


def test_a_number_beyond_64_bits_keeps_everything(source: Path) -> None:
    assert counts_of(shrink(source, "--per-class", str(2**70))) == (list(TRAINING), list(TEST))
    target = shrink(source, "--total", str(2**70), "--force")
    assert counts_of(target) == (list(TRAINING), list(TEST))


def test_the_command_line_is_explained_and_its_errors_end_with_2(source: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(Path(shrink_emnist.__file__)), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    explained = run("--help")
    assert explained.returncode == 0 and explained.stderr == ""
    for option in ("SOURCE", "TARGET", "--per-class", "--total", "--keep-test", "--seed"):
        assert option in explained.stdout
    refused = run(str(source), str(source))
    assert refused.returncode == 2 and refused.stdout == ""
    assert refused.stderr.startswith("shrink_emnist.py: ") and refused.stderr.count("\n") == 1


def test_missing_arguments_are_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert "SOURCE" in refusal(capsys)


def test_a_copy_of_real_data_is_balanced(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "emnist" / "emnist-balanced-small.mat"
    target = tmp_path / "small.mat"
    assert shrink_emnist.main([str(source), str(target), "--per-class", "20"]) == 0
    training, test = counts_of(target)
    assert {a + b for a, b in zip(training, test, strict=True)} == {20}
    assert len(training) == 47
