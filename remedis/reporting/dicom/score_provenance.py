"""Sentences on one label's probability: how it was calibrated, compared and judged."""

from collections.abc import Mapping
from typing import Any

from remedis.evaluation import choice_sentences
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.thresholds import KINDS

YOUDEN, TARGET = KINDS


def sentences(
    label: str,
    position: int,
    calibration: Mapping[str, Any] | None,
    thresholds: Mapping[str, Any] | None,
    performance: Mapping[str, Any] | None,
) -> list[str]:
    """Returns where calibration, thresholds and performance of a label come from.

    A probability of one image has no interval. What has one is the model's performance: AUROC with
    the 95 % interval, on the data named.

    Args:
      label: its name.
      position: of the label among all of the model.
      calibration: as `Description.calibration`.
      thresholds: as `Description.thresholds`.
      performance: as `Description.performance`.
    """
    own = calibration and {**calibration, "scale": calibration["scale"][position : position + 1]}
    found, _ = choice_sentences.of_its_run(own, thresholds, [label])
    if thresholds:
        # Seven digits, as scores have: a threshold of 0.99997 is not 1, which nothing reaches.
        if (cut := thresholds[YOUDEN].get(label)) is not None:
            found.append(f"Threshold of Youden's index: {cut:.7g}.")
        if (cut := thresholds[TARGET].get(label)) is not None:
            found.append(f"Threshold of a sensitivity of {thresholds['target']:g}: {cut:.7g}.")
    return [*found, _performance(label, performance)]


def _performance(label: str, performance: Mapping[str, Any] | None) -> str:
    of_label = (performance or {}).get("labels", {}).get(label)
    if performance is None or of_label is None:
        return "The performance of this model for this label was not measured when it was exported."
    auroc = Estimate.from_json(of_label["auroc"])
    return f"AUROC with 95 % interval on {performance['data']}: {auroc}."
