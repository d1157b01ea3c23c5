"""The layers of the program, held against its imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the bottom up: a module may import those of lower levels, and of its own package.
LEVELS = (
    {
        "counting",
        "cluster_address",
        "errors",
        "sentences",
        "text_table",
        "unused_path",
        "picture_frame",
        "image_polarity",
        "paper_marks",
        "report_page",
        "process_lock",
        "processor",
        "fused_normalization",
    },
    {"image_preparation"},
    {
        "network_layers",
        "data_formats",
        "evaluation",
        "literal_files",
        "checked_folder",
        "downloads",
        "denoising",
    },
    {"training_parameters", "variant_file", "keras_layers", "image_groups", "network_folder"},
    {"hyperparameters", "data_parser", "augmentation", "calibration", "learner", "optimizers"},
    {"training_batches", "training_words"},
    {"cnn_model", "tensorboard_log"},
    {"gan", "model_collection", "keras_preload", "shared_value"},
    {
        "collection_folder",
        "report_findings",
        "report_pictures",
        "report_wording",
        "learning_curves",
        "collection_query",
        "generator_folder",
        "denoiser_folder",
        "denoising_findings",
        "training_crew",
    },
    {
        "collection_training",
        "report_data_sections",
        "report_entry_sections",
        "report_best_section",
        "in_process_crew",
        "training_worker",
        "ray_tasks",
    },
    {"process_crew", "ray_crew", "ray_generators", "report_sections"},
    {
        "autosave",
        "report",
        "crew_choice",
        "replaced_collection",
        "collection_evaluation",
        "own_pictures",
        "image_generator",
        "trained_generators",
        "trained_denoisers",
        "generated_files",
    },
    {"prediction", "session_generators", "session_denoisers"},
    {"trainer_predictor"},
    {"terminal", "views", "progress_view"},
    {"training_view", "gan_view", "denoise_view", "download_view", "opening_view"},
    {"user_state", "dialogue"},
    {"collection_dialogue", "generator_dialogue", "denoise_dialogue"},
    {"predict_dialogue"},
    {"menu"},
    {"__init__"},
)
PROGRAMS = {"shrink_emnist", "glyph_dataset"}
TRAINING_PROGRAMS = {"train_generators", "train_judge"}
# Where Keras networks are made; whatever uses them imports them only when it does.
NETWORKS = {
    "augmentation.py",
    "cnn_model.py",
    "keras_layers.py",
    "fused_normalization.py",
    "learner.py",
    "optimizers.py",
    "tensorboard_log.py",
    "training_batches.py",
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
    "gan/losses.py",
    "gan/moments.py",
    "gan/networks.py",
    "gan/resumable_model.py",
    "gan/training.py",
}
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}
SOURCES = sorted(
    path
    for folder in (
        ROOT,
        *(ROOT / name for name in ("data_formats", "denoising", "downloads", "evaluation", "gan")),
    )
    for path in folder.glob("*.py")
)


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
        assert used <= {"errors", "data_parser", "data_formats"}
        return
    if module in TRAINING_PROGRAMS:
        assert not used & {"menu", "terminal", "views", "trainer_predictor"}
        return
    same_or_higher = {name for name in used if LEVEL[name] > LEVEL[module]}
    assert not same_or_higher, f"{module} must not import {same_or_higher}"


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
        node.module.replace(".", "/") + ".py"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert not at_once & NETWORKS


def test_the_entry_point_needs_the_standard_library_only() -> None:
    at_once = {name for name, immediate in imports(ROOT / "__init__.py") if immediate}
    assert at_once <= {"__future__", "argparse", "collections", "os", "pathlib", "sys"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_terminal_layer_prints(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    prints = any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)
    talkers = {
        "menu",
        "terminal",
        "training_view",
        "progress_view",
        "denoise_view",
        "download_view",
        *PROGRAMS,
        *TRAINING_PROGRAMS,
    }
    assert not prints or module_of(path) in talkers


def test_no_top_level_name_shadows_a_dependency() -> None:
    import importlib.metadata

    installed = set(importlib.metadata.packages_distributions())
    own = {path.stem for path in ROOT.glob("*.py")} - {"__init__"}
    own |= {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert not own & installed
