"""Tests of names for new files and folders where nothing lies yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import unused_path as module
from unused_path import new_file, new_folder, unused_path


def test_a_new_name_is_found_where_something_lies(tmp_path: Path) -> None:
    assert unused_path(tmp_path / "a.b.png") == tmp_path / "a.b.png"
    (tmp_path / "a.b.png").touch()
    (tmp_path / "a.b-2.png").symlink_to("nowhere")
    (tmp_path / "a.b-3.png").mkdir()
    assert unused_path(tmp_path / "a.b.png") == tmp_path / "a.b-4.png"


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "y/" * 3000 + "z.png", "\udcff.png"])
def test_a_name_that_no_file_can_have_is_left_to_the_writer(tmp_path: Path, name: str) -> None:
    assert unused_path(tmp_path / name) == tmp_path / name


def write_into_a_folder(path: Path, text: str) -> None:
    (new_folder(path) / "text").write_text(text)


def write_a_file(path: Path, text: str) -> None:
    with new_file(path) as free:
        free.write_text(text)


@pytest.mark.parametrize("write", [write_into_a_folder, write_a_file])
def test_programs_that_look_for_a_name_at_once_get_one_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
) -> None:
    """All have looked before the first of them writes."""
    programs = 4
    looked = threading.Barrier(programs)
    first = threading.local()

    def look(path: Path) -> Path:
        found = unused_path(path)
        if not hasattr(first, "over"):
            first.over = True
            looked.wait(timeout=30)
        return found

    monkeypatch.setattr(module, "unused_path", look)
    threads = [
        threading.Thread(target=write, args=(tmp_path / "a.png", str(number)))
        for number in range(programs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == ["0", "1", "2", "3"]


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "a.png") as path:
        path.write_text("half of it")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_folders_above_a_new_one_are_made(tmp_path: Path) -> None:
    assert new_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert new_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b-2"


def test_a_file_in_a_folder_that_is_not_there_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_file(tmp_path / "missing" / "a.png"):
        pass
