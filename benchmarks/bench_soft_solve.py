"""How long does the solve of 1000 soft cells take, with its gradient, and how much memory?

Eight turned soft cuboids of 5 x 5 x 5 cells in a uniform field, 3000 unknowns: the sum of all
squared moments and its gradient by the source table and the susceptibilities, once they are
compiled. The peak of memory is that of the whole process, compilation included.
"""

import json
import resource

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from measurement import circumstances, time_calls

from hypermagnetics.sources import Cuboid, solve_magnetisation, source_table

SECONDS, GIGABYTES = 5.0, 2.0
"""Bounds."""


def main() -> None:
    """Time it, and print both figures beside their bounds."""
    jax.config.update("jax_enable_x64", True)
    random = np.random.default_rng(0)
    rotations = random.normal(size=(8, 4))
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    places = 3.0 * np.indices((2, 2, 2)).reshape(3, -1).T
    columns, table = source_table(
        [
            Cuboid(np.zeros(3), place, [1.0, 1.2, 0.8], rotation)
            for place, rotation in zip(places, rotations, strict=True)
        ]
    )

    def total(sources: Array, susceptibility: Array) -> Array:
        found = solve_magnetisation(columns, sources, susceptibility, [1.0, 0.0, 0.0], cells=5)
        return jnp.sum(found.moments**2)

    arguments = jnp.asarray(table), jnp.full(len(table), 100.0)
    gradient = jax.value_and_grad(total, (0, 1))
    alone = time_calls(lambda: jax.block_until_ready(total(*arguments)), 5)
    whole = time_calls(lambda: jax.block_until_ready(gradient(*arguments)), 5)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"the solve alone: {alone.median:.3g} s")
    print(f"with its gradient: {whole.median:.3g} s (bound {SECONDS:g})")
    print(f"memory of the process: {peak:.3g} GB (bound {GIGABYTES:g})")
    line = {"seconds": whole.median, "alone": alone.median, "gigabytes": peak, **circumstances()}
    print(json.dumps(line))
    raise SystemExit(int(whole.median > SECONDS or peak > GIGABYTES))


if __name__ == "__main__":
    main()
