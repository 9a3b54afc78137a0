"""Modes of a soft box: the directions in which its magnetisation varies most."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hypermagnetics.models.reduced.divided_box import Cells, DividedBox, Parity

_FIRST = 1e9
"""Rank of the uniform magnetisations, before all others."""


class Modes(NamedTuple):
    """Modes B_k, orthonormal over the box, and the field that each makes in the box itself."""

    magnetisation: Cells
    """B_k in the cells."""
    own_field: Float64[np.ndarray, "modes modes"]
    """S_kl = integral of B_k . (T B_l) over the box."""
    spectrum: Float64[np.ndarray, " modes"]
    """Singular value of each, over the largest of those that are not uniform."""

    def padded_to(self, count: int) -> "Modes":
        """The same, with modes of zero behind them where there were fewer snapshots."""
        missing = count - len(self.spectrum)
        return Modes(
            np.pad(self.magnetisation, ((0, missing), (0, 0), (0, 0))),
            np.pad(self.own_field, ((0, missing), (0, missing))),
            np.pad(self.spectrum, (0, missing)),
        )


def modes_of(box: DividedBox, magnetisations: Cells, count: int) -> Modes:
    """The uniform magnetisations, then the first singular vectors of the remainder.

    Each mode has a parity. The uniform ones are exact, so that remanence and the response to weak
    susceptibility are.

    Args:
        box: The box.
        magnetisations: Its `snapshots`.
        count: Number of modes, the uniform ones included.
    """
    found: list[tuple[float, Parity, np.ndarray]] = []
    unit = np.sqrt(box.cell_volume)
    for parity in box.parities:
        snapshots = unit * box.of_parity(magnetisations, parity)
        uniform = unit * box.of_parity(box.uniform, parity)
        uniform = uniform[np.linalg.norm(uniform, axis=1) > 0.5 * np.sqrt(box.volume)]
        uniform = uniform / np.linalg.norm(uniform, axis=1, keepdims=True)
        found += [(_FIRST, parity, one) for one in uniform]
        _, values, vectors = np.linalg.svd(
            snapshots - snapshots @ uniform.T @ uniform, full_matrices=False
        )
        found += [(value, parity, one) for value, one in zip(values, vectors[:count], strict=False)]
    chosen = sorted(found, key=lambda one: -one[0])[:count]
    own_field = np.zeros((len(chosen), len(chosen)))
    for column, (_, parity, vector) in enumerate(chosen):
        field = box.own_field(vector[None], parity)[0]
        for row, (_, other, test) in enumerate(chosen):
            own_field[row, column] = test @ field if other == parity else 0.0
    magnetisation = np.concatenate([box.whole(one[None], parity) for _, parity, one in chosen])
    values = np.array([value for value, _, _ in chosen])
    largest = max((value for value in values if value < _FIRST), default=1.0)
    return Modes(magnetisation / unit, own_field, np.minimum(values / largest, 1))
