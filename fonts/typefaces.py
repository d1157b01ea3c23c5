"""Font files: found, read, and which digits and letters each of them draws."""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from errors import DataError, UserError
from fonts.arrays import Pixels
from fonts.characters import CHARACTERS
from fonts.hands import CAPITAL
from fonts.small_capitals import small_capitals

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont
    from PIL import ImageFont


FONT_SUFFIXES = frozenset({".ttf", ".otf", ".woff", ".woff2"})
LONGEST = 3 * CAPITAL  # no outline may be longer: a broken font must not fill the memory


@dataclasses.dataclass(frozen=True)
class Typeface:
    """One font file and what it can draw.

    Attributes:
        path: the font file.
        family: the family's name; fonts of one family are never on both sides of the split.
        characters: what it draws, of the 62 digits and letters.
        missing: those that it lacks, or draws blank or as the box for missing characters.
        small_capitals: lower-case letters that it draws as small capitals.
    """

    path: Path
    family: str
    characters: frozenset[str]
    missing: str = ""
    small_capitals: str = ""


def find_font_files(folder: Path) -> list[Path]:
    """List the font files in a folder and its subfolders, in an order that any machine gives.

    Args:
        folder: where to look.

    Returns:
        Paths of .ttf, .otf, .woff and .woff2 files, sorted; at least one.

    Raises:
        UserError: there is no such folder, or no font file in it.
    """
    if not folder.is_dir():
        raise UserError(f"There is no font folder '{folder}'; give a folder with font files.")
    files = [p for p in folder.rglob("*") if p.suffix.lower() in FONT_SUFFIXES and p.is_file()]
    if not files:
        kinds = ", ".join(sorted(FONT_SUFFIXES))
        raise UserError(f"The folder '{folder}' has no font files ({kinds}).")
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def read_typeface(path: Path) -> Typeface:
    """Read a font file and find out which digits and letters it draws.

    Args:
        path: a font file.

    Returns:
        The typeface; its `characters` may be empty.

    Raises:
        DataError: the file cannot be read as a font.
    """
    try:
        data, family, drawable = _read_font(path)
        masks = _outlines(_pillow_font(data, 64), drawable)
    except Exception as error:  # a damaged font raises nearly anything, in either library
        reason = str(error).strip() or type(error).__name__
        raise DataError(f"{path.name} cannot be read as a font: {reason}.") from error
    small = small_capitals(masks)
    return Typeface(
        path=path,
        family=family or path.stem,
        characters=frozenset(masks) - frozenset(small),
        missing="".join(c for c in CHARACTERS if c not in masks),
        small_capitals="".join(sorted(small)),
    )


def _read_font(path: Path) -> tuple[bytes, str, frozenset[str]]:
    """Return a font as plain TrueType or OpenType bytes, its family and what it has glyphs for."""
    from fontTools.ttLib import TTFont

    with TTFont(path, lazy=True) as font:
        family = font["name"].getBestFamilyName() if "name" in font else None
        drawable = _drawable(font)
        if font.flavor is None:
            return path.read_bytes(), (family or "").strip(), drawable
        font.flavor = None  # woff and woff2 are compressed OpenType
        plain = io.BytesIO()
        font.save(plain, reorderTables=None)
    return plain.getvalue(), (family or "").strip(), drawable


def _drawable(font: TTFont) -> frozenset[str]:
    """Find the characters that a font maps to a glyph, leaving out boxes for missing ones.

    Outlines are compared, not pictures: hinting may draw one outline in two ways.
    """
    from fontTools.pens.recordingPen import DecomposingRecordingPen

    glyphs = font.getGlyphSet()

    def outline(name: str) -> str:
        pen = DecomposingRecordingPen(glyphs)
        glyphs[name].draw(pen)
        return repr(pen.value)

    box = outline(".notdef") if ".notdef" in glyphs else ""
    mapped = {chr(code): name for code, name in (font.getBestCmap() or {}).items()}
    drawn = {c: outline(mapped[c]) for c in CHARACTERS if c in mapped}
    # One look for three different letters is a box too, whatever the font calls it.
    letters = Counter(look for look, _ in {(look, c.casefold()) for c, look in drawn.items()})
    return frozenset(c for c, look in drawn.items() if look != box and letters[look] < 3)


def _pillow_font(data: bytes, size: float) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    # The basic layout is built into Pillow; the other one may be missing or differ by version.
    return ImageFont.truetype(io.BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)


def _outline(font: ImageFont.FreeTypeFont, character: str) -> Pixels:
    """Draw one character as grey values cropped to its ink; (0, 0) where it is blank."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
    if max(right - left, bottom - top) > 20 * font.size:
        raise DataError(f"the outline of '{character}' is too large")
    page = Image.new("L", (max(right - left, 0) + 4, max(bottom - top, 0) + 4))
    ImageDraw.Draw(page).text((2 - left, 2 - top), character, font=font, fill=255)
    box = page.getbbox()
    return np.asarray(page.crop(box) if box else page.crop((0, 0, 0, 0)), dtype=np.uint8)


def _outlines(font: ImageFont.FreeTypeFont, characters: Iterable[str]) -> dict[str, Pixels]:
    """Draw characters, leaving out blank ones."""
    drawn = {c: _outline(font, c) for c in sorted(characters)}
    return {c: image for c, image in drawn.items() if image.max(initial=0) > 127}


def sized_outlines(path: Path, characters: Iterable[str]) -> dict[str, Pixels]:
    """Draw outlines of one font at `CAPITAL` pixels to a capital.

    Args:
        path: of the font.
        characters: that the font draws.

    Returns:
        For each character, uint8 (H, W), ink up to 255, cut to its ink; (0, 0) where it is blank.
    """
    try:
        data, _, drawable = _read_font(path)
        known = _outlines(_pillow_font(data, 64), drawable)
        tallest = known.get("H", max(known.values(), key=len))
        font = _pillow_font(data, 64 * CAPITAL / len(tallest))
        return {c: _bounded(_outline(font, c)) for c in sorted(characters)}
    except Exception as error:  # as in read_typeface: damaged fonts raise nearly anything
        raise DataError(f"{path.name} cannot be drawn from: {error}.") from error


def _bounded(outline: Pixels) -> Pixels:
    """Scale an outline down that is far longer than a capital is high."""
    from PIL import Image

    picture = Image.fromarray(outline)
    picture.thumbnail((LONGEST, LONGEST))
    return np.asarray(picture, dtype=np.uint8)
