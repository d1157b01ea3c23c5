"""Tests of a game of players as a Keras model."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
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
from gan.gradients import value_and_gradients
from gan.layers import BatchNormalization
from gan.players import AdversarialOptimizer, Player
from tests.games import (
    COUNT,
    LATENT,
    Choice,
    game_of,
    linear_game,
    numbered_weights,
    tiny_data,
    tiny_gan_game,
    tiny_networks,
)

QUADRATIC = ((0.8, 0.5), (-0.3, 1.2))
TURNS = ("discriminator", "discriminator", "generator")
ALL_MOVE = [
    Simultaneous(),
    Alternating(),
    Alternating(reverse=True),
    Unrolled({"discriminator": 1}, 0.1),
    Extragradient(0.1),
    Consensus(0.1),
]


def nothing(_: Any) -> Any:
    return ops.zeros(())


def fit(model: AdversarialModel, steps: int, first: int = 0, **options: Any) -> dict[str, Any]:
    """Trains on the steps from `first` on of a fixed order of batches."""
    real, latent = tiny_data(12)
    rows = slice(first * COUNT, (first + steps) * COUNT)
    options = {"batch_size": COUNT, "shuffle": False, "verbose": 0, **options}
    history: dict[str, Any] = model.fit(real[rows], latent[rows], **options).history
    return history


def weights_of(model: AdversarialModel) -> list[list[np.ndarray]]:
    """All weights of each player's networks, moving or not."""
    return [player.networks[0].get_weights() for player in model.players]


def changed(before: list[np.ndarray], after: list[np.ndarray]) -> list[bool]:
    return [one.tobytes() != other.tobytes() for one, other in zip(before, after, strict=True)]


# ------------------------------------------------------------------------- who moves, who does not


@pytest.mark.parametrize("strategy", ALL_MOVE)
def test_every_weight_and_state_moves_where_every_player_does(
    strategy: AdversarialOptimizer,
) -> None:
    model = tiny_gan_game()
    model.compile(strategy, run_eagerly=True)
    before = weights_of(model)
    fit(model, 1)
    moved = [changed(*pair) for pair in zip(before, weights_of(model), strict=True)]
    discriminator, generator = moved
    assert discriminator.count(False) <= 1  # the bias before normalization has no slope
    assert all(generator)


def test_a_player_moves_in_its_turns_and_keeps_every_bit_in_others() -> None:
    model = tiny_gan_game()
    model.compile(Scheduled(TURNS))
    for step in range(6):
        before = weights_of(model)
        fit(model, 1, step)
        moved = [any(changed(*pair)) for pair in zip(before, weights_of(model), strict=True)]
        assert moved == ([False, True] if step % 3 == 2 else [True, False])


def test_a_players_optimizer_keeps_its_state_in_others_turns() -> None:
    model = tiny_gan_game(keras.optimizers.Adam)
    model.compile(Scheduled(TURNS))
    for step in range(6):
        before = [[v.numpy() for v in player.optimizer.variables] for player in model.players]
        fit(model, 1, step)
        after = [[v.numpy() for v in player.optimizer.variables] for player in model.players]
        moved = [any(changed(*pair)) for pair in zip(before, after, strict=True)]
        assert moved == ([False, True] if step % 3 == 2 else [True, False])


@pytest.mark.parametrize(
    ("strategy", "moves"), [*((strategy, 3) for strategy in ALL_MOVE), (Scheduled(TURNS), 1)]
)
def test_moving_averages_are_updated_once_by_a_players_own_move_and_by_no_other(
    strategy: AdversarialOptimizer, moves: int
) -> None:
    """The generator's first layer normalizes the latent vectors, whose means are known."""
    model = tiny_gan_game()
    model.compile(strategy, run_eagerly=True)
    (generator,) = model.players[1].networks
    expected = generator.layers[0].moving_mean.numpy()
    fit(model, 3)
    latent = tiny_data(12)[1].reshape(-1, COUNT, LATENT)[:3]
    for batch in latent[2:3] if moves == 1 else latent:
        expected = 0.9 * expected + 0.1 * batch.mean(0)
    np.testing.assert_allclose(generator.layers[0].moving_mean.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("with_networks", [False, True])
def test_what_players_do_is_unknown_to_a_game_that_is_only_looked_at(with_networks: bool) -> None:
    model = tiny_gan_game() if with_networks else linear_game(QUADRATIC, (1.0, 2.0), (0.1, 0.1))
    before = weights_of(model)
    batch = tuple(ops.convert_to_tensor(part) for part in tiny_data())
    for index in range(2):
        model.gradients_of(index, model.values(), batch)
        model.loss_of(index, model.values(), batch)
    assert not any(any(changed(*pair)) for pair in zip(before, weights_of(model), strict=True))


def test_values_are_not_changed_by_later_moves() -> None:
    model = linear_game(QUADRATIC, (1.0, 2.0), (0.1, 0.1))
    values = model.values()
    model.players[0].variables[0].assign(5.0)
    assert float(ops.convert_to_numpy(values[0][0])) == 1.0


# ------------------------------------------------------------------------- gradients of networks


def test_gradients_of_networks_are_those_of_finite_differences() -> None:
    model = tiny_gan_game()
    batch = tuple(ops.convert_to_tensor(part) for part in tiny_data())
    for _ in range(60):  # the derivative of a spectral norm is that of an exact one
        model.players[0].networks[0](batch[0], training=True)
    random = np.random.default_rng(3)
    for index in range(2):
        values = model.values()
        move = model.gradients_of(index, values, batch)
        ways = [random.normal(0, 1, one.shape).astype("float32") for one in values[index]]

        def loss_at(
            distance: float, index: int = index, values: Any = values, ways: Any = ways
        ) -> float:
            moved = list(values)
            moved[index] = [
                one + distance * way for one, way in zip(values[index], ways, strict=True)
            ]
            return float(model.loss_of(index, moved, batch)[0])

        slope = sum(float(ops.sum(g * w)) for g, w in zip(move.gradients, ways, strict=True))
        assert slope == pytest.approx((loss_at(2e-3) - loss_at(-2e-3)) / 4e-3, rel=0.02, abs=1e-3)


def rows_game() -> AdversarialModel:
    """One player chooses rows of a table, whose gradients TensorFlow keeps sparse."""
    table = layers.Embedding(4, 2)
    table.build()
    keras.utils.set_random_seed(1)
    table.set_weights([np.arange(8, dtype="float32").reshape(4, 2)])
    other = Choice([1.0, -1.0])

    def loss(sign: float) -> Callable[[Any], Any]:
        return lambda _: (
            sign
            * ops.sum(
                ops.square(table(ops.convert_to_tensor([1, 3])))
                * ops.convert_to_tensor(other.vector)
            )
        )

    return AdversarialModel(
        [
            Player("table", [table], loss(1.0), keras.optimizers.SGD(0.1)),
            Player("other", [other], loss(-1.0), keras.optimizers.SGD(0.1)),
        ]
    )


@pytest.mark.parametrize("strategy", [Simultaneous(), Consensus(0.1), Unrolled({"other": 1}, 0.1)])
def test_players_may_look_rows_up(strategy: AdversarialOptimizer) -> None:
    model = rows_game()
    model.compile(strategy, run_eagerly=True)
    model.fit(np.zeros((1, 1)), verbose=0)
    moved = model.players[0].variables[0].numpy() != np.arange(8).reshape(4, 2)
    assert moved.all(1).tolist() == [False, True, False, True]


def test_the_same_layer_named_twice_is_moved_once() -> None:
    choice = Choice([1.0])
    player = Player(
        "one",
        [choice, choice],
        lambda _: ops.sum(ops.square(choice.vector)),
        keras.optimizers.SGD(0.1),
    )
    model = AdversarialModel([player])
    model.compile(Simultaneous(), run_eagerly=True)
    model.fit(np.zeros((1, 1)), verbose=0)
    np.testing.assert_allclose(choice.vector.numpy(), [0.8])


def test_second_derivatives_through_batch_normalization_are_exact() -> None:
    network = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3), BatchNormalization(), layers.Dense(1)]
    )
    numbered_weights(network, 1)
    data = ops.convert_to_tensor(np.random.default_rng(1).normal(2, 1, (6, 2)), "float32")
    shares = ops.convert_to_tensor([[3.0], [0.0], [1.0], [0.0], [0.0], [2.0]])

    def loss(_: Any) -> Any:
        return ops.mean(shares * ops.square(network(data, training=True)))

    model = AdversarialModel([Player("one", [network], loss, keras.optimizers.SGD())])
    kernel, *others = model.values()[0]

    def half_squares(points: list[Any]) -> Any:
        move = model.gradients_of(0, [[*points, *others]], None, differentiable=True)
        return 0.5 * sum(ops.sum(ops.square(one)) for one in move.gradients)

    _, (found,) = value_and_gradients(half_squares, [kernel])
    slopes = np.zeros((2, 3))
    for place in np.ndindex(2, 3):
        step = np.zeros((2, 3), "float32")
        step[place] = 3e-3
        slopes[place] = float(half_squares([kernel + step]) - half_squares([kernel - step])) / 6e-3
    np.testing.assert_allclose(ops.convert_to_numpy(found), slopes, atol=0.02 * abs(slopes).max())


# ------------------------------------------------------------------------- players that do not fit


def player(name: str, *networks: keras.layers.Layer, optimizer: Any = None) -> Player:
    return Player(name, networks, nothing, optimizer or keras.optimizers.SGD())


def test_players_that_share_a_weight_are_refused() -> None:
    shared = Choice([1.0], name="shared")
    with pytest.raises(ValueError, match=r"'one' and 'two' share the weight '.*vector'"):
        AdversarialModel([player("one", shared), player("two", Choice([2.0]), shared)])


def test_players_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="a name of its own, not one, two, one"):
        AdversarialModel([player(name, Choice([1.0])) for name in ("one", "two", "one")])


@pytest.mark.parametrize("networks", [(), (layers.Flatten(),), (layers.Dense(2),)])
def test_players_without_weights_are_refused(networks: tuple[keras.layers.Layer, ...]) -> None:
    with pytest.raises(ValueError, match="'one' has no weights to move; build it first"):
        AdversarialModel([player("one", *networks)])


def test_players_that_share_an_optimizer_are_refused() -> None:
    optimizer = keras.optimizers.SGD()
    with pytest.raises(ValueError, match="an optimizer of its own"):
        AdversarialModel(
            [player(name, Choice([1.0]), optimizer=optimizer) for name in ("one", "two")]
        )


def test_a_game_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one player"):
        AdversarialModel([])


def test_a_game_cannot_be_called() -> None:
    with pytest.raises(NotImplementedError, match="call the players' networks"):
        linear_game(QUADRATIC, (1.0, 2.0), (0.1, 0.1)).call(None)


# ------------------------------------------------------------------------- a Keras model


def test_metrics_are_each_players_mean_loss_over_an_epoch() -> None:
    choice = Choice(0.0)
    model = AdversarialModel(
        [
            Player("mean", [choice], lambda batch: ops.mean(batch) + 0.0 * choice.vector,
                   keras.optimizers.SGD()),
            player("zero", Choice(0.0)),
        ]
    )  # fmt: skip
    model.compile(Simultaneous())
    history = model.fit(
        np.array([[1.0], [2.0], [6.0], [8.0]]), batch_size=2, epochs=2, verbose=0
    ).history
    assert history == {"mean_loss": pytest.approx([4.25, 4.25]), "zero_loss": [0.0, 0.0]}


def test_callbacks_see_the_losses_and_can_stop_the_training() -> None:
    seen: list[dict[str, float]] = []

    class Stop(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(dict(logs))
            self.model.stop_training = len(seen) == 3

    model = tiny_gan_game()
    model.compile(Alternating())
    fit(model, 6, callbacks=[Stop()])
    assert len(seen) == 3
    assert all(set(logs) == {"discriminator_loss", "generator_loss"} for logs in seen)


def test_each_step_is_prepared_once_and_followed_by_a_call() -> None:
    calls: list[str] = []
    choices = [Choice(1.0), Choice(2.0)]

    def prepare(batch: Any) -> Any:
        calls.append("prepare")
        return batch * 2

    def loss(index: int) -> Callable[[Any], Any]:
        def at(batch: Any) -> Any:
            calls.append(str(index))
            return ops.mean(batch) * choices[index].vector

        return at

    model = AdversarialModel(
        [Player(str(i), [choices[i]], loss(i), keras.optimizers.SGD(0.1)) for i in range(2)],
        prepare,
        lambda: calls.append("after"),
    )
    model.compile(Alternating(), run_eagerly=True)
    model.fit(np.full((2, 1), 3.0), batch_size=1, verbose=0)
    assert calls == ["prepare", "0", "1", "after"] * 2
    np.testing.assert_allclose(
        [float(c.vector) for c in choices], [1 - 2 * 0.6, 2 - 2 * 0.6], rtol=1e-6
    )


@pytest.mark.parametrize("strategy", [Scheduled(TURNS), Alternating()])
def test_several_steps_a_call_give_the_same_result(strategy: AdversarialOptimizer) -> None:
    ends = []
    for steps_per_execution in (1, 3):
        model = tiny_gan_game(keras.optimizers.Adam)
        model.compile(strategy, steps_per_execution=steps_per_execution)
        history = fit(model, 8)
        ends.append([*itertools.chain(*weights_of(model)), *map(np.array, history.values())])
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


class RandomLatent(layers.Layer):  # type: ignore[misc]
    """Adds noise to the latent vectors of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.seed = keras.random.SeedGenerator(6)

    def call(self, batch: Any) -> Any:
        real, latent = batch
        return real, latent + keras.random.normal(ops.shape(latent), seed=self.seed)


def networks_with_dropout() -> tuple[keras.Model, keras.Model]:
    generator, discriminator = tiny_networks()
    generator = keras.Sequential([*generator.layers, layers.Dropout(0.2, seed=3)])
    generator.build((None, LATENT))
    return generator, discriminator


@pytest.mark.parametrize(
    ("strategy", "random"),
    [(Scheduled(TURNS), False), (Scheduled(TURNS), True), (Simultaneous(), False)],
)
def test_a_saved_training_goes_on_as_if_never_interrupted(
    strategy: AdversarialOptimizer, random: bool, tmp_path: Path
) -> None:
    def make() -> AdversarialModel:
        model = (
            tiny_gan_game(keras.optimizers.Adam, RandomLatent(), networks_with_dropout())
            if random
            else tiny_gan_game(keras.optimizers.Adam)
        )
        model.compile(strategy)
        return model

    whole, second = make(), make()
    fit(whole, 4)
    whole.save_weights(tmp_path / "game.weights.h5")
    second.load_weights(tmp_path / "game.weights.h5")
    assert int(second.steps) == 4
    expected_losses = fit(whole, 5, 4)
    losses = fit(second, 5, 4)
    for name, values in expected_losses.items():
        assert losses[name] == pytest.approx(values, rel=1e-6)
    for one, other in zip(weights_of(whole), weights_of(second), strict=True):
        for expected, found in zip(one, other, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    for mine, theirs in zip(whole.players, second.players, strict=True):
        assert int(mine.optimizer.iterations) == int(theirs.optimizer.iterations)


def test_a_game_can_be_compiled_again_with_another_strategy() -> None:
    model = linear_game(QUADRATIC, (1.0, 2.0), (0.1, 0.1))
    for strategy in (Simultaneous(), Scheduled(("1",))):
        model.compile(strategy, run_eagerly=True)
        model.fit(np.zeros((2, 1)), batch_size=1, verbose=0)
    assert [int(player.optimizer.iterations) for player in model.players] == [2, 4]


def test_one_player_alone_descends() -> None:
    model = game_of([[3.0, -1.0]], [lambda z: ops.sum(ops.square(z[0]))], [0.1])
    model.compile(Alternating(), run_eagerly=True)
    model.fit(np.zeros((2, 1)), batch_size=1, verbose=0)
    np.testing.assert_allclose(model.players[0].variables[0].numpy(), [1.92, -0.64], rtol=1e-6)
