"""Errors on the validation split."""

import jax
import numpy as np
from jaxtyping import Array, Int

from hypermagnetics.data import Split, read_batch
from hypermagnetics.jax_setup import own_program
from hypermagnetics.metrics import measure
from hypermagnetics.models import Model
from hypermagnetics.models.outside import Guard
from hypermagnetics.run_files import Validation
from hypermagnetics.train.devices import Augmentation, DeviceBatch, Devices, unchanged
from hypermagnetics.train.objective import Objective


class Validator:
    """Evaluates a model on one split, block by block."""

    def __init__(
        self,
        split: Split,
        objective: Objective,
        devices: Devices,
        prepare: Augmentation = unchanged,
    ) -> None:
        """Store the parts; the first call compiles.

        Args:
            split: The samples.
            objective: The loss.
            devices: Devices that share the samples of a block.
            prepare: Change of a batch before the objective, of the number of its block.
        """
        self._split, self._objective, self._devices = split, objective, devices

        def evaluate(
            model: Model, batch: DeviceBatch, number: Int[Array, ""], guard: Guard
        ) -> tuple[jax.Array, jax.Array, jax.Array]:
            potential, field = model.block(batch.sources[0], batch.grid[0], guard)
            return objective(model, prepare(batch, number)).total, potential, field

        self._evaluate = own_program(evaluate)

    def first_loss(self, model: Model) -> float:
        """Objective on the first block, a check that the parameters are sound."""
        batch = self._devices.take(read_batch(self._split, (0,)))
        loss, _, _ = self._evaluate(model, batch, _number(0), "none")
        return float(loss)

    def __call__(self, model: Model) -> Validation:
        """Loss and median relative errors over all points of all samples."""
        losses, counts = [], []
        errors: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for index in range(self._split.layout.num_blocks):
            batch = read_batch(self._split, (index,))
            count = int(batch.num_samples[0])
            # As hm-eval does; the closed form is compiled only if a block leaves the domain.
            guard = model.program_guard(batch.sources[0], batch.grid[0])
            taken = self._devices.take(batch)
            loss, potential, field = self._evaluate(model, taken, _number(index), guard)
            losses.append(float(loss))
            counts.append(count)
            block = self._split.block(index)
            errors[0].append(measure(np.asarray(potential)[:count], block.potential).relative)
            errors[1].append(measure(np.asarray(field)[:count], block.field).relative)
        return Validation(
            loss=_finite(np.average(losses, weights=counts)),
            potential_median_relative_error=_median(errors[0]),
            field_median_relative_error=_median(errors[1]),
        )


def _number(index: int) -> Int[Array, ""]:
    # Not jnp.asarray, which would run a program of its own to convert a number of Python's.
    number: jax.Array = jax.device_put(np.int32(index))
    return number


def _median(errors: list[np.ndarray]) -> float | None:
    pooled = np.concatenate([part.ravel() for part in errors])
    # NaN marks points of zero truth, which have no relative error.
    known = pooled[~np.isnan(pooled)]
    return _finite(np.median(known)) if known.size else None


def _finite(value: np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None
