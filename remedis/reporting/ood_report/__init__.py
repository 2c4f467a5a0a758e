"""The report of a label-budget study: an HTML page, and its figures as files."""

from remedis.reporting.ood_report.report import write

__all__ = ["write"]
