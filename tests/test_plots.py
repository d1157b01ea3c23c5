"""Tests of the pictures of accuracies: they are written whatever the names, never of nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluation import plots, report_plots
from gan.monitor import plot_losses

NAMES = ("$x", "a_b^", "\\")
LONG = ("semkath", "W" * 14, '<b>&amp;"x')
TITLE = "salt_and_pepper 0.123456 of an archive with a rather long name: before and after"


def is_whole(path: Path) -> bool:
    """Whether a picture has paper on all sides."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("L"))
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return all((edge == 255).all() for edge in edges) and bool((pixels < 100).any())


def test_long_names_and_titles_are_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    plots.plot_confusion_matrix(np.eye(3, dtype=np.int64), LONG, TITLE, path)
    assert is_whole(path)
    image = np.full((1, 28, 28), 255, np.uint8)
    plots.plot_image_sheet([image, image, image], LONG, TITLE, path)
    assert is_whole(path)
    plot_losses(np.array([[20.0, 1.0, 2.0]]), TITLE * 3, path)
    assert is_whole(path)
    report_plots.plot_examples([image, image, image], LONG, path)
    assert is_whole(path)
    report_plots.plot_misread(image, [("W" * 14, "taken for " + "W" * 30)], path)
    assert is_whole(path)


def test_losses_of_one_step_are_points(tmp_path: Path, figures: list[Any]) -> None:
    plot_losses(np.array([[20.0, 1.0, 2.0]]), "A", tmp_path / "losses.png")
    (axes,) = figures[0].axes
    assert [line.get_marker() for line in axes.lines] == ["o", "o"]
    plot_losses(np.array([[20.0, 1.0, 2.0], [40.0, 1.0, 2.0]]), "A", tmp_path / "losses.png")
    assert "o" not in [line.get_marker() for line in figures[1].axes[0].lines]


def test_networks_are_drawn_whatever_their_names(tmp_path: Path) -> None:
    points = [(name, 10.0**size, 0.9, 0.01) for size, name in enumerate(NAMES, 4)]
    groups = {"$": points, "\\alpha": points[:1]}
    plots.plot_networks(groups, "$^", tmp_path / "networks.png")
    with Image.open(tmp_path / "networks.png") as picture:
        assert picture.format == "PNG" and len(np.unique(np.asarray(picture))) > 10


def test_curves_are_drawn_whatever_their_names(tmp_path: Path) -> None:
    curves = {name: [(50.0, 0.7, 0.02), (200.0, 0.8, 0.01)] for name in NAMES}
    plots.plot_accuracies(curves, ("images", "accuracy"), "$^", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG" and len(np.unique(np.asarray(picture))) > 10


def test_nothing_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.plot_networks({}, "", tmp_path / "a.png")
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.plot_networks({"none": []}, "", tmp_path / "a.png")
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.plot_accuracies({}, ("", ""), "", tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
