"""Tests of the course of a training, and of checkpoints that it goes on from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from gan.conditional_networks import build_discriminator, build_generator
from gan.course import PREVIEW_IMAGES, SUFFIX, Course, load_checkpoint, save_checkpoint
from gan.features import build_feature_network
from gan.keras_gan import GAN
from gan.losses import NON_SATURATING
from tests.conditional import easy_images

NAME = f"checkpoint{SUFFIX}"


def make_gan(seed: int = 1) -> GAN:
    """A game whose discriminator looks through another network."""
    keras.utils.set_random_seed(seed)
    features = build_feature_network(3, (3, 2, 2)).layers_seen
    generator = build_generator(4, 3, 3, (4, 3, 2))
    model = GAN(generator, build_discriminator(3, (2, 2), features), seed=seed)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), NON_SATURATING)
    return model


def fit(model: GAN) -> None:
    images, labels = easy_images(each=4)
    model.fit(images, labels, batch_size=6, shuffle=False, verbose=0)


def a_course() -> Course:
    random = np.random.default_rng(1)
    return Course(
        step=3000,
        seconds=12.5,
        losses=random.standard_normal((7, 3)),
        previews=random.integers(0, 256, (2, PREVIEW_IMAGES, 28, 28), dtype=np.uint8),
        preview_steps=(1000, 2000),
        averages=tuple(
            random.standard_normal(shape, dtype=np.float32) for shape in ((3, 5), (5, 5))
        ),
    )


def values_of(model: GAN) -> list[np.ndarray]:
    """All numbers that a training goes on from."""
    optimizers = [*model.d_optimizer.variables, *model.g_optimizer.variables]
    return [np.array(ops.convert_to_numpy(one)) for one in [*model.variables, *optimizers]]


def same_course(one: Course, other: Course) -> bool:
    return (
        (one.step, one.seconds, one.preview_steps)
        == (other.step, other.seconds, other.preview_steps)
        and all(
            getattr(one, name).dtype == getattr(other, name).dtype
            and np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("losses", "previews")
        )
        and len(one.averages) == len(other.averages)
        and all(map(np.array_equal, one.averages, other.averages))
    )  # fmt: skip


@pytest.fixture(scope="module")
def played() -> GAN:
    model = make_gan()
    fit(model)
    return model


# ------------------------------------------------------------------------- a course


def test_a_course_begins_with_nothing() -> None:
    new = Course()
    assert (new.step, new.seconds, new.preview_steps, new.averages) == (0, 0, (), ())
    assert new.losses.shape == (0, 3) and new.losses.dtype == np.float64
    assert new.previews.shape == (0, PREVIEW_IMAGES, 28, 28)
    assert new.previews.dtype == np.uint8


def test_what_a_training_leaves_is_its_course_and_weights() -> None:
    course, weights = a_course(), np.ones(5, np.float16)
    found = course.finished(weights)
    assert found.weights is weights and found.steps == 3000
    left = Course(found.steps, found.seconds, found.losses, found.previews, found.preview_steps)
    assert same_course(replace(course, averages=()), left)


# ------------------------------------------------------------------------- checkpoints


def test_a_checkpoint_brings_back_the_course_and_every_number(played: GAN, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / NAME, played, a_course())
    other = make_gan(seed=2)
    different = [
        not np.array_equal(one, two)
        for one, two in zip(values_of(played), values_of(other), strict=True)
    ]
    assert sum(different) > 30
    assert same_course(load_checkpoint(tmp_path / NAME, other), a_course())
    for one, two in zip(values_of(played), values_of(other), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("course", [Course(), replace(a_course(), preview_steps=(10**9, 2))])
def test_any_course_is_read_back(played: GAN, tmp_path: Path, course: Course) -> None:
    save_checkpoint(tmp_path / NAME, played, course)
    assert same_course(load_checkpoint(tmp_path / NAME, played), course)


@pytest.mark.thorough
def test_a_training_goes_on_from_a_checkpoint_as_if_never_interrupted(tmp_path: Path) -> None:
    whole = make_gan()
    fit(whole)
    save_checkpoint(tmp_path / NAME, whole, Course())
    fit(whole)
    later = make_gan(seed=2)
    load_checkpoint(tmp_path / NAME, later)
    fit(later)
    for one, two in zip(values_of(whole), values_of(later), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_takes_the_place_of_the_one_before(played: GAN, tmp_path: Path) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path / NAME, played, replace(a_course(), step=step))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert load_checkpoint(tmp_path / NAME, played).step == 2


def test_saving_a_checkpoint_changes_nothing_in_the_training(tmp_path: Path) -> None:
    model = make_gan()
    before = values_of(model)
    save_checkpoint(tmp_path / NAME, model, a_course())
    for one, two in zip(before, values_of(model), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_disk_that_fails_leaves_the_checkpoint_before(
    played: GAN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    save_checkpoint(tmp_path / NAME, played, a_course())
    before = (tmp_path / NAME).read_bytes()

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(28, "No space left on device")

    target = "h5py.File" if step == "write" else "os.replace"
    with monkeypatch.context() as patch:
        patch.setattr(target, full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(tmp_path / NAME, played, Course())
    assert (tmp_path / NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    save_checkpoint(tmp_path / NAME, played, Course())
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_folder_that_is_not_there_is_an_os_error(played: GAN, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        save_checkpoint(tmp_path / "nowhere" / NAME, played, Course())
