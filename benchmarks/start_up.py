"""Time from the start of the program to its prompt, as a ratio to `python -c "import keras"`.

    python benchmarks/start_up.py DATASET.mat [-m FOLDER] [--repeat 7] [--json FILE]

Both are started in turn; the ratio is taken pair by pair, and its median is the figure.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.figures import lines_of, median_and_range  # noqa: E402
from benchmarks.recording import record  # noqa: E402

PROMPT = b"Exit:"


def seconds_to_prompt(arguments: list[str]) -> float:
    """Start the program and wait until the menu has asked for a command."""
    started = time.perf_counter()
    command = [sys.executable, str(ROOT / "__init__.py"), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as program:
        assert program.stdout is not None
        said = b""
        while PROMPT not in said:
            part = program.stdout.read(4096)
            if not part:
                sys.exit("the program ended before its prompt")
            said += part
        seconds = time.perf_counter() - started
        program.kill()
    return seconds


def seconds_to_import_keras() -> float:
    """Start Python and import Keras with its TensorFlow backend."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import keras"],
        check=True,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
    )
    return time.perf_counter() - started


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("-m", "--model-collection-path", type=Path)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    arguments = [str(options.dataset)]
    if options.model_collection_path:
        arguments += ["-m", str(options.model_collection_path)]
    seconds_to_prompt(arguments), seconds_to_import_keras()  # warms the file cache
    pairs = [
        (seconds_to_prompt(arguments), seconds_to_import_keras()) for _ in range(options.repeat)
    ]
    ratios = [prompt / keras for prompt, keras in pairs]
    results = {
        "seconds_to_prompt": statistics.median(prompt for prompt, _ in pairs),
        "seconds_to_import_keras": statistics.median(keras for _, keras in pairs),
        **median_and_range("ratio", ratios),
    }
    print("\n".join(lines_of(results)))
    if options.json:
        record(options.json, {"dataset": options.dataset.name, "results": results})


if __name__ == "__main__":
    main()
