"""Tests of how a training is shown, with one variant under way and with several."""

import dataclasses
import io
import re
from typing import Any

import pytest
from rich.console import Console

from cnn_model import Epoch, TrainingProgress
from model_collection import DataOrigin, ModelCollection, Schooling
from settings.hyperparameters import TrainingTask
from settings.network_layers import Activation, Conv2D, Dense, Flatten, Residual, SeparableConv2D
from settings.training_parameters import TrainingParameters
from views.training import SHORTEST_BAR, ShownTraining, make_training_view, progress_line

TASK = TrainingTask((Flatten(), Dense(4)), TrainingParameters("adam", 8, 10))
BEGUN = TrainingProgress(1, 10, 7, 1763, 0.04, 3.5, 5000.0, ())
ONE_EPOCH = dataclasses.replace(BEGUN, epoch=2, finished=(Epoch(0.5, 1.25, 0.4, 1.5),))
END = dataclasses.replace(
    BEGUN, epoch=10, batch=1763, accuracy=1.0, loss=0.012, finished=(Epoch(0.9, 0.1, 1.0, 0.1),)
)
SHOWN = ShownTraining(
    DataOrigin("letters.mat", "", "seed", 1, 90), 3, [f"variant {number}" for number in range(12)]
)


class Pipe:
    """A view in a pipe, and what it has written."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._written = io.StringIO()
        console = Console(file=self._written, width=160, highlight=False, markup=False)
        self._entered = make_training_view(console, SHOWN)
        self.view = self._entered.__enter__()

    def lines(self) -> list[str]:
        """What was written since the last call: announcements, then lines of epochs."""
        text = self._written.getvalue() + self._capsys.readouterr().out
        self._written.seek(0)
        self._written.truncate()
        return text.splitlines()


@pytest.fixture
def pipe(capsys: pytest.CaptureFixture[str]) -> Pipe:
    return Pipe(capsys)


# ------------------------------------------------------------------------- in a pipe


def test_one_variant_has_a_line_an_epoch_without_its_name(pipe: Pipe) -> None:
    pipe.view.variant_started(4, 5, TASK)
    assert pipe.lines() == ["Variant 4 (5 of 5), adam, batch 8, 10 epochs"]
    for progress in (BEGUN, ONE_EPOCH, ONE_EPOCH):
        pipe.view.progressed(4, progress)
    assert pipe.lines() == [
        "  epoch 1/10, 1763 batches: loss 1.2500, accuracy 50.00%, validation accuracy 40.00%, "
        "1:23:20 left"
    ]


def test_each_variant_is_announced_with_its_own_parameters(pipe: Pipe) -> None:
    pipe.view.variant_started(0, 2, TASK)
    other = dataclasses.replace(TASK, parameters=TrainingParameters("sgd", 32, 3, verbose=1))
    pipe.view.variant_started(1, 2, other)
    first, second, *table = pipe.lines()
    assert "adam, batch 8, 10 epochs" in first and "sgd, batch 32, 3 epochs" in second
    assert any("dense 4 relu" in line for line in table)


def test_activations_other_than_the_usual_one_are_announced(pipe: Pipe) -> None:
    inner = (Conv2D(1, (3, 3), activation="silu"), SeparableConv2D(1, (3, 3), activation="elu"))
    layers = (Residual(inner), Activation("tanh"), Flatten(), Dense(4, "gelu"), Dense(4, "gelu"))
    pipe.view.variant_started(0, 1, dataclasses.replace(TASK, layers=layers))
    assert pipe.lines() == [
        "Variant 0 (1 of 1), adam, batch 8, 10 epochs, activation silu/elu/relu/tanh/gelu"
    ]


def test_variants_side_by_side_are_named_in_every_line_to_the_end(
    pipe: Pipe, trained: ModelCollection
) -> None:
    pipe.view.variant_started(0, 3, TASK)
    pipe.view.variant_started(2, 3, TASK)
    pipe.lines()
    pipe.view.progressed(2, ONE_EPOCH)
    pipe.view.progressed(0, BEGUN)
    pipe.view.variant_finished(2, trained.entries[0])
    pipe.view.progressed(0, ONE_EPOCH)
    finished, *epochs = pipe.lines()
    assert finished.startswith("Variant 2 is trained in")
    assert [line.split(":")[0] for line in epochs] == [
        "  variant 2, epoch 1/10, 1763 batches",
        "  variant 0, epoch 1/10, 1763 batches",
    ]


def test_a_lost_machine_is_said(pipe: Pipe) -> None:
    pipe.view.variant_started(0, 1, TASK)
    pipe.view.variant_moved(0)
    assert pipe.lines()[-1] == "The machine of variant 0 was lost; it is trained on another one"


def test_images_that_the_teacher_had_met_are_said(pipe: Pipe, trained: ModelCollection) -> None:
    pipe.view.variant_started(0, 1, TASK)
    schooling = Schooling(("f" * 64,), 0, 9)
    pipe.view.variant_finished(0, dataclasses.replace(trained.entries[0], schooling=schooling))
    assert pipe.lines()[-1] == (
        f"Its teacher had met 9 of the {trained.entries[0].test.images} test images: accuracy on "
        "them says nothing about new ones."
    )


def test_what_cannot_be_kept_is_said_at_once_and_at_the_end(
    pipe: Pipe, trained: ModelCollection
) -> None:
    pipe.view.variant_started(0, 2, TASK)
    pipe.view.not_kept("finished entries cannot be kept in /full: No space left on device")
    assert pipe.lines()[-1] == (
        "Finished entries cannot be kept in /full: No space left on device; what is trained stays "
        "in memory until you Save it"
    )
    pipe.view.stopped()
    assert pipe.lines()[-1].endswith("what was finished before is in memory alone: use Save.")


def test_what_goes_wrong_is_said_of_the_variant(pipe: Pipe) -> None:
    pipe.view.variant_started(0, 2, TASK)
    pipe.view.variant_interrupted(0, "was killed by SIGKILL")
    pipe.view.variant_started(0, 2, TASK)
    pipe.view.variant_failed(0, "a defect of the program: \x1b[2J" + "x" * 500)
    pipe.view.variant_failed(1, "its teacher, variant 0, could not be trained")
    lines = pipe.lines()
    assert lines[1] == "The training of variant 0 was killed by SIGKILL; it is tried once more"
    assert lines[-1].endswith("trained: its teacher, variant 0, could not be trained")
    failure = " ".join(lines[3:-1])  # it is long, so it is broken
    assert failure.startswith("Variant 0 could not be trained: a defect of the program:")
    assert "\x1b" not in failure and failure.count("x") < 200


@pytest.mark.parametrize(
    ("under_way", "said"),
    [
        ([], "ended; what"),
        ([3], "ended in variant 3; what"),
        ([4, 1], "in variant 1 and variant 4; what"),
    ],
)
def test_an_end_names_the_variants_that_were_under_way(
    pipe: Pipe, trained: ModelCollection, under_way: list[int], said: str
) -> None:
    for number in (0, *under_way):
        pipe.view.variant_started(number, 5, TASK)
    pipe.view.variant_finished(0, trained.entries[0])
    pipe.view.stopped()
    assert said in pipe.lines()[-1]


def test_after_the_last_epoch_a_network_is_being_scored(pipe: Pipe) -> None:
    last = dataclasses.replace(END, finished=END.finished * END.epochs, seconds_left=0.0)
    assert progress_line(last).endswith(" being scored")
    pipe.view.variant_started(4, 5, TASK)
    pipe.view.progressed(4, last)
    assert pipe.lines()[-1].endswith(", being scored")


# ------------------------------------------------------------------------- at a terminal


def shown_at_a_terminal(width: int, steps: Any) -> list[str]:
    """Lines that were ever on an 80-column screen while a view went through some steps."""
    written = io.StringIO()
    console = Console(
        file=written, width=width, height=30, force_terminal=True, highlight=False, markup=False
    )
    with make_training_view(console, SHOWN) as view:
        steps(view)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", written.getvalue())
    return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_every_variant_under_way_has_a_bar_that_goes_when_it_ends(
    trained: ModelCollection,
) -> None:
    def steps(view: Any) -> None:
        assert len(view._bars.tasks) == 1  # until the first begins
        for number in (0, 1, 10):
            view.variant_started(number, 11, TASK)
        for number in (0, 1, 10):
            view.progressed(number, END)
        view._bars.refresh()
        assert len(view._bars.tasks) == 3
        view.variant_finished(1, trained.entries[0])
        view.variant_interrupted(0, "was killed by SIGKILL")
        view.variant_failed(5, "its teacher, variant 4, could not be trained")  # never began
        assert len(view._bars.tasks) == 1
        view.stopped()
        assert not view._bars.tasks

    lines = shown_at_a_terminal(80, steps)
    for number in (0, 1, 10):
        assert f"variant {number} epoch 10/10 loss 0.012 acc. 100.0% val. 100.0% 1:23:20 left" in [
            line[line.index("variant") :] for line in lines if "variant" in line
        ]
    assert max(map(len, lines)) <= 80


def test_a_single_variant_has_a_bar_with_its_batches() -> None:
    def steps(view: Any) -> None:
        view.variant_started(0, 1, TASK)
        view.progressed(0, END)
        view._bars.refresh()
        view.stopped()

    lines = shown_at_a_terminal(80, steps)
    assert any("epoch 10/10 batch 1763/1763 loss 0.012" in line for line in lines)
    assert any(line.startswith("Training was ended in variant 0;") for line in lines)


@pytest.mark.parametrize("variant", [None, "variant 0", "variant 10", "var. 1, dict. 3"])
def test_the_line_of_a_long_training_fits_80_columns_and_stays_in_place(
    variant: str | None,
) -> None:
    first, last = progress_line(BEGUN, variant), progress_line(END, variant)
    assert len(last) + 1 + SHORTEST_BAR <= 81
    for word in ("loss", "acc.", "val."):
        assert abs(first.index(word) - last.index(word)) <= (1 if word == "val." else 0)
    assert first.endswith(" left") and last.endswith(" left")
    assert ("batch" in last) == (variant is None)
