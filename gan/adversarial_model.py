"""A game of players as a Keras model: who plays, with which weights, for which loss.

    model = AdversarialModel([Player("discriminator", [d], d_loss, Adam()), ...], prepare)
    model.compile(Alternating())
    model.fit(images)

Any number of players. Who moves when is decided by an adversarial optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from gan.gradients import apply_gradients, assign_state, evaluated_at, value_and_gradients
from gan.players import AdversarialOptimizer, Gradients, Player, Tensor, Values
from gan.resumable_model import ResumableModel


class AdversarialModel(ResumableModel):
    """Players that train against each other.

    Each step, `prepare` makes of a batch what the losses take (a GAN draws its latent vectors
    there, so that all players of a move see the same), and the adversarial optimizer moves the
    players. The metrics are the players' losses, each the mean over an epoch.
    """

    def __init__(
        self,
        players: Sequence[Player],
        prepare: Callable[[Any], Any] = lambda batch: batch,
        after_step: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        """Make a game.

        Args:
            players: one or more, in the order of their moves; their networks are built.
            prepare: makes of a batch what the losses take. The random seeds of one that is a Keras
                layer are saved with the weights.
            after_step: called at the end of each step, to move averages, for example.
            **options: of `keras.Model`.

        Raises:
            ValueError: two players have the same name or share weights or an optimizer.
        """
        super().__init__(**options)
        _check_players(players)
        self._players = list(players)
        self.prepare = prepare
        self.after_step = after_step
        # Lists of layers, optimizers and metrics are tracked, and saved with the weights.
        self.networks = [network for player in players for network in player.networks]
        self.player_optimizers = [player.optimizer for player in players]
        self.steps = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="steps"
        )
        self._means = [keras.metrics.Mean(name=f"{player.name}_loss") for player in players]
        self.built = True

    @property
    def players(self) -> Sequence[Player]:
        """The players, in the order of their moves."""
        return tuple(self._players)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """One mean loss a player."""
        return list(self._means)

    def compile(self, adversarial_optimizer: AdversarialOptimizer, **options: Any) -> None:
        """Choose who moves when.

        Args:
            adversarial_optimizer: see `adversarial_optimizers`.
            **options: of `keras.Model.compile`, such as `steps_per_execution`.

        Raises:
            ValueError: it does not fit the players.
        """
        super().compile(optimizer=None, **{"jit_compile": False, **options})
        adversarial_optimizer.check(self.players)
        self.adversarial_optimizer = adversarial_optimizer
        for player in self._players:
            player.optimizer.build(player.variables)

    def call(self, inputs: Any) -> Any:
        """A game is trained with `fit`; its networks are called one by one.

        Args:
            inputs: anything.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("call the players' networks, not the game")

    def train_step(self, data: Any) -> dict[str, Any]:
        """Play one step; see `keras.Model.train_step`."""
        losses = self.adversarial_optimizer.step(self, self.prepare(data))
        for index, loss in losses.items():
            self._means[index].update_state(loss)
        self.steps.assign(self.steps + 1)
        self.after_step()
        return {metric.name: metric.result() for metric in self._means}

    def values(self) -> Values:
        """Every player's weights as they are, as tensors that later moves do not change.

        Returns:
            For each player, in their order, a tensor for each of its variables.
        """
        return [
            [ops.copy(ops.stop_gradient(weight.value)) for weight in player.variables]
            for player in self._players
        ]

    def loss_of(self, index: int, values: Values, batch: Any) -> tuple[Tensor, list[Any]]:
        """A player's loss where all players' weights have given values; nothing is changed.

        Args:
            index: of the player.
            values: of all players' weights.
            batch: prepared.

        Returns:
            The loss, and the new value of each of the player's `state` (None where unchanged).
        """
        mapping = [
            pair
            for player, given in zip(self._players, values, strict=True)
            for pair in zip(player.variables, given, strict=True)
        ]
        player = self._players[index]
        return evaluated_at(lambda: player.loss(batch), mapping, player.state)

    def gradients_of(
        self, index: int, values: Values, batch: Any, *, differentiable: bool = False
    ) -> Gradients:
        """A player's loss, with its gradients with respect to its own weights.

        Args:
            index: of the player.
            values: of all players' weights.
            batch: prepared.
            differentiable: whether gradients of the result will be asked for.

        Returns:
            The loss, the gradients, and what the player's state becomes.
        """
        state: list[Any] = []

        def loss_at(own: list[Tensor]) -> Tensor:
            loss, state[:] = self.loss_of(
                index, [*values[:index], own, *values[index + 1 :]], batch
            )
            return loss

        loss, gradients = value_and_gradients(loss_at, values[index], differentiable=differentiable)
        return Gradients(index, loss, gradients, state)

    def move(self, move: Gradients) -> None:
        """Let a player's optimizer move its weights, and keep the state that came with it.

        Args:
            move: of one player.
        """
        player = self._players[move.index]
        apply_gradients(player.optimizer, move.gradients, player.variables)
        assign_state(player.state, move.state)


def _check_players(players: Sequence[Player]) -> None:
    if not players:
        raise ValueError("a game needs at least one player")
    names = [player.name for player in players]
    if len(set(names)) < len(names):
        raise ValueError(f"each player needs a name of its own, not {', '.join(names)}")
    if len({id(player.optimizer) for player in players}) < len(names):
        raise ValueError("each player needs an optimizer of its own")
    owners: dict[int, str] = {}
    for player in players:
        if not player.variables:
            raise ValueError(f"the player {player.name!r} has no weights to move; build it first")
        for weight in player.variables:
            owner = owners.setdefault(id(weight), player.name)
            if owner != player.name:
                raise ValueError(
                    f"the players {owner!r} and {player.name!r} share the weight {weight.path!r}"
                )
