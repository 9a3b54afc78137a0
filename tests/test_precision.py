"""Matrix products: all digits wherever a model predicts, whatever JAX is set to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from every_model import CASES, Call, all_calls, differentiated, made, registered
from jax import export
from lowered import convolution_precisions, lowered_for_cuda, precisions
from shipped_models import calls, derivative, model_of
from small_trainings import small_recipe
from training_parts import MODEL as TRAINED
from training_parts import method, random_batch
from user_modules import MODEL, user_module

from hypermagnetics.data import Dataset, read_batch
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.metrics import fisher_information
from hypermagnetics.models import (
    ArrayModel,
    FourierSeries,
    FourierSeriesConfig,
    Model,
    array_to_jax_export,
    to_jax_export,
)
from hypermagnetics.models.export import ArrayQuantity, Quantity
from hypermagnetics.models.fourier_fit import FourierFitConfig
from hypermagnetics.models.user import import_user_model
from hypermagnetics.precision import MatmulPrecision, matmul_precision
from hypermagnetics.sources.sums import sums_for
from hypermagnetics.train.setup import make_setup
from hypermagnetics.train.validation import Validator

_NAMES = {"float32": "HIGHEST", "tensorfloat32": "HIGH", "bfloat16": "DEFAULT"}


def products_of(every: list[Call], differentiated: list[Call]) -> tuple[list[str], list[str]]:
    """Precisions of all products of some functions as on a GPU, and of derivatives of others."""

    def values(*arguments: Any) -> list[Any]:
        return [call(*given) for (call, _), given in zip(every, arguments, strict=True)]

    def slopes(*arguments: Any) -> list[Any]:
        pairs = zip(differentiated, arguments, strict=True)
        return [derivative(call)(*given) for (call, _), given in pairs]

    with sums_for("gpu"):
        programs = [
            lowered_for_cuda(function, *(given for _, given in some))
            for function, some in ((values, every), (slopes, differentiated))
        ]
    of_values, of_slopes = (precisions(one) + convolution_precisions(one) for one in programs)
    return of_values, of_slopes


_QUICK = ("hyper_layer", "mlp")


def test_every_model_of_the_registry_is_tried() -> None:
    """Below, by its precisions, and on a card, by its values."""
    assert {case.config for case in CASES.values()} == registered()


@pytest.mark.parametrize(
    "name",
    [*_QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in CASES if n not in _QUICK)],
)
def test_models_multiply_in_full_float32(name: str) -> None:
    """Each of their functions, whatever JAX's own setting is."""
    case = CASES[name]
    assert type(made(name).config) is case.config
    with jax.default_matmul_precision("bfloat16"):
        found = products_of(all_calls(name), differentiated(name))
    for some in found:
        assert set(some) == ({"HIGHEST"} if case.has_products else set())


@pytest.mark.slow
def test_a_model_of_a_user_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows nothing of precision."""
    with user_module(MODEL, tmp_path, monkeypatch) as module:
        waves = import_user_model(f"{module}:Waves", "--model")
        every = calls(waves(model_of("linear").inputs, jr.key(0)))
        of_values, of_slopes = products_of(every, every)
        assert set(of_values) == set(of_slopes) == {"HIGHEST"}


def test_fisher_information_is_multiplied_in_full_float32() -> None:
    """Also where JAX is set to another."""
    slopes, covariance = jnp.ones((3, 2), jnp.float32), jnp.eye(3, dtype=jnp.float32)
    with jax.default_matmul_precision("bfloat16"):
        program = lowered_for_cuda(fisher_information, slopes, covariance)
    assert set(precisions(program)) == {"HIGHEST"}


@pytest.mark.parametrize("precision", _NAMES)
def test_fewer_digits_are_asked_for_knowingly(precision: MatmulPrecision) -> None:
    """Inside the block alone."""
    model = model_of("hyper_layer")
    arguments = calls(model)[0][1]
    with matmul_precision(precision):
        inside = precisions(lowered_for_cuda(model.field, *arguments))
    assert set(inside) == {_NAMES[precision]}
    assert set(precisions(lowered_for_cuda(model.field, *arguments))) == {"HIGHEST"}


def test_another_word_is_no_precision() -> None:
    """The known ones are named."""
    with (
        pytest.raises(HypermagneticsError, match="float32, tensorfloat32 or bfloat16; got 'tf32'"),
        matmul_precision("tf32"),
    ):
        pass


def precisions_of(function: Callable[..., Any], *arguments: Any) -> set[str]:
    """Of all products on a GPU; whatever is no array, in and out, is static."""
    arrays, rest = eqx.partition(arguments, eqx.is_array)

    def of_arrays(given: Any) -> Any:
        return eqx.filter(function(*eqx.combine(given, rest)), eqx.is_array)

    with sums_for("gpu"):
        return set(precisions(lowered_for_cuda(of_arrays, arrays)))


@pytest.mark.slow
@pytest.mark.parametrize("precision", _NAMES)
def test_a_step_multiplies_as_its_recipe_says(precision: MatmulPrecision) -> None:
    """Forwards and backwards."""
    trained = method(matmul=precision)
    given = trained.begin(TRAINED), random_batch(), jnp.asarray(0)
    assert precisions_of(trained.step, *given) == {_NAMES[precision]}


@pytest.mark.slow
def test_a_validation_multiplies_in_full_float32(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the steps of the same recipe do not."""
    setup = make_setup(small_recipe("compute.matmul=bfloat16"), tiny)
    found: list[set[str]] = []

    def looked_at(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            found.append(precisions_of(function, *arguments))
            return eqx.filter_jit(function)(*arguments)

        return call

    monkeypatch.setattr("hypermagnetics.train.validation.own_program", looked_at)
    validator = Validator(setup.valid, setup.objective, setup.devices, setup.prepare_valid)
    model = setup.new_model()
    with jax.default_matmul_precision("bfloat16"):
        validator(model)
    assert len(found) == setup.valid.layout.num_blocks
    assert set.union(*found) == {"HIGHEST"}
    trained, batch = setup.phases[0].method, read_batch(setup.train, (0,))
    given = trained.begin(model), setup.devices.take(batch), jnp.asarray(0)
    assert precisions_of(trained.step, *given) == {_NAMES["bfloat16"]}


def exported(data: bytes) -> set[str]:
    """Precisions of all products of an export."""
    program = export.deserialize(bytearray(data)).mlir_module()
    return {*precisions(program), *convolution_precisions(program)}


_EXPORTED = (
    ("hyper_layer", "field"),
    *(
        pytest.param(name, quantity, marks=pytest.mark.slow)
        for name, quantity in (
            ("hyper_layer", "potential"),
            ("grid_split", "potential"),
            ("grid_split", "field"),
        )
    ),
)


@pytest.mark.parametrize(("name", "quantity"), _EXPORTED)
def test_an_exported_model_carries_its_precision(name: str, quantity: Quantity) -> None:
    """In its StableHLO; also exported by a process that is set to another."""
    model = made(name)
    assert isinstance(model, Model)
    with jax.default_matmul_precision("bfloat16"):
        assert exported(to_jax_export(model, quantity)) == {"HIGHEST"}


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("mlp", "targets"),
        *(
            pytest.param(name, quantity, marks=pytest.mark.slow)
            for name, quantity in (
                ("mlp", "jacobian"),
                ("unet", "targets"),
                ("super_resolution", "targets"),
                ("stepper_of_a_field", "targets"),
            )
        ),
    ],
)
def test_an_exported_network_carries_its_precision(name: str, quantity: ArrayQuantity) -> None:
    """Of products and of convolutions."""
    network = made(name)
    assert isinstance(network, ArrayModel)
    with jax.default_matmul_precision("bfloat16"):
        assert exported(array_to_jax_export(network, quantity)) == {"HIGHEST"}


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Precisions of all products that are traced inside, of shapes that occur nowhere else."""
    found: list[object] = []
    primitive = jax.lax.dot_general_p
    bind = primitive.bind

    def noted(*arguments: Any, **options: Any) -> Any:
        found.append(options["precision"])
        return bind(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(primitive, "bind", noted)
        yield found


def series() -> Model:
    """Fitted by steps of Adam."""
    fit = FourierFitConfig(num_sources=17, num_points=37, steps=2, sources_per_step=5)
    config = FourierSeriesConfig(order=2, fit=fit)
    return FourierSeries(config, inputs=model_of("linear").inputs, hyperkey=jr.key(0))


@pytest.mark.slow
def test_a_fit_multiplies_in_full_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a series, by JAX; a RangeSplit is fitted by numpy in float64."""
    random = np.random.default_rng(0)
    sources = jnp.asarray(random.normal(size=(19, 4)), jnp.float32)
    points = jnp.asarray(random.uniform(-3, 3, (67, 2)), jnp.float32)
    model = series()
    with jax.default_matmul_precision("bfloat16"), recorded(monkeypatch) as found:
        model.fitted(sources, points, jr.key(1))
    assert found
    assert set(found) == {(jax.lax.Precision.HIGHEST,) * 2}
