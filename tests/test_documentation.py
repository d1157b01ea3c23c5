"""README and docs, held against the program."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

from denoising import noise
from denoising import settings as denoiser_settings
from gan import settings
from settings import network_layers, training_parameters

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def walk_answers() -> str:
    block = re.search(r"<!-- walk -->\n```text\n(.*?)```", README, re.DOTALL)
    assert block is not None
    return block[1]


def test_the_walk_in_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    done = subprocess.run(
        [sys.executable, ROOT / "__init__.py", ROOT / "dataset/letters-small.mat", "-m", "model"],
        input=walk_answers(),
        capture_output=True,
        text=True,
        cwd=_with_models(tmp_path),
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.count("Predicted character:") == 5
    assert "'c' shares the class 'C'" in done.stdout
    assert "Most confused by entry" in done.stdout
    assert "Saved 14 entries" in done.stdout
    assert "Loaded 14 entries" in done.stdout
    for picture in ("word.png", "sheet.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "confusion-matrix.png").read_bytes().startswith(b"\x89PNG")


def _with_models(folder: Path) -> Path:
    (folder / "model").symlink_to(ROOT / "model")
    return folder


def test_every_option_is_in_the_readme() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "__init__.py", "--help"], capture_output=True, text=True, check=True
    )
    synopsis = next(line for line in README.splitlines() if line.startswith("    python __init__"))
    options = re.findall(r"^  (-[-a-z]+)(?:.*?, (--[a-z-]+))?", done.stdout, re.MULTILINE)
    assert ("-m", "--model-collection-path") in options and ("--cluster", "") in options
    for first, second in options:
        if first not in ("-h", "--version"):
            assert re.search(rf"[\[ ]{first}[\] ]", synopsis), first
            row = f"| `{first}`" + (f", `{second}`" if second else "") + " |"
            assert row in README, row


def test_every_layer_and_key_is_documented() -> None:
    for name, layer in network_layers.LAYER_TYPES.items():
        row = next(line for line in FORMATS.splitlines() if line.startswith(f"| `'{name}'`"))
        for key in (field.name for field in dataclasses.fields(layer)):
            assert f"`'{key}'`" in row, f"{name}: {key} is not in docs/formats.md"


def test_every_training_parameter_is_documented() -> None:
    for key in training_parameters.TrainingParameters.__dataclass_fields__:
        assert f"`'{key}'`" in FORMATS


def test_every_activation_and_optimizer_is_documented() -> None:
    for name in (*network_layers.ACTIVATIONS, *training_parameters.OPTIMIZERS):
        assert name in FORMATS


def test_every_gan_setting_is_documented() -> None:
    for kind in (settings.GanSettings, settings.Strategy):
        for field in dataclasses.fields(kind):
            assert f"`'{field.name}'`" in FORMATS
    for name in (*settings.KINDS, *settings.NETWORKS, *settings.LOSSES, *settings.STRATEGIES):
        assert name in FORMATS


def test_every_denoiser_setting_is_documented() -> None:
    section = FORMATS.split("## Denoisers", 1)[1].split("\n## ", 1)[0]
    for field in dataclasses.fields(denoiser_settings.DenoiserSettings):
        assert f"`'{field.name}'`" in section
    for name in denoiser_settings.TYPES:
        assert f"'{name}'" in section
    for kind, most in noise.LARGEST_AMOUNTS.items():
        assert f"| {kind} | 0 to {most:g}: " in section


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in (ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "dataset/README.md"):
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"
