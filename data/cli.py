"""The command line of hm-data."""

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

import click
import numpy as np

import hypermagnetics
from hypermagnetics.cluster import hands_of
from hypermagnetics.data import ArrayName, Compression, Dataset, StorageFormat
from hypermagnetics.data.array_import import (
    Arrays,
    JacobianAxes,
    import_arrays,
    inputs_and_targets,
    readings_and_derivatives,
)
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.data.convert import convert
from hypermagnetics.data.derivatives import DERIVATIVES, derivatives_of
from hypermagnetics.data.hub import export_for_hub
from hypermagnetics.data.importing import (
    FieldUnit,
    LengthUnit,
    MomentKind,
    Units,
    import_team_file,
    missing_units,
)
from hypermagnetics.data.manifest import Manifest
from hypermagnetics.data.map_arrays import input_and_target_maps
from hypermagnetics.data.map_pattern import is_pattern
from hypermagnetics.data.npy_file import refusal
from hypermagnetics.data.origin import Shares
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.data.state_import import trajectories_of_states
from hypermagnetics.data.stored_dataset import find_dataset
from hypermagnetics.data.stores import Store
from hypermagnetics.data.summary import describe, first_samples
from hypermagnetics.data.team_file import TeamFile, read_team_file
from hypermagnetics.data.trajectories import MOMENTS, STATES, SUBSTEPS
from hypermagnetics.data.transfer import copy_from_store, copy_to_store
from hypermagnetics.data.verify import (
    Compute,
    NextStates,
    Recomputation,
    find_problems,
    num_recomputed,
    recompute_labels,
    recompute_states,
)
from hypermagnetics.errors import DatasetError
from hypermagnetics.log import Progress, errors_in_one_line, in_bytes
from hypermagnetics.subcommands import CLUSTER, DATASET, FILE_PATH, FiniteRange, echo

_TOLERANCE = 1e-5
_REFUSED = 2
_MOST_MB = 1e12
"""Largest size of a shard [10^6 bytes], beyond every disk."""
_UNITS: dict[str, tuple[str, ...]] = {"length": get_args(LengthUnit), "field": get_args(FieldUnit)}

_DIR = click.argument("directory", metavar="DIR", type=FILE_PATH)
_PLACE = click.argument("directory", metavar="DIR|URL", type=DATASET)
_OUT = click.argument("out", type=FILE_PATH)
_OUT_OR_URL = click.argument("out", type=DATASET)
_SHARD_MB = click.option(
    "--shard-mb",
    type=FiniteRange(min=0, min_open=True, max=_MOST_MB),
    help="Size of a shard before compression [10^6 bytes].  [default: unchanged; of an import 256, "
    "or more above 256 GB]",
)


@click.group(epilog="Example:  hm-data verify discs --recompute 0.01")
@click.version_option(hypermagnetics.__version__, prog_name="hm-data")
def main() -> None:
    """Look at datasets, check, convert and import them."""


@main.command()
@_PLACE
def info(directory: Path | str) -> None:
    """Describe the dataset: size, units, statistics, recipe, health."""
    with errors_in_one_line("hm-data"):
        echo(describe(Dataset.open(directory)))


@main.command()
@_PLACE
@click.option("--split", "name", metavar="NAME", help="Split to show.  [default: the first]")
@click.option(
    "--samples",
    type=click.IntRange(1, 1000),
    default=2,
    show_default=True,
    help="Number of samples.",
)
def head(directory: Path | str, name: str | None, samples: int) -> None:
    """Show the first samples of the dataset as tables."""
    with errors_in_one_line("hm-data"):
        dataset = Dataset.open(directory)
        split = dataset.any_split(dataset.splits[0] if name is None else name)
        echo(first_samples(split, dataset.manifest.columns, samples))


@main.command()
@_PLACE
@click.option(
    "--recompute",
    "fraction",
    metavar="FRACTION",
    type=FiniteRange(0, 1, min_open=True),
    help="Compute the labels, or the states, of this fraction of the samples again, and compare.",
)
@click.option(
    "--tolerance",
    type=FiniteRange(0),
    default=_TOLERANCE,
    show_default=True,
    help="Largest allowed relative difference of recomputed labels.",
)
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of the choice of samples.  [default: random]"
)
@CLUSTER
def verify(
    directory: Path | str,
    fraction: float | None,
    tolerance: float,
    seed: int | None,
    cluster: str | None,
) -> None:
    """Check every file and value of a dataset; exit with 2 if anything is wrong.

    Compares sizes and sha256 of all files, shapes, types and codecs, looks for values that are not
    finite, and computes the statistics of the manifest again. Messages cite the rules of
    docs/format.md. The workers of a cluster check files and values; --recompute computes here.
    Files of a store are fetched one shard after another, and deleted again.
    """
    with errors_in_one_line("hm-data"):
        start = time.monotonic()
        is_path = isinstance(directory, Path)
        dataset = Dataset.unchecked(directory) if is_path else Dataset.open(directory)
        total = sum(entry.bytes for entry in dataset.manifest.files)
        problems = 0
        with hands_of(cluster) as hands, Progress("hm-data", total, "bytes") as progress:
            for problem in find_problems(dataset, progress, hands):
                progress.tell(str(problem))
                problems += 1
        if problems:
            echo(f"{directory}: {problems} problem{'s' * (problems > 1)}. Do not use it.")
            sys.exit(_REFUSED)
        seconds = time.monotonic() - start
        echo(f"{directory}: {in_bytes(total)} in all files are sound ({seconds:.1f} s).")
        if fraction is not None:
            _recompute(dataset, fraction, tolerance, seed)


@main.command(epilog="Example:  hm-data upload discs s3://bucket/discs")
@_DIR
@click.argument("url")
def upload(directory: Path, url: str) -> None:
    """Copy the dataset DIR to URL, a place in an object store: s3://, gs:// or az://.

    The manifest comes last, and never over that of another dataset. After an interruption, give
    the same command again to go on. Credentials come from the environment.
    """
    with errors_in_one_line("hm-data"):
        store, dataset = Store(url), Dataset.open(directory)
        total = sum(entry.bytes for entry in dataset.manifest.files)
        with Progress("hm-data", total, "bytes") as progress:
            copy_to_store(dataset, store, progress)
        echo(f"Wrote {store.url}: {in_bytes(total)}, sha256 {dataset.sha256}.")
        echo(f"Next: hm-data download {shlex.quote(store.url)} DIR")


@main.command(epilog="Example:  hm-data download s3://bucket/discs discs")
@click.argument("url")
@_DIR
def download(url: str, directory: Path) -> None:
    """Copy the dataset at URL, s3://, gs://, az:// or https://, to DIR, and check every byte.

    After an interruption, give the same command again to go on. Credentials come from the
    environment.
    """
    with errors_in_one_line("hm-data"):
        found = find_dataset(Store(url))
        with Progress("hm-data", found.num_bytes, "bytes") as progress:
            made = copy_from_store(found, directory, progress)
        _wrote(directory, made)


@main.command(name="export", epilog="Example:  hm-data export hf discs discs-hf")
@click.argument("target", type=click.Choice(["hf"]))
@_DIR
@_OUT
def export_command(target: Literal["hf"], directory: Path, out: Path) -> None:
    """Write DIR as OUT, a directory to be uploaded to Hugging Face as it is.

    OUT is the same dataset, with a card that the hub understands, croissant.json, and the first
    samples of each split in Parquet, which it shows. Files are hard links where that is possible.
    """
    with errors_in_one_line("hm-data"):
        dataset = Dataset.open(directory)
        total = sum(entry.bytes for entry in dataset.manifest.files)
        with Progress("hm-data", total, "bytes") as progress:
            export_for_hub(dataset, out, progress)
        echo(f"Wrote {out}: {in_bytes(total)}, sha256 {dataset.sha256}.")
        place = shlex.quote(str(out))
        echo(f"Next: {target} upload OWNER/NAME {place} --repo-type dataset")


@main.command(name="convert")
@_PLACE
@_OUT_OR_URL
@click.option("--format", "storage_format", type=click.Choice(["zarr", "hdf5"]))
@click.option("--compress", "compression", type=click.Choice(["none", "zstd"]))
@_SHARD_MB
def convert_command(
    directory: Path | str,
    out: Path | str,
    storage_format: StorageFormat | None,
    compression: Compression | None,
    shard_mb: float | None,
) -> None:
    """Write the dataset anew as OUT, in another format, compression or size of shards.

    Format, compression and size stay as they are unless set. After an interruption, give the same
    command again to go on.
    """
    with errors_in_one_line("hm-data"):
        dataset = Dataset.open(directory)
        shard_bytes = None if shard_mb is None else shard_mb * 1e6
        total = 2 * sum(split.layout.num_samples for split in dataset.manifest.splits.values())
        with Progress("hm-data", total, "samples") as progress:
            made = convert(dataset, out, storage_format, compression, shard_bytes, progress)
        _wrote(out, made)


@main.command(name="import")
@click.argument("file", type=FILE_PATH)
@_OUT_OR_URL
@click.option("--length-unit", type=click.Choice(_UNITS["length"]))
@click.option("--field-unit", type=click.Choice(_UNITS["field"]), help="T means mu0 H.")
@click.option(
    "--m-is",
    type=click.Choice(["moment", "magnetisation"]),
    help="Meaning of `m`.  [default: by its unit, or the magnetisation of prisms and the moment "
    "of spheres]",
)
@click.option("--format", "storage_format", type=click.Choice(["zarr", "hdf5"]), default="zarr")
@click.option("--compress", "compression", type=click.Choice(["none", "zstd"]), default="none")
@_SHARD_MB
def import_command(
    file: Path,
    out: Path | str,
    length_unit: str | None,
    field_unit: str | None,
    m_is: MomentKind | None,
    storage_format: StorageFormat,
    compression: Compression,
    shard_mb: float | None,
) -> None:
    """Make the dataset OUT from FILE, an HDF5 file as the published code writes it.

    Half sides become full sides, the magnetisation of prisms their moment, and all values SI.
    """
    with errors_in_one_line("hm-data"):
        team = read_team_file(file)
        units = _asked_for(team, length_unit, field_unit)
        with Progress("hm-data", team.total_samples, "samples") as progress:
            made = import_team_file(
                team,
                out,
                units=units,
                m_is=m_is,
                storage_format=storage_format,
                compression=compression,
                shard_bytes=None if shard_mb is None else shard_mb * 1e6,
                listener=progress,
            )
        _wrote(out, made)
        echo(
            "Imported labels are as good as the code that made them. To compare a part of them "
            "with the exact values of their sources, give hm-data verify "
            f"{shlex.quote(str(out))} --recompute 0.01."
        )


@main.command(
    name="import-arrays",
    epilog="""\b
Examples: hm-data import-arrays out --inputs m.npy --targets q.npy --jacobian J.npy
          hm-data import-arrays out --readings fiducial.npy --derivatives derivative.npy
              --parameter mean=0 --parameter variance=1
          hm-data import-arrays out --inputs 'in_*.npy' --targets 'tgt_*.npy' --boundary periodic
          hm-data import-arrays out --states 'trajectory_*.npy' --time-step 0.01
""",
)
@_OUT_OR_URL
@click.option(
    "--inputs",
    metavar="FILE|'PATTERN'",
    type=FILE_PATH,
    multiple=True,
    help="Inputs of a network: a file (samples, ...), or files of one map each, (channels, "
    "*spatial), by a pattern in quotes; several patterns give their channels one behind the other.",
)
@click.option(
    "--targets",
    metavar="FILE|'PATTERN'",
    type=FILE_PATH,
    multiple=True,
    help="Its targets, as the inputs. Files of patterns are matched by the word in place of *.",
)
@click.option(
    "--boundary",
    type=click.Choice(get_args(Boundary)),
    help="Boundary of the box of maps, or of states with spatial axes; periodic ones go on at the "
    "opposite side.  [default: open]",
)
@click.option(
    "--jacobian", type=FILE_PATH, help="Derivatives of targets, (samples, targets, inputs)."
)
@click.option(
    "--jacobian-axes",
    type=click.Choice(get_args(JacobianAxes)),
    help="Order of the axes of the Jacobian.  [default: the one that its shape has]",
)
@click.option("--readings", type=FILE_PATH, help="Simulated readings, (samples, ...).")
@click.option(
    "--derivatives",
    type=FILE_PATH,
    help="Derivatives of the first readings, (samples, ..., parameters).",
)
@click.option(
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the derivatives, and its value in all simulations.",
)
@click.option(
    "--states",
    metavar="FILE|'PATTERN'",
    type=FILE_PATH,
    help="Trajectories: a file (samples, states, channels, *spatial) or (samples, states, "
    "components), or files of one each, without the samples, by a pattern in quotes.",
)
@click.option(
    "--time-step",
    type=FiniteRange(min=0, min_open=True),
    help="Time between two states, in your unit; needed beside --states.",
)
@click.option(
    "--shares",
    metavar="TRAIN,VALID,TEST",
    default="0.8,0.1,0.1",
    show_default=True,
    help="Shares of the samples in the splits; 0 for no such split.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Seed of the division.")
@click.option(
    "--samples-per-block",
    type=click.IntRange(1, 2**20),
    help="Samples of a block, the smallest part of a batch.  [default: 32, fewer of large ones]",
)
@click.option("--format", "storage_format", type=click.Choice(["zarr", "hdf5"]), default="zarr")
@click.option("--compress", "compression", type=click.Choice(["none", "zstd"]), default="none")
@_SHARD_MB
def import_arrays_command(
    out: Path | str,
    inputs: tuple[Path, ...],
    targets: tuple[Path, ...],
    boundary: Boundary | None,
    jacobian: Path | None,
    jacobian_axes: JacobianAxes | None,
    readings: Path | None,
    derivatives: Path | None,
    parameters: tuple[str, ...],
    states: Path | None,
    time_step: float | None,
    shares: str,
    seed: int,
    samples_per_block: int | None,
    storage_format: StorageFormat,
    compression: Compression,
    shard_mb: float | None,
) -> None:
    """Make the dataset OUT from files of numpy, .npy, which may be larger than the memory.

    Either inputs and targets, with or without their Jacobian, or readings and their derivatives, or
    maps of inputs and targets with 2 or 3 spatial axes, each in a file of its own, or trajectories
    of states. Samples are divided among the splits train, valid and test at random, each in one of
    them; values are rounded to float32. After an interruption, give the same command again to go
    on.
    """
    with errors_in_one_line("hm-data"):
        of_inputs = {"--inputs": inputs, "--targets": targets, "--jacobian": jacobian}
        of_readings = {"--readings": readings, "--derivatives": derivatives}
        given = [
            [name for name, value in options.items() if value]
            for options in (
                {**of_inputs, "--jacobian-axes": jacobian_axes},
                {**of_readings, "--parameter": parameters},
                {"--states": states},
            )
        ]
        _refuse_pattern("--jacobian", jacobian)
        _refuse_pattern("--readings", readings)
        _refuse_pattern("--derivatives", derivatives)
        if boundary is not None and given[1]:
            rule = "A boundary must be that of inputs and targets, or of states"
            raise refusal(rule, given[1][0], "--boundary", "Leave one out.")
        if inputs and targets and not given[1] and not states:
            arrays = _inputs_and_targets(inputs, targets, jacobian, jacobian_axes, boundary)
        elif readings and not given[0] and not states:
            named = tuple(map(_parameter, parameters))
            arrays = readings_and_derivatives(readings, derivatives, named)
        elif states and not given[0] and not given[1]:
            arrays = _trajectories(states, time_step, boundary)
        else:
            names = ", ".join(name for kind in given for name in kind)
            raise DatasetError(
                "Files to import must be --inputs and --targets, with or without --jacobian, or "
                "--readings, with or without --derivatives and their --parameter, or --states "
                f"with their --time-step; got {names or 'none'}. Give one of the three."
            )
        if time_step is not None and not states:
            rule = "A time step must be that of states"
            raise refusal(rule, f"{time_step:g} without any", "--time-step", "Give --states too.")
        with Progress("hm-data", arrays.num_samples, "samples") as progress:
            made = import_arrays(
                arrays,
                out,
                shares=_shares(shares),
                seed=seed,
                samples_per_block=samples_per_block,
                storage_format=storage_format,
                compression=compression,
                shard_bytes=None if shard_mb is None else shard_mb * 1e6,
                listener=progress,
            )
        _wrote(out, made)
        counts = (f"{name} {split.layout.num_samples}" for name, split in made.splits.items())
        echo(f"Splits by seed {seed}: {', '.join(counts)}. Values are stored as float32.")
        for said in _about(arrays):
            echo(said)


def _inputs_and_targets(
    inputs: tuple[Path, ...],
    targets: tuple[Path, ...],
    jacobian: Path | None,
    axes: JacobianAxes | None,
    boundary: Boundary | None,
) -> Arrays:
    """Checked plain files, or, by patterns, files of maps."""
    patterns = [path for path in (*inputs, *targets) if is_pattern(path)]
    plain = [path for path in (*inputs, *targets) if path not in patterns]
    if not patterns:
        for option, paths in (("--inputs", inputs), ("--targets", targets)):
            if len(paths) > 1:
                rule = "Inputs and targets must be one file (samples, ...) each, or be patterns"
                repair = "Stack the files, or give a pattern in quotes, such as 'in_*.npy'."
                raise refusal(rule, f"{len(paths)} files", option, repair)
        return inputs_and_targets(inputs[0], targets[0], jacobian, axes, boundary)
    if plain:
        rule = "Inputs and targets must all be patterns, or none of them"
        raise refusal(rule, f"the file {plain[0]}", f"beside {patterns[0]}", "Give one kind.")
    if jacobian or axes:
        rule = "A Jacobian must be that of plain files of inputs and targets"
        raise refusal(rule, f"the pattern {patterns[0]}", "--jacobian", "Leave one out.")
    return input_and_target_maps(inputs, targets, boundary or "open")


def _trajectories(path: Path, time_step: float | None, boundary: Boundary | None) -> Arrays:
    """Checked files of trajectories."""
    if time_step is None:
        rule = "States must be a known time apart"
        repair = "Give the time between two states, in your unit, as --time-step DT."
        raise refusal(rule, "none", "--time-step", repair)
    return trajectories_of_states(path, time_step, boundary)


def _about(arrays: Arrays) -> Iterator[str]:
    """Lines about imported arrays: of maps and states their shapes, and the converted files."""
    shapes = ", ".join(f"{a.name} {' x '.join(map(str, a.item_shape))}" for a in arrays.declared)
    ends = "" if arrays.boundary is None else f"; boundary {arrays.boundary}"
    if arrays.time_step is not None:
        yield f"Trajectories, time first: {shapes}; time step {arrays.time_step:g}{ends}."
    elif ends:
        yield f"Maps, channels first: {shapes}{ends}."
    if arrays.conversions:
        yield f"Converted to float32: {', '.join(arrays.conversions)}."


def _refuse_pattern(option: str, path: Path | None) -> None:
    if path is not None and is_pattern(path):
        rule = f"{option} must name one file, as patterns are those of inputs, targets and states"
        raise refusal(rule, repr(path.name), path, "Stack the files into one (samples, ...).")


def _shares(text: str) -> Shares:
    parts = text.split(",")
    try:
        train, valid, test = map(float, parts)
        return Shares(train=train, valid=valid, test=test)
    except ValueError as error:
        raise DatasetError(
            f"Shares must be three numbers, of train, valid and test; got {text!r} (--shares). "
            "Write for example --shares 0.8,0.1,0.1."
        ) from error


def _parameter(text: str) -> Parameter:
    name, _, value = text.partition("=")
    try:
        if not name:
            raise ValueError("no name")
        return Parameter(name=name, value=float(value))
    except ValueError as error:
        raise DatasetError(
            f"A parameter must read NAME=VALUE, with a finite number; got {text!r} (--parameter). "
            "Write for example --parameter mean=0."
        ) from error


def _asked_for(team: TeamFile, length: str | None, field: str | None) -> Units:
    """The units of the options; on a terminal, those missing are prompted for."""
    given = {"length": length, "field": field}
    for name in missing_units(team):
        if given[name] is None and sys.stdin.isatty():
            given[name] = click.prompt(
                f"{team.path} does not say the unit of {name}. It is",
                type=click.Choice(_UNITS[name]),
            )
        if given[name] is None:
            raise DatasetError(
                f"The unit of {name} must be stated by the file or by --{name}-unit; got neither "
                f"({team.path}). Give --{name}-unit."
            )
    return Units(length=given["length"], field=given["field"])  # type: ignore[arg-type]


def _recompute(dataset: Dataset, fraction: float, tolerance: float, seed: int | None) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    generator = np.random.default_rng(seed)
    how = (fraction, tolerance, generator)
    checks: dict[str, Callable[[str, Progress], Recomputation]] = {}
    if dataset.has_sources:
        compute = _labels_of(dataset)
        checks["labels of {} samples follow from their sources"] = lambda name, progress: (
            recompute_labels(dataset.split(name), compute, *how, progress)
        )
    if MOMENTS in dataset.arrays or not dataset.has_sources:
        next_states = _next_states_of(dataset)
        what = MOMENTS if dataset.has_sources else STATES
        checks[what + " of {} samples follow from those before"] = lambda name, progress: (
            recompute_states(dataset.any_split(name), next_states, *how, progress)
        )
    each = sum(num_recomputed(dataset.any_split(name), fraction) for name in dataset.splits)
    with Progress("hm-data", len(checks) * each, "samples") as progress:
        for said, recompute in checks.items():
            for name in dataset.splits:
                found = recompute(name, progress)
                echo(
                    f"{name}: {said.format(found.num_samples)}; largest difference "
                    f"{found.worst:.2g} (--seed {seed})."
                )


def _next_states_of(dataset: Dataset) -> NextStates:
    """A function that computes the states a step later in float64, on the CPU.

    Raises:
        DatasetError: If nothing is known by which the dataset could be computed.
    """
    # With JAX, as labels.
    import jax

    from hypermagnetics.dynamics import dynamics_of, physics_of, steps_of
    from hypermagnetics.jax_setup import first_device, keep_to_cpu

    recipe = dataset.manifest.recipe
    physics, dynamics = physics_of(recipe), dynamics_of(recipe)
    if physics is None and dynamics is None:
        raise DatasetError(
            "A dataset must have sources, or states of a known physics, to be computed again; got "
            f"{', '.join(dataset.arrays)} alone ({dataset.directory}; --recompute). Leave the "
            "option out: its files and values are sound."
        )
    keep_to_cpu()
    first_device("cpu")
    if dynamics is not None:
        columns = dataset.columns

        def next_moments(states: np.ndarray, of: Mapping[ArrayName, np.ndarray]) -> np.ndarray:
            return steps_of(dynamics, columns, states, of["sources"], int(of[SUBSTEPS]))

        return next_moments
    assert physics is not None, "one of both is known"
    compiled = jax.jit(physics.next_state)

    def next_states(states: np.ndarray, _: Mapping[ArrayName, np.ndarray]) -> np.ndarray:
        with jax.enable_x64(True):
            return np.asarray(compiled(states))

    return next_states


def _labels_of(dataset: Dataset) -> Compute:
    """A function that computes labels of this dataset's sources in float64, on the CPU."""
    # With JAX, seconds that only this needs.
    from hypermagnetics.jax_setup import first_device, keep_to_cpu
    from hypermagnetics.sources import chosen_columns, jacobian_labels, labels
    from hypermagnetics.sources.sums import computing_on
    from hypermagnetics.table import refuse_soft

    keep_to_cpu()
    first_device("cpu")  # refused before the first sample
    columns, derivatives = dataset.columns, derivatives_of(dataset.manifest)
    refuse_soft(columns, "A dataset that is computed again")
    names: tuple[str, ...] = ()
    if derivatives is not None:
        wanted = derivatives.columns
        names = chosen_columns(columns, wanted, columns.names, f"{dataset.directory}, recipe")

    def compute(
        sources: np.ndarray, num_sources: np.ndarray, grid: np.ndarray
    ) -> dict[ArrayName, np.ndarray]:
        with computing_on("cpu"):
            potential, field = labels(columns, sources, num_sources, grid)
            found = {"potential": np.asarray(potential), "field": np.asarray(field)}
            if derivatives is not None:
                found[DERIVATIVES] = jacobian_labels(
                    columns, names, derivatives.of, sources, num_sources, grid
                )
        return found

    return compute


def _wrote(out: Path | str, manifest: Manifest) -> None:
    size = sum(entry.bytes for entry in manifest.files)
    samples = sum(split.layout.num_samples for split in manifest.splits.values())
    echo(
        f"Wrote {out}: {samples} samples, {in_bytes(size)}, {manifest.storage_format}, compression "
        f"{manifest.compression}."
    )
