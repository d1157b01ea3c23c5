"""A generator that is the moving average of the one that learns."""

from __future__ import annotations

import keras
from keras import ops


class MovingAverage:
    """A second generator that follows the first slowly; it draws better than any single step.

    Early on it follows faster, so that the first weights are soon forgotten.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        """Follow `network`, which is built; `decay` is kept of the average each step."""
        self.network = keras.models.clone_model(network)
        self.network.set_weights(network.get_weights())
        self._source = network
        self._decay = decay
        self.steps = keras.Variable(0.0, trainable=False, name="averaged_steps")

    def update(self) -> None:
        """Move a little towards the network."""
        self.steps.assign(self.steps + 1.0)
        decay = ops.minimum(self._decay, self.steps / (self.steps + 10.0))
        for average, current in zip(self.network.weights, self._source.weights, strict=True):
            if "seed" not in average.path:
                average.assign(decay * average + (1.0 - decay) * current)
