"""From a recipe to an optax transformation."""

import optax

from hypermagnetics.train.config import OptimiserConfig, ScheduleConfig


def learning_rate(config: ScheduleConfig) -> optax.Schedule:
    """Learning rate as a function of the step.

    Args:
        config: Warm-up and cosine decay, or phases.

    Returns:
        The schedule.
    """
    if config.phases:
        ends = [phase.steps for phase in config.phases]
        boundaries = [sum(ends[: i + 1]) for i in range(len(ends) - 1)]
        return optax.join_schedules(
            [
                optax.cosine_decay_schedule(
                    phase.learning_rate, phase.steps, alpha=phase.final_fraction
                )
                for phase in config.phases
            ],
            boundaries,
        )
    assert config.learning_rate is not None, "the recipe gives one of the two forms"
    warmup_steps = int(config.warmup_fraction * config.num_steps)
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0 if warmup_steps else config.learning_rate,
        peak_value=config.learning_rate,
        warmup_steps=warmup_steps,
        decay_steps=config.num_steps,
        end_value=config.final_fraction * config.learning_rate,
    )


def make_optimiser(
    config: OptimiserConfig, schedule: optax.Schedule
) -> optax.GradientTransformation:
    """Adam with the given learning rate, and clipping if the recipe asks for it."""
    adam = optax.adam(schedule, b1=config.b1, b2=config.b2)
    if config.clip_norm is None:
        return adam
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), adam)
