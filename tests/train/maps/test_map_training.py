"""Training from maps to maps: maps of batches, feeds, chunks, resuming, validation."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_maps import OF_SPHERES, map_recipe, maps_of_arrays, maps_of_sources

from hypermagnetics.data import Dataset
from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.metrics import measure
from hypermagnetics.models import ArrayInputs, ArrayModel
from hypermagnetics.models.map_arrays import core_of, points_of
from hypermagnetics.models.map_network import frame_of
from hypermagnetics.run_files import MapValidation
from hypermagnetics.sources import Raster, cell_means, magnetisation
from hypermagnetics.train import train
from hypermagnetics.train.aggregation import loss_and_gradient
from hypermagnetics.train.devices import ArrayDeviceBatch, Devices
from hypermagnetics.train.dispatch import Order
from hypermagnetics.train.feed import DeviceFeed, StreamFeed, read_blocks
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.setup import Setup, make_setup

PLAIN = "data.augment=[]"
CROPPED = (
    "data.crop={size=5,pad=2,step=4,stop=9}",
    'model={name="conv",channels=[4],kernel=3}',
    PLAIN,
)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """On a grid of 13 x 13 points with a halo of 2."""
    return maps_of_sources(tmp_path_factory.mktemp("discs") / "data", halo=2)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Imported maps that are periodic."""
    return maps_of_arrays(tmp_path_factory.mktemp("arrays"), boundary="periodic")


def batch_of(setup: Setup, step: int = 0) -> ArrayDeviceBatch:
    """The maps of a step."""
    schedule = setup.schedule
    batch = read_blocks(setup.train, schedule.blocks(step), schedule.points(step))
    found = setup.phases[0].method.augment(Devices.local(1).take(batch), jnp.asarray(step))
    assert isinstance(found, ArrayDeviceBatch)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 2])
def test_a_batch_has_the_maps_of_its_sources(discs: Dataset, stride: int) -> None:
    """The raster at the cells of the points that are read, the potential at those of the core."""
    setup = make_setup(
        map_recipe(
            'map={input=["magnetisation","potential"],target=["potential","field"],'
            f"stride={stride},subpoints=1}}",
            PLAIN,
        ),
        discs,
    )
    batch, split = batch_of(setup), discs.split("train")
    (number,) = setup.schedule.blocks(0)
    assert number is not None
    block, count = split.block(number), int(batch.num_samples[0])
    inputs, targets = batch.arrays["inputs"][0, :count], batch.arrays["targets"][0, :count]
    inner = (slice(None), slice(2, 15), slice(2, 15))
    potential = block.potential.reshape(-1, 17, 17)[inner]
    field = np.moveaxis(block.field.reshape(-1, 17, 17, 2)[inner], -1, 1)
    np.testing.assert_array_equal(targets[:, 0], potential)
    np.testing.assert_array_equal(targets[:, 1:], field)
    np.testing.assert_array_equal(inputs[:, 2], potential[:, ::stride, ::stride])
    points = block.grid.reshape(17, 17, 2)[2:15:stride, 2:15:stride].reshape(-1, 2)
    side = round(len(points) ** 0.5)
    for sample, table in enumerate(block.sources):
        wanted = np.asarray(magnetisation(discs.columns, table, points)).T
        np.testing.assert_allclose(inputs[sample, :2], wanted.reshape(2, side, side), atol=1e-5)
    assert np.abs(inputs[:, :2]).max() > 0.1


def test_crops_come_with_their_padding(discs: Dataset) -> None:
    """From the interior and its halo; targets are those of the core."""
    change = 'map={input=["potential"],target=["potential"]}'
    setup = make_setup(map_recipe(*CROPPED, change), discs)
    batch = batch_of(setup)
    assert batch.arrays["inputs"].shape == (1, 4, 1, 9, 9)
    assert isinstance(setup.inputs, ArrayInputs)
    frame = frame_of(setup.inputs)
    np.testing.assert_array_equal(
        batch.arrays["targets"][0], core_of(batch.arrays["inputs"][0], frame)
    )
    assert setup.schedule.crops is not None
    assert len(setup.schedule.crops) == 9


def test_imported_maps_go_on_at_the_opposite_side(arrays: Dataset) -> None:
    """Crops wrap around, as the maps do."""
    recipe = map_recipe(
        'model={name="conv",channels=[],kernel=3}', "map={}", PLAIN, "data.crop={size=4,pad=1}"
    )
    setup = make_setup(recipe, arrays)
    batch, schedule = batch_of(setup), setup.schedule
    (number,) = schedule.blocks(0)
    assert number is not None
    assert isinstance(setup.train, ArrayView)
    (found,) = setup.train.read((number,))
    wrapped = np.pad(found["inputs"], ((0, 0), (0, 0), (1, 1), (1, 1)), mode="wrap")
    pieces = [wrapped[:, :, i : i + 6, j : j + 6] for i in (0, 4) for j in (0, 4)]
    count = int(batch.num_samples[0])
    assert any(np.array_equal(batch.arrays["inputs"][0, :count], one) for one in pieces)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whole", "crops", "arrays"])
@pytest.mark.parametrize("most", [1, 2])
def test_both_feeds_give_the_same_maps(
    discs: Dataset, arrays: Dataset, kind: str, most: int
) -> None:
    """From the files, and cut on the device."""
    recipes = {
        "whole": (map_recipe(PLAIN), discs),
        "crops": (map_recipe(*CROPPED), discs),
        "arrays": (
            map_recipe(
                "map={}",
                PLAIN,
                'model={name="conv",channels=[]}',
                "data.crop={size=4,pad=1}",
                "data.blocks_per_batch=2",
            ),
            arrays,
        ),
    }
    setup = make_setup(*recipes[kind])
    order = Order(setup.schedule, 1, lambda step: most, most)
    devices = Devices.local(1)
    with (
        StreamFeed(setup.train, order, devices) as streamed,
        DeviceFeed(setup.train, order, devices) as held,
    ):
        for _ in range(3):
            pair = [feed.next(lambda: True).batches for feed in (streamed, held)]
            for step in range(most):
                one, other = (batches.at(step) for batches in pair)
                leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
                for first, second in leaves:
                    np.testing.assert_array_equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "chunks"),
    [
        ("huber", 3),
        *((one, 1) for one in ("cauchy", "mse", "relative", "sample-relative", "spectral")),
    ],
)
def test_every_loss_is_one_of_maps(discs: Dataset, loss: str, chunks: int) -> None:
    """In units of the root mean square of each map, whatever the parts of a batch."""
    recipe = map_recipe(
        'map={target=["potential","field"]}',
        PLAIN,
        f"objective.loss={loss}",
        'objective.terms={all={of="map"},field={of="map",quantity="field",weight=0.5}}',
    )
    setup = make_setup(recipe, discs)
    model, batch = setup.new_model(), batch_of(setup)
    assert isinstance(model, ArrayModel)
    losses, gradient = loss_and_gradient(
        setup.objective, model, batch, trainable(model, ()), chunks
    )
    whole = setup.objective(model, batch)
    np.testing.assert_allclose(losses.total, whole.total, rtol=1e-5)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradient))
    np.testing.assert_allclose(
        whole.total, whole.terms["all"] + 0.5 * whole.terms["field"], rtol=1e-6
    )
    assert whole.terms["field"] < whole.terms["all"]


@pytest.mark.slow
def test_a_mean_square_is_that_of_the_maps(discs: Dataset) -> None:
    """|e|² over |truth|² of the split, the norm of vectors for the field."""
    recipe = map_recipe(
        'map={target=["field"]}', PLAIN, "objective.loss=mse", "data.blocks_per_batch=5"
    )
    setup = make_setup(recipe, discs)
    model, batch = setup.new_model(), batch_of(setup)
    assert isinstance(model, ArrayModel)
    found = float(setup.objective(model, batch).total)
    keep = np.arange(4)[None] < np.asarray(batch.num_samples)[:, None]
    error = np.asarray(model(batch.arrays["inputs"]) - batch.arrays["targets"])[keep]
    unit = discs.split("train").statistics("field")
    rms = np.sqrt(sum(m * m + s * s for m, s in zip(unit.mean, unit.std, strict=True)))
    np.testing.assert_allclose(found, (error**2).sum(axis=1).mean() / rms**2, rtol=1e-5)


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_never_stopped(discs: Dataset, tmp_path: Path) -> None:
    """Bit for bit, also from the device, with every augmentation."""
    both = 'data.augment=["time-reversal","moment-scaling","reflection","quarter-turn"]'
    recipe = map_recipe(both, "schedule.decay_steps=4")
    train(discs, tmp_path / "whole", recipe)
    train(
        discs, tmp_path / "half", map_recipe(both, "schedule.decay_steps=4", "schedule.max_steps=2")
    )
    train(discs, tmp_path / "half", if_exists="resume", schedule={"max_steps": 4})
    train(
        discs, tmp_path / "device", map_recipe(both, "schedule.decay_steps=4", "data.mode=device")
    )
    wanted = (tmp_path / "whole" / "final.hm").read_bytes()
    assert (tmp_path / "half" / "final.hm").read_bytes() == wanted
    assert (tmp_path / "device" / "final.hm").read_bytes() == wanted


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sources", "crops", "arrays", "spheres"])
def test_a_validation_is_of_all_points(
    discs: Dataset, arrays: Dataset, tmp_path: Path, kind: str
) -> None:
    """Medians over the points, and the whole L2 error, of each map that is given."""
    changes: tuple[str, ...] = ('map={target=["potential","field"]}', PLAIN)
    data = discs
    if kind == "crops":
        # In each step any crop, in a validation those that cover the map.
        changes = (*CROPPED[1:], "data.crop={size=4,pad=2,step=1}")
    if kind == "arrays":
        data, changes = arrays, ("map={}", PLAIN)
    if kind == "spheres":
        data = maps_of_sources(tmp_path / "spheres", OF_SPHERES, resolution=6)
        changes = ("model.channels=[3,4]",)
    recipe = map_recipe(*changes)
    run = train(data, tmp_path / "run", recipe)
    found, model = run.outcome.validation, run.model
    assert isinstance(found, MapValidation)
    assert isinstance(model, ArrayModel)
    names = {"arrays": ["targets"], "sources": ["potential", "field"]}.get(kind, ["potential"])
    assert list(found.median_errors) == names
    assert found.model_dump().keys() == {
        "loss",
        *(f"{n}_median_relative_error" for n in names),
        *(f"{n}_global_relative_l2" for n in names),
    }
    setup = make_setup(recipe, data)
    relative, sums = [], np.zeros(2)
    for block in range(setup.valid.layout.num_blocks):
        crops = setup.crops_of_valid
        for crop in range(1 if crops is None else len(crops)):
            points = None if crops is None else crops.points(crop)[None]
            batch = setup.prepare_valid(
                Devices.local(1).take(read_blocks(setup.valid, (block,), points)),
                jnp.asarray(block),
            )
            assert isinstance(batch, ArrayDeviceBatch)
            count = int(batch.num_samples[0])
            given = np.asarray(model(batch.arrays["inputs"]))[0, :count, :1]
            truth = np.asarray(batch.arrays["targets"])[0, :count, :1]
            one = measure(points_of(given), points_of(truth))
            relative.append(one.relative.ravel())
            sums += [one.squared_error.sum(), one.squared_truth.sum()]
    if kind == "crops":
        assert setup.crops_of_valid is not None
        assert len(setup.crops_of_valid) == 16
        assert setup.crops_of_valid.coverage().min() == 1
    first = getattr(found, f"{names[0]}_median_relative_error")
    np.testing.assert_allclose(first, np.nanmedian(np.concatenate(relative)), rtol=1e-4)
    whole = getattr(found, f"{names[0]}_global_relative_l2")
    np.testing.assert_allclose(whole, np.sqrt(sums[0] / sums[1]), rtol=1e-4)


@pytest.mark.slow
def test_a_linear_network_learns_a_stencil(arrays: Dataset, tmp_path: Path) -> None:
    """The sum of two channels at a point and at the one before it, of periodic maps."""
    recipe = map_recipe(
        'model={name="conv",channels=[],kernel=3,padding="same"}',
        "map={}",
        PLAIN,
        "schedule={max_steps=150,learning_rate=0.05}",
        "validation.every=150",
        "objective.loss=mse",
    )
    run = train(arrays, tmp_path / "run", recipe)
    assert isinstance(run.outcome.validation, MapValidation)
    assert run.outcome.validation.targets_global_relative_l2 is not None
    assert run.outcome.validation.targets_global_relative_l2 < 1e-3


@pytest.mark.slow
def test_a_tracker_gets_numbers_and_no_pictures(discs: Dataset, tmp_path: Path) -> None:
    """As of any network of arrays, though the dataset is of sources."""
    pytest.importorskip("tensorboardX")
    train(discs, tmp_path / "run", map_recipe(PLAIN, 'tracking.to=["tensorboard"]'))
    assert list((tmp_path / "run").rglob("events.out.tfevents.*"))


def test_the_unit_of_the_raster_is_its_root_mean_square(discs: Dataset) -> None:
    """Of one component, over the stored grid of all samples, as they are few."""
    inputs = make_setup(map_recipe(PLAIN), discs).inputs
    assert isinstance(inputs, ArrayInputs)
    split = discs.split("train")
    raster = Raster((17, 17), 0.5, 8, reach=0.5)
    blocks = [split.block(number).sources for number in range(split.layout.num_blocks)]
    means = cell_means(
        discs.columns, raster, jnp.asarray(np.concatenate(blocks)), jnp.full(2, -4.0)
    )
    rms = float(np.sqrt(np.mean(np.square(means))))
    np.testing.assert_allclose(inputs.input.scale, (rms, rms), rtol=1e-5)
    potential = split.statistics("potential")
    wanted = np.hypot(potential.mean[0], potential.std[0])
    np.testing.assert_allclose(inputs.target.scale, (wanted,), rtol=1e-6)
    assert set(inputs.input.shift + inputs.target.shift) == {0.0}


@pytest.mark.slow
def test_imported_vectors_turn_with_their_maps(arrays: Dataset) -> None:
    """Their channels too; those of scalars stay, whatever is drawn."""
    turned = ('data.augment=["reflection","quarter-turn"]', 'map={vectors=["inputs"]}')
    plain, moved = (
        batch_of(make_setup(map_recipe(*c), arrays)) for c in (("map={}", PLAIN), turned)
    )
    for role, is_vector in (("inputs", True), ("targets", False)):
        before, after = (np.asarray(one.arrays[role])[0] for one in (plain, moved))
        wanted = []
        for flips in ((), (2,), (3,), (2, 3)):
            for order in ((0, 1), (1, 0)):
                found = before.transpose(0, 1, *(2 + axis for axis in order))
                found = np.flip(found[:, list(order)] if is_vector else found, flips).copy()
                for axis in flips if is_vector else ():
                    found[:, axis - 2] *= -1
                wanted.append(found)
        assert [np.array_equal(after, one) for one in wanted].count(True) == 1
