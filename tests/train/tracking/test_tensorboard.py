"""Event files, read by TensorBoard itself."""

import io
from pathlib import Path

import pytest
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tracked_runs import logged, run_killed_and_resumed, run_tracked, timed

from hypermagnetics.data import Dataset

VALIDATIONS = [5, 10, 15, 20]


def read(directory: Path) -> EventAccumulator:
    """All that TensorBoard shows of a run."""
    events = EventAccumulator(
        str(directory / "tracking" / "tensorboard"), {"scalars": 0, "images": 0}
    )
    return events.Reload()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny: Dataset) -> Path:
    """A run that was not disturbed; not to be changed."""
    directory = tmp_path_factory.mktemp("run") / "r"
    run_tracked(directory, tiny, "tensorboard")
    return directory


@pytest.mark.slow
def test_every_number_is_there(run: Path) -> None:
    """Under the name it has in metrics.jsonl, in single precision."""
    events = read(run)
    expected = logged(run)
    assert set(events.Tags()["scalars"]) == set(expected)
    for name, values in expected.items():
        found = {event.step: event.value for event in events.Scalars(name)}
        assert found == pytest.approx(values, rel=1e-6), name


@pytest.mark.slow
def test_every_validation_has_a_picture(run: Path) -> None:
    """Three panels of the same sample."""
    images = read(run).Images("sample")
    assert [image.step for image in images] == VALIDATIONS
    for image in images:
        height, width, _ = imread(io.BytesIO(image.encoded_image_string)).shape
        assert (height, width) == (image.height, image.width)
        assert width > 2 * height
    assert len({image.encoded_image_string for image in images}) == len(images)


@pytest.mark.slow
def test_a_resumed_run_shows_each_step_once(run: Path, tmp_path: Path, tiny: Dataset) -> None:
    """Though the steps after the checkpoint were made, and written, twice."""
    run_killed_and_resumed(tmp_path / "r", tiny, "tensorboard")
    assert len(list((tmp_path / "r" / "tracking" / "tensorboard").iterdir())) == 2
    undisturbed, resumed = read(run), read(tmp_path / "r")
    for name in undisturbed.Tags()["scalars"]:
        one, other = (
            [(event.step, 0 if timed(name) else event.value) for event in events.Scalars(name)]
            for events in (undisturbed, resumed)
        )
        assert one == other, name
    one, other = (
        [image.encoded_image_string for image in events.Images("sample")]
        for events in (undisturbed, resumed)
    )
    assert one == other
