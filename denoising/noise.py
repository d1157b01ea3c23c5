"""Noise on images: its kinds, how it is asked for in words, and how it is added. Knows no Keras.

gaussian 0.6                one noise
gaussian 0.2 0.6 1.0        three of a kind
blur 1; lines 3             two kinds
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import UserError
from image_arrays import IMAGE_SIZE, Images
from settings.literal_files import quote

Amounts = npt.NDArray[np.floating]
_Floats = npt.NDArray[np.float32]

KINDS = ("gaussian", "salt_and_pepper", "blur", "lines")
# The smallest amount of every kind is 0, which changes nothing.
LARGEST_AMOUNTS: Mapping[str, float] = {
    "gaussian": 5.0,
    "salt_and_pepper": 1.0,
    "blur": 5.0,
    "lines": 20.0,
}
AMOUNT_UNITS: Mapping[str, str] = {
    "gaussian": "standard deviation, where ink is 1 and paper 0",
    "salt_and_pepper": "share of the pixels that become ink or paper",
    "blur": "standard deviation in pixels",
    "lines": "number of lines",
}
MOST_NOISES = 10  # that are asked for at once
EXAMPLE = "gaussian 0.2 0.6, lines 3"

INK = 255
LINE_WIDTHS = 1.0, 2.0  # in pixels
SMALLEST_SIGMA = 0.01  # in pixels; below about 0.2 a blur changes no image
IMAGES_A_BLOCK = 1024  # keeps what is held meanwhile to some megabytes

_SALT_AND_PEPPER = re.compile(r"\bsalt[\s_-]*(?:and|&)[\s_-]*pepper\b", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])\d+,\d+(?![\w.,])", re.ASCII)
_SEPARATORS = re.compile(r"[\s,;]+|\band\b", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Noise:
    """A kind of noise and how much of it.

    Attributes:
        kind: one of `KINDS`.
        amount: from 0 to the kind's largest, in its unit; of 'lines' a whole number.

    Raises:
        ValueError: there is no such kind, or the kind has no such amount.
    """

    kind: str
    amount: float

    def __post_init__(self) -> None:
        """Check the kind and the amount."""
        if self.kind not in KINDS:
            raise ValueError(f"{quote(self.kind)} is no kind of noise")
        if not _is_amount(self.kind, self.amount):
            raise ValueError(f"{quote(self.amount)} is not {_amounts_in_words(self.kind)}")

    @property
    def name(self) -> str:
        """The noise in words, such as 'gaussian 0.6'."""
        return f"{self.kind} {self.amount:g}"


def parse_noises(text: str) -> tuple[Noise, ...]:
    """Read which noises are asked for.

    Args:
        text: kinds, each with its amounts behind it; spaces, commas, semicolons and 'and' separate.
            A kind may be shortened to a beginning that no other has, in small or capital letters.

    Returns:
        The noises in the order of the text, none twice, 1 to `MOST_NOISES`; amounts have the six
        digits that `Noise.name` shows.

    Raises:
        UserError: the text is something else.
    """
    comma = _DECIMAL_COMMA.search(text)
    if comma:
        # As two amounts it would often pass, and be something else than was meant.
        first, second = comma.group().split(",")
        raise _misread(
            text,
            f"{quote(comma.group())} could be one number or two; write {quote(f'{first}.{second}')}"
            f" or {quote(f'{first} {second}')}",
        )
    words = _SEPARATORS.split(_SALT_AND_PEPPER.sub("salt_and_pepper", text))
    noises = _read_words([word for word in words if word], text)
    if not noises:
        raise _misread(text, "it names none")
    if len(noises) > MOST_NOISES:
        raise _misread(text, f"these are {len(noises)} noises, but {MOST_NOISES} are the most")
    return noises


def _read_words(words: Sequence[str], text: str) -> tuple[Noise, ...]:
    """The noises that kinds and amounts stand for, none twice."""
    noises: dict[Noise, None] = {}
    kind = ""
    waiting = False  # for the first amount of the kind
    for word in words:
        if _NUMBER.fullmatch(word):
            if not kind:
                raise _misread(text, f"no kind stands before {quote(word)}")
            noises[_read_amount(kind, word, text)] = None
            waiting = False
            continue
        following = _read_kind(word, text)
        if waiting:
            raise _amount_missing(kind, text)
        kind, waiting = following, True
    if waiting:
        raise _amount_missing(kind, text)
    return tuple(noises)


def _read_kind(word: str, text: str) -> str:
    found = [kind for kind in KINDS if kind.startswith(word.casefold())]
    if len(found) != 1:
        raise _misread(text, f"{quote(word)} is neither a kind nor a number")
    return found[0]


def _read_amount(kind: str, word: str, text: str) -> Noise:
    amount = float(word)
    if not _is_amount(kind, amount):
        raise _misread(text, f"{quote(word)} for {kind!r} is not {_amounts_in_words(kind)}")
    # Rounded as the name shows it, so that noises of one name are the same; -0 becomes 0.
    return Noise(kind, float(f"{amount:g}") + 0.0)


def _is_amount(kind: str, amount: float) -> bool:
    fits = 0 <= amount <= LARGEST_AMOUNTS[kind]
    return fits and (kind != "lines" or amount == int(amount))


def _amounts_in_words(kind: str) -> str:
    whole = "a whole number" if kind == "lines" else "a number"
    return f"{whole} from 0 to {LARGEST_AMOUNTS[kind]:g} ({AMOUNT_UNITS[kind]})"


def _amount_missing(kind: str, text: str) -> UserError:
    return _misread(text, f"{kind!r} needs an amount, {_amounts_in_words(kind)}")


def _misread(text: str, reason: str) -> UserError:
    kinds = ", ".join(f"{kind} 0 to {LARGEST_AMOUNTS[kind]:g}" for kind in KINDS)
    return UserError(
        f"{quote(text)} does not say which noise: {reason}; kinds and their amounts are {kinds}, "
        f"written such as {EXAMPLE!r}"
    )


def add_noise(images: Images, kind: str, amounts: Amounts, random: np.random.Generator) -> Images:
    """Add noise of one kind to images, to each its own amount.

    Args:
        images: uint8 (N, 28, 28), ink 255 on paper 0; they stay as they are.
        kind: one of `KINDS`. 'gaussian': a normal random number is added to each pixel, and what
            leaves the range is put at its end. 'salt_and_pepper': pixels become 0 or 255, half of
            them each. 'blur': a Gaussian filter; beyond the edge there is paper. 'lines': straight
            lines of ink, 1 to 2 pixels wide with smooth edges, at random places and angles.
        amounts: floats (N,), one an image, from 0 to the kind's largest; of 'lines' they are
            rounded to the nearest whole number. 0 leaves an image as it is.
        random: where random numbers come from; the same state gives the same images.

    Returns:
        uint8 (N, 28, 28).

    Raises:
        ValueError: the arrays have other shapes or types, there is no such kind, or an amount lies
            outside its range.
    """
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE) or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} {images.shape}, not uint8 (N, 28, 28)")
    if kind not in KINDS:
        raise ValueError(f"{quote(kind)} is no kind of noise")
    if amounts.shape != images.shape[:1]:
        raise ValueError(f"amounts have shape {amounts.shape}, not {images.shape[:1]}")
    if not ((amounts >= 0) & (amounts <= LARGEST_AMOUNTS[kind])).all():
        raise ValueError(f"an amount of {kind!r} is not from 0 to {LARGEST_AMOUNTS[kind]:g}")
    add = {
        "gaussian": _gaussian,
        "salt_and_pepper": _salt_and_pepper,
        "blur": _blur,
        "lines": _lines,
    }[kind]
    noisy = np.empty_like(images)
    for start in range(0, len(images), IMAGES_A_BLOCK):
        block = slice(start, start + IMAGES_A_BLOCK)
        noisy[block] = add(images[block], amounts[block].astype(np.float32), random)
    return noisy


def _gaussian(images: Images, sigmas: _Floats, random: np.random.Generator) -> Images:
    values = random.standard_normal(images.shape, dtype=np.float32)
    values *= INK * sigmas[:, None, None]
    values += images
    return _as_images(values)


def _salt_and_pepper(images: Images, shares: _Floats, random: np.random.Generator) -> Images:
    drawn = random.random(images.shape, dtype=np.float32)
    shares = shares[:, None, None]
    noisy = np.where(drawn < shares, np.uint8(INK), images)
    noisy[drawn < shares / 2] = 0
    return noisy


def _blur(images: Images, sigmas: _Floats, random: np.random.Generator) -> Images:
    """Filter rows, then columns, by a matrix for each image, since each has its own filter."""
    positions = np.arange(IMAGE_SIZE)
    scaled = positions.astype(np.float32) / np.maximum(sigmas, SMALLEST_SIGMA)[:, None]
    weights = np.exp(-0.5 * scaled**2)
    weights /= 2 * weights.sum(axis=1, keepdims=True) - 1  # the weight at distance 0 is 1
    filters = weights[:, np.abs(positions[:, None] - positions)]
    return _as_images(filters @ images.astype(np.float32) @ filters)


def _lines(images: Images, numbers: _Floats, random: np.random.Generator) -> Images:
    """Draw lines, each through a random point of its image, and combine them by maximum."""
    counts = np.rint(numbers).astype(np.int64)
    most = int(counts.max(initial=0))
    angles = np.pi * random.random((len(images), most), dtype=np.float32)
    points = (IMAGE_SIZE - 1) * random.random((2, len(images), most), dtype=np.float32)
    widths = random.uniform(*LINE_WIDTHS, (len(images), most)).astype(np.float32)
    # Images with more lines come first, so that those with a further line are a slice.
    order = np.argsort(-counts, kind="stable")
    ink = np.zeros(images.shape, np.float32)
    room = np.empty_like(ink)
    for line in range(most):
        rows = order[: np.count_nonzero(counts > line)]
        reached, drawn = ink[: len(rows)], room[: len(rows)]
        _draw_line(angles[rows, line], points[:, rows, line], widths[rows, line], drawn)
        np.maximum(reached, drawn, out=reached)
    noisy = images.copy()
    noisy[order] = np.maximum(images[order], _as_images(INK * ink))
    return noisy


def _draw_line(angles: _Floats, points: _Floats, widths: _Floats, drawn: _Floats) -> None:
    """Find how much of each pixel a line covers, about, in each of N images.

    Args:
        angles: float32 (N,), of the direction across the line, in radians.
        points: float32 (2, N), column and row of a point that it goes through, in pixels.
        widths: float32 (N,), in pixels.
        drawn: float32 (N, 28, 28), is filled: covered where 1 or more, bare where 0 or less.
    """
    positions = np.arange(IMAGE_SIZE, dtype=np.float32)
    across = np.cos(angles)[:, None] * (positions - points[0][:, None])
    down = np.sin(angles)[:, None] * (positions - points[1][:, None])
    np.add(down[:, :, None], across[:, None, :], out=drawn)
    np.abs(drawn, out=drawn)
    np.subtract((widths / 2 + 0.5)[:, None, None], drawn, out=drawn)


def _as_images(values: _Floats) -> Images:
    """Round to the nearest value that a pixel can have; changes `values`."""
    np.clip(values, 0, INK, out=values)
    return np.rint(values, out=values).astype(np.uint8)
