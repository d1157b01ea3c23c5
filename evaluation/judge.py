"""The frozen judge: a classifier of EMNIST's 47 classes that drawn characters are measured with.

It takes no part in training any generator, and is never trained again without a new name, so that
figures of different days can stand beside each other.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import emnist_classes
from errors import UserError

if TYPE_CHECKING:
    import keras

NAME = "emnist47-judge-1"
WEIGHTS_FILE = Path(__file__).resolve().parent / f"{NAME}.npz"
SHA256 = "7fba8002ade3f354e1073b82178e45457b474bb6174b2dccebf21cc27eed5313"
CLASSES = emnist_classes.MERGED
FEATURES = 128
BATCH = 500


def build_network() -> keras.Model:
    """Build the judge's network with new weights.

    Returns:
        A network from uint8 (N, 28, 28) to two outputs: features float32 (N, 128), and class
        probabilities float32 (N, 47) in the order of `CLASSES`.
    """
    import keras
    from keras import layers

    images = keras.Input((28, 28), dtype="uint8")
    x = layers.Reshape((28, 28, 1))(layers.Rescaling(1 / 255)(images))
    for filters, pools in ((32, True), (64, True), (96, False), (128, True)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        if pools:
            x = layers.MaxPooling2D(2)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = layers.Dense(FEATURES, use_bias=False)(x)
    features = layers.ReLU()(layers.BatchNormalization()(x))
    probabilities = layers.Dense(len(CLASSES), activation="softmax")(layers.Dropout(0.2)(features))
    return keras.Model(images, [features, probabilities])


@dataclass(frozen=True, eq=False)
class Opinion:
    """What the judge makes of images.

    Attributes:
        features: float32 (N, 128), values of its last hidden layer, 0 or more.
        probabilities: float32 (N, 47), in the order of `CLASSES`; each row sums to 1.
    """

    features: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]


class Judge:
    """The frozen classifier, ready to look at images."""

    def __init__(self, network: keras.Model) -> None:
        """Use `network`, made by `build_network`."""
        self._network = network

    def look_at(self, images: npt.NDArray[np.uint8]) -> Opinion:
        """Compute features and class probabilities.

        Args:
            images: uint8 (N, 28, 28), upright, ink 255 on paper 0.

        Returns:
            One row an image.
        """
        features, probabilities = self._network.predict(images, batch_size=BATCH, verbose=0)
        return Opinion(np.asarray(features), np.asarray(probabilities))


def load_judge(path: Path = WEIGHTS_FILE, sha256: str = SHA256) -> Judge:
    """Load the judge that comes with the program.

    Args:
        path: its weights, written by `train_judge.py`.
        sha256: 64 hexadecimal digits that the file must have.

    Returns:
        The judge.

    Raises:
        UserError: the file is missing, or is not the one that the published figures come from.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"the judge {path} cannot be read: {error.strerror or error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise UserError(
            f"{path} is not the judge {NAME}: its SHA-256 is {found}, not {sha256}; "
            "figures by another judge cannot be compared"
        )
    network = build_network()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for number, variable in enumerate(stored_variables(network)):
            variable.assign(arrays[f"array_{number}"].astype(np.float32))
    return Judge(network)


def stored_variables(network: keras.Model) -> list[Any]:
    """Variables of the network in the order of the weights file, without seeds of dropout.

    Args:
        network: made by `build_network`.

    Returns:
        Keras variables.
    """
    return [variable for variable in network.variables if "seed" not in variable.path]
