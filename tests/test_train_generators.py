"""Tests of the program that trains generators of many characters."""

import contextlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import data_parser
import gan.games
import gan.training
import train_generators
from data_parser import DataSet
from errors import UserError
from gan.course import Course, TrainedGan, load_checkpoint, save_checkpoint
from gan.settings import GanSettings, settings_to_json, weight_count
from generators.trained_generators import images_learnt
from process_lock import LOCK_NAME, holding
from storage.generator_folder import CharacterGenerator, load_generators, save_generator
from tests import tiny_generators
from tests.conditional import KIND, PLAIN, READING, Labels, many
from tests.stored import by_character

Images = npt.NDArray[np.uint8]
ROOT = Path(train_generators.__file__).parent
TINY = replace(tiny_generators.TINY, steps=3)
Run = Callable[..., None]


@pytest.fixture
def letters(data_set: DataSet, tmp_path: Path) -> Path:
    """A, B and C with 32 train rows and 8 test rows each."""
    path = tmp_path / "letters.mat"
    training = np.arange(len(data_set.labels)) % 5 != 0
    data_parser.write_mat(
        path,
        data_set.images[training],
        data_set.labels[training],
        data_set.images[~training],
        data_set.labels[~training],
        data_set.classes,
    )
    return path


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "gan.txt"
    path.write_text(repr({"keras": settings_to_json(TINY)}))
    return path


class AtOnce:
    """Takes the place of a pool of processes: each call is carried out at once."""

    def __init__(self, workers: int, context: Any, prepare: Callable[[], None]) -> None:
        assert workers == 2 and context.get_start_method() == "spawn"
        assert prepare is train_generators.use_one_core

    def __enter__(self) -> "AtOnce":
        return self

    def __exit__(self, *problem: object) -> None: ...

    def submit(self, call: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(call(*arguments))
        except UserError as error:
            future.set_exception(error)
        return future


class FakeTraining:
    """Takes the place of a training: random weights at once."""

    def __init__(self) -> None:
        self.images: list[Images] = []

    def __call__(self, kind: str, images: Images, settings: GanSettings, seed: int) -> TrainedGan:
        self.images.append(images)
        random = np.random.default_rng([seed, len(self.images)])
        return TrainedGan(
            weights=random.standard_normal(weight_count(settings)).astype(np.float16),
            steps=settings.steps,
            seconds=3.0,
            losses=np.zeros((1, 3)),
            previews=np.zeros((0, 16, 28, 28), np.uint8),
            preview_steps=(),
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    training = FakeTraining()
    monkeypatch.setattr(gan.training, "train_generator", training)
    monkeypatch.setattr(train_generators, "ProcessPoolExecutor", AtOnce)
    return training


class Ended(Exception):
    """The program ended early.

    Attributes:
        code: its exit code.
        said: its sentence on stderr.
    """

    def __init__(self, code: int, said: str) -> None:
        super().__init__(code, said)
        self.code, self.said = code, said


def carry_out(arguments: list[str]) -> None:
    """Run the program in this process to its end."""
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        code = train_generators.main(arguments)
    said = stderr.getvalue()
    if code:
        assert said.startswith("train_generators.py: ") and said.count("\n") == 1
        raise Ended(code, said)


@pytest.fixture
def run(letters: Path, settings_file: Path, tmp_path: Path) -> Run:
    """Runs the program in this process on the letters."""

    def run_main(*arguments: object, settings: Path = settings_file) -> None:
        given = ["--kind", "keras", "--settings", settings, "--folder", tmp_path / "out"]
        given += ["--workers", "2", *arguments]
        carry_out([str(letters), *map(str, given)])

    return run_main


def kept(tmp_path: Path) -> dict[str, CharacterGenerator]:
    return by_character(tmp_path / "out", "keras")


def train_rows(letters: Path, character: str) -> Images:
    data = data_parser.read_labelled_images(letters)
    images: Images = data.images[~data.in_test & (data.labels == data.classes.index(character))]
    return images


def test_the_program_trains_in_workers_and_passes_over_what_it_has(
    letters: Path, settings_file: Path, tmp_path: Path, run: Run
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "train_generators.py", letters, "--kind", "keras"),
            *("--characters", "B", "--workers", "1", "--seed", "5"),
            *("--settings", settings_file, "--folder", tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "'B'" and done.stdout.endswith(" s\n")
    (generator,) = kept(tmp_path).values()
    assert (generator.characters, generator.settings, generator.seed) == (("B",), TINY, 5)
    assert generator.steps == 3 and np.isfinite(generator.weights).all()
    assert generator.data == images_learnt(
        train_rows(letters, "B"), "letters.mat", "all train rows"
    )
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    run("--characters", "B", "--seed", "5")  # no worker begins, or this would take long
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--characters", ""], "--characters names none"),
        (["--workers", "0"], "--workers: '0' is no whole number from 1 up"),
        (["--certainty", "1.5"], "--certainty is 1.5, not a number from 0 to 1"),
        (["--certainty", "nan"], "--certainty is nan"),
        (["--seed", "99999999999999999999"], "is no seed; give a whole number from 0 to 429496729"),
        (["--seed", "-1"], "is no seed"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(
    run: Run, fake: FakeTraining, arguments: list[str], said: str
) -> None:
    with pytest.raises(Ended) as caught:
        run(*arguments)
    assert caught.value.code == 2 and said in caught.value.said and fake.images == []


def test_a_folder_that_cannot_be_written_is_told_before_the_training(
    run: Run, fake: FakeTraining, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Ended) as caught:
        run("--characters", "A")
    assert "could not be saved in" in caught.value.said and fake.images == []
    assert (tmp_path / "out").read_text() == "a file"


def test_training_goes_on_where_its_output_cannot_be_written(
    run: Run, fake: FakeTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        run("--characters", "AB")
    assert set(kept(tmp_path)) == {"A", "B"}


ORPHAN = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
sys.path.insert(0, sys.argv[1])
from train_generators import use_one_core
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, use_one_core) as workers:
        print(workers.submit(os.getpid).result(), flush=True)
        workers.submit(time.sleep, 300).result()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes end otherwise there")
def test_workers_end_with_the_program_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    command = [sys.executable, str(script), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        worker = int(program.stdout.readline())
        program.kill()
    deadline = time.monotonic() + 30
    while _is_running(worker):
        assert time.monotonic() < deadline, "the worker learns on for nobody"
        time.sleep(0.1)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


class Dying(AtOnce):
    """A pool whose second process is ended from outside."""

    calls = 0

    def submit(self, call: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        self.calls += 1
        if self.calls == 1:
            return super().submit(call, *arguments)
        dead: Future[Any] = Future()
        dead.set_exception(BrokenProcessPool("a process died"))
        return dead


def test_a_process_that_is_killed_is_told_and_what_was_finished_is_kept(
    run: Run, fake: FakeTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_generators, "ProcessPoolExecutor", Dying)
    monkeypatch.setattr(train_generators, "as_completed", list)
    with pytest.raises(Ended) as caught:
        run("--characters", "AB")
    told = caught.value.said
    assert "was ended from outside" in told and str(tmp_path / "out") in told
    assert set(kept(tmp_path)) == {"A"}
    monkeypatch.setattr(train_generators, "ProcessPoolExecutor", AtOnce)
    run("--characters", "AB")
    assert set(kept(tmp_path)) == {"A", "B"} and len(fake.images) == 2


def failing_first(
    training: FakeTraining, count: int
) -> Callable[[str, Images, GanSettings, int], TrainedGan]:
    """Trains as `training`, but for the first trainings, whose weights grow without bound."""
    begun: list[int] = []

    def train(kind: str, images: Images, settings: GanSettings, seed: int) -> TrainedGan:
        begun.append(seed)
        if len(begun) <= count:
            raise gan.training.GanDiverged("the weights grew")
        return training(kind, images, settings, seed)

    return train


def test_characters_that_could_not_be_trained_are_named_when_all_others_are(
    run: Run,
    fake: FakeTraining,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(gan.training, "train_generator", failing_first(fake, 2))
    with pytest.raises(Ended) as caught:
        run()
    assert caught.value.code == 2
    assert "not trained: 'A', 'B' (2 of 3 generators)" in caught.value.said
    out = capsys.readouterr().out
    assert "'A': the weights grew" in out and "'C' 3 s" in out
    assert set(kept(tmp_path)) == {"C"}
    run()
    assert set(kept(tmp_path)) == {"A", "B", "C"}, "the same command tries them again"


def test_a_long_list_of_what_could_not_be_trained_is_cut_short(
    run: Run,
    fake: FakeTraining,
    letters: Path,
    make_data_set: Callable[..., DataSet],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = make_data_set("ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt", 5)
    nobody = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int32)
    data_parser.write_mat(letters, data.images, data.labels, *nobody, data.classes)
    monkeypatch.setattr(gan.training, "train_generator", failing_first(fake, 37))
    with pytest.raises(Ended) as caught:
        run()
    assert "'A', 'B', " in caught.value.said and "... (37 of 37 generators)" in caught.value.said
    assert "'t'" not in caught.value.said


def test_all_letters_are_trained_where_none_is_named(
    run: Run, fake: FakeTraining, letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    assert list(kept(tmp_path)) == ["A", "B", "C"]
    assert sorted(capsys.readouterr().out.splitlines()) == ["'A' 3 s", "'B' 3 s", "'C' 3 s"]
    for images, character in zip(fake.images, "ABC", strict=True):
        assert np.array_equal(images, train_rows(letters, character))
    run()
    assert len(fake.images) == 3, "a second run trains nothing"


def test_a_broken_off_run_goes_on_where_it_stopped(run: Run, fake: FakeTraining) -> None:
    run("--characters", "AC")
    run()
    assert len(fake.images) == 3


@pytest.mark.parametrize(
    ("change", "trained"), [({"steps": 4}, 2), ({"loss": "least_squares"}, 2), ({}, 1)]
)
def test_other_settings_are_trained_again(
    run: Run, fake: FakeTraining, tmp_path: Path, change: dict[str, Any], trained: int
) -> None:
    run("--characters", "A")
    other = tmp_path / "other.txt"
    changed = replace(TINY, latent_scale=0.5, **change)  # the scale is no matter of training
    other.write_text(repr({"keras": settings_to_json(changed)}))
    run("--characters", "A", settings=other)
    assert len(fake.images) == trained


def test_another_seed_or_other_images_are_trained_again(
    run: Run, fake: FakeTraining, letters: Path, data_set: DataSet
) -> None:
    run("--characters", "A")
    run("--characters", "A", "--seed", "7")
    assert len(fake.images) == 2
    nobody = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int32)
    data_parser.write_mat(letters, 255 - data_set.images, data_set.labels, *nobody, "ABC")
    run("--characters", "A", "--seed", "7")
    assert [len(images) for images in fake.images] == [32, 32, 40]


def test_a_reader_leaves_out_what_it_takes_for_others(
    run: Run,
    fake: FakeTraining,
    letters: Path,
    saved_collection: Path,
    data_set: DataSet,
    tmp_path: Path,
) -> None:
    images = data_set.images.copy()
    images[:10] = data_set.images[40:50]  # pictures of B labelled A
    nobody = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int32)
    data_parser.write_mat(letters, images, data_set.labels, *nobody, data_set.classes)
    data = data_parser.read_labelled_images(letters)
    read = train_generators.readable(saved_collection, data, 0.0)
    certain = train_generators.readable(saved_collection, data, 0.6)
    assert certain.sum() < read.sum() and not (certain & ~read).any()
    assert read.shape == (120,) and read[:10].mean() < 0.5 < read[10:].mean()
    run("--characters", "A", "--reader", saved_collection)
    assert np.array_equal(fake.images[0], data.images[read & (data.labels == 0)])
    learnt = kept(tmp_path)["A"].data
    assert learnt.selection == "the train rows that a reader takes for their own character"
    assert learnt.images == read[:40].sum() < 40
    run("--characters", "A")
    assert len(fake.images[1]) == 40, "all rows are another lesson"


def test_a_reader_of_other_characters_is_refused(
    saved_collection: Path, make_data_set: Callable[..., DataSet], tmp_path: Path
) -> None:
    other = make_data_set("ABCD", 10)
    nobody = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int32)
    data_parser.write_mat(tmp_path / "x.mat", other.images, other.labels, *nobody, other.classes)
    data = data_parser.read_labelled_images(tmp_path / "x.mat")
    with pytest.raises(UserError, match="has no network that reads A B C D"):
        train_generators.readable(saved_collection, data, 0.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--characters", "A?"], "letters.mat has no character '?'"),
        (["--characters", "a"], "letters.mat has no character 'a'"),
        (["--reader", "nowhere"], "there is no folder nowhere"),
        (["--kind", "keras_adversarial"], "has no settings for 'keras_adversarial'"),
        (["--settings", "nowhere.txt"], "there is no file nowhere.txt"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence_and_nothing_is_trained(
    run: Run, fake: FakeTraining, tmp_path: Path, arguments: list[str], said: str
) -> None:
    with pytest.raises(Ended) as caught:
        run(*arguments)
    assert said in caught.value.said
    assert fake.images == [] and not (tmp_path / "out").exists()


def test_a_data_set_that_cannot_be_read_is_one_sentence(
    run: Run, fake: FakeTraining, letters: Path
) -> None:
    letters.write_bytes(b"no data")
    with pytest.raises(Ended) as caught:
        run()
    assert "letters.mat" in caught.value.said


def test_a_damaged_folder_is_never_trained_over(
    run: Run, fake: FakeTraining, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "collection.json").write_text("{")
    with pytest.raises(Ended) as caught:
        run()
    assert "it is no JSON" in caught.value.said
    assert fake.images == [] and (tmp_path / "out" / "collection.json").read_text() == "{"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "DATASET.mat"),
        (["x.mat"], "--kind"),
        (["x.mat", "--kind", "basic"], "invalid choice: 'basic'"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments: list[str], said: str) -> None:
    with pytest.raises(Ended) as caught:
        carry_out(arguments)
    assert caught.value.code == 2 and said in caught.value.said


def test_the_command_line_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        train_generators.main(["--help"])
    assert caught.value.code == 0 and capsys.readouterr().out.startswith("usage: ")


# ------------------------------------------------------------------------- several programs


class WatchedText(io.StringIO):
    """What is printed; tells when a sentence comes."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = sentence
        self.came = threading.Event()

    def write(self, text: str) -> int:
        if self._sentence in text:
            self.came.set()
        return super().write(text)


def test_another_program_is_waited_for_and_that_is_said(
    run: Run, fake: FakeTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for however long it writes: a training of hours would be lost."""
    monkeypatch.setattr(train_generators, "PATIENCE", 0.05)
    monkeypatch.setattr("process_lock.PATIENCE", 0.1)
    said = f"waiting for another program, which is writing to {tmp_path / 'out'}"
    shown = WatchedText(said)
    (tmp_path / "out").mkdir()
    with contextlib.ExitStack() as other_program:
        other_program.enter_context(holding(tmp_path / "out" / LOCK_NAME, time.sleep))

        def end_when_it_is_said() -> None:
            shown.came.wait(60)
            other_program.close()

        ending = threading.Thread(target=end_when_it_is_said)
        ending.start()
        with contextlib.redirect_stdout(shown):
            run("--characters", "A")
        ending.join()
    assert shown.getvalue().splitlines() == [said, "'A' 3 s"]
    assert list(kept(tmp_path)) == ["A"]


def test_what_another_program_trains_meanwhile_is_not_replaced_by_what_was_there(
    run: Run, fake: FakeTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--characters", "A")
    there = load_generators(tmp_path / "out", "keras")
    newer = replace(there[("A",)], seed=9, weights=-there[("A",)].weights)
    save_generator(tmp_path / "out", "keras", newer)
    monkeypatch.setattr(train_generators, "load_generators", lambda folder, kind: there)
    other = tmp_path / "other.txt"
    other.write_text(repr({"keras": settings_to_json(replace(TINY, latent_scale=0.5))}))
    run("--characters", "A", settings=other)
    found = kept(tmp_path)["A"]
    assert (found.seed, found.settings) == (9, TINY), "not what the program would train"
    assert found.weights.tobytes() == newer.weights.tobytes()
    assert len(fake.images) == 1


# ------------------------------------------------------------------------- one for all

OF_ALL = replace(PLAIN, steps=12)


@pytest.fixture
def mixed(make_data_set: Callable[..., DataSet], tmp_path: Path) -> Path:
    """1, A and B with 16 train rows and 4 test rows each."""
    data = make_data_set("1AB", 20)
    path = tmp_path / "mixed.mat"
    training = np.arange(len(data.labels)) % 5 != 0
    data_parser.write_mat(
        path,
        data.images[training],
        data.labels[training],
        data.images[~training],
        data.labels[~training],
        data.classes,
    )
    return path


@pytest.fixture
def run_all(mixed: Path, tmp_path: Path) -> Run:
    """Runs the program in this process for one generator of all characters."""
    settings_file = tmp_path / "all.txt"
    settings_file.write_text(repr({KIND: settings_to_json(OF_ALL)}))

    def run_main(*arguments: object, folder: Path = tmp_path / "out") -> None:
        given = ["--kind", KIND, "--settings", settings_file, "--folder", folder, *arguments]
        carry_out([str(mixed), *map(str, given)])

    return run_main


def of_all(tmp_path: Path) -> dict[str, CharacterGenerator]:
    found = load_generators(tmp_path / "out", KIND)
    return {"".join(characters): generator for characters, generator in found.items()}


class FakeTrainingOfAll:
    """Takes the place of the training of one generator for all characters."""

    def __init__(self) -> None:
        self.lessons: list[tuple[Images, Labels]] = []
        self.checkpoints: list[Path | None] = []

    def __call__(
        self,
        images: Images,
        labels: Labels,
        settings: GanSettings,
        seed: int,
        *,
        show: Callable[[Any], None],
        checkpoint: Path | None,
    ) -> TrainedGan:
        self.lessons.append((images, labels))
        self.checkpoints.append(checkpoint)
        count = weight_count(settings, int(labels.max()) + 1)
        weights = np.random.default_rng([seed, len(self.lessons)]).uniform(0.1, 0.5, count)
        course = Course(settings.steps, 3.0)
        return course.finished(weights.astype(np.float16))


@pytest.fixture
def fake_of_all(monkeypatch: pytest.MonkeyPatch) -> FakeTrainingOfAll:
    training = FakeTrainingOfAll()
    monkeypatch.setattr(gan.training, "train_conditional_generator", training)
    return training


@pytest.mark.parametrize(
    ("arguments", "characters"),
    [
        (["--keep-digits"], "1AB"),
        ([], "AB"),
        (["--keep-digits", "--characters", "B1"], "1B"),
        (["--characters", "BA"], "AB"),
    ],
)
def test_one_generator_learns_all_characters_that_are_asked_for(
    run_all: Run,
    fake_of_all: FakeTrainingOfAll,
    mixed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    characters: str,
) -> None:
    run_all(*arguments)
    assert capsys.readouterr().out == f"{len(characters)} characters 3 s\n"
    ((images, labels),) = fake_of_all.lessons
    data = data_parser.read_labelled_images(mixed)
    rows = np.flatnonzero(~data.in_test & np.isin(data.labels, [*map("1AB".index, characters)]))
    assert np.array_equal(images, data.images[rows])
    assert [characters[label] for label in labels] == [data.classes[n] for n in data.labels[rows]]
    (generator,) = of_all(tmp_path).values()
    assert generator.characters == tuple(characters)
    assert generator.data == images_learnt(images, "mixed.mat", "all train rows")
    run_all(*arguments)
    assert len(fake_of_all.lessons) == 1, "a second run trains nothing"


def checkpoints(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("out-*.weights.h5"))


def test_generators_of_other_characters_stay_in_the_folder(
    run_all: Run, fake_of_all: FakeTrainingOfAll, tmp_path: Path
) -> None:
    save_generator(tmp_path / "out", KIND, many("XY"))
    run_all("--keep-digits")
    run_all()
    assert sorted(of_all(tmp_path)) == ["1AB", "AB", "XY"]


def test_one_generator_of_all_is_really_trained(
    run_all: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_file = tmp_path / "reading.txt"
    settings_file.write_text(repr({KIND: settings_to_json(READING)}))
    run_all("--keep-digits", "--seed", "5", "--settings", settings_file)
    # Progress is said before it where the machine is slow.
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 characters ")
    (generator,) = of_all(tmp_path).values()
    assert (generator.characters, generator.settings) == (("1", "A", "B"), READING)
    assert (generator.steps, generator.seed, generator.data.images) == (6, 5, 48)
    assert not checkpoints(tmp_path)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The program is killed at its first checkpoint, after 4 of 12 steps."""
    monkeypatch.setattr(gan.games, "STEPS_A_CALL", 2)
    monkeypatch.setattr(gan.training, "CHECKPOINT_STEPS", 4)

    def save_and_die(path: Path, model: Any, course: Course) -> None:
        save_checkpoint(path, model, course)
        raise KeyboardInterrupt

    monkeypatch.setattr(gan.training, "save_checkpoint", save_and_die)
    return monkeypatch


def test_a_killed_training_of_all_goes_on_from_its_checkpoint(
    run_all: Run, tmp_path: Path, killed: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Ended) as stopped:
        run_all("--keep-digits")
    assert stopped.value.code == 130
    assert "the same command goes on from there" in stopped.value.said
    assert len(checkpoints(tmp_path)) == 1 and of_all(tmp_path) == {}
    went_on: list[int] = []

    def note(path: Path, model: Any) -> Course:
        course = load_checkpoint(path, model)
        went_on.append(course.step)
        return course

    killed.setattr(gan.training, "load_checkpoint", note)
    killed.setattr(gan.training, "save_checkpoint", save_checkpoint)
    run_all("--keep-digits")
    assert went_on == [4]
    (generator,) = of_all(tmp_path).values()
    assert generator.steps == 12 and not checkpoints(tmp_path)


@pytest.mark.thorough
def test_a_checkpoint_of_another_lesson_is_not_gone_on_from(
    run_all: Run, mixed: Path, tmp_path: Path, killed: pytest.MonkeyPatch
) -> None:
    """A and B are asked for after 1 and A were broken off: as many, but others."""
    with pytest.raises(Ended):
        run_all("--keep-digits", "--characters", "1A")
    killed.setattr(gan.training, "save_checkpoint", save_checkpoint)
    run_all("--characters", "AB")
    after_another = of_all(tmp_path)["AB"]
    run_all("--characters", "AB", folder=tmp_path / "new")
    fresh = load_generators(tmp_path / "new", KIND)[("A", "B")]
    assert after_another.weights.tobytes() == fresh.weights.tobytes()


@pytest.mark.thorough
def test_a_checkpoint_of_other_settings_is_no_crash(
    run_all: Run, tmp_path: Path, killed: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Ended):
        run_all()
    killed.setattr(gan.training, "save_checkpoint", save_checkpoint)
    other = replace(OF_ALL, generator_widths=(3, 3, 3))
    (tmp_path / "other.txt").write_text(repr({KIND: settings_to_json(other)}))
    try:
        run_all("--settings", tmp_path / "other.txt")
    except Ended as stopped:
        assert stopped.code == 2
    else:
        assert of_all(tmp_path)["AB"].settings == other


def test_a_new_folder_in_a_new_folder_is_trained_into(
    run_all: Run, tmp_path: Path, killed: pytest.MonkeyPatch
) -> None:
    killed.setattr(gan.training, "save_checkpoint", save_checkpoint)
    run_all(folder=tmp_path / "new" / "out")
    assert list(load_generators(tmp_path / "new" / "out", KIND)) == [("A", "B")]


def test_a_character_without_an_image_to_learn_from_is_named(
    run_all: Run, fake_of_all: FakeTrainingOfAll, mixed: Path, make_data_set: Callable[..., DataSet]
) -> None:
    data = make_data_set("AB", 20)
    own = data.labels == 0
    data_parser.write_mat(
        mixed, data.images[own], data.labels[own], data.images[~own], data.labels[~own], "AB"
    )
    with pytest.raises(Ended) as caught:
        run_all()
    assert "mixed.mat has no image of 'B' to learn from" in caught.value.said
    assert fake_of_all.lessons == []


def test_weights_that_grew_without_bound_are_one_sentence(
    run_all: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def diverging(*arguments: Any, **options: Any) -> TrainedGan:
        raise gan.training.GanDiverged("the weights grew")

    monkeypatch.setattr(gan.training, "train_conditional_generator", diverging)
    with pytest.raises(Ended) as caught:
        run_all()
    assert caught.value.said == "train_generators.py: 2 characters: the weights grew\n"
    assert not (tmp_path / "out").exists()
