"""A split as a labelled dataset of xarray."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from hypermagnetics.data.layout import AnyLayout, ArrayName, ArraySpec, SplitLayout
from hypermagnetics.data.samples import resolve

_AXES = ("x", "y", "z")


@runtime_checkable
class _Entries(Protocol):
    """Source of the values: a split."""

    @property
    def layout(self) -> AnyLayout:
        """Layout of the split."""

    def entries(self, name: ArrayName, numbers: range | np.ndarray) -> np.ndarray:
        """Entries of the first axis of one array."""


class _LazyArray(BackendArray):
    """An array of xarray that reads entries of the first axis on access."""

    def __init__(self, split: _Entries, spec: ArraySpec) -> None:
        self._split, self._spec = split, spec
        self.shape, self.dtype = spec.shape, spec.dtype

    def __getitem__(self, key: Any) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        first, length = key[0], self.shape[0]
        # Checked here: xarray hands on numbers past the end as they are.
        several = isinstance(first, slice | np.ndarray)
        numbers = resolve(first if several else (int(first),), length)
        values = self._split.entries(self._spec.name, numbers)
        # From the last axis on, as a number takes its axis away.
        for axis in reversed(range(1, len(key))):
            values = values[(slice(None),) * axis + (key[axis],)]
        return values if several else values[0, ...]


def labelled(split: _Entries, columns: Sequence[str], units: Sequence[str]) -> xarray.Dataset:
    """A split with named dimensions, names of columns and axes, and units.

    Args:
        split: The split.
        columns: Names of the columns of `sources`.
        units: Their units.

    Returns:
        A dataset that reads values on access.
    """
    variables = {}
    for spec in split.layout.arrays():
        data = indexing.LazilyIndexedArray(_LazyArray(split, spec))
        variables[spec.name] = xarray.Variable(spec.dimensions, data, {"units": spec.unit})
    coordinates: dict[str, tuple[str, list[str]]] = {}
    if isinstance(split.layout, SplitLayout):
        coordinates = {
            "column": ("column", list(columns)),
            "column_unit": ("column", list(units)),
            "axis": ("axis", list(_AXES[: split.layout.dim])),
        }
    return xarray.Dataset(variables, coordinates)
