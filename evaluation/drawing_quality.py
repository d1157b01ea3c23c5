"""How good drawn characters are: beside real ones in a classifier's features, and as it reads them.

No figure here is absolute: each hangs on the judge, on the number of images and on the reference.
Compare drawn images with real ones that were measured in the same way, in the same number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.judge import Opinion

Features = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]
_Matrix = npt.NDArray[np.float64]

NEIGHBOURS = 5
KID_SUBSETS = 100
KID_SUBSET_IMAGES = 1000
BLOCK_BYTES = 64 * 2**20  # of distances held at a time


@dataclass(frozen=True)
class Quality:
    """How good drawn images are.

    Attributes:
        images: number of drawn images.
        fid: `frechet_distance`, 0 or more; less is better.
        kid: `kernel_distance`, about 0 for the same distribution; less is better.
        density: `density_and_coverage`, about 1 for the same distribution; below: less lifelike.
        coverage: share of real images that have a drawn one near, 0 to 1.
        recognition: share of images read as what was asked for, 0 to 1, where only the open
            classes are possible answers.
        recognition_all: the same where every class of the judge is a possible answer.
    """

    images: int
    fid: float
    kid: float
    density: float
    coverage: float
    recognition: float
    recognition_all: float


@dataclass(frozen=True)
class Measured:
    """Quality of drawn images of several classes.

    Attributes:
        overall: of all images together.
        classes: of each open class by itself, in the order of the columns.
    """

    overall: Quality
    classes: tuple[Quality, ...]


def measure(
    real: Opinion,
    real_labels: Labels,
    drawn: Opinion,
    drawn_labels: Labels,
    columns: Sequence[int],
    *,
    seed: int = 0,
) -> Measured:
    """Measure drawn images of several classes against real ones, all together and class by class.

    What a figure of one class can tell: whether another generator does better on that class, where
    both are measured with the same real images and the same number of drawn ones. What it cannot
    tell: how far the class is from perfect, or which of two classes is drawn better. With fewer
    images than features the covariance of a class is singular, and FID is far above 0 even between
    real images; it grows as images get fewer. Coverage grows with the number of drawn images to
    each real one. KID has neither fault, but from 100 real images of a class it is rough.

    Args:
        real: the judge's opinion of N real images that no generator has learnt from.
        real_labels: integers (N,), the column of each image's class.
        drawn: its opinion of M drawn images.
        drawn_labels: integers (M,), the column of the class that was asked for.
        columns: the open classes as columns of the probabilities, none twice.
        seed: of the subsets for KID, 0 or more.

    Returns:
        Quality overall and of each class. The overall figures pool the classes, so the mix of
        classes should be that of the real images. Where the numbers of each class are fixed, not
        left to chance, the overall KID of a perfect generator is a little below 0.

    Raises:
        ValueError: arrays do not fit together, an image is of no open class, or a class has too
            few images: less than 6 real or 2 drawn ones.
    """
    _check_opinion(real, real_labels, columns, NEIGHBOURS + 1, "real")
    _check_opinion(drawn, drawn_labels, columns, 2, "drawn")

    def quality(of_real: npt.NDArray[np.bool_], of_drawn: npt.NDArray[np.bool_]) -> Quality:
        originals, pictures = real.features[of_real], drawn.features[of_drawn]
        density, coverage = density_and_coverage(originals, pictures)
        probabilities, labels = drawn.probabilities[of_drawn], drawn_labels[of_drawn]
        return Quality(
            images=len(pictures),
            fid=frechet_distance(originals, pictures),
            kid=kernel_distance(originals, pictures, seed=seed),
            density=density,
            coverage=coverage,
            recognition=recognition_rate(probabilities, labels, columns),
            recognition_all=recognition_rate(probabilities, labels),
        )

    everything = np.ones(len(real_labels), bool), np.ones(len(drawn_labels), bool)
    return Measured(
        quality(*everything),
        tuple(quality(real_labels == column, drawn_labels == column) for column in columns),
    )


def frechet_distance(first: Features, second: Features) -> float:
    """Squared Frechet distance between Gaussians fitted to two sets of features: FID.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2), after Heusel et al. 2017, "GANs Trained by a Two
    Time-Scale Update Rule". The last trace is the sum of the singular values of C1^1/2 C2^1/2,
    which is symmetric and stays accurate where a covariance is singular.

    Args:
        first: floats (N, D); N at least 2.
        second: floats (M, D); M at least 2.

    Returns:
        0 or more. Finite sets make it too large, the more the fewer images and the larger D.

    Raises:
        ValueError: the shapes do not fit, there are too few rows, or a value is not finite.
    """
    from scipy import linalg

    _check_features(first, second, least=2)
    mean_1, root_1, trace_1 = _gaussian(first)
    mean_2, root_2, trace_2 = _gaussian(second)
    common = float(linalg.svdvals(root_1.T @ root_2).sum())
    return max(0.0, float(((mean_1 - mean_2) ** 2).sum()) + trace_1 + trace_2 - 2 * common)


def _gaussian(features: Features) -> tuple[_Matrix, _Matrix, float]:
    """Mean (D,), a root R (D, D) with R R^T = covariance, and the covariance's trace."""
    from scipy import linalg

    values = features.astype(np.float64)
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    variances, axes = linalg.eigh(covariance)
    root: _Matrix = axes * np.sqrt(np.maximum(variances, 0))
    return values.mean(axis=0), root, float(np.trace(covariance))


def kernel_distance(
    first: Features,
    second: Features,
    *,
    seed: int = 0,
    subsets: int = KID_SUBSETS,
    subset_images: int = KID_SUBSET_IMAGES,
) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / D + 1)^3: KID.

    After Binkowski et al. 2018, "Demystifying MMD GANs": the mean over random subsets.

    Args:
        first: floats (N, D); N at least 2.
        second: floats (M, D); M at least 2.
        seed: of the subsets, 0 or more.
        subsets: how many, 1 or more.
        subset_images: images of each set in a subset; N or M where that is less.

    Returns:
        Expected to be 0 for the same distribution, so it can be a little below.

    Raises:
        ValueError: the shapes do not fit, there are too few rows, or a value is not finite.
    """
    _check_features(first, second, least=2)
    random = np.random.default_rng(seed)
    size = min(subset_images, len(first), len(second))
    one, other = first.astype(np.float64), second.astype(np.float64)
    distances = [
        _squared_discrepancy(
            one[random.choice(len(one), size, replace=False)],
            other[random.choice(len(other), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(distances))


def _squared_discrepancy(x: _Matrix, y: _Matrix) -> float:
    """The unbiased estimate from two sets (S, D) of the same size: U-statistics and a mean."""
    within = sum(
        (kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1))
        for kernel in (_cubic_kernel(x, x), _cubic_kernel(y, y))
    )
    return float(within - 2 * _cubic_kernel(x, y).mean())


def _cubic_kernel(x: _Matrix, y: _Matrix) -> _Matrix:
    base: _Matrix = x @ y.T / x.shape[1] + 1
    return base * base * base


def density_and_coverage(
    real: Features,
    drawn: Features,
    *,
    neighbours: int = NEIGHBOURS,
    block_bytes: int = BLOCK_BYTES,
) -> tuple[float, float]:
    """Density and coverage, after Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics".

    Each real image has a ball that reaches to its k-th nearest real neighbour. Density is the mean
    number of balls that a drawn image lies in, over k. Coverage is the share of the balls that
    have a drawn image in them; the border is outside.

    Args:
        real: floats (N, D); N more than `neighbours`.
        drawn: floats (M, D); M at least 1.
        neighbours: k, 1 or more. Small k makes both figures rough.
        block_bytes: distances are computed in blocks of about so many bytes; changes no result.

    Returns:
        Density, 0 or more, expected to be 1 for the same distribution; and coverage, 0 to 1. For
        the same distribution and M = N coverage is expected to be about 1 - 2^-k, more for more
        drawn images.

    Raises:
        ValueError: the shapes do not fit, there are too few rows, or a value is not finite.
    """
    _check_features(real, drawn, least=1)
    if len(real) <= neighbours:
        raise ValueError(f"{len(real)} real images have no {neighbours} neighbours each")
    originals, pictures = real.astype(np.float64), drawn.astype(np.float64)
    drawn_inside = np.zeros(len(real), np.int64)
    for rows in _blocks(len(real), max(len(real), len(drawn)), block_bytes):
        among_real = _squared_distances(originals[rows], originals)
        among_real.partition(neighbours, axis=1)  # the nearest of all is the image itself
        radii = among_real[:, neighbours, None]
        inside = _squared_distances(originals[rows], pictures) < radii
        drawn_inside[rows] = inside.sum(axis=1)
    density = drawn_inside.sum() / (neighbours * len(drawn))
    return float(density), float((drawn_inside > 0).mean())


def _blocks(rows: int, columns: int, block_bytes: int) -> Iterator[slice]:
    """Slices of the rows of a float64 matrix, of about so many bytes each."""
    height = max(1, block_bytes // (8 * columns))
    return (slice(start, start + height) for start in range(0, rows, height))


def _squared_distances(first: _Matrix, second: _Matrix) -> _Matrix:
    """All pairs, (A, D) and (B, D) to (A, B); pair by pair, so that no sum hangs on the block."""
    from scipy.spatial.distance import cdist

    distances: _Matrix = cdist(first, second, "sqeuclidean")
    return distances


def recognition_rate(
    probabilities: npt.NDArray[np.floating],
    labels: Labels,
    columns: Sequence[int] | None = None,
) -> float:
    """Share of images whose likeliest class is the one that was asked for.

    Args:
        probabilities: floats (N, C); N at least 1.
        labels: integers (N,), the column that was asked for.
        columns: the columns that are possible answers; None for all of them.

    Returns:
        0 to 1. Of equal probabilities the first in the order of `columns` counts.

    Raises:
        ValueError: the shapes do not fit, there is no image, or a column does not exist.
    """
    _check_probabilities(probabilities, labels)
    open_columns = np.arange(probabilities.shape[1]) if columns is None else np.asarray(columns)
    if not len(open_columns):
        raise ValueError("no class is open")
    if open_columns.min() < 0 or open_columns.max() >= probabilities.shape[1]:
        raise ValueError(f"columns must be from 0 to {probabilities.shape[1] - 1}")
    likeliest = open_columns[probabilities[:, open_columns].argmax(axis=1)]
    return float((likeliest == labels).mean())


def _check_features(first: Features, second: Features, least: int) -> None:
    for features in (first, second):
        if features.ndim != 2:
            raise ValueError(f"features have shape {features.shape}, not (images, features)")
        if len(features) < least:
            raise ValueError(f"features of {len(features)} images are too few: {least} are needed")
        if not np.isfinite(features).all():
            raise ValueError("a feature is infinite or not a number")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{first.shape[1]} features an image cannot be held against {second.shape[1]}"
        )


def _check_probabilities(probabilities: npt.NDArray[np.floating], labels: Labels) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} and labels of shape {labels.shape} do "
            "not fit together: (images, classes) and (images,) do"
        )
    if not len(labels):
        raise ValueError("there are no images")


def _check_opinion(
    opinion: Opinion, labels: Labels, columns: Sequence[int], least: int, what: str
) -> None:
    _check_probabilities(opinion.probabilities, labels)
    if len(opinion.features) != len(labels):
        raise ValueError(f"{what}: features of {len(opinion.features)} of {len(labels)} images")
    if len(np.unique(columns)) < len(columns):
        raise ValueError(f"a class is open twice in {list(columns)}")
    if not np.isin(labels, columns).all():
        raise ValueError(f"a {what} image is of no open class; open are {list(columns)}")
    for column in columns:
        images = int((labels == column).sum())
        if images < least:
            raise ValueError(f"{images} {what} images of class {column}; {least} are needed")
