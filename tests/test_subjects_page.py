"""docs/subjects.md works as it stands there: its modules, its snippets, and what it types."""

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest
from packaging_facts import ROOT

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.plan import OpenedDataset, check_fit, open_datasets
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.models import HyperLayer, ModelInputs, save_model
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.export import export_run

TEXT = (ROOT / "docs" / "subjects.md").read_text(encoding="utf-8")
MODULE = re.compile(r"^```python\n# (\w+)\.py\n(.*?)^```", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r"^```python\n(?!# )(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^    hm-eval ([^[\n]+)$", TEXT, re.MULTILINE)
SPHERES = (
    "grid.num_points=20",
    "samples_per_grid=4",
    "splits.train={num_samples=4, num_sources=1}",
    "splits.valid={num_samples=4, num_sources=1}",
    "splits.test_single={num_samples=6, num_sources=1}",
    "splits.test_multi={num_samples=6, num_sources=4}",
)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Dataset) -> Iterator[None]:
    """A working directory with all that the page names, made by its own code where it has some."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("discs", "more-discs"):
        shutil.copytree(tiny.directory, name)
    recipe = load_recipe(DatasetRecipe, "dataset", "spheres-3d", SPHERES)
    generate(make_plan(recipe, "zarr"), Path("spheres"))
    discs = ModelInputs(columns=SourceColumns.of("disc", constants={"radius": 1.0}))
    model = HyperLayer(
        8,
        1,
        1.0,
        1,
        inputs=discs,
        hyperkey=jr.key(0),
        mainkey=jr.key(1),
    )
    for file in ("run/model.hm", "older.hm"):
        save_model(Path(file), model, {})
    export_run(Path("run"), Path("run-export"), overwrite=False)
    modules = MODULE.findall(TEXT)
    assert [name for name, _ in modules] == ["my_fields", "my_magnets"]
    for name, code in modules:
        Path(f"{name}.py").write_text(code, encoding="utf-8")
    names: dict[str, object] = {}
    for code in SNIPPET.findall(TEXT):
        exec(compile(code, "docs/subjects.md", "exec"), names)
    yield
    for name, _ in modules:
        sys.modules.pop(name, None)


def opened(command: str) -> tuple[tuple[Subject, ...], tuple[OpenedDataset, ...]]:
    """What a command evaluates."""
    words, *splits = command.split(" --split ")
    arguments = sort_arguments(shlex.split(words))
    datasets = open_datasets(arguments.datasets, splits)
    subjects = open_subjects(arguments.subjects)
    check_fit(subjects, datasets)
    return subjects, datasets


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_what_the_page_types_can_be_evaluated(page: None) -> None:
    """Every subject of every command; and those that hold the exact values agree with labels."""
    kinds = set()
    for command in COMMANDS:
        subjects, datasets = opened(command)
        for dataset in datasets:
            for name in dataset.splits:
                split = dataset.dataset.split(name)
                block = split.block(0)
                for subject in subjects:
                    kinds.add(subject.kind)
                    values = subject.on_split(split, len(block.sources))(block, 0)
                    assert values.potential.shape == block.potential.shape
                    if subject.kind in ("function", "predictions"):
                        np.testing.assert_allclose(values.potential, block.potential, atol=1e-5)
                        np.testing.assert_allclose(values.field, block.field, atol=1e-5)
    rows = re.findall(r"^\| (\w+) \|", TEXT, re.MULTILINE)
    assert kinds | {"kind", "model"} == set(rows) == {"kind", *kinds}


def test_links_lead_somewhere() -> None:
    """Every relative link names a page beside it."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
