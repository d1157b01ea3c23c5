"""Tests of trained generators on disk: round trips, damaged and hostile folders, failed saves."""

import dataclasses
import hashlib
import io
import json
import multiprocessing
import os
import pickle
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from errors import CollectionError
from gan.settings import GanSettings, Strategy, weight_count
from process_lock import LOCK_NAME, holding
from storage import generator_folder
from storage.checked_folder import FILE_NAME
from storage.generator_folder import (
    CharacterGenerator,
    Generators,
    ImagesLearnt,
    change_generators,
    code_point,
    drawers_of,
    key_of,
    load_generators,
    save_generator,
)
from tests.conditional import PLAIN, READING, many

Change = Callable[[dict[str, Any]], None]
KIND = "keras"
SETTINGS = GanSettings(
    network="convolutional",
    generator_widths=(2, 2, 1),
    discriminator_widths=(2,),
    latent_size=2,
    loss="hinge",
    steps=6,
    batch_size=4,
    generator_learning_rate=0.001,
    discriminator_learning_rate=0.001,
)
COUNT = weight_count(SETTINGS)
many_examples = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)


def made(character: str, seed: int = 1, **changes: Any) -> CharacterGenerator:
    """A generator with random weights."""
    weights = np.random.default_rng([seed, *map(ord, character)]).standard_normal(COUNT)
    values: dict[str, Any] = {
        "characters": (character,),
        "settings": SETTINGS,
        "steps": 6,
        "seconds": 1.5,
        "seed": seed,
        "data": ImagesLearnt("letters.mat", "0" * 64, 60, "the generator split"),
        "quality": {"recognition": 0.75},
        "versions": {"keras": "3.12"},
        "weights": weights.astype(np.float16),
    }
    return CharacterGenerator(**(values | changes))


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with generators of A and B; not to be changed."""
    folder = tmp_path_factory.mktemp("generators") / KIND
    for character in "AB":
        save_generator(folder, KIND, made(character))
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of the saved generators that may be changed."""
    return Path(shutil.copytree(saved, tmp_path / KIND))


def same(one: CharacterGenerator, other: CharacterGenerator) -> bool:
    plain = [field.name for field in dataclasses.fields(one) if field.name != "weights"]
    return (
        all(getattr(one, name) == getattr(other, name) for name in plain)
        and one.weights.dtype == other.weights.dtype
        and one.weights.tobytes() == other.weights.tobytes()
    )


def holds(folder: Path, *generators: CharacterGenerator) -> bool:
    loaded = load_generators(folder, KIND)
    return sorted(loaded) == sorted(given.characters for given in generators) and all(
        same(loaded[given.characters], given) for given in generators
    )


def content_of(folder: Path) -> dict[str, bytes]:
    """All files by name, without the one that is a lock."""
    return {name: (folder / name).read_bytes() for name in names_in(folder)}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()} - {LOCK_NAME}


def document_of(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / FILE_NAME).read_text())
    return read


def changed(folder: Path, change: Change) -> None:
    document = document_of(folder)
    change(document)
    (folder / FILE_NAME).write_text(json.dumps(document))


def refusal(folder: Path, kind: str = KIND) -> str:
    """The message with which a folder is refused, short enough for a terminal."""
    with pytest.raises(CollectionError) as caught:
        load_generators(folder, kind)
    message = str(caught.value)
    assert str(folder) in message and len(message) < 1000
    return message


def with_weights(folder: Path, content: bytes) -> None:
    """Puts other content in place of A's weights, with the matching SHA-256 in the JSON."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"{digest[:16]}.weights.npy"
    (folder / name).write_bytes(content)
    about = {"file": name, "sha256": digest}
    changed(folder, lambda document: document["generators"]["U+0041"].update(weights=about))


def npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


# ------------------------------------------------------------------------- round trips


def test_generators_are_read_back_to_the_last_bit(saved: Path) -> None:
    assert holds(saved, made("A"), made("B"))


def test_every_setting_is_read_back(tmp_path: Path) -> None:
    strategy = Strategy("scheduled", schedule=("generator", "generator", "discriminator"))
    given = made(
        "A",
        settings=dataclasses.replace(SETTINGS, latent_scale=0.7, adversarial_optimizer=strategy),
        quality={},
        steps=0,
    )
    save_generator(tmp_path / "new", "keras_adversarial", given)
    assert same(load_generators(tmp_path / "new", "keras_adversarial")[("A",)], given)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty", "file"):
        assert load_generators(tmp_path / name, KIND) == {}


def test_a_capital_and_its_small_letter_are_two(tmp_path: Path) -> None:
    given = [made(character) for character in ("A", "a", "ä", "Ä", "'", "/", ".", "\u3042")]
    for generator in given:
        save_generator(tmp_path / KIND, KIND, generator)
    assert holds(tmp_path / KIND, *given)
    names = [name.casefold() for name in names_in(tmp_path / KIND)]
    assert len(set(names)) == len(names) == len(given) + 1


@pytest.mark.parametrize(
    ("character", "key"),
    [("A", "U+0041"), ("a", "U+0061"), ("\U0001f600", "U+1F600"), ("ab", "U+0061-U+0062")],
)
def test_a_character_is_keyed_by_its_code_points(character: str, key: str) -> None:
    assert code_point(character) == key


def test_a_new_generator_takes_the_place_of_the_old_one_of_its_character(folder: Path) -> None:
    before = document_of(folder)["generators"]
    save_generator(folder, KIND, made("A", seed=2))
    assert holds(folder, made("A", seed=2), made("B"))
    assert not (folder / before["U+0041"]["weights"]["file"]).exists()
    assert (folder / before["U+0042"]["weights"]["file"]).exists()
    assert len(names_in(folder)) == 3


def test_the_same_weights_of_two_characters_lie_there_once(folder: Path) -> None:
    save_generator(folder, KIND, made("C", weights=made("A").weights))
    assert len(list(folder.glob("*.npy"))) == 2
    save_generator(folder, KIND, made("A", seed=2))
    assert holds(folder, made("A", seed=2), made("B"), made("C", weights=made("A").weights))


def test_saving_the_same_again_changes_nothing(folder: Path) -> None:
    before = content_of(folder)
    save_generator(folder, KIND, made("A"))
    assert content_of(folder) == before


def test_other_files_of_the_user_stay(folder: Path) -> None:
    for name in ("notes.txt", "mine.weights.npy", "0123.weights.npy"):
        (folder / name).write_text("mine")
    save_generator(folder, KIND, made("A", seed=2))
    for name in ("notes.txt", "mine.weights.npy", "0123.weights.npy"):
        assert (folder / name).read_text() == "mine"


# ------------------------------------------------------------------------- damaged folders


def generator(**values: Any) -> Change:
    return lambda document: document["generators"]["U+0041"].update(values)


def gan_settings(**values: Any) -> Change:
    return lambda document: document["generators"]["U+0041"]["settings"].update(values)


def learnt(**values: Any) -> Change:
    return lambda document: document["generators"]["U+0041"]["data"].update(values)


def weights(**values: Any) -> Change:
    return lambda document: document["generators"]["U+0041"]["weights"].update(values)


def top(**values: Any) -> Change:
    return lambda document: document.update(values)


def swapped(generators: dict[str, Any]) -> None:
    generators["U+0041"], generators["U+0042"] = generators["U+0042"], generators["U+0041"]


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


HUGE = 10**4000
CHANGES: dict[str, Change] = {
    "format of a model collection": top(format="handwriting model collection"),
    "format missing": lambda d: d.pop("format"),
    "newer schema": top(schema_version=2),
    "schema as text": top(schema_version="1"),
    "another kind": top(kind="keras_adversarial"),
    "kind unknown": top(kind="torch"),
    "kind null": top(kind=None),
    "kind deep": top(kind=deep(800)),
    "generators a list": top(generators=[]),
    "generators null": top(generators=None),
    "generators missing": lambda d: d.pop("generators"),
    "generators too many": top(generators=dict.fromkeys(map(str, range(70_001)))),
    "a generator null": lambda d: d["generators"].update({"U+0043": None}),
    "under a key of others": lambda d: d["generators"].update(x=d["generators"].pop("U+0041")),
    "under the other's key": lambda d: swapped(d["generators"]),
    "key with an escape": lambda d: d["generators"].update({"\x1b": d["generators"]["U+0041"]}),
    "key empty": lambda d: d["generators"].update({"": d["generators"]["U+0041"]}),
    "character another": generator(character="B"),
    "character empty": generator(character=""),
    "character null": generator(character=None),
    "character with an escape": generator(character="\x1b"),
    "character half of one": generator(character="\ud800"),
    "character long": generator(character="A" * 1001),
    "settings null": generator(settings=None),
    "settings a list": generator(settings=[]),
    "settings empty": generator(settings={}),
    "settings deep": generator(settings=deep(900)),
    "settings with another key": gan_settings(function="x"),
    "network unknown": gan_settings(network="lambda"),
    "network deep": gan_settings(network=deep(900)),
    "network mlp": gan_settings(network="mlp"),
    "widths larger": gan_settings(generator_widths=[2, 2, 2]),
    "widths of another number": gan_settings(generator_widths=[2, 2]),
    "widths huge": gan_settings(generator_widths=[4096, 4096, 4096]),
    "latent size another": gan_settings(latent_size=3),
    "latent scale infinite": gan_settings(latent_scale=float("inf")),
    "wasserstein without penalty": gan_settings(loss="wasserstein"),
    "adversarial optimizer": gan_settings(adversarial_optimizer={"type": "alternating"}),
    "steps negative": generator(steps=-1),
    "steps a fraction": generator(steps=1.5),
    "steps huge": generator(steps=HUGE),
    "seconds NaN": generator(seconds=float("nan")),
    "seconds negative": generator(seconds=-1),
    "seconds as text": generator(seconds="1"),
    "seed as text": generator(seed="1"),
    "seed true": generator(seed=True),
    "data null": generator(data=None),
    "data with another key": learnt(more=1),
    "data without a key": lambda d: d["generators"]["U+0041"]["data"].pop("selection"),
    "data name with an escape": learnt(name="\x1b]0;x\x07"),
    "data images negative": learnt(images=-1),
    "quality null": generator(quality=None),
    "quality negative": generator(quality={"recognition": -1}),
    "quality infinite": generator(quality={"recognition": float("inf")}),
    "quality huge": generator(quality={"recognition": HUGE}),
    "quality named with an escape": generator(quality={"\x1b": 1}),
    "versions a list": generator(versions=[]),
    "version a number": generator(versions={"keras": 3}),
    "weights null": generator(weights=None),
    "weights missing": lambda d: d["generators"]["U+0041"].pop("weights"),
    "weights name a number": weights(file=3),
    "weights name deep": weights(file=deep(900)),
    "weights below": weights(file="below/0123456789abcdef.weights.npy"),
    "weights above": weights(file="../0123456789abcdef.weights.npy"),
    "weights at the root": weights(file="/etc/passwd"),
    "weights with NUL": weights(file="0123456789abcdef.weights.npy\0"),
    "weights with newline": weights(file="0123456789abcdef.weights.npy\n"),
    "weights in capitals": weights(file="0123456789ABCDEF.weights.npy"),
    "weights in another format": weights(file="0123456789abcdef.weights.h5"),
    "weights name JSON": weights(file=FILE_NAME),
    "weights not there": weights(file="0123456789abcdef.weights.npy"),
    "SHA-256 of others": weights(sha256="0" * 64),
    "SHA-256 null": weights(sha256=None),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_document_is_refused(folder: Path, name: str) -> None:
    changed(folder, CHANGES[name])
    refusal(folder)


@pytest.mark.parametrize("name", ["settings null", "steps negative", "weights below"])
def test_the_refusal_names_the_generator(folder: Path, name: str) -> None:
    changed(folder, CHANGES[name])
    assert "U+0041: " in refusal(folder)


@pytest.mark.parametrize(
    "key", ["character", "settings", "steps", "seconds", "seed", "data", "quality", "versions"]
)
def test_a_generator_without_a_key_is_refused(folder: Path, key: str) -> None:
    changed(folder, lambda document: document["generators"]["U+0042"].pop(key))
    assert "U+0042: " in refusal(folder)


def test_a_folder_of_another_kind_is_refused(folder: Path) -> None:
    assert "made for 'keras', not 'keras_adversarial'" in refusal(folder, "keras_adversarial")
    with pytest.raises(CollectionError):
        save_generator(folder, "keras_adversarial", made("C"))
    assert holds(folder, made("A"), made("B"))


def test_a_model_collection_is_refused_and_stays(saved_collection: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved_collection, tmp_path / "models"))
    (folder / LOCK_NAME).unlink()
    assert "'format': 'handwriting generator collection'" in refusal(folder)
    with pytest.raises(CollectionError):
        save_generator(folder, KIND, made("A"))
    assert content_of(folder) == content_of(saved_collection)
    assert not (folder / LOCK_NAME).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"\0" * 100, b"{}" * 2, b"[" * 100_000,
        b'{"a":' * 100_000, b"9" * 10_000, pickle.dumps({"format": generator_folder.FORMAT.name}),
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / FILE_NAME).write_bytes(content)
    refusal(folder)


@pytest.mark.parametrize("depth", [50, 300, 600, 800, 900, 950, 970, 985, 5000])
def test_deep_nesting_anywhere_is_refused(folder: Path, depth: int) -> None:
    text = (folder / FILE_NAME).read_text()
    nested = "[" * depth + "]" * depth
    for key in ("format", "kind", "generators", "network", "steps", "name", "file", "settings"):
        start = text.index(f'"{key}": ')
        (folder / FILE_NAME).write_text(f'{text[:start]}"{key}": {nested}, "x": {text[start:]}')
        changed_text = (folder / FILE_NAME).read_text().replace(f'"x": "{key}"', '"x"', 1)
        (folder / FILE_NAME).write_text(changed_text)
        refusal(folder)


def test_missing_weights_are_named(folder: Path) -> None:
    name = document_of(folder)["generators"]["U+0042"]["weights"]["file"]
    (folder / name).unlink()
    message = refusal(folder)
    assert name in message and "no such file" in message


@pytest.mark.parametrize("change", [b"", b"x", b"\0" * 10_000])
def test_changed_weights_are_named(folder: Path, change: bytes) -> None:
    name = document_of(folder)["generators"]["U+0042"]["weights"]["file"]
    (folder / name).write_bytes(change)
    assert name in refusal(folder)


@pytest.mark.parametrize("kind", ["link", "loop", "pipe", "folder"])
@pytest.mark.parametrize("of", ["weights", "document"])
def test_links_pipes_and_folders_are_refused(folder: Path, kind: str, of: str) -> None:
    name = document_of(folder)["generators"]["U+0041"]["weights"]["file"]
    path = folder / (name if of == "weights" else FILE_NAME)
    elsewhere = path.rename(folder / "elsewhere")
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    refusal(folder)


@pytest.mark.parametrize("name", ["x" * 300, "y/" * 3000, "nul\0", "\udcff\0"])
def test_a_folder_that_no_system_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CollectionError):
        load_generators(tmp_path / name, KIND)
    with pytest.raises(CollectionError):
        save_generator(tmp_path / name, KIND, made("A"))


@many_examples
@given(st.data())
def test_any_damaged_byte_is_refused_or_harmless(
    saved: Path, tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved, folder)
    names = sorted(content_of(saved))
    name = data.draw(st.sampled_from([FILE_NAME, *names]))
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    put = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"9" * 20, b"-"])))
    content[place : place + data.draw(st.integers(0, 3))] = put
    unchanged = bytes(content) == (saved / name).read_bytes()
    (folder / name).write_bytes(content)
    try:
        loaded = load_generators(folder, KIND)
    except CollectionError as error:
        assert not unchanged and len(str(error)) < 1000
        return
    assert unchanged or name == FILE_NAME
    assert all(found.weights.tobytes() == made(found.characters[0]).weights.tobytes()
               for found in loaded.values() if found.characters[0] in "AB")  # fmt: skip


# ------------------------------------------------------------------------- hostile weights


def spoilt(value: float) -> npt.NDArray[np.float16]:
    array = np.zeros(COUNT, np.float16)
    array[3] = value
    return array


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(COUNT, np.float16))
    return buffer.getvalue()


def header(text: str, rest: bytes = b"") -> bytes:
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + rest


HOSTILE: dict[str, bytes] = {
    "NaN": npy(spoilt(float("nan"))),
    "infinite": npy(spoilt(float("-inf"))),
    "one too few": npy(np.zeros(COUNT - 1, np.float16)),
    "one too many": npy(np.zeros(COUNT + 1, np.float16)),
    "none": npy(np.zeros(0, np.float16)),
    "a column": npy(np.zeros((COUNT, 1), np.float16)),
    "a scalar": npy(np.float16(1)),  # type: ignore[arg-type]
    "full precision": npy(np.zeros(COUNT, np.float32)),
    "big endian": npy(np.zeros(COUNT, ">f2")),
    "whole numbers": npy(np.zeros(COUNT, np.int16)),
    "text": npy(np.full(COUNT, b"xx")),
    "records": npy(np.zeros(COUNT, [("a", "<f2")])),
    "far larger": npy(np.zeros(COUNT + 10_000, np.float16)),
    "an archive": npz(),
    "an archive cut off": npz()[:100],
    "empty": b"",
    "magic alone": b"\x93NUMPY",
    "a text": b"no numbers" * 10,
    "shape of terabytes": header("{'descr':'<f2','fortran_order':False,'shape':(1000000000000,)}"),
    "shape beyond all": header(f"{{'descr':'<f2','fortran_order':False,'shape':({10**30},)}}"),
    "shape negative": header("{'descr':'<f2','fortran_order':False,'shape':(-1,)}"),
    "cut off": npy(np.zeros(COUNT, np.float16))[:-2],
    "objects": header(f"{{'descr':'|O','fortran_order':False,'shape':({COUNT},)}}"),
    "code in the header": header("__import__('os').mkdir('mark')"),
    "deep header": header("(" * 300),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_weights_are_refused(folder: Path, name: str) -> None:
    with_weights(folder, HOSTILE[name])
    message = refusal(folder)
    assert "U+0041: " in message or ".weights.npy" in message


def test_the_hostile_files_fail_for_their_own_reason(folder: Path) -> None:
    """A plain row of numbers in their place loads."""
    with_weights(folder, npy(np.ones(COUNT, np.float16)))
    assert load_generators(folder, KIND)[("A",)].weights.sum() == COUNT


class Touching:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_pickles_in_disguise_are_refused_and_never_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    objects = io.BytesIO()
    np.save(objects, np.array([Touching(mark)], object), allow_pickle=True)
    for content in (pickle.dumps(Touching(mark)), objects.getvalue()):
        with_weights(folder, content)
        refusal(folder)
    (folder / FILE_NAME).write_bytes(pickle.dumps(Touching(mark)))
    refusal(folder)
    assert not mark.exists()


@many_examples
@given(
    st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda end: npz()[:-30] + end))
)
@example(b"PK\x05\x06" + b"\0" * 18)
def test_no_content_of_weights_is_anything_but_refused(
    saved: Path, tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "hostile"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved, folder)
    with_weights(folder, content)
    refusal(folder)


# ------------------------------------------------------------------------- saving that fails


def test_a_damaged_folder_is_not_saved_into(folder: Path) -> None:
    changed(folder, CHANGES["steps negative"])
    before = content_of(folder)
    with pytest.raises(CollectionError):
        save_generator(folder, KIND, made("C"))
    assert content_of(folder) == before


@pytest.mark.parametrize("name", ["file", "file/below", "dangling"])
def test_what_is_no_folder_is_not_saved_into(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "deep")
    with pytest.raises(CollectionError):
        save_generator(tmp_path / name, KIND, made("A"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("of", ["weights", "document"])
def test_a_folder_in_the_way_of_a_file_leaves_what_was_there(folder: Path, of: str) -> None:
    content = npy(made("A", seed=2).weights)
    name = hashlib.sha256(content).hexdigest()[:16] + ".weights.npy"
    (folder / ((name if of == "weights" else FILE_NAME) + ".part")).mkdir()
    before = content_of(folder)
    with pytest.raises(CollectionError, match="what was there before is unchanged"):
        save_generator(folder, KIND, made("A", seed=2))
    assert content_of(folder) == before
    assert holds(folder, made("A"), made("B"))


@pytest.mark.parametrize("step", ["write", "sync", "replace"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_disk_that_fails_leaves_what_was_there(
    folder: Path, step: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new weights are written first, then the document."""
    target, name = {"write": (Path, "open"), "sync": (os, "fsync"), "replace": (os, "replace")}[
        step
    ]
    original = getattr(target, name)
    calls = 0

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        if step != "write" or "xb" in arguments:
            calls += 1
            if calls == number:
                raise OSError(28, "No space left on device")
        return original(*arguments, **options)

    before = content_of(folder)
    with monkeypatch.context() as patch:
        patch.setattr(target, name, failing)
        with pytest.raises(CollectionError, match="No space left on device"):
            save_generator(folder, KIND, made("A", seed=2))
    assert content_of(folder) == before
    save_generator(folder, KIND, made("A", seed=2))
    assert holds(folder, made("A", seed=2), made("B"))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_stays_as_it_is(folder: Path) -> None:
    before = content_of(folder)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(CollectionError, match="Permission denied"):
            save_generator(folder, KIND, made("C"))
        assert content_of(folder) == before
    finally:
        folder.chmod(stat.S_IRWXU)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_read_is_refused(folder: Path) -> None:
    folder.chmod(0)
    try:
        assert "Permission denied" in refusal(folder)
    finally:
        folder.chmod(stat.S_IRWXU)


def test_what_a_killed_session_left_does_no_harm(folder: Path) -> None:
    """Killed between the new weights and the document: orphans, and parts of files."""
    content = npy(made("A", seed=2).weights)
    orphan = folder / (hashlib.sha256(content).hexdigest()[:16] + ".weights.npy")
    orphan.write_bytes(content)
    (folder / ("0" * 16 + ".weights.npy")).write_bytes(b"of another training")
    (folder / (orphan.name + ".part")).write_bytes(content[:50])
    (folder / (FILE_NAME + ".part")).write_text("{")
    assert holds(folder, made("A"), made("B"))
    save_generator(folder, KIND, made("A", seed=2))
    assert holds(folder, made("A", seed=2), made("B"))
    assert orphan.exists()
    assert not (folder / ("0" * 16 + ".weights.npy")).exists()
    assert not (folder / (FILE_NAME + ".part")).exists()


def test_a_kill_after_the_document_leaves_the_new_one(folder: Path) -> None:
    old = content_of(folder)
    save_generator(folder, KIND, made("A", seed=2))
    for name, content in old.items():
        if name != FILE_NAME:
            (folder / name).write_bytes(content)  # what would have been removed next
    assert holds(folder, made("A", seed=2), made("B"))
    save_generator(folder, KIND, made("B"))
    assert len(names_in(folder)) == 3


@pytest.mark.parametrize("kind", ["link", "pipe", "file"])
def test_what_lies_where_a_part_file_goes_is_never_written_through(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    part = folder / (FILE_NAME + ".part")
    if kind == "link":
        part.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(part)
    else:
        part.write_text("left by a killed session")
    save_generator(folder, KIND, made("C"))
    assert victim.read_text() == "mine"
    assert not (folder / FILE_NAME).is_symlink() and not part.exists()
    assert holds(folder, made("A"), made("B"), made("C"))


# ------------------------------------------------------------------------- several programs

SEEDS = range(2, 82)
spawned = multiprocessing.get_context("spawn")


def keep_some(folder: Path, characters: str, ready: Barrier) -> None:
    """A program that keeps a generator of each character."""
    ready.wait()
    for character in characters:
        save_generator(folder, KIND, made(character))


def train_again_and_again(folder: Path) -> None:
    """A program that puts other weights in place of A's, over and over."""
    for seed in SEEDS:
        save_generator(folder, KIND, made("A", seed=seed))


def hold_the_lock(path: Path, held: Event) -> None:
    """A program that never ends its writing."""
    with holding(path, time.sleep):
        held.set()
        time.sleep(600)


@pytest.fixture
def other_program(folder: Path) -> Iterator[SpawnProcess]:
    """A program that is writing to the folder until it is killed."""
    held = spawned.Event()
    program = spawned.Process(target=hold_the_lock, args=(folder / LOCK_NAME, held))
    program.start()
    assert held.wait(60)
    yield program
    program.kill()
    program.join()


def test_programs_that_train_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    ready = spawned.Barrier(2)
    programs = [
        spawned.Process(target=keep_some, args=(tmp_path / KIND, characters, ready))
        for characters in ("ABCDEFGH", "STUVWXYZ")
    ]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert [program.exitcode for program in programs] == [0, 0]
    assert holds(tmp_path / KIND, *map(made, "ABCDEFGHSTUVWXYZ"))


def test_reading_while_another_program_writes_finds_the_old_or_the_new(folder: Path) -> None:
    program = spawned.Process(target=train_again_and_again, args=(folder,))
    program.start()
    known = {made("A", seed=seed).weights.tobytes() for seed in (1, *SEEDS)}
    while program.is_alive():
        generators = load_generators(folder, KIND)
        assert same(generators[("B",)], made("B"))
        assert generators[("A",)].weights.tobytes() in known
    assert program.exitcode == 0
    assert holds(folder, made("A", seed=SEEDS[-1]), made("B"))


def test_what_another_program_is_writing_is_waited_for(
    folder: Path, other_program: SpawnProcess
) -> None:
    told: list[float] = []

    def end_the_other(waited: float) -> None:
        told.append(waited)
        if len(told) == 3:
            other_program.kill()

    save_generator(folder, KIND, made("C"), end_the_other)
    assert len(told) >= 3 and sorted(told) == told
    assert holds(folder, made("A"), made("B"), made("C"))


def test_who_waits_for_another_program_does_not_wait_for_ever(
    folder: Path, other_program: SpawnProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("process_lock.PATIENCE", 0.2)
    with pytest.raises(CollectionError) as caught:
        save_generator(folder, KIND, made("C"))
    assert str(caught.value) == (
        f"the generator cannot be saved in {folder}: another program has been writing to it for "
        "0 s; what was there before is unchanged"
    )
    assert holds(folder, made("A"), made("B")), "what is being written to can be read"


def test_a_change_is_given_what_other_programs_kept(folder: Path) -> None:
    def better(kept: Generators) -> Generators:
        assert sorted(kept) == [("A",), ("B",)]
        return kept | {("A",): dataclasses.replace(kept[("A",)], quality={"recognition": 1.0})}

    change_generators(folder, KIND, better)
    assert holds(folder, made("A", quality={"recognition": 1.0}), made("B"))


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_that_cannot_hold_a_lock_can_be_read(folder: Path, kind: str) -> None:
    (folder / LOCK_NAME).unlink()
    if kind == "folder":
        (folder / LOCK_NAME).mkdir()
    else:
        (folder / LOCK_NAME).symlink_to(folder / "elsewhere")
    assert holds(folder, made("A"), made("B"))
    with pytest.raises(CollectionError, match="what was there before is unchanged"):
        save_generator(folder, KIND, made("C"))
    assert holds(folder, made("A"), made("B")) and not (folder / "elsewhere").exists()


# ------------------------------------------------------------------------- many characters

ABC = key_of(("A", "B", "C"))


@pytest.fixture(scope="session")
def saved_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with generators of A, B and C together and of A and D; not to be changed."""
    folder = tmp_path_factory.mktemp("generators") / "conditional"
    for characters in ("ABC", "AD"):
        save_generator(folder, "conditional", many(characters))
    return folder


@pytest.fixture
def folder_of_many(saved_many: Path, tmp_path: Path) -> Path:
    """A copy of the saved generators of many characters that may be changed."""
    return Path(shutil.copytree(saved_many, tmp_path / "conditional"))


def holds_many(folder: Path, *generators: CharacterGenerator) -> bool:
    loaded = load_generators(folder, "conditional")
    return sorted(loaded) == sorted(given.characters for given in generators) and all(
        same(loaded[given.characters], given) for given in generators
    )


def test_generators_of_many_characters_are_read_back_to_the_last_bit(saved_many: Path) -> None:
    assert holds_many(saved_many, many("ABC"), many("AD"))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": READING},
        {"settings": dataclasses.replace(READING, final_learning_rate=0.25, class_size=7)},
        {"settings": dataclasses.replace(PLAIN, latent_scale=0.5), "steps": 0, "quality": {}},
    ],
)
def test_every_setting_of_many_characters_is_read_back(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    given = many("ZYX", **changes)
    save_generator(tmp_path / "new", "conditional", given)
    assert holds_many(tmp_path / "new", given)


def test_characters_stay_in_the_order_of_their_labels(tmp_path: Path) -> None:
    given = many("bäA \u3042'")
    save_generator(tmp_path / "new", "conditional", given)
    (found,) = load_generators(tmp_path / "new", "conditional").values()
    assert found.characters == ("b", "ä", "A", " ", "\u3042", "'")


def test_a_generator_is_keyed_by_all_its_characters_in_their_order() -> None:
    assert key_of(("A",)) == "U+0041"
    keys = {key_of(tuple(characters)) for characters in ("AB", "BA", "ABC", "Ab", "AC")}
    keys |= {key_of(("AB", "C")), key_of(("A", "BC")), key_of(("AB",))}
    assert len(keys) == 8
    assert all(len(key) <= 20 for key in keys) and key_of(tuple("ABC")).startswith("3-")
    assert key_of(tuple("ABC")) == key_of(("A", "B", "C"))


def test_saving_one_of_many_characters_keeps_the_others(folder_of_many: Path) -> None:
    save_generator(folder_of_many, "conditional", many("ABC", seed=2))
    assert holds_many(folder_of_many, many("ABC", seed=2), many("AD"))
    save_generator(folder_of_many, "conditional", many("CBA"))
    assert holds_many(folder_of_many, many("ABC", seed=2), many("AD"), many("CBA"))
    assert len(names_in(folder_of_many)) == 4


def test_a_folder_of_many_characters_is_for_nothing_else(folder_of_many: Path) -> None:
    assert "made for 'conditional', not 'keras'" in refusal(folder_of_many, "keras")
    with pytest.raises(CollectionError):
        save_generator(folder_of_many, "keras", made("A"))
    assert holds_many(folder_of_many, many("ABC"), many("AD"))


def one_of_many(**values: Any) -> Change:
    return lambda document: document["generators"][ABC].update(values)


def settings_of_many(**values: Any) -> Change:
    return lambda document: document["generators"][ABC]["settings"].update(values)


def moved(to: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["generators"][to] = document["generators"].pop(ABC)

    return change


CHANGES_OF_MANY: dict[str, Change] = {
    "characters missing": lambda d: d["generators"][ABC].pop("characters"),
    "characters null": one_of_many(characters=None),
    "characters none": one_of_many(characters=[]),
    "characters one": one_of_many(characters=["A"]),
    "characters repeated": one_of_many(characters=["A", "B", "A"]),
    "characters a text": one_of_many(characters="ABC"),
    "characters a dictionary": one_of_many(characters={"A": 1, "B": 2, "C": 3}),
    "characters numbers": one_of_many(characters=[1, 2, 3]),
    "characters with null": one_of_many(characters=["A", "B", None]),
    "characters with nothing": one_of_many(characters=["A", "B", ""]),
    "characters with an escape": one_of_many(characters=["A", "B", "\x1b[2J"]),
    "characters with a newline": one_of_many(characters=["A", "B", "\n"]),
    "characters with half of one": one_of_many(characters=["A", "B", "\ud800"]),
    "characters long": one_of_many(characters=["A", "B", "C" * 1001]),
    "characters deep": one_of_many(characters=deep(900)),
    "characters with a deep one": one_of_many(characters=["A", "B", deep(900)]),
    "characters too many": one_of_many(characters=["A"] * 70_001),
    "characters thousands of others": one_of_many(
        characters=[chr(n) for n in range(0x4E00, 0x9000)]
    ),
    "characters in another order": one_of_many(characters=["A", "C", "B"]),
    "characters others": one_of_many(characters=["A", "B", "D"]),
    "characters fewer": one_of_many(characters=["A", "B"]),
    "character instead": one_of_many(character="A", characters=None),
    "under the key of one": moved("U+0041"),
    "under a key of others": moved("3-0123456789abcdef"),
    "under a key in capitals": moved(ABC.upper()),
    "under an empty key": moved(""),
    "under the other's key": moved(key_of(("A", "D"))),
    "settings of one character": settings_of_many(adversarial_optimizer={"type": "alternating"}),
    "settings of dense layers": settings_of_many(network="mlp"),
    "class size another": settings_of_many(class_size=4),
    "class size none": settings_of_many(class_size=0),
    "class size huge": settings_of_many(class_size=HUGE),
    "class size missing": lambda d: d["generators"][ABC]["settings"].pop("class_size"),
    "latent size another": settings_of_many(latent_size=5),
    "latent size of thousands": settings_of_many(latent_size=4096, generator_widths=[4096] * 3),
    "feature widths two": settings_of_many(feature_widths=[2, 2]),
    "feature steps alone": settings_of_many(feature_steps=5),
    "weights of the other": lambda d: d["generators"][ABC].update(
        weights=d["generators"][key_of(("A", "D"))]["weights"]
    ),
    "weights missing": lambda d: d["generators"][ABC].pop("weights"),
    "kind of one character": top(kind="keras"),
}


@pytest.mark.parametrize("name", CHANGES_OF_MANY)
def test_a_changed_document_of_many_characters_is_refused(folder_of_many: Path, name: str) -> None:
    changed(folder_of_many, CHANGES_OF_MANY[name])
    message = refusal(folder_of_many, "conditional")
    assert message.isprintable()


def test_the_refusal_says_what_is_wrong_with_the_characters(folder_of_many: Path) -> None:
    changed(folder_of_many, CHANGES_OF_MANY["characters repeated"])
    assert f"{ABC}: a character is in it twice" in refusal(folder_of_many, "conditional")
    changed(folder_of_many, CHANGES_OF_MANY["characters one"])
    assert "'characters' is not a list of 2 to 70,000" in refusal(folder_of_many, "conditional")
    changed(folder_of_many, CHANGES_OF_MANY["characters others"])
    # Weights fit as before, so that the key alone tells that they belong to others.
    assert "its characters are 'A', 'B', 'D'" in refusal(folder_of_many, "conditional")


@pytest.mark.parametrize("change", [-1, 1])
def test_weights_for_another_number_of_characters_are_refused(tmp_path: Path, change: int) -> None:
    count = weight_count(PLAIN, 3 + change)
    damaged = many("ABC", weights=np.zeros(count, np.float16))
    save_generator(tmp_path / "new", "conditional", damaged)
    message = refusal(tmp_path / "new", "conditional")
    assert ABC in message or ".weights.npy" in message


def test_a_damaged_folder_of_many_characters_is_not_saved_into(folder_of_many: Path) -> None:
    changed(folder_of_many, CHANGES_OF_MANY["characters repeated"])
    before = content_of(folder_of_many)
    with pytest.raises(CollectionError):
        save_generator(folder_of_many, "conditional", many("XY"))
    assert content_of(folder_of_many) == before


# ------------------------------------------------------------------------- what draws what


def drawing(classes: str, *known: str) -> dict[str, str]:
    """The characters of the generator that draws each class, out of generators of these."""
    generators = {tuple(one): many(one) if len(one) > 1 else made(one) for one in known}
    found = drawers_of(generators, tuple(classes))
    return {character: "".join(drawer.characters) for character, drawer in found.items()}


def test_generators_of_one_character_draw_that_character_alone() -> None:
    assert drawing("ABC", "A", "C", "D") == {"A": "A", "C": "C"}
    assert drawing("ABC") == {}


@pytest.mark.parametrize("order", [1, -1])
def test_the_generator_of_the_very_classes_is_preferred(order: int) -> None:
    known = ["ABCD", "AB", "ABC", "ABX"][::order]
    assert drawing("ABC", *known) == dict.fromkeys("ABC", "ABC")
    known = ["CBA", "ABC", "BAC"][::order]
    assert drawing("ABC", *known) == dict.fromkeys("ABC", "ABC"), "in the very order too"


@pytest.mark.parametrize("order", [1, -1])
def test_of_generators_that_know_more_the_smallest_is_preferred(order: int) -> None:
    known = ["ABCDEF", "DCBA", "ABCDE"][::order]
    assert drawing("ABC", *known) == dict.fromkeys("ABC", "DCBA")


def test_a_generator_that_does_not_know_every_class_draws_none() -> None:
    assert drawing("ABC", "AB", "ABD", "abc") == {}


def test_only_classes_of_the_data_set_are_drawn() -> None:
    assert drawing("BD", "ABCD") == {"B": "ABCD", "D": "ABCD"}


def test_a_long_name_has_a_short_key_of_its_own() -> None:
    first, second = key_of(("x" * 200,)), key_of(("x" * 201,))
    assert re.fullmatch("1-[0-9a-f]{16}", first) and first != second
    assert key_of(("A",)) == "U+0041"
