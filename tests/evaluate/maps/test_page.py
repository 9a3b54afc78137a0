"""The page of networks from maps to maps: its figures, its samples, and when there is none."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest
from page_reading import Element, elements, rows
from program_runs import assert_refused, invoke
from small_maps import OF_SPHERES, maps_of_sources

from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays, inputs_and_targets
from hypermagnetics.data.origin import Shares
from hypermagnetics.evaluate.maps.evaluation import MapSplit
from hypermagnetics.evaluate.maps.whole_maps import rasters
from hypermagnetics.evaluate.results.array_records import ArrayDataset, ArraySubject
from hypermagnetics.models import (
    MLP,
    ArrayInputs,
    ArrayModel,
    MapFrame,
    MLPConfig,
    load,
)
from hypermagnetics.models.array_conv import Conv, ConvConfig
from hypermagnetics.models.map_data import SourceMapData, map_data
from hypermagnetics.models.map_frame import MapInput, MapTarget
from hypermagnetics.models.store import save_model

SPLITS = (
    "splits={train={num_samples=4, num_sources=2}, test={num_samples=7, num_sources=2}, "
    "test-more={num_samples=5, num_sources=3}}"
)
SIDE = 13


def network(
    path: Path,
    dataset: Dataset,
    inputs: tuple[MapInput, ...],
    targets: tuple[MapTarget, ...],
    stride: int = 1,
) -> Path:
    """A file with an untrained network."""
    data = map_data(dataset, "test")
    grid = data.grid
    frame = MapFrame(
        inputs=inputs,
        targets=targets,
        dim=len(grid.sides),
        core=grid.sides,
        stride=stride,
        spacing=grid.spacing,
    )
    config = ConvConfig(channels=(4,), padding="same")
    save_model(path, Conv(config, data.inputs(frame), jr.key(0)), {})
    return path


def import_maps(directory: Path, inputs: np.ndarray, targets: np.ndarray) -> None:
    """A dataset of imported maps, in the directory `data`."""
    for name, values in (("m", inputs), ("q", targets)):
        np.save(directory / f"{name}.npy", values)
    import_arrays(
        inputs_and_targets(directory / "m.npy", directory / "q.npy"),
        directory / "data",
        shares=Shares(train=0.5, valid=0.1, test=0.4),
        samples_per_block=3,
    )


@dataclass(frozen=True)
class Page:
    """What hm-eval left, and said."""

    out: Path
    stdout: str

    @property
    def text(self) -> str:
        """The text of index.html."""
        return (self.out / "index.html").read_text(encoding="utf-8")

    @property
    def alternatives(self) -> list[str]:
        """Text alternatives of all figures."""
        return [one.attributes["aria-label"] for one in self.figures]

    @property
    def figures(self) -> list[Element]:
        """Elements that stand for pictures."""
        return [one for one in elements(self.text) if one.attributes.get("role") == "img"]

    @property
    def captions(self) -> list[str]:
        """Captions of all figures, without the links to files."""
        found = [one.text for one in elements(self.text) if one.tag == "figcaption"]
        return [text.removesuffix("PNGSVGCSV") for text in found]

    def columns(self, name: str) -> dict[str, np.ndarray]:
        """Columns of figures/NAME.csv."""
        with (self.out / "figures" / f"{name}.csv").open(encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        return {key: np.array([float(row[key]) for row in table]) for key in table[0]}


def evaluated(out: Path, *words: object) -> Page:
    """Run hm-eval."""
    ran = invoke("hm-eval", *map(str, words), "--out", str(out))
    assert ran.code == 0, ran
    return Page(out, ran.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two splits, and networks that read the magnetisation, or every fourth point."""
    directory = tmp_path_factory.mktemp("maps")
    dataset = maps_of_sources(directory / "data", SPLITS)
    network(directory / "net.hm", dataset, ("magnetisation",), ("potential",))
    network(directory / "super.hm", dataset, ("field", "potential"), ("field",), stride=4)
    return directory


@pytest.fixture(scope="module")
def page(place: Path) -> Page:
    """The page of one network on both splits; not to be changed."""
    return evaluated(place / "out", place / "net.hm", place / "data")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Imported maps of 2 and 4 channels on 6 x 9 points, with a network of maps and another."""
    directory = tmp_path_factory.mktemp("imported")
    random = np.random.default_rng(0)
    first = random.normal(size=(20, 2, 6, 9))
    import_maps(directory, first, np.concatenate([first, first**2], axis=1))
    dataset = Dataset.open(directory / "data")
    network(directory / "net.hm", dataset, ("inputs",), ("targets",))
    of_maps = map_data(dataset, "test").inputs(
        MapFrame(inputs=("inputs",), targets=("targets",), dim=2, core=(6, 9))
    )
    flat = ArrayInputs(input=of_maps.input, target=of_maps.target)
    mlp: ArrayModel = MLP(MLPConfig(width=4, depth=1), flat, jr.key(0))
    save_model(directory / "mlp.hm", mlp, {})
    return directory


def relative_l2(place: Path, split: str) -> np.ndarray:
    """Errors of the potential of net.hm, sample by sample, from its own predictions of a raster."""
    model, dataset = load(place / "net.hm"), Dataset.open(place / "data")
    assert isinstance(model, ArrayModel)
    assert model.inputs.map is not None
    data = map_data(dataset, split)
    assert isinstance(data, SourceMapData)
    numbers = range(data.split.layout.num_blocks)
    raster = np.concatenate(list(rasters(data, model.inputs.map, numbers)))
    blocks = [data.split.block(number).potential for number in numbers]
    truth = np.concatenate(blocks).reshape(-1, SIDE, SIDE)
    found = np.stack([np.asarray(model(one))[0] for one in raster])
    differences, lengths = (
        np.linalg.norm(one.reshape(len(one), -1).astype(np.float64), axis=1)
        for one in (found - truth, truth)
    )
    errors: np.ndarray = differences / lengths
    return errors


@pytest.mark.slow
def test_each_subject_has_a_picture_of_each_sample_and_quantity(page: Page) -> None:
    """Of the network, and of the baseline beside it; a chart of each quantity is below."""
    expected = {
        f"map-{quantity}-{rank}-{subject}-data-{split}"
        for quantity in ("potential", "field-by-differences")
        for rank in ("median", "worst")
        for subject in ("net-hm", "FFT-of-the-raster")
        for split in ("test", "test-more")
    }
    expected |= {
        f"spectrum-{quantity}-data-{split}"
        for quantity in ("potential", "field-by-differences")
        for split in ("test", "test-more")
    }
    found = {file.name for file in (page.out / "figures").iterdir()}
    assert found == {f"{name}.{end}" for name in expected for end in ("png", "svg", "csv")}
    assert len(page.figures) == len(expected)
    assert "Next: look at" in page.stdout
    assert f"Wrote {page.out / 'results.json'}, {page.out / 'index.html'}" in page.stdout


@pytest.mark.slow
def test_samples_are_those_of_median_and_worst_error(place: Path, page: Page) -> None:
    """By errors that are computed here; the captions say them."""
    for split in ("test", "test-more"):
        errors = relative_l2(place, split)
        order = np.argsort(errors)
        for rank, sample in (("median error", order[(len(order) - 1) // 2]), ("worst", order[-1])):
            start = (
                f"net.hm on data, {split}[{sample}] ({rank}). Relative L2 error of the potential: "
            )
            (caption,) = (text for text in page.captions if text.startswith(start))
            said = float(caption.removeprefix(start).partition(" %")[0])
            assert said == pytest.approx(100 * errors[sample], rel=6e-3)


@pytest.mark.slow
def test_every_figure_has_a_text_alternative(page: Page) -> None:
    """With the sample, its error and the range of what is seen; charts say their lines."""
    maps = [text for text in page.alternatives if text.startswith("Four maps side by side")]
    charts = [text for text in page.alternatives if text.startswith("Line chart")]
    assert len(maps) + len(charts) == len(page.alternatives)
    assert all("φ [A]: true" in text or "|H| [A/m]: true" in text for text in maps)
    assert all("net.hm " in text and "FFT of the raster " in text for text in charts)
    assert all(" % below 8" in text for text in charts)


@pytest.mark.slow
def test_the_page_needs_no_other_file(page: Page) -> None:
    """Images are embedded; links to files of figures are for further use alone."""
    sources = [one.attributes.get("xlink:href", "") for one in elements(page.text)]
    images = [one for one in sources if one.startswith("data:image/png;base64,")]
    assert len(images) >= 16 * 8
    others = {one[0] for one in sources if one and not one.startswith("data:")}
    assert others == {"#"}
    assert "://" not in page.text


@pytest.mark.slow
def test_tables_have_all_subjects_quantities_and_intervals(page: Page) -> None:
    """Baselines stand below the network; numbers are in per cent."""
    table = rows(page.text, "Errors of all subjects")
    assert [row[:3] for row in table[1:]] == [
        [subject, f"data, {split}", quantity]
        for split in ("test", "test-more")
        for quantity in ("potential", "field by differences")
        for subject in ("net.hm", "FFT of the raster")
    ]
    assert " to " in table[1][3]
    waves = rows(page.text, "Errors by wave number")
    assert waves[0][3] == "|k| < 1 [%]"
    assert len(waves) == len(table)


@pytest.mark.slow
def test_csv_files_hold_the_maps(place: Path, page: Page) -> None:
    """On the grid of the dataset, the error the difference of the others."""
    found = page.columns("map-potential-worst-net-hm-data-test")
    assert [*found] == ["x", "y", "input", "true", "predicted", "error"]
    assert len(found["x"]) == SIDE**2
    assert (found["x"].min(), found["x"].max()) == (-3, 3)
    np.testing.assert_allclose(found["error"], found["predicted"] - found["true"], atol=2e-6)
    sample = int(np.argmax(relative_l2(place, "test")))
    block = Dataset.open(place / "data").split("test").block(sample // 4)
    np.testing.assert_allclose(found["true"], block.potential[sample % 4], rtol=1e-5)
    np.testing.assert_allclose(found["x"], block.grid[:, 0], atol=1e-5)
    chart = (page.out / "figures" / "spectrum-potential-data-test.csv").read_text()
    assert chart.startswith("subject,below,relative_l2,share_of_truth\nnet.hm,1,")


@pytest.mark.slow
def test_equal_evaluations_write_equal_bytes(imported: Path, tmp_path: Path) -> None:
    """Over an earlier page as well, which is replaced."""
    words = (imported / "net.hm", imported / "data")
    first = evaluated(tmp_path / "first", *words)
    other = tmp_path / "other"
    shutil.copytree(first.out, other)
    for name in ("index.html", "figures/spectrum-targets-data-test.png"):
        earlier = (other / name).read_bytes()
        (other / name).write_bytes(earlier + b"of an earlier evaluation")
    evaluated(other, *words)
    names = sorted(file.relative_to(first.out) for file in first.out.rglob("*") if file.is_file())
    assert names == sorted(file.relative_to(other) for file in other.rglob("*") if file.is_file())
    assert len(names) == 2 + 3 * 3
    for name in names:
        assert (first.out / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.slow
def test_metrics_only_makes_no_page(place: Path, page: Page, tmp_path: Path) -> None:
    """It removes an earlier page, which would contradict the new numbers."""
    shutil.copytree(page.out, tmp_path / "out")
    words = (place / "net.hm", place / "data", "--split", "test", "--metrics-only")
    found = evaluated(tmp_path / "out", *words)
    assert not (tmp_path / "out" / "index.html").exists()
    assert "index.html" not in found.stdout
    assert "Errors in per cent of the truth" in found.stdout
    assert "FFT of the raster" not in found.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index.html", "results.json", "figures", "samples.zarr"])
def test_foreign_files_are_refused(place: Path, tmp_path: Path, name: str) -> None:
    """And left as they are."""
    (tmp_path / name).write_text("of somebody")
    words: Sequence[object] = (place / "net.hm", place / "data", "--out", tmp_path)
    ran = invoke("hm-eval", *map(str, words))
    assert_refused(ran, str(tmp_path / name))
    assert (tmp_path / name).read_text() == "of somebody"


@pytest.mark.slow
def test_few_points_are_shown_as_they_are_read(place: Path, tmp_path: Path) -> None:
    """Beside both splines; new points have rows of their own."""
    found = evaluated(tmp_path / "out", place / "super.hm", place / "data", "--split", "test-more")
    assert [row[0] for row in rows(found.text, "Errors of all subjects")[1:]] == [
        *("super.hm", "linear spline", "cubic spline") * 2
    ]
    table = rows(found.text, "Errors of all subjects")
    assert [row[2] for row in table[1:]] == ["field"] * 3 + ["field, new points"] * 3
    columns = found.columns("map-field-worst-super-hm-data-test-more")
    # Of 13 points four along each axis; the others are not read.
    read, true = (columns[name].reshape(SIDE, SIDE) for name in ("input", "true"))
    np.testing.assert_array_equal(read[::4, ::4], true[::4, ::4])
    assert np.isfinite(read).sum() == 16
    assert "Input: field, every 4th point" in found.text
    assert "The input holds potential as well." in found.captions[0]


@pytest.mark.slow
def test_networks_share_the_baselines_of_equal_inputs(place: Path) -> None:
    """Each is evaluated once; one of the same name and another input is named apart."""
    dataset = Dataset.open(place / "data")
    one, other = load(place / "net.hm"), load(place / "super.hm")
    assert isinstance(one, ArrayModel)
    assert isinstance(other, ArrayModel)
    assert other.inputs.map is not None
    coarser = MapFrame(**{**other.inputs.map.model_dump(), "stride": 6})
    inputs = map_data(dataset, "test").inputs(coarser)
    coarse = Conv(ConvConfig(channels=(4,), padding="same"), inputs, jr.key(0))
    split = MapSplit(ArrayDataset("data", "data", "", ""), dataset, "test")
    models = {"first": one, "twin": one, "fine": other, "coarse": coarse}
    found = [
        evaluation.subject
        for name, model in models.items()
        for evaluation in split.evaluate(ArraySubject(name, name, "", 0, "", ""), model)
    ]
    assert found == [
        *("first", "FFT of the raster", "twin", "fine", "linear spline", "cubic spline"),
        *("coarse", "linear spline for coarse", "cubic spline for coarse"),
    ]
    assert len(split.sample_relative_l2) == 7


@pytest.mark.slow
def test_imported_maps_are_drawn_by_channel(imported: Path, tmp_path: Path) -> None:
    """At numbers of points; a network of other arrays beside one of maps has no part in it."""
    words = (imported / "mlp.hm", imported / "net.hm", imported / "data")
    found = evaluated(tmp_path / "out", *words)
    assert [row[0] for row in rows(found.text, "Errors of all subjects")[1:]] == ["net.hm"]
    assert len(found.figures) == 3
    assert "The first 3 channels are shown." in found.captions[0]
    columns = found.columns("map-targets-median-net-hm-data-test")
    assert [*columns][:4] == ["axis_1", "axis_2", "input_1", "true_1"]
    assert [name for name in columns if name.startswith(("input", "true"))] == [
        *("input_1", "true_1", "input_2", "true_2", "true_3")
    ]
    assert (columns["axis_1"].max(), columns["axis_2"].max()) == (5, 8)
    np.testing.assert_allclose(columns["true_3"], columns["input_1"] ** 2, rtol=1e-4, atol=1e-9)
    assert "axis 1 [points]" in found.text


@pytest.mark.slow
def test_large_maps_are_shown_by_fewer_points(tmp_path: Path) -> None:
    """As many as a panel has room for, of the input and of the truth."""
    values = np.random.default_rng(0).normal(size=(10, 1, 4, 652))
    import_maps(tmp_path, values, values)
    network(tmp_path / "net.hm", Dataset.open(tmp_path / "data"), ("inputs",), ("targets",), 3)
    found = evaluated(tmp_path / "out", tmp_path / "net.hm", tmp_path / "data")
    assert "Every 3rd point is shown." in found.captions[0]
    columns = found.columns("map-targets-median-net-hm-data-test")
    assert len(columns["true"]) == 2 * 218
    assert columns["axis_2"].max() == 651
    np.testing.assert_array_equal(columns["input"], columns["true"])


@pytest.mark.slow
def test_networks_of_other_arrays_have_no_page(imported: Path, tmp_path: Path) -> None:
    """An earlier page goes, as it would contradict the new numbers."""
    shutil.copytree(
        evaluated(tmp_path / "maps", imported / "net.hm", imported / "data").out, tmp_path / "out"
    )
    shutil.rmtree(tmp_path / "out" / "figures")
    found = evaluated(tmp_path / "out", imported / "mlp.hm", imported / "data")
    assert [file.name for file in found.out.iterdir()] == ["results.json"]
    assert "index.html" not in found.stdout


@pytest.mark.slow
def test_maps_in_space_are_shown_in_their_middle(tmp_path: Path) -> None:
    """The page says where; the field has its strength."""
    dataset = maps_of_sources(tmp_path / "data", OF_SPHERES, resolution=6)
    network(tmp_path / "net.hm", dataset, ("magnetisation",), ("field",))
    found = evaluated(tmp_path / "out", tmp_path / "net.hm", tmp_path / "data")
    assert all("in the plane z = 0.6 m" in text for text in found.captions[:4])
    assert "Input: magnetisation, z = 0.6 m" in found.text
    columns = found.columns("map-field-worst-net-hm-data-test")
    (sample,) = {
        int(text.partition("[")[2].partition("]")[0])
        for text in found.captions
        if text.startswith("net.hm") and "(worst)" in text
    }
    block = dataset.split("test").block(sample // 4)
    strength = np.linalg.norm(block.field[sample % 4].reshape(6, 6, 6, 3)[:, :, 3], axis=-1)
    np.testing.assert_allclose(columns["true"], strength.ravel(), rtol=1e-5)
