"""Near part of a model: values without parameters, such as exact ones close to sources."""

import abc
from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Int

from hypermagnetics.methods import WithMethods
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.shapes import Field as FieldValues
from hypermagnetics.sources.sums import (
    PAIRS_PER_TILE,
    Platform,
    over_samples,
    sums_platform,
)
from hypermagnetics.table import nonzero

_PAIRS_AT_ONCE: Mapping[Platform, int] = {"cpu": 1 << 20, "gpu": PAIRS_PER_TILE}
"""Pairs of source and point of the samples of a block at a time: a sample alone is too little for
the cores of a CPU to share."""


class NearPart(WithMethods):
    """Part of a model that is added to the learned values; it has no parameters.

    Sizes and rotations of bodies enter a model with a near part through it, so that the range of
    training bounds the positions and the outer radii of sources alone.
    """

    @property
    def spread(self) -> float:
        """Radius of the ball over which the learned part spreads a dipole [m].

        Discs and spheres of up to that radius are in the domain of a model, whatever the sizes of
        its training; larger ones only if they were seen.
        """
        return 0.0

    @abc.abstractmethod
    def values(
        self, sources: SourceTable, points: Points, capacity: int | None
    ) -> tuple[Potential, FieldValues]:
        """Near part of one configuration.

        Args:
            sources: Source table.
            points: Points of evaluation [m].
            capacity: The most sources around a point, as `count` says; every source meets every
                point if None.

        Returns:
            Potential [A] and field [A/m] to be added.
        """

    @abc.abstractmethod
    def count(self, sources: SourceTable, points: Points) -> int | None:
        """Capacity needed by `values`; None to let all sources meet all points.

        Inside a transformation of JAX, as under `jit`, the values are tracers: a fixed capacity, or
        None, is all that can be given there.

        Args:
            sources: Source table.
            points: Points of evaluation [m].

        Returns:
            The capacity.
        """

    def exact_points(self, sources: SourceTable, points: Points) -> Int[Array, " sources"]:
        """Number of points at which each source is computed exactly; all, unless overridden.

        Args:
            sources: Source table; rows of zero moment have none.
            points: Points of evaluation [m].

        Returns:
            The numbers.
        """
        return jnp.where(nonzero(sources[:, : points.shape[1]]), len(points), 0)

    @abc.abstractmethod
    def targets(
        self,
        sources: SourceTables,
        points: Points,
        potential: BlockPotential,
        field: BlockField,
    ) -> tuple[BlockPotential, BlockField]:
        """Targets of the learned part: the labels without the near part.

        Args:
            sources: Source tables of samples that share their points.
            points: Points of evaluation [m].
            potential: Labels [A].
            field: Labels [A/m].

        Returns:
            Potential [A] and field [A/m] without this part.
        """

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Near part of samples that share their points, some at a time.

        Args:
            sources: Source tables of the samples.
            points: Points of evaluation [m].

        Returns:
            Potential [A] and field [A/m] to be added.
        """

        def of_sample(table: SourceTable) -> tuple[Potential, FieldValues]:
            return self.values(table, points, None)

        each = sources.shape[1] * len(points)
        return over_samples(of_sample, (sources,), each, _PAIRS_AT_ONCE[sums_platform()])
