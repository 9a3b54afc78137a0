"""Work that is passed over where it is not needed, under every transformation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import hypermagnetics.models
from hypermagnetics.models.conditions import where_needed

_INSIDE, _OUTSIDE = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2, 3.0])
_FACTOR = jnp.float32(2)
_done = list[int]()


def excess(positions: jax.Array, factor: jax.Array) -> jax.Array:
    """What goes beyond 1, times a factor; each time that it is computed is noted."""
    is_outside = positions > 1

    def work(factor: jax.Array) -> jax.Array:
        jax.debug.callback(lambda: _done.append(1))
        return factor * jnp.sum(jnp.where(is_outside, positions - 1, 0) ** 2)

    return where_needed(is_outside.any(), work, jnp.zeros_like, factor)


def _batch(*rows: np.ndarray) -> jax.Array:
    return jnp.asarray(np.stack(rows), jnp.float32)


_TRANSFORMATIONS: dict[str, Callable[..., Any]] = {
    "vmap": lambda f: jax.vmap(f, (0, None)),
    "jit of vmap": lambda f: jax.jit(jax.vmap(f, (0, None))),
    "vmap of vmap": lambda f: lambda x, y: jax.vmap(jax.vmap(f, (0, None)), (0, None))(x[None], y),
    "vmap of grad": lambda f: jax.jit(jax.vmap(jax.grad(f), (0, None))),
    "grad of vmap": lambda f: jax.jit(jax.grad(lambda x, y: jax.vmap(f, (0, None))(x, y).sum())),
    "vmap of checkpoint": lambda f: jax.vmap(jax.grad(jax.checkpoint(f)), (0, None)),
    "vmap of jacfwd": lambda f: jax.vmap(jax.jacfwd(f), (0, None)),
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", _TRANSFORMATIONS)
def test_a_batch_without_need_does_nothing(name: str) -> None:
    """One member that needs it has the values of all computed, which are those of each alone."""
    transformed = _TRANSFORMATIONS[name](excess)
    for rows, is_needed in (((_INSIDE, _INSIDE), False), ((_INSIDE, _OUTSIDE, _INSIDE), True)):
        _done.clear()
        found = np.asarray(transformed(_batch(*rows), _FACTOR)).squeeze()
        jax.effects_barrier()
        assert bool(_done) == is_needed
        each = jax.grad(excess) if found.ndim > 1 else excess
        expected = [each(jnp.asarray(row, jnp.float32), _FACTOR) for row in rows]
        np.testing.assert_allclose(found, np.stack(expected), rtol=1e-6)


def test_an_export_keeps_the_condition() -> None:
    """For any size of a batch."""

    def square(x: jax.Array, y: jax.Array) -> jax.Array:
        needed = (x > 1).any()
        return where_needed(needed, lambda y: y * jnp.sum(x**2), lambda y: 0 * y, y)

    batched = jax.jit(jax.vmap(square, (0, None)))
    shape = jax.ShapeDtypeStruct(export.symbolic_shape("n, 3"), jnp.float32)
    exported = export.export(batched)(shape, jax.ShapeDtypeStruct((), jnp.float32))
    assert "stablehlo.case" in exported.mlir_module()
    rows = _batch(_OUTSIDE, 2 * _OUTSIDE)
    np.testing.assert_allclose(exported.call(rows, _FACTOR), batched(rows, _FACTOR))


def test_models_have_no_other_conditions_on_values() -> None:
    """But for a symbolic size of an export, which no `jax.vmap` sees."""
    directory = Path(hypermagnetics.models.__file__).parent
    users = {path.name for path in directory.rglob("*.py") if "lax.cond(" in path.read_text()}
    assert users == {"conditions.py", "steps.py"}
