"""Tests of the entries of a collection: which is the best, and how they are trained."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_model
from data_parser import DataSet
from entries.entry import Entry
from entries.entry_training import train_entry
from entries.half_precision import smallest_weights
from entries.origin import origin_of
from entries.reading import network_of, score_split
from evaluation import overlap
from evaluation.recognition import Score
from model_collection import ModelCollection
from settings.hyperparameters import TrainingTask
from settings.layer_lists import weight_arrays
from settings.network_layers import Flatten
from settings.training_parameters import TrainingParameters


def entry_like(entry: Entry, validation: Score, test: Score, epochs: int = 1) -> Entry:
    return dataclasses.replace(
        entry,
        validation=validation,
        test=test,
        training_parameters=TrainingParameters("sgd", 1, epochs),
    )


# ------------------------------------------------------------------------- ranking


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_best_entry_has_the_highest_validation_accuracy_and_then_the_lowest_loss(
    trained: ModelCollection, order: tuple[int, ...]
) -> None:
    one = trained.entries[0]
    candidates = [
        entry_like(one, Score(0.5, 0.01, 100), Score(1.0, 0.0, 100), 1),  # best loss, best test
        entry_like(one, Score(0.9, 2.0, 100), Score(0.1, 9.0, 100), 2),
        entry_like(one, Score(0.9, 1.0, 100), Score(0.0, 16.0, 100), 3),  # the best
        entry_like(one, Score(0.8, 0.1, 100), Score(0.99, 0.01, 100), 4),
    ]
    trained.entries[:] = [candidates[number] for number in order]
    assert trained.best() is candidates[2]


def test_equal_scores_leave_the_first_entry_the_best(trained: ModelCollection) -> None:
    one = trained.entries[0]
    same = Score(0.5, 0.5, 10)
    trained.entries[:] = [entry_like(one, same, Score(n / 3, 0, 10), n + 1) for n in range(3)]
    assert trained.best() is trained.entries[0]


def test_an_empty_collection_has_no_best_entry() -> None:
    assert ModelCollection(("A", "B")).best() is None


def test_an_entry_takes_the_place_of_the_one_with_its_identity(trained: ModelCollection) -> None:
    first, second = trained.entries
    keys = np.arange(3, dtype=np.uint64)
    again = dataclasses.replace(first, seed=99)
    trained.add(again, keys)
    assert trained.entries[0] is again and trained.entries[1] is second
    assert np.array_equal(trained.keys_of(again), keys)


def test_keys_of_data_that_no_entry_was_trained_on_are_dropped(trained: ModelCollection) -> None:
    old = set(trained.images_used)
    for entry in list(trained.entries):
        origin = dataclasses.replace(entry.data, fingerprint="f" * 64)
        trained.add(dataclasses.replace(entry, data=origin), np.arange(2, dtype=np.uint64))
    assert set(trained.images_used) == {"f" * 64} and old != {"f" * 64}


# ------------------------------------------------------------------------- training


def test_scores_are_those_that_the_kept_weights_give(
    trained: ModelCollection, data_set: DataSet
) -> None:
    for entry in trained.entries:
        network = network_of(entry, 3)
        assert {array.dtype for array in entry.weights} == {np.dtype(np.float16)}
        for name, said in (("validation", entry.validation), ("test", entry.test)):
            found = score_split(network, data_set, name)
            assert (found.accuracy, found.images) == (said.accuracy, said.images)
            assert found.loss == pytest.approx(said.loss, rel=1e-6)
            assert said.images == len(data_set.indices(name))


def test_an_entry_says_where_it_comes_from(trained: ModelCollection, data_set: DataSet) -> None:
    entry = trained.entries[1]
    assert entry.data.name == "letters.mat" and entry.data.split_by == "seed"
    assert entry.data.fingerprint == data_set.fingerprint
    assert entry.data.training_images == len(data_set.splits.training)
    assert entry.seed == 3 and entry.data.seed == 1
    assert set(entry.versions) == {"python", "tensorflow", "keras", "numpy"}
    assert len(entry.history) == 2 and entry.seconds > 0
    shapes = [array.shape for array in entry.weights]
    assert shapes == [array.shape for array in weight_arrays(entry.layers, 3)]


def test_the_images_used_are_those_of_training_and_validation(
    trained: ModelCollection, data_set: DataSet
) -> None:
    keys = trained.keys_of(trained.entries[0])
    for name in ("training", "validation"):
        assert overlap.were_seen(data_set.subset(name)[0], keys).all()
    for name in ("test", "generator"):
        assert not overlap.were_seen(data_set.subset(name)[0], keys).any()


@pytest.mark.parametrize("readings", range(4))
def test_a_network_that_is_being_scored_can_be_stopped(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch, readings: int
) -> None:
    # With calibration, the validation images are read three times, then the test images.
    read: list[int] = []
    predict = cnn_model.predict

    def counted(network: Any, images: Any, should_stop: Any) -> Any:
        read.append(len(images))
        return predict(network, images, should_stop)

    monkeypatch.setattr(cnn_model, "predict", counted)
    monkeypatch.setattr(cnn_model, "FEW_IMAGES", 0)
    parameters = TrainingParameters("adam", 8, 1, calibration="classes")
    with pytest.raises(cnn_model.TrainingStopped):
        train_entry(
            TrainingTask((Flatten(),), parameters),
            data_set,
            3,
            None,
            show=lambda progress: None,
            should_stop=lambda: len(read) > readings,
        )
    assert len(read) == readings + 1


def test_weights_beyond_half_precision_are_kept_in_full(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = cnn_model.build_network((Flatten(),), 3)
    huge = tuple(array + np.float32(1e6) for array in cnn_model.get_weights(network))
    cnn_model.set_weights(network, huge)
    kept, _ = smallest_weights(network, data_set, lambda: False)
    assert all(np.array_equal(a, b) for a, b in zip(kept, huge, strict=True))


def test_weights_are_kept_in_full_where_half_precision_costs_accuracy(data_set: DataSet) -> None:
    network = cnn_model.build_network((Flatten(),), 3)
    kernel, bias = cnn_model.get_weights(network)
    kernel[:] = 0
    bias[:] = 1, 1 + 1e-5, 1  # class 1 is ahead by less than half precision can say
    cnn_model.set_weights(network, (kernel, bias))
    labels = np.ones_like(data_set.labels)
    kept, score = smallest_weights(
        network, dataclasses.replace(data_set, labels=labels), lambda: False
    )
    assert kept[0].dtype == np.float32 and score.accuracy == 1.0
    assert np.array_equal(cnn_model.get_weights(network)[1], bias)


def test_a_file_name_that_no_terminal_should_see_is_made_harmless(data_set: DataSet) -> None:
    odd = dataclasses.replace(data_set, source=Path("a\x1b[2J\n\udcff.mat"))
    assert origin_of(odd).name == "a?[2J??.mat"
