"""How many operations does each of several devices make in a training step of eight blocks?

The compiler's count for a step of HyperLayer on 1, 2, 4 and 8 devices of a CPU, as a share of that
on one; no step is run. Blocks are divided among the devices: were it the samples of each block,
every device would compute the features of all points.
"""

import os
import tempfile
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

BOUNDS = {2: 0.52, 4: 0.27, 8: 0.14}
"""By number of devices."""
BLOCKS = max(BOUNDS)
_FLAG = f"--xla_force_host_platform_device_count={BLOCKS}"


def main() -> None:
    """Compile a step for each number of devices."""
    # Before the first device: JAX asks for their number once.
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAG}"
    jax.config.update("jax_platforms", "cpu")
    from measurement import report
    from timed_trainings import dataset, setup_of

    from hypermagnetics.data import read_batch

    with tempfile.TemporaryDirectory() as scratch:
        data = dataset("demo", Path(scratch) / "data")
        counts = {}
        for devices in (1, *BOUNDS):
            recipe = f"data.blocks_per_batch={BLOCKS}", f"compute.devices={devices}"
            setup = setup_of(data, "hyper-layer", *recipe)
            batch = setup.devices.take(read_batch(setup.train, setup.schedule.blocks(0)))
            method = setup.phases[0].method
            state = setup.devices.copies(method.begin(setup.new_model()))
            step = eqx.filter_jit(method.step).lower(state, batch, np.int32(0)).compile()
            counts[devices] = step.compiled.cost_analysis()["flops"]
    for devices, bound in BOUNDS.items():
        report(
            f"operations of each of {devices} devices against those of one",
            counts[devices] / counts[1],
            bound,
            operations=counts[devices],
        )


if __name__ == "__main__":
    main()
