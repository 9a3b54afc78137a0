"""Work on the workers of a cluster of Dask: results, errors, and workers that die."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import cluster_work
import pytest
from cluster_work import end, first_path, refuse, squared, variables
from program_runs import assert_refused, run_program

from hypermagnetics.cluster import (
    BatchJobs,
    LocalWorkers,
    Scheduler,
    Workers,
    open_cluster,
    parse_cluster,
)
from hypermagnetics.errors import HypermagneticsError

JOBS = 'class = "LocalCluster"\nworkers = 2\n[arguments]\ncores = 1\nmemory = "1GB"\n'

OPEN_PIPES = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Two workers on this machine."""
    with open_cluster(LocalWorkers(2)) as joined:
        yield joined


@pytest.mark.slow
def test_results_come_from_other_processes_and_few_are_under_way(workers: Workers) -> None:
    """At most two for each thread of a worker, also of items without end."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    results = workers.results(squared, items())
    found = []
    for _ in range(30):
        found.append(next(results))
        assert len(taken) <= len(found) + 4
    results.close()  # type: ignore[attr-defined]  # a generator
    assert sorted(value for value, _ in found)[:20] == [i * i for i in range(20)]
    assert len({process for _, process in found} | {os.getpid()}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("error", [HypermagneticsError("A must b; got c. Do d."), OSError(28, "x")])
def test_an_error_of_the_work_ends_it_and_the_workers_go_on(
    workers: Workers, error: Exception
) -> None:
    """It passes as it is."""
    with pytest.raises(type(error)) as caught:
        list(workers.results(refuse, [error] * 9))
    assert caught.value.args == error.args
    assert next(iter(workers.results(squared, [3])))[0] == 9
    assert list(workers.results(squared, [])) == []


@pytest.mark.slow
def test_work_that_kills_each_of_its_workers_is_refused_and_other_work_goes_on(
    workers: Workers,
) -> None:
    """As work that takes more memory than a machine has."""
    with pytest.raises(HypermagneticsError, match=r"got 4 workers that died with it") as caught:
        list(workers.results(end, [0]))
    assert "finished work is kept" in str(caught.value)
    assert next(iter(workers.results(squared, [4])))[0] == 16


@pytest.mark.slow
def test_nothing_of_a_cluster_stays_in_the_environment(workers: Workers) -> None:
    """Dask sets variables for its own children, and a worker computes with as many threads."""
    names = ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    (found,) = workers.results(variables, [names])
    assert found == {name: os.environ.get(name) for name in names}
    (path,) = workers.results(first_path, [0])
    assert path not in ("", str(Path.cwd()))


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Path]:
    """The file of a cluster of commands on this machine, in place of those of a queue."""
    (file := tmp_path / "jobs.toml").write_text(JOBS)
    yield file
    gc.collect()  # dask-jobqueue leaves the pipes of its commands to it


@pytest.mark.slow
@OPEN_PIPES
def test_jobs_of_a_batch_system_are_workers(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They find the modules of their own path."""
    monkeypatch.setenv("PYTHONPATH", str(Path(cluster_work.__file__).parent))
    before = dict(os.environ)
    with open_cluster(parse_cluster(str(jobs))) as joined:
        assert sorted(value for value, _ in joined.results(squared, range(5))) == [0, 1, 4, 9, 16]
    assert dict(os.environ) == before


@pytest.mark.slow
@OPEN_PIPES
def test_a_worker_that_cannot_import_this_package_says_so(jobs: Path) -> None:
    """Where another environment is on the path of the jobs."""
    with (
        pytest.raises(HypermagneticsError, match=r"got there: No module named 'cluster_work'"),
        open_cluster(parse_cluster(str(jobs))) as joined,
    ):
        list(joined.results(squared, range(5)))


def test_the_forms_of_a_cluster(tmp_path: Path) -> None:
    """Parsed without a look at any of them."""
    (file := tmp_path / "jobs.toml").write_text(JOBS)
    assert parse_cluster("local:12") == LocalWorkers(12)
    assert parse_cluster("tcp://host:8786") == Scheduler("tcp://host:8786")
    assert parse_cluster("tls://10.0.0.1:99") == Scheduler("tls://10.0.0.1:99")
    jobs = parse_cluster(str(file))
    assert isinstance(jobs, BatchJobs)
    assert (jobs.config.job_class, jobs.config.workers) == ("LocalCluster", 2)
    assert jobs.config.arguments == {"cores": 1, "memory": "1GB"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "local",
        "local:",
        "local:0",
        "local:513",
        "local:-1",
        "host:8786",
        "tcp://host",
        "tcp://host:8786/path",
        "http://host:80",
        "4",
        "cluster",
    ],
)
def test_other_texts_are_no_cluster(text: str) -> None:
    """Each refused with the forms that there are."""
    with pytest.raises(HypermagneticsError, match=r"A cluster must be local:N, tcp://HOST:PORT"):
        parse_cluster(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "The file of a cluster must exist"),
        ("class = ", "The file of a cluster must be valid TOML"),
        ("workers = 2\n", "'class' must be"),
        ('class = "SlurmCluster"\nworkers = 2\n', "'class' must be 'HTCondorCluster', 'LSF"),
        ('class = "SLURMCluster"\nworkers = 0\n', "'workers' must be"),
        ('class = "SLURMCluster"\nworkers = 2\nqueue = "cpu"\n', "'queue' must be a known key"),
    ],
)
def test_a_file_that_is_no_cluster_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    """Before anything is started."""
    file = tmp_path / "jobs.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(HypermagneticsError, match=said):
        parse_cluster(str(file))


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('cores = 1\nmemory = "1GB"\ncolour = 1', "unexpected keyword argument 'colour'"),
        ('memory = "1GB"', "must specify how much cores"),
        ('cores = 1\nmemory = "1GB"\nqueue = "none"', "invalid partition none"),
    ],
)
def test_arguments_that_a_batch_system_refuses_are_said(
    tmp_path: Path, arguments: str, said: str
) -> None:
    """By dask-jobqueue, or by the command that submits a job; nothing is written."""
    (command := tmp_path / "sbatch").write_text("#!/bin/sh\necho invalid partition none\nexit 1\n")
    command.chmod(0o755)
    (file := tmp_path / "jobs.toml").write_text(
        f'class = "SLURMCluster"\nworkers = 1\n[arguments]\n{arguments}\n'
    )
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    command_line = ("hm-generate", "demo", tmp_path / "out", "--cluster", file)
    assert_refused(run_program(*command_line, variables={"PATH": path}), said, str(file))
    assert not (tmp_path / "out").exists()


def test_a_machine_without_the_batch_system_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its program that submits jobs is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (file := tmp_path / "jobs.toml").write_text(
        'class = "SLURMCluster"\nworkers = 1\n[arguments]\ncores = 1\nmemory = "1GB"\n'
    )
    with (
        pytest.raises(HypermagneticsError, match="submitted by the program sbatch; got none"),
        open_cluster(parse_cluster(str(file))),
    ):
        pass


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while."""
    monkeypatch.setattr("hypermagnetics.cluster._SECONDS_TO_CONNECT", 1)
    with (
        pytest.raises(HypermagneticsError, match=r"must answer; got: .+ \(tcp://127.0.0.1:9;"),
        open_cluster(Scheduler("tcp://127.0.0.1:9")),
    ):
        pass
