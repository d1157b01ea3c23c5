"""What every image of a character is: a square of bytes, ink 255 on paper 0."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

IMAGE_SIZE = 28  # pixels, rows as well as columns
Image: TypeAlias = npt.NDArray[np.uint8]  # (28, 28)
Images: TypeAlias = npt.NDArray[np.uint8]  # (N, 28, 28)
