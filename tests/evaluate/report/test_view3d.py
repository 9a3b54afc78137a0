"""A picture in space, or a sentence that says how to get one."""

import io
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from report_records import Wrong, evaluated, subject

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report import view3d
from hypermagnetics.evaluate.report.figures import Note
from hypermagnetics.evaluate.report.rendering import Rendered
from hypermagnetics.extras import is_installed


@pytest.fixture
def found(mixture) -> Evaluated:
    """A wrong model on bodies of several kinds."""
    one = subject("wavy", Wrong(mixture.columns, 1.1))
    split = mixture.dataset.split("test")
    return evaluated(one, mixture.dataset, "bodies", split, mixture.columns)


def test_grid_points_fill_the_box_with_x_fastest():
    low, high = np.array([0.0, 1, 2], np.float32), np.array([1.0, 3, 5], np.float32)
    points = view3d.grid_points(low, high)
    np.testing.assert_array_equal(points[0], low)
    np.testing.assert_array_equal(points[-1], high)
    np.testing.assert_array_equal(points[1] > low, [True, False, False])


@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_without_the_extra_the_page_says_how_to_get_it(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvista", None)
    (note,) = view3d.space_views(found)
    assert isinstance(note, Note)
    assert "pip install 'hypermagnetics[view3d]'" in note.text


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_a_process_that_dies_is_no_end_of_the_report(found, monkeypatch):
    monkeypatch.setattr(view3d, "is_installed", lambda package: True)
    monkeypatch.setattr(view3d, "picture_apart", lambda space: None)
    (note,) = view3d.space_views(found)
    assert isinstance(note, Note)
    assert "libegl1" in note.text


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_predictions_that_are_not_finite_are_not_drawn_as_others(mixture, monkeypatch):
    monkeypatch.setattr(view3d, "is_installed", lambda package: True)
    monkeypatch.setattr(view3d, "picture_apart", lambda space: pytest.fail("drawn"))
    one = subject("nothing", Wrong(mixture.columns, np.nan))
    split = mixture.dataset.split("test")
    blind = evaluated(one, mixture.dataset, "bodies", split, mixture.columns)
    (note,) = view3d.space_views(blind)
    assert isinstance(note, Note)
    assert note.text.startswith("No picture in space: 100 % of the predictions")


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [2], indirect=True, ids=["2D"])
def test_a_plane_is_not_shown_in_space(found):
    assert not list(view3d.space_views(found))


@pytest.mark.skipif(not is_installed("pyvista"), reason="the extra view3d is not installed")
@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_a_sample_is_drawn_in_space(found):
    (figure,) = view3d.space_views(found)
    if isinstance(figure, Note):
        pytest.skip(figure.text)
    picture = figure.draw()
    assert isinstance(picture.figure, Rendered)
    pixels = imread(io.BytesIO(picture.figure.png))
    assert pixels.shape[:2] == (640, 900)
    assert pixels.std() > 0.02
    names, *lines = picture.csv.splitlines()
    assert names == "x,y,z,potential"
    assert len(lines) > 100
