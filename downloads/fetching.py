"""Bringing the files of a known data set into a folder, once, and checking them at each use."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from data_formats.problems import quoted, shown
from downloads.known import KNOWN, DataFile, KnownDataSet
from downloads.locking import only_process
from downloads.problems import Damaged, DownloadError, Failure, RangesRefused, WrongRange
from downloads.transfer import Limits, Progress, Source, Watch, discard, download, read_range
from downloads.unpacking import (
    GZIP,
    PART,
    Expected,
    inflated,
    on_disk,
    pieces_of,
    store,
    without_gzip,
)
from downloads.zip_directory import DEFLATED, Member, find_member

__all__ = ["USUAL_LIMITS", "Limits", "Progress", "fetch"]

USUAL_LIMITS = Limits()


def fetch(
    name: str,
    folder: Path,
    show: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    sources: Mapping[str, KnownDataSet] = KNOWN,
    limits: Limits = USUAL_LIMITS,
    *,
    waiting: Callable[[], None] = lambda: None,
) -> Path:
    """Make sure that a data set lies in a folder, and download what is missing or damaged.

    Files that a user put there by hand count, under their own names or as they are downloaded.

    Args:
        name: One of `sources`.
        folder: The cache folder; made where there is none.
        show: Is told how far a download is, about ten times a second.
        should_stop: Asked often; once it returns True, the download ends.
        sources: The data sets that are known by name.
        limits: How long servers are waited for, and how often they are asked.
        waiting: Is told once if another process is at it, whose end is waited for.

    Returns:
        What a reader opens: a file, or a folder of IDX files.

    Raises:
        DownloadError: There is no such data set, or it cannot be brought; the message says which
            addresses were asked, and where the file can be put by hand.
        Stopped: `should_stop` returned True; what came is kept.
    """
    data_set = sources.get(name)
    if data_set is None:
        raise DownloadError(
            f"no data set is known by the name {quoted(name)}; known are {', '.join(sources)}"
        )
    place = folder / data_set.folder
    watch = Watch(show, should_stop, limits)
    if not all(_is_complete(place / file.name, file) for file in data_set.files):
        with on_disk(place):
            place.mkdir(parents=True, exist_ok=True)
        with only_process(place / ".lock", _telling_once(waiting, watch.wait)):
            for file in data_set.files:
                _complete(_Task(file, data_set.title, place, watch))
    return place / data_set.opened if data_set.opened else place


def _telling_once(
    waiting: Callable[[], None], wait: Callable[[float], None]
) -> Callable[[float], None]:
    """What lets time pass as `wait` does, and says so before the first time."""
    told: list[bool] = []

    def tell_and_wait(seconds: float) -> None:
        if not told:
            told.append(True)
            waiting()
        wait(seconds)

    return tell_and_wait


@dataclass(frozen=True)
class _Task:
    """A file to bring, of the data set called `title`, into the folder `place`."""

    file: DataFile
    title: str
    place: Path
    watch: Watch

    @property
    def target(self) -> Path:
        return self.place / self.file.name

    @property
    def by_hand(self) -> Path:
        """The download as a whole, put here by a user or by an earlier download."""
        return self.place / self.file.download.file_name

    @property
    def expected(self) -> Expected:
        most = self.file.download.most_bytes if self.file.size is None else self.file.size
        return Expected(most, self.file.size, None, self.file.sha256)

    @property
    def secure(self) -> bool:
        """Whether only https can vouch for the content."""
        return self.file.sha256 is None


def _complete(task: _Task) -> None:
    """Bring a file unless it is there and whole."""
    there = task.target
    if _is_complete(there, task.file):
        return
    with on_disk(there):
        damaged = there.exists()
        if _is_put_by_hand(there, task.file):
            _record(there, _sha256(there))
            return
    failures = []
    for name, bring in _ways(task):
        try:
            digest = bring()
            if task.file.sha256 is None:
                _record(there, digest)
            return
        except Failure as failure:
            failures.append(f"{name}: {failure}")
    note = " (what lies there is damaged or another file)" if damaged else ""
    either = " or ".join(dict.fromkeys((task.file.name, task.by_hand.name)))
    raise DownloadError(
        f"{task.file.name} of {task.title} could not be downloaded: {'; '.join(failures)}; try "
        f"again later, or put {either} by hand into the folder {shown(task.place)}{note}"
    )


def _ways(task: _Task) -> Iterator[tuple[str, Callable[[], str]]]:
    """What can be tried, in turn, with its name; each returns the SHA-256 of what it stored."""
    if task.by_hand != task.target and task.by_hand.is_file():
        yield shown(task.by_hand), partial(_unpack, task, task.by_hand)
    for address in task.file.download.addresses:
        source = Source(address, task.secure, task.file.download.most_bytes)
        yield address, partial(_whole if task.file.member is None else _member, task, source)


def _unpack(task: _Task, packed: Path) -> str:
    """Store a file out of its download, which may be an archive."""
    most = task.file.download.most_bytes
    if task.file.member is None:
        return store(without_gzip(pieces_of(packed), most), task.target, task.expected)
    with on_disk(packed):
        size = packed.stat().st_size

    def read(first: int, length: int) -> bytes:
        return b"".join(pieces_of(packed, first, length))

    member = find_member(read, size, task.file.member)
    return _store_member(task, member, packed, member.first)


def _whole(task: _Task, source: Source) -> str:
    """Download all of a file or archive, and store the file out of it."""
    part = task.by_hand.with_name(f"{task.by_hand.name}.download{PART}")

    def use() -> str:
        if task.file.member is None:
            return _unpack(task, part)
        _unwrap(part, source.most_bytes)
        digest = _unpack(task, part)
        with on_disk(part):
            os.replace(part, task.by_hand)  # for the next file out of it
        return digest

    return _download_and(use, source, part, task)


def _download_and(
    use: Callable[[], str], source: Source, part: Path, task: _Task, again: bool = True
) -> str:
    """Download, and use what came; once more where it may have come of two versions of a file."""
    name = part.name.removesuffix(PART).removesuffix(".download").removesuffix(".packed")
    resumed = download(source, part, name, task.watch)
    try:
        digest = use()
    except Damaged:
        discard(part)
        if resumed and again:
            return _download_and(use, source, part, task, again=False)
        raise
    discard(part)
    return digest


def _unwrap(archive: Path, most_bytes: int) -> None:
    """Take away the gzip that a server may have put around an archive."""
    if b"".join(pieces_of(archive, 0, len(GZIP))) == GZIP:
        store(without_gzip(pieces_of(archive), most_bytes), archive, Expected(most_bytes))


def _member(task: _Task, source: Source) -> str:
    """Download a member of an archive alone, or all of it where the server has it no other way."""
    try:
        member = _find_remote_member(task, source)
        part = task.target.with_name(f"{task.target.name}.packed{PART}")
        span = replace(source, first=member.first, last=member.first + member.packed_size - 1)
        return _download_and(lambda: _store_member(task, member, part, 0), span, part, task)
    except (RangesRefused, WrongRange):
        return _whole(task, source)


def _find_remote_member(task: _Task, source: Source) -> Member:
    _, size = read_range(replace(source, last=0), task.watch)

    blocks: list[tuple[int, bytes]] = []  # the directory mostly comes with the archive's end

    def read(first: int, length: int) -> bytes:
        for start, block in blocks:
            if start <= first and first + length <= start + len(block):
                return block[first - start : first - start + length]
        span = replace(source, first=first, last=first + length - 1)
        blocks.append((first, read_range(span, task.watch)[0]))
        return blocks[-1][1]

    return find_member(read, size, task.file.member or "")


def _store_member(task: _Task, member: Member, packed: Path, first: int) -> str:
    expected = task.expected
    if member.size > expected.most_bytes or expected.size not in (None, member.size):
        raise Damaged(f"it is said to have {member.size:,} bytes, not {expected.most_bytes:,}")
    pieces = pieces_of(packed, first, member.packed_size)
    if member.method == DEFLATED:
        pieces = inflated(pieces, member.size)
    return store(pieces, task.target, replace(expected, size=member.size, crc=member.crc))


def _is_complete(path: Path, file: DataFile) -> bool:
    """Whether a file is there and has the digest that is published, or was kept beside it."""
    with on_disk(path):
        if not path.is_file() or file.size not in (None, path.stat().st_size):
            return False
        wanted = file.sha256 or _recorded(path)
        return wanted is not None and _sha256(path) == wanted


def _is_put_by_hand(path: Path, file: DataFile) -> bool:
    """Whether a user may have put a file there, and nobody has published what it must be."""
    unknown = file.sha256 is None and not _digest_file(path).exists()
    return unknown and path.is_file() and file.size in (None, path.stat().st_size)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _digest_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path) -> str | None:
    """SHA-256 that was kept when a file was stored; None where there is none."""
    with contextlib.suppress(FileNotFoundError):
        content = _digest_file(path).read_bytes()[:1000].decode("ascii", errors="replace")
        match = re.match(r"[0-9a-f]{64}\b", content)
        return match[0] if match else ""
    return None


def _record(path: Path, digest: str) -> None:
    """Keep a SHA-256 beside a file, as `sha256sum --check` reads it."""
    with on_disk(path):
        _digest_file(path).write_text(f"{digest}  {path.name}\n", encoding="utf-8")
