"""Small games for the tests of adversarial training; run as a program, it prints their courses.

In a linear game of n players each owns one number of z, and player i's gradient is (M z)_i.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from gan.adversarial_model import AdversarialModel
from gan.adversarial_optimizers import (
    Alternating,
    Consensus,
    Extragradient,
    Scheduled,
    Simultaneous,
    Unrolled,
)
from gan.keras_gan import GAN
from gan.layers import SpectralDense
from gan.losses import NON_SATURATING, discriminator_loss
from gan.players import AdversarialOptimizer, Player

MakeOptimizer = Callable[[float], keras.optimizers.Optimizer]

BILINEAR = ((0.0, 1.0), (-1.0, 0.0))
STEP = 0.3  # that strategies look ahead
STRATEGIES: dict[str, AdversarialOptimizer] = {
    "simultaneous": Simultaneous(),
    "alternating": Alternating(),
    "alternating reversed": Alternating(reverse=True),
    "scheduled": Scheduled(("1", "0", "1")),
    "unrolled": Unrolled({"0": 2, "1": 1}, STEP),
    "extragradient": Extragradient(STEP),
    "consensus": Consensus(0.7),
}


class Choice(layers.Layer):  # type: ignore[misc]
    """A player's whole strategy: one vector."""

    def __init__(self, start: Any, **options: Any) -> None:
        super().__init__(**options)
        self.vector = self.add_weight(shape=np.shape(start), initializer="zeros", name="vector")
        self.vector.assign(start)
        self.built = True


def game_of(
    starts: Sequence[Any],
    losses: Sequence[Callable[[list[Any]], Any]],
    rates: Sequence[float],
    make_optimizer: MakeOptimizer = keras.optimizers.SGD,
) -> AdversarialModel:
    """A game of players "0", "1", ... whose losses take all their vectors."""
    choices = [Choice(start) for start in starts]

    def loss_of(loss: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
        return lambda _: loss([ops.convert_to_tensor(choice.vector) for choice in choices])

    return AdversarialModel(
        [
            Player(str(index), [choice], loss_of(loss), make_optimizer(rate))
            for index, (choice, loss, rate) in enumerate(zip(choices, losses, rates, strict=True))
        ]
    )


def linear_game(
    matrix: Any,
    start: Sequence[float],
    rates: Sequence[float],
    make_optimizer: MakeOptimizer = keras.optimizers.SGD,
) -> AdversarialModel:
    rows = np.asarray(matrix)

    def loss_of(index: int) -> Callable[[list[Any]], Any]:
        def loss(z: list[Any]) -> Any:
            others = sum(
                float(rows[index, other]) * z[other] for other in range(len(z)) if other != index
            )
            return 0.5 * float(rows[index, index]) * ops.square(z[index]) + z[index] * others

        return loss

    losses = [loss_of(index) for index in range(len(start))]
    return game_of(list(start), losses, rates, make_optimizer)


class Course(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes down all players' weights after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[list[float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.points.append(point_of(self.model).tolist())


def point_of(model: AdversarialModel) -> np.ndarray:
    weights = [weight for player in model.players for weight in player.variables]
    return np.concatenate([ops.convert_to_numpy(weight).ravel() for weight in weights])


def play(
    model: AdversarialModel, strategy: AdversarialOptimizer, steps: int, **options: Any
) -> np.ndarray:
    """The weights after each step."""
    model.compile(strategy, **options)
    return play_on(model, steps)


def play_on(model: AdversarialModel, steps: int) -> np.ndarray:
    """As `play`, with a game that is compiled already."""
    course = Course()
    model.fit(
        np.zeros((steps, 1), "float32"), batch_size=1, shuffle=False, verbose=0, callbacks=[course]
    )
    return np.array(course.points)


# ------------------------------------------------------------------------- a game of two networks

LATENT, WIDTH, COUNT = 3, 4, 8


def numbered_weights(network: keras.Model, seed: int) -> keras.Model:
    """Weights that are the same with every backend."""
    random = np.random.default_rng(seed)
    network.set_weights(
        [random.uniform(0.1, 0.9, weight.shape).astype("float32") for weight in network.weights]
    )
    return network


def tiny_networks(*, normalized: bool = True) -> tuple[keras.Model, keras.Model]:
    """Generator and discriminator of vectors; both keep a state.

    TensorFlow's second derivatives of batch normalization are not exact where its inputs depend on
    weights (`tf.nn.moments` leaves a part out): those of `normalized` discriminators.
    """
    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.BatchNormalization(momentum=0.9),
            layers.Dense(WIDTH, activation="tanh"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((WIDTH,)),
            SpectralDense(5),
            *([layers.BatchNormalization()] if normalized else []),
            layers.LeakyReLU(0.2),
            SpectralDense(1),
        ]
    )
    return numbered_weights(generator, 1), numbered_weights(discriminator, 2)


def tiny_data(batches: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Real vectors and latent ones."""
    random = np.random.default_rng(5)
    real = random.normal(0.5, 0.3, (batches * COUNT, WIDTH)).astype("float32")
    return real, random.normal(0.2, 1, (batches * COUNT, LATENT)).astype("float32")


def tiny_gan_game(
    make_optimizer: MakeOptimizer = keras.optimizers.SGD,
    prepare: Callable[[Any], Any] = lambda batch: batch,
    networks: tuple[keras.Model, keras.Model] | None = None,
) -> AdversarialModel:
    """Players "discriminator" and "generator"; takes real and latent vectors."""
    generator, discriminator = networks or tiny_networks()

    def d_loss(batch: Any) -> Any:
        real, latent = batch
        return discriminator_loss(
            discriminator, NON_SATURATING, real, generator(latent, training=True)
        )

    def g_loss(batch: Any) -> Any:
        drawn = generator(batch[1], training=True)
        return NON_SATURATING.generator(discriminator(drawn, training=True))

    return AdversarialModel(
        [
            Player("discriminator", [discriminator], d_loss, make_optimizer(0.1)),
            Player("generator", [generator], g_loss, make_optimizer(0.1)),
        ],
        prepare,
    )


def tiny_image_networks() -> tuple[keras.Model, keras.Model]:
    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(4, use_bias=False),  # normalization takes any bias back
            layers.BatchNormalization(),
            layers.Dense(28 * 28, activation="tanh"),
            layers.Reshape((28, 28, 1)),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(2, 4, strides=4),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            SpectralDense(1),
        ]
    )
    return generator, discriminator


def gan_step(**options: Any) -> dict[str, Any]:
    """One step of `GAN`: its losses, and whether all of each network's weights moved."""
    keras.utils.set_random_seed(3)
    generator, discriminator = tiny_image_networks()
    model = GAN(generator, discriminator, seed=4)
    model.compile(
        keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), NON_SATURATING, **options
    )

    def weights_now() -> list[list[np.ndarray]]:
        return [
            [ops.convert_to_numpy(weight).copy() for weight in network.trainable_weights]
            for network in (generator, discriminator)
        ]

    before = weights_now()
    images = np.random.default_rng(1).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    history = model.fit(images, batch_size=4, verbose=0).history
    moved = [
        all((old != new).any() for old, new in zip(olds, news, strict=True))
        for olds, news in zip(before, weights_now(), strict=True)
    ]
    return {"losses": {name: values[0] for name, values in history.items()}, "moved": moved}


def gradients_of_discriminator(between: bool) -> list[list[float]]:
    """Gradients of a penalised loss: gradients of gradients, with every backend the same."""
    _, discriminator = tiny_image_networks()
    numbered_weights(discriminator, 7)
    random = np.random.default_rng(6)
    real, drawn = (
        ops.convert_to_tensor(random.uniform(-1, 1, (4, 28, 28, 1)), "float32") for _ in range(2)
    )
    mixture = (
        ops.convert_to_tensor(random.uniform(0, 1, (4, 1, 1, 1)), "float32") if between else None
    )

    def loss(batch: Any) -> Any:
        return discriminator_loss(
            discriminator, NON_SATURATING, *batch, penalty=3.0, mixture=mixture
        )

    model = AdversarialModel([Player("d", [discriminator], loss, keras.optimizers.SGD())])
    moves = model.gradients_of(0, model.values(), (real, drawn))
    return [ops.convert_to_numpy(one).ravel().tolist() for one in moves.gradients]


def courses() -> dict[str, Any]:
    """What is compared between backends."""
    found: dict[str, Any] = {}
    for name, strategy in STRATEGIES.items():
        game = linear_game(BILINEAR, (1.0, 0.5), (0.2, 0.1))
        found[f"bilinear, {name}"] = play(game, strategy, 4, run_eagerly=True).tolist()
        if isinstance(strategy, Scheduled):
            strategy = Scheduled(("discriminator", "generator"))
        elif isinstance(strategy, Unrolled):
            strategy = Unrolled({"generator": 2, "discriminator": 1}, STEP)
        normalized = name not in ("unrolled", "consensus")
        networks = tiny_gan_game(networks=tiny_networks(normalized=normalized))
        networks.compile(strategy, run_eagerly=True)
        networks.fit(*tiny_data(2), batch_size=COUNT, shuffle=False, verbose=0)
        found[f"networks, {name}"] = [
            ops.convert_to_numpy(weight).ravel().tolist()
            for player in networks.players
            for weight in [*player.variables, *player.state]
        ]
    for between in (False, True):
        found[f"penalty, {between}"] = gradients_of_discriminator(between)
    return found


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "courses": courses(),
                "gan": [gan_step(gradient_penalty=1.0, slope_between=b) for b in (False, True)],
            }
        )
    )
