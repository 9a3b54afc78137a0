"""Who asks for the potential or the field differentiates that alone."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact_model import inputs_of

from hypermagnetics.models import HyperLayer, RangeSplit, RangeSplitConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.sources import Cuboid, Rectangle, SourceColumns

_COLUMNS = SourceColumns.of("disc", constants={"radius": 0.3})
_LAYER = HyperLayer(
    config=HyperLayerConfig(width=4, depth=1, hwidth=1.0, hdepth=1),
    inputs=inputs_of(_COLUMNS),
    hyperkey=jax.random.key(0),
    mainkey=jax.random.key(1),
)
_SPLIT = RangeSplit(RangeSplitConfig(rank=4, waves=8), inputs_of(_COLUMNS), jax.random.key(0))
_TABLE = np.array([[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 4.0, 1.0]])
_RECTANGLE = Rectangle([1.0, 2.0], [0.0, 0.0], [1.0, 2.0])
_CUBOID = Cuboid([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0])

_CALLS: dict[str, tuple[int, Callable[[jax.Array], jax.Array]]] = {
    "rectangle.potential": (2, _RECTANGLE.potential),
    "rectangle.field": (2, _RECTANGLE.field),
    "cuboid.potential": (3, _CUBOID.potential),
    "cuboid.field": (3, _CUBOID.field),
    "rectangle of which the moment varies": (
        2,
        lambda at: Rectangle(at[0], [0.0, 0.0], [1.0, 2.0]).potential(_TABLE[:, 2:]),
    ),
} | {
    f"{type(model).__name__}.{name}": (2, partial(getattr(model, name), _TABLE))
    for model in (_LAYER, _SPLIT)
    for name in ("potential", "field", "flux_density")
}
_PROGRAMS = ("_superposition", "potential_at", "field_at", "flux_density_at")


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", _CALLS)
def test_no_program_has_values_that_are_not_used(name: str) -> None:
    """Eagerly JAX differentiates each program whole, also what nobody has asked for."""
    dim, call = _CALLS[name]
    traced = jax.make_jaxpr(call)(jnp.linspace(3.0, 5.0, 2 * dim).reshape(2, dim)).jaxpr
    used = {id(value) for equation in traced.eqns for value in equation.invars}
    used |= {id(value) for value in traced.outvars}
    (program,) = (one for one in traced.eqns if one.params.get("name") in _PROGRAMS)
    floats = [value for value in program.outvars if value.aval.dtype.kind == "f"]
    assert {id(value) for value in floats} <= used


def test_a_part_alone_has_the_values_of_both() -> None:
    """To the last digits: XLA may round a program of less otherwise."""
    points = jnp.linspace(0.1, 3.0, 8).reshape(4, 2)
    for call in (_RECTANGLE.potential, _RECTANGLE.field):
        np.testing.assert_allclose(jax.jit(call)(points), call(points), rtol=1e-12)
