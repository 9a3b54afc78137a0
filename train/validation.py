"""Errors on the validation split."""

from collections.abc import Callable, Iterator

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
from hypermagnetics.train.processes import over_processes


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

        def of_block(index: int) -> tuple[np.ndarray, ...]:
            batch = read_batch(self._split, (index,))
            count = int(batch.num_samples[0])
            # As hm-eval does; the closed form is compiled only if a block leaves the domain.
            guard = model.program_guard(batch.sources[0], batch.grid[0])
            taken = self._devices.take(batch)
            loss, potential, field = self._evaluate(model, taken, number_of(index), guard)
            block = self._split.block(index)
            return (
                *weighted(loss, count),
                measure(np.asarray(potential)[:count], block.potential).relative,
                measure(np.asarray(field)[:count], block.field).relative,
            )

        losses, counts, of_potential, of_field = columns_of(self._split.layout.num_blocks, of_block)
        return Validation(
            loss=mean_loss(losses, counts),
            potential_median_relative_error=median_of(of_potential),
            field_median_relative_error=median_of(of_field),
        )


def columns_of(
    blocks: int, of_block: Callable[[int], tuple[np.ndarray, ...]]
) -> Iterator[list[np.ndarray]]:
    """Results of all blocks, which the processes divide among them: each result of all in order.

    Args:
        blocks: Number of blocks.
        of_block: Results of a block.
    """
    results = over_processes(blocks, of_block)
    return map(list, zip(*results, strict=True))


def weighted(loss: jax.Array, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The loss of a block, and its number of samples."""
    return np.asarray(loss, np.float64), np.asarray(count)


def mean_loss(losses: list[np.ndarray], counts: list[np.ndarray]) -> float | None:
    """Mean of the losses of blocks over their samples; None if it is not finite."""
    return finite(np.average(losses, weights=counts))


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
