"""The journal of an unfinished dataset: a line that has changed is not believed."""

import shutil
from pathlib import Path

import pytest
from recording import Killed, Recording

from hypermagnetics.data import Dataset
from hypermagnetics.data.convert import convert
from hypermagnetics.data.journal import JOURNAL_NAME, Journal, open_journal
from hypermagnetics.data.writer import DatasetWriter
from hypermagnetics.errors import DatasetError


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, tiny: Dataset) -> Path:
    """A conversion whose shards are all written, and whose manifest is not."""
    out = tmp_path_factory.mktemp("begun") / "data"

    def die(self: DatasetWriter, discretisation: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatasetWriter, "finish", die)
        with pytest.raises(Killed):
            convert(tiny, out)
    return out


def opened(directory: Path, source: Dataset) -> Journal:
    """The journal as the next process finds it."""
    with open_journal(directory, source.manifest.identity) as journal:
        return journal


def flipped(content: bytes, bit: int) -> bytes:
    """The bytes with another value of one bit."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_bit_of_a_record_changes_unseen(tmp_path: Path, tiny: Dataset, begun: Path) -> None:
    """Its shard counts as unfinished, and all others as they were."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    path = copy / JOURNAL_NAME
    whole, expected = path.read_bytes(), opened(copy, tiny).records
    start = whole.index(b"\n") + 1
    end = whole.index(b"\n", start) + 1
    # Bits of the checksum, of the record everywhere, and of the end of its line.
    bits = [*range(8 * start, 8 * start + 80, 9), *range(8 * start, 8 * end, (end - start) // 4)]
    for bit in (*bits, 8 * end - 3):
        path.write_bytes(flipped(whole, bit))
        found = opened(copy, tiny)
        assert found.num_damaged in (1, 2)  # two where a line end came or went
        # With the end of a line goes the line behind it.
        assert len(expected) - 2 <= len(found.records) < len(expected)
        assert found.records.items() <= expected.items()


def test_a_shard_whose_record_is_damaged_is_made_anew(
    tmp_path: Path, tiny: Dataset, begun: Path
) -> None:
    """To the bytes of an undisturbed run; and the damage is told."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    path = copy / JOURNAL_NAME
    whole = path.read_bytes()
    place = whole.index(b'"sums"')
    path.write_bytes(flipped(whole, 8 * whole.index(b"0", place)))
    listener = Recording()
    convert(tiny, copy, listener=listener)
    (told,) = listener.told
    assert "Every line of a journal must have its checksum; got 1 damaged" in told
    made, source = (place / "manifest.json" for place in (copy, tiny.directory))
    assert made.read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("first_line", "got"),
    [("damaged", "a damaged one"), ("earlier", "one of an earlier form, without checksums")],
)
def test_a_journal_that_does_not_say_what_is_made_is_refused(
    tmp_path: Path, tiny: Dataset, begun: Path, first_line: str, got: str
) -> None:
    """And is left as it is."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    path = copy / JOURNAL_NAME
    whole = path.read_bytes()
    changed = flipped(whole, 200)
    if first_line == "earlier":
        changed = b"".join(line[9:] for line in whole.splitlines(keepends=True))
    path.write_bytes(changed)
    with pytest.raises(DatasetError, match=f"must have its checksum; got {got}"):
        convert(tiny, copy)
    assert path.read_bytes() == changed


def test_a_journal_beyond_all_shards_is_refused(tmp_path: Path, tiny: Dataset, begun: Path) -> None:
    """Before it is read."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    with (copy / JOURNAL_NAME).open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(DatasetError, match=r"at most 268435456 bytes .* got 1073741824 bytes"):
        opened(copy, tiny)
