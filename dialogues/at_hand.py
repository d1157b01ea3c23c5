"""Bringing a data set to hand that is given by its path, or by the name of one to download."""

from __future__ import annotations

from pathlib import Path

from data_formats.problems import shown
from data_formats.recognition import WANTED
from errors import DataError
from terminal import make_console, say


def at_hand(data_path: Path) -> Path:
    """A data set's file on this machine; one that is known by its name is downloaded.

    Args:
        data_path: as it was given.

    Returns:
        The path itself, or the copy in the cache of the data set that it names.

    Raises:
        UserError: there is no such file, or the data set cannot be downloaded.
        KeyboardInterrupt: Ctrl-C in a download.
    """
    from downloads.known import KNOWN, cache_folder, is_known

    if not _is_missing(data_path):
        return data_path
    name = str(data_path)
    if not is_known(name):
        raise DataError(
            f"{shown(data_path)}: there is no such file; {WANTED}, or the name of one that is "
            f"downloaded: {', '.join(KNOWN)}"
        )
    from downloads.fetching import fetch
    from views.downloads import make_download_view, say_how_it_goes_on

    try:
        with make_download_view(make_console()) as show:
            return fetch(
                name,
                cache_folder(),
                show,
                should_stop=lambda: False,
                waiting=lambda: say(f"Another program is downloading {name}; waiting for its end."),
            )
    except KeyboardInterrupt:
        say_how_it_goes_on(name)
        raise


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # whoever opens it says what is wrong
        return False
    return False
