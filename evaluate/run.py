"""The whole of an evaluation: every split predicted, compared, summed up and pictured."""

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jax

from hypermagnetics.data import Split, verify_split
from hypermagnetics.evaluate.baselines import rank_floor
from hypermagnetics.evaluate.config import MODEL_NAME, Subject
from hypermagnetics.evaluate.measurement import (
    Measurement,
    measure_split,
    middle_sample,
    summarise,
)
from hypermagnetics.evaluate.results import Results, SplitResult, per_cent
from hypermagnetics.files import atomic_file, sha256_of, write_text_atomically
from hypermagnetics.pictures import draw_sample, one_sample, png_of

RESULTS_NAME = "results.json"


def evaluate(subject: Subject, out: Path, advance: Callable[[int], None]) -> Results:
    """Evaluate a model and write results.json and a picture for each split.

    Args:
        subject: The model, the dataset and the splits.
        out: Directory of the files; made if absent, files of an earlier evaluation are replaced.
        advance: Called with numbers of samples as they are done.

    Returns:
        The results. Apart from times they depend on the files that are read alone.

    Raises:
        DatasetError: If the bytes of a split are not those its manifest promises.
    """
    for name in subject.splits:  # all before the first file is written
        verify_split(subject.dataset.split(name))
    results = Results(
        run=str(subject.run),
        dataset=str(subject.dataset.directory),
        bodies=subject.columns.bodies,
        dataset_sha256=subject.dataset.sha256,
        model_sha256=sha256_of(subject.run / MODEL_NAME),
        software={name: version(name) for name in ("hypermagnetics", "jax", "numpy", "scipy")},
        device=jax.default_backend(),
        splits={
            name: _evaluate_split(subject, name, picture_path(out, name), advance)
            for name in subject.splits
        },
    )
    write_text_atomically(out / RESULTS_NAME, results.to_json())
    return results


def picture_path(out: Path, split: str) -> Path:
    """Where the picture of a split is."""
    return out / f"sample-{split}.png"


def _evaluate_split(
    subject: Subject, name: str, picture: Path, advance: Callable[[int], None]
) -> SplitResult:
    start = time.perf_counter()
    split, model = subject.dataset.split(name), subject.model
    columns, rank = subject.columns, model.rank
    measurement = measure_split(model, split, columns, advance)
    floors = (None, None) if rank is None else rank_floor(columns, split, rank)
    potential = summarise(measurement, measurement.potential, floors[0])
    field = summarise(measurement, measurement.field, floors[1])
    _picture(subject, split, measurement, picture)
    return SplitResult(
        potential=potential,
        field=field,
        num_samples=len(split),
        seconds=time.perf_counter() - start,
        predict_seconds=measurement.predict_seconds,
    )


def _picture(subject: Subject, split: Split, measurement: Measurement, path: Path) -> None:
    """Draw the sample in the middle of the errors: neither the best nor the worst."""
    sample = middle_sample(measurement)
    drawing = draw_sample(subject.model, subject.columns, one_sample(split, sample))
    potential, field = (
        per_cent(float(errors.sample_relative_l2()[sample]))
        for errors in (measurement.potential, measurement.field)
    )
    plane = "" if drawing.height is None else f", plane z = {drawing.height:.3g} m"
    png = png_of(
        drawing,
        f"{subject.run.resolve().name}, {split.name}, sample {sample} (median error){plane}\n"
        f"relative L2 error: potential {potential} %, field {field} %",
    )
    with atomic_file(path) as file:
        file.write(png)
