"""A network while it learns: its loss, its teacher, and the moving average of its weights.

A learner shares the network's variables; it is used in training alone and then thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt

from settings.training_parameters import Distillation
from training.calibration import LEAST_PROBABILITY

Tensor: TypeAlias = Any  # of the backend; no checker knows it


def cross_entropy(
    targets: Tensor, probabilities: Tensor, log_prior: Tensor | float = 0.0
) -> Tensor:
    """Cross-entropy of each image, in nats, with the classes' shares known beforehand.

    Args:
        targets: float32 (N, C), rows summing to 1.
        probabilities: float32 (N, C), rows summing to 1.
        log_prior: float32 (C,), added to the logarithms of the probabilities, which are then
            normalized again (Menon 2021); 0 for none.

    Returns:
        float32 (N,).
    """
    logarithms = keras.ops.log(keras.ops.maximum(probabilities, LEAST_PROBABILITY)) + log_prior
    return -keras.ops.sum(targets * keras.ops.log_softmax(logarithms), axis=-1)


def soften(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities after dividing their logarithms by a temperature.

    Args:
        probabilities: floating (N, C).
        temperature: above 0; more than 1 evens them out.

    Returns:
        floating (N, C), each row summing to 1.
    """
    logarithms = keras.ops.log(keras.ops.maximum(probabilities, LEAST_PROBABILITY))
    return keras.ops.softmax(logarithms / temperature)


class Learner(keras.Model):  # type: ignore[misc]
    """A network in training."""

    def __init__(
        self,
        network: keras.Model,
        *,
        log_prior: npt.NDArray[np.floating] | None = None,
        teacher: keras.Model | None = None,
        distillation: Distillation | None = None,
        moving_average: float | None = None,
    ) -> None:
        """Share the variables of a network.

        Args:
            network: from uint8 (N, 28, 28) to probabilities (N, C).
            log_prior: float (C,), logarithms of the classes' shares of the training images.
            teacher: a network of the same kind that `distillation` speaks of.
            distillation: how much, and how, the teacher counts.
            moving_average: share of the averaged weights kept at each step.
        """
        super().__init__(network.inputs, network.outputs)
        self._log_prior = 0.0 if log_prior is None else log_prior.astype(np.float32)
        # A function, since Keras would count a network that it sees among this one's weights.
        self._taught: Callable[[Tensor], Tensor] = lambda images: _read(teacher, images)
        self._distillation = distillation
        self._decay = moving_average
        self._averaged = _averaged_variables(network) if moving_average is not None else []
        self.averages = [
            keras.Variable(variable, trainable=False, name=f"average_{number}")
            for number, variable in enumerate(self._averaged)
        ]

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Mean loss of a batch, in nats; prior, teacher and class weights count while training.

        Args:
            x: uint8 (N, 28, 28).
            y: float32 (N, C), targets.
            y_pred: float32 (N, C), probabilities.
            sample_weight: float32 (N,), or None.
            training: whether the loss is learnt from.

        Returns:
            A number.
        """
        log_prior = self._log_prior if training else 0.0
        losses = cross_entropy(y, y_pred, log_prior)
        if training and self._distillation is not None:
            losses = self._with_teacher(self._distillation, losses, x, y_pred)
        if sample_weight is not None:
            losses = losses * sample_weight
        return keras.ops.mean(losses)

    def _with_teacher(
        self, distillation: Distillation, losses: Tensor, images: Tensor, probabilities: Tensor
    ) -> Tensor:
        temperature = distillation.temperature
        taught = keras.ops.stop_gradient(self._taught(images))
        # The square keeps the gradient's size, whatever the temperature.
        from_teacher = temperature**2 * cross_entropy(
            soften(taught, temperature), soften(probabilities, temperature)
        )
        return (1 - distillation.weight) * losses + distillation.weight * from_teacher

    def train_step(self, data: Any) -> Any:
        """One step, after which the averages follow the weights.

        Args:
            data: a batch, as Keras hands it over.

        Returns:
            What has been measured since the epoch began, by name.
        """
        logs = super().train_step(data)
        if self._decay is not None:
            done = keras.ops.cast(self.optimizer.iterations, "float32")
            # Young averages would else remember where training began.
            kept = keras.ops.minimum(self._decay, (1 + done) / (10 + done))
            for average, variable in zip(self.averages, self._averaged, strict=True):
                average.assign(kept * average + (1 - kept) * variable)
        return logs

    def swap_averages(self) -> None:
        """Exchange the weights and their averages."""
        for average, variable in zip(self.averages, self._averaged, strict=True):
            weights = keras.ops.convert_to_numpy(variable).copy()
            variable.assign(average)
            average.assign(weights)


def _read(teacher: keras.Model | None, images: Tensor) -> Tensor:
    return None if teacher is None else teacher(images, training=False)


def _averaged_variables(network: keras.Model) -> Sequence[Any]:
    """Weights and the normalizations' means and variances; no counters of random numbers."""
    return [variable for variable in network.weights if "float" in str(variable.dtype)]


class ShowAverages(keras.callbacks.Callback):  # type: ignore[misc]
    """Puts the averages in place of the weights from each validation until training goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = False

    def on_test_begin(self, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if not self._shown:
            self.model.swap_averages()
            self._shown = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if self._shown:
            self.model.swap_averages()
            self._shown = False
