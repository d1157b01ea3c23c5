"""How networks were trained, in a few words: all of it, and what tells several of them apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from counting import counted
from settings import layer_lists
from settings.hyperparameters import DEFAULT_ACTIVATION
from settings.network_layers import Variant
from settings.training_parameters import Augmentation, Distillation, TrainingParameters

ACTIVATION = "activation"  # a key beside those of training parameters
IDENTITY_LENGTH = 8  # digits shown where so many tell the entries apart
Words = Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """What some trainings have in common, and what each has of its own.

    Attributes:
        common: such as `sgd, batch 64, 1 epoch`; empty where they have nothing in common.
        own: for each training what not all of them have; empty for one without.
    """

    common: str
    own: tuple[str, ...]

    @property
    def alike(self) -> bool:
        """Whether nothing differs."""
        return not any(self.own)


def digits_telling_apart(identities: Sequence[str]) -> int:
    """How many first digits of identities tell all of them apart.

    Args:
        identities: of entries, one or more.

    Returns:
        `IDENTITY_LENGTH` or more.
    """
    lengths = range(IDENTITY_LENGTH, len(identities[0]))
    different = len(set(identities))
    fitting = (n for n in lengths if len({text[:n] for text in identities}) == different)
    return next(fitting, len(identities[0]))


def training_summary(layers: Variant, parameters: TrainingParameters) -> str:
    """How a network is trained, such as `adam, batch 32, 10 epochs, activation tanh`.

    Args:
        layers: of the network; its activations are said where they are not the usual one.
        parameters: all of them are said that change the result.

    Returns:
        The words.
    """
    return _joined(_words(parameters) | _said_of_all(_activations_in_short(layers)))


def comparison(trainings: Iterable[tuple[Variant, TrainingParameters]]) -> Comparison:
    """Compare how some networks were trained, their activations included.

    Args:
        trainings: layers and parameters of each, one or more.

    Returns:
        What all have in common, and what they differ in.
    """
    trainings = list(trainings)
    words_of = {parameters: _words(parameters) for _, parameters in trainings}
    activations = _telling_activations(trainings)
    told = [
        words_of[parameters] | {ACTIVATION: activation}
        for (_, parameters), activation in zip(trainings, activations, strict=True)
    ]
    shared = set(told[0].items()).intersection(*(words.items() for words in told))
    common = {key: said for key, said in told[0].items() if (key, said) in shared}
    own = tuple(
        _joined({key: said for key, said in words.items() if key not in common}) for words in told
    )
    if ACTIVATION in common:
        common |= _said_of_all(common.pop(ACTIVATION))
    return Comparison(_joined(common), own)


def _joined(words: Words) -> str:
    return ", ".join(said for said in words.values() if said)


# --------------------------------------------------------------------------- training parameters


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _named(name: str) -> Callable[[Any], Words]:
    """A word before a number or a text."""

    def words(value: Any) -> Words:
        return {"": f"{name} {value if isinstance(value, str) else _number(value)}"}

    return words


def _itself(value: str) -> Words:
    return {"": value.replace("_", " ")}


def _distortions(augmentation: Augmentation) -> Words:
    bounds = dataclasses.asdict(augmentation)
    words = {key: f"{key} {_number(bound)}" for key, bound in bounds.items() if bound}
    return words or {"": "no distortion"}


def _teaching(distillation: Distillation) -> Words:
    usual = Distillation(distillation.teacher)
    words = {"teacher": f"teacher {str(distillation.teacher)[:IDENTITY_LENGTH]}"}
    if distillation.weight != usual.weight:
        words["weight"] = f"teacher's weight {_number(distillation.weight)}"
    if distillation.temperature != usual.temperature:
        words["temperature"] = f"temperature {_number(distillation.temperature)}"
    return words


# In this order; a key of several values has words for each.
_WORDS: Mapping[str, Callable[[Any], Words]] = {
    "optimizer": _itself,
    "train_batch_size": _named("batch"),
    "train_epochs": lambda epochs: {"": counted(epochs, "epoch")},
    "learning_rate": _named("rate"),
    "early_stopping_patience": _named("patience"),
    "momentum": _named("momentum"),
    "learning_rate_schedule": _itself,
    "warmup_epochs": _named("warm-up"),
    "weight_decay": _named("weight decay"),
    "label_smoothing": _named("label smoothing"),
    "moving_average": _named("moving average"),
    "mixup": _named("mixup"),
    "cutmix": _named("cutmix"),
    "augmentation": _distortions,
    "class_weighting": _named("class weighting"),
    "test_time_shifts": _named("test-time shifts"),
    "calibration": lambda value: {"": "calibration"},
    "distillation": _teaching,
    "precision": _itself,
}


def _words(parameters: TrainingParameters) -> dict[str, str]:
    """What is said of each parameter that is there and changes the result."""
    return {
        f"{key} {part}": said
        for key, words in _WORDS.items()
        if (value := getattr(parameters, key)) is not None
        for part, said in words(value).items()
    }


# --------------------------------------------------------------------------- activations


def _said_of_all(activations: str) -> dict[str, str]:
    """Activations in words of their own; none for the usual one, and where there is none."""
    if activations in ("", DEFAULT_ACTIVATION):
        return {}
    return {ACTIVATION: f"activation {activations}"}


def _activations_in_short(layers: Variant) -> str:
    """Each activation once, such as `relu/tanh`; 'linear', which is none, where it is alone."""
    names = dict.fromkeys(layer_lists.activations(layers))
    return "/".join([name for name in names if name != "linear"] or names)


def _activations_in_full(layers: Variant) -> str:
    """The activations as they follow each other, such as `2 relu/linear`."""
    runs = [(name, len(list(run))) for name, run in groupby(layer_lists.activations(layers))]
    return "/".join(name if count == 1 else f"{count} {name}" for name, count in runs)


def _telling_activations(trainings: Sequence[tuple[Variant, TrainingParameters]]) -> list[str]:
    """Activations of networks, in short, or in full for those that differ in nothing else."""
    names = {layers: tuple(layer_lists.activations(layers)) for layers, _ in trainings}
    short = {layers: _activations_in_short(layers) for layers in names}
    full = {layers: _activations_in_full(layers) for layers in _looking_alike(names, short)}
    return [full.get(layers, short[layers]) for layers, _ in trainings]


def _looking_alike(
    names: Mapping[Variant, tuple[str, ...]], short: Mapping[Variant, str]
) -> Iterator[Variant]:
    """Those of different networks that differ in activations alone, which are the same in short."""
    by_words: dict[tuple[str, int], list[Variant]] = {}
    for layers, activations in names.items():
        by_words.setdefault((short[layers], len(activations)), []).append(layers)
    for alike in by_words.values():
        if len({names[layers] for layers in alike}) == 1:
            continue
        by_shape: dict[Variant, list[Variant]] = {}
        for layers in alike:
            by_shape.setdefault(layer_lists.with_activation(layers, ""), []).append(layers)
        for same in by_shape.values():
            if len(same) > 1:
                yield from same
