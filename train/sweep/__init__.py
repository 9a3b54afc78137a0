"""Many trainings of one recipe that differ in some of its keys."""
