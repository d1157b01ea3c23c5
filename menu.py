"""The menu: asks what to do, has it done, shows the result.

Every command asks all its questions first, in a fixed order, so that a pipe of answers and a
person get the same dialogue. What a user can mend is said in one sentence and the menu goes on;
anything else is a defect, whose traceback goes to a log file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import views
from checked_folder import write_atomically
from collection_folder import FILE_NAME
from collection_query import select
from data_parser import SPLIT_SHARES, open_data_set
from denoising.noise import parse_noises
from denoising.settings import DenoiserSettings, read_denoiser_settings
from errors import UserError
from gan.settings import CHARACTER_KINDS, KINDS
from gan_view import make_gan_view
from generated_files import check_number, check_suffix, write_data_set, write_line, write_sheet
from hyperparameters import read_training_tasks
from image_generator import GENERATORS, TRAINED_GENERATORS
from keras_preload import KerasPreload
from terminal import (
    Asker,
    InputEnded,
    as_path,
    ask_yes_or_no,
    keys_unseen,
    make_asker,
    make_console,
    quoted,
    say,
    shown_path,
    shows_colours,
)
from trained_generators import named, write_training_pictures
from trainer_predictor import TrainerPredictor, write_confusion_matrix
from training_view import make_training_view
from unused_path import unused_path

if TYPE_CHECKING:
    from data_parser import DataSet
    from denoising.noise import Noise
    from denoising_findings import DenoisingFindings
    from trainer_predictor import Evaluation

ROOT = Path(__file__).resolve().parent
FROM_FILE = "file"  # in place of a generator: the user's own pictures are read
DEFAULT_SETTINGS = {
    "hyperparameter": ROOT / "model_hyperparameters.txt",
    "training-parameter": ROOT / "model_training_parameters.txt",
    "GAN settings": ROOT / "gan_hyperparameters.txt",
    "denoiser": ROOT / "denoiser_hyperparameters.txt",
}
# Messages that begin with one of these words, and not with a path, begin with a capital.
FIRST_WORDS = ("a", "ask", "finished", "no", "stopped", "that", "the", "there", "this")
UNSAVED_FOLDERS_SHOWN = 3
MOST_DRAWINGS = 100_000
DEFAULT_NOISE = "gaussian 0.2 0.6 1.0"
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
        cluster: address of a Ray cluster that `Train` trains on; None for this machine.

    Returns:
        Exit code: 0, or 2 when the data set cannot be used.
    """
    try:
        data_set = open_data_set(
            _at_hand(data_path),
            seed=seed,
            keep_digits=keep_digits,
            file_split=file_split,
            shares=shares or SPLIT_SHARES,
            group=group,
        )
    except UserError as error:
        print(_sentence(str(error)), file=sys.stderr)
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
    return 0


def _at_hand(data_path: Path) -> Path:
    """The path itself, or, where it is the name of a known data set, its copy in the cache.

    Raises:
        UserError: the data set cannot be downloaded.
    """
    from downloads.known import cache_folder, is_known

    name = str(data_path)
    if not is_known(name) or data_path.exists():
        return data_path
    from download_view import make_download_view
    from downloads.fetching import fetch

    with make_download_view(make_console()) as show:
        return fetch(name, cache_folder(), show, should_stop=lambda: False)


def state_folder() -> Path:
    """Folder for the history of answers and the log of defects."""
    import platformdirs

    return platformdirs.user_state_path("handwriting")


class Menu:
    """One session at the terminal."""

    def __init__(self, session: TrainerPredictor, asker: Asker) -> None:
        """Drive `session` with the answers of `asker`."""
        self._session = session
        self._asker = asker
        self._keras = KerasPreload()
        self._previous_settings: dict[str, Path] = {}
        self._commands: dict[str, Callable[[], None]] = {
            "Train": self._train,
            "Predict": self._predict,
            "Save": self._save,
            "Load": self._load,
            "Results": self._results,
            "Evaluate": self._evaluate,
            "Report": self._report,
            "Gan": self._gan,
            "Generate": self._generate,
            "Denoise": self._denoise,
            "Help": self._help,
            "Exit": self._exit,
        }

    def greet(self, data_set: DataSet, model_folder: Path | None) -> None:
        """Say what is open, load the collection asked for, and mention unsaved work."""
        counts = ", ".join(f"{count:,} {name}" for name, count in data_set.counts().items())
        say(
            f"{data_set.source.name}: {len(data_set.labels):,} images of "
            f"{len(data_set.classes)} characters ({counts})"
        )
        for note in data_set.notes:
            say(f"  {_sentence(note)}")
        if data_set.skipped:
            say(f"  What was left out, and why, is named in {_log_skipped(data_set)}")
        if model_folder is not None:
            with self._reporting():
                self._load_folder(model_folder)
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
            except (InputEnded, _Leave):
                self._say_goodbye()
                return

    def _wants_to_leave(self) -> bool:
        try:
            return ask_yes_or_no(self._asker, "Leave?")
        except (InputEnded, KeyboardInterrupt):
            return True

    def _say_goodbye(self) -> None:
        if self._session.has_unsaved_entries:
            kept = self._kept_in()
            if kept is None:
                say("Entries were not saved, and could not be kept elsewhere.")
            else:
                say(f"Entries that were not saved are kept in {shown_path(kept)}")

    def _kept_in(self) -> Path | None:
        """Where the unsaved entries are; None where that folder could not be written."""
        folder = self._session.autosave.folder
        return folder if folder is not None and os.path.isfile(folder / FILE_NAME) else None

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Keep the menu alive: say what a user can mend, log what is a defect."""
        try:
            yield
        except UserError as error:
            say(_sentence(str(error)))
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
            return partial(self._results, rest.strip())
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
        raise _Leave

    def _train(self) -> None:
        hyperparameter_file = self._ask_for_settings("hyperparameter")
        parameter_file = self._ask_for_settings("training-parameter")
        retrain = ask_yes_or_no(self._asker, "Train again what is trained already?")
        read_training_tasks(hyperparameter_file, parameter_file)  # problems are named at once
        self._wait_for_keras()
        from cnn_model import TrainingStopped

        console = make_console()
        classes = len(self._session.data_set.classes)
        with _stop_on_interrupt() as stop, make_training_view(console, classes) as view:
            try:
                self._session.train(
                    hyperparameter_file,
                    parameter_file,
                    retrain=retrain,
                    observer=view,
                    should_stop=stop,
                )
            except TrainingStopped as stopped:
                view.stopped()
                if stopped.__cause__ is not None:  # a defect that was met before
                    raise stopped.__cause__ from None
        self._say_where_kept()

    def _say_where_kept(self) -> None:
        entries = len(self._session.collection.entries)
        sentence = f"The collection has {entries} {'entry' if entries == 1 else 'entries'}."
        kept = self._kept_in() if self._session.has_unsaved_entries else None
        if kept is not None:
            sentence += f" Until you Save it, it is kept in {shown_path(kept)}"
        say(sentence)

    def _wait_for_keras(self) -> None:
        if self._keras.is_under_way() and sys.stdout.isatty():
            with keys_unseen(), make_console().status("Loading TensorFlow ..."):
                self._keras.wait()
        self._keras.wait()

    def _ask_for_settings(self, kind: str) -> Path:
        previous = self._previous_settings.get(kind)
        if previous is not None and ask_yes_or_no(
            self._asker, f"Use the previous one ({shown_path(previous)})?"
        ):
            return previous
        default = DEFAULT_SETTINGS[kind]
        answer = self._asker.ask(f"Path of the {kind} file [{shown_path(default)}]:", paths=True)
        path = as_path(answer) if answer.strip("'\" ") else default
        self._previous_settings[kind] = path
        return path

    def _predict(self) -> None:
        generator = self._ask_for_generator((*GENERATORS, FROM_FILE))
        if generator == FROM_FILE:
            self._predict_pictures()
            return
        characters = self._session.data_set.classes
        character = self._asker.ask("Character:", characters)
        if self._session.collection.entries and self._session.lacks_generator(generator, character):
            if generator in CHARACTER_KINDS:
                say(f"There is no generator {generator!r} of {character!r} yet.")
            else:
                folder = shown_path(self._session.trained_generators.folder(generator))
                say(
                    f"There is no generator {generator!r} in {folder} that draws all "
                    f"{len(characters)} characters of this data set yet."
                )
            self._train_generator(generator, character, DEFAULT_SETTINGS["GAN settings"])
        self._wait_for_keras()
        result = self._session.predict(generator, character)
        say(views.prediction(result, shows_colours()))

    def _predict_pictures(self) -> None:
        from own_pictures import pictures_below, write_readings  # seldom needed

        answer = self._asker.ask("Path of a picture, or of a folder with pictures:", paths=True)
        path = as_path(answer)
        paths = pictures_below(path) if path.is_dir() else [path]
        self._wait_for_keras()
        readings = self._session.read_pictures(paths)
        if not path.is_dir():
            say(views.picture_reading(readings[0], shows_colours()))
            return
        table = unused_path(Path.cwd() / "readings.csv")
        write_readings(readings, path, table)
        say(views.picture_readings(readings))
        say(f"Written: {shown_path(table)}")

    def _gan(self) -> None:
        generator = self._ask_for_generator(TRAINED_GENERATORS)
        one_by_one = generator not in KINDS or generator in CHARACTER_KINDS
        answer = self._asker.ask("Characters, such as ABC [all]:") if one_by_one else ""
        settings_file = self._ask_for_settings("GAN settings")
        again = ask_yes_or_no(self._asker, "Train again what is trained already?")
        if generator not in TRAINED_GENERATORS:
            raise UserError(
                f"there is no generator {quoted(generator)} to train; "
                f"there are {', '.join(TRAINED_GENERATORS)}"
            )
        data_set, classes = self._session.data_set, self._session.data_set.classes
        names = data_set.names_in(answer) if answer.lower() != "all" else []
        wanted = [data_set.class_of(name)[0] for name in names or classes]
        if not one_by_one:
            wanted = wanted[:1]  # it stands for all
        chosen = [
            classes[index]
            for index in dict.fromkeys(wanted)  # 'c' and 'C' share a generator
            if again or self._session.lacks_generator(generator, classes[index])
        ]
        if not chosen:
            say("All of them are trained already.")
        for character in chosen:  # nothing is trained where one of them cannot be
            self._session.plan_generator(generator, character, settings_file)
        for character in chosen:
            if not self._train_generator(generator, character, settings_file):
                break

    def _train_generator(self, generator: str, character: str, settings_file: Path) -> bool:
        """Train a generator with its progress shown; returns whether it was trained to its end."""
        plan = self._session.plan_generator(generator, character, settings_file)
        say(
            f"Training {generator!r} to draw {named(plan.characters)}: {plan.steps:,} steps on "
            f"{plan.images:,} images, about {views.duration(plan.seconds)}. "
            "Ctrl-C ends it and keeps what was learnt."
        )
        self._wait_for_keras()
        with _stop_on_interrupt() as stop, make_gan_view(make_console()) as show:
            trained = self._session.train_generator(
                generator, character, settings_file, show=show, should_stop=stop
            )
        finished = trained.steps == plan.steps
        say(
            f"{'Trained' if finished else 'Ended after'} {trained.steps:,} steps in "
            f"{views.duration(trained.seconds)}; kept in "
            f"{shown_path(self._session.trained_generators.folder(generator))}"
        )
        pictures = write_training_pictures(trained, generator, plan.characters, Path.cwd())
        say(f"What it drew over time, and the losses: {shown_path(pictures)}")
        return finished

    def _ask_for_generator(self, names: Sequence[str]) -> str:
        return self._asker.ask(f"Generator ({', '.join(names)}):", names).lower()

    def _generate(self) -> None:
        generator = self._ask_for_generator(GENERATORS)
        text = self._asker.ask("Characters, or a line of text [all characters]:")
        count = self._asker.ask("How many of each; 0 writes the text as a line [10]:")
        answer = self._asker.ask(
            "File, .png for a picture, .mat or .npz for a data set:", paths=True
        )
        path = as_path(answer)
        check_suffix(path)
        data_set = self._session.data_set
        text = text or data_set.as_text(data_set.classes)
        number = _whole_number(count or "10")
        characters = list(dict.fromkeys(data_set.names_in(text)))
        check_number(path, len(characters), number)
        for character in characters:
            if self._session.lacks_generator(generator, character):
                raise UserError(
                    f"there is no generator {generator!r} of {character!r} yet; "
                    "use Gan to train it first"
                )
        self._wait_for_keras()
        say(f"Written: {shown_path(self._written(generator, text, number, path))}")

    def _written(self, generator: str, text: str, count: int, path: Path) -> Path:
        """Draw and write what was asked for; an existing file is never replaced."""
        path = unused_path(path)
        if count == 0:
            if path.suffix.lower() != ".png":
                raise UserError("a line of text is a picture: give a file that ends in .png")
            write_line(self._session.draw_line(generator, text), path)
            return path
        if path.suffix.lower() == ".png":
            write_sheet(self._session.draw_hands(generator, text, count), path)
        else:
            drawn = self._session.draw_each(generator, text, count)
            write_data_set(drawn, path, self._session.seed)
        return path

    def _denoise(self) -> None:
        settings_file = self._ask_for_settings("denoiser")
        answer = self._asker.ask(f"Noise, of any kinds and amounts [{DEFAULT_NOISE}]:")
        example = self._asker.ask("Character, or noisy picture, to restore [none]:", paths=True)
        again = ask_yes_or_no(self._asker, "Train again what is trained already?")
        denoisers = read_denoiser_settings(settings_file)
        noises = parse_noises(answer or DEFAULT_NOISE)
        if example:
            path = as_path(example)
            example = str(path) if os.path.isfile(path) else example
            self._session.check_example(example)
        self._wait_for_keras()
        for number, settings in enumerate(denoisers):
            needed = again or self._session.trained_denoisers.of(settings) is None
            if needed and not self._train_denoiser(number, settings):
                break
        self._show_denoisers(denoisers, noises, example)

    def _train_denoiser(self, number: int, settings: DenoiserSettings) -> bool:
        """Train a denoiser with its progress shown; returns whether it was trained to its end."""
        from denoise_view import make_denoise_view

        denoisers = self._session.trained_denoisers
        kinds = " and ".join(
            f"{noise.kind} {noise.low:g} to {noise.high:g}" for noise in settings.noise
        )
        say(
            f"Training denoiser {number}, {settings.type}, on {kinds}: {settings.steps:,} steps of "
            f"{settings.batch_size} images. Ctrl-C ends it and keeps what was learnt."
        )
        with _stop_on_interrupt() as stop, make_denoise_view(make_console()) as show:
            trained = denoisers.train(settings, show=show, should_stop=stop)
        finished = trained.steps == settings.steps
        say(
            f"{'Trained' if finished else 'Ended after'} {trained.steps:,} steps in "
            f"{views.duration(trained.seconds)}; kept in {shown_path(denoisers.folder)}"
        )
        return finished

    def _show_denoisers(
        self, denoisers: Sequence[DenoiserSettings], noises: Sequence[Noise], example: str
    ) -> None:
        import denoise_view

        found = self._judged(denoisers, noises)
        console = make_console()
        console.print(denoise_view.findings_table(found))
        best = self._session.collection.best()
        told_by = "its label, for there is no network to read it"
        if best is not None:
            number = self._session.collection.entries.index(best)
            told_by = f"entry {number}, which reads the noisy image first"
            say(f"Accuracy is that of entry {number}.")
        say(denoise_view.findings_notes(found, told_by))
        for sentence in denoise_view.unlearnt_noise(denoisers, noises):
            say(sentence)
        say(f"Pictures: {shown_path(denoise_view.write_sheets(found, Path.cwd()))}")
        if example:
            restored = self._session.restore(denoisers, noises[0], example)
            say(denoise_view.restored_image(restored, console.width))

    def _judged(
        self, denoisers: Sequence[DenoiserSettings], noises: Sequence[Noise]
    ) -> DenoisingFindings:
        if not sys.stdout.isatty():
            return self._session.judge_denoisers(denoisers, noises)
        with keys_unseen(), make_console().status("Reading ...") as status:
            return self._session.judge_denoisers(denoisers, noises, show=status.update)

    def _save(self) -> None:
        folder = as_path(self._asker.ask("Folder to save in:", paths=True))
        copy = self._session.save(folder)
        say(f"Saved {_entries(self._session)} in {folder}")
        if copy is not None:
            say(f"The other entries that were there are kept in {copy}")

    def _load(self) -> None:
        folder = as_path(self._asker.ask("Folder to load:", paths=True))
        self._load_folder(folder)

    def _load_folder(self, folder: Path) -> None:
        if folder.name == FILE_NAME and os.path.isfile(folder):
            folder = folder.parent
        kept = self._session.autosave.folder if self._session.has_unsaved_entries else None
        self._session.load(folder)
        say(f"Loaded {_entries(self._session)} from {folder}")
        if kept is not None and kept != self._session.autosave.folder:
            say(f"The entries that were in memory and not saved are kept in {shown_path(kept)}")

    def _results(self, query: str = "") -> None:
        with_layers = ask_yes_or_no(self._asker, "Show layers?")
        collection = self._session.collection
        if not collection.entries:
            raise UserError("there is no trained network yet: use Train, or Load a folder, first")
        selection = select(collection, query)
        listed = selection.numbers
        if not listed:
            say(f"None of the entries, {len(collection.entries):,}, fits {quoted(query)}.")
            return
        if with_layers:
            say(views.entries_with_layers(collection, listed))
            say("")
        else:
            make_console().print(views.results_table(collection, listed))
        if query or len(listed) < len(collection.entries):
            say(views.results_scope(selection, len(collection.entries)))
        say(views.results_notes(collection, listed, self._session.data_set.fingerprint))
        if selection.query.curves:
            from learning_curves import write_learning_curves  # with Matplotlib

            path, drawn = write_learning_curves(collection, listed, Path.cwd())
            say(f"Learning curves of {drawn} of them: {shown_path(path)}")

    def _evaluate(self) -> None:
        answer = self._asker.ask("Path of a labelled data set [the test split]:", paths=True)
        path = as_path(answer) if answer else None
        self._wait_for_keras()
        result = self._evaluated(path)
        say(f"On {result.name}:")
        make_console().print(views.evaluation_table(result))
        say(views.confused_pairs(result))
        say(f"Confusion matrix: {shown_path(write_confusion_matrix(result, Path.cwd()))}")

    def _report(self) -> None:
        answer = self._asker.ask("Folder for the report [report]:", paths=True)
        folder = as_path(answer) if answer else Path("report")
        if self._session.collection.entries:
            self._wait_for_keras()
        say(f"Report: {shown_path(self._reported(folder))}")

    def _reported(self, folder: Path) -> Path:
        if not sys.stdout.isatty():
            return self._session.report(folder)
        with keys_unseen(), make_console().status("Reading ...") as status:
            return self._session.report(folder, show=status.update)

    def _evaluated(self, path: Path | None) -> Evaluation:
        if not sys.stdout.isatty():
            return self._session.evaluate(path)
        with keys_unseen(), make_console().status("Reading ...") as status:
            return self._session.evaluate(
                path,
                show=lambda done, entries: status.update(
                    f"Evaluating entry {done + 1} of {entries} ..."
                ),
            )


def _whole_number(answer: str) -> int:
    answer = answer.lstrip("0") or answer[:1]
    if not answer.isascii() or not answer.isdigit() or int(answer[:7]) > MOST_DRAWINGS:
        raise UserError(f"{quoted(answer)} is not a whole number from 0 to {MOST_DRAWINGS:,}")
    return int(answer)


def _entries(session: TrainerPredictor) -> str:
    collection = session.collection
    count = len(collection.entries)
    best = collection.best()
    if best is None:
        return "a collection without entries"
    accuracy = f"(validation accuracy {best.validation.accuracy:.2%})"
    if count == 1:
        return f"1 entry {accuracy}"
    return f"{count} entries, the best of them number {collection.entries.index(best)} {accuracy}"


def _sentence(message: str) -> str:
    if message.split(" ", 1)[0] in FIRST_WORDS:
        return message[0].upper() + message[1:]
    return message


@contextlib.contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C asks a training to end after its current batches, instead of breaking it off."""
    asked: list[bool] = []

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        asked.append(True)

    before = signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _log_skipped(data_set: DataSet) -> str:
    """Write down what a data set lacks; returns the name of the log for people."""
    log = state_folder() / "left-out.log"
    lines = [f"{datetime.now().isoformat(timespec='seconds')} {data_set.source}", *data_set.skipped]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(log, "\n".join([*lines, ""]).encode("utf-8", "replace"))
    except OSError as error:
        return f"a log that cannot be written: {error.strerror or error}"
    return shown_path(log)


def log_defect(error: Exception) -> str:
    """Write a traceback to the log file; returns the sentence that tells the user."""
    log = state_folder() / "defects.log"
    said = f"This is a defect of the program: {_first_line(error)}"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(
                f"{datetime.now().isoformat()}\n{''.join(traceback.format_exception(error))}\n"
            )
    except OSError as problem:
        return f"{said} (no log: {problem.strerror})"
    return f"{said}; more about it is in {shown_path(log)}"


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [""])[0][:200]
    return "".join(letter for letter in line if letter.isprintable()) or type(error).__name__
