"""One writer at a time, also when the file that carries the lock is replaced."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.files import lock_if_free, only_writer, remove_tree, write_text_atomically


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[int]:
    """Act between the first opening and the first locking; the list gets a 1 for each locking."""
    flock, calls = fcntl.flock, []

    def act_and_lock(file: IO[bytes], operation: int) -> None:
        calls.append(1)
        if len(calls) == 1:
            act()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", act_and_lock)
    return calls


def assert_locked(path: Path) -> None:
    """The file of that name cannot be locked again."""
    with path.open("ab") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("made_again", [False, True])
def test_a_lock_on_a_removed_file_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_again: bool
) -> None:
    """Another process finished and removed it, and perhaps a third one has begun and ended."""
    path = tmp_path / "lock"
    path.touch()

    def replace() -> None:
        path.unlink()
        if made_again:
            path.write_bytes(b"newer")

    calls = meanwhile(monkeypatch, replace)
    with only_writer(path, "A dataset") as file:
        assert os.path.samestat(os.fstat(file.fileno()), path.stat())
        assert_locked(path)
        file.seek(0)
        assert file.read() == (b"newer" if made_again else b"")
        file.write(b"!")
    assert len(calls) >= 2
    assert path.read_bytes().endswith(b"!")


def test_the_lock_of_the_file_made_again_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third process is still at work."""
    path = tmp_path / "lock"
    path.touch()
    flock, held = fcntl.flock, []

    def replace() -> None:
        path.unlink()
        held.append(path.open("ab"))
        flock(held[0], fcntl.LOCK_EX)

    meanwhile(monkeypatch, replace)
    with (
        pytest.raises(HypermagneticsError, match="must have one writer; got a second"),
        only_writer(path, "A dataset"),
    ):
        pass
    held[0].close()


def test_the_lock_ends_with_the_block(tmp_path: Path) -> None:
    """After an error too."""
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), only_writer(path, "A run"):
        _ = 1 / 0
    with only_writer(path, "A run"):
        assert_locked(path)


def test_a_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    """Whoever else may write into a directory would choose a file to be overwritten."""
    victim, target = tmp_path / "victim", tmp_path / "results.json"
    victim.write_text("precious")
    (tmp_path / "results.json.part").symlink_to(victim)
    write_text_atomically(target, "ours")
    assert (victim.read_text(), target.read_text()) == ("precious", "ours")
    assert not target.is_symlink()
    (link := tmp_path / "lock").symlink_to(victim)
    with pytest.raises(OSError, match=r"symbolic links"):
        lock_if_free(link)


@pytest.mark.parametrize("kind", ["nothing", "file", "directory", "link"])
def test_a_tree_is_removed_and_nothing_behind_a_link(tmp_path: Path, kind: str) -> None:
    (kept := tmp_path / "kept").mkdir()
    (kept / "file").write_text("precious")
    tree = tmp_path / "tree"
    match kind:
        case "file":
            tree.write_text("")
        case "directory":
            (tree / "inner").mkdir(parents=True)
        case "link":
            tree.symlink_to(kept)
    remove_tree(tree)
    assert not tree.exists()
    assert not tree.is_symlink()
    assert (kept / "file").read_text() == "precious"
