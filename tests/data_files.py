"""What tests ask of every file that may be a data set."""

from pathlib import Path

import data_parser
from errors import DataError


def check_refused_or_valid(path: Path) -> None:
    """Open a file: it is refused in one line that names it, or what it gives fits together."""
    try:
        data_set = data_parser.open_data_set(path, keep_digits=True)
    except DataError as error:
        assert "\n" not in str(error) and path.name in str(error)
        return
    assert data_set.images.shape == (len(data_set.labels), 28, 28)
    assert data_set.labels.max() < len(data_set.classes)
