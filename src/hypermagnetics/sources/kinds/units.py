"""Units of length of bodies: powers of two, so that changes of unit round nothing."""

from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from hypermagnetics.sources.kinds.elementary import power_of_two_above
from hypermagnetics.sources.values import Components, Values


class Unit(NamedTuple):
    """A unit of length. Nothing depends on it, so no gradient passes through it."""

    length: Float[Array, "..."]
    """The unit [m]."""
    inverse: Float[Array, "..."]
    """One over it [1/m]."""

    @classmethod
    def above(cls, length: Float[Array, "..."]) -> "Unit":
        """The power of two above a length [m]."""
        unit = power_of_two_above(jax.lax.stop_gradient(length))
        return cls(unit, 1 / unit)

    def lengths(self, values: Components) -> list[Float[Array, "..."]]:
        """Lengths [m] in this unit."""
        return [value * self.inverse for value in values]

    def moments(self, values: Components) -> list[Float[Array, "..."]]:
        """Moments over the n-th power of the unit, n being their components [A/m].

        They are divided once for each power, as d³ and m d may leave the float type where moment
        and magnetisation do not.
        """
        found = self.lengths(values)
        for _ in values[1:]:
            found = self.lengths(found)
        return found

    def potential(self, values: Values) -> Values:
        """Potential and field, of moments and lengths in this unit, in [A] and [A/m]."""
        return Values(values.potential * self.length, values.field)
