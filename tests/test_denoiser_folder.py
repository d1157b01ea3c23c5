"""Tests of folders of denoisers: what is saved comes back, and what is damaged is refused."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from denoising.settings import TYPES, weight_shapes
from errors import CollectionError
from process_lock import LOCK_NAME, holding
from storage.checked_folder import FILE_NAME
from storage.denoiser_folder import Denoiser, change_denoisers, load_denoisers
from tests.denoisers import a_denoiser


def save_denoiser(folder: Path, denoiser: Denoiser) -> None:
    change_denoisers(folder, lambda kept: kept | {denoiser.key: denoiser})


def trained(kind: str = "residual", *, fingerprint: str = 64 * "a", value: float = 0.5) -> Denoiser:
    chosen = a_denoiser(kind)
    count = sum(int(np.prod(shape)) for shape in weight_shapes(chosen, 3))
    return Denoiser(
        settings=chosen,
        classes=3,
        steps=60,
        seconds=1.5,
        seed=7,
        source="letters.mat",
        fingerprint=fingerprint,
        versions={"keras": "3"},
        weights=np.full(count, value, np.float16),
    )


def same(one: Denoiser, other: Denoiser) -> bool:
    about, others = vars(one) | {"weights": None}, vars(other) | {"weights": None}
    return about == others and np.array_equal(one.weights, other.weights)


def weight_files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.weights.npy")}


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_saved_comes_back(tmp_path: Path, kind: str) -> None:
    denoiser = trained(kind)
    save_denoiser(tmp_path / "new", denoiser)
    (loaded,) = load_denoisers(tmp_path / "new").values()
    assert same(loaded, denoiser)


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    assert load_denoisers(tmp_path / "none") == {}


def test_denoisers_of_other_settings_or_data_stand_beside_each_other(tmp_path: Path) -> None:
    kept = [trained(), trained("sparse"), trained(fingerprint=64 * "b", value=0.25)]
    for denoiser in kept:
        save_denoiser(tmp_path, denoiser)
    loaded = load_denoisers(tmp_path)
    assert set(loaded) == {denoiser.key for denoiser in kept} and len(loaded) == 3
    assert all(same(loaded[denoiser.key], denoiser) for denoiser in kept)


def test_a_new_training_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    save_denoiser(tmp_path, trained(value=0.5))
    before = weight_files(tmp_path)
    save_denoiser(tmp_path, trained(value=0.75))
    (loaded,) = load_denoisers(tmp_path).values()
    assert loaded.weights[0] == 0.75
    assert len(weight_files(tmp_path)) == 1 and not before & weight_files(tmp_path)


def test_a_save_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_denoiser(tmp_path, trained())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.network_folder.write_atomically", fail)
    with pytest.raises(CollectionError, match=r"No space left.*what was there before is unchanged"):
        save_denoiser(tmp_path, trained("sparse"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    """Damage the one denoiser of a document."""

    def damage(folder: Path) -> None:
        document = json.loads((folder / FILE_NAME).read_text())
        (about,) = document["denoisers"].values()
        change(about)
        (folder / FILE_NAME).write_text(json.dumps(document))

    return damage


def other_weights(folder: Path) -> None:
    (path,) = folder.glob("*.weights.npy")
    path.write_bytes(path.read_bytes()[:-2] + b"\0\0")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / FILE_NAME).write_text("{"), "it is no JSON"),
        (lambda folder: (folder / FILE_NAME).write_text("[]"), "does not say 'format'"),
        (other_weights, "its SHA-256 differs"),
        (changed(lambda about: about.update(classes=0)), "'classes' is 0"),
        (changed(lambda about: about.update(classes=True)), "'classes' is 'True'"),
        (changed(lambda about: about["settings"].update(filters=[1024] * 3)), "at most"),
        (changed(lambda about: about["settings"].update(type="other")), "'type' is 'other'"),
        (changed(lambda about: about["settings"].update(steps=61)), "make another key"),
        (changed(lambda about: about.update(fingerprint=64 * "c")), "make another key"),
        (changed(lambda about: about["settings"].update(filters=[4, 8, 9])), "bytes|row of"),
        (changed(lambda about: about.update(source="a\nb")), "'source' must be a short text"),
        (changed(lambda about: about["weights"].update(file="../x.npy")), "not the name of a file"),
        (changed(lambda about: about.pop("weights")), "a file must be a dictionary"),
    ],
)
def test_damaged_folders_are_refused_with_the_reason(
    tmp_path: Path, damage: Callable[[Path], Any], said: str
) -> None:
    save_denoiser(tmp_path, trained())
    damage(tmp_path)
    with pytest.raises(CollectionError, match=said):
        load_denoisers(tmp_path)
    with pytest.raises(CollectionError):  # nothing is written over what cannot be read
        save_denoiser(tmp_path, trained("sparse"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["settings", "classes", "steps", "seconds", "seed", "versions", "weights"]),
    ANYTHING,
)
def test_any_value_of_a_key_is_read_or_refused(tmp_path: Path, key: str, value: Any) -> None:
    save_denoiser_once(tmp_path)
    document = json.loads((tmp_path / "original.json").read_text())
    (about,) = document["denoisers"].values()
    about[key] = value
    (tmp_path / FILE_NAME).write_text(json.dumps(document))
    try:
        load_denoisers(tmp_path)
    except CollectionError as error:
        assert str(tmp_path) in str(error)


def save_denoiser_once(folder: Path) -> None:
    if not (folder / "original.json").exists():
        save_denoiser(folder, trained())
        (folder / "original.json").write_bytes((folder / FILE_NAME).read_bytes())


def _save_some(folder: Path, name: str) -> None:
    for number in range(6):
        save_denoiser(folder, trained("sparse", fingerprint=f"{name}{number}".ljust(64, "0")))


def test_programs_that_write_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    start = multiprocessing.get_context("spawn").Process
    programs = [start(target=_save_some, args=(tmp_path, name)) for name in "abc"]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert [program.exitcode for program in programs] == [0, 0, 0]
    assert len(load_denoisers(tmp_path)) == 18


def test_who_waits_for_another_program_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("process_lock.PATIENCE", 0.2)
    with (
        holding(tmp_path / LOCK_NAME, lambda seconds: None),
        pytest.raises(CollectionError, match="another program has been writing to it"),
    ):
        save_denoiser(tmp_path, trained())
