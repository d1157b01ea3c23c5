"""The layers of a variant as plain data: what each does to an image's shape, and its weights.

Knows shapes and names alone, so that text files and folders are checked without Keras;
`training.keras_layers` makes Keras layers of them. `layer_lists` has what they are together.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from counting import counted
from image_arrays import IMAGE_SIZE
from settings.layer_weights import Shape, WeightGroup, kernel_weights, normalization_weights

INPUT_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 1)
MAXIMUM_ACTIVATIONS = 20_000_000
MAXIMUM_DEPTH = 4
# Activations that never decrease: max pooling before or after them gives the same (to the last bit
# for relu, to rounding for others that are computed in vectors),
# which `keras_layers` uses to compute them on a quarter of the values.
INCREASING_ACTIVATIONS = ("relu", "elu", "selu", "softplus", "sigmoid", "tanh", "leaky_relu")
ACTIVATIONS = (*INCREASING_ACTIVATIONS, "linear", "gelu", "silu")
NORMALIZATIONS = ("batch",)


class ShapeProblem(ValueError):
    """A layer cannot follow the layers before it."""


def _needs_rows_and_columns(shape: Shape, name: str) -> None:
    if len(shape) != 3:
        raise ShapeProblem(
            f"{name} needs an image, but a layer before it, 'flatten' or 'globalaveragepooling', "
            f"left {counted(shape[0], 'value')} in a row; put it before that layer"
        )


def _window_size(size: int, window: int, stride: int, padding: str) -> int:
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


class LayerData(ABC):
    """What every layer tells; one without weights that keeps the shape need say no more of those.

    Shapes are those of one image or row of values, without the batch axis.
    """

    def output_shape(self, shape: Shape) -> Shape:
        """What becomes of a shape.

        Args:
            shape: (rows, columns, channels) or (values,), before the layer.

        Returns:
            The shape after it.

        Raises:
            ShapeProblem: the layer cannot follow those before it.
        """
        return shape

    def weights(self, shape: Shape) -> tuple[WeightGroup, ...]:
        """Shapes of the layer's weights.

        Args:
            shape: before the layer.

        Returns:
            A group for each Keras layer with weights that it stands for, in their order.
        """
        return ()

    @abstractmethod
    def words(self) -> str:
        """Describe the layer.

        Returns:
            A few words, such as `conv 64 3x3 relu`.
        """


@dataclass(frozen=True)
class Conv2D(LayerData):
    """A convolution over an image, with its normalization and activation."""

    type: ClassVar[str] = "conv2d"
    filters: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    activation: str = "relu"
    normalization: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`."""
        return _convolved(self, shape)

    def weights(self, shape: Shape) -> tuple[WeightGroup, ...]:
        """See `LayerData`; the kernel, and what follows it."""
        kernel = (*self.kernel_size, shape[2], self.filters)
        return kernel_weights("conv2d", (kernel,), self.filters, self.normalization)

    def words(self) -> str:
        """See `LayerData`."""
        return f"conv {_convolution_words(self)}"


@dataclass(frozen=True)
class SeparableConv2D(LayerData):
    """A convolution of each channel by itself, then one that mixes channels (Chollet 2017)."""

    type: ClassVar[str] = "separableconv2d"
    filters: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    activation: str = "relu"
    normalization: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`."""
        return _convolved(self, shape)

    def weights(self, shape: Shape) -> tuple[WeightGroup, ...]:
        """See `LayerData`; kernels over rows and columns, over channels, and what follows."""
        kernels = ((*self.kernel_size, shape[2], 1), (1, 1, shape[2], self.filters))
        return kernel_weights("separable_conv2d", kernels, self.filters, self.normalization)

    def words(self) -> str:
        """See `LayerData`."""
        return f"separable conv {_convolution_words(self)}"


def _convolved(layer: Conv2D | SeparableConv2D, shape: Shape) -> Shape:
    _needs_rows_and_columns(shape, repr(layer.type))
    rows, columns = (
        _window_size(size, window, stride, layer.padding)
        for size, window, stride in zip(shape, layer.kernel_size, layer.strides, strict=False)
    )
    if rows < 1 or columns < 1:
        raise ShapeProblem(
            f"a {layer.kernel_size[0]}x{layer.kernel_size[1]} kernel with padding 'valid' does "
            f"not fit into the {shape[0]}x{shape[1]} image that reaches it"
        )
    return rows, columns, layer.filters


def _convolution_words(layer: Conv2D | SeparableConv2D) -> str:
    strides = "" if layer.strides == (1, 1) else f" strides {_times(layer.strides)}"
    padding = "" if layer.padding == "same" else f" {layer.padding}"
    return (
        f"{layer.filters} {_times(layer.kernel_size)}{strides}{padding}{_normalized(layer)} "
        f"{layer.activation}"
    )


def _times(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}x{sizes[1]}"


def _normalized(layer: Conv2D | SeparableConv2D | Dense) -> str:
    return "" if layer.normalization is None else f" {layer.normalization} norm"


@dataclass(frozen=True)
class MaxPooling(LayerData):
    """The largest value of each window of an image; windows do not overlap."""

    type: ClassVar[str] = "maxpooling"
    pool_size: tuple[int, int]

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`."""
        _needs_rows_and_columns(shape, "'maxpooling'")
        rows, columns = shape[0] // self.pool_size[0], shape[1] // self.pool_size[1]
        if rows < 1 or columns < 1:
            raise ShapeProblem(
                f"pooling of {self.pool_size[0]}x{self.pool_size[1]} would leave less than 1x1 of "
                f"the {shape[0]}x{shape[1]} image that reaches it"
            )
        return rows, columns, shape[2]

    def words(self) -> str:
        """See `LayerData`."""
        return f"pool {_times(self.pool_size)}"


@dataclass(frozen=True)
class GlobalAveragePooling(LayerData):
    """The mean of each channel: an image becomes a row of values."""

    type: ClassVar[str] = "globalaveragepooling"

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`; one axis with a value a channel."""
        _needs_rows_and_columns(shape, "'globalaveragepooling'")
        return (shape[2],)

    def words(self) -> str:
        """See `LayerData`."""
        return "global average"


@dataclass(frozen=True)
class Dropout(LayerData):
    """Sets a share of the values to zero while training."""

    type: ClassVar[str] = "dropout"
    dropout_ratio: float

    def words(self) -> str:
        """See `LayerData`."""
        return f"dropout {self.dropout_ratio:g}"


@dataclass(frozen=True)
class BatchNormalization(LayerData):
    """Mean 0 and variance 1 for each channel, then a learnt scale and offset."""

    type: ClassVar[str] = "batchnormalization"

    def weights(self, shape: Shape) -> tuple[WeightGroup, ...]:
        """See `LayerData`; scale, offset, moving mean and moving variance."""
        return (normalization_weights(shape[-1]),)

    def words(self) -> str:
        """See `LayerData`."""
        return "batch norm"


@dataclass(frozen=True)
class Activation(LayerData):
    """A function of each value by itself."""

    type: ClassVar[str] = "activation"
    activation: str

    def words(self) -> str:
        """See `LayerData`."""
        return self.activation


@dataclass(frozen=True)
class SqueezeExcitation(LayerData):
    """Weighs each channel by 0 to 1, as two dense layers make it of all their means (Hu 2018)."""

    type: ClassVar[str] = "squeezeexcitation"
    ratio: int = 8

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`; the shape that came in."""
        _needs_rows_and_columns(shape, "'squeezeexcitation'")
        return shape

    def neurons(self, channels: int) -> int:
        """Size of the first dense layer; the second has a neuron for each channel.

        Args:
            channels: of the image.

        Returns:
            Neurons, 1 or more.
        """
        return max(1, channels // self.ratio)

    def weights(self, shape: Shape) -> tuple[WeightGroup, ...]:
        """See `LayerData`; kernel and bias of both dense layers."""
        channels, neurons = shape[2], self.neurons(shape[2])
        return (
            WeightGroup("dense", ((channels, neurons), (neurons,))),
            WeightGroup("dense", ((neurons, channels), (channels,))),
        )

    def words(self) -> str:
        """See `LayerData`."""
        return f"squeeze and excite 1/{self.ratio}"


@dataclass(frozen=True)
class Flatten(LayerData):
    """An image becomes a row of values."""

    type: ClassVar[str] = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`; one axis with all values."""
        return (math.prod(shape),)

    def words(self) -> str:
        """See `LayerData`."""
        return "flatten"


@dataclass(frozen=True)
class Dense(LayerData):
    """Each neuron sees every value, with its normalization and activation."""

    type: ClassVar[str] = "dense"
    dense_layer_size: int
    activation: str = "relu"
    normalization: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`; one axis with a value a neuron."""
        if len(shape) != 1:
            raise ShapeProblem(
                "'dense' needs a row of values: put 'flatten' or 'globalaveragepooling' before it"
            )
        return (self.dense_layer_size,)

    def weights(self, shape: Shape) -> tuple[WeightGroup, ...]:
        """See `LayerData`; the kernel, and what follows it."""
        kernel = (shape[0], self.dense_layer_size)
        return kernel_weights("dense", (kernel,), self.dense_layer_size, self.normalization)

    def words(self) -> str:
        """See `LayerData`."""
        return f"dense {self.dense_layer_size}{_normalized(self)} {self.activation}"


@dataclass(frozen=True)
class Residual(LayerData):
    """Layers whose result is added to what went into them, then an activation (He 2016).

    The way past the layers has no weights (He's option A): where they shrink the image, it is
    averaged to the same size; where they add channels, channels of zeros are put behind its own.

    Attributes:
        layers: one or more, ending in an image.
        activation: of the sum.
    """

    type: ClassVar[str] = "residual"
    layers: tuple[Layer, ...]
    activation: str = "relu"

    def output_shape(self, shape: Shape) -> Shape:
        """See `LayerData`."""
        _needs_rows_and_columns(shape, "'residual'")
        after = shape
        for number, layer in enumerate(self.layers):
            try:
                after = checked_output(layer, after)
            except ShapeProblem as problem:
                raise ShapeProblem(f"layer {number} in it ({layer.type!r}): {problem}") from problem
        self._check_sum(shape, after)
        return after

    def _check_sum(self, before: Shape, after: Shape) -> None:
        if len(after) != 3:
            raise ShapeProblem(
                f"the layers in it end in a row of {counted(after[0], 'value')}, which cannot be "
                "added to an image; put 'flatten' or 'globalaveragepooling' behind 'residual'"
            )
        if after[2] < before[2]:
            raise ShapeProblem(
                f"the layers in it make {after[2]} channels of {before[2]}, but must make "
                "as many or more"
            )
        if None in (_whole_stride(*sizes) for sizes in zip(before[:2], after[:2], strict=True)):
            raise ShapeProblem(
                f"the layers in it make a {after[0]}x{after[1]} image of {before[0]}x{before[1]}, "
                "a size that no whole stride gives; use padding 'same'"
            )

    def shortcut_strides(self, shape: Shape) -> tuple[int, int]:
        """By how much the way past the layers shrinks rows and columns.

        Args:
            shape: (rows, columns, channels), before the layer.

        Returns:
            Strides; (1, 1) is not at all.
        """
        after = self.output_shape(shape)
        rows, columns = (
            _whole_stride(*sizes) or 1 for sizes in zip(shape[:2], after[:2], strict=True)
        )
        return rows, columns

    def weights(self, shape: Shape) -> tuple[WeightGroup, ...]:
        """See `LayerData`; those of its layers."""
        shapes = shapes_after(self.layers, shape)
        return tuple(
            group
            for layer, before in zip(self.layers, (shape, *shapes), strict=False)
            for group in layer.weights(before)
        )

    def words(self) -> str:
        """See `LayerData`; those in it in brackets."""
        return f"residual ({summary(self.layers)}) {self.activation}"


def _whole_stride(before: int, after: int) -> int | None:
    """The smallest stride that makes so many windows of so many rows, padded at the edges."""
    return next((stride for stride in range(1, before + 1) if -(-before // stride) == after), None)


Layer: TypeAlias = (
    Conv2D
    | SeparableConv2D
    | MaxPooling
    | GlobalAveragePooling
    | Dropout
    | BatchNormalization
    | Activation
    | SqueezeExcitation
    | Residual
    | Flatten
    | Dense
)
Activated: TypeAlias = Conv2D | SeparableConv2D | Activation | Residual | Dense
Variant: TypeAlias = tuple[Layer, ...]
LAYER_TYPES: Mapping[str, type[Layer]] = {
    layer.type: layer
    for layer in (
        Conv2D,
        SeparableConv2D,
        MaxPooling,
        GlobalAveragePooling,
        Dropout,
        BatchNormalization,
        Activation,
        SqueezeExcitation,
        Residual,
        Flatten,
        Dense,
    )
}


def checked_output(layer: Layer, shape: Shape) -> Shape:
    """Shape after a layer, where it can follow and its values fit into memory.

    Args:
        layer: a checked layer.
        shape: of what goes into it, without the batch axis.

    Returns:
        The shape of one image after it.

    Raises:
        ShapeProblem: it cannot follow, or makes too many values.
    """
    after = layer.output_shape(shape)
    if math.prod(after) > MAXIMUM_ACTIVATIONS:
        raise ShapeProblem(f"it makes {math.prod(after):,} values of one image, which is too many")
    return after


def shapes_after(layers: Sequence[Layer], shape: Shape = INPUT_SHAPE) -> tuple[Shape, ...]:
    """Shape of one image after each layer.

    Args:
        layers: checked layers.
        shape: of what goes into the first, without the batch axis.

    Returns:
        One shape a layer, without the batch axis.

    Raises:
        ShapeProblem: a layer cannot follow those before it.
    """
    shapes = []
    for layer in layers:
        shape = layer.output_shape(shape)
        shapes.append(shape)
    return tuple(shapes)


def summary(layers: Sequence[Layer]) -> str:
    """A variant in a few words, such as `conv 64 3x3 relu, pool 2x2, flatten, dense 64 relu`.

    Args:
        layers: of the variant.

    Returns:
        The words.
    """
    return ", ".join(layer.words() for layer in layers)
