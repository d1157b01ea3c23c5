"""Other data sets than EMNIST, read by variant 2 of 2017 and by the recommended networks.

    python benchmarks/data_sets.py fashion-mnist --file-split --epochs 15 --json FILE
    python benchmarks/data_sets.py syriac-serto.tar.gz --group file --shares 15 1 3 1 --epochs 200 \
        --seeds 0 1 2 3 4 --json FILE

Each run opens the data set with its own seed, so that with --group other groups are held out.
Variant 2 is trained as its file says, whatever --epochs and --changes say of the recommended ones,
which learn from labels alone; "small, taught" learns from a best one that is trained before it.
The test split is read once a run, with --split validation not at all. Runs that the file has
already are not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import champions  # noqa: E402
from benchmarks.arguments import first_line  # noqa: E402
from benchmarks.described_trainings import network_named, task_of, trained  # noqa: E402
from benchmarks.figures import mean_and_deviation  # noqa: E402
from benchmarks.recording import holds_run, record, recorded  # noqa: E402

TAUGHT = "small, taught"
NETWORKS = ("variant 2", "small", "best", TAUGHT)
SPLITS = ("training", "validation", "test", "generator")


def settings_of(
    network: str, epochs: int | None, changes: dict[str, Any]
) -> tuple[champions.Layers, dict[str, Any]]:
    """Layers and training parameters of a network, as in the text files."""
    if network == "variant 2":
        layers, parameters = network_named(network)
        return layers, parameters | {"verbose": 0}
    variant = champions.BEST if network == "best" else champions.SMALL
    parameters = champions.champion_parameters(variant)
    if network != TAUGHT:
        parameters = champions.without_teacher(parameters)
    parameters |= changes | ({"train_epochs": epochs} if epochs else {})
    return champions.champion_layers(variant), {
        key: value for key, value in parameters.items() if value is not None
    }


def train_and_score(run: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Train one run.

    Args:
        run: its network, layers, parameters and seed.
        options: which data set, and how it is divided.

    Returns:
        Numbers of images, seconds, and accuracies, 0 to 1.
    """
    import data_parser

    data_set = data_parser.open_data_set(
        options.dataset,
        seed=run["seed"],
        keep_digits=True,
        file_split=options.file_split,
        group=options.group,
        shares=dict(zip(SPLITS, options.shares, strict=True))
        if options.shares
        else data_parser.SPLIT_SHARES,
    )

    teacher = None
    if "teacher" in run:
        task = task_of(run["teacher"]["layers"], run["teacher"]["parameters"])
        teacher = trained(task, data_set, run["seed"])
    entry = trained(task_of(run["layers"], run["parameters"]), data_set, run["seed"], teacher)
    found = {
        "images": data_set.counts(),
        "classes": len(data_set.classes),
        "seconds": entry.seconds,
        "validation": entry.validation.accuracy,
    }
    return found if options.split == "validation" else found | {"test": entry.test.accuracy}


def runs(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All runs, seed by seed."""
    for seed in options.seeds:
        for network in options.networks:
            settings = options.epochs, json.loads(options.changes)
            layers, parameters = settings_of(network, *settings)
            described: dict[str, Any] = {}
            if network == TAUGHT:
                teaching = settings_of("best", *settings)
                described["teacher"] = dict(zip(("layers", "parameters"), teaching, strict=True))
            yield described | {
                "network": network,
                "layers": layers,
                "parameters": parameters,
                "seed": seed,
                "group": options.group,
                "shares": options.shares,
                "file_split": options.file_split,
            }


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of a Markdown table: a line for each network and way of training."""
    yield "| network | epochs | training images | seeds | validation | test | seconds |"
    yield "|---|" + "--:|" * 6
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        key = json.dumps({**result["run"], "seed": None}, sort_keys=True)
        groups.setdefault(key, []).append(result)
    for found in groups.values():
        run = found[0]["run"]
        images = statistics.mean(result["images"]["training"] for result in found)
        seconds = statistics.mean(result["seconds"] for result in found)
        tests = [result["test"] for result in found if "test" in result]
        yield (
            f"| {run['network']} | {run['parameters']['train_epochs']} | {images:,.0f} "
            f"| {len(found)} | {mean_and_deviation([result['validation'] for result in found])} "
            f"| {mean_and_deviation(tests) if tests else ''} | {seconds:,.0f} |"
        )


def main() -> None:
    """Do the missing runs and print the table."""
    parser = argparse.ArgumentParser(description=first_line(__doc__))
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["variant 2", "best"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, help="of the recommended networks")
    parser.add_argument(
        "--changes", default="{}", help="of their parameters, as JSON; null removes"
    )
    parser.add_argument("--group")
    parser.add_argument("--shares", type=int, nargs=4, metavar=tuple(SPLITS))
    parser.add_argument("--file-split", action="store_true")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--json", type=Path, required=True, help="results; runs in it are kept")
    options = parser.parse_args()
    results = recorded(options.json)
    for run in runs(options):
        if not holds_run(results, run):
            results.append({"run": run, **train_and_score(run, options)})
            record(options.json, {"dataset": options.dataset.name, "results": results})
            print(f"{run['network']}, seed {run['seed']}: {results[-1]}", file=sys.stderr)
    for line in table(results):
        print(line)


if __name__ == "__main__":
    main()
