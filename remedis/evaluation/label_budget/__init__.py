"""Statistics of a label-budget study: the labelled patients that an arm needs to reach a level.

All tables are of made-up studies whose learning curves are known (`benchmarks/label_budget.py`).

**The null** (`--null --draws=200`): two arms of one law, so that the true ratio of the patients
that they need is 1. "number" is the share of studies with a ratio, "median" its median, "twofold"
the share of studies with a ratio of 2 or more, "stated" the share whose interval excludes 1, and
"covers" the share of intervals that contain 1. A study with fewer than five seeds states no
multiple; with three, the table shows what the intervals alone would state.

    curve        patients seeds  target             number  median twofold stated covers
    steep             400    10  80 %, base alone     1.00    1.00    0.02
    steep             400    10  80 % of the gain     1.00    1.00    0.02   0.07   0.94
    steep             400    10  50 % of the gain     1.00    0.98    0.03   0.07   0.94
    steep             400    10  90 % of the gain     1.00    1.01    0.06   0.04   0.95
    steep             400    10  reference            0.53    1.74    0.20   0.03   0.97
    steep             150     3  80 %, base alone     1.00    0.97    0.14
    steep             150     3  80 % of the gain     1.00    0.98    0.14   0.01   0.99
    steep             150     3  50 % of the gain     0.99    0.95    0.07   0.01   0.99
    steep             150     3  90 % of the gain     1.00    0.98    0.15   0.02   0.98
    steep             150     3  reference            0.50    2.24    0.27   0.02   0.98
    flat              400    10  80 %, base alone     0.81    1.47    0.30
    flat              400    10  80 % of the gain     1.00    1.00    0.30   0.05   0.95
    flat              400    10  50 % of the gain     0.98    0.93    0.23   0.04   0.95
    flat              400    10  90 % of the gain     1.00    1.05    0.31   0.05   0.95
    flat              400    10  reference            0.51    3.26    0.35   0.03   0.97
    flat              150     3  80 %, base alone     0.69    1.80    0.33
    flat              150     3  80 % of the gain     0.92    0.96    0.33   0.01   0.98
    flat              150     3  50 % of the gain     0.82    0.58    0.22   0.00   1.00
    flat              150     3  90 % of the gain     0.93    0.89    0.34   0.01   0.98
    flat              150     3  reference            0.48    4.36    0.41   0.03   0.96
    saturating        400    10  80 %, base alone     0.99    1.01    0.04
    saturating        400    10  80 % of the gain     1.00    1.02    0.04   0.05   0.95
    saturating        400    10  50 % of the gain     1.00    0.99    0.03   0.00   1.00
    saturating        400    10  90 % of the gain     1.00    1.00    0.08   0.06   0.94
    saturating        400    10  reference            0.56   16.63    0.53   0.03   0.97
    saturating        150     3  80 %, base alone     0.98    0.92    0.10
    saturating        150     3  80 % of the gain     1.00    0.92    0.10   0.00   1.00
    saturating        150     3  50 % of the gain     0.98    0.96    0.09   0.00   1.00
    saturating        150     3  90 % of the gain     1.00    0.91    0.18   0.01   0.99
    saturating        150     3  reference            0.52   23.56    0.49   0.04   0.96

`80 %, base alone` is a level from the baseline's gain alone, without regard to where the arm ends;
it states nothing. The reference, the AUROC of the baseline with all patients, is no fair level:
half of the studies have a ratio, and its median is 1.7 to 24 where the truth is 1. Therefore it has
no multiple. On a flat curve, three ratios of ten at 80 % are 2 or more, because the noise of the
test set moves the crossing far; the intervals say so, and few of them exclude 1. At half of the
gain of a flat curve, 150 patients and three seeds give a median of 0.58, so 80 % is the
headline.

**Power** (`--power --draws=60`; rows of the headline), where the baseline needs "truth" times as
many patients as the arm; "covers" is the share of intervals that contain the truth:

    curve        patients seeds truth  target             number  median twofold stated covers
    steep             400    10     2  80 % of the gain     1.00    2.01    0.53   0.38   0.98
    steep             400    10     5  80 % of the gain     1.00    5.15    1.00   0.98   0.95
    steep             150     3     2  80 % of the gain     1.00    1.92    0.47   0.07   1.00
    steep             150     3     5  80 % of the gain     1.00    4.98    0.97   0.45   1.00
    flat              400    10     2  80 % of the gain     1.00    2.02    0.50   0.03   0.98
    flat              400    10     5  80 % of the gain     1.00    5.15    0.73   0.15   0.98
    flat              150     3     2  80 % of the gain     0.93    2.15    0.50   0.00   1.00
    flat              150     3     5  80 % of the gain     0.93    4.35    0.65   0.03   1.00
    saturating        400    10     2  80 % of the gain     1.00    1.97    0.45   0.07   1.00
    saturating        400    10     5  80 % of the gain     1.00    2.68    0.87   0.07   1.00
    saturating        150     3     2  80 % of the gain     1.00    1.82    0.43   0.02   1.00
    saturating        150     3     5  80 % of the gain     1.00    2.44    0.65   0.02   1.00

Between zero-shot and the smallest budget (3 patients here) nothing is measured; a saturating arm
crosses there by interpolation, which makes its ratio too small. The ends of intervals are moved to
0 or to that budget: before, 25 % of the intervals of the saturating curve held the ratio of 5.

**Small test sets** (`--points --draws=100`): coverage of the intervals of the AUROC and of the
difference of two arms of equal AUROC (with one seed, of two models of nearly equal AUROC), and that
of percentiles of resampled patients ("old"), which earlier versions gave. The standard error of
0.95 is 0.022.

    positive/negative  AUROC seeds   point    old  difference    old  p < 0.05
           5/50         0.95     1   1.000  0.800       1.000  0.840     0.000
           5/50         0.95     3   1.000  0.880       1.000  1.000     0.000
           5/50         0.95    10   1.000  0.830       1.000  0.960     0.000
          12/48         0.95     1   0.980  0.800       1.000  0.910     0.000
          12/48         0.95     3   1.000  0.960       1.000  1.000     0.000
          12/48         0.95    10   0.990  0.900       1.000  0.950     0.000
           5/20         0.99     1   0.990  0.470       1.000  0.430     0.000
           5/20         0.99     3   1.000  0.630       1.000  1.000     0.000
           5/20         0.99    10   0.980  0.690       1.000  1.000     0.000

The intervals are wide in such test sets: with 5 to 12 positive patients, p-values below 0.05 are
rarer than one in twenty. Percentiles mostly cover too rarely, in the worst case in less than half
of the studies.

**Exclusive classes** (`benchmarks/label_budget_classes.py --draws=100`): the top-3 accuracy of
seven equally frequent classes; chance is 0.43 or a little more. "zero" and "all" are the coverage
of the accuracy with no and with all labelled patients, "difference" that of two arms of one law
with all of them, "p" the share of p-values below 0.05; the others are of the headline, as above.
The standard error of 0.95 is 0.022.

    curve   patients seeds truth   zero    all  difference      p number median stated covers
    steep        400    10     1  0.970  0.970       0.990  0.010   1.00   1.01   0.02   0.98
    steep        400    10     5  0.970  0.970                      1.00   4.98   1.00   0.96
    steep        150     5     1  0.980  0.980       0.980  0.020   1.00   1.03   0.04   0.96
    steep        150     5     5  0.980  0.980                      1.00   5.05   0.82   0.99
    steep         60     5     1  0.970  0.970       1.000  0.000   1.00   1.08   0.02   0.98
    steep         60     5     5  0.970  0.970                      1.00   5.22   0.40   0.98
    flat         400    10     1  0.960  0.950       0.950  0.050   1.00   0.84   0.04   0.96
    flat         400    10     5  0.960  0.950                      1.00   4.99   0.27   0.94
    flat         150     5     1  0.960  0.990       0.980  0.020   1.00   1.07   0.04   0.96
    flat         150     5     5  0.960  0.990                      1.00   4.76   0.12   0.98
    flat          60     5     1  0.950  0.960       0.970  0.030   0.76   1.18   0.00   1.00
    flat          60     5     5  0.950  0.960                      0.76   3.85   0.01   0.99

In test sets of one seed and two images per patient (`--points --draws=400`, standard error
0.011), two arms of equal accuracy:

    patients  accuracy   point  difference  p < 0.05
          30      0.95   0.978       0.993     0.007
          30      0.70   0.975       0.953     0.048
         100      0.95   0.968       0.968     0.033
         100      0.70   0.955       0.953     0.048
         400      0.95   0.948       0.938     0.062
         400      0.70   0.950       0.940     0.060
"""

from remedis.evaluation.label_budget.analysis import (
    analyse_study,
    check_levels,
    curves_table,
)
from remedis.evaluation.label_budget.arm_differences import Primary
from remedis.evaluation.label_budget.grid import Cell
from remedis.evaluation.label_budget.required_patients import Cost
from remedis.evaluation.label_budget.study_metric import StudyMetric
from remedis.evaluation.label_budget.test_set import LabelledTestSet

__all__ = [
    "Cell",
    "Cost",
    "LabelledTestSet",
    "Primary",
    "StudyMetric",
    "analyse_study",
    "check_levels",
    "curves_table",
]
