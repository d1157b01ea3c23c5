"""Any picture of one character as an image like EMNIST's: 28x28, ink 255 on paper 0.

EMNIST's images were made of black and white scans (Cohen et al. 2017): blurred, cropped to the
ink, put in the middle of a square with a margin, reduced to 28x28 and scaled to 0..255. Here the
same is done to pictures of any size, with paper that is not quite even, dark ink on light or the
other way round; and strokes too thin to survive the reduction are thickened first.

A lone stroke is thickened more. In EMNIST the width of a stroke tells how tall the character was,
and so a thick one from a thin one: 1 and I from l. In a picture of one's own it tells only the pen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from pictures import paper_marks
from pictures.image_polarity import border_of, is_black_and_white
from pictures.picture_frame import without_frame

IMAGE_SIZE = 28
INK_SIZE = 22  # longer side of the ink at half its height: the median of EMNIST's images
# Strokes of EMNIST, as twice the area over the perimeter, are 1.9 to 4.6 pixels wide (5th and
# 95th of a hundred), 2.5 at the lower quartile, 3.0 in the middle.
THINNEST_STROKE = 2.2
# Of EMNIST's lone strokes, those so wide are mostly 1, or I where digits are not among the classes.
THINNEST_LONE_STROKE = 4.4
LEAST_WIDTH_OF_SEVERAL = 1.2  # of characters beside each other, as a share of their height
EDGE_BLUR = 0.4  # standard deviation in pixels of 28; EMNIST blurred by 1 pixel of about 3

_MOST_SIDE = 640  # larger pictures are reduced before anything else
_LEAST_INK_SIZE = 3 * INK_SIZE  # smaller ink is enlarged before it is cut out
_GRID = 24  # cells across, in which the light on the paper is fitted
_FIT_ROUNDS = 15
_BETTER = 0.6  # by what light that changes must at least lower the differences from even paper
_EVEN = 1e-3  # paper differing by less, from 0 to 1, is lit evenly
_LOUD = 0.02  # from so much noise, from 0 to 1, a picture is smoothed
_SMOOTHING = 1 / 300  # standard deviation as a share of the longer side
_LEAST_SMOOTHING = 0.5
_SMOOTHINGS = (1 / 300, 1 / 150, 1 / 75, 1 / 40)  # of pictures that are to keep their noise
_CORE = 0.75  # strength from which a pixel is the middle of ink, as a share of the greatest
_NOISE = 4.5  # deviations of paper from which a pixel may be ink
_INK = 5.5  # deviations of paper that ink has on average, or it is none
_DARKEST_PAPER = 0.2  # as a share of the lightest, where contrast is evened out
_PEN_DOT = 0.3  # area of the smallest dot, as a share of the square of the stroke's width
_SPECK = 4e-5  # area of the largest speck, as a share of the picture
_CRUMB = 0.02  # area of the largest speck, as a share of the largest piece of ink
_MOST_DOTS = 3  # of a letter
_DOT_DISTANCE = 0.5  # from the rest of the letter, as a share of its longer side
_LEAST_WITH_GREYS = 16  # side of pictures whose greys read better than edges made of them
_LEAST_MARKED = 48  # shorter side of pictures in which strokes and marks can be told apart
_LEAST_LETTER = 1 / 8  # longer side of a letter within a frame, as a share of the picture's
_LEAST_HEIGHT_IN_A_ROW = 0.5  # of a character, as a share of that of all beside each other
_STRAIGHT = 0.12  # how far a lone stroke may stray, as a share of its length
# A character like EMNIST's, in pixels: its least side, how far it may be off, a stroke's width.
_TWO_GREYS = 5  # by how many deviations of each two greys differ that are ink and paper
_FILLING = 0.3  # share of a picture that ink covers which may pass for paper
_BROADEST = 0.35  # diameter of the largest circle in a letter, as a share of its longer side
_MOST_PARTS = 6  # in which a letter parts the paper
_LEAST_PIECES = 3  # of ink and paper together
_PIECE = 0.003  # area of the smallest that counts, as a share of the picture
_SMALLEST_SIDE = 16
_OFF_CENTRE = 2
_THIN = 1.5
_FAINT, _HALF = 64, 110  # greys from which a pixel belongs to its ink, and to its strokes

_Reals = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]


def prepared(picture: npt.NDArray[Any]) -> _Bytes:
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
    ink = _ink_within_frame(_bounded(picture))
    return np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8) if ink is None else _rendered(ink)


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
    ink = _ink_within_frame(_bounded(picture))
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


def _ink_within_frame(whole: _Reals) -> _Mask | None:
    """The ink (h, w) of a picture, without a frame that may be around it; None without any."""
    ink = _ink_that_fills(whole)
    if ink is not None:
        return ink
    inside = without_frame(whole)
    if inside is not whole:
        # What is left of a letter whose strokes were taken for a frame is next to nothing.
        ink = _ink(_from_0_to_1(inside), _LEAST_LETTER * max(whole.shape))
    if ink is None:
        ink = _ink(whole)
    return _ink_of_two_greys(whole) if ink is None else ink


def cropped(picture: npt.NDArray[np.uint8]) -> _Bytes:
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
    strength = _bounded(picture)
    threshold = _threshold(strength, 0)
    if threshold <= 0:
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    if min(picture.shape) < _LEAST_WITH_GREYS:
        return _rendered(_cut_out(strength, threshold))
    small = _square(strength, *_box(strength > threshold / 2)).clip(0)
    return np.asarray((255 * small / small.max()).round(), np.uint8)


def shrunk(picture: npt.NDArray[Any]) -> _Bytes:
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
    whole = _from_0_to_1(without_frame(_bounded(picture)))
    strength, smooth = np.zeros_like(whole), whole
    for spread in _SMOOTHINGS:
        smooth = ndimage.gaussian_filter(whole, max(spread * max(whole.shape), _LEAST_SMOOTHING))
        found, noise = _ink_strength(smooth)
        threshold = _threshold(found, noise)
        if threshold > 0:
            strength = _without_specks(found, threshold)
            break
    rows, columns = _box(strength > threshold) if strength.any() else map(slice, whole.shape)
    unlike = _unlike_paper(whole, smooth)
    small, where = (_square(greys, rows, columns) for greys in (unlike, strength))
    return _levelled(small, where if where.any() else small)


def _square(greys: _Reals, rows: slice, columns: slice) -> _Reals:
    """Greys (28, 28) of a box and of what is around it; beyond the picture there are zeros."""
    box = [(part.start or 0, part.stop) for part in (rows, columns)]
    half = IMAGE_SIZE / INK_SIZE * max(stop - start for start, stop in box) / 2
    around = math.ceil(half)
    padded = np.pad(greys, around)
    (down, across) = ((start + stop) / 2 + around for start, stop in box)
    place = (across - half, down - half, across + half, down + half)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    small = Image.fromarray(padded).resize(size, Image.Resampling.BICUBIC, place)
    return np.asarray(small, np.float32)


def _levelled(small: _Reals, strength: _Reals) -> _Bytes:
    """Greys (28, 28) between the median of paper, 0, and that of the ink's middle, 255."""
    share = strength / max(float(strength.max()), _EVEN)
    ink, paper = small[share > _CORE], small[share < 1 - _CORE]
    if not (ink.size and paper.size):
        return np.zeros(small.shape, np.uint8)
    least, most = float(np.median(paper)), float(np.median(ink))
    if most - least < _EVEN:
        return np.zeros(small.shape, np.uint8)
    return np.asarray((255 * (small - least) / (most - least)).clip(0, 255).round(), np.uint8)


def _ink(picture: _Reals, least_side: float = 0) -> _Mask | None:
    """The ink (h, w) of a picture without the paper around it, or None where there is none."""
    strength, threshold = _without_marks(picture)
    if threshold <= 0:
        return None
    sheet = paper_marks.sheet_on_table(strength > threshold, picture)
    on_sheet = None if sheet is None else _ink(_from_0_to_1(_cut_to(sheet, picture)), least_side)
    if on_sheet is not None:
        return on_sheet
    rows, columns = _box(strength > threshold)
    if max(rows.stop - rows.start, columns.stop - columns.start) < least_side:
        return None
    return _cut_out(strength, threshold)


def _cut_to(sheet: _Mask, picture: _Reals) -> _Reals:
    """The part (h, w) of a picture around a sheet, which goes on where the table is."""
    box = _box(sheet)
    nearest = ndimage.distance_transform_edt(
        ~sheet[box], return_distances=False, return_indices=True
    )
    return np.asarray(picture[box][tuple(nearest)])


@dataclass(frozen=True, eq=False)
class _TwoGreys:
    """The dark and the light part of a picture that has two greys beyond doubt.

    Attributes:
        dark: bool (H, W).
        means: the mean grey of the dark part, and of the rest.
        pieces: in how many large pieces each of them lies.
    """

    dark: _Mask
    means: tuple[float, float]
    pieces: tuple[int, int]

    def ink(self, picture: _Reals, is_light: bool) -> _Mask:
        """One of the two as ink (h, w), without specks."""
        strength = np.maximum(picture - self.means[0] if is_light else self.means[1] - picture, 0)
        threshold = (self.means[1] - self.means[0]) / 2
        return _cut_out(_without_specks(strength, threshold), threshold)


def _two_greys(picture: _Reals) -> _TwoGreys | None:
    """The two greys of a picture (Ridler and Calvard 1978), or None where it has others."""
    level = float(picture.mean())
    for _ in range(_FIT_ROUNDS):
        dark = picture < level
        if not 0 < np.count_nonzero(dark) < dark.size:
            return None
        means = float(picture[dark].mean()), float(picture[~dark].mean())
        level = sum(means) / 2
    spread = math.hypot(picture[dark].std(), picture[~dark].std())
    if means[1] - means[0] < _TWO_GREYS * spread:
        return None
    return _TwoGreys(dark, means, (_large_pieces(dark), _large_pieces(~dark)))


def _ink_that_fills(picture: _Reals) -> _Mask | None:
    """The ink (h, w) of a letter cut out so closely that its strokes pass for a frame, or paper.

    It is in one piece, covers much of the picture, and is nowhere as broad as a table or a sheet.
    It lies within a margin, where nothing else is; or it reaches all edges, of which one shows
    paper, too, and parts the paper.
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


def _broadest(mask: _Mask) -> float:
    """The diameter of the largest circle in a mask, within the picture."""
    return 2 * float(ndimage.distance_transform_edt(np.pad(mask, 1)).max())


def _ink_of_two_greys(picture: _Reals) -> _Mask | None:
    """The ink (h, w) of a picture that is cut to it so closely that its border tells no paper.

    The greys must be two beyond doubt. One of them surrounds the other, which is the ink; or they
    lie in three pieces or more, as those of a shadow do not, and the ink in fewer of them.
    """
    greys = _two_greys(picture)
    if greys is None:
        return None
    inside = [paper_marks.is_inside(mask) for mask in (greys.dark, ~greys.dark)]
    if not any(inside) and sum(greys.pieces) < _LEAST_PIECES:
        return None
    return greys.ink(picture, inside[1] if any(inside) else greys.pieces[0] > greys.pieces[1])


def _large_pieces(mask: _Mask) -> int:
    """How many pieces of a mask are larger than specks."""
    areas = np.bincount(ndimage.label(mask, np.ones((3, 3)))[0].ravel())[1:]
    return int(np.count_nonzero(areas >= _PIECE * mask.size))


def _without_marks(picture: _Reals) -> tuple[_Reals, float]:
    """How much each pixel is ink (H, W), and the threshold; 0 where there is none.

    Marks beside the letter are no ink where a letter is left without them.
    """
    strength, noise = _ink_strength(picture)
    threshold = _threshold(strength, noise)
    if min(picture.shape) < _LEAST_MARKED:
        return (_without_specks(strength, threshold) if threshold > 0 else strength), threshold
    if threshold <= 0 or paper_marks.reaches_edge_broadly(strength > threshold):
        light = paper_marks.light_on_paper(picture)
        even, noise = _ink_strength(np.minimum(picture / light, 1))
        least = _threshold(even, noise)
        if least > 0:
            even = _cleared(even, least)
            ink = even > least
            if _is_letter(ink) and paper_marks.is_darker_than_shadow(ink, picture, light):
                return even, least
    return (_cleared(strength, threshold) if threshold > 0 else strength), threshold


def _cleared(strength: _Reals, threshold: float) -> _Reals:
    """The strength (H, W), 0 at specks, and at marks where a letter is left without them."""
    for marks_in in (paper_marks.ruling, paper_marks.at_edges):
        marks = marks_in(strength > threshold)
        left = np.where(marks, np.float32(0), strength)
        if marks.any() and (left > threshold).any():
            is_letter = _is_letter(_without_specks(left, threshold) > threshold)
            strength = left if is_letter else strength
    return _without_specks(strength, threshold)


def _is_letter(ink: _Mask) -> bool:
    """Whether ink (H, W) is large enough, and not at an edge."""
    if not paper_marks.is_inside(ink):
        return False
    sides = (part.stop - part.start for part in _box(ink))
    return bool(max(sides) >= _LEAST_LETTER * max(ink.shape))


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
    """
    ink = picture > _FAINT
    if not ink.any():
        return False
    box = _box(ink)
    middle = (IMAGE_SIZE - 1) / 2
    off_by_box = max(abs((part.start + part.stop - 1) / 2 - middle) for part in box)
    mass = picture / picture.sum(dtype=np.float64)
    places = np.arange(IMAGE_SIZE)
    off_by_mass = max(abs(mass.sum(axis=axis) @ places - middle) for axis in (0, 1))
    side = max(part.stop - part.start for part in box)
    return bool(
        side >= _SMALLEST_SIDE
        and min(off_by_box, off_by_mass) <= _OFF_CENTRE
        and _stroke_width(picture > _HALF) >= _THIN
    )


def _bounded(picture: npt.NDArray[Any]) -> _Reals:
    """A picture as real numbers from 0 to 1, large ones reduced."""
    if picture.ndim != 2 or not picture.size:
        raise ValueError(f"a picture has the shape {picture.shape}, not (height, width)")
    if picture.dtype != np.uint8:
        if not np.isfinite(picture).all():
            raise ValueError("a picture holds values that are no finite numbers")
        # before the reduction, where large numbers would lose their differences
        picture = _from_0_to_1(picture.astype(np.float64))
    factor = -(-max(picture.shape) // _MOST_SIDE)
    if factor > 1:
        height, width = picture.shape
        factors = (min(factor, width), min(factor, height))
        picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).reduce(factors))
    return _from_0_to_1(picture.astype(np.float32))


def _from_0_to_1(picture: npt.NDArray[Any]) -> _Reals:
    scale = picture.max() / 2 - picture.min() / 2  # halves, which cannot overflow
    if not scale > 0:
        return np.zeros(picture.shape, np.float32)
    return np.asarray((picture / 2 - picture.min() / 2) / scale, np.float32)


def _ink_strength(picture: _Reals) -> tuple[_Reals, float]:
    """How far each pixel is from the paper towards ink (H, W), and the deviation of paper's own."""
    unlike = _unlike_paper(picture)
    noise = _noise(unlike)
    if noise > _LOUD:
        spread = max(_SMOOTHING * max(picture.shape), _LEAST_SMOOTHING)
        unlike = ndimage.gaussian_filter(unlike, spread)
        noise = _noise(unlike)
    return np.maximum(unlike, 0), noise


def _unlike_paper(picture: _Reals, smooth: _Reals | None = None) -> _Reals:
    """The difference of each pixel (H, W) from paper, above 0 for ink.

    What is paper, and which side of it is ink, a smoothed picture tells better, where it is given.
    """
    paper = _paper(picture if smooth is None else smooth)
    unlike = (picture if smooth is None else smooth) - paper
    is_light = np.sum(unlike * unlike * unlike, dtype=np.float64) > 0
    unlike = picture - paper
    if is_light:
        return unlike
    # Where there is less light, ink and paper are nearer to each other in the same proportion.
    lightest = max(float(paper.max()), _EVEN)
    light = np.maximum(paper, _DARKEST_PAPER * lightest)
    return np.asarray(-unlike * (lightest / light))


def _noise(unlike: _Reals) -> float:
    """The standard deviation of paper, told from what is even less like ink than paper is."""
    place = int(0.16 * unlike.size)  # normal values are one deviation below the mean there
    return max(-float(np.partition(unlike, place, axis=None)[place]), 0)


def _paper(picture: _Reals) -> _Reals:
    """What the picture would be without ink, (H, W): one grey, or light that changes smoothly.

    Either has the least sum of absolute differences, which ink on less than half of the picture
    hardly moves. The border counts as much as all the rest.
    """
    rows, columns = (min(extent, _GRID) for extent in picture.shape)
    box = Image.Resampling.BOX
    cells = np.asarray(Image.fromarray(picture).resize((columns, rows), box), np.float64)
    border = border_of((rows, columns))
    share = np.where(border, max(rows * columns / border.sum() - 1, 1), 1)
    order = np.argsort(cells, axis=None)
    middle = np.searchsorted(np.cumsum(share.ravel()[order]), share.sum() / 2)
    even = float(cells.ravel()[order[middle]])
    unlike = np.abs(cells - even)
    if share[unlike < _EVEN].sum() < share.sum() / 2:
        surface = _surface(cells, share)
        fitted = _powers(rows) @ surface @ _powers(columns).T
        # A letter that fills the picture can be bent to, too, but not so closely as light.
        if np.sum(share * np.abs(cells - fitted)) < _BETTER * np.sum(share * unlike):
            height, width = picture.shape
            return (_powers(height) @ surface @ _powers(width).T).astype(np.float32)
    return np.full(picture.shape, even, np.float32)


def _surface(
    cells: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Coefficients (3, 3) of the surface of the second degree that is nearest to cells (h, w)."""
    down, across = (_powers(extent) for extent in cells.shape)
    kinds = [(i, j) for i in range(3) for j in range(3 - i)]
    terms = np.stack([np.outer(down[:, i], across[:, j]).ravel() for i, j in kinds], axis=1)
    values, weights = cells.ravel(), share.ravel()
    ridge = 1e-6 * share.sum() * np.eye(len(kinds))  # for pictures of one or two rows or columns
    for _ in range(_FIT_ROUNDS):  # least squares, weighed until they are least absolutes
        weighted = terms.T * weights
        fitted = np.linalg.solve(weighted @ terms + ridge * weights.mean(), weighted @ values)
        weights = share.ravel() / (np.abs(terms @ fitted - values) + _EVEN)
    surface = np.zeros((3, 3))
    surface[tuple(np.transpose(kinds))] = fitted
    return surface


def _powers(count: int) -> npt.NDArray[np.float64]:
    """1, x and x squared (count, 3) in the middles of cells from -1 to 1."""
    middles = (2 * np.arange(count) + 1) / count - 1
    return middles[:, None] ** np.arange(3)


def _threshold(strength: _Reals, noise: float) -> float:
    """The strength halfway between paper, at 0, and the mean of ink; 0 where there is no ink."""
    ordered = np.sort(strength, axis=None)
    least, threshold = _NOISE * noise, math.inf
    lower = float(ordered[-1]) / 2
    while lower < threshold:  # it falls, or ends
        threshold = lower
        ink = ordered[np.searchsorted(ordered, threshold, side="right") :]
        strongest = float(ink.mean()) if len(ink) else 0.0
        lower = max(strongest / 2, least)
    return threshold if strongest > _INK * noise and strongest > _EVEN else 0.0


def _without_specks(strength: _Reals, threshold: float) -> _Reals:
    """The strength (H, W), 0 where ink is too small to be a dot of the pen, or no dot of a letter.

    Thin pens make dots as small as specks are; but specks are many, or lie far from the letter.
    """
    labels, count = ndimage.label(strength > threshold, np.ones((3, 3)))
    if count < 2:
        return strength
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    largest = int(areas.argmax())
    width = _stroke_width(labels == largest)
    speck = areas < max(_PEN_DOT * width**2, _SPECK * strength.size)
    crumbs = np.flatnonzero(~speck & (areas > 0) & (areas < _CRUMB * areas[largest]))
    boxes = ndimage.find_objects(labels)
    many = len(crumbs) > _MOST_DOTS
    speck[[c for c in crumbs if many or _is_far(boxes[c - 1], boxes[largest - 1])]] = True
    speck[largest] = False
    speck[0] = False
    return np.where(speck[labels], 0, strength)


def _is_far(box: tuple[slice, ...], letter: tuple[slice, ...]) -> bool:
    """Whether a box lies farther from that of a letter than its dots do."""
    farthest = _DOT_DISTANCE * max(part.stop - part.start for part in letter)
    return any(
        max(own.start - part.stop, part.start - own.stop) > farthest
        for own, part in zip(box, letter, strict=True)
    )


def _stroke_width(ink: _Mask) -> float:
    """Twice the area of the ink over its perimeter, in pixels."""
    count = np.count_nonzero
    sides = count(ink[1:] != ink[:-1]) + count(ink[:, 1:] != ink[:, :-1])
    sides += count(ink[0]) + count(ink[-1]) + count(ink[:, 0]) + count(ink[:, -1])
    # The sides of pixels along a line of any direction are longer than it by 4/pi on average.
    return 2 * count(ink) / (sides * math.pi / 4)


def _is_lone_stroke(ink: _Mask, width: float) -> bool:
    """Whether ink (h, w) is one nearly straight line, of strokes so wide, in any direction."""
    places = np.argwhere(ink).astype(np.float32)
    places -= places.mean(axis=0)
    _, axes = np.linalg.eigh(places.T @ places)
    across, along = np.ptp(places @ axes, axis=0) + 1
    straight = along > 2 * width and across - width < _STRAIGHT * along
    return bool(straight) and ndimage.label(ink, np.ones((3, 3)))[1] == 1  # no dot above


def _cut_out(strength: _Reals, threshold: float) -> _Mask:
    """The ink (h, w) without the paper around it, enlarged where it is small."""
    ink = strength > threshold
    rows, columns = _box(ink)
    side = max(rows.stop - rows.start, columns.stop - columns.start)
    if side >= _LEAST_INK_SIZE:
        return ink[rows, columns]
    # Greys tell where between two pixels an edge runs; those of paper around the box, too.
    around = np.zeros((rows.stop - rows.start + 2, columns.stop - columns.start + 2), np.float32)
    top, left = max(rows.start - 1, 0), max(columns.start - 1, 0)
    greys = strength[top : rows.stop + 1, left : columns.stop + 1]
    row, column = top - rows.start + 1, left - columns.start + 1
    around[row : row + greys.shape[0], column : column + greys.shape[1]] = greys
    np.minimum(around, 2 * threshold, out=around)
    scale = _LEAST_INK_SIZE / side
    size = (math.ceil(around.shape[1] * scale), math.ceil(around.shape[0] * scale))
    large = np.asarray(Image.fromarray(around).resize(size, Image.Resampling.BICUBIC))
    ink = large > min(threshold, float(large.max()) / 2)
    return ink[_box(ink)]


def _box(ink: _Mask) -> tuple[slice, slice]:
    """The rows and columns from the first ink to the last."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _rendered(ink: _Mask) -> _Bytes:
    """Thicken ink (h, w) where its strokes are thin, and reduce it to 28x28."""
    side, width = max(ink.shape), _stroke_width(ink)
    thinnest = THINNEST_LONE_STROKE if _is_lone_stroke(ink, width) else THINNEST_STROKE
    # Thickening enlarges the box, too, which is then reduced by more.
    growth = (thinnest * side - INK_SIZE * width) / (2 * (INK_SIZE - thinnest))
    growth = max(growth, 0)
    pixel = (side + 2 * growth) / INK_SIZE  # of the 28, in pixels of the ink
    square = 2 * math.ceil(IMAGE_SIZE * pixel / 2 + 1)
    top, left = ((square - extent) // 2 for extent in ink.shape)
    padded = np.zeros((square, square), np.bool_)
    padded[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    if growth > 0:
        padded = ndimage.distance_transform_edt(~padded) <= growth + 0.5
    blurred = ndimage.gaussian_filter(padded.astype(np.float32), EDGE_BLUR * pixel, truncate=3)
    down, across, half = top + ink.shape[0] / 2, left + ink.shape[1] / 2, IMAGE_SIZE * pixel / 2
    box = (across - half, down - half, across + half, down + half)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    small = Image.fromarray(blurred).resize(size, Image.Resampling.BICUBIC, box)
    grey = np.clip(np.asarray(small), 0, None)
    return np.asarray((255 * grey / grey.max()).round(), np.uint8)
