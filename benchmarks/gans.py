"""Speed of generators: training against the usual loop, memory, drawing, and one character.

    python benchmarks/gans.py DATASET.mat [--json FILE]

Steps a second of the dense GAN of 2017 at batch 32: our `GAN.fit` against the usual loop of
`predict`, two `train_on_batch` on the discriminator and one on the stacked model, the same networks
in the same run, in turn, each in a process of its own, after a warm-up. Then resident memory after
1,000 and after 20,000 steps of ours, the time to draw 1,000 images with a shipped generator once it
is loaded, and the time to train one character's generator at the default settings.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.figures import lines_of, median_and_range  # noqa: E402
from benchmarks.processes import measured  # noqa: E402
from benchmarks.recording import record  # noqa: E402

CHARACTER = "A"
WARM_UP = 50
PARTS = ("ours", "usual_loop", "memory", "drawing", "one_character")


def images(dataset: Path) -> Any:
    """The file's train rows of one character: uint8 (N, 28, 28)."""
    import data_parser

    data = data_parser.read_labelled_images(dataset, keep_digits=False)
    return data.images[(data.labels == data.classes.index(CHARACTER)) & ~data.in_test]


def dense_settings(steps: int) -> Any:
    """The dense networks of 2017."""
    from gan.settings import GanSettings

    return GanSettings(
        network="mlp",
        generator_widths=(256, 512, 1024),
        discriminator_widths=(512, 256),
        latent_size=100,
        loss="non_saturating",
        steps=steps,
        batch_size=32,
        generator_learning_rate=0.0002,
        discriminator_learning_rate=0.0002,
    )


def train_ours(options: argparse.Namespace) -> dict[str, float]:
    """Train with `gan.training`; steps a second after the first calls."""
    from gan.progress import GanProgress
    from gan.training import train_generator

    seen: list[tuple[int, float]] = []

    def watch(progress: GanProgress) -> None:
        seen.append((progress.step, time.perf_counter()))

    settings = dense_settings(options.steps + WARM_UP)
    train_generator("keras", images(options.dataset), settings, options.seed, show=watch)
    warm = next(entry for entry in seen if entry[0] >= WARM_UP)
    return {"steps_a_second": (seen[-1][0] - warm[0]) / (seen[-1][1] - warm[1])}


def train_usual_loop(options: argparse.Namespace) -> dict[str, float]:
    """The loop of most examples: `predict`, and `train_on_batch` three times a step."""
    import cnn_model  # noqa: F401  (the same processor settings for both)

    # isort: split
    import keras
    import numpy as np

    from gan.networks import build_mlp_discriminator, build_mlp_generator

    keras.utils.set_random_seed(options.seed)
    random = np.random.default_rng(options.seed)
    real = images(options.dataset)[..., None].astype("float32") / 127.5 - 1
    generator = build_mlp_generator(100, (256, 512, 1024))
    discriminator = build_mlp_discriminator((512, 256))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    discriminator.compile(keras.optimizers.Adam(0.0002, 0.5), loss)
    ones, zeros = np.ones((32, 1)), np.zeros((32, 1))
    # Keras decides at the first step what is trained: before the freezing, which is for the other.
    discriminator.train_on_batch(real[:32], ones)
    discriminator.trainable = False
    stacked = keras.Sequential([keras.Input((100,)), generator, discriminator])
    stacked.compile(keras.optimizers.Adam(0.0002, 0.5), loss)
    started = 0.0
    for step in range(WARM_UP + options.loop_steps):
        started = time.perf_counter() if step == WARM_UP else started
        drawn = generator.predict(random.standard_normal((32, 100)), verbose=0)
        discriminator.train_on_batch(real[random.integers(0, len(real), 32)], ones)
        discriminator.train_on_batch(drawn, zeros)
        stacked.train_on_batch(random.standard_normal((32, 100)), ones)
    return {"steps_a_second": options.loop_steps / (time.perf_counter() - started)}


def measure_memory(options: argparse.Namespace) -> dict[str, float]:
    """Resident memory while ours trains, in MiB."""
    from gan.progress import GanProgress
    from gan.training import train_generator

    resident: dict[int, float] = {}

    def watch(progress: GanProgress) -> None:
        if progress.step % 1000 == 0:
            resident[progress.step] = _resident_mebibytes()

    settings = dense_settings(options.memory_steps)
    train_generator("keras", images(options.dataset), settings, options.seed, show=watch)
    first, last = resident[1000], resident[max(resident)]
    return {"after_1000_steps": first, f"after_{max(resident)}_steps": last, "growth": last - first}


def _resident_mebibytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure_drawing(options: argparse.Namespace) -> dict[str, float]:
    """Seconds to draw 1,000 images with each shipped kind, once loaded."""
    import numpy as np

    from gan.settings import KINDS
    from image_generator import TrainedGenerator
    from storage.generator_folder import drawers_of, load_generators

    seconds = {}
    for kind in KINDS:
        stored = load_generators(ROOT / "gan_collection" / kind, kind)
        generators = drawers_of(stored, (CHARACTER,))
        if CHARACTER in generators:
            drawer = TrainedGenerator((CHARACTER,), generators, np.random.default_rng(0))
            drawer.draw_many(0, 1)
            started = time.perf_counter()
            drawer.draw_many(0, 1000)
            seconds[kind] = time.perf_counter() - started
    return seconds


def train_one_character(options: argparse.Namespace) -> dict[str, float]:
    """Seconds to train one character from nothing at the default settings, Keras imported."""
    from gan.settings import CHARACTER_KINDS, read_gan_settings
    from gan.training import train_generator

    learnt = images(options.dataset)
    seconds = {}
    for kind, settings in read_gan_settings(ROOT / "gan_hyperparameters.txt").items():
        if kind not in CHARACTER_KINDS:
            continue
        started = time.perf_counter()
        train_generator(kind, learnt, dataclasses.replace(settings), options.seed)
        seconds[kind] = time.perf_counter() - started
    return seconds


MEASURES = dict(
    zip(
        PARTS,
        (train_ours, train_usual_loop, measure_memory, measure_drawing, train_one_character),
        strict=True,
    )
)


def main() -> None:
    """Run all parts and print what they found."""
    parser = parser_of(__doc__)
    parser.add_argument("--steps", type=int, default=2000, help="of ours, a round")
    parser.add_argument("--loop-steps", type=int, default=200, help="of the usual loop, a round")
    parser.add_argument("--memory-steps", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(MEASURES[options.only](options)))
        return
    speeds = [
        {name: _measured(name)["steps_a_second"] for name in ("ours", "usual_loop")}
        for _ in range(options.rounds)
    ]
    ratios = [speed["ours"] / speed["usual_loop"] for speed in speeds]
    results = {
        "ours_steps_a_second": statistics.median(speed["ours"] for speed in speeds),
        "usual_loop_steps_a_second": statistics.median(speed["usual_loop"] for speed in speeds),
        **median_and_range("ratio", ratios),
        **{
            f"{name}_{figure}": value
            for name in PARTS[2:]
            for figure, value in _measured(name).items()
        },
    }
    print("\n".join(lines_of(results)))
    if options.json:
        settings = {
            key: getattr(options, key)
            for key in ("steps", "loop_steps", "memory_steps", "rounds", "seed")
        }
        record(options.json, {**settings, "dataset": options.dataset.name, "results": results})


def _measured(part: str) -> dict[str, float]:
    figures: dict[str, float] = measured(__file__, [*sys.argv[1:], "--only", part])
    return figures


if __name__ == "__main__":
    main()
