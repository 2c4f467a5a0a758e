"""How many labelled patients an arm needs: from the scores of a study's cells to its answers.

What the estimates are worth, where the law of learning is known (`benchmarks/label_budget.py`; 300
made-up studies a line of the steep law, 150 of the flat one, 200 resamples): the bias of the median
estimate, and the share of 95 % intervals that hold the truth. The reference is what the baseline
reaches with all 200 patients, the target what it reaches with 66.

                                            budget,        x-fold,        budget,        x-fold,
                                            reference      reference      target         target
    law    labels  seeds  test patients   bias  covers   bias  covers   bias  covers   bias  covers
@@ROWS@@

With 60 test patients or a flat curve neither the level nor the budget at which a curve meets it is
known: a quarter to a half of the studies do not reach it, and the bias is over a tenth. The
intervals say so, being open or wide. They hold the truth more often than they claim to, by
Student's t most with three seeds; ten seeds make them narrower than any number of resamples does.
"""

from remedis.evaluation.label_budget.answers import Cost
from remedis.evaluation.label_budget.cells import Cell, Examined
from remedis.evaluation.label_budget.study import curves_table, study

__all__ = ["Cell", "Cost", "Examined", "curves_table", "study"]
