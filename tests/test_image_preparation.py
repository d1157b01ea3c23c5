"""Tests of making images like EMNIST's of pictures of one character."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw, ImageFilter

import data_parser
from pictures.image_polarity import on_black
from pictures.image_preparation import characters_in_a_row, cropped, prepared
from pictures.image_rendering import THINNEST_LONE_STROKE, THINNEST_STROKE
from pictures.ink_masks import INK_SIZE
from pictures.prepared_images import is_prepared

LETTERS: dict[str, list[list[tuple[float, float]]]] = {
    "H": [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, 0.5), (1, 0.5)]],
    "L": [[(0.2, 0), (0.2, 1), (0.8, 1)]],
    "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
    "l": [[(0.5, 0), (0.5, 1)]],
    "/": [[(0, 1), (0.3, 0.5), (0.8, 0)]],
    "(": [[(0.6, 0), (0.52, 0.2), (0.5, 0.5), (0.52, 0.8), (0.6, 1)]],
    "i": [[(0.5, 0.3), (0.5, 1)], [(0.5, 0), (0.5, 0)]],
}


# Rows and columns of the strokes of bold letters, 100 high and 80 wide.
BLOCKS: dict[str, list[tuple[tuple[int, int], tuple[int, int]]]] = {
    "E": [((0, 100), (0, 16)), ((0, 16), (0, 80)), ((42, 58), (0, 80)), ((84, 100), (0, 80))],
    "H": [((0, 100), (0, 16)), ((0, 100), (64, 80)), ((42, 58), (0, 80))],
    "Z": [((0, 16), (0, 80)), ((84, 100), (0, 80)), ((16, 84), (32, 48))],
}


def pen(
    letter: str = "H",
    width: int = 8,
    *,
    size: tuple[int, int] = (300, 225),
    height: int = 140,
    place: tuple[int, int] = (60, 40),
) -> np.ndarray:
    """A letter drawn with a round pen, black on white: uint8 of `size`, which is width, height."""
    picture = Image.new("L", size, 255)
    draw = ImageDraw.Draw(picture)
    for stroke in LETTERS[letter]:
        points = [(place[0] + height * x, place[1] + height * y) for x, y in stroke]
        draw.line(points, fill=0, width=width, joint="curve")
        for x, y in points:
            draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=0)
    return np.asarray(picture)


def photograph(
    picture: np.ndarray, *, darkest: float = 0.45, noise: float = 6, seed: int = 0
) -> np.ndarray:
    """What a camera makes of a picture: light from one side, grey ink, soft edges, noise."""
    random = np.random.default_rng(seed)
    soft = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1.2))) / 255
    down, across = np.mgrid[: picture.shape[0], : picture.shape[1]]
    light = darkest + (1 - darkest) * (down / len(down) + across / across.shape[1]) / 2
    noisy = 255 * (0.2 + 0.7 * soft) * light + random.normal(0, noise, picture.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8)


def difference(image: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(image.astype(int) - other).mean())


def box(image: np.ndarray) -> tuple[int, int, int, int]:
    """The first and the last row and column of ink."""
    rows, columns = np.flatnonzero((image > 127).any(1)), np.flatnonzero((image > 127).any(0))
    return rows[0], rows[-1], columns[0], columns[-1]


def stroke_width(image: np.ndarray) -> float:
    """Twice the area over the perimeter, of the image enlarged four times."""
    large = Image.fromarray(image).resize((112, 112), Image.Resampling.BILINEAR)
    ink = np.pad(np.asarray(large) > 127, 1)
    sides = (ink[1:] != ink[:-1]).sum() + (ink[:, 1:] != ink[:, :-1]).sum()
    return float(2 * ink.sum() / (sides * np.pi / 4) / 4)


def test_ink_is_white_on_black_in_the_middle_with_a_margin() -> None:
    image = prepared(pen("H"))
    assert image.shape == (28, 28) and image.dtype == np.uint8
    assert image.max() == 255
    assert not np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).any()
    top, bottom, left, right = box(image)
    assert abs(top - (27 - bottom)) <= 1 and abs(left - (27 - right)) <= 1
    assert abs(bottom - top + 1 - INK_SIZE) <= 1


def test_the_proportions_of_a_letter_are_kept() -> None:
    top, bottom, left, right = box(prepared(pen("L", 10)))
    assert (right - left + 1) / (bottom - top + 1) == pytest.approx(0.65, abs=0.08)


@pytest.mark.parametrize("place", [(5, 5), (150, 80), (60, 10)])
def test_where_a_letter_stands_does_not_matter(place: tuple[int, int]) -> None:
    assert difference(prepared(pen(place=place)), prepared(pen())) < 2


@pytest.mark.parametrize("height", [40, 80, 200])
def test_how_large_a_letter_is_does_not_matter(height: int) -> None:
    small = prepared(pen("T", height // 10, height=height, place=(20, 10)))
    assert difference(small, prepared(pen("T", 14))) < 8


def test_light_ink_on_dark_comes_out_as_dark_ink_on_light() -> None:
    assert difference(prepared(255 - pen()), prepared(pen())) < 1


@pytest.mark.parametrize(("paper", "ink"), [(250, 180), (90, 20), (30, 200), (1, 0), (254, 255)])
def test_how_light_paper_and_ink_are_does_not_matter(paper: int, ink: int) -> None:
    grey = np.where(pen() > 127, paper, ink).astype(np.uint8)
    assert np.array_equal(prepared(grey), prepared(pen()))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint16, np.int32, np.float32, np.float64])
def test_any_type_of_number_is_read(dtype: type) -> None:
    assert np.array_equal(prepared((pen() > 127).astype(dtype)), prepared(pen()))


def test_the_range_of_real_numbers_does_not_matter() -> None:
    for low, high in ((-1e300, 1e300), (1e6, 1e6 + 1), (-3.5, -3.25)):
        reals = np.where(pen() > 127, high, low)
        assert np.array_equal(prepared(reals), prepared(pen()))


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("width", [3, 8])
@pytest.mark.parametrize("turned", [False, True])
def test_a_photograph_comes_out_as_what_was_photographed(
    letter: str, width: int, turned: bool
) -> None:
    drawn = 255 - pen(letter, width) if turned else pen(letter, width)
    assert difference(prepared(photograph(drawn)), prepared(drawn)) < 8


def test_strongly_slanting_light_does_not_matter() -> None:
    assert difference(prepared(photograph(pen(), darkest=0.2, noise=2)), prepared(pen())) < 6


@pytest.mark.parametrize("noise", [0, 3, 12])
def test_noise_alone_is_paper(noise: float) -> None:
    blank = np.full((225, 300), 255, np.uint8)
    assert not prepared(photograph(blank, noise=noise)).any()


@pytest.mark.parametrize("grey", [0, 7, 255])
@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (2, 300), (1000, 700)])
def test_one_flat_grey_is_paper(grey: int, shape: tuple[int, int]) -> None:
    assert not prepared(np.full(shape, grey, np.uint8)).any()


@pytest.mark.parametrize("width", [1, 2, 4, 10])
@pytest.mark.parametrize("scale", [1, 4])
def test_strokes_are_as_wide_as_in_emnist(width: int, scale: int) -> None:
    picture = pen("H", width, size=(300 * scale, 225 * scale), height=140 * scale)
    image = prepared(picture)
    assert THINNEST_STROKE - 0.3 < stroke_width(image) < 3.5
    assert (image.max(axis=1)[5:-5] > 200).all()  # no stroke has faded


@pytest.mark.parametrize("width", [2, 6, 14])
@pytest.mark.parametrize("stroke", ["l", "/", "("])
def test_a_lone_stroke_is_as_wide_as_emnists_whatever_the_pen(stroke: str, width: int) -> None:
    image = prepared(pen(stroke, width))
    assert stroke_width(image) == pytest.approx(THINNEST_LONE_STROKE, abs=0.9)


@pytest.mark.parametrize("letter", ["L", "T", "i"])
def test_a_letter_of_more_than_a_stroke_is_not_thickened_as_much(letter: str) -> None:
    assert stroke_width(prepared(pen(letter, 4))) < 3


def test_specks_do_not_count_as_ink() -> None:
    specked = pen("L", 10).copy()
    specked[[3, 3, 200, 221, 221], [3, 290, 280, 4, 5]] = 0
    assert np.array_equal(prepared(specked), prepared(pen("L", 10)))


def test_the_dot_of_an_i_is_no_speck() -> None:
    for width in (2, 4, 8):
        rows = np.asarray((prepared(pen("i", width)) > 100).any(axis=1))
        assert np.count_nonzero(rows[1:] & ~rows[:-1]) == 2  # two pieces, one above the other


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("height", [60, 120, 180])
def test_the_dot_of_an_i_is_no_speck_however_thin_the_pen(width: int, height: int) -> None:
    picture = pen("i", width, height=height, place=(60, 20))
    rows = np.asarray((prepared(picture) > 100).any(axis=1))
    assert np.count_nonzero(rows[1:] & ~rows[:-1]) == 2


@pytest.mark.parametrize("letter", ["H", "T"])
@pytest.mark.parametrize("width", [3, 5, 11])
def test_many_specks_larger_than_a_thin_pens_dot_do_not_count(letter: str, width: int) -> None:
    specked = pen(letter, width).copy()
    random = np.random.default_rng(0)
    for top, left in random.integers(0, (222, 297), (12, 2)).tolist():
        specked[top : top + 3, left : left + 3] = 30
    assert difference(prepared(specked), prepared(pen(letter, width))) < 3


def test_a_speck_far_from_the_letter_does_not_count() -> None:
    specked = pen("T", 3, place=(20, 40), height=100).copy()
    specked[200:203, 290:293] = 0
    assert np.array_equal(prepared(specked), prepared(pen("T", 3, place=(20, 40), height=100)))


def framed(picture: np.ndarray, width: int, grey: int) -> np.ndarray:
    """A picture whose outermost pixels are as grey, so many of them."""
    framed = np.full_like(picture, grey)
    inside = (slice(width, -width), slice(width, -width))
    framed[inside] = picture[inside]
    return framed


@pytest.mark.parametrize("letter", ["H", "L", "l", "("])
@pytest.mark.parametrize(("width", "grey"), [(1, 0), (2, 0), (6, 0), (3, 120), (9, 40)])
def test_a_frame_does_not_count_as_ink(letter: str, width: int, grey: int) -> None:
    plain = prepared(pen(letter, 3))
    assert difference(prepared(framed(pen(letter, 3), width, grey)), plain) < 1
    assert difference(prepared(framed(255 - pen(letter, 3), width, 255 - grey)), plain) < 1


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("width", [2, 8, 20])
def test_a_dark_strip_along_a_side_does_not_count_as_ink(turns: int, width: int) -> None:
    strip = np.rot90(pen("H", 3), turns).copy()
    strip[:, -width:] = 20
    assert difference(prepared(strip), prepared(np.rot90(pen("H", 3), turns))) < 1


def test_a_frame_in_a_photograph_does_not_count_as_ink() -> None:
    photographed = prepared(photograph(framed(pen("H", 5), 6, 0)))
    assert difference(photographed, prepared(photograph(pen("H", 5)))) < 4


def test_a_frame_that_the_letter_touches_does_not_count_as_ink() -> None:
    touching = pen("H", 5, place=(60, 2))
    inside = prepared(touching[4:, :])
    assert difference(prepared(framed(touching, 4, 0)), inside) < 4


@pytest.mark.parametrize("letter", sorted(LETTERS))
def test_a_single_character_is_counted_as_one_however_it_is_drawn(letter: str) -> None:
    for picture in (pen(letter, 4), pen(letter, 12), 255 - pen(letter, 6), photograph(pen(letter))):
        assert characters_in_a_row(picture) == 1


@pytest.mark.parametrize("count", [2, 3, 5])
def test_characters_with_paper_between_them_are_counted(count: int) -> None:
    one = pen("H", 5, size=(130, 120), height=70, place=(30, 25))
    row = np.concatenate([one] * count, axis=1)
    for picture in (row, 255 - row, framed(row, 4, 0), photograph(row), row[::2, ::2]):
        assert characters_in_a_row(picture) == count


def test_nothing_is_counted_as_one() -> None:
    assert characters_in_a_row(np.full((40, 200), 200, np.uint8)) == 1
    with pytest.raises(ValueError, match="has the shape"):
        characters_in_a_row(np.zeros((0, 5), np.uint8))


def straight(letter: str, width: int) -> np.ndarray:
    """A letter of straight strokes that are so wide, cut out to its edges: uint8 (160, 120)."""
    picture = np.full((160, 120), 255, np.uint8)
    middle = slice((120 - width) // 2, (120 + width) // 2)
    strokes: dict[str, list[tuple[slice, slice]]] = {
        "L": [(slice(-width, None), slice(None)), (slice(None), slice(width))],
        "T": [(slice(width), slice(None)), (slice(None), middle)],
        "F": [
            (slice(width), slice(None)),
            (slice(None), slice(width)),
            (slice(60, 60 + width), slice(80)),
        ],
    }
    for stroke in strokes[letter]:
        picture[stroke] = 0
    return picture


@pytest.mark.parametrize("letter", ["L", "T", "F"])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("width", [4, 8, 16])
def test_straight_strokes_along_the_sides_are_no_frame(letter: str, turns: int, width: int) -> None:
    cut_out = np.rot90(straight(letter, width), turns)
    whole = np.pad(cut_out, 60, constant_values=255)
    assert difference(prepared(cut_out), prepared(whole)) < 1


def test_a_letter_cut_out_to_its_edges_is_read() -> None:
    whole = pen("L", 12)
    top, bottom, left, right = box(255 - whole)
    assert difference(prepared(whole[top : bottom + 1, left : right + 1]), prepared(whole)) < 4


@pytest.mark.parametrize("letter", "EHZ")
@pytest.mark.parametrize("margin", [0, 5])
@pytest.mark.parametrize("is_light", [False, True])
def test_a_bold_letter_with_hardly_any_paper_around_it_is_found(
    letter: str, margin: int, is_light: bool
) -> None:
    block = np.full((100, 80), 255, np.uint8)
    for rows, columns in BLOCKS[letter]:
        block[slice(*rows), slice(*columns)] = 0
    whole = np.pad(block, 60, constant_values=255)
    close = np.pad(block, margin, constant_values=255)
    if is_light:
        whole, close = 255 - whole, 255 - close
    assert difference(prepared(close), prepared(whole)) < 3
    noisy = close + np.random.default_rng(1).normal(0, 4, close.shape)
    assert difference(prepared(noisy.clip(0, 255).astype(np.uint8)), prepared(whole)) < 6


@pytest.mark.parametrize("turned", [0, 5, 12])
@pytest.mark.parametrize("table", [60, 150])
def test_a_light_sheet_all_around_which_a_darker_table_is_seen_is_no_ink(
    turned: int, table: int
) -> None:
    sheet = Image.fromarray(pen("H", 6)).rotate(turned, expand=True, fillcolor=0)
    inside = np.asarray(Image.new("L", (300, 225), 255).rotate(turned, expand=True)) > 128
    picture = np.full((inside.shape[0] + 160, inside.shape[1] + 240), table, np.float64)
    picture[80:-80, 120:-120][inside] = np.asarray(sheet)[inside] * 0.8 + 20
    picture += np.random.default_rng(2).normal(0, 4, picture.shape)
    plain = np.asarray(Image.fromarray(pen("H", 6)).rotate(turned, expand=True, fillcolor=255))
    found = prepared(picture.clip(0, 255).astype(np.uint8))
    assert difference(found, prepared(plain)) < 6


def test_a_bold_letter_keeps_its_holes() -> None:
    picture = np.full((60, 60), 255, np.uint8)
    picture[8:52, 8:52] = 0
    picture[24:36, 24:36] = 255
    image = prepared(picture)
    assert image[14, 14] < 30 and image[5, 5] > 200


@pytest.mark.parametrize("shape", [(4, 3, 2), (5,), (0, 4), (3, 0)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        prepared(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(wrong: float) -> None:
    picture = np.zeros((9, 9))
    picture[2, 3] = wrong
    with pytest.raises(ValueError, match="finite"):
        prepared(picture)


SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=70)
BYTES = arrays.arrays(np.uint8, SHAPES)
REALS = arrays.arrays(np.float64, SHAPES, elements=st.floats(allow_nan=False, allow_infinity=False))


@given(BYTES | REALS)
@settings(max_examples=150, deadline=None)
def test_any_picture_becomes_an_image(picture: np.ndarray) -> None:
    before = picture.copy()
    image = prepared(picture)
    assert image.shape == (28, 28) and image.dtype == np.uint8
    assert image.max() in (0, 255)
    assert np.array_equal(picture, before)


def test_a_second_of_one_core_is_enough_for_a_hundred_pictures() -> None:
    pictures = [pen(letter, 3, size=(105, 105), height=60, place=(20, 15)) for letter in LETTERS]
    pictures.append(pen("H", 5, size=(105, 105), height=80, place=(10, 10)))
    start = time.thread_time()
    for _ in range(20):
        for picture in pictures:
            prepared(picture)
    assert time.thread_time() - start < 20 * len(pictures) / 100


def letters(count: int = 30) -> np.ndarray:
    """Soft strokes on black, uint8 (count, 28, 28)."""
    names = list(LETTERS)
    return np.stack([prepared(pen(names[i % 4], 4 + i // 4)) for i in range(count)])


def test_images_light_on_black_or_dark_on_white_are_prepared() -> None:
    assert is_prepared(letters())
    assert is_prepared(255 - letters())
    assert is_prepared(list(letters()))


def test_other_pictures_are_not_prepared() -> None:
    images = letters()
    assert not is_prepared([])
    assert not is_prepared(images[:, :27])
    assert not is_prepared([*images, pen()])
    assert not is_prepared(images.astype(np.float32))
    assert not is_prepared(60 + images // 4)  # grey on dark grey
    assert not is_prepared(np.random.default_rng(0).integers(0, 255, (20, 28, 28), np.uint8))


def test_a_set_is_turned_to_black_paper_as_a_whole() -> None:
    images = letters()
    images[3] = 255
    images[3, :4, :4] = 0  # more ink than paper
    assert on_black(images) is images
    assert np.array_equal(on_black(255 - images), images)
    assert on_black(images[:0]).shape == (0, 28, 28)


def test_emnist_drawn_large_comes_out_as_emnist(real_data: Path) -> None:
    path = real_data / "emnist" / "emnist-balanced-small.mat"
    if not path.is_file():
        pytest.skip(f"no {path}")
    images = data_parser.read_labelled_images(path).images[::20]
    made = []
    for image in images:
        large = Image.fromarray(image).resize((168, 168), Image.Resampling.BICUBIC)
        scan = np.full((200, 260), 255, np.uint8)
        scan[16:184, 40:208][np.asarray(large) > 127] = 0
        made.append(prepared(photograph(scan)))
    differences = [difference(a, b) for a, b in zip(images, made, strict=True)]
    assert np.median(differences) < 12 and np.max(differences) < 60
    widths, own = ([stroke_width(i) for i in group] for group in (made, images))
    assert np.median(widths) == pytest.approx(np.median(own), abs=0.3)


def test_pictures_known_to_be_on_black_are_cropped_and_keep_their_greys() -> None:
    picture = np.zeros((40, 32), np.uint8)
    picture[6:34, 8:24] = 255
    picture[12:20, 8:24] = 100  # as large as no edge of a stroke
    small = cropped(picture)
    assert small.max() == 255 and max(small[:, [0, -1]].max(), small[[0, -1]].max()) < 10
    assert ((small > 90) & (small < 110)).sum() > 20
    rows, columns = (np.flatnonzero((small > 128).any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) + 1 == pytest.approx(22, abs=1), "as large as EMNIST's"
    assert np.ptp(columns) + 1 == pytest.approx(22 * 16 / 28, abs=1), "keeps its aspect"
    assert (rows[0] + rows[-1]) / 2 == pytest.approx(13.5, abs=1)


def test_ink_that_fills_a_small_picture_is_not_taken_for_paper() -> None:
    picture = np.zeros((8, 8), np.uint8)
    picture[:, 1:7] = 16
    small = cropped(picture)
    assert small[14, 14] > 200 and not small[:, 0].any()
    assert not cropped(np.full((8, 8), 9, np.uint8)).any(), "nothing is on one flat grey"
