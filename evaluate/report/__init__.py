"""The report: one page, and its figures as files."""

from hypermagnetics.evaluate.report.writing import remove_page as remove_page
from hypermagnetics.evaluate.report.writing import write_report as write_report
