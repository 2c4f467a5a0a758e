"""Logistic regression on thumbnails: the floor above which a model has learnt something.

An AUROC that 144 grey values and a histogram reach says nothing about a model. The floor is
measured on the same images, patients and splits as the model.
"""

import numpy as np
from PIL import Image

from remedis.data.manifest import Manifest
from remedis.evaluation.linear_probe import linear_probe

SIDE, LEVELS = 12, 16
DESCRIPTION = f"logistic regression on {SIDE}x{SIDE} pixels and a grey histogram of {LEVELS} bins"


def features(images: Manifest) -> np.ndarray:
    """Returns [n, 160] float32: thumbnails of the grey images, and shares of grey levels."""
    rows = []
    for path in images.absolute_paths():
        with Image.open(path) as opened:
            grey = opened.convert("L")
        small = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
        shares = np.histogram(np.asarray(grey), LEVELS, (0, 256))[0] / (grey.width * grey.height)
        rows.append(np.concatenate([np.asarray(small).ravel() / 255, shares]))
    return np.array(rows, np.float32)


def logits(train: Manifest, validation: Manifest, test: Manifest) -> np.ndarray:
    """Returns the logits [n, L] of the test images; validation chooses the penalty."""
    probe = linear_probe(
        features(train), train.targets(), features(validation), validation.targets()
    )
    return probe.logits(features(test))
