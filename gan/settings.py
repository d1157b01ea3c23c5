"""The text file that says how generators are trained: reading and checking. Knows no Keras.

gan_hyperparameters.txt    a dictionary of generators, each with a dictionary of settings
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from settings.literal_files import (
    WRONG,
    Check,
    checked_fields,
    literal_value,
    nested,
    number_above,
    number_from,
    one_of,
    parse_expression,
    quote,
    quoted_list,
    raise_problems,
    whole_number,
)

CHARACTER_KINDS = ("keras", "keras_adversarial")  # a network a character
KINDS = (*CHARACTER_KINDS, "conditional")  # one network for all characters
NETWORKS = ("convolutional", "mlp")
LOSSES = ("non_saturating", "hinge", "least_squares", "wasserstein")
STRATEGIES = (
    "simultaneous",
    "alternating",
    "scheduled",
    "unrolled",
    "extragradient",
    "consensus",
)
PLAYERS = ("discriminator", "generator")
CONVOLUTIONAL_GENERATOR_WIDTHS = 3  # at 7x7, 14x14 and 28x28
MOST_CONVOLUTIONS = 4  # each halves the image
FEATURE_WIDTHS = 3  # at 28x28, 14x14 and 7x7
DEFAULT_FEATURE_STEPS = 3000
# Keys that one kind alone has.
OWN_KEYS: Mapping[str, tuple[str, ...]] = {
    "keras_adversarial": ("adversarial_optimizer",),
    "conditional": ("class_size", "feature_widths", "feature_steps", "moment_matching"),
}


@dataclass(frozen=True)
class Strategy:
    """Who moves when: an adversarial optimizer and its settings.

    Attributes:
        type: one of `STRATEGIES`.
        reverse: of 'alternating': the generator moves first.
        schedule: of 'scheduled': whose turn it is, one batch each, again and again.
        discriminator_depth: of 'unrolled': steps that the discriminator looks ahead.
        generator_depth: of 'unrolled': steps that the generator looks ahead.
        step_size: of the steps that 'unrolled' and 'extragradient' look ahead.
        weight: of the gradients' length, for 'consensus'.
    """

    type: str
    reverse: bool = False
    schedule: tuple[str, ...] = ("discriminator", "generator")
    discriminator_depth: int = 0
    generator_depth: int = 1
    step_size: float = 0.001
    weight: float = 0.1


@dataclass(frozen=True)
class GanSettings:
    """How a generator is built and trained.

    Attributes:
        network: one of `NETWORKS`.
        generator_widths: channels at 7x7, 14x14 and 28x28, or neurons of each dense layer.
        discriminator_widths: channels of the strided convolutions, or neurons.
        latent_size: numbers that a drawing is made from.
        loss: one of `LOSSES`.
        steps: batches of real images to learn from.
        batch_size: images of a batch.
        generator_learning_rate: of Adam.
        discriminator_learning_rate: of Adam.
        gradient_penalty: weight of the penalty on the discriminator's gradient, 0 for none; for
            'wasserstein' between real and drawn images, otherwise at real ones.
        spectral_normalization: bound the slope of the discriminator's layers.
        moving_average: share of the averaged generator, the one that draws, kept at each step.
        latent_scale: spread of the latent vectors when drawing, 1 as in training; below it drawings
            are tidier and differ less. Changes nothing in training.
        final_learning_rate: what learning rates have become at the end, as a share of what they
            were; they go down in a straight line over the second half of the steps. None where
            they stay.
        adversarial_optimizer: who moves when; of 'keras_adversarial' alone.
        class_size: numbers that are learnt about each class; of 'conditional' alone.
        feature_widths: channels at 28x28, 14x14 and 7x7 of a network that first learns to tell the
            classes apart, and through which the discriminator then looks as well; None for none.
            Of 'conditional' alone.
        feature_steps: batches that this network learns from.
        moment_matching: weight with which, in the second half of the steps, the generator also
            matches the mean and the spread of what that network sees in real images; None for not
            at all.
    """

    network: str
    generator_widths: tuple[int, ...]
    discriminator_widths: tuple[int, ...]
    latent_size: int
    loss: str
    steps: int
    batch_size: int
    generator_learning_rate: float
    discriminator_learning_rate: float
    gradient_penalty: float = 0.0
    spectral_normalization: bool = False
    moving_average: float = 0.995
    latent_scale: float = 1.0
    final_learning_rate: float | None = None
    adversarial_optimizer: Strategy | None = None
    class_size: int | None = None
    feature_widths: tuple[int, ...] | None = None
    feature_steps: int | None = None
    moment_matching: float | None = None


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def _widths(value: Any) -> tuple[int, ...]:
    fits = isinstance(value, (tuple, list)) and 1 <= len(value) <= 8
    if not fits or not all(type(width) is int and 1 <= width <= 4096 for width in value):
        raise ValueError("one to eight whole numbers from 1 to 4,096, such as (64, 32, 16)")
    return tuple(value)


def _schedule(value: Any) -> tuple[str, ...]:
    fits = isinstance(value, (tuple, list)) and 1 <= len(value) <= 100
    if not fits or not all(turn in PLAYERS for turn in value):
        raise ValueError(f"a list of turns, each one of {quoted_list(PLAYERS)}")
    return tuple(value)


STRATEGY_CHECKS: Mapping[str, Check] = {
    "type": one_of(STRATEGIES),
    "reverse": _yes_or_no,
    "schedule": _schedule,
    "discriminator_depth": whole_number(0, 20),
    "generator_depth": whole_number(0, 20),
    "step_size": number_above(0, 10),
    "weight": number_from(0, 1000),
}
CHECKS: Mapping[str, Check] = {
    "network": one_of(NETWORKS),
    "generator_widths": _widths,
    "discriminator_widths": _widths,
    "latent_size": whole_number(1, 4096),
    "loss": one_of(LOSSES),
    "steps": whole_number(1, 10_000_000),
    "batch_size": whole_number(2, 4096),
    "generator_learning_rate": number_above(0, 10),
    "discriminator_learning_rate": number_above(0, 10),
    "gradient_penalty": number_from(0, 1000),
    "spectral_normalization": _yes_or_no,
    "moving_average": number_from(0, 1),
    "latent_scale": number_above(0, 10),
    "final_learning_rate": number_from(0, 1),
    "adversarial_optimizer": nested(Strategy, STRATEGY_CHECKS),
    "class_size": whole_number(1, 4096),
    "feature_widths": _widths,
    "feature_steps": whole_number(1, 10_000_000),
    "moment_matching": number_above(0, 1000),
}


def read_gan_settings(path: Path) -> dict[str, GanSettings]:
    """Read and check a file of GAN settings.

    Args:
        path: a text file, UTF-8, with a dictionary of generators.

    Returns:
        The settings of each generator that the file names, at least one.

    Raises:
        HyperparameterError: the file cannot be read, or holds problems; all of them are named.
    """
    expression = parse_expression(path, "a dictionary {'keras': {...}, ...}")
    problems: list[str] = []
    settings: dict[str, GanSettings] = {}
    for kind, given, line in _generators(expression, problems):
        found, wrong = settings_from_dictionary(kind, given)
        problems += [f"line {line}, {quote(kind)}: {problem}" for problem in wrong]
        if found is not None:
            settings[kind] = found
    raise_problems(path, problems)
    return settings


def _generators(expression: ast.expr, problems: list[str]) -> Iterator[tuple[Any, Any, int]]:
    """Name, literal and line of each generator; what cannot be read is added to the problems."""
    if not isinstance(expression, ast.Dict) or not expression.keys:
        problems.append(
            f"line {expression.lineno}: this must be a dictionary of generators: "
            "{'keras': {...}, 'keras_adversarial': {...}}"
        )
        return
    named: list[Any] = []
    for key, value in zip(expression.keys, expression.values, strict=True):
        if key is None:
            problems.append(f"line {value.lineno}: '**' may not stand here")
            continue
        kind = literal_value(key, "", problems)
        if kind is not WRONG and kind in named:
            problems.append(f"line {key.lineno}: the key {quote(kind)} is there twice")
        elif kind is not WRONG:
            named.append(kind)
            given = literal_value(value, f", {quote(kind)}", problems)
            if given is not WRONG:
                yield kind, given, value.lineno


def settings_from_dictionary(kind: Any, given: Any) -> tuple[GanSettings | None, list[str]]:
    """Check the settings of one generator.

    Args:
        kind: name of the generator, one of `KINDS`.
        given: the literal, a dictionary.

    Returns:
        The settings (None when they are wrong), and every problem found, one sentence each.
    """
    if kind not in KINDS:
        return None, [f"there is no such generator; there are {quoted_list(KINDS)}"]
    if not isinstance(given, dict):
        return None, [f"settings are a dictionary {{...}}, not {quote(given)}"]
    values, problems = checked_fields(given, GanSettings, CHECKS, "a generator")
    if not problems:
        settings = GanSettings(**values)
        problems = list(_what_does_not_fit(kind, settings))
    if problems:
        return None, problems
    return _with_defaults(kind, settings), []


def _with_defaults(kind: str, settings: GanSettings) -> GanSettings:
    """Settings with what the kind needs and nobody gave."""
    if kind == "keras_adversarial" and settings.adversarial_optimizer is None:
        return dataclasses.replace(settings, adversarial_optimizer=Strategy("alternating"))
    if kind != "conditional":
        return settings
    steps = settings.feature_steps or DEFAULT_FEATURE_STEPS
    return dataclasses.replace(
        settings,
        class_size=settings.class_size or settings.latent_size,
        feature_steps=steps if settings.feature_widths else None,
    )


def _what_does_not_fit(kind: str, settings: GanSettings) -> list[str]:
    problems = []
    if settings.network == "convolutional":
        if len(settings.generator_widths) != CONVOLUTIONAL_GENERATOR_WIDTHS:
            problems.append(
                f"'generator_widths' is {settings.generator_widths}, but a convolutional generator "
                "has three: at 7x7, 14x14 and 28x28"
            )
        if len(settings.discriminator_widths) > MOST_CONVOLUTIONS:
            problems.append(
                f"'discriminator_widths' is {settings.discriminator_widths}, but each convolution "
                f"halves the image, so there can be {MOST_CONVOLUTIONS} at most"
            )
    if settings.loss == "wasserstein" and not settings.gradient_penalty:
        problems.append(
            "the loss 'wasserstein' needs a 'gradient_penalty' above 0, such as 10, which bounds "
            "the discriminator's slope"
        )
    for owner, keys in OWN_KEYS.items():
        problems += [
            f"{key!r} belongs to {owner!r} alone"
            for key in keys
            if kind != owner and getattr(settings, key) is not None
        ]
    if kind == "conditional":
        problems += _what_does_not_fit_conditional(settings)
    return problems


def _what_does_not_fit_conditional(settings: GanSettings) -> Iterator[str]:
    if settings.network != "convolutional":
        yield (
            f"'network' is {settings.network!r}, but 'conditional' has 'convolutional' networks "
            "alone"
        )
    if settings.feature_widths and len(settings.feature_widths) != FEATURE_WIDTHS:
        yield (
            f"'feature_widths' is {settings.feature_widths}, but there are three: at 28x28, 14x14 "
            "and 7x7"
        )
    for key in ("feature_steps", "moment_matching"):
        if getattr(settings, key) and not settings.feature_widths:
            yield f"{key!r} says nothing without 'feature_widths'"


def weight_count(settings: GanSettings, classes: int | None = None) -> int:
    """Numbers that a generator keeps: weights, and what normalization remembers of each channel.

    Args:
        settings: checked.
        classes: of 'conditional', how many it draws; None for the other kinds.

    Returns:
        W, 1 or more.
    """
    widths = settings.generator_widths
    if classes is not None:
        return _conditional_weight_count(settings, classes)
    if settings.network == "mlp":
        inputs = (settings.latent_size, *widths)
        hidden = sum(before * width + 5 * width for before, width in pairwise(inputs))
        return hidden + (widths[-1] + 1) * 28 * 28
    at_7, at_14, at_28 = widths
    dense = (settings.latent_size + 4) * 49 * at_7
    transposed = 16 * (at_7 * at_14 + at_14 * at_28) + 4 * (at_14 + at_28)
    return dense + transposed + 9 * at_28 + 1


def _conditional_weight_count(settings: GanSettings, classes: int) -> int:
    class_size = settings.class_size or settings.latent_size
    told = settings.latent_size + class_size
    at_7, at_14, at_28 = settings.generator_widths
    convolutions = 16 * (at_7 * at_14 + at_14 * at_28) + 9 * at_28 + 1
    # Two for the normalization of each channel; a scale and a shift that depend on what is told.
    normalization = sum(width * (2 + 2 * (told + 1)) for width in settings.generator_widths)
    return classes * class_size + told * 49 * at_7 + convolutions + normalization


def same_training(one: GanSettings, other: GanSettings) -> bool:
    """Whether two settings train the same generator.

    Args:
        one: some settings.
        other: others.

    Returns:
        Whether they differ in nothing but how it draws.
    """
    return dataclasses.replace(one, latent_scale=1.0) == dataclasses.replace(
        other, latent_scale=1.0
    )


def settings_to_json(settings: GanSettings) -> dict[str, Any]:
    """Write settings as in their file.

    Args:
        settings: of one kind of generator.

    Returns:
        Every key, but for those whose value is None.
    """
    return {key: value for key, value in dataclasses.asdict(settings).items() if value is not None}
