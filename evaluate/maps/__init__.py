"""Evaluation of networks from maps to maps."""
