"""Errors of the best model of a run on the validation split."""

from pathlib import Path

from hypermagnetics.errors import RunError
from hypermagnetics.run_files import read_metrics
from hypermagnetics.train.sweep.ledger import Result
from hypermagnetics.train.validation import Validation


def best_validation(metrics: Path, seconds: float) -> Result:
    """The validation of least loss, which is that of model.hm.

    Args:
        metrics: The metrics.jsonl of a finished run.
        seconds: How long the run took.

    Returns:
        The result of the trial.

    Raises:
        RunError: If the file tells of no validation.
    """
    try:
        lines = read_metrics(metrics)
        found = [
            (validation.loss, int(line["step"]), validation)
            for line in lines
            if "validation" in line
            and (validation := Validation.model_validate(line["validation"])).loss is not None
        ]
        loss, step, validation = min(found, key=lambda entry: entry[:2])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"A finished run must tell its validations; got: {error} ({metrics}). Delete the "
            "directory of this trial, then give the same command with --retry-failed."
        ) from error
    return Result(
        state="finished",
        step=step,
        loss=loss,
        potential=validation.potential_median_relative_error,
        field=validation.field_median_relative_error,
        seconds=seconds,
    )
