"""A report as one HTML page that needs nothing else: texts, tables and pictures put in one file.

Everything that is put in is text and is escaped here; nothing on the page is ever run, which the
page also tells the browser.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

FOLDED_FROM = 16  # rows; tables of so many are opened by a click


@dataclass(frozen=True)
class Paragraph:
    """A text; one that is `important` says what a reader must not overlook."""

    text: str
    important: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells below headings.

    Attributes:
        caption: what it lists, and on how many images it stands.
        headings: one a column.
        rows: as many cells in each as there are headings.
        names: columns of texts, in any script; the others are figures, to the right.
        emphasized: rows in bold.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: frozenset[int] = frozenset()
    emphasized: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A PNG picture.

    Attributes:
        name: of the file beside the page, without its ending.
        png: content of the file.
        caption: what it shows, and on how many images it stands.
    """

    name: str
    png: bytes = field(repr=False)
    caption: str


Block: TypeAlias = Paragraph | Table | Picture


@dataclass(frozen=True)
class Section:
    """A part of the page below a heading of its own."""

    title: str
    blocks: Sequence[Block]


def page(title: str, introduction: Sequence[Block], sections: Sequence[Section]) -> str:
    """Write a page.

    Args:
        title: of the page.
        introduction: what comes before the list of sections.
        sections: in their order.

    Returns:
        HTML with everything in it.
    """
    links = "".join(
        f'<li><a href="#part-{number}">{_escaped(section.title)}</a></li>\n'
        for number, section in enumerate(sections, 1)
    )
    parts = "".join(
        f'<section id="part-{number}">\n<h2>{_escaped(section.title)}</h2>\n'
        f"{_blocks(section.blocks)}</section>\n"
        for number, section in enumerate(sections, 1)
    )
    return (
        f"{_HEAD.replace('TITLE', _escaped(title))}"
        f"<h1>{_escaped(title)}</h1>\n{_blocks(introduction)}"
        f"<nav>\n<ul>\n{links}</ul>\n</nav>\n{parts}</main>\n</body>\n</html>\n"
    )


def _blocks(blocks: Sequence[Block]) -> str:
    return "".join(_block(block) for block in blocks)


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        kind = ' class="important"' if block.important else ""
        return f"<p{kind}>{_escaped(block.text)}</p>\n"
    if isinstance(block, Picture):
        alternative = f"Picture: {block.name.replace('-', ' ')}"  # the caption says the rest
        data = base64.b64encode(block.png).decode("ascii")
        return (
            f'<figure>\n<img src="data:image/png;base64,{data}" alt="{_escaped(alternative)}">\n'
            f"<figcaption>{_escaped(block.caption)}</figcaption>\n</figure>\n"
        )
    return _table(block)


def _table(table: Table) -> str:
    headings = "".join(
        f'<th scope="col"{_kind(table, column)}>{_escaped(heading)}</th>'
        for column, heading in enumerate(table.headings)
    )
    rows = "".join(
        ('<tr class="emphasized">' if number in table.emphasized else "<tr>")
        + "".join(_cell(table, column, cell) for column, cell in enumerate(row))
        + "</tr>\n"
        for number, row in enumerate(table.rows)
    )
    caption = _escaped(table.caption)
    body = f"<thead>\n<tr>{headings}</tr>\n</thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    if len(table.rows) < FOLDED_FROM:
        return (
            f"<figure>\n<figcaption>{caption}</figcaption>\n"
            f'<div class="wide">\n<table>\n{body}</figure>\n'
        )
    return (
        f'<details>\n<summary>{caption}</summary>\n<div class="wide">\n<table>\n{body}</details>\n'
    )


def _cell(table: Table, column: int, cell: str) -> str:
    # A name from right to left must not turn round what stands beside it.
    text = f"<bdi>{_escaped(cell)}</bdi>" if column in table.names else _escaped(cell)
    return f"<td{_kind(table, column)}>{text}</td>"


def _kind(table: Table, column: int) -> str:
    return ' class="name"' if column in table.names else ""


def _escaped(text: str) -> str:
    """A text as HTML, without what HTML cannot hold: control characters and broken ones."""
    return html.escape("".join(c if _can_be_written(c) else "\ufffd" for c in text))


def _can_be_written(letter: str) -> bool:
    code = ord(letter)
    return not (code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000)


_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>TITLE</title>
<style>
:root { --ink: #1b1b1b; --paper: #fdfdfc; --soft: #5a5a5a; --line: #d5d5d0; --link: #0b57a4;
  --warn: #fff3d6; --warn-line: #c98a00; --stripe: #f2f2ee; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e3; --paper: #17181a; --soft: #a9a9a5; --line: #3a3b3d; --link: #7db7f5;
    --warn: #3a2f14; --warn-line: #d9a02b; --stripe: #202124; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem clamp(0.8rem, 4vw, 2rem) 4rem; }
h1, h2, p, figcaption, summary, li { overflow-wrap: anywhere; }
h1 { line-height: 1.2; font-size: 1.7rem; }
h2 { line-height: 1.2; font-size: 1.3rem; margin: 2.6rem 0 0.8rem; padding-top: 0.6rem;
  border-top: 1px solid var(--line); }
p { max-width: 46rem; }
a { color: var(--link); }
nav ul { margin: 1.2rem 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap;
  gap: 0.3rem 1.2rem; }
.important { background: var(--warn); border-left: 4px solid var(--warn-line);
  padding: 0.6rem 0.9rem; }
figure, details { margin: 1.4rem 0; }
img { display: block; max-width: 100%; height: auto; background: #fff; padding: 0.4rem;
  border: 1px solid var(--line); border-radius: 4px; }
figcaption, summary { color: var(--soft); font-size: 0.92rem; text-align: left;
  padding: 0.4rem 0; }
summary { cursor: pointer; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { vertical-align: bottom; font-weight: 600; }
td { white-space: nowrap; }
.name { text-align: left; }
td.name { white-space: normal; overflow-wrap: break-word; min-width: 4rem; max-width: 30rem; }
tbody tr:nth-child(even) { background: var(--stripe); }
.emphasized td { font-weight: 700; }
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  h2, tr, img, .important { break-inside: avoid; }
  h2, figcaption, summary { break-after: avoid; }
  figure:has(img) { break-inside: avoid; }
  img { max-height: 23cm; width: auto; border: 0; }
  .wide { overflow: visible; }
  details::details-content { content-visibility: visible; }
}
</style>
</head>
<body>
<main>
"""
