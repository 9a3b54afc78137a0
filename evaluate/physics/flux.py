"""No flux begins or ends on a surface: the normal component of B is continuous."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.physics.probe import (
    NUM_POINTS,
    Configuration,
    Points,
    Probe,
    norm,
    property_of,
    relative,
)
from hypermagnetics.evaluate.results.records import Property
from hypermagnetics.sources import SourceColumns, body_size, magnetisation
from hypermagnetics.sources.geometry import Rows
from hypermagnetics.sources.surface_points import numbers_per_point, points_on_surfaces

_OFFSETS = (1.0, 2.0, -1.0, -2.0)
"""Steps along the normal. Values on either side are extrapolated to the surface by a line."""
_WEIGHTS = (2.0, -1.0, -2.0, 1.0)
_STEP = 2.0**-12
"""Step in sizes of a body; linear extrapolation leaves some 1e-6 of the field."""
_LEAST_STEP = 2.0**-19
"""Least step in units of the coordinates, which float32 rounds to 2^-24."""
_CLEAR = 64
"""Steps of clearance from other surfaces, and from corners and edges, where fields are infinite."""
_SEED = 0


def flux(probe: Probe, configurations: Sequence[Configuration]) -> Property:
    """n.(B_out - B_in) = 0 with B = mu_0 (H + M) and the exact M on either side.

    One check for each configuration: the root mean square of n.(B_out - B_in) over points on the
    surfaces, relative to that of mu_0 n.(M_in - M_out). The exact field gives 0; one that is smooth
    across surfaces, 1. Points close to edges or to surfaces of other bodies are left out, unless
    these lie on the same plane.

    Args:
        probe: Predicts with the model.
        configurations: The configurations; those of dipoles alone have no surface.

    Returns:
        The errors.
    """
    random = np.random.default_rng(_SEED)
    checks = []
    for configuration in configurations:
        columns = configuration.columns
        bodies = configuration.rows[body_size(columns, configuration.rows) > 0]
        uniform = random.random((NUM_POINTS // len(_OFFSETS), numbers_per_point(columns.dim) - 1))
        if len(bodies):
            places = _clear_places(configuration, bodies, uniform)
            if len(places[0]):
                checks.append(_jump(probe, configuration, *places))
    return property_of("flux", np.array(checks))


def _clear_places(
    configuration: Configuration, bodies: Rows, uniform: Float[np.ndarray, "draws numbers"]
) -> tuple[Points, Points, Float[np.ndarray, " points"]]:
    """Points on surfaces clear of all others, their normals, and steps [m]."""
    columns = configuration.columns
    points, normals = points_on_surfaces(columns, bodies, uniform)
    size = float(body_size(columns, bodies).min())
    step = np.maximum(_STEP * size, _LEAST_STEP * np.abs(points).max(axis=1))
    far = _CLEAR * step
    # Where there is nothing else, the nearest surface on either side is this one.
    clear = [
        configuration.gap(points + side * far[:, None] * normals) >= (1 - 1e-3) * far
        for side in (-1, 1)
    ]
    chosen = clear[0] & clear[1]
    return points[chosen], normals[chosen], step[chosen]


def _jump(
    probe: Probe,
    configuration: Configuration,
    points: Points,
    normals: Points,
    step: Float[np.ndarray, " points"],
) -> float:
    """Root mean square of n.(B_out - B_in), relative to that of mu_0 n.(M_in - M_out)."""
    offsets = np.multiply.outer(_OFFSETS, step)[..., None] * normals
    around = (points + offsets).reshape(-1, points.shape[1]).astype(np.float32)
    shape = offsets.shape
    field = probe(configuration.rows, around).field.reshape(shape)
    inside = _exact_magnetisation(configuration.columns, configuration.rows, around).reshape(shape)
    with np.errstate(invalid="ignore", over="ignore"):
        jump = np.einsum("o,opd,pd->p", _WEIGHTS, field + inside, normals)
        of_magnetisation = np.einsum("o,opd,pd->p", _WEIGHTS, inside, normals)
        return float(relative(norm(jump), norm(of_magnetisation)).item())


def _exact_magnetisation(columns: SourceColumns, rows: Rows, points: Points) -> Points:
    found = magnetisation(columns, jnp.asarray(rows, jnp.float32), jnp.asarray(points))
    return np.asarray(found, np.float64)
