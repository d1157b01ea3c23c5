"""Messages of errors as sentences for people."""

from __future__ import annotations

# Messages that begin with one of these words, and not with a path, begin with a capital.
FIRST_WORDS = frozenset(
    ("a", "ask", "finished", "no", "not", "several", "stopped", "that", "the", "there", "this")
)


def sentence(message: str) -> str:
    """A message, each line of which has a capital where it begins with a word and not a path.

    Args:
        message: of one line or more.

    Returns:
        The same lines.
    """
    return "\n".join(_with_capital(line) for line in message.split("\n"))


def _with_capital(line: str) -> str:
    return line[0].upper() + line[1:] if line.split(" ", 1)[0] in FIRST_WORDS else line
