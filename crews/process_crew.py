"""A crew of processes on this machine, each of which trains one variant after another.

Each process imports Keras once, and ends after some tasks. They are new ones (spawned, since
TensorFlow does not survive a fork), so a script that uses this crew begins with
`if __name__ == "__main__":`. Images are shared. Networks are trained by as many threads as ever:
the number of threads changes the order of sums and with it the result, the number of processes does
not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from crews.shared_value import SharedValue
from crews.training_crew import TASKS_A_PROCESS, Assignment, Died, Event, Outcome, Started, Stopped
from crews.training_worker import run_worker
from data_parser import DataSet
from errors import UserError
from settings.hyperparameters import TrainingTask

# Images, each seen once, that a core learns from in about the time that a process takes to start.
WORTH_A_WORKER = 20_000
LONGEST_END = 5.0  # seconds until a process that has closed its pipe is ended by force


@dataclass
class _Worker:
    """A process, our end of the pipe to it, and what it has to train.

    Attributes:
        process: the process.
        connection: our end.
        assignment: what it was sent and has not answered, or None.
        training: whether it has begun with that.
        tasks: how many it was sent.
    """

    process: BaseProcess
    connection: Connection
    assignment: Assignment | None = None
    training: bool = False
    tasks: int = 0


class ProcessCrew:
    """See `training_crew.TrainingCrew`."""

    def __init__(self, workers: int) -> None:
        """Train in so many processes, 1 or more; each starts when there is work for it."""
        self._places = workers
        self._workers: list[_Worker] = []
        self._news: list[Event] = []
        self._shared: SharedValue | None = None
        self._folder: str | None = None

    def start(self, data_set: DataSet, seed: int) -> None:
        """See `TrainingCrew`.

        Raises:
            UserError: there is no room to share the images, or no way to on this system.
        """
        if os.name != "posix":
            raise UserError("several workers need Linux or macOS; use --workers 1")
        data_set.fingerprint  # noqa: B018 - computed here, once, and sent along
        try:
            self._shared = SharedValue(data_set)
            self._folder = tempfile.mkdtemp(prefix="handwriting-")
        except OSError as error:
            raise UserError(
                f"the images cannot be shared with the workers: {error.strerror or error}; "
                "make room, or use --workers 1"
            ) from error
        self._seed = seed

    def places(self) -> int:
        """See `TrainingCrew`."""
        return self._places

    def submit(self, assignment: Assignment) -> None:
        """See `TrainingCrew`.

        Raises:
            UserError: the system starts no more processes.
        """
        worker = self._idle_worker() or self._new_worker()
        worker.assignment, worker.training = assignment, False
        worker.tasks += 1
        with contextlib.suppress(OSError):  # it is dead, as `work` will find
            worker.connection.send(assignment)

    def _idle_worker(self) -> _Worker | None:
        """One that has nothing to do; those that have trained too many networks are ended."""
        for worker in [worker for worker in self._workers if worker.assignment is None]:
            if worker.tasks < TASKS_A_PROCESS:
                return worker
            self._workers.remove(worker)
            self._dismiss([worker])
        return None

    def _new_worker(self) -> _Worker:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=run_worker,
            args=(theirs, self._shared, self._seed, self._folder),
            name="training",
            daemon=True,
        )
        try:
            with _interrupts_held_back():
                process.start()
        except OSError as error:
            ours.close()
            raise UserError(
                f"no further worker can be started: {error.strerror or error}; use fewer --workers"
            ) from error
        finally:
            theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def work(self, seconds: float, tell: Callable[[Event], None]) -> None:
        """See `TrainingCrew`."""
        while self._news:
            seconds = 0
            tell(self._news.pop(0))
        ready = wait([worker.connection for worker in self._workers], seconds)
        for worker in [worker for worker in self._workers if worker.connection in ready]:
            self._hear(worker, tell)

    def _hear(self, worker: _Worker, tell: Callable[[Event], None]) -> None:
        """Tell what one worker has sent."""
        try:
            event: Event = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker, tell)
            return
        if isinstance(event, Started):
            worker.training = True
        elif isinstance(event, Outcome):
            worker.assignment = None
        tell(event)

    def _bury(self, worker: _Worker, tell: Callable[[Event], None]) -> None:
        """Clear away a worker that has closed its end of the pipe."""
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(LONGEST_END)
        _end(worker.process)
        if worker.assignment is not None:
            tell(Died(worker.assignment.number, _how_it_ended(worker.process.exitcode)))

    def ask_to_stop(self) -> None:
        """See `TrainingCrew`."""
        for worker in list(self._workers):
            if worker.assignment is None:
                continue
            if worker.training:
                with contextlib.suppress(OSError):
                    worker.connection.send(None)
            else:  # it is still importing Keras
                self._workers.remove(worker)
                self._dismiss([worker])
                self._news.append(Stopped(worker.assignment.number))

    def close(self) -> None:
        """See `TrainingCrew`."""
        self._dismiss(self._workers)
        self._workers = []
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _dismiss(self, workers: Sequence[_Worker]) -> None:
        for worker in workers:
            worker.connection.close()
            worker.process.kill()  # there is nothing that it would have to put in order
        for worker in workers:
            _end(worker.process)


def _end(process: BaseProcess) -> None:
    process.kill()
    process.join()


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """A process that is started meanwhile never sees Ctrl-C; this one sees it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def usable_cores() -> int:
    """How many cores this process may use.

    Returns:
        1 or more.
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # neither macOS nor Windows has it
        return os.cpu_count() or 1


def sensible_workers(tasks: Sequence[TrainingTask], training_images: int) -> int:
    """How many workers to train tasks with, where nobody has said.

    Args:
        tasks: what is to be trained.
        training_images: how many images they learn from.

    Returns:
        A worker for each usable core, unless there are fewer tasks, or so little to learn that a
        worker would take longer to start than to do its share.
    """
    if os.name != "posix":
        return 1
    images_seen = training_images * sum(task.parameters.train_epochs for task in tasks)
    return max(1, min(usable_cores(), len(tasks), images_seen // WORTH_A_WORKER))
