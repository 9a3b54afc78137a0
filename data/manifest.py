"""The manifest: description and file list of a dataset, the reference for its readers.

It is written last. It holds no time and no machine name, so the same recipe and software give the
same bytes; of labels that a GPU computed it names its model.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field, JsonValue, ValidationError, model_validator

from hypermagnetics.config import Config, refusal
from hypermagnetics.data.layout import (
    AnyLayout,
    ArrayLayout,
    ArrayName,
    Compression,
    SplitLayout,
    StorageFormat,
    StoredLayout,
)
from hypermagnetics.errors import DatasetError
from hypermagnetics.input_files import FileKind
from hypermagnetics.machine import Platform
from hypermagnetics.validation_errors import first_misfit

FormatVersion = Literal[1, 2]
"""1 for sources, their potential and field alone; 2 if further arrays are declared."""
_FORMAT_VERSIONS: tuple[int, ...] = get_args(FormatVersion)
_VERSIONS = " or ".join(map(str, _FORMAT_VERSIONS))
MANIFEST_NAME = "manifest.json"
CHECKSUMS_NAME = "manifest-sha256.txt"
CARD_NAME = "README.md"
MOST_BYTES = 1 << 25
"""Largest manifest."""
_FILE = FileKind("A manifest (rule M1)", MOST_BYTES, DatasetError, 1 << 21)
_REPAIR = "Get the file from the dataset's source again."

# Names without a dot, except single ones inside: no "..", nothing absolute, nothing hidden.
_PATH = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+|/[A-Za-z0-9_-]+)*$"
_RelativePath = Annotated[str, Field(max_length=500, pattern=_PATH)]
SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Bytes = Annotated[int, Field(ge=0, le=2**60)]


class FileEntry(NamedTuple):
    """One file of the dataset, with the samples whose values it holds.

    A row of a table, not a table of its own: large datasets have ten thousands of files, and open
    in less than half the memory.
    """

    path: _RelativePath
    split: SplitName
    first_sample: _Bytes
    num_samples: _Bytes
    """Number of samples; 0 for a file of metadata."""
    bytes: _Bytes
    sha256: _Sha256


class Statistics(Config):
    """Moments of one array, for each of its components (columns, axes), in its unit."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    median_abs: tuple[float, ...]
    """Median of the absolute values, from a histogram of 16 bins per octave: to 1/32."""
    min: tuple[float, ...]
    max: tuple[float, ...]


class ArrayEntry(Config):
    """One array of a split, spelled out for readers that know only this file."""

    dtype: str
    shape: tuple[int, ...]
    dimensions: tuple[str, ...]
    unit: str
    statistics: Statistics


class SplitEntry(Config):
    """One split."""

    layout: StoredLayout
    arrays: dict[ArrayName, ArrayEntry]

    @model_validator(mode="after")
    def _arrays_follow_from_the_layout(self) -> "SplitEntry":
        names = self.layout.array_names
        if set(self.arrays) != set(names):
            raise refusal("arrays", f"be {', '.join(names)}", list(self.arrays))
        for spec in self.layout.arrays():
            entry = self.arrays[spec.name]
            if (entry.dtype, entry.shape) != (spec.dtype.name, spec.shape):
                raise refusal(
                    f"arrays.{spec.name}",
                    f"be {spec.dtype.name} {list(spec.shape)}, which follows from the layout",
                    f"{entry.dtype} {list(entry.shape)}",
                )
            if (entry.dimensions, entry.unit) != (spec.dimensions, spec.unit):
                raise refusal(
                    f"arrays.{spec.name}",
                    f"have dimensions {list(spec.dimensions)} and unit {spec.unit!r}",
                    f"{list(entry.dimensions)} and {entry.unit!r}",
                )
            lengths = {name: len(values) for name, values in vars(entry.statistics).items()}
            if set(lengths.values()) != {spec.num_components}:
                key = f"arrays.{spec.name}.statistics"
                raise refusal(key, f"have {spec.num_components} components", lengths)
        return self


class LabelDevice(Config):
    """Device that computed labels."""

    platform: Platform
    kind: Annotated[str, Field(max_length=200)]
    """Model of a GPU, as JAX names it; "cpu" for every CPU, whose labels are the same bytes."""

    @property
    def in_words(self) -> str:
        """Such as "a GPU (NVIDIA H100 80GB HBM3)"."""
        return "the CPU" if self.platform == "cpu" else f"a GPU ({self.kind})"


CPU = LabelDevice(platform="cpu", kind="cpu")
"""Any CPU."""


class Discretisation(Config):
    """Estimated error of the division of soft bodies into cells: the difference of a finer one."""

    cells: Annotated[int, Field(ge=1)]
    """Cells along each side of a box, of the labels."""
    finer_cells: Annotated[int, Field(ge=2)]
    """Cells along each side of the finer solution."""
    samples: Annotated[int, Field(ge=1)]
    """Number of samples that were compared, the first ones of the first split."""
    field_median: Annotated[float, Field(ge=0)]
    """Median of |difference of H| / |H| over the points of the samples."""
    field_p90: Annotated[float, Field(ge=0)]
    """Its 90 % quantile."""


class Description(Config):
    """Description of a dataset, finished or not."""

    format: Literal["hypermagnetics dataset"] = "hypermagnetics dataset"
    format_version: FormatVersion = 1
    title: str
    bodies: dict[str, int]
    """Bodies that occur, with their codes in the column `body` of `sources`, which exists if there
    are several."""
    constants: dict[str, float]
    """Sizes [m] and rotations that all sources share and that therefore have no column."""
    columns: tuple[str, ...]
    """Names of the columns of `sources`; none of a dataset of arrays alone."""
    column_units: tuple[str, ...]
    seed: int
    storage_format: StorageFormat
    compression: Compression
    recipe: dict[str, JsonValue]
    """The recipe with every default filled in, itself a recipe that makes this dataset; or, under
    `imported`, the source file and its conventions."""
    software: dict[str, str]
    """Versions of the software that determines the values."""
    label_device: LabelDevice | None = None
    """Where the labels were computed; null if that is not known, as of imported ones."""


class Identity(Description):
    """Identity of a dataset, equal in all calls that work on it."""

    splits: Mapping[SplitName, StoredLayout]


class Manifest(Description):
    """A complete dataset."""

    splits: dict[SplitName, SplitEntry]
    files: tuple[FileEntry, ...]
    discretisation: Discretisation | None = None
    """Estimated error of the labels of soft bodies; null, and absent, if that is not known."""

    @model_validator(mode="after")
    def _version_follows_from_the_arrays(self) -> "Manifest":
        wanted = version_of(split.layout for split in self.splits.values())
        if self.format_version != wanted:
            rule = f"be {wanted}, as {'further' if wanted > 1 else 'no further'} arrays are there"
            raise refusal("format_version", rule, self.format_version)
        return self

    @model_validator(mode="after")
    def _columns_are_those_of_every_split(self) -> "Manifest":
        layouts = self.source_layouts
        if self.splits and not layouts:
            if self.columns or self.column_units or self.bodies or self.constants:
                rule = "be empty, as are bodies and constants, in a dataset of arrays alone"
                raise refusal("columns", rule, list(self.columns))
            return self
        if len(layouts) != len(self.splits):
            arrays = sorted(set(self.splits) - set(layouts))
            raise refusal("splits", "all have sources, or none", f"{', '.join(arrays)} without")
        sizes = {layout.source_size for layout in layouts.values()}
        if not sizes <= {len(self.columns)} or len(self.columns) != len(self.column_units):
            got = f"{len(self.columns)} names and {len(self.column_units)} units"
            needed = " or ".join(map(str, sorted(sizes)))
            rule = f"have a name and a unit for each of the {needed} columns of sources"
            raise refusal("columns", rule, got)
        dims = {layout.dim for layout in layouts.values()}
        if len(dims) > 1:
            raise refusal("splits", "have one space dimension", sorted(dims))
        return self

    @property
    def source_layouts(self) -> dict[SplitName, SplitLayout]:
        """Layouts of the splits that have sources: of all, or of none."""
        layouts = ((name, split.layout) for name, split in self.splits.items())
        return {name: layout for name, layout in layouts if isinstance(layout, SplitLayout)}

    @property
    def array_layouts(self) -> dict[SplitName, ArrayLayout]:
        """Layouts of the splits of arrays alone: of all, or of none."""
        layouts = ((name, split.layout) for name, split in self.splits.items())
        return {name: layout for name, layout in layouts if isinstance(layout, ArrayLayout)}

    @property
    def identity(self) -> Identity:
        """The identity shared by the calls that made the dataset."""
        layouts = {name: split.layout for name, split in self.splits.items()}
        shared = {name: getattr(self, name) for name in Description.model_fields}
        return Identity(**shared, splits=layouts)

    def to_json(self) -> str:
        """The text of manifest.json; each file takes one line."""
        unknown = {"discretisation"} if self.discretisation is None else set()
        rest = self.model_dump(mode="json", exclude={"files"} | unknown)
        head = json.dumps(rest, indent=1, allow_nan=False).removesuffix("\n}")
        files = ",\n".join(f"  {json.dumps(entry)}" for entry in self.files)
        return f'{head},\n "files": [\n{files}\n ]\n}}\n'


def version_of(layouts: Iterable[AnyLayout]) -> FormatVersion:
    """Format version of a dataset of splits with these layouts."""
    return 2 if any(layout.declared for layout in layouts) else 1


def read_manifest(directory: Path) -> tuple[Manifest, str]:
    """Read and check the manifest of a dataset.

    Args:
        directory: The dataset.

    Returns:
        The manifest, and the sha256 of its bytes, which names the dataset.

    Raises:
        DatasetError: If the directory is no complete dataset of this format version.
    """
    path = directory / MANIFEST_NAME
    if not path.is_file():
        raise DatasetError(
            f"A dataset must have a {MANIFEST_NAME}; got a directory without one ({directory}; "
            "rule D1). "
            "Check the path; if hm-generate was interrupted, give its command again to complete it."
            if directory.is_dir()
            else f"A dataset must be a directory; got {str(directory)!r}, which is not one. "
            "Check the path, or make the dataset with hm-generate."
        )
    if path.is_symlink():
        raise DatasetError(
            f"A file of a dataset must be a plain file inside it; got a link ({path}; rule D2). "
            "Copy the real file there."
        )
    return parse_manifest(_FILE.read(path), path)


def parse_manifest(text: bytes, path: Path | str) -> tuple[Manifest, str]:
    """Check the text of a manifest.

    Args:
        text: The bytes of the file.
        path: Path or URL of the file, for messages.

    Returns:
        The manifest, and the sha256 of its bytes, which names the dataset.

    Raises:
        DatasetError: If it is no manifest of this format version.
    """
    return _parse(text, path), hashlib.sha256(text).hexdigest()


def checksums(manifest_text: str, files: tuple[FileEntry, ...]) -> str:
    """Text of the list for `sha256sum -c`: every file of values, and the manifest."""
    lines = [f"{entry.sha256}  {entry.path}" for entry in files]
    lines.append(f"{hashlib.sha256(manifest_text.encode()).hexdigest()}  {MANIFEST_NAME}")
    return "\n".join(lines) + "\n"


def _parse(text: bytes, path: Path | str) -> Manifest:
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        misfit = first_misfit(error, Manifest.model_json_schema(), "The manifest")
        content = None if misfit.kind == "json_invalid" else json.loads(text)
        # Another version may have other keys. Large manifests are read twice only to say so.
        if isinstance(content, dict) and content.get("format_version") not in _FORMAT_VERSIONS:
            raise DatasetError(
                f"The format version of a dataset must be {_VERSIONS}; got "
                f"{content.get('format_version')!r:.80} ({path}; rule M2). Read it with the "
                "release of hypermagnetics that wrote it."
            ) from error
        rule = {"json_invalid": "rule M1", "refused": "rule M4"}.get(misfit.kind, "rule M3")
        # A validator in Python with its own message takes 0.2 s more for 100 000 files.
        said = misfit.text.replace(f"match pattern '{_PATH}'", "be a relative path without '..'")
        raise DatasetError(f"{said} ({path}; {rule}). {_REPAIR}") from error
