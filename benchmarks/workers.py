"""Several variants: one after the other with all cores each, against workers side by side.

    python benchmarks/workers.py DATASET.mat [--workers 2] [--epochs 3] [--rounds 3] [--json FILE]

Trains the shipped variants as the menu's `Train` does, in a process of its own each time, in turn,
so that whatever else the machine does falls on both. The clock runs from when Keras is imported,
as it is when somebody has typed an answer in the menu, to the last entry; workers import it again.
A digest of all weights and scores shows whether both made the same networks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.collection_runs import Silent, digest_of  # noqa: E402
from benchmarks.figures import lines_of, median_and_range  # noqa: E402
from benchmarks.processes import measured  # noqa: E402
from benchmarks.recording import record  # noqa: E402

BATCH = 32
OPTIONS = ("epochs", "variants", "seed")


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
    accuracy = statistics.mean(entry.validation.accuracy for entry in entries)
    return {"seconds": seconds, "digest": digest_of(entries), "validation_accuracy": accuracy}


def _first(text: str, variants: int) -> str:
    """The first variants of a hyperparameter file, as a hyperparameter file."""
    import ast

    return repr(ast.literal_eval(text)[:variants])


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--variants", type=int, default=11, help="so many of the shipped ones")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(train(options.dataset, options.workers, options)))
        return
    rounds = [
        {workers: _measured(workers, options) for workers in (1, options.workers)}
        for _ in range(options.rounds)
    ]
    results = _summary(rounds, options.workers)
    print("\n".join(lines_of(results)))
    if options.json:
        settings = {key: getattr(options, key) for key in ("workers", *OPTIONS, "rounds")}
        record(options.json, {**settings, "dataset": options.dataset.name, "results": results})


def _measured(workers: int, options: argparse.Namespace) -> dict[str, Any]:
    numbers = [f"--{key}={getattr(options, key)}" for key in OPTIONS]
    figures: dict[str, Any] = measured(
        __file__, [options.dataset, "--only", f"--workers={workers}", *numbers]
    )
    return figures


def _summary(rounds: list[dict[int, dict[str, Any]]], workers: int) -> dict[str, float]:
    """Medians over the rounds; `same_networks` is 1 where all of them made the same."""
    ratios = [run[1]["seconds"] / run[workers]["seconds"] for run in rounds]
    digests = {figures["digest"] for run in rounds for figures in run.values()}
    return {
        "one_after_the_other_seconds": statistics.median(run[1]["seconds"] for run in rounds),
        "workers_seconds": statistics.median(run[workers]["seconds"] for run in rounds),
        **median_and_range("sooner", ratios),
        "same_networks": float(len(digests) == 1),
        "validation_accuracy": rounds[0][1]["validation_accuracy"],
    }


if __name__ == "__main__":
    main()
