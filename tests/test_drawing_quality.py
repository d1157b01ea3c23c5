"""Tests of the figures for drawn characters, against closed forms, brute force and by hand."""

import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

import data_parser
from benchmarks import drawing_quality as benchmark
from evaluation import judge, plots
from evaluation.drawing_quality import (
    density_and_coverage,
    frechet_distance,
    kernel_distance,
    measure,
    recognition_rate,
)
from evaluation.judge import Opinion

Array = npt.NDArray[Any]


def normal(count: int, seed: int, features: int = 4, shift: float = 0.0) -> Array:
    return np.random.default_rng(seed).normal(shift, 1, (count, features)).astype(np.float32)


def exact_gaussian(count: int, mean: Array, covariance: Array, seed: int = 0) -> Array:
    """Points whose own mean and covariance are exactly these."""
    points = np.random.default_rng(seed).normal(size=(count, len(mean)))
    points -= points.mean(axis=0)
    points @= linalg.inv(linalg.cholesky(np.cov(points, rowvar=False), lower=True)).T
    return np.asarray(mean + points @ linalg.cholesky(covariance, lower=True).T)


# ------------------------------------------------------------------------------------------ FID


def test_a_set_has_no_frechet_distance_from_itself() -> None:
    for features in (normal(50, 1), normal(20, 2, features=64)):  # the second is singular
        assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_spheres_is_the_closed_form() -> None:
    first = exact_gaussian(30, np.zeros(3), np.eye(3) * 4)
    second = exact_gaussian(40, np.array([3.0, 0, 4]), np.eye(3) * 9, seed=1)
    assert frechet_distance(first, second) == pytest.approx(5**2 + 3 * (3 - 2) ** 2)


def test_frechet_distance_is_that_of_the_matrix_root_in_the_paper() -> None:
    random = np.random.default_rng(3)
    c_1, c_2 = (part @ part.T + np.eye(5) for part in random.normal(size=(2, 5, 5)))
    mean = random.normal(size=5)
    first, second = exact_gaussian(30, mean, c_1), exact_gaussian(30, np.zeros(5), c_2, seed=1)
    expected = mean @ mean + np.trace(c_1 + c_2 - 2 * linalg.sqrtm(c_1 @ c_2).real)
    assert frechet_distance(first, second) == pytest.approx(expected)


def test_frechet_distance_hangs_on_no_order() -> None:
    first, second = normal(40, 1), normal(30, 2, shift=0.5)
    expected = frechet_distance(first, second)
    assert frechet_distance(second, first) == pytest.approx(expected)
    assert frechet_distance(first[::-1], second) == pytest.approx(expected)
    assert frechet_distance(first[:, ::-1], second[:, ::-1]) == pytest.approx(expected)


def test_frechet_distance_of_a_shift_is_its_square() -> None:
    first = normal(40, 1)
    assert frechet_distance(first, first + np.float32(2)) == pytest.approx(4 * 4, rel=1e-5)


def test_one_feature_is_enough() -> None:
    first = np.array([[0.0], [2.0]])
    assert frechet_distance(first, first * 3) == pytest.approx((3 - 1) ** 2 + 2 * (3 - 1) ** 2)


# ------------------------------------------------------------------------------------------ KID


def brute_force_discrepancy(x: Array, y: Array) -> float:
    def kernel(a: Array, b: Array) -> float:
        return float((float(a @ b) / len(a) + 1) ** 3)

    def within(z: Array) -> float:
        pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
        return float(np.mean([kernel(z[i], z[j]) for i, j in pairs]))

    return within(x) + within(y) - 2 * float(np.mean([kernel(a, b) for a in x for b in y]))


def test_kernel_distance_is_that_computed_pair_by_pair() -> None:
    first, second = normal(7, 1).astype(float), normal(7, 2, shift=0.3).astype(float)
    expected = brute_force_discrepancy(first, second)
    assert kernel_distance(first, second) == pytest.approx(expected)


def test_kernel_distance_of_the_same_distribution_is_around_nothing() -> None:
    found = [kernel_distance(normal(60, 2 * n), normal(60, 2 * n + 1)) for n in range(60)]
    assert min(found) < 0 < max(found)
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(len(found))


def test_kernel_distance_grows_with_the_shift() -> None:
    first = normal(200, 1)
    near, far, farther = (
        kernel_distance(first, normal(200, 2, shift=shift)) for shift in (0, 0.5, 1)
    )
    assert abs(near) < 0.1 < far < farther


def test_kernel_distance_hangs_on_the_seed_only_where_there_is_a_choice() -> None:
    first, second = normal(40, 1), normal(30, 2)
    few = [kernel_distance(first, second, seed=seed, subset_images=10) for seed in (1, 1, 2)]
    assert few[0] == few[1] != few[2]
    whole = [kernel_distance(first[:30], second, seed=seed) for seed in (1, 2)]
    assert whole[0] == pytest.approx(whole[1])


# ------------------------------------------------------------------------- density and coverage


def brute_force(real: Array, drawn: Array, neighbours: int) -> tuple[float, float]:
    """The definition of Naeem et al., one pair after the other."""
    inside = np.zeros((len(real), len(drawn)), bool)
    for i, x in enumerate(real):
        others = sorted(math.dist(x, other) for j, other in enumerate(real) if j != i)
        for j, y in enumerate(drawn):
            inside[i, j] = math.dist(x, y) < others[neighbours - 1]
    return float(inside.sum() / (neighbours * len(drawn))), float(inside.any(axis=1).mean())


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    real=st.integers(6, 25),
    drawn=st.integers(1, 25),
    neighbours=st.integers(1, 5),
    shift=st.floats(-2, 2),
)
def test_density_and_coverage_are_those_counted_one_by_one(
    seed: int, real: int, drawn: int, neighbours: int, shift: float
) -> None:
    first, second = normal(real, seed, 3), normal(drawn, seed + 1, 3, shift)
    expected = brute_force(first.astype(float), second.astype(float), neighbours)
    assert density_and_coverage(first, second, neighbours=neighbours) == pytest.approx(expected)


def test_the_same_distribution_has_density_one_and_the_coverage_that_the_paper_expects() -> None:
    density, coverage = density_and_coverage(normal(2000, 1), normal(2000, 2))
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_dropped_modes_lower_coverage_alone() -> None:
    modes = np.repeat([[0.0], [20], [40], [60]], 250, axis=0).astype(np.float32)
    real = normal(1000, 1) + modes
    density, coverage = density_and_coverage(real, normal(1000, 2))  # one mode of four
    assert density == pytest.approx(1, abs=0.15)
    assert coverage == pytest.approx(0.25, abs=0.01)


def test_images_far_from_all_real_ones_lower_density_alone() -> None:
    drawn = np.concatenate([normal(300, 2), normal(300, 3, shift=50)])
    density, coverage = density_and_coverage(normal(300, 1), drawn)
    assert density == pytest.approx(0.5, abs=0.1)
    assert coverage > 0.9


def test_the_border_of_a_ball_is_outside() -> None:
    real = np.array([[0.0], [1], [3]])  # balls with one neighbour: radius 1, 1 and 2
    assert density_and_coverage(real, np.array([[-1.0]]), neighbours=1) == (0, 0)
    assert density_and_coverage(real, np.array([[1.0]]), neighbours=1) == (1, 1 / 3)
    assert density_and_coverage(real, np.array([[1.5]]), neighbours=1) == (2, 2 / 3)


@pytest.mark.parametrize("block_bytes", [1, 8 * 70, 8 * 70 * 3, 8 * 70 * 37])
def test_blocks_change_nothing(block_bytes: int) -> None:
    real, drawn = normal(50, 1), normal(70, 2)
    whole = density_and_coverage(real, drawn)
    assert density_and_coverage(real, drawn, block_bytes=block_bytes) == whole


def test_distances_of_many_images_need_little_memory() -> None:
    real, drawn = normal(3000, 1), normal(6000, 2)  # 144 MB of distances
    tracemalloc.start()
    try:
        density_and_coverage(real, drawn, block_bytes=2**20)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


# -------------------------------------------------------------------------------- recognition

PROBABILITIES = np.array(
    [[0.6, 0.3, 0.1], [0.5, 0.1, 0.4], [0.1, 0.5, 0.4], [0.2, 0.2, 0.6]], np.float32
)


def test_only_open_classes_are_possible_answers() -> None:
    labels = np.array([1, 2, 2, 2])
    assert recognition_rate(PROBABILITIES, labels, [1, 2]) == 0.75  # the third is read as 1
    assert recognition_rate(PROBABILITIES, labels, [2, 1]) == 0.75
    assert recognition_rate(PROBABILITIES, labels) == 0.25
    assert recognition_rate(PROBABILITIES, labels, [0, 1, 2]) == 0.25


# ------------------------------------------------------------------------------------- measure


def opinion(per_class: int, seed: int, shift: float = 0.0) -> tuple[Opinion, Array]:
    """Two open classes, the columns 1 and 3 of 4, of which the judge is sure."""
    labels = np.repeat([1, 3], per_class)
    features = normal(2 * per_class, seed, shift=shift) + 9 * (labels == 3)[:, None]
    return Opinion(features.astype(np.float32), np.eye(4, dtype=np.float32)[labels]), labels


def test_a_class_is_measured_as_if_it_were_alone() -> None:
    (real, real_labels), (drawn, drawn_labels) = opinion(12, 1), opinion(20, 2)
    both = measure(real, real_labels, drawn, drawn_labels, [3, 1])
    assert both.overall.images == 40
    for column, quality in zip((3, 1), both.classes, strict=True):
        of_real, of_drawn = real_labels == column, drawn_labels == column
        alone = measure(
            Opinion(real.features[of_real], real.probabilities[of_real]),
            real_labels[of_real],
            Opinion(drawn.features[of_drawn], drawn.probabilities[of_drawn]),
            drawn_labels[of_drawn],
            [column],
        )
        assert alone.overall == alone.classes[0] == quality
        assert quality.images == 20


def test_every_figure_is_a_plain_number_of_what_its_function_says() -> None:
    (real, real_labels), (drawn, drawn_labels) = opinion(12, 1), opinion(20, 2, shift=1)
    found = measure(real, real_labels, drawn, drawn_labels, [1, 3], seed=5).overall
    assert found.fid == frechet_distance(real.features, drawn.features)
    assert found.kid == kernel_distance(real.features, drawn.features, seed=5)
    assert (found.density, found.coverage) == density_and_coverage(real.features, drawn.features)
    assert found.recognition == found.recognition_all == 1
    assert {type(value) for value in vars(found).values()} == {int, float}


def test_images_that_were_read_as_another_open_class_or_as_a_closed_one_are_told_apart() -> None:
    (real, real_labels), (drawn, labels) = opinion(12, 1), opinion(10, 2)
    probabilities = drawn.probabilities.copy()
    probabilities[:5] = [0.5, 0.4, 0, 0.1]  # asked for 1: closed class 0 comes first, then 1
    probabilities[10:12] = [0, 0.6, 0, 0.4]  # asked for 3, read as 1
    found = measure(real, real_labels, Opinion(drawn.features, probabilities), labels, [1, 3])
    assert [of.recognition for of in (found.overall, *found.classes)] == [0.9, 1, 0.8]
    assert [of.recognition_all for of in (found.overall, *found.classes)] == [0.65, 0.5, 0.8]


def test_wrong_classes_show_class_by_class_where_the_whole_looks_right() -> None:
    (real, real_labels), (drawn, labels) = opinion(30, 1), opinion(30, 2)
    right = measure(real, real_labels, drawn, labels, [1, 3])
    swapped = measure(real, real_labels, drawn, labels[::-1], [1, 3])
    assert swapped.overall.fid == right.overall.fid
    assert swapped.overall.recognition == 0
    assert min(of.fid for of in swapped.classes) > 100 > max(of.fid for of in right.classes)
    assert max(of.coverage for of in swapped.classes) == 0


# --------------------------------------------------------------------------------- wrong input

EMPTY = np.empty((0, 4), np.float32)
NOT_FINITE = np.array([[0.0, np.nan], [1, 2], [3, 4]])


@pytest.mark.parametrize("function", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (normal(5, 1), normal(5, 2, features=3), "4 features an image cannot be held against 3"),
        (normal(5, 1), normal(5, 2)[0], r"shape \(4,\)"),
        (EMPTY, normal(5, 1), "0 images are too few: 2"),
        (normal(5, 1), normal(1, 2), "1 images are too few: 2"),
        (NOT_FINITE, NOT_FINITE, "infinite or not a number"),
    ],
)
def test_features_that_do_not_fit_are_refused(
    function: Any, first: Array, second: Array, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        function(first, second)


@pytest.mark.parametrize(
    ("real", "drawn", "says"),
    [
        (normal(5, 1), normal(5, 2), "5 real images have no 5 neighbours each"),
        (normal(6, 1), EMPTY, "0 images are too few: 1"),
        (normal(6, 1), normal(6, 2, features=3), "cannot be held against"),
    ],
)
def test_density_of_too_few_images_is_refused(real: Array, drawn: Array, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        density_and_coverage(real, drawn)


@pytest.mark.parametrize(
    ("labels", "columns", "says"),
    [
        (np.array([0, 1, 2]), None, "do not fit together"),
        (np.array([0, 1, 2, 2]), [0, 3], "from 0 to 2"),
        (np.array([0, 1, 2, 2]), [-1], "from 0 to 2"),
        (np.array([0, 1, 2, 2]), [], "no class is open"),
    ],
)
def test_recognition_of_what_does_not_fit_is_refused(
    labels: Array, columns: list[int] | None, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        recognition_rate(PROBABILITIES, labels, columns)


def test_recognition_of_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="no images"):
        recognition_rate(np.empty((0, 3), np.float32), np.empty(0, int))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"columns": [1]}, "real image is of no open class"),
        ({"columns": [1, 3, 3]}, "open twice"),
        ({"columns": [0, 1, 3]}, "0 real images of class 0; 6 are needed"),
        ({"drawn_labels": np.full(20, 2)}, "drawn image is of no open class"),
        ({"drawn_labels": np.full(20, 1)}, "0 drawn images of class 3; 2 are needed"),
        ({"drawn_labels": np.full(19, 1)}, "do not fit together"),
        ({"real": Opinion(normal(3, 1), np.eye(4, dtype=np.float32)[[1] * 24])}, "3 of 24 images"),
    ],
)
def test_opinions_that_do_not_fit_are_refused(change: dict[str, Any], says: str) -> None:
    (real, real_labels), (drawn, drawn_labels) = opinion(12, 1), opinion(10, 2)
    arguments: dict[str, Any] = {
        "real": real,
        "real_labels": real_labels,
        "drawn": drawn,
        "drawn_labels": drawn_labels,
        "columns": [1, 3],
    }
    with pytest.raises(ValueError, match=says):
        measure(**(arguments | change))


# --------------------------------------------------------------------------------------- plots

FORMULAS = ["$\\frac$", "$x_", "a_b^c{"]


def size_of(path: Path) -> tuple[int, int]:
    from matplotlib.image import imread

    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    height, width = imread(path).shape[:2]
    return height, width


def test_a_sheet_is_a_png_with_dark_ink_and_labels_as_they_are(tmp_path: Path) -> None:
    from matplotlib.image import imread

    ink = np.full((6, 28, 28), 255, np.uint8)
    plots.plot_image_sheet([ink, ink[:2], ink], FORMULAS, "$\\", tmp_path / "sheet.png")
    assert min(size_of(tmp_path / "sheet.png")) > 200
    dark = (imread(tmp_path / "sheet.png")[..., :3].max(axis=2) < 0.1).mean()
    plots.plot_image_sheet([0 * ink, ink[:0], ink[:0]], FORMULAS, "$\\", tmp_path / "sheet.png")
    light = (imread(tmp_path / "sheet.png")[..., :3].max(axis=2) < 0.1).mean()
    assert dark > 0.3 > 0.05 > light


def test_bars_are_a_png_with_names_as_they_are(tmp_path: Path) -> None:
    shares = np.random.default_rng(0).random((3, 5))
    path = tmp_path / "bars.png"
    plots.plot_quality_bars(shares, shares, FORMULAS, ["$", "\\", "_", "a", "b"], "$^", path)
    assert min(size_of(path)) > 300


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        ([], []),
        ([np.empty((0, 28, 28), np.uint8)], ["a"]),
        ([np.zeros((1, 28, 28), np.uint8), np.zeros((1, 8, 8), np.uint8)], ["a", "b"]),
        ([np.zeros((1, 28, 28), np.uint8)], ["a", "b"]),
    ],
)
def test_a_sheet_of_nothing_or_of_many_sizes_is_refused(
    tmp_path: Path, rows: list[Array], labels: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"sheet needs images|rows have"):
        plots.plot_image_sheet(rows, labels, "title", tmp_path / "sheet.png")


@pytest.mark.parametrize("shapes", [((2, 3), (3, 2)), ((2, 4), (2, 4)), ((0, 3), (0, 3))])
def test_bars_that_do_not_fit_the_names_are_refused(
    tmp_path: Path, shapes: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    recognition, coverage = map(np.zeros, shapes)
    with pytest.raises(ValueError, match="2 generators and 3 classes"):
        plots.plot_quality_bars(
            recognition, coverage, ["a", "b"], list("ABC"), "title", tmp_path / "bars.png"
        )


# -------------------------------------------------------------------------------- the command


class SureJudge:
    """Knows the characters A, b and C by the brightest of the first three pixels."""

    def look_at(self, images: Array) -> Opinion:
        corner = images[:, 0, :3].astype(np.float32) / 255
        probabilities = np.zeros((len(images), len(judge.CLASSES)), np.float32)
        probabilities[:, [judge.CLASSES.index(character) for character in "AbC"]] = corner
        return Opinion((images[:, 0, :8] / 255).astype(np.float32), probabilities)


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of A, b and C with 40 train and 10 test images each; a judge that knows them."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 50)
    images = random.integers(0, 100, (150, 28, 28), dtype=np.uint8)
    images[np.arange(150), 0, labels] = 255
    path = tmp_path / "letters.mat"
    data_parser.write_mat(path, images[:120], labels[:120], images[120:], labels[120:], "AbC")
    monkeypatch.setattr(judge, "load_judge", SureJudge)
    return path


def test_the_command_measures_real_images_as_real(
    letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "results.json"
    arguments = [letters, "--images", "100", "--json", written, "--plots", tmp_path / "pictures"]
    assert benchmark.main([*map(str, arguments), "--generators", "basic"]) == 0
    results = json.loads(written.read_text())
    assert results["reference"] == {"images": 30, "recognition": 1, "recognition_all": 1}
    assert list(results["results"]) == ["floor", "basic"]
    for found in results["results"].values():
        assert found["overall"]["images"] == 102  # 34 of each
        assert found["overall"]["recognition"] == 1
        assert found["fresh_network_accuracy"] is None
        assert list(found["classes"]) == [*"AbC"]
        assert {of["images"] for of in found["classes"].values()} == {34}
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "basic.png",
        "floor.png",
        "overview.png",
        "quality.png",
    ]
    table = capsys.readouterr().out
    assert "| floor | 102 |" in table and "| basic | 102 |" in table


def test_the_same_seed_gives_the_same_figures(letters: Path, tmp_path: Path) -> None:
    found = []
    for seed in ("1", "1", "2"):
        arguments = [str(letters), "--generators", "basic", "--images", "100", "--seed", seed]
        assert benchmark.main([*arguments, "--json", str(tmp_path / "results.json")]) == 0
        found.append(json.loads((tmp_path / "results.json").read_text())["results"])
    assert found[0] == found[1] != found[2]


def test_no_real_image_comes_again_before_all_have_come(letters: Path) -> None:
    data_set = data_parser.open_data_set(letters, file_split=True)
    in_split = len(data_set.indices("generator")) // 3
    picked = benchmark.real_images(
        data_set, "generator", 2 * in_split + 1, np.random.default_rng(0)
    )
    assert picked.repeated == 3 * (in_split + 1)
    for images in np.split(picked.images, 3):
        counts = np.unique(images.reshape(len(images), -1), axis=0, return_counts=True)[1]
        assert sorted(counts) == [2] * (in_split - 1) + [3]


class OneImageOnly:
    """Draws each character rightly, but always in the same way."""

    def draw_many(self, class_index: int, count: int) -> Array:
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 0, class_index] = 255
        return images


def test_a_generator_that_draws_one_image_a_character_is_recognised_and_covers_little(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "make_generator", lambda *arguments: OneImageOnly())
    written = tmp_path / "results.json"
    arguments = [letters, "--images", "100", "--json", written, "--gan-collection-path", tmp_path]
    assert benchmark.main([*map(str, arguments), "--generators", "keras"]) == 0
    results = json.loads(written.read_text())["results"]
    floor, same = (results[name]["overall"] for name in ("floor", "keras"))
    assert same["recognition"] == floor["recognition"] == 1
    assert same["coverage"] < floor["coverage"] and same["fid"] > floor["fid"]


def test_a_generator_that_is_not_trained_is_one_sentence(
    letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(letters), "--generators", "keras", "--gan-collection-path", str(tmp_path)]
    assert benchmark.main(arguments) == 2
    assert "there is no trained generator of 'A'" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_fresh_network_reads_real_images_as_well_as_its_own_images_teach(
    data_set: data_parser.DataSet,
) -> None:
    images, labels = data_set.subset("training")
    assert benchmark.fresh_network_accuracy(images, labels, data_set) == 1
    misled = benchmark.fresh_network_accuracy(images, (labels + 1) % 3, data_set)
    assert misled == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--images", "7"], "--images: '7' is no whole number from 100 up"),
        (["--seed", "-1"], "'-1' is no seed"),
        (["--generators", "magic"], "invalid choice"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    letters: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert benchmark.main([str(letters), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error


def test_classes_that_the_judge_does_not_know_are_refused(
    letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_parser.read_labelled_images(letters)
    strange = tmp_path / "strange.mat"
    data_parser.write_mat(strange, data.images, data.labels, data.images, data.labels, "Acz")
    assert benchmark.main([str(strange)]) == 2
    assert f"the judge {judge.NAME} does not know c z" in capsys.readouterr().err
