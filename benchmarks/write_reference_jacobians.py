"""Derivatives of potential and field by every column of a body, from 60-digit differences.

    python benchmarks/write_reference_jacobians.py

writes tests/reference/jacobians.json, beside which tests hold those of hypermagnetics. Central
differences of the textbook forms (textbook_bodies.py), with a step of 1e-15: their error is some
1e-30. A rotation of a cuboid is by three small turns about the axes of space.
"""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
from textbook_bodies import DECIMALS, ball, box, decimals

OUT = Path(__file__).parents[1] / "tests" / "reference" / "jacobians.json"
STEP = Decimal("1e-15")
PLACES = {"inside": 0.37, "near": 1.23, "mid": 3.1, "far": 40.0}
"""Distance from the centre in units of half the shortest side, or of the radius."""
COLUMNS = {
    "dipole": ((2, 3), ()),
    "disc": ((2,), ("radius",)),
    "rectangle": ((2,), ("dimension_x", "dimension_y", "angle")),
    "sphere": ((3,), ("radius",)),
    "cuboid": (
        (3,),
        (
            *("dimension_x", "dimension_y", "dimension_z"),
            *("rotation_w", "rotation_x", "rotation_y", "rotation_z"),
        ),
    ),
}


def columns_of(body: str, dim: int) -> list[str]:
    """Names of the columns of a row."""
    vectors = [f"{name}_{axis}" for name in ("moment", "position") for axis in "xyz"[:dim]]
    return [*vectors, *COLUMNS[body][1]]


def values(body: str, dim: int, row: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Potential and field of a row of decimals at a point."""
    moment, position, rest = row[:dim, None], row[dim : 2 * dim, None], row[2 * dim :, None]
    at = point[:, None] - position
    if body in ("dipole", "disc", "sphere"):
        radius = rest[0] if body != "dipole" else decimals(np.zeros(1))
        potential, field = ball(moment, at, radius)
    else:
        potential, field = box(moment, at, rest[:dim], rest[dim:], DECIMALS)
    return np.array([potential[0], *field[:, 0]])


def directions(columns: list[str], row: np.ndarray) -> dict[str, np.ndarray]:
    """Directions of the parameters of a row: its columns, but turns in place of a quaternion."""
    found = {
        name: decimals(np.eye(len(columns))[i])
        for i, name in enumerate(columns)
        if not name.startswith("rotation_")
    }
    if "rotation_w" in columns:
        w, x, y, z = row[-4:]
        half = Decimal("0.5")
        for axis, change in zip(
            "xyz", ((-x, w, -z, y), (-y, z, w, -x), (-z, -y, x, w)), strict=True
        ):
            direction = decimals(np.zeros(len(columns)))
            direction[-4:] = [half * part for part in change]
            found[f"turn_{axis}"] = direction
    return found


def case(body: str, dim: int, where: str, random: np.random.Generator) -> dict[str, object]:
    """One body, one point, and all derivatives there."""
    columns = columns_of(body, dim)
    given = random.normal(size=len(columns))
    sizes = [i for i, name in enumerate(columns) if name.startswith(("radius", "dimension"))]
    given[sizes] = random.uniform(0.6, 1.8, len(sizes))
    if "rotation_w" in columns:
        given[-4:] /= np.linalg.norm(given[-4:])
    shortest = min(given[i] for i in sizes) if sizes else 1.0
    half = shortest / 2 if len(sizes) > 1 else shortest
    # Sides differ by up to a factor of 3, so that this is outside of every box, too.
    away = 1.0 if where == "inside" or len(sizes) < 2 else 5.0
    way = random.normal(size=dim)
    point = given[dim : 2 * dim] + PLACES[where] * away * half * way / np.linalg.norm(way)
    row, at = decimals(given), decimals(point)
    slopes = {
        name: (values(body, dim, row + STEP * way, at) - values(body, dim, row - STEP * way, at))
        / (2 * STEP)
        for name, way in directions(columns, row).items()
    }
    return {
        "body": body,
        "dim": dim,
        "where": where,
        "row": dict(zip(columns, given.tolist(), strict=True)),
        "point": point.tolist(),
        "potential": {name: float(found[0]) for name, found in slopes.items()},
        "field": {name: [float(one) for one in found[1:]] for name, found in slopes.items()},
    }


def main() -> None:
    """Write three bodies of each kind at each place."""
    random = np.random.default_rng(21)
    cases = [
        case(body, dim, where, random)
        for body, (dims, _) in COLUMNS.items()
        for dim in dims
        for where in PLACES
        if (body, where) != ("dipole", "inside")
        for _ in range(3)
    ]
    about = (
        "Derivatives by the parameters of a body: SI units, turns in rad. Central differences of "
        "textbook closed forms in 60 decimal digits, step 1e-15: benchmarks/"
        "write_reference_jacobians.py"
    )
    lines = ",\n".join(f"  {json.dumps(one)}" for one in cases)
    OUT.write_text(f'{{\n "about": {json.dumps(about)},\n "cases": [\n{lines}\n ]\n}}\n')


if __name__ == "__main__":
    main()
