"""Words of a command line, sorted by what they name."""

import itertools
import shutil

import h5py
import pytest
import zarr
from refused import refused

from hypermagnetics.errors import DatasetError, HypermagneticsError, RunError
from hypermagnetics.evaluate.subjects.arguments import distinct_names, place_of, sort_arguments


@pytest.fixture
def words(tmp_path, monkeypatch, tiny, trained_run, exported_run):
    """One word of each kind, in a working directory that holds them all."""
    monkeypatch.chdir(tmp_path)
    for name, place in (("data", tiny.directory), ("run", trained_run), ("out", exported_run)):
        shutil.copytree(place, name)
    shutil.copy("run/model.hm", "best.hm")
    h5py.File("made.h5", "w").close()
    zarr.open_group("made.zarr", mode="w", zarr_format=3)
    return {
        "run": "run",
        "best.hm": "model",
        "out": "export",
        "made.h5": "predictions",
        "made.zarr": "predictions",
        "fields:exact": "function",
        "data": None,
    }


@pytest.mark.slow
def test_words_are_sorted_in_any_order(words):
    for order in itertools.islice(itertools.permutations(words), 0, None, 500):
        found = sort_arguments(order)
        subjects = [word for word in order if words[word]]
        assert [subject.word for subject in found.subjects] == subjects
        assert [subject.name for subject in found.subjects] == subjects
        assert [subject.kind for subject in found.subjects] == [words[word] for word in subjects]
        assert [(str(data.path), data.name) for data in found.datasets] == [("data", "data")]


def test_a_path_goes_before_a_function(words, tmp_path):
    shutil.copy("best.hm", "fields:exact")
    (subject,) = sort_arguments(["fields:exact", "data"]).subjects
    assert subject.kind == "model"


def test_predictions_are_known_by_their_bytes_or_their_name(words, tmp_path):
    shutil.copy("made.h5", "made.bin")
    (tmp_path / "empty.hdf5").touch()
    kinds = [s.kind for s in sort_arguments(["made.bin", "empty.hdf5", "data"]).subjects]
    assert kinds == ["predictions", "predictions"]


@pytest.mark.parametrize(
    ("words_given", "kind", "fragments"),
    [
        ((), RunError, ("must have a dataset", "got nothing")),
        (("run",), RunError, ("must have a dataset", "got run (run)", "after the subjects")),
        (("run", "best.hm"), RunError, ("got run (run), best.hm (model)",)),
        (("run", "fields:exact"), RunError, ("must have a dataset",)),
        (("data",), RunError, ("must have a subject", "got only data (dataset)")),
        (("run", "nowhere"), DatasetError, ("must be a directory", "got 'nowhere'")),
        (("run", "data", "nowhere"), DatasetError, ("must be a directory", "got 'nowhere'")),
        (("data", "nowhere"), RunError, ("must be the directory of a training", "'nowhere'")),
        (("nowhere", "data"), RunError, ("must be the directory of a training", "hm-train")),
        (("run", "my-fields:exact"), RunError, ("module:function", "got 'my-fields:exact'")),
        (("fields:", "data"), RunError, ("module:function", "got 'fields:'")),
        (("run", "empty"), DatasetError, ("must have a manifest.json", "(empty")),
        (("empty", "data"), RunError, ("must hold model.hm", "DATASET empty --resume")),
        (("unfinished", "data"), DatasetError, ("must have a manifest.json", "(unfinished")),
        (("shards", "data"), DatasetError, ("must have a manifest.json", "(shards")),
        (("run", "run", "data"), RunError, ("Each subject must be given once; got run twice",)),
        (("run", "./run/", "data"), RunError, ("got run and ./run/, which are the same",)),
        (("run", "run/model.hm", "data"), RunError, ("run and run/model.hm, which",)),
        (("link", "run", "data"), RunError, ("link and run, which are the same",)),
        (("fields:exact",) * 2 + ("data",), RunError, ("got fields:exact twice",)),
        (("run", "data", "data"), RunError, ("Each dataset must be given once; got data twice",)),
        (("a" * 300, "data"), RunError, ("must be",)),
    ],
)
def test_what_is_nothing_is_refused(words, tmp_path, words_given, kind, fragments):
    for name in ("empty", "unfinished", "shards/train.zarr"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "unfinished" / "journal.lock").touch()
    (tmp_path / "link").symlink_to("run")
    with refused(kind, *fragments):
        sort_arguments(words_given)


def test_a_directory_that_may_not_be_read_is_refused(words, tmp_path, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.is_dir", forbidden)
    with refused(HypermagneticsError, "path that can be read", "Permission denied", "'run'"):
        sort_arguments(["run", "data"])


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (("a/run", "a/other"), ("run", "other")),
        (("a/run", "b/run", "b/other"), ("a/run", "b/run", "other")),
        (("a/x/run", "b/x/run", "b/y/run"), ("a/x/run", "b/x/run", "b/y/run")),
        (("run", "a/run"), ("run", "a/run")),
        (("a/run", "b/run", "c/out", "d/out"), ("a/run", "b/run", "c/out", "d/out")),
    ],
)
def test_names_are_as_long_as_tells_them_apart(places, names):
    parts = [tuple(place.split("/")) for place in places]
    assert distinct_names(parts) == names
    assert distinct_names(parts[::-1]) == names[::-1]


def test_names_of_equal_subjects_and_datasets_differ(words, tmp_path):
    for name in ("run", "data"):
        shutil.copytree(name, tmp_path / "old" / name)
    found = sort_arguments(["run", "old/run", "data", "old/data"])
    here = tmp_path.name
    assert [subject.name for subject in found.subjects] == [f"{here}/run", "old/run"]
    assert [data.name for data in found.datasets] == [f"{here}/data", "old/data"]


def test_a_link_keeps_its_name_and_dots_go(tmp_path, monkeypatch):
    (tmp_path / "run-17").mkdir()
    (tmp_path / "latest").symlink_to("run-17")
    assert place_of(tmp_path / "latest").name == "latest"
    monkeypatch.chdir(tmp_path / "run-17")
    here = tmp_path.resolve()
    for text in (".", "../run-17", "../latest/../run-17/."):
        assert place_of(tmp_path.__class__(text)) == here / "run-17"
    assert place_of(tmp_path.__class__("..")) == here
