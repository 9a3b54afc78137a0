"""The results of an evaluation: records, their file, gates and tables."""
