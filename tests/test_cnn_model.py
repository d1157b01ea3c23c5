"""Tests of one variant as a Keras network: build, weights, fit, predict."""

import dataclasses
import itertools
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import cnn_model
from cnn_model import TrainingImages, TrainingProgress, TrainingStopped, build_network, fit_network
from data_parser import DataSet
from settings import layer_lists, network_layers
from settings.network_layers import (
    ACTIVATIONS,
    INCREASING_ACTIVATIONS,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling,
    Variant,
)
from settings.training_parameters import TrainingParameters

VARIANTS: list[Variant] = [
    (Flatten(),),
    (BatchNormalization(), Flatten(), Flatten(), Dense(3), BatchNormalization(), Dense(2)),
    (
        Conv2D(3, (3, 3)),
        MaxPooling((2, 2)),
        Dropout(0.25),
        BatchNormalization(),
        Conv2D(2, (2, 5), (2, 1), "valid", "gelu"),
        MaxPooling((3, 1)),
        Flatten(),
        Dense(5, "tanh"),
        Dropout(0.5),
        BatchNormalization(),
    ),
    (Conv2D(2, (28, 28), (3, 3), "same", "elu"), Conv2D(4, (1, 1), activation="silu"), Flatten()),
    (Conv2D(2, (4, 4), (4, 4), "valid", "linear"), MaxPooling((2, 2)), MaxPooling((3, 3)),
     Dropout(0), Flatten(), Dropout(0.5), Dense(4, "softplus")),
]  # fmt: skip


def images_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def randomised(network: keras.Model) -> keras.Model:
    """Weights that no layer has at its start, moving variances above 0."""
    random = np.random.default_rng(8)
    weights = cnn_model.get_weights(network)
    cnn_model.set_weights(
        network, tuple(np.abs(random.normal(0.1, 0.3, w.shape)).astype("f4") + 0.01 * w
                       for w in weights)
    )  # fmt: skip
    return network


def seeded(layers: Sequence[Layer], classes: int = 3, seed: int = 4) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_network(layers, classes)


def layers_named(network: keras.Model) -> list[keras.layers.Layer]:
    """The Keras layers that a variant names, without those that prepare images or activate."""
    others = (
        keras.layers.InputLayer,
        keras.layers.Rescaling,
        keras.layers.Reshape,
        keras.layers.Activation,
    )
    return [layer for layer in network.layers if not isinstance(layer, others)]


# ------------------------------------------------------------------------- shapes and weights


@pytest.mark.parametrize("layers", VARIANTS)
def test_counts_are_those_of_the_network_that_keras_builds(layers: Variant) -> None:
    network = build_network(layers, 7)
    arrays = layer_lists.weight_arrays(layers, 7)
    assert layer_lists.parameter_count(layers, 7) == network.count_params()
    trainable = sum(array.size for array in arrays if array.trainable)
    assert trainable == sum(int(np.prod(w.shape)) for w in network.trainable_weights)
    lines = layer_lists.layer_lines((*layers, Dense(7, "softmax")))
    counts = [layer.count_params() for layer in layers_named(network)]
    assert [line.parameters for line in lines] == counts


@pytest.mark.parametrize("layers", VARIANTS)
def test_shapes_are_those_of_the_network_that_keras_builds(layers: Variant) -> None:
    theirs = [layer.output.shape[1:] for layer in layers_named(build_network(layers, 7))]
    assert [*network_layers.shapes_after(layers), (7,)] == theirs


@pytest.mark.parametrize("layers", VARIANTS)
def test_weights_have_the_names_and_shapes_that_keras_saves(
    layers: Variant, tmp_path: Path
) -> None:
    network = randomised(build_network(layers, 7))
    path = tmp_path / "theirs.weights.h5"
    network.save_weights(path)
    ours = cnn_model.get_weights(network)
    arrays = layer_lists.weight_arrays(layers, 7)
    assert [array.shape for array in arrays] == [weights.shape for weights in ours]
    with h5py.File(path) as file:
        for array, weights in zip(arrays, ours, strict=True):
            assert np.array_equal(file[array.path][()], weights)


@pytest.mark.parametrize("layers", VARIANTS)
def test_weights_that_are_taken_out_and_put_in_again_read_the_same(layers: Variant) -> None:
    network, other = randomised(build_network(layers, 4)), build_network(layers, 4)
    images = images_of(5)
    cnn_model.set_weights(other, cnn_model.get_weights(network))
    assert np.array_equal(cnn_model.predict(network, images), cnn_model.predict(other, images))


def test_weights_are_copies() -> None:
    network = build_network((Flatten(),), 2)
    weights = cnn_model.get_weights(network)
    before = weights[0].copy()
    cnn_model.set_weights(network, tuple(w + 1 for w in weights))
    assert np.array_equal(weights[0], before)


def test_too_few_or_misshapen_weights_are_refused() -> None:
    network = build_network((Flatten(), Dense(3)), 2)
    weights = cnn_model.get_weights(network)
    with pytest.raises(ValueError, match="zip"):
        cnn_model.set_weights(network, weights[:-1])
    with pytest.raises(ValueError, match="shape"):
        cnn_model.set_weights(network, (weights[0].T, *weights[1:]))


# ------------------------------------------------------------------------- what a network computes


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pool", [(2, 2), (3, 2), None])
def test_a_network_computes_what_the_plain_layers_compute(
    activation: str, pool: tuple[int, int] | None
) -> None:
    pooling: tuple[Layer, ...] = (MaxPooling(pool),) if pool else ()
    conv = Conv2D(4, (3, 3), (1, 1), "same", activation)
    network = seeded((conv, *pooling, Dropout(0.3), BatchNormalization(), Flatten(), Dense(5)))
    plain = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation=activation),
            *([keras.layers.MaxPooling2D(pool)] if pool else []),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    weights = [w * 3 + np.float32(0.01) for w in cnn_model.get_weights(network)]
    cnn_model.set_weights(network, tuple(weights))
    plain.set_weights(weights)
    images = images_of(30)
    theirs = np.asarray(plain(images[..., None].astype("f4") / 255))
    ours = cnn_model.predict(network, images)
    # Keras' tanh and such are not increasing to the last bit, nor the same in every position.
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    moved = [layer for layer in network.layers if isinstance(layer, keras.layers.Activation)]
    assert len(moved) == (pool is not None and activation in INCREASING_ACTIVATIONS)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_pooling_before_the_activation_changes_no_bit(activation: str) -> None:
    conv = Conv2D(6, (3, 3), activation=activation)
    network = seeded((conv, MaxPooling((2, 2)), Flatten()))
    plain = keras.Sequential(
        [
            keras.Input((28, 28), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(6, 3, padding="same", activation=activation),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    plain.set_weights(network.get_weights())
    images = images_of(50)
    assert np.array_equal(cnn_model.predict(network, images), cnn_model.predict(plain, images))


@pytest.mark.parametrize("pooling", [(), (MaxPooling((2, 2)),)])
def test_the_activation_of_a_convolution_is_applied(pooling: tuple[Layer, ...]) -> None:
    images, outputs = images_of(4), []
    for activation in ACTIVATIONS:
        network = seeded((Conv2D(3, (3, 3), activation=activation), *pooling, Flatten()))
        outputs.append(cnn_model.predict(network, images))
    for one, other in itertools.combinations(outputs, 2):
        assert np.abs(one - other).max() > 1e-4


def test_the_activation_of_a_dense_layer_is_applied() -> None:
    images, outputs = images_of(4), []
    for activation in ACTIVATIONS:
        network = seeded((Flatten(), Dense(20, activation)))
        outputs.append(cnn_model.predict(network, images))
    for one, other in itertools.combinations(outputs, 2):
        assert np.abs(one - other).max() > 1e-4


def test_pixels_are_scaled_to_the_range_of_0_to_1_inside() -> None:
    network = build_network((Flatten(),), 2)
    kernel = np.zeros((784, 2), np.float32)
    kernel[5 * 28 + 7, 1] = 1.0
    cnn_model.set_weights(network, (kernel, np.zeros(2, np.float32)))
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 5, 7] = 0, 51, 255
    read = cnn_model.predict(network, images)
    assert np.allclose(np.log(read[:, 1] / read[:, 0]), [0, 0.2, 1], atol=1e-6)


def test_probabilities_sum_to_1() -> None:
    read = cnn_model.predict(randomised(build_network(VARIANTS[2], 47)), images_of(9))
    assert read.dtype == np.float32 and read.shape == (9, 47)
    assert np.allclose(read.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("count", [1, cnn_model.FEW_IMAGES, cnn_model.FEW_IMAGES + 1])
def test_few_images_are_read_as_many_are(count: int) -> None:
    network = randomised(build_network(VARIANTS[2], 5))
    images = images_of(cnn_model.PREDICTION_BATCH + 20)
    many = cnn_model.predict(network, images)
    assert np.allclose(cnn_model.predict(network, images[:count]), many[:count], atol=1e-6)


# ------------------------------------------------------------------------- training

SIMPLE: Variant = (Flatten(), Dense(8))
FULL: Variant = (
    Conv2D(4, (3, 3)),
    MaxPooling((2, 2)),
    Dropout(0.25),
    BatchNormalization(),
    Flatten(),
    Dense(8),
    Dropout(0.25),
)


@pytest.fixture(scope="module")
def images(data_set: DataSet) -> TrainingImages:
    splits = data_set.splits
    return TrainingImages(data_set.images, data_set.labels, splits.training, splits.validation)


def fitted(
    layers: Variant,
    images: TrainingImages,
    parameters: TrainingParameters,
    seed: int = 4,
    **how: Any,
) -> tuple[cnn_model.Fitted, cnn_model.Weights]:
    network = seeded(layers, 3, seed)
    result = fit_network(network, images, parameters, seed, **how)
    return result, cnn_model.get_weights(network)


def test_an_easy_task_is_learnt(images: TrainingImages) -> None:
    result, _ = fitted(FULL, images, TrainingParameters("adam", 8, 6))
    assert len(result.epochs) == 6 and result.seconds > 0
    assert result.epochs[-1].validation_accuracy == 1.0
    assert result.epochs[-1].loss < result.epochs[0].loss


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    images: TrainingImages,
) -> None:
    parameters = TrainingParameters("adam", 10, 2)
    first, weights = fitted(FULL, images, parameters)
    again, same = fitted(FULL, images, parameters)
    other, different = fitted(FULL, images, parameters, seed=5)
    assert first.epochs == again.epochs != other.epochs
    assert all(np.array_equal(a, b) for a, b in zip(weights, same, strict=True))
    assert not np.array_equal(weights[0], different[0])


def test_the_order_of_images_goes_by_the_seed(images: TrainingImages) -> None:
    results = []
    for seed in (1, 2):
        network = seeded(SIMPLE, 3, 4)
        fit_network(network, images, TrainingParameters("sgd", 4, 1), seed)
        results.append(cnn_model.get_weights(network)[0])
    assert not np.array_equal(results[0], results[1])


def test_only_training_rows_are_learnt_from(images: TrainingImages) -> None:
    changed = images.images.copy()
    rest = np.setdiff1d(np.arange(len(changed)), images.training)
    changed[rest] = 255
    other = dataclasses.replace(images, images=changed)
    parameters = TrainingParameters("adam", 8, 2)
    one, two = fitted(SIMPLE, images, parameters), fitted(SIMPLE, other, parameters)
    assert all(np.array_equal(a, b) for a, b in zip(one[1], two[1], strict=True))
    assert one[0].epochs[0].validation_loss != two[0].epochs[0].validation_loss


def test_the_learning_rate_is_used(images: TrainingImages) -> None:
    start = cnn_model.get_weights(seeded(SIMPLE))
    moved = []
    for rate in (1e-6, 1e-3):
        parameters = TrainingParameters("sgd", 8, 1, learning_rate=rate)
        _, weights = fitted(SIMPLE, images, parameters)
        moved.append(max(np.abs(a - b).max() for a, b in zip(weights, start, strict=True)))
    assert 0 < moved[0] < 1e-4 < moved[1]


def test_no_learning_rate_is_the_optimizers_own(images: TrainingImages) -> None:
    _, own = fitted(SIMPLE, images, TrainingParameters("adam", 8, 1))
    _, same = fitted(SIMPLE, images, TrainingParameters("adam", 8, 1, learning_rate=0.001))
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(own, same, strict=True))


def test_the_optimizer_is_used(images: TrainingImages) -> None:
    found = [
        fitted(SIMPLE, images, TrainingParameters(name, 8, 1))[1][0] for name in ("sgd", "adam")
    ]
    assert not np.allclose(found[0], found[1], atol=1e-4)


def noisy(data_set: DataSet) -> TrainingImages:
    """Labels that cannot be learnt, so that validation accuracy goes up and down."""
    labels = np.random.default_rng(1).permutation(data_set.labels)
    return TrainingImages(
        data_set.images, labels, data_set.splits.training, data_set.splits.validation
    )


def test_early_stopping_keeps_the_weights_of_the_best_epoch(data_set: DataSet) -> None:
    images = noisy(data_set)
    parameters = TrainingParameters("adam", 8, 12, learning_rate=0.01, early_stopping_patience=3)
    result, weights = fitted(SIMPLE, images, parameters)
    accuracies = [epoch.validation_accuracy for epoch in result.epochs]
    best = int(np.argmax(accuracies))
    assert len(accuracies) == min(12, best + 1 + 3)
    assert best < len(accuracies) - 1, "the task should make early stopping matter"
    until_best = dataclasses.replace(
        parameters, train_epochs=best + 1, early_stopping_patience=None
    )
    _, expected = fitted(SIMPLE, images, until_best)
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))


def test_without_early_stopping_the_last_epochs_weights_are_kept(data_set: DataSet) -> None:
    images = noisy(data_set)
    network = seeded(SIMPLE)
    parameters = TrainingParameters("adam", 8, 5, learning_rate=0.01)
    result = fit_network(network, images, parameters, 4)
    rows = images.validation
    read = cnn_model.predict(network, images.images[rows]).argmax(axis=1)
    assert (read == images.labels[rows]).mean() == pytest.approx(
        result.epochs[-1].validation_accuracy
    )


def test_training_ends_when_asked(images: TrainingImages) -> None:
    told: list[TrainingProgress] = []
    with pytest.raises(TrainingStopped):
        fitted(
            SIMPLE,
            images,
            TrainingParameters("adam", 8, 100),
            show=told.append,
            should_stop=lambda: len(told) >= 5,
        )
    assert told[-1].epoch <= 4


def test_training_that_is_ended_at_once_shows_nothing(images: TrainingImages) -> None:
    told: list[TrainingProgress] = []
    with pytest.raises(TrainingStopped):
        fitted(
            SIMPLE,
            images,
            TrainingParameters("adam", 8, 1),
            show=told.append,
            should_stop=lambda: True,
        )
    assert told == []


def test_reading_validation_images_can_be_stopped(images: TrainingImages) -> None:
    asked: list[str] = []

    def should_stop() -> bool:
        asked.append(traceback.extract_stack()[-2].name)
        return asked[-1] == "on_test_batch_end"

    with pytest.raises(cnn_model.TrainingStopped):
        fitted(SIMPLE, images, TrainingParameters("adam", 8, 2), should_stop=should_stop)
    assert asked.count("on_test_batch_end") == 1


@pytest.mark.parametrize(("batch_size", "most"), [(8, 96), (128, 6), (2000, 1)])
def test_large_batches_are_told_of_more_often(
    images: TrainingImages, batch_size: int, most: int
) -> None:
    many = np.resize(images.training, 1600)
    told: list[TrainingProgress] = []
    fitted(
        SIMPLE,
        dataclasses.replace(images, training=many),
        TrainingParameters("adam", batch_size, 1),
        show=told.append,
    )
    assert told[0].batch == min(most, -(-1600 // batch_size))


@pytest.mark.parametrize("batch_size", [1, 2, 7, 1000])
def test_progress_counts_up_to_the_number_of_batches(
    images: TrainingImages, batch_size: int
) -> None:
    told: list[TrainingProgress] = []
    fitted(SIMPLE, images, TrainingParameters("adam", batch_size, 2), show=told.append)
    batches = -(-len(images.training) // batch_size)
    assert {(p.batches, p.epochs) for p in told} == {(batches, 2)}
    places = [(p.epoch, p.batch) for p in told]
    assert places == sorted(places) and places[-1] == (2, batches)
    assert all(1 <= batch <= batches for _, batch in places)
    assert all(p.seconds_left >= 0 for p in told) and told[-1].seconds_left == 0
    assert all(0 <= p.accuracy <= 1 and p.loss >= 0 for p in told)
    assert [len(p.finished) for p in told if p.batch == batches][-1] == 2


def test_half_precision_is_half_the_size() -> None:
    weights = cnn_model.get_weights(build_network(SIMPLE, 3))
    half = cnn_model.to_half_precision(weights)
    assert {array.dtype for array in half} == {np.dtype(np.float16)}
    assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(weights, half, strict=True))


def test_any_number_of_classes_from_2_on_can_be_told_apart(
    make_data_set: Callable[..., DataSet],
) -> None:
    for classes in ("AB", "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"):
        data = make_data_set(classes, 12)
        images = TrainingImages(
            data.images, data.labels, data.splits.training, data.splits.validation
        )
        network = build_network(SIMPLE, len(classes))
        fit_network(network, images, TrainingParameters("adam", 32, 1), 1)
        assert cnn_model.predict(network, data.images[:2]).shape == (2, len(classes))
