"""Training speed: ours against plain `keras.Model.fit` and against eager PyTorch, in one run.

    python benchmarks/training.py DATASET.mat [--variant 7] [--rounds 3] [--json FILE]

Each trains the same network on the same images with Adam at batch 32, in a process of its own, in
turn. The first epoch warms up and is not counted. Plain Keras and PyTorch get float32 images in
[0, 1] that are prepared before the clock starts; ours gets uint8. Validation accuracy after the
last epoch, on the data set's validation split, shows that all three learn the same.
PyTorch is an extra for this benchmark alone: `pip install torch`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arguments import parser_of  # noqa: E402
from benchmarks.epoch_clock import EpochClock  # noqa: E402
from benchmarks.figures import lines_of, median_and_range  # noqa: E402
from benchmarks.processes import measured  # noqa: E402
from benchmarks.recording import record  # noqa: E402

BATCH = 32
COMPETITORS = ("ours", "keras_fit", "torch_eager")


def images(dataset: Path, most: int) -> tuple[Any, Any, Any, Any, int]:
    """Training images and labels, validation images and labels, and the number of classes."""
    import data_parser

    data_set = data_parser.open_data_set(dataset, file_split=True)
    training, training_labels = data_set.subset("training")
    validation, validation_labels = data_set.subset("validation")
    chosen = slice(None, None, max(1, len(training) // most))
    return (
        training[chosen][:most],
        training_labels[chosen][:most],
        validation,
        validation_labels,
        len(data_set.classes),
    )


def variant_layers(number: int) -> Any:
    """A variant of the shipped hyperparameter file."""
    from settings.hyperparameters import read_model_hyperparameters

    return read_model_hyperparameters(ROOT / "model_hyperparameters.txt")[number]


def train_ours(dataset: Path, options: argparse.Namespace) -> dict[str, float]:
    """Train with `cnn_model`."""
    import keras
    import numpy as np

    import cnn_model
    from settings.training_parameters import TrainingParameters

    x, y, vx, vy, classes = images(dataset, options.images)
    keras.utils.set_random_seed(options.seed)
    network = cnn_model.build_network(variant_layers(options.variant), classes)
    clock = EpochClock()
    # One validation image: the others are not trained against a validation set either.
    data = cnn_model.TrainingImages(x, y, np.arange(len(x)), np.arange(1))
    parameters = TrainingParameters("adam", BATCH, options.epochs)
    cnn_model.fit_network(network, data, parameters, options.seed, show=clock.show)
    accuracy = float((cnn_model.predict(network, vx).argmax(axis=1) == vy).mean())
    return _figures(len(x), clock.seconds_an_epoch, accuracy)


def train_keras_fit(dataset: Path, options: argparse.Namespace) -> dict[str, float]:
    """Train a plainly written Keras network with `fit` on float32 arrays."""
    import keras

    x, y, vx, vy, classes = images(dataset, options.images)
    keras.utils.set_random_seed(options.seed)
    stack: list[Any] = [keras.Input((28, 28, 1))]
    for layer in variant_layers(options.variant):
        stack.append(_plain_keras_layer(layer))
    network = keras.Sequential([*stack, keras.layers.Dense(classes, activation="softmax")])
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    floats, validation = (part[..., None].astype("float32") / 255 for part in (x, vx))
    network.fit(floats, y, batch_size=BATCH, epochs=1, verbose=0)
    started = time.perf_counter()
    network.fit(floats, y, batch_size=BATCH, epochs=options.epochs - 1, verbose=0)
    seconds = time.perf_counter() - started
    predicted = network.predict(validation, batch_size=512, verbose=0).argmax(axis=1)
    return _figures(len(x) * (options.epochs - 1), seconds, float((predicted == vy).mean()))


def _plain_keras_layer(layer: Any) -> Any:
    from keras import layers

    match layer.type:
        case "conv2d":
            return layers.Conv2D(
                layer.filters, layer.kernel_size, padding="same", activation=layer.activation
            )
        case "maxpooling":
            return layers.MaxPooling2D(layer.pool_size)
        case "dropout":
            return layers.Dropout(layer.dropout_ratio)
        case "batchnormalization":
            return layers.BatchNormalization()
        case "flatten":
            return layers.Flatten()
        case _:
            return layers.Dense(layer.dense_layer_size, activation=layer.activation)


def train_torch_eager(dataset: Path, options: argparse.Namespace) -> dict[str, float]:
    """Train the same network with an ordinary PyTorch loop."""
    import torch

    x, y, vx, vy, classes = images(dataset, options.images)
    torch.manual_seed(options.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    network = _torch_network(variant_layers(options.variant), classes)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, eps=1e-7)
    loss_function = torch.nn.CrossEntropyLoss()
    floats = torch.from_numpy(x[:, None].astype("float32") / 255)
    labels = torch.from_numpy(y.astype("int64"))
    started = 0.0
    for epoch in range(options.epochs):
        started = time.perf_counter() if epoch == 1 else started
        order = torch.randperm(len(floats))
        for start in range(0, len(floats), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            loss_function(network(floats[rows]), labels[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - started
    network.eval()
    with torch.no_grad():
        validation = torch.from_numpy(vx[:, None].astype("float32") / 255)
        predicted = torch.cat([network(part) for part in validation.split(512)]).argmax(1).numpy()
    return _figures(len(x) * (options.epochs - 1), seconds, float((predicted == vy).mean()))


def _torch_network(layers: Any, classes: int) -> Any:
    from torch import nn

    from settings.network_layers import INPUT_SHAPE, shapes_after

    stack: list[Any] = []
    shapes = [INPUT_SHAPE, *shapes_after(layers)]
    for layer, shape in zip(layers, shapes, strict=False):
        match layer.type:
            case "conv2d":
                size = layer.kernel_size
                stack += [nn.Conv2d(shape[-1], layer.filters, size, padding="same"), nn.ReLU()]
            case "maxpooling":
                stack.append(nn.MaxPool2d(layer.pool_size))
            case "dropout":
                stack.append(nn.Dropout(layer.dropout_ratio))
            case "batchnormalization":
                kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
                stack.append(kind(shape[-1], eps=1e-3, momentum=0.01))
            case "flatten":
                stack.append(nn.Flatten())
            case _:
                stack += [nn.Linear(shape[0], layer.dense_layer_size), nn.ReLU()]
    network = nn.Sequential(*stack, nn.Linear(shapes[-1][0], classes))
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):  # as Keras begins
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return network


def _figures(images_seen: int, seconds: float, accuracy: float) -> dict[str, float]:
    return {"images_a_second": images_seen / seconds, "validation_accuracy": accuracy}


def main() -> None:
    """Run the benchmark and print its table."""
    parser = parser_of(__doc__)
    parser.add_argument("--variant", type=int, default=7)
    parser.add_argument("--images", type=int, default=16000)
    parser.add_argument("--epochs", type=int, default=3, help="the first is not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=COMPETITORS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        train = {"ours": train_ours, "keras_fit": train_keras_fit, "torch_eager": train_torch_eager}
        print(json.dumps(train[options.only](options.dataset, options)))
        return
    rounds = [
        {name: _measured(name, options, seed) for name in COMPETITORS}
        for seed in range(options.seed, options.seed + options.rounds)
    ]
    results = _summary(rounds)
    print("\n".join(lines_of(results)))
    if options.json:
        settings = {key: getattr(options, key) for key in ("variant", "images", "epochs", "rounds")}
        record(options.json, {**settings, "dataset": options.dataset.name, "results": results})


def _measured(name: str, options: argparse.Namespace, seed: int) -> dict[str, float]:
    numbers = {"variant": options.variant, "images": options.images, "epochs": options.epochs}
    arguments = itertools.chain.from_iterable(
        (f"--{key}", str(value)) for key, value in (numbers | {"seed": seed}).items()
    )
    figures: dict[str, float] = measured(__file__, [options.dataset, "--only", name, *arguments])
    return figures


def _summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, float]:
    results = {}
    for name in COMPETITORS:
        for figure in ("images_a_second", "validation_accuracy"):
            results[f"{name}_{figure}"] = statistics.median(run[name][figure] for run in rounds)
    for other in COMPETITORS[1:]:
        ratios = [run["ours"]["images_a_second"] / run[other]["images_a_second"] for run in rounds]
        results |= median_and_range(f"ours_over_{other}", ratios)
    return results


if __name__ == "__main__":
    main()
