"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: HANDWRITING_DATA, or `shared/data` beside the repository."""
    named = os.environ.get("HANDWRITING_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: HANDWRITING_DATA is unset and {folder} is no folder")
    return folder
