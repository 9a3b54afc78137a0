"""The inputs of blocks: what a sample is depends on (seed, split, index) alone."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
from scipy.special import ndtri
from small_plans import plan_of

from hypermagnetics.generate.draw import Inputs, draw_block, draw_sources
from hypermagnetics.generate.plan import SourcePlan
from hypermagnetics.sources import BODIES, uniforms
from hypermagnetics.sources.checks import refuse_bad_rows
from hypermagnetics.table import QUATERNION

SIZES = {"distribution": "uniform", "low": 0.1, "high": 0.3}
ANY = {"distribution": "uniform"}
CUBOID = {"kind": "cuboid", "dimension": SIZES, "rotation": ANY}
RECTANGLE = {"kind": "rectangle", "dimension": SIZES, "angle": ANY}
MIX_3D = {
    "kind": "mixed",
    "of": [
        CUBOID,
        {"kind": "dipole", "dim": 3},
        {"kind": "sphere", "radius": {"distribution": "log-uniform", "low": 0.1, "high": 0.2}},
    ],
}
PACKED = {"distribution": "packed", "half_width": 2.0, "min_gap": 0.05}
RECIPES: dict[str, dict[str, Any]] = {
    "discs": {},
    "cuboids, ragged": {"body": CUBOID, "num_sources": [1, 7]},
    "mixed, packed": {"body": MIX_3D, "num_sources": [2, 9], "position": PACKED},
    "rectangles on a lattice": {
        "body": RECTANGLE,
        "moment": {"distribution": "aligned", "direction": [0, 2.0], "magnitude": 1, "spread": 0.1},
        "position": {"distribution": "lattice", "spacing": 0.5, "sites_per_side": 3},
    },
    "a fixed disc": {
        "moment": {"distribution": "constant", "value": [1.0, 0.0]},
        "position": {"distribution": "constant", "value": [0.3, -0.2]},
        "num_sources": 1,
    },
    "dipoles in three dimensions": {
        "body": {"kind": "dipole", "dim": 3},
        "moment": {"distribution": "sphere", "magnitude": 2.0},
        "position": {"distribution": "uniform", "half_width": 1.0},
    },
}


def block(plan: SourcePlan, index: int) -> Inputs:
    layout = plan.identity.splits["train"]
    return draw_block(plan.recipe, plan.columns, "train", layout, index)


def samples(plan: SourcePlan, *numbers: int) -> tuple[np.ndarray, np.ndarray]:
    return draw_sources(plan.recipe, plan.columns, "train", range(*numbers))


@pytest.mark.parametrize("name", RECIPES)
def test_a_sample_is_the_same_wherever_it_is_drawn(name: str) -> None:
    """Alone or among others, in blocks of any size, of a split of any size."""
    plan = plan_of(**RECIPES[name])
    table, counts = samples(plan, 20)
    for first, last in ((0, 1), (6, 9), (19, 20)):
        part, part_counts = samples(plan, first, last)
        np.testing.assert_array_equal(part, table[first:last])
        np.testing.assert_array_equal(part_counts, counts[first:last])
    for per_grid, num_samples in ((1, 20), (8, 20), (7, 40)):
        other = plan_of(
            **RECIPES[name] | {"samples_per_grid": per_grid, "num_samples": num_samples}
        )
        blocks = [block(other, index) for index in range(-(-20 // per_grid))]
        np.testing.assert_array_equal(np.concatenate([b.sources for b in blocks])[:20], table)
        np.testing.assert_array_equal(np.concatenate([b.num_sources for b in blocks])[:20], counts)


@pytest.mark.parametrize("name", RECIPES)
def test_every_row_is_a_source_and_the_rest_is_zero(name: str) -> None:
    """As the sums and the readers of a dataset expect it."""
    plan = plan_of(**RECIPES[name])
    table, counts = samples(plan, 20)
    assert table.dtype == np.float32
    assert counts.dtype == np.int32
    assert table.shape == (20, plan.identity.splits["train"].max_sources, plan.columns.size)
    for rows, count in zip(table, counts, strict=True):
        refuse_bad_rows(plan.columns, rows, int(count))
        assert not rows[count:].any()


@pytest.mark.parametrize("change", [{"seed": 2}, {"split": "valid"}])
def test_seeds_and_splits_draw_apart(change: dict[str, Any]) -> None:
    """Nothing that is drawn is the same."""
    plan = plan_of(**RECIPES["mixed, packed"])
    name = change.get("split", "train")
    splits = {name: plan.recipe.splits["train"]}
    other = plan.recipe.model_copy(update={"splits": splits, "seed": change.get("seed", 1)})
    table, _ = samples(plan, 20)
    changed, _ = draw_sources(other, plan.columns, name, range(20))
    varying = slice(0, plan.columns.index("body"))
    same = (table == changed)[..., varying] & (table != 0)[..., varying]
    np.testing.assert_array_equal(np.unique(table[..., varying][same]), np.empty(0))


def test_discs_of_normal_moment_and_position_never_change() -> None:
    """Row by row [moment, position] from one stream, as in the datasets made so far."""
    table, counts = samples(plan_of(), 4, 9)
    uniform = uniforms(1, "train", "sources", 4, 5, 12)
    np.testing.assert_array_equal(table, ndtri(uniform).astype(np.float32).reshape(5, 3, 4))
    np.testing.assert_array_equal(counts, [3] * 5)


def test_constants_are_as_stated_and_move_nothing_else() -> None:
    """What is drawn beside them is the same as beside a distribution."""
    fixed = RECIPES["a fixed disc"]
    usual, _ = samples(plan_of(num_sources=1), 20)
    both, _ = samples(plan_of(**fixed), 20)
    stated = np.array([[[1.0, 0.0, 0.3, -0.2]]], np.float32)
    np.testing.assert_array_equal(both, np.broadcast_to(stated, (20, 1, 4)))
    for name, part in (("moment", slice(0, 2)), ("position", slice(2, 4))):
        table, _ = samples(plan_of(num_sources=1, **{name: fixed[name]}), 20)
        np.testing.assert_array_equal(table[..., part], both[..., part])
        np.testing.assert_array_equal(np.delete(table, part, -1), np.delete(usual, part, -1))
    several, _ = samples(plan_of(num_sources=[1, 3], moment=fixed["moment"]), 20)
    np.testing.assert_array_equal(several[:, 0, :2], stated[:, 0, :2].repeat(20, 0))


def test_a_block_is_always_full() -> None:
    """One compiled function serves all; the last sample is repeated, none is packed in vain."""
    plan = plan_of(**RECIPES["mixed, packed"], samples_per_grid=8)
    last = block(plan, 2)
    assert last.sources.shape[0] == len(last.num_sources) == 8
    for sources, count in zip(last.sources[4:], last.num_sources[4:], strict=True):
        np.testing.assert_array_equal(sources, last.sources[3])
        assert count == last.num_sources[3]


def test_numbers_of_sources_are_equally_probable() -> None:
    """Both ends included."""
    _, counts = samples(plan_of(num_sources=[2, 6], num_samples=5000), 5000)
    found, times = np.unique(counts, return_counts=True)
    np.testing.assert_array_equal(found, [2, 3, 4, 5, 6])
    np.testing.assert_allclose(times, 1000, rtol=0.1)
    _, single = samples(plan_of(num_sources=[3, 3]), 20)
    np.testing.assert_array_equal(single, 3)


def test_bodies_are_mixed_by_their_shares() -> None:
    """Each row has what its body needs, and zero in the other columns."""
    dipole = {"kind": "dipole", "share": 0.2}
    disc = {"kind": "disc", "radius": 0.5, "share": 0.3}
    body = {"kind": "mixed", "of": [RECTANGLE | {"share": 0.5}, dipole, disc]}
    plan = plan_of(body=body, num_sources=100, num_samples=50)
    columns = plan.columns
    assert columns.names[4:] == ("radius", "dimension_x", "dimension_y", "angle", "body")
    assert plan.identity.bodies == {"dipole": 0, "disc": 1, "rectangle": 2}
    assert plan.identity.constants == {}
    table = samples(plan, 50)[0].reshape(-1, columns.size)
    codes = table[:, columns.index("body")]
    used = {"dipole": [], "disc": ["radius"], "rectangle": ["dimension_x", "dimension_y", "angle"]}
    for kind, share in (("dipole", 0.2), ("disc", 0.3), ("rectangle", 0.5)):
        rows = table[codes == BODIES.index(kind)]  # type: ignore[arg-type]
        assert len(rows) / len(table) == pytest.approx(share, abs=0.03)
        for name in columns.names[4:-1]:
            assert (rows[:, columns.index(name)] != 0).all() == (name in used[kind])
    assert set(table[codes == 1, columns.index("radius")]) == {0.5}


def test_shapes_are_distributed_as_stated() -> None:
    """Independent of each other and of the moment; what does not vary is a constant."""
    plan = plan_of(body=RECTANGLE, num_sources=50, num_samples=200)
    table = samples(plan, 200)[0].reshape(-1, plan.columns.size)
    assert plan.identity.constants == {}
    assert plan.columns.names[4:] == ("dimension_x", "dimension_y", "angle")
    assert np.abs(np.corrcoef(table.T) - np.eye(7)).max() < 0.04
    for column, scale in ((4, (0.1, 0.2)), (5, (0.1, 0.2)), (6, (0, 2 * np.pi))):
        assert scipy.stats.kstest(table[:, column], "uniform", scale).pvalue > 1e-3
    turned = CUBOID | {"rotation": [0.6, 0.0, 0.8000008, 0.0]}
    plan = plan_of(body=turned)
    norm = np.hypot(0.6, 0.8000008)
    assert plan.columns.names[6:] == ("dimension_x", "dimension_y", "dimension_z")
    expected = dict(zip(QUATERNION, np.array([0.6, 0, 0.8000008, 0]) / norm, strict=True))
    assert plan.identity.constants == pytest.approx(expected, rel=1e-15)


def test_a_lattice_in_a_recipe() -> None:
    """Every site taken once where there are as many as sources."""
    lattice = {"distribution": "lattice", "spacing": 0.5, "sites_per_side": 3}
    table, _ = samples(plan_of(position=lattice, num_sources=9), 20)
    sites = [[x, y] for x in (-0.5, 0, 0.5) for y in (-0.5, 0, 0.5)]
    for sample in table:
        np.testing.assert_array_equal(np.unique(sample[:, 2:], axis=0), sites)
