"""Where the time of a training goes, by kind of operation: variants 2, 7 and 10, and the champions.

    python benchmarks/operations.py DATASET.mat [--json FILE]

TensorFlow's profiler writes down every operation of one epoch, the second, on one thread; they are
summed by kind. Shares are of the sum, which differs from the epoch's seconds by what is between
operations, and by what the pipeline does beside them. The profiler makes the epoch a little longer.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.machine_share import IMAGES, NETWORKS, prepared  # noqa: E402
from benchmarks.processes import measured  # noqa: E402
from benchmarks.recording import record  # noqa: E402

EPOCHS = 3
PROFILED = 2  # the first epoch compiles
PICOSECONDS = 1e12
COMPUTING, PREPARING = "tf_Compute", "tf_data"
OTHERS = "others"
# The first that fits an operation's name, or the layer that it is a part of.
KINDS = {
    "images made ready": ("tf_data",),
    "convolutions": ("Conv2D",),
    "normalization": ("normalization", "BatchNorm"),
    "pooling": ("pool", "Pool"),
    "dropout": ("dropout",),
    "dense layers": ("MatMul",),
    "activations": ("Relu", "ReluGrad", "activation"),
    "optimizer": ("adam/", "sgd/", "Assign"),
}


def kind_of(thread: str, operation: str) -> str:
    """What an operation is a part of; its name is that of its place in the network and its type."""
    named = f"{PREPARING} {operation}" if thread.startswith(PREPARING) else operation
    return next(
        (kind for kind, marks in KINDS.items() if any(mark in named for mark in marks)), OTHERS
    )


def operations_in(folder: Path) -> Iterator[tuple[str, str, float]]:
    """The thread, name and seconds of each operation that a profile in a folder tells of."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    for path in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace()
        space.ParseFromString(path.read_bytes())
        for plane in space.planes:
            for line in plane.lines:
                for event in line.events:
                    name = plane.event_metadata[event.metadata_id].name
                    # Operations are "place:Type"; "Class::Function" is the runtime's own.
                    if line.name.startswith((COMPUTING, PREPARING)) and ":" in name.replace(
                        "::", ""
                    ):
                        yield line.name, name, event.duration_ps / PICOSECONDS


def measure(dataset: Path, name: str) -> dict[str, Any]:
    """Train one network for a few epochs, the second of them profiled.

    Returns:
        Seconds of that epoch, and seconds by kind of operation, longest first.
    """
    import tensorflow as tf

    import cnn_model

    network, data, parameters, _ = prepared(dataset, name, EPOCHS)
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:

        def watch(progress: cnn_model.TrainingProgress) -> None:
            if len(progress.finished) == len(ends):
                return
            ends.append(time.perf_counter())
            if len(ends) == PROFILED - 1:
                tf.profiler.experimental.start(folder)
            elif len(ends) == PROFILED:
                tf.profiler.experimental.stop()

        cnn_model.fit_network(network, data, parameters, 0, show=watch)
        seconds: Counter[str] = Counter()
        for thread, operation, duration in operations_in(Path(folder)):
            seconds[kind_of(thread, operation)] += duration  # type: ignore[assignment]
    return {
        "epoch_seconds": ends[PROFILED - 1] - ends[PROFILED - 2],
        "seconds": dict(seconds.most_common()),
    }


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=NETWORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.dataset, options.only)))
        return
    results = {
        name: measured(__file__, [options.dataset, "--only", name], threads=1) for name in NETWORKS
    }
    kinds = [*KINDS, OTHERS]
    print(f"| network | epoch | {' | '.join(kinds)} |")
    print("|---|" + "--:|" * (len(kinds) + 1))
    for name, found in results.items():
        whole = sum(found["seconds"].values())
        shares = (f"{found['seconds'].get(kind, 0.0) / whole:.0%}" for kind in kinds)
        print(f"| {name} | {found['epoch_seconds']:.1f} s | {' | '.join(shares)} |")
    if options.json:
        record(
            options.json, {"images": IMAGES, "dataset": options.dataset.name, "results": results}
        )


if __name__ == "__main__":
    main()
