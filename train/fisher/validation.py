"""Fisher information of the summaries of the validation split."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from hypermagnetics.data.array_view import ArrayView, read_array_batch
from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import AnyModel, ArrayModel
from hypermagnetics.run_files import FisherValidation
from hypermagnetics.train.devices import ArrayDeviceBatch, Augmentation, Devices
from hypermagnetics.train.fisher.objective import SUMS, FisherLosses, FisherObjective
from hypermagnetics.train.objective import Sums
from hypermagnetics.train.validation import columns_of, finite, number_of


class FisherValidator:
    """Evaluates summaries on one split, block by block; see `Validator`."""

    def __init__(
        self, view: ArrayView, objective: FisherObjective, devices: Devices, prepare: Augmentation
    ) -> None:
        """Store the parts; the first call compiles. Arguments as of `Validator`."""
        self._view, self._devices = view, devices

        def reference(
            model: ArrayModel, batch: ArrayDeviceBatch, number: Int[Array, ""]
        ) -> jax.Array:
            return objective.reference(model, prepare(batch, number))

        def sums(
            model: ArrayModel, batch: ArrayDeviceBatch, number: Int[Array, ""], at: jax.Array
        ) -> Sums:
            return objective.sums(model, prepare(batch, number), at)

        def losses(sums: Sums, count: Int[Array, ""]) -> FisherLosses:
            return objective.of_sums(sums, count)

        self._reference, self._sums = own_program(reference), own_program(sums)
        self._losses = own_program(losses)

    def first_loss(self, model: AnyModel) -> float:
        """Sum of the first summaries, a check that the parameters are sound.

        One block alone may have no derivatives, or too few samples for a covariance.
        """
        return float(sum(np.sum(values) for values in self._of_block(model, 0, None).values()))

    def __call__(self, model: AnyModel) -> FisherValidation:
        """Loss and Fisher information of all samples; sums of blocks are added in float64."""
        network = _network(model)
        at = self._reference(network, self._taken(0), number_of(0))

        def of_block(index: int) -> tuple[np.ndarray, ...]:
            found = self._of_block(model, index, at)
            return tuple(found[name] for name in SUMS)

        columns = columns_of(self._view.layout.num_blocks, of_block)
        sums = {
            name: jnp.asarray(sum(values), jnp.float32)
            for name, values in zip(SUMS, columns, strict=True)
        }
        found = self._losses(sums, jax.device_put(np.int32(len(self._view))))
        numbers = found.fisher.record().model_dump()
        return FisherValidation(loss=finite(np.float64(found.total)), **numbers)

    def _of_block(self, model: AnyModel, index: int, at: jax.Array | None) -> dict[str, np.ndarray]:
        network, batch, number = _network(model), self._taken(index), number_of(index)
        near = self._reference(network, batch, number) if at is None else at
        found = self._sums(network, batch, number, near)
        return {name: np.asarray(values, np.float64) for name, values in found.items()}

    def _taken(self, index: int) -> ArrayDeviceBatch:
        return self._devices.take(read_array_batch(self._view, (index,)))


def _network(model: AnyModel) -> ArrayModel:
    assert isinstance(model, ArrayModel), "summaries are of networks"
    return model
