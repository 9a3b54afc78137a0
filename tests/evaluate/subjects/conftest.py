"""One model as a run, as a model file and as an export."""

from collections.abc import Callable
from pathlib import Path

import jax.random as jr
import pytest

from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.models import HyperLayer, ModelInputs, save_model
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.export import export_run

OpenSubject = Callable[[object], Subject]


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a training whose model knows nothing; not to be changed."""
    directory = tmp_path_factory.mktemp("subjects") / "run"
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    inputs = ModelInputs(columns=SourceColumns.of("disc", constants={"radius": 1.0}))
    save_model(directory / "model.hm", HyperLayer(8, 1, 1.0, 1, inputs=inputs, **keys), {})
    return directory


@pytest.fixture(scope="session")
def exported_run(trained_run: Path) -> Path:
    """The same model for plain JAX; not to be changed."""
    out = trained_run.with_name("export")
    export_run(trained_run, out, overwrite=False)
    return out


@pytest.fixture
def open_subject(tiny) -> OpenSubject:
    """A function that opens what one word of a command line names."""

    def opened(word: object) -> Subject:
        (subject,) = open_subjects(sort_arguments([str(word), str(tiny.directory)]).subjects)
        return subject

    return opened
