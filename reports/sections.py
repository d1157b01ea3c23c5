"""The parts of a report, gathered: the sentences at its head, and its sections."""

from __future__ import annotations

from collections.abc import Sequence

from data_parser import DataSet
from entries.origin import origin_of
from reports.best_section import best_section, images_of_best
from reports.data_sections import data_section, examples_section, maps_section
from reports.entry_sections import curves_section, entries_section
from reports.findings import BestFindings, EntryFindings
from reports.page import Block, Paragraph
from reports.pictures import PictureFolder
from reports.wording import counted_images, with_interval

__all__ = [
    "PictureFolder",
    "best_section",
    "curves_section",
    "data_section",
    "entries_section",
    "examples_section",
    "images_of_best",
    "introduction",
    "maps_section",
]


def introduction(
    data_set: DataSet, found: Sequence[EntryFindings], best: BestFindings
) -> list[Block]:
    """The main result in a few sentences.

    Args:
        data_set: the open one.
        found: of the entries, the best one first.
        best: what the best entry read.

    Returns:
        One paragraph.
    """
    first = found[0]
    sentences = [
        f"{origin_of(data_set).name}: {counted_images(len(data_set.images))} of "
        f"{len(data_set.classes):,} classes.",
        f"Entry {first.number} is the best of {len(found):,} by validation accuracy, "
        f"{with_interval(first.validation)} images.",
        f"On its test split, it reads {with_interval(first.test)} images.",
    ]
    if not first.scored_here:
        sentences[-1] = (
            f"On the test split of the data that it was trained on, {first.entry.data.name}, it "
            f"reads {with_interval(first.test)} images."
        )
    if not first.scored_here or first.met:
        read = first.open_test if best.all_met else first.unmet
        sentences.append(
            f"Of the open data set it was read on {images_of_best(best)}: {with_interval(read)}."
        )
    sentences.append("In brackets stand 95 % confidence intervals, in percent.")
    return [Paragraph(" ".join(sentences))]
