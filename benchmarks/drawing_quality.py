"""How good drawn characters are, by generator and character, beside real ones.

    python benchmarks/drawing_quality.py DATASET.mat
        [--generators basic keras keras_adversarial] [--gan-collection-path FOLDER]
        [--images 10000] [--seed 0] [--json FILE] [--plots FOLDER] [--fresh-network]
        [--keep-with-generators]

The characters are all classes of the file but digits, in the same number each, all read together
by the judge (`evaluation.judge`). The reference is the file's own test rows; generators that
`train_generators.py` trained have learnt from the train rows alone.

The row `floor` is made of real images of the training split, in the same number as the drawn ones:
what a perfect generator would reach, also where that is no round figure. Floor and `basic` come
from the train rows, which the judge has learnt from, so their recognition is a little too high;
that of the reference stands below the table and in the JSON file. A split that has too few images
of a character gives some of them more than once, and the table says how many; these make KID a
little too large and coverage too small.

With --fresh-network a fresh network (variant 2 of the shipped hyperparameters) is trained on each
row's images alone, and reads the reference: more is better, and `floor` is what as many real images
teach. That takes minutes a row. With --keep-with-generators what was measured of each character is
written into the folder of its generator.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Thousands of small products: threads that wait for each other cost up to 70 times as much on a
# busy machine. TensorFlow has threads of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import data_parser  # noqa: E402
from benchmarks.recording import record  # noqa: E402
from command_line import Parser, a_seed, run, say, whole_number_from  # noqa: E402
from data_formats.problems import one_line  # noqa: E402
from data_parser import DataSet  # noqa: E402
from errors import DataError  # noqa: E402
from evaluation import drawing_quality, judge, plots  # noqa: E402
from evaluation.drawing_quality import Measured, Quality  # noqa: E402
from gan.settings import CHARACTER_KINDS, KINDS  # noqa: E402
from image_arrays import Images  # noqa: E402
from image_generator import GENERATORS, make_generator  # noqa: E402
from storage.generator_folder import drawers_of, load_generators, save_generator  # noqa: E402

FOLDER = ROOT / "gan_collection"
FRESH_VARIANT = 2
FRESH_EPOCHS, FRESH_BATCH = 10, 32
SHEET_COLUMNS = 16
OVERVIEW_LINES = 3
KEPT = ("images", "recognition", "recognition_all", "density", "coverage")  # with a generator
REFERENCE_LEAST = drawing_quality.NEIGHBOURS + 1


@dataclass(frozen=True, eq=False)
class Drawn:
    """Images of all classes of a data set, the same number of each, in the order of the classes.

    Attributes:
        images: uint8 (classes * count, 28, 28).
        repeated: how many of them are there a second time or more often.
    """

    images: Images
    repeated: int


@dataclass(frozen=True)
class Row:
    """What was measured of one source of images.

    Attributes:
        measured: quality overall and of each class.
        repeated: images that were there more than once.
        fresh_accuracy: of a network trained on these images, on the reference; None: not trained.
    """

    measured: Measured
    repeated: int
    fresh_accuracy: float | None


def _drawn(name: str, data_set: DataSet, count: int, seed: int, folder: Path) -> Drawn:
    """Have `count` images of each class drawn: the one place that knows how that is done."""
    random = np.random.default_rng(seed)
    if name == "floor":
        return real_images(data_set, "training", count, random)
    if name == "basic":
        return real_images(data_set, "generator", count, random)
    trained = {name: drawers_of(load_generators(folder / name, name), data_set.classes)}
    generator = make_generator(name, data_set, random, np.empty(0, np.uint64), trained)
    drawn = [generator.draw_many(label, count) for label in range(len(data_set.classes))]
    return Drawn(np.concatenate(drawn), 0)


def real_images(data_set: DataSet, split: str, count: int, random: np.random.Generator) -> Drawn:
    """Pick real images of a split; none comes again before all of its class have come.

    Args:
        data_set: where they come from.
        split: one of `data_parser.SPLIT_NAMES`.
        count: images of each class, 1 or more.
        random: source of the choice.

    Returns:
        The images, and how many are repeated.

    Raises:
        DataError: the split has no image of a class.
    """
    rows = data_set.indices(split)
    labels = data_set.labels[rows]
    chosen, repeated = [], 0
    for label, character in enumerate(data_set.classes):
        of_class = rows[labels == label]
        if not len(of_class):
            raise DataError(f"the {split} split has no image of {character!r}")
        whole, rest = divmod(count, len(of_class))
        chosen += [of_class] * whole + [random.choice(of_class, rest, replace=False)]
        repeated += max(0, count - len(of_class))
    return Drawn(data_set.images[np.concatenate(chosen)], repeated)


def judge_columns(data_set: DataSet) -> npt.NDArray[np.int64]:
    """The judge's column of each class of a data set.

    Raises:
        DataError: a class is not one of the judge's, or has too few images in the test split.
    """
    strange = [character for character in data_set.classes if character not in judge.CLASSES]
    if strange:
        raise DataError(f"the judge {judge.NAME} does not know {one_line(' '.join(strange))}")
    counts = np.bincount(data_set.labels[data_set.indices("test")], minlength=len(data_set.classes))
    if counts.min() < REFERENCE_LEAST:
        few = data_set.classes[int(counts.argmin())]
        raise DataError(
            f"the test split has {counts.min()} images of {few!r}; {REFERENCE_LEAST} are needed"
        )
    return np.array([judge.CLASSES.index(character) for character in data_set.classes])


def fresh_network_accuracy(
    images: Images, labels: npt.NDArray[np.integer], data_set: DataSet
) -> float:
    """Train a fresh network on images alone and read the test split with it.

    Args:
        images: uint8 (N, 28, 28).
        labels: integers (N,), class indices of `data_set`.
        data_set: whose test split is read.

    Returns:
        Share of the test split that is read rightly, 0 to 1.
    """
    import keras

    import cnn_model
    from settings.hyperparameters import read_model_hyperparameters
    from settings.training_parameters import TrainingParameters

    layers = read_model_hyperparameters(ROOT / "model_hyperparameters.txt")[FRESH_VARIANT]
    keras.utils.set_random_seed(0)
    network = cnn_model.build_network(layers, len(data_set.classes))
    # One validation image, which changes nothing: there is nothing to choose.
    rows = cnn_model.TrainingImages(images, labels, np.arange(len(images)), np.arange(1))
    cnn_model.fit_network(network, rows, TrainingParameters("adam", FRESH_BATCH, FRESH_EPOCHS), 0)
    test_images, test_labels = data_set.subset("test")
    return float((cnn_model.predict(network, test_images).argmax(axis=1) == test_labels).mean())


class Comparison:
    """Measures sources of images against the reference, the test split of a data set."""

    def __init__(self, data_set: DataSet, reader: judge.Judge, options: argparse.Namespace) -> None:
        """Have the judge look at the reference."""
        self._data_set = data_set
        self._judge = reader
        self._options = options
        self._columns = judge_columns(data_set)
        test_images, test_labels = data_set.subset("test")
        self._real = reader.look_at(test_images)
        self._real_labels = self._columns[test_labels]

    def reference(self) -> dict[str, float]:
        """How many real test images there are, and how the judge reads them."""
        columns = self._columns.tolist()
        seen, labels = self._real.probabilities, self._real_labels
        return {
            "images": len(labels),
            "recognition": drawing_quality.recognition_rate(seen, labels, columns),
            "recognition_all": drawing_quality.recognition_rate(seen, labels),
        }

    def row(self, name: str, drawn: Drawn) -> Row:
        """Measure images, and make a sheet of them if that was asked for."""
        count = len(drawn.images) // len(self._columns)
        labels = np.repeat(np.arange(len(self._columns)), count)
        measured = drawing_quality.measure(
            self._real,
            self._real_labels,
            self._judge.look_at(drawn.images),
            self._columns[labels],
            self._columns.tolist(),
            seed=self._options.seed,
        )
        if self._options.plots:
            self._plot_sheet(name, drawn.images)
        accuracy = None
        if self._options.fresh_network:
            accuracy = fresh_network_accuracy(drawn.images, labels, self._data_set)
        return Row(measured, drawn.repeated, accuracy)

    def _plot_sheet(self, name: str, images: Images) -> None:
        by_class = images.reshape(len(self._columns), -1, 28, 28)
        plots.plot_image_sheet(
            [pictures[:SHEET_COLUMNS] for pictures in by_class],
            self._data_set.classes,
            f"{name}: the first of {by_class.shape[1]:,} images of each character",
            self._options.plots / f"{name}.png",
        )


def overall_table(rows: dict[str, Row]) -> Iterator[str]:
    """The lines of a Markdown table with a line for each source of images."""
    yield (
        "| images of | number | repeated | FID | KID × 1000 | density | coverage | recognised "
        "| among all classes | fresh network |"
    )
    yield "|---|" + "--:|" * 9
    for name, row in rows.items():
        of = row.measured.overall
        fresh = "" if row.fresh_accuracy is None else f"{row.fresh_accuracy:.2%}"
        cells = [f"{of.images:,}", f"{row.repeated:,}", f"{of.fid:.2f}", f"{of.kid * 1000:.2f}"]
        cells += [f"{of.density:.3f}", f"{of.coverage:.3f}"]
        cells += [f"{of.recognition:.2%}", f"{of.recognition_all:.2%}", fresh]
        yield f"| {name} | {' | '.join(cells)} |"


def class_table(rows: dict[str, Row], classes: Sequence[str]) -> Iterator[str]:
    """The lines of a Markdown table with recognition / coverage / KID × 1000 of each class."""
    yield "| character | " + " | ".join(rows) + " |"
    yield "|---|" + "--:|" * len(rows)
    for number, character in enumerate(classes):
        cells = [_short(row.measured.classes[number]) for row in rows.values()]
        yield f"| {character} | {' | '.join(cells)} |"


def _short(of: Quality) -> str:
    return f"{of.recognition:.1%} / {of.coverage:.2f} / {of.kid * 1000:.1f}"


def as_json(rows: dict[str, Row], classes: Sequence[str]) -> dict[str, Any]:
    """All figures by source of images; those of a class by its character."""
    return {
        name: {
            "overall": dataclasses.asdict(row.measured.overall),
            "repeated": row.repeated,
            "fresh_network_accuracy": row.fresh_accuracy,
            "classes": {
                character: dataclasses.asdict(quality)
                for character, quality in zip(classes, row.measured.classes, strict=True)
            },
        }
        for name, row in rows.items()
    }


def keep_with_generators(rows: dict[str, Row], classes: Sequence[str], folder: Path) -> None:
    """Write what was measured of each trained generator into its folder."""
    for kind in (name for name in rows if name in KINDS):
        drawers = drawers_of(load_generators(folder / kind, kind), tuple(classes))
        measured = rows[kind].measured
        if kind in CHARACTER_KINDS:
            for character, quality in zip(classes, measured.classes, strict=True):
                figures = _figures_of(quality, KEPT)
                generator = dataclasses.replace(drawers[character], quality=figures)
                save_generator(folder / kind, kind, generator)
        else:
            figures = _figures_of(measured.overall, (*KEPT, "fid"))
            generator = dataclasses.replace(drawers[classes[0]], quality=figures)
            save_generator(folder / kind, kind, generator)


def _figures_of(quality: Any, names: Sequence[str]) -> dict[str, float]:
    return {name: round(float(getattr(quality, name)), 4) for name in names}


def plot_bars(rows: dict[str, Row], classes: Sequence[str], path: Path) -> None:
    """Draw recognition and coverage of each class; `path` is the PNG file."""
    figures = {
        name: np.array(
            [[getattr(of, name) for of in row.measured.classes] for row in rows.values()]
        )
        for name in ("recognition", "coverage")
    }
    title = f"share recognised, and share of real images with a drawn one near ({judge.NAME})"
    plots.plot_quality_bars(
        figures["recognition"], figures["coverage"], list(rows), classes, title, path
    )


def plot_overview(drawn: dict[str, Drawn], classes: Sequence[str], path: Path) -> None:
    """Draw a few lines of each source of images, one image of each class; `path` is a PNG file."""
    lines, labels = [], []
    for name, images in drawn.items():
        by_class = images.images.reshape(len(classes), -1, 28, 28)
        for number in range(min(OVERVIEW_LINES, by_class.shape[1])):
            lines.append(by_class[:, number])
            labels.append("real" if name == "floor" else name)
    plots.plot_image_sheet(lines, labels, "one image of each character a line", path)


def _parser() -> Parser:
    parser = Parser(prog="drawing_quality.py", description="Measure how good drawn images are.")
    parser.add_argument("dataset", type=Path, metavar="DATASET.mat")
    parser.add_argument("--generators", nargs="+", choices=GENERATORS, default=list(GENERATORS))
    parser.add_argument(
        "--gan-collection-path",
        type=Path,
        default=FOLDER,
        metavar="FOLDER",
        help="where trained generators are (default: gan_collection of the program)",
    )
    parser.add_argument(
        "--images",
        type=whole_number_from(100),
        default=10_000,
        metavar="N",
        help="at least so many (default: 10000)",
    )
    parser.add_argument("--seed", type=a_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write pictures here")
    parser.add_argument("--keep-with-generators", action="store_true")
    parser.add_argument("--fresh-network", action="store_true", help="takes minutes a generator")
    return parser


def _compare(options: argparse.Namespace) -> None:
    data_set = data_parser.open_data_set(options.dataset, file_split=True)
    import cnn_model  # noqa: F401  (its processor settings come before Keras)

    comparison = Comparison(data_set, judge.load_judge(), options)
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
    count = -(-options.images // len(data_set.classes))
    drawn = {  # all of them first: where one cannot draw, that is known before the work
        name: _drawn(name, data_set, count, options.seed, options.gan_collection_path)
        for name in ("floor", *options.generators)
    }
    if options.plots:
        pictured = {name: images for name, images in drawn.items() if name != "basic"}
        plot_overview(pictured, data_set.classes, options.plots / "overview.png")
    rows: dict[str, Row] = {}
    for name, images in drawn.items():
        started = time.perf_counter()
        rows[name] = comparison.row(name, images)
        print(f"{name}: {time.perf_counter() - started:.1f} s", file=sys.stderr)
    reference = comparison.reference()
    _print(rows, reference, data_set.classes)
    if options.plots:
        plot_bars(rows, data_set.classes, options.plots / "quality.png")
    if options.keep_with_generators:
        keep_with_generators(rows, data_set.classes, options.gan_collection_path)
    if options.json:
        settings = {
            "dataset": options.dataset.name,
            "judge": {"name": judge.NAME, "sha256": judge.SHA256},
            "seed": options.seed,
        }
        results = as_json(rows, data_set.classes)
        record(options.json, settings | {"reference": reference, "results": results})


def _print(rows: dict[str, Row], reference: dict[str, float], classes: Sequence[str]) -> None:
    for line in overall_table(rows):
        say(line)
    say(
        f"\nReference: {reference['images']:,} real test images, of which the judge recognises "
        f"{reference['recognition']:.2%}, and {reference['recognition_all']:.2%} among all "
        "classes.\n\nRecognised / coverage / KID × 1000 of each character:\n"
    )
    for line in class_table(rows, classes):
        say(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables.

    Args:
        arguments: the command's; None for those of the process.

    Returns:
        The exit code: 0, or that of `command_line.run` after an error or Ctrl-C.
    """
    return run(_parser(), arguments, _compare)


if __name__ == "__main__":
    sys.exit(main())
