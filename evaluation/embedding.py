"""Maps of images: many numbers for each image brought down to two, so that likeness can be seen."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.floating]
Points = npt.NDArray[np.float64]

PERPLEXITY = 30.0  # how many neighbours an image is kept close to
LEAST_FOR_T_SNE = 8


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Vectors along the directions in which they differ most.

    Attributes:
        points: float64 (N, K), the coordinates; each column has mean 0.
        shares: float64 (K,), the share of all variance that each direction holds, largest first.
    """

    points: Points
    shares: npt.NDArray[np.float64]


def principal_components(vectors: Vectors, count: int) -> PrincipalComponents:
    """Find the directions in which vectors differ most, and their coordinates along them.

    Principal component analysis (Pearson 1901). The sign of a direction, which is arbitrary, is
    chosen so that its largest part is positive: the same vectors give the same picture everywhere.

    Args:
        vectors: floats (N, D), N and D at least 1.
        count: directions K wanted; where the vectors have fewer, the others are 0.

    Returns:
        The coordinates of each vector, and how much each direction holds.

    Raises:
        ValueError: there are no vectors, or they hold what is no finite number.
    """
    if vectors.ndim != 2 or 0 in vectors.shape or not np.isfinite(vectors).all():
        raise ValueError(f"vectors of shape {vectors.shape} cannot be mapped, or are not finite")
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    # The smaller of the two products: both have the same eigenvalues other than 0.
    transposed = len(centred) < centred.shape[1]
    product = centred @ centred.T if transposed else centred.T @ centred
    values, directions = np.linalg.eigh(product)
    kept = np.argsort(values)[::-1][: min(count, *centred.shape)]
    lengths = np.clip(values[kept], 0, None)
    directions = centred.T @ directions[:, kept] if transposed else directions[:, kept]
    directions /= np.maximum(np.linalg.norm(directions, axis=0), 1e-300)
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.where(directions[largest, np.arange(len(kept))] < 0, -1.0, 1.0)
    points = np.zeros((len(centred), count))
    shares = np.zeros(count)
    total = np.square(centred).sum()
    if total > 0:
        points[:, : len(kept)] = centred @ directions
        shares[: len(kept)] = lengths / total
    return PrincipalComponents(points, shares)


def t_sne(vectors: Vectors, seed: int) -> Points | None:
    """Lay vectors out so that neighbours stay neighbours (van der Maaten and Hinton 2008).

    Args:
        vectors: floats (N, D); it is quick where D is 50 or less, so where there are more, give
            their principal components.
        seed: 0 or more; the same seed gives the same map on the same machine.

    Returns:
        float64 (N, 2), of which distances between far points mean little; None where scikit-learn,
        which computes it, is not installed, or fewer than `LEAST_FOR_T_SNE` vectors differ.
    """
    manifold = _manifold()
    if manifold is None or len(np.unique(vectors, axis=0)) < LEAST_FOR_T_SNE:
        return None
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    mapping = manifold.TSNE(
        2, perplexity=perplexity, init="pca", random_state=seed % 2**32, n_jobs=1
    )
    # Its threads wait for each other at every step, which takes minutes on a machine that is busy.
    with importlib.import_module("threadpoolctl").threadpool_limits(1):  # scikit-learn needs it too
        return np.asarray(mapping.fit_transform(vectors), np.float64)


def has_t_sne() -> bool:
    """Whether the library that computes `t_sne` is installed.

    Returns:
        Whether `t_sne` can be called.
    """
    return _manifold() is not None


def _manifold() -> Any:
    """The module of scikit-learn, which the program does without; None where it is missing."""
    try:
        return importlib.import_module("sklearn.manifold")
    except ImportError:
        return None
