"""Tests of the menu with answers from a pipe, in this process."""

import contextlib
import dataclasses
import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import data_parser
import menu
from data_parser import DataSet, write_npz
from dialogues import collection as collection_dialogue
from dialogues import common
from entries import entry_training
from errors import CollectionError
from menu import HELP, Menu
from storage.collection_folder import save_collection
from terminal import InputEnded, PipeAsker, shown_path
from trainer_predictor import TrainerPredictor
from user_state import state_folder

PROMPT = f"{', '.join(HELP)}:"
HYPERPARAMETERS = "Path of the hyperparameter file"
TRAINING_PARAMETERS = "Path of the training-parameter file"
PREVIOUS = "Use the previous one"
RETRAIN = "Train again what is trained already? (Y/N):"
GENERATOR = "Generator (basic, keras, keras_adversarial, conditional, file, restored):"


@pytest.fixture(autouse=True)
def own_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the repository, and an empty answer trains nothing large."""
    monkeypatch.chdir(tmp_path)
    missing = dict.fromkeys(common.DEFAULT_SETTINGS, Path("missing.txt"))
    monkeypatch.setattr(common, "DEFAULT_SETTINGS", missing)


def talk(session: TrainerPredictor, *lines: str) -> str:
    """What is shown while these lines are answered."""
    return talk_raw(session, "".join(line + "\n" for line in lines))


def talk_raw(session: TrainerPredictor, answers: str) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(io.StringIO(answers), shown)).loop()
    return shown.getvalue()


def questions(shown: str) -> list[str]:
    """What was asked inside commands, in order."""
    kinds = (
        HYPERPARAMETERS,
        TRAINING_PARAMETERS,
        PREVIOUS,
        RETRAIN,
        "Generator (",
        "Character:",
        "Folder to save in:",
        "Folder to load:",
        "Show layers? (Y/N):",
        "Path of a labelled data set",
    )
    return [kind for line in shown.splitlines() for kind in kinds if line.startswith(kind)]


# ------------------------------------------------------------------------- words


@pytest.mark.parametrize("word", HELP)
def test_a_command_is_known_by_every_unique_beginning_in_any_case(
    session: TrainerPredictor, word: str
) -> None:
    whole = talk(session, word)
    for length in range(1, len(word) + 1):
        beginning = word[:length]
        if sum(name.startswith(beginning) for name in HELP) > 1:
            continue
        for written in (beginning.lower(), beginning.upper(), beginning.title(), f" {beginning}\t"):
            shown = talk(session, written)
            assert shown.replace(f": {written.strip()}\n", f": {word}\n", 1) == whole


def test_a_beginning_of_two_commands_is_not_guessed(session: TrainerPredictor) -> None:
    assert "'e' can mean Evaluate or Exit; type more of it" in talk(session, "e", "help")


@pytest.mark.parametrize("word", ["x", "trainn", "Train h.txt", "0", "\\", "[red]", "ſave"])
def test_a_word_that_is_no_command_is_answered_with_the_commands(
    session: TrainerPredictor, word: str
) -> None:
    assert f"There is no command {word!r}; type one of Train, Predict" in talk(session, word)


def test_an_empty_line_asks_again(session: TrainerPredictor) -> None:
    assert talk(session, "", "  ", "exit") == f"{PROMPT} \n{PROMPT} \n{PROMPT} exit\n"


def test_help_explains_each_command_in_one_line_of_a_terminal(session: TrainerPredictor) -> None:
    lines = talk(session, "help").splitlines()
    for name in HELP:
        explained = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(explained) == 1 and len(explained[0]) <= 80


# ------------------------------------------------------------------------- questions


QUESTIONS = [
    (["Train", "a", "b", "n"], [HYPERPARAMETERS, TRAINING_PARAMETERS, RETRAIN]),
    (["Predict", "basic", "A"], ["Generator (", "Character:"]),
    (["Save", "folder"], ["Folder to save in:"]),
    (["Load", "folder"], ["Folder to load:"]),
    (["Results", "n"], ["Show layers? (Y/N):"]),
    (["Results top 1 by loss", "n"], ["Show layers? (Y/N):"]),
    (["Evaluate", ""], ["Path of a labelled data set"]),
]


@pytest.mark.parametrize(("lines", "asked"), QUESTIONS)
def test_each_command_asks_its_questions_in_order_and_then_the_menu_again(
    session: TrainerPredictor, lines: list[str], asked: list[str]
) -> None:
    shown = talk(session, *lines, "exit")
    assert questions(shown) == asked
    assert shown.endswith(f"\n{PROMPT} exit\n")


@pytest.mark.parametrize(("lines", "asked"), QUESTIONS)
def test_the_questions_are_the_same_where_no_network_is_there(
    data_set: DataSet, lines: list[str], asked: list[str]
) -> None:
    assert questions(talk(TrainerPredictor(data_set), *lines, "exit")) == asked


@pytest.mark.parametrize("bad", ["~nouser/x", '""', "/dev/null/x", "a" * 5000, "\x1b[31m", "\0"])
def test_a_wrong_answer_does_not_put_the_later_ones_out_of_step(
    session: TrainerPredictor, bad: str
) -> None:
    shown = talk(session, "train", bad, bad, "n", "predict", bad, bad, "save", bad, "exit")
    assert questions(shown) == [
        HYPERPARAMETERS,
        TRAINING_PARAMETERS,
        RETRAIN,
        "Generator (",
        "Character:",
        "Folder to save in:",
    ]


@pytest.mark.parametrize("lines", [lines for lines, _ in QUESTIONS])
def test_the_end_of_input_leaves_in_the_middle_of_a_command(
    session: TrainerPredictor, lines: list[str]
) -> None:
    for count in range(len(lines)):
        assert "defect" not in talk(session, *lines[:count])


def test_a_last_line_without_its_end_is_an_answer(session: TrainerPredictor) -> None:
    assert "Show layers? (Y/N): n\n" in talk_raw(session, "results\r\nn")


@pytest.mark.parametrize("yes", ["y", "Y", "yes", "YE", " y "])
@pytest.mark.parametrize("no", ["n", "No"])
def test_yes_and_no_are_understood_however_they_are_written(
    session: TrainerPredictor, yes: str, no: str
) -> None:
    assert "dense 6 relu" in talk(session, "results", yes)
    assert "dense 6 relu" not in talk(session, "results", no)


def test_what_is_neither_yes_nor_no_is_asked_again(session: TrainerPredictor) -> None:
    shown = talk(session, "results", "maybe", "", "x" * 9000, "n")
    assert shown.count("Show layers? (Y/N):") == 4
    assert "'maybe' is neither Y nor N." in shown
    assert max(len(line) for line in shown.splitlines() if "neither" in line) < 100


# ------------------------------------------------------------------------- Train


def test_a_second_train_offers_the_previous_files_and_uses_them(
    session: TrainerPredictor, tiny: Any, tmp_path: Path
) -> None:
    variants = tmp_path / "mine.txt"
    variants.write_text("[[{'type':'flatten'}, {'type':'dense','dense_layer_size':6}]]")
    parameters = str(tiny.parameters_file)
    first = talk(session, "train", str(variants), parameters, "n")
    assert PREVIOUS not in first
    both = talk(session, "train", "mine.txt", parameters, "n", "train", "y", "Y", "n", "exit")
    assert questions(both)[3:] == [PREVIOUS, PREVIOUS, RETRAIN]
    assert "Use the previous one (mine.txt)? (Y/N): y" in both
    assert both.count("Variant 0 is in the collection already") == 2
    assert "Variant 1" not in both


def test_a_second_train_asks_for_other_files_where_the_previous_are_not_wanted(
    session: TrainerPredictor, tiny: Any
) -> None:
    files = str(tiny.variants_file), str(tiny.parameters_file)
    again = ("train", "n", "elsewhere.txt", "y", "n", "train", "y", "y", "n", "exit")
    shown = talk(session, "train", *files, "n", *again)
    assert questions(shown)[3:7] == [PREVIOUS, HYPERPARAMETERS, PREVIOUS, RETRAIN]
    assert shown.count("There is no file elsewhere.txt") == 1
    assert shown.count("Variant 0 is in the collection already") == 2, "a slip is not offered again"


def test_a_path_in_place_of_yes_or_no_is_the_other_file(
    session: TrainerPredictor, tiny: Any, tmp_path: Path
) -> None:
    (tmp_path / "no").write_text("no variants")  # a word is a word, be there a file or not
    files = str(tiny.variants_file), str(tiny.parameters_file)
    again = ("train", "missing.txt", f"'{tiny.variants_file}'", "y", "n", "train", "no", "x.txt")
    shown = talk(session, "train", *files, "n", *again, "y", "n", "exit")
    asked = [PREVIOUS, PREVIOUS, PREVIOUS, RETRAIN, PREVIOUS, HYPERPARAMETERS, PREVIOUS, RETRAIN]
    assert questions(shown)[3:11] == asked
    assert "'missing.txt' is neither Y nor N, nor the path of a file." in shown
    assert "There is no file x.txt" in shown


def test_training_says_how_it_goes_and_where_the_entries_are_kept(
    data_set: DataSet, tiny: Any
) -> None:
    session = TrainerPredictor(data_set, seed=3)
    shown = talk(session, "train", str(tiny.variants_file), str(tiny.parameters_file), "n", "exit")
    epoch = (
        r"  epoch \d/2, \d+ batches: loss \d+\.\d{4}, accuracy \d+\.\d\d%, "
        r"validation accuracy \d+\.\d\d%, (\d+:\d\d left|being scored)"
    )
    lines = shown.splitlines()
    assert len([line for line in lines if re.fullmatch(epoch, line)]) == 4
    assert (
        len([line for line in lines if re.match(r"Variant \d is trained in \d+:\d\d", line)]) == 2
    )
    assert session.autosave.folder is not None
    kept = shown_path(session.autosave.folder)
    assert f"Until you Save it, it is kept in {kept}" in shown
    assert f"Entries that were not saved are kept in {kept}" in shown
    assert "Layer" not in shown


def test_verbose_1_shows_the_layers_first(data_set: DataSet, tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(
        "{'optimizer':'adam','verbose':1,'train_batch_size':8,'train_epochs':1}"
    )
    shown = talk(TrainerPredictor(data_set), "train", str(tiny.variants_file), "v.txt", "n")
    first = shown.index("Layer")
    assert "flatten" in shown[first:] and first < shown.index("epoch 1/1")
    assert "conv 3 3x3 relu" in shown and "parameters, 6 not trainable" in shown


def test_that_test_images_are_copies_of_training_images_is_said_before_training(
    data_set: DataSet, tiny: Any, tmp_path: Path
) -> None:
    images = data_set.images.copy()
    validation, test = data_set.indices("validation"), data_set.indices("test")
    images[validation[:3]] = images[data_set.indices("training")[5]]
    images[test[0]] = images[data_set.indices("training")[7]]
    copied = dataclasses.replace(data_set, images=images)
    train = ("train", str(tiny.variants_file), str(tiny.parameters_file), "n", "exit")
    shown = talk(TrainerPredictor(copied, autosave_root=tmp_path), *train)
    said = (
        f"3 of the {len(validation)} validation images and 1 of the {len(test)} test images are "
        "copies of training images: accuracy on them says nothing about new ones."
    )
    assert said in shown and shown.index(said) < shown.index("Variant 0")
    assert "copies of" not in talk(TrainerPredictor(data_set, autosave_root=tmp_path), *train)


@pytest.mark.parametrize(("own", "said"), [(",'activation':'relu'", 1), ("", 0)])
def test_that_activations_of_a_list_change_nothing_is_said_before_training(
    data_set: DataSet, tmp_path: Path, own: str, said: int
) -> None:
    flat = "{'type':'flatten'},{'type':'dense','dense_layer_size':2%s}"
    (tmp_path / "v.txt").write_text(f"[[{flat % own}]]")
    ways = [
        {"optimizer": "adam", "train_batch_size": 64, "train_epochs": 1, "activation": name}
        for name in ("relu", "tanh")
    ]
    (tmp_path / "t.txt").write_text(repr(ways))
    shown = talk(TrainerPredictor(data_set), "train", "v.txt", "t.txt", "n")
    sentence = (
        "Every layer of variant 0 names its activation, or has none: 'activation' among the "
        "training parameters changes nothing there, and what differs in it alone is trained once."
    )
    there = "Variant 0, dictionary 1 is in the collection already"
    assert shown.count(sentence) == shown.count(there) == said
    assert not said or shown.index(sentence) < shown.index("Variant 0, dictionary 0 (1 of 2)")


def test_what_two_files_ask_for_twice_is_said_before_training(
    data_set: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "v.txt").write_text("[[{'type':'flatten'}], [{'type':'flatten'}]]")
    way = {"optimizer": "adam", "train_batch_size": 64, "train_epochs": 1}
    (tmp_path / "t.txt").write_text(repr(way))
    shown = talk(TrainerPredictor(data_set), "train", "v.txt", "t.txt", "n")
    said = "Variant 1 is the same training as variant 0, and is trained once."
    assert 0 < shown.index(said) < shown.index("Variant 0 (1 of 2)")


def test_an_entry_trained_on_other_images_is_passed_over_with_that_said(
    make_data_set: Any, saved_collection: Path, tiny: Any
) -> None:
    session = TrainerPredictor(make_data_set(seed=8), seed=3)
    session.load(saved_collection)
    shown = talk(session, "train", str(tiny.variants_file), str(tiny.parameters_file), "n")
    for number in (0, 1):
        assert (
            f"Variant {number} is in the collection already, but trained on otherwise divided "
            "images (letters.mat, seed 1): validation accuracy "
        ) in shown
    assert shown.count("To train it on the open ones, let Train train again") == 2
    assert "is trained in" not in shown


def test_a_variant_trained_in_several_ways_is_named_by_its_dictionary(
    data_set: DataSet, tiny: Any, tmp_path: Path
) -> None:
    ways = [
        {"optimizer": "adam", "train_batch_size": 8, "train_epochs": 1},
        {"optimizer": "sgd", "train_batch_size": 8, "train_epochs": 1, "variants": [1]},
    ]
    (tmp_path / "ways.txt").write_text(repr(ways))
    shown = talk(TrainerPredictor(data_set), "train", str(tiny.variants_file), "ways.txt", "n")
    lines = shown.splitlines()
    begun = [line.partition(",  ")[0] for line in lines if " of 3), " in line]
    assert [line.rpartition(" (")[0] for line in (one.split(" of 3")[0] for one in begun)] == [
        "Variant 0",
        "Variant 1, dictionary 0",
        "Variant 1, dictionary 1",
    ]
    assert "Variant 1, dictionary 1 is trained in " in shown


def test_retrain_trains_what_is_in_the_collection(session: TrainerPredictor, tiny: Any) -> None:
    before = list(session.collection.entries)
    shown = talk(session, "train", str(tiny.variants_file), str(tiny.parameters_file), "y")
    assert shown.count("is trained in") == 2 and "already:" not in shown
    assert len(session.collection.entries) == 2
    assert not set(map(id, before)) & set(map(id, session.collection.entries))


def test_problems_of_both_files_are_named_at_once(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    (tmp_path / "h.txt").write_text("[\n[{'type':'flaten'}]]")
    (tmp_path / "p.txt").write_text("{'optimizer':'adm'}")
    shown = talk(session, "train", "h.txt", "p.txt", "n", "exit")
    assert "h.txt, line 2, variant 0, layer 0: unknown type 'flaten'" in shown
    assert "p.txt has 3 problems" in shown
    assert "Variant" not in shown


def test_entries_that_cannot_be_kept_are_not_promised(
    data_set: DataSet, tiny: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    session = TrainerPredictor(data_set, autosave_root=tmp_path / "file" / "autosave")
    shown = talk(session, "train", str(tiny.variants_file), str(tiny.parameters_file), "n", "exit")
    assert re.search("cannot be (saved|used|kept)", shown)
    assert "are kept in" not in shown and "is kept in" not in shown
    assert "Entries were not saved, and could not be kept elsewhere." in shown
    at_once = "what is trained stays in memory until you Save it\n"
    assert shown.count(at_once) == 1 and shown.index(at_once) < shown.index("Variant 1 (")


def test_a_training_without_finite_losses_ends_and_the_others_are_said_to_be_kept(
    data_set: DataSet, tmp_path: Path
) -> None:
    layers = ["{'type':'flatten'}", *["{'type':'dense', 'dense_layer_size':32}"] * 5]
    (tmp_path / "v.txt").write_text(f"[[{', '.join(layers)}]]")
    (tmp_path / "p.txt").write_text(
        "[{'optimizer':'sgd', 'learning_rate':10, 'momentum':0.99999, 'train_batch_size':8,"
        "  'train_epochs':5, 'activation':'linear'},"
        " {'optimizer':'adam', 'train_batch_size':8, 'train_epochs':2}]"
    )
    shown = talk(TrainerPredictor(data_set), "train", "v.txt", "p.txt", "n", "exit")
    assert "epoch 1/5" in shown and "epoch 2/5" not in shown and "epoch 2/2" in shown
    failed = shown.index("Not in the collection: variant 0, dictionary 0, since the weights grew")
    assert shown.index("The collection has 1 entry. Until you Save it, it is kept in") < failed


def test_entries_that_are_only_in_memory_are_not_left_without_asking(
    data_set: DataSet, saved_collection: Path, tiny: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    session = TrainerPredictor(data_set, autosave_root=tmp_path / "file" / "autosave")
    train = ("train", str(tiny.variants_file), str(tiny.parameters_file), "n")
    lose = ("exit", "n", "load", str(saved_collection), "n")
    shown = talk(session, *train, *lose, "save", str(tmp_path / "kept"), "exit")
    said = "Entries were not saved, and cannot be kept elsewhere."
    assert f"{said} Leave all the same? (Y/N): n" in shown
    assert f"{said} Load another collection in their place? (Y/N): n" in shown
    assert "Loaded" not in shown and len(session.collection.entries) == 2
    assert shown.endswith("exit\n"), "what is saved is left without a question"
    shown = talk(session, "load", str(saved_collection), "exit")
    assert "Loaded" in shown and said not in shown


def test_entries_of_which_the_disk_took_only_some_are_not_left_without_asking(
    data_set: DataSet, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[None] = []

    def full_after_the_first(*given: Any) -> None:
        if kept:
            raise CollectionError("the collection cannot be saved: no space")
        save_collection(*given)
        kept.append(None)

    monkeypatch.setattr("storage.autosave.save_collection", full_after_the_first)
    train = ("train", str(tiny.variants_file), str(tiny.parameters_file), "n")
    shown = talk(TrainerPredictor(data_set), *train, "exit", "n")
    assert "it is kept in" not in shown and "are kept in" not in shown
    assert "Entries were not saved, and cannot be kept elsewhere. Leave all the same?" in shown


def failing_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first variant that is trained meets a defect."""
    train_entry = entry_training.train_entry
    problems = [ValueError("the wheel came off\nand rolled away")]

    def fail_or_train(*given: Any, **how: Any) -> Any:
        if problems:
            raise problems.pop()
        return train_entry(*given, **how)

    monkeypatch.setattr(entry_training, "train_entry", fail_or_train)


def test_a_defect_in_one_variant_is_logged_with_its_traceback_and_the_next_is_trained(
    data_set: DataSet, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch)
    session = TrainerPredictor(data_set)
    shown = talk(session, "train", str(tiny.variants_file), str(tiny.parameters_file), "n", "exit")
    assert "Variant 0 could not be trained: a defect of the program: ValueError: the" in shown
    assert "Variant 1 is trained in" in shown and len(session.collection.entries) == 1
    assert "This is a defect of the program: variant 0: ValueError: the wheel came off" in shown
    assert "rolled" not in shown
    log = log_file().read_text()
    assert "in fail_or_train" in log and "and rolled away" in log


def test_a_defect_before_ctrl_c_is_logged_as_well(
    data_set: DataSet, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch)
    monkeypatch.setattr(
        collection_dialogue,
        "stop_on_interrupt",
        lambda: contextlib.nullcontext(always_after_the_first()),
    )
    files = str(tiny.variants_file), str(tiny.parameters_file)
    shown = talk(TrainerPredictor(data_set), "train", *files, "n", "exit")
    assert "Training was ended" in shown and "Variant 1 is trained" not in shown
    assert "This is a defect of the program: variant 0: ValueError" in shown
    assert "in fail_or_train" in log_file().read_text()


def always_after_the_first() -> Callable[[], bool]:
    asked = iter([False])
    return lambda: next(asked, True)


# ------------------------------------------------------------------------- wrong paths


@pytest.fixture
def odd_paths(tmp_path: Path) -> list[str]:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other").touch()
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "empty").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "leading.txt").symlink_to("nowhere/at/all")
    candidates = ["/dev/zero", "/dev/null", "/proc/self/mem", "/proc/self/environ"]
    return [
        *(path for path in candidates if Path(path).exists()),
        "pipe",
        "folder",
        "binary",
        "empty",
        "loop",
        "leading.txt",
        "/",
        "nowhere",
        "empty/x",
        "~nouser/x",
        "a" * 300,
        "b/" * 3000,
        "c" * 5000 + "/collection.json",
        "'quoted'",
        "\ud800",
        "\ufffd",
    ]


@pytest.mark.timeout(60)
def test_no_odd_path_breaks_or_stops_a_command(
    session: TrainerPredictor, odd_paths: list[str]
) -> None:
    for path in odd_paths:
        entries = list(session.collection.entries)
        lines = ["train", path, path, "n", "load", path, "evaluate", path]
        shown = talk(session, *lines, "exit")
        assert "defect" not in shown, path
        assert shown.endswith(f"{PROMPT} exit\n"), path
        answers = [line for line in shown.splitlines() if line.startswith(PROMPT)]
        assert len(answers) == 4, path
        assert session.collection.entries == entries


@pytest.mark.timeout(60)
def test_saving_writes_over_nothing_that_is_no_collection(
    session: TrainerPredictor, odd_paths: list[str], tmp_path: Path
) -> None:
    for path in odd_paths:
        if path in ("nowhere", "'quoted'", "leading.txt", "~nouser/x", "\ufffd", "\ud800"):
            continue
        shown = talk(session, "save", path, "exit")
        assert "Saved" not in shown and "defect" not in shown, path
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert (tmp_path / "binary").read_bytes() == bytes(range(256))
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["other"]


def test_the_file_inside_a_collection_names_its_folder(
    session: TrainerPredictor, saved_collection: Path
) -> None:
    shown = talk(session, "load", f"'{saved_collection / 'collection.json'}'")
    assert f"Loaded 2 entries, the best of them number {best_number(session)}" in shown


# ------------------------------------------------------------------------- Predict


def best_number(session: TrainerPredictor) -> int:
    best = session.collection.best()
    assert best is not None
    return session.collection.entries.index(best)


def test_predict_shows_the_picture_the_scores_and_the_five_likeliest(
    make_data_set: Callable[..., DataSet], tiny: Any
) -> None:
    session = TrainerPredictor(make_data_set("ABCDEFG"), seed=3)
    talk(session, "train", str(tiny.variants_file), str(tiny.parameters_file), "n")
    shown = talk(session, "predict", "basic", "B").splitlines()
    rows = [line for line in shown if re.fullmatch(r"\|.{28}\|", line)]
    assert len(rows) == 14 and all(row.isascii() for row in rows)
    best = session.collection.entries[best_number(session)]
    assert (
        f"Read by entry {best_number(session)}: validation accuracy "
        f"{best.validation.accuracy:.2%} of {best.validation.images} images, test accuracy "
        f"{best.test.accuracy:.2%} of {best.test.images} images." in shown
    )
    ranked = [re.match(r"  (\d)\. (\S)\s+(\d+\.\d\d)%", line) for line in shown]
    found = [match.groups() for match in ranked if match]
    assert [number for number, *_ in found] == ["1", "2", "3", "4", "5"]
    shares = [float(share) for *_, share in found]
    assert shares == sorted(shares, reverse=True)
    predicted = next(line for line in shown if line.startswith("Predicted character:"))
    assert predicted.split()[2] == found[0][1]


def test_c_is_read_as_its_capital_and_that_is_explained(session: TrainerPredictor) -> None:
    shown = talk(session, "predict", "BASIC", "c")
    assert "'c' shares the class 'C'" in shown
    assert "Predicted character:" in shown


@pytest.mark.parametrize("character", ["?", "D", "", "AB", "\u0441", "é", "A B"])
def test_a_character_that_is_not_there_is_refused_with_the_list(
    session: TrainerPredictor, character: str
) -> None:
    shown = talk(session, "predict", "basic", character)
    assert re.search("has no character|for one character, not for", shown)
    assert "it has A B C" in shown
    assert "Predicted" not in shown


@pytest.mark.parametrize("generator", ["", "kera", "gan"])
def test_a_generator_that_is_not_there_is_refused_with_the_list(
    session: TrainerPredictor, generator: str
) -> None:
    shown = talk(session, "predict", generator, "A")
    assert "here is no generator" in shown and "basic, keras, keras_adversarial" in shown


def test_the_beginning_of_a_generators_name_is_enough(session: TrainerPredictor) -> None:
    shown = talk(session, "predict", "Bas", "A")
    assert "Predicted character:" in shown


def pictures(shown: str) -> list[str]:
    return re.findall(r"\+-{28}\+\n(.*?)\n\+-{28}\+", shown, re.DOTALL)


def test_each_predict_draws_another_image(session: TrainerPredictor) -> None:
    drawn = pictures(talk(session, *["predict", "basic", "A"] * 4))
    assert len(drawn) == len(set(drawn)) == 4


def test_the_same_seed_and_answers_repeat_a_session(
    data_set: DataSet, saved_collection: Path
) -> None:
    lines = ["predict", "basic", "A", "predict", "basic", "c", "results", "n", "evaluate", ""]
    shown = set()
    for _ in range(2):
        session = TrainerPredictor(data_set, seed=11)
        session.load(saved_collection)
        shown.add(re.sub(r"matrix.*\.png", "", talk(session, *lines)))
    assert len(shown) == 1


def test_another_seed_draws_other_images(data_set: DataSet, saved_collection: Path) -> None:
    drawn = []
    for seed in (1, 2):
        session = TrainerPredictor(data_set, seed=seed)
        session.load(saved_collection)
        drawn.append(pictures(talk(session, *["predict", "basic", "A"] * 3)))
    assert drawn[0] != drawn[1]


# ------------------------------------------------------------------------- the other commands


@pytest.mark.parametrize(
    "lines", [["predict", "basic", "A"], ["results", "n"], ["evaluate", ""], ["save", "x"]]
)
def test_commands_that_need_a_network_say_so(data_set: DataSet, lines: list[str]) -> None:
    shown = talk(TrainerPredictor(data_set), *lines)
    assert "use Train" in shown and "defect" not in shown


def test_results_mark_the_best_and_say_where_the_scores_come_from(
    session: TrainerPredictor,
) -> None:
    shown = talk(session, "results", "n")
    marked = [line for line in shown.splitlines() if re.match(r"\* \d", line)]
    assert len(marked) == 1 and marked[0].startswith(f"* {best_number(session)} ")
    for entry in session.collection.entries:
        assert f"{entry.validation.accuracy:.2%}" in shown
        assert f"{entry.test.loss:.4f}" in shown
    assert "All were trained with adam, batch 8, 2 epochs." in shown
    assert "of letters.mat" in shown


def test_results_show_layers_if_asked(session: TrainerPredictor) -> None:
    shown = talk(session, "results", "y")
    for layer in ("flatten", "dense 6 relu", "conv 3 3x3 relu", "pool 2x2", "batch norm"):
        assert f"    {layer}\n" in shown


def test_save_and_load_bring_back_the_entries(session: TrainerPredictor, tmp_path: Path) -> None:
    folder = tmp_path / "my collection ü"
    shown = talk(session, "save", str(folder), "load", f'"{folder}"', "results", "n")
    assert f"in {folder}" in shown and f"from {folder}" in shown
    assert len(session.collection.entries) == 2


def test_evaluate_scores_each_entry_and_writes_the_confusions(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    shown = talk(session, "evaluate", "", "evaluate", "")
    test_images = len(session.data_set.splits.test)
    assert shown.count("On the test split of letters.mat:") == 2
    assert len(re.findall(rf"\d+\.\d\d%\s+\d+\.\d{{4}}\s+{test_images}\b", shown)) == 4
    for name in ("confusion-matrix.png", "confusion-matrix-2.png"):
        assert f"Confusion matrix: {name}\n" in shown
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_data_set_is_named_without_what_cannot_be_shown(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    odd = tmp_path / "bad\udcff\nset.npz"
    write_npz(session.data_set, odd)
    session.data_set = dataclasses.replace(session.data_set, source=odd, skipped=("A/1.png: why",))
    shown = talk(session, "evaluate", "") + greeting(session, None)
    assert "On the test split of bad??set.npz:" in shown and "defect" not in shown
    assert "bad??set.npz: 120 images" in shown
    assert session.evaluate(odd).name == "all images of bad??set.npz"
    assert (tmp_path / "confusion-matrix.png").exists()
    log = (state_folder() / "left-out.log").read_text().splitlines()
    assert len(log) == 2 and r"bad\udcff\nset.npz" in log[0]


def test_evaluate_says_what_it_left_out_of_a_data_set_and_what_it_did_to_it(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    images, labels = session.data_set.subset("test")
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "set" / session.data_set.classes[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize((56, 56)).save(path)
    (tmp_path / "set" / "A" / "broken.png").write_bytes(b"broken")
    shown = talk(session, "evaluate", str(tmp_path / "set"))
    assert f"On all images of set:\n  1 of {len(images) + 1} pictures could not be read" in shown
    assert "  The pictures were cropped to their ink" in shown
    assert "  What was left out, and why, is named in" in shown
    assert "A/broken.png: " in (state_folder() / "left-out.log").read_text()


def test_evaluate_leaves_out_digits_that_the_collection_does_not_know(
    session: TrainerPredictor, tmp_path: Path
) -> None:
    for name in ("A", "B", "1"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number, image in enumerate(session.data_set.images[:3]):
            Image.fromarray(image).save(tmp_path / "set" / name / f"{number}.png")
    shown = talk(session, "evaluate", str(tmp_path / "set"))
    assert "3 images of the digits 0 to 9 were left out\n" in shown and "--keep" not in shown


def test_evaluate_takes_the_name_of_a_data_set_that_is_downloaded(
    session: TrainerPredictor,
    saved_collection: Path,
    data_set: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def fetched(name: str, *given: Any, **options: Any) -> Path:
        asked.append(name)
        path = tmp_path / "cache.npz"
        data_parser.write_npz(data_set, path)
        return path

    monkeypatch.setattr("downloads.fetching.fetch", fetched)
    monkeypatch.chdir(tmp_path)
    session.load(saved_collection)
    shown = talk(session, "evaluate", "mnist", "evaluate", "nist")
    assert asked == ["mnist"] and "On all images of cache.npz:" in shown
    assert "nist: there is no such file" in shown and "emnist-letters" in shown


# ------------------------------------------------------------------------- the start


def test_ctrl_c_in_a_download_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: Any, **options: Any) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setenv("HANDWRITING_CACHE", str(tmp_path))
    monkeypatch.setattr("downloads.fetching.fetch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        menu.run(
            Path("mnist"),
            model_folder=None,
            generator_folder=None,
            seed=1,
            keep_digits=True,
            file_split=False,
            shares=None,
            group=None,
            workers=None,
            cluster=None,
        )
    said = capsys.readouterr().err
    assert said == (
        "Stopped. What has come is kept: with mnist again, the download goes on from there.\n"
    )


def greeting(session: TrainerPredictor, folder: Path | None) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(io.StringIO(), shown)).greet(session.data_set, folder)
    return shown.getvalue()


def test_the_start_says_what_is_open(data_set: DataSet) -> None:
    assert greeting(TrainerPredictor(data_set), None).startswith(
        "letters.mat: 120 images of 3 characters ("
    )


def test_a_collection_that_cannot_be_loaded_at_the_start_is_reported(
    data_set: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "collection.json").write_text("{")
    for folder, said in (("missing", "There is no folder"), ("damaged", "it is no JSON")):
        session = TrainerPredictor(data_set)
        assert said in greeting(session, tmp_path / folder)
        assert session.collection.entries == []


def test_the_start_mentions_entries_that_were_never_saved(
    data_set: DataSet, saved_collection: Path, tiny: Any, tmp_path: Path
) -> None:
    root = tmp_path / "autosave"
    root.mkdir()
    for number in range(5):
        (root / f"2026-01-0{number}").symlink_to(saved_collection)
    shown = greeting(TrainerPredictor(data_set, autosave_root=root), None)
    assert "never saved" in shown and "use Load" in shown
    assert "  autosave/2026-01-04\n" in shown
    assert "2026-01-01" not in shown and "and 2 older in autosave" in shown


# ------------------------------------------------------------------------- defects, Ctrl-C


class Breaking(TrainerPredictor):
    """A session with a defect in it."""

    problem: BaseException = RuntimeError("the wheel came off\nand rolled away")

    def save(self, folder: Path) -> Path | None:
        raise self.problem


def log_file() -> Path:
    return state_folder() / "defects.log"


def test_a_defect_is_logged_and_the_menu_goes_on(data_set: DataSet) -> None:
    shown = talk(Breaking(data_set), "save", "x", "help", "exit")
    assert "This is a defect of the program: the wheel came off" in shown
    assert "rolled" not in shown and "Traceback" not in shown
    assert shown.endswith(f"{PROMPT} exit\n")
    assert str(log_file()) in shown or "state/handwriting" in shown
    log = log_file().read_text()
    assert "Traceback" in log and "RuntimeError: the wheel came off" in log


@pytest.mark.parametrize(
    "problem",
    [MemoryError(), RecursionError("deep"), ValueError("\ud800\x1b[2J"), OSError(28, "x")],
)
def test_no_kind_of_defect_ends_the_menu(data_set: DataSet, problem: Exception) -> None:
    session = Breaking(data_set)
    session.problem = problem
    shown = talk(session, "save", "x", "exit")
    assert "This is a defect" in shown and "\x1b" not in shown
    assert shown.endswith(f"{PROMPT} exit\n")
    assert type(problem).__name__ in log_file().read_text()


def test_a_log_that_cannot_be_written_is_said(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    session = Breaking(data_set)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert "(no log: Not a directory)" in talk(session, "save", "x", "exit")


def test_a_reader_who_went_away_ends_the_menu(data_set: DataSet) -> None:
    session = Breaking(data_set)
    session.problem = BrokenPipeError()
    with pytest.raises(BrokenPipeError):
        talk(session, "save", "x", "help")


class Script:
    """Answers from a list; an exception in it is raised instead."""

    def __init__(self, answers: Sequence[str | type[BaseException]]) -> None:
        self._answers: Iterator[str | type[BaseException]] = iter(answers)
        self.asked: list[str] = []

    def ask(self, question: str, words: Sequence[str] = (), *, paths: bool = False) -> str:
        self.asked.append(question)
        answer = next(self._answers)
        if isinstance(answer, str):
            return answer
        raise answer


def test_ctrl_c_in_a_question_goes_back_to_the_menu(
    session: TrainerPredictor, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(["Predict", "basic", KeyboardInterrupt, "Exit"])
    Menu(session, script).loop()
    assert script.asked == [PROMPT, GENERATOR, "Character:", PROMPT]
    assert capsys.readouterr().out == "Stopped.\n"


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        (["n", "Exit"], 3),
        (["y"], 2),
        ([KeyboardInterrupt], 2),
        ([InputEnded], 2),
    ],
)
def test_ctrl_c_at_the_prompt_asks_whether_to_leave(
    session: TrainerPredictor, answers: list[Any], asked: int
) -> None:
    script = Script([KeyboardInterrupt, *answers])
    Menu(session, script).loop()
    assert script.asked[1] == "Leave? (Y/N):"
    assert len(script.asked) == asked


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["train"], "Train"),
        (["Train", "variants.txt"], "Train"),
        (["pred", "basic"], "Predict"),
        (["r"], "Results"),
        (["Results top 1"], "Results"),
        (["gen", "basic", "A", "1"], "Generate"),
    ],
)
def test_a_command_in_whose_questions_the_input_ends_is_said_not_to_be_carried_out(
    session: TrainerPredictor, lines: list[str], name: str
) -> None:
    assert talk(session, *lines).splitlines()[-1] == (
        f"The input ended within the questions of {name}, so it was not carried out."
    )


@pytest.mark.parametrize("lines", [[], ["Help"], ["Results", "n"], ["Exit"], [""]])
def test_the_end_of_the_input_at_the_prompt_is_nothing_to_tell(
    session: TrainerPredictor, lines: list[str]
) -> None:
    assert "input ended" not in talk(session, *lines)


# ------------------------------------------------------------------------- anything at all


LINES = st.one_of(
    st.sampled_from([*HELP, *(word[:3].lower() for word in HELP), "y", "n", "", "basic", "A", "c"]),
    st.sampled_from(["missing.txt", "/dev/zero", "/proc/self/status", "/dev/null/x", "~nouser/x"]),
    st.sampled_from(["saved", ".", "..", "pipe", "binary", "x" * 20_000, "\x1b[2J", "a\0b"]),
    st.text(st.characters(exclude_characters="/~\n"), max_size=30),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(LINES, max_size=14))
def test_no_sequence_of_lines_breaks_the_menu(
    data_set: DataSet,
    saved_collection: Path,
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("anything")
    os.mkfifo(folder / "pipe")
    (folder / "binary").write_bytes(bytes(range(256)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        session = TrainerPredictor(data_set, seed=1)
        session.load(saved_collection)
        shown = talk(session, *lines)
    assert "defect" not in shown
    assert "Traceback" not in shown
    assert "\x1b" not in shown and "\0" not in shown
    assert not log_file().exists()
