"""Tests of the measures of restored images, by hand and against published definitions."""

import math
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from evaluation.restoration import compare_accuracy, compare_errors, measure

Images = npt.NDArray[np.uint8]
ERRORS = st.integers(1, 30).flatmap(
    lambda count: st.tuples(
        *[arrays.arrays(np.float64, count, elements=st.floats(0, 1, width=16))] * 2
    )
)


def flat(count: int, value: int) -> Images:
    return np.full((count, 28, 28), value, np.uint8)


def random_images(count: int, seed: int = 0) -> Images:
    random = np.random.default_rng(seed)
    smooth: npt.NDArray[np.float64] = ndimage.gaussian_filter(
        random.normal(size=(count, 28, 28)), (0, 2, 2)
    )
    return np.clip(smooth * 1500, 0, 255).astype(np.uint8)


def structural_similarity(one: Images, other: Images) -> float:
    """SSIM of two images as Wang et al. (2004) define it, with their 11x11 window of sigma 1.5."""

    def local_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        filtered = ndimage.gaussian_filter(values, 1.5, radius=5)
        return np.asarray(filtered[5:-5, 5:-5])  # where the window lies inside the image

    x, y = one.astype(np.float64), other.astype(np.float64)
    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = local_mean(x * x) - mean_x**2 + local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((luminance * (2 * covariance + c2) / (variances + c2)).mean())


def test_equal_images_are_restored_without_fault() -> None:
    images = random_images(3)
    found = measure(images, images.copy())
    assert found.mse == 0
    assert found.psnr == 100  # the highest that an image counts
    assert found.ssim == pytest.approx(1)
    assert found.ink_precision == found.ink_recall == found.ink_f1 == 1
    assert list(found.squared_errors) == [0, 0, 0]


def test_errors_are_those_found_by_hand() -> None:
    restored = flat(2, 0)
    restored[0] = 51  # a fifth of the range everywhere
    restored[1, :14] = 255  # half of the pixels as wrong as can be
    found = measure(restored, flat(2, 0))
    assert found.squared_errors.dtype == np.float64
    assert found.squared_errors == pytest.approx([0.04, 0.5], rel=1e-12)
    assert found.mse == pytest.approx(0.27, rel=1e-12)
    assert found.psnr == pytest.approx((-10 * math.log10(0.04) - 10 * math.log10(0.5)) / 2)


def test_too_dark_is_as_wrong_as_too_light() -> None:
    assert measure(flat(1, 10), flat(1, 200)).mse == pytest.approx((190 / 255) ** 2)
    assert measure(flat(1, 200), flat(1, 10)).mse == pytest.approx((190 / 255) ** 2)


def test_an_image_without_error_counts_100_decibels_in_the_mean() -> None:
    restored = flat(2, 0)
    restored[1] = 255
    assert measure(restored, flat(2, 0)).psnr == pytest.approx((100 + 0) / 2)


def test_the_least_error_has_fewer_decibels_than_none() -> None:
    restored = flat(1, 0)
    restored[0, 5, 5] = 1
    assert measure(restored, flat(1, 0)).psnr == pytest.approx(77.07, abs=0.01)


def test_structural_similarity_is_that_in_print() -> None:
    clean = random_images(4, seed=1)
    restored = clean.copy()
    restored[1] = clean[1] // 2
    restored[2] = ndimage.gaussian_filter(clean[2], 1.0)
    restored[3] = random_images(1, seed=2)[0]
    for number in range(4):
        found = measure(restored[number : number + 1], clean[number : number + 1]).ssim
        expected = structural_similarity(restored[number], clean[number])
        assert found == pytest.approx(expected, abs=1e-4)


def test_structural_similarity_of_paper_and_ink_is_that_found_by_hand() -> None:
    # Flat images have no variance, so only their brightness counts: c1 / (1 + c1), c1 = 0.01^2.
    assert measure(flat(1, 0), flat(1, 255)).ssim == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-3)


def test_more_images_than_a_batch_have_the_mean_of_all() -> None:
    clean = np.tile(random_images(5, seed=3), (401, 1, 1))
    restored = np.tile(random_images(5, seed=4), (401, 1, 1))
    all_of_them, five = measure(restored, clean), measure(restored[:5], clean[:5])
    assert len(all_of_them.squared_errors) == 2005
    for name in ("mse", "psnr", "ssim", "ink_precision", "ink_recall", "ink_f1"):
        assert getattr(all_of_them, name) == pytest.approx(getattr(five, name), rel=1e-6)


def test_ink_is_counted_over_all_images_together() -> None:
    clean, restored = flat(2, 0), flat(2, 0)
    clean[0, 0, :6] = 128  # ink from 128 on
    restored[0, 0, :3] = 255  # 3 of 6 found
    restored[1, 0, :1] = 128  # 1 of 4 is none
    restored[1, 1] = 127  # not ink yet
    found = measure(restored, clean)
    assert found.ink_precision == 3 / 4
    assert found.ink_recall == 3 / 6
    assert found.ink_f1 == pytest.approx(2 * 0.75 * 0.5 / 1.25)


@pytest.mark.parametrize(("restored", "clean", "share"), [(0, 0, 1), (0, 255, 0), (255, 0, 0)])
def test_shares_of_no_ink_are_defined(restored: int, clean: int, share: float) -> None:
    found = measure(flat(1, restored), flat(1, clean))
    assert found.ink_precision == found.ink_recall == found.ink_f1 == share


@pytest.mark.parametrize(
    ("restored", "clean", "problem"),
    [
        (flat(2, 0), flat(3, 0), r"\(2, 28, 28\), clean ones \(3, 28, 28\)"),
        (flat(2, 0)[0], flat(2, 0), r"\(28, 28\), clean ones \(2, 28, 28\)"),
        (flat(0, 0), flat(0, 0), r"shape \(0, 28, 28\) hold no images"),
        (flat(2, 0)[0], flat(2, 0)[0], r"shape \(28, 28\) hold no images"),
        (flat(2, 0) / 255, flat(2, 0), "float64 and uint8, not uint8"),
    ],
)
def test_what_cannot_be_measured_is_refused(restored: Images, clean: Images, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        measure(restored, clean)


def test_paired_errors_are_compared_as_by_hand() -> None:
    one = np.array([0.10, 0.20, 0.30, 0.40, 0.50])
    other = one + np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    found = compare_errors(one, other)
    # Standard deviation 0.0158114; t of 4 degrees of freedom at 97.5 %: 2.776445.
    half = 2.776445 * math.sqrt(0.00025 / 5)
    assert found.difference == pytest.approx(-0.03)
    assert (found.low, found.high) == pytest.approx((-0.03 - half, -0.03 + half))
    assert found.p_value == 2 / 2**5  # all five of one sign, of the 32 ways there are
    assert found.images == 5


@pytest.mark.parametrize("equal", [0, 5])
def test_signed_ranks_are_those_of_wilcoxon_exactly(equal: int) -> None:
    # Darwin's maize (1876; Fisher 1935), crossed minus self-fertilized, in eighths of an inch. The
    # ranks 10 and 14 are against; of the 2^15 choices of ranks, 676 sum to 24 or less.
    differences = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    one = np.array([*differences, *[0] * equal]) / 100
    found = compare_errors(one, np.zeros(15 + equal))
    assert found.p_value == pytest.approx(2 * 676 / 2**15, rel=1e-12)
    assert found.images == 15 + equal  # images without a difference count in the mean alone


@pytest.mark.parametrize("images", [5, 6])
def test_so_many_images_can_tell_a_difference_as_the_test_can_find_one(images: int) -> None:
    found = compare_errors(np.zeros(images), np.arange(1.0, images + 1))
    assert found.can_tell == (found.p_value < 0.05)


def test_equal_errors_do_not_differ() -> None:
    errors = np.array([0.1, 0.2, 0.3])
    found = compare_errors(errors, errors.copy())
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_a_difference_that_never_varies_is_sure() -> None:
    found = compare_errors(np.full(4, 0.5), np.full(4, 0.25))
    assert (found.difference, found.low, found.high) == (0.25, 0.25, 0.25)


def test_one_image_tells_nothing_for_sure() -> None:
    found = compare_errors(np.array([0.5]), np.array([0.25]))
    assert (found.difference, found.low, found.high) == (0.25, -math.inf, math.inf)
    assert (found.p_value, found.images) == (1, 1)


@settings(deadline=None)  # the first example imports SciPy
@given(ERRORS)
def test_the_mean_lies_in_its_interval_and_sides_mirror_each_other(
    errors: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, mirrored = compare_errors(*errors), compare_errors(*errors[::-1])
    assert found.low <= found.difference <= found.high
    assert 0 <= found.p_value <= 1
    assert mirrored.difference == pytest.approx(-found.difference)
    assert mirrored.low == pytest.approx(-found.high)
    assert mirrored.p_value == pytest.approx(found.p_value)


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        (np.zeros(2), np.zeros(3), r"\(2,\) and \(3,\)"),
        (np.zeros(0), np.zeros(0), "N at least 1"),
        (np.zeros((2, 2)), np.zeros((2, 2)), r"not \(N,\)"),
        (np.array([0.0, np.nan]), np.zeros(2), "no finite number"),
    ],
)
def test_errors_that_cannot_be_compared_are_refused(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        compare_errors(one, other)


def test_images_that_only_one_way_gets_right_are_compared_as_by_hand() -> None:
    one = np.array([True] * 90 + [True] * 1 + [False] * 6 + [False] * 3)
    other = np.array([True] * 90 + [False] * 1 + [True] * 6 + [False] * 3)
    found = compare_accuracy(one, other)
    assert (found.only_one, found.only_other) == (1, 6)
    # One or fewer of 7 coins show heads in 8 of 128 cases; twice that for both sides.
    assert found.p_value == pytest.approx(2 * 8 / 128)
    swapped = compare_accuracy(other, one)
    assert (swapped.only_one, swapped.only_other) == (6, 1)
    assert swapped.p_value == pytest.approx(found.p_value)


@pytest.mark.parametrize("right", [[True], [False], [True, False, True]])
def test_the_same_answers_do_not_differ(right: list[bool]) -> None:
    found = compare_accuracy(np.array(right), np.array(right))
    assert (found.only_one, found.only_other, found.p_value) == (0, 0, 1)


def test_one_image_is_no_proof() -> None:
    found = compare_accuracy(np.array([True]), np.array([False]))
    assert (found.only_one, found.only_other, found.p_value) == (1, 0, 1)


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        (np.ones(2, bool), np.ones(3, bool), r"\(2,\) and \(3,\)"),
        (np.ones(0, bool), np.ones(0, bool), "N at least 1"),
        (np.array([0, 2]), np.ones(2, bool), "int64 and bool, not bool"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(
    one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        compare_accuracy(one, other)
