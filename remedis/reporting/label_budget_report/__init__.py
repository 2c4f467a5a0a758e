"""The report of a label-budget study: an HTML page, and its figures as files."""

from remedis.reporting.label_budget_report.report import write

__all__ = ["write"]
