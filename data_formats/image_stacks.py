"""Stacks of images out of arrays, of any size, range and polarity, as 28x28 on black paper.

`image_preparation` does what is done to each. What holds for a set as a whole, such as which side
of grey is paper, is found out here for all its images at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats.common import IMAGE_SIZE, Images, Tell, tell_nobody
from data_formats.problems import Problem

CROPPED = "cropped to their ink and brought to 28x28, light on black"
LEAST_TURNED = 0.02  # share of either polarity in a set of both
CLEAR_BORDER = 0.9  # share of a picture's border that tells the paper
BLACK, WHITE = 31, 224  # up to and from here, a pixel is as good as black or white
_BLOCK = 2048  # images at a time
_LEAST_BRIGHTEST = 128  # of eight bits that are used as such; sets of 0 to 16 or 0 and 1 are not


def of_any_size(
    stack: npt.NDArray[np.uint8], tell: Tell = tell_nobody
) -> tuple[Images, tuple[str, ...]]:
    """Make a stack of images one of 28x28, with light ink on black paper.

    Those of 28x28 are as they were, turned where the set is dark on white. Others are cropped to
    their ink; where the set as a whole is in strong black and white, which of the two is paper is
    told from all of it, and otherwise from each image.

    Args:
        stack: uint8 (N, H, W), upright, H and W 1 or more.
        tell: See `common.Tell`.

    Returns:
        uint8 (N, 28, 28), and notes on what was done, none where that is nothing.
    """
    from image_preparation import cropped, is_black_and_white, prepared

    if not len(stack):
        return np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8), ()
    clean = is_black_and_white(stack)
    if clean:
        turned, kinds = on_black_paper(stack)
    if stack.shape[1:] == (IMAGE_SIZE, IMAGE_SIZE):
        if not clean or turned is stack:
            return stack, ()
        return turned, (f"the images were {kinds}",)
    images = np.empty((len(stack), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for row, image in enumerate(turned if clean else stack):
        tell(row)
        images[row] = cropped(image) if clean else prepared(image)
    height, width = stack.shape[1:]
    notes = [f"the images were {height}x{width}, and were {CROPPED}"]
    inkless = len(images) - int(images.any(axis=(1, 2)).sum())
    if inkless:
        notes.append(counted(inkless, "image shows no ink", "images show no ink"))
    return images, tuple(notes)


def on_black_paper(images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], str]:
    """Bring images in strong black and white to light ink on black paper.

    It is decided for all at once, but where both kinds are among them beyond doubt.

    Args:
        images: uint8 (N, H, W), one or more.

    Returns:
        The same array where nothing is to be turned, otherwise another (N, H, W); and what they
        were, to follow "the pictures were".
    """
    from image_preparation import on_black

    height, width = images.shape[1:]
    size = f"{height}x{width}"
    sides = images[:, 1:-1, 0], images[:, 1:-1, -1]
    border = np.concatenate([images[:, 0], images[:, -1], *sides], axis=1)
    kinds = [np.mean(paper, axis=1) for paper in (border <= BLACK, border >= WHITE)]
    if min(np.mean(kind >= CLEAR_BORDER) for kind in kinds) >= LEAST_TURNED:
        turned = np.concatenate([on_black(image[np.newaxis]) for image in images])
        count = int((turned != images).any(axis=(1, 2)).sum())
        return turned, (
            f"{size}; {count:,} of {len(images):,} were dark on white, and were turned to light on "
            "black"
        )
    turned = on_black(images)
    if turned is images:
        return images, f"{size}, light on black, and are as they were"
    return turned, f"{size}, dark on white, and were turned to light on black"


def as_greys(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    """Make an array of images, as programs keep them, a stack of eight bits.

    Args:
        array: Numbers (N, H, W), (N, H, W, 1 or 3), (N, 1 or 3, H, W), or (N, P) where P is a
            square number. Three channels are red, green and blue.
        name: What the array is called, for messages.

    Returns:
        uint8 (N, H, W): eight bits as they were, other ranges brought to 0..255 by the least and
        the greatest number of the whole array.

    Raises:
        Problem: It has another shape, holds no numbers, or some that are not finite.
    """
    grey_of, shape = _layout(array.shape, name)
    if array.dtype.kind not in "buif":
        raise Problem(f"the array {name} holds {array.dtype}, and images are made of real numbers")
    starts = range(0, len(array), _BLOCK)
    if array.dtype.kind == "f":
        for start in starts:
            if not np.isfinite(array[start : start + _BLOCK].astype(np.float64)).all():
                raise Problem(f"the array {name} holds numbers that are not finite")
    least, greatest = _range(array)
    stack = np.empty((len(array), *shape), np.uint8)
    for start in starts:
        block = array[start : start + _BLOCK]
        if (least, greatest) != (0, 255):
            # halves, which cannot overflow
            block = (block / 2 - least / 2) / ((greatest / 2 - least / 2) or 1) * 255
        stack[start : start + len(block)] = np.rint(grey_of(block))
    return stack


def _range(array: npt.NDArray[Any]) -> tuple[float, float]:
    """The numbers of an array that stand for 0 and 255."""
    if not array.size:
        return 0, 255
    least, greatest = float(array.min()), float(array.max())
    eight_bits = array.dtype.kind in "ui" and least >= 0 and greatest <= 255
    if eight_bits and greatest >= _LEAST_BRIGHTEST:
        return 0, 255
    return min(least, 0) if greatest > 0 else least, greatest


def _layout(
    shape: tuple[int, ...], name: str
) -> tuple[Callable[[npt.NDArray[Any]], npt.NDArray[Any]], tuple[int, int]]:
    """What makes greys (N, H, W) of an array of a shape, and their height and width."""
    if 0 not in shape[1:]:
        if len(shape) == 2 and (side := round(shape[1] ** 0.5)) ** 2 == shape[1]:
            return lambda block: block.reshape(-1, side, side), (side, side)
        if len(shape) == 3:
            return lambda block: block, (shape[1], shape[2])
        if len(shape) == 4 and shape[3] in (1, 3):
            return _grey, (shape[1], shape[2])
        if len(shape) == 4 and shape[1] in (1, 3):
            return lambda block: _grey(np.moveaxis(block, 1, 3)), (shape[2], shape[3])
    raise Problem(
        f"the array {name} has the shape {shape}, and images have (number, height, width), with "
        "one channel or three before or after height and width, or (number, height times width) "
        "if they are square"
    )


def _grey(colours: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Greys (N, H, W) of one channel or of red, green and blue (N, H, W, C), as ITU-R 601 has."""
    shares = (1.0,) if colours.shape[3] == 1 else (0.299, 0.587, 0.114)
    grey: npt.NDArray[Any] = colours @ np.array(shares)
    return grey
