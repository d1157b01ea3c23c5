"""Shadows, dark surroundings and ruled lines beside a letter do not count as its ink."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from pictures.image_preparation import prepared
from tests.test_image_preparation import box, difference, pen

Picture = npt.NDArray[np.uint8]

DOWN, ACROSS = np.mgrid[:225, :300]
SHARES = [0.2, 0.4, 0.5, 0.6, 0.8]


def in_shadow(picture: Picture, share: float, soft: float, left: float = 0.5) -> Picture:
    """A picture whose right-hand part, behind a slanted edge, has less light left."""
    edge = ACROSS + 0.4 * (DOWN - 112) - (1 - share) * 300
    light = 1 - (1 - left) * ndimage.gaussian_filter((edge > 0).astype(float), soft, mode="nearest")
    return np.asarray(picture * light, np.uint8)


def ruled(picture: Picture, every: int, grey: int, turn: float = 0) -> Picture:
    """A picture on paper with lines of two pixels, all of them turned by some degrees."""
    lines = np.full((400, 400), 255, np.uint8)
    lines[10::every] = lines[11::every] = grey
    turned = Image.fromarray(lines).rotate(turn, Image.Resampling.BICUBIC, fillcolor=255)
    return np.asarray(np.minimum(picture, np.asarray(turned)[80:305, 50:350]))


@pytest.mark.parametrize("letter", ["H", "T", "L"])
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("soft", [0, 8])
def test_a_shadow_does_not_count_as_ink(letter: str, share: float, soft: float) -> None:
    shown = prepared(in_shadow(pen(letter, 5), share, soft))
    assert difference(shown, prepared(pen(letter, 5))) < 6


def test_a_shadow_in_a_noisy_photograph_does_not_count_as_ink() -> None:
    noise = np.random.default_rng(0).normal(0, 6, (225, 300))
    noisy = (in_shadow(pen("H", 6), 0.5, 4) * 0.8 + 20 + noise).clip(0, 255).astype(np.uint8)
    assert difference(prepared(noisy), prepared(pen("H", 6))) < 6


@pytest.mark.parametrize("soft", [0, 8])
def test_in_a_shadow_on_empty_paper_there_is_no_ink(soft: float) -> None:
    noise = np.random.default_rng(1).normal(0, 4, (225, 300))
    empty = np.full((225, 300), 220, np.uint8)
    shown = (in_shadow(empty, 0.5, soft, left=0.7) + noise).clip(0, 255).astype(np.uint8)
    ink = prepared(shown) > 127
    # The shadow may be taken for a thing, but nothing in it may.
    assert not ink.any() or box(255 * ink.astype(np.uint8))[1] > 20


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("width", [30, 60])
def test_a_table_beside_the_sheet_does_not_count_as_ink(turns: int, width: int) -> None:
    letter = np.rot90(pen("H", 5), turns)
    beside = np.pad(letter, ((0, 0), (0, width)), constant_values=45)
    assert difference(prepared(beside), prepared(letter)) < 2


def test_a_table_around_a_sheet_that_lies_askew_does_not_count_as_ink() -> None:
    sheet, smooth = Image.fromarray(pen("H", 6)), Image.Resampling.BICUBIC
    on_table = np.asarray(sheet.rotate(4, smooth, expand=True, fillcolor=50))
    alone = np.asarray(sheet.rotate(4, smooth, expand=True, fillcolor=255))
    assert difference(prepared(on_table), prepared(alone)) < 3


def test_a_dark_corner_does_not_count_as_ink() -> None:
    corner = pen("H", 5).copy()
    corner[ACROSS + DOWN > 455] = 40
    assert difference(prepared(corner), prepared(pen("H", 5))) < 1


@pytest.mark.parametrize("letter", ["H", "T", "L", "/"])
@pytest.mark.parametrize("turn", [0, 1.5, -1.5, 90])
def test_dark_ruled_lines_do_not_count_as_ink(letter: str, turn: float) -> None:
    shown = prepared(ruled(pen(letter, 6), 28, 70, turn))
    assert difference(shown, prepared(pen(letter, 6))) < 6


@pytest.mark.parametrize("letter", ["H", "T", "L"])
def test_a_margin_that_pale_lines_interrupt_does_not_count_as_ink(letter: str) -> None:
    picture = pen(letter, 6).copy()
    picture[:, 20:22] = 70
    picture[7::28, 20:22] = 255
    assert difference(prepared(picture), prepared(pen(letter, 6))) < 6


def test_ruled_lines_in_a_shadow_do_not_count_as_ink() -> None:
    shown = prepared(in_shadow(ruled(pen("H", 6), 28, 70), 0.5, 6))
    assert difference(shown, prepared(pen("H", 6))) < 6


@pytest.mark.parametrize("letter", ["H", "T", "L", "/"])
@pytest.mark.parametrize("width", [6, 16])
def test_a_letter_that_is_cut_out_loses_no_stroke(letter: str, width: int) -> None:
    whole = pen(letter, width, height=130)
    top, bottom, left, right = box(255 - whole)
    cut_out = whole[top : bottom + 1, left : right + 1]
    assert difference(prepared(cut_out), prepared(whole)) < 5
