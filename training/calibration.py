"""Probabilities that mean what they say: a temperature and a bias of each class, fitted afterwards.

A network that was smoothed, averaged or shown its classes in other shares says 60 % where it is
right nine times in ten, and leans to some classes. Both are mended in the layer before the softmax,
by images that it has not learnt from, and cost nothing when reading (Guo 2017; Alexandari 2020,
"bias-corrected temperature scaling").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special

Floats = npt.NDArray[np.floating]

# With few images a class, biases stay small; with thousands this changes nothing that counts.
BIAS_PENALTY = 1e-3
LEAST_PROBABILITY = 1e-37  # the logarithm of a float32 below is no number
# A network that makes no mistake would be made ever surer.
TEMPERATURES = 0.1, 10.0


@dataclass(frozen=True)
class Calibration:
    """What is done to logits: divided by the temperature, then the biases are added.

    Attributes:
        temperature: `TEMPERATURES` at the ends; below 1 where the network was too modest.
        biases: float64 (C,), in nats; their sum is 0.
    """

    temperature: float
    biases: npt.NDArray[np.float64]


def fit(
    probabilities: Floats, labels: npt.NDArray[np.integer], *, classes_count_alike: bool
) -> Calibration:
    """Find the calibration with the least cross-entropy.

    Args:
        probabilities: (N, C), of images that took no part in training, rows summing to 1.
        labels: integers (N,), the classes of these images.
        classes_count_alike: whether each class weighs the same, however many images it has;
            otherwise each image does.

    Returns:
        The calibration. A class without images keeps the bias that the others give it.
    """
    class_count = probabilities.shape[1]
    logits = np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
    counts = np.bincount(labels, minlength=class_count)
    shares = 1 / counts[labels] if classes_count_alike else np.ones(len(labels))
    shares = shares / shares.sum()
    rows = np.arange(len(labels))

    def penalized_loss(
        values: npt.NDArray[np.float64],
    ) -> tuple[float, npt.NDArray[np.float64]]:
        sharpness, biases = np.exp(values[0]), values[1:]
        scaled = logits * sharpness + biases
        logarithms = scaled - scipy.special.logsumexp(scaled, axis=1, keepdims=True)
        loss = -(shares * logarithms[rows, labels]).sum() + BIAS_PENALTY * (biases**2).sum()
        slopes = np.exp(logarithms) * shares[:, None]
        slopes[rows, labels] -= shares
        of_sharpness = (slopes * logits).sum() * sharpness
        return loss, np.r_[of_sharpness, slopes.sum(axis=0) + 2 * BIAS_PENALTY * biases]

    lowest, highest = np.log(TEMPERATURES)
    bounds = [(-highest, -lowest), *[(None, None)] * class_count]
    found = scipy.optimize.minimize(
        penalized_loss, np.zeros(class_count + 1), jac=True, method="L-BFGS-B", bounds=bounds
    )
    temperature = float(np.clip(np.exp(-found.x[0]), *TEMPERATURES))
    return Calibration(temperature, found.x[1:] - found.x[1:].mean())


def calibrated_softmax(weights: tuple[Floats, ...], calibration: Calibration) -> tuple[Floats, ...]:
    """Weights of a network whose last layer, the softmax, does what the calibration says.

    Args:
        weights: all of a network's; the last two are the softmax layer's, (F, C) and (C,).
        calibration: of C classes.

    Returns:
        Arrays of the same shapes, float32.
    """
    *others, kernel, bias = weights
    scaled = np.asarray(bias, np.float64) / calibration.temperature + calibration.biases
    kernel = np.asarray(kernel, np.float64) / calibration.temperature
    return (*others, kernel.astype(np.float32), scaled.astype(np.float32))
