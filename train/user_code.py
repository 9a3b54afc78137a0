"""User-defined parts of a recipe: a model, an objective, a normalisation."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hypermagnetics.errors import ExtensionError, RecipeError, RunError
from hypermagnetics.models import UserModel
from hypermagnetics.models.user import import_user_model
from hypermagnetics.train.config import ObjectiveConfig, TrainingRecipe
from hypermagnetics.train.losses import PointLoss
from hypermagnetics.train.scales import Normalisation
from hypermagnetics.user_code import import_user_code, is_user_name


@dataclass(frozen=True)
class Names:
    """Names of a model, of losses and of a normalisation, shipped or of a user."""

    model: str | None = None
    objectives: tuple[str, ...] = ()
    """The loss of the objective as `name`, those of its terms as `term=name`."""
    physics: tuple[str, ...] = ()
    """Reference physics of terms, as `term=name`."""
    normalisation: str | None = None

    @classmethod
    def of(cls, recipe: TrainingRecipe) -> "Names":
        """Names in a recipe."""
        losses = recipe.objective.names_of_losses
        physics = recipe.objective.names_of_physics
        return cls(recipe.model.name, losses, physics, recipe.normalisation.scales)

    @property
    def overrides(self) -> tuple[str, ...]:
        """The names set here, as overrides of a recipe; a model comes without settings."""
        made = []
        for option, name in self._options.items():
            value, term = json.dumps(name), _term_of(option)
            if option == "--model":
                settings = ", settings={}" if is_user_name(name) else ""
                made.append(f"model={{name={value}{settings}}}")
            elif option == "--normalisation":
                made.append(f"normalisation.scales={value}")
            elif option.startswith("--physics"):
                made.append(f"objective.terms.{term}.physics={value}")
            else:
                made.append(f"objective.{f'terms.{term}.' if term else ''}loss={value}")
        return tuple(made)

    @property
    def of_users(self) -> dict[str, str]:
        """User-defined names, by option."""
        return {key: name for key, name in self._options.items() if is_user_name(name)}

    @property
    def _options(self) -> Mapping[str, str]:
        """Names by option; those of terms are `--objective term=`, followed by the name."""
        found = {} if self.model is None else {"--model": self.model}
        for text in self.objectives:
            term, _, name = text.rpartition("=")
            found |= {f"--objective {term}=": name} if term else {"--objective": text}
        for text in self.physics:
            term, _, name = text.rpartition("=")
            found[f"--physics {term}="] = name
        if self.normalisation is not None:
            found["--normalisation"] = self.normalisation
        return found

    def refuse_lost(self, given: "Names") -> None:
        """Refuse names of the command line that these of the recipe lack.

        Args:
            given: Names on the command line.

        Raises:
            RecipeError: If --set has replaced the table that one of them stood in.
        """
        for option, name in given._options.items():
            if (found := self._options.get(option)) != name:
                raise RecipeError(
                    f"{_written(option, name)} must hold in the whole recipe; got "
                    f"{'none' if found is None else repr(found)} there, as --set replaces its "
                    "table. Write the name into that table, or set single keys of it."
                )

    def refuse_to_resume(self, given: "Names", where: Path) -> None:
        """Refuse to resume a run with other names than its own.

        The recipe in the directory of a run may have come with that directory, from anyone; so a
        module that it names is imported only if the command names it too.

        Args:
            given: Names on the command line.
            where: The recipe that these names are of.

        Raises:
            RunError: If a name differs, or one of a user is not given.
        """
        for option, name in given._options.items():
            kept = self._options.get(option)
            if name != kept:
                only = f"without {option}" if kept is None else _written(option, kept)
                raise RunError(
                    f"A resumed run must keep its recipe, {only}; got {name} ({where}). Leave "
                    f"{option} out, give the name in the recipe of the run, or choose another RUN."
                )
        own = self.of_users
        if missing := [option for option in own if option not in given._options]:
            options = " ".join(_written(option, name) for option, name in own.items())
            raise RunError(
                "A run with user code must be resumed with the names of that code, as no module is "
                f"imported just because a file names it; got no {', '.join(missing)} ({where}). If "
                f"you trust that code, add {options}."
            )


def _term_of(option: str) -> str:
    """Term of an option; empty for an option that is not of a term."""
    return option.partition(" ")[2].strip(" =") if option.endswith("=") else ""


def _written(option: str, name: str) -> str:
    """An option as typed."""
    return f"{option}{name}" if option.endswith("=") else f"{option} {name}"


@dataclass(frozen=True)
class UserCode:
    """Code of a user called by a training; None where the recipe takes a shipped part."""

    model: UserModel | None = None
    losses: Mapping[str, PointLoss] = field(default_factory=dict)
    """Losses by name."""
    physics: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Reference physics by name."""
    normalisation: Normalisation | None = None


def user_code_of(recipe: TrainingRecipe) -> UserCode:
    """Import the user-defined parts of a recipe.

    Raises:
        ExtensionError: If something is not there, or is not what it must be.
    """
    own, objective = Names.of(recipe).of_users, recipe.objective
    model, scales = own.pop("--model", None), own.pop("--normalisation", None)
    physics = {
        name: cast(
            Callable[..., Any], _function(name, f"objective.terms.{_term_of(option)}.physics")
        )
        for option, name in own.items()
        if option.startswith("--physics")
    }
    own = {option: name for option, name in own.items() if not option.startswith("--physics")}
    # What is left are losses; one that several terms name is imported once.
    losses = {
        name: cast(PointLoss, _function(name, objective.place_of(name)))
        for name in own.values()
        if isinstance(objective, ObjectiveConfig)
    }
    return UserCode(
        None if model is None else import_user_model(model, "model.name"),
        losses,
        physics,
        cast(Normalisation | None, _function(scales, "normalisation.scales")),
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
