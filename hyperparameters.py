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
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from errors import HyperparameterError
from network_layers import (
    ACTIVATIONS,
    LAYER_TYPES,
    Layer,
    Variant,
    variant_problems,
)

MAXIMUM_FILE_BYTES = 1_000_000
NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # Windows has no such files
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


Check: TypeAlias = Callable[[Any], Any]


def _whole_number(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,}")
        return value

    return check


def _number(low: float, high: float, *, including_low: bool) -> Check:
    def check(value: Any) -> float:
        inside = type(value) in (int, float) and (
            low <= value < high if including_low else low < value <= high
        )
        if not inside:
            raise ValueError(
                f"a number from {low:g} up to, not including, {high:g}"
                if including_low
                else f"a number above {low:g}, at most {high:g}"
            )
        return float(value)

    return check


def _one_of(names: Sequence[str]) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError("one of " + ", ".join(repr(name) for name in names))
        return value

    return check


def _one_or_two_whole_numbers(low: int, high: int) -> Check:
    def check(value: Any) -> tuple[int, int]:
        pair = (value, value) if type(value) is int else value
        fits = isinstance(pair, (tuple, list)) and len(pair) == 2
        if not fits or not all(type(part) is int and low <= part <= high for part in pair):
            raise ValueError(
                f"a whole number from {low} to {high}, or two of them such as ({low}, {low})"
            )
        return int(pair[0]), int(pair[1])

    return check


LAYER_CHECKS: Mapping[str, Check] = {
    "filters": _whole_number(1, 4096),
    "kernel_size": _one_or_two_whole_numbers(1, 28),
    "strides": _one_or_two_whole_numbers(1, 28),
    "padding": _one_of(("same", "valid")),
    "activation": _one_of(ACTIVATIONS),
    "pool_size": _one_or_two_whole_numbers(1, 28),
    "dropout_ratio": _number(0, 1, including_low=True),
    "dense_layer_size": _whole_number(1, 65536),
}
TRAINING_CHECKS: Mapping[str, Check] = {
    "optimizer": _one_of(OPTIMIZERS),
    "train_batch_size": _whole_number(1, 100_000),
    "train_epochs": _whole_number(1, 100_000),
    "verbose": _whole_number(0, 1),
    "learning_rate": _number(0, 10, including_low=False),
    "early_stopping_patience": _whole_number(1, 100_000),
}


def _quote(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out a number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def _quoted_list(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _checked_fields(
    given: Mapping[Any, Any], kind: type[Any], checks: Mapping[str, Check], what: str
) -> tuple[dict[str, Any], list[str]]:
    """Check a dictionary against a dataclass; returns its fields and every problem found."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    problems = [
        f"{what} has no key {_quote(key)}; its keys are {_quoted_list(list(fields)) or 'none'}"
        for key in given
        if key not in fields
    ]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in given:
            try:
                values[name] = checks[name](given[name])
            except ValueError as problem:
                problems.append(f"{name!r} is {_quote(given[name])}, but must be {problem}")
        elif field.default is dataclasses.MISSING:
            problems.append(f"{what} needs the key {name!r}")
    return values, problems


def layer_from_dictionary(given: Any) -> tuple[Layer | None, list[str]]:
    """Check one layer as it is written in a hyperparameter file.

    Args:
        given: the literal, a dictionary with 'type' and the keys of that type.

    Returns:
        The layer (None when it cannot be made), and every problem found, one sentence each.
    """
    if not isinstance(given, dict):
        return None, [f"a layer is a dictionary such as {{'type':'flatten'}}, not {_quote(given)}"]
    name = given.get("type")
    kind = LAYER_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        said = f"unknown type {_quote(name)}" if "type" in given else "the key 'type' is missing"
        return None, [f"{said}; types are {_quoted_list(list(LAYER_TYPES))}"]
    rest = {key: value for key, value in given.items() if key != "type"}
    values, problems = _checked_fields(rest, kind, LAYER_CHECKS, f"{name!r}")
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
        return None, [f"training parameters are one dictionary {{...}}, not {_quote(given)}"]
    values, problems = _checked_fields(
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
    expression = _parse(path, "a list of variants [[...], ...]")
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
    _raise_problems(path, problems)
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
    expression = _parse(path, "one dictionary {...}")
    problems: list[str] = []
    parameters = None
    literal = _literal(expression, "", problems)
    if not problems:
        parameters, found = training_parameters_from_dictionary(literal)
        problems += [f"line {expression.lineno}: {problem}" for problem in found]
    _raise_problems(path, problems)
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
        literal = _literal(layer_node, f", {where}, layer {number}", problems)
        if literal is _WRONG:
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


_WRONG = object()


def _literal(node: ast.expr, where: str, problems: list[str]) -> Any:
    """Value of a literal; `_WRONG` and a problem when it is anything else."""
    if isinstance(node, ast.Dict):
        problem = _repeated_key(node)
        if problem:
            problems.append(f"line {node.lineno}{where}: {problem}")
            return _WRONG
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        problems.append(
            f"line {node.lineno}{where}: {_source(node)} is not a plain value; only numbers, "
            "texts, tuples, lists and dictionaries may stand here"
        )
        return _WRONG


def _source(node: ast.expr) -> str:
    try:
        return _quote(ast.unparse(node))
    except (RecursionError, ValueError):
        return "this"


def _repeated_key(node: ast.Dict) -> str | None:
    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            return f"the key {_quote(key)} is there twice"
    return None


def _parse(path: Path, expected: str) -> ast.expr:
    """The single expression in a text file."""
    text = _read_text(path).lstrip("\ufeff \t\f")
    if not text.strip():
        raise HyperparameterError(f"{path} is empty; it must hold {expected}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of odd escapes, on standard error
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise HyperparameterError(
            f"{path}{line}: this cannot be read as {expected}: {error.msg}"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise HyperparameterError(
            f"{path} cannot be read as {expected}: {str(error) or 'it is nested too deeply'}"
        ) from error


def _read_text(path: Path) -> str:
    try:
        if path.is_dir():
            raise HyperparameterError(f"{path} is a folder; a text file is needed here")
        if path.exists() and not path.is_file():
            raise HyperparameterError(f"{path} is no ordinary file; a text file is needed here")
        # Without waiting: some system files say that they are ordinary and never end.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | NO_WAITING)) as file:
            content = file.read(MAXIMUM_FILE_BYTES + 1) or b""
        if len(content) > MAXIMUM_FILE_BYTES:
            raise HyperparameterError(
                f"{path} has more than {MAXIMUM_FILE_BYTES:,} bytes; a text file is shorter"
            )
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError as error:
        raise HyperparameterError(
            f"there is no file {path}; give the path of a text file"
        ) from error
    except UnicodeDecodeError as error:
        raise HyperparameterError(
            f"{path} is not a text file in UTF-8, see its byte {error.start}"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HyperparameterError(f"{path} cannot be read: {reason}") from error


def _raise_problems(path: Path, problems: Sequence[str]) -> None:
    if len(problems) == 1:
        raise HyperparameterError(f"{path}, {problems[0]}")
    if problems:
        raise HyperparameterError(
            f"{path} has {len(problems)} problems:\n" + "\n".join(f"  {line}" for line in problems)
        )
