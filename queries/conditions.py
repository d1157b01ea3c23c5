"""A comparison of a column of the entries with a value."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from queries.columns import Column, Kind, NumberedEntry

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
