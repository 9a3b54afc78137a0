"""The choice of the storage format."""

from hypermagnetics.data.layout import StorageFormat
from hypermagnetics.data.storage import SplitPlace, SplitStorage
from hypermagnetics.data.zarr_storage import ZarrStorage


def split_storage(storage_format: StorageFormat, place: SplitPlace) -> SplitStorage:
    """The storage of one split.

    Args:
        storage_format: "zarr" or "hdf5".
        place: Place and layout of the split.

    Returns:
        Its reader and writer.
    """
    if storage_format == "zarr":
        return ZarrStorage(place)
    from hypermagnetics.data.hdf5_storage import Hdf5Storage  # h5py, which Zarr does without

    return Hdf5Storage(place)
