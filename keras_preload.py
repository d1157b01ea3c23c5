"""Brings Keras in behind the menu, so that the prompt need not wait for it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator


class KerasPreload:
    """Imports what trains and reads networks in a thread of its own."""

    def __init__(self) -> None:
        """Prepare; nothing is imported before `start`."""
        self._thread = threading.Thread(target=_import_quietly, daemon=True)
        self._started = False

    def start(self) -> None:
        """Begin to import."""
        if not self._started:
            self._started = True
            self._thread.start()

    def is_under_way(self) -> bool:
        """Whether `wait` would take a while.

        Returns:
            Whether Keras is being imported.
        """
        return self._thread.is_alive()

    def wait(self) -> None:
        """Return when the import is done; an import that failed fails again where it is used."""
        if self._started:
            self._thread.join()


def _import_quietly() -> None:
    with _without_native_messages(), contextlib.suppress(Exception):
        import cnn_model  # noqa: F401

        # Its advice is for programmers: that functions are traced again, for each new network.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def _without_native_messages() -> Iterator[None]:
    """TensorFlow's libraries write about absent graphics cards straight to the terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
