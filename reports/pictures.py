"""The folder of a report's pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reports.page import Picture

Draw = Callable[[Path], None]


@dataclass(frozen=True)
class PictureFolder:
    """Where the pictures of a report are written."""

    folder: Path

    def picture(self, name: str, caption: str, draw: Draw) -> Picture:
        """Have a picture drawn into a file, and take it for the page.

        Args:
            name: of the file, without its ending.
            caption: what it shows, and on how many images it stands.
            draw: writes a PNG picture to a path.

        Returns:
            The picture, as the page shows it.

        Raises:
            OSError: it cannot be written.
        """
        path = self.folder / f"{name}.png"
        draw(path)
        return Picture(name, path.read_bytes(), caption)
