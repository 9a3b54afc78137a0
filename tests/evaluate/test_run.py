"""Evaluations of exact and of wrong models on a small dataset."""

import json
import logging
import shutil
from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import pytest
from program_runs import contents
from recording import Recording
from refused import refused

from hypermagnetics.data import Dataset
from hypermagnetics.errors import DatasetError, HypermagneticsError, RunError
from hypermagnetics.evaluate.plan import OpenedDataset, Plan
from hypermagnetics.evaluate.run import evaluate
from hypermagnetics.evaluate.subjects.jax_model import JaxModel
from hypermagnetics.evaluate.subjects.opening import model_subject
from hypermagnetics.evaluate.subjects.subject import Subject, on_any_split
from hypermagnetics.files import only_writer
from hypermagnetics.metrics import measure
from hypermagnetics.models import ModelInputs, RangeSplit, RangeSplitConfig
from hypermagnetics.sources import SourceColumns

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})
TIMES = ("timings", "seconds", "predict_seconds")


def _subject(model, name: str = "model") -> Subject:
    predictor = JaxModel(model)
    return Subject(name, "model", name, on_any_split(predictor), predictor, rank=model.rank)


@pytest.fixture
def plan(tiny, tmp_path):
    """A function that makes the plan of an evaluation of models on the tiny dataset."""

    def make(*models, splits=("test_multi",), out="out", metrics_only=True) -> Plan:
        subjects = tuple(_subject(model, f"model {i}") for i, model in enumerate(models))
        opened = OpenedDataset("tiny", tiny, DISCS, splits)
        return Plan(subjects, (opened,), tmp_path / out, metrics_only)

    return make


def _evaluated(plan: Plan) -> dict:
    listener = Recording()
    evaluate(plan, listener)
    assert listener.total == plan.num_predictions
    assert bool(listener.told) is not plan.metrics_only
    return json.loads((plan.out / "results.json").read_text())


def _without_times(value):
    if isinstance(value, dict):
        return {key: _without_times(inner) for key, inner in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [_without_times(inner) for inner in value]
    return value


def test_a_factor_is_found_as_the_error_of_everything(plan, oracle):
    (found,) = _evaluated(plan(oracle(factor=1.25)))["evaluations"]
    assert (found["subject"], found["dataset"], found["split"]) == ("model 0", "tiny", "test_multi")
    assert (found["num_samples"], found["num_points"]) == (20, 24)
    for quantity in ("potential", "field"):
        one = found[quantity]
        groups = ("by_region", "by_num_sources", "by_body")
        parts = [one, *one["by_distance"]]
        parts += [part for name in groups for part in one[name].values()]
        for part in parts:
            assert part["median_relative_error"] == pytest.approx(0.25, rel=1e-4)
        assert one["ci95"] == pytest.approx([0.25, 0.25], rel=1e-4)
        assert list(one["by_num_sources"]) == ["4"]
        assert list(one["by_body"]) == ["disc"]


def test_predictions_that_are_not_finite_become_null_with_their_fraction(plan, oracle, tiny):
    results = _evaluated(plan(oracle(blind_below=0.5), splits=("test_single",)))
    found = results["evaluations"][0]["potential"]
    grids = [block.grid for block in tiny.split("test_single").blocks()]
    # Nine samples, eight of which share the first grid.
    blind = [np.mean(grid[:, 0] < 0.5) for grid in grids]
    assert found["nonfinite_fraction"] == pytest.approx((8 * blind[0] + blind[1]) / 9)
    assert found["global_relative_l2"] is None
    assert found["p99_relative_error"] is None


@pytest.mark.slow
def test_a_model_with_a_near_part_is_followed_by_its_learned_part(plan, oracle, tiny):
    inputs = ModelInputs(columns=DISCS)
    config = RangeSplitConfig(rank=4, waves=8, cutoff=1.2)
    model = RangeSplit(config, inputs, jax.random.key(0))
    # What it draws is far above the truth, and would hide the near part.
    model = eqx.tree_at(lambda one: one.factors.mixing, model, replace_fn=lambda old: 1e-4 * old)
    made = replace(plan(oracle()), subjects=(model_subject(model, "split"), _subject(oracle())))
    results = _evaluated(made)
    assert [one["subject"] for one in results["evaluations"]] == [
        *("split", "split, learned part", "model"),
    ]
    records = {one["name"]: one for one in results["subjects"]}
    assert {name: one["knowledge"] for name, one in records.items()} == {
        **{"split": "kernel", "split, learned part": "kernel", "model": None},
    }
    part = records["split, learned part"]
    assert (part["kind"], part["learned_part_of"]) == ("baseline", "split")
    whole, learned, other = results["evaluations"]
    errors: dict[str, list[np.ndarray]] = {"whole": [], "learned": []}
    near = pairs = 0
    for block in tiny.split("test_multi").blocks():
        arguments = (block.sources, block.grid)
        made_of = {"whole": model.block(*arguments), "learned": model.learned_block(*arguments)}
        for name, (_, field) in made_of.items():
            errors[name].append(measure(np.asarray(field), block.field).relative)
        offset = block.grid[:, None] - block.sources[:, None, :, 2:4]
        is_source = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
        inside = (np.linalg.norm(offset, axis=-1) < model.smoothing.cutoff) & is_source[:, None]
        near += inside.sum()
        pairs += block.num_sources.sum() * len(block.grid)
    assert 0.05 < near / pairs < 0.95
    assert whole["exact_pairs"] == pytest.approx(near / pairs)
    assert learned["exact_pairs"] is other["exact_pairs"] is None
    medians = {name: np.median(np.concatenate(found)) for name, found in errors.items()}
    assert medians["whole"] != pytest.approx(medians["learned"], rel=1e-3)
    for name, one in (("whole", whole), ("learned", learned)):
        assert one["field"]["median_relative_error"] == pytest.approx(medians[name], rel=1e-4)


@pytest.fixture(scope="module")
def whole(tiny, oracle, tmp_path_factory):
    """An evaluation of two models with all that belongs to it: its plan and results."""
    subjects = (_subject(oracle(factor=1.5, rank=7), "model"), _subject(oracle(), "exact"))
    opened = OpenedDataset("tiny", tiny, DISCS, ("test_multi",))
    plan = Plan(subjects, (opened,), tmp_path_factory.mktemp("whole") / "out")
    return plan, _evaluated(plan)


@pytest.mark.slow
def test_two_evaluations_are_identical_apart_from_times(whole, tmp_path):
    plan, results = whole
    again = replace(plan, out=tmp_path / "again")
    assert _without_times(_evaluated(again)) == _without_times(results)
    for place in (plan.out, again.out):
        assert {path.name for path in place.iterdir()} == {
            *("results.json", "samples.zarr", "index.html", "figures"),
        }


@pytest.mark.slow
def test_baselines_physics_and_times_stand_beside_the_subjects(whole):
    _, results = whole
    names = dict.fromkeys(one["subject"] for one in results["evaluations"])
    assert list(names) == ["model", "exact", "exact sum", "linear control", "rank floor, K=7"]
    kinds = {one["name"]: one["kind"] for one in results["subjects"]}
    assert kinds == dict.fromkeys(names, "baseline") | {"model": "model", "exact": "model"}
    assert [one["subject"] for one in results["physics"]] == ["model", "exact", "exact sum"]
    assert {one["subject"] for one in results["timings"]} == {"model", "exact", "exact sum"}
    assert any("fmm3d" in note for note in results["notes"])


@pytest.mark.slow
def test_a_factor_breaks_no_law_and_the_exact_sum_makes_no_error(whole):
    _, results = whole
    errors = {one["subject"]: one["field"]["global_relative_l2"] for one in results["evaluations"]}
    assert errors["model"] == pytest.approx(0.5, rel=1e-4)
    assert errors["exact sum"] < 1e-6
    assert errors["linear control"] > 0.5
    laws = {one["law"]: one["median"] for one in results["physics"][0]["properties"]}
    # Its sources are too strong for their magnetisation: half of the charge too much.
    assert laws.pop("flux") == pytest.approx(0.5, rel=1e-2)
    assert max(laws.values()) < 1e-3


def test_damaged_data_is_refused_before_anything_is_written(make_dataset, oracle, tmp_path):
    dataset = make_dataset(tmp_path / "data", storage_format="hdf5")
    (entry,) = dataset.split("test_multi").files()
    damaged = bytearray((tmp_path / "data" / entry.path).read_bytes())
    damaged[-3] ^= 1
    (tmp_path / "data" / entry.path).write_bytes(damaged)
    opened = OpenedDataset("data", Dataset.open(tmp_path / "data"), DISCS, ("test_multi",))
    wrong = Plan((_subject(oracle()),), (opened,), tmp_path / "out", metrics_only=True)
    with pytest.raises(DatasetError, match="sha256"):
        evaluate(wrong)
    assert not (tmp_path / "out").exists()


def test_blocks_of_any_size_compile_once(plan, oracle):
    model = oracle(factor=1.53)  # equal models would share what is compiled
    _evaluated(plan(model))
    assert model.shapes == [(8, 4, 4)]


@pytest.mark.slow
def test_models_of_one_shape_share_all_programs(plan, caplog):
    """One for the whole, one for the learned part, one that counts exact pairs; by table size."""
    inputs, config = ModelInputs(columns=DISCS), RangeSplitConfig(rank=5, waves=6, cutoff=1.2)
    subjects = [
        (model_subject(RangeSplit(config, inputs, jax.random.key(seed)), f"split {seed}"),)
        for seed in (0, 1)
    ]
    numbers = []
    for number, one in enumerate(subjects):
        caplog.clear()
        made = plan(splits=("test_single", "test_multi"), out=f"out{number}")
        with jax.log_compiles(True), caplog.at_level(logging.WARNING):
            _evaluated(replace(made, subjects=one))
        numbers.append(sum(one.startswith("Compiling") for one in caplog.messages))
    assert 3 <= numbers[0] <= 10
    assert numbers[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_mixtures_are_evaluated(mixture, oracle, tmp_path):
    opened = OpenedDataset("mixture", mixture.dataset, mixture.columns, ("test",))
    subjects = (_subject(oracle(mixture.columns, rank=9)),)
    results = _evaluated(Plan(subjects, (opened,), tmp_path / "out", metrics_only=True))
    found = results["evaluations"][0]
    for quantity in ("potential", "field"):
        assert found[quantity]["median_relative_error"] < 1e-5
        assert found[quantity]["nonfinite_fraction"] == 0
        assert list(found[quantity]["by_num_sources"]) == ["1", "2", "3", "4"]
        assert set(found[quantity]["by_body"]) == {"dipole", "sphere"}
        regions = found[quantity]["by_region"].values()
        assert min(part["share_of_points"] for part in regions) > 0.02


@pytest.mark.slow
def test_only_results_of_hm_eval_are_replaced(plan, oracle):
    """Not even a directory of that name, which nothing else says the origin of."""
    one = plan(oracle())
    (one.out / "samples.zarr" / "mine").mkdir(parents=True)
    (one.out / "samples.zarr" / "mine" / "data").write_text("years of measurements")
    with refused(RunError, "no other samples.zarr", "Move it away"):
        evaluate(one)
    shutil.rmtree(one.out / "samples.zarr")
    (one.out / "results.json").write_text('{"mine": 1}')
    with refused(RunError, "no other results.json", "Move it away"):
        evaluate(one)
    assert (one.out / "results.json").read_text() == '{"mine": 1}'
    (one.out / "results.json").unlink()
    evaluate(one)
    evaluate(one)
    (one.out / "results.json").unlink()  # as a kill between the two leaves it
    evaluate(one)


@pytest.mark.slow
def test_old_results_stay_whole_until_the_new_ones_are_there(plan, oracle, monkeypatch):
    """An evaluation that is ended before leaves no new values beside old results."""
    one = plan(oracle(), metrics_only=False)
    evaluate(one)
    before = contents(one.out)

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hypermagnetics.evaluate.run.evaluate_baselines", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(replace(one, subjects=plan(oracle(factor=2.0)).subjects))
    assert contents(one.out) == before


@pytest.mark.slow
def test_results_have_one_writer(plan, oracle):
    one = plan(oracle())
    one.out.mkdir()
    message = "The directory of the results must have one writer"
    with only_writer(one.out / "lock", "A test"), refused(HypermagneticsError, message):
        evaluate(one)
    evaluate(one)
