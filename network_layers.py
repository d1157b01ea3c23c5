"""The layers of a variant as plain data: what each does to an image's shape, and its weights.

Knows shapes and names alone, so that text files and folders are checked, and networks counted and
listed, without Keras; `cnn_model` makes Keras layers of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

INPUT_SHAPE = (28, 28, 1)
MAXIMUM_PARAMETERS = 50_000_000
MAXIMUM_ACTIVATIONS = 20_000_000
# Activations that never decrease: max pooling before or after them gives the same (to the last bit
# for relu, to rounding for others that are computed in vectors),
# which `cnn_model` uses to compute them on a quarter of the values.
INCREASING_ACTIVATIONS = ("relu", "elu", "selu", "softplus", "sigmoid", "tanh", "leaky_relu")
ACTIVATIONS = (*INCREASING_ACTIVATIONS, "linear", "gelu", "silu")

Shape: TypeAlias = tuple[int, ...]


class ShapeProblem(ValueError):
    """A layer cannot follow the layers before it."""


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


def _needs_rows_and_columns(shape: Shape, name: str) -> None:
    if len(shape) != 3:
        raise ShapeProblem(
            f"{name} needs an image, but a 'flatten' before it left {shape[0]} values in a row; "
            "put it before 'flatten'"
        )


def _window_size(size: int, window: int, stride: int, padding: str) -> int:
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


@dataclass(frozen=True)
class Conv2D:
    """A convolution over an image, with its activation."""

    type: ClassVar[str] = "conv2d"
    filters: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    activation: str = "relu"

    def output_shape(self, shape: Shape) -> Shape:
        """Shape after this layer, of one image, without the batch axis."""
        _needs_rows_and_columns(shape, "'conv2d'")
        rows, columns = (
            _window_size(size, window, stride, self.padding)
            for size, window, stride in zip(shape, self.kernel_size, self.strides, strict=False)
        )
        if rows < 1 or columns < 1:
            raise ShapeProblem(
                f"a {self.kernel_size[0]}x{self.kernel_size[1]} kernel with padding 'valid' does "
                f"not fit into the {shape[0]}x{shape[1]} image that reaches it"
            )
        return rows, columns, self.filters

    def weights(self, shape: Shape) -> tuple[tuple[Shape, bool], ...]:
        """Shapes of the kernel and the bias, with whether each is trained."""
        return ((*self.kernel_size, shape[2], self.filters), True), ((self.filters,), True)


@dataclass(frozen=True)
class MaxPooling:
    """The largest value of each window of an image; windows do not overlap."""

    type: ClassVar[str] = "maxpooling"
    pool_size: tuple[int, int]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape after this layer, of one image, without the batch axis."""
        _needs_rows_and_columns(shape, "'maxpooling'")
        rows, columns = shape[0] // self.pool_size[0], shape[1] // self.pool_size[1]
        if rows < 1 or columns < 1:
            raise ShapeProblem(
                f"pooling of {self.pool_size[0]}x{self.pool_size[1]} would leave less than 1x1 of "
                f"the {shape[0]}x{shape[1]} image that reaches it"
            )
        return rows, columns, shape[2]

    def weights(self, shape: Shape) -> tuple[tuple[Shape, bool], ...]:
        """No weights."""
        return ()


@dataclass(frozen=True)
class Dropout:
    """Sets a share of the values to zero while training."""

    type: ClassVar[str] = "dropout"
    dropout_ratio: float

    def output_shape(self, shape: Shape) -> Shape:
        """The shape that came in."""
        return shape

    def weights(self, shape: Shape) -> tuple[tuple[Shape, bool], ...]:
        """No weights."""
        return ()


@dataclass(frozen=True)
class BatchNormalization:
    """Mean 0 and variance 1 for each channel, then a learnt scale and offset."""

    type: ClassVar[str] = "batchnormalization"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape that came in."""
        return shape

    def weights(self, shape: Shape) -> tuple[tuple[Shape, bool], ...]:
        """Shapes of scale, offset, moving mean and moving variance."""
        channels = (shape[-1],)
        return (channels, True), (channels, True), (channels, False), (channels, False)


@dataclass(frozen=True)
class Flatten:
    """An image becomes a row of values."""

    type: ClassVar[str] = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        """One axis with all values."""
        return (math.prod(shape),)

    def weights(self, shape: Shape) -> tuple[tuple[Shape, bool], ...]:
        """No weights."""
        return ()


@dataclass(frozen=True)
class Dense:
    """Each neuron sees every value, with its activation."""

    type: ClassVar[str] = "dense"
    dense_layer_size: int
    activation: str = "relu"

    def output_shape(self, shape: Shape) -> Shape:
        """One axis with a value a neuron."""
        if len(shape) != 1:
            raise ShapeProblem("'dense' needs a row of values: put 'flatten' before it")
        return (self.dense_layer_size,)

    def weights(self, shape: Shape) -> tuple[tuple[Shape, bool], ...]:
        """Shapes of the kernel and the bias."""
        return ((shape[0], self.dense_layer_size), True), ((self.dense_layer_size,), True)


Layer: TypeAlias = Conv2D | MaxPooling | Dropout | BatchNormalization | Flatten | Dense
Variant: TypeAlias = tuple[Layer, ...]
LAYER_TYPES: Mapping[str, type[Layer]] = {
    layer.type: layer for layer in (Conv2D, MaxPooling, Dropout, BatchNormalization, Flatten, Dense)
}


def shapes_after(layers: Sequence[Layer]) -> tuple[Shape, ...]:
    """Shape of one image after each layer.

    Returns:
        One shape a layer, without the batch axis; `INPUT_SHAPE` goes into the first.

    Raises:
        ShapeProblem: a layer cannot follow those before it.
    """
    shapes = []
    shape: Shape = INPUT_SHAPE
    for layer in layers:
        shape = layer.output_shape(shape)
        shapes.append(shape)
    return tuple(shapes)


def weight_arrays(layers: Sequence[Layer], class_count: int) -> tuple[WeightArray, ...]:
    """Every array of weights of the network that these layers and the softmax make.

    Args:
        layers: a checked variant.
        class_count: number of classes of the softmax that the program adds.

    Returns:
        The arrays in the network's order, under the names that Keras gives them in `.weights.h5`.
    """
    arrays = []
    seen: dict[str, int] = {}
    shape: Shape = INPUT_SHAPE
    names = {"conv2d": "conv2d", "dense": "dense", "batchnormalization": "batch_normalization"}
    for layer in (*layers, Dense(class_count, "linear")):
        weights = layer.weights(shape)
        if weights:
            name = names[layer.type]
            number = seen.get(name, 0)
            seen[name] = number + 1
            folder = f"layers/{name}_{number}" if number else f"layers/{name}"
            arrays += [
                WeightArray(f"{folder}/vars/{index}", size, trainable)
                for index, (size, trainable) in enumerate(weights)
            ]
        shape = layer.output_shape(shape)
    return tuple(arrays)


def layer_parameter_counts(layers: Sequence[Layer], class_count: int) -> tuple[int, ...]:
    """Number of weights of each layer, and last of the softmax layer that the program adds."""
    shapes = [INPUT_SHAPE, *shapes_after(layers)]
    return tuple(
        sum(math.prod(size) for size, _ in layer.weights(shape))
        for layer, shape in zip([*layers, Dense(class_count, "linear")], shapes, strict=True)
    )


def parameter_count(layers: Sequence[Layer], class_count: int) -> int:
    """Number of weights of a network, trainable and not."""
    return sum(array.size for array in weight_arrays(layers, class_count))


def summary(layers: Sequence[Layer]) -> str:
    """A variant in a few words, such as `conv 64 3x3 relu, pool 2x2, flatten, dense 64 relu`."""
    return ", ".join(_layer_summary(layer) for layer in layers)


def _layer_summary(layer: Layer) -> str:
    match layer:
        case Conv2D():
            size = "x".join(str(part) for part in layer.kernel_size)
            strides = "" if layer.strides == (1, 1) else f" strides {layer.strides}"
            padding = "" if layer.padding == "same" else f" {layer.padding}"
            return f"conv {layer.filters} {size}{strides}{padding} {layer.activation}"
        case MaxPooling():
            return "pool " + "x".join(str(part) for part in layer.pool_size)
        case Dropout():
            return f"dropout {layer.dropout_ratio:g}"
        case BatchNormalization():
            return "batch norm"
        case Flatten():
            return "flatten"
        case Dense():
            return f"dense {layer.dense_layer_size} {layer.activation}"


def variant_problems(layers: Sequence[Layer]) -> tuple[int, str] | None:
    """Whether checked layers make a network.

    Returns:
        None when they do, else the number of the layer that fails and why.
    """
    shape: Shape = INPUT_SHAPE
    for number, layer in enumerate(layers):
        try:
            shape = layer.output_shape(shape)
        except ShapeProblem as problem:
            return number, str(problem)
        if math.prod(shape) > MAXIMUM_ACTIVATIONS:
            return number, f"it makes {math.prod(shape):,} values of one image, which is too many"
    if len(shape) != 1:
        return len(layers) - 1, "the network ends with an image: it needs 'flatten' to end in a row"
    count = parameter_count(layers, 1)
    if count > MAXIMUM_PARAMETERS:
        return (
            len(layers) - 1,
            f"the network has {count:,} weights; at most {MAXIMUM_PARAMETERS:,} can be trained",
        )
    return None
