"""What does a lower precision of the factors of matrix products (compute.matmul) do to the error?

The demo's recipe for fewer steps, trained and validated in each precision. On a GPU the setting
itself is used. On a CPU, where it changes nothing, the factors of every product, also those of the
reverse pass, are rounded to the bits that a tensor core keeps of them (10 of tf32, 7 of bf16), and
sums stay in float32: the same arithmetic up to the order of sums. Prints a table.

    python benchmarks/measure_matmul.py
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
from jax._src.lax import lax as lax_module
from timed_trainings import dataset, setup_of

from hypermagnetics.log import SILENT
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.run import train

STEPS = 3000
MANTISSA_BITS = {"float32": 23, "tensorfloat32": 10, "bfloat16": 7}


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Matrix products of this precision on a CPU, whose factors are rounded here."""
    if jax.default_backend() != "cpu":
        yield
        return
    exact: Callable[..., Any] = lax_module.dot_general

    def rounded(lhs: jax.Array, rhs: jax.Array, *arguments: Any, **options: Any) -> jax.Array:
        factors = (
            jax.lax.reduce_precision(factor, 8, MANTISSA_BITS[precision])
            if factor.dtype == "float32"
            else factor
            for factor in (lhs, rhs)
        )
        product: jax.Array = exact(*factors, *arguments, **options)
        return product

    # The module's own name, which the rules of the reverse pass look up, too.
    lax_module.dot_general = rounded
    try:
        yield
    finally:
        lax_module.dot_general = exact


def main() -> None:
    """Print a row for each precision."""
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, {STEPS} steps of demo, seed 0\n")
    print("| compute.matmul | potential [%] | field [%] | samples/s |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as scratch:
        data = dataset("demo", Path(scratch) / "data")
        for precision in MANTISSA_BITS:
            jax.clear_caches()
            with products_in(precision):
                changes = (f"schedule.max_steps={STEPS}", f"compute.matmul={precision}")
                setup = setup_of(data, "demo", *changes)
                outcome = train(setup, RunFiles(Path(scratch) / precision), {}, SILENT)
            found = outcome.validation
            assert found is not None, "steps were made"
            errors = (found.potential_median_relative_error, found.field_median_relative_error)
            potential, field = (100 * error if error else float("nan") for error in errors)
            rate = outcome.samples_per_second
            print(f"| {precision} | {potential:.3f} | {field:.2f} | {rate:.0f} |", flush=True)


if __name__ == "__main__":
    main()
