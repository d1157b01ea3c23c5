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
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

import data_parser
from command_line import (
    Parser,
    a_seed,
    check_new_file,
    ctrl_c_leaves,
    run,
    say,
    whole_number_from,
)
from data_formats.problems import shown
from errors import DataError, UserError
from fonts.arrays import Pixels
from fonts.characters import CHARACTERS, CLASSES
from fonts.hands import draw_character, random_hand
from fonts.sharing import Job, plan_jobs, split_families
from fonts.typefaces import Typeface, find_font_files, read_typeface, sized_outlines

PER_CLASS = 85
TEST_SHARE = 10 / 85
INSTALL = "install what is missing with: python -m pip install pillow fonttools brotli"


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
    images = np.zeros((len(jobs), data_parser.IMAGE_SIZE, data_parser.IMAGE_SIZE), np.uint8)
    by_font: dict[Path, list[int]] = {}
    for index, job in enumerate(jobs):
        by_font.setdefault(job.typeface.path, []).append(index)
    for path, indices in by_font.items():
        outlines = sized_outlines(path, {jobs[i].character for i in indices})
        for index in indices:
            outline = outlines[jobs[index].character]
            images[index] = draw_character(outline, random_hand(rng), rng)
    return images


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
            f"there are to be {per_class} images a class by seed {seed}; give 2 or more images, "
            "and a seed from 0 up"
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
        raise UserError(f"drawing from fonts needs Pillow and fontTools; {INSTALL}")
    if any(p.suffix.lower() == ".woff2" for p in files) and missing("brotli", "brotlicffi"):
        raise UserError(f"reading .woff2 fonts needs Brotli; {INSTALL}")


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


def _parser() -> Parser:
    parser = Parser(
        prog="glyph_dataset.py", description="Draw an EMNIST-like data set from font files."
    )
    parser.add_argument("fonts", metavar="FONT_FOLDER", type=Path, help="folder with font files")
    parser.add_argument("target", metavar="TARGET.mat", type=Path, help="file to write")
    parser.add_argument(
        "--per-class",
        metavar="N",
        type=whole_number_from(2),
        default=PER_CLASS,
        help=f"images of each class, training and test together (default {PER_CLASS})",
    )
    parser.add_argument(
        "--seed", metavar="N", type=a_seed, default=0, help="same seed, same images (default 0)"
    )
    parser.add_argument("--force", action="store_true", help="replace TARGET if it exists")
    return parser


def _draw(options: argparse.Namespace) -> None:
    # fontTools warns of dates and checksums, which no reader of this program's output can use.
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    with ctrl_c_leaves("nothing was written"):
        check_new_file(options.target, ".mat", force=options.force)
        drawn = make_dataset(options.fonts, options.per_class, options.seed, report=say)
        _write(drawn, options.target)
    with ctrl_c_leaves(f"{shown(options.target)} is written"):
        _report(drawn, options.target)


def _write(drawn: GlyphDataset, target: Path) -> None:
    data_parser.write_mat(
        target,
        drawn.training_images,
        drawn.training_labels,
        drawn.test_images,
        drawn.test_labels,
        CLASSES,
    )


def _report(drawn: GlyphDataset, target: Path) -> None:
    for name, fonts in (("training", drawn.training_fonts), ("test", drawn.test_fonts)):
        say(f"{len(fonts)} {name} images drawn from {len(set(fonts))} fonts")
    names = sorted({path.name for path in drawn.test_fonts})
    say(f"fonts of the test images: {', '.join(names)}")
    say(f"wrote {shown(target)} ({target.stat().st_size / 1e6:.1f} MB)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: the arguments after the program's name; those of the process when left out.

    Returns:
        The exit code: 0, or that of `command_line.run` after an error or Ctrl-C.
    """
    return run(_parser(), argv, _draw)


if __name__ == "__main__":
    sys.exit(main())
