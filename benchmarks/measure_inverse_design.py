"""How well are positions found by models that differ in what they learned from?

Trials are samples of three discs in a box of half width 1.6 m, at least 1 m apart, of known moments
of 1 A m. Readings are the exact field at 100 points on a square of half width 2.9 m. Least squares
begin up to 0.2 m off in each coordinate, and go down the Jacobian of the model. Asked are distances
of the positions found from the true ones, and steps of the least squares.

    python benchmarks/measure_inverse_design.py RUN...
"""

import sys
from pathlib import Path
from statistics import median

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

import hypermagnetics
from hypermagnetics.models import Model
from hypermagnetics.sources import superposition

TRIALS, SOURCES, READINGS = 100, 3, 100
APART, OFF = 1.0, 0.2


def frame() -> np.ndarray:
    """Points along the sides of a square, outside of all discs."""
    along, edge = np.linspace(-2.9, 2.9, READINGS // 4), np.full(READINGS // 4, 2.9)
    sides = [(along, edge), (along, -edge), (edge, along), (-edge, along)]
    return np.concatenate([np.stack(side, axis=1) for side in sides])


def places(random: np.random.Generator) -> np.ndarray:
    """Positions that keep their distance."""
    while True:
        found = random.uniform(-1.6, 1.6, (SOURCES, 2))
        gaps = np.linalg.norm(found[:, None] - found[None], axis=-1)
        if gaps[np.triu_indices(SOURCES, 1)].min() > APART:
            return found


@eqx.filter_jit
def misfit(
    model: Model, positions: jax.Array, moments: jax.Array, readings: jax.Array
) -> jax.Array:
    """Difference of the model's field from the readings."""
    table = jnp.concatenate([moments, positions.reshape(-1, 2)], axis=1)
    return (model.field(table, jnp.asarray(frame(), jnp.float32)) - readings).ravel()


@eqx.filter_jit
def jacobian(
    model: Model, positions: jax.Array, moments: jax.Array, readings: jax.Array
) -> jax.Array:
    """Derivatives of the misfit by the positions."""
    found: jax.Array = jax.jacfwd(lambda at: misfit(model, at, moments, readings))(positions)
    return found


def trial(model: Model, seed: int) -> tuple[float, float, int]:
    """Root mean square distance before and after, and number of steps."""
    random = np.random.default_rng(seed)
    true, angle = places(random), random.uniform(0, 2 * np.pi, SOURCES)
    moments = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    start = true + random.uniform(-OFF, OFF, true.shape)
    _, readings = superposition(
        model.inputs.columns, np.concatenate([moments, true], axis=1), frame()
    )
    given = (jnp.asarray(moments), jnp.asarray(readings, jnp.float32))

    def at(positions: np.ndarray) -> tuple[jax.Array, ...]:
        return (jnp.asarray(positions, jnp.float32), *given)

    found = least_squares(
        lambda positions: np.asarray(misfit(model, *at(positions)), np.float64),
        start.ravel(),
        lambda positions: np.asarray(jacobian(model, *at(positions)), np.float64),
    )
    before, after = (
        float(np.sqrt(np.mean(np.sum((one - true) ** 2, axis=1))))
        for one in (start, found.x.reshape(true.shape))
    )
    return before, after, int(found.nfev)


def main(runs: list[str]) -> None:
    """Ask every run for the same positions."""
    for run in runs:
        model = hypermagnetics.load(Path(run) / "model.hm")
        found = [trial(model, seed) for seed in range(TRIALS)]
        after = sorted(one[1] for one in found)
        print(
            f"{run}: off by {1000 * median(one[0] for one in found):.0f} mm before; after "
            f"{median(one[2] for one in found):.0f} evaluations by {1000 * median(after):.1f} mm "
            f"in the median, {1000 * after[int(0.9 * TRIALS)]:.1f} mm at 90 %"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
