"""A generative adversarial network as one Keras model with a training step of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from gan.gradients import apply_gradients, assign_state, evaluated_at, value_and_gradients
from gan.layers import scaled
from gan.losses import AdversarialLoss, discriminator_loss
from gan.moments import MomentMatching
from gan.moving_average import MovingAverage
from gan.resumable_model import ResumableModel


class GAN(ResumableModel):
    """Generator and discriminator; each batch of real images moves first the one, then the other.

    The discriminator moves by a batch of real and one of drawn images, then the generator by
    another batch of drawn ones. Networks with a second input, labels, are told the class of each
    image: what is drawn is of the same classes as the real batch.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        moving_average: float = 0.99,
        seed: int | None = None,
    ) -> None:
        """Join two networks.

        Args:
            generator: from float32 (N, latent), or from that and integer labels (N,), to float32
                (N, 28, 28, 1) in [-1, 1].
            discriminator: from such images, or from those and labels, to scores, float32 (N, S).
            moving_average: share of the averaged generator that is kept each step, 0 to 1.
            seed: of the latent vectors.
        """
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.latent_size = generator.inputs[0].shape[-1]
        self.average = MovingAverage(generator, moving_average)
        # Named here too, so that it is saved with the weights.
        self.averaged_generator = self.average.network
        self.averaged_steps = self.average.steps
        self.matching: MomentMatching | None = None
        self._random = keras.random.SeedGenerator(seed)
        self._means = [
            keras.metrics.Mean(name=f"{name}_loss") for name in ("discriminator", "generator")
        ]
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean losses `discriminator_loss` and `generator_loss`."""
        return list(self._means)

    def compile(
        self,
        d_optimizer: keras.optimizers.Optimizer,
        g_optimizer: keras.optimizers.Optimizer,
        loss: AdversarialLoss,
        *,
        gradient_penalty: float = 0.0,
        slope_between: bool = False,
        **options: Any,
    ) -> None:
        """Set how it is trained.

        Args:
            d_optimizer: of the discriminator.
            g_optimizer: of the generator.
            loss: of both; see `losses.LOSSES`.
            gradient_penalty: weight of the penalty on the discriminator's gradient; 0 for none.
            slope_between: penalise between real and drawn images, as Wasserstein needs it, instead
                of at the real ones.
            **options: of `keras.Model.compile`, such as `steps_per_execution`.
        """
        super().compile(optimizer=None, **{"jit_compile": False, **options})
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.adversarial_loss = loss
        self.gradient_penalty = gradient_penalty
        self.slope_between = slope_between
        d_optimizer.build(self.discriminator.trainable_variables)
        g_optimizer.build(self.generator.trainable_variables)

    def match(self, matching: MomentMatching) -> None:
        """From now on, have the generator match moments as well; needs labels with the images.

        Args:
            matching: of the classes that the labels name.
        """
        self.matching = matching
        self.make_train_function(force=True)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Draw by the average of the generator.

        Args:
            inputs: what the generator takes.
            training: whether normalization uses the batch.

        Returns:
            float32 (N, 28, 28, 1) in [-1, 1].
        """
        return self.averaged_generator(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Move both by one batch of real images.

        Args:
            data: uint8 (N, 28, 28), alone or with labels (N,).

        Returns:
            The mean losses since the epoch began, by name.
        """
        images, *labels = data if isinstance(data, tuple) else (data,)
        real = scaled(images)
        count = ops.shape(real)[0]
        first, latent = self._latent(count), self._latent(count)
        # The generator's normalization changes with its own move only.
        drawn, _ = evaluated_at(lambda: self._draw(first, labels), (), ())
        drawn = ops.stop_gradient(drawn)
        # Outside the loss, where a random seed would not be moved on.
        mixture = self._mixture(count)
        self._means[0].update_state(
            self._move(
                self.discriminator,
                self.d_optimizer,
                lambda: self._discriminator_loss(real, drawn, labels, mixture),
            )
        )
        self._means[1].update_state(
            self._move(
                self.generator,
                self.g_optimizer,
                lambda: self._generator_loss(latent, labels),
                self.matching.variables if self.matching else (),
            )
        )
        self.average.update()
        return {metric.name: metric.result() for metric in self._means}

    def _draw(self, latent: Any, labels: Sequence[Any]) -> Any:
        return self.generator([latent, *labels] if labels else latent, training=True)

    def _score(self, images: Any, labels: Sequence[Any], training: bool = True) -> Any:
        return self.discriminator([images, *labels] if labels else images, training=training)

    def _latent(self, count: Any) -> Any:
        return keras.random.normal((count, self.latent_size), seed=self._random)

    def _mixture(self, count: Any) -> Any:
        if not self.slope_between:
            return None
        return keras.random.uniform((count, 1, 1, 1), seed=self._random)

    def _discriminator_loss(
        self, real: Any, drawn: Any, labels: Sequence[Any], mixture: Any
    ) -> Any:
        return discriminator_loss(
            lambda images, training: self._score(images, labels, training),
            self.adversarial_loss,
            real,
            drawn,
            penalty=self.gradient_penalty,
            mixture=mixture,
        )

    def _generator_loss(self, latent: Any, labels: Sequence[Any]) -> Any:
        drawn = self._draw(latent, labels)
        loss = self.adversarial_loss.generator(self._score(drawn, labels))
        return loss + self.matching.penalty(drawn, *labels) if self.matching else loss

    @staticmethod
    def _move(
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Callable[[], Any],
        others: Sequence[Any] = (),
    ) -> Any:
        """Move a network, and what else its loss changes, `others`."""
        variables, state = network.trainable_variables, [*network.non_trainable_variables, *others]
        new_state: list[Any] = []

        def loss_at(values: list[Any]) -> Any:
            value, new_state[:] = evaluated_at(loss, zip(variables, values, strict=True), state)
            return value

        value, gradients = value_and_gradients(loss_at, [weight.value for weight in variables])
        apply_gradients(optimizer, gradients, variables)
        assign_state(state, new_state)
        return value
