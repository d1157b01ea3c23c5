"""Tests of noise: what words ask for, and what is done to images."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from denoising.noise import (
    AMOUNT_UNITS,
    KINDS,
    LARGEST_AMOUNTS,
    MOST_NOISES,
    Noise,
    add_noise,
    parse_noises,
)
from errors import UserError

Images = npt.NDArray[np.uint8]
LOW, HIGH = slice(0, 14), slice(14, 28)

WORDS = st.sampled_from(
    [*KINDS, "g", "SALT", "salt and pepper", "and", ",", ";", "0", "0.6", "3", "-1", "1e-3", "9,5"]
)
NOISES = st.sampled_from(KINDS).flatmap(
    lambda kind: st.builds(
        Noise,
        st.just(kind),
        st.integers(0, 20) if kind == "lines" else st.floats(0, LARGEST_AMOUNTS[kind]),
    )
)


def pictures(count: int, seed: int = 0) -> Images:
    """Smooth spots with some flat ink and paper, none alike."""
    spots = np.random.default_rng(seed).normal(size=(count, 28, 28))
    smooth: npt.NDArray[np.float64] = ndimage.gaussian_filter(spots, (0, 3, 3)) * 2000
    return np.clip(smooth, 0, 255).astype(np.uint8)


def flat(count: int, value: int) -> Images:
    return np.full((count, 28, 28), value, np.uint8)


def noisy(images: Images, kind: str, amount: float, seed: int = 0) -> Images:
    return add_noise(images, kind, np.full(len(images), amount), np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("gaussian 0.6", ["gaussian 0.6"]),
        ("gaussian 0.2, gaussian 0.6", ["gaussian 0.2", "gaussian 0.6"]),
        ("gaussian 0.2 0.6 1.0", ["gaussian 0.2", "gaussian 0.6", "gaussian 1"]),
        ("gaussian 0.2,0.6,1", ["gaussian 0.2", "gaussian 0.6", "gaussian 1"]),
        ("lines 1, 2 and 3", ["lines 1", "lines 2", "lines 3"]),
        ("blur 1; lines 3", ["blur 1", "lines 3"]),
        ("salt and pepper 0.1", ["salt_and_pepper 0.1"]),
        ("Salt & Pepper .1 and blur 2", ["salt_and_pepper 0.1", "blur 2"]),
        (
            "g 1 and salt-and-pepper 0.5 AND B 5e-1",
            ["gaussian 1", "salt_and_pepper 0.5", "blur 0.5"],
        ),
        ("GAUSS 0.3 s 0.3", ["gaussian 0.3", "salt_and_pepper 0.3"]),
        ("salt_and_pepper 0.1; salt 0.2", ["salt_and_pepper 0.1", "salt_and_pepper 0.2"]),
        ("blur 0", ["blur 0"]),
        ("blur -0.0", ["blur 0"]),
        ("  ;line 20,, ", ["lines 20"]),
    ],
)
def test_noises_are_asked_for_in_words(text: str, names: list[str]) -> None:
    assert [noise.name for noise in parse_noises(text)] == names


def test_a_noise_named_twice_is_there_once_where_it_came_first() -> None:
    found = parse_noises("blur 2, gaussian 1, blur 2.0, b 2.00000001")
    assert found == (Noise("blur", 2.0), Noise("gaussian", 1.0))


@pytest.mark.parametrize(
    ("text", "quoted", "right"),
    [
        ("", "''", "names none"),
        (" and, ;", "' and, ;'", "names none"),
        ("0.6", "'0.6'", "no kind stands before"),
        ("gaussian", "'gaussian'", "needs an amount, a number from 0 to 5"),
        ("gaussian, blur 1", "'gaussian, blur 1'", "'gaussian' needs an amount"),
        ("lines", "'lines'", "a whole number from 0 to 20 (number of lines)"),
        ("gausian 0.6", "'gausian'", "neither a kind nor a number"),
        ("blurred 1", "'blurred'", "blur 0 to 5"),
        ("gaussian 50%", "'50%'", "neither a kind nor a number"),
        ("gaussian nan", "'nan'", "gaussian 0 to 5"),
        ("gaussian 5.01", "'5.01'", "a number from 0 to 5 (standard deviation, where ink is 1"),
        ("gaussian 5.0000000001", "'5.0000000001'", "a number from 0 to 5"),
        ("gaussian -0.1", "'-0.1'", "a number from 0 to 5"),
        ("gaussian 1e999", "'1e999'", "a number from 0 to 5"),
        ("salt and pepper 2", "'2'", "from 0 to 1 (share of the pixels"),
        ("blur 6", "'6'", "from 0 to 5 (standard deviation in pixels)"),
        ("lines 2.5", "'2.5'", "a whole number from 0 to 20"),
        ("lines 21", "'21'", "a whole number from 0 to 20"),
        ("gaussian 0,6", "'0,6'", "write '0.6' or '0 6'"),
        ("lines 0 1 2 3 4 5 6 7 8 9 10", "'lines 0 1 2", "11 noises, but 10 are the most"),
    ],
)
def test_what_cannot_be_read_is_quoted_with_what_would_be_right(
    text: str, quoted: str, right: str
) -> None:
    with pytest.raises(UserError) as caught:
        parse_noises(text)
    assert quoted in str(caught.value)
    assert right in str(caught.value)
    assert "such as 'gaussian 0.2 0.6, lines 3'" in str(caught.value)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join)))
@example("gaussian 1" + "0" * 400)
@example("gaussian ٣")
@example("ſalt_and_pepper 1")
def test_any_text_asks_for_noises_or_is_answered_with_an_error(text: str) -> None:
    try:
        found = parse_noises(text)
    except UserError:
        return
    assert 1 <= len(found) == len(set(found)) <= MOST_NOISES
    for noise in found:
        assert parse_noises(noise.name) == (noise,)


@settings(deadline=None)
@given(NOISES)
def test_the_name_of_a_noise_asks_for_that_noise(noise: Noise) -> None:
    (found,) = parse_noises(noise.name)
    assert found.kind == noise.kind
    assert found.name == noise.name
    assert found.amount == pytest.approx(noise.amount, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "amount"),
    [("fog", 1.0), ("blur", -0.1), ("blur", 5.1), ("blur", float("nan")), ("lines", 2.5)],
)
def test_there_is_no_noise_of_an_unknown_kind_or_amount(kind: str, amount: float) -> None:
    with pytest.raises(ValueError, match=r"is no kind of noise|is not a .*number from 0 to"):
        Noise(kind, amount)


def test_every_kind_has_a_largest_amount_and_a_unit() -> None:
    assert set(KINDS) == set(LARGEST_AMOUNTS) == set(AMOUNT_UNITS)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_noise_changes_nothing(kind: str) -> None:
    images = np.concatenate([pictures(5), flat(1, 0), flat(1, 255)])
    assert (noisy(images, kind, 0.0) == images).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_gets_its_own_amount(kind: str) -> None:
    images = pictures(6)
    most = LARGEST_AMOUNTS[kind]
    amounts = np.array([most, 0.0, most, 0.0, 0.0, most], np.float32)
    found = add_noise(images, kind, amounts, np.random.default_rng(0))
    assert list((found != images).any(axis=(1, 2))) == [True, False, True, False, False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_more_of_a_noise_changes_images_more(kind: str) -> None:
    images = pictures(50)
    most = LARGEST_AMOUNTS[kind]
    errors = [
        np.square(noisy(images, kind, amount).astype(float) - images).mean()
        for amount in (0, most / 10, most / 2, most)
    ]
    assert all(less < more for less, more in itertools.pairwise(errors))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_random_state_gives_the_same_images(kind: str) -> None:
    images = pictures(8)
    amount = LARGEST_AMOUNTS[kind] / 2
    assert (noisy(images, kind, amount, 1) == noisy(images, kind, amount, 1)).all()
    if kind != "blur":  # which is not random
        assert (noisy(images, kind, amount, 1) != noisy(images, kind, amount, 2)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_images_that_noise_is_added_to_stay_as_they_are(kind: str) -> None:
    images = pictures(4)
    kept = images.copy()
    found = noisy(images, kind, LARGEST_AMOUNTS[kind])
    assert found.dtype == np.uint8
    assert found.shape == images.shape
    assert (images == kept).all()


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_images_and_none_can_be_given(kind: str) -> None:
    amount = LARGEST_AMOUNTS[kind] / 2
    many = noisy(flat(1100, 100), kind, amount)
    assert (many != 100).any(axis=(1, 2)).all()
    assert noisy(flat(0, 0), kind, amount).shape == (0, 28, 28)


def test_gaussian_noise_has_its_mean_and_standard_deviation() -> None:
    added = (noisy(flat(200, 128), "gaussian", 0.1).astype(float) - 128) / 255
    assert added.mean() == pytest.approx(0, abs=0.002)
    assert added.std() == pytest.approx(0.1, rel=0.01)
    # Normal: 68.3 % within one standard deviation.
    assert (np.abs(added) < 0.1).mean() == pytest.approx(0.683, abs=0.01)


def test_gaussian_noise_beyond_the_range_is_put_at_its_end() -> None:
    found = noisy(flat(100, 255), "gaussian", 0.5)
    assert (found == 255).mean() == pytest.approx(0.5, abs=0.01)
    # Two standard deviations below: 2.3 % reach paper.
    assert (found == 0).mean() == pytest.approx(0.023, abs=0.003)


@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_salt_and_pepper_are_half_of_the_share_each_and_spare_the_rest(share: float) -> None:
    found = noisy(flat(200, 77), "salt_and_pepper", share)
    assert (found == 0).mean() == pytest.approx(share / 2, abs=0.005)
    assert (found == 255).mean() == pytest.approx(share / 2, abs=0.005)
    assert (found == 77).mean() == pytest.approx(1 - share, abs=0.005)


def test_blur_is_a_gaussian_filter_of_each_image_with_paper_around_it() -> None:
    images = pictures(7)
    sigmas = np.array([0.1, 0.5, 1.0, 1.7, 2.5, 4.0, 5.0])
    found = add_noise(images, "blur", sigmas, np.random.default_rng(0)).astype(float)
    expected = [
        ndimage.gaussian_filter(image.astype(float), sigma, mode="constant")
        for image, sigma in zip(images, sigmas, strict=True)
    ]
    assert np.abs(found - expected).max() <= 0.51


def test_lines_are_ink_over_what_is_there() -> None:
    images = pictures(50)
    found = noisy(images, "lines", 3)
    assert (found >= images).all()
    assert (noisy(flat(50, 255), "lines", 3) == 255).all()
    assert (noisy(flat(50, 0), "lines", 3).max(axis=(1, 2)) >= 200).all()


def test_a_line_is_straight_thin_and_smooth_at_its_edges() -> None:
    rows, columns = np.mgrid[:28, :28]
    for image in noisy(flat(100, 0), "lines", 1).astype(float):
        weights = image.ravel() / image.sum()
        points = np.stack([rows.ravel(), columns.ravel()])
        spread = np.linalg.eigvalsh(np.cov(points, aweights=weights, ddof=0))
        # Across a line of 1 to 2 pixels with edges of 1 pixel the variance is at most 0.42.
        assert spread[0] < 0.5
    drawn = noisy(flat(100, 0), "lines", 1)
    assert ((drawn > 0) & (drawn < 255)).any(axis=(1, 2)).mean() > 0.9


def test_a_line_goes_from_edge_to_edge() -> None:
    for image in noisy(flat(100, 0), "lines", 1):
        inked = image > 0
        edges = inked[0], inked[-1], inked[:, 0], inked[:, -1]
        assert sum(bool(edge.any()) for edge in edges) >= 2
        # In one piece, however steep it is.
        assert ndimage.label(inked, np.ones((3, 3)))[1] == 1


def test_lines_lie_at_all_places_and_angles() -> None:
    drawn = noisy(flat(2000, 0), "lines", 1) > 127
    assert drawn.any(axis=0).all()
    down = drawn.any(axis=2).sum(axis=1)
    along = drawn.any(axis=1).sum(axis=1)
    steep, level = (along <= 3).mean(), (down <= 3).mean()
    assert 0.02 < steep < 0.2
    assert steep == pytest.approx(level, abs=0.03)
    # A line that rises inks two opposite corners' quarters more, one that falls the other two.
    sums = [drawn[:, part, other].sum() for part in (LOW, HIGH) for other in (LOW, HIGH)]
    assert sums[0] + sums[3] == pytest.approx(sums[1] + sums[2], rel=0.1)


def test_as_many_lines_are_drawn_as_asked_for() -> None:
    amounts = np.repeat([0.4, 1.0, 2.6], 400)
    found = add_noise(flat(1200, 0), "lines", amounts, np.random.default_rng(0))
    none, one, three = found.reshape(3, 400, 784).sum(axis=2).astype(float)
    assert (none == 0).all()  # numbers are rounded
    assert 2.4 < three.mean() / one.mean() < 3  # lines overlap where they cross


@pytest.mark.parametrize(
    ("images", "kind", "amounts", "problem"),
    [
        (flat(2, 0), "fog", [1, 1], "'fog' is no kind of noise"),
        (flat(2, 0), "blur", [1], r"amounts have shape \(1,\), not \(2,\)"),
        (flat(2, 0), "blur", [1, 5.1], "'blur' is not from 0 to 5"),
        (flat(2, 0), "gaussian", [-0.1, 1], "'gaussian' is not from 0 to 5"),
        (flat(2, 0), "lines", [np.nan, 1], "'lines' is not from 0 to 20"),
        (flat(2, 0)[..., :27], "blur", [1, 1], r"not uint8 \(N, 28, 28\)"),
        (flat(2, 0).astype(float), "blur", [1, 1], "images are float64"),
    ],
)
def test_what_is_no_image_kind_or_amount_is_refused(
    images: Images, kind: str, amounts: list[float], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        add_noise(images, kind, np.array(amounts, float), np.random.default_rng(0))
