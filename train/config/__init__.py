"""Schema of a training recipe, section by section."""

from hypermagnetics.train.config.data import DataConfig as DataConfig
from hypermagnetics.train.config.data import SymmetryName as SymmetryName
from hypermagnetics.train.config.map import MapConfig as MapConfig
from hypermagnetics.train.config.objective import AnyObjectiveConfig as AnyObjectiveConfig
from hypermagnetics.train.config.objective import ObjectiveConfig as ObjectiveConfig
from hypermagnetics.train.config.recipe import NormalisationConfig as NormalisationConfig
from hypermagnetics.train.config.recipe import TrainingRecipe as TrainingRecipe
from hypermagnetics.train.config.resume import changeable_keys as changeable_keys
from hypermagnetics.train.config.resume import changed_keys as changed_keys
from hypermagnetics.train.config.run import CheckpointConfig as CheckpointConfig
from hypermagnetics.train.config.run import ComputeConfig as ComputeConfig
from hypermagnetics.train.config.run import TrackingConfig as TrackingConfig
from hypermagnetics.train.config.run import ValidationConfig as ValidationConfig
from hypermagnetics.train.config.schedule import MethodConfig as MethodConfig
from hypermagnetics.train.config.schedule import OptimiserConfig as OptimiserConfig
from hypermagnetics.train.config.schedule import PhaseConfig as PhaseConfig
from hypermagnetics.train.config.schedule import ScheduleConfig as ScheduleConfig
