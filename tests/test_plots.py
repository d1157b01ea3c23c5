"""Tests of the pictures of accuracies: they are written whatever the names, never of nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import plots

NAMES = ("$x", "a_b^", "\\")


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
