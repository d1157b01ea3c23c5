"""Trainings of whole collections: who hears of them, and whether two made the same."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entries.entry import Entry


class Silent:
    """Hears how a training goes, and says nothing but what goes wrong."""

    def __getattr__(self, name: str) -> Any:
        """Any method of `collection_training.TrainingObserver`."""
        if name in ("variant_failed", "variant_interrupted"):
            return lambda number, reason: print(f"variant {number}: {reason}", file=sys.stderr)
        return lambda *told: None


def digest_of(entries: Iterable[Entry]) -> str:
    """What tells networks and scores from others.

    Args:
        entries: in the order of their collection.

    Returns:
        SHA-256, 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(repr((entry.identity, entry.validation, entry.test)).encode())
        for array in entry.weights:
            digest.update(array.tobytes())
    return digest.hexdigest()
