"""Tests of the generator and the discriminator that are told the class."""

import keras
import numpy as np
import pytest
from keras import ops

from gan.conditional_networks import build_discriminator, build_generator
from gan.drawing import draw, draw_latent, flat_weights, set_flat_weights
from gan.features import FeatureNetwork, build_feature_network
from gan.keras_gan import GAN
from gan.losses import NON_SATURATING
from tests.conditional import easy_images

LATENT, CLASSES, CLASS_SIZE, WIDTHS = 4, 3, 5, (4, 3, 2)
HEADS = 5  # the image itself, three maps and a vector


@pytest.fixture
def generator() -> keras.Model:
    keras.utils.set_random_seed(1)
    return build_generator(LATENT, CLASSES, CLASS_SIZE, WIDTHS)


def latent(count: int, seed: int = 1) -> np.ndarray:
    return draw_latent(count, LATENT, np.random.default_rng(seed))


def classes(*labels: int) -> np.ndarray:
    return np.array(labels, np.int32)


def features() -> FeatureNetwork:
    keras.utils.set_random_seed(2)
    return build_feature_network(CLASSES, (3, 2, 2))


def drawn(generator: keras.Model, style: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(generator([style, labels], training=False)))


# ------------------------------------------------------------------------- generator


def test_a_generator_draws_an_image_for_each_style_and_class(generator: keras.Model) -> None:
    found = drawn(generator, latent(6), classes(0, 1, 2, 0, 1, 2))
    assert found.shape == (6, 28, 28, 1) and found.dtype == np.float32
    assert np.abs(found).max() <= 1


def test_the_class_changes_the_drawing(generator: keras.Model) -> None:
    style = np.repeat(latent(1), 3, axis=0)
    one, two, three = drawn(generator, style, classes(0, 1, 2))
    assert np.abs(one - two).max() > 1e-3 and np.abs(two - three).max() > 1e-3


def test_the_style_changes_the_drawing(generator: keras.Model) -> None:
    one, other = drawn(generator, latent(2), classes(1, 1))
    assert np.abs(one - other).max() > 1e-3


def test_the_same_style_and_class_draw_the_same_beside_any_others(generator: keras.Model) -> None:
    alone = drawn(generator, latent(3)[1:2], classes(2))
    among = drawn(generator, latent(3), classes(0, 2, 1))
    np.testing.assert_allclose(among[1], alone[0], atol=1e-5)


@pytest.mark.parametrize(
    ("latent_size", "number", "class_size", "widths"),
    [(1, 2, 1, (1, 1, 1)), (4, 3, 5, (4, 3, 2)), (7, 47, 2, (2, 5, 3))],
)
def test_generators_of_any_size_draw(
    latent_size: int, number: int, class_size: int, widths: tuple[int, ...]
) -> None:
    network = build_generator(latent_size, number, class_size, widths)
    style = draw_latent(2, latent_size, np.random.default_rng(0))
    assert drawn(network, style, classes(0, number - 1)).shape == (2, 28, 28, 1)


def test_half_precision_weights_go_back_where_they_were(generator: keras.Model) -> None:
    other = build_generator(LATENT, CLASSES, CLASS_SIZE, WIDTHS)
    labels = classes(*[0, 1, 2] * 4)
    before = draw(generator, latent(12), labels)
    assert not np.array_equal(draw(other, latent(12), labels), before)
    weights = flat_weights(generator)
    set_flat_weights(other, weights)
    assert weights.dtype == np.float16 and flat_weights(other).tobytes() == weights.tobytes()
    after = draw(other, latent(12), labels)
    assert np.abs(after.astype(int) - before).max() <= 1


@pytest.mark.parametrize("change", [-1, 1])
def test_weights_of_another_number_of_classes_are_refused(
    generator: keras.Model, change: int
) -> None:
    other = build_generator(LATENT, CLASSES + change, CLASS_SIZE, WIDTHS)
    with pytest.raises(ValueError, match="the network has"):
        set_flat_weights(other, flat_weights(generator))


def test_many_drawings_with_labels_are_drawn_in_parts(generator: keras.Model) -> None:
    labels = (np.arange(600) % 3).astype(np.int32)
    found = draw(generator, latent(600), labels)
    assert found.shape == (600, 28, 28) and found.dtype == np.uint8
    last = draw(generator, latent(600)[590:], labels[590:])
    assert np.abs(found[590:].astype(int) - last).max() <= 1


# ------------------------------------------------------------------------- discriminator


@pytest.mark.parametrize("spectral", [True, False])
@pytest.mark.parametrize(("looks_through", "heads"), [(False, 1), (True, HEADS)])
def test_every_head_gives_a_score(spectral: bool, looks_through: bool, heads: int) -> None:
    seen = features().layers_seen if looks_through else None
    network = build_discriminator(CLASSES, (2, 2), seen, spectral_normalization=spectral)
    images = np.random.default_rng(1).uniform(-1, 1, (4, 28, 28, 1)).astype("float32")
    found = ops.convert_to_numpy(network([images, classes(0, 1, 2, 0)]))
    assert (found.shape, found.dtype) == ((4, heads), np.float32)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("widths", [(2,), (2, 3), (2, 2, 2), (2, 2, 2, 2)])
def test_a_discriminator_has_as_many_convolutions_as_it_has_widths(widths: tuple[int, ...]) -> None:
    network = build_discriminator(CLASSES, widths, None)
    images = np.zeros((2, 28, 28, 1), np.float32)
    assert tuple(network([images, classes(0, 1)]).shape) == (2, 1)


def test_every_head_scores_an_image_for_its_class() -> None:
    network = build_discriminator(CLASSES, (2, 2), features().layers_seen)
    image = np.random.default_rng(1).uniform(-1, 1, (1, 28, 28, 1)).astype("float32")
    scores = [ops.convert_to_numpy(network([image, classes(label)]))[0] for label in range(3)]
    assert (np.abs(scores[0] - scores[1]) > 1e-6).all()
    assert (np.abs(scores[1] - scores[2]) > 1e-6).all()


@pytest.mark.parametrize("spectral", [True, False])
def test_what_a_discriminator_looks_through_never_moves(
    generator: keras.Model, spectral: bool
) -> None:
    """All of its own layers do; so does what normalization remembers in the generator."""
    seen = features().layers_seen
    discriminator = build_discriminator(CLASSES, (2, 2), seen, spectral_normalization=spectral)
    frozen = {id(weight) for weight in seen.weights}
    own = [weight for weight in discriminator.weights if id(weight) not in frozen]
    assert len(own) + len(frozen) == len(discriminator.weights)
    assert {id(weight) for weight in discriminator.trainable_weights}.isdisjoint(frozen)

    def values(weights: list[keras.Variable]) -> list[np.ndarray]:
        return [np.array(ops.convert_to_numpy(weight)) for weight in weights]

    before = values(seen.weights), values(own), values(generator.weights)
    model = GAN(generator, discriminator, seed=1)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), NON_SATURATING)
    images, labels = easy_images(each=4)
    model.fit(images, labels, batch_size=6, verbose=0)
    for one, other in zip(before[0], values(seen.weights), strict=True):
        np.testing.assert_array_equal(one, other)
    for olds, weights in ((before[1], own), (before[2], generator.weights)):
        for old, weight in zip(olds, values(weights), strict=True):
            assert not np.array_equal(old, weight)


def test_spectral_normalization_is_left_out_when_it_is_not_wanted() -> None:
    with_it, without = (
        build_discriminator(CLASSES, (2, 2), None, spectral_normalization=wanted)
        for wanted in (True, False)
    )
    assert with_it.count_params() > without.count_params()
    assert with_it.non_trainable_weights and not without.non_trainable_weights
