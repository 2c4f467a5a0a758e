"""Thresholds: chosen on the validation split, judged on the test split.

A score of at least the threshold calls an image positive. `youden` maximises sensitivity +
specificity - 1 (Youden, Cancer 3:32-35, 1950); `target_sensitivity` is the largest threshold whose
sensitivity reaches a target. Chosen and judged on the same images, either would look better than it
is. Scores are compared in single precision, as tables and exported models hold them; all thresholds
between two scores call the same images positive, and the one halfway is taken, since an exported
model computes scores anew, which differ by rounding.
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
    """Two thresholds a label.

    Attributes:
      youden: label -> threshold; None for a label without a positive or a negative to choose by.
      target_sensitivity: label -> threshold; None likewise.
      target: the sensitivity aimed at, in (0, 1].
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

    def of(self, names: Sequence[str]) -> "Thresholds":
        """Returns the thresholds of these labels, in this order.

        Raises:
          UserError: a label is not among them.
        """
        if missing := [name for name in names if name not in self.youden]:
            raise UserError(
                f"No threshold was chosen for label {missing[0]!r}; there are thresholds for "
                f"{', '.join(self.youden)}."
            )
        youden, sensitive = (
            {name: chosen[name] for name in names}
            for chosen in (self.youden, self.target_sensitivity)
        )
        return Thresholds(youden, sensitive, self.target)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON takes them: null where there is no threshold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Thresholds":
        """Returns the thresholds that `to_json` made `fields` of."""
        return cls(**{field.name: fields[field.name] for field in dataclasses.fields(cls)})


def single(scores: Floats) -> Floats:
    """Returns the scores rounded to single precision."""
    return scores.astype(np.float32).astype(np.float64)


def choose(
    targets: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    target_sensitivity: float = 0.9,
) -> Thresholds:
    """Returns the thresholds of every label.

    Args:
      targets: [n, L]; 1 positive, 0 negative, NaN unknown. Of the validation split.
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
        target, mark = known[use, column], single(score[use, column])
        youden[name] = sensitive[name] = None
        if target.size and 0 < target.sum() < target.size:
            # Thresholds fall, so that the first of equals is the largest.
            false, true, levels = roc_curve(target, mark, drop_intermediate=False)
            youden[name] = _below(levels, 1 + int(np.argmax((true - false)[1:])))
            # In numbers of positives: 0.9 of 10 is 9, whatever 9 / 10 rounds to.
            reached = np.rint(true * target.sum()) >= target_sensitivity * target.sum() - 1e-9
            sensitive[name] = _below(levels, int(np.argmax(reached)))
    return Thresholds(youden, sensitive, float(target_sensitivity))


def _below(levels: Floats, i: int) -> float:
    """Returns what lies halfway from a score down to the next lower one, or towards -infinity.

    Below the lowest there is no score to keep clear of; half of its size is off, so that a
    probability's threshold stays one. Scores that nothing lies between in single precision, in
    which exported models hold thresholds, may leave but the score itself.

    Args:
      levels: distinct scores, falling, exact in single precision.
      i: number of the score.
    """
    score = levels[i]
    lower = levels[i + 1] if i + 1 < len(levels) else score - abs(score)
    halfway = (score + lower) / 2
    return float(halfway if np.float32(halfway) > lower else score)
