"""Interface of the plans of datasets, one class for each kind of recipe."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

from hypermagnetics.data import AnyBlock, AnyLayout, Discretisation, Identity, LabelDevice, Shard

_SOFTWARE = ("hypermagnetics", "jax", "jaxlib", "numpy", "scipy", "zarr", "h5py")
"""Packages that determine the bytes."""


@dataclass(frozen=True)
class Plan(abc.ABC):
    """All that determines the bytes of a dataset."""

    identity: Identity

    @property
    def layouts(self) -> Mapping[str, AnyLayout]:
        """Layouts of the splits, by name."""
        return self.identity.splits

    @property
    def num_samples(self) -> int:
        """Number of samples of all splits."""
        return sum(layout.num_samples for layout in self.layouts.values())

    @property
    def num_bytes(self) -> int:
        """Bytes of the values of all splits."""
        return sum(layout.num_bytes for layout in self.layouts.values())

    def shards(self) -> list[tuple[str, Shard]]:
        """All shards in the order of work."""
        return [(name, shard) for name, layout in self.layouts.items() for shard in layout.shards()]

    def on(self, device: LabelDevice) -> "Plan":
        """The same, computed on a device.

        Raises:
            RecipeError: If that cannot compute it.
        """
        return replace(self, identity=self.identity.model_copy(update={"label_device": device}))

    @abc.abstractmethod
    def start_block(self, split: str, index: int) -> Callable[[], AnyBlock]:
        """Draw a block, and start to compute it where planned.

        Args:
            split: Name of the split.
            index: Number of the block.

        Returns:
            A function that waits for the values and returns the block. Calling it later lets the
            device work meanwhile.

        Raises:
            LabelError: If a value is no number, or there is no such sample.
        """

    def discretisation(self) -> Discretisation | None:
        """Estimated error of the labels of soft bodies, computed once all are made; or None.

        It depends on the recipe alone, whatever was made when and by how many processes.
        """
        return None

    @abc.abstractmethod
    def content_of(self, split: str) -> str:
        """The samples of a split in words, such as "300 samples of 3 sources at 64 points"."""

    @property
    @abc.abstractmethod
    def seconds(self) -> float:
        """About the time that computing takes on two cores [s]."""

    @property
    @abc.abstractmethod
    def less_memory(self) -> str:
        """The sentence that says how its blocks take less memory, without a full stop."""


def software() -> dict[str, str]:
    """Versions of the packages that determine the bytes."""
    return {name: version(name) for name in _SOFTWARE}
