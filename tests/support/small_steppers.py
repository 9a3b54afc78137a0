"""Steppers of three spheres, and the inputs that they are made from."""

import numpy as np

from hypermagnetics.dynamics.llg import LLG
from hypermagnetics.dynamics.soft import Soft
from hypermagnetics.models import (
    ArrayInputs,
    ArrayScales,
    ModelInputs,
    MomentFrame,
    StepFrame,
    TrainedRange,
)
from hypermagnetics.sources import SourceColumns

SPHERES = SourceColumns.of("sphere", constants={"radius": 0.4})
LAW = LLG(kind="llg", time_step=1e-5, num_steps=5, applied_field=(0.0, 0.0, 0.2))
TABLE = np.array(
    [
        [0.6, 0.0, 0.8, -0.8, 0.1, 0.0],
        [0.0, 1.0, 0.0, 0.5, 0.6, -0.2],
        [1.0, 0.0, 0.0, 0.2, -0.7, 0.4],
    ],
    np.float32,
)


def stepper_inputs(dynamics: LLG | Soft = LAW) -> ArrayInputs:
    seen = TrainedRange(sources=((-1.0, 1.0),) * 6, points=((-1.0, 1.0),) * 3)
    moments = MomentFrame(dynamics=dynamics, sources=ModelInputs(columns=SPHERES, trained=seen))
    return ArrayInputs(
        input=ArrayScales(name="sources", shape=(3, moments.width), columns=moments.names),
        target=ArrayScales(name="moments", shape=(3, 3), unit="A m^2"),
        steps=StepFrame(time_step=dynamics.seconds, moments=moments),
    )
