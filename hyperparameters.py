"""The two text files that describe networks and how they are trained: reading and checking.

Both files are Python literals with comments allowed. They are parsed, never executed, and every
problem in a file is reported at once, with file, line, variant and layer.

    model_hyperparameters.txt        a list of variants, each a list of layers
    model_training_parameters.txt    one dictionary, or a list of them
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import HyperparameterError
from literal_files import (
    WRONG,
    Check,
    checked_fields,
    literal_value,
    number_between,
    one_of,
    one_or_two_whole_numbers,
    parse_expression,
    quote,
    quoted_list,
    raise_problems,
    whole_number,
)
from network_layers import (
    ACTIVATIONS,
    LAYER_TYPES,
    MAXIMUM_DEPTH,
    NORMALIZATIONS,
    Layer,
    Residual,
    Variant,
    variant_problems,
)
from training_parameters import TrainingParameters, training_parameters_from_dictionary

# Of one layer; more are not listed, since a hostile file could hold millions.
PROBLEMS_LISTED = 20


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
    "dropout_ratio": number_between(0, 1, including_low=True),
    "dense_layer_size": whole_number(1, 65536),
}


def layer_from_dictionary(given: Any, depth: int = 0) -> tuple[Layer | None, list[str]]:
    """Check one layer as it is written in a hyperparameter file.

    Args:
        given: the literal, a dictionary with 'type' and the keys of that type.
        depth: how many layers it lies in.

    Returns:
        The layer (None when it cannot be made), and every problem found, one sentence each.
    """
    try:
        return _checked_layer(given, depth)
    except RecursionError:  # Python cannot write out what is nested so deeply
        return None, ["a value in it is nested too deeply"]


def _checked_layer(given: Any, depth: int) -> tuple[Layer | None, list[str]]:
    if not isinstance(given, dict):
        return None, [f"a layer is a dictionary such as {{'type':'flatten'}}, not {quote(given)}"]
    name = given.get("type")
    kind = LAYER_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        said = f"unknown type {quote(name)}" if "type" in given else "the key 'type' is missing"
        return None, [f"{said}; types are {quoted_list(list(LAYER_TYPES))}"]
    rest = {key: value for key, value in given.items() if key != "type"}
    nested: list[str] = []
    if kind is Residual and "layers" in rest:
        rest["layers"], nested = _nested_layers(rest["layers"], depth + 1)
    values, problems = checked_fields(rest, kind, LAYER_CHECKS, f"{name!r}")
    problems += nested
    return (None if problems else kind(**values)), problems


def _nested_layers(given: Any, depth: int) -> tuple[Variant, list[str]]:
    """Check the layers in a layer; returns those that can be made, and every problem found."""
    if depth > MAXIMUM_DEPTH:
        return (), [f"layers with layers in them nest at most {MAXIMUM_DEPTH} deep"]
    if not isinstance(given, (list, tuple)) or not given:
        return (), [f"'layers' is {quote(given)}, but must be a list of one or more layers"]
    layers: list[Layer] = []
    problems: list[str] = []
    for number, literal in enumerate(given):
        layer, found = layer_from_dictionary(literal, depth)
        problems += [f"layer {number} in it: {problem}" for problem in found]
        if len(problems) >= PROBLEMS_LISTED:
            break
        if layer is not None:
            layers.append(layer)
    return tuple(layers), problems


def layer_to_dictionary(layer: Layer) -> dict[str, Any]:
    """Write a layer as in a hyperparameter file; pairs are lists, as in JSON.

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


@dataclass(frozen=True)
class TrainingSetting:
    """A way of training, and which variants it is for.

    Attributes:
        parameters: how they are trained.
        variants: their numbers in the hyperparameter file; None for all.
    """

    parameters: TrainingParameters
    variants: tuple[int, ...] | None = None


@dataclass(frozen=True)
class TrainingTask:
    """A variant and how it is to be trained: what becomes one entry of a collection."""

    layers: Variant
    parameters: TrainingParameters

    @property
    def identity(self) -> str:
        """What makes two trainings the same; see the function `identity`."""
        return identity(self.layers, self.parameters)


def identity(layers: Sequence[Layer], parameters: TrainingParameters) -> str:
    """What makes two trainings the same: the layers, and the parameters that change the result.

    Returns:
        16 hexadecimal digits.
    """
    text = json.dumps(
        [[layer_to_dictionary(layer) for layer in layers], parameters.changing_the_result()],
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_model_hyperparameters(path: Path) -> tuple[Variant, ...]:
    """Read and check a hyperparameter file.

    Args:
        path: a text file, UTF-8, with a list of variants, each a list of layers.

    Returns:
        The variants in the file's order; at least one.

    Raises:
        HyperparameterError: the file cannot be read, or holds problems; all of them are named.
    """
    expression = parse_expression(path, "a list of variants [[...], ...]")
    if not isinstance(expression, (ast.List, ast.Tuple)):
        raise HyperparameterError(
            f"{path}, line {expression.lineno}: this must be a list of variants, "
            "each a list of layers: [[{'type':...}, ...], ...]"
        )
    problems: list[str] = []
    variants = [
        _read_variant(node, f"variant {number}", problems)
        for number, node in enumerate(expression.elts)
    ]
    if not variants:
        problems.append(f"line {expression.lineno}: there is no variant in the list")
    raise_problems(path, problems)
    return tuple(tuple(variant) for variant in variants)


def read_training_parameters(path: Path) -> tuple[TrainingSetting, ...]:
    """Read and check a training-parameter file.

    Args:
        path: a text file, UTF-8, with one dictionary, or a list of them.

    Returns:
        The settings, in the file's order.

    Raises:
        HyperparameterError: the file cannot be read, or holds problems; all of them are named.
    """
    expression = parse_expression(path, "one dictionary {...}")
    problems: list[str] = []
    is_list = isinstance(expression, ast.List)
    nodes = expression.elts if isinstance(expression, ast.List) else [expression]
    settings = []
    for number, node in enumerate(nodes):
        place = f", dictionary {number}" if is_list else ""
        literal = literal_value(node, place, problems)
        if literal is WRONG:
            continue
        setting, found = _read_setting(literal)
        problems += [f"line {node.lineno}{place}: {problem}" for problem in found]
        if setting is not None:
            settings.append(setting)
    if not nodes:
        problems.append(f"line {expression.lineno}: there is no dictionary in the list")
    raise_problems(path, problems)
    return tuple(settings)


def _read_setting(literal: Any) -> tuple[TrainingSetting | None, list[str]]:
    """A dictionary of the file; None, and what is wrong, where something is."""
    if not isinstance(literal, dict) or "variants" not in literal:
        parameters, problems = training_parameters_from_dictionary(literal)
        return (None if parameters is None else TrainingSetting(parameters)), problems
    keys = {key: value for key, value in literal.items() if key != "variants"}
    parameters, problems = training_parameters_from_dictionary(keys)
    variants = literal["variants"]
    if (
        not isinstance(variants, list | tuple)
        or not all(type(number) is int and number >= 0 for number in variants)
        or not 0 < len(variants) == len(set(variants))
    ):
        problems.append(
            f"'variants' is {quote(variants)}, but must be a list of different numbers of "
            "variants, such as [0, 2]"
        )
    if parameters is None or problems:
        return None, problems
    return TrainingSetting(parameters, tuple(variants)), []


def read_training_tasks(
    hyperparameter_file: Path, training_parameter_file: Path
) -> tuple[TrainingTask, ...]:
    """Read and check both files, which together say what is to be trained.

    Args:
        hyperparameter_file: a text file with variants.
        training_parameter_file: a text file with settings.

    Returns:
        One task for each variant and each setting that is for it, variant by variant; a teacher
        that was named by its number in the file is named by its identity.

    Raises:
        HyperparameterError: a file cannot be read, or holds problems; all of both are named.
    """
    problems = []
    variants: tuple[Variant, ...] = ()
    settings: tuple[TrainingSetting, ...] = ()
    try:
        variants = read_model_hyperparameters(hyperparameter_file)
    except HyperparameterError as error:
        problems.append(str(error))
    try:
        settings = read_training_parameters(training_parameter_file)
    except HyperparameterError as error:
        problems.append(str(error))
    unknown = {n for setting in settings for n in setting.variants or () if n >= len(variants)}
    if unknown and not problems:
        problems.append(
            f"{training_parameter_file} has {min(unknown)} among its 'variants', but the last one "
            f"of {hyperparameter_file} is {len(variants) - 1}"
        )
    if problems:
        raise HyperparameterError("\n".join(problems))
    tasks: list[list[TrainingTask]] = []
    for number, layers in enumerate(variants):
        tasks.append([])
        for setting in settings:
            if setting.variants is None or number in setting.variants:
                try:
                    parameters = _with_known_teacher(setting.parameters, number, tasks)
                except HyperparameterError as error:
                    raise HyperparameterError(f"{training_parameter_file}: {error}") from error
                tasks[-1].append(TrainingTask(layers, parameters))
    return tuple(task for of_variant in tasks for task in of_variant)


def _with_known_teacher(
    parameters: TrainingParameters, number: int, before: Sequence[Sequence[TrainingTask]]
) -> TrainingParameters:
    """Parameters whose teacher is an identity, and no longer the number of a variant."""
    distillation = parameters.distillation
    if distillation is None or isinstance(distillation.teacher, str):
        return parameters
    teacher = distillation.teacher
    if teacher >= number:
        raise HyperparameterError(
            f"the teacher of variant {number} is variant {teacher}, but must come before it; give "
            "each of them a dictionary of its own with 'variants', the teacher's without "
            "'distillation'"
        )
    if len(before[teacher]) != 1:
        raise HyperparameterError(
            f"the teacher of variant {number} is variant {teacher}, which is trained in "
            f"{len(before[teacher])} ways; name one of them by its identity"
        )
    known = dataclasses.replace(distillation, teacher=before[teacher][0].identity)
    return dataclasses.replace(parameters, distillation=known)


def _read_variant(node: ast.expr, where: str, problems: list[str]) -> list[Layer]:
    """Layers of one variant; adds what is wrong to `problems`."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        problems.append(f"line {node.lineno}, {where}: a variant is a list of layers [...]")
        return []
    if not node.elts:
        problems.append(f"line {node.lineno}, {where}: the variant has no layers")
        return []
    before = len(problems)
    layers: list[Layer] = []
    for number, layer_node in enumerate(node.elts):
        place = f"line {layer_node.lineno}, {where}, layer {number}"
        literal = literal_value(layer_node, f", {where}, layer {number}", problems)
        if literal is WRONG:
            continue
        layer, found = layer_from_dictionary(literal)
        problems += [f"{place}: {problem}" for problem in found]
        if layer is not None:
            layers.append(layer)
    if len(problems) == before:
        wrong = variant_problems(layers)
        if wrong is not None:
            number, problem = wrong
            line = node.elts[number].lineno
            problems.append(
                f"line {line}, {where}, layer {number} ({layers[number].type!r}): {problem}"
            )
    return layers
