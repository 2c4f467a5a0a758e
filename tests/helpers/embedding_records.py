"""Records and tables of made-up files of embeddings."""

import numpy as np
import pandas as pd

from remedis.data.tables.strings import STRING


def record(**changes):
    """The record of a file by random weights, before the file is written."""
    return {
        "checkpoint": "trial",
        "weights": "0" * 64,
        "provenance": {"origin": "random", "description": "Drawn."},
        "random_weights": True,
        "embedding": "embedding",
        "preprocess": "resize(8)",
        "version": "1.0",
        "columns": [],
        "labels": [],
        "rows": "",
    } | changes


def table(images=3, **columns):
    """Ids of images, all of one patient but the second, whose patient is unknown."""
    patients = pd.array(["p", None, *["p"] * (images - 2)], dtype=STRING)
    names = {"path": [f"ü/{i}.png" for i in range(images)], "patient_id": patients}
    nowhere = pd.array([None] * images, dtype=STRING)
    return pd.DataFrame(names | {"site": nowhere, "sha256": ["0" * 64] * images} | columns).astype(
        dict.fromkeys(("path", "sha256"), STRING)
    )


def rows(images=3, channels=5, seed=0):
    """Embeddings, [images, channels] float32."""
    return np.random.default_rng(seed).normal(size=(images, channels)).astype(np.float32)
