"""From scores to a result one can publish."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats, Integers, auroc, checked
from remedis.evaluation.intervals import (
    LEVEL,
    MIN_PATIENTS,
    RESAMPLES,
    Estimate,
    patient_codes,
    patient_counts,
    percentile_interval,
)


@dataclasses.dataclass(frozen=True)
class Result:
    """The AUROC of each label and their mean.

    Attributes:
      labels: name -> estimate, in the order of the model's outputs.
      mean: the mean over the `averaged` labels; its counts are of patients with any of them known,
        and with any of them positive (of all labels, if none is estimable).
      averaged: names of the labels that entered the mean.
      left_out: names of the labels that are not estimable.
      images: rows scored.
      resamples: draws behind each interval, the same ones for all labels.
      seed: of the draws.
    """

    labels: Mapping[str, Estimate]
    mean: Estimate
    averaged: tuple[str, ...]
    left_out: tuple[str, ...]
    images: int
    resamples: int
    seed: int

    def __str__(self) -> str:
        lines = [f"{name}: {estimate}" for name, estimate in self.labels.items()]
        return "\n".join([*lines, f"mean of {len(self.averaged)}: {self.mean}"])

    def to_json(self) -> dict[str, Any]:
        """Returns the result as JSON takes it."""
        return {
            "metric": "auroc",
            "interval": f"{LEVEL:.0%}, percentile bootstrap by patient",
            "labels": {name: estimate.to_json() for name, estimate in self.labels.items()},
            "mean": self.mean.to_json(),
            "averaged": list(self.averaged),
            "left_out": list(self.left_out),
            "images": self.images,
            "resamples": self.resamples,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Result":
        """Returns the result `to_json` wrote."""
        return cls(
            labels={name: Estimate.from_json(e) for name, e in fields["labels"].items()},
            mean=Estimate.from_json(fields["mean"]),
            averaged=tuple(fields["averaged"]),
            left_out=tuple(fields["left_out"]),
            images=fields["images"],
            resamples=fields["resamples"],
            seed=fields["seed"],
        )


def evaluate(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    patient_ids: Iterable[object],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Result:
    """Returns the AUROC of each label and their mean, with intervals resampled by patient.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite; higher means more likely positive.
      names: of the L labels.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      seed: of the resamples. The same patients and seed give the same resamples.
      resamples: how many; all labels share them, so that the interval of the mean keeps the
        correlation between labels.

    Raises:
      UserError: shapes differ, a score is not finite, or a label is not 1, 0 or NaN.
    """
    known, score = checked(labels, scores, names)
    patients = patient_codes(patient_ids)
    if len(patients) != len(known):
        raise UserError(f"{len(patients)} patient ids for {len(known)} rows of labels.")
    if len(set(names)) != len(names):
        raise UserError(f"Label names must differ; got {', '.join(names)}.")
    total = int(patients.max()) + 1
    values = auroc(known, score)[0]
    draws = auroc(known, score, patient_counts(total, resamples, seed), patients)

    estimates = {}
    for column, name in enumerate(names):
        here = known[:, [column]]
        counts = _count(~np.isnan(here), patients), _count(here == 1, patients)
        enough = min(counts[1], _count(here == 0, patients)) >= MIN_PATIENTS
        estimates[name] = _estimate(values[column], draws[:, column], counts, enough)

    entered = [column for column, name in enumerate(names) if estimates[name].estimable]
    of = known[:, entered] if entered else known
    # A resample without one of the labels has no mean: averaging the others instead would mix means
    # over different labels. `mean` passes the NaN on, and the interval leaves the resample out.
    mean = _estimate(
        values[entered].mean() if entered else np.nan,
        draws[:, entered].mean(axis=1) if entered else np.empty(0),
        (_count(~np.isnan(of), patients), _count(of == 1, patients)),
        bool(entered),
    )
    averaged = tuple(names[column] for column in entered)
    return Result(
        labels=estimates,
        mean=mean,
        averaged=averaged,
        left_out=tuple(name for name in names if name not in averaged),
        images=len(known),
        resamples=resamples,
        seed=seed,
    )


def _count(images: npt.NDArray[np.bool_], patients: Integers) -> int:
    """Returns the number of distinct patients with any true entry in `images` [n, labels]."""
    return len(np.unique(patients[images.any(axis=1)]))


def _estimate(value: float, draws: Floats, counts: tuple[int, int], enough: bool) -> Estimate:
    """Returns the estimate, not estimable without enough patients or any defined draw."""
    interval = percentile_interval(draws)
    if not enough or interval is None:
        return Estimate(None, None, None, *counts)
    return Estimate(float(value), *interval, *counts)
