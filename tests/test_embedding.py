"""Tests of maps of images."""

import sys

import numpy as np
import pytest

from evaluation import embedding


def clouds(each: int = 20) -> np.ndarray:
    """Vectors (2 * each, 40) around two places."""
    random = np.random.default_rng(0)
    middles = np.repeat(10 * random.normal(size=(2, 40)), each, axis=0)
    return middles + random.normal(size=middles.shape)


def test_principal_components_are_those_of_a_singular_value_decomposition() -> None:
    for vectors in (clouds(), clouds(each=5)):  # more vectors than numbers in each, and fewer
        centred = vectors - vectors.mean(axis=0)
        left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
        found = embedding.principal_components(vectors, 3)
        np.testing.assert_allclose(np.abs(found.points), np.abs(left * lengths)[:, :3], atol=1e-8)
        np.testing.assert_allclose(found.shares, (lengths**2 / (lengths**2).sum())[:3], atol=1e-9)


def test_signs_do_not_hang_on_the_order_of_the_vectors() -> None:
    vectors = clouds()
    forwards = embedding.principal_components(vectors, 2).points
    backwards = embedding.principal_components(vectors[::-1], 2).points[::-1]
    np.testing.assert_allclose(forwards, backwards, atol=1e-8)


def test_components_that_there_are_not_are_0() -> None:
    found = embedding.principal_components(np.array([[1.0], [3.0]]), 3)
    assert found.points[:, 1:].tolist() == [[0, 0], [0, 0]]
    assert found.shares.tolist() == [1, 0, 0]


@pytest.mark.parametrize("vectors", [np.full((5, 4), 7.0), np.zeros((1, 4))])
def test_vectors_that_do_not_differ_lie_in_one_place(vectors: np.ndarray) -> None:
    found = embedding.principal_components(vectors, 2)
    assert not found.points.any() and not found.shares.any()


@pytest.mark.parametrize(
    "vectors", [np.zeros((0, 4)), np.zeros((4, 0)), np.zeros(4), np.array([[np.nan], [1.0]])]
)
def test_what_cannot_be_mapped_is_refused(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot be mapped"):
        embedding.principal_components(vectors, 2)


def test_without_the_library_there_is_no_t_sne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    assert not embedding.has_t_sne()
    assert embedding.t_sne(clouds(), 0) is None


def test_t_sne_keeps_clouds_apart_and_repeats() -> None:
    pytest.importorskip("sklearn.manifold", reason="t-SNE is not tested: no scikit-learn")
    points = embedding.t_sne(clouds(), 5)
    assert points is not None and points.shape == (40, 2)
    first, second = points[:20], points[20:]
    spread = max(
        np.linalg.norm(cloud - cloud.mean(axis=0), axis=1).max() for cloud in (first, second)
    )
    assert np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)) > spread
    np.testing.assert_array_equal(points, embedding.t_sne(clouds(), 5))


@pytest.mark.parametrize("count", [1, 7])
def test_few_vectors_have_no_t_sne(count: int) -> None:
    assert embedding.t_sne(clouds()[:count], 0) is None
    assert embedding.t_sne(np.ones((50, 3)), 0) is None
