"""Event files for TensorBoard."""

import os
import struct
import time
from collections.abc import Mapping
from typing import Any

from hypermagnetics.train.tracking.tracker import TrackedRun


class TensorBoard:
    """Writes one event file for each process of a run.

    tensorboardX's SummaryWriter hands events to a thread, which dies on a full disk without a word
    to its caller, who then waits for it for ever; its EventsWriter writes at once and raises.
    """

    def __init__(self, run: TrackedRun) -> None:
        """Begin a file.

        Its first event makes TensorBoard forget what earlier files say about later steps: those
        that a process made after its last checkpoint, and that are made again.
        """
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._events, self._summaries = event_pb2, summary_pb2
        directory = (run.directory / "tensorboard").resolve()
        directory.mkdir(parents=True, exist_ok=True)
        # The names of two files of one second would else be the same.
        self._writer = EventsWriter(str(directory / "events"), f".{os.getpid()}")
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(run.steps_done + 1, session_log=start)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one event with all numbers."""
        self._summarise(step, [{"tag": tag, "simple_value": x} for tag, x in values.items()])

    def picture(self, step: int, png: bytes) -> None:
        """Write one event with the file as it is."""
        width, height = struct.unpack(">II", png[16:24])
        image = self._summaries.Summary.Image(
            width=width, height=height, colorspace=4, encoded_image_string=png
        )
        self._summarise(step, [{"tag": "sample", "image": image}])

    def close(self, finished: bool) -> None:
        """Close the file."""
        self._writer.close()

    def _summarise(self, step: int, values: list[dict[str, Any]]) -> None:
        summary = self._summaries.Summary
        self._write(step, summary=summary(value=[summary.Value(**value) for value in values]))

    def _write(self, step: int, **what: Any) -> None:
        self._writer.write_event(self._events.Event(wall_time=time.time(), step=step, **what))
        self._writer.flush()
