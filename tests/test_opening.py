"""Tests of what DATASET may be, through the program as a process."""

import gzip
import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
LETTERS = ("alaph", "ܒ", "c")
DRAWERS = 12


def opened(*arguments: object, state: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Open a data set and leave at once."""
    return subprocess.run(
        [sys.executable, ROOT / "__init__.py", *map(str, arguments)],
        input="Exit\n",
        capture_output=True,
        encoding="utf-8",
        env=os.environ
        | {"XDG_STATE_HOME": str(state), "HANDWRITING_CACHE": str(state / "cache")}
        | environment,
        timeout=120,
        check=False,
    )


def picture(letter: int, drawer: int) -> bytes:
    """A dark line on light paper, of a slope for each letter and a width for each drawer."""
    sheet = Image.new("L", (105, 105), 250)
    ends = [(30, 20 + 30 * letter), (80, 85 - 20 * letter)]
    ImageDraw.Draw(sheet).line(ends, fill=10, width=3 + drawer % 5)
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def folder_of_pictures(folder: Path) -> Path:
    for letter, name in enumerate(LETTERS):
        (folder / name).mkdir(parents=True)
        for drawer in range(DRAWERS):
            (folder / name / f"{drawer:02}.png").write_bytes(picture(letter, drawer))
    return folder


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def test_a_folder_of_pictures_is_opened(tmp_path: Path) -> None:
    folder = folder_of_pictures(tmp_path / "syriac")
    (folder / "c" / "99.png").write_bytes(b"broken")
    done = opened(folder, state=tmp_path)
    assert done.returncode == 0 and not done.stderr
    assert "syriac: 36 images of 3 characters (24 training, 6 validation, " in done.stdout
    log = next(tmp_path.rglob("left-out.log"))
    assert "named in" in done.stdout and "left-out.log" in done.stdout
    assert "c/99.png: " in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("usable", [("c",), ()])
def test_where_nothing_can_be_opened_what_was_left_out_is_named(
    tmp_path: Path, usable: tuple[str, ...]
) -> None:
    folder = folder_of_pictures(tmp_path / "syriac")
    broken = [path for path in sorted(folder.rglob("*.png")) if path.parent.name not in usable]
    for path in broken:
        path.write_bytes(b"broken")
    done = opened(folder, state=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "; left out, the first of " in done.stderr and "/00.png: " in done.stderr
    assert "What was left out, and why, is named in " in done.stderr
    log = next(tmp_path.rglob("left-out.log")).read_text(encoding="utf-8")
    assert all(f"{path.parent.name}/{path.name}: " in log for path in broken)


def test_an_archive_of_pictures_is_opened_and_split_by_drawers(tmp_path: Path) -> None:
    folder = folder_of_pictures(tmp_path / "syriac")
    with zipfile.ZipFile(tmp_path / "syriac.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    done = opened(tmp_path / "syriac.zip", "--group", "file", state=tmp_path)
    assert done.returncode == 0 and not done.stderr
    # 7, 2, 2 and 1 drawers, with 3 images each
    assert (
        "syriac.zip: 36 images of 3 characters (21 training, 6 validation, 6 test, 3 gen"
        in done.stdout
    )


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_opened_by_their_folder_or_one_of_them(tmp_path: Path, packed: bool) -> None:
    random = np.random.default_rng(0)
    folder = tmp_path / "digits"
    folder.mkdir()
    for part, count in (("train", 60), ("t10k", 20)):
        images = random.integers(0, 256, (count, 28, 28))
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(count) % 2)):
            path = folder / f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    for given in (folder, path):
        done = opened(given, "--file-split", state=tmp_path)
        assert done.returncode == 0 and not done.stderr
        assert "80 images of 2 characters" in done.stdout and "20 test" in done.stdout


def test_what_is_no_data_set_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_bytes(b"PK\x03\x04 no")
    for given in ("empty", "text.zip", "nowhere", "nowhere/"):
        done = opened(tmp_path / given, state=tmp_path)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.stderr and not done.stdout


@pytest.mark.parametrize("name", ["MNIST", "emnist_letters"])
def test_a_name_that_is_nearly_known_is_answered_with_the_known_ones(
    tmp_path: Path, name: str
) -> None:
    done = opened(name, state=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert f"{name}: there is no such file" in done.stderr
    assert "mnist, fashion-mnist" in done.stderr and "emnist-letters" in done.stderr


def test_a_whole_disk_is_not_gone_through(tmp_path: Path) -> None:
    done = opened("/", state=tmp_path)
    assert done.returncode == 2
    assert "give a folder with a sub-folder of pictures for each class" in done.stderr


def test_a_group_needs_file_names(tmp_path: Path) -> None:
    done = opened(ROOT / "dataset/letters-small.mat", "--group", "file", state=tmp_path)
    assert done.returncode == 2
    assert "--group needs file names" in done.stderr


def test_a_known_name_is_opened_from_the_cache(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "cache" / "mnist").mkdir(parents=True)
    for path in (real_data / "mnist").glob("*.gz"):
        (tmp_path / "cache" / "mnist" / path.name).write_bytes(path.read_bytes())
    done = opened("mnist", "--file-split", state=tmp_path)
    assert done.returncode == 0 and not done.stderr
    assert "70,000 images of 10 characters" in done.stdout and "10,000 test" in done.stdout


def test_a_file_goes_before_a_known_name(tmp_path: Path) -> None:
    (tmp_path / "mnist").write_bytes(b"not a data set")
    done = subprocess.run(
        [sys.executable, ROOT / "__init__.py", "mnist"],
        input="",
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and "no known format" in done.stderr
