"""Players of a game: who they are, what they would move by, and what decides who moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import keras

Tensor: TypeAlias = Any  # of the backend; no checker knows it
Values: TypeAlias = list[list[Tensor]]  # of each player's weights, in the order of `variables`
Losses: TypeAlias = Mapping[int, Any]  # of the players that moved, by their index


@dataclass(frozen=True, eq=False)
class Player:
    """One who moves its own weights to lower its own loss.

    Attributes:
        name: of its metric.
        networks: the layers or models whose trainable weights it moves; no other player has them.
        loss: from a prepared batch to a scalar; may use every player's networks.
        optimizer: turns its gradients into moves.
    """

    name: str
    networks: Sequence[keras.layers.Layer]
    loss: Callable[[Any], Tensor]
    optimizer: keras.optimizers.Optimizer

    @property
    def variables(self) -> list[Any]:
        """The trainable weights it moves, each once."""
        weights = [weight for network in self.networks for weight in network.trainable_variables]
        return list({id(weight): weight for weight in weights}.values())

    @property
    def state(self) -> list[Any]:
        """What its networks keep beside weights, such as moving averages of normalization."""
        return [weight for network in self.networks for weight in network.non_trainable_variables]


@dataclass(frozen=True, eq=False)
class Gradients:
    """What a player would move by.

    Attributes:
        index: of the player.
        loss: scalar.
        gradients: one a weight of the player.
        state: new values of the player's `state`, None where unchanged.
    """

    index: int
    loss: Tensor
    gradients: list[Tensor]
    state: list[Any]


class Game(Protocol):
    """What an adversarial optimizer sees of a game, and may do in it; see `AdversarialModel`."""

    steps: keras.Variable

    @property
    def players(self) -> Sequence[Player]:
        """The players, in the order of their moves."""

    def values(self) -> Values:
        """Every player's weights as they are.

        Returns:
            For each player, in their order, a tensor for each of its variables.
        """

    def loss_of(self, index: int, values: Values, batch: Any) -> tuple[Tensor, list[Any]]:
        """A player's loss where all players' weights have given values.

        Args:
            index: of the player.
            values: of every player's weights, in the order of the players.
            batch: what the loss is computed on.

        Returns:
            The loss, a number; what the player's state becomes.
        """

    def gradients_of(
        self, index: int, values: Values, batch: Any, *, differentiable: bool = False
    ) -> Gradients:
        """A player's loss, with its gradients with respect to its own weights.

        Args:
            index: of the player.
            values: of every player's weights, in the order of the players.
            batch: what the loss is computed on.
            differentiable: whether gradients can be taken of the gradients.

        Returns:
            The loss, the gradients, and what the player's state becomes.
        """

    def move(self, move: Gradients) -> None:
        """Let a player's optimizer move its weights.

        Args:
            move: of one player.
        """


class AdversarialOptimizer(Protocol):
    """Decides who moves when."""

    def check(self, players: Sequence[Player]) -> None:
        """Say whether it fits a game.

        Args:
            players: of the game.

        Raises:
            ValueError: it names players that are not there, or the like.
        """

    def step(self, model: Game, batch: Any) -> Losses:
        """Move the players by one step.

        Args:
            model: the game.
            batch: prepared.

        Returns:
            The loss of each player that moved, before its move, by its index.
        """
