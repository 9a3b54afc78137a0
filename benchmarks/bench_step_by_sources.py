"""How much longer is a training step with a term of derivatives by the sources than without?

The demo's model and steps, 512 training samples of three discs, one random direction in the
positions, beside terms of potential and field; and the same beside that of the potential alone.
Both steps are timed in turn in this process; the median of the ratios of neighbours is taken, so
that a load of the machine is the same for both.
"""

import tempfile
from pathlib import Path
from statistics import median

from measurement import report
from timed_trainings import dataset, endless_dispatches, first_steps, seconds_per_step, setup_of

BOUND = 2.0
ROUNDS, STEPS = 12, 40
CHANGES = ("splits.train.num_samples=512", "splits.train.num_sources=3")
BY_SOURCES = "objective.terms.slopes={of='potential', by='sources', columns=['position']}"
ALONE = "objective.terms={potential={of='potential'}}"
BOTH = "objective.terms={potential={of='potential'}, field={of='field'}}"


def main() -> None:
    """Time both steps beside each set of terms."""
    with tempfile.TemporaryDirectory() as place:
        data = dataset("demo", Path(place) / "data", *CHANGES)
        for name, terms in (("potential and field", BOTH), ("potential alone", ALONE)):
            runs = []
            for overrides in ((terms,), (terms, BY_SOURCES)):
                setup = setup_of(data, "demo", *overrides)
                state, steps = first_steps(setup)
                runs.append((setup, state, steps, []))
            for _ in range(ROUNDS):
                for i, (setup, state, steps, taken) in enumerate(runs):
                    with endless_dispatches(setup) as dispatches:
                        state, _ = seconds_per_step(state, steps, dispatches, 3)
                        state, each = seconds_per_step(state, steps, dispatches, STEPS)
                    runs[i] = (setup, state, steps, [*taken, each])
            without, with_term = (taken for *_, taken in runs)
            ratios = [slow / fast for slow, fast in zip(with_term, without, strict=True)]
            report(
                f"step with one direction against one without, {name}",
                median(ratios),
                BOUND,
                seconds_without=median(without),
                seconds_with=median(with_term),
                least=min(ratios),
                largest=max(ratios),
            )


if __name__ == "__main__":
    main()
