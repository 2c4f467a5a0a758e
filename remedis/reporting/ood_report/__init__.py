"""The report of a label-budget study: one page and its figures."""

from remedis.reporting.ood_report.report import write

__all__ = ["write"]
