"""Any picture of one character as an image like EMNIST's: 28x28, ink 255 on paper 0.

EMNIST's images were made of black and white scans (Cohen et al. 2017): blurred, cropped to the
ink, put in the middle of a square with a margin, reduced to 28x28 and scaled to 0..255. Here the
same is done to pictures of any size, with paper that is not quite even, dark ink on light or the
other way round; and strokes too thin to survive the reduction are thickened first.

A lone stroke is thickened more. In EMNIST the width of a stroke tells how tall the character was,
and so a thick one from a thin one: 1 and I from l. In a picture of one's own it tells only the pen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from image_arrays import IMAGE_SIZE
from pictures.arrays import Bytes
from pictures.image_rendering import in_square, levelled, rendered
from pictures.ink_finding import ink_within_frame
from pictures.ink_masks import box_of, cut_out, without_specks
from pictures.ink_strength import (
    LEAST_SMOOTHING,
    bounded,
    from_0_to_1,
    ink_strength,
    ink_threshold,
    unlike_paper,
)
from pictures.picture_frame import without_frame

LEAST_WIDTH_OF_SEVERAL = 1.2  # of characters beside each other, as a share of their height
_SMOOTHINGS = (1 / 300, 1 / 150, 1 / 75, 1 / 40)  # of pictures that are to keep their noise
_LEAST_WITH_GREYS = 16  # side of pictures whose greys read better than edges made of them
_LEAST_HEIGHT_IN_A_ROW = 0.5  # of a character, as a share of that of all beside each other


def prepared(picture: npt.NDArray[Any]) -> Bytes:
    """Make an image like EMNIST's of a picture of one character.

    What the border and most of the picture are is paper; the light on it may change smoothly, and
    where ink is dark also at the edge of a shadow. Ruled lines and a dark table are no ink.
    Ink is found by a threshold halfway between paper and ink (Ridler and Calvard 1978), and specks
    smaller than the pen's own dot are passed over. The rest is as in EMNIST (Cohen et al. 2017),
    but that strokes thinner than EMNIST's are thickened.

    Args:
        picture: Grey values (H, W), uint8, or of any other type and range of real numbers; no side
            is empty.

    Returns:
        uint8 (28, 28), ink up to 255 on paper 0, the ink in the middle; all 0 where the picture is
        one flat grey or shows nothing but noise.

    Raises:
        ValueError: The picture is not two-dimensional, is empty, or holds infinity or NaN.
    """
    ink = ink_within_frame(bounded(picture))
    return np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8) if ink is None else rendered(ink)


def characters_in_a_row(picture: npt.NDArray[Any]) -> int:
    """Count what seem to be characters beside each other in a picture that should show one.

    Pieces of ink count where paper parts them from top to bottom, each is half as high as all of
    them or higher, and all together are wider than any one character of EMNIST or notMNIST in
    several pieces. Characters that touch are taken for one.

    Args:
        picture: As for `prepared`.

    Returns:
        Their number, 1 where there is no ink.

    Raises:
        ValueError: As `prepared` does.
    """
    ink = ink_within_frame(bounded(picture))
    if ink is None or ink.shape[1] < LEAST_WIDTH_OF_SEVERAL * ink.shape[0]:
        return 1
    pieces = [
        across
        for down, across in ndimage.find_objects(ndimage.label(ink, np.ones((3, 3)))[0])
        if down.stop - down.start >= _LEAST_HEIGHT_IN_A_ROW * ink.shape[0]
    ]
    count = end = 0
    for piece in sorted(pieces, key=lambda piece: piece.start):
        count += piece.start >= end
        end = max(end, piece.stop)
    return max(count, 1)


def cropped(picture: npt.NDArray[np.uint8]) -> Bytes:
    """Cut the ink out of a picture that is known to be light ink on black paper.

    That its paper is black need not show, and so ink may fill most of it, as it does where letters
    were cut out tightly. Greys are kept, for they may be more than the edges of strokes; only those
    of small pictures are taken for edges, and sharpened as `prepared` does.

    Args:
        picture: uint8 (H, W), no side empty.

    Returns:
        uint8 (28, 28), the ink in the middle with a margin, up to 255; all 0 where the picture is
        one flat grey.
    """
    strength = bounded(picture)
    threshold = ink_threshold(strength, 0)
    if threshold <= 0:
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    if min(picture.shape) < _LEAST_WITH_GREYS:
        return rendered(cut_out(strength, threshold))
    small = in_square(strength, *box_of(strength > threshold / 2)).clip(0)
    return np.asarray((255 * small / small.max()).round(), np.uint8)


def shrunk(picture: npt.NDArray[Any]) -> Bytes:
    """Cut a noisy picture of one character out and shrink it, its greys and noise as they are.

    Where the ink is, and whether it is dark, is told from a smoothed copy, smoothed the more the
    louder the noise is. No threshold is laid on the picture, and no stroke thickened.

    Args:
        picture: as for `prepared`.

    Returns:
        uint8 (28, 28), paper about 0, ink about 255, in the middle if it was found; all 0 where
        the picture is one flat grey.

    Raises:
        ValueError: as `prepared`.
    """
    whole = from_0_to_1(without_frame(bounded(picture)))
    strength, smooth = np.zeros_like(whole), whole
    for spread in _SMOOTHINGS:
        smooth = ndimage.gaussian_filter(whole, max(spread * max(whole.shape), LEAST_SMOOTHING))
        found, noise = ink_strength(smooth)
        threshold = ink_threshold(found, noise)
        if threshold > 0:
            strength = without_specks(found, threshold)
            break
    rows, columns = box_of(strength > threshold) if strength.any() else map(slice, whole.shape)
    unlike = unlike_paper(whole, smooth)
    small, where = (in_square(greys, rows, columns) for greys in (unlike, strength))
    return levelled(small, where if where.any() else small)
