"""Bringing a file, or a part of one, from one address: in parts, resumed, tried again."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from downloads.problems import Damaged, Failure, LastingFailure, RangesRefused, Stopped, WrongRange
from downloads.unpacking import PART, check_space, on_disk
from downloads.web import Answer, ask

_BETWEEN_NEWS = 0.1  # seconds
Value = TypeVar("Value")


@dataclass(frozen=True)
class Progress:
    """How far a download is.

    Attributes:
        name: The file that is downloaded.
        done: Bytes that are there.
        total: Bytes in all; None where the server does not say.
        resumed_from: Bytes that were there from an earlier download.
    """

    name: str
    done: int
    total: int | None
    resumed_from: int


@dataclass(frozen=True)
class Limits:
    """How long a server is waited for, and how often it is asked.

    Attributes:
        silence: Seconds without a byte after which a connection counts as broken.
        tries: How often in a row an address is asked before the next one is.
        pause: Seconds before the second try; each further pause is twice as long.
        worth_bytes: A try that brings so many does not count as failed.
    """

    silence: float = 20.0
    tries: int = 4
    pause: float = 1.0
    worth_bytes: int = 1_000_000


@dataclass(frozen=True)
class Watch:
    """Those who watch a download, and its limits.

    Attributes:
        show: Is told how far it is.
        should_stop: Whether the user wants no more.
        limits: When to give up.
    """

    show: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    limits: Limits

    def check(self) -> None:
        """Go on only if the user wants it.

        Raises:
            Stopped: The user does not.
        """
        if self.should_stop():
            raise Stopped("the download was stopped; the next one goes on where this one ended")

    def wait(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: How much.

        Raises:
            Stopped: The user wants no more.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))
        self.check()


@dataclass(frozen=True)
class Source:
    """Bytes at an address.

    Attributes:
        address: Of the file.
        secure: Whether only https may be used.
        most_bytes: More are never taken.
        first: Place of the first byte.
        last: Place of the last byte; None for the end of the file.
    """

    address: str
    secure: bool
    most_bytes: int
    first: int = 0
    last: int | None = None


@dataclass(frozen=True)
class _Origin:
    """Where the bytes of an unfinished file came from, kept beside it."""

    address: str
    first: int
    last: int | None
    total: int | None
    version: str | None


def read_range(source: Source, watch: Watch) -> tuple[bytes, int]:
    """Read a short part of a file.

    Args:
        source: What; `last` is not None.
        watch: Who watches.

    Returns:
        The bytes, and the size of the whole file.

    Raises:
        Failure: The address does not give them.
        Stopped: The user wants no more.
    """

    def read() -> tuple[bytes, int]:
        with _answer(source, watch) as answer:
            if answer.total is None:
                raise RangesRefused("it does not say how large the file is")
            return b"".join(answer.pieces()), answer.total

    content, total = _again(read, lambda: 0, watch)
    if source.last is not None and len(content) != source.last - source.first + 1:
        raise Damaged("the file is shorter than it should be")
    return content, total


def download(source: Source, part: Path, name: str, watch: Watch) -> bool:
    """Bring bytes from an address into a file, going on where an earlier download ended.

    Args:
        source: What.
        part: The file; what it holds from elsewhere is thrown away.
        name: What the file is called before those who watch.
        watch: Who watches.

    Returns:
        Whether some of the bytes came with an earlier connection or download.

    Raises:
        Failure: The address does not give them; what came is kept where it can be of use.
        DownloadError: They cannot be written.
        Stopped: The user wants no more; what came is kept.
    """
    resumed_from = _size(part) if _read_origin(part, source) else 0
    connections = 0

    def bring() -> None:
        nonlocal connections
        connections += 1
        try:
            _bring(source, part, news, watch)
        except WrongRange:
            discard(part)
            raise
        except RangesRefused as failure:
            if not _size(part):
                raise
            discard(part)  # the file may have changed, so that what is there is of no use
            raise WrongRange(str(failure)) from failure

    def news(done: int, total: int | None) -> None:
        watch.show(Progress(name, done, total, min(resumed_from, done)))

    _again(bring, lambda: _size(part), watch)
    return resumed_from > 0 or connections > 1


def discard(part: Path) -> None:
    """Throw an unfinished file away, with what is known of it.

    Args:
        part: The unfinished file; it need not be there.
    """
    with on_disk(part):
        part.unlink(missing_ok=True)
        _origin_file(part).unlink(missing_ok=True)


def _answer(
    source: Source, watch: Watch, done: int = 0, version: str | None = None
) -> contextlib.AbstractContextManager[Answer]:
    watch.check()
    return ask(
        source.address,
        first=source.first + done,
        last=source.last,
        version=version,
        secure=source.secure,
        silence=watch.limits.silence,
    )


def _again(work: Callable[[], Value], size: Callable[[], int], watch: Watch) -> Value:
    """Do work that may fail, and do it again while that may help."""
    failed, most = 0, size()
    while True:
        try:
            return work()
        except LastingFailure:
            raise
        except Failure:
            failed = 1 if size() - most >= watch.limits.worth_bytes else failed + 1
            most = max(most, size())  # so that going in circles has an end
            if failed >= watch.limits.tries:
                raise
        watch.wait(watch.limits.pause * 2 ** (failed - 1))


def _bring(
    source: Source, part: Path, news: Callable[[int, int | None], None], watch: Watch
) -> None:
    """Bring what is missing by one connection."""
    origin = _read_origin(part, source)
    done = _size(part) if origin else 0
    if origin and origin.total == done:
        return
    with _answer(source, watch, done, origin.version if origin else None) as answer:
        if answer.first == source.first:
            done = 0
        total = _total(source, answer)
        if done and origin and _changed(origin, total, answer):
            raise WrongRange("the file there has changed meanwhile")
        if total is not None and total > source.most_bytes:
            raise LastingFailure(
                f"the file has {total:,} bytes, and {source.most_bytes:,} are expected at most"
            )
        check_space(part.parent, (total or 0) - done)
        if not done:
            discard(part)
            _write_origin(
                part, _Origin(source.address, source.first, source.last, total, answer.version)
            )
        done = _append(part, done, answer, source.most_bytes, lambda n: news(n, total), watch)
    if total is not None and done < total:
        raise Failure(f"the connection broke off {total - done:,} bytes before the end")


def _total(source: Source, answer: Answer) -> int | None:
    """How many bytes are to come in all."""
    if source.last is not None:
        return source.last - source.first + 1
    return None if answer.total is None else answer.total - source.first


def _changed(origin: _Origin, total: int | None, answer: Answer) -> bool:
    """Whether what follows is of another version than what is there, as far as can be told."""
    pairs = ((origin.total, total), (origin.version, answer.version))
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def _append(
    part: Path,
    done: int,
    answer: Answer,
    most_bytes: int,
    news: Callable[[int], None],
    watch: Watch,
) -> int:
    """Write what comes to the end of a file; returns how many bytes it has then."""
    news(done)
    told = time.monotonic()
    with on_disk(part), part.open("ab") as file:
        for piece in answer.pieces():
            done += len(piece)
            if done > most_bytes:
                file.close()
                discard(part)
                raise LastingFailure(f"the file has more than {most_bytes:,} bytes")
            file.write(piece)
            if time.monotonic() - told >= _BETWEEN_NEWS:
                news(done)
                told = time.monotonic()
            watch.check()
    news(done)
    return done


def _size(part: Path) -> int:
    with on_disk(part):
        return part.stat().st_size if part.exists() else 0


def _origin_file(part: Path) -> Path:
    return part.with_name(f"{part.name.removesuffix(PART)}.origin{PART}")


def _write_origin(part: Path, origin: _Origin) -> None:
    with on_disk(part):
        _origin_file(part).write_text(json.dumps(asdict(origin)), encoding="utf-8")


def _read_origin(part: Path, source: Source) -> _Origin | None:
    """Where an unfinished file came from, if that is what is wanted now."""
    with on_disk(part):
        if not part.is_file() or not _origin_file(part).is_file():
            return None
        content = _origin_file(part).read_bytes()
    try:
        said: Any = json.loads(content)
        origin = _Origin(**said)
    except (ValueError, TypeError, RecursionError):  # damaged, so of no use
        return None
    types = (str, int, int | None, int | None, str | None)
    if not all(map(isinstance, asdict(origin).values(), types)):
        return None
    same = (origin.address, origin.first, origin.last)
    return origin if same == (source.address, source.first, source.last) else None
