"""Tests that a training's first step is traced once: nothing is made in the middle of it."""

import keras
import numpy as np
import pytest

from cnn_model import TrainingImages, build_network, fit_network
from data_parser import DataSet
from denoising.training import train_denoiser
from gan.features import build_feature_network, train_feature_network
from settings.network_layers import BatchNormalization, Dense, Flatten
from settings.training_parameters import TrainingParameters
from tests.conditional import easy_images
from tests.denoisers import a_denoiser
from training.variables import make_training_variables

LABELS_ALONE = TrainingParameters("adam", 8, 2)
TARGETS = TrainingParameters("adam", 8, 2, label_smoothing=0.1, moving_average=0.9)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[keras.Model]:
    """A model for each time that its step is traced."""
    models: list[keras.Model] = []
    step = keras.Model.train_step

    def counting(model: keras.Model, data: object) -> object:
        models.append(model)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counting)
    return models


@pytest.mark.parametrize("parameters", [LABELS_ALONE, TARGETS], ids=["labels", "targets"])
def test_a_variant_is_traced_once(
    data_set: DataSet, traced: list[keras.Model], parameters: TrainingParameters
) -> None:
    network = build_network((Flatten(), BatchNormalization(), Dense(4)), 3)
    splits = data_set.splits
    images = TrainingImages(data_set.images, data_set.labels, splits.training, splits.validation)
    fit_network(network, images, parameters, 1)
    assert len(traced) == 1


def test_a_network_that_a_generator_looks_through_is_traced_once(
    traced: list[keras.Model],
) -> None:
    network = build_feature_network(3, (3, 2, 2))
    assert train_feature_network(network, *easy_images(), 4, 1)
    assert len(traced) == 1


@pytest.mark.parametrize("kind", ["convolutional", "residual"])
def test_a_denoiser_is_traced_once(data_set: DataSet, traced: list[keras.Model], kind: str) -> None:
    train_denoiser(a_denoiser(kind, steps=3), *data_set.subset("training"), 3, 1)
    assert len(traced) == 1


def test_nothing_is_learnt_or_counted_while_variables_are_made() -> None:
    network = build_network((Flatten(), Dense(4)), 3)
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in network.variables]
    make_training_variables(network, keras.KerasTensor((None,), "int32"))
    for one, other in zip(before, network.variables, strict=True):
        np.testing.assert_array_equal(one, keras.ops.convert_to_numpy(other))
    assert int(network.optimizer.iterations) == 0
    counted = [float(variable) for variable in network.metrics_variables]
    assert len(counted) >= 4 and not any(counted)  # sum and count, of loss and accuracy
