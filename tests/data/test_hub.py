"""Datasets for Hugging Face: the same files, and a card, metadata and samples that are true."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from faults import Fault
from program_runs import (
    assert_refused,
    contents,
    finished_dataset,
    invoke,
    run_program,
    settings,
)
from small_networks import small_arrays

from hypermagnetics.data import Dataset, hub
from hypermagnetics.data.hub import export_for_hub


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by the program."""
    out = tmp_path_factory.mktemp("hub") / "out"
    ran = invoke("hm-data", "export", "hf", finished_dataset("zarr").path, out)
    assert (ran.code, ran.complaints) == (0, []), ran
    assert f"hf upload OWNER/NAME {out} --repo-type dataset" in ran.stdout
    return out


@pytest.mark.slow
def test_an_export_is_the_same_dataset(exported: Path) -> None:
    """Every file but the card is there with its bytes, and others beside them."""
    before, after = contents(finished_dataset("zarr").path), contents(exported)
    assert {name for name in before if after[name] != before[name]} == {"README.md"}
    more = {name for name in after if name not in before}
    names = ("train", "valid", "test_single", "test_multi")
    assert more == {"croissant.json", *(f"parquet/{name}.parquet" for name in names)}
    assert invoke("hm-data", "verify", exported).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "test_multi"])
def test_shown_samples_are_those_of_the_dataset(exported: Path, name: str) -> None:
    """All values of each, with as many sources as it has."""
    split = Dataset.open(exported).split(name)
    path = exported / "parquet" / f"{name.replace('-', '_')}.parquet"
    rows = pyarrow.parquet.read_table(path).to_pylist()
    assert len(rows) == len(split)
    for number, row in enumerate(rows):
        sample = split[number]
        for column, value in (
            ("sources", sample.sources),
            ("grid", sample.grid),
            ("potential", sample.potential),
            ("field", sample.field),
        ):
            np.testing.assert_array_equal(np.array(row[column], np.float32), value)
        assert row["num_sources"] == len(sample.sources)


@pytest.mark.slow
def test_the_card_names_the_shown_files(exported: Path) -> None:
    """In lines that are YAML, of names that hubs accept."""
    _, head, card = (exported / "README.md").read_text().split("---\n", 2)
    about = {
        key: json.loads(value)
        for key, _, value in (line.partition(": ") for line in head.splitlines())
    }
    assert about["pretty_name"] == Dataset.open(exported).manifest.title
    assert about["size_categories"] == ["n<1K"]
    (config,) = about["configs"]
    assert [one["split"] for one in config["data_files"]] == [
        *("train", "valid", "test_single", "test_multi")
    ]
    assert all((exported / one["path"]).is_file() for one in config["data_files"])
    assert card.lstrip().startswith("# ")


@pytest.mark.slow
def test_croissant_names_every_column(exported: Path) -> None:
    """Of files that have the sha256 that it says."""
    about = json.loads((exported / "croissant.json").read_text())
    files = {one["@id"]: one for one in about["distribution"]}
    found = contents(exported)
    for records in about["recordSet"]:
        columns = {field["source"]["extract"]["column"] for field in records["field"]}
        (file,) = {field["source"]["fileObject"]["@id"] for field in records["field"]}
        path = files[file]["contentUrl"]
        assert columns == set(pyarrow.parquet.read_schema(exported / path).names)
        assert files[file]["sha256"] == found[path]
    units = {field["name"]: field["description"] for field in about["recordSet"][0]["field"]}
    assert units["potential"] == "point [A]"
    assert "license" not in about


def test_licence_and_authors_are_said(tmp_path: Path) -> None:
    """As the recipe has them."""
    said = settings(
        'licence="CC-BY-4.0"',
        'authors=["Ada Lovelace"]',
        'citation="Discs, 2026"',
        "splits={train={num_samples=3, num_sources=1}}",
        "grid.num_points=4",
    )
    assert invoke("hm-generate", "demo", tmp_path / "data", *said).code == 0
    assert invoke("hm-data", "export", "hf", tmp_path / "data", tmp_path / "out").code == 0
    assert 'license: "cc-by-4.0"\n' in (tmp_path / "out" / "README.md").read_text()
    about = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert (about["license"], about["citeAs"]) == ("CC-BY-4.0", "Discs, 2026")
    assert about["creator"] == [{"@type": "sc:Person", "name": "Ada Lovelace"}]


def test_arrays_that_all_samples_have_are_shown(tmp_path: Path) -> None:
    """Of a dataset without sources, too."""
    dataset = small_arrays(tmp_path)
    export_for_hub(dataset, tmp_path / "out")
    split = dataset.array_split("train")
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "parquet" / "train.parquet").to_pylist()
    assert len(rows) == len(split)
    for name in rows[0]:
        values = split.entries(name, range(len(split)))
        np.testing.assert_array_equal(np.array([row[name] for row in rows], np.float32), values)


def test_an_export_without_room_leaves_nothing(tmp_path: Path) -> None:
    """But directories of others, whatever their names are."""
    other = tmp_path / "out.part"
    other.mkdir()
    fault = Fault("replace", "ENOSPC", file="croissant.json", true_clock=True).variables(tmp_path)
    data = finished_dataset("zarr").path
    ran = run_program("hm-data", "export", "hf", data, tmp_path / "out", variables=fault)
    assert_refused(ran, "No space left on device")
    assert {path.name for path in tmp_path.iterdir()} == {"out.part", "faulty"}
    assert invoke("hm-data", "export", "hf", data, tmp_path / "out").code == 0
    assert other.is_dir()


def test_large_samples_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One block at least, which is never larger than a program can read."""
    monkeypatch.setattr(hub, "_SHOWN_BYTES", 1)
    dataset = Dataset.open(finished_dataset("zarr").path)
    export_for_hub(dataset, tmp_path / "out")
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "parquet" / "train.parquet").num_rows
    assert rows == dataset.split("train").layout.samples_per_block < len(dataset.split("train"))


def test_what_cannot_be_exported_is_refused(exported: Path, tmp_path: Path) -> None:
    """Nothing is left behind."""
    data = finished_dataset("zarr").path
    before = contents(exported)
    assert_refused(invoke("hm-data", "export", "hf", data, exported), "must not exist; got")
    assert contents(exported) == before
    assert_refused(
        invoke("hm-data", "export", "hf", tmp_path / "absent", tmp_path / "out"), "absent"
    )
    assert not (tmp_path / "out").exists()
