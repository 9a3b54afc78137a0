"""The evaluation of networks from arrays to arrays.

It reports errors of targets and of their Jacobians, of maps or of rollouts, or Fisher information
of summaries.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import Dataset, verify_split
from hypermagnetics.data.array_view import ArrayView, Role, names_of, names_of_readings
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.device_failures import device_failures_named
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.fisher.measurement import measure_fisher, num_predictions
from hypermagnetics.evaluate.maps.evaluation import MapSplit
from hypermagnetics.evaluate.maps.fit import map_data_of, refuse_other_maps
from hypermagnetics.evaluate.plan import choose_splits, refuse_unknown_names
from hypermagnetics.evaluate.report.earlier_page import is_page, remove_page
from hypermagnetics.evaluate.results.array_records import (
    ArrayDataset,
    ArrayEvaluation,
    ArrayResults,
    ArraySubject,
    array_json,
)
from hypermagnetics.evaluate.results.json_file import is_results
from hypermagnetics.evaluate.results.quantity_scores import ArrayQuantityScores
from hypermagnetics.evaluate.rollouts.evaluation import RolloutSplit
from hypermagnetics.evaluate.rollouts.fit import refuse_other_trajectories
from hypermagnetics.evaluate.rollouts.trajectories import StoredTrajectories
from hypermagnetics.evaluate.subjects.arguments import Arguments, SubjectArgument
from hypermagnetics.files import name_in_text, only_writer, sha256_of, write_text_atomically
from hypermagnetics.jax_setup import own_program
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.machine import processor
from hypermagnetics.metrics import Errors, joined, measure
from hypermagnetics.models import (
    ArrayInputs,
    ArrayModel,
    ArrayScales,
    UserModel,
    fiducial_parameters,
    load,
    num_parameters,
)
from hypermagnetics.models.store import read_header
from hypermagnetics.precision import MatmulPrecision, matmul_precision
from hypermagnetics.run_files import (
    FIGURES_NAME,
    LOCK_NAME,
    PAGE_NAME,
    RESULTS_NAME,
    SAMPLES_NAME,
)

FRESH = 20_000
"""Default number of samples with fresh noise that give Fisher information."""
_SOFTWARE = ("hypermagnetics", "jax", "jaxlib", "equinox", "numpy")
_AGAIN = "Once it is there again, give the same command"


@dataclass(frozen=True)
class ArrayPlan:
    """Networks, each evaluated on all splits, and the directory of the results."""

    subjects: tuple[tuple[ArraySubject, ArrayModel], ...]
    datasets: tuple[tuple[ArrayDataset, Dataset, tuple[str, ...]], ...]
    """Each with the names of its chosen splits."""
    out: Path
    matmul: MatmulPrecision = "float32"
    num_fresh: int = FRESH
    """Number of samples with fresh noise that give Fisher information."""
    metrics_only: bool = False
    """Whether there are to be no page, and no baselines of maps and rollouts."""

    @property
    def is_of_rollouts(self) -> bool:
        """Whether the networks give the next state of a trajectory."""
        return self.subjects[0][1].inputs.steps is not None

    @property
    def has_page(self) -> bool:
        """Whether there is a page, which is of networks from maps to maps, or of rollouts."""
        of_maps = any(model.inputs.map is not None for _, model in self.subjects)
        return (of_maps or self.is_of_rollouts) and not self.metrics_only

    @property
    def num_predictions(self) -> int:
        """Number of predictions of all networks on all splits."""
        sizes = [len(data.any_split(n)) for _, data, splits in self.datasets for n in splits]
        return sum(
            num_predictions(model, size, self.num_fresh) if model.inputs.parameters else size
            for _, model in self.subjects
            for size in sizes
        )


def is_of_arrays(arguments: Sequence[SubjectArgument]) -> bool:
    """Whether subjects are networks from arrays to arrays, by the first lines of their files.

    Args:
        arguments: Words of the command line, sorted.

    Raises:
        RunError: If some are, and others are not.
        ModelFileError: If a file is damaged.
    """
    files = [one for one in arguments if one.kind in ("run", "model") and one.path.is_file()]
    found = [
        one.word
        for one in files
        if isinstance(read_header(one.path, "hypermagnetics model").inputs, ArrayInputs)
    ]
    if found and len(found) < len(arguments):
        others = [one.word for one in arguments if one.word not in found]
        raise RunError(
            "Subjects must all be networks from arrays to arrays, or none; got "
            f"{', '.join(found)} beside {', '.join(others)}. Evaluate them apart."
        )
    return bool(found)


def array_plan(
    arguments: Arguments,
    splits: Sequence[str],
    out: Path,
    user_model: UserModel | None = None,
    matmul: MatmulPrecision = "float32",
    num_fresh: int = FRESH,
    metrics_only: bool = False,
) -> ArrayPlan:
    """Open networks and datasets, and check that they fit, before any prediction.

    Args:
        arguments: Words of the command line, sorted.
        splits: Names of splits; as of `open_datasets`.
        out: Directory of the results.
        user_model: A user's class, for the files that name it.
        matmul: Precision of the factors of matrix products.
        num_fresh: Number of samples with fresh noise that give Fisher information.
        metrics_only: Whether there are to be no page, and no baselines of maps and rollouts.

    Returns:
        The plan.

    Raises:
        RunError: If a network and a dataset do not fit, or the directory holds other files.
        DatasetError: If a dataset is damaged, or has no such split or array.
        ModelFileError: If a file is damaged, or of another class.
    """
    _refuse_foreign(out)
    opened = [(one, Dataset.open(one.path)) for one in arguments.datasets]
    refuse_unknown_names(splits, [dataset for _, dataset in opened])
    subjects = tuple(_subject(one, user_model) for one in arguments.subjects)
    _refuse_both_kinds(subjects)
    datasets = tuple(
        (
            ArrayDataset(one.name, name_in_text(one.path), dataset.sha256, dataset.manifest.title),
            dataset,
            choose_splits(dataset, splits),
        )
        for one, dataset in opened
    )
    for record, model in subjects:
        for _, dataset, names in datasets:
            for name in names:
                # States on a grid are of maps as well.
                if model.inputs.steps is not None:
                    trajectories = StoredTrajectories.of(dataset, name)
                    refuse_other_trajectories(record, model, trajectories)
                    continue
                if model.inputs.map is not None:
                    maps = map_data_of(record, model, dataset, name)
                    refuse_other_maps(record, model, dataset, maps)
                    continue
                view = _view(model, dataset, name)
                _refuse_misfit(record, model, view)
                if model.inputs.parameters:
                    _refuse_other_parameters(record, model, dataset, view)
                    _refuse_few(record, model, view, num_fresh)
    return ArrayPlan(subjects, datasets, out, matmul, num_fresh, metrics_only)


def evaluate_arrays(plan: ArrayPlan, listener: Listener = SILENT) -> ArrayResults:
    """Evaluate every network on every split, and write results.json, perhaps with a page.

    Args:
        plan: The plan.
        listener: Receives the number of samples just predicted.

    Returns:
        The results.

    Raises:
        DatasetError: If the bytes of a split are not those its manifest promises.
        RunError: If the directory holds files that are not of such an evaluation.
        DeviceError: If the memory of the device is full, or it does not answer any more.
    """
    for _, dataset, names in plan.datasets:
        for name in names:
            verify_split(dataset.any_split(name))
    plan.out.mkdir(parents=True, exist_ok=True)
    lock = plan.out / LOCK_NAME
    with only_writer(lock, "The directory of the results"):
        try:
            _refuse_foreign(plan.out)
            with matmul_precision(plan.matmul), device_failures_named("A block", _smaller, _AGAIN):
                results, write_page = _results(plan, listener)
                remove_page(plan.out)
                write_text_atomically(plan.out / RESULTS_NAME, array_json(results))
                if plan.has_page:
                    listener.tell("drawing the page ...")
                    write_page(results)
        finally:
            lock.unlink(missing_ok=True)
    return results


def _smaller(_: int) -> str:
    return "Evaluate a dataset of smaller blocks, or compute on the CPU with JAX_PLATFORMS=cpu"


def _results(
    plan: ArrayPlan, listener: Listener
) -> tuple[ArrayResults, Callable[[ArrayResults], object]]:
    """Results of all networks, and the drawing of the page of those of maps or of rollouts."""
    splits = [(about, dataset, name) for about, dataset, names in plan.datasets for name in names]
    if plan.is_of_rollouts:
        of_rollouts = [RolloutSplit(*one, plan.metrics_only) for one in splits]
        evaluations = [
            evaluation
            for split in of_rollouts
            for record, model in plan.subjects
            for evaluation in split.evaluate(record, model, listener)
        ]
        return _recorded(plan, evaluations), partial(_rollout_page, of_rollouts, plan.out)
    of_maps = [MapSplit(*one, plan.metrics_only) for one in splits]
    evaluations = [
        evaluation
        for split in of_maps
        for record, model in plan.subjects
        for evaluation in (
            [_evaluated(plan, split, record, model, listener)]
            if model.inputs.map is None
            else split.evaluate(record, model, listener)
        )
    ]
    return _recorded(plan, evaluations), partial(_map_page, of_maps, plan.out)


def _rollout_page(splits: Sequence[RolloutSplit], out: Path, results: ArrayResults) -> None:
    from hypermagnetics.evaluate.rollouts.page import write_page  # with matplotlib

    write_page(results, splits, out)


def _map_page(splits: Sequence[MapSplit], out: Path, results: ArrayResults) -> None:
    from hypermagnetics.evaluate.maps.page import write_page  # with matplotlib

    write_page(results, splits, out)


def _evaluated(
    plan: ArrayPlan, split: MapSplit, record: ArraySubject, model: ArrayModel, listener: Listener
) -> ArrayEvaluation:
    """The evaluation of a network of arrays that are neither maps nor trajectories."""
    view = _view(model, split.dataset, split.split)
    targets = jacobian = fisher = None
    if model.inputs.parameters:
        fisher = measure_fisher(model, view, plan.num_fresh, listener)
    else:
        targets, jacobian = _measured(model, view, listener)
    return ArrayEvaluation(
        subject=record.name,
        dataset=split.about.name,
        split=split.split,
        num_samples=len(view),
        targets=None if targets is None else ArrayQuantityScores.of(targets),
        jacobian=None if jacobian is None else ArrayQuantityScores.of(jacobian),
        fisher=fisher,
    )


def _recorded(plan: ArrayPlan, evaluations: Sequence[ArrayEvaluation]) -> ArrayResults:
    on_cpu = jax.default_backend() == "cpu"
    return ArrayResults(
        subjects=tuple(record for record, _ in plan.subjects),
        datasets=tuple(about for about, _, _ in plan.datasets),
        evaluations=tuple(evaluations),
        software={name: version(name) for name in _SOFTWARE},
        device=jax.default_backend(),
        processor=processor() if on_cpu else str(jax.devices()[0].device_kind),
        matmul=plan.matmul,
    )


def _measured(
    model: ArrayModel, view: ArrayView, listener: Listener
) -> tuple[Errors, Errors | None]:
    """Errors of targets, and of the Jacobian if there is one, of all samples of a split."""
    parts = list(_blocks(model, view, listener))
    targets = joined([errors for errors, _ in parts])
    slopes = [errors for _, errors in parts if errors is not None]
    return targets, joined(slopes) if slopes else None


def _blocks(
    model: ArrayModel, view: ArrayView, listener: Listener
) -> Iterator[tuple[Errors, Errors | None]]:
    has_jacobian, size = "jacobian" in view.viewed, view.layout.samples_per_block
    scales = model.inputs.input.scales

    @own_program
    def predict(model: ArrayModel, inputs: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        return model(inputs), model.jacobian(inputs) if has_jacobian else None

    for block in range(view.layout.num_blocks):
        (arrays,) = view.read((block,))
        inputs, count = arrays["inputs"], len(arrays["inputs"])
        # Always as many, so that one compiled program serves all.
        padding = [(0, size - count)] + [(0, 0)] * (inputs.ndim - 1)
        found, slopes = predict(model, jnp.asarray(np.pad(inputs, padding)))
        errors = measure(_flat(np.asarray(found)[:count]), _flat(arrays["targets"]))
        of_slopes = None
        if slopes is not None:
            # Before flattening: the last axes are those of the inputs, as of their scales.
            pair = (np.asarray(slopes)[:count], arrays["jacobian"])
            rows = [(one * scales).reshape(count, -1, model.inputs.input.size) for one in pair]
            of_slopes = measure(*rows)
        listener.advance(count)
        yield errors, of_slopes


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _subject(
    argument: SubjectArgument, user_model: UserModel | None
) -> tuple[ArraySubject, ArrayModel]:
    sha256 = sha256_of(argument.path)
    model = load(argument.path, user_model=user_model)
    assert isinstance(model, ArrayModel), "its first line was looked at"
    inputs = model.inputs
    record = ArraySubject(
        name=argument.name,
        place=argument.word,
        sha256=sha256,
        num_parameters=num_parameters(model),
        input=inputs.input.name,
        target=inputs.target.name,
    )
    return record, model


def _view(model: ArrayModel, dataset: Dataset, name: str) -> ArrayView:
    split = dataset.any_split(name)
    if model.inputs.parameters:
        return ArrayView(split, names_of_readings(split, model.inputs.input.name))
    names = names_of(split, model.inputs.input.name, model.inputs.target.name)
    return ArrayView(split, names, model.inputs.input.columns or None)


def _refuse_both_kinds(subjects: Sequence[tuple[ArraySubject, ArrayModel]]) -> None:
    of_rollouts = [record.place for record, model in subjects if model.inputs.steps is not None]
    if of_rollouts and len(of_rollouts) < len(subjects):
        others = [record.place for record, _ in subjects if record.place not in of_rollouts]
        raise RunError(
            "Subjects must all be networks that give the next state of a trajectory, or none; got "
            f"{', '.join(of_rollouts)} beside {', '.join(others)}. Evaluate them apart."
        )


def _refuse_misfit(record: ArraySubject, model: ArrayModel, view: ArrayView) -> None:
    sides: dict[Role, ArrayScales] = {"inputs": model.inputs.input}
    if not model.inputs.parameters:  # summaries are in no dataset
        sides["targets"] = model.inputs.target
    for role, side in sides.items():
        found = view.viewed[role].shape
        if found != side.shape:
            raise RunError(
                f"The network must have {role} like those of the dataset, {list(found)} each; got "
                f"{list(side.shape)} ({record.place}, split {view.name!r} of {view.directory}). "
                "Evaluate it on a dataset like the one it was trained on."
            )
    if model.inputs.setting and model.inputs.setting != view.split.digest_of_setting():
        kind = "from readings to summaries" if model.inputs.parameters else "from sources"
        raise RunError(
            f"A network {kind} must be evaluated on the bodies, "
            f"constants and points of its training; got others ({record.place}, split "
            f"{view.name!r} of {view.directory}). Evaluate it on a dataset of other "
            "samples alone."
        )


def _refuse_other_parameters(
    record: ArraySubject, model: ArrayModel, dataset: Dataset, view: ArrayView
) -> None:
    place = f"{record.place}, split {view.name!r} of {view.directory}"
    noise, wanted = model.inputs.noise, model.inputs.parameters
    of_dataset = wanted if noise is None or noise.parameter is None else wanted[:-1]
    found = fiducial_parameters(dataset, view.name)
    if found != of_dataset:
        raise RunError(
            "Summaries must be evaluated at the parameters of their training, "
            f"{_said(of_dataset)}; got {_said(found) or 'none'} ({place}). Evaluate them on a "
            "dataset of these."
        )


def _refuse_few(record: ArraySubject, model: ArrayModel, view: ArrayView, num_fresh: int) -> None:
    """Refuse fewer draws than give the covariance of summaries an inverse that means something."""
    least = 5 * (model.inputs.target.size + 1)
    place = f"{record.place}, split {view.name!r} of {view.directory}"
    if len(view) < 2 * least:
        raise RunError(
            f"A split of {model.inputs.target.size} summaries must have at least {2 * least} "
            f"samples for their covariance; got {len(view)} ({place}). Evaluate a larger one."
        )
    if model.inputs.noise is not None and num_fresh < 2 * least:
        raise RunError(
            f"--samples of {model.inputs.target.size} summaries must be at least {2 * least}, for "
            f"their covariance; got {num_fresh} ({place}). Raise it."
        )


def _said(parameters: Sequence[Parameter]) -> str:
    return ", ".join(f"{one.name} {one.value:g}" for one in parameters)


def _refuse_foreign(out: Path) -> None:
    """Refuse a directory that holds other files than those of such an evaluation."""
    if out.exists() and not out.is_dir():
        raise RunError(
            f"The place of the results must be a directory; got {str(out)!r}, which is a file "
            "(--out). Choose another one."
        )
    results, page, figures = out / RESULTS_NAME, out / PAGE_NAME, out / FIGURES_NAME
    if (samples := out / SAMPLES_NAME).exists():
        raise RunError(
            "The directory of the results of networks from arrays to arrays must hold no samples, "
            f"which belong to models of sources; got {samples}. Choose another directory (--out)."
        )
    foreign = [results] if results.exists() and not is_results(results) else []
    foreign += [page] if page.exists() and not is_page(page) else []
    foreign += [figures] if figures.exists() and not figures.is_dir() else []
    if foreign:
        raise RunError(
            f"The directory of the results must hold no other {foreign[0].name} than that of "
            f"hm-eval; got {foreign[0]}. Move it away, or choose another directory (--out)."
        )
