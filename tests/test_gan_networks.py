"""Tests of generators and discriminators."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from gan.networks import (
    build_convolutional_discriminator,
    build_convolutional_generator,
    build_mlp_discriminator,
    build_mlp_generator,
)

IMAGES = np.random.default_rng(1).uniform(-1, 1, (5, 28, 28, 1)).astype("float32")


@pytest.mark.parametrize(
    "generator",
    [
        lambda: build_mlp_generator(6, [5, 4]),
        lambda: build_mlp_generator(6, []),
        lambda: build_convolutional_generator(6, [4, 3, 2]),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_generators_draw_images_in_range(generator: Callable[[], Any], training: bool) -> None:
    network = generator()
    assert network.input_shape == (None, 6)
    assert network.output_shape == (None, 28, 28, 1)
    latent = np.random.default_rng(2).normal(0, 50, (3, 6)).astype("float32")
    drawn = ops.convert_to_numpy(network(latent, training=training))
    assert (drawn.shape, drawn.dtype) == ((3, 28, 28, 1), np.float32)
    assert np.abs(drawn).max() <= 1
    assert not np.allclose(drawn[0], drawn[1])


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(
    ("build", "widths"),
    [
        (build_mlp_discriminator, [6, 5]),
        (build_mlp_discriminator, []),
        (build_convolutional_discriminator, [3, 4]),
    ],
)
def test_discriminators_give_one_score_an_image(
    build: Callable[..., Any], widths: list[int], spectral: bool
) -> None:
    network = build(widths, spectral_normalization=spectral)
    assert network.input_shape == (None, 28, 28, 1)
    assert network.output_shape == (None, 1)
    scores = ops.convert_to_numpy(network(IMAGES))
    assert (scores.shape, scores.dtype) == ((5, 1), np.float32)
    assert len(np.unique(scores)) == 5


def test_a_spectral_discriminator_changes_no_faster_than_its_images() -> None:
    keras.utils.set_random_seed(1)
    network = build_mlp_discriminator([8, 6], spectral_normalization=True)
    network.set_weights([30 * weight for weight in network.get_weights()])
    for _ in range(50):
        network(IMAGES, training=True)
    scores = ops.convert_to_numpy(network(IMAGES)).ravel()
    apart = np.linalg.norm((IMAGES[:, None] - IMAGES[None]).reshape(5, 5, -1), axis=2)
    assert (np.abs(scores[:, None] - scores[None]) <= 1.001 * apart).all()
