"""Tests of training a collection: what is trained when, what is tried again, what is told."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_model
from collection_training import train
from crews.ending import TrainingDefect
from crews.in_process_crew import InProcessCrew
from crews.training_crew import (
    Assignment,
    Died,
    Diverged,
    Event,
    Failed,
    Finished,
    Progressed,
    Refused,
    Started,
    Stopped,
)
from data_parser import DataSet
from entries import entry_training
from errors import CollectionError, HyperparameterError, UserError
from evaluation import overlap
from model_collection import Entry, ModelCollection, Schooling, network_of, score_split
from settings.hyperparameters import TrainingTask
from settings.network_layers import Conv2D, Dense, Flatten, Variant
from settings.training_parameters import Distillation, TrainingParameters
from storage.collection_folder import load_collection, save_collection

MakeDataSet = Callable[..., DataSet]


def training(
    collection: ModelCollection, tasks: Sequence[TrainingTask], data_set: DataSet, **changes: Any
) -> None:
    """Train in this process, or with the crew that is given."""
    crew = changes.pop("crew", None)
    how: dict[str, Any] = {
        "seed": 3,
        "retrain": False,
        "keep": lambda: None,
        "should_stop": lambda: False,
    }
    how |= changes
    made = crew or InProcessCrew(how["should_stop"])
    train(collection, tasks, data_set, make_crew=lambda tasks: made, **how)


# ------------------------------------------------------------------------- entries


def test_a_variant_gives_the_same_whatever_else_is_trained(
    trained: ModelCollection, tiny: Any, data_set: DataSet, observer: Any
) -> None:
    alone = ModelCollection(data_set.classes)
    training(alone, tiny.tasks[1:], data_set, observer=observer)
    together, single = trained.entries[1], alone.entries[0]
    assert (together.validation, together.test, together.history) == (
        single.validation,
        single.test,
        single.history,
    )
    for one, other in zip(together.weights, single.weights, strict=True):
        assert np.array_equal(one, other)


def test_another_seed_gives_other_weights(
    trained: ModelCollection, tiny: Any, data_set: DataSet, observer: Any
) -> None:
    other = ModelCollection(data_set.classes)
    training(other, tiny.tasks[:1], data_set, observer=observer, seed=2**32 + 4)
    assert not np.array_equal(other.entries[0].weights[0], trained.entries[0].weights[0])


def test_variants_that_are_there_already_are_skipped(
    trained: ModelCollection, tiny: Any, data_set: DataSet, observer: Any
) -> None:
    before = list(trained.entries)
    louder = dataclasses.replace(tiny.parameters, verbose=1)
    tasks = [TrainingTask(variant, louder) for variant in tiny.variants]
    training(trained, tasks, data_set, observer=observer)
    assert observer.told == [("skipped", 0), ("skipped", 1)]
    assert trained.entries == before


def test_retraining_replaces_in_place_and_only_when_finished(
    trained: ModelCollection, tiny: Any, data_set: DataSet, observer: Any
) -> None:
    before = list(trained.entries)
    with pytest.raises(cnn_model.TrainingStopped):
        training(
            trained,
            tiny.tasks,
            data_set,
            observer=observer,
            retrain=True,
            seed=8,
            should_stop=lambda: ("started", 1) in observer.told,
        )
    assert observer.told == [("started", 0), ("finished", 0), ("started", 1)]
    assert trained.entries[0] is not before[0] and trained.entries[0].seed == 8
    assert trained.entries[0].identity == before[0].identity
    assert trained.entries[1] is before[1]


def test_each_finished_entry_is_kept_before_the_next_begins(
    tiny: Any, data_set: DataSet, observer: Any
) -> None:
    collection = ModelCollection(data_set.classes)
    kept: list[tuple[int, list[tuple[str, int]]]] = []
    training(
        collection,
        tiny.tasks,
        data_set,
        observer=observer,
        keep=lambda: kept.append((len(collection.entries), list(observer.told))),
    )
    assert [count for count, _ in kept] == [1, 2]
    assert kept[0][1] == [("started", 0)]
    assert kept[1][1] == [("started", 0), ("finished", 0), ("started", 1)]


def test_an_entry_that_cannot_be_kept_is_in_memory_all_the_same(
    tiny: Any, data_set: DataSet, observer: Any
) -> None:
    def fail() -> None:
        raise CollectionError("no room")

    collection = ModelCollection(data_set.classes)
    with pytest.raises(CollectionError):
        training(collection, tiny.tasks, data_set, observer=observer, keep=fail)
    assert len(collection.entries) == 1


def with_other_test_split(data_set: DataSet) -> DataSet:
    """The same data, except that what the test split shows is spoilt."""
    images = data_set.images.copy()
    images[data_set.splits.test] = 0
    return dataclasses.replace(data_set, images=images)


def test_the_test_split_has_no_part_in_training_or_in_choosing(
    trained: ModelCollection, tiny: Any, data_set: DataSet, observer: Any
) -> None:
    other = ModelCollection(data_set.classes)
    training(other, tiny.tasks, with_other_test_split(data_set), observer=observer)
    for one, two in zip(trained.entries, other.entries, strict=True):
        assert one.validation == two.validation and one.history == two.history
        assert all(np.array_equal(a, b) for a, b in zip(one.weights, two.weights, strict=True))
    best, same = trained.best(), other.best()
    assert best is not None and same is not None and best.identity == same.identity
    assert best.test != same.test


@pytest.mark.parametrize(
    "classes",
    ["ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"],
)
def test_collections_of_37_and_of_47_characters_are_trained_and_read_back(
    make_data_set: MakeDataSet, observer: Any, classes: str, tmp_path: Path
) -> None:
    data = make_data_set(classes, 12)
    collection = ModelCollection(data.classes)
    variant: Variant = (Flatten(), Dense(4))
    training(
        collection,
        [TrainingTask(variant, TrainingParameters("adam", 32, 1))],
        data,
        observer=observer,
        keep=lambda: save_collection(collection, tmp_path / "saved"),
    )
    loaded = load_collection(tmp_path / "saved")
    assert loaded.classes == tuple(classes)
    found = score_split(network_of(loaded.entries[0], len(classes)), data, "validation")
    assert found.accuracy == collection.entries[0].validation.accuracy


def test_a_diverging_variant_is_named_and_the_others_are_trained(
    data_set: DataSet, observer: Any
) -> None:
    collection = ModelCollection(data_set.classes)
    exploding: Variant = (Flatten(), *[Dense(8, "linear")] * 12)
    parameters = TrainingParameters("sgd", 4, 6, learning_rate=10)
    variants: list[Variant] = [exploding, (Flatten(),)]
    tasks = [TrainingTask(variant, parameters) for variant in variants]
    with pytest.raises(UserError, match=r"variant 0, since.*lower 'learning_rate'"):
        training(collection, tasks, data_set, observer=observer, seed=1)
    assert observer.told[-3:] == [("failed", 0), ("started", 1), ("finished", 1)]
    assert [entry.layers for entry in collection.entries] == [variants[1]]
    assert np.isfinite(collection.entries[0].validation.loss)


# ------------------------------------------------------------------------- scheduling


class ScriptedCrew:
    """Ends each assignment as it is told to, without training anything."""

    def __init__(
        self, entry: Entry, *, places: int = 2, latest_first: bool = True, **outcomes: list[Any]
    ) -> None:
        """End with an entry like `entry`, unless `outcomes` has others for `v0`, `v1` and so on."""
        self.submitted: list[tuple[int, Entry | None]] = []
        self.closed = 0
        self._entry = entry
        self._outcomes = outcomes
        self._places = places
        self._latest_first = latest_first
        self._taken: list[Assignment] = []

    def start(self, data_set: DataSet, seed: int) -> None:
        self._seed = seed

    def places(self) -> int:
        return self._places

    def submit(self, assignment: Assignment) -> None:
        assert len(self._taken) < self._places and not self.closed
        self._taken.append(assignment)
        self.submitted.append((assignment.number, assignment.teacher))

    def work(self, seconds: float, tell: Callable[[Event], None]) -> None:
        if not self._taken:
            return
        assignment = self._taken.pop(-1 if self._latest_first else 0)
        number = assignment.number
        tell(Started(number))
        tell(Progressed(number, None))  # type: ignore[arg-type]
        planned = self._outcomes.get(f"v{number}")
        tell(planned.pop(0) if planned else Finished(number, self._entry_of(assignment)))

    def _entry_of(self, assignment: Assignment) -> Entry:
        return dataclasses.replace(
            self._entry,
            layers=assignment.task.layers,
            training_parameters=assignment.task.parameters,
            seed=self._seed,
        )

    def ask_to_stop(self) -> None:
        stopped: dict[str, list[Any]] = {f"v{a.number}": [Stopped(a.number)] for a in self._taken}
        self._outcomes = stopped | {
            name: planned for name, planned in self._outcomes.items() if name in stopped
        }

    def close(self) -> None:
        self.closed += 1


def some_tasks(count: int) -> list[TrainingTask]:
    """Variants of which each is a little quicker to train than the one before."""
    parameters = TrainingParameters("adam", 8, 2)
    return [TrainingTask((Flatten(), Dense(40 - number)), parameters) for number in range(count)]


def pupil_of(teacher: int | str, task: TrainingTask) -> TrainingTask:
    distillation = Distillation(teacher, weight=0.5)
    return dataclasses.replace(
        task, parameters=dataclasses.replace(task.parameters, distillation=distillation)
    )


def test_entries_stand_in_the_order_of_the_file_whichever_was_finished_first(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    before = list(trained.entries)
    tasks = some_tasks(4)
    training(trained, tasks, data_set, observer=observer, crew=ScriptedCrew(before[0]))
    finished = [number for what, number in observer.told if what == "finished"]
    assert finished != sorted(finished) and len(finished) == 4
    assert trained.entries[:2] == before
    assert [entry.identity for entry in trained.entries[2:]] == [task.identity for task in tasks]
    assert observer.in_progress == set(range(4))


def test_a_retrained_entry_keeps_its_place_among_new_ones(
    trained: ModelCollection, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    tasks = [*some_tasks(2), tiny.tasks[1], tiny.tasks[0]]
    crew = ScriptedCrew(trained.entries[0])
    training(trained, tasks, data_set, observer=observer, crew=crew, retrain=True, seed=7)
    assert [entry.identity for entry in trained.entries] == [
        tasks[number].identity for number in (3, 2, 0, 1)
    ]
    assert {entry.seed for entry in trained.entries} == {7}


def test_a_crew_never_has_more_than_it_has_places_for(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    crew = ScriptedCrew(trained.entries[0], places=3)
    training(trained, some_tasks(7), data_set, observer=observer, crew=crew)
    assert sorted(number for number, _ in crew.submitted) == list(range(7))
    assert crew.closed == 1


def test_several_at_a_time_the_longest_begin_first_and_one_by_one_the_first(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    small, large = (Flatten(), Dense(9)), (Conv2D(9, (5, 5)), Flatten())
    few, many = TrainingParameters("adam", 8, 3), TrainingParameters("adam", 8, 4)
    tasks = [TrainingTask(layers, how) for layers in (small, large) for how in (few, many)]
    for places, order in ((3, [3, 2, 1, 0]), (1, [0, 1, 2, 3])):
        crew = ScriptedCrew(trained.entries[0], places=places)
        training(trained, tasks, data_set, observer=observer, crew=crew, retrain=True)
        assert [number for number, _ in crew.submitted] == order


def test_no_crew_is_made_where_nothing_has_to_be_trained(
    trained: ModelCollection, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    crew = ScriptedCrew(trained.entries[0])
    training(trained, tiny.tasks, data_set, observer=observer, crew=crew)
    assert observer.told == [("skipped", 0), ("skipped", 1)] and not crew.closed


def test_a_variant_that_is_in_the_file_twice_is_trained_once(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    (task,) = some_tasks(1)
    crew = ScriptedCrew(trained.entries[0])
    training(trained, [task, task], data_set, observer=observer, crew=crew, retrain=True)
    assert [number for number, _ in crew.submitted] == [0]
    assert observer.told[-1] == ("skipped", 1) and len(trained.entries) == 3


def test_a_training_that_died_is_tried_once_more_and_last(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    crew = ScriptedCrew(trained.entries[0], v0=[Died(0, "was killed by SIGKILL")], places=1)
    training(trained, some_tasks(3), data_set, observer=observer, crew=crew)
    assert [number for number, _ in crew.submitted] == [0, 1, 2, 0]
    assert ("interrupted", 0) in observer.told and observer.told[-1] == ("finished", 0)
    assert observer.reasons == ["was killed by SIGKILL"]
    assert len(trained.entries) == 5


def test_what_cannot_be_trained_again_is_said_to_be_there_as_before(
    trained: ModelCollection, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    before = list(trained.entries)
    again = dataclasses.replace(tiny.tasks[0], name="variant 7")
    crew = ScriptedCrew(trained.entries[1], v0=[Refused(0, "it is {too} big")])
    with pytest.raises(UserError) as caught:
        training(trained, [again], data_set, observer=observer, crew=crew, retrain=True)
    said = "not trained again, and in the collection as before: variant 7, since it is {too} big"
    assert str(caught.value) == said and trained.entries == before


def test_what_cannot_be_trained_is_named_with_its_reason_after_the_others(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    deaths = [Died(1, "was killed by SIGKILL"), Died(1, "ended with exit code 7")]
    planned: dict[str, Any] = {
        "v1": deaths,
        "v3": [Diverged(3)],
        "v4": [Refused(4, "it is too big")],
    }
    crew = ScriptedCrew(trained.entries[0], **planned)
    with pytest.raises(UserError) as caught:
        training(trained, [*some_tasks(5)], data_set, observer=observer, crew=crew)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert (
        "variant 1, since its training was killed by SIGKILL, and when tried again ended with exit "
        "code 7; the system may be short of memory" in lines[0]
    )
    assert "variant 3, since the weights grew without bound" in lines[1]
    assert "variant 4, since it is too big" in lines[2]
    assert {number for what, number in observer.told if what == "failed"} == {1, 3, 4}
    assert len(trained.entries) == 4 and crew.closed == 1


def test_a_defect_is_raised_with_the_traceback_from_elsewhere_after_the_others(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    planned = [Failed(0, "ValueError: odd", 'Traceback:\n  File "deep.py"\nValueError: odd\n')]
    crew = ScriptedCrew(trained.entries[0], v0=planned)
    with pytest.raises(TrainingDefect, match="variant 0: ValueError: odd") as caught:
        training(trained, some_tasks(3), data_set, observer=observer, crew=crew)
    assert 'File "deep.py"' in "".join(caught.value.__notes__)
    assert len(trained.entries) == 4 and crew.closed == 1


def test_an_exception_in_this_process_is_a_defect_with_its_traceback(
    data_set: DataSet, tiny: Any, observer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any, **how: Any) -> Entry:
        raise ValueError("odd\nvery")

    monkeypatch.setattr(entry_training, "train_entry", fail)
    collection = ModelCollection(data_set.classes)
    with pytest.raises(TrainingDefect, match=r"^variant 0: ValueError: odd\n") as caught:
        training(collection, tiny.tasks, data_set, observer=observer)
    notes = "".join(caught.value.__notes__)
    assert notes.count("in fail\n") == 2 and "variant 1" in notes
    assert observer.told == [("started", 0), ("failed", 0), ("started", 1), ("failed", 1)]


def test_what_an_observer_raises_is_no_failure_of_the_training(
    data_set: DataSet, tiny: Any, observer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(number: int, progress: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(observer, "progressed", gone)
    collection = ModelCollection(data_set.classes)
    with pytest.raises(BrokenPipeError):
        training(collection, tiny.tasks, data_set, observer=observer)
    assert not collection.entries


def test_a_stop_keeps_what_is_finished_and_begins_nothing_more(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    crew = ScriptedCrew(trained.entries[0])
    with pytest.raises(cnn_model.TrainingStopped) as caught:
        training(
            trained,
            some_tasks(5),
            data_set,
            observer=observer,
            crew=crew,
            should_stop=lambda: ("finished", 1) in observer.told,
        )
    assert [number for number, _ in crew.submitted] == [0, 1]
    assert len(trained.entries) == 3 and crew.closed == 1
    assert caught.value.__cause__ is None


def test_a_defect_before_a_stop_is_not_forgotten(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    crew = ScriptedCrew(trained.entries[0], v1=[Failed(1, "ValueError: odd", "Traceback")])
    with pytest.raises(cnn_model.TrainingStopped) as caught:
        training(
            trained,
            some_tasks(3),
            data_set,
            observer=observer,
            crew=crew,
            should_stop=lambda: ("failed", 1) in observer.told,
        )
    assert isinstance(caught.value.__cause__, TrainingDefect)


def test_a_crew_is_closed_whatever_happens(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    crew = ScriptedCrew(trained.entries[0])
    with pytest.raises(KeyboardInterrupt):
        training(trained, some_tasks(2), data_set, observer=observer, crew=crew, keep=interrupt)
    assert crew.closed == 1 and len(trained.entries) == 3


# ------------------------------------------------------------------------- teachers


def test_a_pupil_waits_for_its_teacher_and_gets_it(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    tasks = some_tasks(3)
    tasks.insert(1, pupil_of(tasks[0].identity, tasks[1]))  # 0 teaches 1
    crew = ScriptedCrew(trained.entries[0], latest_first=False)
    training(trained, tasks, data_set, observer=observer, crew=crew)
    assert [number for number, _ in crew.submitted] == [0, 2, 1, 3]
    teacher = dict(crew.submitted)[1]
    assert teacher is not None and teacher.identity == tasks[0].identity
    assert {taught for number, taught in crew.submitted if number != 1} == {None}


def test_a_pupil_learns_from_the_retrained_teacher(
    trained: ModelCollection, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    tasks = [pupil_of(tiny.tasks[0].identity[:8], some_tasks(1)[0]), tiny.tasks[0]]
    crew = ScriptedCrew(trained.entries[0])
    training(trained, tasks, data_set, observer=observer, crew=crew, retrain=True, seed=7)
    assert [number for number, _ in crew.submitted] == [1, 0]
    teacher = dict(crew.submitted)[0]
    assert teacher is not None and teacher.seed == 7


def test_a_teacher_that_is_in_the_collection_is_not_waited_for(
    trained: ModelCollection, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    tasks = [tiny.tasks[0], pupil_of(tiny.tasks[0].identity[:8], some_tasks(1)[0])]
    crew = ScriptedCrew(trained.entries[0])
    training(trained, tasks, data_set, observer=observer, crew=crew)
    assert crew.submitted == [(1, trained.entries[0])]


def test_a_pupil_has_seen_what_its_teacher_learnt_from(
    trained: ModelCollection, make_data_set: Any, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    otherwise_divided = make_data_set(seed=8)
    task = pupil_of(tiny.tasks[0].identity, some_tasks(1)[0])
    training(trained, [task], otherwise_divided, observer=observer)
    keys = trained.keys_of(trained.entries[-1])
    for seen in (data_set, otherwise_divided):
        for name in ("training", "validation"):
            assert overlap.were_seen(seen.subset(name)[0], keys).all()
    assert not overlap.were_seen(otherwise_divided.subset("test")[0], keys).all()
    known = trained.keys_of(trained.entries[0])
    schooling = trained.entries[-1].schooling
    assert schooling.fingerprints == (data_set.fingerprint,)
    for name, met in (
        ("validation", schooling.validation_images),
        ("test", schooling.test_images),
    ):
        assert met == overlap.were_seen(otherwise_divided.subset(name)[0], known).sum() > 0


def test_what_a_teacher_had_met_is_no_matter_of_entries_without_one(
    trained: ModelCollection, make_data_set: Any, tiny: Any, observer: Any
) -> None:
    otherwise_divided = make_data_set(seed=8)
    first, alone = some_tasks(2)
    tasks = [pupil_of(tiny.tasks[0].identity, first), alone]
    training(trained, tasks, otherwise_divided, observer=observer)
    pupil, other = trained.entries[-2:]
    assert other.identity == alone.identity and other.schooling == Schooling()
    test_images = otherwise_divided.subset("test")[0]
    assert not overlap.were_seen(test_images, trained.keys_of(other)).any()
    met_by = trained.met_by(test_images)
    assert met_by(pupil).sum() == pupil.schooling.test_images and not met_by(other).any()


@pytest.mark.thorough
def test_a_pupil_keeps_what_was_met_by_teachers_of_teachers_and_by_those_that_were_replaced(
    trained: ModelCollection, make_data_set: Any, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    otherwise_divided, third = make_data_set(seed=8), make_data_set(seed=9)
    first = pupil_of(tiny.tasks[0].identity, some_tasks(1)[0])
    training(trained, [first], otherwise_divided, observer=observer)
    second = pupil_of(trained.entries[-1].identity, some_tasks(2)[1])
    training(trained, [second], third, observer=observer)
    pupil = trained.entries[-1]
    training(trained, list(tiny.tasks), third, observer=observer, retrain=True)
    assert set(pupil.fingerprints) == {
        each.fingerprint for each in (data_set, otherwise_divided, third)
    }
    keys = trained.keys_of(pupil)
    assert overlap.were_seen(data_set.subset("training")[0], keys).all()


def test_a_teacher_is_kept_by_its_whole_identity_however_it_was_named(
    trained: ModelCollection, data_set: DataSet, tiny: Any, observer: Any
) -> None:
    teacher = tiny.tasks[0].identity
    for digits in (4, 8, 16):
        crew = ScriptedCrew(trained.entries[0])
        task = pupil_of(teacher[:digits], some_tasks(1)[0])
        training(trained, [task], data_set, observer=observer, crew=crew)
    assert len(trained.entries) == 3
    assert observer.told.count(("skipped", 0)) == 2
    distillation = trained.entries[-1].training_parameters.distillation
    assert distillation is not None and distillation.teacher == teacher


def test_a_pupil_of_a_teacher_that_failed_is_not_trained_and_says_why(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    tasks = some_tasks(3)
    tasks[1] = pupil_of(tasks[0].identity, tasks[1])
    tasks[2] = pupil_of(tasks[1].identity, tasks[2])
    crew = ScriptedCrew(trained.entries[0], v0=[Diverged(0)])
    with pytest.raises(UserError) as caught:
        training(trained, tasks, data_set, observer=observer, crew=crew)
    assert [number for number, _ in crew.submitted] == [0]
    _, first, second = str(caught.value).splitlines()
    assert "variant 1, since its teacher, variant 0, could not be trained" in first
    assert "variant 2, since its teacher, variant 1, could not be trained" in second


@pytest.mark.parametrize(("wanted", "said"), [("0000", "no entry"), ("", "more than one entry")])
def test_an_unknown_teacher_is_named_before_anything_is_trained(
    trained: ModelCollection, data_set: DataSet, observer: Any, wanted: str, said: str
) -> None:
    tasks = some_tasks(2)
    tasks.append(pupil_of(wanted, tasks[1]))
    crew = ScriptedCrew(trained.entries[0])
    with pytest.raises(HyperparameterError, match=f"the teacher '{wanted}' is {said}"):
        training(trained, tasks, data_set, observer=observer, crew=crew)
    assert not observer.told and not crew.submitted


def test_teachers_that_wait_for_each_other_are_a_message(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    class Named(TrainingTask):
        """A task whose identity does not follow from its teacher, so that a circle can be."""

        @property
        def identity(self) -> str:
            return f"{len(self.layers):016x}"

    first, second = some_tasks(2)
    tasks: list[TrainingTask] = [
        Named((Flatten(),), pupil_of(f"{2:016x}", first).parameters),
        Named((Flatten(), Dense(5)), pupil_of(f"{1:016x}", second).parameters),
    ]
    crew = ScriptedCrew(trained.entries[0])
    with pytest.raises(HyperparameterError, match="variants 0, 1 waits"):
        training(trained, tasks, data_set, observer=observer, crew=crew)
    with pytest.raises(HyperparameterError, match="variants 1, 2 waits"):
        training(trained, [*some_tasks(1), *tasks], data_set, observer=observer, crew=crew)
    assert not observer.told and not crew.submitted


def test_thousands_of_variants_cost_little_beside_their_training(
    trained: ModelCollection, data_set: DataSet, observer: Any
) -> None:
    tasks = [
        TrainingTask((Flatten(),), TrainingParameters("adam", 8, 2, learning_rate=rate))
        for rate in np.linspace(0.001, 0.01, 2_000).tolist()
    ]
    tasks += [pupil_of(tasks[0].identity, task) for task in tasks[:500]]
    crew = ScriptedCrew(trained.entries[0], places=100)
    begun = time.process_time()
    training(trained, tasks, data_set, observer=observer, crew=crew)
    assert len(trained.entries) >= len(tasks)
    assert time.process_time() - begun < 15  # work that grows as the square takes minutes
