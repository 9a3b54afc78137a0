"""The card of a model: the text of the model.md of a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from hypermagnetics.log import four_digits, per_cent
from hypermagnetics.models import (
    AnyModel,
    ArrayModel,
    GridSplit,
    UserModel,
    load,
    num_parameters,
)
from hypermagnetics.models.card import array_card, usage_card
from hypermagnetics.models.store import Header, read_header
from hypermagnetics.run_files import RunFiles, read_metrics
from hypermagnetics.train.directory import Provenance


def model_card(
    files: RunFiles, source: Path, dataset_name: str, user_model: UserModel | None = None
) -> str:
    """Describe the model of a run and its use, in Markdown.

    The same for equal runs, but for the line of the training time.

    Args:
        files: The run, with its metrics.
        source: The file of the model.
        dataset_name: Name of the directory of its dataset.
        user_model: The class, if the model is a user's.

    Returns:
        The text of model.md.

    Raises:
        ModelFileError: If the model cannot be read.
    """
    header = read_header(source, "hypermagnetics model")
    model = load(source, user_model=user_model)
    log = _read_log(files.metrics, header.training.get("step"))
    given = "" if user_model is None else f", user_model={user_model.__name__}"
    rows = {
        "architecture": f"{type(model).__name__} ({num_parameters(model)} parameters)",
        "settings": _settings(header),
        "dataset": f"{_said(header, 'dataset_title')} (directory {dataset_name})",
        "sha256 of its manifest.json": _said(header, "dataset_sha256"),
        "seed": _said(header, "seed"),
        "step": f"{_said(header, 'step')} of {'?' if log.last_step is None else log.last_step}",
        "training time": f"{log.seconds:.0f} s of steps, compiling included",
        "software": _software(header),
        **_errors(log.validation),
    }
    title = "network" if isinstance(model, ArrayModel) else "magnetostatic model"
    return _card(f"A trained {title}", rows, model, given)


def domain_card(model: GridSplit, provenance: Provenance) -> str:
    """Describe a model that was made for a domain, without a dataset, and its use, in Markdown.

    Args:
        model: The model, fitted.
        provenance: Its origin.

    Returns:
        The text of model.md, the same for equal models.
    """
    settings = model.config.model_dump(mode="json", exclude={"name"})
    rows = {
        "architecture": f"{type(model).__name__} ({num_parameters(model)} parameters)",
        "settings": _listed(settings),
        "dataset": "none: fitted to its domain",
        "fit error": f"{model.fit_error:.2g}, root mean square of the error of the smooth part "
        "over its own",
        "software": _versions(provenance.software),
    }
    return _card("A magnetostatic model of a domain", rows, model, "")


def _card(title: str, rows: Mapping[str, str], model: AnyModel, given: str) -> str:
    return "\n".join(
        (
            f"# {title}",
            "",
            "Written by hm-train beside model.hm.",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows.items()),
            "",
            array_card(model) if isinstance(model, ArrayModel) else usage_card(model),
            "## How to use it",
            "",
            "```python",
            "import hypermagnetics",
            f'model = hypermagnetics.load("model.hm"{given})',
            _call(model),
            "```",
            "",
        )
    )


def _call(model: AnyModel) -> str:
    if isinstance(model, ArrayModel):
        first, second = model.inputs.input.name, model.inputs.target.name
        if model.inputs.steps is not None:
            return "states = hypermagnetics.models.rollout(model, start, 20)"
        if model.inputs.map is not None:
            shapes = (one.shape for one in (model.inputs.input, model.inputs.target))
            given, found = (", ".join(map(str, ("samples", *shape))) for shape in shapes)
            return f"found = model(maps)  # ({given}) -> ({found})"
        if model.inputs.parameters:
            return f"{second} = model({first})"
        return f"{second}, jacobian = model({first}), model.jacobian({first})"
    return "potential, field = model(sources, points), model.field(sources, points)"


def _settings(header: Header) -> str:
    return _listed(header.model.model_dump(mode="json", exclude={"name"}))


def _listed(settings: Mapping[str, JsonValue]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in settings.items())


def _said(header: Header, key: str) -> str:
    return str(header.training.get(key, "not known"))


def _software(header: Header) -> str:
    software = header.training.get("software")
    if not isinstance(software, dict):
        return "not known"
    return _versions(software)


def _versions(software: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {version}" for name, version in software.items())


@dataclass(frozen=True)
class _Log:
    """Summary of a metrics.jsonl."""

    last_step: int | None
    seconds: float
    """Time of all steps that count, those of earlier processes too."""
    validation: Mapping[str, Any] | None
    """The last validation at the step of the model."""


def _read_log(path: Path, step: object) -> _Log:
    last_step, seconds, validation = None, 0.0, None
    for line in read_metrics(path):
        last_step = line["step"] if last_step is None else max(last_step, line["step"])
        if "seconds_per_step" in line:
            seconds += line["seconds_per_step"] * line["steps"]
        if "validation" in line and line["step"] == step:
            validation = line["validation"]
    return _Log(last_step, seconds, validation)


def _errors(validation: Mapping[str, Any] | None) -> dict[str, str]:
    """Median relative errors on the validation split."""
    if validation is None:
        return {"validation error": "not known"}
    if "determinant" in validation:
        named = {"det F": "determinant", "det C": "covariance_determinant"}
        return {
            f"{name}, validation split": four_digits(validation[key]) for name, key in named.items()
        }
    suffix = "_median_relative_error"
    return {
        f"median relative error of the {name.removesuffix(suffix)}, validation split": per_cent(
            value
        )
        for name, value in validation.items()
        if name.endswith(suffix) and (value is not None or name.startswith(("potential", "field")))
    }
