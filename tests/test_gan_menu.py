"""Tests of the commands that train generators and draw with them, with answers from a pipe."""

import contextlib
import io
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import gan.training
from data_parser import DataSet, open_data_set
from dialogues import common
from dialogues import generator as generator_dialogue
from dialogues.common import DEFAULT_SETTINGS
from gan.course import TrainedGan
from gan.progress import GanProgress, Progress
from gan.settings import GanSettings, settings_to_json, weight_count
from generators.trained_generators import MINIMUM_IMAGES
from image_generator import TrainedGenerator
from menu import HELP, Menu
from storage.generator_folder import (
    CharacterGenerator,
    ImagesLearnt,
    key_of,
    load_generators,
    save_generator,
)
from terminal import PipeAsker
from tests.conditional import KIND, READING, Labels, many
from tests.stored import by_character
from tests.tiny_generators import TINY
from trainer_predictor import TrainerPredictor
from user_state import state_folder
from views.gan import make_gan_view

Images = npt.NDArray[np.uint8]
PROMPT = f"{', '.join(HELP)}:"
PREVIOUS = "Use the previous one"
SETTINGS = "Path of the GAN settings file"
RETRAIN = "Train again what is trained already? (Y/N):"
CHARACTERS = "Characters, such as ABC [all]:"
TEXT = "Characters, or a line of text [all characters]:"
COUNT = "How many of each; 0 writes the text as a line [10]:"
FILE = "File, .png for a picture, .mat or .npz for a data set:"


@pytest.fixture(scope="module")
def letters(make_data_set: Callable[..., DataSet]) -> DataSet:
    """Classes A, B, C with just enough images in the generator split."""
    return make_data_set("ABC", 10 * MINIMUM_IMAGES)


@pytest.fixture(scope="module")
def scarce(letters: DataSet) -> DataSet:
    """As `letters`, with one image of C too few."""
    rows = letters.splits.generator
    missing = rows[letters.labels[rows] == 2][:1]
    return replace(letters, splits=replace(letters.splits, generator=np.setdiff1d(rows, missing)))


@pytest.fixture(scope="module")
def drawers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds 'keras' of A and B and 'conditional' of all, random weights; not to be changed."""
    root = tmp_path_factory.mktemp("drawers") / "generators"
    random = np.random.default_rng(1)
    for character in "AB":
        weights = random.uniform(0.05, 0.5, weight_count(TINY)).astype(np.float16)
        learnt = ImagesLearnt("letters.mat", "0" * 64, 50, "the generator split")
        save_generator(
            root / "keras",
            "keras",
            CharacterGenerator((character,), TINY, 50, 1.0, 3, learnt, {}, {}, weights),
        )
    save_generator(root / KIND, KIND, many("ABC"))
    return root


@pytest.fixture(autouse=True)
def own_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the repository, and an empty answer trains a tiny generator."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    files = dict.fromkeys(common.DEFAULT_SETTINGS, Path("missing.txt"))
    monkeypatch.setattr(common, "DEFAULT_SETTINGS", files | {"GAN settings": here / "gan.txt"})
    each = dict.fromkeys(("keras", "keras_adversarial"), settings_to_json(TINY))
    (here / "gan.txt").write_text(repr(each | {KIND: settings_to_json(READING)}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "generators"


@pytest.fixture
def session(letters: DataSet, saved_collection: Path, root: Path) -> TrainerPredictor:
    """A session with networks that read, and no generator."""
    session = TrainerPredictor(letters, seed=3, generator_root=root)
    session.load(saved_collection)
    return session


@pytest.fixture
def artist(letters: DataSet, drawers: Path) -> TrainerPredictor:
    """A session without networks, with generators of A and B."""
    return TrainerPredictor(letters, seed=3, generator_root=drawers)


class FakeTraining:
    """Takes the place of a training: random weights at once."""

    def __init__(self) -> None:
        self.trained: list[tuple[str, int]] = []

    def __call__(
        self,
        kind: str,
        images: Images,
        settings: GanSettings,
        seed: int,
        *,
        show: Callable[[GanProgress], None],
        should_stop: Callable[[], bool],
    ) -> TrainedGan:
        self.trained.append((kind, settings.steps))
        show(GanProgress(settings.steps, settings.steps, 1.0, 2.0, 0.0, None))
        random = np.random.default_rng([seed, len(self.trained)])
        return TrainedGan(
            weights=random.uniform(0.05, 0.5, weight_count(settings)).astype(np.float16),
            steps=settings.steps,
            seconds=3.0,
            losses=random.standard_normal((1, 3)),
            previews=random.integers(0, 256, (1, 16, 28, 28), dtype=np.uint8),
            preview_steps=(settings.steps,),
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    training = FakeTraining()
    monkeypatch.setattr(gan.training, "train_generator", training)

    def of_all(
        images: Images, labels: Labels, settings: GanSettings, seed: int, **options: Any
    ) -> TrainedGan:
        trained = training(KIND, images, settings, seed, **options)
        count = weight_count(settings, int(labels.max()) + 1)
        random = np.random.default_rng([seed, len(training.trained)])
        return replace(trained, weights=random.uniform(0.05, 0.5, count).astype(np.float16))

    monkeypatch.setattr(gan.training, "train_conditional_generator", of_all)
    return training


def talk(session: TrainerPredictor, *lines: str) -> str:
    """What is shown while these lines are answered."""
    shown = io.StringIO()
    answers = io.StringIO("".join(line + "\n" for line in lines))
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(answers, shown)).loop()
    assert "defect" not in shown.getvalue() and "Traceback" not in shown.getvalue()
    return shown.getvalue()


def questions(shown: str) -> list[str]:
    """What was asked inside commands, in order."""
    kinds = (
        "Generator (",
        "Character:",
        CHARACTERS,
        PREVIOUS,
        SETTINGS,
        RETRAIN,
        TEXT,
        COUNT,
        FILE,
    )
    return [kind for line in shown.splitlines() for kind in kinds if line.startswith(kind)]


def pictures(shown: str) -> list[str]:
    return re.findall(r"\+-{28}\+\n(.*?)\n\+-{28}\+", shown, re.DOTALL)


def kept(root: Path, kind: str = "keras") -> str:
    return "".join(by_character(root / kind, kind))


def pixels(path: Path) -> Images:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("L"))


def test_what_cannot_be_kept_is_said_before_the_training(
    letters: DataSet, saved_collection: Path, fake: FakeTraining, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    session = TrainerPredictor(letters, seed=3, generator_root=tmp_path / "file")
    session.load(saved_collection)
    shown = talk(session, "gan", "keras", "A", "", "n", "exit")
    before, trained, _ = shown.partition("step 50/50")
    assert trained and fake.trained
    assert "could not be saved in" in before and "until the program ends" in before


# ------------------------------------------------------------------------- Predict


def test_predict_trains_a_missing_generator_and_then_draws_and_reads(
    session: TrainerPredictor, root: Path
) -> None:
    shown = talk(session, "predict", "keras", "A", "predict", "KERAS", "a", "exit")
    assert questions(shown) == ["Generator (", "Character:"] * 2
    assert "There is no generator 'keras' of 'A' yet.\n" in shown
    assert re.search(
        r"Training 'keras' to draw 'A': 50 steps on 50 images\. "
        r"Ctrl-C ends it and keeps what was learnt\.\n",
        shown,
    )
    steps = re.findall(
        r"^  step (..)/50 discriminator loss .* generator loss .* left$", shown, re.M
    )
    assert steps == ["25", "50"]
    assert re.search(r"^Trained 50 steps in \d+:\d\d; kept in .*generators/keras$", shown, re.M)
    assert "What it drew over time, and the losses: keras-U+0041\n" in shown
    names = ["losses.png", "over-time.gif", "over-time.png"]
    assert sorted(path.name for path in Path("keras-U+0041").iterdir()) == names
    with Image.open("keras-U+0041/over-time.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 2
    assert shown.count("Training 'keras'") == 1, "the second time it is there"
    assert shown.count("Predicted character:") == 2
    assert len(set(pictures(shown))) == 2, "each drawing is another"
    assert "'a' shares the class 'A'" in shown
    assert kept(root) == "A"


def test_predict_draws_another_character_after_its_generator_was_trained(
    session: TrainerPredictor, fake: FakeTraining
) -> None:
    shown = talk(session, "predict", "keras", "A", "predict", "keras", "B", "exit")
    assert shown.count("Training 'keras'") == 2
    assert shown.count("Predicted character:") == 2


def test_predict_draws_every_character_with_a_generator_of_all(
    letters: DataSet, drawers: Path, saved_collection: Path, fake: FakeTraining
) -> None:
    session = TrainerPredictor(letters, seed=3, generator_root=drawers)
    session.load(saved_collection)
    shown = talk(session, "predict", KIND, "A", "predict", "CONDITIONAL", "c", "exit")
    assert questions(shown) == ["Generator (", "Character:"] * 2
    assert shown.count("Predicted character:") == 2 and len(set(pictures(shown))) == 2
    assert "Training" not in shown and fake.trained == []


def test_predict_trains_a_missing_generator_of_all_once(
    session: TrainerPredictor, root: Path, fake: FakeTraining
) -> None:
    shown = talk(session, "predict", KIND, "A", "predict", KIND, "B", "exit")
    sentence = r"There is no generator 'conditional' in (.*) that draws all 3 characters of this"
    found = re.search(rf"^{sentence} data set yet\.$", shown, re.M)
    assert found and found[1].endswith("generators/conditional")
    assert shown.count("Training 'conditional' to draw 3 characters") == 1
    assert shown.count("Predicted character:") == 2
    assert fake.trained == [(KIND, 6)] and (root / KIND).is_dir()


def test_predict_trains_a_generator_of_all_where_another_draws_fewer(
    session: TrainerPredictor, root: Path, fake: FakeTraining
) -> None:
    save_generator(root / KIND, KIND, many("AB"))
    shown = talk(session, "predict", KIND, "A", "exit")
    assert "that draws all 3 characters of this data set yet" in shown
    assert shown.count("Predicted character:") == 1
    assert sorted(map(len, load_generators(root / KIND, KIND))) == [2, 3]


def test_predict_with_too_few_images_says_so_in_one_sentence(
    scarce: DataSet, saved_collection: Path, root: Path, fake: FakeTraining
) -> None:
    session = TrainerPredictor(scarce, generator_root=root)
    session.load(saved_collection)
    shown = talk(session, "predict", "keras", "C", "predict", "basic", "C", "exit")
    assert "There are 49 images of 'C' to learn from" in shown
    assert "50 are needed" in shown and "start with more images of 'C'" in shown
    assert shown.count("Predicted character:") == 1
    assert fake.trained == [] and not root.exists()


def test_predict_without_a_network_trains_no_generator(
    letters: DataSet, root: Path, fake: FakeTraining
) -> None:
    shown = talk(TrainerPredictor(letters, generator_root=root), "predict", "keras", "A")
    assert "use Train" in shown and fake.trained == []


@pytest.mark.parametrize("lines", [("torch", "A"), ("keras", "?"), ("keras", "AB"), ("keras", "")])
def test_predict_refuses_wrong_names_before_any_training(
    session: TrainerPredictor, fake: FakeTraining, lines: tuple[str, str]
) -> None:
    shown = talk(session, "predict", *lines, "exit")
    assert re.search("here is no generator|has no character|for one character", shown)
    assert "Training" not in shown and fake.trained == []


def test_predict_says_what_is_wrong_with_the_settings(
    session: TrainerPredictor, fake: FakeTraining
) -> None:
    Path("gan.txt").write_text("{\n'keras': {'steps': 0}}")
    shown = talk(session, "predict", "keras", "A", "exit")
    assert "line 2, 'keras': 'steps' is 0" in shown and "Predicted" not in shown
    Path("gan.txt").unlink()
    assert "There is no file" in talk(session, "predict", "keras", "A")
    assert fake.trained == []


def test_a_damaged_folder_of_generators_is_one_sentence(
    session: TrainerPredictor, root: Path, fake: FakeTraining
) -> None:
    (root / "keras").mkdir(parents=True)
    (root / "keras" / "collection.json").write_text("{")
    commands = [
        "predict",
        "keras",
        "A",
        "gan",
        "keras",
        "A",
        "",
        "n",
        "generate",
        "keras",
        "A",
        "1",
    ]
    shown = talk(session, *commands, "a.png", "predict", "basic", "A", "exit")
    assert shown.count("it is no JSON") == 3 and "Predicted" in shown
    assert fake.trained == []


# ------------------------------------------------------------------------- Gan


def test_gan_asks_its_questions_in_order(session: TrainerPredictor, fake: FakeTraining) -> None:
    shown = talk(session, "gan", "keras", "A", "", "n", "exit")
    assert questions(shown) == ["Generator (", CHARACTERS, SETTINGS, RETRAIN]
    assert "Generator (keras, keras_adversarial, conditional): keras\n" in shown
    assert "Path of the GAN settings file [gan.txt]: \n" in shown
    assert shown.endswith(f"{PROMPT} exit\n")


@pytest.mark.parametrize("answer", ["", "all", "ALL", "ABC", "A B C", "CBAAB", "abc"])
def test_gan_trains_all_characters(
    session: TrainerPredictor, root: Path, fake: FakeTraining, answer: str
) -> None:
    shown = talk(session, "gan", "keras", answer, "", "n")
    assert kept(root) == "ABC"
    assert shown.count("Training 'keras' to draw") == len(fake.trained) == 3
    folders = ["keras-U+0041", "keras-U+0042", "keras-U+0043"]
    assert sorted(path.name for path in Path().iterdir() if path.is_dir()) == folders


def test_gan_trains_the_characters_that_are_chosen(
    session: TrainerPredictor, root: Path, fake: FakeTraining
) -> None:
    talk(session, "gan", "Keras_Adversarial", "bA", "", "n")
    assert kept(root, "keras_adversarial") == "AB" and not (root / "keras").exists()
    assert fake.trained == [("keras_adversarial", 50)] * 2


def test_gan_passes_over_what_is_trained_unless_it_is_to_be_again(
    session: TrainerPredictor, root: Path, fake: FakeTraining
) -> None:
    talk(session, "gan", "keras", "A", "", "n")
    first = by_character(root / "keras", "keras")["A"].weights
    shown = talk(session, "gan", "keras", "A", "", "n", "gan", "keras", "AB", "y", "N")
    assert "All of them are trained already; Y trains them again, by the settings file.\n" in shown
    assert shown.count("Training 'keras' to draw 'B'") == 1 and "draw 'A'" not in shown
    assert np.array_equal(by_character(root / "keras", "keras")["A"].weights, first)
    shown = talk(session, "gan", "keras", "A", "", "Y")
    assert "Training 'keras' to draw 'A'" in shown and len(fake.trained) == 3
    assert not np.array_equal(by_character(root / "keras", "keras")["A"].weights, first)
    assert Path("keras-U+0041-2").is_dir()


def test_the_settings_file_is_offered_again(session: TrainerPredictor, fake: FakeTraining) -> None:
    Path("mine.txt").write_text(repr({"keras": settings_to_json(replace(TINY, steps=7))}))
    again = ("gan", "keras", "B", "y", "n", "gan", "keras", "C", "n", "", "n")
    shown = talk(session, "gan", "keras", "A", "mine.txt", "n", *again)
    rest = ["Generator (", CHARACTERS]
    assert questions(shown) == [
        *rest, SETTINGS, RETRAIN, *rest, PREVIOUS, RETRAIN, *rest, PREVIOUS, SETTINGS, RETRAIN
    ]  # fmt: skip
    assert "Use the previous one (mine.txt)? (Y/N): y\n" in shown
    assert [steps for _, steps in fake.trained] == [7, 7, 50]


@pytest.mark.parametrize("again", ["n", "y"])
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("basic", "A", ""), "here is no generator 'basic' to train; there are keras, keras_adv"),
        (("torch", "A", ""), "here is no generator 'torch'"),
        (("", "A", ""), "here is no generator ''"),
        (("keras", "A?", ""), "has no character '?'"),
        (("keras", "A", "missing.txt"), "There is no file missing.txt"),
        (("keras", "A", "wrong.txt"), "wrong.txt, line 1, 'keras': a generator has no key 'x'"),
        (("keras_adversarial", "A", "one.txt"), "has no settings for 'keras_adversarial'"),
    ],
)
def test_gan_trains_nothing_where_an_answer_is_wrong(
    session: TrainerPredictor,
    root: Path,
    fake: FakeTraining,
    lines: tuple[str, ...],
    said: str,
    again: str,
) -> None:
    Path("wrong.txt").write_text(repr({"keras": settings_to_json(TINY) | {"x": 1}}))
    Path("one.txt").write_text(repr({"keras": settings_to_json(TINY)}))
    shown = talk(session, "gan", *lines, again, "exit")
    assert said in shown
    assert questions(shown) == ["Generator (", CHARACTERS, SETTINGS, RETRAIN]
    assert shown.endswith(f"{PROMPT} exit\n")
    assert fake.trained == [] and not root.exists()


def test_gan_trains_none_where_one_has_too_few_images(
    scarce: DataSet, root: Path, fake: FakeTraining
) -> None:
    shown = talk(TrainerPredictor(scarce, generator_root=root), "gan", "keras", "", "", "n")
    assert "There are 49 images of 'C'" in shown and fake.trained == []


def of_all(root: Path) -> dict[str, CharacterGenerator]:
    """Generators of many characters in a folder, by those."""
    return {
        "".join(characters): generator
        for characters, generator in load_generators(root / KIND, KIND).items()
    }


@pytest.mark.thorough
def test_gan_trains_one_generator_for_all_and_asks_for_no_characters(
    session: TrainerPredictor, root: Path
) -> None:
    shown = talk(session, "gan", "Conditional", "", "n", "exit")
    assert questions(shown) == ["Generator (", SETTINGS, RETRAIN]
    assert re.search(
        r"^Training 'conditional' to draw 3 characters: 6 steps on 150 images\. "
        r"Ctrl-C ends it and keeps what was learnt\.$",
        shown,
        re.M,
    )
    assert re.search(r"^  learning to read, step 4/4 loss .* accuracy .* left$", shown, re.M)
    assert re.search(r"^  step 6/6 discriminator loss .* generator loss .* left$", shown, re.M)
    assert shown.index("learning to read") < shown.index("discriminator loss")
    assert re.search(
        r"^Trained 6 steps in \d+:\d\d; kept in .*generators/conditional$", shown, re.M
    )
    pictures_of_all = f"conditional-{key_of(('A', 'B', 'C'))}"
    assert f"What it drew over time, and the losses: {pictures_of_all}\n" in shown
    assert (Path(pictures_of_all) / "over-time.gif").is_file()
    assert shown.count("Training 'conditional'") == 1
    assert list(of_all(root)) == ["ABC"]
    assert shown.endswith(f"{PROMPT} exit\n")


def test_gan_says_of_what_is_trained_whether_the_settings_file_says_otherwise(
    session: TrainerPredictor, root: Path, fake: FakeTraining, tmp_path: Path
) -> None:
    talk(session, "gan", "keras", "A", "", "n")
    other = tmp_path / "other.txt"
    text = DEFAULT_SETTINGS["GAN settings"].read_text(encoding="utf-8")
    other.write_text(text.replace("'latent_scale': 0.7", "'latent_scale': 0.5"), encoding="utf-8")
    shown = talk(session, "gan", "keras", "A", str(other), "n")
    assert "trained already, 1 of them by other settings or in fewer steps; Y trains" in shown
    other.write_text("[[]]")
    shown = talk(session, "gan", "keras", "A", str(other), "n")
    assert "other.txt, line 1: " in shown and "All of them" not in shown


def test_gan_passes_over_a_generator_of_all_unless_it_is_to_be_again(
    session: TrainerPredictor, root: Path, fake: FakeTraining
) -> None:
    talk(session, "gan", KIND, "", "n")
    first = of_all(root)["ABC"].weights
    shown = talk(session, "gan", KIND, "", "n")
    assert (
        "All of them are trained already; Y trains them again, by the settings file.\n" in shown
        and "Training" not in shown
    )
    shown = talk(session, "gan", KIND, "", "y")
    assert shown.count("Training 'conditional' to draw 3 characters") == 1
    assert fake.trained == [(KIND, 6)] * 2
    assert not np.array_equal(of_all(root)["ABC"].weights, first)


def test_gan_refuses_all_where_one_has_too_few_images(
    make_data_set: Callable[..., DataSet], root: Path, fake: FakeTraining
) -> None:
    few = TrainerPredictor(make_data_set("ABC", 40), generator_root=root)
    shown = talk(few, "gan", KIND, "", "n", "exit")
    assert "There are 4 images of 'A' to learn from in the generator split, and 5 are" in shown
    assert fake.trained == [] and not root.exists()


def test_gan_says_where_settings_of_all_are_wrong(
    session: TrainerPredictor, root: Path, fake: FakeTraining
) -> None:
    Path("wrong.txt").write_text(repr({KIND: settings_to_json(READING) | {"network": "mlp"}}))
    shown = talk(session, "gan", KIND, "wrong.txt", "n", "exit")
    assert "'network' is 'mlp', but 'conditional' has 'convolutional' networks alone" in shown
    Path("none.txt").write_text(repr({"keras": settings_to_json(TINY)}))
    assert "has no settings for 'conditional'" in talk(session, "gan", KIND, "none.txt", "n")
    assert fake.trained == [] and not root.exists()


@pytest.fixture
def ctrl_c_while_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C as soon as a training shows that it goes on."""

    @contextlib.contextmanager
    def make(console: Any) -> Iterator[Callable[[Progress], None]]:
        with make_gan_view(console) as show:

            def interrupted(progress: Progress) -> None:
                show(progress)
                signal.raise_signal(signal.SIGINT)

            yield interrupted

    monkeypatch.setattr(generator_dialogue, "make_gan_view", make)


@pytest.mark.usefixtures("ctrl_c_while_training")
def test_ctrl_c_keeps_what_was_learnt_and_trains_no_other(
    session: TrainerPredictor, root: Path
) -> None:
    Path("endless.txt").write_text(repr({"keras": settings_to_json(replace(TINY, steps=10**7))}))
    before = signal.getsignal(signal.SIGINT)
    shown = talk(session, "gan", "keras", "BA", "endless.txt", "n", "predict", "keras", "b", "exit")
    assert "10,000,000 steps on 50 images" in shown
    assert re.search(r"^Ended after 25 steps in \d+:\d\d; kept in ", shown, re.M)
    assert "draw 'A'" not in shown and kept(root) == "B"
    assert by_character(root / "keras", "keras")["B"].steps == 25
    assert shown.count("Predicted character:") == 1
    assert [path.name for path in Path("keras-U+0042").iterdir()] == ["losses.png"]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("ctrl_c_while_training")
def test_ctrl_c_before_anything_was_learnt_keeps_nothing_and_says_so(
    session: TrainerPredictor, root: Path
) -> None:
    endless = replace(READING, feature_steps=10**6)
    Path("endless.txt").write_text(repr({KIND: settings_to_json(endless)}))
    before = signal.getsignal(signal.SIGINT)
    shown = talk(session, "gan", KIND, "endless.txt", "n", "exit")
    assert "\nStopped before the generator learnt anything; nothing was kept\n" in shown
    assert not root.exists() and not list(Path().glob("conditional-*"))
    assert signal.getsignal(signal.SIGINT) is before
    assert shown.endswith(f"{PROMPT} exit\n")


def test_pictures_that_cannot_be_written_are_said_and_the_generator_stays(
    session: TrainerPredictor, root: Path, fake: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gan.monitor.write_animation", full)
    shown = talk(session, "gan", "keras", "A", "", "n", "exit")
    assert "The pictures of the training cannot be written to" in shown
    assert "No space left on device" in shown
    assert kept(root) == "A"


# ------------------------------------------------------------------------- Generate


def test_generate_asks_its_questions_in_order(artist: TrainerPredictor) -> None:
    shown = talk(artist, "generate", "keras", "A", "1", "a.png", "exit")
    assert questions(shown) == ["Generator (", TEXT, COUNT, FILE]
    assert "Written: a.png\n" in shown
    assert shown.endswith(f"{PROMPT} exit\n")


def test_generate_writes_a_sheet_and_never_over_another_file(artist: TrainerPredictor) -> None:
    Path("a.png").write_text("mine")
    shown = talk(
        artist, "generate", "keras", "ABBA", "", "a.png", "gene", "KERAS", "B", "3", "a.png"
    )
    assert "Written: a-2.png\n" in shown and "Written: a-3.png\n" in shown
    assert Path("a.png").read_text() == "mine"
    assert pixels(Path("a-2.png")).shape[1] > pixels(Path("a-3.png")).shape[1]


def test_generate_writes_a_line_of_text(artist: TrainerPredictor) -> None:
    talk(artist, "generate", "keras", "AB BA", "0", "one.png")
    talk(artist, "generate", "keras", "ABBA", "00", "two.PNG")
    one, two = pixels(Path("one.png")), pixels(Path("two.PNG"))
    assert one.shape[0] == two.shape[0] == 28 * 4
    assert one.shape[1] > two.shape[1] - 40


@pytest.mark.parametrize("name", ["letters.mat", "letters.npz"])
def test_generate_writes_a_data_set_that_opens_again(artist: TrainerPredictor, name: str) -> None:
    shown = talk(artist, "generate", "keras", "B a", "12", f"'{name}'")
    assert f"Written: {name}\n" in shown
    opened = open_data_set(name)
    assert opened.classes == ("A", "B")
    assert Counter(opened.labels.tolist()) == {0: 12, 1: 12}
    assert len({image.tobytes() for image in opened.images}) == 24


def test_an_empty_text_is_all_characters(artist: TrainerPredictor) -> None:
    shown = talk(artist, "generate", "basic", "", "5", "all.npz")
    assert "Written: all.npz" in shown
    assert Counter(open_data_set("all.npz").labels.tolist()) == {0: 5, 1: 5, 2: 5}
    shown = talk(artist, "generate", "keras", "", "5", "keras.npz")
    assert "There is no generator 'keras' of 'C' yet; use Gan to train it first" in shown
    assert not Path("keras.npz").exists()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((KIND, "A?", "1", "x.png"), "has no character '?'"),
        ((KIND, "A", "0", "x.npz"), "line of text is a picture"),
        (("keras", "C", "1", "x.png"), "here is no generator 'keras' of 'C' yet; use Gan"),
        (("keras_adversarial", "A", "1", "x.png"), "no generator 'keras_adversarial' of 'A' yet"),
        (("torch", "A", "1", "x.png"), "here is no generator 'torch'; there are basic, keras"),
        (("keras", "A?", "1", "x.png"), "has no character '?'"),
        (("keras", "A", "1", "x.jpg"), "'x.jpg' does not say what to write"),
        (("keras", "A", "1", "x"), "'x' does not say what to write"),
        (("keras", "A", "1", ""), "o path was given"),
        (("keras", "A", "-1", "x.png"), "'-1' is not a whole number from 0 to 100,000"),
        (("keras", "A", "1.5", "x.png"), "'1.5' is not a whole number"),
        (("keras", "A", "1e3", "x.png"), "'1e3' is not a whole number"),
        (("keras", "A", "ten", "x.png"), "'ten' is not a whole number"),
        (("keras", "A", "\u0663", "x.png"), "'\u0663' is not a whole number"),
        (("keras", "A", "100001", "x.png"), "'100001' is not a whole number"),
        (("keras", "A", "0000000100001", "x.png"), "is not a whole number"),
        (("keras", "A", "9" * 5000, "x.png"), "...' is not a whole number"),
        (("keras", "A", "101", "x.png"), "sheet has room for 100 drawings of each character"),
        (("basic", "ABC", "100000", "x.npz"), "are more than 200,000"),
        (("keras", "A", "0", "x.mat"), "line of text is a picture"),
        (("keras", "A", "10", "x.mat"), "data set needs two characters or more"),
        (("keras", "AB", "4", "x.npz"), "'A' has 4 images"),
        (("keras", "A", "1", "nowhere/x.png"), "nowhere/x.png cannot be written"),
        (("keras", "AB", "5", "nowhere/x.mat"), "nowhere/x.mat"),
        (("keras", "A", "0", "gan.txt/x.png"), "gan.txt/x.png cannot be written"),
        (("keras", "A", "0", "y" * 300 + ".png"), "cannot be written"),
    ],
)
def test_generate_writes_nothing_where_an_answer_is_wrong(
    artist: TrainerPredictor, lines: tuple[str, ...], said: str
) -> None:
    shown = talk(artist, "generate", *lines, "exit")
    assert said in shown
    assert questions(shown) == ["Generator (", TEXT, COUNT, FILE]
    assert shown.endswith(f"{PROMPT} exit\n")
    assert [path.name for path in Path().iterdir()] == ["gan.txt"]


def test_generate_writes_what_a_generator_of_all_draws(artist: TrainerPredictor) -> None:
    shown = talk(
        artist,
        *("generate", KIND, "CAB A", "0", "line.png", "generate", KIND, "", "3", "sheet.png"),
        *("generate", KIND, "", "6", "set.npz", "generate", KIND, "ca", "5", "set.mat"),
        "exit",
    )
    for name in ("line.png", "sheet.png", "set.npz", "set.mat"):
        assert f"Written: {name}\n" in shown
    assert pixels(Path("line.png")).shape[0] == 28 * 4
    assert pixels(Path("sheet.png")).size
    opened = open_data_set("set.npz")
    assert opened.classes == ("A", "B", "C")
    assert Counter(opened.labels.tolist()) == {0: 6, 1: 6, 2: 6}
    assert len({image.tobytes() for image in opened.images}) == 18
    assert open_data_set("set.mat").classes == ("A", "C")


def test_a_sheet_has_a_hand_in_each_column(
    artist: TrainerPredictor, drawers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets: list[tuple[Images, ...]] = []

    def note(drawn: Any, classes: tuple[str, ...], path: Path) -> tuple[str, ...]:
        assert classes == ("A", "B", "C")
        sheets.append(drawn.images)
        return ("C",)

    monkeypatch.setattr(generator_dialogue, "write_sheet", note)
    shown = talk(artist, "generate", KIND, "AC", "4", "a.png")
    assert "a number stands in the picture: #3 for C." in shown
    hands = np.random.default_rng(3).standard_normal((4, 4096), dtype=np.float32)
    known = dict.fromkeys("ABC", of_all(drawers)["ABC"])
    drawer = TrainedGenerator(("A", "B", "C"), known, np.random.default_rng(0))
    for label, images in zip((0, 2), sheets[0], strict=True):
        assert np.array_equal(images, drawer.draw_from(label, hands))


def test_generate_without_a_generator_of_all_says_so(
    letters: DataSet, root: Path, fake: FakeTraining
) -> None:
    shown = talk(
        TrainerPredictor(letters, generator_root=root), "generate", KIND, "B", "1", "x.png"
    )
    assert "There is no generator 'conditional'" in shown and "use Gan to train it first" in shown
    assert fake.trained == [] and not Path("x.png").exists()


def test_zeros_before_a_number_change_nothing(artist: TrainerPredictor) -> None:
    talk(artist, "generate", "keras", "AB", "00000000007", "x.npz")
    assert len(open_data_set("x.npz").labels) == 14


# ------------------------------------------------------------------------- seeds


def test_the_same_seed_and_answers_draw_the_same(
    letters: DataSet, drawers: Path, saved_collection: Path
) -> None:
    drawn = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        session = TrainerPredictor(letters, seed=seed, generator_root=drawers)
        session.load(saved_collection)
        shown = talk(
            session,
            *("predict", "keras", "A", "predict", "keras", "A"),
            *("generate", "keras", "AB", "0", f"{name}.png"),
            *("generate", "keras", "AB", "6", f"{name}.npz"),
        )
        seen = pictures(shown)
        assert len(set(seen)) == 2
        images = open_data_set(f"{name}.npz").images
        drawn.append((seen, pixels(Path(f"{name}.png")).tobytes(), images.tobytes()))
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[0], drawn[2], strict=True))


# ------------------------------------------------------------------------- anything at all

LINES = st.one_of(
    st.sampled_from(["gan", "generate", "predict", "keras", "keras_adversarial", "basic", KIND]),
    st.sampled_from(["A", "AB", "", "all", "c?", "0", "5", "-1", "y", "n", "gan.txt", "a b"]),
    st.sampled_from(
        ["x.png", "x.mat", "x.npz", "pipe", ".", "/dev/null/x.png", "z" * 300 + ".mat"]
    ),
    st.text(st.characters(exclude_characters="/~\n."), max_size=20),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(LINES, max_size=14))
def test_no_sequence_of_lines_breaks_the_commands(
    letters: DataSet,
    saved_collection: Path,
    drawers: Path,
    fake: FakeTraining,
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("anything")
    shutil.copytree(drawers, folder / "generators")
    shutil.copy("gan.txt", folder / "gan.txt")
    os.mkfifo(folder / "pipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        session = TrainerPredictor(letters, seed=1, generator_root=folder / "generators")
        session.load(saved_collection)
        shown = talk(session, *lines)
    assert "\x1b" not in shown and "\0" not in shown
    assert not (state_folder() / "defects.log").exists()
