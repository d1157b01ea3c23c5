"""A crew on the machines of a Ray cluster: each training is a task of Ray.

Ray (https://ray.io) starts processes on the nodes, brings data and results, and finds out which
node is lost; nothing of that is made here. The program's code goes along, the packages have to be
on the nodes. Whoever can reach a Ray cluster can run code on it, and what it answers is unpickled:
use one that you trust.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from data_parser import DataSet
from errors import UserError
from model_collection import Entry
from training_crew import (
    Assignment,
    Died,
    Event,
    Finished,
    Outcome,
    Progressed,
    Refused,
    Started,
    Stopped,
    failed,
    train_in_crew,
)

if TYPE_CHECKING:
    from cnn_model import TrainingProgress

Reference: TypeAlias = Any  # to an object that Ray keeps or will have; no checker knows it

ROOT = Path(__file__).resolve().parent
PACKAGES = ("data_formats", "evaluation", "gan")
ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
CONNECT = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level=50)"
LONGEST_CONNECT = 3.0  # seconds
LONGEST_CHECK = 20.0  # seconds, some of which Python takes to import Ray
BETWEEN_NEWS = 1.0  # seconds between two looks at how far the trainings are
BETWEEN_REPORTS = 2.0  # seconds between two reports of one training
BETWEEN_LOOKS = 5.0  # seconds between two looks at which nodes there are
LONGEST_SILENCE = 20.0  # seconds without the head node; after 60, Ray would end this process
MOST_LOST_NODES = 3  # that one training may have been on
TRAININGS_A_PROCESS = 25  # since TensorFlow keeps about 13 MiB of every network it has trained


class Board:
    """An actor of Ray: where trainings write how far they are, and the crew looks.

    It holds the latest report of each, as bytes, since to read them it would have to import Keras.
    """

    def __init__(self) -> None:
        self._reports: dict[int, bytes] = {}

    def write(self, submission: int, report: bytes) -> None:
        """Take a report in place of an earlier one of the same submission."""
        self._reports[submission] = report

    def take(self) -> dict[int, bytes]:
        """The reports that came since the last call."""
        reports, self._reports = self._reports, {}
        return reports


def train_on_node(
    submission: int,
    assignment: Assignment,
    teacher: Entry | None,
    data_set: DataSet,
    seed: int,
    board: Any,
) -> Outcome:
    """Train an assignment in a process of Ray.

    Args:
        submission: number under which reports are written.
        assignment: what to train, without its teacher.
        teacher: the entry that it learns from, or None.
        data_set: in memory that all processes of the node share.
        seed: of the training.
        board: handle of the `Board`.
    """
    latest = 0.0

    def show(progress: TrainingProgress) -> None:
        nonlocal latest
        if time.monotonic() - latest >= BETWEEN_REPORTS:
            latest = time.monotonic()
            board.write.remote(submission, pickle.dumps(progress))

    board.write.remote(submission, b"")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # advice for programmers
    return train_in_crew(
        replace(assignment, teacher=teacher),
        data_set,
        seed,
        show=show,
        should_stop=lambda: False,  # Ray cancels tasks itself
    )


@dataclass(eq=False)
class _Submission:
    """A task of Ray that trains an assignment.

    Attributes:
        assignment: without its teacher.
        teacher: reference to it, or None.
        started: whether it has been told that the training began.
        lost_nodes: how many nodes it was on that are gone.
    """

    assignment: Assignment
    teacher: Reference | None
    started: bool = False
    lost_nodes: int = 0


class RayCrew:
    """See `training_crew.TrainingCrew`."""

    def __init__(self, address: str) -> None:
        """Train on the cluster whose head node is at `address`, HOST:PORT."""
        self._address = address
        # As the environment variable of TensorFlow says, which holds for local trainings too: the
        # number of threads changes the order of sums, and with it the result.
        self._threads = _whole_number(os.environ.get("TF_NUM_INTRAOP_THREADS", "")) or 1
        self._connected = False
        self._stopping = False
        self._under_way: dict[Reference, tuple[int, _Submission]] = {}
        self._submissions = 0
        self._teachers: dict[str, Reference] = {}
        self._news: Reference | None = None
        self._latest_news = 0.0
        self._places = 0
        self._latest_look = 0.0
        self._latest_answer = 0.0

    def start(self, data_set: DataSet, seed: int) -> None:
        """See `TrainingCrew`.

        Raises:
            UserError: Ray is not installed, nothing or something else answers at the address, this
                machine is no node of the cluster, or no node has a processor to offer.
        """
        ray = _ray()
        _check_that_it_answers(self._address)
        self._connect()
        self._look_around()
        if not self._places:
            raise UserError(
                f"no node of the cluster at {self._address} offers the processors that a training "
                f"takes, {self._threads}; start one with more (ray start --num-cpus=N), or set "
                "TF_NUM_INTRAOP_THREADS lower"
            )
        data_set.fingerprint  # noqa: B018 - computed here, once, and sent along
        self._data_set = ray.put(data_set)
        self._seed = seed
        # Beside the program: only with it can it be lost.
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        board = ray.remote(num_cpus=0, scheduling_strategy=here)(Board)
        self._board = board.remote()
        # Lost nodes are dealt with here: Ray would also start those again that end their own
        # process, such as by too much memory, which `collection_training` does once.
        self._train = ray.remote(
            num_cpus=self._threads, max_retries=0, max_calls=TRAININGS_A_PROCESS
        )(train_on_node)

    def _connect(self) -> None:
        threads = str(self._threads)
        with _program_files() as folder:
            _ray().init(
                address=self._address,
                runtime_env={
                    "working_dir": str(folder),
                    "env_vars": {
                        "TF_NUM_INTRAOP_THREADS": threads,
                        "TF_NUM_INTEROP_THREADS": threads,
                        "TF_CPP_MIN_LOG_LEVEL": "3",
                        "OMP_NUM_THREADS": threads,
                    },
                },
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        self._connected = True

    def _look_around(self) -> None:
        """Count the processors of the nodes that are alive.

        Raises:
            UserError: the head node has not answered for some time.
        """
        self._latest_look = time.monotonic()
        if _why_silent(self._address) is None:
            self._latest_answer = time.monotonic()
            nodes = [node["Resources"] for node in _ray().nodes() if node["Alive"]]
            self._places = sum(int(node.get("CPU", 0)) // self._threads for node in nodes)
        elif time.monotonic() - self._latest_answer > LONGEST_SILENCE:
            raise UserError(
                f"the head node of the Ray cluster at {self._address} answers no longer; what was "
                "finished before is kept"
            )

    def places(self) -> int:
        """See `TrainingCrew`; as many as there are processors on the nodes that are alive."""
        return max(1, self._places)

    def submit(self, assignment: Assignment) -> None:
        """See `TrainingCrew`."""
        submission = _Submission(replace(assignment, teacher=None), self._sent(assignment.teacher))
        self._send(submission)

    def _sent(self, teacher: Entry | None) -> Reference | None:
        """A reference to a teacher, which is sent once, however many learn from it."""
        if teacher is None:
            return None
        if teacher.identity not in self._teachers:
            self._teachers[teacher.identity] = _ray().put(teacher)
        return self._teachers[teacher.identity]

    def _send(self, submission: _Submission) -> None:
        self._submissions += 1
        task = self._train.remote(
            self._submissions,
            submission.assignment,
            submission.teacher,
            self._data_set,
            self._seed,
            self._board,
        )
        self._under_way[task] = self._submissions, submission

    def work(self, seconds: float, tell: Callable[[Event], None]) -> None:
        """See `TrainingCrew`."""
        ray = _ray()
        if time.monotonic() - self._latest_look >= BETWEEN_LOOKS:
            self._look_around()
        self._ask_for_news()
        expected = [*self._under_way, *([self._news] if self._news is not None else [])]
        if not expected:
            time.sleep(seconds)
            return
        ready, others = ray.wait(expected, timeout=seconds, fetch_local=False)
        if others:
            ready += ray.wait(others, num_returns=len(others), timeout=0, fetch_local=False)[0]
        if self._news in ready:
            self._tell_news(tell)
        for task in ready:
            if task in self._under_way:
                self._end(task, tell)

    def _ask_for_news(self) -> None:
        if self._news is None and time.monotonic() - self._latest_news >= BETWEEN_NEWS:
            self._latest_news = time.monotonic()
            self._news = self._board.take.remote()

    def _tell_news(self, tell: Callable[[Event], None]) -> None:
        reports: dict[int, bytes] = _ray().get(self._news)
        self._news = None
        for number, submission in list(self._under_way.values()):
            if number in reports:
                self._tell_started(submission, tell)
                if reports[number]:
                    progress = pickle.loads(reports[number])
                    tell(Progressed(submission.assignment.number, progress))

    def _tell_started(self, submission: _Submission, tell: Callable[[Event], None]) -> None:
        if not submission.started:
            submission.started = True
            tell(Started(submission.assignment.number))

    def _end(self, task: Reference, tell: Callable[[Event], None]) -> None:
        """Tell the outcome of a task, or send it again where its node is lost."""
        submission = self._under_way.pop(task)[1]
        number = submission.assignment.number
        errors = _ray().exceptions
        outcome: Outcome
        try:
            outcome = _with_weights_of_its_own(_ray().get(task))
        except (errors.NodeDiedError, errors.ObjectLostError):
            submission.lost_nodes += 1
            if not self._stopping and submission.lost_nodes < MOST_LOST_NODES:
                self._send(submission)
                return
            outcome = Died(number, f"lost {submission.lost_nodes} nodes of the cluster")
        except Exception as error:
            outcome = _outcome_of_error(number, error)
        if self._stopping and isinstance(outcome, Died):
            outcome = Stopped(number)
        if not isinstance(outcome, Stopped):
            self._tell_started(submission, tell)
        tell(outcome)

    def ask_to_stop(self) -> None:
        """See `TrainingCrew`."""
        self._stopping = True
        for task in self._under_way:
            _ray().cancel(task, force=False)

    def close(self) -> None:
        """See `TrainingCrew`."""
        if not self._connected:
            return
        self._connected = False
        self._under_way.clear()
        self._teachers.clear()
        _ray().shutdown()


def _ray() -> Any:
    """Ray, which only who uses a cluster needs to have.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it gives advice
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError as error:
        raise UserError(
            "the package 'ray', which training on a cluster needs, is not installed; install it "
            "with: python -m pip install --require-hashes -r requirements-cluster.lock"
        ) from error
    return ray


def _whole_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _check_that_it_answers(address: str) -> None:
    """Find out in a few seconds whether there is a Ray cluster; Ray itself takes a minute.

    Raises:
        UserError: there is none.
    """
    match = ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise UserError(
            f"{address!r} is no address of a Ray cluster; give HOST:PORT of its head node, as "
            "'ray start --head --port=6379' says it, such as 192.0.2.1:6379"
        )
    reason = _why_silent(address)
    if reason is not None:
        raise UserError(
            f"there is no Ray cluster at {address} ({reason}); start one there with: "
            "ray start --head --port=6379"
        )
    # In a process of its own first: what is no Ray cluster makes Ray end the process that asks.
    check = [sys.executable, "-c", CONNECT, address]
    try:
        done = subprocess.run(
            check, capture_output=True, text=True, timeout=LONGEST_CHECK, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"the service at {address} is no Ray cluster; give the address that "
            "'ray start --head --port=6379' says"
        ) from error
    if done.returncode:
        last_line = ["no reason was given", *done.stderr.strip().splitlines()][-1]
        raise UserError(
            f"the Ray cluster at {address} cannot be used: {last_line}; this machine has to be a "
            f"node of it (ray start --address={address}), with the same versions of Ray and Python"
        )


def _why_silent(address: str) -> str | None:
    """Why nothing answers at an address; None where something does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), LONGEST_CONNECT).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


@contextlib.contextmanager
def _program_files() -> Iterator[Path]:
    """A folder with the program's modules alone, which go to the nodes; no data, no networks."""
    with tempfile.TemporaryDirectory(prefix="handwriting-") as name:
        folder = Path(name)
        for path in ROOT.glob("*.py"):
            shutil.copy(path, folder)
        (folder / "__init__.py").unlink(missing_ok=True)  # the modules are no package
        for package in PACKAGES:
            (folder / package).mkdir()
            for path in (ROOT / package).glob("*.py"):
                shutil.copy(path, folder / package)
        yield folder


def _with_weights_of_its_own(outcome: Outcome) -> Outcome:
    """An outcome without arrays in Ray's memory, which would fill up with them."""
    if not isinstance(outcome, Finished):
        return outcome
    weights = tuple(array.copy() for array in outcome.entry.weights)
    return replace(outcome, entry=replace(outcome.entry, weights=weights))


def _outcome_of_error(number: int, error: Exception) -> Outcome:
    """What became of a training whose task ended without an outcome."""
    errors = _ray().exceptions
    if isinstance(error, errors.TaskCancelledError):
        return Stopped(number)
    if isinstance(error, errors.OutOfMemoryError):
        return Died(number, "was ended by Ray, since its node was short of memory")
    if isinstance(error, errors.WorkerCrashedError):
        return Died(number, "ended with its process")
    if isinstance(error, errors.RuntimeEnvSetupError):
        return Refused(number, f"a node of the cluster could not get ready: {error}")
    cause = error.cause if isinstance(error, errors.RayTaskError) else None
    if isinstance(cause, ImportError):
        return Refused(
            number, f"a node of the cluster lacks what requirements-cluster.lock lists: {cause}"
        )
    return failed(number, error)
