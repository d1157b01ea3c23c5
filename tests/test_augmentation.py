"""Tests of the distortions of training images: what each does to ink, and within which bounds."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from settings.training_parameters import AUGMENTATION_CHECKS, Augmentation
from training import augmentation

Array = npt.NDArray[Any]
CENTRE = 13.5
STEP = 9  # grey levels from one pixel to the next of a ramp
SMALL = Augmentation(4, 1.5, 0.05, 4, 0.05, 0.5)
EXTREME = Augmentation(179.9, 13.9, 0.99, 59.9, 0.499, 4.9)


def distorted(images: Array, bounds: Augmentation, seed: tuple[int, int] = (3, 4)) -> Array:
    return np.asarray(augmentation.distort(images, bounds, tf.constant(seed, tf.int64)))


def noise(count: int = 5) -> Array:
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def block(rows: tuple[int, int], columns: tuple[int, int], count: int = 300) -> Array:
    """The same image many times: a block of ink; its last row and column do not belong to it."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, rows[0] : rows[1], columns[0] : columns[1]] = 255
    return images


def centroids(images: Array) -> tuple[Array, Array]:
    """Rows and columns (N,) of the middle of the ink, from the middle of the image."""
    ink = images.astype(float)
    places = np.arange(28) - CENTRE
    total = ink.sum(axis=(1, 2))
    return (
        (ink.sum(axis=2) * places).sum(axis=1) / total,
        (ink.sum(axis=1) * places).sum(axis=1) / total,
    )


def sources(bounds: Augmentation, count: int = 300) -> tuple[Array, Array]:
    """Where the 12x12 pixels in the middle come from, from the middle: rows, columns (N, 12, 12).

    Read off images whose grey tells the row, and the column: to a 16th of a pixel.
    """
    ramp = np.broadcast_to(np.arange(28, dtype=np.uint8) * STEP, (count, 28, 28))
    read = [distorted(images, bounds) for images in (ramp.swapaxes(1, 2), ramp)]
    rows, columns = (images[:, 8:20, 8:20] / STEP - CENTRE for images in read)
    return rows, columns


def spread_over(values: Array, bound: float) -> bool:
    """Whether values are spread evenly from minus a bound to the bound."""
    return bool(scipy.stats.kstest(values, "uniform", (-bound, 2 * bound)).pvalue > 0.001)


# ------------------------------------------------------------------------- each by itself


def test_rotation_turns_about_the_middle_to_either_side_by_at_most_its_degrees() -> None:
    rows, columns = centroids(distorted(block((13, 15), (21, 23)), Augmentation(rotation=40)))
    angles = np.degrees(np.arctan2(rows, columns))
    assert np.abs(angles).max() < 40.5 and spread_over(angles, 40.2)
    assert np.allclose(np.hypot(rows, columns), 8, atol=0.1)


def test_rotation_by_up_to_180_degrees_reaches_every_direction() -> None:
    rows, columns = centroids(distorted(block((13, 15), (21, 23)), Augmentation(rotation=180)))
    assert spread_over(np.degrees(np.arctan2(rows, columns)), 180)


def test_rotation_mirrors_nothing() -> None:
    rows, columns = sources(Augmentation(rotation=180))
    down = rows[:, 11, 0] - rows[:, 0, 0], columns[:, 11, 0] - columns[:, 0, 0]
    right = rows[:, 0, 11] - rows[:, 0, 0], columns[:, 0, 11] - columns[:, 0, 0]
    assert np.allclose(down[0] * right[1] - down[1] * right[0], 11**2, atol=3)


def test_shift_moves_by_at_most_its_pixels_in_each_direction_and_keeps_the_ink() -> None:
    images = block((12, 16), (11, 17))
    moved = distorted(images, Augmentation(shift=5))
    rows, columns = centroids(moved)
    for places in (rows, columns):
        assert np.abs(places).max() < 5.05 and spread_over(places, 5.02)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.15
    assert np.allclose(moved.sum(axis=(1, 2), dtype=float), images[0].sum(), rtol=0.01)


def test_scale_makes_width_and_height_each_larger_or_smaller_by_at_most_its_share() -> None:
    rows, columns = sources(Augmentation(scale=0.5))
    heights = 11 / (rows[:, 11, 5] - rows[:, 0, 5])
    widths = 11 / (columns[:, 5, 11] - columns[:, 5, 0])
    for sizes in (heights, widths):
        assert sizes.max() < 1.5 * 1.01 and sizes.min() > 0.99 / 1.5
        # As often twice as large as half as large.
        assert spread_over(np.log(sizes), np.log(1.51))
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.15
    assert np.abs(rows[:, 5:7].mean(axis=(1, 2))).max() < 0.1, "the middle stays where it is"


def test_shear_makes_upright_strokes_lean_by_at_most_its_degrees_and_level_ones_stay() -> None:
    upright = distorted(block((6, 22), (13, 15)), Augmentation(shear=30)).astype(float)
    of_rows = (upright * (np.arange(28) - CENTRE)).sum(axis=2)[:, 8:20] / 510
    leans = np.degrees(np.arctan((of_rows[:, 11] - of_rows[:, 0]) / 11))
    assert np.abs(leans).max() < 30.5 and spread_over(leans, 30.3)
    level = distorted(block((13, 15), (8, 20)), Augmentation(shear=30))
    rows, _ = centroids(level)
    assert np.abs(rows).max() < 0.01
    assert not level[:, [*range(13), *range(15, 28)]].any()


def test_perspective_brings_an_edge_nearer_than_the_middle_by_at_most_its_share() -> None:
    rows, columns = sources(Augmentation(perspective=0.2))
    place = np.arange(8, 20) - CENTRE
    # Each pixel comes from the same direction, from less far where the image is nearer.
    nearer_down, nearer_right = (
        CENTRE * ((place / read)[:, -1] - (place / read)[:, 0]) / (place[-1] - place[0])
        for read in (rows.mean(axis=2), columns.mean(axis=1))
    )
    for nearer in (nearer_down, nearer_right):
        assert np.abs(nearer).max() < 0.22 and spread_over(nearer, 0.21)
    assert abs(np.corrcoef(nearer_down, nearer_right)[0, 1]) < 0.15


def test_perspective_keeps_straight_lines_straight() -> None:
    rows, columns = sources(Augmentation(perspective=0.3))
    ends = [(0, 0), (6, 6), (11, 11)]  # on a diagonal
    (a, b, c), (d, e, f) = (np.array([read[:, r, k] for r, k in ends]) for read in (rows, columns))
    assert np.abs((b - a) * (f - d) - (c - a) * (e - d)).max() < 1.0


def test_elastic_displaces_by_so_many_pixels_on_average_smoothly_and_to_all_sides() -> None:
    rows, columns = sources(Augmentation(elastic=0.8), 600)
    place = np.arange(8, 20) - CENTRE
    down, right = rows - place[:, None], columns - place
    for moved in (down, right):
        assert abs(moved.mean()) < 0.05
        # The grid's points, where it is the standard deviation, are in the middle, and between
        # pixels elsewhere.
        assert moved[:, 5:7, 5:7].std() == pytest.approx(0.8, rel=0.1)
        assert 0.5 < moved.std() / 0.8 < 1.05
        assert np.diff(moved, axis=1).std() < 0.25, "neighbours go nearly the same way"
    assert abs(np.corrcoef(down[:, 6, 6], right[:, 6, 6])[0, 1]) < 0.15
    # Opposite corners go their own ways: this is no mere shift.
    assert abs(np.corrcoef(down[:, 0, 0], down[:, 11, 11])[0, 1]) < 0.3


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Augmentation)])
def test_a_larger_bound_distorts_more(name: str) -> None:
    images = block((6, 22), (12, 14))
    little, much = (
        np.abs(distorted(images, Augmentation(**{name: bound})).astype(int) - images).mean()
        for bound in ((0.02, 0.2) if name in ("scale", "perspective") else (0.4, 4))
    )
    assert 0 < little < much


# ------------------------------------------------------------------------- all together


def test_nothing_is_changed_where_all_bounds_are_zero() -> None:
    assert np.array_equal(distorted(noise(40), Augmentation()), noise(40))


def test_paper_stays_paper_and_paper_comes_in_from_outside() -> None:
    blank = np.zeros((50, 28, 28), np.uint8)
    assert not distorted(blank, EXTREME).any()
    full = distorted(np.full_like(blank, 255), Augmentation(shift=6))
    for edge in (full[:, 0], full[:, -1], full[:, :, 0], full[:, :, -1]):
        assert 0.3 < (edge == 0).all(axis=1).mean() < 0.7, "what was moved in leaves paper behind"
    assert (full[:, 13, 13] == 255).all()


def test_values_between_pixels_are_blends_of_the_four_around() -> None:
    # Half a pixel down and a quarter to the right of a dot.
    dot = np.zeros((1, 28, 28), np.uint8)
    dot[0, 13, 13] = 200
    rows = np.broadcast_to(np.arange(28.0, dtype="f4")[None, :, None] - 0.5, (1, 28, 28))
    columns = np.broadcast_to(np.arange(28.0, dtype="f4") - 0.25, (1, 28, 28))
    read = np.asarray(augmentation._values_at(dot, rows, columns))[0]
    assert read[13:15, 13:15].tolist() == [[75, 25], [75, 25]]
    assert read.sum() == 200


@pytest.mark.parametrize("bounds", [SMALL, EXTREME])
def test_the_same_seed_gives_the_same_images_and_another_seed_others(bounds: Augmentation) -> None:
    first = distorted(noise(), bounds)
    assert np.array_equal(first, distorted(noise(), bounds))
    for seed in [(3, 5), (4, 4), (2**32 - 1, 2**32 - 1)]:
        other = distorted(noise(), bounds, seed)
        assert all(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Augmentation)])
def test_each_image_of_a_batch_is_distorted_in_its_own_way(name: str) -> None:
    bound = 0.4 if name in ("scale", "perspective") else 4
    images = distorted(np.repeat(noise(1), 20, axis=0), Augmentation(**{name: bound}))
    assert len(np.unique(images.reshape(20, -1), axis=0)) == 20


def test_images_keep_their_places_in_the_batch() -> None:
    images = np.zeros((12, 28, 28), np.uint8)
    images[:, 4:24, 4:24] = np.arange(20, 260, 20, dtype=np.uint8)[:, None, None]
    assert distorted(images, SMALL)[:, 13, 13].tolist() == images[:, 13, 13].tolist()


@settings(max_examples=60, deadline=None)
@given(
    bounds=st.builds(
        Augmentation,
        rotation=st.floats(0, 179.9),
        shift=st.floats(0, 13.9),
        scale=st.floats(0, 0.99),
        shear=st.floats(0, 59.9),
        perspective=st.floats(0, 0.499),
        elastic=st.floats(0, 4.99),
    ),
    count=st.integers(1, 9),
    seed=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    pixels=st.integers(0, 9),
)
def test_any_distortion_keeps_shape_type_and_range(
    bounds: Augmentation, count: int, seed: tuple[int, int], pixels: int
) -> None:
    for name, check in AUGMENTATION_CHECKS.items():
        check(getattr(bounds, name))  # what a file may say
    random = np.random.default_rng(pixels)
    images = random.integers(100, 151, (count, 28, 28), dtype=np.uint8)
    found = distorted(images, bounds, seed)
    assert found.shape == images.shape and found.dtype == np.uint8
    assert found.max() <= 150, "ink is never darker than it was"


def test_extremes_leave_ink_in_most_images() -> None:
    found = distorted(block((6, 22), (6, 22), 400), EXTREME)
    assert (found.max(axis=(1, 2)) > 100).mean() > 0.6


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_large_and_small_batches_are_distorted_alike(count: int) -> None:
    images = block((10, 18), (13, 15), count)
    for seed in range(20):  # with one image, a fault in TensorFlow gave rubbish now and then
        found = distorted(images, dataclasses.replace(SMALL, elastic=1.0), (seed, 1))
        rows, columns = centroids(found)
        assert np.abs([rows, columns]).max() < 5
        assert not np.array_equal(found, images)


# ------------------------------------------------------------------------- blending

GREYS = np.array([0, 250, 40, 130, 200], np.uint8)


def blended(kind: str, alpha: float, images: Array, seed: int = 7) -> tuple[Array, Array]:
    """Images and targets (N, N), each image being a class of its own."""
    mixed = getattr(augmentation, kind)(
        images, np.eye(len(images), dtype="f4"), alpha, tf.constant([seed, 1], tf.int64)
    )
    return np.asarray(mixed[0]), np.asarray(mixed[1])


def in_grey(greys: Array) -> Array:
    return np.broadcast_to(greys[:, None, None], (len(greys), 28, 28)).copy()


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1, 10])
def test_mixup_blends_targets_as_it_blends_images(alpha: float) -> None:
    images, targets = blended("mixup", alpha, in_grey(GREYS))
    assert images.dtype == np.uint8 and targets.dtype == np.float32
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6) and targets.min() >= 0
    assert (images == images[:, :1, :1]).all()
    assert np.abs(images[:, 0, 0] - targets @ GREYS.astype("f4")).max() <= 0.501


@pytest.mark.parametrize("alpha", [0.2, 1, 5])
def test_cutmix_gives_targets_the_share_of_pixels_that_is_seen(alpha: float) -> None:
    images, targets = blended("cutmix", alpha, in_grey(GREYS))
    assert images.dtype == np.uint8 and targets.dtype == np.float32
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6)
    for image, target in zip(images, targets, strict=True):
        seen = [(image == grey).mean() for grey in GREYS]
        assert np.allclose(target, seen, atol=1e-6)


def test_cutmix_puts_in_one_rectangle_from_the_same_place_of_the_other_image() -> None:
    images = noise(40)
    found, _ = blended("cutmix", 1, images)
    for image, own, other in zip(found, images, images[::-1], strict=True):
        cut = image != own
        rows, columns = cut.any(axis=1), cut.any(axis=0)
        box = np.outer(rows, columns)
        assert np.array_equal(image[box], other[box])
        for side in (rows, columns):
            assert np.count_nonzero(np.diff(np.flatnonzero(side)) > 2) == 0  # no hole


def shares(kind: str, alpha: float, count: int = 2000) -> Array:
    _, targets = blended(kind, alpha, in_grey(np.zeros(count, np.uint8)))
    return np.diagonal(targets)


@pytest.mark.parametrize("alpha", [0.001, 0.02, 0.2, 1, 10])
def test_shares_of_mixup_are_distributed_as_beta(alpha: float) -> None:
    found = shares("mixup", alpha).astype(float)
    middle = (found > 0.001) & (found < 0.999)
    beta = scipy.stats.beta(alpha, alpha)
    expected = beta.cdf(0.999) - beta.cdf(0.001)
    assert middle.mean() == pytest.approx(expected, abs=0.015)
    assert (found > 0.5).mean() == pytest.approx(0.5, abs=0.03)
    if alpha >= 0.2:  # shares nearer to 1 than floats can tell count as 1
        assert scipy.stats.kstest(found, beta.cdf).pvalue > 0.001


def test_each_image_of_a_batch_is_blended_by_its_own_share_and_each_batch_anew() -> None:
    one, two = (blended("mixup", 1, in_grey(GREYS), seed)[1] for seed in (1, 2))
    assert not np.allclose(one, two, atol=0.01)
    assert np.array_equal(one, blended("mixup", 1, in_grey(GREYS), 1)[1])
    assert len(np.unique(shares("mixup", 1, 100))) > 90
    assert len(np.unique(shares("cutmix", 1, 100))) > 30


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_an_image_that_is_alone_in_its_batch_stays_as_it_is(kind: str) -> None:
    image = noise(1)
    found, target = blended(kind, 1, image)
    assert np.array_equal(found, image) and target == pytest.approx(1)
