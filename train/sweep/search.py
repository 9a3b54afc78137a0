"""Choice of the values of the trials."""

from hypermagnetics.errors import RecipeError
from hypermagnetics.extras import refuse_missing
from hypermagnetics.train.sweep.ledger import Propose
from hypermagnetics.train.sweep.plan import Plan


def search_of(plan: Plan) -> Propose:
    """Search of a plan.

    Args:
        plan: The plan.

    Returns:
        A function whose proposals depend on the sweep and the trials before alone.

    Raises:
        RecipeError: If it needs Optuna, which is not installed.
    """
    if plan.search.method == "grid":
        combinations = list(plan.combinations())
        return lambda number, before: combinations[number]
    refuse_missing("optuna", 'The method "optuna" ([sweep])', RecipeError)
    from hypermagnetics.train.sweep.optuna_search import OptunaSearch

    return OptunaSearch(plan)
