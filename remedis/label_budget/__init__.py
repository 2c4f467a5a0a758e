"""Label-budget studies: arms adapted to another hospital with growing numbers of its patients."""

from remedis.label_budget.run_study import list_cells, merge, run

__all__ = ["list_cells", "merge", "run"]
