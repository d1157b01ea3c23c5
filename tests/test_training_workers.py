"""Tests of training in several processes.

Each process takes seconds to start, so most of what is tested here is looked at in one training.
"""

import dataclasses
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collection_training import train
from crews import process_crew
from crews.ending import TrainingDefect
from crews.in_process_crew import InProcessCrew
from crews.process_crew import ProcessCrew, sensible_workers, usable_cores
from crews.shared_value import SharedValue
from crews.training_crew import TrainingCrew
from crews.training_worker import run_worker
from data_parser import DataSet
from errors import UserError
from model_collection import Entry, ModelCollection
from settings.hyperparameters import TrainingTask
from settings.network_layers import Dense, Flatten
from settings.training_parameters import Distillation, TrainingParameters

if os.name != "posix":
    pytest.skip("workers need a POSIX system", allow_module_level=True)


def training(
    tasks: Sequence[TrainingTask], data_set: DataSet, observer: Any, crew: TrainingCrew
) -> ModelCollection:
    """Train with a crew; what cannot be trained is found in `observer.raised`."""
    collection = ModelCollection(data_set.classes)
    try:
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
    except (TrainingDefect, UserError) as error:
        observer.raised = error
    return collection


def pupil(teacher: TrainingTask) -> TrainingTask:
    parameters = dataclasses.replace(
        teacher.parameters, distillation=Distillation(teacher.identity)
    )
    return TrainingTask((Flatten(), Dense(5)), parameters)


# ------------------------------------------------------------------------- two workers


@dataclass(frozen=True)
class Trained:
    """What two workers made of the two tiny variants, a pupil of the first, and a broken one."""

    collection: ModelCollection
    observer: Any
    printed: str
    left_over: list[Path]


@pytest.fixture(scope="module")
def by_two_workers(
    tiny: Any, data_set: DataSet, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    from tests.conftest import Watching

    folder = tmp_path_factory.mktemp("temporary")
    broken = TrainingTask((Flatten(), Dense(-1)), tiny.parameters)
    tasks = [*tiny.tasks, pupil(tiny.tasks[0]), broken]
    observer: Any = Watching()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile("w+") as errors:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)  # as a user has it
        kept = os.dup(2)
        os.dup2(errors.fileno(), 2)
        try:
            collection = training(tasks, data_set, observer, ProcessCrew(2))
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        errors.seek(0)
        return Trained(collection, observer, errors.read(), list(folder.iterdir()))


def same(one: Entry, other: Entry) -> bool:
    return (
        (one.validation, one.test, one.history) == (other.validation, other.test, other.history)
        and one.data == other.data
        and all(np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))
    )


def test_workers_give_the_weights_and_scores_that_this_process_gives(
    by_two_workers: Trained, trained: ModelCollection, data_set: DataSet, observer: Any, tiny: Any
) -> None:
    entries = by_two_workers.collection.entries
    assert all(same(one, other) for one, other in zip(entries, trained.entries, strict=False))
    crew = InProcessCrew(lambda: False)
    here = training([tiny.tasks[0], pupil(tiny.tasks[0])], data_set, observer, crew)
    assert same(entries[2], here.entries[1])


def test_entries_of_workers_stand_in_the_order_of_the_file(
    by_two_workers: Trained, tiny: Any
) -> None:
    identities = [entry.identity for entry in by_two_workers.collection.entries]
    assert identities == [task.identity for task in (*tiny.tasks, pupil(tiny.tasks[0]))]


def test_progress_of_every_worker_is_told(by_two_workers: Trained) -> None:
    told = by_two_workers.observer.told
    first_end = min(told.index(("finished", number)) for number in (0, 1))
    assert {("started", 0), ("started", 1)} <= set(told[:first_end])  # side by side
    assert by_two_workers.observer.in_progress == {0, 1, 2}
    assert told.index(("started", 2)) > told.index(("finished", 0))  # its teacher


def test_an_exception_in_a_worker_is_a_defect_with_the_traceback_from_there(
    by_two_workers: Trained,
) -> None:
    defect = by_two_workers.observer.raised
    assert isinstance(defect, TrainingDefect) and str(defect).startswith("variant 3: ")
    assert "in train_entry" in "".join(defect.__notes__)
    assert ("failed", 3) in by_two_workers.observer.told


def test_workers_leave_nothing_behind_and_print_nothing(by_two_workers: Trained) -> None:
    assert by_two_workers.printed == ""
    assert by_two_workers.left_over == []
    assert not multiprocessing.active_children()


# ------------------------------------------------------------------------- deaths


def test_a_killed_worker_is_replaced_once_a_variant_and_then_named(
    tiny: Any, data_set: DataSet, observer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variant 0 is killed in its first try, variant 1 in each."""
    kills = [0, 1, 1]

    def kill(number: int, progress: object) -> None:
        if number in kills:
            kills.remove(number)
            (worker,) = multiprocessing.active_children()
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)

    monkeypatch.setattr(observer, "progressed", kill)
    patient = TrainingParameters("adam", 4, 3)  # still at it when it is killed
    tasks = [TrainingTask(task.layers, patient) for task in tiny.tasks]
    collection = training(tasks, data_set, observer, ProcessCrew(1))
    assert [(what, number) for what, number in observer.told if what != "started"] == [
        ("interrupted", 0),
        ("interrupted", 1),
        ("finished", 0),
        ("failed", 1),
    ]
    assert observer.reasons[0] == "was killed by SIGKILL"
    assert "variant 1, since its training was killed by SIGKILL twice" in str(observer.raised)
    assert [entry.identity for entry in collection.entries] == [tasks[0].identity]
    assert not multiprocessing.active_children()


@pytest.mark.thorough
def test_a_worker_that_has_trained_enough_networks_makes_room_for_a_new_one(
    tiny: Any, data_set: DataSet, observer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_in: dict[int, int | None] = {}

    def note(number: int, progress: object) -> None:
        (worker,) = multiprocessing.active_children()
        trained_in[number] = worker.pid

    monkeypatch.setattr(observer, "progressed", note)
    monkeypatch.setattr(process_crew, "TASKS_A_PROCESS", 2)
    tasks = [
        TrainingTask((Flatten(), Dense(size)), TrainingParameters("adam", 8, 1))
        for size in (2, 3, 4)
    ]
    collection = training(tasks, data_set, observer, ProcessCrew(1))
    assert len(collection.entries) == 3
    assert trained_in[0] == trained_in[1] != trained_in[2]
    assert not multiprocessing.active_children()


def test_a_worker_with_nothing_to_do_ends_when_nobody_is_at_the_other_end(
    data_set: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    shared = SharedValue(data_set)
    ours, theirs = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(
        target=run_worker, args=(theirs, shared, 1, str(tmp_path / "temporary"))
    )
    worker.start()
    theirs.close()
    ours.close()
    shared.close()
    worker.join(120)
    ended = worker.exitcode
    worker.kill()
    worker.join()
    assert ended == 0
    assert not list(tmp_path.iterdir())


def test_a_worker_that_cannot_even_start_is_named_with_its_exit_code(
    tiny: Any, data_set: DataSet, observer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_crew, "run_worker", _end_at_once)
    training(tiny.tasks[:1], data_set, observer, ProcessCrew(1))
    assert "variant 0, since its training ended with exit code 7 twice" in str(observer.raised)


def _end_at_once(*given: object) -> None:
    os._exit(7)


def test_a_system_that_starts_no_process_is_a_message(
    tiny: Any, data_set: DataSet, observer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.get_context("spawn").Process, "start", fail)
    training(tiny.tasks, data_set, observer, ProcessCrew(2))
    assert "no further worker can be started" in str(observer.raised)
    assert "--workers" in str(observer.raised)


def test_no_room_for_the_images_is_a_message(
    tiny: Any, data_set: DataSet, observer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    training(tiny.tasks, data_set, observer, ProcessCrew(2))
    assert "the images cannot be shared with the workers: No space left" in str(observer.raised)


# ------------------------------------------------------------------------- how many


def tasks_of(count: int, epochs: int) -> list[TrainingTask]:
    return [TrainingTask((Flatten(),), TrainingParameters("adam", 8, epochs))] * count


def test_a_worker_for_each_core_unless_there_is_little_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_crew, "usable_cores", lambda: 4)
    assert sensible_workers(tasks_of(11, 10), 60_000) == 4
    assert sensible_workers(tasks_of(3, 10), 60_000) == 3
    assert sensible_workers(tasks_of(1, 1000), 60_000) == 1
    assert sensible_workers(tasks_of(11, 2), 100) == 1
    assert sensible_workers(tasks_of(11, 1), 5000) == 2


def test_the_cores_are_those_that_the_process_may_use() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
