"""Errors of a network from maps to maps on the validation split."""

import jax
import numpy as np
from jaxtyping import Array, Int

from hypermagnetics.data import Crops
from hypermagnetics.jax_setup import own_program
from hypermagnetics.metrics import Errors, joined, measure, pooled_relative_l2
from hypermagnetics.models import AnyModel, ArrayModel
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
from hypermagnetics.train.validation import (
    columns_of,
    finite,
    mean_loss,
    median_of,
    number_of,
    weighted,
)


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
        return float(self._of(model, 0, 0)[0])

    def __call__(self, model: AnyModel) -> MapValidation:
        """Loss and errors over all points of all crops of all samples."""
        assert isinstance(model, ArrayModel), "a network of arrays is validated on arrays"
        frame = frame_of(model.inputs)
        channels = frame.channels_given(model.inputs.target.shape[0])
        crops = 1 if self._crops is None else len(self._crops)

        def of_crop(index: int) -> tuple[np.ndarray, ...]:
            loss, count, found, targets = self._of(model, *divmod(index, crops))
            errors = [
                measure(*(points_of(one[:count, own]) for one in (found, targets)))
                for own in channels.values()
            ]
            return *weighted(loss, count), *(part for one in errors for part in one.arrays)

        losses, counts, *arrays = columns_of(self._data.layout.num_blocks * crops, of_crop)
        size = len(arrays) // len(channels)
        of_targets = (arrays[i : i + size] for i in range(0, len(arrays), size))
        whole = {
            name: joined([Errors(*crop) for crop in zip(*parts, strict=True)])
            for name, parts in zip(channels, of_targets, strict=True)
        }
        return MapValidation(
            loss=mean_loss(losses, counts),
            **{f"{n}_median_relative_error": median_of([e.relative]) for n, e in whole.items()},
            **{f"{n}_global_relative_l2": finite(pooled_relative_l2(e)) for n, e in whole.items()},
        )

    def _of(
        self, model: AnyModel, block: int, crop: int
    ) -> tuple[jax.Array, int, np.ndarray, np.ndarray]:
        points = None if self._crops is None else self._crops.points(crop)[None]
        batch = read_blocks(self._data, (block,), points)
        taken = self._devices.take(batch)
        assert isinstance(model, ArrayModel), "a network of arrays is validated on arrays"
        loss, found, targets = self._evaluate(model, taken, number_of(block))
        return loss, int(batch.num_samples[0]), np.asarray(found), np.asarray(targets)
