"""The weights of a layer as plain data: the shapes of its arrays, and Keras's names for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class WeightGroup:
    """The weights of one Keras layer.

    Attributes:
        name: what Keras calls a layer of this kind in `.weights.h5`.
        trained: shapes of the arrays that are learnt, in Keras's order.
        moving: shapes of the arrays that follow the images seen; they come after the others.
    """

    name: str
    trained: tuple[Shape, ...]
    moving: tuple[Shape, ...] = ()

    @property
    def size(self) -> int:
        """Number of values."""
        return sum(math.prod(shape) for shape in (*self.trained, *self.moving))


@dataclass(frozen=True)
class WeightArray:
    """One array of weights: where it lies in a weights file, its shape, whether it is trained."""

    path: str
    shape: Shape
    trainable: bool

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def normalization_weights(channels: int) -> WeightGroup:
    """The weights of a normalization: scale and offset, then the moving mean and variance.

    Args:
        channels: number of values that are normalized, each by itself.

    Returns:
        One group of weights.
    """
    return WeightGroup("batch_normalization", ((channels,),) * 2, ((channels,),) * 2)


def kernel_weights(
    name: str, kernels: tuple[Shape, ...], outputs: int, normalization: str | None
) -> tuple[WeightGroup, ...]:
    """Kernels with a bias, or with the normalization whose offset takes the bias's place.

    Args:
        name: what Keras calls the layer of the kernels.
        kernels: their shapes.
        outputs: number of channels or neurons.
        normalization: one of `NORMALIZATIONS`, or None.

    Returns:
        Groups, in the order that Keras keeps them in.
    """
    if normalization is not None:
        return WeightGroup(name, kernels), normalization_weights(outputs)
    return (WeightGroup(name, (*kernels, (outputs,))),)
