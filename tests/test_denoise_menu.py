"""Tests of `Denoise`, with answers from a pipe."""

import contextlib
import io
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from data_parser import DataSet
from denoisers.denoising_findings import judge
from denoisers.trained_denoisers import TrainedDenoisers
from denoising.noise import Noise
from denoising.progress import DenoiserProgress
from denoising.settings import settings_to_json
from dialogues import denoise as denoise_dialogue
from menu import HELP, Menu
from storage.denoiser_folder import load_denoisers
from terminal import PipeAsker
from tests.denoisers import a_denoiser
from trainer_predictor import TrainerPredictor
from views import denoising as denoise_view

PROMPT = f"{', '.join(HELP)}:"
SETTINGS = "Path of the denoiser file"
NOISE = "Noise, of any kinds and amounts [gaussian 0.2 0.6 1.0]:"
EXAMPLE = "Character, or noisy picture, to restore [none]:"
KINDS = "convolutional", "conditional"
RETRAIN = "Train again what is trained already? (Y/N):"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "130")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two tiny denoisers."""
    path = tmp_path / "denoisers.txt"
    path.write_text(repr([settings_to_json(a_denoiser(kind, steps=20)) for kind in KINDS]))
    return path


@pytest.fixture(scope="module")
def trained_once(data_set: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the denoisers of `file`."""
    denoisers = TrainedDenoisers(data_set, tmp_path_factory.mktemp("trained") / "denoisers", 42)
    for kind in KINDS:
        denoisers.train(a_denoiser(kind, steps=20))
    return denoisers.folder


@pytest.fixture
def already_trained(trained_once: Path, tmp_path: Path) -> None:
    """The denoisers of `file` are in the session's folder."""
    shutil.copytree(trained_once, tmp_path / "generators" / "denoisers")


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
    assert "until the program ends" not in shown
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
    for name in ("gaussian-0.6.png", "lines-2.png", "restored.png"):
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


@pytest.mark.thorough
def test_without_a_network_there_is_no_accuracy_and_the_label_is_told(
    already_trained: None, bare: TrainerPredictor, file: Path
) -> None:
    shown = talk(bare, "denoise", file, "", "A", "n")
    assert "told the character by its label" in shown and "read as" not in shown
    assert not re.search(r"\d%|^clean", shown.split("Images", 1)[1], re.MULTILINE)
    assert "There is no network to read them, and so no accuracy." in shown
    assert all(f"gaussian {amount}" in shown for amount in ("0.2", "0.6", "1"))


def test_a_picture_with_noise_is_restored_and_read(
    already_trained: None,
    reading: TrainerPredictor,
    file: Path,
    tmp_path: Path,
    data_set: DataSet,
    figures: list[Any],
) -> None:
    Image.fromarray(255 - data_set.images[0]).save(tmp_path / "my scan.png")
    shown = talk(reading, "denoise", file, "gaussian 0.6", "my scan.png", "n")
    assert re.search(r"the picture +read as", shown) and "wrong" not in shown
    assert len(re.findall(r"read as [ABC] ", shown)) == 3
    assert figures[-1].axes[0].get_title() == "before and after, as said to have gaussian 0.6"


def test_that_a_noisy_picture_is_the_first_of_several_pages_is_told(
    already_trained: None, bare: TrainerPredictor, file: Path, tmp_path: Path, data_set: DataSet
) -> None:
    pages = [Image.fromarray(255 - image) for image in data_set.images[:2]]
    pages[0].save(tmp_path / "two.tiff", save_all=True, append_images=pages[1:])
    shown = talk(bare, "denoise", file, "gaussian 0.6", "two.tiff", "n")
    assert "This picture has several pages or frames, of which the first is read." in shown


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (("nothing.txt", "", "", "n"), "there is no file nothing.txt"),
        (("", "fog 3", "", "n"), "'fog 3' does not say which noise"),
        (("", "", "Q", "n"), "'Q'"),
        (("", "", "scan.png", "n"), "'scan.png' is no picture, for there is no such file"),
        (("", "", "/", "n"), "'/' is no picture, for it is a folder"),
        (("", "", __file__, "n"), "is no picture that can be read"),
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

    monkeypatch.setattr(denoise_dialogue, "stop_on_interrupt", stopping)
    shown = talk(bare, "denoise", file, "gaussian 0.6", "", "n")
    assert "Ended after 1 step in" in shown and shown.count("Training denoiser") == 1
    assert "0 convolutional" in shown and "1 conditional  " not in shown
    assert "0 convolutional learnt from 1 of 20 steps" in shown
    assert "1 conditional is not trained, and left out." in shown


def test_ctrl_c_in_a_second_training_leaves_what_learnt_more(
    already_trained: None,
    bare: TrainerPredictor,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk(bare, "denoise", file, "gaussian 0.6", "", "n")
    folder = tmp_path / "generators" / "denoisers"
    before = {path.name for path in folder.iterdir()}

    @contextlib.contextmanager
    def stopping() -> Iterator[Callable[[], bool]]:
        yield lambda: True

    monkeypatch.setattr(denoise_dialogue, "stop_on_interrupt", stopping)
    shown = talk(bare, "denoise", file, "gaussian 0.6", "", "y")
    assert "Ended after 1 step in" in shown and "the earlier one, of 20 steps, stays" in shown
    assert {path.name for path in folder.iterdir()} == before
    assert "learnt from" not in shown.split("Images")[1].replace("learnt from.", "")


def test_a_denoiser_that_diverges_does_not_keep_others_from_being_trained(
    bare: TrainerPredictor, tmp_path: Path
) -> None:
    wild = a_denoiser("residual", steps=20, learning_rate=10)
    both = [settings_to_json(wild), settings_to_json(a_denoiser("convolutional", steps=20))]
    (tmp_path / "both.txt").write_text(repr(both))
    shown = talk(bare, "denoise", "both.txt", "gaussian 0.6", "", "n")
    assert "nothing was kept" in shown and "\nTrained 20 steps" in shown
    assert "0 residual is not trained, and left out." in shown and "\n  1 convolutional" in shown


def test_what_cannot_be_kept_is_used_all_the_same(
    bare: TrainerPredictor, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "generators").write_text("a file where a folder should be")
    shown = talk(bare, "denoise", file, "gaussian 0.6", "", "n")
    before, _ = shown.split("Training denoiser 0")
    assert "could not be saved in" in before and "there until the program ends" in before
    assert shown.count("what was trained is in memory until the program ends") == 2
    assert "\n  0 convolutional" in shown and "\n  1 conditional" in shown
    assert "defect" not in shown


def test_pictures_that_cannot_all_be_written_are_taken_away(
    already_trained: None,
    bare: TrainerPredictor,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*given: object) -> None:
        Path(str(given[-1])).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("views.denoising.plot_image_sheet", full)
    shown = talk(bare, "denoise", file, "gaussian 0.6", "A", "n")
    assert "the pictures cannot be written to denoised: No space left" in shown.lower().replace(
        "no space", "No space"
    )
    assert not (tmp_path / "denoised").exists()
    assert "\n clean " in shown  # the image that was asked for


def test_a_character_is_meant_where_a_file_is_called_like_it(
    already_trained: None, bare: TrainerPredictor, file: Path, tmp_path: Path, data_set: DataSet
) -> None:
    Image.fromarray(255 - data_set.images[0]).save(tmp_path / "B.png")
    (tmp_path / "B.png").rename(tmp_path / "B")
    shown = talk(bare, "denoise", file, "gaussian 0.6", "B", "n", "denoise", "y", "", "./B", "n")
    character, picture = shown.split("Use the previous one")
    assert "\n clean " in character and "the picture" not in character
    assert "\n the picture " in picture


def test_a_picture_that_nobody_reads_is_not_given_to_who_is_told_the_class(
    already_trained: None, bare: TrainerPredictor, file: Path, tmp_path: Path, data_set: DataSet
) -> None:
    Image.fromarray(255 - data_set.images[0]).save(tmp_path / "scan.png")
    shown = talk(bare, "denoise", file, "gaussian 0.6", "scan.png", "n")
    titles = next(line for line in shown.splitlines() if line.startswith(" the picture"))
    assert "0 convolutional" in titles and "conditional" not in titles
    assert "The picture is not restored by 1 conditional: there is no network" in shown


@pytest.mark.parametrize(("images", "told"), [(3, False), (12, True)])
def test_of_few_images_no_interval_and_no_p_is_told(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch, images: int, told: bool
) -> None:
    monkeypatch.setattr("denoisers.denoising_findings.MOST_IMAGES", images)
    found = judge(
        data_set,
        [Noise("gaussian", 0.5)],
        {"0 mean": lambda noisy, amount, labels: noisy // 2, "1 none": lambda noisy, *_: noisy},
        lambda noisy: np.zeros(len(noisy), np.int64),
        seed=1,
    )
    notes = denoise_view.findings_notes(found, "entry 0")
    assert "against" in notes
    assert (", p " in notes) == (" to " in notes.split("against")[1]) == told
    assert ("3 images cannot tell a difference from chance" in notes) != told


def test_a_folder_that_is_damaged_is_named_and_left_as_it_is(
    bare: TrainerPredictor, file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "generators" / "denoisers"
    folder.mkdir(parents=True)
    (folder / "collection.json").write_text("{}")
    shown = talk(bare, "denoise", file, "", "", "n")
    assert "denoisers" in shown and "is damaged or was changed" in shown
    assert f"move the folder {folder} away, or name another place with -g" in shown
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


@pytest.mark.parametrize("width", [40, 60, 80])
def test_figures_are_whole_in_a_terminal_of_any_width(data_set: DataSet, width: int) -> None:
    found = judge(
        data_set,
        [Noise("salt_and_pepper", 1), Noise("blur", 0)],
        {"0 convolutional": lambda images, amount, labels: images},
        lambda images: np.zeros(len(images), np.int64),
        seed=1,
    )
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        for table in denoise_view.findings_tables(found, width):
            console.print(table)
    shown = capture.get()
    assert "…" not in shown and max(map(len, shown.splitlines())) <= width
    for heading in denoise_view.HEADINGS:
        assert len(re.findall(rf"\b{heading}\b", shown)) == 1
    assert shown.count("33.33%") == 5 and shown.count("100.00") == 2


def test_pictures_are_wrapped_to_the_terminal(reading: TrainerPredictor) -> None:
    from denoisers.denoising_findings import RestoredImage, SeenImage

    seen = tuple(
        SeenImage(name, np.zeros((28, 28), np.uint8), ()) for name in ("clean", "noisy", "restored")
    )
    shown = denoise_view.restored_image(RestoredImage(Noise("blur", 1), "A", seen), 60)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["clean", "noisy"] and "restored" in shown
