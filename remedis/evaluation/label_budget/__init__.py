"""How many labelled patients an arm needs: from the scores of a study's cells to its answers.

What the estimates are worth where the law of learning is known, by `benchmarks/label_budget.py`:
300 made-up studies a line of the steep law, 150 of the flat one. The bias is that of the median,
where a budget that is not reached lies beyond the largest; covers is the share of 95 % intervals
that hold the truth. The reference is what the baseline reaches with all 200 patients, the target
what it reaches with 66. In this order: budget and x-fold reduction for the reference, then both for
the target.

    law    labels  seeds  test patients   bias  covers   bias  covers   bias  covers   bias  covers
    steep       2      3             60  -0.08   0.987  +0.08   0.991  -0.14   0.960  +0.18   0.988
    steep       2      3            400  +0.06   0.983  -0.06   0.992  -0.02   0.977  +0.03   0.990
    steep       5      3            400  -0.02   0.993  +0.02   0.997  +0.01   0.990  +0.00   0.993
    steep       2     10            400  +0.01   0.963  -0.01   0.979  -0.00   0.973  +0.02   0.967
    steep       5     10            400  -0.02   0.943  +0.02   0.949  -0.03   0.937  +0.02   0.950
    flat        2      3             60  -0.30   0.967  +0.42   1.000  +0.08   0.967  +0.14   1.000
    flat        2      3            400  -0.10   0.993  +0.11   1.000  -0.09   0.960  +0.03   0.992
    flat        5      3            400  -0.12   0.993  +0.14   1.000  -0.02   0.980  +0.02   1.000
    flat        2     10            400  +0.06   0.973  -0.05   0.991  +0.03   0.960  +0.01   0.984
    flat        5     10            400  -0.07   0.960  +0.07   0.969  -0.08   0.960  +0.13   0.979

It fails where there is little to go by. With 60 test patients the bias is up to two fifths; on a
flat curve, up to a seventh with 400. One study in two to eight then does not reach the reference,
though its law does, and has no x-fold reduction, of which only the others count above. The
intervals tell, by open ends; with three seeds they hold the truth more often than they claim to, as
Student's t is wide. The budget at which the largest mean so
far first touches the level, as read off a plot, is too small by a sixth where these estimates are
by a tenth (flat law, 2 labels, 3 seeds, 400 patients).
"""

from remedis.evaluation.label_budget.answers import Cost
from remedis.evaluation.label_budget.cells import Cell, Examined
from remedis.evaluation.label_budget.study import curves_table, study

__all__ = ["Cell", "Cost", "Examined", "curves_table", "study"]
