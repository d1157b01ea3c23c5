"""Tests of the program as a process: arguments in, exit code out, a dialogue through pipes."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from data_parser import DataSet, write_npz
from model_collection import ModelCollection
from storage.collection_folder import load_collection, save_collection

ROOT = Path(__file__).resolve().parent.parent
ENTRY = ROOT / "__init__.py"
PROMPT = (
    "Train, Predict, Save, Load, Results, Evaluate, Report, Gan, Generate, Denoise, Help, Exit:"
)
TINY = "[{'type':'flatten'}, {'type':'dense','dense_layer_size':%d}]"


@pytest.fixture
def letters(data_set: DataSet, tmp_path: Path) -> Path:
    """A data set file with the classes A, B, C."""
    write_npz(data_set, tmp_path / "letters.npz")
    return tmp_path / "letters.npz"


def run(
    *arguments: object,
    answers: str | bytes = "",
    cwd: Path | None = None,
    python: Sequence[str] = (),
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    done = subprocess.run(
        [sys.executable, *python, ENTRY, *map(str, arguments)],
        input=answers.encode() if isinstance(answers, str) else answers,
        capture_output=True,
        cwd=cwd,
        env=_environment() | environment,
        timeout=120,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode()
    )


def _environment() -> dict[str, str]:
    """As a user has it, without what the tests set for their own TensorFlow."""
    return {name: text for name, text in os.environ.items() if not name.startswith("TF_")}


class Running:
    """The program under way, with its output as it comes."""

    def __init__(self, *arguments: object, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, ENTRY, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=_environment() | {"TMPDIR": str(cwd)},
            start_new_session=True,
        )
        self.shown = ""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while letter := self._process.stdout.read(1):
            with self._news:
                self.shown += letter
                self._news.notify_all()

    def answer(self, *lines: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(line + "\n" for line in lines))
        self._process.stdin.flush()

    def wait_for(self, text: str, times: int = 1, timeout: float = 60) -> None:
        with self._news:
            seen = self._news.wait_for(lambda: self.shown.count(text) >= times, timeout)
        assert seen, f"{text!r} did not come; what came is:\n{self.shown}"

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """What a terminal does: every process of the program gets the signal."""
        os.killpg(self._process.pid, signal.SIGINT)

    def others(self) -> set[int]:
        """The processes of the program without the first one."""
        return processes_of_session(self._process.pid) - {self._process.pid}

    def end(self, timeout: float = 60) -> int:
        """Wait for the end; returns the exit code."""
        assert self._process.stdin is not None and self._process.stderr is not None
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        self.errors = self._process.stderr.read()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return code

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.end()


def processes_of_session(leader: int) -> set[int]:
    """Processes that belong to a session and have not ended."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = status.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.add(int(status.parent.name))
    return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts the program in the test's folder; what is left of it at the end is killed."""
    started: list[Running] = []

    def start_one(*arguments: object) -> Running:
        started.append(Running(*arguments, cwd=tmp_path))
        return started[-1]

    yield start_one
    for process in started:
        if process._process.poll() is None:
            process.kill()


# ------------------------------------------------------------------------- arguments


def test_bad_data_sets_get_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.mat").touch()
    (tmp_path / "binary.mat").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "text.npz").write_text("no data")
    for bad in ("missing.mat", ".", "pipe", "/dev/zero", "empty.mat", "binary.mat", "text.npz"):
        done = run(bad, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), bad
        assert len(done.stderr.splitlines()) == 1, bad
        assert bad in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a", "b"],
        ["-s", "-1", "a"],
        ["-s", "9" * 5000, "a"],
        ["-s", "4294967296", "a"],
        ["-w", "0", "a"],
        ["--split-shares", "64:16:10", "a"],
        ["--split-shares", "64:16:0:10", "a"],
        ["--split-shares", "many", "a"],
        ["--group", "(", "a"],
        [""],
        ["a", "-m", ""],
        ["a", "-g", ""],
        ["--workers", "1000", "a"],
        ["--workers", "two", "a"],
        ["--workers", "", "a"],
        ["--cluster", "localhost", "a"],
        ["--cluster", "localhost:99999", "a"],
        ["--cluster", "", "a"],
        ["--x"],
    ],
)
def test_wrong_arguments_get_the_usage_and_exit_code_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python __init__.py")
    assert len(done.stderr) < 1000 and "Traceback" not in done.stderr


def test_version_and_help_import_nothing_large() -> None:
    for argument, said in (("--version", "handwriting 0."), ("--help", "--keep-digits")):
        done = run(argument, python=["-X", "importtime"])
        assert done.returncode == 0 and said in done.stdout
        imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
        assert "argparse" in imported
        assert not imported & {"numpy", "rich", "keras", "tensorflow", "menu"}


def test_importing_the_entry_point_does_nothing() -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, ENTRY], capture_output=True, text=True, check=True
    )
    assert "'numpy'" not in done.stdout


def test_keras_is_not_imported_before_the_prompt(letters: Path, saved_collection: Path) -> None:
    code = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import menu
from terminal import PipeAsker
from trainer_predictor import TrainerPredictor
data_set = menu.open_data_set(Path(sys.argv[2]))
shown = menu.Menu(TrainerPredictor(data_set), PipeAsker(sys.stdin, sys.stdout))
shown.greet(data_set, Path(sys.argv[3]))
print({'keras', 'tensorflow', 'torch', 'matplotlib', 'scipy'} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, ROOT, letters, saved_collection],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Loaded 2 entries" in done.stdout
    assert done.stdout.endswith("set()\n")


# ------------------------------------------------------------------------- streams


def test_no_bytes_on_standard_input_break_the_program(letters: Path, tmp_path: Path) -> None:
    answers = (
        b"\xff\xfe\xc3\n\0\0\n\x1b[31m\x07\nhe\0lp\n" + b"x" * 3_000_000 + b"\nload\n\xff/\0\n"
    )
    done = run(letters, answers=answers + b"results\n\xe4\nn\nexit", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Train     train the networks" in done.stdout
    assert done.stdout.endswith(f"{PROMPT} exit\n")
    assert "\x1b" not in done.stdout and "\0" not in done.stdout


def test_an_endless_line_takes_no_memory(letters: Path) -> None:
    code = "import sys; [sys.stdout.write('\\0' * 1_000_000) for _ in range(300)]"
    limited = (
        f'ulimit -v 4000000; {sys.executable} -c "{code}" | {sys.executable} {ENTRY} {letters}'
    )
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(PROMPT) == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_defect(letters: Path, closed: str, tmp_path: Path) -> None:
    line = f'"{sys.executable}" "{ENTRY}" "{letters}" {closed}'
    done = subprocess.run(["bash", "-c", line], input=b"help\n", capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert not (tmp_path / "state" / "handwriting" / "defects.log").exists()


def test_a_full_disk_under_the_output_is_one_sentence(letters: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, ENTRY, letters],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "The program cannot go on: No space left on device\n"


def test_a_reader_who_goes_away_ends_the_program_quietly(
    letters: Path, saved_collection: Path
) -> None:
    answers = "results\nn\nresults\ny\nhelp\n" * 200
    for reader in ("head -1", "true", "head -c 3000"):
        line = f'"{sys.executable}" "{ENTRY}" "{letters}" -m "{saved_collection}" | {reader}'
        done = subprocess.run(
            ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
            input=answers,
            capture_output=True,
            text=True,
            errors="replace",  # a reader may have left in the middle of a character
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), reader


def test_an_output_of_ascii_alone_gets_everything(letters: Path, saved_collection: Path) -> None:
    done = run(
        *(letters, "-m", saved_collection),
        answers="é\nresults\nn\nload\n\u30c4\n",
        PYTHONIOENCODING="ascii",
        LC_ALL="C",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii() and "accuracy" in done.stdout


# ------------------------------------------------------------------------- whole sessions


def without_times(shown: str) -> str:
    shown = re.sub(r"\d+:\d\d( left)?", "TIME", shown)
    return re.sub(r"autosave/\S+", "FOLDER", shown)


def test_a_whole_session_by_pipe_repeats_from_any_folder(real_data: Path, tmp_path: Path) -> None:
    data = real_data / "emnist" / "emnist-balanced-small.mat"
    session = [
        *("Train", "h.txt", "p.txt", "N"),
        *("tRAIN", "Y", "Y", "N"),
        *("predict", "basic", "c", "PRED", "basic", "A", "p", "basic", "?"),
        *("save", "kept", "Results", "Y", "r", "n", "evaluate", "", "load", "kept"),
        *("evaluate", str(data), "load", "nowhere", "h", "exit", "help"),
    ]
    outputs = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "h.txt").write_text(f"[{TINY % 16}, {TINY % 8}]")
        (folder / "p.txt").write_text(
            "{'optimizer':'adam','verbose':1,'train_batch_size':64,'train_epochs':2}"
        )
        answers = "\n".join(session)
        done = run(data, "-s", 7, "-m", "missing", answers=answers, cwd=folder)
        assert done.returncode == 0
        assert done.stderr == "", "nothing of TensorFlow is shown"
        assert (folder / "confusion-matrix-2.png").exists()
        outputs.append(without_times(done.stdout))
    assert outputs[0] == outputs[1]
    shown = outputs[0]
    for said in (
        "3,128 images of 37 characters",
        "There is no folder missing",
        "Use the previous one (h.txt)? (Y/N): Y",
        "Variant 1 is in the collection already",
        "'c' shares the class 'C'",
        "has no character '?'; it has A B C",
        "Saved 2 entries",
        "Loaded 2 entries",
        "Most confused by entry",
        "On all images of emnist-balanced-small.mat:",
        "There is no folder nowhere",
    ):
        assert said in shown
    assert shown.count("Predicted character:") == 2
    assert len(re.findall(r"  epoch \d/2, ", shown)) == 4
    assert shown.endswith(f"{PROMPT} exit\n"), "nothing after Exit is read"
    assert "defect" not in shown
    assert "Entries that were not saved" not in shown
    kept = load_collection(tmp_path / "one" / "kept")
    assert [entry.data.name for entry in kept.entries] == [data.name] * 2


def test_the_prompt_does_not_wait_for_keras(
    start: Callable[..., Running], letters: Path, saved_collection: Path
) -> None:
    """The best of some tries, so that a machine that is busy for a moment does not count."""
    shares: list[float] = []
    while len(shares) < 3 and min(shares, default=1) >= 0.6:
        before = time.perf_counter()
        process = start(letters, "-m", saved_collection)
        process.wait_for(PROMPT)
        to_prompt = time.perf_counter() - before
        process.kill()
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import keras"], check=True, capture_output=True)
        shares.append(to_prompt / (time.perf_counter() - before))
    assert min(shares) < 0.6


def test_splits_have_the_shares_that_are_asked_for() -> None:
    data_set = ROOT / "dataset" / "letters-small.mat"
    done = run(data_set, "--split-shares", "7:1:1:1", answers="Exit\n")
    assert "(2,146 training, 333 validation, " in done.stdout


def test_keep_digits_and_file_split_reach_the_data(real_data: Path) -> None:
    data = real_data / "emnist" / "emnist-balanced-small.mat"
    assert "images of 47 characters" in run(data, "--keep-digits").stdout
    shown = {run(data, *arguments).stdout.splitlines()[0] for arguments in ([], ["--file-split"])}
    assert len(shown) == 2


# ------------------------------------------------------------------------- broken off


def test_a_training_broken_off_by_ctrl_c_or_a_kill_keeps_what_was_finished(
    start: Callable[..., Running], letters: Path, tmp_path: Path
) -> None:
    endless = TINY % 5
    (tmp_path / "h.txt").write_text(f"[{TINY % 4}]")
    (tmp_path / "more.txt").write_text(f"[{TINY % 6}, {endless}]")
    (tmp_path / "p.txt").write_text("{'optimizer':'sgd','train_batch_size':64,'train_epochs':1}")
    (tmp_path / "long.txt").write_text(
        "{'optimizer':'sgd','train_batch_size':1,'train_epochs':100000}"
    )
    process = start(letters, "--workers", 1)
    process.answer("train", "h.txt", "p.txt", "n", "train", "n", "more.txt", "n", "long.txt", "n")
    process.wait_for("  epoch 3/100000")
    process.send(signal.SIGINT)
    process.wait_for("Training was ended in variant 0; what was finished before is kept.")
    process.answer("results", "n", "train", "y", "y", "n")
    process.wait_for("  epoch 1/100000", times=2)
    assert "The collection has 1 entry." in process.shown
    process.kill()

    again = start(letters)
    again.wait_for(PROMPT)
    assert "Entries that were never saved are kept; use Load to have them:" in again.shown
    kept = re.search(r"^  (\S*autosave\S*)$", again.shown, re.MULTILINE)
    assert kept is not None
    again.answer("load", kept[1], "results", "y", "save", "saved", "exit")
    assert again.end() == 0
    assert "Loaded 1 entry" in again.shown and "dense 4 relu" in again.shown
    assert "Saved 1 entry" in again.shown
    assert not (tmp_path / kept[1]).exists()
    assert "never saved" not in run(letters, cwd=tmp_path).stdout


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_workers_end_by_ctrl_c_and_when_the_program_is_killed_and_leave_nothing(
    start: Callable[..., Running], letters: Path, tmp_path: Path
) -> None:
    (tmp_path / "h.txt").write_text(f"[{TINY % 20}, {TINY % 6}, {TINY % 5}]")
    long = "{'optimizer':'sgd','train_batch_size':1,'train_epochs':100000}"
    short = f"{long[:-1]},'early_stopping_patience':1}}"
    (tmp_path / "p.txt").write_text(
        f"[{short[:-1]},'variants':[0]}}, {long[:-1]},'variants':[1,2]}}]"
    )
    files = {*tmp_path.iterdir(), tmp_path / "state"}
    process = start(letters, "--workers", 2)
    process.answer("train", "h.txt", "p.txt", "n")
    # Lines name their variant from when two are under way, which may be after a few epochs of one.
    process.wait_for("variant 1, epoch ", timeout=180)
    process.wait_for("variant 2, epoch ", timeout=180)
    process.press_ctrl_c()
    process.wait_for(
        "Training was ended in variant 1 and variant 2; what was finished before is kept."
    )
    process.wait_for("The collection has 1 entry.")
    assert len(process.others()) <= 1  # multiprocessing's own tracker
    assert set(tmp_path.iterdir()) == files

    process.answer("train", "y", "y", "n")
    process.wait_for("Variant 0 is in the collection already")
    process.wait_for("epoch 1/100000", times=4, timeout=180)
    assert len(process.others()) >= 2
    process.kill()
    latest = time.monotonic() + 30
    while process.others() and time.monotonic() < latest:
        time.sleep(0.05)
    assert not process.others()
    assert set(tmp_path.iterdir()) == files
    assert process.errors == ""


def test_a_kill_in_the_middle_of_saving_loses_nothing(
    start: Callable[..., Running], letters: Path, trained: ModelCollection, tmp_path: Path
) -> None:
    entry = trained.entries[0]
    before, many, target = (tmp_path / name for name in ("before", "many", "target"))
    save_collection(trained, before)
    other = ModelCollection(trained.classes)
    for number in range(100):
        weights = tuple((array + number).astype(array.dtype) for array in entry.weights)
        parameters = replace(entry.training_parameters, train_epochs=10 + number)
        changed = replace(entry, weights=weights, training_parameters=parameters)
        other.add(changed, trained.keys_of(entry))
    save_collection(other, many)
    chance = random.Random(5)
    outcomes = set()
    for _ in range(6):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(before, target)
        process = start(letters, "-m", many)
        process.wait_for(PROMPT)
        process.answer("save", "target")
        process.wait_for("Folder to save in: target")
        time.sleep(chance.uniform(0, 0.6))
        process.kill()
        outcomes.add(len(load_collection(target).entries))
    assert outcomes <= {2, 100}
    assert len(load_collection(many).entries) == 100
    again = run(letters, "-m", target, answers="save\nafter\n", cwd=tmp_path)
    assert again.returncode == 0 and "Saved" in again.stdout
