"""Recipes and overrides that are wrong, through the programs: one line, exit code 2, no files."""

from pathlib import Path

import pytest
from program_runs import assert_refused, invoke, run_program, settings

DATASET_OVERRIDES = {
    "unknown key": ("sed=7", "'sed' must be a known key; got 7", "Did you mean 'seed'?"),
    "unknown key in a table": (
        "sources.body.radios=2",
        "'sources.body.radios' must be a known key",
        "Did you mean 'radius'?",
    ),
    # The kind of a grid is no part of the name of a key.
    "unknown key in a choice": (
        "grid.num_point=5",
        "'grid.num_point' must be a known key",
        "Did you mean 'num_points'?",
    ),
    "unknown key two tables deep": (
        "splits.train.num_sample=5",
        "'splits.train.num_sample' must be a known key",
        "Did you mean 'num_samples'?",
    ),
    "unknown split": ("splits.trian.num_samples=5", "'splits.trian'", "Did you mean 'train'?"),
    "unknown table": ("sorces.moment=1", "'sorces'", "Did you mean 'sources'?"),
    "unknown choice": ("grid.kind=regulr", "'grid.kind' must be one of", "'regular'", "'regulr'"),
    "another choice": (
        "grid.kind=regular",
        "'grid.num_points' must be a known key",
        "Known: half_width, halo, kind, resolution.",
    ),
    "name of a split": ("splits.a b.num_samples=1", "'splits.a b'", "got 'splits.a b'"),
    "split with a bad name": (
        "splits.../x={num_samples=1, num_sources=1}",
        "got '",
        "--set",
    ),
    "too small": ("grid.num_points=0", "'grid.num_points' must be greater than or equal to 1"),
    "negative": ("sources.body.radius=-1", "'sources.body.radius' must be greater than 0; got -1"),
    "infinite": ("sources.moment.std=inf", "'sources.moment.std' must be a finite number"),
    "not a number": ("sources.moment.std=nan", "'sources.moment.std' must be a finite number"),
    "text for a number": ("seed=forty", "'seed' must be a valid integer; got 'forty'"),
    "fraction for a count": ("seed=1.5", "'seed' must be a valid integer", "got 1.5"),
    "number for a table": ("splits.train=5", "'splits.train' must be an object; got 5"),
    "empty title": ("title=''", "'title' must have at least 1 character; got ''"),
    "no splits": ("splits={}", "'splits' must have at least 1 item"),
    "zero size": ("sources.body.radius=0", "'sources.body.radius' must be greater than 0; got 0"),
    "unknown body": (
        "sources.body.kind=disk",
        "'sources.body.kind' must be one of",
        "'disc'",
        "got 'disk'",
    ),
    "radius of a dipole": (
        "sources.body.kind=dipole",
        "'sources.body.radius' must be a known key; got 1.0",
        "Known: count, dim, kind, share.",
    ),
    "no unit quaternion": (
        "sources.body={kind='cuboid', dimension=[1.0, 1.0, 1.0], rotation=[1.0, 1.0, 1.0, 1.0]}",
        "'sources.body.rotation' must be a quaternion of norm 1, not of norm 2",
    ),
    "moment of the wrong length": (
        "sources.moment={distribution='aligned', direction=[0.0, 0.0, 1.0], magnitude=1.0}",
        "must have 2 components",
        "got [0.0, 0.0, 1.0] (sources.moment.direction)",
    ),
    "a constant position of several sources": (
        "sources.position={distribution='constant', value=[0.3, -0.2]}",
        "must be that of one source in each sample",
        "got 4 sources (split 'test_multi', sources.position.distribution 'constant')",
        "Set num_sources to 1, or choose another distribution.",
    ),
    "a moment that is not finite": (
        "sources.moment={distribution='constant', value=[inf, 0.0]}",
        "'sources.moment.value.0' must be a finite number",
    ),
    "a point of the wrong dimension": (
        "grid={kind='list', points=[[2.0, 0.0], [2.0, 0.0, 1.0]]}",
        "A point must have 2 coordinates, as the sources are in 2 dimensions",
        "got [2.0, 0.0, 1.0] (row 1 of grid.points). Give one number for each axis.",
    ),
    "more sources than sites": (
        "sources.position={distribution='lattice', spacing=1.0, sites_per_side=1}",
        "got 1 sites for 4 sources (split 'test_multi'",
    ),
    "an impossible density": (
        "sources.position={distribution='packed', half_width=2.1}",
        "must fit into the box without overlap; got",
        "of 4 placed, filling 0.",
        "of the box (split 'test_multi', sample ",
    ),
    "no equals sign": ("seed", "must read key=value; got 'seed'", "--set seed=7"),
    "no key": ("=7", "must read key=value; got '=7'"),
    "no value": ("seed=", "'seed' must be a valid integer; got ''"),
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("case", DATASET_OVERRIDES)
def test_a_wrong_override_of_a_dataset_is_refused(tmp_path: Path, case: str) -> None:
    """The message says which key, what came and what is near to it."""
    override, *fragments = DATASET_OVERRIDES[case]
    ran = invoke("hm-generate", "demo", tmp_path / "out", *settings(override))
    assert_refused(ran, *fragments)
    assert not list(tmp_path.iterdir())


TRAINING_OVERRIDES = {
    "unknown key": ("checkpoint.evry=7", "Did you mean 'every'?"),
    "unknown table": ("chekpoint.every=7", "got 'chekpoint'", "Did you mean 'checkpoint'?"),
    "unknown key of a model": (
        "model.acuracy=1e-3",
        "'model.acuracy' must be a known key",
        "Did you mean 'accuracy'?",
    ),
    "unknown model": (
        "model.name=hyper_lyer",
        "'model.name' must be one of",
        "'hyper_layer'",
        "'hyper_lyer'",
    ),
    "unknown key of a phase": (
        "schedule={phases=[{stepz=5, learning_rate=0.1}]}",
        "'schedule.phases.0.stepz' must be a known key; got 5",
        "Did you mean 'steps'?",
    ),
    "unknown loss": (
        "objective.loss=hubr",
        "'objective.loss' must be 'cauchy', 'huber', 'mae', 'mse'",
        "'hubr'",
    ),
    "nothing to minimise": (
        "objective.terms={field={of='field', weight=0.0}}",
        "'objective.terms' must include at least one term of positive weight; got {'field': 0.0}",
    ),
    "warm-up without end": (
        "schedule.warmup_fraction=1.0",
        "'schedule.warmup_fraction' must be less than 1; got 1.0",
    ),
    "warm-up beside phases": (
        "schedule={phases=[{steps=5, learning_rate=0.1}], warmup_fraction=0.1}",
        "'schedule.warmup_fraction' must be 0 beside phases, which have their own; got 0.1 (",
    ),
    "end beside phases": (
        "schedule={phases=[{steps=5, learning_rate=0.1}], final_fraction=0.1}",
        "'schedule.final_fraction' must be 0 beside phases, which have their own; got 0.1 (",
    ),
    "no moving average": (
        "optimiser.ema_decay=1.0",
        "'optimiser.ema_decay' must be less than 1; got 1.0",
    ),
    "phases of no steps": (
        "schedule={phases=[{steps=0, learning_rate=0.1}]}",
        "'schedule.phases.0.steps' must be greater than or equal to 1; got 0",
    ),
    "weights of no term": (
        "schedule={phases=[{steps=1, learning_rate=0.1, weights={filed=1.0}}]}",
        "'schedule.phases.0.weights' must name terms of the objective, field, potential; got",
        "Did you mean 'field'?",
    ),
    "a distance without divided shards": (
        "data.div_shuffle_dist=5",
        "'data.div_shuffle_dist' must be left out unless data.div_data is true; got 5 (",
        "Remove it, or set data.div_data.",
    ),
    "least steps without patience": (
        "validation.min_steps=5",
        "'validation.min_steps' must be 0 unless validation.patience is set; got 5 (",
    ),
    "a text for a number": (
        "validation.patience=many",
        "'validation.patience' must be a valid integer; got 'many'",
    ),
    "a model beyond every memory": (
        "model.hwidth=1e300",
        "'model.hwidth' must be less than or equal to 64; got 1e+300",
    ),
}


@pytest.mark.parametrize("case", TRAINING_OVERRIDES)
def test_a_wrong_override_of_a_training_is_refused(tmp_path: Path, case: str) -> None:
    """Before the dataset is looked at."""
    override, *fragments = TRAINING_OVERRIDES[case]
    ran = invoke("hm-train", tmp_path / "data", tmp_path / "run", *settings(override))
    assert_refused(ran, *fragments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("program", ["hm-generate", "hm-train"])
def test_null_can_be_set(tmp_path: Path, program: str) -> None:
    """Some keys mean something by null, which TOML cannot write; --set must be able to."""
    if program == "hm-generate":
        overrides = settings("samples_per_grid=null")
        ran = invoke(program, "demo", tmp_path / "out", *overrides, "--dry-run")
        assert (ran.code, ran.stderr) == (0, "")
    else:
        ran = invoke(program, tmp_path / "data", "run", *settings("data.points_per_step=null"))
        assert_refused(ran, "A dataset must be a directory")


SOURCES = (
    "[sources]\nbody = { kind = 'disc', radius = 1.0 }\n"
    "moment = { distribution = 'normal', std = 1.0 }\n"
    "position = { distribution = 'normal', std = 1.0 }\n"
)
GRID = "[grid]\nkind = 'random'\nhalf_width = 3.0\nnum_points = 8\n"
SPLITS = "[splits]\ntrain = { num_samples = 8, num_sources = 1 }\n"
FILES = {
    "malformed TOML": ("a.toml", "title = \nseed = 1\n", "must be valid TOML", "line 1", "a.toml"),
    "malformed JSON": ("a.json", '{"title": }', "must be valid JSON", "line 1", "a.json"),
    "no text": ("a.toml", b"\xff\xfe", "must be valid TOML", "utf-8", "a.toml"),
    "no table": ("a.json", "[1, 2]", "must be a table; got list"),
    "empty": ("a.toml", "", "'title' must be given"),
    "unknown key": (
        "a.toml",
        "title = 'x'\nsed = 1\n" + SOURCES + GRID + SPLITS,
        "'sed' must be a known key; got 1",
        "a.toml",
        "Did you mean 'seed'?",
    ),
    "unknown key in a choice": (
        "a.toml",
        "title = 'x'\nseed = 1\n" + SOURCES + GRID + "num_point = 5\n" + SPLITS,
        "'grid.num_point' must be a known key; got 5",
        "Did you mean 'num_points'?",
    ),
    "a date": (
        "a.toml",
        "title = 'x'\nseed = 2024-05-10\n" + SOURCES + GRID + SPLITS,
        "'seed' must be a valid integer; got '2024-05-10'",
        "a.toml",
    ),
    "a file that is none": ("a.txt", "", "must be a .toml or .json file", "a.txt"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_recipe_file_is_refused(tmp_path: Path, case: str) -> None:
    """The message names the file and the place in it; the file stays as it is."""
    name, content, *fragments = FILES[case]
    file, data = tmp_path / name, content if isinstance(content, bytes) else content.encode()
    file.write_bytes(data)
    assert_refused(invoke("hm-generate", file, tmp_path / "out"), *map(str, fragments))
    assert file.read_bytes() == data
    assert not (tmp_path / "out").exists()


def test_a_recipe_file_that_is_absent_is_refused(tmp_path: Path) -> None:
    """The message lists what could be taken instead."""
    ran = invoke("hm-generate", tmp_path / "a.toml", tmp_path / "out")
    assert_refused(ran, "must exist", "a.toml", "demo, derivative-discs, discs-2d-packed, ")


def test_an_unknown_recipe_is_refused_by_a_real_process(tmp_path: Path) -> None:
    """The nearest name is in the message; both programs keep to one line and exit code 2."""
    for arguments in (
        ("hm-generate", "demmo", tmp_path / "out"),
        ("hm-train", tmp_path / "data", tmp_path / "run", "--recipe", "demmo"),
    ):
        assert_refused(run_program(*map(str, arguments)), "got 'demmo'", "Did you mean 'demo'?")
    assert not list(tmp_path.iterdir())
