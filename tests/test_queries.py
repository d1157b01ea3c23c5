"""Tests of queries: which entries `Results` lists, and in which order."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from evaluation.recognition import Score
from model_collection import DataOrigin, Entry, ModelCollection
from queries.columns import NumberedEntry, all_columns
from queries.language import FEW, read_query
from queries.selection import select
from settings.layer_lists import parameter_count
from settings.network_layers import (
    Conv2D,
    Dense,
    Flatten,
    Residual,
    SeparableConv2D,
    SqueezeExcitation,
    Variant,
)
from settings.training_parameters import Augmentation, Distillation, TrainingParameters
from settings.training_words import training_summary
from tests.entries import CONVOLUTIONAL, DENSE, a_collection, an_entry
from views.remarks import score_cells
from views.results_text import results_table

MANY = a_collection(150)


def found(query: str, collection: ModelCollection = MANY) -> list[Entry]:
    return [collection.entries[number] for number in select(collection, query).numbers]


# ------------------------------------------------------------------------- how many, which first


def test_few_entries_are_all_listed_as_they_stand() -> None:
    assert select(a_collection(FEW), "").numbers == tuple(range(FEW))
    assert select(a_collection(1), "  ").numbers == (0,)


def test_of_many_the_best_by_validation_accuracy_are_listed() -> None:
    collection = a_collection(FEW + 1)
    accuracies = [entry.validation.accuracy for entry in found("", collection)]
    everyone = [entry.validation.accuracy for entry in collection.entries]
    assert accuracies == sorted(everyone, reverse=True)[:FEW]


def test_of_equal_accuracies_the_best_entry_comes_first() -> None:
    entries = [an_entry(number, validation=Score(0.5, 9.0 - number, 100)) for number in range(5)]
    collection = ModelCollection(("A", "B"), entries)
    assert found("top 1", collection) == [collection.best()]


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("by loss", lambda entry: entry.validation.loss),
        ("by validation loss", lambda entry: entry.validation.loss),
        ("by accuracy", lambda entry: -entry.validation.accuracy),
        ("by test accuracy", lambda entry: -entry.test.accuracy),
        ("by Test Acc. ASCENDING", lambda entry: entry.test.accuracy),
        ("by test loss", lambda entry: entry.test.loss),
        ("by seconds", lambda entry: entry.seconds),
        ("by acc", lambda entry: -entry.validation.accuracy),
        ("by epoch", lambda entry: entry.training_parameters.train_epochs),
        ("by time descending", lambda entry: -entry.seconds),
        ("by parameters", lambda entry: parameter_count(entry.layers, 2)),
        ("by learning_rate", lambda entry: entry.training_parameters.learning_rate),
        ("by optimizer", lambda entry: entry.training_parameters.optimizer),
    ],
)
def test_entries_are_sorted_by_any_column(query: str, value: Callable[[Entry], float]) -> None:
    values = [value(entry) for entry in found(f"all {query}")]
    assert len(values) == len(MANY.entries)
    assert values == sorted(values)
    assert [value(entry) for entry in found(f"top 7 {query}")] == values[:7]


def test_numbers_rise_or_fall_when_asked_for() -> None:
    assert select(MANY, "all by number").numbers == tuple(range(150))
    assert select(MANY, "3 by number descending").numbers == (149, 148, 147)


def test_entries_without_a_value_come_last_in_either_direction() -> None:
    entries = [
        an_entry(number, training_parameters=TrainingParameters("sgd", 8, 2, momentum=momentum))
        for number, momentum in enumerate([None, 0.5, None, 0.9])
    ]
    collection = ModelCollection(("A", "B"), entries)
    assert select(collection, "by momentum").numbers[:2] == (1, 3)
    assert select(collection, "by momentum descending").numbers[:2] == (3, 1)
    assert select(collection, "where momentum < 1 by number").numbers == (1, 3)
    assert select(collection, "where momentum != 0.5 by number").numbers == (0, 2, 3)


@pytest.mark.parametrize("same", ["top 5", "TOP 5", "5", "5 by accuracy", "by accuracy top 5"])
def test_a_query_can_be_written_in_several_ways(same: str) -> None:
    assert select(MANY, same).numbers == select(MANY, "top 5").numbers


def test_more_than_there_are_is_all_of_them() -> None:
    assert len(select(MANY, "top 1,000").numbers) == len(select(MANY, "all").numbers) == 150


# ------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("accuracy > 0.9", lambda entry: entry.validation.accuracy > 0.9),
        ("validation accuracy >= 90%", lambda entry: entry.validation.accuracy >= 0.9),
        ("test accuracy<=12.5 %", lambda entry: entry.test.accuracy <= 0.125),
        ("parameters < 1,000", lambda entry: parameter_count(entry.layers, 2) < 1000),
        ("weights>1e3", lambda entry: parameter_count(entry.layers, 2) > 1000),
        ("optimizer = adam", lambda entry: entry.training_parameters.optimizer == "adam"),
        ("optimizer == 'SGD'", lambda entry: entry.training_parameters.optimizer == "sgd"),
        ("optimizer != adam", lambda entry: entry.training_parameters.optimizer != "adam"),
        ("epochs = 2", lambda entry: True),
        ("batch_size = 9", lambda entry: False),
        ("type contains conv", lambda entry: entry.layers is CONVOLUTIONAL),
        ("type = conv2d", lambda entry: entry.layers is CONVOLUTIONAL),
        ("type != conv2d", lambda entry: entry.layers is DENSE),
        ("layers contains dense 6 relu", lambda entry: entry.layers is DENSE),
        ("data contains letters", lambda entry: True),
        (
            "optimizer = adam and parameters < 1000 AND test loss > 1",
            lambda entry: (
                entry.training_parameters.optimizer == "adam"
                and entry.layers is CONVOLUTIONAL
                and entry.test.loss > 1
            ),
        ),
    ],
)
def test_conditions_choose_the_entries_that_they_hold_for(
    condition: str, holds: Callable[[Entry], bool]
) -> None:
    selection = select(MANY, f"where {condition} all")
    expected = [number for number, entry in enumerate(MANY.entries) if holds(entry)]
    assert sorted(selection.numbers) == expected
    assert selection.fitting == len(expected)


def test_an_entry_is_found_by_its_identity() -> None:
    wanted = MANY.entries[77]
    assert found(f"where identity = {wanted.identity}") == [wanted]
    assert found(f"where identity contains {wanted.identity[:8]}") == [wanted]


def test_an_identity_is_found_by_the_first_digits_that_are_shown() -> None:
    wanted = MANY.entries[77]
    assert found(f"where identity = {wanted.identity[:8]}") == [wanted]
    assert wanted not in found(f"all where identity != {wanted.identity[:8].upper()}")
    assert found(f"where identity = {wanted.identity[1:9]}") == []


def test_what_fits_is_counted_beyond_what_is_listed() -> None:
    selection = select(MANY, "top 2 where type = dense")
    assert len(selection.numbers) == 2 and selection.fitting == 75


def test_words_of_the_language_are_values_between_quotation_marks() -> None:
    odd = an_entry(0, data=DataOrigin("top all by where and or.mat", "0" * 64, "seed", 1, 300))
    collection = ModelCollection(("A", "B"), [an_entry(1), odd])
    assert found("where data contains 'all by where and or'", collection) == [odd]
    assert found('where data contains "and or.mat" and number = 1', collection) == [odd]


def test_every_training_parameter_that_changes_a_result_is_a_column() -> None:
    for field in dataclasses.fields(TrainingParameters):
        for name in (field.name, field.name.replace("_", " ")):
            if field.name != "verbose":
                assert len(select(MANY, f"all by {name}").numbers) == 150


def trained_with(*parameters: dict[str, Any]) -> ModelCollection:
    plain = TrainingParameters("sgd", 8, 2)
    return ModelCollection(
        ("A", "B"),
        [
            an_entry(number, training_parameters=dataclasses.replace(plain, **each))
            for number, each in enumerate(parameters)
        ],
    )


DISTORTED = trained_with(
    {},
    {"augmentation": Augmentation(rotation=10, shift=2)},
    {"augmentation": Augmentation(elastic=0.5, rotation=5)},
    {"augmentation": Augmentation()},
)
TAUGHT = trained_with(
    {},
    {"distillation": Distillation("3f9a12cd")},
    {"distillation": Distillation("0123abcd", 0.8, 2.0)},
)
TAUGHT_BY_NUMBER = trained_with(
    {"distillation": Distillation("3f9a12cd")}, {"distillation": Distillation(0)}
)


@pytest.mark.parametrize(
    ("collection", "query", "numbers"),
    [
        (DISTORTED, "where augmentation = rotation by number", (1, 2)),
        (DISTORTED, "where augmentation != rotation by number", (0, 3)),
        (DISTORTED, "where augmentation contains elas by number", (2,)),
        (DISTORTED, "where rotation > 5 by number", (1,)),
        (DISTORTED, "where augmentation.rotation <= 5 by number", (2, 3)),
        (DISTORTED, "where augmentation shift = 0 by number", (2, 3)),
        (DISTORTED, "by rotation descending", (1, 2, 3, 0)),
        (TAUGHT, "where teacher contains 3f9a by number", (1,)),
        (TAUGHT, "where distillation.teacher = 0123abcd by number", (2,)),
        (TAUGHT, "where teacher = 3f9a by number", (1,)),
        (TAUGHT, "where teacher != 3F9A by number", (0, 2)),
        (TAUGHT, "by distillation", (2, 1, 0)),
        (TAUGHT, "where distillation weight > 0.5 by number", (2,)),
        (TAUGHT, "by distillation.temperature", (1, 2, 0)),
    ],
)
def test_keys_of_distortions_and_of_a_teacher_are_columns(
    collection: ModelCollection, query: str, numbers: tuple[int, ...]
) -> None:
    assert select(collection, query).numbers == numbers


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("where teacher contains 3 by number", (0,)),
        ("where teacher = 0 by number", (1,)),
        ("where teacher != x by number", (0, 1)),
        ("by teacher", (1, 0)),
    ],
)
def test_a_teacher_that_is_a_number_is_compared_as_text(
    query: str, numbers: tuple[int, ...]
) -> None:
    assert select(TAUGHT_BY_NUMBER, query).numbers == numbers


def scored(validation: Score, test: Score, seconds: float, rate: float) -> ModelCollection:
    """A collection of one entry, number 0."""
    parameters = TrainingParameters("sgd", 8, 2, learning_rate=rate)
    entry = an_entry(
        0, validation=validation, test=test, seconds=seconds, training_parameters=parameters
    )
    return ModelCollection(("A", "B"), [entry])


# Shown as 99.90%, 0.1817, 93.39%, 0.0001, 3:35 and rate 0.022.
SHOWN_ROUNDED = scored(Score(0.99901, 0.18174, 100), Score(0.93392, 0.00006, 50), 215.34, 0.022)


@pytest.mark.parametrize(
    ("column", "equal", "below", "above"),
    [
        ("validation accuracy", "99.90%", "99.91%", "99.89%"),
        ("validation accuracy", "0.999", "0.9991", "0.9989"),
        ("validation accuracy", "99.901 %", "99.902 %", "99.9009 %"),
        ("validation accuracy", "9.99e-1", "1", "0.99"),
        ("test accuracy", "93.39%", "94%", "93%"),
        ("validation loss", "0.1817", "0.1818", "0.18"),
        ("validation loss", "0.18174", "0.181741", "0.1817399"),
        ("test loss", "0.0001", "0.0002", "0.00005"),
        ("seconds", "215", "216", "214"),
        ("seconds", "215.3", "215.4", "215.2"),
        ("learning rate", "0.022", "0.0220001", "0.02"),
        ("learning rate", "0.0220", "0.03", "0.0219"),
        ("train batch size", "8", "8.1", "7.9"),
        ("parameters", "SIZE", "1,000,000", "1"),
    ],
)
def test_numbers_are_compared_as_they_are_shown_or_finer_where_more_is_typed(
    column: str, equal: str, below: str, above: str
) -> None:
    entry = SHOWN_ROUNDED.entries[0]
    equal = equal.replace("SIZE", str(parameter_count(entry.layers, 2)))

    def holding(wanted: str) -> set[str]:
        comparisons = ("<", "<=", "=", ">=", ">", "!=")
        queries = {one: f"where {column} {one} {wanted}" for one in comparisons}
        return {one for one, query in queries.items() if found(query, SHOWN_ROUNDED)}

    assert holding(equal) == {"<=", "=", ">="}
    assert holding(below) == {"<", "<=", "!="}
    assert holding(above) == {">", ">=", "!="}


@given(st.integers(0, 20_000), st.floats(0, 20), st.floats(0, 1e6))
def test_every_figure_of_a_table_finds_its_entry(right: int, loss: float, seconds: float) -> None:
    score = Score(right / 20_000, loss, 20_000)
    accuracy_cell, loss_cell = score_cells(score)
    collection = scored(score, score, seconds, loss + 1e-5)
    rate = training_summary((), collection.entries[0].training_parameters).split("rate ")[1]
    for condition in (
        f"accuracy = {accuracy_cell} and test accuracy = {accuracy_cell}",
        f"loss >= {loss_cell} and test loss <= {loss_cell}",
        f"seconds = {round(seconds)} and learning_rate = {rate}",
    ):
        assert found(f"where {condition}", collection), condition
    assert not found(f"where accuracy > {accuracy_cell}", collection)
    assert not found(f"where loss < {loss_cell}", collection)


EVERY_PARAMETER = TrainingParameters(
    "sgd",
    9,
    7,
    learning_rate=0.022,
    early_stopping_patience=3,
    momentum=0.9,
    learning_rate_schedule="cosine",
    warmup_epochs=0.5,
    weight_decay=0.005,
    label_smoothing=0.1,
    moving_average=0.99,
    mixup=0.2,
    cutmix=0.3,
    augmentation=Augmentation(10, 2, 0.25, 6, 0.05, 0.6),
    class_weighting="sampling",
    test_time_shifts=1,
    calibration="classes",
    distillation=Distillation("3f9a12cd", 0.8, 2.0),
    precision="bfloat16",
)


def test_words_that_tables_show_before_a_value_are_names_of_columns() -> None:
    collection = ModelCollection(
        ("A", "B"), [an_entry(0), an_entry(1, training_parameters=EVERY_PARAMETER)]
    )
    shown = training_summary(DENSE, EVERY_PARAMETER).split(", ")
    named = [said.rsplit(" ", 1) for said in shown if " " in said and "epochs" not in said]
    assert len(named) == 21
    for name, value in (*named, ("epochs", "7"), ("schedule", "cosine")):
        assert select(collection, f"where {name} = {value}").numbers == (1,), name
        assert select(collection, f"by {name}").numbers, name


def test_headings_of_the_table_are_names_of_columns() -> None:
    for heading in results_table(MANY, (0,)).headings:
        assert len(select(MANY, f"all by {heading}".replace("\n", " ")).numbers) == 150


def test_an_apostrophe_within_a_word_is_a_part_of_it() -> None:
    hers = an_entry(0, data=DataOrigin("anna's or ben's.mat", "0" * 64, "seed", 1, 300))
    collection = ModelCollection(("A", "B"), [an_entry(1), hers])
    assert found("where data contains anna's and data contains ben's", collection) == [hers]
    assert found("where data contains \"anna's or ben's\"", collection) == [hers]


@pytest.mark.parametrize("shown", ["one cycle", "One Cycle", "one_cycle", "'one cycle'"])
def test_a_value_is_found_as_tables_show_it(shown: str) -> None:
    schedules = trained_with(
        {"learning_rate": 0.1, "learning_rate_schedule": "cosine"},
        {"learning_rate": 0.1, "learning_rate_schedule": "one_cycle"},
    )
    assert select(schedules, f"where learning_rate_schedule = {shown}").numbers == (1,)
    assert select(schedules, f"where learning_rate_schedule contains {shown}").numbers == (1,)


def test_texts_of_training_parameters_are_compared_with_values_that_there_are() -> None:
    for field in dataclasses.fields(TrainingParameters):
        if "str" in str(field.type) and field.name != "distillation":
            with pytest.raises(UserError, match=r"is 'other'; there (is|are) '"):
                select(MANY, f"where {field.name} = other")


NESTED: Variant = (
    Residual((SeparableConv2D(1, (3, 3), activation="linear"), SqueezeExcitation()), "silu"),
    Residual((Residual((Conv2D(1, (3, 3), activation="gelu"),)),)),
    Flatten(),
)


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("type contains separableconv2d", (1,)),
        ("type = squeezeexcitation", (1,)),
        ("type = residual", (1,)),
        ("type = conv2d", (1, 2)),
        ("type != conv2d", (0,)),
        ("activation = tanh", (0,)),
        ("activations contains lin", (1,)),
        ("activation = silu", (1,)),
        ("activation = gelu", (1,)),
        ("activation = relu", (1, 2)),
        ("activation != relu", (0,)),
    ],
)
def test_layers_in_layers_are_found_by_type_and_activation(
    condition: str, numbers: tuple[int, ...]
) -> None:
    networks = ((Flatten(), Dense(2, "tanh")), NESTED, CONVOLUTIONAL)
    entries = [an_entry(number, layers=layers) for number, layers in enumerate(networks)]
    collection = ModelCollection(("A", "B"), entries)
    assert select(collection, f"where {condition} by number").numbers == numbers


def test_zeros_before_a_number_of_entries_are_nothing() -> None:
    assert select(a_collection(30), "top 0000000000002") == select(a_collection(30), "top 2")


@pytest.mark.parametrize("number", ["999999999", "1" + 5000 * "0", "99,999,999,999"])
def test_as_many_as_nobody_has_are_all(number: str) -> None:
    assert len(select(a_collection(30), f"top {number}").numbers) == 30


def test_entries_are_sorted_by_activation() -> None:
    entries = [
        an_entry(number, layers=(Flatten(), Dense(2, name)))
        for number, name in enumerate(("tanh", "elu", "relu"))
    ]
    assert select(ModelCollection(("A", "B"), entries), "by activation").numbers == (1, 2, 0)


# ------------------------------------------------------------------------- what is no query


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tow 5", "'tow' begins no clause; write 'all', 'top' and a number"),
        ("top", "'' after 'top' is no number from 1 on; write such as top 50"),
        ("top 0", "'0' after 'top' is no number from 1 on"),
        ("top -1", "'-1' after 'top' is no number"),
        ("top 2.5", "'2.5' after 'top' is no number"),
        ("top ٣", "'٣' after 'top' is no number"),
        ("5 loss", "'5 loss' after 'top' is no number"),
        ("all 5", "'5' cannot stand after 'all'"),
        ("all top 5", "'all' and 'top' are both there; leave one of them out"),
        ("top 5 top 6", "'top' is there twice"),
        ("curves 5", "'5' cannot stand after 'curves'"),
        ("by", "'by' needs a column after it: number, validation accuracy"),
        ("by descending", "'by' needs a column after it"),
        ("by speed", "there is no column 'speed'; there are number, validation accuracy"),
        ("by speed", "validation accuracy (or accuracy), validation loss (or loss), test acc"),
        ("by speed", "train batch size (or batch size), train epochs (or epochs), learning rate"),
        ("by speed", "learning rate (or rate), early stopping patience (or patience), momentum"),
        ("by descending", "validation accuracy (or accuracy), validation loss (or loss), test"),
        ("by test", "'test' can mean test accuracy or test loss"),
        ("by loss upwards", "there is no column 'loss upwards'"),
        ("where", "'' is no condition: a column, a comparison"),
        ("where parameters", "'parameters' is no condition"),
        ("where parameters <", "'parameters <' is no condition"),
        ("where < 5", "'< 5' is no condition"),
        ("where loss < 1 and", "'' is no condition"),
        ("where loss < 1 or loss > 2", "'loss < 1 or loss > 2' has an 'or', and only 'and' joins"),
        ("where optimizer != adam or sgd", "'optimizer != adam or sgd' has an 'or'"),
        ("where loss < 1 and type = dense OR conv2d", "'type = dense OR conv2d' has an 'or'"),
        ("where data = a or b.mat", "in quotation marks, such as data contains 'this or that'"),
        ("where speed < 5", "there is no column 'speed'"),
        ("where parameters < many", "'many' is no number to compare 'parameters' with"),
        ("where parameters < 1,00", "'1,00' is no number"),
        ("where loss < nan", "'nan' is no number"),
        ("where parameters < 50%", "'parameters' is no share, to compare with '50%'"),
        ("where accuracy > 90", "lies between 0 and 1, and '90' does not; write such as 0.9 or"),
        ("where optimizer < adam", "'optimizer' is a text and cannot be compared by '<'"),
        (
            "where optimizer = sgdd",
            "no optimizer is 'sgdd'; there are 'adadelta', 'adagrad', 'adam'",
        ),
        ("where optimizer != 'adam or sgd'", "no optimizer is 'adam or sgd'; there are"),
        (
            "where learning rate schedule = x",
            "no learning rate schedule is 'x'; there are 'cosine'",
        ),
        ("where precision = float32", "no precision is 'float32'; there is 'bfloat16'"),
        ("where class_weighting = even", "there are 'balanced', 'prior', 'sampling'"),
        ("where type = conv", "no type is 'conv'; there are 'conv2d', 'separableconv2d'"),
        ("where type contains conw", "no type contains 'conw'; there are 'conv2d'"),
        ("where activation = rellu", "no activation is 'rellu'; there are 'relu', 'elu'"),
        ("where augmentation = zoom", "no augmentation is 'zoom'; there are 'rotation', 'shift'"),
        ("where loss contains 5", "'validation loss' is a number and cannot be compared by"),
    ],
)
def test_what_cannot_be_understood_is_quoted_with_what_would_be_right(
    query: str, said: str
) -> None:
    with pytest.raises(UserError) as raised:
        select(MANY, query)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 700


WORDS = st.sampled_from(
    [
        *(
            "all",
            "top",
            "by",
            "where",
            "and",
            "or",
            "contains",
            "ascending",
            "descending",
            "loss",
            "test",
        ),
        *("=", "<", ">=", "!=", "==", "5", "0.9", "90%", "'", '"', ",", "1e999"),
        *("accuracy", "optimizer", "adam", "type"),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join)))
def test_any_text_is_a_query_or_is_answered_with_an_error(text: str) -> None:
    try:
        selection = select(MANY, text)
    except UserError:
        return
    assert len(set(selection.numbers)) == len(selection.numbers) <= selection.fitting <= 150


@given(
    st.sampled_from(sorted(all_columns())),
    st.booleans(),
    st.integers(1, 200),
    st.sampled_from(["<", "<=", ">", ">=", "=", "!="]),
    st.floats(0, 1),
)
def test_a_query_that_is_written_is_read_as_it_was_meant(
    name: str, descending: bool, most: int, comparison: str, wanted: float
) -> None:
    order = "descending" if descending else "ascending"
    query = read_query(f"where accuracy {comparison} {wanted} by {name} {order} top {most}")
    assert (query.most, query.column.name, query.descending) == (most, name, descending)
    assert [(one.comparison, one.wanted) for one in query.conditions] == [(comparison, wanted)]


def test_every_column_has_a_value_or_none_for_every_entry() -> None:
    for column in all_columns().values():
        for number, entry in enumerate(MANY.entries[:5]):
            value = column.value(NumberedEntry(number, entry, 2))
            assert value is None or isinstance(value, int | float | str | tuple), column.name
