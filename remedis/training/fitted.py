"""What a way of training leaves for everything that comes after it."""

import dataclasses
from typing import Any

import numpy as np

from remedis.models.classifier import Classifier
from remedis.training.data import RunData
from remedis.zoo.provenance import Provenance


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained classifier and its scores.

    Attributes:
      parts: the data.
      classifier: trained, in float32 on one device.
      provenance: of the trunk it started from.
      validation_logits: [images, labels] float32, before calibration.
      test_logits: the same of the test split.
      summary: what was done, as plain values for `results.json`.
    """

    parts: RunData
    classifier: Classifier
    provenance: Provenance
    validation_logits: np.ndarray
    test_logits: np.ndarray
    summary: dict[str, Any]
