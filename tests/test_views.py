"""Tests of what is shown: pictures, tables, the line of a training under way."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType

from cnn_model import Epoch, TrainingProgress
from model_collection import ModelCollection, Schooling
from settings.hyperparameters import TrainingTask
from settings.network_layers import Flatten
from settings.training_parameters import TrainingParameters
from views import picture_text, remarks, results_text
from views.training import SHORTEST_BAR, progress_line


def printed(table: RenderableType, width: int) -> str:
    console = Console(width=width, file=None, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def many_entries(trained: ModelCollection, count: int, *, alike: bool) -> ModelCollection:
    entry = trained.entries[0]
    trained.entries[:] = [
        dataclasses.replace(
            entry,
            seconds=36_000.0 + number,
            training_parameters=dataclasses.replace(
                entry.training_parameters,
                train_epochs=100 + (0 if alike else number),
                learning_rate=0.00025,
                early_stopping_patience=3,
            ),
        )
        for number in range(count)
    ]
    return trained


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_results_lose_nothing_in_any_width(
    trained: ModelCollection, width: int, alike: bool
) -> None:
    collection = many_entries(trained, 12, alike=alike)
    shown = printed(results_text.results_table(collection, range(12)), width)
    assert all(len(line) <= width for line in shown.splitlines())
    assert "…" not in shown
    if width >= 80:
        for entry in collection.entries:
            assert remarks.duration(entry.seconds) in shown
            assert f"{entry.validation.accuracy:.2%}" in shown
            assert f"{entry.test.loss:.4f}" in shown


def test_results_of_entries_trained_alike_are_one_line_each_in_80_columns(
    trained: ModelCollection,
) -> None:
    collection = many_entries(trained, 12, alike=True)
    assert (
        len(printed(results_text.results_table(collection, range(12)), 80).splitlines()) == 3 + 12
    )
    notes = results_text.results_notes(collection, range(12), "other")
    assert "adam, batch 8, 100 epochs, rate 0.00025, patience 3." in notes
    assert "Entries 0 to 11:" in notes and "not the open data set" in notes


def test_results_of_entries_trained_differently_say_how_each_was(trained: ModelCollection) -> None:
    collection = many_entries(trained, 3, alike=False)
    shown = printed(results_text.results_table(collection, range(3)), 90)
    for row, epochs in zip(shown.splitlines()[-3:], ("100", "101", "102"), strict=True):
        assert row.endswith(f"  {epochs} epochs")
    notes = results_text.results_notes(collection, range(3), "other")
    said = "All were trained with adam, batch 8, rate 0.00025, patience 3; what differs stands with"
    assert said in notes and said not in results_text.results_notes(collection, [0], "other")


def test_in_results_of_long_trainings_what_differs_stands_below_the_rows(
    trained: ModelCollection,
) -> None:
    (entry,) = many_entries(trained, 1, alike=True).entries
    keys: list[dict[str, Any]] = [{"momentum": 0.9, "mixup": 0.2}, {}, {"cutmix": 0.5}]
    trained.entries[:] = [
        dataclasses.replace(
            entry,
            training_parameters=dataclasses.replace(entry.training_parameters, **changes),
        )
        for changes in keys
    ]
    table = printed(results_text.results_table(trained, range(3)), 72)
    assert [line.strip() for line in table.splitlines()[4:] if "%" not in line] == [
        "momentum 0.9, mixup 0.2",
        "cutmix 0.5",
    ]


def test_of_one_entry_it_is_said_which_was_trained_so(trained: ModelCollection) -> None:
    notes = results_text.results_notes(many_entries(trained, 3, alike=True), [2], "other")
    assert "Entry 2 was trained with adam, batch 8, 100 epochs" in notes


def test_the_line_of_a_long_training_fits_80_columns_and_stays_in_place() -> None:
    at = dataclasses.replace(
        TrainingProgress(1, 10, 7, 1763, 0.04, 3.5, 5000.0, ()),
    )
    later = dataclasses.replace(
        at, epoch=10, batch=1763, accuracy=1.0, loss=0.012, finished=(Epoch(0.9, 0.1, 1.0, 0.1),)
    )
    first, last = progress_line(at), progress_line(later)
    assert len(last) + 1 + SHORTEST_BAR <= 81
    assert [first.index(word) for word in ("batch", "loss", "acc.", "val.")] == [
        last.index(word) for word in ("batch", "loss", "acc.")
    ] + [first.index("val.")]
    for part in ("epoch 10/10", "batch 1763/1763", "loss 0.012", "acc. 100.0%", "val. 100.0%"):
        assert part in last
    assert "1:23:20 left" in last


def test_an_ascii_picture_has_14_lines_of_28_with_dark_paper() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[:14, :7] = 255
    lines = picture_text.picture(image, colours=False).splitlines()
    assert [len(line) for line in lines] == [30] * 16
    assert lines[1] == "|" + "@" * 7 + " " * 21 + "|"
    assert lines[8] == "|" + " " * 28 + "|"


def test_a_colour_picture_holds_every_pixel_in_half_blocks() -> None:
    image = np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)
    lines = picture_text.picture(image, colours=True).splitlines()[1:-1]
    assert len(lines) == 14
    for pair, line in enumerate(lines):
        cells = re.findall(r"\x1b\[38;5;(\d+);48;5;(\d+)m▀", line)
        assert len(cells) == 28
        greys = np.array(cells, int).T - 232
        assert np.array_equal(greys, image[2 * pair : 2 * pair + 2].astype(int) * 23 // 255)
        assert line.endswith("\x1b[0m|")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),
        (0.6, "0:01"),
        (59.7, "1:00"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (86400, "24:00:00"),
    ],
)
def test_a_duration_is_written_as_on_a_clock(seconds: float, shown: str) -> None:
    assert remarks.duration(seconds) == shown


def test_results_say_whose_teacher_had_met_the_images(trained: ModelCollection) -> None:
    pupil = dataclasses.replace(trained.entries[0], schooling=Schooling(("f" * 64,), 2, 5))
    trained.entries[:] = [trained.entries[0]] + [pupil] * 8
    notes = results_text.results_notes(trained, range(9), "0" * 64)
    validation, test = pupil.validation.images, pupil.test.images
    assert (
        f"Entry 1: its teacher had met 2 of the {validation} validation images and 5 of the {test} "
        "test images: accuracy on them says nothing about new ones." in notes
    )
    assert "Entry 0: its teacher" not in notes
    assert "So had the teachers of 3 further entries." in notes


def test_numbers_in_a_picture_are_told_for_the_first_of_the_names() -> None:
    classes = tuple(f"name {number}" for number in range(1, 21))
    few = remarks.written_as_numbers(classes[2:4], classes)
    assert few.endswith("in the picture: #3 for name 3, #4 for name 4.")
    many = remarks.written_as_numbers(classes[1:], classes)
    assert "#9 for name 9, and so on for 11 more, in the order of the characters." in many


def test_trainings_that_are_asked_for_twice_are_told_in_one_sentence() -> None:
    earlier, task = (
        TrainingTask((Flatten(),), TrainingParameters("adam", 32, 1), name=f"variant {number}")
        for number in (0, 3)
    )
    assert remarks.repeated([(earlier, task)]) == (
        "Variant 3 is the same training as variant 0, and is trained once."
    )
    assert remarks.repeated([(earlier, task)] * 1200) == (
        "1,200 trainings are the same as earlier ones, such as variant 3 as variant 0; each is "
        "trained once."
    )
