"""Finds the entries of a collection that a query asks for. Nothing of it is executed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_collection import ModelCollection
from queries.columns import NumberedEntry
from queries.language import FEW, Query, read_query


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
