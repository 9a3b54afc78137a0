"""Crops: boxes of the stored grid, whole fields from them, and no point left out in silence."""

import re
import tracemalloc
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hypermagnetics.config import checked
from hypermagnetics.data import CropConfig, Crops, GridShape
from hypermagnetics.errors import DatasetError, RecipeError

Plan = dict[str, int]


def planned(dim: int = 2, resolution: int = 9, halo: int = 2, **crop: int) -> Crops:
    grid = GridShape(points_per_side=resolution + 2 * halo, halo=halo)
    return Crops(grid, CropConfig(**({"size": 4, "pad": 1} | crop)), dim)


@st.composite
def plans(draw: st.DrawFn, default: bool = False) -> Plan:
    """Any crops that fit; with `default` those that say neither start nor stop nor step.

    Only their numbers: beartype uses `random`, which Hypothesis refuses while it draws.
    """
    dim, halo = draw(st.integers(2, 3)), draw(st.integers(0, 3))
    resolution = draw(st.integers(1 if halo else 2, 11 if dim == 2 else 7))
    size = draw(st.integers(1, resolution))
    plan = {"dim": dim, "resolution": resolution, "halo": halo, "size": size}
    if default:
        return plan | {"pad": draw(st.integers(0, halo))}
    # From the anchors there are to be, to a range that gives them. Half of the plans cover all.
    end = last = resolution - size
    if draw(st.booleans()):
        start, step = 0, draw(st.sampled_from([s for s in range(1, size + 1) if end % s == 0]))
    else:
        start, step = draw(st.integers(0, end)), draw(st.integers(1, resolution))
        last = start + step * draw(st.integers(0, (end - start) // step))
    stop = draw(st.integers(last + 1, last + step))
    pad = draw(st.integers(0, halo + min(start, end - last)))
    return plan | {"start": start, "stop": stop, "step": step, "pad": pad}


def stored(crops: Crops, samples: int = 2, components: tuple[int, ...] = ()) -> np.ndarray:
    """Values of the stored grid, no two of them alike."""
    shape = (samples, crops.grid.points_per_side**crops.dim, *components)
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def unflattened(crops: Crops, values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *[crops.grid.points_per_side] * crops.dim, *values.shape[2:])


def interior(crops: Crops, values: np.ndarray) -> np.ndarray:
    halo = crops.grid.halo
    return unflattened(crops, values)[:, *[slice(halo, halo + crops.grid.resolution)] * crops.dim]


def cores(crops: Crops, values: np.ndarray) -> Iterator[np.ndarray]:
    return (crops.trim(crops.cut(values, index)) for index in range(len(crops)))


def held(crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """The slow and obvious way, point by point: how many crops hold it, and the first that does."""
    count = np.zeros((crops.grid.resolution,) * crops.dim, int)
    first = np.full(count.shape, -1)
    for index in range(len(crops)):
        for offset in product(range(crops.config.size), repeat=crops.dim):
            point = tuple(np.add(crops.anchor(index), offset))
            count[point] += 1
            first[point] = index if first[point] < 0 else first[point]
    return count, first


@given(plan=plans(), components=st.sampled_from([(), (1,), (2,), (3,)]))
def test_a_crop_is_a_box_of_the_grid(plan: Plan, components: tuple[int, ...]) -> None:
    """Cutting, indices and slices of the reshaped grid agree; the cut is a view."""
    crops = planned(**plan)
    values, pad = stored(crops, components=components), plan["pad"]
    whole = unflattened(crops, values)
    for index in range(len(crops)):
        firsts = [anchor + plan["halo"] - pad for anchor in crops.anchor(index)]
        box = [slice(first, first + plan["size"] + 2 * pad) for first in firsts]
        cut = crops.cut(values, index)
        assert np.shares_memory(cut, values)
        assert cut.shape == (2, *crops.shape, *components)
        np.testing.assert_array_equal(cut, whole[:, *box])
        for part, points in ((cut, crops.points(index)), (crops.trim(cut), crops.core(index))):
            assert points.dtype == np.int64
            assert (np.diff(points) > 0).all()
            flat = part.reshape(2, len(points), *components)
            np.testing.assert_array_equal(values[:, points], flat)
        assert len(crops.points(index)) == crops.num_points


@given(plan=plans())
def test_anchors_are_those_asked_for(plan: Plan) -> None:
    """All combinations of start, start + step, ... below stop, the last axis fastest."""
    crops = planned(**plan)
    side = range(plan["start"], plan["stop"], plan["step"])
    anchors = [crops.anchor(index) for index in range(len(crops))]
    assert anchors == list(product(side, repeat=crops.dim))


@given(plan=plans(default=True), components=st.sampled_from([(), (2,), (3,)]))
def test_default_crops_lose_nothing(plan: Plan, components: tuple[int, ...]) -> None:
    """Cut and assembled is the interior, bit for bit, also where the size does not divide it."""
    crops = planned(**plan)
    values = stored(crops, components=components)
    assert crops.coverage().min() == 1
    assert len(crops) == (-(-crops.grid.resolution // crops.config.size)) ** crops.dim
    whole = crops.assemble(cores(crops, values))
    assert whole.dtype == values.dtype
    np.testing.assert_array_equal(whole, interior(crops, values))


@given(plan=plans())
def test_a_field_is_assembled_in_full_or_not_at_all(plan: Plan) -> None:
    """The identity if every point is in a crop, and the first one that holds it gives its value.

    Else the refusal counts right. Coverage is what counting gives.
    """
    crops = planned(**plan)
    values, (count, first) = stored(crops), held(crops)
    assert crops.coverage().dtype == np.int64
    np.testing.assert_array_equal(crops.coverage(), count)
    if count.min() > 0:
        whole = crops.assemble(cores(crops, values))
        np.testing.assert_array_equal(whole, interior(crops, values))
        parts = (np.full((1, *crops.core_shape, 2), index) for index in range(len(crops)))
        np.testing.assert_array_equal(crops.assemble(parts)[0], np.stack([first, first], -1))
        return
    missing = np.argwhere(count == 0)
    message = f"{len(missing)} of {count.size} points in no crop, the first at "
    with pytest.raises(DatasetError, match=re.escape(f"{message}{tuple(missing[0].tolist())} (")):
        crops.assemble(cores(crops, values))


@given(plan=plans())
def test_the_way_out_of_gaps_works(plan: Plan) -> None:
    """What the refusal says to do covers every point, with all padding it grants."""
    crops = planned(**plan)
    assume(crops.coverage().min() == 0)
    with pytest.raises(DatasetError) as caught:
        crops.assemble([])
    found = re.search(r"or set start 0, stop (\d+), step (\d+)(.*)\.$", str(caught.value))
    assert found is not None
    assert bool(found[3]) == (crops.config.pad > crops.grid.halo)
    kept = {key: plan[key] for key in ("dim", "resolution", "halo", "size")}
    kept["pad"] = min(plan["pad"], plan["halo"])
    for change in ({}, {"start": 0, "stop": int(found[1]), "step": int(found[2])}):
        assert planned(**(kept | change)).coverage().min() > 0


def test_a_size_that_does_not_divide_the_grid() -> None:
    """The last crop is moved back to the end of the interior; it does not wrap around."""
    crops = planned(resolution=10, size=4)
    assert [crops.anchor(index)[1] for index in range(3)] == [0, 4, 6]
    np.testing.assert_array_equal(crops.coverage()[0], [1, 1, 1, 1, 1, 1, 2, 2, 1, 1])


@pytest.mark.parametrize("dim", [2, 3])
def test_padding_is_what_the_halo_stores(dim: int) -> None:
    """At the edge of the interior the margin's own values are seen, from both sides."""
    crops = planned(dim, resolution=4, halo=2, size=4, pad=2)
    values = stored(crops)
    assert len(crops) == 1
    np.testing.assert_array_equal(crops.cut(values, 0), unflattened(crops, values))
    grid = np.stack(np.meshgrid(*[np.arange(8) - 3.5] * dim, indexing="ij"), -1)
    (seen,) = crops.cut(grid.reshape(1, -1, dim), 0)
    outside = (abs(seen) > 1.5).any(axis=-1)
    assert outside.sum() == 8**dim - 4**dim
    np.testing.assert_array_equal(seen[(0,) * dim], [-3.5] * dim)
    assert abs(crops.trim(seen[None])).max() == 1.5


def test_views_of_values_with_any_strides() -> None:
    """Also of a part of the samples, of one component, or of the same sample many times."""
    crops = planned()
    field = stored(crops, samples=5, components=(2,))
    for values in (field[::2], field[..., 1], np.broadcast_to(field[:1], (7, *field.shape[1:]))):
        cut = crops.cut(values, 4)
        assert np.shares_memory(cut, field)
        expected = values[:, crops.points(4)]
        np.testing.assert_array_equal(cut.reshape(expected.shape), expected)


def test_one_crop_at_a_time_is_in_memory() -> None:
    """A large grid with a million overlapping crops takes the memory of one of them."""
    tracemalloc.start()
    crops = planned(resolution=4096, halo=8, size=64, stop=4033, step=4, pad=8)
    assert len(crops) > 1e6
    values = np.broadcast_to(np.float32(0), (1, 4112**2))
    for index in (0, 12345, len(crops) - 1):
        assert crops.cut(values, index).shape == (1, 80, 80)
        assert len(crops.points(index)) == 80**2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 8 * 80**2


def test_parts_are_taken_one_at_a_time() -> None:
    """A field is assembled in its own memory and that of a few parts."""
    template = np.ones((1, 128, 128))
    tracemalloc.start()
    whole = planned(resolution=1024, size=128).assemble(template * index for index in range(64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < whole.nbytes + 4 * template.nbytes


REFUSALS: dict[str, tuple[dict[str, int], str]] = {
    "larger than the grid": ({"size": 10}, "the grid, 9 points per side; got 10 (crop.size)"),
    "start outside": ({"start": 6}, "must be 0 to 5; got 6 (crop.start; crop.size 4, interior 9)"),
    "no crop": (
        {"start": 3, "stop": 3},
        "above the first anchor, 3; got 3 (crop.stop, crop.start)",
    ),
    "core outside": ({"stop": 7, "step": 2}, "below 10 (crop.size 4). Set crop.stop to 6 or less."),
    "padding outside": ({"pad": 3}, "at most 2, as the grid has a halo of 2; got 3 (crop.pad). "),
}


@pytest.mark.parametrize(
    ("step", "anchors"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4, 5]), (4, [0, 4, 5]), (9, [0])]
)
def test_a_step_leaves_nothing_out_behind_its_last_crop(step: int, anchors: list[int]) -> None:
    """Which ends with the interior, of 9 points a side and crops of 4; but for gaps between."""
    crops = planned(step=step)
    assert [crops.anchor(number)[1] for number in range(len(anchors))] == anchors
    assert len(crops) == len(anchors) ** 2


@pytest.mark.parametrize("case", REFUSALS)
def test_crops_that_would_leave_the_grid_are_refused(case: str) -> None:
    change, message = REFUSALS[case]
    with pytest.raises(RecipeError, match=re.escape(message)) as caught:
        planned(**change)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("key", ["size", "step", "start", "stop", "pad"])
def test_numbers_that_make_no_sense_are_refused(key: str) -> None:
    """Where the recipe is read."""
    least = 1 if key in ("size", "step") else 0
    message = f"'{key}' must be greater than or equal to {least}; got {least - 1} (recipe x)"
    with pytest.raises(RecipeError, match=re.escape(message)):
        checked(CropConfig, {"size": 4, key: least - 1}, "recipe x")


def test_a_grid_has_an_interior() -> None:
    for points, halo in ((2, 0), (3, 1), (4, 1), (5, 2)):
        assert GridShape(points_per_side=points, halo=halo).resolution == 2 - points % 2
        with pytest.raises(RecipeError, match="leave points between the halos, 2 halo < "):
            checked(GridShape, {"points_per_side": points, "halo": (points + 1) // 2}, "x")


def test_a_halo_that_the_message_asks_for_does() -> None:
    for start, stop, pad in ((0, 6, 3), (3, 5, 5), (1, 3, 4)):
        with pytest.raises(RecipeError) as caught:
            planned(start=start, stop=stop, step=1, pad=pad)
        granted, needed = re.findall(r"at most (\d+).*with a halo of (\d+)\.", str(caught.value))[0]
        planned(start=start, stop=stop, step=1, pad=int(granted))
        planned(start=start, stop=stop, step=1, pad=pad, halo=int(needed))
        with pytest.raises(RecipeError):
            planned(start=start, stop=stop, step=1, pad=pad, halo=int(needed) - 1)


@pytest.mark.parametrize("index", [-1, 9])
def test_there_is_no_such_crop(index: int) -> None:
    crops = planned()
    for use in (crops.anchor, crops.points, crops.core, lambda i: crops.cut(stored(crops), i)):
        with pytest.raises(IndexError, match=f"A crop must be 0 to 8; got {index}"):
            use(index)


def test_values_of_another_grid_are_refused() -> None:
    crops = planned()
    for shape in ((1, 168), (169,), (1, 13, 13, 2)):
        with pytest.raises(DatasetError, match=r"must be \(samples, 169\) or .*; got "):
            crops.cut(np.zeros(shape), 0)


PARTS: dict[str, tuple[list[np.ndarray], str]] = {
    "too few": ([np.zeros((1, 4, 4))] * 8, "one for each of 9 crops; got 8 ("),
    "too many": ([np.zeros((1, 4, 4))] * 11, "one for each of 9 crops; got 10 or more ("),
    "none": ([], "one for each of 9 crops; got 0 ("),
    "padded": ([np.zeros((1, 6, 6))], "A part must be (samples, 4, 4) or (samples, 4, 4, comp"),
    "flat": ([np.zeros((1, 16))], "got (1, 16) (crop size 4, start 0,"),
    "other samples": ([np.zeros((2, 4, 4)), np.zeros((1, 4, 4))], "got float64 (1, 4, 4) (part 1"),
    "other type": (
        [np.zeros((2, 4, 4), np.float32), np.zeros((2, 4, 4))],
        "like the first, float32 (2, 4, 4); got float64 (2, 4, 4) (part 1;",
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_parts_that_do_not_fit_are_refused(case: str) -> None:
    """No value is broadcast, rounded or left unset."""
    parts, message = PARTS[case]
    with pytest.raises(DatasetError, match=re.escape(message)):
        planned().assemble(parts)
    with pytest.raises(DatasetError, match=r"A crop to trim must be \(samples, 6, 6\) or "):
        planned().trim(np.zeros((1, 4, 4)))
