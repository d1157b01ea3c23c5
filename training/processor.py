"""What the processor of this machine is quick at."""

from __future__ import annotations

import functools
from pathlib import Path

_DESCRIPTION = Path("/proc/cpuinfo")
# As Linux names them: Intel's and AMD's vectors and matrices, and ARM's.
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


@functools.cache
def computes_bfloat16() -> bool:
    """Whether there are instructions for products in bfloat16.

    Without them such products are made of others, several times more slowly than in float32.

    Returns:
        Whether there are; False where nobody tells.
    """
    try:
        return names_bfloat16(_DESCRIPTION.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def names_bfloat16(description: str) -> bool:
    """Whether a description of processors as Linux gives it names instructions for bfloat16.

    Args:
        description: lines of a name, a colon and a value; 'flags' or 'Features' are looked at.

    Returns:
        Whether it does.
    """
    for line in description.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features") and _BFLOAT16 & set(value.split()):
            return True
    return False
