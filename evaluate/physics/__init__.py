"""Physics checks: violations by predictions of laws that every exact solution obeys."""

from hypermagnetics.evaluate.physics.measure import laws_left_out as laws_left_out
from hypermagnetics.evaluate.physics.measure import measure_physics as measure_physics
