"""A table of text that a Rich console prints quickly, however many rows it has."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

GAP = "  "
NARROWEST_TEXT = 12  # where a remark has less room, whole lines are folded instead
MARGIN = "      "  # before remarks below their rows
MOST_LINES_BESIDE = 2  # of a remark; one that takes more stands below its row
MOST_BELOW = 0.25  # share of such remarks; where there are more, all stand below their rows


@dataclass(frozen=True)
class TextTable:
    """Rows of cells below headings; nothing is cut off, whatever the width.

    Attributes:
        headings: one a column, of one line or two.
        rows: cells, as many in each as there are columns; figures, to the right.
        remarks: a text for each row, in a last column without justification, or, where that is too
            narrow, below its row; empty for none.
        remarks_heading: the heading of that column.
        emphasized: numbers of the rows in bold.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()
    remarks_heading: str = ""
    emphasized: frozenset[int] = frozenset()

    def lines(self, width: int, rule: str = "─") -> Iterator[tuple[str, bool]]:
        """The lines of the table, and whether each is emphasized.

        Args:
            width: columns of the terminal; no line is longer.
            rule: the character of the line below the headings.

        Returns:
            An iterator.
        """
        figures = self._figures()
        remarks = ["", self.remarks_heading, *self.remarks]
        if not self.remarks:
            remarks = [""] * len(figures)
        rows = [
            [line.rstrip() for line in lines] for lines in _with_remarks(figures, remarks, width)
        ]
        rows.insert(2, [rule * min(width, max(len(line) for row in rows for line in row))])
        for number, row in enumerate(rows):
            for line in row:
                for start in range(0, max(len(line), 1), width):
                    yield line[start : start + width], number - 3 in self.emphasized

    def _figures(self) -> list[str]:
        """Both lines of the headings, then the rows, without remarks, all of one length."""
        headings = [["", *heading.split("\n")][-2:] for heading in self.headings]
        table = [*zip(*headings, strict=True), *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return [
            GAP.join(cell.rjust(size) for cell, size in zip(cells, widths, strict=True))
            for cells in table
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """How a Rich console prints it."""
        from rich.segment import Segment
        from rich.style import Style

        bold = Style(bold=True)
        for line, emphasized in self.lines(options.max_width, "-" if options.ascii_only else "─"):
            yield Segment(line, bold if emphasized else None)
            yield Segment.line()


def _with_remarks(
    figures: Sequence[str], remarks: Sequence[str], width: int
) -> Iterator[Sequence[str]]:
    """The lines of each row, with its remark beside it or below it."""
    room = width - len(figures[0]) - len(GAP)
    beside = [_folded(remark, room) for remark in remarks]
    below = [len(parts) > MOST_LINES_BESIDE for parts in beside]
    if room < NARROWEST_TEXT or sum(below) > MOST_BELOW * len(below):
        below = [True] * len(below)
    for left, remark, parts, is_below in zip(figures, remarks, beside, below, strict=True):
        if is_below and width - len(MARGIN) >= NARROWEST_TEXT:
            folded = _folded(remark, width - len(MARGIN))
            yield [left, *(MARGIN + part for part in folded if part)]
            continue
        lines = parts if room >= NARROWEST_TEXT else [remark]
        lefts = [left, *[" " * len(left)] * (len(lines) - 1)]
        yield [one + GAP + part for one, part in zip(lefts, lines, strict=True)]


def _folded(remark: str, room: int) -> Sequence[str]:
    """A remark in lines of some length; one line, however long, where there is too little room."""
    if len(remark) <= room or room < NARROWEST_TEXT:
        return [remark]
    return textwrap.wrap(remark, room)
