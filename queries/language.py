"""A small language for what of a collection is listed, and in which order.

    top 50                                        the 50 of highest validation accuracy
    all by loss                                   every entry, lowest validation loss first
    by parameters where test accuracy > 90%       the smallest 20 of those
    where optimizer = adam and type contains conv2d
    curves top 5                                  learning curves of the best 5 as well

A query has clauses in any order, each once at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from errors import UserError
from queries.columns import Column, Kind, all_columns
from queries.conditions import COMPARISONS, NUMBER_COMPARISONS, TEXT_COMPARISONS, Condition
from settings.literal_files import quote, quoted_list

FEW = 20  # entries that are listed where a query does not say how many
EXAMPLE = "top 50 by loss where parameters < 500000 and optimizer = adam"
MOST_DIGITS = 9  # of a number of entries; no collection has more
CLAUSES = ("all", "top", "by", "where", "curves")
ORDERS = {"ascending": False, "descending": True}
TOKENS = re.compile(  # an apostrophe within a word, as in `teacher's`, begins no quotation
    r"""'[^']*'|"[^"]*"|<=|>=|!=|==|[=<>]|[^\s<>=!'"]+(?:'[^\s<>=!'"]+)*|\S"""
)
PLAIN_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?(e[+-]?\d{1,3})?", re.IGNORECASE)


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
    digits = given.replace(",", "").lstrip("0")
    if not re.fullmatch("[1-9][0-9]*", digits):
        raise UserError(f"{quote(given)} after 'top' is no number from 1 on; write such as top 50")
    return int(digits) if len(digits) <= MOST_DIGITS else None


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
