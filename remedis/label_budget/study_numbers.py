"""Kinds of the numbers of a study in `summary.json`, of every version.

The page "Fields of summary.json" is made from the `Attributes`, as
`remedis.evaluation.evaluated_record` describes.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Le
from typing_extensions import NotRequired, TypedDict

from remedis.evaluation.intervals import EstimateRecord
from remedis.json_records import Count, Line, Name, Real

Share = Annotated[float, Ge(0), Le(1)]


class Interval(TypedDict):
    """A number with its interval; null where there is none, or where it is open.

    Attributes:
      value: the number in the study as it is. None if it is beyond everything that was measured.
      low: lower end. None if it is below everything that was measured.
      high: upper end. None if it is beyond everything that was measured.
    """

    value: Real | None
    low: Real | None
    high: Real | None


class Ends(TypedDict):
    """A number with both ends of its interval.

    Attributes:
      value: the number in the study as it is.
      low: lower end.
      high: upper end.
    """

    value: Real
    low: Real
    high: Real


class Band(TypedDict):
    """The ends of a band that holds all budgets of a curve at once with 95 %.

    Attributes:
      band_low: lower end. Absent in studies of version 0.1.
      band_high: upper end. Absent in studies of version 0.1.
    """

    band_low: NotRequired[Real]
    band_high: NotRequired[Real]


class MeanPoint(Band):
    """`remedis.evaluation.intervals.Estimate.to_json`, with the band of the curve."""

    value: Real | None
    low: Real | None
    high: Real | None
    patients: Count
    positives: Count
    effective_patients: NotRequired[Real | None]
    effective_positives: NotRequired[Real | None]
    effective: NotRequired[Real | None]
    largest_patient_images: NotRequired[Count | None]
    reason: NotRequired[Line | None]


class Point(TypedDict):
    """An arm at one number of labelled patients: a point of a learning curve.

    Attributes:
      arm: its name.
      mode: how the arm adapts: `probe` or `finetune`.
      patients: labelled patients of the second hospital; 0 is zero-shot.
      images: their images.
      mean: the metric, mean over labels and seeds.
      labels: label -> the metric, mean over seeds.
      per_seed: the mean over labels of each seed, in the order of the seeds.
    """

    arm: Name
    mode: Name
    patients: Count
    images: Count
    mean: MeanPoint
    labels: dict[Name, EstimateRecord]
    per_seed: NotRequired[list[Real | None]]


class Reference(TypedDict):
    """The baseline with all patients.

    Attributes:
      mode: how it adapts.
      arm: name of the baseline.
      patients: its largest budget.
      mean: the metric, mean over labels and seeds.
      above_chance: whether the interval of the metric is above chance.
    """

    mode: Name
    arm: Name
    patients: Count
    mean: EstimateRecord
    above_chance: NotRequired[bool]


class InDistribution(TypedDict):
    """An arm at the first hospital, before it adapts.

    Attributes:
      arm: its name.
      mode: how its model was trained: `probe` or `finetune`.
      mean: the metric on the first hospital's test set, mean over labels.
    """

    arm: Name
    mode: Name
    mean: EstimateRecord


class Extrapolation(TypedDict):
    """Patients beyond those that were measured, or why there is no such number.

    Attributes:
      patients: by a power law. None if the law does not give a usable number.
      missing: why not: `too few budgets`, `law does not reach it`, `interval open` or
        `interval too wide`. None if there is a number.
    """

    patients: Interval | None
    missing: Line | None


class Cost(TypedDict, total=False):
    """Cost of labelling the patients of an answer.

    Attributes:
      minutes: an expert's time. None without `config.minutes`.
      price: in the currency of `config.price`. None without it.
    """

    minutes: Real | None
    price: Real | None


class Answer(TypedDict):
    """What an arm needs to reach a level; version 0.1 has `extrapolated` and no `fold_missing`.

    Attributes:
      arm: its name.
      mode: how it adapts.
      target: name of the level: `80 % of the gain`, `reference` (the baseline with all patients) or
        a value such as `AUROC 0.85`.
      share_of_gain: of a level that is a share of the baseline's gain. None for other levels.
      headline: whether this level is that of the headline: the first share in `config.levels`.
      level: the metric to reach.
      level_lowered: whether the arm ends below the baseline, which lowers a share of the gain.
      status: `reached`; `not reached`; `below the first budget`, with no or the fewest labels;
        `level not above chance`, `no gain shown` or `arm not above chance` if the question cannot
        be answered, and all numbers but the level are null.
      arm_above_chance: whether the interval of the arm at its largest budget is above chance.
      baseline_above_chance: the same of the baseline.
      patients: labelled patients that the arm needs. An upper end of null is beyond the largest
        budget. None if the level is not reached.
      at_least: the lower end if `patients` has no value. None else.
      share_reached: share of the draws of patients and seeds that reach the level.
      baseline_patients: labelled patients that the baseline needs; for `reference`, its largest
        budget.
      ratio: `baseline_patients` divided by `patients`, whether or not it shows anything.
      fold: the ratio, if it may be stated: its interval excludes 1. None else.
      fold_missing: why `fold` is null, such as `interval contains 1`. None if it is not.
      extrapolation: only with `config.extrapolate`, of a level that is not reached. None else.
      extrapolated: version 0.1 only; no run of this version writes it.
      cost: of labelling `patients`. None without `config.minutes` and `config.price`.
    """

    arm: Name
    mode: Name
    target: Line
    share_of_gain: NotRequired[Real | None]
    headline: NotRequired[bool]
    level: Real | None
    level_lowered: NotRequired[bool]
    status: Line
    arm_above_chance: NotRequired[bool]
    baseline_above_chance: NotRequired[bool]
    patients: Interval | None
    at_least: Real | None
    share_reached: Share | None
    baseline_patients: NotRequired[Interval | None]
    ratio: NotRequired[Interval | None]
    fold: Interval | None
    fold_missing: NotRequired[Line | None]
    extrapolation: NotRequired[Extrapolation | None]
    extrapolated: NotRequired[bool]
    cost: NotRequired[Cost | None]


# Keys that answers of 0.1 lack.
_LATER = (
    *("share_of_gain", "headline", "arm_above_chance", "baseline_above_chance", "ratio"),
    *("baseline_patients", "extrapolation"),
)


def of_one_version(answer: Mapping[str, Any]) -> bool:
    """Returns whether an answer has the keys of this version, or those of 0.1."""
    if "fold_missing" in answer:
        return all(key in answer for key in _LATER)
    return "extrapolated" in answer


class Paired(TypedDict):
    """The difference of two arms at one budget, paired by patient and seed.

    Attributes:
      mode: how both adapt.
      patients: labelled patients.
      arm: the first arm.
      against: the second arm; the baseline, if it is one of both.
      difference: metric of the first arm minus that of the second.
      p: two-sided p-value of no difference.
      p_adjusted: adjusted for the number of comparisons (Holm); that of the primary comparison
        stands alone.
      primary: whether this is the comparison of `config.primary`.
    """

    mode: Name
    patients: Count
    arm: Name
    against: Name
    difference: Interval
    p: Share | None
    p_adjusted: NotRequired[Share | None]
    primary: NotRequired[bool]


class Recovered(TypedDict):
    """The share of the gap that an arm recovers with a number of patients.

    Attributes:
      patients: labelled patients.
      share: gain over zero-shot divided by the gap; 1 is the whole gap.
      missing: why there is no share: `gap not shown`, since the interval of the gap contains 0, or
        `unchanged`, since the models score as without labels. None if there is one.
    """

    patients: Count
    share: Interval | None
    missing: NotRequired[Line | None]


class Gap(TypedDict):
    """The loss of an arm from the first hospital to the second.

    Attributes:
      arm: its name.
      mode: how it adapts.
      id: the metric on the first hospital's test set (in distribution).
      zero_shot: the metric on the second hospital's test set, without its labels.
      gap: the first minus the second, over labels that are estimable in both test sets. None
        without such a label.
      recovered: one share per budget above 0.
    """

    arm: Name
    mode: Name
    id: EstimateRecord
    zero_shot: EstimateRecord
    gap: Interval | None
    recovered: list[Recovered]


class Level(TypedDict):
    """A level to reach, as a share of the baseline's gain.

    Attributes:
      mode: how the baseline adapts.
      arm: name of the baseline.
      share_of_gain: the share.
      headline: whether the headline answers are for this level.
      level: the metric at this share.
      gain: metric of the baseline at its largest budget minus that at its first.
      above_chance: whether the interval of the level is above chance.
      gains: whether the interval of the gain is above 0.
    """

    mode: Name
    arm: Name
    share_of_gain: Real
    headline: bool
    level: Interval
    gain: Interval
    above_chance: bool
    gains: bool


class Placebo(TypedDict):
    """Ratios of two arms that are the same: random halves of the baseline's seeds.

    Attributes:
      mode: how the baseline adapts.
      arm: name of the baseline.
      splits: number of random halves.
      ratio: median of the ratios, and the range of 95 % of them. None with too few seeds.
      share_twofold: share of the ratios of 2 or more, or 0.5 or less.
      share_multiples: share of the ratios whose interval excludes 1: false multiples.
      missing: why there are no ratios. None if there are.
    """

    mode: Name
    arm: Name
    splits: Count
    ratio: Interval | None
    share_twofold: Share | None
    share_multiples: Share | None
    missing: Line | None


class Primary(TypedDict):
    """The comparison that the config states before there are results.

    Attributes:
      arm: its name.
      against: name of the baseline.
      mode: how both adapt.
      patients: labelled patients.
      labels: labels that are averaged.
      difference: metric of the arm minus that of the baseline.
      p: two-sided p-value of no difference. It is not adjusted.
    """

    arm: Name
    against: Name
    mode: Name
    patients: Count
    labels: list[Name]
    difference: Interval
    p: Share | None


class Uncertain(TypedDict):
    """The AUROC of an arm for each policy of uncertain test labels.

    Attributes:
      arm: its name.
      mode: how it adapts.
      patients: labelled patients, the largest budget.
      images: test images with an uncertain label.
      labels: labels that are averaged.
      ignore: AUROC without uncertain labels.
      zeros: AUROC with uncertain labels as negatives.
      ones: AUROC with uncertain labels as positives.
    """

    arm: Name
    mode: Name
    patients: Count
    images: Count
    labels: list[Name]
    ignore: EstimateRecord
    zeros: EstimateRecord
    ones: EstimateRecord
