"""Tests of how names of classes are written in pictures."""

import dataclasses
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluation.class_labels import (
    LONGEST,
    as_writable,
    cells,
    class_labels,
    shortened,
    written_with,
)

UNWRITABLE = "\U000f0001"  # of a private area: no font should have it
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), min_size=1
)


def drawn(texts: tuple[str, ...], families: tuple[str, ...], path: Path) -> None:
    with written_with(families):
        figure = Figure(figsize=(1, 1), dpi=50)
        FigureCanvasAgg(figure)
        for text in texts:
            figure.text(0, 0, text, parse_math=False)
        figure.savefig(path)


def test_names_that_the_own_font_has_stay_as_they_are() -> None:
    classes = ("A", "é", "Ω", "ж", "$x_1$", "<b>")
    labels = class_labels(classes)
    assert labels.texts == classes
    assert labels.numbered == ()
    assert labels.families == ("DejaVu Sans",)


def test_what_the_own_font_lacks_is_written_in_another(tmp_path: Path) -> None:
    letter = "\u1d84"  # in STIX, which Matplotlib brings as well
    labels = class_labels(("A", letter))
    assert labels.texts == ("A", letter) and labels.numbered == ()
    assert labels.families[0] == "DejaVu Sans" and len(labels.families) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(labels.texts, labels.families, tmp_path / "names.png")
    with pytest.warns(UserWarning, match="missing"):
        drawn(labels.texts, labels.families[:1], tmp_path / "names.png")


def test_a_name_that_no_font_has_stands_as_its_number() -> None:
    labels = class_labels(("A", UNWRITABLE, f"B{UNWRITABLE}"))
    assert labels.texts == ("A", "#2", "#3")
    assert labels.numbered == (1, 2)


@settings(max_examples=10, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_every_text_is_short_and_can_be_drawn_without_a_warning(
    tmp_path_factory: pytest.TempPathFactory, classes: list[str]
) -> None:
    labels = class_labels(classes)
    assert len(labels.texts) == len(classes)
    assert all(cells(text) <= LONGEST for text in labels.texts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(labels.texts, labels.families, tmp_path_factory.mktemp("drawn") / "names.png")


def test_long_names_are_cut_and_still_told_apart() -> None:
    labels = class_labels(("a very long name of one", "a very long name of two", "short"))
    assert labels.texts == ("#1 a very lon…", "#2 a very lon…", "short")


def test_wide_letters_count_twice() -> None:
    assert cells("漢a") == 3
    assert shortened("漢" * 7) == "漢" * 7
    assert shortened("漢" * 8) == "漢" * 6 + "…"


def test_what_is_logged_about_fonts_reaches_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib import font_manager

    light = dataclasses.replace(font_manager.fontManager.ttflist[0], name="A light one", weight=300)
    fonts = [*font_manager.fontManager.ttflist, light]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    labels = class_labels(("A", UNWRITABLE))
    drawn(labels.texts, ("A light one",), tmp_path / "names.png")
    assert not caplog.records


def test_a_text_is_written_but_for_what_no_font_has() -> None:
    assert as_writable(f"A {UNWRITABLE} ж") == ("A ? ж", ("DejaVu Sans",))


def test_fonts_are_as_before_afterwards() -> None:
    import matplotlib

    before = matplotlib.rcParams["font.family"]
    with written_with(("DejaVu Serif",)):
        assert matplotlib.rcParams["font.family"] == ["DejaVu Serif"]
    assert matplotlib.rcParams["font.family"] == before
