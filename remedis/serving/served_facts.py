"""What every answer says about the model: its weights, its calibration and its thresholds."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.evaluation import choice_sentences, thresholds
from remedis.evaluation.calibration import Calibration
from remedis.evaluation.thresholds import KINDS, Thresholds

EMBEDDING = "embedding"
SCORES = ("probabilities", "logits")
RESEARCH_USE = "Research software, not a diagnostic device."
# What a threshold of each kind is; the target of the sensitivity is put in.
MEANINGS = {
    "youden": "has the largest sum of sensitivity and specificity on the data it was chosen on",
    "target_sensitivity": "reaches a sensitivity of {target:g} on the data it was chosen on",
}


@dataclasses.dataclass(frozen=True)
class ServedFacts:
    """The model behind an engine.

    Attributes:
      model: name of the checkpoint or the run.
      engine: one of `engine_names.ENGINES`.
      weights_sha256: of the files that hold graph and weights: for a SavedModel
        `remedis.zoo.tensors.model_sha256`, which tables of predictions also name.
      weights: one sentence on their origin.
      random_weights: whether they are random.
      labels: names in the order of the scores; none for a model without a head.
      task: `multi_label` or `multi_class`.
      preprocess: specification of what is done to an image before the network; None if unknown.
      calibration: its record, see `remedis.evaluation.calibration.CalibrationRecord`; None if the
        probabilities are not calibrated.
      thresholds: their record, see `remedis.evaluation.thresholds.ThresholdsRecord`; None if there
        are none.
    """

    model: str
    engine: str
    weights_sha256: str
    weights: str
    random_weights: bool
    labels: tuple[str, ...] = ()
    task: str = "multi_label"
    preprocess: str | None = None
    calibration: Mapping[str, Any] | None = None
    thresholds: Mapping[str, Any] | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs of `Engine.predict`."""
        return (*SCORES, EMBEDDING) if self.labels else (EMBEDDING,)

    def decisions(self, outputs: Mapping[str, np.ndarray]) -> dict[str, list[list[bool | None]]]:
        """Returns whether scores reach their thresholds, as `remedis predict` decides.

        Args:
          outputs: `probabilities` and `logits`, each [n, labels], of all labels.

        Returns:
          By kind of the threshold [n, labels]; None for a label without one. Empty if the model has
          no thresholds.
        """
        if not self.thresholds:
            return {}
        values, cuts = thresholds.compared(
            outputs["probabilities"],
            self._fitted().log_odds(outputs["logits"]),
            Thresholds.from_json(self.thresholds).for_labels(self.labels),
        )
        return {kind: _reached(values, cut) for kind, cut in cuts.items()}

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for an answer."""
        found: dict[str, Any] = {
            "model": self.model,
            "engine": self.engine,
            "weights_sha256": self.weights_sha256,
            "weights": self.weights,
            "random_weights": self.random_weights,
            "preprocess": self.preprocess,
            "use": RESEARCH_USE,
        }
        if self.labels:
            found["labels"] = list(self.labels)
            found["calibration"] = {
                "statement": choice_sentences.calibration_sentence(self.calibration, self.labels),
                "labels": choice_sentences.fits(self.calibration, self.labels),
            }
            found["thresholds"] = self._thresholds_json()
        return found

    def _thresholds_json(self) -> dict[str, Any]:
        chosen = self.thresholds
        _, origins = choice_sentences.of_its_run(self.calibration, chosen, self.labels)
        return {
            "statement": choice_sentences.thresholds_sentence(chosen, self.labels),
            "meanings": {k: v.format(**chosen) for k, v in MEANINGS.items()} if chosen else {},
            "labels": {
                label: {**{kind: chosen[kind].get(label) for kind in KINDS}, **origins[label]}
                for label in self.labels
            }
            if chosen
            else {},
        }

    def _fitted(self) -> Calibration:
        ones = {"method": "none", "scale": [1.0] * len(self.labels)}
        fitted = self.calibration or {**ones, "offset": [0.0] * len(self.labels)}
        return Calibration.from_json({**fitted, "task": self.task})


def _reached(
    values: npt.NDArray[np.float64], cut: npt.NDArray[np.float64]
) -> list[list[bool | None]]:
    return [
        [None if np.isnan(c) else bool(v >= c) for v, c in zip(row, cut, strict=True)]
        for row in values
    ]
