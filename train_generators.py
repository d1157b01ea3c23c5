"""Train generators of many characters, and keep each in a folder as it is finished.

    python train_generators.py DATASET.mat --kind keras [--characters ABC] [--folder FOLDER]

Learns from all of the file's train rows of each character, or, with `--reader`, from those that the
best network of a model collection reads as that character: some of EMNIST's classes hold many
images that nobody can tell from another letter. Characters that the folder has already, trained by
the same settings and seed on the same images, are passed over, so a broken-off run goes on where it
stopped. Each worker uses one core. Other programs may train into the same folder.

`--kind conditional` trains one generator of all characters on all cores, and keeps a checkpoint
beside its folder from which a broken-off run goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import data_parser
from command_line import Parser, a_seed, ctrl_c_leaves, run, say, whole_number_from
from counting import counted
from data_formats.problems import one_line, shown
from data_parser import LabelledImages
from entries.origin import library_versions
from entries.reading import network_of
from errors import CollectionError, UserError
from gan.settings import CHARACTER_KINDS, KINDS, GanSettings, read_gan_settings, same_training
from generators.trained_generators import images_learnt, named
from storage.collection_folder import load_collection
from storage.generator_folder import (
    FORMAT,
    CharacterGenerator,
    Generators,
    ImagesLearnt,
    change_generators,
    load_generators,
    save_generator,
)
from storage.network_folder import why_not_kept

if TYPE_CHECKING:
    from gan.progress import Progress

ROOT = Path(__file__).resolve().parent
SUFFIX = ".weights.h5"  # of a checkpoint
SECONDS_A_LINE = 60
PATIENCE = 5  # seconds, until it is said that another program is waited for


def use_one_core() -> None:
    """Keep a worker to one core; the others have work of their own. Ctrl-C ends it silently."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cnn_model  # noqa: F401  (its processor settings come before TensorFlow)

    # isort: split
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with_parent() -> None:
    """Whoever is left behind would learn on for nobody, or wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@dataclass(frozen=True, eq=False)
class GeneratorTask:
    """What one generator is trained on.

    Attributes:
        kind: one of `gan.settings.KINDS`.
        characters: what it will draw.
        images: uint8 (N, 28, 28) of those.
        labels: integers (N,), which of the characters.
        data: how they are recorded.
        settings: how it is trained.
        seed: of the training.
    """

    kind: str
    characters: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    data: ImagesLearnt
    settings: GanSettings
    seed: int

    def taught(self, generator: CharacterGenerator) -> bool:
        """Whether a generator came of this very task.

        Args:
            generator: that draws the same characters.

        Returns:
            Whether it did.
        """
        return same_training(generator.settings, self.settings) and (
            generator.seed,
            generator.data,
        ) == (self.seed, self.data)

    def identity(self) -> str:
        """What tells the task from others.

        Returns:
            16 hexadecimal digits that another task has otherwise.
        """
        training = dataclasses.replace(self.settings, latent_scale=1.0)
        told = repr((self.kind, self.characters, self.data, training, self.seed))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def teach(task: GeneratorTask, checkpoint: Path | None = None) -> CharacterGenerator:
    """Train a generator.

    Args:
        task: on what, and how.
        checkpoint: of a generator of many characters; see `gan.training`.

    Returns:
        The generator.

    Raises:
        UserError: its weights grew without bound, or the checkpoint is damaged.
    """
    from gan.course import CheckpointError
    from gan.training import GanDiverged, train_conditional_generator, train_generator

    try:
        if task.kind in CHARACTER_KINDS:
            trained = train_generator(task.kind, task.images, task.settings, task.seed)
        else:
            trained = train_conditional_generator(
                task.images,
                task.labels,
                task.settings,
                task.seed,
                show=_Log().show,
                checkpoint=checkpoint,
            )
    except (GanDiverged, CheckpointError) as error:
        raise UserError(f"{named(task.characters)}: {error}") from error
    return CharacterGenerator(
        characters=task.characters,
        settings=task.settings,
        steps=trained.steps,
        seconds=trained.seconds,
        seed=task.seed,
        data=task.data,
        quality={},
        versions=library_versions(),
        weights=trained.weights,
    )


class _Log:
    """A line every minute."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Say where a training stands."""
        if time.monotonic() - self._said > SECONDS_A_LINE:
            self._said = time.monotonic()
            minutes = progress.seconds_left / 60
            what = type(progress).__name__.removesuffix("Progress")
            say(f"{what} {progress.step:,}/{progress.steps:,}, {minutes:.0f} min")


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
        raise UserError(f"{shown(reader)} has no network that reads {' '.join(data.classes)}")
    network = network_of(best, len(collection.classes))
    probabilities = predict(network, data.images)
    own = probabilities[np.arange(len(data.labels)), data.labels]
    found: npt.NDArray[np.bool_] = (own >= certainty) & (own == probabilities.max(axis=1))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and say what was done.

    Args:
        argv: the arguments after the program's name; None for those of the process.

    Returns:
        The exit code: 0, or that of `command_line.run` after an error or Ctrl-C.
    """
    return run(_parser(), argv, _collect)


def _parser() -> Parser:
    parser = Parser(prog="train_generators.py", description="Train generators of many characters.")
    parser.add_argument("dataset", type=Path, metavar="DATASET.mat", help="file to learn from")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--characters", help="all letters of the file where left out")
    parser.add_argument(
        "--reader",
        type=Path,
        metavar="FOLDER",
        help="leave out images that the best network of this collection misreads",
    )
    parser.add_argument(
        "--certainty",
        type=float,
        default=0.0,
        metavar="P",
        help="leave out those that it reads rightly, but with a lower probability",
    )
    parser.add_argument(
        "--settings", type=Path, default=ROOT / "gan_hyperparameters.txt", metavar="FILE"
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument(
        "--workers", type=whole_number_from(1), default=os.cpu_count() or 1, metavar="N"
    )
    parser.add_argument("--keep-digits", action="store_true", help="digits as well")
    parser.add_argument("--seed", type=a_seed, default=42, metavar="N", help="default: 42")
    return parser


def _check(options: argparse.Namespace) -> None:
    if not 0 <= options.certainty <= 1:
        raise UserError(f"--certainty is {options.certainty}, not a number from 0 to 1")
    if options.characters == "":
        raise UserError("--characters names none; leave it out for all")


def _collect(options: argparse.Namespace) -> None:
    _check(options)
    folder = (options.folder or ROOT / "gan_collection" / options.kind).resolve()
    with ctrl_c_leaves(
        f"what was finished is in {shown(folder)}: the same command goes on from there"
    ):
        tasks = _missing_tasks(options, folder)
        if options.kind in CHARACTER_KINDS:
            _train_side_by_side(tasks, folder, options.workers)
        else:
            for task in tasks:
                _train_resumably(task, folder)


def _missing_tasks(options: argparse.Namespace, folder: Path) -> list[GeneratorTask]:
    """What no generator of the folder was taught yet; others are told how to draw by now."""
    kept = load_generators(folder, options.kind)
    if (reason := why_not_kept(folder, FORMAT)) is not None:
        raise CollectionError(reason)
    tasks = []
    for task in _tasks(options):
        there = kept.get(task.characters)
        if there is None or not task.taught(there):
            tasks.append(task)
        elif there.settings != task.settings:  # only how it draws
            change = _drawing_otherwise(task)
            change_generators(folder, options.kind, change, _say_who_is_waited_for(folder))
    return tasks


def _train_resumably(task: GeneratorTask, folder: Path) -> None:
    """Train one generator, with a checkpoint beside the folder from which it goes on."""
    checkpoint = folder.with_name(f"{folder.name}-{task.identity()}{SUFFIX}")
    try:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        _keep(folder, task.kind, teach(task, checkpoint))
        checkpoint.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{shown(checkpoint)} cannot be written: {error.strerror or error}"
        ) from error


def _train_side_by_side(tasks: Sequence[GeneratorTask], folder: Path, count: int) -> None:
    """Train many generators, each on one core of its own; what fails stops no other."""
    failed = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, use_one_core) as workers:
        trainings = {workers.submit(teach, task): task for task in tasks}
        for finished in as_completed(trainings):
            try:
                generator = finished.result()
            except UserError as error:
                say(str(error))
                failed.append(trainings[finished])
                continue
            except BrokenProcessPool as error:
                raise UserError(
                    "a process that trained was ended from outside, perhaps for want of memory; "
                    f"what was finished is in {shown(folder)}: the same command goes on from there "
                    "with fewer --workers in less memory"
                ) from error
            try:
                _keep(folder, trainings[finished].kind, generator)
            except UserError:  # what else is trained could not be kept either
                workers.shutdown(wait=False, cancel_futures=True)
                raise
    if failed:
        raise UserError(_not_trained([one for one in tasks if one in failed], len(tasks)))


def _not_trained(failed: Sequence[GeneratorTask], count: int) -> str:
    characters = one_line(", ".join(named(task.characters) for task in failed))
    return (
        f"not trained: {characters} ({len(failed)} of {counted(count, 'generator')}); "
        "give these as --characters, with another --seed or other --settings"
    )


def _drawing_otherwise(task: GeneratorTask) -> Callable[[Generators], Generators]:
    """Gives a generator the task's settings, where no other program trained another meanwhile."""

    def change(kept: Generators) -> Generators:
        there = kept.get(task.characters)
        if there is None or not task.taught(there):
            return kept
        return kept | {task.characters: dataclasses.replace(there, settings=task.settings)}

    return change


def _say_who_is_waited_for(folder: Path) -> Callable[[float], None]:
    """Says once that another program is waited for: as long as it takes, or hours were in vain."""
    said = False

    def while_waiting(waited: float) -> None:
        nonlocal said
        if not said and waited > PATIENCE:
            said = True
            say(f"waiting for another program, which is writing to {shown(folder)}")

    return while_waiting


def _keep(folder: Path, kind: str, generator: CharacterGenerator) -> None:
    save_generator(folder, kind, generator, _say_who_is_waited_for(folder))
    say(f"{named(generator.characters)} {generator.seconds:.0f} s")


def _tasks(options: argparse.Namespace) -> Iterator[GeneratorTask]:
    settings = read_gan_settings(options.settings).get(options.kind)
    if settings is None:
        raise UserError(f"{shown(options.settings)} has no settings for {options.kind!r}")
    data = data_parser.read_labelled_images(options.dataset, keep_digits=options.keep_digits)
    chosen, selection = ~data.in_test, "all train rows"
    if options.reader:
        chosen &= readable(options.reader, data, options.certainty)
        selection = "the train rows that a reader takes for their own character"
        if options.certainty:
            selection += f", with a probability of {options.certainty:g} or more"
    for characters in _taught_together(options, data):
        classes = [data.classes.index(character) for character in characters]
        rows = np.flatnonzero(chosen & np.isin(data.labels, classes))
        for character, label in zip(characters, classes, strict=True):
            if not (data.labels[rows] == label).any():
                raise UserError(
                    f"{shown(options.dataset)} has no image of {character!r} to learn from"
                )
        yield GeneratorTask(
            options.kind,
            characters,
            data.images[rows],
            np.searchsorted(classes, data.labels[rows]).astype(np.int32),
            images_learnt(data.images[rows], options.dataset.name, selection),
            settings,
            options.seed,
        )


def _taught_together(
    options: argparse.Namespace, data: LabelledImages
) -> Iterator[tuple[str, ...]]:
    """Characters of each generator, in the order of the file's classes."""
    for character in options.characters or "":
        if character not in data.classes:
            raise UserError(f"{shown(options.dataset)} has no character {character!r}")
    asked = tuple(one for one in data.classes if one in (options.characters or data.classes))
    if options.kind not in CHARACTER_KINDS:
        yield asked
    else:
        yield from ((character,) for character in asked)


if __name__ == "__main__":
    sys.exit(main())
