"""How well predictions obey the laws that every solution obeys, wherever it is."""

from hypermagnetics.evaluate.physics.measure import measure_physics as measure_physics
