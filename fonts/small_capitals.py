"""Lower-case letters of a font that are small capitals in truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from fonts.arrays import Pixels, Reals
from fonts.characters import CLASSES
from fonts.hands import holes

PROFILE_SIDE = 32
# How like a lower-case letter must be to its capital to be taken for a small one. Measured on 56
# handwriting fonts: true pairs of b, e, g, r and of the letters with as many holes stay below.
SURE_LIKENESS = 0.88
SUSPECT_LIKENESS = 0.78
HOLES_DIFFER = frozenset("begr")  # their capitals have another number of holes
MANY_SMALL_CAPITALS = 4


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
        and holes(outlines[c] > 127) == holes(outlines[c.upper()] > 127)
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
