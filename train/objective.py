"""The loss of a batch, by terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hypermagnetics.errors import ExtensionError
from hypermagnetics.models import Model
from hypermagnetics.train.batch import DeviceBatch
from hypermagnetics.train.config import ObjectiveConfig
from hypermagnetics.user_code import is_user_name, must

PointLoss = Callable[
    [Float[Array, "*shape components"], Float[Array, "*shape components"]], Float[Array, "*shape"]
]
"""Loss of each point, from error and truth in units of the root mean square of the truth: one
component for the potential, `dim` for the field."""

SampleLosses = dict[str, Float[Array, "blocks samples"]]
"""Unweighted losses of each sample, by term."""


class Losses(eqx.Module):
    """The loss, and its terms before weighting."""

    total: Float[Array, ""]
    terms: dict[str, Float[Array, ""]]


@dataclass(frozen=True)
class Term:
    """A loss of the error of potential or field, averaged over the points of a sample."""

    of: str
    loss: PointLoss
    weight: float
    rms: float
    """Root mean square of the truth, of its norm if it is the field [A or A/m]."""

    def __call__(
        self,
        error: Float[Array, "blocks samples points components"],
        truth: Float[Array, "blocks samples points components"],
    ) -> Float[Array, "blocks samples"]:
        """The loss of each sample."""
        return jnp.mean(self.loss(error / self.rms, truth / self.rms), axis=-1)


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms, each a mean over samples."""

    terms: Mapping[str, Term]

    def weighted(self, weights: Mapping[str, float]) -> "Objective":
        """The same terms with other weights where some are given."""
        return Objective(
            {
                name: replace(term, weight=weights.get(name, term.weight))
                for name, term in self.terms.items()
            }
        )

    def __call__(self, model: Model, batch: DeviceBatch) -> Losses:
        """Loss of a batch; samples that fill up a block do not count."""
        # A batch of empty blocks alone has no error.
        return self.of_sums(self.sums(model, batch), jnp.maximum(jnp.sum(batch.num_samples), 1))

    def sums(self, model: Model, batch: DeviceBatch) -> dict[str, Float[Array, ""]]:
        """Each term, added over the samples that count."""
        valid = jnp.arange(batch.sources.shape[1])[None] < batch.num_samples[:, None]
        losses = self.of_samples(model, batch)
        return {name: _sum(values, valid) for name, values in losses.items()}

    def of_sums(self, sums: Mapping[str, Float[Array, ""]], count: Array) -> Losses:
        """The loss of `count` samples, from sums over them."""
        means = {name: value / count.astype(value.dtype) for name, value in sums.items()}
        total = sum((self.terms[name].weight * mean for name, mean in means.items()), jnp.zeros(()))
        return Losses(total, means)

    def of_samples(self, model: Model, batch: DeviceBatch) -> SampleLosses:
        """Every term of every sample, also of those that fill up a block."""
        # A loop over the few blocks, not a vmap: on CPU the reverse pass through batched products
        # takes twice as long.
        blocks = zip(batch.sources, batch.grid, batch.potential, batch.field, strict=True)
        errors = [model.errors(*block) for block in blocks]
        potential = jnp.stack([values for values, _ in errors])[..., None]
        field = jnp.stack([values for _, values in errors])
        pairs = {
            "potential": (potential, batch.potential[..., None]),
            "field": (field, batch.field),
        }
        return {name: term(*pairs[term.of]) for name, term in self.terms.items()}


def make_objective(
    config: ObjectiveConfig,
    potential_rms: float,
    field_rms: float,
    user_losses: Mapping[str, PointLoss] | None = None,
) -> Objective:
    """Put an objective together.

    Args:
        config: What the recipe says.
        potential_rms: Root mean square of the potential [A].
        field_rms: Root mean square of the norm of the field [A/m].
        user_losses: The functions of a user that the config names.

    Returns:
        The objective.
    """
    rms = {"potential": potential_rms, "field": field_rms}
    terms = {}
    for name, term in config.terms.items():
        loss = _point_loss(term.loss or config.loss, term.delta or config.delta, user_losses or {})
        terms[name] = Term(term.of, loss, term.weight, rms[term.of])
    return Objective(terms)


def _point_loss(name: str, delta: float, user_losses: Mapping[str, PointLoss]) -> PointLoss:
    if is_user_name(name):
        return user_losses[name]
    if name == "mse":
        return lambda error, truth: jnp.sum(error**2, axis=-1)
    return lambda error, truth: huber(jnp.sum(error**2, axis=-1), delta)


def check_point_loss(loss: PointLoss, name: str, dim: int) -> None:
    """See that a user's loss gives one float for each point.

    Args:
        loss: The function.
        name: `module:name`, for messages.
        dim: Components of the field.

    Raises:
        ExtensionError: If it fails, or gives something else.
    """
    points = (2, 3)  # any leading axes, of sizes that are not taken for `components`
    for what, components in (("potential", 1), ("field", dim)):
        array = jax.ShapeDtypeStruct((*points, components), jnp.float32)
        rule = (
            f"{name} must give a loss of shape {points} in floats for error and truth of the "
            f"{what}, each of shape {array.shape}"
        )
        with must(rule, loss, "objective.loss"):
            found = eqx.filter_eval_shape(loss, array, array)
        given = (getattr(found, "shape", None), getattr(found, "dtype", int))
        if given[0] != points or not jnp.issubdtype(given[1], jnp.floating):
            got = eqx.tree_pformat(found, struct_as_array=True).replace("\n", " ")
            raise ExtensionError(
                f"{rule}; got {got} (objective.loss). Reduce the last axis, and only that."
            )


def huber(squared: Float[Array, "*shape"], delta: float) -> Float[Array, "*shape"]:
    """Huber's loss of a vector, divided by delta: |e|²/(2 delta) up to delta, then |e| - delta/2.

    Args:
        squared: |e|².
        delta: Where it turns from quadratic to linear.

    Returns:
        The loss; its gradient is finite also at e = 0.
    """
    # The root is kept away from 0, where its gradient is infinite, also in the branch not taken.
    small = squared < delta**2
    norm = jnp.sqrt(jnp.where(small, delta**2, squared))
    return jnp.where(small, squared / (2 * delta), norm - delta / 2)


def _sum(values: Float[Array, "blocks samples"], valid: Bool[Array, "blocks samples"]) -> Array:
    return jnp.sum(jnp.where(valid, values, 0))
