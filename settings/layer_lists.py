"""What the layers of a variant are together: a network's weights, size, activations and table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from settings.layer_weights import Shape, WeightArray, WeightGroup
from settings.network_layers import (
    INPUT_SHAPE,
    Activated,
    Dense,
    Layer,
    Residual,
    ShapeProblem,
    Variant,
    checked_output,
)

MAXIMUM_PARAMETERS = 50_000_000
# Keras walks through a network by recursion; with more layers Python's own limit would end that.
MAXIMUM_LAYERS = 200


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
    for group in _weight_groups((*layers, Dense(class_count, "linear"))):
        number = seen.get(group.name, 0)
        seen[group.name] = number + 1
        folder = f"layers/{group.name}_{number}" if number else f"layers/{group.name}"
        arrays += [
            WeightArray(f"{folder}/vars/{index}", shape, index < len(group.trained))
            for index, shape in enumerate((*group.trained, *group.moving))
        ]
    return tuple(arrays)


def _weight_groups(layers: Sequence[Layer]) -> Iterator[WeightGroup]:
    shape: Shape = INPUT_SHAPE
    for layer in layers:
        yield from layer.weights(shape)
        shape = layer.output_shape(shape)


def parameter_count(layers: Sequence[Layer], class_count: int) -> int:
    """Number of weights of a network, trainable and not.

    Args:
        layers: of the variant, without the one that tells the classes apart.
        class_count: of that one.

    Returns:
        1 or more.
    """
    return sum(group.size for group in _weight_groups((*layers, Dense(class_count, "linear"))))


def layer_count(layers: Sequence[Layer]) -> int:
    """Number of layers, those in other layers too.

    Args:
        layers: of the variant.

    Returns:
        0 or more.
    """
    return sum(
        1 + (layer_count(layer.layers) if isinstance(layer, Residual) else 0) for layer in layers
    )


def every_layer(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Layers in the network's order; behind the layers in a layer, that one itself.

    Args:
        layers: of the variant.

    Returns:
        An iterator.
    """
    for layer in layers:
        if isinstance(layer, Residual):
            yield from every_layer(layer.layers)
        yield layer


def activations(layers: Sequence[Layer]) -> Iterator[str]:
    """The activations that layers name, those in other layers too, in the order of their work.

    Args:
        layers: of the variant.

    Returns:
        An iterator over names of activations.
    """
    for layer in every_layer(layers):
        if isinstance(layer, Activated):
            yield layer.activation


def with_activation(layers: Sequence[Layer], activation: str) -> Variant:
    """The same layers with one activation for all that have one, in other layers too.

    Args:
        layers: of the variant.
        activation: its name.

    Returns:
        New layers.
    """
    return tuple(_with_activation(layer, activation) for layer in layers)


def _with_activation(layer: Layer, activation: str) -> Layer:
    if isinstance(layer, Residual):
        return Residual(with_activation(layer.layers, activation), activation)
    if isinstance(layer, Activated):
        return dataclasses.replace(layer, activation=activation)
    return layer


@dataclass(frozen=True)
class LayerLine:
    """What a table says of a layer.

    Attributes:
        depth: how many layers it lies in.
        words: the layer in a few words, without those in it.
        shape: of one image after it.
        parameters: number of its own weights, without those in it.
    """

    depth: int
    words: str
    shape: Shape
    parameters: int


def layer_lines(
    layers: Sequence[Layer], shape: Shape = INPUT_SHAPE, depth: int = 0
) -> Iterator[LayerLine]:
    """A line for each layer, and below it for each layer in it.

    Args:
        layers: checked layers.
        shape: of what goes into the first, without the batch axis.
        depth: how many layers they lie in.

    Yields:
        The lines, in the network's order.
    """
    for layer in layers:
        after = layer.output_shape(shape)
        if isinstance(layer, Residual):
            yield LayerLine(depth, f"residual {layer.activation}", after, 0)
            yield from layer_lines(layer.layers, shape, depth + 1)
        else:
            parameters = sum(group.size for group in layer.weights(shape))
            yield LayerLine(depth, layer.words(), after, parameters)
        shape = after


@dataclass(frozen=True)
class Misfit:
    """Why layers make no network.

    Attributes:
        number: of the layer that fails; of the last one where it is the network as a whole.
        before: shape of one image that reaches that layer; empty where it is the network.
        text: what is wrong, one sentence.
    """

    number: int
    before: Shape
    text: str


def variant_problems(layers: Sequence[Layer]) -> tuple[int, str] | None:
    """Whether checked layers make a network.

    Args:
        layers: each checked by itself.

    Returns:
        None when they do, else the number of the first layer that fails and why.
    """
    first = next(misfits(layers), None)
    return None if first is None else (first.number, first.text)


def misfits(layers: Sequence[Layer], *, are_all: bool = True) -> Iterator[Misfit]:
    """Everything that keeps checked layers from making a network.

    Args:
        layers: checked layers, one or more.
        are_all: whether they are the whole network; otherwise others follow them.

    Yields:
        Each layer that cannot follow those before it, as if what was wrong with these were mended;
        of several that need an image where a row of values is left, the first alone. Then what is
        wrong with the network as a whole.
    """
    number_of_layers = layer_count(layers)
    if number_of_layers > MAXIMUM_LAYERS:
        yield Misfit(
            len(layers) - 1,
            (),
            f"the network has {number_of_layers:,} layers, those in other layers counted; at most "
            f"{MAXIMUM_LAYERS} can be trained",
        )
        return
    shape: Shape = INPUT_SHAPE
    fits, lacks_an_image = True, False
    for number, layer in enumerate(layers):
        try:
            shape = checked_output(layer, shape)
        except ShapeProblem as problem:
            fits = False
            is_row = len(shape) == 1
            if not (is_row and lacks_an_image):
                yield Misfit(number, shape, str(problem))
            lacks_an_image = lacks_an_image or is_row
            if isinstance(layer, Dense):
                shape = (layer.dense_layer_size,)
    if are_all:
        yield from _misfits_at_the_end(layers, shape, fits)


def _misfits_at_the_end(layers: Sequence[Layer], shape: Shape, fits: bool) -> Iterator[Misfit]:
    """What is wrong with a network that ends in a shape; `fits`: all of its layers follow."""
    last = len(layers) - 1
    if len(shape) != 1:
        yield Misfit(
            last,
            (),
            "the network ends with an image: it needs 'flatten' or 'globalaveragepooling' to end "
            "in a row",
        )
    elif fits and (count := parameter_count(layers, 1)) > MAXIMUM_PARAMETERS:
        yield Misfit(
            last,
            (),
            f"the network has {count:,} weights; at most {MAXIMUM_PARAMETERS:,} can be trained",
        )
