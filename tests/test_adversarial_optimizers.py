"""Tests of who moves when, by which gradient: against moves computed by hand."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from gan.adversarial_optimizers import (
    Alternating,
    Consensus,
    Extragradient,
    Scheduled,
    Simultaneous,
    Unrolled,
)
from gan.players import AdversarialOptimizer
from tests import games
from tests.games import BILINEAR, STEP, STRATEGIES, game_of, linear_game, play, play_on, point_of

ROOT = Path(__file__).resolve().parent.parent
QUADRATIC = ((0.8, 0.5), (-0.3, 1.2))
THREE = ((0.5, 0.7, -0.2), (-0.4, 0.9, 0.3), (0.6, -0.1, 0.4))
GAMES = [
    pytest.param(QUADRATIC, (1.0, -2.0), (0.1, 0.25), id="two players"),
    pytest.param(THREE, (1.0, -2.0, 0.5), (0.1, 0.25, 0.3), id="three players"),
]


def played(
    strategy: AdversarialOptimizer,
    steps: int,
    matrix: Any = BILINEAR,
    start: Sequence[float] = (1.0, 0.0),
    rates: Sequence[float] = (0.2, 0.2),
) -> np.ndarray:
    """The course of a linear game, one row a step."""
    eager = steps < 10
    return play(linear_game(matrix, start, rates), strategy, steps, run_eagerly=eager)


# ------------------------------------------------------------------------- steps by hand


def moved_one_by_one(order: Sequence[int], m: np.ndarray, z: np.ndarray, rates: Any) -> np.ndarray:
    z = z.copy()
    for index in order:
        z[index] -= rates[index] * (m @ z)[index]
    return z


def unrolled_gradient(index: int, depth: int, m: np.ndarray, z: np.ndarray) -> float:
    """Of the player's own loss after its opponents' steps, by the rules of differentiation."""
    ahead, slopes = z.copy(), np.eye(len(z))[index]  # what is ahead, and its derivative by z[index]
    for _ in range(depth):
        others = np.arange(len(z)) != index
        ahead = ahead - STEP * np.where(others, m @ ahead, 0)
        slopes = slopes - STEP * np.where(others, m @ slopes, 0)
    by_opponents = m[index] * ahead[index]
    by_opponents[index] = (m @ ahead)[index]
    return float(by_opponents @ slopes)


@pytest.mark.parametrize(("matrix", "start", "rates"), GAMES)
class TestByHand:
    def test_simultaneous_moves_start_from_the_same_point(
        self, matrix: Any, start: Any, rates: Any
    ) -> None:
        m, z = np.array(matrix), np.array(start)
        for found in played(Simultaneous(), 3, matrix, start, rates):
            z = z - rates * (m @ z)
            np.testing.assert_allclose(found, z, rtol=1e-5)

    @pytest.mark.parametrize("reverse", [False, True])
    def test_alternating_moves_see_those_before(
        self, matrix: Any, start: Any, rates: Any, reverse: bool
    ) -> None:
        m, z = np.array(matrix), np.array(start)
        order = range(len(z))[:: -1 if reverse else 1]
        for found in played(Alternating(reverse), 3, matrix, start, rates):
            z = moved_one_by_one(order, m, z, rates)
            np.testing.assert_allclose(found, z, rtol=1e-5)

    def test_scheduled_moves_one_player_a_step(self, matrix: Any, start: Any, rates: Any) -> None:
        m, z = np.array(matrix), np.array(start)
        turns = [len(z) - 1, 0, 0]
        strategy = Scheduled(tuple(map(str, turns)))
        for step, found in enumerate(played(strategy, 7, matrix, start, rates)):
            z = moved_one_by_one([turns[step % 3]], m, z, rates)
            np.testing.assert_allclose(found, z, rtol=1e-5)

    @pytest.mark.parametrize("depths", [(1, 0), (0, 1), (2, 1), (3, 3)])
    def test_unrolled_gradients_go_through_the_opponents_steps(
        self, matrix: Any, start: Any, rates: Any, depths: tuple[int, int]
    ) -> None:
        m, z = np.array(matrix), np.array(start)
        strategy = Unrolled({"0": depths[0], "1": depths[1]}, STEP)
        all_depths = [*depths, 0][: len(z)]  # 0 where it is not named
        for found in played(strategy, 2, matrix, start, rates):
            gradients = [unrolled_gradient(i, depth, m, z) for i, depth in enumerate(all_depths)]
            z = z - rates * np.array(gradients)
            np.testing.assert_allclose(found, z, rtol=1e-4)

    def test_extragradient_moves_by_gradients_a_step_ahead(
        self, matrix: Any, start: Any, rates: Any
    ) -> None:
        m, z = np.array(matrix), np.array(start)
        for found in played(Extragradient(STEP), 3, matrix, start, rates):
            z = z - rates * (m @ (z - STEP * (m @ z)))
            np.testing.assert_allclose(found, z, rtol=1e-5)

    def test_consensus_also_lowers_all_gradients(self, matrix: Any, start: Any, rates: Any) -> None:
        m, z = np.array(matrix), np.array(start)
        for found in played(Consensus(0.7), 3, matrix, start, rates):
            z = z - rates * (m @ z + 0.7 * m.T @ (m @ z))
            np.testing.assert_allclose(found, z, rtol=1e-4)

    @pytest.mark.parametrize(
        "same", [Unrolled({}), Unrolled({"0": 0, "1": 0}, 9.0), Extragradient(0.0), Consensus(0.0)]
    )
    def test_looking_nowhere_is_simultaneous(
        self, matrix: Any, start: Any, rates: Any, same: AdversarialOptimizer
    ) -> None:
        np.testing.assert_allclose(
            played(same, 3, matrix, start, rates),
            played(Simultaneous(), 3, matrix, start, rates),
            rtol=1e-6,
        )


def test_an_unrolled_step_in_plain_numbers() -> None:
    """x moves by the slope of x^2/2 + x(y - s(y - x)) at x=2, y=3: x + y - s(y - 2x)."""
    found = played(Unrolled({"0": 1}, 0.25), 1, ((1.0, 1.0), (-1.0, 1.0)), (2.0, 3.0), (0.1, 0.1))
    np.testing.assert_allclose(found[-1], [2 - 0.1 * (5 + 0.25), 3 - 0.1 * (3 - 2)], rtol=1e-6)


# ------------------------------------------------------------------------- order and number


class Telling(keras.optimizers.SGD):  # type: ignore[misc]
    """Tells of each move."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__(0.1)
        self.tell = tell

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        self.tell()
        return super().apply(grads, trainable_variables)


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        (Simultaneous(), "012 012 012 012"),
        (Alternating(), "012 012 012 012"),
        (Alternating(reverse=True), "210 210 210 210"),
        (Scheduled(("2", "0", "0")), "2 0 0 2"),
        (Scheduled(("1",)), "1 1 1 1"),
        (Unrolled({"0": 3, "2": 1}), "012 012 012 012"),
        (Extragradient(), "012 012 012 012"),
        (Consensus(), "012 012 012 012"),
    ],
)
def test_each_optimizer_is_applied_once_a_move_in_order(
    strategy: AdversarialOptimizer, order: str
) -> None:
    log: list[str] = []
    names = iter("012")

    def telling(_: float) -> Telling:
        name = next(names)
        return Telling(lambda: log.append(name))

    model = linear_game(THREE, (1.0, 1.0, 1.0), (0.1,) * 3, telling)
    play(model, strategy, 4, run_eagerly=True)
    assert "".join(log) == order.replace(" ", "")


def test_a_schedule_goes_on_where_the_last_fit_ended() -> None:
    model = linear_game(THREE, (1.0, 1.0, 1.0), (0.1,) * 3)
    model.compile(Scheduled(("2", "0", "2", "1")))
    before = point_of(model)
    movers = ""
    for steps in (1, 2, 5, 3):
        for after in play_on(model, steps):
            moved = np.flatnonzero(after != before)
            assert len(moved) == 1
            movers += str(moved[0])
            before = after
    assert movers == "20212021202"
    iterations = [int(player.optimizer.iterations) for player in model.players]
    assert iterations == [3, 2, 6]


def test_a_schedule_of_all_players_is_alternating_spread_over_steps() -> None:
    apart = played(Scheduled(("0", "1")), 8)
    np.testing.assert_allclose(apart[1::2], played(Alternating(), 4), rtol=1e-6)


@pytest.mark.parametrize("name", STRATEGIES)
def test_steps_are_the_same_in_a_graph(name: str) -> None:
    games_of = [linear_game(QUADRATIC, (1.0, -2.0), (0.1, 0.2)) for _ in range(2)]
    courses = [play(game, STRATEGIES[name], 4, run_eagerly=eager)
               for game, eager in zip(games_of, (True, False), strict=True)]  # fmt: skip
    np.testing.assert_allclose(courses[0], courses[1], rtol=1e-6)


# ------------------------------------------------------------------------- reported losses


def losses_of(matrix: Any, z: Any) -> list[float]:
    m, at = np.array(matrix), np.array(z)
    return [
        float(0.5 * m[i, i] * at[i] ** 2 + at[i] * (m[i] @ at - m[i, i] * at[i]))
        for i in range(len(z))
    ]


@pytest.mark.parametrize(
    "strategy", [Simultaneous(), Unrolled({"0": 2}, STEP), Extragradient(STEP), Consensus(0.7)]
)
def test_reported_losses_are_those_before_the_moves(strategy: AdversarialOptimizer) -> None:
    model = linear_game(QUADRATIC, (1.0, -2.0), (0.1, 0.2))
    model.compile(strategy, run_eagerly=True)
    logs = model.train_on_batch(np.zeros((1, 1)), return_dict=True)
    assert [logs["0_loss"], logs["1_loss"]] == pytest.approx(losses_of(QUADRATIC, (1.0, -2.0)))


@pytest.mark.parametrize(
    ("strategy", "second_sees_first"), [(Alternating(), True), (Scheduled(("0", "1")), True)]
)
def test_a_later_players_loss_is_taken_after_earlier_moves(
    strategy: AdversarialOptimizer, second_sees_first: bool
) -> None:
    model = linear_game(QUADRATIC, (1.0, -2.0), (0.1, 0.2))
    model.compile(strategy, run_eagerly=True)
    logs = model.train_on_batch(np.zeros((1, 1)), return_dict=True)
    moved_first = moved_one_by_one([0], np.array(QUADRATIC), np.array([1.0, -2.0]), (0.1, 0.2))
    assert logs["0_loss"] == pytest.approx(losses_of(QUADRATIC, (1.0, -2.0))[0])
    assert logs["1_loss"] == pytest.approx(losses_of(QUADRATIC, moved_first)[1])


# ------------------------------------------------------------------------- famous games


def distances(course: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(course, axis=1))


def test_simultaneous_descent_spirals_out_of_the_bilinear_game() -> None:
    found = distances(played(Simultaneous(), 60))
    np.testing.assert_allclose(found, 1.04 ** (np.arange(1, 61) / 2), rtol=1e-4)


def test_alternating_descent_circles_in_the_bilinear_game() -> None:
    x, y = played(Alternating(), 60).T
    np.testing.assert_allclose(x**2 + y**2 - 0.2 * x * y, 1, rtol=1e-4)


@pytest.mark.parametrize(
    "strategy", [Extragradient(0.5), Consensus(0.5), Unrolled({"0": 1, "1": 1}, 0.25)]
)
def test_strategies_that_look_ahead_converge_in_the_bilinear_game(
    strategy: AdversarialOptimizer,
) -> None:
    """All three shrink the distance by the root of 0.9^2 + 0.2^2 a step."""
    found = distances(played(strategy, 60))
    np.testing.assert_allclose(found, 0.85 ** (np.arange(1, 61) / 2), rtol=1e-3)


def rock_paper_scissors(
    strategy: AdversarialOptimizer, steps: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Both players' mixed strategies at the start and at the end."""
    payoff = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], "float32")
    starts = [np.array([1.0, 0.0, -0.5]), np.array([0.0, 0.3, 0.8])]

    def won(z: list[Any]) -> Any:
        return ops.sum(ops.softmax(z[0]) * ops.matmul(payoff, ops.softmax(z[1])))

    model = game_of(starts, [lambda z: -won(z), won], (0.5, 0.5))
    play(model, strategy, steps)

    def mixed(logits: Any) -> np.ndarray:
        powers = np.exp(np.reshape(logits, (2, 3)))
        return np.asarray(powers / powers.sum(1, keepdims=True))

    return mixed(starts), mixed(point_of(model))


@pytest.mark.parametrize(
    "strategy", [Extragradient(2.0), Consensus(2.0), Unrolled({"0": 1, "1": 1}, 2.0)]
)
def test_rock_paper_scissors_reaches_the_mixed_equilibrium(strategy: AdversarialOptimizer) -> None:
    _, end = rock_paper_scissors(strategy)
    np.testing.assert_allclose(end, 1 / 3, atol=0.01)


def test_rock_paper_scissors_is_not_solved_by_simultaneous_descent() -> None:
    start, end = rock_paper_scissors(Simultaneous())
    assert np.abs(end - 1 / 3).max() > np.abs(start - 1 / 3).max()


def test_unrolling_further_pulls_harder_in_the_bilinear_game() -> None:
    ends = [
        distances(played(Unrolled({"0": depth, "1": depth}, 0.1), 5))[-1] for depth in (0, 1, 2, 3)
    ]
    assert ends == sorted(ends, reverse=True)


# ------------------------------------------------------------------------- gradients that vanish


@pytest.mark.parametrize("name", STRATEGIES)
def test_losses_that_are_straight_or_of_others_alone_are_played(name: str) -> None:
    """The first player's slope is the same everywhere, and the second can do nothing."""
    model = game_of((1.0, 2.0), (lambda z: 3.0 * z[0], lambda z: 2.0 * z[0]), (0.1, 0.1))
    found = play(model, STRATEGIES[name], 2, run_eagerly=True)
    moves = 1 if name == "scheduled" else 2
    np.testing.assert_allclose(found[-1], [1.0 - moves * 0.3, 2.0], rtol=1e-6)


# ------------------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Scheduled(()), "a schedule needs at least one turn"),
        (Scheduled(("0", "critic")), "the schedule names 'critic'; the players are 0, 1"),
        (Unrolled({"judge": 1}), "unrolling names 'judge'; the players are 0, 1"),
        (Unrolled({"0": -1}), "unrolling needs depths of 0 or more"),
    ],
)
def test_strategies_for_other_games_are_refused(
    strategy: AdversarialOptimizer, message: str
) -> None:
    model = linear_game(BILINEAR, (1.0, 1.0), (0.1, 0.1))
    with pytest.raises(ValueError, match=message):
        model.compile(strategy)


# ------------------------------------------------------------------------- PyTorch


@pytest.fixture(scope="module")
def with_torch() -> dict[str, Any]:
    """What `games` prints where Keras runs on PyTorch."""
    if find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.games"],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["backend"] == "torch"
    return found


@pytest.fixture(scope="module")
def with_tensorflow() -> dict[str, Any]:
    return games.courses()


@pytest.mark.parametrize("kind", ["bilinear", "networks"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_games_go_the_same_with_torch(
    with_torch: dict[str, Any], with_tensorflow: dict[str, Any], kind: str, name: str
) -> None:
    ours, theirs = (found[f"{kind}, {name}"] for found in (with_tensorflow, with_torch["courses"]))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("between", [False, True])
def test_penalised_gradients_are_the_same_with_torch(
    with_torch: dict[str, Any], with_tensorflow: dict[str, Any], between: bool
) -> None:
    ours, theirs = (
        found[f"penalty, {between}"] for found in (with_tensorflow, with_torch["courses"])
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("between", [False, True])
def test_a_gan_makes_a_step_with_torch(with_torch: dict[str, Any], between: bool) -> None:
    step = with_torch["gan"][between]
    assert step["moved"] == [True, True]
    assert np.isfinite(list(step["losses"].values())).all()
