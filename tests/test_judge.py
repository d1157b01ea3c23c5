"""Tests of the frozen judge: what it gives, and that it is always the same one."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import data_parser
import train_judge
from data_parser import DataSet
from errors import UserError
from evaluation import judge
from evaluation.judge import CLASSES, FEATURES, Judge, Opinion, load_judge

Images = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def loaded() -> Judge:
    return load_judge()


def images(count: int) -> Images:
    return np.random.default_rng(1).integers(0, 256, (count, 28, 28), dtype=np.uint8)


@pytest.fixture(scope="module")
def opinion(loaded: Judge) -> Opinion:
    return loaded.look_at(images(501))  # more than one batch


def test_an_opinion_is_features_and_probabilities(opinion: Opinion) -> None:
    assert opinion.features.shape == (501, FEATURES) == (501, 128)
    assert opinion.features.dtype == opinion.probabilities.dtype == np.float32
    assert (opinion.features >= 0).all() and (opinion.features.max(axis=0) > 0).sum() > 20
    assert opinion.probabilities.shape == (501, 47)
    assert (opinion.probabilities >= 0).all()
    assert opinion.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_the_classes_are_those_of_emnist() -> None:
    assert len(set(CLASSES)) == len(CLASSES) == 47
    assert list(CLASSES) == sorted(CLASSES)


def test_an_image_is_judged_the_same_alone_and_among_others(
    loaded: Judge, opinion: Opinion
) -> None:
    alone = loaded.look_at(images(501)[500:])
    assert alone.probabilities[0] == pytest.approx(opinion.probabilities[500], abs=1e-4)


def test_a_judge_that_is_loaded_again_is_the_same(loaded: Judge) -> None:
    again = load_judge().look_at(images(3))
    assert np.array_equal(again.features, loaded.look_at(images(3)).features)


@pytest.mark.parametrize("change", ["flipped", "cut", "longer", "empty"])
def test_a_changed_judge_is_refused(tmp_path: Path, change: str) -> None:
    content = bytearray(judge.WEIGHTS_FILE.read_bytes())
    if change == "flipped":
        content[len(content) // 2] ^= 1
    elif change == "longer":
        content += b"\0"
    else:
        content = content[: 1000 if change == "cut" else 0]
    path = tmp_path / "judge.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is not the judge emnist47-judge-1: its SHA-256 is"):
        load_judge(path)


def test_another_digest_is_refused() -> None:
    with pytest.raises(UserError, match=f"not {'0' * 64}"):
        load_judge(sha256="0" * 64)


@pytest.mark.parametrize("name", ["missing.npz", "folder"])
def test_a_judge_that_is_not_there_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        load_judge(tmp_path / name)


def test_the_judge_reads_the_test_rows_of_emnist(real_data: Path, loaded: Judge) -> None:
    data = data_parser.read_labelled_images(real_data / "emnist" / "emnist-47.mat")
    wanted = np.array([CLASSES.index(character) for character in data.classes])
    found = loaded.look_at(data.images[data.in_test]).probabilities.argmax(axis=1)
    accuracy = (found == wanted[data.labels[data.in_test]]).mean()
    assert len(found) >= 4_000
    assert accuracy >= 0.895


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.mat", "judge.npz"], "missing.mat"),
        (["letters.mat", "judge.npz"], "letters.mat has other classes than 0 1 2"),
        (
            ["letters.mat", "judge.npz", "--epochs", "0"],
            "--epochs: '0' is no whole number from 1 up",
        ),
    ],
)
def test_a_judge_of_other_characters_is_not_trained(
    arguments: list[str],
    told: str,
    data_set: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    halves = data_set.images, data_set.labels
    data_parser.write_mat("letters.mat", *halves, *halves, data_set.classes)
    assert train_judge.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("train_judge.py: ") and told in said and said.count("\n") == 1
    assert not Path("judge.npz").exists()


@pytest.fixture
def everything(make_data_set: Callable[..., DataSet], tmp_path: Path) -> Path:
    """All classes of the judge with four train rows and one test row each."""
    data = make_data_set("".join(CLASSES), 5)
    test = np.arange(len(data.labels)) % 5 == 0
    path = tmp_path / "everything.mat"
    training, tested = ((data.images[rows], data.labels[rows]) for rows in (~test, test))
    data_parser.write_mat(path, *training, *tested, data.classes)
    return path


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Trainings end at once; how many epochs each was to have."""
    begun: list[int] = []

    def train(images: Images, labels: npt.NDArray[np.integer], epochs: int, seed: int) -> object:
        begun.append(epochs)
        return judge.build_network()

    monkeypatch.setattr(train_judge, "train", train)
    return begun


def test_a_trained_judge_can_be_loaded_by_the_digest_that_is_said(
    everything: Path, at_once: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "judge.npz"
    assert train_judge.main([str(everything), str(target), "--epochs", "3"]) == 0
    written, read = capsys.readouterr().out.splitlines()
    assert at_once == [3]
    assert load_judge(target, written.rpartition(" ")[2]).look_at(images(2)).features.shape[0] == 2
    assert read.startswith("test accuracy ") and read.endswith(" of 47 images")


def test_a_training_goes_on_where_its_output_cannot_be_written(
    everything: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_judge, "IMAGES_A_CLASS", 6)
    target = tmp_path / "judge.npz"
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert train_judge.main([str(everything), str(target), "--epochs", "1"]) == 0
    assert target.stat().st_size > 500_000


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no/judge.npz", "there is no folder no; make it first"),
        ("judge.mat", "judge.mat: does not end in .npz"),
        ("old.npz", "old.npz: exists already; name a new file, or replace it by --force"),
        (".", "is a folder"),
        ("everything.mat", "is the source itself"),
    ],
)
def test_a_target_that_cannot_be_written_is_told_before_the_training(
    everything: Path,
    at_once: list[int],
    target: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(everything.parent)
    Path("old.npz").write_bytes(b"old")
    assert train_judge.main(["everything.mat", target]) == 2
    assert said in capsys.readouterr().err
    assert at_once == [] and Path("old.npz").read_bytes() == b"old"


def test_an_old_judge_is_replaced_by_force(
    everything: Path, at_once: list[int], tmp_path: Path
) -> None:
    target = tmp_path / "judge.npz"
    target.write_bytes(b"old")
    assert train_judge.main([str(everything), str(target), "--force"]) == 0
    assert target.stat().st_size > 500_000
    assert sorted(tmp_path.iterdir()) == [everything, target]


def test_a_training_that_is_stopped_leaves_the_old_judge(
    everything: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train_judge, "train", stopped)
    target = tmp_path / "judge.npz"
    target.write_bytes(b"old")
    assert train_judge.main([str(everything), str(target), "--force"]) == 130
    assert capsys.readouterr().err == "train_judge.py: stopped; nothing was written\n"
    assert target.read_bytes() == b"old"
