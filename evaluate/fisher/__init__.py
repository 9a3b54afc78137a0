"""Fisher information of the summaries of readings, as hm-eval reports it."""
