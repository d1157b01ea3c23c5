"""What of a collection is listed, and in which order: a small language for `Results`.

    top 50                                        the 50 of highest validation accuracy
    all by loss                                   every entry, lowest validation loss first
    by parameters where test accuracy > 90%       the smallest 20 of those
    where optimizer = adam and type contains conv2d
    curves top 5                                  learning curves of the best 5 as well

A query has clauses in any order, each once at most. Names and values are plain data of the
entries: nothing is executed.
"""

from __future__ import annotations

import dataclasses
import operator
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from entries.entry import Entry
from errors import UserError
from model_collection import ModelCollection
from settings import layer_lists, network_layers
from settings.literal_files import quote, quoted_list
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

FEW = 20  # entries that are listed where a query does not say how many
EXAMPLE = "top 50 by loss where parameters < 500000 and optimizer = adam"
CLAUSES = ("all", "top", "by", "where", "curves")
ORDERS = {"ascending": False, "descending": True}
TOKENS = re.compile(  # an apostrophe within a word, as in `teacher's`, begins no quotation
    r"""'[^']*'|"[^"]*"|<=|>=|!=|==|[=<>]|[^\s<>=!'"]+(?:'[^\s<>=!'"]+)*|\S"""
)
PLAIN_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?(e[+-]?\d{1,3})?", re.IGNORECASE)

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


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with a value, such as `parameters < 500000`.

    Attributes:
        column: whose values are compared.
        comparison: one of `COMPARISONS`.
        wanted: what they are compared with.
        decimals: to which the column's numbers are rounded before, of percent for a share, so that
            what a table shows can be typed; None leaves them as they are.
    """

    column: Column
    comparison: str
    wanted: float | str
    decimals: int | None = None

    def holds(self, row: NumberedEntry) -> bool:
        """Whether the condition holds for an entry.

        Args:
            row: an entry of the collection, with its number.

        Returns:
            True where it does; of an entry without the value, only `!=` does.
        """
        value = self.column.find(row)
        if value is None:
            return self.comparison == "!="
        if not isinstance(value, tuple):
            return NUMBER_COMPARISONS[self.comparison](self._rounded(value), float(self.wanted))
        texts, wanted = [text.lower() for text in value], str(self.wanted).lower()
        if self.column.kind is Kind.IDENTITY:
            texts = [*texts, *(text[: len(wanted)] for text in texts)]
        return TEXT_COMPARISONS[self.comparison](texts, wanted)

    def _rounded(self, value: float) -> float:
        if self.decimals is None:
            return value
        if self.column.kind is Kind.SHARE:  # as tables round it; divided without an error
            return float(f"{100 * value:.{self.decimals}f}e-2")
        return float(f"{value:.{self.decimals}f}")


NUMBER_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
TEXT_COMPARISONS: Mapping[str, Callable[[Sequence[str], str], bool]] = {
    "=": lambda texts, wanted: wanted in texts,
    "!=": lambda texts, wanted: wanted not in texts,
    "contains": lambda texts, wanted: any(wanted in text for text in texts),
}
COMPARISONS = {*NUMBER_COMPARISONS, *TEXT_COMPARISONS, "=="}


@dataclass(frozen=True)
class Query:
    """What is listed.

    Attributes:
        most: how many entries at most; None for all.
        column: what they are sorted by; of equal ones the best by validation comes first, and
            those without a value come last.
        descending: highest first.
        conditions: all of them hold for what is listed.
        curves: whether learning curves are asked for.
    """

    most: int | None
    column: Column
    descending: bool
    conditions: tuple[Condition, ...]
    curves: bool


@dataclass(frozen=True)
class Selection:
    """The entries that a query finds.

    Attributes:
        numbers: of the entries that are listed, in order.
        fitting: how many fit the conditions, listed or not.
        query: what was asked for.
    """

    numbers: tuple[int, ...]
    fitting: int
    query: Query


def select(collection: ModelCollection, text: str) -> Selection:
    """Find the entries that a query asks for.

    Args:
        collection: where from.
        text: the query; where it is empty, few entries are all listed in the collection's order,
            and of many those of highest validation accuracy.

    Returns:
        Numbers of the entries, in the order asked for, with the query.

    Raises:
        UserError: the text is no query.
    """
    few = text.strip().lower() in ("", "curves") and len(collection.entries) <= FEW
    query = read_query(f"all by number {text}" if few else text)
    rows = [
        NumberedEntry(number, entry, len(collection.classes))
        for number, entry in enumerate(collection.entries)
    ]
    fitting = [row for row in rows if all(one.holds(row) for one in query.conditions)]
    listed = _sorted(fitting, query)[: query.most]
    return Selection(tuple(row.number for row in listed), len(fitting), query)


def _sorted(rows: Sequence[NumberedEntry], query: Query) -> list[NumberedEntry]:
    best_first = sorted(rows, key=lambda row: row.entry.validation.rank, reverse=True)
    with_values = [(query.column.find(row), row) for row in best_first]
    present = [(value, row) for value, row in with_values if value is not None]
    present.sort(key=lambda pair: pair[0], reverse=query.descending)
    return [row for _, row in present] + [row for value, row in with_values if value is None]


def read_query(text: str) -> Query:
    """Read a query.

    Args:
        text: clauses such as `top 50 by loss where parameters < 500000`, or nothing.

    Returns:
        The clauses, with what goes for those that were left out.

    Raises:
        UserError: it cannot be understood; the message quotes what and says what would be right.
    """
    clauses = _clauses(TOKENS.findall(text))
    column, descending = _order(clauses.get("by"))
    if clauses.get("curves"):
        raise UserError(f"{quote(_text(clauses['curves']))} cannot stand after 'curves'")
    return Query(
        most=_most(clauses),
        column=column,
        descending=descending,
        conditions=tuple(_conditions(clauses["where"])) if "where" in clauses else (),
        curves="curves" in clauses,
    )


def _clauses(tokens: Sequence[str]) -> dict[str, list[str]]:
    """What follows each of the words that begin a clause."""
    if tokens and tokens[0][:1].isdigit():
        tokens = ["top", *tokens]
    clauses: dict[str, list[str]] = {}
    current: list[str] | None = None
    for token in tokens:
        word = token.lower()
        if word in clauses:
            raise UserError(f"{word!r} is there twice; write such as {EXAMPLE}")
        if word in CLAUSES:
            current = clauses[word] = []
        elif current is None:
            raise UserError(
                f"{quote(token)} begins no clause; write 'all', 'top' and a number, 'by' and a "
                f"column, 'where' and conditions, 'curves', such as {EXAMPLE}"
            )
        else:
            current.append(token)
    return clauses


def _most(clauses: Mapping[str, Sequence[str]]) -> int | None:
    if "all" in clauses:
        if clauses["all"]:
            raise UserError(f"{quote(_text(clauses['all']))} cannot stand after 'all'")
        if "top" in clauses:
            raise UserError("'all' and 'top' are both there; leave one of them out")
        return None
    if "top" not in clauses:
        return FEW
    given = _text(clauses["top"])
    digits = given.replace(",", "")
    if not re.fullmatch("0*[1-9][0-9]{0,8}", digits):
        raise UserError(f"{quote(given)} after 'top' is no number from 1 on; write such as top 50")
    return int(digits)


def _order(given: Sequence[str] | None) -> tuple[Column, bool]:
    columns = all_columns()
    if given is None:
        return columns["validation accuracy"], True
    words = list(given)
    order = words.pop().lower() if words and words[-1].lower() in ORDERS else None
    if not words:
        raise UserError(f"'by' needs a column after it: {_names(columns)}")
    column = _column(words, columns)
    return column, column.descending if order is None else ORDERS[order]


def _conditions(tokens: Sequence[str]) -> list[Condition]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token.lower() == "and":
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts:
        if "or" in (token.lower() for token in part):
            raise UserError(
                f"{quote(_text(part))} has an 'or', and only 'and' joins conditions; a value with "
                "that word stands in quotation marks, such as data contains 'this or that'"
            )
    columns = all_columns()
    return [_condition(part, columns) for part in parts]


def _condition(tokens: Sequence[str], columns: Mapping[str, Column]) -> Condition:
    places = [place for place, token in enumerate(tokens) if token.lower() in COMPARISONS]
    place = places[0] if places else len(tokens)
    name, wanted = tokens[:place], _text(tokens[place + 1 :])
    if not name or not wanted:
        raise UserError(
            f"{quote(_text(tokens))} is no condition: a column, a comparison (<, <=, >, >=, =, !=, "
            "contains) and a value make one, such as parameters < 500000"
        )
    column = _column(name, columns)
    comparison = tokens[place].lower().replace("==", "=")
    is_text = column.kind.is_text
    if comparison not in (TEXT_COMPARISONS if is_text else NUMBER_COMPARISONS):
        fitting = ", ".join(TEXT_COMPARISONS if is_text else NUMBER_COMPARISONS)
        raise UserError(
            f"{column.name!r} is a {'text' if is_text else 'number'} and cannot be compared by "
            f"{comparison!r}; use one of {fitting}"
        )
    if not is_text:
        number = _number(wanted, column)
        return Condition(column, comparison, float(number), _decimals(number, column))
    return Condition(column, comparison, _choice(wanted, column, comparison))


def _choice(text: str, column: Column, comparison: str) -> str:
    """A text as values of the column are spelled, where one of them can have it."""
    if not column.choices:
        return text
    wanted = text.lower().replace(" ", "_")  # tables show `one_cycle` with a space
    if comparison == "contains":
        possible = any(wanted in choice for choice in column.choices)
    else:
        possible = wanted in column.choices
    if not possible:
        verb = "is" if len(column.choices) == 1 else "are"
        raise UserError(
            f"no {column.name} {'contains' if comparison == 'contains' else 'is'} {quote(text)}; "
            f"there {verb} {quoted_list(column.choices)}"
        )
    return wanted


def _decimals(number: Decimal, column: Column) -> int | None:
    """To how many decimals a column is compared with a number: those typed, or shown if more."""
    if column.decimals is None:
        return None
    in_its_unit = number.scaleb(2) if column.kind is Kind.SHARE else number
    return max(column.decimals, -int(in_its_unit.as_tuple().exponent))


def _number(text: str, column: Column) -> Decimal:
    percent = text.endswith("%")
    digits = text.removesuffix("%").rstrip()
    example = "0.9 or 90%" if column.kind is Kind.SHARE else "500000 or 0.001"
    if not re.search(r"\d", digits) or not PLAIN_NUMBER.fullmatch(digits):
        raise UserError(
            f"{quote(text)} is no number to compare {column.name!r} with; write such as {example}"
        )
    if percent and column.kind is not Kind.SHARE:
        raise UserError(
            f"{column.name!r} is no share, to compare with {quote(text)}; write such as {example}"
        )
    value = Decimal(digits.replace(",", "")).scaleb(-2 if percent else 0)
    if column.kind is Kind.SHARE and not 0 <= value <= 1:
        raise UserError(
            f"{column.name!r} lies between 0 and 1, and {quote(text)} does not; "
            f"write such as {example}"
        )
    return value


def _column(words: Sequence[str], columns: Mapping[str, Column]) -> Column:
    """The column of that name, or the only one of which a name begins so."""
    given = _text(words)
    name = re.sub("[_-]", " ", given.lower()).replace(".", "")
    for column in columns.values():
        if name in (column.name, *column.also):
            return column
    fitting = [column for column in columns.values() if column.name.startswith(name)] or [
        column
        for column in columns.values()
        if any(other.startswith(name) for other in column.also)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " or ".join(column.name for column in fitting)
        raise UserError(f"{quote(given)} can mean {names}; type more of it")
    raise UserError(f"there is no column {quote(given)}; there are {_names(columns)}")


def _names(columns: Mapping[str, Column]) -> str:
    return ", ".join(column.shown_name() for column in columns.values())


def _text(tokens: Sequence[str]) -> str:
    """Tokens as they were typed, with quotation marks around them dropped."""
    return " ".join(
        token[1:-1] if len(token) > 1 and token[0] in "'\"" else token for token in tokens
    )


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

    It can also be called by both, such as `augmentation rotation` or `augmentation.rotation`, whose
    point `_column` drops.
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
