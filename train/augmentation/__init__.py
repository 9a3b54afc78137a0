"""Exact symmetries of magnetostatics, applied at random to the batch of each step."""

from hypermagnetics.train.augmentation.compose import make_augmentation as make_augmentation
