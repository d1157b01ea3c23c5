"""How much of noisy images can be read at all: a reference that no network has a part in.

    python benchmarks/noise_limit.py mnist-idx-folder --json benchmarks/results/noise_limit.json

Each noisy image of the validation split is compared with every clean training image: how likely it
is that this one became it by Gaussian noise, clipped to 0 and 1 as `Denoise` clips it. Likelihoods,
to a power below 1 that widens each training image to its neighbourhood, are summed by class (a
Parzen window, Duda and Hart 1973), and the likeliest class is taken. With endlessly many training
images that would be the best reading there is; with as many as there are, it bounds nothing.

Noisy copies of known images, read in the same way with the power 1, give a bound: no reader does
better on them than the one who knows every image that they can come from, so, but for chance, none
does better on images that were drawn like them. The more images are known, the lower the bound; it
is told for several numbers of them. The test split is not read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, logsumexp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.recording import record  # noqa: E402
from data_set import SplitName  # noqa: E402
from image_arrays import Images  # noqa: E402

KNOWN_SPLITS: tuple[SplitName, ...] = ("training", "validation", "generator")
KNOWN = (20_000, 42_666)  # numbers of known images, beside all of them
NOISY_AT_ONCE = 2000

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


def bounds(
    clean: Images, labels: Labels, counts: Sequence[int], sigma: float, most_noisy: int, seed: int
) -> dict[str, float]:
    """Share of noisy copies of the first images that is read rightly where all of them are known.

    Args:
        clean: uint8 (N, 28, 28), in random order.
        labels: of each (N,).
        counts: of images that are known, from the first on.
        sigma: of the Gaussian noise.
        most_noisy: how many of the images are made noisy; no more than the least count.
        seed: of the noise.

    Returns:
        0 to 1 by count.
    """
    rows, right = _rows(clean), dict.fromkeys(counts, 0)
    for start in range(0, most_noisy, NOISY_AT_ONCE):
        part = slice(start, min(start + NOISY_AT_ONCE, most_noisy))
        random = np.random.default_rng([seed, round(1000 * sigma), start])
        noisy = _noisy(clean[part], sigma, random)
        likelihoods = log_likelihoods(noisy, rows, sigma)
        for count in counts:
            found = accuracies(likelihoods[:, :count], labels[:count], labels[part], (1.0,))
            right[count] += round(found["1"] * len(noisy))
    return {str(count): right[count] / most_noisy for count in counts}


def _noisy(images: Images, sigma: float, random: np.random.Generator) -> Values:
    """Images with Gaussian noise of one sigma, as rows (N, 784) from 0 to 1."""
    from denoising.noise import add_noise

    return _rows(add_noise(images, "gaussian", np.full(len(images), sigma, np.float32), random))


def _rows(images: Images) -> Values:
    """Images as rows (N, 784) from 0 to 1."""
    rows: Values = np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)
    return rows


def main() -> None:
    """Read noisy images at each sigma, and print the shares that are read rightly."""
    parser = parser_of(__doc__)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.2, 0.6, 1.0])
    parser.add_argument("--powers", type=float, nargs="+", default=[1.0, 0.7, 0.5, 0.35])
    parser.add_argument("--images", type=int, default=5000, help="of validation (default: 5000)")
    parser.add_argument(
        "--known-images", type=int, default=16000, help="that are read for the bound"
    )
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    import data_parser

    data_set = data_parser.open_data_set(
        options.dataset, keep_digits=True, file_split=True, seed=options.seed
    )
    clean, labels = data_set.subset("training")
    images, true_labels = data_set.subset("validation")
    images, true_labels = images[: options.images], true_labels[: options.images]
    known = np.concatenate([data_set.indices(name) for name in KNOWN_SPLITS])
    known = np.random.default_rng(options.seed).permutation(known)
    least = min(options.known_images, len(known))
    counts = [*(count for count in KNOWN if least <= count < len(known)), len(known)]
    results, bounded = {}, {}
    for sigma in options.sigmas:
        random = np.random.default_rng([options.seed, round(1000 * sigma)])
        likelihoods = log_likelihoods(_noisy(images, sigma, random), _rows(clean), sigma)
        found = accuracies(likelihoods, labels, true_labels, tuple(options.powers))
        results[f"{sigma:g}"] = found
        for power, accuracy in found.items():
            print(f"sigma {sigma:g}, power {power}: {accuracy:.2%}", flush=True)
        bound = bounds(
            data_set.images[known], data_set.labels[known], counts, sigma, least, options.seed
        )
        bounded[f"{sigma:g}"] = bound
        for count, accuracy in bound.items():
            print(f"sigma {sigma:g}, {count} images known: {accuracy:.2%}", flush=True)
    if options.json:
        about = {"dataset": options.dataset.name, "images": len(images), "seed": options.seed}
        about |= {"training_images": len(clean), "known_images_read": least}
        record(options.json, about | {"results": results, "bounds by images known": bounded})


if __name__ == "__main__":
    main()
