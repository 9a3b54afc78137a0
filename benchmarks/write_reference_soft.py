"""Fields of soft and hard cuboids by magpylib-material-response, for tests to compare with.

    pip install magpylib magpylib-material-response
    python benchmarks/write_reference_soft.py

writes tests/reference/soft_chains.json. Its interaction "point" matches the field at the centres of
cells, as this package does, so that equal cells give equal numbers. It needs no part of this
package, and is no dependency of it.
"""

import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import magpylib
import numpy as np
from magpylib_material_response.demag import apply_demag
from magpylib_material_response.meshing import mesh_Cuboid
from scipy.spatial.transform import Rotation

OUT = Path(__file__).parents[1] / "tests" / "reference" / "soft_chains.json"
MU0 = 4e-7 * math.pi
TURN = np.array([0.8, 0.1, 0.5, -0.3]) / math.sqrt(0.99)
"""A rotation as (w, x, y, z)."""
UPRIGHT = np.array([1.0, 0, 0, 0])


def body(
    magnetisation: list[float],
    position: list[float],
    dimension: list[float],
    susceptibility: float,
    rotation: np.ndarray = UPRIGHT,
) -> dict[str, Any]:
    """A cuboid; its remanent magnetisation [A/m] along the axes of space."""
    return {
        "magnetisation": magnetisation,
        "position": position,
        "dimension": dimension,
        "rotation": rotation.tolist(),
        "susceptibility": susceptibility,
    }


SCENES = {
    "chain in a uniform field": (
        [
            body([0, 0, 0], [0, 0, 0], [1, 1, 1], 100.0),
            body([0, 0, 0], [1, 0, 0], [1, 1, 0.5], 5.0),
            body([0, 0, 0], [0, 2, 0.3], [1, 0.5, 2], 1000.0, TURN),
        ],
        [0.3, -0.2, 0.9],
    ),
    "soft cube beside a turned magnet": (
        [
            body([0, 0.6, 0.8], [0, 0, 0], [1, 1, 2], 0.0, TURN),
            body([0, 0, 0], [1.7, 0, 0.2], [1, 1, 1], 3999.0),
        ],
        [0.0, 0.0, 0.0],
    ),
    "magnet that demagnetises itself between two plates": (
        [
            body([0, 0, 1], [0, 0, 0], [0.6, 0.8, 1], 0.05),
            body([0, 0, 0], [0, 0, 0.65], [2, 1, 0.3], 500.0),
            body([0, 0, 0], [0, 0, -0.65], [2, 1, 0.3], 500.0),
        ],
        [0.0, 0.0, 0.0],
    ),
}
CELLS = 4
POINTS = np.array([[0.9, 1.1, 1.4], [-1.3, 0.2, 0.4], [0.4, -1.5, -0.7], [2.6, 1.8, -1.1]])


def field(bodies: list[dict[str, Any]], applied: list[float]) -> np.ndarray:
    """Field [A/m] of the bodies at `POINTS`, without the applied one."""
    collection = magpylib.Collection()
    for one in bodies:
        w, x, y, z = one["rotation"]
        turn = Rotation.from_quat([x, y, z, w])
        cuboid = magpylib.magnet.Cuboid(
            magnetization=turn.inv().apply(one["magnetisation"]),
            dimension=one["dimension"],
            position=one["position"],
            orientation=turn,
        )
        cells = mesh_Cuboid(cuboid, (CELLS, CELLS, CELLS))
        cells.susceptibility = one["susceptibility"]
        collection.add(cells)
    collection.H_ext = tuple(MU0 * value for value in applied)
    found = apply_demag(collection, solver="direct")
    return np.asarray(found.getH(POINTS, sumup=True))


def main() -> None:
    """Write the file."""
    scenes = [
        {"name": name, "bodies": bodies, "applied_field": applied}
        | {"field": field(bodies, applied).tolist()}
        for name, (bodies, applied) in SCENES.items()
    ]
    names = ("magpylib", "magpylib-material-response")
    found = {
        "by": {name: version(name) for name in names},
        "cells": CELLS,
        "points": POINTS.tolist(),
        "scenes": scenes,
    }
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
