"""The whole evaluation: every subject on every split, and the files written."""

from importlib.metadata import version
from pathlib import Path

import jax

from hypermagnetics.data import verify_split
from hypermagnetics.device_failures import device_failures_named
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.cluster_run import ClusterParts
from hypermagnetics.evaluate.dataset_run import (
    Found,
    evaluate_baselines,
    evaluate_dataset,
    record_of,
)
from hypermagnetics.evaluate.measuring.sample_file import SampleFile, is_sample_file
from hypermagnetics.evaluate.plan import OpenedDataset, Plan
from hypermagnetics.evaluate.report.earlier_page import remove_page
from hypermagnetics.evaluate.results.json_file import is_results, to_json
from hypermagnetics.evaluate.results.records import DatasetRecord, Results
from hypermagnetics.evaluate.subjects.opening import refuse_changed
from hypermagnetics.files import name_in_text, only_writer, write_text_atomically
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.machine import processor
from hypermagnetics.precision import matmul_precision
from hypermagnetics.run_files import LOCK_NAME, RESULTS_NAME, SAMPLES_NAME

_AGAIN = "Once it is there again, give the same command"

_SOFTWARE = ("hypermagnetics", "jax", "jaxlib", "equinox", "numpy", "scipy")


def evaluate(
    plan: Plan, listener: Listener = SILENT, elsewhere: ClusterParts | None = None
) -> Results:
    """Evaluate every subject on every dataset, and write results.json, samples.zarr and the report.

    Args:
        plan: The plan.
        listener: Receives the number of samples just predicted, and the step after the last one.
        elsewhere: Workers of a cluster that predict the samples; None to predict here. Baselines,
            physics and times are of this machine in any case.

    Returns:
        The results. Apart from times they depend on the files that are read alone.

    Raises:
        DatasetError: If the bytes of a split are not those its manifest promises.
        RunError: If the directory holds files of those names that hm-eval did not write, or
            predictions changed while they were read.
        HypermagneticsError: If another process writes results into it.
        DeviceError: If the memory of the device is full, or it does not answer any more.
        OSError: If the results cannot be written.
    """
    _refuse_foreign(plan.out)
    for one in plan.datasets:  # all before the first result is written
        for name in one.splits:
            verify_split(one.dataset.split(name))
    plan.out.mkdir(parents=True, exist_ok=True)
    lock = plan.out / LOCK_NAME
    with only_writer(lock, "The directory of the results"):
        try:
            _refuse_foreign(plan.out)  # again, as that took minutes
            with matmul_precision(plan.matmul), device_failures_named("A block", _smaller, _AGAIN):
                return _evaluate(plan, listener, elsewhere)
        finally:
            lock.unlink(missing_ok=True)


def _evaluate(plan: Plan, listener: Listener, elsewhere: ClusterParts | None) -> Results:
    found = Found()

    def remove_old() -> None:
        # All at once: old and new results never stand beside each other.
        remove_page(plan.out)
        (plan.out / RESULTS_NAME).unlink(missing_ok=True)

    with SampleFile.open(plan.out, remove_old) as samples:
        for one in plan.datasets:
            found += evaluate_dataset(plan, one, samples, listener, elsewhere)
        for one in () if plan.metrics_only else plan.datasets:
            found += evaluate_baselines(plan, one, listener)
        refuse_changed(plan.subjects)
        results = _results(plan, found)
    write_text_atomically(plan.out / RESULTS_NAME, to_json(results))
    if not plan.metrics_only:
        from hypermagnetics.evaluate.report.writing import write_report  # with matplotlib

        listener.tell("drawing the report ...")
        write_report(results, found.evaluated, plan.out)
    return results


def _smaller(_: int) -> str:
    return (
        "Evaluate a dataset of fewer samples a grid or fewer points, or compute on the CPU with "
        "JAX_PLATFORMS=cpu"
    )


def _refuse_foreign(out: Path) -> None:
    """Refuse to replace files that hm-eval did not write."""
    results, samples = out / RESULTS_NAME, out / SAMPLES_NAME
    is_ours = is_results(results)
    foreign = [results] if results.exists() and not is_ours else []
    if samples.exists() and not is_ours and not is_sample_file(samples):
        foreign.append(samples)
    lock = out / LOCK_NAME
    if lock.exists() and lock.stat().st_size:  # that of hm-eval is empty
        foreign.append(lock)
    if foreign:
        raise RunError(
            f"The directory of the results must hold no other {foreign[0].name} than that of "
            f"hm-eval; got one that does not say it is hm-eval's ({foreign[0]}). Move it away, or "
            "choose another directory (--out, or out= in Python)."
        )


def _results(plan: Plan, found: Found) -> Results:
    baselines = {record.name: record for record in found.baselines}
    return Results(
        subjects=(*map(record_of, plan.predicted), *baselines.values()),
        datasets=tuple(map(_dataset_record, plan.datasets)),
        evaluations=found.evaluations,
        physics=found.physics,
        timings=found.timings,
        notes=tuple(dict.fromkeys(found.notes)),
        software={name: version(name) for name in _SOFTWARE},
        device=jax.default_backend(),
        processor=_processor(),
        matmul=plan.matmul,
    )


def _dataset_record(one: OpenedDataset) -> DatasetRecord:
    return DatasetRecord(
        name=one.name,
        place=name_in_text(one.dataset.place),
        sha256=one.dataset.sha256,
        title=one.dataset.manifest.title,
        dim=one.columns.dim,
        bodies=one.columns.bodies,
        length_unit=one.length_unit,
    )


def _processor() -> str:
    """The accelerator that JAX computes on, or the processor, with its number of cores."""
    return processor() if jax.default_backend() == "cpu" else str(jax.devices()[0].device_kind)
