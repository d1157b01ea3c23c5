"""The report on the open data set and the collection: a page with everything in it, and pictures.

A report is a new folder with `report.html` and, below `pictures`, the pictures of the page. It is
made beside its place and put there in one step, so that it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_parser import DataSet
from entries.origin import origin_of
from errors import UserError
from evaluation.class_labels import ClassLabels, class_labels, written_with
from model_collection import ModelCollection
from reports import findings, sections
from reports.findings import BestFindings, Read, Show
from reports.page import Paragraph, Section, page
from reports.sections import PictureFolder
from storage.checked_folder import write_atomically
from unused_path import unused_path

NO_ENTRIES = (
    "The collection has no entries, so this report is about the data alone. Train networks, or "
    "Load a collection, for one with their accuracy, learning curves and errors."
)
PAGE_NAME = "report.html"
PICTURES_NAME = "pictures"


def write_report(
    data_set: DataSet,
    collection: ModelCollection,
    folder: Path,
    *,
    seed: int,
    read: Read,
    show: Show = lambda doing: None,
) -> Path:
    """Write a report into a new folder.

    Args:
        data_set: the open one.
        collection: for its classes; without entries the report is about the data alone.
        folder: where; if something is there, a folder beside it with a number in its name.
        seed: of the choice of example images and of the maps, 0 or more.
        read: returns the probabilities, float32 (N, C), with which an entry reads uint8
            (N, 28, 28).
        show: told in a few words what is being done.

    Returns:
        The page.

    Raises:
        UserError: it cannot be written; nothing is left of it.
        ValueError: the collection is for other classes than those of the data set.
    """
    if collection.classes != data_set.classes:
        raise ValueError("the collection is for other classes than those of the data set")
    with _saying(folder, OSError, ValueError):  # ValueError: what is no name of a folder at all
        place = unused_path(Path(os.path.abspath(folder)))
        beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        (beside / PICTURES_NAME).mkdir(parents=True)
    try:
        pictures = PictureFolder(beside / PICTURES_NAME)
        with _saying(place, OSError):
            text = _page(data_set, collection, pictures, seed, read, show)
            write_atomically(beside / PAGE_NAME, text.encode("utf-8"))
            place = unused_path(place)  # another program may have been there meanwhile
            os.rename(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place / PAGE_NAME


@contextlib.contextmanager
def _saying(folder: Path, *expected: type[Exception]) -> Iterator[None]:
    """Turn expected errors in writing a folder into one that names it."""
    try:
        yield
    except expected as error:
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, ValueError):  # speaks of what a programmer gave
            reason = "no new folder can have that name"
        raise UserError(
            f"the report cannot be written in {str(folder)!r}: {reason}; give another folder"
        ) from error


def _page(
    data_set: DataSet,
    collection: ModelCollection,
    pictures: PictureFolder,
    seed: int,
    read: Read,
    show: Show,
) -> str:
    """The page's HTML; its pictures are drawn on the way."""
    labels = class_labels(data_set.classes)
    title = f"Report on {origin_of(data_set).name}"
    with written_with(labels.families):
        if not collection.entries:
            show("Drawing pictures ...")
            parts = _about_the_data(data_set, labels, pictures, seed)
            parts.append(_maps(data_set, labels, pictures, seed, None))
            return page(title, [Paragraph(NO_ENTRIES)], parts)
        found, best = findings.read_entries(data_set, collection, read, show)
        show("Drawing pictures ...")
        parts = [
            *_about_the_data(data_set, labels, pictures, seed),
            _maps(data_set, labels, pictures, seed, best),
            sections.entries_section(data_set, collection, found, pictures),
            sections.curves_section(found, pictures),
            sections.best_section(data_set, labels, best, pictures),
        ]
    return page(title, sections.introduction(data_set, found, best), parts)


def _about_the_data(
    data_set: DataSet, labels: ClassLabels, pictures: PictureFolder, seed: int
) -> list[Section]:
    return [
        sections.data_section(data_set, labels, pictures),
        sections.examples_section(data_set, labels, pictures, seed),
    ]


def _maps(
    data_set: DataSet,
    labels: ClassLabels,
    pictures: PictureFolder,
    seed: int,
    best: BestFindings | None,
) -> Section:
    """Maps by pixels, and by the features of the best entry where there is one."""
    among = data_set.indices("test") if best is None else best.rows
    rows = findings.rows_to_map(data_set, among, seed)
    images = data_set.images[rows]
    pixels = images.reshape(len(images), -1) / np.float32(255)
    maps = [("pixels", findings.map_images(pixels, seed))]
    origin = f"the {len(among):,} images of the test split"
    if best is not None:
        entry = best.found.entry
        features = findings.penultimate_features(entry, len(data_set.classes), images)
        maps.append(("features", findings.map_images(features, seed)))
        origin = sections.images_of_best(best)
    return sections.maps_section(data_set, labels, pictures, rows, maps, origin)
