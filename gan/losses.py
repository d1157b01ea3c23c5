"""Losses of generator and discriminator, and the penalty on the discriminator's gradient.

Scores are what the discriminator says before any sigmoid: higher means more real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from keras import ops

from gan.gradients import value_and_gradients

Tensor: TypeAlias = Any


@dataclass(frozen=True)
class AdversarialLoss:
    """What the two players minimise.

    Attributes:
        discriminator: from scores of real and of drawn images, float (N,) or (N, 1), to a scalar.
        generator: from scores of drawn images to a scalar.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def _mean_softplus(scores: Tensor) -> Tensor:
    return ops.mean(ops.softplus(scores))


# Goodfellow et al. 2014, with the generator's loss of its section 3, which does not saturate.
NON_SATURATING = AdversarialLoss(
    lambda real, drawn: _mean_softplus(-real) + _mean_softplus(drawn),
    lambda drawn: _mean_softplus(-drawn),
)
# Lim and Ye 2017; Miyato et al. 2018.
HINGE = AdversarialLoss(
    lambda real, drawn: ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + drawn)),
    lambda drawn: -ops.mean(drawn),
)
# Mao et al. 2017, with targets 1 for real and 0 for drawn.
LEAST_SQUARES = AdversarialLoss(
    lambda real, drawn: 0.5 * (ops.mean(ops.square(real - 1.0)) + ops.mean(ops.square(drawn))),
    lambda drawn: 0.5 * ops.mean(ops.square(drawn - 1.0)),
)
# Arjovsky et al. 2017; needs a gradient penalty to bound the discriminator's slope.
WASSERSTEIN = AdversarialLoss(
    lambda real, drawn: ops.mean(drawn) - ops.mean(real),
    lambda drawn: -ops.mean(drawn),
)
LOSSES: Mapping[str, AdversarialLoss] = {
    "non_saturating": NON_SATURATING,
    "hinge": HINGE,
    "least_squares": LEAST_SQUARES,
    "wasserstein": WASSERSTEIN,
}


def discriminator_loss(
    discriminator: Callable[..., Tensor],
    loss: AdversarialLoss,
    real: Tensor,
    drawn: Tensor,
    *,
    penalty: float = 0.0,
    mixture: Tensor | None = None,
) -> Tensor:
    """What a discriminator minimises on a batch.

    Args:
        discriminator: from images to scores, (N, 1).
        loss: of the two players.
        real: float (N, 28, 28, 1).
        drawn: float (N, 28, 28, 1).
        penalty: weight of the gradient penalty; 0 for none.
        mixture: float (N, 1, 1, 1) in [0, 1]: slopes other than 1 are penalised there between real
            and drawn images; None penalises any slope at real ones.

    Returns:
        A scalar.
    """

    def score(images: Tensor) -> Tensor:
        return discriminator(images, training=True)

    # Real and drawn images apart: a discriminator may look at how the images of a batch differ.
    if not penalty:
        return loss.discriminator(score(real), score(drawn))
    if mixture is None:
        scores, slopes = _scores_and_squared_slopes(score, real)
        return loss.discriminator(scores, score(drawn)) + penalty * 0.5 * ops.mean(slopes)
    value = loss.discriminator(score(real), score(drawn))
    return value + penalty * slope_penalty(score, real, drawn, mixture)


def slope_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, drawn: Tensor, mixture: Tensor
) -> Tensor:
    """Penalise slopes other than 1 between real and drawn images (Gulrajani et al. 2017).

    Args:
        score: the discriminator, from images (N, ...) to scores (N, 1).
        real: float (N, 28, 28, 1).
        drawn: float (N, 28, 28, 1).
        mixture: float (N, 1, 1, 1) in [0, 1], where between the two is looked.

    Returns:
        Mean of (|gradient| - 1)^2, a scalar.
    """
    between = mixture * real + (1.0 - mixture) * drawn
    lengths = ops.sqrt(_scores_and_squared_slopes(score, between)[1] + 1e-12)
    return ops.mean(ops.square(lengths - 1.0))


def _scores_and_squared_slopes(
    score: Callable[[Tensor], Tensor], images: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores (N, 1) and the squared lengths (N,) of their gradients by the images."""
    scores: list[Tensor] = []

    def summed(points: list[Tensor]) -> Tensor:
        scores[:] = [score(points[0])]
        return ops.sum(scores[0])

    _, (gradient,) = value_and_gradients(summed, [images], differentiable=True)
    return scores[0], ops.sum(ops.square(gradient), axis=(1, 2, 3))
