"""How sure a share of counted images is: Wilson's interval around it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Proportion:
    """A share of images with its 95 % confidence interval.

    Attributes:
        right: how many of the images count.
        images: all of them, 1 or more.
        low: lower end of the interval, 0 to 1.
        high: upper end of the interval, 0 to 1.
    """

    right: int
    images: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share itself, 0 to 1."""
        return self.right / self.images


def wilson(right: int, images: int) -> Proportion:
    """Put the 95 % interval of Wilson (1927) around a share of images.

    Unlike the usual share plus and minus two standard errors, it stays between 0 and 1 and is fair
    for few images and for shares near the ends.

    Args:
        right: how many of the images count, 0 to `images`.
        images: all of them, 1 or more.

    Returns:
        The share and its interval.

    Raises:
        ValueError: there are no images, or more that count than there are.
    """
    from scipy.stats import binomtest  # which takes a while to import

    if images < 1 or not 0 <= right <= images:
        raise ValueError(f"{right} of {images} images is no share")
    share = right / images
    interval = binomtest(right, images).proportion_ci(0.95, method="wilson")
    # Rounding must not put the share itself outside.
    return Proportion(right, images, min(interval.low, share), max(interval.high, share))
