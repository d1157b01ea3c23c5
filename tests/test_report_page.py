"""Tests of the page that reports are written as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.page import FOLDED_FROM, Block, Paragraph, Picture, Section, Table, page
from tests.html_pages import Page

ATTACK = "<script>alert(1)</script>"


def test_everything_put_in_is_text() -> None:
    blocks: list[Block] = [
        Paragraph(ATTACK),
        Paragraph(ATTACK, important=True),
        Table(ATTACK, (ATTACK, "n"), [(ATTACK, ATTACK)], names=frozenset({0})),
        Picture('"><script>', b"png", ATTACK),
    ]
    made = Page(page(ATTACK, blocks, [Section(ATTACK, blocks)]))
    assert made.count("script") == 0
    # Title, heading, link and heading of the section; and seven in each of both lists of blocks.
    assert made.texts.count(ATTACK) == 4 + 2 * 7


@given(st.text(st.characters(codec=None)))
def test_any_text_makes_a_whole_page_that_can_be_encoded(text: str) -> None:
    made = page(text, [Paragraph(text)], [Section(text, [Table(text, (text,), [(text,)])])])
    made.encode("utf-8")
    assert not set(made) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}
    Page(made)


def test_nothing_is_fetched_or_run() -> None:
    made = Page(page("Report", [Paragraph("text")], [Section("Part", [])]))
    assert {name for name, _ in made.tags} & {"script", "link", "iframe", "object", "base"} == set()
    policy = next(
        attributes["content"]
        for _, attributes in made.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "url(" not in made.text and "@import" not in made.text


def test_names_may_run_from_right_to_left() -> None:
    table = Table("names", ("Class", "Images"), [("ܐܒ", "12")], names=frozenset({0}))
    assert '<td class="name"><bdi>ܐܒ</bdi></td><td>12</td>' in page("", [table], [])


def test_links_lead_to_the_sections() -> None:
    made = Page(page("Report", [], [Section("One", []), Section("Two", [])]))
    links = [attributes["href"] for name, attributes in made.tags if name == "a"]
    places = [f"#{attributes['id']}" for name, attributes in made.tags if name == "section"]
    assert links == places and len(set(links)) == 2


@pytest.mark.parametrize(("rows", "folded"), [(FOLDED_FROM - 1, 0), (FOLDED_FROM, 1)])
def test_long_tables_are_folded(rows: int, folded: int) -> None:
    made = Page(page("", [Table("rows", ("n",), [(f"{n}",) for n in range(rows)])], []))
    assert made.count("details") == folded
    assert made.count("tr") == rows + 1


def test_emphasized_rows_stand_out() -> None:
    made = page("", [Table("", ("n",), [("1",), ("2",)], emphasized=frozenset({1}))], [])
    assert made.index("<tr><td>1") < made.index('<tr class="emphasized"><td>2')
