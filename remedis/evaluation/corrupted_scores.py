"""A classifier's scores of corrupted images beside those of the clean ones, paired by patient.

The same images are scored twice, so that the difference of a metric is that of two models on the
same cases: its interval is paired by patient (`auroc_difference`, `metric_differences`). What both
have in common, such as hard patients, cancels. Each interval is for one comparison; none is
corrected for the number of corruptions and strengths.

The invariance of embeddings is the mean cosine of an image's embedding with that of the same image
corrupted. It has no meaning without the cosine of *different* patients: networks that give all
images nearly the same embedding look invariant.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from typing_extensions import TypedDict

from remedis.evaluation import estimates
from remedis.evaluation.auroc_difference import Difference, compare_tables
from remedis.evaluation.estimates import Cases
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.evaluation_result import Metric
from remedis.evaluation.intervals import Estimate, EstimateRecord
from remedis.evaluation.metric_differences import CALIBRATION, metric_differences
from remedis.evaluation.ranking import ranking_of
from remedis.json_records import Json, Line, Name, Real

METRICS = ("auroc", *CALIBRATION)


class ChangeRecord(TypedDict):
    """Corrupted minus clean; numbers are null if not estimable.

    Attributes:
      difference: of the metric.
      low: lower end of its interval, paired by patient.
      high: upper end.
      p: two-sided; null if no patient tells the two apart.
    """

    difference: Real | None
    low: Real | None
    high: Real | None
    p: Real | None


class MeasuredRecord(TypedDict):
    """A metric on corrupted images.

    Attributes:
      estimate: with an interval of its own.
      change: from the clean images; null on these.
    """

    estimate: EstimateRecord
    change: ChangeRecord | None


class MetricRecord(TypedDict):
    """A metric of all labels.

    Attributes:
      labels: by name.
      mean: over the labels that are estimable.
    """

    labels: dict[Name, MeasuredRecord]
    mean: MeasuredRecord


class CellRecord(TypedDict):
    """One corruption in one strength.

    Attributes:
      corruption: its name; `clean` for the images as they are.
      strength: 0 for clean images, then 1 to 5.
      value: parameter of this strength; null for clean images.
      metrics: `auroc`, `brier`, `calibration_error`, `calibration_slope`, `calibration_intercept`.
      cosine: of embeddings of clean and corrupted images, the mean.
    """

    corruption: Line
    strength: int
    value: Real | None
    metrics: dict[Name, MetricRecord]
    cosine: EstimateRecord


class RobustnessRecord(TypedDict):
    """`robustness.json`.

    Attributes:
      title: the model and the data.
      model: name of the model.
      random_weights: whether its weights are random.
      checkpoint: provenance of the weights.
      task: `multi_label` or `multi_class`.
      labels: names of the labels.
      data: name of the data.
      images: their number.
      preprocess: of the model, which follows the corruption.
      notes: sentences on the data, and on images that the model may have seen.
      seed: of the resamples.
      resamples: their number.
      strangers: mean cosine of two clean images of different patients, with its interval.
      cells: the clean images, then every corruption in every strength.
    """

    title: Line
    model: Line
    random_weights: bool
    checkpoint: dict[Name, Json]
    task: Line
    labels: list[Name]
    data: Line
    images: int
    preprocess: Line
    notes: list[Line]
    seed: int
    resamples: int
    strangers: EstimateRecord
    cells: list[CellRecord]


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What every cell of a sweep is measured against, and how.

    Attributes:
      clean: table of predictions of the clean images, with `split` `test`.
      labels: names of the labels.
      task: `multi_label` or `multi_class`.
      seed: of the resamples.
      resamples: their number.
    """

    clean: pd.DataFrame
    labels: Sequence[str]
    task: str
    seed: int
    resamples: int

    def metrics(self, table: pd.DataFrame | None = None) -> dict[str, MetricRecord]:
        """Returns the metrics of a corruption with their changes; of the clean images without.

        Args:
          table: predictions of the same images, corrupted; None for the clean ones.
        """
        measured = self._measured(self.clean if table is None else table)
        if table is None:
            return {name: _record(of, None, None) for name, of in measured.items()}
        arguments = {"task": self.task, "seed": self.seed, "resamples": self.resamples}
        areas = compare_tables(self.clean, table, "test", **arguments)  # type: ignore[arg-type]
        others = metric_differences(
            self.clean,
            table,
            "test",
            (None, None),
            **arguments,  # type: ignore[arg-type]
        )
        changes = {"auroc": (areas.labels, areas.mean)}
        changes |= {name: (of.labels, of.mean) for name, of in others.items()}
        return {name: _record(of, *changes[name]) for name, of in measured.items()}

    def cosine(self, cosines: npt.ArrayLike) -> EstimateRecord:
        """Returns the mean of cosines [n] in the order of the clean table, by patient."""
        return mean_cosine(cosines, self.clean["patient_id"]).to_json()  # type: ignore[return-value]

    def _measured(self, table: pd.DataFrame) -> dict[str, Metric]:
        names = list(self.labels)
        result = evaluate(
            table[[f"label/{name}" for name in names]].to_numpy(np.float64),
            table[[f"score/{name}" for name in names]].to_numpy(np.float64),
            names,
            table["patient_id"].to_numpy(dtype=object),
            task=self.task,
            ranking=ranking_of(table, names, self.task).values,
            seed=self.seed,
            resamples=self.resamples,
        )
        area = Metric(result.labels, result.mean, result.averaged, result.interval)
        return {"auroc": area} | {name: result.metrics[name] for name in CALIBRATION}


def _record(
    metric: Metric, changes: Mapping[str, Difference] | None, mean: Difference | None
) -> MetricRecord:
    return {
        "labels": {
            name: _measured(of, None if changes is None else changes[name])
            for name, of in metric.labels.items()
        },
        "mean": _measured(metric.mean, mean),
    }


def _measured(estimate: Estimate, change: Difference | None) -> MeasuredRecord:
    changed: ChangeRecord | None = None
    if change is not None:
        changed = {
            "difference": change.difference,
            "low": change.low,
            "high": change.high,
            "p": change.p,
        }
    return {"estimate": estimate.to_json(), "change": changed}  # type: ignore[typeddict-item]


def mean_cosine(cosines: npt.ArrayLike, patient_ids: "pd.Series[str]") -> Estimate:
    """Returns the mean of cosines [n] in [-1, 1] with its interval by patient.

    (1 + cosine) / 2 is a number in [0, 1], whose mean has Wilson's interval; both ends are mapped
    back. Positives are all patients.
    """
    values = (1 + np.clip(np.asarray(cosines, np.float64), -1, 1)) / 2
    cases = Cases.from_ids(np.ones((len(values), 1)), patient_ids)
    ratio = values[:, None], np.ones((len(values), 1))
    found = estimates.proportions({"cosine": ratio}, cases)["cosine"].estimate([0])
    if found.value is None or found.low is None or found.high is None:
        return found
    value, low, high = (2 * number - 1 for number in (found.value, found.low, found.high))
    return dataclasses.replace(found, value=value, low=low, high=high)


def cosines(first: npt.ArrayLike, second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns [n]: the cosine of each row of two arrays [n, C]; 1 for equal rows, even of zeros.

    A row of zeros and another row have the cosine 0.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    found = np.einsum("nc,nc->n", a, b) / np.where(lengths > 0, lengths, 1.0)
    return np.where((a == b).all(axis=1), 1.0, np.clip(found, -1, 1))
