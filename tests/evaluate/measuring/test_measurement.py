"""A split measured in pieces equals a split measured by plain loops."""

import math
import statistics
import threading
from collections.abc import Callable

import numpy as np
import pytest
from program_runs import TIMEOUT
from recording import Recording

from hypermagnetics.data import Split
from hypermagnetics.evaluate.measuring import measurement
from hypermagnetics.evaluate.measuring.groups import quantity_scores, ranges_of
from hypermagnetics.evaluate.measuring.measurement import Measurement, measure_split
from hypermagnetics.evaluate.measuring.places import DISTANCES, places
from hypermagnetics.evaluate.subjects.subject import PotentialAndField, Subject
from hypermagnetics.metrics import Errors
from hypermagnetics.sources import BODIES, REGIONS, SourceColumns, block_superposition

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


def subject_from(predict: Callable[..., PotentialAndField], name: str = "model") -> Subject:
    """A subject that makes its predictions from blocks with their labels, and first samples."""
    return Subject(name, "function", name, lambda split, num_samples: predict)


def exact(block, first: int) -> PotentialAndField:
    """The labels."""
    del first
    return PotentialAndField(block.potential, block.field)


def noisy(block, first: int) -> PotentialAndField:
    """The labels with errors that depend on the number of the sample alone."""
    values = []
    for label in (block.potential, block.field):
        noise = [
            np.random.default_rng(first + row).normal(size=label.shape[1:])
            for row in range(len(label))
        ]
        values.append((label * (1 + 0.3 * np.stack(noise))).astype(np.float32))
    return PotentialAndField(*values)


def _measured(split: Split, columns: SourceColumns, tmp_path, predict=noisy, **options):
    (found,) = _all_measured(split, columns, tmp_path, predict, **options)
    return found


def _all_measured(
    split: Split, columns: SourceColumns, tmp_path, *predicts, **options
) -> tuple[Measurement, ...]:
    return measure_split(
        [subject_from(predict) for predict in predicts],
        split,
        columns,
        unit=1.0,
        directory=tmp_path,
        **options,
    )


def _relative(predicted: np.ndarray, truth: np.ndarray) -> float:
    error, size = np.atleast_1d(predicted.astype(float) - truth), np.atleast_1d(truth)
    return math.sqrt(sum(e**2 for e in error)) / math.sqrt(sum(float(t) ** 2 for t in size))


def _slow(split: Split, columns: SourceColumns, quantity: str) -> list[dict]:
    """Every point by plain loops: its relative error, sample, and place."""
    points, first = [], 0
    for block in split.blocks():
        where = places(columns, block, 1.0)
        predicted = getattr(noisy(block, first), quantity)
        truth = getattr(block, quantity)
        for row in range(len(truth)):
            for point in range(truth.shape[1]):
                error = np.atleast_1d(predicted[row, point].astype(float) - truth[row, point])
                size = np.atleast_1d(truth[row, point].astype(float))
                points.append(
                    {
                        "relative": _relative(predicted[row, point], truth[row, point]),
                        "error": sum(e**2 for e in error),
                        "truth": sum(t**2 for t in size),
                        "sample": first + row,
                        "num_sources": int(block.num_sources[row]),
                        "region": REGIONS[where.region[row, point]],
                        "distance": int(where.distance[row, point]),
                        "body": BODIES[where.body[row, point]],
                    }
                )
        first += len(truth)
    return points


def _quantile(points: list[dict], probability: float) -> float:
    values = sorted(point["relative"] for point in points)
    place = probability * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])


def _l2(points: list[dict]) -> float:
    return math.sqrt(sum(p["error"] for p in points) / sum(p["truth"] for p in points))


def _agree(found, points: list[dict]) -> None:
    assert found.num_points == len(points)
    assert found.median_relative_error == pytest.approx(_quantile(points, 0.5), rel=1e-6)
    assert found.p90_relative_error == pytest.approx(_quantile(points, 0.9), rel=1e-6)
    assert found.p99_relative_error == pytest.approx(_quantile(points, 0.99), rel=1e-6)
    if hasattr(found, "global_relative_l2"):
        samples = {point["sample"] for point in points}
        of_samples = [_l2([p for p in points if p["sample"] == sample]) for sample in samples]
        assert found.num_samples == len(samples)
        assert found.global_relative_l2 == pytest.approx(_l2(points), rel=1e-6)
        assert found.median_sample_relative_l2 == pytest.approx(
            statistics.median(of_samples), rel=1e-6
        )


@pytest.mark.slow
@pytest.mark.parametrize("quantity", ["potential", "field"])
def test_every_metric_agrees_with_plain_loops(mixture, quantity, tmp_path):
    split, columns = mixture.dataset.split("test"), mixture.columns
    measured = _measured(split, columns, tmp_path)
    found = quantity_scores(measured, getattr(measured, quantity))
    points = _slow(split, columns, quantity)
    _agree(found, points)
    for name, group in found.by_region.items():
        _agree(group, [point for point in points if point["region"] == name])
    for name, group in found.by_body.items():
        _agree(group, [point for point in points if point["body"] == name])
    for name, group in found.by_num_sources.items():
        _agree(group, [point for point in points if point["num_sources"] == int(name)])
    ends = [None, *DISTANCES, None]
    for group in found.by_distance:
        code = ends.index(group.high) - 1 if group.high is not None else len(DISTANCES)
        assert group.low == ends[code]
        _agree(group, [point for point in points if point["distance"] == code])
    for groups in (found.by_region.values(), found.by_body.values(), found.by_distance):
        assert sum(group.share_of_points for group in groups) == pytest.approx(1)
    assert len(found.by_body) > 1
    assert list(found.by_num_sources) == ["1", "2", "3", "4"]


def test_large_grids_are_predicted_in_pieces(tiny, tmp_path, monkeypatch):
    split = tiny.split("test_multi")
    whole = _measured(split, DISCS, tmp_path)
    monkeypatch.setattr("hypermagnetics.evaluate.measuring.measurement._VALUES_PER_CALL", 24 * 3)
    seen = Recording()
    pieces = _measured(split, DISCS, tmp_path, listener=seen)
    assert seen.counts == [3, 3, 2, 3, 3, 2, 3, 1]
    for one, other in zip(
        (whole.potential, whole.field),
        (pieces.potential, pieces.field),
        strict=True,
    ):
        np.testing.assert_array_equal(one.relative, other.relative)
        np.testing.assert_array_equal(one.squared_error, other.squared_error)
    np.testing.assert_array_equal(whole.places.region, pieces.places.region)
    np.testing.assert_array_equal(whole.pairs.predicted.field, pieces.pairs.predicted.field)


def test_the_first_samples_alone_are_measured_if_asked_for(tiny, tmp_path):
    split = tiny.split("test_multi")
    whole = _measured(split, DISCS, tmp_path)
    some = _measured(split, DISCS, tmp_path, num_samples=11)
    assert some.num_sources.shape == (11,)
    np.testing.assert_array_equal(some.potential.relative, whole.potential.relative[:11])
    more = _measured(split, DISCS, tmp_path, num_samples=1000)
    assert more.num_sources.shape == (20,)


def test_large_arrays_lie_in_a_file_that_has_no_name(tiny, tmp_path, monkeypatch):
    split = tiny.split("test_multi")
    in_memory = _measured(split, DISCS, tmp_path)
    monkeypatch.setattr(measurement, "_BYTES_IN_MEMORY", 100)
    in_file = _measured(split, DISCS, tmp_path / "new")
    relative = in_file.potential.relative
    assert isinstance(relative, np.memmap)
    assert list((tmp_path / "new").iterdir()) == []
    assert quantity_scores(in_file, in_file.field) == quantity_scores(in_memory, in_memory.field)


def test_a_file_without_room_is_an_error_and_not_the_end_of_the_process(tmp_path):
    with pytest.raises(OSError, match=r"."):
        measurement.large_array((1 << 50,), np.uint8, tmp_path)


def test_subjects_are_measured_side_by_side(tiny, tmp_path):
    split = tiny.split("test_multi")
    first, second = _all_measured(split, DISCS, tmp_path, exact, noisy)
    assert quantity_scores(first, first.field).p99_relative_error == 0
    alone = _measured(split, DISCS, tmp_path)
    np.testing.assert_array_equal(second.field.relative, alone.field.relative)


def test_pairs_are_labels_beside_predictions(tiny, tmp_path):
    split = tiny.split("test_multi")
    truth, predicted = _measured(split, DISCS, tmp_path, exact).pairs
    np.testing.assert_array_equal(truth.field, predicted.field)
    labels = np.concatenate([block.potential for block in split.blocks()])
    assert truth.potential.size == labels.size  # so few that all are kept
    np.testing.assert_array_equal(np.sort(truth.potential), np.sort(labels, axis=None))


def test_many_numbers_of_sources_are_told_apart_in_ranges():
    assert ranges_of(np.array([4, 1, 4, 2]))[0] == ("1", "2", "4")
    names, groups = ranges_of(np.arange(1, 33))
    assert names == ("1", "2", "3-4", "5-8", "9-16", "17-32")
    assert [int(np.count_nonzero(groups == group)) for group in range(6)] == [1, 1, 2, 4, 8, 16]
    names, _ = ranges_of(np.array([3, 20, 21, 22, 23, 24, 25, 26, 40]))
    assert names == ("3", "20-26", "40")


@pytest.mark.slow
def test_an_exact_model_has_errors_of_rounding_everywhere(tiny, tmp_path):
    def summed(block, first: int) -> PotentialAndField:
        del first
        return PotentialAndField(
            *(
                np.asarray(part)
                for part in block_superposition(DISCS, block.sources, block.num_sources, block.grid)
            )
        )

    measured = _measured(tiny.split("test_multi"), DISCS, tmp_path, summed)
    for errors in (measured.potential, measured.field):
        found = quantity_scores(measured, errors)
        assert found.global_relative_l2 < 1e-6
        assert all(group.median_relative_error < 1e-6 for group in found.by_region.values())


def test_a_gpu_predicts_while_errors_are_computed(tiny, tmp_path, monkeypatch):
    """The next block is asked for before the last one is compared, to the same numbers."""
    split, columns = tiny.split("train"), tiny.columns
    expected = _measured(split, columns, tmp_path)
    second_asked, compared = threading.Event(), measurement.measure

    def predicted(block, first: int) -> PotentialAndField:
        if first:
            second_asked.set()
        return noisy(block, first)

    def measured_once_asked(values: np.ndarray, truth: np.ndarray) -> Errors:
        assert second_asked.wait(TIMEOUT)
        return compared(values, truth)

    monkeypatch.setattr(measurement, "default_platform", lambda: "gpu")
    monkeypatch.setattr(measurement, "measure", measured_once_asked)
    found = _measured(split, columns, tmp_path, predicted)
    for name in ("potential", "field", "places"):
        one, other = (vars(getattr(of, name)) for of in (found, expected))
        for key, values in one.items():
            np.testing.assert_array_equal(values, other[key])


def test_an_error_beside_predictions_ends_the_measurement(tiny, tmp_path, monkeypatch):
    """It is not lost in the thread."""

    def failing(values: np.ndarray, truth: np.ndarray) -> Errors:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(measurement, "default_platform", lambda: "gpu")
    monkeypatch.setattr(measurement, "measure", failing)
    with pytest.raises(OSError, match="No space left"):
        _measured(tiny.split("train"), tiny.columns, tmp_path)
