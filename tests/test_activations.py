"""Tests of the activation that training parameters name: networks compute with it."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

import cnn_model
from data_parser import DataSet
from evaluation import overlap
from model_collection import ModelCollection, network_of, train_entry
from settings.hyperparameters import TrainingTask, read_training_tasks
from settings.layer_lists import weight_arrays
from settings.network_layers import Variant
from storage.collection_folder import load_collection, save_collection
from training.keras_layers import apply_layers

Values = npt.NDArray[Any]
TRAINING = {"optimizer": "adam", "train_batch_size": 16, "train_epochs": 1}
CONVOLUTION = "{'type':'conv2d','filters':2,'kernel_size':3%s}"
SEPARABLE = "{'type':'separableconv2d','filters':2,'kernel_size':3%s}"
DENSE = "{'type':'dense','dense_layer_size':5%s}"
RESIDUAL = "{'type':'residual','layers':[{'type':'batchnormalization'}]%s}"
NORMALIZED = ",'normalization':'batch'"
FUNCTIONS: dict[str, Callable[[Values], Values]] = {
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)),
}


def tasks_of(folder: Path, variant: str, **about: str) -> tuple[TrainingTask, ...]:
    (folder / "variants.txt").write_text(f"[[{variant}]]")
    (folder / "training.txt").write_text(repr(TRAINING | about))
    return read_training_tasks(folder / "variants.txt", folder / "training.txt")


def layers_of(folder: Path, variant: str, **about: str) -> Variant:
    (task,) = tasks_of(folder, variant, **about)
    return task.layers


@functools.cache
def some_images() -> Values:
    return np.random.default_rng(1).integers(0, 256, (4, 28, 28), dtype=np.uint8)


def computed(layers: Variant) -> Values:
    """What layers make of some images, with weights that hang on their shapes alone."""
    images = keras.Input((28, 28, 1))
    network = keras.Model(images, apply_layers(layers, images))
    random = np.random.default_rng(14)  # such that every kind of layer makes numbers of both signs
    arrays = weight_arrays(layers, 2)[:-2]  # without the softmax
    network.set_weights(
        [
            random.normal(size=array.shape) if array.trainable else random.random(array.shape) + 0.1
            for array in arrays
        ]
    )
    return np.asarray(network(some_images()[..., np.newaxis] / 255.0))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("before", "layer"),
    [
        ("", CONVOLUTION),
        ("", CONVOLUTION.replace("%s", NORMALIZED + "%s")),
        ("", SEPARABLE),
        ("", SEPARABLE.replace("%s", NORMALIZED + "%s")),
        ("", RESIDUAL),
        ("{'type':'flatten'},", DENSE),
        ("{'type':'flatten'},", DENSE.replace("%s", NORMALIZED + "%s")),
    ],
)
def test_every_kind_of_layer_computes_with_it(
    tmp_path: Path, before: str, layer: str, name: str
) -> None:
    after = "" if before else ",{'type':'flatten'}"
    plain = computed(layers_of(tmp_path, before + layer % ",'activation':'linear'" + after))
    assert plain.min() < -0.1 and plain.max() > 0.1
    found = computed(layers_of(tmp_path, before + layer % "" + after, activation=name))
    assert np.allclose(found, FUNCTIONS[name](plain), atol=1e-4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_layers_in_layers_compute_with_it(tmp_path: Path, name: str) -> None:
    inside = "{'type':'residual','activation':'linear','layers':[%s]},{'type':'flatten'}"
    way_past = np.pad(some_images()[..., np.newaxis] / 255.0, [(0, 0), (0, 0), (0, 0), (0, 1)])
    way_past = way_past.reshape(4, -1)
    linear = inside % (CONVOLUTION % ",'activation':'linear'")
    plain = computed(layers_of(tmp_path, linear)) - way_past
    found = computed(layers_of(tmp_path, inside % (CONVOLUTION % ""), activation=name)) - way_past
    assert np.allclose(found, FUNCTIONS[name](plain), atol=1e-4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_pools_after_it_makes_the_same_of_it(tmp_path: Path, name: str) -> None:
    pooled = ",{'type':'maxpooling','pool_size':4},{'type':'flatten'}"
    plain = computed(
        layers_of(tmp_path, CONVOLUTION % ",'activation':'linear'" + ",{'type':'flatten'}")
    )
    windows = FUNCTIONS[name](plain).reshape(4, 7, 4, 7, 4, 2)
    found = computed(layers_of(tmp_path, CONVOLUTION % "" + pooled, activation=name))
    assert np.allclose(found, windows.max((2, 4)).reshape(4, -1), atol=1e-4)


def test_layers_that_name_their_own_compute_with_that(tmp_path: Path) -> None:
    own = ",'activation':'%s'"
    variant = ",".join(
        [
            CONVOLUTION % own % "linear",
            RESIDUAL % own % "relu",
            "{'type':'squeezeexcitation','ratio':1}",
            "{'type':'activation','activation':'relu'}",
            "{'type':'flatten'}",
            DENSE % own % "linear",
        ]
    )
    usual = computed(layers_of(tmp_path, variant))
    for name in FUNCTIONS:
        assert np.array_equal(computed(layers_of(tmp_path, variant, activation=name)), usual)


def test_an_entry_says_what_was_built_and_reads_as_it_was_trained(
    tmp_path: Path, data_set: DataSet
) -> None:
    variant = "{'type':'maxpooling','pool_size':4},{'type':'flatten'}," + DENSE % ""
    reading = {}
    for name in ("relu", "gelu"):
        (task,) = tasks_of(tmp_path, variant, activation=name)
        entry = train_entry(
            task, data_set, 3, None, show=lambda progress: None, should_stop=lambda: False
        )
        collection = ModelCollection(data_set.classes)
        collection.add(entry, overlap.image_keys(data_set.images))
        save_collection(collection, tmp_path / name)
        saved = (tmp_path / name / "collection.json").read_text()
        assert saved.count('"activation"') == saved.count(f'"activation": "{name}"') == 1
        (loaded,) = load_collection(tmp_path / name).entries
        assert loaded.identity == entry.identity == task.identity
        reading[name] = cnn_model.predict(network_of(loaded, 3), data_set.images[:9])
        # As a network that is put together by hand reads with these weights.
        kernel, bias, kernel_above, bias_above = (array.astype("f4") for array in loaded.weights)
        pooled = data_set.images[:9].reshape(9, 7, 4, 7, 4).max((2, 4)).reshape(9, 49) / 255
        function = keras.activations.get(name)
        hidden = np.asarray(function((pooled @ kernel + bias).astype("f4")))
        expected = keras.ops.softmax(hidden @ kernel_above + bias_above)
        assert np.allclose(reading[name], expected, atol=1e-4)
    assert not np.allclose(reading["relu"], reading["gelu"], atol=1e-3)
