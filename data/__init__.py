"""The dataset format, version 1: writing, reading and checking, without JAX."""

from hypermagnetics.data.batches import Batch as Batch
from hypermagnetics.data.batches import read_batch as read_batch
from hypermagnetics.data.crops import CropConfig as CropConfig
from hypermagnetics.data.crops import Crops as Crops
from hypermagnetics.data.dataset import Dataset as Dataset
from hypermagnetics.data.journal import ShardRecord as ShardRecord
from hypermagnetics.data.layout import ArrayName as ArrayName
from hypermagnetics.data.layout import Block as Block
from hypermagnetics.data.layout import Compression as Compression
from hypermagnetics.data.layout import GridShape as GridShape
from hypermagnetics.data.layout import Shard as Shard
from hypermagnetics.data.layout import SplitLayout as SplitLayout
from hypermagnetics.data.layout import StorageFormat as StorageFormat
from hypermagnetics.data.manifest import FORMAT_VERSION as FORMAT_VERSION
from hypermagnetics.data.manifest import Identity as Identity
from hypermagnetics.data.manifest import Manifest as Manifest
from hypermagnetics.data.samples import Sample as Sample
from hypermagnetics.data.samples import Samples as Samples
from hypermagnetics.data.schedule import BatchSchedule as BatchSchedule
from hypermagnetics.data.schedule import Division as Division
from hypermagnetics.data.schedule import Share as Share
from hypermagnetics.data.shard_writer import write_shard as write_shard
from hypermagnetics.data.split import Split as Split
from hypermagnetics.data.verify import verify_split as verify_split
from hypermagnetics.data.writer import DatasetWriter as DatasetWriter
from hypermagnetics.data.writer import remove_dataset as remove_dataset
