"""Opens the subjects of a command line."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hypermagnetics import models
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.subjects.arguments import SubjectArgument
from hypermagnetics.evaluate.subjects.exported_model import ExportedModel, sha256_of_sums
from hypermagnetics.evaluate.subjects.function_model import FunctionModel
from hypermagnetics.evaluate.subjects.jax_model import JaxModel, LearnedPart, exact_pairs
from hypermagnetics.evaluate.subjects.prediction_file import PredictionFile
from hypermagnetics.evaluate.subjects.subject import Subject, on_any_split
from hypermagnetics.files import sha256_of
from hypermagnetics.models import Model, UserModel
from hypermagnetics.models.store import read_header
from hypermagnetics.models.user import UserModelConfig
from hypermagnetics.run_files import MODEL_NAME


def open_subjects(
    arguments: Sequence[SubjectArgument], user_model: UserModel | None = None
) -> tuple[Subject, ...]:
    """Read and import the subjects; nothing is predicted.

    Args:
        arguments: Words of the command line, sorted.
        user_model: A user's class, for the model files that name it.

    Returns:
        The subjects, in the same order.

    Raises:
        RunError: If a run has no model, or an export or predictions cannot be read.
        ModelFileError: If a model file is damaged, or of another class.
        ExtensionError: If a function is missing, or a class does not take the settings in a file.
    """
    _refuse_without_model(arguments)
    files = [argument.path for argument in arguments if argument.kind in ("run", "model")]
    classes = _classes(files, user_model)
    return tuple(_open(argument, classes) for argument in arguments)


def _refuse_without_model(arguments: Sequence[SubjectArgument]) -> None:
    for argument in arguments:
        if argument.kind == "run" and not argument.path.is_file():
            raise RunError(
                f"A run must have a {MODEL_NAME}; got a directory without one ({argument.word}). "
                f"If its training was interrupted, hm-train DATASET {argument.word} --resume "
                "completes it (in Python if_exists='resume')."
            )


def _classes(files: Sequence[Path], user_model: UserModel | None) -> dict[Path, UserModel | None]:
    """The class of the model in each file: models of users and shipped ones may be mixed.

    If no file is a user's model, the class is for all of them, and refused.
    """
    if user_model is None:
        return dict.fromkeys(files)
    headers = {file: read_header(file, "hypermagnetics model") for file in files}
    own = [file for file, header in headers.items() if isinstance(header.model, UserModelConfig)]
    return {file: user_model if file in own or not own else None for file in files}


def _open(argument: SubjectArgument, classes: dict[Path, UserModel | None]) -> Subject:
    match argument.kind:
        case "export":
            return _export(argument)
        case "function":
            function = FunctionModel(argument.word)
            return Subject(
                argument.name, "function", argument.word, on_any_split(function), function
            )
        case "predictions":
            return _predictions(argument)
        case _:
            return _trained(argument, classes[argument.path])


def model_subject(model: Model, name: str) -> Subject:
    """A model in memory as a subject.

    Args:
        model: The model.
        name: Name in tables; unique within an evaluation.

    Returns:
        The subject.
    """
    predictor, near = JaxModel(model), model.near
    knows_outside = model.domain is not None and model.traced_guard == "exact"
    return Subject(
        name=name,
        kind="model",
        place="in memory",
        on_split=on_any_split(predictor),
        model=predictor,
        slopes=predictor.slopes,
        num_parameters=models.num_parameters(model),
        table=model.inputs.columns,
        rank=model.rank,
        targets=None if near is None else near.targets,
        exact_pairs=partial(exact_pairs, model) if near is not None or knows_outside else None,
        learned=None if near is None else JaxModel(LearnedPart(model)),
        knowledge=model.knowledge,
    )


def refuse_changed(subjects: Sequence[Subject]) -> None:
    """Refuse predictions that changed after they were opened, as they are read bit by bit.

    Args:
        subjects: The subjects.

    Raises:
        RunError: If there are any.
    """
    for subject in subjects:
        if subject.kind == "predictions":
            _refuse_another(_sha256(Path(subject.place)), subject.sha256, subject.place)


def _refuse_another(found: str, before: str | None, place: str) -> None:
    if found != before:
        raise RunError(
            f"A subject must stay the same while it is read; got another {place} than when it was "
            "opened. Leave it alone, and give the same command again."
        )


def _trained(argument: SubjectArgument, user_model: UserModel | None) -> Subject:
    sha256 = sha256_of(argument.path)
    model = models.load_of_sources(argument.path, user_model=user_model)
    _refuse_another(sha256_of(argument.path), sha256, argument.word)
    return replace(
        model_subject(model, argument.name),
        kind=argument.kind,
        place=argument.word,
        sha256=sha256,
    )


def _export(argument: SubjectArgument) -> Subject:
    model = ExportedModel(argument.path)
    return Subject(
        name=argument.name,
        kind="export",
        place=argument.word,
        on_split=on_any_split(model),
        model=model,
        sha256=model.sha256,
        table=model.table,
    )


def _predictions(argument: SubjectArgument) -> Subject:
    path = argument.path
    predictions = PredictionFile(path)
    return Subject(
        name=argument.name,
        kind="predictions",
        place=argument.word,
        on_split=predictions.on_split,
        sha256=_sha256(path),
    )


def _sha256(path: Path) -> str:
    """The sha256 of a file, or of all files in a directory."""
    if not path.is_dir():
        return sha256_of(path)
    files = [file for file in path.rglob("*") if file.is_file()]
    return sha256_of_sums({file.relative_to(path).as_posix(): sha256_of(file) for file in files})
