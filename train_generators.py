"""Train generators of many characters side by side, and keep each in a folder as it is finished.

    python train_generators.py DATASET.mat --kind keras [--characters ABC] [--folder FOLDER]

Learns from all of the file's train rows of each character, or, with `--reader`, from those that the
best network of a model collection reads as that character: some of EMNIST's classes hold many
images that nobody can tell from another letter. Characters that the folder has already, trained by
the same settings and seed on the same images, are passed over, so a broken-off run goes on where it
stopped. Each worker uses one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import data_parser
from collection_folder import load_collection
from data_parser import LabelledImages
from errors import UserError
from gan.settings import KINDS, GanSettings, read_gan_settings, same_training
from generator_folder import (
    CharacterGenerator,
    ImagesLearnt,
    load_generators,
    save_generator,
)
from model_collection import library_versions, network_of
from trained_generators import images_learnt

ROOT = Path(__file__).resolve().parent


def use_one_core() -> None:
    """Keep a worker to one core; the others have work of their own."""
    import cnn_model  # noqa: F401  (its processor settings come before TensorFlow)

    # isort: split
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one generator is trained on.

    Attributes:
        kind: one of `gan.settings.KINDS`.
        character: what it will draw.
        images: uint8 (N, 28, 28) of that character.
        data: how they are recorded.
        settings: how it is trained.
        seed: of the training.
    """

    kind: str
    character: str
    images: npt.NDArray[np.uint8]
    data: ImagesLearnt
    settings: GanSettings
    seed: int

    def taught(self, generator: CharacterGenerator) -> bool:
        """Whether a generator came of this very lesson."""
        return same_training(generator.settings, self.settings) and (
            generator.seed,
            generator.data,
        ) == (self.seed, self.data)


def teach(lesson: Lesson) -> CharacterGenerator:
    """Train a generator.

    Raises:
        UserError: its weights grew without bound.
    """
    from gan.training import GanDiverged, train_generator

    try:
        trained = train_generator(lesson.kind, lesson.images, lesson.settings, lesson.seed)
    except GanDiverged as error:
        raise UserError(f"{lesson.character!r}: {error}") from error
    return CharacterGenerator(
        character=lesson.character,
        settings=lesson.settings,
        steps=trained.steps,
        seconds=trained.seconds,
        seed=lesson.seed,
        data=lesson.data,
        quality={},
        versions=library_versions(),
        weights=trained.weights,
    )


def readable(reader: Path, data: LabelledImages, certainty: float) -> npt.NDArray[np.bool_]:
    """Say which images the best network of a collection reads as their own class.

    Args:
        reader: folder of a collection that knows the data's classes.
        data: N images.
        certainty: probability that it must give to that class, 0 to 1.

    Returns:
        bool (N,).

    Raises:
        UserError: the collection is damaged, empty, or made for other classes.
    """
    from cnn_model import predict

    collection = load_collection(reader)
    best = collection.best()
    if best is None or collection.classes != data.classes:
        raise UserError(f"{reader} has no network that reads {' '.join(data.classes)}")
    network = network_of(best, len(collection.classes))
    probabilities = predict(network, data.images)
    own = probabilities[np.arange(len(data.labels)), data.labels]
    found: npt.NDArray[np.bool_] = (own >= certainty) & (own == probabilities.max(axis=1))
    return found


def main() -> None:
    """Train what is missing and say what was done."""
    parser = argparse.ArgumentParser(description="Train generators of many characters.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--characters", help="all letters of the file where left out")
    parser.add_argument(
        "--reader",
        type=Path,
        help="leave out images that the best network of this collection misreads",
    )
    parser.add_argument(
        "--certainty",
        type=float,
        default=0.0,
        help="leave out those that it reads rightly, but with a lower probability",
    )
    parser.add_argument("--settings", type=Path, default=ROOT / "gan_hyperparameters.txt")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    if options.workers < 1 or options.seed < 0 or not 0 <= options.certainty <= 1:
        parser.error("--workers is 1 or more, --seed 0 or more, --certainty from 0 to 1")
    folder = options.folder or ROOT / "gan_collection" / options.kind
    try:
        _collect(options, folder)
    except UserError as error:
        sys.exit(str(error))


def _collect(options: argparse.Namespace, folder: Path) -> None:
    kept = load_generators(folder, options.kind)
    lessons = []
    for lesson in _lessons(options):
        there = kept.get(lesson.character)
        if there is None or not lesson.taught(there):
            lessons.append(lesson)
        elif there.settings != lesson.settings:  # only how it draws
            drawing = dataclasses.replace(there, settings=lesson.settings)
            save_generator(folder, options.kind, drawing)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, context, use_one_core) as workers:
        for finished in as_completed([workers.submit(teach, lesson) for lesson in lessons]):
            try:
                generator = finished.result()
            except UserError as error:
                print(error, flush=True)
                continue
            save_generator(folder, options.kind, generator)
            print(f"{generator.character} {generator.seconds:.0f} s", flush=True)


def _lessons(options: argparse.Namespace) -> Iterator[Lesson]:
    settings = read_gan_settings(options.settings).get(options.kind)
    if settings is None:
        raise UserError(f"{options.settings} has no settings for {options.kind!r}")
    data = data_parser.read_labelled_images(options.dataset, keep_digits=False)
    chosen, selection = ~data.in_test, "all train rows"
    if options.reader:
        chosen &= readable(options.reader, data, options.certainty)
        selection = "the train rows that a reader takes for their own character"
        if options.certainty:
            selection += f", with a probability of {options.certainty:g} or more"
    for character in options.characters or data.classes:
        if character not in data.classes:
            raise UserError(f"{options.dataset} has no character {character!r}")
        images = data.images[chosen & (data.labels == data.classes.index(character))]
        if not len(images):
            raise UserError(f"{options.dataset} has no image of {character!r} to learn from")
        learnt = images_learnt(images, options.dataset.name, selection)
        yield Lesson(options.kind, character, images, learnt, settings, options.seed)


if __name__ == "__main__":
    main()
