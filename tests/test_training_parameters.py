"""Tests of training parameters as plain data: what they may be, and what contradicts what."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings.training_parameters import (
    AUGMENTATION_CHECKS,
    CLASS_WEIGHTINGS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    WITH_MOMENTUM,
    Augmentation,
    Distillation,
    TrainingParameters,
    training_parameters_from_dictionary,
    training_parameters_to_json,
)

GOOD: dict[str, Any] = {"optimizer": "adam", "train_batch_size": 32, "train_epochs": 10}
EVERYTHING: dict[str, Any] = {
    "optimizer": "sgd",
    "train_batch_size": 64,
    "train_epochs": 20,
    "verbose": 1,
    "learning_rate": 0.1,
    "early_stopping_patience": 4,
    "momentum": 0.9,
    "learning_rate_schedule": "cosine",
    "warmup_epochs": 1.5,
    "weight_decay": 0.0005,
    "label_smoothing": 0.1,
    "moving_average": 0.999,
    "mixup": 0.2,
    "augmentation": {"rotation": 10.0, "shift": 2.0, "elastic": 1.0},
    "class_weighting": "prior",
    "test_time_shifts": 1,
    "calibration": "classes",
    "distillation": {"teacher": "3f9a", "weight": 0.7, "temperature": 4.0},
    "precision": "bfloat16",
}


def read(**changes: Any) -> TrainingParameters:
    parameters, problems = training_parameters_from_dictionary(GOOD | changes)
    assert parameters is not None and problems == []
    return parameters


def problems_of(**changes: Any) -> list[str]:
    parameters, problems = training_parameters_from_dictionary(GOOD | changes)
    assert parameters is None
    return problems


# ------------------------------------------------------------------------- good parameters


def test_every_key_is_read() -> None:
    parameters, problems = training_parameters_from_dictionary(EVERYTHING)
    assert problems == []
    assert parameters == TrainingParameters(
        optimizer="sgd",
        train_batch_size=64,
        train_epochs=20,
        verbose=1,
        learning_rate=0.1,
        early_stopping_patience=4,
        momentum=0.9,
        learning_rate_schedule="cosine",
        warmup_epochs=1.5,
        weight_decay=0.0005,
        label_smoothing=0.1,
        moving_average=0.999,
        mixup=0.2,
        augmentation=Augmentation(rotation=10, shift=2, elastic=1),
        class_weighting="prior",
        test_time_shifts=1,
        calibration="classes",
        distillation=Distillation("3f9a", 0.7, 4),
        precision="bfloat16",
    )


def test_what_is_written_is_read_as_it_was() -> None:
    parameters, _ = training_parameters_from_dictionary(EVERYTHING)
    assert parameters is not None
    text = json.dumps(training_parameters_to_json(parameters))
    assert training_parameters_from_dictionary(json.loads(text)) == (parameters, [])
    assert training_parameters_to_json(read()) == GOOD | {"verbose": 0}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_is_one_of_keras(optimizer: str) -> None:
    import keras

    chosen = read(optimizer=optimizer).optimizer
    assert type(keras.optimizers.get(chosen)).__name__.lower() == optimizer


@pytest.mark.parametrize("optimizer", WITH_MOMENTUM)
def test_optimizers_with_momentum_are_those_of_keras(optimizer: str) -> None:
    import keras

    assert read(optimizer=optimizer, momentum=0.9).momentum == 0.9
    assert "momentum" in keras.optimizers.get(optimizer).get_config()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_needs_its_highest_rate(schedule: str) -> None:
    assert read(learning_rate_schedule=schedule, learning_rate=1).learning_rate_schedule == schedule
    (problem,) = problems_of(learning_rate_schedule=schedule)
    assert "'learning_rate_schedule' needs the key 'learning_rate'" in problem


@pytest.mark.parametrize("weighting", CLASS_WEIGHTINGS)
def test_every_class_weighting_is_read(weighting: str) -> None:
    assert read(class_weighting=weighting).class_weighting == weighting


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_is_one_that_keras_can_mix_with_32_bits(precision: str) -> None:
    import keras

    policy = keras.dtype_policies.DTypePolicy(f"mixed_{read(precision=precision).precision}")
    assert (policy.compute_dtype, policy.variable_dtype) == (precision, "float32")


def test_classes_can_be_sampled_beside_a_teacher_and_whatever_mixes_images() -> None:
    for other in ({"distillation": {"teacher": 0}}, {"mixup": 0.2}, {"cutmix": 1.0}):
        assert read(class_weighting="sampling", **other).class_weighting == "sampling"


@pytest.mark.parametrize("teacher", [0, 7, "3f9a", "0123456789abcdef"])
def test_a_teacher_is_the_number_of_a_variant_or_an_identity(teacher: int | str) -> None:
    assert read(distillation={"teacher": teacher}).distillation == Distillation(teacher, 0.5, 1.0)


# ------------------------------------------------------------------------- wrong parameters


@pytest.mark.parametrize("given_instead", [None, 3, [], "adam", [{}]])
def test_what_is_no_dictionary_is_refused(given_instead: Any) -> None:
    parameters, (problem,) = training_parameters_from_dictionary(given_instead)
    assert parameters is None
    assert problem == f"training parameters are one dictionary {{...}}, not {given_instead!r}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"momentum": 1, "optimizer": "sgd"}, "'momentum' is 1, but must be a number from 0 up"),
        (
            {"learning_rate_schedule": "step", "learning_rate": 1},
            "is 'step', but must be one of 'cosine', 'one_cycle'",
        ),
        ({"weight_decay": -1e-9}, "'weight_decay' is -1e-09"),
        ({"weight_decay": "0.1"}, "'weight_decay' is '0.1'"),
        ({"label_smoothing": 1}, "'label_smoothing' is 1"),
        ({"moving_average": 1.0}, "'moving_average' is 1.0"),
        ({"moving_average": True}, "'moving_average' is True"),
        ({"mixup": 0}, "'mixup' is 0, but must be a number above 0"),
        ({"mixup": float("nan")}, "'mixup' is nan"),
        ({"cutmix": 11}, "'cutmix' is 11"),
        ({"class_weighting": True}, "'class_weighting' is True, but must be one of"),
        (
            {"class_weighting": "sample"},
            "is 'sample', but must be one of 'balanced', 'prior', 'sam",
        ),
        ({"class_weighting": ["sampling"]}, "'class_weighting' is ['sampling'], but must be one"),
        ({"precision": "float16"}, "'precision' is 'float16', but must be one of 'bfloat16'"),
        ({"precision": "BFLOAT16"}, "'precision' is 'BFLOAT16', but must be one of 'bfloat16'"),
        ({"precision": "mixed_bfloat16"}, "'precision' is 'mixed_bfloat16'"),
        ({"precision": 16}, "'precision' is 16, but must be one of 'bfloat16'"),
        ({"precision": None}, "'precision' is None, but must be one of 'bfloat16'"),
        ({"test_time_shifts": 4}, "'test_time_shifts' is 4, but must be a whole number from 1"),
        ({"test_time_shifts": 1.0}, "'test_time_shifts' is 1.0"),
        ({"calibration": True}, "'calibration' is True, but must be one of 'classes'"),
        ({"warmup": 3}, "no key 'warmup'; its keys are"),
        ({3: 3}, "no key 3"),
    ],
)
def test_a_wrong_value_is_quoted_with_what_would_be_right(changes: Any, said: str) -> None:
    parameters, (problem,) = training_parameters_from_dictionary(GOOD | changes)
    assert parameters is None and said in problem


@pytest.mark.parametrize("key", AUGMENTATION_CHECKS)
@pytest.mark.parametrize("wrong", [-0.1, 1000, "1", None, True, float("inf"), [1]])
def test_a_wrong_bound_of_an_augmentation_is_named(key: str, wrong: Any) -> None:
    (problem,) = problems_of(augmentation={key: wrong})
    assert problem.startswith(f"'augmentation': {key!r} is {wrong!r}, but must be")


@pytest.mark.parametrize("wrong", [None, 3, {}, [], "rotation", [("rotation", 3)]])
@pytest.mark.parametrize("key", ["augmentation", "distillation"])
def test_what_is_no_dictionary_of_a_nested_key_is_refused(key: str, wrong: Any) -> None:
    (problem,) = problems_of(**{key: wrong})
    assert f"{key!r} is {wrong!r}, but must be a dictionary with keys of" in problem


def test_every_problem_of_a_nested_dictionary_is_named() -> None:
    problems = problems_of(augmentation={"rotate": 3, "shift": 15, "scale": -1})
    said = ("it has no key 'rotate'; its keys are", "'shift' is 15", "'scale' is -1")
    for problem, words in zip(problems, said, strict=True):
        assert problem.startswith(f"'augmentation': {words}")
    assert str(problems).count("'perspective'") == 1


@pytest.mark.parametrize(
    "teacher", [-1, 100_001, 1.0, True, None, "3f9", "3F9A", "0" * 17, "3f9a\n", "../x", [0]]
)
def test_what_is_no_teacher_is_refused(teacher: Any) -> None:
    (problem,) = problems_of(distillation={"teacher": teacher})
    assert "'teacher' is" in problem and "the number of a variant" in problem


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"weight": 0.5}, "needs the key 'teacher'"),
        ({"teacher": 0, "weight": 0}, "'weight' is 0"),
        ({"teacher": 0, "weight": 1.1}, "'weight' is 1.1"),
        ({"teacher": 0, "temperature": 21}, "'temperature' is 21"),
        ({"teacher": 0, "hard": True}, "no key 'hard'"),
    ],
)
def test_a_wrong_distillation_is_named(about: dict[str, Any], said: str) -> None:
    (problem,) = problems_of(distillation=about)
    assert said in problem


# ------------------------------------------------------------------------- contradictions


@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - set(WITH_MOMENTUM)))
def test_momentum_needs_an_optimizer_that_has_it(optimizer: str) -> None:
    (problem,) = problems_of(optimizer=optimizer, momentum=0.9)
    assert f"{optimizer!r} has none" in problem and "'rmsprop' or 'sgd'" in problem


def test_warming_up_needs_a_schedule() -> None:
    (problem,) = problems_of(warmup_epochs=1)
    assert "'warmup_epochs' needs the key 'learning_rate_schedule'" in problem


@pytest.mark.parametrize("epochs", [10, 11.5])
def test_warming_up_ends_before_the_training(epochs: float) -> None:
    scheduled = {"learning_rate_schedule": "cosine", "learning_rate": 0.1}
    assert read(**scheduled, warmup_epochs=9.9).warmup_epochs == 9.9
    (problem,) = problems_of(**scheduled, warmup_epochs=epochs)
    assert f"'warmup_epochs' is {epochs:g}, but must be below 'train_epochs', 10" in problem


def test_images_are_mixed_in_one_way() -> None:
    (problem,) = problems_of(mixup=0.2, cutmix=0.2)
    assert "'mixup' and 'cutmix' are both there" in problem


def test_a_teacher_does_not_go_with_weighted_classes() -> None:
    (problem,) = problems_of(distillation={"teacher": 0}, class_weighting="balanced")
    assert "'prior' instead" in problem
    assert read(distillation={"teacher": 0}, class_weighting="prior").distillation is not None


def test_every_contradiction_is_named() -> None:
    assert len(problems_of(momentum=0.9, warmup_epochs=1, mixup=1, cutmix=1)) == 3


# ------------------------------------------------------------------------- the result


def test_what_changes_no_result_does_not_tell_trainings_apart() -> None:
    assert read(verbose=1).changing_the_result() == read().changing_the_result() == GOOD


@pytest.mark.parametrize("key", sorted(set(EVERYTHING) - {"verbose"}))
def test_every_other_key_tells_trainings_apart(key: str) -> None:
    parameters, _ = training_parameters_from_dictionary(EVERYTHING)
    assert parameters is not None
    others: dict[str, Any] = {
        "optimizer": "rmsprop",
        "learning_rate_schedule": "one_cycle",
        "class_weighting": "sampling",
        "precision": None,
        "augmentation": Augmentation(shift=1),
        "distillation": Distillation("3f9b"),
    }
    value = others[key] if key in others else getattr(parameters, key) * 2
    changed = dataclasses.replace(parameters, **{key: value})
    assert changed.changing_the_result() != parameters.changing_the_result()


@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}, {"calibration": "classes"}])
def test_labels_alone_are_learnt_from_where_nothing_is_added_to_them(changes: Any) -> None:
    assert read(**changes).learns_from_labels_alone()


@pytest.mark.parametrize("weighting", CLASS_WEIGHTINGS)
def test_weighted_classes_are_more_than_labels_and_entries_of_their_own(weighting: str) -> None:
    weighted = read(class_weighting=weighting)
    assert not weighted.learns_from_labels_alone()
    assert weighted.changing_the_result() == GOOD | {"class_weighting": weighting}


# ------------------------------------------------------------------------- anything at all

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
keys = st.sampled_from([*EVERYTHING, "cutmix", "rotation", "teacher"])


@settings(deadline=None)
@given(st.dictionaries(keys, anything | st.dictionaries(keys, anything), max_size=4))
def test_any_dictionary_is_good_or_has_problems(changes: dict[str, Any]) -> None:
    for base in (GOOD, EVERYTHING):
        parameters, problems = training_parameters_from_dictionary(base | changes)
        assert (parameters is None) == bool(problems)
        if parameters is not None:
            written = training_parameters_to_json(parameters)
            assert training_parameters_from_dictionary(written) == (parameters, [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"momentum": 0.9}, "'momentum' is there, but 'adam' has none"),
        ({"momentum": 7}, "'momentum' is there, but 'adam' has none"),
        ({"learning_rate_schedule": "cosine"}, "needs the key 'learning_rate'"),
        ({"warmup_epochs": 1}, "'warmup_epochs' needs the key 'learning_rate_schedule'"),
        ({"warmup_epochs": 99}, "'warmup_epochs' is 99, but must be below 'train_epochs'"),
        ({"mixup": 1, "cutmix": 1}, "'mixup' and 'cutmix' are both there"),
        (
            {"distillation": {"teacher": 0}, "class_weighting": "balanced"},
            "'distillation' and 'class_weighting':'balanced' are both there",
        ),
    ],
)
def test_contradictions_are_named_beside_keys_that_are_wrong(
    changes: dict[str, Any], said: str
) -> None:
    wrong = {"label_smoothing": 3, "no_key": 1}
    _, problems = training_parameters_from_dictionary(GOOD | wrong | changes)
    assert any(said in problem for problem in problems)
    assert any("'label_smoothing' is 3" in problem for problem in problems)
    assert any("no key 'no_key'" in problem for problem in problems)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sdg", "momentum": 0.9},
        {"learning_rate_schedule": "cosine", "learning_rate": 0},
        {"train_epochs": 0, "learning_rate_schedule": "cosine", "learning_rate": 1,
         "warmup_epochs": 5},
    ],
)  # fmt: skip
def test_of_a_key_that_is_wrong_nothing_else_is_said(changes: dict[str, Any]) -> None:
    parameters, (problem,) = training_parameters_from_dictionary(GOOD | changes)
    assert parameters is None and "but must be" in problem
