"""What does a GPU make of this package? Its ceilings, then every figure beside its bound.

    python benchmarks/measure_gpu.py [--only ROW] [--small]

A line of JSON each; docs/gpu.md says how to read them. Each row is measured in a process of its
own, so that no row takes another's memory or ends it. Exit code 1 if a bound is missed or a row
fails or does not fit into the time, 2 without a GPU.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import card_arrays
import card_programs
import card_steps
import click
from card_figures import Place, Row, print_error, print_line
from measurement import circumstances

# In the order of their worth: the last ones are left out on a slow machine.
ROWS = {
    row.name: row
    for row in (
        Row("ceilings", "what the card itself can do", card_arrays.ceilings),
        Row("predictions", "the card against the CPU", card_arrays.predictions),
        Row("exact-sums", "time of a pair of source and point", card_arrays.exact_sums),
        Row("training", "a whole hm-train, cold cache", card_programs.training),
        Row("evaluation", "errors on the card, and time of hm-eval", card_programs.evaluation),
        Row("step", "a step of HyperLayer in a dispatch", card_steps.recipe_step),
        Row("configurations", "1000 x 10 sources at 1000 points", card_arrays.many_configurations),
        Row("first-step", "from the start of hm-train to its first step", card_programs.first_step),
        Row("labels", "hm-generate --device gpu", card_programs.labels),
        Row("many-sources", "RangeSplit.field of many sources", card_arrays.many_sources),
        Row("operations", "a large step against a product", card_steps.step_operations),
        Row("waiting", "share of time that steps wait for data", card_programs.waiting),
    )
}
LAST_MINUTES = 0.5
"""A row that would begin in the last of the time is left out [min]."""


@click.command()
@click.option("--list", "lists", is_flag=True, help="List the rows.")
@click.option("--only", type=click.Choice(list(ROWS)), multiple=True, help="Measure this row.")
@click.option("--small", is_flag=True, help="Try the script, also without a GPU; nothing counts.")
@click.option("--minutes", default=8.0, show_default=True, help="Time for all rows.")
@click.option("--inside", type=click.Path(path_type=Path), hidden=True)
def main(
    lists: bool, only: tuple[str, ...], small: bool, minutes: float, inside: Path | None
) -> None:
    """Measure a GPU."""
    start = time.monotonic()
    if lists:
        for row in ROWS.values():
            click.echo(f"{row.name:15} {row.question}")
        return
    rows = [ROWS[name] for name in only or ROWS]
    if inside is not None:
        all_hold = [row.printed(Place(inside, small)) for row in rows]
        sys.exit(not all(all_hold))
    _describe_machine(small)
    missed = []
    with tempfile.TemporaryDirectory() as scratch:
        for row in rows:
            left = 60 * minutes - (time.monotonic() - start)
            if left < 60 * LAST_MINUTES:
                print_error(row.name, f"left out: {minutes:g} minutes are over")
            elif _measure(row, ["--inside", scratch, *["--small"] * small], left):
                continue
            missed.append(row.name)
    print_line(seconds=round(time.monotonic() - start), missed=missed)
    sys.exit(bool(missed))


def _describe_machine(small: bool) -> None:
    """Print card, driver and versions; end without a GPU, unless the script is tried."""
    code = "import jax; found = jax.devices(); print(jax.default_backend(), len(found), end=' '); "
    code += "print(found[0].device_kind)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    platform, count, card = (*asked.stdout.split(maxsplit=2), "", "", "")[:3]
    if platform != "gpu" and not small:
        click.echo(
            f"JAX must find a GPU; got {platform or 'no device'}. Run make bench-gpu, which "
            "installs it for one (docs/gpu.md), or try the script with --small.",
            err=True,
        )
        sys.exit(2)
    print_line(
        card=card.strip(),
        cards=count,
        driver=_driver(),
        **circumstances(),
        jaxlib=version("jaxlib"),
    )


def _driver() -> str | None:
    """Version of NVIDIA's driver, if its program is there to tell."""
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        asked = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.split("\n")[0].strip()


def _measure(row: Row, options: list[str], seconds: float) -> bool:
    """Measure a row in a process of its own, which ends with all that it has started.

    Returns:
        Whether all its bounds hold.
    """
    scratch = Path(options[1])
    environment = {"JAX_COMPILATION_CACHE_DIR": str(scratch / "cache"), **os.environ}
    child = subprocess.Popen(
        [sys.executable, __file__, "--only", row.name, *options],
        env=environment,
        start_new_session=True,
    )
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        print_error(row.name, "ended: the time for all rows was over")
        return False
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if code not in (0, 1):
        print_error(row.name, f"its process ended with {code}")
    return code == 0


if __name__ == "__main__":
    main()
