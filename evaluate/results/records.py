"""Results of an evaluation as plain values: the content of results.json.

Errors are fractions of the truth. A number that is not finite is null in the file. A record that
gains a key within a schema gives it a default, so that files of earlier releases are still read; a
further `SubjectKind` needs a further schema.
"""

from dataclasses import dataclass

from hypermagnetics.evaluate.subjects.subject import SubjectKind
from hypermagnetics.metrics import Quantiles, Scores
from hypermagnetics.models import Knowledge
from hypermagnetics.precision import MatmulPrecision

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class GroupScores(Quantiles):
    """Errors at some of the points."""

    share_of_points: float
    """Share of all points of all samples."""


@dataclass(frozen=True)
class DistanceScores(GroupScores):
    """Errors at the points of one interval of distance to the nearest surface."""

    low: float | None
    """Least signed distance [length units], negative inside a body; None for no bound."""
    high: float | None
    """Greatest signed distance [length units]; None for no bound."""


@dataclass(frozen=True)
class QuantityScores(Scores):
    """Errors of one quantity of one subject on one split."""

    by_region: dict[str, GroupScores]
    """By region: inside, near, beyond."""
    by_distance: tuple[DistanceScores, ...]
    """By distance to the nearest surface, from deep inside to far away."""
    by_body: dict[str, GroupScores]
    """By the kind of the body whose surface is nearest."""
    by_num_sources: dict[str, Scores]
    """By the number of sources, such as "4", or a range of numbers, such as "17-32"."""


@dataclass(frozen=True)
class BySourcesScores(QuantityScores):
    """Errors of the derivatives of the potential by columns of the sources.

    Truth and error of a point are vectors of the derivatives by these columns of all sources, each
    in its unit, the root mean square of moments or coordinates, or 1 rad.
    """

    columns: tuple[str, ...]
    """Names of the columns."""


@dataclass(frozen=True)
class WorstSample:
    """One of the samples with the largest errors."""

    name: str
    """Name such as "test_multi[17]"."""
    sample: int
    """Number in its split, from 0."""
    num_sources: int
    potential_relative_l2: float
    field_relative_l2: float


@dataclass(frozen=True)
class Evaluation:
    """Errors and times of one subject on one split."""

    subject: str
    dataset: str
    split: str
    num_samples: int
    """Number of evaluated samples; of a baseline, possibly the first ones only."""
    num_points: int
    """Points of each sample."""
    potential: QuantityScores
    field: QuantityScores
    worst_samples: tuple[WorstSample, ...]
    """By relative L2 error of the potential, the worst first."""
    seconds: float
    """Time of the measurement on this split [s]."""
    predict_seconds: float
    """Time of the predictions alone, without the first call, which compiles [s]."""
    exact_pairs: float | None = None
    """Share of the pairs of source and point that are computed exactly, near a source or outside of
    the domain; None without a near part, and of the learned part."""
    by_sources: BySourcesScores | None = None
    """Errors of derivatives by the sources; None, and not in the file, if they were not asked for
    or are not known."""


@dataclass(frozen=True)
class Property:
    """Violation of one law of physics: 0 where it holds."""

    law: str
    """superposition, homogeneity, gradient, laplace or flux."""
    median: float
    """Median over all checks, as a fraction; NaN where the law does not apply."""
    worst: float
    num_checks: int
    """Number of checks."""


@dataclass(frozen=True)
class Physics:
    """Violations of all laws by one subject on one split."""

    subject: str
    dataset: str
    split: str
    properties: tuple[Property, ...]


@dataclass(frozen=True)
class Timing:
    """Time of one prediction of potential and field; of `num_samples` configurations at once."""

    subject: str
    dataset: str
    sweep: str
    """The varied size: block (as on a split), sources or points."""
    num_samples: int
    num_sources: int
    """Sources of each sample."""
    num_points: int
    median_seconds: float
    spread_seconds: float
    """Half the distance between the quartiles of the repeats."""
    repeats: int
    seconds_per_source: float
    """Median time divided by num_samples x num_sources."""
    seconds_per_point: float
    """Median time divided by num_samples x num_points."""


@dataclass(frozen=True)
class SubjectRecord:
    """Name, origin and size of a subject."""

    name: str
    kind: SubjectKind
    place: str
    sha256: str | None
    num_parameters: int | None
    rank: int | None
    knowledge: Knowledge | None = None
    """Origin of its predictions: labels alone, the kernel too, or no model; None if not known."""
    learned_part_of: str | None = None
    """Name of the subject whose learned part it is: its predictions without the exact part."""


@dataclass(frozen=True)
class DatasetRecord:
    """Name, origin and bodies of a dataset."""

    name: str
    place: str
    sha256: str
    """sha256 of the manifest, which holds that of every file."""
    title: str
    dim: int
    bodies: tuple[str, ...]
    length_unit: float
    """Unit of distances to surfaces [m]; see docs/metrics.md."""


@dataclass(frozen=True)
class Results:
    """Results of one call of hm-eval."""

    subjects: tuple[SubjectRecord, ...]
    datasets: tuple[DatasetRecord, ...]
    evaluations: tuple[Evaluation, ...]
    physics: tuple[Physics, ...]
    timings: tuple[Timing, ...]
    notes: tuple[str, ...]
    """Parts that were left out, with reasons."""
    software: dict[str, str]
    device: str
    """Platform of JAX, such as "cpu"."""
    processor: str
    """Name of the processor, or of the accelerator, and the number of cores."""
    matmul: MatmulPrecision = "float32"
    """Precision of the factors of the models' matrix products, on GPUs and TPUs."""
