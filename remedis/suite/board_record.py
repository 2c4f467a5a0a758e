"""Kinds of the numbers of a suite in `board.json`, and their reading."""

import pathlib
from typing import Annotated

from annotated_types import Len
from typing_extensions import TypedDict

from remedis import files, json_records
from remedis.json_records import Count, Line, Name, Real

FILE = "board.json"
_ADVICE = "remove it and run the suite with this --workdir again, which makes a new one"
Text = Annotated[str, Len(0, 100_000)]


class BoardArm(TypedDict):
    """An arm of all sets.

    Attributes:
      checkpoint: as the config names it; of others' predictions, their directories.
      random_weights: whether its weights were never trained before the study.
      floor: whether there is no network, but thumbnails of the images.
      imported: whether these are others' predictions, which no study trained or adapted.
    """

    checkpoint: Line
    random_weights: bool
    floor: bool
    imported: bool


class BoardSet(TypedDict):
    """A data set.

    Attributes:
      name: of the set in the suite.
      directory: of its study, relative to that of the suite.
      inside: name of the in-distribution data.
      outside: name of the out-of-distribution data, on which arms are compared.
      metric: `mean AUROC`, or such as `top-3 accuracy`.
      chance: the metric of scores that say nothing.
      labels: names.
      patients: of the test set.
      images: of the test set.
      without_patient: test images whose patient is not known; each counts as a patient.
      rehearsal: whether the images are made up.
      seeds: draws of labelled patients per budget.
    """

    name: Name
    directory: Line
    inside: Line
    outside: Line
    metric: Line
    chance: Real
    labels: list[Name]
    patients: Count
    images: Count
    without_patient: Count
    rehearsal: bool
    seeds: Count


class Difference(TypedDict):
    """The difference of two arms.

    Attributes:
      arm: the first arm.
      against: the second.
      value: metric of the first minus that of the second.
      low: lower end; the intervals of all pairs hold at once with 95 %.
      high: upper end.
      tied: whether the interval holds 0.
    """

    arm: Name
    against: Name
    value: Real
    low: Real
    high: Real
    tied: bool


class Standing(TypedDict):
    """An arm in one set, at one budget.

    Attributes:
      arm: its name.
      value: the metric, mean over labels and seeds.
      low: lower end of its own 95 % interval.
      high: upper end.
      rank: 1 plus the number of arms that are better beyond a tie; lower end of its interval.
      rank_high: upper end: the number of all arms minus those that are worse beyond a tie.
    """

    arm: Name
    value: Real
    low: Real
    high: Real
    rank: Count
    rank_high: Count


class Contest(TypedDict):
    """The arms in one set, in one mode and at one budget.

    Attributes:
      set: name of the set.
      mode: how arms adapt: `probe` or `finetune`.
      budget: its name in the config, such as `10%`; `0` is zero-shot.
      patients: labelled patients.
      standings: one per arm, in the order of the config.
      differences: of all pairs.
      factor: by which intervals of differences are wider than those of single comparisons.
    """

    set: Name
    mode: Name
    budget: Name
    patients: Count
    standings: list[Standing]
    differences: list[Difference]
    factor: Real


class OverallStanding(TypedDict):
    """An arm over several sets.

    Attributes:
      arm: its name.
      value: mean over the sets of the metric. None if their metrics differ.
      low: lower end of its own 95 % interval. None without a mean.
      high: upper end. None without a mean.
      rank: by the mean differences: 1 plus the number of arms that are better beyond a tie. None
        without means.
      rank_high: upper end of the interval of this rank. None without means.
      mean_rank: mean over the sets of the place in the order of the measured values.
      mean_rank_low: lower end of its interval.
      mean_rank_high: upper end.
      unbeaten: sets in which no arm is better beyond a tie.
    """

    arm: Name
    value: Real | None
    low: Real | None
    high: Real | None
    rank: Count | None
    rank_high: Count | None
    mean_rank: Real
    mean_rank_low: Real
    mean_rank_high: Real
    unbeaten: Count


class OverallContest(TypedDict):
    """The arms over the sets in which all of them are finished, in one mode and at one budget.

    Attributes:
      mode: how arms adapt.
      budget: its name in the config.
      sets: names of the sets.
      standings: one per arm, in the order of the config.
      differences: of all pairs, mean over the sets; empty if the metrics differ.
    """

    mode: Name
    budget: Name
    sets: list[Name]
    standings: list[OverallStanding]
    differences: list[Difference]


class Tried(TypedDict):
    """The tuning of an arm in one mode, over all sets.

    Attributes:
      mode: how it adapts.
      arm: its name.
      cells: adapted cells.
      candidates: settings that validation chose among in these cells, together.
      models: in-distribution models.
      per_model: settings tried per in-distribution model.
    """

    mode: Name
    arm: Name
    cells: Count
    candidates: Count
    models: Count
    per_model: Count


class BoardRecord(TypedDict):
    """The numbers of the leaderboard of a suite.

    Attributes:
      title: of the page.
      interval: how intervals are made, in sentences.
      resamples: number of resamples behind the intervals of all pairs at once.
      arms: arm -> its checkpoint.
      modes: how arms adapt.
      sets: the data sets.
      contests: the arms per set, mode and budget.
      overall: the arms over the sets, per mode and budget.
      tuning: what was tried per arm.
      left_out: sentences on sets at fault, and on arms that are left out since some of their
        cells are not finished.
    """

    title: Line
    interval: Text
    resamples: Count
    arms: dict[Name, BoardArm]
    modes: list[Name]
    sets: list[BoardSet]
    contests: list[Contest]
    overall: list[OverallContest]
    tuning: list[Tried]
    left_out: list[Line]


def read(folder: files.Path) -> BoardRecord:
    """Returns the `board.json` in a directory.

    Raises:
      Damaged: the file is damaged.
      OSError: there is none.
    """
    return json_records.read(pathlib.Path(folder, FILE), BoardRecord, _ADVICE)
