"""Errors of rollouts of a network on the validation split."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from hypermagnetics.data.array_view import ArrayView, read_array_batch
from hypermagnetics.data.schedule import Windows
from hypermagnetics.jax_setup import own_program
from hypermagnetics.models import AnyModel, ArrayModel, frame_of_steps
from hypermagnetics.models.rollout import states_behind
from hypermagnetics.run_files import RolloutValidation
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch, Augmentation, Devices
from hypermagnetics.train.objective import Objective
from hypermagnetics.train.validation import (
    columns_of,
    mean_loss,
    median_of,
    number_of,
    relative_of_samples,
    weighted,
)


class RolloutValidator:
    """Evaluates a network on one window of each trajectory of a split; see `Validator`.

    Windows are drawn once, from a seed, and are the same in each validation.
    """

    def __init__(
        self,
        view: ArrayView,
        windows: Windows,
        seed: int,
        objective: Objective,
        devices: Devices,
        prepare: Augmentation,
    ) -> None:
        """Store the parts; the first call compiles.

        Args:
            view: The samples.
            windows: Windows of their trajectories.
            seed: Seed of the windows.
            objective: The loss.
            devices: Devices that share the samples of a block.
            prepare: Change of a batch.
        """
        self._view, self._windows, self._seed, self._devices = view, windows, seed, devices

        def evaluate(
            model: ArrayModel, batch: AnyDeviceBatch, number: Int[Array, ""]
        ) -> tuple[jax.Array, jax.Array]:
            changed = prepare(batch, number)
            assert isinstance(changed, ArrayDeviceBatch), "trajectories are arrays"
            return objective(model, changed).total, _rolled_out(model, changed)

        self._evaluate = own_program(evaluate)

    def first_loss(self, model: AnyModel) -> float:
        """Objective on the first block, a check of the parameters."""
        return float(self._of(model, 0)[0])

    def __call__(self, model: AnyModel) -> RolloutValidation:
        """Loss, and errors after the first and the last step of all windows."""

        def of_block(block: int) -> tuple[np.ndarray, ...]:
            loss, found, truth = self._of(model, block)
            errors = (relative_of_samples(found[:, step], truth[:, step]) for step in (0, -1))
            return *weighted(loss, len(truth)), *errors

        losses, counts, first, last = columns_of(self._view.layout.num_blocks, of_block)
        return RolloutValidation(
            loss=mean_loss(losses, counts),
            step_median_relative_error=median_of(first),
            rollout_median_relative_error=median_of(last),
            rollout_steps=self._windows.length - 1,
        )

    def _of(self, model: AnyModel, block: int) -> tuple[jax.Array, np.ndarray, np.ndarray]:
        """Loss of a block, and its states behind each step, of the network and true ones."""
        starts = self._windows.fixed_starts(self._seed, block)
        batch = read_array_batch(self._view, (block,), windows=starts)
        assert isinstance(model, ArrayModel), "a network of arrays is validated on arrays"
        loss, found = self._evaluate(model, self._devices.take(batch), number_of(block))
        count = int(batch.num_samples[0])
        return loss, np.asarray(found)[:count], batch.arrays["states"][0, :count, 1:]


def _rolled_out(model: ArrayModel, batch: ArrayDeviceBatch) -> Float[Array, "samples steps ..."]:
    """States of a network behind each step of the windows of the one block of a batch."""
    frame, states = frame_of_steps(model), batch.arrays["states"][0]
    inputs = states[:, 0]
    if frame.moments is not None:
        inputs = frame.following(frame.begun(batch.arrays["sources"][0]), inputs)
    return jnp.moveaxis(states_behind(model, inputs, states.shape[1] - 1), 0, 1)
