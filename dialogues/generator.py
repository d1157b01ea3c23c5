"""The dialogues about generators: `Gan`, which trains them, and `Generate`, which has them draw."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from counting import counted
from data_formats.problems import shown
from dialogues.common import Dialogue, stop_on_interrupt
from errors import UserError
from gan.settings import CHARACTER_KINDS, KINDS, read_gan_settings, same_training
from generators.generated_files import (
    check_number,
    check_suffix,
    write_data_set,
    write_line,
    write_sheet,
)
from generators.trained_generators import named, write_training_pictures
from image_generator import GENERATORS, TRAINED_GENERATORS
from sentences import sentence
from terminal import Asker, as_path, ask_yes_or_no, make_console, quoted, say, shown_path
from unused_path import new_file
from views import remarks
from views.gan import make_gan_view, make_gans_view

if TYPE_CHECKING:
    from gan.course import TrainedGan
    from gan.progress import Progress
    from generators.generated_files import DrawnCharacters
    from views.progress import SideBySide

MOST_DRAWINGS = 100_000


def ask_for_generator(asker: Asker, names: Sequence[str]) -> str:
    """Ask which generator is to draw.

    Args:
        asker: where the answer comes from.
        names: that are offered.

    Returns:
        The answer in small letters, one of the names or any other; where it is the beginning of
        one name alone, that name.

    Raises:
        InputEnded: no answer will come any more.
        KeyboardInterrupt: Ctrl-C.
    """
    answer = asker.ask(f"Generator ({', '.join(names)}):", names).lower()
    fitting = [name for name in names if answer and name.startswith(answer)]
    return fitting[0] if len(fitting) == 1 and answer not in names else answer


class _OnCluster:
    """Says and shows how generators are trained side by side; see `GeneratorObserver`."""

    def __init__(self, generator: str, folder: Path, view: SideBySide[Progress]) -> None:
        self._generator = generator
        self._folder = folder
        self._view = view

    def started(self, character: str) -> None:
        say(f"{character!r} begins")

    def progressed(self, character: str, progress: Progress) -> None:
        self._view.show(repr(character), progress)

    def finished(self, character: str, trained: TrainedGan, kept: bool) -> None:
        self._view.end(repr(character))
        where = f"kept in {shown_path(self._folder)}" if kept else "it could not be kept"
        seconds = remarks.duration(trained.seconds)
        say(f"{character!r}: trained {trained.steps:,} steps in {seconds}; {where}")
        try:
            pictures = write_training_pictures(trained, self._generator, (character,), Path.cwd())
        except UserError as error:  # no reason to give up the others
            say(sentence(str(error)))
            return
        say(_pictures_written(trained, pictures))

    def interrupted(self, character: str, reason: str) -> None:
        self._view.end(repr(character))
        say(f"The training of {character!r} {reason}; it begins again")

    def failed(self, character: str, reason: str) -> None:
        self._view.end(repr(character))
        say(f"{character!r} could not be trained: {remarks.reason_in_short(reason)}")

    def stopped(self, characters: Sequence[str]) -> None:
        for character in characters:
            self._view.end(repr(character))
        which = ", ".join(map(repr, characters))
        say(f"Training was ended without {which}; what was finished before is kept.")


class GeneratorDialogue(Dialogue):
    """Asks which generators are to be trained, and what they are to draw."""

    def gan(self) -> None:
        """`Gan`: train generators.

        Raises:
            UserError: an answer is wrong, or a generator could not be trained or kept.
        """
        generator = ask_for_generator(self._asker, TRAINED_GENERATORS)
        one_by_one = generator not in KINDS or generator in CHARACTER_KINDS
        answer = self._asker.ask("Characters, such as ABC [all]:") if one_by_one else ""
        settings_file = self._settings_files.ask_for("GAN settings")
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
            self._say_all_are_trained(
                generator, [classes[index] for index in wanted], settings_file
            )
        for character in chosen:  # nothing is trained where one of them cannot be
            self._session.plan_generator(generator, character, settings_file)
        self._train_all(generator, chosen, settings_file)

    def _say_all_are_trained(
        self, generator: str, characters: Sequence[str], settings_file: Path
    ) -> None:
        """Say also how many of them the settings file would train otherwise, or further.

        Raises:
            UserError: something is wrong with the file.
        """
        settings = read_gan_settings(settings_file).get(generator)
        known = self._session.trained_generators.of(generator)
        others = sum(
            settings is None
            or not same_training(known[character].settings, settings)
            or known[character].steps < settings.steps
            for character in set(characters)
        )
        how = f", {others} of them by other settings or in fewer steps" if others else ""
        say(f"All of them are trained already{how}; Y trains them again, by the settings file.")

    def train_missing(self, generator: str, character: str) -> None:
        """Say that a generator is not there yet, and train it by the program's own settings.

        Args:
            generator: one of `image_generator.TRAINED_GENERATORS`.
            character: that it is to draw.

        Raises:
            UserError: it could not be trained or kept.
        """
        if generator in CHARACTER_KINDS:
            say(f"There is no generator {generator!r} of {character!r} yet.")
        else:
            folder = shown_path(self._session.trained_generators.folder(generator))
            say(
                f"There is no generator {generator!r} in {folder} that draws all "
                f"{len(self._session.data_set.classes)} characters of this data set yet."
            )
        self._train_all(generator, [character], self._settings_files.default("GAN settings"))

    def _train_all(self, generator: str, characters: Sequence[str], settings_file: Path) -> None:
        """Train generators, one after the other, or side by side where the session has a cluster.

        Raises:
            UserError: one could not be trained or kept.
        """
        if self._session.cluster is not None and generator in CHARACTER_KINDS:
            self._train_on_cluster(generator, characters, settings_file)
            return
        if self._session.cluster is not None and characters:
            say(f"{generator!r} is one network, so it is trained on this machine alone.")
        for character in characters:
            if not self._train(generator, character, settings_file):
                break

    def _train_on_cluster(
        self, generator: str, characters: Sequence[str], settings_file: Path
    ) -> None:
        """Train generators side by side on the session's cluster, with their progress shown."""
        if not characters:
            return
        plans = [
            self._session.plan_generator(generator, character, settings_file)
            for character in characters
        ]
        self._session.check_cluster()
        drawn = tuple(character for plan in plans for character in plan.characters)
        say(
            f"Training {generator!r} to draw {named(drawn)} on the cluster at "
            f"{self._session.cluster}: {plans[0].steps:,} steps each. "
            "Ctrl-C ends it and keeps the generators that are finished."
        )
        self._warn_if_not_kept(self._session.trained_generators.why_not_kept(generator))
        self._wait_for_keras()
        with stop_on_interrupt() as stop, make_gans_view(make_console()) as view:
            self._session.train_generators_on_cluster(
                generator,
                characters,
                settings_file,
                observer=_OnCluster(
                    generator, self._session.trained_generators.folder(generator), view
                ),
                should_stop=stop,
            )

    def _train(self, generator: str, character: str, settings_file: Path) -> bool:
        """Train a generator with its progress shown; returns whether it was trained to its end."""
        plan = self._session.plan_generator(generator, character, settings_file)
        about = "" if plan.seconds is None else f", about {remarks.duration(plan.seconds)}"
        say(
            f"Training {generator!r} to draw {named(plan.characters)}: "
            f"{counted(plan.steps, 'step')} on {counted(plan.images, 'image')}"
            f"{about}. Ctrl-C ends it and keeps what was learnt."
        )
        self._warn_if_not_kept(self._session.trained_generators.why_not_kept(generator))
        self._wait_for_keras()
        with stop_on_interrupt() as stop, make_gan_view(make_console()) as show:
            trained = self._session.train_generator(
                generator, character, settings_file, show=show, should_stop=stop
            )
        finished = trained.steps == plan.steps
        known = self._session.trained_generators.of(generator).get(character)
        kept = f"kept in {shown_path(self._session.trained_generators.folder(generator))}"
        if not finished and known is not None and known.steps > trained.steps:
            kept = f"the earlier one, of {counted(known.steps, 'step')}, stays"
        say(
            f"{'Trained' if finished else 'Ended after'} {counted(trained.steps, 'step')} in "
            f"{remarks.duration(trained.seconds)}; {kept}"
        )
        self._write_pictures(trained, generator, plan.characters)
        return finished

    def _write_pictures(
        self, trained: TrainedGan, generator: str, characters: tuple[str, ...]
    ) -> None:
        """Write what it drew while it was trained; no reason to give up others if it cannot."""
        try:
            pictures = write_training_pictures(trained, generator, characters, Path.cwd())
        except UserError as error:
            say(sentence(str(error)))
            return
        say(_pictures_written(trained, pictures))

    def generate(self) -> None:
        """`Generate`: write a sheet, a line of text, or a data set of drawn characters.

        Raises:
            UserError: an answer is wrong, a generator is not there yet, or nothing can be written.
        """
        generator = ask_for_generator(self._asker, GENERATORS)
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
        is_picture = path.suffix.lower() == ".png"
        write: Callable[..., None]
        if count == 0:
            if not is_picture:
                raise UserError("a line of text is a picture: give a file that ends in .png")
            write = partial(write_line, self._session.draw_line(generator, text))
        elif is_picture:
            write = partial(self._write_sheet, self._session.draw_hands(generator, text, count))
        else:
            drawn = self._session.draw_each(generator, text, count)
            write = partial(write_data_set, drawn, seed=self._session.seed)
        with contextlib.ExitStack() as stack:
            try:
                free = stack.enter_context(new_file(path))
            except (OSError, ValueError) as error:  # ValueError: what is no name of a file at all
                reason = getattr(error, "strerror", None) or "no file can have that name"
                raise UserError(f"{shown(path)} cannot be written: {reason}") from error
            write(path=free)
        return free

    def _write_sheet(self, drawn: DrawnCharacters, path: Path) -> None:
        numbered = write_sheet(drawn, self._session.data_set.classes, path)
        if numbered:
            say(remarks.written_as_numbers(numbered, self._session.data_set.classes))


def _pictures_written(trained: TrainedGan, folder: Path) -> str:
    """A sentence on what `write_training_pictures` wrote."""
    what = "What it drew over time, and the losses" if len(trained.previews) else "The losses"
    return f"{what}: {shown_path(folder)}"


def _whole_number(answer: str) -> int:
    answer = answer.lstrip("0") or answer[:1]
    if not answer.isascii() or not answer.isdigit() or int(answer[:7]) > MOST_DRAWINGS:
        raise UserError(f"{quoted(answer)} is not a whole number from 0 to {MOST_DRAWINGS:,}")
    return int(answer)
