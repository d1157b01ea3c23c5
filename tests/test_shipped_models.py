"""Tests of the trained networks that come with the program."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

import cnn_model
import data_parser
from model_collection import ModelCollection, network_of
from settings.hyperparameters import TrainingTask, read_training_tasks
from settings.training_parameters import training_parameters_from_dictionary
from storage.collection_folder import load_collection

ROOT = Path(__file__).resolve().parent.parent
LETTERS, WITH_DIGITS = ROOT / "model", ROOT / "model" / "with_digits"
BEST, SMALL = 0, 1


@pytest.fixture(scope="module")
def champions() -> tuple[TrainingTask, ...]:
    return read_training_tasks(
        ROOT / "champion_hyperparameters.txt", ROOT / "champion_training_parameters.txt"
    )


def test_the_recipe_for_few_images_trains_the_small_recommended_network(
    champions: tuple[TrainingTask, ...],
) -> None:
    (task,) = read_training_tasks(
        ROOT / "champion_hyperparameters.txt", ROOT / "docs" / "few_images_training_parameters.txt"
    )
    assert task.layers == champions[SMALL].layers


def test_the_recipe_for_hundreds_of_images_is_the_one_that_was_measured(
    champions: tuple[TrainingTask, ...],
) -> None:
    tasks = read_training_tasks(
        ROOT / "champion_hyperparameters.txt",
        ROOT / "docs" / "hundreds_of_images_training_parameters.txt",
    )
    assert [task.layers for task in tasks] == [task.layers for task in champions]
    recorded = json.loads((ROOT / "benchmarks/results/readers.json").read_text(encoding="utf-8"))
    measured = {
        result["run"]["name"]: training_parameters_from_dictionary(result["run"]["parameters"])
        for result in recorded["results"]
        if result["run"]["images"] == 200
    }
    assert (tasks[BEST].parameters, []) == measured["best"]
    assert (tasks[SMALL].parameters, []) == measured["small"]


@pytest.fixture(scope="module")
def letters() -> ModelCollection:
    return load_collection(LETTERS)


@pytest.fixture(scope="module")
def with_digits() -> ModelCollection:
    return load_collection(WITH_DIGITS)


def test_the_letters_are_read_by_the_recommended_network(
    letters: ModelCollection, champions: tuple[TrainingTask, ...]
) -> None:
    best = letters.best()
    assert best is not None and best.identity == champions[BEST].identity
    assert len(letters.classes) == 37 and len(letters.entries) == 12


def test_the_eleven_variants_are_those_of_the_text_files(letters: ModelCollection) -> None:
    tasks = read_training_tasks(
        ROOT / "model_hyperparameters.txt", ROOT / "model_training_parameters.txt"
    )
    assert [entry.identity for entry in letters.entries[:11]] == [task.identity for task in tasks]


def test_with_digits_there_are_both_recommended_networks(
    with_digits: ModelCollection, champions: tuple[TrainingTask, ...]
) -> None:
    assert [entry.identity for entry in with_digits.entries] == [
        task.identity for task in champions
    ]
    assert len(with_digits.classes) == 47


def test_the_small_one_has_less_than_half_a_million_weights(with_digits: ModelCollection) -> None:
    assert sum(array.size for array in with_digits.entries[SMALL].weights) < 500_000


def test_weights_are_in_half_precision_and_small_on_disk(
    letters: ModelCollection, with_digits: ModelCollection
) -> None:
    shipped = [letters.entries[-1], *with_digits.entries]
    assert all(array.dtype == np.float16 for entry in shipped for array in entry.weights)
    assert sum(array.nbytes for entry in shipped for array in entry.weights) < 6_000_000
    assert all(path.stat().st_size < 10_000_000 for path in LETTERS.rglob("*.*"))


@pytest.mark.parametrize("number", [BEST, SMALL])
def test_a_character_is_read_in_no_time(with_digits: ModelCollection, number: int) -> None:
    """The best of some tries, so that a busy machine does not count; the goal is 20 ms."""
    network = network_of(with_digits.entries[number], 47)
    image = np.zeros((1, 28, 28), np.uint8)
    cnn_model.predict(network, image)
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        cnn_model.predict(network, image)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.1


def test_letters_from_fonts_are_read_by_a_network_that_has_never_seen_one(
    letters: ModelCollection,
) -> None:
    data_set = data_parser.open_data_set(ROOT / "dataset" / "letters-small.mat")
    images, labels = data_set.subset("test")
    best = letters.best()
    assert best is not None
    read = cnn_model.predict(network_of(best, 37), images).argmax(axis=1)
    assert (read == labels).mean() > 0.85
