"""How much of noisy images can be read at all: a reference that no network has a part in.

    python benchmarks/noise_limit.py mnist-idx-folder --json benchmarks/results/noise_limit.json

Each noisy image of the validation split is compared with every clean training image: how likely it
is that this one became it by Gaussian noise, clipped to 0 and 1 as `Denoise` clips it. Likelihoods,
to a power below 1 that widens each training image to its neighbourhood, are summed by class (a
Parzen window, Duda and Hart 1973), and the likeliest class is taken. With endlessly many training
images that would be the best reading there is; with as many as there are, it bounds nothing.

Noisy copies of training images themselves, read in the same way with the power 1, give a bound: no
reader does better on them than the one who knows every image that they can come from, so, but for
chance, none does better on images that were drawn like them. More training images bring that bound
down. The test split is not read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, logsumexp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.recording import record  # noqa: E402
from image_arrays import Images  # noqa: E402

Values = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer]


def log_likelihoods(noisy: Values, clean: Values, sigma: float) -> Values:
    """How likely each noisy image became what it is from each clean one.

    Args:
        noisy: float32 (N, P), 0 to 1.
        clean: float32 (M, P), 0 to 1.
        sigma: standard deviation of the Gaussian noise that was added before clipping.

    Returns:
        float32 (N, M), each row but for a constant: the logarithm of a density where a value lies
        between 0 and 1, and of a probability where it was clipped.
    """
    is_paper, is_ink = (noisy <= 0).astype(np.float32), (noisy >= 1).astype(np.float32)
    between = 1 - is_paper - is_ink
    found: Values = (
        is_paper @ log_ndtr(-clean / sigma).T
        + is_ink @ log_ndtr((clean - 1) / sigma).T
        + (between * noisy) @ (clean / sigma**2).T
        - between @ (clean**2 / (2 * sigma**2)).T
    )
    return found


def accuracies(
    likelihoods: Values, labels: Labels, true_labels: Labels, powers: tuple[float, ...]
) -> dict[str, float]:
    """Share of images whose class has the largest sum of likelihoods, at each power of these.

    Args:
        likelihoods: logarithms (N, M).
        labels: of the M clean images.
        true_labels: of the N noisy ones.
        powers: above 0, at most 1.

    Returns:
        0 to 1 by power.
    """
    classes = np.unique(labels)
    found = {}
    for power in powers:
        sums = [logsumexp(power * likelihoods[:, labels == one], axis=1) for one in classes]
        read = classes[np.argmax(sums, axis=0)]
        found[f"{power:g}"] = float((read == true_labels).mean())
    return found


def _rows(images: Images) -> Values:
    """Images as rows (N, 784) from 0 to 1."""
    rows: Values = np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)
    return rows


def main() -> None:
    """Read both splits at each sigma, and print the shares that are read rightly."""
    parser = parser_of(__doc__)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.2, 0.6, 1.0])
    parser.add_argument("--powers", type=float, nargs="+", default=[1.0, 0.7, 0.5, 0.35])
    parser.add_argument("--images", type=int, default=5000, help="of each split (default: 5000)")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    import data_parser
    from denoising.noise import add_noise

    data_set = data_parser.open_data_set(
        options.dataset, keep_digits=True, file_split=True, seed=options.seed
    )
    clean, labels = data_set.subset("training")

    def read(split: str, sigma: float, powers: tuple[float, ...]) -> dict[str, float]:
        images, true_labels = data_set.subset(split)
        images, true_labels = images[: options.images], true_labels[: options.images]
        random = np.random.default_rng([options.seed, round(1000 * sigma)])
        noisy = add_noise(images, "gaussian", np.full(len(images), sigma, np.float32), random)
        likelihoods = log_likelihoods(_rows(noisy), _rows(clean), sigma)
        found = accuracies(likelihoods, labels, true_labels, powers)
        for power, accuracy in found.items():
            print(f"sigma {sigma:g}, {split} images, power {power}: {accuracy:.2%}", flush=True)
        return found

    powers = tuple(options.powers)
    results = {f"{sigma:g}": read("validation", sigma, powers) for sigma in options.sigmas}
    known = {f"{sigma:g}": read("training", sigma, (1.0,))["1"] for sigma in options.sigmas}
    if options.json:
        about = {"dataset": options.dataset.name, "images": options.images, "seed": options.seed}
        measured = {"results": results, "images that are known": known}
        record(options.json, about | {"training_images": len(clean)} | measured)


if __name__ == "__main__":
    main()
