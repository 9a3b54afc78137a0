"""Soft balls: harmonics of their magnetisation, which is a gradient in each of them."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64

from hypermagnetics.sources.kinds import Kind
from hypermagnetics.sources.soft.multipoles import degrees, quadrature, regular, translation

Harmonics = Float[Array, "bodies harmonics"]


class Balls(eqx.Module):
    """Discs or spheres whose magnetisation is to be found, with masked rows among them.

    In a linear ball both M and H are gradients of harmonic functions. The states x are the
    coefficients of (R / sqrt(d)) sum x (r/R)^l Y, whose gradient is M; those of the field H are of
    the same form. The components of l = 1 are the means over the ball [A/m].
    """

    kind: Kind = eqx.field(static=True)
    centres: Float[Array, "bodies dim"]
    radius: Float[Array, " bodies"]
    is_soft: Bool[Array, " bodies"]
    order: int = eqx.field(static=True)

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.centres.shape[1]

    @property
    def volume(self) -> Float[Array, " bodies"]:
        """Volume [m³], or area [m²]."""
        return jnp.asarray(self.kind.volume({"radius": self.radius}))

    @property
    def degrees(self) -> Float64[np.ndarray, " harmonics"]:
        """Degree of each harmonic."""
        found: np.ndarray = degrees(self.dim, self.order).astype(np.float64)
        return found

    @property
    def factors(self) -> Float64[np.ndarray, " harmonics"]:
        """Demagnetising factor l / (2 l + d - 2) of each harmonic."""
        found: np.ndarray = self.degrees / (2 * self.degrees + self.dim - 2)
        return found

    @property
    def points(self) -> Float[Array, "points dim"]:
        """Points of the surfaces, at which the field of other bodies is projected."""
        directions = quadrature(self.dim, self.order).directions
        placed = self.centres[:, None] + self.radius[:, None, None] * directions[None]
        return placed.reshape(-1, self.dim)

    @property
    def is_used(self) -> Bool[Array, " points"]:
        """Mask of the points of soft balls."""
        count = len(quadrature(self.dim, self.order).weights)
        return jnp.repeat(self.is_soft, count, total_repeat_length=count * len(self.is_soft))

    def uniform(self, vectors: Float[Array, "bodies dim"]) -> Harmonics:
        """States of a uniform field or magnetisation of each ball."""
        rest = jnp.zeros((len(vectors), len(self.degrees) - self.dim), vectors.dtype)
        return jnp.concatenate([vectors, rest], -1)

    def received(self, field: Float[Array, "points dim"]) -> Harmonics:
        """Coefficients of a field that has no source in the balls, from its values at `points`.

        The radial part of each harmonic is (l / sqrt(d)) Y on the surface.
        """
        at = quadrature(self.dim, self.order)
        radial = (field.reshape(-1, *at.directions.shape) * at.directions[None]).sum(-1)
        weighted = at.weights[:, None] * at.functions * (math.sqrt(self.dim) / self.degrees)
        return jnp.matmul(radial, weighted, precision="highest")

    def own(self, states: Harmonics) -> Harmonics:
        """Field of the balls in the balls."""

        def add(total: Harmonics, source: tuple[Array, ...]) -> tuple[Harmonics, None]:
            place, row = source
            block = jax.checkpoint(lambda source: self._block(source))(place)
            return total + jnp.einsum("bij,j->bi", block, row, precision="highest"), None

        start: Array = -jnp.asarray(self.factors)[None] * states
        if len(states) == 1:
            return start
        total, _ = jax.lax.scan(add, start, (jnp.arange(len(states)), states))
        return total

    def own_matrix(self) -> Float[Array, "bodies harmonics bodies harmonics"]:
        """Matrix of `own`."""
        count, size = len(self.radius), len(self.degrees)
        blocks = jax.lax.map(lambda source: self._block(source), jnp.arange(count))
        alone = (
            -jnp.eye(count)[:, None, :, None] * jnp.diag(jnp.asarray(self.factors))[None, :, None]
        )
        found: Array = jnp.moveaxis(blocks, 0, 2).reshape(count, size, count, size) + alone
        return found

    def _block(self, source: Array) -> Float[Array, "bodies harmonics harmonics"]:
        """Field in all other balls of one of them."""
        both = self.is_soft & self.is_soft[source] & (jnp.arange(len(self.radius)) != source)
        matrix = self._translated(source, self.centres, both, self.radius, self.order)[:, 1:]
        return matrix * (-self.radius[source] / self.radius)[:, None, None]

    def _translated(
        self,
        source: Array,
        points: Float[Array, "points dim"],
        is_used: Bool[Array, " points"],
        radius: Float[Array, " points"],
        order: int,
    ) -> Float[Array, "points regular harmonics"]:
        """Coefficients about points of the potential outside of a ball, over R / sqrt(d)."""
        offset = jnp.where(is_used[:, None], points - self.centres[source][None], 1.0)
        matrix = translation(
            list(offset.T),
            jnp.broadcast_to(self.radius[source], radius.shape),
            radius,
            self.order,
            order,
        )
        return jnp.where(is_used[:, None, None], matrix * self.factors[None, None], 0.0)

    def field(
        self,
        states: Harmonics,
        points: Float[Array, "points dim"],
        is_used: Bool[Array, " points"],
    ) -> Float[Array, "points dim"]:
        """Field of the balls at points outside of them."""

        def add(total: Array, source: tuple[Array, ...]) -> tuple[Array, None]:
            place, row = source
            matrix = jax.checkpoint(lambda source: self._field_of(source, points, is_used))(place)
            return total + jnp.einsum("pij,j->pi", matrix, row, precision="highest"), None

        total, _ = jax.lax.scan(add, jnp.zeros_like(points), (jnp.arange(len(states)), states))
        return total

    def field_matrix(
        self, points: Float[Array, "points dim"], is_used: Bool[Array, " points"]
    ) -> Float[Array, "points dim bodies harmonics"]:
        """Matrix of `field`."""
        bodies = jnp.arange(len(self.radius))
        found = jax.lax.map(lambda source: self._field_of(source, points, is_used), bodies)
        return jnp.moveaxis(found, 0, 2)

    def _field_of(
        self,
        source: Array,
        points: Float[Array, "points dim"],
        is_used: Bool[Array, " points"],
    ) -> Float[Array, "points dim harmonics"]:
        used = is_used & self.is_soft[source]
        radius = jnp.broadcast_to(self.radius[source], used.shape)
        return -self._translated(source, points, used, radius, 1)[:, 1:]

    def moments(self, states: Harmonics) -> Float[Array, "bodies dim"]:
        """Moment of each ball."""
        return self.volume[:, None] * states[:, : self.dim]

    def magnetisation(
        self, states: Harmonics, points: Float[Array, "points dim"]
    ) -> Float[Array, "points dim"]:
        """Magnetisation at points, 0 outside."""

        def of_ball(place: Array) -> Array:
            row, radius, offset = (
                states[place],
                self.radius[place],
                points - self.centres[place][None],
            )
            inside = self.is_soft[place] & (jnp.sum(offset * offset, -1) <= radius**2)
            gradient = self._gradient(row, offset / radius)
            return jnp.where(inside[:, None], gradient, 0)

        return _over(of_ball, len(states), points)

    def beyond_dipole(
        self, states: Harmonics, points: Float[Array, "points dim"]
    ) -> Float[Array, "points values"]:
        """Potential and field of all harmonics but those of l = 1, which are a uniform ball's.

        On the surface the field is the mean of both sides.
        """
        higher = jnp.where(self.degrees[None] > 1, states, 0)

        def of_ball(place: Array) -> Array:
            row, radius, offset = (
                higher[place],
                self.radius[place],
                points - self.centres[place][None],
            )
            distance = jnp.sum(offset * offset, -1)
            beyond = distance - radius**2
            is_here = self.is_soft[place]
            outer = is_here & (beyond >= 0)
            along = jnp.full(len(points), radius)
            matrix = self._translated(place, points, outer, along, 1)
            outside = jnp.einsum("pij,j->pi", matrix, row, precision="highest")
            outside = outside * jnp.concatenate([radius[None], -jnp.ones(self.dim)])[None]
            outside = outside.at[:, 0].divide(math.sqrt(self.dim))
            within = jnp.where((beyond <= 0)[:, None], offset / radius, 0)
            row = row * self.factors
            inner = jnp.matmul(regular(list(within.T), self.order), row, precision="highest")
            inner = inner * radius / math.sqrt(self.dim)
            inside = jnp.concatenate([inner[:, None], -self._gradient(row, within)], -1)
            close = 4 * float(np.finfo(distance.dtype).eps) * radius**2
            mean = 0.5 * (outside + inside)
            found = jnp.where((beyond < 0)[:, None], inside, outside)
            found = jnp.where((jnp.abs(beyond) <= close)[:, None] & outer[:, None], mean, found)
            return jnp.where(is_here, found, 0)

        return _over(of_ball, len(states), jnp.zeros((len(points), self.dim + 1)))

    def _gradient(
        self, row: Float[Array, " harmonics"], offset: Float[Array, "points dim"]
    ) -> Float[Array, "points dim"]:
        """Gradient of (R / sqrt(d)) sum x (r/R)^l Y at points, in radii from the centre."""

        def sum_of(point: Float[Array, " dim"]) -> Float[Array, ""]:
            values = regular(list(point), self.order)
            return jnp.dot(values, row, precision="highest") / math.sqrt(self.dim)

        found: Array = jax.vmap(jax.grad(sum_of))(offset)
        return found


def _over(of_ball: Callable[[Array], Array], count: int, like: Array) -> Array:
    """The sum over all balls, one after another."""

    def add(total: Array, place: Array) -> tuple[Array, None]:
        return total + of_ball(place), None

    total: tuple[Array, None] = jax.lax.scan(add, jnp.zeros_like(like), jnp.arange(count))
    return total[0]
