"""What denoising is worth to a reader: trained on clean, on restored, and directly on noisy images.

    python benchmarks/denoising.py mnist-idx-folder --work FOLDER --json FILE

A denoiser and a reader learn from clean training images (the reader: the small recommended network,
without its teacher). Then, at each sigma of Gaussian noise, copies of the reader go on learning in
rounds, in each of which all training images are distorted and made noisy anew: one copy sees them
restored, its peer as they are. Rounds, rates and numbers of images are the same for both. The test
split is read at the end, once. Every stage is kept in the work folder, and taken up from there.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.described_trainings import network_named, task_of, trained  # noqa: E402
from benchmarks.recording import record  # noqa: E402
from image_arrays import Images  # noqa: E402

if TYPE_CHECKING:
    from data_parser import DataSet
    from settings.hyperparameters import TrainingTask

DENOISER = {
    "type": "residual",
    "filters": (32, 64, 64),
    "blocks": 2,
    "noise": {"gaussian": (0.1, 1.1)},
    "steps": 6000,
    "batch_size": 128,
    "learning_rate": 0.002,
}
READER_EPOCHS = 10
ROUND_RATES = (0.01, 0.005, 0.0015)
HIGHEST_RATE = 0.02  # of the first of many rounds; it falls to next to nothing as a cosine does
DISTORTION = {"rotation": 8, "shift": 1, "scale": 0.08, "shear": 5, "elastic": 0.4}
BLOCK = 2000  # images that are distorted at once


class Bench:
    """One data set, a denoiser and a reader, and what became of them so far."""

    def __init__(
        self, data_set: DataSet, work: Path, seed: int, rates: Sequence[float] = ROUND_RATES
    ) -> None:
        """Keep stages in `work`; readers are adapted in rounds of these learning rates."""
        from denoisers.trained_denoisers import TrainedDenoisers

        self.data_set = data_set
        self.seed = seed
        self.rates = rates
        self.work = work
        self.denoisers = TrainedDenoisers(data_set, work / "denoisers", seed)
        self.seconds: dict[str, float] = {}
        work.mkdir(parents=True, exist_ok=True)

    def timed(self, what: str, do: Callable[[], Any]) -> Any:
        """Do something, and remember and say how long it took."""
        started = time.perf_counter()
        result = do()
        self.seconds[what] = time.perf_counter() - started
        print(f"{what}: {self.seconds[what]:.0f} s", flush=True)
        return result

    def restorer(self) -> Callable[[Images, float], Images]:
        """The denoiser, trained if need be."""
        from denoising.settings import settings_from_dictionary

        settings, problems = settings_from_dictionary(DENOISER)
        assert settings is not None, problems
        if self.denoisers.of(settings) is None:
            self.timed("training the denoiser", lambda: self.denoisers.train(settings))
        denoiser = self.denoisers.of(settings)
        assert denoiser is not None
        return lambda images, sigma: self.denoisers.restore(
            denoiser, images, sigma, np.zeros(len(images), np.int64)
        )

    def weights(self, name: str, make: Callable[[], Any]) -> tuple[npt.NDArray[Any], ...]:
        """Weights of that name, made if need be."""
        path = self.work / f"{name}.npz"
        if not path.exists():
            made = self.timed(f"training: {name}", make)
            np.savez(path, *made)
        with np.load(path) as kept:
            return tuple(kept[key] for key in kept.files)

    def reader(self) -> tuple[npt.NDArray[Any], ...]:
        """Weights of the reader of clean images."""
        return self.weights("reader", self._trained_reader)

    def _trained_reader(self) -> Any:
        task = reader_task({"train_epochs": READER_EPOCHS})
        return trained(task, self.data_set, self.seed).weights

    def adapted(self, name: str, seen: Callable[[Images, int], Images]) -> Any:
        """Weights of a reader that went on learning from what `seen` makes of clean images."""
        start = self.reader()

        def adapt() -> Any:
            import cnn_model

            network = self.network(start, "bfloat16")
            clean, labels = self.data_set.subset("training")
            rows = np.arange(len(clean))
            for number, rate in enumerate(self.rates):
                images = seen(distorted(clean, self.seed + number), number)
                task = reader_task({"train_epochs": 1, "learning_rate": rate}, plain=True)
                data = cnn_model.TrainingImages(images, labels, rows, rows[:64])
                cnn_model.fit_network(network, data, task.parameters, self.seed + number)
            return cnn_model.get_weights(network)

        return self.weights(name, adapt)

    def network(self, weights: tuple[npt.NDArray[Any], ...], precision: str | None = None) -> Any:
        """A reader with these weights, that computes in that precision."""
        import cnn_model

        layers = reader_task({}).layers
        network = cnn_model.build_network(layers, len(self.data_set.classes), precision)
        cnn_model.set_weights(network, weights)
        return network

    def accuracy(self, weights: tuple[npt.NDArray[Any], ...], split: str, images: Images) -> float:
        """Share of a split that is read rightly, each image averaged over five shifts."""
        import cnn_model

        reading = cnn_model.average_over_shifts(self.network(weights), 1)
        labels = self.data_set.subset(split)[1]
        return float((cnn_model.predict(reading, images).argmax(axis=1) == labels).mean())

    def noisy(self, images: Images, sigma: float, *seeds: int) -> Images:
        """Images with Gaussian noise."""
        from denoising.noise import add_noise

        random = np.random.default_rng([self.seed, round(1000 * sigma), *seeds])
        return add_noise(images, "gaussian", np.full(len(images), sigma, np.float32), random)


def reader_task(changed: dict[str, Any], *, plain: bool = False) -> TrainingTask:
    """How the reader is trained; a plain training distorts and averages nothing."""
    layers, keys = network_named("small")
    keys |= changed
    if plain:
        dropped = ("augmentation", "learning_rate_schedule", "warmup_epochs", "calibration")
        keys = {key: value for key, value in keys.items() if key not in dropped}
        keys["moving_average"] = 0.99
    return task_of(layers, keys)


def distorted(images: Images, seed: int) -> Images:
    """Images turned, moved and bent a little."""
    from settings.training_parameters import Augmentation
    from training import augmentation

    amounts = Augmentation(**DISTORTION)
    return np.concatenate(
        [
            np.asarray(
                augmentation.distort(
                    images[start : start + BLOCK], amounts, np.array([seed, start])
                )
            )
            for start in range(0, len(images), BLOCK)
        ]
    )


def measure(bench: Bench, sigma: float, split: str) -> dict[str, float]:
    """Accuracies on one split at one sigma."""
    from evaluation.restoration import measure as measured

    restore = bench.restorer()
    clean, _ = bench.data_set.subset(split)
    noisy = bench.noisy(clean, sigma, 10**6)
    restored = bench.timed(f"restoring {len(noisy):,} images", lambda: restore(noisy, sigma))
    on_restored = bench.adapted(
        f"restored-{sigma:g}",
        lambda images, number: restore(bench.noisy(images, sigma, number), sigma),
    )
    on_noisy = bench.adapted(
        f"noisy-{sigma:g}", lambda images, number: bench.noisy(images, sigma, number)
    )
    errors = dataclasses.asdict(measured(restored, clean))
    del errors["squared_errors"]
    return {
        "clean": bench.accuracy(bench.reader(), split, clean),
        "noisy": bench.accuracy(bench.reader(), split, noisy),
        "restored": bench.accuracy(bench.reader(), split, restored),
        "restored, adapted": bench.accuracy(on_restored, split, restored),
        "trained on noisy": bench.accuracy(on_noisy, split, noisy),
        **errors,
    }


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.2, 0.6, 1.0])
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--rounds", type=int, help="so many, of falling rates; three without it")
    parser.add_argument("--work", type=Path, required=True, help="folder for the stages")
    options = parser.parse_args()
    import data_parser

    data_set = data_parser.open_data_set(options.dataset, keep_digits=True, file_split=True)
    rates = [
        HIGHEST_RATE * (1 + math.cos(math.pi * number / options.rounds)) / 2
        for number in range(options.rounds or 0)
    ]
    bench = Bench(data_set, options.work, options.seed, rates or ROUND_RATES)
    results = {f"{sigma:g}": measure(bench, sigma, options.split) for sigma in options.sigmas}
    columns = list(next(iter(results.values())))
    print(f"| sigma | {' | '.join(columns)} |")
    print("|--:|" + "--:|" * len(columns))
    for sigma, found in results.items():
        cells = (
            f"{found[name]:.4f}" if name in ("mse", "psnr", "ssim") else f"{found[name]:.2%}"
            for name in columns
        )
        print(f"| {sigma} | {' | '.join(cells)} |")
    if options.json:
        settings = {
            "split": options.split,
            "seed": options.seed,
            "denoiser": DENOISER,
            "rounds": len(bench.rates),
        }
        record(
            options.json,
            {
                **settings,
                "dataset": options.dataset.name,
                "seconds": bench.seconds,
                "results": results,
            },
        )


if __name__ == "__main__":
    main()
