"""Optional packages: whoever uses one without having it is told what to install."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging_facts import modules, setup_cfg
from sweep_plans import plan_of

from hypermagnetics.cluster import AnyCluster, LocalWorkers, open_cluster, parse_cluster
from hypermagnetics.data import Dataset
from hypermagnetics.data.hub import export_for_hub
from hypermagnetics.data.stores import Store
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.baselines.fmm3d import fmm3d
from hypermagnetics.extras import EXTRAS, how_to_install
from hypermagnetics.models import split_of_domain
from hypermagnetics.sources import Sphere, from_magpylib, to_magpylib
from hypermagnetics.table import SourceColumns
from hypermagnetics.train.sweep.search import search_of
from hypermagnetics.train.tracking.tracking import refuse_unusable

IMPORT_NAMES = {"google-crc32c": "google_crc32c", "pillow": "PIL"}
"""Names of packages that are imported by another one."""
PARTS = {"pydantic_core", "dask"}
"""Packages without which another one is never installed."""

SPHERES = SourceColumns.described(
    3,
    {"sphere": 3},
    (*(f"{name}_{axis}" for name in ("moment", "position") for axis in "xyz"), "radius"),
    {},
)


def jobs(directory: Path) -> AnyCluster:
    """A cluster of batch jobs."""
    (file := directory / "jobs.toml").write_text('class = "SLURMCluster"\nworkers = 1\n')
    return parse_cluster(str(file))


Use = Callable[[Dataset, Path], object]
USES: dict[tuple[str, str], Use] = {
    ("xarray", "a split"): lambda data, path: data.split("train").to_xarray(),
    ("magpylib", "bodies"): lambda data, path: to_magpylib([Sphere([0, 0, 1], [0, 0, 0], 1.0)]),
    ("magpylib", "magnets"): lambda data, path: from_magpylib(object()),
    ("fmm3dpy", "a baseline"): lambda data, path: fmm3d(SPHERES),
    ("jax_finufft", "a split"): lambda data, path: split_of_domain(SPHERES, 1.0, 1e-3, 10**6),
    ("optuna", "a sweep"): lambda data, path: search_of(
        plan_of('[sweep]\nmethod = "optuna"\ntrials = 2\n[keys]\nseed = [1, 2]', path, data)
    ),
    ("tensorboardX", "a tracker"): lambda data, path: refuse_unusable(["tensorboard"]),
    ("wandb", "a tracker"): lambda data, path: refuse_unusable(["wandb"]),
    ("distributed", "a cluster"): lambda data, path: open_cluster(LocalWorkers(1)).__enter__(),
    ("dask_jobqueue", "batch jobs"): lambda data, path: open_cluster(jobs(path)).__enter__(),
    ("obstore", "a store"): lambda data, path: Store("s3://bucket/place"),
    ("pyarrow", "an export"): lambda data, path: export_for_hub(data, path / "hub"),
    ("mlflow", "a tracker"): lambda data, path: refuse_unusable(["mlflow"]),
}
IN_A_REPORT = {"pyvista", "vtkmodules"}
"""A report goes on without them, and its page says what to install."""


def imported_from_elsewhere() -> set[str]:
    """Packages that the library imports, wherever and however it does."""
    found = set()
    for file in modules().values():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
            elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
                found |= {one.value for one in node.args if isinstance(one, ast.Constant)}
    packages = {name.partition(".")[0] for name in found}
    return packages - sys.stdlib_module_names - {"hypermagnetics"}


@pytest.mark.slow
def test_every_package_is_required_or_in_an_extra() -> None:
    """With the extra that setup.cfg has it in."""
    required = {
        line.split()[0] for line in setup_cfg()["options"]["install_requires"].split("\n") if line
    }
    required = {IMPORT_NAMES.get(name, name) for name in required} | PARTS
    optional = imported_from_elsewhere() - required
    assert optional == EXTRAS.keys() == {package for package, _ in USES} | IN_A_REPORT
    extras = setup_cfg()["options.extras_require"]
    for package, extra in EXTRAS.items():
        asked_for = {line.split()[0] for line in extras[extra].split("\n") if line}
        assert {"vtkmodules": "vtk"}.get(package, package.replace("_", "-")) in asked_for


@pytest.mark.parametrize(("package", "what"), USES, ids=" of ".join)
def test_who_misses_a_package_is_told_what_to_install(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, what: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HypermagneticsError) as caught:
        USES[package, what](tiny, tmp_path)
    assert f"must have the package {package}; got an environment without it" in str(caught.value)
    assert str(caught.value).endswith(f"Run {how_to_install(package)}.")
