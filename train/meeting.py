"""Meeting of the processes that will train together, before JAX joins them."""

import socket
import time
from contextlib import ExitStack

_LOOK_SECONDS = 0.2
"""Time between two tries to reach the first."""

_GO = b"go\n"
_MOST_BYTES = 64
"""Longest word that one process tells another."""


def meet(address: str, rank: int, world: int, seconds: float) -> None:
    """Return once all processes have come; the first waits at the address for the others.

    Args:
        address: HOST:PORT, which is free again afterwards.
        rank: Rank of this process.
        world: Number of processes.
        seconds: Time to wait.

    Raises:
        OSError: If some do not come, the address cannot be used or reached, or two processes have
            the same rank or speak of another number of them.
    """
    host, _, port = address.rpartition(":")
    end = time.monotonic() + seconds
    if rank == 0:
        _receive(int(port), world, end)
    else:
        _come((host.strip("[]"), int(port)), rank, world, end)


def _receive(port: int, world: int, end: float) -> None:
    """Wait for all others, and let them go on together."""
    come: dict[int, socket.socket] = {}
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(
            socket.create_server(
                ("", port),
                family=family,
                backlog=world,
                dualstack_ipv6=family == socket.AF_INET6,
            )
        )
        while len(come) < world - 1:
            listener.settimeout(max(end - time.monotonic(), 1e-3))
            try:
                other = stack.enter_context(listener.accept()[0])
                other.settimeout(max(end - time.monotonic(), 1e-3))
                rank, _, their_world = other.makefile().readline(_MOST_BYTES).partition(" ")
            except TimeoutError as error:
                missing = [number for number in range(1, world) if number not in come]
                raise OSError(f"no process of rank {', '.join(map(str, missing))}") from error
            if not (rank.isdecimal() and 0 < int(rank) < world):
                continue  # no process of ours: a scan of ports, say
            if int(rank) in come or their_world.strip() != str(world):
                raise OSError(
                    f"a second process of rank {rank}"
                    if int(rank) in come
                    else f"a process of rank {rank} of {their_world.strip()}"
                )
            come[int(rank)] = other
        for other in come.values():
            other.sendall(_GO)


def _come(address: tuple[str, int], rank: int, world: int, end: float) -> None:
    """Tell the first of this process, and wait until it has heard of all."""
    while True:
        left = end - time.monotonic()
        try:
            with socket.create_connection(address, timeout=max(left, 1e-3)) as first:
                first.sendall(f"{rank} {world}\n".encode())
                word = first.makefile("rb").readline(_MOST_BYTES)
        except socket.gaierror:
            raise
        except OSError as error:
            if left < _LOOK_SECONDS:
                raise OSError(f"no answer of the first ({error.strerror or error})") from error
            time.sleep(_LOOK_SECONDS)
            continue
        if word != _GO:
            raise OSError("an end of the first, which says why")
        return
