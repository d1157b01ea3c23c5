"""Tests of collections on disk: round trips, damaged and hostile folders, interrupted saves."""

import contextlib
import dataclasses
import errno
import hashlib
import io
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import CollectionError
from model_collection import Entry, ModelCollection, Schooling
from process_lock import LOCK_NAME, holding
from settings.layer_lists import weight_arrays
from settings.network_layers import (
    Activation,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling,
    Residual,
    SeparableConv2D,
    SqueezeExcitation,
    Variant,
)
from storage import collection_folder
from storage.collection_folder import FILE_NAME, load_collection, remove_collection, save_collection

ROOT = Path(collection_folder.__file__).parents[1]
Change = Callable[[dict[str, Any]], None]
many_examples = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120
)


@pytest.fixture
def folder(saved_collection: Path, tmp_path: Path) -> Path:
    """A copy of the saved collection that may be changed."""
    return Path(shutil.copytree(saved_collection, tmp_path / "collection"))


def same(one: ModelCollection, other: ModelCollection) -> bool:
    if one.classes != other.classes or one.images_used.keys() != other.images_used.keys():
        return False
    for name, keys in one.images_used.items():
        assert np.array_equal(keys, other.images_used[name])
    return len(one.entries) == len(other.entries) and all(
        same_entry(a, b) for a, b in zip(one.entries, other.entries, strict=True)
    )


def same_entry(one: Entry, other: Entry) -> bool:
    plain = [field.name for field in dataclasses.fields(Entry) if field.name != "weights"]
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(one.weights, other.weights, strict=True)
    )


def document_of(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / FILE_NAME).read_text())
    return read


def changed(folder: Path, change: Change) -> None:
    document = document_of(folder)
    change(document)
    (folder / FILE_NAME).write_text(json.dumps(document))


def refusal(folder: Path) -> str:
    """The message with which a folder is refused, short enough for a terminal."""
    with pytest.raises(CollectionError) as caught:
        load_collection(folder)
    message = str(caught.value)
    assert str(folder) in message and len(message) < 1000
    return message


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.iterdir() if path.is_file() and path.name != LOCK_NAME)
    return {path.name: path.read_bytes() for path in files}


def with_file(folder: Path, key: str, content: bytes, suffix: str) -> None:
    """Puts other content in place of a file, with the matching SHA-256 in the JSON."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"{digest[:16]}{suffix}"
    (folder / name).write_bytes(content)
    about = {"file": name, "sha256": digest}
    if key == "weights":
        changed(folder, lambda d: d["entries"][0].update(weights=about))
    else:
        changed(folder, lambda d: d["images_used"].update(dict.fromkeys(d["images_used"], about)))


# ------------------------------------------------------------------------- round trips


def test_a_collection_is_read_back_to_the_last_bit(saved_collection: Path, tmp_path: Path) -> None:
    loaded = load_collection(saved_collection)
    save_collection(loaded, tmp_path / "a" / "b")
    assert same(load_collection(tmp_path / "a" / "b"), loaded)
    assert content_of(tmp_path / "a" / "b") == content_of(saved_collection)


def test_full_precision_is_read_back_to_the_last_bit(
    trained: ModelCollection, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    trained.entries[0] = dataclasses.replace(
        trained.entries[0],
        weights=tuple(random.normal(size=w.shape).astype("f4") for w in trained.entries[0].weights),
    )
    save_collection(trained, tmp_path / "new")
    assert same(load_collection(tmp_path / "new"), trained)


def test_saved_weights_load_with_keras_into_the_same_network(
    saved_collection: Path, trained: ModelCollection
) -> None:
    import cnn_model
    from model_collection import network_of

    images = np.random.default_rng(1).integers(0, 256, (9, 28, 28), dtype=np.uint8)
    for entry, about in zip(trained.entries, document_of(saved_collection)["entries"], strict=True):
        network = cnn_model.build_network(entry.layers, 3)
        network.load_weights(saved_collection / about["weights"]["file"])
        expected = cnn_model.predict(network_of(entry, 3), images)
        assert np.array_equal(cnn_model.predict(network, images), expected)


NESTED: Variant = (
    Conv2D(3, (3, 3), (4, 4), normalization="batch"),
    Residual((SeparableConv2D(4, (3, 3)), Dropout(0.5), Residual((SqueezeExcitation(2),), "elu"))),
    Activation("tanh"),
    GlobalAveragePooling(),
    Dense(5, normalization="batch"),
)


def test_layers_in_layers_are_read_back_and_their_weights_load_with_keras(
    trained: ModelCollection, tmp_path: Path
) -> None:
    import cnn_model
    from model_collection import network_of

    random = np.random.default_rng(0)
    weights = tuple(
        np.abs(random.normal(size=array.shape)).astype("f2") for array in weight_arrays(NESTED, 3)
    )
    nested = dataclasses.replace(trained.entries[0], layers=NESTED, weights=weights)
    trained.entries.append(nested)
    save_collection(trained, tmp_path / "new")
    assert same(load_collection(tmp_path / "new"), trained)
    network = cnn_model.build_network(NESTED, 3)
    network.load_weights(tmp_path / "new" / document_of(tmp_path / "new")["entries"][-1]["weights"]
                         ["file"])  # fmt: skip
    images = np.random.default_rng(1).integers(0, 256, (9, 28, 28), dtype=np.uint8)
    expected = cnn_model.predict(network_of(nested, 3), images)
    assert np.array_equal(cnn_model.predict(network, images), expected)


def test_the_folder_says_nothing_of_keys_that_were_left_out_for_none(
    saved_collection: Path,
) -> None:
    for about in document_of(saved_collection)["entries"]:
        assert all(None not in layer.values() for layer in about["layers"])


def test_loading_and_saving_need_no_keras(saved_collection: Path, tmp_path: Path) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from storage.collection_folder import load_collection, save_collection
        collection = load_collection(Path({str(saved_collection)!r}))
        save_collection(collection, Path({str(tmp_path / "copy")!r}))
        print(len(collection.entries), {{"keras", "tensorflow"}} & set(sys.modules))
    """
    assert in_subprocess(code) == "2 set()"


def in_subprocess(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_saving_the_same_again_changes_nothing(folder: Path) -> None:
    before = content_of(folder)
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.h5")}
    time.sleep(1.1)  # HDF5 notes times in seconds
    save_collection(load_collection(folder), folder)
    assert content_of(folder) == before
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.h5")} == times


def test_saving_removes_weights_that_no_entry_has_any_more(folder: Path) -> None:
    collection = load_collection(folder)
    gone = document_of(folder)["entries"].pop(0)["weights"]["file"]
    (folder / ("0" * 16 + ".weights.h5.part")).write_bytes(b"of a killed session")
    del collection.entries[0]
    save_collection(collection, folder)
    assert not (folder / gone).exists()
    assert len(content_of(folder)) == 3
    assert same(load_collection(folder), collection)


def test_other_files_of_the_user_stay(folder: Path) -> None:
    for name in ("notes.txt", "mine.weights.h5", "0123.weights.h5", ".hidden"):
        (folder / name).write_text("mine")
    (folder / "below").mkdir()
    (folder / "below" / FILE_NAME).write_text("mine")
    collection = load_collection(folder)
    del collection.entries[1]
    save_collection(collection, folder)
    remove_collection(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"notes.txt", "mine.weights.h5", "0123.weights.h5", ".hidden", "below"}
    assert (folder / "below" / FILE_NAME).read_text() == "mine"


def test_a_collection_is_removed_with_its_folder(folder: Path) -> None:
    (folder / (FILE_NAME + ".part")).write_text("{")
    remove_collection(folder)
    assert not folder.exists()
    remove_collection(folder)


def test_a_folder_of_other_things_is_not_saved_into(
    trained: ModelCollection, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CollectionError, match="holds other things"):
        save_collection(trained, tmp_path)
    (tmp_path / FILE_NAME).write_text('{"name": "of another program"}')
    with pytest.raises(CollectionError, match="format"):
        save_collection(trained, tmp_path)
    remove_collection(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"letter.txt", FILE_NAME}


def test_what_is_no_folder_is_not_saved_into(trained: ModelCollection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "deep")
    for name in ("file", "file/below", "dangling", "nul\0", "\udcff\0", "x" * 300):
        with pytest.raises(CollectionError):
            save_collection(trained, tmp_path / name)
        with pytest.raises(CollectionError):
            load_collection(tmp_path / name)
    assert (tmp_path / "file").read_text() == "x"


def test_a_link_to_a_folder_is_followed(folder: Path, trained: ModelCollection) -> None:
    link = folder.with_name("link")
    link.symlink_to(folder)
    save_collection(trained, link)
    assert link.is_symlink() and same(load_collection(link), trained)


# ------------------------------------------------------------------------- damaged folders


def entry(**values: Any) -> Change:
    return lambda document: document["entries"][0].update(values)


def score(**values: Any) -> Change:
    return lambda document: document["entries"][0]["scores"]["validation"].update(values)


def origin(**values: Any) -> Change:
    return lambda document: document["entries"][0]["data"].update(values)


def weights(**values: Any) -> Change:
    return lambda document: document["entries"][0]["weights"].update(values)


def top(**values: Any) -> Change:
    return lambda document: document.update(values)


def nested_layer(depth: int) -> dict[str, Any]:
    layer: dict[str, Any] = {"type": "batchnormalization"}
    for _ in range(depth):
        layer = {"type": "residual", "layers": [layer]}
    return layer


HUGE = 10**4000
CHANGES: dict[str, Change] = {
    "accuracy above 1": score(accuracy=1.01),
    "accuracy below 0": score(accuracy=-0.01),
    "accuracy NaN": score(accuracy=float("nan")),
    "accuracy infinite": score(accuracy=float("inf")),
    "accuracy as text": score(accuracy="0.9"),
    "accuracy as truth": score(accuracy=True),
    "accuracy null": score(accuracy=None),
    "accuracy huge": score(accuracy=HUGE),
    "loss negative": score(loss=-1),
    "loss huge": score(loss=HUGE),
    "images a fraction": score(images=1.5),
    "images negative": score(images=-1),
    "images huge": score(images=2**63),
    "score with another key": score(more=1),
    "score a list": entry(scores=[]),
    "no validation score": lambda d: d["entries"][0]["scores"].pop("validation"),
    "no test score": lambda d: d["entries"][0]["scores"].pop("test"),
    "history null": entry(history=None),
    "history of numbers": entry(history=[1]),
    "seconds negative": entry(seconds=-1),
    "seed as text": entry(seed="3"),
    "versions a list": entry(versions=[]),
    "version no text": entry(versions={"keras": 3}),
    "version with an escape": entry(versions={"keras": "\x1b[2J"}),
    "data null": entry(data=None),
    "data name with an escape": origin(name="\x1b]0;x\x07"),
    "data name long": origin(name="x" * 1001),
    "data name empty": origin(name=""),
    "fingerprint of other data": origin(fingerprint="0" * 64),
    "parameters null": entry(training_parameters=None),
    "parameters wrong": entry(training_parameters={"optimizer": "x"}),
    "layers null": entry(layers=None),
    "layers empty": entry(layers=[]),
    "layers of another kind": entry(layers=[{"type": "lambda", "function": "x"}]),
    "layers too large": entry(
        layers=[{"type": "flatten"}, *[{"type": "dense", "dense_layer_size": 65536}] * 3]
    ),
    "layers that do not fit": entry(layers=[{"type": "dense", "dense_layer_size": 3}]),
    "layers with other shapes": entry(
        layers=[{"type": "flatten"}, {"type": "dense", "dense_layer_size": 7}]
    ),
    "layers in layers null": entry(layers=[{"type": "residual", "layers": None}]),
    "layers in layers that do not fit": entry(
        layers=[
            {"type": "residual", "layers": [{"type": "dense", "dense_layer_size": 3}]},
            {"type": "flatten"},
        ]
    ),
    "layers in layers too deep": lambda d: d["entries"][0].update(layers=[nested_layer(5)]),
    "layers in layers too many": entry(
        layers=[{"type": "residual", "layers": [{"type": "batchnormalization"}] * 200}]
    ),
    "wrong layers in layers in layers": entry(
        layers=[{"type": "residual", "layers": [{"type": "residual", "layers": [3] * 100_000}]}]
    ),
    "entry null": top(entries=[None]),
    "entries a dictionary": top(entries={}),
    "entries too many": top(entries=[None] * 100_001),
    "entry twice": lambda d: d["entries"].append(d["entries"][0]),
    "classes null": top(classes=None),
    "one class": top(classes=["A"]),
    "classes twice": top(classes=["A", "B", "A"]),
    "a class no text": top(classes=["A", "B", 3]),
    "a class empty": top(classes=["A", "B", ""]),
    "a class with an escape": top(classes=["A", "B", "\x1b"]),
    "a class that is half a character": top(classes=["A", "B", "\ud800"]),
    "more classes": top(classes=["A", "B", "C", "D"]),
    "format of another program": top(format="other"),
    "format missing": lambda d: d.pop("format"),
    "newer schema": top(schema_version=2),
    "schema as text": top(schema_version="1"),
    "schema huge": top(schema_version=HUGE),
    "images used null": top(images_used=None),
    "images used empty": top(images_used={}),
    "images used no file": lambda d: d.update(images_used=dict.fromkeys(d["images_used"], 3)),
    "schooling null": entry(schooling=None),
    "schooling without counts": entry(schooling={"fingerprints": []}),
    "schooling of unknown data": entry(
        schooling={"fingerprints": ["a" * 64], "validation_images": 0, "test_images": 0}
    ),
    "schooling of no list": entry(
        schooling={"fingerprints": 3, "validation_images": 0, "test_images": 0}
    ),
    "weights null": entry(weights=None),
    "weights missing": lambda d: d["entries"][0].pop("weights"),
    "weights name a number": weights(file=3),
    "weights name deep": weights(file=[[[["x"]]]]),
    "weights below": weights(file="below/0123456789abcdef.weights.h5"),
    "weights above": weights(file="../0123456789abcdef.weights.h5"),
    "weights at the root": weights(file="/etc/passwd"),
    "weights with NUL": weights(file="0123456789abcdef.weights.h5\0"),
    "weights with newline": weights(file="0123456789abcdef.weights.h5\n"),
    "weights in another format": weights(file="0123456789abcdef.weights.keras"),
    "weights name JSON": weights(file=FILE_NAME),
    "weights not there": weights(file="0123456789abcdef.weights.h5"),
    "SHA-256 of others": weights(sha256="0" * 64),
    "SHA-256 null": weights(sha256=None),
    "SHA-256 a list": weights(sha256=[]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_collection_is_refused(folder: Path, name: str) -> None:
    changed(folder, CHANGES[name])
    refusal(folder)


def test_what_could_not_be_read_again_is_not_written(
    trained: ModelCollection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(collection_folder, "MAXIMUM_JSON_BYTES", 1_000)
    with pytest.raises(CollectionError, match="more than the 1,000 that are read again"):
        save_collection(trained, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == (
        before
    )


def test_what_teachers_had_met_comes_back(trained: ModelCollection, tmp_path: Path) -> None:
    schooling = Schooling(("e" * 64, "f" * 64), 3, 7)
    trained.entries[1] = dataclasses.replace(trained.entries[1], schooling=schooling)
    for number, name in enumerate(schooling.fingerprints):
        trained.images_used[name] = np.arange(number, 9, dtype=np.uint64)
    save_collection(trained, tmp_path / "pupils")
    loaded = load_collection(tmp_path / "pupils")
    assert same(loaded, trained)
    assert loaded.entries[1].schooling == schooling
    assert "schooling" not in (tmp_path / "pupils" / FILE_NAME).read_text().split('"layers"')[1]


def test_a_teacher_that_is_the_number_of_a_variant_is_refused(folder: Path) -> None:
    def teach(document: dict[str, Any]) -> None:
        document["entries"][1]["training_parameters"]["distillation"] = {"teacher": 0}

    changed(folder, teach)
    assert "entry 1: its teacher must be named by the digits of its identity" in refusal(folder)


@pytest.mark.parametrize("key", ["format", "schema_version", "classes", "entries", "images_used"])
def test_a_collection_without_a_key_is_refused(folder: Path, key: str) -> None:
    changed(folder, lambda document: document.pop(key))
    refusal(folder)


@pytest.mark.parametrize(
    "key",
    ["layers", "training_parameters", "scores", "history", "seconds", "seed", "data", "versions"],
)
def test_an_entry_without_a_key_is_refused(folder: Path, key: str) -> None:
    changed(folder, lambda document: document["entries"][1].pop(key))
    assert "entry 1" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"3", b"\xff\xfe", b"\0" * 100, b"{}" * 2,
        b"[" * 100_000, b'{"a":' * 100_000, b"[" * 900 + b"]" * 900, b"9" * 10_000,
        pickle.dumps({"format": collection_folder.FORMAT}),
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / FILE_NAME).write_bytes(content)
    refusal(folder)


def test_deep_nesting_inside_the_document_is_refused(folder: Path) -> None:
    text = (folder / FILE_NAME).read_text()
    for depth in (50, 300, 600, 800, 900, 960, 980, 990, 5000):
        deep = "[" * depth + "]" * depth
        for key in ("schema_version", "classes", "entries", "format", "images_used"):
            start = text.index(f'"{key}"')
            (folder / FILE_NAME).write_text(f'{{"{key}": {deep}, ' + text[1:start] + text[start:].
                                            replace(f'"{key}"', '"other"', 1))  # fmt: skip
            refusal(folder)
        (folder / FILE_NAME).write_text(text.replace('"padding": "same"', f'"padding": {deep}'))
        refusal(folder)
        residual = '"type": "residual", "layers": ['
        nested = residual + ("{" + residual) * depth + "]}" * depth + "]"
        assert '"type": "flatten"' in text
        (folder / FILE_NAME).write_text(text.replace('"type": "flatten"', nested))
        refusal(folder)


def test_a_document_that_is_too_long_is_refused_unread(folder: Path) -> None:
    with (folder / FILE_NAME).open("r+b") as file:
        file.truncate(10**13)  # takes no room
    assert "10,000,000,000,000 bytes" in refusal(folder)


def test_weights_that_are_too_long_are_refused_unread(folder: Path) -> None:
    with next(folder.glob("*.weights.h5")).open("r+b") as file:
        file.truncate(10**13)
    assert "bytes" in refusal(folder)


@pytest.mark.parametrize("pattern", ["*.weights.h5", "*.images.npy", FILE_NAME])
def test_a_missing_file_is_named(folder: Path, pattern: str) -> None:
    gone = next(folder.glob(pattern))
    gone.unlink()
    assert gone.name in refusal(folder)


@pytest.mark.parametrize("pattern", ["*.weights.h5", "*.images.npy", FILE_NAME])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "dangling"])
def test_what_is_no_ordinary_file_is_refused_without_waiting(
    folder: Path, pattern: str, kind: str
) -> None:
    path = next(folder.glob(pattern))
    aside = path.rename(folder.with_name("aside"))
    if kind == "link":
        path.symlink_to(aside)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert path.name in refusal(folder)


def test_a_missing_or_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "no folder" in refusal(tmp_path / "missing")
    assert "no collection" in refusal(tmp_path)


@many_examples
@given(st.data())
def test_any_damage_to_the_document_is_refused_or_harmless(
    saved_collection: Path, tmp_path: Path, data: st.DataObject
) -> None:
    damaged_bytes(saved_collection, tmp_path, FILE_NAME, data)


@many_examples
@given(st.data())
def test_any_damage_to_weights_is_refused(
    saved_collection: Path, tmp_path: Path, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(content_of(saved_collection))))
    damaged_bytes(saved_collection, tmp_path, name, data)


def damaged_bytes(saved: Path, tmp_path: Path, name: str, data: st.DataObject) -> None:
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved, folder)
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    put = data.draw(
        st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"9" * 20, b"-", b"{"]))
    )
    content[place : place + data.draw(st.integers(0, 3))] = put
    unchanged = bytes(content) == (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    try:
        loaded = load_collection(folder)
    except CollectionError as error:
        assert not unchanged and len(str(error)) < 1000
        return
    assert unchanged or name == FILE_NAME
    assert all(0 <= found.validation.accuracy <= 1 for found in loaded.entries)
    save_collection(loaded, tmp_path / "again")
    assert same(load_collection(tmp_path / "again"), loaded)


# ------------------------------------------------------------------------- hostile weights

LAYERS: Variant = (Flatten(), Dense(6, "relu"))  # of entry 0
PATHS = [array.path for array in weight_arrays(LAYERS, 3)]
SHAPES = [array.shape for array in weight_arrays(LAYERS, 3)]


def hostile_file(fill: Callable[[h5py.File], None], skip: int = 0) -> bytes:
    """A weights file of entry 0 whose array `skip` is made by `fill`."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for number, (path, shape) in enumerate(zip(PATHS, SHAPES, strict=True)):
            if number != skip:
                file[path] = np.zeros(shape, "f2")
        fill(file)
    return buffer.getvalue()


def link(target: Any) -> Callable[[h5py.File], None]:
    def fill(file: h5py.File) -> None:
        file["elsewhere"] = np.zeros(SHAPES[0], "f2")
        file.require_group(os.path.dirname(PATHS[0]))
        file[PATHS[0]] = target

    return fill


def linked_group(file: h5py.File) -> None:
    file["elsewhere/vars/0"] = np.zeros(SHAPES[0], "f2")
    del file["layers/dense"]
    file["layers/dense"] = h5py.SoftLink("/elsewhere")


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(SHAPES[0], "f2")
    layout[:] = h5py.VirtualSource("other.h5", "data", SHAPES[0])
    file.create_virtual_dataset(PATHS[0], layout)


def dataset(**how: Any) -> Callable[[h5py.File], None]:
    if "data" not in how:
        how = {"shape": SHAPES[0], "dtype": "f2"} | how
    return lambda file: file.create_dataset(PATHS[0], **how)


def spoilt(value: float) -> Callable[[h5py.File], None]:
    array = np.zeros(SHAPES[0], "f2")
    array[3, 2] = value
    return dataset(data=array)


HOSTILE: dict[str, Callable[[h5py.File], None]] = {
    "missing": lambda file: None,
    "external link": link(h5py.ExternalLink("other.h5", "/data")),
    "soft link": link(h5py.SoftLink("/elsewhere")),
    "soft link to itself": link(h5py.SoftLink("/" + PATHS[0])),
    "linked group": linked_group,
    "external storage": dataset(external=[("/etc/passwd", 0, 784 * 6 * 2)]),
    "virtual": virtual,
    "a group": lambda file: file.create_group(PATHS[0]),
    "wrong shape": dataset(shape=SHAPES[0][::-1]),
    "flat": dataset(shape=(784 * 6,)),
    "scalar": dataset(shape=()),
    "empty": lambda file: file.create_dataset(PATHS[0], data=h5py.Empty("f2")),
    "float64": dataset(data=np.zeros(SHAPES[0])),
    "big endian": dataset(data=np.zeros(SHAPES[0], ">f4")),
    "whole numbers": dataset(data=np.zeros(SHAPES[0], "i2")),
    "text": dataset(data=np.full(SHAPES[0], b"x")),
    "objects": dataset(dtype=h5py.string_dtype()),
    "records": dataset(dtype=[("a", "f2")]),
    "NaN": spoilt(float("nan")),
    "infinite": spoilt(float("inf")),
    "nothing stored": dataset(dtype="f4"),
    "compressed": dataset(data=np.zeros(SHAPES[0], "f4"), compression="gzip"),
    "chunks far larger": dataset(maxshape=(None, None), chunks=(2**14, 2**14), compression="gzip"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_weights_are_refused(folder: Path, name: str) -> None:
    with_file(folder, "weights", hostile_file(HOSTILE[name]), ".weights.h5")
    assert "entry 0" in refusal(folder)


def test_the_hostile_files_fail_for_their_own_reason(folder: Path) -> None:
    """The same file with a plain array in place of the hostile one loads."""
    content = hostile_file(dataset(data=np.ones(SHAPES[0], "f2")))
    with_file(folder, "weights", content, ".weights.h5")
    assert load_collection(folder).entries[0].weights[0].sum() == 784 * 6


class Touching:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_pickles_in_disguise_are_refused_and_never_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    pickled = pickle.dumps(Touching(mark)).ljust(10_000, b"\0")
    objects = io.BytesIO()
    np.save(objects, np.array([Touching(mark)], object), allow_pickle=True)
    original = folder.with_name("original")
    shutil.copytree(folder, original)
    for key, content, suffix in (
        ("weights", pickled, ".weights.h5"),
        ("images", pickled, ".images.npy"),
        ("images", objects.getvalue(), ".images.npy"),
    ):
        shutil.rmtree(folder)
        shutil.copytree(original, folder)
        with_file(folder, key, content, suffix)
        refusal(folder)
    assert not mark.exists()


def npy(header: str, rest: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + rest


def npz_bomb() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(10**7, "u8"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04 no archive",
        npz_bomb(),
        npy(f"{{'descr':'<u8','fortran_order':False,'shape':({10**30},)}}"),
        npy("{'descr':'<u8','fortran_order':False,'shape':(5000000000000,)}"),
        npy("{'descr':'<u8','fortran_order':False,'shape':(-1,)}"),
        npy("{'descr':'<u8','fortran_order':False,'shape':(2,)}", b"\0" * 8),
        npy("{'descr':'<f8','fortran_order':False,'shape':(1,)}", b"\0" * 8),
        npy("{'descr':'>u8','fortran_order':False,'shape':(1,)}", b"\0" * 8),
        npy("{'descr':'<u8','fortran_order':False,'shape':()}", b"\0" * 8),
        npy("{'descr':'<u8','fortran_order':False,'shape':(1,1)}", b"\0" * 8),
        npy("{'descr':'|O','fortran_order':False,'shape':(1,)}", b"\0" * 8),
        npy("__import__('os').mkdir('mark')"),
        npy("(" * 200),
        npy("'''"),
    ],
)
def test_a_list_of_images_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    with_file(folder, "images", content, ".images.npy")
    refusal(folder)


def test_many_entries_with_the_same_weights_share_them(folder: Path) -> None:
    def multiply(document: dict[str, Any]) -> None:
        first = document["entries"][0]
        document["entries"] = [
            first | {"training_parameters": first["training_parameters"] | {"train_epochs": n}}
            for n in range(1, 200)
        ]

    changed(folder, multiply)
    arrays = {id(found.weights[0]) for found in load_collection(folder).entries}
    assert len(arrays) == 1


# ------------------------------------------------------------------------- saving that fails

STEPS = """
    import errno, json, os, shutil, sys
    from pathlib import Path
    from storage.collection_folder import load_collection, save_collection
    from errors import CollectionError

    old, new, work, mode = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    import h5py
    smaller = load_collection(old)
    collection = load_collection(new)
    armed = left = 0

    def step():
        global left
        if not armed:
            return
        left -= 1
        if mode == "kill" and left == 0:
            os._exit(9)
        if mode == "full" and left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    def hook(event, args):
        if event == "open" and str(args[0]).startswith(str(work)) and args[2] & os.O_CREAT:
            step()
        elif event in ("os.rename", "os.mkdir") or event == "os.remove" and mode == "kill":
            step()

    sync = os.fsync
    def fsync(number):
        step()
        sync(number)
        step()

    os.fsync = fsync
    sys.addaudithook(hook)
    outcomes = []
    for first in (True, False):
        for steps in range(1, 100):
            shutil.rmtree(work, ignore_errors=True)
            if not first:
                shutil.copytree(old, work)
            before = {path.name: path.read_bytes() for path in work.glob("[!.]*")}
            child = os.fork()
            if not child:
                armed, left = True, steps
                try:
                    save_collection(collection, work)
                except CollectionError as error:
                    assert "No space left" in str(error), error
                    os._exit(7)
                except BaseException as error:
                    print(repr(error), flush=True)
                    os._exit(1)
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status in (0, 7, 9), status
            after = {path.name: path.read_bytes() for path in work.glob("[!.]*")}
            if status == 7:
                assert after == before, (steps, sorted(after), sorted(before))
            try:
                count = len(load_collection(work).entries)
            except CollectionError:
                assert first and status, (steps, status)
                count = 0
            assert count in ((0, 2) if first else (1, 2)), count
            save_collection(collection, work)
            assert {path.name: path.read_bytes() for path in work.glob("[!.]*")} == {
                path.name: path.read_bytes() for path in new.glob("[!.]*")
            }, steps
            outcomes.append([status, count])
            if not status:
                break
    print(json.dumps(outcomes))
"""


@pytest.mark.parametrize("mode", ["kill", "full"])
def test_a_save_that_ends_at_any_step_leaves_the_old_or_the_new_collection(
    saved_collection: Path, tmp_path: Path, mode: str
) -> None:
    smaller = load_collection(saved_collection)
    del smaller.entries[1]
    smaller.images_used = {name: keys[:5] for name, keys in smaller.images_used.items()}
    save_collection(smaller, tmp_path / "old")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STEPS), str(tmp_path / "old"),
         str(saved_collection), str(tmp_path / "work"), mode],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert len(outcomes) > 20
    assert [0, 2] in outcomes
    assert [7 if mode == "full" else 9, 1] in outcomes


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_new_folder(saved_collection: Path, tmp_path: Path) -> None:
    collection = load_collection(saved_collection)
    with mounted(tmp_path / "small", "size=16k") as disk:
        with pytest.raises(CollectionError, match="No space left"):
            save_collection(collection, disk / "collection")
        assert not (disk / "collection").exists()


def test_a_full_disk_leaves_the_old_collection(saved_collection: Path, tmp_path: Path) -> None:
    collection = load_collection(saved_collection)
    smaller = load_collection(saved_collection)
    del smaller.entries[1]
    needed = sum(len(content) for content in content_of(saved_collection).values())
    with mounted(tmp_path / "small", f"size={needed - 4096}") as disk:
        save_collection(smaller, disk / "collection")
        before = content_of(disk / "collection")
        with pytest.raises(CollectionError, match="No space left"):
            save_collection(collection, disk / "collection")
        assert content_of(disk / "collection") == before
        assert same(load_collection(disk / "collection"), smaller)


def test_a_read_only_disk_leaves_the_old_collection(saved_collection: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        shutil.copytree(saved_collection, disk / "collection")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        collection = load_collection(disk / "collection")
        save_collection_again = pytest.raises(CollectionError, match="Read-only file system")
        del collection.entries[0]
        with save_collection_again:
            save_collection(collection, disk / "collection")
        assert content_of(disk / "collection") == content_of(saved_collection)
        remove_collection(disk / "collection")
        assert content_of(disk / "collection") == content_of(saved_collection)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_stays_as_it_is(folder: Path) -> None:
    before = content_of(folder)
    collection = load_collection(folder)
    del collection.entries[0]
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(CollectionError, match="Permission denied"):
            save_collection(collection, folder)
        assert content_of(folder) == before
    finally:
        folder.chmod(stat.S_IRWXU)


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
    collection = load_collection(folder)
    save_collection(collection, folder)
    assert victim.read_text() == "mine"
    assert not (folder / FILE_NAME).is_symlink() and not part.exists()
    assert same(load_collection(folder), collection)


def test_damaged_weights_in_the_way_are_replaced(folder: Path) -> None:
    collection = load_collection(folder)
    for path in folder.glob("*.h5"):
        path.write_bytes(b"damaged")
    save_collection(collection, folder)
    assert same(load_collection(folder), collection)


# ------------------------------------------------------------------------- several programs


SAVING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from storage.collection_folder import load_collection, save_collection
collection = load_collection(Path(sys.argv[2]))
del collection.entries[int(sys.argv[4])]
print("ready", flush=True)
sys.stdin.readline()
for _ in range(40):
    save_collection(collection, Path(sys.argv[3]))
"""


def test_of_programs_that_save_at_once_one_is_there_whole(
    saved_collection: Path, tmp_path: Path
) -> None:
    """What one takes away as its own leftovers, the other may just have written."""
    whole = load_collection(saved_collection)
    command = [sys.executable, "-c", SAVING, *map(str, (ROOT, saved_collection, tmp_path / "both"))]
    programs = [
        subprocess.Popen(
            [*command, str(left_out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for left_out in range(2)
    ]
    for program in programs:
        assert program.stdout and program.stdout.readline() == "ready\n"
    save_collection(whole, tmp_path / "both")
    for program in programs:
        assert program.stdin
        program.stdin.write("\n")
        program.stdin.flush()
    while any(program.poll() is None for program in programs):
        (entry, *others) = load_collection(tmp_path / "both").entries
        known = [*map(entry_bytes, whole.entries)]
        assert entry_bytes(entry) in known and len(others) <= 1
    for program in programs:
        program.communicate()
        assert program.returncode == 0
    (entry,) = load_collection(tmp_path / "both").entries
    assert len(content_of(tmp_path / "both")) == 3


def entry_bytes(entry: Entry) -> bytes:
    return b"".join(array.tobytes() for array in entry.weights)


def test_who_waits_for_another_program_that_saves_does_not_wait_for_ever(
    trained: ModelCollection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("process_lock.PATIENCE", 0.2)
    before = content_of(folder)
    with (
        holding(folder / LOCK_NAME, lambda seconds: None),
        pytest.raises(CollectionError, match="another program has been writing to it") as caught,
    ):
        save_collection(trained, folder)
    assert str(caught.value).endswith("what was there before is unchanged")
    assert content_of(folder) == before


def test_a_file_system_without_locks_can_be_saved_to(
    trained: ModelCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("process_lock._taken", refuse)
    save_collection(trained, tmp_path / "new")
    assert same(load_collection(tmp_path / "new"), trained)
