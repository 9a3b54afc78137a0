"""Objectives through hm-train: what makes no sense is refused, what does is reported by term."""

from pathlib import Path

import numpy as np
import pytest
from program_runs import assert_refused, invoke, read_lines, settings
from tiny_datasets import MakeDataset

from hypermagnetics.data import Dataset

RECIPE = """
[model]
name = "hyper_layer"
width = 8
depth = 1
hdepth = 1

[objective.terms.potential]
of = "potential"
loss = { kind = "spectral", order = -1.0 }

[objective.terms.field]
of = "field"
loss = "sample-relative"

[objective.terms.surfaces]
of = "field"
loss = "relative"
weight = 0.0
regions = { inside = 0.0, beyond = 0.0 }

[schedule]

[[schedule.phases]]
steps = 3
learning_rate = 1e-3
weights = { surfaces = 2.0, field = 0.5 }

[tracking]
log_every = 1
"""


@pytest.fixture(scope="module")
def regular(tmp_path_factory: pytest.TempPathFactory, make_dataset: MakeDataset) -> Dataset:
    """Samples on a regular grid."""
    grid = "grid={kind='regular', half_width=2.0, resolution=6}"
    return make_dataset(tmp_path_factory.mktemp("regular") / "data", grid)


@pytest.mark.slow
def test_losses_are_reported_by_term(tmp_path: Path, regular: Dataset) -> None:
    """Before weighting; the loss is their sum with the weights of the phase."""
    (tmp_path / "mine.toml").write_text(RECIPE)
    ran = invoke(
        "hm-train", regular.directory, tmp_path / "run", "--recipe", tmp_path / "mine.toml"
    )
    assert (ran.code, ran.complaints) == (0, []), ran
    weights = {"potential": 1.0, "field": 0.5, "surfaces": 2.0}
    steps = [line for line in read_lines(tmp_path / "run" / "metrics.jsonl") if "losses" in line]
    assert len(steps) == 3
    for line in steps:
        assert set(line["losses"]) == set(weights)
        assert min(line["losses"].values()) > 0
        total = sum(weights[name] * value for name, value in line["losses"].items())
        np.testing.assert_allclose(line["loss"], total, rtol=1e-5)


SPECTRAL = "objective.terms.field.loss=spectral"
RULE = "A spectral term must have all points of a regular grid in each step; got"


def by_sources(keys: str) -> tuple[str]:
    """A term of derivatives with some keys."""
    return (f"objective.terms.s={{of='potential', by='sources', {keys}}}",)


ON_RANDOM_POINTS = {
    "unknown loss": (
        ("objective.terms.field.loss=spectrl",),
        "'objective.terms.field.loss' must be 'cauchy', 'huber', 'mae', 'mse', 'relative', "
        "'sample-relative' or 'spectral', or a function of yours as module:name; got 'spectrl'",
        "Did you mean 'spectral'?",
    ),
    "loss that is like none": (("objective.loss=xyz",), "got 'xyz'", "Change it."),
    "no such term": (
        ("objective.terms.filed.loss=mse",),
        "got 'objective.terms.filed'",
        "Did you mean 'field'?",
    ),
    "nothing to minimise": (
        ("objective.terms.field.weight=0.0", "objective.terms.potential.weight=0.0"),
        "'objective.terms' must include at least one term of positive weight",
    ),
    "negative weight": (
        ("objective.terms.field.weight=-1.0",),
        "'objective.terms.field.weight' must be greater than or equal to 0; got -1.0",
    ),
    "negative weight of a region": (
        ("objective.terms.field.regions={near=-2.0}",),
        "'objective.terms.field.regions.near' must be greater than or equal to 0; got -2.0",
    ),
    "no region": (
        ("objective.terms.field.regions={near=0.0, inside=0.0, beyond=0.0}",),
        "'objective.terms.field.regions' must be positive for at least one region; got {",
    ),
    "unknown region": (
        ("objective.terms.field.regions={nere=1.0}",),
        "'objective.terms.field.regions.nere' must be a known key",
        "Did you mean 'near'?",
    ),
    "a number in vain": (
        ("objective.loss.order=1.0",),
        "'objective.loss.order' must be a known key; got 1.0",
        "Known: delta, kind.",
    ),
    "a number of a loss that takes none": (
        ("objective.terms.field={of='field', loss={kind='mse', delta=0.004}}",),
        "'objective.terms.field.loss.delta' must be a known key; got 0.004",
    ),
    "a power below 1": (
        ("objective.loss={kind='relative', power=0.5}",),
        "'objective.loss.power' must be greater than or equal to 1; got 0.5",
    ),
    "no floor": (
        ("objective.loss={kind='relative', floor=0.0}",),
        "'objective.loss.floor' must be greater than or equal to 0.000001; got 0.0",
    ),
    "a kind that is none": (
        ("objective.loss={kind='hubr'}",),
        "'objective.loss.kind' must be one of 'cauchy', 'huber', 'mae', 'mse', 'relative', 'sampl",
    ),
    "a table without a kind": (
        ("objective.terms.field.loss={delta=1.0}",),
        "'objective.terms.field.loss.kind' must be given",
    ),
    "unknown quantity": (
        ("objective.terms.field.of=fild",),
        "'objective.terms.field.of' must be 'potential' or 'field'; got 'fild'",
    ),
    "by something else": (
        ("objective.terms.field.by=points",),
        "'objective.terms.field.by' must be 'sources'; got 'points'",
    ),
    "directions of errors": (
        ("objective.terms.field.directions=1",),
        "'objective.terms.field.directions' must be a known key",
    ),
    "no direction": (
        by_sources("directions=0"),
        "'objective.terms.s.directions' must be greater than or equal to 1; got 0",
    ),
    "too many directions": (
        by_sources("columns=['position'], directions=3"),
        "Directions of a term by sources must be at most 2, 2 columns of 1 sources; got 3 "
        "(objective.terms.s.directions). Lower it, or write",
    ),
    "derivatives that say nothing": (
        by_sources("columns=['moment']"),
        "got moment_x, moment_y alone: derivatives in these are right as soon as the potential is, "
        "in which the model is linear in the moments (objective.terms.s.columns). Add another",
    ),
    "derivatives by a constant": (
        by_sources("columns=['size']"),
        "columns of the source table that vary, or groups of them; got 'size', where radius = 1 is "
        "the same for all sources (objective.terms.s.columns, split 'train' of ",
        "generate a dataset in which it varies.",
    ),
    "derivatives by an unknown column": (
        by_sources("columns=['positon']"),
        "got 'positon' (objective.terms.s.columns",
        "Did you mean 'position'?",
    ),
    "spectral derivatives": (
        by_sources("loss='spectral'"),
        f"{RULE} points of another kind (objective.terms.s, split 'train' of ",
    ),
    "random points": (
        (SPECTRAL,),
        f"{RULE} points of another kind (objective.terms.field, split 'train' of ",
    ),
}
ON_A_GRID = {
    "some points": (
        (SPECTRAL, "data.points_per_step=35"),
        f"{RULE} 35 of 36 (objective.terms.field, data.points_per_step). Set",
    ),
    "crops": (
        (SPECTRAL, "data.points_per_step=null", "data.crop={size=3}"),
        f"{RULE} crops (objective.terms.field, data.crop). Leave data.crop out.",
    ),
}


def refused(dataset: Dataset, run: Path, overrides: tuple[str, ...], *fragments: str) -> None:
    """Before anything is written."""
    ran = invoke("hm-train", dataset.directory, run, *settings(*overrides))
    assert_refused(ran, *fragments)
    assert not run.exists()


@pytest.mark.slow_cases
@pytest.mark.parametrize("case", ON_RANDOM_POINTS)
def test_objectives_that_make_no_sense(tmp_path: Path, tiny: Dataset, case: str) -> None:
    """The message names the key and the rule."""
    overrides, *fragments = ON_RANDOM_POINTS[case]
    refused(tiny, tmp_path / "run", overrides, *fragments)


@pytest.mark.parametrize("case", ON_A_GRID)
def test_spectral_terms_need_the_whole_grid(tmp_path: Path, regular: Dataset, case: str) -> None:
    """Crops and random points of it have no spectrum."""
    overrides, *fragments = ON_A_GRID[case]
    refused(regular, tmp_path / "run", overrides, *fragments)


def test_a_loss_of_a_term_that_breaks_a_rule_is_named_by_its_key(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And imported from the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sum_of_all_points.py").write_text("def loss(error, truth): return error.sum()\n")
    own = ("--objective", "field=sum_of_all_points:loss")
    ran = invoke("hm-train", tiny.directory, "run", *own)
    assert_refused(
        ran, "must give a loss of shape (2, 3)", "got f32[] (objective.terms.field.loss)"
    )
