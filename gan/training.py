"""Training a generator: the game that its settings ask for, fitted."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Faster convolutions on every processor with AVX2; must be said before Keras is imported.
import cnn_model  # noqa: F401  isort: skip
import keras
import numpy as np
import numpy.typing as npt

from gan import conditional_networks, features
from gan.batches import batches, batches_of_all_classes
from gan.course import PREVIEW_IMAGES, Course, TrainedGan, load_checkpoint, save_checkpoint
from gan.drawing import build_generator, draw, draw_latent, flat_weights
from gan.games import (
    adversarial_gan,
    build_discriminator,
    keras_gan,
    make_strategy,
    steps_a_call,
)
from gan.moments import MomentMatching
from gan.moving_average import MovingAverage
from gan.progress import GanProgress, Progress
from gan.settings import GanSettings, Strategy
from image_arrays import Images

CHECKPOINT_STEPS = 1000
PREVIEWS = 12


class GanDiverged(Exception):
    """The generator's weights grew without bound."""


@dataclass(frozen=True, eq=False)
class _Game:
    """A compiled model, what it is fitted to, the averaged generator, its preview, and moments."""

    model: keras.Model
    data: Any
    average: keras.Model
    preview: Callable[[], Images]
    matching: MomentMatching | None = None

    def matched(self, matching: MomentMatching) -> _Game:
        """This game, whose generator matches moments as well from now on."""
        self.model.match(matching)
        return dataclasses.replace(self, matching=matching)


def train_generator(
    kind: str,
    images: Images,
    settings: GanSettings,
    seed: int,
    *,
    show: Callable[[GanProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainedGan:
    """Train a generator on images of one character.

    Args:
        kind: 'keras' or 'keras_adversarial'.
        images: uint8 (N, 28, 28), N at least 1.
        settings: checked.
        seed: of weights, order and latent vectors.
        show: told every few steps.
        should_stop: asked every few steps; what was learnt until then is returned.

    Returns:
        The averaged generator and how it came about.

    Raises:
        GanDiverged: the weights are no numbers any more.
    """
    keras.utils.set_random_seed(seed % 2**32)
    generator, discriminator = build_generator(settings), build_discriminator(settings)
    if kind == "keras":
        model = keras_gan(generator, discriminator, settings, seed)
        average = model.averaged_generator
    else:
        following = MovingAverage(generator, settings.moving_average)
        model = adversarial_gan(generator, discriminator, following, settings, seed)
        model.compile(
            make_strategy(settings.adversarial_optimizer or Strategy("alternating")),
            steps_per_execution=steps_a_call(settings),
        )
        average = following.network
    latent = draw_latent(PREVIEW_IMAGES, settings.latent_size, np.random.default_rng(seed))
    game = _Game(
        model,
        batches(images, settings.batch_size, seed),
        average,
        lambda: draw(average, latent),
    )
    fitted = _fit(game, settings.steps, settings, Course(), None, show, should_stop)
    return _finished(fitted, average)


def train_conditional_generator(
    images: Images,
    labels: npt.NDArray[np.integer],
    settings: GanSettings,
    seed: int,
    *,
    show: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    checkpoint: Path | None = None,
) -> TrainedGan:
    """Train one generator on images of all classes, as many of each in the mean.

    A network that tells the classes apart may be trained first, for the discriminator to look
    through. Stopped before that is done, the generator draws nothing but noise.

    Args:
        images: uint8 (N, 28, 28).
        labels: integers (N,) from 0; each class up to the highest is there.
        settings: checked, of 'conditional'.
        seed: of weights, order and latent vectors.
        show: told every few steps.
        should_stop: asked every few steps; what was learnt until then is returned.
        checkpoint: a file that the training goes on from where there is one, and that is written
            every `CHECKPOINT_STEPS` steps; its name ends in `course.SUFFIX`. None for none. Delete
            it when what was learnt is kept.

    Returns:
        The averaged generator and how it came about.

    Raises:
        GanDiverged: the weights are no numbers any more.
        CheckpointError: the checkpoint is damaged, or of another training.
    """
    keras.utils.set_random_seed(seed % 2**32)
    started = time.perf_counter()
    classes = int(labels.max()) + 1
    seen = None
    if settings.feature_widths:
        seen = features.build_feature_network(classes, settings.feature_widths)
    generator = build_generator(settings, classes)
    resumed = checkpoint is not None and checkpoint.exists()
    # Before the discriminator, which freezes it.
    if seen and not resumed:
        steps = settings.feature_steps or 1
        if not features.train_feature_network(
            seen, images, labels, steps, seed, show=show, should_stop=should_stop
        ):
            return Course().finished(flat_weights(generator))
    game = _game_of_all_classes(generator, seen, images, labels, settings, seed)
    course = Course(seconds=time.perf_counter() - started)
    if checkpoint and resumed:
        course = load_checkpoint(checkpoint, game.model)
    if seen and settings.moment_matching:
        half = settings.steps // 2 // steps_a_call(settings) * steps_a_call(settings)
        course = _fit(game, half, settings, course, checkpoint, show, should_stop)
        if course.step < half:
            return _finished(course, game.average)
        vectors = keras.Model(seen.layers_seen.inputs, seen.layers_seen.outputs[-1])
        weight, averages = settings.moment_matching, course.averages
        game = game.matched(MomentMatching(vectors, images, labels, weight, seed, averages))
    course = _fit(game, settings.steps, settings, course, checkpoint, show, should_stop)
    return _finished(course, game.average)


def _game_of_all_classes(
    generator: keras.Model,
    seen: features.FeatureNetwork | None,
    images: Images,
    labels: npt.NDArray[np.integer],
    settings: GanSettings,
    seed: int,
) -> _Game:
    """A conditional game whose discriminator looks through `seen`, which it freezes."""
    classes = int(labels.max()) + 1
    discriminator = conditional_networks.build_discriminator(
        classes,
        settings.discriminator_widths,
        seen.layers_seen if seen else None,
        spectral_normalization=settings.spectral_normalization,
    )
    model = keras_gan(generator, discriminator, settings, seed)
    average = model.averaged_generator
    latent = draw_latent(1, settings.latent_size, np.random.default_rng(seed))
    hand = np.repeat(latent, PREVIEW_IMAGES, axis=0)
    shown = (np.arange(PREVIEW_IMAGES) * classes // PREVIEW_IMAGES).astype(np.int32)
    return _Game(
        model,
        batches_of_all_classes(images, labels, settings.batch_size, seed),
        average,
        lambda: draw(average, hand, shown),
    )


def _fit(
    game: _Game,
    until: int,
    settings: GanSettings,
    course: Course,
    checkpoint: Path | None,
    show: Callable[[GanProgress], None],
    should_stop: Callable[[], bool],
) -> Course:
    """Fit a game from where its course stands until a step, or until it is to stop."""
    if course.step >= until:
        return course
    watcher = _Watcher(settings.steps, game, course, show, should_stop, checkpoint)
    with contextlib.suppress(_Stopped):
        game.model.fit(
            game.data,
            steps_per_epoch=until - course.step,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[watcher],
        )
    return watcher.course


def _finished(course: Course, average: keras.Model) -> TrainedGan:
    """What a course leaves."""
    weights = flat_weights(average)
    if not np.isfinite(weights).all():
        raise GanDiverged(
            "the generator's weights grew without bound; a lower learning rate may help"
        )
    return course.finished(weights)


class _Stopped(Exception):
    """The user ended the training."""


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes on where training stands, keeps its course, and ends it when asked to."""

    def __init__(
        self,
        steps: int,
        game: _Game,
        course: Course,
        show: Callable[[GanProgress], None],
        should_stop: Callable[[], bool],
        checkpoint: Path | None,
    ) -> None:
        super().__init__()
        self.course = course
        self._first = course.step
        self._earlier_seconds = course.seconds
        self._steps = steps
        self._game = game
        self._show = show
        self._should_stop = should_stop
        self._checkpoint = checkpoint
        self._started = time.perf_counter()
        self._sums = np.zeros(2)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        done = min(self._first + batch + 1, self._steps)
        # Keras tells the mean since the epoch began; what is shown is that of the latest steps.
        sums = np.array([logs["discriminator_loss"], logs["generator_loss"]]) * (done - self._first)
        latest = (sums - self._sums) / (done - self.course.step)
        self._sums = sums
        elapsed = time.perf_counter() - self._started
        due = done // CHECKPOINT_STEPS > self.course.step // CHECKPOINT_STEPS
        self._go_on(done, elapsed, latest)
        preview = self._new_preview(done)
        if self._checkpoint and due:
            save_checkpoint(self._checkpoint, self._game.model, self.course)
        self._show(
            GanProgress(
                step=done,
                steps=self._steps,
                discriminator_loss=float(latest[0]),
                generator_loss=float(latest[1]),
                seconds_left=elapsed / (done - self._first) * (self._steps - done),
                preview=preview,
            )
        )
        if self._should_stop():
            raise _Stopped

    def _go_on(self, done: int, elapsed: float, latest: npt.NDArray[np.float64]) -> None:
        self.course = dataclasses.replace(
            self.course,
            step=done,
            seconds=self._earlier_seconds + elapsed,
            losses=np.append(self.course.losses, [[done, *latest]], axis=0),
            averages=self._game.matching.averages() if self._game.matching else (),
        )

    def _new_preview(self, done: int) -> Images | None:
        if done < self._steps * (len(self.course.previews) + 1) / PREVIEWS:
            return None
        preview = self._game.preview()
        self.course = dataclasses.replace(
            self.course,
            previews=np.append(self.course.previews, preview[np.newaxis], axis=0),
            preview_steps=(*self.course.preview_steps, done),
        )
        return preview
