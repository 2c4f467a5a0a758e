"""Reporting checklists, filled from the records of a run."""
