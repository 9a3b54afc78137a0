"""Time of a prediction, by its size."""

from hypermagnetics.evaluate.timing.sweep import time_subject as time_subject
