"""Read files of labelled character images and divide the images into splits.

Formats are told apart by their content: NIST's MATLAB layout as EMNIST has it (classic MATLAB files
and v7.3, which is HDF5), IDX as MNIST has it, pictures in folders and archives, the `.npz` files
that `write_npz` makes, and others of images and labels. The readers are in `data_formats`, one
module each. Whatever is wrong with a file is reported as one `DataError`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from counting import counted
from data_formats import nist_layout, npz
from data_formats.common import (
    SPLIT_NAMES,
    Content,
    Division,
    Indices,
    Labels,
    SplitBy,
    Tell,
    tell_nobody,
)
from data_formats.nist_layout import stand_upright
from data_formats.problems import Problem, naming, quoted, telling_what_was_left_out
from data_formats.recognition import reader_of
from data_set import DataSet, LabelledImages, SplitName, Splits, class_standing_for
from data_splits import SPLIT_SHARES, divide, split_data
from image_arrays import IMAGE_SIZE, Images
from image_groups import groups_of, note_on_groups

__all__ = [
    "IMAGE_SIZE",
    "SPLIT_NAMES",
    "SPLIT_SHARES",
    "DataSet",
    "Images",
    "Indices",
    "LabelledImages",
    "Labels",
    "SplitBy",
    "SplitName",
    "Splits",
    "class_standing_for",
    "open_data_set",
    "read_labelled_images",
    "split_data",
    "stand_upright",
    "write_mat",
    "write_npz",
]

_Integers = npt.NDArray[np.integer[Any]]


def read_labelled_images(path: str | os.PathLike[str], keep_digits: bool = True) -> LabelledImages:
    """Read all images of a data set file, training and test rows pooled.

    Args:
        path: A MATLAB file in NIST's layout (classic or v7.3), IDX files (their folder or one of
            them), pictures (a folder or an archive with a folder a class), a file of `write_npz`,
            or another `.npz` of images and labels.
        keep_digits: Whether the classes '0' to '9' stay.

    Returns:
        The images, classes numbered from 0 in the order of the file's mapping. Classes without
        a single image are left out.

    Raises:
        DataError: The file cannot be read as a data set; the message says why.
    """
    path = Path(path)
    with naming(path):
        content = reader_of(path)(path, keep_digits, tell_nobody)
    return LabelledImages(
        content.images,
        content.labels,
        content.classes,
        content.in_test,
        (*content.notes, *_notes_on(content.images, None)),
        content.skipped,
    )


def open_data_set(
    path: str | os.PathLike[str],
    *,
    seed: int = 42,
    keep_digits: bool = False,
    file_split: bool = False,
    shares: Mapping[str, int] = SPLIT_SHARES,
    group: str | None = None,
    tell: Tell = tell_nobody,
) -> DataSet:
    """Read a data set file and divide its images into splits.

    A file of `write_npz` brings its own splits, which no seed changes.

    Args:
        path: A MATLAB file in NIST's layout (classic or v7.3), IDX files (their folder or one of
            them), pictures (a folder or an archive with a folder a class), a file of `write_npz`,
            or another `.npz` of images and labels.
        seed: Seed of the random choice, 0 or more.
        keep_digits: Whether the classes '0' to '9' stay.
        file_split: Whether the file's own test rows are the test split.
        shares: How many parts each of `SPLIT_NAMES` gets, 1 or more.
        group: Which images belong together and are never in two splits, as a pattern of file names
            for `image_groups.groups_of`; None where each is for itself.
        tell: Told again and again how many images were made ready, where that takes its time.

    Returns:
        The data set, its images uint8 (N, 28, 28).

    Raises:
        DataError: The file cannot be read as a data set or not be split as asked for; the message
            says why.
    """
    path = Path(path)
    with naming(path):
        content = reader_of(path)(path, keep_digits, tell)
        if content.division:
            by_other_rows = file_split and content.division.split_by != "file"
            _check_nothing_else_is_asked_for(by_other_rows, shares, group)
        with telling_what_was_left_out(content.skipped):
            if len(content.classes) < 2:
                only = quoted(content.classes[0])
                raise Problem(f"it has images of one class only, {only}; two are needed")
            groups = None if group is None else groups_of(content.names, group)
            division = content.division or _division(content, seed, file_split, shares, groups)
    return DataSet(
        content.images,
        content.labels,
        content.classes,
        Splits(**division.rows),
        path if path.name else path.absolute(),  # "." has no name to be told by
        division.split_by,
        division.seed,
        (*content.notes, *_notes_on(content.images, groups)),
        content.skipped,
        content.names,
    )


def _check_nothing_else_is_asked_for(
    by_other_rows: bool, shares: Mapping[str, int], group: str | None
) -> None:
    """Splits of a file's own are never taken for others, such as those that keep hands apart."""
    asked = {
        "--file-split": by_other_rows,
        "--split-shares": dict(shares) != dict(SPLIT_SHARES),
        "--group": group is not None,
    }
    given = [option for option, is_given in asked.items() if is_given]
    if given:
        raise Problem(
            f"this file has splits of its own, which are used as they are; leave out "
            f"{' and '.join(given)}"
        )


def _division(
    content: Content,
    seed: int,
    file_split: bool,
    shares: Mapping[str, int],
    groups: Indices | None,
) -> Division:
    """Splits of a file that has none of its own."""
    splits = divide(
        content.labels, content.in_test, content.classes, seed, file_split, shares, groups
    )
    rows = {name: getattr(splits, name) for name in SPLIT_NAMES}
    return Division(rows, "file" if file_split else "seed" if groups is None else "group", seed)


def _notes_on(images: Images, groups: Indices | None) -> Iterator[str]:
    """What the user should know of groups, and of images on which nothing is."""
    if groups is not None:
        yield note_on_groups(groups)
    blank = len(images) - int(images.any(axis=(1, 2)).sum())
    if blank:
        yield f"{counted(blank, 'image is', 'images are')} blank, without any ink"


def write_npz(data_set: DataSet, path: str | os.PathLike[str]) -> None:
    """Write a data set with its splits, atomically.

    Args:
        data_set: What to write.
        path: The file; an existing one is replaced.

    Raises:
        DataError: The file cannot be written.
    """
    rows = {name: data_set.indices(name) for name in SPLIT_NAMES}
    division = Division(rows, data_set.split_by, data_set.seed)
    npz.write(Path(path), data_set.images, data_set.labels, data_set.classes, division)


def write_mat(
    path: str | os.PathLike[str],
    training_images: Images,
    training_labels: _Integers,
    test_images: Images,
    test_labels: _Integers,
    classes: Sequence[str],
) -> None:
    """Write a compressed classic MAT file in NIST's layout, atomically.

    Args:
        path: The file; an existing one is replaced.
        training_images: uint8 (N, 28, 28), upright.
        training_labels: Integers (N,), indices into `classes`.
        test_images: uint8 (M, 28, 28), upright; M may be 0.
        test_labels: Integers (M,), indices into `classes`.
        classes: One character each, none twice.

    Raises:
        DataError: The file cannot be written, or the name of a class is not one character.
        ValueError: The arrays do not fit together or a class is there twice.
    """
    training, test = (training_images, training_labels), (test_images, test_labels)
    nist_layout.write(Path(path), training, test, classes)
