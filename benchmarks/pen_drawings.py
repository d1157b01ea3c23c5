"""Capital letters as somebody draws them with a pen on a tablet, read by the shipped network.

    python benchmarks/pen_drawings.py emnist-47.mat --json benchmarks/results/pen_drawings.json

No drawings come with the data sets. Test images of capital letters are thinned to lines of one
pixel at eight times their size (Zhang and Suen 1984), and drawn anew, dark on white, somewhere in
a picture of 300x225, with pens of several widths. They go the way of a user's own pictures. What
the same network makes of the test images themselves is the measure of what drawing costs. Either
case of a letter counts as right.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.recording import record  # noqa: E402

WIDTH, HEIGHT = 300, 225
PENS = (2, 4, 7, 11)  # widths in pixels
SIZES = (90, 200)  # of the longer side of the ink, in pixels
MOST_OF_A_LETTER = 40
ENLARGED = 8
BLUR = 5.0  # standard deviation in enlarged pixels, against whiskers of the thinned lines

Mask = npt.NDArray[np.bool_]


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


def drawn(image: npt.NDArray[np.uint8], pen: float, random: np.random.Generator) -> Any:
    """A test image (28, 28) drawn anew with a pen so wide: uint8 (225, 300), dark on white."""
    large = ndimage.zoom(np.pad(image, 2).astype(np.float32), ENLARGED, order=1)
    lines = np.argwhere(thinned(ndimage.gaussian_filter(large, BLUR) > 110)).astype(np.float64)
    lines -= lines.min(axis=0)
    size = random.uniform(*SIZES)
    lines *= size / max(lines.max(), 1)
    free = np.array([HEIGHT, WIDTH]) - lines.max(axis=0) - 2 * pen
    lines += pen + random.uniform(size=2) * np.maximum(free, 0)
    off_line = np.ones((2 * HEIGHT, 2 * WIDTH), np.bool_)  # twice as fine, for smooth edges
    rows, columns = np.minimum((2 * lines).astype(int), [2 * HEIGHT - 1, 2 * WIDTH - 1]).T
    off_line[rows, columns] = False
    # lines enlarged by more than two have gaps, which the pen covers
    radius = max(pen, 1.5)
    ink = ndimage.distance_transform_edt(off_line) <= radius
    grey = ink.reshape(HEIGHT, 2, WIDTH, 2).mean(axis=(1, 3))
    return (255 * (1 - grey)).round().astype(np.uint8)


def measure(dataset: Path, model: Path, pens: tuple[float, ...], split: str) -> dict[str, Any]:
    """Read capital letters of a split as they are, and drawn with each pen.

    Args:
        dataset: with test rows of its own.
        model: a folder with a collection for its letters.
        pens: widths in pixels.
        split: whose images.

    Returns:
        Number of letters, and shares that are read rightly, 0 to 1: as they are, by pen, and of
        each letter over all pens.
    """
    import cnn_model
    import data_parser
    from collection_folder import load_collection
    from image_preparation import prepared
    from model_collection import network_of

    collection = load_collection(model)
    data_set = data_parser.open_data_set(
        dataset, file_split=True, keep_digits=any(name.isdigit() for name in collection.classes)
    )
    best = collection.best()
    assert best is not None, f"{model} has no networks"
    network = network_of(best, len(collection.classes))
    images, labels = data_set.subset(split)
    names = np.array([name.upper() for name in collection.classes])
    capitals = np.array([name.isalpha() and name.isupper() for name in collection.classes])
    rows = [
        np.flatnonzero(labels == label)[:MOST_OF_A_LETTER] for label in np.flatnonzero(capitals)
    ]
    images, labels = images[np.concatenate(rows)], labels[np.concatenate(rows)]

    def right(read: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        answers: Mask = names[cnn_model.predict(network, read).argmax(axis=1)] == names[labels]
        return answers

    found = {"letters": len(labels), "as they are": float(right(images).mean())}
    rights = []
    for pen in pens:
        random = np.random.default_rng([42, round(10 * pen)])
        rights.append(right(np.stack([prepared(drawn(image, pen, random)) for image in images])))
        found[f"pen {pen:g}"] = float(rights[-1].mean())
        print(f"pen {pen:g}: {found[f'pen {pen:g}']:.2%}", flush=True)
    every = np.mean(rights, axis=0)
    found["all pens"] = float(every.mean())
    return found | {
        "by letter": {
            str(name): float(every[names[labels] == name].mean()) for name in np.unique(names)
        }
    }


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "model")
    parser.add_argument("--pens", type=float, nargs="+", default=PENS)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.dataset, options.model, tuple(options.pens), options.split)
    print(json.dumps(found, indent=2))
    if options.json:
        record(options.json, {"split": options.split, "model": options.model.name} | found)


if __name__ == "__main__":
    main()
