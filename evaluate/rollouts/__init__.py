"""Networks that give the next state of a trajectory: errors of their rollouts, and their page."""
