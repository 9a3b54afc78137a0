"""Training of networks from arrays to arrays: terms, feeds, chunks, resuming, refusals."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from small_networks import small_arrays
from tiny_datasets import small_dataset

from hypermagnetics.config import load_recipe
from hypermagnetics.data import BatchSchedule, Dataset
from hypermagnetics.data.array_view import ArrayView, names_of, read_array_batch
from hypermagnetics.errors import DatasetError, HypermagneticsError, RecipeError
from hypermagnetics.models import MLP, MLPConfig
from hypermagnetics.train import train
from hypermagnetics.train.aggregation import divided, loss_and_gradient
from hypermagnetics.train.array_setup import array_inputs_of
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.devices import ArrayDeviceBatch, Devices
from hypermagnetics.train.dispatch import Order
from hypermagnetics.train.feed import DeviceFeed, StreamFeed
from hypermagnetics.train.losses import MeanOverPoints, MeanSquare
from hypermagnetics.train.objective import SumOfTerms
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.sample_keys import TRAINING, with_sample_keys
from hypermagnetics.train.setup import Setup, make_setup
from hypermagnetics.train.terms.by_inputs import ByInputsTerm, slope_rms
from hypermagnetics.train.terms.targets import TargetsTerm

BY_INPUTS = 'objective.terms.by-inputs={of="targets", by="inputs"}'
SMALL = ("model.width=8", "model.depth=2", "schedule.max_steps=6", "validation.every=3")


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Inputs of other scales, targets and Jacobian."""
    return small_arrays(tmp_path_factory.mktemp("arrays"))


@pytest.fixture(scope="module")
def view(arrays: Dataset) -> ArrayView:
    """Its training split."""
    split = arrays.any_split("train")
    return ArrayView(split, names_of(split, None, None))


@pytest.fixture(scope="module")
def network(view: ArrayView) -> MLP:
    """A network of its scales."""
    return MLP(MLPConfig(width=8, depth=2), array_inputs_of(view), jr.key(0))


def recipe_of(*changes: str) -> TrainingRecipe:
    """A short training."""
    return load_recipe(TrainingRecipe, "training", "mlp", (*SMALL, *changes))


def setup_of(arrays: Dataset, *changes: str) -> Setup:
    """Its parts."""
    return make_setup(recipe_of(*changes), arrays)


def batch_of(view: ArrayView, *blocks: int | None) -> ArrayDeviceBatch:
    """Blocks on the device."""
    return Devices.local(1).take(read_array_batch(view, blocks))


def objective(view: ArrayView, network: MLP, directions: Any = "all") -> SumOfTerms:
    """Targets, and their derivatives by the inputs."""
    loss, rms = MeanOverPoints(MeanSquare()), slope_rms(view, network)
    slopes = ByInputsTerm(weight=1.0, count=directions, loss=loss, rms=rms)
    return SumOfTerms({"targets": TargetsTerm(1.0, loss, 0.7), "by-inputs": slopes})


def test_scales_are_those_of_the_training_split(arrays: Dataset, view: ArrayView) -> None:
    values = arrays.array_split("train")
    m = values.entries("inputs", range(len(values))).astype(np.float64)
    found = array_inputs_of(view)
    np.testing.assert_allclose(found.input.shift, m.mean(0), atol=1e-5)
    np.testing.assert_allclose(found.input.scale, m.std(0), rtol=1e-5)
    q = values.entries("targets", range(len(values))).astype(np.float64)
    np.testing.assert_allclose(found.target.scale, np.sqrt(q.var(0).mean()), rtol=1e-5)
    np.testing.assert_allclose(found.target.shift, q.mean(0), atol=1e-6)


def test_the_unit_of_slopes_is_their_root_mean_square(view: ArrayView, network: MLP) -> None:
    jacobian = np.concatenate([block["jacobian"] for block in view.read(range(16))])
    scaled = jacobian.astype(np.float64) * network.inputs.input.scales
    wanted = np.sqrt((scaled**2).sum(-1).mean())
    assert slope_rms(view, network) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.slow
def test_terms_are_those_of_the_formulas(view: ArrayView, network: MLP) -> None:
    """Means of squares, in units of the truth, over the samples that count."""
    last = view.layout.num_blocks - 1
    batch = batch_of(view, 0, last, None)
    losses = eqx.filter_jit(lambda n, b: objective(view, n)(n, b))(network, batch)
    blocks = view.read((0, last))
    m, q, j = (
        np.concatenate([block[role] for block in blocks])
        for role in ("inputs", "targets", "jacobian")
    )
    assert len(m) < 8, "the last block is not full"
    e = np.asarray(network(m), np.float64) - q
    assert float(losses.terms["targets"]) == pytest.approx((e**2).mean() / 0.7**2, rel=1e-4)
    slopes = (np.asarray(network.jacobian(m), np.float64) - j) * network.inputs.input.scales
    wanted = (slopes**2).sum(-1).mean() / slope_rms(view, network) ** 2
    assert float(losses.terms["by-inputs"]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("directions", [1, 3])
def test_random_directions_are_the_whole_jacobian_in_the_mean(
    view: ArrayView, network: MLP, directions: int
) -> None:
    """To 1 % with 10 000 directions and more."""
    batch = batch_of(view, 0)
    whole = float(objective(view, network)(network, batch).terms["by-inputs"])
    drawn = objective(view, network, directions)

    @jax.jit
    def mean_over(numbers: jax.Array) -> jax.Array:
        def of(number: jax.Array) -> jax.Array:
            keyed = with_sample_keys(lambda b, _: b, 0, TRAINING)(batch, number)
            return drawn(network, keyed).terms["by-inputs"]

        return jnp.mean(jax.vmap(of)(numbers))

    # Each number draws directions for 4 samples.
    found = float(mean_over(jnp.arange(10_000)))
    assert found == pytest.approx(whole, rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [1, 3, 4])
def test_chunks_add_up(view: ArrayView, network: MLP, chunks: int) -> None:
    """With the directions of each sample, whichever chunk it comes into."""
    last = view.layout.num_blocks - 1
    keyed = with_sample_keys(lambda batch, _: batch, 0, TRAINING)
    batch = keyed(batch_of(view, 1, last), jnp.asarray(5))
    both = objective(view, network, 1)
    whole, gradient = eqx.filter_jit(
        lambda n, b: (both(n, b), eqx.filter_grad(lambda one: both(one, b).total)(n))
    )(network, batch)
    found = eqx.filter_jit(lambda n, b: loss_and_gradient(both, n, b, trainable(n, ()), chunks))(
        network, batch
    )
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves((whole, gradient)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6 * np.abs(other).max() + 1e-7)


def test_every_sample_is_in_one_chunk(view: ArrayView) -> None:
    batch = batch_of(view, 0, 1)
    parts = divided(batch, 3)
    assert isinstance(parts, ArrayDeviceBatch)
    inputs, seen = parts.arrays["inputs"], []
    for chunk in range(3):
        for block in range(2):
            seen += inputs[chunk, block, : int(parts.num_samples[chunk, block])].tolist()
    assert sorted(seen) == sorted(batch.arrays["inputs"].reshape(-1, 3).tolist())


@pytest.mark.parametrize("most", [1, 3])
def test_both_feeds_give_the_batches_of_the_files(view: ArrayView, most: int) -> None:
    """Bit for bit, an empty block too."""
    schedule = BatchSchedule(view.layout.num_blocks, 3, 3, 1)
    order = Order(schedule, 2, lambda step: most, most)
    with (
        StreamFeed(view, order, Devices.local(None)) as streamed,
        DeviceFeed(view, order, Devices.local(None)) as held,
    ):
        for first in range(2, 2 + 4 * most, most):
            pair = [feed.next(lambda: True) for feed in (streamed, held)]
            for i in range(most):
                wanted = read_array_batch(view, schedule.blocks(first + i))
                for dispatch in pair:
                    found = dispatch.batches.at(i)
                    assert isinstance(found, ArrayDeviceBatch)
                    for counts in ("num_samples", "num_complete", "numbers"):
                        one, other = (getattr(batch, counts) for batch in (found, wanted))
                        np.testing.assert_array_equal(one, other)
                    for role, values in wanted.arrays.items():
                        size = values.shape[1]
                        np.testing.assert_array_equal(found.arrays[role][:, :size], values)


def bytes_of(run: Path) -> bytes:
    """The model after the last step."""
    return (run / "final.hm").read_bytes()


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_never_stopped(arrays: Dataset, tmp_path: Path) -> None:
    """Also on the device, in chunks of a dispatch, and with derivatives along random directions."""
    whole = train(arrays, tmp_path / "whole", recipe_of(BY_INPUTS, "schedule.decay_steps=6"))
    half = recipe_of(BY_INPUTS, "schedule.decay_steps=6", "schedule.max_steps=3")
    train(arrays, tmp_path / "half", half)
    train(arrays, tmp_path / "half", if_exists="resume", schedule={"max_steps": 6})
    assert bytes_of(tmp_path / "half") == bytes_of(tmp_path / "whole")
    device = recipe_of(BY_INPUTS, "schedule.decay_steps=6", "data.mode=device")
    train(arrays, tmp_path / "device", device)
    assert bytes_of(tmp_path / "device") == bytes_of(tmp_path / "whole")
    assert whole.outcome.validation is not None
    assert set(whole.outcome.validation.median_errors) == {"targets", "jacobian"}


@pytest.mark.slow
def test_a_dataset_of_arrays_has_a_recipe_of_its_own(arrays: Dataset, tmp_path: Path) -> None:
    run = train(arrays, tmp_path / "run", schedule={"max_steps": 2})
    assert isinstance(run.model, MLP)


_REGULAR = 'grid={kind="regular", half_width=2.0, resolution=3}'


@pytest.fixture(scope="module")
def regular(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Discs on a grid that all blocks share, of one source and of several."""
    return small_dataset(tmp_path_factory.mktemp("regular") / "data", _REGULAR)


def test_samples_of_one_source_are_arrays_too(regular: Dataset) -> None:
    """Columns that vary are the inputs, and the potential the targets, unless others are named."""
    split = regular.split("train")
    sources = ArrayView(split, names_of(split, None, None))
    assert sources.viewed["inputs"].shape == (4,)
    assert sources.viewed["targets"].shape == (9,)
    block = split.block(0)
    (found,) = sources.read((0,))
    np.testing.assert_array_equal(found["inputs"], block.sources[:, 0])
    field = ArrayView(split, names_of(split, None, "field"))
    assert field.viewed["targets"].shape == (9, 2)
    several = regular.split("test_multi")
    with pytest.raises(DatasetError, match="one source each"):
        ArrayView(several, names_of(several, None, None))


def test_the_training_split_chooses_the_columns(regular: Dataset, tmp_path: Path) -> None:
    """Of a split of one sample none varies; the network knows what it was trained on."""
    split = regular.split("train")
    names = names_of(split, None, None)
    view = ArrayView(split, names)
    assert view.columns == ("moment_x", "moment_y", "position_x", "position_y")
    fewer = ArrayView(split, names, ("position_y", "moment_x"))
    np.testing.assert_array_equal(
        fewer.read((0,))[0]["inputs"], split.block(0).sources[:, 0, [3, 0]]
    )
    with pytest.raises(DatasetError, match=r"columns that the network reads, radius; got moment_x"):
        ArrayView(split, names, ("radius",))
    one = small_dataset(tmp_path / "one", _REGULAR, "splits.train.num_samples=1").split("train")
    with pytest.raises(DatasetError, match="inputs of a network must vary"):
        ArrayView(one, names)
    assert ArrayView(one, names, view.columns).viewed["inputs"].shape == (4,)


def test_the_setting_of_a_network_is_that_of_its_training(regular: Dataset, tmp_path: Path) -> None:
    """Other points, or a body of another size, give other arrays of the same shape."""
    digest = regular.split("train").digest_of_setting()
    assert digest == regular.split("valid").digest_of_setting()
    others = {
        "points": ('grid={kind="regular", half_width=3.0, resolution=3}',),
        "body": (_REGULAR, 'sources.body={kind="disc", radius=0.5}'),
    }
    for name, overrides in others.items():
        other = small_dataset(tmp_path / name, *overrides)
        assert other.split("train").digest_of_setting() != digest


def test_points_that_differ_between_blocks_are_no_array(tiny: Dataset) -> None:
    split = tiny.split("train")
    with pytest.raises(DatasetError, match="at other points in each block"):
        ArrayView(split, names_of(split, None, None))


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "points": (("data.points_per_step=3",), "data.points_per_step must be left out"),
    "symmetries": (('data.augment=["reflection"]',), "data.augment must be left out"),
    "crops": (("data.crop={size=2}",), "data.crop must be left out"),
    "medians": (("normalisation.scales=median",), "normalisation.scales must be left out"),
    "asinh": (("normalisation.values=asinh",), "normalisation.values must be left out"),
    "outside": (("outside=warn",), "outside must be left out"),
    "another target": (("data.target=potential",), "must have the array 'potential'"),
    "terms of fields": (('objective.terms={field={of="field"}}',), "must have terms of 'targets'"),
    "spectral": (("objective.terms.targets.loss=spectral",), "points of a regular grid"),
    "directions": ((BY_INPUTS, "objective.terms.by-inputs.directions=4"), "must be at most 3"),
    "kinks": ((BY_INPUTS, "model.activation=relu"), "smooth functions.*got relu"),
    "outputs": (("model.outputs=3",), "outputs must be 5"),
    "a model of sources": (("model={name='hyper_layer'}",), "must be one of sources"),
    "large batches": (("data.blocks_per_batch=99",), "must be at most 16"),
    "many chunks": (("compute.chunks=9",), "must be at most 4"),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_what_means_nothing_for_arrays_is_refused(
    arrays: Dataset, refused: tuple[tuple[str, ...], str]
) -> None:
    changes, said = refused
    with pytest.raises(HypermagneticsError, match=said):
        setup_of(arrays, *changes)


def test_derivatives_that_are_not_stored_are_asked_for(regular: Dataset) -> None:
    with pytest.raises(RecipeError, match="must have stored derivatives"):
        setup_of(regular, BY_INPUTS)


@pytest.mark.parametrize("change", ["data.target=field", "data.input=sources"])
def test_a_model_of_sources_has_no_arrays_to_name(tiny: Dataset, change: str) -> None:
    recipe = load_recipe(TrainingRecipe, "training", "hyper-layer", (change,))
    with pytest.raises(RecipeError, match="must be left out for a model of sources"):
        make_setup(recipe, tiny)


def test_terms_of_arrays_are_refused_for_a_model_of_sources(tiny: Dataset) -> None:
    change = 'objective.terms={targets={of="targets"}}'
    recipe = load_recipe(TrainingRecipe, "training", "hyper-layer", (change,))
    with pytest.raises(RecipeError, match="must be of a network from arrays to arrays"):
        make_setup(recipe, tiny)


def test_a_frozen_layer_stays(arrays: Dataset, tmp_path: Path) -> None:
    """By its name, as in models of sources."""
    phases = 'schedule={phases=[{steps=3, learning_rate=0.1, freeze=["layers.0"]}]}'
    run = train(arrays, tmp_path / "run", recipe_of(phases))
    fresh = setup_of(arrays).new_model()
    assert isinstance(run.model, MLP)
    assert isinstance(fresh, MLP)
    np.testing.assert_array_equal(run.model.layers[0].weight, fresh.layers[0].weight)
    assert not np.array_equal(run.model.layers[1].weight, fresh.layers[1].weight)
