"""Many numbers of points and of sources, by few compilations."""

import logging
from collections.abc import Callable

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact_model import inputs_of

from hypermagnetics.few_sizes import placed, rounded_up
from hypermagnetics.models import HyperLayer, as_magpylib_source
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.sources import Disc, SourceColumns, superposition

_COLUMNS = SourceColumns.of("disc", constants={"radius": 0.3})
_MODEL = HyperLayer(
    config=HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1),
    inputs=inputs_of(_COLUMNS),
    hyperkey=jr.key(0),
    mainkey=jr.key(1),
)
_BODY = Disc([1.0, 0.5], [0.1, 0.2], 0.3)
_RANDOM = np.random.default_rng(0)
_SOURCES, _POINTS = _RANDOM.normal(size=(30, 4)), _RANDOM.normal(size=(200, 2))
Call = Callable[[jax.Array, jax.Array], object]

_CALLS: dict[str, Call] = {
    "model": _MODEL,
    "model.field": _MODEL.field,
    "model.flux_density": _MODEL.flux_density,
    "model.potential_and_field": _MODEL.potential_and_field,
    "superposition": lambda sources, points: superposition(_COLUMNS, sources, points),
    "body.field": lambda _, points: _BODY.field(points),
    "magpylib": lambda sources, points: as_magpylib_source(_MODEL, sources).field_func(
        "H", np.pad(points, ((0, 0), (0, 1)))
    ),
}


def test_arrays_of_numpy_are_placed_without_a_program(caplog: pytest.LogCaptureFixture) -> None:
    """`jax.numpy.asarray` compiles one for each of their shapes."""
    with jax.log_compiles(True), caplog.at_level(logging.WARNING):
        for count in range(1, 64):
            placed(_POINTS[:count])
    assert [message for message in caplog.messages if message.startswith("Compiling")] == []


def compilations(
    log: pytest.LogCaptureFixture, call: Call, sizes: list[tuple[int, int]], program: str = ""
) -> int:
    """Number of programs compiled for tables of these numbers of sources and points.

    Args:
        log: The log.
        call: Function of sources and points.
        sizes: Numbers of sources and points.
        program: Start of the names of those that count.

    Returns:
        The number.
    """
    tables = [
        (jnp.asarray(_SOURCES[:num_sources]), jnp.asarray(_POINTS[:num_points]))
        for num_sources, num_points in sizes
    ]
    log.clear()
    with jax.log_compiles(True), log.at_level(logging.WARNING):
        for sources, points in tables:
            call(sources, points)
    start = f"Compiling jit({program}" if program else "Compiling"
    return sum(message.startswith(start) for message in log.messages)


@pytest.mark.slow_cases
@pytest.mark.filterwarnings("ignore:The function")
@pytest.mark.parametrize("name", _CALLS)
def test_numbers_of_sources_and_points_share_programs(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is called with values: after the first size, one in a range compiles nothing."""
    call = _CALLS[name]
    compilations(caplog, call, [(10, 80)])
    assert compilations(caplog, call, [(9, points) for points in range(65, 81)]) == 0


_PROGRAMS = {
    "model": "potential_at",
    "model.field": "field_at",
    "model.flux_density": "flux_density_at",
    "model.potential_and_field": "potential_and_field_at",
    "superposition": "_superposition",
    "body.field": "_superposition",
}


def total(call: Call) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Sum of the squares of all values."""
    return lambda *arguments: sum(jnp.sum(part**2) for part in jax.tree.leaves(call(*arguments)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The function")
@pytest.mark.parametrize("name", _PROGRAMS)
def test_numbers_of_points_share_derivatives(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is left are slices, and the like, for each number."""
    derivative, program = jax.grad(total(_CALLS[name]), argnums=(0, 1)), _PROGRAMS[name]
    assert compilations(caplog, derivative, [(10, 78)], program) > 0
    assert compilations(caplog, derivative, [(9, 71), (10, 73)], program) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", _PROGRAMS)
def test_derivatives_are_those_of_the_size_itself(name: str) -> None:
    """To rounding: rows that are filled up add nothing, be it of the last point."""
    call = total(_CALLS[name])
    arguments = jnp.asarray(_SOURCES[:9]), jnp.asarray(_POINTS[:70])
    found = jax.grad(call, argnums=(0, 1))(*arguments)
    expected = jax.jit(jax.grad(call, argnums=(0, 1)))(*arguments)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_each_other_size_of_a_function_is_compiled(caplog: pytest.LogCaptureFixture) -> None:
    """So that the count above would show them."""
    function = jax.jit(lambda sources, points: jnp.sum(sources) + points)
    sizes = [(9, 65), (9, 66), (9, 66)]
    assert compilations(caplog, function, sizes) == 2


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", ["model", "model.field", "model.flux_density", "superposition"])
def test_values_are_those_of_the_size_itself(name: str) -> None:
    """To rounding: inside `jax.jit` nothing is filled up."""
    call = _CALLS[name]
    for num_sources, num_points in ((9, 70), (1, 1), (0, 3), (3, 0)):
        arguments = jnp.asarray(_SOURCES[:num_sources]), jnp.asarray(_POINTS[:num_points])
        found, expected = call(*arguments), jax.jit(call)(*arguments)
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_sizes_are_few_and_at_most_a_quarter_more() -> None:
    """Four in each factor of two; small ones are kept."""
    sizes = [rounded_up(count) for count in range(1, 4097)]
    assert sizes[:10] == [1, 2, 3, 4, 5, 6, 7, 8, 10, 10]
    assert all(n <= size < 1.25 * n for n, size in enumerate(sizes, 1))
    assert len(set(sizes)) == 8 + 4 * 9
