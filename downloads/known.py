"""Which data sets are known by name: their files, where they come from, how they are checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True)
class Download:
    """A file that lies at one or several addresses.

    Attributes:
        file_name: Its name, also of a copy that a user puts into the cache folder.
        addresses: Tried in turn. An http address is used only where a SHA-256 checks the content.
        most_bytes: More are never taken.
    """

    file_name: str
    addresses: tuple[str, ...]
    most_bytes: int


@dataclass(frozen=True)
class DataFile:
    """A file of a data set, as it lies in the cache folder.

    Attributes:
        name: Its name.
        size: Bytes, or None where nobody has published them.
        sha256: 64 hexadecimal digits over its content, or None where nobody has published them.
        download: What it is unpacked from: itself, packed by gzip or not, or a ZIP archive.
        member: Its path in the ZIP archive; None where `download` is no archive.
    """

    name: str
    size: int | None
    sha256: str | None
    download: Download
    member: str | None = None


@dataclass(frozen=True)
class KnownDataSet:
    """A data set that has a name.

    Attributes:
        title: Its name in sentences.
        folder: The folder of its files, below the cache folder.
        files: All that is needed to read it.
        opened: The file that a reader opens; None where it opens the folder.
    """

    title: str
    folder: str
    files: tuple[DataFile, ...]
    opened: str | None = None


_MNIST_ADDRESSES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_FASHION_ADDRESSES = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
# Sizes and SHA-256 of the unpacked files: those of a packed file change with whoever packed it.
_MNIST_FILES = (
    (
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        "train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        "t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        "t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
_FASHION_FILES = (
    (
        "train-images-idx3-ubyte",
        47_040_016,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    (
        "train-labels-idx1-ubyte",
        60_008,
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    (
        "t10k-images-idx3-ubyte",
        7_840_016,
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    (
        "t10k-labels-idx1-ubyte",
        10_008,
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
# NIST publishes no digests. These are of the members of matlab.zip (SHA-256 of the archive:
# e1fa805cdeae699a52da0b77c2db17f6feb77eed125f9b45c022e7990444df95, by MLDatasets.jl) as they were
# put into https://github.com/aurelienduarte/emnist, commit 845f29ee, with Git LFS, which names
# files by their SHA-256. Should NIST make the files anew, None in their places leaves the archive's
# own size and CRC-32, and HTTPS.
_EMNIST_FILES = (
    (
        "balanced",
        44_066_000,
        "ce27083f60e3d236e876043dcb1f31f03a45747a80488d6b0add9ab6677c87e2",
    ),
    (
        "byclass",
        269_453_200,
        "f490833cd08532c3b128f90c9be0c7aaba4db114e56bef4a201adf601f814638",
    ),
    (
        "bymerge",
        269_436_800,
        "ef2a779f2372efa102e19ad1639f3394b5e50a6f0d3d939613f401e9223b02dc",
    ),
    (
        "digits",
        90_740_164,
        "b35de2e79e2f4c0061730158d8e9af182c5cb587e92524f5a47627be87e3c59b",
    ),
    (
        "letters",
        48_221_708,
        "349703f166c41866193f49827a7fcca63c2b763498ee4e66d0683a83e57852d9",
    ),
    (
        "mnist",
        22_710_042,
        "96a8092fa7a1a5454d6628a4287ebdcb155cfbd9220851a9f4dee49e3476eec0",
    ),
)
_EMNIST_ARCHIVE = Download(
    "matlab.zip",
    (
        "https://biometrics.nist.gov/cs_links/EMNIST/matlab.zip",
        "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/matlab.zip",
    ),
    1_000_000_000,  # it has about 744,000,000
)


def _of_idx_files(
    title: str, folder: str, addresses: tuple[str, ...], files: tuple[tuple[str, int, str], ...]
) -> KnownDataSet:
    """A data set of IDX files that are packed by gzip where they come from."""
    return KnownDataSet(
        title,
        folder,
        tuple(
            DataFile(
                name,
                size,
                sha256,
                Download(
                    f"{name}.gz",
                    tuple(f"{address}{name}.gz" for address in addresses),
                    size + size // 100 + 2**16,  # gzip adds less to what it cannot pack
                ),
            )
            for name, size, sha256 in files
        ),
    )


def _of_emnist(subset: str, size: int, sha256: str) -> KnownDataSet:
    name = f"emnist-{subset}.mat"
    file = DataFile(name, size, sha256, _EMNIST_ARCHIVE, f"matlab/{name}")
    return KnownDataSet(f"EMNIST {subset}", "emnist", (file,), name)


KNOWN: Mapping[str, KnownDataSet] = MappingProxyType(
    {f"emnist-{subset}": _of_emnist(subset, size, sha256) for subset, size, sha256 in _EMNIST_FILES}
    | {
        "mnist": _of_idx_files("MNIST", "mnist", _MNIST_ADDRESSES, _MNIST_FILES),
        "fashion-mnist": _of_idx_files(
            "Fashion-MNIST", "fashion-mnist", _FASHION_ADDRESSES, _FASHION_FILES
        ),
    }
)


def is_known(name: str) -> bool:
    """Tell whether a data set is known by this name.

    Args:
        name: such as "mnist".

    Returns:
        Whether it is.
    """
    return name in KNOWN


def cache_folder() -> Path:
    """Folder for downloads, which need not be there yet.

    Returns:
        `HANDWRITING_CACHE`, or the user's cache folder of the program.
    """
    import platformdirs

    given = os.environ.get("HANDWRITING_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("handwriting")
