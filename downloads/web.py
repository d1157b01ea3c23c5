"""Asking web servers for files or parts of files, and checking what they answer."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from typing import IO

from data_formats.problems import one_line, quoted
from downloads.problems import Failure, LastingFailure, RangesRefused, WrongRange

_PIECE = 2**16  # bytes
_AGAIN = (408, 425, 429)  # and 500 and above: the server may answer otherwise in a moment
_NO_SUCH_RANGE = 416
_RANGE = re.compile(r"bytes +(\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")


@dataclass(frozen=True)
class Answer:
    """What a server says of the bytes that it is about to send.

    Attributes:
        first: Place of the first of them in the file.
        length: How many they are; None where the server does not say.
        total: Bytes of the whole file; None where the server does not say.
        version: What names this version of the file, an ETag or a date; None where nothing does.
        encoded: Whether the server packed the file on its own account.
        body: The bytes, yet to be read.
        silence: Seconds after which nothing more is expected.
    """

    first: int
    length: int | None
    total: int | None
    version: str | None
    encoded: bool
    body: HTTPResponse
    silence: float

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces, never more than `length`.

        Returns:
            An iterator.

        Raises:
            Failure: The connection broke off before the end.
        """
        left = self.length
        while left is None or left > 0:
            with _network(self.silence):
                piece = self.body.read1(_PIECE if left is None else min(_PIECE, left))
            if not piece:
                break
            if left is not None:
                left -= len(piece)
            yield piece
        if left:
            raise Failure(f"the connection broke off {left:,} bytes before the end")


@contextlib.contextmanager
def ask(
    address: str,
    *,
    first: int = 0,
    last: int | None = None,
    version: str | None = None,
    secure: bool,
    silence: float,
) -> Iterator[Answer]:
    """Ask for a file, or for a part of it.

    Certificates are checked, and proxies are taken from the environment, as in all of Python.

    Args:
        address: Of the file, http or https.
        first: Place of the first byte.
        last: Place of the last byte; None for the end of the file.
        version: Of which the part must be; a server that has another one sends the whole file.
        secure: Whether only https may be used, also where the server sends the client on.
        silence: Seconds without a byte after which the connection counts as broken.

    Yields:
        The answer: of the part, or, where `last` is None, of the whole file.

    Raises:
        Failure: There is no such answer.
        RangesRefused: The server does not send parts, and `last` is not None.
        WrongRange: The server answers with another part.
    """
    _check_address(address, secure)
    in_part = first > 0 or last is not None
    headers = {"User-Agent": "handwriting", "Accept-Encoding": "identity"}
    if in_part:
        headers["Range"] = f"bytes={first}-{'' if last is None else last}"
        if version and first:
            headers["If-Range"] = version
    with contextlib.ExitStack() as stack:
        with _network(silence):
            request = urllib.request.Request(address, headers=headers)
            response = stack.enter_context(_opener(secure).open(request, timeout=silence))
        if in_part and response.status == 206:
            answer = _of_part(response, first, last, silence)
        elif response.status == 200:
            answer = _of_whole(response, silence)
        else:
            raise LastingFailure(f"it answered {response.status}")
        if last is not None and (response.status == 200 or answer.encoded):
            raise RangesRefused("it does not send parts of files")
        yield answer


def _check_address(address: str, secure: bool) -> None:
    scheme = address.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        raise LastingFailure(f"{quoted(address)} is no address of the web")
    if secure and scheme != "https":
        raise LastingFailure(
            f"{quoted(address)} is not secure, and nothing else says what the file must be"
        )


def _of_part(response: HTTPResponse, first: int, last: int | None, silence: float) -> Answer:
    said = response.headers.get("Content-Range", "")
    match = _RANGE.fullmatch(said.strip())
    if not match:
        raise WrongRange(f"it does not say which part it sends, but {quoted(said)}")
    start, end = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    length = end - start + 1
    fits = start == first and length > 0 and (last is None or end <= last)
    if not fits or (total is not None and end >= total) or response.length not in (None, length):
        raise WrongRange(f"it sends another part than was asked for, {quoted(said)}")
    return Answer(start, length, total, _version(response), _encoded(response), response, silence)


def _of_whole(response: HTTPResponse, silence: float) -> Answer:
    length = response.length
    return Answer(0, length, length, _version(response), _encoded(response), response, silence)


def _version(response: HTTPResponse) -> str | None:
    """What `If-Range` may name: an ETag that stands for the very bytes, or else a date."""
    tag = response.headers.get("ETag")
    if tag and re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', tag):
        return str(tag)
    date = response.headers.get("Last-Modified")
    return date if date and re.fullmatch(r"[A-Za-z0-9 ,:]{1,40}", date) else None


def _encoded(response: HTTPResponse) -> bool:
    """Whether gzip was put around the file; nothing else can be, as nothing was asked for."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise LastingFailure(f"it packs the file in a way that is not known, {quoted(encoding)}")
    return "gzip" in encoding


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Goes where a server sends it, but not from https to http where that would not be noticed."""

    def __init__(self, secure: bool) -> None:
        self._secure = secure

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _check_address(newurl, self._secure)
        except LastingFailure:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


class _Https(urllib.request.HTTPSHandler):
    """Checks certificates and host names, of which the system's list is read only when needed."""

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(HTTPSConnection, req, context=ssl.create_default_context())


def _opener(secure: bool) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Https(), _Redirects(secure))


@contextlib.contextmanager
def _network(silence: float) -> Iterator[None]:
    """Turn whatever goes wrong on the way into a failure.

    Raises:
        Failure: Instead of OSError, HTTPException, and ValueError, which redirects to what is no
            address raise.
    """
    try:
        yield
    except urllib.error.HTTPError as error:
        with error:
            raise _of_status(error.code, error.reason) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _of_error(error, silence) from error


def _of_status(status: int, reason: object) -> Failure:
    said = f"it answered {status} {one_line(str(reason))}".rstrip()
    if status == _NO_SUCH_RANGE:
        return WrongRange(said)
    return Failure(said) if status in _AGAIN or status >= 500 else LastingFailure(said)


def _of_error(error: Exception, silence: float) -> Failure:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return Failure(f"it sent nothing for {silence:g} seconds")
    said = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return LastingFailure(f"its certificate is not valid: {one_line(cause.verify_message)}")
    lasting = isinstance(cause, (socket.gaierror, ConnectionRefusedError, ValueError))
    return (LastingFailure if lasting else Failure)(f"there is no connection: {one_line(said)}")
