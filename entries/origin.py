"""Where a result comes from: the data, and the versions of the libraries."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable

from data_set import DataSet
from entries.entry import DataOrigin

PACKAGES = ("tensorflow", "keras", "numpy")


def origin_of(data_set: DataSet) -> DataOrigin:
    """Where an entry that is trained on a data set comes from.

    Args:
        data_set: with its splits.

    Returns:
        The data set's name and fingerprint, and how it is split.
    """
    return DataOrigin(
        name=data_set.name,
        fingerprint=data_set.fingerprint,
        split_by=data_set.split_by,
        seed=data_set.seed,
        training_images=len(data_set.splits.training),
    )


def library_versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the libraries that a result hangs on.

    Args:
        packages: names of the libraries, as they are installed.

    Returns:
        The version of each, and of "python".
    """
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **versions}
