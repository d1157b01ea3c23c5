"""Grey pictures as they are, pixel by pixel: made larger, and written."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Grey: TypeAlias = npt.NDArray[np.uint8]


def enlarged(picture: Grey, times: int) -> Grey:
    """Every pixel as a square.

    Args:
        picture: uint8 (H, W).
        times: pixels along each side of a square, at least 1.

    Returns:
        uint8 (times * H, times * W).
    """
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def write_grey(picture: Grey, path: Path) -> None:
    """Write a grey picture as PNG.

    Args:
        picture: uint8 (H, W), white 255.
        path: the file.

    Raises:
        OSError: the file cannot be written.
    """
    from PIL import Image

    Image.fromarray(picture).save(path, format="PNG")
