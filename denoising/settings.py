"""The text file of denoisers and how they are trained: reading and checking. Knows no Keras.

denoiser_hyperparameters.txt    a list of denoisers, each a dictionary of settings
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from denoising.noise import KINDS, LARGEST_AMOUNTS, Noise
from image_arrays import IMAGE_SIZE
from settings.literal_files import (
    WRONG,
    Check,
    checked_fields,
    literal_value,
    number_above,
    number_from,
    one_of,
    parse_expression,
    quote,
    quoted_list,
    raise_problems,
    whole_number,
)

TYPES = ("convolutional", "sparse", "residual", "conditional")
MOST_DENOISERS = 20
MOST_WEIGHTS = 50_000_000  # of one denoiser, whatever the number of classes
# What each type has besides the keys that all have: 28 is halved twice at most.
OWN_KEYS: Mapping[str, tuple[str, ...]] = {
    "convolutional": ("filters",),
    "sparse": ("units", "sparsity", "sparsity_weight"),
    "residual": ("filters", "blocks"),
    "conditional": ("filters", "class_size"),
}
MOST_FILTERS: Mapping[str, int] = {"convolutional": 2, "residual": 3, "conditional": 2}


@dataclass(frozen=True)
class NoiseRange:
    """Noise that is learnt from: each image gets an amount drawn evenly from a range.

    Attributes:
        kind: one of `denoising.noise.KINDS`.
        low: least amount.
        high: largest amount.
    """

    kind: str
    low: float
    high: float

    def __str__(self) -> str:
        """The kind with its amounts, such as 'gaussian 0.1 to 1'."""
        return f"{self.kind} {self.low:g}" + ("" if self.low == self.high else f" to {self.high:g}")


@dataclass(frozen=True)
class DenoiserSettings:
    """How a denoiser is built and trained.

    Attributes:
        type: one of `TYPES`.
        noise: what it learns to take away; a kind is drawn for each batch.
        steps: batches to learn from.
        batch_size: images of a batch.
        learning_rate: of Adam at the start; it falls to nothing along half a cosine.
        filters: channels of each convolution of stride 2; of 'residual' at 28x28, 14x14 and 7x7.
        units: numbers that 'sparse' describes an image by.
        sparsity: share of the images for which each of them should be on.
        sparsity_weight: weight of the Kullback-Leibler divergence from that share.
        blocks: pairs of convolutions around a shortcut, at the smallest size.
        class_size: numbers that 'conditional' learns about each class.
    """

    type: str
    noise: tuple[NoiseRange, ...]
    steps: int
    batch_size: int
    learning_rate: float
    filters: tuple[int, ...] | None = None
    units: int | None = None
    sparsity: float | None = None
    sparsity_weight: float | None = None
    blocks: int | None = None
    class_size: int | None = None

    @property
    def identity(self) -> str:
        """16 hexadecimal digits that only equal settings share."""
        text = json.dumps(settings_to_json(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def needs_class(self) -> bool:
        """Whether it has to be told what an image is taken for."""
        return self.class_size is not None

    def learns(self, noise: Noise) -> bool:
        """Whether such noise is among what it learns to take away.

        Args:
            noise: of one kind and amount.

        Returns:
            Whether the kind is learnt, and the amount lies in its range.
        """
        return any(
            known.kind == noise.kind and known.low <= noise.amount <= known.high
            for known in self.noise
        )


def name_of(number: int, settings: DenoiserSettings) -> str:
    """What a denoiser is called: its number in the file, and its type.

    Args:
        number: in the file, counted from 0.
        settings: of the denoiser.

    Returns:
        The name, such as "0 convolutional".
    """
    return f"{number} {settings.type}"


def _noise(value: Any) -> tuple[NoiseRange, ...]:
    if not isinstance(value, dict) or not value:
        raise ValueError("a dictionary such as {'gaussian':(0.1, 1.0)}")
    found: list[NoiseRange] = []
    problems: list[str] = []
    for kind, amounts in value.items():
        try:
            found.append(_noise_range(kind, amounts))
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise ValueError("; and ".join(dict.fromkeys(problems)))
    return tuple(found)


def _noise_range(kind: Any, amounts: Any) -> NoiseRange:
    if kind not in KINDS:
        raise ValueError(f"a dictionary whose keys are among {quoted_list(KINDS)}")
    pair = (amounts, amounts) if type(amounts) in (int, float) else amounts
    most = LARGEST_AMOUNTS[kind]
    fits = (
        isinstance(pair, (tuple, list))
        and len(pair) == 2
        and all(type(amount) in (int, float) for amount in pair)
        and 0 <= pair[0] <= pair[1] <= most  # which neither infinity nor NaN is
    )
    if not fits:
        raise ValueError(
            f"such that {kind!r} has an amount from 0 to {most:g}, or a smaller and a larger one"
        )
    return NoiseRange(kind, float(pair[0]), float(pair[1]))


def _filters(value: Any) -> tuple[int, ...]:
    fits = isinstance(value, (tuple, list)) and 1 <= len(value) <= max(MOST_FILTERS.values())
    if not fits or not all(type(width) is int and 1 <= width <= 1024 for width in value):
        raise ValueError("one to three whole numbers from 1 to 1,024, such as (16, 8)")
    return tuple(value)


CHECKS: Mapping[str, Check] = {
    "type": one_of(TYPES),
    "noise": _noise,
    "steps": whole_number(1, 10_000_000),
    "batch_size": whole_number(1, 4096),
    "learning_rate": number_above(0, 10),
    "filters": _filters,
    "units": whole_number(1, 4096),
    "sparsity": number_above(0, 0.5),
    "sparsity_weight": number_from(0, 1000),
    "blocks": whole_number(0, 20),
    "class_size": whole_number(1, 256),
}


def read_denoiser_settings(path: Path) -> tuple[DenoiserSettings, ...]:
    """Read and check a file of denoisers.

    Args:
        path: a text file, UTF-8, with a list of dictionaries.

    Returns:
        The denoisers in the order of the file.

    Raises:
        HyperparameterError: every problem of the file, with its line.
    """
    expected = "a list of denoisers such as [{'type':'convolutional', ...}]"
    expression = parse_expression(path, expected)
    if isinstance(expression, ast.Dict):
        expression = ast.copy_location(ast.List([expression], ast.Load()), expression)
    if not isinstance(expression, (ast.List, ast.Tuple)):
        raise_problems(path, [f"line {expression.lineno}: this is not {expected}"])
    found: list[DenoiserSettings] = []
    problems: list[str] = []
    nodes = expression.elts  # type: ignore[attr-defined]
    for number, node in enumerate(nodes):
        value = literal_value(node, f", denoiser {number}", problems)
        if value is WRONG:
            continue
        settings, wrong = settings_from_dictionary(value)
        problems += [f"line {node.lineno}, denoiser {number}: {problem}" for problem in wrong]
        if settings is not None and settings in found:
            problems.append(
                f"line {node.lineno}, denoiser {number}: it is the same as denoiser "
                f"{found.index(settings)}"
            )
        elif settings is not None:
            found.append(settings)
    if not 1 <= len(nodes) <= MOST_DENOISERS:
        problems.append(
            f"line {expression.lineno}: there are {len(nodes)} denoisers, but must be 1 to "
            f"{MOST_DENOISERS}"
        )
    raise_problems(path, problems)
    return tuple(found)


def settings_from_dictionary(given: Any) -> tuple[DenoiserSettings | None, list[str]]:
    """Check one denoiser.

    Args:
        given: of a file, or of `settings_to_json`.

    Returns:
        The settings, or None; and every problem found.
    """
    if not isinstance(given, dict):
        return None, [f"{quote(given)} is not a dictionary of settings"]
    values, problems = checked_fields(given, DenoiserSettings, CHECKS, "a denoiser")
    kind = values.get("type")
    if kind is not None:
        problems += _problems_of_type(kind, given, values)
    if problems:
        return None, problems
    settings = DenoiserSettings(**values)
    count = weight_count(settings, 0)
    if count > MOST_WEIGHTS:
        return None, [
            f"it would have {count:,} weights, but must have at most {MOST_WEIGHTS:,}; its network "
            "must be smaller"
        ]
    return settings, []


def _problems_of_type(kind: str, given: Mapping[Any, Any], values: Mapping[str, Any]) -> list[str]:
    own = OWN_KEYS[kind]
    elsewhere = {key for keys in OWN_KEYS.values() for key in keys} - set(own)
    problems = [f"{kind!r} has no key {key!r}" for key in given if key in elsewhere]
    problems += [f"{kind!r} needs the key {key!r}" for key in own if key not in given]
    most = MOST_FILTERS.get(kind, 0)
    if len(values.get("filters") or ()) > most > 0:
        problems.append(
            f"'filters' of {kind!r} is {quote(values['filters'])}, but must be at most {most} "
            "numbers"
        )
    return problems


def settings_to_json(settings: DenoiserSettings) -> dict[str, Any]:
    """Settings as `settings_from_dictionary` reads them, for a JSON document.

    Args:
        settings: of one denoiser.

    Returns:
        Numbers, texts, lists and dictionaries, without keys whose value is None.
    """
    told = {key: value for key, value in dataclasses.asdict(settings).items() if value is not None}
    told["noise"] = {noise.kind: [noise.low, noise.high] for noise in settings.noise}
    if settings.filters is not None:
        told["filters"] = list(settings.filters)
    return told


def weight_shapes(settings: DenoiserSettings, class_count: int) -> tuple[tuple[int, ...], ...]:
    """Shapes of the weights of `denoising.networks.build_denoiser`, in their order.

    Args:
        settings: a checked denoiser.
        class_count: classes that it is told of; only 'conditional' is.

    Returns:
        A shape for each variable of the network.
    """
    return {
        "convolutional": _convolutional_shapes,
        "conditional": _convolutional_shapes,
        "sparse": _sparse_shapes,
        "residual": _residual_shapes,
    }[settings.type](settings, class_count)


def weight_count(settings: DenoiserSettings, class_count: int) -> int:
    """How many numbers the weights of `weight_shapes` are.

    Args:
        settings: of one denoiser.
        class_count: of the data set.

    Returns:
        W, 1 or more.
    """
    return sum(math.prod(shape) for shape in weight_shapes(settings, class_count))


def _convolution(kernel: int, inputs: int, filters: int) -> list[tuple[int, ...]]:
    return [(kernel, kernel, inputs, filters), (filters,)]


def _convolutional_shapes(
    settings: DenoiserSettings, class_count: int
) -> tuple[tuple[int, ...], ...]:
    filters = settings.filters or ()
    shapes: list[tuple[int, ...]] = []
    channels = 1
    for width in filters:
        shapes += _convolution(3, channels, width)
        channels = width
    if settings.class_size is not None:
        shapes.insert(0, (class_count, settings.class_size))
        channels += settings.class_size
    for width in reversed(filters):
        shapes += [(3, 3, width, channels), (width,)]  # a transposed one has them this way round
        channels = width
    return (*shapes, *_convolution(3, channels, 1))


def _sparse_shapes(settings: DenoiserSettings, class_count: int) -> tuple[tuple[int, ...], ...]:
    pixels, units = IMAGE_SIZE**2, settings.units or 0
    return (pixels, units), (units,), (units, pixels), (pixels,)


def _residual_shapes(settings: DenoiserSettings, class_count: int) -> tuple[tuple[int, ...], ...]:
    filters = settings.filters or ()
    shapes: list[tuple[int, ...]] = []
    channels = 2
    for width in filters:
        shapes += _convolution(3, channels, width)
        channels = width
    for _ in range(2 * (settings.blocks or 0)):
        shapes += _convolution(3, channels, channels)
    for width in reversed(filters[:-1]):
        shapes += [(3, 3, width, channels), (width,)]
        channels = width
    return (*shapes, *_convolution(3, channels, 1))
