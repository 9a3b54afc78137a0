"""Training by rollouts: networks that give the next state of a trajectory."""
