"""What the dialogues of several commands have in common: files, waiting, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from data_formats.problems import shown
from keras_preload import KerasPreload
from sentences import sentence
from terminal import (
    Asker,
    as_path,
    as_yes_or_no,
    keys_unseen,
    make_console,
    quoted,
    say,
    shown_path,
)
from user_state import log_left_out

if TYPE_CHECKING:
    from trainer_predictor import TrainerPredictor

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_SETTINGS = {
    "hyperparameter": ROOT / "model_hyperparameters.txt",
    "training-parameter": ROOT / "model_training_parameters.txt",
    "GAN settings": ROOT / "gan_hyperparameters.txt",
    "denoiser": ROOT / "denoiser_hyperparameters.txt",
}

Result = TypeVar("Result")


class SettingsFiles:
    """Asks for the text files that commands need, and offers the previous one of each kind."""

    def __init__(self, asker: Asker) -> None:
        """Ask by `asker`."""
        self._asker = asker
        self._previous: dict[str, Path] = {}

    def default(self, kind: str) -> Path:
        """The file that comes with the program, of a kind in `DEFAULT_SETTINGS`.

        Args:
            kind: one of `DEFAULT_SETTINGS`.

        Returns:
            Its path.
        """
        return DEFAULT_SETTINGS[kind]

    def ask_for(self, kind: str) -> Path:
        """Ask for a file.

        Args:
            kind: in `DEFAULT_SETTINGS`.

        Returns:
            The path, which is looked up only when the file is read.

        Raises:
            UserError: the answer is no path.
            InputEnded: no answer will come any more.
            KeyboardInterrupt: Ctrl-C.
        """
        previous = self._previous.get(kind)
        path = None if previous is None else self._previous_or_another(previous)
        if path is None:
            default = self.default(kind)
            question = f"Path of the {kind} file [{shown_path(default)}]:"
            answer = self._asker.ask(question, paths=True)
            path = as_path(answer) if answer.strip("'\" ") else default
        if os.path.isfile(path):  # a slip of the pen is not offered again
            self._previous[kind] = path
        return path

    def _previous_or_another(self, previous: Path) -> Path | None:
        """The previous file, a file whose path is typed in place of Y or N, or None after N."""
        question = f"Use the previous one ({shown_path(previous)})? (Y/N):"
        while True:
            answer = self._asker.ask(question, paths=True)
            meant = as_yes_or_no(answer)
            if meant is not None:
                return previous if meant else None
            if answer.strip("'\" ") and os.path.isfile(another := as_path(answer)):
                return another
            say(f"{quoted(answer)} is neither Y nor N, nor the path of a file.")


class Dialogue:
    """What dialogues that train something hold."""

    def __init__(
        self,
        session: TrainerPredictor,
        asker: Asker,
        settings_files: SettingsFiles,
        wait_for_keras: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            session: does what is asked for.
            asker: where answers come from.
            settings_files: asks for the files that say how something is trained.
            wait_for_keras: returns when Keras is there.
        """
        self._session = session
        self._asker = asker
        self._settings_files = settings_files
        self._wait_for_keras = wait_for_keras

    def _warn_if_not_kept(self, reason: str | None) -> None:
        """Say before a long training why what it makes could not be kept, if it could not be."""
        if reason is not None:
            say(sentence(f"{reason}. It will be there until the program ends"))


def wait_for_keras(keras: KerasPreload) -> None:
    """Return when Keras is there; at a terminal it is shown that something is waited for.

    Args:
        keras: the import, under way or done.
    """
    if keras.is_under_way() and sys.stdout.isatty():
        with keys_unseen(), make_console().status("Loading TensorFlow ..."):
            keras.wait()
    keras.wait()


def say_how_it_was_read(notes: Sequence[str], source: Path, left_out: Sequence[str]) -> None:
    """Say what a user should know of how a data set was read, and log what was left out of it.

    Args:
        notes: a sentence each.
        source: of the data set.
        left_out: "file: why" of each file that was left out.
    """
    for note in notes:
        say(f"  {sentence(note)}")
    if left_out:
        say(f"  {log_left_out(shown(source), left_out)}")


def with_status(work: Callable[[Callable[[str], None]], Result]) -> Result:
    """Do work that takes a while; at a terminal it is shown what is being done.

    Args:
        work: is given what it tells in a few words what it is doing.

    Returns:
        What the work returns.
    """
    if not sys.stdout.isatty():
        return work(lambda doing: None)
    with keys_unseen(), make_console().status("Reading ...") as status:
        return work(status.update)


@contextlib.contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C asks a training to end after its current batches, instead of breaking it off.

    So do SIGTERM and a closed terminal, after which the program ends, too.

    Yields:
        Whether to stop.

    Raises:
        SystemExit: when it is left, if the program is to end.
    """
    asked: list[int] = []

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows lacks the last
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, ask_to_stop)) for number in heard]
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    told_to_end = [number for number in asked if number != signal.SIGINT]
    if told_to_end:
        raise SystemExit(128 + told_to_end[0])
