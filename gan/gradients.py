"""Gradients behind one small function, with TensorFlow and with PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import keras

Tensor: TypeAlias = Any


def value_and_gradients(
    function: Callable[[list[Tensor]], Tensor],
    points: Sequence[Tensor],
    *,
    differentiable: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """Evaluate a function and its gradients at a point.

    Args:
        function: takes tensors like `points`, returns a scalar.
        points: float tensors.
        differentiable: whether gradients of a function of the result will be asked for.

    Returns:
        The scalar, and its gradient with respect to each point, zeros where it depends on none.

    Raises:
        NotImplementedError: Keras runs on neither TensorFlow nor PyTorch.
    """
    if keras.backend.backend() == "tensorflow":
        return _with_tensorflow(function, list(points))
    if keras.backend.backend() == "torch":
        return _with_torch(function, list(points), differentiable)
    raise NotImplementedError(
        f"adversarial training needs Keras on TensorFlow or PyTorch, not {keras.backend.backend()}"
    )


def _with_tensorflow(
    function: Callable[[list[Tensor]], Tensor], points: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    import tensorflow as tf

    # Tapes nest by themselves: an outer one records what this one does.
    with tf.GradientTape() as tape:
        tape.watch(points)
        value = function(points)
    gradients = tape.gradient(value, points, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # What comes from looking rows up is sparse, and could not be added to others.
    return value, [tf.convert_to_tensor(gradient) for gradient in gradients]


def _with_torch(
    function: Callable[[list[Tensor]], Tensor], points: list[Tensor], differentiable: bool
) -> tuple[Tensor, list[Tensor]]:
    import torch

    with torch.enable_grad():
        points = [
            point if point.requires_grad else point.detach().requires_grad_() for point in points
        ]
        value = function(points)
        if not value.requires_grad:
            return value, [torch.zeros_like(point) for point in points]
        gradients = torch.autograd.grad(
            value, points, create_graph=differentiable, allow_unused=True
        )
    return value, [
        torch.zeros_like(point) if gradient is None else gradient
        for gradient, point in zip(gradients, points, strict=True)
    ]


def evaluated_at(
    function: Callable[[], Any], mapping: Iterable[tuple[Any, Tensor]], state: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """Call a function while variables have other values; nothing is changed.

    Args:
        function: uses the variables.
        mapping: variables, each with the value it has meanwhile.
        state: variables that the function may want to change, such as moving averages.

    Returns:
        The function's result, and what each of `state` would become, None where unchanged.
    """
    with keras.StatelessScope(state_mapping=list(mapping)) as scope:
        result = function()
    return result, [scope.get_current_value(variable) for variable in state]


def assign_state(state: Sequence[Any], values: Sequence[Any]) -> None:
    """Give variables the values that `evaluated_at` found for them.

    Args:
        state: Keras variables.
        values: one a variable, of its shape; None leaves a variable as it is.
    """
    for variable, value in zip(state, values, strict=True):
        if value is not None:
            variable.assign(value)


def apply_gradients(
    optimizer: keras.optimizers.Optimizer, gradients: Sequence[Tensor], variables: Sequence[Any]
) -> None:
    """Move variables by an optimizer's step.

    Args:
        optimizer: built for `variables`.
        gradients: one a variable, of its shape.
        variables: Keras variables.
    """
    if keras.backend.backend() == "torch":
        import torch

        with torch.no_grad():
            optimizer.apply(list(gradients), list(variables))
    else:
        optimizer.apply(list(gradients), list(variables))
