"""Clusters of Dask: pieces of work go to workers on this machine or on others.

Dask pickles what it sends, so a worker runs whatever a client asks for: schedulers belong into a
network of your own, or behind certificates (`tls://`).
"""

import logging
import os
import pickle
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    assert_never,
    runtime_checkable,
)

from pydantic import Field, JsonValue

from hypermagnetics.child_processes import starting
from hypermagnetics.config import Config, checked
from hypermagnetics.errors import HypermagneticsError, RecipeError
from hypermagnetics.extras import refuse_missing
from hypermagnetics.input_files import FileKind
from hypermagnetics.log import say

if TYPE_CHECKING:
    import distributed

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_FILE = FileKind("The file of a cluster", 1 << 20, RecipeError, 1 << 12)
_MOST_LOCAL = 512
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d{1,5}")
_FORMS = "local:N, tcp://HOST:PORT, tls://HOST:PORT, or a .toml file"
_PIECES_AHEAD = 2
"""Pieces of work for each thread of the workers: one more waits there while one is done."""
_SECONDS_TO_CONNECT = 20
_LOGGERS = {"distributed", "dask_jobqueue", "tornado", "asyncio"}
_SETTINGS: dict[str, Any] = {
    # Workers compute as the client would: with as many threads of BLAS, and the same modules.
    "distributed.nanny.pre-spawn-environ": {"PYTHONSAFEPATH": "1"},
    # Nothing looks at these measurements, which take some per cent of a worker.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.tick.cycle": "5s",
    "distributed.admin.system-monitor.interval": "5s",
}


@dataclass(frozen=True)
class LocalWorkers:
    """Processes on this machine, under a scheduler that ends with this program."""

    count: int


@dataclass(frozen=True)
class Scheduler:
    """A scheduler that runs already, with whatever workers have joined it."""

    address: str


class JobsConfig(Config):
    """A cluster file: jobs of a batch system, which dask-jobqueue submits."""

    job_class: Annotated[
        Literal[
            "HTCondorCluster",
            "LSFCluster",
            "MoabCluster",
            "OARCluster",
            "PBSCluster",
            "SGECluster",
            "SLURMCluster",
            "LocalCluster",
        ],
        Field(alias="class"),
    ]
    """Class of dask_jobqueue; LocalCluster starts the commands of its jobs on this machine."""
    workers: Annotated[int, Field(ge=1, le=2**16)]
    """Number of workers, of all jobs together."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Arguments of the class, as its documentation has them: cores, memory, queue, walltime."""


@dataclass(frozen=True)
class BatchJobs:
    """Workers as jobs of a batch system."""

    config: JobsConfig
    file: Path


AnyCluster = LocalWorkers | Scheduler | BatchJobs
"""Descriptions of clusters."""


def parse_cluster(text: str) -> AnyCluster:
    """Parse the value of `--cluster`; nothing is started.

    Args:
        text: `local:N`, `tcp://HOST:PORT`, `tls://HOST:PORT`, or a .toml file.

    Returns:
        The description of the cluster.

    Raises:
        HypermagneticsError: If it is none of these, or the file does not fit.
    """
    if (local := re.fullmatch(r"local:(\d+)", text)) and 1 <= int(local[1]) <= _MOST_LOCAL:
        return LocalWorkers(int(local[1]))
    if _ADDRESS.fullmatch(text):
        return Scheduler(text)
    if text.endswith(".toml"):
        return BatchJobs(_read(Path(text)), Path(text))
    raise HypermagneticsError(
        f"A cluster must be {_FORMS}, with N from 1 to {_MOST_LOCAL}; got {text!r} (--cluster). "
        "Write for example --cluster local:4."
    )


def _read(file: Path) -> JobsConfig:
    if not file.exists():
        raise RecipeError(
            f"The file of a cluster must exist; got {str(file)!r} (--cluster). Check the path, or "
            "write local:4 for workers on this machine."
        )
    try:
        table = tomllib.loads(_FILE.read(file).decode())
    except RecipeError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecipeError(
            f"The file of a cluster must be valid TOML; got: {error} ({file}). Mend the file at "
            "that place."
        ) from error
    return checked(JobsConfig, table, f"cluster {file}")


@runtime_checkable
class Hands(Protocol):
    """Whatever does pieces of work: this process, or the workers of a cluster."""

    def results(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], /
    ) -> Iterator[_Result]:
        """Do some work with each of many items, and yield the results in any order."""


class InTurn:
    """This process, which does one piece of work after another."""

    def results(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], /
    ) -> Iterator[_Result]:
        """See `Hands`."""
        return map(work, items)


def in_order(results: Iterable[tuple[int, _Result]]) -> Iterator[_Result]:
    """Bring numbered results into their order, each as soon as all before it are there.

    Args:
        results: Results with their numbers, which count from 0 without a gap.

    Yields:
        The results.
    """
    early: dict[int, _Result] = {}
    wanted = 0
    for number, result in results:
        early[number] = result
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1


class _Call(NamedTuple):
    """A call that is made where it is unpickled.

    So Dask itself never imports a function of ours. A worker that cannot would else be closed
    without a word, and leave its work to the next; this way it answers with the error.
    """

    function: Callable[[Any], Any]
    argument: Any

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Any]]:
        return self.function, (self.argument,)


class Workers:
    """The workers of a cluster, which do pieces of work."""

    def __init__(self, client: "distributed.Client", least_threads: int) -> None:
        """Use `open_cluster`."""
        self._client, self._least_threads = client, least_threads

    def results(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], /
    ) -> Iterator[_Result]:
        """Do some work with each of many items; see `Hands`.

        Few items are under way at any time, so neither they nor their results pile up at the
        scheduler. An item of a worker that dies goes to another one, and may so be worked at twice.

        Args:
            work: A function of a module, or a `functools.partial` of one; small, as it is sent
                with every item.
            items: Its arguments; small, too.

        Yields:
            Its results, as they come.

        Raises:
            HypermagneticsError: If workers die again and again with one item, or the scheduler
                ends. Errors of the work itself pass.
        """
        import distributed

        rest = iter(items)
        done = distributed.as_completed(loop=self._client.loop)
        under_way: set[distributed.Future] = set()
        try:
            while True:
                with _cluster_answers():
                    for item in islice(rest, max(self._width() - len(under_way), 0)):
                        packed = pickle.dumps(_Call(work, item))
                        future = self._client.submit(pickle.loads, packed, pure=False)
                        under_way.add(future)
                        done.add(future)
                    if not under_way:
                        return
                    future = next(done)
                    # Of a worker that has just died it is made anew, which takes its time.
                    result = future.result()
                    under_way.remove(future)
                    future.release()
                yield result
        finally:
            # Cancel the items that have not begun when the caller gives up.
            with suppress(Exception):
                self._client.cancel(list(under_way), force=True)

    def _width(self) -> int:
        """Number of items under way, by the workers that are there now."""
        threads: int = sum(self._client.nthreads().values())
        return _PIECES_AHEAD * max(threads, self._least_threads)


@contextmanager
def _cluster_answers() -> Iterator[None]:
    """Turn errors of a cluster into a sentence; those of the work itself pass."""
    import distributed
    from distributed.client import FutureCancelledError

    try:
        yield
    except distributed.scheduler.KilledWorker as error:
        raise HypermagneticsError(
            "A piece of work must end on a worker of the cluster; got "
            f"{error.allowed_failures + 1} workers that died with it, the last at "
            f"{error.last_worker.address}. Look into the logs of the workers, give them more "
            "memory, and give the same command again: finished work is kept."
        ) from error
    except ImportError as error:
        raise HypermagneticsError(
            "A worker of a cluster must import what this program does; got there: "
            f"{_one_line(error)}. Install the same packages in the environment of the workers."
        ) from error
    except (FutureCancelledError, OSError) as error:  # a TimeoutError is one
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the work, such as a full disk
        raise HypermagneticsError(
            "The scheduler of a cluster must run until all work is done; got no answer of it any "
            f"more ({type(error).__name__}). Start it again, and give the same command again: "
            "finished work is kept."
        ) from error


@contextmanager
def open_cluster(cluster: AnyCluster) -> Iterator[Workers]:
    """Start a cluster, or join one that runs; for the main thread.

    Args:
        cluster: Its description.

    Yields:
        Its workers. Those that were started end with the block.

    Raises:
        HypermagneticsError: If Dask is not installed, or there is no such cluster.
    """
    refuse_missing("distributed", "Work on a cluster (--cluster)")
    with _environment_kept(), starting():
        import dask
        import distributed  # noqa: F401  (its defaults, before one of them is changed)
    with ExitStack() as stack:
        stack.enter_context(_environment_kept())
        stack.enter_context(dask.config.set(_SETTINGS))
        stack.enter_context(_quiet())
        # Its threads, and the processes that they start, never receive a Ctrl-C.
        with starting():
            address, least = _started(cluster, stack)
            client = stack.enter_context(_connected(address))
        if not client.nthreads():
            say(f"hypermagnetics: waiting for the first worker of {client.scheduler.address} ...")
        yield Workers(client, least)


@contextmanager
def hands_of(cluster: str | None) -> Iterator[Hands]:
    """The hands that `--cluster` names: workers of a cluster, or this process if it is not given.

    Args:
        cluster: Its text; see `parse_cluster`.

    Yields:
        The hands.

    Raises:
        HypermagneticsError: As of `parse_cluster` and `open_cluster`.
    """
    if cluster is None:
        yield InTurn()
        return
    with open_cluster(parse_cluster(cluster)) as workers:
        yield workers


def _started(cluster: AnyCluster, stack: ExitStack) -> tuple[Any, int]:
    """Address of a cluster, or a cluster that was started, and the least threads to count on."""
    import distributed

    match cluster:
        case LocalWorkers(count):
            local = distributed.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=":0",
                memory_limit=None,
                silence_logs="CRITICAL",
            )
            return stack.enter_context(local), count
        case Scheduler(address):
            return address, 1
        case BatchJobs(config, file):
            return stack.enter_context(_jobs(config, file)), config.workers
        case _:
            assert_never(cluster)


def _jobs(config: JobsConfig, file: Path) -> Any:
    """Submit the jobs of a cluster file."""
    refuse_missing("dask_jobqueue", "A cluster of batch jobs (--cluster)")
    import dask_jobqueue
    import dask_jobqueue.local

    module = dask_jobqueue.local if config.job_class == "LocalCluster" else dask_jobqueue
    kind = getattr(module, config.job_class)
    command = (kind.job_cls.submit_command or "").partition(" ")[0]
    if command and not shutil.which(command):
        raise HypermagneticsError(
            f"Jobs of {config.job_class} must be submitted by the program {command}; got none on "
            f"this machine ({file}). Run this where the batch system has its commands."
        )
    # Any free port for Dask's own page, as another program may have the usual one.
    own = {"silence_logs": "critical", "scheduler_options": {"dashboard_address": ":0"}}
    arguments: dict[str, Any] = {**own, **config.arguments}

    try:
        cluster = kind(**arguments)
        _submit(cluster, config.workers)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        raise HypermagneticsError(
            f"The arguments of a cluster must be such as dask_jobqueue.{config.job_class} and its "
            f"batch system take; got: {_one_line(error)} ({file}, [arguments]). Change them there."
        ) from error
    return cluster


def _submit(cluster: Any, workers: int) -> None:
    """Submit the jobs of a cluster of dask_jobqueue, and see that none is refused."""
    from distributed import Status

    async def submitted() -> None:
        await cluster
        for job in cluster.workers.values():
            await job  # one that was refused is submitted again, and raises its error here

    cluster.scale(n=workers)
    try:
        cluster.sync(submitted)
    except BaseException:
        for job in cluster.workers.values():
            if job.status == Status.created:
                job.status = Status.failed  # else the cluster would not close
        cluster.close()
        raise


def _connected(address: Any) -> "distributed.Client":
    import distributed

    try:
        return distributed.Client(
            address, timeout=_SECONDS_TO_CONNECT, set_as_default=False, name="hypermagnetics"
        )
    except (OSError, ValueError) as error:
        raise HypermagneticsError(
            f"The scheduler of a cluster must answer; got: {_one_line(error)} ({address}; "
            "--cluster). Start it with `dask scheduler`, or check host and port."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the log of Dask off stderr: the program itself says in a line how things are."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in _LOGGERS]
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Restore the environment, which Dask changes for its own children."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
