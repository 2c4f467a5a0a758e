"""The result of an evaluation, and its form in JSON."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from remedis.errors import counted
from remedis.evaluation.intervals import LEVEL, Estimate, EstimateRecord
from remedis.evaluation.thresholds import Thresholds
from remedis.json_records import Line, Name

NOTE = "Intervals hold the uncertainty of the data, not that of another training run."
THRESHOLDS = (
    "Intervals of numbers at thresholds and of calibration are conditional on the choice of both."
)


class MetricRecord(TypedDict):
    """`Metric.to_json`."""

    labels: dict[Name, EstimateRecord]
    mean: EstimateRecord
    averaged: list[Name]
    interval: Line


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric of each label, and its mean over labels.

    Attributes:
      labels: name -> estimate; empty for (top-k) accuracies among classes, which have a mean only.
      mean: estimate of the mean over the `averaged` labels.
      averaged: names of the labels that are estimable.
      interval: name of the method of the intervals.
    """

    labels: Mapping[str, Estimate]
    mean: Estimate
    averaged: tuple[str, ...]
    interval: str

    def to_json(self) -> dict[str, Any]:
        """Returns the metric as JSON takes it."""
        return {
            "interval": f"{LEVEL:.0%}, {self.interval}",
            "labels": {name: estimate.to_json() for name, estimate in self.labels.items()},
            "mean": self.mean.to_json(),
            "averaged": list(self.averaged),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Metric":
        """Returns the metric from the `fields` of `to_json`."""
        return cls(
            labels={name: Estimate.from_json(e) for name, e in fields["labels"].items()},
            mean=Estimate.from_json(fields["mean"]),
            averaged=tuple(fields["averaged"]),
            interval=fields["interval"].partition(", ")[2],
        )


def images_of_patients(images: int, labelled: int | None, patients: str) -> str:
    """Returns `93 images of 50 patients`, or `90 of 93 images with a known label, of 49 patients`.

    Args:
      images: their number.
      labelled: those of them with a known label; None if it is not recorded.
      patients: the text of the patients with a known label.
    """
    if labelled is None or labelled == images:
        return f"{counted(images, 'image')} of {patients}"
    return f"{labelled:,} of {counted(images, 'image')} with a known label, of {patients}"


@dataclasses.dataclass(frozen=True)
class Result:
    """The AUROC of each label and their mean, and further metrics.

    Attributes:
      labels: name -> AUROC, in the order of the model's outputs.
      mean: the mean AUROC over the `averaged` labels. Its counts are the patients for whom any of
        these labels is known, and for whom any is positive (any of all labels, if none is
        estimable).
      averaged: names of the labels in the mean.
      left_out: names of the labels whose AUROC is not estimable.
      interval: name of the method of the intervals of the AUROC.
      metrics: name -> metric: average_precision; brier, calibration_error, calibration_slope,
        calibration_intercept and the accuracy of labels if the scores are probabilities; accuracy,
        balanced_accuracy and top_3_accuracy of multi_class; youden/sensitivity, /specificity,
        /ppv, /npv and the same for target_sensitivity if there are thresholds.
      thresholds: thresholds of these metrics.
      task: `multi_label` or `multi_class`.
      weighting: weights in the AUROC, `images` or `patients`, as for `evaluate`.
      images: number of images scored.
      labelled_images: those of them with a known label, which the numbers are computed from. None
        of older versions.
      resamples: number of resamples, the same ones for all labels and metrics.
      seed: seed of the resamples.
    """

    labels: Mapping[str, Estimate]
    mean: Estimate
    averaged: tuple[str, ...]
    left_out: tuple[str, ...]
    interval: str
    metrics: Mapping[str, Metric]
    thresholds: Thresholds | None
    task: str
    weighting: str
    images: int
    resamples: int
    seed: int
    labelled_images: int | None = None

    def __str__(self) -> str:
        lines = [f"{name}: {estimate}" for name, estimate in self.labels.items()]
        return "\n".join([*lines, f"mean of {len(self.averaged)}: {self.mean}"])

    def to_json(self) -> dict[str, Any]:
        """Returns the result as JSON takes it."""
        area = Metric(self.labels, self.mean, self.averaged, self.interval)
        return {
            "metric": "auroc",
            **area.to_json(),
            "left_out": list(self.left_out),
            "metrics": {name: metric.to_json() for name, metric in self.metrics.items()},
            "thresholds": None if self.thresholds is None else self.thresholds.to_json(),
            "task": self.task,
            "weighting": self.weighting,
            "images": self.images,
            **({} if self.labelled_images is None else {"labelled_images": self.labelled_images}),
            "resamples": self.resamples,
            "seed": self.seed,
            "note": NOTE if self.thresholds is None else f"{NOTE} {THRESHOLDS}",
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Result":
        """Returns the result from the `fields` of `to_json`."""
        area, chosen = Metric.from_json(fields), fields["thresholds"]
        return cls(
            labels=area.labels,
            mean=area.mean,
            averaged=area.averaged,
            left_out=tuple(fields["left_out"]),
            interval=area.interval,
            metrics={name: Metric.from_json(m) for name, m in fields["metrics"].items()},
            thresholds=None if chosen is None else Thresholds.from_json(chosen),
            task=fields.get("task", "multi_label"),
            weighting=fields.get("weighting", "images"),
            images=fields["images"],
            resamples=fields["resamples"],
            seed=fields["seed"],
            labelled_images=fields.get("labelled_images"),
        )
