"""Exact symmetries of magnetostatics, by which a batch is changed at random in each step."""

from hypermagnetics.train.augmentation.compose import make_augmentation as make_augmentation
