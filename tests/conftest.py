"""Fixtures for all tests."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import data_parser
from collection_training import TrainingObserver, train
from crews.in_process_crew import InProcessCrew
from data_parser import DataSet
from model_collection import Entry, ModelCollection
from settings.hyperparameters import TrainingTask
from settings.network_layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling,
    Variant,
)
from settings.training_parameters import TrainingParameters
from storage.collection_folder import load_collection, save_collection
from trainer_predictor import TrainerPredictor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# As `cnn_model` has it, also where a test imports Keras before: else sums come in another order.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# What an example takes is the machine's business: a busy one would fail tests that are right.
settings.register_profile("of any pace", deadline=None)
settings.load_profile("of any pace")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: HANDWRITING_DATA, or `shared/data` beside the repository."""
    named = os.environ.get("HANDWRITING_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: HANDWRITING_DATA is unset and {folder} is no folder")
    return folder


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the state folder of whoever runs the tests out of them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Matplotlib's figures, as they are saved."""
    from matplotlib.figure import Figure

    saved = []
    save = Figure.savefig

    def keep_and_save(figure: Any, *given: Any, **options: Any) -> None:
        saved.append(figure)
        save(figure, *given, **options)

    monkeypatch.setattr(Figure, "savefig", keep_and_save)
    return saved


MakeDataSet = Callable[..., DataSet]


@pytest.fixture(scope="session")
def make_data_set() -> MakeDataSet:
    """Makes data sets that are learnt in a few steps: each class has a bar in its own place."""

    def make(
        classes: str = "ABC", each: int = 40, *, seed: int = 1, pixels: int = 1, noise: int = 40
    ) -> DataSet:
        random = np.random.default_rng(pixels)
        labels = np.repeat(np.arange(len(classes)), each).astype(np.int32)
        images = random.integers(0, noise, (len(labels), 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 8)
            image[1 + 4 * row : 4 + 4 * row, 1 + 3 * column : 4 + 3 * column] = 255
        in_test = np.arange(len(labels)) % 5 == 0
        splits = data_parser.split_data(labels, in_test, classes, seed)
        return DataSet(
            images=images,
            labels=labels,
            classes=tuple(classes),
            splits=splits,
            source=Path("letters.mat"),
            split_by="seed",
            seed=seed,
        )

    return make


@pytest.fixture(scope="session")
def data_set(make_data_set: MakeDataSet) -> DataSet:
    """Classes A, B, C with 40 images each."""
    return make_data_set()


class Watching(TrainingObserver):
    """Writes down what a training tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.reasons: list[str] = []
        self.in_progress: set[int] = set()

    def variant_skipped(self, number: int, entry: Entry) -> None:
        self.told.append(("skipped", number))

    def variant_started(self, number: int, variants: int, task: TrainingTask) -> None:
        self.told.append(("started", number))

    def progressed(self, number: int, progress: object) -> None:
        self.in_progress.add(number)

    def variant_finished(self, number: int, entry: Entry) -> None:
        self.told.append(("finished", number))

    def variant_interrupted(self, number: int, reason: str) -> None:
        self.told.append(("interrupted", number))
        self.reasons.append(reason)

    def variant_moved(self, number: int) -> None:
        self.told.append(("moved", number))

    def variant_failed(self, number: int, reason: str) -> None:
        self.told.append(("failed", number))
        self.reasons.append(reason)

    def not_kept(self, reason: str) -> None:
        self.told.append(("not kept", 0))
        self.reasons.append(reason)


@pytest.fixture
def observer() -> Watching:
    return Watching()


SMALL: Variant = (Flatten(), Dense(6, "relu"))
LARGE: Variant = (
    Conv2D(3, (3, 3)),
    MaxPooling((2, 2)),
    Dropout(0.25),
    BatchNormalization(),
    Flatten(),
    Dense(8),
)


@dataclass(frozen=True)
class Settings:
    """Two tiny variants, how they are trained, and both as text files."""

    variants: tuple[Variant, Variant]
    parameters: TrainingParameters
    tasks: tuple[TrainingTask, TrainingTask]
    variants_file: Path
    parameters_file: Path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("settings")
    (folder / "variants.txt").write_text(
        """[
            [{'type':'flatten'}, {'type':'dense','dense_layer_size':6}],
            [{'type':'conv2d','filters':3,'kernel_size':3}, {'type':'maxpooling','pool_size':2},
             {'type':'dropout','dropout_ratio':.25}, {'type':'batchnormalization'},
             {'type':'flatten'}, {'type':'dense','dense_layer_size':8}],
        ]"""
    )
    parameters = TrainingParameters("adam", 8, 2)
    (folder / "training.txt").write_text(
        "{'optimizer':'adam','train_batch_size':8,'train_epochs':2}"
    )
    return Settings(
        (SMALL, LARGE),
        parameters,
        (TrainingTask(SMALL, parameters), TrainingTask(LARGE, parameters)),
        folder / "variants.txt",
        folder / "training.txt",
    )


@pytest.fixture(scope="session")
def saved_collection(
    tmp_path_factory: pytest.TempPathFactory, data_set: DataSet, tiny: Settings
) -> Path:
    """Folder of a collection with both tiny variants; not to be changed."""
    collection = ModelCollection(data_set.classes)
    train(
        collection,
        tiny.tasks,
        data_set,
        seed=3,
        retrain=False,
        observer=Watching(),
        keep=lambda: None,
        should_stop=lambda: False,
        make_crew=lambda tasks: InProcessCrew(lambda: False),
    )
    folder = tmp_path_factory.mktemp("trained") / "collection"
    save_collection(collection, folder)
    return folder


@pytest.fixture
def trained(saved_collection: Path) -> ModelCollection:
    """A fresh copy in memory of the collection in `saved_collection`."""
    return load_collection(saved_collection)


@pytest.fixture
def session(data_set: DataSet, saved_collection: Path) -> TrainerPredictor:
    """A session that has loaded two trained entries."""
    session = TrainerPredictor(data_set, seed=3)
    session.load(saved_collection)
    return session
