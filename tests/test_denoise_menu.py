"""Tests of `Denoise`, with answers from a pipe."""

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import denoise_view
import menu
from data_parser import DataSet
from denoiser_folder import load_denoisers
from denoising.progress import DenoiserProgress
from denoising.settings import settings_to_json
from menu import HELP, Menu
from terminal import PipeAsker
from tests.denoisers import a_denoiser
from trainer_predictor import TrainerPredictor

PROMPT = f"{', '.join(HELP)}:"
SETTINGS = "Path of the denoiser file"
NOISE = "Noise, of any kinds and amounts [gaussian 0.2 0.6 1.0]:"
EXAMPLE = "Character, or noisy picture, to restore [none]:"
RETRAIN = "Train again what is trained already? (Y/N):"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "130")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two tiny denoisers."""
    path = tmp_path / "denoisers.txt"
    kinds = "convolutional", "conditional"
    path.write_text(repr([settings_to_json(a_denoiser(kind, steps=20)) for kind in kinds]))
    return path


def talk(session: TrainerPredictor, *lines: object) -> str:
    """What is shown while these lines are answered."""
    shown = io.StringIO()
    answers = io.StringIO("".join(f"{line}\n" for line in lines))
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(answers, shown)).loop()
    return shown.getvalue()


@pytest.fixture
def bare(data_set: DataSet, tmp_path: Path) -> TrainerPredictor:
    """A session without a network."""
    return TrainerPredictor(data_set, generator_root=tmp_path / "generators")


@pytest.fixture
def reading(bare: TrainerPredictor, saved_collection: Path) -> TrainerPredictor:
    """A session with networks."""
    bare.load(saved_collection)
    return bare


def test_denoisers_are_trained_kept_judged_and_shown(
    reading: TrainerPredictor, file: Path, tmp_path: Path
) -> None:
    shown = talk(reading, "denoise", file, "gaussian 0.6; lines 2", "B", "n")
    asked = [shown.index(question) for question in (SETTINGS, NOISE, EXAMPLE, RETRAIN)]
    assert asked == sorted(asked)
    assert "Training denoiser 0, convolutional, on gaussian 0.2 to 0.8: 20 steps" in shown
    assert len(load_denoisers(tmp_path / "generators" / "denoisers")) == 2
    accuracies = re.findall(
        r"^(?:gaussian 0.6|lines 2|  \d \w+)\b.* \d\.\d{3}  *(\d+\.\d\d%)$", shown, re.MULTILINE
    )
    assert len(accuracies) == 2 * 3
    assert re.search(r"^clean +\d+\.\d\d%$", shown, re.MULTILINE)
    assert "lines 2 is not what 0 convolutional, 1 conditional learnt from." in shown
    assert "'conditional' is told the character by entry" in shown
    assert re.search(r"^gaussian 0.6: \d \w+ against \d \w+: MSE -", shown, re.MULTILINE)
    assert len(re.findall(r"read as [ABC] ", shown)) == 4
    for name in ("gaussian-0.6.png", "lines-2.png"):
        with Image.open(tmp_path / "denoised" / name) as picture:
            assert picture.width > picture.height / 2
    assert "defect" not in shown


def test_what_is_trained_is_not_trained_again_unless_asked(
    bare: TrainerPredictor, file: Path, tmp_path: Path
) -> None:
    first = talk(bare, "denoise", file, "gaussian 0.6", "", "n")
    assert first.count("Training denoiser") == 2
    later = TrainerPredictor(bare.data_set, generator_root=tmp_path / "generators")
    again = talk(later, "denoise", file, "gaussian 0.6", "", "n", "denoise", "y", "blur 1", "", "y")
    assert again.count("Training denoiser") == 2
    assert again.index("Training denoiser") > again.index("blur 1")


def test_without_a_network_there_is_no_accuracy_and_the_label_is_told(
    bare: TrainerPredictor, file: Path
) -> None:
    shown = talk(bare, "denoise", file, "", "A", "n")
    assert "told the character by its label" in shown and "read as" not in shown
    assert "%" not in shown.split("Images", 1)[1]
    assert all(f"gaussian {amount}" in shown for amount in ("0.2", "0.6", "1"))


def test_a_picture_with_noise_is_restored_and_read(
    reading: TrainerPredictor, file: Path, tmp_path: Path, data_set: DataSet
) -> None:
    Image.fromarray(255 - data_set.images[0]).save(tmp_path / "my scan.png")
    shown = talk(reading, "denoise", file, "gaussian 0.6", "my scan.png", "n")
    assert re.search(r"the picture +read as", shown) and "wrong" not in shown
    assert len(re.findall(r"read as [ABC] ", shown)) == 3


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (("nothing.txt", "", "", "n"), "there is no file nothing.txt"),
        (("", "fog 3", "", "n"), "'fog 3' does not say which noise"),
        (("", "", "Q", "n"), "'Q'"),
        (("", "", "~nobody/" + 300 * "x", "n"), "x"),
    ],
)
def test_wrong_answers_are_named_before_anything_is_trained(
    bare: TrainerPredictor, answers: tuple[str, ...], said: str
) -> None:
    shown = talk(bare, "denoise", *answers)
    assert said in shown.lower() or said in shown
    assert "Training" not in shown and "defect" not in shown and shown.count(PROMPT) == 2


def test_ctrl_c_keeps_what_was_learnt_and_trains_no_further(
    bare: TrainerPredictor, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def stopping() -> Iterator[Callable[[], bool]]:
        yield lambda: True

    monkeypatch.setattr(menu, "_stop_on_interrupt", stopping)
    shown = talk(bare, "denoise", file, "gaussian 0.6", "", "n")
    assert "Ended after 10 steps" in shown and shown.count("Training denoiser") == 1
    assert "0 convolutional" in shown and "1 conditional  " not in shown


def test_a_folder_that_is_damaged_is_named_and_left_as_it_is(
    bare: TrainerPredictor, file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "generators" / "denoisers"
    folder.mkdir(parents=True)
    (folder / "collection.json").write_text("{}")
    shown = talk(bare, "denoise", file, "", "", "n")
    assert "denoisers" in shown and "is damaged or was changed" in shown
    assert (folder / "collection.json").read_text() == "{}"


def test_a_file_with_problems_names_them_all(bare: TrainerPredictor, tmp_path: Path) -> None:
    (tmp_path / "wrong.txt").write_text("[{'type':'convolutional'},\n{'type':'fog'}]")
    shown = talk(bare, "denoise", "wrong.txt", "", "", "n")
    assert "line 1, denoiser 0" in shown and "line 2, denoiser 1" in shown


def test_progress_keeps_its_places() -> None:
    lines = [
        denoise_view.progress_line(DenoiserProgress(step, 3000, loss, 75))
        for step, loss in ((10, 0.6931), (3000, 0.0123))
    ]
    assert len(set(map(len, lines))) == 1
    assert lines[0] == "step   10/3000 loss  0.6931 1:15 left"


def test_pictures_are_wrapped_to_the_terminal(reading: TrainerPredictor) -> None:
    from denoising.noise import Noise
    from denoising_findings import RestoredImage, SeenImage

    seen = tuple(
        SeenImage(name, np.zeros((28, 28), np.uint8), ()) for name in ("clean", "noisy", "restored")
    )
    shown = denoise_view.restored_image(RestoredImage(Noise("blur", 1), "A", seen), 60)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["clean", "noisy"] and "restored" in shown
