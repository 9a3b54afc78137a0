"""Fisher information of summaries: its loss and gradient, its noise, its runs, and its laws."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from lowered import lowered_for_cuda, precisions
from recording import Killed
from small_readings import (
    COVARIANCE,
    NUM_COMPLETE,
    NUM_SAMPLES,
    NUM_VALUES,
    PARAMETERS,
    SHORT,
    Moments,
    Projections,
    batch_of,
    difference,
    in_float64,
    readings_view,
    samples_of,
    small_readings,
    whole_batch,
    with_covariance,
)
from small_trainings import metrics
from small_trainings import run as run_small

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.data.array_view import ArrayView, read_array_batch
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.metrics import fisher_information, normal_information
from hypermagnetics.models import MLP, ArrayModel, Noise
from hypermagnetics.run_files import FisherValidation, RunFiles, read_metrics
from hypermagnetics.train import train
from hypermagnetics.train.aggregation import loss_and_gradient
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.config.run import SumOrder
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, Devices
from hypermagnetics.train.fisher.config import IMNN, LogDet, Scale
from hypermagnetics.train.fisher.objective import (
    FisherLosses,
    FisherNumbers,
    FisherObjective,
    fisher_losses,
    noisy,
)
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.sample_keys import TRAINING, VALIDATION, with_reading_keys
from hypermagnetics.train.setup import Setup, make_setup

SCALES: dict[str, Scale] = {"log-det": LogDet(), "imnn": IMNN()}
PLAIN = FisherObjective(LogDet(), None)
WITH_NOISE = ("data.noise={std=1.0, redraw=false, parameter='offset'}",)


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Normal numbers; the derivatives end in the middle of a block, and so do the splits."""
    return small_readings(tmp_path_factory.mktemp("readings"))


@pytest.fixture(scope="module")
def view(readings: Dataset) -> ArrayView:
    """Its training split."""
    return readings_view(readings)


def recipe_of(*changes: str) -> TrainingRecipe:
    """A short training."""
    return load_recipe(TrainingRecipe, "training", "fisher-gaussian", (*SHORT, *changes))


def setup_of(readings: Dataset, *changes: str) -> Setup:
    """Its parts."""
    return make_setup(recipe_of(*changes), readings)


def network_of(readings: Dataset) -> MLP:
    """A network of three summaries."""
    # tanh: gelu itself has fewer digits in float32.
    model = setup_of(readings, "model.outputs=3", "model.activation=tanh").new_model()
    assert isinstance(model, MLP)
    return model


def plain_loss(network: ArrayModel, x: np.ndarray, d: np.ndarray, scale: Scale) -> jax.Array:
    """The loss as its formula stands, of all samples at once."""
    summaries = network(jnp.asarray(x))
    slopes = jnp.einsum("npv,nvt->npt", network.jacobian(jnp.asarray(x[: len(d)])), d).mean(0)
    covariance = jnp.cov(summaries.T)
    inverse = jnp.linalg.inv(covariance)
    information = -jnp.linalg.slogdet(slopes.T @ inverse @ slopes)[1]
    if isinstance(scale, LogDet):
        return information + scale.weight * jnp.linalg.slogdet(covariance)[1] ** 2
    s, e, one = scale.strength, scale.epsilon, jnp.eye(len(covariance))
    a = -math.log(e * (s - 1) + e**2 / (1 + e)) / e
    size = jnp.linalg.norm(covariance - one) + jnp.linalg.norm(inverse - one)
    return information + s * size / (size + jnp.exp(-a * size)) * size


@pytest.fixture(scope="module", params=SCALES)
def truth(
    request: pytest.FixtureRequest, readings: Dataset, view: ArrayView
) -> tuple[Scale, MLP, tuple[jax.Array, ArrayModel]]:
    """A scale, a network, and the loss and gradient of the whole in float64."""
    scale, (x, d) = SCALES[request.param], samples_of(view)
    network = with_covariance(network_of(readings), x, COVARIANCE)
    assert (len(x), len(d)) == (NUM_SAMPLES, NUM_COMPLETE)
    found = eqx.filter_jit(eqx.filter_value_and_grad(lambda n: plain_loss(n, x, d, scale)))
    return scale, network, found(in_float64(network))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chunks", "order"), [(1, "at-once"), (3, "at-once"), (7, "at-once"), (3, "by-block")]
)
def test_chunks_and_blocks_give_the_gradient_of_the_whole(
    truth: tuple[Scale, MLP, tuple[jax.Array, ArrayModel]],
    view: ArrayView,
    chunks: int,
    order: SumOrder,
) -> None:
    """In float32 to 1e-5, and in float64 to 1e-10."""
    scale, network, wanted = truth
    objective, batch = FisherObjective(scale, None), whole_batch(view)

    @eqx.filter_jit
    def gradient(model: ArrayModel, batch: ArrayDeviceBatch) -> tuple[jax.Array, ArrayModel]:
        losses, found = loss_and_gradient(
            objective, model, batch, trainable(model, ()), chunks, order=order
        )
        assert isinstance(found, ArrayModel)
        return losses.total, found

    loss, found = gradient(network, batch)
    assert float(loss) == pytest.approx(float(wanted[0]), rel=1e-5)
    assert difference(found, wanted[1]) < 1e-5
    wide = jax.tree.map(
        lambda a: a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a, batch
    )
    loss, found = gradient(in_float64(network), wide)
    assert float(loss) == pytest.approx(float(wanted[0]), rel=1e-10)
    assert difference(found, wanted[1]) < 1e-10


_DEVICES = """
import json, tempfile
from pathlib import Path
import equinox as eqx, jax
from small_readings import (COVARIANCE, difference, readings_view, samples_of, small_readings,
    whole_batch, with_covariance)
from hypermagnetics.models import MLP, ArrayInputs, ArrayScales, MLPConfig, Noise
from hypermagnetics.train.aggregation import loss_and_gradient
from hypermagnetics.train.devices import Devices
from hypermagnetics.train.fisher.config import IMNN, LogDet
from hypermagnetics.train.fisher.objective import FisherObjective
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.sample_keys import TRAINING, with_reading_keys

inputs = ArrayInputs(input=ArrayScales(name="readings", shape=(10,), shift=(0.5,), scale=(1.4,)),
                     target=ArrayScales(name="summaries", shape=(3,)))
keyed = with_reading_keys(0, TRAINING, redraw=True)

def gradient(objective, count, chunks):
    function = eqx.filter_jit(lambda n, b: loss_and_gradient(
        objective, n, keyed(b, jax.numpy.int32(3)), trainable(n, ()), chunks, Devices.local(count)))
    batch = whole_batch(view, count)
    assert len(batch.arrays["inputs"].addressable_shards) == count
    return jax.device_get(function(Devices.local(count).copies(network), batch))

found = {}
with tempfile.TemporaryDirectory() as directory:
    view = readings_view(small_readings(Path(directory), 77))
    network = MLP(MLPConfig(width=8, depth=2, activation="tanh"), inputs, jax.random.key(0))
    network = with_covariance(network, samples_of(view)[0], COVARIANCE)
    for scale in (LogDet(), IMNN()):
        objective = FisherObjective(scale, Noise(std=0.5, parameter="offset"))
        losses, whole = gradient(objective, 1, 1)
        for count, chunks in ((2, 1), (4, 1), (2, 3), (4, 7)):
            shared, other = gradient(objective, count, chunks)
            found[f"{scale.kind} {count} {chunks}"] = max(
                abs(float(shared.total / losses.total - 1)), difference(other, whole))
print(json.dumps(found))
"""


@pytest.mark.slow
def test_devices_share_a_gradient() -> None:
    """To 1e-5 for any number of devices and chunks, with noise, where samples do not divide."""
    support = str(Path(__file__).parents[1] / "support")
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", _DEVICES],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "XLA_FLAGS": flags,
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join([support, os.environ.get("PYTHONPATH", "")]),
        },
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(result) == 8
    assert max(result.values()) < 1e-5, result


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("scale", SCALES)
def test_numbers_on_explicit_arrays(scale: str, dtype: type[np.floating], digits: float) -> None:
    """F, its determinant, that of C, the factor r and the loss, as numpy has them in float64."""
    slopes = np.array([[1.0, 0.25], [-0.5, 2.0], [0.75, -1.5]])
    c = np.array([[2.0, 0.25, 0.5], [0.25, 1.0, -0.25], [0.5, -0.25, 0.5]])
    found = eqx.filter_jit(fisher_losses)(
        SCALES[scale], jnp.asarray(slopes, dtype), jnp.asarray(c, dtype)
    )
    inverse = np.linalg.inv(c)
    f = slopes.T @ inverse @ slopes
    if scale == "log-det":
        r, measure = 0.1, np.log(np.linalg.det(c)) ** 2
    else:
        one, s, e = np.eye(3), 10.0, 0.1
        measure = np.linalg.norm(c - one) + np.linalg.norm(inverse - one)
        a = -np.log(e * (s - 1) + e**2 / (1 + e)) / e
        r = s * measure / (measure + np.exp(-a * measure))
    numbers = found.fisher.record()
    np.testing.assert_allclose(np.array(numbers.information), f, rtol=digits)
    assert numbers.determinant == pytest.approx(np.linalg.det(f), rel=digits)
    assert numbers.covariance_determinant == pytest.approx(np.linalg.det(c), rel=digits)
    assert numbers.scale_strength == pytest.approx(r, rel=digits)
    wanted = r * measure - np.log(np.linalg.det(f))
    assert float(found.total) == pytest.approx(wanted, rel=digits)
    assert float(found.terms["information"] + found.terms["scale"]) == pytest.approx(wanted)


@pytest.mark.slow_cases
@pytest.mark.parametrize("distance", [1e-6, 1e-2, 1.0, 30.0])
def test_the_factor_of_imnn_fades_at_one(distance: float) -> None:
    """It is that of the formula, and has a finite gradient, near C = 1 and far from it."""
    scale, one = IMNN(strength=10.0, epsilon=0.1), jnp.eye(2)
    loss, slope = jax.value_and_grad(
        lambda c: fisher_losses(scale, one, c).terms["scale"], argnums=0
    )(one * (1 + distance))
    size = math.sqrt(2) * (distance + abs(1 / (1 + distance) - 1))
    a = -math.log(0.1 * 9 + 0.01 / 1.1) / 0.1
    assert float(loss) == pytest.approx(10 * size**2 / (size + math.exp(-a * size)), rel=1e-6)
    assert np.isfinite(slope).all()


@pytest.mark.slow_cases
@pytest.mark.parametrize("scale", [LogDet(), IMNN()])
def test_gpus_multiply_in_full_float32(view: ArrayView, readings: Dataset, scale: Scale) -> None:
    """Forwards and backwards: a covariance of rounded summaries would not be one."""
    network, batch = network_of(readings), whole_batch(view)
    leaves, structure = jax.tree.flatten((network, batch))
    objective = FisherObjective(scale, None)

    def loss(*arrays: jax.Array) -> jax.Array:
        model, given = jax.tree.unflatten(structure, arrays)
        return objective(model, given).total

    inexact = [number for number, leaf in enumerate(leaves) if eqx.is_inexact_array(leaf)]
    with jax.default_matmul_precision("tensorfloat32"):
        program = lowered_for_cuda(jax.grad(loss, inexact), *leaves)
    assert set(precisions(program)) == {"HIGHEST"}


def test_a_determinant_beyond_float32_is_a_number() -> None:
    """Five parameters known to 1e-5 have one of 1e50; one beyond float64 is null."""
    numbers = FisherNumbers(jnp.eye(1), jnp.float32(115.0), jnp.float32(-800.0), jnp.float32(0.1))
    assert numbers.record().determinant == pytest.approx(math.exp(115.0), rel=1e-5)
    assert numbers.record().covariance_determinant == 0
    huge = replace_determinant(numbers, 800.0)
    assert huge.record().determinant is None


def replace_determinant(numbers: FisherNumbers, log_determinant: float) -> FisherNumbers:
    """The same numbers with another det F."""
    changed: FisherNumbers = eqx.tree_at(
        lambda n: n.log_determinant, numbers, jnp.float32(log_determinant)
    )
    return changed


@eqx.filter_jit
def of_batch(objective: FisherObjective, model: ArrayModel, batch: AnyDeviceBatch) -> FisherLosses:
    """Loss and numbers of a batch."""
    found = objective(model, batch)
    assert isinstance(found, FisherLosses)
    return found


def information_of(model: ArrayModel, batch: AnyDeviceBatch) -> np.ndarray:
    """F of readings that have their noise."""
    return np.asarray(of_batch(PLAIN, model, batch).fisher.information)


def normal_numbers(samples: int, seed: int) -> ArrayDeviceBatch:
    """Ten numbers of mean 0 and variance 1 in a sample, with their derivatives by both."""
    n = np.random.default_rng(seed).normal(size=(samples, 10)).astype(np.float32)
    return batch_of(n, np.stack([np.ones_like(n), n / 2], axis=-1))


def test_mean_and_mean_square_know_all_of_normal_numbers() -> None:
    """Information 10 / v and 10 / (2 v²), det F = 50, within three standard errors."""
    model = Moments(10)
    found = [np.linalg.det(information_of(model, normal_numbers(5000, i))) for i in range(20)]
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert error < 1
    assert abs(np.mean(found) - 50) < 3 * error


def test_linear_maps_of_summaries_lose_nothing() -> None:
    """F is the same; the scale is not."""
    batch = normal_numbers(1001, 0)
    matrix = np.array([[30.0, -4.0], [0.5, 0.1]])
    f = information_of(Moments(10), batch)
    np.testing.assert_allclose(information_of(Moments(10, matrix), batch), f, rtol=1e-3)
    twice = of_batch(PLAIN, Moments(10, 2 * np.eye(2)), batch).fisher
    once = of_batch(PLAIN, Moments(10), batch).fisher
    difference = float(twice.log_covariance_determinant - once.log_covariance_determinant)
    assert difference == pytest.approx(4 * math.log(2), rel=1e-5)


def test_a_parameter_of_another_unit_scales_its_row_and_column() -> None:
    batch = normal_numbers(1001, 0)
    units = np.array([1000.0, 0.01], np.float32)
    scaled = eqx.tree_at(
        lambda b: b.arrays["derivatives"],
        batch,
        batch.arrays["derivatives"] * units[None, None, None],
    )
    f = information_of(Moments(10), batch)
    np.testing.assert_allclose(
        information_of(Moments(10), scaled), f * np.outer(units, units), rtol=1e-5
    )


@pytest.mark.slow_cases
@pytest.mark.parametrize("chunks", [1, 7])
def test_a_mean_far_beyond_the_spread_costs_no_covariance(chunks: int) -> None:
    """Sums of squares about 0 would have no digit left in float32."""
    n = np.random.default_rng(0).normal(size=(1001, 2)).astype(np.float32)
    model = Projections(np.eye(2), (2,), np.full(2, -1e4))
    batch = batch_of(n, np.broadcast_to(np.eye(2, dtype=np.float32), (1001, 2, 2)))
    losses, _ = eqx.filter_jit(
        lambda m, b: loss_and_gradient(PLAIN, m, b, trainable(m, ()), chunks)
    )(model, batch)
    assert isinstance(losses, FisherLosses)
    wanted = np.linalg.inv(np.cov(n.astype(np.float64).T))
    np.testing.assert_allclose(losses.fisher.information, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_the_variance_of_summaries_is_that_of_a_sample(view: ArrayView, readings: Dataset) -> None:
    """With n - 1, as numpy has it; the validation adds blocks to the same numbers."""
    network, (x, d) = network_of(readings), samples_of(view)
    wide = in_float64(network)
    slopes = np.einsum("npv,nvt->npt", np.asarray(wide.jacobian(x[: len(d)])), d).mean(0)
    f = fisher_information(slopes, np.cov(np.asarray(wide(x)).T))
    np.testing.assert_allclose(information_of(network, whole_batch(view)), f, rtol=1e-4, atol=1e-5)


def test_padding_does_not_count(view: ArrayView, readings: Dataset) -> None:
    """Nor rows of derivatives behind those that there are, nor empty blocks."""
    network, batch = network_of(readings), whole_batch(view)
    whole = float(of_batch(PLAIN, network, batch).total)
    counts = {"inputs": batch.num_samples, "derivatives": batch.num_complete}
    arrays = {}
    for role, values in batch.arrays.items():
        used = jnp.arange(values.shape[1])[None] < counts[role][:, None]
        used = used.reshape(*used.shape, *(1,) * (values.ndim - 2))
        arrays[role] = jnp.where(used, values, 777.0).astype(jnp.float32)
    assert float(jnp.sum(arrays["derivatives"] == 777.0)) > 0
    spoilt = replace(batch, arrays=arrays)
    assert float(of_batch(PLAIN, network, spoilt).total) == pytest.approx(whole, rel=1e-5)
    blocks = [None, *range(view.layout.num_blocks)]
    longer = Devices.local(1).take(read_array_batch(view, blocks))
    assert float(of_batch(PLAIN, network, longer).total) == pytest.approx(whole, rel=1e-5)


def keyed(batch: ArrayDeviceBatch, step: int, stream: int, *, redraw: bool) -> ArrayDeviceBatch:
    """A batch with the keys of a step."""
    found = with_reading_keys(0, stream, redraw=redraw)(batch, jnp.int32(step))
    assert isinstance(found, ArrayDeviceBatch)
    return found


NOISE = Noise(std=0.5, redraw=False, parameter="offset")


def noise_in(view: ArrayView, step: int, stream: int = TRAINING, *, redraw: bool) -> np.ndarray:
    """Noise of all samples in a step."""
    batch = keyed(whole_batch(view), step, stream, redraw=redraw)
    found, _ = noisy(NOISE, batch)
    return np.asarray(found - batch.arrays["inputs"].reshape(found.shape), np.float64)


@pytest.mark.slow
def test_fixed_noise_belongs_to_its_sample(view: ArrayView, readings: Dataset) -> None:
    """In each step, and wherever its block comes in the batch."""
    first, later = (noise_in(view, step, redraw=False) for step in (0, 5))
    np.testing.assert_array_equal(first, later)
    blocks = np.random.default_rng(0).permutation(view.layout.num_blocks).tolist()
    shuffled = Devices.local(1).take(read_array_batch(view, blocks))
    objective, network = FisherObjective(LogDet(), NOISE), network_of(readings)
    losses = [
        float(of_batch(objective, network, keyed(batch, step, TRAINING, redraw=False)).total)
        for step, batch in ((0, whole_batch(view)), (5, shuffled))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_redrawn_noise_is_another_in_each_step(view: ArrayView) -> None:
    """And the validation has its own."""
    drawn = [noise_in(view, step, redraw=True) for step in (0, 1)]
    fixed = [noise_in(view, 0, stream, redraw=False) for stream in (TRAINING, VALIDATION)]
    every = np.stack([one.ravel() for one in (*drawn, *fixed)])
    between = np.corrcoef(every)[np.triu_indices(4, 1)]
    assert np.abs(between).max() < 5 / math.sqrt(every.shape[1])
    np.testing.assert_array_equal(noise_in(view, 1, redraw=True), drawn[1])


def test_noise_is_white_and_of_its_size(view: ArrayView) -> None:
    """Mean, spread, and correlations between values, samples and blocks, by sampling errors."""
    blocks = noise_in(view, 0, redraw=False).reshape(*whole_batch(view).room, 10)
    noise = blocks.reshape(-1, 10) / NOISE.std
    assert len(np.unique(noise, axis=0)) == len(noise)
    error = 1 / math.sqrt(noise.size)
    assert abs(noise.mean()) < 4 * error
    assert abs(noise.std() - 1) < 4 * error / math.sqrt(2)
    assert abs((noise**4).mean() - 3) < 4 * error * math.sqrt(96)
    between_values = np.corrcoef(noise.T)[np.triu_indices(10, 1)]
    assert np.abs(between_values).max() < 4.5 / math.sqrt(len(noise))
    each = blocks / NOISE.std
    for first, second in ((each[1:], each[:-1]), (each[:, 1:], each[:, :-1])):
        count = first.size
        assert abs((first * second).mean()) < 4 / math.sqrt(count)


def test_noise_is_differentiated_by_its_variance() -> None:
    """The same numbers times sqrt(v); other parameters stay what they are."""
    keys = jax.random.key_data(jr.split(jr.key(1), 7))[None]
    batch = replace(batch_of(np.zeros((7, 4)), np.ones((7, 4, 1))), keys=keys)
    v, h = 0.25, 1e-3

    def readings_at(variance: float) -> jax.Array:
        return noisy(Noise(std=math.sqrt(variance), parameter="variance"), batch)[0]

    readings, slopes = noisy(Noise(std=math.sqrt(v), parameter="variance"), batch)
    assert slopes.shape == (7, 4, 2)
    np.testing.assert_array_equal(slopes[..., 0], 1)
    np.testing.assert_allclose(slopes[..., 1], readings / (2 * v), rtol=1e-12)
    finite = (readings_at(v + h) - readings_at(v - h)) / (2 * h)
    np.testing.assert_allclose(slopes[..., 1], finite, rtol=1e-3)
    known = noisy(Noise(std=math.sqrt(v)), batch)[1]
    assert known.shape == (7, 4, 1)


@pytest.mark.slow
def test_exact_summaries_of_sensors_reach_the_bound(tmp_path: Path) -> None:
    """J^T x / sigma² of the shipped sensors: its F is J^T J / sigma², but for that of sampling."""
    few = "splits={train={num_samples=2, num_sources=1}}"
    generate(
        make_plan(load_recipe(DatasetRecipe, "dataset", "fisher-sensors", (few,)), "zarr"),
        tmp_path / "data",
    )
    view = readings_view(Dataset.open(tmp_path / "data"))
    x, d = samples_of(view)
    jacobian = d[0].reshape(-1, 2)
    sigma, samples = 0.005, 20_000
    bound = normal_information(jacobian, sigma, knows_std=True)
    model = Projections(jacobian.T / sigma**2, x.shape[1:], x[0].ravel())
    repeated = [np.broadcast_to(one[:1], (samples, *one.shape[1:])) for one in (x, d)]
    batch = batch_of(*(values.astype(np.float32) for values in repeated))
    noise = FisherObjective(LogDet(), Noise(std=sigma))
    found = of_batch(noise, model, keyed(batch, 0, TRAINING, redraw=True)).fisher.record()
    assert found.determinant is not None
    # det C of a normal sample has a relative spread of sqrt(2 p / n).
    assert abs(found.determinant / np.linalg.det(bound) - 1) < 3 * math.sqrt(4 / samples)
    np.testing.assert_allclose(
        np.array(found.information), bound, rtol=0.05, atol=0.01 * bound[0, 0]
    )


def bytes_of(run: Path) -> bytes:
    """The model after the last step."""
    return (run / "final.hm").read_bytes()


@pytest.mark.slow
def test_a_run_logs_its_information(
    readings: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In lines of steps and of validations, which all readers take."""
    made = train(readings, tmp_path / "run", recipe_of())
    capsys.readouterr()
    lines = list(read_metrics(RunFiles(tmp_path / "run").metrics))
    assert capsys.readouterr().err == ""
    keys = {"information", "determinant", "covariance_determinant", "scale_strength"}
    steps = [line["fisher"] for line in lines if "fisher" in line]
    checks = [line["validation"] for line in lines if "validation" in line]
    assert (len(steps), len(checks)) == (4, 2)
    assert set(steps[0]) == keys
    assert set(checks[0]) == {"loss", *keys}
    for record in (*steps, *checks):
        f = np.array(record["information"])
        assert f.shape == (2, 2)
        assert np.linalg.det(f) == pytest.approx(record["determinant"], rel=1e-3)
    for line in lines:
        if "losses" in line:
            assert set(line["losses"]) == {"information", "scale"}
            assert sum(line["losses"].values()) == pytest.approx(line["loss"], rel=1e-5)
    found = made.outcome.validation
    assert isinstance(found, FisherValidation)
    assert found.model_dump(mode="json") == checks[-1]
    assert "det F" in found.in_words
    card = (tmp_path / "run" / "model.md").read_text()
    assert f"| det F, validation split | {found.determinant:.4g} |" in card


@pytest.mark.slow
def test_the_validation_is_the_loss_of_its_split(readings: Dataset, tmp_path: Path) -> None:
    """With the same noise in every validation, and the same numbers as a step has of it."""
    made = train(readings, tmp_path / "run", recipe_of(*WITH_NOISE))
    found = made.outcome.validation
    assert isinstance(found, FisherValidation)
    assert len(found.information) == 3
    last = made.model
    assert isinstance(last, ArrayModel)
    objective = FisherObjective(LogDet(), recipe_of(*WITH_NOISE).data.noise)
    batch = keyed(whole_batch(readings_view(readings, "valid")), 9, VALIDATION, redraw=False)
    assert made.outcome.model_step == made.outcome.progress.step
    assert float(of_batch(objective, last, batch).total) == pytest.approx(found.loss, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [(), WITH_NOISE], ids=["own noise", "fixed noise"])
def test_a_killed_run_goes_on_to_the_same_bytes(
    readings: Dataset, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    """Also the lines of its metrics; and a run on the device is that which streams."""
    recipe = recipe_of("schedule.max_steps=8", *changes)
    run_small(recipe, readings, tmp_path / "whole")
    with pytest.raises(Killed):
        run_small(recipe, readings, tmp_path / "killed", kill_at=5)
    run_small(recipe, readings, tmp_path / "killed")
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    device = recipe_of("schedule.max_steps=8", "data.mode=device", *changes)
    run_small(device, readings, tmp_path / "device")
    lines = [metrics(tmp_path / name)[-1] for name in ("whole", "device")]
    losses = [line["validation"] for line in lines]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_chunks_train_the_same_network(readings: Dataset, tmp_path: Path) -> None:
    """But for rounding, and for the last bias, of which the loss knows nothing."""
    found = []
    for chunks in (1, 3):
        changes = (*WITH_NOISE, f"compute.chunks={chunks}")
        made = train(readings, tmp_path / str(chunks), recipe_of(*changes))
        assert isinstance(made.outcome.validation, FisherValidation)
        found.append((made.model, made.outcome.validation.loss))
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-4)
    leaves = [jax.tree.leaves(eqx.filter(model, eqx.is_array))[:-1] for model, _ in found]
    for one, other in zip(*leaves, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.slow
def test_no_seed_is_lost(readings: Dataset, tmp_path: Path) -> None:
    """A rule that stops on det F loses one in five; the loss of the validation loses none."""
    changes = ("model.width=32", "schedule.learning_rate=5e-3", "schedule.max_steps=130")
    changes += ("validation.every=2", "validation.patience=20", "checkpoint.every=130")
    bound = NUM_VALUES**2 / (2 * PARAMETERS[1].value ** 3)
    for seed in range(5):
        recipe = recipe_of(*changes, f"seed={seed}", "model.gain=0.4")
        run = train(readings, tmp_path / str(seed), recipe)
        lines = read_metrics(run.directory / "metrics.jsonl")
        best = next(
            line["validation"]["determinant"]
            for line in lines
            if "validation" in line and line["step"] == run.outcome.model_step
        )
        assert 0.5 * bound < best < 1.15 * bound, seed
