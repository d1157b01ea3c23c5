"""Drawings whose features have the mean of each class, and the spread, that real ones have.

A discriminator leaves out what is rare: drawings that are tidier than handwriting is. This sets the
first two moments of what a frozen network sees right (after Mroueh et al. 2017, "McGan: Mean and
Covariance Feature Matching GAN", with moving averages in place of trained critics).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from gan.layers import scaled
from image_arrays import Images

MEMORY = 0.99  # share of the moving averages that is kept at each step
CLASS_MEMORY = 0.993  # the same, by image of a class
SPREAD_SHARE = 0.2  # weight of the spread, as a share of that of the means
IMAGES_A_CLASS = 500  # that real moments are computed from, at most
BATCH = 500
SMALLEST_DEVIATION = 1e-3


class MomentMatching:
    """Moments of real images, and moving averages of how far drawn ones are from them.

    Features are taken less their class's real mean, over their standard deviation in the mean of
    all features: `spread` is the covariance (D, D) of that.

    Attributes:
        variables: the moving averages, which `penalty` updates: of the features' means by class
            (C, D), and of their products (D, D).
    """

    def __init__(
        self,
        features: keras.Model,
        images: Images,
        labels: npt.NDArray[np.integer],
        weight: float,
        seed: int,
        averages: Sequence[npt.NDArray[np.float32]] = (),
    ) -> None:
        """Compute the moments of real images.

        Args:
            features: frozen, from images in [-1, 1] to vectors (N, D).
            images: uint8 (N, 28, 28).
            labels: integers (N,) from 0; each class up to the highest is there.
            weight: of the penalty.
            seed: of the choice of images, where a class has many.
            averages: values of `variables` to go on from; none to begin where nothing is wrong, so
                that what is asked for comes in softly.
        """
        self._features = features
        self._weight = weight
        seen, labels = _seen(features, images, labels, seed)
        classes = int(labels.max()) + 1
        means = np.stack([seen[labels == label].mean(axis=0) for label in range(classes)])
        centred = seen - means[labels]
        # Every class counts alike, however many images it has.
        spread = np.mean(
            [np.cov(centred[labels == label].T, bias=True) for label in range(classes)], axis=0
        )
        deviation = max(float(np.sqrt(np.diag(spread).mean())), SMALLEST_DEVIATION)
        self._means = ops.convert_to_tensor(means, "float32")
        self._deviation = deviation
        self._spread = ops.convert_to_tensor(spread / deviation**2, "float32")
        mean_errors, products = averages or (ops.zeros(means.shape), self._spread)
        self._mean_errors = keras.Variable(mean_errors, trainable=False, name="means")
        self._products = keras.Variable(products, trainable=False, name="products")
        self.variables = [self._mean_errors, self._products]

    def averages(self) -> tuple[npt.NDArray[np.float32], ...]:
        """Values of `variables` as they are now.

        Returns:
            float32 (C, D) and (D, D).
        """
        return tuple(np.array(ops.convert_to_numpy(one.value)) for one in self.variables)

    def penalty(self, drawn: Any, labels: Any) -> Any:
        """What a generator minimises beside its loss; moves the moving averages on.

        Args:
            drawn: float (N, 28, 28, 1) in [-1, 1].
            labels: integers (N,).

        Returns:
            A scalar whose gradient moves the drawings' moments towards the real ones.
        """
        means = ops.take(self._means, labels, axis=0)
        features = (self._features(drawn, training=False) - means) / self._deviation
        self._move_on(ops.stop_gradient(features), labels)
        wrong_means = ops.take(ops.stop_gradient(self._mean_errors.value), labels, axis=0)
        wrong_spread = ops.stop_gradient(self._products.value) - self._spread
        of_means = ops.mean(ops.sum(features * wrong_means, axis=1))
        of_spread = ops.mean(ops.sum(ops.matmul(features, wrong_spread) * features, axis=1))
        return self._weight * (of_means + SPREAD_SHARE * of_spread)

    def _move_on(self, features: Any, labels: Any) -> None:
        """Update the moving averages by the features (N, D) of a batch."""
        chosen = ops.one_hot(labels, self._mean_errors.shape[0], dtype="float32")
        counts = ops.sum(chosen, axis=0)[:, None]
        batch_means = ops.matmul(ops.transpose(chosen), features) / ops.maximum(counts, 1.0)
        kept = ops.power(CLASS_MEMORY, counts)  # all of it where a class is not in the batch
        self._mean_errors.assign(kept * self._mean_errors + (1.0 - kept) * batch_means)
        count = ops.cast(ops.shape(features)[0], "float32")
        products = ops.matmul(ops.transpose(features), features) / count
        self._products.assign(MEMORY * self._products + (1.0 - MEMORY) * products)


def _seen(
    features: keras.Model, images: Images, labels: npt.NDArray[np.integer], seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.integer]]:
    """Features (M, D) of at most `IMAGES_A_CLASS` images of each class, and their labels (M,)."""
    random = np.random.default_rng(seed)
    rows = np.concatenate(
        [
            random.permutation(np.flatnonzero(labels == label))[:IMAGES_A_CLASS]
            for label in range(int(labels.max()) + 1)
        ]
    )
    parts = [
        ops.convert_to_numpy(features(scaled(images[rows[start : start + BATCH]]), training=False))
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts), labels[rows]
