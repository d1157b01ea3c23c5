"""Tests of data sets that are downloaded by name, against a server that does all it should not."""

import contextlib
import gzip
import hashlib
import io
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from downloads.fetching import Limits, Progress, fetch
from downloads.known import KNOWN, DataFile, Download, KnownDataSet, cache_folder, is_known
from downloads.problems import DownloadError, Stopped
from downloads.zip_directory import find_member
from errors import UserError
from process_lock import holding

ROOT = Path(__file__).resolve().parent.parent
CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
PACKED = gzip.compress(CONTENT, mtime=0)
HALF = len(PACKED) // 2
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
LIMITS = Limits(silence=0.4, tries=3, pause=0.01, worth_bytes=10**9)


class Server(ThreadingHTTPServer):
    """Serves `files`, by parts if asked, but plays the `tricks` of a path first, one a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.tricks: dict[str, list[Trick]] = {}
        self.ranges = True
        self.tag: str | None = '"one"'
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.sent = 0
        self.scheme = "http"

    def address(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are meant to."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, self.headers["Range"], self.headers["If-Range"]))
        tricks = server.tricks.get(self.path, [])
        if tricks:
            (tricks.pop(0) if len(tricks) > 1 or tricks[0] in ONCE else tricks[0])(self)
        elif self.path not in server.files:
            self.send_error(404)
        else:
            self.serve(server.files[self.path])

    def serve(self, content: bytes, only: int | None = None, **headers: str) -> None:
        """Answer with content, or the part that was asked for, but break off after `only`."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        tag = self.server.tag
        if asked and self.server.ranges and self.headers["If-Range"] in (None, tag):
            first = int(asked[1])
            last = min(int(asked[2] or len(content) - 1), len(content) - 1)
            if first >= len(content):
                return self.send_error(416)
            whole, content = len(content), content[first : last + 1]
            given = {"Content-Range": f"bytes {first}-{last}/{whole}"}
            self.answer(206, content, only, given | headers)
        else:
            self.answer(200, content, only, headers)

    def answer(
        self, status: int, content: bytes, only: int | None, headers: dict[str, str]
    ) -> None:
        self.send_response(status)
        usual = {"Content-Length": str(len(content))} | (
            {"ETag": self.server.tag} if self.server.tag else {}
        )
        for name, value in (usual | headers).items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.write(content[:only])

    def write(self, content: bytes) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(content)
            self.server.sent += len(content)


Trick = Callable[[Handler], None]
ONCE: set[Trick] = set()


def once(trick: Trick) -> Trick:
    """A trick that is played once, even as the last."""
    ONCE.add(trick)
    return trick


def breaking(content: bytes, after: int) -> Trick:
    return once(lambda handler: handler.serve(content, only=after))


def status(code: int, **headers: str) -> Trick:
    return lambda handler: handler.answer(code, b"", 0, {"Content-Length": "0"} | headers)


def sending(content: bytes, **headers: str) -> Trick:
    return lambda handler: handler.answer(200, content, None, headers)


def endless(start: bytes) -> Trick:
    def send(handler: Handler) -> None:
        handler.answer(200, start, None, {"Content-Length": ""})
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(bytes(100_000))
                handler.server.sent += 100_000

    return send


def stalling(content: bytes, after: int) -> Trick:
    def send(handler: Handler) -> None:
        handler.serve(content, only=after)
        time.sleep(1)

    return once(send)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def packed_set(*addresses: str, most: int = 400_000) -> dict[str, KnownDataSet]:
    """A data set of one file that is packed by gzip."""
    download = Download("letters.gz", addresses, most)
    file = DataFile("letters", len(CONTENT), sha256(CONTENT), download)
    return {"small": KnownDataSet("Small", "small", (file,))}


def bring(folder: Path, sources: dict[str, KnownDataSet], limits: Limits = LIMITS) -> Path:
    return fetch("small", folder, lambda news: None, lambda: False, sources, limits)


def refusal(folder: Path, sources: dict[str, KnownDataSet]) -> str:
    """The one line with which a download is given up; nothing that looks complete is left."""
    with pytest.raises(DownloadError) as caught:
        bring(folder, sources)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def stored(folder: Path) -> bytes:
    """Content of the file of `packed_set`, and nothing else is left."""
    assert names(folder / "small") == {"letters"}
    return (folder / "small" / "letters").read_bytes()


# One file, packed by gzip


def test_a_file_is_downloaded_unpacked_and_kept(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    sources = packed_set(server.address("/a.gz"))
    assert bring(tmp_path, sources) == tmp_path / "small"
    assert stored(tmp_path) == CONTENT
    bring(tmp_path, sources)
    assert len(server.asked) == 1


def test_who_watches_is_told_how_far_it_is(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    news: list[Progress] = []
    sources = packed_set(server.address("/a.gz"))
    fetch("small", tmp_path, news.append, lambda: False, sources, LIMITS)
    assert news[0] == Progress("letters.gz", 0, len(PACKED), 0)
    assert news[-1] == Progress("letters.gz", len(PACKED), len(PACKED), 0)


def test_a_broken_connection_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [breaking(PACKED, HALF)]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT
    assert server.asked[1] == ("/a.gz", f"bytes={HALF}-", '"one"')
    assert server.sent == len(PACKED)


def test_a_later_download_goes_on_where_an_earlier_one_ended(
    server: Server, tmp_path: Path
) -> None:
    server.tricks["/a.gz"] = [breaking(PACKED, HALF), status(503)]
    sources = packed_set(server.address("/a.gz"))
    assert "503" in refusal(tmp_path, sources)
    server.tricks.clear()
    server.files["/a.gz"] = PACKED
    news: list[Progress] = []
    fetch("small", tmp_path, news.append, lambda: False, sources, LIMITS)
    assert news[0] == Progress("letters.gz", HALF, len(PACKED), HALF)
    assert stored(tmp_path) == CONTENT


def test_a_connection_that_breaks_again_and_again_gets_there(
    server: Server, tmp_path: Path
) -> None:
    server.tricks["/a.gz"] = [lambda handler: handler.serve(PACKED, only=30_000)]
    limits = Limits(silence=0.4, tries=2, pause=0.001, worth_bytes=20_000)
    bring(tmp_path, packed_set(server.address("/a.gz")), limits)
    assert stored(tmp_path) == CONTENT
    assert len(server.asked) == -(-len(PACKED) // 30_000)


def test_a_server_without_parts_is_asked_anew(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [breaking(PACKED, HALF)]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT


@pytest.mark.parametrize(
    "headers, version",
    [
        ({"ETag": 'W/"one"', "Last-Modified": DATE}, DATE),  # a weak tag is not of these very bytes
        ({"ETag": "", "Last-Modified": DATE}, DATE),
        ({"ETag": 'W/"one"'}, None),
        ({"ETag": '"one"', "Last-Modified": DATE}, '"one"'),
    ],
)
def test_the_rest_is_asked_for_of_the_same_version(
    server: Server, tmp_path: Path, headers: dict[str, str], version: str | None
) -> None:
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [once(lambda handler: handler.serve(PACKED, HALF, **headers))]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT
    assert server.asked[1] == ("/a.gz", f"bytes={HALF}-", version)


def test_a_server_that_breaks_off_and_always_changes_is_given_up(
    server: Server, tmp_path: Path
) -> None:
    def change(handler: Handler) -> None:
        server.tag = f'"{len(server.asked)}"'
        first = int((handler.headers["Range"] or "bytes=0-")[6:].rstrip("-"))
        said = {"Content-Range": f"bytes {first}-{len(PACKED) - 1}/{len(PACKED)}"} if first else {}
        handler.answer(206 if first else 200, PACKED[first:], 50_000, said)

    server.tricks["/a.gz"] = [change]
    limits = Limits(silence=0.4, tries=3, pause=0.001, worth_bytes=20_000)
    with pytest.raises(DownloadError, match=r"broke off|changed"):
        bring(tmp_path, packed_set(server.address("/a.gz")), limits)
    assert len(server.asked) < 10


@pytest.mark.parametrize("tag", ['"two"', None], ids=["another tag", "no tag"])
def test_a_file_that_changes_meanwhile_is_downloaded_anew(
    server: Server, tmp_path: Path, tag: str | None
) -> None:
    def change(handler: Handler) -> None:
        handler.serve(gzip.compress(OTHER, mtime=0), only=HALF)
        server.tag = tag

    server.tag = '"one"' if tag else None
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [once(change)]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT


def test_a_server_that_joins_two_versions_is_noticed(server: Server, tmp_path: Path) -> None:
    def join(handler: Handler) -> None:
        first = int((handler.headers["Range"] or "bytes=0-")[6:].rstrip("-"))
        said = f"bytes {first}-{len(PACKED) - 1}/{len(PACKED)}"
        handler.answer(206, PACKED[first:], None, {"Content-Range": said, "ETag": '"two"'})

    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [breaking(bytes(len(PACKED)), HALF), once(join)]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT
    assert server.asked[-1][1] is None


def test_what_is_left_of_another_address_is_not_gone_on_with(
    server: Server, tmp_path: Path
) -> None:
    server.files["/b.gz"] = PACKED
    server.tricks["/a.gz"] = [breaking(bytes(len(PACKED)), HALF), status(503)]
    bring(tmp_path, packed_set(server.address("/a.gz"), server.address("/b.gz")))
    assert stored(tmp_path) == CONTENT
    assert [asked for asked in server.asked if asked[0] == "/b.gz"] == [("/b.gz", None, None)]


WRONG = {
    "other bytes": sending(gzip.compress(OTHER)),
    "a page": sending(b"<html>Please log in</html>", Content_Type="text/html"),
    "nothing": sending(b""),
    "too few bytes": sending(gzip.compress(CONTENT[:-1])),
    "too many bytes": sending(gzip.compress(CONTENT + b"x")),
    "cut off": sending(PACKED[:-20]),
    "bytes behind": sending(PACKED + b"x"),
    "too few bytes without a length": sending(PACKED[:HALF], Content_Length=""),
    "unpacked too much": sending(gzip.compress(bytes(50_000_000))),
    "endless": endless(PACKED),
    "endless and plain": endless(CONTENT),
    "a length beyond all": sending(b"x", Content_Length="99999999999"),
    "a length that is none": sending(PACKED[:HALF], Content_Length="many"),
    "a length below zero": sending(PACKED[:HALF], Content_Length="-5"),
    "packed as nobody asked": sending(PACKED, Content_Encoding="br"),
    "no such file": status(404),
    "not allowed": status(403),
    "nothing to say": status(204),
    "a part that nobody asked for": status(206, Content_Range="bytes 0-9/10"),
    "in a circle": status(302, Location="/a.gz"),
    "to a file": status(302, Location="file:///etc/hostname"),
    "to nowhere": status(302, Location="http://[oh"),
    "no redirect": status(302),
    "no answer": lambda handler: handler.write(b"\r\n\r\n"),
    "no web server": lambda handler: handler.write(b"220 ready\r\n"),
    "headers without end": lambda handler: handler.write(
        b"HTTP/1.0 200 OK\r\n" + b"A: b\r\n" * 999
    ),
}


@pytest.mark.parametrize("trick", WRONG.values(), ids=WRONG)
def test_the_next_address_is_asked_where_one_sends_something_else(
    server: Server, tmp_path: Path, trick: Trick
) -> None:
    server.tricks["/a.gz"] = [trick]
    server.files["/b.gz"] = PACKED
    bring(tmp_path, packed_set(server.address("/a.gz"), server.address("/b.gz")))
    assert stored(tmp_path) == CONTENT
    assert server.sent < 20_000_000


@pytest.mark.parametrize("trick", WRONG.values(), ids=WRONG)
def test_something_else_is_never_stored(server: Server, tmp_path: Path, trick: Trick) -> None:
    server.tricks["/a.gz"] = [trick]
    said = refusal(tmp_path, packed_set(server.address("/a.gz")))
    assert server.address("/a.gz") in said
    assert str(tmp_path / "small") in said and "letters.gz" in said
    assert "letters" not in names(tmp_path / "small")


def test_an_address_that_lacks_the_file_is_asked_once(server: Server, tmp_path: Path) -> None:
    assert "404" in refusal(tmp_path, packed_set(server.address("/a.gz")))
    assert len(server.asked) == 1


def test_a_file_that_is_said_to_be_too_large_is_not_taken(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    said = refusal(tmp_path, packed_set(server.address("/a.gz"), most=len(PACKED) - 1))
    assert f"{len(PACKED) - 1:,} are expected at most" in said
    assert len(server.asked) == 1 and server.sent <= len(PACKED)


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [once(status(503)), once(status(429))]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT


def test_a_connection_that_says_nothing_more_is_given_up(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [stalling(PACKED, HALF)]
    begun = time.monotonic()
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert time.monotonic() - begun < 5
    assert stored(tmp_path) == CONTENT
    assert server.asked[1][1] == f"bytes={HALF}-"


@pytest.mark.parametrize(
    "said",
    ["", "bytes", "bytes 0-9/10", "bytes 7-{last}/{size}", "bytes {half}-99999999/{size}",
     "bytes {last}-{half}/{size}", "items {half}-{last}/{size}", "bytes {half}-{last}/{half}",
     "bytes */{size}"],
)  # fmt: skip
def test_a_part_that_was_not_asked_for_is_not_used(
    server: Server, tmp_path: Path, said: str
) -> None:
    said = said.format(half=HALF, last=len(PACKED) - 1, size=len(PACKED))
    headers = {"Content-Range": said, "Content-Length": ""}
    wrong = once(lambda handler: handler.answer(206, PACKED[HALF:], None, headers))
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [breaking(PACKED, HALF), wrong]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT
    assert server.asked[-1][1] is None


@pytest.mark.parametrize(
    "content", [PACKED, gzip.compress(PACKED), CONTENT], ids=["as it is", "once more", "unpacked"]
)
def test_a_server_may_pack_or_unpack_on_its_own_account(
    server: Server, tmp_path: Path, content: bytes
) -> None:
    server.tricks["/a.gz"] = [sending(content, Content_Encoding="gzip")]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    server.files["/b.gz"] = PACKED
    server.tricks["/a.gz"] = [status(301, Location="/b.gz")]
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT


# What lies in the folder


@pytest.mark.parametrize("there", [CONTENT[:-1], OTHER, b""], ids=["cut off", "other", "empty"])
def test_a_damaged_file_is_downloaded_again(server: Server, tmp_path: Path, there: bytes) -> None:
    server.files["/a.gz"] = PACKED
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "letters").write_bytes(there)
    bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == CONTENT


def test_a_damaged_file_stays_until_there_is_a_better_one(server: Server, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "letters").write_bytes(OTHER)
    with pytest.raises(DownloadError, match="what lies there is damaged or another file"):
        bring(tmp_path, packed_set(server.address("/a.gz")))
    assert stored(tmp_path) == OTHER


@pytest.mark.parametrize("name, content", [("letters", CONTENT), ("letters.gz", PACKED)])
def test_a_file_that_was_put_there_by_hand_needs_no_network(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / name).write_bytes(content)
    bring(tmp_path, packed_set())
    assert (tmp_path / "small" / "letters").read_bytes() == CONTENT


def test_a_wrong_file_that_was_put_there_by_hand_is_named(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "letters.gz").write_bytes(gzip.compress(OTHER))
    said = refusal(tmp_path, packed_set())
    assert str(tmp_path / "small" / "letters.gz") in said and sha256(CONTENT) in said


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"address": 1}', b"\xff", b"[" * 99_999])
def test_a_damaged_note_of_an_unfinished_file_only_costs_time(
    server: Server, tmp_path: Path, left: bytes
) -> None:
    server.tricks["/a.gz"] = [breaking(PACKED, HALF), status(503)]
    sources = packed_set(server.address("/a.gz"))
    refusal(tmp_path, sources)
    (note,) = (tmp_path / "small").glob("*.origin.part")
    note.write_bytes(left)
    server.tricks.clear()
    server.files["/a.gz"] = PACKED
    bring(tmp_path, sources)
    assert stored(tmp_path) == CONTENT


@pytest.mark.parametrize("left", [PACKED[: HALF + 9], bytes(HALF), PACKED + b"more"])
def test_an_unfinished_file_that_was_changed_is_noticed(
    server: Server, tmp_path: Path, left: bytes
) -> None:
    server.tricks["/a.gz"] = [breaking(PACKED, HALF), status(503)]
    sources = packed_set(server.address("/a.gz"))
    refusal(tmp_path, sources)
    (tmp_path / "small" / "letters.gz.download.part").write_bytes(left)
    server.tricks.clear()
    server.files["/a.gz"] = PACKED
    bring(tmp_path, sources)
    assert stored(tmp_path) == CONTENT


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    said = refusal(tmp_path / "file", packed_set())
    assert str(tmp_path / "file" / "small") in said and "HANDWRITING_CACHE" in said


def test_too_little_room_is_said_before_anything_is_sent(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    server.files["/a.gz"] = PACKED
    said = refusal(tmp_path, packed_set(server.address("/a.gz")))
    assert "room" in said and str(tmp_path / "small") in said


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """Files of more than 200,000 bytes cannot be written."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.mark.usefixtures("small_files_only")
def test_a_disk_that_takes_no_more_is_named(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    said = refusal(tmp_path, packed_set(server.address("/a.gz")))
    assert "File too large" in said and str(tmp_path / "small") in said


def test_no_network_is_said_with_the_address(tmp_path: Path) -> None:
    with running(Server()) as gone:
        address = gone.address("/a.gz")
    said = refusal(tmp_path, packed_set(address))
    assert f"{address}: there is no connection: Connection refused" in said


def test_an_unknown_name_is_answered_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="'emnist'; known are small"):
        fetch("emnist", tmp_path, lambda news: None, lambda: False, packed_set())


# Stopping, and other processes


def test_a_download_that_is_stopped_can_be_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    server.tricks["/a.gz"] = [breaking(PACKED, HALF)]
    sources = packed_set(server.address("/a.gz"))
    news: list[Progress] = []
    with pytest.raises(Stopped):
        fetch(
            "small",
            tmp_path,
            news.append,
            lambda: any(one.done for one in news),
            sources,
            LIMITS,
        )
    news.clear()
    fetch("small", tmp_path, news.append, lambda: False, sources, LIMITS)
    assert 0 < news[0].resumed_from < len(PACKED)
    assert stored(tmp_path) == CONTENT


def test_that_another_process_is_waited_for_is_said_once(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = PACKED
    told: list[str] = []
    bring(tmp_path, packed_set(server.address("/a.gz")))
    (place,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (place / "letters").unlink()
    with holding(place / ".lock", lambda seconds: None), pytest.raises(Stopped):
        begun = time.monotonic()
        fetch(
            "small",
            tmp_path,
            lambda news: None,
            lambda: time.monotonic() - begun > 0.5,
            packed_set(server.address("/a.gz")),
            waiting=lambda: told.append("waiting"),
        )
    assert told == ["waiting"]


def test_waiting_for_a_busy_server_can_be_stopped(server: Server, tmp_path: Path) -> None:
    server.tricks["/a.gz"] = [status(503)]
    begun = time.monotonic()
    with pytest.raises(Stopped):
        fetch(
            "small",
            tmp_path,
            lambda news: None,
            lambda: time.monotonic() - begun > 0.3,
            packed_set(server.address("/a.gz")),
            Limits(pause=60),
        )
    assert time.monotonic() - begun < 5


FETCH = """
import sys
from pathlib import Path
from downloads.fetching import Limits, fetch
from downloads.known import DataFile, Download, KnownDataSet
folder, address, size, sha256 = sys.argv[1:]
file = DataFile("letters", int(size), sha256, Download("letters.gz", (address,), 400_000))
sources = {"small": KnownDataSet("Small", "small", (file,))}
fetch("small", Path(folder), lambda news: None, lambda: False, sources, Limits())
"""


def process(folder: Path, address: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", FETCH, str(folder), address, str(len(CONTENT))]
    return subprocess.Popen([*command, sha256(CONTENT)], cwd=ROOT)


def slowly(handler: Handler) -> None:
    handler.answer(200, PACKED, HALF, {})
    time.sleep(0.7)
    handler.write(PACKED[HALF:])


def test_of_two_processes_one_downloads_and_the_other_waits(server: Server, tmp_path: Path) -> None:
    server.tricks["/a.gz"] = [slowly]
    both = [process(tmp_path, server.address("/a.gz")) for _ in range(2)]
    assert [one.wait(30) for one in both] == [0, 0]
    assert stored(tmp_path) == CONTENT
    assert len(server.asked) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_process_that_is_killed_leaves_nothing_in_the_way(server: Server, tmp_path: Path) -> None:
    server.tricks["/a.gz"] = [once(slowly)]
    killed = process(tmp_path, server.address("/a.gz"))
    while server.sent < HALF:
        time.sleep(0.01)
    time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    server.files["/a.gz"] = PACKED
    news: list[Progress] = []
    sources = packed_set(server.address("/a.gz"))
    fetch("small", tmp_path, news.append, lambda: False, sources, LIMITS)
    assert stored(tmp_path) == CONTENT


def test_waiting_for_another_process_can_be_stopped(server: Server, tmp_path: Path) -> None:
    server.tricks["/a.gz"] = [slowly]
    other = process(tmp_path, server.address("/a.gz"))
    while not server.asked:
        time.sleep(0.01)
    with pytest.raises(Stopped):
        fetch("small", tmp_path, lambda news: None, lambda: True, packed_set(), LIMITS)
    assert other.wait(30) == 0


# A member of a ZIP archive


def archive(
    content: bytes = CONTENT,
    method: int = zipfile.ZIP_DEFLATED,
    *,
    other: bytes = OTHER,
    zip64: bool = False,
) -> bytes:
    """An archive; with `zip64` every size and place in it is written as ZIP64 does."""
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        if zip64:
            patch.setattr(zipfile, "ZIP64_LIMIT", 3)
        with zipfile.ZipFile(buffer, "w", method) as file:
            file.writestr("matlab/figures.mat", other)
            file.writestr("matlab/letters.mat", content)
            file.writestr("matlab/digits.mat", other)
            file.comment = b"PK\5\6 is how the last record begins"
    return buffer.getvalue()


ARCHIVE = archive()


def archive_set(
    *addresses: str, member: str = "letters", pinned: bool = True, content: bytes = CONTENT
) -> dict[str, KnownDataSet]:
    """A data set of one file in an archive; without `pinned` nobody has published what it is."""
    download = Download("all.zip", addresses, 5_000_000)
    name = f"{member}.mat"
    size, digest = (len(content), sha256(content)) if pinned else (None, None)
    file = DataFile(name, size, digest, download, f"matlab/{name}")
    return {"small": KnownDataSet("Small", "small", (file,), name)}


def test_of_an_archive_only_the_member_is_downloaded(server: Server, tmp_path: Path) -> None:
    server.files["/all.zip"] = ARCHIVE
    path = bring(tmp_path, archive_set(server.address("/all.zip")))
    assert path == tmp_path / "small" / "letters.mat"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == {"letters.mat"}
    assert server.sent < len(CONTENT) + 80_000 < len(ARCHIVE)
    assert len(server.asked) == 4  # its size, its end, the member's header, the member


def test_a_member_that_is_not_packed_is_found(server: Server, tmp_path: Path) -> None:
    server.files["/all.zip"] = archive(method=zipfile.ZIP_STORED)
    path = bring(tmp_path, archive_set(server.address("/all.zip")))
    assert path.read_bytes() == CONTENT


def test_a_member_of_a_zip64_archive_is_found(server: Server, tmp_path: Path) -> None:
    server.files["/all.zip"] = archive(zip64=True)
    assert b"PK\6\6" in server.files["/all.zip"]
    path = bring(tmp_path, archive_set(server.address("/all.zip")))
    assert path.read_bytes() == CONTENT
    assert server.sent < len(CONTENT) + 80_000


def test_a_connection_that_breaks_within_a_member_goes_on(server: Server, tmp_path: Path) -> None:
    def break_off(handler: Handler) -> None:
        first, last = map(int, str(handler.headers["Range"])[6:].split("-"))
        handler.serve(ARCHIVE, only=50_000 if last - first > 100_000 else None)

    server.tricks["/all.zip"] = [break_off]
    limits = Limits(silence=0.4, tries=2, pause=0.001, worth_bytes=20_000)
    path = bring(tmp_path, archive_set(server.address("/all.zip")), limits)
    assert path.read_bytes() == CONTENT
    assert server.sent < len(CONTENT) + 80_000


def test_an_archive_that_is_changed_meanwhile_is_read_anew(server: Server, tmp_path: Path) -> None:
    def change(handler: Handler) -> None:
        first, last = map(int, str(handler.headers["Range"])[6:].split("-"))
        if last - first > 100_000 and server.tag == '"one"':
            handler.serve(bytes(len(ARCHIVE)), only=50_000)
            server.tag = '"two"'
        else:
            handler.serve(ARCHIVE)

    server.tricks["/all.zip"] = [change]
    path = bring(tmp_path, archive_set(server.address("/all.zip")))
    assert path.read_bytes() == CONTENT
    assert not [asked for asked in server.asked if asked[1] is None]


def test_without_parts_the_archive_is_downloaded_once_for_all_members(
    server: Server, tmp_path: Path
) -> None:
    server.ranges = False
    server.files["/all.zip"] = ARCHIVE
    address = server.address("/all.zip")
    assert bring(tmp_path, archive_set(address)).read_bytes() == CONTENT
    asked = len(server.asked)
    digits = archive_set(address, member="digits", content=OTHER)
    assert bring(tmp_path, digits).read_bytes() == OTHER
    assert len(server.asked) == asked
    assert names(tmp_path / "small") == {"all.zip", "letters.mat", "digits.mat"}


def test_a_whole_archive_goes_on_where_an_earlier_download_ended(
    server: Server, tmp_path: Path
) -> None:
    def no_short_parts(handler: Handler) -> None:
        if str(handler.headers["Range"]).endswith("-"):
            handler.serve(ARCHIVE)
        else:
            handler.answer(200, ARCHIVE, 400_000, {})

    server.tricks["/all.zip"] = [no_short_parts]
    sources = archive_set(server.address("/all.zip"))
    limits = Limits(silence=0.4, tries=1, pause=0.01)
    with pytest.raises(DownloadError, match="broke off"):
        bring(tmp_path, sources, limits)
    news: list[Progress] = []
    path = fetch("small", tmp_path, news.append, lambda: False, sources, limits)
    assert path.read_bytes() == CONTENT
    assert news[0] == Progress("all.zip", 400_000, len(ARCHIVE), 400_000)


def test_an_archive_that_the_server_packed_is_read_whole(server: Server, tmp_path: Path) -> None:
    packed = gzip.compress(ARCHIVE)
    server.tricks["/all.zip"] = [lambda handler: handler.serve(packed, Content_Encoding="gzip")]
    path = bring(tmp_path, archive_set(server.address("/all.zip")))
    assert path.read_bytes() == CONTENT
    assert (tmp_path / "small" / "all.zip").read_bytes() == ARCHIVE


@pytest.mark.parametrize("name", ["all.zip", "letters.mat"])
@pytest.mark.parametrize("pinned", [True, False])
def test_an_archive_or_member_put_there_by_hand_needs_no_network(
    tmp_path: Path, name: str, pinned: bool
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / name).write_bytes(ARCHIVE if name == "all.zip" else CONTENT)
    path = bring(tmp_path, archive_set(pinned=pinned))
    assert path.read_bytes() == CONTENT


WRONG_ARCHIVES = {
    "a page": b"<html>" + bytes(1000),
    "nothing": b"",
    "no such member": ARCHIVE.replace(b"letters", b"Letters"),
    "two such members": ARCHIVE.replace(b"figures", b"letters"),
    "another content": archive(OTHER),
    "too long a content": archive(CONTENT + b"x"),
    "damaged content": ARCHIVE[:400_000] + b"?" + ARCHIVE[400_001:],
    "cut off": ARCHIVE[:-50],
    "no beginning": ARCHIVE[1000:],
    "bytes behind": ARCHIVE + b"?",
    "an unknown method": archive(CONTENT, zipfile.ZIP_BZIP2),
}


@pytest.mark.parametrize("ranges", [True, False], ids=["parts", "whole"])
@pytest.mark.parametrize("content", WRONG_ARCHIVES.values(), ids=WRONG_ARCHIVES)
def test_a_wrong_archive_is_refused_and_the_next_address_asked(
    server: Server, tmp_path: Path, content: bytes, ranges: bool
) -> None:
    server.ranges = ranges
    server.files |= {"/all.zip": content, "/good.zip": ARCHIVE}
    assert "all.zip" in refusal(tmp_path, archive_set(server.address("/all.zip")))
    assert names(tmp_path / "small") == set()
    path = bring(tmp_path, archive_set(server.address("/all.zip"), server.address("/good.zip")))
    assert path.read_bytes() == CONTENT


# Without a published digest, over https


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    what = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(path), "-out", "-"]
    command = ["openssl", "req", "-x509", *made, *what]
    done = subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + done.stdout)
    return path


@pytest.fixture
def https(certificate: Path) -> Iterator[Server]:
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    server.files["/all.zip"] = ARCHIVE
    with running(server):
        yield server


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.parametrize("pinned", [True, False])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    https: Server, tmp_path: Path, pinned: bool
) -> None:
    said = refusal(tmp_path, archive_set(https.address("/all.zip"), pinned=pinned))
    assert "its certificate is not valid: self-signed certificate" in said


@pytest.mark.usefixtures("trusted")
def test_a_digest_is_kept_where_none_is_published(https: Server, tmp_path: Path) -> None:
    path = bring(tmp_path, archive_set(https.address("/all.zip"), pinned=False))
    assert path.read_bytes() == CONTENT
    kept = (tmp_path / "small" / "letters.mat.sha256").read_text()
    assert kept == f"{sha256(CONTENT)}  letters.mat\n"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("there", [CONTENT[:-1], OTHER, b""], ids=["cut off", "other", "empty"])
def test_a_file_without_published_digest_is_checked_by_the_kept_one(
    https: Server, tmp_path: Path, there: bytes
) -> None:
    sources = archive_set(https.address("/all.zip"), pinned=False)
    path = bring(tmp_path, sources)
    path.write_bytes(there)
    refusal(tmp_path, archive_set(pinned=False))
    refusal(tmp_path, archive_set(pinned=False))
    assert bring(tmp_path, sources).read_bytes() == CONTENT
    asked = len(https.asked)
    bring(tmp_path, sources)
    assert len(https.asked) == asked


def test_http_is_not_used_where_no_digest_is_published(server: Server, tmp_path: Path) -> None:
    server.files["/all.zip"] = ARCHIVE
    assert "not secure" in refusal(tmp_path, archive_set(server.address("/all.zip"), pinned=False))
    assert not server.asked


@pytest.mark.usefixtures("trusted")
def test_a_redirect_away_from_https_is_followed_only_where_a_digest_is_published(
    https: Server, server: Server, tmp_path: Path
) -> None:
    server.files["/all.zip"] = ARCHIVE
    https.tricks["/all.zip"] = [status(302, Location=server.address("/all.zip"))]
    address = https.address("/all.zip")
    assert "not secure" in refusal(tmp_path, archive_set(address, pinned=False))
    assert not server.asked
    assert bring(tmp_path, archive_set(address)).read_bytes() == CONTENT


# Damaged archives of all kinds

WORD = b"content" * 9
SMALL = {zip64: archive(WORD, other=b"other", zip64=zip64) for zip64 in (False, True)}
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6
)


def mutated(content: bytes, mutations: list[tuple[int, bytes]]) -> bytes:
    for place, change in mutations:
        place %= len(content)
        content = content[:place] + change[: len(content) - place] + content[place + len(change) :]
    return content


def found(content: bytes) -> None:
    """Look for the member; every read must lie inside, and there must be few."""
    reads = 0

    def read(first: int, length: int) -> bytes:
        nonlocal reads
        reads += 1
        assert first >= 0 and length > 0 and first + length <= len(content) and reads < 10
        return content[first : first + length]

    try:
        member = find_member(read, len(content), "matlab/letters.mat")
    except UserError:
        return
    assert member.packed_size > 0 and member.first + member.packed_size <= len(content)


@settings(max_examples=150, deadline=None)
@given(zip64=st.booleans(), mutations=MUTATIONS, cut=st.integers(0, 60))
def test_a_damaged_archive_is_refused_or_read(
    zip64: bool, mutations: list[tuple[int, bytes]], cut: int
) -> None:
    content = mutated(SMALL[zip64], mutations)
    found(content)
    found(content[: len(content) - cut])
    found(content[cut:])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2", b"\0" * 18]) | st.binary()
    )
)
def test_what_only_looks_like_an_archive_is_refused_or_read(parts: list[bytes]) -> None:
    found(b"".join(parts))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(zip64=st.booleans(), mutations=MUTATIONS)
def test_a_damaged_archive_never_becomes_a_wrong_file(
    tmp_path: Path, zip64: bool, mutations: list[tuple[int, bytes]]
) -> None:
    content = mutated(SMALL[zip64], mutations)
    shutil.rmtree(tmp_path / "small", ignore_errors=True)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "all.zip").write_bytes(content)
    with contextlib.suppress(UserError):
        path = bring(tmp_path, archive_set(content=WORD))
        assert path.read_bytes() == WORD


# The data sets that are known


def test_the_names_are_known() -> None:
    subsets = ("balanced", "letters", "byclass", "bymerge", "digits", "mnist")
    assert set(KNOWN) == {f"emnist-{subset}" for subset in subsets} | {"mnist", "fashion-mnist"}
    assert is_known("emnist-balanced") and not is_known("EMNIST") and not is_known("")


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_file_is_checked_by_its_digest(name: str) -> None:
    for file in KNOWN[name].files:
        assert file.size and re.fullmatch("[0-9a-f]{64}", file.sha256 or "")
        assert file.size <= file.download.most_bytes
        assert all(address.startswith("http") for address in file.download.addresses)
        assert KNOWN[name].opened in (None, file.name)


def test_only_fashion_mnist_has_an_address_without_https() -> None:
    plain = {
        name
        for name, data_set in KNOWN.items()
        for file in data_set.files
        for address in file.download.addresses
        if not address.startswith("https://")
    }
    assert plain == {"fashion-mnist"}


def test_no_digest_is_there_twice() -> None:
    files = {(s.folder, file.name): file.sha256 for s in KNOWN.values() for file in s.files}
    assert len(set(files.values())) == len(files) == 14


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_files_have_the_digests(name: str, tmp_path: Path, real_data: Path) -> None:
    if not (real_data / name).is_dir():
        pytest.skip(f"no real data: there is no {name} in {real_data}")
    (tmp_path / name).mkdir()
    for path in (real_data / name).glob("*.gz"):
        (tmp_path / name / path.name).symlink_to(path)
    path = fetch(name, tmp_path, lambda news: None, lambda: False)
    for file in KNOWN[name].files:
        assert (path / file.name).stat().st_size == file.size


def test_the_cache_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HANDWRITING_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("HANDWRITING_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().name == "handwriting"
