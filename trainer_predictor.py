"""What each menu command does, without a terminal: the product's programming interface.

session = TrainerPredictor(data_parser.open_data_set("letters.mat"))
session.load(Path("model"))
print(session.predict("basic", "A").likeliest)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import collection_evaluation
import collection_training
from collection_evaluation import Evaluation
from collection_reading import CollectionReader, best_entry
from collection_training import TrainingObserver
from crews.cluster_address import check_that_something_answers
from crews.crew_choice import choose_crew
from data_formats.problems import one_line
from data_parser import DataSet
from denoisers.session_denoisers import ReadImages, SessionDenoisers
from denoisers.trained_denoisers import TrainedDenoisers
from denoising.noise import Noise
from denoising.settings import DenoiserSettings
from entries.entry import Entry
from errors import CollectionError, UserError
from evaluation import overlap, recognition
from generators.generated_files import DrawnCharacters
from generators.session_generators import SessionGenerators
from generators.trained_generators import TrainedGenerators, TrainingPlan
from model_collection import ModelCollection
from prediction import Prediction, RestoredPrediction
from settings import hyperparameters
from storage.autosave import Autosave, default_root
from storage.collection_folder import load_collection
from storage.replaced_collection import save_in_its_place

if TYPE_CHECKING:
    from denoisers.denoising_findings import DenoisingFindings, RestoredImage
    from gan.course import TrainedGan
    from gan.progress import Progress
    from generators.ray_generators import GeneratorObserver
    from own_pictures import PictureReading

GENERATOR_ROOT = Path(__file__).resolve().parent / "gan_collection"
DENOISERS = "denoisers"  # their folder, beside those of generators


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
                of processes, and `train_generators_on_cluster`; None for this machine.
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
        self.cluster = cluster
        random = np.random.default_rng(seed)
        self._generators = SessionGenerators(data_set, self.trained_generators, random)
        self._denoisers = SessionDenoisers(data_set, self.trained_denoisers, random, seed)
        self._reader = CollectionReader()

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
            crews.ending.TrainingDefect: some variants met a defect of the program.
        """
        tasks = hyperparameters.read_training_tasks(hyperparameter_file, training_parameter_file)
        not_kept: list[CollectionError] = []

        def keep() -> None:
            try:
                self._keep()
            except CollectionError as error:  # no reason to give up the variants that follow
                if not not_kept:
                    observer.not_kept(str(error))
                not_kept.append(error)

        collection_training.train(
            self.collection,
            tasks,
            self.data_set,
            seed=self.seed,
            retrain=retrain,
            observer=observer,
            keep=keep,
            should_stop=should_stop,
            make_crew=partial(
                choose_crew,
                training_images=len(self.data_set.splits.training),
                workers=self._workers,
                cluster=self.cluster,
                should_stop=should_stop,
            ),
        )
        if not_kept:
            raise CollectionError(f"{not_kept[-1]}; what was trained is in memory: use Save")

    def _keep(self) -> None:
        self.has_unsaved_entries = True
        self.autosave.keep(self.collection)

    def check_cluster(self) -> None:
        """Find out in a few seconds whether anything answers where the session's cluster should be.

        Raises:
            UserError: nothing does.
        """
        if self.cluster is not None:
            check_that_something_answers(self.cluster)

    def copies_of_training_images(self) -> dict[str, int]:
        """Count images of other splits that are also among the training images.

        Returns:
            The counts of "validation" and "test".
        """
        images = self.data_set.images
        known = overlap.image_keys(images[self.data_set.indices("training")])
        return {
            name: int(overlap.were_seen(images[self.data_set.indices(name)], known).sum())
            for name in ("validation", "test")
        }

    def predict(self, generator: str, character: str) -> Prediction:
        """Draw a character and read it with the best network.

        Args:
            generator: one of `image_generator.GENERATORS`.
            character: one of the data set's, or a letter that shares a class with its capital.

        Returns:
            The drawing, and what the network took it for.

        Raises:
            UserError: no network, no such generator, or no such character.
        """
        class_index, stands_for = self.data_set.class_of(character)
        best = best_entry(self.collection)
        drawing = self._generators.draw(generator, class_index, self.collection)
        probabilities = self._read(best, drawing.image[np.newaxis])[0]
        return Prediction(
            asked=character,
            stands_for=stands_for,
            drawing=drawing,
            entry=best,
            number=self.collection.entries.index(best),
            likeliest=recognition.ranked(probabilities, self.collection.classes),
        )

    def read_pictures(
        self, paths: Sequence[Path], *, show: Callable[[int], None] = lambda done: None
    ) -> list[PictureReading]:
        """Read pictures of one character each with the best network.

        Args:
            paths: picture files; one that cannot be read is told by its reading.
            show: told before each picture how many are done.

        Returns:
            A reading for each path, in their order.

        Raises:
            UserError: there is no network.
        """
        import own_pictures  # with what it needs, which other commands do without

        best = best_entry(self.collection)
        return own_pictures.read_all(
            paths,
            self.collection.classes,
            partial(self._read, best),
            self.collection.keys_of(best),
            show,
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

        Returns:
            How near restored images are to clean ones, and how well they are read.

        Raises:
            CollectionError: the folder of denoisers is damaged.
        """
        return self._denoisers.judge(denoisers, noises, self._best_reader(), show)

    def restore(
        self, denoisers: Sequence[DenoiserSettings], noise: Noise, example: str | Path
    ) -> RestoredImage:
        """Restore one noisy image with denoisers, and read it before and after.

        Args:
            denoisers: those that are trained already; others are left out, and so are those that
                are told the class where nothing tells it: of a picture without a network.
            noise: what a test image is given, or what a picture is said to have.
            example: a character, of which a test image is drawn by lot; or the path of a picture
                that has noise already.

        Returns:
            The image before and after, and what it is read as.

        Raises:
            UserError: there is no such character, no test image of it, or no such picture.
        """
        return self._denoisers.restore(denoisers, noise, example, self._best_reader())

    def check_example(self, example: str | Path) -> None:
        """Refuse what `restore` could not restore.

        Args:
            example: as of `restore`.

        Raises:
            UserError: there is no such character, no test image of it, or no such picture.
        """
        self._denoisers.check_example(example)

    @property
    def has_restored_image(self) -> bool:
        """Whether `restore` has restored the image that it was last given."""
        return self._denoisers.has_restored

    def read_restored(self) -> RestoredPrediction:
        """Read what `restore` last made of an image with the best network.

        Returns:
            A reading for each denoiser that restored it.

        Raises:
            UserError: nothing was restored, or there is no network.
        """
        return self._denoisers.read_restored(
            lambda images: self._read(best_entry(self.collection), images)
        )

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
        from reports.report import (
            write_report,  # with what it draws with, which other commands do without
        )

        return write_report(
            self.data_set, self.collection, folder, seed=self.seed, read=self._read, show=show
        )

    def _best_reader(self) -> ReadImages | None:
        """How the best network reads images; None where there is no network."""
        best = self.collection.best()
        return None if best is None else partial(self._read, best)

    def lacks_generator(self, generator: str, character: str) -> bool:
        """Whether a generator has to be trained before it can draw a character.

        Args:
            generator: one of `image_generator.GENERATORS`.
            character: one of the data set's.

        Returns:
            Whether it has; never for `basic`.

        Raises:
            UserError: there is no such generator or character, or its folder is damaged.
        """
        return self._generators.lacks(generator, character)

    def plan_generator(self, generator: str, character: str, settings_file: Path) -> TrainingPlan:
        """Say what training a generator would be, without starting it.

        Args:
            generator: one of `image_generator.TRAINED_GENERATORS`.
            character: one of the data set's.
            settings_file: text file with GAN settings.

        Returns:
            Characters, images, steps and time.

        Raises:
            UserError: the file is wrong, the generator is none that is trained, or there are too
                few images of the character.
        """
        return self._generators.plan(generator, character, settings_file)

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

        Returns:
            Weights, losses, and what was drawn over time.

        Raises:
            UserError: as `plan_generator`; or it could not be trained or kept.
        """
        return self._generators.train(generator, character, settings_file, show, should_stop)

    def train_generators_on_cluster(
        self,
        generator: str,
        characters: Sequence[str],
        settings_file: Path,
        *,
        observer: GeneratorObserver,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train generators of a character each on the session's Ray cluster, and keep them.

        The same seed gives the same generators as `train_generator`.

        Args:
            generator: one of `gan.settings.CHARACTER_KINDS`.
            characters: of the data set's.
            settings_file: text file with GAN settings.
            observer: is told how it goes.
            should_stop: asked several times a second; what is finished then is kept.

        Raises:
            UserError: as `plan_generator`; or there is no cluster, or it cannot be used; or some
                could not be trained or kept, and all others were.
            crews.ending.TrainingDefect: some met a defect of the program.
        """
        if self.cluster is None:
            raise UserError("the session has no cluster to train generators on")
        self._generators.train_on_cluster(
            self.cluster, generator, characters, settings_file, observer, should_stop
        )

    def draw_each(self, generator: str, text: str, count: int) -> DrawnCharacters:
        """Draw every character of a text several times.

        Args:
            generator: one of `image_generator.GENERATORS`.
            text: for `DataSet.names_in`; a character that is there twice is drawn once.
            count: drawings of each, 1 or more.

        Returns:
            The drawings of each character, with its class.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        return self._generators.draw_each(generator, text, count, self.collection)

    def draw_hands(self, generator: str, text: str, count: int) -> DrawnCharacters:
        """Draw every character of a text in several hands, as far as the generator can.

        Trained generators draw the first image of each character from the same latent vector, the
        second from another, and so on.

        Args:
            generator: one of `image_generator.GENERATORS`.
            text: for `DataSet.names_in`; a character that is there twice is drawn once.
            count: hands, 1 or more.

        Returns:
            The drawings of each character, with its class.

        Raises:
            UserError: there is no such generator or character, or nothing to draw it from.
        """
        return self._generators.draw_hands(generator, text, count, self.collection)

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
        return self._generators.draw_line(generator, text, self.collection)

    def _read(self, entry: Entry, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._reader.read(self.collection, entry, images)

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
        copy = save_in_its_place(self.collection, folder)
        self.autosave.collection_saved(folder)
        self.has_unsaved_entries = False
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
                f"({one_line(' '.join(loaded.classes))}), but the open data set has "
                f"{len(self.data_set.classes)} ({one_line(' '.join(self.data_set.classes))}); "
                "open a data set with the same ones (see --keep-digits)"
            )
        self.collection = loaded
        self.autosave.collection_loaded(folder)
        self.has_unsaved_entries = self.autosave.folder is not None
        self._reader.forget()
        self._generators.forget()

    def evaluate(
        self, path: Path | None, *, show: Callable[[int, int], None] = lambda done, all_: None
    ) -> Evaluation:
        """Score every entry on labelled images.

        Args:
            path: a data set, all of whose images are used; None is the open one's test split.
            show: told how many entries are done, and of how many.

        Returns:
            The score of each entry, and what the best one confuses.

        Raises:
            UserError: no network, or the data set cannot be used.
        """
        best = best_entry(self.collection)
        return collection_evaluation.evaluate(
            self.data_set, self.collection, best, path, self._read, show
        )
