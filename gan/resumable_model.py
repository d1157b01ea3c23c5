"""A Keras model whose random seeds are saved with its weights, so that training can go on."""

from __future__ import annotations

from typing import Any

import keras


class ResumableModel(keras.Model):  # type: ignore[misc]
    """A model that continues the same random numbers after its weights are saved and loaded."""

    def save_own_variables(self, store: Any) -> None:
        """Keras leaves random seeds out; a training that goes on needs them.

        Args:
            store: of Keras, from names to arrays.
        """
        super().save_own_variables(store)
        for index, seed in enumerate(self._seeds()):
            store[f"seed_{index}"] = seed

    def load_own_variables(self, store: Any) -> None:
        """Bring back what `save_own_variables` kept.

        Args:
            store: of Keras, from names to arrays.
        """
        seeds = {f"seed_{index}": seed for index, seed in enumerate(self._seeds())}
        for name, seed in seeds.items():
            seed.assign(store[name])
        own = set(store.keys()) - set(seeds)
        super().load_own_variables({name: store[name] for name in own})

    def _seeds(self) -> list[Any]:
        others = {id(variable) for variable in [*self.weights, *self.metrics_variables]}
        return [variable for variable in self.variables if id(variable) not in others]
