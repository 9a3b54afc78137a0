"""Processes that meet before they train, in threads: all go on, or each has a reason why not."""

import socket
import threading

import pytest

from hypermagnetics.train.meeting import meet


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def meeting(places: list[tuple[int, int]], seconds: float) -> dict[int, str]:
    """What each of some processes, of a rank and a number of all, ends with; empty if all come."""
    address, found = f"127.0.0.1:{free_port()}", {}

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
def test_all_go_on_once_all_have_come(world: int) -> None:
    """Whichever order they come in; the address serves again at once."""
    for _ in range(2):
        assert set(meeting([(rank, world) for rank in range(world)][::-1], 30.0).values()) == {""}


def test_the_first_names_those_that_are_missing() -> None:
    """And those that came hear of an end."""
    found = meeting([(0, 4), (2, 4)], 1.0)
    assert found[0] == "no process of rank 1, 3"
    assert found[1].startswith(("an end of the first", "no answer of the first"))


def test_a_missing_first_is_named() -> None:
    """By each of the others."""
    assert meeting([(1, 2)], 0.5)[0].startswith("no answer of the first")


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(0, 3), (1, 3), (1, 3)], "a second process of rank 1"),
        ([(0, 3), (1, 2)], "a process of rank 1 of 2"),
    ],
)
def test_processes_of_other_places_are_named(places: list[tuple[int, int]], expected: str) -> None:
    """Without waiting for more of them."""
    assert meeting(places, 5.0)[0] == expected


def test_a_stranger_is_passed_over() -> None:
    """As one that looks for open ports."""
    port = free_port()
    ended = []

    def receive() -> None:
        meet(f"127.0.0.1:{port}", 0, 2, 30.0)
        ended.append("with all")

    first = threading.Thread(target=receive)
    first.start()
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
                stranger.sendall(b"GET / HTTP/1.0\n")
            break
        except ConnectionRefusedError:
            continue
    meet(f"127.0.0.1:{port}", 1, 2, 30.0)
    first.join()
    assert ended == ["with all"]


def test_an_address_in_use_is_named() -> None:
    """Such as that of another training."""
    with socket.create_server(("", 0)) as other, pytest.raises(OSError, match="in use"):
        meet(f"127.0.0.1:{other.getsockname()[1]}", 0, 2, 5.0)
