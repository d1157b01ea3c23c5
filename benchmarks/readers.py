"""The recommended networks and their peers, trained on few and on many images a class.

    python benchmarks/readers.py emnist-47.mat --json benchmarks/results/readers.json

Peers: variant 2 of `model_hyperparameters.txt` with the original training parameters, and VGG-5
with rotation and perspective, both in the same harness. Runs that the file has are not done again.
Each network learns from labels alone here, the small one too, which has a teacher otherwise.
With --read-test the test split is read too, once a run; with --letters digits are left out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import champions  # noqa: E402
from benchmarks.arguments import first_line  # noqa: E402
from benchmarks.described_trainings import network_named  # noqa: E402
from benchmarks.figures import mean_and_deviation  # noqa: E402
from benchmarks.reading_runs import Run, add_arguments, run_missing  # noqa: E402

IMAGES = (50, 200, 1000, 0)
# With fewer images the recommended networks see each more often; their peers do as published.
EPOCHS: Mapping[int, int] = {50: 100, 200: 40, 1000: 20}
BARS = "; bars: standard deviation over seeds"
NETWORKS = ("variant 2", "VGG-5", "small", "best")


def _network(name: str, images: int) -> tuple[champions.Layers, dict[str, Any]]:
    if name == "VGG-5":
        return champions.vgg5_layers(), champions.vgg5_parameters()
    layers, parameters = network_named(name)
    if name == "variant 2":
        return layers, parameters | {"verbose": 0}
    if images:
        # Calibration would learn from validation images, which are not among the few.
        del parameters["calibration"]
        parameters |= {"train_epochs": EPOCHS.get(images, parameters["train_epochs"])}
    return layers, parameters


def runs(options: argparse.Namespace) -> Iterator[Run]:
    """All runs, the quick ones first."""
    for images in sorted(options.images, key=lambda count: count or sys.maxsize):
        for seed in options.seeds:
            for name in options.networks:
                layers, parameters = _network(name, images)
                yield Run(name, tuple(layers), parameters, images, seed, not options.letters)


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of a Markdown table: a line for each network and number of images."""
    yield (
        "| network | images a class | weights | seeds | validation accuracy | test accuracy "
        "| training | reading one |"
    )
    yield "|---|" + "--:|" * 7
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["run"]["name"], result["run"]["images"]), []).append(result)
    for (name, images), found in groups.items():
        read = [result["test"] for result in found if "test" in result]
        seconds = statistics.mean(result["seconds"] for result in found)
        # It depends on the network alone; whatever else the machine does only makes it longer.
        reading = min(
            result["seconds_to_read_one"] for result in results if result["run"]["name"] == name
        )
        yield (
            f"| {name} | {images or 'all'} | {found[0]['weights']:,} | {len(found)} "
            f"| {mean_and_deviation([result['validation'] for result in found])} "
            f"| {mean_and_deviation(read) if read else ''} | {seconds:,.0f} s "
            f"| {reading * 1000:.1f} ms |"
        )


def plot(results: list[dict[str, Any]], folder: Path) -> None:
    """Draw accuracy against images a class, and against weights, with spreads over the seeds."""
    from evaluation import plots

    score = "test" if all("test" in result for result in results) else "validation"
    by_images: dict[str, dict[float, list[float]]] = {}
    by_weights: dict[str, dict[float, list[float]]] = {}
    for result in results:
        run = result["run"]
        images = run["images"] or result["training_images"] / result["classes"]
        by_images.setdefault(run["name"], {}).setdefault(images, []).append(result[score])
        name = f"{run['images'] or 'all'} images a class"
        by_weights.setdefault(name, {}).setdefault(result["weights"], []).append(result[score])
    accuracy = f"{score} accuracy, %"
    bars = "" if len({result["run"]["seed"] for result in results}) == 1 else BARS
    plots.plot_accuracies(
        _points(by_images),
        ("training images a class", accuracy),
        f"Accuracy by number of training images{bars}",
        folder / "accuracy_by_images.png",
    )
    plots.plot_accuracies(
        _points(by_weights),
        ("weights", accuracy),
        f"Accuracy by size of the network{bars}",
        folder / "accuracy_by_weights.png",
    )


def _points(
    curves: Mapping[str, Mapping[float, list[float]]],
) -> dict[str, list[tuple[float, float, float]]]:
    return {
        name: [
            (
                quantity,
                statistics.mean(accuracies),
                statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
            )
            for quantity, accuracies in found.items()
        ]
        for name, found in curves.items()
    }


def main() -> None:
    """Do the missing runs and print the table."""
    parser = argparse.ArgumentParser(description=first_line(__doc__))
    add_arguments(parser)
    parser.add_argument("--images", type=int, nargs="+", default=list(IMAGES), help="0 for all")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--plots", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    results = run_missing(runs(options), options)
    for line in table(results):
        print(line)
    if options.plots:
        plot(results, options.plots)


if __name__ == "__main__":
    main()
