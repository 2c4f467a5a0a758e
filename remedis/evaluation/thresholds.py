"""Decision thresholds, chosen on the validation split and evaluated on the test split.

An image is called positive if its score is at least the threshold. `youden` maximises sensitivity +
specificity - 1 (Youden, Cancer 3:32-35, 1950); among thresholds that are equally good, it is the
largest, which has the highest specificity. `target_sensitivity` is the largest threshold whose
sensitivity reaches a target. Both criteria are computed in whole numbers: with P positives, N
negatives, of which TP and FP are called positive, Youden's index is (TP N - FP P) / (P N), and
rounded rates would choose among equal ones by chance. Both are biased upwards when they are chosen
and evaluated on the same images.

All thresholds between two neighbouring scores call the same images positive. The midpoint is used,
because the scores of an exported model may differ by rounding. Scores that are probabilities are
compared in single precision, the precision of exported models. Where probabilities saturate, only
log odds have a threshold between them (`remedis.evaluation.ranking`), so thresholds are chosen and
evaluated on log odds where these are known.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import scipy.special
from annotated_types import Gt, Le
from typing_extensions import NotRequired, Required, TypedDict

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats, Integers, checked
from remedis.evaluation.intervals import patient_codes
from remedis.json_records import Count, Expect, Line, Name, Real
from remedis.options import spelled

KINDS = ("youden", "target_sensitivity")
_Gap = tuple[float, float]  # a score, and the next lower one


Values = dict[Name, Real | None]  # label -> threshold


class ChosenOn(TypedDict, total=False):
    """The data that the thresholds of a label were chosen on.

    Attributes:
      data: name of the data, such as `validation`.
      positives: patients with a positive image.
      negatives: patients with a negative image.
    """

    data: Required[Line]
    positives: Count
    negatives: Count


class _Thresholds(TypedDict):
    """`Thresholds.to_json`, of any version.

    Attributes:
      chosen_on: label -> the data that its thresholds were chosen on. None if not recorded.
    """

    youden: Values
    target_sensitivity: Values
    target: Annotated[float, Gt(0), Le(1)]
    log_odds: NotRequired[dict[Name, Values] | None]
    chosen_on: NotRequired[dict[Name, ChosenOn] | None]


def _of_same_labels(of: Mapping[str, Any]) -> bool:
    log_odds = of.get("log_odds") or {}
    others = [of["target_sensitivity"], *log_odds.values()]
    return all(other.keys() == of["youden"].keys() for other in others) and (
        not log_odds or set(KINDS) <= set(log_odds)
    )


ThresholdsRecord = Annotated[_Thresholds, Expect("thresholds of the same labels", _of_same_labels)]


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Two thresholds per label.

    Attributes:
      youden: label -> threshold of the score; None for a label without a positive or a negative.
      target_sensitivity: label -> threshold; None likewise.
      target: the target of the sensitivity, in (0, 1].
      log_odds: the same thresholds as log odds of the probability: kind -> (label -> threshold).
        None if they were chosen on scores alone.
      chosen_on: label -> `data`, the name of the data that they were chosen on, and its numbers of
        `positives` and `negatives`, distinct patients with such an image; see `origin`. None if
        not recorded.
    """

    youden: Mapping[str, float | None]
    target_sensitivity: Mapping[str, float | None]
    target: float
    log_odds: Mapping[str, Mapping[str, float | None]] | None = None
    chosen_on: Mapping[str, Mapping[str, Any]] | None = None

    def arrays(self) -> dict[str, Floats]:
        """Returns `youden` and `target_sensitivity` as [L], NaN where there is none."""
        return _arrays({"youden": self.youden, "target_sensitivity": self.target_sensitivity})

    def log_odds_arrays(self) -> dict[str, Floats] | None:
        """Returns the thresholds of the log odds as `arrays` does; None if there are none."""
        return None if self.log_odds is None else _arrays(self.log_odds)

    def for_labels(self, names: Sequence[str]) -> "Thresholds":
        """Returns the thresholds of these labels, in this order.

        Raises:
          UserError: a label is not among them.
        """
        if missing := [name for name in names if name not in self.youden]:
            raise UserError(
                f"No threshold was chosen for label {missing[0]!r}; there are thresholds for "
                f"{', '.join(self.youden)}."
            )

        def chosen(of_labels: Mapping[str, float | None]) -> dict[str, float | None]:
            return {name: of_labels[name] for name in names}

        return Thresholds(
            chosen(self.youden),
            chosen(self.target_sensitivity),
            self.target,
            None if self.log_odds is None else {k: chosen(v) for k, v in self.log_odds.items()},
            self.chosen_on and {n: self.chosen_on[n] for n in names if n in self.chosen_on},
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON takes them: null where there is no threshold."""
        fields = dataclasses.asdict(self)
        if self.chosen_on is None:
            del fields["chosen_on"]
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Thresholds":
        """Returns the thresholds from the `fields` of `to_json`, of any version."""
        return cls(
            fields["youden"],
            fields["target_sensitivity"],
            fields["target"],
            fields.get("log_odds"),
            fields.get("chosen_on"),
        )


def origin(
    targets: npt.ArrayLike, names: Sequence[str], data: str, patient_ids: Iterable[object]
) -> dict[str, dict[str, Any]]:
    """Returns `Thresholds.chosen_on` for the labels that thresholds are chosen on.

    Args:
      targets: [n, L]; 1 positive, 0 negative, NaN unknown.
      names: of the L labels.
      data: name of the data.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
    """
    known, codes = np.asarray(targets, np.float64), patient_codes(patient_ids)
    return {
        name: {
            "data": data,
            "positives": len(np.unique(codes[known[:, i] == 1])),
            "negatives": len(np.unique(codes[known[:, i] == 0])),
        }
        for i, name in enumerate(names)
    }


def to_single_precision(scores: Floats) -> Floats:
    """Returns the scores rounded to single precision, as float64."""
    return scores.astype(np.float32).astype(np.float64)


def compared(
    scores: Floats, ranking: Floats | None, chosen: Thresholds
) -> tuple[Floats, dict[str, Floats]]:
    """Returns values and thresholds that can be compared with each other.

    Args:
      scores: [n, L].
      ranking: [n, L], the log odds of the scores; None if they are not known.
      chosen: thresholds of the L labels.

    Returns:
      The log odds [n, L], and their thresholds [L] of each kind, where both are known; otherwise
      scores and thresholds in single precision. NaN for a label without a threshold.
    """
    if ranking is not None and (cuts := chosen.log_odds_arrays()) is not None:
        return ranking, cuts
    single = {kind: to_single_precision(cut) for kind, cut in chosen.arrays().items()}
    return to_single_precision(scores), single


def choose(
    targets: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    target_sensitivity: float = 0.9,
) -> Thresholds:
    """Returns the thresholds of every label, on scores compared in single precision.

    The criteria and their source are those of the module.

    Args:
      targets: [n, L] of the validation split; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite; higher means more likely positive.
      names: of the L labels.
      target_sensitivity: in (0, 1].

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, a score is not finite, or the target is
        out of its range.
    """
    known, score = checked(targets, scores, names)
    gaps = _gaps(known, to_single_precision(score), names, target_sensitivity)
    youden, sensitive = (_each(kind, _single_midpoint) for kind in gaps)
    return Thresholds(youden, sensitive, float(target_sensitivity))


def choose_by_log_odds(
    targets: npt.ArrayLike,
    log_odds: npt.ArrayLike,
    names: Sequence[str],
    target_sensitivity: float = 0.9,
) -> Thresholds:
    """Returns the thresholds of every label, on log odds, and as probabilities.

    Arguments and errors are those of `choose`, with log odds [n, L] of calibrated probabilities as
    scores. They are compared in double precision, in which they do not tie by saturation.
    """
    known, odds = checked(targets, log_odds, names)
    gaps = _gaps(known, odds, names, target_sensitivity)
    youden, sensitive = (_each(kind, _probability) for kind in gaps)
    of_log_odds = {name: _each(kind, _midpoint) for name, kind in zip(KINDS, gaps, strict=True)}
    return Thresholds(youden, sensitive, float(target_sensitivity), of_log_odds)


def _gaps(
    known: Floats, scores: Floats, names: Sequence[str], target_sensitivity: float
) -> tuple[dict[str, _Gap | None], dict[str, _Gap | None]]:
    """Returns, for each of `KINDS`, the neighbouring scores that the threshold lies between."""
    if not 0 < target_sensitivity <= 1:
        raise UserError(
            f"{spelled('target_sensitivity')} is {target_sensitivity:g}; expected more than 0, at "
            "most 1."
        )
    # The decimal number that the user wrote: 0.55 of 20 is 11, but 0.55 * 20 is slightly more.
    target = Fraction(repr(float(target_sensitivity)))
    youden: dict[str, _Gap | None] = {}
    sensitive: dict[str, _Gap | None] = {}
    for column, name in enumerate(names):
        use = ~np.isnan(known[:, column])
        positive, score = known[use, column] == 1, scores[use, column]
        youden[name] = sensitive[name] = None
        positives, negatives = int(positive.sum()), int((~positive).sum())
        if positives and negatives:
            levels, true_positive, false_positive = _calls(positive, score)
            gain = true_positive * negatives - false_positive * positives
            reached = true_positive >= math.ceil(target * positives)
            # Levels descend, so that the first of equally good ones is the largest.
            youden[name] = _below(levels, int(np.argmax(gain)))
            sensitive[name] = _below(levels, int(np.argmax(reached)))
    return youden, sensitive


def _calls(positive: npt.NDArray[np.bool_], scores: Floats) -> tuple[Floats, Integers, Integers]:
    """Returns the distinct scores, descending, and the true and false positives at each of them.

    All are [K]; an image is called positive if its score is at least that of the level.
    """
    ascending, level = np.unique(scores, return_inverse=True)
    counts = [np.bincount(level[rows], minlength=len(ascending)) for rows in (positive, ~positive)]
    true_positive, false_positive = (np.cumsum(count[::-1]) for count in counts)
    return ascending[::-1], true_positive, false_positive


def _arrays(kinds: Mapping[str, Mapping[str, float | None]]) -> dict[str, Floats]:
    return {
        kind: np.array(list(chosen.values()), dtype=np.float64) for kind, chosen in kinds.items()
    }


def _below(levels: Floats, i: int) -> _Gap:
    """Returns score `i` of `levels`, which are distinct and descend, and the next lower number.

    Below the lowest score that is twice the score, or 0 if the score is positive: the threshold of
    a probability stays a probability.
    """
    score = float(levels[i])
    return score, float(levels[i + 1]) if i + 1 < len(levels) else score - abs(score)


def _each(
    gaps: Mapping[str, _Gap | None], threshold: Callable[[float, float], float]
) -> dict[str, float | None]:
    return {name: None if gap is None else threshold(*gap) for name, gap in gaps.items()}


def _midpoint(upper: float, lower: float) -> float:
    """Returns the midpoint; the upper number if the precision has none between the two."""
    halfway = (upper + lower) / 2
    return halfway if halfway > lower else upper


def _single_midpoint(upper: float, lower: float) -> float:
    """Returns the midpoint of numbers of single precision, the upper one if there is none."""
    halfway = (upper + lower) / 2
    return halfway if np.float32(halfway) > lower else upper


def _probability(upper: float, lower: float) -> float:
    """Returns the probability at the midpoint of two log odds.

    It lies above the probability at the lower one in single precision, unless the two are equal.
    """
    middle = scipy.special.expit(_midpoint(upper, lower))
    above, below = (np.float32(scipy.special.expit(odds)) for odds in (upper, lower))
    return float(above if np.float32(middle) <= below < above else middle)
