"""Which of black and white is paper, of sets of small pictures; numpy is enough for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pictures.arrays import Bytes

BLACK, WHITE = 31, 224  # up to and from here, grey is as good as black or white


def border_of(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which pixels of a picture lie at its edge.

    Args:
        shape: (H, W).

    Returns:
        bool (H, W).
    """
    border = np.ones(shape, np.bool_)
    border[1:-1, 1:-1] = False
    return border


def is_black_and_white(stack: Bytes) -> bool:
    """Tell whether pictures as a whole are in strong black and white, on paper of one of the two.

    Args:
        stack: uint8 (N, H, W), one or more.

    Returns:
        Whether they are.
    """
    border = stack[:, border_of(stack.shape[1:])]
    extreme = np.mean((border <= BLACK) | (border >= WHITE))
    contrasts = stack.max(axis=(1, 2)).astype(int) - stack.min(axis=(1, 2))
    return bool(extreme > 0.5 and np.median(contrasts) > (WHITE - BLACK) / 2)


def on_black(pictures: Bytes) -> Bytes:
    """Bring a whole set of pictures in black and white to light ink on black paper.

    It is decided once for all, since a bold letter may have more ink than paper.

    Args:
        pictures: uint8 (N, H, W), all of them with the same polarity.

    Returns:
        The same array, or another, turned from black and white to white and black: uint8 (N, H, W).
    """
    if not pictures.size:
        return pictures
    border = pictures[:, border_of(pictures.shape[1:])].mean()
    return 255 - pictures if (border + pictures.mean()) / 2 > 127.5 else pictures
