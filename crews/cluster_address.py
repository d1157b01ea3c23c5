"""The address of a Ray cluster's head node, as it is typed."""

from __future__ import annotations

import re
import socket

from errors import UserError

LONGEST_CONNECT = 3.0  # seconds

_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")


def host_and_port(text: str) -> tuple[str, int]:
    """Take an address apart.

    Args:
        text: HOST:PORT; an IPv6 host stands in brackets.

    Returns:
        The host, as it is written, and the port, from 1 to 65,535.

    Raises:
        ValueError: it is no such address; the message says what would be one.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ValueError(
            f"{text[:60]!r} is no address of a Ray cluster; give HOST:PORT of its head node, as "
            "'ray start --head --port=6379' says it, such as 192.0.2.1:6379"
        )
    return match["host"], int(match["port"])


def check_that_something_answers(address: str) -> None:
    """Find out in a few seconds whether anything answers where a cluster should be.

    Args:
        address: HOST:PORT of its head node.

    Raises:
        UserError: it is no address, or nothing answers there.
    """
    try:
        host_and_port(address)
    except ValueError as error:
        raise UserError(str(error)) from error
    reason = why_silent(address)
    if reason is not None:
        raise UserError(
            f"there is no Ray cluster at {address} ({reason}); start one there with: "
            "ray start --head --port=6379"
        )


def why_silent(address: str) -> str | None:
    """Why nothing answers at an address.

    Args:
        address: HOST:PORT.

    Returns:
        The reason in words; None where something answers.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), LONGEST_CONNECT).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
