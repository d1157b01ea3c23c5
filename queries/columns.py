"""What can be told of every entry of a collection by its name, such as `validation accuracy`."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from entries.entry import Entry
from settings import layer_lists, network_layers
from settings.training_parameters import (
    CALIBRATIONS,
    CLASS_WEIGHTINGS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    Augmentation,
    Distillation,
    TrainingParameters,
)

Value: typing.TypeAlias = float | str | tuple[str, ...] | None


class Kind(Enum):
    """What the values of a column are."""

    NUMBER = auto()
    SHARE = auto()  # 0 to 1
    TEXT = auto()
    TEXTS = auto()  # several for each entry; one of them is enough for a condition
    IDENTITY = auto()  # a text that its first characters stand for

    @property
    def is_text(self) -> bool:
        """Whether values are compared as texts."""
        return self in (Kind.TEXT, Kind.TEXTS, Kind.IDENTITY)


@dataclass(frozen=True)
class NumberedEntry:
    """An entry with its number in the collection and the number of classes there."""

    number: int
    entry: Entry
    class_count: int


@dataclass(frozen=True)
class Column:
    """Something that every entry has, to sort and to choose by.

    Attributes:
        name: as it is typed, in small letters.
        kind: what its values are.
        value: the value for an entry; None where it has none.
        descending: whether the best, or the first, is the highest.
        also: other names for it.
        choices: the only texts that its values can be, where there are few; without spaces.
        decimals: of a number that tables show rounded, as many as they show, of percent for a
            share; None where they show all.
    """

    name: str
    kind: Kind
    value: Callable[[NumberedEntry], Value]
    descending: bool = False
    also: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    decimals: int | None = None

    def find(self, row: NumberedEntry) -> float | tuple[str, ...] | None:
        """The value for an entry.

        Args:
            row: an entry of the collection, with its number.

        Returns:
            Texts where the column has texts, else a number; None where the entry has no value.
        """
        value = self.value(row)
        if value is None or isinstance(value, tuple):
            return value
        return (str(value),) if self.kind.is_text else float(value)

    def shown_name(self) -> str:
        """What messages call the column.

        Returns:
            Its name, and the end of it where that is enough.
        """
        ends = [other for other in self.also if self.name.endswith(f" {other}")]
        return f"{self.name} (or {ends[0]})" if ends else self.name


def all_columns() -> dict[str, Column]:
    """Every column that a query can name.

    Returns:
        Scores, sizes, each training parameter, and each key in one, by their names.
    """
    columns = [*_ENTRY_COLUMNS, *_training_columns()]
    return {column.name: column for column in columns}


_ENTRY_COLUMNS = (
    Column("number", Kind.NUMBER, lambda row: row.number, also=("no",)),
    Column(
        "validation accuracy",
        Kind.SHARE,
        lambda row: row.entry.validation.accuracy,
        descending=True,
        also=("accuracy", "val accuracy"),
        decimals=2,
    ),
    Column(
        "validation loss",
        Kind.NUMBER,
        lambda row: row.entry.validation.loss,
        also=("loss", "val loss"),
        decimals=4,
    ),
    Column(
        "test accuracy",
        Kind.SHARE,
        lambda row: row.entry.test.accuracy,
        descending=True,
        decimals=2,
    ),
    Column("test loss", Kind.NUMBER, lambda row: row.entry.test.loss, decimals=4),
    Column(
        "parameters",
        Kind.NUMBER,
        lambda row: layer_lists.parameter_count(row.entry.layers, row.class_count),
        also=("weights",),
    ),
    Column("seconds", Kind.NUMBER, lambda row: row.entry.seconds, also=("time",), decimals=0),
    Column("seed", Kind.NUMBER, lambda row: row.entry.seed),
    Column("identity", Kind.IDENTITY, lambda row: row.entry.identity),
    Column("data", Kind.TEXT, lambda row: row.entry.data.name),
    Column(
        "type",
        Kind.TEXTS,
        lambda row: tuple(layer.type for layer in layer_lists.every_layer(row.entry.layers)),
        choices=tuple(network_layers.LAYER_TYPES),
    ),
    Column(
        "activation",
        Kind.TEXTS,
        lambda row: tuple(layer_lists.activations(row.entry.layers)),
        also=("activations",),
        choices=network_layers.ACTIVATIONS,
    ),
    Column("layers", Kind.TEXT, lambda row: network_layers.summary(row.entry.layers)),
)
# What tables say before their values is among these (`training_words`).
_SHORT_NAMES = {
    "train_batch_size": ("batch", "batch size"),
    "train_epochs": ("epochs",),
    "learning_rate": ("rate",),
    "early_stopping_patience": ("patience",),
    "learning_rate_schedule": ("schedule",),
    "warmup_epochs": ("warm up",),
}
_SHORT_NAMES_IN_DISTILLATION = {
    "weight": ("teacher's weight",),
    "temperature": ("temperature",),
}
_CHOICES = {
    "optimizer": OPTIMIZERS,
    "learning_rate_schedule": SCHEDULES,
    "class_weighting": CLASS_WEIGHTINGS,
    "calibration": CALIBRATIONS,
    "precision": PRECISIONS,
}


def _training_columns() -> list[Column]:
    kinds = typing.get_type_hints(TrainingParameters)
    return [
        *(
            Column(
                field.name.replace("_", " "),
                _kind(kinds[field.name]),
                _training_value(field.name),
                also=_SHORT_NAMES.get(field.name, ()),
                choices=_CHOICES.get(field.name, ()),
            )
            for field in dataclasses.fields(TrainingParameters)
            if field.name not in ("verbose", "augmentation", "distillation")
        ),
        Column(
            "augmentation",
            Kind.TEXTS,
            _distortions,
            choices=tuple(field.name for field in dataclasses.fields(Augmentation)),
        ),
        *(
            _part_column(field.name, "augmentation", field.name, Kind.NUMBER)
            for field in dataclasses.fields(Augmentation)
        ),
        _part_column("teacher", "distillation", "teacher", Kind.IDENTITY, also=("distillation",)),
        *(
            _part_column(
                f"distillation {field.name}",
                "distillation",
                field.name,
                Kind.NUMBER,
                also=_SHORT_NAMES_IN_DISTILLATION.get(field.name, ()),
            )
            for field in dataclasses.fields(Distillation)
            if field.name != "teacher"
        ),
    ]


def _kind(hint: typing.Any) -> Kind:
    return Kind.TEXT if str in (hint, *typing.get_args(hint)) else Kind.NUMBER


def _part_column(
    name: str, parameter: str, key: str, kind: Kind, also: tuple[str, ...] = ()
) -> Column:
    """The column of a key of a training parameter that is a dictionary.

    It can also be called by both, such as `augmentation rotation` or `augmentation.rotation`; of a
    name that is looked up the point is dropped.
    """

    def value(row: NumberedEntry) -> Value:
        parts = getattr(row.entry.training_parameters, parameter)
        return None if parts is None else typing.cast("Value", getattr(parts, key))

    return Column(name, kind, value, also=(*also, f"{parameter} {key}", f"{parameter}{key}"))


def _distortions(row: NumberedEntry) -> Value:
    """The names of the distortions that there are."""
    augmentation = row.entry.training_parameters.augmentation
    if augmentation is None:
        return None
    return tuple(name for name, bound in dataclasses.asdict(augmentation).items() if bound)


def _training_value(name: str) -> Callable[[NumberedEntry], Value]:
    def value(row: NumberedEntry) -> Value:
        found: float | str | None = getattr(row.entry.training_parameters, name)
        return found

    return value
