"""Conditions that finish a run."""

from hypermagnetics.train.checkpoint import Reached
from hypermagnetics.train.config import TrainingRecipe


def reason_to_end(recipe: TrainingRecipe, progress: Reached) -> str | None:
    """Reason why a run is finished, in words; None if it is not.

    It is a function of what a checkpoint holds, so a finished run is known as one, and goes on if
    its recipe is given a later end.

    Args:
        recipe: The recipe.
        progress: Progress of the run.

    Returns:
        As in "the last step, 8000, was reached".
    """
    over = reason_to_stop(recipe, progress.step, progress.seconds)
    validation = recipe.validation
    if over is not None:
        return over
    if validation.patience is None or progress.best_step is None:
        return None
    if progress.step % validation.every:
        # Else a signal or a checkpoint between two validations would move the end.
        return None
    waited = (progress.step - progress.best_step) // validation.every
    if waited >= validation.patience and progress.step >= validation.min_steps:
        return (
            f"{waited} validations had no new best loss (validation.patience {validation.patience})"
        )
    return None


def reason_to_stop(recipe: TrainingRecipe, step: int, seconds: float | None) -> str | None:
    """Reasons to end between two validations, checked after every step.

    Args:
        recipe: The recipe.
        step: Steps made.
        seconds: Time of training, if it ends the run.

    Returns:
        As `reason_to_end`.
    """
    schedule = recipe.schedule
    if step >= schedule.num_steps:
        return f"the last step, {schedule.num_steps}, was reached"
    if schedule.max_minutes is not None and (seconds or 0.0) >= 60 * schedule.max_minutes:
        return f"{schedule.max_minutes:g} minutes of training were over"
    return None
