"""Interface of every kind of body: field, shape, surface and cost."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.sources.values import Components, Rounding, Scalars, Values
from hypermagnetics.table import BodyName

Shape = Mapping[str, Float[Any, "..."]]
"""Sizes [m] and rotation of bodies, by the names of their columns; of numpy or of JAX."""

Offset = Sequence[Float[Any, "..."]]
"""Components of points minus the centre of a body [m]; they broadcast with those of its shape."""


class Cells(NamedTuple):
    """Equal cells of a body on a lattice, each a body of the same kind with the same rotation."""

    steps: Float[Any, "*bodies dim dim"]
    """Vectors from a cell to the next one along each axis of the lattice [m], (axis, component). It
    is centred at the centre of the body."""
    shape: Shape
    """Sizes and rotation of one cell."""


class Kind(abc.ABC):
    """A kind of body.

    A new kind is one file: a class that answers all of this, and an instance of it in `KINDS`. The
    names of its columns stand in `hypermagnetics.table`. `gap`, `size`, `outer_radius` and `volume`
    take arrays of numpy or of JAX and give arrays of the same library.
    """

    name: ClassVar[BodyName]
    is_point: ClassVar[bool]
    """Whether it has neither inside nor surface."""
    is_dipole_outside: ClassVar[bool]
    """Whether its field outside is that of one dipole in its centre, as of a ball."""
    sources_per_step: ClassVar[int]
    """Sources summed in one fused loop over the points. On a core (float64) four discs or spheres a
    step take 0.9 and 2.0 ns a pair of source and point, sixteen 1.1 and 2.5, a scan over single
    sources twice as long, and an array of (sources, points) thirty times. Boxes have work enough in
    one source."""
    values_per_step: ClassVar[int]
    """Samples times points evaluated at a time, so that intermediate arrays, some sixty for
    cuboids, stay in the cache. Cuboids take 35 ns a pair in steps of 2^11, 38 ns in steps of 2^13
    and 101 ns in steps of 2^18; for discs and spheres, short steps cost more than they save."""
    pairs_per_tile: ClassVar[int]
    """Pairs of source and point in one fused reduction on a GPU. XLA makes no array of the pairs of
    discs and spheres; of cuboids it makes some thirty (33 GiB for 2^28 pairs on an H100)."""
    seconds_per_pair: ClassVar[float]
    """Time of a pair of source and point on 2 cores, for the estimate of a dry run. In a mix, each
    source is evaluated as each of the bodies."""

    @abc.abstractmethod
    def values(
        self,
        moment: Components,
        displacement: Components,
        shape: Shape,
        rounding: Rounding,
    ) -> Values:
        """Exact potential [A] and field [A/m], in the float type of the arguments.

        On a surface H is the mean of its values on both sides.

        Args:
            moment: Components of m [A m²]; in two dimensions [A m].
            displacement: Components of point minus position [m].
            shape: Sizes [m] and rotation.
            rounding: Rounding of the distance from the surface.

        Returns:
            Potential and field, which decay like those of a dipole of this moment.
        """

    @abc.abstractmethod
    def gap(self, offset: Offset, shape: Shape) -> Float[Any, "..."]:
        """Signed distance of points from the surface [m], negative inside."""

    @abc.abstractmethod
    def inside_share(self, offset: Offset, shape: Shape, rounding: Rounding) -> Float[Array, "..."]:
        """Share of a small ball around each point that is inside, consistently with `values`.

        Args:
            offset: Components of point minus position [m].
            shape: Sizes [m] and rotation.
            rounding: As for `values`.

        Returns:
            1 inside and 0 outside; 1/2 on a surface, and of boxes 1/4 on an edge and 1/8 at a
            corner in space.
        """

    @abc.abstractmethod
    def size(self, shape: Shape) -> Scalars:
        """Radius of the largest ball inside the body [m]; 0 for a point."""

    @abc.abstractmethod
    def outer_radius(self, shape: Shape) -> Scalars:
        """Radius of the smallest ball around the body [m]; 0 for a point."""

    @abc.abstractmethod
    def volume(self, shape: Shape) -> Scalars:
        """Volume [m³], in two dimensions area [m²]; 0 for a point."""

    @abc.abstractmethod
    def surface_point(
        self, shape: Shape, uniform: Float64[np.ndarray, "points numbers"]
    ) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]] | None:
        """Random point on the surface of each body, uniform, and the outward normal there.

        Args:
            shape: Sizes and rotation, one value for each point.
            uniform: One number between 0 and 1 that chooses a face, and one for each dimension.

        Returns:
            Points from the centre [m], and unit vectors; None for a point.
        """

    @abc.abstractmethod
    def corners(self, shape: Shape) -> Float64[np.ndarray, "corners dim"] | None:
        """Corners of one body relative to its centre [m]; None if round, drawn by its `size`."""

    @abc.abstractmethod
    def half_edges(self, shape: Shape) -> Float64[np.ndarray, "bodies edges dim"] | None:
        """Half of each edge of bodies as a vector [m]; None if round or a point, by its `size`."""

    @abc.abstractmethod
    def nodes(
        self, shape: Shape, places: Float64[np.ndarray, "nodes dim"]
    ) -> Float[Any, "bodies nodes dim"] | None:
        """Positions of the dipoles that represent the body in a kernel smooth over it.

        Args:
            shape: Sizes and rotation, one value for each body or one for all.
            places: Gauss-Legendre nodes of the cube from -1 to 1.

        Returns:
            Their images in the body from its centre [m], by a map that keeps shares of the volume;
            None where `is_dipole_outside`.
        """

    @abc.abstractmethod
    def cells(self, shape: Shape, division: Sequence[int]) -> Cells | None:
        """Division of the body into equal cells.

        Args:
            shape: Sizes and rotation.
            division: Number of cells along each axis of the body.

        Returns:
            The cells; None if it cannot be divided into bodies of its kind.
        """

    @abc.abstractmethod
    def demagnetising_tensor(
        self, displacement: Float[Array, "*points dim"], shape: Shape
    ) -> Float[Array, "*both dim dim"] | None:
        """Tensor N of the field H = -N M of a uniform magnetisation, by a form that compiles soon.

        Args:
            displacement: Point minus position [m], not on the surface.
            shape: Sizes [m] and rotation.

        Returns:
            N_ij, to a rounding of 1; None where it is no other than that of `values`.
        """
