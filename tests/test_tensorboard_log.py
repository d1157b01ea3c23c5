"""Tests of the logs that TensorBoard reads: what stands in them, and that they change nothing."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnn_model import Epoch, TrainingProgress, TrainingStopped
from collection_training import train
from crews.in_process_crew import InProcessCrew
from crews.process_crew import ProcessCrew
from crews.training_crew import TrainingCrew
from data_parser import DataSet
from errors import HyperparameterError, UserError
from model_collection import Entry, ModelCollection, train_entry
from settings.hyperparameters import TrainingTask, read_training_tasks
from settings.network_layers import Dense, Flatten
from settings.training_parameters import Augmentation, TrainingParameters

PLAIN = TrainingParameters("adam", 16, 3)
AVERAGED = TrainingParameters(
    "sgd",
    16,
    4,
    learning_rate=0.1,
    learning_rate_schedule="cosine",
    early_stopping_patience=2,
    moving_average=0.9,
    augmentation=Augmentation(shift=2),
)
LAYERS = (Flatten(), Dense(6))
GOOD = {"optimizer": "adam", "train_batch_size": 16, "train_epochs": 2}
Course = dict[str, list[tuple[int, float]]]


def entry_of(
    task: TrainingTask,
    data_set: DataSet,
    seed: int = 3,
    show: Callable[[TrainingProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Entry:
    return train_entry(task, data_set, seed, None, show=show, should_stop=should_stop)


@dataclass(frozen=True)
class Logged:
    """What was written of a training: steps and values by name, of both of its runs."""

    train: Course
    validation: Course


def logged(run: Path) -> Logged:
    """Read the files of a training with TensorFlow's own reader of records."""
    assert {path.name for path in run.iterdir()} == {"train", "validation"}
    return Logged(course_in(run / "train"), course_in(run / "validation"))


def course_in(folder: Path) -> Course:
    (file,) = folder.iterdir()
    assert ".tfevents." in file.name
    course: Course = {}
    for record in tf.data.TFRecordDataset([str(file)]).as_numpy_iterator():
        event = tf.compat.v1.Event.FromString(record)
        assert not event.HasField("graph_def") and not event.HasField("meta_graph_def")
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            number = float(tf.make_ndarray(value.tensor))
            course.setdefault(value.tag, []).append((event.step, number))
    return course


def as_written(numbers: Sequence[float]) -> list[tuple[int, float]]:
    return [(epoch, float(np.float32(number))) for epoch, number in enumerate(numbers, 1)]


def assert_same_as_history(found: Logged, entry: Entry) -> None:
    history = entry.history
    assert found.train.keys() == {"accuracy", "loss", "learning_rate"}
    assert found.train["accuracy"] == as_written([epoch.accuracy for epoch in history])
    assert found.train["loss"] == as_written([epoch.loss for epoch in history])
    assert found.validation == {
        "accuracy": as_written([epoch.validation_accuracy for epoch in history]),
        "loss": as_written([epoch.validation_loss for epoch in history]),
    }


# ------------------------------------------------------------------------- what stands in it


@pytest.mark.parametrize("parameters", [PLAIN, AVERAGED], ids=["plain", "averaged"])
def test_every_epoch_is_written_as_the_entry_has_it(
    data_set: DataSet, tmp_path: Path, parameters: TrainingParameters
) -> None:
    task = TrainingTask(LAYERS, parameters, tmp_path / "logs")
    entry = entry_of(task, data_set)
    assert len(entry.history) >= 3
    (run,) = (tmp_path / "logs").iterdir()
    assert run.name == f"{entry.identity}-seed-3"
    assert_same_as_history(logged(run), entry)
    if parameters is PLAIN:
        assert logged(run).train["learning_rate"] == as_written([0.001] * 3)


def test_the_learning_rate_is_what_the_schedule_makes_it(data_set: DataSet, tmp_path: Path) -> None:
    epochs = 4
    schedule = dataclasses.replace(AVERAGED, early_stopping_patience=None, learning_rate=0.2)
    entry_of(TrainingTask((Flatten(),), schedule, tmp_path / "logs"), data_set)
    (run,) = (tmp_path / "logs").iterdir()
    rates = [rate for _, rate in logged(run).train["learning_rate"]]
    falling = [0.1 * (1 + np.cos(np.pi * done / epochs)) for done in range(1, epochs + 1)]
    assert np.allclose(rates, falling, atol=1e-6)


def test_tensorboard_reads_the_same(data_set: DataSet, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="the package tensorboard is not installed",
    )
    entry = entry_of(TrainingTask(LAYERS, PLAIN, tmp_path / "logs"), data_set)
    (run,) = (tmp_path / "logs").iterdir()
    read: dict[str, Course] = {}
    for name in ("train", "validation"):
        events = accumulator.EventAccumulator(str(run / name)).Reload()
        tags = events.Tags()
        assert not any(tags[kind] for kind in tags if kind != "tensors")
        read[name] = {
            tag: [(event.step, float(tf.make_ndarray(event.tensor_proto)))
                  for event in events.Tensors(tag)]
            for tag in tags["tensors"]
        }  # fmt: skip
    found = Logged(**read)
    assert found == logged(run)
    assert_same_as_history(found, entry)


def test_a_training_that_is_ended_leaves_its_finished_epochs(
    data_set: DataSet, tmp_path: Path
) -> None:
    finished: list[Epoch] = []

    def show(progress: TrainingProgress) -> None:
        finished[:] = progress.finished

    with pytest.raises(TrainingStopped):
        entry_of(
            TrainingTask(LAYERS, PLAIN, tmp_path / "logs"),
            data_set,
            show=show,
            should_stop=lambda: len(finished) == 2,
        )
    (run,) = (tmp_path / "logs").iterdir()
    assert logged(run).train["loss"] == as_written([epoch.loss for epoch in finished])


# ------------------------------------------------------------------------- what it changes


def test_the_result_and_the_entry_are_those_of_a_training_without(
    data_set: DataSet, tmp_path: Path
) -> None:
    task = TrainingTask((*LAYERS, Dense(5)), AVERAGED)
    without = entry_of(task, data_set)
    with_log = entry_of(dataclasses.replace(task, tensorboard=tmp_path / "logs"), data_set)
    assert with_log.history == without.history
    assert all(map(np.array_equal, with_log.weights, without.weights))
    assert with_log.training_parameters == without.training_parameters
    assert with_log.identity == without.identity


@pytest.mark.thorough
def test_trainings_have_folders_of_their_own(data_set: DataSet, tmp_path: Path) -> None:
    task = TrainingTask((Flatten(),), TrainingParameters("sgd", 72, 1), tmp_path / "logs")
    first = entry_of(task, data_set)
    name = f"{first.identity}-seed-3"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.tfevents.*")}
    entry_of(task, data_set)
    entry_of(task, data_set, seed=4)
    runs = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert runs == sorted([name, f"{name}-2", f"{first.identity}-seed-4"])
    assert len(before) == 2
    assert {path: path.read_bytes() for path in before} == before


# ------------------------------------------------------------------------- the key


def tasks_of(folder: Path, *settings: dict[str, Any]) -> tuple[TrainingTask, ...]:
    (folder / "variants.txt").write_text("[[{'type':'flatten'}]]")
    (folder / "training.txt").write_text(repr(list(settings)))
    return read_training_tasks(folder / "variants.txt", folder / "training.txt")


def test_the_folder_is_below_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/anna")
    folders = ["logs", "a/b c", "/elsewhere", "~/logs"]
    tasks = tasks_of(tmp_path, GOOD, *(GOOD | {"tensorboard": folder} for folder in folders))
    assert [task.tensorboard for task in tasks] == [
        None,
        tmp_path / "logs",
        tmp_path / "a" / "b c",
        Path("/elsewhere"),
        Path("/home/anna/logs"),
    ]
    assert len({task.identity for task in tasks}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"variants.txt", "training.txt"}


@pytest.mark.parametrize("wrong", ["", "  ", "a\0b", "a\nb", "\udcff", None, True, 3, ["logs"]])
def test_what_is_no_folder_is_quoted(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(HyperparameterError) as caught:
        tasks_of(tmp_path, GOOD | {"tensorboard": wrong})
    assert f"'tensorboard' is {wrong!r}, but must be the name of a folder" in str(caught.value)


def test_the_folder_of_nobody_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError) as caught:
        tasks_of(tmp_path, GOOD | {"tensorboard": "~nobody-of-this-name/logs"})
    assert "'tensorboard' is '~nobody-of-this-name/logs', but must be a folder" in str(caught.value)


# ------------------------------------------------------------------------- what cannot be written


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300, "a/" * 3000])
def test_a_folder_that_cannot_be_written_is_told_before_training(
    data_set: DataSet, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    shown: list[TrainingProgress] = []
    with pytest.raises(UserError) as caught:
        entry_of(TrainingTask(LAYERS, PLAIN, tmp_path / place), data_set, show=shown.append)
    assert "the folder for TensorBoard, " in str(caught.value)
    assert "cannot be written: " in str(caught.value)
    assert not shown and (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_disk_that_becomes_full_is_told_in_a_sentence(data_set: DataSet, tmp_path: Path) -> None:
    def fill_up(progress: TrainingProgress) -> None:
        if len(progress.finished) == 1:
            for number in os.listdir("/proc/self/fd"):
                link = Path("/proc/self/fd") / number
                if link.exists() and str(tmp_path) in str(link.readlink()):
                    full = os.open("/dev/full", os.O_WRONLY)
                    os.dup2(full, int(number))
                    os.close(full)

    with pytest.raises(UserError) as caught:
        entry_of(TrainingTask(LAYERS, PLAIN, tmp_path / "logs"), data_set, show=fill_up)
    sentence = str(caught.value)
    assert f"{tmp_path / 'logs'}" in sentence and "No space left on device" in sentence
    assert "\n" not in sentence and "__wrapped__" not in sentence


def trained_in(
    crew: TrainingCrew, tasks: Sequence[TrainingTask], data_set: DataSet, observer: Any
) -> ModelCollection:
    collection = ModelCollection(data_set.classes)
    train(
        collection,
        tasks,
        data_set,
        seed=3,
        retrain=False,
        observer=observer,
        keep=lambda: None,
        should_stop=lambda: False,
        make_crew=lambda tasks: crew,
    )
    return collection


def test_a_variant_without_its_log_fails_and_others_are_trained(
    data_set: DataSet, tiny: Any, tmp_path: Path, observer: Any
) -> None:
    (tmp_path / "file").write_text("mine")
    first, second = tiny.tasks
    tasks = [dataclasses.replace(first, tensorboard=tmp_path / "file"), second]
    with pytest.raises(UserError, match="not in the collection: variant 0, since the folder for"):
        trained_in(InProcessCrew(lambda: False), tasks, data_set, observer)
    assert observer.told[1:] == [("failed", 0), ("started", 1), ("finished", 1)]


@pytest.mark.skipif(os.name != "posix", reason="workers need a POSIX system")
@pytest.mark.thorough
def test_worker_processes_write_where_one_process_does(
    data_set: DataSet, tiny: Any, tmp_path: Path, observer: Any
) -> None:
    tasks = [dataclasses.replace(task, tensorboard=tmp_path / "logs") for task in tiny.tasks]
    collection = trained_in(ProcessCrew(1), tasks, data_set, observer)
    runs = {path.name: path for path in (tmp_path / "logs").iterdir()}
    assert runs.keys() == {f"{entry.identity}-seed-3" for entry in collection.entries}
    for entry in collection.entries:
        assert_same_as_history(logged(runs[f"{entry.identity}-seed-3"]), entry)
