"""Tasks on the machines of a Ray cluster, whatever they do: sent, watched, sent again, ended.

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
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from crews.cluster_address import check_that_something_answers, why_silent
from crews.training_crew import (
    TASKS_A_PROCESS,
    Died,
    Failed,
    Moved,
    Refused,
    Started,
    Stopped,
    failed,
)
from errors import UserError

Reference: TypeAlias = Any  # to an object that Ray keeps or will have; no checker knows it

ROOT = Path(__file__).resolve().parent.parent
# Folders of modules that the program does not need.
APART = {"tests", "benchmarks"}
CONNECT = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level=50)"
LONGEST_CHECK = 20.0  # seconds, some of which a process takes to start and to import Ray
BETWEEN_NEWS = 1.0  # seconds between two looks at how far the tasks are
BETWEEN_REPORTS = 2.0  # seconds between two reports of one task
BETWEEN_LOOKS = 5.0  # seconds between two looks at which nodes there are
LONGEST_SILENCE = 20.0  # seconds without the head node; after 60, Ray would end this process


@dataclass(frozen=True, eq=False)
class Reported:
    """A task is so far.

    Attributes:
        number: of the task.
        progress: what it gave to its `Reporter`.
    """

    number: int
    progress: Any


@dataclass(frozen=True, eq=False)
class Returned:
    """A task is done.

    Attributes:
        number: of the task.
        value: what its function returned; arrays lie in Ray's memory, and fill it while they live.
    """

    number: int
    value: Any


# What ends a task; every task that was sent ends with exactly one of them.
End = Returned | Refused | Failed | Died | Stopped
TaskEvent = Started | Reported | Moved | End


class Board:
    """An actor of Ray: where tasks write how far they are, and the program looks.

    It holds the latest report of each, as bytes, since to read them it would have to import Keras.
    """

    def __init__(self) -> None:
        self._reports: dict[int, bytes] = {}

    def write(self, submission: int, report: bytes) -> None:
        """Take a report in place of an earlier one of the same submission.

        Args:
            submission: its number.
            report: progress, pickled.
        """
        self._reports[submission] = report

    def take(self) -> dict[int, bytes]:
        """The reports that came since the last call.

        Returns:
            The latest, pickled, by the number of the submission.
        """
        reports, self._reports = self._reports, {}
        return reports


class Reporter:
    """What a task tells how far it is, in its process on a node."""

    def __init__(self, board: Any, submission: int) -> None:
        """Write to the `Board` with this handle, under this number."""
        self._board = board
        self._submission = submission
        self._latest = 0.0

    def begin(self) -> None:
        """Say that the task has begun."""
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # advice for programmers
        self._board.write.remote(self._submission, b"")

    def show(self, progress: Any) -> None:
        """Report progress, not more often than anyone looks.

        Args:
            progress: anything that can be pickled.
        """
        if time.monotonic() - self._latest >= BETWEEN_REPORTS:
            self._latest = time.monotonic()
            self._board.write.remote(self._submission, pickle.dumps(progress))


@dataclass(eq=False)
class _Submission:
    """A task that was sent.

    Attributes:
        number: of the task.
        arguments: of its function, after the `Reporter`.
        started: whether it has been told that the task began.
        lost_nodes: how many nodes it was on that are gone.
    """

    number: int
    arguments: tuple[Any, ...]
    started: bool = False
    lost_nodes: int = 0


class RayTasks:
    """Calls of one function, each in a process of Ray, from when it is opened until it is closed.

    The calls come from one thread. Each task takes as many processors as it has threads, one unless
    TF_NUM_INTRAOP_THREADS says otherwise.
    """

    def __init__(self, address: str, most_lost_nodes: int) -> None:
        """Prepare.

        Args:
            address: HOST:PORT of the cluster's head node.
            most_lost_nodes: that one task may have been on, 1 or more, until it counts as died;
                before that it is sent again.
        """
        self._address = address
        self._most_lost_nodes = most_lost_nodes
        # As the environment variable of TensorFlow says, which holds for local trainings too: the
        # number of threads changes the order of sums, and with it the result.
        self._threads = _whole_number(os.environ.get("TF_NUM_INTRAOP_THREADS", "")) or 1
        self._connected = False
        self._stopping = False
        self._under_way: dict[Reference, tuple[int, _Submission]] = {}
        self._submissions = 0
        self._news: Reference | None = None
        self._latest_news = 0.0
        self._places = 0
        self._latest_look = 0.0
        self._latest_answer = 0.0

    def open(self, function: Callable[..., Any]) -> None:
        """Connect to the cluster.

        Args:
            function: what each task calls, with a `Reporter` and the task's own arguments.

        Raises:
            UserError: Ray is not installed, nothing or something else answers at the address, this
                machine is no node of the cluster, or no node has a processor to offer.
        """
        ray = _ray()
        _check_that_it_answers(self._address)
        self._connect()
        own = ray.get_runtime_context().get_node_id()
        self._own_node = _address_of_node(own)
        self._look_around()
        if not self._places:
            raise UserError(
                f"no node of the cluster at {self._address} offers the processors that a training "
                f"takes, {self._threads}; start one with more (ray start --num-cpus=N), or set "
                "TF_NUM_INTRAOP_THREADS lower"
            )
        # Beside the program: its node can be lost only with it. Its process can die alone, and then
        # Ray starts another one.
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(own, soft=False)
        board = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(Board)
        self._board = board.remote()
        # Lost nodes are dealt with here: Ray would also start those again that end their own
        # process, such as by too much memory, which whoever sent them decides about.
        self._function = ray.remote(
            num_cpus=self._threads, max_retries=0, max_calls=TASKS_A_PROCESS
        )(function)

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
            UserError: the head node has not answered for some time, or this machine is no node any
                more.
        """
        self._latest_look = time.monotonic()
        if why_silent(self._own_node) is not None:
            raise self._own_node_is_lost()
        if why_silent(self._address) is None:
            self._latest_answer = time.monotonic()
            nodes = [node["Resources"] for node in _ray().nodes() if node["Alive"]]
            self._places = sum(int(node.get("CPU", 0)) // self._threads for node in nodes)
        elif time.monotonic() - self._latest_answer > LONGEST_SILENCE:
            raise UserError(
                f"the head node of the Ray cluster at {self._address} answers no longer; what was "
                "finished before is kept"
            )

    def _own_node_is_lost(self) -> UserError:
        """What is said before Ray finds it out itself, fails all tasks and ends this process."""
        return UserError(
            f"this machine is no node of the Ray cluster at {self._address} any more, since Ray's "
            "process here (raylet) has ended; what was finished before is kept; start it again "
            f"with: ray start --address={self._address}"
        )

    def places(self) -> int:
        """How many tasks can be under way at once; nodes that come and go change it.

        Returns:
            1 or more.
        """
        return max(1, self._places)

    def put(self, value: Any) -> Reference:
        """Bring a value into Ray's memory, from where each node that needs it gets it once.

        Args:
            value: anything that can be pickled; arrays are shared by the processes of a node.

        Returns:
            What tasks take as an argument in its place.
        """
        return _ray().put(value)

    def submit(self, number: int, *arguments: Any) -> None:
        """Send a task.

        Args:
            number: events carry it.
            *arguments: of its function, after the `Reporter`.
        """
        self._send(_Submission(number, arguments))

    def _send(self, submission: _Submission) -> None:
        self._submissions += 1
        reporter = Reporter(self._board, self._submissions)
        task = self._function.remote(reporter, *submission.arguments)
        self._under_way[task] = self._submissions, submission

    def work(self, seconds: float, tell: Callable[[TaskEvent], None]) -> None:
        """Wait for news, and tell them.

        Args:
            seconds: return after about so long where nothing happened, sooner where something did.
            tell: called in this thread with each event. `Started` comes first and at most once for
                each task, then any number of `Reported`, then one `End`.

        Raises:
            UserError: the head node of the cluster has not answered for some time, or this machine
                is no node of it any more.
        """
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

    def _tell_news(self, tell: Callable[[TaskEvent], None]) -> None:
        asked, self._news = self._news, None
        try:
            reports: dict[int, bytes] = _ray().get(asked)
        except _ray().exceptions.RayActorError:
            return  # what it held is lost; trainings report again
        for number, submission in list(self._under_way.values()):
            if number in reports:
                self._tell_started(submission, tell)
                if reports[number]:
                    tell(Reported(submission.number, pickle.loads(reports[number])))

    def _tell_started(self, submission: _Submission, tell: Callable[[TaskEvent], None]) -> None:
        if not submission.started:
            submission.started = True
            tell(Started(submission.number))

    def _end(self, task: Reference, tell: Callable[[TaskEvent], None]) -> None:
        """Tell what ended a task, or send it again where its node is lost.

        Raises:
            UserError: this machine is no node of the cluster any more.
        """
        submission = self._under_way.pop(task)[1]
        number = submission.number
        errors = _ray().exceptions
        end: End
        try:
            end = Returned(number, _ray().get(task))
        except (errors.NodeDiedError, errors.ObjectLostError):
            submission.lost_nodes += 1
            lost = submission.lost_nodes
            if not self._stopping and lost < self._most_lost_nodes:
                self._send(submission)
                if submission.started:
                    submission.started = False
                    tell(Moved(number))
                return
            nodes = f"{lost} nodes of the cluster" if lost > 1 else "a node of the cluster"
            end = Died(number, f"lost {nodes}", by_memory=False)
        except errors.LocalRayletDiedError as error:
            raise self._own_node_is_lost() from error
        except Exception as error:
            end = _end_by_error(number, error)
        if self._stopping and isinstance(end, Died):
            end = Stopped(number)
        if not isinstance(end, Stopped):
            self._tell_started(submission, tell)
        tell(end)

    def cancel(self) -> None:
        """End all tasks; returns at once, and `work` goes on to tell their ends."""
        self._stopping = True
        for task in self._under_way:
            _ray().cancel(task, force=False)

    def close(self) -> None:
        """End what is under way, and leave the cluster; may be called twice."""
        if not self._connected:
            return
        self._connected = False
        self._under_way.clear()
        _ray().shutdown()


def _ray() -> Any:
    """Ray, which only who uses a cluster needs to have.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it gives advice
    # Where this machine's node dies, Ray ends every program whose parent is process 1 (under nohup,
    # in a container) for a worker of that node; but not one that names a living process for it.
    os.environ.setdefault("RAY_RAYLET_PID", str(os.getpid()))
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
    check_that_something_answers(address)
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


def _address_of_node(node_id: str) -> str:
    """HOST:PORT at which a node's raylet answers, the process that makes a machine a node."""
    node = next(one for one in _ray().nodes() if one["NodeID"] == node_id)
    return f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"


@contextlib.contextmanager
def _program_files() -> Iterator[Path]:
    """A folder with the program's modules alone, which go to the nodes; no data, no networks."""
    with tempfile.TemporaryDirectory(prefix="handwriting-") as name:
        folder = Path(name)
        for path in ROOT.glob("*.py"):
            shutil.copy(path, folder)
        (folder / "__init__.py").unlink(missing_ok=True)  # the modules are no package
        for package in {path.parent for path in ROOT.glob("*/__init__.py")}:
            if package.name not in APART:
                (folder / package.name).mkdir()
                for path in package.glob("*.py"):
                    shutil.copy(path, folder / package.name)
        yield folder


def _end_by_error(number: int, error: Exception) -> End:
    """What ended a task that returned nothing."""
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
    if isinstance(cause, UserError):
        return Refused(number, str(cause))
    return failed(number, error)
