"""How a network is trained, as plain data: keys of the training-parameter file, and checks.

Knows no Keras: files and folders are checked, and entries told apart, without it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from settings.literal_files import (
    Check,
    checked_fields,
    nested,
    number_above,
    number_from,
    one_of,
    quote,
    whole_number,
)

OPTIMIZERS = ("adadelta", "adagrad", "adam", "adamax", "adamw", "nadam", "rmsprop", "sgd")
WITH_MOMENTUM = ("rmsprop", "sgd")
SCHEDULES = ("cosine", "one_cycle")
CLASS_WEIGHTINGS = ("balanced", "prior", "sampling")
CALIBRATIONS = ("classes",)
PRECISIONS = ("bfloat16",)
IDENTITY = re.compile(r"[0-9a-f]{4,16}")


@dataclass(frozen=True)
class Augmentation:
    """Random distortions of the training images; each number bounds what is drawn anew every time.

    Attributes:
        rotation: degrees, to either side.
        shift: pixels, in each direction.
        scale: share by which width and height, each on its own, grow or shrink.
        shear: degrees by which upright strokes lean, to either side.
        perspective: share by which one edge is nearer than the one opposite, in each direction.
        elastic: pixels, standard deviation of smooth displacements (Simard, Steinkraus and Platt
            2003, with displacements drawn on a grid of 5x5 points).
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    elastic: float = 0.0


@dataclass(frozen=True)
class Distillation:
    """Learning from another entry's probabilities as well as from the labels (Hinton 2015).

    Attributes:
        teacher: the other entry: number of a variant that comes before in the same file, or the
            first 4 to 16 hexadecimal digits of an entry's identity.
        weight: share of the loss that comes from the teacher, above 0, at most 1.
        temperature: both probabilities are softened by it, above 0.1, at most 20.
    """

    teacher: int | str
    weight: float = 0.5
    temperature: float = 1.0


@dataclass(frozen=True)
class TrainingParameters:
    """How a network is trained.

    Attributes:
        optimizer: name of a Keras optimizer, one of `OPTIMIZERS`.
        train_batch_size: images a step, 1 to 100,000.
        train_epochs: times that all training images are seen, 1 to 100,000.
        verbose: 1 shows the layer table before training; changes no result.
        learning_rate: step size; with a schedule, the highest one; None is the optimizer's default.
        early_stopping_patience: epochs without a better validation accuracy after which training
            ends and the best epoch's weights are kept; None trains all epochs, keeps the last.
        momentum: share of the last step that is taken again, of sgd (Nesterov's) and rmsprop.
        learning_rate_schedule: one of `SCHEDULES`; None keeps the learning rate.
        warmup_epochs: epochs over which a schedule's rate rises from nearly nothing.
        weight_decay: share of each kernel, times the learning rate, taken off at each step
            (Loshchilov and Hutter 2019); biases and normalizations keep theirs.
        label_smoothing: share of each label that is spread over all classes.
        moving_average: share of the averaged weights kept at each step; the averages are kept.
        mixup: images are blended by shares from Beta(mixup, mixup) (Zhang 2018).
        cutmix: a rectangle of another image is put in, its share from Beta(cutmix, cutmix)
            (Yun 2019).
        augmentation: distortions of the training images.
        class_weighting: 'balanced' weighs each class's loss by one over its share of the training
            images; 'prior' adds the logarithm of that share while training (Menon 2021);
            'sampling' takes images of every class equally often, an epoch being as many as ever.
        test_time_shifts: reading averages over shifts of so many pixels along each axis.
        calibration: 'classes' fits, on the validation images and after training, a temperature that
            makes probabilities neither too sure nor too modest, and a bias of each class; with
            `class_weighting` all classes count the same (Alexandari 2020).
        distillation: another entry to learn from.
        precision: 'bfloat16' computes convolutions and products in 16 bits while training, on
            processors that have instructions for it; weights and reading stay in 32.
    """

    optimizer: str
    train_batch_size: int
    train_epochs: int
    verbose: int = 0
    learning_rate: float | None = None
    early_stopping_patience: int | None = None
    momentum: float | None = None
    learning_rate_schedule: str | None = None
    warmup_epochs: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    moving_average: float | None = None
    mixup: float | None = None
    cutmix: float | None = None
    augmentation: Augmentation | None = None
    class_weighting: str | None = None
    test_time_shifts: int | None = None
    calibration: str | None = None
    distillation: Distillation | None = None
    precision: str | None = None

    def learns_from_labels_alone(self) -> bool:
        """Whether images and labels are learnt from as they are, and no weights are averaged.

        Returns:
            False where a `Learner` is needed.
        """
        return not any(
            (
                self.label_smoothing,
                self.moving_average is not None,
                self.mixup is not None,
                self.cutmix is not None,
                self.augmentation is not None,
                self.class_weighting is not None,
                self.distillation is not None,
            )
        )

    def changing_the_result(self) -> dict[str, Any]:
        """The parameters that change what is learnt.

        Returns:
            Their values by name, without those left out.
        """
        parameters = training_parameters_to_json(self)
        del parameters["verbose"]
        return parameters


def _teacher(value: Any) -> int | str:
    if type(value) is int and 0 <= value <= 100_000:
        return value
    if isinstance(value, str) and IDENTITY.fullmatch(value):
        return value
    raise ValueError(
        "the number of a variant that comes before in the file, or the first 4 to 16 digits of "
        "an entry's identity, such as '3f9a'"
    )


AUGMENTATION_CHECKS: Mapping[str, Check] = {
    "rotation": number_from(0, 180),
    "shift": number_from(0, 14),
    "scale": number_from(0, 1),
    "shear": number_from(0, 60),
    "perspective": number_from(0, 0.5),
    "elastic": number_from(0, 5),
}
DISTILLATION_CHECKS: Mapping[str, Check] = {
    "teacher": _teacher,
    "weight": number_above(0, 1),
    "temperature": number_above(0.1, 20),
}
TRAINING_CHECKS: Mapping[str, Check] = {
    "optimizer": one_of(OPTIMIZERS),
    "train_batch_size": whole_number(1, 100_000),
    "train_epochs": whole_number(1, 100_000),
    "verbose": whole_number(0, 1),
    "learning_rate": number_above(0, 10),
    "early_stopping_patience": whole_number(1, 100_000),
    "momentum": number_from(0, 1),
    "learning_rate_schedule": one_of(SCHEDULES),
    "warmup_epochs": number_from(0, 100_000),
    "weight_decay": number_from(0, 1),
    "label_smoothing": number_from(0, 1),
    "moving_average": number_from(0, 1),
    "mixup": number_above(0, 10),
    "cutmix": number_above(0, 10),
    "augmentation": nested(Augmentation, AUGMENTATION_CHECKS),
    "class_weighting": one_of(CLASS_WEIGHTINGS),
    "test_time_shifts": whole_number(1, 3),
    "calibration": one_of(CALIBRATIONS),
    "distillation": nested(Distillation, DISTILLATION_CHECKS),
    "precision": one_of(PRECISIONS),
}


# Values that change nothing beside a key that is left out.
_IDLE: Mapping[str, Any] = {
    "label_smoothing": 0.0,
    "augmentation": Augmentation(),
    "moving_average": 0.0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "warmup_epochs": 0.0,
}
# They do beside these, which have a weight decay and a warm-up of their own.
_NEVER_IDLE_BESIDE: Mapping[str, tuple[str, str]] = {
    "weight_decay": ("optimizer", "adamw"),
    "warmup_epochs": ("learning_rate_schedule", "one_cycle"),
}


def without_idle_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Training parameters without the keys whose values do nothing.

    For what a user writes, so that the same training has one identity. What a collection has kept
    stays as it was written, since pupils name their teachers by it.

    Args:
        values: checked ones, as `TrainingParameters` has them.
    """
    return {key: value for key, value in values.items() if not _is_idle(key, values)}


def _is_idle(key: str, values: Mapping[str, Any]) -> bool:
    other, own = _NEVER_IDLE_BESIDE.get(key, ("", ""))
    return key in _IDLE and values[key] == _IDLE[key] and values.get(other) != own


def training_parameters_to_json(parameters: TrainingParameters) -> dict[str, Any]:
    """Write training parameters as in their file, without the keys that were left out.

    Args:
        parameters: of a training.

    Returns:
        Every key, but for those whose value is None.
    """
    return {
        key: value for key, value in dataclasses.asdict(parameters).items() if value is not None
    }


def training_parameters_from_dictionary(
    given: Any,
) -> tuple[TrainingParameters | None, list[str]]:
    """Check training parameters.

    Args:
        given: as they were read.

    Returns:
        The parameters (None when wrong) and every problem found.
    """
    if not isinstance(given, dict):
        return None, [f"training parameters are one dictionary {{...}}, not {quote(given)}"]
    values, problems = checked_training_values(given)
    return (None if problems else TrainingParameters(**values)), problems


def checked_training_values(given: Mapping[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """Check training parameters one by one, and against each other as far as they are right.

    Args:
        given: as they were read.

    Returns:
        Those that are right, as `TrainingParameters` has them, and every problem found.
    """
    values, problems = checked_fields(
        given, TrainingParameters, TRAINING_CHECKS, "a dictionary of training parameters"
    )
    return values, [
        *problems,
        *_momentum_without_use(values, given),
        *_wrong_schedule(values, given),
        *_shut_out(values, given),
    ]


# Of keys that are right by themselves and wrong together. A key that is there and wrong is in
# `given` and not in `values`: nothing is said that hangs on what it was meant to be.


def _momentum_without_use(values: Mapping[str, Any], given: Mapping[Any, Any]) -> Iterator[str]:
    optimizer = values.get("optimizer")
    if "momentum" in given and optimizer is not None and optimizer not in WITH_MOMENTUM:
        yield (
            f"'momentum' is there, but {optimizer!r} has none; leave it out, or use "
            + " or ".join(repr(name) for name in WITH_MOMENTUM)
        )


def _wrong_schedule(values: Mapping[str, Any], given: Mapping[Any, Any]) -> Iterator[str]:
    if "learning_rate_schedule" in given and "learning_rate" not in given:
        yield "'learning_rate_schedule' needs the key 'learning_rate', its highest rate"
    if "warmup_epochs" in given and "learning_rate_schedule" not in given:
        yield "'warmup_epochs' needs the key 'learning_rate_schedule'"
    if {"warmup_epochs", "train_epochs"} <= values.keys():
        warmup, epochs = values["warmup_epochs"], values["train_epochs"]
        if warmup >= epochs:
            yield f"'warmup_epochs' is {warmup:g}, but must be below 'train_epochs', {epochs}"


def _shut_out(values: Mapping[str, Any], given: Mapping[Any, Any]) -> Iterator[str]:
    if {"mixup", "cutmix"} <= given.keys():
        yield "'mixup' and 'cutmix' are both there; leave one of them out"
    if "distillation" in given and values.get("class_weighting") == "balanced":
        yield "'distillation' and 'class_weighting':'balanced' are both there; use 'prior' instead"
