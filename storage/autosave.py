"""Folders in which a session keeps its finished entries until the user saves them.

Each session that trains has a folder of its own below one root, so sessions side by side do not
meet. A folder that is still there at the next start holds work that nobody saved, unless its
session is still alive: then that holds a lock beside the folder.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from errors import CollectionError
from model_collection import ModelCollection
from process_lock import holding
from storage.collection_folder import FILE_NAME, WrittenEntries, remove_collection, save_collection

LOOKING = 1.0  # seconds, longer than others take to look whether a folder is in use


def default_root() -> Path:
    """Where sessions keep their folders.

    Returns:
        A folder in the user's state folder, as the system defines it.
    """
    import platformdirs

    return platformdirs.user_state_path("handwriting") / "autosave"


@dataclass
class Autosave:
    """The autosave folder of one session.

    Attributes:
        root: folder that holds the folders of all sessions.
        folder: this session's; made when the first entry is kept, None before.
        holds_all: whether the collection is in it as it was when it was last to be kept.
    """

    root: Path
    folder: Path | None = field(default=None)
    holds_all: bool = field(default=False)
    _written: WrittenEntries = field(default_factory=WrittenEntries, repr=False)
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    def unsaved(self) -> tuple[Path, ...]:
        """Folders that sessions left which are no longer alive.

        Returns:
            Oldest first.
        """
        try:
            folders = [path for path in self.root.iterdir() if (path / FILE_NAME).is_file()]
        except OSError:
            return ()
        return tuple(
            sorted(path for path in folders if path != self.folder and not _is_in_use(path))
        )

    def keep(self, collection: ModelCollection) -> None:
        """Write the collection, as it is now, to this session's folder.

        Args:
            collection: of one entry or more.

        Raises:
            CollectionError: it cannot be written.
        """
        self.holds_all = False
        folder = self._take(self._new_folder()) if self.folder is None else self.folder
        save_collection(collection, folder, self._written)
        self.holds_all = True

    def _new_folder(self) -> Path:
        """A folder of this session alone, also where one process has several sessions."""
        now = datetime.now().strftime("%Y-%m-%d-%H%M%S")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{now}-", dir=self.root))
        except OSError as error:
            raise CollectionError(
                f"finished entries cannot be kept in {self.root}: {error.strerror or error}"
            ) from error

    def collection_loaded(self, folder: Path) -> None:
        """Another collection is in memory now; what was kept stays for the next start.

        A folder that an earlier session left becomes this session's; one of a session that is
        alive stays that session's.

        Args:
            folder: that it was loaded from.
        """
        if self.folder is not None and folder.resolve() == self.folder.resolve():
            self._written.clear()
            self.holds_all = True
            return
        self._let_go()
        inside = folder.resolve().parent == self.root.resolve()
        if inside and not _is_in_use(folder.resolve()):
            self._take(self.root / folder.resolve().name)
            self.holds_all = True

    def collection_saved(self, folder: Path) -> None:
        """The user saved the collection: what was kept of it is no longer needed.

        Args:
            folder: that it was saved in.
        """
        if self.folder is not None and self.folder.resolve() != folder.resolve():
            remove_collection(self.folder)
            with contextlib.suppress(OSError):  # a file too many does no harm
                _lock_of(self.folder).unlink()
        self._let_go()

    def end(self) -> None:
        """The session is over: what it kept is for the next one."""
        self._let_go()

    def _take(self, folder: Path) -> Path:
        """Make a folder this session's as long as it is alive."""
        self._let_go()
        self.folder = folder
        with contextlib.suppress(OSError):  # no locks are known there: as if it were not alive
            self._held.enter_context(holding(_lock_of(folder), _waiting_for(LOOKING)))
        return folder

    def _let_go(self) -> None:
        self._held.close()
        self._written.clear()
        self.folder = None
        self.holds_all = False


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _waiting_for(most: float) -> Callable[[float], None]:
    """What waits for a lock for so many seconds at most, and then raises BlockingIOError."""
    latest = time.monotonic() + most

    def wait(seconds: float) -> None:
        if time.monotonic() >= latest:
            raise BlockingIOError
        time.sleep(seconds)

    return wait


def _is_in_use(folder: Path) -> bool:
    """Whether a session that is alive has a folder."""
    try:
        with holding(_lock_of(folder), _waiting_for(0)):
            return False
    except BlockingIOError:
        return True
    except OSError:  # no locks are known there, or no file can be made
        return False
