"""Several variants: one after the other with all cores each, against workers side by side.

    python benchmarks/workers.py DATASET.mat [--workers 2] [--epochs 3] [--rounds 3] [--json FILE]

Trains the shipped variants as the menu's `Train` does, in a process of its own each time, in turn,
so that whatever else the machine does falls on both. The clock runs from when Keras is imported,
as it is when somebody has typed an answer in the menu, to the last entry; workers import it again.
A digest of all weights and scores shows whether both made the same networks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.recording import record  # noqa: E402

BATCH = 32
OPTIONS = ("epochs", "variants", "seed")


class Silent:
    """Hears how a training goes, and says nothing but what goes wrong."""

    def __getattr__(self, name: str) -> Any:
        """Any method of `collection_training.TrainingObserver`."""
        if name in ("variant_failed", "variant_interrupted"):
            return lambda number, reason: print(f"variant {number}: {reason}", file=sys.stderr)
        return lambda *told: None


def train(dataset: Path, workers: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train the variants once.

    Returns:
        Seconds, the digest of what was made, and the mean validation accuracy.
    """
    import cnn_model  # noqa: F401 - the menu has it by now
    import data_parser
    from settings.hyperparameters import read_model_hyperparameters
    from trainer_predictor import TrainerPredictor

    shipped = ROOT / "model_hyperparameters.txt"
    with tempfile.TemporaryDirectory() as folder:
        variants = Path(folder) / "variants.txt"
        variants.write_text(_first(shipped.read_text(encoding="utf-8"), options.variants))
        parameters = Path(folder) / "parameters.txt"
        parameters.write_text(
            f"{{'optimizer':'adam','train_batch_size':{BATCH},'train_epochs':{options.epochs}}}"
        )
        assert len(read_model_hyperparameters(variants)) == options.variants
        session = TrainerPredictor(
            data_parser.open_data_set(dataset, file_split=True),
            seed=options.seed,
            autosave_root=Path(folder) / "autosave",
            workers=workers,
        )
        started = time.perf_counter()
        session.train(variants, parameters, retrain=False, observer=Silent())
        seconds = time.perf_counter() - started
    entries = session.collection.entries
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(repr((entry.identity, entry.validation, entry.test)).encode())
        for array in entry.weights:
            digest.update(array.tobytes())
    accuracy = statistics.mean(entry.validation.accuracy for entry in entries)
    return {"seconds": seconds, "digest": digest.hexdigest(), "validation_accuracy": accuracy}


def _first(text: str, variants: int) -> str:
    """The first variants of a hyperparameter file, as a hyperparameter file."""
    import ast

    return repr(ast.literal_eval(text)[:variants])


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--variants", type=int, default=11, help="so many of the shipped ones")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(train(options.dataset, options.workers, options)))
        return
    rounds = [
        {workers: _in_a_process(workers, options) for workers in (1, options.workers)}
        for _ in range(options.rounds)
    ]
    results = _summary(rounds, options.workers)
    for name, value in results.items():
        print(f"{name:44} {value:10.3f}")
    if options.json:
        settings = {key: getattr(options, key) for key in ("workers", *OPTIONS, "rounds")}
        record(options.json, {**settings, "dataset": options.dataset.name, "results": results})


def _in_a_process(workers: int, options: argparse.Namespace) -> dict[str, Any]:
    numbers = [f"--{key}={getattr(options, key)}" for key in OPTIONS]
    done = subprocess.run(
        [
            *(sys.executable, __file__, str(options.dataset)),
            *("--only", f"--workers={workers}", *numbers),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _summary(rounds: list[dict[int, dict[str, Any]]], workers: int) -> dict[str, float]:
    """Medians over the rounds; `same_networks` is 1 where all of them made the same."""
    ratios = [run[1]["seconds"] / run[workers]["seconds"] for run in rounds]
    digests = {figures["digest"] for run in rounds for figures in run.values()}
    return {
        "one_after_the_other_seconds": statistics.median(run[1]["seconds"] for run in rounds),
        "workers_seconds": statistics.median(run[workers]["seconds"] for run in rounds),
        "sooner": statistics.median(ratios),
        "sooner_lowest": min(ratios),
        "sooner_highest": max(ratios),
        "same_networks": float(len(digests) == 1),
        "validation_accuracy": rounds[0][1]["validation_accuracy"],
    }


if __name__ == "__main__":
    main()
