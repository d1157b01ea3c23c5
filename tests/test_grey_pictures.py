"""Tests of grey pictures that are made larger and written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.grey_pictures import enlarged, write_grey

PICTURE = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_every_pixel_becomes_a_square(times: int) -> None:
    large = enlarged(PICTURE, times)
    assert large.shape == (2 * times, 3 * times) and large.dtype == np.uint8
    for row, column in np.ndindex(*PICTURE.shape):
        square = large[row * times :, column * times :][:times, :times]
        assert (square == PICTURE[row, column]).all()


def test_a_picture_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_grey(PICTURE, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as found:
        assert (found.format, found.mode) == ("PNG", "L")
        assert np.array_equal(np.asarray(found), PICTURE)


def test_a_picture_that_cannot_be_written_raises_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write_grey(PICTURE, tmp_path / "missing" / "a.png")
