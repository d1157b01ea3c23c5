"""The text file of variants, each a list of layers: reading and checking.

It is a Python literal with comments allowed, parsed, never executed. Every problem in it is
reported at once, with file, line, variant and layer.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from errors import HyperparameterError
from settings.layer_lists import misfits
from settings.layer_weights import Shape
from settings.literal_files import (
    WRONG,
    Check,
    checked_fields,
    literal_dictionary,
    literal_value,
    number_from,
    one_of,
    one_or_two_whole_numbers,
    parse_expression,
    quote,
    quoted_list,
    raise_problems,
    whole_number,
)
from settings.network_layers import (
    ACTIVATIONS,
    INPUT_SHAPE,
    LAYER_TYPES,
    MAXIMUM_DEPTH,
    NORMALIZATIONS,
    Layer,
    Residual,
    ShapeProblem,
    Variant,
)

# Of one layer; more are not listed, since a hostile file could hold millions.
PROBLEMS_LISTED = 20
# Of a layer that can have one and names none, where the training parameters name none either.
DEFAULT_ACTIVATION = "relu"


def _normalization(value: Any) -> Any:
    if value is None or value in NORMALIZATIONS:
        return value
    raise ValueError(" or ".join(repr(name) for name in NORMALIZATIONS) + ", or None for none")


LAYER_CHECKS: Mapping[str, Check] = {
    "filters": whole_number(1, 4096),
    "kernel_size": one_or_two_whole_numbers(1, 28),
    "strides": one_or_two_whole_numbers(1, 28),
    "padding": one_of(("same", "valid")),
    "activation": one_of(ACTIVATIONS),
    "normalization": _normalization,
    "ratio": whole_number(1, 4096),
    "layers": tuple,  # checked one by one before
    "pool_size": one_or_two_whole_numbers(1, 28),
    "dropout_ratio": number_from(0, 1),
    "dense_layer_size": whole_number(1, 65536),
}


@dataclass(frozen=True)
class _LayerProblem:
    """What is wrong in a layer.

    Attributes:
        path: numbers of the layers in it that lead to the wrong one; empty for itself.
        text: one sentence.
    """

    path: tuple[int, ...]
    text: str

    @property
    def words(self) -> str:
        """The sentence with its place."""
        return "".join(f"layer {number} in it: " for number in self.path) + self.text


def layer_from_dictionary(
    given: Any, activation: str = DEFAULT_ACTIVATION
) -> tuple[Layer | None, list[str]]:
    """Check one layer as it is written in a hyperparameter file.

    Args:
        given: the literal, a dictionary with 'type' and the keys of that type.
        activation: of it and of the layers in it, where they can have one and name none.

    Returns:
        The layer (None when it cannot be made), and every problem found, one sentence each.
    """
    layer, problems = _read_layer(given, activation, 0)
    return layer, [problem.words for problem in problems]


def _read_layer(
    given: Any, activation: str, depth: int
) -> tuple[Layer | None, list[_LayerProblem]]:
    """Check a layer that lies in `depth` others; see `layer_from_dictionary`."""
    try:
        return _checked_layer(given, activation, depth)
    except RecursionError:  # Python cannot write out what is nested so deeply
        return None, [_LayerProblem((), "a value in it is nested too deeply")]


def _checked_layer(
    given: Any, activation: str, depth: int
) -> tuple[Layer | None, list[_LayerProblem]]:
    if given is WRONG or (isinstance(given, dict) and given.get("type") is WRONG):
        return None, []  # it could not be read, which was told already
    if not isinstance(given, dict):
        wrong = f"a layer is a dictionary such as {{'type':'flatten'}}, not {quote(given)}"
        return None, [_LayerProblem((), wrong)]
    name = given.get("type")
    kind = LAYER_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        said = f"unknown type {quote(name)}" if "type" in given else "the key 'type' is missing"
        wrong = f"{said}; types are {quoted_list(list(LAYER_TYPES))}"
        return None, [_LayerProblem((), wrong)]
    rest = {key: value for key, value in given.items() if key != "type"}
    if _may_leave_out_its_activation(kind):
        rest.setdefault("activation", activation)
    nested: list[_LayerProblem] = []
    if kind is Residual and "layers" in rest:
        rest["layers"], nested = _nested_layers(rest["layers"], activation, depth + 1)
    values, found = checked_fields(rest, kind, LAYER_CHECKS, f"{name!r}")
    problems = [_LayerProblem((), text) for text in found] + nested
    made = not problems and WRONG not in rest.values()
    return (kind(**values) if made else None), problems


def _may_leave_out_its_activation(kind: type[Layer]) -> bool:
    """Whether layers have an activation that is not all that they are."""
    return any(
        field.name == "activation" and field.default is not dataclasses.MISSING
        for field in dataclasses.fields(kind)
    )


def _nested_layers(given: Any, activation: str, depth: int) -> tuple[Variant, list[_LayerProblem]]:
    """Check the layers in a layer; returns those that can be made, and every problem found."""
    if depth > MAXIMUM_DEPTH:
        wrong = f"layers with layers in them nest at most {MAXIMUM_DEPTH} deep"
        return (), [_LayerProblem((), wrong)]
    if given is WRONG:  # which was told already
        return (), []
    if not isinstance(given, (list, tuple)) or not given:
        wrong = f"'layers' is {quote(given)}, but must be a list of one or more layers"
        return (), [_LayerProblem((), wrong)]
    layers: list[Layer] = []
    problems: list[_LayerProblem] = []
    for number, literal in enumerate(given):
        layer, found = _read_layer(literal, activation, depth)
        problems += [_LayerProblem((number, *problem.path), problem.text) for problem in found]
        if len(problems) >= PROBLEMS_LISTED:
            break
        if layer is not None:
            layers.append(layer)
    return tuple(layers), problems


def layer_to_dictionary(layer: Layer) -> dict[str, Any]:
    """Write a layer as in a hyperparameter file; pairs are lists, as in JSON.

    Args:
        layer: of any type.

    Returns:
        Every key, but for those whose value is None.
    """
    written: dict[str, Any] = {"type": layer.type}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.name == "layers":
            written["layers"] = [layer_to_dictionary(inner) for inner in value]
        elif value is not None:  # left out, so that layers from before the key stay what they are
            written[field.name] = list(value) if isinstance(value, tuple) else value
    return written


def read_model_hyperparameters(path: Path) -> tuple[Variant, ...]:
    """Read and check a hyperparameter file.

    Args:
        path: a text file, UTF-8, with a list of variants, each a list of layers.

    Returns:
        The variants in the file's order; at least one. Layers that can have an activation and name
        none have `DEFAULT_ACTIVATION`.

    Raises:
        HyperparameterError: the file cannot be read, or holds problems; all of them are named.
    """
    return checked_variants(path, written_variants(path), DEFAULT_ACTIVATION)


def written_variants(path: Path) -> ast.List | ast.Tuple:
    """The list of variants as it is written in a file; what is in it was not looked at.

    Args:
        path: text file with variants.

    Returns:
        The node of the parsed file.

    Raises:
        HyperparameterError: the file cannot be read, or holds no list.
    """
    expression = parse_expression(path, "a list of variants [[...], ...]")
    if not isinstance(expression, (ast.List, ast.Tuple)):
        raise HyperparameterError(
            f"{path}, line {expression.lineno}: this must be a list of variants, "
            "each a list of layers: [[{'type':...}, ...], ...]"
        )
    return expression


def checked_variants(
    path: Path, written: ast.List | ast.Tuple, activation: str
) -> tuple[Variant, ...]:
    """Check the variants of a file.

    Args:
        path: the file, for messages.
        written: its list, as `written_variants` returns it.
        activation: of layers that can have one and name none.

    Returns:
        The variants in the file's order; at least one.

    Raises:
        HyperparameterError: the list holds problems; all of them are named.
    """
    problems: list[str] = []
    variants = [
        _read_variant(node, f"variant {number}", activation, problems)
        for number, node in enumerate(written.elts)
    ]
    if not variants:
        problems.append(f"line {written.lineno}: there is no variant in the list")
    raise_problems(path, problems)
    return tuple(tuple(variant) for variant in variants)


def _read_variant(node: ast.expr, where: str, activation: str, problems: list[str]) -> list[Layer]:
    """Layers of one variant; adds what is wrong to `problems`."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        problems.append(f"line {node.lineno}, {where}: a variant is a list of layers [...]")
        return []
    if not node.elts:
        problems.append(f"line {node.lineno}, {where}: the variant has no layers")
        return []
    layers: list[Layer] = []
    of_layer: list[list[str]] = [[] for _ in node.elts]
    for number, layer_node in enumerate(node.elts):
        place = f"{where}, layer {number}"
        literal = _layer_literal(layer_node, f", {place}", of_layer[number])
        layer, found = _read_layer(literal, activation, 0)
        of_layer[number] += [
            f"line {_layer_node(layer_node, problem.path).lineno}, {place}: {problem.words}"
            for problem in found
        ]
        if layer is not None and not of_layer[number]:
            layers.append(layer)
    # What goes into a layer is known as far as all before it could be read.
    known = list(takewhile(lambda number: not of_layer[number], range(len(of_layer))))
    for misfit in misfits(layers[: len(known)], are_all=len(known) == len(of_layer)):
        number = misfit.number
        line = _layer_node(node.elts[number], _misplaced_in(layers[number], misfit.before)).lineno
        of_layer[number].append(
            f"line {line}, {where}, layer {number} ({layers[number].type!r}): {misfit.text}"
        )
    for found_in_layer in of_layer:
        problems += found_in_layer
    return layers


def _layer_literal(node: ast.expr, where: str, problems: list[str]) -> Any:
    """A layer as it is written; `WRONG` and a problem for what in it is no literal."""
    if not isinstance(node, ast.Dict):
        return literal_value(node, where, problems)

    def value_of(key: Any, value: ast.expr) -> Any:
        if key != "layers" or not isinstance(value, ast.List | ast.Tuple):
            return literal_value(value, where, problems)
        return [
            _layer_literal(inner, f"{where}: layer {number} in it", problems)
            for number, inner in enumerate(value.elts)
        ]

    return literal_dictionary(node, where, problems, value_of)


def _layer_node(node: ast.expr, path: Sequence[int]) -> ast.expr:
    """Where the layer is written that a path of numbers leads to, from the layer at `node`."""
    for number in path:
        node = _nodes_in(node)[number]
    return node


def _nodes_in(node: ast.expr) -> Sequence[ast.expr]:
    """Where the layers in a layer are written."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            named = isinstance(key, ast.Constant) and key.value == "layers"
            if named and isinstance(value, ast.List | ast.Tuple):
                return value.elts
    return ()


def _misplaced_in(layer: Layer, shape: Shape) -> tuple[int, ...]:
    """Which layer in a layer cannot follow what a shape comes from; empty for the layer itself."""
    if isinstance(layer, Residual) and len(shape) == len(INPUT_SHAPE):
        for number, inner in enumerate(layer.layers):
            try:
                shape = inner.output_shape(shape)
            except ShapeProblem:
                return (number, *_misplaced_in(inner, shape))
    return ()
