"""What a way of training leaves for everything that comes after it."""

import dataclasses
from typing import Any

import numpy as np

from remedis.models.classifier import Classifier


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained classifier and its scores.

    Attributes:
      classifier: trained, in float32 on one device.
      validation_logits: [images, labels] float32, before calibration.
      test_logits: the same of the test split.
      summary: what was done, as plain values for `results.json`.
    """

    classifier: Classifier
    validation_logits: np.ndarray
    test_logits: np.ndarray
    summary: dict[str, Any]
