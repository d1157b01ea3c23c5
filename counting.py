"""How many of something there are, in words."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with what it counts, such as `1 image` or `2,000 images`.

    Args:
        count: how many.
        one: what one of them is called.
        many: what several of them are called; None adds an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
