"""Training of summaries that keep the Fisher information of readings about parameters."""
