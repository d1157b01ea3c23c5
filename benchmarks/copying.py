"""Are drawings copies of images that were learnt from? How near the nearest of those is.

    python benchmarks/copying.py DATASET.mat [--images 60] [--seed 0] [--json FILE]

For drawings of each kind, and for real test images, the distance to the nearest train image of the
same character: the root mean square difference of their greys, 0 to 255. Copies would be nearer
than test images are, and so would drawings that are blurred means of many.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import data_parser  # noqa: E402
from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.recording import record  # noqa: E402
from gan.settings import KINDS  # noqa: E402
from image_arrays import Images  # noqa: E402
from image_generator import TrainedGenerator  # noqa: E402
from storage.generator_folder import drawers_of, load_generators  # noqa: E402

PERCENTILES = (1, 5, 25, 50, 75)


def nearest(images: Images, among: Images) -> npt.NDArray[np.float32]:
    """Distance of each image to the nearest of others: (N, 28, 28) and (M, 28, 28) to (N,)."""
    one = images.reshape(len(images), -1).astype(np.float32)
    other = among.reshape(len(among), -1).astype(np.float32)
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    found: npt.NDArray[np.float32] = np.sqrt(np.maximum(squares.min(axis=1), 0) / one.shape[1])
    return found


def main() -> None:
    """Measure, print and record."""
    parser = parser_of(__doc__)
    parser.add_argument("--images", type=int, default=60, help="of each character")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = data_parser.read_labelled_images(options.dataset, keep_digits=False)
    random = np.random.default_rng(options.seed)
    drawers = {
        kind: TrainedGenerator(
            data.classes,
            drawers_of(load_generators(ROOT / "gan_collection" / kind, kind), data.classes),
            random,
        )
        for kind in KINDS
    }
    distances: dict[str, list[npt.NDArray[np.float32]]] = {"test": [], **{k: [] for k in KINDS}}
    for label in range(len(data.classes)):
        own = data.labels == label
        learnt = data.images[own & ~data.in_test]
        distances["test"].append(nearest(data.images[own & data.in_test][: options.images], learnt))
        for kind, drawer in drawers.items():
            drawn = drawer.draw_many(label, options.images)
            distances[kind].append(nearest(drawn, learnt))
    figures = {
        name: dict(
            zip(
                map(str, PERCENTILES),
                np.percentile(np.concatenate(found), PERCENTILES).round(2).tolist(),
                strict=True,
            )
        )
        for name, found in distances.items()
    }
    for name, found in figures.items():
        print(name, found)
    if options.json:
        record(options.json, {"seed": options.seed, "percentiles": figures})


if __name__ == "__main__":
    main()
