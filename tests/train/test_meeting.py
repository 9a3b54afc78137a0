"""Processes that meet before they train, in threads: all go on, or each has a reason why not."""

import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from program_runs import TIMEOUT

from hypermagnetics.train.meeting import meet


@pytest.fixture
def address() -> Iterator[str]:
    """An address that nobody listens at, whose port no other program gets meanwhile.

    Another socket may listen at it, as both may be used again and this one never listens.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{kept.getsockname()[1]}"


class Clock:
    """A clock for the module, which stands still until a test moves it on."""

    def __init__(self) -> None:
        """Begin at an arbitrary moment."""
        self.now = 5.0
        self.sleep = time.sleep

    def monotonic(self) -> float:
        """The time [s]."""
        return self.now


def meeting(address: str, places: list[tuple[int, int]], seconds: float) -> dict[int, str]:
    """What each of some processes, of a rank and a number of all, ends with; empty if all come."""
    found = {}

    def one(number: int, rank: int, world: int) -> None:
        try:
            meet(address, rank, world, seconds)
            found[number] = ""
        except OSError as error:
            found[number] = str(error)

    threads = [
        threading.Thread(target=one, args=(number, *place)) for number, place in enumerate(places)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("world", [1, 2, 5])
def test_all_go_on_once_all_have_come(address: str, world: int) -> None:
    """Whichever order they come in; the address serves again at once."""
    places = [(rank, world) for rank in range(world)][::-1]
    for _ in range(2):
        assert set(meeting(address, places, TIMEOUT).values()) == {""}


def test_the_first_names_those_that_are_missing(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that came hear of an end. The time is over once one has said its rank."""
    clock, accept = Clock(), socket.socket.accept
    monkeypatch.setattr("hypermagnetics.train.meeting.time", clock)

    def accepted(listener: socket.socket) -> tuple[socket.socket, object]:
        other, place = accept(listener)
        select.select([other], [], [])
        clock.now += 2 * TIMEOUT
        return other, place

    monkeypatch.setattr(socket.socket, "accept", accepted)
    found = meeting(address, [(0, 4), (2, 4)], TIMEOUT)
    assert found == {0: "no process of rank 1, 3", 1: "an end of the first, which says why"}


def test_a_missing_first_is_named(address: str) -> None:
    """By each of the others."""
    assert meeting(address, [(1, 2)], 0.5)[0].startswith("no answer of the first")


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(0, 3), (1, 3), (1, 3)], "a second process of rank 1"),
        ([(0, 3), (1, 2)], "a process of rank 1 of 2"),
    ],
)
def test_processes_of_other_places_are_named(
    address: str, places: list[tuple[int, int]], expected: str
) -> None:
    """Without waiting for more of them."""
    assert meeting(address, places, TIMEOUT)[0] == expected


def test_a_stranger_is_passed_over(address: str) -> None:
    """As one that looks for open ports."""
    port = int(address.rpartition(":")[2])
    ended = []

    def receive() -> None:
        meet(address, 0, 2, TIMEOUT)
        ended.append("with all")

    first = threading.Thread(target=receive)
    first.start()
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as stranger:
                stranger.sendall(b"GET / HTTP/1.0\n")
            break
        except ConnectionRefusedError:
            continue
    meet(address, 1, 2, TIMEOUT)
    first.join()
    assert ended == ["with all"]


def test_an_address_in_use_is_named() -> None:
    """Such as that of another training."""
    with socket.create_server(("", 0)) as other, pytest.raises(OSError, match="in use"):
        meet(f"127.0.0.1:{other.getsockname()[1]}", 0, 2, TIMEOUT)
