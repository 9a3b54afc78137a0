"""The journal of an unfinished dataset: an entry that has changed is not believed."""

import shutil
from pathlib import Path

import pytest
from recording import Killed, Recording

from hypermagnetics.data import Dataset, remove_dataset
from hypermagnetics.data.convert import convert
from hypermagnetics.data.in_directory import InDirectory
from hypermagnetics.data.journal import DATASET_ENTRY, JOURNAL_NAME, Journal, enter
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
    return Journal(InDirectory(directory), source.manifest.identity)


def a_record(directory: Path) -> Path:
    """The first file of a shard in a journal."""
    return min((directory / JOURNAL_NAME).glob("*-*.json"))


def flipped(content: bytes, bit: int) -> bytes:
    """The bytes with another value of one bit."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.slow
def test_no_bit_of_a_record_changes_unseen(tmp_path: Path, tiny: Dataset, begun: Path) -> None:
    """Its shard counts as unfinished, and all others as they were."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    path = a_record(copy)
    whole, expected = path.read_bytes(), opened(copy, tiny).records
    end = 8 * len(whole)
    # Bits of the checksum and what is around it, of the record everywhere, and of its end.
    for bit in (*range(0, 300, 7), *range(300, end, end // 20), *range(end - 24, end)):
        path.write_bytes(flipped(whole, bit))
        found = opened(copy, tiny)
        assert found.num_damaged == 1
        assert len(found.records) == len(expected) - 1
        assert found.records.items() <= expected.items()
    for torn in (b"", whole[:100], whole[:-1], whole * 2):
        path.write_bytes(torn)
        assert opened(copy, tiny).num_damaged == 1


def test_a_shard_whose_record_is_damaged_is_made_anew(
    tmp_path: Path, tiny: Dataset, begun: Path
) -> None:
    """To the bytes of an undisturbed run; and the damage is told."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    path = a_record(copy)
    whole = path.read_bytes()
    place = whole.index(b'"sums"')
    path.write_bytes(flipped(whole, 8 * whole.index(b"0", place)))
    listener = Recording()
    convert(tiny, copy, listener=listener)
    (told,) = listener.told
    assert "Every record of a journal must have its checksum; got 1 damaged" in told
    made, source = (place / "manifest.json" for place in (copy, tiny.directory))
    assert made.read_bytes() == source.read_bytes()


def test_a_record_of_another_dataset_or_another_shard_counts_for_nothing(
    tmp_path: Path, tiny: Dataset, begun: Path
) -> None:
    """As a worker that was given up may enter it, when another dataset is made in its place."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    identity, path = tiny.manifest.identity, copy / JOURNAL_NAME / "train-00000.json"
    whole, expected = path.read_bytes(), opened(copy, tiny).records
    record = expected["train", 0]
    other = identity.model_copy(update={"seed": identity.seed + 1})
    enter(InDirectory(copy), other, record)
    assert path.read_bytes() != whole
    found = opened(copy, tiny)
    assert (found.num_damaged, len(found.records)) == (1, len(expected) - 1)
    enter(InDirectory(copy), identity, record)
    assert path.read_bytes() == whole
    path.rename(path.with_name("train-00077.json"))
    found = opened(copy, tiny)
    assert (found.num_damaged, len(found.records)) == (1, len(expected) - 1)


@pytest.mark.parametrize("change", ["damaged", "torn", "empty"])
def test_a_journal_that_does_not_say_what_is_made_is_refused(
    tmp_path: Path, tiny: Dataset, begun: Path, change: str
) -> None:
    """And is left as it is."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    path = copy / DATASET_ENTRY
    whole = path.read_bytes()
    changed = {"damaged": flipped(whole, 800), "torn": whole[:-20], "empty": b""}[change]
    path.write_bytes(changed)
    with pytest.raises(DatasetError, match=r"with a checksum; got a damaged journal/dataset\.json"):
        convert(tiny, copy)
    assert path.read_bytes() == changed


def test_a_journal_of_an_earlier_release_is_named(
    tmp_path: Path, tiny: Dataset, begun: Path
) -> None:
    """Its shards may have other bytes."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    shutil.rmtree(copy / JOURNAL_NAME)
    (copy / "journal.lock").rename(copy / "journal.jsonl")
    with pytest.raises(DatasetError, match=r"of an earlier release, with journal\.jsonl .+ delete"):
        convert(tiny, copy)
    remove_dataset(copy)
    assert not any(copy.iterdir())


def test_a_journal_beyond_all_shards_is_refused(tmp_path: Path, tiny: Dataset, begun: Path) -> None:
    """Before it is read."""
    copy = Path(shutil.copytree(begun, tmp_path / "data"))
    with a_record(copy).open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(DatasetError, match=r"at most 268435456 bytes .* got 10737\d+ bytes"):
        opened(copy, tiny)
