"""Subjects of an evaluation: anything that predicts potential and field."""
