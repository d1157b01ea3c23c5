"""Tests of reading folders and archives of pictures."""

import gzip
import io
import lzma
import os
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import data_parser
from data_formats import folder_members
from data_formats.common import Content
from data_formats.image_folder import read, recognises_archive
from data_formats.problems import Problem
from errors import DataError

Files = Mapping[str, bytes]


def drawn(number: int = 0, size: int = 40, *, mode: str = "L") -> Image.Image:
    """A dark bar on white, in another place for each number."""
    grey = np.full((size, size), 255, np.uint8)
    grey[size // 4 : -size // 4, 3 + number % 20 : 7 + number % 20] = 0
    grey[size // 2, 3 : 12 + number % 20] = 0
    return Image.fromarray(grey).convert(mode)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def picture(number: int = 0, size: int = 40) -> bytes:
    return encoded(drawn(number, size))


def letters(*classes: str, each: int = 2, size: int = 40) -> dict[str, bytes]:
    return {
        f"{name}/{number}.png": picture(row * each + number, size)
        for row, name in enumerate(classes)
        for number in range(each)
    }


def folder(path: Path, files: Files) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def tar(path: Path, files: Files, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


WRITERS: dict[str, Callable[[Path, Files], Path]] = {
    "data": folder,
    "data.tar": tar,
    "data.tar.gz": lambda path, files: tar(path, files, "w:gz"),
    "data.tgz": lambda path, files: tar(path, files, "w:gz"),
    "data.tar.bz2": lambda path, files: tar(path, files, "w:bz2"),
    "data.tar.xz": lambda path, files: tar(path, files, "w:xz"),
    "data.zip": zipped,
    "stored.zip": lambda path, files: zipped(path, files, zipfile.ZIP_STORED),
    "bzipped.zip": lambda path, files: zipped(path, files, zipfile.ZIP_BZIP2),
}


def read_files(path: Path, files: Files, keep_digits: bool = True) -> Content:
    return read(folder(path / "pictures", files), keep_digits)


def refusal(path: Path) -> str:
    with pytest.raises(Problem) as caught:
        read(path, True)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- folders and archives --------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_folders_and_archives_are_read_alike(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / name, letters("A", "B"))
    content = read(path, False)
    assert content.classes == ("A", "B")
    assert content.labels.tolist() == [0, 0, 1, 1] and content.labels.dtype == np.int32
    assert content.names == ("A/0.png", "A/1.png", "B/0.png", "B/1.png")
    assert content.images.shape == (4, 28, 28) and content.images.dtype == np.uint8
    assert content.images.flags.c_contiguous and content.images.flags.writeable
    assert content.division is None and not content.in_test.any() and not content.skipped
    assert np.array_equal(content.images, read_files(tmp_path, letters("A", "B")).images)
    assert len({image.tobytes() for image in content.images}) == 4
    assert path.is_dir() or recognises_archive(path)


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "data"])
def test_an_archive_is_known_whatever_its_name(tmp_path: Path, name: str) -> None:
    written = WRITERS[name](tmp_path / name, letters("A", "B"))
    assert recognises_archive(written.rename(tmp_path / "something"))


def test_what_is_no_archive_is_not_taken_for_one(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "numbers.gz", "wb") as file:
        file.write(bytes([0, 0, 8, 3]) + bytes(5000))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "zeros").write_bytes(bytes(5000))
    (tmp_path / "cut.gz").write_bytes((tmp_path / "numbers.gz").read_bytes()[:9])
    np.savez(tmp_path / "arrays.npz", images=np.zeros(3))
    np.savez(tmp_path / "renamed", images=np.zeros(3))
    (tmp_path / "renamed.npz").rename(tmp_path / "renamed.zip")
    for path in tmp_path.iterdir():
        assert not recognises_archive(path), path.name


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tgz", "a.tar.xz", "a.tar.bz2"])
def test_a_damaged_archive_goes_by_its_name(tmp_path: Path, name: str) -> None:
    starts = {"zip": b"PK\x03\x04", "gz": b"\x1f\x8b", "tgz": b"\x1f\x8b", "bz2": b"BZh"}
    (tmp_path / name).write_bytes(starts.get(name.split(".")[-1], b"\xfd7zXZ\x00") + b"nonsense")
    assert recognises_archive(tmp_path / name)
    assert "damaged" in refusal(tmp_path / name)


def test_classes_may_lie_deep_and_are_named_by_the_folder_of_their_pictures(tmp_path: Path) -> None:
    files = {f"archive/all/{name}": data for name, data in letters("A", "B").items()}
    content = read_files(tmp_path, files)
    assert content.classes == ("A", "B")
    assert content.names[0] == "A/0.png"


@pytest.mark.parametrize("test", ["test", "Testing"])
@pytest.mark.parametrize("train", ["train", "TRAINING", "val", "validation"])
def test_folders_above_the_classes_tell_the_test_rows(
    tmp_path: Path, test: str, train: str
) -> None:
    files = {f"data/{train}/{name}": data for name, data in letters("A", "B").items()}
    files |= {f"data/{test}/{name}": data for name, data in letters("A", "B", each=1).items()}
    content = read_files(tmp_path, files)
    assert content.classes == ("A", "B")
    assert content.in_test.sum() == 2
    assert np.bincount(content.labels, content.in_test).tolist() == [1, 1]


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    content = read_files(tmp_path, letters("test", "A"))
    assert content.classes == ("A", "test") and not content.in_test.any()


def test_where_all_is_test_nothing_is(tmp_path: Path) -> None:
    files = {f"test/{name}": data for name, data in letters("A", "B").items()}
    assert not read_files(tmp_path, files).in_test.any()


def test_classes_and_files_are_in_natural_order(tmp_path: Path) -> None:
    names = ("c10", "c9", "b", "C2", "10", "9")
    files = {f"{name}/x{number}.png": picture(number) for name in names for number in (10, 9)}
    content = read_files(tmp_path, files)
    assert content.classes == ("9", "10", "b", "C2", "c9", "c10")
    assert content.names[:2] == ("9/x9.png", "9/x10.png")


def test_names_that_are_the_same_in_unicode_are_one_class(tmp_path: Path) -> None:
    files = {"a\u0308/1.png": picture(1), "\u00e4/2.png": picture(2), "b/3.png": picture(3)}
    content = read_files(tmp_path, files)
    assert content.classes == ("b", "\u00e4")
    assert content.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize("write", [tar, zipped])
def test_names_may_begin_in_the_present_folder(
    tmp_path: Path, write: Callable[[Path, Files], Path]
) -> None:
    files = {f"./{name}": data for name, data in letters("A", "B").items()}
    assert read(write(tmp_path / "a", files), True).names[0] == "A/0.png"


def test_long_names_of_a_tar_file_are_read(tmp_path: Path) -> None:
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=kind) as archive:
            for name in ("ä" * 90, "b" * 250):
                info = tarfile.TarInfo(f"{name}/{'c' * 150}.png")
                info.size = len(picture())
                archive.addfile(info, io.BytesIO(picture()))
        assert read(tmp_path / "a.tar", True).classes == ("b" * 250, "ä" * 90)


def test_class_names_can_be_printed(tmp_path: Path) -> None:
    content = read_files(tmp_path, letters("ܐ", "long name", "bell\x07", "b\udcff"))
    assert set(content.classes) == {"ܐ", "long name", "bell\\x07", "b\\udcff"}
    assert all(name.isprintable() for name in (*content.classes, *content.names))


def test_a_class_whose_name_no_file_could_hold_is_refused_at_once(tmp_path: Path) -> None:
    assert read_files(tmp_path / "fits", letters("a", "b" * 255)).classes == ("a", "b" * 255)
    told = refusal(tar(tmp_path / "long.tar", letters("a", "b" * 256)))
    assert "cannot name a class; that takes 1 to 255 printable characters" in told


@pytest.mark.parametrize(
    ("classes", "left"),
    [("12AB", "AB"), ("12A", "12A"), ("12", "12"), (("10", "1", "A"), ("10", "A"))],
)
def test_digits_are_left_out_only_where_two_other_classes_remain(
    tmp_path: Path, classes: str, left: str
) -> None:
    content = read_files(tmp_path, letters(*classes), keep_digits=False)
    assert set(content.classes) == set(left)
    assert len(content.images) == len(content.names) == len(content.in_test) == 2 * len(left)
    gone = 2 * (len(classes) - len(left))
    told = f"{gone} images of the digits 0 to 9 were left out; --keep-digits keeps them"
    assert (told in content.notes) == (gone > 0)
    assert set(read_files(tmp_path, letters(*classes)).classes) == set(classes)


# --- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("TIFF", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("BMP", mode) for mode in ("1", "L", "P", "RGB")),
        ("GIF", "P"),
        ("WEBP", "RGB"),
    ],
)
def test_every_depth_of_every_format_is_read(tmp_path: Path, kind: str, mode: str) -> None:
    source = drawn(5)
    if mode == "I;16":
        source = Image.fromarray(np.asarray(source).astype(np.uint16) * 257)
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    data = encoded(source if mode == "I;16" else source.convert(mode), kind, **options)
    files = {f"A/x.{kind.lower()}": data, "A/same.png": picture(5), "B/other.png": picture(9)}
    content = read_files(tmp_path, files)
    assert not content.skipped
    same, this = content.images[:2].astype(int)
    assert np.abs(same - this).mean() < 4


def test_of_lab_colours_the_lightness_is_read(tmp_path: Path) -> None:
    even = Image.new("L", drawn(5).size, 128)
    data = encoded(Image.merge("LAB", (drawn(5), even, even)), "TIFF")
    content = read_files(tmp_path, {"A/x.tiff": data, "A/y.png": picture(5)})
    assert not content.skipped
    assert (content.images[0] == content.images[1]).all()


@pytest.mark.parametrize("ink", [0, 255, 128])
def test_transparent_is_paper_whatever_colour_the_ink_has(tmp_path: Path, ink: int) -> None:
    cover = 255 - np.asarray(drawn(5))
    layers = np.dstack([np.full_like(cover, ink)] * 3 + [cover])
    files = {"A/x.png": encoded(Image.fromarray(layers)), "A/y.png": picture(5)}
    images = read_files(tmp_path, files).images.astype(int)
    assert np.abs(images[0] - images[1]).mean() < 2


def test_corners_that_are_transparent_are_like_the_paper_beside_them(tmp_path: Path) -> None:
    layers = np.dstack([np.asarray(drawn(5))] * 3 + [np.full((40, 40), 255, np.uint8)])
    layers[:3, :3] = 0
    files = {"A/x.png": encoded(Image.fromarray(layers)), "A/y.png": picture(5)}
    images = read_files(tmp_path, files).images.astype(int)
    assert np.abs(images[0] - images[1]).mean() < 2


def test_a_photograph_that_lies_on_its_side_is_stood_up(tmp_path: Path) -> None:
    upright = drawn(2, 60)
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees clockwise to stand upright
    lying = encoded(upright.rotate(90), "JPEG", exif=exif, quality=95)
    images = read_files(tmp_path, {"A/x.jpg": lying, "A/y.png": encoded(upright)}).images
    assert np.abs(images[0].astype(int) - images[1]).mean() < 6


def small(seed: int) -> np.ndarray:
    """White strokes that fill much of a black 28x28 image, up to its edges."""
    image = np.zeros((28, 28), np.uint8)
    image[:, seed % 10 : 8 + seed % 10] = 255
    image[10:14] = 200
    return image


def test_pictures_of_28_by_28_are_left_as_they_are(tmp_path: Path) -> None:
    files = {f"{'AB'[i % 2]}/{i}.png": encoded(Image.fromarray(small(i))) for i in range(8)}
    content = read_files(tmp_path, files)
    assert np.array_equal(content.images[:4], [small(i) for i in (0, 2, 4, 6)])
    assert any("as they were" in note for note in content.notes)


def test_the_paper_of_28_by_28_pictures_is_found_for_all_at_once(tmp_path: Path) -> None:
    bold = np.full((28, 28), 255, np.uint8)
    bold[:2] = 0
    files = {f"A/{i}.png": encoded(Image.fromarray(255 - small(i))) for i in range(8)}
    files["A/9.png"] = encoded(Image.fromarray(255 - bold))
    content = read_files(tmp_path, files)
    assert np.array_equal(content.images[-1], bold)
    assert np.array_equal(content.images[0], small(0))
    assert any("were turned" in note for note in content.notes)


def test_among_others_pictures_of_28_by_28_are_prepared_too(tmp_path: Path) -> None:
    files = {"A/0.png": picture(3, 28), "A/1.png": picture(3, 56), "B/2.png": picture(7)}
    content = read_files(tmp_path, files)
    assert not content.images[:, 0].any() and not content.images[:, :, 0].any()
    assert any("cropped" in note for note in content.notes)


def test_a_few_pictures_of_other_sizes_change_nothing_in_a_set_of_28_by_28(tmp_path: Path) -> None:
    files = {f"{'AB'[i % 2]}/{i}.png": encoded(Image.fromarray(255 - small(i))) for i in range(18)}
    content = read_files(tmp_path, files | {"B/large.png": picture(5)})
    assert np.array_equal(content.images[:9], [small(i) for i in range(0, 18, 2)])
    assert not content.images[-1, 0].any() and content.images[-1].any()
    (note,) = content.notes
    assert "were turned" in note and "1 picture of another size was cropped" in note


def test_dark_and_light_paper_among_28_by_28_pictures_are_told_apart(tmp_path: Path) -> None:
    crosses = [np.zeros((28, 28), np.uint8) for _ in range(8)]
    for number, cross in enumerate(crosses):
        cross[6:22, 8 + number : 11 + number] = 255
    files = {
        f"A/{number}.png": encoded(Image.fromarray(cross if number % 2 else 255 - cross))
        for number, cross in enumerate(crosses)
    }
    content = read_files(tmp_path, files)
    assert np.array_equal(content.images, crosses)
    assert content.notes == (
        "the pictures were 28x28; 4 of 8 were dark on white, and were turned to light on black",
    )


def test_eight_bits_in_16_bit_pictures_of_28_by_28_stay_as_they_are(tmp_path: Path) -> None:
    deep = encoded(Image.fromarray(small(3).astype(np.uint16)))
    content = read_files(tmp_path, {"A/0.png": deep, "A/1.png": deep})
    assert np.array_equal(content.images[0], small(3))


def test_16_bit_pictures_of_28_by_28_keep_their_upper_bits(tmp_path: Path) -> None:
    deep = Image.fromarray(small(3).astype(np.uint16) * 256 + 77)
    content = read_files(tmp_path, {"A/0.png": encoded(deep), "A/1.png": encoded(deep)})
    assert np.array_equal(content.images[0], small(3))


# --- what is left out ------------------------------------------------------------------------


def test_that_only_the_first_of_several_pages_is_read_is_told(tmp_path: Path) -> None:
    pages = {"save_all": True, "append_images": [drawn(5)]}
    files = {
        **letters("A", "B"),
        "A/7.tiff": encoded(drawn(3), "TIFF", **pages),
        "B/7.gif": encoded(drawn(4), "GIF", **pages),
        "B/8.tiff": encoded(drawn(5), "TIFF"),
    }
    content = read_files(tmp_path / "some", files)
    assert content.notes[-1] == (
        "2 pictures have several pages or frames, of which the first is read"
    )
    assert np.array_equal(
        content.images[2], read_files(tmp_path / "one", {"A/7.png": encoded(drawn(3))}).images[0]
    )
    assert not any("pages" in note for note in read_files(tmp_path / "none", letters("A")).notes)


def test_flat_and_broken_pictures_are_left_out_and_told_of(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 9, (60, 60)).clip(0, 255).astype(np.uint8)
    files = letters("A", "B") | {
        "A/flat.png": encoded(Image.new("L", (30, 30), 200)),
        "A/flat28.png": encoded(Image.new("RGB", (28, 28), (255, 0, 0))),
        "A/noise.png": encoded(Image.fromarray(noise)),
        "B/cut.png": picture()[:-40],
        "B/text.png": b"this is no picture",
        "B/empty.jpg": b"",
        "C/only.png": b"broken",
    }
    content = read_files(tmp_path, files)
    assert content.classes == ("A", "B") and len(content.images) == 4
    why = dict(line.split(": ", 1) for line in content.skipped)
    assert set(why) == set(files) - set(letters("A", "B")) | {"C"}
    assert why["C"] == "none of its pictures can be used"
    assert why["A/flat.png"] == why["A/flat28.png"] == "it is one flat grey"
    assert why["A/noise.png"] == "no ink was found on it"
    assert "no PNG, JPEG" in why["B/text.png"]
    assert content.notes[3] == "1 folder holds no picture that can be used"
    assert content.notes[:3] == (
        "2 of 11 pictures are one flat grey and were left out",
        "1 of 11 pictures shows no ink and was left out",
        "4 of 11 pictures could not be read and were left out",
    )


@pytest.mark.parametrize("name", ["data", "data.tar", "data.zip"])
def test_folders_without_anything_are_told_of(tmp_path: Path, name: str) -> None:
    data = folder(tmp_path / "made", letters("A", "B"))
    (data / "C" / "deep").mkdir(parents=True)
    (data / ".git" / "refs").mkdir(parents=True)
    if name == "data.tar":
        with tarfile.open(tmp_path / name, "w") as archive:
            archive.add(data, ".")
    elif name == "data.zip":
        shutil.make_archive(str(tmp_path / "data"), "zip", data)
    content = read(data if name == "data" else tmp_path / name, True)
    assert content.skipped == ("C/deep: the folder is empty",)
    assert content.notes[0] == "1 folder holds no picture that can be used"


@pytest.mark.parametrize("top", ["", "top/", "top/train/"])
@pytest.mark.parametrize("into", [folder, tar, zipped])
def test_pictures_beside_folders_of_classes_have_no_class_wherever_these_lie(
    tmp_path: Path, into: Callable[[Path, Files], Path], top: str
) -> None:
    files = {f"{top}{name}": data for name, data in letters("A", "B").items()}
    loose = {f"{top}cover.png": picture(30), f"{top}back.png": b"no picture"}
    content = read(into(tmp_path / "data", {**loose, **files}), True)
    assert content.classes == ("A", "B")
    assert content.names == ("A/0.png", "A/1.png", "B/0.png", "B/1.png")
    kept = read(into(tmp_path / "clean", files), True)
    assert np.array_equal(content.images, kept.images)
    no_class = f"{top}cover.png: it lies in no folder that would name its class"
    assert no_class in content.skipped


def test_names_in_zip_files_that_do_not_say_that_they_are_utf_8_are_read_as_such(
    tmp_path: Path,
) -> None:
    plain = zipped(tmp_path / "a.zip", letters("жук", "Ä"))
    content = plain.read_bytes()
    flagged = zipfile.ZipFile(io.BytesIO(content)).infolist()[0].flag_bits
    assert flagged & 0x800
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = {b"PK\x03\x04": 6, b"PK\x01\x02": 8}[mark]
        place = content.find(mark)
        while place >= 0:
            flags = content[place + at : place + at + 2]
            cleared = (int.from_bytes(flags, "little") & ~0x800).to_bytes(2, "little")
            content = content[: place + at] + cleared + content[place + at + 2 :]
            place = content.find(mark, place + 4)
    (tmp_path / "b.zip").write_bytes(content)
    assert read(tmp_path / "b.zip", True).classes == read(plain, True).classes == ("Ä", "жук")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", letters("A", "B"))
    (path / "B").chmod(0)
    with pytest.raises(Problem, match="its folder B cannot be read: Permission denied"):
        read(path, True)


def test_a_class_may_lie_above_one_other(tmp_path: Path) -> None:
    assert read_files(tmp_path, {**letters("A"), **letters("A/B")}).classes == ("A", "B")


def test_the_folders_of_pictures_are_part_of_their_names(tmp_path: Path) -> None:
    files = {
        f"set/{name}/{part}/A/{number}.png": picture(number)
        for number, name in enumerate(("anna", "bob"))
        for part in ("train", "test")
    }
    assert set(read_files(tmp_path, files).names) == {"anna/A/0.png", "bob/A/1.png"}


def test_litter_and_other_files_are_passed_over_quietly(tmp_path: Path) -> None:
    files = letters("A", "B") | {
        ".hidden/x.png": picture(),
        "A/._0.png": b"fork",
        "__MACOSX/A/0.png": b"fork",
        "A/.DS_Store": b"",
        "A/Thumbs.db": b"",
        "README.txt": b"hello",
        "B/list.csv": b"",
    }
    for path in (tar(tmp_path / "a.tar", files), folder(tmp_path / "a", files)):
        content = read(path, True)
        assert content.classes == ("A", "B") and not content.skipped
        assert any("other files were passed over" in note for note in content.notes)


def test_where_damaged_pictures_leave_too_few_of_a_class_one_of_them_is_named(
    tmp_path: Path,
) -> None:
    files = {f"{name}/{number}.png": picture(number) for name in "AB" for number in range(6)}
    files |= {f"A/{number}.png": b"damaged" for number in range(3)}
    with pytest.raises(DataError) as caught:
        data_parser.open_data_set(folder(tmp_path / "few", files))
    assert "the class 'A' has 3 images to divide, too few" in str(caught.value)
    assert "; left out, the first of 3: A/0.png: " in str(caught.value)


def test_folders_whose_names_are_shown_alike_are_said_to_be_one_class(tmp_path: Path) -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    files = {
        f"{name}/{number}.png": picture(number)
        for name in ("A", composed, decomposed)
        for number in range(6)
    }
    content = read(zipped(tmp_path / "a.zip", files), True)
    assert content.classes == ("A", composed)
    (note,) = [note for note in content.notes if "encoded" in note]
    assert note.endswith(f"are one class: '{composed}'")
    one = {name: data for name, data in files.items() if not name.startswith(decomposed)}
    assert not any("encoded" in note for note in read(zipped(tmp_path / "b.zip", one), True).notes)


def test_blank_images_are_counted(tmp_path: Path) -> None:
    images = np.zeros((40, 28, 28), np.uint8)
    images[:37, 5:20, 12:15] = 255
    np.savez(tmp_path / "some.npz", images=images, labels=np.arange(40) % 2)
    notes = data_parser.open_data_set(tmp_path / "some.npz", keep_digits=True).notes
    assert "3 images are blank, without any ink" in notes


def test_pictures_without_a_class_are_told_of(tmp_path: Path) -> None:
    content = read_files(tmp_path, letters("A", "B") | {"loose.png": picture()})
    assert len(content.images) == 4
    assert any(note.startswith("1 picture lies in no folder") for note in content.notes)


@pytest.mark.parametrize(
    "name", ["gzip/emnist-letters-test-images-idx3-ubyte.gz", "matlab/emnist-letters.mat"]
)
def test_a_data_set_of_another_kind_in_it_is_named(tmp_path: Path, name: str) -> None:
    files = {"readme.txt": b"", name: b"data"}
    assert f"{name}; unpack it, and give that file" in refusal(zipped(tmp_path / "a.zip", files))
    assert f"{name}; give the path of that file" in refusal(folder(tmp_path / "a", files))


@pytest.mark.parametrize("files", [{}, {"x.png": picture()}, {"A/x.txt": b""}, {"A/x.png": b""}])
def test_a_folder_without_pictures_is_refused(tmp_path: Path, files: Files) -> None:
    (tmp_path / "data").mkdir()
    assert "one folder of PNG" in refusal(folder(tmp_path / "data", files))
    assert "one folder of PNG" in refusal(tar(tmp_path / "a.tar", files))
    assert "one folder of PNG" in refusal(zipped(tmp_path / "a.zip", files))


@pytest.mark.parametrize("name", WRITERS)
def test_of_an_empty_folder_or_archive_it_is_said_that_it_is_empty(
    tmp_path: Path, name: str
) -> None:
    if name == "data":
        (tmp_path / name).mkdir()
    path = WRITERS[name](tmp_path / name, {})
    with pytest.raises(
        DataError, match="it is empty; give a folder with one folder of PNG"
    ) as told:
        data_parser.read_labelled_images(path)
    assert "or a .zip or .tar.gz of such folders" in str(told.value)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.mat", "a"])
def test_a_file_without_a_byte_is_answered_with_all_that_a_data_set_may_be(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="the file is empty; give a MATLAB file") as told:
        data_parser.read_labelled_images(tmp_path / name)
    assert "a folder (or .zip, .tar.gz) of pictures" in str(told.value)


# --- archives that mean harm -----------------------------------------------------------------

UNSAFE = ("/etc/A/x.png", "../A/x.png", "A/../../x.png", "C:/A/x.png", "c:\\A\\x.png")


@pytest.mark.parametrize("name", [*UNSAFE, "A" * 5000 + "/x.png"])
def test_names_that_lead_out_of_an_archive_are_passed_over(tmp_path: Path, name: str) -> None:
    files = letters("A", "B") | {name: picture()}
    for path in (tar(tmp_path / "a.tar", files), zipped(tmp_path / "a.zip", files)):
        content = read(path, True)
        assert len(content.images) == 4
        assert (
            "1 link, device or name that leads out of the archive was passed over" in content.notes
        )
        (line,) = content.skipped
        assert name[:100] in line and line.endswith("leads out of the archive")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_of_a_tar_file_are_passed_over(tmp_path: Path, kind: bytes) -> None:
    path = tar(tmp_path / "a.tar", letters("A", "B"))
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("A/z.png")
        info.type, info.linkname = kind, "A/0.png"
        archive.addfile(info)
    content = read(path, True)
    assert len(content.images) == 4
    assert content.skipped == ("A/z.png: it is a link or device, or leads out of the archive",)


def test_links_of_a_zip_file_are_passed_over(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", letters("A", "B"))
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("A/z.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "0.png")
    content = read(path, True)
    assert len(content.images) == 4
    assert content.skipped == ("A/z.png: it is a link or device, or leads out of the archive",)


def test_a_zip_file_made_with_backslashes_is_read(tmp_path: Path) -> None:
    files = {name.replace("/", "\\"): data for name, data in letters("A", "B").items()}
    assert read(zipped(tmp_path / "a.zip", files), True).classes == ("A", "B")


def test_encrypted_members_are_left_out(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", letters("A", "B", each=1), zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    content = read(path, True)
    assert content.classes == ("B",) and "encrypted" in content.skipped[0]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_in_folders_are_not_followed_in_circles(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", letters("A", "B"))
    (data / "A" / "up").symlink_to(data)
    (data / "0").symlink_to(data / "B")
    (data / "A" / "itself.png").symlink_to(data / "A" / "itself.png")
    (data / "A" / "nowhere.png").symlink_to(tmp_path / "nothing")
    (data / "A" / "9.png").symlink_to(data / "A" / "0.png")
    os.mkfifo(data / "A" / "pipe.png")
    content = read(data, True)
    assert content.names == ("A/0.png", "A/1.png", "A/9.png", "B/0.png", "B/1.png")
    lost = [f"A/{name}.png" for name in ("itself", "nowhere", "pipe")]
    why = "it is a link to nowhere, a device or a pipe"
    assert content.skipped == tuple(f"{name}: {why}" for name in lost)
    assert content.notes[0].startswith("3 links to nowhere, devices or pipes")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_class_may_be_a_link_to_a_folder_elsewhere(tmp_path: Path) -> None:
    store = folder(tmp_path / "store", letters("B", "C"))
    data = folder(tmp_path / "data", letters("A"))
    (data / "linked").symlink_to(store / "B")
    assert read(data, True).classes == ("A", "linked")


def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = letters("A", "B") | {"A/big.png": bytes(300_000)}
    monkeypatch.setattr(folder_members, "MOST_UNPACKED_BYTES", 250_000)
    for name in ("data.tar", "data.tar.gz", "data.tar.bz2", "data.tar.xz", "data.zip"):
        assert "unpacks to more than 250,000" in refusal(WRITERS[name](tmp_path / name, files))


def test_a_picture_of_too_many_bytes_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_members, "MOST_PICTURE_BYTES", 10_000)
    for name, write in WRITERS.items():
        content = read(write(tmp_path / name, letters("A") | {"A/big.png": bytes(20_000)}), True)
        assert content.skipped == ("A/big.png: it has 20,000 bytes, more than 10,000",)


def test_more_files_than_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_members, "MOST_MEMBERS", 3)
    for name, write in WRITERS.items():
        assert "more than 3 files" in refusal(write(tmp_path / name, letters("A", "B")))


def test_pictures_of_too_many_pixels_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = letters("A", "B")
    monkeypatch.setattr("data_formats.image_folder.MOST_PIXELS_TOGETHER", 1_000)
    for name, write in WRITERS.items():
        assert "more than 1,000 pixels together" in refusal(write(tmp_path / name, files))


def test_how_many_pictures_were_read_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    read(folder(tmp_path / "data", letters("A", "B")), True, told.append)
    assert told == sorted(told) and told[0] == 0
    assert told[-1] == len(letters("A", "B")) - 1


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return len(data).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    data = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [9_440, 10_000, 60_000])
def test_a_picture_of_too_many_pixels_is_left_out(tmp_path: Path, side: int) -> None:
    content = read_files(tmp_path, letters("A") | {"A/bomb.png": png_claiming(side, side)})
    assert len(content.images) == 2
    assert "more than 89,000,000" in content.skipped[0] and "178956970" not in content.skipped[0]


def test_headers_of_a_tar_file_cannot_claim_memory(tmp_path: Path) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tarfile.TarInfo("long")
        info.type, info.size = kind, 2**32
        (tmp_path / "a.tar").write_bytes(info.tobuf() + bytes(4096))
        assert "a header claims 4294967296 bytes" in refusal(tmp_path / "a.tar")


def test_an_xz_file_cannot_claim_memory(tmp_path: Path) -> None:
    packed = lzma.compress(tar(tmp_path / "a.tar", letters("A")).read_bytes())
    block = bytearray(packed[12:24])  # the first block's header: sizes, filter, its properties
    assert block[2:4] == b"\x21\x01"
    block[4] = 40  # a dictionary of 4 GiB
    block[-4:] = zlib.crc32(block[:-4]).to_bytes(4, "little")
    (tmp_path / "b.tar.xz").write_bytes(packed[:12] + block + packed[24:])
    assert "Memory usage limit" in refusal(tmp_path / "b.tar.xz")


def test_pictures_that_fill_the_blocks_of_a_tar_file_are_read(tmp_path: Path) -> None:
    files = {name: data.ljust(1024, b"\0") for name, data in letters("A", "B").items()}
    assert len(read(tar(tmp_path / "a.tar", files), True).images) == 4


def test_an_xz_file_of_several_streams_is_read(tmp_path: Path) -> None:
    plain = tar(tmp_path / "a.tar", letters("A", "B")).read_bytes()
    parts = [lzma.compress(plain[:1000]), bytes(8), lzma.compress(plain[1000:]), bytes(4)]
    (tmp_path / "b.tar.xz").write_bytes(b"".join(parts))
    assert len(read(tmp_path / "b.tar.xz", True).images) == 4


def test_a_tar_file_that_is_damaged_in_its_middle_is_refused(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", letters("A", "B"))
    data = bytearray(path.read_bytes())
    second = data.index(b"A/1.png")
    data[second : second + 300] = b"x" * 300
    path.write_bytes(data)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "data"])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / name, letters("A", "B", each=5))
    data = path.read_bytes()
    for share in (0.2, 0.5, 0.8):
        path.write_bytes(data[: int(len(data.rstrip(b"\0")) * share)])
        assert "damaged" in refusal(path) or "cut off" in refusal(path)


SAMPLES = [picture(3), encoded(drawn(3, mode="P"), "GIF"), encoded(drawn(3), "TIFF")]
SAMPLES += [encoded(drawn(3), "JPEG"), encoded(drawn(3), "BMP"), encoded(drawn(3), "WEBP")]
MUTATIONS = st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), min_size=1, max_size=8)


def mutated(data: bytes, mutations: list[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for place, value in mutations:
        changed[int(place * len(changed))] = value
    return bytes(changed)


@given(sample=st.integers(0, len(SAMPLES) - 1), mutations=MUTATIONS, kept=st.floats(0.1, 1))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_changed_picture_is_read_or_left_out(
    tmp_path: Path, sample: int, mutations: list[tuple[float, int]], kept: float
) -> None:
    data = mutated(SAMPLES[sample], mutations)
    suffix = ("png", "gif", "tif", "jpg", "bmp", "webp")[sample]
    files = letters("A", "B", each=1) | {f"B/x.{suffix}": data[: int(len(data) * kept)]}
    content = read(zipped(tmp_path / "a.zip", files), True)
    assert len(content.images) + len(content.skipped) == 3
    assert all(len(line.split(": ", 1)) == 2 and line.isprintable() for line in content.skipped)


@example(name="data.zip", mutations=[(0.93359375, 0)])  # a member without a name
@given(name=st.sampled_from([n for n in WRITERS if n != "data"]), mutations=MUTATIONS)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_changed_archive_is_read_or_refused(
    tmp_path: Path, name: str, mutations: list[tuple[float, int]]
) -> None:
    path = WRITERS[name](tmp_path / name, letters("A", "B", each=1))
    path.write_bytes(mutated(path.read_bytes(), mutations))
    recognises_archive(path)
    try:
        content = read(path, True)
    except Problem as problem:
        assert str(problem).isprintable()
    else:
        assert len(content.images) == len(content.labels) == len(content.names) > 0
        assert content.labels.max() == len(content.classes) - 1


@given(st.binary(max_size=3000), st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9"]))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_refused(tmp_path: Path, data: bytes, start: bytes) -> None:
    (tmp_path / "bytes").write_bytes(start + data)
    recognises_archive(tmp_path / "bytes")
    refusal(tmp_path / "bytes")


# --- real data -------------------------------------------------------------------------------


def test_notmnist_is_read_as_it_is(real_data: Path) -> None:
    path = real_data / "notmnist" / "notMNIST_small.tar.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    assert recognises_archive(path)
    content = read(path, False)
    assert content.classes == tuple("ABCDEFGHIJ")
    assert content.images.shape == (18_470, 28, 28) and len(content.skipped) == 254
    assert content.notes[0] == "254 of 18,724 pictures are one flat grey and were left out"
    assert 90 < content.images.mean() < 120  # bold letters, white on black
    assert any("as they were" in note for note in content.notes)


def test_syriac_letters_are_prepared(real_data: Path) -> None:
    path = real_data / "syriac" / "syriac-serto.tar.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    content = read(path, False)
    assert len(content.classes) == 23 and content.images.shape == (460, 28, 28)
    assert np.bincount(content.labels).tolist() == [20] * 23
    assert content.names[:2] == ("alaph/01.png", "alaph/02.png") and not content.skipped
    assert 20 < content.images.mean() < 50  # as in EMNIST
    ink = content.images > 127
    sizes = [max(np.ptp(np.nonzero(i)[0]), np.ptp(np.nonzero(i)[1])) + 1 for i in ink]
    assert np.median(sizes) == 22 and set(sizes) <= {19, 20, 21, 22, 23}
