"""A training from its start, or from its last checkpoint, to its model file."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from pydantic import JsonValue

from hypermagnetics.data import Split
from hypermagnetics.device_failures import device_failures_named
from hypermagnetics.files import atomic_file, name_in_text, write_text_atomically
from hypermagnetics.log import Listener
from hypermagnetics.models import ModelInputs
from hypermagnetics.models.store import read_header
from hypermagnetics.run_files import AnyValidation, RunFiles
from hypermagnetics.train.card import model_card
from hypermagnetics.train.checkpoint import Reached, divergence_named, full_disk_named
from hypermagnetics.train.clock import Shares
from hypermagnetics.train.feed import Placement, open_feed
from hypermagnetics.train.keeper import Kept
from hypermagnetics.train.loop import Loop
from hypermagnetics.train.processes import connect, lost_processes_named, of_first, on_first
from hypermagnetics.train.setup import Setup
from hypermagnetics.train.signals import stop_on_signals


@dataclass(frozen=True)
class Outcome:
    """Result of one process of a run."""

    progress: Reached
    ending: str
    """Reason why the run is finished, in words."""
    model_step: int
    """Step of the model file."""
    wrote_model: bool
    """Whether this process wrote it; else it was there."""
    validation: AnyValidation | None
    """Last validation of this process; None if it made none."""
    samples_per_second: float
    shares: Shares
    placement: Placement
    """Placement of the training split."""


def train(
    setup: Setup, files: RunFiles, provenance: dict[str, JsonValue], listener: Listener
) -> Outcome:
    """Train to the end of the recipe, from the last checkpoint if there is one.

    Args:
        setup: The parts of the training.
        files: Files of the run.
        provenance: Metadata of every model file beside the parameters.
        listener: Receives steps, with a status line, and messages.

    Returns:
        The outcome.

    Raises:
        DivergenceError: If the loss becomes non-finite; the last checkpoint is from before.
        InterruptedRunError: If SIGINT, SIGTERM or SIGUSR1 asked to stop; a checkpoint of the last
            step is kept.
        RunWriteError: If the directory cannot be written to; the last checkpoint is sound.
        DeviceError: If the memory of the device is full, or it does not answer any more.
    """
    diverged = divergence_named(files, setup.objective.remedy)
    lost = lost_processes_named(files.directory)
    with full_disk_named(files), diverged, _device_failures_named(setup, files), lost:
        connect(setup.devices.mesh)
        loop = Loop(setup, files, provenance, listener)
        listener.skip(loop.progress.step)
        try:
            if not loop.is_finished:
                _go_on(loop, setup, files)
        finally:
            loop.close()
        step = of_first(lambda: _step_of(files))
    assert loop.ending is not None, "the loop ends so, or by an exception"
    return Outcome(
        loop.progress,
        loop.ending,
        int(step),
        not loop.is_finished,
        loop.keeper.validation,
        loop.samples_per_second,
        loop.clock.shares,
        setup.placement,
    )


def _go_on(loop: Loop, setup: Setup, files: RunFiles) -> None:
    """Make the remaining steps, and the files of a finished run."""
    on_first(lambda: _remove_result(files))
    first, split = loop.progress.step, setup.train
    with (
        stop_on_signals() as stop,
        open_feed(setup.placement, split, setup.order_from(first), setup.devices) as feed,
    ):
        loop.run(feed, stop)
        kept = loop.finish()
    on_first(lambda: _write_result(setup, files, kept))


def _remove_result(files: RunFiles) -> None:
    for file in (files.model, files.card, files.final):
        file.unlink(missing_ok=True)


def _write_result(setup: Setup, files: RunFiles, kept: Kept) -> None:
    # Before the model, which says that the run is finished.
    name = name_in_text(setup.dataset.directory.resolve().name)
    write_text_atomically(files.card, model_card(files, kept.file, name, setup.code.model))
    with atomic_file(files.model) as model:
        model.write(kept.file.read_bytes())


def _step_of(files: RunFiles) -> str:
    """Step of the model file."""
    return str(read_header(files.model, "hypermagnetics model").training["step"])


def _device_failures_named(setup: Setup, files: RunFiles) -> AbstractContextManager[None]:
    data, train = setup.recipe.data, setup.train
    chunks, samples = setup.recipe.compute.chunks, train.layout.samples_per_block
    sizes = {}
    if isinstance(setup.inputs, ModelInputs) and isinstance(train, Split):
        sizes["data.points_per_step"] = data.points_per_step or train.layout.num_points
    if setup.objective.is_additive:
        every, given = train.layout.num_blocks, data.blocks_per_batch
        sizes["data.blocks_per_batch"] = every if given == "all" else given

    def smaller(factor: int) -> str:
        lower = " or ".join(
            f"{key} to {max(size // factor, 1)} (now {size})"
            for key, size in sizes.items()
            if size > 1
        )
        ways = [f"lower {lower}"] if lower else []
        if chunks < samples:
            ways.append(f"raise compute.chunks to {min(chunks * factor, samples)} (now {chunks})")
        if setup.placement == "device":
            ways.append("set data.mode to 'stream', so that the split is not held there")
        ways = ways or ["compute on the CPU (JAX_PLATFORMS=cpu)"]
        text = ", or ".join(ways)
        return text[0].upper() + text[1:]

    again = f"Once it is there again, go on with --resume ({files.directory})"
    return device_failures_named("A training", smaller, again)
