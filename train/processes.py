"""Processes that train together: how they join, and how they come to one decision.

Each makes the same steps on its own blocks. Whatever one of them alone can know, such as a signal,
the time, or a full disk, is decided upon by all: else some would wait for ever in a sum over all.
"""

import io
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from hypermagnetics import errors
from hypermagnetics.errors import (
    HypermagneticsError,
    InterruptedRunError,
    OtherProcessError,
    RunError,
)
from hypermagnetics.jax_setup import refuse_missing_platform
from hypermagnetics.train.meeting import meet
from hypermagnetics.train.signals import exit_code

SLURM = "slurm"

_JOIN_SECONDS = 120
"""Time that processes wait for each other when they begin."""

_LOST_SECONDS = 30
"""Time without a sign of life after which a process is given up; also for leaving together."""

_PORTS = range(61440, 65536)
"""Ports of jobs of SLURM, by the number of the job."""

_STDOUT = 1
"""Descriptor of the standard output."""

_LOST = ("gloo", "nccl", "coordination service", "heartbeat", "unavailable", "connection")
"""Words of errors of sums over processes of which one is gone."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Membership:
    """Place of a process among those that train together."""

    address: str
    """HOST:PORT of the first, where all meet."""
    rank: int
    world: int
    """Number of processes."""
    own_devices: tuple[int, ...] | None = None
    """Numbers of its GPUs among those that it sees; None for all."""

    def join(self) -> None:
        """Meet the other processes, before the first use of a device.

        Raises:
            RunError: If they do not all come.
            HypermagneticsError: If JAX finds no device.
        """
        try:
            # JAX would end a process that waits in vain by an abort.
            meet(self.address, self.rank, self.world, _JOIN_SECONDS)
        except OSError as error:
            raise RunError(
                f"The {self.world} processes of a training must meet within {_JOIN_SECONDS} s; got "
                f"{error.strerror or error} (process {self.rank} of {self.world}, {self.address}). "
                "Start them all, each with a rank of its own, and let them reach that address."
            ) from error
        jax.distributed.initialize(
            self.address,
            self.world,
            self.rank,
            local_device_ids=self.own_devices,
            cluster_detection_method="deactivate",
            initialization_timeout=_JOIN_SECONDS,
            heartbeat_timeout_seconds=_LOST_SECONDS,
            shutdown_timeout_seconds=_LOST_SECONDS,
        )
        with _without_stdout():
            refuse_missing_platform()
            multihost_utils.process_allgather(np.zeros(1))  # which connects all


def connect(mesh: Mesh) -> None:
    """Connect the processes of each row and each column of a grid of devices.

    Else the first sum over them does, and lets Gloo write to stdout.
    """
    if count() == 1:
        return

    def sums(value: jax.Array) -> list[jax.Array]:
        # Of values that differ, as a sum of equal ones is no work for a network.
        return [jax.lax.psum(value + jax.lax.axis_index(name), name) for name in mesh.axis_names]

    everywhere = PartitionSpec()
    summed = jax.shard_map(sums, mesh=mesh, in_specs=everywhere, out_specs=everywhere)
    start = jax.make_array_from_process_local_data(NamedSharding(mesh, everywhere), np.zeros(()))
    with _without_stdout():
        jax.block_until_ready(jax.jit(summed)(start))


@contextmanager
def _without_stdout() -> Iterator[None]:
    """Keep a library from writing to stdout, as Gloo does when it is connected."""
    try:
        kept = os.dup(_STDOUT)
    except OSError:  # closed
        yield
        return
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), _STDOUT)
        try:
            yield
        finally:
            os.dup2(kept, _STDOUT)
            os.close(kept)


def parse_distributed(text: str) -> Membership:
    """Parse the place of this process.

    Args:
        text: "HOST:PORT,RANK,WORLD", or "slurm" for what srun says.

    Returns:
        The place.

    Raises:
        RunError: If it is neither, or SLURM says nothing.
    """
    if text == SLURM:
        return _of_slurm()
    found = re.fullmatch(r"(\S+:(\d{1,5})),(\d{1,6}),(\d{1,6})", text, re.ASCII)
    if found is not None:
        rank, world = int(found[3]), int(found[4])
        if rank < world and 0 < int(found[2]) < 1 << 16:
            return Membership(found[1], rank, world)
    raise RunError(
        "Processes that train together must be given as HOST:PORT,RANK,WORLD, with the address of "
        "the first and a rank from 0 to WORLD - 1, or as slurm; got "
        f"{text!r} (--distributed). Write for example --distributed node1:4321,0,2."
    )


def _of_slurm() -> Membership:
    names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST", "SLURM_JOB_ID")
    rank, world, nodes, job = (os.environ.get(name, "") for name in names)
    if not (rank.isdecimal() and world.isdecimal() and job.isdecimal() and nodes):
        raise RunError(
            "Processes that train together on SLURM must be started by srun, which sets "
            f"{', '.join(names)}; got no whole set of them (--distributed slurm). Write srun "
            "before hm-train, or give HOST:PORT,RANK,WORLD."
        )
    port = _PORTS[int(job) % len(_PORTS)]
    return Membership(f"{_first_node(nodes)}:{port}", int(rank), int(world), _own_devices())


def _first_node(nodes: str) -> str:
    """The first of a list of SLURM, as node003 of "node[003-007,9],other"."""
    found = re.match(r"([^,\[]+)(?:\[(\w+))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes


def _own_devices() -> tuple[int, ...] | None:
    """The GPU of a process that shares the GPUs of its node with others, each of which has one.

    With --gpus-per-task, SLURM shows a process its own alone.
    """
    shown = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    here, tasks = (os.environ.get(name, "") for name in ("SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"))
    if here.isdecimal() and tasks.isdecimal() and 1 < int(tasks) == len(shown):
        return (int(here),)
    return None


def count() -> int:
    """Number of processes that train together; 1 for one alone."""
    if not jax.distributed.is_initialized():  # which asks for no device
        return 1
    number: int = jax.process_count()
    return number


def is_first() -> bool:
    """Whether this process writes and prints."""
    return count() == 1 or jax.process_index() == 0


def together(act: Callable[[], _T]) -> _T:
    """Let every process act; if one fails, all leave.

    Args:
        act: The act of this process.

    Returns:
        Its result.

    Raises:
        OtherProcessError: If another process failed; the first raises the error itself.
    """
    if count() == 1:
        return act()
    result, _ = _together(act, lambda _: "")
    return result


def of_first(act: Callable[[], str]) -> str:
    """Let the first process act, and tell the others its word; errors as of `together`.

    Args:
        act: The act, which gives the word.

    Returns:
        The word.
    """
    return of_all(lambda: act() if is_first() else "")[0]


def of_all(act: Callable[[], str]) -> list[str]:
    """Let every process act, and tell all the words of all, by rank; errors as of `together`."""
    if count() == 1:
        return [act()]
    return _together(act, lambda word: word)[1]


def first_finds(fact: Callable[[], bool]) -> bool:
    """Whether the first process finds something to be so; errors as of `together`."""
    return of_first(lambda: "yes" if fact() else "") == "yes"


def on_first(act: Callable[[], object]) -> None:
    """Let the first process alone act; errors as of `together`."""
    together(lambda: act() if is_first() else None)


def refuse_differing(words: dict[str, str]) -> None:
    """Refuse processes that do not have the same of everything named.

    Args:
        words: By name, as in "recipe", a text that is equal where the thing is.

    Raises:
        RunError: If one differs.
    """
    found = [json.loads(text) for text in _exchanged(json.dumps(words).encode())]

    def check() -> None:
        for rank, other in enumerate(found):
            for name, word in found[0].items():
                if other[name] != word:
                    raise RunError(
                        f"The processes of a training must have the same {name}; got another one "
                        f"of process {rank} than of process 0. Give all the same command."
                    )

    together(check)


def over_processes(
    number: int, one: Callable[[int], tuple[np.ndarray, ...]]
) -> list[tuple[np.ndarray, ...]]:
    """Results of numbered pieces of work, which the processes divide among them.

    Args:
        number: Number of pieces.
        one: Result of a piece.

    Returns:
        All results in order, in each process.
    """
    if count() == 1:
        return [one(piece) for piece in range(number)]
    own = range(jax.process_index(), number, count())
    made = together(lambda: [one(piece) for piece in own])
    results: dict[int, tuple[np.ndarray, ...]] = {}
    for rank, packed in enumerate(_exchanged(_packed(made))):
        results |= zip(range(rank, number, count()), _unpacked(packed), strict=True)
    return [results[piece] for piece in range(number)]


class Word(NamedTuple):
    """Knowledge of a process that may end a run."""

    signal: int = 0
    """Number of the signal that came; 0 for none."""
    seconds: float = 0.0
    """Time of training so far."""
    failed: bool = False
    """Whether a file could not be written."""


class Agreement:
    """The largest of the words of all processes after each dispatch.

    It is reduced on the devices, like the gradients, so that no process waits for it: the word of a
    dispatch is looked at once the steps of `lag` later ones are queued.
    """

    def __init__(self, lag: int) -> None:
        """Begin.

        Args:
            lag: Number of dispatches.
        """
        self._lag = lag
        self._asked: deque[jax.Array] = deque()
        if count() > 1:
            devices = [
                next(d for d in jax.devices() if d.process_index == rank) for rank in range(count())
            ]
            mesh = Mesh(np.array(devices), ("processes",))
            self._own = NamedSharding(mesh, PartitionSpec("processes"))
            everywhere = NamedSharding(mesh, PartitionSpec())
            self._largest = jax.jit(lambda words: jnp.max(words, 0), out_shardings=everywhere)

    def after_dispatch(self, word: Word) -> Word:
        """Give the word of this process.

        Args:
            word: The word.

        Returns:
            That of all, some dispatches ago; of a process alone its own word, at once.
        """
        if count() == 1:
            return word
        given = np.array([word], np.float32)
        self._asked.append(self._largest(jax.make_array_from_process_local_data(self._own, given)))
        if len(self._asked) <= self._lag:
            return Word()
        signal, seconds, failed = np.asarray(self._asked.popleft())
        return Word(int(signal), float(seconds), bool(failed))


@contextmanager
def lost_processes_named(run: Path) -> Iterator[None]:
    """Turn a sum that fails because another process is gone into an error with its remedy.

    Args:
        run: Directory of the run.

    Raises:
        InterruptedRunError: In place of the error.
    """
    try:
        yield
    except HypermagneticsError:
        raise
    except (RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())
        if count() == 1 or not any(word in text.lower() for word in _LOST):
            raise
        raise InterruptedRunError(
            f"Every process of a training must go on to its end; got one that ended or does not "
            f"answer ({text[:200]}; {run}). The last checkpoint is kept: look for the first error "
            "of the others, and give the same command with --resume."
        ) from error


def _together(act: Callable[[], _T], word_of: Callable[[_T], str]) -> tuple[_T, list[str]]:
    """Act, and exchange the words of the results."""
    result: list[_T] = []
    failure: Exception | None = None
    try:
        result.append(act())
        own = _Outcome(said=word_of(result[0]))
    except Exception as error:
        failure = error
        own = _Outcome(type(error).__name__, str(error), exit_code(error))
    outcomes = [_Outcome(*json.loads(text)) for text in _exchanged(json.dumps(own).encode())]
    failed = next((rank for rank, outcome in enumerate(outcomes) if outcome.error), None)
    if failed is None:
        return result[0], [outcome.said for outcome in outcomes]
    first = is_first()  # which is known until all leave
    _leave()
    if first and failure is not None:
        raise failure
    outcome = outcomes[failed]
    place = f"process {failed} of {len(outcomes)}"
    if not first:
        raise OtherProcessError(f"{outcome.message} ({place})", outcome.code) from failure
    kind = getattr(errors, outcome.error, RunError)
    raise kind(f"{outcome.message} (This was {place}.)")


class _Outcome(NamedTuple):
    error: str = ""
    """Class of the error; empty for none."""
    message: str = ""
    code: int = 0
    """Exit code of the error."""
    said: str = ""


def _leave() -> None:
    """Leave the others, all at the same time: no process waits for another one from now on."""
    jax.distributed.shutdown()


def _exchanged(own: bytes) -> list[bytes]:
    """The bytes of each process, by rank."""
    if count() == 1:
        return [own]
    lengths = np.ravel(multihost_utils.process_allgather(np.array(len(own), np.int32)))
    padded = np.zeros(lengths.max(), np.uint8)
    padded[: len(own)] = np.frombuffer(own, np.uint8)
    every = np.asarray(multihost_utils.process_allgather(padded)).reshape(len(lengths), -1)
    return [row[:length].tobytes() for row, length in zip(every, lengths, strict=True)]


def _packed(results: list[tuple[np.ndarray, ...]]) -> bytes:
    """Results of some pieces, each of as many arrays."""
    file = io.BytesIO()
    np.savez(file, np.array(len(results)), *(part for parts in results for part in parts))
    return file.getvalue()


def _unpacked(packed: bytes) -> list[tuple[np.ndarray, ...]]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as file:
        number, *parts = (file[name] for name in file.files)
    size = len(parts) // max(int(number), 1)
    return [tuple(parts[i : i + size]) for i in range(0, len(parts), size or 1)]
