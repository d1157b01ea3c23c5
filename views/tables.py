"""Tables of some rows: the layers of a variant, the scores of an evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collection_evaluation import Evaluation
from settings import layer_lists
from settings.network_layers import Dense, Variant
from views.remarks import score_cells, share

if TYPE_CHECKING:
    from rich.table import Table


NESTED = "  "  # before layers that lie in another layer


def plain_table() -> Table:
    """An empty table, with a line below its headings alone.

    Returns:
        A table to add columns and rows to.
    """
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
        caption_justify="left",
    )


def layer_table(layers: Variant, class_count: int) -> Table:
    """The layers of a variant with the shape after each and its number of weights.

    Args:
        layers: of the variant.
        class_count: of its collection.

    Returns:
        A row a layer, the one that tells the classes apart too.
    """
    table = plain_table()
    table.add_column("Layer")
    table.add_column("Output", justify="right")
    table.add_column("Parameters", justify="right")
    for line in layer_lists.layer_lines((*layers, Dense(class_count, "softmax"))):
        shape = "x".join(str(size) for size in line.shape)
        table.add_row(NESTED * line.depth + line.words, shape, f"{line.parameters:,}")
    arrays = layer_lists.weight_arrays(layers, class_count)
    fixed = sum(array.size for array in arrays if not array.trainable)
    table.caption = f"{sum(array.size for array in arrays):,} parameters, {fixed:,} not trainable"
    return table


def evaluation_table(result: Evaluation) -> Table:
    """Scores of every entry on the images evaluated.

    Args:
        result: of `Evaluate`.

    Returns:
        A row an entry.
    """
    table = plain_table()
    for heading in ("No.", "Accuracy", "Loss", "Images"):
        table.add_column(heading, justify="right")
    with_seen = any(row.new_images != row.score for row in result.scores)
    if with_seen:
        table.add_column("On images never trained on", justify="right", overflow="fold")
    for row in result.scores:
        cells = [
            f"{'* ' if row.number == result.best else ''}{row.number}",
            *score_cells(row.score),
            f"{row.score.images:,}",
        ]
        if with_seen:
            cells.append(share(row.new_images) if row.new_images else "there are none")
        table.add_row(*cells)
    return table


def confused_pairs(result: Evaluation) -> str:
    """The most frequent confusions of the best entry.

    Args:
        result: of `Evaluate`.

    Returns:
        Lines of text.
    """
    if not result.confused:
        return f"Entry {result.best} confused nothing."
    pairs = [
        f"  {result.classes[pair.label]} taken for {result.classes[pair.taken_for]}: "
        f"{pair.count:,} of {pair.images:,} ({pair.count / pair.images:.1%})"
        for pair in result.confused
    ]
    return "\n".join([f"Most confused by entry {result.best}:", *pairs])
