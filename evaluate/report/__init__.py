"""The report: one page, and its figures as files."""
