"""Tests of a generator that follows another slowly."""

import keras
import numpy as np
from keras import layers

from gan.moving_average import MovingAverage


def test_a_moving_average_by_hand() -> None:
    network = keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.BatchNormalization()])
    average = MovingAverage(network, 0.2)
    expected = [weight.astype(float) for weight in network.get_weights()]
    for one, other in zip(expected, average.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    random = np.random.default_rng(3)
    for step in (1, 2, 3, 4, 5):
        network.set_weights([random.normal(0, 1, weight.shape) for weight in expected])
        average.update()
        decay = min(0.2, step / (step + 10))
        expected = [
            decay * one + (1 - decay) * other
            for one, other in zip(expected, network.get_weights(), strict=True)
        ]
        for one, other in zip(expected, average.network.get_weights(), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_a_moving_average_leaves_the_network_it_follows() -> None:
    network = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    before = network.get_weights()
    MovingAverage(network, 0.5).update()
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
