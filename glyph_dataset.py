"""Draw a data set of characters from font files.

    python glyph_dataset.py FONT_FOLDER TARGET.mat [--per-class N] [--seed N] [--force]

The 47 classes of EMNIST Balanced are drawn from every font in a folder and varied in slant,
thickness, size and shape until they look as scanned handwriting does in EMNIST. Training and test
images come from different font families, so the test shows how well a network reads a hand that it
has never seen.

A character goes the way that EMNIST's own characters went: a black and white scan, a Gaussian blur,
the box around the ink padded to a square with a border, and a bi-cubic reduction to 28x28.

Needs Pillow and fontTools, and Brotli for .woff2 files: `pip install pillow fonttools brotli`.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import io
import itertools
import logging
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import CubicSpline

import data_parser
from errors import DataError, UserError

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont
    from PIL import ImageFont

# Pixels: grey values as uint8, or reals where 1 is ink. Mask: True is ink.
Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CLASSES = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")
MERGED_LETTERS = frozenset("CIJKLMOPSUVWXYZ")
CHARACTERS = string.digits + string.ascii_letters
FONT_SUFFIXES = frozenset({".ttf", ".otf", ".woff", ".woff2"})
PER_CLASS = 85
TEST_SHARE = 10 / 85
TEST_FAMILY_SHARE = 0.15
SPLIT_ATTEMPTS = 200
INSTALL = "install what is missing with: python -m pip install pillow fonttools brotli"

IMAGE_SIDE = 28
BORDER = 2  # EMNIST's, in pixels of the scan
SCAN_BLUR = 1.0  # EMNIST's sigma, in pixels of the scan
CAPITAL = 100  # height of a capital in the outlines that are varied, in pixels
LONGEST = 3 * CAPITAL  # no outline may be longer: a broken font must not fill the memory
OVERSAMPLING = 2  # pixels of the warped outline for one of the scan

PROFILE_SIDE = 32
# How like a lower-case letter must be to its capital to be taken for a small one. Measured on 56
# handwriting fonts: true pairs of b, e, g, r and of the letters with as many holes stay below.
SURE_LIKENESS = 0.88
SUSPECT_LIKENESS = 0.78
HOLES_DIFFER = frozenset("begr")  # their capitals have another number of holes
MANY_SMALL_CAPITALS = 4


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


@dataclasses.dataclass(frozen=True)
class Hand:
    """How one character is written; lengths in pixels of the scan.

    Attributes:
        capital: height of a capital letter.
        pen: width of a stroke.
        slant: sideways shift for each unit of height; positive leans to the right.
        turn: rotation in radians, counter-clockwise.
        stretch: width in relation to the font's.
        bend: size of slow distortions, as a share of the character's length.
        tremor: size of quick distortions, likewise.
    """

    capital: float
    pen: float
    slant: float
    turn: float
    stretch: float
    bend: float
    tremor: float


@dataclasses.dataclass(frozen=True)
class Job:
    """One image to draw: this character, from this font, under this label."""

    label: int
    character: str
    typeface: Typeface


@dataclasses.dataclass(frozen=True)
class GlyphDataset:
    """Drawn images with their labels.

    Attributes:
        training_images: uint8 (N, 28, 28), upright, ink 255 on 0.
        training_labels: int64 (N,), indices into `CLASSES`.
        training_fonts: for each training image the file it was drawn from.
        test_images: as the training images.
        test_labels: as the training labels.
        test_fonts: as the training fonts.
    """

    training_images: Pixels
    training_labels: npt.NDArray[np.int64]
    training_fonts: tuple[Path, ...]
    test_images: Pixels
    test_labels: npt.NDArray[np.int64]
    test_fonts: tuple[Path, ...]


def characters_of(label: str) -> str:
    """Return the characters that a class stands for.

    Args:
        label: one of `CLASSES`.

    Returns:
        The label itself, followed by its lower case where EMNIST merges the two.
    """
    return label + label.lower() if label in MERGED_LETTERS else label


# --- fonts -----------------------------------------------------------------------------------


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


def small_capitals(outlines: Mapping[str, Pixels]) -> frozenset[str]:
    """Find lower-case letters that are in truth small capitals.

    Only letters whose two cases are two classes matter. An all-capitals font often draws its two
    sets by hand, so that they differ a little: once several are sure, all are taken out.

    Args:
        outlines: for each character its grey picture, uint8 (any, any), cropped to the ink.

    Returns:
        The lower-case letters not to be used.
    """
    pairs = [c for c in CLASSES if c.islower() and c in outlines and c.upper() in outlines]
    likeness = {c: _likeness(outlines[c], outlines[c.upper()]) for c in pairs}
    sure = {c for c in pairs if likeness[c] > SURE_LIKENESS}
    sure |= {
        c
        for c in HOLES_DIFFER.intersection(pairs)
        if likeness[c] > SUSPECT_LIKENESS
        and _holes(outlines[c] > 127) == _holes(outlines[c.upper()] > 127)
    }
    if len(sure) > 1:
        sure |= {c for c in pairs if likeness[c] > SUSPECT_LIKENESS}
    return frozenset(pairs if len(sure) >= MANY_SMALL_CAPITALS else sure)


def _likeness(first: Pixels, second: Pixels) -> float:
    """Correlate two pictures stretched to one size and blurred; 1 is the same shape."""
    a, b = _profile(first), _profile(second)
    return float((a * b).sum())


def _profile(outline: Pixels) -> Reals:
    from PIL import Image

    side = (PROFILE_SIDE, PROFILE_SIDE)
    small = np.asarray(Image.fromarray(outline).resize(side, Image.Resampling.BILINEAR), float)
    blurred = ndimage.gaussian_filter(np.pad(small, 4), 2.0)
    blurred -= blurred.mean()
    return np.asarray(blurred / max(float(np.linalg.norm(blurred)), 1e-9), dtype=np.float64)


# --- which font draws what -------------------------------------------------------------------


def split_families(
    typefaces: Sequence[Typeface], rng: np.random.Generator
) -> tuple[list[Typeface], list[Typeface]]:
    """Share the fonts out between training and test, whole families at a time.

    Args:
        typefaces: the fonts to share out.
        rng: decides which family goes where.

    Returns:
        The fonts for training and those for test; either side can draw every class.

    Raises:
        DataError: a class is drawn by no font, or the families do not suffice for two sides.
    """
    able: dict[str, set[str]] = {}
    for face in typefaces:
        able.setdefault(face.family, set()).update(
            label for label in CLASSES if face.characters.intersection(characters_of(label))
        )
    _check_coverage(able)
    names = sorted(able)
    count = min(max(1, round(TEST_FAMILY_SHARE * len(names))), len(names) - 1)
    for _ in range(SPLIT_ATTEMPTS):
        order = [names[i] for i in rng.permutation(len(names))]
        test = _covering(order, count, able)
        if all(any(c in able[n] for n in names if n not in test) for c in CLASSES):
            train_side = [face for face in typefaces if face.family not in test]
            return train_side, [face for face in typefaces if face.family in test]
    raise DataError(
        "The fonts cannot be shared out so that training and test can both draw every class; "
        "add fonts that draw all letters and digits."
    )


def _check_coverage(able: Mapping[str, set[str]]) -> None:
    for label in CLASSES:
        families = [name for name, labels in able.items() if label in labels]
        if not families:
            raise DataError(
                f"No font in the folder can draw the class '{label}'; add one that can."
            )
        if len(families) == 1:
            raise DataError(
                f"Only the font family '{families[0]}' can draw the class '{label}', but training "
                "and test images must come from different families; add another that can."
            )


def _covering(order: Sequence[str], count: int, able: Mapping[str, set[str]]) -> set[str]:
    """Take the first `count` families, and more until together they draw every class."""
    chosen = set(order[:count])
    for label in CLASSES:
        if not any(label in able[name] for name in chosen):
            chosen.add(next(name for name in order if label in able[name]))
    return chosen


def plan_jobs(typefaces: Sequence[Typeface], per_class: int, rng: np.random.Generator) -> list[Job]:
    """Decide which font draws which image, spread evenly over cases and families.

    Args:
        typefaces: the fonts of one side; together they draw every class.
        per_class: images of each class.
        rng: decides the order.

    Returns:
        The jobs, 47 times `per_class`, by class.
    """
    jobs = []
    for label, name in enumerate(CLASSES):
        able = {
            c: faces
            for c in characters_of(name)
            if (faces := [face for face in typefaces if c in face.characters])
        }
        turns = {c: _take_turns(faces, rng) for c, faces in able.items()}
        order = rng.permutation(list(turns))  # who begins, since the count may be odd
        for character in itertools.islice(itertools.cycle(order), per_class):
            jobs.append(Job(label, str(character), next(turns[str(character)])))
    return jobs


def _take_turns(typefaces: Sequence[Typeface], rng: np.random.Generator) -> Iterator[Typeface]:
    """Yield fonts for ever, each family once a round whatever the number of its weights."""
    families: dict[str, list[Typeface]] = {}
    for face in typefaces:
        families.setdefault(face.family, []).append(face)
    members = [families[name] for name in sorted(families)]
    while True:
        for index in rng.permutation(len(members)):
            yield members[index][rng.integers(len(members[index]))]


# --- drawing ---------------------------------------------------------------------------------


def random_hand(rng: np.random.Generator) -> Hand:
    """Choose how a character is written; spread and means were fitted to EMNIST.

    Args:
        rng: where the choice comes from.

    Returns:
        The choice.
    """
    return Hand(
        capital=float(np.clip(41 * np.exp(rng.normal(0, 0.2)), 24, 72)),
        pen=float(np.clip(rng.normal(6.0, 1.3), 3.0, 8.5)),
        slant=float(np.clip(rng.normal(0.19, 0.19), -0.35, 0.7)),
        turn=float(np.clip(rng.normal(0, 0.07), -0.2, 0.2)),
        stretch=float(np.clip(np.exp(rng.normal(0.14, 0.13)), 0.75, 1.6)),
        bend=0.04,
        tremor=0.012,
    )


def draw_character(outline: Pixels, hand: Hand, rng: np.random.Generator) -> Pixels:
    """Turn a clean outline into what EMNIST would have made of it in handwriting.

    Args:
        outline: uint8 (any, any), cropped to the ink, at `CAPITAL` pixels to a capital.
        hand: how it is written.
        rng: where the distortions come from.

    Returns:
        uint8 (28, 28), upright, ink 255 on paper 0.
    """
    shape = _warp(outline, hand, rng)
    thick = _with_pen(shape, hand.pen * OVERSAMPLING)
    return emnist_image(_scan(thick))


def _warp(outline: Pixels, hand: Hand, rng: np.random.Generator) -> Mask:
    """Slant, turn, stretch, scale and bend an outline; `OVERSAMPLING` pixels to one of a scan."""
    scale = hand.capital * OVERSAMPLING / CAPITAL
    cos, sin = np.cos(hand.turn), np.sin(hand.turn)
    # Rows (y) grow downwards: a lean to the right shifts the upper, smaller rows to larger x.
    shape = np.array([[1.0, 0.0], [-hand.slant, hand.stretch]])
    forward = scale * np.array([[cos, -sin], [sin, cos]]) @ shape
    height, width = outline.shape
    reach = np.abs(forward) @ np.array([height, width])
    side = int(np.ceil(1.3 * reach.max() + 4 * hand.pen * OVERSAMPLING))
    grid = np.stack(np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2, indexing="ij"))
    length = scale * max(height, width)
    grid = grid + length * (hand.bend * _waves(side, 3, rng) + hand.tremor * _waves(side, 7, rng))
    source = np.tensordot(np.linalg.inv(forward), grid, axes=1)
    source += (np.array([height, width]).reshape(2, 1, 1) - 1) / 2
    warped = ndimage.map_coordinates(outline.astype(np.float32), source, order=1)
    return np.asarray(warped > 127)


def _waves(side: int, knots: int, rng: np.random.Generator) -> Reals:
    """Return a smooth random displacement field, (2, side, side), about one in size."""
    coarse = rng.normal(size=(2, knots, knots))
    weights = CubicSpline(np.arange(knots), np.eye(knots))(np.linspace(0, knots - 1, side))
    return np.asarray(weights @ coarse @ weights.T)


def _with_pen(shape: Mask, pen: float) -> Mask:
    """Give the strokes about the width of a pen, without breaking them or filling their holes."""
    inside = ndimage.distance_transform_edt(shape)
    outside = ndimage.distance_transform_edt(~shape)
    depth = inside - outside
    # Over a long stroke the depth runs evenly from 0 to half its width.
    stroke = 4 * float(inside[shape].mean()) if shape.any() else pen
    growth = (pen - stroke) / 2
    form = _parts(shape), _holes(shape)
    for attempt in (growth, 0.6 * growth, 0.3 * growth):
        changed = np.asarray(depth > -attempt)
        if (_parts(changed), _holes(changed)) == form:
            return changed
    return shape


def _parts(mask: Mask) -> int:
    return int(ndimage.label(mask, np.ones((3, 3)))[1])


def _holes(mask: Mask) -> int:
    return int(ndimage.label(np.pad(~mask, 1, constant_values=True))[1]) - 1


def _scan(shape: Mask) -> Mask:
    """Reduce to the resolution of NIST's scans, which are black and white."""
    side = -(-shape.shape[0] // OVERSAMPLING)
    padded = np.pad(shape, (0, side * OVERSAMPLING - shape.shape[0])).astype(float)
    blocks = padded.reshape(side, OVERSAMPLING, side, OVERSAMPLING)
    return np.asarray(blocks.mean(axis=(1, 3)) >= 0.5)


def emnist_image(scan: Mask) -> Pixels:
    """Take a black and white scan of one character through the steps that made EMNIST.

    Args:
        scan: bool (any, any), True for ink, with some ink in it.

    Returns:
        uint8 (28, 28), the character centred by its box, its darkest ink 255 on paper 0.
    """
    from PIL import Image

    blurred = ndimage.gaussian_filter(np.pad(scan, 6).astype(float) * 255, SCAN_BLUR).round()
    rows, columns = (np.flatnonzero(blurred.any(axis=axis)) for axis in (1, 0))
    ink = blurred[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = max(ink.shape) + 2 * BORDER
    before = [(side - extent) // 2 for extent in ink.shape]
    square = np.pad(
        ink, [(b, side - b - extent) for b, extent in zip(before, ink.shape, strict=True)]
    )
    size = (IMAGE_SIDE, IMAGE_SIDE)
    step = side / IMAGE_SIDE
    # Sampled rather than averaged: resize() would smooth more than EMNIST's edges show.
    small = Image.fromarray(square.astype(np.float32)).transform(
        size, Image.Transform.AFFINE, (step, 0, 0, 0, step, 0), Image.Resampling.BICUBIC
    )
    grey = np.clip(np.asarray(small, dtype=float), 0, None)
    return np.asarray((255 * grey / grey.max()).round(), dtype=np.uint8)


def draw_jobs(jobs: Sequence[Job], rng: np.random.Generator) -> Pixels:
    """Draw the planned images, opening each font once.

    Args:
        jobs: what to draw.
        rng: where the variation comes from.

    Returns:
        uint8 (N, 28, 28) in the order of the jobs.

    Raises:
        DataError: a font can no longer be read.
    """
    images = np.zeros((len(jobs), IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    by_font: dict[Path, list[int]] = {}
    for index, job in enumerate(jobs):
        by_font.setdefault(job.typeface.path, []).append(index)
    for path, indices in by_font.items():
        outlines = _sized_outlines(path, {jobs[i].character for i in indices})
        for index in indices:
            outline = outlines[jobs[index].character]
            images[index] = draw_character(outline, random_hand(rng), rng)
    return images


def _sized_outlines(path: Path, characters: Iterable[str]) -> dict[str, Pixels]:
    """Draw outlines of one font at `CAPITAL` pixels to a capital."""
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


# --- the data set ----------------------------------------------------------------------------


def make_dataset(
    folder: Path,
    per_class: int = PER_CLASS,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> GlyphDataset:
    """Draw a data set from the fonts in a folder.

    Args:
        folder: where the font files are.
        per_class: images of each class, training and test together; 2 or more.
        seed: the same seed and fonts give the same images; 0 or more.
        report: is told in one line about each font that is left out, wholly or in part.

    Returns:
        The images with their labels; about 2 in 17 are for test.

    Raises:
        UserError: the folder or a number is not usable, or a needed library is missing.
        DataError: the fonts cannot draw every class for training and test.
    """
    if per_class < 2 or seed < 0:
        raise UserError(
            "There must be 2 or more images a class and a seed of 0 or more, "
            f"not {per_class} and {seed}."
        )
    files = find_font_files(folder)
    _require_libraries(files)
    typefaces = _read_typefaces(files, report)
    rng = np.random.default_rng(seed)
    training, test = split_families(typefaces, rng)
    test_count = max(1, round(per_class * TEST_SHARE))
    train_jobs = _shuffled(plan_jobs(training, per_class - test_count, rng), rng)
    test_jobs = _shuffled(plan_jobs(test, test_count, rng), rng)
    return GlyphDataset(
        draw_jobs(train_jobs, rng),
        np.array([job.label for job in train_jobs]),
        tuple(job.typeface.path for job in train_jobs),
        draw_jobs(test_jobs, rng),
        np.array([job.label for job in test_jobs]),
        tuple(job.typeface.path for job in test_jobs),
    )


def _shuffled(jobs: Sequence[Job], rng: np.random.Generator) -> list[Job]:
    return [jobs[i] for i in rng.permutation(len(jobs))]


def _require_libraries(files: Iterable[Path]) -> None:
    """Say at once what is missing, rather than draw from fewer fonts than there are."""

    def missing(*names: str) -> bool:
        return all(importlib.util.find_spec(name) is None for name in names)

    if missing("PIL") or missing("fontTools"):
        raise UserError(f"Drawing from fonts needs Pillow and fontTools; {INSTALL}")
    if any(p.suffix.lower() == ".woff2" for p in files) and missing("brotli", "brotlicffi"):
        raise UserError(f"Reading .woff2 fonts needs Brotli; {INSTALL}")


def _read_typefaces(files: Iterable[Path], report: Callable[[str], None]) -> list[Typeface]:
    typefaces = []
    for path in files:
        try:
            face = read_typeface(path)
        except DataError as error:
            report(f"skipped: {error}")
            continue
        if len(face.missing) == len(CHARACTERS):
            report(f"skipped: {path.name} draws no digits and no letters")
        elif face.missing:
            report(f"{path.name}: does not draw {face.missing}")
        if face.small_capitals:
            report(f"{path.name}: draws small capitals for {face.small_capitals}, not used")
        if face.characters:
            typefaces.append(face)
    return typefaces


# --- command line ----------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glyph_dataset.py", description="Draw an EMNIST-like data set from font files."
    )
    parser.add_argument("fonts", metavar="FONT_FOLDER", type=Path, help="folder with font files")
    parser.add_argument("target", metavar="TARGET.mat", type=Path, help="file to write")
    parser.add_argument(
        "--per-class",
        metavar="N",
        type=int,
        default=PER_CLASS,
        help=f"images of each class, training and test together (default {PER_CLASS})",
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="same seed, same images (default 0)"
    )
    parser.add_argument("--force", action="store_true", help="replace TARGET if it exists")
    return parser


def _check_target(target: Path, force: bool) -> None:
    """Raise before the drawing if the file could not be written after it."""
    if target.suffix.lower() != ".mat":
        raise UserError(f"The target must be a file that ends in .mat, not '{target}'.")
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise UserError(f"'{target}' cannot be written: give a file name in an existing folder.")
    if target.exists() and not force:
        raise UserError(f"'{target}' exists already; add --force to replace it.")


def _run(options: argparse.Namespace) -> None:
    _check_target(options.target, options.force)
    # fontTools warns of dates and checksums, which no reader of this program's output can use.
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    drawn = make_dataset(options.fonts, options.per_class, options.seed, report=print)
    data_parser.write_mat(
        options.target,
        drawn.training_images,
        drawn.training_labels,
        drawn.test_images,
        drawn.test_labels,
        CLASSES,
    )
    for name, fonts in (("training", drawn.training_fonts), ("test", drawn.test_fonts)):
        print(f"{len(fonts)} {name} images drawn from {len(set(fonts))} fonts")
    names = sorted({path.name for path in drawn.test_fonts})
    print(f"fonts of the test images: {', '.join(names)}")
    print(f"wrote {options.target} ({options.target.stat().st_size / 1e6:.1f} MB)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: the arguments after the program's name; those of the process when left out.

    Returns:
        The exit code: 0, or 2 after an error that the user can mend.
    """
    try:
        _run(_parser().parse_args(argv))
    except (UserError, DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
