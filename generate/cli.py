"""The command line of hm-generate."""

import gc
import shlex
import shutil
import time
from functools import partial
from pathlib import Path
from typing import get_args

import click

import hypermagnetics
from hypermagnetics.config import load_recipe
from hypermagnetics.data import Compression, StorageFormat, remove_dataset
from hypermagnetics.device_failures import failures_of_program_named
from hypermagnetics.generate.any_plan import Plan
from hypermagnetics.generate.labels import label_device
from hypermagnetics.generate.makers import Makers, open_makers
from hypermagnetics.generate.recipes import DATASET_SCHEMA, plan_of
from hypermagnetics.generate.run import generate
from hypermagnetics.jax_setup import keep_to_cpu
from hypermagnetics.log import Progress, errors_in_one_line, in_bytes
from hypermagnetics.machine import Platform
from hypermagnetics.recipe_toml import shown_recipe
from hypermagnetics.recipes import describe_recipe, shipped_recipes
from hypermagnetics.subcommands import (
    CLUSTER,
    DATASET,
    SHOW,
    UnlessGiven,
    echo,
    refuse_beside_show,
)

_SECONDS_TO_START = 3
"""Time of imports and compilation."""

_BYTES_PER_SECOND = 5e8
"""Bytes written, synced and hashed per second, for the same estimate."""


def _list_recipes(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        for name in shipped_recipes("dataset"):
            echo(f"{name:<20} {describe_recipe(name, 'dataset')}")
        context.exit()


@click.command(
    epilog="""Example:  hm-generate paper-discs-2d discs --set splits.train.num_samples=20000

    On a GPU:  hm-generate prisms-3d prisms --device gpu

    On many machines:  hm-generate prisms-3d prisms --cluster slurm.toml

    Into a store:  hm-generate prisms-3d s3://bucket/prisms

    Your own:  hm-generate --show paper-discs-2d > my.toml"""
)
@click.argument("recipe", cls=UnlessGiven)
@click.argument("out", type=DATASET, cls=UnlessGiven)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Override one key.")
@click.option(
    "--format",
    "storage_format",
    type=click.Choice(["zarr", "hdf5"]),
    default="zarr",
    show_default=True,
    help="Format of the files.",
)
@click.option(
    "--compress",
    "compression",
    type=click.Choice(["none", "zstd"]),
    default="none",
    show_default=True,
    help="Compression of the files; uncompressed ones (none) are mapped into memory.",
)
@click.option(
    "--device",
    type=click.Choice(get_args(Platform)),
    default="cpu",
    show_default=True,
    help="Where labels are computed; those of a CPU are the same bytes everywhere.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 512),
    default=1,
    show_default=True,
    help="Processes that make shards; 1 for threads in this process, as many as suit the cores.",
)
@CLUSTER
@click.option("--dry-run", is_flag=True, help="Show size and time of the dataset; write nothing.")
@click.option("--overwrite", is_flag=True, help="Delete the dataset at OUT first.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_recipes,
    help="List the shipped recipes.",
)
@SHOW
@click.version_option(hypermagnetics.__version__, prog_name="hm-generate")
@click.pass_context
def main(
    context: click.Context,
    recipe: str | None,
    out: Path | str | None,
    shown: str | None,
    overrides: tuple[str, ...],
    storage_format: StorageFormat,
    compression: Compression,
    device: Platform,
    workers: int,
    cluster: str | None,
    dry_run: bool,
    overwrite: bool,
) -> None:
    """Make the dataset OUT from RECIPE, a .toml or .json file or the name of a shipped recipe.

    OUT is a directory, or a place in an object store: s3://, gs:// or az://.
    After an interruption at any moment, give the same command again to go on.
    """
    with errors_in_one_line("hm-generate"), failures_of_program_named():
        if shown is not None:
            refuse_beside_show(context)
            echo(shown_recipe(DATASET_SCHEMA, "dataset", shown, overrides))
            return
        assert recipe is not None, "needed unless a recipe is shown"
        assert out is not None, "needed unless a recipe is shown"
        parsed = load_recipe(DATASET_SCHEMA, "dataset", recipe, overrides)
        plan = plan_of(parsed, storage_format, compression)
        if dry_run:
            echo(_describe(plan, out))
            return
        prepare = partial(_prepare, device)
        prepare()
        # Refused before anything is deleted.
        plan = plan.on(label_device(device, workers))
        with open_makers(workers, cluster, device, prepare) as makers:
            if overwrite:
                remove_dataset(out)
            _generate(plan, out, makers)


def _prepare(device: Platform) -> None:
    """Prepare a process that makes shards."""
    if device == "cpu":
        keep_to_cpu()
    # What the imports made never becomes garbage; looking for it again and again holds up all
    # threads, 5 % of the time of a large dataset.
    gc.freeze()


def _generate(plan: Plan, out: Path | str, makers: Makers) -> None:
    start = time.monotonic()
    with Progress("hm-generate", plan.num_samples, "samples") as progress:
        _, num_made = generate(plan, out, progress, makers)
    seconds = time.monotonic() - start
    echo(
        f"Wrote {out}: {plan.num_samples} samples, {in_bytes(plan.num_bytes)}, in {seconds:.1f} s "
        f"({num_made / seconds:.0f} samples/s).\n"
        f"Next: hm-train {shlex.quote(str(out))} RUN"
    )


def _describe(plan: Plan, out: Path | str) -> str:
    lines = [f"{plan.identity.title} -> {out} ({plan.identity.storage_format})"]
    for name, layout in plan.layouts.items():
        lines.append(
            f"  {name}: {plan.content_of(name)}, {layout.num_blocks} blocks, "
            f"{layout.num_shards} shards, {in_bytes(layout.num_bytes)}"
        )
    seconds = plan.seconds + plan.num_bytes / _BYTES_PER_SECOND + _SECONDS_TO_START
    free = ""
    if isinstance(out, Path):
        existing = next(parent for parent in (out, *out.absolute().parents) if parent.exists())
        free = f" ({in_bytes(shutil.disk_usage(existing).free)} free)"
    lines.append(
        f"  total: {plan.num_samples} samples, {in_bytes(plan.num_bytes)}{free}, "
        f"about {seconds:.0f} s on 2 cores"
    )
    return "\n".join(lines)
