"""Adversarial optimizers: which player moves when, and by which gradient.

Each player's own Keras optimizer makes the moves; what is decided here is their order and where
the gradients are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from gan.gradients import value_and_gradients
from gan.players import Game, Gradients, Losses, Player, Values


def _move_all(model: Game, moves: Sequence[Gradients]) -> Losses:
    """All gradients are there before the first player moves."""
    for move in moves:
        model.move(move)
    return {move.index: move.loss for move in moves}


def _all_gradients(
    model: Game, values: Values, batch: Any, *, differentiable: bool = False
) -> list[Gradients]:
    return [
        model.gradients_of(index, values, batch, differentiable=differentiable)
        for index in range(len(model.players))
    ]


def _check_names(names: Sequence[str], players: Sequence[Player], what: str) -> None:
    known = [player.name for player in players]
    for name in names:
        if name not in known:
            raise ValueError(f"{what} names {name!r}; the players are {', '.join(known)}")


@dataclass(frozen=True)
class Simultaneous:
    """Every player moves each step, all by gradients at the same point."""

    def check(self, players: Sequence[Player]) -> None:
        """See `AdversarialOptimizer`; fits every game."""

    def step(self, model: Game, batch: Any) -> Losses:
        """See `AdversarialOptimizer`."""
        return _move_all(model, _all_gradients(model, model.values(), batch))


@dataclass(frozen=True)
class Alternating:
    """Every player moves each step, one after the other; each sees the moves before its own.

    Attributes:
        reverse: the last player moves first.
    """

    reverse: bool = False

    def check(self, players: Sequence[Player]) -> None:
        """See `AdversarialOptimizer`; fits every game."""

    def step(self, model: Game, batch: Any) -> Losses:
        """See `AdversarialOptimizer`."""
        order = range(len(model.players))
        losses: dict[int, Any] = {}
        for index in reversed(order) if self.reverse else order:
            losses |= _move_all(model, [model.gradients_of(index, model.values(), batch)])
        return losses


@dataclass(frozen=True)
class Scheduled:
    """One player moves each step, by a list of turns that begins again at its end.

    Attributes:
        schedule: names of players; the first moves in the first step.
    """

    schedule: tuple[str, ...]

    def check(self, players: Sequence[Player]) -> None:
        """See `AdversarialOptimizer`; the schedule must name players of the game, at least one."""
        if not self.schedule:
            raise ValueError("a schedule needs at least one turn")
        _check_names(self.schedule, players, "the schedule")

    def step(self, model: Game, batch: Any) -> Losses:
        """See `AdversarialOptimizer`; players that do not move report their loss all the same."""
        names = [player.name for player in model.players]
        turns = ops.convert_to_tensor([names.index(name) for name in self.schedule], "int32")
        turn = ops.take(turns, ops.mod(model.steps.value, len(self.schedule)))
        losses: dict[int, Any] = {}
        for index in range(len(names)):
            losses[index] = ops.cond(
                ops.equal(turn, index),
                lambda index=index: _move_all(
                    model, [model.gradients_of(index, model.values(), batch)]
                )[index],
                lambda index=index: model.loss_of(index, model.values(), batch)[0],
            )
        return losses


@dataclass(frozen=True)
class Unrolled:
    """Each player looks some gradient steps of its opponents ahead (Metz et al. 2017).

    The opponents' steps are plain gradient steps, through which the player's gradient goes; then
    all players move at once. Depth 0 is `Simultaneous`.

    Attributes:
        depths: steps that each player looks ahead, by its name; 0 where it is not named.
        step_size: of the steps that are looked ahead.
    """

    depths: Mapping[str, int]
    step_size: float = 0.01

    def check(self, players: Sequence[Player]) -> None:
        """See `AdversarialOptimizer`; depths must name players of the game, and be 0 or more."""
        _check_names(list(self.depths), players, "unrolling")
        if min(self.depths.values(), default=0) < 0:
            raise ValueError("unrolling needs depths of 0 or more")

    def step(self, model: Game, batch: Any) -> Losses:
        """See `AdversarialOptimizer`."""
        moves = [
            self._gradients(model, index, player, batch)
            for index, player in enumerate(model.players)
        ]
        return _move_all(model, moves)

    def _gradients(self, model: Game, index: int, player: Player, batch: Any) -> Gradients:
        values = model.values()
        depth = self.depths.get(player.name, 0)
        if depth == 0:
            return model.gradients_of(index, values, batch)
        now: list[Any] = []
        state: list[Any] = []

        def loss_ahead(own: list[Any]) -> Any:
            ahead = [*values[:index], own, *values[index + 1 :]]
            loss, state[:] = model.loss_of(index, ahead, batch)
            now[:] = [loss]
            for _ in range(depth):
                ahead = self._opponents_moved(model, index, ahead, batch)
            return model.loss_of(index, ahead, batch)[0]

        _, gradients = value_and_gradients(loss_ahead, values[index])
        return Gradients(index, now[0], gradients, state)

    def _opponents_moved(self, model: Game, index: int, values: Values, batch: Any) -> Values:
        moved = list(values)
        for other in range(len(values)):
            if other != index:
                there = model.gradients_of(other, values, batch, differentiable=True)
                moved[other] = _descended(values[other], there.gradients, self.step_size)
        return moved


def _descended(values: Sequence[Any], gradients: Sequence[Any], step_size: float) -> list[Any]:
    return [value - step_size * gradient for value, gradient in zip(values, gradients, strict=True)]


@dataclass(frozen=True)
class Extragradient:
    """Players move by the gradients at the point that a first step would lead to.

    Korpelevich 1976; for GANs Gidel et al. 2019.

    Attributes:
        step_size: of the first step, which all players take at once and take back.
    """

    step_size: float = 0.01

    def check(self, players: Sequence[Player]) -> None:
        """See `AdversarialOptimizer`; fits every game."""

    def step(self, model: Game, batch: Any) -> Losses:
        """See `AdversarialOptimizer`."""
        values = model.values()
        here = _all_gradients(model, values, batch)
        ahead = [
            _descended(own, there.gradients, self.step_size)
            for own, there in zip(values, here, strict=True)
        ]
        moves = _all_gradients(model, ahead, batch)
        for move in moves:
            model.move(move)
        return {first.index: first.loss for first in here}


@dataclass(frozen=True)
class Consensus:
    """Players also lower the length of all gradients together (Mescheder et al. 2017).

    Attributes:
        weight: of half the sum of squares of all players' gradients.
    """

    weight: float = 0.1

    def check(self, players: Sequence[Player]) -> None:
        """See `AdversarialOptimizer`; fits every game."""

    def step(self, model: Game, batch: Any) -> Losses:
        """See `AdversarialOptimizer`."""
        values = model.values()
        sizes = [len(own) for own in values]
        moves: list[Gradients] = []

        def half_squares(flat: list[Any]) -> Any:
            moves[:] = _all_gradients(model, _grouped(flat, sizes), batch, differentiable=True)
            squares = [ops.sum(ops.square(one)) for move in moves for one in move.gradients]
            return 0.5 * sum(squares)

        flat = [value for own in values for value in own]
        _, pulls = value_and_gradients(half_squares, flat)
        return _move_all(
            model,
            [
                Gradients(
                    move.index,
                    move.loss,
                    [
                        gradient + self.weight * pull
                        for gradient, pull in zip(move.gradients, pull_group, strict=True)
                    ],
                    move.state,
                )
                for move, pull_group in zip(moves, _grouped(pulls, sizes), strict=True)
            ],
        )


def _grouped(flat: Sequence[Any], sizes: Sequence[int]) -> Values:
    rest = list(flat)
    groups = []
    for size in sizes:
        groups.append(rest[:size])
        rest = rest[size:]
    return groups
