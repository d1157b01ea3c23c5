"""How near restored images are to clean ones, and whether one way restores better than another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from image_arrays import Images

Errors = npt.NDArray[np.float64]
Answers = npt.NDArray[np.bool_]

INK = 255
LEAST_INK = 128  # a pixel of this value or more is ink
# Of an image without any error, whose own is infinite. A pixel wrong by 1 in 28x28 makes 77 dB.
HIGHEST_PSNR = 100.0
IMAGES_A_BATCH = 1000
CONFIDENCE = 0.95
# With fewer pairs no outcome of the signed-rank test is as rare as 1 in 20: 2 / 2^5 is more.
LEAST_PAIRS = 6


@dataclass(frozen=True, eq=False)
class Restoration:
    """How near restored images are to clean ones.

    Attributes:
        mse: mean squared error, where ink is 1 and paper 0; mean over the images, 0 to 1.
        psnr: peak signal-to-noise ratio in dB; mean over the images, where one without any error
            counts as `HIGHEST_PSNR`.
        ssim: structural similarity (Wang et al. 2004), mean over the images; 1 for equal ones.
        ink_precision: share of the restored ink that is ink in the clean images, 0 to 1. This and
            the two below count the pixels of all images together.
        ink_recall: share of the clean images' ink that is restored as ink, 0 to 1.
        ink_f1: harmonic mean of the two, 0 to 1. Where neither side has any ink all three are 1;
            where only one side has, all three are 0.
        squared_errors: float64 (N,), mean squared error of each image, 0 to 1.
    """

    mse: float
    psnr: float
    ssim: float
    ink_precision: float
    ink_recall: float
    ink_f1: float
    squared_errors: Errors


@dataclass(frozen=True)
class PairedComparison:
    """Errors of two ways to restore the same images, one minus other.

    Attributes:
        difference: mean over the images; below 0 where `one` has the smaller errors.
        low: lower end of the 95 % confidence interval of that mean, by Student's t distribution.
        high: its upper end. With one image the interval is endless.
        p_value: of Wilcoxon's (1945) signed-rank test that differences lie evenly around 0, both
            sides; 1 where all of them are 0.
        images: number of images.
    """

    difference: float
    low: float
    high: float
    p_value: float
    images: int

    @property
    def can_tell(self) -> bool:
        """Whether there are enough images to tell any difference from chance."""
        return self.images >= LEAST_PAIRS


@dataclass(frozen=True)
class AccuracyComparison:
    """Which of the same images are recognised in one of two ways alone.

    Attributes:
        only_one: images that `one` got right and `other` wrong.
        only_other: images that `other` got right and `one` wrong.
        p_value: of McNemar's (1947) test that both are as likely, exact, both sides; 1 where there
            are no such images.
    """

    only_one: int
    only_other: int
    p_value: float


def measure(restored: Images, clean: Images) -> Restoration:
    """Measure restored images against clean ones.

    Args:
        restored: uint8 (N, H, W), ink 255 on paper 0, N at least 1, H and W at least 11, the size
            of the windows that structural similarity looks at.
        clean: the same images as they were before noise was added, of the same shape.

    Returns:
        Errors, likeness, and how much ink was restored.

    Raises:
        ValueError: shapes differ, there are no images, or they are not uint8 (N, H, W).
    """
    _check_images(restored, clean)
    batches = list(_batches(restored, clean))
    likeness = np.concatenate([_likeness(*batch) for batch in batches], axis=1, dtype=np.float64)
    squared_errors = np.concatenate([_squared_errors(*batch) for batch in batches])
    precision, recall, f1 = _ink_shares(restored >= LEAST_INK, clean >= LEAST_INK)
    return Restoration(
        mse=float(squared_errors.mean()),
        psnr=float(np.minimum(likeness[0], HIGHEST_PSNR).mean()),
        ssim=float(likeness[1].mean()),
        ink_precision=precision,
        ink_recall=recall,
        ink_f1=f1,
        squared_errors=squared_errors,
    )


def compare_errors(one: Errors, other: Errors) -> PairedComparison:
    """Compare the errors of two ways to restore the same images.

    Args:
        one: float64 (N,), `Restoration.squared_errors`, N at least 1.
        other: float64 (N,), those of the same images in the same order.

    Returns:
        The mean difference, how sure it is, and a test.

    Raises:
        ValueError: the shapes differ, there are no images, or an error is no finite number.
    """
    from scipy import stats

    _check_pairs(one, other)
    differences = one - other
    if not np.isfinite(differences).all():
        raise ValueError("an error is no finite number")
    low, high = _interval(differences)
    # The test leaves differences of 0 out, and is exact for few images only if they are not there.
    unequal = differences[differences != 0]
    p_value = float(stats.wilcoxon(unequal).pvalue) if len(unequal) else 1.0
    return PairedComparison(float(differences.mean()), low, high, p_value, len(differences))


def compare_accuracy(one_right: Answers, other_right: Answers) -> AccuracyComparison:
    """Compare how well the same images are recognised in two ways.

    Args:
        one_right: bool (N,), which images the first got right, N at least 1.
        other_right: bool (N,), which the second did, in the same order.

    Returns:
        How many only one of them got right, and a test.

    Raises:
        ValueError: the shapes differ, there are no images, or the arrays are not of bool.
    """
    from scipy import stats

    _check_pairs(one_right, other_right)
    if one_right.dtype != np.bool_ or other_right.dtype != np.bool_:
        raise ValueError(f"answers are {one_right.dtype} and {other_right.dtype}, not bool")
    only_one = int(np.count_nonzero(one_right & ~other_right))
    only_other = int(np.count_nonzero(other_right & ~one_right))
    unlike = only_one + only_other
    p_value = float(stats.binomtest(only_one, unlike, 0.5).pvalue) if unlike else 1.0
    return AccuracyComparison(only_one, only_other, p_value)


def _check_images(restored: Images, clean: Images) -> None:
    if restored.shape != clean.shape:
        raise ValueError(f"restored images are {restored.shape}, clean ones {clean.shape}")
    if restored.ndim != 3 or not restored.size:
        raise ValueError(f"arrays of shape {clean.shape} hold no images (N, H, W)")
    if restored.dtype != np.uint8 or clean.dtype != np.uint8:
        raise ValueError(f"images are {restored.dtype} and {clean.dtype}, not uint8")


def _check_pairs(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> None:
    if one.shape != other.shape or one.ndim != 1 or not len(one):
        raise ValueError(f"shapes {one.shape} and {other.shape} are not (N,) twice, N at least 1")


def _batches(restored: Images, clean: Images) -> Iterator[tuple[Images, Images]]:
    for start in range(0, len(clean), IMAGES_A_BATCH):
        rows = slice(start, start + IMAGES_A_BATCH)
        yield restored[rows], clean[rows]


def _likeness(restored: Images, clean: Images) -> npt.NDArray[np.float32]:
    """PSNR, infinite for equal images, and SSIM of each image: float32 (2, N)."""
    import tensorflow as tf

    pair = restored[..., np.newaxis], clean[..., np.newaxis]
    return np.stack([tf.image.psnr(*pair, max_val=INK), tf.image.ssim(*pair, max_val=INK)])


def _squared_errors(restored: Images, clean: Images) -> Errors:
    """Mean squared error of each image; whole numbers are summed, so equal errors stay equal."""
    differences = restored.astype(np.int64) - clean
    sums = np.square(differences).sum(axis=(1, 2))
    return np.asarray(sums / (differences[0].size * INK**2), np.float64)


def _ink_shares(restored: Answers, clean: Answers) -> tuple[float, float, float]:
    """Precision, recall and F1 of pixels that are ink."""
    found = int(np.count_nonzero(restored))
    there = int(np.count_nonzero(clean))
    if not found and not there:
        return 1.0, 1.0, 1.0
    both = int(np.count_nonzero(restored & clean))
    return both / max(found, 1), both / max(there, 1), 2 * both / (found + there)


def _interval(differences: Errors) -> tuple[float, float]:
    """The confidence interval of the mean of differences."""
    from scipy import stats

    if len(differences) == 1:
        return -np.inf, np.inf
    mean = float(differences.mean())
    error = float(stats.sem(differences))
    if not error:
        return mean, mean
    low, high = stats.t.interval(CONFIDENCE, len(differences) - 1, loc=mean, scale=error)
    return float(low), float(high)
