"""Is one style vector one hand? What drawings of different letters from the same one share.

    python benchmarks/hands.py [--generators FOLDER] [--word WORD] [--picture FILE.png]

Draws every letter from the same style vectors with each shipped kind, and measures of each drawing
how much ink it has, how far it leans, how wide and how high it is. Each figure is the share of the
variance within letters that goes with the style vector (the intraclass correlation, Shrout and
Fleiss 1979, case 1, after the mean of each letter is taken off): 0 for letters that have nothing to
do with each other, 1 for letters that all lean alike. `--picture` writes a word in three hands.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import emnist_classes  # noqa: E402
from benchmarks.recording import record  # noqa: E402
from evaluation.grey_pictures import enlarged, write_grey  # noqa: E402
from gan.settings import KINDS  # noqa: E402
from generators.generated_files import LINE_ENLARGED, line_of_text  # noqa: E402
from image_arrays import Images  # noqa: E402
from image_generator import TrainedGenerator  # noqa: E402
from storage.generator_folder import drawers_of, load_generators  # noqa: E402

LETTERS = tuple(name for name in emnist_classes.MERGED if name.isalpha())
HANDS = 200
WORD_HANDS = 3
INK = 64  # greys from here up are ink where extent is measured

Values = npt.NDArray[np.float64]


def ink(images: Images) -> Values:
    """Mean grey of each image: (N, 28, 28) to (N,)."""
    found: Values = images.mean(axis=(1, 2))
    return found


def slant(images: Images) -> Values:
    """How far ink moves to the right by pixel upwards: (N, 28, 28) to (N,)."""
    weights = images.astype(np.float64)
    mass = np.maximum(weights.sum(axis=(1, 2)), 1.0)
    rows, columns = np.mgrid[:28, :28]
    row = (weights * rows).sum(axis=(1, 2)) / mass
    column = (weights * columns).sum(axis=(1, 2)) / mass
    down = rows - row[:, None, None]
    right = columns - column[:, None, None]
    spread = np.maximum((weights * down * down).sum(axis=(1, 2)), 1.0)
    found: Values = -(weights * down * right).sum(axis=(1, 2)) / spread
    return found


def width(images: Images) -> Values:
    """Columns from the first ink to the last: (N, 28, 28) to (N,)."""
    return _extent(images.max(axis=1) >= INK)


def height(images: Images) -> Values:
    """Rows from the first ink to the last: (N, 28, 28) to (N,)."""
    return _extent(images.max(axis=2) >= INK)


def _extent(inked: npt.NDArray[np.bool_]) -> Values:
    last = inked.shape[1] - inked[:, ::-1].argmax(axis=1)
    return np.where(inked.any(axis=1), last - inked.argmax(axis=1), 0).astype(np.float64)


FIGURES: Mapping[str, Callable[[Images], Values]] = {
    "ink": ink,
    "slant": slant,
    "width": width,
    "height": height,
}


def shared_by_hand(values: Values) -> float:
    """Intraclass correlation of hands, after the mean of each letter is taken off.

    Args:
        values: (hands, letters).

    Returns:
        At most 1; about 0 where letters of a hand have nothing in common.
    """
    hands, letters = values.shape
    rest = values - values.mean(axis=0)
    between = letters * rest.mean(axis=1).var(ddof=1)
    within = (rest - rest.mean(axis=1, keepdims=True)).var() * hands * letters
    within /= hands * (letters - 1)
    total = between + (letters - 1) * within
    return float((between - within) / total) if total else 0.0


def main() -> None:
    """Measure each kind, and print and record the shares."""
    parser = argparse.ArgumentParser(description="What letters from one style vector share.")
    parser.add_argument("--generators", type=Path, default=ROOT / "gan_collection")
    parser.add_argument("--word", default="handwriting")
    parser.add_argument("--picture", type=Path, help="the word in three hands, as PNG")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    shares = {}
    for kind in KINDS:
        drawers = drawers_of(load_generators(options.generators / kind, kind), LETTERS)
        random = np.random.default_rng(options.seed)
        if set(drawers) == set(LETTERS):
            generator = TrainedGenerator(LETTERS, drawers, random)
            shares[kind] = _shares(generator, random)
            print(kind, {name: round(share, 3) for name, share in shares[kind].items()})
            if kind == "conditional" and options.picture:
                _write_word(generator, options.word, options.picture, random)
    if options.json:
        record(options.json, {"seed": options.seed, "hands": HANDS, "kinds": shares})


def _shares(generator: TrainedGenerator, random: np.random.Generator) -> dict[str, float]:
    styles = random.standard_normal((HANDS, 4096), dtype=np.float32)
    drawn = [generator.draw_from(label, styles) for label in range(len(LETTERS))]
    return {
        name: shared_by_hand(np.stack([measure(images) for images in drawn], axis=1))
        for name, measure in FIGURES.items()
    }


def _write_word(
    generator: TrainedGenerator, word: str, path: Path, random: np.random.Generator
) -> None:
    labels = [LETTERS.index(one if one in LETTERS else one.upper()) for one in word]
    styles = random.standard_normal((WORD_HANDS, 4096), dtype=np.float32)
    drawn = [generator.draw_from(label, styles) for label in labels]
    lines = [line_of_text([images[hand] for images in drawn]) for hand in range(WORD_HANDS)]
    widest = max(line.shape[1] for line in lines)
    padded = [np.pad(line, ((6, 6), (0, widest - line.shape[1]))) for line in lines]
    write_grey(255 - enlarged(np.concatenate(padded), LINE_ENLARGED), path)


if __name__ == "__main__":
    main()
