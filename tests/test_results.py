"""Tests of `Results` in the menu: what is asked, what is listed, how long it takes."""

import contextlib
import dataclasses
import io
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data_parser import DataSet
from evaluation.recognition import Score
from keras_preload import KerasPreload
from menu import Menu
from model_collection import Entry, EpochScores, ModelCollection
from settings.network_layers import Dense, Flatten
from settings.training_parameters import Augmentation, TrainingParameters
from terminal import PipeAsker
from tests.entries import DENSE, a_collection, an_entry
from trainer_predictor import TrainerPredictor

QUESTION = "Show layers? (Y/N):"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results need no Keras, so none is imported behind the menu, which would take time."""
    monkeypatch.setattr(KerasPreload, "start", lambda self: None)


def talk(data_set: DataSet, collection: ModelCollection, *lines: str) -> str:
    """What is shown while these lines are answered."""
    session = TrainerPredictor(data_set)
    session.collection = collection
    shown = io.StringIO()
    answers = io.StringIO("".join(line + "\n" for line in lines))
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(answers, shown)).loop()
    return shown.getvalue()


def a_comparison(entries: int) -> ModelCollection:
    """Entries of one network, trained in ways that differ in keys of each kind."""
    ways: list[dict[str, Any]] = [
        {},
        {"momentum": 0.9},
        {"mixup": 0.2},
        {"augmentation": Augmentation(rotation=10)},
        {"learning_rate_schedule": "cosine"},
    ]
    plain = TrainingParameters("sgd", 64, 1, learning_rate=0.1)
    tanh = (Flatten(), Dense(6, "tanh"))
    return ModelCollection(
        ("A", "B"),
        [
            an_entry(
                number,
                layers=tanh if number % 6 == 5 else DENSE,
                training_parameters=dataclasses.replace(plain, **(*ways, {})[number % 6]),
            )
            for number in range(entries)
        ],
    )


def rows(shown: str) -> list[int]:
    """Numbers of the entries in a table."""
    found = (re.match(r"[* ]*(\d+)  [0-9a-f]{8}", line) for line in shown.splitlines())
    return [int(match[1]) for match in found if match]


def test_few_entries_are_all_shown_without_further_words(data_set: DataSet) -> None:
    shown = talk(data_set, a_collection(20), "results", "n")
    assert rows(shown) == list(range(20))
    assert "Results all" not in shown and " first." not in shown


def test_of_many_entries_the_best_twenty_are_shown_and_how_to_see_others(
    data_set: DataSet,
) -> None:
    collection = a_collection(1000)
    shown = talk(data_set, collection, "results", "n")
    best = sorted(range(1000), key=lambda n: -collection.entries[n].validation.accuracy)[:20]
    assert rows(shown) == best
    assert "20 of 1,000 entries, highest validation accuracy first." in shown
    assert "Results all, Results top 50 by loss, Results where parameters < 500000." in shown
    assert f"\n* {best[0]} " in shown


def test_words_after_the_command_choose_and_sort(data_set: DataSet) -> None:
    collection = a_collection(50)
    shown = talk(data_set, collection, "R top 3 by test loss where type = dense", "n", "exit")
    dense = sorted(range(1, 50, 2), key=lambda n: collection.entries[n].test.loss)
    assert rows(shown) == dense[:3]
    assert "3 of 25 that fit, of 50 entries, lowest test loss first." in shown
    assert shown.count(QUESTION) == 1


def test_all_that_fit_are_counted_and_the_best_of_the_others_is_named(data_set: DataSet) -> None:
    collection = a_collection(9)
    best = collection.best()
    assert best is not None
    shown = talk(data_set, collection, f"results where identity != {best.identity}", "n")
    assert "8 of 9 entries fit, highest validation accuracy first." in shown
    assert f"Predict uses entry {collection.entries.index(best)}, of the highest" in shown
    assert "* has" not in shown


def test_layers_are_shown_of_the_entries_that_were_asked_for(data_set: DataSet) -> None:
    collection = a_collection(50)
    shown = talk(data_set, collection, "results 2 where type = dense", "y")
    assert shown.count("    dense 6 relu") == 2
    assert "conv" not in shown
    assert len(re.findall(r"  identity    [0-9a-f]{16}\n", shown)) == 2


def test_where_nothing_fits_that_is_said(data_set: DataSet) -> None:
    shown = talk(data_set, a_collection(7), "results where loss > 100", "n")
    assert "None of 7 entries fits 'where loss > 100'." in shown
    assert rows(shown) == []


@pytest.mark.parametrize("query", ["tow 5", "by speed", "where accuracy > 90"])
def test_a_wrong_query_is_answered_after_the_question_and_the_menu_goes_on(
    data_set: DataSet, query: str
) -> None:
    shown = talk(data_set, a_collection(7), f"results {query}", "n", "exit")
    quoted = repr(query.split()[-1] if "tow" not in query else "tow")
    assert shown.index(QUESTION) < shown.index(quoted)
    assert shown.endswith("exit\n") and "defect" not in shown and rows(shown) == []


@pytest.mark.parametrize(("line", "drawn"), [("results curves", 7), ("results top 3 curves", 3)])
def test_learning_curves_are_drawn_of_those_listed_where_they_are_asked_for(
    data_set: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    drawn: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    collection = a_collection(7)
    history = (EpochScores(0.3, 2.0, 0.4, 1.5), EpochScores(0.5, 1.0, 0.6, 0.9))
    collection.entries[:] = [
        dataclasses.replace(one, history=history) for one in collection.entries
    ]
    shown = talk(data_set, collection, "results", "n", line, "n")
    assert shown.count(f"Learning curves of {drawn} of them: learning-curves.png") == 1
    with Image.open(tmp_path / "learning-curves.png") as picture:
        assert picture.width > 500


def test_a_learning_curve_is_titled_with_what_its_training_alone_has(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: list[Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    collection = a_comparison(3)
    layers = [(Flatten(), Dense(6, activation)) for activation in ("tanh", "relu", "tanh")]
    for number, entry in enumerate(collection.entries):
        collection.entries[number] = dataclasses.replace(
            entry,
            layers=layers[number],
            training_parameters=TrainingParameters("adam", 8 if number < 2 else 16, 1),
            history=(EpochScores(0.3, 2.0, 0.4, 1.5),),
        )
    talk(data_set, collection, "results by number curves", "n")
    titles = [axes.get_title() for axes in figures[0].axes]
    assert sorted(titles) == [
        "entry 0\nbatch 8, tanh",
        "entry 1\nbatch 8, relu",
        "entry 2\nbatch 16, tanh",
    ]


@pytest.mark.parametrize("epochs", [1, 2, 12])
def test_epochs_are_whole_numbers_on_the_axis(
    tmp_path: Path, figures: list[Any], epochs: int
) -> None:
    from evaluation.report_plots import Curve, plot_learning_curves

    accuracies = [0.5] * epochs
    plot_learning_curves([Curve("one", accuracies, accuracies)], tmp_path / "curves.png")
    axes = figures[0].axes[0]
    assert axes.get_xlim() == (0.5, epochs + 0.5)
    shown = [tick for tick in axes.get_xticks() if 0.5 <= tick <= epochs + 0.5]
    assert shown and all(tick == round(tick) for tick in shown)


def test_without_a_history_there_are_no_curves_and_that_is_said(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = talk(data_set, a_collection(2), "results curves", "n")
    assert "The entries have no history of epochs to draw" in shown
    assert not list(tmp_path.glob("*.png"))


def test_other_commands_take_no_words(data_set: DataSet) -> None:
    shown = talk(data_set, a_collection(7), "save top 5", "exit all")
    assert "There is no command 'save top 5'" in shown
    assert "There is no command 'exit all'" in shown


def test_identities_are_shown_as_long_as_they_have_to_be(data_set: DataSet) -> None:
    collection = a_collection(3)
    shown = talk(data_set, collection, "results", "n")
    for entry in collection.entries:
        assert f" {entry.identity[:8]}  " in shown


def test_identities_are_shown_longer_where_their_beginnings_are_alike(data_set: DataSet) -> None:
    class Alike(Entry):
        @property
        def identity(self) -> str:
            return f"0123456789a{self.seed}0000"

    entries: list[Entry] = [Alike(**vars(an_entry(number, seed=number))) for number in range(2)]
    shown = talk(data_set, ModelCollection(("A", "B"), entries), "results", "n")
    assert " 0123456789a0  " in shown and " 0123456789a1  " in shown


def test_entries_of_many_data_sets_are_told_apart_in_a_few_lines(data_set: DataSet) -> None:
    collection = a_collection(300)
    for number, entry in enumerate(collection.entries):
        data = dataclasses.replace(entry.data, fingerprint=f"{number % 30:064}")
        collection.entries[number] = dataclasses.replace(entry, data=data)
    shown = talk(data_set, collection, "results all by number", "n")
    origins = [line for line in shown.splitlines() if "training images of" in line]
    assert len(origins) == 5 and all(len(line) < 300 for line in origins)
    assert origins[0].startswith("Entries 0, 30, 60, 90 and 6 others: 300 training images")
    assert "The other entries: 25 further data sets, or splits of them." in shown


@pytest.mark.parametrize("make", [a_collection, a_comparison])
@pytest.mark.parametrize("line", ["results", "results all", "results where type = dense by loss"])
def test_a_thousand_entries_are_shown_in_less_than_a_second(
    data_set: DataSet, line: str, make: Callable[[int], ModelCollection]
) -> None:
    collection = make(1000)
    talk(data_set, a_collection(1), "results", "n")  # imports

    def seconds() -> float:
        before = time.thread_time()
        assert len(rows(talk(data_set, collection, line, "n"))) in (20, 1000)
        return time.thread_time() - before

    assert min(seconds() for _ in range(3)) < 1  # once may be slow: memory is tidied


def test_rows_say_what_differs_and_a_sentence_what_all_have_in_common(data_set: DataSet) -> None:
    shown = talk(data_set, a_comparison(6), "results", "n")
    for number, words in enumerate(("", "momentum 0.9,", "mixup 0.2,", "rotation 10,", "cosine,")):
        assert re.search(rf"^[* ]*{number}  .*%  \d\.\d{{4}}  {words} ?(relu)?$", shown, re.M)
    assert re.search(r"^[* ]*5  .*  tanh$", shown, re.M)
    assert (
        "All were trained with sgd, batch 64, 1 epoch, rate 0.1; what differs stands with each."
    ) in shown


def test_layers_are_shown_with_everything_that_changed_the_result(data_set: DataSet) -> None:
    shown = talk(data_set, a_comparison(6), "results", "y")
    for words in ("momentum 0.9, relu", "mixup 0.2, relu", "rotation 10, relu", "cosine, relu"):
        assert f"  training    {words}\n" in shown
    assert "  training    tanh\n" in shown
    common = "All were trained with sgd, batch 64, 1 epoch, rate 0.1; what differs stands with each"
    assert shown.count("sgd") == 1 and common in shown


def test_the_only_entry_listed_is_named_where_another_one_is_used(data_set: DataSet) -> None:
    shown = talk(data_set, a_comparison(6), "results where mixup > 0", "n")
    assert "\nEntry 2 was trained with sgd, batch 64, 1 epoch, rate 0.1, mixup 0.2.\n" in shown


def test_entries_are_listed_without_keras() -> None:
    script = (
        "import sys; from queries import selection; from views import results_text; "
        "from tests.entries import a_collection; "
        "collection = a_collection(30); listed = selection.select(collection, '').numbers; "
        "list(results_text.results_table(collection, listed).lines(80)); "
        "results_text.results_notes(collection, listed, ''); "
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0


def test_one_of_anything_is_told_as_one(data_set: DataSet) -> None:
    one = Score(0.5, 1.0, 1)
    origin = dataclasses.replace(an_entry(0).data, training_images=1)
    entry = an_entry(0, validation=one, test=one, data=origin)
    shown = talk(data_set, ModelCollection(("A", "B"), [entry]), "results all", "y")
    assert "There is one entry." in shown and "on 1 image\n" in shown
    assert "1 training image of letters.mat, 1 validation image, 1 test image (" in shown
    assert not re.search(r"\b1 (images|entries|epochs|training images)", shown)
    shown = talk(data_set, a_collection(7), "results top 1", "n", "results where number = 3", "n")
    assert "1 of 7 entries, highest" in shown and "1 of 7 entries fits, highest" in shown
