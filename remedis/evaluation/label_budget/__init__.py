"""Statistics of a label-budget study: the labelled patients that an arm needs to reach a level.

The estimates were checked on made-up studies whose learning curves are known
(`benchmarks/label_budget.py`): 300 studies per row of the steep curve, 150 per row of the flat one.
"Bias" is that of the median estimate; an estimate that does not reach the level counts as beyond
the largest budget. "Covers" is the share of 95 % intervals that contain the truth. The reference
level is the AUROC of the baseline with all 200 patients, the target level its AUROC with 66. The
pairs of columns are, in this order, the budget and the x-fold reduction for the reference, then the
budget and the x-fold reduction for the target.

    curve  labels  seeds  test patients   bias  covers   bias  covers   bias  covers   bias  covers
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

The estimates fail where the data say little. With 60 test patients the bias is up to two fifths; on
a flat curve with 400 test patients it is up to a seventh. There, one study in two to eight does not
reach the reference although its true curve does; it has no x-fold reduction, and the table counts
only the others. Intervals with an open end show this. With three seeds the intervals cover more
often than 95 %, because Student's t is wide. A naive reading of a plot takes the first budget at
which the running maximum of the mean reaches the level. It is too small by a sixth where these
estimates are too small by a tenth (flat curve, 2 labels, 3 seeds, 400 patients).
"""

from remedis.evaluation.label_budget.analysis import (
    analyse_study,
    check_levels,
    curves_table,
)
from remedis.evaluation.label_budget.arm_differences import Primary
from remedis.evaluation.label_budget.grid import Cell
from remedis.evaluation.label_budget.required_patients import Cost
from remedis.evaluation.label_budget.test_set import LabelledTestSet

__all__ = [
    "Cell",
    "Cost",
    "LabelledTestSet",
    "Primary",
    "analyse_study",
    "check_levels",
    "curves_table",
]
