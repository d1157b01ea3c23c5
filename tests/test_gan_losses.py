"""Tests of what generator and discriminator minimise, against numbers by hand."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from gan.gradients import value_and_gradients
from gan.losses import LOSSES, discriminator_loss, slope_penalty
from tests.games import gradients_of_discriminator, numbered_weights

REAL = np.array([[-2.0], [0.5], [3.0], [0.0]], "float32")
DRAWN = np.array([[1.5], [-0.5], [-4.0], [0.25]], "float32")
SHAPE = (4, 6, 5, 1)


def softplus(scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.log1p(np.exp(scores.astype(float))))


def tensors(count: int = 2, seed: int = 1) -> list[Any]:
    random = np.random.default_rng(seed)
    return [ops.convert_to_tensor(random.normal(0, 1, SHAPE), "float32") for _ in range(count)]


def mixture(share: float | None = None) -> Any:
    random = np.random.default_rng(2)
    shares = np.full((4, 1, 1, 1), share) if share is not None else random.random((4, 1, 1, 1))
    return ops.convert_to_tensor(shares, "float32")


Score = Callable[..., Any]


def linear_score(length: float) -> tuple[Score, np.ndarray]:
    """A score whose slope has a length, and its slope."""
    slope = np.random.default_rng(3).normal(0, 1, SHAPE[1:])
    slope *= length / np.linalg.norm(slope)
    weights = ops.convert_to_tensor(slope, "float32")

    def score(images: Any, training: bool = False) -> Any:
        return ops.reshape(ops.sum(images * weights, axis=(1, 2, 3)), (-1, 1)) + 0.3

    return score, slope


# ------------------------------------------------------------------------- losses


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("non_saturating", softplus(-REAL).mean() + softplus(DRAWN).mean(),
         softplus(-DRAWN).mean()),
        ("hinge", (3 + 0.5 + 0 + 1) / 4 + (2.5 + 0.5 + 0 + 1.25) / 4, -DRAWN.mean()),
        ("least_squares", 0.5 * ((REAL - 1) ** 2).mean() + 0.5 * (DRAWN**2).mean(),
         0.5 * ((DRAWN - 1) ** 2).mean()),
        ("wasserstein", DRAWN.mean() - REAL.mean(), -DRAWN.mean()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_losses_by_hand(
    name: str, discriminator: float, generator: float, shape: tuple[int, ...]
) -> None:
    real, drawn = (ops.convert_to_tensor(scores.reshape(shape)) for scores in (REAL, DRAWN))
    loss = LOSSES[name]
    assert float(loss.discriminator(real, drawn)) == pytest.approx(discriminator, rel=1e-6)
    assert float(loss.generator(drawn)) == pytest.approx(generator, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_discriminator_that_tells_apart_has_the_lower_loss(name: str) -> None:
    high, low = ops.full((4, 1), 0.8), ops.full((4, 1), -0.1)
    loss = LOSSES[name]
    assert float(loss.discriminator(high, low)) < float(loss.discriminator(low, high))
    assert float(loss.generator(high)) < float(loss.generator(low))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_stay_finite_at_extreme_scores(name: str) -> None:
    high, low = ops.full((4, 1), 1e4), ops.full((4, 1), -1e4)
    for real, drawn in ((high, low), (low, high)):
        assert np.isfinite(float(LOSSES[name].discriminator(real, drawn)))
        assert np.isfinite(float(LOSSES[name].generator(drawn)))


# ------------------------------------------------------------------------- penalties


@pytest.mark.parametrize("length", [0.25, 1.0, 3.0])
def test_penalties_of_a_linear_score_follow_from_its_slope(length: float) -> None:
    score, _ = linear_score(length)
    real, drawn = tensors()
    assert float(slope_penalty(score, real, drawn, mixture())) == pytest.approx(
        (length - 1) ** 2, rel=1e-4, abs=1e-9
    )


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_slopes_are_looked_at_between_real_and_drawn_images(share: float) -> None:
    """The slope of the score |x|^2 / 2 is x itself."""
    real, drawn = tensors()

    def score(images: Any) -> Any:
        return 0.5 * ops.reshape(ops.sum(ops.square(images), axis=(1, 2, 3)), (-1, 1))

    between = share * real.numpy() + (1 - share) * drawn.numpy()
    lengths = np.linalg.norm(between.reshape(4, -1), axis=1)
    found = slope_penalty(score, real, drawn, mixture(share))
    assert float(found) == pytest.approx(np.mean((lengths - 1) ** 2), rel=1e-5)


def test_a_flat_score_has_a_finite_gradient() -> None:
    """The length of a slope of 0 has no derivative of its own."""
    real, drawn = tensors()
    weights = ops.zeros(SHAPE[1:])

    def loss(points: list[Any]) -> Any:
        return slope_penalty(
            lambda images: ops.sum(images * points[0], axis=(1, 2, 3))[:, None],
            real, drawn, mixture(),
        )  # fmt: skip

    value, (gradient,) = value_and_gradients(loss, [weights])
    assert float(value) == pytest.approx(1, rel=1e-4)
    assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_penalty_is_added_with_its_weight(name: str, between: bool) -> None:
    score, _ = linear_score(2.0)
    real, drawn = tensors()
    plain = float(discriminator_loss(score, LOSSES[name], real, drawn))
    whole = discriminator_loss(
        score, LOSSES[name], real, drawn, penalty=5.0, mixture=mixture() if between else None
    )
    assert float(whole) == pytest.approx(plain + 5 * (1.0 if between else 2.0), rel=1e-4)
    assert plain == pytest.approx(
        float(LOSSES[name].discriminator(score(real), score(drawn))), rel=1e-6
    )


@pytest.mark.parametrize("between", [False, True])
def test_gradients_of_a_penalised_loss_are_those_of_finite_differences(between: bool) -> None:
    discriminator = keras.Sequential(
        [
            keras.Input(SHAPE[1:]),
            layers.Conv2D(2, 3, strides=2, activation="softplus"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    numbered_weights(discriminator, 4)
    real, drawn = tensors()
    values = [ops.convert_to_tensor(weight.numpy()) for weight in discriminator.weights]

    def loss(points: list[Any]) -> Any:
        with keras.StatelessScope(list(zip(discriminator.weights, points, strict=True))):
            return discriminator_loss(
                discriminator, LOSSES["non_saturating"], real, drawn, penalty=2.0,
                mixture=mixture() if between else None,
            )  # fmt: skip

    _, gradients = value_and_gradients(loss, values)
    random = np.random.default_rng(5)
    for index, gradient in enumerate(gradients):
        way = ops.convert_to_tensor(random.normal(0, 1, gradient.shape), "float32")
        ends = [
            float(loss([*values[:index], values[index] + distance * way, *values[index + 1 :]]))
            for distance in (1e-2, -1e-2)
        ]
        slope = float(ops.sum(gradient * way))
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=0.01, abs=2e-3)


def test_real_and_drawn_images_are_scored_apart() -> None:
    counts: list[int] = []

    def score(images: Any, training: bool = False) -> Any:
        assert training
        counts.append(len(images))
        return ops.zeros((len(images), 1))

    discriminator_loss(score, LOSSES["hinge"], *tensors())
    assert counts == [4, 4]


def test_the_penalty_moves_the_weights() -> None:
    assert gradients_of_discriminator(False) != gradients_of_discriminator(True)


# ------------------------------------------------------------------------- gradients


def test_gradients_are_zero_for_what_a_function_does_not_use() -> None:
    points = [ops.convert_to_tensor([2.0, 3.0]), ops.convert_to_tensor([1.0])]
    value, gradients = value_and_gradients(lambda p: ops.sum(ops.square(p[0])), points)
    assert float(value) == 13.0
    np.testing.assert_allclose(gradients[0].numpy(), [4.0, 6.0])
    np.testing.assert_allclose(gradients[1].numpy(), [0.0])


def test_gradients_of_gradients() -> None:
    def outer(points: list[Any]) -> Any:
        _, (inner,) = value_and_gradients(lambda p: ops.sum(p[0] ** 3), points, differentiable=True)
        return ops.sum(ops.square(inner))

    _, (gradient,) = value_and_gradients(outer, [ops.convert_to_tensor([2.0, -1.0])])
    np.testing.assert_allclose(gradient.numpy(), 36 * np.array([8.0, -1.0]))


def test_other_backends_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(NotImplementedError, match="TensorFlow or PyTorch, not jax"):
        value_and_gradients(lambda p: p[0], [ops.ones(())])
