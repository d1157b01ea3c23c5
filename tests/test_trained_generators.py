"""Tests of trained generators: made from the generator split, kept, and drawn with."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import gan.training
from data_parser import DataSet
from errors import CollectionError, DataError, HyperparameterError, UserError
from gan.course import TrainedGan
from gan.drawing import draw as draw_with
from gan.drawing import draw_latent
from gan.progress import FeatureProgress, GanProgress, Progress
from gan.settings import GanSettings, settings_to_json, weight_count
from gan.training import GanDiverged
from generators.trained_generators import (
    MINIMUM_IMAGES,
    MINIMUM_IMAGES_OF_MANY,
    TrainedGenerators,
    images_learnt,
    named,
    write_training_pictures,
)
from image_generator import TrainedGenerator, network_of
from storage.generator_folder import CharacterGenerator, key_of, load_generators, save_generator
from tests import tiny_generators
from tests.conditional import KIND, PLAIN, READING, Labels, many
from tests.stored import by_character
from trainer_predictor import TrainerPredictor

Images = npt.NDArray[np.uint8]
TINY = replace(tiny_generators.TINY, steps=6)
MakeDataSet = Callable[..., DataSet]


@pytest.fixture(scope="module")
def letters(make_data_set: MakeDataSet) -> DataSet:
    """A and B have just enough images in the generator split, C has one too few."""
    whole = make_data_set("ABC", 10 * MINIMUM_IMAGES)
    rows = whole.splits.generator
    scarce = rows[whole.labels[rows] == 2]
    return replace(whole, splits=replace(whole.splits, generator=np.setdiff1d(rows, scarce[:1])))


@pytest.fixture
def kept(letters: DataSet, tmp_path: Path) -> TrainedGenerators:
    return TrainedGenerators(letters, tmp_path / "generators", seed=3)


class FakeTraining:
    """Takes the place of a training: told the same, random weights at once."""

    def __init__(self) -> None:
        self.images: list[Images] = []
        self.diverges = False
        self.steps: int | None = None  # at which it is stopped

    def __call__(
        self,
        kind: str,
        images: Images,
        settings: GanSettings,
        seed: int,
        *,
        show: Callable[[GanProgress], None] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> TrainedGan:
        if self.diverges:
            raise GanDiverged("the weights grew")
        self.images.append(images)
        random = np.random.default_rng([seed, len(self.images)])
        previews = random.integers(0, 256, (3, 16, 28, 28), dtype=np.uint8)
        return TrainedGan(
            weights=random.uniform(0.05, 0.5, weight_count(settings)).astype(np.float16),
            steps=self.steps or settings.steps,
            seconds=3.0,
            losses=random.standard_normal((3, 3)),
            previews=previews,
            preview_steps=(2, 4, 6),
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    training = FakeTraining()
    monkeypatch.setattr(gan.training, "train_generator", training)
    return training


def train(
    generators: TrainedGenerators,
    class_index: int = 0,
    settings: GanSettings = TINY,
    kind: str = "keras",
) -> TrainedGan:
    return generators.train(
        kind, class_index, settings, show=lambda progress: None, should_stop=lambda: False
    )


@pytest.fixture(scope="module")
def trained_root(letters: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds real generators 'keras' of A and B; not to be changed."""
    root = tmp_path_factory.mktemp("trained") / "generators"
    generators = TrainedGenerators(letters, root, seed=3)
    for class_index in (0, 1):
        train(generators, class_index)
    return root


# ------------------------------------------------------------------------- too few images


def test_too_few_images_are_refused_with_the_number_needed(
    kept: TrainedGenerators, fake: FakeTraining
) -> None:
    for ask in (lambda: kept.plan("keras", 2, TINY), lambda: train(kept, 2)):
        with pytest.raises(UserError) as caught:
            ask()
        assert "there are 49 images of 'C' to learn from in the generator split" in str(
            caught.value
        )
        assert "50 are needed" in str(caught.value)
        assert "start with more images of 'C'" in str(caught.value)
    assert fake.images == [] and not kept.folder("keras").exists()


def test_just_enough_images_are_enough(kept: TrainedGenerators, fake: FakeTraining) -> None:
    assert kept.plan("keras", 1, TINY).images == MINIMUM_IMAGES
    assert train(kept, 1).steps == 6


# ------------------------------------------------------------------------- what is learnt from


def rows_of(data_set: DataSet, class_index: int) -> Images:
    rows = data_set.splits.generator
    images: Images = data_set.images[rows[data_set.labels[rows] == class_index]]
    return images


def test_the_images_of_one_character_in_the_generator_split_are_learnt_from(
    kept: TrainedGenerators, fake: FakeTraining, letters: DataSet
) -> None:
    train(kept, 1)
    assert np.array_equal(fake.images[0], rows_of(letters, 1))
    learnt = by_character(kept.folder("keras"), "keras")["B"].data
    assert learnt.fingerprint == hashlib.sha256(rows_of(letters, 1).tobytes()).hexdigest()
    assert (learnt.name, learnt.images) == ("letters.mat", 50)
    assert learnt.selection == "the generator split"


def test_a_real_training_is_recorded(trained_root: Path, letters: DataSet) -> None:
    found = by_character(trained_root / "keras", "keras")
    assert list(found) == ["A", "B"]
    for class_index, (character, generator) in enumerate(found.items()):
        assert (generator.characters, generator.settings) == ((character,), TINY)
        assert (generator.steps, generator.seed) == (6, 3)
        assert generator.data == images_learnt(
            rows_of(letters, class_index), "letters.mat", "the generator split"
        )
        assert {"keras", "tensorflow", "python"} <= set(generator.versions)
    assert found["A"].weights.tobytes() != found["B"].weights.tobytes()


@pytest.mark.parametrize("name", ["a\nb.mat", "\x1b[2J.mat", "\udcff.mat", "ü 'x'.mat"])
def test_a_generator_of_a_file_with_an_odd_name_is_read_back(
    letters: DataSet, fake: FakeTraining, tmp_path: Path, name: str
) -> None:
    odd = replace(letters, source=Path(name))
    train(TrainedGenerators(odd, tmp_path, seed=3))
    again = TrainedGenerators(odd, tmp_path, seed=3).of("keras")
    assert list(again) == ["A"] and again["A"].data.name.isprintable()


# ------------------------------------------------------------------------- kept and replaced


def test_what_was_trained_is_there_in_a_later_session(
    kept: TrainedGenerators, fake: FakeTraining, letters: DataSet, tmp_path: Path
) -> None:
    result = train(kept)
    later = TrainedGenerators(letters, tmp_path / "generators", seed=9)
    assert later.of("keras")["A"].weights.tobytes() == result.weights.tobytes()
    assert later.of("keras_adversarial") == {}


def test_what_another_session_keeps_meanwhile_stays(
    kept: TrainedGenerators, fake: FakeTraining, letters: DataSet, tmp_path: Path
) -> None:
    assert kept.of("keras") == {}
    other = TrainedGenerators(letters, tmp_path / "generators", seed=9)
    results = {"B": train(other, 1), "A": train(kept, 0)}
    found = by_character(kept.folder("keras"), "keras")
    assert {character: one.weights.tobytes() for character, one in found.items()} == {
        character: result.weights.tobytes() for character, result in results.items()
    }


def test_each_kind_has_a_folder_of_its_own(kept: TrainedGenerators, fake: FakeTraining) -> None:
    one, other = train(kept), train(kept, kind="keras_adversarial")
    for kind, result in (("keras", one), ("keras_adversarial", other)):
        folder = by_character(kept.folder(kind), kind)
        assert folder["A"].weights.tobytes() == result.weights.tobytes()
    assert kept.folder("keras") != kept.folder("keras_adversarial")


def test_training_again_replaces(kept: TrainedGenerators, fake: FakeTraining) -> None:
    train(kept)
    result = train(kept, settings=replace(TINY, generator_widths=(5, 3)))
    for found in (kept.of("keras"), by_character(kept.folder("keras"), "keras")):
        assert list(found) == ["A"]
        assert found["A"].settings.generator_widths == (5, 3)
        assert found["A"].weights.tobytes() == result.weights.tobytes()
    assert len(list(kept.folder("keras").glob("*.npy"))) == 1


def test_a_stopped_training_does_not_replace_one_that_learnt_longer(
    kept: TrainedGenerators, fake: FakeTraining, letters: DataSet, tmp_path: Path
) -> None:
    finished = train(TrainedGenerators(letters, tmp_path / "generators", seed=9))
    fake.steps = 1
    assert train(kept).steps == 1
    for found in (kept.of("keras"), by_character(kept.folder("keras"), "keras")):
        assert found["A"].weights.tobytes() == finished.weights.tobytes()


def test_a_stopped_training_replaces_one_that_was_stopped_earlier(
    kept: TrainedGenerators, fake: FakeTraining
) -> None:
    fake.steps = 1
    train(kept)
    again = train(kept)
    assert kept.of("keras")["A"].weights.tobytes() == again.weights.tobytes()


def test_a_session_has_what_others_kept_once_it_keeps_something(
    kept: TrainedGenerators, fake: FakeTraining, letters: DataSet, tmp_path: Path
) -> None:
    assert kept.of("keras") == {}
    train(TrainedGenerators(letters, tmp_path / "generators", seed=9), 1)
    train(kept, 0)
    assert set(kept.of("keras")) == {"A", "B"}


def test_a_training_that_diverges_leaves_what_was_there(
    kept: TrainedGenerators, fake: FakeTraining
) -> None:
    result = train(kept)
    fake.diverges = True
    with pytest.raises(UserError, match="the weights grew; nothing was kept"):
        train(kept)
    for found in (kept.of("keras"), by_character(kept.folder("keras"), "keras")):
        assert found["A"].weights.tobytes() == result.weights.tobytes()


def test_a_generator_that_cannot_be_kept_is_in_memory(
    letters: DataSet, fake: FakeTraining, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    generators = TrainedGenerators(letters, tmp_path / "file", seed=3)
    with pytest.raises(CollectionError, match="cannot be saved"):
        train(generators)
    assert list(generators.of("keras")) == ["A"]


def test_a_damaged_folder_is_never_trained_over(
    kept: TrainedGenerators, fake: FakeTraining
) -> None:
    kept.folder("keras").mkdir(parents=True)
    document = kept.folder("keras") / "collection.json"
    document.write_text("{")
    asked: Sequence[Callable[[], object]] = (
        lambda: kept.of("keras"),
        lambda: kept.plan("keras", 0, TINY),
        lambda: train(kept),
    )
    for ask in asked:
        with pytest.raises(CollectionError):
            ask()
    assert document.read_text() == "{" and fake.images == []
    assert kept.of("keras_adversarial") == {}


def test_a_plan_says_what_the_training_would_be(
    kept: TrainedGenerators, fake: FakeTraining
) -> None:
    plan = kept.plan("keras", 0, TINY)
    assert (plan.characters, plan.images, plan.steps) == (("A",), 50, 6)
    assert plan.seconds is None
    train(kept)  # said to take 3 seconds for 6 steps
    assert kept.plan("keras", 1, replace(TINY, steps=60)).seconds == pytest.approx(30)


# ------------------------------------------------------------------------- drawing


def a_generator(**changes: Any) -> CharacterGenerator:
    weights = np.random.default_rng(1).uniform(0.05, 0.5, weight_count(TINY)).astype(np.float16)
    values: dict[str, Any] = {
        "characters": ("A",),
        "settings": TINY,
        "steps": 6,
        "seconds": 1.0,
        "seed": 1,
        "data": images_learnt(np.zeros((50, 28, 28), np.uint8), "a.mat", "all"),
        "quality": {},
        "versions": {},
        "weights": weights,
    }
    return CharacterGenerator(**(values | changes))


def drawer(generators: dict[str, CharacterGenerator], seed: int = 1) -> TrainedGenerator:
    return TrainedGenerator(("A", "B"), generators, np.random.default_rng(seed))


def test_each_drawing_is_another_and_held_out() -> None:
    generator = drawer({"A": a_generator()})
    drawings = [generator.draw(0) for _ in range(3)]
    assert all(drawing.held_out for drawing in drawings)
    images = [drawing.image for drawing in drawings] + list(generator.draw_many(0, 4))
    assert {(image.shape, image.dtype) for image in images} == {((28, 28), np.dtype(np.uint8))}
    assert len({image.tobytes() for image in images}) == 7


def test_the_same_seed_repeats_the_drawings() -> None:
    one, other, third = (drawer({"A": a_generator()}, seed).draw_many(0, 5) for seed in (1, 1, 2))
    assert np.array_equal(one, other) and not np.array_equal(one, third)


def test_a_generator_that_is_replaced_draws_from_then_on() -> None:
    generators = {"A": a_generator()}
    generator = drawer(generators)
    latent = draw_latent(3, 4, np.random.default_rng(0))
    before = generator.draw_from(0, latent)
    assert np.array_equal(generator.draw_from(0, latent), before)
    generators["A"] = a_generator(weights=a_generator().weights * np.float16(0.5))
    assert not np.array_equal(generator.draw_from(0, latent), before)


def test_the_latent_scale_is_that_of_the_settings() -> None:
    latent = draw_latent(3, 4, np.random.default_rng(0))
    narrow = a_generator(settings=replace(TINY, latent_scale=0.5))
    half = drawer({"A": narrow}).draw_from(0, latent)
    assert np.array_equal(half, drawer({"A": a_generator()}).draw_from(0, latent * np.float32(0.5)))
    assert not np.array_equal(half, drawer({"A": a_generator()}).draw_from(0, latent))


@pytest.mark.parametrize("size", [2, 7])
def test_a_latent_vector_of_another_length_is_repeated_or_cut(size: int) -> None:
    generator = drawer({"A": a_generator()})
    latent = draw_latent(1, size, np.random.default_rng(0))
    fitting = np.tile(latent, (1, 2))[:, :4]
    assert np.array_equal(generator.draw_from(0, latent), generator.draw_from(0, fitting))


def test_a_character_without_a_generator_is_refused() -> None:
    with pytest.raises(UserError, match="no trained generator of 'B' yet"):
        drawer({"A": a_generator()}).draw(1)


def test_weights_that_do_not_fit_are_refused() -> None:
    broken = a_generator(weights=np.zeros(7, np.float16))
    with pytest.raises(CollectionError, match="generator of 'A' is damaged"):
        drawer({"A": broken}).draw(0)


# ------------------------------------------------------------------------- in a session


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "gan.txt"
    path.write_text(repr({"keras": settings_to_json(TINY)}))
    return path


@pytest.fixture
def session(letters: DataSet, trained_root: Path, saved_collection: Path) -> TrainerPredictor:
    """A later session: a network that reads, and generators of A and B."""
    later = TrainerPredictor(letters, seed=7, generator_root=trained_root)
    later.load(saved_collection)
    return later


def test_a_later_session_draws_without_training(
    session: TrainerPredictor, fake: FakeTraining
) -> None:
    assert [session.lacks_generator("keras", character) for character in "ABCa"] == [
        False, False, True, False,
    ]  # fmt: skip
    prediction = session.predict("keras", "a")
    assert (prediction.asked, prediction.stands_for) == ("a", "A")
    assert prediction.drawing.held_out
    assert session.draw_each("keras", "BAB a", 3).characters == ("B", "A")
    assert fake.images == []


def test_sessions_of_the_same_seed_draw_the_same(
    letters: DataSet, trained_root: Path, saved_collection: Path
) -> None:
    drawn = []
    for seed in (7, 7, 8):
        session = TrainerPredictor(letters, seed=seed, generator_root=trained_root)
        session.load(saved_collection)
        images = [session.predict("keras", "A").drawing.image for _ in range(2)]
        images += [*session.draw_each("keras", "AB", 2).images[1]]
        images += [image for image in session.draw_line("keras", "A B") if image is not None]
        drawn.append(np.stack(images))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0][0], drawn[0][1]), "two in one session differ"


def test_a_line_is_written_in_one_hand(session: TrainerPredictor) -> None:
    first, second, space, third, small = session.draw_line("keras", "AB Aa")
    assert first is not None and second is not None and space is None
    assert np.array_equal(first, third) and np.array_equal(first, small)  # type: ignore[arg-type]
    assert not np.array_equal(first, second)
    another = session.draw_line("keras", "A")[0]
    assert another is not None and not np.array_equal(first, another)


def test_a_line_of_real_images_takes_another_each_time(session: TrainerPredictor) -> None:
    one, other = session.draw_line("basic", "AA")
    assert one is not None and other is not None and not np.array_equal(one, other)


def test_nothing_to_draw_is_refused(session: TrainerPredictor) -> None:
    for text in ("", "   "):
        with pytest.raises(UserError, match="there is nothing to draw"):
            session.draw_each("keras", text, 1)
        with pytest.raises(UserError, match="there is nothing to draw"):
            session.draw_line("keras", text)


def test_what_cannot_be_drawn_is_refused(session: TrainerPredictor) -> None:
    for draw in (lambda name, text: session.draw_each(name, text, 1), session.draw_line):
        with pytest.raises(DataError, match=r"no character '\?'"):
            draw("keras", "A?")
        with pytest.raises(UserError, match="no trained generator of 'C' yet"):
            draw("keras", "AC")
        with pytest.raises(UserError, match="there is no generator 'torch'"):
            draw("torch", "A")


def test_wrong_names_are_refused_before_any_training(
    session: TrainerPredictor, settings_file: Path, fake: FakeTraining, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="there is no generator 'torch'; there are basic, keras"):
        session.lacks_generator("torch", "A")
    with pytest.raises(DataError, match="no character 'x'"):
        session.lacks_generator("keras", "x")
    assert session.lacks_generator("basic", "A") is False
    for ask in (session.plan_generator, session.train_generator):
        with pytest.raises(UserError, match="there is no generator 'basic' to train"):
            ask("basic", "A", settings_file)
        with pytest.raises(DataError, match="no character 'x'"):
            ask("keras", "x", settings_file)
        with pytest.raises(UserError, match="has no settings for 'keras_adversarial'"):
            ask("keras_adversarial", "A", settings_file)
        with pytest.raises(HyperparameterError, match="there is no file"):
            ask("keras", "A", tmp_path / "missing.txt")
    assert fake.images == []


def test_a_session_trains_by_a_file_and_draws_at_once(
    letters: DataSet, settings_file: Path, fake: FakeTraining, tmp_path: Path
) -> None:
    session = TrainerPredictor(letters, seed=7, generator_root=tmp_path / "new")
    assert session.lacks_generator("keras", "B")
    session.train_generator("keras", "b", settings_file)
    assert not session.lacks_generator("keras", "B")
    before = session.draw_line("keras", "B")[0]
    session.train_generator("keras", "B", settings_file)
    after = session.draw_line("keras", "B")[0]
    assert before is not None and after is not None and not np.array_equal(before, after)


def test_a_session_draws_what_it_trained_after_it_had_drawn_others(
    letters: DataSet,
    saved_collection: Path,
    settings_file: Path,
    fake: FakeTraining,
    tmp_path: Path,
) -> None:
    session = TrainerPredictor(letters, seed=7, generator_root=tmp_path / "new")
    session.load(saved_collection)
    session.train_generator("keras", "A", settings_file)
    session.predict("keras", "A")
    session.train_generator("keras", "B", settings_file)
    assert session.predict("keras", "B").asked == "B"
    assert session.draw_each("keras", "AB", 2).characters == ("A", "B")


def test_a_session_draws_with_its_latest_training(
    letters: DataSet, settings_file: Path, fake: FakeTraining, tmp_path: Path
) -> None:
    session = TrainerPredictor(letters, seed=7, generator_root=tmp_path / "new")
    session.train_generator("keras", "A", settings_file)
    session.draw_each("keras", "A", 1)
    session.train_generator("keras", "A", settings_file)
    drawn = session.draw_each("keras", "A", 2).images[0]
    later = TrainerPredictor(letters, seed=7, generator_root=tmp_path / "new")
    later.draw_each("keras", "A", 1)
    assert np.array_equal(later.draw_each("keras", "A", 2).images[0], drawn)


# ------------------------------------------------------------------------- pictures


def test_pictures_of_a_training_are_a_png_a_gif_and_the_losses(
    fake: FakeTraining, tmp_path: Path
) -> None:
    trained = fake("keras", np.zeros((50, 28, 28), np.uint8), TINY, 1)
    folder = write_training_pictures(trained, "keras", ("A",), tmp_path)
    assert folder == tmp_path / "keras-U+0041"
    assert sorted(path.name for path in folder.iterdir()) == [
        "losses.png",
        "over-time.gif",
        "over-time.png",
    ]
    with Image.open(folder / "over-time.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 3
    for name in ("losses.png", "over-time.png"):
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"


def test_pictures_never_take_the_place_of_older_ones(fake: FakeTraining, tmp_path: Path) -> None:
    trained = fake("keras", np.zeros((50, 28, 28), np.uint8), TINY, 1)
    (tmp_path / "keras-U+0041").mkdir()
    (tmp_path / "keras-U+0041-2").write_text("mine")
    folder = write_training_pictures(trained, "keras", ("A",), tmp_path)
    assert folder.name == "keras-U+0041-3"
    assert list((tmp_path / "keras-U+0041").iterdir()) == []
    assert (tmp_path / "keras-U+0041-2").read_text() == "mine"
    assert write_training_pictures(trained, "keras", ("a",), tmp_path).name == "keras-U+0061"


def test_a_training_without_a_preview_has_its_losses_alone(
    fake: FakeTraining, tmp_path: Path
) -> None:
    trained = fake("keras", np.zeros((50, 28, 28), np.uint8), TINY, 1)
    stopped = replace(trained, previews=trained.previews[:0], preview_steps=())
    folder = write_training_pictures(stopped, "keras", ("A",), tmp_path)
    assert [path.name for path in folder.iterdir()] == ["losses.png"]


def test_pictures_that_cannot_be_written_are_one_sentence(
    fake: FakeTraining, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    trained = fake("keras", np.zeros((50, 28, 28), np.uint8), TINY, 1)
    with pytest.raises(UserError, match="cannot be written to"):
        write_training_pictures(trained, "keras", ("A",), tmp_path / "file")


def test_pictures_of_many_characters_have_a_short_name(fake: FakeTraining, tmp_path: Path) -> None:
    trained = fake("keras", np.zeros((50, 28, 28), np.uint8), TINY, 1)
    characters = tuple(map(chr, range(0x4E00, 0x5000)))
    folder = write_training_pictures(trained, KIND, characters, tmp_path)
    assert folder == tmp_path / f"conditional-{key_of(characters)}" and len(folder.name) < 40
    assert len(list(folder.iterdir())) == 3


def test_characters_are_named_in_a_few_words() -> None:
    assert [named(("A",)), named(("'",)), named(("A", "B"))] == ["'A'", '"\'"', "2 characters"]


# ------------------------------------------------------------------------- one for all


@pytest.fixture(scope="module")
def alphabet(make_data_set: MakeDataSet) -> DataSet:
    """A, B and C with just enough images for a generator of all."""
    return make_data_set("ABC", 10 * MINIMUM_IMAGES_OF_MANY)


class FakeTrainingOfAll:
    """Takes the place of the training of one generator for all characters."""

    def __init__(self) -> None:
        self.lessons: list[tuple[Images, Labels]] = []
        self.steps: int | None = None
        self.diverges = False

    def __call__(
        self,
        images: Images,
        labels: Labels,
        settings: GanSettings,
        seed: int,
        *,
        show: Callable[[Progress], None] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
        checkpoint: Path | None = None,
    ) -> TrainedGan:
        assert checkpoint is None
        if self.diverges:
            raise GanDiverged("the weights grew")
        self.lessons.append((images, labels))
        random = np.random.default_rng([seed, len(self.lessons)])
        count = weight_count(settings, int(labels.max()) + 1)
        return TrainedGan(
            weights=random.uniform(0.05, 0.5, count).astype(np.float16),
            steps=settings.steps if self.steps is None else self.steps,
            seconds=3.0,
            losses=random.standard_normal((1, 3)),
            previews=random.integers(0, 256, (1, 16, 28, 28), dtype=np.uint8),
            preview_steps=(settings.steps,),
        )


@pytest.fixture
def fake_of_all(monkeypatch: pytest.MonkeyPatch) -> FakeTrainingOfAll:
    training = FakeTrainingOfAll()
    monkeypatch.setattr(gan.training, "train_conditional_generator", training)
    return training


@pytest.fixture
def kept_of_all(alphabet: DataSet, tmp_path: Path) -> TrainedGenerators:
    return TrainedGenerators(alphabet, tmp_path / "generators", seed=3)


def stored(generators: TrainedGenerators) -> dict[tuple[str, ...], CharacterGenerator]:
    return load_generators(generators.folder(KIND), KIND)


def train_all(generators: TrainedGenerators, settings: GanSettings = PLAIN) -> TrainedGan:
    return train(generators, 0, settings, KIND)


def test_a_plan_for_all_names_all_characters(
    kept_of_all: TrainedGenerators, fake_of_all: FakeTrainingOfAll
) -> None:
    for class_index in (0, 2):
        plan = kept_of_all.plan(KIND, class_index, PLAIN)
        assert (plan.characters, plan.images, plan.steps) == (("A", "B", "C"), 15, 6)
        assert plan.seconds is None
    train_all(kept_of_all)  # said to take 3 seconds for 6 steps
    assert kept_of_all.plan(KIND, 0, replace(PLAIN, steps=60)).seconds == pytest.approx(30)
    assert kept_of_all.plan(KIND, 0, READING).seconds is None  # of other settings


def test_too_few_images_of_one_character_refuse_a_training_of_all(
    alphabet: DataSet, fake_of_all: FakeTrainingOfAll, tmp_path: Path
) -> None:
    rows = alphabet.splits.generator
    missing = rows[alphabet.labels[rows] == 1][:1]
    splits = replace(alphabet.splits, generator=np.setdiff1d(rows, missing))
    generators = TrainedGenerators(replace(alphabet, splits=splits), tmp_path / "new", seed=3)
    for ask in (lambda: generators.plan(KIND, 0, PLAIN), lambda: train_all(generators)):
        with pytest.raises(UserError) as caught:
            ask()
        message = str(caught.value)
        assert "there are 4 images of 'B' to learn from in the generator split" in message
        assert "5 are needed" in message and "start with more images of 'B'" in message
    assert fake_of_all.lessons == [] and not generators.folder(KIND).exists()


def test_one_generator_is_trained_and_kept_for_all(
    kept_of_all: TrainedGenerators, fake_of_all: FakeTrainingOfAll, alphabet: DataSet
) -> None:
    result = train(kept_of_all, 2, PLAIN, KIND)
    rows = alphabet.splits.generator
    ((images, labels),) = fake_of_all.lessons
    assert np.array_equal(images, alphabet.images[rows])
    assert np.array_equal(labels, alphabet.labels[rows])
    ((characters, generator),) = stored(kept_of_all).items()
    assert characters == generator.characters == ("A", "B", "C")
    assert generator.weights.tobytes() == result.weights.tobytes()
    assert generator.data == images_learnt(images, "letters.mat", "the generator split")
    found = kept_of_all.of(KIND)
    assert list(found) == ["A", "B", "C"] and len(set(map(id, found.values()))) == 1


@pytest.mark.thorough
def test_a_real_training_of_all_is_recorded_and_told(kept_of_all: TrainedGenerators) -> None:
    told: list[Progress] = []
    result = kept_of_all.train(KIND, 0, READING, show=told.append, should_stop=lambda: False)
    assert [type(one) for one in told] == [FeatureProgress, GanProgress]
    (generator,) = stored(kept_of_all).values()
    assert (generator.settings, generator.steps, generator.seed) == (READING, 6, 3)
    assert generator.weights.tobytes() == result.weights.tobytes()
    assert {"keras", "tensorflow", "python"} <= set(generator.versions)


def test_training_all_again_replaces(
    kept_of_all: TrainedGenerators, fake_of_all: FakeTrainingOfAll
) -> None:
    train_all(kept_of_all)
    result = train_all(kept_of_all, replace(PLAIN, generator_widths=(2, 2, 2)))
    (generator,) = stored(kept_of_all).values()
    assert generator.weights.tobytes() == result.weights.tobytes()
    assert kept_of_all.of(KIND)["B"].settings.generator_widths == (2, 2, 2)
    assert len(list(kept_of_all.folder(KIND).glob("*.npy"))) == 1


def test_a_data_set_with_some_of_the_characters_uses_the_generator(
    kept_of_all: TrainedGenerators,
    fake_of_all: FakeTrainingOfAll,
    make_data_set: MakeDataSet,
    tmp_path: Path,
) -> None:
    train_all(kept_of_all)
    for classes, found in (("AC", "AC"), ("CB", "CB"), ("CAB", "CAB"), ("AD", ""), ("ABCD", "")):
        data_set = make_data_set(classes, 20)
        later = TrainedGenerators(data_set, tmp_path / "generators", seed=3)
        assert sorted(later.of(KIND)) == sorted(found)


def test_generators_of_other_characters_live_side_by_side(
    kept_of_all: TrainedGenerators,
    fake_of_all: FakeTrainingOfAll,
    make_data_set: MakeDataSet,
    tmp_path: Path,
) -> None:
    one = train_all(kept_of_all)
    other_data = make_data_set("AD", 10 * MINIMUM_IMAGES_OF_MANY)
    generators = TrainedGenerators(other_data, tmp_path / "generators", seed=3)
    other = train_all(generators)
    found = stored(generators)
    assert found[("A", "B", "C")].weights.tobytes() == one.weights.tobytes()
    assert found[("A", "D")].weights.tobytes() == other.weights.tobytes()
    assert {drawer.characters for drawer in generators.of(KIND).values()} == {("A", "D")}


@pytest.mark.parametrize("failure", ["stopped", "diverged"])
def test_a_training_of_all_that_learnt_nothing_leaves_what_was_there(
    kept_of_all: TrainedGenerators, fake_of_all: FakeTrainingOfAll, failure: str
) -> None:
    result = train_all(kept_of_all)
    fake_of_all.steps, fake_of_all.diverges = 0, failure == "diverged"
    with pytest.raises(UserError, match="nothing was kept"):
        train_all(kept_of_all, replace(PLAIN, generator_widths=(2, 2, 2)))
    for found in (kept_of_all.of(KIND)["A"], *stored(kept_of_all).values()):
        assert found.weights.tobytes() == result.weights.tobytes()
        assert found.settings == PLAIN


def test_stopped_before_anything_was_learnt_nothing_is_kept(
    kept_of_all: TrainedGenerators,
) -> None:
    with pytest.raises(UserError, match="stopped before the generator learnt anything"):
        kept_of_all.train(
            KIND,
            0,
            replace(READING, feature_steps=10**6),
            show=lambda progress: None,
            should_stop=lambda: True,
        )
    assert kept_of_all.of(KIND) == {} and not kept_of_all.folder(KIND).exists()


# ------------------------------------------------------------------------- drawing with one for all


def drawer_of(classes: str, generator: CharacterGenerator, seed: int = 1) -> TrainedGenerator:
    known = {character: generator for character in classes if character in generator.characters}
    return TrainedGenerator(tuple(classes), known, np.random.default_rng(seed))


def differ(one: Images, other: Images) -> bool:
    """By more than half-precision and the size of a batch can do."""
    return bool(np.abs(one.astype(int) - other).max() > 2)


def test_one_latent_vector_draws_every_class() -> None:
    generator = drawer_of("ABC", many("ABC"))
    latent = draw_latent(2, 4, np.random.default_rng(0))
    found = [generator.draw_from(label, latent) for label in range(3)]
    assert all(images.shape == (2, 28, 28) and images.dtype == np.uint8 for images in found)
    assert differ(found[0], found[1]) and differ(found[1], found[2])
    network = network_of(many("ABC"))
    for label, images in enumerate(found):
        expected = draw_with(network, latent, np.full(2, label, np.int32))
        assert np.array_equal(images, expected)


def test_a_class_is_drawn_by_its_character_not_by_its_number() -> None:
    latent = draw_latent(2, 4, np.random.default_rng(0))
    all_three, two = drawer_of("ABC", many("ABC")), drawer_of("CA", many("ABC"))
    assert np.array_equal(two.draw_from(0, latent), all_three.draw_from(2, latent))
    assert np.array_equal(two.draw_from(1, latent), all_three.draw_from(0, latent))


def test_the_latent_scale_of_one_for_all_is_that_of_its_settings() -> None:
    latent = draw_latent(2, 4, np.random.default_rng(0))
    narrow = many("ABC", settings=replace(PLAIN, latent_scale=0.5))
    half = drawer_of("ABC", narrow).draw_from(1, latent)
    whole = drawer_of("ABC", many("ABC"))
    assert np.array_equal(half, whole.draw_from(1, latent * np.float32(0.5)))
    assert differ(half, whole.draw_from(1, latent))


def test_each_drawing_of_one_for_all_is_another_and_held_out() -> None:
    generator = drawer_of("ABC", many("ABC"))
    drawings = [generator.draw(1) for _ in range(2)]
    assert all(drawing.held_out for drawing in drawings)
    images = [drawing.image for drawing in drawings] + list(generator.draw_many(1, 3))
    assert len({image.tobytes() for image in images}) == 5


def test_weights_of_one_for_all_that_do_not_fit_are_refused() -> None:
    broken = many("ABC", weights=many("AB").weights)
    with pytest.raises(CollectionError, match="generator of 'A', 'B', 'C' is damaged"):
        drawer_of("ABC", broken).draw(0)
    with pytest.raises(UserError, match="no trained generator of 'D' yet"):
        drawer_of("AD", many("ABC")).draw(1)


@pytest.fixture
def of_all(alphabet: DataSet, tmp_path: Path) -> Callable[[int], TrainerPredictor]:
    """Sessions that begin with a generator of all and one of A and B alone each."""
    save_generator(tmp_path / "drawers" / KIND, KIND, many("ABC"))
    for character in "AB":
        one = a_generator(characters=(character,))
        save_generator(tmp_path / "drawers" / "keras", "keras", one)
    return lambda seed: TrainerPredictor(alphabet, seed=seed, generator_root=tmp_path / "drawers")


def test_every_column_of_a_sheet_is_one_hand(of_all: Callable[[int], TrainerPredictor]) -> None:
    """The same latent vectors draw each character, one a column."""
    drawn = of_all(7).draw_hands(KIND, "CaC A", 4)
    assert drawn.characters == ("C", "A") and drawn.generator == KIND
    hands = np.random.default_rng(7).standard_normal((4, 4096), dtype=np.float32)
    generator = drawer_of("ABC", many("ABC"))
    for label, images in zip((2, 0), drawn.images, strict=True):
        assert np.array_equal(images, generator.draw_from(label, hands))
        for column, image in enumerate(images):
            alone = generator.draw_from(label, hands[column : column + 1])[0]
            assert not differ(image, alone)
        assert all(differ(images[0], image) for image in images[1:])
    assert differ(*drawn.images)


def test_generators_of_one_character_each_draw_in_hands_too(
    of_all: Callable[[int], TrainerPredictor],
) -> None:
    drawn = of_all(7).draw_hands("keras", "AB", 3)
    hands = np.random.default_rng(7).standard_normal((3, 4096), dtype=np.float32)
    for label, images in enumerate(drawn.images):
        one = drawer({"AB"[label]: a_generator(characters=("AB"[label],))})
        assert np.array_equal(images, one.draw_from(label, hands))


def test_real_images_are_in_no_hand_and_none_comes_twice(
    of_all: Callable[[int], TrainerPredictor],
) -> None:
    drawn = of_all(7).draw_hands("basic", "AB", 5)
    assert [images.shape for images in drawn.images] == [(5, 28, 28)] * 2
    assert len({image.tobytes() for image in np.concatenate(drawn.images)}) == 10


def test_hands_repeat_with_the_seed(of_all: Callable[[int], TrainerPredictor]) -> None:
    one, same, other = (of_all(seed).draw_hands(KIND, "AB", 2).images[1] for seed in (7, 7, 8))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    session = of_all(7)
    first, second = (session.draw_hands(KIND, "AB", 2).images[1] for _ in range(2))
    assert not np.array_equal(first, second), "two sheets of one session differ"


def test_hands_that_cannot_be_drawn_are_refused(of_all: Callable[[int], TrainerPredictor]) -> None:
    session = of_all(7)
    for text in ("", "  "):
        with pytest.raises(UserError, match="there is nothing to draw"):
            session.draw_hands(KIND, text, 1)
    with pytest.raises(DataError, match=r"no character '\?'"):
        session.draw_hands(KIND, "A?", 1)
    with pytest.raises(UserError, match="no trained generator of 'C' yet"):
        session.draw_hands("keras", "AC", 1)
    with pytest.raises(UserError, match="there is no generator 'torch'"):
        session.draw_hands("torch", "A", 1)


def test_a_line_by_one_for_all_is_written_in_one_hand(
    of_all: Callable[[int], TrainerPredictor],
) -> None:
    first, space, second, third = of_all(7).draw_line(KIND, "A ba")
    assert first is not None and space is None and second is not None and third is not None
    assert np.array_equal(first, third) and differ(first, second)
    hand = np.random.default_rng(7).standard_normal((1, 4096), dtype=np.float32)
    assert np.array_equal(first, drawer_of("ABC", many("ABC")).draw_from(0, hand)[0])


def test_a_session_lacks_a_generator_of_all_until_it_is_trained(
    alphabet: DataSet, fake_of_all: FakeTrainingOfAll, tmp_path: Path
) -> None:
    settings_file = tmp_path / "gan.txt"
    settings_file.write_text(repr({KIND: settings_to_json(PLAIN)}))
    session = TrainerPredictor(alphabet, seed=7, generator_root=tmp_path / "new")
    assert all(session.lacks_generator(KIND, character) for character in "ABC")
    assert session.plan_generator(KIND, "b", settings_file).characters == ("A", "B", "C")
    session.train_generator(KIND, "b", settings_file)
    assert not any(session.lacks_generator(KIND, character) for character in "ABCa")
    assert session.draw_each(KIND, "ABC", 2).characters == ("A", "B", "C")
    assert len(fake_of_all.lessons) == 1
