"""Interface of every network from arrays to arrays: physical values in, physical values out."""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.arrays import Numbers, real_array
from hypermagnetics.errors import ExtensionError, InputError
from hypermagnetics.few_sizes import placed
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.network import Network

_FINAL = ("__call__", "derivative", "jacobian", "with_derivatives")
"""Methods that no architecture overrides."""

_Sample = Float[Array, "..."]


class ArrayModel(Network):
    """A function from an array of fixed shape to another, of each sample by itself.

    An architecture defines `apply`, from numbers of order 1 to numbers of order 1; everything else
    makes them of physical values and back, as `inputs` says.
    """

    inputs: eqx.AbstractVar[ArrayInputs]

    def __init_subclass__(cls) -> None:
        """Refuse a class that overrides members reserved for ArrayModel.

        Raises:
            ExtensionError: If it does.
        """
        super().__init_subclass__()
        own = [name for name in _FINAL if getattr(cls, name) is not getattr(ArrayModel, name)]
        if own:
            raise ExtensionError(
                f"A network of arrays must inherit {', '.join(_FINAL)} from ArrayModel; got "
                f"{cls.__module__}:{cls.__qualname__}, which defines {', '.join(own)}. Define "
                "apply instead, see docs/extending.md."
            )

    @property
    def takes_other_sides(self) -> bool:
        """Whether axes behind that of the channels may have other lengths than in training."""
        return False

    @abc.abstractmethod
    def apply(self, values: _Sample) -> _Sample:
        """Map one sample, in numbers of order 1.

        Args:
            values: Of the shape of `inputs.input`.

        Returns:
            Of the shape of `inputs.target`.
        """

    @with_constants
    def __call__(self, inputs: Numbers) -> Float[Array, "..."]:
        """Predict the targets of some inputs.

        Args:
            inputs: Physical values, of the shape of `inputs.input` or with further axes before it.
                Any array of numbers; JAX rounds it to float32 unless it is set to float64.

        Returns:
            Physical values, of the shape of `inputs.target` behind the same further axes.

        Raises:
            InputError: If the shape is another.
        """
        return self._of_samples(self._physical, self._checked(inputs, "Inputs"))

    @with_constants
    def derivative(self, inputs: Numbers, changes: Numbers) -> Float[Array, "..."]:
        """Derivative of the targets along changes of the inputs, exactly, by forward mode.

        Args:
            inputs: As of a call.
            changes: Changes of the inputs, of the same shape.

        Returns:
            Changes of the targets, to first order.

        Raises:
            InputError: If a shape is another.
        """
        at, along = self._checked(inputs, "Inputs"), self._checked(changes, "Changes of inputs")
        if at.shape != along.shape:
            raise InputError(
                f"Changes of inputs must have the shape of the inputs, {list(at.shape)}; got "
                f"{list(along.shape)}. Give one for each value."
            )

        dtype = jnp.result_type(at, along)

        def of_sample(values: _Sample, change: _Sample) -> _Sample:
            found: Array = jax.jvp(self._physical, (values,), (change,))[1]
            return found

        return self._of_samples(of_sample, at.astype(dtype), along.astype(dtype))

    @with_constants
    def with_derivatives(
        self, inputs: Float[Array, "..."], changes: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Targets, and their derivatives along several changes of the inputs of each sample.

        Args:
            inputs: Physical values, with one axis of samples before their shape.
            changes: Changes of the inputs, of the same shape and a last axis of directions.

        Returns:
            The targets; and their changes, to first order, with the directions last.
        """

        def of_sample(values: _Sample, directions: _Sample) -> tuple[_Sample, _Sample]:
            found, derivative = jax.linearize(self._physical, values)
            return found, jax.vmap(derivative, -1, -1)(directions)

        both: tuple[Array, Array] = jax.vmap(of_sample)(inputs, changes)
        return both

    @with_constants
    def jacobian(self, inputs: Numbers) -> Float[Array, "..."]:
        """Derivatives of all targets by all inputs, exactly.

        In forward mode, or in reverse mode where there are fewer targets than inputs.

        Args:
            inputs: As of a call.

        Returns:
            Derivatives, with the axes of the targets and then those of the inputs behind the
            further axes.

        Raises:
            InputError: If the shape is another.
        """
        forward = self.inputs.input.size <= self.inputs.target.size
        of_sample = (jax.jacfwd if forward else jax.jacrev)(self._physical)
        return self._of_samples(of_sample, self._checked(inputs, "Inputs"))

    def _physical(self, values: _Sample) -> _Sample:
        return self.inputs.target.physical(self.apply(self.inputs.input.standard(values)))

    def _checked(self, inputs: Numbers, what: str) -> Float[Array, "..."]:
        values = inputs
        if not isinstance(inputs, jax.Array):
            given = real_array(inputs, what, InputError)
            # Else JAX warns that it rounds.
            values = placed(given.astype(jax.dtypes.canonicalize_dtype(given.dtype)))
        shape = self.inputs.input.shape
        own = values.shape[max(values.ndim - len(shape), 0) :]
        if self.takes_other_sides and len(own) == len(shape):
            own = (own[0], *shape[1:])
        if own != shape:
            raise InputError(
                f"{what} must have shape {list(shape)}, or further axes before it; got "
                f"{list(values.shape)}. Give {self.inputs.input.name} as in the dataset of the "
                "training."
            )
        if jnp.issubdtype(values.dtype, jnp.complexfloating):
            raise InputError(
                f"{what} must be real numbers; got {values.dtype}. Give their real part."
            )
        if not jnp.issubdtype(values.dtype, jnp.floating):
            values = values.astype(jnp.float32)
        found: Array = values
        return found

    def _of_samples(self, function: Any, *arguments: Float[Array, "..."]) -> Float[Array, "..."]:
        shape = self.inputs.input.shape
        further = arguments[0].shape[: arguments[0].ndim - len(shape)]
        own = arguments[0].shape[len(further) :]
        rows = [values.reshape(math.prod(further), *own) for values in arguments]
        found: Array = jax.vmap(function)(*rows)
        return found.reshape(*further, *found.shape[1:])
