"""hm-train: from a dataset to a run with a trained model."""

from hypermagnetics.train.notebook import TrainedRun as TrainedRun
from hypermagnetics.train.notebook import train as train
