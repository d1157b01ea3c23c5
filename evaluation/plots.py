"""Pictures of what was measured, written as PNG without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = max(5.0, 0.24 * len(classes) + 1.5)
    figure = Figure(figsize=(size, size), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(matrix / totals, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(len(classes))
    # Texts are shown as they are: a '$' begins no formula.
    axes.set_xticks(ticks, classes, fontsize=8, parse_math=False)
    axes.set_yticks(ticks, classes, fontsize=8, parse_math=False)
    axes.tick_params(top=True, labeltop=True)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        if row != column:
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=5)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(title, fontsize=10, parse_math=False)
    figure.colorbar(picture, ax=axes, shrink=0.6, label="share of the label's images")
    figure.savefig(path, dpi=150, format="png")
