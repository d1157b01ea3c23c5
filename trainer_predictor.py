"""What each menu command does, without a terminal: the product's programming interface.

session = TrainerPredictor(data_parser.open_data_set("letters.mat"))
session.load(Path("model"))
print(session.predict("basic", "A").likeliest)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import collection_training
import hyperparameters
from autosave import Autosave, default_root
from collection_folder import holds_collection, load_collection, save_collection
from collection_training import TrainingObserver
from data_parser import DataSet, read_labelled_images
from denoising.noise import Noise, add_noise
from denoising.settings import DenoiserSettings, name_of
from errors import CollectionError, DataError, UserError
from evaluation import overlap, recognition
from evaluation.recognition import ConfusedPair, Likely, Score
from gan.settings import GanSettings, read_gan_settings
from generated_files import DrawnCharacters
from hyperparameters import TrainingTask
from image_generator import (
    GENERATORS,
    TRAINED_GENERATORS,
    Drawing,
    ImageGenerator,
    TrainedGenerator,
    make_generator,
)
from in_process_crew import InProcessCrew
from model_collection import Entry, ModelCollection, network_of
from trained_denoisers import TrainedDenoisers
from trained_generators import TrainedGenerators, TrainingPlan
from training_crew import TrainingCrew
from unused_path import unused_path

if TYPE_CHECKING:
    import keras

    from denoising_findings import DenoisingFindings, RestoredImage, Restorer
    from gan.course import TrainedGan
    from gan.progress import Progress
    from own_pictures import PictureReading

GENERATOR_ROOT = Path(__file__).resolve().parent / "gan_collection"
DENOISERS = "denoisers"  # their folder, beside those of generators
LONGEST_LATENT = 4096


@dataclass(frozen=True, eq=False)
class Prediction:
    """A drawn character and what the best network took it for.

    Attributes:
        asked: the character that was asked for.
        stands_for: the class it is part of, where that is another character, else None.
        drawing: what was drawn.
        entry: the entry that read it.
        number: that entry's number in the collection.
        likeliest: all classes, likeliest first.
    """

    asked: str
    stands_for: str | None
    drawing: Drawing
    entry: Entry
    number: int
    likeliest: tuple[Likely, ...]


@dataclass(frozen=True)
class EntryScore:
    """Score of one entry on a set of images.

    Attributes:
        number: the entry's number in the collection.
        score: on all images.
        new_images: on those that took no part in its training or choosing; None without any.
    """

    number: int
    score: Score
    new_images: Score | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of every entry on a set of images, and what the best one confused.

    Attributes:
        name: what was read, for people.
        scores: one an entry, in the collection's order.
        best: number of the collection's best entry.
        confusion: int64 (C, C) of the best entry; row: label, column: prediction.
        confused: its most frequent confusions.
        classes: the C characters.
    """

    name: str
    scores: tuple[EntryScore, ...]
    best: int
    confusion: npt.NDArray[np.int64]
    confused: tuple[ConfusedPair, ...]
    classes: tuple[str, ...]


class TrainerPredictor:
    """One session: an open data set, a collection, and the generators."""

    def __init__(
        self,
        data_set: DataSet,
        *,
        seed: int = 42,
        autosave_root: Path | None = None,
        generator_root: Path | None = None,
        workers: int | None = 1,
        cluster: str | None = None,
    ) -> None:
        """Begin a session with an empty collection.

        Args:
            data_set: what is trained and drawn from.
            seed: 0 or more; the whole session repeats with the same seed.
            autosave_root: where finished entries are kept until saved; None is the user's state
                folder.
            generator_root: where trained generators are kept; None is the folder `gan_collection`
                beside the program.
            workers: how many processes `train` uses at most, 1 or more, which changes no result; 1
                is this one. None uses the cores that there are, where there is enough to train; a
                script then begins with `if __name__ == "__main__":`, since processes import it.
            cluster: HOST:PORT of the head node of a Ray cluster, which `train` then uses in place
                of processes; None for this machine.
        """
        self.data_set = data_set
        self.seed = seed
        self.collection = ModelCollection(data_set.classes)
        self.autosave = Autosave(autosave_root or default_root())
        self.has_unsaved_entries = False
        self.trained_generators = TrainedGenerators(
            data_set, generator_root or GENERATOR_ROOT, seed
        )
        self.trained_denoisers = TrainedDenoisers(
            data_set, (generator_root or GENERATOR_ROOT) / DENOISERS, seed
        )
        self._workers = workers
        self._cluster = cluster
        self._random = np.random.default_rng(seed)
        self._generators: dict[tuple[str, str], ImageGenerator] = {}
        self._networks: dict[str, tuple[Entry, Any]] = {}

    def train(
        self,
        hyperparameter_file: Path,
        training_parameter_file: Path,
        *,
        retrain: bool,
        observer: TrainingObserver,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train the variants of a file; each finished entry is kept on disk at once.

        Args:
            hyperparameter_file: text file with variants.
            training_parameter_file: text file with training parameters.
            retrain: train also what is in the collection already.
            observer: is told how it goes.
            should_stop: asked after each few batches, or several times a second.

        Raises:
            HyperparameterError: a file is wrong, or a teacher is unknown; nothing was trained.
            UserError: some variants could not be trained, and all others were.
            CollectionError: entries could not be kept on disk; all are trained, and in memory.
            cnn_model.TrainingStopped: `should_stop` said so; finished entries stay.
            collection_training.TrainingDefect: some variants met a defect of the program.
        """
        tasks = hyperparameters.read_training_tasks(hyperparameter_file, training_parameter_file)
        not_kept: list[CollectionError] = []

        def keep() -> None:
            try:
                self._keep()
            except CollectionError as error:  # no reason to give up the variants that follow
                not_kept.append(error)

        def make_crew(tasks: Sequence[TrainingTask]) -> TrainingCrew:
            return self._crew(tasks, should_stop)

        collection_training.train(
            self.collection,
            tasks,
            self.data_set,
            seed=self.seed,
            retrain=retrain,
            observer=observer,
            keep=keep,
            should_stop=should_stop,
            make_crew=make_crew,
        )
        if not_kept:
            raise CollectionError(f"{not_kept[-1]}; what was trained is in memory: use Save")

    def _crew(self, tasks: Sequence[TrainingTask], should_stop: Callable[[], bool]) -> TrainingCrew:
        """Who trains tasks."""
        if self._cluster is not None:
            from ray_crew import RayCrew

            return RayCrew(self._cluster)
        from process_crew import ProcessCrew, sensible_workers  # seldom needed by other commands

        wanted = self._workers or sensible_workers(tasks, len(self.data_set.splits.training))
        workers = min(wanted, len(tasks))
        return ProcessCrew(workers) if workers > 1 else InProcessCrew(should_stop)

    def _keep(self) -> None:
        self.has_unsaved_entries = True
        self.autosave.keep(self.collection)

    def predict(self, generator: str, character: str) -> Prediction:
        """Draw a character and read it with the best network.

        Args:
            generator: one of `image_generator.GENERATORS`.
            character: one of the data set's, or a letter that shares a class with its capital.

        Raises:
            UserError: no network, no such generator, or no such character.
        """
        class_index, stands_for = self.data_set.class_of(character)
        best = self._best()
        drawing = self._generator(generator, best).draw(class_index)
        probabilities = self._read(best, drawing.image[np.newaxis])[0]
        return Prediction(
            asked=character,
            stands_for=stands_for,
            drawing=drawing,
            entry=best,
            number=self.collection.entries.index(best),
            likeliest=recognition.ranked(probabilities, self.collection.classes),
        )

    def read_pictures(self, paths: Sequence[Path]) -> list[PictureReading]:
        """Read pictures of one character each with the best network.

        Args:
            paths: picture files; one that cannot be read is told by its reading.

        Raises:
            UserError: there is no network.
        """
        import own_pictures  # with what it needs, which other commands do without

        best = self._best()
        return own_pictures.read_all(
            paths, self.collection.classes, lambda images: self._read(best, images)
        )

    def judge_denoisers(
        self,
        denoisers: Sequence[DenoiserSettings],
        noises: Sequence[Noise],
        *,
        show: Callable[[str], None] = lambda doing: None,
    ) -> DenoisingFindings:
        """Restore test images with denoisers, and read them with the best network if there is one.

        Args:
            denoisers: those that are trained already; others are left out.
            noises: one or more.
            show: told what is being done.

        Raises:
            CollectionError: the folder of denoisers is damaged.
        """
        from denoising_findings import judge  # with what it needs, which other commands do without

        best = self.collection.best()

        def read(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer]:
            assert best is not None
            taken_for: npt.NDArray[np.integer] = self._read(best, images).argmax(axis=1)
            return taken_for

        return judge(
            self.data_set,
            noises,
            self._restorers(denoisers),
            None if best is None else read,
            self.seed,
            show,
        )

    def restore(
        self, denoisers: Sequence[DenoiserSettings], noise: Noise, example: str
    ) -> RestoredImage:
        """Restore one noisy image with denoisers, and read it before and after.

        Args:
            denoisers: those that are trained already; others are left out.
            noise: what a test image is given, or what a picture is said to have.
            example: a character, of which a test image is drawn by lot; or the path of a picture
                that has noise already.

        Raises:
            UserError: there is neither such a character nor such a picture.
        """
        from denoising_findings import restore_one

        label, images = self._example(noise, example)
        best = self.collection.best()
        return restore_one(
            noise,
            images,
            label,
            self.data_set.classes,
            self._restorers(denoisers),
            None if best is None else lambda seen: self._read(best, seen),
        )

    def check_example(self, example: str) -> None:
        """Refuse what `restore` could not restore.

        Raises:
            UserError: there is neither such a character nor such a picture.
        """
        if not os.path.isfile(example):
            self.data_set.class_of(example)

    def _example(
        self, noise: Noise, example: str
    ) -> tuple[int | None, dict[str, npt.NDArray[np.uint8]]]:
        """Class index and images by name, the noisy one last."""
        if os.path.isfile(example):
            from own_pictures import read_picture

            return None, {"the picture": read_picture(Path(example))}
        label, _ = self.data_set.class_of(example)
        rows = self.data_set.indices("test")
        row = self._random.choice(rows[self.data_set.labels[rows] == label])
        clean = self.data_set.images[row]
        noisy = add_noise(
            clean[np.newaxis], noise.kind, np.array([noise.amount], np.float32), self._random
        )
        return label, {"clean": clean, noise.name: noisy[0]}

    def _restorers(self, denoisers: Sequence[DenoiserSettings]) -> dict[str, Restorer]:
        """What restores, by name: number in the file, and type."""
        trained = self.trained_denoisers
        found: dict[str, Restorer] = {}
        for number, settings in enumerate(denoisers):
            denoiser = trained.of(settings)
            if denoiser is not None:
                found[name_of(number, settings)] = partial(trained.restore, denoiser)
        return found

    def report(self, folder: Path, *, show: Callable[[str], None] = lambda doing: None) -> Path:
        """Write a page with pictures on the open data set and the collection.

        Args:
            folder: a new one is made; where something is there already, a number is added.
            show: told what is being done.

        Returns:
            The page.

        Raises:
            UserError: the folder cannot be written.
        """
        from report import write_report  # with what it draws with, which other commands do without

        return write_report(
            self.data_set, self.collection, folder, seed=self.seed, read=self._read, show=show
        )

    def _best(self) -> Entry:
        best = self.collection.best()
        if best is None:
            raise UserError("there is no trained network yet: use Train, or Load a folder, first")
        return best

    def _generator(self, name: str, reader: Entry | None) -> ImageGenerator:
        """The generator of that name; its images are unknown to `reader` where that can be."""
        key = (name, reader.data.fingerprint if reader else "")
        if key not in self._generators:
            trained = {name: self.trained_generators.of(name)} if name != "basic" else {}
            self._generators[key] = make_generator(
                name,
                self.data_set,
                self._random,
                self.collection.keys_of(reader) if reader else np.empty(0, np.uint64),
                trained,
            )
        return self._generators[key]

    def lacks_generator(self, generator: str, character: str) -> bool:
        """Whether a generator has to be trained before it can draw a character.

        Raises:
            UserError: there is no such generator or character, or its folder is damaged.
        """
        class_index, _ = self.data_set.class_of(character)
        if generator not in GENERATORS:
            raise UserError(
                f"there is no generator {generator!r}; there are {', '.join(GENERATORS)}"
            )
        if generator not in TRAINED_GENERATORS:
            return False
        return self.data_set.classes[class_index] not in self.trained_generators.of(generator)

    def plan_generator(self, generator: str, character: str, settings_file: Path) -> TrainingPlan:
        """Say what training a generator would be, without starting it.

        Args:
            generator: one of `image_generator.TRAINED_GENERATORS`.
            character: one of the data set's.
            settings_file: text file with GAN settings.

        Raises:
            UserError: the file is wrong, the generator is none that is trained, or there are too
                few images of the character.
        """
        class_index, _ = self.data_set.class_of(character)
        settings = self._gan_settings(generator, settings_file)
        return self.trained_generators.plan(generator, class_index, settings)

    def train_generator(
        self,
        generator: str,
        character: str,
        settings_file: Path,
        *,
        show: Callable[[Progress], None] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> TrainedGan:
        """Train a generator of a character on the generator split, and keep it.

        Args:
            generator: one of `image_generator.TRAINED_GENERATORS`.
            character: one of the data set's.
            settings_file: text file with GAN settings.
            show: told how it goes.
            should_stop: asked every few steps; what was learnt until then is kept.

        Raises:
            UserError: as `plan_generator`; or it could not be trained or kept.
        """
        class_index, _ = self.data_set.class_of(character)
        settings = self._gan_settings(generator, settings_file)
        try:
            return self.trained_generators.train(
                generator, class_index, settings, show=show, should_stop=should_stop
            )
        finally:  # those that drew until now do not know it, even where it could not be kept
            self._generators = {
                key: drawer for key, drawer in self._generators.items() if key[0] != generator
            }

    def _gan_settings(self, generator: str, settings_file: Path) -> GanSettings:
        if generator not in TRAINED_GENERATORS:
            raise UserError(
                f"there is no generator {generator!r} to train; "
                f"there are {', '.join(TRAINED_GENERATORS)}"
            )
        settings = read_gan_settings(settings_file).get(generator)
        if settings is None:
            raise UserError(f"{settings_file} has no settings for {generator!r}")
        return settings

    def draw_each(self, generator: str, text: str, count: int) -> DrawnCharacters:
        """Draw every character of a text several times.

        Args:
            generator: one of `image_generator.GENERATORS`.
            text: for `DataSet.names_in`; a character that is there twice is drawn once.
            count: drawings of each, 1 or more.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        classes = self._classes_of(text)
        drawer = self._generator(generator, self.collection.best())
        return DrawnCharacters(
            tuple(self.data_set.classes[index] for index in classes),
            tuple(drawer.draw_many(index, count) for index in classes),
            generator,
        )

    def draw_hands(self, generator: str, text: str, count: int) -> DrawnCharacters:
        """Draw every character of a text in several hands, as far as the generator can.

        Trained generators draw the first image of each character from the same latent vector, the
        second from another, and so on.

        Args:
            generator: one of `image_generator.GENERATORS`.
            text: for `DataSet.names_in`; a character that is there twice is drawn once.
            count: hands, 1 or more.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        drawer = self._generator(generator, self.collection.best())
        if not isinstance(drawer, TrainedGenerator):
            return self.draw_each(generator, text, count)
        classes = self._classes_of(text)
        hands = self._random.standard_normal((count, LONGEST_LATENT), dtype=np.float32)
        return DrawnCharacters(
            tuple(self.data_set.classes[index] for index in classes),
            tuple(drawer.draw_from(index, hands) for index in classes),
            generator,
        )

    def draw_line(self, generator: str, text: str) -> list[npt.NDArray[np.uint8] | None]:
        """Draw a line of text, as far as the generator can in one hand.

        Trained generators draw all letters from the same latent vector.

        Args:
            generator: one of `image_generator.GENERATORS`.
            text: characters and spaces; for `DataSet.names_in` where classes have longer names.

        Returns:
            uint8 (28, 28) for each character, None for each space.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        self._classes_of(text)
        drawer = self._generator(generator, self.collection.best())
        hand = self._random.standard_normal((1, LONGEST_LATENT), dtype=np.float32)
        letters: list[npt.NDArray[np.uint8] | None] = []
        for name in text if self.data_set.has_characters else self.data_set.names_in(text):
            if name.isspace():
                letters.append(None)
                continue
            class_index, _ = self.data_set.class_of(name)
            letters.append(
                drawer.draw_from(class_index, hand)[0]
                if isinstance(drawer, TrainedGenerator)
                else drawer.draw(class_index).image
            )
        return letters

    def _classes_of(self, text: str) -> list[int]:
        """Class indices of the characters in a text, each once, in the order they first come."""
        names = self.data_set.names_in(text)
        if not names:
            raise UserError("there is nothing to draw: type characters of the open data set")
        return list(dict.fromkeys(self.data_set.class_of(name)[0] for name in names))

    def _read(self, entry: Entry, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        import cnn_model

        return cnn_model.predict(self._network(entry), images)

    def _network(self, entry: Entry) -> keras.Model:
        kept = self._networks.get(entry.identity)
        if kept is None or kept[0] is not entry:
            kept = entry, network_of(entry, len(self.collection.classes))
            self._networks[entry.identity] = kept
        return kept[1]

    def save(self, folder: Path) -> Path | None:
        """Save the collection.

        Args:
            folder: a new or empty folder, or one with a collection.

        Returns:
            A copy of the collection that was in the folder, where it had entries that are not in
            the one that takes its place (trained on other data or by another seed counts as
            another entry), or could not be read; else None.

        Raises:
            CollectionError: there is nothing to save, or it cannot be saved; what was in the
                folder is unchanged.
        """
        if not self.collection.entries:
            raise CollectionError("there is nothing to save yet: use Train or Load first")
        copy = self._keep_copy(folder)
        save_collection(self.collection, folder)
        self.autosave.collection_saved(folder)
        self.has_unsaved_entries = False
        return copy

    def _keep_copy(self, folder: Path) -> Path | None:
        try:
            replaced = load_collection(folder)
        except CollectionError:
            if not holds_collection(folder):
                return None  # whatever may not be written over, `save_collection` refuses
        else:
            kept = {_trained_as(entry) for entry in self.collection.entries}
            if replaced.classes == self.collection.classes and kept.issuperset(
                _trained_as(entry) for entry in replaced.entries
            ):
                return None
        resolved = folder.resolve()
        copy = unused_path(resolved.with_name(resolved.name + "-before"))
        try:
            shutil.copytree(resolved, copy, symlinks=True)
        except (OSError, shutil.Error) as error:
            shutil.rmtree(copy, ignore_errors=True)
            raise CollectionError(
                f"{folder} holds other entries, and a copy of them cannot be kept in {copy}: "
                f"{error}; nothing was changed"
            ) from error
        return copy

    def load(self, folder: Path) -> None:
        """Load a collection in place of the one in memory.

        Args:
            folder: written by `save`.

        Raises:
            CollectionError: the folder is wrong, or made for other classes; the collection in
                memory is unchanged.
        """
        loaded = load_collection(folder)
        if loaded.classes != self.data_set.classes:
            raise CollectionError(
                f"{folder} tells {len(loaded.classes)} characters apart "
                f"({' '.join(loaded.classes)}), but the open data set has "
                f"{len(self.data_set.classes)} ({' '.join(self.data_set.classes)}); "
                "open a data set with the same ones (see --keep-digits)"
            )
        self.collection = loaded
        self.autosave.collection_loaded(folder)
        self.has_unsaved_entries = self.autosave.folder is not None
        self._networks.clear()
        self._generators.clear()

    def evaluate(
        self, path: Path | None, *, show: Callable[[int, int], None] = lambda done, all_: None
    ) -> Evaluation:
        """Score every entry on labelled images.

        Args:
            path: a data set, all of whose images are used; None is the open one's test split.
            show: told how many entries are done, and of how many.

        Raises:
            UserError: no network, or the data set cannot be used.
        """
        best = self._best()
        name, images, labels = self._images_to_evaluate(path)
        keys = overlap.image_keys(images)
        seen = {
            fingerprint: np.isin(keys, used)
            for fingerprint, used in self.collection.images_used.items()
        }
        scores = []
        matrix = np.empty((0, 0), np.int64)
        for number, entry in enumerate(self.collection.entries):
            show(number, len(self.collection.entries))
            probabilities = self._read(entry, images)
            new = ~seen[entry.data.fingerprint]
            scores.append(
                EntryScore(
                    number,
                    recognition.score(probabilities, labels),
                    recognition.score(probabilities[new], labels[new]) if new.any() else None,
                )
            )
            if entry is best:
                matrix = recognition.confusion_matrix(
                    probabilities.argmax(axis=1), labels, len(self.collection.classes)
                )
        return Evaluation(
            name=name,
            scores=tuple(scores),
            best=self.collection.entries.index(best),
            confusion=matrix,
            confused=recognition.most_confused(matrix),
            classes=self.collection.classes,
        )

    def _images_to_evaluate(
        self, path: Path | None
    ) -> tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        if path is None:
            images, labels = self.data_set.subset("test")
            return f"the test split of {self.data_set.source.name}", images, labels.astype(np.int64)
        has_digits = any(name.isdigit() for name in self.collection.classes)
        labelled = read_labelled_images(path, keep_digits=has_digits)
        if not len(labelled.images):
            raise DataError(f"{path} has no images of the collection's characters")
        classes = np.array([self._class_number(name, path) for name in labelled.classes])
        return f"all images of {path.name}", labelled.images, classes[labelled.labels]

    def _class_number(self, character: str, path: Path) -> int:
        try:
            return self.data_set.class_of(character)[0]
        except DataError as error:
            raise DataError(
                f"{path} has the character {character!r}, which the collection cannot tell apart; "
                f"it knows {' '.join(self.collection.classes)}"
            ) from error


def _trained_as(entry: Entry) -> tuple[str, str, int]:
    """What two entries share that only differ by when they were trained."""
    return entry.identity, entry.data.fingerprint, entry.seed


def write_confusion_matrix(evaluation: Evaluation, folder: Path) -> Path:
    """Draw the confusion matrix of the best entry into a new PNG file in a folder.

    Returns:
        The file's path; nothing that was there is written over.

    Raises:
        UserError: the file cannot be written.
    """
    from evaluation.plots import plot_confusion_matrix  # Matplotlib takes a while to import

    path = unused_path(folder / "confusion-matrix.png")
    score = evaluation.scores[evaluation.best].score
    title = (
        f"Entry {evaluation.best} on {evaluation.name}: "
        f"accuracy {score.accuracy:.2%} of {score.images:,} images"
    )
    try:
        plot_confusion_matrix(evaluation.confusion, evaluation.classes, title, path)
    except OSError as error:
        raise UserError(
            f"the confusion matrix cannot be written to {path}: {error.strerror or error}"
        ) from error
    return path
