"""Validation errors have one form, wherever a value is read."""

import json
from collections.abc import Callable
from pathlib import Path

import jax.random as jr
import pytest
from evaluate_records import results
from mending import hashed_model
from refused import refused
from sweep_plans import GRID, plan_of

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.data.manifest import MANIFEST_NAME, parse_manifest
from hypermagnetics.errors import HypermagneticsError, RecipeError
from hypermagnetics.evaluate.compare.files import read_contestants
from hypermagnetics.evaluate.results.json_file import to_json
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.models import ModelInputs, build_model, load, save_model
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.sweep.definition import open_sweep
from hypermagnetics.train.sweep.sweep_files import SweepFiles

Edit = Callable[[str], str]
Read = Callable[[Edit], object]
"""Reads a sound file, once its text has been changed."""
_ABSENT = object()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, tiny: Dataset) -> dict[str, Read]:
    """All places that read a file of some schema."""
    directory = tmp_path_factory.mktemp("places")
    manifest = tiny.directory / MANIFEST_NAME
    plan, sweep = plan_of(f"{GRID}[keys]\nseed = [0]", directory, tiny), SweepFiles(directory / "s")
    open_sweep(plan, sweep)
    saved = directory / "saved.hm"
    save_model(saved, build_model(LinearConfig(width=2, depth=1), ModelInputs(), jr.key(0)), {})
    line, leaves = saved.read_bytes().split(b"\n", 1)
    definition = sweep.definition.read_text()
    recipe = load_recipe(DatasetRecipe, "dataset", "demo").model_dump_json()

    def written(name: str, text: str) -> Path:
        (directory / name).write_bytes(text.encode())
        return directory / name

    def with_line(text: str) -> Path:
        (directory / "model.hm").write_bytes(hashed_model(text.encode(), leaves))
        return directory / "model.hm"

    def again(text: str) -> None:
        sweep.definition.write_text(text)
        open_sweep(plan, sweep)

    return {
        "recipe": lambda edit: load_recipe(
            DatasetRecipe, "dataset", str(written("recipe.json", edit(recipe)))
        ),
        "model": lambda edit: load(with_line(edit(line.decode()))),
        "manifest": lambda edit: parse_manifest(edit(manifest.read_text()).encode(), manifest),
        "sweep": lambda edit: again(edit(definition)),
        "results": lambda edit: read_contestants(
            (written("results.json", edit(to_json(results()))),)
        ),
    }


def edited(*keys: str | int, value: object) -> Edit:
    """An edit of JSON text that sets one value, or takes it out."""

    def edit(text: str) -> str:
        table = inner = json.loads(text)
        for key in keys[:-1]:
            inner = inner[key]
        if value is _ABSENT:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        return json.dumps(table)

    return edit


LAYOUT = ("splits", "train", "layout")
FIELD = ("splits", "train", "arrays", "field")
EVALUATION = ("evaluations", 0)
ENDS = {
    "recipe": "recipe.json). ",
    "model": "model.hm). Copy it from its source again.",
    "manifest": " Get the file from the dataset's source again.",
    "sweep": "sweep.json). Choose another DIR.",
    "results": "results.json). Check the path, or run hm-eval again.",
}
CASES: list[tuple[str, Edit, str]] = [
    ("recipe", edited("sed", value=7), "'sed' must be a known key; got 7 ("),
    ("recipe", edited("seed", value=_ABSENT), "'seed' must be given; got nothing ("),
    ("recipe", edited("splits", value={}), "'splits' must have at least 1 item; got {} ("),
    ("recipe", edited("title", value="\ud800"), "The recipe must be JSON; got invalid JSON: "),
    ("recipe", edited("grid", "kind", value="x"), "'grid.kind' must be one of 'random', 'regular'"),
    ("model", edited("model", "widht", value=1), "'model.widht' must be a known key; got 1 ("),
    ("model", edited("training", value=_ABSENT), "'training' must be given; got nothing ("),
    # The name of a member of a union is no part of a key.
    (
        "model",
        edited("model", "width", value=-1),
        "'model.width' must be greater than or equal to 1; got -1 (first line of ",
    ),
    (
        "model",
        edited("training", value={"by": "\ud800"}),
        "The first line of a model file must be JSON; got",
    ),
    ("manifest", edited("run", value="rm"), "'run' must be a known key; got 'rm' ("),
    ("manifest", edited("title", value=_ABSENT), "'title' must be given; got nothing ("),
    ("manifest", lambda text: "[]", "The manifest must be an object; got [] ("),
    ("manifest", lambda text: "{", "The manifest must be JSON; got invalid JSON: EOF while"),
    # Entries of a row have names.
    (
        "manifest",
        edited("files", 3, 0, value="../../etc/passwd"),
        "'files.3.path' must be a relative path without '..'; got '../../etc/passwd' (",
    ),
    (
        "manifest",
        edited("files", 3, 5, value="zz"),
        "'files.3.sha256' must match pattern '^[0-9a-f]{64}$'; got 'zz' (",
    ),
    ("manifest", edited("files", 3, 2, value=-1), "'files.3.first_sample' must be greater than"),
    (
        "manifest",
        edited("files", 3, 5, value=_ABSENT),
        "'files.3.sha256' must be given; got",
    ),
    ("manifest", edited("files", 3, value=list("1234567")), "'files.3' must have "),
    ("manifest", edited("files", 3, value="x"), "'files.3' must be an array"),
    ("manifest", edited(*LAYOUT, "dim", value="2"), "layout.dim' must be a valid integer; got '2'"),
    (
        "manifest",
        edited(*LAYOUT, "num_points", value=25),
        "'splits.train.arrays.grid' must be float32 [6, 25, 2], which follows from the layout; got "
        "'float32 [6, 24, 2]' (",
    ),
    (
        "manifest",
        edited(*FIELD, "statistics", "mean", value=[0.0]),
        "'splits.train.arrays.field.statistics' must have 2 components; got {'mean': 1, 'std': 2, ",
    ),
    (
        "manifest",
        edited(*FIELD, value=_ABSENT),
        "'splits.train.arrays' must be sources, num_sources, grid, potential, field; got [",
    ),
    (
        "manifest",
        edited("columns", value=["x"]),
        "'columns' must have a name and a unit for each of the 4 columns of sources; got '1 names",
    ),
    (
        "manifest",
        edited(*LAYOUT, "samples_per_shard", value=9),
        "layout.samples_per_shard' must be a multiple of samples_per_grid, 8; got 9 (",
    ),
    (
        "manifest",
        edited(*LAYOUT, "samples_per_shard", value=80),
        "layout.samples_per_shard' must be at most 48, which hold the split; got 80 (",
    ),
    (
        "manifest",
        edited(*LAYOUT, "grid_shape", value={"points_per_side": 4, "halo": 2}),
        "layout.grid_shape.halo' must leave points between the halos, 2 halo < 4; got 2 (",
    ),
    (
        "manifest",
        edited(*LAYOUT, "grid_shape", value={"points_per_side": 4, "halo": 1}),
        "layout.shared_grid' must be true beside a grid_shape; got False (",
    ),
    ("sweep", edited("more", value=1), "'more' must be a known key; got 1 ("),
    ("sweep", edited("keys", value=_ABSENT), "'keys' must be given; got nothing ("),
    ("sweep", edited("version", value=2), "'version' must be 1; got 2 ("),
    ("sweep", edited("search", "method", value="all"), "'search.method' must be 'grid' or 'optuna"),
    ("sweep", lambda text: "", "The definition of a sweep must be JSON; got invalid JSON: EOF"),
    ("results", edited("notes", value=_ABSENT), "'notes' must be given; got nothing ("),
    ("results", lambda text: "[]", "A results.json must be an object; got [] ("),
    ("results", lambda text: "{", "A results.json must be JSON; got invalid JSON: EOF while"),
    ("results", edited("subjects", 0, "kind", value="x"), "'subjects.0.kind' must be 'run', 'mod"),
    (
        "results",
        edited(*EVALUATION, "field", "by_region", "near", "num_points", value=None),
        "'evaluations.0.field.by_region.near.num_points' must be a valid integer; got None (",
    ),
]


@pytest.mark.parametrize(("place", "edit", "text"), CASES, ids=[text for _, _, text in CASES])
def test_a_misfit_is_told_by_key_rule_value_place_and_remedy(
    places: dict[str, Read], place: str, edit: Edit, text: str
) -> None:
    with refused(HypermagneticsError, text, ENDS[place]):
        places[place](edit)


def test_long_values_are_cut(places: dict[str, Read]) -> None:
    with refused(HypermagneticsError, f"'seed' must be a valid integer; got '{'a' * 99} ... ("):
        places["recipe"](edited("seed", value="a" * 1000))


def test_a_key_of_another_member_of_a_union_is_named_once() -> None:
    """Both members are called split; the known keys are those of the one that was asked for."""
    with pytest.raises(RecipeError, match=r"'model\.domain' must be a known key; got None") as told:
        load_recipe(TrainingRecipe, "training", "split", ("model.factors=trained",))
    assert "smoothness, waves." in str(told.value)
    assert "domain," not in str(told.value)
