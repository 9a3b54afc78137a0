"""Does the reduced model of soft boxes keep the bounds of docs/soft-magnets.md?

    python benchmarks/measure_soft_models.py [squares] [cuboids] [network]

- squares: unseen soft squares beside a hard disc, 2 to 12 of them, against the solve by 24 x 24
  cells a body; and the time of configurations at 1000 points against the solve of equal error;
- cuboids: soft cuboids of three aspects in space, of any rotation and of chi from 10 to 1000,
  against the finest solve that fits; and the time likewise;
- network: a plain set network, hyper_mlp, of the labels of soft-squares, in equal time.

Errors are relative ones of the field outside of all bodies, beyond a twentieth of a side. Each
figure stands beside its bound, and the exit code is 1 if one that must be kept is not. Times are
good only where nothing else runs on the machine.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from measurement import circumstances

from hypermagnetics.config import changed_recipe
from hypermagnetics.data import Dataset, Split
from hypermagnetics.generate import generate
from hypermagnetics.generate.bodies import uses_of_rows
from hypermagnetics.generate.config import DatasetRecipe, SoftConfig, SplitConfig
from hypermagnetics.generate.recipes import DATASET_SCHEMA
from hypermagnetics.generate.soft_labels import soft_labels
from hypermagnetics.models import Model
from hypermagnetics.sources import signed_distance
from hypermagnetics.table import SourceColumns, hard_table
from hypermagnetics.train import train

NEAREST = 0.05
POINTS = 1000
BATCH = 1000
"""Configurations whose evaluation is timed."""
SOLVED = 3
"""Configurations whose solve is timed, after one that compiles."""
SQUARE_COUNTS = {2: 8, 4: 8, 8: 2, 12: 1}
"""Configurations of each number of squares; those of many take minutes."""
FINEST_IN_SPACE = 10
"""Cells along each side of three cuboids whose solve fits into some gigabytes."""
NETWORK_MINUTES = 3.0


class Bounds(NamedTuple):
    """Bounds that must be kept, and ambitious ones."""

    must: float
    ambitious: float


SQUARES = {"median": Bounds(1e-3, 2e-4), "p90": Bounds(1e-2, 2e-3)}
CUBOIDS = {"median": Bounds(2e-3, 3e-4), "p90": Bounds(2e-2, 5e-3)}
SPEED = Bounds(100, 1000)


class Report:
    """Figures beside their bounds."""

    def __init__(self) -> None:
        """Begin with none that is missed."""
        self.missed = False

    def show(self, name: str, found: float, bounds: Bounds, *, larger: bool = False) -> None:
        """Print a figure, and remember whether it must be kept and is not."""
        sign, kept = (">=", found >= bounds.must) if larger else ("<=", found <= bounds.must)
        self.missed |= not kept
        print(
            f"{name}: {found:.3g} (must {sign} {bounds.must:g}, ambitious {bounds.ambitious:g})"
            f"{'' if kept else ' MISSED'}",
            flush=True,
        )
        line = {"figure": name, "found": found, "must": bounds.must, **circumstances()}
        print(json.dumps(line))


def shipped(name: str) -> DatasetRecipe:
    """A shipped recipe."""
    found = changed_recipe(DATASET_SCHEMA, "dataset", name, {})
    assert isinstance(found, DatasetRecipe)
    return found


def dataset_of(
    recipe: str, out: Path, cells: int, splits: dict[str, tuple[int, int | tuple[int, int]]]
) -> Dataset:
    """A dataset of a shipped recipe, of other splits and cells."""
    grid = shipped(recipe).grid.model_copy(update={"num_points": POINTS})
    changed = shipped(recipe).model_copy(
        update={
            "soft": SoftConfig(cells=cells, checked_samples=0),
            "grid": grid,
            "splits": {
                name: SplitConfig(num_samples=samples, num_sources=sources)
                for name, (samples, sources) in splits.items()
            },
            "seed": 7,
        }
    )
    return generate(changed, out)


class Samples(NamedTuple):
    """Samples of a split, which share their points."""

    tables: list[np.ndarray]
    """Source tables, without padding."""
    points: list[np.ndarray]
    field: list[np.ndarray]
    """Labels of the field."""

    @classmethod
    def of(cls, split: Split) -> "Samples":
        """All samples of a split."""
        tables, points, field = [], [], []
        for index in range(split.layout.num_blocks):
            block = split.block(index)
            for table, count, own in zip(
                block.sources, block.num_sources, block.field, strict=True
            ):
                tables.append(table[:count])
                points.append(block.grid)
                field.append(np.asarray(own, np.float64))
        return cls(tables, points, field)

    def errors(self, columns: SourceColumns, found: Sequence[np.ndarray]) -> np.ndarray:
        """Relative errors of fields of the first samples, outside of all bodies."""
        parts = []
        for table, points, true, own in zip(
            self.tables, self.points, self.field, found, strict=False
        ):
            rows = np.array(hard_table(columns, table), np.float64)
            rows[:, 0] = 1
            kept = signed_distance(columns.hard, rows, points).min(axis=0) > NEAREST
            parts.append(
                np.linalg.norm((own - true)[kept], axis=1) / np.linalg.norm(true[kept], axis=1)
            )
        return np.concatenate(parts)

    def of_model(self, model: Model) -> list[np.ndarray]:
        """Fields by a model."""
        return [
            np.asarray(model.field(table, points), np.float64)
            for table, points in zip(self.tables, self.points, strict=True)
        ]


def solved(
    recipe: str, columns: SourceColumns, samples: Samples, cells: int
) -> tuple[list[np.ndarray], float]:
    """Fields of the first samples by the solve, and the seconds of one of them."""
    settings = SoftConfig(cells=cells, tolerance=1e-6)
    fields, seconds = [], []
    for table, points in list(zip(samples.tables, samples.points, strict=True))[: SOLVED + 1]:
        uses = uses_of_rows(shipped(recipe).sources.body, columns, len(table))
        start = time.perf_counter()
        tables, grid = table[None].astype(np.float64), points.astype(np.float64)
        fields.append(soft_labels(columns, tables, grid, settings, uses, "benchmark")[1][0])
        seconds.append(time.perf_counter() - start)
    return fields, statistics.median(seconds[1:])


def seconds_of_model(model: Model, samples: Samples) -> float:
    """Seconds that a model takes for one of a batch of configurations."""
    tables, points = (
        np.resize(np.stack(samples.tables), (BATCH, *samples.tables[0].shape)),
        samples.points[0],
    )
    jax.block_until_ready(model.block(tables, points))
    start = time.perf_counter()
    jax.block_until_ready(model.block(tables, points))
    return (time.perf_counter() - start) / BATCH


def accuracy(report: Report, name: str, errors: np.ndarray, bounds: Mapping[str, Bounds]) -> None:
    """Median and 90th percentile beside their bounds."""
    report.show(f"{name}: median error", float(np.median(errors)), bounds["median"])
    report.show(f"{name}: error of 90 %", float(np.quantile(errors, 0.9)), bounds["p90"])


def speed(
    report: Report, recipe: str, dataset: Dataset, model: Model, cells: Sequence[int]
) -> None:
    """Time against that of the fewest cells whose error is not above the model's."""
    samples, columns = Samples.of(dataset.split("test-speed")), dataset.columns
    own = float(np.median(samples.errors(columns, samples.of_model(model))))
    seconds = seconds_of_model(model, samples)
    print(f"{recipe}: model {1e3 * seconds:.3g} ms, error {own:.2g}", flush=True)
    for number in cells:
        fields, taken = solved(recipe, columns, samples, number)
        error = float(np.median(samples.errors(columns, fields)))
        print(f"{recipe}: {number} cells {taken:.3g} s, error {error:.2g}", flush=True)
        if error <= own:
            break
    name = f"{recipe}: time of the solve of {number} cells over the model's"
    report.show(name, taken / seconds, SPEED, larger=True)


def squares(report: Report, folder: Path) -> None:
    """Squares in the plane."""
    counts = {f"test-{number}": (samples, number + 1) for number, samples in SQUARE_COUNTS.items()}
    splits = {"train": (4, 5), "valid": (4, 5), **counts, "test-speed": (8, 5)}
    dataset = dataset_of("soft-squares", folder / "squares", 24, splits)
    model = train(dataset, folder / "run").model
    for name in counts:
        samples = Samples.of(dataset.split(name))
        errors = samples.errors(dataset.columns, samples.of_model(model))
        accuracy(report, f"soft-squares, {name[5:]} squares", errors, SQUARES)
    speed(report, "soft-squares", dataset, model, (8, 12, 16, 20, 24))


def cuboids(report: Report, folder: Path) -> None:
    """Cuboids in space."""
    splits = {"train": (4, 4), "valid": (4, 4), "test": (6, 4), "test-speed": (4, 4)}
    dataset = dataset_of("soft-cuboids", folder / "cuboids", FINEST_IN_SPACE, splits)
    model = train(dataset, folder / "run", "soft-cuboids").model
    samples = Samples.of(dataset.split("test"))
    errors = samples.errors(dataset.columns, samples.of_model(model))
    accuracy(report, "soft-cuboids", errors, CUBOIDS)
    speed(report, "soft-cuboids", dataset, model, (2, 4, 6, 8))


def network(report: Report, folder: Path) -> None:
    """A plain set network on labels of the same task."""
    splits = {"train": (512, 5), "valid": (64, 5), "test": (32, 5)}
    dataset = dataset_of("soft-squares", folder / "labels", 12, splits)
    samples = Samples.of(dataset.split("test"))
    for recipe in ("reduced", "hyper-mlp"):
        start = time.perf_counter()
        changes: dict[str, Any] = {}
        if recipe == "hyper-mlp":
            changes = {"schedule": {"max_minutes": NETWORK_MINUTES, "max_steps": None}}
        model = train(dataset, folder / recipe, recipe, **changes).model
        errors = samples.errors(dataset.columns, samples.of_model(model))
        print(
            f"{recipe}: {time.perf_counter() - start:.0f} s, median {np.median(errors):.3g}, "
            f"90 % {np.quantile(errors, 0.9):.3g}",
            flush=True,
        )


PARTS = {"squares": squares, "cuboids": cuboids, "network": network}


def main() -> int:
    """Measure the parts that are named, or all."""
    report = Report()
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](report, Path(folder))
    return int(report.missed)


if __name__ == "__main__":
    raise SystemExit(main())
