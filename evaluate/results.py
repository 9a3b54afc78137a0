"""The results of an evaluation: as JSON for programs, as a table for people."""

import json
import math
from dataclasses import asdict, dataclass

from hypermagnetics.evaluate.baselines import RankFloor
from hypermagnetics.evaluate.regions import RegionName
from hypermagnetics.metrics import Scores

SCHEMA_VERSION = 1

PUBLISHED = (
    ("one source", 0.044),
    ("four sources", 0.048),
)
"""Error of the potential of HyperLayer (FC+ILR) for discs in arXiv 2405.05981. The paper says
median relative error; the published code computes what is called global relative L2 here."""


@dataclass(frozen=True)
class RegionScores:
    """The errors in one region; NaN where it has no points."""

    median_relative_error: float
    p90_relative_error: float
    p99_relative_error: float
    share_of_points: float
    """Of all points of all samples."""


@dataclass(frozen=True)
class QuantityResult:
    """All about one quantity on one split."""

    scores: Scores
    rank_floor: RankFloor | None
    """None for a model that is not additive over sources."""
    regions: dict[RegionName, RegionScores]
    by_num_sources: dict[int, Scores]

    def as_table(self) -> dict[str, object]:
        """Plain values by name, the scores at the top."""
        return {
            **asdict(self.scores),
            "rank_floor": None if self.rank_floor is None else asdict(self.rank_floor),
            "regions": {name: asdict(region) for name, region in self.regions.items()},
            "by_num_sources": {
                str(count): asdict(scores) for count, scores in self.by_num_sources.items()
            },
        }


@dataclass(frozen=True)
class SplitResult:
    """All about one split."""

    potential: QuantityResult
    field: QuantityResult
    num_samples: int
    seconds: float
    """Time of everything: checking the files, predicting, comparing, the floor and the picture."""
    predict_seconds: float
    """Time of the predictions alone, without compilation."""

    def as_table(self) -> dict[str, object]:
        """Plain values by name."""
        return {
            "potential": self.potential.as_table(),
            "field": self.field.as_table(),
            "num_samples": self.num_samples,
            "seconds": self.seconds,
            "predict_seconds": self.predict_seconds,
        }


@dataclass(frozen=True)
class Results:
    """All about one evaluation."""

    run: str
    dataset: str
    bodies: tuple[str, ...]
    """Bodies of the dataset."""
    dataset_sha256: str
    """Of the manifest, which holds the sha256 of every file."""
    model_sha256: str
    software: dict[str, str]
    device: str
    """What JAX computed on, as in "cpu"."""
    splits: dict[str, SplitResult]

    def to_json(self) -> str:
        """The text of results.json; a number that is not finite becomes null."""
        table = {
            "schema": SCHEMA_VERSION,
            "run": self.run,
            "dataset": self.dataset,
            "bodies": self.bodies,
            "dataset_sha256": self.dataset_sha256,
            "model_sha256": self.model_sha256,
            "software": self.software,
            "device": self.device,
            "splits": {name: split.as_table() for name, split in self.splits.items()},
        }
        return json.dumps(_plain(table), indent=1, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """The table for people, in per cent; for discs, with the published figures under it."""
        rows: list[tuple[str, ...]] = [_HEADINGS]
        for name, split in self.splits.items():
            for quantity, result in (("potential", split.potential), ("field", split.field)):
                rows.append(_row(name, quantity, result))
        lines = ["Errors in per cent of the truth", "", *_aligned(rows)]
        if self.bodies == ("disc",):
            lines += ["", 'Published in arXiv 2405.05981, likely to be compared with "global L2":']
            lines += [
                f"  HyperLayer (FC+ILR), potential, {what}: {per_cent(error)}"
                for what, error in PUBLISHED
            ]
        return "\n".join(lines)


_HEADINGS = (
    "split",
    "quantity",
    "median",
    "95 % interval",
    "p90",
    "p99",
    "sample L2",
    "global L2",
    "rank floor",
    "non-finite",
)


def per_cent(fraction: float) -> str:
    """A fraction in per cent with three digits; "-" if it is undefined."""
    value = 100 * fraction
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"


def _row(split: str, quantity: str, result: QuantityResult) -> tuple[str, ...]:
    scores, floor = result.scores, result.rank_floor
    low, high = scores.ci95 or (math.nan, math.nan)
    return (
        split,
        quantity,
        per_cent(scores.median_relative_error),
        f"{per_cent(low)} to {per_cent(high)}" if scores.ci95 else "-",
        per_cent(scores.p90_relative_error),
        per_cent(scores.p99_relative_error),
        per_cent(scores.median_sample_relative_l2),
        per_cent(scores.global_relative_l2),
        f"{per_cent(floor.median_relative_error)} (K={floor.rank})" if floor else "-",
        per_cent(scores.nonfinite_fraction),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest entry: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            entry.ljust(width) if column < 2 else entry.rjust(width)
            for column, (entry, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    assert value is None or isinstance(value, str | int), f"not a plain value: {value!r}"
    return value
