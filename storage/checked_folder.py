"""Folders of a JSON document and the weight files that it names: checked reading, safe writing.

Files are named by their content and written before the document, which is replaced in one step: a
folder holds what was there before or what is new, whatever happens in between. Reading runs no code
from the folder, follows no link and waits on no pipe.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from data_formats.replacing import taking_the_place_of
from errors import CollectionError

WEIGHTS_ROW_NAME = re.compile(r"[0-9a-f]{16}\.weights\.npy")
FILE_NAME = "collection.json"
SCHEMA_VERSION = 1
MAXIMUM_JSON_BYTES = 256_000_000
TEMPORARY_SUFFIX = ".part"
Value = TypeVar("Value")


class Problem(Exception):
    """What is wrong inside a folder; the folder's name is added on the way out."""


class FolderDamaged(CollectionError):
    """A folder is not as it was saved.

    Attributes:
        wrong: what is wrong where, without what to do.
    """

    def __init__(self, wrong: str, remedy: str = "load a folder that this program saved") -> None:
        """Say what is wrong, and what to do."""
        super().__init__(f"{wrong}; {remedy}")
        self.wrong = wrong


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn a problem into an error that names the file or folder.

    Args:
        path: what is wrong.

    Raises:
        FolderDamaged: instead of `Problem`.
    """
    try:
        yield
    except Problem as problem:
        raise FolderDamaged(f"{path} is damaged or was changed: {problem}") from problem


@contextlib.contextmanager
def within(place: str) -> Iterator[None]:
    """Add to a problem where in the document it is.

    Args:
        place: such as "entry 3".

    Raises:
        Problem: with the place before it.
    """
    try:
        yield
    except Problem as problem:
        raise Problem(f"{place}: {problem}") from problem


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    """An array as the content of an `.npy` file.

    Args:
        array: of any type but objects.

    Returns:
        The bytes.
    """
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def write_content(folder: Path, content: bytes, suffix: str, new: list[Path]) -> dict[str, str]:
    """Write a file that is named by its content.

    Args:
        folder: where.
        content: of the file.
        suffix: of its name, after 16 hexadecimal digits.
        new: the path is added where no such file was there.

    Returns:
        How a document names it: its name and SHA-256.

    Raises:
        OSError: it cannot be written.
    """
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{digest[:16]}{suffix}"
    if not _holds(path, content):
        new.append(path)
        write_atomically(path, content)
    return {"file": path.name, "sha256": digest}


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes() == content


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Args:
        path: the file; another that is there is replaced.
        content: of the file.

    Raises:
        OSError: it cannot be written.
    """
    part = path.with_name(path.name + TEMPORARY_SUFFIX)
    part.unlink(missing_ok=True)  # what a killed session left; never written through a link
    with taking_the_place_of(path, part), part.open("xb") as file:
        file.write(content)


def holds_document(folder: Path) -> bool:
    """Whether a folder has a JSON document, of whatever content.

    Args:
        folder: which need not be there.

    Returns:
        Whether it has one.

    Raises:
        CollectionError: that cannot be told.
    """
    try:
        (folder / FILE_NAME).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # ValueError: a zero character in the name
        reason = getattr(error, "strerror", None) or error
        raise CollectionError(f"{folder} cannot be read: {reason}") from error
    return True


def read_whole(folder: Path, read: Callable[[], Value]) -> Value:
    """Read a folder, and read it again where another program replaced its document meanwhile.

    Args:
        folder: that is read.
        read: reads it.

    Returns:
        What `read` made of it.

    Raises:
        CollectionError: the folder is damaged, or holds something else.
    """
    while True:
        version = _document_version(folder)
        try:
            return read()
        except CollectionError:
            # The files that the former document named may have been removed.
            if _document_version(folder) == version:
                raise


def _document_version(folder: Path) -> tuple[int, ...]:
    """What tells a folder's document from one that took its place; nothing where there is none."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: a zero character in the name
        state = (folder / FILE_NAME).stat()
        return state.st_ino, state.st_mtime_ns, state.st_size
    return ()


@contextlib.contextmanager
def writing(folder: Path, what: str) -> Iterator[list[Path]]:
    """Add files to a folder, which is made; where that fails, the new ones are taken away again.

    Args:
        folder: where.
        what: is saved, for the message, such as "the generator".

    Yields:
        The list for paths of files that were not there before, as `write_content` fills it.

    Raises:
        CollectionError: the folder cannot be written; what was there is unchanged.
    """
    new: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield new
    except OSError as error:
        for path in new:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise CollectionError(
            f"{what} cannot be saved in {folder}: {error.strerror or error}; "
            "what was there before is unchanged"
        ) from error


def remove_other_weights(folder: Path, current: set[str]) -> None:
    """Take away files of weights that are not named any more.

    Args:
        folder: whose document is written.
        current: names of the files that it names.
    """
    for path in folder.iterdir():
        if WEIGHTS_ROW_NAME.fullmatch(path.name) and path.name not in current:
            with contextlib.suppress(OSError):  # a file too many does no harm
                path.unlink()


def write_weights_row(
    folder: Path, weights: npt.NDArray[np.float16], new: list[Path]
) -> dict[str, str]:
    """Write a row of weights; returns how a document names the file.

    Args:
        folder: where.
        weights: float16 (W,).
        new: of `write_content`.

    Returns:
        Its name and SHA-256.

    Raises:
        OSError: it cannot be written.
    """
    return write_content(folder, npy_bytes(weights), ".weights.npy", new)


def read_weights_row(folder: Path, given: Any, count: int) -> npt.NDArray[np.float16]:
    """Read a row of weights.

    Args:
        folder: where.
        given: how a document names the file.
        count: numbers W that it must hold; nothing larger is ever read.

    Returns:
        float16 (W,), all finite.

    Raises:
        Problem: it is missing, or something else.
    """
    content = read_content(folder, *file_named(given, WEIGHTS_ROW_NAME), 2 * count + 1000)
    try:
        weights = np.load(io.BytesIO(content), allow_pickle=False)
    # NumPy answers a damaged file with many kinds of error.
    except Exception as error:
        raise Problem("the weights cannot be read") from error
    if not isinstance(weights, np.ndarray) or weights.shape != (count,) or weights.dtype != "<f2":
        raise Problem(f"the weights are not a row of {count:,} half-precision numbers")
    if not np.isfinite(weights).all():
        raise Problem("the weights hold values that are not numbers")
    return weights


def read_document(folder: Path, form: str) -> dict[str, Any]:
    """Read the JSON document of a folder.

    Args:
        folder: where it lies.
        form: what the document must say under 'format'.

    Returns:
        The document, of which only format and version are checked.

    Raises:
        CollectionError: the folder or the document is missing, damaged, or something else.
    """
    path = folder / FILE_NAME
    try:
        if not folder.exists():
            raise CollectionError(f"there is no folder {folder}")
        if not folder.is_dir():
            raise CollectionError(f"{folder} is a file; a collection is a folder")
        if not path.exists():
            raise CollectionError(f"{folder} holds no collection: it has no {FILE_NAME}")
        content = read_file(path, MAXIMUM_JSON_BYTES)
    except OSError as error:
        raise CollectionError(f"{path} cannot be read: {error.strerror or error}") from error
    with naming(path):
        document = _parsed(content)
        if not isinstance(document, dict) or document.get("format") != form:
            raise Problem(f"it does not say 'format': {form!r}")
        version = document.get("schema_version")
        if version != SCHEMA_VERSION:
            raise Problem(
                f"its schema version is {str(version)[:40]}, this program reads {SCHEMA_VERSION}"
            )
    return document


def _parsed(content: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise Problem(f"it holds the number {constant}")

    try:
        return json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Problem(f"it is no JSON ({error})") from error


def read_file(path: Path, most: int) -> bytes:
    """Content of an ordinary file inside a folder; never follows a link or waits on a pipe.

    Args:
        path: the file.
        most: bytes that it may have.

    Returns:
        All its bytes.
    """
    with naming(path):
        if path.is_symlink():
            raise Problem("it is a link to somewhere else")
        if not path.is_file():
            raise Problem("there is no such file")
        size = path.stat().st_size
        if size > most:
            raise Problem(f"it has {size:,} bytes, where at most {most:,} are expected")
        return path.read_bytes()


def file_named(given: Any, pattern: re.Pattern[str]) -> tuple[str, str]:
    """Name and SHA-256 of a file, as an entry names it.

    Args:
        given: from the document.
        pattern: that the whole name must fit.

    Returns:
        The name, and the SHA-256 as it stands there.
    """
    about = a_mapping(given, "a file")
    name = about.get("file")
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise Problem(f"{str(name)[:80]!r} is not the name of a file in this folder")
    digest = about.get("sha256")
    if not isinstance(digest, str):
        raise Problem(f"the SHA-256 of {name} is missing")
    return name, digest


def read_content(folder: Path, name: str, digest: str, most: int) -> bytes:
    """Read a file that a document names.

    Args:
        folder: where.
        name: of the file.
        digest: its SHA-256.
        most: bytes that it may have.

    Returns:
        Its bytes.

    Raises:
        Problem: it is missing, too large, or not what was saved.
    """
    try:
        content = read_file(folder / name, most)
    except OSError as error:
        raise Problem(f"{name} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise Problem(f"{name} is not what was saved: its SHA-256 differs")
    return content


def read_record(
    given: Any, kind: Callable[..., Value], checks: dict[str, Callable[[Any, str], Any]]
) -> Value:
    """Make a record of a dictionary that has exactly its keys.

    Args:
        given: from the document.
        kind: the record's dataclass.
        checks: for each key, what checks its value and returns it.

    Returns:
        The record.

    Raises:
        Problem: keys or values are wrong.
    """
    about = a_mapping(given, "a record")
    if set(about) != set(checks):
        raise Problem(f"a record has the keys {sorted(about)}, not {sorted(checks)}")
    return kind(**{name: check(about[name], repr(name)) for name, check in checks.items()})


def a_mapping(value: Any, name: str) -> dict[str, Any]:
    """The value, which must be a dictionary.

    Args:
        value: from the document.
        name: of it, for messages.

    Returns:
        The value.
    """
    if not isinstance(value, dict):
        raise Problem(f"{name} must be a dictionary")
    return value


def a_text(value: Any, name: str) -> str:
    """The value, which must be a printable text of 1 to 1,000 characters.

    Args:
        value: from the document.
        name: of it, for messages.

    Returns:
        The value.
    """
    if not isinstance(value, str) or not 0 < len(value) <= 1000 or not value.isprintable():
        raise Problem(f"{name} must be a short text")
    return value


def a_number(value: Any, name: str) -> float:
    """The value, which must be a finite number from 0 up.

    Args:
        value: from the document.
        name: of it, for messages.

    Returns:
        The value, below 1e15.
    """
    if type(value) not in (int, float) or not 0 <= value < 1e15 or not math.isfinite(value):
        raise Problem(f"{name} is {str(value)[:40]!r}, but must be a number from 0 up")
    return float(value)


def a_share(value: Any, name: str) -> float:
    """The value, which must be a number from 0 to 1.

    Args:
        value: from the document.
        name: of it, for messages.

    Returns:
        The value.
    """
    if a_number(value, name) > 1:
        raise Problem(f"{name} is {value}, but must lie between 0 and 1")
    return float(value)


def a_whole_number(value: Any, name: str) -> int:
    """The value, which must be a whole number from 0 up.

    Args:
        value: from the document.
        name: of it, for messages.

    Returns:
        The value, below 2**63.
    """
    if type(value) is not int or not 0 <= value < 2**63:
        raise Problem(f"{name} is {str(value)[:40]!r}, but must be a whole number from 0 up")
    return value
