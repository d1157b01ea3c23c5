"""Whether pictures already are what sets like MNIST hold, or a character is like EMNIST's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from image_arrays import IMAGE_SIZE
from pictures.image_polarity import is_black_and_white
from pictures.ink_masks import box_of, stroke_width

# A character like EMNIST's, in pixels: its least side, how far it may be off, a stroke's width.
_SMALLEST_SIDE = 16
_OFF_CENTRE = 2
_THIN = 1.5
_FAINT, _HALF = 64, 110  # greys from which a pixel belongs to its ink, and to its strokes


def is_prepared(pictures: Sequence[npt.NDArray[Any]] | npt.NDArray[Any]) -> bool:
    """Tell whether pictures already are what sets like MNIST hold.

    That is: each 28x28 with eight bits, and as a whole in strong black and white, be the paper
    black or white.

    Args:
        pictures: Pictures of any shapes and types, or an array (N, H, W).

    Returns:
        Whether they are. False for none.
    """
    size = (IMAGE_SIZE, IMAGE_SIZE)
    if not len(pictures) or any(p.shape != size or p.dtype != np.uint8 for p in pictures):
        return False
    return is_black_and_white(np.asarray(pictures))


def is_like_emnist(picture: npt.NDArray[np.uint8]) -> bool:
    """Tell whether a prepared picture shows a character as large, thick and central as EMNIST's.

    A picture that was squeezed into 28x28 does not. Larger ones are as good as EMNIST's: other data
    sets have images that they fill, such as letters of fonts, and are learnt from as they are.

    Args:
        picture: uint8 (28, 28), ink light on black paper.

    Returns:
        Whether it does.
    """
    ink = picture > _FAINT
    if not ink.any():
        return False
    box = box_of(ink)
    middle = (IMAGE_SIZE - 1) / 2
    off_by_box = max(abs((part.start + part.stop - 1) / 2 - middle) for part in box)
    mass = picture / picture.sum(dtype=np.float64)
    places = np.arange(IMAGE_SIZE)
    off_by_mass = max(abs(mass.sum(axis=axis) @ places - middle) for axis in (0, 1))
    side = max(part.stop - part.start for part in box)
    return bool(
        side >= _SMALLEST_SIDE
        and min(off_by_box, off_by_mass) <= _OFF_CENTRE
        and stroke_width(picture > _HALF) >= _THIN
    )
