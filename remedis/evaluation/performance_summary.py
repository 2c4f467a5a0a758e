"""The performance that an exported model's description and card state: a part of an evaluation."""

from collections.abc import Mapping
from typing import Any

from remedis.evaluation.thresholds import KINDS

METRICS = (
    "average_precision",
    *(f"{kind}/{rate}" for kind in KINDS for rate in ("sensitivity", "specificity")),
    "brier",
    "calibration_slope",
    "calibration_intercept",
)


def performance_summary(
    evaluated: Mapping[str, Any], data: str, source: str = ""
) -> dict[str, Any]:
    """Returns the numbers of an evaluation that a model card needs, as JSON takes them.

    Args:
      evaluated: of `evaluate_table`.
      data: name of the data and their split, such as `the test split of nih`.
      source: name of the source, of published data; empty for others.

    Returns:
      `data`, `source`, `images`, `labelled_images` (absent in older evaluations), `patients`,
      `note` and `warnings`; `labels`, name -> metric -> estimate, with `auroc` and those of
      `METRICS` that the evaluation has; `mean`, the same of the mean over the labels that are
      estimable, whose names are in `averaged`.
    """
    labelled = evaluated.get("labelled_images")
    metrics = {name: of for name, of in evaluated["metrics"].items() if name in METRICS}
    metrics = {"auroc": evaluated} | metrics
    return {
        "data": data,
        "source": source,
        "images": evaluated["images"],
        **({"labelled_images": labelled} if labelled is not None else {}),
        "patients": max(
            (of["patients"] for of in [*evaluated["labels"].values(), evaluated["mean"]]), default=0
        ),
        "labels": {
            label: {name: of["labels"][label] for name, of in metrics.items()}
            for label in evaluated["labels"]
        },
        "mean": {name: of["mean"] for name, of in metrics.items()},
        "averaged": evaluated["averaged"],
        "note": evaluated["note"],
        "warnings": list(evaluated.get("warnings", ())),
    }
