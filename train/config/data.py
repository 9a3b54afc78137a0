"""[data]: splits, points of a step, and mode of reading."""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hypermagnetics.config import Config, Count, refusal, unknown_name
from hypermagnetics.data import ArrayName, CropConfig
from hypermagnetics.models.noise import Noise
from hypermagnetics.train.config.resume import MAY_CHANGE

_SHUFFLE_DISTANCE = 1

SymmetryName = Literal[
    "rotation", "quarter-turn", "reflection", "time-reversal", "scaling", "moment-scaling"
]


def _symmetry(name: object) -> object:
    known = get_args(SymmetryName)
    if isinstance(name, str) and name not in known:
        raise unknown_name(f"one of {', '.join(known)}", name, known)
    return name


class DataConfig(Config):
    """Splits, points of a step, and mode of reading."""

    train: str = "train"
    """Name of the split of the dataset that the model is trained on."""
    valid: str = "valid"
    """Name of the split on which the best parameters are chosen."""
    input: ArrayName | None = None
    """Array that a network from arrays to arrays reads; null for "inputs", or, of a dataset of
    sources, "sources", the columns that vary of samples with one source each."""
    target: ArrayName | None = None
    """Array that such a network gives; null for "targets", or, of a dataset of sources,
    "potential"."""
    noise: Noise | None = None
    """Noise that is added to the readings of objective "fisher"; null if they have their own."""
    blocks_per_batch: Annotated[int, Field(ge=1, le=4096)] | Literal["all"] = 1
    """Blocks in the batch of a step, of all processes together; "all" for the whole split. A block
    is the samples that share a grid, 256 in most datasets, so one is enough; objective "fisher"
    needs all."""
    points_per_step: Count | None = None
    """Points of each grid used in a step, drawn anew each step; null for all. Points are cheaper
    than samples: neighbours carry nearly the same information."""
    windows_per_sample: Annotated[int, Field(ge=1, le=4096)] = 1
    """Windows of each trajectory in a step of a training by rollouts, drawn anew each step: several
    where trajectories are few and long."""
    crop: CropConfig | None = None
    """Crops of regular grids: an epoch has each crop of each block, and a step uses the points of a
    crop, padding included, instead of all; null for whole grids."""
    mode: Annotated[Literal["auto", "device", "stream"], MAY_CHANGE] = "auto"
    """"device": the split is copied to the device once; "stream": batches are read from the mapped
    files while steps run; "auto": "device" where it fits and is not a CPU. The values are equal."""
    device_share: Annotated[float, Field(gt=0, le=1), MAY_CHANGE] = 0.5
    """Largest share of the memory of the device for the split."""
    div_data: bool = False
    """Shards are read nearly in the order of files, for data sets larger than the memory."""
    div_shuffle_dist: Annotated[int, Field(ge=0, le=2**31 - 1)] = _SHUFFLE_DISTANCE
    """With `div_data`: largest displacement of a block from its place, in shards; about that many
    shards are in memory. 0 is the order of files."""
    div_parts: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1
    """With `div_data`: parts of the data set that are read at the same time, each nearly in order;
    every batch has equally many blocks of each. With as many as processes, each process reads
    shards of its own."""
    check: Annotated[Literal["all", "sizes"], MAY_CHANGE] = "all"
    """"all": every byte of the dataset is compared with its sha256 before the first step; "sizes":
    only the sizes of its files are looked at, which is quick on a large dataset."""
    augment: tuple[Annotated[SymmetryName, BeforeValidator(_symmetry)], ...] = ()
    """Exact symmetries by which sources, points and labels of each step are changed at random, one
    after another: "rotation", "quarter-turn" (a rotation that keeps a square or a cube),
    "reflection", "time-reversal" (the sign of all moments), "scaling" (of all lengths) and
    "moment-scaling". See docs/normalisation.md."""

    @model_validator(mode="after")
    def _a_distance_is_of_divided_shards(self) -> "DataConfig":
        defaults = {"div_shuffle_dist": _SHUFFLE_DISTANCE, "div_parts": 1}
        for key, default in defaults.items():
            if not self.div_data and getattr(self, key) != default:
                raise refusal(
                    key,
                    "be left out unless data.div_data is true",
                    getattr(self, key),
                    "Remove it, or set data.div_data.",
                )
        return self

    def blocks_of(self, num_blocks: int) -> int:
        """Number of blocks in a batch of a split of so many."""
        return num_blocks if self.blocks_per_batch == "all" else self.blocks_per_batch

    @field_validator("augment")
    @classmethod
    def _each_once(cls, names: tuple[SymmetryName, ...]) -> tuple[SymmetryName, ...]:
        if len(set(names)) < len(names):
            raise ValueError("names of symmetries, each once")
        return names
