"""Matplotlib's figures without a screen, written such that nothing of them is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

DPI = 150
MARGIN = 0.08  # inches around everything that is drawn


def new_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Any:
    """An empty figure.

    Args:
        width: in inches; what does not fit makes the picture larger.
        height: likewise.
        layout: of Matplotlib; None where axes are placed by hand.

    Returns:
        A Matplotlib figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def write_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG, as large as all that is drawn, titles and labels too.

    Args:
        figure: made by `new_figure`.
        path: the file.

    Raises:
        OSError: the file cannot be written.
    """
    # Without the library's name and version in it, the same data give the same file for longer.
    figure.savefig(
        path,
        dpi=DPI,
        format="png",
        bbox_inches="tight",
        pad_inches=MARGIN,
        metadata={"Software": None},
    )
