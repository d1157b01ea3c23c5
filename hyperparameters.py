"""What is to be trained: the variants of one text file, and the settings of another.

Both files are Python literals with comments allowed. They are parsed, never executed, and every
problem in a file is reported at once, with file and line.

    model_hyperparameters.txt        a list of variants, each a list of layers: `variant_file`
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
    literal_value,
    one_of,
    parse_expression,
    quote,
    quoted_list,
    raise_problems,
)
from network_layers import ACTIVATIONS, Layer, Variant
from training_parameters import (
    TRAINING_CHECKS,
    TrainingParameters,
    training_parameters_from_dictionary,
)
from variant_file import (
    DEFAULT_ACTIVATION,
    checked_variants,
    layer_from_dictionary,
    layer_to_dictionary,
    read_model_hyperparameters,
    written_variants,
)

__all__ = (
    "DEFAULT_ACTIVATION",
    "SETTING_CHECKS",
    "TrainingSetting",
    "TrainingTask",
    "identity",
    "layer_from_dictionary",
    "layer_to_dictionary",
    "read_model_hyperparameters",
    "read_training_parameters",
    "read_training_tasks",
)


@dataclass(frozen=True)
class TrainingSetting:
    """A way of training, which variants it is for, and what it makes of them.

    Attributes:
        parameters: how they are trained.
        variants: their numbers in the hyperparameter file; None for all.
        activation: of their layers that can have one and name none.
        tensorboard: folder that trainings are logged in, absolute; None for no log.
    """

    parameters: TrainingParameters
    variants: tuple[int, ...] | None = None
    activation: str = DEFAULT_ACTIVATION
    tensorboard: Path | None = None


def _variant_numbers(value: Any) -> tuple[int, ...]:
    if (
        not isinstance(value, list | tuple)
        or not all(type(number) is int and number >= 0 for number in value)
        or not 0 < len(value) == len(set(value))
    ):
        raise ValueError("a list of different numbers of variants, such as [0, 2]")
    return tuple(value)


def _folder(value: Any) -> Path:
    """A folder as whoever trains finds it, in whatever folder they work."""
    try:
        if isinstance(value, str) and value.strip() and value.isprintable():
            return Path(value).expanduser().absolute()
    except (OSError, RuntimeError) as error:  # no such user, or no current folder
        raise ValueError(f"a folder that can be found ({error})") from error
    raise ValueError("the name of a folder, such as 'logs'")


# Keys of a dictionary of training parameters that are no parameters of the training itself.
SETTING_CHECKS: Mapping[str, Check] = {
    "variants": _variant_numbers,
    "activation": one_of(ACTIVATIONS),
    "tensorboard": _folder,
}


@dataclass(frozen=True)
class TrainingTask:
    """A variant and how it is to be trained: what becomes one entry of a collection.

    Attributes:
        layers: the variant.
        parameters: how it is trained.
        tensorboard: folder that the training is logged in, absolute; None for no log. It changes
            no result, and is no part of the entry.
    """

    layers: Variant
    parameters: TrainingParameters
    tensorboard: Path | None = None

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
    if not isinstance(literal, dict):
        return None, training_parameters_from_dictionary(literal)[1]
    keys = (*TRAINING_CHECKS, *SETTING_CHECKS)
    problems = [
        f"a dictionary of training parameters has no key {quote(key)}; "
        f"its keys are {quoted_list(keys)}"
        for key in literal
        if key not in keys
    ]
    parameters, found = training_parameters_from_dictionary(
        {key: value for key, value in literal.items() if key in TRAINING_CHECKS}
    )
    about: dict[str, Any] = {}
    for key in [key for key in SETTING_CHECKS if key in literal]:
        try:
            about[key] = SETTING_CHECKS[key](literal[key])
        except ValueError as problem:
            found.append(f"{key!r} is {quote(literal[key])}, but must be {problem}")
    problems += found
    if parameters is None or problems:
        return None, problems
    return TrainingSetting(parameters, **about), []


def read_training_tasks(
    hyperparameter_file: Path, training_parameter_file: Path
) -> tuple[TrainingTask, ...]:
    """Read and check both files, which together say what is to be trained.

    Args:
        hyperparameter_file: a text file with variants.
        training_parameter_file: a text file with settings.

    Returns:
        One task for each variant and each setting that is for it, variant by variant; its layers
        have the setting's activation where they name none, and a teacher that was named by its
        number in the file is named by its identity.

    Raises:
        HyperparameterError: a file cannot be read, or holds problems; all of both are named.
    """
    problems = []
    written: ast.List | ast.Tuple | None = None
    settings: tuple[TrainingSetting, ...] = ()
    try:
        written = written_variants(hyperparameter_file)
        checked_variants(hyperparameter_file, written, DEFAULT_ACTIVATION)
    except HyperparameterError as error:
        problems.append(str(error))
    try:
        settings = read_training_parameters(training_parameter_file)
    except HyperparameterError as error:
        problems.append(str(error))
    if written is None or problems:
        raise HyperparameterError("\n".join(problems))
    unknown = {
        number
        for setting in settings
        for number in setting.variants or ()
        if number >= len(written.elts)
    }
    if unknown:
        raise HyperparameterError(
            f"{training_parameter_file} has {min(unknown)} among its 'variants', but the last one "
            f"of {hyperparameter_file} is {len(written.elts) - 1}"
        )
    variants = {
        setting.activation: checked_variants(hyperparameter_file, written, setting.activation)
        for setting in settings
    }
    try:
        return _tasks(variants, settings)
    except HyperparameterError as error:
        raise HyperparameterError(f"{training_parameter_file}: {error}") from error


def _tasks(
    variants: Mapping[str, Sequence[Variant]], settings: Sequence[TrainingSetting]
) -> tuple[TrainingTask, ...]:
    """A task for each variant and each setting that is for it.

    Args:
        variants: the same variants with the activation of each setting.
        settings: one or more.
    """
    tasks: list[list[TrainingTask]] = []
    for number in range(len(variants[settings[0].activation])):
        tasks.append([])
        for setting in settings:
            if setting.variants is None or number in setting.variants:
                layers = variants[setting.activation][number]
                parameters = _with_known_teacher(setting.parameters, number, tasks)
                tasks[-1].append(TrainingTask(layers, parameters, setting.tensorboard))
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
    identities = {task.identity for task in before[teacher]}
    if len(identities) != 1:
        raise HyperparameterError(
            f"the teacher of variant {number} is variant {teacher}, which is trained in "
            f"{len(identities)} ways; name one of them by its identity"
        )
    known = dataclasses.replace(distillation, teacher=identities.pop())
    return dataclasses.replace(parameters, distillation=known)
