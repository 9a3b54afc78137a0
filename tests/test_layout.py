"""The disk, setup.cfg and the layers agree."""

import ast
import re
import subprocess
import sys
from functools import cache

from packaging_facts import modules, setup_cfg

from hypermagnetics.table import BODIES

PROGRAMS = ("generate", "train", "evaluate")
LAYERS = (
    {"errors", "shapes", "validation_errors"},
    {
        *("recipes", "config", "files", "grids", "log", "user_code", "jax_setup"),
        *("extras", "subcommands", "child_processes", "waiting", "table", "run_files"),
        "machine",
        "cluster",
        *("arrays", "methods", "few_sizes", "precision", "device_failures", "input_files"),
        "recipe_toml",
    },
    {"sources", "metrics", "data"},
    {"pictures", "dynamics"},
    {"models"},
    set(PROGRAMS),
)
WITHIN_LAYER = {
    *(("config", "recipes"), ("user_code", "config")),
    *(("run_files", "log"), ("run_files", "config"), ("run_files", "files"), ("files", "log")),
    *(("cluster", name) for name in ("child_processes", "config", "extras", "input_files", "log")),
    *(("config", "files"), ("methods", "precision")),
    *(("recipe_toml", "config"), ("recipe_toml", "recipes")),
    *(("config", "input_files"), ("run_files", "input_files"), ("jax_setup", "machine")),
}
"""Imports inside a layer that are meant; everything else in one layer is apart."""

REPORT_DRAWS = ("rendering", "panels", "maps", "chart_axes", "error_charts", "parity")
ONLY_IN = {
    "click": {
        "subcommands",
        *(name.partition(".")[2] for name in modules() if name.endswith(".cli")),
    },
    "tqdm": {"log"},
    "tensorboardX": {"train.tracking.tensorboard"},
    "wandb": {"train.tracking.wandb"},
    "mlflow": {"train.tracking.mlflow"},
    "matplotlib": {
        *("pictures.figure", "pictures.style", "train.plotting.figure"),
        "train.sweep.picture",
        *(f"evaluate.report.{name}" for name in REPORT_DRAWS),
        "evaluate.maps.pictures",
        *("evaluate.rollouts.charts", "evaluate.rollouts.line_pictures"),
    },
    "fmm3dpy": {"evaluate.baselines.fmm3d"},
    "PIL": {
        *("evaluate.report.rendering", "evaluate.report.view3d"),
        *("train.tracking.mlflow", "train.tracking.wandb"),
    },
    "pyvista": {"evaluate.report.view3d"},
    "vtkmodules": {"evaluate.report.view3d"},
    "multiprocessing": {"child_processes", "generate.workers"},
    "dask": {"cluster"},
    "dask_jobqueue": {"cluster"},
    "distributed": {"cluster"},
    "obstore": {"data.stores"},
    "optuna": {"train.sweep.optuna_search"},
    "xarray": {"data.labelled", "data.split"},
}

NAMES_OF_BODIES = {
    "table": "the list of them, with their columns",
    "sources.bodies": "a class for each, for notebooks",
    "sources.configure": "the interface of the published code, of discs and dipoles",
    "generate.bodies": "a table of a recipe for each",
    "models.inputs": "the source table of a model that is made without one",
    "data.importing": "files of earlier formats, of spheres and prisms",
    "data.team_file": "the same",
    "evaluate.results.published": "published figures, of discs",
    "sources.distributions": "a distribution on a sphere, which is no body",
    "sources.demagnetisation": "the cell of a raster, a square or a cube",
}


def short(name: str) -> str:
    """`hypermagnetics.data.manifest` -> `data.manifest`."""
    return name.removeprefix("hypermagnetics").lstrip(".")


def imported_by(text: str) -> set[str]:
    """Everything that a program text imports, by full name; `from a import b` may name a.b."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno} imports relatively"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & set(modules())
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@cache
def imports(name: str) -> set[str]:
    """Everything a module imports, by full name."""
    return imported_by(modules()[name].read_text())


def layer_of_module(name: str) -> int:
    """The layer of a module: command lines are above all that they put together."""
    if name.endswith(".cli"):
        return LAYERS.index(set(PROGRAMS))
    return layer(short(name).partition(".")[0])


def layer(part: str) -> int:
    """The layer of a top-level module or sub-package."""
    (number,) = (i for i, parts in enumerate(LAYERS) if part in parts)
    return number


def test_modules_imported_from_a_package_are_seen() -> None:
    """Or the tests below would pass over them."""
    assert "hypermagnetics.train" in imported_by("from hypermagnetics import __version__, train")
    assert "hypermagnetics.train.cli" in imported_by("from hypermagnetics.train import cli as c")
    assert imported_by("from hypermagnetics.data import Split") == {"hypermagnetics.data"}


def test_every_package_is_listed() -> None:
    """An unlisted package would be left out of the wheel without a word."""
    on_disk = {name for name, file in modules().items() if file.name == "__init__.py"}
    assert on_disk == set(setup_cfg()["options"]["packages"].split())


def test_no_module_has_a_top_level_twin() -> None:
    """`data.manifest` beside `hypermagnetics.data.manifest` would be two modules."""
    assert not {"data", "evaluate", "generate", "train"} & set(sys.modules)


def goes_down(name: str, imported: str) -> bool:
    """Whether a module may import another one of ours."""
    own, other = (short(module).partition(".")[0] for module in (name, imported))
    return other == own or (own, other) in WITHIN_LAYER or layer(other) < layer_of_module(name)


def test_imports_go_down_the_layers() -> None:
    """A module imports only from the layers below its own, or from its own package."""
    ours = [
        (name, imported)
        for name in modules().keys() - {"hypermagnetics"}
        for imported in imports(name)
        if imported.startswith("hypermagnetics.")
    ]
    assert ours
    assert [pair for pair in ours if not goes_down(*pair)] == []


def test_a_cli_is_imported_by_nobody() -> None:
    """The command lines are the top layer; a program's own hands over to those of its parts."""
    found = [
        (name, imported)
        for name in modules()
        for imported in imports(name)
        if imported.endswith(".cli")
        and not (name.endswith(".cli") and imported.startswith(name.removesuffix("cli")))
    ]
    assert found == []


def test_libraries_of_the_edge_stay_there() -> None:
    """Only a cli parses arguments, only log.py draws bars, only reports draw pictures."""
    found = [
        (short(name), library)
        for name in modules()
        for library in {imported.split(".")[0] for imported in imports(name)} & ONLY_IN.keys()
        if short(name) not in ONLY_IN[library]
    ]
    assert found == []


def test_children_are_started_in_one_place() -> None:
    """So that Ctrl-C reaches none of them, and none outlives its program."""
    names = ("ProcessPoolExecutor(", "get_context(", "Process(", "os.fork(", "subprocess.run(")
    users = {
        short(name)
        for name, file in modules().items()
        if any(started in file.read_text() for started in names)
    }
    assert users == {"child_processes"}


def test_files_are_locked_and_synced_in_one_place() -> None:
    """Which knows what file systems cannot do."""
    texts = {short(name): file.read_text() for name, file in modules().items()}
    assert {name for name, text in texts.items() if "flock(" in text} == {"files"}
    assert {name for name, text in texts.items() if "os.fsync(" in text} == {"files"}


def test_jax_is_configured_by_programs_only() -> None:
    """Importing the library changes no global state of JAX; a function for programs may."""
    users = {short(name) for name, file in modules().items() if "jax.config" in file.read_text()}
    assert users <= {"jax_setup", *(f"{program}.cli" for program in (*PROGRAMS, "data"))}
    askers = {
        short(name)
        for name, file in modules().items()
        if {"set_up_program", "keep_compiled"} & set(re.findall(r"\w+", file.read_text()))
    }
    # A worker of a cluster is a process of hm-eval, too.
    assert askers == {"jax_setup", "train.cli", "evaluate.cli", "evaluate.cluster_run"}


def test_programs_compile_predictions_with_their_options() -> None:
    """`jax_setup.own_program` does; JAX takes options of the outermost function alone."""
    others = {
        short(name)
        for name, file in modules().items()
        if short(name).split(".")[0] in PROGRAMS and "filter_jit" in file.read_text()
    }
    assert others == set()


def test_pictures_in_files_have_a_style_of_their_own() -> None:
    """A user's matplotlibrc neither fails them nor changes them."""
    texts = {short(name): file.read_text() for name, file in modules().items()}
    drawing = {name for name, text in texts.items() if ".savefig(" in text}
    assert len(drawing) == 4
    assert {name for name in drawing if "plain_style(" not in texts[name]} == set()


def test_reading_datasets_needs_no_jax() -> None:
    """Reading and verifying start fast and need no accelerator."""
    code = (
        "import sys, hypermagnetics.data; print([m for m in ('jax', 'zarr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bodies_are_named_in_few_places() -> None:
    """Elsewhere a body is asked through its kind, so that a new one has an answer everywhere."""
    named = {
        short(name)
        for name, file in modules().items()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value in BODIES
    }
    kinds = {name for name in named if name.startswith("sources.kinds.")}
    assert named - kinds == NAMES_OF_BODIES.keys()
    assert len(kinds) == 4


def test_first_lines_of_docstrings_are_plain() -> None:
    """Noun phrases or imperatives, so that nobody reads one twice."""
    found = [
        (short(name), first)
        for name, file in modules().items()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and not any("command" in ast.unparse(call) for call in getattr(node, "decorator_list", ()))
        for first in (ast.get_docstring(node) or "").splitlines()[:1]
        if {"what", "somebody", "nobody", "told"} & set(re.findall(r"\w+", first.lower()))
    ]
    assert found == []
