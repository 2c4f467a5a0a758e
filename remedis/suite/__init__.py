"""Suites: many data sets, each a label-budget study, with the same arms in all of them."""

from remedis.suite.run_suite import list_cells, merge, run

__all__ = ["list_cells", "merge", "run"]
