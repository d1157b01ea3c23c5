"""Tests of what is known of the processor."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_model
from settings.network_layers import Conv2D, Flatten
from training import processor

INTEL = "processor\t: 0\nflags\t\t: fpu avx512f {}\nbugs\t: spectre_v1\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\n"


@pytest.mark.parametrize(
    "description", [INTEL.format("avx512_bf16 fsrm"), INTEL.format("amx_bf16"), ARM.format("bf16")]
)
def test_instructions_for_bfloat16_are_found(description: str) -> None:
    assert processor.names_bfloat16(description)


@pytest.mark.parametrize(
    "description",
    ["", INTEL.format("avx2"), ARM.format("fp16"), "model name : bf16\n", "flags : no_bf16\n"],
)
def test_without_them_there_are_none(description: str) -> None:
    assert not processor.names_bfloat16(description)


@given(st.text())
def test_any_description_is_read(description: str) -> None:
    assert processor.names_bfloat16(description) in (True, False)


@pytest.mark.parametrize(("able", "computes"), [(True, "bfloat16"), (False, "float32")])
def test_networks_compute_in_bfloat16_where_the_processor_can(
    able: bool, computes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cnn_model, "computes_bfloat16", lambda: able)
    network = cnn_model.build_network((Conv2D(2, (3, 3)), Flatten()), 3, "bfloat16")
    convolution = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    assert convolution.compute_dtype == computes
    assert convolution.variable_dtype == network.layers[-1].compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
