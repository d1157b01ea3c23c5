"""What each training key and kind of layer brings, on validation images, over several seeds.

    python benchmarks/ablation.py emnist-47.mat --json benchmarks/results/ablation.json

The base is the small network of `champion_hyperparameters.txt` at half its width, trained as
`champion_training_parameters.txt` says, but without a teacher, on IMAGES images a class for EPOCHS
epochs. Each other run changes one thing. Keys for classes of unlike size are compared on as many
images in all, drawn as unevenly as the file holds them; accuracy is the mean over the classes
there too. Runs that the file has already are not done again.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import first_line  # noqa: E402
from benchmarks.champions import SMALL, champion_layers, champion_parameters, without_teacher  # noqa: E402
from benchmarks.reading_runs import Run, add_arguments, run_missing  # noqa: E402

IMAGES, EPOCHS = 100, 16
BASE = "as recommended"
Layers = list[dict[str, Any]]
Parameters = dict[str, Any]

CHANGED_PARAMETERS: dict[str, Parameters] = {
    "no augmentation": {"augmentation": None},
    "no rotation": {"augmentation.rotation": None},
    "no shift": {"augmentation.shift": None},
    "no scale": {"augmentation.scale": None},
    "no shear": {"augmentation.shear": None},
    "no perspective": {"augmentation.perspective": None},
    "no elastic": {"augmentation.elastic": None},
    "no label smoothing": {"label_smoothing": None},
    "no moving average": {"moving_average": None},
    "no weight decay": {"weight_decay": None},
    "no warm-up": {"warmup_epochs": None},
    "constant rate": {"learning_rate_schedule": None, "warmup_epochs": None, "learning_rate": 0.02},
    "one cycle": {"learning_rate_schedule": "one_cycle", "warmup_epochs": None},
    "no momentum": {"momentum": None, "learning_rate": 1.0, "weight_decay": 0.0005},
    "adam": {
        "optimizer": "adam",
        "learning_rate": 0.002,
        "momentum": None,
        "weight_decay": None,
    },
    "adamw": {
        "optimizer": "adamw",
        "learning_rate": 0.002,
        "momentum": None,
        "weight_decay": 0.05,
    },
    "mixup 0.2": {"mixup": 0.2},
    "cutmix 1": {"cutmix": 1.0},
    "no calibration": {"calibration": None},
    "float32": {"precision": None},
    "one reading": {"test_time_shifts": None},
    "13 readings": {"test_time_shifts": 2},
}


def _without_normalization(layers: Layers) -> Layers:
    return _changed(layers, lambda layer: layer.pop("normalization", None))


def _separable(layers: Layers) -> Layers:
    def change(layer: dict[str, Any]) -> None:
        if layer["type"] == "conv2d" and layer["kernel_size"] == 3:
            layer["type"] = "separableconv2d"

    return _changed(layers, change)


def _plain(layers: Layers) -> Layers:
    """Without shortcuts: the layers of each residual block in its place."""
    plain: Layers = []
    for layer in copy.deepcopy(layers):
        if layer["type"] != "residual":
            plain.append(layer)
            continue
        for inner in layer["layers"]:
            plain.append({**inner, "activation": "relu"})
    return plain


def _squeezed(layers: Layers) -> Layers:
    def change(layer: dict[str, Any]) -> None:
        if layer["type"] == "residual":
            layer["layers"].append({"type": "squeezeexcitation", "ratio": 8})

    return _changed(layers, change)


def _strided(layers: Layers) -> Layers:
    """The first pooling is left to a convolution of stride 2."""
    strided = copy.deepcopy(layers)
    strided[0]["strides"] = 2
    return [strided[0], *strided[2:]]


def _flattened(layers: Layers) -> Layers:
    return [*copy.deepcopy(layers)[:-1], {"type": "flatten"}]


def _with_dropout(layers: Layers) -> Layers:
    return [*copy.deepcopy(layers), {"type": "dropout", "dropout_ratio": 0.3}]


# Images as uneven as the file's; sampling is what the base does, and so what is left out first.
UNEVEN = "uneven images"
CLASS_WEIGHTING: dict[str, Parameters] = {
    UNEVEN: {"class_weighting": None},
    "uneven, sampling": {"class_weighting": "sampling"},
    "uneven, balanced": {"class_weighting": "balanced"},
    "uneven, prior": {"class_weighting": "prior"},
}
TAUGHT = "taught by one twice as wide"
DISTILLATION: Parameters = {
    "label_smoothing": None,
    "distillation": {"teacher": 0, "weight": 0.8, "temperature": 2},
}
CHANGED_LAYERS: dict[str, Callable[[Layers], Layers]] = {
    "no normalization": _without_normalization,
    "no shortcuts": _plain,
    "separable convolutions": _separable,
    "squeeze and excitation": _squeezed,
    "stride, no first pooling": _strided,
    "flatten, no mean": _flattened,
    "dropout 0.3 at the end": _with_dropout,
}


def _changed(layers: Layers, change: Callable[[dict[str, Any]], Any]) -> Layers:
    layers = copy.deepcopy(layers)
    for layer in layers:
        change(layer)
        for inner in layer.get("layers", ()):
            change(inner)
    return layers


def half_as_wide(layers: Layers) -> Layers:
    """The layers with half as many filters."""

    def change(layer: dict[str, Any]) -> None:
        if "filters" in layer:
            layer["filters"] //= 2

    return _changed(layers, change)


def with_changes(parameters: Parameters, changes: Parameters) -> Parameters:
    """Parameters with some keys set, or left out where None; a dot leads into a dictionary."""
    parameters = copy.deepcopy(parameters)
    for key, value in changes.items():
        outer, _, inner = key.partition(".")
        place = parameters[outer] if inner else parameters
        if value is None:
            place.pop(inner or outer, None)
        else:
            place[inner or outer] = value
    return parameters


def runs(options: argparse.Namespace) -> Iterator[Run]:
    """All runs, seed by seed."""
    layers = half_as_wide(champion_layers(SMALL))
    parameters = without_teacher(champion_parameters(SMALL)) | {"train_epochs": EPOCHS}
    for seed in options.seeds:
        common = {"images": IMAGES, "seed": seed, "digits": not options.letters}
        yield Run(BASE, tuple(layers), parameters, **common)
        for name, changes in CHANGED_PARAMETERS.items():
            yield Run(name, tuple(layers), with_changes(parameters, changes), **common)
        for name, change in CHANGED_LAYERS.items():
            yield Run(name, tuple(change(layers)), parameters, **common)
        teacher = tuple(champion_layers(SMALL))
        taught = with_changes(parameters, DISTILLATION)
        yield Run(TAUGHT, tuple(layers), taught, **common, teacher=teacher)
        for name, changes in CLASS_WEIGHTING.items():
            changed = with_changes(parameters, changes)
            yield Run(name, tuple(layers), changed, **common, uneven=True)


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of a Markdown table: a line for each change, means and spreads over the seeds."""
    yield "| changed | seeds | validation accuracy | against its base | weights | seconds |"
    yield "|---|--:|--:|--:|--:|--:|"
    by_name: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_name.setdefault(result["run"]["name"], []).append(result)
    bases = {
        name: {result["run"]["seed"]: result["validation"] for result in by_name.get(name, ())}
        for name in (BASE, UNEVEN)
    }
    for name, found in by_name.items():
        base = bases[UNEVEN if name in CLASS_WEIGHTING else BASE]
        accuracies = [result["validation"] for result in found]
        gained = statistics.mean(
            result["validation"] - base[result["run"]["seed"]] for result in found
        )
        spread = f" ± {statistics.stdev(accuracies):.2%}" if len(accuracies) > 1 else ""
        seconds = statistics.median(result["seconds"] for result in found)
        yield (
            f"| {name} | {len(found)} | {statistics.mean(accuracies):.2%}{spread} "
            f"| {gained * 100:+.2f} "
            f"| {found[0]['weights']:,} | {seconds:.0f} |"
        )


def main() -> None:
    """Do the missing runs and print the table."""
    parser = argparse.ArgumentParser(description=first_line(__doc__))
    add_arguments(parser)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of runs, as in the table")
    options = parser.parse_args()
    wanted = (run for run in runs(options) if options.only is None or run.name in options.only)
    for line in table(run_missing(wanted, options)):
        print(line)


if __name__ == "__main__":
    main()
