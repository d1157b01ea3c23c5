"""The classes of EMNIST's sets (Cohen et al. 2017), in the order of their labels."""

from __future__ import annotations

import string

# Of EMNIST Balanced and By_Merge: letters that are written alike count as their capitals.
MERGED = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")
BY_CLASS = (*string.digits, *string.ascii_uppercase, *string.ascii_lowercase)
