"""What a recipe may name of a user's own: a model, an objective, a normalisation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from hypermagnetics.errors import ExtensionError, RunError
from hypermagnetics.models import Model, import_user_model
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.normalisation import Normalisation
from hypermagnetics.train.objective import PointLoss
from hypermagnetics.user_code import import_user_code, is_user_name


@dataclass(frozen=True)
class Names:
    """The names of a model, an objective and a normalisation, shipped or of a user."""

    model: str | None = None
    objective: str | None = None
    normalisation: str | None = None

    @classmethod
    def of(cls, recipe: TrainingRecipe) -> "Names":
        """Those of a recipe."""
        return cls(recipe.model.name, recipe.objective.loss, recipe.normalisation.scales)

    @property
    def overrides(self) -> tuple[str, ...]:
        """The names that are given, as overrides of a recipe; a model comes without settings."""
        model, objective, normalisation = (
            json.dumps(name) for name in (self.model, self.objective, self.normalisation)
        )
        settings = ", settings={}" if is_user_name(self.model or "") else ""
        texts = {
            f"model={{name={model}{settings}}}": self.model,
            f"objective.loss={objective}": self.objective,
            f"normalisation.scales={normalisation}": self.normalisation,
        }
        return tuple(text for text, name in texts.items() if name is not None)

    @property
    def of_users(self) -> dict[str, str]:
        """Those that are a user's own, by option."""
        return {key: name for key, name in self._options.items() if is_user_name(name)}

    @property
    def _options(self) -> Mapping[str, str]:
        return {f"--{key}": name for key, name in vars(self).items() if name is not None}

    def refuse_to_resume(self, given: "Names", where: Path) -> None:
        """Refuse to go on unless the names that are given are those of the run.

        The recipe in the directory of a run may have come with that directory, from anyone; so a
        module that it names is imported only if the command names it too.

        Args:
            given: Names on the command line.
            where: The recipe that these names are of.

        Raises:
            RunError: If a name differs, or one of a user is not given.
        """
        for option, name in given._options.items():
            if name != self._options[option]:
                raise RunError(
                    f"A resumed run must keep its recipe, {option} {self._options[option]}; got "
                    f"{name} ({where}). Leave {option} out or give that, or choose another RUN."
                )
        own = self.of_users
        if missing := [option for option in own if option not in given._options]:
            options = " ".join(f"{option} {name}" for option, name in own.items())
            raise RunError(
                "A run with code of a user must be resumed with its names, since nothing is "
                f"imported because a file names it; got no {', '.join(missing)} ({where}). If you "
                f"trust that code, add {options}."
            )


@dataclass(frozen=True)
class UserCode:
    """The code of a user that a training calls; None where the recipe takes what is shipped."""

    model: type[Model] | None = None
    losses: Mapping[str, PointLoss] = field(default_factory=dict)
    """By name."""
    normalisation: Normalisation | None = None


def user_code_of(recipe: TrainingRecipe) -> UserCode:
    """Import what a recipe names of a user's own.

    Raises:
        ExtensionError: If something is not there, or is not what it must be.
    """
    own = Names.of(recipe).of_users
    model, loss = own.get("--model"), own.get("--objective")
    scales = _function(own.get("--normalisation"), "normalisation.scales")
    return UserCode(
        None if model is None else import_user_model(model, "model.name"),
        {} if loss is None else {loss: cast(PointLoss, _function(loss, "objective.loss"))},
        cast(Normalisation | None, scales),
    )


def _function(name: str | None, where: str) -> object:
    if name is None:
        return None
    found = import_user_code(name, where)
    if not callable(found):
        raise ExtensionError(
            f"{name} must be a function; got one of type {type(found).__name__} ({where}). "
            "Name the function, see docs/extending.md."
        )
    return found
