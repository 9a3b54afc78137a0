"""hm-train: from a dataset to a run with a trained model."""
