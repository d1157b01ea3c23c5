"""Reader of pictures in folders, one folder a class, as they are or in a tar or zip archive.

Pictures may be of any size; `image_preparation` makes 28x28 images of them. Those of a set that
already is 28x28, but for a few, stay as they are. `folder_members` finds pictures, `picture_names`
knows what their names say.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from counting import counted
from data_formats.common import (
    Content,
    Tell,
    check_name,
    left_out_digits,
    note_on_digits,
    tell_nobody,
)
from data_formats.folder_members import Member, members_of, recognises_archive
from data_formats.image_stacks import CROPPED
from data_formats.picture import FIRST_OF_SEVERAL, Unreadable, eight_bits, read_first
from data_formats.picture_names import (
    is_picture,
    natural_order,
    part_of,
    printable,
    without_parts,
)
from data_formats.problems import Problem, one_line, quoted, telling_what_was_left_out
from image_arrays import IMAGE_SIZE, Images

__all__ = ("read", "recognises_archive")  # what every reader offers

MOST_OTHERS = 1_000  # files that are no pictures, before they are weighed against pictures
MOST_OTHERS_A_PICTURE = 10
MOST_PIXELS_TOGETHER = 10**12  # of all pictures: 80,000 photographs, hours of work
LEAST_WHOLE = 0.9  # share of 28x28 pictures in a set that is taken to be of that size
LEAST_TURNED = 0.02  # share of either polarity in a set of both
CLEAR_BORDER = 0.9  # share of a picture's border that tells the paper
NO_CLASS = "it lies in no folder that would name its class"
_WANTED = (
    "give a folder with one folder of PNG, JPEG, TIFF, BMP, GIF or WebP pictures for each class, "
    "or a .zip or .tar.gz of such folders"
)
# Endings of data sets of other kinds, and of archives within archives.
DATA_FILES = (".mat", "-ubyte", "-ubyte.gz", ".npz", ".zip", ".tar", ".tgz", ".tar.gz")


class _Picture(NamedTuple):
    """Where a picture lies, and what it is called.

    Attributes:
        whole: Whether it was 28x28 and is kept as it was.
        of_several: Whether its file holds other pages or frames, which are not read.
        place: The folder that it lies in.
        class_name: Its class, as that folder is named.
        file: Its file's name.
    """

    whole: bool
    of_several: bool
    place: PurePosixPath
    class_name: str
    file: str

    @property
    def part(self) -> str:
        """What a folder above its class says: "train", "test" or "" for nothing."""
        return part_of(self.place.parts[:-1])

    @property
    def folders(self) -> tuple[str, ...]:
        """The other folders above its class."""
        return tuple(map(printable, without_parts(self.place.parts[:-1])))


@dataclass
class _Gathered:
    """What the members of a folder or an archive have come to so far.

    Attributes:
        pixels: 784 bytes for each picture: as it was if it is whole, prepared otherwise.
        pictures: What is known of each.
        tried: The classes of all pictures, those that are left out too.
        pixels_seen: How many pixels all pictures had.
        data_file: The name of a data set of another kind that lies there; empty without any.
        skipped: What is left out, "file name: why" each.
        counts: How many members were left out for each reason; see `_notes`.
    """

    pixels: bytearray = field(default_factory=bytearray)
    pictures: list[_Picture] = field(default_factory=list)
    tried: dict[str, None] = field(default_factory=dict)
    pixels_seen: int = 0
    data_file: str = ""
    skipped: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def leave_out(self, kind: str, name: str, why: str) -> None:
        """Count what is left out, and note its name."""
        self.counts[kind] += 1
        self.skipped.append(f"{one_line(printable(name))}: {why}")


def read(path: Path, keep_digits: bool, tell: Tell = tell_nobody) -> Content:
    """Read a folder of pictures, or an archive that `recognises_archive` knew.

    A picture's class is the name of the folder that it lies in. That may lie in others, of which
    those named train, training, val, validation, test or testing tell the test rows. Pictures that
    lie beside the folders of two classes or more have none, and are left out.

    Args:
        path: The folder or the archive.
        keep_digits: Whether the classes '0' to '9' stay; if two others are not left, they do.
        tell: See `common.Tell`.

    Returns:
        The content without splits, classes and images in natural order of their names. Pictures
        that cannot be read, or show nothing, are left out and told of.

    Raises:
        Problem: There are no pictures in folders, or the archive is damaged or too large.
        OSError: The folder or the archive cannot be opened.
    """
    found = _Gathered()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters is found out here
        for member in members_of(path, found.leave_out):
            tell(found.counts["pictures"])
            _gather(member, found)
            _check_others(found.counts)
    _leave_out_loose(found)
    content = _content(found, keep_digits) if found.pictures else None
    if content is None:
        with telling_what_was_left_out(found.skipped):
            raise Problem(_why_none(found, path))
    return content


def _check_others(counts: Counter[str]) -> None:
    """Refuse what is no data set before all of a disk is gone through."""
    others = counts["others"]
    if others > MOST_OTHERS and others > MOST_OTHERS_A_PICTURE * counts["pictures"]:
        raise Problem(
            f"among its first {others + counts['pictures']:,} files {counts['pictures']:,} are "
            "pictures; give a folder with a sub-folder of pictures for each class"
        )


def _gather(member: Member, found: _Gathered) -> None:
    """Add the picture of a member, or why there is none."""
    from pictures.image_preparation import prepared

    path = member.path
    if not is_picture(path):
        found.counts["others"] += 1
        if not found.data_file and path.name.lower().endswith(DATA_FILES):
            found.data_file = str(path)
        return
    if len(path.parts) < 2:
        found.leave_out("classless", str(path), NO_CLASS)
        return
    found.counts["pictures"] += 1
    found.tried[printable(path.parent.name)] = None
    try:
        grey, of_several = read_first(member.whole())
    except Unreadable as error:
        found.leave_out("unreadable", str(path), str(error))
        return
    found.pixels_seen += grey.size
    if found.pixels_seen > MOST_PIXELS_TOGETHER:
        raise Problem(f"its pictures have more than {MOST_PIXELS_TOGETHER:,} pixels together")
    if grey.min() == grey.max():
        found.leave_out("flat", str(path), "it is one flat grey")
        return
    whole = grey.shape == (IMAGE_SIZE, IMAGE_SIZE)
    found.pixels += (eight_bits(grey) if whole else prepared(grey)).tobytes()
    class_name = printable(path.parent.name)
    file = printable(path.name)
    found.pictures.append(_Picture(whole, of_several, path.parent, class_name, file))


def _leave_out_loose(found: _Gathered) -> None:
    """Drop pictures above the folders of two classes or more: what holds classes is none itself."""
    places = {picture.place for picture in found.pictures}
    below = Counter(above for place in places for above in place.parents)
    loose = np.array([below[picture.place] >= 2 for picture in found.pictures], np.bool_)
    if not loose.any():
        return
    found.counts["pictures"] -= int(loose.sum())
    images = np.frombuffer(found.pixels, np.uint8).reshape(len(loose), -1)
    found.pixels = bytearray(images[~loose].tobytes())
    dropped = [found.pictures[row] for row in np.flatnonzero(loose)]
    found.pictures = [found.pictures[row] for row in np.flatnonzero(~loose)]
    for picture in dropped:
        found.leave_out("classless", str(picture.place / picture.file), NO_CLASS)
    classes = {picture.class_name for picture in found.pictures}
    for name in {picture.class_name for picture in dropped} - classes:
        del found.tried[name]


def _content(found: _Gathered, keep_digits: bool) -> Content | None:
    """What was found; None where no picture shows anything."""
    images, how = _images(found)
    pictures = found.pictures
    shown = images.any(axis=(1, 2))
    for row in np.flatnonzero(~shown).tolist():
        name = f"{pictures[row].class_name}/{pictures[row].file}"
        found.leave_out("inkless", name, "no ink was found on it")
    rows = np.flatnonzero(shown).tolist()
    classes = sorted(
        {pictures[row].class_name for row in rows}, key=lambda c: (natural_order(c), c)
    )
    if not classes:
        return None
    for name in classes:
        check_name(name)
    for name in [name for name in found.tried if name not in classes]:
        found.leave_out("empty", name, "none of its pictures can be used")
    used = [pictures[row] for row in rows]
    gone = left_out_digits(classes, keep_digits)
    notes = (
        *_notes(found),
        how,
        *_note_on_pages(used),
        *_note_on_folders_above(used),
        *_note_on_spellings([one for one in used if one.class_name not in gone]),
    )
    classes = [name for name in classes if name not in gone]
    digits = sum(pictures[row].class_name in gone for row in rows)
    if digits:
        notes = (*notes, note_on_digits(digits))
    label = {name: number for number, name in enumerate(classes)}
    rows = [row for row in rows if pictures[row].class_name in label]

    def order(row: int) -> tuple[Any, ...]:
        file = pictures[row].file
        return label[pictures[row].class_name], natural_order(file), file

    rows.sort(key=order)
    in_test = np.array([pictures[row].part == "test" for row in rows], np.bool_)
    return Content(
        np.ascontiguousarray(images[rows]),
        np.array([label[pictures[row].class_name] for row in rows], np.int32),
        tuple(classes),
        in_test if not in_test.all() else np.zeros_like(in_test),
        names=_names([pictures[row] for row in rows]),
        notes=notes,
        skipped=tuple(found.skipped),
    )


def _note_on_pages(pictures: Sequence[_Picture]) -> tuple[str, ...]:
    """What to know where files hold more than the one picture that is read."""
    count = sum(picture.of_several for picture in pictures)
    if not count:
        return ()
    return (f"{counted(count, 'picture has', 'pictures have')} {FIRST_OF_SEVERAL}",)


def _note_on_folders_above(pictures: Sequence[_Picture]) -> tuple[str, ...]:
    """What to know where classes of one name lie in several folders."""
    above = {picture.class_name: picture.folders for picture in pictures}
    if all(above[picture.class_name] == picture.folders for picture in pictures):
        return ()
    folders = sorted({"/".join(picture.folders) for picture in pictures} - {""})
    shown = one_line(folders[0])
    return (
        f"Classes of the same name in different folders are one class: the "
        f"{counted(len(folders), 'folder')} above them, such as {shown}, tell none apart",
    )


def _note_on_spellings(pictures: Sequence[_Picture]) -> tuple[str, ...]:
    """What to know where folders of several names are one class, since those are shown alike."""
    spelt = {(picture.class_name, picture.place.name) for picture in pictures}
    several = [name for name, count in Counter(name for name, _ in spelt).items() if count > 1]
    if not several:
        return ()
    named = quoted(sorted(several)[0])
    others = f" and {counted(len(several) - 1, 'other')}" if len(several) > 1 else ""
    return (
        f"there are folders whose names look alike, but for spaces around them or how characters "
        f"are encoded, and are one class: {named}{others}",
    )


def _names(pictures: Sequence[_Picture]) -> tuple[str, ...]:
    """The files of pictures with their folders, but for those that all pictures lie in."""
    folders = [picture.folders for picture in pictures]
    pairs = zip(min(folders), max(folders), strict=False)
    common = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return tuple(
        "/".join((*above[common:], picture.class_name, picture.file))
        for above, picture in zip(folders, pictures, strict=True)
    )


def _images(found: _Gathered) -> tuple[Images, str]:
    """The images (N, 28, 28), and a note on what was done to them."""
    from pictures.image_preparation import prepared
    from pictures.prepared_images import is_prepared

    images = np.frombuffer(found.pixels, np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
    whole = np.array([picture.whole for picture in found.pictures], np.bool_)
    if whole.mean() < LEAST_WHOLE or not is_prepared(images[whole]):
        for row in np.flatnonzero(whole).tolist():
            images[row] = prepared(images[row])
        return images, f"the pictures were {CROPPED}"
    images[whole], note = _on_black(images[whole])
    if whole.all():
        return images, note
    others = counted(int((~whole).sum()), "picture of another size was", "of other sizes were")
    return images, f"{note}; {others} {CROPPED}"


def _on_black(images: Images) -> tuple[Images, str]:
    """Prepared pictures (N, 28, 28) with light ink on black paper, and a note on that.

    It is decided for all at once, but where both kinds are among them beyond doubt.
    """
    from pictures.image_polarity import BLACK, WHITE, border_of, on_black

    border = images[:, border_of(images.shape[1:])]
    kinds = [np.mean(paper, axis=1) for paper in (border <= BLACK, border >= WHITE)]
    if min(np.mean(kind >= CLEAR_BORDER) for kind in kinds) >= LEAST_TURNED:
        turned = np.concatenate([on_black(image[np.newaxis]) for image in images])
        count = int((turned != images).any(axis=(1, 2)).sum())
        return turned, (
            f"the pictures were 28x28; {count:,} of {len(images):,} were dark on white, and were "
            "turned to light on black"
        )
    turned = on_black(images)
    if turned is images:
        return images, "the pictures were 28x28, light on black, and are as they were"
    return turned, "the pictures were 28x28, dark on white, and were turned to light on black"


def _notes(found: _Gathered) -> tuple[str, ...]:
    counts = found.counts
    of_tried = f"of {counted(counts['pictures'], 'picture')}"
    told = {
        "flat": (f"{of_tried} is one flat grey and was left out",
                 f"{of_tried} are one flat grey and were left out"),
        "inkless": (f"{of_tried} shows no ink and was left out",
                    f"{of_tried} show no ink and were left out"),
        "unreadable": (f"{of_tried} could not be read and was left out",
                       f"{of_tried} could not be read and were left out"),
        "classless": ("picture lies in no folder that would name its class and was left out",
                      "pictures lie in no folder that would name their class and were left out"),
        "others": ("other file was passed over", "other files were passed over"),
        "empty": ("folder holds no picture that can be used",
                  "folders hold no picture that can be used"),
        "special": ("link to nowhere, device or pipe that is called a picture was passed over",
                    "links to nowhere, devices or pipes that are called pictures were passed over"),
        "unsafe": ("link, device or name that leads out of the archive was passed over",
                   "links, devices or names that lead out of the archive were passed over"),
    }  # fmt: skip
    return tuple(counted(counts[kind], *words) for kind, words in told.items() if counts[kind])


def _why_none(found: _Gathered, path: Path) -> str:
    if found.data_file:
        name = one_line(printable(found.data_file))
        unpack = "give the path of that file" if path.is_dir() else "unpack it, and give that file"
        return f"it holds no pictures that can be used, but {name}; {unpack}"
    if not found.counts:
        return f"it is empty; {_WANTED}"
    notes = _notes(found)
    because = f" ({one_line('; '.join(notes))})" if notes else ""
    return f"it holds no pictures that can be used; {_WANTED}{because}"
