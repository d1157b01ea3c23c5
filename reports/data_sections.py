"""The sections of a report on the data set: its splits and classes, examples, and maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from counting import counted
from data_parser import SPLIT_NAMES, DataSet
from entries.origin import origin_of
from evaluation import embedding
from evaluation.class_labels import ClassLabels
from evaluation.report_plots import Map, plot_class_counts, plot_examples, plot_maps
from reports import findings
from reports.findings import ImageMap, Indices
from reports.page import Block, Paragraph, Section, Table
from reports.pictures import Draw, PictureFolder
from reports.wording import counted_images, range_of, texts_of

CLASSES_WITH_BARS = 100
CLASSES_WITH_EXAMPLES = 100
EXAMPLES_EACH = 8
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
MADE_OF = {
    "pixels": "By their pixels",
    "features": "By what the best network sees in them, in front of its last layer",
}


def data_section(data_set: DataSet, labels: ClassLabels, pictures: PictureFolder) -> Section:
    """What data set it is, how it is divided, and how many images each class has.

    Args:
        data_set: the open one.
        labels: its classes as pictures write them.
        pictures: where its pictures go.

    Returns:
        The section.
    """
    counts = findings.class_counts(data_set)
    totals = counts.sum(axis=1)
    split_by = SPLIT_BY[data_set.split_by].format(seed=data_set.seed)
    all_alike = totals.min() == totals.max()
    median = "" if all_alike else f" (median {np.median(totals):,.0f})"
    text = (
        f"{origin_of(data_set).name} has {counted_images(len(data_set.images))} of "
        f"{len(data_set.classes):,} classes, {range_of(totals)} of each{median}. They are divided "
        f"{split_by}. "
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
                f"Images of {which} in each split: {counted_images(int(totals[shown].sum()))}.",
                lambda path: plot_class_counts(
                    counts[shown], SPLIT_NAMES, texts_of(labels, shown), path
                ),
            ),
            _class_table(data_set, counts),
        ],
    )


def _remark_on_numbers(labels: ClassLabels) -> list[Block]:
    if not labels.numbered:
        return []
    count = len(labels.numbered)
    which = counted(count, "class", "classes")
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
        (name, f"{count:,}", f"{count / images.sum():.1%}", range_of(column), SPLIT_USES[name])
        for name, count, column in zip(SPLIT_NAMES, images, counts.T, strict=True)
    ]
    return Table(
        f"The splits: {counted_images(int(images.sum()))}.",
        ("Split", "Images", "Share", "Of each class", "Use"),
        rows,
        names=frozenset({0, 4}),
    )


def _class_table(data_set: DataSet, counts: npt.NDArray[np.int64]) -> Table:
    return Table(
        f"Images of each class: {counted_images(len(data_set.images))}.",
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
    """A few images of each class.

    Args:
        data_set: the open one.
        labels: its classes as pictures write them.
        pictures: where its pictures go.
        seed: of the choice of images.

    Returns:
        The section.
    """
    classes = findings.spread(len(data_set.classes), CLASSES_WITH_EXAMPLES)
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
                f"{counted_images(shown)}.",
                lambda path: plot_examples(images, texts_of(labels, classes), path),
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

    Returns:
        The section.
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
                f"{MADE_OF[made_of]}: {counted_images(len(rows))} of "
                f"{counted(classes, 'class', 'classes')}, from {origin}. "
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


def _map_drawing(
    image_map: ImageMap, of_rows: npt.NDArray[np.integer], labels: ClassLabels
) -> Draw:
    maps = [Map("principal components", image_map.principal)]
    if image_map.neighbours is not None:
        maps.append(Map("t-SNE", image_map.neighbours))
    return lambda path: plot_maps(maps, of_rows, labels.texts, path)
