"""One writer at a time, also when the file that carries the lock is replaced."""

import errno
import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from faults import Fault

from hypermagnetics import files
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


@pytest.mark.slow
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


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Play a file system that can neither sync directories nor lock files."""

    def limit(number: int) -> None:
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))
            sync(descriptor)

        def flock(file: IO[bytes], operation: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(fcntl, "flock", flock)
        monkeypatch.setattr(files, "_said", set())

    return limit


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_names_that_cannot_be_synced_are_said_once(
    tmp_path: Path, limited: Callable[[int], None], capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """And the file is there."""
    limited(number)
    for name in ("one", "other"):
        write_text_atomically(tmp_path / name, name)
        assert (tmp_path / name).read_text() == name
    files.sync_directories(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot sync directories" in line
    assert str(tmp_path) in line


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
def test_files_that_cannot_be_locked_are_said_once(
    tmp_path: Path, limited: Callable[[int], None], capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """One writer goes on; processes that share work by locks do not."""
    limited(number)
    for _ in range(2):
        with only_writer(tmp_path / "lock", "A dataset") as file:
            file.write(b"!")
    assert (tmp_path / "lock").read_bytes() == b"!!"
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot lock files" in line
    with pytest.raises(HypermagneticsError, match=r"must lock files .* on another file system"):
        lock_if_free(tmp_path / "lock")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_other_answers_of_the_file_system_end_the_work(
    tmp_path: Path, limited: Callable[[int], None], number: int
) -> None:
    """With the path."""
    limited(number)
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        write_text_atomically(tmp_path / "one", "one")
    with pytest.raises(OSError, match=os.strerror(number)), only_writer(tmp_path / "lock", "A run"):
        pass


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Play a file system that refuses to rename over what exists; the list gets all new names."""

    def refuse(number: int) -> list[str]:
        rename, names = os.rename, []

        def renamed(old: Path, new: Path) -> None:
            if os.path.lexists(new):
                raise OSError(number, os.strerror(number), str(old), None, str(new))
            names.append(new.name)
            rename(old, new)

        monkeypatch.setattr(os, "replace", renamed)
        monkeypatch.setattr(os, "rename", renamed)
        monkeypatch.setattr(files, "_said", set())
        return names

    return refuse


@pytest.mark.parametrize(
    "number", [errno.EEXIST, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EINVAL]
)
def test_files_that_cannot_be_replaced_are_said_once(
    tmp_path: Path,
    refusing: Callable[[int], list[str]],
    capsys: pytest.CaptureFixture[str],
    number: int,
) -> None:
    """And exchanged, with nothing left beside them."""
    names = refusing(number)
    for text in ("one", "other", "third"):
        write_text_atomically(tmp_path / "file", text)
        assert (tmp_path / "file").read_text() == text
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert names == ["file", *2 * ["file.replaced", "file"]]
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot rename over existing files" in line
    assert str(tmp_path / "file") in line


def test_other_refusals_to_replace_end_the_work(
    tmp_path: Path, refusing: Callable[[int], list[str]]
) -> None:
    """With the old file in its place."""
    (tmp_path / "file").write_text("old")
    refusing(errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_text_atomically(tmp_path / "file", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_cannot_take_its_place_leaves_the_old(
    tmp_path: Path, refusing: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The second renaming fails."""
    path, part = tmp_path / "out", tmp_path / "out.part"
    for place, text in ((path, "old"), (part, "new")):
        if kind == "directory":
            place.mkdir()
            (place / "file").write_text(text)
        else:
            place.write_text(text)
    refusing(errno.EEXIST)
    rename = os.rename

    def fail(old: Path, new: Path) -> None:
        if old == part:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(old, new)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        files.put_in_place(part, path)
    assert (path / "file" if kind == "directory" else path).read_text() == "old"
    assert not files.is_aside(path)


_EXCHANGE = """
import pathlib, sys
from hypermagnetics.files import write_text_atomically
write_text_atomically(pathlib.Path(sys.argv[1]), "new")
"""


@pytest.mark.parametrize(
    ("call", "first", "left"),
    [
        ("rename", 1, {"file": "old", "file.part": "new"}),
        ("rename", 2, {"file.replaced": "old", "file.part": "new"}),
        ("unlink", 2, {"file": "new", "file.replaced": "old"}),
    ],
)
def test_a_kill_while_a_file_is_exchanged_leaves_a_whole_one(
    tmp_path: Path, call: str, first: int, left: dict[str, str]
) -> None:
    """And the next start puts it back."""
    (place := tmp_path / "kept").mkdir()
    (place / "file").write_text("old")
    fault = Fault(call, "KILL", first=first, file="kept/file", without_replacing=True)
    variables = {**os.environ, **fault.variables(tmp_path)}
    words = [sys.executable, "-c", _EXCHANGE, str(place / "file")]
    assert subprocess.run(words, env=variables).returncode == -signal.SIGKILL
    assert {path.name: path.read_text() for path in place.iterdir()} == left
    files.restore(place / "file")
    assert (place / "file").read_text() == left.get("file", "old")
    write_text_atomically(place / "file", "newer")
    assert {path.name: path.read_text() for path in place.iterdir()} == {"file": "newer"}


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


def _write_first(path: Path, content: bytes, meanwhile: Callable[[], None] = lambda: None) -> None:
    with files.first_file(path) as file:
        file.write(content)
        meanwhile()


@pytest.mark.parametrize("can_link", [True, False], ids=["links", "no links"])
def test_of_several_makers_of_a_file_the_first_gives_it_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_link: bool
) -> None:
    """The second, which began before, finds it; another one's bytes are replaced."""
    if not can_link:

        def refuse(part: Path, path: Path) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "shard"
    _write_first(path, b"same", lambda: _write_first(path, b"same"))
    first = path.stat()
    _write_first(path, b"same")
    assert os.path.samestat(path.stat(), first)
    _write_first(path, b"other")
    assert path.read_bytes() == b"other"
    assert [entry.name for entry in tmp_path.iterdir()] == ["shard"]


def test_a_maker_that_is_overtaken_at_the_last_moment_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the name and its link: two makers of the same bytes, one file."""
    path, link = tmp_path / "shard", os.link

    def overtaken(part: Path, place: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        _write_first(path, b"same")
        seen.append(path.stat())
        link(part, place)

    seen: list[os.stat_result] = []
    monkeypatch.setattr(os, "link", overtaken)
    _write_first(path, b"same")
    assert os.path.samestat(path.stat(), seen[0])
    assert [entry.name for entry in tmp_path.iterdir()] == ["shard"]


def test_an_error_of_a_maker_leaves_nothing_and_a_kill_a_part(tmp_path: Path) -> None:
    """Which `remove_parts` takes away, and nothing else."""
    path = tmp_path / "c" / "0"
    with pytest.raises(RuntimeError), files.first_file(path):
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    for name in ("0.part-a-b-12-00ff", "1.part", "2", "party-1"):
        (path.parent / name).touch()
    assert files.first_foreign_file(tmp_path, re.compile(r"c/(\d|party-1)")) is None
    files.remove_parts(tmp_path)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["2", "party-1"]


@pytest.mark.parametrize("there", ["dangling link", "link to the same bytes"])
def test_a_link_in_the_place_of_a_file_of_many_makers_is_replaced(
    tmp_path: Path, there: str
) -> None:
    """By the file itself; what it points to stays as it is."""
    (target := tmp_path / "target").write_bytes(b"same")
    path = tmp_path / "shard"
    path.symlink_to(tmp_path / "absent" if there == "dangling link" else target)
    _write_first(path, b"same")
    assert not path.is_symlink()
    assert path.read_bytes() == target.read_bytes() == b"same"
