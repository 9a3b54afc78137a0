"""Matrix products: all digits wherever a model predicts, whatever JAX is set to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax import export
from lowered import lowered_for_cuda, precisions
from shipped_models import MODELS, calls, derivative, model_of
from training_parts import MODEL as TRAINED
from training_parts import method, random_batch
from user_modules import MODEL, user_module

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.models import FourierSeries, FourierSeriesConfig, Model
from hypermagnetics.models.export import to_jax_export
from hypermagnetics.models.fourier_fit import FourierFitConfig
from hypermagnetics.models.user import import_user_model
from hypermagnetics.precision import MatmulPrecision, matmul_precision

_NAMES = {"float32": "HIGHEST", "tensorfloat32": "HIGH", "bfloat16": "DEFAULT"}


def products_of(model: Model) -> list[str]:
    """Precisions of all products of all that a model gives, and of the derivatives."""
    every = calls(model)

    def values(*arguments: Any) -> list[Any]:
        return [call(*given) for (call, _), given in zip(every, arguments, strict=True)]

    def slopes(*arguments: Any) -> list[Any]:
        pairs = zip(every, arguments, strict=True)
        return [derivative(call)(*given) for (call, _), given in pairs]

    given = [arguments for _, arguments in every]
    of_values, of_slopes = (precisions(lowered_for_cuda(f, *given)) for f in (values, slopes))
    assert of_values
    assert len(of_slopes) > len(of_values)
    return of_values + of_slopes


@pytest.mark.parametrize(
    "name",
    [
        "hyper_layer",
        *(pytest.param(n, marks=pytest.mark.slow) for n in MODELS if n != "hyper_layer"),
    ],
)
def test_models_multiply_in_full_float32(name: str) -> None:
    """Each of their functions, whatever JAX's own setting is."""
    with jax.default_matmul_precision("bfloat16"):
        assert set(products_of(model_of(name))) == {"HIGHEST"}


@pytest.mark.slow
def test_a_model_of_a_user_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows nothing of precision."""
    with user_module(MODEL, tmp_path, monkeypatch) as module:
        waves = import_user_model(f"{module}:Waves", "--model")
        assert set(products_of(waves(model_of("linear").inputs, jr.key(0)))) == {"HIGHEST"}


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


@pytest.mark.slow
@pytest.mark.parametrize("precision", _NAMES)
def test_a_step_multiplies_as_its_recipe_says(precision: MatmulPrecision) -> None:
    """Forwards and backwards."""
    made = method(matmul=precision)
    state = made.begin(TRAINED)
    leaves, structure = jax.tree.flatten((state, random_batch(), jnp.asarray(0)))
    dynamic = [leaf for leaf in leaves if isinstance(leaf, jax.Array)]

    def step(*arrays: jax.Array) -> Any:
        given = iter(arrays)
        filled = [next(given) if isinstance(leaf, jax.Array) else leaf for leaf in leaves]
        after, losses = made.step(*jax.tree.unflatten(structure, filled))
        return [leaf for leaf in jax.tree.leaves((after, losses)) if isinstance(leaf, jax.Array)]

    assert set(precisions(lowered_for_cuda(step, *dynamic))) == {_NAMES[precision]}


def test_an_exported_model_carries_its_precision() -> None:
    """In its StableHLO; also exported by a process that is set to another."""
    with jax.default_matmul_precision("bfloat16"):
        data = to_jax_export(model_of("hyper_layer"), "field")
    program = export.deserialize(bytearray(data)).mlir_module()
    assert set(precisions(program)) == {"HIGHEST"}


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
