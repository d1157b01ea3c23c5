"""The sections of a report on all entries: their accuracy, and how it rose while they learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counting import counted
from data_parser import DataSet
from entries.origin import origin_of
from evaluation.intervals import Proportion
from evaluation.report_plots import plot_learning_curves, plot_proportions
from learning_curves import MOST_CURVES, curve_of
from model_collection import ModelCollection
from reports import findings
from reports.findings import EntryFindings
from reports.page import Block, Paragraph, Section, Table
from reports.pictures import PictureFolder
from reports.wording import counted_images, of_all, range_of, with_interval
from settings import layer_lists, network_layers
from settings.training_words import digits_telling_apart, training_summary

ENTRIES_WITH_INTERVALS = 40
ORIGINS_SHOWN = 5


def entries_section(
    data_set: DataSet,
    collection: ModelCollection,
    found: Sequence[EntryFindings],
    pictures: PictureFolder,
) -> Section:
    """How well each entry reads.

    Args:
        data_set: the open one.
        collection: where the entries are.
        found: of each entry, highest validation accuracy first.
        pictures: where to draw.

    Returns:
        The section.
    """
    elsewhere = any(not each.scored_here or each.met for each in found)
    series: dict[str, list[Proportion | None]] = {
        "validation": [each.validation for each in found[:ENTRIES_WITH_INTERVALS]],
        "test": [each.test for each in found[:ENTRIES_WITH_INTERVALS]],
    }
    if elsewhere:
        name = "open test split, images not met"
        series[name] = [each.unmet for each in found[:ENTRIES_WITH_INTERVALS]]
    shown = [f"entry {each.number}" for each in found[:ENTRIES_WITH_INTERVALS]]
    return Section(
        "Accuracy of the entries",
        [
            *origin_remarks(data_set, found),
            Paragraph(
                "Entries are in the order of validation accuracy, by which the program chooses "
                "the best. That of the best of many is a little too high, since chance had a part "
                "in the choice; test accuracy is not. Each accuracy has a 95 % confidence interval "
                "(Wilson 1927) for the chance in which images it was taken on; another training "
                "of the same network would differ besides."
            ),
            pictures.picture(
                "accuracy-of-entries",
                f"Accuracy of {of_all('entry', 'entries', len(shown), len(found))} with 95 % "
                f"confidence intervals, on the numbers of images in the table.",
                lambda path: plot_proportions(series, shown, path),
            ),
            _entry_table(found),
            _network_table(collection, found),
        ],
    )


def origin_remarks(data_set: DataSet, found: Sequence[EntryFindings]) -> list[Block]:
    """What to know where entries were scored on other data, or have met test images.

    Args:
        data_set: the open one.
        found: of the entries.

    Returns:
        Paragraphs, or none.
    """
    blocks: list[Block] = []
    others = [each for each in found if not each.scored_here]
    if others:
        names = list(dict.fromkeys(each.entry.data.name for each in others))
        unnamed = len(names) - ORIGINS_SHOWN
        more = f" and {counted(unnamed, 'other')}" if unnamed > 0 else ""
        unread = sum(each.open_test is None for each in found)
        limit = (
            f" Only the {findings.MOST_READ} of them with the highest validation accuracy "
            "were read; Evaluate reads all."
            if unread
            else ""
        )
        blocks.append(
            Paragraph(
                "Trained and scored on other data than the open data set with its splits: "
                f"{len(others):,} of {len(found):,} entries, on {', '.join(names[:ORIGINS_SHOWN])}"
                f"{more}. Their validation and test accuracies are from there. For this report "
                f"they were read on the test split of {origin_of(data_set).name} as well, of "
                f"{counted_images(len(data_set.indices('test')))}.{limit}",
                important=True,
            )
        )
    most_met = max(each.met for each in found)
    if most_met:
        count = sum(each.met > 0 for each in found)
        blocks.append(
            Paragraph(
                "Have met images of the open test split in their training or choosing: "
                f"{count:,} of {len(found):,} entries, up to {most_met:,} of the "
                f"{counted_images(len(data_set.indices('test')))}. Accuracy on images that a "
                "network has met says nothing about new ones; the column 'not met' leaves them "
                "out.",
                important=True,
            )
        )
    return blocks


def _entry_table(found: Sequence[EntryFindings]) -> Table:
    headings = ["No.", "Validation accuracy", "Test accuracy"]
    read_here = any(not each.scored_here for each in found)
    some_met = any(each.met for each in found)
    headings += ["Open test split"] if read_here or some_met else []
    headings += ["Met", "Open test split, not met"] if some_met else []
    rows = []
    for each in found:
        read = each.open_test is not None
        cells = [f"{each.number}", with_interval(each.validation), with_interval(each.test)]
        if read_here or some_met:
            cells.append(with_interval(each.open_test, "not read"))
        if some_met:
            unmet = with_interval(each.unmet, "there are none" if read else "not read")
            cells += [f"{each.met:,}", unmet]
        rows.append(cells)
    return Table(
        "Accuracy with 95 % confidence interval, of how many images; the best entry in bold.",
        headings,
        rows,
        emphasized=frozenset({0}),
    )


def _network_table(collection: ModelCollection, found: Sequence[EntryFindings]) -> Table:
    digits = digits_telling_apart([each.entry.identity for each in found])
    rows = [
        (
            f"{each.number}",
            each.entry.identity[:digits],
            f"{layer_lists.parameter_count(each.entry.layers, len(collection.classes)):,}",
            f"{each.entry.seconds:,.0f}",
            f"{each.entry.data.training_images:,}",
            network_layers.summary(each.entry.layers),
            training_summary(each.entry.layers, each.entry.training_parameters),
        )
        for each in found
    ]
    return Table(
        f"The networks: {len(found):,}.",
        ("No.", "Identity", "Weights", "Seconds", "Training images", "Layers", "Training"),
        rows,
        names=frozenset({5, 6}),
    )


def curves_section(found: Sequence[EntryFindings], pictures: PictureFolder) -> Section:
    """How accuracy rose from epoch to epoch.

    Args:
        found: of the entries.
        pictures: where its pictures go.

    Returns:
        The section.
    """
    with_history = [each for each in found if each.entry.history]
    if not with_history:
        return Section("Learning curves", [Paragraph("The entries have no history of epochs.")])
    shown = with_history[:MOST_CURVES]
    curves = [curve_of(f"entry {each.number}", each.entry) for each in shown]
    learnt = range_of(np.array([each.entry.data.training_images for each in shown]))
    validated = range_of(np.array([each.entry.validation.images for each in shown]))
    caption = (
        f"Accuracy of {of_all('entry', 'entries', len(shown), len(with_history))} after each "
        f"epoch, on {learnt} training and {validated} validation images. Training accuracy is "
        "taken while learning, with dropout and distortions on, and can be the lower one."
    )
    return Section(
        "Learning curves",
        [
            pictures.picture(
                "learning-curves", caption, lambda path: plot_learning_curves(curves, path)
            )
        ],
    )
