"""Decision thresholds, chosen on the validation split and evaluated on the test split.

An image is called positive if its score is at least the threshold. `youden` maximises sensitivity +
specificity - 1 (Youden, Cancer 3:32-35, 1950); `target_sensitivity` is the largest threshold whose
sensitivity reaches a target. Both are biased upwards when they are chosen and evaluated on the same
images. Scores are compared in single precision, the precision of tables and exported models. All
thresholds between two neighbouring scores call the same images positive. The midpoint is used,
because the scores of an exported model may differ by rounding.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats, checked


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Two thresholds per label.

    Attributes:
      youden: label -> threshold; None for a label without a positive or without a negative.
      target_sensitivity: label -> threshold; None likewise.
      target: the target of the sensitivity, in (0, 1].
    """

    youden: Mapping[str, float | None]
    target_sensitivity: Mapping[str, float | None]
    target: float

    def arrays(self) -> dict[str, Floats]:
        """Returns `youden` and `target_sensitivity` as [L], NaN where there is none."""
        return {
            kind: np.array(list(chosen.values()), dtype=np.float64)
            for kind, chosen in (
                ("youden", self.youden),
                ("target_sensitivity", self.target_sensitivity),
            )
        }

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
        youden, target_sensitivity = (
            {name: chosen[name] for name in names}
            for chosen in (self.youden, self.target_sensitivity)
        )
        return Thresholds(youden, target_sensitivity, self.target)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON takes them: null where there is no threshold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Thresholds":
        """Returns the thresholds from the `fields` of `to_json`."""
        return cls(**{field.name: fields[field.name] for field in dataclasses.fields(cls)})


def to_single_precision(scores: Floats) -> Floats:
    """Returns the scores rounded to single precision, as float64."""
    return scores.astype(np.float32).astype(np.float64)


def choose(
    targets: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    target_sensitivity: float = 0.9,
) -> Thresholds:
    """Returns the thresholds of every label.

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
    if not 0 < target_sensitivity <= 1:
        raise UserError(
            f"config.target_sensitivity is {target_sensitivity:g}; expected more than 0, at most 1."
        )
    youden: dict[str, float | None] = {}
    sensitive: dict[str, float | None] = {}
    for column, name in enumerate(names):
        use = ~np.isnan(known[:, column])
        target, single_score = known[use, column], to_single_precision(score[use, column])
        youden[name] = sensitive[name] = None
        if target.size and 0 < target.sum() < target.size:
            # Thresholds descend, so that the first of equally good ones is the largest.
            false_rate, true_rate, levels = roc_curve(target, single_score, drop_intermediate=False)
            youden[name] = _midpoint_below(levels, 1 + int(np.argmax((true_rate - false_rate)[1:])))
            # Counts are compared, not rates: 0.9 of 10 is 9, whatever 9 / 10 rounds to.
            reached = np.rint(true_rate * target.sum()) >= target_sensitivity * target.sum() - 1e-9
            sensitive[name] = _midpoint_below(levels, int(np.argmax(reached)))
    return Thresholds(youden, sensitive, float(target_sensitivity))


def _midpoint_below(levels: Floats, i: int) -> float:
    """Returns the midpoint between a score and the next lower one.

    Below the lowest score, the threshold is that score minus half of its absolute value, so that
    the threshold of a probability stays a probability. Where single precision, the precision of
    thresholds in exported models, has no number between two scores, the upper score is returned.

    Args:
      levels: distinct scores, descending, exact in single precision.
      i: index of the score.
    """
    score = levels[i]
    lower = levels[i + 1] if i + 1 < len(levels) else score - abs(score)
    halfway = (score + lower) / 2
    return float(halfway if np.float32(halfway) > lower else score)
