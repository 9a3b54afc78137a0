"""Errors of a network from arrays to arrays on the validation split."""

import jax
import numpy as np
from jaxtyping import Array, Int

from hypermagnetics.data.array_view import ArrayView, read_array_batch
from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import AnyModel, ArrayModel
from hypermagnetics.run_files import ArrayValidation
from hypermagnetics.train.devices import ArrayDeviceBatch, Augmentation, Devices, unchanged
from hypermagnetics.train.objective import Objective
from hypermagnetics.train.validation import (
    columns_of,
    mean_loss,
    median_of,
    number_of,
    relative_of_samples,
    weighted,
)


class ArrayValidator:
    """Evaluates a network on one split, block by block; see `Validator`."""

    def __init__(
        self,
        view: ArrayView,
        objective: Objective,
        devices: Devices,
        prepare: Augmentation = unchanged,
    ) -> None:
        """Store the parts; the first call compiles. Arguments as of `Validator`."""
        self._view, self._objective, self._devices = view, objective, devices
        has_jacobian = "jacobian" in view.viewed

        def evaluate(
            model: ArrayModel, batch: ArrayDeviceBatch, number: Int[Array, ""]
        ) -> tuple[jax.Array, jax.Array, jax.Array | None]:
            inputs = batch.arrays["inputs"][0]
            slopes = model.jacobian(inputs) if has_jacobian else None
            return objective(model, prepare(batch, number)).total, model(inputs), slopes

        self._evaluate = own_program(evaluate)

    def first_loss(self, model: AnyModel) -> float:
        """Objective on the first block, a check that the parameters are sound."""
        assert isinstance(model, ArrayModel), "a network of arrays is validated on arrays"
        batch = self._devices.take(read_array_batch(self._view, (0,)))
        loss, _, _ = self._evaluate(model, batch, number_of(0))
        return float(loss)

    def __call__(self, model: AnyModel) -> ArrayValidation:
        """Loss and median relative errors over all samples."""
        assert isinstance(model, ArrayModel), "a network of arrays is validated on arrays"
        scales = model.inputs.input.scales

        def of_block(index: int) -> tuple[np.ndarray, ...]:
            batch = read_array_batch(self._view, (index,))
            count = int(batch.num_samples[0])
            loss, found, slopes = self._evaluate(model, self._devices.take(batch), number_of(index))
            targets = batch.arrays["targets"][0, :count]
            errors = relative_of_samples(np.asarray(found)[:count], targets)
            if slopes is None:
                return *weighted(loss, count), errors
            true = batch.arrays["jacobian"][0, :count]
            of_slopes = relative_of_samples(np.asarray(slopes)[:count] * scales, true * scales)
            return *weighted(loss, count), errors, of_slopes

        losses, counts, of_targets, *rest = columns_of(self._view.layout.num_blocks, of_block)
        return ArrayValidation(
            loss=mean_loss(losses, counts),
            targets_median_relative_error=median_of(of_targets),
            jacobian_median_relative_error=median_of(rest[0]) if rest else None,
        )
