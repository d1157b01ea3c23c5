"""Capital letters as somebody draws them with a pen on a tablet, read by the shipped network.

    python benchmarks/pen_drawings.py emnist-47.mat --json benchmarks/results/pen_drawings.json

No drawings come with the data sets. Test images of capital letters are thinned to lines of one
pixel at eight times their size (Zhang and Suen 1984), and drawn anew, dark on white, somewhere in
a picture of 300x225, with pens of several widths. They go the way of a user's own pictures. What
the same network makes of the test images themselves is the measure of what drawing costs. Either
case of a letter counts as right. With --marks the drawings of one pen lie in shadows, on ruled
paper, and beside and on a dark table, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.recording import record  # noqa: E402

if TYPE_CHECKING:
    from model_collection import ModelCollection

WIDTH, HEIGHT = 300, 225
PENS = (2, 4, 7, 11)  # widths in pixels
SIZES = (90, 200)  # of the longer side of the ink, in pixels
MOST_OF_A_LETTER = 40
ENLARGED = 8
BLUR = 5.0  # standard deviation in enlarged pixels, against whiskers of the thinned lines

Mask = npt.NDArray[np.bool_]
Drawing = npt.NDArray[np.uint8]
Reader = Callable[[Drawing], npt.NDArray[np.str_]]


def thinned(ink: Mask) -> Mask:
    """Lines of one pixel in the middle of strokes, (H, W); Zhang and Suen 1984."""
    ink = np.pad(ink, 1)
    removing = True
    while removing:
        removing = False
        for first in (True, False):
            north, east = np.roll(ink, 1, 0), np.roll(ink, -1, 1)
            south, west = np.roll(ink, -1, 0), np.roll(ink, 1, 1)
            ring = np.stack(
                [
                    north,
                    np.roll(north, -1, 1),
                    east,
                    np.roll(south, -1, 1),
                    south,
                    np.roll(south, 1, 1),
                    west,
                    np.roll(north, 1, 1),
                ]
            )
            neighbours = ring.sum(axis=0)
            crossings = (~ring & np.roll(ring, -1, axis=0)).sum(axis=0)
            corners = (
                ~(north & east & south) & ~(east & south & west)
                if first
                else ~(north & east & west) & ~(north & south & west)
            )
            removed = ink & (neighbours >= 2) & (neighbours <= 6) & (crossings == 1) & corners
            removing |= bool(removed.any())
            ink = ink & ~removed
    return ink[1:-1, 1:-1]


def drawn(image: npt.NDArray[np.uint8], pen: float, random: np.random.Generator) -> Drawing:
    """A test image (28, 28) drawn anew with a pen so wide: uint8 (225, 300), dark on white."""
    large = ndimage.zoom(np.pad(image, 2).astype(np.float32), ENLARGED, order=1)
    return drawn_lines(thinned(ndimage.gaussian_filter(large, BLUR) > 110), pen, random)


def drawn_lines(lines: Mask, pen: float, random: np.random.Generator) -> Drawing:
    """Draw lines with a pen, in some size, somewhere in a picture.

    Args:
        lines: of one pixel, (H, W).
        pen: its width in pixels of the picture.
        random: chooses size and place.

    Returns:
        uint8 (225, 300), dark on white.
    """
    points = np.argwhere(lines).astype(np.float64)
    points -= points.min(axis=0)
    size = random.uniform(*SIZES)
    points *= size / max(points.max(), 1)
    free = np.array([HEIGHT, WIDTH]) - points.max(axis=0) - 2 * pen
    points += pen + random.uniform(size=2) * np.maximum(free, 0)
    off_line = np.ones((2 * HEIGHT, 2 * WIDTH), np.bool_)  # twice as fine, for smooth edges
    rows, columns = np.minimum((2 * points).astype(int), [2 * HEIGHT - 1, 2 * WIDTH - 1]).T
    off_line[rows, columns] = False
    # lines enlarged by more than two have gaps, which the pen covers
    radius = max(pen, 1.5)
    ink = ndimage.distance_transform_edt(off_line) <= radius
    grey = ink.reshape(HEIGHT, 2, WIDTH, 2).mean(axis=(1, 3))
    return np.asarray((255 * (1 - grey)).round(), np.uint8)


def in_shadow(picture: Drawing, soft: float) -> Drawing:
    """A shadow over half the picture, whose edge slants and is so soft, in pixels."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    shadow = (across + 0.4 * down > 0.65 * WIDTH).astype(float)
    light = 1 - ndimage.gaussian_filter(shadow, soft, mode="nearest") / 2
    return np.asarray(picture * light, np.uint8)


def on_ruled_paper(picture: Drawing) -> Drawing:
    """Dark lines of two pixels."""
    lines = np.full_like(picture, 255)
    lines[20::28] = lines[21::28] = 70
    return np.minimum(picture, lines)


def beside_a_table(picture: Drawing) -> Drawing:
    """A dark strip of a quarter of the height at the left."""
    return np.pad(picture, ((0, 0), (HEIGHT // 4, 0)), constant_values=45)


def with_a_dark_corner(picture: Drawing) -> Drawing:
    """A corner of the picture shows the table."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    return np.where(across + down > WIDTH + HEIGHT - 70, np.uint8(40), picture)


def askew_on_a_table(picture: Drawing) -> Drawing:
    """The sheet is turned by two degrees and lies on a dark table."""
    smooth = Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).rotate(2, smooth, expand=True, fillcolor=50))


MARKS: dict[str, Callable[[Drawing], Drawing]] = {
    "no marks": lambda picture: picture,
    "hard shadow": lambda picture: in_shadow(picture, 0),
    "soft shadow": lambda picture: in_shadow(picture, 8),
    "ruled paper": on_ruled_paper,
    "ruled paper in a shadow": lambda picture: in_shadow(on_ruled_paper(picture), 8),
    "beside a table": beside_a_table,
    "dark corner": with_a_dark_corner,
    "askew on a table": askew_on_a_table,
}


def reader_of(collection: ModelCollection) -> Reader:
    """The best network of a collection, which reads images (N, 28, 28) as capitals (N,)."""
    import cnn_model
    from model_collection import network_of

    best = collection.best()
    assert best is not None, "the collection has no networks"
    network = network_of(best, len(collection.classes))
    names = np.array([name.upper() for name in collection.classes])
    return lambda images: names[cnn_model.predict(network, images).argmax(axis=1)]


def measure(
    dataset: Path, model: Path, split: str, kinds: Mapping[str, tuple[float, str]]
) -> dict[str, Any]:
    """Read capital letters of a split as they are, and drawn in several ways.

    Args:
        dataset: with test rows of its own.
        model: a folder with a collection for its letters.
        split: whose images.
        kinds: by its name, the width of a pen in pixels, and one of MARKS.

    Returns:
        Number of letters, and shares that are read rightly, 0 to 1: as they are, of each kind, and
        of each letter over all kinds.
    """
    import data_parser
    from pictures.image_preparation import prepared
    from storage.collection_folder import load_collection

    collection = load_collection(model)
    data_set = data_parser.open_data_set(
        dataset, file_split=True, keep_digits=any(name.isdigit() for name in collection.classes)
    )
    read = reader_of(collection)
    images, labels = data_set.subset(split)
    names = np.array([name.upper() for name in collection.classes])
    capitals = np.array([name.isalpha() and name.isupper() for name in collection.classes])
    rows = [
        np.flatnonzero(labels == label)[:MOST_OF_A_LETTER] for label in np.flatnonzero(capitals)
    ]
    images, labels = images[np.concatenate(rows)], labels[np.concatenate(rows)]

    found = {"letters": len(labels), "as they are": float((read(images) == names[labels]).mean())}
    rights = []
    for kind, (pen, marks) in kinds.items():
        random = np.random.default_rng([42, round(10 * pen)])
        drawings = (MARKS[marks](drawn(image, pen, random)) for image in images)
        seen = np.stack([prepared(drawing) for drawing in drawings])
        rights.append(read(seen) == names[labels])
        found[kind] = float(rights[-1].mean())
        print(f"{kind}: {found[kind]:.2%}", flush=True)
    every = np.mean(rights, axis=0)
    found["all"] = float(every.mean())
    return found | {
        "by letter": {
            str(name): float(every[names[labels] == name].mean()) for name in np.unique(names)
        }
    }


def main() -> None:
    """Measure, print and record."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "model")
    parser.add_argument("--pens", type=float, nargs="+", default=PENS)
    parser.add_argument("--marks", action="store_true", help="the first pen alone, with marks")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    options = parser.parse_args()
    if options.marks:
        kinds = {marks: (options.pens[0], marks) for marks in MARKS}
    else:
        kinds = {f"pen {pen:g}": (pen, "no marks") for pen in options.pens}
    found = measure(options.dataset, options.model, options.split, kinds)
    print(json.dumps(found, indent=2))
    if options.json:
        record(options.json, {"split": options.split, "model": options.model.name} | found)


if __name__ == "__main__":
    main()
