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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from errors import HyperparameterError
from settings.literal_files import (
    WRONG,
    Check,
    literal_dictionary,
    literal_value,
    one_of,
    parse_expression,
    quote,
    quoted_list,
    raise_problems,
)
from settings.network_layers import ACTIVATIONS, Layer, Variant
from settings.training_parameters import (
    TRAINING_CHECKS,
    Distillation,
    TrainingParameters,
    checked_training_values,
    training_parameters_from_dictionary,
    without_idle_keys,
)
from settings.variant_file import (
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
    "TrainingPlan",
    "TrainingSetting",
    "TrainingTask",
    "identity",
    "layer_from_dictionary",
    "layer_to_dictionary",
    "read_model_hyperparameters",
    "read_training_parameters",
    "read_training_plan",
    "read_training_tasks",
)

UNKNOWN_SHOWN = 5


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
        name: what the two files call it, such as `variant 2`, or `variant 2, dictionary 1` where a
            variant is trained in several ways; empty where it comes from no files.
    """

    layers: Variant
    parameters: TrainingParameters
    tensorboard: Path | None = None
    name: str = field(default="", compare=False)

    @cached_property
    def identity(self) -> str:
        """What makes two trainings the same; see the function `identity`."""
        return identity(self.layers, self.parameters)


@dataclass(frozen=True)
class TrainingPlan:
    """What two text files say is to be trained.

    Attributes:
        tasks: one for each variant and each setting that is for it, variant by variant.
        activation_without_use: numbers of the variants in which the `'activation'` of a setting
            that is for them changes nothing: each of their layers names its own, or has none.
    """

    tasks: tuple[TrainingTask, ...]
    activation_without_use: tuple[int, ...]

    def repeated(self) -> tuple[tuple[TrainingTask, TrainingTask], ...]:
        """Tasks that are the same training as an earlier one, each with that one before it."""
        first: dict[str, TrainingTask] = {}
        return tuple(
            (earlier, task)
            for task in self.tasks
            if (earlier := first.setdefault(task.identity, task)) is not task
        )


def identity(layers: Sequence[Layer], parameters: TrainingParameters) -> str:
    """What makes two trainings the same: the layers, and the parameters that change the result.

    Args:
        layers: of the variant.
        parameters: of the training.

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
    dictionaries, problems = _dictionaries(path)
    raise_problems(path, problems)
    return tuple(one.setting() for one in dictionaries)


@dataclass(frozen=True)
class _Dictionary:
    """A dictionary of the training-parameter file, as far as it is right.

    Attributes:
        place: where it stands, such as `line 3, dictionary 1`.
        keys: what is written in it, right or wrong; None where that could not be read.
        values: of the keys that are right, as they are used.
    """

    place: str
    keys: frozenset[Any] | None
    values: Mapping[str, Any]

    def setting(self) -> TrainingSetting:
        """What it says, where nothing is wrong in it."""
        about = {key: value for key, value in self.values.items() if key in SETTING_CHECKS}
        parameters = {key: self.values[key] for key in self.values if key not in about}
        return TrainingSetting(TrainingParameters(**without_idle_keys(parameters)), **about)

    def may_be_for(self, number: int) -> bool:
        """Whether it is for a variant, or could be where it is not known which it is for."""
        return number in self.values.get("variants", (number,))

    def variants(self, count: int) -> Sequence[int]:
        """Which of so many variants it is for; none where that is not known."""
        if self.keys is None or "variants" in self.keys - self.values.keys():
            return ()
        named = self.values.get("variants", range(count))
        return [number for number in named if number < count]


def _dictionaries(path: Path) -> tuple[list[_Dictionary], list[str]]:
    """The dictionaries of a training-parameter file, and what is wrong in them.

    Raises:
        HyperparameterError: the file cannot be read.
    """
    expression = parse_expression(path, "one dictionary {...}")
    problems: list[str] = []
    is_list = isinstance(expression, ast.List)
    nodes = expression.elts if isinstance(expression, ast.List) else [expression]
    dictionaries = []
    for number, node in enumerate(nodes):
        in_list = f", dictionary {number}" if is_list else ""
        place = f"line {node.lineno}{in_list}"
        if isinstance(node, ast.Dict):
            literal: Any = literal_dictionary(node, in_list, problems)
        else:
            literal = literal_value(node, in_list, problems)
        values: Mapping[str, Any] = {}
        if literal is not WRONG:
            values, found = _checked_values(literal)
            problems += [f"line {_line_of(problem, node)}{in_list}: {problem}" for problem in found]
        keys = frozenset(literal) if isinstance(literal, dict) else None
        dictionaries.append(_Dictionary(place, keys, values))
    if not nodes:
        problems.append(f"line {expression.lineno}: there is no dictionary in the list")
    return dictionaries, problems


def _line_of(problem: str, node: ast.expr) -> int:
    """The line of the key that a problem names first, or that where its dictionary begins."""
    keys = node.keys if isinstance(node, ast.Dict) else []
    named = [
        (problem.index(repr(key.value)), key.lineno)
        for key in keys
        if isinstance(key, ast.Constant) and repr(key.value) in problem
    ]
    return min(named)[1] if named else node.lineno


def _checked_values(literal: Any) -> tuple[Mapping[str, Any], list[str]]:
    """Check a dictionary of the file; its values that are right, and every problem found."""
    if not isinstance(literal, dict):
        return {}, training_parameters_from_dictionary(literal)[1]
    keys = (*TRAINING_CHECKS, *SETTING_CHECKS)
    problems = [
        f"a dictionary of training parameters has no key {quote(key)}; "
        f"its keys are {quoted_list(keys)}"
        for key in literal
        if key not in keys
    ]
    values, found = checked_training_values(
        {key: value for key, value in literal.items() if key in TRAINING_CHECKS}
    )
    problems += found
    for key in [key for key in SETTING_CHECKS if literal.get(key, WRONG) is not WRONG]:
        try:
            values[key] = SETTING_CHECKS[key](literal[key])
        except ValueError as problem:
            problems.append(f"{key!r} is {quote(literal[key])}, but must be {problem}")
    return values, problems


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
    return read_training_plan(hyperparameter_file, training_parameter_file).tasks


def read_training_plan(hyperparameter_file: Path, training_parameter_file: Path) -> TrainingPlan:
    """Read and check both files, as `read_training_tasks` does; says more of what they mean.

    Args:
        hyperparameter_file: text file with variants.
        training_parameter_file: text file with training parameters.

    Returns:
        The tasks, and what the files say of them.

    Raises:
        HyperparameterError: a file cannot be read, or holds problems; all of both are named.
    """
    written, dictionaries = _checked_files(hyperparameter_file, training_parameter_file)
    settings = [one.setting() for one in dictionaries]
    variants = {
        activation: checked_variants(hyperparameter_file, written, activation)
        for activation in {DEFAULT_ACTIVATION, *(setting.activation for setting in settings)}
    }
    tasks, problems = _tasks(variants, settings)
    raise_problems(
        training_parameter_file,
        [f"{dictionaries[number].place}: {text}" for number, text in sorted(problems.items())],
    )
    return TrainingPlan(tasks, _activations_without_use(variants, settings))


def _activations_without_use(
    variants: Mapping[str, Sequence[Variant]], settings: Sequence[TrainingSetting]
) -> tuple[int, ...]:
    """The variants that are the same with the activation of a setting that is for them."""
    usual = variants[DEFAULT_ACTIVATION]
    return tuple(
        number
        for number, layers in enumerate(usual)
        if any(
            setting.activation != DEFAULT_ACTIVATION
            and (setting.variants is None or number in setting.variants)
            and variants[setting.activation][number] == layers
            for setting in settings
        )
    )


def _checked_files(
    hyperparameter_file: Path, training_parameter_file: Path
) -> tuple[ast.List | ast.Tuple, Sequence[_Dictionary]]:
    """Read both files; the variants as they are written, and the dictionaries.

    Raises:
        HyperparameterError: a file cannot be read, or holds problems; all of both are named.
    """
    problems = []
    written: ast.List | ast.Tuple | None = None
    dictionaries: Sequence[_Dictionary] = ()
    try:
        written = written_variants(hyperparameter_file)
        checked_variants(hyperparameter_file, written, DEFAULT_ACTIVATION)
    except HyperparameterError as error:
        problems.append(str(error))
    try:
        dictionaries, found = _dictionaries(training_parameter_file)
        if written is not None and written.elts:
            found += _unknown_variants(dictionaries, len(written.elts), hyperparameter_file)
            found += _misplaced_teachers(dictionaries, len(written.elts))
        raise_problems(training_parameter_file, found)
    except HyperparameterError as error:
        problems.append(str(error))
    if written is None or problems:
        raise HyperparameterError("\n".join(problems))
    return written, dictionaries


def _unknown_variants(
    dictionaries: Sequence[_Dictionary], count: int, hyperparameter_file: Path
) -> Iterator[str]:
    for one in dictionaries:
        unknown = sorted(number for number in one.values.get("variants", ()) if number >= count)
        if unknown:
            named = ", ".join(map(str, unknown[:UNKNOWN_SHOWN]))
            yield (
                f"{one.place}: 'variants' has {named}, but the last variant of "
                f"{hyperparameter_file} is {count - 1}"
            )


def _misplaced_teachers(dictionaries: Sequence[_Dictionary], count: int) -> Iterator[str]:
    """What is wrong with teachers that are named by numbers of variants; one of each dictionary."""
    for one in dictionaries:
        teacher = _teacher_number(one.values.get("distillation"))
        numbers = sorted(one.variants(count))
        if teacher is None or not numbers:
            continue
        who = f"{one.place}: the teacher of variant {{}} is variant {teacher}"
        if teacher >= count:
            yield (
                f"{who.format(numbers[0])}, but the last variant is {count - 1}; an entry's "
                f"identity stands in quotes, such as '{teacher:04d}'"
            )
        elif teacher >= numbers[0]:
            yield (
                f"{who.format(numbers[0])}, but must come before it; give each of them a "
                "dictionary of its own with 'variants', the teacher's without 'distillation'"
            )
        elif not any(other.may_be_for(teacher) for other in dictionaries):
            yield (
                f"{who.format(numbers[0])}, which no dictionary is for; add one with "
                f"'variants':[{teacher}], or name an entry of the collection as the teacher by "
                "the first digits of its identity, which Results shows"
            )


def _teacher_number(distillation: Distillation | None) -> int | None:
    """The teacher where it is the number of a variant."""
    if distillation is None or isinstance(distillation.teacher, str):
        return None
    return distillation.teacher


def _tasks(
    variants: Mapping[str, Sequence[Variant]], settings: Sequence[TrainingSetting]
) -> tuple[tuple[TrainingTask, ...], Mapping[int, str]]:
    """A task for each variant and each setting that is for it.

    Args:
        variants: the same variants with the usual activation and with that of each setting.
        settings: one or more, with teachers that are trained before their pupils.

    Returns:
        The tasks, and, by the numbers of settings, what is wrong with their teachers.
    """
    tasks: list[list[TrainingTask]] = []
    problems: dict[int, str] = {}
    for number in range(len(variants[DEFAULT_ACTIVATION])):
        tasks.append([])
        ways = [
            (place, setting)
            for place, setting in enumerate(settings)
            if setting.variants is None or number in setting.variants
        ]
        for place, setting in ways:
            parameters = setting.parameters
            teacher = _teacher_number(parameters.distillation)
            if teacher is not None:
                identities = {task.identity for task in tasks[teacher]}
                if len(identities) > 1:
                    problems.setdefault(
                        place,
                        f"the teacher of variant {number} is variant {teacher}, which is trained "
                        f"in {len(identities)} ways; name one of them by its identity",
                    )
                parameters = taught_by(parameters, min(identities))
            way = f", dictionary {place}" if len(ways) > 1 else ""
            layers, name = variants[setting.activation][number], f"variant {number}{way}"
            tasks[-1].append(TrainingTask(layers, parameters, setting.tensorboard, name))
    return tuple(task for of_variant in tasks for task in of_variant), problems


def taught_by(parameters: TrainingParameters, identity: str) -> TrainingParameters:
    """Parameters whose teacher is named by its whole identity.

    Args:
        parameters: with a teacher, whatever it was named by.
        identity: of the teacher.

    Returns:
        New parameters.
    """
    assert parameters.distillation is not None
    known = dataclasses.replace(parameters.distillation, teacher=identity)
    return dataclasses.replace(parameters, distillation=known)
