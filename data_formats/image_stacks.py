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
from data_formats.common import Tell, tell_nobody
from data_formats.problems import Problem
from image_arrays import IMAGE_SIZE, Images

CROPPED = "cropped to their ink and brought to 28x28, light on black"
_BLOCK = 2048  # images at a time
_LEAST_RANGE = 192  # of eight bits that are used as they are; 0 to 16, 0 and 1, greys are not
_OUTLIERS = 0.1  # percent of numbers at either end that may lie far from the others
_FAR = 2  # times the range of the others
_LOOKED_AT = 2_000  # images, to tell what a set is like

_Reals = npt.NDArray[Any]
_Bytes = npt.NDArray[np.uint8]


def of_any_size(stack: _Bytes, tell: Tell = tell_nobody) -> tuple[Images, tuple[str, ...]]:
    """Make a stack of images one of 28x28, with light ink on black paper.

    Those of 28x28 are as they were, all turned where the set is dark on white. Others are cropped
    to their ink; where the set as a whole is in strong black and white, which of the two is paper
    is told from all of it, and otherwise from each image.

    Args:
        stack: uint8 (N, H, W), upright, H and W 1 or more, of a range as `as_greys` makes it.
        tell: See `common.Tell`.

    Returns:
        uint8 (N, 28, 28), and notes on what was done, none where that is nothing.
    """
    from pictures.image_polarity import is_black_and_white, on_black

    if not len(stack):
        return np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8), ()
    some = _some(stack)
    clean = is_black_and_white(some)
    on_paper = 255 - stack if clean and on_black(some) is not some else stack
    if stack.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        return _brought_to_size(on_paper, clean, tell)
    if on_paper is stack:
        return stack, ()
    return on_paper, ("the images were 28x28, dark on white, and were turned to light on black",)


def _brought_to_size(stack: _Bytes, clean: bool, tell: Tell) -> tuple[Images, tuple[str, ...]]:
    """Images of another size; clean ones are known to be light on black."""
    from pictures.image_preparation import cropped, prepared

    images = np.empty((len(stack), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for row, image in enumerate(stack):
        tell(row)
        images[row] = cropped(image) if clean else prepared(image)
    height, width = stack.shape[1:]
    notes = [f"the images were {height}x{width}, and were {CROPPED}"]
    inkless = len(images) - int(images.any(axis=(1, 2)).sum())
    if inkless:
        notes.append(counted(inkless, "image shows no ink", "images show no ink"))
    return images, tuple(notes)


def as_greys(array: _Reals, name: str) -> _Bytes:
    """Make an array of images, as programs keep them, a stack of eight bits.

    Args:
        array: Numbers (N, H, W), (N, H, W, 1 or 3), (N, 1 or 3, H, W), or (N, P) where P is a
            square number. Three channels are red, green and blue.
        name: What the array is called, for messages.

    Returns:
        uint8 (N, H, W), the same array where it is one of eight bits and most of their range;
        otherwise the least number of all as 0 and the greatest as 255, but for some that lie far
        from all others.

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
    as_it_is = (least, greatest) == (0, 255)
    if as_it_is and array.dtype == np.uint8 and shape == array.shape[1:]:
        return array
    stack = np.empty((len(array), *shape), np.uint8)
    for start in starts:
        block = array[start : start + _BLOCK]
        if not as_it_is:
            block = block.astype(np.float64).clip(least, greatest)
            # halves, which cannot overflow
            block = (block / 2 - least / 2) / ((greatest / 2 - least / 2) or 1) * 255
        stack[start : start + len(block)] = np.rint(grey_of(block))
    return stack


def _range(array: _Reals) -> tuple[float, float]:
    """The numbers of an array that stand for 0 and 255."""
    if not array.size:
        return 0, 255
    least, greatest = float(array.min()), float(array.max())
    if array.dtype.kind in "ui" and 0 <= least <= greatest - _LEAST_RANGE and greatest <= 255:
        return 0, 255
    some = _some(array).astype(np.float64)
    low, high = (float(end) for end in np.percentile(some, (_OUTLIERS, 100 - _OUTLIERS)))
    if greatest / 2 - least / 2 > _FAR * (high / 2 - low / 2) > 0:
        return low, high
    return least, greatest


def _some(array: _Reals) -> _Reals:
    """Images from all over an array, enough to tell what they have in common."""
    return array[:: -(-len(array) // _LOOKED_AT)]


def _layout(
    shape: tuple[int, ...], name: str
) -> tuple[Callable[[_Reals], _Reals], tuple[int, int]]:
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


def _grey(colours: _Reals) -> _Reals:
    """Greys (N, H, W) of one channel or of red, green and blue (N, H, W, C), as ITU-R 601 has."""
    shares = (1.0,) if colours.shape[3] == 1 else (0.299, 0.587, 0.114)
    grey: _Reals = colours @ np.array(shares)
    return grey
