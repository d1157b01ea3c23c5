"""Reader of one picture's file: PNG, JPEG, TIFF, BMP, GIF or WebP, of any depth, as grey values."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data_formats.problems import one_line

if TYPE_CHECKING:
    from PIL import Image, ImageFile

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".bmp", ".gif", ".webp"})
MOST_PIXELS = 89_000_000  # of one picture; Pillow warns from half a million more on

# What a picture has, or shows, other than one character: one wording, wherever it is said.
FIRST_OF_SEVERAL = "several pages or frames, of which the first is read"
CHARACTERS_BESIDE = "characters beside each other, which are read as one"
LONGEST_START = 12  # bytes that `starts_as_picture` looks at

_PILLOW_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
_SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8")
_WITH_SIDES = frozenset({"PNG", "JPEG", "TIFF", "WEBP"})
# A camera's JPEG has a small copy of itself, or the like, behind it: that is no second picture.
_WITH_PAGES = frozenset({"TIFF", "GIF", "WEBP", "PNG"})

Grey = npt.NDArray[Any]


class Unreadable(Exception):
    """Why one picture cannot be read."""


class FirstPicture(NamedTuple):
    """The picture that a file holds, or the first of them.

    Attributes:
        grey: Numbers (H, W): uint8, or, of deeper pictures, of another type and range. Paper that
            is transparent is white or black, whichever is unlike the ink.
        of_several: Whether the file holds other pages or frames, too.
    """

    grey: Grey
    of_several: bool


def starts_as_picture(start: bytes) -> bool:
    """Tell whether a file's first bytes, `LONGEST_START` or fewer, are those of a picture.

    Args:
        start: `LONGEST_START` bytes or fewer.

    Returns:
        Whether they are those of a PNG, JPEG, GIF, BMP, TIFF or WebP file.
    """
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    if start[:2] == b"BM":
        return start[6:10] == bytes(4)
    return start.startswith(_SIGNATURES)


def read_first(data: bytes) -> FirstPicture:
    """Read a picture's file, of several pages or frames the first one.

    Args:
        data: Of a PNG, JPEG, TIFF, BMP, GIF or WebP file.

    Raises:
        Unreadable: It is no such picture, too large or damaged.
    """
    try:
        return _first(data)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # Pillow raises nearly anything on damaged pictures
        reason = str(error) or type(error).__name__
        if reason.startswith("cannot identify image file"):
            reason = "it is no PNG, JPEG, TIFF, BMP, GIF or WebP picture, or damaged"
        raise Unreadable(one_line(reason)) from error


def _first(data: bytes) -> FirstPicture:
    from PIL import Image

    try:
        opened = Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
    except Image.DecompressionBombError as error:  # whose message names a limit of Pillow's own
        raise Unreadable(f"it has more than {MOST_PIXELS:,} pixels") from error
    with opened as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise Unreadable(
                f"it has {picture.width} x {picture.height} pixels, more than {MOST_PIXELS:,}"
            )
        start = _start_of_frame(picture)
        picture.load()
        return FirstPicture(_grey(picture), _is_of_several(picture, data, start))


def _grey(picture: Image.Image) -> Grey:
    """The grey values (H, W) of a picture, uint8 or, of deeper ones, other numbers."""
    from PIL import ImageOps

    # photographs say which side is up
    upright = ImageOps.exif_transpose(picture) if picture.format in _WITH_SIDES else picture
    if upright.mode[0] in "IF":
        grey = np.asarray(upright)
        if not np.isfinite(grey).all():  # only TIFF can hold such
            raise Unreadable("some of its pixels are no finite numbers")
        return grey
    if upright.has_transparency_data:
        return _on_paper(upright)
    if upright.mode == "LAB":  # which Pillow converts by profiles only; L is its lightness
        return np.asarray(upright.getchannel("L"))
    return np.asarray(upright if upright.mode == "L" else upright.convert("L"))


def _start_of_frame(picture: ImageFile.ImageFile) -> int | None:
    """Where the first frame's pixels begin in a GIF file that was opened, and not yet loaded."""
    return picture.tile[0].offset if picture.format == "GIF" and picture.tile else None


def _is_of_several(picture: Image.Image, data: bytes, start: int | None) -> bool:
    """Whether a picture that was read is the first of several in its file.

    Args:
        picture: what was read.
        data: its file.
        start: what `_start_of_frame` told of it.
    """
    if start is not None:
        return _is_frame_behind(data, start)
    try:
        return picture.format in _WITH_PAGES and bool(getattr(picture, "is_animated", False))
    except Exception:  # what follows is damaged, in any of Pillow's ways; the first was read
        return True


def _is_frame_behind(data: bytes, start: int) -> bool:
    """Whether another frame follows in a GIF file after the one whose pixels begin at a place.

    Pillow tells it too, but goes through the file once more, which takes up to a third of the time
    of reading it.
    """
    place = _behind_blocks(data, start)
    while place < len(data) and data[place] not in b",;":  # a frame, and the end
        # what is no extension either is passed over, as Pillow does
        place = _behind_blocks(data, place + 2) if data[place] == ord("!") else place + 1
    return data[place : place + 1] == b","


def _behind_blocks(data: bytes, place: int) -> int:
    """The place behind blocks of a GIF file, each with its length before it, the last one 0."""
    while place < len(data) and data[place]:
        place += data[place] + 1
    return place + 1


def _on_paper(picture: Image.Image) -> Grey:
    """The grey values (H, W) of a picture that is transparent where its paper is."""
    bands = np.asarray(picture.convert("RGBA").convert("LA"), np.float32)
    grey, cover = bands[..., 0], bands[..., 1] / 255
    there = grey[cover > 0.5]
    if len(there) > grey.size / 2 and np.ptp(there) > 127:  # paper that ends before the picture
        paper = float(np.median(there))
    else:
        paper = 255.0 if (grey * cover).sum() <= 127.5 * cover.sum() else 0.0
    on_paper = (grey * cover + paper * (1 - cover)).round()
    return on_paper.astype(np.uint8)


def eight_bits(grey: Grey) -> npt.NDArray[np.uint8]:
    """Grey values of any depth as bytes.

    Args:
        grey: (H, W), bool, unsigned, signed or floating.

    Returns:
        uint8 (H, W).
    """
    if grey.dtype == np.uint8:
        return grey
    if grey.dtype.kind == "u" and grey.max() > np.iinfo(np.uint8).max:
        return (grey >> 8 * (grey.dtype.itemsize - 1)).astype(np.uint8)
    if grey.dtype.kind == "u":  # eight bits in numbers of sixteen
        return grey.astype(np.uint8)
    reals = grey.astype(np.float64)
    spread = reals.max() / 2 - reals.min() / 2  # halves, which cannot overflow
    scaled = (reals / 2 - reals.min() / 2) / (spread or 1) * 255
    return np.asarray(scaled.round(), np.uint8)
