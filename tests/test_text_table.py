"""Tests of tables of text."""

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from views.text_table import TextTable

TABLE = TextTable(
    headings=("No.", "Val.\nloss"),
    rows=[("1", "0.5"), ("* 12", "0.25")],
    remarks=["plain", "a remark of many words"],
    remarks_heading="Said",
    emphasized=frozenset({1}),
)


def shown(table: TextTable, width: int) -> list[str]:
    return [line for line, _ in table.lines(width)]


def test_figures_stand_to_the_right_and_remarks_to_the_left() -> None:
    assert shown(TABLE, 80) == [
        "      Val.",
        " No.  loss  Said",
        "──────────────────────────────────",
        "   1   0.5  plain",
        "* 12  0.25  a remark of many words",
    ]


def test_a_remark_is_folded_below_itself() -> None:
    assert shown(TABLE, 25)[-2:] == ["* 12  0.25  a remark of", "            many words"]


LONG = "a remark of so many words that it would need more lines"


def test_a_long_remark_among_short_ones_stands_below_its_row() -> None:
    rows = [*TABLE.rows, ("2", "0.1"), ("3", "0.2"), ("4", "0.3")]
    table = TextTable(TABLE.headings, rows, ["plain", LONG, *["plain"] * 3], "Said")
    assert shown(table, 40)[1:] == [
        " No.  loss  Said",
        "─" * 39,
        "   1   0.5  plain",
        "* 12  0.25",
        "      a remark of so many words that it",
        "      would need more lines",
        "   2   0.1  plain",
        "   3   0.2  plain",
        "   4   0.3  plain",
    ]


def test_where_many_remarks_would_take_many_lines_all_stand_below_their_rows() -> None:
    table = TextTable(TABLE.headings, TABLE.rows, [LONG, LONG], "Said")
    assert shown(table, 40) == [
        "      Val.",
        " No.  loss",
        "      Said",
        "─" * 39,
        "   1   0.5",
        "      a remark of so many words that it",
        "      would need more lines",
        "* 12  0.25",
        "      a remark of so many words that it",
        "      would need more lines",
    ]
    assert shown(table, 80)[-1] == f"* 12  0.25  {LONG}"


def test_a_table_without_remarks_ends_with_its_figures() -> None:
    table = TextTable(("A",), [("1",), ("22",)])
    assert shown(table, 80)[1:] == [" A", "──", " 1", "22"]


def test_emphasized_rows_are_bold_at_a_terminal_and_plain_in_a_pipe() -> None:
    terminal = Console(force_terminal=True, color_system="standard", width=80, _environ={})
    pipe = Console(force_terminal=False, width=80)
    printed = []
    for console in (terminal, pipe):
        with console.capture() as capture:
            console.print(TABLE)
        printed.append(capture.get().splitlines())
    assert printed[0][-1] == "\x1b[1m* 12  0.25  a remark of many words\x1b[0m"
    assert "\x1b" not in printed[0][-2]
    assert printed[1] == shown(TABLE, 80)


CELL = st.text("0123456789.%", max_size=9)
ROWS = st.lists(st.tuples(CELL, CELL), max_size=5)


@given(ROWS, st.text("ab ", max_size=40), st.integers(1, 60))
def test_nothing_is_lost_in_any_width(rows: list[tuple[str, str]], remark: str, width: int) -> None:
    table = TextTable(("No.", "A\nB"), rows, [remark] * len(rows), "Said")
    lines = shown(table, width)
    assert all(len(line) <= width for line in lines)
    text = "".join("".join(lines).split())
    expected = "A" + "No.BSaid"  # the upper line of the headings, then the lower one
    if not rows:
        expected = "ANo.B"
    for cells in rows:
        expected += "".join(cells) + "".join(remark.split())
    assert text.replace("─", "") == expected
