"""The pictures of a report, written as PNG without a screen.

Texts that stand for classes come from `class_labels.class_labels`, and are drawn within
`class_labels.written_with`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.class_labels import CELL_INCHES, cells
from evaluation.figures import new_figure, write_figure
from evaluation.intervals import Proportion
from image_arrays import Images

Points = npt.NDArray[np.float64]

WIDTH = 8.0  # inches; what is wider has labels too small to read on a page
SHORT_TEXT = 2  # cells of a text that covers little of a map
FEW_POINTS = 200  # of a map; fewer are drawn larger, for there is room
PIXELS_AN_INCH = 100  # of the images that are shown
IMAGES_IN_A_ROW = 8
MISREAD_IN_A_ROW = 6
FILTERS_IN_A_ROW = 16


@dataclass(frozen=True)
class Curve:
    """Accuracies after each epoch, 0 to 1."""

    name: str
    training: Sequence[float]
    validation: Sequence[float]


@dataclass(frozen=True, eq=False)
class Map:
    """Images as points.

    Attributes:
        title: what the places mean.
        points: float64 (N, 2).
    """

    title: str
    points: Points


def plot_class_counts(
    counts: npt.NDArray[np.integer], splits: Sequence[str], labels: Sequence[str], path: Path
) -> None:
    """Draw the images of each class as bars, with a part for each split.

    Args:
        counts: integers (C, S).
        splits: S names.
        labels: C texts.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    figure = new_figure(WIDTH, 1.2 + 0.17 * len(labels))
    axes = figure.add_subplot()
    left = np.zeros(len(labels))
    places = np.arange(len(labels))
    for name, numbers in zip(splits, counts.T, strict=True):
        axes.barh(places, numbers, 0.8, left, label=name)
        left = left + numbers
    _label_rows(axes, labels)
    axes.set_xlabel("images")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=len(splits), frameon=False)
    write_figure(figure, path)


def _label_rows(axes: Any, labels: Sequence[str]) -> None:
    """Texts before rows, the first row at the top. A '$' in them begins no formula."""
    axes.set_yticks(np.arange(len(labels)), labels, fontsize=8, parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def plot_examples(images: Sequence[Images], labels: Sequence[str], path: Path) -> None:
    """Draw a few images of each class beside its label, ink dark on white.

    Args:
        images: uint8 (at most 8, 28, 28) for each class, ink 255 on paper 0.
        labels: one text a class.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    label_width = round(PIXELS_AN_INCH * (0.15 + CELL_INCHES * max(map(cells, labels))))
    block_width = label_width + IMAGES_IN_A_ROW * 30
    across = max(1, min(len(labels), int(9 * PIXELS_AN_INCH / block_width), -(-len(labels) // 8)))
    down = -(-len(labels) // across)
    canvas = np.zeros((30 * down, block_width * across), np.uint8)
    axes = _sheet(canvas.shape)
    for number, (row, label) in enumerate(zip(images, labels, strict=True)):
        column, line = divmod(number, down)
        left = column * block_width + label_width
        for place, image in enumerate(row):
            canvas[
                30 * line + 1 : 30 * line + 29, left + 30 * place + 1 : left + 30 * place + 29
            ] = image
        axes.text(left - 6, 30 * line + 15, label, ha="right", **_IMAGE_TEXT)
    _write_sheet(axes, canvas, path)


_IMAGE_TEXT: Mapping[str, Any] = {"va": "center", "fontsize": 9, "parse_math": False}


def _sheet(shape: tuple[int, ...]) -> Any:
    """Axes that fill a figure and have a unit a pixel, the first row at the top."""
    figure = new_figure(shape[1] / PIXELS_AN_INCH, shape[0] / PIXELS_AN_INCH, layout=None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return axes


def _write_sheet(axes: Any, canvas: Images, path: Path) -> None:
    height, width = canvas.shape
    axes.imshow(
        canvas,
        cmap="gray_r",
        vmin=0,
        vmax=255,
        interpolation="nearest",
        extent=(0, width, height, 0),
        aspect="auto",
    )
    write_figure(axes.figure, path)


def plot_misread(images: Images, captions: Sequence[tuple[str, str]], path: Path) -> None:
    """Draw images with what they are and what they were taken for below each.

    Args:
        images: uint8 (N, 28, 28), N at least 1.
        captions: two lines for each.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    width = max(
        100,
        round(PIXELS_AN_INCH * (0.2 + CELL_INCHES * max(cells(c) for p in captions for c in p))),
    )
    across = max(1, min(len(images), MISREAD_IN_A_ROW, int(9.5 * PIXELS_AN_INCH / width)))
    down = -(-len(images) // across)
    height = 2 * 28 + 44
    canvas = np.zeros((height * down, width * across), np.uint8)
    axes = _sheet(canvas.shape)
    for number, (image, lines) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, across)
        top, left = height * row + 4, width * column + width // 2 - 28
        canvas[top : top + 56, left : left + 56] = image.repeat(2, axis=0).repeat(2, axis=1)
        for line, text in enumerate(lines):
            axes.text(left + 28, top + 66 + 15 * line, text, ha="center", **_IMAGE_TEXT)
    _write_sheet(axes, canvas, path)


def plot_maps(
    maps: Sequence[Map], labels: npt.NDArray[np.integer], texts: Sequence[str], path: Path
) -> None:
    """Draw images as points, a colour a class, its text at the middle of its points.

    Args:
        maps: of the same N images, one or more, drawn beside each other.
        labels: integers (N,), indices into `texts`.
        texts: one a class.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib import colormaps
    from matplotlib.patheffects import withStroke

    classes = np.unique(labels)
    # Longer texts need more room, or they cover each other where classes are alike.
    side = 5.0 if max(cells(texts[index]) for index in classes) <= SHORT_TEXT else 8.0
    figure = new_figure(side * len(maps), side + 0.2)
    colours = colormaps["turbo"](np.linspace(0.03, 0.97, len(classes)))
    for axes, each in zip(np.atleast_1d(figure.subplots(1, len(maps))), maps, strict=True):
        place = np.searchsorted(classes, labels)
        area = 36 if len(labels) < FEW_POINTS else 7
        axes.scatter(*each.points.T, s=area, c=colours[place], alpha=0.75, linewidths=0)
        for index, colour in zip(classes, colours, strict=True):
            of_class = each.points[labels == index]
            # in the middle, but above the points where they are one place, or it would hide them
            above = 10 if np.ptp(of_class, axis=0).max() == 0 else 0
            axes.annotate(
                texts[index],
                np.median(of_class, axis=0),
                (0, above),
                textcoords="offset points",
                color=0.7 * colour[:3],
                ha="center",
                fontweight="normal",
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
                **_IMAGE_TEXT,
            )
        axes.set_title(each.title, fontsize=10, parse_math=False)
        axes.set_aspect("equal", adjustable="datalim")  # so that distances can be compared
        axes.set_xticks([])
        axes.set_yticks([])
    write_figure(figure, path)


def plot_proportions(
    series: Mapping[str, Sequence[Proportion | None]], labels: Sequence[str], path: Path
) -> None:
    """Draw shares with their intervals, a row a label, the first at the top.

    Args:
        series: for each name, a share for each label; None where there is none.
        labels: texts before the rows.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    figure = new_figure(WIDTH, 1.2 + (0.1 + 0.1 * len(series)) * max(len(labels), 4))
    axes = figure.add_subplot()
    apart = 0.6 / len(series)
    for number, ((name, shares), marker) in enumerate(zip(series.items(), "osD^", strict=False)):
        rows = [row for row, share in enumerate(shares) if share is not None]
        known = [share for share in shares if share is not None]
        middles = np.array([each.share for each in known])
        spreads = np.array([[e.share - e.low for e in known], [e.high - e.share for e in known]])
        axes.errorbar(
            100 * middles,
            np.array(rows) - 0.3 + apart * (number + 0.5),
            xerr=100 * spreads,
            fmt=marker,
            markersize=4,
            capsize=2,
            label=name,
        )
    _label_rows(axes, labels)
    axes.set_xlabel("accuracy in %, with 95 % confidence intervals")
    axes.grid(alpha=0.3)
    if len(series) > 1:
        figure.legend(loc="outside upper center", ncols=len(series), frameon=False)
    write_figure(figure, path)


def plot_learning_curves(curves: Sequence[Curve], path: Path) -> None:
    """Draw training and validation accuracy by epoch, a field for each network.

    Args:
        curves: one or more, each with an epoch or more.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    across = min(4, len(curves))
    down = -(-len(curves) // across)
    title_height = 0.15 * max(curve.name.count("\n") for curve in curves)
    field_height = (2.0 if down > 1 else 2.8) + title_height
    figure = new_figure(max(4.5, 2.3 * across), 0.6 + field_height * down)
    fields = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes, curve in zip(fields.flat, curves, strict=False):
        epochs = np.arange(1, len(curve.training) + 1)
        marker = "o" if len(epochs) == 1 else None
        for name, values, style in (
            ("training", curve.training, "--"),
            ("validation", curve.validation, "-"),
        ):
            axes.plot(epochs, 100 * np.array(values), style, label=name, marker=marker)
        axes.set_title(curve.name, fontsize=9, parse_math=False)
        axes.grid(alpha=0.3)
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.tick_params(labelsize=8)
    for axes in fields.flat[len(curves) :]:
        axes.set_axis_off()
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("accuracy in %", fontsize=9)
    figure.legend(
        *fields.flat[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=2,
        frameon=False,
    )
    write_figure(figure, path)


def plot_filters(filters: npt.NDArray[np.floating], path: Path) -> None:
    """Draw the filters of a convolution over grey images, all on one scale.

    Args:
        filters: floats (rows, columns, F), F at least 1.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    rows, columns, count = filters.shape
    across = min(FILTERS_IN_A_ROW, count)
    down = -(-count // across)
    sheet = np.full((down * (rows + 1) - 1, across * (columns + 1) - 1), np.nan)
    for number in range(count):
        row, column = divmod(number, across)
        top, left = row * (rows + 1), column * (columns + 1)
        sheet[top : top + rows, left : left + columns] = filters[..., number]
    figure = new_figure(max(3.0, 0.5 * across + 1.0), max(1.4, 0.5 * down + 0.3))
    axes = figure.add_subplot()
    largest = max(float(np.abs(filters).max()), 1e-12)
    picture = axes.imshow(sheet, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes.set_axis_off()
    figure.colorbar(picture, ax=axes, label="weight")
    write_figure(figure, path)
