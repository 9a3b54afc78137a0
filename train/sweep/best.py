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
        found = [
            (validation.loss, int(line["step"]), validation)
            for line in read_metrics(metrics)
            if "validation" in line
            and (validation := Validation.model_validate(line["validation"])).loss is not None
        ]
    except RunError:
        raise
    except (OSError, ValueError) as error:
        raise _without_validation(str(error), metrics) from error
    if not found:
        raise _without_validation("none", metrics)
    loss, step, validation = min(found, key=lambda entry: entry[:2])
    return Result(
        state="finished",
        step=step,
        loss=loss,
        potential=validation.potential_median_relative_error,
        field=validation.field_median_relative_error,
        seconds=seconds,
    )


def _without_validation(got: str, metrics: Path) -> RunError:
    return RunError(
        f"A finished run must log its validations; got {got} ({metrics}). Delete the directory of "
        "this trial, then give the same command with --retry-failed."
    )
