"""The layers of the program, held against its imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the bottom up: a module or package may import those of lower levels; a package is one thing.
LEVELS = (
    {"image_arrays", "emnist_classes"},
    {
        "counting",
        "errors",
        "sentences",
        "unused_path",
        "process_lock",
        "pictures",
    },
    {"settings", "data_formats", "evaluation"},
    {"training", "denoising", "downloads", "image_groups", "fonts", "data_set"},
    {"cnn_model", "data_splits", "command_line"},
    {"data_parser", "entries"},
    {"gan", "model_collection", "keras_preload", "own_pictures"},
    {
        *("storage", "crews", "queries", "collection_evaluation", "collection_reading"),
        "learning_curves",
    },
    {"collection_training", "image_generator", "reports"},
    {"generators", "prediction"},
    {"denoisers"},
    {"trainer_predictor"},
    {"terminal"},
    {"views", "user_state"},
    {"dialogues"},
    {"menu"},
    {"__init__"},
)
PROGRAMS = {"shrink_emnist", "glyph_dataset"}
TRAINING_PROGRAMS = {"train_generators", "train_judge"}
# Where Keras networks are made; whatever uses them imports them only when it does.
NETWORKS = {
    "training/augmentation.py",
    "cnn_model.py",
    "training/keras_layers.py",
    "training/fused_normalization.py",
    "training/learner.py",
    "training/optimizers.py",
    "training/tensorboard_log.py",
    "training/training_batches.py",
    "training/variables.py",
    "denoising/networks.py",
    "denoising/training.py",
    "gan/adversarial_model.py",
    "gan/adversarial_optimizers.py",
    "gan/batches.py",
    "gan/conditional_networks.py",
    "gan/course.py",
    "gan/drawing.py",
    "gan/features.py",
    "gan/games.py",
    "gan/gradients.py",
    "gan/keras_gan.py",
    "gan/layers.py",
    "gan/losses.py",
    "gan/moments.py",
    "gan/moving_average.py",
    "gan/networks.py",
    "gan/players.py",
    "gan/resumable_model.py",
    "gan/training.py",
}
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}
PACKAGES = {path.parent for path in ROOT.glob("*/__init__.py")}
PACKAGES -= {ROOT / "tests", ROOT / "benchmarks"}
SOURCES = sorted(path for folder in (ROOT, *PACKAGES) for path in folder.glob("*.py"))


def module_of(path: Path) -> str:
    return path.stem if path.parent == ROOT else path.parent.name


def imports(path: Path) -> list[tuple[str, bool]]:
    """Top-level names that a file imports, with whether they are imported when it is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_once = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], id(node) in at_once) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.module.split(".")[0], id(node) in at_once))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    module = module_of(path)
    used = {name for name, _ in imports(path) if name in LEVEL and name != module}
    if module in PROGRAMS:
        assert used <= {"errors", "command_line", "data_parser", "data_formats", "fonts"}
        return
    if module in TRAINING_PROGRAMS:
        assert not used & {"menu", "terminal", "views", "trainer_predictor"}
        return
    same_or_higher = {name for name in used if LEVEL[name] >= LEVEL[module]}
    assert not same_or_higher, f"{module} must not import {same_or_higher}"


def test_every_module_and_package_has_a_level() -> None:
    assert {module_of(path) for path in SOURCES} == {*LEVEL, *PROGRAMS, *TRAINING_PROGRAMS}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_network_modules_bring_in_keras_when_imported(path: Path) -> None:
    heavy = {name for name, at_once in imports(path) if at_once} & {"keras", "tensorflow", "torch"}
    assert not heavy or path.relative_to(ROOT).as_posix() in NETWORKS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_network_modules_are_imported_late_by_all_others(path: Path) -> None:
    if path.relative_to(ROOT).as_posix() in NETWORKS:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_once = {
        name.replace(".", "/") + ".py"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    }
    assert not at_once & NETWORKS


def test_the_entry_point_needs_the_standard_library_only() -> None:
    at_once = {name for name, immediate in imports(ROOT / "__init__.py") if immediate}
    assert at_once <= {
        *("__future__", "argparse", "collections", "contextlib", "os", "pathlib"),
        *("signal", "sys", "types", "typing"),
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_terminal_layer_prints(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    prints = any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)
    assert not prints or module_of(path) in {"menu", "terminal", "views", "command_line"}


def test_no_top_level_name_shadows_a_dependency() -> None:
    import importlib.metadata

    installed = set(importlib.metadata.packages_distributions())
    own = {path.stem for path in ROOT.glob("*.py")} - {"__init__"}
    own |= {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert not own & installed
