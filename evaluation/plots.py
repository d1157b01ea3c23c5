"""Pictures of what was measured, written as PNG without a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.class_labels import CELL_INCHES, cells
from evaluation.figures import new_figure, write_figure

LETTERS_SIDE_BY_SIDE = 2  # of a name below a column
DARK_SHARE = 0.6  # on which black is hard to read
MOST_TICKS = 6  # of single quantities that are marked on an axis


def plot_confusion_matrix(
    matrix: npt.NDArray[np.int64], classes: Sequence[str], title: str, path: Path
) -> None:
    """Draw a confusion matrix, each row as shares of its label, with counts of the errors.

    Args:
        matrix: int64 (C, C); row: the label, column: the prediction.
        classes: the C characters.
        title: line above the picture.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    longest = max(map(cells, classes), default=0)
    size = max(5.0, 0.24 * len(classes) + 1.5 + CELL_INCHES * longest)
    figure = new_figure(size, size)
    axes = figure.add_subplot()
    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shares = matrix / totals
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(len(classes))
    # Texts are shown as they are: a '$' begins no formula.
    turned = 90 if longest > LETTERS_SIDE_BY_SIDE else 0
    axes.set_xticks(ticks, classes, fontsize=8, parse_math=False, rotation=turned)
    axes.set_yticks(ticks, classes, fontsize=8, parse_math=False)
    axes.tick_params(top=True, labeltop=True)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        if row != column:
            colour = "white" if shares[row, column] > DARK_SHARE else "black"
            count = str(matrix[row, column])
            axes.text(column, row, count, ha="center", va="center", fontsize=5, color=colour)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(title, fontsize=10, parse_math=False)
    figure.colorbar(picture, ax=axes, shrink=0.6, label="share of the label's images")
    write_figure(figure, path)


def plot_image_sheet(
    rows: Sequence[npt.NDArray[np.uint8]], labels: Sequence[str], title: str, path: Path
) -> None:
    """Draw a sheet of images, ink dark on white, one labelled row below the other.

    Args:
        rows: uint8 (images, H, W) each, ink 255 on paper 0, one or more; rows may differ in their
            number of images, not in H and W.
        labels: one a row.
        title: line above the sheet.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
        ValueError: there is no image, H or W differ, or there is not one label a row.
    """
    if len(labels) != len(rows):
        raise ValueError(f"{len(rows)} rows have {len(labels)} labels")
    sheet = _tiled(rows)
    height, width = (pixels / 60 for pixels in sheet.shape)  # 60 pixels an inch
    room = max(1.0, CELL_INCHES * max(map(cells, labels)) + 0.3)
    figure = new_figure(max(3.0, width + room), max(1.5, height + 0.5))
    axes = figure.add_subplot()
    axes.imshow(sheet, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    row_height = len(sheet) / len(rows)
    axes.set_yticks(
        row_height * (np.arange(len(rows)) + 0.5) - 0.5, labels, fontsize=9, parse_math=False
    )
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=10, parse_math=False)
    write_figure(figure, path)


def _tiled(rows: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """One picture of rows of images, with a little paper around each."""
    shapes = {row.shape[1:] for row in rows}
    longest = max(map(len, rows), default=0)
    if len(shapes) > 1 or not longest:
        raise ValueError(f"a sheet needs images of one size, not {sorted(shapes)}")
    height, width = shapes.pop()
    cells = np.zeros((len(rows), longest, height + 2, width + 2), np.uint8)
    for line, row in zip(cells, rows, strict=True):
        line[: len(row), 1:-1, 1:-1] = row
    return cells.transpose(0, 2, 1, 3).reshape(len(rows) * (height + 2), longest * (width + 2))


def plot_quality_bars(
    recognition: npt.NDArray[np.floating],
    coverage: npt.NDArray[np.floating],
    generators: Sequence[str],
    classes: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draw recognition and coverage of each class as bars, one colour a generator.

    Args:
        recognition: floats (G, C), shares from 0 to 1.
        coverage: floats (G, C), shares from 0 to 1.
        generators: G names.
        classes: the C characters.
        title: line above the picture.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
        ValueError: an array is not of shape (G, C), or that is empty.
    """
    shape = (len(generators), len(classes))
    if not recognition.shape == coverage.shape == shape or 0 in shape:
        raise ValueError(
            f"bars of {shape[0]} generators and {shape[1]} classes cannot be drawn from arrays of "
            f"shapes {recognition.shape} and {coverage.shape}"
        )
    figure = new_figure(max(6.0, 2.0 + 0.08 * shape[1] * (shape[0] + 1)), 6.0)
    figure.suptitle(title, fontsize=10, parse_math=False)
    for axes, name, shares in zip(
        figure.subplots(2, 1), ("recognition", "coverage"), (recognition, coverage), strict=True
    ):
        _grouped_bars(axes, shares, generators)
        axes.set_xticks(np.arange(shape[1]), classes, fontsize=8, parse_math=False)
        axes.set_ylabel(name)
    legend = figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    for text in legend.get_texts():
        text.set_parse_math(False)
    write_figure(figure, path)


def _grouped_bars(axes: Any, shares: npt.NDArray[np.floating], generators: Sequence[str]) -> None:
    """Bars of each class beside each other, from 0 to 1."""
    width = 0.8 / len(generators)
    classes = np.arange(shares.shape[1])
    for number, (name, heights) in enumerate(zip(generators, shares, strict=True)):
        axes.bar(classes - 0.4 + (number + 0.5) * width, heights, width, label=name)
    axes.set_ylim(0, 1)
    axes.set_xlim(-0.6, len(classes) - 0.4)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def plot_accuracies(
    curves: Mapping[str, Sequence[tuple[float, float, float]]],
    labels: tuple[str, str],
    title: str,
    path: Path,
) -> None:
    """Draw accuracies over a quantity on a logarithmic axis, a curve with error bars for each name.

    Args:
        curves: for each name, points of quantity above 0, accuracy 0 to 1, and its spread.
        labels: of the two axes.
        title: line above the picture.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
        ValueError: there is no curve.
    """
    if not curves:
        raise ValueError("there is nothing to draw")
    figure = new_figure(7.0, 4.5)
    axes = figure.add_subplot()
    for name, points in curves.items():
        quantities, accuracies, spreads = zip(*sorted(points), strict=True)
        axes.errorbar(
            quantities,
            [100 * accuracy for accuracy in accuracies],
            [100 * spread for spread in spreads],
            label=name,
            marker="o",
            capsize=3,
        )
    axes.set_xscale("log")
    measured = sorted({quantity for points in curves.values() for quantity, _, _ in points})
    if len(measured) <= MOST_TICKS:  # else decades are marked
        axes.set_xticks(measured, [f"{quantity:,.0f}" for quantity in measured])
        axes.set_xticks([], minor=True)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title(title, fontsize=10, parse_math=False)
    write_figure(figure, path)


def plot_networks(
    groups: Mapping[str, Sequence[tuple[str, float, float, float]]], title: str, path: Path
) -> None:
    """Draw the accuracy of networks over their size, a colour for each group.

    Args:
        groups: for each name, networks: name, weights above 0, accuracy 0 to 1, its spread.
        title: line above the picture.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
        ValueError: there is no network.
    """
    if not any(groups.values()):
        raise ValueError("there is nothing to draw")
    figure = new_figure(7.0, 4.5)
    axes = figure.add_subplot()
    for group, networks in groups.items():
        names, weights, accuracies, spreads = zip(*networks, strict=True)
        percent = [100 * accuracy for accuracy in accuracies]
        spread = [100 * one for one in spreads]
        axes.errorbar(weights, percent, spread, label=group, fmt="o", capsize=3)
        for name, weight, accuracy in zip(names, weights, percent, strict=True):
            axes.annotate(
                name,
                (weight, accuracy),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=8,
                parse_math=False,
            )
    axes.set_xscale("log")
    axes.set_xlabel("weights")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    axes.set_title(title, fontsize=10, parse_math=False)
    write_figure(figure, path)
