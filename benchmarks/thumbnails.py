"""Logistic regression on thumbnails: the floor above which a model has learnt something.

An AUROC that 144 grey values and a histogram reach says nothing about a model. The floor is
measured on the same images, patients and splits as the model. `thumbnails:12` in `config.arms` of a
study is the same as an arm.
"""

import numpy as np

from remedis.data.manifest import Manifest
from remedis.evaluation.linear_probe import linear_probe
from remedis.label_budget import thumbnail_arm

DESCRIPTION = thumbnail_arm.description(thumbnail_arm.SIDE, colour=False)


def features(images: Manifest) -> np.ndarray:
    """Returns [n, 160] float32: thumbnails of the grey images, and shares of grey levels."""
    return thumbnail_arm.features(images)


def logits(train: Manifest, validation: Manifest, test: Manifest) -> np.ndarray:
    """Returns the logits [n, L] of the test images; validation chooses the penalty."""
    probe = linear_probe(
        features(train), train.targets(), features(validation), validation.targets()
    )
    return probe.logits(features(test))
