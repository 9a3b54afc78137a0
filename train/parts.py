"""Parts of a training that depend on its kind, apart as both kinds are made of them.

A model of sources learns potential and field; a network from arrays to arrays learns targets, or
summaries of readings.
"""

from dataclasses import dataclass

from hypermagnetics.data import Crops
from hypermagnetics.data.schedule import Windows
from hypermagnetics.models import AnyModel, ArrayInputs, ModelInputs
from hypermagnetics.train.devices import Augmentation
from hypermagnetics.train.feed import TrainData
from hypermagnetics.train.objective import Objective


@dataclass(frozen=True)
class Parts:
    """Data, model and objective of a training."""

    train: TrainData
    valid: TrainData
    inputs: ModelInputs | ArrayInputs
    template: AnyModel
    """Structure of the model, with shapes in place of arrays."""
    objective: Objective
    augment: Augmentation
    """Change of the batch of a step."""
    prepare_valid: Augmentation
    """Change of a batch of the validation split, the same in each validation."""
    crops: Crops | None = None
    """Crops of the grids in a step; None for whole grids."""
    crops_of_valid: Crops | None = None
    """Crops of maps in a validation, which cover them; None for whole grids."""
    windows: Windows | None = None
    """Windows of trajectories in a step; None for whole samples."""
    windows_of_valid: Windows | None = None
    """Windows of trajectories in a validation; None for whole samples."""
