"""The dialogue of `Predict`: an image is drawn, taken from a file, or restored, and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from data_formats.problems import shown
from dialogues.common import with_status
from dialogues.generator import ask_for_generator
from errors import UserError
from image_generator import GENERATORS
from terminal import Asker, as_path, quoted, say, shown_path, shows_colours
from unused_path import new_file
from views import reading_text

if TYPE_CHECKING:
    from trainer_predictor import TrainerPredictor

# In place of a generator: the user's own pictures are read, or what Denoise last restored.
FROM_FILE = "file"
RESTORED = "restored"


class PredictDialogue:
    """Asks what the best network is to read, and shows what it takes it for."""

    def __init__(
        self,
        session: TrainerPredictor,
        asker: Asker,
        train_missing: Callable[[str, str], None],
        wait_for_keras: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            session: draws and reads.
            asker: where answers come from.
            train_missing: trains a generator so that it draws a character.
            wait_for_keras: returns when Keras is there.
        """
        self._session = session
        self._asker = asker
        self._train_missing = train_missing
        self._wait_for_keras = wait_for_keras

    def predict(self) -> None:
        """`Predict`: read a character that a generator draws, own pictures, or a restored image.

        Raises:
            UserError: there is no network, an answer is wrong, or nothing was restored.
        """
        generator = ask_for_generator(self._asker, (*GENERATORS, FROM_FILE, RESTORED))
        if generator == FROM_FILE:
            self._read_pictures()
            return
        if generator == RESTORED:
            self._read_restored()
            return
        character = self._asker.ask("Character:", self._session.data_set.classes)
        if generator not in GENERATORS:
            raise UserError(
                f"there is no generator {quoted(generator)}; "
                f"there are {', '.join((*GENERATORS, FROM_FILE, RESTORED))}"
            )
        if self._session.collection.entries and self._session.lacks_generator(generator, character):
            self._train_missing(generator, character)
        self._wait_for_keras()
        result = self._session.predict(generator, character)
        say(reading_text.prediction(result, shows_colours()))

    def _read_pictures(self) -> None:
        from own_pictures import pictures_below, write_readings  # seldom needed

        answer = self._asker.ask("Path of a picture, or of a folder with pictures:", paths=True)
        path = as_path(answer)
        paths = pictures_below(path) if path.is_dir() else [path]
        self._wait_for_keras()
        readings = with_status(
            lambda show: self._session.read_pictures(
                paths,
                show=lambda done: show(f"Reading picture {done + 1:,} of {len(paths):,} ..."),
            )
        )
        if not path.is_dir():
            say(reading_text.picture_reading(readings[0], self._reader(), shows_colours()))
            return
        say(self._reader())
        say(reading_text.picture_readings(readings))
        table = Path("readings.csv")
        try:
            with new_file(table) as table:
                write_readings(readings, path, table)
        except OSError as error:
            raise UserError(f"{shown(table)}: cannot be written: {error.strerror}") from error
        say(f"Written: {shown_path(table)}")

    def _read_restored(self) -> None:
        if self._session.has_restored_image:
            self._wait_for_keras()
        restored = self._session.read_restored()
        say(reading_text.restored_prediction(restored, self._reader(), shows_colours()))

    def _reader(self) -> str:
        """A sentence on the network that reads, of which there is one."""
        collection = self._session.collection
        best = collection.best()
        assert best is not None  # what is shown was read by it
        return reading_text.read_by(collection.entries.index(best), best)
