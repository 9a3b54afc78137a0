"""Steppers of moments: their field, their files, exports and precision."""

import pickle
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from lowered import lowered_for_cuda, precisions
from small_steppers import LAW, SPHERES, TABLE, stepper_inputs

from hypermagnetics.config import Config
from hypermagnetics.dynamics import field_of_others
from hypermagnetics.errors import HypermagneticsError, RecipeError
from hypermagnetics.models import (
    MLP,
    MLPConfig,
    Model,
    Stepper,
    StepperConfig,
    array_to_jax_export,
    build_array_model,
    load,
    rollout,
    save_model,
)

GRID: dict[str, object] = {"name": "split"}
HYPER = {"name": "hyper_mlp", "width": 4, "depth": 1, "hwidth": 0.1, "hdepth": 1}


def stepper(**part: Config | dict[str, object]) -> Stepper:
    config = StepperConfig.model_validate(part, strict=False)
    found = build_array_model(config, stepper_inputs(), jr.key(0))
    assert isinstance(found, Stepper)
    return found.fitted(jnp.asarray(TABLE), jnp.asarray(TABLE[:, 3:]), jr.key(1))


@pytest.fixture(scope="module")
def of_grid() -> Stepper:
    """With a field that is nearly exact."""
    return stepper(field=GRID)


@pytest.mark.slow
def test_the_field_is_that_of_the_others(of_grid: Stepper) -> None:
    """To the accuracy of a split by waves on a grid."""
    wanted = np.asarray(field_of_others(jnp.asarray(TABLE), 3))
    found = of_grid.field_of_others(jnp.asarray(TABLE))
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())


@pytest.mark.slow
def test_a_field_that_is_not_linear_is_taken_as_a_difference() -> None:
    """That of all bodies less that of each alone."""
    model = stepper(field=HYPER)
    table, field = jnp.asarray(TABLE), model.part
    assert isinstance(field, Model)
    whole = field.field(table, table[:, 3:])
    alone = [field.field(row[None], row[None, 3:])[0] for row in table]
    found = model.field_of_others(table)
    np.testing.assert_allclose(found, whole - jnp.stack(alone), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_steps_are_those_of_the_dynamics(of_grid: Stepper) -> None:
    """In the same method and substeps."""
    exact = LAW.next_moments(
        jnp.asarray(TABLE), SPHERES, lambda table: field_of_others(table, 3), 4, "rk4"
    )
    np.testing.assert_allclose(of_grid(TABLE), exact, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(of_grid(TABLE), axis=-1), 1.0, atol=1e-6)


@pytest.mark.slow
def test_a_file_an_export_and_a_pickle_are_the_same_stepper(
    of_grid: Stepper, tmp_path: Path
) -> None:
    """To the bit, or to rounding."""
    save_model(tmp_path / "model.hm", of_grid, {})
    wanted = np.asarray(rollout(of_grid, TABLE, 2))
    for again in (load(tmp_path / "model.hm"), pickle.loads(pickle.dumps(of_grid))):
        assert again.inputs == of_grid.inputs
        np.testing.assert_array_equal(rollout(again, TABLE, 2), wanted)
    exported = jax.export.deserialize(array_to_jax_export(of_grid, "targets"))
    np.testing.assert_allclose(exported.call(TABLE[None])[0], wanted[1], atol=1e-6)


MAKE: dict[str, Callable[[], Stepper]] = {
    "grid": lambda: stepper(field=GRID),
    "network": lambda: stepper(network={"name": "mlp", "width": 4, "depth": 1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKE)
def test_products_on_a_gpu_are_in_full_float32(name: str) -> None:
    """Of every step, whatever the default of the platform."""
    model = MAKE[name]()
    found = precisions(lowered_for_cuda(lambda table: model(table), jnp.asarray(TABLE)))
    assert set(found) == {"HIGHEST"}


def test_steppers_that_mean_nothing_are_refused() -> None:
    """With the way out."""
    with pytest.raises(HypermagneticsError, match="must have moments that move; got other arrays"):
        build_array_model(
            StepperConfig(network=MLPConfig()),
            stepper_inputs().model_copy(update={"steps": None}),
            jr.key(0),
        )
    network = stepper(network={"name": "mlp", "width": 4, "depth": 1})
    mlp = network.part
    assert isinstance(mlp, MLP)
    with pytest.raises(RecipeError, match="must have a model of the field to know it"):
        network.field_of_others(jnp.asarray(TABLE))
    with pytest.raises(HypermagneticsError, match="which gives the next state of a trajectory"):
        rollout(mlp, TABLE, 2)
    for wrong in ({}, {"field": GRID, "network": {"name": "mlp"}}):
        with pytest.raises(ValueError, match="be given, or network, one of them"):
            StepperConfig.model_validate(wrong, strict=False)
