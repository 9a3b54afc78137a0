"""The command line of hm-eval."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import click

import hypermagnetics
from hypermagnetics.cluster import open_cluster, parse_cluster
from hypermagnetics.device_failures import failures_of_program_named
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.array_run import (
    FRESH,
    ArrayPlan,
    array_plan,
    evaluate_arrays,
    is_of_arrays,
)
from hypermagnetics.evaluate.cluster_run import ClusterParts, Job
from hypermagnetics.evaluate.compare.cli import compare
from hypermagnetics.evaluate.plan import Plan, check_fit, open_datasets
from hypermagnetics.evaluate.results.array_records import ArraySubject, array_json, array_text
from hypermagnetics.evaluate.results.gates import (
    Gate,
    apply_gate,
    parse_gate,
    refuse_unknown_splits,
)
from hypermagnetics.evaluate.results.json_file import to_json
from hypermagnetics.evaluate.results.records import Results
from hypermagnetics.evaluate.results.tables import TableFormat, results_text
from hypermagnetics.evaluate.run import evaluate
from hypermagnetics.evaluate.subjects.arguments import Arguments, sort_arguments
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.jax_setup import set_up_program
from hypermagnetics.log import Progress, courtesy_stream, errors_in_one_line, say
from hypermagnetics.models import ArrayModel, UserModel
from hypermagnetics.models.user import import_user_model
from hypermagnetics.precision import MatmulPrecision
from hypermagnetics.run_files import (
    EVALUATION_NAME,
    MODEL_NAME,
    PAGE_NAME,
    RESULTS_NAME,
    SAMPLES_NAME,
)
from hypermagnetics.subcommands import CLUSTER, FILE_PATH, CommandOrSubcommand, echo

_GATE_FAILED = 3
_MANY_OUT = Path("report")
"""Default output directory, except for a single run."""


@click.command(
    cls=CommandOrSubcommand,
    subcommands={"compare": compare},
    epilog="""\b
Example:  hm-eval run discs --split test_multi
Several:  hm-eval first second my_module:my_function discs prisms --out report
In CI:    hm-eval run discs --metrics-only --gate "test_multi.potential.median < 0.01"
Compare:  hm-eval compare first/eval second/eval    (see hm-eval compare --help)
""",
)
@click.argument("words", metavar="SUBJECT... DATASET...", nargs=-1, required=True)
@click.option(
    "--split",
    "splits",
    metavar="NAME",
    multiple=True,
    help="Evaluate on this split; may be given again.  [default: every split named test..., or "
    "all but train]",
)
@click.option(
    "--out",
    type=FILE_PATH,
    help=f"Directory of the results.  [default: RUN/eval for a single run, else ./{_MANY_OUT}]",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "markdown", "latex"]),
    default="table",
    show_default=True,
    help="Format of the results on stdout.",
)
@click.option(
    "--gate",
    "gate_texts",
    metavar="GATE",
    multiple=True,
    help='A bound such as "test_multi.potential.median < 0.01", as a fraction; may be given '
    f"again. If a subject breaks one, the exit code is {_GATE_FAILED}.",
)
@click.option(
    "--metrics-only",
    is_flag=True,
    help="Compute the errors alone, without baselines, physics, times and page.",
)
@click.option(
    "--by-sources",
    "by_sources",
    metavar="COLUMNS",
    multiple=True,
    help="Also report errors of the derivatives of the potential by these columns of the sources: "
    "moment, position, size, rotation, the name of a column, or all; may be given again.",
)
@click.option(
    "--samples",
    "num_fresh",
    type=click.IntRange(100, 2**24),
    help="Of summaries of readings: number of samples with fresh noise that give their Fisher "
    f"information.  [default: {FRESH}]",
)
@click.option(
    "--model",
    metavar="MODULE:CLASS",
    help="Class of a model of your own, in any module that can be imported.",
)
@click.option(
    "--matmul",
    type=click.Choice(get_args(MatmulPrecision)),
    default="float32",
    show_default=True,
    help="Precision of the factors of the models' matrix products, on GPUs and TPUs.",
)
@CLUSTER
@click.version_option(hypermagnetics.__version__, prog_name="hm-eval")
def main(
    words: tuple[str, ...],
    splits: tuple[str, ...],
    out: Path | None,
    output_format: TableFormat | Literal["json"],
    gate_texts: tuple[str, ...],
    metrics_only: bool,
    by_sources: tuple[str, ...],
    num_fresh: int | None,
    model: str | None,
    matmul: MatmulPrecision,
    cluster: str | None,
) -> None:
    """Evaluate every SUBJECT on every DATASET.

    A SUBJECT is a run of hm-train, a model file, an export of hm-train export, a function of yours
    as module:function, or a file of predictions. A DATASET is a directory made by hm-generate.

    Reports relative errors of potential and field beside baselines, physics and times, and writes
    results.json for programs, samples.zarr with the errors of every sample, and a page, index.html.
    Of networks from arrays to arrays it reports errors of targets and of their Jacobian, or Fisher
    information of summaries and estimates of the parameters, in results.json alone; of networks
    from maps to maps errors at all points and by wave number, and of networks that give the next
    state of a trajectory errors of rollouts, in results.json and the page.
    """
    with errors_in_one_line("hm-eval"), failures_of_program_named():
        start = time.monotonic()
        gates = [parse_gate(text) for text in gate_texts]
        set_up_program()
        arguments = sort_arguments(words)
        if is_of_arrays(arguments.subjects):
            _refuse_of_sources(gates, by_sources, cluster)
            chosen_out = out or _default_out(arguments)
            of_arrays = array_plan(
                *(arguments, splits, chosen_out, _user_model(model), matmul),
                num_fresh or FRESH,
                metrics_only,
            )
            _refuse_samples_in_vain(of_arrays, num_fresh)
            _evaluate_arrays(of_arrays, model, start, output_format)
            return
        if num_fresh is not None:
            raise _samples_in_vain(num_fresh)
        with redirect_stdout(courtesy_stream()):  # prints of users' code would spoil the results
            plan = _plan(arguments, splits, out, metrics_only, _user_model(model))
            plan = replace(plan, matmul=matmul, by_sources=by_sources)
            refuse_unknown_splits(gates, [name for one in plan.datasets for name in one.splits])
            job = Job.of(arguments, splits, model, plan)
            with (
                _elsewhere(cluster, job) as elsewhere,
                Progress("hm-eval", plan.num_predictions, "samples") as listener,
            ):
                results = evaluate(plan, listener, elsewhere)
        if output_format == "json":
            click.echo(to_json(results), nl=False)
        else:
            echo(results_text(results, output_format))
        _print_summary(arguments, plan, model, time.monotonic() - start, output_format)
        _pass_gates(gates, results)


@contextmanager
def _elsewhere(cluster: str | None, job: Job) -> Iterator[ClusterParts | None]:
    """The workers that predict, if a cluster is given."""
    if cluster is None:
        yield None
        return
    with open_cluster(parse_cluster(cluster)) as workers:
        yield ClusterParts(job, workers)


def _refuse_of_sources(gates: list[Gate], by_sources: tuple[str, ...], cluster: str | None) -> None:
    """Refuse options that mean something for potential and field alone."""
    options = (("--gate", gates), ("--by-sources", by_sources), ("--cluster", cluster))
    for option, given in options:
        if given:
            raise HypermagneticsError(
                f"{option} must be left out for a network from arrays to arrays, as it is for "
                f"models of sources; got it. Read the numbers in {RESULTS_NAME}."
            )


def _refuse_samples_in_vain(plan: ArrayPlan, num_fresh: int | None) -> None:
    if num_fresh is not None and all(model.inputs.noise is None for _, model in plan.subjects):
        raise _samples_in_vain(num_fresh)


def _samples_in_vain(num_fresh: int) -> HypermagneticsError:
    return HypermagneticsError(
        "--samples must be of a network that summarises readings with noise, which alone can be "
        f"drawn afresh; got {num_fresh}. Leave it out."
    )


def _evaluate_arrays(
    plan: ArrayPlan,
    model: str | None,
    start: float,
    output_format: TableFormat | Literal["json"],
) -> None:
    with Progress("hm-eval", plan.num_predictions, "samples") as listener:
        results = evaluate_arrays(plan, listener)
    if output_format == "json":
        click.echo(array_json(results), nl=False)
    else:
        echo(array_text(results, output_format))
    names = [RESULTS_NAME, *([PAGE_NAME] if plan.has_page else [])]
    wrote = f"Wrote {', '.join(str(plan.out / name) for name in names)}"
    if output_format != "table":
        say(f"hm-eval: {wrote}")
        return
    seconds = time.monotonic() - start
    lines = [wrote, f"{plan.num_predictions} predicted samples, {seconds:.1f} s in all."]
    if plan.has_page:
        lines.append(f"Next: look at {plan.out / PAGE_NAME} in a browser.")
    if len(plan.subjects) == 1:
        (subject, network), *_ = plan.subjects
        place = Path(subject.place)
        given = json.dumps(str(place / MODEL_NAME if place.is_dir() else place))
        if model is not None:
            given += f", user_model={model.partition(':')[2]}"
        lines.append(f"In Python: {_in_python(f'hypermagnetics.load({given})', subject, network)}")
    echo("\n" + "\n".join(lines))


def _in_python(network: str, subject: ArraySubject, model: ArrayModel) -> str:
    if (frame := model.inputs.steps) is not None:
        start = "states" if frame.moments is None else "sources"
        return f"hypermagnetics.models.rollout({network}, {start}, num_steps)"
    return f"{network}({subject.input if model.inputs.map is None else 'maps'})"


def _plan(
    arguments: Arguments,
    splits: tuple[str, ...],
    out: Path | None,
    metrics_only: bool,
    user_model: UserModel | None,
) -> Plan:
    """Open subjects and datasets, and check that they fit, before any prediction."""
    datasets = open_datasets(arguments.datasets, splits)
    subjects = open_subjects(arguments.subjects, user_model)
    check_fit(subjects, datasets)
    return Plan(subjects, datasets, out or _default_out(arguments), metrics_only)


def _default_out(arguments: Arguments) -> Path:
    if len(arguments.subjects) == 1 and arguments.subjects[0].kind == "run":
        return Path(arguments.subjects[0].word) / EVALUATION_NAME
    return _MANY_OUT


def _user_model(name: str | None) -> UserModel | None:
    return None if name is None else import_user_model(name, "--model")


def _print_summary(
    arguments: Arguments, plan: Plan, model: str | None, seconds: float, output_format: str
) -> None:
    """Print the paths of the results: to stdout below a table, else to stderr."""
    names = [RESULTS_NAME, SAMPLES_NAME, *([] if plan.metrics_only else [PAGE_NAME])]
    lines = [f"Wrote {', '.join(str(plan.out / name) for name in names)}"]
    lines.append(f"{plan.num_predictions} predicted samples, {seconds:.1f} s in all.")
    if not plan.metrics_only:
        lines.append(f"Next: look at {plan.out / PAGE_NAME} in a browser.")
    first = arguments.subjects[0]
    if len(arguments.subjects) == 1 and first.kind == "run":
        given = json.dumps(str(Path(first.word) / MODEL_NAME))
        if model is not None:
            given += f", user_model={model.partition(':')[2]}"
        lines.append(f"In Python: hypermagnetics.load({given})(sources, points)")
    elif len(arguments.subjects) > 1:
        lines.append(f"To compare them: {shlex.join(['hm-eval', 'compare', str(plan.out)])}")
    if output_format == "table":
        echo("\n" + "\n".join(lines))
    else:
        say("hm-eval: " + lines[0])


def _pass_gates(gates: list[Gate], results: Results) -> None:
    """Report the result of each gate for each subject.

    Raises:
        SystemExit: With code 3 if one failed.
    """
    judged = {subject.name for subject in results.subjects if subject.kind != "baseline"}
    found = [
        apply_gate(gate, evaluation)
        for gate in gates
        for evaluation in results.evaluations
        if evaluation.split == gate.split and evaluation.subject in judged
    ]
    for result in found:
        say(f"hm-eval: {result.sentence}")
    if not all(result.passed for result in found):
        raise SystemExit(_GATE_FAILED)
