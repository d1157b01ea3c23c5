"""How names of classes, of any length and script, are written in pictures.

Matplotlib brings a font with Latin, Greek, Cyrillic and little else. What it lacks is looked for in
the machine's fonts; a name that none of them can write is written as its number.
"""

from __future__ import annotations

import contextlib
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LONGEST = 14  # in cells: a Chinese character takes two
OWN_FAMILY = "DejaVu Sans"  # the font that Matplotlib brings
LEFT_TO_RIGHT = "\u200e"  # is not seen, and counts as a letter of such a script
# Draws a box with a number for every character: worse than saying that there is no font.
CELL_INCHES = 0.085  # what `cells` counts, at 9 points
NO_REAL_FONT = "Last Resort", ".LastResort"


@dataclass(frozen=True)
class ClassLabels:
    """Texts that stand for classes in pictures.

    Attributes:
        texts: one a class, short enough, and such that a font can write them.
        families: names of fonts that can write them together, the one to use first at the front.
        numbered: indices of the classes that stand as a number, since no font can write them.
    """

    texts: tuple[str, ...]
    families: tuple[str, ...]
    numbered: tuple[int, ...]


def class_labels(classes: Sequence[str]) -> ClassLabels:
    """Find texts and fonts for classes.

    Args:
        classes: their names, printable, none twice.

    Returns:
        A text for each: its name, or its number from 1 on as `#12`; a long name is cut, and
        where that makes two of them alike, its number stands before it.
    """
    families, writable = _fonts_for({letter for name in classes for letter in name})
    numbered = tuple(
        index for index, name in enumerate(classes) if not set(name) <= {*writable, " "}
    )
    texts = [shortened(name) for name in classes]
    for index in numbered:
        texts[index] = f"#{index + 1}"
    times = Counter(texts)
    for index, text in enumerate(texts):
        if times[text] > 1 and index not in numbered:
            texts[index] = shortened(f"#{index + 1} {classes[index]}")
    return ClassLabels(tuple(texts), tuple(families), numbered)


def as_writable(text: str) -> tuple[str, tuple[str, ...]]:
    """A text as the fonts that are there can write it.

    Args:
        text: of any script.

    Returns:
        The text with a "?" for what no font can write, and the names of the fonts for the rest of
        it.
    """
    families, letters = _fonts_for(set(text))
    written = "".join(c if c in letters or c == " " else "?" for c in text)
    return written, tuple(families)


def cells(text: str) -> int:
    """Width of a text, about, in letters of the Latin script.

    Args:
        text: of any script.

    Returns:
        About so many letters; those of East Asian scripts count as two.
    """
    seen = [letter for letter in text if letter != LEFT_TO_RIGHT]
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in seen)


def shortened(name: str, longest: int = LONGEST) -> str:
    """A name that is no wider than it may be.

    Args:
        name: of any script.
        longest: in cells, as `cells` counts them.

    Returns:
        The name, or its beginning with an ellipsis.
    """
    if cells(name) <= longest:
        return name
    kept = ""
    for letter in name:
        if cells(kept + letter) >= longest:
            break
        kept += letter
    return kept.rstrip() + "…"


def within_a_line(text: str) -> str:
    """The text such that it, in a script from right to left, turns round nothing beside it.

    Args:
        text: of any script.

    Returns:
        The text between two marks that have no width.
    """
    return f"{LEFT_TO_RIGHT}{text}{LEFT_TO_RIGHT}"


@contextlib.contextmanager
def written_with(families: Sequence[str]) -> Iterator[None]:
    """Pictures drawn meanwhile are written in these fonts, each for what those before it lack.

    Args:
        families: names of fonts.
    """
    import matplotlib

    fonts = {"font.family": list(families), "axes.unicode_minus": True}
    with _fonts_unsaid(), matplotlib.rc_context(fonts):
        yield


@contextlib.contextmanager
def _fonts_unsaid() -> Iterator[None]:
    """What Matplotlib logs of fonts meanwhile, such as one without a usual weight, is not shown."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _fonts_for(letters: set[str]) -> tuple[list[str], set[str]]:
    """Families of fonts, Matplotlib's own first, and which of the letters they can write."""
    families = [OWN_FAMILY]
    writable = _written_by(OWN_FAMILY, letters)
    for family in _other_families() if letters - writable - {" "} else ():
        more = _written_by(family, letters - writable)
        if more:
            families.append(family)
            writable |= more
        if not letters - writable - {" "}:
            break
    return families, writable


def _other_families() -> list[str]:
    from matplotlib.font_manager import fontManager

    names = {font.name for font in fontManager.ttflist} - {OWN_FAMILY}
    return sorted(name for name in names if not name.startswith(NO_REAL_FONT))


def _written_by(family: str, letters: set[str]) -> set[str]:
    """Which letters the file has that Matplotlib takes for a family."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    try:
        with _fonts_unsaid():
            file = findfont(FontProperties(family=[family]), fallback_to_default=False)
        font = FT2Font(file)
    except (OSError, RuntimeError, ValueError):  # the file is gone, or none that can be drawn with
        return set()
    if not font.scalable:  # pictures of letters, such as emoji, cannot be drawn in our size
        return set()
    return {letter for letter in letters if font.get_char_index(ord(letter))}
