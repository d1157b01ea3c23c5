"""Tests of how trainings are told in a few words, each and side by side."""

import dataclasses
from typing import Any

import pytest

from settings.network_layers import (
    Activation,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPooling,
    Residual,
    SqueezeExcitation,
    Variant,
)
from settings.training_parameters import Augmentation, Distillation, TrainingParameters
from settings.training_words import comparison, training_summary

PLAIN = TrainingParameters("sgd", 64, 1)
DENSE: Variant = (Flatten(), Dense(4))
OTHERS: dict[str, Any] = {
    "optimizer": "adam",
    "train_batch_size": 32,
    "train_epochs": 2,
    "learning_rate": 0.1,
    "early_stopping_patience": 3,
    "momentum": 0.9,
    "learning_rate_schedule": "one_cycle",
    "warmup_epochs": 0.5,
    "weight_decay": 0.0005,
    "label_smoothing": 0.1,
    "moving_average": 0.999,
    "mixup": 0.2,
    "cutmix": 1.0,
    "augmentation": Augmentation(rotation=10, shift=2),
    "class_weighting": "prior",
    "test_time_shifts": 1,
    "calibration": "classes",
    "distillation": Distillation("3f9a12cd3f9a12cd", 0.8, 2.0),
    "precision": "bfloat16",
}


def side_by_side(*parameters: TrainingParameters) -> tuple[str, tuple[str, ...]]:
    found = comparison((DENSE, each) for each in parameters)
    return found.common, found.own


def test_everything_that_changes_a_result_is_told_in_a_few_words() -> None:
    assert training_summary(DENSE, TrainingParameters(**OTHERS)) == (
        "adam, batch 32, 2 epochs, rate 0.1, patience 3, momentum 0.9, one cycle, warm-up 0.5, "
        "weight decay 0.0005, label smoothing 0.1, moving average 0.999, mixup 0.2, cutmix 1, "
        "rotation 10, shift 2, class weighting prior, test-time shifts 1, "
        "calibration, teacher 3f9a12cd, teacher's weight 0.8, temperature 2, bfloat16"
    )


def test_one_epoch_is_one_epoch_and_showing_layers_is_not_told() -> None:
    assert (
        training_summary(DENSE, dataclasses.replace(PLAIN, verbose=1)) == "sgd, batch 64, 1 epoch"
    )


def test_the_keys_above_are_all_that_there_are() -> None:
    assert {*OTHERS, "verbose"} == {field.name for field in dataclasses.fields(TrainingParameters)}


@pytest.mark.parametrize("key", OTHERS)
def test_trainings_that_differ_in_one_key_are_told_apart(key: str) -> None:
    other = dataclasses.replace(PLAIN, **{key: OTHERS[key]})
    common, (first, second) = side_by_side(PLAIN, other)
    assert first != second and second
    for words in ("sgd", "batch 64", "1 epoch"):
        assert (words in common.split(", ")) != (words in first.split(", "))


@pytest.mark.parametrize(
    ("key", "one", "two"),
    [
        ("learning_rate", 0.1234567, 0.1234568),
        ("augmentation", Augmentation(rotation=10), Augmentation(rotation=10, elastic=0.5)),
        ("augmentation", Augmentation(), None),
        ("distillation", Distillation("3f9a"), Distillation("3f9b")),
        ("distillation", Distillation("3f9a"), Distillation("3f9a", 0.25)),
        ("distillation", Distillation("3f9a"), Distillation("3f9a", temperature=3)),
    ],
)
def test_two_values_of_a_key_are_told_apart(key: str, one: Any, two: Any) -> None:
    _, (first, second) = side_by_side(
        dataclasses.replace(PLAIN, **{key: one}), dataclasses.replace(PLAIN, **{key: two})
    )
    assert first != second


def test_what_all_have_in_common_is_told_once_and_the_rest_of_each() -> None:
    assert side_by_side(
        PLAIN,
        dataclasses.replace(PLAIN, momentum=0.9, mixup=0.2),
        dataclasses.replace(PLAIN, learning_rate_schedule="cosine", train_epochs=3),
    ) == ("sgd, batch 64", ("1 epoch", "1 epoch, momentum 0.9, mixup 0.2", "3 epochs, cosine"))


def test_distortions_in_common_are_told_once_each() -> None:
    assert side_by_side(
        dataclasses.replace(PLAIN, augmentation=Augmentation(rotation=10, shift=1)),
        dataclasses.replace(PLAIN, augmentation=Augmentation(rotation=10, shift=2)),
    ) == ("sgd, batch 64, 1 epoch, rotation 10", ("shift 1", "shift 2"))


def test_trainings_without_a_difference_are_alike() -> None:
    found = comparison([(DENSE, PLAIN)] * 3)
    assert found.alike and found.common == "sgd, batch 64, 1 epoch"
    assert not comparison([(DENSE, PLAIN), (DENSE, TrainingParameters("adam", 1, 2))]).common


# ------------------------------------------------------------------------- activations


def activations(*networks: Variant) -> tuple[str, tuple[str, ...]]:
    found = comparison((layers, PLAIN) for layers in networks)
    return found.common.removeprefix("sgd, batch 64, 1 epoch"), found.own


def block(inner: str, after: str) -> tuple[Layer, ...]:
    layers = (Conv2D(1, (3, 3), activation=inner), Conv2D(1, (3, 3), activation="linear"))
    return (Residual((*layers, SqueezeExcitation()), after), Flatten())


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((Flatten(),), ""),
        (DENSE, ""),
        (block("relu", "relu"), ""),
        (block("silu", "silu"), ", activation silu"),
        (block("relu", "tanh"), ", activation relu/tanh"),
        ((Flatten(), Dense(4, "linear")), ", activation linear"),
        ((Conv2D(1, (3, 3)), Activation("gelu"), Flatten()), ", activation relu/gelu"),
    ],
)
def test_activations_are_told_where_they_are_not_the_usual_one(layers: Variant, words: str) -> None:
    assert training_summary(layers, PLAIN) == "sgd, batch 64, 1 epoch" + words


def test_networks_with_other_activations_are_told_apart() -> None:
    assert activations(DENSE, (Flatten(), Dense(4, "tanh"))) == ("", ("relu", "tanh"))
    assert activations((Flatten(), Dense(4, "tanh")), (Flatten(), Dense(9, "tanh"))) == (
        ", activation tanh",
        ("", ""),
    )


def test_networks_that_differ_in_where_activations_stand_are_told_apart() -> None:
    def three(*names: str) -> Variant:
        return (Flatten(), *(Dense(4, name) for name in names))

    assert activations(three("relu", "relu", "tanh"), three("relu", "tanh", "tanh"), DENSE)[1] == (
        "2 relu/tanh",
        "relu/2 tanh",
        "relu",
    )
    assert activations(block("relu", "relu"), block("linear", "relu"))[1] == (
        "relu/linear/relu",
        "2 linear/relu",
    )


def test_other_differences_of_networks_are_no_difference_of_activations() -> None:
    pooled: Variant = (Conv2D(1, (3, 3)), MaxPooling((2, 2)), Flatten(), Dense(4, "linear"))
    assert activations(DENSE, block("relu", "relu"), pooled, (Flatten(),))[1][:3] == ("relu",) * 3
    assert activations(DENSE, block("relu", "relu"), pooled) == ("", ("", "", ""))
