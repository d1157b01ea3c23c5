"""Tests of a GAN as one Keras model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from gan.conditional_networks import build_discriminator, build_generator
from gan.features import build_feature_network
from gan.keras_gan import GAN
from gan.losses import LOSSES, NON_SATURATING
from tests.games import gan_step, tiny_image_networks


def images(count: int, ink: int | None = None) -> np.ndarray:
    random = np.random.default_rng(1)
    if ink is not None:
        return np.full((count, 28, 28), ink, np.uint8)
    return random.integers(0, 256, (count, 28, 28), dtype=np.uint8)


def make_gan(*, seed: int = 4, average: float = 0.99, **options: Any) -> GAN:
    keras.utils.set_random_seed(3)
    model = GAN(*tiny_image_networks(), moving_average=average, seed=seed)
    model.compile(
        keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), NON_SATURATING, **options
    )
    return model


def fit(model: GAN, pictures: np.ndarray, epochs: int = 1) -> dict[str, Any]:
    history: dict[str, Any] = model.fit(
        pictures, batch_size=4, epochs=epochs, shuffle=False, verbose=0
    ).history
    return history


def all_weights(model: GAN) -> list[np.ndarray]:
    networks = (model.generator, model.discriminator, model.averaged_generator)
    return [weight for network in networks for weight in network.get_weights()]


@pytest.mark.parametrize("penalty", [0.0, 2.0])
@pytest.mark.parametrize("between", [False, True])
def test_a_step_moves_both_networks_and_reports_both_losses(penalty: float, between: bool) -> None:
    step = gan_step(gradient_penalty=penalty, slope_between=between)
    assert step["moved"] == [True, True]
    assert set(step["losses"]) == {"discriminator_loss", "generator_loss"}
    assert np.isfinite(list(step["losses"].values())).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_first_losses_are_those_of_untrained_networks(loss: str) -> None:
    """A discriminator that says 0 to everything: its loss is known for each kind."""
    generator, discriminator = tiny_image_networks()
    discriminator.set_weights([np.zeros_like(weight) for weight in discriminator.get_weights()])
    zero = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(1)])
    zero.set_weights([np.zeros_like(weight) for weight in zero.get_weights()])
    model = GAN(generator, zero, seed=1)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), LOSSES[loss])
    history = fit(model, images(4))
    expected = {"non_saturating": (2 * np.log(2), np.log(2)), "hinge": (2, 0),
                "least_squares": (0.5, 0.5), "wasserstein": (0, 0)}[loss]  # fmt: skip
    found = (history["discriminator_loss"][0], history["generator_loss"][0])
    assert found == pytest.approx(expected, abs=1e-6)


def test_each_batch_is_one_step_of_each_optimizer() -> None:
    model = make_gan()
    fit(model, images(12), epochs=2)
    assert int(model.d_optimizer.iterations) == 6
    assert int(model.g_optimizer.iterations) == 6


def test_a_player_that_does_not_learn_keeps_its_weights() -> None:
    for still, moving in (("discriminator", "generator"), ("generator", "discriminator")):
        model = make_gan()
        optimizers = {"discriminator": model.d_optimizer, "generator": model.g_optimizer}
        optimizers[still].learning_rate = 0.0
        before = {
            name: [weight.numpy() for weight in getattr(model, name).trainable_weights]
            for name in optimizers
        }
        fit(model, images(4))
        for name, same in ((still, True), (moving, False)):
            after = [weight.numpy() for weight in getattr(model, name).trainable_weights]
            pairs = zip(before[name], after, strict=True)
            assert {bool((one == other).all()) for one, other in pairs} == {same}


def test_a_plain_distribution_is_learnt_a_little() -> None:
    """All real images are grey: what is drawn comes nearer to grey."""
    model = make_gan(average=0.9)
    latent = np.random.default_rng(2).normal(0, 1, (16, 3)).astype("float32")
    target = 204 / 127.5 - 1

    def distance() -> float:
        drawn = ops.convert_to_numpy(model(latent))
        assert drawn.shape == (16, 28, 28, 1)
        assert np.abs(drawn).max() <= 1
        return float(np.abs(drawn - target).mean())

    before = distance()
    history = fit(model, images(80, 204), epochs=3)
    assert np.isfinite(list(history.values())).all()
    assert distance() < 0.6 * before


def test_the_same_seeds_give_the_same_training() -> None:
    ends = []
    for seed in (4, 4, 5):
        model = make_gan(seed=seed)
        fit(model, images(8))
        ends.append(all_weights(model))
    same, other = (
        [np.allclose(one, two, rtol=1e-5, atol=1e-6) for one, two in zip(ends[0], end, strict=True)]
        for end in ends[1:]
    )
    assert all(same)
    assert not all(other)


def test_several_steps_a_call_give_the_same_result() -> None:
    ends = []
    for steps in (1, 2):
        model = make_gan(steps_per_execution=steps)
        fit(model, images(20))
        ends.append(all_weights(model))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_generators_normalization_changes_once_a_step() -> None:
    """Its own move; the images drawn for the discriminator leave its state alone."""
    keras.utils.set_random_seed(3)
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.BatchNormalization(momentum=0.5, epsilon=1e-3),
            layers.Dense(28 * 28, activation="tanh"),
            layers.Reshape((28, 28, 1)),
        ]
    )
    model = GAN(generator, tiny_image_networks()[1], seed=4)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), NON_SATURATING)
    normalization = generator.layers[0]
    normalization.moving_variance.assign([1e6] * 3)
    fit(model, images(4))
    # One update halves it; two leave a quarter.
    np.testing.assert_allclose(normalization.moving_variance.numpy(), 5e5, rtol=1e-3)


@pytest.mark.parametrize(
    ("penalty", "between"), [(0.0, False), (2.0, True)], ids=["plain", "between"]
)
def test_a_saved_training_goes_on_as_if_never_interrupted(
    penalty: float, between: bool, tmp_path: Path
) -> None:
    whole, second = (make_gan(gradient_penalty=penalty, slope_between=between) for _ in range(2))
    pictures = images(20)
    fit(whole, pictures[:16])
    whole.save_weights(tmp_path / "gan.weights.h5")
    second.load_weights(tmp_path / "gan.weights.h5")
    for one, other in zip(all_weights(whole), all_weights(second), strict=True):
        np.testing.assert_array_equal(one, other)
    # One step: sums of several threads are not the same to the last bit, and a game magnifies that.
    expected = fit(whole, pictures[16:])
    found = fit(second, pictures[16:])
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-5)
    for one, other in zip(all_weights(whole), all_weights(second), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------- with labels


def make_labelled_gan(*, reads: bool = False, **options: Any) -> GAN:
    """A game of three classes; its discriminator may look through another network."""
    keras.utils.set_random_seed(3)
    features = build_feature_network(3, (3, 2, 2)).layers_seen if reads else None
    generator = build_generator(4, 3, 3, (4, 3, 2))
    model = GAN(generator, build_discriminator(3, (2, 2), features), seed=4)
    model.compile(
        keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), NON_SATURATING, **options
    )
    return model


def labels(count: int) -> np.ndarray:
    return (np.arange(count) % 3).astype(np.int32)


def fit_labelled(model: GAN, pictures: np.ndarray, shift: int = 0) -> dict[str, Any]:
    history: dict[str, Any] = model.fit(
        pictures, (labels(len(pictures)) + shift) % 3, batch_size=4, shuffle=False, verbose=0
    ).history
    return history


@pytest.mark.parametrize(
    ("reads", "penalty", "between"),
    [(False, 0.0, False), (True, 2.0, False), (False, 2.0, True)],
)
def test_a_step_with_labels_moves_both_networks_and_reports_both_losses(
    reads: bool, penalty: float, between: bool
) -> None:
    model = make_labelled_gan(reads=reads, gradient_penalty=penalty, slope_between=between)
    networks = (model.generator, model.discriminator, model.averaged_generator)

    def weights_now() -> list[list[np.ndarray]]:
        return [
            [np.array(ops.convert_to_numpy(weight)) for weight in network.trainable_weights]
            for network in networks
        ]

    before = weights_now()
    history = fit_labelled(model, images(4))
    for olds, news in zip(before, weights_now(), strict=True):
        assert all((old != new).any() for old, new in zip(olds, news, strict=True))
    assert set(history) == {"discriminator_loss", "generator_loss"}
    assert np.isfinite(list(history.values())).all()


def test_a_model_draws_the_classes_that_it_is_told() -> None:
    model = make_labelled_gan()
    latent = np.repeat(np.random.default_rng(2).normal(0, 1, (1, 4)).astype("float32"), 3, axis=0)
    drawn = ops.convert_to_numpy(model([latent, labels(3)]))
    assert drawn.shape == (3, 28, 28, 1)
    assert len({image.tobytes() for image in drawn}) == 3


@pytest.mark.thorough
def test_labels_make_a_difference_to_the_training() -> None:
    """The same images, latent vectors and first weights, under other labels."""
    one, same, other = (make_labelled_gan() for _ in range(3))
    for model, shift in ((one, 0), (same, 0), (other, 1)):
        fit_labelled(model, images(8), shift)
    for first, second in zip(all_weights(one), all_weights(same), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert not all(
        np.allclose(first, second, rtol=1e-5, atol=1e-6)
        for first, second in zip(all_weights(one), all_weights(other), strict=True)
    )


@pytest.mark.parametrize(
    ("penalty", "between"), [(0.0, False), (2.0, True)], ids=["plain", "between"]
)
@pytest.mark.thorough
def test_a_saved_training_with_labels_goes_on_as_if_never_interrupted(
    penalty: float, between: bool, tmp_path: Path
) -> None:
    whole, second = (
        make_labelled_gan(gradient_penalty=penalty, slope_between=between) for _ in range(2)
    )
    pictures = images(16)
    fit_labelled(whole, pictures[:8])
    whole.save_weights(tmp_path / "gan.weights.h5")
    second.load_weights(tmp_path / "gan.weights.h5")
    for one, other in zip(all_weights(whole), all_weights(second), strict=True):
        np.testing.assert_array_equal(one, other)
    expected = fit_labelled(whole, pictures[8:])
    found = fit_labelled(second, pictures[8:])
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-5)
    for one, other in zip(all_weights(whole), all_weights(second), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
