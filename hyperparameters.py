"""The two text files that describe networks and how they are trained: reading and checking.

Both files are Python literals with comments allowed. They are parsed, never executed, and every
problem in a file is reported at once, with file, line, variant and layer.

    model_hyperparameters.txt        a list of variants, each a list of layers
    model_training_parameters.txt    one dictionary
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
    Layer,
    Variant,
    variant_problems,
)

OPTIMIZERS = ("adadelta", "adagrad", "adam", "adamax", "adamw", "nadam", "rmsprop", "sgd")


@dataclass(frozen=True)
class TrainingParameters:
    """How a network is trained.

    Attributes:
        optimizer: name of a Keras optimizer, one of `OPTIMIZERS`.
        train_batch_size: images a step, 1 to 100,000.
        train_epochs: times that all training images are seen, 1 to 100,000.
        verbose: 1 shows the layer table before training; changes no result.
        learning_rate: step size; None is the optimizer's own default.
        early_stopping_patience: epochs without a better validation accuracy after which training
            ends and the best epoch's weights are kept; None trains all epochs, keeps the last.
    """

    optimizer: str
    train_batch_size: int
    train_epochs: int
    verbose: int = 0
    learning_rate: float | None = None
    early_stopping_patience: int | None = None

    def changing_the_result(self) -> dict[str, Any]:
        """The parameters that change what is learnt, without those left out."""
        parameters = training_parameters_to_json(self)
        del parameters["verbose"]
        return parameters


LAYER_CHECKS: Mapping[str, Check] = {
    "filters": whole_number(1, 4096),
    "kernel_size": one_or_two_whole_numbers(1, 28),
    "strides": one_or_two_whole_numbers(1, 28),
    "padding": one_of(("same", "valid")),
    "activation": one_of(ACTIVATIONS),
    "pool_size": one_or_two_whole_numbers(1, 28),
    "dropout_ratio": number_between(0, 1, including_low=True),
    "dense_layer_size": whole_number(1, 65536),
}
TRAINING_CHECKS: Mapping[str, Check] = {
    "optimizer": one_of(OPTIMIZERS),
    "train_batch_size": whole_number(1, 100_000),
    "train_epochs": whole_number(1, 100_000),
    "verbose": whole_number(0, 1),
    "learning_rate": number_between(0, 10, including_low=False),
    "early_stopping_patience": whole_number(1, 100_000),
}


def layer_from_dictionary(given: Any) -> tuple[Layer | None, list[str]]:
    """Check one layer as it is written in a hyperparameter file.

    Args:
        given: the literal, a dictionary with 'type' and the keys of that type.

    Returns:
        The layer (None when it cannot be made), and every problem found, one sentence each.
    """
    if not isinstance(given, dict):
        return None, [f"a layer is a dictionary such as {{'type':'flatten'}}, not {quote(given)}"]
    name = given.get("type")
    kind = LAYER_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        said = f"unknown type {quote(name)}" if "type" in given else "the key 'type' is missing"
        return None, [f"{said}; types are {quoted_list(list(LAYER_TYPES))}"]
    rest = {key: value for key, value in given.items() if key != "type"}
    values, problems = checked_fields(rest, kind, LAYER_CHECKS, f"{name!r}")
    return (None if problems else kind(**values)), problems


def layer_to_dictionary(layer: Layer) -> dict[str, Any]:
    """Write a layer as in a hyperparameter file, with every key; pairs are lists, as in JSON."""
    fields = {
        field.name: list(value) if isinstance(value, tuple) else value
        for field in dataclasses.fields(layer)
        for value in [getattr(layer, field.name)]
    }
    return {"type": layer.type, **fields}


def training_parameters_to_json(parameters: TrainingParameters) -> dict[str, Any]:
    """Write training parameters as in their file, without the keys that were left out."""
    return {
        key: value for key, value in dataclasses.asdict(parameters).items() if value is not None
    }


def training_parameters_from_dictionary(
    given: Any,
) -> tuple[TrainingParameters | None, list[str]]:
    """Check training parameters; returns them (None when wrong) and every problem found."""
    if not isinstance(given, dict):
        return None, [f"training parameters are one dictionary {{...}}, not {quote(given)}"]
    values, problems = checked_fields(
        given, TrainingParameters, TRAINING_CHECKS, "the training parameters"
    )
    return (None if problems else TrainingParameters(**values)), problems


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


def read_training_parameters(path: Path) -> TrainingParameters:
    """Read and check a training-parameter file.

    Args:
        path: a text file, UTF-8, with one dictionary.

    Returns:
        The parameters.

    Raises:
        HyperparameterError: the file cannot be read, or holds problems; all of them are named.
    """
    expression = parse_expression(path, "one dictionary {...}")
    problems: list[str] = []
    parameters = None
    literal = literal_value(expression, "", problems)
    if not problems:
        parameters, found = training_parameters_from_dictionary(literal)
        problems += [f"line {expression.lineno}: {problem}" for problem in found]
    raise_problems(path, problems)
    assert parameters is not None
    return parameters


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
