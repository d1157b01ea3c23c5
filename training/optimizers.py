"""The optimizer of a training, with the course of its learning rate."""

from __future__ import annotations

import keras

from settings.training_parameters import TrainingParameters

# One-cycle learning rates begin at a 25th and end at a 10,000th of the highest one.
ONE_CYCLE_WARMUP, ONE_CYCLE_FIRST, ONE_CYCLE_LAST = 0.3, 25, 10_000


def make_optimizer(parameters: TrainingParameters, batches: int) -> keras.optimizers.Optimizer:
    """The optimizer that parameters ask for.

    Args:
        parameters: how to train.
        batches: steps of an epoch, which a schedule is laid over.

    Returns:
        A new optimizer.
    """
    optimizer = keras.optimizers.get(parameters.optimizer)
    given = (parameters.learning_rate, parameters.momentum, parameters.weight_decay)
    if all(value is None for value in given):
        return optimizer
    settings = optimizer.get_config()
    if parameters.learning_rate is not None:
        settings["learning_rate"] = _learning_rate(parameters, batches)
    if parameters.momentum is not None:
        settings["momentum"] = float(parameters.momentum)
        if parameters.optimizer == "sgd":
            settings["nesterov"] = True
    if parameters.weight_decay is not None:
        settings["weight_decay"] = parameters.weight_decay
    optimizer = type(optimizer)(**settings)
    if parameters.weight_decay is not None:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _learning_rate(
    parameters: TrainingParameters, batches: int
) -> float | keras.optimizers.schedules.LearningRateSchedule | None:
    """The learning rate, or its course over all steps."""
    if parameters.learning_rate is None:
        return None
    highest = float(parameters.learning_rate)  # Keras takes no whole number
    if parameters.learning_rate_schedule is None:
        return highest
    steps = batches * parameters.train_epochs
    warmup, first, last = 0.0, 0.0, 0.0
    if parameters.learning_rate_schedule == "one_cycle":  # Smith and Topin 2019
        warmup = ONE_CYCLE_WARMUP * parameters.train_epochs
        first, last = 1 / ONE_CYCLE_FIRST, 1 / ONE_CYCLE_LAST
    if parameters.warmup_epochs is not None:
        warmup = parameters.warmup_epochs
    rising = round(warmup * batches)
    if not rising:
        return keras.optimizers.schedules.CosineDecay(highest, steps, alpha=last)
    return keras.optimizers.schedules.CosineDecay(
        highest * first, max(1, steps - rising), last, warmup_target=highest, warmup_steps=rising
    )
