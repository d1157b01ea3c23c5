"""What a worker process does: trains the assignments that come through a pipe, one after another.

Messages to a worker are an `Assignment`, or None, which asks it to stop after its current batches.
Messages from it are the events of `training_crew`. When the other end of the pipe is closed,
because the program is done with it or is gone, a worker ends at once.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from crews.shared_value import SharedValue
from crews.training_crew import Assignment, Progressed, Started, Stopped, failed, train_in_crew
from data_parser import DataSet
from keras_preload import KerasPreload

if TYPE_CHECKING:
    from cnn_model import TrainingProgress

BETWEEN_REPORTS = 0.1  # seconds; an epoch's end is reported at once


def run_worker(connection: Connection, shared: SharedValue, seed: int, folder: str) -> None:
    """Train what comes until the other end of the pipe is closed.

    Args:
        connection: both ways.
        shared: the data set.
        seed: of every training.
        folder: for temporary files; removed when the other end is closed.
    """
    # A terminal sends Ctrl-C to all processes in it; the one with the menu decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = folder
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries say to programmers
    orders = _Orders(connection, folder)
    orders.start()
    keras = KerasPreload()
    keras.start()
    data_set = shared.open()
    keras.wait()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `_Orders` ends the worker
        while True:
            _train(orders.assignments.get(), data_set, seed, connection, orders.stop)


def _train(
    assignment: Assignment,
    data_set: DataSet,
    seed: int,
    connection: Connection,
    stop: threading.Event,
) -> None:
    """Train one assignment and send how it goes."""
    if stop.is_set():
        connection.send(Stopped(assignment.number))
        return
    connection.send(Started(assignment.number))
    try:
        outcome = train_in_crew(
            assignment,
            data_set,
            seed,
            show=_Reporter(connection, assignment.number),
            should_stop=stop.is_set,
        )
    except Exception as error:  # such as a TensorFlow that cannot be imported
        outcome = failed(assignment.number, error)
    connection.send(outcome)


class _Orders(threading.Thread):
    """Takes in what is sent to the worker while it trains.

    Attributes:
        assignments: those that came and have not begun.
        stop: set when the worker is asked to stop.
    """

    def __init__(self, connection: Connection, folder: str) -> None:
        super().__init__(daemon=True)
        self.assignments: queue.SimpleQueue[Assignment] = queue.SimpleQueue()
        self.stop = threading.Event()
        self._connection = connection
        self._folder = folder

    def run(self) -> None:
        while True:
            try:
                message: Assignment | None = self._connection.recv()
            except (EOFError, OSError):
                shutil.rmtree(self._folder, ignore_errors=True)
                os._exit(0)  # at once, in the middle of whatever it is
            if message is None:
                self.stop.set()
            else:
                self.assignments.put(message)


class _Reporter:
    """Sends a training's progress, not more often than anyone could read it."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._latest = 0.0
        self._epochs = 0

    def __call__(self, progress: TrainingProgress) -> None:
        now = time.monotonic()
        epochs = len(progress.finished)
        if epochs > self._epochs or now - self._latest >= BETWEEN_REPORTS:
            self._latest, self._epochs = now, epochs
            self._connection.send(Progressed(self._number, progress))
