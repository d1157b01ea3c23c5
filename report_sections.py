"""The parts of a report: what was found, in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import network_layers
import report_findings
from data_parser import SPLIT_NAMES, DataSet
from evaluation import embedding, recognition
from evaluation.class_labels import ClassLabels
from evaluation.intervals import Proportion
from learning_curves import MOST_CURVES, curve_of
from model_collection import ModelCollection, origin_of
from report_findings import BestFindings, EntryFindings, ImageMap, Indices
from report_page import Block, Paragraph, Picture, Section, Table

Draw = Callable[[Path], None]

CLASSES_WITH_BARS = 100
CLASSES_WITH_EXAMPLES = 100
CLASSES_IN_MATRIX = 60
CLASSES_WITH_INTERVALS = 60
ENTRIES_WITH_INTERVALS = 40
FILTERS_SHOWN = 128
EXAMPLES_EACH = 8
MISREAD_SHOWN = 24
ORIGINS_SHOWN = 5
IDENTITY_LENGTH = 8
SPLIT_BY = {
    "seed": "at random, class by class, by the seed {seed}",
    "file": "by the file: its own test rows are the test split",
    "group": "by groups: images that belong together are never in two splits",
}
SPLIT_USES = {
    "training": "networks learn from it",
    "validation": "the best network is chosen by it",
    "test": "networks are scored on it",
    "generator": "generators learn from it",
}


@dataclass(frozen=True)
class PictureFolder:
    """Where the pictures of a report are written."""

    folder: Path

    def picture(self, name: str, caption: str, draw: Draw) -> Picture:
        """Have a picture drawn into a file, and take it for the page.

        Args:
            name: of the file, without its ending.
            caption: what it shows, and on how many images it stands.
            draw: writes a PNG picture to a path.

        Raises:
            OSError: it cannot be written.
        """
        path = self.folder / f"{name}.png"
        draw(path)
        return Picture(name, path.read_bytes(), caption)


def introduction(
    data_set: DataSet, found: Sequence[EntryFindings], best: BestFindings
) -> list[Block]:
    """The main result in a few sentences."""
    first = found[0]
    sentences = [
        f"{origin_of(data_set).name}: {_images(len(data_set.images))} of "
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


def data_section(data_set: DataSet, labels: ClassLabels, pictures: PictureFolder) -> Section:
    """What data set it is, how it is divided, and how many images each class has."""
    from evaluation.report_plots import plot_class_counts

    counts = report_findings.class_counts(data_set)
    totals = counts.sum(axis=1)
    split_by = SPLIT_BY[data_set.split_by].format(seed=data_set.seed)
    text = (
        f"{origin_of(data_set).name} has {_images(len(data_set.images))} of "
        f"{len(data_set.classes):,} classes, {_range(totals)} of each (median "
        f"{np.median(totals):,.0f}). They are divided {split_by}. "
        f"SHA-256 of the images with their labels and splits: {data_set.fingerprint}."
    )
    shown, which = _most_and_fewest(totals)
    return Section(
        "The data set",
        [
            Paragraph(text),
            *_remark_on_numbers(labels),
            _split_table(counts),
            pictures.picture(
                "class-counts",
                f"Images of {which} in each split: {_images(int(totals[shown].sum()))}.",
                lambda path: plot_class_counts(
                    counts[shown], SPLIT_NAMES, _texts(labels, shown), path
                ),
            ),
            _class_table(data_set, counts),
        ],
    )


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"


def _texts(labels: ClassLabels, classes: npt.NDArray[np.integer]) -> list[str]:
    return [labels.texts[index] for index in classes]


def _remark_on_numbers(labels: ClassLabels) -> list[Block]:
    if not labels.numbered:
        return []
    count = len(labels.numbered)
    which = "1 class" if count == 1 else f"{count:,} classes"
    return [
        Paragraph(
            f"No font of this machine can write the names of {which} in pictures, which show "
            "their numbers in the table of classes instead, such as "
            f"{labels.texts[labels.numbered[0]]}."
        )
    ]


def _most_and_fewest(totals: npt.NDArray[np.int64]) -> tuple[Indices, str]:
    """Classes whose counts are drawn, in their order, and which they are in words."""
    if len(totals) <= CLASSES_WITH_BARS:
        return np.arange(len(totals)), "each class"
    half = CLASSES_WITH_BARS // 2
    order = np.argsort(-totals, kind="stable")
    return (
        np.concatenate([order[:half], order[-half:]]),
        f"the {half} classes with most images and the {half} with fewest, of {len(totals):,},",
    )


def _split_table(counts: npt.NDArray[np.int64]) -> Table:
    images = counts.sum(axis=0)
    rows = [
        (name, f"{count:,}", f"{count / images.sum():.1%}", _range(column), SPLIT_USES[name])
        for name, count, column in zip(SPLIT_NAMES, images, counts.T, strict=True)
    ]
    return Table(
        f"The splits: {_images(int(images.sum()))}.",
        ("Split", "Images", "Share", "Of each class", "Use"),
        rows,
        names=frozenset({0, 4}),
    )


def _range(counts: npt.NDArray[np.int64]) -> str:
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _class_table(data_set: DataSet, counts: npt.NDArray[np.int64]) -> Table:
    return Table(
        f"Images of each class: {_images(len(data_set.images))}.",
        ("No.", "Class", *SPLIT_NAMES, "all"),
        [
            (f"{number}", name, *(f"{count:,}" for count in row), f"{row.sum():,}")
            for number, (name, row) in enumerate(zip(data_set.classes, counts, strict=True), 1)
        ],
        names=frozenset({1}),
    )


def examples_section(
    data_set: DataSet, labels: ClassLabels, pictures: PictureFolder, seed: int
) -> Section:
    """A few images of each class."""
    from evaluation.report_plots import plot_examples

    classes = report_findings.spread(len(data_set.classes), CLASSES_WITH_EXAMPLES)
    rows = np.random.default_rng(seed).permutation(data_set.indices("training"))
    of_rows = data_set.labels[rows]
    images = [data_set.images[rows[of_rows == index][:EXAMPLES_EACH]] for index in classes]
    which = "each class"
    if len(classes) < len(data_set.classes):
        which = f"each of {len(classes):,} of the {len(data_set.classes):,} classes"
    shown = sum(map(len, images))
    return Section(
        "Examples",
        [
            pictures.picture(
                "examples",
                f"Up to {EXAMPLES_EACH} images of {which}, drawn by lot from the training split: "
                f"{_images(shown)}.",
                lambda path: plot_examples(images, _texts(labels, classes), path),
            )
        ],
    )


def maps_section(
    data_set: DataSet,
    labels: ClassLabels,
    pictures: PictureFolder,
    rows: Indices,
    maps: Sequence[tuple[str, ImageMap]],
    origin: str,
) -> Section:
    """Images as points in two dimensions.

    Args:
        data_set: where the images are.
        labels: texts of its classes.
        pictures: where to draw.
        rows: int64 (N,), the images.
        maps: what each map is made of, "pixels" or "features", and the map.
        origin: where the images are from, in words.
    """
    classes = len(np.unique(data_set.labels[rows]))
    blocks: list[Block] = [
        Paragraph(
            "Each point is an image, and each colour a class, whose name stands in the middle of "
            "its points. Principal components (PCA) are the directions in which images differ "
            "most; distances are true along them, and all else is left out."
        ),
        Paragraph(_about_t_sne([each for _, each in maps])),
    ]
    for made_of, image_map in maps:
        blocks.append(
            pictures.picture(
                f"map-of-{made_of}",
                f"{_MADE_OF[made_of]}: {_images(len(rows))} of {classes:,} classes, from {origin}. "
                f"The two components hold {image_map.shares[0]:.1%} and "
                f"{image_map.shares[1]:.1%} of the variance.",
                _map_drawing(image_map, data_set.labels[rows], labels),
            )
        )
    return Section("Maps of the images", blocks)


def _about_t_sne(maps: Sequence[ImageMap]) -> str:
    if not embedding.has_t_sne():
        return (
            "t-SNE is not shown, for it needs scikit-learn: "
            "python -m pip install --require-hashes -r requirements-maps.lock"
        )
    if all(each.neighbours is None for each in maps):
        return (
            f"t-SNE is not shown, for fewer than {embedding.LEAST_FOR_T_SNE} of the images differ."
        )
    return "t-SNE keeps neighbours together; distances between far points mean little in it."


_MADE_OF = {
    "pixels": "By their pixels",
    "features": "By what the best network sees in them, in front of its last layer",
}


def _map_drawing(
    image_map: ImageMap, of_rows: npt.NDArray[np.integer], labels: ClassLabels
) -> Draw:
    from evaluation.report_plots import Map, plot_maps

    maps = [Map("principal components", image_map.principal)]
    if image_map.neighbours is not None:
        maps.append(Map("t-SNE", image_map.neighbours))
    return lambda path: plot_maps(maps, of_rows, labels.texts, path)


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
    """
    from evaluation.report_plots import plot_proportions

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
                f"Accuracy of {_of_all('entry', 'entries', len(shown), len(found))} with 95 % "
                f"confidence intervals, on the numbers of images in the table.",
                lambda path: plot_proportions(series, shown, path),
            ),
            _entry_table(found),
            _network_table(collection, found),
        ],
    )


def _of_all(one: str, many: str, shown: int, there: int) -> str:
    if shown < there:
        return f"the {shown:,} best of {there:,} {many}"
    return f"the {one}" if there == 1 else f"all {there:,} {many}"


def origin_remarks(data_set: DataSet, found: Sequence[EntryFindings]) -> list[Block]:
    """What to know where entries were scored on other data, or have met test images."""
    blocks: list[Block] = []
    others = [each for each in found if not each.scored_here]
    if others:
        names = list(dict.fromkeys(each.entry.data.name for each in others))
        more = f" and {len(names) - ORIGINS_SHOWN:,} others" if len(names) > ORIGINS_SHOWN else ""
        unread = sum(each.open_test is None for each in found)
        limit = (
            f" Only the {report_findings.MOST_READ} of them with the highest validation accuracy "
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
                f"{_images(len(data_set.indices('test')))}.{limit}",
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
                f"{_images(len(data_set.indices('test')))}. Accuracy on images that a network "
                "has met says nothing about new ones; the column 'not met' leaves them out.",
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
    rows = [
        (
            f"{each.number}",
            each.entry.identity[:IDENTITY_LENGTH],
            f"{network_layers.parameter_count(each.entry.layers, len(collection.classes)):,}",
            f"{each.entry.seconds:,.0f}",
            f"{each.entry.data.training_images:,}",
            network_layers.summary(each.entry.layers),
        )
        for each in found
    ]
    return Table(
        f"The networks: {len(found):,}.",
        ("No.", "Identity", "Weights", "Seconds", "Training images", "Layers"),
        rows,
        names=frozenset({5}),
    )


def with_interval(found: Proportion | None, otherwise: str = "no images") -> str:
    """A share in a few words, such as `89.84% (88.8 to 90.8) of 3,700`."""
    if found is None:
        return otherwise
    return (
        f"{found.share:.2%} ({100 * found.low:.1f} to {100 * found.high:.1f}) of {found.images:,}"
    )


def curves_section(found: Sequence[EntryFindings], pictures: PictureFolder) -> Section:
    """How accuracy rose from epoch to epoch."""
    from evaluation.report_plots import plot_learning_curves

    with_history = [each for each in found if each.entry.history]
    if not with_history:
        return Section("Learning curves", [Paragraph("The entries have no history of epochs.")])
    shown = with_history[:MOST_CURVES]
    curves = [curve_of(f"entry {each.number}", each.entry) for each in shown]
    learnt = _range(np.array([each.entry.data.training_images for each in shown]))
    validated = _range(np.array([each.entry.validation.images for each in shown]))
    caption = (
        f"Accuracy of {_of_all('entry', 'entries', len(shown), len(with_history))} after each "
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


def best_section(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> Section:
    """What the best entry confuses, misreads, and looks for."""
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
    """On which images the best entry is looked at, in words."""
    count = f"{_images(len(best.rows))} of the test split"
    if best.all_met:
        return (
            f"{count}, all of which took part in the best entry's training or choosing: on new "
            "images it does worse"
        )
    if best.found.met:
        return (
            f"{count}, without the {best.found.met:,} others that took part in the best entry's "
            "training or choosing"
        )
    return f"{count}, none of which took part in the best entry's training or choosing"


def _confusion(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> Picture:
    from evaluation.plots import plot_confusion_matrix

    of_rows = data_set.labels[best.rows].astype(np.int64)
    predicted = best.probabilities.argmax(axis=1)
    classes = _most_confused_classes(of_rows, predicted, len(data_set.classes))
    place = np.full(len(data_set.classes), -1)
    place[classes] = np.arange(len(classes))
    inside = (place[of_rows] >= 0) & (place[predicted] >= 0)
    matrix = recognition.confusion_matrix(
        place[predicted[inside]], place[of_rows[inside]], len(classes)
    )
    caption = f"Confusion matrix, with counts of the errors: {_images(len(of_rows))}."
    if len(classes) < len(data_set.classes):
        caption = (
            f"Confusion matrix of the {len(classes)} classes with most errors, with counts of the "
            f"errors: the {_images(int(inside.sum()))}, of {len(of_rows):,}, that are of one of "
            "them and were taken for one of them."
        )
    return pictures.picture(
        "confusion-matrix",
        caption,
        lambda path: plot_confusion_matrix(
            matrix,
            _texts(labels, classes),
            f"Entry {best.found.number}: {_images(int(matrix.sum()))}",
            path,
        ),
    )


def _most_confused_classes(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.integer], class_count: int
) -> Indices:
    """The classes that take part in most errors, in class order; all of them where they are few."""
    wrong = labels != predicted
    errors = np.bincount(labels[wrong], minlength=class_count)
    errors += np.bincount(predicted[wrong], minlength=class_count)
    return np.sort(np.argsort(-errors, kind="stable")[:CLASSES_IN_MATRIX]).astype(np.int64)


def _confused_pairs(data_set: DataSet, best: BestFindings) -> list[Block]:
    pairs = report_findings.confused_pairs(data_set, best)
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
            f"Most confused, of {_images(len(best.rows))}.",
            ("Class", "Taken for", "Images", "Share"),
            rows,
            names=frozenset({0, 1}),
        )
    ]


def _accuracy_by_class(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> list[Block]:
    from evaluation.report_plots import plot_proportions

    found = report_findings.by_class(data_set, best)
    with_images = [(index, each) for index, each in enumerate(found) if each is not None]
    with_images.sort(key=lambda pair: (pair[1].share, -pair[1].images))
    shown = with_images[:CLASSES_WITH_INTERVALS]
    which = "each class"
    if len(shown) < len(with_images):
        which = f"the {len(shown)} classes that are read worst"
    images = sum(each.images for _, each in shown)
    rows = [(data_set.classes[index], with_interval(each)) for index, each in with_images]
    without = len(found) - len(with_images)
    missing = f" {without:,} classes have no image among them." if without else ""
    return [
        pictures.picture(
            "accuracy-by-class",
            f"Accuracy on {which}, lowest first, with 95 % confidence intervals: "
            f"{_images(images)}. Where intervals are long, the order is mostly chance.",
            lambda path: plot_proportions(
                {"accuracy": [each for _, each in shown]},
                [labels.texts[index] for index, _ in shown],
                path,
            ),
        ),
        Table(
            "Accuracy by class, lowest first, with 95 % confidence interval, of how many images: "
            f"{_images(len(best.rows))} in all.{missing}",
            ("Class", "Accuracy"),
            rows,
            names=frozenset({0}),
        ),
    ]


def _misread(
    data_set: DataSet, labels: ClassLabels, best: BestFindings, pictures: PictureFolder
) -> list[Block]:
    from evaluation.report_plots import plot_misread

    misread = report_findings.worst_misread(data_set, best, MISREAD_SHOWN)
    if not misread:
        return [Paragraph(f"It misreads none of the {_images(len(best.rows))}.")]
    captions = [
        (labels.texts[each.label], f"→ {labels.texts[each.taken_for]} {each.probability:.0%}")
        for each in misread
    ]
    rows = [
        (
            f"{each.row}",
            data_set.classes[each.label],
            data_set.classes[each.taken_for],
            f"{each.probability:.2%}",
            f"{each.of_label:.2%}",
        )
        for each in misread
    ]
    stands_on = f"{_images(len(misread))} of {len(best.rows):,}"
    return [
        pictures.picture(
            "misread",
            f"The worst misread images: those that it takes most surely for something else. Below "
            f"each its class, what it was taken for, and with which probability. {stands_on}.",
            lambda path: plot_misread(
                data_set.images[[each.row for each in misread]], captions, path
            ),
        ),
        Table(
            f"The worst misread images, {stands_on}.",
            ("Row of the data set", "Class", "Taken for", "Probability", "Of its class"),
            rows,
            names=frozenset({1, 2}),
        ),
    ]


def _filters(data_set: DataSet, best: BestFindings, pictures: PictureFolder) -> list[Block]:
    from evaluation.report_plots import plot_filters

    entry = best.found.entry
    filters = report_findings.first_filters(entry, len(data_set.classes))
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
            f"{_images(entry.data.training_images)}: ink raises the answer of a "
            "filter where it is red, and lowers it where it is blue.",
            lambda path: plot_filters(filters[..., :FILTERS_SHOWN], path),
        )
    ]
