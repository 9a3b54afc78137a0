"""hm-eval: from a run and a dataset to errors and pictures."""
