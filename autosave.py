"""Folders in which a session keeps its finished entries until the user saves them.

Each session that trains has a folder of its own below one root, so sessions side by side do not
meet. A folder that is still there at the next start holds work that nobody saved.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from collection_folder import FILE_NAME, WrittenEntries, remove_collection, save_collection
from errors import CollectionError
from model_collection import ModelCollection


def default_root() -> Path:
    """Where sessions keep their folders: the user's state folder, as the system defines it."""
    import platformdirs

    return platformdirs.user_state_path("handwriting") / "autosave"


@dataclass
class Autosave:
    """The autosave folder of one session.

    Attributes:
        root: folder that holds the folders of all sessions.
        folder: this session's; made when the first entry is kept, None before.
    """

    root: Path
    folder: Path | None = field(default=None)
    _written: WrittenEntries = field(default_factory=WrittenEntries, repr=False)

    def unsaved(self) -> tuple[Path, ...]:
        """Folders that earlier sessions left, oldest first."""
        try:
            folders = [path for path in self.root.iterdir() if (path / FILE_NAME).is_file()]
        except OSError:
            return ()
        return tuple(sorted(path for path in folders if path != self.folder))

    def keep(self, collection: ModelCollection) -> None:
        """Write the collection, as it is now, to this session's folder.

        Raises:
            CollectionError: it cannot be written.
        """
        if self.folder is None:
            self.folder = self._new_folder()
            self._written.clear()
        save_collection(collection, self.folder, self._written)

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
        """Another collection is in memory now; what was kept stays for the next start."""
        self._written.clear()
        inside = folder.resolve().parent == self.root.resolve()
        self.folder = self.root / folder.resolve().name if inside else None

    def collection_saved(self, folder: Path) -> None:
        """The user saved the collection: what was kept of it is no longer needed."""
        if self.folder is not None and self.folder.resolve() != folder.resolve():
            remove_collection(self.folder)
        self.folder = None
