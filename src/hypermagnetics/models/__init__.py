"""Hypernetworks from a source table to the weights of a function of position."""
