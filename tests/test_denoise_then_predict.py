"""Tests of `Predict` with `restored`: what `Denoise` made of an image is read."""

import contextlib
import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_parser import DataSet
from denoisers.trained_denoisers import TrainedDenoisers
from denoising.noise import Noise
from denoising.settings import DenoiserSettings, settings_to_json
from errors import UserError
from menu import Menu
from terminal import InputEnded, PipeAsker
from tests.denoisers import a_denoiser
from trainer_predictor import TrainerPredictor
from views import reading_text

KINDS = "convolutional", "conditional"
DENOISERS = tuple(a_denoiser(kind, steps=20) for kind in KINDS)
NOISE = Noise("gaussian", 0.6)
NOTHING = "there is no restored image yet: use Denoise first"
HINT = "use Predict with 'restored' as the generator"


@pytest.fixture(scope="module")
def trained_once(data_set: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the denoisers."""
    denoisers = TrainedDenoisers(data_set, tmp_path_factory.mktemp("trained") / "denoisers", 42)
    for settings in DENOISERS:
        denoisers.train(settings)
    return denoisers.folder


@pytest.fixture
def bare(
    data_set: DataSet, trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TrainerPredictor:
    """A session with trained denoisers, and without a network; `denoisers.txt` lists them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "130")
    shutil.copytree(trained_once, tmp_path / "generators" / "denoisers")
    write_settings("denoisers.txt", DENOISERS)
    return TrainerPredictor(data_set, generator_root=tmp_path / "generators")


@pytest.fixture
def reading(bare: TrainerPredictor, saved_collection: Path) -> TrainerPredictor:
    """A session with trained denoisers and with networks."""
    bare.load(saved_collection)
    return bare


def write_settings(name: str, denoisers: Sequence[DenoiserSettings]) -> None:
    Path(name).write_text(repr([settings_to_json(settings) for settings in denoisers]))


def a_picture(data_set: DataSet) -> Path:
    """A picture of the first class in the current folder."""
    Image.fromarray(255 - data_set.images[0]).save("scan.png")
    return Path("scan.png")


def talk(session: TrainerPredictor, *lines: object) -> str:
    """What is shown while these lines are answered."""
    shown = io.StringIO()
    answers = io.StringIO("".join(f"{line}\n" for line in lines))
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(answers, shown)).loop()
    return shown.getvalue()


def denoise(example: object, file: str = "denoisers.txt") -> tuple[object, ...]:
    """Answers that have an example restored."""
    return "denoise", file, "gaussian 0.6", example, "n"


def test_each_denoisers_image_is_shown_and_read_without_asking_for_a_character(
    reading: TrainerPredictor,
) -> None:
    before, after = talk(reading, *denoise("B"), "predict", "Restored").split("Restored\n", 1)
    assert HINT in before and "Character:" not in after
    headings = (
        "The noisy image, gaussian 0.6:",
        "Restored by 0 convolutional",
        "What the network gets to see:",
        "Restored by 1 conditional",
        "What the network gets to see:",
    )
    assert re.findall(r"^(?:The noisy|Restored|What).*$", after, re.MULTILINE) == list(headings)
    assert after.count("+----") == 2 * 3
    assert after.count("\nRead by entry ") == 1 and ": validation accuracy " in after
    first = re.findall(r"(\d \w+) +read as (\w) +(\d+\.\d\d%)", before)
    again = re.findall(r"Restored by (\d \w+)\n[^P]*Predicted character: (\w) .*\n.*?(\S+%)", after)
    assert again == first and len(again) == 2


def test_the_images_are_those_that_were_restored(reading: TrainerPredictor) -> None:
    restored = reading.restore(DENOISERS, NOISE, "A")
    result = reading.read_restored()
    clean, noisy, *others = restored.seen
    assert (result.noise, result.label) == ("gaussian 0.6", "A")
    assert np.array_equal(result.noisy, noisy.image)
    assert not np.array_equal(result.noisy, clean.image)
    for read, seen in zip(result.readings, others, strict=True):
        assert read.denoiser == seen.name and np.array_equal(read.image, seen.image)
        assert len(read.likeliest) == 3
        for one, other in zip(read.likeliest, seen.likeliest, strict=True):
            assert one.character == other.character
            # Not the same to the last bit: they were read among other images.
            assert one.probability == pytest.approx(other.probability, abs=1e-6)


def test_the_verdict_is_on_the_character_that_was_restored(reading: TrainerPredictor) -> None:
    reading.restore(DENOISERS, NOISE, "A")
    result = reading.read_restored()
    shown = reading_text.restored_prediction(result, "", colours=False)
    for reading_of_one, verdict in zip(
        result.readings, re.findall(r"Predicted character: (.*)", shown), strict=True
    ):
        first = reading_of_one.likeliest[0].character
        assert verdict == f"{first} {'(right)' if first == 'A' else '(wrong, it is A)'}"


def test_a_picture_has_no_verdict_and_no_noise_that_is_known(
    reading: TrainerPredictor, data_set: DataSet
) -> None:
    shown = talk(reading, *denoise(a_picture(data_set)), "predict", "restored")
    after = shown.split("generator (", 1)[-1].split(": restored\n", 1)[1]
    assert after.startswith("The noisy picture:\n")
    assert len(re.findall(r"^Predicted character: [ABC]$", after, re.MULTILINE)) == 2


def test_the_last_image_counts(reading: TrainerPredictor, data_set: DataSet) -> None:
    reading.restore(DENOISERS, NOISE, "A")
    reading.restore(DENOISERS[:1], Noise("blur", 1), "C")
    result = reading.read_restored()
    assert (result.noise, result.label) == ("blur 1", "C")
    assert [each.denoiser for each in result.readings] == ["0 convolutional"]


def test_the_network_that_is_best_now_reads(bare: TrainerPredictor, saved_collection: Path) -> None:
    shown = talk(bare, *denoise("B"), "predict", "restored", "load", saved_collection)
    assert "There is no trained network yet" in shown and HINT not in shown
    assert "Predicted character:" not in shown
    assert talk(bare, "predict", "restored").count("Predicted character:") == 2


def test_where_nothing_was_restored_one_sentence_says_what_to_do(
    reading: TrainerPredictor,
) -> None:
    shown = talk(reading, *denoise(""), "predict", "restored", "help")
    assert HINT not in shown
    said = shown.split(": restored\n", 1)[1].splitlines()
    assert said[0] == (
        "There is no restored image yet: use Denoise first, and give it a character, such as A, "
        "or a noisy picture to restore"
    )
    assert said[1].endswith("Exit: help")


def test_without_a_network_too_denoise_comes_first(bare: TrainerPredictor) -> None:
    assert not bare.has_restored_image
    with pytest.raises(UserError, match=NOTHING):
        bare.read_restored()


def test_a_picture_that_no_denoiser_could_restore_is_not_read(
    bare: TrainerPredictor, saved_collection: Path, data_set: DataSet
) -> None:
    bare.restore(DENOISERS, NOISE, "A")
    assert bare.has_restored_image
    bare.restore(DENOISERS[1:], NOISE, a_picture(data_set))  # which is told the class, by nobody
    assert not bare.has_restored_image
    bare.load(saved_collection)
    with pytest.raises(UserError, match=NOTHING):
        bare.read_restored()


def test_the_word_is_offered_beside_file(reading: TrainerPredictor) -> None:
    offered: dict[str, Sequence[str]] = {}
    answers = iter(["predict", "restored"])

    class Person:
        def ask(self, question: str, words: Sequence[str] = (), *, paths: bool = False) -> str:
            offered[question.partition(" (")[0]] = words
            answer = next(answers, None)
            if answer is None:
                raise InputEnded
            return answer

    with contextlib.redirect_stdout(io.StringIO()):
        Menu(reading, Person()).loop()
    assert list(offered["Generator"])[-2:] == ["file", "restored"]
