"""Errors on a split, measured block by block by the workers of a cluster."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from hypermagnetics.cluster import Workers
from hypermagnetics.data import Split
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.measuring.measurement import Part, PartMeasurement
from hypermagnetics.evaluate.plan import OpenedDataset, Plan, open_datasets
from hypermagnetics.evaluate.subjects.arguments import Arguments
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.files import name_in_text
from hypermagnetics.jax_setup import set_up_program
from hypermagnetics.models.user import import_user_model
from hypermagnetics.precision import MatmulPrecision, matmul_precision


@dataclass(frozen=True)
class Job:
    """An evaluation as a worker opens it: small, and the same for all its blocks."""

    arguments: Arguments
    """Subjects and datasets by absolute paths."""
    splits: tuple[str, ...]
    """Names of splits on the command line."""
    model: str | None
    """Class of a user's model, as typed."""
    matmul: MatmulPrecision
    sha256: tuple[str | None, ...]
    """Those of the subjects, then those of the datasets, as the program itself has opened them."""

    @classmethod
    def of(
        cls, arguments: Arguments, splits: tuple[str, ...], model: str | None, plan: Plan
    ) -> "Job":
        """The job of a command line, of which the plan was made."""
        subjects = tuple(
            one if one.kind == "function" else replace(one, word=str(Path(one.word).absolute()))
            for one in arguments.subjects
        )
        datasets = tuple(
            replace(one, path=one.path.absolute()) if isinstance(one.path, Path) else one
            for one in arguments.datasets
        )
        return cls(Arguments(subjects, datasets), splits, model, plan.matmul, _sha256(plan))


@dataclass(frozen=True)
class ClusterParts:
    """The parts of splits, measured by the workers of a cluster."""

    job: Job
    workers: Workers

    def on(self, plan: Plan, one: OpenedDataset, split: Split) -> Iterator[Part]:
        """Measure a split.

        Args:
            plan: The plan of the job.
            one: A dataset of it.
            split: A split of that.

        Yields:
            Its parts, in any order.

        Raises:
            RunError: If a worker finds another subject or dataset.
            HypermagneticsError: As of `Workers.results`.
        """
        place = (plan.datasets.index(one), split.name, one.length_unit)
        work = partial(_measure, self.job, place)
        for parts in self.workers.results(work, range(split.layout.num_blocks)):
            yield from parts


def _measure(job: Job, place: tuple[int, str, float], block: int) -> tuple[Part, ...]:
    """Measure a block in a worker."""
    with matmul_precision(job.matmul):
        return tuple(_measurement(job, place).parts(block))


@lru_cache(4)
def _measurement(job: Job, place: tuple[int, str, float]) -> PartMeasurement:
    """The measurement of a split, with its compiled predictions."""
    number, split, unit = place
    plan = _opened(job)
    one = plan.datasets[number]
    return PartMeasurement(plan.predicted_on(one), one.dataset.split(split), one.columns, unit)


@lru_cache(1)
def _opened(job: Job) -> Plan:
    set_up_program()
    user_model = None if job.model is None else import_user_model(job.model, "--model")
    plan = Plan(
        open_subjects(job.arguments.subjects, user_model),
        open_datasets(job.arguments.datasets, job.splits),
        Path(),
        metrics_only=True,
    )
    for name, found, wanted in zip(_names(plan), _sha256(plan), job.sha256, strict=True):
        if found != wanted:
            raise RunError(
                "A worker of a cluster must find the subjects and datasets that the program has "
                f"opened; got another {name}. Give paths that are the same files on all machines."
            )
    return plan


def _names(plan: Plan) -> tuple[str, ...]:
    datasets = (name_in_text(one.dataset.place) for one in plan.datasets)
    return (*(subject.place for subject in plan.subjects), *datasets)


def _sha256(plan: Plan) -> tuple[str | None, ...]:
    datasets = (one.dataset.sha256 for one in plan.datasets)
    return (*(subject.sha256 for subject in plan.subjects), *datasets)
