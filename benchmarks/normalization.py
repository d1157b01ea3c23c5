"""What one operation for batch normalization brings to a training, against Keras's own layer.

    python benchmarks/normalization.py DATASET.mat [--rounds 3] [--threads 1] [--json FILE]

The recommended networks, each with both layers in turn, in one process; the first epoch of each
training compiles and does not count.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.epoch_clock import EpochClock  # noqa: E402
from benchmarks.figures import median_and_range  # noqa: E402
from benchmarks.machine_share import prepared  # noqa: E402
from benchmarks.processes import threads_of  # noqa: E402
from benchmarks.recording import record  # noqa: E402

NETWORKS = ("small", "best")
EPOCHS = 3


def images_a_second(dataset: Path, name: str, *, fused: bool) -> float:
    """How fast one network is trained, with the one layer or the other."""
    import keras

    import cnn_model
    from training import fused_normalization

    clock = EpochClock()
    ours = fused_normalization.BatchNormalization
    try:
        if not fused:
            fused_normalization.BatchNormalization = keras.layers.BatchNormalization  # type: ignore[misc]
        network, data, parameters, _ = prepared(dataset, name, EPOCHS)
    finally:
        fused_normalization.BatchNormalization = ours  # type: ignore[misc]
    cnn_model.fit_network(network, data, parameters, 0, show=clock.show)
    return len(data.training) / clock.seconds_an_epoch


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, choices=range(1, 100), default=4, metavar="N")
    options = parser.parse_args()
    os.environ.update(threads_of(options.threads))
    results = {}
    for name in NETWORKS:
        pairs = [
            {
                fused: images_a_second(options.dataset, name, fused=fused)
                # whichever is first meets another machine
                for fused in ((False, True) if number % 2 else (True, False))
            }
            for number in range(options.rounds)
        ]
        ratios = [pair[True] / pair[False] for pair in pairs]
        results[name] = {
            "keras": statistics.median(pair[False] for pair in pairs),
            "fused": statistics.median(pair[True] for pair in pairs),
            **median_and_range("ratio", ratios),
        }
        print(name, *(f"{key} {figure:,.2f}" for key, figure in results[name].items()))
    if options.json:
        settings = {"threads": options.threads, "rounds": options.rounds}
        record(options.json, {**settings, "dataset": options.dataset.name, "results": results})


if __name__ == "__main__":
    main()
