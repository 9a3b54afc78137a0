"""Errors of a network from maps to maps on the validation split."""

import jax
import numpy as np
from jaxtyping import Array, Int

from hypermagnetics.data import Crops
from hypermagnetics.jax_setup import own_program
from hypermagnetics.metrics import Errors, joined, measure, pooled_relative_l2
from hypermagnetics.models import AnyModel, ArrayModel, MapTarget
from hypermagnetics.models.map_arrays import points_of
from hypermagnetics.models.map_network import frame_of
from hypermagnetics.run_files import MapValidation
from hypermagnetics.train.devices import (
    AnyDeviceBatch,
    ArrayDeviceBatch,
    Augmentation,
    Devices,
)
from hypermagnetics.train.feed import TrainData, read_blocks
from hypermagnetics.train.objective import Objective
from hypermagnetics.train.validation import finite, median_of, number_of


class MapValidator:
    """Evaluates a network on crops that cover the maps of one split; see `Validator`."""

    def __init__(
        self,
        data: TrainData,
        crops: Crops | None,
        objective: Objective,
        devices: Devices,
        prepare: Augmentation,
    ) -> None:
        """Store the parts; the first call compiles.

        Args:
            data: The samples.
            crops: The crops of each; None for whole grids.
            objective: The loss.
            devices: Devices that share the samples of a block.
            prepare: Makes the maps of a batch.
        """
        self._data, self._crops, self._devices = data, crops, devices

        def evaluate(
            model: ArrayModel, batch: AnyDeviceBatch, number: Int[Array, ""]
        ) -> tuple[jax.Array, jax.Array, jax.Array]:
            maps = prepare(batch, number)
            assert isinstance(maps, ArrayDeviceBatch), "maps are arrays"
            found = model(maps.arrays["inputs"][0])
            return objective(model, maps).total, found, maps.arrays["targets"][0]

        self._evaluate = own_program(evaluate)

    def first_loss(self, model: AnyModel) -> float:
        """Objective on the first crop of the first block, a check of the parameters."""
        return self._of(model, 0, 0)[0]

    def __call__(self, model: AnyModel) -> MapValidation:
        """Loss and errors over all points of all crops of all samples."""
        assert isinstance(model, ArrayModel), "a network of arrays is validated on arrays"
        frame = frame_of(model.inputs)
        losses, counts = [], []
        errors: dict[MapTarget, list[Errors]] = {name: [] for name in frame.targets}
        channels = frame.channels_given(model.inputs.target.shape[0])
        for block in range(self._data.layout.num_blocks):
            for crop in range(1 if self._crops is None else len(self._crops)):
                loss, count, found, targets = self._of(model, block, crop)
                losses.append(loss)
                counts.append(count)
                for name, own in channels.items():
                    pair = (points_of(one[:count, own]) for one in (found, targets))
                    errors[name].append(measure(*pair))
        whole = {name: joined(parts) for name, parts in errors.items()}
        return MapValidation(
            loss=finite(np.average(losses, weights=counts)),
            **{f"{n}_median_relative_error": median_of([e.relative]) for n, e in whole.items()},
            **{f"{n}_global_relative_l2": finite(pooled_relative_l2(e)) for n, e in whole.items()},
        )

    def _of(
        self, model: AnyModel, block: int, crop: int
    ) -> tuple[float, int, np.ndarray, np.ndarray]:
        points = None if self._crops is None else self._crops.points(crop)[None]
        batch = read_blocks(self._data, (block,), points)
        taken = self._devices.take(batch)
        assert isinstance(model, ArrayModel), "a network of arrays is validated on arrays"
        loss, found, targets = self._evaluate(model, taken, number_of(block))
        return float(loss), int(batch.num_samples[0]), np.asarray(found), np.asarray(targets)
