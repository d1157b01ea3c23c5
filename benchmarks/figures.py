"""Figures of several rounds or seeds, put together, and as text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


def median_and_range(name: str, values: Sequence[float]) -> dict[str, float]:
    """What several rounds found, as few figures.

    Args:
        name: of the figure.
        values: one a round, one or more.

    Returns:
        The median under the name, and the ends of the range under names that begin so.
    """
    return {
        name: statistics.median(values),
        f"{name}_lowest": min(values),
        f"{name}_highest": max(values),
    }


def mean_and_deviation(accuracies: Sequence[float]) -> str:
    """Accuracies over seeds as a cell of a table.

    Args:
        accuracies: 0 to 1, one a seed, one or more.

    Returns:
        Such as `91.20% ± 0.31%`; the mean alone where there is one seed.
    """
    mean = f"{statistics.mean(accuracies):.2%}"
    return f"{mean} ± {statistics.stdev(accuracies):.2%}" if len(accuracies) > 1 else mean


def lines_of(figures: Mapping[str, float]) -> list[str]:
    """Figures as text.

    Args:
        figures: by their names.

    Returns:
        A line each, with the figures below each other.
    """
    width = max(map(len, figures))
    return [f"{name:{width}} {value:10.3f}" for name, value in figures.items()]
