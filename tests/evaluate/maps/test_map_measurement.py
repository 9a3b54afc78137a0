"""hm-eval on maps: whole maps from crops, baselines beside networks, errors by wave number."""

from pathlib import Path

import equinox as eqx
import numpy as np
import pytest
from recording import Recording
from refused import refused
from small_maps import OF_SPHERES, map_recipe, maps_of_arrays, maps_of_sources

from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays
from hypermagnetics.data.boundary import boundary_of
from hypermagnetics.data.map_arrays import input_and_target_maps
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.array_run import array_plan, evaluate_arrays
from hypermagnetics.evaluate.maps.baselines import splined
from hypermagnetics.evaluate.maps.measurement import measure_maps, predicted_blocks
from hypermagnetics.evaluate.maps.records import MapScores
from hypermagnetics.evaluate.maps.wave_numbers import Spectrum
from hypermagnetics.evaluate.maps.whole_maps import Mapper
from hypermagnetics.evaluate.results.array_records import ArrayResults, array_text
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.metrics import measure, scores
from hypermagnetics.models import ArrayModel, load, save_model
from hypermagnetics.models.map_data import frame_on, map_data
from hypermagnetics.train.setup import make_setup

PLAIN = "data.augment=[]"
FFT = 'model={name="fft"}'
SUPER = ('map={input=["potential","field"],target=["potential"],stride=4}', PLAIN)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """On a grid of 13 x 13 points with a halo of 2."""
    return maps_of_sources(tmp_path_factory.mktemp("discs") / "data", halo=2)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """On a grid of 13 x 13 points."""
    return maps_of_sources(tmp_path_factory.mktemp("plain") / "data")


def network(dataset: Dataset, *changes: str) -> ArrayModel:
    """A network with its first parameters."""
    found = make_setup(map_recipe(*changes), dataset).new_model()
    assert isinstance(found, ArrayModel)
    return found


def by_quantity(found: tuple[MapScores, ...]) -> dict[str, MapScores]:
    return {one.quantity: one for one in found}


CROPS = ["data.crop={size=5,pad=2}", "data.crop={size=4,pad=2}", "data.crop={size=13,pad=2}"]


@pytest.mark.slow
@pytest.mark.parametrize("crop", CROPS)
def test_crops_are_put_together_to_whole_maps(discs: Dataset, crop: str) -> None:
    """Two valid convolutions on crops with padding, and on the whole map with its halo."""
    conv = 'model={name="conv",channels=[4]}'
    of_crops = network(discs, PLAIN, conv, crop)
    of_whole = network(discs, PLAIN, conv)
    data = map_data(discs, "test")
    found = []
    for model in (of_crops, of_whole):
        frame = model.inputs.map
        assert frame is not None
        predict = Mapper(model, frame_on(frame, data.grid), data)
        found.append(np.concatenate([predict(0), predict(1)]))
    assert found[0].shape == (6, 1, 13, 13)
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6 * np.abs(found[1]).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "target"), [("discs", '["potential","field"]'), ("spheres", '["potential"]')]
)
def test_the_exact_kernel_is_the_baseline(
    plain: Dataset, tmp_path: Path, kind: str, target: str
) -> None:
    """The same errors of potential and field, by differences where none is given."""
    data = plain
    if kind == "spheres":
        data = maps_of_sources(tmp_path / "data", OF_SPHERES, resolution=6)
    model = network(data, PLAIN, FFT, f"map.target={target}")
    found = measure_maps(model, map_data(data, "test"))
    (baseline,) = found.baselines.values()
    assert list(found.baselines) == ["FFT of the raster"]
    names = ["potential", "field" if "field" in target else "field by differences"]
    assert [one.quantity for one in found.network] == names
    for own, other in zip(found.network, baseline, strict=True):
        for metric in ("median_relative_error", "global_relative_l2", "p90_relative_error"):
            pair = (getattr(one.all_points, metric) for one in (own, other))
            np.testing.assert_allclose(*pair, rtol=1e-3)
        np.testing.assert_allclose(
            [shell.relative_l2 for shell in own.by_wave_number],
            [shell.relative_l2 for shell in other.by_wave_number],
            rtol=1e-2,
        )
    assert by_quantity(baseline)["potential"].all_points.median_relative_error < 0.15


@pytest.mark.slow
def test_numbers_are_those_of_the_metrics(plain: Dataset) -> None:
    """Of all samples and points, the field by centred differences among them."""
    model, data = network(plain, PLAIN), map_data(plain, "test")
    found = by_quantity(measure_maps(model, data).network)
    split, h = plain.split("test"), 0.5
    potential = np.concatenate([split.block(n).potential for n in (0, 1)])
    field = np.concatenate([split.block(n).field for n in (0, 1)])
    predicted = list(predicted_blocks(model, data))
    given = np.concatenate([block.of_network["potential"] for block in predicted])
    one = scores(measure(given.reshape(6, -1), potential))
    assert found["potential"].all_points.median_relative_error == one.median_relative_error
    assert found["potential"].new_points is None
    # At the points inside by hand.
    slope = -(given[:, 0, 2:, 1:-1] - given[:, 0, :-2, 1:-1]) / (2 * h)
    across = -(given[:, 0, 1:-1, 2:] - given[:, 0, 1:-1, :-2]) / (2 * h)
    blocks = [block.of_network["field by differences"] for block in predicted]
    inner = np.concatenate(blocks)[:, :, 1:-1, 1:-1]
    np.testing.assert_allclose(inner, np.stack([slope, across], axis=1), rtol=1e-5, atol=1e-7)
    whole = np.moveaxis(np.concatenate(blocks).reshape(6, 2, -1), 1, 2)
    assert found["field by differences"].all_points.global_relative_l2 == pytest.approx(
        scores(measure(whole, field)).global_relative_l2
    )


@pytest.mark.slow
def test_super_resolution_is_judged_at_new_points(plain: Dataset) -> None:
    """Beside splines of the same points, exactly what scipy makes of them."""
    model, data = network(plain, *SUPER), map_data(plain, "test")
    found = measure_maps(model, data)
    assert list(found.baselines) == ["linear spline", "cubic spline"]
    potential = np.concatenate([plain.split("test").block(n).potential for n in (0, 1)])
    maps = potential.reshape(6, 1, 13, 13)
    spline = splined(maps[:, :, ::4, ::4], 4, 3)
    new = np.ones((13, 13), bool)
    new[::4, ::4] = False
    wanted = scores(measure(spline[:, 0, new], maps[:, 0, new]))
    cubic = by_quantity(found.baselines["cubic spline"])["potential"]
    assert cubic.new_points is not None
    assert cubic.new_points.global_relative_l2 == pytest.approx(wanted.global_relative_l2)
    assert cubic.new_points.num_points == 6 * new.sum()
    # What was read is known exactly by all of them, so the median over all points is smaller.
    for one in (found.network, *found.baselines.values()):
        potential_scores = by_quantity(one)["potential"]
        assert potential_scores.new_points is not None
        assert (
            potential_scores.all_points.median_relative_error
            < potential_scores.new_points.median_relative_error
        )


@pytest.mark.slow
def test_crops_of_super_resolution_read_one_lattice(discs: Dataset) -> None:
    """Whatever crops there are, the points that the input does not hold are the same."""
    model = network(discs, *SUPER[:1], PLAIN, "data.crop={size=5}")
    data = map_data(discs, "test")
    for block in predicted_blocks(model, data):
        given, truth = block.of_network["potential"], block.truth["potential"]
        every = (slice(None), slice(None), slice(None, None, 4), slice(None, None, 4))
        np.testing.assert_allclose(given[every], truth[every], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("halo", [1, 2, 5])
def test_a_halo_and_a_stride_have_a_baseline(tmp_path: Path, halo: int) -> None:
    """Of cells as wide as the points that are read are apart, from as far as the halo reaches."""
    data = maps_of_sources(tmp_path / "data", "grid.half_width=3.0", halo=halo)
    model = network(data, PLAIN, 'model={name="conv",channels=[4],padding="same"}', "map.stride=2")
    found = measure_maps(model, map_data(data, "test"))
    plain = maps_of_sources(tmp_path / "plain", "grid.half_width=3.0")
    other = measure_maps(network(plain, PLAIN, "map.stride=2"), map_data(plain, "test"))
    pair = (by_quantity(one.baselines["FFT of the raster"])["potential"] for one in (found, other))
    values = [one.all_points.global_relative_l2 for one in pair]
    # All bodies are inside, so the halo knows no more; splines at the edge do.
    np.testing.assert_allclose(*values, rtol=0.1)


@pytest.mark.slow
def test_imported_maps_of_a_stride_have_splines(tmp_path: Path) -> None:
    """Where inputs and targets are one array, with its mean."""
    random, x = np.random.default_rng(0), np.linspace(0, 1, 13)
    for number in range(20):
        a, b = random.normal(size=2)
        smooth = 100 + a * np.sin(3 * x)[:, None] + b * np.cos(2 * x)[None]
        np.save(tmp_path / f"tgt_{number:02}.npy", smooth[None].astype(np.float32))
    files = input_and_target_maps([tmp_path / "tgt_*.npy"], [tmp_path / "tgt_*.npy"])
    import_arrays(files, tmp_path / "data", samples_per_block=4)
    data = Dataset.open(tmp_path / "data")
    same = ("map={stride=4}", "data.input=targets", PLAIN)
    model = network(data, *same)
    found = measure_maps(model, map_data(data, "test", "targets", "targets"))
    assert list(found.baselines) == ["linear spline", "cubic spline"]
    cubic = by_quantity(found.baselines["cubic spline"])["targets"]
    assert cubic.all_points.global_relative_l2 < 1e-3
    (block,) = predicted_blocks(model, map_data(data, "test", "targets", "targets"))
    every = (slice(None), slice(None), slice(None, None, 4), slice(None, None, 4))
    np.testing.assert_allclose(
        block.of_network["targets"][every], block.truth["targets"][every], rtol=1e-6
    )


@pytest.mark.parametrize("boundary", ["open", "periodic"])
def test_imported_maps_are_measured(tmp_path: Path, boundary: str) -> None:
    """Without a baseline, and on crops that wrap around."""
    arrays = maps_of_arrays(tmp_path, boundary="periodic" if boundary == "periodic" else "open")
    assert boundary_of(arrays) == boundary
    crop = "data.crop={size=4,pad=1}" if boundary == "periodic" else "data.crop=null"
    pad = "valid" if boundary == "periodic" else "same"
    conv = f'model={{name="conv",channels=[],kernel=3,padding="{pad}"}}'
    model = network(arrays, "map={}", PLAIN, conv, crop)
    weight = np.zeros((1, 2, 3, 3), np.float32)
    weight[:, :, 1, 1] = weight[:, :, 0, 1] = 1
    scales = model.inputs
    factor = np.array(scales.input.scale) / scales.target.scale[0]
    shift = sum(2 * s for s in scales.input.shift) - scales.target.shift[0]
    exact = eqx.tree_at(
        lambda one: (one.layers[0].weight, one.layers[0].bias),  # type: ignore[attr-defined]
        model,
        (
            weight * factor[None, :, None, None].astype(np.float32),
            np.full((1, 1, 1), shift / scales.target.scale[0], np.float32),
        ),
    )
    found = measure_maps(exact, map_data(arrays, "test"))
    assert found.baselines == {}
    (one,) = found.network
    assert one.quantity == "targets"
    if boundary == "periodic":
        assert one.all_points.global_relative_l2 < 1e-5
        assert all(shell.relative_l2 < 1e-4 for shell in one.by_wave_number[1:])
    else:  # zeros stand before the first point
        assert 0.01 < one.all_points.global_relative_l2 < 0.5


@pytest.mark.parametrize("sides", [(8, 8), (7, 9), (4, 6, 5)])
def test_shells_hold_all_of_the_error(sides: tuple[int, ...]) -> None:
    """By Parseval's theorem, and one wave lies in the shell of its number."""
    random = np.random.default_rng(0)
    error, truth = random.normal(size=(2, 3, 2, *sides))
    found = Spectrum()
    found.add(error[:1], truth[:1], "periodic")
    found.add(error[1:], truth[1:], "periodic")
    size = np.prod(sides)
    np.testing.assert_allclose(found.error.sum() / size, (error**2).sum())
    np.testing.assert_allclose(found.truth.sum() / size, (truth**2).sum())
    shells = found.shells()
    np.testing.assert_allclose(sum(shell.share_of_truth for shell in shells), 1)
    wave = np.cos(2 * np.pi * 2 * np.arange(sides[0]) / sides[0])
    one = Spectrum()
    shape = (1, 1, -1, *(1,) * (len(sides) - 1))
    one.add(np.broadcast_to(wave.reshape(shape), (1, 1, *sides)), truth[:1, :1], "periodic")
    ends = [shell.below for shell in one.shells()]
    number = 2 * min(sides) / sides[0]
    assert ends[int(np.argmax(one.error))] == next(end for end in ends if number < end)


def test_what_is_not_finite_has_no_small_error() -> None:
    """In any shell."""
    truth = np.random.default_rng(0).normal(size=(2, 1, 8, 8))
    error = np.zeros_like(truth)
    error[1, 0, 3, 4] = np.nan
    found = Spectrum()
    found.add(error, truth, "open")
    assert [shell.relative_l2 for shell in found.shells()] == [np.inf] * 4


def evaluated(
    model: ArrayModel, dataset: Dataset, directory: Path, listener: Listener = SILENT
) -> ArrayResults:
    save_model(directory / "model.hm", model, {})
    arguments = sort_arguments((str(directory / "model.hm"), str(dataset.directory)))
    return evaluate_arrays(array_plan(arguments, (), directory / "out"), listener)


@pytest.mark.slow
def test_a_table_has_network_and_baseline(plain: Dataset, tmp_path: Path) -> None:
    found = evaluated(network(plain, PLAIN, FFT), plain, tmp_path)
    assert [one.subject for one in found.evaluations] == ["model.hm", "FFT of the raster"]
    text = array_text(found, "table")
    assert "field by differences" in text
    assert "Errors by wave number, in per cent of the truth in each shell" in text
    assert "|k| < 2" in text
    assert (tmp_path / "out" / "results.json").exists()


MISFITS = {
    "another spacing": (("grid.half_width=4.0",), 13, PLAIN, "must be 0.5 m apart"),
    "another resolution of a kernel": (
        ("grid.half_width=3.5",),
        15,
        FFT,
        "maps of 13 x 13 points, as its parameters belong",
    ),
    "another stride": (("grid.half_width=3.5",), 15, SUPER[0], "must be a multiple of 4; got 15"),
    "three dimensions": ((OF_SPHERES,), 5, PLAIN, "maps of 2 axes; got 5 x 5 x 5 points"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", MISFITS.values(), ids=MISFITS)
def test_maps_of_another_kind_are_refused(
    plain: Dataset, tmp_path: Path, case: tuple[tuple[str, ...], int, str, str]
) -> None:
    overrides, resolution, change, said = case
    other = maps_of_sources(tmp_path / "data", *overrides, resolution=resolution)
    with refused(HypermagneticsError, said):
        evaluated(network(plain, PLAIN, change), other, tmp_path)


@pytest.mark.slow
def test_maps_of_other_sides_are_refused_before_any_prediction(tmp_path: Path) -> None:
    """Of crops or padding where they are no square, and of a U-Net that would not wrap."""
    data = maps_of_arrays(tmp_path / "square", boundary="periodic")
    strip = maps_of_arrays(tmp_path / "strip", sides=(8, 12), boundary="periodic")
    odd = maps_of_arrays(tmp_path / "odd", sides=(7, 7), boundary="periodic")
    valid = network(data, "map={}", PLAIN, 'model={name="conv",channels=[]}')
    with refused(HypermagneticsError, "as many points along each axis; got 8 x 12 points"):
        evaluated(valid, strip, tmp_path)
    cropped = network(data, "map={}", PLAIN, "data.crop={size=4,pad=2}")
    with refused(HypermagneticsError, "as many points along each axis; got 8 x 12 points"):
        evaluated(cropped, strip, tmp_path)
    with refused(HypermagneticsError, "a multiple of 2 points along each axis"):
        evaluated(network(data, "map={}", PLAIN), odd, tmp_path)


@pytest.mark.slow
def test_what_a_raster_does_not_show_is_said(plain: Dataset, tmp_path: Path) -> None:
    """Dipoles are refused, bodies beyond the edge warned of."""
    model = network(plain, PLAIN)
    dipoles = maps_of_sources(
        tmp_path / "dipoles",
        'sources={body={kind="dipole"},moment={distribution="normal",std=1.0},'
        'position={distribution="normal",std=5.0}}',
    )
    with refused(HypermagneticsError, "bodies with an inside; got dipole"):
        evaluated(model, dipoles, tmp_path)
    beyond = maps_of_sources(tmp_path / "beyond", "sources.position.half_width=3.6")
    listener = Recording()
    evaluated(model, beyond, tmp_path, listener=listener)
    said = [one for one in listener.told if "map ends" in one]
    assert len(said) == 1
    assert "the input does not show them beyond it" in said[0]
    save_model(tmp_path / "again.hm", network(plain, PLAIN, "data.crop={size=5,pad=0}"), {})
    files = (str(tmp_path / "model.hm"), str(tmp_path / "again.hm"), str(plain.directory))
    both = evaluate_arrays(array_plan(sort_arguments(files), (), tmp_path / "both"))
    names = [one.subject for one in both.evaluations]
    assert names == ["model.hm", "FFT of the raster", "again.hm"]


@pytest.mark.slow
def test_another_resolution_of_the_same_spacing_is_taken(plain: Dataset, tmp_path: Path) -> None:
    """By a network of convolutions."""
    wider = maps_of_sources(tmp_path / "data", "grid.half_width=3.5", resolution=15)
    found = evaluated(network(plain, PLAIN), wider, tmp_path)
    assert found.evaluations[0].maps[0].all_points.num_points == 6 * 15**2


@pytest.mark.slow
def test_imported_maps_and_those_of_sources_are_told_apart(plain: Dataset, tmp_path: Path) -> None:
    arrays = maps_of_arrays(tmp_path / "arrays")
    with refused(HypermagneticsError, "maps of sources must be evaluated on such maps"):
        evaluated(network(plain, PLAIN), arrays, tmp_path)
    of_arrays = network(arrays, "map={}", PLAIN)
    with refused(HypermagneticsError, "maps of imported arrays must be evaluated on such maps"):
        evaluated(of_arrays, plain, tmp_path)
    one = tmp_path / "arrays" / "tgt_*.npy"
    import_arrays(input_and_target_maps([one], [one]), tmp_path / "one", samples_per_block=4)
    with refused(HypermagneticsError, "The inputs must have 2 channels and 2 axes of space; got"):
        evaluated(of_arrays, Dataset.open(tmp_path / "one"), tmp_path)
    periodic = maps_of_arrays(tmp_path / "periodic", boundary="periodic")
    with refused(HypermagneticsError, "evaluated on open maps; got periodic ones"):
        evaluated(of_arrays, periodic, tmp_path)


def test_a_file_of_maps_names_its_frame(plain: Dataset, tmp_path: Path) -> None:
    model = network(plain, PLAIN)
    save_model(tmp_path / "model.hm", model, {})
    again = load(tmp_path / "model.hm")
    assert isinstance(again, ArrayModel)
    assert again.inputs.map == model.inputs.map
