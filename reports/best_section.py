"""The section of a report on the best entry: what it confuses, misreads, and looks for."""

from __future__ import annotations

from collections.abc import Sequence

from counting import counted
from data_parser import DataSet
from evaluation import recognition
from evaluation.class_labels import ClassLabels, within_a_line
from evaluation.plots import plot_confusion_matrix
from evaluation.report_plots import plot_filters, plot_misread, plot_proportions
from reports import findings
from reports.findings import BestFindings
from reports.page import Block, Paragraph, Picture, Section, Table
from reports.pictures import PictureFolder
from reports.wording import counted_images, texts_of, the_others, with_interval
from settings import network_layers

CLASSES_IN_MATRIX = 60
CLASSES_WITH_INTERVALS = 60
FILTERS_SHOWN = 128
MISREAD_SHOWN = 24


def best_section(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> Section:
    """What the best entry confuses, misreads, and looks for.

    Args:
        data_set: the open one.
        labels: its classes as pictures write them.
        best: what the best entry read.
        pictures: where its pictures go.

    Returns:
        The section.
    """
    entry = best.found.entry
    right = best.probabilities.argmax(axis=1) == data_set.labels[best.rows]
    return Section(
        f"The best entry: number {best.found.number}",
        [
            Paragraph(f"Its layers: {network_layers.summary(entry.layers)}, softmax."),
            Paragraph(
                f"It is looked at on {images_of_best(best)}. It reads "
                f"{int(right.sum()):,} of them rightly.",
                important=best.all_met,
            ),
            _confusion(data_set, labels, best, pictures),
            *_confused_pairs(data_set, best),
            *_accuracy_by_class(data_set, labels, best, pictures),
            *_misread(data_set, labels, best, pictures),
            *_filters(data_set, best, pictures),
        ],
    )


def images_of_best(best: BestFindings) -> str:
    """On which images the best entry is looked at.

    Args:
        best: what it read.

    Returns:
        The words, without a full stop.
    """
    count = f"{counted_images(len(best.rows))} of the test split"
    if best.all_met:
        return (
            f"{count}, all of which took part in the best entry's training or choosing: on new "
            "images it does worse"
        )
    if best.found.met:
        return (
            f"{count}, without {the_others(best.found.met)} that took part in the best entry's "
            "training or choosing"
        )
    return f"{count}, none of which took part in the best entry's training or choosing"


def _confusion(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> Picture:
    labels_of_rows = data_set.labels[best.rows]
    confusion = recognition.confusion_among(
        best.probabilities.argmax(axis=1), labels_of_rows, len(data_set.classes), CLASSES_IN_MATRIX
    )
    classes, matrix = confusion.classes, confusion.counts
    inside = int(matrix.sum())
    caption = f"Confusion matrix, with counts of the errors: {counted_images(len(labels_of_rows))}."
    if len(classes) < len(data_set.classes):
        caption = (
            f"Confusion matrix of the {len(classes)} classes with most errors, with counts of the "
            f"errors: the {counted_images(inside)}, of {len(labels_of_rows):,}, that are of "
            "one of them and were taken for one of them."
        )
    return pictures.picture(
        "confusion-matrix",
        caption,
        lambda path: plot_confusion_matrix(
            matrix,
            texts_of(labels, classes),
            f"Entry {best.found.number}: {counted_images(inside)}",
            path,
        ),
    )


def _confused_pairs(data_set: DataSet, best: BestFindings) -> list[Block]:
    pairs = findings.confused_pairs(data_set, best)
    if not pairs:
        return [Paragraph("It confuses nothing.")]
    rows = [
        (
            data_set.classes[pair.label],
            data_set.classes[pair.taken_for],
            f"{pair.count:,} of {pair.images:,}",
            f"{pair.count / pair.images:.1%}",
        )
        for pair in pairs
    ]
    return [
        Table(
            f"Most confused, of {counted_images(len(best.rows))}.",
            ("Class", "Taken for", "Images", "Share"),
            rows,
            names=frozenset({0, 1}),
        )
    ]


def _accuracy_by_class(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> list[Block]:
    found = findings.by_class(data_set, best)
    with_images = [(index, each) for index, each in enumerate(found) if each is not None]
    with_images.sort(key=lambda pair: (pair[1].share, -pair[1].images))
    shown = with_images[:CLASSES_WITH_INTERVALS]
    which = "each class"
    if len(shown) < len(with_images):
        which = f"the {len(shown)} classes that are read worst"
    images = sum(each.images for _, each in shown)
    return [
        pictures.picture(
            "accuracy-by-class",
            f"Accuracy on {which}, lowest first, with 95 % confidence intervals: "
            f"{counted_images(images)}. Where intervals are long, the order is mostly chance.",
            lambda path: plot_proportions(
                {"accuracy": [each for _, each in shown]},
                [labels.texts[index] for index, _ in shown],
                path,
            ),
        ),
        Table(
            "Accuracy by class, lowest first, with 95 % confidence interval, of how many images: "
            f"{counted_images(len(best.rows))} in all.{_missing(len(found) - len(with_images))}",
            ("Class", "Accuracy"),
            [(data_set.classes[index], with_interval(each)) for index, each in with_images],
            names=frozenset({0}),
        ),
    ]


def _missing(classes: int) -> str:
    """A sentence, after a space, on so many classes without images; empty for none."""
    have = "has" if classes == 1 else "have"
    return f" {counted(classes, 'class', 'classes')} {have} no image among them." if classes else ""


def _misread(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> list[Block]:
    misread = findings.worst_misread(data_set, best, MISREAD_SHOWN)
    if not misread:
        return [Paragraph(f"It misreads none of the {counted_images(len(best.rows))}.")]
    captions = [
        (
            labels.texts[each.label],
            f"→ {within_a_line(labels.texts[each.taken_for])} {each.probability:.0%}",
        )
        for each in misread
    ]
    stands_on = f"{counted_images(len(misread))} of {len(best.rows):,}"
    return [
        pictures.picture(
            "misread",
            f"The worst misread images: those that it takes most surely for something else. Below "
            f"each its class, what it was taken for, and with which probability. {stands_on}.",
            lambda path: plot_misread(
                data_set.images[[each.row for each in misread]], captions, path
            ),
        ),
        _table_of_misread(data_set, misread, f"The worst misread images, {stands_on}."),
    ]


def _table_of_misread(
    data_set: DataSet, misread: Sequence[findings.Misread], caption: str
) -> Table:
    return Table(
        caption,
        (
            "Picture" if data_set.names else "Row of the data set",
            *("Class", "Taken for", "Probability", "Of its class"),
        ),
        [
            (
                data_set.names[each.row] if data_set.names else f"{each.row}",
                data_set.classes[each.label],
                data_set.classes[each.taken_for],
                f"{each.probability:.2%}",
                f"{each.of_label:.2%}",
            )
            for each in misread
        ],
        names=frozenset({0, 1, 2} if data_set.names else {1, 2}),
    )


def _filters(data_set: DataSet, best: BestFindings, pictures: PictureFolder) -> list[Block]:
    entry = best.found.entry
    filters = findings.first_filters(entry, len(data_set.classes))
    if filters is None:
        return [Paragraph("Its first layer is no convolution, so there are no filters to show.")]
    count = filters.shape[-1]
    which = f"The {count:,} filters" if count > 1 else "The filter"
    if count > FILTERS_SHOWN:
        which = f"The first {FILTERS_SHOWN} of the {count:,} filters"
    return [
        pictures.picture(
            "filters",
            f"{which} of the first convolution, learnt from "
            f"{counted_images(entry.data.training_images)}: ink raises the answer of a "
            "filter where it is red, and lowers it where it is blue.",
            lambda path: plot_filters(filters[..., :FILTERS_SHOWN], path),
        )
    ]
