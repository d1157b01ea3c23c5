"""Tests of training one generator of all classes, and of going on from a checkpoint."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import gan.games
import gan.training
from gan.course import PREVIEW_IMAGES, SUFFIX, TrainedGan
from gan.drawing import build_generator, draw, draw_latent, set_flat_weights
from gan.games import FallingRate
from gan.progress import FeatureProgress, GanProgress, Progress
from gan.settings import LOSSES, GanSettings, weight_count
from gan.training import train_conditional_generator
from tests.conditional import PLAIN, READING, easy_images
from tests.one_thread import made_by_one_thread

CLASSES = 3


def train(settings: GanSettings, seed: int = 3, **options: Any) -> TrainedGan:
    return train_conditional_generator(*easy_images(), settings, seed, **options)


def check(result: TrainedGan, settings: GanSettings) -> None:
    """A whole training: finite weights of the right number, and losses."""
    assert result.weights.dtype == np.float16
    assert result.weights.shape == (weight_count(settings, CLASSES),)
    assert np.isfinite(result.weights).all() and np.isfinite(result.losses).all()
    assert result.steps == settings.steps and result.seconds > 0


# ------------------------------------------------------------------------- what is learnt


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains(loss: str) -> None:
    """Without a network that reads, drawing alone is told."""
    told: list[Progress] = []
    penalty = 10.0 if loss == "wasserstein" else 0.0
    settings = replace(PLAIN, loss=loss, gradient_penalty=penalty, steps=2)
    check(train(settings, show=told.append), settings)
    assert {type(one) for one in told} == {GanProgress}


@pytest.mark.thorough
def test_a_penalty_and_spectral_normalization_train_with_a_network_that_reads() -> None:
    settings = replace(READING, gradient_penalty=1.0, spectral_normalization=True, steps=2)
    check(train(settings), settings)


def test_each_class_is_drawn_like_its_own_images() -> None:
    """Nearer to the mean of its own images than to those of the others."""
    settings = replace(
        READING,
        generator_widths=(8, 6, 4),
        discriminator_widths=(4, 8),
        class_size=8,
        feature_widths=(4, 6, 8),
        feature_steps=20,
        spectral_normalization=True,
        steps=200,
        batch_size=24,
        generator_learning_rate=0.004,
        discriminator_learning_rate=0.004,
        moving_average=0.9,
    )
    images, labels = easy_images(each=40)
    result = train_conditional_generator(images, labels, settings, 3)
    network = build_generator(settings, CLASSES)
    set_flat_weights(network, result.weights)
    means = [images[labels == label].mean(axis=0) for label in range(CLASSES)]
    for label in range(CLASSES):
        latent = draw_latent(24, settings.latent_size, np.random.default_rng(label))
        drawn = draw(network, latent, np.full(24, label, np.int32)).mean(axis=0)
        distances = [float(np.abs(drawn - mean).mean()) for mean in means]
        others = [distance for other, distance in enumerate(distances) if other != label]
        assert distances[label] < 0.7 * min(others), f"class {label}: {distances}"


def test_as_many_classes_are_drawn_as_the_labels_tell() -> None:
    """One image of each is enough."""
    images, labels = easy_images(each=1, classes=2)
    result = train_conditional_generator(images, labels.astype(np.int64), PLAIN, 1)
    assert result.weights.shape == (weight_count(PLAIN, 2),)
    assert result.steps == 6 and np.isfinite(result.weights).all()


# ------------------------------------------------------------------------- what is told


@pytest.fixture(scope="module")
def told() -> list[Progress]:
    """What the training of `small_calls` told."""
    return []


@pytest.fixture(scope="module")
def small_calls(told: list[Progress]) -> TrainedGan:
    """Two steps a call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan.games, "STEPS_A_CALL", 2)
        return train(READING, show=told.append)


def test_reading_is_told_first_then_drawing(told: list[Progress], small_calls: TrainedGan) -> None:
    reading = [one for one in told if isinstance(one, FeatureProgress)]
    drawing = [one for one in told if isinstance(one, GanProgress)]
    assert told == [*reading, *drawing]
    assert [(one.step, one.steps) for one in reading] == [(4, 4)]
    assert [(one.step, one.steps) for one in drawing] == [(2, 6), (4, 6), (6, 6)]
    rows = [(one.step, one.discriminator_loss, one.generator_loss) for one in drawing]
    assert np.array_equal(np.array(rows), small_calls.losses)
    assert drawing[-1].seconds_left == 0 < drawing[0].seconds_left


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_generator(
    small_calls: TrainedGan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gan.games, "STEPS_A_CALL", 2)
    same, other = (train(READING, seed) for seed in (3, 4))
    # Sums of float32 may be taken in another order where the machine is busy.
    assert np.allclose(same.weights, small_calls.weights, atol=1e-3)
    assert np.abs(same.previews.astype(int) - small_calls.previews).max() <= 1
    assert np.allclose(same.losses, small_calls.losses, rtol=1e-4)
    assert not np.allclose(other.weights, small_calls.weights, atol=1e-2)


def test_a_preview_shows_all_classes_in_one_hand(small_calls: TrainedGan) -> None:
    assert small_calls.previews.shape == (3, PREVIEW_IMAGES, 28, 28)
    assert small_calls.preview_steps == (2, 4, 6)
    last = small_calls.previews[-1].astype(int)
    labels = np.arange(PREVIEW_IMAGES) * CLASSES // PREVIEW_IMAGES
    for label in range(CLASSES):
        own = last[labels == label]
        assert np.abs(own - own[0]).max() <= 1
    firsts = [last[labels == label][0] for label in range(CLASSES)]
    assert np.abs(firsts[0] - firsts[1]).max() > 1 and np.abs(firsts[1] - firsts[2]).max() > 1


# ------------------------------------------------------------------------- stopped


def test_stopped_while_it_learns_to_read_nothing_is_learnt() -> None:
    told: list[Progress] = []
    settings = replace(READING, feature_steps=10**6)
    result = train(settings, show=told.append, should_stop=lambda: True)
    assert (result.steps, result.preview_steps) == (0, ())
    assert result.losses.shape == (0, 3) and result.previews.shape == (0, 16, 28, 28)
    assert {type(one) for one in told} == {FeatureProgress}
    assert result.weights.shape == (weight_count(settings, CLASSES),)


@pytest.mark.thorough
def test_stopped_while_it_learns_to_draw_keeps_what_was_learnt(
    small_calls: TrainedGan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gan.games, "STEPS_A_CALL", 2)
    drawing: list[Progress] = []

    def note(progress: Progress) -> None:
        if isinstance(progress, GanProgress):
            drawing.append(progress)

    stopped = train(READING, show=note, should_stop=lambda: len(drawing) == 2)
    assert stopped.steps == 4
    assert np.allclose(stopped.losses, small_calls.losses[:2], rtol=1e-4)
    assert np.abs(stopped.previews.astype(int) - small_calls.previews[:2]).max() <= 1
    assert not np.array_equal(stopped.weights, small_calls.weights)


# ------------------------------------------------------------------------- checkpoints


class BrokenOff(Exception):
    """The session died."""


LONG = replace(READING, steps=20)
LONG_PLAIN = replace(PLAIN, steps=20)


def shorten(patch: pytest.MonkeyPatch) -> None:
    """A call of 2 steps, a checkpoint every 8, a preview after 6, 10, 16 and 20 of 20."""
    patch.setattr(gan.games, "STEPS_A_CALL", 2)
    patch.setattr(gan.training, "CHECKPOINT_STEPS", 8)
    patch.setattr(gan.training, "PREVIEWS", 4)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


@dataclass(frozen=True)
class WholeCourse:
    """A whole training, and its checkpoint as a session that died after a step would leave it."""

    whole: TrainedGan
    checkpoints: dict[int, bytes]

    def died_after(self, step: int, checkpoint: Path) -> None:
        checkpoint.write_bytes(self.checkpoints[step])


def course_of(
    settings: GanSettings, checkpoint: Path, training: Callable[..., TrainedGan]
) -> WholeCourse:
    """Train with checkpoints, and keep what lies there after each step that is told."""
    checkpoints: dict[int, bytes] = {}

    def show(progress: Progress) -> None:
        if isinstance(progress, GanProgress) and checkpoint.exists():
            checkpoints[progress.step] = checkpoint.read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        return WholeCourse(training(settings, show=show, checkpoint=checkpoint), checkpoints)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> WholeCourse:
    """The course of `LONG`."""
    return course_of(LONG, tmp_path_factory.mktemp("long") / f"checkpoint{SUFFIX}", train)


@pytest.fixture(scope="module")
def matching(tmp_path_factory: pytest.TempPathFactory) -> WholeCourse:
    """The course of `MATCHING` on one image."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax")  # there is one class
        return course_of(
            MATCHING, tmp_path_factory.mktemp("matching") / f"checkpoint{SUFFIX}", one_image
        )


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / f"checkpoint{SUFFIX}"


def break_off(at: int, checkpoint: Path, settings: GanSettings = LONG) -> None:
    """Let a training die after this step."""

    def show(progress: Progress) -> None:
        if isinstance(progress, GanProgress) and progress.step == at:
            raise BrokenOff

    with pytest.raises(BrokenOff):
        train(settings, show=show, checkpoint=checkpoint)


def steps_of(checkpoint: Path) -> int:
    with h5py.File(checkpoint) as file:
        return int(file["course"].attrs["step"])


@pytest.mark.usefixtures("often")
@pytest.mark.thorough
def test_a_training_that_went_on_from_checkpoints_has_the_course_of_a_whole_one(
    checkpoint: Path, course: WholeCourse
) -> None:
    """Broken off twice: after 12 steps, and after 18."""
    course.died_after(12, checkpoint)
    assert steps_of(checkpoint) == 8
    with h5py.File(checkpoint, "a") as file:
        file["course"].attrs["seconds"] = 1000.0
    break_off(18, checkpoint)
    assert steps_of(checkpoint) == 16
    told: list[Progress] = []
    resumed, whole = train(LONG, show=told.append, checkpoint=checkpoint), course.whole
    check(resumed, LONG)
    assert [type(one) for one in told] == [GanProgress] * 2, "it has learnt to read already"
    assert [one.step for one in told] == [18, 20]
    assert resumed.losses[:, 0].tolist() == whole.losses[:, 0].tolist() == list(range(2, 21, 2))
    assert np.array_equal(resumed.losses[:4], whole.losses[:4])
    assert 1000 < resumed.seconds < 1300
    assert resumed.previews.shape[0] == len(resumed.preview_steps) == len(whole.preview_steps)
    assert np.array_equal(resumed.previews[0], whole.previews[0])
    assert steps_of(checkpoint) == 16, "it stays until what was learnt is kept"


@pytest.mark.usefixtures("often")
@pytest.mark.thorough
def test_a_preview_that_was_due_with_the_checkpoint_is_kept(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gan.training, "PREVIEWS", 5)
    break_off(12, checkpoint, LONG_PLAIN)
    assert train(LONG_PLAIN, checkpoint=checkpoint).preview_steps == (4, 8, 12, 16, 20)


@pytest.mark.thorough
def test_a_checkpoint_changes_nothing_in_a_training_that_is_never_broken_off(
    checkpoint: Path,
) -> None:
    script = """
import pytest
from tests.test_conditional_training import LONG, shorten, train
with pytest.MonkeyPatch.context() as patch:
    shorten(patch)
    made = train(LONG), train(LONG, checkpoint=given)
"""
    without, with_it = made_by_one_thread(checkpoint.parent, script, checkpoint)
    assert with_it.weights.tobytes() == without.weights.tobytes()
    assert np.array_equal(with_it.losses, without.losses)
    assert with_it.preview_steps == without.preview_steps == (6, 10, 16, 20)
    assert steps_of(checkpoint) == 16


@pytest.mark.usefixtures("often")
def test_broken_off_before_its_first_checkpoint_it_leaves_none(checkpoint: Path) -> None:
    break_off(6, checkpoint, LONG_PLAIN)
    assert list(checkpoint.parent.iterdir()) == []


@pytest.mark.usefixtures("often")
def test_a_stopped_training_leaves_its_latest_checkpoint(checkpoint: Path) -> None:
    told: list[Progress] = []
    stopped = train(
        LONG_PLAIN,
        show=told.append,
        checkpoint=checkpoint,
        should_stop=lambda: told[-1].step == 12,
    )
    assert stopped.steps == 12
    assert checkpoint.exists() and steps_of(checkpoint) == 8


@pytest.mark.usefixtures("often")
def test_stopped_while_it_learns_to_read_it_leaves_no_checkpoint(checkpoint: Path) -> None:
    settings = replace(LONG, feature_steps=10**6)
    assert train(settings, checkpoint=checkpoint, should_stop=lambda: True).steps == 0
    assert list(checkpoint.parent.iterdir()) == []


@pytest.mark.usefixtures("often")
@pytest.mark.thorough
def test_broken_off_after_its_last_step_it_is_finished_from_its_checkpoint(
    checkpoint: Path,
) -> None:
    settings = replace(LONG_PLAIN, steps=16)
    break_off(16, checkpoint, settings)
    assert steps_of(checkpoint) == 16
    resumed = train(settings, checkpoint=checkpoint)
    check(resumed, settings)
    assert resumed.losses[:, 0].tolist() == list(range(2, 17, 2))


def averages_in(checkpoint: Path) -> list[np.ndarray]:
    """The moving averages of moments, as of the checkpoint."""
    with h5py.File(checkpoint) as file:
        kept = file["course"].get("averages", {})
        return [kept[name][()] for name in sorted(kept)]


def one_image(settings: GanSettings, **options: Any) -> TrainedGan:
    """A training whose batches are all the same, so that it tells nothing of their order."""
    images, labels = easy_images(each=1, classes=1)
    return train_conditional_generator(images, labels, settings, 3, **options)


MATCHING = replace(LONG, moment_matching=0.02, batch_size=4)


@pytest.mark.usefixtures("often")
@pytest.mark.filterwarnings("ignore:You are using a softmax")  # there is one class
@pytest.mark.parametrize(("at", "of"), [(14, 8), (18, 16)], ids=["first half", "second half"])
@pytest.mark.thorough
def test_broken_off_in_either_half_moments_are_matched_as_if_it_never_was(
    checkpoint: Path, matching: WholeCourse, at: int, of: int
) -> None:
    matching.died_after(at, checkpoint)
    assert steps_of(checkpoint) == of and len(averages_in(checkpoint)) == (2 if of > 10 else 0)
    resumed = one_image(MATCHING, checkpoint=checkpoint)
    np.testing.assert_allclose(resumed.losses, matching.whole.losses, rtol=1e-4)
    np.testing.assert_allclose(resumed.weights, matching.whole.weights, atol=2e-3)


@pytest.mark.usefixtures("often")
@pytest.mark.filterwarnings("ignore:You are using a softmax")  # there is one class
@pytest.mark.thorough
def test_a_checkpoint_without_averages_is_gone_on_from_with_new_ones(
    checkpoint: Path, matching: WholeCourse
) -> None:
    """As earlier versions wrote them."""
    matching.died_after(18, checkpoint)
    with h5py.File(checkpoint, "a") as file:
        del file["course"]["averages"]
    resumed = one_image(MATCHING, checkpoint=checkpoint)
    assert resumed.steps == MATCHING.steps
    assert not np.allclose(resumed.losses[-2:], matching.whole.losses[-2:], rtol=1e-4)


# ------------------------------------------------------------------------- learning rates


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.4), (250, 0.4), (500, 0.4), (750, 0.22), (1000, 0.04), (1200, 0.04)],
)
def test_a_learning_rate_stays_for_half_of_the_steps_and_then_falls(
    step: int, expected: float
) -> None:
    assert float(FallingRate(0.4, 1000, 0.1)(step)) == pytest.approx(expected, rel=1e-5)


def test_a_learning_rate_can_fall_to_nothing_or_stay() -> None:
    assert float(FallingRate(0.4, 10, 0.0)(10)) == 0
    assert [float(FallingRate(0.5, 10, 1.0)(step)) for step in (0, 5, 10)] == [0.5] * 3


def test_a_falling_rate_is_made_again_from_its_config() -> None:
    rate = FallingRate(0.4, 1000, 0.1)
    again = FallingRate.from_config(rate.get_config())
    assert [float(again(step)) for step in (0, 750, 1000)] == [
        float(rate(step)) for step in (0, 750, 1000)
    ]


@pytest.mark.parametrize("kind", ["keras_adversarial", "conditional"])
def test_rates_that_fall_change_the_second_half_of_every_training(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gan.games, "STEPS_A_CALL", 1)
    images, labels = easy_images()
    settings = replace(PLAIN, class_size=3 if kind == "conditional" else None, batch_size=4)

    def losses(final: float | None) -> Any:
        changed = replace(settings, final_learning_rate=final)
        if kind == "conditional":
            return train_conditional_generator(images, labels, changed, 1).losses
        return gan.training.train_generator(kind, images, changed, 1).losses

    staying, falling = losses(None), losses(0.0)
    # The fifth of six steps is the first with a lower rate; the sixth has a loss that shows it.
    assert np.array_equal(staying[:4], falling[:4])
    assert not np.array_equal(staying[5], falling[5])
