"""Train a judge: the classifier that drawn characters are measured with.

    python train_judge.py DATASET.mat TARGET.npz [--epochs 14] [--seed 7] [--force]

Learns from the file's train rows alone. Every epoch draws the same number of images of each class
anew; each is turned, sheared, scaled and shifted a little. The learning rate follows one cosine.
Prints the SHA-256 of what it wrote, and the accuracy on the file's test rows, which took no part.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import data_parser
from command_line import (
    Parser,
    a_seed,
    check_new_file,
    ctrl_c_leaves,
    run,
    say,
    whole_number_from,
)
from data_formats.problems import shown
from data_formats.replacing import replacing
from data_parser import LabelledImages
from errors import UserError

IMAGES_A_CLASS = 2400
BATCH = 128
PEAK_LEARNING_RATE = 4e-3
LABEL_SMOOTHING = 0.05
SHIFT_PIXELS = 1.5
WARM_UP = 0.1  # share of all steps


def balanced_rows(
    labels: npt.NDArray[np.integer], per_class: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw rows with as many of each class; a class that has fewer gives some more than once.

    Args:
        labels: integers (N,).
        per_class: rows of each class.
        random: source of randomness.

    Returns:
        int64 (classes * per_class,), in random order.
    """
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        whole, rest = divmod(per_class, len(rows))
        chosen += [rows] * whole + [random.choice(rows, rest, replace=False)]
    return random.permutation(np.concatenate(chosen)).astype(np.int64)


def distortions(count: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Small affine maps around the middle of a 28x28 image.

    Args:
        count: how many.
        random: source of randomness.

    Returns:
        float32 (count, 8), as `ImageProjectiveTransformV3` takes them.
    """
    angle = random.normal(0, 0.12, count)
    shear = random.normal(0, 0.12, count)
    scale = np.exp(random.normal(0, 0.07, (2, count)))
    shift = random.uniform(-SHIFT_PIXELS, SHIFT_PIXELS, (2, count))
    a, b = scale[0] * np.cos(angle), -scale[0] * np.sin(angle) + shear
    c, d = scale[1] * np.sin(angle), scale[1] * np.cos(angle)
    middle = 13.5
    tx = middle - a * middle - b * middle + shift[0]
    ty = middle - c * middle - d * middle + shift[1]
    zero = np.zeros(count)
    return np.stack([a, b, tx, c, d, ty, zero, zero], axis=1).astype(np.float32)


def batches(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    epochs: int,
    random: np.random.Generator,
) -> Any:
    """All batches of a training.

    Args:
        images: uint8 (N, 28, 28).
        labels: integers (N,), indices into `judge.CLASSES`.
        epochs: times `IMAGES_A_CLASS` images of each class are drawn.
        random: source of randomness.

    Returns:
        A `tf.data.Dataset` of distorted uint8 images (B, 28, 28) and one-hot labels (B, 47).
    """
    import tensorflow as tf

    from evaluation.judge import CLASSES

    def rows() -> Any:
        for _ in range(epochs):
            order = balanced_rows(labels, IMAGES_A_CLASS, random)
            maps = distortions(len(order), random)
            for start in range(0, len(order) - BATCH + 1, BATCH):
                yield order[start : start + BATCH], maps[start : start + BATCH]

    everything = tf.constant(images)
    targets = tf.constant(labels.astype(np.int32))

    def prepare(chosen: Any, maps: Any) -> Any:
        warped = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(tf.gather(everything, chosen), tf.float32)[..., None],
            transforms=maps,
            output_shape=[28, 28],
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
            fill_value=0.0,
        )
        one_hot = tf.one_hot(tf.gather(targets, chosen), len(CLASSES))
        return tf.cast(tf.round(warped[..., 0]), tf.uint8), one_hot

    signature = (tf.TensorSpec([BATCH], tf.int64), tf.TensorSpec([BATCH, 8], tf.float32))
    return tf.data.Dataset.from_generator(rows, output_signature=signature).map(prepare).prefetch(4)


def train(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], epochs: int, seed: int
) -> Any:
    """Train a judge's network; shows a line an epoch.

    Args:
        images: uint8 (N, 28, 28), of all 47 classes.
        labels: integers (N,), indices into `judge.CLASSES`.
        epochs: times `IMAGES_A_CLASS` images of each class are seen.
        seed: of the first weights, the order and the distortions.

    Returns:
        The network, with features and probabilities as outputs.
    """
    import keras

    from evaluation.judge import CLASSES, build_network

    keras.utils.set_random_seed(seed % 2**32)
    network = build_network()
    steps = IMAGES_A_CLASS * len(CLASSES) // BATCH
    classifier = _classifier(network, steps * epochs)

    def told(epoch: int, figures: dict[str, float]) -> None:
        loss, accuracy = figures["loss"], figures["accuracy"]
        say(f"epoch {epoch + 1} of {epochs}: loss {loss:.4f}, accuracy {accuracy:.2%}")

    classifier.fit(
        batches(images, labels, epochs, np.random.default_rng(seed)),
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=told)],
    )
    return network


def _classifier(network: Any, steps: int) -> Any:
    """The judge's network without its features, compiled to learn for so many steps."""
    import keras

    classifier = keras.Model(network.inputs, network.outputs[1])
    warm_up = int(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        PEAK_LEARNING_RATE / 20,
        steps - warm_up,
        warmup_target=PEAK_LEARNING_RATE,
        warmup_steps=warm_up,
    )
    classifier.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.02),
        keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING),
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=20,
    )
    return classifier


def weights_file(network: Any) -> bytes:
    """The network's weights as the content of an `.npz` file, in half precision.

    Args:
        network: made by `judge.build_network`.

    Returns:
        The bytes; `judge.load_judge` reads such files.
    """
    from evaluation.judge import stored_variables

    arrays = {
        f"array_{number}": np.asarray(variable).astype(np.float16)
        for number, variable in enumerate(stored_variables(network))
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def main(argv: Sequence[str] | None = None) -> int:
    """Train, write, and say what was reached.

    Args:
        argv: the arguments after the program's name; None for those of the process.

    Returns:
        The exit code: 0, or that of `command_line.run` after an error or Ctrl-C.
    """
    return run(_parser(), argv, _make)


def _parser() -> Parser:
    parser = Parser(prog="train_judge.py", description="Train a judge of drawn characters.")
    parser.add_argument("dataset", type=Path, metavar="DATASET.mat", help="file to learn from")
    parser.add_argument("target", type=Path, metavar="TARGET.npz", help="file to write")
    parser.add_argument(
        "--epochs", type=whole_number_from(1), default=14, metavar="N", help="default: 14"
    )
    parser.add_argument("--seed", type=a_seed, default=7, metavar="N", help="default: 7")
    parser.add_argument("--force", action="store_true", help="replace TARGET if it exists")
    return parser


def _make(options: argparse.Namespace) -> None:
    with ctrl_c_leaves("nothing was written"):
        check_new_file(options.target, ".npz", force=options.force, source=options.dataset)
        data = _read(options.dataset)
        learnt = ~data.in_test
        network = train(data.images[learnt], data.labels[learnt], options.epochs, options.seed)
        content = weights_file(network)
        with replacing(options.target) as file:
            file.write(content)
    with ctrl_c_leaves(f"{shown(options.target)} is written"):
        _report(options.target, content, data)


def _read(path: Path) -> LabelledImages:
    import cnn_model  # noqa: F401  (its processor settings come before Keras)
    from evaluation import judge

    data = data_parser.read_labelled_images(path, keep_digits=True)
    if data.classes != judge.CLASSES:
        raise UserError(f"{shown(path)} has other classes than {' '.join(judge.CLASSES)}")
    return data


def _report(target: Path, content: bytes, data: LabelledImages) -> None:
    """Say what was written, and how well it reads the test rows."""
    from evaluation import judge

    digest = hashlib.sha256(content).hexdigest()
    say(f"{shown(target)}: {len(content):,} bytes, SHA-256 {digest}")
    reader = judge.load_judge(target, digest)
    test = data.in_test
    right = reader.look_at(data.images[test]).probabilities.argmax(axis=1) == data.labels[test]
    say(f"test accuracy {right.mean():.2%} of {len(right):,} images")


if __name__ == "__main__":
    sys.exit(main())
