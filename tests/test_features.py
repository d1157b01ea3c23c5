"""Tests of the network that learns to tell classes apart, for a discriminator to look through."""

import math
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from gan.features import (
    STEPS_A_CALL,
    FeatureNetwork,
    build_feature_network,
    train_feature_network,
)
from gan.layers import scaled
from gan.progress import FeatureProgress
from tests.conditional import easy_images

WIDTHS = (4, 3, 2)
STEPS = 2 * STEPS_A_CALL


def new_network(classes: int = 3, seed: int = 1) -> FeatureNetwork:
    keras.utils.set_random_seed(seed)
    return build_feature_network(classes, WIDTHS)


def learn(network: FeatureNetwork, steps: int = STEPS, seed: int = 1, **options: Any) -> bool:
    return train_feature_network(network, *easy_images(), steps, seed, **options)


def first_weights(network: FeatureNetwork) -> np.ndarray:
    return np.array(network.classifier.get_weights()[0])


@pytest.fixture(scope="module")
def told() -> list[FeatureProgress]:
    """What the training of `trained` told."""
    return []


@pytest.fixture(scope="module")
def trained(told: list[FeatureProgress]) -> FeatureNetwork:
    network = new_network()
    assert learn(network, show=told.append) is True
    return network


# ------------------------------------------------------------------------- how it is built


def test_layers_seen_are_three_maps_and_a_vector() -> None:
    images = np.zeros((5, 28, 28, 1), np.float32)
    seen = new_network().layers_seen(images)
    assert [tuple(one.shape) for one in seen] == [
        (5, 14, 14, 4),
        (5, 7, 7, 3),
        (5, 3, 3, 2),
        (5, 128),
    ]


@pytest.mark.parametrize("classes", [2, 3, 47])
def test_a_classifier_gives_a_probability_to_each_class(classes: int) -> None:
    images = np.random.default_rng(1).uniform(-1, 1, (4, 28, 28, 1)).astype("float32")
    found = ops.convert_to_numpy(new_network(classes).classifier(images))
    assert found.shape == (4, classes) and (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


# ------------------------------------------------------------------------- what it learns


def test_easy_classes_are_told_apart(trained: FeatureNetwork) -> None:
    """On images that it never met; one in three would be chance."""
    images, labels = easy_images(each=30, seed=2)
    found = ops.convert_to_numpy(trained.classifier(scaled(images))).argmax(axis=1)
    assert (found == labels).mean() > 0.9


def test_the_first_layer_learns_too(trained: FeatureNetwork) -> None:
    assert not np.allclose(first_weights(trained), first_weights(new_network()), atol=1e-3)


def test_what_is_seen_is_what_the_classifier_has_learnt(trained: FeatureNetwork) -> None:
    """Both are one network: their layers are the same."""
    images = scaled(easy_images()[0])
    before = [ops.convert_to_numpy(one) for one in new_network().layers_seen(images)]
    after = [ops.convert_to_numpy(one) for one in trained.layers_seen(images)]
    for one, other in zip(before, after, strict=True):
        assert not np.allclose(one, other, atol=1e-2)
    kernels = {id(weight) for weight in trained.classifier.weights}
    assert all(id(weight) in kernels for weight in trained.layers_seen.weights)


def test_a_network_that_was_frozen_learns_again() -> None:
    network = new_network()
    network.layers_seen.trainable = False
    before = first_weights(network)
    learn(network, 4)
    assert not np.array_equal(first_weights(network), before)


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_network() -> None:
    ends = []
    for seed in (1, 1, 2):
        network = new_network()
        learn(network, 4, seed)
        ends.append(first_weights(network))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5, atol=1e-6)
    assert not np.allclose(ends[0], ends[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_labels_of_any_whole_numbers_are_learnt_from(kind: Any) -> None:
    images, labels = easy_images()
    assert train_feature_network(new_network(), images, labels.astype(kind), 1, 1)


# ------------------------------------------------------------------------- what it tells


def test_every_call_tells_where_it_stands(
    told: list[FeatureProgress], trained: FeatureNetwork
) -> None:
    assert [(one.step, one.steps) for one in told] == [(STEPS_A_CALL, STEPS), (STEPS, STEPS)]
    assert all(0 <= one.accuracy <= 1 and math.isfinite(one.loss) for one in told)
    assert told[0].loss > told[1].loss and told[0].accuracy < told[1].accuracy
    assert told[0].seconds_left > 0 == told[1].seconds_left


@pytest.mark.parametrize("steps", [1, 7, STEPS_A_CALL + 3])
def test_as_many_steps_are_learnt_from_as_were_asked_for(steps: int) -> None:
    """Also where they are no whole number of the steps that run inside one call."""
    told: list[FeatureProgress] = []
    assert learn(new_network(), steps, show=told.append)
    assert (told[-1].step, told[-1].steps, told[-1].seconds_left) == (steps, steps, 0)


def test_it_stops_when_asked_to() -> None:
    told: list[FeatureProgress] = []
    came_to_its_end = learn(new_network(), show=told.append, should_stop=lambda: True)
    assert came_to_its_end is False
    assert [one.step for one in told] == [STEPS_A_CALL]


def test_a_stop_at_the_last_step_is_its_end() -> None:
    assert learn(new_network(), 4, should_stop=lambda: True) is True
