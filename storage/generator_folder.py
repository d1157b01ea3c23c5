"""Trained generators as a folder: `collection.json`, and a file of weights for each generator.

Like a model collection, a folder is data alone: settings that were checked, and plain numbers that
networks rebuilt from those settings are filled with. A generator of one character is keyed by its
code point, one of many by their number and a hash. Programs that write to the same folder wait for
each other.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gan.settings import (
    CHARACTER_KINDS,
    GanSettings,
    settings_from_dictionary,
    settings_to_json,
    weight_count,
)
from process_lock import give_up_in_time
from settings.literal_files import quoted_list
from storage.checked_folder import (
    FILE_NAME,
    Problem,
    a_mapping,
    a_number,
    a_text,
    a_whole_number,
    naming,
    read_record,
    read_weights_row,
    within,
)
from storage.network_folder import (
    FolderFormat,
    Written,
    alone_in,
    checked_settings,
    read_networks,
    read_training,
    read_versions,
    training_to_json,
    write_networks,
)

FORMAT = FolderFormat("handwriting generator collection", "generators", "the generator")
LONGEST_KEY = 120  # characters
MAXIMUM_GENERATORS = MAXIMUM_CHARACTERS = 70_000


@dataclass(frozen=True)
class ImagesLearnt:
    """The images that a generator was trained on.

    Attributes:
        name: file name of the data set.
        fingerprint: SHA-256 over the images, 64 hexadecimal digits.
        images: how many there were.
        selection: which of the data set's images they are, in words.
    """

    name: str
    fingerprint: str
    images: int
    selection: str


@dataclass(frozen=True, eq=False)
class CharacterGenerator:
    """A trained generator of one character, or of many.

    Attributes:
        characters: what it draws; several in the order of the labels that it is told.
        settings: how it is built and was trained.
        steps: batches it learnt from; fewer than the settings say where it was stopped.
        seconds: time of the training.
        seed: of the training.
        data: what it learnt from.
        quality: measured figures by name; empty where nothing was measured.
        versions: names and versions of the libraries.
        weights: float16 (W,), of the network that `gan.drawing.build_generator` makes.
    """

    characters: tuple[str, ...]
    settings: GanSettings
    steps: int
    seconds: float
    seed: int
    data: ImagesLearnt
    quality: Mapping[str, float]
    versions: Mapping[str, str]
    weights: npt.NDArray[np.float16] = field(repr=False)


Generators: TypeAlias = dict[tuple[str, ...], CharacterGenerator]  # by what they draw


def code_point(character: str) -> str:
    """How a character is keyed.

    Args:
        character: a class's name, of one character or more.

    Returns:
        Such as 'U+0041' for 'A'; several joined by '-'.
    """
    return "-".join(f"U+{ord(letter):04X}" for letter in character)


def key_of(characters: tuple[str, ...]) -> str:
    """How a generator is keyed in its folder's document.

    Long names are keyed as many characters are: keys are parts of file names.

    Args:
        characters: that it draws, one or more.

    Returns:
        Such as 'U+0041' for that of 'A', '47-0123456789abcdef' for many.
    """
    if len(characters) == 1 and len(code_point(characters[0])) <= LONGEST_KEY:
        return code_point(characters[0])
    digest = hashlib.sha256(" ".join(map(code_point, characters)).encode()).hexdigest()
    return f"{len(characters)}-{digest[:16]}"


def load_generators(folder: Path, kind: str) -> Generators:
    """Read all generators of a folder, checking everything before anything is used.

    Args:
        folder: written by `save_generator`; one that is not there holds none.
        kind: what the folder must be made for, one of `gan.settings.KINDS`.

    Returns:
        Generators by the characters that they draw.

    Raises:
        CollectionError: the folder is damaged, or holds something else.
    """
    return read_networks(
        folder, FORMAT, lambda document: _checked_generators(folder, kind, document)
    )


def drawers_of(
    generators: Mapping[tuple[str, ...], CharacterGenerator], classes: tuple[str, ...]
) -> dict[str, CharacterGenerator]:
    """Choose what draws each class of a data set.

    A generator of many characters counts where it knows all of the data set's; of several that do,
    the one that knows fewest others.

    Args:
        generators: of one kind, by the characters that they draw.
        classes: of the data set.

    Returns:
        Generators by character; classes that none draws are not there.
    """
    closest = sorted(generators, key=lambda known: (len(known), known != classes), reverse=True)
    found: dict[str, CharacterGenerator] = {}
    for known in closest:
        if len(known) == 1 or set(classes) <= set(known):
            found |= {character: generators[known] for character in known if character in classes}
    return found


def _checked_generators(folder: Path, kind: str, document: dict[str, Any]) -> Generators:
    with naming(folder / FILE_NAME):
        if document.get("kind") != kind:
            raise Problem(f"it is made for {str(document.get('kind'))[:40]!r}, not {kind!r}")
        about = a_mapping(document.get("generators"), "'generators'")
        if len(about) > MAXIMUM_GENERATORS:
            raise Problem(f"it has more than {MAXIMUM_GENERATORS:,} generators")
        generators: Generators = {}
        for key, given in about.items():
            with within(a_text(key, "a key")):
                generator = _read_generator(folder, kind, given)
                if key_of(generator.characters) != key:
                    raise Problem(f"its characters are {quoted_list(generator.characters)[:200]}")
                generators[generator.characters] = generator
    return generators


def _read_generator(folder: Path, kind: str, given: Any) -> CharacterGenerator:
    about = a_mapping(given, "a generator")
    settings = checked_settings(settings_from_dictionary(kind, about.get("settings")))
    characters = _read_characters(kind, about)
    classes = len(characters) if kind not in CHARACTER_KINDS else None
    return CharacterGenerator(
        characters=characters,
        settings=settings,
        **read_training(about),
        data=read_record(
            about.get("data"),
            ImagesLearnt,
            {
                "name": a_text,
                "fingerprint": a_text,
                "images": a_whole_number,
                "selection": a_text,
            },
        ),
        quality={
            a_text(name, "a figure"): a_number(value, name)
            for name, value in a_mapping(about.get("quality"), "'quality'").items()
        },
        versions=read_versions(about),
        weights=read_weights_row(folder, about.get("weights"), weight_count(settings, classes)),
    )


def _read_characters(kind: str, about: Mapping[str, Any]) -> tuple[str, ...]:
    if kind in CHARACTER_KINDS:
        return (a_text(about.get("character"), "'character'"),)
    given = about.get("characters")
    if not isinstance(given, list) or not 2 <= len(given) <= MAXIMUM_CHARACTERS:
        raise Problem(f"'characters' is not a list of 2 to {MAXIMUM_CHARACTERS:,}")
    characters = tuple(a_text(character, "a character") for character in given)
    if len(set(characters)) < len(characters):
        raise Problem("a character is in it twice")
    return characters


def save_generator(
    folder: Path,
    kind: str,
    generator: CharacterGenerator,
    while_waiting: Callable[[float], None] = give_up_in_time,
) -> None:
    """Add a generator to a folder, in place of one of the same characters.

    Args:
        folder: a new folder, or one written by this module.
        kind: one of `gan.settings.KINDS`.
        generator: what to keep.
        while_waiting: see `network_folder.alone_in`.

    Raises:
        CollectionError: the folder is damaged or cannot be written; what was there is unchanged.
    """
    change_generators(
        folder, kind, lambda kept: kept | {generator.characters: generator}, while_waiting
    )


def change_generators(
    folder: Path,
    kind: str,
    change: Callable[[Generators], Generators],
    while_waiting: Callable[[float], None] = give_up_in_time,
) -> Generators:
    """Put other generators in place of those of a folder, while no other program writes to it.

    Args:
        folder: a new folder, or one written by this module.
        kind: one of `gan.settings.KINDS`.
        change: is given the generators of the folder by the characters that they draw, and returns
            those that take their place.
        while_waiting: see `network_folder.alone_in`.

    Returns:
        What the folder holds now.

    Raises:
        CollectionError: the folder is damaged or cannot be written; what was there is unchanged.
    """
    with alone_in(folder, FORMAT, while_waiting):
        generators = change(load_generators(folder, kind))
        written = {key_of(names): _written(kind, generators[names]) for names in sorted(generators)}
        write_networks(folder, FORMAT, {"kind": kind}, written)
    return generators


def _written(kind: str, generator: CharacterGenerator) -> Written:
    drawn: dict[str, Any] = {"characters": list(generator.characters)}
    if kind in CHARACTER_KINDS:
        drawn = {"character": generator.characters[0]}
    about = {
        **drawn,
        "settings": settings_to_json(generator.settings),
        **training_to_json(generator.steps, generator.seconds, generator.seed),
        "data": dataclasses.asdict(generator.data),
        "quality": dict(generator.quality),
        "versions": dict(generator.versions),
    }
    return Written(about, generator.weights)
