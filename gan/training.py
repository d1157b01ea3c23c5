"""Training a generator of one character: the game that its settings ask for, fitted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Faster convolutions on every processor with AVX2; must be said before Keras is imported.
import cnn_model  # noqa: F401  isort: skip
import keras
import numpy as np
import numpy.typing as npt

from gan import adversarial_optimizers as strategies
from gan import networks
from gan.adversarial_model import AdversarialModel, Player
from gan.keras_gan import GAN
from gan.losses import LOSSES, discriminator_loss
from gan.settings import GanSettings, Strategy

Images = npt.NDArray[np.uint8]
STEPS_A_CALL = 25
PREVIEWS = 12
PREVIEW_IMAGES = 16
BETA_1, BETA_2 = 0.5, 0.99
DRAWING_BATCH = 250


class GanDiverged(Exception):
    """The generator's weights grew without bound."""


@dataclass(frozen=True, eq=False)
class GanProgress:
    """Where a training stands.

    Attributes:
        step: batches done.
        steps: batches asked for.
        discriminator_loss: mean over the latest steps.
        generator_loss: mean over the latest steps.
        seconds_left: estimate.
        preview: uint8 (16, 28, 28), drawn from the same latent vectors each time; None most times.
    """

    step: int
    steps: int
    discriminator_loss: float
    generator_loss: float
    seconds_left: float
    preview: Images | None


@dataclass(frozen=True, eq=False)
class TrainedGan:
    """What a training leaves.

    Attributes:
        weights: float16 (W,), all weights of the averaged generator, one after the other.
        steps: batches learnt from; fewer than asked for where it was stopped.
        seconds: wall-clock time.
        losses: float64 (K, 3): step, discriminator's and generator's mean loss since the row above.
        previews: uint8 (F, 16, 28, 28), the same latent vectors drawn again and again.
        preview_steps: of each preview.
    """

    weights: npt.NDArray[np.float16]
    steps: int
    seconds: float
    losses: npt.NDArray[np.float64]
    previews: Images
    preview_steps: tuple[int, ...]


def build_generator(settings: GanSettings) -> keras.Model:
    """The generator that settings describe, with new weights."""
    if settings.network == "mlp":
        return networks.build_mlp_generator(settings.latent_size, settings.generator_widths)
    return networks.build_convolutional_generator(settings.latent_size, settings.generator_widths)


def _build_discriminator(settings: GanSettings) -> keras.Model:
    build = (
        networks.build_mlp_discriminator
        if settings.network == "mlp"
        else networks.build_convolutional_discriminator
    )
    return build(
        settings.discriminator_widths, spectral_normalization=settings.spectral_normalization
    )


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
    keras.utils.set_random_seed(seed)
    model, average = _game(kind, settings, seed)
    latent = draw_latent(PREVIEW_IMAGES, settings.latent_size, np.random.default_rng(seed))
    watcher = _Watcher(settings.steps, lambda: draw(average, latent), show, should_stop)
    with contextlib.suppress(_Stopped):
        model.fit(
            _batches(images, settings.batch_size, seed),
            steps_per_epoch=settings.steps,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[watcher],
        )
    weights = flat_weights(average)
    if not np.isfinite(weights).all():
        raise GanDiverged(
            "the generator's weights grew without bound; a lower learning rate may help"
        )
    return watcher.result(weights)


def _game(kind: str, settings: GanSettings, seed: int) -> tuple[keras.Model, keras.Model]:
    """A compiled game, and the averaged generator in it."""
    generator = build_generator(settings)
    discriminator = _build_discriminator(settings)
    calls = max(n for n in range(1, STEPS_A_CALL + 1) if settings.steps % n == 0)  # no step more
    if kind == "keras":
        gan = GAN(generator, discriminator, moving_average=settings.moving_average, seed=seed)
        gan.compile(
            _adam(settings.discriminator_learning_rate),
            _adam(settings.generator_learning_rate),
            LOSSES[settings.loss],
            gradient_penalty=settings.gradient_penalty,
            slope_between=settings.loss == "wasserstein",
            steps_per_execution=calls,
        )
        return gan, gan.averaged_generator
    average = networks.MovingAverage(generator, settings.moving_average)
    model = adversarial_gan(generator, discriminator, average, settings, seed)
    model.compile(
        make_strategy(settings.adversarial_optimizer or Strategy("alternating")),
        steps_per_execution=calls,
    )
    return model, average.network


def _adam(learning_rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(learning_rate, beta_1=BETA_1, beta_2=BETA_2)


def adversarial_gan(
    generator: keras.Model,
    discriminator: keras.Model,
    average: networks.MovingAverage,
    settings: GanSettings,
    seed: int,
) -> AdversarialModel:
    """Generator and discriminator as two players.

    Args:
        generator: from latent vectors to images.
        discriminator: from images to scores.
        average: follows the generator.
        settings: loss, penalty and learning rates.
        seed: of the latent vectors.

    Returns:
        A game that is fitted to uint8 (N, 28, 28); not compiled.
    """
    loss = LOSSES[settings.loss]
    random = keras.random.SeedGenerator(seed)
    between = settings.loss == "wasserstein"

    def prepare(batch: Any) -> tuple[Any, Any, Any]:
        real = networks.scaled(batch)
        count = keras.ops.shape(real)[0]
        latent = keras.random.normal((count, settings.latent_size), seed=random)
        mixture = keras.random.uniform((count, 1, 1, 1), seed=random)
        return real, latent, mixture

    def for_discriminator(batch: tuple[Any, Any, Any]) -> Any:
        real, latent, mixture = batch
        return discriminator_loss(
            discriminator,
            loss,
            real,
            generator(latent, training=True),
            penalty=settings.gradient_penalty,
            mixture=mixture if between else None,
        )

    def for_generator(batch: tuple[Any, Any, Any]) -> Any:
        drawn = generator(batch[1], training=True)
        return loss.generator(discriminator(drawn, training=True))

    return AdversarialModel(
        [
            Player(
                "discriminator",
                [discriminator],
                for_discriminator,
                _adam(settings.discriminator_learning_rate),
            ),
            Player(
                "generator", [generator], for_generator, _adam(settings.generator_learning_rate)
            ),
        ],
        prepare,
        average.update,
    )


def make_strategy(strategy: Strategy) -> strategies.AdversarialOptimizer:
    """The adversarial optimizer that settings name."""
    match strategy.type:
        case "simultaneous":
            return strategies.Simultaneous()
        case "scheduled":
            return strategies.Scheduled(strategy.schedule)
        case "unrolled":
            depths = {
                "discriminator": strategy.discriminator_depth,
                "generator": strategy.generator_depth,
            }
            return strategies.Unrolled(depths, strategy.step_size)
        case "extragradient":
            return strategies.Extragradient(strategy.step_size)
        case "consensus":
            return strategies.Consensus(strategy.weight)
        case _:
            return strategies.Alternating(strategy.reverse)


def _batches(images: Images, batch_size: int, seed: int) -> Any:
    """Endless batches of uint8 images in random order, each full."""
    random = np.random.default_rng(seed)
    rows = np.arange(max(len(images), batch_size)) % len(images)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        held = tf.constant(images)
        return (
            tf.data.Dataset.from_tensor_slices(rows)
            .shuffle(len(rows), seed=seed)
            .repeat()
            .batch(batch_size)
            .map(lambda chosen: tf.gather(held, chosen))
            .prefetch(4)
        )

    def endless() -> Any:
        while True:
            order = random.permutation(rows)
            for start in range(0, len(order) - batch_size + 1, batch_size):
                yield images[order[start : start + batch_size]]

    return endless()


def draw_latent(
    count: int, latent_size: int, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Latent vectors: float32 (count, latent_size), standard normal."""
    return random.standard_normal((count, latent_size), dtype=np.float32)


def draw(generator: keras.Model, latent: npt.NDArray[np.float32]) -> Images:
    """Draw images.

    Args:
        generator: from latent vectors to images in [-1, 1].
        latent: float32 (N, latent size).

    Returns:
        uint8 (N, 28, 28), ink 255 on paper 0.
    """
    parts = [
        keras.ops.convert_to_numpy(
            generator(latent[start : start + DRAWING_BATCH], training=False)
        )[..., 0]
        for start in range(0, len(latent), DRAWING_BATCH)
    ]
    return np.clip(np.round((np.concatenate(parts) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def flat_weights(network: keras.Model) -> npt.NDArray[np.float16]:
    """All weights of a network one after the other, in half precision: float16 (W,)."""
    return np.concatenate(
        [keras.ops.convert_to_numpy(weight).ravel() for weight in network.weights]
    ).astype(np.float16)


def set_flat_weights(network: keras.Model, weights: npt.NDArray[np.floating]) -> None:
    """Fill a network with weights that `flat_weights` took from one like it.

    Raises:
        ValueError: there are more or fewer than it has.
    """
    needed = sum(int(np.prod(weight.shape)) for weight in network.weights)
    if weights.shape != (needed,):
        raise ValueError(f"the network has {needed:,} weights, not {weights.size:,}")
    start = 0
    for weight in network.weights:
        size = int(np.prod(weight.shape))
        weight.assign(weights[start : start + size].reshape(weight.shape).astype(np.float32))
        start += size


class _Stopped(Exception):
    """The user ended the training."""


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes on where training stands, keeps losses and previews, and ends it when asked to."""

    def __init__(
        self,
        steps: int,
        preview: Callable[[], Images],
        show: Callable[[GanProgress], None],
        should_stop: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._steps = steps
        self._preview = preview
        self._show = show
        self._should_stop = should_stop
        self._started = time.perf_counter()
        self._done = 0
        self._sums = np.zeros(2)
        self._losses: list[tuple[float, float, float]] = []
        self._previews: list[tuple[int, Images]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        done = min(batch + 1, self._steps)
        # Keras tells the mean since the epoch began; what is shown is that of the latest steps.
        sums = np.array([logs["discriminator_loss"], logs["generator_loss"]]) * done
        latest = (sums - self._sums) / (done - self._done)
        self._sums, self._done = sums, done
        self._losses.append((done, *latest))
        elapsed = time.perf_counter() - self._started
        self._show(
            GanProgress(
                step=done,
                steps=self._steps,
                discriminator_loss=float(latest[0]),
                generator_loss=float(latest[1]),
                seconds_left=elapsed / done * (self._steps - done),
                preview=self._new_preview(done),
            )
        )
        if self._should_stop():
            raise _Stopped

    def _new_preview(self, done: int) -> Images | None:
        if done < self._steps * (len(self._previews) + 1) / PREVIEWS:
            return None
        self._previews.append((done, self._preview()))
        return self._previews[-1][1]

    def result(self, weights: npt.NDArray[np.float16]) -> TrainedGan:
        """What the training leaves."""
        return TrainedGan(
            weights=weights,
            steps=self._done,
            seconds=time.perf_counter() - self._started,
            losses=np.array(self._losses, np.float64).reshape(-1, 3),
            previews=np.array([images for _, images in self._previews], np.uint8).reshape(
                -1, PREVIEW_IMAGES, 28, 28
            ),
            preview_steps=tuple(step for step, _ in self._previews),
        )
