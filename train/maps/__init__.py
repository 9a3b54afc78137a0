"""Training from maps to maps."""
