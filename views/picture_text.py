"""Images drawn with characters, ink bright on dark."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

ASCII_INK = " .:-=+*#%@"
DARKEST_GREY, GREYS = 232, 24  # the grey ramp of 256-colour terminals


def picture(image: npt.NDArray[np.uint8], colours: bool) -> str:
    """Draw an image with characters, ink bright on dark.

    Args:
        image: uint8 (28, 28).
        colours: half blocks in 24 greys, two pixels a character; else plain ASCII.

    Returns:
        14 lines of 28 characters, between lines of a frame.
    """
    lines = [_half_blocks(*rows) for rows in _row_pairs(image)] if colours else _ascii(image)
    edge = "+" + "-" * image.shape[1] + "+"
    return "\n".join([edge, *(f"|{line}|" for line in lines), edge])


def _row_pairs(
    image: npt.NDArray[np.uint8],
) -> Iterable[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    return zip(image[0::2], image[1::2], strict=True)


def _half_blocks(upper: npt.NDArray[np.uint8], lower: npt.NDArray[np.uint8]) -> str:
    greys = DARKEST_GREY + np.stack([upper, lower]).astype(int) * (GREYS - 1) // 255
    cells = (f"\x1b[38;5;{top};48;5;{bottom}m▀" for top, bottom in greys.T)
    return "".join(cells) + "\x1b[0m"


def _ascii(image: npt.NDArray[np.uint8]) -> list[str]:
    means = (image[0::2].astype(int) + image[1::2]) // 2
    levels = means * (len(ASCII_INK) - 1) // 255
    return ["".join(ASCII_INK[level] for level in row) for row in levels]


def pictures(images: npt.NDArray[np.uint8], colours: bool) -> str:
    """Draw images side by side; see `picture`.

    Args:
        images: uint8 (N, 28, 28), N at least 1.
        colours: half blocks in greys; else plain ASCII.

    Returns:
        Lines of text.
    """
    return picture(np.concatenate(list(images), axis=1), colours)
