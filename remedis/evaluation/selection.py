"""The criterion of a choice on validation: the mean AUROC of labels, or the top-k accuracy.

The labels whose mean AUROC selects a checkpoint are those that the report averages.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import auroc
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import MIN_PATIENTS
from remedis.evaluation.ratios import top_accuracy


@dataclasses.dataclass(frozen=True)
class Selection:
    """The criterion of a choice among checkpoints.

    Attributes:
      names: of all labels.
      labels: names of those whose mean AUROC selects. They are the labels that are estimable in the
        validation split; without any, those with both classes; without any of these the loss
        selects, and there are none.
      estimable: whether these labels are estimable.
      top: k of the top-k accuracy that `score` is; None for the mean AUROC.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    estimable: bool
    top: int | None = None

    @classmethod
    def of(
        cls,
        targets: npt.ArrayLike,
        names: Sequence[str],
        patient_ids: Iterable[object],
        top: int | None = None,
    ) -> "Selection":
        """Returns the criterion for a validation split.

        Args:
          targets: [n, L]; 1 positive, 0 negative, NaN unknown.
          names: of the L labels.
          patient_ids: [n]; a row whose id is missing counts as a patient of its own.
          top: k of the top-k accuracy that scores; None for the mean AUROC.
        """
        known = np.asarray(targets, np.float64)
        estimable = Cases.from_ids(known, patient_ids).both_classes()
        both = (known == 1).any(axis=0) & (known == 0).any(axis=0)
        chosen = estimable if estimable.any() else both
        labels = tuple(name for name, use in zip(names, chosen, strict=True) if use)
        return cls(tuple(names), labels, bool(estimable.any()), top)

    def auroc(self, targets: npt.ArrayLike, ranking: npt.ArrayLike) -> float | None:
        """Returns the mean AUROC in [0, 1] over `labels`; None without labels.

        Args:
          targets: [n, L], those that the selection was made for.
          ranking: [n, L], log odds; higher means more likely positive.
        """
        columns = [self.names.index(label) for label in self.labels]
        if not columns:
            return None
        judged, ranked = (np.asarray(a, np.float64)[:, columns] for a in (targets, ranking))
        return float(auroc(judged, ranked).mean())

    def score(self, targets: npt.ArrayLike, ranking: npt.ArrayLike) -> float | None:
        """Returns the criterion in [0, 1], higher is better; None if it is undefined.

        The mean AUROC needs a label with both classes, the top-k accuracy an image whose class is
        known.

        Args:
          targets: [n, L], those that the selection was made for.
          ranking: [n, L], log odds; higher means more likely positive.
        """
        if self.top is None:
            return self.auroc(targets, ranking)
        known, ranked = (np.asarray(a, np.float64) for a in (targets, ranking))
        correct, images = top_accuracy(known, ranked, self.top)
        return float(correct.sum() / images.sum()) if images.any() else None

    @property
    def sentence(self) -> str:
        """What selected the checkpoint."""
        few = f"fewer than {MIN_PATIENTS} effective positive or negative patients in validation"
        if not self.labels:
            return (
                "No label has positive and negative images in validation: the checkpoint is "
                "selected by the smallest loss."
            )
        mean = f"the checkpoint is selected by the mean AUROC of {', '.join(self.labels)}"
        if not self.estimable:
            return (
                f"Every label has {few}: {mean}, which is not estimable; the choice is unreliable."
            )
        left_out = [name for name in self.names if name not in self.labels]
        if not left_out:
            return f"{mean[0].upper()}{mean[1:]}."
        have = "have" if len(left_out) > 1 else "has"
        return f"{mean[0].upper()}{mean[1:]}; {', '.join(left_out)} {have} {few}."

    def to_json(self) -> dict[str, Any]:
        """Returns the fields and the sentence as JSON takes them."""
        return {
            "labels": list(self.labels),
            "left_out": [name for name in self.names if name not in self.labels],
            "estimable": self.estimable,
            "note": self.sentence,
        }
