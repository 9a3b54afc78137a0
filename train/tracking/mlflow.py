"""Runs of MLflow."""

import io
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import JsonValue

from hypermagnetics.files import make_shared
from hypermagnetics.train.tracking.tracker import TrackedRun

_PARAMETERS_PER_CALL = 100
"""Largest number of parameters that MLflow takes per call."""

_LONGEST_PARAMETER = 500
"""Number of characters that every release and store of MLflow takes."""

DEFAULTS = {
    # It would tell its makers of every run.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # stderr is for the bar and for what a person should know.
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # A server that is gone holds up a training for a minute, not for a quarter of an hour.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
"""Environment variables, unless set by a user."""


class MLflow:
    """One run of MLflow for all processes of a run: in a file of its own, or on a server."""

    def __init__(self, run: TrackedRun) -> None:
        """Begin or resume the run."""
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._metric = Metric
        directory = (run.directory / "mlflow").resolve()
        server = os.environ.get("MLFLOW_TRACKING_URI")
        if not server:
            directory.mkdir(parents=True, exist_ok=True)
            make_shared(directory / "mlflow.db")
        self._client = MlflowClient(server or database_url(directory))
        # A server knows where it keeps pictures.
        pictures = None if server else (directory / "artifacts").as_uri()
        self._number, is_new = run.remembered("mlflow-run", lambda: self._new_run(run, pictures))
        if is_new:
            texts = [Param(key, str(x)[:_LONGEST_PARAMETER]) for key, x in _flat(run.recipe)]
            for first in range(0, len(texts), _PARAMETERS_PER_CALL):
                some = texts[first : first + _PARAMETERS_PER_CALL]
                self._client.log_batch(self._number, params=some)
        else:
            self._client.update_run(self._number, status="RUNNING")
        self._told = {} if is_new else self._last_steps()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers, except for steps already logged."""
        now = int(time.time() * 1000)
        new = [
            self._metric(key, value, now, step)
            for key, value in values.items()
            if step > self._told.get(key, -1)
        ]
        if new:
            self._client.log_batch(self._number, metrics=new)

    def picture(self, step: int, png: bytes) -> None:
        """Log a picture, except for a validation already logged."""
        if step > self._told.get("validation/loss", -1):
            image = Image.open(io.BytesIO(png))
            self._client.log_image(self._number, image, key="sample", step=step, synchronous=True)

    def close(self, finished: bool) -> None:
        """End the run."""
        self._client.set_terminated(self._number, "FINISHED" if finished else "KILLED")

    def _new_run(self, run: TrackedRun, pictures: str | None) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "hypermagnetics"
        found = self._client.get_experiment_by_name(name)
        experiment = (
            found.experiment_id if found else self._client.create_experiment(name, pictures)
        )
        created = self._client.create_run(experiment, run_name=run.name)
        return str(created.info.run_id)

    def _last_steps(self) -> dict[str, int]:
        """The last step of each number; MLflow would keep a second value beside the first."""
        keys = self._client.get_run(self._number).data.metrics
        return {
            key: max(point.step for point in self._client.get_metric_history(self._number, key))
            for key in keys
        }


def database_url(directory: Path) -> str:
    """URL of the database in a directory that exists, for as long as this process lives.

    MLflow and SQLAlchemy take a path to pieces at "?" and "%", each in its own way and from one
    release to the next in another, and neither takes bytes that are no UTF-8. Such a directory is
    named by a descriptor, which Linux has a path for.
    """
    path = str(directory / "mlflow.db")
    if path.isprintable() and not {"?", "%", "#"} & set(path):
        return f"sqlite:///{path}"
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    return f"sqlite:////proc/self/fd/{descriptor}/mlflow.db"


def _flat(recipe: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of a recipe with their tables, as in model.width."""
    for key, value in recipe.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
