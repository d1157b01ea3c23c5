"""Games that settings describe, ready to be fitted: networks, players and who moves when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from gan import adversarial_optimizers as strategies
from gan import networks
from gan.adversarial_model import AdversarialModel
from gan.calls import steps_in_a_call
from gan.keras_gan import GAN
from gan.layers import scaled
from gan.losses import LOSSES, discriminator_loss
from gan.moving_average import MovingAverage
from gan.players import AdversarialOptimizer, Player
from gan.settings import GanSettings, Strategy

STEPS_A_CALL = 25
BETA_1, BETA_2 = 0.5, 0.99

# Real images, latent vectors, and how much of the real ones is in a mixture with drawn ones.
_Batch: TypeAlias = tuple[Any, Any, Any]


def build_discriminator(settings: GanSettings) -> keras.Model:
    """The discriminator of one character that settings describe, with new weights.

    Args:
        settings: of a generator of one character.

    Returns:
        A network from float32 (N, 28, 28, 1) in [-1, 1] to a number for each image.
    """
    build = (
        networks.build_mlp_discriminator
        if settings.network == "mlp"
        else networks.build_convolutional_discriminator
    )
    return build(
        settings.discriminator_widths, spectral_normalization=settings.spectral_normalization
    )


def keras_gan(
    generator: keras.Model, discriminator: keras.Model, settings: GanSettings, seed: int
) -> GAN:
    """Generator and discriminator as one compiled model.

    Args:
        generator: from latent vectors, with labels where it draws several characters, to images.
        discriminator: from images, with labels likewise, to a number each.
        settings: learning rates, loss and moving average.
        seed: of the latent vectors.

    Returns:
        The model, to be fitted to uint8 (N, 28, 28), with labels (N,) likewise.
    """
    gan = GAN(generator, discriminator, moving_average=settings.moving_average, seed=seed)
    gan.compile(
        _adam(settings.discriminator_learning_rate, settings),
        _adam(settings.generator_learning_rate, settings),
        LOSSES[settings.loss],
        gradient_penalty=settings.gradient_penalty,
        slope_between=settings.loss == "wasserstein",
        steps_per_execution=steps_a_call(settings),
    )
    return gan


def steps_a_call(settings: GanSettings) -> int:
    """Steps of one call of TensorFlow.

    Args:
        settings: with the number of all steps.

    Returns:
        As many as may be without one step too many at the end.
    """
    return steps_in_a_call(settings.steps, STEPS_A_CALL)


def _adam(learning_rate: float, settings: GanSettings) -> keras.optimizers.Optimizer:
    rate: Any = learning_rate
    if settings.final_learning_rate is not None:
        rate = FallingRate(learning_rate, settings.steps, settings.final_learning_rate)
    return keras.optimizers.Adam(rate, beta_1=BETA_1, beta_2=BETA_2)


class FallingRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate that stays for half of the steps and then falls in a straight line."""

    def __init__(self, start: float, steps: int, share: float) -> None:
        """From `start` to `share` of it."""
        super().__init__()
        self.start = start
        self.steps = steps
        self.share = share

    def __call__(self, step: Any) -> Any:
        """The rate at a step, 0 to `steps`."""
        gone = keras.ops.cast(step, "float32") / self.steps
        fallen = keras.ops.clip(2.0 * gone - 1.0, 0.0, 1.0)
        return self.start * (1.0 - (1.0 - self.share) * fallen)

    def get_config(self) -> dict[str, Any]:
        """What it was made with.

        Returns:
            Arguments by their names.
        """
        return {"start": self.start, "steps": self.steps, "share": self.share}


def adversarial_gan(
    generator: keras.Model,
    discriminator: keras.Model,
    average: MovingAverage,
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
    players = [
        Player(
            "discriminator",
            [discriminator],
            _loss_of_discriminator(generator, discriminator, settings),
            _adam(settings.discriminator_learning_rate, settings),
        ),
        Player(
            "generator",
            [generator],
            _loss_of_generator(generator, discriminator, settings),
            _adam(settings.generator_learning_rate, settings),
        ),
    ]
    return AdversarialModel(players, _preparation(settings.latent_size, seed), average.update)


def _preparation(latent_size: int, seed: int) -> Callable[[Any], _Batch]:
    """What makes a batch of real images, uint8 (N, 28, 28), a batch of the game."""
    random = keras.random.SeedGenerator(seed)

    def prepare(batch: Any) -> _Batch:
        real = scaled(batch)
        count = keras.ops.shape(real)[0]
        latent = keras.random.normal((count, latent_size), seed=random)
        mixture = keras.random.uniform((count, 1, 1, 1), seed=random)
        return real, latent, mixture

    return prepare


def _loss_of_discriminator(
    generator: keras.Model, discriminator: keras.Model, settings: GanSettings
) -> Callable[[_Batch], Any]:
    between = settings.loss == "wasserstein"

    def loss(batch: _Batch) -> Any:
        real, latent, mixture = batch
        return discriminator_loss(
            discriminator,
            LOSSES[settings.loss],
            real,
            generator(latent, training=True),
            penalty=settings.gradient_penalty,
            mixture=mixture if between else None,
        )

    return loss


def _loss_of_generator(
    generator: keras.Model, discriminator: keras.Model, settings: GanSettings
) -> Callable[[_Batch], Any]:
    def loss(batch: _Batch) -> Any:
        _, latent, _ = batch
        drawn = generator(latent, training=True)
        return LOSSES[settings.loss].generator(discriminator(drawn, training=True))

    return loss


def make_strategy(strategy: Strategy) -> AdversarialOptimizer:
    """The adversarial optimizer that settings name.

    Args:
        strategy: with its type and what that needs.

    Returns:
        A new one.
    """
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
