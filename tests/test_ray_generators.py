"""Tests of generators that are trained on a Ray cluster, a real one of two nodes here."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from crews.ending import TrainingDefect
from crews.ray_tasks import Returned, TaskEvent
from crews.training_crew import Died, Failed, Refused, Started, Stopped
from data_parser import DataSet
from dialogues import common
from dialogues import generator as generator_dialogue
from errors import CollectionError, UserError
from gan.course import TrainedGan
from gan.progress import GanProgress
from gan.settings import GanSettings, settings_to_json, weight_count
from generators import ray_generators
from generators.trained_generators import MINIMUM_IMAGES, TrainedGenerators
from menu import Menu
from terminal import PipeAsker
from tests.clusters import processes_of, two_nodes, wait_until
from tests.conditional import KIND, READING
from tests.one_thread import made_by_one_thread
from tests.stored import by_character
from tests.tiny_generators import TINY
from trainer_predictor import TrainerPredictor

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the cluster's processes are found in /proc"
)
SEED = 3
LONG = replace(TINY, steps=10_000)  # long enough for reports
ENDLESS = replace(TINY, steps=10**7)


@pytest.fixture(scope="module")
def letters(make_data_set: Callable[..., DataSet]) -> DataSet:
    """Classes A, B, C with just enough images in the generator split."""
    return make_data_set("ABC", 10 * MINIMUM_IMAGES)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes with a processor each; the program's machine is the first."""
    with two_nodes() as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "generators"


@pytest.fixture(autouse=True)
def own_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the repository, and an empty answer trains a tiny generator."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setitem(common.DEFAULT_SETTINGS, "GAN settings", here / "gan.txt")
    write_settings(here / "gan.txt", TINY)


def write_settings(path: Path, settings: GanSettings) -> Path:
    of_one = dict.fromkeys(("keras", "keras_adversarial"), settings_to_json(settings))
    path.write_text(repr(of_one | {KIND: settings_to_json(READING)}))
    return path


class Watching:
    """Writes down what is told, and does something when a word is first told of all of some."""

    def __init__(
        self, word: str = "", characters: str = "", do: Callable[[], None] = lambda: None
    ) -> None:
        self.told: list[tuple[str, str]] = []
        self.reasons: list[str] = []
        self._waited_for = {(word, character) for character in characters}
        self._do = do

    def _tell(self, word: str, character: str) -> None:
        self.told.append((word, character))
        if self._waited_for and self._waited_for <= set(self.told):
            self._waited_for = set()
            self._do()

    def started(self, character: str) -> None:
        self._tell("started", character)

    def progressed(self, character: str, progress: GanProgress) -> None:
        assert 0 < progress.step <= progress.steps and progress.preview is None
        self._tell("progressed", character)

    def finished(self, character: str, trained: TrainedGan, kept: bool) -> None:
        for array in (trained.weights, trained.losses, trained.previews):
            assert array.flags.owndata  # nothing is held in Ray's memory
        self._tell("finished" if kept else "finished but not kept", character)

    def interrupted(self, character: str, reason: str) -> None:
        self._tell("interrupted", character)
        self.reasons.append(reason)

    def failed(self, character: str, reason: str) -> None:
        self._tell("failed", character)
        self.reasons.append(reason)

    def stopped(self, characters: Sequence[str]) -> None:
        for character in characters:
            self._tell("stopped", character)

    def of(self, word: str) -> str:
        """Characters that a word was told of, in that order."""
        return "".join(character for said, character in self.told if said == word)


def train(
    generators: TrainedGenerators,
    address: str,
    settings: GanSettings,
    observer: Watching,
    classes: Sequence[int] = (0, 1),
    should_stop: Callable[[], bool] = lambda: False,
    kind: str = "keras",
) -> None:
    generators.train_on_cluster(
        address, kind, classes, settings, observer=observer, should_stop=should_stop
    )


def under_way() -> list[int]:
    """Process numbers of the trainings that are under way on this machine."""
    return processes_of(ray_generators.train_generator_on_node)


def talk(session: TrainerPredictor, *lines: str) -> str:
    """What is shown while these lines are answered."""
    shown = io.StringIO()
    answers = io.StringIO("".join(line + "\n" for line in lines))
    with contextlib.redirect_stdout(shown):
        Menu(session, PipeAsker(answers, shown)).loop()
    assert "defect" not in shown.getvalue() and "Traceback" not in shown.getvalue()
    return shown.getvalue()


# ------------------------------------------------------------------------- on a cluster


@on_linux
@pytest.mark.thorough
def test_generators_are_those_that_one_machine_trains(
    cluster: Any, letters: DataSet, root: Path, tmp_path: Path
) -> None:
    script = """
from pathlib import Path
from generators.trained_generators import TrainedGenerators
letters, settings, seed, root = given
generators = TrainedGenerators(letters, Path(root), seed)
for kind, count in (("keras", 3), ("keras_adversarial", 1)):
    for index in range(count):
        generators.train(kind, index, settings, show=lambda told: None, should_stop=lambda: False)
made = None
"""
    made_by_one_thread(tmp_path, script, (letters, TINY, SEED, str(tmp_path / "local")))
    for kind, characters in (("keras", "ABC"), ("keras_adversarial", "A")):
        observer = Watching()
        trained = TrainedGenerators(letters, root, SEED)
        train(trained, cluster.address, TINY, observer, range(len(characters)), kind=kind)
        assert sorted(observer.of("started")) == sorted(observer.of("finished")) == [*characters]
        kept, local = by_character(root / kind, kind), by_character(tmp_path / "local" / kind, kind)
        assert set(kept) == set(local) == set(characters)
        for character, ours in local.items():
            theirs = kept[character]
            assert np.array_equal(ours.weights, theirs.weights)
            assert (ours.settings, ours.steps) == (theirs.settings, theirs.steps)
            assert (ours.seed, ours.data) == (theirs.seed, theirs.data)
    assert not under_way()


@on_linux
@pytest.mark.thorough
def test_gan_trains_side_by_side_and_says_how_it_goes(
    cluster: Any, letters: DataSet, saved_collection: Path, root: Path
) -> None:
    session = TrainerPredictor(letters, seed=SEED, generator_root=root, cluster=cluster.address)
    session.load(saved_collection)
    settings = str(write_settings(Path("long.txt"), LONG))
    before = signal.getsignal(signal.SIGINT)
    shown = talk(session, "gan", "keras", "BA", settings, "n", "predict", "keras", "c", "exit")
    assert (
        f"Training 'keras' to draw 2 characters on the cluster at {cluster.address}: 10,000 steps "
        "each. Ctrl-C ends it and keeps the generators that are finished.\n" in shown
    )
    for character in "AB":
        assert f"'{character}' begins\n" in shown
        assert f"\n  '{character}': step " in shown
        assert f"'{character}': trained 10,000 steps in " in shown
    assert "There is no generator 'keras' of 'c' yet.\nTraining 'keras' to draw 'C' on" in shown
    assert shown.count("Predicted character:") == 1
    assert "".join(by_character(root / "keras", "keras")) == "ABC"
    assert sorted(path.name for path in Path("keras-U+0041").iterdir()) == [
        "losses.png",
        "over-time.gif",
        "over-time.png",
    ]
    assert signal.getsignal(signal.SIGINT) is before


@on_linux
def test_ctrl_c_ends_the_trainings_and_keeps_what_is_finished(
    cluster: Any, letters: DataSet, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = TrainedGenerators(letters, root, SEED)
    original = ray_generators.CharacterTask
    endless_but_a = {"A": TINY}

    def task(kind: str, character: str, images: Any, settings: Any, seed: int) -> Any:
        return original(kind, character, images, endless_but_a.get(character, ENDLESS), seed)

    monkeypatch.setattr(ray_generators, "CharacterTask", task)
    observer = Watching()

    def one_is_finished_and_another_under_way() -> bool:
        return {("finished", "A"), ("progressed", "B")} <= set(observer.told)

    train(
        trained,
        cluster.address,
        TINY,
        observer,
        range(3),
        one_is_finished_and_another_under_way,
    )
    assert observer.of("finished") == "A" and observer.of("stopped") == "BC"
    assert not observer.reasons
    assert "".join(by_character(root / "keras", "keras")) == "A"
    wait_until(lambda: not under_way())


@on_linux
@pytest.mark.thorough
def test_a_generator_whose_process_dies_is_trained_again(
    cluster: Any, letters: DataSet, root: Path
) -> None:
    def kill() -> None:
        os.kill(under_way()[0], signal.SIGKILL)

    observer = Watching("progressed", "A", kill)
    train(TrainedGenerators(letters, root, SEED), cluster.address, LONG, observer, [0])
    assert observer.reasons == ["ended with its process"]
    assert observer.of("started") == "AA" and observer.of("finished") == "A"
    assert "".join(by_character(root / "keras", "keras")) == "A"


@on_linux
@pytest.mark.thorough
def test_weights_that_grow_without_bound_are_said_and_the_others_are_kept(
    cluster: Any, letters: DataSet, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ray_generators.CharacterTask

    def task(kind: str, character: str, images: Any, settings: Any, seed: int) -> Any:
        rate = 1e30 if character == "A" else settings.generator_learning_rate
        changed = replace(settings, generator_learning_rate=rate)
        return original(kind, character, images, changed, seed)

    monkeypatch.setattr(ray_generators, "CharacterTask", task)
    observer = Watching()
    with pytest.raises(UserError, match=r"no generator of 'A', since .* grew without bound"):
        train(TrainedGenerators(letters, root, SEED), cluster.address, TINY, observer)
    assert observer.of("failed") == "A"
    assert "".join(by_character(root / "keras", "keras")) == "B"


# This one breaks the cluster, so it comes last of those on it.


@on_linux
@pytest.mark.thorough
def test_generators_of_a_lost_node_are_trained_elsewhere(
    cluster: Any, letters: DataSet, root: Path
) -> None:
    def lose_the_second_node() -> None:
        cluster.remove_node(cluster.second, allow_graceful=False)

    observer = Watching("progressed", "AB", lose_the_second_node)
    train(TrainedGenerators(letters, root, SEED), cluster.address, LONG, observer)
    assert observer.reasons == ["lost a node of the cluster"]
    assert sorted(observer.of("finished")) == ["A", "B"]
    assert "".join(by_character(root / "keras", "keras")) == "AB"


# ------------------------------------------------------------------------- without one


class ScriptedTasks:
    """Takes the place of Ray: ends the tries of each task as it is told, one after the other."""

    ends: ClassVar[dict[int, list[Callable[[int], TaskEvent]]]] = {}

    def __init__(self, address: str, most_lost_nodes: int) -> None:
        self._ends = {number: list(ends) for number, ends in type(self).ends.items()}
        self._under_way: list[int] = []

    def open(self, function: Callable[..., Any]) -> None:
        pass

    def places(self) -> int:
        return 1

    def put(self, value: Any) -> Any:
        return value

    def submit(self, number: int, *arguments: Any) -> None:
        assert not self._under_way
        self._under_way.append(number)

    def work(self, seconds: float, tell: Callable[[TaskEvent], None]) -> None:
        for number in self._under_way:
            self._under_way = []
            tell(Started(number))
            tell(self._ends[number].pop(0)(number))

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        assert not self._under_way


def done(number: int) -> TaskEvent:
    weights = np.full(weight_count(TINY), 0.25, np.float16)
    previews = np.zeros((1, 16, 28, 28), np.uint8)
    return Returned(number, TrainedGan(weights, 50, 1.0, np.ones((1, 3)), previews, (50,)))


def dead(number: int) -> TaskEvent:
    return Died(number, "ended with its process")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedTasks]:
    monkeypatch.setattr(ray_generators, "RayTasks", ScriptedTasks)
    monkeypatch.setattr(TrainerPredictor, "check_cluster", lambda session: None)  # nobody is there
    return ScriptedTasks


def test_a_generator_that_dies_thrice_is_given_up_and_the_others_go_on(
    letters: DataSet, root: Path, scripted: type[ScriptedTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "ends", {0: [dead, dead, dead], 1: [dead, dead, done], 2: [done]})
    observer = Watching()
    with pytest.raises(UserError) as caught:
        train(TrainedGenerators(letters, root, SEED), "", TINY, observer, range(3))
    assert str(caught.value) == (
        "no generator of 'A', since its training was begun 3 times, and each was broken off; the "
        "last one ended with its process"
    )
    assert observer.of("interrupted") == "ABAB" and observer.of("failed") == "A"
    assert observer.of("finished") == "CB"
    assert "".join(by_character(root / "keras", "keras")) == "BC"


def test_what_cannot_be_trained_is_named_by_its_reason(
    letters: DataSet, root: Path, scripted: type[ScriptedTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(number: int) -> TaskEvent:
        return Refused(number, "a node lacks TensorFlow")

    monkeypatch.setattr(scripted, "ends", {0: [refused], 1: [done], 2: [refused]})
    with pytest.raises(UserError, match=r"^no generator of 'A', 'C', since a node lacks Tensor"):
        train(TrainedGenerators(letters, root, SEED), "", TINY, Watching(), range(3))
    assert "".join(by_character(root / "keras", "keras")) == "B"


def test_a_defect_is_raised_with_its_traceback_when_the_others_are_trained(
    letters: DataSet, root: Path, scripted: type[ScriptedTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> TaskEvent:
        return Failed(number, "ValueError: no", "Traceback: somewhere")

    monkeypatch.setattr(scripted, "ends", {0: [broken], 1: [done]})
    with pytest.raises(TrainingDefect, match="the generator of 'A': ValueError: no") as caught:
        train(TrainedGenerators(letters, root, SEED), "", TINY, Watching())
    assert "Traceback: somewhere" in caught.value.__notes__[0]
    assert "".join(by_character(root / "keras", "keras")) == "B"


def test_what_is_cancelled_from_outside_ends_the_training(
    letters: DataSet, root: Path, scripted: type[ScriptedTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "ends", {0: [done], 1: [Stopped], 2: [done]})
    observer = Watching()
    train(TrainedGenerators(letters, root, SEED), "", TINY, observer, range(3))
    assert observer.of("finished") == "A" and observer.of("stopped") == "BC"


def test_what_cannot_be_kept_stays_in_memory_and_the_others_go_on(
    letters: DataSet, root: Path, scripted: type[ScriptedTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "ends", {0: [done], 1: [done]})
    root.write_text("no folder")
    observer = Watching()
    generators = TrainedGenerators(letters, root, SEED)
    with pytest.raises(CollectionError, match="in memory until the program ends"):
        train(generators, "", TINY, observer)
    assert observer.of("finished but not kept") == "AB"
    assert sorted(generators.of("keras")) == ["A", "B"]


def test_gan_says_what_was_interrupted_what_failed_and_what_was_stopped(
    letters: DataSet, root: Path, scripted: type[ScriptedTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "ends", {0: [dead, dead, dead], 1: [done], 2: [Stopped]})
    session = TrainerPredictor(letters, seed=SEED, generator_root=root, cluster="head:1")
    shown = talk(session, "gan", "keras", "", "", "n", "exit")
    assert "The training of 'A' ended with its process; it begins again\n" in shown
    assert "'B': trained 50 steps in 0:01; kept in " in shown
    assert "Training was ended without 'A', 'C'; what was finished before is kept.\n" in shown
    monkeypatch.setattr(scripted, "ends", {0: [dead, dead, dead]})
    shown = talk(session, "gan", "keras", "A", "", "n", "exit")
    assert "'A' could not be trained: its training was begun 3 times" in shown
    assert "\nNo generator of 'A', since its training was begun 3 times" in shown
    assert shown.endswith("exit\n")


def test_gan_trains_one_network_for_all_on_this_machine_and_says_so(
    letters: DataSet, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = TrainerPredictor(letters, seed=SEED, generator_root=root, cluster="head:1")
    trained: list[str] = []

    def stop_here(generator: str, *given: Any, **options: Any) -> TrainedGan:
        trained.append(generator)
        raise UserError("this is enough")

    monkeypatch.setattr(session, "train_generator", stop_here)
    shown = talk(session, "gan", KIND, "", "n", "exit")
    assert f"'{KIND}' is one network, so it is trained on this machine alone.\n" in shown
    assert trained == [KIND]


def test_without_a_cluster_nothing_is_said_of_it(
    letters: DataSet, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_dialogue, "write_training_pictures", lambda *given: Path("none"))
    session = TrainerPredictor(letters, seed=SEED, generator_root=root)
    shown = talk(session, "gan", "keras", "A", "", "n", "exit")
    assert "to draw 'A': 50 steps on 50 images" in shown
    assert "this machine" not in shown and "on the cluster" not in shown
    with pytest.raises(UserError, match="no cluster"):
        session.train_generators_on_cluster("keras", "A", Path("gan.txt"), observer=Watching())


def test_a_cluster_that_does_not_answer_is_one_sentence(letters: DataSet, root: Path) -> None:
    pytest.importorskip("ray")
    session = TrainerPredictor(letters, seed=SEED, generator_root=root, cluster="127.0.0.1:1")
    shown = talk(session, "gan", "keras", "A", "", "n", "exit")
    assert "There is no Ray cluster at 127.0.0.1:1 (" in shown
    assert not root.exists()
