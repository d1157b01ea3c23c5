"""The ink of pictures of two greys beyond doubt, whose border need not tell which of them is paper.

That is so where a letter was cut out to its edges, or so closely that its strokes pass for paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pictures import paper_marks
from pictures.arrays import Mask, Reals
from pictures.ink_masks import cut_out, without_specks
from pictures.ink_strength import FIT_ROUNDS

_TWO_GREYS = 5  # by how many deviations of each two greys differ that are ink and paper
_FILLING = 0.3  # share of a picture that ink covers which may pass for paper
_BROADEST = 0.35  # diameter of the largest circle in a letter, as a share of its longer side
_MOST_PARTS = 6  # in which a letter parts the paper
_LEAST_PIECES = 3  # of ink and paper together
_PIECE = 0.003  # area of the smallest that counts, as a share of the picture


@dataclass(frozen=True, eq=False)
class _TwoGreys:
    """The dark and the light part of a picture that has two greys beyond doubt.

    Attributes:
        dark: bool (H, W).
        means: the mean grey of the dark part, and of the rest.
        pieces: in how many large pieces each of them lies.
    """

    dark: Mask
    means: tuple[float, float]
    pieces: tuple[int, int]

    def ink(self, picture: Reals, is_light: bool) -> Mask:
        """One of the two as ink (h, w), without specks."""
        strength = np.maximum(picture - self.means[0] if is_light else self.means[1] - picture, 0)
        threshold = (self.means[1] - self.means[0]) / 2
        return cut_out(without_specks(strength, threshold), threshold)


def _two_greys(picture: Reals) -> _TwoGreys | None:
    """The two greys of a picture (Ridler and Calvard 1978), or None where it has others."""
    level = float(picture.mean())
    for _ in range(FIT_ROUNDS):
        dark = picture < level
        if not 0 < np.count_nonzero(dark) < dark.size:
            return None
        means = float(picture[dark].mean()), float(picture[~dark].mean())
        level = sum(means) / 2
    spread = math.hypot(picture[dark].std(), picture[~dark].std())
    if means[1] - means[0] < _TWO_GREYS * spread:
        return None
    return _TwoGreys(dark, means, (_large_pieces(dark), _large_pieces(~dark)))


def ink_that_fills(picture: Reals) -> Mask | None:
    """The ink of a letter cut out so closely that its strokes pass for a frame, or paper.

    It is in one piece, covers much of the picture, and is nowhere as broad as a table or a sheet.
    It lies within a margin, where nothing else is; or it reaches all edges, of which one shows
    paper, too, and parts the paper.

    Args:
        picture: float32 (H, W).

    Returns:
        bool (h, w), cut to its ink; None where the picture is no such letter.
    """
    greys = _two_greys(picture)
    if greys is None:
        return None
    for is_light, mask in enumerate((greys.dark, ~greys.dark)):
        own, others = greys.pieces[is_light], greys.pieces[1 - is_light]
        if own != 1 or np.count_nonzero(mask) < _FILLING * mask.size:
            continue
        edges = [float(line.mean()) for line in (mask[0], mask[-1], mask[:, 0], mask[:, -1])]
        in_margin = not any(edges) and others == 1
        parts_paper = 0 < min(edges) < 1 and 2 <= others <= _MOST_PARTS
        if (in_margin or parts_paper) and _broadest(mask) < _BROADEST * max(mask.shape):
            return greys.ink(picture, bool(is_light))
    return None


def _broadest(mask: Mask) -> float:
    """The diameter of the largest circle in a mask, within the picture."""
    return 2 * float(ndimage.distance_transform_edt(np.pad(mask, 1)).max())


def ink_of_two_greys(picture: Reals) -> Mask | None:
    """The ink of a picture that is cut to it so closely that its border tells no paper.

    The greys must be two beyond doubt. One of them surrounds the other, which is the ink; or they
    lie in three pieces or more, as those of a shadow do not, and the ink in fewer of them.

    Args:
        picture: float32 (H, W).

    Returns:
        bool (h, w), cut to its ink; None where the picture is no such letter.
    """
    greys = _two_greys(picture)
    if greys is None:
        return None
    inside = [paper_marks.is_inside(mask) for mask in (greys.dark, ~greys.dark)]
    if not any(inside) and sum(greys.pieces) < _LEAST_PIECES:
        return None
    return greys.ink(picture, inside[1] if any(inside) else greys.pieces[0] > greys.pieces[1])


def _large_pieces(mask: Mask) -> int:
    """How many pieces of a mask are larger than specks."""
    areas = np.bincount(ndimage.label(mask, np.ones((3, 3)))[0].ravel())[1:]
    return int(np.count_nonzero(areas >= _PIECE * mask.size))
