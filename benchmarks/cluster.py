"""Training on a Ray cluster: how much sooner two nodes are done than one.

    python benchmarks/cluster.py DATASET.mat [--variants 8] [--epochs 4] [--rounds 3] [--json FILE]

Trains the same variants on a cluster of one node and on one of two, in turn. All nodes are on this
machine, each with a core of its own (on Linux its processes are bound to it), so what is measured
is what Ray and the program add, not a network between machines. The clock runs from the call that
trains to the last entry: processes start, import Keras and get the images while it runs. Efficiency
is the time on one node divided by twice that on two; 1 would be ideal. The variants are one shipped
network at learning rates that differ a little, so that they take the same time.
Ray is an extra: `pip install --require-hashes -r requirements-cluster.lock`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.collection_runs import Silent, digest_of  # noqa: E402
from benchmarks.figures import lines_of, median_and_range  # noqa: E402
from benchmarks.recording import record  # noqa: E402

if TYPE_CHECKING:
    from data_parser import DataSet
    from settings.hyperparameters import TrainingTask

BATCH = 32
GOAL = 0.9
STORE = 200 * 2**20  # bytes of Ray's memory for the images, on each node


@contextlib.contextmanager
def cluster_of(nodes: int) -> Iterator[str]:
    """A cluster on this machine, each node with a core of its own; yields its address."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    try:
        for number in range(nodes):
            if cores:
                os.sched_setaffinity(0, {cores[number % len(cores)]})  # the node inherits it
            cluster.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False)
        if cores:
            os.sched_setaffinity(0, cores)
        yield cluster.address
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        cluster.shutdown()


def train(nodes: int, tasks: Sequence[TrainingTask], data: DataSet, seed: int) -> dict[str, Any]:
    """Train tasks on so many nodes.

    Returns:
        Seconds, and the digest of the networks and scores.
    """
    from collection_training import train as train_collection
    from crews.ray_crew import RayCrew
    from model_collection import ModelCollection

    collection = ModelCollection(data.classes)
    with cluster_of(nodes) as address:
        started = time.perf_counter()
        train_collection(
            collection,
            tasks,
            data,
            seed=seed,
            retrain=False,
            observer=Silent(),
            keep=lambda: None,
            should_stop=lambda: False,
            make_crew=lambda tasks: RayCrew(address),
        )
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "digest": digest_of(collection.entries)}


def variants_of(number: int, options: argparse.Namespace) -> list[TrainingTask]:
    """One shipped network at several learning rates."""
    from settings.hyperparameters import TrainingTask, read_model_hyperparameters
    from settings.training_parameters import TrainingParameters

    layers = read_model_hyperparameters(ROOT / "model_hyperparameters.txt")[number]
    return [
        TrainingTask(
            layers,
            TrainingParameters("adam", BATCH, options.epochs, learning_rate=0.001 + each / 1e5),
        )
        for each in range(options.variants)
    ]


def main() -> None:
    """Run the benchmark, print its figures and record them."""
    parser = parser_of(__doc__)
    parser.add_argument("--variants", type=int, default=8, help="an even number")
    parser.add_argument("--network", type=int, default=4, help="which of the shipped variants")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    import cnn_model  # noqa: F401 - the menu has it by now
    import data_parser

    data = data_parser.open_data_set(options.dataset, file_split=True)
    tasks = variants_of(options.network, options)
    rounds = [
        {nodes: train(nodes, tasks, data, options.seed) for nodes in (1, 2)}
        for _ in range(options.rounds)
    ]
    results = _summary(rounds)
    print("\n".join(lines_of(results)))
    if options.json:
        settings = {key: getattr(options, key) for key in ("variants", "network", "epochs")}
        about = {**settings, "rounds": options.rounds, "seed": options.seed, "ray": ray.__version__}
        record(options.json, {**about, "dataset": options.dataset.name, "results": results})


def _summary(rounds: Sequence[dict[int, dict[str, Any]]]) -> dict[str, float]:
    """Medians over the rounds; `same_networks` is 1 where all of them made the same."""
    efficiencies = [run[1]["seconds"] / run[2]["seconds"] / 2 for run in rounds]
    digests = {figures["digest"] for run in rounds for figures in run.values()}
    return {
        "one_node_seconds": statistics.median(run[1]["seconds"] for run in rounds),
        "two_nodes_seconds": statistics.median(run[2]["seconds"] for run in rounds),
        **median_and_range("efficiency", efficiencies),
        "efficiency_goal": GOAL,
        "same_networks": float(len(digests) == 1),
    }


if __name__ == "__main__":
    main()
