"""The menu: greets, asks for a command, has its dialogue carried out, reports problems, leaves.

Every command asks all its questions first, in a fixed order, so that a pipe of answers and a
person get the same dialogue. What a user can mend is said in one sentence and the menu goes on;
anything else is a defect, whose traceback goes to a log file.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from counting import counted
from data_parser import SPLIT_SHARES, open_data_set
from dialogues.at_hand import at_hand
from dialogues.collection import ONLY_IN_MEMORY, CollectionDialogue, kept_in, may_be_lost
from dialogues.common import SettingsFiles, say_how_it_was_read, wait_for_keras
from dialogues.denoise import DenoiseDialogue
from dialogues.generator import GeneratorDialogue
from dialogues.predict import PredictDialogue
from errors import DataError, UserError
from keras_preload import KerasPreload
from sentences import sentence
from terminal import (
    Asker,
    InputEnded,
    ask_yes_or_no,
    make_asker,
    quoted,
    say,
    shown_path,
)
from trainer_predictor import TrainerPredictor
from user_state import log_defect, log_left_out, state_folder
from views.opening import show_reading

if TYPE_CHECKING:
    from data_parser import DataSet

__all__ = ["HELP", "Menu", "log_defect", "run"]

UNSAVED_FOLDERS_SHOWN = 3
HELP = {
    "Train": "train the networks of a hyperparameter file as a second file says",
    "Predict": "draw a character and read it with the best network",
    "Save": "save the collection of trained networks in a folder",
    "Load": "load a collection from a folder in place of the one in memory",
    "Results": "compare networks; also: Results top 9 where parameters < 90000",
    "Evaluate": "score every network on labelled images; show what the best confuses",
    "Report": "write a page with pictures on the data set and the networks",
    "Gan": "train generators: networks that draw characters",
    "Generate": "write a sheet, a line of text, or a data set of drawn characters",
    "Denoise": "train networks that take noise out of images; show and measure it",
    "Help": "this list",
    "Exit": "leave",
}


# What these meant before there was another command that begins so.
ABBREVIATIONS = {"r": "Results", "re": "Results"}


class _Leave(Exception):
    """The user wants to leave."""


def run(
    data_path: Path,
    *,
    model_folder: Path | None,
    generator_folder: Path | None,
    seed: int,
    keep_digits: bool,
    file_split: bool,
    shares: Mapping[str, int] | None,
    group: str | None,
    workers: int | None,
    cluster: str | None,
) -> int:
    """Open a data set and run the menu until the user leaves.

    Args:
        data_path: the data set.
        model_folder: a collection to load at the start, or None.
        generator_folder: where trained generators are; None is `gan_collection` beside the program.
        seed: 0 or more; the session repeats with the same seed and answers.
        keep_digits: keep 0 to 9 among the classes.
        file_split: keep the file's own test rows as the test set.
        shares: parts of each split, for `data_parser.open_data_set`; None for the usual ones.
        group: which images are never in two splits, for `data_parser.open_data_set`, or None.
        workers: how many networks `Train` trains at once; None leaves it to the program.
        cluster: address of a Ray cluster that `Train` and `Gan` train on; None for this machine.

    Returns:
        Exit code: 0, or 2 when the data set cannot be used.
    """
    try:
        path = at_hand(data_path)
        with show_reading(path) as tell:
            data_set = open_data_set(
                path,
                seed=seed,
                keep_digits=keep_digits,
                file_split=file_split,
                shares=shares or SPLIT_SHARES,
                group=group,
                tell=tell,
            )
    except UserError as error:
        print(*_told(error), sep="\n", file=sys.stderr)
        return 2
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries say to programmers
    session = TrainerPredictor(
        data_set,
        seed=seed,
        generator_root=generator_folder,
        workers=workers,
        cluster=cluster,
    )
    menu = Menu(session, make_asker(state_folder() / "history"))
    menu.greet(data_set, model_folder)
    menu.loop()
    session.autosave.end()
    return 0


def _told(error: UserError) -> Iterator[str]:
    """Lines on what a user can mend."""
    yield sentence(str(error))
    if isinstance(error, DataError) and error.left_out:
        yield log_left_out(str(error), error.left_out)


class Menu:
    """One session at the terminal."""

    def __init__(self, session: TrainerPredictor, asker: Asker) -> None:
        """Drive `session` with the answers of `asker`."""
        self._session = session
        self._asker = asker
        self._keras = KerasPreload()
        wait = partial(wait_for_keras, self._keras)
        files = SettingsFiles(asker)
        self._of_collection = CollectionDialogue(session, asker, files, wait)
        of_generators = GeneratorDialogue(session, asker, files, wait)
        of_predict = PredictDialogue(session, asker, of_generators.train_missing, wait)
        of_denoisers = DenoiseDialogue(session, asker, files, wait)
        self._commands: dict[str, Callable[[], None]] = {
            "Train": self._of_collection.train,
            "Predict": of_predict.predict,
            "Save": self._of_collection.save,
            "Load": self._of_collection.load,
            "Results": self._of_collection.results,
            "Evaluate": self._of_collection.evaluate,
            "Report": self._of_collection.report,
            "Gan": of_generators.gan,
            "Generate": of_generators.generate,
            "Denoise": of_denoisers.denoise,
            "Help": self._help,
            "Exit": self._exit,
        }

    def greet(self, data_set: DataSet, model_folder: Path | None) -> None:
        """Say what is open, load the collection asked for, and mention unsaved work.

        Args:
            data_set: the open one.
            model_folder: of the collection; None where none was asked for.
        """
        counts = ", ".join(f"{count:,} {name}" for name, count in data_set.counts().items())
        say(
            f"{data_set.name}: {counted(len(data_set.labels), 'image')} of "
            f"{counted(len(data_set.classes), 'character')} ({counts})"
        )
        say_how_it_was_read(data_set.notes, data_set.source, data_set.skipped)
        if model_folder is not None:
            with self._reporting():
                self._of_collection.load_folder(model_folder)
        self._mention(self._session.autosave.unsaved())

    def _mention(self, unsaved: Sequence[Path]) -> None:
        if not unsaved:
            return
        say("Entries that were never saved are kept; use Load to have them:")
        for folder in unsaved[-UNSAVED_FOLDERS_SHOWN:]:
            say(f"  {shown_path(folder)}")
        older = len(unsaved) - UNSAVED_FOLDERS_SHOWN
        if older > 0:
            say(f"  and {older} older in {shown_path(unsaved[0].parent)}")

    def loop(self) -> None:
        """Ask for commands and carry them out until the user leaves or the input ends."""
        self._keras.start()
        names = ", ".join(self._commands)
        while True:
            try:
                word = self._asker.ask(f"{names}:", list(self._commands))
            except InputEnded:
                self._say_goodbye()
                return
            except KeyboardInterrupt:
                if self._wants_to_leave():
                    self._say_goodbye()
                    return
                continue
            try:
                with self._reporting():
                    self._command(word)()
            except InputEnded:
                self._say_what_was_not_done(word)
                self._say_goodbye()
                return
            except _Leave:
                self._say_goodbye()
                return

    def _say_what_was_not_done(self, word: str) -> None:
        """Name the command that `word` began, in whose questions the input ended."""
        (name,) = self._beginning_with(word.partition(" ")[0])
        if name != "Exit":  # which is done by leaving
            say(f"The input ended within the questions of {name}, so it was not carried out.")

    def _wants_to_leave(self) -> bool:
        try:
            return ask_yes_or_no(self._asker, "Leave?")
        except (InputEnded, KeyboardInterrupt):
            return True

    def _say_goodbye(self) -> None:
        if self._session.has_unsaved_entries:
            kept = kept_in(self._session)
            if kept is None:
                say("Entries were not saved, and could not be kept elsewhere.")
            else:
                say(f"Entries that were not saved are kept in {shown_path(kept)}")

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Keep the menu alive: say what a user can mend, log what is a defect."""
        try:
            yield
        except UserError as error:
            for line in _told(error):
                say(line)
        except KeyboardInterrupt:
            say("Stopped.")
        except (InputEnded, _Leave, BrokenPipeError):
            raise
        except Exception as error:
            say(log_defect(error))

    def _command(self, word: str) -> Callable[[], None]:
        if not word:
            return lambda: None
        fitting = self._beginning_with(word)
        if len(fitting) == 1:
            return self._commands[fitting[0]]
        if fitting:
            raise UserError(f"{quoted(word)} can mean {' or '.join(fitting)}; type more of it")
        first, _, rest = word.partition(" ")
        if rest and self._beginning_with(first) == ["Results"]:
            return partial(self._of_collection.results, rest.strip())
        raise UserError(
            f"there is no command {quoted(word)}; type one of {', '.join(self._commands)}"
        )

    def _beginning_with(self, word: str) -> list[str]:
        word = word.lower()
        if word in ABBREVIATIONS:
            return [ABBREVIATIONS[word]]
        return [name for name in self._commands if name.lower().startswith(word)]

    def _help(self) -> None:
        for name, meaning in HELP.items():
            say(f"  {name:9} {meaning}")
        say("The first letters are enough, in capitals or not. Ctrl-C goes back to the menu.")

    def _exit(self) -> None:
        if not may_be_lost(self._session) or ask_yes_or_no(
            self._asker, f"{ONLY_IN_MEMORY} Leave all the same?"
        ):
            raise _Leave
