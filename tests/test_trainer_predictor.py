"""Tests of what each menu command does, without a terminal."""

import dataclasses
import gc
import itertools
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_model
import data_parser
from collection_evaluation import MOST_DRAWN, Evaluation, write_confusion_matrix
from crews import process_crew
from crews.in_process_crew import InProcessCrew
from data_parser import DataSet
from errors import CollectionError, DataError, HyperparameterError, UserError
from evaluation import overlap
from evaluation.recognition import Score, confusion_among
from image_generator import BasicGenerator
from model_collection import ModelCollection, network_of
from process_lock import LOCK_NAME, holding
from settings.network_layers import Conv2D
from storage import collection_folder
from storage.collection_folder import load_collection, save_collection
from trainer_predictor import TrainerPredictor
from unused_path import unused_path

MakeDataSet = Callable[..., DataSet]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "autosave"


@pytest.fixture
def session(data_set: DataSet, saved_collection: Path, root: Path) -> TrainerPredictor:
    """A session with the two tiny networks loaded."""
    made = TrainerPredictor(data_set, autosave_root=root)
    made.load(saved_collection)
    return made


def folders_in(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()]


def trained_session(data_set: DataSet, root: Path, tiny: Any, observer: Any) -> TrainerPredictor:
    made = TrainerPredictor(data_set, autosave_root=root)
    made.train(tiny.variants_file, tiny.parameters_file, retrain=False, observer=observer)
    return made


def rows_of(data_set: DataSet, image: np.ndarray) -> list[int]:
    return np.flatnonzero((data_set.images == image).all(axis=(1, 2))).tolist()


# ------------------------------------------------------------------------- predict


def test_each_picture_of_the_generator_split_comes_once_before_any_comes_again(
    session: TrainerPredictor,
) -> None:
    data_set = session.data_set
    rows = data_set.splits.generator
    expected = rows[data_set.labels[rows] == 1].tolist()
    assert len(expected) > 2
    for _ in range(5):
        drawn = [session.predict("basic", "B").drawing for _ in expected]
        assert all(drawing.held_out for drawing in drawn)
        found = [row for drawing in drawn for row in rows_of(data_set, drawing.image)]
        assert sorted(found) == expected


def test_no_picture_comes_twice_running(session: TrainerPredictor) -> None:
    drawn = [session.predict("basic", "A").drawing.image for _ in range(60)]
    assert not any(np.array_equal(a, b) for a, b in itertools.pairwise(drawn))


def test_what_is_drawn_is_what_was_asked_for(session: TrainerPredictor) -> None:
    for character in "CABBAC":
        found = session.predict("basic", character)
        (row,) = rows_of(session.data_set, found.drawing.image)
        assert session.data_set.classes[session.data_set.labels[row]] == character
        assert (found.asked, found.stands_for) == (character, None)


def test_the_answer_is_that_of_the_best_network_likeliest_first(session: TrainerPredictor) -> None:
    found = session.predict("basic", "A")
    best = session.collection.best()
    assert best is not None and found.entry is best
    assert session.collection.entries[found.number] is best
    network = cnn_model.build_network(best.layers, 3)
    cnn_model.set_weights(network, best.weights)
    read = cnn_model.predict(network, found.drawing.image[None])[0]
    shown = {likely.character: likely.probability for likely in found.likeliest}
    assert shown == pytest.approx(dict(zip("ABC", read.tolist(), strict=True)), abs=1e-6)
    order = [likely.probability for likely in found.likeliest]
    assert order == sorted(order, reverse=True) and sum(order) == pytest.approx(1)


def test_another_best_entry_reads_from_then_on(session: TrainerPredictor) -> None:
    for number in (0, 1):
        entries = session.collection.entries
        for place, entry in enumerate(entries):
            scored = Score(float(place == number), 0.1, 9)
            entries[place] = dataclasses.replace(entry, validation=scored)
        assert session.predict("basic", "A").number == number


def test_the_session_repeats_with_its_seed(
    data_set: DataSet, saved_collection: Path, root: Path
) -> None:
    def pictures(seed: int) -> list[bytes]:
        made = TrainerPredictor(data_set, seed=seed, autosave_root=root)
        made.load(saved_collection)
        return [made.predict("basic", "ABC"[n % 3]).drawing.image.tobytes() for n in range(12)]

    assert pictures(5) == pictures(5) != pictures(6)


def test_pictures_the_network_was_trained_on_are_left_out(
    make_data_set: MakeDataSet, saved_collection: Path, root: Path
) -> None:
    """The collection comes from another division of the same images."""
    collection = load_collection(saved_collection)
    (used,) = collection.images_used.values()

    def new_ones(data_set: DataSet) -> list[tuple[int, int]]:
        """Of each class, how many pictures are new, and how many there are."""
        rows = data_set.splits.generator
        known = overlap.were_seen(data_set.images[rows], used)
        of_class = [data_set.labels[rows] == number for number in range(3)]
        return [(int((mask & ~known).sum()), int(mask.sum())) for mask in of_class]

    divisions = (make_data_set(seed=seed) for seed in range(2, 100))
    other = next(d for d in divisions if all(0 < new < all_ for new, all_ in new_ones(d)))
    made = TrainerPredictor(other, autosave_root=root)
    made.load(saved_collection)
    for character, (new, _) in zip("ABC", new_ones(other), strict=True):
        drawn = [made.predict("basic", character).drawing for _ in range(2 * new)]
        images = np.array([drawing.image for drawing in drawn])
        assert not overlap.were_seen(images, used).any()
        assert all(drawing.held_out for drawing in drawn)
        assert len(np.unique(images.reshape(len(images), -1), axis=0)) == new


def test_where_all_pictures_are_known_they_are_drawn_and_said_to_be(data_set: DataSet) -> None:
    random = np.random.default_rng(0)
    generator = BasicGenerator(data_set, random, overlap.image_keys(data_set.images))
    drawing = generator.draw(2)
    assert not drawing.held_out
    assert rows_of(data_set, drawing.image)[0] in data_set.splits.generator


def test_a_class_without_pictures_is_a_message(data_set: DataSet) -> None:
    rows = data_set.splits.generator
    without = dataclasses.replace(data_set.splits, generator=rows[data_set.labels[rows] != 1])
    lacking = dataclasses.replace(data_set, splits=without)
    generator = BasicGenerator(lacking, np.random.default_rng(0), np.empty(0, np.uint64))
    with pytest.raises(UserError, match="'B'"):
        generator.draw(1)
    assert generator.draw(0).held_out


def test_a_letter_stands_for_its_capital(session: TrainerPredictor) -> None:
    found = session.predict("basic", "c")
    assert (found.asked, found.stands_for) == ("c", "C")
    (row,) = rows_of(session.data_set, found.drawing.image)
    assert session.data_set.labels[row] == 2


@pytest.mark.parametrize("character", ["D", "7", "", " ", "AB", "ß", "\n", "é"])
def test_an_unknown_character_is_a_message(session: TrainerPredictor, character: str) -> None:
    with pytest.raises(UserError, match="A B C"):
        session.predict("basic", character)


@pytest.mark.parametrize("name", ["", "Basic", "karas", "../basic"])
def test_an_unknown_generator_is_a_message(session: TrainerPredictor, name: str) -> None:
    with pytest.raises(UserError, match="basic"):
        session.predict(name, "A")


def test_without_a_network_there_is_nothing_to_read_with(data_set: DataSet, root: Path) -> None:
    made = TrainerPredictor(data_set, autosave_root=root)
    for act in (lambda: made.predict("basic", "A"), lambda: made.evaluate(None)):
        with pytest.raises(UserError, match="no trained network"):
            act()
    with pytest.raises(CollectionError, match="nothing to save"):
        made.save(root)
    assert not root.exists()


# ------------------------------------------------------------------------- evaluate


def as_file(data_set: DataSet, path: Path, **changes: Any) -> Path:
    data_parser.write_npz(dataclasses.replace(data_set, **changes), path)
    return path


def test_scores_on_the_test_split_are_those_of_the_entries(session: TrainerPredictor) -> None:
    shown: list[tuple[int, int]] = []
    found = session.evaluate(None, show=lambda done, every: shown.append((done, every)))
    assert shown == [(0, 2), (1, 2)]
    for result, entry in zip(found.scores, session.collection.entries, strict=True):
        assert result.score.accuracy == entry.test.accuracy
        assert result.score.loss == pytest.approx(entry.test.loss, rel=1e-5)
        assert result.score.images == entry.test.images
        assert result.new_images == result.score
    best = session.collection.best()
    assert best is session.collection.entries[found.best]


def test_scores_on_a_file_are_those_computed_by_hand(
    session: TrainerPredictor, make_data_set: MakeDataSet, tmp_path: Path
) -> None:
    other = make_data_set(pixels=9, noise=250)
    found = session.evaluate(as_file(other, tmp_path / "other.npz"))
    assert "other.npz" in found.name
    for number, entry in enumerate(session.collection.entries):
        network = cnn_model.build_network(entry.layers, 3)
        cnn_model.set_weights(network, entry.weights)
        read = cnn_model.predict(network, other.images)
        right = read.argmax(axis=1) == other.labels
        loss = -np.log(np.clip(read[np.arange(len(read)), other.labels], 1e-7, 1)).mean()
        score = found.scores[number].score
        assert score.accuracy == right.mean() and score.images == len(other.images)
        assert score.loss == pytest.approx(loss, rel=1e-4)
        if number == found.best:
            expected = np.zeros((3, 3), int)
            np.add.at(expected, (other.labels, read.argmax(axis=1)), 1)
            assert np.array_equal(found.confusion.counts, expected)
            wrong = expected.sum() - np.trace(expected)
            assert sum(pair.count for pair in found.confused) == wrong


def test_images_that_were_trained_on_are_told_from_new_ones(
    session: TrainerPredictor, make_data_set: MakeDataSet, tmp_path: Path
) -> None:
    data_set = session.data_set
    own = session.evaluate(as_file(data_set, tmp_path / "own.npz"))
    unseen = np.concatenate([data_set.splits.test, data_set.splits.generator])
    for result, entry in zip(own.scores, session.collection.entries, strict=True):
        network = cnn_model.build_network(entry.layers, 3)
        cnn_model.set_weights(network, entry.weights)
        read = cnn_model.predict(network, data_set.images[unseen]).argmax(axis=1)
        assert result.score.images == len(data_set.images)
        assert result.new_images is not None
        assert result.new_images.images == len(unseen)
        assert result.new_images.accuracy == (read == data_set.labels[unseen]).mean()
    other = session.evaluate(as_file(make_data_set(pixels=9), tmp_path / "other.npz"))
    assert all(result.new_images == result.score for result in other.scores)


def test_a_file_with_nothing_new_has_no_score_on_new_images(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    data_set = session.data_set
    rows = np.sort(np.concatenate([data_set.splits.training, data_set.splits.validation]))
    labels = data_set.labels[rows]
    splits = data_parser.split_data(labels, np.zeros(len(rows), bool), data_set.classes, 1)
    path = as_file(
        data_set, tmp_path / "a.npz", images=data_set.images[rows], labels=labels, splits=splits
    )
    assert [result.new_images for result in session.evaluate(path).scores] == [None, None]


def test_digits_are_passed_over_where_the_collection_has_none(
    session: TrainerPredictor, make_data_set: MakeDataSet, tmp_path: Path
) -> None:
    found = session.evaluate(as_file(make_data_set("0A1B"), tmp_path / "digits.npz"))
    assert found.scores[0].score.images == 80
    with pytest.raises(UserError):
        session.evaluate(as_file(make_data_set("01"), tmp_path / "only.npz"))


def test_classes_are_matched_by_character_and_case(
    session: TrainerPredictor, make_data_set: MakeDataSet, tmp_path: Path
) -> None:
    found = session.evaluate(as_file(make_data_set("cBCa"), tmp_path / "mixed.npz"))
    assert found.confusion.counts.sum(axis=1).tolist() == [40, 40, 80]


def test_characters_the_collection_cannot_tell_apart_are_refused(
    session: TrainerPredictor, make_data_set: MakeDataSet, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="'D'"):
        session.evaluate(as_file(make_data_set("ABD"), tmp_path / "more.npz"))


@pytest.mark.parametrize("content", [b"", b"not a data set", b"PK\x03\x04", b"\x80\x04."])
def test_what_is_no_data_set_is_refused(
    session: TrainerPredictor, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    for path in (tmp_path / "file", tmp_path / "missing", tmp_path):
        with pytest.raises(DataError):
            session.evaluate(path)


def test_networks_are_let_go_once_they_have_read(
    session: TrainerPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[weakref.ref[Any]] = []

    def building(*given: Any) -> Any:
        network = network_of(*given)
        built.append(weakref.ref(network))
        return network

    monkeypatch.setattr("collection_reading.network_of", building)
    session.evaluate(None)
    session.evaluate(None)
    gc.collect()
    assert len(built) > 2 and sum(network() is not None for network in built) == 1


# ------------------------------------------------------------------------- the confusion matrix


def test_the_confusion_matrix_is_a_png_that_replaces_nothing(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    from matplotlib.image import imread

    found = session.evaluate(None)
    (tmp_path / "confusion-matrix-2.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "confusion-matrix.png").write_text("mine")
    path = write_confusion_matrix(found, tmp_path)
    assert path.name == "confusion-matrix-3.png"
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert min(imread(path).shape[:2]) > 300
    assert (tmp_path / "confusion-matrix.png").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_of_very_many_classes_those_most_confused_are_drawn(
    session: TrainerPredictor, tmp_path: Path, figures: list[Any]
) -> None:
    labels = np.repeat(np.arange(400), 9)
    taken_for = labels.copy()
    taken_for[[9 * 370, 9 * 399]] = 3, 5
    confusion = confusion_among(taken_for, labels, 400, MOST_DRAWN)
    classes = tuple(f"c{number}" for number in range(400))
    found = dataclasses.replace(session.evaluate(None), confusion=confusion, classes=classes)
    write_confusion_matrix(found, tmp_path)
    axes = figures[0].axes[0]
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    assert len(ticks) == MOST_DRAWN and {"c3", "c5", "c370", "c399"} <= set(ticks)
    assert ticks == sorted(ticks, key=lambda name: int(name[1:]))
    assert "the 150 of 400 characters most confused" in axes.get_title()


@pytest.mark.parametrize("name", ["$\\frac$ and $x_.npz", "a_b^c{.npz", "a\nb.npz", "Ω字.npz"])
@pytest.mark.filterwarnings("error:Glyph")
def test_names_are_shown_in_the_picture_as_they_are(
    session: TrainerPredictor, tmp_path: Path, name: str
) -> None:
    found = dataclasses.replace(
        session.evaluate(None), name=f"all images of {name}", classes=("$", "\\", "_")
    )
    assert write_confusion_matrix(found, tmp_path).stat().st_size > 1000


@pytest.mark.filterwarnings("error:Glyph")
def test_the_confusion_matrix_is_labelled_in_short_and_in_any_script(
    session: TrainerPredictor, tmp_path: Path, figures: list[Any]
) -> None:
    classes = ("\U0001f642 \U000f0001", 'a&b "q" <img src=x onerror=1>', "A")
    found = dataclasses.replace(
        session.evaluate(None), name=f"all images of \U000f0001{'x' * 90}.npz", classes=classes
    )
    write_confusion_matrix(found, tmp_path)
    (figure,) = figures
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["#1", 'a&b "q" <img…', "A"]
    lines = axes.get_title().split("\n")
    assert "accuracy" in lines[0] and lines[1].startswith("all images of ?xxx")
    assert max(map(len, lines)) < 50
    assert axes.get_position().width > 0.4
    figure.draw_without_rendering()
    drawn = axes.title.get_window_extent()
    assert drawn.x0 >= 0 and drawn.x1 <= figure.bbox.width


def test_a_picture_that_cannot_be_written_is_a_message(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    found: Evaluation = session.evaluate(None)
    with pytest.raises(UserError, match="cannot be written"):
        write_confusion_matrix(found, tmp_path / "missing")


# ------------------------------------------------------------------------- save and load


def test_a_collection_for_other_classes_is_refused(
    make_data_set: MakeDataSet, saved_collection: Path, root: Path
) -> None:
    for classes in ("ABD", "ABCD", "AB", "BAC", "abc"):
        made = TrainerPredictor(make_data_set(classes), autosave_root=root)
        before = made.collection
        with pytest.raises(CollectionError, match="tells 3 characters apart"):
            made.load(saved_collection)
        assert made.collection is before


def test_a_load_that_fails_leaves_the_session_as_it_was(
    session: TrainerPredictor, saved_collection: Path, tmp_path: Path
) -> None:
    before, entries = session.collection, list(session.collection.entries)
    damaged = Path(shutil.copytree(saved_collection, tmp_path / "damaged"))
    next(damaged.glob("*.npy")).unlink()
    for folder in (damaged, tmp_path / "missing", tmp_path):
        with pytest.raises(CollectionError):
            session.load(folder)
    assert session.collection is before and session.collection.entries == entries
    assert session.predict("basic", "A").entry in entries


def test_saving_over_other_entries_keeps_a_copy_of_them(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    assert session.save(folder) is None
    removed = session.collection.entries.pop(0)
    copy = session.save(folder)
    assert copy == tmp_path / "model-before"
    kept = load_collection(copy)
    assert kept.entries[0].identity == removed.identity
    assert len(kept.entries) == 2 and len(load_collection(folder).entries) == 1
    assert session.save(folder) is None
    save_collection(kept, folder)
    assert session.save(folder) == tmp_path / "model-before-2"


def test_what_programs_save_to_one_folder_one_after_the_other_is_there_or_in_a_copy(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    """Both wait for a third one, and what is there when they begin is not what they replace."""
    folder = tmp_path / "model"
    session.save(folder)
    with_seeds = []
    for seed in (101, 102):
        entries = [dataclasses.replace(one, seed=seed) for one in session.collection.entries]
        used = dict(session.collection.images_used)
        with_seeds.append(ModelCollection(session.collection.classes, entries, used))
    programs: list[threading.Thread] = []
    for collection in with_seeds:
        program = TrainerPredictor(session.data_set, autosave_root=tmp_path / str(len(programs)))
        program.collection = collection
        programs.append(threading.Thread(target=program.save, args=(folder,)))
    with holding(folder / LOCK_NAME, time.sleep):
        for thread in programs:
            thread.start()
        time.sleep(0.5)
    for thread in programs:
        thread.join()
    kept = {
        entry.seed for place in tmp_path.glob("model*") for entry in load_collection(place).entries
    }
    assert kept >= {101, 102}


@pytest.mark.parametrize("change", ["seed", "data"])
def test_the_same_variant_trained_on_other_data_or_by_another_seed_is_another_entry(
    session: TrainerPredictor, tmp_path: Path, change: str
) -> None:
    session.save(tmp_path / "model")
    before = load_collection(tmp_path / "model")
    for number, entry in enumerate(session.collection.entries):
        if change == "seed":
            other = dataclasses.replace(entry, seed=entry.seed + 1)
        else:
            origin = dataclasses.replace(entry.data, fingerprint="e" * 64)
            other = dataclasses.replace(entry, data=origin)
            session.collection.images_used["e" * 64] = session.collection.keys_of(entry)
        session.collection.entries[number] = other
    copy = session.save(tmp_path / "model")
    assert copy is not None
    assert [entry.data for entry in load_collection(copy).entries] == [
        entry.data for entry in before.entries
    ]


def test_saving_over_a_collection_of_other_classes_keeps_a_copy(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    other = ModelCollection(("X", "Y"))
    save_collection(other, tmp_path / "model")
    copy = session.save(tmp_path / "model")
    assert copy is not None and load_collection(copy).classes == ("X", "Y")


def test_saving_over_a_damaged_collection_keeps_what_is_left_of_it(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    session.save(tmp_path / "model")
    damaged, sound = sorted((tmp_path / "model").glob("*.h5"))
    damaged.write_bytes(b"damaged")
    del session.collection.entries[:]
    session.collection.entries.append(load_collection_entry(session))
    copy = session.save(tmp_path / "model")
    assert copy is not None
    assert (copy / sound.name).is_file() and (copy / damaged.name).read_bytes() == b"damaged"


def load_collection_entry(session: TrainerPredictor) -> Any:
    """An entry of other layers, made of nothing."""
    from evaluation.recognition import Score
    from model_collection import Entry, library_versions, origin_of
    from settings.layer_lists import weight_arrays
    from settings.network_layers import Flatten

    origin = origin_of(session.data_set)
    session.collection.images_used = {origin.fingerprint: np.zeros(1, np.uint64)}
    return Entry(
        layers=(Conv2D(1, (1, 1)), Flatten()),
        training_parameters=hyper(),
        validation=Score(0.1, 1, 1),
        test=Score(0.1, 1, 1),
        history=(),
        seconds=1.0,
        seed=1,
        data=origin,
        versions=library_versions(["numpy"]),
        weights=tuple(
            np.zeros(array.shape, np.float16)
            for array in weight_arrays((Conv2D(1, (1, 1)), Flatten()), 3)
        ),
    )


def hyper() -> Any:
    from settings.training_parameters import TrainingParameters

    return TrainingParameters("adam", 1, 1)


def test_a_save_that_is_refused_leaves_no_copy(session: TrainerPredictor, tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(CollectionError):
        session.save(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("letters")] == [
        "letters"
    ]


def test_where_no_copy_can_be_kept_nothing_is_written_over(
    session: TrainerPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **how: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "model"
    session.save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    del session.collection.entries[0]
    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises(CollectionError, match="nothing was changed"):
        session.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_copy_that_is_broken_off_does_not_stay_as_half_a_one(
    session: TrainerPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(source: Path, target: Path, **how: object) -> None:
        (target / "collection.json").write_text("half of it")
        raise KeyboardInterrupt

    session.save(tmp_path / "model")
    del session.collection.entries[0]
    monkeypatch.setattr(shutil, "copytree", break_off)
    with pytest.raises(KeyboardInterrupt):
        session.save(tmp_path / "model")
    assert [path.name for path in tmp_path.glob("model*")] == ["model"]
    assert len(load_collection(tmp_path / "model").entries) == 2


def test_a_folder_that_another_program_made_meanwhile_is_left_alone(
    session: TrainerPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(path: Path) -> Path:
        found = unused_path(path)
        if found == path:  # as the other program does, between looking and making
            save_collection(session.collection, path)
        return found

    session.save(tmp_path / "model")
    del session.collection.entries[0]
    monkeypatch.setattr("unused_path.unused_path", look)
    assert session.save(tmp_path / "model") == tmp_path / "model-before-2"
    assert len(load_collection(tmp_path / "model-before").entries) == 1
    assert len(load_collection(tmp_path / "model-before-2").entries) == 2


def test_where_the_new_collection_cannot_be_written_no_copy_stays(
    session: TrainerPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    session.save(tmp_path / "model")
    del session.collection.entries[0]
    monkeypatch.setattr(collection_folder, "write_atomically", full)
    with pytest.raises(CollectionError, match="No space left on device; what was there before"):
        session.save(tmp_path / "model")
    assert [path.name for path in tmp_path.glob("model*")] == ["model"]
    assert len(load_collection(tmp_path / "model").entries) == 2


def test_the_working_folder_can_be_saved_into(
    session: TrainerPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert session.save(Path()) is None
    session.collection.entries.pop()
    assert session.save(Path()) == tmp_path.resolve() / "here-before"
    assert session.save(Path("../here")) is None


# ------------------------------------------------------------------------- autosave


def test_finished_entries_are_kept_until_they_are_saved(
    data_set: DataSet, root: Path, tiny: Any, observer: Any, tmp_path: Path
) -> None:
    made = trained_session(data_set, root, tiny, observer)
    assert made.has_unsaved_entries
    (kept,) = folders_in(root)
    assert len(load_collection(kept).entries) == 2
    assert made.autosave.unsaved() == ()
    later = TrainerPredictor(data_set, autosave_root=root)
    assert later.autosave.unsaved() == (), "its session is alive"
    made.save(tmp_path / "model")
    assert not made.has_unsaved_entries
    assert list(root.iterdir()) == [] and later.autosave.unsaved() == ()
    assert len(load_collection(tmp_path / "model").entries) == 2


def test_each_entry_is_on_disk_before_the_next_begins(
    data_set: DataSet, root: Path, tiny: Any, observer: Any
) -> None:
    made = TrainerPredictor(data_set, autosave_root=root)
    with pytest.raises(cnn_model.TrainingStopped):
        made.train(
            tiny.variants_file,
            tiny.parameters_file,
            retrain=False,
            observer=observer,
            should_stop=lambda: ("started", 1) in observer.told,
        )
    (kept,) = folders_in(root)
    (entry,) = load_collection(kept).entries
    assert entry.identity == made.collection.entries[0].identity


@pytest.mark.parametrize(
    ("workers", "variants", "epochs", "made"),
    [
        (1, 3, 1, []),  # as many as were asked for
        (2, 3, 1, [2]),
        (9, 3, 1, [3]),  # no more than there are variants
        (9, 1, 1, []),
        (1, 25, 1, []),
        (1, 26, 1, [1]),  # which is renewed, before so many networks fill the memory
        (None, 3, 1, []),  # so little is learnt sooner in this process
        (None, 3, 100_000, [2]),
    ],
)
def test_several_variants_are_trained_by_as_many_processes_as_were_asked_for_or_make_sense(
    data_set: DataSet,
    root: Path,
    tmp_path: Path,
    observer: Any,
    monkeypatch: pytest.MonkeyPatch,
    workers: int | None,
    variants: int,
    epochs: int,
    made: list[int],
) -> None:
    crews: list[int] = []

    def crew_of(number: int) -> InProcessCrew:
        crews.append(number)
        return InProcessCrew(lambda: True)

    monkeypatch.setattr(process_crew, "ProcessCrew", crew_of)
    monkeypatch.setattr(process_crew, "usable_cores", lambda: 2)
    layers = ", ".join(
        f"[{{'type':'flatten'}}, {{'type':'dense','dense_layer_size':{number + 1}}}]"
        for number in range(variants)
    )
    (tmp_path / "variants").write_text(f"[{layers}]")
    (tmp_path / "training").write_text(
        f"{{'optimizer':'adam','train_batch_size':8,'train_epochs':{epochs}}}"
    )
    session = TrainerPredictor(data_set, autosave_root=root, workers=workers)
    with pytest.raises(cnn_model.TrainingStopped):
        session.train(
            tmp_path / "variants",
            tmp_path / "training",
            retrain=False,
            observer=observer,
            should_stop=lambda: True,
        )
    assert crews == made


def test_training_goes_on_where_entries_cannot_be_kept_on_disk(
    data_set: DataSet, root: Path, tiny: Any, observer: Any
) -> None:
    root.write_text("in the way")
    session = TrainerPredictor(data_set, autosave_root=root)
    with pytest.raises(CollectionError, match="use Save"):
        session.train(tiny.variants_file, tiny.parameters_file, retrain=False, observer=observer)
    assert len(session.collection.entries) == 2


def keep_something(session: TrainerPredictor) -> Path:
    session._keep()
    assert session.autosave.folder is not None
    return session.autosave.folder


def test_what_another_session_left_can_be_loaded_and_saved(
    session: TrainerPredictor, data_set: DataSet, root: Path, tmp_path: Path
) -> None:
    kept = keep_something(session)
    session.autosave.end()
    later = TrainerPredictor(data_set, autosave_root=root)
    assert later.autosave.unsaved() == (kept,)
    later.load(kept)
    assert later.has_unsaved_entries and later.autosave.unsaved() == ()
    later.save(tmp_path / "model")
    assert not kept.exists() and not later.has_unsaved_entries
    assert len(load_collection(tmp_path / "model").entries) == 2


def test_what_a_session_that_is_alive_has_kept_is_loaded_and_stays_its_own(
    session: TrainerPredictor, data_set: DataSet, root: Path, tmp_path: Path
) -> None:
    kept = keep_something(session)
    other = TrainerPredictor(data_set, autosave_root=root)
    other.load(kept)
    assert len(other.collection.entries) == 2 and other.autosave.folder is None
    other.save(tmp_path / "model")
    assert len(load_collection(kept).entries) == 2, "the first session goes on with it"
    session._keep()
    assert session.autosave.folder == kept


def test_another_collection_that_is_loaded_leaves_what_was_kept(
    session: TrainerPredictor, saved_collection: Path, tmp_path: Path
) -> None:
    kept = keep_something(session)
    session.load(saved_collection)
    assert not session.has_unsaved_entries
    assert session.autosave.unsaved() == (kept,)
    session.save(tmp_path / "model")
    assert len(load_collection(kept).entries) == 2


def test_sessions_side_by_side_keep_their_own(
    session: TrainerPredictor, data_set: DataSet, saved_collection: Path, root: Path
) -> None:
    other = TrainerPredictor(data_set, autosave_root=root)
    other.load(saved_collection)
    del other.collection.entries[0]
    one, two = keep_something(session), keep_something(other)
    assert one != two
    assert [len(load_collection(folder).entries) for folder in (one, two)] == [2, 1]


def test_saving_into_the_autosave_folder_itself_does_not_remove_it(
    session: TrainerPredictor,
) -> None:
    kept = keep_something(session)
    session.save(kept)
    assert len(load_collection(kept).entries) == 2


def test_the_autosave_root_may_be_reached_through_a_link(
    session: TrainerPredictor, data_set: DataSet, root: Path
) -> None:
    kept = keep_something(session)
    link = root.with_name("link")
    link.symlink_to(root)
    session.autosave.end()
    later = TrainerPredictor(data_set, autosave_root=link)
    assert [path.name for path in later.autosave.unsaved()] == [kept.name]
    later.load(link / kept.name)
    assert later.autosave.unsaved() == ()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_an_autosave_root_that_is_no_folder_is_a_message(
    session: TrainerPredictor, root: Path, kind: str
) -> None:
    root.write_text("x") if kind == "file" else root.symlink_to("nowhere/deep")
    assert session.autosave.unsaved() == ()
    with pytest.raises(CollectionError):
        session._keep()
    assert session.has_unsaved_entries


def test_the_state_folder_of_the_user_is_where_entries_are_kept(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    if sys.platform != "linux":
        pytest.skip("only Linux has XDG_STATE_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    assert TrainerPredictor(data_set).autosave.root == tmp_path / "mine/handwriting/autosave"


# ------------------------------------------------------------------------- settings


def test_the_problems_of_both_files_are_named_and_nothing_is_trained(
    data_set: DataSet, root: Path, tmp_path: Path, observer: Any
) -> None:
    (tmp_path / "variants").write_text("[[{'type':'what'}]]")
    (tmp_path / "training").write_text("{}")
    made = TrainerPredictor(data_set, autosave_root=root)
    with pytest.raises(HyperparameterError) as caught:
        made.train(tmp_path / "variants", tmp_path / "training", retrain=False, observer=observer)
    assert "'what'" in str(caught.value) and "'optimizer'" in str(caught.value)
    assert observer.told == [] and not root.exists()
    assert not collection_folder.holds_collection(root)
