"""What the arrays of this package hold.

Pixels: grey values as bytes. Reals: grey values where 1 is ink. Mask: True is ink.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
