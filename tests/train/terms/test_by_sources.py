"""Terms of derivatives by the sources."""

import math
from functools import cache
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import DISCS, MODEL, assert_close, random_batch
from shipped_models import MODELS, model_of
from small_trainings import small_recipe
from team_files import old_file

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.data.importing import Units, import_team_file
from hypermagnetics.data.team_file import read_team_file
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import HyperLayer, Model
from hypermagnetics.models.additive import AdditiveModel
from hypermagnetics.sources import (
    Directions,
    SourceColumns,
    block_superposition,
    derivative_labels,
)
from hypermagnetics.train.aggregation import loss_and_gradient
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.devices import DeviceBatch, unchanged
from hypermagnetics.train.losses import Huber, MeanSquare, SampleLoss
from hypermagnetics.train.objective import Losses, SumOfTerms
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.sample_keys import TRAINING, VALIDATION, with_sample_keys
from hypermagnetics.train.setup import make_setup
from hypermagnetics.train.terms import BySourcesTerm, Evaluation, ValuesTerm
from hypermagnetics.train.terms.by_sources import slope_rms
from hypermagnetics.train.terms.kinks import kinked_functions

POSITIONS = Directions(DISCS, DISCS.names[2:], 1.0, 0.8)
EVERY = Directions(DISCS, DISCS.names, 1.3, 0.8)


def term_of(
    along: Directions,
    count: object = 1,
    of: str = "potential",
    loss: SampleLoss | None = None,
) -> BySourcesTerm:
    """A term whose loss is the mean square in a unit of 1."""
    loss = loss or MeanSquare().on_samples(2)
    return BySourcesTerm(1.0, of, along, count, loss, 1.0)  # type: ignore[arg-type]


def keyed(batch: DeviceBatch, number: int = 0, stream: int = TRAINING) -> DeviceBatch:
    """The batch of a step."""
    return with_sample_keys(unchanged, 7, stream)(batch, jnp.int32(number))


@eqx.filter_jit
def losses(term: BySourcesTerm, model: Model, batch: DeviceBatch) -> jax.Array:
    """The loss of each sample."""
    return term(Evaluation(model, batch, DISCS, differentiates=True))


@pytest.mark.slow
def test_random_directions_are_the_whole_jacobian_in_the_mean() -> None:
    """The mean square over 10 000 directions, to 1 %."""
    batch = keyed(random_batch(side=3))
    whole = float(jnp.sum(losses(term_of(EVERY, "all", "field"), MODEL, batch)))
    drawn = float(jnp.sum(losses(term_of(EVERY, 10_000, "field"), MODEL, batch)))
    assert drawn == pytest.approx(whole, rel=0.01)


@pytest.mark.slow
def test_some_directions_are_the_same_in_the_mean_as_one() -> None:
    """The loss of several is that of the mean of their squares, whatever their number."""
    batch, count = keyed(random_batch()), 3
    term = term_of(POSITIONS, count)
    several = float(jnp.sum(losses(term, MODEL, batch)))
    keys = batch.keys
    assert keys is not None
    drawn = np.stack(
        [
            [
                POSITIONS.random(jax.random.fold_in(key, 0), table, count)
                for key, table in zip(*block, strict=True)
            ]
            for block in zip(keys, batch.sources, strict=True)
        ]
    )  # blocks, samples, directions, sources, columns
    total = sum(slope(MODEL, DISCS, batch, drawn[:, :, k])[0] ** 2 for k in range(count))
    assert several == pytest.approx(float(np.sum(np.mean(total, axis=-1))) / count, rel=1e-4)


def slope(
    model: Model, columns: SourceColumns, batch: DeviceBatch, changes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Change of the errors of a model in float64, from differences of exact sums and of errors."""
    found: list[list[np.ndarray]] = [[], []]
    step = 1e-4
    for tables, points, change in zip(batch.sources, batch.grid, changes, strict=True):
        at, rows = points.astype(jnp.float64), jnp.full(len(tables), tables.shape[1])
        ends = []
        for sign in (1, -1):
            moved = tables.astype(jnp.float64) + sign * step * change
            exact = block_superposition(columns, moved, rows, at)
            ends.append(errors(model, moved, at, exact))
        for part, ahead, behind in zip(found, *ends, strict=True):
            part.append((np.asarray(ahead) - np.asarray(behind)) / (2 * step))
    return np.stack(found[0]), np.stack(found[1])


@eqx.filter_jit
def errors(
    model: Model, sources: jax.Array, points: jax.Array, exact: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Errors of the learned part."""
    return model.errors(sources, points, *exact)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "hyper_layer",
        "range_split",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("hyper_mlp", "grid_split")),
    ],
)
def test_slopes_are_limits_of_differences_of_errors(name: str) -> None:
    """Of the learned part, where the rest is exact, of potential and field."""
    model = model_of(name)
    columns = model.inputs.columns
    along = Directions(columns, columns.names, 1.3, 0.8)
    batch = keyed(random_batch(blocks=1, side=3))
    batch = jax.tree.map(lambda a: a.astype(jnp.float64) if a.dtype == jnp.float32 else a, batch)
    changes = along.single(batch.sources)
    slopes = [slope(model, columns, batch, np.asarray(change)) for change in changes]
    squares = sum(np.sum(field**2, axis=-1) for _, field in slopes)
    found = losses(term_of(along, "all", "field"), model, batch)
    np.testing.assert_allclose(found, np.mean(squares, axis=-1), rtol=2e-5)
    assert_potentials(model, along, batch, slopes)


def assert_potentials(
    model: Model,
    along: Directions,
    batch: DeviceBatch,
    slopes: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    """Those of the potential, from the same differences."""
    found = losses(term_of(along, "all"), model, batch)
    squares = sum(potential**2 for potential, _ in slopes)
    np.testing.assert_allclose(found, np.mean(squares, axis=-1), rtol=2e-5)


@cache
def mixed_objective() -> SumOfTerms:
    """Derivatives beside values."""
    huber = Huber(delta=0.3).on_samples(2)
    return SumOfTerms(
        {
            "values": ValuesTerm(1.0, "potential", huber, 0.7),
            "slopes": term_of(EVERY, 1, "field", huber),
        },
        DISCS,
    )


@eqx.filter_jit
def gradients(batch: DeviceBatch, chunks: int) -> tuple[Losses, Model]:
    """Losses and gradient in chunks."""
    return loss_and_gradient(mixed_objective(), MODEL, batch, trainable(MODEL, ()), chunks)


@pytest.mark.slow
def test_chunks_have_the_same_directions() -> None:
    """So the loss and the gradient of the whole, also where samples are filled up."""
    batch = keyed(random_batch(blocks=1, samples=5))
    whole, gradient = gradients(batch, 1)
    parts, other = gradients(batch, 3)
    for name, value in whole.terms.items():
        assert float(parts.terms[name]) == pytest.approx(float(value), rel=1e-5), name
    assert_close(other, gradient)


@pytest.mark.slow
def test_samples_that_fill_up_a_block_do_not_count() -> None:
    """Nor do they change the directions of others."""
    batch = random_batch(blocks=1, samples=5)
    short = eqx.tree_at(lambda b: b.num_samples, batch, jnp.array([3], jnp.int32))
    poisoned = eqx.tree_at(lambda b: b.field, short, short.field.at[0, 3:].set(1e9))
    empty = eqx.tree_at(lambda b: b.sources, short, short.sources.at[0, 3:].set(0))
    (one, gradient), (two, other), (three, third) = (
        gradients(keyed(some), 1) for some in (short, poisoned, empty)
    )
    for name, value in one.terms.items():
        assert float(two.terms[name]) == pytest.approx(float(value), rel=1e-6), name
        assert float(three.terms[name]) == pytest.approx(float(value), rel=1e-6), name
    assert_close(other, gradient)
    assert_close(third, gradient)


@pytest.mark.slow
def test_keys_are_those_of_seed_step_and_sample() -> None:
    """Each sample and step has its own; a validation has others than the training."""
    batch = random_batch()
    first = np.asarray(keyed(batch).keys)
    assert first.shape == (2, 4, 2)
    assert len(np.unique(first.reshape(-1, 2), axis=0)) == 8
    np.testing.assert_array_equal(first, keyed(batch).keys)
    for other in (keyed(batch, 1), keyed(batch, 0, VALIDATION)):
        assert not (first == np.asarray(other.keys)).all(axis=-1).any()
    longer = random_batch(samples=6)
    np.testing.assert_array_equal(np.asarray(keyed(longer).keys)[:, :4], first)


@pytest.mark.slow
def test_slopes_share_the_pass_of_the_values() -> None:
    """Values beside slopes are those that they are alone."""
    batch = keyed(random_batch(blocks=1, samples=5))
    alone = SumOfTerms({"values": mixed_objective().terms["values"]}, DISCS)
    expected = eqx.filter_jit(lambda some: alone(MODEL, some).terms["values"])(batch)
    together, _ = gradients(batch, 1)
    assert float(together.terms["values"]) == pytest.approx(float(expected), rel=1e-6)


TERM = "objective.terms.slopes={of='potential', by='sources', columns=['position']}"


@pytest.mark.slow
def test_the_unit_is_that_of_random_directions(tiny: Dataset) -> None:
    """The root mean square over the first samples, near that of the whole Jacobian."""
    setup = make_setup(small_recipe(TERM), tiny)
    term = setup.objective.terms["slopes"]
    assert isinstance(term, BySourcesTerm)
    assert term.along.names == ("position_x", "position_y")
    assert term.along.length == setup.inputs.scales.length
    squares, count = 0.0, 0
    for block in setup.train.blocks():
        for change in np.asarray(term.along.single(jnp.asarray(block.sources))):
            slopes, _ = derivative_labels(DISCS, block.sources, change, block.grid)
            squares += float(np.sum(np.asarray(slopes, np.float64) ** 2))
        count += slopes.size
    assert term.rms == pytest.approx(math.sqrt(squares / count), rel=0.1)
    assert term.rms == slope_rms(term.along, setup.train, "potential")


@pytest.mark.slow
def test_all_columns_but_those_that_are_settled(tiny: Dataset) -> None:
    """If none are named; of a model that is not linear in the moments, these too."""
    every = "objective.terms.slopes={of='field', by='sources'}"
    for moment_as, names in (("factor", DISCS.names[2:]), ("input", DISCS.names)):
        setup = make_setup(small_recipe(every, f"model.moment_as={moment_as}"), tiny)
        term = setup.objective.terms["slopes"]
        assert isinstance(term, BySourcesTerm)
        assert term.along.names == names


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_models_are_right_by_construction_where_they_say_so(name: str) -> None:
    """Linear in settled moments; no size that is settled changes the learned part."""
    model = model_of(name)
    settled = model.settled_columns
    moments = model.inputs.columns.names[:2]
    linear = name in ("hyper_layer", "wave_layer", "range_split", "grid_split")
    assert settled == (moments if linear else ())
    if not linear:
        return
    tables = random_batch(blocks=1).sources[0].astype(jnp.float64)
    points = random_batch(blocks=1).grid[0].astype(jnp.float64)
    other = tables.at[:, :, :2].multiply(jnp.array([2.0, -3.0]))
    both = tables.at[:, :, :2].add(other[:, :, :2])
    one, two, three = (learned(model, some)(points) for some in (tables, other, both))
    np.testing.assert_allclose(one + two, three, atol=1e-5 * float(jnp.abs(three).max()))


def learned(model: Model, tables: jax.Array) -> object:
    """The learned potential, as a function of the points."""
    return eqx.filter_jit(lambda points: model.learned_block(tables, points)[0])


def test_sizes_of_balls_are_settled_in_a_split_and_those_of_boxes_are_not() -> None:
    """A ball is one dipole in the smooth part, a box its nodes."""
    found = {}
    for bodies, varying in (
        (("disc",), ["radius"]),
        (("rectangle",), ["dimension_x", "dimension_y"]),
        (("disc", "rectangle"), ["radius", "dimension_x", "dimension_y"]),
    ):
        columns = SourceColumns.of(*bodies, varying=varying)  # type: ignore[arg-type]
        recipe = {"model": {"name": "split"}, "schedule": {"max_steps": 0}}
        config = checked(TrainingRecipe, recipe, "here").model
        inputs = model_of("grid_split").inputs.model_copy(update={"columns": columns})
        model = type(model_of("grid_split"))(
            config.model_copy(update={"domain": 1.0, "accuracy": 0.1}),
            inputs,  # type: ignore[arg-type]
        )
        found[bodies] = model.settled_columns[2:]
    assert found == {("disc",): ("radius",), ("rectangle",): (), ("disc", "rectangle"): ("radius",)}


class Kinked(AdditiveModel):
    """Features of straight lines with a kink each."""

    layer: HyperLayer

    def __init__(self, layer: HyperLayer) -> None:
        """Of the weights of a layer."""
        self.layer = layer

    config = property(lambda self: self.layer.config)  # type: ignore[assignment]
    inputs = property(lambda self: self.layer.inputs)  # type: ignore[assignment]

    def features(self, points: jax.Array) -> jax.Array:
        """Rectified."""
        return jax.nn.relu(self.layer.features(points))

    def weights(self, sources: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Those of the layer."""
        return self.layer.weights(sources)

    @property
    def rank(self) -> int | None:
        """That of the layer."""
        return self.layer.rank


@pytest.mark.slow
def test_functions_with_kinks_are_found_wherever_they_are_called() -> None:
    """From shapes alone; shipped models have none."""
    assert kinked_functions(eqx.filter_eval_shape(lambda: Kinked(MODEL))) == ("relu",)
    for name in MODELS:
        assert kinked_functions(model_of(name)) == (), name


@pytest.mark.slow
def test_imported_labels_must_be_those_of_the_bodies(tmp_path: Path) -> None:
    """Exact ones are learned with their derivatives; fields of a moment in other units are not."""
    old = old_file(size=0.5, samples=12)
    for name, moment in (("right", "A m"), ("wrong", "kA m")):
        path = old.write(tmp_path / f"{name}.h5")
        units = Units(length="m", field="A/m", potential="A", m=moment)
        import_team_file(read_team_file(path), tmp_path / name, units=units)
        data = Dataset.open(tmp_path / name)
        recipe = load_recipe(
            TrainingRecipe,
            "training",
            "demo",
            ("data.train=points", "data.valid=points", TERM, "data.points_per_step=null"),
        )
        if name == "right":
            assert make_setup(recipe, data).objective.draws
            continue
        with pytest.raises(RecipeError, match=r"the exact sum .*; got an imported potential that "):
            make_setup(recipe, data)
