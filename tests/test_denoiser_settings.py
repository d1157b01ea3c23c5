"""Tests of the text file of denoisers."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoising.noise import KINDS, LARGEST_AMOUNTS, Noise
from denoising.settings import (
    DenoiserSettings,
    NoiseRange,
    name_of,
    read_denoiser_settings,
    settings_from_dictionary,
    settings_to_json,
)
from errors import HyperparameterError, UserError

ROOT = Path(__file__).resolve().parent.parent
COMMON: dict[str, Any] = {
    "noise": {"gaussian": (0.1, 1.0)},
    "steps": 10,
    "batch_size": 4,
    "learning_rate": 0.01,
}
CONVOLUTIONAL = {"type": "convolutional", "filters": (4, 2), **COMMON}
SPARSE = {"type": "sparse", "units": 8, "sparsity": 0.1, "sparsity_weight": 0.001, **COMMON}
RESIDUAL = {"type": "residual", "filters": (4, 8), "blocks": 1, **COMMON}
CONDITIONAL = {"type": "conditional", "filters": (4,), "class_size": 3, **COMMON}


def read(tmp_path: Path, text: str) -> tuple[DenoiserSettings, ...]:
    path = tmp_path / "denoisers.txt"
    path.write_text(text, encoding="utf-8")
    return read_denoiser_settings(path)


def test_the_file_that_comes_with_the_program_has_all_four_types() -> None:
    found = read_denoiser_settings(ROOT / "denoiser_hyperparameters.txt")
    assert [settings.type for settings in found] == [
        "convolutional",
        "sparse",
        "residual",
        "conditional",
    ]
    assert found[0].filters == (16, 8)
    assert all(
        settings.learns(Noise("gaussian", amount)) for settings in found for amount in (0.2, 1)
    )


def test_a_single_dictionary_is_one_denoiser(tmp_path: Path) -> None:
    (settings,) = read(tmp_path, repr(RESIDUAL))
    assert settings.filters == (4, 8) and settings.blocks == 1
    assert settings.noise == (NoiseRange("gaussian", 0.1, 1.0),)


def test_what_is_no_plain_value_is_quoted_with_its_own_line(tmp_path: Path) -> None:
    text = repr([CONVOLUTIONAL, RESIDUAL]).replace("'noise': {", "\n'noise': {\n", 1)
    with pytest.raises(UserError) as caught:
        read(tmp_path, text.replace("(0.1, 1.0)", "(0.1, \n1 - 0.5)", 1))
    assert "line 4, denoiser 0: '1 - 0.5' is not a plain value; only" in str(caught.value)


def test_one_that_could_not_be_loaded_again_is_refused(tmp_path: Path) -> None:
    large = RESIDUAL | {"filters": (1024, 1024, 1024), "blocks": 20}
    with pytest.raises(
        HyperparameterError, match="415,309,825 weights, but must have at most 50,0"
    ):
        read(tmp_path, repr(large))


@pytest.mark.parametrize("amount", ["1" + 400 * "0", "(0, 1" + 400 * "0" + ")", "1e999", "-1"])
def test_amounts_beyond_all_bounds_are_named(tmp_path: Path, amount: str) -> None:
    text = repr(RESIDUAL | {"noise": "?"}).replace("'?'", f"{{'gaussian': {amount}}}")
    with pytest.raises(HyperparameterError, match="'gaussian' has an amount from 0 to 5"):
        read(tmp_path, text)


def test_noise_may_be_of_several_kinds_and_of_one_amount(tmp_path: Path) -> None:
    noise = {"lines": 3, "blur": [0, 2]}
    (settings,) = read(tmp_path, repr({**SPARSE, "noise": noise}))
    assert settings.noise == (NoiseRange("lines", 3, 3), NoiseRange("blur", 0, 2))
    assert settings.learns(Noise("lines", 3)) and not settings.learns(Noise("lines", 2))
    assert not settings.learns(Noise("gaussian", 0.5))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"type": "linear"}, "'type' is 'linear', but must be one of 'convolutional'"),
        (
            {"filters": (4, 2, 1)},
            "'filters' of 'convolutional' is (4, 2, 1), but must be at most 2",
        ),
        ({"filters": ()}, "'filters' is ()"),
        ({"units": 3}, "'convolutional' has no key 'units'"),
        ({"steps": 0}, "'steps' is 0, but must be a whole number from 1"),
        ({"noise": {}}, "'noise' is {}"),
        ({"noise": {"fog": 1}}, "keys are among 'gaussian'"),
        ({"noise": {"gaussian": (1, 0.1)}}, "'gaussian' has an amount from 0 to 5"),
        ({"noise": {"gaussian": 1e309}}, "'gaussian' has an amount"),
        ({"noise": {(1, 2): 3}}, "keys are among"),
        ({"learning_rate": True}, "'learning_rate' is True"),
        ({"epochs": 3}, "a denoiser has no key 'epochs'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    text = f"[\n{RESIDUAL!r},\n{ ({**CONVOLUTIONAL, **changed})!r}]".replace("inf", "1e999")
    with pytest.raises(HyperparameterError) as caught:
        read(tmp_path, text)
    assert "line 3, denoiser 1: " in str(caught.value) and said in str(caught.value)


@pytest.mark.parametrize("missing", ["type", "noise", "filters", "learning_rate"])
def test_a_missing_key_is_named(tmp_path: Path, missing: str) -> None:
    given = {key: value for key, value in CONVOLUTIONAL.items() if key != missing}
    with pytest.raises(HyperparameterError, match=f"needs the key '{missing}'"):
        read(tmp_path, repr([given]))


def test_every_problem_of_the_noise_is_named(tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError) as caught:
        read(tmp_path, repr([{**CONVOLUTIONAL, "noise": {"gaussian": (1.0, 0.1), "rain": 2}}]))
    assert "'gaussian' has an amount from 0 to" in str(caught.value)
    assert "whose keys are among 'gaussian'" in str(caught.value)


def test_the_same_denoiser_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError, match="denoiser 1: it is the same as denoiser 0"):
        read(tmp_path, repr([SPARSE, SPARSE]))


@pytest.mark.parametrize("text", ["[]", "3", "", "[3]", "{**{}}", "[__import__('os')]", "['a' 'b"])
def test_something_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(HyperparameterError):
        read(tmp_path, text)


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("denoisers") / "file.txt"
    path.write_text(text, encoding="utf-8")
    try:
        assert read_denoiser_settings(path)
    except UserError as error:
        assert str(error)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KINDS), inner),
    max_leaves=5,
)


@given(
    st.sampled_from([CONVOLUTIONAL, SPARSE, RESIDUAL, CONDITIONAL]),
    st.dictionaries(st.sampled_from([*SPARSE, *CONDITIONAL, "blocks"]), ANYTHING, max_size=2),
)
def test_settings_of_any_values_are_right_and_come_back_or_are_refused(
    base: dict[str, Any], changed: dict[str, Any]
) -> None:
    settings, problems = settings_from_dictionary({**base, **changed})
    assert (settings is None) == bool(problems)
    if settings is not None:
        assert settings_from_dictionary(settings_to_json(settings)) == (settings, [])
        assert all(noise.high <= LARGEST_AMOUNTS[noise.kind] for noise in settings.noise)


def test_identities_tell_settings_apart() -> None:
    found = [
        settings_from_dictionary(given)[0]
        for given in (CONVOLUTIONAL, {**CONVOLUTIONAL, "steps": 11}, SPARSE, RESIDUAL, CONDITIONAL)
    ]
    assert len({settings.identity for settings in found if settings}) == 5


def test_a_denoiser_is_called_by_its_number_and_type() -> None:
    settings, _ = settings_from_dictionary(SPARSE)
    assert settings is not None and name_of(3, settings) == "3 sparse"
