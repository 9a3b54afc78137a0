"""The figures of a report as files: all forms of each, and the numbers in them."""

import csv
import io
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread
from report_records import Wrong, at_points_only, evaluated, logged_run, subject

from hypermagnetics.errors import SourceError
from hypermagnetics.evaluate.report.earlier_page import remove_page
from hypermagnetics.evaluate.report.figures import (
    Drawn,
    FileNames,
    Note,
    Undrawn,
    csv_of_grid,
    csv_text,
    drawn_in_order,
    processes_for,
)
from hypermagnetics.evaluate.report.learning import read_learning_curve
from hypermagnetics.evaluate.report.rendering import Picture, Rendered
from hypermagnetics.evaluate.report.sample_maps import sample_maps
from hypermagnetics.evaluate.report.writing import write_report
from hypermagnetics.machine import num_cores
from hypermagnetics.pictures import one_sample


def _table(file: Path) -> dict[str, list[str]]:
    names, *lines = csv.reader(io.StringIO(file.read_text(encoding="utf-8"), newline=""))
    return {name: [line[place] for line in lines] for place, name in enumerate(names)}


def _numbers(values: list[str]) -> np.ndarray:
    return np.array([float(value or "nan") for value in values])


@pytest.mark.slow
def test_every_figure_is_there_in_three_forms(written):
    files = list((written.out / "figures").iterdir())
    names = {file.stem for file in files}
    assert len(files) == 3 * len(names)
    linked = set(re.findall(r'href="figures/([^"]+)"', written.page))
    assert linked == {file.name for file in files}
    for name in names:
        root = ElementTree.parse(written.out / "figures" / f"{name}.svg").getroot()
        assert root.tag.endswith("svg")
        picture = imread(written.out / "figures" / f"{name}.png")
        assert picture.shape[1] >= 480
        assert picture.std() > 0.01


@pytest.mark.slow
def test_files_of_charts_hold_the_numbers_of_the_records(written):
    evaluations = [one for one in written.results.evaluations if one.split == "test_multi"]
    figures = written.out / "figures"
    table = _table(figures / "distance-field-discs-test_multi.csv")
    parts = [part for one in evaluations for part in one.field.by_distance]
    medians = _numbers(table["median_relative_error"])
    np.testing.assert_array_equal(medians, [part.median_relative_error for part in parts])
    np.testing.assert_array_equal(
        _numbers(table["low"]), [np.nan if part.low is None else part.low for part in parts]
    )
    table = _table(figures / "num-sources-potential-discs-test_multi.csv")
    found = [one.potential.by_num_sources["4"] for one in evaluations]
    lows = [np.nan if scores.ci95 is None else scores.ci95[0] for scores in found]
    np.testing.assert_array_equal(_numbers(table["ci95_low"]), lows)
    table = _table(figures / "time-points-discs.csv")
    times = [one.median_seconds for one in written.results.timings if one.sweep == "points"]
    np.testing.assert_allclose(_numbers(table["median_seconds"]), times)


@pytest.mark.slow
def test_files_of_distributions_and_parity_hold_what_was_measured(written):
    detail = next(one for one in written.evaluated if one.evaluation.split == "test_single")
    figures = written.out / "figures"
    table = _table(figures / "distribution-field-discs-test_single.csv")
    own = [place for place, name in enumerate(table["subject"]) if name == "wavy"]
    shares = _numbers(table["share"])[own]
    np.testing.assert_allclose(shares, detail.field.error_shares)
    table = _table(figures / "parity-field-wavy-discs-test_single.csv")
    np.testing.assert_allclose(_numbers(table["true"]), detail.field.true_values, rtol=1e-6)


@pytest.mark.slow
def test_files_of_maps_hold_truth_prediction_and_error(written):
    table = _table(written.out / "figures" / "map-potential-median-wavy-discs-test_multi.csv")
    true, predicted, error = (_numbers(table[name]) for name in ("true", "predicted", "error"))
    x, y = _numbers(table["x"]), _numbers(table["y"])
    assert len(true) == 112**2
    np.testing.assert_allclose(predicted - true, error, atol=1e-5 * np.abs(true).max())
    np.testing.assert_allclose(
        predicted, 1.01 * true * (1 + 0.05 * np.sin(3 * (x + y))), atol=1e-4 * np.abs(true).max()
    )


def _drawn(figures: Iterable[Undrawn | Note]) -> list[Drawn | Note]:
    return [figure for _, figure in drawn_in_order(("maps", figure) for figure in figures)]


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_space_is_cut_along_each_axis(mixture):
    one = subject("wavy", Wrong(mixture.columns, 1.1))
    split = mixture.dataset.split("test")
    found = evaluated(one, mixture.dataset, "bodies", split, mixture.columns)
    maps = _drawn(sample_maps(found))
    median = [one for one in maps if one.choice["rank"] == "median"]
    assert [one.name[-1] for one in median if isinstance(one, Drawn)] == list("zzyyxx")
    assert len(maps) == 6 + 2 * 2
    planes = {one.name[-1]: one.csv.splitlines()[0].split(",")[:2] for one in median}
    assert planes == {"z": ["x", "y"], "y": ["x", "z"], "x": ["y", "z"]}
    assert "plane y = " in median[2].alt


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_predictions_from_a_file_have_no_plane_in_space(mixture):
    one = at_points_only(subject("blind", Wrong(mixture.columns)))
    split = mixture.dataset.split("test")
    found = evaluated(one, mixture.dataset, "bodies", split, mixture.columns)
    (note,) = sample_maps(found)
    assert isinstance(note, Note)
    assert note.text.startswith("No maps: blind is predictions")


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [2, 3], indirect=True, ids=["2D", "3D"])
def test_a_sample_without_a_truth_in_a_plane_has_a_note(mixture, monkeypatch):
    """As one whose soft bodies are refused by the solve."""

    def refuse(*_):
        raise SourceError("Soft bodies must not overlap others.")

    monkeypatch.setattr("hypermagnetics.evaluate.report.sample_maps.draw_plane", refuse)
    one = subject("wavy", Wrong(mixture.columns))
    split = mixture.dataset.split("test")
    notes = list(sample_maps(evaluated(one, mixture.dataset, "bodies", split, mixture.columns)))
    assert notes
    for note in notes:
        assert isinstance(note, Note)
        assert note.text == "No map: Soft bodies must not overlap others."


@pytest.mark.slow
def test_predictions_from_a_file_are_drawn_from_their_points(written, tiny):
    """Linear between the points, so never beyond what is there."""
    table = _table(written.out / "figures" / "map-potential-worst-blind-discs-test_multi.csv")
    one = next(
        one
        for one in written.evaluated
        if (one.evaluation.subject, one.evaluation.split) == ("blind", "test_multi")
    )
    labels = one_sample(tiny.split("test_multi"), one.chosen["worst"]).potential
    true = _numbers(table["true"])
    inside = true[np.isfinite(true)]
    assert len(inside) > 0.3 * len(true)
    assert labels.min() - 1e-6 <= inside.min() < inside.max() <= labels.max() + 1e-6


def test_numbers_and_words_survive_a_csv_file(tmp_path):
    text = csv_text(("name", "value", "low"), [('a,b "c"', 0.1, None), ("d\ne", float("inf"), 2)])
    (tmp_path / "table.csv").write_text(text, newline="")
    assert list(csv.reader(io.StringIO(text))) == [
        ["name", "value", "low"],
        ['a,b "c"', "0.1", ""],
        ["d\ne", "inf", "2"],
    ]
    grid = np.array([[1.5, np.nan], [-2e-9, 4.0]])
    assert csv_of_grid({"a": grid}) == "a\n1.5\nnan\n-2e-09\n4\n"


def test_names_of_files_are_safe_and_different():
    names = FileNames()
    assert names.new("map", "../../etc", "a b") == "map-etc-a-b"
    assert names.new("map", "etc", "A?b") == "map-etc-A-b-2"
    assert names.new("...") == "x"
    assert len(names.new("long" * 100)) < 120


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[1]\n", '{"loss": 1}\n', '{"step": 1, "loss": "much"}\n', '{"step": 1}\n', "\xff\n"],
)
def test_a_damaged_log_is_no_curve(tmp_path, damage):
    (tmp_path / "metrics.jsonl").write_bytes(damage.encode("latin-1"))
    assert read_learning_curve(tmp_path) is None


@pytest.mark.slow
def test_a_log_is_read_as_it_was_written(tmp_path):
    assert read_learning_curve(tmp_path) is None
    curve = read_learning_curve(logged_run(tmp_path))
    assert curve is not None
    assert curve.training == ((10, 0.1), (20, 0.05), (40, 0.025))
    assert curve.validation[-1] == pytest.approx((40, 0.0275, 0.0125, np.nan), nan_ok=True)


@pytest.mark.slow
def test_nothing_finite_can_be_drawn(tiny, tmp_path):
    one = subject("nothing", Wrong(tiny.columns, np.nan))
    found = evaluated(one, tiny, "discs", tiny.split("test_single"), tiny.columns)
    maps = _drawn(sample_maps(found))
    assert len(maps) == 6
    assert all("Grey, 100 % of the map" in one.caption for one in maps if isinstance(one, Drawn))


@pytest.mark.slow
def test_only_a_page_of_ours_is_removed(single, tmp_path):
    write_report(single.results, [], tmp_path)
    remove_page(tmp_path)
    assert not (tmp_path / "index.html").exists()
    (tmp_path / "index.html").write_text("<title>somebody else</title>")
    remove_page(tmp_path)
    remove_page(tmp_path / "nowhere")
    assert (tmp_path / "index.html").exists()


@pytest.mark.slow
def test_the_report_may_be_written_twice(single, tmp_path):
    for _ in range(2):
        write_report(single.results, [], tmp_path)
    assert (tmp_path / "index.html").is_file()


def _named(number: int) -> Undrawn:
    """Nothing but a name: a function of a test could not be found by another process."""
    return Undrawn((str(number),), {}, partial(Picture, Rendered("", (1.0, 1.0), b""), "", "", ""))


@pytest.mark.slow
def test_several_processes_keep_the_order():
    figures = [("slot", one) for one in (Note({}, "first"), *map(_named, range(80)))]
    apart = list(drawn_in_order(figures, 2))
    assert list(drawn_in_order(figures)) == apart
    assert [one.name for _, one in apart if isinstance(one, Drawn)] == [
        str(number) for number in range(80)
    ]


def test_few_figures_are_drawn_by_one_process():
    assert processes_for(8) == processes_for(0) == 1
    assert processes_for(10_000) == min(num_cores(), 8)
