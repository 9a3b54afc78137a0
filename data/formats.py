"""The choice of the storage format."""

from hypermagnetics.data.hdf5_storage import Hdf5Storage
from hypermagnetics.data.layout import StorageFormat
from hypermagnetics.data.storage import SplitPlace, SplitStorage
from hypermagnetics.data.zarr_storage import ZarrStorage


def split_storage(storage_format: StorageFormat, place: SplitPlace) -> SplitStorage:
    """The storage of one split.

    Args:
        storage_format: "zarr" or "hdf5".
        place: Where the split is and what it looks like.

    Returns:
        Its reader and writer.
    """
    return ZarrStorage(place) if storage_format == "zarr" else Hdf5Storage(place)
