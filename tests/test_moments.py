"""Tests of drawings being brought to the mean and the spread of real ones' features."""

from dataclasses import replace

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers, ops

import gan.games
from gan import moments
from gan.gradients import value_and_gradients
from gan.layers import scaled
from gan.moments import MomentMatching
from gan.training import train_conditional_generator
from tests.conditional import READING, Labels, easy_images

Images = npt.NDArray[np.uint8]
CLASSES = 2


def halves() -> keras.Model:
    """Features of an image: the mean grey of its left and of its right half, from -1 to 1."""
    pooling = layers.AveragePooling2D((28, 14))
    return keras.Sequential([keras.Input((28, 28, 1)), pooling, layers.Flatten()])


def greys(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> Images:
    """Images with a grey left and a grey right half: (N,) each, 0 to 255."""
    images = np.empty((len(left), 28, 28), np.uint8)
    images[:, :, :14] = left[:, None, None]
    images[:, :, 14:] = right[:, None, None]
    return images


def pictures(spread: float, shift: float = 0.0, seed: int = 1) -> tuple[Images, Labels]:
    """Sixty images of each class, whose greys differ by `spread` and are moved by `shift`."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), 60).astype(np.int32)
    grey = 100.0 + 40.0 * labels
    noise = random.uniform(-1, 1, (2, len(labels))) * spread
    return greys(grey + shift + noise[0], grey + shift + noise[1]), labels


def made(weight: float = 1.0) -> MomentMatching:
    return MomentMatching(halves(), *pictures(30), weight, seed=1)


def slopes(matching: MomentMatching, images: Images, labels: Labels, times: int) -> Images:
    """What each half's grey should fall by, (N, 2), after a batch was seen so many times."""
    for _ in range(times - 1):
        matching.penalty(scaled(images), labels)
    _, (gradient,) = value_and_gradients(
        lambda points: matching.penalty(points[0], labels), [ops.convert_to_tensor(scaled(images))]
    )
    found = ops.convert_to_numpy(gradient)[..., 0]
    return np.stack([found[:, :, :14].sum(axis=(1, 2)), found[:, :, 14:].sum(axis=(1, 2))], axis=1)


def test_nothing_is_asked_for_before_anything_was_drawn() -> None:
    mean_errors, products = made().variables
    assert not ops.convert_to_numpy(mean_errors.value).any()
    # The spread of the real ones themselves, over their deviation: 1 in the mean of all features.
    assert np.trace(ops.convert_to_numpy(products.value)) == pytest.approx(2, rel=1e-5)


def test_real_images_are_hardly_moved() -> None:
    real, labels = pictures(30)
    dark = slopes(made(), *pictures(30, shift=-40), 200)
    assert np.abs(slopes(made(), real, labels, 200)).max() < 0.01 * np.abs(dark).mean()


@pytest.mark.parametrize(("shift", "sign"), [(-40.0, -1.0), (40.0, 1.0)])
def test_drawings_that_are_too_dark_or_too_light_are_moved_to_the_mean(
    shift: float, sign: float
) -> None:
    found = slopes(made(), *pictures(30, shift=shift), 200)
    assert (found * sign > 0).all(), "a step against the gradient goes to the real mean"


@pytest.mark.parametrize(("spread", "sign"), [(5.0, -1.0), (60.0, 1.0)])
def test_drawings_that_differ_too_little_or_too_much_are_moved_apart_or_together(
    spread: float, sign: float
) -> None:
    images, labels = pictures(spread)
    found = slopes(made(), images, labels, 200)
    greys_of = np.stack([images[:, 0, 0], images[:, 0, 27]], axis=1).astype(np.float64)
    means = np.stack([greys_of[labels == label].mean(axis=0) for label in range(CLASSES)])
    away = greys_of - means[labels]
    assert (sign * (found * away).sum(axis=1) > 0).mean() > 0.95


def test_only_the_class_that_is_wrong_is_moved() -> None:
    images, labels = pictures(30)
    darker, _ = pictures(30, shift=-40)
    images[labels == 1] = darker[labels == 1]
    found = np.abs(slopes(made(), images, labels, 200)).mean(axis=1)
    # What little the first class moves comes from the spread, which is one of all classes.
    assert found[labels == 0].mean() < 0.5 * found[labels == 1].mean()


def test_a_class_that_is_not_in_a_batch_keeps_its_average() -> None:
    matching = made()
    dark, labels = pictures(30, shift=-40)
    matching.penalty(scaled(dark), labels)
    before = ops.convert_to_numpy(matching.variables[0].value)
    matching.penalty(scaled(dark[labels == 0]), labels[labels == 0])
    after = ops.convert_to_numpy(matching.variables[0].value)
    assert np.array_equal(before[1], after[1]) and not np.array_equal(before[0], after[0])


def test_matching_goes_on_from_the_averages_of_another() -> None:
    dark, labels = pictures(30, shift=-40)
    first = made()
    first.penalty(scaled(dark), labels)
    kept = first.averages()
    later = MomentMatching(halves(), *pictures(30), 1.0, seed=1, averages=kept)
    assert all(map(np.array_equal, later.averages(), kept))
    assert float(later.penalty(scaled(dark), labels)) == float(first.penalty(scaled(dark), labels))
    assert not any(map(np.array_equal, first.averages(), kept)), "they are a copy"


def test_the_penalty_has_its_weight() -> None:
    dark, labels = pictures(30, shift=-40)
    one, three = (float(made(weight).penalty(scaled(dark), labels)) for weight in (1.0, 3.0))
    assert one > 0 and three == pytest.approx(3 * one, rel=1e-5)


def test_every_class_counts_alike_however_many_images_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, labels = pictures(30)
    repeated = np.concatenate([images, *[images[labels == 0]] * 4])
    many = np.concatenate([labels, np.zeros(4 * 60, np.int32)])
    spreads = [
        ops.convert_to_numpy(MomentMatching(halves(), shown, those, 1.0, 1).variables[1].value)
        for shown, those in ((images, labels), (repeated, many))
    ]
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=1e-4)
    monkeypatch.setattr(moments, "IMAGES_A_CLASS", 10)
    few = MomentMatching(halves(), repeated, many, 1.0, seed=1)
    assert np.isfinite(ops.convert_to_numpy(few.variables[1].value)).all()


def test_features_that_are_all_the_same_divide_by_no_zero() -> None:
    images, labels = pictures(0)
    matching = MomentMatching(halves(), images, labels, 1.0, seed=1)
    assert np.isfinite(float(matching.penalty(scaled(255 - images), labels)))


@pytest.mark.thorough
def test_a_training_matches_moments_in_the_second_half_of_its_steps_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gan.games, "STEPS_A_CALL", 1)
    images, labels = easy_images()
    plain = replace(READING, steps=6)
    without, with_it = (
        train_conditional_generator(images, labels, settings, 1)
        for settings in (plain, replace(plain, moment_matching=50.0))
    )
    assert np.array_equal(without.losses[:3], with_it.losses[:3])
    assert not np.array_equal(without.losses[4:], with_it.losses[4:])
    assert with_it.steps == 6 and np.isfinite(with_it.weights).all()
