"""Tests of training on a Ray cluster: a real one, of two nodes on this machine."""

import contextlib
import dataclasses
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_model import TrainingStopped
from collection_training import train
from crews import ray_crew, ray_tasks
from crews.ray_crew import RayCrew
from crews.ray_tasks import Board
from data_parser import DataSet
from errors import UserError
from model_collection import Entry, ModelCollection
from settings.hyperparameters import TrainingTask
from settings.network_layers import Conv2D, Dense, Flatten, MaxPooling
from settings.training_parameters import Distillation, TrainingParameters
from tests.clusters import processes_of, two_nodes, wait_until
from tests.one_thread import ROOT, made_by_one_thread

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the cluster's processes are found in /proc"
)
SEED = 3
CONVOLUTION = (Conv2D(4, (3, 3)), MaxPooling((2, 2)), Flatten(), Dense(8))
QUICK = TrainingParameters("adam", 8, 2)
LONG = TrainingParameters("adam", 8, 120)
ENDLESS = TrainingParameters("adam", 8, 100_000)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes with a processor each; the program's machine is the first."""
    with two_nodes() as made:
        yield made


class Watching:
    """Writes down what a training tells, and does something when so many variants are there."""

    def __init__(
        self, word: str = "", variants: int = 0, do: Callable[[], None] = lambda: None
    ) -> None:
        self.told: list[tuple[str, int]] = []
        self.reasons: list[str] = []
        self._word, self._variants, self._do = word, variants, do

    def _tell(self, word: str, number: int) -> None:
        self.told.append((word, number))
        if len(set(self.numbers(self._word))) == self._variants > 0:
            self._variants = 0
            self._do()

    def variant_skipped(self, number: int, entry: Entry) -> None:
        self._tell("skipped", number)

    def variant_started(self, number: int, variants: int, task: TrainingTask) -> None:
        self._tell("started", number)

    def progressed(self, number: int, progress: Any) -> None:
        self._tell("progressed", number)

    def variant_finished(self, number: int, entry: Entry) -> None:
        self._tell("finished", number)

    def variant_interrupted(self, number: int, reason: str) -> None:
        self._tell("interrupted", number)
        self.reasons.append(reason)

    def variant_moved(self, number: int) -> None:
        self._tell("moved", number)

    def variant_failed(self, number: int, reason: str) -> None:
        self._tell("failed", number)
        self.reasons.append(reason)

    def not_kept(self, reason: str) -> None:
        raise AssertionError(reason)

    def numbers(self, word: str) -> list[int]:
        return [number for said, number in self.told if said == word]


def tasks_of(parameters: TrainingParameters, *sizes: int) -> list[TrainingTask]:
    return [TrainingTask((Flatten(), Dense(size)), parameters) for size in sizes]


def train_on(
    cluster: Any,
    tasks: list[TrainingTask],
    data_set: DataSet,
    observer: Watching,
    should_stop: Callable[[], bool] = lambda: False,
) -> ModelCollection:
    collection = ModelCollection(data_set.classes)
    with contextlib.suppress(TrainingStopped):
        train(
            collection,
            tasks,
            data_set,
            seed=SEED,
            retrain=False,
            observer=observer,
            keep=lambda: None,
            should_stop=should_stop,
            make_crew=lambda tasks: RayCrew(cluster.address),
        )
    return collection


def trainings() -> list[int]:
    """Process numbers of the trainings that are under way on this machine."""
    return processes_of(ray_crew.train_on_node)


def local_entries(folder: Path, tasks: list[TrainingTask], data_set: DataSet) -> list[Entry]:
    """Entries that another process on this machine trains, with a thread for each training."""
    script = """
from collection_training import train
from crews.in_process_crew import InProcessCrew
from model_collection import ModelCollection
from tests.test_ray_crew import SEED, Watching
tasks, data_set = given
collection = ModelCollection(data_set.classes)
train(collection, tasks, data_set, seed=SEED, retrain=False, observer=Watching(),
      keep=lambda: None, should_stop=lambda: False,
      make_crew=lambda tasks: InProcessCrew(lambda: False))
made = collection.entries
"""
    entries: list[Entry] = made_by_one_thread(folder, script, (tasks, data_set))
    return entries


# ------------------------------------------------------------------------- trainings


def test_networks_are_those_that_one_machine_trains(
    cluster: Any, data_set: DataSet, tmp_path: Path
) -> None:
    small, convolutional = tasks_of(QUICK, 5)[0], TrainingTask(CONVOLUTION, QUICK)
    distilling = dataclasses.replace(QUICK, distillation=Distillation(small.identity))
    tasks = [small, convolutional, *tasks_of(distilling, 6)]
    observer = Watching()
    entries = train_on(cluster, tasks, data_set, observer).entries
    assert [entry.identity for entry in entries] == [task.identity for task in tasks]
    for ours, theirs in zip(local_entries(tmp_path, tasks, data_set), entries, strict=True):
        assert (ours.validation, ours.test) == (theirs.validation, theirs.test)
        assert ours.history == theirs.history
        for one, other in zip(ours.weights, theirs.weights, strict=True):
            assert np.array_equal(one, other) and other.flags.owndata
    for number in range(3):
        told = [word for word, other in observer.told if other == number]
        assert told[0] == "started" and told[-1] == "finished"
        assert set(told[1:-1]) <= {"progressed"}


def test_nodes_get_the_images_once_and_the_program_without_data(
    cluster: Any, data_set: DataSet
) -> None:
    import ray

    def look(data_set: DataSet) -> tuple[bool, bool, str, list[tuple[str, int]]]:
        from crews import ray_crew
        from training.training_batches import tensors_of

        tensor, _ = tensors_of(data_set.images, data_set.labels)
        trained_on = np.asarray(memoryview(tensor)).ctypes.data
        files = [(path.suffix, path.stat().st_size) for path in Path.cwd().rglob("*.*")]
        return (
            data_set.images.flags.writeable,
            trained_on == data_set.images.ctypes.data,
            ray_crew.__file__,
            files,
        )

    crew = RayCrew(cluster.address)
    try:
        crew.start(data_set, SEED)
        assert crew.places() == 2
        copied, shared, program, files = ray.get(ray.remote(look).remote(crew._data_set))
    finally:
        crew.close()
    assert not copied  # a view of what the processes of a node share
    assert shared  # and what TensorFlow trains on is the same memory
    assert "working_dir_files" in program
    assert {suffix for suffix, _ in files} <= {".py", ".pyc"}
    assert sum(size for _, size in files) < 2_000_000
    assert not ray.is_initialized()
    crew.close()


def test_ctrl_c_ends_the_trainings_and_keeps_what_is_finished(
    cluster: Any, data_set: DataSet
) -> None:
    observer = Watching()

    def one_is_finished_and_one_under_way() -> bool:
        return {("finished", 0), ("progressed", 1)} <= set(observer.told)

    tasks = [*tasks_of(QUICK, 5), *tasks_of(ENDLESS, 6)]
    collection = train_on(cluster, tasks, data_set, observer, one_is_finished_and_one_under_way)
    assert [entry.identity for entry in collection.entries] == [tasks[0].identity]
    assert observer.numbers("finished") == [0]
    assert not observer.reasons
    wait_until(lambda: not trainings())


def test_a_training_whose_process_dies_is_tried_once_more(cluster: Any, data_set: DataSet) -> None:
    def kill() -> None:
        os.kill(trainings()[0], signal.SIGKILL)

    observer = Watching("progressed", 1, kill)
    tasks = tasks_of(LONG, 5)
    collection = train_on(cluster, tasks, data_set, observer)
    assert len(collection.entries) == 1
    assert observer.reasons == ["ended with its process"]
    assert observer.numbers("started") == [0, 0]


def test_a_training_goes_on_when_the_process_that_carries_progress_dies(
    cluster: Any, data_set: DataSet
) -> None:
    def kill() -> None:
        for process in processes_of(Board):
            os.kill(process, signal.SIGKILL)

    def progress_is_told() -> bool:
        return "progressed" in dict(observer.told)

    observer = Watching("started", 1, kill)
    train_on(cluster, tasks_of(ENDLESS, 5), data_set, observer, progress_is_told)
    assert {word for word, _ in observer.told} == {"started", "progressed"}


def test_a_node_that_lacks_packages_is_said(
    cluster: Any, data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_on_node(*given: Any) -> None:
        raise ModuleNotFoundError("No module named 'tensorflow'")

    monkeypatch.setattr(ray_crew, "train_on_node", train_on_node)
    said = "variant 0; variant 1, since a node of the cluster lacks what .* lists: No module named"
    with pytest.raises(UserError, match=said):
        train_on(cluster, tasks_of(QUICK, 5, 6), data_set, Watching())


def test_a_training_that_loses_node_after_node_is_given_up(
    cluster: Any, data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.exceptions import NodeDiedError

    def train_on_node(*given: Any) -> None:
        raise NodeDiedError("it is gone")

    monkeypatch.setattr(ray_crew, "train_on_node", train_on_node)
    observer = Watching()
    with pytest.raises(UserError, match=r"its training lost 3 nodes of the cluster twice$"):
        train_on(cluster, tasks_of(QUICK, 5), data_set, observer)
    assert [word for word, _ in observer.told if word != "started"] == ["interrupted", "failed"]


# These break the cluster, so they come last.


def test_trainings_of_a_lost_node_are_done_elsewhere(cluster: Any, data_set: DataSet) -> None:
    def lose_the_second_node() -> None:
        cluster.remove_node(cluster.second, allow_graceful=False)

    observer = Watching("progressed", 2, lose_the_second_node)
    tasks = tasks_of(LONG, 5, 6)
    collection = train_on(cluster, tasks, data_set, observer)
    assert len(collection.entries) == 2
    assert not observer.reasons  # it is no try that counts
    (moved,) = observer.numbers("moved")
    assert sorted(observer.numbers("started")) == sorted([0, 1, moved])


def test_a_lost_head_node_ends_the_training_but_not_the_program(
    cluster: Any, data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_tasks, "BETWEEN_LOOKS", 1.0)
    monkeypatch.setattr(ray_tasks, "LONGEST_SILENCE", 2.0)

    def lose_the_head_node() -> None:
        cluster.head_node.all_processes["gcs_server"][0].process.kill()

    observer = Watching("progressed", 1, lose_the_head_node)
    with pytest.raises(UserError, match=f"the head node .* at {cluster.address} answers no longer"):
        train_on(cluster, tasks_of(ENDLESS, 5), data_set, observer)
    wait_until(lambda: not trainings())


ORPHAN = """
import pickle
from pathlib import Path
from types import SimpleNamespace
from errors import UserError
from tests.test_ray_crew import ENDLESS, Watching, tasks_of, train_on
address, data_set = pickle.loads(Path("given.pickle").read_bytes())
observer = Watching("started", 1, lambda: print("started", flush=True))
try:
    train_on(SimpleNamespace(address=address), tasks_of(ENDLESS, 5), data_set, observer)
except UserError as error:
    print("ended:", error, flush=True)
"""


def test_a_lost_node_of_this_machine_ends_the_training_but_not_the_program(
    cluster: Any, data_set: DataSet, tmp_path: Path
) -> None:
    """Not even one whose parent has ended, as under nohup: Ray ends those."""
    cluster.shutdown()  # two at once disturb each other
    (tmp_path / "orphan.py").write_text(ORPHAN)
    said = tmp_path / "said.txt"
    said.touch()
    with two_nodes() as other:
        (tmp_path / "given.pickle").write_bytes(pickle.dumps((other.address, data_set)))
        subprocess.run(
            ["sh", "-c", '"$0" orphan.py > said.txt 2>&1 &', sys.executable],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        wait_until(lambda: "started" in said.read_text())
        other.head_node.all_processes["raylet"][0].process.kill()
        wait_until(lambda: "ended" in said.read_text())
        assert f"no node of the Ray cluster at {other.address} any more" in said.read_text()


# ------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "address", ["", "head", "head:", ":6379", "head:0", "head:65536", "ray://head:10001", "a b:1"]
)
def test_what_is_no_address_is_said(data_set: DataSet, address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(UserError, match=r"is no address of a Ray cluster; give HOST:PORT"):
        RayCrew(address).start(data_set, SEED)


def test_an_address_that_does_not_answer_is_said_at_once(data_set: DataSet) -> None:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    before = time.monotonic()
    crew = RayCrew(address)
    with pytest.raises(UserError, match=f"there is no Ray cluster at {address} .*ray start --head"):
        crew.start(data_set, SEED)
    crew.close()
    assert time.monotonic() - before < 10


def test_another_service_at_the_address_does_no_harm(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr(ray_tasks, "LONGEST_CHECK", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match=f"at {address}"):
            RayCrew(address).start(data_set, SEED)


def test_without_ray_it_is_said_how_to_install_it(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"'ray', .* is not installed; .*requirements-cluster"):
        RayCrew("127.0.0.1:6379").start(data_set, SEED)
