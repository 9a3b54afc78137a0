"""Errors on the validation split."""

import jax
import numpy as np
from jaxtyping import Array, Int

from hypermagnetics.data import Split, read_batch
from hypermagnetics.jax_setup import own_program
from hypermagnetics.metrics import measure
from hypermagnetics.models import AnyModel, Model
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

    def first_loss(self, model: AnyModel) -> float:
        """Objective on the first block, a check that the parameters are sound."""
        assert isinstance(model, Model), "a model of sources is validated on sources"
        batch = self._devices.take(read_batch(self._split, (0,)))
        loss, _, _ = self._evaluate(model, batch, number_of(0), "none")
        return float(loss)

    def __call__(self, model: AnyModel) -> Validation:
        """Loss and median relative errors over all points of all samples."""
        assert isinstance(model, Model), "a model of sources is validated on sources"
        losses, counts = [], []
        errors: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for index in range(self._split.layout.num_blocks):
            batch = read_batch(self._split, (index,))
            count = int(batch.num_samples[0])
            # As hm-eval does; the closed form is compiled only if a block leaves the domain.
            guard = model.program_guard(batch.sources[0], batch.grid[0])
            taken = self._devices.take(batch)
            loss, potential, field = self._evaluate(model, taken, number_of(index), guard)
            losses.append(float(loss))
            counts.append(count)
            block = self._split.block(index)
            errors[0].append(measure(np.asarray(potential)[:count], block.potential).relative)
            errors[1].append(measure(np.asarray(field)[:count], block.field).relative)
        return Validation(
            loss=finite(np.average(losses, weights=counts)),
            potential_median_relative_error=median_of(errors[0]),
            field_median_relative_error=median_of(errors[1]),
        )


def number_of(index: int) -> Int[Array, ""]:
    """The number of a block, on the device."""
    # Not jnp.asarray, which would run a program of its own to convert a number of Python's.
    number: jax.Array = jax.device_put(np.int32(index))
    return number


def median_of(errors: list[np.ndarray]) -> float | None:
    """Median of relative errors; None if none is known, or it is infinite."""
    pooled = np.concatenate([part.ravel() for part in errors])
    # NaN marks points of zero truth, which have no relative error.
    known = pooled[~np.isnan(pooled)]
    return finite(np.median(known)) if known.size else None


def finite(value: np.floating) -> float | None:
    """The number; None if it is not finite."""
    return float(value) if np.isfinite(value) else None


def relative_of_samples(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|predicted - truth| / |truth| of each sample, of vectors of all of its values."""
    rows = [values.reshape(len(values), 1, -1) for values in (predicted, truth)]
    return measure(*rows).relative
