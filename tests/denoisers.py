"""Tiny denoisers for tests."""

from typing import Any

from denoising.settings import DenoiserSettings, settings_from_dictionary

OWN: dict[str, dict[str, Any]] = {
    "convolutional": {"filters": (8, 4)},
    "sparse": {"units": 16, "sparsity": 0.2, "sparsity_weight": 0.001},
    "residual": {"filters": (4, 8, 8), "blocks": 1},
    "conditional": {"filters": (8, 4), "class_size": 4},
}


def a_denoiser(kind: str, **changed: Any) -> DenoiserSettings:
    """Settings of a tiny denoiser that learns in a second or two."""
    given = {
        "type": kind,
        "noise": {"gaussian": (0.2, 0.8)},
        "steps": 60,
        "batch_size": 16,
        "learning_rate": 0.01,
        **OWN[kind],
        **changed,
    }
    settings, problems = settings_from_dictionary(given)
    assert settings is not None, problems
    return settings
