"""Evaluations of exact and of wrong models on a small dataset."""

import json

import numpy as np
import pytest

from hypermagnetics.data import Dataset
from hypermagnetics.errors import DatasetError, RunError
from hypermagnetics.evaluate import baselines
from hypermagnetics.evaluate.config import Subject, open_subject
from hypermagnetics.evaluate.measurement import measure_split, middle_sample
from hypermagnetics.evaluate.run import evaluate, picture_path
from hypermagnetics.metrics import scores
from hypermagnetics.sources import SourceColumns

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


def _nothing(count: int) -> None:
    del count


@pytest.fixture
def subject(tiny, tmp_path):
    """A function that makes the subject of an evaluation from a model."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.hm").write_bytes(b"stands for a model")

    def make(model, *splits: str) -> Subject:
        return Subject(tmp_path / "run", model, tiny, DISCS, splits)

    return make


def _evaluated(subject: Subject, out) -> dict:
    evaluate(subject, out, _nothing)
    return json.loads((out / "results.json").read_text())


def _without_times(value):
    if isinstance(value, dict):
        return {
            key: _without_times(inner)
            for key, inner in value.items()
            if key not in ("seconds", "predict_seconds")
        }
    return value


def test_an_exact_model_has_errors_of_rounding_in_every_region(subject, oracle, tmp_path):
    results = _evaluated(subject(oracle(), "test-multi"), tmp_path / "out")
    for quantity in ("potential", "field"):
        found = results["splits"]["test-multi"][quantity]
        assert found["global_relative_l2"] < 1e-6
        assert found["median_relative_error"] < 1e-6
        assert found["nonfinite_fraction"] == found["zero_truth_points"] == 0
        assert found["rank_floor"] is None
        assert all(region["median_relative_error"] < 1e-6 for region in found["regions"].values())


def test_a_factor_is_found_as_the_error_of_everything(subject, oracle, tmp_path):
    results = _evaluated(subject(oracle(factor=1.25, rank=5), "test-multi"), tmp_path / "out")
    split = results["splits"]["test-multi"]
    for quantity in ("potential", "field"):
        found = split[quantity]
        parts = [found, *found["regions"].values(), *found["by_num_sources"].values()]
        for part in parts:
            assert part["median_relative_error"] == pytest.approx(0.25, rel=1e-4)
        assert found["ci95"] == pytest.approx([0.25, 0.25], rel=1e-4)
        assert sum(part["share_of_points"] for part in found["regions"].values()) == pytest.approx(
            1
        )
        assert list(found["by_num_sources"]) == ["4"]
        assert found["rank_floor"]["rank"] == 5
    assert split["num_samples"] == split["field"]["num_samples"] == 20


def test_predictions_that_are_not_finite_become_null_with_their_fraction(subject, oracle, tmp_path):
    model = oracle(blind_below=0.5)
    results = _evaluated(subject(model, "test-single"), tmp_path / "out")
    found = results["splits"]["test-single"]["potential"]
    grids = [block.grid for block in subject(model).dataset.split("test-single").blocks()]
    # Nine samples, eight of which share the first grid.
    blind = [np.mean(grid[:, 0] < 0.5) for grid in grids]
    assert found["nonfinite_fraction"] == pytest.approx((8 * blind[0] + blind[1]) / 9)
    assert found["global_relative_l2"] is None
    assert found["p99_relative_error"] is None


def test_two_evaluations_are_identical_apart_from_times(subject, oracle, tmp_path):
    first, second = (
        _evaluated(subject(oracle(factor=0.9, rank=7), "test-single", "test-multi"), tmp_path / out)
        for out in ("a", "b")
    )
    assert _without_times(first) == _without_times(second)
    assert list(first["splits"]) == ["test-single", "test-multi"]
    assert first["dataset_sha256"] == subject(oracle()).dataset.sha256
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "results.json",
        "sample-test-single.png",
        "sample-test-multi.png",
    }
    pictures = [picture_path(tmp_path / out, "test-multi").read_bytes() for out in "ab"]
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] == pictures[1]


def test_blocks_of_any_size_compile_once_and_match_the_labels(tiny, oracle):
    model = oracle(factor=1.5)
    split = tiny.split("test-multi")
    seen: list[int] = []
    measured = measure_split(model, split, DISCS, seen.append)
    assert model.shapes == [(8, 4, 4)]
    assert seen == [8, 8, 4]
    assert measured.regions.shape == (20, split.layout.num_points)
    assert scores(measured.field).median_relative_error == pytest.approx(0.5, rel=1e-4)


def test_large_grids_are_predicted_in_pieces(tiny, oracle, monkeypatch):
    split = tiny.split("test-multi")
    whole = measure_split(oracle(factor=1.1), split, DISCS, _nothing)
    monkeypatch.setattr("hypermagnetics.evaluate.predict._VALUES_PER_CALL", 24 * 3)
    model = oracle(factor=1.1)
    pieces = measure_split(model, split, DISCS, _nothing)
    assert model.shapes == [(3, 4, 4)]
    np.testing.assert_allclose(pieces.potential.relative, whole.potential.relative, rtol=1e-5)
    np.testing.assert_array_equal(pieces.regions, whole.regions)


def test_the_pictured_sample_has_the_middle_error(tiny, oracle):
    measured = measure_split(oracle(factor=1.5), tiny.split("test-single"), DISCS, _nothing)
    errors = measured.potential.sample_relative_l2()
    assert errors[middle_sample(measured)] == np.median(errors)


def test_damaged_data_is_refused(make_dataset, subject, oracle, tmp_path):
    dataset = make_dataset(tmp_path / "data", storage_format="hdf5")
    (entry,) = dataset.split("test-multi").files()
    damaged = bytearray((tmp_path / "data" / entry.path).read_bytes())
    damaged[-3] ^= 1
    (tmp_path / "data" / entry.path).write_bytes(damaged)
    wrong = Subject(
        subject(oracle()).run,
        oracle(),
        Dataset.open(tmp_path / "data"),
        DISCS,
        ("test-multi",),
    )
    with pytest.raises(DatasetError, match="sha256"):
        evaluate(wrong, tmp_path / "out", _nothing)
    assert not (tmp_path / "out" / "results.json").exists()


@pytest.fixture
def loads(monkeypatch):
    """A function that makes every model file load as a given model."""

    def every_file_as(model):
        monkeypatch.setattr("hypermagnetics.models.load", lambda path, user_model: model)

    return every_file_as


def test_splits_are_chosen(subject, oracle, loads, make_dataset, tmp_path):
    loads(oracle())
    known = subject(oracle())
    run, directory = known.run, known.dataset.directory
    assert open_subject(run, directory).splits == ("test-single", "test-multi")
    assert open_subject(run, directory, ("valid", "valid")).splits == ("valid",)
    with pytest.raises(DatasetError, match=r"'tset-multi'\. Did you mean 'test-multi'"):
        open_subject(run, directory, ("tset-multi",))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"columns": SourceColumns.of("disc", varying=["radius"])},
            "2 and 4 columns; got 2 and 5 columns",
        ),
        (
            {"columns": SourceColumns.of("dipole", dim=3)},
            "2 and 4 columns; got 3 and 6 columns",
        ),
        (
            {"source_columns": ("moment_x", "moment_y", "radius", "angle")},
            "moment_x, moment_y, position_x, position_y; got moment_x, moment_y, radius, angle",
        ),
    ],
)
def test_a_model_of_other_data_is_refused(subject, oracle, loads, model, message):
    loads(oracle(**model))
    known = subject(oracle())
    with pytest.raises(RunError, match=message):
        open_subject(known.run, known.dataset.directory)


def test_a_run_without_a_model_is_refused(tiny, tmp_path):
    with pytest.raises(RunError, match="no directory"):
        open_subject(tmp_path / "nowhere", tiny.directory)
    with pytest.raises(RunError, match=r"hm-train .* --resume"):
        open_subject(tmp_path, tiny.directory)


def _changed(monkeypatch, dataset: Dataset, **changes: object) -> None:
    """Make every dataset open as this one with another manifest."""
    manifest = dataset.manifest.model_copy(update=changes)
    changed = Dataset(dataset.directory, manifest, dataset.sha256)
    monkeypatch.setattr(Dataset, "open", lambda path: changed)


def test_without_test_splits_all_but_train_are_taken(subject, oracle, loads, monkeypatch):
    loads(oracle())
    known = subject(oracle())
    splits = known.dataset.manifest.splits
    some = {name: splits[name] for name in ("train", "valid")}
    _changed(monkeypatch, known.dataset, splits=some)
    assert open_subject(known.run, known.dataset.directory).splits == ("valid",)
    _changed(monkeypatch, known.dataset, splits={"train": splits["train"]})
    with pytest.raises(DatasetError, match="Give --split train"):
        open_subject(known.run, known.dataset.directory)
    assert open_subject(known.run, known.dataset.directory, ("train",)).splits == ("train",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bodies": {"torus": 7}}, r"some of dipole=0, .*cuboid=4; got torus=7\."),
        ({"bodies": {"disc": 2}}, r"got disc=2\."),
        ({"bodies": {"sphere": 3}}, "must exist in 2 dimensions; got 'sphere'"),
        ({"constants": {}}, "must be radius, each once; got none"),
        ({"constants": {"radius": 1.0, "weight": 2.0}}, "got radius, weight"),
        ({"constants": {"radius": -1.0}}, "greater than 0; got -1"),
        ({"columns": ("moment_x", "moment_y", "position_x", "phase")}, "must begin with moment_x"),
        ({"columns": ("moment_x",)}, "must begin with moment_x, .*; got moment_x"),
    ],
)
def test_sources_that_nobody_knows_are_refused(
    subject, oracle, loads, monkeypatch, changes, message
):
    loads(oracle())
    known = subject(oracle())
    _changed(monkeypatch, known.dataset, **changes)
    with pytest.raises(DatasetError, match=message) as refused:
        open_subject(known.run, known.dataset.directory)
    assert str(known.dataset.directory) in str(refused.value)
    assert str(refused.value).endswith("the release of hypermagnetics that wrote it.")


@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_mixtures_are_evaluated(mixture, oracle, tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "_SOURCES_PER_CALL", 8)
    (tmp_path / "model.hm").write_bytes(b"stands for a model")
    model = oracle(mixture.columns, rank=9)
    subject = Subject(tmp_path, model, mixture.dataset, mixture.columns, ("test",))
    found = _evaluated(subject, tmp_path / "out")["splits"]["test"]
    for quantity in ("potential", "field"):
        assert found[quantity]["median_relative_error"] < 1e-5
        assert found[quantity]["nonfinite_fraction"] == 0
        assert list(found[quantity]["by_num_sources"]) == ["1", "2", "3", "4"]
        assert found[quantity]["rank_floor"]["num_sources"] == 20
        assert min(part["share_of_points"] for part in found[quantity]["regions"].values()) > 0.02
    assert picture_path(tmp_path / "out", "test").read_bytes().startswith(b"\x89PNG")


def test_a_model_reads_the_columns_and_bodies_of_its_dataset(mixture, oracle, loads, tmp_path):
    (tmp_path / "model.hm").write_bytes(b"stands for a model")
    columns, directory = mixture.columns, mixture.dataset.directory
    codes = tuple(mixture.dataset.manifest.bodies.values())
    loads(oracle(columns, columns.names, codes))
    assert open_subject(tmp_path, directory).columns == columns
    loads(oracle(columns, columns.names, codes[1:]))
    with pytest.raises(RunError, match=f"trained without {columns.bodies[0]}"):
        open_subject(tmp_path, directory)
