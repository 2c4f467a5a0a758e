"""Made-up embeddings and labels."""

import numpy as np
from scipy.special import expit


def make_embeddings(seed, rows=150, columns=40, labels=3, unknown=0.0):
    """Embeddings with variances over orders of magnitude and means far from 0, and their labels."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
    hidden = rng.normal(size=(rows, columns)) / np.arange(1, columns + 1)
    logits = hidden @ rng.normal(size=(columns, labels)) * 2 - 0.5
    y = (rng.random((rows, labels)) < expit(logits)).astype(float)
    y[rng.random(y.shape) < unknown] = np.nan
    return (hidden @ rotation + rng.normal(size=columns) * 5).astype(np.float32), y
