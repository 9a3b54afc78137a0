"""Soft bodies divided into cells of uniform magnetisation."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int64

from hypermagnetics.sources.geometry import OfKind
from hypermagnetics.sources.kinds import Kind
from hypermagnetics.sources.kinds.rounding import rounding_of

_Source = tuple[Array, dict[str, Array], Array, Array]
"""Centre, shape, use and body of a cell."""

OfCells = Float[Array, "bodies cells dim"]


class Divided(eqx.Module):
    """Bodies of one kind whose magnetisation is to be found, with masked rows among them.

    The states are the magnetisation of each cell [A/m]; the field is that at the centres of the
    cells, where the law of the material holds.
    """

    kind: Kind = eqx.field(static=True)
    division: tuple[int, ...] = eqx.field(static=True)
    centres: Float[Array, "bodies dim"]
    is_soft: Bool[Array, " bodies"]
    shape: dict[str, Float[Array, " bodies"]]
    """Sizes and rotation of the bodies."""
    steps: Float[Array, "bodies dim dim"]
    """Vectors between neighbouring cells, (body, axis of the lattice, component)."""
    cell_shape: dict[str, Float[Array, " bodies"]]
    """Sizes and rotation of their cells."""
    kernel: Float[Array, "bodies differences dim dim"]
    """Tensor between cells of a body by the difference of their places, modulo its range."""

    @classmethod
    def of(
        cls, own: OfKind, division: tuple[int, ...], centres: Float[Array, "bodies dim"]
    ) -> "Divided | None":
        """Divide bodies of one kind.

        Args:
            own: Kind, mask of the soft rows, and the shape of all rows.
            division: Cells along each axis.
            centres: Positions [m].

        Returns:
            The bodies; None if the kind is not divided.
        """
        count, dim = centres.shape
        shape = {name: jnp.broadcast_to(value, (count,)) for name, value in own.shape.items()}
        cells = own.kind.cells(shape, division)
        if cells is None:
            return None
        steps = jnp.broadcast_to(cells.steps, (count, dim, dim))
        size = np.asarray([2 * number - 1 for number in division])
        places = _lattice(tuple(size.tolist()))
        apart = np.where(places < np.asarray(division), places, places - size)
        each = {name: value[:, None] for name, value in cells.shape.items()}
        kernel = _tensor(own.kind, _vectors(apart, steps), each)
        return cls(
            own.kind, division, centres, own.is_kind, shape, steps, dict(cells.shape), kernel
        )

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.centres.shape[1]

    @property
    def volume(self) -> Float[Array, " bodies"]:
        """Volume [m³], or area [m²]."""
        return jnp.asarray(self.kind.volume(self.shape))

    @property
    def num_cells(self) -> int:
        """Cells of each body."""
        return math.prod(self.division)

    @property
    def cells(self) -> Float[Array, "bodies cells dim"]:
        """Centres of the cells."""
        middle = (np.asarray(self.division) - 1) / 2
        places = _lattice(self.division) - middle
        return self.centres[:, None] + _vectors(places, self.steps)

    @property
    def points(self) -> Float[Array, "points dim"]:
        """Centres of all cells."""
        return self.cells.reshape(-1, self.dim)

    @property
    def is_used(self) -> Bool[Array, " points"]:
        """Mask of the cells of soft bodies."""
        return self.of_each_cell(self.is_soft)

    def uniform(self, vectors: Float[Array, "bodies dim"]) -> OfCells:
        """States of a uniform field or magnetisation of each body."""
        return jnp.broadcast_to(vectors[:, None], (len(vectors), self.num_cells, self.dim))

    def received(self, field: Float[Array, "points dim"]) -> OfCells:
        """Field in the cells, from its values at `points`."""
        return field.reshape(-1, self.num_cells, self.dim)

    def own(self, states: OfCells) -> OfCells:
        """Field of the bodies in the bodies: by FFT of each in itself."""
        axes = tuple(range(1, 1 + self.dim))
        size = tuple(2 * number - 1 for number in self.division)
        kernel = self.kernel.reshape(-1, *size, self.dim, self.dim)
        lattice = states.reshape(-1, *self.division, self.dim)
        spectrum = jnp.fft.rfftn(lattice, size, axes)
        product = jnp.einsum(
            "b...ij,b...j->b...i", jnp.fft.rfftn(kernel, axes=axes), spectrum, precision="highest"
        )
        whole = jnp.fft.irfftn(product, size, axes)
        inner = whole[(slice(None), *(slice(number) for number in self.division))]
        found = -inner.reshape(states.shape)
        if len(states) > 1:
            found += self.received(self._of_others(states))
        return found

    def _of_others(self, states: OfCells) -> Float[Array, "points dim"]:
        bodies = jnp.arange(len(states))
        return self._summed(states, self.points, self.is_used, self.of_each_cell(bodies))

    def own_matrix(self) -> Float[Array, "bodies cells dim bodies cells dim"]:
        """Matrix of `own`."""
        size = np.asarray([2 * number - 1 for number in self.division])
        places = _lattice(self.division)
        apart = (places[:, None] - places[None]) % size
        at = np.ravel_multi_index(tuple(np.moveaxis(apart, -1, 0)), tuple(size))
        alone = -jnp.moveaxis(self.kernel[:, at], -2, -3)  # body, cell, i, cell, j
        if len(alone) == 1:
            return alone[:, :, :, None]
        bodies = jnp.arange(len(self.is_soft))
        found = self._matrix(self.points, self.is_used, self.of_each_cell(bodies))
        count, cells, dim = len(self.is_soft), self.num_cells, self.dim
        matrix = found.reshape(count, cells, dim, count, cells, dim)
        return matrix.at[bodies, :, :, bodies].add(alone)

    def field(
        self,
        states: OfCells,
        points: Float[Array, "points dim"],
        is_used: Bool[Array, " points"],
    ) -> Float[Array, "points dim"]:
        """Field of the bodies at points outside of them."""
        return self._summed(states, points, is_used, jnp.full(len(points), -1))

    def field_matrix(
        self, points: Float[Array, "points dim"], is_used: Bool[Array, " points"]
    ) -> Float[Array, "points dim bodies cells dim"]:
        """Matrix of `field`."""
        found = self._matrix(points, is_used, jnp.full(len(points), -1))
        return found.reshape(len(points), self.dim, len(self.is_soft), self.num_cells, self.dim)

    def moments(self, states: OfCells) -> Float[Array, "bodies dim"]:
        """Moment of each body."""
        return (self.volume / self.num_cells)[:, None] * states.sum(axis=1)

    def inside(
        self, states: OfCells, points: Float[Array, "points dim"], unit: float
    ) -> Float[Array, "bodies points dim_and_share"]:
        """Values of the cells between their centres, by multilinear interpolation.

        From the outermost centres to the surface the straight lines go on.

        Args:
            states: Vectors of the cells.
            points: Points [m].
            unit: Rounding unit of the coordinates, relative to them.

        Returns:
            For each body the vectors, and the share of a small ball around the point that is
            inside of it; 0 where it is not soft.
        """

        def of_body(place: Array) -> Array:
            division = np.asarray(self.division)[None]
            offset = points - self.centres[place][None]
            inverse = jnp.linalg.inv(self.steps[place])
            at = jnp.matmul(offset, inverse, precision="highest")
            at = at + (division - 1) / 2
            most = np.maximum(division - 2, 0)
            base = jnp.clip(jnp.floor(at), 0, most)
            shares = jnp.where(division > 1, at - base, 0)
            base = base.astype(int)
            values = states[place].reshape(*self.division, self.dim)
            total = jnp.zeros_like(points)
            for corner in itertools.product((0, 1), repeat=self.dim):
                weight = jnp.prod(jnp.where(np.asarray([corner]) == 1, shares, 1 - shares), -1)
                last = division - 1
                where = jnp.minimum(base + np.asarray([corner]), last)
                total += weight[:, None] * values[tuple(where.T)]
            shape = {name: value[place] for name, value in self.shape.items()}
            axes = list(points.T)
            outer, size = self.kind.outer_radius(shape), self.kind.size(shape)
            rounding = rounding_of(axes, outer, size, list(self.centres[place]), unit)
            share = self.kind.inside_share(list(offset.T), shape, rounding)
            share = jnp.where(self.is_soft[place], share, 0)
            return jnp.concatenate([total, share[:, None]], -1)

        found: Array = jax.lax.map(of_body, jnp.arange(len(states)))
        return found

    def of_each_cell(self, of_bodies: Array) -> Array:
        """A number of each body, for all of its cells."""
        count = self.num_cells
        return jnp.repeat(of_bodies, count, total_repeat_length=count * len(of_bodies))

    def _sources(self) -> _Source:
        """Centre, shape, use and body of each cell."""
        shape = {name: self.of_each_cell(value) for name, value in self.cell_shape.items()}
        bodies = self.of_each_cell(jnp.arange(len(self.is_soft)))
        return self.points, shape, self.is_used, bodies

    def _tensor_of(
        self,
        source: _Source,
        points: Float[Array, "points dim"],
        is_used: Bool[Array, " points"],
        left_out: Array,
    ) -> Float[Array, "points dim dim"]:
        """Tensor -N of one cell at points; 0 at those whose number `left_out` is its body's."""
        centre, shape, is_soft, body = source
        both = is_used & is_soft & (left_out != body)
        # In its own centre the tensor is finite, whichever body the row is.
        offset = jnp.where(both[:, None], points - centre[None], 0.0)
        return jnp.where(both[:, None, None], -_tensor(self.kind, offset, shape), 0.0)

    def _summed(
        self,
        states: OfCells,
        points: Float[Array, "points dim"],
        is_used: Bool[Array, " points"],
        left_out: Array,
    ) -> Float[Array, "points dim"]:
        # Derivatives compute the tensors anew: those of all pairs would not fit into memory.
        @jax.checkpoint
        def of_cell(source: _Source, state: Array) -> Array:
            tensor = self._tensor_of(source, points, is_used, left_out)
            return (tensor * state[None, None]).sum(-1)

        def add(total: Array, item: tuple[_Source, Array]) -> tuple[Array, None]:
            return total + of_cell(*item), None

        flat = states.reshape(-1, self.dim)
        total, _ = jax.lax.scan(add, jnp.zeros_like(points), (self._sources(), flat))
        return total

    def _matrix(
        self,
        points: Float[Array, "points dim"],
        is_used: Bool[Array, " points"],
        left_out: Array,
    ) -> Float[Array, "points dim sources dim"]:
        found = jax.lax.map(
            lambda source: self._tensor_of(source, points, is_used, left_out), self._sources()
        )
        return jnp.moveaxis(found, 0, 2)


def _tensor(
    kind: Kind, offset: Float[Array, "*points dim"], shape: dict[str, Array]
) -> Float[Array, "*points dim dim"]:
    found = kind.demagnetising_tensor(offset, shape)
    if found is None:
        raise TypeError(
            "A kind that is divided into cells must have a demagnetising tensor; got "
            f"{kind.name} without one. Implement it."
        )
    return found


def _vectors(
    places: np.ndarray, steps: Float[Array, "bodies dim dim"]
) -> Float[Array, "bodies places dim"]:
    """Vectors of places of a lattice."""
    found: Array = jnp.einsum("pa,bad->bpd", places, steps, precision="highest")
    return found


def _lattice(division: tuple[int, ...]) -> Int64[np.ndarray, "places dim"]:
    """Places of a lattice, the last axis fastest."""
    axes = np.meshgrid(*(np.arange(number) for number in division), indexing="ij")
    return np.stack(axes, -1).reshape(-1, len(division))
