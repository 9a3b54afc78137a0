"""At a stated accuracy, does the time of a split grow with sources plus points, and is it short?

1e2 to 1e5 discs in a square, or spheres in a cube, of sides of 6 m, and as many points: potential
and field of one configuration. Positions are normal, as in the shipped datasets. The bodies have a
radius of 2 mm, so that they are mostly apart and fmm3d, which knows point dipoles alone, can be
compared in three dimensions. The model is made for the box at a stated accuracy of 1e-3, that of
fmm3d, and for the number of bodies: where there are more of them its cutoff is smaller and its
waves are more, which are transforms then (extra `nufft`). The exact sum has no error but that of
float32. For 1e5 bodies it is timed at a tenth of the points. magpylib-jax sums objects one by one,
up to 1e3 spheres, and gives no potential.

Slopes are those of log time against log (sources + points), of the whole from 1e4 to 1e5 bodies; 1
is linear. That of the waves alone is of one model, made for 1e2 bodies, from 1e3 to 1e5 of them;
that of the whole is of a model for each number.
"""

from collections.abc import Callable
from functools import partial

import fmm3dpy
import jax
import jax.random as jr
import magpylib_jax
import numpy as np
from against_exact import Errors, errors_of, first_overtaking, shortest_seconds, smooth_part
from measurement import report

from hypermagnetics.models import GridSplit, split_of_domain
from hypermagnetics.sources import SourceColumns, superposition

NUMBERS = (100, 1_000, 10_000, 100_000)
MANY = NUMBERS[-2:]
MOST_OBJECTS = 1_000
"""Of spheres, by magpylib-jax."""
RADIUS = 0.002
"""[m]"""
COMPARED = 1_000
"""Points at which errors are taken."""
HALF_SIDE = 3.0
"""[m]"""
DOMAIN = 4.5
"""Half the side of the box of a model [m]: 4.5 standard deviations of the positions."""
TOLERANCE = 1e-3
BODIES = {
    "discs": SourceColumns.of("disc", constants={"radius": RADIUS}),
    "spheres": SourceColumns.of("sphere", constants={"radius": RADIUS}),
}


def made(columns: SourceColumns, number: int) -> GridSplit:
    """A model for so many bodies."""
    return split_of_domain(columns, DOMAIN, TOLERANCE, number)


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


def exact_seconds(columns: SourceColumns, sources: jax.Array, points: jax.Array) -> float:
    """Time of the exact sum; of the largest, ten times that at a tenth of the points."""
    some = points[: len(points) // 10] if len(points) == NUMBERS[-1] else points
    seconds = shortest_seconds(partial(superposition, columns, sources, some))
    return seconds * len(points) / len(some)


def slope(numbers: tuple[int, ...], seconds: list[float]) -> float:
    """That of log time against log (sources + points)."""
    return float(np.polyfit(np.log(numbers), np.log(seconds), 1)[0])


def compare_waves(body: str, columns: SourceColumns) -> None:
    """Times of the waves of one model, without its near part."""
    waves, numbers = smooth_part(made(columns, NUMBERS[0])), NUMBERS[1:]
    given = [configuration(columns, number, jr.key(number)) for number in numbers]
    seconds = [shortest_seconds(partial(waves, *one)) for one in given]
    report(
        f"slope of the waves alone, {body}, 1e3 to 1e5",
        slope(numbers, seconds),
        1.1,
        **{f"{number}_seconds": one for number, one in zip(numbers, seconds, strict=True)},
    )


def by_objects(sources: jax.Array, points: jax.Array) -> Callable[[], jax.Array]:
    """A call for the field of spheres by magpylib-jax, as its documentation shows it."""
    volume = 4 / 3 * np.pi * RADIUS**3
    spheres = [
        magpylib_jax.magnet.Sphere(
            polarization=magpylib_jax.mu_0 * row[:3] / volume, diameter=2 * RADIUS, position=row[3:]
        )
        for row in np.asarray(sources, np.float64)
    ]
    return lambda: magpylib_jax.getH(spheres, np.asarray(points), sumup=True)


def compare_objects(columns: SourceColumns) -> None:
    """Times and errors of magpylib-jax."""
    for number in (one for one in NUMBERS if one <= MOST_OBJECTS):
        sources, points = configuration(columns, number, jr.key(number))
        call, exact = by_objects(sources, points), exact_seconds(columns, sources, points)
        potential, field = superposition(columns, sources, points)
        wrong = errors_of((potential, call()), (potential, field))
        taken = shortest_seconds(call)
        report(
            f"exact sum against magpylib-jax, {number} spheres and points, field, in time",
            exact / taken,
            1.0,
            magpylib_jax_seconds=taken,
            exact_seconds=exact,
            field_median_percent=100 * wrong.field_median,
        )


def compare_fmm(columns: SourceColumns) -> None:
    """Times and errors of fmm3d."""
    for number in NUMBERS:
        sources, points = configuration(columns, number, jr.key(number))
        some, exact = points[:COMPARED], exact_seconds(columns, sources, points)
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
    """Times and errors of the model."""
    figures: dict[str, float | None] = {}
    times: list[float] = []
    exact: list[float] = []
    errors: list[Errors] = []
    for number in NUMBERS:
        sources, points = configuration(columns, number, jr.key(number))
        model = made(columns, number)
        times.append(shortest_seconds(partial(model.potential_and_field, sources, points)))
        exact.append(exact_seconds(columns, sources, points))
        some = points[:COMPARED]
        errors.append(
            errors_of(
                model.potential_and_field(sources, some), superposition(columns, sources, some)
            )
        )
        print(
            f"{number} {body}: model {times[-1]:.3g} s, exact sum {exact[-1]:.3g} s, median error "
            f"of the field {errors[-1].field_median:.2%}, {model.rank} waves by "
            f"{model.config.transform}, cutoff {model.smoothing.cutoff:.2g} m",
            flush=True,
        )
        figures[f"split_{number}_seconds"] = times[-1]
        figures[f"exact_{number}_seconds"] = exact[-1]
        figures |= errors[-1].figures(f"split_{number}")
    overtakes = first_overtaking(NUMBERS, times, exact, errors)
    report(
        f"exact sum against a split by waves on a grid at {TOLERANCE:g}, {body}, in time, at best",
        max(e / t for e, t in zip(exact, times, strict=True)),
        1.0,
        split_overtakes_exact_at=overtakes,
        split_slope=slope(MANY, times[-2:]),
        exact_slope=slope(MANY, exact[-2:]),
        **figures,
    )


def main() -> None:
    """Discs, then spheres."""
    for body, columns in BODIES.items():
        compare_waves(body, columns)
        compare_split(body, columns)
    compare_fmm(BODIES["spheres"])
    compare_objects(BODIES["spheres"])


if __name__ == "__main__":
    main()
