"""How many labelled patients an arm needs: from the scores of a study's cells to its answers."""

from remedis.evaluation.label_budget.answers import Cost
from remedis.evaluation.label_budget.cells import Cell, Examined
from remedis.evaluation.label_budget.study import curves_table, study

__all__ = ["Cell", "Cost", "Examined", "curves_table", "study"]
