"""Time to load a collection and to make the first prediction after it, once Keras is imported.

    python benchmarks/loading.py DATASET.mat FOLDER [--repeat 5] [--json FILE]

Each repetition is a process of its own, since both are first times. Loading includes rebuilding
every network, although the program builds one only when it is used.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.recording import record  # noqa: E402

MEASURE = """
import json, sys, time
from pathlib import Path
import cnn_model, data_parser, model_collection
from trainer_predictor import TrainerPredictor

session = TrainerPredictor(data_parser.open_data_set(sys.argv[1]))
started = time.perf_counter()
session.load(Path(sys.argv[2]))
loaded = time.perf_counter()
session.predict("basic", session.data_set.classes[0])
predicted = time.perf_counter()
collection = session.collection
for entry in collection.entries:
    model_collection.network_of(entry, len(collection.classes))
built = time.perf_counter()
print(json.dumps({
    "load": loaded - started,
    "first_predict": predicted - loaded,
    "load_and_build_every_network": loaded - started + built - predicted,
}))
"""


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    runs = [_run(options.dataset, options.folder) for _ in range(options.repeat)]
    results = {
        f"{name}_s": {
            "median": statistics.median(run[name] for run in runs),
            "highest": max(run[name] for run in runs),
        }
        for name in runs[0]
    }
    for name, figures in results.items():
        print(f"{name:34} median {figures['median']:6.3f}  highest {figures['highest']:6.3f}")
    if options.json:
        record(options.json, {"dataset": options.dataset.name, "results": results})


def _run(dataset: Path, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(dataset), str(folder)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
