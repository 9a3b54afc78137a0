"""Pictures: what is drawn, and that anything can be drawn."""

import io

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.image import imread

from hypermagnetics.data import Block
from hypermagnetics.pictures import draw_sample, one_sample
from hypermagnetics.pictures.figure import png_of
from hypermagnetics.sources import SourceColumns, Sphere, source_table

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


@pytest.fixture
def block(tiny) -> Block:
    """A block of one sample with four sources."""
    return one_sample(tiny.split("test_multi"), 10)


@pytest.mark.slow
def test_a_drawing_covers_the_grid_and_its_field_is_minus_the_gradient(block, oracle):
    drawing = draw_sample(oracle(), DISCS, block)
    x, y = drawing.axes
    assert (x[0], x[-1]) == (block.grid[:, 0].min(), block.grid[:, 0].max())
    assert (y[0], y[-1]) == (block.grid[:, 1].min(), block.grid[:, 1].max())
    assert drawing.height is None
    assert len(drawing.outlines) == len(drawing.arrows) == 4
    np.testing.assert_allclose(drawing.potential, drawing.true_potential, atol=1e-6)
    # Rows are y and columns x: the other way round the gradient would not fit.
    down, right = np.gradient(drawing.true_potential, y, x)
    difference = np.abs(np.stack([right, down], axis=-1) + drawing.true_field)
    assert np.median(difference) < 0.02 * np.abs(drawing.true_field).max()


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"factor": 0.0}, {"factor": 1.2, "blind_below": 0.0}, {"factor": np.nan}]
)
def test_every_prediction_can_be_drawn(block, oracle, settings):
    drawing = draw_sample(oracle(**settings), DISCS, block)
    height, width, _ = imread(io.BytesIO(png_of(drawing, "a title"))).shape
    assert width > 2 * height > 1000


@pytest.mark.slow
def test_settings_of_a_user_change_nothing(block, oracle):
    """Not even LaTeX, which few compute nodes have."""
    drawing = draw_sample(oracle(), DISCS, block)
    plain = png_of(drawing, "run $a", dots_per_inch=40)
    with rc_context({"text.usetex": True, "savefig.dpi": 200, "font.size": 30}):
        assert png_of(drawing, "run $a", dots_per_inch=40) == plain


@pytest.mark.slow
def test_a_dipole_is_drawn(block, oracle):
    drawing = draw_sample(oracle(), SourceColumns.of("dipole", dim=2), block)
    assert png_of(drawing, "dipoles").startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [3], indirect=True, ids=["3D"])
def test_a_slice_is_drawn(mixture, oracle):
    block = one_sample(mixture.dataset.split("test"), 3)
    drawing = draw_sample(oracle(mixture.columns, rank=9), mixture.columns, block)
    low, high = block.grid[:, 2].min(), block.grid[:, 2].max()
    assert drawing.height is not None
    assert low <= drawing.height <= high
    x, y = drawing.axes
    down, right = np.gradient(drawing.true_potential, y, x)
    difference = np.abs(np.stack([right, down], axis=-1) + drawing.true_field)
    assert np.median(difference) < 0.02 * np.quantile(np.abs(drawing.true_field), 0.99)


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "height"), [(3.0, 0.5), (0.2, 0.2), (0.0, 0.0)])
def test_the_plane_passes_through_the_middle_source_or_near_it(oracle, depth, height):
    bodies = [Sphere([1.0, 0.0, 0.0], [0.0, 0.0, z], 1.0) for z in (0.1, 0.5, 2.0)]
    columns, table = source_table(bodies)
    grid = np.array([[-3, -3, -depth], [3, 3, depth]], np.float32)
    nothing = np.zeros((1, 2), np.float32)
    sources = np.asarray(table, np.float32)[None]
    block = Block(sources, np.array([3], np.int32), grid, nothing, np.zeros((1, 2, 3)))
    drawing = draw_sample(oracle(columns), columns, block)
    assert drawing.height == pytest.approx(height)
    assert len(drawing.outlines) == 2
    assert (drawing.axes[0][0], drawing.axes[0][-1]) == (-3, 3)
    np.testing.assert_allclose(drawing.potential, drawing.true_potential, atol=1e-6)
