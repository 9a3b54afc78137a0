"""Field lines: along the field, apart from one another, and ending where the field does."""

import numpy as np
import pytest

from hypermagnetics.pictures.field_lines import field_lines

AXIS = np.linspace(-1, 1, 81)
X, Y = np.meshgrid(AXIS, AXIS)


def test_lines_of_a_circling_field_are_circles():
    lines = field_lines(np.stack([-Y, X], axis=-1))
    assert len(lines) > 15
    for line in lines:
        radius = np.linalg.norm(2 * line - 1, axis=1)
        np.testing.assert_allclose(radius, radius.mean(), atol=0.02)
        x, y = (2 * line - 1).T
        assert (x[:-1] * y[1:] - x[1:] * y[:-1] > 0).all(), "against the field"


def test_lines_of_a_uniform_field_are_straight_and_cover_the_plane():
    lines = field_lines(np.stack([np.ones_like(X), np.zeros_like(X)], axis=-1))
    for line in lines:
        np.testing.assert_allclose(line[:, 1], line[0, 1], atol=1e-12)
        assert (np.diff(line[:, 0]) > 0).all()
    points = np.concatenate(lines)
    passed, _, _ = np.histogram2d(*points.T, bins=6, range=((0, 1), (0, 1)))
    assert (passed > 0).all()


def test_lines_keep_apart():
    lines = field_lines(np.stack([np.ones_like(X), 0.3 * np.sin(3 * X)], axis=-1))
    cells = [set(map(tuple, (line * 26).astype(int))) for line in lines]
    for number, own in enumerate(cells):
        for other in cells[:number]:
            assert not own & other


def test_lines_end_where_the_field_ends_or_turns():
    """As at a charged line, which lines enter from both sides."""
    inwards = np.stack([-np.sign(X), np.zeros_like(X)], axis=-1)
    for line in field_lines(inwards):
        side = np.sign(2 * line[:, 0] - 1)
        assert (side == side[0]).sum() >= len(line) - 2
    blind = np.stack([np.ones_like(X), np.zeros_like(X)], axis=-1)
    blind[:, :40] = np.nan
    assert all((line[:, 0] > 0.48).all() for line in field_lines(blind))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_field_without_direction_has_no_lines(value):
    assert field_lines(np.full((20, 30, 2), value)) == []
