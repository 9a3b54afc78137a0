"""Finished datasets that are damaged or hostile, through every program that reads one."""

import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mending import (
    HDF5_ATTACKS,
    MANIFEST_ATTACKS,
    MANIFEST_EDITS,
    MUCH,
    ZARR_ATTACKS,
    Attack,
    change_values,
    edit_hdf5,
    link_away,
    put_pipe,
    rewrite,
    zarr_shard,
    zstd_zeros,
)
from program_runs import (
    DATASET_RECIPE,
    FORMATS,
    TRAINING_RECIPE,
    Made,
    Ran,
    assert_refused,
    copy_of,
    finished_run,
    invoke,
    run_program,
    settings,
    snapshot,
)
from work_limits import hang_limit

from hypermagnetics.data import StorageFormat

Make = Callable[..., Path]
ALL = "verify info train eval"

BOMBS = [
    (768, MUCH),
    *(pytest.param(size, MUCH, marks=pytest.mark.slow) for size in (MUCH, 767, 2**63)),
    pytest.param(768, 767, marks=pytest.mark.slow),
]
"""Bytes that a chunk promises to hold, and holds; 768 are right."""

SPLITS = settings(
    "splits={train={num_samples=24, num_sources=1}, valid={num_samples=8, num_sources=1}}"
)
POTENTIAL = {"zarr": "train.zarr/potential/c/1/0", "hdf5": "train/shard-00001.h5"}
"""The file with the potentials of samples 8 to 15."""

KINDS = {
    "zarr": (
        "train.zarr/zarr.json",
        "train.zarr/potential/zarr.json",
        "train.zarr/sources/c/0/0/0",
        "train.zarr/num_sources/c/1",
        "train.zarr/grid/c/2/0/0",
        "train.zarr/potential/c/1/0",
        "valid.zarr/field/c/0/0/0",
    ),
    "hdf5": ("train/shard-00000.h5", "train/shard-00002.h5", "valid/shard-00000.h5"),
}
"""One file of each kind."""


@pytest.fixture(scope="module")
def make_small(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A function that copies a dataset of four shards into a directory."""
    made: dict[tuple[str, ...], Path] = {}

    def make(target: Path, storage_format: StorageFormat, *options: str) -> Path:
        key = ("--format", storage_format, *options)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("small") / "data"
            assert invoke("hm-generate", *DATASET_RECIPE, *SPLITS, made[key], *key).code == 0
        return copy_of(Made(made[key], Ran(0, "", "")), target)

    return make


def timely(name: str, *arguments: str | Path) -> Ran:
    """Run a program in this process to its end, without a traceback.

    What is counted or decoded in vain takes hours.
    """
    with hang_limit():
        ran = invoke(name, *arguments)
    assert "Traceback" not in ran.stderr
    return ran


def assert_found(ran: Ran, *fragments: str) -> None:
    """hm-data verify says so; each problem takes one line."""
    assert ran.code == 2, ran
    assert ran.complaints
    for line in ran.complaints:
        assert_refused(Ran(2, "", line))
    for fragment in fragments:
        assert fragment in ran.stderr


def assert_refused_by_all(dataset: Path, *fragments: str, programs: str = "verify train") -> None:
    """Those programs say what is wrong; nobody writes, neither there nor beside it."""
    around, run = dataset.parent, dataset.parent / "run"
    before = snapshot(around)
    if "verify" in programs:
        assert_found(timely("hm-data", "verify", dataset), *fragments)
    if "info" in programs:
        assert_refused(timely("hm-data", "info", dataset), *fragments)
    if "train" in programs:
        assert_refused(timely("hm-train", dataset, run, *TRAINING_RECIPE), *fragments)
        assert not (run / "recipe.json").exists()
    if "eval" in programs:
        options = ("--split", "train", "--out", around / "report")
        ran = timely("hm-eval", finished_run("zarr").path, dataset, *options)
        assert_refused(ran, *fragments)
    after = snapshot(around)
    assert {path: seen for path, seen in after.items() if not path.startswith("run")} == before


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_file_that_is_cut_off_or_gone_is_found_out(
    tmp_path: Path, storage_format: StorageFormat, make_small: Make
) -> None:
    """Each kind of file, at several lengths; whole again it is sound."""
    data, chance = make_small(tmp_path / "data", storage_format), random.Random(storage_format)
    for name in ("manifest.json", "manifest-sha256.txt", *KINDS[storage_format]):
        whole = (data / name).read_bytes()
        for length in {0, 1, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(2))}:
            (data / name).write_bytes(whole[:length])
            assert_found(timely("hm-data", "verify", data), name)
        (data / name).unlink()
        assert_refused_by_all(data, name, programs="verify info")
        (data / name).write_bytes(whole)
    assert timely("hm-data", "verify", data).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_one_flipped_bit_is_found(
    tmp_path: Path, storage_format: StorageFormat, make_small: Make
) -> None:
    """Anywhere in any kind of file; whoever uses the split sees it too."""
    data, chance = make_small(tmp_path / "data", storage_format), random.Random(storage_format)
    for name in ("manifest.json", "manifest-sha256.txt", *KINDS[storage_format]):
        whole = (data / name).read_bytes()
        places = [0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(4))]
        for number, place in enumerate(places):
            changed = bytearray(whole)
            changed[place] ^= 1 << chance.randrange(8)
            (data / name).write_bytes(changed)
            assert_found(timely("hm-data", "verify", data), name)
            if number == 2 and name != "manifest-sha256.txt":
                assert_refused_by_all(data, name, programs="train")
        (data / name).write_bytes(whole)
    assert timely("hm-data", "verify", data).code == 0


@pytest.mark.parametrize("storage_format", FORMATS)
def test_all_problems_are_reported_at_once(
    tmp_path: Path, storage_format: StorageFormat, make_small: Make
) -> None:
    """Each in a line that cites its rule, and their number in the end."""
    data = make_small(tmp_path / "data", storage_format)
    change_values(data, "valid", "field", lambda field: field.__setitem__((2, 3, 1), np.nan))
    first, second, third = sorted(data.glob("train*/**/*0000?.h5")) or sorted(
        (data / "train.zarr" / "potential").glob("c/?/0")
    )
    first.write_bytes(first.read_bytes()[:-5])
    second.write_bytes(second.read_bytes()[:-1] + b"?")
    third.unlink()
    ran = timely("hm-data", "verify", data)
    assert_found(ran, "V1", "D3", "D4", "D5", *(f"{p.relative_to(data)} " for p in (first, second)))
    assert len(ran.complaints) == 4
    assert ran.stdout == f"{data}: 4 problems. Do not use it.\n"


@pytest.mark.slow_cases
@pytest.mark.parametrize("case", MANIFEST_EDITS)
def test_an_edited_manifest_is_seen_when_opened(
    tmp_path: Path, make_small: Make, case: str
) -> None:
    """It is not the one in the list of checksums."""
    data = make_small(tmp_path / "data", "zarr")
    manifest = json.loads((data / "manifest.json").read_text())
    MANIFEST_EDITS[case](manifest)
    (data / "manifest.json").write_text(json.dumps(manifest))
    assert_refused_by_all(data, "manifest-sha256.txt must end with", "rule D6", programs=ALL)


NAN = partial(change_values, split="train", array="potential", edit=lambda v: v.fill(np.nan))
PLACES: dict[str, tuple[StorageFormat, Attack, str, tuple[str, ...]]] = {
    "linked shard": ("hdf5", partial(link_away, name=POTENTIAL["hdf5"]), ALL, ("plain file", "D2")),
    "linked folder": ("hdf5", partial(link_away, name="train"), ALL, ("link", "D2")),
    "linked group": ("zarr", partial(link_away, name="train.zarr"), ALL, ("link", "D2")),
    "linked array": ("zarr", partial(link_away, name="train.zarr/field"), ALL, ("link", "D2")),
    "linked chunk": (
        "zarr",
        partial(link_away, name="train.zarr/field/c/1"),
        "verify train",
        ("D2",),
    ),
    "linked manifest": ("zarr", partial(link_away, name="manifest.json"), ALL, ("D2",)),
    "linked list": ("zarr", partial(link_away, name="manifest-sha256.txt"), ALL, ("D6",)),
    "pipe": ("zarr", partial(put_pipe, name=POTENTIAL["zarr"]), ALL, ("special file", "D2")),
    "pipe of a manifest": (
        "zarr",
        partial(put_pipe, name="manifest.json"),
        ALL,
        ("manifest.json",),
    ),
    "pipe of a list": ("zarr", partial(put_pipe, name="manifest-sha256.txt"), ALL, ("D6",)),
    "NaN": ("hdf5", NAN, "verify train eval", ("finite; got nan", "sample 0", "rule V1")),
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("case", PLACES)
def test_nothing_outside_is_read(tmp_path: Path, make_small: Make, case: str) -> None:
    """Links and special files are not followed; wrong values are not used."""
    storage_format, attack, programs, fragments = PLACES[case]
    data = make_small(tmp_path / "data", storage_format)
    attack(data)
    assert_refused_by_all(data, *fragments, programs=programs)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("storage_format", "case"),
    [*(("zarr", case) for case in ZARR_ATTACKS), *(("hdf5", case) for case in HDF5_ATTACKS)],
)
def test_an_attack_behind_right_checksums_is_refused(
    tmp_path: Path, storage_format: StorageFormat, case: str, make_small: Make
) -> None:
    """Files beside the dataset are not opened, or made."""
    for name in ("canary.raw", "canary.h5"):
        (tmp_path / name).write_bytes(bytes(768))
    data = make_small(tmp_path / "data", storage_format)
    attack, said = (ZARR_ATTACKS if storage_format == "zarr" else HDF5_ATTACKS)[case]
    attack(data)
    assert timely("hm-data", "info", data).code == 0
    assert_refused_by_all(data, said, "rule ", str(data))


@pytest.mark.parametrize("case", MANIFEST_ATTACKS)
def test_a_hostile_manifest_is_refused_when_opened(
    tmp_path: Path, case: str, make_small: Make
) -> None:
    """Whatever the list of checksums says."""
    attack, said = MANIFEST_ATTACKS[case]
    attack(data := make_small(tmp_path / "data", "zarr"))
    for name, *rest in (("hm-data", "verify"), ("hm-data", "info"), ("hm-train",), ("hm-eval",)):
        rest += [finished_run("zarr").path] * (name == "hm-eval")
        out = [tmp_path / "run"] * (name == "hm-train")
        assert_refused(timely(name, *rest, data, *out), said, "manifest")


@pytest.mark.parametrize("storage_format", FORMATS)
def test_shards_of_others_are_refused(
    tmp_path: Path, storage_format: StorageFormat, make_small: Make
) -> None:
    """Two exchanged, or one of another dataset, with right sizes."""
    name = POTENTIAL[storage_format]
    data = make_small(tmp_path / "data", storage_format)
    one, other = data / name, data / name.replace("c/1/", "c/0/").replace("00001", "00000")
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert_refused_by_all(data, "must have sha256", "rule D5")
    other = make_small(tmp_path / "other", storage_format, *settings("seed=2"))
    data = make_small(tmp_path / "second", storage_format)
    (data / name).write_bytes((other / name).read_bytes())
    assert timely("hm-data", "info", data).code == 0
    assert_refused_by_all(data, f"{name} must have sha256", "rule D5")


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
@pytest.mark.parametrize(("promised", "held"), BOMBS)
def test_a_bomb_is_not_decoded(
    tmp_path: Path, storage_format: StorageFormat, make_small: Make, promised: int, held: int
) -> None:
    """Whatever size its header promises, in a process of little memory."""
    data = make_small(tmp_path / "data", storage_format, "--compress", "zstd")
    frame = zstd_zeros(promised, held)
    if storage_format == "zarr":
        rewrite(data, POTENTIAL["zarr"], zarr_shard(frame))
    else:
        put = lambda file: file["potential"].id.write_direct_chunk((0, 0), frame)  # noqa: E731
        edit_hdf5(data, POTENTIAL["hdf5"], put)
    ran = run_program("hm-data", "verify", data, max_memory_bytes=3 << 29)
    assert_found(ran, "A chunk must decode to 768 bytes; got", "rule C1")
