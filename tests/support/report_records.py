"""Records of evaluations, made by hand from predictions, and models that make them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import Dataset, Split
from hypermagnetics.evaluate.measuring.detail import Evaluated, QuantityDetail
from hypermagnetics.evaluate.results.records import (
    DatasetRecord,
    DistanceScores,
    Evaluation,
    GroupScores,
    Physics,
    Property,
    QuantityScores,
    Results,
    SubjectRecord,
    Timing,
    WorstSample,
)
from hypermagnetics.evaluate.subjects.subject import (
    PotentialAndField,
    Subject,
    SubjectKind,
    on_any_split,
)
from hypermagnetics.metrics import (
    Errors,
    Quantiles,
    grouped_point_quantiles,
    measure,
    scores,
)
from hypermagnetics.sources import SourceColumns, block_superposition
from hypermagnetics.table import source_rows

BOUNDS = (-0.1, 0.0, 0.1, 1.0)
"""Of the intervals of distance; what the numbers are about plays no part in a page."""


@dataclass(frozen=True)
class Wrong:
    """The exact superposition, wrong by a factor and a share of a wave, and blind somewhere."""

    columns: SourceColumns
    factor: float = 1.0
    wave: float = 0.0
    blind_below: float = -np.inf
    """NaN where x is below."""

    def predict(
        self, sources: np.ndarray, points: np.ndarray, num_samples: int
    ) -> PotentialAndField:
        """As a `PointModel` does."""
        counts = source_rows(self.columns, sources).sum(axis=-1)
        potential, field = block_superposition(
            self.columns,
            jnp.asarray(sources),
            jnp.asarray(counts.astype(np.int32)),
            jnp.asarray(points),
        )
        scale = self.factor * (1 + self.wave * np.sin(3 * points.sum(axis=1)))
        scale = np.where(points[:, 0] < self.blind_below, np.nan, scale).astype(np.float32)
        return PotentialAndField(
            np.asarray(potential, np.float32) * scale,
            np.asarray(field, np.float32) * scale[:, None],
        )


def subject(name: str, model: object, kind: SubjectKind = "model", place: str = "") -> Subject:
    """A subject that predicts at any points."""
    return Subject(
        name=name,
        kind=kind,
        place=place or f"runs/{name}",
        on_split=on_any_split(model),  # type: ignore[arg-type]
        model=model,  # type: ignore[arg-type]
        sha256="0123456789abcdef" * 4,
        num_parameters=123456,
        rank=400,
    )


def at_points_only(whole: Subject) -> Subject:
    """The same predictions as read from a file."""
    return replace(whole, kind="predictions", model=None)


def evaluated(
    one: Subject, dataset: Dataset, name: str, split: Split, columns: SourceColumns
) -> Evaluated:
    """One subject on one split, measured the plain way."""
    predict, first, parts, counts = one.on_split(split, 64), 0, [], []
    for block in split.blocks():
        potential, field = predict(block, first)
        first += len(block.potential)
        counts.append(block.num_sources)
        parts.append((potential, block.potential, field, block.field))
    potential, true_potential, field, true_field = (
        np.concatenate(values) for values in zip(*parts, strict=True)
    )
    num_sources = np.concatenate(counts)
    found = measure(potential, true_potential), measure(field, true_field)
    order = np.argsort(found[0].sample_relative_l2(), kind="stable")
    details = _detail(found[0], true_potential, potential), _detail(found[1], true_field, field)
    evaluation = Evaluation(
        subject=one.name,
        dataset=name,
        split=split.name,
        num_samples=len(split),
        num_points=split.layout.num_points,
        potential=_scores(found[0], num_sources),
        field=_scores(found[1], num_sources),
        worst_samples=_worst(split.name, order, num_sources, details),
        seconds=1.25,
        predict_seconds=0.5,
    )
    last = len(order) - 1
    chosen = {"median": order[last // 2], "p90": order[9 * last // 10], "worst": order[last]}
    return Evaluated(
        evaluation,
        *details,
        num_sources=num_sources,
        chosen={rank: int(sample) for rank, sample in chosen.items()},  # type: ignore[misc]
        subject=one,
        split=split,
        columns=columns,
    )


def _worst(
    split: str, order: np.ndarray, num_sources: np.ndarray, details: Sequence[QuantityDetail]
) -> tuple[WorstSample, ...]:
    potential, field = (detail.sample_relative_l2 for detail in details)
    return tuple(
        WorstSample(
            f"{split}[{n}]", int(n), int(num_sources[n]), float(potential[n]), float(field[n])
        )
        for n in order[::-1][:5]
    )


def results_of(
    found: Sequence[Evaluated], datasets: dict[str, Dataset], *, with_times: bool = True
) -> Results:
    """Records about all of it, with physics and times that are made up."""
    subjects = {one.subject.name: one.subject for one in found}
    evaluations = tuple(one.evaluation for one in found)
    names = list(subjects)
    return Results(
        subjects=tuple(
            SubjectRecord(one.name, one.kind, one.place, one.sha256, one.num_parameters, one.rank)
            for one in subjects.values()
        ),
        datasets=tuple(_dataset(name, dataset) for name, dataset in datasets.items()),
        evaluations=evaluations,
        physics=tuple(
            Physics(one.subject, one.dataset, one.split, _properties()) for one in evaluations
        ),
        timings=tuple(
            timing
            for name in names
            for dataset in datasets
            for timing in _timings(name, dataset, 1.0 + names.index(name))
        )
        if with_times
        else (),
        notes=("fmm3d was left out & nobody missed it.",),
        software={"hypermagnetics": "0.1.0", "jax": "0.10.0"},
        device="cpu",
        processor="A processor, 2 cores",
    )


def report_inputs(
    datasets: dict[str, Dataset], subjects: Sequence[Subject], splits: Sequence[str]
) -> tuple[Results, list[Evaluated]]:
    """What a report is written from: every subject on every split of every dataset."""
    found = [
        evaluated(one, dataset, name, dataset.split(split), dataset.columns)
        for name, dataset in datasets.items()
        for split in splits
        for one in subjects
    ]
    return results_of(found, datasets), found


def logged_run(place: Path) -> Path:
    """A directory of a run with a log, as a training leaves it."""
    place.mkdir(parents=True, exist_ok=True)
    lines = [
        f'{{"step": {step}, "loss": {1 / step}, "losses": {{"potential": {1 / step}}}}}\n'
        f'{{"step": {step}, "validation": {{"loss": {1.1 / step}, '
        f'"potential_median_relative_error": {0.5 / step}, '
        f'"field_median_relative_error": null}}}}\n'
        for step in (10, 20, 40)
    ]
    (place / "metrics.jsonl").write_text("".join(lines))
    return place


def _scores(errors: Errors, num_sources: np.ndarray) -> QuantityScores:
    whole = scores(errors)
    parts = np.linspace(0, errors.relative.shape[1], len(BOUNDS) + 2).astype(int)
    edges = (None, *BOUNDS, None)
    groups = [errors.relative[:, start:stop] for start, stop in pairwise(parts)]
    numbers = sorted({int(number) for number in num_sources})
    return QuantityScores(
        **vars(whole),
        by_region={
            name: _group(groups[place], errors.relative.size)
            for place, name in enumerate(("inside", "near", "beyond"))
        },
        by_distance=tuple(
            DistanceScores(**vars(_group(group, errors.relative.size)), low=low, high=high)
            for group, low, high in zip(groups, edges, edges[1:], strict=False)
        ),
        by_body={"disc": _group(errors.relative, errors.relative.size)},
        by_num_sources={
            str(number): scores(_some(errors, num_sources == number)) for number in numbers
        },
    )


def _quantiles(relative: np.ndarray) -> Quantiles:
    together = np.zeros((len(relative), 1), np.uint8)
    return grouped_point_quantiles(np.ascontiguousarray(relative), together, 1)[0]


def _group(relative: np.ndarray, whole: int) -> GroupScores:
    return GroupScores(**vars(_quantiles(relative)), share_of_points=relative.size / whole)


def _some(errors: Errors, chosen: np.ndarray) -> Errors:
    return Errors(*(getattr(errors, entry.name)[chosen] for entry in fields(Errors)))


def _detail(errors: Errors, true: np.ndarray, predicted: np.ndarray) -> QuantityDetail:
    edges = np.logspace(-8, 2, 61)
    inside = np.clip(errors.relative[~np.isnan(errors.relative)], edges[0], edges[-1])
    counts, _ = np.histogram(inside, edges)
    return QuantityDetail(
        error_edges=edges,
        error_shares=counts / errors.relative.size,
        true_values=true.ravel()[:4000],
        predicted_values=predicted.ravel()[:4000],
        sample_relative_l2=errors.sample_relative_l2(),
    )


def _properties() -> tuple[Property, ...]:
    return (
        *(Property("superposition", 1.5e-7, 4e-7, 64), Property("homogeneity", 0.0, 0.0, 64)),
        Property("gradient", 2e-4, 3e-3, 256),
        Property("laplace", 0.012, 0.2, 256),
        Property("flux", float("nan"), float("nan"), 0),
    )


def _timings(subject: str, dataset: str, factor: float) -> tuple[Timing, ...]:
    return tuple(
        Timing(
            subject=subject,
            dataset=dataset,
            sweep=sweep,
            num_samples=1,
            num_sources=number if sweep == "sources" else 4,
            num_points=number if sweep == "points" else 1024,
            median_seconds=factor * 1e-4 * (1 + number / 100),
            spread_seconds=1e-5,
            repeats=7,
            seconds_per_source=factor * 1e-6,
            seconds_per_point=factor * 1e-7,
        )
        for sweep in ("sources", "points")
        for number in (1, 10, 100, 1000, 10000)
    )


def _dataset(name: str, dataset: Dataset) -> DatasetRecord:
    columns = dataset.columns
    return DatasetRecord(
        name=name,
        place=str(dataset.directory.name),
        sha256=dataset.sha256,
        title=dataset.manifest.title,
        dim=columns.dim,
        bodies=columns.bodies,
        length_unit=1.0,
    )
