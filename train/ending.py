"""When a run is finished."""

from hypermagnetics.train.checkpoint import Reached
from hypermagnetics.train.config import TrainingRecipe


def reason_to_end(recipe: TrainingRecipe, progress: Reached) -> str | None:
    """Why a run is finished, in words; None if it is not.

    It is a function of what a checkpoint holds, so a finished run is known as one, and goes on if
    its recipe is given a later end.

    Args:
        recipe: The recipe.
        progress: How far the run is.

    Returns:
        As in "the last step, 8000, was reached".
    """
    schedule, validation = recipe.schedule, recipe.validation
    if progress.step >= schedule.num_steps:
        return f"the last step, {schedule.num_steps}, was reached"
    minutes = schedule.max_minutes
    if minutes is not None and (progress.seconds or 0.0) >= 60 * minutes:
        return f"{minutes:g} minutes of training were over"
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
