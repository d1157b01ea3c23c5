"""Tests of denoisers: their networks, their training, and how they are judged."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import pytest

from data_parser import DataSet
from denoisers.denoising_findings import DenoisingFindings, judge, restore_one
from denoising import networks
from denoising.noise import Noise, add_noise
from denoising.progress import DenoiserProgress
from denoising.settings import TYPES, DenoiserSettings, weight_shapes
from denoising.training import DenoiserDiverged, NoisyBatches, OutOfMemory, train_denoiser
from tests.denoisers import OWN, a_denoiser

NOISE = Noise("gaussian", 0.6)


def noisy(data_set: DataSet, amount: float = NOISE.amount) -> tuple[np.ndarray, np.ndarray]:
    """Test images with Gaussian noise, and without it."""
    clean, _ = data_set.subset("test")
    random = np.random.default_rng(5)
    return add_noise(clean, "gaussian", np.full(len(clean), amount), random), clean


def squared_error(images: np.ndarray, clean: np.ndarray) -> float:
    return float(np.square((images.astype(float) - clean) / 255).mean())


def trained_on(data_set: DataSet, settings: DenoiserSettings, seed: int = 3) -> keras.Model:
    images, labels = data_set.subset("training")
    classes = len(data_set.classes)
    weights = train_denoiser(settings, images, labels, classes, seed).weights
    network = networks.build_denoiser(settings, classes)
    networks.set_weights(network, settings, classes, weights)
    return network


# ------------------------------------------------------------------------- networks


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("filters", [(3,), (3, 5), (3, 5, 2)])
def test_networks_have_the_weights_that_settings_say(kind: str, filters: tuple[int, ...]) -> None:
    if "filters" not in OWN[kind] or (kind != "residual" and len(filters) > 2):
        filters = OWN[kind].get("filters", ())
    changed = {"filters": filters} if filters else {}
    settings = a_denoiser(kind, **changed)
    network = networks.build_denoiser(settings, 7)
    shapes = [tuple(variable.shape) for variable in networks.variables(network)]
    assert shapes == list(weight_shapes(settings, 7))
    assert sum(int(np.prod(shape)) for shape in shapes) == network.count_params()


@pytest.mark.parametrize("kind", TYPES)
def test_weights_come_back_and_restore_alike(kind: str, data_set: DataSet) -> None:
    settings = a_denoiser(kind)
    first, second = (networks.build_denoiser(settings, 3) for _ in range(2))
    networks.set_weights(second, settings, 3, networks.get_weights(first))
    images, _ = noisy(data_set)
    given = images, np.full(len(images), 0.6), np.zeros(len(images), np.int64)
    restored = networks.restore(first, settings, *given)
    assert restored.dtype == np.uint8 and restored.shape == images.shape
    np.testing.assert_array_equal(restored, networks.restore(second, settings, *given))


def test_the_sparsity_penalty_is_the_divergence_by_hand() -> None:
    penalty = networks.SparsityPenalty(0.1, 2.0)
    activations = np.array([[0.2, 0.0], [0.6, 0.2]], np.float32)  # means 0.4 and 0.1
    expected = 2 * (0.1 * np.log(0.1 / 0.4) + 0.9 * np.log(0.9 / 0.6))
    assert float(penalty(activations)) / 2 == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(float(penalty(np.zeros((3, 4), np.float32))))


def test_the_penalty_is_part_of_the_loss_once() -> None:
    light, heavy = (a_denoiser("sparse", sparsity_weight=weight) for weight in (0.0, 3.0))
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    losses = []
    for settings in (light, heavy):
        keras.utils.set_random_seed(1)
        network = networks.build_denoiser(settings, 3)
        network.compile(loss="binary_crossentropy")
        losses.append(network.evaluate(images, images / np.float32(255), verbose=0))
    code = next(layer for layer in network.layers if isinstance(layer, keras.layers.Dense))
    values = keras.Model(network.inputs, code.output).predict(images, verbose=0)
    penalty = float(networks.SparsityPenalty(0.2, 3.0)(values)) / len(images)
    assert losses[1] - losses[0] == pytest.approx(penalty, rel=1e-4)


def test_a_heavy_penalty_makes_the_code_sparse(data_set: DataSet) -> None:
    images, _ = noisy(data_set)
    means = []
    for weight in (0.0, 1.0):
        network = trained_on(data_set, a_denoiser("sparse", sparsity=0.05, sparsity_weight=weight))
        code = next(layer for layer in network.layers if isinstance(layer, keras.layers.Dense))
        means.append(keras.Model(network.inputs, code.output).predict(images, verbose=0).mean())
    assert means[1] < 0.1 < means[0]


def test_what_is_told_changes_what_is_restored(data_set: DataSet) -> None:
    images, _ = noisy(data_set)
    amounts, labels = np.full(len(images), 0.2), np.zeros(len(images), np.int64)
    residual, conditional = (
        (settings, trained_on(data_set, settings))
        for settings in (a_denoiser("residual"), a_denoiser("conditional"))
    )
    for (settings, network), other in (
        (residual, (amounts + 0.6, labels)),
        (conditional, (amounts, labels + 1)),
    ):
        one = networks.restore(network, settings, images, amounts, labels)
        assert (one != networks.restore(network, settings, images, *other)).any()


# ------------------------------------------------------------------------- training


@pytest.mark.parametrize("kind", TYPES)
def test_restored_images_are_nearer_to_the_clean_ones(kind: str, data_set: DataSet) -> None:
    settings = a_denoiser(kind, steps=120)
    images, clean = noisy(data_set)
    labels = data_set.subset("test")[1]
    network = trained_on(data_set, settings)
    restored = networks.restore(network, settings, images, np.full(len(images), 0.6), labels)
    assert squared_error(restored, clean) < squared_error(images, clean) / 3


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.thorough
def test_the_seed_makes_the_weights(kind: str, data_set: DataSet) -> None:
    images, labels = data_set.subset("training")
    settings = a_denoiser(kind, steps=5)
    one, again, other = (
        train_denoiser(settings, images, labels, 3, seed).weights for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_batches_are_noisy_images_with_the_clean_ones_as_targets(data_set: DataSet) -> None:
    images, labels = data_set.subset("training")
    settings = a_denoiser("conditional", noise={"lines": (2, 4)}, batch_size=50)
    (given, told), targets = NoisyBatches(images, labels, settings, 4)[7]
    clean = np.rint(targets * 255).astype(np.uint8)
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    assert [known[image.tobytes()] for image in clean] == told.tolist()
    assert (given >= clean).all() and (given > clean).any(axis=(1, 2)).all()
    assert targets.dtype == np.float32 and targets.max() <= 1


def test_progress_is_told_and_training_ends_when_asked(data_set: DataSet) -> None:
    images, labels = data_set.subset("training")
    told: list[DenoiserProgress] = []
    trained = train_denoiser(
        a_denoiser("convolutional", steps=1000),
        images,
        labels,
        3,
        1,
        show=told.append,
        should_stop=lambda: len(told) >= 3,
    )
    assert [progress.step for progress in told] == [10, 20, 30, 31]
    assert trained.steps == 31 and {progress.steps for progress in told} == {1000}
    assert trained.losses.tolist() == [progress.loss for progress in told]


def test_a_training_that_comes_to_nothing_is_told(data_set: DataSet) -> None:
    images, labels = data_set.subset("training")
    settings = a_denoiser("residual", learning_rate=10.0, steps=200)
    with pytest.raises(DenoiserDiverged, match="learning_rate"):
        train_denoiser(settings, images, labels, 3, 1)


# ------------------------------------------------------------------------- findings


def findings(
    data_set: DataSet,
    *,
    with_reader: bool = True,
    show: Callable[[str], None] = lambda doing: None,
) -> DenoisingFindings:
    """Judged: one that gives the clean images' mean, and one that changes nothing."""
    mean = data_set.images.mean(axis=0).astype(np.uint8)

    def read(images: np.ndarray) -> np.ndarray:
        # A class has its bar in columns of its own.
        bars = np.stack([images[:, 1:4, 1 + 3 * n : 4 + 3 * n].mean(axis=(1, 2)) for n in range(3)])
        taken_for: np.ndarray = bars.argmax(axis=0)
        return taken_for

    return judge(
        data_set,
        (Noise("gaussian", 0.2), Noise("salt_and_pepper", 0.5)),
        {
            "0 mean": lambda images, amount, labels: np.repeat(mean[np.newaxis], len(images), 0),
            "1 nothing": lambda images, amount, labels: images,
        },
        read if with_reader else None,
        seed=1,
        show=show,
    )


def test_what_is_being_judged_is_told_with_how_much_there_is_to_judge(data_set: DataSet) -> None:
    told: list[str] = []
    findings(data_set, show=told.append)
    assert told == [
        f"Judging: noise {number} of 2, {noise}, {doing} ..."
        for number, noise in ((1, "gaussian 0.2"), (2, "salt_and_pepper 0.5"))
        for doing in ("noisy images", "denoiser 1 of 2", "denoiser 2 of 2")
    ]


def test_restored_images_are_measured_against_the_clean_ones(data_set: DataSet) -> None:
    found = findings(data_set)
    assert found.images == len(data_set.indices("test")) and found.clean_accuracy == 1.0
    for by_noise in found.by_noise:
        mean, nothing = by_noise.restored
        assert nothing.measures.mse == by_noise.noisy.measures.mse
        assert nothing.accuracy == by_noise.noisy.accuracy
        assert mean.accuracy == pytest.approx(1 / 3, abs=0.15)
    assert found.by_noise[1].noisy.measures.mse > found.by_noise[0].noisy.measures.mse


def test_the_two_best_are_compared_image_by_image(data_set: DataSet) -> None:
    light, heavy = findings(data_set).by_noise
    assert light.comparison is not None and heavy.comparison is not None
    for by_noise in (light, heavy):
        comparison = by_noise.comparison
        assert comparison is not None
        by_name = {finding.restorer: finding for finding in by_noise.restored}
        one, other = by_name[comparison.one], by_name[comparison.other]
        assert comparison.errors.difference == pytest.approx(one.measures.mse - other.measures.mse)
        assert comparison.errors.difference < 0
        assert one.right is not None and other.right is not None
        assert comparison.accuracy is not None
        assert comparison.accuracy.only_one == np.sum(one.right & ~other.right)


def test_without_a_reader_there_is_no_accuracy(data_set: DataSet) -> None:
    found = findings(data_set, with_reader=False)
    assert found.clean_accuracy is None
    assert all(finding.accuracy is None for finding in found.by_noise[0].restored)


def test_who_is_told_the_class_is_told_what_the_noisy_image_is_taken_for(data_set: DataSet) -> None:
    told: list[np.ndarray] = []

    def restore(images: np.ndarray, amount: float, labels: np.ndarray) -> np.ndarray:
        told.append(labels)
        return images

    always_2 = np.full(len(data_set.indices("test")), 2)
    judge(data_set, [NOISE], {"0": restore}, lambda images: always_2[: len(images)], seed=1)
    assert (told[0] == 2).all()
    judge(data_set, [NOISE], {"0": restore}, None, seed=1)
    assert sorted(told[1]) == sorted(data_set.subset("test")[1])


def test_one_image_is_read_before_and_after(data_set: DataSet) -> None:
    image = data_set.images[0]
    dark = np.zeros_like(image)
    found = restore_one(
        NOISE,
        {"clean": image, "noisy": dark},
        1,
        data_set.classes,
        {"0": lambda images, amount, labels: images + 9},
        lambda images: np.stack([1 - images.max((1, 2)) / 255, images.max((1, 2)) / 255], axis=1),
    )
    assert [seen.name for seen in found.seen] == ["clean", "noisy", "0"]
    assert found.label == "B" and found.seen[2].image.max() == 9
    assert [seen.likeliest[0].character for seen in found.seen] == ["B", "A", "A"]


def test_too_little_memory_is_told_from_a_defect(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_noise(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr("denoising.training.add_noise", add_noise)
    with pytest.raises(OutOfMemory, match="not enough memory for batches of 16 images"):
        train_denoiser(a_denoiser("convolutional"), *data_set.subset("training"), 3, 1)


def test_many_test_images_are_a_draw_that_repeats(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("denoisers.denoising_findings.MOST_IMAGES", 7)
    first, second = (findings(data_set) for _ in range(2))
    other = findings(dataclasses.replace(data_set, seed=2))
    assert first.images == 7
    np.testing.assert_array_equal(first.examples, second.examples)
    assert other.images == 7
