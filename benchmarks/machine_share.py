"""How much of the machine's peak a training reaches: variants 2, 7 and 10, and the champions.

    python benchmarks/machine_share.py DATASET.mat [--threads 1] [--json FILE]

The peak is a large matrix product, in float32 and in bfloat16, on as many threads. Operations are
counted: two for each multiplication and addition of convolutions and dense layers, and three times
as many for a training step as for reading, for the gradients of inputs and of weights. Each network
is trained as its training-parameter file says, but for a few thousand images; the first epoch warms
up. The input pipeline is timed alone too, as a share of the step.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.described_trainings import network_named, task_of  # noqa: E402
from benchmarks.epoch_clock import EpochClock  # noqa: E402
from benchmarks.processes import measured  # noqa: E402
from benchmarks.recording import record  # noqa: E402

if TYPE_CHECKING:
    from settings.training_parameters import TrainingParameters

NETWORKS = ("variant 2", "variant 7", "variant 10", "small", "best")
PEAK_SIZE, PEAK_TRIES = 2048, 20
IMAGES, EPOCHS = 6000, 3


def peak(precision: str) -> float:
    """Operations a second of a large matrix product, the best of some tries."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((PEAK_SIZE, PEAK_SIZE)), precision)
    product = tf.function(lambda: tf.matmul(matrix, matrix))
    product()
    seconds = []
    for _ in range(PEAK_TRIES):
        started = time.perf_counter()
        product()[0, 0].numpy()
        seconds.append(time.perf_counter() - started)
    return float(2 * PEAK_SIZE**3 / min(seconds))


def reading_operations(network: Any) -> int:
    """Operations that reading one image takes, in convolutions and dense layers."""
    import keras

    counted = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.SeparableConv2D):
            places = math.prod(layer.output.shape[1:3])
            counted += places * sum(math.prod(weights.shape) for weights in layer.weights[:2])
        elif isinstance(layer, keras.layers.Conv2D):
            counted += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            counted += math.prod(layer.kernel.shape)
    return 2 * counted


def prepared(dataset: Path, name: str, epochs: int) -> tuple[Any, Any, TrainingParameters, int]:
    """A network as its files say, and a few thousand images to train it on.

    Args:
        dataset: with test rows of its own.
        name: one of NETWORKS.
        epochs: in place of the file's.

    Returns:
        The network with weights that seed 0 gives, images as `cnn_model.fit_network` takes them,
        the training parameters and the number of classes.
    """
    import keras
    import numpy as np

    import cnn_model
    import data_parser

    layers, keys = network_named(name)
    task = task_of(layers, keys | {"train_epochs": epochs})
    data_set = data_parser.open_data_set(dataset, file_split=True)
    rows = np.random.default_rng(0).permutation(data_set.splits.training)[:IMAGES]
    data = cnn_model.TrainingImages(data_set.images, data_set.labels, rows, rows[:1])
    keras.utils.set_random_seed(0)
    network = cnn_model.build_network(task.layers, len(data_set.classes), task.parameters.precision)
    return network, data, task.parameters, len(data_set.classes)


def measure(dataset: Path, name: str) -> dict[str, float]:
    """Train one network for a few epochs.

    Returns:
        Images a second, operations of a training step for one image, the peak of its precision in
        operations a second, and the pipeline's share of the time.
    """
    import cnn_model
    from training import training_batches

    network, data, parameters, classes = prepared(dataset, name, EPOCHS)
    clock = EpochClock()
    cnn_model.fit_network(network, data, parameters, 0, show=clock.show)
    seconds = clock.seconds_an_epoch
    rows = (data.training, data.training[:1])
    batches, _ = training_batches.batches_for(
        data.images, data.labels, rows, parameters, classes, 0
    )
    for _ in batches:  # TensorFlow gets ready
        pass
    started = time.perf_counter()
    for _ in batches:
        pass
    pipeline_seconds = time.perf_counter() - started
    return {
        "images_a_second": len(data.training) / seconds,
        "operations": 3 * reading_operations(network),
        "peak": peak(parameters.precision or "float32"),
        "pipeline": pipeline_seconds / seconds,
    }


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=NETWORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.dataset, options.only)))
        return
    rounds = [
        {
            name: measured(__file__, [options.dataset, "--only", name], options.threads)
            for name in NETWORKS
        }
        for _ in range(options.rounds)
    ]
    results = {name: _summary([found[name] for found in rounds]) for name in NETWORKS}
    print("| network | million operations | images a second | of the peak | pipeline alone |")
    print("|---|--:|--:|--:|--:|")
    for name, found in results.items():
        print(
            f"| {name} | {found['operations'] / 1e6:,.0f} | {found['images_a_second']:,.0f} "
            f"| {found['share_of_peak']:.0%} | {found['pipeline']:.0%} |"
        )
    if options.json:
        settings = {"threads": options.threads, "rounds": options.rounds, "images": IMAGES}
        record(options.json, {**settings, "dataset": options.dataset.name, "results": results})


def _summary(found: list[dict[str, float]]) -> dict[str, float]:
    """Medians over the rounds, with the share of the peak that was measured in the same process."""
    shares = [one["images_a_second"] * one["operations"] / one["peak"] for one in found]
    medians = {key: statistics.median(one[key] for one in found) for key in found[0]}
    return {**medians, "share_of_peak": statistics.median(shares)}


if __name__ == "__main__":
    main()
