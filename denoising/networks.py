"""The networks that restore images: autoencoders, and one that estimates the noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt

from denoising.settings import DenoiserSettings, weight_shapes
from image_arrays import IMAGE_SIZE

Tensor: TypeAlias = Any
SMALLEST_SHARE = 1e-6  # what a mean activation counts at least as, and 1 minus at most


class SparsityPenalty(keras.regularizers.Regularizer):  # type: ignore[misc]
    """Kullback-Leibler divergence of how often units are on from how often they should be.

    Ng, Sparse autoencoder (CS294A lecture notes, 2011): the sum over the units of the divergence
    between Bernoulli distributions of the wanted mean and of the mean over the batch.
    """

    def __init__(self, sparsity: float, weight: float) -> None:
        """Penalize means other than `sparsity`, 0 to 1, by `weight` times the divergence."""
        self._sparsity = sparsity
        self._weight = weight

    def __call__(self, activations: Tensor) -> Tensor:
        """N times the penalty of activations (N, units), 0 to 1; Keras divides by N."""
        wanted = self._sparsity
        mean = keras.ops.mean(activations, axis=0)
        mean = keras.ops.clip(mean, SMALLEST_SHARE, 1 - SMALLEST_SHARE)
        on = wanted * (np.log(wanted) - keras.ops.log(mean))
        off = (1 - wanted) * (np.log(1 - wanted) - keras.ops.log(1 - mean))
        images = keras.ops.cast(keras.ops.shape(activations)[0], activations.dtype)
        return images * self._weight * keras.ops.sum(on + off)


def build_denoiser(settings: DenoiserSettings, class_count: int) -> keras.Model:
    """Build the network of a checked denoiser.

    Args:
        settings: how.
        class_count: classes that a 'conditional' one is told of.

    Returns:
        A network from noisy uint8 (N, 28, 28), for 'residual' with float32 (N,) amounts of noise
        beside it, for 'conditional' with int32 (N,) class indices, to float32 (N, 28, 28): the
        image without noise, 0 to 1 (of 'residual' a little outside, too).
    """
    images = keras.Input((IMAGE_SIZE, IMAGE_SIZE), dtype="uint8")
    values = keras.layers.Rescaling(1 / 255)(images)
    values = keras.layers.Reshape((IMAGE_SIZE, IMAGE_SIZE, 1))(values)
    if settings.type == "sparse":
        return keras.Model(images, _sparse(settings, values))
    if settings.type == "residual":
        amounts = keras.Input((), dtype="float32")
        return keras.Model([images, amounts], _residual(settings, values, amounts))
    if settings.type == "conditional":
        labels = keras.Input((), dtype="int32")
        told = keras.layers.Embedding(class_count, settings.class_size)(labels)
        return keras.Model([images, labels], _convolutional(settings, values, told))
    return keras.Model(images, _convolutional(settings, values, None))


def _as_images(values: Tensor) -> Tensor:
    return keras.layers.Reshape((IMAGE_SIZE, IMAGE_SIZE), dtype="float32")(values)


def _convolution(filters: int, values: Tensor, strides: int = 1, **more: Any) -> Tensor:
    layer = keras.layers.Conv2D(filters, 3, strides=strides, padding="same", **more)
    return layer(values)


def _transposed(filters: int, values: Tensor, **more: Any) -> Tensor:
    layer = keras.layers.Conv2DTranspose(filters, 3, strides=2, padding="same", **more)
    return layer(values)


def _convolutional(settings: DenoiserSettings, values: Tensor, told: Tensor | None) -> Tensor:
    """Convolutions of stride 2, and their transposes, with what is told about the class between."""
    filters = settings.filters or ()
    for width in filters:
        values = _convolution(width, values, strides=2, activation="relu")
    if told is not None:
        side = values.shape[1]
        everywhere = keras.layers.RepeatVector(side * side)(told)
        everywhere = keras.layers.Reshape((side, side, told.shape[-1]))(everywhere)
        values = keras.layers.Concatenate()([values, everywhere])
    for width in reversed(filters):
        values = _transposed(width, values, activation="relu")
    return _as_images(_convolution(1, values, activation="sigmoid"))


def _sparse(settings: DenoiserSettings, values: Tensor) -> Tensor:
    """A dense code of which few numbers are on, and what it stands for."""
    penalty = SparsityPenalty(settings.sparsity or 0.0, settings.sparsity_weight or 0.0)
    code = keras.layers.Dense(settings.units, activation="sigmoid", activity_regularizer=penalty)
    values = code(keras.layers.Flatten()(values))
    return _as_images(keras.layers.Dense(IMAGE_SIZE**2, activation="sigmoid")(values))


def _residual(settings: DenoiserSettings, values: Tensor, amounts: Tensor) -> Tensor:
    """The noise is estimated and subtracted (Zhang 2017); its level is told (Zhang 2018)."""
    filters = settings.filters or ()
    level = keras.layers.Reshape((1, 1, 1))(amounts)
    level = keras.layers.UpSampling2D(IMAGE_SIZE)(level)
    seen = keras.layers.Concatenate()([values, level])
    at_each_size = []
    for number, width in enumerate(filters):
        seen = _convolution(width, seen, strides=2 if number else 1, activation="relu")
        at_each_size.append(seen)
    for _ in range(settings.blocks or 0):
        inner = _convolution(filters[-1], seen, activation="relu")
        seen = keras.layers.Add()([seen, _convolution(filters[-1], inner)])
    for width, before in zip(reversed(filters[:-1]), reversed(at_each_size[:-1]), strict=True):
        seen = keras.layers.Add()([_transposed(width, seen, activation="relu"), before])
    noise = _convolution(1, seen)
    return _as_images(keras.layers.Subtract()([values, noise]))


def variables(network: keras.Model) -> list[Any]:
    """The weights in the order of `settings.weight_shapes`, wherever Keras puts the classes.

    Args:
        network: made by `build_denoiser`.

    Returns:
        Its Keras variables, those of the classes first.
    """
    of_classes = [layer for layer in network.layers if isinstance(layer, keras.layers.Embedding)]
    others = [layer for layer in network.layers if layer not in of_classes]
    return [variable for layer in (*of_classes, *others) for variable in layer.weights]


def get_weights(network: keras.Model) -> npt.NDArray[np.float32]:
    """All weights in one row.

    Args:
        network: made by `build_denoiser`.

    Returns:
        float32 (W,), in the order of `settings.weight_shapes`.
    """
    rows = [keras.ops.convert_to_numpy(variable).ravel() for variable in variables(network)]
    return np.concatenate(rows).astype(np.float32)


def set_weights(
    network: keras.Model,
    settings: DenoiserSettings,
    class_count: int,
    weights: npt.NDArray[np.floating],
) -> None:
    """Fill a network with a row of weights.

    Args:
        network: made by `build_denoiser`; it is changed.
        settings: that it was made with.
        class_count: that it was made with.
        weights: (W,), in the order of `settings.weight_shapes`.
    """
    shapes = weight_shapes(settings, class_count)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(weights.astype(np.float32), ends[:-1])
    for variable, part, shape in zip(variables(network), parts, shapes, strict=True):
        variable.assign(part.reshape(shape))


def restore(
    network: keras.Model,
    settings: DenoiserSettings,
    images: npt.NDArray[np.uint8],
    amounts: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
) -> npt.NDArray[np.uint8]:
    """Take the noise out of images.

    Args:
        network: made by `build_denoiser` and trained.
        settings: of the denoiser.
        images: uint8 (N, 28, 28), noisy.
        amounts: floats (N,) of noise; only 'residual' looks at them.
        labels: integers (N,), classes; only 'conditional' looks at them.

    Returns:
        uint8 (N, 28, 28).
    """
    given = inputs(settings, images, amounts, labels)
    restored = network.predict(given, batch_size=256, verbose=0)
    rounded: npt.NDArray[np.uint8] = np.rint(np.clip(restored, 0, 1) * 255).astype(np.uint8)
    return rounded


def inputs(
    settings: DenoiserSettings,
    images: npt.NDArray[np.uint8],
    amounts: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
) -> npt.NDArray[np.uint8] | Sequence[npt.NDArray[Any]]:
    """What a denoiser of that type is given, of what is known about noisy images.

    Args:
        settings: of the denoiser.
        images: uint8 (N, 28, 28), noisy.
        amounts: floats (N,) of noise; only "residual" looks at them.
        labels: integers (N,), classes; only "conditional" looks at them.

    Returns:
        The images alone; with float32 (N,) amounts for "residual", with int32 (N,) labels for
        "conditional".
    """
    if settings.type == "residual":
        return images, amounts.astype(np.float32)
    if settings.type == "conditional":
        return images, labels.astype(np.int32)
    return images
