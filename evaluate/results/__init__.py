"""The results of an evaluation: records, the file they are kept in, and tables."""
