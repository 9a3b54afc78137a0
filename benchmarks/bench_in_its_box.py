"""In the box that a RangeSplit is fitted to: is it faster than the exact sum, and how wrong is it?

1e2 to 1e4 discs in a square, or spheres in a cube, of sides of 6 m, and as many points: potential
and field of one configuration. Positions are normal, as in the shipped datasets. The bodies have a
radius of 2 cm, so that they are mostly apart and fmm3d, which knows point dipoles alone, can be
compared in three dimensions, up to 1e5 spheres. The RangeSplit has its default settings, and is
fitted by its least squares alone. The exact sum has no error but that of float32. For 1e5 spheres
it is timed at a tenth of the points.
"""

from functools import partial

import fmm3dpy
import jax
import jax.random as jr
import numpy as np
from against_exact import Errors, errors_of, first_overtaking, shortest_seconds
from measurement import report

from hypermagnetics.models import ModelInputs, RangeSplit, Scales
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns, superposition

NUMBERS = (100, 1_000, 10_000)
MOST_SPHERES = 100_000
COMPARED = 1_000
"""Points at which errors are taken."""
HALF_SIDE = 3.0
"""[m]"""
TOLERANCE = 1e-3
BODIES = {
    "discs": SourceColumns.of("disc", constants={"radius": 0.02}),
    "spheres": SourceColumns.of("sphere", constants={"radius": 0.02}),
}


def fitted(columns: SourceColumns) -> RangeSplit:
    """A RangeSplit with the length scale of points that are even in the box."""
    inputs = ModelInputs(
        columns=columns,
        scales=Scales(length=HALF_SIDE / 3**0.5, moment=1.0, potential=0.1),
    )
    seen, at = configuration(columns, 10_000, jr.key(0))
    return RangeSplit(RangeSplitConfig(), inputs, jr.key(1)).fitted(seen, at, jr.key(2))


def configuration(
    columns: SourceColumns, number: int, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Normal sources and even points."""
    of_sources, of_points = jr.split(key)
    points = jr.uniform(of_points, (number, columns.dim), minval=-HALF_SIDE, maxval=HALF_SIDE)
    return jr.normal(of_sources, (number, columns.size)), points


def by_fmm(sources: jax.Array, points: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Potential and field of dipoles in space, by a fast multipole method."""
    table, targets = np.asarray(sources, np.float64), np.asarray(points, np.float64)
    found = fmm3dpy.lfmm3d(
        eps=TOLERANCE, sources=table[:, 3:].T, dipvec=table[:, :3].T, targets=targets.T, pgt=2
    )
    return found.pottarg, -found.gradtarg.T


def compare_fmm(columns: SourceColumns) -> None:
    """Times and errors of fmm3d."""
    for number in (*NUMBERS, MOST_SPHERES):
        sources, points = configuration(columns, number, jr.key(number))
        some = points[: number // 10] if number == MOST_SPHERES else points
        exact = shortest_seconds(partial(superposition, columns, sources, some))
        exact *= number / len(some)
        taken = shortest_seconds(partial(by_fmm, sources, points))
        true = superposition(columns, sources, some[:COMPARED])
        wrong = errors_of(by_fmm(sources, some[:COMPARED]), true)
        report(
            f"exact sum against fmm3d at {TOLERANCE:g}, {number} spheres and points, in time",
            exact / taken,
            1.0,
            fmm3d_seconds=taken,
            exact_seconds=exact,
            **wrong.figures("fmm3d"),
        )


def compare_split(body: str, columns: SourceColumns) -> None:
    """Times and errors of the RangeSplit."""
    model = fitted(columns)

    def both(sources: jax.Array, points: jax.Array) -> tuple[jax.Array, jax.Array]:
        return model.potential(sources, points), model.field(sources, points)

    figures: dict[str, float | None] = {}
    times: list[float] = []
    exact: list[float] = []
    errors: list[Errors] = []
    for number in NUMBERS:
        sources, points = configuration(columns, number, jr.key(number))
        times.append(shortest_seconds(partial(both, sources, points)))
        exact.append(shortest_seconds(partial(superposition, columns, sources, points)))
        some = points[:COMPARED]
        errors.append(errors_of(both(sources, some), superposition(columns, sources, some)))
        figures[f"split_{number}_seconds"] = times[-1]
        figures[f"exact_{number}_seconds"] = exact[-1]
        figures |= errors[-1].figures(f"split_{number}")
    overtakes = first_overtaking(NUMBERS, times, exact, errors)
    report(
        f"exact sum against a RangeSplit in its own box, {body}, in time, at best",
        max(e / t for e, t in zip(exact, times, strict=True)),
        1.0,
        split_overtakes_exact_at=overtakes,
        **figures,
    )


def main() -> None:
    """Discs, then spheres."""
    for body, columns in BODIES.items():
        compare_split(body, columns)
    compare_fmm(BODIES["spheres"])


if __name__ == "__main__":
    main()
