"""The fast multipole method as a subject, against the closed forms."""

import builtins
import importlib.util

import numpy as np
import pytest

from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.baselines import available_baselines, exact_sum, fmm3d
from hypermagnetics.sources import SourceColumns

pytest.importorskip("fmm3dpy")

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})
DIPOLES = SourceColumns.of("dipole", dim=3)
SPHERES = SourceColumns.of("sphere", constants={"radius": 0.5})


def _relative_l2(ours: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(ours - true) / np.linalg.norm(true))


@pytest.fixture
def configurations() -> tuple[np.ndarray, np.ndarray]:
    """Three configurations of up to five sources within 1 m, and points around."""
    random = np.random.default_rng(0)
    sources = random.uniform(-1, 1, (3, 5, 6)).astype(np.float32)
    sources[1, 2:] = 0
    sources[2] = 0
    return sources, random.uniform(-3, 3, (400, 3)).astype(np.float32)


def test_dipoles_agree_to_the_tolerance(configurations):
    sources, points = configurations
    exact = exact_sum(DIPOLES).model.predict(sources, points, 3)
    found = fmm3d(DIPOLES, 1e-6).model.predict(sources, points, 3)
    for ours, true in zip(found, exact, strict=True):
        assert ours.dtype == np.float32
        assert _relative_l2(ours[:2], true[:2]) < 1e-5
        assert not ours[2].any()


def test_spheres_are_right_outside_and_wrong_inside(configurations):
    points = configurations[1]
    one = np.array([[[0.3, -0.2, 1.0, 0.0, 0.0, 0.0]]], np.float32)
    inside = (0.1 + 0.1 * np.abs(points)) / np.sqrt(3)
    outside = points[np.linalg.norm(points, axis=1) > 0.5]
    exact, fast = exact_sum(SPHERES).model, fmm3d(SPHERES).model
    at = {where: (exact.predict(one, r, 1), fast.predict(one, r, 1)) for where, r in
          (("outside", outside), ("inside", inside))}  # fmt: skip
    assert _relative_l2(at["outside"][1].field, at["outside"][0].field) < 2e-3
    assert _relative_l2(at["inside"][1].field, at["inside"][0].field) > 1


def test_its_name_says_the_tolerance():
    assert fmm3d(SPHERES).name == "fmm3d 1e-3"
    assert "wrong inside bodies" in fmm3d(SPHERES).place


def test_all_baselines_are_there_in_three_dimensions():
    subjects, left_out = available_baselines(SPHERES)
    assert [subject.name for subject in subjects] == ["exact sum", "fmm3d 1e-3"]
    assert left_out == ()


def test_in_two_dimensions_a_sentence_says_why_there_is_none():
    subjects, left_out = available_baselines(DISCS)
    assert [subject.name for subject in subjects] == ["exact sum"]
    assert left_out == ("fmm3d is left out: it is for three dimensions; the sources are in 2.",)
    with pytest.raises(RunError, match=r"three dimensions.*Leave it out"):
        fmm3d(DISCS)


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "fmm3dpy" else find(name)
    )
    subjects, (why,) = available_baselines(SPHERES)
    assert len(subjects) == 1
    assert "hypermagnetics[peers]" in why


def test_the_package_is_loaded_only_when_it_is_asked(monkeypatch):
    load = builtins.__import__

    def refuse(name, *arguments, **keywords):
        assert name != "fmm3dpy"
        return load(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert len(available_baselines(SPHERES).subjects) == 2
