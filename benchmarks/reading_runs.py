"""Trainings of readers on few or many images a class, each in a process of its own, and recorded.

`readers.py` and `ablation.py` list the runs; this module does those that a results file lacks, on
one thread each, so that a list can be broken off and taken up again. Training images come from the
training split, VALIDATION_IMAGES a class from the validation split; with as many images of every
class, accuracy is the mean over the classes. The test split is read only where that is asked for.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.described_trainings import task_of, trained  # noqa: E402
from benchmarks.processes import measured  # noqa: E402
from benchmarks.recording import holds_run, record, recorded  # noqa: E402

if TYPE_CHECKING:
    from data_set import DataSet
    from entries.entry import Entry

VALIDATION_IMAGES = 100
TIMED_READINGS = 50


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: of the network, or of what was changed.
        layers: as in a hyperparameter file.
        parameters: as in a training-parameter file.
        images: training images of each class; 0 for all there are.
        seed: of the images chosen, the weights and the order.
        digits: whether the digits are among the classes.
        teacher: layers of a network that is trained first, by the same parameters but the label
            smoothing that they may lack, and then taught from; None for none.
        uneven: the training images are that many on the average, and as uneven as the file's.
    """

    name: str
    layers: tuple[dict[str, Any], ...]
    parameters: dict[str, Any]
    images: int
    seed: int
    digits: bool
    teacher: tuple[dict[str, Any], ...] | None = None
    uneven: bool | None = None

    def fields(self) -> dict[str, Any]:
        """What the run is, as results files have it; what is None is left out."""
        return {key: value for key, value in vars(self).items() if value is not None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every program with runs has."""
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--letters", action="store_true", help="leave the digits out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument("--read-test", action="store_true", help="read the test split as well")
    parser.add_argument("--json", type=Path, required=True, help="results; runs in it are kept")


def run_missing(runs: Iterable[Run], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Do the runs that the results file lacks, writing it after each.

    Args:
        runs: what is to be there in the end.
        options: of `add_arguments`.

    Returns:
        All results of the file.
    """
    results = recorded(options.json)
    wanted = [run.fields() for run in runs]
    missing = [run for run in wanted if not holds_run(results, run)]
    with ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda run: _in_a_process(run, options), missing):
            results.append(result)
            record(options.json, {"dataset": options.dataset.name, "results": results})
            print(_line(result), flush=True)
    return results


def _line(result: dict[str, Any]) -> str:
    run = result["run"]
    return (
        f"{run['name']:24} {run['images'] or 'all':>5} images, seed {run['seed']}: "
        f"validation {result['validation']:.2%}, {result['seconds']:.0f} s"
    )


def _in_a_process(run: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    arguments = [options.dataset, json.dumps(run)]
    result = measured(
        __file__, [*arguments, *(["--read-test"] if options.read_test else [])], threads=1
    )
    return {"run": run, **result}


def train_and_score(dataset: Path, run: dict[str, Any], *, read_test: bool) -> dict[str, Any]:
    """Train one run.

    Args:
        dataset: with test rows of its own.
        run: the fields of a `Run`.
        read_test: whether to tell the accuracy on the test split.

    Returns:
        Numbers of weights, classes and training images, seconds of training and of reading one
        image, and accuracies, 0 to 1.
    """
    import data_parser
    from settings import layer_lists

    task = task_of(run["layers"], run["parameters"])
    data_set = data_parser.open_data_set(dataset, keep_digits=run["digits"], file_split=True)
    data_set = _with_few(data_set, run["images"], run["seed"], uneven=run.get("uneven", False))
    teacher = None
    if "teacher" in run:
        teaching = {"label_smoothing": 0.1, **run["parameters"]}
        del teaching["distillation"]
        teacher = trained(task_of(run["teacher"], teaching), data_set, run["seed"])
    entry = trained(task, data_set, run["seed"], teacher)
    return {
        "weights": layer_lists.parameter_count(task.layers, len(data_set.classes)),
        "classes": len(data_set.classes),
        "training_images": len(data_set.splits.training),
        "seconds": entry.seconds,
        "seconds_to_read_one": _seconds_to_read_one(entry, data_set),
        "validation": entry.validation.accuracy,
        **({"test": entry.test.accuracy} if read_test else {}),
    }


def _seconds_to_read_one(entry: Entry, data_set: DataSet) -> float:
    import cnn_model
    from entries.reading import network_of

    network = network_of(entry, len(data_set.classes))
    one = data_set.images[data_set.splits.validation[:1]]
    readings = []
    for _ in range(TIMED_READINGS):
        started = time.perf_counter()
        cnn_model.predict(network, one)
        readings.append(time.perf_counter() - started)
    return statistics.median(readings[2:])  # the first is read layer by layer, the second compiles


def _with_few(data_set: DataSet, images: int, seed: int, *, uneven: bool) -> DataSet:
    """The data set with so many training images a class, 0 for all, and a balanced validation.

    Uneven ones are that many on the average.
    """
    splits = data_set.splits
    # The validation images are the same for all seeds, and for every number of training images.
    validation = _few_of_each(
        splits.validation, data_set.labels, VALIDATION_IMAGES, np.random.default_rng(0)
    )
    training = splits.training
    if uneven:
        drawn = np.random.default_rng(seed).permutation(training)
        training = np.sort(drawn[: images * len(data_set.classes)])
    elif images:
        training = _few_of_each(training, data_set.labels, images, np.random.default_rng(seed))
    return dataclasses.replace(
        data_set,
        splits=dataclasses.replace(splits, training=training, validation=validation),
    )


def _few_of_each(
    rows: npt.NDArray[np.integer],
    labels: npt.NDArray[np.integer],
    count: int,
    random: np.random.Generator,
) -> npt.NDArray[np.int64]:
    of_classes = [rows[labels[rows] == label] for label in np.unique(labels)]
    return np.sort(
        np.concatenate([random.permutation(of_class)[:count] for of_class in of_classes])
    )


def main() -> None:
    """Train one run and print its result as JSON."""
    parser = argparse.ArgumentParser(description="Train one run; see the module.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("run", help="the fields of a run, as JSON")
    parser.add_argument("--read-test", action="store_true")
    options = parser.parse_args()
    run = json.loads(options.run)
    print(json.dumps(train_and_score(options.dataset, run, read_test=options.read_test)))


if __name__ == "__main__":
    main()
