"""Capital letters of handwriting fonts, drawn with a pen on a tablet and read by a network.

    python benchmarks/font_drawings.py FONT_FOLDER --json benchmarks/results/font_drawings.json

Hands that no network met, and that have nothing to do with EMNIST. Outlines of the fonts' capital
letters are drawn in pictures of 300x225, dark on white, once as the font has them, and once with
each of several pens, after they were thinned to lines of one pixel. They go the way of a user's own
pictures. Either case of a letter counts as right. No font is left out, however a person would read
it; what each one came to is recorded.
"""

from __future__ import annotations

import argparse
import dataclasses
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import first_line  # noqa: E402
from benchmarks.pen_drawings import (  # noqa: E402
    HEIGHT,
    PENS,
    SIZES,
    WIDTH,
    Drawing,
    drawn_lines,
    reader_of,
    thinned,
)
from benchmarks.recording import record  # noqa: E402
from fonts.typefaces import find_font_files, read_typeface, sized_outlines  # noqa: E402
from image_arrays import Images  # noqa: E402

ENLARGED = 2  # outlines are thinned at so many times their size
BLUR = 1.5  # standard deviation in enlarged pixels, against whiskers of the thinned lines
MARGIN = 8  # around an outline that is thinned, in pixels
AS_IT_IS = "the font's own strokes"


@dataclasses.dataclass(frozen=True)
class Letters:
    """Drawings as a network gets to see them, and what they are of.

    Attributes:
        images: uint8 (N, 28, 28).
        letters: of each, a capital (N,).
        fonts: of each, its file's name (N,).
        pens: of each, what it was drawn with (N,).
    """

    images: Images
    letters: npt.NDArray[np.str_]
    fonts: npt.NDArray[np.str_]
    pens: npt.NDArray[np.str_]


def placed(outline: Images, random: np.random.Generator) -> Drawing:
    """An outline (H, W), ink 255, in some size somewhere in a picture: uint8 (225, 300)."""
    ink = Image.fromarray(255 - outline)
    scale = random.uniform(*SIZES) / max(ink.size)
    size = (max(round(ink.width * scale), 1), max(round(ink.height * scale), 1))
    ink = ink.resize(size, Image.Resampling.LANCZOS)
    corner = random.uniform(0, WIDTH - ink.width), random.uniform(0, HEIGHT - ink.height)
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    page.paste(ink, (int(corner[0]), int(corner[1])))
    return np.asarray(page)


def drawings(outline: Images, random: np.random.Generator) -> Iterator[tuple[str, Drawing]]:
    """One outline (H, W) as its font has it, and with each pen."""
    yield AS_IT_IS, placed(outline, random)
    large = ndimage.zoom(np.pad(outline, MARGIN).astype(np.float32), ENLARGED, order=1)
    lines = thinned(ndimage.gaussian_filter(large, BLUR) > 127)
    for pen in PENS:
        if lines.any():
            yield f"pen {pen}", drawn_lines(lines, pen, random)


def drawn_letters(folder: Path, seed: int) -> Letters:
    """Capital letters of all fonts in a folder."""
    from pictures.image_preparation import prepared

    random = np.random.default_rng(seed)
    images, about = [], []
    for path in find_font_files(folder):
        capitals = read_typeface(path).characters & frozenset(string.ascii_uppercase)
        for letter, outline in sized_outlines(path, capitals).items():
            for pen, drawing in drawings(outline, random):
                images.append(prepared(drawing))
                about.append((letter, path.name, pen))
        print(path.name, flush=True)
    letters, fonts, pens = np.array(about).T
    return Letters(np.stack(images), letters, fonts, pens)


def shares(right: npt.NDArray[np.bool_], kinds: npt.NDArray[np.str_]) -> dict[str, float]:
    """Share that is right of each kind, 0 to 1; both (N,)."""
    return {str(kind): float(right[kinds == kind].mean()) for kind in np.unique(kinds)}


def main() -> None:
    """Draw, read, print and record."""
    parser = argparse.ArgumentParser(description=first_line(__doc__))
    parser.add_argument("fonts", type=Path, help="a folder with font files")
    parser.add_argument("--model", type=Path, default=ROOT / "model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from storage.collection_folder import load_collection

    drawn = drawn_letters(options.fonts, options.seed)
    right = reader_of(load_collection(options.model))(drawn.images) == drawn.letters
    found = {
        "by pen": shares(right, drawn.pens),
        "by letter": shares(right, drawn.letters),
        "by font": shares(right, drawn.fonts),
    }
    for title, of_kinds in found.items():
        print(title, *(f"{name}: {share:.2%}" for name, share in of_kinds.items()), sep="\n  ")
    print(f"all {len(right):,} drawings: {right.mean():.2%}")
    if options.json:
        about = {"model": options.model.name, "seed": options.seed, "drawings": len(right)}
        record(options.json, about | {"right": float(right.mean())} | found)


if __name__ == "__main__":
    main()
