"""Tests of denoisers of a data set in a folder that several sessions use; nothing is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import denoising.training
from data_parser import DataSet
from denoisers.trained_denoisers import TrainedDenoisers
from denoising.settings import weight_count
from denoising.training import TrainedDenoiser
from errors import CollectionError
from process_lock import LOCK_NAME
from storage.denoiser_folder import Denoiser, load_denoisers
from tests.denoisers import a_denoiser

SETTINGS = a_denoiser("residual")
OTHER = a_denoiser("sparse")


@pytest.fixture
def sessions(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[TrainedDenoisers, TrainedDenoisers]:
    """Two sessions that have both read the empty folder; the seed says what a training brings."""

    def train(settings: Any, images: Any, labels: Any, classes: int, seed: int, **_: Any) -> Any:
        weights = np.full(weight_count(settings, classes), seed, np.float16)
        return TrainedDenoiser(seed, 1.0, np.zeros(1), weights)

    monkeypatch.setattr(denoising.training, "train_denoiser", train)
    both = tuple(TrainedDenoisers(data_set, tmp_path / "denoisers", seed) for seed in (10, 20))
    assert [session.of(SETTINGS) for session in both] == [None, None]
    return both[0], both[1]


def steps_of(denoiser: Denoiser | None) -> int:
    """Steps that it learnt from, which here are its seed and its weights, too."""
    assert denoiser is not None and denoiser.weights[0] == denoiser.seed == denoiser.steps
    return denoiser.steps


def kept(session: TrainedDenoisers) -> list[int]:
    return sorted(map(steps_of, load_denoisers(session.folder).values()))


def test_what_another_session_keeps_meanwhile_stays(
    sessions: tuple[TrainedDenoisers, TrainedDenoisers],
) -> None:
    one, other = sessions
    other.train(OTHER)
    one.train(SETTINGS)
    assert kept(one) == [10, 20]


def test_what_another_session_trained_longer_stays_and_is_used(
    sessions: tuple[TrainedDenoisers, TrainedDenoisers],
) -> None:
    shorter, longer = sessions
    longer.train(SETTINGS)
    assert shorter.train(SETTINGS).steps == 10
    assert kept(shorter) == [20] and steps_of(shorter.of(SETTINGS)) == 20


def test_what_another_session_trained_shorter_is_replaced(
    sessions: tuple[TrainedDenoisers, TrainedDenoisers],
) -> None:
    shorter, longer = sessions
    shorter.train(SETTINGS)
    longer.train(SETTINGS)
    assert kept(longer) == [20] and steps_of(longer.of(SETTINGS)) == 20


def test_a_denoiser_that_cannot_be_kept_is_in_memory(
    sessions: tuple[TrainedDenoisers, TrainedDenoisers],
) -> None:
    session, _ = sessions
    (session.folder / LOCK_NAME).mkdir(parents=True)
    with pytest.raises(CollectionError, match="what was trained is in memory until"):
        session.train(SETTINGS)
    assert steps_of(session.of(SETTINGS)) == 10 and kept(session) == []
