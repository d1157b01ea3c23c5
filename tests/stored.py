"""Generators of single characters, read back from their folder."""

from pathlib import Path

from storage.generator_folder import CharacterGenerator, load_generators


def by_character(folder: Path, kind: str) -> dict[str, CharacterGenerator]:
    """Generators of one character each, in the folder's order."""
    return {
        "".join(characters): generator
        for characters, generator in load_generators(folder, kind).items()
    }
