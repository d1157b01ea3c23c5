"""The recommended networks, and the peers that they are compared with, as plain lists."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEST, SMALL = 0, 1
Layers = list[dict[str, Any]]


def champion_layers(variant: int) -> Layers:
    """Layers of a variant of `champion_hyperparameters.txt`: `BEST` or `SMALL`."""
    return _literal("champion_hyperparameters.txt")[variant]  # type: ignore[no-any-return]


def champion_parameters(variant: int) -> dict[str, Any]:
    """How that variant is trained, from `champion_training_parameters.txt`."""
    parameters: dict[str, Any]
    for parameters in _literal("champion_training_parameters.txt"):
        if variant in parameters.pop("variants"):
            return parameters
    raise KeyError(variant)


def without_teacher(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters where there is no teacher; labels are smoothed, as the teacher's are."""
    learning_alone = {key: value for key, value in parameters.items() if key != "distillation"}
    return (
        learning_alone
        if "label_smoothing" in parameters
        else learning_alone | {"label_smoothing": 0.1}
    )


def original_layers(variant: int) -> Layers:
    """Layers of a variant of `model_hyperparameters.txt`."""
    return _literal("model_hyperparameters.txt")[variant]  # type: ignore[no-any-return]


def original_parameters() -> dict[str, Any]:
    """What `model_training_parameters.txt` holds."""
    return _literal("model_training_parameters.txt")  # type: ignore[no-any-return]


def vgg5_layers() -> Layers:
    """VGG-5 as Kabir et al. 2020 compare with: five 3x3 convolutions, then dense layers."""
    layers: Layers = []
    for filters, pooled in ((32, True), (64, True), (128, False), (256, True), (512, False)):
        layers.append(
            {"type": "conv2d", "filters": filters, "kernel_size": 3, "normalization": "batch"}
        )
        if pooled:
            layers.append({"type": "maxpooling", "pool_size": 2})
    layers.append({"type": "flatten"})
    layers.append({"type": "dropout", "dropout_ratio": 0.5})
    layers.append({"type": "dense", "dense_layer_size": 448, "normalization": "batch"})
    layers.append({"type": "dropout", "dropout_ratio": 0.5})
    return layers


def vgg5_parameters() -> dict[str, Any]:
    """As it was trained: Adam, batches of 100, rotation and perspective."""
    return {
        "optimizer": "adam",
        "train_batch_size": 100,
        "train_epochs": 30,
        "learning_rate": 0.001,
        "augmentation": {"rotation": 10, "perspective": 0.1},
    }


def _literal(name: str) -> Any:
    return ast.literal_eval((ROOT / name).read_text(encoding="utf-8"))
