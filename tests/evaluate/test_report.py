"""Pictures: what is drawn, and that anything can be drawn."""

import numpy as np
import pytest
from matplotlib.image import imread

from hypermagnetics.data import Block
from hypermagnetics.evaluate.report import draw_sample, write_picture
from hypermagnetics.sources import body_kernel


@pytest.fixture
def block(tiny) -> Block:
    """A block of one sample with four sources."""
    block = tiny.split("test-multi").block(1)
    return Block(
        sources=block.sources[2:3],
        num_sources=block.num_sources[2:3],
        grid=block.grid,
        potential=block.potential[2:3],
        field=block.field[2:3],
    )


def test_a_drawing_covers_the_grid_and_its_field_is_minus_the_gradient(block, oracle):
    drawing = draw_sample(oracle(), body_kernel("disc", 1.0), block, 1.0)
    x, y = drawing.axes
    assert (x[0], x[-1]) == (block.grid[:, 0].min(), block.grid[:, 0].max())
    assert (y[0], y[-1]) == (block.grid[:, 1].min(), block.grid[:, 1].max())
    assert drawing.sources.shape == (4, 4)
    np.testing.assert_allclose(drawing.potential, drawing.true_potential, atol=1e-6)
    # Rows are y and columns x: the other way round the gradient would not fit.
    down, right = np.gradient(drawing.true_potential, y, x)
    difference = np.abs(np.stack([right, down], axis=-1) + drawing.true_field)
    assert np.median(difference) < 0.02 * np.abs(drawing.true_field).max()


@pytest.mark.parametrize(
    "settings", [{}, {"factor": 0.0}, {"factor": 1.2, "blind_below": 0.0}, {"factor": np.nan}]
)
def test_every_prediction_can_be_drawn(block, oracle, tmp_path, settings):
    drawing = draw_sample(oracle(**settings), body_kernel("disc", 1.0), block, 1.0)
    write_picture(tmp_path / "sample.png", drawing, "a title")
    height, width, _ = imread(tmp_path / "sample.png").shape
    assert width > 2 * height > 1000


def test_a_dipole_is_drawn(block, oracle, tmp_path):
    drawing = draw_sample(oracle(), body_kernel("dipole", None), block, None)
    write_picture(tmp_path / "sample.png", drawing, "dipoles")
    assert (tmp_path / "sample.png").is_file()


def test_equal_drawings_are_equal_files(block, oracle, tmp_path):
    drawing = draw_sample(oracle(factor=0.8), body_kernel("disc", 1.0), block, 1.0)
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    write_picture(first, drawing, "once")
    write_picture(second, drawing, "once")
    assert first.read_bytes() == second.read_bytes()
