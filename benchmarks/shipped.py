"""The shipped networks: what each reads of the file's own test rows, how large and how quick it is.

    python benchmarks/shipped.py emnist-47.mat --json benchmarks/results/shipped.json

Networks of `model/` read the letters, those of `model/with_digits/` all characters. Reading one
character is timed on one thread, as the median of some readings, in a process of its own. With
--classes they read their validation images as well, and the share read rightly is told by class.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.processes import measured  # noqa: E402
from benchmarks.recording import record  # noqa: E402

FOLDERS = {"letters": ROOT / "model", "with digits": ROOT / "model" / "with_digits"}
# How the data set was split where the recommended networks were trained, with the usual seed.
SHARES = {"letters": (86, 8, 1, 5), "with digits": (91, 8, 1, 1)}
SEED = 42
RECOMMENDED = {"letters": (11,), "with digits": (0, 1)}
TIMED_READINGS = 101
MOST_ROUNDED = 0.001  # by which weights in half precision may change an accuracy
WORST_SHOWN = 10


def measure(dataset: Path, kind: str) -> list[dict[str, Any]]:
    """Read the test rows with every network of a folder.

    Args:
        dataset: with test rows of its own.
        kind: one of `FOLDERS`.

    Returns:
        For each network its identity, weights, bytes on disk, accuracies 0 to 1 with the standard
        error of the one on test images, number of these, and milliseconds to read one image.
    """
    import cnn_model
    import data_parser
    from evaluation.recognition import score
    from model_collection import network_of
    from settings import layer_lists
    from storage.collection_folder import load_collection

    data_set = data_parser.open_data_set(
        dataset, keep_digits=kind == "with digits", file_split=True
    )
    images, labels = data_set.subset("test")
    found = []
    entries = load_collection(FOLDERS[kind]).entries
    for entry, file in zip(entries, _weights_files(FOLDERS[kind]), strict=True):
        network = network_of(entry, len(data_set.classes))
        accuracy = score(cnn_model.predict(network, images), labels).accuracy
        milliseconds = []
        for row in range(TIMED_READINGS):
            started = time.perf_counter()
            cnn_model.predict(network, images[row : row + 1])
            milliseconds.append(1000 * (time.perf_counter() - started))
        found.append(
            {
                "identity": entry.identity,
                "weights": layer_lists.parameter_count(entry.layers, len(data_set.classes)),
                "bytes": file.stat().st_size,
                "validation": entry.validation.accuracy,
                "test": accuracy,
                "standard_error": math.sqrt(accuracy * (1 - accuracy) / len(labels)),
                "test_images": len(labels),
                "milliseconds_to_read_one": statistics.median(milliseconds[1:]),
                "seconds_of_training": entry.seconds,
            }
        )
    return found


def measure_by_class(dataset: Path, kind: str) -> list[dict[str, Any]]:
    """Read the validation images of the recommended networks of a folder.

    Args:
        dataset: that they were trained on.
        kind: one of `FOLDERS`.

    Returns:
        For each network its number, accuracies 0 to 1 on its validation images, of all and as the
        mean over the classes, the number of images, and by class the share read rightly.

    Raises:
        ValueError: these are not its validation images, as its accuracy on them tells.
    """
    import numpy as np

    import cnn_model
    import data_parser
    from model_collection import network_of
    from storage.collection_folder import load_collection

    data_set = data_parser.open_data_set(
        dataset,
        seed=SEED,
        keep_digits=kind == "with digits",
        file_split=True,
        shares=dict(zip(data_parser.SPLIT_NAMES, SHARES[kind], strict=True)),
    )
    images, labels = data_set.subset("validation")
    entries = load_collection(FOLDERS[kind]).entries
    found = []
    for number in RECOMMENDED[kind]:
        network = network_of(entries[number], len(data_set.classes))
        right = cnn_model.predict(network, images).argmax(axis=1) == labels
        if abs(right.mean() - entries[number].validation.accuracy) > MOST_ROUNDED:
            raise ValueError(f"{dataset.name} is not what {kind} {number} was trained on")
        shares = [float(right[labels == label].mean()) for label in range(len(data_set.classes))]
        found.append(
            {
                "network": number,
                "validation": float(right.mean()),
                "validation_mean_over_classes": float(np.mean(shares)),
                "validation_images": len(labels),
                "by_class": dict(zip(data_set.classes, shares, strict=True)),
            }
        )
    return found


def _weights_files(folder: Path) -> list[Path]:
    """The files with the entries' weights, in their order."""
    entries = json.loads((folder / "collection.json").read_text(encoding="utf-8"))["entries"]
    return [folder / entry["weights"]["file"] for entry in entries]


def main() -> None:
    """Run the benchmark, print its table, record it and draw it."""
    parser = parser_of(__doc__)
    parser.add_argument("--plot", type=Path, help="PNG file")
    parser.add_argument("--classes", action="store_true", help="by class, on validation images")
    parser.add_argument("--only", choices=FOLDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.dataset, options.only)))
        return
    if options.classes:
        _tell_by_class(options.dataset, options.json)
        return
    results = {
        kind: measured(__file__, [options.dataset, "--only", kind], threads=1) for kind in FOLDERS
    }
    print("| characters | network | weights | bytes | validation | test | reading one |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for kind, networks in results.items():
        for number, found in enumerate(networks):
            print(
                f"| {kind} | {number} | {found['weights']:,} | {found['bytes']:,} "
                f"| {found['validation']:.2%} "
                f"| {found['test']:.2%} ± {found['standard_error']:.2%} "
                f"| {found['milliseconds_to_read_one']:.1f} ms |"
            )
    if options.json:
        record(options.json, {"dataset": options.dataset.name, "results": results})
    if options.plot:
        _plot(results, options.plot)


def _tell_by_class(dataset: Path, path: Path | None) -> None:
    """Print, and record, what the recommended networks read of their validation images."""
    results = {kind: measure_by_class(dataset, kind) for kind in FOLDERS}
    print("| characters | network | validation | mean over classes | worst read |")
    print("|---|--:|--:|--:|---|")
    for kind, networks in results.items():
        for found in networks:
            worst = sorted(found["by_class"].items(), key=lambda item: item[1])[:WORST_SHOWN]
            print(
                f"| {kind} | {found['network']} "
                f"| {found['validation']:.2%} of {found['validation_images']:,} "
                f"| {found['validation_mean_over_classes']:.2%} "
                f"| {', '.join(f'{name} {share:.0%}' for name, share in worst)} |"
            )
    if path:
        record(path, {"dataset": dataset.name, "results": results})


def _plot(results: dict[str, list[dict[str, Any]]], path: Path) -> None:
    from evaluation.plots import plot_networks

    groups = {
        f"{kind}, {networks[0]['test_images']:,} test images": [
            (str(number), one["weights"], one["test"], one["standard_error"])
            for number, one in enumerate(networks)
        ]
        for kind, networks in results.items()
    }
    plot_networks(groups, "The shipped networks; bars: one standard error", path)


if __name__ == "__main__":
    main()
